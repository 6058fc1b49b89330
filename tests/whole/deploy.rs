//! Deploying on this machine: created, unchanged, updated, gone.

use std::collections::BTreeSet;

use crate::harness::{Running, Said, World, deployer, tool, up_local};

#[test]
fn up_is_done_once() {
    let folder = tempfile::tempdir().unwrap();
    let first = up_local(folder.path(), &["--power-values", "128,512,3008"]).success();
    assert!(
        first.stdout.contains("was created") && first.stdout.contains("StateMachineARN"),
        "{}",
        first.stdout
    );
    let second = up_local(folder.path(), &[]).success();
    assert!(second.stdout.contains("unchanged") || second.stdout.contains("up to date"), "{}", second.stdout);
}

#[test]
fn preview_says_whether_something_would_change() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let preview = |flags: &[&str]| {
        let mut command = deployer(&["preview", "--local", "--detailed-exitcode", "--state"]);
        Said::by(command.arg(&state).args(flags).current_dir(folder.path()))
    };
    preview(&[]).status(2);
    up_local(folder.path(), &[]).success();
    preview(&[]).status(0);
    preview(&["--log-retention-days", "30"]).status(2);
    preview(&[]).status(0);
}

#[tokio::test]
async fn an_architecture_that_is_not_given_is_the_deployed_one() {
    let world = World::empty().await;
    world.up(&[]).success();
    let quiet = ["preview", "--detailed-exitcode"];
    Said::by(&mut world.released(&quiet)).status(0);
    let up = ["up", "--yes", "--log-retention-days", "30"];
    Said::by(&mut world.released(&up)).success();
    for function in world.lambda.list_functions().send().await.unwrap().functions() {
        let architectures = function.architectures().iter().map(|one| one.as_str()).collect::<Vec<_>>();
        assert_eq!(architectures, [if cfg!(target_arch = "x86_64") { "x86_64" } else { "arm64" }]);
    }
}

#[tokio::test]
async fn destroy_leaves_nothing() {
    let world = World::with(&[]).await;
    world.deployer(&["destroy", "--yes"]).success();
    let functions = world.lambda.list_functions().send().await.unwrap();
    assert!(functions.functions().is_empty(), "{functions:?}");
    let machines = world.states.list_state_machines().send().await.unwrap();
    assert!(machines.state_machines().is_empty(), "{machines:?}");
    let mut objects = 0;
    for bucket in world.s3.list_buckets().send().await.unwrap().buckets() {
        objects +=
            world.s3.list_objects_v2().bucket(bucket.name().unwrap()).send().await.unwrap().contents().len();
    }
    assert_eq!(objects, 0, "assets that are left");
    world.deployer(&["destroy", "--yes"]).success();
}

