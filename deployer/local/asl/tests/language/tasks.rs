//! What becomes of tasks, by their limits.

use serde_json::json;

use super::*;

async fn failing(act: Act) -> Played {
    single(task("f", json!({})), json!({}), Stage::new(&[("f", &[act])])).await
}

#[tokio::test]
async fn a_role_that_cannot_be_assumed_is_a_permission_error() {
    let stage = Stage { forbidden: true, ..Stage::new(&[("f", &[Act::Echoes])]) };
    let played = single(task("f", json!({})), json!({}), stage).await;
    assert_eq!(played.error(), ("States.Permissions", "The role is gone."));
    assert!(played.payloads("f").is_empty());
}

#[tokio::test]
async fn a_task_that_takes_too_long_times_out() {
    for (limits, error) in [
        (json!({"TimeoutSeconds": 9}), "States.Timeout"),
        (json!({"TimeoutSeconds": 9, "HeartbeatSeconds": 4}), "States.HeartbeatTimeout"),
        (json!({"TimeoutSecondsPath": "$.limit"}), "States.Timeout"),
    ] {
        let stage = Stage::new(&[("f", &[Act::Hangs])]);
        let played = single(task("f", limits.clone()), json!({"limit": 9}), stage).await;
        assert_eq!(played.types()[4..], ["LambdaFunctionTimedOut", "ExecutionFailed"]);
        assert_eq!(played.error(), (error, "-"));
        assert_eq!(played.events[4]["lambdaFunctionTimedOutEventDetails"], json!({"error": error}));
        assert_eq!(played.slept(), [if limits.get("HeartbeatSeconds").is_some() { 4.0 } else { 9.0 }]);
    }
    let quick =
        single(task("f", json!({"TimeoutSeconds": 9})), json!({}), Stage::new(&[("f", &[Act::Echoes])]))
            .await;
    assert_eq!(quick.result, Ok(json!({})));
    let played =
        single(task("f", json!({"TimeoutSecondsPath": "$.limit"})), json!({"limit": "x"}), Stage::default())
            .await;
    assert_eq!(played.error().0, "States.Runtime");
}

#[tokio::test]
async fn results_and_inputs_over_256_kib_are_refused() {
    let large = json!("x".repeat(262_143));
    let played = failing(Act::Gives(large.clone())).await;
    assert_eq!(played.types()[4..], ["LambdaFunctionFailed", "ExecutionFailed"]);
    assert_eq!(
        played.error(),
        (
            "States.DataLimitExceeded",
            "The state/task 'arn:aws:lambda:us-east-1:000000000000:function:f' returned a result with a size exceeding the \
         maximum number of bytes service limit."
        )
    );
    let fits = failing(Act::Gives(json!("x".repeat(262_142)))).await;
    assert!(fits.result.is_ok());

    // By its own name and by States.ALL it is caught.
    for (name, caught) in
        [("States.ALL", true), ("States.TaskFailed", false), ("States.DataLimitExceeded", true)]
    {
        let definition = machine(
            "S",
            json!({
                "S": task("f", json!({"Catch": [{"ErrorEquals": [name], "Next": "H"}]})), "H": {"Type": "Succeed"}
            }),
        );
        let played = play(&definition, json!({}), Stage::new(&[("f", &[Act::Gives(large.clone())])])).await;
        assert_eq!(played.result.is_ok(), caught, "{name}");
    }

    // What is put together inside a state counts as well.
    let double = json!({"Type": "Pass", "Parameters": {"a.$": "$", "b.$": "$"}, "End": true});
    let played = single(double.clone(), json!("x".repeat(140_000)), Stage::default()).await;
    assert_eq!(played.error().0, "States.DataLimitExceeded");
    let doubled = task("f", json!({"Parameters": double["Parameters"]}));
    let played = single(doubled, json!("x".repeat(140_000)), Stage::new(&[("f", &[Act::Echoes])])).await;
    assert_eq!(played.error().0, "States.DataLimitExceeded");
    assert!(played.payloads("f").is_empty());
}

#[tokio::test]
async fn documents_that_nest_without_end_are_refused() {
    let definition = machine(
        "S",
        json!({"S": {"Type": "Pass", "Parameters": {"a.$": "$"}, "Next": "C"},
        "C": {"Type": "Choice", "Choices": [{"Variable": "$.never", "IsPresent": true, "Next": "E"}], "Default": "S"},
        "E": {"Type": "Succeed"}}),
    );
    let played = play(&definition, json!({}), Stage::default()).await;
    assert_eq!(played.error().0, "States.Runtime");
    assert!(played.error().1.contains("levels deep"), "{}", played.error().1);
}
