//! Input and output processing, waits and the context object.

use serde_json::json;

use super::*;

#[tokio::test]
async fn data_passes_through_the_fields_in_their_order() {
    let state = task(
        "f",
        json!({
            "InputPath": "$.in",
            "Parameters": {"p.$": "$.a", "c": "const"},
            "ResultSelector": {"r.$": "$.result"},
            "ResultPath": "$.out.here",
            "OutputPath": "$.out"
        }),
    );
    let stage = Stage::new(&[("f", &[Act::Gives(json!({"result": 5, "noise": 6}))])]);
    let played = single(state, json!({"in": {"a": 1}, "out": {"kept": true}}), stage).await;
    assert_eq!(played.payloads("f"), [json!({"p": 1, "c": "const"})]);
    assert_eq!(played.result, Ok(json!({"kept": true, "here": {"r": 5}})));
}

#[tokio::test]
async fn null_paths_drop_data() {
    let stage = || Stage::new(&[("f", &[Act::Gives(json!("result"))])]);
    let played = single(task("f", json!({"InputPath": null})), json!({"a": 1}), stage()).await;
    assert_eq!(played.payloads("f"), [json!({})]);
    let played = single(task("f", json!({"ResultPath": null})), json!({"a": 1}), stage()).await;
    assert_eq!(played.result, Ok(json!({"a": 1})));
    let played = single(task("f", json!({"OutputPath": null})), json!({"a": 1}), stage()).await;
    assert_eq!(played.result, Ok(json!({})));
}

#[tokio::test]
async fn a_pass_gives_its_result_parameters_or_input() {
    let pass = |more: Value| {
        let mut state = json!({"Type": "Pass", "End": true});
        for (name, value) in more.as_object().unwrap() {
            state[name] = value.clone();
        }
        single(state, json!({"a": 1}), Stage::default())
    };
    assert_eq!(pass(json!({})).await.result, Ok(json!({"a": 1})));
    assert_eq!(pass(json!({"Result": [1]})).await.result, Ok(json!([1])));
    assert_eq!(pass(json!({"Result": 2, "ResultPath": "$.b"})).await.result, Ok(json!({"a": 1, "b": 2})));
    assert_eq!(pass(json!({"Parameters": {"b.$": "$.a"}})).await.result, Ok(json!({"b": 1})));
    assert_eq!(
        pass(json!({"InputPath": "$.a", "ResultPath": "$.c"})).await.result,
        Ok(json!({"a": 1, "c": 1}))
    );
}

#[tokio::test]
async fn the_context_object_knows_execution_machine_and_state() {
    let state = json!({"Type": "Pass", "End": true, "Parameters": {
        "id.$": "$$.Execution.Id", "name.$": "$$.Execution.Name", "input.$": "$$.Execution.Input.a",
        "role.$": "$$.Execution.RoleArn", "start.$": "$$.Execution.StartTime", "state.$": "$$.State.Name",
        "entered.$": "$$.State.EnteredTime", "machine.$": "$$.StateMachine.Name", "machineId.$": "$$.StateMachine.Id"
    }});
    assert_eq!(
        single(state, json!({"a": 1}), Stage::default()).await.result,
        Ok(json!({
            "id": "arn:execution", "name": "e", "input": 1, "role": "arn:role", "start": "2026-11-24T10:00:00.000Z", "state": "S",
            "entered": "2026-11-24T10:00:00.123Z", "machine": "m", "machineId": "arn:machine"
        }))
    );
    let from_context =
        json!({"Type": "Pass", "InputPath": "$$.StateMachine", "OutputPath": "$.Name", "End": true});
    assert_eq!(single(from_context, json!({}), Stage::default()).await.result, Ok(json!("m")));
}

#[tokio::test]
async fn waits_take_seconds_or_a_time() {
    for (wait, input, seconds) in [
        (json!({"Seconds": 90}), json!({}), 90.0),
        (json!({"Seconds": 0}), json!({}), 0.0),
        (json!({"SecondsPath": "$.s"}), json!({"s": 7}), 7.0),
        (json!({"Timestamp": "2026-11-24T10:01:00.123Z"}), json!({}), 60.0),
        (json!({"TimestampPath": "$.t"}), json!({"t": "2026-11-24T11:00:02.123+01:00"}), 2.0),
        (json!({"Timestamp": "2020-01-01T00:00:00Z"}), json!({}), 0.0),
    ] {
        let mut state = wait.clone();
        state["Type"] = json!("Wait");
        state["End"] = json!(true);
        let played = single(state, input.clone(), Stage::default()).await;
        assert_eq!((played.slept(), played.result), (vec![seconds], Ok(input)), "{wait}");
    }
    for (field, input) in [
        ("SecondsPath", json!({"x": -1})),
        ("SecondsPath", json!({})),
        ("TimestampPath", json!({"x": "soon"})),
    ] {
        let played =
            single(json!({"Type": "Wait", field: "$.x", "End": true}), input, Stage::default()).await;
        assert_eq!(played.error().0, "States.Runtime");
    }
}

#[tokio::test]
async fn paths_that_lead_nowhere_read_as_on_aws() {
    for (more, words) in [
        (json!({"InputPath": "$.no"}), "Invalid path '$.no' : No results for path: $['no']"),
        (json!({"OutputPath": "$.no.where"}), "Invalid path '$.no.where' : Missing property in path $['no']"),
        (
            json!({"Parameters": {"b.$": "$.no"}}),
            "The JSONPath '$.no' specified for the field 'b.$' could not be found in the input '{\"a\":1}'",
        ),
    ] {
        let mut state = json!({"Type": "Pass", "End": true});
        for (name, value) in more.as_object().unwrap() {
            state[name] = value.clone();
        }
        let played = single(state, json!({"a": 1}), Stage::default()).await;
        let (error, cause) = played.error();
        assert_eq!(error, "States.Runtime");
        assert!(
            cause.starts_with(
                "An error occurred while executing the state 'S' (entered at the event id #2). "
            ),
            "{cause}"
        );
        assert!(cause.contains(words), "{cause}");
    }
    let failing = json!({"Type": "Pass", "Parameters": {"x.$": "States.StringToJson('{')"}, "End": true});
    let played = single(failing, json!({}), Stage::default()).await;
    assert_eq!(played.error().0, "States.IntrinsicFailure");
}
