//! Stacks as other tools write them, over the real services: what SAM makes of aws-lambda-power-tuning's template, and what the CDK
//! synthesizes and deploys with its default settings. The templates are described here by their facts.

use serde_json::{Map, Value, json};

use super::real::{allow, call, failures, output, put, settled, trust, values, with_code, zipped};
use crate::Service;
use crate::testing::Local;

const CAPABILITIES: [&str; 3] = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"];

/// What SAM makes of a function: a role with its policies, the function, and mostly a log group made after it.
fn function(resources: &mut Map<String, Value>, name: &str, actions: &[&str], own: &[Value]) {
    let mut managed = vec![json!("arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole")];
    managed.extend_from_slice(own);
    let mut role = json!({
        "AssumeRolePolicyDocument": trust("lambda.amazonaws.com"),
        "ManagedPolicyArns": managed,
        "PermissionsBoundary": {"Fn::If": ["Bound", {"Ref": "permissionsBoundary"}, {"Ref": "AWS::NoValue"}]},
        "Tags": [{"Key": "lambda:createdBy", "Value": "SAM"}],
    });
    if !actions.is_empty() {
        let document = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": actions, "Resource": {"Ref": "lambdaResource"}},
        ]});
        role["Policies"] = json!([{"PolicyName": format!("{name}RolePolicy1"), "PolicyDocument": document}]);
    }
    resources.insert(format!("{name}Role"), json!({"Type": "AWS::IAM::Role", "Properties": role}));
    let mut properties = json!({
        "Code": {"S3Bucket": "assets", "S3Key": "lambda"}, "Handler": format!("{name}.handler"),
        "Role": {"Fn::GetAtt": [format!("{name}Role"), "Arn"]}, "Runtime": "nodejs20.x", "MemorySize": 128,
        "Timeout": {"Ref": "totalExecutionTimeout"},
        "Environment": {"Variables": {"defaultPowerValues": {"Fn::Join": [",", {"Ref": "PowerValues"}]}}},
        "Tags": [{"Key": "lambda:createdBy", "Value": "SAM"}],
        "VpcConfig": {"Fn::If": ["InVpc", {
            "SecurityGroupIds": {"Ref": "securityGroupIds"}, "SubnetIds": {"Ref": "subnetIds"},
        }, {"Ref": "AWS::NoValue"}]},
    });
    if name != "analyzer" {
        properties["Layers"] = json!([{"Ref": "SDKlayer0a1b2c3d4e"}]);
    }
    resources.insert(name.to_owned(), json!({"Type": "AWS::Lambda::Function", "Properties": properties}));
    if name != "publisher" {
        resources.insert(format!("{name}LogGroup"), json!({
            "Type": "AWS::Logs::LogGroup", "DependsOn": name,
            "Properties": {"LogGroupName": {"Fn::Sub": format!("/aws/lambda/${{{name}}}")}, "RetentionInDays": 7},
        }));
    }
}

