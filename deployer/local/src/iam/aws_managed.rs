//! The managed policies of AWS that roles of Lambda functions and state machines use, with their content.

use serde_json::{Value, json};

/// How the ARNs of AWS's own policies begin.
pub const PREFIX: &str = "arn:aws:iam::aws:policy/";

/// The document of one of AWS's policies.
pub fn document(arn: &str) -> Option<Value> {
    let write_logs = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"];
    let allow = |actions: &[&str], resource: &str| json!({"Effect": "Allow", "Action": actions, "Resource": resource});
    let statements = match arn.strip_prefix(PREFIX)? {
        "AdministratorAccess" => vec![allow(&["*"], "*")],
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
