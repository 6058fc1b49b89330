//! The real resource types over the real services: each is made, changed, replaced, restored and deleted by stacks.

use std::io::{Cursor, Write as _};

use bytes::Bytes;
use serde_json::{Value, json};

use crate::s3::PutObject;
use crate::testing::Local;
use crate::{Caller, Result, Service};

const ALL: [&str; 1] = ["CAPABILITY_IAM"];

pub(super) async fn call(local: &Local, service: Service, operation: &str, input: Value) -> Result<Value> {
    local.call(&Caller::Owner, service, operation, input).await
}

pub(super) async fn settled(local: &Local, stack: &str) -> Value {
    for _ in 0..30_000 {
        let answer =
            call(local, Service::CloudFormation, "DescribeStacks", json!({"StackName": stack})).await;
        let stack = answer.unwrap()["Stacks"][0].clone();
        if !stack["StackStatus"].as_str().unwrap().ends_with("_IN_PROGRESS") {
            return stack;
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    panic!("{stack} does not come to rest");
}

/// What failed in a stack, for messages and for looking at it.
pub(super) async fn failures(local: &Local, stack: &str) -> Vec<String> {
    let input = json!({"StackName": stack});
    let events = call(local, Service::CloudFormation, "DescribeStackEvents", input).await.unwrap();
    let failed = events["StackEvents"].as_array().unwrap().iter().rev();
    failed
        .filter(|e| e["ResourceStatus"].as_str().unwrap().ends_with("FAILED"))
        .map(|e| format!("{}: {}", e["LogicalResourceId"], e["ResourceStatusReason"]))
        .collect()
}

async fn carry_out(local: &Local, operation: &str, template: &Value, parameters: Value) -> Value {
    let input = json!({
        "StackName": "real", "TemplateBody": template.to_string(), "Parameters": parameters, "Capabilities": ALL,
        "Tags": [{"Key": "team", "Value": "blue"}],
    });
    let answer = call(local, Service::CloudFormation, operation, input).await.unwrap();
    settled(local, answer["StackId"].as_str().unwrap()).await
}

async fn deployed(local: &Local, operation: &str, template: &Value, parameters: Value) -> Value {
    let stack = carry_out(local, operation, template, parameters).await;
    let goal = if operation == "CreateStack" { "CREATE_COMPLETE" } else { "UPDATE_COMPLETE" };
    assert_eq!(stack["StackStatus"], goal, "{:#?}", failures(local, "real").await);
    assert_eq!(stack.get("StackStatusReason"), None);
    stack
}

pub(super) fn output(stack: &Value, key: &str) -> String {
    let outputs = stack["Outputs"].as_array().unwrap();
    let found = outputs.iter().find(|o| o["OutputKey"] == key).unwrap();
    found["OutputValue"].as_str().unwrap().to_owned()
}

/// A bucket `assets` with the function's code under `KEY`.
pub(super) async fn with_code(key: &str) -> Local {
    let local = Local::new();
    call(&local, Service::S3, "CreateBucket", json!({"Bucket": "assets"})).await.unwrap();
    put(&local, key, &zipped(key)).await;
    local
}

pub(super) async fn put(local: &Local, key: &str, body: &[u8]) {
    let object = PutObject {
        bucket: "assets".to_owned(),
        key: key.to_owned(),
        body: Bytes::copy_from_slice(body),
        ..PutObject::default()
    };
    local.s3.put_object(local, &Caller::Owner, object).await.unwrap();
}

pub(super) fn zipped(content: &str) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
    zip.start_file("bootstrap", options).unwrap();
    zip.write_all(format!("#!/bin/sh\n# {content}\n").as_bytes()).unwrap();
    zip.finish().unwrap().into_inner()
}

pub(super) fn trust(service: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"},
    ]})
}

pub(super) fn allow(action: &str, resource: Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}]})
}