fn power_tuning() -> Value {
    const STEPS: [(&str, &[&str]); 6] = [
        ("initializer", &["lambda:GetFunctionConfiguration"]),
        ("publisher", &["lambda:PublishVersion", "lambda:UpdateFunctionConfiguration", "lambda:CreateAlias"]),
        ("executor", &["lambda:InvokeFunction", "lambda:GetFunctionConfiguration"]),
        ("cleaner", &["lambda:GetAlias", "lambda:DeleteAlias", "lambda:DeleteFunction"]),
        ("analyzer", &[]),
        ("optimizer", &["lambda:PublishVersion", "lambda:UpdateAlias"]),
    ];
    let mut resources = Map::new();
    let s3 = json!({"Fn::If": ["S3BucketProvided", {"Ref": "payloadS3Policy"}, {"Ref": "AWS::NoValue"}]});
    let mut substitutions = json!({"totalExecutionTimeout": {"Ref": "totalExecutionTimeout"}});
    for (name, actions) in STEPS {
        let own = if name == "executor" { std::slice::from_ref(&s3) } else { &[] };
        function(&mut resources, name, actions, own);
        substitutions[format!("{name}Arn")] = json!({"Fn::GetAtt": [name, "Arn"]});
    }
    let differs = |parameter: Value| json!({"Fn::Not": [{"Fn::Equals": [parameter, ""]}]});
    let joined = |parameter: &str| json!({"Fn::Join": ["", {"Ref": parameter}]});
    let mut template = json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Parameters": {
            "PowerValues": {"Type": "List<Number>", "Default": "128,256,512,1024,1536,3008"},
            "lambdaResource": {"Type": "String", "Default": "*"},
            "layerSdkName": {"Type": "String", "Default": ""},
            "payloadS3Bucket": {"Type": "String", "Default": ""},
            "payloadS3Key": {"Type": "String", "Default": "*"},
            "permissionsBoundary": {"Type": "String", "Default": ""},
            "securityGroupIds": {"Type": "CommaDelimitedList", "Default": ""},
            "stateMachineNamePrefix": {"Type": "String", "MaxLength": 43, "AllowedPattern": "^[a-zA-Z0-9\\-_]*$",
                "Default": "powerTuningStateMachine"},
            "subnetIds": {"Type": "CommaDelimitedList", "Default": ""},
            "totalExecutionTimeout": {"Type": "Number", "Default": 300, "MinValue": 10, "MaxValue": 900},
        },
        "Conditions": {
            "Bound": differs(json!({"Ref": "permissionsBoundary"})),
            "InVpc": {"Fn::Or": [{"Condition": "UseSecurityGroupIds"}, {"Condition": "UseSubnetIds"}]},
            "S3BucketProvided": differs(json!({"Ref": "payloadS3Bucket"})),
            "UseLayerSdkName": differs(json!({"Ref": "layerSdkName"})),
            "UseSecurityGroupIds": differs(joined("securityGroupIds")),
            "UseSubnetIds": differs(joined("subnetIds")),
        },
        "Outputs": {"StateMachineARN": {"Value": {"Ref": "powerTuningStateMachine"}}},
    });
    resources.extend(
        json!({
            "SDKlayer0a1b2c3d4e": {
                "Type": "AWS::Lambda::LayerVersion", "DeletionPolicy": "Retain", "Metadata": {"BuildMethod": "nodejs20.x"},
                "Properties": {
                    "Content": {"S3Bucket": "assets", "S3Key": "layer"}, "CompatibleRuntimes": ["nodejs20.x"],
                    "LayerName": {"Fn::If": ["UseLayerSdkName", {"Ref": "layerSdkName"}, "AWS-SDK-v3"]},
                    "LicenseInfo": "MIT-0",
                },
            },
            "payloadS3Policy": {"Type": "AWS::IAM::ManagedPolicy", "Condition": "S3BucketProvided", "Properties": {
                "Description": "large payloads",
                "PolicyDocument": allow("s3:GetObject", json!({
                    "Fn::Sub": "arn:${AWS::Partition}:s3:::${payloadS3Bucket}/${payloadS3Key}",
                })),
            }},
            "statemachineRole": {"Type": "AWS::IAM::Role", "Properties": {
                "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{
                    "Effect": "Allow", "Action": "sts:AssumeRole",
                    "Principal": {"Service": {"Fn::Sub": "states.${AWS::Region}.amazonaws.com"}},
                }]},
                "ManagedPolicyArns": ["arn:aws:iam::aws:policy/service-role/AWSLambdaRole"],
            }},
            "powerTuningStateMachine": {"Type": "AWS::StepFunctions::StateMachine", "Properties": {
                "DefinitionS3Location": {"Bucket": "assets", "Key": "statemachine.asl.json"},
                "DefinitionSubstitutions": substitutions,
                "RoleArn": {"Fn::GetAtt": ["statemachineRole", "Arn"]},
                "StateMachineName": {"Fn::Join": ["-", [
                    {"Ref": "stateMachineNamePrefix"},
                    {"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "AWS::StackId"}]}]},
                ]]},
                "Tags": [{"Key": "stateMachine:createdBy", "Value": "SAM"}],
            }},
        })
        .as_object()
        .unwrap()
        .clone(),
    );
    template["Resources"] = resources.into();
    template
}

