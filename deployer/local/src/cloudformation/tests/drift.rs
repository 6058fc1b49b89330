//! Drift: what is changed and deleted behind CloudFormation's back is found, and a drift-aware change set puts it right.

use serde_json::{Value, json};

use super::real::{allow, call, failures, output, settled, template, trust, values, with_code};
use super::{Cfn, plain};
use crate::testing::Local;
use crate::{Caller, Service};

/// Detects drift in the stack; gives the detection's end.
async fn detected(cfn: &Cfn, input: Value) -> Value {
    let begun = cfn.call("DetectStackDrift", input).await.unwrap();
    for _ in 0..30_000 {
        let status = cfn.call("DescribeStackDriftDetectionStatus", begun.clone()).await.unwrap();
        if status["DetectionStatus"] != "DETECTION_IN_PROGRESS" {
            return status;
        }
        tokio::task::yield_now().await;
    }
    panic!("the detection does not end");
}

async fn drifts(cfn: &Cfn, filters: Value) -> Vec<Value> {
    let input = json!({"StackName": "s", "StackResourceDriftStatusFilters": filters});
    let answer = cfn.call("DescribeStackResourceDrifts", input).await.unwrap();
    answer["StackResourceDrifts"].as_array().unwrap().clone()
}

async fn id(cfn: &Cfn, logical: &str) -> String {
    cfn.resource(logical).await["PhysicalResourceId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_detection_tells_what_was_changed_and_what_was_deleted() {
    let cfn = Cfn::new();
    let resources = json!({
        "A": plain(json!({"Note": "a", "List": ["x", "y"], "Count": 3})),
        "B": plain(json!({"Value": "b"})),
        "C": plain(json!({"Note": "c"})),
    });
    assert_eq!(cfn.create(resources).await, "CREATE_COMPLETE");
    assert_eq!(cfn.stack("s").await["DriftInformation"], json!({"StackDriftStatus": "NOT_CHECKED"}));
    assert_eq!(drifts(&cfn, json!([])).await, Vec::<Value>::new());
    let end = detected(&cfn, json!({"StackName": "s"})).await;
    assert_eq!(
        (&end["DetectionStatus"], &end["StackDriftStatus"], &end["DriftedStackResourceCount"]),
        (&json!("DETECTION_COMPLETE"), &json!("IN_SYNC"), &json!(0))
    );
    for drift in drifts(&cfn, json!([])).await {
        assert_eq!(
            (&drift["StackResourceDriftStatus"], &drift["PropertyDifferences"]),
            (&json!("IN_SYNC"), &json!([]))
        );
        assert_eq!(drift["ExpectedProperties"], drift["ActualProperties"]);
    }

    // The order of a list and what the template does not state are no drift.
    let (a, b, c) = (id(&cfn, "A").await, id(&cfn, "B").await, id(&cfn, "C").await);
    cfn.world.put(&a, json!({"Note": "a", "List": ["y", "x"], "Count": 3, "Value": "not stated"}));
    assert_eq!(detected(&cfn, json!({"StackName": "s"})).await["StackDriftStatus"], "IN_SYNC");

    cfn.world.put(&a, json!({"List": ["y", "z", "w"], "Count": 4}));
    cfn.world.remove(&b);
    let end = detected(&cfn, json!({"StackName": "s"})).await;
    assert_eq!((&end["StackDriftStatus"], &end["DriftedStackResourceCount"]), (&json!("DRIFTED"), &json!(2)));
    let found = drifts(&cfn, json!(["MODIFIED", "DELETED"])).await;
    assert_eq!(found.len(), 2);
    let difference = |path: &str, expected: &str, actual: &str, kind: &str| json!({"PropertyPath": path, "ExpectedValue": expected, "ActualValue": actual, "DifferenceType": kind});
    assert_eq!(
        found[0]["PropertyDifferences"],
        json!([
            difference("/Note", "a", "null", "REMOVE"),
            difference("/List/0", "x", "z", "NOT_EQUAL"),
            difference("/List/2", "null", "w", "ADD"),
            difference("/Count", "3", "4", "NOT_EQUAL"),
        ])
    );
    assert_eq!(found[0]["ExpectedProperties"], r#"{"Note":"a","List":["x","y"],"Count":3}"#);
    assert_eq!(found[0]["ActualProperties"], r#"{"List":["y","z","w"],"Count":4}"#);
    assert_eq!(
        (&found[1]["LogicalResourceId"], &found[1]["StackResourceDriftStatus"]),
        (&json!("B"), &json!("DELETED"))
    );
    assert_eq!((found[1].get("ExpectedProperties"), found[1].get("ActualProperties")), (None, None));
    assert_eq!(cfn.stack("s").await["DriftInformation"]["StackDriftStatus"], "DRIFTED");
    for (name, status) in [("A", "MODIFIED"), ("B", "DELETED"), ("C", "IN_SYNC")] {
        assert_eq!(cfn.resource(name).await["DriftInformation"]["StackResourceDriftStatus"], status);
    }

    // Some resources only, and one.
    cfn.world.remove(&c);
    let end = detected(&cfn, json!({"StackName": "s", "LogicalResourceIds": ["A"]})).await;
    assert_eq!(end["DriftedStackResourceCount"], 2, "C was not looked at: {end}");
    let one = json!({"StackName": "s", "LogicalResourceId": "C"});
    let one = cfn.call("DetectStackResourceDrift", one).await.unwrap();
    assert_eq!(one["StackResourceDrift"]["StackResourceDriftStatus"], "DELETED");
    assert_eq!(drifts(&cfn, json!(["DELETED"])).await.len(), 2);
}

#[tokio::test]
async fn a_detection_that_cannot_be_is_refused() {
    let cfn = Cfn::new();
    cfn.create(json!({"A": plain(json!({"Fail": "create"}))})).await;
    let stack = cfn.stack("s").await;
    let message = cfn.refused("DetectStackDrift", json!({"StackName": "s"})).await;
    assert!(message.contains("while it is in the state ROLLBACK_COMPLETE"), "{message}");
    assert!(message.contains(stack["StackId"].as_str().unwrap()), "{message}");
    let error = cfn.refused("DetectStackDrift", json!({"StackName": "none"})).await;
    assert_eq!(error, "Stack with id none does not exist");
    let error = cfn.refused("DescribeStackDriftDetectionStatus", json!({"StackDriftDetectionId": "x"})).await;
    assert_eq!(error, "Drift detection with id [x] does not exist");
    let error = cfn
        .refused(
            "DescribeStackResourceDrifts",
            json!({"StackName": "s", "StackResourceDriftStatusFilters": ["BAD"]}),
        )
        .await;
    assert!(error.contains("Value '[BAD]' at 'stackResourceDriftStatusFilters'"), "{error}");
    cfn.delete().await;
    cfn.create(json!({"A": plain(json!({}))})).await;
    let error = cfn.refused("DetectStackDrift", json!({"StackName": "s", "LogicalResourceIds": ["B"]})).await;
    assert_eq!(error, "Resource B does not exist for stack s");
    let again = async || cfn.call("DetectStackDrift", json!({"StackName": "s"})).await;
    let begun = again().await.unwrap();
    let error = again().await.unwrap_err();
    assert!(error.message.starts_with("Drift detection is already in progress for stack ["), "{error}");
    drop(begun);
}

#[tokio::test]
async fn a_detection_that_was_killed_has_failed() {
    let cfn = Cfn::new();
    cfn.create(json!({"A": plain(json!({}))})).await;
    let begun = cfn.call("DetectStackDrift", json!({"StackName": "s"})).await.unwrap();
    let cfn = cfn.killed().await;
    let status = cfn.call("DescribeStackDriftDetectionStatus", begun).await.unwrap();
    assert_eq!(
        (&status["DetectionStatus"], &status["DetectionStatusReason"]),
        (&json!("DETECTION_FAILED"), &json!("Internal failure"))
    );
    assert_eq!(detected(&cfn, json!({"StackName": "s"})).await["StackDriftStatus"], "IN_SYNC");
}

/// A change set of the stack `s` with the same resources that puts drift right; what it would do.
async fn proposed(cfn: &Cfn, resources: &Value) -> Value {
    let template = json!({"Resources": resources}).to_string();
    let input = json!({
        "StackName": "s", "ChangeSetName": "revert", "TemplateBody": template, "DeploymentMode": "REVERT_DRIFT",
    });
    cfn.call("CreateChangeSet", input).await.unwrap();
    let named = json!({"StackName": "s", "ChangeSetName": "revert", "IncludePropertyValues": true});
    cfn.call("DescribeChangeSet", named).await.unwrap()
}

#[tokio::test]
async fn a_drift_aware_change_set_puts_right_what_was_changed_and_deleted() {
    let cfn = Cfn::new();
    let resources = json!({
        "A": plain(json!({"Note": "a", "Value": "same"})),
        "B": plain(json!({"Name": "named"})),
        "C": plain(json!({"Note": "c"})),
        "D": plain(json!({"Value": {"Fn::GetAtt": ["C", "Arn"]}})),
    });
    assert_eq!(cfn.create(resources.clone()).await, "CREATE_COMPLETE");
    let same = proposed(&cfn, &resources).await;
    assert_eq!((&same["Status"], &same["StackDriftStatus"]), (&json!("FAILED"), &json!("IN_SYNC")));
    let named = json!({"StackName": "s", "ChangeSetName": "revert"});
    cfn.call("DeleteChangeSet", named.clone()).await.unwrap();

    let (a, c) = (id(&cfn, "A").await, id(&cfn, "C").await);
    cfn.world.put(&a, json!({"Note": "changed", "Value": "same"}));
    cfn.world.remove("named");
    cfn.world.remove(&c);
    // An ordinary one sees nothing of it.
    let template = json!({ "Resources": resources }).to_string();
    let error = cfn.refused("UpdateStack", json!({"StackName": "s", "TemplateBody": template})).await;
    assert_eq!(error, "No updates are to be performed.");

    let set = proposed(&cfn, &resources).await;
    assert_eq!(
        (&set["Status"], &set["DeploymentMode"], &set["StackDriftStatus"]),
        (&json!("CREATE_COMPLETE"), &json!("REVERT_DRIFT"), &json!("DRIFTED"))
    );
    let told: Vec<String> = set["Changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| {
            let change = &change["ResourceChange"];
            let text = |name: &str| change[name].as_str().unwrap_or("-").to_owned();
            format!("{} {} {}", text("LogicalResourceId"), text("Action"), text("ResourceDriftStatus"))
        })
        .collect();
    assert_eq!(told, ["A Modify MODIFIED", "B Add DELETED", "C Add DELETED", "D Modify IN_SYNC"]);
    let target = &set["Changes"][0]["ResourceChange"]["Details"][0]["Target"];
    assert_eq!(
        (
            &target["BeforeValue"],
            &target["BeforeValueFrom"],
            &target["AfterValue"],
            &target["AfterValueFrom"]
        ),
        (&json!("changed"), &json!("ACTUAL_STATE"), &json!("a"), &json!("TEMPLATE"))
    );
    assert_eq!(target["Drift"]["PreviousValue"], "a");

    cfn.call("ExecuteChangeSet", named).await.unwrap();
    assert_eq!(cfn.settled("s").await, "UPDATE_COMPLETE");
    let things = cfn.world.things();
    assert_eq!(things["s-A"], json!({"Note": "a", "Value": "same"}));
    assert!(things.contains_key("named"), "{things:?}");
    let new = id(&cfn, "C").await;
    assert_ne!(new, c, "a made-up name is made up anew");
    assert_eq!(things["s-D"]["Value"], format!("arn:thing/{new}"), "what refers to it follows");
    assert_eq!(cfn.resource("A").await["DriftInformation"]["StackResourceDriftStatus"], "NOT_CHECKED");
    assert_eq!(detected(&cfn, json!({"StackName": "s"})).await["StackDriftStatus"], "IN_SYNC");
    assert_eq!(cfn.delete().await, "DELETE_COMPLETE");
    assert!(cfn.world.ids().is_empty());

    let new = json!({
        "StackName": "t", "ChangeSetName": "c", "ChangeSetType": "CREATE", "TemplateBody": template,
        "DeploymentMode": "REVERT_DRIFT",
    });
    assert_eq!(
        cfn.refused("CreateChangeSet", new).await,
        "DeploymentMode can be specified for change sets of type UPDATE only"
    );
}

#[tokio::test]
async fn a_failed_reversion_is_rolled_back() {
    let cfn = Cfn::new();
    let resources = json!({"A": plain(json!({"Note": "a"})), "B": plain(json!({"Note": "b"}))});
    cfn.create(resources.clone()).await;
    cfn.world.remove(&id(&cfn, "A").await);
    let mut bad = resources.clone();
    bad["B"]["Properties"]["Fail"] = "update".into();
    bad["B"]["DependsOn"] = "A".into();
    proposed(&cfn, &bad).await;
    let named = json!({"StackName": "s", "ChangeSetName": "revert"});
    cfn.call("ExecuteChangeSet", named.clone()).await.unwrap();
    assert_eq!(cfn.settled("s").await, "UPDATE_ROLLBACK_COMPLETE");
    cfn.call("DeleteChangeSet", named).await.unwrap();
    let things = cfn.world.things();
    assert_eq!((&things["s-A"], &things["s-B"]), (&json!({"Note": "a"}), &json!({"Note": "b"})));
    assert_eq!(detected(&cfn, json!({"StackName": "s"})).await["StackDriftStatus"], "IN_SYNC");
    assert_eq!(cfn.delete().await, "DELETE_COMPLETE");
    assert!(cfn.world.ids().is_empty());
}

async fn real_drift(local: &Local, caller: &Caller) -> (Value, Vec<Value>) {
    let named = json!({"StackName": "real"});
    let begun = local.call(caller, Service::CloudFormation, "DetectStackDrift", named.clone()).await.unwrap();
    for _ in 0..30_000 {
        let status =
            call(local, Service::CloudFormation, "DescribeStackDriftDetectionStatus", begun.clone()).await;
        let status = status.unwrap();
        if status["DetectionStatus"] != "DETECTION_IN_PROGRESS" {
            let found = call(local, Service::CloudFormation, "DescribeStackResourceDrifts", named).await;
            return (status, found.unwrap()["StackResourceDrifts"].as_array().unwrap().clone());
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    panic!("the detection does not end");
}

async fn created(local: &Local) -> Value {
    let input = json!({
        "StackName": "real", "TemplateBody": template().to_string(), "Capabilities": ["CAPABILITY_IAM"],
        "Tags": [{"Key": "team", "Value": "blue"}],
    });
    call(local, Service::CloudFormation, "CreateStack", input).await.unwrap();
    let stack = settled(local, "real").await;
    assert_eq!(stack["StackStatus"], "CREATE_COMPLETE", "{:#?}", failures(local, "real").await);
    stack
}

#[tokio::test]
async fn the_drift_of_real_types_is_told_by_their_properties() {
    let local = with_code("one").await;
    let stack = created(&local).await;
    let (end, found) = real_drift(&local, &Caller::Owner).await;
    assert_eq!(end["StackDriftStatus"], "IN_SYNC", "{found:#?}");
    let mut kinds: Vec<&str> = found.iter().map(|drift| drift["ResourceType"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(
        kinds,
        [
            "AWS::CloudFront::Distribution",
            "AWS::CloudFront::OriginAccessControl",
            "AWS::Events::Rule",
            "AWS::IAM::Role",
            "AWS::Lambda::Alias",
            "AWS::Lambda::Function",
            "AWS::Lambda::Permission",
            "AWS::Lambda::Version",
            "AWS::Logs::LogGroup",
            "AWS::S3::Bucket",
            "AWS::S3::BucketPolicy",
            "AWS::SSM::Parameter",
            "AWS::StepFunctions::StateMachine",
        ]
    );
    let function = found.iter().find(|drift| drift["LogicalResourceId"] == "Function").unwrap();
    assert!(!function["ExpectedProperties"].as_str().unwrap().contains("\"Code\""), "{function}");

    let (function, role, bucket) =
        (output(&stack, "Function"), output(&stack, "Role"), output(&stack, "Bucket"));
    let more = allow("s3:*", json!("*")).to_string();
    for (service, operation, input) in [
        (
            Service::Lambda,
            "UpdateFunctionConfiguration",
            json!({
                "FunctionName": function, "MemorySize": 512, "Description": "not stated",
                "Environment": {"Variables": {"BUCKET": bucket, "SIZE": "512", "NEW": "x"}},
            }),
        ),
        (
            Service::Lambda,
            "UntagResource",
            json!({"Resource": format!("arn:aws:lambda:us-east-1:000000000000:function:{function}"), "TagKeys": ["team"]}),
        ),
        (
            Service::Iam,
            "PutRolePolicy",
            json!({"RoleName": role, "PolicyName": "byhand", "PolicyDocument": more}),
        ),
        (
            Service::Iam,
            "UpdateAssumeRolePolicy",
            json!({"RoleName": role, "PolicyDocument": trust("ec2.amazonaws.com").to_string()}),
        ),
        (
            Service::S3,
            "PutBucketVersioning",
            json!({"Bucket": bucket, "VersioningConfiguration": {"Status": "Suspended"}}),
        ),
        (Service::S3, "DeleteBucketLifecycle", json!({"Bucket": bucket})),
        (Service::S3, "DeleteBucketPolicy", json!({"Bucket": bucket})),
        (
            Service::Logs,
            "PutRetentionPolicy",
            json!({"logGroupName": format!("/aws/lambda/{function}"), "retentionInDays": 30}),
        ),
        (Service::Events, "DisableRule", json!({"Name": output(&stack, "Rule")})),
        (
            Service::States,
            "UpdateStateMachine",
            json!({"stateMachineArn": output(&stack, "Machine"), "definition": r#"{"StartAt":"S","States":{"S":{"Type":"Succeed"}}}"#}),
        ),
    ] {
        call(&local, service, operation, input).await.unwrap();
    }
    let (end, found) = real_drift(&local, &Caller::Owner).await;
    assert_eq!(end["DriftedStackResourceCount"], 7, "{found:#?}");
    let told: Vec<String> = found
        .iter()
        .flat_map(|drift| {
            let name = drift["LogicalResourceId"].as_str().unwrap();
            let differences = drift["PropertyDifferences"].as_array().unwrap().iter();
            let mut lines: Vec<String> = differences
                .map(|d| {
                    let text = |member: &str| d[member].as_str().unwrap();
                    let short = |member: &str| text(member).chars().take(30).collect::<String>();
                    let (path, kind) = (text("PropertyPath"), text("DifferenceType"));
                    format!("{name} {path} {kind}: {} → {}", short("ExpectedValue"), short("ActualValue"))
                })
                .collect();
            if drift["StackResourceDriftStatus"] == "DELETED" {
                lines.push(format!("{name} DELETED"));
            }
            lines
        })
        .collect();
    assert_eq!(
        told,
        [
            r#"Data /LifecycleConfiguration REMOVE: {"Rules":[{"Id":"old","Status" → null"#,
            "Data /VersioningConfiguration/Status NOT_EQUAL: Enabled → Suspended",
            "DataPolicy DELETED",
            "Function /Environment/Variables/SIZE NOT_EQUAL: 128 → 512",
            "Function /Environment/Variables/NEW ADD: null → x",
            "Function /MemorySize NOT_EQUAL: 128 → 512",
            r#"Function /Tags/0 REMOVE: {"Key":"team","Value":"blue"} → null"#,
            "Log /RetentionInDays NOT_EQUAL: 7 → 30",
            r#"Machine /DefinitionString NOT_EQUAL: {"StartAt":"S","States":{"S":{ → {"StartAt":"S","States":{"S":{"#,
            "Role /AssumeRolePolicyDocument/Statement/0/Principal/Service NOT_EQUAL: lambda.amazonaws.com → ec2.amazonaws.com",
            r#"Role /Policies/0 ADD: null → {"PolicyName":"byhand","Policy"#,
            "Rule /State NOT_EQUAL: ENABLED → DISABLED",
        ]
    );

    let input = json!({
        "StackName": "real", "ChangeSetName": "revert", "UsePreviousTemplate": true, "Capabilities": ["CAPABILITY_IAM"],
        "DeploymentMode": "REVERT_DRIFT", "Parameters": values(&[]),
    });
    call(&local, Service::CloudFormation, "CreateChangeSet", input.clone()).await.unwrap();
    call(&local, Service::CloudFormation, "ExecuteChangeSet", input).await.unwrap();
    let stack = settled(&local, "real").await;
    assert_eq!(stack["StackStatus"], "UPDATE_COMPLETE", "{:#?}", failures(&local, "real").await);
    let (_, found) = real_drift(&local, &Caller::Owner).await;
    // What somebody has added is taken away as well.
    let left: Vec<&Value> =
        found.iter().filter(|drift| drift["StackResourceDriftStatus"] != "IN_SYNC").collect();
    assert!(left.is_empty(), "{left:#?}");
}

#[tokio::test]
async fn what_may_not_be_read_is_unknown() {
    let local = with_code("one").await;
    created(&local).await;
    let role =
        json!({"RoleName": "look", "AssumeRolePolicyDocument": trust("lambda.amazonaws.com").to_string()});
    call(&local, Service::Iam, "CreateRole", role).await.unwrap();
    let caller =
        Caller::Role { arn: "arn:aws:iam::000000000000:role/look".to_owned(), session: "s".to_owned() };
    let detect = async || {
        let named = json!({"StackName": "real"});
        local.call(&caller, Service::CloudFormation, "DetectStackDrift", named).await
    };
    let mut actions = vec!["cloudformation:DetectStackDrift"];
    let allow = async |actions: &[&str]| {
        let document = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]});
        let input = json!({"RoleName": "look", "PolicyName": "p", "PolicyDocument": document.to_string()});
        call(&local, Service::Iam, "PutRolePolicy", input).await.unwrap();
    };
    allow(&actions).await;
    let error = detect().await.unwrap_err();
    assert!(error.message.contains("cloudformation:DetectStackResourceDrift"), "{error}");
    actions.extend([
        "cloudformation:DetectStackResourceDrift",
        "lambda:Get*",
        "lambda:ListTags",
        "logs:*",
        "s3:*",
    ]);
    actions.extend(["events:*", "states:*", "cloudfront:*", "ssm:GetParameter"]);
    allow(&actions).await;
    let (end, found) = real_drift(&local, &caller).await;
    assert_eq!(
        (&end["DetectionStatus"], &end["StackDriftStatus"], &end["DetectionStatusReason"]),
        (
            &json!("DETECTION_FAILED"),
            &json!("UNKNOWN"),
            &json!("Failed to detect drift on resource [MachineRole, Role]")
        )
    );
    let role = found.iter().find(|drift| drift["LogicalResourceId"] == "Role").unwrap();
    assert_eq!(role["StackResourceDriftStatus"], "UNKNOWN");
    assert!(role["DriftStatusReason"].as_str().unwrap().contains("iam:GetRole"), "{role}");
    assert_eq!(
        found.iter().filter(|drift| drift["StackResourceDriftStatus"] == "IN_SYNC").count(),
        found.len() - 2
    );
}
