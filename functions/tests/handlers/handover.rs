//! A function passes from a run that was stopped to the next one, while the first is still being cleaned up.

use functions::error::{Error, Kind};
use functions::handlers::Handler;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::fake::{Fake, Fault};
use crate::machine::{EXECUTION, Machine};
use crate::world::{ARN, World};

const NEXT: &str = "arn:aws:states:us-east-1:123456789012:execution:machine:run-2";

/// How far the run had got when it was stopped.
#[derive(Debug, Clone, Copy)]
enum Stopped {
    Publishing,
    Measuring,
}

fn input() -> Value {
    json!({"lambdaARN": ARN, "num": 5, "powerValues": [128, 512]})
}

async fn stopped(at: Stopped) -> Fake {
    let fake = Fake::start(World::default()).await;
    let machine = Machine::new(&fake);
    let document = machine.begin(&input()).await;
    if let Stopped::Publishing = at {
        fake.fault("UpdateFunctionConfiguration", 1, Fault::HangAfter);
    }
    tokio::select! {
        published = machine.handle(Handler::Publisher, machine.event(&document)) => drop(published.unwrap()),
        () = fake.reached() => {}
    }
    machine.end("ABORTED");
    fake
}

/// Each call, and how often there was one like it before.
fn numbered(calls: &[String]) -> impl Iterator<Item = (usize, &String)> {
    let nth = |index: usize| calls[..index].iter().filter(|before| **before == calls[index]).count();
    calls.iter().enumerate().map(move |(index, call)| (nth(index), call))
}

/// What the clean-up calls, in a way to be found again.
async fn calls_of_the_clean_up(at: Stopped) -> Vec<(usize, String)> {
    let fake = stopped(at).await;
    let before = fake.calls().len();
    Machine::new(&fake).clean_up_after_stop().await.unwrap();
    let calls = fake.calls()[before..].to_vec();
    assert!(calls.len() > 10 && calls.last().unwrap() == "DeleteAlias deployer-tuning", "{calls:?}");
    numbered(&calls).map(|(nth, call)| (nth, call.clone())).collect()
}

/// Whoever waits for a call of it need not wait longer: what the run left, and so the calls, depends a little on
/// when it was stopped.
async fn cleaned(machine: &Machine) -> Result<Value, Error> {
    let cleaned = machine.clean_up_after_stop().await;
    machine.fake.tell();
    cleaned
}

/// Something happens at each call of the clean-up, one after the other; `run` makes the clean-up.
async fn at_each_call<F>(stages: &[Stopped], fault: Fault, run: fn(Fake, String) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut runs = JoinSet::new();
    for at in stages.iter().copied() {
        for (nth, call) in calls_of_the_clean_up(at).await {
            runs.spawn(async move {
                let fake = stopped(at).await;
                fake.fault(&call, nth, fault);
                run(fake.clone(), format!("{at:?}, {call}, number {nth}")).await;
                assert_eq!(fake.world().kept(), World::default().kept(), "{at:?}, {call}, number {nth}");
                fake.signalled()
            });
        }
    }
    let reached = runs.join_all().await;
    let missed = reached.iter().filter(|reached| !**reached).count();
    assert!(missed * 10 <= reached.len(), "{missed} of {} calls did not come", reached.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_run_waits_for_a_clean_up_that_is_at_work() {
    at_each_call(&[Stopped::Publishing, Stopped::Measuring], Fault::Signal, |fake, what| async move {
        let machine = Machine::new(&fake);
        let mut next = Machine::named(&fake, NEXT);
        let input = input();
        let next = async {
            fake.reached().await;
            next.run(&input).await
        };
        let (cleaned, output) = tokio::join!(cleaned(&machine), next);
        let calls = fake.calls();
        assert!(output.is_ok() && cleaned.is_ok(), "{what}: {output:?} {cleaned:?}\n{calls:#?}");
    })
    .await;
}

/// The call comes back only when the next run has long had the function.
#[tokio::test(flavor = "multi_thread")]
async fn a_clean_up_that_was_held_up_does_no_harm_to_the_next_run() {
    at_each_call(&[Stopped::Publishing, Stopped::Measuring], Fault::Hold, |fake, what| async move {
        let machine = Machine::new(&fake);
        let next = Machine::named(&fake, NEXT);
        let mut document = input();
        let begun = async {
            fake.reached().await;
            document = next.begin(&document).await;
            document["run"] = next.handle(Handler::Publisher, next.event(&document)).await.unwrap();
            let published = fake.world().kept();
            fake.let_go();
            published
        };
        let (cleaned, published) = tokio::join!(cleaned(&machine), begun);
        let what = format!("{what}: {cleaned:?}\n{:#?}", fake.calls());
        assert!(cleaned.is_ok(), "{what}");
        assert_eq!(fake.world().kept(), published, "{what}");
        let cleaned = next.handle(Handler::Cleaner, next.event(&document)).await.unwrap();
        assert_eq!(cleaned["aliasesDeleted"], 3, "{what}");
    })
    .await;
}

/// A user stops a run whose Cleaner is at work, so that EventBridge starts a second.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_clean_ups_the_second_leaves_it_to_the_first() {
    at_each_call(&[Stopped::Measuring], Fault::Signal, |fake, what| async move {
        let machine = Machine::new(&fake);
        let second = async {
            fake.reached().await;
            machine.clean_up_after_stop().await
        };
        let (first, second) = tokio::join!(cleaned(&machine), second);
        let what = format!("{what}: {first:?} {second:?}\n{:#?}", fake.calls());
        let owners = [first.unwrap()["owner"].clone(), second.unwrap()["owner"].clone()];
        assert_eq!(owners.iter().filter(|owner| *owner == EXECUTION).count(), 1, "{what}");
    })
    .await;
}

#[tokio::test]
async fn a_clean_up_that_is_refused_leaves_the_rest_to_the_next_run() {
    // Deleting versions, and as the last thing of all, the lock.
    for call in ["DeleteFunction", "DeleteAlias deployer-tuning"] {
        let fake = stopped(Stopped::Measuring).await;
        for attempt in 0..12 {
            fake.fault(call, attempt, Fault::Denied);
        }
        let error = Machine::new(&fake).clean_up_after_stop().await.unwrap_err();
        assert_eq!(error.kind, Kind::AccessDenied, "{error}");
        let lock = fake.world().aliases["deployer-tuning"].description.clone();
        assert!(lock.starts_with("deployer-tuning~ "), "nobody has to wait for it: {lock}");
        fake.clear_faults();
        Machine::named(&fake, NEXT).run(&input()).await.unwrap();
        assert_eq!(fake.world().kept(), World::default().kept());
    }
}
