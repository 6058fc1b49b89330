//! Step Functions with real functions behind it: SPEC.md, section Step Functions.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[allow(dead_code, reason = "shared with the tests of Lambda")]
mod support;

use std::time::Duration;

use local_aws::{Caller, Service};
use serde_json::{Value, json};
use support::{ACCOUNT_ARN, Local};

/// A machine named `m` in a local AWS with a function `f`, both with roles that may do what they need.
async fn machine(states: Value) -> Local {
    let local = Local::new().await;
    local.grant(&["logs:*"], "*").await;
    local.function("f", json!({})).await;
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
    local
        .iam("CreateRole", json!({"RoleName": "machine", "AssumeRolePolicyDocument": trust.to_string()}))
        .await;
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": format!("{ACCOUNT_ARN}:f")}]});
    local
        .iam(
            "PutRolePolicy",
            json!({"RoleName": "machine", "PolicyName": "p", "PolicyDocument": policy.to_string()}),
        )
        .await;
    let definition = json!({"StartAt": "A", "States": states});
    let role = "arn:aws:iam::000000000000:role/machine";
    call(
        &local,
        "CreateStateMachine",
        json!({"name": "m", "definition": definition.to_string(), "roleArn": role}),
    )
    .await;
    local
}

async fn call(local: &Local, operation: &str, input: Value) -> Value {
    let answer = local.aws.call(&Caller::Owner, Service::States, operation, input).await;
    answer.unwrap_or_else(|error| panic!("{operation}: {error}"))
}

fn task(more: Value) -> Value {
    let mut state = json!({"Type": "Task", "Resource": format!("{ACCOUNT_ARN}:f")});
    for (name, value) in more.as_object().unwrap() {
        state[name] = value.clone();
    }
    state
}

async fn start(local: &Local, input: Value) -> String {
    let arn = "arn:aws:states:us-east-1:000000000000:stateMachine:m";
    let started =
        call(local, "StartExecution", json!({"stateMachineArn": arn, "input": input.to_string()})).await;
    started["executionArn"].as_str().unwrap().to_owned()
}

