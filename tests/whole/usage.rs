//! Bad input: one clear message that names the field, the value and the remedy, and nothing changes.

use serde_json::{Value, json};

use crate::harness::{Said, World, deployer, serve, up_local};

#[tokio::test]
async fn every_field_with_a_wrong_value_is_named() {
    let world = World::new().await;
    let function = world.sample("echo", "echo").await;
    let before = function.snapshot().await;
    let good = json!({ "lambdaARN": function.arn(), "num": 5 });
    for (field, wrong) in [
        ("lambdaARN", json!(42)),
        ("lambdaARN", json!("echo")),
        ("lambdaARN", json!(format!("{}:live", function.arn()))),
        ("powerValues", json!("MANY")),
        ("powerValues", json!([64])),
        ("powerValues", json!([])),
        ("num", json!(4)),
        ("num", json!("many")),
        ("num", Value::Null),
        ("payload", json!([{ "payload": 1, "weight": -1 }])),
        ("payloadS3", json!("https://x/y")),
        ("parallelInvocation", json!("yes")),
        ("strategy", json!("cheap")),
        ("balancedWeight", json!("half")),
        ("autoOptimize", json!(1)),
        ("autoOptimizeAlias", json!("1")),
        ("dryRun", json!({})),
        ("preProcessorARN", json!("before")),
        ("postProcessorARN", json!(7)),
        ("discardTopBottom", json!([])),
        ("sleepBetweenRunsMs", json!(-1)),
        ("disablePayloadLogs", json!("no")),
        ("includeOutputResults", json!(0)),
        ("onlyColdStarts", json!("all")),
        ("allowedExceptions", json!("Error")),
    ] {
        let mut input = good.clone();
        input[field] = wrong.clone();
        let ended = world.execute(&input).await;
        assert_eq!(ended.status, "FAILED", "{field} {wrong}: {ended:?}");
        assert!(ended.cause.contains(field), "{field} {wrong}: {ended:?}");
    }
    let all = world.execute(&json!({ "num": 1, "strategy": "x", "dryRun": 3 })).await;
    for field in ["lambdaARN", "num", "strategy", "dryRun"] {
        assert!(all.cause.contains(field), "{field} is missing in {}", all.cause);
    }
    assert_eq!(function.snapshot().await, before);
}

#[tokio::test]
async fn tune_refuses_what_the_state_machine_would_before_it_starts() {
    let world = World::new().await;
    let function = world.sample("echo", "echo").await;
    let said = function.tune(&["--num", "3", "--strategy", "best"]).status(2);
    insta::assert_snapshot!(said.stderr, @r#"
    error: 2 settings are wrong:
      - --num is 3, which is too small: use a whole number from 5 to 20000
      - --strategy is "best": use "cost", "speed", "balanced"
    "#);
    let executions = world.states.list_state_machines().send().await.unwrap();
    let machine = executions.state_machines()[0].state_machine_arn();
    let started = world.states.list_executions().state_machine_arn(machine).send().await.unwrap();
    assert!(started.executions().is_empty(), "{started:?}");
}

#[tokio::test]
async fn a_field_that_nothing_reads_is_warned_about() {
    let world = World::new().await;
    let function = world.sample("echo", "echo").await;
    std::fs::write(
        world.folder().join("input.json"),
        r#"{"num":5,"powerValues":[128],"enableParallel":true}"#,
    )
    .unwrap();
    function.tune(&["--input", "input.json"]).success().complains(&[
        "enableParallel is not a field of the input and has no effect: did you mean parallelInvocation?",
    ]);
}

#[tokio::test]
async fn a_function_that_does_not_exist_is_named() {
    let world = World::new().await;
    let said = world.deployer(&["tune", "nobody", "--num", "5"]).status(1);
    insta::with_settings!({ filters => [(r"127\.0\.0\.1:\d+", "ENDPOINT")] }, {
        insta::assert_snapshot!(said.stderr, @r"
        → account 000000000000 in us-east-1 at http://ENDPOINT
        error: the function nobody does not exist in us-east-1
        hint: check the name, the region (--region) and the account (--profile)
        ");
    });
}

#[tokio::test]
async fn a_stack_that_is_not_deployed_is_named_with_the_remedy() {
    let world = World::empty().await;
    world.sample("echo", "echo").await;
    let said = world.deployer(&["tune", "echo", "--num", "5"]).status(1);
    said.complains(&[
        "error: the stack deployer-power-tuning is not deployed",
        "hint: deploy it with `deployer up`",
    ]);
}

#[tokio::test]
async fn without_a_terminal_and_consent_nothing_is_touched() {
    let world = World::empty().await;
    let said = world.deployer(&["up"]).status(2);
    said.complains(&[
        "error: this asks for confirmation, and there is no terminal to ask on; say --yes to go ahead",
    ]);
    let buckets = world.s3.list_buckets().send().await.unwrap();
    assert!(buckets.buckets().is_empty(), "{buckets:?}");
}

#[test]
fn a_state_folder_that_is_in_use_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let (mut endpoint, _) = serve(&state);
    let said = up_local(folder.path(), &[]);
    endpoint.kill().unwrap();
    endpoint.wait().unwrap();
    said.status(1).complains(&["in use by another process", state.to_str().unwrap()]);
}

#[test]
fn a_corrupt_state_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    up_local(folder.path(), &[]).success();
    for entry in std::fs::read_dir(&state).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "redb") {
            std::fs::write(path, b"not a database at all").unwrap();
        }
    }
    let said = Said::by(deployer(&["outputs", "--local", "--state"]).arg(&state));
    said.status(1).complains(&[state.to_str().unwrap()]);
}

#[test]
fn wrong_flags_end_with_2() {
    let mut transcript = String::new();
    for line in [
        "tune x --no-such-flag",
        "up --power-values 64",
        "up --total-execution-timeout 5",
        "tune",
        "tune x --code .",
        "nonsense",
    ] {
        let arguments: Vec<&str> = line.split(' ').collect();
        let said = Said::by(deployer(&arguments).current_dir(std::env::temp_dir())).status(2);
        assert_eq!(said.stdout, "", "{line}");
        transcript += &format!("$ deployer {line}\n{}\n", said.stderr);
    }
    insta::assert_snapshot!(transcript, @r#"
    $ deployer tune x --no-such-flag
    error: unexpected argument '--no-such-flag' found

      tip: to pass '--no-such-flag' as a value, use '-- --no-such-flag'

    Usage: deployer tune <FUNCTION>

    For more information, try '-h'.

    $ deployer up --power-values 64
    error: --power-values has "64": use whole numbers of MB from 128 to 10240

    $ deployer up --total-execution-timeout 5
    error: --total-execution-timeout `5`: must be a whole number from 10 to 900

    $ deployer tune
    error: which function? `deployer tune NAME`, or with --local also --code DIR

    $ deployer tune x --code .
    error: --code . creates a function on this machine, which needs --local; on AWS, name a function that exists

    $ deployer nonsense
    error: unrecognized subcommand 'nonsense'

    Usage: deployer [OPTIONS] <COMMAND>

    For more information, try '-h'.
    "#);
}