#[tokio::test]
async fn a_bucket_of_ones_own_gets_the_assets_and_loses_nothing_else() {
    let world = World::empty().await;
    let objects = async || {
        let listed = world.s3.list_objects_v2().bucket("mine").send().await.unwrap();
        listed.contents().iter().map(|object| object.key().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let missing = world.up(&["--assets-bucket", "mine"]).status(1);
    missing.complains(&["mine", "hint: create it, or leave --assets-bucket out"]);
    world.s3.create_bucket().bucket("mine").send().await.unwrap();
    let theirs = "deployer-power-tuning/somebody's.zip";
    world.s3.put_object().bucket("mine").key(theirs).send().await.unwrap();
    world.up(&["--assets-bucket", "mine"]).success();
    let uploaded = objects().await;
    assert_eq!(uploaded.len(), 2, "{uploaded:?}");
    let again = world.up(&["--assets-bucket", "mine"]).success();
    assert!(!again.stderr.contains("uploaded"), "{again:?}");

    // The assets go while the stack is being deleted: afterwards nothing says any more where they are.
    let mut destroy = Running::start(&mut world.command(&["destroy", "--yes"]));
    destroy.hear("deleted 1 uploaded asset from mine");
    destroy.signal("INT");
    destroy.end();
    world.deployer(&["destroy", "--yes"]).success();
    assert_eq!(objects().await, [theirs]);
    let buckets = world.s3.list_buckets().send().await.unwrap();
    assert_eq!(buckets.buckets().len(), 1, "{buckets:?}");
}

#[tokio::test]
async fn the_functions_are_tagged_as_the_apparatus() {
    let world = World::new().await;
    let functions = world.lambda.list_functions().send().await.unwrap();
    assert_eq!(functions.functions().len(), 6);
    for function in functions.functions() {
        let tags = world.lambda.list_tags().resource(function.function_arn().unwrap()).send().await.unwrap();
        let tag = tags.tags().and_then(|tags| tags.get("deployer:apparatus")).map(String::as_str);
        assert_eq!(tag, Some("true"), "{function:?}");
    }
}

#[test]
fn outputs_are_the_stack_s() {
    let folder = tempfile::tempdir().unwrap();
    up_local(folder.path(), &["--state-machine-name-prefix", "mine"]).success();
    let mut command = deployer(&["outputs", "--local", "--json", "--state"]);
    let outputs = Said::by(command.arg(folder.path().join("state")).current_dir(folder.path())).success();
    assert!(outputs.stdout.contains("stateMachine:mine-"), "{}", outputs.stdout);
}

/// What makes each of the template's conditions hold; the defaults make none hold but the first.
const CHOICES: [(&str, &str); 13] = [
    ("lambdaResource", "arn:aws:lambda:*:*:function:shop-*"),
    ("processorResource", "arn:aws:lambda:*:*:function:processor-*"),
    ("kmsKeyArns", "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"),
    ("assumableRoles", "arn:aws:iam::210987654321:role/tuned"),
    ("permissionsBoundary", "arn:aws:iam::123456789012:policy/boundary"),
    ("payloadS3Bucket", "payloads"),
    ("securityGroupIds", "sg-0123456789abcdef0"),
    ("hostVisualization", "true"),
    ("copies", "also"),
    ("copyRole", "arn:aws:iam::123456789012:role/copies"),
    ("codeBucket", "packages"),
    ("copyableRoles", "arn:aws:iam::123456789012:role/shop"),
    ("fleets", "true"),
];

#[test]
fn cfn_lint_has_nothing_to_say_about_the_template_whatever_is_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let template = Said::by(deployer(&["synth", "--local"]).current_dir(folder.path())).success();
    let again = Said::by(deployer(&["synth", "--local"]).current_dir(folder.path())).success();
    assert_eq!(template.stdout, again.stdout, "deterministic to the byte");
    let conditions = template.json()["Conditions"].as_object().unwrap().len();
    // Two more are about functions that are measured themselves: whether they are, and whether they have keys.
    assert_eq!(conditions, CHOICES.len() + 2, "every condition is chosen by one of these");
    let mut linter = crate::harness::isolated(tool("cfn-lint"));
    // None, all and each alone. Further, by every binary digit of a choice's number, those that have it and those that do
    // not: any two numbers differ in some digit, so any two choices meet in all four ways.
    let all = (1_u32 << CHOICES.len()) - 1;
    let digits = CHOICES.len().ilog2() + 1;
    let with = |digit: u32| (0..CHOICES.len()).filter(|n| n >> digit & 1 == 1).map(|n| 1 << n).sum::<u32>();
    let halves = (0..digits).map(with).flat_map(|half| [half, all & !half]);
    let single = (0..CHOICES.len()).map(|n| 1 << n);
    let chosen: BTreeSet<u32> = [0, all].into_iter().chain(single).chain(halves).collect();
    for chosen in chosen {
        let mut template = template.json();
        for (index, (parameter, value)) in CHOICES.iter().enumerate() {
            let declared = &mut template["Parameters"][parameter];
            assert!(declared.is_object(), "{parameter}");
            if chosen & (1 << index) != 0 {
                declared["Default"] = (*value).into();
            }
        }
        let path = folder.path().join(format!("template-{chosen}.json"));
        std::fs::write(&path, template.to_string()).unwrap();
        linter.arg(path);
    }
    let linted = Said::by(&mut linter).success();
    assert_eq!(linted.stdout.trim(), "");
}
