//! Distributed Maps as the execution sees them that waits for one.

use serde_json::json;

use super::*;

/// A distributed Map that ends, with these fields besides.
fn map(more: Value) -> Value {
    let config = json!({"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"});
    let processor =
        json!({"ProcessorConfig": config, "StartAt": "I", "States": {"I": {"Type": "Pass", "End": true}}});
    let mut state = json!({"Type": "Map", "ItemProcessor": processor, "End": true});
    for (name, value) in more.as_object().unwrap() {
        state[name] = value.clone();
    }
    state
}

/// The reader of an object whose content is the input's `text`.
fn reader(config: Value) -> Value {
    json!({"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": config, "Parameters": {"Bucket": "b", "Key.$": "$.text"}})
}

#[tokio::test]
async fn a_map_run_is_framed_by_its_events() {
    let selector = json!({"n.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value", "all.$": "$"});
    let played = single(map(json!({"ItemSelector": selector})), json!(["a", "b"]), Stage::default()).await;
    let inputs = json!([{"n": 0, "v": "a", "all": ["a", "b"]}, {"n": 1, "v": "b", "all": ["a", "b"]}]);
    assert_eq!(played.result, Ok(inputs));
    assert_eq!(
        played.types()[1..],
        [
            "MapStateEntered",
            "MapStateStarted",
            "MapRunStarted",
            "MapRunSucceeded",
            "MapStateSucceeded",
            "MapStateExited",
            "ExecutionSucceeded"
        ]
    );
    // As recorded: the exit follows the run's success, not the state's.
    assert_eq!(played.previous(), [0, 0, 2, 3, 4, 5, 5, 7]);
    assert_eq!(played.events[2]["mapStateStartedEventDetails"], json!({"length": 2}));
    assert_eq!(played.events[3]["mapRunStartedEventDetails"], json!({"mapRunArn": "arn:run"}));
}

#[tokio::test]
async fn items_come_from_an_object() {
    for (config, text, items) in [
        (json!({"InputType": "JSON"}), "[1,[2]]", json!([1, [2]])),
        (json!({"InputType": "JSON", "MaxItems": 2}), "[1,2,3]", json!([1, 2])),
        (json!({"InputType": "JSON", "MaxItems": 0}), "[1,2,3]", json!([1, 2, 3])),
        (json!({"InputType": "JSON", "MaxItemsPath": "$.most"}), "[1,2,3]", json!([1])),
        (json!({"InputType": "JSONL"}), "{\"a\":1}\n\n2\r\n", json!([{"a": 1}, 2])),
    ] {
        // ItemsPath has no effect beside a reader.
        let state = map(json!({"ItemReader": reader(config), "ItemsPath": "$.nothing"}));
        let played = single(state, json!({"text": text, "most": 1}), Stage::default()).await;
        assert_eq!(played.result, Ok(items), "{text}");
        assert_eq!(played.events[2]["mapStateStartedEventDetails"], json!({"length": 0}));
    }
}

#[tokio::test]
async fn items_that_cannot_be_read_fail_the_run() {
    for (config, text, cause) in [
        (json!({"InputType": "JSON"}), "{\"a\": [1]}", "Attempting to map over non-iterable node."),
        (json!({"InputType": "JSON", "MaxItemsPath": "$.most"}), "[1]", "field MaxItems must be positive"),
        (
            json!({"InputType": "JSON"}),
            "[1",
            "The items are not valid JSON: EOF while parsing a list at line 1 column 2",
        ),
        (
            json!({"InputType": "JSONL"}),
            "1\nx",
            "The items are not valid JSON: expected value at line 1 column 1",
        ),
    ] {
        let state = map(json!({"ItemReader": reader(config)}));
        let played = single(state, json!({"text": text, "most": -1}), Stage::default()).await;
        assert_eq!(played.error(), ("States.ItemReaderFailed", cause));
        assert_eq!(
            played.types()[3..],
            ["MapRunStarted", "MapRunFailed", "MapStateFailed", "ExecutionFailed"]
        );
        assert_eq!(played.previous()[3..], [3, 4, 5, 6]);
        let details = json!({"error": "States.ItemReaderFailed", "cause": cause});
        assert_eq!(played.events[4]["mapRunFailedEventDetails"], details);
    }
}

#[tokio::test]
async fn a_failed_run_is_caught_and_retried_as_any_error() {
    let errors = json!(["States.ItemReaderFailed"]);
    let more = json!({
        "ItemReader": reader(json!({"InputType": "JSON"})),
        "Retry": [{"ErrorEquals": errors, "MaxAttempts": 1}],
        "Catch": [{"ErrorEquals": errors, "Next": "C", "ResultPath": "$.e"}],
    });
    let states = json!({"S": map(more), "C": {"Type": "Pass", "End": true}});
    let played = play(&machine("S", states), json!({"text": "3"}), Stage::default()).await;
    assert_eq!(played.result.as_ref().unwrap()["e"]["Error"], "States.ItemReaderFailed");
    assert_eq!(played.types().iter().filter(|kind| **kind == "MapRunFailed").count(), 2);
}

