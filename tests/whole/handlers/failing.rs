//! Whole runs that fail because of the function: what they say, and that the function is put back.

use serde_json::json;

use super::{assert_kept, bench};
use crate::in_process::Answer;

/// The state machine makes a failed pass anew, in which the crash would not happen again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_crash_in_twenty_is_enough_and_is_not_tried_again() {
    let bench = bench().await;
    bench.lambda("UpdateFunctionConfiguration", json!({"Handler": "scripted"})).await;
    let before = bench.snapshot().await;
    let script = (0..20).map(|n| if n == 12 { Answer::Exits } else { Answer::good() });
    bench.stage().script(script);
    let over = bench.run(json!({"num": 20, "powerValues": [512]})).await;
    bench.quiet().await;
    assert_eq!(over.status, "FAILED", "{over:?}");
    for part in ["FunctionCrashed", "power value 512: the function crashed in 1 of 20 invocations"] {
        assert!(over.cause.contains(part), "{part}: {over:?}");
    }
    assert_eq!(bench.stage().seen().len(), 20);
    assert_kept(&bench, &before, "after the run").await;
}

/// Nothing could clean up after an execution whose history is full.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_its_history_could_not_hold_ends_while_it_can_be_cleaned_up() {
    let bench = bench().await;
    bench.lambda("UpdateFunctionConfiguration", json!({"Handler": "scripted"})).await;
    let before = bench.snapshot().await;
    // One invocation a pass.
    bench.stage().time(1_200);
    bench.stage().script((0..100).map(|_| Answer::good().after(150)));
    let over = bench.run(json!({"num": 20_000, "powerValues": [512]})).await;
    bench.quiet().await;
    assert_eq!(over.status, "FAILED", "{over:?}");
    for part in
        ["OutOfTime", "power value 512", "of 20000 invocations", "25000 events", "totalExecutionTimeout"]
    {
        assert!(over.cause.contains(part), "{part}: {over:?}");
    }
    let made = bench.stage().seen().len();
    assert!((1..20).contains(&made), "it went on for {made} invocations");
    assert_kept(&bench, &before, "after the run").await;
}
