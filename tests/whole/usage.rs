//! Bad input: one clear message that names the field, the value and the remedy, and nothing changes.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Said, World, built, deployer, isolated, serve, up_local};

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
    world.sample("echo", "echo").await;
    let said = world.deployer(&["tune", "echo", "--num", "3", "--strategy", "best"]).status(2);
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
    let (mut endpoint, url) = serve(&state);
    let said = Said::by(deployer(&["local", "--port", "0", "--state"]).arg(&state));
    endpoint.kill().unwrap();
    endpoint.wait().unwrap();
    said.status(1)
        .complains(&[&format!("the state folder {} is in use by the endpoint at {url};", state.display())]);
}

#[test]
fn a_file_instead_of_the_state_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state");
    std::fs::write(&file, "").unwrap();
    let file = file.to_str().unwrap();
    let expected = format!("error: {file} is a file, not a folder\nhint: name another folder with --state\n");
    for state in [file, &format!("{file}/below")] {
        let said = Said::by(&mut deployer(&["outputs", "--local", "--state", state])).status(1);
        assert_eq!(said.stderr, expected);
    }
}

#[test]
fn a_port_that_is_in_use_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut command = deployer(&["local", "--port", &port, "--state"]);
    let said = Said::by(command.arg(folder.path().join("state"))).status(1);
    assert_eq!(said.stderr, format!("error: port {port} is in use\nhint: choose another port with --port\n"));
}

#[test]
fn a_file_system_that_executes_nothing_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("code")).unwrap();
    std::os::unix::fs::symlink(built("samples"), folder.path().join("code/bootstrap")).unwrap();
    std::fs::create_dir(folder.path().join("mounted")).unwrap();
    let script = "mount -t tmpfs -o noexec tmpfs mounted && \"$0\" up --local --yes --state mounted/state && \
                  exec \"$0\" tune --local --state mounted/state --code code --num 5 --power-values 128";
    let mut command = isolated("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]).arg(built("deployer"));
    let said = Said::by(command.current_dir(folder.path())).status(1);
    said.complains(&["mounted/state", "is mounted with noexec: name a folder on another one with --state"]);
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
        "tune x --num -5",
        r#"tune x --payload [{"payload":1,"weight":1},{"payload":2,"wieght":2}]"#,
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

    Usage: deployer tune <FUNCTION>

    For more information, try '-h'.

    $ deployer tune x --num -5
    error: --num is -5, which is too small: use a whole number from 5 to 20000

    $ deployer tune x --payload [{"payload":1,"weight":1},{"payload":2,"wieght":2}]
    error: payload: element 1 has no "weight" (did you mean it by "wieght"?): a weighted list needs "payload" and "weight" in every element (to send this list as an ordinary payload, give it as a JSON string)

    $ deployer up --power-values 64
    error: --power-values has "64": use whole numbers of MB from 128 to 10240

    $ deployer up --total-execution-timeout 5
    error: --total-execution-timeout `5`: must be a whole number from 10 to 900

    $ deployer tune
    error: which function? `deployer tune NAME`, or with --local also --code DIR

    $ deployer tune x --code .
    error: --code . creates a function on this machine, which needs --local, or --endpoint-url with an endpoint on this machine; on AWS, name a function that exists

    $ deployer nonsense
    error: unrecognized subcommand 'nonsense'

    Usage: deployer [OPTIONS] <COMMAND>

    For more information, try '-h'.
    "#);
}

/// The options at the beginnings of a help text's lines: `-q, --quiet`, or several with two blanks between them.
fn options(help: &str) -> BTreeSet<String> {
    // Text that was wrapped is further to the right.
    let lines = help.lines().filter(|line| line.len() - line.trim_start().len() <= 6);
    let lines = lines.map(str::trim).filter(|line| line.starts_with('-'));
    let parts = lines.flat_map(|line| line.split("  ")).map(str::trim).filter(|part| part.starts_with('-'));
    let words = parts.flat_map(|part| part.split(' ').take(2));
    let names = words.filter(|word| word.starts_with("--"));
    names.map(|word| word.split(['[', '=']).next().unwrap_or(word).to_owned()).collect()
}

