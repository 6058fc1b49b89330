//! Clients nobody here wrote: the AWS command line and boto3 drive the embedded endpoint.

use std::path::Path;

use serde_json::Value;

use crate::harness::{REGION, Said, World, isolated, tool};

#[tokio::test]
async fn the_aws_command_line_sees_what_was_deployed() {
    let world = World::new().await;
    let stacks = world.aws(&["cloudformation", "describe-stacks"]).success().json();
    let names: Vec<&str> =
        stacks["Stacks"].as_array().unwrap().iter().map(|s| s["StackName"].as_str().unwrap()).collect();
    assert!(names.contains(&"deployer-power-tuning"), "{names:?}");
    assert_eq!(world.aws(&["sts", "get-caller-identity"]).success().json()["Account"], "000000000000");
    let functions = world.aws(&["lambda", "list-functions"]).success().json();
    assert_eq!(functions["Functions"].as_array().unwrap().len(), 6, "{functions}");
    let machines = world.aws(&["stepfunctions", "list-state-machines"]).success().json();
    assert_eq!(machines["stateMachines"].as_array().unwrap().len(), 1, "{machines}");
}

#[tokio::test]
async fn the_aws_command_line_gives_a_function_a_layer() {
    let world = World::new().await;
    world.sample("echo", "echo").await;
    let folder = tempfile::tempdir().unwrap();
    let zip = folder.path().join("layer.zip");
    let zip_it = "import sys, zipfile; zipfile.ZipFile(sys.argv[1], 'w').writestr('lib/words', 'hello')";
    Said::by(isolated(tool("python")).args(["-c", zip_it]).arg(&zip)).success();
    let file = format!("fileb://{}", zip.display());
    let publish = ["lambda", "publish-layer-version", "--layer-name", "words", "--zip-file", &file];
    let published = unsigned(world.aws(&publish).success().json());
    let arn = published["LayerVersionArn"].as_str().unwrap();
    assert!(arn.ends_with(":layer:words:1"), "{published}");
    let configure = ["lambda", "update-function-configuration", "--function-name", "echo", "--layers", arn];
    let configured = world.aws(&configure).success().json();
    assert_eq!(configured["Layers"][0]["Arn"], arn);
    assert_eq!(configured["Layers"][0]["CodeSize"], published["Content"]["CodeSize"]);
    let by_arn = unsigned(world.aws(&["lambda", "get-layer-version-by-arn", "--arn", arn]).success().json());
    let got = ["lambda", "get-layer-version", "--layer-name", "words", "--version-number", "1"];
    assert_eq!(by_arn, unsigned(world.aws(&got).success().json()));
    assert_eq!(by_arn["Content"], published["Content"]);
    let delete = ["lambda", "delete-layer-version", "--layer-name", "words", "--version-number", "1"];
    world.aws(&delete).success();
    let layers = world.aws(&["lambda", "list-layers"]).success().json();
    assert_eq!(layers["Layers"], Value::Array(Vec::new()));
    let versions = world.aws(&["lambda", "list-layer-versions", "--layer-name", "words"]).success().json();
    assert_eq!(versions["LayerVersions"], Value::Array(Vec::new()));
    let missing = ["lambda", "update-function-configuration", "--function-name", "echo", "--layers", arn];
    let refused =
        world.aws(&missing).complains(&["InvalidParameterValueException", "words:1 does not exist"]);
    assert_ne!(refused.status, Some(0));
}

