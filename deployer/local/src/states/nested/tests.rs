//! Executions that start others.

use std::time::Duration;

use serde_json::{Value, json};

use crate::states::tests::{
    EXECUTION_E, MACHINE, ROLE, ended, events, machine, ok, refused, role, start, types,
};
use crate::testing::Local;
use crate::{Caller, Service};

const OTHER: &str = "arn:aws:states:us-east-1:000000000000:stateMachine:other";
const STARTED: &str = "arn:aws:states:us-east-1:000000000000:execution:other:x";
const RULE: &str =
    "arn:aws:events:us-east-1:000000000000:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule";

/// What the role of the machine that starts others needs for it.
fn grants() -> Vec<Value> {
    vec![
        json!({"Effect": "Allow", "Action": "states:StartExecution", "Resource": OTHER}),
        json!({"Effect": "Allow", "Action": "states:DescribeExecution", "Resource": format!("{STARTED}*")}),
        json!({"Effect": "Allow", "Action": "states:StopExecution", "Resource": format!("{STARTED}*")}),
        json!({"Effect": "Allow", "Action": ["events:PutTargets", "events:PutRule", "events:DescribeRule"], "Resource": RULE}),
    ]
}

async fn granted(aws: &Local, statements: Vec<Value>) {
    let policy = json!({"Version": "2012-10-17", "Statement": statements});
    let input = json!({"RoleName": "machine", "PolicyName": "p", "PolicyDocument": policy.to_string()});
    aws.call(&Caller::Owner, Service::Iam, "PutRolePolicy", input).await.unwrap();
}

/// A machine `m` that starts the machine `other`, of these states.
async fn with(action: &str, others: Value) -> Local {
    let aws = Local::new();
    role(&aws, "machine", "states.amazonaws.com", None).await;
    granted(&aws, grants()).await;
    let definition = machine("S", others).to_string();
    ok(&aws, "CreateStateMachine", json!({"name": "other", "definition": definition, "roleArn": ROLE})).await;
    let definition = starting(action);
    ok(&aws, "CreateStateMachine", json!({"name": "m", "definition": definition, "roleArn": ROLE})).await;
    aws
}

fn starting(action: &str) -> String {
    let parameters = json!({"StateMachineArn": OTHER, "Name": "x", "Input.$": "$"});
    let resource = format!("arn:aws:states:::states:{action}");
    let task = json!({"Type": "Task", "Resource": resource, "Parameters": parameters, "End": true});
    machine("T", json!({"T": task})).to_string()
}

