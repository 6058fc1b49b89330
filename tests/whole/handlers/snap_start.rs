//! Functions with SnapStart: versions that take their time or fail, and what Lambda answers in the meantime.

use std::time::{Duration, Instant};

use local_aws::faults::{Fault, Kind};
use local_aws::lambda::{Behaviour, InvokeError};
use serde_json::{Value, json};

use super::{assert_kept, version_of};
use crate::bench::{Bench, FUNCTION};

/// How long a snapshot takes where it is to be noticed.
const LONG: Duration = Duration::from_millis(700);

/// With a tuned function that has SnapStart, and answers as scripted.
async fn bench() -> Bench {
    let bench = super::bench().await;
    let settings = json!({
        "Runtime": "python3.13", "Handler": "scripted", "SnapStart": {"ApplyOn": "PublishedVersions"},
    });
    bench.make_with(FUNCTION, settings).await;
    // Its own versions are there and ready.
    tokio::time::sleep(bench.aws().lambda.behaviour().snapshot * 2).await;
    bench
}

fn input() -> Value {
    json!({"num": 5, "powerValues": [128, 512]})
}

fn error(code: &str) -> Kind {
    Kind::InvokeError(InvokeError::all().find(|error| error.code() == code).unwrap())
}

async fn state_of(bench: &Bench, version: &str) -> Value {
    bench.lambda("GetFunctionConfiguration", json!({"Qualifier": version})).await["State"].clone()
}

