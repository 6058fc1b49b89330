//! Least privilege, shown by taking privileges away: without any single action that the template grants, something a user
//! relies on no longer works. What works without it should not have been granted.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::harness::{Function, World};

/// What a user relies on; each is an error when it does not work.
#[derive(Debug, Clone, Copy)]
enum Story {
    /// A run over two sizes, with the function's log written.
    Run,
    /// A run that finds what an execution left that died in the middle of a change.
    Recovery,
    /// `deployer cleanup` of the same.
    CleanupByHand,
    /// The choice goes to the function.
    Optimize,
    /// The choice goes to an alias, a new one and then an existing one.
    OptimizeAlias,
    /// A payload from S3.
    PayloadFromS3,
}

/// The stories in which a role has work to do, those first that have more of it.
fn stories_of(role: &str) -> &'static [Story] {
    match role {
        "initializer" => &[Story::Run, Story::Recovery],
        "executor" => &[Story::Run, Story::PayloadFromS3],
        "cleaner" => &[Story::Run, Story::CleanupByHand],
        "optimizer" => &[Story::OptimizeAlias, Story::Optimize, Story::Run],
        _ => &[Story::Run],
    }
}

/// One function in one world, used for every story.
struct Stage<'w> {
    world: &'w World,
    function: Function<'w>,
}

impl<'w> Stage<'w> {
    async fn new(world: &'w World) -> Self {
        world.s3.create_bucket().bucket("payloads").send().await.unwrap();
        let body = aws_sdk_s3::primitives::ByteStream::from_static(b"1");
        world.s3.put_object().bucket("payloads").key("one").body(body).send().await.unwrap();
        Self { world, function: world.sample("echo", "echo").await }
    }

    async fn tell(&self, story: Story, role: &str) -> Result<(), String> {
        match story {
            Story::Run => {
                let started = SystemTime::now();
                self.run(json!({})).await?;
                if role == "statemachine" { Ok(()) } else { self.log_is_written(role, started) }
            }
            Story::Recovery => {
                self.leave_behind().await;
                self.run(json!({})).await?;
                self.is_restored().await
            }
            Story::CleanupByHand => {
                self.leave_behind().await;
                let said = self.world.deployer(&["cleanup", "echo"]);
                if said.status != Some(0) {
                    return Err(said.stderr);
                }
                self.is_restored().await
            }
            Story::Optimize => self.run(json!({ "autoOptimize": true })).await,
            Story::OptimizeAlias => {
                let input = json!({ "autoOptimize": true, "autoOptimizeAlias": "chosen" });
                self.run(input.clone()).await?;
                self.run(input).await
            }
            Story::PayloadFromS3 => self.run(json!({ "payloadS3": "s3://payloads/one" })).await,
        }
    }

