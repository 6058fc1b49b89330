//! Everything allowed but one action: the message names it, and nothing is half done.

use crate::harness::{UP, World};

const BUCKET: &str = "deployer-assets-000000000000-us-east-1";

/// What `up` itself calls before CloudFormation begins.
const BEFORE: [&str; 14] = [
    "cloudformation:DescribeStacks",
    "s3:ListBucket",
    "s3:CreateBucket",
    "s3:PutBucketPublicAccessBlock",
    "s3:PutEncryptionConfiguration",
    "s3:PutBucketVersioning",
    "s3:PutLifecycleConfiguration",
    "s3:PutBucketTagging",
    "s3:GetObject",
    "s3:PutObject",
    "cloudformation:CreateChangeSet",
    "cloudformation:DescribeChangeSet",
    "cloudformation:DescribeStackEvents",
    "cloudformation:ExecuteChangeSet",
];

/// What CloudFormation calls for the one who deploys.
const DURING: [&str; 10] = [
    "events:PutRule",
    "events:PutTargets",
    "iam:CreateRole",
    "iam:PassRole",
    "iam:PutRolePolicy",
    "lambda:AddPermission",
    "lambda:CreateFunction",
    "logs:CreateLogGroup",
    "logs:PutRetentionPolicy",
    "states:CreateStateMachine",
];

fn profile(action: &str) -> String {
    format!("no-{}", action.replace(':', "-"))
}

async fn lacking(world: &World, actions: &[&str]) {
    let named: Vec<_> = actions.iter().map(|action| (profile(action), [*action])).collect();
    let roles: Vec<(&str, &[&str])> =
        named.iter().map(|(name, missing)| (name.as_str(), &missing[..])).collect();
    world.roles(&roles).await;
}

#[tokio::test]
async fn each_call_of_up_names_its_permission_and_leaves_nothing_half_done() {
    let world = World::empty().await;
    lacking(&world, &BEFORE).await;
    for action in BEFORE {
        let said = world.as_profile(&profile(action), &UP).status(1);
        said.complains(&[
            "error: ",
            "\n  while ",
            &format!("hint: these credentials need the permission {action}"),
        ]);
        assert_eq!(world.status("deployer-power-tuning").await, "gone", "without {action}");
        if let Ok(tags) = world.s3.get_bucket_tagging().bucket(BUCKET).send().await {
            assert_eq!(tags.tag_set()[0].value(), "assets", "without {action}");
        } else {
            let buckets = world.s3.list_buckets().send().await.unwrap();
            assert!(
                buckets.buckets().is_empty(),
                "a bucket that is half set up without {action}: {buckets:?}"
            );
        }
    }
    assert!(world.lambda.list_functions().send().await.unwrap().functions().is_empty());
}

#[tokio::test]
async fn each_call_of_cloudformation_names_its_permission_and_is_rolled_back() {
    let world = World::empty().await;
    lacking(&world, &DURING).await;
    for (index, action) in DURING.iter().enumerate() {
        let stack = format!("without-{index}");
        let arguments = [&UP[..], &["--stack-name", &stack]].concat();
        let said = world.as_profile(&profile(action), &arguments).status(1);
        let hint =
            format!("hint: give the user or role that deploys the permission {action}, and run it again");
        said.complains(&[&hint, &format!("while creating the stack {stack}")]);
        assert_eq!(world.status(&stack).await, "ROLLBACK_COMPLETE", "without {action}");
    }
    assert!(world.lambda.list_functions().send().await.unwrap().functions().is_empty());
    assert!(world.states.list_state_machines().send().await.unwrap().state_machines().is_empty());
}

#[tokio::test]
async fn each_call_of_the_other_verbs_names_its_permission() {
    const AFTER: [&str; 14] = [
        "cloudformation:DeleteChangeSet",
        "cloudformation:DeleteStack",
        "cloudformation:GetTemplate",
        "cloudformation:ListStackResources",
        "lambda:GetFunction",
        "lambda:InvokeFunction",
        "cloudformation:DescribeStackResource",
        "states:StartExecution",
        "states:DescribeExecution",
        "states:GetExecutionHistory",
        "s3:GetBucketTagging",
        "s3:DeleteObjectVersion",
        "s3:ListBucketVersions",
        "s3:DeleteBucket",
    ];
    let world = World::empty().await;
    world.up(&["--power-values", "128,256"]).success();
    world.sample("echo", "echo").await;
    lacking(&world, &AFTER).await;
    let other = ["--log-retention-days", "30"];
    let tune = ["tune", "echo", "--num", "5"].as_slice();
    let preview = [&["preview", "--architecture", std::env::consts::ARCH], &other[..]].concat();
    for (action, arguments) in [
        ("cloudformation:DeleteChangeSet", &preview[..]),
        ("cloudformation:GetTemplate", &UP),
        ("cloudformation:ListStackResources", &["destroy", "--yes"]),
        ("cloudformation:GetTemplate", &["destroy", "--yes"]),
        ("cloudformation:DeleteStack", &["destroy", "--yes"]),
        ("s3:GetBucketTagging", &[&UP[..], &other].concat()),
        ("lambda:GetFunction", tune),
        ("states:StartExecution", tune),
        ("states:DescribeExecution", tune),
        ("cloudformation:DescribeStackResource", &["cleanup", "echo"]),
        ("lambda:InvokeFunction", &["cleanup", "echo"]),
    ] {
        let said = world.as_profile(&profile(action), arguments).status(1);
        said.complains(&[&format!("hint: these credentials need the permission {action}")]);
        assert_eq!(world.status("deployer-power-tuning").await, "CREATE_COMPLETE", "without {action}");
    }
    // The execution that could not be followed goes on; the next one waits for nobody.
    let machine = world.states.list_state_machines().send().await.unwrap();
    let machine = machine.state_machines()[0].state_machine_arn().to_owned();
    let runs = world.states.list_executions().state_machine_arn(machine).send().await.unwrap();
    assert_eq!(runs.executions().len(), 1, "{runs:?}");
    world.ended(runs.executions()[0].execution_arn()).await;

    // Progress is not worth failing for.
    let said = world.as_profile(&profile("states:GetExecutionHistory"), tune).success();
    said.complains(&[
        "warning: no progress can be shown: these credentials need the permission states:GetExecutionHistory",
    ]);

    // The stack goes; what is left of the assets goes with who may delete them.
    for action in ["s3:ListBucketVersions", "s3:DeleteObjectVersion", "s3:DeleteBucket"] {
        let said = world.as_profile(&profile(action), &["destroy", "--yes"]).status(1);
        said.complains(&[action]);
        assert_eq!(world.status("deployer-power-tuning").await, "gone");
    }
    world.deployer(&["destroy", "--yes"]).success();
    assert!(world.s3.list_buckets().send().await.unwrap().buckets().is_empty());
}
