//! A function passes from a run that was stopped to the next one, while the first is still being cleaned up: something happens
//! at each call of the Cleaner, one after the other.
//!
//! With the times that are for AWS: who cleans up is to hold the function while many others do the same on two cores.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use local_aws::Service;
use local_aws::faults::{Fault, Gate, Kind};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::{assert_kept, clean_up_after_stop, with};
use crate::bench::{Bench, FUNCTION, Handled, Refused};

/// How many benches work side by side: most of them wait.
const AT_ONCE: usize = 12;
/// For how long a call is held up that comes at a bad moment.
const A_MOMENT: Duration = Duration::from_millis(40);

/// How far the run had got when it was stopped.
#[derive(Debug, Clone, Copy)]
enum Stopped {
    /// The Publisher ends between the publication of a size and its alias.
    Publishing,
    Measuring,
}

fn input() -> Value {
    json!({"num": 5, "powerValues": [128, 512]})
}

/// Has a run stopped, with nobody to clean up; its ARN.
async fn stopped(bench: &Bench, at: Stopped) -> String {
    let faults = match at {
        Stopped::Publishing => vec![
            Fault::at("publisher", "UpdateFunctionConfiguration", 2, Kind::ExecutionStopped),
            Fault::at("publisher", "PublishVersion", 2, Kind::CallerCrash),
        ],
        Stopped::Measuring => vec![Fault::at("executor", "Invoke", 1, Kind::ExecutionStopped)],
    };
    bench.rule(false).await;
    bench.aws().faults.plan(faults);
    let over = bench.run(input()).await;
    bench.quiet().await;
    bench.aws().faults.end();
    assert_eq!(over.status, "ABORTED", "{over:?}");
    over.arn
}

/// The calls of a clean-up: operation, and which of them.
async fn calls_of_the_clean_up(at: Stopped) -> Vec<(String, u32)> {
    let bench = Bench::in_process().await;
    let run = stopped(&bench, at).await;
    bench.aws().faults.plan(Vec::new());
    clean_up_after_stop(&bench, &run).await.unwrap();
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    let mut calls = Vec::new();
    for call in bench.aws().faults.end() {
        let nth = counts.entry(call.operation.clone()).or_default();
        *nth += 1;
        calls.push((call.operation, *nth));
    }
    assert!(calls.len() > 10 && calls.last().unwrap().0 == "DeleteAlias", "{calls:?}");
    bench.stop().await;
    calls
}

/// A stopped run's clean-up about to come to the call at which something happens.
struct Scene {
    bench: Bench,
    run: String,
    gate: Arc<Gate>,
    what: String,
    /// Told when the clean-up has ended.
    over: Notify,
    /// Whether it ended without having made the call.
    missed: AtomicBool,
}

impl Scene {
    async fn clean_up(&self) -> Handled {
        let cleaned = clean_up_after_stop(&self.bench, &self.run).await;
        self.missed.store(!self.gate.has_been_reached(), Ordering::SeqCst);
        self.over.notify_one();
        cleaned
    }

    /// Waits for the call, or for the end of the clean-up: what the run left, and so the calls, depends a little on when it was
    /// stopped.
    async fn call(&self) {
        tokio::select! {
            () = self.gate.reached() => {}
            () = self.over.notified() => {}
        }
    }
}

