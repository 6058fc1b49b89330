//! The events of every kind of state and their chains, as read off AWS.

use serde_json::json;

use super::*;

fn pass(next: Option<&str>) -> Value {
    match next {
        Some(next) => json!({"Type": "Pass", "Next": next}),
        None => json!({"Type": "Pass", "End": true}),
    }
}

#[tokio::test]
async fn a_task_is_entered_scheduled_started_and_left() {
    let stage = Stage::new(&[("f", &[Act::Gives(json!({"y": 2}))])]);
    let played = single(task("f", json!({"TimeoutSeconds": 60})), json!({"x": 1}), stage).await;
    assert_eq!(
        played.types(),
        [
            "ExecutionStarted",
            "TaskStateEntered",
            "LambdaFunctionScheduled",
            "LambdaFunctionStarted",
            "LambdaFunctionSucceeded",
            "TaskStateExited",
            "ExecutionSucceeded"
        ]
    );
    assert_eq!(played.previous(), [0, 0, 2, 3, 4, 5, 6]);
    let ids: Vec<_> = played.events.iter().map(|event| event["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(
        played.events[1],
        json!({
            "timestamp": 1_795_514_400.123_f64, "type": "TaskStateEntered", "id": 2, "previousEventId": 0,
            "stateEnteredEventDetails": {"name": "S", "input": "{\"x\":1}", "inputDetails": {"truncated": false}}
        })
    );
    assert_eq!(
        played.events[2]["lambdaFunctionScheduledEventDetails"],
        json!({
            "resource": arn("f"), "input": "{\"x\":1}", "inputDetails": {"truncated": false}, "timeoutInSeconds": 60
        })
    );
    assert!(played.events[3].get("lambdaFunctionStartedEventDetails").is_none());
    let output = json!({"output": "{\"y\":2}", "outputDetails": {"truncated": false}});
    assert_eq!(played.events[4]["lambdaFunctionSucceededEventDetails"], output);
    assert_eq!(
        played.events[5]["stateExitedEventDetails"],
        json!({
            "name": "S", "output": "{\"y\":2}", "outputDetails": {"truncated": false}
        })
    );
}

#[tokio::test]
async fn lambdas_own_integration_has_task_events() {
    let state = json!({
        "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": true,
        "Parameters": {"FunctionName": "f", "Payload.$": "$", "LogType": "Tail"}, "HeartbeatSeconds": 7
    });
    let played = single(state, json!({"x": 1}), Stage::new(&[("f", &[Act::Echoes])])).await;
    assert_eq!(played.types()[2..5], ["TaskScheduled", "TaskStarted", "TaskSucceeded"]);
    let scheduled = &played.events[2]["taskScheduledEventDetails"];
    assert_eq!((&scheduled["resourceType"], &scheduled["resource"]), (&json!("lambda"), &json!("invoke")));
    assert_eq!((&scheduled["region"], &scheduled["heartbeatInSeconds"]), (&json!("us-east-1"), &json!(7)));
    assert!(scheduled["parameters"].as_str().unwrap().contains("\"FunctionName\":\"f\""));
    assert_eq!(
        played.events[3]["taskStartedEventDetails"],
        json!({"resourceType": "lambda", "resource": "invoke"})
    );
    assert_eq!(played.events[4]["taskSucceededEventDetails"]["resource"], "invoke");
    let called = json!({"FunctionName": "f", "Payload": {"x": 1}, "LogType": "Tail"});
    assert_eq!(played.payloads("f"), [called]);
}

#[tokio::test]
async fn choice_wait_and_succeed_are_entered_and_left_but_fail_is_entered_only() {
    let definition = machine(
        "C",
        json!({
            "C": {"Type": "Choice", "Choices": [{"Variable": "$.ok", "BooleanEquals": true, "Next": "W"}], "Default": "F"},
            "W": {"Type": "Wait", "Seconds": 5, "Next": "G"},
            "G": {"Type": "Succeed"},
            "F": {"Type": "Fail", "Error": "E", "Cause": "C"}
        }),
    );
    let played = play(&definition, json!({"ok": true}), Stage::default()).await;
    assert_eq!(
        played.types(),
        [
            "ExecutionStarted",
            "ChoiceStateEntered",
            "ChoiceStateExited",
            "WaitStateEntered",
            "WaitStateExited",
            "SucceedStateEntered",
            "SucceedStateExited",
            "ExecutionSucceeded"
        ]
    );
    assert_eq!(played.slept(), [5.0]);
    let played = play(&definition, json!({"ok": false}), Stage::default()).await;
    assert_eq!(
        played.types(),
        [
            "ExecutionStarted",
            "ChoiceStateEntered",
            "ChoiceStateExited",
            "FailStateEntered",
            "ExecutionFailed"
        ]
    );
    assert_eq!(played.previous(), [0, 0, 2, 3, 4]);
    assert_eq!(played.error(), ("E", "C"));
}

#[tokio::test]
async fn the_branches_of_a_parallel_are_chains_of_their_own() {
    let branch = |a: &str, b: &str| machine(a, json!({a: pass(Some(b)), b: pass(None)}));
    let definition = machine(
        "P",
        json!({
            "P": {"Type": "Parallel", "Branches": [branch("A1", "A2"), branch("B1", "B2")], "Next": "After"},
            "After": pass(None)
        }),
    );
    let played = play(&definition, json!({"x": 1}), Stage::default()).await;
    assert_eq!(played.events.len(), 16);
    assert_eq!(played.types()[..3], ["ExecutionStarted", "ParallelStateEntered", "ParallelStateStarted"]);
    assert_eq!(
        played.types()[11..],
        [
            "ParallelStateSucceeded",
            "ParallelStateExited",
            "PassStateEntered",
            "PassStateExited",
            "ExecutionSucceeded"
        ]
    );
    let of = |kind: &str, name: &str| {
        let details =
            if kind == "PassStateEntered" { "stateEnteredEventDetails" } else { "stateExitedEventDetails" };
        played.events.iter().find(|e| e["type"] == kind && e[details]["name"] == name).unwrap()
    };
    for branch in ["A", "B"] {
        let (first, second) = (format!("{branch}1"), format!("{branch}2"));
        assert_eq!(of("PassStateEntered", &first)["previousEventId"], 3);
        assert_eq!(of("PassStateExited", &first)["previousEventId"], of("PassStateEntered", &first)["id"]);
        assert_eq!(of("PassStateEntered", &second)["previousEventId"], of("PassStateExited", &first)["id"]);
    }
    // The exit follows the branches' last event, past the success.
    assert_eq!(played.previous()[11..], [11, 11, 13, 14, 15]);
    assert_eq!(played.result, Ok(json!([{"x": 1}, {"x": 1}])));
}

#[tokio::test]
async fn a_fail_state_in_a_branch_fails_the_parallel_and_aborts_the_others() {
    let boom = machine("Boom", json!({"Boom": {"Type": "Fail", "Error": "MyError", "Cause": "my cause"}}));
    let definition = |more: Value| {
        let mut state = json!({"Type": "Parallel", "Branches": [boom], "End": true});
        for (name, value) in more.as_object().unwrap() {
            state[name] = value.clone();
        }
        state
    };
    let played = single(definition(json!({})), json!({}), Stage::default()).await;
    assert_eq!(
        played.types(),
        [
            "ExecutionStarted",
            "ParallelStateEntered",
            "ParallelStateStarted",
            "FailStateEntered",
            "ParallelStateFailed",
            "ExecutionFailed"
        ]
    );
    assert_eq!(played.previous(), [0, 0, 2, 3, 4, 5]);
    assert_eq!(played.error(), ("MyError", "my cause"));

    let again = json!({"Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 1}]});
    let played = single(definition(again), json!({}), Stage::default()).await;
    assert_eq!(
        played.types(),
        [
            "ExecutionStarted",
            "ParallelStateEntered",
            "ParallelStateStarted",
            "FailStateEntered",
            "ParallelStateStarted",
            "FailStateEntered",
            "ParallelStateFailed",
            "ExecutionFailed"
        ]
    );
    assert_eq!(played.previous(), [0, 0, 2, 3, 4, 5, 6, 7]);

    let slow = machine("T", json!({"T": task("f", json!({}))}));
    let quick = machine("Q", json!({"Q": task("g", json!({}))}));
    let state = json!({"Type": "Parallel", "Branches": [slow, quick], "End": true});
    let stage = Stage::new(&[("f", &[Act::Hangs]), ("g", &[Act::Raises("E")])]);
    let played = single(state, json!({}), stage).await;
    let types = played.types();
    assert_eq!(
        types[types.len() - 5..],
        [
            "LambdaFunctionFailed",
            "TaskStateAborted",
            "TaskStateAborted",
            "ParallelStateFailed",
            "ExecutionFailed"
        ]
    );
}

#[tokio::test]
async fn a_failing_task_in_a_branch_is_recorded_as_aborted_beside_the_chain() {
    let branch = machine("T", json!({"T": task("f", json!({}))}));
    let definition = machine(
        "P",
        json!({
            "P": {"Type": "Parallel", "Branches": [branch], "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "H"}], "End": true},
            "H": pass(None)
        }),
    );
    let played = play(&definition, json!({}), Stage::new(&[("f", &[Act::Raises("E")])])).await;
    assert_eq!(
        played.types()[3..10],
        [
            "TaskStateEntered",
            "LambdaFunctionScheduled",
            "LambdaFunctionStarted",
            "LambdaFunctionFailed",
            "TaskStateAborted",
            "ParallelStateFailed",
            "ParallelStateExited"
        ]
    );
    assert_eq!(played.previous()[3..], [3, 4, 5, 6, 7, 7, 9, 10, 11, 12]);
}

#[tokio::test]
async fn what_cannot_be_carried_out_ends_everything_without_further_events() {
    let fast =
        machine("Fast", json!({"Fast": {"Type": "Pass", "Parameters": {"m.$": "$.nope"}, "End": true}}));
    let all = json!([{"ErrorEquals": ["States.ALL"], "Next": "H"}]);
    let definition = machine(
        "P",
        json!({
            "P": {"Type": "Parallel", "Branches": [fast], "Catch": all, "End": true}, "H": pass(None)
        }),
    );
    let played = play(&definition, json!({"x": "a"}), Stage::default()).await;
    assert_eq!(
        played.types(),
        [
            "ExecutionStarted",
            "ParallelStateEntered",
            "ParallelStateStarted",
            "PassStateEntered",
            "ExecutionFailed"
        ]
    );
    assert_eq!(played.previous(), [0, 0, 2, 3, 4]);
    assert_eq!(
        played.error(),
        (
            "States.Runtime",
            "An error occurred while executing the state 'Fast' (entered at the event id #4). The JSONPath '$.nope' specified \
         for the field 'm.$' could not be found in the input '{\"x\":\"a\"}'"
        )
    );
    let definition = machine(
        "M",
        json!({
            "M": {"Type": "Map", "ItemsPath": "$.l", "MaxConcurrency": 1, "ItemProcessor": fast, "Catch": all, "End": true},
            "H": pass(None)
        }),
    );
    let played = play(&definition, json!({"l": [1, 2]}), Stage::default()).await;
    assert_eq!(
        played.types(),
        [
            "ExecutionStarted",
            "MapStateEntered",
            "MapStateStarted",
            "MapIterationStarted",
            "PassStateEntered",
            "ExecutionFailed"
        ]
    );
    assert_eq!(played.previous(), [0, 0, 2, 3, 4, 5]);
}

#[tokio::test]
async fn the_iterations_of_a_map_are_framed_by_their_events() {
    let definition = machine(
        "M",
        json!({
            "M": {
                "Type": "Map", "ItemsPath": "$.l", "Next": "After",
                "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, "StartAt": "I1", "States": {"I1": pass(Some("I2")), "I2": pass(None)}}
            },
            "After": pass(None)
        }),
    );
    let played = play(&definition, json!({"l": [7, 8]}), Stage::default()).await;
    assert_eq!(played.events.len(), 20);
    assert_eq!(played.events[2]["mapStateStartedEventDetails"], json!({"length": 2}));
    for index in 0..2 {
        let of = |kind: &str, details: &str| {
            played.events.iter().find(|e| e["type"] == kind && e[details]["index"] == index).unwrap().clone()
        };
        let started = of("MapIterationStarted", "mapIterationStartedEventDetails");
        assert_eq!(started["mapIterationStartedEventDetails"], json!({"name": "M", "index": index}));
        assert_eq!(started["previousEventId"], 3);
        let first = played.events.iter().find(|e| e["previousEventId"] == started["id"]).unwrap();
        assert_eq!(first["stateEnteredEventDetails"]["name"], "I1");
        let ended = of("MapIterationSucceeded", "mapIterationSucceededEventDetails");
        let last = &played.events[usize::try_from(ended["previousEventId"].as_u64().unwrap()).unwrap() - 1];
        assert_eq!(last["stateExitedEventDetails"]["name"], "I2");
    }
    assert_eq!(
        played.types()[14..],
        [
            "MapIterationSucceeded",
            "MapStateSucceeded",
            "MapStateExited",
            "PassStateEntered",
            "PassStateExited",
            "ExecutionSucceeded"
        ]
    );
    assert_eq!(played.previous()[15..17], [15, 15]);
    assert_eq!(played.result, Ok(json!([7, 8])));

    let played = play(&definition, json!({"l": []}), Stage::default()).await;
    assert_eq!(
        played.types()[..5],
        ["ExecutionStarted", "MapStateEntered", "MapStateStarted", "MapStateSucceeded", "MapStateExited"]
    );
    assert_eq!(played.previous()[..5], [0, 0, 2, 3, 3]);
    assert_eq!(played.result, Ok(json!([])));
}

#[tokio::test]
async fn a_failing_iteration_ends_the_others() {
    let definition = machine(
        "M",
        json!({
            "M": {
                "Type": "Map", "End": true,
                "ItemProcessor": machine("C", json!({
                    "C": {"Type": "Choice", "Choices": [{"Variable": "$", "NumericEquals": 1, "Next": "Bad"}], "Default": "Slow"},
                    "Bad": task("bad", json!({})), "Slow": task("slow", json!({}))
                })),
                "Catch": [{"ErrorEquals": ["Boom"], "ResultPath": "$.error", "Next": "H"}]
            },
            "H": pass(None)
        }),
    );
    let stage = Stage::new(&[("bad", &[Act::Raises("Boom")]), ("slow", &[Act::Hangs])]);
    let definition = {
        let mut definition = definition;
        definition["States"]["M"]["ItemsPath"] = json!("$.l");
        definition
    };
    let played = play(&definition, json!({"l": [0, 1, 2]}), stage).await;
    let types = played.types();
    let failed = types.iter().position(|t| *t == "LambdaFunctionFailed").unwrap();
    assert_eq!(
        types[failed..],
        [
            "LambdaFunctionFailed",
            "TaskStateAborted",
            "MapIterationFailed",
            "TaskStateAborted",
            "MapIterationAborted",
            "TaskStateAborted",
            "MapIterationAborted",
            "MapStateFailed",
            "MapStateExited",
            "PassStateEntered",
            "PassStateExited",
            "ExecutionSucceeded"
        ]
    );
    let id = failed as u64 + 1;
    // The state's chain goes on from the task's failure; the frames hang beside it.
    assert_eq!(played.previous()[failed + 1..failed + 3], [id, id]);
    assert_eq!(played.previous()[failed + 7..failed + 9], [id, id + 7]);
    let indices: Vec<_> =
        played.events.iter().filter_map(|e| e["mapIterationAbortedEventDetails"]["index"].as_u64()).collect();
    assert_eq!(indices, [0, 2]);
    let cause = "{\"errorMessage\":\"Boom!\",\"errorType\":\"Boom\"}";
    let output = played.result.unwrap();
    assert_eq!(output["l"], json!([0, 1, 2]));
    assert_eq!(output["error"]["Error"], "Boom");
    let sorted: Value = serde_json::from_str(output["error"]["Cause"].as_str().unwrap()).unwrap();
    assert_eq!(sorted, serde_json::from_str::<Value>(cause).unwrap());
}

#[tokio::test]
async fn an_endless_machine_ends_at_25000_events() {
    let definition = machine(
        "Loop",
        json!({
            "Loop": {"Type": "Choice", "Choices": [{"Variable": "$.spin", "BooleanEquals": true, "Next": "Loop"}], "Default": "End"},
            "End": {"Type": "Succeed"}
        }),
    );
    let played = play(&definition, json!({"spin": true}), Stage::default()).await;
    assert_eq!(played.events.len(), 25_000);
    assert_eq!(played.types()[24_998..], ["ChoiceStateExited", "ExecutionFailed"]);
    assert_eq!(played.previous()[24_999], 24_999);
    assert_eq!(
        played.error(),
        ("States.Runtime", "The execution reached the maximum number of history events (25000).")
    );
}

#[tokio::test]
async fn a_choice_that_matches_nothing_fails_as_on_aws() {
    let definition = machine(
        "C",
        json!({
            "C": {"Type": "Choice", "Choices": [{"Variable": "$.x", "StringEquals": "never", "Next": "D"}]}, "D": pass(None)
        }),
    );
    let played = play(&definition, json!({"x": "a"}), Stage::default()).await;
    assert_eq!(played.types(), ["ExecutionStarted", "ChoiceStateEntered", "ExecutionFailed"]);
    assert_eq!(
        played.error(),
        (
            "States.Runtime",
            "An error occurred while executing the state 'C' (entered at the event id #2). Failed to transition out of the \
         state. The state does not point to a next state."
        )
    );
}
