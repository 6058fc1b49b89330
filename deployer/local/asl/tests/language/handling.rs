//! Retry, Catch, Map and Parallel at work, and the shape of the power-tuning machine.

use serde_json::json;

use super::*;

#[tokio::test]
async fn a_retry_waits_longer_each_time_and_then_gives_up() {
    let retry = json!({"Retry": [{"ErrorEquals": ["E"], "IntervalSeconds": 3, "MaxAttempts": 2}]});
    let stage = Stage::new(&[("f", &[Act::Raises("E")])]);
    let played = single(task("f", retry.clone()), json!({}), stage).await;
    assert_eq!(played.payloads("f").len(), 3);
    assert_eq!(played.slept(), [3.0, 6.0]);
    assert_eq!(played.error().0, "E");
    let attempt = ["LambdaFunctionScheduled", "LambdaFunctionStarted", "LambdaFunctionFailed"];
    assert_eq!(played.types()[2..11], [attempt, attempt, attempt].concat());

    let stage = Stage::new(&[("f", &[Act::Raises("E"), Act::Gives(json!(1))])]);
    assert_eq!(single(task("f", retry.clone()), json!({}), stage).await.result, Ok(json!(1)));
    let stage = Stage::new(&[("f", &[Act::Raises("Other")])]);
    assert_eq!(single(task("f", retry), json!({}), stage).await.payloads("f").len(), 1);
}

#[tokio::test]
async fn jitter_takes_a_share_of_the_delay() {
    let retry = json!({"Retry": [{
        "ErrorEquals": ["States.ALL"], "IntervalSeconds": 4, "BackoffRate": 3, "MaxDelaySeconds": 20, "MaxAttempts": 3,
        "JitterStrategy": "FULL"
    }]});
    let played = single(task("f", retry), json!({}), Stage::new(&[("f", &[Act::Raises("E")])])).await;
    assert_eq!(played.slept(), [2.0, 6.0, 10.0]);
}

#[tokio::test]
async fn the_count_of_retries_is_in_the_context() {
    let state = task(
        "f",
        json!({
            "Parameters": {"n.$": "$$.State.RetryCount"}, "Retry": [{"ErrorEquals": ["States.TaskFailed"], "MaxAttempts": 2}]
        }),
    );
    let played = single(state, json!({}), Stage::new(&[("f", &[Act::Raises("E")])])).await;
    assert_eq!(played.payloads("f"), [json!({"n": 0}), json!({"n": 1}), json!({"n": 2})]);
}

#[tokio::test]
async fn the_first_catch_that_names_the_error_takes_over() {
    let definition = machine(
        "S",
        json!({
            "S": task("f", json!({"Catch": [
                {"ErrorEquals": ["A"], "Next": "A", "ResultPath": null},
                {"ErrorEquals": ["B", "C"], "Next": "B", "ResultPath": "$.deep.error"},
                {"ErrorEquals": ["States.ALL"], "Next": "All"}
            ], "OutputPath": "$.dropped"})),
            "A": {"Type": "Pass", "Parameters": {"a.$": "$"}, "End": true},
            "B": {"Type": "Pass", "Parameters": {"b.$": "$"}, "End": true},
            "All": {"Type": "Pass", "Parameters": {"all.$": "$.Error"}, "End": true}
        }),
    );
    for (error, expected) in [
        ("A", json!({"a": {"x": 1}})),
        ("C", json!({"b": {"x": 1, "deep": {"error": {"Error": "C", "Cause": "?"}}}})),
        ("D", json!({"all": "D"})),
    ] {
        let played = play(&definition, json!({"x": 1}), Stage::new(&[("f", &[Act::Raises(error)])])).await;
        let mut output = played.result.unwrap();
        if let Some(cause) = output.pointer_mut("/b/deep/error/Cause") {
            assert!(cause.as_str().unwrap().contains("C!"));
            *cause = json!("?");
        }
        assert_eq!(output, expected);
    }
}

