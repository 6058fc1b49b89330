//! The policies that the documentation gives for copying suffice, and a linter knows what is in them and in the stack's.

use serde_json::Value;

use crate::bench::Bench;
use crate::harness::{Running, Said, UP, World, isolated, tool};
use crate::permissions::documents;
use crate::release::Folder;

const PAGE: &str = include_str!("../../deployer/docs/aws.md");
const FLEETS: &str = include_str!("../../deployer/docs/fleets.md");

/// The JSON documents of a page, in its order.
fn documents_of(page: &str) -> Vec<Value> {
    let blocks = page.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.map(|block| serde_json::from_str(block).unwrap()).collect()
}

/// For who deploys, and for who only tunes.
fn policies() -> [Value; 2] {
    documents_of(PAGE).try_into().unwrap()
}

/// For who runs fleets: what who only tunes needs, and more.
pub fn of_fleets() -> Value {
    let [_, mut tunes] = policies();
    let more = documents_of(FLEETS)[0]["Statement"].as_array().unwrap().clone();
    tunes["Statement"].as_array_mut().unwrap().extend(more);
    tunes
}

const WAIT: [&str; 5] = ["--num", "40", "--payload", r#"{"milliseconds":200}"#, "--power-values=128"];

/// A run that is stopped with Ctrl-C; the function is as it was before the program ends.
async fn interrupted(world: &World, profile: &str) {
    let mut command = world.released(&[&["tune", "wait"], &WAIT[..]].concat());
    let mut tune = Running::start(world.with_profile(profile, &mut command));
    for _ in 0..600 {
        let alias = world.lambda.get_alias().function_name("wait").name("deployer-tuning-128");
        if alias.send().await.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    tune.signal("INT");
    tune.hear("the function is as it was before");
    tune.end().status(130);
}

#[tokio::test]
async fn with_the_documented_policies_every_verb_works() {
    let world = World::empty().await;
    let function = world.sample("wait", "io").await;
    let [deploys, tunes] = policies();
    world.profiles(&[("deploys", deploys), ("tunes", tunes)]).await;
    // It brings a page along, which the sources would have to be compiled for.
    let release = Folder::new();
    let run = |arguments: &[&str]| {
        let mut command = release.command(arguments);
        command.env("AWS_ENDPOINT_URL", &world.url);
        Said::by(world.with_profile("deploys", &mut command)).success()
    };
    let architecture = ["--architecture", std::env::consts::ARCH];

    run(&[&["preview"], &architecture[..]].concat());
    run(&[&UP[..], &["--power-values", "128,512"]].concat());
    let drift = run(&["drift", "--json"]).json();
    assert_eq!(
        (&drift["drifted"], drift["unknown"].as_array().unwrap().len()),
        (&Value::Bool(false), 0),
        "{drift}"
    );
    run(&["outputs"]);
    let before = function.snapshot().await;
    for profile in ["deploys", "tunes"] {
        let tune = ["tune", "wait", "--num", "5"];
        let said = world.as_profile(profile, &tune).success();
        assert!(!said.stderr.contains("permission"), "{}", said.stderr);
        interrupted(&world, profile).await;
        assert_eq!(function.snapshot().await, before, "{profile}");
    }
    run(&["cleanup", "wait"]);
    let key = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let more = ["--total-execution-timeout", "200", "--log-retention-days", "30", "--kms-key-arns", key];
    run(&[&["preview"], &architecture[..], &more].concat());
    run(&[&UP[..], &more, &["--host-visualization"]].concat());
    let drift = run(&["drift", "--json"]).json();
    assert!(drift["unknown"].as_array().unwrap().is_empty(), "with the page's resources: {drift}");
    run(&[&UP[..], &["--host-visualization=false"]].concat());
    run(&["destroy", "--yes"]);
    assert!(world.states.list_state_machines().send().await.unwrap().state_machines().is_empty());
    assert!(world.s3.list_buckets().send().await.unwrap().buckets().is_empty());
}

/// What the linter says of a policy, a line for each finding.
fn lint(policy: &Value) -> Vec<String> {
    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, policy.to_string().as_bytes()).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    let said = Said::by(isolated(tool("parliament")).stdin(file));
    assert_eq!(said.status == Some(0), said.stdout.is_empty(), "{said:?}");
    said.stdout.lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_linter_of_policies_finds_nothing_but_what_is_meant() {
    // Where the linter's list of actions is behind, or everything is meant.
    let meant = [
        // Of November 2025.
        "Unknown action cloudformation:DescribeEvents",
        // It knows this action for express machines only.
        "[{'action': 'states:DescribeExecution', 'required_format': 'arn:*:states:*:*:express:",
        // A subnet may be another account's, and EC2 knows no resources for its `Describe` calls.
        "Unnecessary use of Resource * -  - ['ec2:AssignPrivateIpAddresses'",
        // What CloudFormation makes there has no name that could be known before.
        "Unnecessary use of Resource * -  - ['cloudfront:CreateDistribution'",
    ];
    let key = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let everything = [
        "--power-values",
        "128,512",
        "--payload-s3-bucket",
        "payloads",
        "--kms-key-arns",
        key,
        "--processor-resource",
        "arn:aws:lambda:us-east-1:000000000000:function:processor",
        "--security-group-ids",
        "sg-12345678",
        "--subnet-ids",
        "subnet-12345678",
        "--copies",
        "also",
        "--copy-role",
        "arn:aws:iam::000000000000:role/copies",
        "--copyable-roles",
        "arn:aws:iam::000000000000:role/shop",
        "--fleets",
    ];
    let of_the_stack = documents(&Bench::in_process_with(&everything).await).await;
    assert_eq!(of_the_stack.len(), 8);
    let mut seen = std::collections::BTreeSet::new();
    for policy in of_the_stack.iter().chain(&policies()).chain([&of_fleets()]) {
        for finding in lint(policy) {
            let known = meant.iter().position(|known| finding.contains(known));
            seen.insert(known.unwrap_or_else(|| panic!("{finding}\n{policy}")));
        }
    }
    assert_eq!(seen.len(), meant.len(), "some are found no more: {seen:?}");

    let wrong = policies()[1].to_string().replacen("lambda:GetAlias", "lambda:GetAllias", 1);
    let said = lint(&serde_json::from_str(&wrong).unwrap()).join("\n");
    assert!(said.contains("Unknown action lambda:GetAllias"), "it would see a mistake: {said}");
}
