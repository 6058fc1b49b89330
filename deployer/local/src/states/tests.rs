//! The API over a store: machines, executions, their lives and their events.

use std::time::Duration;

use serde_json::json;

use super::records::{self, EXECUTION, Execution, RUNNING, Status, UNANNOUNCED};
use super::run::status_change;
use crate::testing::Local;
use crate::{Caller, Result, Service};
use serde_json::Value;

pub(super) const ROLE: &str = "arn:aws:iam::000000000000:role/machine";
pub(super) const MACHINE: &str = "arn:aws:states:us-east-1:000000000000:stateMachine:m";
pub(super) const EXECUTION_E: &str = "arn:aws:states:us-east-1:000000000000:execution:m:e";

/// A machine of these states that starts with the one named.
pub(super) fn machine(start: &str, states: Value) -> Value {
    json!({"StartAt": start, "States": states})
}

pub(super) async fn as_caller(aws: &Local, caller: &Caller, operation: &str, input: Value) -> Result<Value> {
    aws.call(caller, Service::States, operation, input).await
}

pub(super) async fn ok(aws: &Local, operation: &str, input: Value) -> Value {
    as_caller(aws, &Caller::Owner, operation, input)
        .await
        .unwrap_or_else(|error| panic!("{operation}: {error}"))
}

pub(super) async fn refused(aws: &Local, operation: &str, input: Value) -> (String, String) {
    let error = as_caller(aws, &Caller::Owner, operation, input).await.unwrap_err();
    assert_eq!(error.status, 400);
    (error.code, error.message)
}

pub(super) async fn role(aws: &Local, name: &str, service: &str, policy: Option<Value>) -> String {
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}]});
    let input = json!({"RoleName": name, "AssumeRolePolicyDocument": trust.to_string()});
    aws.call(&Caller::Owner, Service::Iam, "CreateRole", input).await.unwrap();
    if let Some(statement) = policy {
        let policy = json!({"Version": "2012-10-17", "Statement": [statement]});
        let input = json!({"RoleName": name, "PolicyName": "p", "PolicyDocument": policy.to_string()});
        aws.call(&Caller::Owner, Service::Iam, "PutRolePolicy", input).await.unwrap();
    }
    format!("arn:aws:iam::000000000000:role/{name}")
}

/// A local AWS with the machine `m` of these states in it.
async fn with(start: &str, states: Value) -> Local {
    let aws = Local::new();
    role(&aws, "machine", "states.amazonaws.com", None).await;
    let definition = machine(start, states).to_string();
    ok(&aws, "CreateStateMachine", json!({"name": "m", "definition": definition, "roleArn": ROLE})).await;
    aws
}

async fn passing() -> Local {
    with("P", json!({"P": {"Type": "Pass", "End": true}})).await
}

async fn waiting() -> Local {
    with("W", json!({"W": {"Type": "Wait", "Seconds": 1000, "End": true}})).await
}

pub(super) async fn start(aws: &Local, name: &str, input: &str) -> Value {
    ok(aws, "StartExecution", json!({"stateMachineArn": MACHINE, "name": name, "input": input})).await
}