/// Plays the scene at each call of the clean-up; afterwards the function is as it was.
async fn at_each_call<F>(stages: &[Stopped], play: fn(Scene) -> F)
where
    F: Future<Output = Scene> + Send + 'static,
{
    let mut places = Vec::new();
    for &at in stages {
        places.extend(calls_of_the_clean_up(at).await.into_iter().map(|(call, nth)| (at, call, nth)));
    }
    let (places, next) = (Arc::new(places), Arc::new(AtomicUsize::new(0)));
    let mut benches = JoinSet::new();
    for _ in 0..AT_ONCE.min(places.len()) {
        let (places, next) = (Arc::clone(&places), Arc::clone(&next));
        benches.spawn(async move {
            let mut bench = Bench::in_process().await;
            let before = bench.snapshot().await;
            let mut missed = 0;
            while let Some((at, call, nth)) = places.get(next.fetch_add(1, Ordering::Relaxed)) {
                let what = format!("{at:?}, {call}, number {nth}");
                let run = stopped(&bench, *at).await;
                bench.aws().faults.plan(Vec::new());
                let gate = bench.aws().faults.hold("cleaner", call, *nth);
                let scene = play(Scene {
                    bench,
                    run,
                    gate,
                    what,
                    over: Notify::new(),
                    missed: AtomicBool::new(false),
                })
                .await;
                bench = scene.bench;
                bench.quiet().await;
                bench.aws().faults.end();
                assert_kept(&bench, &before, &scene.what).await;
                missed += usize::from(scene.missed.into_inner());
            }
            bench.stop().await;
            missed
        });
    }
    let missed: usize = benches.join_all().await.into_iter().sum();
    assert!(missed * 10 <= places.len(), "{missed} of {} calls did not come", places.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_run_waits_for_a_clean_up_that_is_at_work() {
    at_each_call(&[Stopped::Publishing, Stopped::Measuring], |scene| async move {
        let next = async {
            scene.call().await;
            let run = scene.bench.start(input()).await;
            tokio::time::sleep(A_MOMENT).await;
            scene.gate.open();
            scene.bench.ended(&run).await
        };
        let (cleaned, over) = tokio::join!(scene.clean_up(), next);
        let what = format!("{}: {cleaned:?} {over:?}", scene.what);
        assert!(cleaned.is_ok() && over.status == "SUCCEEDED", "{what}");
        scene
    })
    .await;
}

/// The call comes back only when the next run has long had the function.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clean_up_that_was_held_up_does_no_harm_to_the_next_run() {
    at_each_call(&[Stopped::Publishing, Stopped::Measuring], |scene| async move {
        let bench = &scene.bench;
        let slow = with(input(), json!({"sleepBetweenRunsMs": 150, "includeOutputResults": true}));
        let next = async {
            scene.call().await;
            let run = bench.start(slow).await;
            // It measures now; its versions and aliases must outlive what is let go.
            while !has_published(bench, &run).await {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            // The lock's silence is longer than Lambda still carries out a deletion whose caller has given up.
            if scene.what.contains("Delete") {
                scene.gate.lose()
            } else {
                scene.gate.open()
            }
            bench.ended(&run).await
        };
        let (cleaned, over) = tokio::join!(scene.clean_up(), next);
        let what = format!("{}: {cleaned:?} {over:?}", scene.what);
        // Whoever was to write the lock learns that it is another's, or that the other is over by now.
        let others = |message: &str| message.contains(&over.arn) || message.contains("is gone");
        let lost = |error: &Refused| error.kind == "LockLost" && others(&error.message);
        assert!(cleaned.as_ref().map_or_else(lost, |_| true) && over.status == "SUCCEEDED", "{what}");
        for stat in over.output["stats"].as_array().unwrap() {
            assert_eq!(stat["invocations"], 5, "{what}");
        }
        scene
    })
    .await;
}

/// Whether a run has made its last alias, and was not refused before.
async fn has_published(bench: &Bench, run: &str) -> bool {
    let alias = json!({"FunctionName": FUNCTION, "Name": "deployer-tuning-128"});
    let found = bench.call(Service::Lambda, "GetAlias", alias).await.unwrap_or_default();
    let state = bench.ok(Service::States, "DescribeExecution", json!({"executionArn": run})).await;
    assert_eq!(state["status"], "RUNNING", "{state}");
    found["Description"].as_str().is_some_and(|mark| mark.ends_with(run))
}

/// A user stops a run whose Cleaner is at work, so that EventBridge starts a second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_clean_ups_the_second_leaves_it_to_the_first() {
    at_each_call(&[Stopped::Measuring], |scene| async move {
        let second = async {
            scene.call().await;
            let second = clean_up_after_stop(&scene.bench, &scene.run);
            let going_on = async {
                tokio::time::sleep(A_MOMENT).await;
                scene.gate.open();
            };
            tokio::join!(second, going_on).0
        };
        let (first, second) = tokio::join!(scene.clean_up(), second);
        let what = format!("{}: {first:?} {second:?}", scene.what);
        let owners = [first.unwrap()["owner"].clone(), second.unwrap()["owner"].clone()];
        assert_eq!(owners.iter().filter(|owner| **owner == scene.run).count(), 1, "{what}");
        scene
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clean_up_that_is_refused_leaves_the_rest_to_the_next_run() {
    let bench = Bench::in_process().await;
    let before = bench.snapshot().await;
    // Deleting versions, and as the last thing of all, the lock.
    for (call, nth) in [("DeleteFunction", 1), ("DeleteAlias", 3)] {
        let run = stopped(&bench, Stopped::Measuring).await;
        bench.aws().faults.plan(vec![Fault::at("cleaner", call, nth, Kind::DeniedFromNowOn)]);
        let error = clean_up_after_stop(&bench, &run).await.unwrap_err();
        assert_eq!(error.kind, "AccessDenied", "{error:?}");
        bench.aws().faults.end();
        let lock = bench.lambda("GetAlias", json!({"Name": "deployer-tuning"})).await;
        let mark = lock["Description"].as_str().unwrap();
        assert!(mark.starts_with("deployer-tuning~ "), "nobody has to wait for it: {mark}");
        let over = bench.run(input()).await;
        assert_eq!(over.status, "SUCCEEDED", "{over:?}");
        bench.quiet().await;
        assert_kept(&bench, &before, call).await;
    }
}
