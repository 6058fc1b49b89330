//! Stacks that are stuck or were changed behind our back: what is said, and the way out.

use aws_sdk_cloudformation::types::{Capability, ChangeSetType};
use serde_json::{Value, json};

use crate::harness::{Running, Said, UP, World};

const STACK: &str = "deployer-power-tuning";
const GROUP: &str = "/aws/lambda/deployer-power-tuning-analyzer";

fn log_group(name: &str) -> Value {
    json!({ "Resources": { "group": { "Type": "AWS::Logs::LogGroup", "Properties": { "LogGroupName": name } } } })
}

/// What a failure says, from its first line on.
#[track_caller]
fn failure(stderr: &str) -> &str {
    &stderr[stderr.find("error: ").unwrap_or_else(|| panic!("no error in:\n{stderr}"))..]
}

/// The first deployment fails because a permission is missing.
async fn failed_first(world: &World) -> String {
    world.roles(&[("half", &["states:CreateStateMachine"])]).await;
    let said = world.as_profile("half", &crate::harness::UP).status(1);
    assert_eq!(world.status(STACK).await, "ROLLBACK_COMPLETE");
    said.stderr
}

#[tokio::test]
async fn a_name_that_is_taken_fails_the_change_set_and_is_said() {
    let world = World::empty().await;
    assert_eq!(world.deploy("taken", &log_group(GROUP)).await, "CREATE_COMPLETE");
    let reason = "error: analyzerLogGroup (AWS::Logs::LogGroup): Resource of type 'AWS::Logs::LogGroup' with identifier \
         '/aws/lambda/deployer-power-tuning-analyzer' already exists.";
    assert_eq!(
        failure(&world.up(&[]).status(1).stderr).trim_end(),
        format!(
            "{reason}\nhint: something of that name exists outside this stack: delete it, or choose another --stack-name \
             or --state-machine-name-prefix"
        )
    );
    assert_eq!(world.at_rest(STACK).await, "gone");

    world.roles(&[("blind", &["cloudformation:DescribeEvents"])]).await;
    let said = world.as_profile("blind", &crate::harness::UP).status(1);
    said.complains(&[
        "error: CloudFormation refuses the change set: The following hook(s)/validation failed: \
         [AWS::EarlyValidation::ResourceExistenceCheck]",
        "these credentials need the permission cloudformation:DescribeEvents",
    ]);
    assert_eq!(world.at_rest(STACK).await, "gone");
}

#[tokio::test]
async fn a_first_deployment_that_failed_says_why_and_is_replaced() {
    let world = World::empty().await;
    let stderr = failed_first(&world).await;
    let told = failure(&stderr).trim_end();
    assert!(
        told.starts_with("error: powerTuningStateMachine (AWS::StepFunctions::StateMachine): User: ")
            && told.contains(" is not authorized to perform: states:CreateStateMachine on resource: ")
            && told.ends_with(
                "\n  while creating the stack deployer-power-tuning\n\
                 hint: give the user or role that deploys the permission states:CreateStateMachine, and run it again"
            ),
        "{told}"
    );
    assert!(world.lambda.list_functions().send().await.unwrap().functions().is_empty());
    let outputs = world.deployer(&["outputs"]).status(1);
    assert_eq!(
        failure(&outputs.stderr).trim_end(),
        "error: the stack deployer-power-tuning was never deployed completely: it is in ROLLBACK_COMPLETE\n\
         hint: deploy it with `deployer up`, which replaces what is left"
    );
    let said = world.up(&[]).success();
    said.complains(&[
        "what is left of it is deleted, and it is created anew",
        "deleted the stack deployer-power-tuning",
    ]);
    assert_eq!(world.status(STACK).await, "CREATE_COMPLETE");
}

#[tokio::test]
async fn a_first_deployment_that_failed_is_previewed_as_one_where_nothing_is() {
    let world = World::empty().await;
    let preview = |flags: &[&str]| {
        let words = ["preview", "--json", "--architecture", std::env::consts::ARCH];
        let json = Said::by(&mut world.released(&[&words[..], flags].concat())).success().stdout;
        // A part of the stack's id, which is known only where CloudFormation has made one.
        let mut parts = json.split("powerTuningStateMachine-");
        let first = parts.next().unwrap().to_owned();
        let json = parts.fold(first, |json, part| json + "machine" + &part[part.find([':', '"']).unwrap()..]);
        let json: Value = serde_json::from_str(&json).unwrap();
        let mut resources = json["difference"]["resources"].as_array().unwrap().clone();
        resources.sort_by_key(|resource| resource["logicalId"].as_str().unwrap().to_owned());
        (json["difference"]["operation"].clone(), json["difference"]["tags"].clone(), resources)
    };
    // Conditions of the template depend on these.
    let flags = ["--kms-key-arns", "arn:aws:kms:us-east-1:1:key/k", "--tags", "a=1"];
    let (plain, more) = (preview(&[]), preview(&flags));
    assert_ne!(plain.2, more.2, "the flags add permissions");
    failed_first(&world).await;
    for (flags, (_, tags, resources)) in [(&[][..], plain), (&flags[..], more)] {
        assert_eq!(preview(flags), (json!("replace"), tags, resources), "{flags:?}");
    }
}