pub(super) async fn ended(aws: &Local, name: &str) -> Value {
    let arn = format!("arn:aws:states:us-east-1:000000000000:execution:m:{name}");
    for _ in 0..1000 {
        let described = ok(aws, "DescribeExecution", json!({"executionArn": arn})).await;
        if described["status"] != "RUNNING" {
            return described;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{name} did not end");
}

pub(super) async fn events(aws: &Local, name: &str) -> Vec<Value> {
    let arn = format!("arn:aws:states:us-east-1:000000000000:execution:m:{name}");
    let history = ok(aws, "GetExecutionHistory", json!({"executionArn": arn, "maxResults": 1000})).await;
    history["events"].as_array().unwrap().clone()
}

pub(super) fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn machines_are_created_described_updated_and_deleted() {
    let aws = passing().await;
    let described = ok(&aws, "DescribeStateMachine", json!({"stateMachineArn": MACHINE})).await;
    let definition = described["definition"].as_str().unwrap().to_owned();
    assert_eq!(
        (&described["name"], &described["status"], &described["type"]),
        (&json!("m"), &json!("ACTIVE"), &json!("STANDARD"))
    );
    assert_eq!((&described["stateMachineArn"], &described["roleArn"]), (&json!(MACHINE), &json!(ROLE)));
    assert_eq!(described["loggingConfiguration"]["level"], "OFF");
    assert!(described["creationDate"].as_f64().unwrap() > 1e9);
    assert!(described.get("revisionId").is_none());
    let brief = ok(
        &aws,
        "DescribeStateMachine",
        json!({"stateMachineArn": MACHINE, "includedData": "METADATA_ONLY"}),
    )
    .await;
    assert!(brief.get("definition").is_none());

    // Again the same is the same; another definition under the name is refused.
    let again = json!({"name": "m", "definition": definition, "roleArn": ROLE});
    assert_eq!(ok(&aws, "CreateStateMachine", again).await["creationDate"], described["creationDate"]);
    let other = machine("F", json!({"F": {"Type": "Fail"}})).to_string();
    let input = json!({"name": "m", "definition": other, "roleArn": ROLE});
    let message = format!("State Machine Already Exists: '{MACHINE}'");
    assert_eq!(
        refused(&aws, "CreateStateMachine", input).await,
        ("StateMachineAlreadyExists".to_owned(), message)
    );

    let updated =
        ok(&aws, "UpdateStateMachine", json!({"stateMachineArn": MACHINE, "definition": other})).await;
    let described = ok(&aws, "DescribeStateMachine", json!({"stateMachineArn": MACHINE})).await;
    assert_eq!(described["definition"], json!(other));
    assert_eq!(described["roleArn"], ROLE);
    assert_eq!(described["revisionId"], updated["revisionId"]);
    let same = json!({"stateMachineArn": MACHINE, "definition": other, "roleArn": ROLE});
    assert_eq!(ok(&aws, "UpdateStateMachine", same).await["revisionId"], updated["revisionId"]);

    ok(&aws, "DeleteStateMachine", json!({"stateMachineArn": MACHINE})).await;
    ok(&aws, "DeleteStateMachine", json!({"stateMachineArn": MACHINE})).await;
    let gone = refused(&aws, "DescribeStateMachine", json!({"stateMachineArn": MACHINE})).await;
    assert_eq!(
        gone,
        ("StateMachineDoesNotExist".to_owned(), format!("State Machine Does Not Exist: '{MACHINE}'"))
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_machine_is_said_before_anything_is_kept() {
    let aws = Local::new();
    role(&aws, "machine", "states.amazonaws.com", None).await;
    role(&aws, "lambda", "lambda.amazonaws.com", None).await;
    let good = machine("P", json!({"P": {"Type": "Pass", "End": true}})).to_string();
    for (member, value, code, words) in [
        ("name", json!("a b"), "InvalidName", "Invalid Name: 'a b'"),
        ("name", json!("a/b"), "InvalidName", "a/b"),
        ("name", json!("x".repeat(81)), "InvalidName", "xxx"),
        ("name", json!(null), "ValidationException", "'name'"),
        (
            "definition",
            json!("{"),
            "InvalidDefinition",
            "Invalid State Machine Definition: 'INVALID_JSON_DESCRIPTION: ",
        ),
        (
            "definition",
            json!("{}"),
            "InvalidDefinition",
            "'SCHEMA_VALIDATION_FAILED: These fields are required: [States, StartAt] at /",
        ),
        ("roleArn", json!("nonsense"), "InvalidArn", "Invalid Arn: 'Invalid ARN prefix: nonsense'"),
        (
            "roleArn",
            json!("arn:aws:iam::000000000000:role/none"),
            "AccessDeniedException",
            "Neither the global service principal",
        ),
        (
            "roleArn",
            json!("arn:aws:iam::000000000000:role/lambda"),
            "AccessDeniedException",
            "to assume the provided role",
        ),
        ("type", json!("EXPRESS"), "StateMachineTypeNotSupported", "STANDARD only, not EXPRESS"),
        ("publish", json!(true), "ValidationException", "publish must be false"),
        ("versionDescription", json!("first"), "ValidationException", "can only be set when publish is true"),
        ("loggingConfiguration", json!({"level": "ALL"}), "InvalidLoggingConfiguration", "must be OFF"),
        (
            "loggingConfiguration",
            json!({"level": "OFF", "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": "arn:aws:logs:us-east-1:000000000000:log-group:l:*"}}]}),
            "InvalidLoggingConfiguration",
            "destinations must be empty",
        ),
        (
            "loggingConfiguration",
            json!({"level": "OFF", "includeExecutionData": true}),
            "InvalidLoggingConfiguration",
            "includeExecutionData false",
        ),
        ("tracingConfiguration", json!({"enabled": true}), "InvalidTracingConfiguration", "must be false"),
        (
            "encryptionConfiguration",
            json!({"type": "CUSTOMER_MANAGED_KMS_KEY"}),
            "InvalidEncryptionConfiguration",
            "AWS_OWNED_KEY",
        ),
        ("colour", json!("red"), "ValidationException", "[colour]"),
    ] {
        let mut input = json!({"name": "m", "definition": good, "roleArn": ROLE});
        input[member] = value;
        let (found, message) = refused(&aws, "CreateStateMachine", input).await;
        assert_eq!(found, code, "{message}");
        assert!(message.contains(words), "{message}");
    }
    assert_eq!(ok(&aws, "ListStateMachines", json!({})).await["stateMachines"], json!([]));
}

#[tokio::test]
async fn a_definition_can_be_validated_alone() {
    let aws = Local::new();
    let good = machine("P", json!({"P": {"Type": "Pass", "End": true}})).to_string();
    let answer = ok(&aws, "ValidateStateMachineDefinition", json!({"definition": good})).await;
    assert_eq!(answer, json!({"result": "OK", "diagnostics": [], "truncated": false}));
    let bad = machine("P", json!({"P": {"Type": "Pass", "Next": "Q"}})).to_string();
    let answer =
        ok(&aws, "ValidateStateMachineDefinition", json!({"definition": bad, "maxResults": 1})).await;
    assert_eq!(
        answer,
        json!({"result": "FAIL", "truncated": true, "diagnostics": [{
            "severity": "ERROR", "code": "MISSING_TRANSITION_TARGET", "message": "Missing 'Next' target: Q", "location": "/States/P/Next"
        }]})
    );
}

#[tokio::test]
async fn machines_are_listed_in_pages() {
    let aws = passing().await;
    let definition = machine("P", json!({"P": {"Type": "Pass", "End": true}})).to_string();
    for name in ["a", "z", "k"] {
        ok(&aws, "CreateStateMachine", json!({"name": name, "definition": definition, "roleArn": ROLE}))
            .await;
    }
    let (mut names, mut token) = (Vec::new(), json!(null));
    loop {
        let page = ok(&aws, "ListStateMachines", json!({"maxResults": 2, "nextToken": token})).await;
        names.extend(page["stateMachines"].as_array().unwrap().iter().map(|m| m["name"].clone()));
        token = page["nextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(names, ["a", "k", "m", "z"]);
    assert_eq!(refused(&aws, "ListStateMachines", json!({"nextToken": "?"})).await.0, "InvalidToken");
}

#[tokio::test]
async fn tags_come_and_go() {
    let aws = passing().await;
    let tags = |list: Value| json!({"resourceArn": MACHINE, "tags": list});
    ok(&aws, "TagResource", tags(json!([{"key": "a", "value": "1"}, {"key": "b", "value": "2"}]))).await;
    ok(&aws, "TagResource", tags(json!([{"key": "a", "value": "3"}]))).await;
    ok(&aws, "UntagResource", json!({"resourceArn": MACHINE, "tagKeys": ["b"]})).await;
    let listed = ok(&aws, "ListTagsForResource", json!({"resourceArn": MACHINE})).await;
    assert_eq!(listed, json!({"tags": [{"key": "a", "value": "3"}]}));
    let many: Vec<_> = (0..51).map(|i| json!({"key": i.to_string(), "value": ""})).collect();
    assert_eq!(refused(&aws, "TagResource", tags(json!(many))).await.0, "TooManyTags");
    let none = MACHINE.replace(":m", ":none");
    assert_eq!(
        refused(&aws, "ListTagsForResource", json!({"resourceArn": none})).await.0,
        "ResourceNotFound"
    );
    assert_eq!(
        refused(&aws, "ListTagsForResource", json!({"resourceArn": EXECUTION_E})).await.0,
        "InvalidArn"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_seen_the_last_event_finds_the_execution_ended() {
    let aws = passing().await;
    for n in 0..30 {
        let name = format!("e{n}");
        start(&aws, &name, "{}").await;
        while events(&aws, &name).await.last().is_none_or(|event| event["type"] != "ExecutionSucceeded") {
            tokio::task::yield_now().await;
        }
        let arn = format!("arn:aws:states:us-east-1:000000000000:execution:m:{name}");
        let described = ok(&aws, "DescribeExecution", json!({"executionArn": arn})).await;
        assert_eq!(described["status"], "SUCCEEDED");
    }
}

#[tokio::test]
async fn an_execution_is_described_from_its_start_to_its_end() {
    let aws = passing().await;
    let started = start(&aws, "e", " {\"x\": 1} ").await;
    assert_eq!(started["executionArn"], EXECUTION_E);
    let described = ended(&aws, "e").await;
    assert_eq!((&described["status"], &described["output"]), (&json!("SUCCEEDED"), &json!("{\"x\":1}")));
    assert_eq!(
        (&described["input"], &described["startDate"]),
        (&json!(" {\"x\": 1} "), &started["startDate"])
    );
    assert!(described["stopDate"].as_f64() >= described["startDate"].as_f64());
    assert_eq!((&described["stateMachineArn"], &described["name"]), (&json!(MACHINE), &json!("e")));
    assert!(described.get("error").is_none());
    assert_eq!(
        (&described["redriveStatus"], &described["redriveStatusReason"]),
        (&json!("NOT_REDRIVABLE"), &json!("Execution is SUCCEEDED and cannot be redriven"))
    );
    let brief = json!({"executionArn": EXECUTION_E, "includedData": "METADATA_ONLY"});
    assert!(ok(&aws, "DescribeExecution", brief).await.get("input").is_none());
    let events = events(&aws, "e").await;
    assert_eq!(
        types(&events),
        ["ExecutionStarted", "PassStateEntered", "PassStateExited", "ExecutionSucceeded"]
    );
    assert_eq!(
        events[0]["executionStartedEventDetails"],
        json!({
            "input": " {\"x\": 1} ", "inputDetails": {"truncated": false}, "roleArn": ROLE
        })
    );
    assert_eq!(events[3]["executionSucceededEventDetails"]["output"], "{\"x\":1}");
    assert_eq!(events[3]["previousEventId"], 3);
    let unnamed = ok(&aws, "StartExecution", json!({"stateMachineArn": MACHINE})).await;
    assert!(
        unnamed["executionArn"]
            .as_str()
            .unwrap()
            .starts_with("arn:aws:states:us-east-1:000000000000:execution:m:")
    );
}

#[tokio::test]
async fn bad_calls_are_answered_as_on_aws() {
    let aws = passing().await;
    let none = MACHINE.replace(":m", ":none");
    let no_execution = EXECUTION_E.replace(":m:e", ":m:none");
    for (operation, input, code, words) in [
        (
            "StartExecution",
            json!({"stateMachineArn": none}),
            "StateMachineDoesNotExist",
            "State Machine Does Not Exist: 'arn",
        ),
        (
            "StartExecution",
            json!({"stateMachineArn": "x"}),
            "InvalidArn",
            "Invalid Arn: 'Invalid ARN prefix: x'",
        ),
        ("StartExecution", json!({"stateMachineArn": EXECUTION_E}), "InvalidArn", "Resource type not valid"),
        (
            "StartExecution",
            json!({"stateMachineArn": MACHINE, "name": "a:b"}),
            "InvalidName",
            "Invalid Name: 'a:b'",
        ),
        (
            "StartExecution",
            json!({"stateMachineArn": MACHINE, "input": "{"}),
            "InvalidExecutionInput",
            "Invalid State Machine Execution Input",
        ),
        (
            "StartExecution",
            json!({"stateMachineArn": MACHINE, "input": format!("\"{}\"", "x".repeat(262_143))}),
            "ValidationException",
            "262144",
        ),
        ("StartExecution", json!({}), "ValidationException", "'stateMachineArn'"),
        (
            "DescribeExecution",
            json!({"executionArn": no_execution}),
            "ExecutionDoesNotExist",
            "Execution Does Not Exist: 'arn",
        ),
        ("DescribeExecution", json!({"executionArn": MACHINE}), "InvalidArn", "Resource type not valid"),
        ("StopExecution", json!({"executionArn": no_execution}), "ExecutionDoesNotExist", "none"),
        ("GetExecutionHistory", json!({"executionArn": no_execution}), "ExecutionDoesNotExist", "none"),
        ("ListExecutions", json!({"stateMachineArn": none}), "StateMachineDoesNotExist", "none"),
        (
            "ListExecutions",
            json!({"stateMachineArn": MACHINE, "statusFilter": "DONE"}),
            "ValidationException",
            "'DONE' at 'statusFilter'",
        ),
        (
            "ListExecutions",
            json!({"stateMachineArn": MACHINE, "maxResults": 1001}),
            "ValidationException",
            "maxResults",
        ),
        (
            "UpdateStateMachine",
            json!({"stateMachineArn": MACHINE}),
            "MissingRequiredParameter",
            "must be specified",
        ),
        (
            "UpdateStateMachine",
            json!({"stateMachineArn": MACHINE, "definition": "[]"}),
            "InvalidDefinition",
            "SCHEMA",
        ),
        (
            "DescribeStateMachineForExecution",
            json!({"executionArn": no_execution}),
            "ExecutionDoesNotExist",
            "none",
        ),
        ("CreateActivity", json!({}), "UnknownOperationException", "CreateActivity"),
    ] {
        let (found, message) = refused(&aws, operation, input).await;
        assert_eq!(found, code, "{operation}: {message}");
        assert!(message.contains(words), "{operation}: {message}");
    }
}

#[tokio::test]
async fn a_name_starts_one_execution() {
    let aws = waiting().await;
    let first = start(&aws, "e", "{}").await;
    assert_eq!(start(&aws, "e", "{}").await, first);
    let other = json!({"stateMachineArn": MACHINE, "name": "e", "input": "{\"a\":1}"});
    let taken = ("ExecutionAlreadyExists".to_owned(), format!("Execution Already Exists: '{EXECUTION_E}'"));
    assert_eq!(refused(&aws, "StartExecution", other).await, taken);
    ok(&aws, "StopExecution", json!({"executionArn": EXECUTION_E})).await;
    let again = json!({"stateMachineArn": MACHINE, "name": "e", "input": "{}"});
    assert_eq!(refused(&aws, "StartExecution", again).await, taken);
}

#[tokio::test]
async fn a_stopped_execution_is_aborted_at_once() {
    let aws = waiting().await;
    start(&aws, "e", "{}").await;
    let stop = json!({"executionArn": EXECUTION_E, "error": "Mine", "cause": "enough"});
    let stopped = ok(&aws, "StopExecution", stop).await;
    let described = ended(&aws, "e").await;
    assert_eq!((&described["status"], &described["stopDate"]), (&json!("ABORTED"), &stopped["stopDate"]));
    assert_eq!((&described["error"], &described["cause"]), (&json!("Mine"), &json!("enough")));
    let events = events(&aws, "e").await;
    let last = events.last().unwrap();
    assert_eq!((&last["type"], &last["previousEventId"]), (&json!("ExecutionAborted"), &json!(0)));
    assert_eq!(last["executionAbortedEventDetails"], json!({"error": "Mine", "cause": "enough"}));
    // Once more changes nothing.
    assert_eq!(ok(&aws, "StopExecution", json!({"executionArn": EXECUTION_E})).await, stopped);
    assert_eq!(ended(&aws, "e").await, described);
}

#[tokio::test]
async fn a_machine_that_never_waits_can_be_stopped_too() {
    let spin = json!({"Type": "Choice", "Choices": [{"Variable": "$", "IsPresent": true, "Next": "L"}], "Default": "E"});
    let aws = with("L", json!({"L": spin, "E": {"Type": "Succeed"}})).await;
    start(&aws, "e", "{}").await;
    ok(&aws, "StopExecution", json!({"executionArn": EXECUTION_E})).await;
    assert_eq!(ended(&aws, "e").await["status"], "ABORTED");
}

#[tokio::test]
async fn an_execution_that_takes_too_long_times_out() {
    let aws = Local::new();
    role(&aws, "machine", "states.amazonaws.com", None).await;
    let mut definition = machine("W", json!({"W": {"Type": "Wait", "Seconds": 1000, "End": true}}));
    definition["TimeoutSeconds"] = json!(1);
    let input = json!({"name": "m", "definition": definition.to_string(), "roleArn": ROLE});
    ok(&aws, "CreateStateMachine", input).await;
    start(&aws, "e", "{}").await;
    let described = ended(&aws, "e").await;
    assert_eq!(described["status"], "TIMED_OUT");
    assert!(described.get("error").is_none() && described.get("cause").is_none());
    let events = events(&aws, "e").await;
    assert_eq!(types(&events), ["ExecutionStarted", "WaitStateEntered", "ExecutionTimedOut"]);
    assert_eq!(events[2]["previousEventId"], 0);
    assert_eq!(events[2]["executionTimedOutEventDetails"], json!({"error": "States.Timeout"}));
}

#[tokio::test]
async fn the_history_is_read_in_pages_in_both_directions() {
    let aws = waiting().await;
    let loops = json!({
        "C": {"Type": "Choice", "Choices": [{"Variable": "$.a[9]", "IsPresent": true, "Next": "E"}], "Default": "P"},
        "P": {"Type": "Pass", "Parameters": {"a.$": "States.ArrayRange(0, $.n, 1)", "n.$": "States.MathAdd($.n, 1)"}, "Next": "C"},
        "E": {"Type": "Succeed"}
    });
    ok(
        &aws,
        "UpdateStateMachine",
        json!({"stateMachineArn": MACHINE, "definition": machine("C", loops).to_string()}),
    )
    .await;
    start(&aws, "e", "{\"n\":0}").await;
    ended(&aws, "e").await;
    let all = events(&aws, "e").await;
    assert!(all.len() > 40);
    for reverse in [false, true] {
        let (mut pages, mut token) = (Vec::new(), json!(null));
        loop {
            let input = json!({"executionArn": EXECUTION_E, "maxResults": 7, "reverseOrder": reverse, "nextToken": token});
            let page = ok(&aws, "GetExecutionHistory", input).await;
            let list = page["events"].as_array().unwrap();
            assert!((1..=7).contains(&list.len()));
            pages.extend(list.iter().cloned());
            token = page["nextToken"].clone();
            if token.is_null() {
                break;
            }
        }
        if reverse {
            pages.reverse();
        }
        assert_eq!(pages, all);
    }
    let input = json!({"executionArn": EXECUTION_E, "includeExecutionData": false});
    let bare = ok(&aws, "GetExecutionHistory", input).await;
    assert_eq!(
        bare["events"][1]["stateEnteredEventDetails"],
        json!({"name": "C", "inputDetails": {"truncated": false}})
    );
    for token in ["MA==", "!", "eA==", "OTk5OTk5"] {
        let input = json!({"executionArn": EXECUTION_E, "nextToken": token});
        assert_eq!(refused(&aws, "GetExecutionHistory", input).await.0, "InvalidToken");
    }
}

#[tokio::test]
async fn a_running_executions_history_can_be_read() {
    let aws = waiting().await;
    start(&aws, "e", "{}").await;
    let mut seen = Vec::new();
    for _ in 0..1000 {
        seen = events(&aws, "e").await;
        if seen.len() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(types(&seen), ["ExecutionStarted", "WaitStateEntered"]);
    let input = json!({"executionArn": EXECUTION_E, "reverseOrder": true, "maxResults": 1});
    assert_eq!(ok(&aws, "GetExecutionHistory", input).await["events"][0]["type"], "WaitStateEntered");
}

#[tokio::test]
async fn executions_are_listed_latest_first_by_status_and_in_pages() {
    let aws = with("C", json!({
        "C": {"Type": "Choice", "Choices": [{"Variable": "$.fail", "IsPresent": true, "Next": "F"}], "Default": "S"},
        "F": {"Type": "Fail", "Error": "E"}, "S": {"Type": "Succeed"}
    })).await;
    for (name, input) in [("a", "{}"), ("b", "{\"fail\":1}"), ("c", "{}"), ("d", "{}")] {
        start(&aws, name, input).await;
        ended(&aws, name).await;
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    let list = async |input: Value| {
        let mut input = input;
        input["stateMachineArn"] = json!(MACHINE);
        let page = ok(&aws, "ListExecutions", input).await;
        let names: Vec<_> = page["executions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| e["name"].as_str().unwrap().to_owned())
            .collect();
        (names, page["nextToken"].clone())
    };
    assert_eq!(list(json!({})).await, (vec!["d".into(), "c".into(), "b".into(), "a".into()], Value::Null));
    assert_eq!(list(json!({"statusFilter": "FAILED"})).await.0, ["b"]);
    assert_eq!(list(json!({"statusFilter": "RUNNING"})).await.0, Vec::<String>::new());
    let (first, token) = list(json!({"statusFilter": "SUCCEEDED", "maxResults": 2})).await;
    assert_eq!(first, ["d", "c"]);
    let (second, token) =
        list(json!({"statusFilter": "SUCCEEDED", "maxResults": 2, "nextToken": token})).await;
    assert_eq!((second, token), (vec!["a".to_owned()], Value::Null));
}

#[tokio::test]
async fn an_execution_keeps_the_machine_it_started_with() {
    let aws = waiting().await;
    start(&aws, "e", "{}").await;
    let other = machine("F", json!({"F": {"Type": "Fail"}})).to_string();
    ok(&aws, "UpdateStateMachine", json!({"stateMachineArn": MACHINE, "definition": other})).await;
    let described = ok(&aws, "DescribeStateMachineForExecution", json!({"executionArn": EXECUTION_E})).await;
    assert!(described["definition"].as_str().unwrap().contains("Wait"));
    assert_eq!(described["stateMachineArn"], MACHINE);
    assert!(described["updateDate"].is_number());
}

#[tokio::test]
async fn deleting_a_machine_ends_what_runs_and_lets_it_be_described() {
    let aws = waiting().await;
    start(&aws, "e", "{}").await;
    ok(&aws, "DeleteStateMachine", json!({"stateMachineArn": MACHINE})).await;
    assert_eq!(ended(&aws, "e").await["status"], "ABORTED");
    for _ in 0..1000 {
        if as_caller(&aws, &Caller::Owner, "DescribeStateMachine", json!({"stateMachineArn": MACHINE}))
            .await
            .is_err()
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let (code, _) = refused(&aws, "StartExecution", json!({"stateMachineArn": MACHINE})).await;
    assert_eq!(code, "StateMachineDoesNotExist");
    // A new machine of the name begins without the old one's executions.
    let definition = machine("P", json!({"P": {"Type": "Pass", "End": true}})).to_string();
    ok(&aws, "CreateStateMachine", json!({"name": "m", "definition": definition, "roleArn": ROLE})).await;
    assert_eq!(
        ok(&aws, "ListExecutions", json!({"stateMachineArn": MACHINE})).await["executions"],
        json!([])
    );
    assert!(aws.store.list_prefix::<Value>(records::EVENT, "m/").is_empty());
    start(&aws, "e", "{}").await;
    assert_eq!(ended(&aws, "e").await["status"], "SUCCEEDED");
}

#[tokio::test]
async fn callers_need_permission_for_each_operation() {
    let aws = waiting().await;
    let allowed = json!({"Effect": "Allow", "Action": ["states:StartExecution", "states:DescribeExecution"], "Resource": [
        MACHINE, "arn:aws:states:us-east-1:000000000000:execution:m:*"]});
    let arn = role(&aws, "someone", "lambda.amazonaws.com", Some(allowed)).await;
    let someone = Caller::Role { arn, session: "s".to_owned() };
    as_caller(&aws, &someone, "StartExecution", json!({"stateMachineArn": MACHINE, "name": "e"}))
        .await
        .unwrap();
    as_caller(&aws, &someone, "DescribeExecution", json!({"executionArn": EXECUTION_E})).await.unwrap();
    let definition = machine("F", json!({"F": {"Type": "Fail"}})).to_string();
    for (operation, input) in [
        ("CreateStateMachine", json!({"name": "n", "definition": definition, "roleArn": ROLE})),
        ("UpdateStateMachine", json!({"stateMachineArn": MACHINE, "definition": definition})),
        ("DescribeStateMachine", json!({"stateMachineArn": MACHINE})),
        ("DeleteStateMachine", json!({"stateMachineArn": MACHINE})),
        ("ListStateMachines", json!({})),
        ("ValidateStateMachineDefinition", json!({"definition": definition})),
        ("TagResource", json!({"resourceArn": MACHINE, "tags": [{"key": "a", "value": "b"}]})),
        ("UntagResource", json!({"resourceArn": MACHINE, "tagKeys": ["a"]})),
        ("ListTagsForResource", json!({"resourceArn": MACHINE})),
        ("ListExecutions", json!({"stateMachineArn": MACHINE})),
        ("ListMapRuns", json!({"executionArn": EXECUTION_E})),
        ("DescribeMapRun", json!({"mapRunArn": MACHINE.replace("stateMachine:m", "mapRun:m/l:u")})),
        ("UpdateMapRun", json!({"mapRunArn": MACHINE.replace("stateMachine:m", "mapRun:m/l:u")})),
        ("RedriveExecution", json!({"executionArn": EXECUTION_E})),
        ("StopExecution", json!({"executionArn": EXECUTION_E})),
        ("GetExecutionHistory", json!({"executionArn": EXECUTION_E})),
        ("DescribeStateMachineForExecution", json!({"executionArn": EXECUTION_E})),
    ] {
        let error = as_caller(&aws, &someone, operation, input).await.unwrap_err();
        assert_eq!(error.code, "AccessDeniedException", "{operation}");
        assert!(
            error.message.contains(&format!("is not authorized to perform: states:{operation}")),
            "{error}"
        );
    }
    assert_eq!(
        ok(&aws, "DescribeExecution", json!({"executionArn": EXECUTION_E})).await["status"],
        "RUNNING"
    );
}

#[tokio::test]
async fn a_role_is_handed_over_only_with_permission() {
    let aws = waiting().await;
    let allowed = json!({"Effect": "Allow", "Action": "states:*", "Resource": "*"});
    let arn = role(&aws, "someone", "lambda.amazonaws.com", Some(allowed)).await;
    let someone = Caller::Role { arn, session: "s".to_owned() };
    let definition = machine("F", json!({"F": {"Type": "Fail"}})).to_string();
    let input = json!({"name": "n", "definition": definition, "roleArn": ROLE});
    let error = as_caller(&aws, &someone, "CreateStateMachine", input).await.unwrap_err();
    assert!(error.message.contains("iam:PassRole"), "{error}");
}

#[tokio::test]
async fn a_role_may_trust_the_regional_service_and_one_machine() {
    let aws = Local::new();
    let regional = "states.us-east-1.amazonaws.com";
    let machines = |pattern: &str| json!({"ArnLike": {"aws:SourceArn": format!("arn:aws:states:*:000000000000:{pattern}")}});
    for (name, service, condition, trusted) in [
        ("a", regional, json!({}), true),
        ("b", "states.amazonaws.com", machines("stateMachine:*"), true),
        ("c", regional, machines("stateMachine:c"), true),
        ("d", regional, machines("stateMachine:other"), false),
        ("e", "states.eu-west-1.amazonaws.com", json!({}), false),
    ] {
        let trust = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole", "Condition": condition}]});
        let input = json!({"RoleName": name, "AssumeRolePolicyDocument": trust.to_string()});
        aws.call(&Caller::Owner, Service::Iam, "CreateRole", input).await.unwrap();
        let definition = machine("P", json!({"P": {"Type": "Pass", "End": true}})).to_string();
        let role = format!("arn:aws:iam::000000000000:role/{name}");
        let input = json!({"name": name, "definition": definition, "roleArn": role});
        let created = as_caller(&aws, &Caller::Owner, "CreateStateMachine", input).await;
        assert_eq!(created.is_ok(), trusted, "{name}");
    }
}

#[tokio::test]
async fn tasks_run_as_the_machines_role() {
    let function = "arn:aws:lambda:us-east-1:000000000000:function:f";
    let aws = with("T", json!({"T": {"Type": "Task", "Resource": function, "End": true}})).await;
    start(&aws, "e", "{}").await;
    let described = ended(&aws, "e").await;
    assert_eq!(
        (&described["status"], &described["error"]),
        (&json!("FAILED"), &json!("Lambda.AWSLambdaException"))
    );
    let cause = described["cause"].as_str().unwrap();
    assert!(cause.starts_with("User: arn:aws:sts::000000000000:assumed-role/machine/"), "{cause}");
    assert!(
        cause.contains(&format!(
            "is not authorized to perform: lambda:InvokeFunction on resource: {}",
            function
        )),
        "{cause}"
    );
    assert!(cause.contains("Status Code: 403; Error Code: AccessDeniedException; Request ID: "), "{cause}");
    aws.call(&Caller::Owner, Service::Iam, "DeleteRole", json!({"RoleName": "machine"})).await.unwrap();
    start(&aws, "g", "{}").await;
    assert_eq!(ended(&aws, "g").await["error"], "States.Permissions");
}

#[tokio::test]
async fn executions_of_a_killed_process_are_aborted_and_announced_at_the_next_start() {
    let aws = waiting().await;
    let revision = aws.store.get::<records::Machine>(records::MACHINE, "m").unwrap().revision;
    let execution = |name: &str| Execution::new("m", name.to_owned(), &revision, "{}".to_owned());
    let told = Execution { status: Status::TimedOut, stopped: Some(1_795_000_000_001), ..execution("told") };
    aws.store.transaction(|records| {
        execution("e").begin(records);
        records::put_events(records, "m/e", [(1, &json!({"id": 1, "type": "ExecutionStarted"}))]);
        told.begin(records);
        told.end(records);
    });
    aws.states.start(&aws).await;
    let described = ended(&aws, "e").await;
    assert_eq!(described["status"], "ABORTED");
    assert_eq!(described["cause"], "The local endpoint ended while the execution was running.");
    let events = events(&aws, "e").await;
    assert_eq!(types(&events), ["ExecutionStarted", "ExecutionAborted"]);
    assert_eq!((&events[1]["id"], &events[1]["previousEventId"]), (&json!(2), &json!(0)));
    assert_eq!(ended(&aws, "told").await["status"], "TIMED_OUT");
    assert!(aws.store.list::<Value>(RUNNING).is_empty());
    assert!(aws.store.list::<Value>(UNANNOUNCED).is_empty());
}

#[tokio::test]
async fn a_running_executions_history_is_written_down_as_it_grows() {
    let aws = waiting().await;
    start(&aws, "e", "{}").await;
    for _ in 0..1000 {
        if records::count(&aws.store, "m/e") == 2 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("only {} events are written", records::count(&aws.store, "m/e"));
}

#[tokio::test]
async fn old_executions_are_forgotten() {
    let aws = passing().await;
    start(&aws, "e", "{}").await;
    ended(&aws, "e").await;
    let now = jiff::Timestamp::now();
    records::prune(&aws.store, now + Duration::from_secs(89 * 86_400));
    assert!(aws.store.get::<Value>(EXECUTION, "m/e").is_some());
    records::prune(&aws.store, now + Duration::from_secs(91 * 86_400));
    for kind in [EXECUTION, records::LATEST, records::EVENT, records::ENDED] {
        assert!(aws.store.list::<Value>(kind).is_empty(), "{kind}");
    }
}

#[tokio::test]
async fn a_stopping_endpoint_aborts_what_runs() {
    let aws = waiting().await;
    start(&aws, "a", "{}").await;
    start(&aws, "b", "{}").await;
    aws.states.stop(&aws).await;
    for name in ["a", "b"] {
        let described = ended(&aws, name).await;
        assert_eq!(
            (&described["status"], &described["cause"]),
            (&json!("ABORTED"), &json!("The local endpoint was stopped."))
        );
    }
}

#[tokio::test]
async fn a_status_change_has_the_shape_of_aws() {
    let aws = passing().await;
    let mut execution = Execution::new("m", "e".to_owned(), "r", "{}".to_owned());
    execution.started = 1_795_000_000_123;
    let running = status_change(&aws, &execution);
    assert_eq!(
        (&running["source"], &running["detail-type"]),
        (&json!("aws.states"), &json!("Step Functions Execution Status Change"))
    );
    assert_eq!(running["resources"], json!([EXECUTION_E]));
    assert_eq!(
        running["detail"],
        json!({
            "executionArn": EXECUTION_E, "stateMachineArn": MACHINE, "name": "e", "status": "RUNNING",
            "startDate": 1_795_000_000_123_i64, "stopDate": null, "input": "{}", "inputDetails": {"included": true},
            "output": null, "outputDetails": null, "error": null, "cause": null, "stateMachineVersionArn": null,
            "stateMachineAliasArn": null, "redriveCount": 0, "redriveDate": null, "redriveStatus": "NOT_REDRIVABLE",
            "redriveStatusReason": "Execution is RUNNING and cannot be redriven"
        })
    );
    for (status, redrivable) in [(Status::Succeeded, false), (Status::Failed, true), (Status::Aborted, true)]
    {
        execution.status = status;
        let detail = status_change(&aws, &execution)["detail"].clone();
        let name = if redrivable { "REDRIVABLE" } else { "NOT_REDRIVABLE" };
        assert_eq!(
            (&detail["redriveStatus"], detail["redriveStatusReason"].is_null()),
            (&json!(name), redrivable)
        );
    }
    execution.status = Status::Succeeded;
    execution.stopped = Some(1_795_000_000_456);
    for (input, output, with_input, with_output) in
        [(10, 10, true, true), (200_000, 60_000, false, true), (10, 255_000, false, false)]
    {
        execution.input = "i".repeat(input);
        execution.output = Some("o".repeat(output));
        let detail = status_change(&aws, &execution)["detail"].clone();
        assert_eq!(detail["inputDetails"]["included"], with_input);
        assert_eq!(detail["input"].is_string(), with_input);
        assert_eq!(detail["outputDetails"]["included"], with_output);
        assert_eq!(detail["output"].is_string(), with_output);
    }
}
