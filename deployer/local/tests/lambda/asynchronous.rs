//! Events: invocations nobody waits for.

use std::time::Duration;

use local_aws::Caller;
use local_aws::Service;
use local_aws::lambda::Behaviour;
use serde_json::{Value, json};

use crate::support::Local;

/// How often a function has started to run, by its log.
async fn starts(local: &Local) -> usize {
    let input = json!({"logGroupName": "/aws/lambda/f", "filterPattern": "START"});
    let found = local.aws.call(&Caller::Owner, Service::Logs, "FilterLogEvents", input).await;
    found.ok().and_then(|f: Value| f["events"].as_array().map(Vec::len)).unwrap_or_default()
}

async fn started(local: &Local, expected: usize) {
    for _ in 0..200 {
        if starts(local).await == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(starts(local).await, expected);
}

async fn logging() -> Local {
    let local = Local::new().await;
    local.grant(&["logs:*"], "*").await;
    local.function("f", json!({})).await;
    local
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_taken_at_once_and_runs() {
    let local = logging().await;
    let began = std::time::Instant::now();
    assert_eq!(local.send("f", json!({"mode": "sleep", "ms": 1500})).await, 202);
    assert!(began.elapsed() < Duration::from_millis(1400));
    local.aws.lambda.drain().await;
    assert!(began.elapsed() >= Duration::from_millis(1500));
    started(&local, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_function_is_tried_three_times() {
    let local = logging().await;
    local.send("f", json!({"mode": "error"})).await;
    local.aws.lambda.drain().await;
    started(&local, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_event_waits_and_is_no_failure() {
    let local = logging().await;
    local.ok("PutFunctionConcurrency", json!({"FunctionName": "f", "ReservedConcurrentExecutions": 1})).await;
    for _ in 0..5 {
        local.send("f", json!({"mode": "sleep", "ms": 50})).await;
    }
    local.aws.lambda.drain().await;
    started(&local, 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_lets_events_run() {
    let local = logging().await;
    for _ in 0..3 {
        local.send("f", json!({"mode": "sleep", "ms": 200})).await;
    }
    let local = local.reopen().await;
    started(&local, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_end_is_taken_up_by_the_next_process() {
    let local = logging().await;
    local.aws.lambda.behave(Behaviour { stop: Duration::from_millis(300), ..local.aws.lambda.behaviour() });
    local.send("f", json!({"mode": "sleep", "ms": 1000})).await;
    let local = local.reopen().await;
    local.aws.lambda.drain().await;
    // The first attempt was cut short, so only the second has come to write its lines.
    started(&local, 1).await;
}