#[tokio::test]
async fn what_failed_first_and_is_protected_is_not_deleted() {
    let world = World::empty().await;
    failed_first(&world).await;
    let protect = world.cloudformation.update_termination_protection().stack_name(STACK);
    protect.enable_termination_protection(true).send().await.unwrap();
    let protected = "error: the stack deployer-power-tuning is protected against deletion\n\
         hint: if it is to go: `deployer up --termination-protection=false`";
    assert_eq!(failure(&world.up(&[]).status(1).stderr).trim_end(), protected);
    assert_eq!(failure(&world.deployer(&["destroy", "--yes"]).status(1).stderr).trim_end(), protected);
    assert_eq!(world.status(STACK).await, "ROLLBACK_COMPLETE");
    world.up(&["--termination-protection=false"]).success().complains(&["can be deleted now"]);
    assert_eq!(world.status(STACK).await, "CREATE_COMPLETE");
}

#[tokio::test]
async fn a_stack_is_protected_against_deletion_until_that_is_ended() {
    let world = World::empty().await;
    world.up(&["--termination-protection"]).success().complains(&["is protected against deletion now"]);
    world.deployer(&["destroy", "--yes"]).status(1).complains(&["--termination-protection=false"]);
    let said = world.up(&[]).success();
    assert!(!said.stderr.contains("delet"), "it stays as it is: {}", said.stderr);
    world.up(&["--termination-protection=false"]).success().complains(&["can be deleted now"]);
    world.deployer(&["destroy", "--yes"]).success();
    assert_eq!(world.at_rest(STACK).await, "gone");
}

#[tokio::test]
async fn a_first_deployment_whose_rollback_failed_is_replaced_by_who_may() {
    let world = World::empty().await;
    world.roles(&[("half", &["states:CreateStateMachine", "logs:DeleteLogGroup"])]).await;
    let said = world.as_profile("half", &crate::harness::UP).status(1);
    assert_eq!(world.status(STACK).await, "ROLLBACK_FAILED");
    said.complains(&[
        "give the user or role that deploys the permission states:CreateStateMachine, and run it again",
    ]);
    world.up(&[]).success();
    assert_eq!(world.status(STACK).await, "CREATE_COMPLETE");
}

async fn propose(world: &World) {
    let propose = world.cloudformation.create_change_set().stack_name(STACK).change_set_name("left");
    let template = log_group("/left").to_string();
    propose.change_set_type(ChangeSetType::Create).template_body(template).send().await.unwrap();
    assert_eq!(world.status(STACK).await, "REVIEW_IN_PROGRESS");
}

#[tokio::test]
async fn a_change_set_that_was_never_executed_is_in_nobodys_way() {
    let world = World::empty().await;
    propose(&world).await;
    world
        .deployer(&["outputs"])
        .status(1)
        .complains(&["was never deployed completely: it is in REVIEW_IN_PROGRESS"]);
    world.deployer(&["destroy", "--yes"]).success();
    assert_eq!(world.status(STACK).await, "gone");
    propose(&world).await;
    world.up(&[]).success();
    assert_eq!(world.status(STACK).await, "CREATE_COMPLETE");
}

/// Who may not look for drift, and so does not know of it.
const BLIND: (&str, &[&str]) = ("blind", &["cloudformation:DetectStackDrift"]);

/// A function of the stack is deleted by hand, and the next update, by [`BLIND`], gets stuck on it.
async fn stuck_rollback(world: &World) -> String {
    world.up(&[]).success();
    let functions = world.lambda.list_functions().send().await.unwrap();
    let executor =
        functions.functions().iter().filter_map(|f| f.function_name()).find(|n| n.contains("executor"));
    let executor = executor.unwrap().to_owned();
    world.lambda.delete_function().function_name(&executor).send().await.unwrap();
    let said =
        world.as_profile("blind", &[&UP[..], &["--total-execution-timeout", "100"]].concat()).status(1);
    assert_eq!(world.status(STACK).await, "UPDATE_ROLLBACK_FAILED");
    said.complains(&[
        "whether something was changed outside CloudFormation is not known: these credentials need the permission \
         cloudformation:DetectStackDrift",
        "the update's rollback failed as well: remove the cause, then `deployer up` continues it",
    ]);
    executor
}

