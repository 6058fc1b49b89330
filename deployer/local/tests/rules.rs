//! Events that reach functions: rules, permissions and deliveries, with real processes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[allow(dead_code, reason = "the Lambda tests use all of it")]
mod support;

use std::time::Duration;

use local_aws::{Caller, Service};
use serde_json::{Value, json};
use support::{ACCOUNT_ARN, Local};

const RULE: &str = "arn:aws:events:us-east-1:000000000000:rule/mine";

async fn events(local: &Local, operation: &str, input: Value) -> Value {
    local.aws.call(&Caller::Owner, Service::Events, operation, input).await.unwrap()
}

/// A function that prints a line for each event whose text is "hello".
async fn printing() -> Local {
    let local = Local::new().await;
    local.grant(&["logs:*"], "*").await;
    local.function("f", json!({})).await;
    let pattern = json!({"source": ["test"], "detail": {"text": ["hello"]}});
    events(&local, "PutRule", json!({"Name": "mine", "EventPattern": pattern.to_string()})).await;
    let input = json!({"mode": "print", "lines": ["hello"]}).to_string();
    let target = json!({"Id": "1", "Arn": format!("{ACCOUNT_ARN}:f"), "Input": input});
    events(&local, "PutTargets", json!({"Rule": "mine", "Targets": [target]})).await;
    local
}

async fn permit(local: &Local, rule: &str) {
    let permission = json!({
        "FunctionName": "f",
        "StatementId": rule.rsplit('/').next().unwrap(),
        "Action": "lambda:InvokeFunction",
        "Principal": "events.amazonaws.com",
        "SourceArn": rule,
    });
    local.ok("AddPermission", permission).await;
}

async fn emit(local: &Local, text: &str) {
    let event = json!({"source": "test", "detail-type": "t", "resources": [], "detail": {"text": text}});
    local.aws.events.emit(&local.aws, &event);
    local.aws.events.stop(&local.aws).await;
    local.aws.lambda.drain().await;
}

/// The lines that hold a word, once there are so many.
async fn printed(local: &Local, word: &str, expected: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for _ in 0..200 {
        let input = json!({"logGroupName": "/aws/lambda/f", "filterPattern": word});
        let found =
            local.aws.call(&Caller::Owner, Service::Logs, "FilterLogEvents", input).await.unwrap_or_default();
        let text = |event: &Value| event["message"].as_str().unwrap().trim().to_owned();
        lines = found["events"].as_array().into_iter().flatten().map(text).collect();
        if lines.len() == expected {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_invokes_a_function_that_permits_it() {
    let local = printing().await;
    emit(&local, "hello").await;
    permit(&local, "arn:aws:events:us-east-1:000000000000:rule/other").await;
    emit(&local, "hello").await;
    permit(&local, RULE).await;
    emit(&local, "goodbye").await;
    emit(&local, "hello").await;
    assert_eq!(
        printed(&local, "hello", 1).await,
        ["hello"],
        "neither unpermitted nor unmatched events arrive"
    );
    events(&local, "DisableRule", json!({"Name": "mine"})).await;
    emit(&local, "hello").await;
    assert_eq!(printed(&local, "START", 1).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_kill_left_undelivered_is_delivered() {
    let local = printing().await;
    permit(&local, RULE).await;
    let payload = json!({"mode": "print", "lines": ["hello again"]}).to_string();
    let pending =
        json!({"rule": RULE, "function": format!("{ACCOUNT_ARN}:f"), "payload": payload, "retries": 3});
    local.aws.store.put("events-pending", "1", &pending);
    let local = local.reopen().await;
    assert_eq!(printed(&local, "hello", 1).await, ["hello again"]);
    assert!(local.aws.store.list::<Value>("events-pending").is_empty());
}