pub(super) fn template() -> Value {
    json!({
        "Parameters": {
            "Memory": {"Type": "Number", "Default": 128},
            "Key": {"Type": "String", "Default": "one"},
            "Retention": {"Type": "Number", "Default": 7},
            "State": {"Type": "String", "Default": "ENABLED"},
            "Boundary": {"Type": "String", "Default": ""},
        },
        "Conditions": {"Bound": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Boundary"}, ""]}]}},
        "Resources": {
            "Control": {"Type": "AWS::CloudFront::OriginAccessControl", "Properties": {"OriginAccessControlConfig": {
                "Name": "data", "OriginAccessControlOriginType": "s3", "SigningBehavior": "always",
                "SigningProtocol": "sigv4",
            }}},
            "Distribution": {"Type": "AWS::CloudFront::Distribution", "Properties": {"DistributionConfig": {
                "Enabled": true, "Comment": {"Ref": "Retention"},
                "Origins": [{
                    "Id": "data", "DomainName": {"Fn::GetAtt": ["Data", "RegionalDomainName"]},
                    "OriginAccessControlId": {"Fn::GetAtt": ["Control", "Id"]},
                    "S3OriginConfig": {"OriginAccessIdentity": ""},
                }],
                "DefaultCacheBehavior": {
                    "TargetOriginId": "data", "ViewerProtocolPolicy": "https-only",
                    "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
                },
            }}},
            "Data": {"Type": "AWS::S3::Bucket", "Properties": {
                "BucketEncryption": {"ServerSideEncryptionConfiguration": [
                    {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}},
                ]},
                "LifecycleConfiguration": {"Rules": [{"Id": "old", "Status": "Enabled", "ExpirationInDays": 30}]},
                "PublicAccessBlockConfiguration": {
                    "BlockPublicAcls": true, "BlockPublicPolicy": true, "IgnorePublicAcls": true,
                    "RestrictPublicBuckets": true,
                },
                "VersioningConfiguration": {"Status": "Enabled"},
            }},
            "DataPolicy": {"Type": "AWS::S3::BucketPolicy", "Properties": {
                "Bucket": {"Ref": "Data"},
                "PolicyDocument": {"Version": "2012-10-17", "Statement": [{
                    "Effect": "Allow", "Principal": {"AWS": {"Fn::GetAtt": ["Role", "Arn"]}},
                    "Action": "s3:GetObject", "Resource": {"Fn::Sub": "${Data.Arn}/*"},
                }]},
            }},
            "Role": {"Type": "AWS::IAM::Role", "Properties": {
                "AssumeRolePolicyDocument": trust("lambda.amazonaws.com"),
                "ManagedPolicyArns": ["arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole"],
                "PermissionsBoundary": {"Fn::If": ["Bound", {"Ref": "Boundary"}, {"Ref": "AWS::NoValue"}]},
                "Policies": [{"PolicyName": "inline", "PolicyDocument": allow("s3:ListAllMyBuckets", json!("*"))}],
            }},
            "Policy": {"Type": "AWS::IAM::Policy", "Properties": {
                "PolicyName": "more", "Roles": [{"Ref": "Role"}],
                "PolicyDocument": allow("s3:GetObject", json!({"Fn::Sub": "${Data.Arn}/*"})),
            }},
            "Log": {"Type": "AWS::Logs::LogGroup", "Properties": {
                "LogGroupName": {"Fn::Sub": "/aws/lambda/${Function}"}, "RetentionInDays": {"Ref": "Retention"},
            }},
            "Function": {"Type": "AWS::Lambda::Function", "Properties": {
                "Architectures": [if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" }],
                "Code": {"S3Bucket": "assets", "S3Key": {"Ref": "Key"}},
                "Environment": {"Variables": {"BUCKET": {"Ref": "Data"}, "SIZE": {"Ref": "Memory"}}},
                "Handler": "bootstrap", "Runtime": "provided.al2023",
                "MemorySize": {"Ref": "Memory"}, "Timeout": "30", "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
            }},
            "Version": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Function"}}},
            "Alias": {"Type": "AWS::Lambda::Alias", "Properties": {
                "FunctionName": {"Ref": "Function"}, "FunctionVersion": {"Fn::GetAtt": ["Version", "Version"]},
                "Name": "live",
            }},
            "Rule": {"Type": "AWS::Events::Rule", "Properties": {
                "EventPattern": {"source": ["aws.states"], "detail": {"status": ["ABORTED"]}},
                "State": {"Ref": "State"},
                "Targets": [{"Id": "function", "Arn": {"Fn::GetAtt": ["Function", "Arn"]}}],
            }},
            "Permission": {"Type": "AWS::Lambda::Permission", "Properties": {
                "Action": "lambda:InvokeFunction", "FunctionName": {"Fn::GetAtt": ["Function", "Arn"]},
                "Principal": "events.amazonaws.com", "SourceArn": {"Fn::GetAtt": ["Rule", "Arn"]},
            }},
            "Setting": {"Type": "AWS::SSM::Parameter", "Properties": {
                "Type": "String", "Value": {"Ref": "Retention"}, "Description": "for others to read",
                "Tags": {"size": {"Ref": "Memory"}},
            }},
            "MachineRole": {"Type": "AWS::IAM::Role", "Properties": {
                "AssumeRolePolicyDocument": trust("states.amazonaws.com"),
            }},
            "Machine": {"Type": "AWS::StepFunctions::StateMachine", "Properties": {
                "StateMachineName": {"Fn::Sub": ["machine-${End}", {
                    "End": {"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "AWS::StackId"}]}]},
                }]},
                "DefinitionString": "{\"StartAt\":\"S\",\"States\":{\"S\":{\"Type\":\"Task\",\"Resource\":\"${Work}\",\
                                     \"TimeoutSeconds\":${Memory},\"End\":true}}}",
                "DefinitionSubstitutions": {"Work": {"Fn::GetAtt": ["Function", "Arn"]}, "Memory": {"Ref": "Memory"}},
                "RoleArn": {"Fn::GetAtt": ["MachineRole", "Arn"]},
            }},
        },
        "Outputs": {
            "Alias": {"Value": {"Ref": "Alias"}},
            "Bucket": {"Value": {"Ref": "Data"}},
            "Distribution": {"Value": {"Ref": "Distribution"}},
            "Domain": {"Value": {"Fn::GetAtt": ["Distribution", "DomainName"]}},
            "Function": {"Value": {"Ref": "Function"}},
            "Machine": {"Value": {"Ref": "Machine"}},
            "Role": {"Value": {"Ref": "Role"}},
            "Rule": {"Value": {"Ref": "Rule"}},
            "Setting": {"Value": {"Ref": "Setting"}},
            "Value": {"Value": {"Fn::GetAtt": ["Setting", "Value"]}},
            "Version": {"Value": {"Fn::GetAtt": ["Version", "Version"]}},
        },
    })
}

pub(super) fn values(values: &[(&str, &str)]) -> Value {
    values.iter().map(|(key, value)| json!({"ParameterKey": key, "ParameterValue": value})).collect()
}

async fn configuration(local: &Local, function: &str) -> Value {
    let input = json!({"FunctionName": function});
    call(local, Service::Lambda, "GetFunctionConfiguration", input).await.unwrap()
}

#[tokio::test]
async fn every_type_is_made_changed_and_deleted() {
    let local = with_code("one").await;
    let stack = deployed(&local, "CreateStack", &template(), json!([])).await;
    let function = output(&stack, "Function");
    assert!(function.starts_with("real-Function-"), "{function}");
    let made = configuration(&local, &function).await;
    assert_eq!((made["MemorySize"].as_i64(), made["Timeout"].as_i64()), (Some(128), Some(30)));
    assert_eq!(made["Environment"]["Variables"]["BUCKET"], output(&stack, "Bucket"));
    assert_eq!(made["VpcConfig"]["SubnetIds"], json!(["subnet-1"]));
    let tags =
        call(&local, Service::Lambda, "ListTags", json!({"Resource": made["FunctionArn"]})).await.unwrap();
    assert_eq!(tags["Tags"]["team"], "blue");
    assert_eq!(tags["Tags"]["aws:cloudformation:stack-name"], "real");
    let policy = call(&local, Service::Lambda, "GetPolicy", json!({"FunctionName": function})).await.unwrap();
    assert!(policy["Policy"].as_str().unwrap().contains("real-Permission-"), "{policy}");

    let role = json!({"RoleName": output(&stack, "Role")});
    let inline = call(&local, Service::Iam, "ListRolePolicies", role.clone()).await.unwrap();
    assert_eq!(inline["PolicyNames"], json!(["inline", "more"]));
    let attached = call(&local, Service::Iam, "ListAttachedRolePolicies", role.clone()).await.unwrap();
    assert_eq!(attached["AttachedPolicies"][0]["PolicyName"], "AWSLambdaVPCAccessExecutionRole");

    let machine = json!({"stateMachineArn": output(&stack, "Machine")});
    let described = call(&local, Service::States, "DescribeStateMachine", machine.clone()).await.unwrap();
    let definition: Value = serde_json::from_str(described["definition"].as_str().unwrap()).unwrap();
    assert_eq!(definition["States"]["S"]["Resource"], made["FunctionArn"]);
    assert_eq!(definition["States"]["S"]["TimeoutSeconds"], 128);

    let bucket = json!({"Bucket": output(&stack, "Bucket")});
    for (operation, expected) in [
        ("GetBucketEncryption", "<SSEAlgorithm>AES256</SSEAlgorithm>"),
        ("GetBucketLifecycleConfiguration", "<Expiration><Days>30</Days></Expiration>"),
        ("GetPublicAccessBlock", "<BlockPublicPolicy>true</BlockPublicPolicy>"),
        ("GetBucketVersioning", "<Status>Enabled</Status>"),
        ("GetBucketTagging", "<Key>team</Key><Value>blue</Value>"),
        ("GetBucketPolicy", "s3:GetObject"),
    ] {
        let document = call(&local, Service::S3, operation, bucket.clone()).await.unwrap();
        assert!(document["Document"].as_str().unwrap().contains(expected), "{operation}: {document}");
    }
    let rule = json!({"Name": output(&stack, "Rule")});
    let described = call(&local, Service::Events, "DescribeRule", rule.clone()).await.unwrap();
    assert_eq!(described["State"], "ENABLED");
    let setting = output(&stack, "Setting");
    assert!(setting.starts_with("CFN-Setting-"), "{setting}");
    assert_eq!(output(&stack, "Value"), "7");
    let tags = async || {
        let input = json!({"ResourceType": "Parameter", "ResourceId": setting});
        let answer = call(&local, Service::Ssm, "ListTagsForResource", input).await.unwrap();
        answer["TagList"].as_array().unwrap().clone()
    };
    for (key, value) in [("team", "blue"), ("size", "128"), ("aws:cloudformation:stack-name", "real")] {
        assert!(tags().await.contains(&json!({"Key": key, "Value": value})), "{key}");
    }
    let id = output(&stack, "Distribution");
    assert_eq!(output(&stack, "Domain"), format!("{}.cloudfront.localhost", id.to_lowercase()));
    let distribution = json!({"Id": id});
    let made = call(&local, Service::CloudFront, "GetDistribution", distribution.clone()).await.unwrap();
    assert_eq!(made["DistributionConfig"]["Comment"], "7");
    assert!(made["Tags"].as_array().unwrap().contains(&json!({"Key": "team", "Value": "blue"})), "{made}");
    let control = json!({"Id": made["DistributionConfig"]["Origins"][0]["OriginAccessControlId"]});
    call(&local, Service::CloudFront, "GetOriginAccessControl", control.clone()).await.unwrap();

    // The same again is no change.
    let input = json!({"StackName": "real", "TemplateBody": template().to_string(), "Capabilities": ALL});
    let error = call(&local, Service::CloudFormation, "UpdateStack", input).await.unwrap_err();
    assert_eq!(error.message, "No updates are to be performed.");

    // In place: code, size, retention, rule, definition.
    put(&local, "two", &zipped("two")).await;
    let changed = values(&[("Memory", "256"), ("Key", "two"), ("Retention", "14"), ("State", "DISABLED")]);
    let stack = deployed(&local, "UpdateStack", &template(), changed.clone()).await;
    assert_eq!(output(&stack, "Function"), function);
    let updated = configuration(&local, &function).await;
    assert_eq!(
        (updated["MemorySize"].as_i64(), &updated["Environment"]["Variables"]["SIZE"]),
        (Some(256), &json!("256"))
    );
    assert_ne!(updated["CodeSha256"], made["CodeSha256"]);
    let described = call(&local, Service::Events, "DescribeRule", rule).await.unwrap();
    assert_eq!(described["State"], "DISABLED");
    assert_eq!(output(&stack, "Setting"), setting);
    assert_eq!(output(&stack, "Value"), "14");
    assert!(tags().await.contains(&json!({"Key": "size", "Value": "256"})));
    let changed_there =
        call(&local, Service::CloudFront, "GetDistribution", distribution.clone()).await.unwrap();
    assert_eq!(changed_there["DistributionConfig"]["Comment"], "14");
    let input = json!({"logGroupNamePrefix": format!("/aws/lambda/{function}")});
    let groups = call(&local, Service::Logs, "DescribeLogGroups", input).await.unwrap();
    assert_eq!(groups["logGroups"][0]["retentionInDays"], 14);
    let described = call(&local, Service::States, "DescribeStateMachine", machine).await.unwrap();
    assert!(described["definition"].as_str().unwrap().contains("\"TimeoutSeconds\":256"));

    // By replacement: a version with a description is another version; the alias follows it.
    let mut next = template();
    next["Resources"]["Version"]["Properties"]["Description"] = "second".into();
    next["Resources"].as_object_mut().unwrap().remove("Policy");
    let stack = deployed(&local, "UpdateStack", &next, changed).await;
    assert_eq!(output(&stack, "Version"), "2");
    let input = json!({"FunctionName": function, "Name": "live"});
    let alias = call(&local, Service::Lambda, "GetAlias", input).await.unwrap();
    assert_eq!(alias["FunctionVersion"], "2");
    assert_eq!(alias["AliasArn"], output(&stack, "Alias"));
    let versions = json!({"FunctionName": function});
    let versions = call(&local, Service::Lambda, "ListVersionsByFunction", versions).await.unwrap();
    assert_eq!(versions["Versions"].as_array().unwrap().len(), 2, "$LATEST and 2: {versions}");
    let inline = call(&local, Service::Iam, "ListRolePolicies", role.clone()).await.unwrap();
    assert_eq!(inline["PolicyNames"], json!(["inline"]));

    let id = stack["StackId"].as_str().unwrap();
    call(&local, Service::CloudFormation, "DeleteStack", json!({"StackName": "real"})).await.unwrap();
    assert_eq!(
        settled(&local, id).await["StackStatus"],
        "DELETE_COMPLETE",
        "{:#?}",
        failures(&local, id).await
    );
    nothing_left(&local).await;
    for (operation, id) in [("GetDistribution", distribution), ("GetOriginAccessControl", control)] {
        assert_eq!(call(&local, Service::CloudFront, operation, id).await.unwrap_err().status, 404);
    }
    let gone = call(&local, Service::Ssm, "GetParameter", json!({"Name": setting})).await.unwrap_err();
    assert_eq!(gone.code, "ParameterNotFound");
}

/// Nothing but the bucket `assets` is left.
async fn nothing_left(local: &Local) {
    for (service, operation, member) in [
        (Service::Lambda, "ListFunctions", "Functions"),
        (Service::Iam, "ListRoles", "Roles"),
        (Service::Events, "ListRules", "Rules"),
        (Service::Logs, "DescribeLogGroups", "logGroups"),
        (Service::States, "ListStateMachines", "stateMachines"),
    ] {
        let left = call(local, service, operation, json!({})).await.unwrap();
        assert_eq!(left[member], json!([]), "{operation}");
    }
    let buckets = call(local, Service::S3, "ListBuckets", json!({})).await.unwrap();
    let buckets = buckets["Buckets"].as_array().unwrap();
    assert_eq!(buckets.iter().map(|b| b["Name"].as_str().unwrap()).collect::<Vec<_>>(), ["assets"]);
}

#[tokio::test]
async fn a_failed_update_restores_every_type() {
    let local = with_code("one").await;
    put(&local, "two", &zipped("two")).await;
    let stack = deployed(&local, "CreateStack", &template(), json!([])).await;
    let function = output(&stack, "Function");
    let before = configuration(&local, &function).await;
    let mut bad = template();
    bad["Resources"]["Role"]["Properties"]["Policies"] = json!([]);
    bad["Resources"]["Data"]["Properties"].as_object_mut().unwrap().remove("LifecycleConfiguration");
    bad["Resources"]["Version"]["Properties"]["Description"] = "second".into();
    bad["Resources"]["Last"] = json!({
        "Type": "AWS::Lambda::Function", "DependsOn": ["Alias", "Machine", "Log", "Permission", "Policy", "DataPolicy"],
        "Properties": {
            "Code": {"S3Bucket": "assets", "S3Key": "none"}, "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "Handler": "bootstrap", "Runtime": "provided.al2023",
        },
    });
    let changed = values(&[("Memory", "256"), ("Key", "two"), ("Retention", "14"), ("State", "DISABLED")]);
    let stack = carry_out(&local, "UpdateStack", &bad, changed).await;
    let failed = failures(&local, "real").await;
    assert_eq!(stack["StackStatus"], "UPDATE_ROLLBACK_COMPLETE", "{failed:#?}");
    assert_eq!(failed.len(), 1, "{failed:#?}");
    assert!(failed[0].starts_with("\"Last\": \"Resource handler returned message: "), "{failed:#?}");

    let after = configuration(&local, &function).await;
    for member in ["MemorySize", "CodeSha256", "Environment", "Timeout", "Role", "VpcConfig"] {
        assert_eq!(after[member], before[member], "{member}");
    }
    let inline = json!({"RoleName": output(&stack, "Role")});
    let inline = call(&local, Service::Iam, "ListRolePolicies", inline).await.unwrap();
    assert_eq!(inline["PolicyNames"], json!(["inline", "more"]));
    let bucket = json!({"Bucket": output(&stack, "Bucket")});
    assert!(call(&local, Service::S3, "GetBucketLifecycleConfiguration", bucket).await.is_ok());
    let alias = json!({"FunctionName": function, "Name": "live"});
    let alias = call(&local, Service::Lambda, "GetAlias", alias).await.unwrap();
    assert_eq!(alias["FunctionVersion"], output(&stack, "Version"));
    assert_eq!(stack["Parameters"][2], json!({"ParameterKey": "Memory", "ParameterValue": "128"}));
}

#[tokio::test]
async fn a_service_s_refusal_is_the_reason_and_leaves_nothing() {
    let local = with_code("one").await;
    let stack = carry_out(&local, "CreateStack", &template(), values(&[("Key", "none")])).await;
    assert_eq!(stack["StackStatus"], "ROLLBACK_COMPLETE");
    let failed = failures(&local, "real").await;
    assert!(
        failed[0].contains("Resource handler returned message: \\\"")
            && failed[0].contains("(Service: Lambda, Status Code: 400, Request ID: ")
            && failed[0].contains("HandlerErrorCode: "),
        "{failed:#?}"
    );
    nothing_left(&local).await;
}

#[tokio::test]
async fn a_key_is_known_but_not_made() {
    let local = Local::new();
    let template = |wanted: &str| {
        let kind = |kind: &str, properties: Value| json!({"Type": kind, "Condition": "Wanted", "Properties": properties});
        json!({
            "Conditions": {"Wanted": {"Fn::Equals": [wanted, "yes"]}},
            "Resources": {
                "Key": kind("AWS::KMS::Key", json!({"KeyPolicy": allow("kms:*", json!("*"))})),
                "Alias": kind("AWS::KMS::Alias", json!({"AliasName": "alias/a", "TargetKeyId": {"Ref": "Key"}})),
                "Images": {"Type": "AWS::ECR::Repository", "Properties": {
                    "RepositoryName": "images", "ImageTagMutability": "IMMUTABLE",
                    "LifecyclePolicy": {"LifecyclePolicyText": "{\"rules\": []}"},
                }},
            },
            "Outputs": {"Uri": {"Value": {"Fn::GetAtt": ["Images", "RepositoryUri"]}}},
        })
    };
    let stack = deployed(&local, "CreateStack", &template("no"), json!([])).await;
    assert_eq!(output(&stack, "Uri"), "000000000000.dkr.ecr.us-east-1.amazonaws.com/images");
    let policy = || call(&local, Service::Ecr, "GetLifecyclePolicy", json!({"repositoryName": "images"}));
    policy().await.unwrap();
    let mut changed = template("no");
    changed["Resources"]["Images"]["Properties"].as_object_mut().unwrap().remove("LifecyclePolicy");
    deployed(&local, "UpdateStack", &changed, json!([])).await;
    assert_eq!(policy().await.unwrap_err().code, "LifecyclePolicyNotFoundException");
    let stack = carry_out(&local, "UpdateStack", &template("yes"), json!([])).await;
    assert_eq!(stack["StackStatus"], "UPDATE_ROLLBACK_COMPLETE");
    let failed = failures(&local, "real").await;
    assert!(failed[0].contains("the local endpoint has no keys"), "{failed:#?}");
}

#[tokio::test]
async fn an_origin_says_that_it_is_a_bucket() {
    let local = Local::new();
    let mut template = template();
    let resources = template["Resources"].as_object_mut().unwrap();
    resources.retain(|name, _| ["Control", "Distribution", "Data"].contains(&name.as_str()));
    let config = &mut template["Resources"]["Distribution"]["Properties"]["DistributionConfig"];
    config["Origins"][0].as_object_mut().unwrap().remove("S3OriginConfig");
    template.as_object_mut().unwrap().remove("Outputs");
    let stack = carry_out(&local, "CreateStack", &template, json!([])).await;
    assert_eq!(stack["StackStatus"], "ROLLBACK_COMPLETE");
    let failed = failures(&local, "real").await;
    let message =
        "Invalid request provided: Exactly one of CustomOriginConfig and S3OriginConfig must be specified";
    assert!(failed[0].contains(message), "{failed:#?}");
}

#[tokio::test]
async fn a_bucket_with_objects_fails_its_stack_s_deletion() {
    let local = Local::new();
    let template =
        json!({"Resources": {"Data": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "assets"}}}});
    deployed(&local, "CreateStack", &template, json!([])).await;
    put(&local, "file", b"content").await;
    call(&local, Service::CloudFormation, "DeleteStack", json!({"StackName": "real"})).await.unwrap();
    assert_eq!(settled(&local, "real").await["StackStatus"], "DELETE_FAILED");
    let failed = failures(&local, "real").await;
    assert!(failed[0].contains("The bucket you tried to delete is not empty"), "{failed:#?}");
    call(&local, Service::S3, "DeleteObject", json!({"Bucket": "assets", "Key": "file"})).await.unwrap();
    call(&local, Service::CloudFormation, "DeleteStack", json!({"StackName": "real"})).await.unwrap();
    let gone =
        async || call(&local, Service::CloudFormation, "DescribeStacks", json!({"StackName": "real"})).await;
    for _ in 0..30_000 {
        if gone().await.is_err() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    panic!("{:?}", gone().await);
}

#[tokio::test]
async fn what_was_deleted_by_hand_cannot_be_updated_but_skipped() {
    let local = with_code("one").await;
    let mut template = template();
    let resources = template["Resources"].as_object_mut().unwrap();
    resources.retain(|name, _| ["Role", "Policy", "Data", "Function", "Log"].contains(&name.as_str()));
    template["Outputs"] = json!({"Function": {"Value": {"Ref": "Function"}}});
    let stack = deployed(&local, "CreateStack", &template, json!([])).await;
    let function = json!({"FunctionName": output(&stack, "Function")});
    call(&local, Service::Lambda, "DeleteFunction", function).await.unwrap();
    let changed = values(&[("Memory", "256"), ("Retention", "14")]);
    let stack = carry_out(&local, "UpdateStack", &template, changed).await;
    let failed = failures(&local, "real").await;
    assert_eq!(stack["StackStatus"], "UPDATE_ROLLBACK_FAILED", "{failed:#?}");
    assert!(failed[0].contains("Function not found: ") && failed[0].contains("NotFound"), "{failed:#?}");
    let input = json!({"StackName": "real", "ResourcesToSkip": ["Function"]});
    call(&local, Service::CloudFormation, "ContinueUpdateRollback", input).await.unwrap();
    let id = stack["StackId"].as_str().unwrap();
    assert_eq!(settled(&local, id).await["StackStatus"], "UPDATE_ROLLBACK_COMPLETE");
    call(&local, Service::CloudFormation, "DeleteStack", json!({"StackName": "real"})).await.unwrap();
    assert_eq!(settled(&local, id).await["StackStatus"], "DELETE_COMPLETE");
    nothing_left(&local).await;
}

#[tokio::test]
async fn the_stack_s_role_is_who_acts() {
    let local = with_code("one").await;
    let role = |name: &str, service: &str| json!({"RoleName": name, "AssumeRolePolicyDocument": trust(service).to_string()});
    call(&local, Service::Iam, "CreateRole", role("deploy", "cloudformation.amazonaws.com")).await.unwrap();
    call(&local, Service::Iam, "CreateRole", role("other", "lambda.amazonaws.com")).await.unwrap();
    let template = json!({"Resources": {"Log": {"Type": "AWS::Logs::LogGroup"}}});
    let mut input = json!({
        "StackName": "real", "TemplateBody": template.to_string(), "RoleARN": "arn:aws:iam::000000000000:role/other",
    });
    let error = call(&local, Service::CloudFormation, "CreateStack", input.clone()).await.unwrap_err();
    assert_eq!(error.message, "Role arn:aws:iam::000000000000:role/other is invalid or cannot be assumed");

    input["RoleARN"] = "arn:aws:iam::000000000000:role/deploy".into();
    // Who has CloudFormation act as a role must be allowed to pass it on.
    let policy = json!({"RoleName": "other", "PolicyName": "p", "PolicyDocument": allow("cloudformation:*", json!("*")).to_string()});
    call(&local, Service::Iam, "PutRolePolicy", policy).await.unwrap();
    let other =
        Caller::Role { arn: "arn:aws:iam::000000000000:role/other".to_owned(), session: "s".to_owned() };
    let error = local.call(&other, Service::CloudFormation, "CreateStack", input.clone()).await.unwrap_err();
    assert!(error.message.contains("is not authorized to perform: iam:PassRole"), "{error}");
    let answer = call(&local, Service::CloudFormation, "CreateStack", input.clone()).await.unwrap();
    let id = answer["StackId"].as_str().unwrap();
    let stack = settled(&local, id).await;
    assert!(stack["StackStatus"].as_str().unwrap().starts_with("ROLLBACK_"), "{stack}");
    let failed = failures(&local, id).await;
    assert!(
        failed[0].contains(
            "assumed-role/deploy/AWSCloudFormation is not authorized to perform: logs:CreateLogGroup"
        ) && failed[0].contains("HandlerErrorCode: AccessDenied"),
        "{failed:#?}"
    );

    let policy = json!({"RoleName": "deploy", "PolicyName": "p", "PolicyDocument": allow("logs:*", json!("*")).to_string()});
    call(&local, Service::Iam, "PutRolePolicy", policy).await.unwrap();
    call(&local, Service::CloudFormation, "DeleteStack", json!({"StackName": id})).await.unwrap();
    assert_eq!(settled(&local, id).await["StackStatus"], "DELETE_COMPLETE");
    let answer = call(&local, Service::CloudFormation, "CreateStack", input).await.unwrap();
    let stack = settled(&local, answer["StackId"].as_str().unwrap()).await;
    assert_eq!(stack["StackStatus"], "CREATE_COMPLETE", "{:#?}", failures(&local, "real").await);
    assert_eq!(stack["RoleARN"], "arn:aws:iam::000000000000:role/deploy");
}

#[tokio::test]
async fn a_template_may_come_from_s3() {
    let local = with_code("one").await;
    let template = json!({"Resources": {"Log": {"Type": "AWS::Logs::LogGroup"}}}).to_string();
    put(&local, "a b/template.json", template.as_bytes()).await;
    for (index, url) in [
        "https://assets.s3.us-east-1.amazonaws.com/a%20b/template.json",
        "https://s3.us-east-1.amazonaws.com/assets/a%20b/template.json",
        "http://127.0.0.1:4566/assets/a%20b/template.json",
        "http://assets.localhost:4566/a%20b/template.json?versionId=x",
    ]
    .into_iter()
    .enumerate()
    {
        let input = json!({"StackName": format!("s{index}"), "TemplateURL": url});
        let answer = call(&local, Service::CloudFormation, "CreateStack", input).await.unwrap();
        let stack = settled(&local, answer["StackId"].as_str().unwrap()).await;
        assert_eq!(stack["StackStatus"], "CREATE_COMPLETE", "{url}");
    }
    for (url, message) in [
        ("https://assets.s3.amazonaws.com/none", "S3 error: The specified key does not exist."),
        ("https://example.com/none", "TemplateURL must reference a valid S3 object to which you have access"),
        ("file:///etc/passwd", "TemplateURL must reference a valid S3 object to which you have access"),
    ] {
        let input = json!({"StackName": "t", "TemplateURL": url});
        let error = call(&local, Service::CloudFormation, "CreateStack", input).await.unwrap_err();
        assert!(error.message.contains(message), "{error}");
    }
    let long = format!("{{\"Description\": \"{}\"}}", "x".repeat(51_200));
    let input = json!({"StackName": "t", "TemplateBody": long});
    let error = call(&local, Service::CloudFormation, "CreateStack", input).await.unwrap_err();
    assert!(error.message.contains("less than or equal to 51200"), "{error}");
}