#[tokio::test]
async fn what_was_deleted_by_hand_is_named_where_drift_cannot_be_detected() {
    let world = World::empty().await;
    world.up(&[]).success();
    let functions = world.lambda.list_functions().send().await.unwrap();
    let analyzer =
        functions.functions().iter().filter_map(|f| f.function_name()).find(|n| n.contains("analyzer"));
    world.lambda.delete_function().function_name(analyzer.unwrap()).send().await.unwrap();
    world.roles(&[BLIND]).await;
    let said = world.as_profile("blind", &UP).status(1);
    assert_eq!(
        failure(&said.stderr).trim_end(),
        "error: resources of the stack deployer-power-tuning were deleted outside CloudFormation: analyzer\n\
         hint: an update does not bring them back here: `deployer destroy`, then `deployer up`, makes the stack anew; \
         on AWS `deployer up` does it, with the permission cloudformation:DetectStackDrift"
    );
    world.deployer(&["destroy", "--yes"]).success();
    world.up(&[]).success();
}

#[tokio::test]
async fn a_rollback_that_got_stuck_is_continued_or_given_up() {
    let world = World::empty().await;
    world.roles(&[BLIND]).await;
    let executor = stuck_rollback(&world).await;
    let preview = world.as_released(&["preview", "--architecture", std::env::consts::ARCH]).status(1);
    let explained = failure(&preview.stderr);
    assert!(
        explained.starts_with(
            "error: an update of deployer-power-tuning failed, and so did its rollback (UPDATE_ROLLBACK_FAILED): "
        ) && explained.trim_end().ends_with("hint: `deployer up` continues the rollback, and then updates the stack"),
        "{explained}"
    );
    // Not repaired, it gets stuck again, and the way to give it up is said.
    let again = world.up(&[]).status(1);
    again.complains(&[
        "while continuing the rollback",
        "hint: remove the cause and run the command again, or leave that resource out of the rollback: aws cloudformation continue-update-rollback \
         --stack-name deployer-power-tuning --resources-to-skip executor",
    ]);
    let skip = [
        "cloudformation",
        "continue-update-rollback",
        "--stack-name",
        STACK,
        "--resources-to-skip",
        "executor",
    ];
    world.aws(&skip).success();
    assert_eq!(world.at_rest(STACK).await, "UPDATE_ROLLBACK_COMPLETE");
    world.up(&[]).success().complains(&["changed outside CloudFormation: executor is deleted"]);
    assert_eq!(world.lambda.list_functions().send().await.unwrap().functions().len(), 6);

    // Repaired instead, `up` continues and then does what it was asked for.
    world.deployer(&["destroy", "--yes"]).success();
    let repaired = stuck_rollback(&world).await;
    assert_ne!(repaired, executor);
    world.sample(&repaired, "echo").await;
    world.up(&["--total-execution-timeout", "200"]).success().complains(&["rolled the failed update back"]);
    assert_eq!(world.status(STACK).await, "UPDATE_COMPLETE");
}

#[tokio::test]
async fn an_operation_of_somebody_else_is_followed_to_its_end() {
    let world = World::empty().await;
    // One after the other, so that it takes its time.
    let group = |n: usize| {
        let mut group =
            json!({ "Type": "AWS::Logs::LogGroup", "Properties": { "LogGroupName": format!("/chain/{n}") } });
        if n > 0 {
            group["DependsOn"] = json!(format!("g{}", n - 1));
        }
        (format!("g{n}"), group)
    };
    let template = json!({ "Resources": (0..400).map(group).collect::<serde_json::Map<_, _>>() }).to_string();
    let create = world.cloudformation.create_stack().stack_name(STACK).template_body(&template);
    create.capabilities(Capability::CapabilityIam).send().await.unwrap();
    let mut up = Running::start(world.released(&crate::harness::UP).arg("--verbose"));
    up.hear("deployer-power-tuning is in CREATE_IN_PROGRESS: following that operation to its end first");
    let said = up.end().success();
    assert!(said.stdout.contains("was updated"), "{said:?}");
}