#[tokio::test]
async fn a_caught_result_without_a_place_fails_the_state() {
    let definition = machine(
        "S",
        json!({
            "S": task("f", json!({"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "H", "ResultPath": "$.a.b"}]})),
            "H": {"Type": "Succeed"}
        }),
    );
    let played = play(&definition, json!({"a": 1}), Stage::new(&[("f", &[Act::Raises("E")])])).await;
    assert_eq!(played.error().0, "States.ResultPathMatchFailure");
}

#[tokio::test]
async fn fail_states_compute_error_and_cause() {
    let state = json!({"Type": "Fail", "ErrorPath": "$.e", "CausePath": "States.Format('because {}', $.c)"});
    let played = single(state.clone(), json!({"e": "Mine", "c": 7}), Stage::default()).await;
    assert_eq!(played.error(), ("Mine", "because 7"));
    let played = single(state, json!({"e": 3, "c": 7}), Stage::default()).await;
    assert_eq!(played.error().0, "States.Runtime");
    let played = single(json!({"Type": "Fail"}), json!({}), Stage::default()).await;
    assert_eq!(played.result, Err(Failure { error: None, cause: None }));
}

#[tokio::test]
async fn a_map_runs_as_many_iterations_at_a_time_as_it_may() {
    for (concurrency, items, busiest) in
        [(json!(0), 60, 40), (json!(1), 5, 1), (json!(3), 9, 3), (json!(1000), 60, 40)]
    {
        let state = json!({
            "Type": "Map", "MaxConcurrency": concurrency, "End": true,
            "ItemProcessor": machine("T", json!({"T": task("f", json!({}))}))
        });
        let list: Vec<usize> = (0..items).collect();
        let played = single(state, json!(list), Stage::new(&[("f", &[Act::Echoes])])).await;
        assert_eq!(played.result, Ok(json!(list)));
        assert_eq!(played.stage.busiest.lock().unwrap().1, busiest, "{concurrency}");
    }
    let by_path = json!({
        "Type": "Map", "MaxConcurrencyPath": "$.n", "ItemsPath": "$.l", "End": true,
        "ItemProcessor": machine("T", json!({"T": task("f", json!({}))}))
    });
    let played = single(by_path, json!({"n": 2, "l": [1, 2, 3]}), Stage::new(&[("f", &[Act::Echoes])])).await;
    assert_eq!(played.stage.busiest.lock().unwrap().1, 2);
}

#[tokio::test]
async fn iterations_get_their_item_and_its_index() {
    for selector in ["ItemSelector", "Parameters"] {
        let state = json!({
            "Type": "Map", "ItemsPath": "$.l", "InputPath": "$.in", "ResultPath": "$.out", "End": true,
            selector: {"v.$": "$$.Map.Item.Value", "i.$": "$$.Map.Item.Index", "k.$": "$.k"},
            "Iterator": machine("P", json!({"P": {"Type": "Pass", "Parameters": {"got.$": "$", "index.$": "$$.Map.Item.Index"}, "End": true}}))
        });
        let played = single(state, json!({"in": {"l": ["a", "b"], "k": 9}}), Stage::default()).await;
        assert_eq!(
            played.result.unwrap()["out"],
            json!([
                {"got": {"v": "a", "i": 0, "k": 9}, "index": 0}, {"got": {"v": "b", "i": 1, "k": 9}, "index": 1}
            ])
        );
    }
    let state =
        json!({"Type": "Map", "ItemProcessor": machine("P", json!({"P": {"Type": "Succeed"}})), "End": true});
    let played = single(state, json!({"no": "list"}), Stage::default()).await;
    assert_eq!(played.error().0, "States.Runtime");
    assert!(played.error().1.contains("must be an array"));
}

#[tokio::test]
async fn a_map_tries_all_its_iterations_again() {
    let state = json!({
        "Type": "Map", "MaxConcurrency": 1, "End": true,
        "Retry": [{"ErrorEquals": ["E"], "IntervalSeconds": 1}],
        "ItemProcessor": machine("T", json!({"T": task("f", json!({}))}))
    });
    let stage = Stage::new(&[("f", &[Act::Echoes, Act::Raises("E"), Act::Echoes])]);
    let played = single(state, json!([1, 2]), stage).await;
    assert_eq!(played.result, Ok(json!([1, 2])));
    assert_eq!(played.payloads("f"), [json!(1), json!(2), json!(1), json!(2)]);
    assert_eq!(played.types().iter().filter(|t| **t == "MapStateStarted").count(), 2);
    assert!(!played.types().contains(&"MapStateFailed"));
}

/// The machine that is shipped, in its essentials: loops, a Map of loops, and a clean-up behind every state.
fn tuning() -> Value {
    let given = json!({"input.$": "$", "execution.$": "$$.Execution.Id"});
    let catch = json!([{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "CleanUpOnError"}]);
    let step = |function: &str, result: Value, next: &str| {
        task(function, json!({"Parameters": given, "ResultPath": result, "Catch": catch, "Next": next}))
    };
    let done =
        |variable: &str, next: &str| json!({"Variable": variable, "BooleanEquals": true, "Next": next});
    machine(
        "Initializer",
        json!({
            "Initializer": step("initializer", json!("$.run"), "Publisher"),
            "Publisher": step("publisher", json!("$.run"), "AllPublished"),
            "AllPublished": {"Type": "Choice", "Choices": [done("$.run.published.done", "Measure")], "Default": "Publisher"},
            "Measure": {
                "Type": "Map", "ItemsPath": "$.run.powerValues", "MaxConcurrency": 0, "ResultPath": "$.stats", "Catch": catch,
                "ItemSelector": {"input.$": "$", "value.$": "$$.Map.Item.Value"}, "Next": "Cleaner",
                "ItemProcessor": machine("Executor", json!({
                    "Executor": task("executor", json!({
                        "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 3, "MaxAttempts": 2}], "Next": "AllMeasured"
                    })),
                    "AllMeasured": {
                        "Type": "Choice", "Choices": [{"Variable": "$.progress", "IsPresent": true, "Next": "Executor"}],
                        "Default": "Measured"
                    },
                    "Measured": {"Type": "Succeed"}
                }))
            },
            "Cleaner": step("cleaner", json!("$.cleaned"), "Analyzer"),
            "Analyzer": task("analyzer", json!({"ResultPath": "$.analysis", "Catch": catch, "Next": "Optimizer"})),
            "Optimizer": task("optimizer", json!({"Parameters": given, "ResultPath": null, "OutputPath": "$.analysis", "Catch": catch})),
            "CleanUpOnError": task("cleaner", json!({
                "Parameters": given, "ResultPath": "$.cleaned", "Next": "Failed",
                "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.cleanupError", "Next": "Failed"}]
            })),
            "Failed": {"Type": "Fail", "ErrorPath": "$.error.Error", "CausePath": "$.error.Cause"}
        }),
    )
}

fn run(done: bool) -> Act {
    Act::Gives(json!({"powerValues": [128, 512], "published": {"done": done}}))
}

#[tokio::test]
async fn the_tuning_machine_loops_until_all_is_measured() {
    let measured = |power: u32| Act::Gives(json!({"value": power, "averagePrice": 1e-7}));
    let stage = Stage::new(&[
        ("initializer", &[run(false)]),
        ("publisher", &[run(false), run(false), run(true)]),
        (
            "executor",
            &[
                Act::Gives(json!({"input": {}, "value": 128, "progress": {"done": 4}})),
                measured(512),
                measured(128),
            ],
        ),
        ("cleaner", &[Act::Gives(json!({}))]),
        ("analyzer", &[Act::Gives(json!({"power": 512}))]),
        ("optimizer", &[Act::Gives(json!(null))]),
    ]);
    let played = play(&tuning(), json!({"lambdaARN": "arn:f", "num": 5}), stage).await;
    assert_eq!(played.result, Ok(json!({"power": 512})));
    assert_eq!(played.payloads("publisher").len(), 3);
    let executor = played.payloads("executor");
    assert_eq!(executor.len(), 3);
    assert_eq!(executor[0]["input"]["run"]["powerValues"], json!([128, 512]));
    assert_eq!((&executor[2]["value"], &executor[2]["progress"]["done"]), (&json!(128), &json!(4)));
    assert_eq!(played.payloads("initializer")[0]["execution"], "arn:execution");
    let analyzer = &played.payloads("analyzer")[0];
    assert_eq!(analyzer["stats"][0]["value"], 128);
    assert_eq!(analyzer["stats"][1]["value"], 512);
    assert_eq!(analyzer["num"], 5);
}

#[tokio::test]
async fn the_tuning_machine_cleans_up_and_fails_with_the_first_error() {
    for broken in ["initializer", "publisher", "executor", "analyzer", "optimizer"] {
        let act = |name: &str, good: Act| if name == broken { Act::Raises("Broken") } else { good };
        let stage = Stage::new(&[
            ("initializer", &[act("initializer", run(true))]),
            ("publisher", &[act("publisher", run(true))]),
            ("executor", &[act("executor", Act::Gives(json!({"value": 1})))]),
            ("cleaner", &[Act::Gives(json!({}))]),
            ("analyzer", &[act("analyzer", Act::Gives(json!({"power": 1})))]),
            ("optimizer", &[act("optimizer", Act::Gives(json!(null)))]),
        ]);
        let played = play(&tuning(), json!({}), stage).await;
        let (error, cause) = played.error();
        assert_eq!(error, "Broken", "{broken}");
        assert!(cause.contains("Broken!"), "{broken}: {cause}");
        let cleaned = played.payloads("cleaner");
        let last = cleaned.last().unwrap();
        assert_eq!(last["input"]["error"]["Error"], "Broken", "{broken}");
        assert_eq!(played.types().last(), Some(&"ExecutionFailed"));
    }
    let stage =
        Stage::new(&[("initializer", &[Act::Raises("First")]), ("cleaner", &[Act::Raises("Second")])]);
    assert_eq!(play(&tuning(), json!({}), stage).await.error().0, "First");
}
