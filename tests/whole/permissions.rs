//! Least privilege, shown by taking privileges away: without any single action that the template grants, something a user
//! relies on no longer works. What works without it should not have been granted.
//!
//! The functions run in this process; the endpoint asks their roles' policies as it does for processes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use functions::waits::Waits;
use local_aws::Service;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::bench::Bench;
use crate::copies;

/// What a user relies on; each is an error when it does not work.
#[derive(Debug, Clone, Copy)]
enum Story {
    /// A run over two sizes, with the function's log written.
    Run,
    /// A run that finds what an execution left that died in the middle of a change.
    Recovery,
    /// What `deployer cleanup` asks the Cleaner for, of the same.
    CleanupByHand,
    /// The choice goes to the function, with the Optimizer's log written.
    Optimize,
    /// The choice goes to an alias, a new one and then an existing one.
    OptimizeAlias,
    /// A payload from S3.
    PayloadFromS3,
    /// A run that measures copies of a function with everything that they need a permission for.
    Copies,
}

/// The stories in which a role has work to do, those first that have more of it.
fn stories_of(role: &str) -> &'static [Story] {
    match role {
        "initializer" => &[Story::Run, Story::Recovery],
        "executor" => &[Story::Run, Story::PayloadFromS3],
        "cleaner" => &[Story::Run, Story::CleanupByHand],
        "optimizer" => &[Story::OptimizeAlias, Story::Optimize],
        _ => &[Story::Run],
    }
}

async fn tell(bench: &Bench, story: Story, role: &str) -> Result<(), String> {
    match story {
        Story::Run => run_with_log(bench, json!({}), role).await,
        Story::Recovery => {
            leave_behind(bench).await;
            run(bench, json!({})).await?;
            is_restored(bench).await
        }
        Story::CleanupByHand => {
            leave_behind(bench).await;
            bench.cleanup().await.map_err(|refused| format!("{refused:?}"))?;
            is_restored(bench).await
        }
        Story::Optimize => run_with_log(bench, json!({ "autoOptimize": true }), role).await,
        Story::OptimizeAlias => {
            let input = json!({ "autoOptimize": true, "autoOptimizeAlias": "best" });
            run(bench, input.clone()).await?;
            run(bench, input).await
        }
        Story::Copies => {
            copyable(bench).await;
            run_with_log(bench, json!({ "tune": "copy" }), role).await?;
            let left = copies::copies(bench).await;
            if left.is_empty() && copies::code(bench).await.is_empty() {
                Ok(())
            } else {
                copies::delete(bench, left.clone()).await;
                Err(format!("left: {left:?}"))
            }
        }
        Story::PayloadFromS3 => run(bench, json!({ "payloadS3": "s3://payloads/one" })).await,
    }
}

/// A run of which the role's function, if it is one's, has written its log.
async fn run_with_log(bench: &Bench, more: Value, role: &str) -> Result<(), String> {
    let started = SystemTime::now();
    run(bench, more).await?;
    if role == MACHINE { Ok(()) } else { log_is_written(bench, role, started).await }
}