#[tokio::test]
async fn limits_come_from_the_definition_or_the_input() {
    let fixed = json!({"MaxConcurrency": 3, "ToleratedFailureCount": 2, "ToleratedFailurePercentage": 12.5});
    let by_path = json!({
        "MaxConcurrencyPath": "$.c", "ToleratedFailureCountPath": "$.n", "ToleratedFailurePercentagePath": "$.p",
    });
    for more in [fixed, by_path] {
        let mut more = more;
        more["ItemsPath"] = json!("$.l");
        more["ResultWriter"] = json!({
            "Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "b", "Prefix.$": "$.prefix"},
            "WriterConfig": {"Transformation": "FLATTEN", "OutputType": "JSONL"},
        });
        let input = json!({"l": [], "c": 3, "n": 2, "p": 12.5, "prefix": "x"});
        let played = single(map(more), input, Stage::default()).await;
        let tolerance = Tolerance { count: Some(2), percentage: Some(12.5) };
        let export = Export {
            destination: Some(json!({"Bucket": "b", "Prefix": "x"})),
            transformation: asl::Transformation::Flatten,
            lines: true,
        };
        assert_eq!(*played.stage.runs.lock().unwrap(), [(3, tolerance, Some(export))]);
    }
}

#[tokio::test]
async fn limits_that_are_none_fail_before_the_run_starts() {
    let place = "An error occurred while executing the state 'S' (entered at the event id #2). ";
    for (field, value, why) in [
        (
            "ToleratedFailureCount",
            json!("NoNumber"),
            "The ToleratedFailureCountPath field refers to value \"NoNumber\" which is not a valid integer: $.x",
        ),
        ("ToleratedFailureCount", json!(-1), "ToleratedFailureCount cannot be negative."),
        (
            "ToleratedFailurePercentage",
            json!("NoNumber"),
            "The ToleratedFailurePercentagePath field refers to value \"NoNumber\" which is not a valid float: $.x",
        ),
        ("ToleratedFailurePercentage", json!(-1.1), "ToleratedFailurePercentage must be between 0 and 100."),
        ("ToleratedFailurePercentage", json!(100.1), "ToleratedFailurePercentage must be between 0 and 100."),
    ] {
        let state = map(json!({"ItemsPath": "$.l", format!("{field}Path"): "$.x"}));
        let played = single(state, json!({"l": [0], "x": value}), Stage::default()).await;
        assert_eq!(played.error(), ("States.Runtime", format!("{place}{why}").as_str()));
        assert_eq!(played.types()[2..], ["MapStateStarted", "ExecutionFailed"]);
    }
    let state = map(json!({"ItemReader": reader(json!({"InputType": "JSON", "MaxItemsPath": "$.x"}))}));
    let played = single(state, json!({"text": "[]", "x": 1.5}), Stage::default()).await;
    let why = "The MaxItemsPath field refers to value \"1.5\" which is not a valid integer: $.x";
    assert_eq!(played.error().1, format!("{place}{why}"));
}

#[tokio::test]
async fn a_run_that_is_stopped_says_so() {
    let fail = json!({"StartAt": "F", "States": {"F": {"Type": "Task", "Resource": arn("f"), "End": true}}});
    let run = json!({"StartAt": "M", "States": {"M": map(json!({"ItemsPath": "$.l"}))}});
    let parallel = json!({"Type": "Parallel", "Branches": [run, fail], "End": true});
    let stage = Stage::new(&[("f", &[Act::Raises("Boom")])]);
    let played = single(parallel, json!({"l": ["hangs"]}), stage).await;
    let types = played.types();
    assert!(types.contains(&"MapRunStarted"), "{types:?}");
    let at =
        |kind: &str| types.iter().position(|found| *found == kind).unwrap_or_else(|| panic!("{types:?}"));
    assert!(
        at("MapRunStarted") < at("MapRunAborted") && at("MapRunAborted") < at("MapStateAborted"),
        "{types:?}"
    );
}

#[test]
fn failures_are_tolerated_by_number_or_share() {
    let tolerance = |count, percentage| Tolerance { count, percentage };
    for (tolerance, failed, total, exceeded) in [
        (tolerance(None, None), 0, 3, false),
        (tolerance(None, None), 1, 3, true),
        (tolerance(Some(1), None), 1, 3, false),
        (tolerance(Some(1), None), 2, 3, true),
        (tolerance(None, Some(50.0)), 2, 4, false),
        (tolerance(None, Some(50.0)), 3, 4, true),
        (tolerance(Some(3), Some(25.0)), 2, 4, true),
        (tolerance(Some(1), Some(100.0)), 2, 4, true),
        (tolerance(None, Some(100.0)), 4, 4, false),
        (tolerance(None, Some(0.0)), 0, 0, false),
    ] {
        assert_eq!(tolerance.exceeded(failed, total), exceeded, "{tolerance:?} {failed}/{total}");
    }
}

#[tokio::test]
async fn a_task_that_is_taken_over_is_submitted_first() {
    let start = |action: &str| json!({"Type": "Task", "Resource": format!("arn:aws:states:::states:{action}"), "Parameters": {"StateMachineArn": "m"}, "End": true});
    let ended = Act::Takes(Some(Ok(json!({"Output": 1}))));
    let played =
        single(start("startExecution.sync:2"), json!({}), Stage::new(&[("machine", &[ended])])).await;
    assert_eq!(played.result, Ok(json!({"Output": 1})));
    assert_eq!(played.types()[2..6], ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded"]);
    assert_eq!(
        played.events[4]["taskSubmittedEventDetails"],
        json!({"output": "\"taken over\"", "outputDetails": {"truncated": false}, "resourceType": "states", "resource": "startExecution.sync:2"})
    );
    let mut state = start("startExecution.sync");
    state["TimeoutSeconds"] = json!(3);
    let played = single(state, json!({}), Stage::new(&[("machine", &[Act::Takes(None)])])).await;
    assert_eq!(played.error().0, "States.Timeout");
    assert_eq!(played.types()[4..6], ["TaskSubmitted", "TaskTimedOut"]);
}
