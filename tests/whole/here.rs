//! Endpoints that run on this machine already, and functions that are created on them from their code.

use std::path::Path;
use std::process::Command;

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, Runtime};
use serde_json::json;

use crate::harness::{Said, World, built, deployer, zip_of};

/// A folder with the samples.
fn samples() -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("fn-").tempdir().unwrap();
    std::fs::copy(built("samples"), folder.path().join("bootstrap")).unwrap();
    folder
}

const TUNE: [&str; 7] = ["tune", "--json", "--num", "5", "--power-values", "128", "--code"];

/// `tune --code FOLDER --handler echo`, wherever that is.
fn tune(code: &Path) -> Command {
    let mut command = deployer(&TUNE);
    command.arg(code).args(["--handler", "echo"]);
    command
}

#[tokio::test]
async fn local_uses_the_endpoint_that_runs_on_the_same_state() {
    let world = World::new().await;
    let (code, state) = (samples(), world.folder().join("state"));
    let local =
        |flags: &[&str]| Said::by(tune(code.path()).args(["--local", "--state"]).arg(&state).args(flags));
    let said = local(&["echoing"]).success();
    assert_eq!(
        said.stderr.matches("runs on this state already: using it, at http://127.0.0.1:").count(),
        1,
        "{}",
        said.stderr
    );
    let result = said.json();
    let mechanism =
        result["measuredHere"]["mechanism"].as_str().expect("as the other process measures").to_owned();
    // It was created there, for the processor that it runs on, and the state is still served.
    let made = world.lambda.get_function_configuration().function_name("echoing").send().await.unwrap();
    assert_eq!(made.architectures()[0].as_str(), std::env::consts::ARCH.replace("aarch64", "arm64"));

    let left = local(&["echoing", "--detach"]).success().json();
    let execution = left["executionArn"].as_str().unwrap();
    let mut attach = deployer(&["tune", "--json", "--attach", execution, "--local", "--state"]);
    assert_eq!(Said::by(attach.arg(&state)).success().json()["power"], 128);

    local(&["--region", "eu-west-1"])
        .status(2)
        .complains(&[" is for us-east-1, and this command for eu-west-1"]);
    let other = if mechanism.starts_with("pausing") { "cgroup-v2" } else { "duty-cycle" };
    local(&["--cpu-share", other]).status(2).complains(&[&format!("--cpu-share {other}: "), &mechanism]);
}

#[tokio::test]
async fn code_goes_to_endpoints_on_this_machine_alone() {
    let world = World::new().await;
    let code = samples();
    let at = |url: &str| Said::by(tune(code.path()).args(["here", "--endpoint-url", url]));
    let result = at(&world.url).success().json();
    assert!(result["measuredHere"]["processor"].is_string(), "{result}");
    world.lambda.get_function().function_name("here").send().await.unwrap();

    // An address that is nobody's: RFC 5737.
    let needs = ["--code", "needs --local, or --endpoint-url with an endpoint on this machine"];
    at("http://192.0.2.1:4566").status(2).complains(&needs);
    Said::by(&mut tune(code.path())).status(2).complains(&needs);
    // One service elsewhere is enough to refuse: the role would be made there.
    let mut split = tune(code.path());
    split.env("AWS_ENDPOINT_URL", &world.url).env("AWS_ENDPOINT_URL_CLOUDFORMATION", "http://192.0.2.1:4566");
    Said::by(&mut split).status(2).complains(&needs);
}

#[tokio::test]
async fn a_function_gets_the_rights_that_it_is_given_and_a_denial_says_how() {
    let world = World::new().await;
    world.s3.create_bucket().bucket("store").send().await.unwrap();
    world.s3.put_object().bucket("store").key("key").body(b"kept".to_vec().into()).send().await.unwrap();
    let code = tempfile::Builder::new().prefix("fn-").tempdir().unwrap();
    // The endpoint goes by who signs; signatures themselves are not looked at.
    let reads = "exports.handler = async () => {\n\
                 const { AWS_ENDPOINT_URL: url, AWS_ACCESS_KEY_ID: key } = process.env;\n\
                 const authorization = `AWS4-HMAC-SHA256 Credential=${key}/20260101/us-east-1/s3/aws4_request, \
                 SignedHeaders=host, Signature=0`;\n\
                 const answer = await fetch(`${url}/store/key`, { headers: { authorization } });\n\
                 if (answer.status !== 200) throw new Error(await answer.text());\n\
                 return await answer.text();\n};\n";
    std::fs::write(code.path().join("index.js"), reads).unwrap();
    let tune = |flags: &[&str]| {
        let mut command =
            world.command(&["tune", "reads_store", "--num", "5", "--power-values", "1024", "--code"]);
        Said::by(command.arg(code.path()).args(flags))
    };
    let denied = tune(&[]).status(1);
    denied.complains(&[
        "index.handler as nodejs",
        ", by the Node.js on the PATH (--handler and --runtime say otherwise)",
        "is not authorized to perform: s3:GetObject",
        "hint: the function's role on this machine may only write logs and what it is given: --allow s3:GetObject, or a policy",
    ]);
    tune(&["--allow", "s3:GetObject,s3:PutObject"]).success();
    // What is no longer given is taken away.
    tune(&[]).status(1).complains(&["--allow s3:GetObject"]);

    let policy = world.folder().join("policy.json");
    let file = ["--policy-file", policy.to_str().unwrap()];
    let statement =
        |resource: &str| json!({ "Effect": "Allow", "Action": "s3:GetObject", "Resource": resource });
    let document = |resource: &str| json!({ "Version": "2012-10-17", "Statement": statement(resource) });
    std::fs::write(&policy, document("arn:aws:s3:::other/*").to_string()).unwrap();
    tune(&file).status(1).complains(&["s3:GetObject on resource"]);
    std::fs::write(&policy, document("arn:aws:s3:::store/*").to_string()).unwrap();
    tune(&file).success();
    std::fs::write(&policy, r#"{"Version":"2012-10-17","Statement":[{"Effect":"Perhaps"}]}"#).unwrap();
    tune(&file).status(2).complains(&["--policy-file", "is no policy as IAM takes them: "]);
    tune(&["--allow", "GetObject"]).status(2).complains(&["--allow", "GetObject", "s3:GetObject"]);
}

#[tokio::test]
async fn a_processor_that_is_not_here_is_said_with_the_result() {
    let world = World::new().await;
    let (own, other) = ("x86_64", "arm64");
    let (own, other) = if cfg!(target_arch = "x86_64") { (own, other) } else { (other, own) };
    let code = Blob::new(zip_of("index.js", b"exports.handler = async (event) => event;"));
    let create = world.lambda.create_function().function_name("elsewhere").handler("index.handler");
    let create = create.code(FunctionCode::builder().zip_file(code).build()).runtime(Runtime::Nodejs22x);
    let create = create.role("arn:aws:iam::000000000000:role/sample").architectures(other.into());
    create.send().await.unwrap();
    let words = format!(
        "elsewhere is for {other}, and this machine is {own}: the durations are this processor's, and the costs are these durations \
         at the price of {other}"
    );
    let tune = ["tune", "elsewhere", "--num", "5", "--power-values", "512"];
    world.deployer(&tune).success().complains(&[&words]);
    let markdown = world.deployer(&[&tune[..], &["--markdown"]].concat()).success();
    assert!(markdown.stdout.contains(&words), "{}", markdown.stdout);
}