/// Carries out a change set of a template that was uploaded to `assets`, as SAM and the CDK do.
async fn deployed(local: &Local, kind: &str, parameters: Value) -> Value {
    let set =
        call(local, Service::CloudFormation, "CreateChangeSet", change_set(kind, parameters)).await.unwrap();
    let described = json!({"ChangeSetName": set["Id"]});
    let shown = call(local, Service::CloudFormation, "DescribeChangeSet", described.clone()).await.unwrap();
    assert_eq!(shown["Status"], "CREATE_COMPLETE", "{shown:#}");
    call(local, Service::CloudFormation, "ExecuteChangeSet", described).await.unwrap();
    let stack = settled(local, set["StackId"].as_str().unwrap()).await;
    assert_eq!(stack["StackStatus"], format!("{kind}_COMPLETE"), "{:#?}", failures(local, "theirs").await);
    stack
}

fn change_set(kind: &str, parameters: Value) -> Value {
    json!({
        "StackName": "theirs", "ChangeSetName": "deploy", "ChangeSetType": kind, "Capabilities": CAPABILITIES,
        "TemplateURL": "https://s3.us-east-1.amazonaws.com/assets/template.json", "Parameters": parameters,
    })
}

async fn attached(local: &Local, function: &str) -> Vec<Value> {
    let configuration =
        call(local, Service::Lambda, "GetFunctionConfiguration", json!({"FunctionName": function}))
            .await
            .unwrap();
    let role = configuration["Role"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let answer =
        call(local, Service::Iam, "ListAttachedRolePolicies", json!({"RoleName": role})).await.unwrap();
    answer["AttachedPolicies"].as_array().unwrap().iter().map(|policy| policy["PolicyArn"].clone()).collect()
}

async fn physical(local: &Local, logical: &str) -> String {
    let input = json!({"StackName": "theirs", "LogicalResourceId": logical});
    let answer = call(local, Service::CloudFormation, "DescribeStackResource", input).await.unwrap();
    answer["StackResourceDetail"]["PhysicalResourceId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_stack_of_aws_lambda_power_tuning_is_made_changed_and_deleted() {
    let local = with_code("lambda").await;
    put(&local, "layer", &zipped("layer")).await;
    put(&local, "template.json", power_tuning().to_string().as_bytes()).await;
    let task = json!({"StartAt": "Initializer", "States": {"Initializer": {
        "Type": "Task", "Resource": "${initializerArn}", "End": true,
    }}});
    put(&local, "statemachine.asl.json", task.to_string().as_bytes()).await;

    let given = |key: &str| values(&[("payloadS3Bucket", "assets"), ("payloadS3Key", key)]);
    let stack = deployed(&local, "CREATE", given("*")).await;
    let executor = physical(&local, "executor").await;
    let made = call(&local, Service::Lambda, "GetFunctionConfiguration", json!({"FunctionName": executor}))
        .await
        .unwrap();
    let layer = "arn:aws:lambda:us-east-1:000000000000:layer:AWS-SDK-v3:1";
    assert_eq!(made["Layers"][0]["Arn"], layer);
    assert_eq!(physical(&local, "SDKlayer0a1b2c3d4e").await, layer);
    let policy = physical(&local, "payloadS3Policy").await;
    assert!(policy.starts_with("arn:aws:iam::000000000000:policy/theirs-payloadS3Policy-"), "{policy}");
    assert!(attached(&local, &executor).await.contains(&json!(policy)));
    let machine = json!({"stateMachineArn": output(&stack, "StateMachineARN")});
    let machine = call(&local, Service::States, "DescribeStateMachine", machine).await.unwrap();
    let initializer = physical(&local, "initializer").await;
    assert!(machine["definition"].as_str().unwrap().contains(&initializer), "{machine}");

    // Another document is another version of the same policy; the seventh change finds five versions and drops the oldest.
    for number in 2..=7 {
        deployed(&local, "UPDATE", given(&format!("payloads-{number}/*"))).await;
        let found = call(&local, Service::Iam, "GetPolicy", json!({"PolicyArn": policy})).await.unwrap();
        assert_eq!(found["Policy"]["DefaultVersionId"], format!("v{number}"));
    }
    let input = json!({"PolicyArn": policy, "VersionId": "v7"});
    let version = call(&local, Service::Iam, "GetPolicyVersion", input).await.unwrap();
    assert!(version.to_string().contains("payloads%2D7"), "{version}");

    // Without a bucket there is no policy.
    deployed(&local, "UPDATE", values(&[])).await;
    assert_eq!(attached(&local, &executor).await.len(), 1);
    let gone = call(&local, Service::Iam, "GetPolicy", json!({"PolicyArn": policy})).await.unwrap_err();
    assert_eq!(gone.code, "NoSuchEntity");

    call(&local, Service::CloudFormation, "DeleteStack", json!({"StackName": "theirs"})).await.unwrap();
    let ended = settled(&local, stack["StackId"].as_str().unwrap()).await;
    assert_eq!(ended["StackStatus"], "DELETE_COMPLETE");
    let functions = call(&local, Service::Lambda, "ListFunctions", json!({})).await.unwrap();
    assert_eq!(functions["Functions"], json!([]));
    call(&local, Service::Lambda, "GetLayerVersionByArn", json!({"Arn": layer}))
        .await
        .expect("the layer is retained");
}

/// What aws-cdk-lib synthesizes for a function with a layer, and adds by default: the version of the bootstrap stack, the
/// rule about it, and the metadata.
fn synthesized() -> Value {
    let regions: Value = ["af-south-1", "eu-west-1", "us-east-1"]
        .iter()
        .map(|region| json!({"Fn::Equals": [{"Ref": "AWS::Region"}, region]}))
        .collect();
    json!({
        "Resources": {
            "Layer3E2B5C6D": {"Type": "AWS::Lambda::LayerVersion", "Properties": {
                "CompatibleRuntimes": ["nodejs20.x"], "Content": {"S3Bucket": "assets", "S3Key": "layer"},
            }},
            "HandlerServiceRoleFCDC14AE": {"Type": "AWS::IAM::Role", "Properties": {
                "AssumeRolePolicyDocument": trust("lambda.amazonaws.com"),
                "ManagedPolicyArns": [{"Fn::Join": ["", [
                    "arn:", {"Ref": "AWS::Partition"}, ":iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
                ]]}],
            }},
            "SharedPolicy9C1D0F4E": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {
                "Description": "", "Path": "/", "PolicyDocument": allow("s3:ListAllMyBuckets", json!("*")),
                "Roles": [{"Ref": "HandlerServiceRoleFCDC14AE"}],
            }},
            "Handler886CB40B": {
                "Type": "AWS::Lambda::Function", "DependsOn": ["HandlerServiceRoleFCDC14AE"],
                "Properties": {
                    "Code": {"S3Bucket": "assets", "S3Key": "lambda"}, "Handler": "index.handler",
                    "Layers": [{"Ref": "Layer3E2B5C6D"}],
                    "Role": {"Fn::GetAtt": ["HandlerServiceRoleFCDC14AE", "Arn"]}, "Runtime": "nodejs20.x",
                },
            },
            "CDKMetadata": {
                "Type": "AWS::CDK::Metadata", "Condition": "CDKMetadataAvailable",
                "Properties": {"Analytics": "v2:deflate64:H4sIAAAAAAAA"},
                "Metadata": {"aws:cdk:path": "theirs/CDKMetadata/Default"},
            },
        },
        "Conditions": {"CDKMetadataAvailable": {"Fn::Or": [{"Fn::Or": regions}, {"Fn::Or": regions}]}},
        "Parameters": {"BootstrapVersion": {
            "Type": "AWS::SSM::Parameter::Value<String>", "Default": "/cdk-bootstrap/hnb659fds/version",
        }},
        "Rules": {"CheckBootstrapVersion": {"Assertions": [{
            "Assert": {"Fn::Not": [{"Fn::Contains": [["1", "2", "3", "4", "5"], {"Ref": "BootstrapVersion"}]}]},
            "AssertDescription": "bootstrap stack version 6 required",
        }]}},
    })
}

#[tokio::test]
async fn what_the_cdk_synthesizes_is_deployed_as_it_is() {
    let local = with_code("lambda").await;
    put(&local, "layer", &zipped("layer")).await;
    put(&local, "template.json", synthesized().to_string().as_bytes()).await;
    let refused = async || {
        let set = change_set("CREATE", json!([]));
        call(&local, Service::CloudFormation, "CreateChangeSet", set).await.unwrap_err()
    };
    let error = refused().await;
    assert_eq!((error.status, error.code.as_str()), (400, "ValidationError"));
    assert_eq!(
        error.message,
        "Unable to fetch parameters [/cdk-bootstrap/hnb659fds/version] from parameter store for this account."
    );
    let version = |value: &str| json!({"Name": "/cdk-bootstrap/hnb659fds/version", "Type": "String", "Value": value, "Overwrite": true});
    call(&local, Service::Ssm, "PutParameter", version("5")).await.unwrap();
    let error = refused().await;
    assert!(error.message.contains("CheckBootstrapVersion: bootstrap stack version 6 required"), "{error}");

    call(&local, Service::Ssm, "PutParameter", version("30")).await.unwrap();
    let stack = deployed(&local, "CREATE", json!([])).await;
    assert_eq!(
        stack["Parameters"],
        json!([{
            "ParameterKey": "BootstrapVersion", "ParameterValue": "/cdk-bootstrap/hnb659fds/version",
            "ResolvedValue": "30",
        }])
    );
    let layer = physical(&local, "Layer3E2B5C6D").await;
    assert!(layer.ends_with(":layer:Layer3E2B5C6D:1"), "{layer}");
    assert_eq!(physical(&local, "CDKMetadata").await.len(), 36);
    let function = physical(&local, "Handler886CB40B").await;
    let policy = physical(&local, "SharedPolicy9C1D0F4E").await;
    assert!(attached(&local, &function).await.contains(&json!(policy)));

    let mut changed = synthesized();
    changed["Resources"]["CDKMetadata"]["Properties"]["Analytics"] = "v2:deflate64:H4sIBBBBBBBB".into();
    changed["Resources"]["Layer3E2B5C6D"]["Properties"]["Description"] = "another version".into();
    changed["Resources"]["SharedPolicy9C1D0F4E"]["Properties"]["Roles"] = json!([]);
    put(&local, "template.json", changed.to_string().as_bytes()).await;
    let metadata = physical(&local, "CDKMetadata").await;
    deployed(&local, "UPDATE", json!([])).await;
    assert_eq!(physical(&local, "CDKMetadata").await, metadata);
    assert!(physical(&local, "Layer3E2B5C6D").await.ends_with(":layer:Layer3E2B5C6D:2"));
    assert_eq!(attached(&local, &function).await.len(), 1);
    let replaced =
        call(&local, Service::Lambda, "GetLayerVersionByArn", json!({"Arn": layer})).await.unwrap_err();
    assert_eq!(replaced.status, 404);

    call(&local, Service::CloudFormation, "DeleteStack", json!({"StackName": "theirs"})).await.unwrap();
    let ended = settled(&local, stack["StackId"].as_str().unwrap()).await;
    assert_eq!(
        ended["StackStatus"],
        "DELETE_COMPLETE",
        "{:#?}",
        failures(&local, ended["StackId"].as_str().unwrap()).await
    );
    let gone = call(&local, Service::Iam, "GetPolicy", json!({"PolicyArn": policy})).await.unwrap_err();
    assert_eq!(gone.code, "NoSuchEntity");
}