/// The version that was published last.
async fn newest(bench: &Bench) -> String {
    let versions = bench.lambda("ListVersionsByFunction", json!({})).await["Versions"].clone();
    let numbers = versions.as_array().unwrap().iter().filter_map(|version| version["Version"].as_str());
    numbers.filter_map(|number| number.parse::<u64>().ok()).max().unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_takes_its_time_is_waited_for() {
    let bench = bench().await;
    let before = bench.snapshot().await;
    bench.behave(|behaviour| Behaviour { snapshot: LONG, ..behaviour });
    bench.aws().faults.plan(Vec::new());
    let started = Instant::now();
    let over = bench.run(input()).await;
    bench.quiet().await;
    let made = bench.aws().faults.end();
    assert_eq!(over.status, "SUCCEEDED", "{over:?}");
    assert!(started.elapsed() >= LONG, "{:?}", started.elapsed());
    assert_eq!(over.output.get("skipped"), None, "{over:?}");
    let invocations = made.iter().filter(|call| call.operation == "Invoke").count();
    assert_eq!(invocations, 10, "none came too early");
    assert_kept(&bench, &before, "after the run").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alias_is_moved_when_its_version_is_active() {
    let bench = bench().await;
    bench.aws().faults.plan(Vec::new());
    let publishing = bench.aws().faults.hold("optimizer", "PublishVersion", 1);
    // The first alias that the Optimizer changes, the lock's comes after it.
    let moving = bench.aws().faults.hold("optimizer", "UpdateAlias", 1);
    let input = super::with(input(), json!({"autoOptimize": true, "autoOptimizeAlias": "live"}));
    let run = bench.start(input).await;
    publishing.reached().await;
    bench.behave(|behaviour| Behaviour { snapshot: LONG, ..behaviour });
    let earlier = newest(&bench).await;
    publishing.open();
    moving.reached().await;
    let chosen = newest(&bench).await;
    assert_ne!(chosen, earlier);
    assert_eq!(state_of(&bench, &chosen).await, "Active");
    assert_eq!(version_of(&bench, "live").await, "2", "not moved yet");
    moving.open();
    let over = bench.ended(&run).await;
    bench.quiet().await;
    assert_eq!(over.status, "SUCCEEDED", "{over:?}");
    assert_eq!(over.output["applied"]["version"], chosen.as_str(), "{over:?}");
    assert_eq!(version_of(&bench, "live").await, chosen);
}

/// At the size it was measured with, a moment before: memory that initialization needs may differ from time to time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alias_stays_where_it_is_when_the_version_fails() {
    let bench = bench().await;
    let before = bench.snapshot().await;
    bench.aws().faults.plan(Vec::new());
    let publishing = bench.aws().faults.hold("optimizer", "PublishVersion", 1);
    let input = super::with(input(), json!({"autoOptimize": true, "autoOptimizeAlias": "live"}));
    let run = bench.start(input).await;
    publishing.reached().await;
    bench.behave(|behaviour| Behaviour { snapshot_least_mb: 10_240, ..behaviour });
    publishing.open();
    let over = bench.ended(&run).await;
    bench.quiet().await;
    assert_eq!(over.status, "FAILED", "{over:?}");
    assert!(over.cause.contains("FunctionNotReady") && over.cause.contains("Failed"), "{over:?}");
    assert_kept(&bench, &before, "after the run").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_size_whose_version_fails_is_skipped_with_the_reason() {
    let bench = bench().await;
    let before = bench.snapshot().await;
    bench.behave(|behaviour| Behaviour { snapshot_least_mb: 256, ..behaviour });
    let over = bench.run(input()).await;
    bench.quiet().await;
    assert_eq!(over.status, "SUCCEEDED", "{over:?}");
    assert_eq!(over.output["power"], 512);
    let skipped = over.output["skipped"].as_array().unwrap();
    assert_eq!((skipped.len(), &skipped[0]["value"]), (1, &json!(128)), "{over:?}");
    assert!(skipped[0]["reason"].as_str().unwrap().contains("state: Failed"), "{over:?}");
    assert_kept(&bench, &before, "after the run").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_size_that_is_not_restored_in_time_is_skipped() {
    let bench = bench().await;
    let before = bench.snapshot().await;
    let timeout = Fault::at("executor", "Invoke", 1, error("SnapStartTimeoutException"));
    bench.aws().faults.plan(vec![timeout]);
    let over = bench.run(input()).await;
    bench.quiet().await;
    bench.aws().faults.end();
    assert_eq!(over.status, "SUCCEEDED", "{over:?}");
    // Whichever came first.
    let skipped = over.output["skipped"].as_array().unwrap();
    assert_eq!(skipped.len(), 1, "{over:?}");
    assert!(skipped[0]["reason"].as_str().unwrap().starts_with("SnapStartTimeoutException"), "{over:?}");
    assert_ne!(skipped[0]["value"], over.output["power"]);
    assert_kept(&bench, &before, "after the run").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_is_not_ready_is_invoked_again() {
    let bench = bench().await;
    let before = bench.snapshot().await;
    let faults = (1..=4).map(|nth| Fault::at("executor", "Invoke", nth, error("SnapStartNotReadyException")));
    bench.aws().faults.plan(faults.collect());
    bench.stage().script([]);
    let more = json!({"includeOutputResults": true});
    let over = bench.run(super::with(input(), more)).await;
    bench.quiet().await;
    assert_eq!(bench.aws().faults.end().iter().filter(|call| call.operation == "Invoke").count(), 14);
    assert_eq!(over.status, "SUCCEEDED", "{over:?}");
    for stat in over.output["stats"].as_array().unwrap() {
        assert_eq!((&stat["invocations"], stat.get("lost")), (&json!(5), None), "{stat}");
    }
    assert_eq!(bench.stage().seen().len(), 10);
    assert_kept(&bench, &before, "after the run").await;
}

/// A hook that the function runs after restoring raised an error.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_of_the_restore_hook_fails_the_run_and_the_function_is_put_back() {
    let bench = bench().await;
    let before = bench.snapshot().await;
    // As often as the state is entered again.
    let raised = (1..=60).map(|nth| Fault::at("executor", "Invoke", nth, error("SnapStartException")));
    bench.aws().faults.plan(raised.collect());
    let over = bench.run(input()).await;
    bench.quiet().await;
    bench.aws().faults.end();
    assert_eq!(over.status, "FAILED", "{over:?}");
    assert!(over.cause.contains("power value ") && over.cause.contains("SnapStartException"), "{over:?}");
    assert_kept(&bench, &before, "after the run").await;
}