    /// A run to its end, or to the first of its functions that fails: what is denied is tried again for minutes.
    async fn run(&self, extra: Value) -> Result<(), String> {
        let mut input = json!({ "lambdaARN": self.function.arn(), "num": 5, "powerValues": [128, 512] });
        input.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let states = &self.world.states;
        let machines = states.list_state_machines().send().await.unwrap();
        let start =
            states.start_execution().state_machine_arn(machines.state_machines()[0].state_machine_arn());
        let execution = start.input(input.to_string()).send().await.unwrap().execution_arn;
        loop {
            let over = states.describe_execution().execution_arn(&execution).send().await.unwrap();
            match over.status().as_str() {
                "RUNNING" => {}
                "SUCCEEDED" => return Ok(()),
                _ => return Err(over.cause.unwrap_or_default()),
            }
            let recent = states.get_execution_history().execution_arn(&execution).reverse_order(true);
            for event in recent.send().await.unwrap().events {
                if event.r#type().as_str().ends_with("Failed") {
                    states.stop_execution().execution_arn(&execution).send().await.unwrap();
                    return Err(format!("{event:?}"));
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The function as an execution leaves it that is gone between setting 512 MB and publishing.
    async fn leave_behind(&self) {
        let lambda = &self.world.lambda;
        let machines = self.world.states.list_state_machines().send().await.unwrap();
        let machine = machines.state_machines()[0].state_machine_arn();
        let dead = format!("{}:dead", machine.replace(":stateMachine:", ":execution:"));
        self.function.settled().await;
        let version = lambda.publish_version().function_name("echo").send();
        let version = version.await.unwrap().version.unwrap();
        let lock = lambda.create_alias().function_name("echo").name("deployer-tuning");
        lock.function_version(&version)
            .description(format!("deployer-tuning 256 256>512 {dead}"))
            .send()
            .await
            .unwrap();
        lambda.update_function_configuration().function_name("echo").memory_size(512).send().await.unwrap();
        self.function.settled().await;
        let ours = format!("deployer-tuning 128 {dead}");
        let size = lambda.publish_version().function_name("echo").description(&ours).send().await.unwrap();
        let alias = lambda.create_alias().function_name("echo").name("deployer-tuning-128");
        alias.function_version(size.version.unwrap()).description(&ours).send().await.unwrap();
    }

    async fn is_restored(&self) -> Result<(), String> {
        let memory = self.function.memory().await;
        let aliases = self.world.lambda.list_aliases().function_name("echo").send().await.unwrap();
        let left: Vec<_> = aliases.aliases().iter().filter_map(|alias| alias.name()).collect();
        if memory == 256 && left.is_empty() { Ok(()) } else { Err(format!("{memory} MB, aliases {left:?}")) }
    }

    fn log_is_written(&self, handler: &str, since: SystemTime) -> Result<(), String> {
        let since = since.duration_since(UNIX_EPOCH).unwrap().as_millis().to_string();
        let group = format!("/aws/lambda/deployer-power-tuning-{handler}");
        let arguments = ["logs", "filter-log-events", "--log-group-name", &group, "--start-time", &since];
        let events = self.world.aws(&arguments).success().json()["events"].to_string();
        if events.contains("REPORT") { Ok(()) } else { Err(format!("{group} holds no report")) }
    }

    /// The function as it was made.
    async fn reset(&self) {
        self.world.lambda.delete_function().function_name("echo").send().await.unwrap();
        self.world.sample("echo", "echo").await;
    }
}

/// The function of the stack with this logical id.
fn function(world: &World, logical_id: &str) -> String {
    let stack = ["--stack-name", "deployer-power-tuning", "--logical-resource-id", logical_id];
    let found = world.aws(&[&["cloudformation", "describe-stack-resource"][..], &stack].concat());
    let found = found.success().json();
    found["StackResourceDetail"]["PhysicalResourceId"].as_str().unwrap().to_owned()
}

/// Has a function start anew: a log stream, once made, is written to for as long as an environment lives.
async fn start_anew(world: &World, function: &str, description: &str) {
    let update = world.lambda.update_function_configuration().function_name(function);
    update.description(description).send().await.unwrap();
    for _ in 0..200 {
        let found = world.lambda.get_function_configuration().function_name(function).send().await.unwrap();
        if found.last_update_status().is_none_or(|status| status.as_str() != "InProgress") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{function} is not settled after 5 s");
}

/// A role of the stack, with the document of its one inline policy.
struct Role {
    logical_id: String,
    name: String,
    policy: String,
    document: Value,
}

fn roles(world: &World) -> Vec<Role> {
    let stack = ["--stack-name", "deployer-power-tuning"];
    let resources =
        world.aws(&[&["cloudformation", "list-stack-resources"][..], &stack].concat()).success().json();
    let resources = resources["StackResourceSummaries"].as_array().unwrap().clone();
    let roles = resources.iter().filter(|resource| resource["ResourceType"] == "AWS::IAM::Role");
    roles
        .map(|role| {
            let name = role["PhysicalResourceId"].as_str().unwrap().to_owned();
            let listed = world.aws(&["iam", "list-role-policies", "--role-name", &name]).success().json();
            let [policy] = listed["PolicyNames"].as_array().unwrap().as_slice() else {
                panic!("{name} has not exactly one policy: {listed}")
            };
            let policy = policy.as_str().unwrap().to_owned();
            let found =
                world.aws(&["iam", "get-role-policy", "--role-name", &name, "--policy-name", &policy]);
            let document = found.success().json()["PolicyDocument"].clone();
            let logical_id = role["LogicalResourceId"].as_str().unwrap().to_owned();
            Role { logical_id, name, policy, document }
        })
        .collect()
}

impl Role {
    fn put(&self, world: &World, document: &Value) {
        let document = document.to_string();
        let arguments = ["iam", "put-role-policy", "--role-name", &self.name, "--policy-name", &self.policy];
        world.aws(&[&arguments[..], &["--policy-document", &document]].concat()).success();
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

/// Goes through the actions of the roles that `mine` picks.
async fn no_action_can_be_left_out(mine: impl Fn(&str) -> bool) {
    let world = World::with(&["--power-values", "128", "--payload-s3-bucket", "payloads"]).await;
    let stage = Stage::new(&world).await;
    let mut tried = 0;
    for role in roles(&world) {
        let name = role.logical_id.trim_end_matches("Role");
        if !mine(name) {
            continue;
        }
        let function = (name != "statemachine").then(|| function(&world, name));
        for story in stories_of(name) {
            stage
                .tell(*story, name)
                .await
                .unwrap_or_else(|error| panic!("{name}, {story:?}, all granted: {error}"));
            stage.reset().await;
        }
        for (action, document) in role.without_each() {
            role.put(&world, &document);
            if let Some(function) = &function {
                start_anew(&world, function, &action).await;
            }
            let mut failed = false;
            for story in stories_of(name) {
                failed = stage.tell(*story, name).await.is_err();
                stage.reset().await;
                if failed {
                    break;
                }
            }
            assert!(failed, "{name} does not need {action}");
            tried += 1;
        }
        role.put(&world, &role.document);
    }
    assert!(tried > 0, "no role was found");
}

#[tokio::test]
async fn the_initializer_needs_every_action_it_has() {
    no_action_can_be_left_out(|role| role == "initializer").await;
}

#[tokio::test]
async fn the_publisher_and_the_state_machine_need_every_action_they_have() {
    no_action_can_be_left_out(|role| matches!(role, "publisher" | "statemachine")).await;
}

#[tokio::test]
async fn the_executor_and_the_analyzer_need_every_action_they_have() {
    no_action_can_be_left_out(|role| matches!(role, "executor" | "analyzer")).await;
}

#[tokio::test]
async fn the_cleaner_needs_every_action_it_has() {
    no_action_can_be_left_out(|role| role == "cleaner").await;
}

#[tokio::test]
async fn the_optimizer_needs_every_action_it_has() {
    no_action_can_be_left_out(|role| role == "optimizer").await;
}

#[tokio::test]
async fn in_a_vpc_every_action_on_the_network_is_needed() {
    let vpc = ["--security-group-ids", "sg-12345678", "--subnet-ids", "subnet-12345678"];
    let world = World::with(&vpc).await;
    let attach = |function: String, subnet: &'static str| {
        let network = aws_sdk_lambda::types::VpcConfig::builder().subnet_ids(subnet);
        let update = world.lambda.update_function_configuration().function_name(function);
        update.vpc_config(network.security_group_ids("sg-12345678").build()).send()
    };
    for role in roles(&world) {
        let Some(handler) = role.logical_id.strip_suffix("Role").filter(|name| *name != "statemachine")
        else {
            continue;
        };
        let function = function(&world, handler);
        let mut tried = 0;
        for (action, document) in role.without_each() {
            let Some(call) = action.strip_prefix("ec2:") else { continue };
            role.put(&world, &document);
            let refused = attach(function.clone(), "subnet-2").await.unwrap_err().into_service_error();
            assert!(refused.to_string().contains("InvalidParameterValue"), "{handler} {action}: {refused}");
            assert!(refused.meta().message().unwrap().contains(call), "{handler} {action}: {refused:?}");
            tried += 1;
        }
        assert_eq!(tried, 6, "{handler}");
        role.put(&world, &role.document);
        attach(function, "subnet-2").await.unwrap();
    }
}