#[tokio::test]
async fn the_cdk_deploys_changes_and_destroys_an_app_by_its_default_way() {
    let world = World::empty().await;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (app, modules) = (world.folder().join("cdk"), root.join(".tools/cdk/node_modules"));
    assert!(modules.join(".bin/cdk").exists(), "{} is missing: tests/run installs it", modules.display());
    std::fs::create_dir_all(app.join("orders")).unwrap();
    for file in ["app.js", "cdk.json", "orders/index.js"] {
        std::fs::copy(root.join("whole/cdk").join(file), app.join(file)).unwrap();
    }
    let cdk = |arguments: &[&str]| {
        let mut command = isolated(modules.join(".bin/cdk"));
        command
            .args(["--no-color", "--no-notices"])
            .args(arguments)
            .current_dir(&app)
            .env("NODE_PATH", &modules);
        command.env("AWS_ENDPOINT_URL", &world.url).env("CDK_DISABLE_VERSION_CHECK", "1");
        Said::by(command.env("CDK_DISABLE_CLI_TELEMETRY", "true")).success()
    };
    let place = format!("aws://000000000000/{REGION}");
    cdk(&["bootstrap", &place]);
    cdk(&[
        "deploy",
        "--require-approval",
        "never",
        "--context",
        "memory=256",
        "--outputs-file",
        "outputs.json",
    ]);
    let outputs: Value = serde_json::from_slice(&std::fs::read(app.join("outputs.json")).unwrap()).unwrap();
    let name = outputs["Shop"]["Name"].as_str().unwrap();
    let machine = outputs["Shop"]["MachineArn"].as_str().unwrap();
    let memory = || {
        let get = ["lambda", "get-function-configuration", "--function-name", name, "--query", "MemorySize"];
        world.aws(&get).success().json()
    };
    assert_eq!(memory(), 256);
    let start = ["stepfunctions", "start-execution", "--state-machine-arn", machine, "--input", r#"{"n":3}"#];
    let started = world.aws(&start).success().json();
    let ended = world.ended(started["executionArn"].as_str().unwrap()).await;
    assert_eq!(ended.output["Payload"], serde_json::json!({ "asked": { "n": 3 } }), "{}", ended.cause);

    let told = cdk(&["diff", "--context", "memory=512"]);
    assert!(format!("{}{}", told.stdout, told.stderr).contains("[+] 512"), "{told:?}");
    let changed = cdk(&["deploy", "--require-approval", "never", "--context", "memory=512"]);
    let fell_back = "could not be used to assume";
    assert!(!format!("{}{}", changed.stdout, changed.stderr).contains(fell_back), "{changed:?}");
    assert_eq!(memory(), 512);
    cdk(&["destroy", "--force", "--context", "memory=512"]);
    let functions = world.aws(&["lambda", "list-functions"]).success().json();
    assert_eq!(functions["Functions"], Value::Array(Vec::new()));
}

/// A layer's answer with its location before the signature, which is another each second.
fn unsigned(mut answer: Value) -> Value {
    let location = answer["Content"]["Location"].as_str().unwrap();
    let (location, signature) = location.split_once('?').unwrap();
    assert!(signature.contains("X-Amz-Signature="), "{signature}");
    answer["Content"]["Location"] = Value::from(location);
    answer
}

/// What the endpoint does not carry out is refused with a code, whoever asks for it: never a success that means nothing.
#[tokio::test]
async fn what_is_not_carried_out_is_refused_and_nothing_is_made() {
    let world = World::new().await;
    world.aws(&["s3api", "create-bucket", "--bucket", "site"]).success();
    let definition = r#"{"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}"#;
    let role = world.aws(&["iam", "list-roles"]).success().json()["Roles"]
        .as_array()
        .unwrap()
        .iter()
        .find(|role| role["AssumeRolePolicyDocument"].to_string().contains("states.amazonaws.com"))
        .unwrap()["Arn"]
        .as_str()
        .unwrap()
        .to_owned();
    let machine = [
        "stepfunctions",
        "create-state-machine",
        "--name",
        "m",
        "--definition",
        definition,
        "--role-arn",
        &role,
    ];
    let logs = r#"{"level":"OFF","destinations":[{"cloudWatchLogsLogGroup":{"logGroupArn":"arn:aws:logs:us-east-1:000000000000:log-group:l:*"}}]}"#;
    let assume = ["sts", "assume-role", "--role-arn", &role, "--role-session-name", "session"];
    let put = ["s3api", "put-object", "--bucket", "site", "--key", "k"];
    let policy = r#"{"Version":"2012-10-17","Statement":[]}"#;
    for (call, more, words) in [
        (
            &machine[..],
            &["--version-description", "first"][..],
            "Version description can only be set when publish is true",
        ),
        (&machine, &["--publish"], "has no versions of state machines"),
        (&machine, &["--logging-configuration", logs], "InvalidLoggingConfiguration"),
        (&assume, &["--policy", policy], "Policy"),
        (&assume, &["--policy-arns", "arn=arn:aws:iam::aws:policy/ReadOnlyAccess"], "PolicyArns"),
        (&assume, &["--tags", "Key=a,Value=b"], "Tags"),
        (&assume, &["--source-identity", "somebody"], "SourceIdentity"),
        (&put, &["--website-redirect-location", "/elsewhere"], "x-amz-website-redirect-location"),
        (&put, &["--acl", "public-read"], "x-amz-acl"),
        (
            &["s3api", "put-bucket-website", "--bucket", "site"],
            &["--website-configuration", r#"{"IndexDocument":{"Suffix":"index.html"}}"#],
            "NotImplemented",
        ),
    ] {
        let said = world.aws(&[call, more].concat());
        assert!(!matches!(said.status, Some(0)), "{more:?} was taken");
        said.complains(&[words]);
    }
    let machines = world.aws(&["stepfunctions", "list-state-machines"]).success().json();
    assert_eq!(machines["stateMachines"].as_array().unwrap().len(), 1, "{machines}");
    // The command line leaves the number of keys out when it pages.
    let objects =
        world.aws(&["s3api", "list-objects-v2", "--bucket", "site", "--no-paginate"]).success().json();
    assert_eq!(objects["KeyCount"], 0, "{objects}");
}

const SCRIPT: &str = r#"
import boto3, json, sys, time
name = sys.argv[1]
states, functions = boto3.client("stepfunctions"), boto3.client("lambda")
machine = states.list_state_machines()["stateMachines"][0]["stateMachineArn"]
arn = functions.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
execution = states.start_execution(
    stateMachineArn=machine, input=json.dumps({"lambdaARN": arn, "num": 5, "powerValues": [128, 512]})
)["executionArn"]
for _ in range(600):
    over = states.describe_execution(executionArn=execution)
    if over["status"] != "RUNNING":
        break
    time.sleep(0.1)
history = states.get_paginator("get_execution_history").paginate(executionArn=execution)
events = sum(len(page["events"]) for page in history)
answer = functions.invoke(FunctionName=name, Payload=b'{"hello":1}', LogType="Tail")
print(json.dumps({
    "status": over["status"], "output": json.loads(over.get("output", "null")), "events": events,
    "answer": json.loads(answer["Payload"].read()), "log": answer["LogResult"],
    "groups": [g["logGroupName"] for g in boto3.client("logs").describe_log_groups()["logGroups"]],
}))
"#;

#[tokio::test]
async fn boto3_starts_an_execution_and_reads_its_output() {
    let world = World::new().await;
    world.sample("echo", "echo").await;
    let mut python = isolated(tool("python"));
    let said = Said::by(python.env("AWS_ENDPOINT_URL", &world.url).args(["-c", SCRIPT, "echo"])).success();
    let seen: Value = said.json();
    assert_eq!(seen["status"], "SUCCEEDED", "{seen}");
    assert!(seen["output"]["power"].is_number(), "{seen}");
    assert_eq!(seen["answer"]["hello"], 1, "{seen}");
    assert!(seen["events"].as_u64().unwrap() > 20 && !seen["log"].as_str().unwrap().is_empty(), "{seen}");
    let groups = seen["groups"].as_array().unwrap();
    assert!(groups.iter().any(|group| group.as_str().unwrap().ends_with("-initializer")), "{seen}");
}

const METRICS: &str = r#"
import boto3, datetime, json
from botocore.exceptions import ClientError

metrics, now = boto3.client("cloudwatch"), datetime.datetime.now(datetime.timezone.utc)

def query(id, metric, stat):
    dimensions = [{"Name": "FunctionName", "Value": "echo"}]
    metric = {"Namespace": "AWS/Lambda", "MetricName": metric, "Dimensions": dimensions}
    return {"Id": id, "MetricStat": {"Metric": metric, "Period": 86400, "Stat": stat}}

def ask(*queries):
    window = {"StartTime": now - datetime.timedelta(hours=1), "EndTime": now + datetime.timedelta(minutes=2)}
    pages = metrics.get_paginator("get_metric_data").paginate(MetricDataQueries=list(queries), **window)
    return [result for page in pages for result in page["MetricDataResults"]]

try:
    ask(query("A", "Errors", "Sum"))
except ClientError as error:
    code = error.response["Error"]["Code"]
results = ask(query("a", "Invocations", "Sum"), query("b", "Duration", "p95"))
age = (now - results[0]["Timestamps"][0]).total_seconds()
print(json.dumps({"code": code, "values": [len(r["Values"]) for r in results], "sum": results[0]["Values"][0], "age": age}))
"#;

#[tokio::test]
async fn boto3_and_the_command_line_read_metrics() {
    let world = World::empty().await;
    world.sample("echo", "echo").await;
    world.lambda.invoke().function_name("echo").send().await.unwrap();
    let mut python = isolated(tool("python"));
    let said = Said::by(python.env("AWS_ENDPOINT_URL", &world.url).args(["-c", METRICS])).success().json();
    assert_eq!((said["sum"].as_f64(), &said["values"]), (Some(1.0), &serde_json::json!([1, 1])));
    assert_eq!(said["code"], "ValidationError");
    // The period begins where it was asked for.
    assert!((3600.0..=3660.0).contains(&said["age"].as_f64().unwrap()), "{said}");
    let query = r#"[{"Id":"a","MetricStat":{"Metric":{"Namespace":"AWS/Lambda","MetricName":"Invocations"},"Period":86400,"Stat":"Sum"}}]"#;
    let times = ["--start-time", "2026-01-01T00:00:00Z", "--end-time", "2036-01-01T00:00:00Z"];
    let ask = [&["cloudwatch", "get-metric-data", "--metric-data-queries", query], &times[..]].concat();
    assert_eq!(world.aws(&ask).success().json()["MetricDataResults"][0]["Values"], serde_json::json!([1.0]));
}
