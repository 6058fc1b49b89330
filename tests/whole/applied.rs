//! What a run applies to the function, when it does not, and what it says about it.

use serde_json::{Value, json};

use crate::harness::World;

/// A state machine of the test's own that ends with this output at once; its ARN.
async fn machine(world: &World, output: &Value) -> String {
    let definition =
        json!({ "StartAt": "End", "States": { "End": { "Type": "Pass", "Result": output, "End": true } } });
    let trust = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": { "Service": "states.amazonaws.com" }, "Action": "sts:AssumeRole",
    }]});
    let template = json!({
        "Resources": {
            "role": { "Type": "AWS::IAM::Role", "Properties": { "AssumeRolePolicyDocument": trust } },
            "machine": { "Type": "AWS::StepFunctions::StateMachine", "Properties": {
                "RoleArn": { "Fn::GetAtt": ["role", "Arn"] }, "DefinitionString": definition.to_string(),
            } },
        },
        "Outputs": { "machine": { "Value": { "Ref": "machine" } } },
    });
    assert_eq!(world.deploy("other", &template).await, "CREATE_COMPLETE");
    let stack = world.cloudformation.describe_stacks().stack_name("other").send().await.unwrap();
    stack.stacks()[0].outputs()[0].output_value().unwrap().to_owned()
}

#[tokio::test]
async fn a_gate_is_judged_before_the_choice_is_applied() {
    let world = World::new().await;
    let function = world.sample("wait", "io").await;
    let before = function.snapshot().await;
    let flags = ["--num", "5", "--power-values", "512", "--auto-optimize", "--max-duration-ms"];

    let said = function.tune(&[&flags[..], &["1"]].concat()).status(3).complains(&["was not applied"]);
    let output = said.json();
    assert_eq!(output["applied"], false);
    assert_eq!(output["gate"]["met"], false);
    assert!(
        output["gate"]["exceeded"][0].as_str().unwrap().contains("more than the 1 ms allowed"),
        "{output}"
    );
    assert_eq!(function.snapshot().await, before, "a size that fails the gate is live");

    let output = function.tune(&[&flags[..], &["60000"]].concat()).success().json();
    assert_eq!(output["applied"], true);
    assert_eq!(output["gate"]["met"], true);
    assert_ne!(function.snapshot().await, before, "a size that passes the gate is not live");
}

#[tokio::test]
async fn a_stack_that_knows_no_gate_is_told_of() {
    let world = World::new().await;
    let function = world.sample("wait", "io").await;
    let machine = machine(
        &world,
        &json!({
            "power": 512, "cost": 2e-7, "duration": 20.0,
            "stateMachine": { "executionCost": 0.0, "lambdaCost": 0.0, "visualization": "https://example.test/#a" },
        }),
    )
    .await;
    let flags = ["--state-machine-arn", &machine, "--num", "5", "--max-duration-ms", "10", "--auto-optimize"];
    function.tune(&flags).status(3).complains(&[
        "older version",
        "deployer up",
        "more than the 10 ms allowed",
    ]);
    let flags = ["--state-machine-arn", &machine, "--num", "5"];
    let said = function.tune(&flags).success();
    assert!(!said.stderr.contains("older version"), "{}", said.stderr);
}
