//! AWS as other people emulate it: MiniStack runs all of it, moto has a second opinion on the calls it knows; and the AWS
//! command line deploys what `synth` writes, there and on our own endpoint.

use std::path::Path;

use serde_json::{Value, json};

use crate::bench::ROLE;
use crate::emulator::Emulator;
use crate::harness::{Said, World, isolated, release, tool};
use crate::release::Folder;

const ARCHITECTURE: &str = std::env::consts::ARCH;

fn nothing() -> Value {
    json!({ "stacks": [], "functions": [], "roles": [], "groups": [], "machines": [], "rules": [], "buckets": [] })
}

#[test]
fn ministack_is_deployed_to_tuned_on_and_left_as_it_was() {
    let ministack = Emulator::ministack();
    assert_eq!(ministack.left(), nothing());

    let preview = ["preview", "--detailed-exitcode", "--architecture", ARCHITECTURE];
    ministack.deployer(&preview).status(2);
    assert_eq!(ministack.left(), nothing(), "a preview leaves nothing");
    assert!(ministack.up(&["--power-values", "128,256"]).success().stdout.contains("was created"));
    assert!(ministack.up(&[]).success().stdout.contains("is up to date"));
    ministack.deployer(&preview).status(0);
    let changed = ministack.deployer(&[&preview[..], &["--log-retention-days", "30"]].concat()).status(2);
    assert!(changed.stdout.contains("logGroupRetentionInDays: 7 → 30"), "{changed:?}");
    ministack.deployer(&preview).status(0);
    assert!(ministack.up(&["--total-execution-timeout", "100"]).success().stdout.contains("was updated"));

    // The keys of tags do not differ by case alone for IAM.
    let failed = ministack.up(&["--tags", "a=1,A=2", "--log-retention-days", "14"]).status(1);
    failed.complains(&[
        "error: ",
        "Duplicate tag keys found",
        "while updating the stack",
        "UPDATE_ROLLBACK_COMPLETE",
    ]);
    let outputs = ministack.deployer(&["outputs", "--json"]).success().json();
    assert_eq!(outputs["status"], "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(outputs["parameters"]["logGroupRetentionInDays"], "7");
    assert_eq!(outputs["parameters"]["totalExecutionTimeout"], "100");

    // Changed by hand.
    let functions = ministack.left()["functions"].clone();
    let executor =
        functions.as_array().unwrap().iter().filter_map(Value::as_str).find(|name| name.contains("executor"));
    ministack.aws(&["lambda", "delete-function", "--function-name", executor.unwrap()]).success();
    ministack.up(&[]).status(1).complains(&["were deleted outside CloudFormation: executor"]);
    ministack.up(&["--total-execution-timeout", "120"]).success();
    assert_eq!(ministack.left()["functions"].as_array().unwrap().len(), 6);

    ministack.python_sample("sample", 20);
    let output = ministack
        .deployer(&["tune", "sample", "--num", "5", "--json", "--include-output-results"])
        .success()
        .json();
    assert_eq!(output["power"], 128, "the smallest is the cheapest of what only waits: {output}");
    for stat in output["stats"].as_array().unwrap() {
        assert_eq!(stat["invocations"], 5, "{output}");
        assert!(stat["averageDuration"].as_f64().unwrap() >= 20.0, "{output}");
    }
    let quiet = ["tune", "sample", "--num", "5", "--payload", r#"{"quiet":true}"#];
    ministack.deployer(&quiet).status(1).complains(&[
        "error: power value 128: invocation 1 of 5: the endpoint at http://127.0.0.1:",
        "it is an emulator that does not measure invocations (MiniStack is one)",
        "`deployer tune --local`",
    ]);
    let put_back = ministack
        .aws(&["lambda", "get-function-configuration", "--function-name", "sample"])
        .success()
        .json();
    assert_eq!(put_back["MemorySize"], 256);
    for (list, members) in [("list-aliases", "Aliases"), ("list-versions-by-function", "Versions")] {
        let found = ministack.aws(&["lambda", list, "--function-name", "sample"]).success().json();
        let ours =
            found[members].as_array().unwrap().iter().filter(|one| one["Version"] != "$LATEST").count();
        assert_eq!(ours, 0, "{found}");
    }
    let elsewhere = ministack.deployer(&["outputs", "--region", "eu-west-1"]).status(1);
    elsewhere.complains(&["there is no stack deployer-power-tuning in eu-west-1", "--region"]);

    ministack.aws(&["lambda", "delete-function", "--function-name", "sample"]).success();
    ministack.deployer(&["destroy", "--yes"]).success();
    let mut left = ministack.left();
    // MiniStack makes the sample's log group itself, as Lambda does.
    left["groups"].as_array_mut().unwrap().retain(|group| group != "/aws/lambda/sample");
    assert_eq!(left, nothing());
    ministack.deployer(&["destroy", "--yes"]).success();
}

#[test]
fn ministack_measures_copies_and_keeps_none() {
    let ministack = Emulator::ministack_for_copies();
    ministack.up(&["--power-values", "128,256", "--copies", "also", "--copyable-roles", ROLE]).success();
    ministack.python_sample("sample", 20);
    let shown = || ministack.aws(&["lambda", "get-function", "--function-name", "sample"]).success().json();
    let source = shown()["Configuration"].clone();
    let said =
        ministack.deployer(&["tune", "sample", "--num", "5", "--json", "--include-output-results"]).success();
    let output = said.complains(&["measuring temporary copies of sample"]).json();
    for stat in output["stats"].as_array().unwrap() {
        assert_eq!(stat["invocations"], 5, "{output}");
        assert!(stat["averageDuration"].as_f64().unwrap() >= 20.0, "{output}");
    }
    assert_eq!(shown()["Configuration"], source);
    let names = ministack.left()["functions"].to_string();
    assert!(names.contains("sample") && !names.contains("deployer-tuning-"), "{names}");
}

#[test]
fn ministack_hosts_the_page() {
    let ministack = Emulator::ministack();
    let folder = Folder::new();
    let deployer =
        |arguments: &[&str]| Said::by(&mut ministack.pointed(folder.path().join("deployer"), arguments));
    let up = ["up", "--yes", "--json", "--architecture", ARCHITECTURE];
    let created = deployer(&[&up[..], &["--host-visualization"]].concat()).success().json();
    let url = created["outputs"]["visualizationURL"].as_str().unwrap();
    assert!(url.starts_with("https://") && url.ends_with('/'), "{created}");
    let buckets = ministack.left()["buckets"].clone();
    let buckets = buckets.as_array().unwrap().iter().filter_map(Value::as_str);
    let bucket = buckets.into_iter().find(|name| name.contains("visualization")).unwrap().to_owned();
    let objects = || {
        let listed = ministack.aws(&["s3api", "list-objects-v2", "--bucket", &bucket]).success().json();
        let keys = listed["Contents"].as_array().unwrap().iter().map(|object| object["Key"].to_string());
        keys.collect::<Vec<_>>()
    };
    let first = objects();
    assert_eq!(first.len(), 4, "the page's files: {first:?}");
    let index = ["s3api", "head-object", "--bucket", &bucket, "--key", "index.html"];
    let index = ministack.aws(&index).success().json();
    assert_eq!(
        (&index["ContentType"], &index["CacheControl"]),
        (&"text/html; charset=utf-8".into(), &"no-cache".into())
    );

    deployer(&up).success();
    assert_eq!(objects(), first, "nothing has changed, nothing is uploaded");
    folder.write("style.css", "body{color:red}");
    deployer(&up).success();
    assert_eq!(objects().len(), 7, "the new page's folder beside the one before");
    deployer(&["destroy", "--yes"]).success();
    assert_eq!(ministack.left(), nothing());
}

/// `aws cloudformation package` and `deploy` of what `synth` wrote, with the AWS command line pointed somewhere.
fn deployed_by_the_aws_command_line(folder: &Path, aws: &dyn Fn(&[&str]) -> Said) {
    let synthesized = folder.join("stack");
    let mut synth = isolated(release().join("deployer"));
    Said::by(synth.args(["synth", "--architecture", ARCHITECTURE, "--out"]).arg(&synthesized)).success();
    let template = synthesized.join("template.json");
    let packaged = synthesized.join("packaged.json");
    let (template, packaged) = (template.to_str().unwrap(), packaged.to_str().unwrap());
    aws(&["s3api", "create-bucket", "--bucket", "by-hand"]).success();
    let package = ["cloudformation", "package", "--s3-bucket", "by-hand", "--template-file", template];
    aws(&[&package[..], &["--use-json", "--output-template-file", packaged]].concat()).success();
    let deploy = ["cloudformation", "deploy", "--stack-name", "by-hand", "--s3-bucket", "by-hand"];
    let what = ["--template-file", packaged, "--capabilities", "CAPABILITY_IAM", "--parameter-overrides"];
    aws(&[&deploy[..], &what, &["PowerValues=128,256"]].concat()).success();
    let stack = aws(&["cloudformation", "describe-stacks", "--stack-name", "by-hand"]).success().json();
    let stack = &stack["Stacks"][0];
    assert_eq!(stack["StackStatus"], "CREATE_COMPLETE");
    let arn = stack["Outputs"][0]["OutputValue"].as_str().unwrap();
    assert!(arn.contains(":stateMachine:powerTuningStateMachine-"), "{stack}");
}

#[test]
fn the_aws_command_line_deploys_the_synthesized_folder_to_ministack() {
    let ministack = Emulator::ministack();
    deployed_by_the_aws_command_line(ministack.folder.path(), &|arguments| ministack.aws(arguments));
}

#[tokio::test]
async fn the_aws_command_line_deploys_the_synthesized_folder_to_our_endpoint() {
    let world = World::empty().await;
    deployed_by_the_aws_command_line(world.folder(), &|arguments| world.aws(arguments));
    let function = world.sample("echo", "echo").await;
    let output = function.tune(&["--num", "5", "--stack-name", "by-hand"]).success().json();
    assert!(output["power"].is_number(), "{output}");
}

#[test]
fn moto_takes_the_same_calls() {
    let moto = Emulator::moto();
    let up = moto.up(&["--power-values", "128,256"]).success();
    assert!(up.stdout.contains("was created"), "{up:?}");
    assert!(moto.up(&[]).success().stdout.contains("is up to date"));
    moto.deployer(&["outputs"]).success();
    let bucket = moto.left()["buckets"][0].as_str().unwrap().to_owned();
    let answer = |call: &str| moto.aws(&["s3api", call, "--bucket", &bucket]).success().json();
    let rule = &answer("get-bucket-encryption")["ServerSideEncryptionConfiguration"]["Rules"][0];
    assert_eq!(rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"], "AES256");
    assert_eq!(answer("get-bucket-versioning")["Status"], "Enabled");
    let block = answer("get-public-access-block");
    assert!(
        block["PublicAccessBlockConfiguration"].as_object().unwrap().values().all(|value| value == true),
        "{block}"
    );
    let rule = &answer("get-bucket-lifecycle-configuration")["Rules"][0];
    assert_eq!(rule["NoncurrentVersionExpiration"]["NoncurrentDays"], 30);
    moto.deployer(&["destroy", "--yes"]).success();
    let left = moto.left();
    assert_eq!(
        (&left["stacks"], &left["functions"], &left["buckets"]),
        (&json!([]), &json!([]), &json!([])),
        "{left}"
    );
}

#[tokio::test]
async fn a_validator_of_amazon_states_language_accepts_the_state_machines() {
    let world = World::with(&["--fleets"]).await;
    let path = world.folder().join("definition.json");
    // A float with nothing behind its point is a number in JSON, whatever it is in Python.
    let lint = |path: &Path| Said::by(isolated(tool("statelint")).arg("--ignore=FLOAT").arg(path));
    let machines = world.states.list_state_machines().send().await.unwrap();
    assert_eq!(machines.state_machines().len(), 2);
    let mut definition = String::new();
    for machine in machines.state_machines() {
        let described = world.states.describe_state_machine().state_machine_arn(machine.state_machine_arn());
        definition = described.send().await.unwrap().definition().to_owned();
        std::fs::write(&path, &definition).unwrap();
        let said = lint(&path).stdout;
        // AWS has these two beyond the language that it knows.
        let known = ["Field \"Label\" not allowed", "Field \"InputType\" not allowed"];
        let told = said.lines().filter(|line| !line.trim().is_empty() && !line.ends_with("errors:"));
        let told: Vec<&str> = told.filter(|line| !known.iter().any(|known| line.contains(known))).collect();
        assert!(told.is_empty(), "{}: {told:?}", machine.name());
    }
    std::fs::write(&path, definition.replacen("\"Type\"", "\"Typ\"", 1)).unwrap();
    let said = lint(&path);
    assert!(said.stdout.contains("error"), "it would see a mistake: {said:?}");
}
