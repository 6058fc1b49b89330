//! What somebody changes and deletes behind CloudFormation's back: `drift` tells it, `preview` and `up` say it, `up` puts it right.

use serde_json::{Value, json};

use crate::emulator::Emulator;
use crate::harness::{Said, UP, World};

const ARCHITECTURE: &str = std::env::consts::ARCH;

/// The name of the function that the stack has under this logical id.
fn named(aws: &dyn Fn(&[&str]) -> Said, logical: &str) -> String {
    let input = [
        "cloudformation",
        "describe-stack-resource",
        "--stack-name",
        "deployer-power-tuning",
        "--logical-resource-id",
    ];
    let found = aws(&[&input[..], &[logical]].concat()).success().json();
    found["StackResourceDetail"]["PhysicalResourceId"].as_str().unwrap().to_owned()
}

/// Changes one of the stack's functions and a log group by hand, and deletes another function.
fn meddle(aws: &dyn Fn(&[&str]) -> Said) {
    let executor = named(aws, "executor");
    let update = ["lambda", "update-function-configuration", "--function-name", &executor];
    aws(&[&update[..], &["--memory-size", "512", "--timeout", "60"]].concat()).success();
    let group = named(aws, "executorLogGroup");
    aws(&["logs", "put-retention-policy", "--log-group-name", &group, "--retention-in-days", "90"]).success();
    aws(&["lambda", "delete-function", "--function-name", &named(aws, "analyzer")]).success();
}

#[tokio::test]
async fn what_was_changed_by_hand_is_told_previewed_and_put_right() {
    let world = World::empty().await;
    let exit_code = ["drift", "--detailed-exitcode"];
    world.deployer(&exit_code).status(1).complains(&[
        "error: there is no stack deployer-power-tuning in us-east-1",
        "hint: deploy it with `deployer up`",
    ]);
    world.up(&[]).success();
    let none = world.deployer(&exit_code).status(0);
    assert_eq!(
        none.stdout.trim_end(),
        "The stack deployer-power-tuning is as its template says: 22 resources were compared."
    );

    meddle(&|arguments| world.aws(arguments));
    let found = world.deployer(&exit_code).status(2);
    assert_eq!(
        found.stdout.trim_end(),
        "3 resources of the stack deployer-power-tuning are not as its template says, of 22 compared:\n\
         \n\
         \x20resource          type                   drift    property          template  actual\n\
         \x20analyzer          AWS::Lambda::Function  deleted\n\
         \x20executor          AWS::Lambda::Function  changed  /MemorySize       128       512\n\
         \x20executor          AWS::Lambda::Function  changed  /Timeout          300       60\n\
         \x20executorLogGroup  AWS::Logs::LogGroup    changed  /RetentionInDays  7         90\n\
         \n\
         To see what would put it right: `deployer preview`; to do it: `deployer up`."
    );
    world.deployer(&["drift"]).status(0);
    let json = world.deployer(&["drift", "--json"]).success().json();
    assert_eq!(
        (&json["drifted"], &json["checked"], &json["unknown"]),
        (&json!(true), &json!(22), &json!([]))
    );
    assert_eq!(
        json["resources"][1]["differences"][0],
        json!({"path": "/MemorySize", "expected": "128", "actual": "512"})
    );

    let preview = ["preview", "--detailed-exitcode", "--architecture", ARCHITECTURE];
    let preview = world.as_released(&preview).status(2);
    for line in [
        "3 resources of the stack deployer-power-tuning are not as its template says, of 22 compared:",
        "    + analyzer                         AWS::Lambda::Function",
        "        MemorySize: 512 → 128",
        "        RetentionInDays: 90 → 7",
    ] {
        assert!(preview.stdout.contains(line), "{line}\n{}", preview.stdout);
    }

    let up = world.up(&[]).success();
    let up = up.complains(&[
        "warning: changed outside CloudFormation: analyzer is deleted, executor has other MemorySize and Timeout, \
         executorLogGroup has other RetentionInDays",
    ]);
    assert!(up.stdout.contains("was updated"), "{up:?}");
    world.deployer(&exit_code).status(0);
    assert!(world.up(&[]).success().stdout.contains("is up to date"));
    let function = world.sample("echo", "echo").await;
    let output = function.tune(&["--num", "5", "--power-values", "128,256"]).success().json();
    assert!(output["power"].is_number(), "what was made again works: {output}");
    world.deployer(&["destroy", "--yes"]).success();
}

