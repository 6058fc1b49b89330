//! Distributed Maps: their executions, limits, results and ends.

use std::time::Duration;

use serde_json::{Value, json};

use super::record::{Counts, MapRun};
use crate::states::records::{self, Execution, Machine, Origin, Status};
use crate::states::tests::{
    EXECUTION_E, MACHINE, ROLE, ended, events, machine, ok, refused, role, start, types,
};
use crate::testing::Local;
use crate::{Caller, Service};

const RUN: &str = "arn:aws:states:us-east-1:000000000000:mapRun:m/";

/// What runs for each item: what the item's `do` says.
fn processor() -> Value {
    let when = |what: &str, next: &str| json!({"Variable": "$.do", "StringEquals": what, "Next": next});
    json!({
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "C",
        "States": {
            "C": {"Type": "Choice", "Choices": [when("fail", "F"), when("wait", "W"), when("tell", "T")], "Default": "P"},
            "F": {"Type": "Fail", "Error": "Boom", "Cause": "told to"},
            "W": {"Type": "Wait", "Seconds": 1000, "End": true},
            "T": {"Type": "Pass", "Parameters": {"execution.$": "$$.Execution", "machine.$": "$$.StateMachine"}, "End": true},
            "P": {"Type": "Pass", "End": true},
        },
    })
}

fn map(more: Value) -> Value {
    let mut state =
        json!({"Type": "Map", "ItemsPath": "$.l", "Label": "L", "ItemProcessor": processor(), "End": true});
    for (name, value) in more.as_object().unwrap() {
        state[name] = value.clone();
    }
    state
}

