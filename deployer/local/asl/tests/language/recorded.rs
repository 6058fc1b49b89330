//! Cases in which executions on AWS were seen to do something else than one would expect.

use serde_json::json;

use super::*;

/// What a Pass state with these parameters gives.
async fn passed(parameters: Value, input: Value) -> Result<Value, Failure> {
    single(json!({"Type": "Pass", "Parameters": parameters, "End": true}), input, Stage::default())
        .await
        .result
}

#[tokio::test]
async fn queries_of_what_is_not_there_find_nothing() {
    for path in ["$.items[*]", "$.items[*].value", "$.items[1:]", "$.a.items[:1]", "$.a.items[1:5].value"] {
        assert_eq!(passed(json!({"x.$": path}), json!({})).await, Ok(json!({"x": []})), "{path}");
    }
}

#[tokio::test]
async fn an_iteration_follows_the_states_of_the_one_whose_place_it_takes() {
    let inner = json!({"StartAt": "I", "States": {"I": {"Type": "Pass", "End": true}}});
    let map = json!({"Type": "Map", "MaxConcurrency": 1, "ItemProcessor": inner, "End": true});
    let played = single(map.clone(), json!([1, 2]), Stage::default()).await;
    assert_eq!(
        played.types()[2..],
        [
            "MapStateStarted",
            "MapIterationStarted",
            "PassStateEntered",
            "PassStateExited",
            "MapIterationSucceeded",
            "MapIterationStarted",
            "PassStateEntered",
            "PassStateExited",
            "MapIterationSucceeded",
            "MapStateSucceeded",
            "MapStateExited",
            "ExecutionSucceeded"
        ]
    );
    // Event 8 follows event 6, the exit of the state before it, and the Map's exit the last iteration's success.
    assert_eq!(played.previous()[2..], [2, 3, 4, 5, 6, 6, 8, 9, 10, 11, 11, 13]);
}

#[tokio::test]
async fn only_states_that_may_be_retried_count_their_attempts() {
    let place = passed(json!({"s.$": "$$.State"}), json!({})).await.unwrap();
    assert_eq!(place, json!({"s": {"Name": "S", "EnteredTime": "2026-11-24T10:00:00.123Z"}}));
    let stage = Stage::new(&[("f", &[Act::Echoes])]);
    let counted = task("f", json!({"Parameters": {"n.$": "$$.State.RetryCount"}}));
    assert_eq!(single(counted, json!({}), stage).await.result, Ok(json!({"n": 0})));
}

#[tokio::test]
async fn numbers_and_times_from_the_input_are_refused_in_aws_s_words() {
    let inner = json!({"StartAt": "I", "States": {"I": {"Type": "Pass", "End": true}}});
    let map = json!({"Type": "Map", "ItemsPath": "$.l", "MaxConcurrencyPath": "$.x", "ItemProcessor": inner});
    let wait = |field: &str| json!({"Type": "Wait", field: "$.x"});
    let refers = |value: &str| {
        format!("The MaxConcurrencyPath field refers to value \"{value}\" which is not a valid integer: $.x")
    };
    let time = "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: $.x == ";
    for (mut state, x, cause) in [
        (map.clone(), json!("many"), refers("many")),
        (map, json!({}), refers("{}")),
        (
            wait("SecondsPath"),
            json!(-1),
            "The SecondsPath parameter references a negative value: $.x == -1".into(),
        ),
        (
            wait("SecondsPath"),
            json!(1.5),
            "The SecondsPath parameter cannot be parsed as a long value: $.x == 1.5".into(),
        ),
        (wait("TimestampPath"), json!("2016-12-05 21:29:29Z"), format!("{time}2016-12-05 21:29:29Z")),
        (wait("TimestampPath"), json!("2016-13-05T21:29:29Z"), format!("{time}2016-13-05T21:29:29Z")),
    ] {
        state["End"] = json!(true);
        let played = single(state, json!({"x": x, "l": []}), Stage::default()).await;
        let place = "An error occurred while executing the state 'S' (entered at the event id #2). ";
        assert_eq!(played.error(), ("States.Runtime", format!("{place}{cause}").as_str()));
    }
    let played =
        single(json!({"Type": "Wait", "SecondsPath": "$.no", "End": true}), json!({}), Stage::default());
    let words = "The SecondsPath parameter does not reference an input value: $.no";
    assert!(played.await.error().1.ends_with(words));
}