#[tokio::test]
async fn roles_machine_and_rule_deleted_by_hand_are_made_again() {
    let world = World::empty().await;
    world.up(&[]).success();
    let aws = |arguments: &[&str]| world.aws(arguments);
    let (role, rule, machine) =
        (named(&aws, "executorRole"), named(&aws, "abortRule"), named(&aws, "powerTuningStateMachine"));
    let policies = aws(&["iam", "list-role-policies", "--role-name", &role]).success().json();
    for policy in policies["PolicyNames"].as_array().unwrap() {
        let delete = ["iam", "delete-role-policy", "--role-name", &role, "--policy-name"];
        aws(&[&delete[..], &[policy.as_str().unwrap()]].concat()).success();
    }
    aws(&["iam", "delete-role", "--role-name", &role]).success();
    let targets = aws(&["events", "list-targets-by-rule", "--rule", &rule]).success().json();
    for target in targets["Targets"].as_array().unwrap() {
        aws(&["events", "remove-targets", "--rule", &rule, "--ids", target["Id"].as_str().unwrap()])
            .success();
    }
    aws(&["events", "delete-rule", "--name", &rule]).success();
    aws(&["stepfunctions", "delete-state-machine", "--state-machine-arn", &machine]).success();
    let json = world.deployer(&["drift", "--json"]).success().json();
    let gone: Vec<&Value> = json["resources"].as_array().unwrap().iter().map(|r| &r["logicalId"]).collect();
    assert_eq!(gone, ["abortRule", "executorRole", "powerTuningStateMachine"]);
    assert!(json["resources"].as_array().unwrap().iter().all(|resource| resource["deleted"] == true));
    world.up(&[]).success();
    world.deployer(&["drift", "--detailed-exitcode"]).status(0);
    let function = world.sample("echo", "echo").await;
    let output = function.tune(&["--num", "5", "--power-values", "128,256"]).success().json();
    assert!(output["power"].is_number(), "{output}");
    world.deployer(&["destroy", "--yes"]).success();
}

#[tokio::test]
async fn without_the_permission_drift_says_which_and_up_goes_on() {
    let world = World::empty().await;
    world.up(&[]).success();
    let actions = [
        "cloudformation:DetectStackDrift",
        "cloudformation:DescribeStackDriftDetectionStatus",
        "cloudformation:DescribeStackResourceDrifts",
    ];
    let profile = |action: &str| action.replace(':', "-");
    let mut roles = vec![("no-roles".to_owned(), ["iam:GetRole"])];
    roles.extend(actions.map(|action| (profile(action), [action])));
    let roles: Vec<(&str, &[&str])> =
        roles.iter().map(|(name, missing)| (name.as_str(), &missing[..])).collect();
    world.roles(&roles).await;
    for action in actions {
        let profile = profile(action);
        let missing = format!("these credentials need the permission {action}");
        let drift = world.as_profile(&profile, &["drift", "--detailed-exitcode"]).status(1);
        drift.complains(&["error: ", "\n  while ", &format!("hint: {missing}")]);
        let up = world.as_profile(&profile, &UP).success();
        let up = up.complains(&[&format!(
            "whether something was changed outside CloudFormation is not known: {missing}"
        )]);
        assert!(up.stdout.contains("is up to date"), "{up:?}");
    }
    // Where only some may be read, the others are compared: six functions and the machine have a role each.
    let drift = world.as_profile("no-roles", &["drift", "--json"]).success().json();
    assert_eq!(
        (&drift["drifted"], drift["unknown"].as_array().unwrap().len()),
        (&json!(false), 7),
        "{drift}"
    );
    assert!(drift["unknown"][0]["reason"].as_str().unwrap().contains("iam:GetRole"), "{drift}");
}

#[tokio::test]
async fn ministack_finds_the_same_and_what_does_not_know_drift_is_in_nobodys_way() {
    let found = |said: Said| {
        let json = said.success().json();
        let mut resources = json["resources"].as_array().unwrap().clone();
        resources
            .iter_mut()
            .for_each(|resource| drop(resource.as_object_mut().unwrap().remove("physicalId")));
        // In what order they are told is nobody's promise.
        resources.sort_by_key(|resource| resource["logicalId"].to_string());
        resources
    };
    let world = World::empty().await;
    world.up(&[]).success();
    meddle(&|arguments| world.aws(arguments));
    let ours = found(world.deployer(&["drift", "--json"]));

    let ministack = Emulator::ministack();
    ministack.up(&[]).success();
    assert_eq!(found(ministack.deployer(&["drift", "--json"])), Vec::<Value>::new());
    meddle(&|arguments| ministack.aws(arguments));
    assert_eq!(found(ministack.deployer(&["drift", "--json"])), ours);
    drop(ministack);

    let moto = Emulator::moto();
    moto.up(&[]).success();
    moto.deployer(&["drift"]).status(1).complains(&["error: ", "while detecting drift"]);
    let up = moto.up(&[]).success();
    let up = up.complains(&["whether something was changed outside CloudFormation is not known: "]);
    assert!(up.stdout.contains("is up to date"), "{up:?}");
}
