//! The managed policies of AWS that roles of Lambda functions and state machines use, with their content.

use serde_json::{Value, json};

/// How the ARNs of AWS's own policies begin.
pub const PREFIX: &str = "arn:aws:iam::aws:policy/";

const READ_ONLY: [&str; 45] = [
    "cloudformation:Describe*",
    "cloudformation:Detect*",
    "cloudformation:Estimate*",
    "cloudformation:Get*",
    "cloudformation:List*",
    "cloudformation:ValidateTemplate",
    "cloudfront:Describe*",
    "cloudfront:Get*",
    "cloudfront:List*",
    "cloudwatch:Describe*",
    "cloudwatch:Get*",
    "cloudwatch:List*",
    "ecr:BatchCheck*",
    "ecr:BatchGet*",
    "ecr:Describe*",
    "ecr:Get*",
    "ecr:List*",
    "events:Describe*",
    "events:List*",
    "events:Test*",
    "iam:Generate*",
    "iam:Get*",
    "iam:List*",
    "iam:Simulate*",
    "kms:Describe*",
    "kms:Get*",
    "kms:List*",
    "lambda:Get*",
    "lambda:List*",
    "logs:Describe*",
    "logs:FilterLogEvents",
    "logs:Get*",
    "logs:ListTagsForResource",
    "logs:ListTagsLogGroup",
    "s3:Get*",
    "s3:List*",
    "ssm:Describe*",
    "ssm:Get*",
    "ssm:List*",
    "states:Describe*",
    "states:GetExecutionHistory",
    "states:List*",
    "states:ValidateStateMachineDefinition",
    "sts:GetAccessKeyInfo",
    "sts:GetCallerIdentity",
];

/// The document of one of AWS's policies.
pub fn document(arn: &str) -> Option<Value> {
    let write_logs = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"];
    let allow = |actions: &[&str], resource: &str| json!({"Effect": "Allow", "Action": actions, "Resource": resource});
    let statements = match arn.strip_prefix(PREFIX)? {
        "AdministratorAccess" => vec![allow(&["*"], "*")],
        "AWSCloudFormationReadOnlyAccess" => vec![allow(
            &[
                "cloudformation:Describe*",
                "cloudformation:EstimateTemplateCost",
                "cloudformation:Get*",
                "cloudformation:List*",
                "cloudformation:ValidateTemplate",
                "cloudformation:Detect*",
            ],
            "*",
        )],
        // Of its hundreds of services those that are here.
        "ReadOnlyAccess" => vec![allow(&READ_ONLY, "*")],
        "AWSLambdaExecute" => vec![
            allow(&["logs:*"], "arn:aws:logs:*:*:*"),
            allow(&["s3:GetObject", "s3:PutObject"], "arn:aws:s3:::*"),
        ],
        "AWSXRayDaemonWriteAccess" => vec![allow(
            &[
                "xray:PutTraceSegments",
                "xray:PutTelemetryRecords",
                "xray:GetSamplingRules",
                "xray:GetSamplingTargets",
                "xray:GetSamplingStatisticSummaries",
            ],
            "*",
        )],
        "AmazonS3ReadOnlyAccess" => vec![allow(
            &["s3:Get*", "s3:List*", "s3:Describe*", "s3-object-lambda:Get*", "s3-object-lambda:List*"],
            "*",
        )],
        "service-role/AWSLambdaBasicExecutionRole" => vec![allow(&write_logs, "*")],
        "service-role/AWSLambdaRole" => vec![allow(&["lambda:InvokeFunction"], "*")],
        "service-role/AWSLambdaVPCAccessExecutionRole" => {
            let network = [
                "ec2:CreateNetworkInterface",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeSubnets",
                "ec2:DeleteNetworkInterface",
                "ec2:AssignPrivateIpAddresses",
                "ec2:UnassignPrivateIpAddresses",
            ];
            vec![allow(&[&write_logs[..], &network].concat(), "*")]
        }
        _ => return None,
    };
    Some(json!({"Version": "2012-10-17", "Statement": statements}))
}
