//! What a run applies to the function, when it does not, and what it says about it.

use serde_json::{Value, json};

use crate::harness::World;

/// A state machine of the test's own that ends with this output at once; its ARN.
pub async fn machine(world: &World, output: &Value) -> String {
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

    let output = function.tune(&[&flags[..], &["1"]].concat()).status(3).json();
    assert_eq!(output["applied"], false);
    assert_eq!(output["gate"]["met"], false);
    assert!(
        output["gate"]["exceeded"][0].as_str().unwrap().contains("more than the 1 ms allowed"),
        "{output}"
    );
    assert_eq!(function.snapshot().await, before, "a size that fails the gate is live");

    let output = function.tune(&[&flags[..], &["60000"]].concat()).success().json();
    assert_eq!(output["applied"], json!({ "memorySize": 512, "was": 256 }));
    assert_eq!(output["gate"]["met"], true);
    assert_ne!(function.snapshot().await, before, "a size that passes the gate is not live");
}

#[tokio::test]
async fn what_was_applied_is_said_in_every_form() {
    let world = World::new().await;
    world.sample("wait", "io").await;
    let flags = ["tune", "wait", "--num", "5", "--auto-optimize", "--power-values"];
    let says = |more: &[&str], sentence: &str| {
        let said = world.deployer(&[&flags[..], more].concat()).success();
        assert!(said.stdout.lines().any(|line| line == sentence), "{sentence}\n{}", said.stdout);
    };
    says(&["512"], "wait now has 512 MB (was 256).");
    says(&["128", "--markdown"], "wait now has 128 MB (was 512).");
    says(&["128"], "wait still has 128 MB.");

    let json =
        |more: &[&str]| world.deployer(&[&flags[..], more].concat()).success().json()["applied"].clone();
    let alias = ["--json", "--auto-optimize-alias", "live"];
    let applied = json(&[&["512"], &alias[..]].concat());
    assert_eq!(applied["memorySize"], 512);
    assert_eq!((&applied["alias"], applied.get("was")), (&json!("live"), None), "{applied}");
    let first = applied["version"].as_str().unwrap().to_owned();
    let applied = json(&[&["256"], &alias[..]].concat());
    assert_eq!((&applied["memorySize"], &applied["was"]), (&json!(256), &json!(512)), "{applied}");
    assert_ne!(applied["version"], first.as_str());
    let live = world.lambda.get_alias().function_name("wait").name("live").send().await.unwrap();
    assert_eq!(live.function_version(), applied["version"].as_str());
    let said = world.deployer(&[&flags[..], &["1024", "--auto-optimize-alias", "live"]].concat()).success();
    let sentence = "The alias live of wait now has 1024 MB (was 256), with version ";
    assert!(said.stdout.lines().any(|line| line.starts_with(sentence)), "{}", said.stdout);
}

#[tokio::test]
async fn markdown_says_what_speaks_against_the_choice() {
    let world = World::new().await;
    world.sample("wait", "io").await;
    let flags = ["tune", "wait", "--num", "5", "--power-values", "128,512", "--markdown"];
    let said = world.deployer(&[&flags[..], &["--max-duration-ms", "1"]].concat()).status(3);
    let list: Vec<&str> = said.stdout.lines().filter_map(|line| line.strip_prefix("- ")).collect();
    assert!(list[0].starts_with("The gate is not met: the chosen size "), "{}", said.stdout);
    let warnings = said.stderr.lines().filter_map(|line| line.strip_prefix("warning: "));
    for warning in warnings {
        assert!(list.iter().any(|item| item.ends_with(warning)), "no {warning:?} in\n{}", said.stdout);
    }
}

#[tokio::test]
async fn an_alias_that_nothing_would_be_applied_to_is_refused() {
    let world = World::empty().await;
    let said = world.deployer(&["tune", "wait", "--auto-optimize-alias", "live"]).status(2);
    said.complains(&["--auto-optimize-alias live", "without --auto-optimize"]);
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
    function.tune(&flags).success().complains(&["older version: cold starts are in the averages"]);
    let said = function.tune(&[&flags[..], &["--cold-starts", "include"]].concat()).success();
    assert!(!said.stderr.contains("older version"), "{}", said.stderr);
}