/// Waits until an execution stands so.
async fn stands(aws: &Local, arn: &str, status: &str) {
    for _ in 0..2000 {
        if ok(aws, "DescribeExecution", json!({"executionArn": arn})).await["status"] == status {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{arn} is not {status}");
}

/// Waits until an execution has this event.
async fn reached(aws: &Local, name: &str, kind: &str) {
    for _ in 0..2000 {
        if types(&events(aws, name).await).contains(&kind) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("no {kind}");
}

#[tokio::test]
async fn an_execution_starts_another_and_goes_on() {
    let aws = with("startExecution", json!({"S": {"Type": "Wait", "Seconds": 1000, "End": true}})).await;
    start(&aws, "e", "{\"a\":1}").await;
    let described = ended(&aws, "e").await;
    let output: Value = serde_json::from_str(described["output"].as_str().unwrap()).unwrap();
    let started = ok(&aws, "DescribeExecution", json!({"executionArn": STARTED})).await;
    assert_eq!((&started["status"], &started["input"]), (&json!("RUNNING"), &json!("{\"a\":1}")));
    assert_eq!(
        (&output["ExecutionArn"], &output["SdkHttpMetadata"]["HttpStatusCode"]),
        (&json!(STARTED), &json!(200))
    );
    assert_eq!(output["StartDate"].as_f64().unwrap(), started["startDate"].as_f64().unwrap() * 1000.0);
    let events = events(&aws, "e").await;
    assert_eq!(types(&events)[2..5], ["TaskScheduled", "TaskStarted", "TaskSucceeded"]);
    let scheduled = &events[2]["taskScheduledEventDetails"];
    assert_eq!(
        (&scheduled["resourceType"], &scheduled["resource"]),
        (&json!("states"), &json!("startExecution"))
    );
    assert_eq!(
        serde_json::from_str::<Value>(scheduled["parameters"].as_str().unwrap()).unwrap(),
        json!({"StateMachineArn": OTHER, "Name": "x", "Input": {"a": 1}})
    );
}

#[tokio::test]
async fn an_execution_waits_for_another_and_has_its_output() {
    for (action, input, output) in [
        ("startExecution.sync", json!("{\"a\":1}"), json!("{\"a\":1}")),
        ("startExecution.sync:2", json!({"a": 1}), json!({"a": 1})),
    ] {
        let aws = with(action, json!({"S": {"Type": "Pass", "End": true}})).await;
        start(&aws, "e", "{\"a\":1}").await;
        let described = ended(&aws, "e").await;
        let result: Value = serde_json::from_str(described["output"].as_str().unwrap()).unwrap();
        let started = ok(&aws, "DescribeExecution", json!({"executionArn": STARTED})).await;
        let millis = |member: &str| json!((started[member].as_f64().unwrap() * 1000.0).round() as i64);
        let included = json!({"Included": true});
        assert_eq!(
            result,
            json!({
                "ExecutionArn": STARTED, "Input": input, "InputDetails": included, "Name": "x", "Output": output,
                "OutputDetails": included, "StartDate": millis("startDate"), "StateMachineArn": OTHER, "Status": "SUCCEEDED",
                "StopDate": millis("stopDate"),
            })
        );
        let events = events(&aws, "e").await;
        assert_eq!(types(&events)[2..6], ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded"]);
        let submitted = &events[4]["taskSubmittedEventDetails"];
        assert_eq!((&submitted["resourceType"], &submitted["resource"]), (&json!("states"), &json!(action)));
        assert!(submitted["output"].as_str().unwrap().contains(STARTED), "{submitted}");
    }
}

#[tokio::test]
async fn an_execution_that_fails_fails_the_task_with_all_that_is_known_of_it() {
    let fail = json!({"S": {"Type": "Fail", "Error": "SomeFailure", "Cause": "why"}});
    let aws = with("startExecution.sync:2", fail).await;
    start(&aws, "e", "{}").await;
    let described = ended(&aws, "e").await;
    assert_eq!((&described["status"], &described["error"]), (&json!("FAILED"), &json!("States.TaskFailed")));
    let cause: Value = serde_json::from_str(described["cause"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&cause["Error"], &cause["Cause"], &cause["Status"], &cause["ExecutionArn"], cause.get("Output")),
        (&json!("SomeFailure"), &json!("why"), &json!("FAILED"), &json!(STARTED), None)
    );
    assert_eq!(types(&events(&aws, "e").await)[4..6], ["TaskSubmitted", "TaskFailed"]);
}

#[tokio::test]
async fn what_keeps_an_execution_from_being_started_is_named_as_on_aws() {
    let aws = with("startExecution.sync", json!({"S": {"Type": "Pass", "End": true}})).await;
    // The name is taken by an execution that has ended.
    start(&aws, "first", "{}").await;
    ended(&aws, "first").await;
    let failed = async |name: &str, input: &str| {
        start(&aws, name, input).await;
        let described = ended(&aws, name).await;
        let text = |member: &str| described[member].as_str().unwrap().to_owned();
        (text("error"), text("cause"))
    };
    let (error, cause) = failed("taken", "{}").await;
    assert_eq!(error, "StepFunctions.ExecutionAlreadyExistsException");
    assert!(
        cause.starts_with(&format!(
            "Execution Already Exists: '{STARTED}' (Service: AWSStepFunctions; Status Code: 400; Error Code: ExecutionAlreadyExists; Request ID: "
        )),
        "{cause}"
    );
    let (error, cause) = failed("no-json", "\"no json\"").await;
    assert_eq!(error, "StepFunctions.InvalidExecutionInputException", "{cause}");
    let mut some = grants();
    some.remove(1);
    granted(&aws, some).await;
    ok(&aws, "DeleteStateMachine", json!({"stateMachineArn": OTHER})).await;
    let (error, cause) = failed("none", "{}").await;
    assert_eq!(error, "StepFunctions.StateMachineDoesNotExistException", "{cause}");
    let pass = machine("S", json!({"S": {"Type": "Pass", "End": true}})).to_string();
    ok(&aws, "CreateStateMachine", json!({"name": "other", "definition": pass, "roleArn": ROLE})).await;
    let (error, cause) = failed("unseen", "{}").await;
    assert_eq!(error, "StepFunctions.AWSStepFunctionsException");
    assert!(cause.contains("is not authorized to perform: states:DescribeExecution"), "{cause}");
    granted(&aws, grants().split_off(3)).await;
    let (error, cause) = failed("denied", "{}").await;
    assert_eq!(error, "StepFunctions.AWSStepFunctionsException");
    assert!(cause.contains("is not authorized to perform: states:StartExecution"), "{cause}");
}

#[tokio::test]
async fn parameters_that_start_no_execution_are_refused() {
    for (parameters, words) in [
        (
            json!({"StateMachineArn": 3}),
            "'StateMachineArn' in the parameters of arn:aws:states:::states:startExecution is not valid: 3",
        ),
        (json!({"StateMachineArn": "m", "Nope": 1}), "'Nope' in the parameters"),
        (json!([]), "'Parameters' in the parameters"),
    ] {
        let failure = super::request("startExecution", &parameters).unwrap_err();
        assert_eq!(failure.error.as_deref(), Some(asl::RUNTIME));
        assert!(failure.cause.as_ref().unwrap().contains(words), "{failure:?}");
    }
    for (given, text) in [(json!(null), "{}"), (json!("[1]"), "[1]"), (json!({"a": [1]}), "{\"a\":[1]}")] {
        let request =
            super::request("startExecution", &json!({"StateMachineArn": "m", "Input": given})).unwrap();
        assert_eq!(request, json!({"stateMachineArn": "m", "input": text}));
    }
}

#[tokio::test]
async fn whoever_stops_waiting_stops_the_execution_if_the_role_may() {
    let wait = json!({"S": {"Type": "Wait", "Seconds": 1000, "End": true}});
    let aws = with("startExecution.sync:2", wait.clone()).await;
    start(&aws, "e", "{}").await;
    reached(&aws, "e", "TaskSubmitted").await;
    ok(&aws, "StopExecution", json!({"executionArn": EXECUTION_E})).await;
    stands(&aws, STARTED, "ABORTED").await;

    let aws = with("startExecution.sync:2", wait).await;
    let mut some = grants();
    some.remove(2);
    granted(&aws, some).await;
    start(&aws, "e", "{}").await;
    reached(&aws, "e", "TaskSubmitted").await;
    ok(&aws, "StopExecution", json!({"executionArn": EXECUTION_E})).await;
    // Were it asked to stop, it would be so before the first execution's end is told.
    stands(&aws, STARTED, "RUNNING").await;
}

#[tokio::test]
async fn waiting_for_executions_needs_the_managed_rule() {
    let aws = with("startExecution.sync:2", json!({"S": {"Type": "Pass", "End": true}})).await;
    let words = format!("'{ROLE}' is not authorized to create managed-rule.");
    let expected = ("AccessDeniedException".to_owned(), words);
    let mut without = grants();
    without.truncate(3);
    granted(&aws, without).await;
    for action in ["startExecution.sync", "startExecution.sync:2"] {
        let input = json!({"name": "n", "definition": starting(action), "roleArn": ROLE});
        assert_eq!(refused(&aws, "CreateStateMachine", input).await, expected);
    }
    // An update looks as well, also one of the role alone; a machine that does not wait needs no rule.
    let input = json!({"stateMachineArn": MACHINE, "roleArn": ROLE});
    assert_eq!(refused(&aws, "UpdateStateMachine", input).await, expected);
    let input = json!({"name": "n", "definition": starting("startExecution"), "roleArn": ROLE});
    ok(&aws, "CreateStateMachine", input).await;
}