/// A run to its end, or to the first of its functions that fails: what is denied is tried again for minutes.
async fn run(bench: &Bench, more: Value) -> Result<(), String> {
    let mut input = json!({ "num": 5, "powerValues": [128, 512] });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let execution = bench.start(input).await;
    loop {
        let of = json!({ "executionArn": execution });
        let over = bench.ok(Service::States, "DescribeExecution", of).await;
        match over["status"].as_str().unwrap() {
            "RUNNING" => {}
            "SUCCEEDED" => return Ok(()),
            _ => return Err(over["cause"].to_string()),
        }
        let history = bench.history(&execution).await;
        if let Some(event) = history.iter().find(|event| event["type"].as_str().unwrap().ends_with("Failed"))
        {
            bench.abort(&execution).await;
            return Err(event.to_string());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The function as an execution leaves it that is gone between setting 512 MB and publishing.
async fn leave_behind(bench: &Bench) {
    let dead = format!("{}:dead", bench.machine().replace(":stateMachine:", ":execution:"));
    let version = bench.lambda("PublishVersion", json!({})).await["Version"].clone();
    let lock = json!({
        "Name": "deployer-tuning", "FunctionVersion": version,
        "Description": format!("deployer-tuning 256 256>512 {dead}"),
    });
    bench.lambda("CreateAlias", lock).await;
    bench.lambda("UpdateFunctionConfiguration", json!({ "MemorySize": 512 })).await;
    let ours = format!("deployer-tuning 128 {dead}");
    let size = bench.lambda("PublishVersion", json!({ "Description": ours })).await["Version"].clone();
    let alias = json!({ "Name": "deployer-tuning-128", "FunctionVersion": size, "Description": ours });
    bench.lambda("CreateAlias", alias).await;
}

/// The function with layers, a network, a file system, snapshots and a pinned runtime.
async fn copyable(bench: &Bench) {
    let attach = json!({ "Statement": [{ "Effect": "Allow", "Action": "ec2:*", "Resource": "*" }] });
    let attach =
        json!({ "RoleName": "sample", "PolicyName": "network", "PolicyDocument": attach.to_string() });
    bench.ok(Service::Iam, "PutRolePolicy", attach).await;
    let layer = json!({ "LayerName": "extra", "Content": { "ZipFile": bench.code } });
    let layer = bench.ok(Service::Lambda, "PublishLayerVersion", layer).await["LayerVersionArn"].clone();
    let settings = json!({
        "Runtime": "python3.13", "Layers": [layer], "SnapStart": { "ApplyOn": "PublishedVersions" },
        "VpcConfig": { "SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"] },
        "FileSystemConfigs": [{ "Arn": copies::ACCESS_POINT, "LocalMountPath": "/mnt/models" }],
    });
    bench.lambda("UpdateFunctionConfiguration", settings).await;
    let pinned =
        json!({ "UpdateRuntimeOn": "Manual", "RuntimeVersionArn": "arn:aws:lambda:us-east-1::runtime:0b1c" });
    bench.lambda("PutRuntimeManagementConfig", pinned).await;
}

/// Without any action that a stack grants which measures copies only, a run fails or leaves something.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stack_that_measures_copies_needs_every_action_it_has() {
    let own = "arn:aws:iam::000000000000:role/sample";
    let flags = ["--power-values", "128", "--copies", "only", "--copyable-roles", own];
    let bench = Bench::in_process_with(&flags).await;
    bench.stage().wait(Waits { last_copy: Duration::from_millis(100), ..Waits::AWS.shortened(4) });
    let roles = roles(&bench).await;
    for name in ["initializer", "publisher", "executor", "cleaner"] {
        let role = roles.iter().find(|role| role.of == name).expect("a role of the stack");
        let told = tell(&bench, Story::Copies, name).await;
        told.unwrap_or_else(|error| panic!("{name}, all granted: {error}"));
        reset(&bench).await;
        for (action, document) in role.without_each() {
            // For who cleans up by hand or after a stopped execution, which the tests of copies do.
            if name == "cleaner" && action.starts_with("states:") {
                continue;
            }
            role.put(&bench, &document).await;
            start_anew(&bench, name, &action).await;
            let failed = tell(&bench, Story::Copies, name).await.is_err();
            assert!(failed, "{name} does not need {action}");
            role.put(&bench, &role.document).await;
            reset(&bench).await;
            let left = copies::copies(&bench).await;
            copies::delete(&bench, left).await;
        }
    }
}

async fn is_restored(bench: &Bench) -> Result<(), String> {
    let memory = bench.lambda("GetFunctionConfiguration", json!({})).await["MemorySize"].clone();
    let aliases = bench.lambda("ListAliases", json!({})).await["Aliases"].to_string();
    if memory == 256 && !aliases.contains("deployer-tuning") {
        Ok(())
    } else {
        Err(format!("{memory} MB, aliases {aliases}"))
    }
}

async fn log_is_written(bench: &Bench, handler: &str, since: SystemTime) -> Result<(), String> {
    let since = u64::try_from(since.duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let group = format!("/aws/lambda/deployer-power-tuning-{handler}");
    let filter = json!({ "logGroupName": group, "startTime": since });
    // A log is written beside the answer, not before it.
    let late = Instant::now() + Duration::from_secs(2);
    loop {
        let events = bench.ok(Service::Logs, "FilterLogEvents", filter.clone()).await["events"].to_string();
        if events.contains("REPORT") {
            return Ok(());
        }
        if Instant::now() > late {
            return Err(format!("{group} holds no report"));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The state machine, among the names of roles.
const MACHINE: &str = "statemachine";
const FLEETS: &str = "fleets";

/// A role of the stack, with the document of its one inline policy.
struct Role {
    /// Whose it is: a handler's, or the state machine's.
    of: &'static str,
    name: String,
    policy: String,
    document: Value,
}

async fn roles(bench: &Bench) -> Vec<Role> {
    let mut roles = Vec::new();
    let machines = bench.ok(Service::States, "ListStateMachines", json!({})).await;
    let machines = machines["stateMachines"].as_array().unwrap();
    let mut machines = machines.iter().map(|machine| &machine["stateMachineArn"]);
    let fleets = machines.find(|arn| arn.as_str().unwrap().contains("-fleet-"));
    let handlers = ["initializer", "publisher", "executor", "cleaner", "analyzer", "optimizer", MACHINE];
    for of in handlers.into_iter().chain(fleets.is_some().then_some(FLEETS)) {
        let arn = if [MACHINE, FLEETS].contains(&of) {
            let arn = if of == MACHINE { json!(bench.machine()) } else { json!(fleets) };
            let machine = json!({ "stateMachineArn": arn });
            bench.ok(Service::States, "DescribeStateMachine", machine).await["roleArn"].clone()
        } else {
            let function = json!({ "FunctionName": bench.function(of) });
            bench.ok(Service::Lambda, "GetFunctionConfiguration", function).await["Role"].clone()
        };
        let name = arn.as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        let listed = bench.ok(Service::Iam, "ListRolePolicies", json!({ "RoleName": name })).await;
        let [policy] = listed["PolicyNames"].as_array().unwrap().as_slice() else {
            panic!("{name} has not exactly one policy: {listed}")
        };
        let policy = policy.as_str().unwrap().to_owned();
        let found = json!({ "RoleName": name, "PolicyName": policy });
        let found = bench.ok(Service::Iam, "GetRolePolicy", found).await["PolicyDocument"].clone();
        // As IAM answers it: percent-encoded.
        let document = percent_decode_str(found.as_str().unwrap()).decode_utf8().unwrap();
        let document = serde_json::from_str(&document).unwrap();
        roles.push(Role { of, name, policy, document });
    }
    let all = bench.ok(Service::Iam, "ListRoles", json!({})).await;
    // One more is the tuned function's.
    assert_eq!(all["Roles"].as_array().unwrap().len(), roles.len() + 1, "a role of the stack was left out");
    roles
}

/// The policies of the stack's roles.
pub async fn documents(bench: &Bench) -> Vec<Value> {
    roles(bench).await.into_iter().map(|role| role.document).collect()
}

impl Role {
    async fn put(&self, bench: &Bench, document: &Value) {
        let put = json!({
            "RoleName": self.name, "PolicyName": self.policy, "PolicyDocument": document.to_string(),
        });
        bench.ok(Service::Iam, "PutRolePolicy", put).await;
    }

    /// Every action, with the document that lacks it.
    fn without_each(&self) -> BTreeMap<String, Value> {
        let statements = self.document["Statement"].as_array().unwrap();
        let mut documents = BTreeMap::new();
        for statement in statements {
            for action in statement["Action"].as_array().unwrap() {
                let mut less = statements.clone();
                for statement in &mut less {
                    statement["Action"].as_array_mut().unwrap().retain(|other| other != action);
                }
                less.retain(|statement| !statement["Action"].as_array().unwrap().is_empty());
                if less.is_empty() {
                    // A policy needs a statement, and this call no permission.
                    less.push(
                        json!({ "Effect": "Allow", "Action": ["sts:GetCallerIdentity"], "Resource": ["*"] }),
                    );
                }
                let document = json!({ "Version": "2012-10-17", "Statement": less });
                documents.insert(action.as_str().unwrap().to_owned(), document);
            }
        }
        documents
    }
}

/// Has a function start anew: a log stream, once made, is written to for as long as an environment lives.
async fn start_anew(bench: &Bench, handler: &str, description: &str) {
    let update = json!({ "FunctionName": bench.function(handler), "Description": description });
    bench.ok(Service::Lambda, "UpdateFunctionConfiguration", update).await;
}

/// The function as it was made, and nothing under way about it.
async fn reset(bench: &Bench) {
    bench.quiet().await;
    bench.renew().await;
}

/// Goes through the actions of the roles of `mine`.
async fn no_action_can_be_left_out(mine: &[&str]) {
    let bench = Bench::in_process_with(&["--power-values", "128", "--payload-s3-bucket", "payloads"]).await;
    bench.stage().shorten_waits();
    bench.ok(Service::S3, "CreateBucket", json!({ "Bucket": "payloads" })).await;
    bench.put_object("payloads", "one", "1").await;
    let roles = roles(&bench).await;
    for name in mine {
        let role = roles.iter().find(|role| role.of == *name).expect("a role of the stack");
        for story in stories_of(name) {
            let told = tell(&bench, *story, name).await;
            told.unwrap_or_else(|error| panic!("{name}, {story:?}, all granted: {error}"));
            reset(&bench).await;
        }
        let actions = role.without_each();
        assert!(!actions.is_empty(), "{name} may do nothing");
        for (action, document) in actions {
            role.put(&bench, &document).await;
            if *name != MACHINE {
                start_anew(&bench, name, &action).await;
            }
            let mut failed = false;
            for story in stories_of(name) {
                failed = tell(&bench, *story, name).await.is_err();
                reset(&bench).await;
                if failed {
                    break;
                }
            }
            assert!(failed, "{name} does not need {action}");
        }
        role.put(&bench, &role.document).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_initializer_needs_every_action_it_has() {
    no_action_can_be_left_out(&["initializer"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_publisher_and_the_state_machine_need_every_action_they_have() {
    no_action_can_be_left_out(&["publisher", MACHINE]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_executor_and_the_analyzer_need_every_action_they_have() {
    no_action_can_be_left_out(&["executor", "analyzer"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cleaner_needs_every_action_it_has() {
    no_action_can_be_left_out(&["cleaner"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_optimizer_needs_every_action_it_has() {
    no_action_can_be_left_out(&["optimizer"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_vpc_every_action_on_the_network_is_needed() {
    let vpc = ["--security-group-ids", "sg-12345678", "--subnet-ids", "subnet-12345678"];
    let bench = Bench::in_process_with(&vpc).await;
    for role in roles(&bench).await.into_iter().filter(|role| role.of != MACHINE) {
        let network = json!({ "SubnetIds": ["subnet-2"], "SecurityGroupIds": ["sg-12345678"] });
        let attach = json!({ "FunctionName": bench.function(role.of), "VpcConfig": network });
        let mut tried = 0;
        for (action, document) in role.without_each() {
            let Some(call) = action.strip_prefix("ec2:") else { continue };
            role.put(&bench, &document).await;
            let update = bench.call(Service::Lambda, "UpdateFunctionConfiguration", attach.clone());
            let refused = update.await.unwrap_err();
            assert_eq!(refused.code, "InvalidParameterValueException", "{} {action}: {refused}", role.of);
            assert!(refused.to_string().contains(call), "{} {action}: {refused}", role.of);
            tried += 1;
        }
        assert_eq!(tried, 6, "{}", role.of);
        role.put(&bench, &role.document).await;
        bench.ok(Service::Lambda, "UpdateFunctionConfiguration", attach).await;
    }
}