#[test]
fn help_completions_and_settings_know_the_same_options() {
    let said = |line: &str| Said::by(&mut deployer(&line.split(' ').collect::<Vec<_>>())).success().stdout;
    let script = said("completions bash");
    let mut all = BTreeSet::new();
    let mut verbs = 0;
    let mut lines = script.lines().map(str::trim);
    while let Some(line) = lines.next() {
        let Some(words) = line.strip_prefix("deployer__subcmd__").and_then(|line| line.strip_suffix(')'))
        else {
            continue;
        };
        let Some(completed) = lines.next().and_then(|line| line.strip_prefix("opts=")) else { continue };
        let completed = completed.trim_matches('"').split(' ').filter(|word| word.starts_with("--"));
        let completed: BTreeSet<String> = completed.map(str::to_owned).collect();
        let words = words.replace("__subcmd__", " ");
        let (long, short) = (said(&format!("{words} --help")), said(&format!("{words} -h")));
        assert_eq!(options(&long), completed, "{words}");
        let left_out = !options(&long).is_subset(&options(&short));
        assert_eq!(left_out, short.contains(&format!("More options: deployer {words} --help")), "{short}");
        all.extend(completed);
        verbs += 1;
    }
    assert!(verbs > 12 && all.len() > 50, "{verbs} verbs, {all:?}");
    let folder = tempfile::tempdir().unwrap();
    for name in all.iter().map(|option| &option[2..]).filter(|name| !["help", "version"].contains(name)) {
        std::fs::write(folder.path().join("deployer.toml"), format!("{name} = 'x'\n")).unwrap();
        let mut command = deployer(&["outputs", "--local", "--state", "state"]);
        let said = Said::by(command.current_dir(folder.path()));
        assert!(!said.stderr.contains("is no setting"), "{name}: {said:?}");
    }
}

#[tokio::test]
async fn with_json_every_failure_is_json() {
    let lines = |said: &Said| -> Vec<Value> {
        said.stderr
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{said:?}")))
            .collect()
    };
    for arguments in [
        &["tune", "x", "--json", "--nonsense"][..],
        &["nonsense", "--json"],
        &["tune", "x", "--json", "--num", "4"],
        &["tune", "x", "--json", "--json-file", "nowhere/x.json"],
    ] {
        let said = Said::by(&mut deployer(arguments)).status(2);
        let last = lines(&said).pop().unwrap();
        assert_eq!(last["event"], "failed", "{said:?}");
        assert!(last["error"]["message"].as_str().is_some_and(|text| !text.starts_with("error")), "{said:?}");
        assert_eq!(said.json()["error"], last["error"]);
    }
    let world = World::new().await;
    let said = world.deployer(&["tune", "nobody", "--json"]).status(1);
    let last = lines(&said).pop().unwrap();
    assert!(last["error"]["message"].as_str().unwrap().contains("nobody"), "{said:?}");
    assert!(!last["error"]["hints"].as_array().unwrap().is_empty(), "{said:?}");
}

#[tokio::test]
async fn one_run_writes_its_result_in_several_forms() {
    let world = World::new().await;
    let function = world.sample("echo", "echo").await;
    let (json, markdown) = (world.folder().join("result.json"), world.folder().join("result.md"));
    let files = ["--json-file", json.to_str().unwrap(), "--markdown-file", markdown.to_str().unwrap()];
    let said = function.tune(&[&["--num", "5"][..], &files].concat()).success();
    let written: Value = serde_json::from_str(&std::fs::read_to_string(&json).unwrap()).unwrap();
    assert_eq!(written, said.json());
    assert!(std::fs::read_to_string(&markdown).unwrap().starts_with("**echo should have "));
    let folder = world.folder().to_str().unwrap();
    world
        .deployer(&["tune", "echo", "--json-file", folder])
        .status(2)
        .complains(&["--json-file", "is a folder"]);
    // One that cannot be written keeps the other from nothing.
    std::fs::remove_file(&markdown).unwrap();
    let full = ["tune", "echo", "--num", "5", "--json-file", "/dev/full", "--markdown-file", files[3]];
    world.deployer(&full).status(1).complains(&["warning: the result could not be written to /dev/full"]);
    assert!(std::fs::read_to_string(&markdown).unwrap().starts_with("**echo should have"));
}