#[tokio::test]
async fn a_deletion_that_failed_is_repeated() {
    let world = World::empty().await;
    world.up(&[]).success();
    world.roles(&[("half", &["logs:DeleteLogGroup"])]).await;
    let said = world.as_profile("half", &["destroy", "--yes"]).status(1);
    said.complains(&["while deleting the stack", "the permission logs:DeleteLogGroup, and run it again"]);
    assert_eq!(world.status(STACK).await, "DELETE_FAILED");
    let stuck = world.up(&[]).status(1);
    let explained = failure(&stuck.stderr).trim_end();
    assert!(
        explained.starts_with("error: deleting the stack deployer-power-tuning failed earlier (DELETE_FAILED): ")
            && explained.ends_with(
                "hint: remove what is in the way, then `deployer destroy`; after that it can be deployed again"
            ),
        "{explained}"
    );
    world.deployer(&["destroy", "--yes"]).success();
    assert_eq!(world.status(STACK).await, "gone");
    world.up(&[]).success();
}

#[tokio::test]
async fn a_stack_a_bucket_and_an_object_deleted_by_hand_come_back() {
    let world = World::empty().await;
    world.up(&[]).success();
    let bucket = "deployer-assets-000000000000-us-east-1";
    let key = {
        let objects = world.s3.list_objects_v2().bucket(bucket).send().await.unwrap();
        objects.contents()[0].key().unwrap().to_owned()
    };
    world.s3.delete_object().bucket(bucket).key(&key).send().await.unwrap();
    world.up(&["--total-execution-timeout", "100"]).success().complains(&["uploaded functions-"]);
    for version in world.s3.list_object_versions().bucket(bucket).send().await.unwrap().versions() {
        let delete = world.s3.delete_object().bucket(bucket).key(version.key().unwrap());
        delete.version_id(version.version_id().unwrap()).send().await.unwrap();
    }
    for marker in world.s3.list_object_versions().bucket(bucket).send().await.unwrap().delete_markers() {
        let delete = world.s3.delete_object().bucket(bucket).key(marker.key().unwrap());
        delete.version_id(marker.version_id().unwrap()).send().await.unwrap();
    }
    world.s3.delete_bucket().bucket(bucket).send().await.unwrap();
    world.up(&["--total-execution-timeout", "120"]).success().complains(&["made the bucket"]);
    world.cloudformation.delete_stack().stack_name(STACK).send().await.unwrap();
    assert_eq!(world.at_rest(STACK).await, "gone");
    let said = world.up(&[]).success();
    assert!(said.stdout.contains("was created") && !said.stderr.contains("uploaded"), "{said:?}");
}

#[tokio::test]
async fn cloudformation_acts_as_the_role_it_is_given() {
    let world = World::empty().await;
    let trust = json!({ "Statement": [{ "Effect": "Allow", "Principal": { "Service": "cloudformation.amazonaws.com" },
        "Action": "sts:AssumeRole" }] });
    let all = json!({ "Statement": [{ "Effect": "Allow", "Action": "*", "Resource": "*" }] });
    let role = json!({ "Resources": { "role": { "Type": "AWS::IAM::Role", "Properties": { "RoleName": "builder",
        "AssumeRolePolicyDocument": trust, "Policies": [{ "PolicyName": "all", "PolicyDocument": all }] } } } });
    assert_eq!(world.deploy("builder", &role).await, "CREATE_COMPLETE");
    let own = ["lambda:*", "logs:*", "states:*", "events:*", "iam:CreateRole", "iam:PutRolePolicy"];
    let unable = [own.as_slice(), &["iam:PassRole"]].concat();
    world.roles(&[("deploys", &own), ("unable", &unable)]).await;
    let flags = [&crate::harness::UP[..], &["--role-arn", "arn:aws:iam::000000000000:role/builder"]].concat();
    let said = world.as_profile("unable", &flags).status(1);
    said.complains(&["hint: these credentials need the permission iam:PassRole"]);
    assert_eq!(world.status(STACK).await, "gone");
    world.as_profile("deploys", &flags).success();
    // The stack keeps its role, also for its end.
    world.as_profile("deploys", &["destroy", "--yes"]).success();
    assert_eq!(world.status(STACK).await, "gone");
}

#[tokio::test]
async fn the_name_of_a_bucket_that_was_just_deleted_is_waited_for() {
    let held = |nth| json!({ "kind": "name-held", "nth": nth });
    let world = World::faulty(&json!([held(1), held(2)])).await;
    let said = world.up(&[]).success();
    assert!(!said.stderr.contains("does not free the name"), "{}", said.stderr);
    world.deployer(&["destroy", "--yes"]).success();
    assert!(world.s3.list_buckets().send().await.unwrap().buckets().is_empty());
    let said = world.up(&[]).success();
    assert_eq!(
        said.stderr.matches("S3 does not free the name deployer-assets-000000000000-us-east-1 yet").count(),
        1
    );
    assert_eq!(world.status(STACK).await, "CREATE_COMPLETE");
}