fn grants() -> Vec<Value> {
    vec![
        json!({"Effect": "Allow", "Action": "states:StartExecution", "Resource": MACHINE}),
        json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::fleet/in/*"}),
        json!({"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::fleet/out/*"}),
    ]
}

async fn granted(aws: &Local, statements: Vec<Value>) {
    let policy = json!({"Version": "2012-10-17", "Statement": statements});
    let input = json!({"RoleName": "machine", "PolicyName": "p", "PolicyDocument": policy.to_string()});
    aws.call(&Caller::Owner, Service::Iam, "PutRolePolicy", input).await.unwrap();
}

/// A machine `m` of this state, and a bucket `fleet`.
async fn with(state: Value) -> Local {
    let aws = Local::new();
    role(&aws, "machine", "states.amazonaws.com", None).await;
    granted(&aws, grants()).await;
    aws.call(&Caller::Owner, Service::S3, "CreateBucket", json!({"Bucket": "fleet"})).await.unwrap();
    let definition = machine("M", json!({"M": state})).to_string();
    ok(&aws, "CreateStateMachine", json!({"name": "m", "definition": definition, "roleArn": ROLE})).await;
    aws
}

/// Items that each say what to do.
fn items(list: &[&str]) -> String {
    json!({"l": list.iter().map(|what| json!({"do": what})).collect::<Vec<_>>()}).to_string()
}

async fn runs(aws: &Local) -> Vec<Value> {
    let listed = ok(aws, "ListMapRuns", json!({"executionArn": EXECUTION_E})).await;
    listed["mapRuns"].as_array().unwrap().clone()
}

/// The only Map Run of the execution `e`.
async fn run(aws: &Local) -> Value {
    let runs = runs(aws).await;
    assert_eq!(runs.len(), 1, "{runs:?}");
    ok(aws, "DescribeMapRun", json!({"mapRunArn": runs[0]["mapRunArn"]})).await
}

/// Waits until the only Map Run of the execution `e` has so many of these.
async fn counts(aws: &Local, name: &str, count: u64) -> Value {
    for _ in 0..2000 {
        if let [only] = runs(aws).await.as_slice() {
            let run = ok(aws, "DescribeMapRun", json!({"mapRunArn": only["mapRunArn"]})).await;
            if run["executionCounts"][name] == count {
                return run;
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("not {count} {name}");
}

/// Waits until the only Map Run of the execution `e` stands so.
async fn stands(aws: &Local, status: &str) -> Value {
    for _ in 0..2000 {
        let run = run(aws).await;
        if run["status"] == status {
            return run;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the Map Run is not {status}");
}

async fn children(aws: &Local, run: &Value) -> Vec<Value> {
    let listed = ok(aws, "ListExecutions", json!({"mapRunArn": run["mapRunArn"]})).await;
    listed["executions"].as_array().unwrap().clone()
}

async fn object(aws: &Local, key: &str) -> String {
    let object = aws.s3.get_object(aws, &Caller::Owner, "fleet", key).await;
    String::from_utf8(object.unwrap_or_else(|error| panic!("{key}: {error}")).body.to_vec()).unwrap()
}

async fn document(aws: &Local, key: &str) -> Value {
    serde_json::from_str(&object(aws, key).await).unwrap()
}

#[tokio::test]
async fn each_item_has_an_execution_of_its_own() {
    let aws = with(map(json!({}))).await;
    start(&aws, "e", &items(&["a", "tell", "c"])).await;
    let described = ended(&aws, "e").await;
    let output: Value = serde_json::from_str(described["output"].as_str().unwrap()).unwrap();
    assert_eq!((&output[0], &output[2]), (&json!({"do": "a"}), &json!({"do": "c"})));

    let run = run(&aws).await;
    let arn = run["mapRunArn"].as_str().unwrap();
    assert!(arn.starts_with(&format!("{RUN}L:")), "{arn}");
    assert_eq!((&run["status"], &run["executionArn"]), (&json!("SUCCEEDED"), &json!(EXECUTION_E)));
    assert!(run["stopDate"].as_f64() >= run["startDate"].as_f64());
    let counts = json!({"pending": 0, "running": 0, "succeeded": 3, "failed": 0, "timedOut": 0, "aborted": 0, "total": 3,
        "resultsWritten": 3, "failuresNotRedrivable": 0, "pendingRedrive": 0});
    assert_eq!((&run["executionCounts"], &run["itemCounts"]), (&counts, &counts));
    assert_eq!(
        (&run["maxConcurrency"], &run["toleratedFailureCount"], &run["toleratedFailurePercentage"]),
        (&json!(0), &json!(0), &json!(0.0))
    );
    let listed = &runs(&aws).await[0];
    assert_eq!(listed["stateMachineArn"], format!("{MACHINE}/L"));
    assert_eq!((&listed["executionArn"], &listed["startDate"]), (&json!(EXECUTION_E), &run["startDate"]));

    // The children are the Map Run's, not the machine's.
    let found = children(&aws, &run).await;
    assert_eq!(found.len(), 3);
    let all = ok(&aws, "ListExecutions", json!({"stateMachineArn": MACHINE})).await;
    assert_eq!(all["executions"].as_array().unwrap().len(), 1);
    let context = &output[1];
    let told = context["execution"]["Id"].as_str().unwrap();
    assert!(told.starts_with("arn:aws:states:us-east-1:000000000000:execution:m/L:"), "{told}");
    assert_eq!(context["machine"]["Id"], format!("{MACHINE}/L"));
    let child = found.iter().find(|child| child["executionArn"] == told).unwrap();
    assert_eq!((&child["mapRunArn"], &child["itemCount"]), (&run["mapRunArn"], &json!(1)));
    assert_eq!(child["stateMachineArn"], format!("{MACHINE}/L"));
    let child = ok(&aws, "DescribeExecution", json!({"executionArn": told})).await;
    assert_eq!((&child["mapRunArn"], &child["input"]), (&run["mapRunArn"], &json!("{\"do\":\"tell\"}")));
    let history = ok(&aws, "GetExecutionHistory", json!({"executionArn": told})).await;
    assert_eq!(
        types(history["events"].as_array().unwrap()),
        [
            "ExecutionStarted",
            "ChoiceStateEntered",
            "ChoiceStateExited",
            "PassStateEntered",
            "PassStateExited",
            "ExecutionSucceeded"
        ]
    );
    let of = ok(&aws, "DescribeStateMachineForExecution", json!({"executionArn": told})).await;
    assert_eq!(
        (&of["mapRunArn"], &of["label"], &of["name"]),
        (&run["mapRunArn"], &json!("L"), &json!("m/L"))
    );
    assert_eq!(serde_json::from_str::<Value>(of["definition"].as_str().unwrap()).unwrap(), processor());
}

#[tokio::test]
async fn too_many_failures_fail_the_run_and_end_what_runs() {
    let export = json!({"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "fleet", "Prefix": "out/x/"}});
    // One at a time: what comes after the failure does not begin.
    let aws = with(map(json!({"MaxConcurrency": 1, "ResultWriter": export}))).await;
    start(&aws, "e", &items(&["a", "fail", "c", "d"])).await;
    let described = ended(&aws, "e").await;
    assert_eq!(
        (&described["error"], &described["cause"]),
        (
            &json!("States.ExceedToleratedFailureThreshold"),
            &json!("The specified tolerated failure threshold was exceeded")
        )
    );
    assert_eq!(
        types(&events(&aws, "e").await)[2..],
        ["MapStateStarted", "MapRunStarted", "MapRunFailed", "MapStateFailed", "ExecutionFailed"]
    );
    let failed = run(&aws).await;
    let counts = &failed["executionCounts"];
    assert_eq!(
        (&failed["status"], &counts["succeeded"], &counts["failed"], &counts["pending"], &counts["total"]),
        (&json!("FAILED"), &json!(1), &json!(1), &json!(2), &json!(4))
    );
    // All of them are exported, to go on from there.
    let uuid = failed["mapRunArn"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
    let manifest = document(&aws, &format!("out/x/{uuid}/manifest.json")).await;
    for (file, count) in [("SUCCEEDED", 1), ("FAILED", 1), ("PENDING", 2)] {
        let key = format!("out/x/{uuid}/{file}_0.json");
        let text = object(&aws, &key).await;
        assert_eq!(manifest["ResultFiles"][file], json!([{"Key": key, "Size": text.len()}]));
        assert_eq!(serde_json::from_str::<Vec<Value>>(&text).unwrap().len(), count, "{text}");
    }
    let pending = document(&aws, &format!("out/x/{uuid}/PENDING_0.json")).await;
    assert_eq!(
        pending[1],
        json!({"Input": "{\"do\":\"d\"}", "InputDetails": {"Included": true}, "Status": "PENDING"})
    );
    let told = &document(&aws, &format!("out/x/{uuid}/FAILED_0.json")).await[0];
    assert_eq!(
        (&told["Error"], &told["Cause"], &told["Status"], &told["RedriveStatus"]),
        (&json!("Boom"), &json!("told to"), &json!("FAILED"), &json!("REDRIVABLE_BY_MAP_RUN"))
    );

    // Side by side: what runs is ended.
    let aws = with(map(json!({}))).await;
    start(&aws, "e", &items(&["wait", "fail"])).await;
    assert_eq!(ended(&aws, "e").await["status"], "FAILED");
    let failed = run(&aws).await;
    assert_eq!(
        (&failed["executionCounts"]["aborted"], &failed["executionCounts"]["failed"]),
        (&json!(1), &json!(1))
    );
}

#[tokio::test]
async fn failures_that_are_tolerated_stand_among_the_results() {
    for tolerance in [json!({"ToleratedFailureCount": 1}), json!({"ToleratedFailurePercentage": 50})] {
        let aws = with(map(tolerance)).await;
        start(&aws, "e", &items(&["fail", "b"])).await;
        let described = ended(&aws, "e").await;
        let output: Value = serde_json::from_str(described["output"].as_str().unwrap()).unwrap();
        assert_eq!((&output[0]["Error"], &output[0]["Status"]), (&json!("Boom"), &json!("FAILED")));
        assert_eq!(output[1], json!({"do": "b"}));
        let run = run(&aws).await;
        assert_eq!((&run["status"], &run["executionCounts"]["failed"]), (&json!("SUCCEEDED"), &json!(1)));
    }
}

#[tokio::test]
async fn results_are_exported_with_a_manifest() {
    let writer = |config: Option<Value>| {
        let mut writer = json!({"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket.$": "$.bucket", "Prefix": "out"}});
        if let Some(config) = config {
            writer["WriterConfig"] = config;
        }
        json!({"ResultWriter": writer, "ToleratedFailurePercentage": 100})
    };
    let compact = json!({"Transformation": "COMPACT", "OutputType": "JSONL"});
    for (config, extension) in [(None, "json"), (Some(compact), "jsonl")] {
        let aws = with(map(writer(config))).await;
        start(&aws, "e", "{\"bucket\":\"fleet\",\"l\":[{\"do\":\"a\"},{\"do\":\"fail\"}]}").await;
        let described = ended(&aws, "e").await;
        let output: Value = serde_json::from_str(described["output"].as_str().unwrap()).unwrap();
        let run = run(&aws).await;
        let uuid = run["mapRunArn"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
        let key = format!("out/{uuid}/manifest.json");
        assert_eq!(
            output,
            json!({"MapRunArn": run["mapRunArn"], "ResultWriterDetails": {"Bucket": "fleet", "Key": key}})
        );
        let succeeded = format!("out/{uuid}/SUCCEEDED_0.{extension}");
        let failed = format!("out/{uuid}/FAILED_0.{extension}");
        let (text, failures) = (object(&aws, &succeeded).await, object(&aws, &failed).await);
        assert_eq!(
            document(&aws, &key).await,
            json!({"DestinationBucket": "fleet", "MapRunArn": run["mapRunArn"], "ResultFiles": {
                "FAILED": [{"Key": failed, "Size": failures.len()}], "PENDING": [],
                "SUCCEEDED": [{"Key": succeeded, "Size": text.len()}]}})
        );
        assert_eq!(run["itemCounts"]["resultsWritten"], 2);
        if extension == "jsonl" {
            assert_eq!(text, "{\"do\":\"a\"}\n");
            assert!(failures.ends_with("}\n") && failures.contains("\"Status\":\"FAILED\""), "{failures}");
            continue;
        }
        let members: Vec<Value> = serde_json::from_str(&text).unwrap();
        let names: Vec<_> = members[0].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "ExecutionArn",
                "Input",
                "InputDetails",
                "Name",
                "Output",
                "OutputDetails",
                "RedriveCount",
                "RedriveStatus",
                "RedriveStatusReason",
                "StartDate",
                "StateMachineArn",
                "Status",
                "StopDate"
            ]
        );
        assert_eq!(
            (&members[0]["Output"], &members[0]["StateMachineArn"]),
            (&json!("{\"do\":\"a\"}"), &json!(format!("{MACHINE}/L")))
        );
        let date = members[0]["StartDate"].as_str().unwrap();
        assert!(date.ends_with('Z') && date.len() == 24, "{date}");
    }
}

#[tokio::test]
async fn results_that_cannot_be_written_fail_the_run() {
    let to = |parameters: Value| json!({"ResultWriter": {"Resource": "arn:aws:states:::s3:putObject", "Parameters": parameters}});
    for (parameters, words) in [
        (json!({"Bucket": "fleet", "Prefix": "elsewhere"}), "is not authorized to perform: s3:PutObject"),
        (
            json!({"Bucket": "fleet", "Prefix": "out", "Key": "k"}),
            "the parameter 'Key' is not supported here",
        ),
        (json!({"Prefix": "out"}), "the parameters of ResultWriter need a Bucket"),
    ] {
        let aws = with(map(to(parameters))).await;
        start(&aws, "e", &items(&["a"])).await;
        let described = ended(&aws, "e").await;
        assert_eq!(described["error"], "States.ResultWriterFailed");
        assert!(described["cause"].as_str().unwrap().contains(words), "{described}");
        let run = run(&aws).await;
        assert_eq!(
            (&run["status"], &run["executionCounts"]["resultsWritten"]),
            (&json!("FAILED"), &json!(0))
        );
    }
}

#[tokio::test]
async fn items_are_read_from_s3_as_the_role() {
    let reader = json!({"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "JSON"},
        "Parameters": {"Bucket": "fleet", "Key.$": "$.key"}});
    let aws = with(map(json!({"ItemReader": reader}))).await;
    let put = crate::s3::PutObject {
        bucket: "fleet".to_owned(),
        key: "in/plan.json".to_owned(),
        body: "[{\"do\":\"a\"},7]".into(),
        ..Default::default()
    };
    aws.s3.put_object(&aws, &Caller::Owner, put).await.unwrap();
    start(&aws, "e", "{\"key\":\"in/plan.json\"}").await;
    // A number has no member `do`: that execution fails, and with it the run.
    assert_eq!(ended(&aws, "e").await["error"], "States.ExceedToleratedFailureThreshold");
    assert_eq!(run(&aws).await["itemCounts"]["total"], 2);
    for (name, key, words) in [
        (
            "none",
            "in/none.json",
            "(Service: Amazon S3; Status Code: 403; Error Code: AccessDenied; Request ID: ",
        ),
        ("elsewhere", "plan.json", "is not authorized to perform: s3:GetObject"),
    ] {
        start(&aws, name, &json!({"key": key}).to_string()).await;
        let described = ended(&aws, name).await;
        assert_eq!(described["error"], "States.ItemReaderFailed");
        assert!(described["cause"].as_str().unwrap().contains(words), "{described}");
    }
}

#[tokio::test]
async fn a_role_starts_its_machine_s_executions_only_with_permission() {
    let aws = with(map(json!({}))).await;
    granted(&aws, grants().split_off(1)).await;
    start(&aws, "e", &items(&["a"])).await;
    let described = ended(&aws, "e").await;
    assert_eq!(described["error"], "States.Permissions");
    let cause = described["cause"].as_str().unwrap();
    assert!(
        cause.starts_with("Error contacting AWS Service. | Message from Service: User: arn:aws:sts::000000000000:assumed-role/machine/")
            && cause.contains(&format!(
                " is not authorized to perform: states:StartExecution on resource: {MACHINE} because no identity-based policy \
                 allows the states:StartExecution action (Service: Sfn, Status Code: 400, Request ID: "
            )),
        "{cause}"
    );
    assert_eq!(run(&aws).await["executionCounts"]["pending"], 1);
}

#[tokio::test]
async fn stopping_an_execution_aborts_its_map_run() {
    let export = json!({"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "fleet", "Prefix": "out"}});
    let aws = with(map(json!({"MaxConcurrency": 1, "ResultWriter": export}))).await;
    start(&aws, "e", &items(&["a", "wait", "c"])).await;
    let before = counts(&aws, "running", 1).await;
    assert_eq!((&before["status"], before.get("stopDate")), (&json!("RUNNING"), None));
    counts(&aws, "succeeded", 1).await;
    counts(&aws, "running", 1).await;
    ok(&aws, "StopExecution", json!({"executionArn": EXECUTION_E})).await;
    let events = events(&aws, "e").await;
    assert_eq!(types(&events)[3..], ["MapRunStarted", "MapRunAborted", "ExecutionAborted"]);
    let run = stands(&aws, "ABORTED").await;
    let counts = &run["executionCounts"];
    assert_eq!(
        (
            &counts["succeeded"],
            &counts["aborted"],
            &counts["pending"],
            &counts["running"],
            &counts["resultsWritten"]
        ),
        (&json!(1), &json!(1), &json!(1), &json!(0), &json!(2))
    );
    let uuid = run["mapRunArn"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
    let told = &document(&aws, &format!("out/{uuid}/FAILED_0.json")).await[0];
    assert_eq!((&told["Status"], &told["Cause"]), (&json!("ABORTED"), &json!("The Map Run was aborted.")));
}

#[tokio::test]
async fn limits_change_while_a_map_run_goes_on() {
    let aws = with(map(json!({"MaxConcurrency": 1}))).await;
    start(&aws, "e", &items(&["wait", "wait", "fail", "wait"])).await;
    let before = counts(&aws, "running", 1).await;
    let arn = before["mapRunArn"].clone();
    for (input, words) in [
        (json!({}), "at least one of [maxConcurrency, toleratedFailurePercentage, toleratedFailureCount]"),
        (
            json!({"toleratedFailurePercentage": 101}),
            "'toleratedFailurePercentage' must be a number from 0 to 100, not 101",
        ),
        (json!({"maxConcurrency": -1}), "maxConcurrency"),
        (json!({"colour": 1}), "[colour]"),
    ] {
        let mut input = input;
        input["mapRunArn"] = arn.clone();
        let (code, message) = refused(&aws, "UpdateMapRun", input).await;
        assert_eq!(code, "ValidationException");
        assert!(message.contains(words), "{message}");
    }
    ok(&aws, "UpdateMapRun", json!({"mapRunArn": arn, "toleratedFailureCount": 1})).await;
    ok(&aws, "UpdateMapRun", json!({"mapRunArn": arn, "maxConcurrency": 3})).await;
    // The third one fails, which is tolerated now, and the fourth one takes its place.
    let run = counts(&aws, "failed", 1).await;
    assert_eq!((&run["maxConcurrency"], &run["toleratedFailureCount"]), (&json!(3), &json!(1)));
    counts(&aws, "running", 3).await;
    // None is tolerated any more.
    ok(&aws, "UpdateMapRun", json!({"mapRunArn": arn, "toleratedFailureCount": 0})).await;
    assert_eq!(ended(&aws, "e").await["error"], "States.ExceedToleratedFailureThreshold");
    let (code, message) = refused(&aws, "UpdateMapRun", json!({"mapRunArn": arn, "maxConcurrency": 2})).await;
    assert_eq!(code, "ValidationException");
    assert!(message.contains("Map Run is FAILED and cannot be updated"), "{message}");
}

#[tokio::test]
async fn map_runs_inside_map_runs_and_in_pages() {
    let mut inner = map(json!({"Label": "In"}));
    inner["ItemsPath"] = json!("$");
    let outer = json!({
        "Type": "Map", "End": true, "MaxConcurrency": 1,
        "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "I", "States": {"I": inner}},
    });
    let twice = json!({"Type": "Parallel", "End": true, "Branches": [
        {"StartAt": "A", "States": {"A": outer}}, {"StartAt": "B", "States": {"B": map(json!({"ItemsPath": "$[0]"}))}}]});
    let aws = with(twice).await;
    start(&aws, "e", "[[{\"do\":\"a\"},{\"do\":\"b\"}],[]]").await;
    let described = ended(&aws, "e").await;
    let output: Value = serde_json::from_str(described["output"].as_str().unwrap()).unwrap();
    let items = json!([{"do": "a"}, {"do": "b"}]);
    assert_eq!(output, json!([[items, []], items]));

    let first = ok(&aws, "ListMapRuns", json!({"executionArn": EXECUTION_E, "maxResults": 1})).await;
    let next = json!({"executionArn": EXECUTION_E, "maxResults": 1, "nextToken": first["nextToken"]});
    let second = ok(&aws, "ListMapRuns", next).await;
    assert!(second.get("nextToken").is_none());
    let found = [&first["mapRuns"][0], &second["mapRuns"][0]];
    let outer = found
        .iter()
        .find(|run| !run["mapRunArn"].as_str().unwrap().starts_with(&format!("{RUN}L:")))
        .unwrap();
    // A label that was not given is a UUID.
    let label = outer["stateMachineArn"].as_str().unwrap().rsplit('/').next().unwrap();
    assert_eq!((label.len(), label.matches('-').count()), (36, 4));
    let children = children(&aws, outer).await;
    assert_eq!(children.len(), 2);
    let inside = ok(&aws, "ListMapRuns", json!({"executionArn": children[0]["executionArn"]})).await;
    let arn = inside["mapRuns"][0]["mapRunArn"].as_str().unwrap();
    assert!(arn.starts_with(&format!("{RUN}In:")), "{arn}");
}

#[tokio::test]
async fn what_is_no_map_run_is_told_in_awss_words() {
    let aws = with(map(json!({}))).await;
    let none = format!("{RUN}L:none");
    for operation in ["DescribeMapRun", "ListExecutions"] {
        assert_eq!(
            refused(&aws, operation, json!({"mapRunArn": none})).await,
            ("ResourceNotFound".to_owned(), format!("Resource not found: '{none}'"))
        );
    }
    assert_eq!(refused(&aws, "DescribeMapRun", json!({"mapRunArn": EXECUTION_E})).await.0, "InvalidArn");
    assert_eq!(
        refused(&aws, "ListMapRuns", json!({"executionArn": EXECUTION_E})).await.0,
        "ExecutionDoesNotExist"
    );
    let both = json!({"mapRunArn": none, "stateMachineArn": MACHINE});
    assert_eq!(refused(&aws, "ListExecutions", both).await.0, "ValidationException");
    start(&aws, "e", &items(&["fail"])).await;
    ended(&aws, "e").await;
    let (code, message) = refused(&aws, "RedriveExecution", json!({"executionArn": EXECUTION_E})).await;
    assert_eq!(code, "ExecutionNotRedrivable");
    assert!(message.contains("start a new one"), "{message}");
}

#[tokio::test]
async fn deleting_the_machine_and_stopping_the_endpoint_end_map_runs() {
    for delete in [true, false] {
        let aws = with(map(json!({}))).await;
        start(&aws, "e", &items(&["wait", "wait"])).await;
        counts(&aws, "running", 2).await;
        if delete {
            ok(&aws, "DeleteStateMachine", json!({"stateMachineArn": MACHINE})).await;
        } else {
            aws.states.stop(&aws).await;
            assert_eq!(run(&aws).await["status"], "ABORTED");
        }
        assert_eq!(stands(&aws, "ABORTED").await["executionCounts"]["aborted"], 2);
        assert_eq!(ended(&aws, "e").await["status"], "ABORTED");
    }
}

#[tokio::test]
async fn map_runs_of_a_killed_process_are_aborted_at_the_next_start() {
    let aws = with(map(json!({}))).await;
    let revision = aws.store.get::<Machine>(records::MACHINE, "m").unwrap().revision;
    let parent = Execution::new("m", "e".to_owned(), &revision, "{}".to_owned());
    let run = MapRun {
        machine: "m".to_owned(),
        label: "L".to_owned(),
        uuid: "u".to_owned(),
        execution: EXECUTION_E.to_owned(),
        definition: "{}".to_owned(),
        status: Status::Running,
        started: parent.started,
        stopped: None,
        concurrency: 0,
        tolerated_count: None,
        tolerated_percentage: None,
        counts: Counts { pending: 3, ..Counts::default() },
    };
    let mut child = Execution::new("m", "c".to_owned(), &revision, "{}".to_owned());
    child.origin = Some(Origin { label: "L".to_owned(), run: "u".to_owned() });
    let mut over = Execution { name: "d".to_owned(), ..child.clone() };
    aws.store.transaction(|records| {
        parent.begin(records);
        run.begin(records, &parent.id());
        child.begin(records);
        over.begin(records);
        over.status = Status::Succeeded;
        over.stopped = Some(over.started);
        over.end(records);
    });
    aws.states.start(&aws).await;
    let described = ok(&aws, "DescribeMapRun", json!({"mapRunArn": format!("{RUN}L:u")})).await;
    let counts = &described["executionCounts"];
    assert_eq!(
        (
            &described["status"],
            &counts["aborted"],
            &counts["succeeded"],
            &counts["pending"],
            &counts["running"]
        ),
        (&json!("ABORTED"), &json!(1), &json!(1), &json!(1), &json!(0))
    );
    assert_eq!(children(&aws, &described).await.len(), 2);

    // A new machine of the name knows nothing of the old one's.
    ok(&aws, "DeleteStateMachine", json!({"stateMachineArn": MACHINE})).await;
    let definition = machine("P", json!({"P": {"Type": "Pass", "End": true}})).to_string();
    ok(&aws, "CreateStateMachine", json!({"name": "m", "definition": definition, "roleArn": ROLE})).await;
    for kind in [super::record::MAP_RUN, super::record::OF_EXECUTION, records::CHILD, records::EXECUTION] {
        assert!(aws.store.list::<Value>(kind).is_empty(), "{kind}");
    }
}