async fn ended(local: &Local, execution: &str) -> Value {
    for _ in 0..2000 {
        let described = call(local, "DescribeExecution", json!({"executionArn": execution})).await;
        if described["status"] != "RUNNING" {
            return described;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the execution does not end");
}

async fn types(local: &Local, execution: &str) -> Vec<String> {
    let history = call(local, "GetExecutionHistory", json!({"executionArn": execution})).await;
    history["events"].as_array().unwrap().iter().map(|e| e["type"].as_str().unwrap().to_owned()).collect()
}

/// Waits until an event of this type has happened.
async fn reached(local: &Local, execution: &str, event: &str) {
    for _ in 0..1000 {
        if types(local, execution).await.iter().any(|found| found == event) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{event} does not happen");
}

/// How many invocations of the function have come to their end, by its log.
async fn finished(local: &Local) -> usize {
    let input = json!({"logGroupName": "/aws/lambda/f", "filterPattern": "END"});
    let found = local.aws.call(&Caller::Owner, Service::Logs, "FilterLogEvents", input).await;
    found.map_or(0, |found| found["events"].as_array().unwrap().len())
}

async fn eventually(local: &Local, count: usize) {
    for _ in 0..1000 {
        if finished(local).await >= count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{} instead of {count} invocations finished", finished(local).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_do_the_work_of_a_machine() {
    let each = json!({"StartAt": "I", "States": {"I": task(json!({"End": true}))}});
    let local = machine(json!({
        "A": task(json!({"Parameters": {"mode": "echo", "n.$": "$.n"}, "ResultPath": "$.a", "Next": "M"})),
        "M": {"Type": "Map", "ItemsPath": "$.n", "ItemProcessor": each, "ItemSelector": {"item.$": "$$.Map.Item.Value"}, "End": true}
    }))
    .await;
    let execution = start(&local, json!({"n": [1, 2, 3]})).await;
    let described = ended(&local, &execution).await;
    let output: Value = serde_json::from_str(described["output"].as_str().unwrap()).unwrap();
    assert_eq!(output, json!([{"item": 1}, {"item": 2}, {"item": 3}]));
    assert_eq!(types(&local, &execution).await.len(), 1 + 5 + 4 + 3 * 7 + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_functions_reach_retry_and_catch_by_their_names() {
    let caught = json!([{"ErrorEquals": ["Sandbox.Timedout"], "ResultPath": "$.error", "Next": "B"}]);
    let local = machine(json!({
        "A": task(json!({"Catch": caught, "End": true})),
        "B": {"Type": "Pass", "Parameters": {"caught.$": "$.error.Error"}, "End": true}
    }))
    .await;
    local.configure("f", json!({"Timeout": 1})).await;
    let described = ended(&local, &start(&local, json!({"mode": "sleep", "ms": 5000})).await).await;
    assert_eq!(described["output"], "{\"caught\":\"Sandbox.Timedout\"}");

    let described = ended(&local, &start(&local, json!({"mode": "error"})).await).await;
    assert_eq!((&described["status"], &described["error"]), (&json!("FAILED"), &json!("SampleError")));
    assert!(described["cause"].as_str().unwrap().contains("errorMessage"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_the_execution_but_not_the_function_and_fires_the_rule() {
    let local = machine(json!({"A": task(json!({"End": true}))})).await;
    let pattern = json!({
        "source": ["aws.states"], "detail-type": ["Step Functions Execution Status Change"],
        "detail": {"status": ["ABORTED", "TIMED_OUT"], "stateMachineArn": ["arn:aws:states:us-east-1:000000000000:stateMachine:m"]}
    });
    let events = async |operation: &str, input: Value| {
        local.aws.call(&Caller::Owner, Service::Events, operation, input).await.unwrap()
    };
    let rule = events("PutRule", json!({"Name": "aborted", "EventPattern": pattern.to_string()})).await;
    let target = json!({"Rule": "aborted", "Targets": [{"Id": "1", "Arn": format!("{ACCOUNT_ARN}:f")}]});
    events("PutTargets", target).await;
    local
        .ok(
            "AddPermission",
            json!({
                "FunctionName": "f", "StatementId": "rule", "Action": "lambda:InvokeFunction",
                "Principal": "events.amazonaws.com", "SourceArn": rule["RuleArn"]
            }),
        )
        .await;

    let execution = start(&local, json!({"mode": "sleep", "ms": 1500})).await;
    reached(&local, &execution, "LambdaFunctionStarted").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    call(&local, "StopExecution", json!({"executionArn": execution})).await;
    assert_eq!(ended(&local, &execution).await["status"], "ABORTED");
    assert!(finished(&local).await <= 1, "the function sleeps longer than the stop took");
    // The function that was running, and the one that the rule called.
    eventually(&local, 2).await;
    assert_eq!(types(&local, &execution).await.last().unwrap(), "ExecutionAborted");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_when_the_endpoint_stops_is_aborted_and_stays_so() {
    let local = machine(json!({"A": {"Type": "Wait", "Seconds": 1000, "End": true}})).await;
    let execution = start(&local, json!({})).await;
    reached(&local, &execution, "WaitStateEntered").await;
    let local = local.reopen().await;
    let described = ended(&local, &execution).await;
    assert_eq!(
        (&described["status"], &described["cause"]),
        (&json!("ABORTED"), &json!("The local endpoint was stopped."))
    );
    assert_eq!(types(&local, &execution).await, ["ExecutionStarted", "WaitStateEntered", "ExecutionAborted"]);
    let again = start(&local, json!({})).await;
    let again = ended(&local, &again);
    assert!(tokio::time::timeout(Duration::from_millis(300), again).await.is_err(), "it waits as before");
}
