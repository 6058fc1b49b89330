//! Managed policies: the account's own, and those of AWS that roles of Lambda functions and state machines use.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::policy::Kind;
use super::roles::{self, checked, encoded, now};
use crate::params::Params;
use crate::store::{Records, Store};
use crate::{ACCOUNT, ApiError, ids};

const KIND: &str = "iam-policy";
const AWS: &str = "arn:aws:iam::aws:policy/";
const MOST_VERSIONS: usize = 5;

#[derive(Debug, Serialize, Deserialize)]
struct Managed {
    name: String,
    path: String,
    id: String,
    arn: String,
    description: Option<String>,
    created: String,
    updated: String,
    default: u32,
    versions: BTreeMap<u32, Version>,
    tags: BTreeMap<String, String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Version {
    document: Value,
    created: String,
}

impl Managed {
    fn describe(&self) -> Value {
        json!({
            "PolicyName": self.name,
            "PolicyId": self.id,
            "Arn": self.arn,
            "Path": self.path,
            "DefaultVersionId": format!("v{}", self.default),
            "AttachmentCount": 0,
            "IsAttachable": true,
            "Description": self.description,
            "CreateDate": self.created,
            "UpdateDate": self.updated,
        })
    }

    fn describe_version(&self, id: u32) -> Option<Value> {
        let version = self.versions.get(&id)?;
        Some(json!({
            "Document": encoded(&version.document),
            "VersionId": format!("v{id}"),
            "IsDefaultVersion": id == self.default,
            "CreateDate": version.created,
        }))
    }
}

/// The document of a managed policy in force.
pub fn document(store: &Store, arn: &str) -> Option<Value> {
    by_aws(arn).or_else(|| store.get::<Managed>(KIND, arn).and_then(in_force))
}

/// [`document`] inside a transaction.
pub fn document_in(records: &Records<'_>, arn: &str) -> Option<Value> {
    by_aws(arn).or_else(|| records.get::<Managed>(KIND, arn).and_then(in_force))
}

fn in_force(mut policy: Managed) -> Option<Value> {
    policy.versions.remove(&policy.default).map(|version| version.document)
}

/// The error that there is no such policy.
pub fn missing(arn: &str) -> ApiError {
    let message = if arn.starts_with(AWS) {
        format!(
            "Policy {arn} does not exist or is not attachable. The local endpoint knows the managed policies of Lambda roles; put another one's content into an inline policy."
        )
    } else {
        format!("Policy {arn} does not exist or is not attachable.")
    };
    ApiError::new(404, "NoSuchEntity", message)
}

/// Performs an operation, when it is one on managed policies.
pub fn call(store: &Store, operation: &str, input: &Value) -> Option<Result<Value, ApiError>> {
    let params = Params::new(input, "ValidationError");
    Some(match operation {
        "CreatePolicy" => create(store, params),
        "GetPolicy" => read(store, params, |policy| Ok(json!({"Policy": policy.describe()}))),
        "GetPolicyVersion" => read(store, params, |policy| {
            let version = policy.describe_version(version(params)?).ok_or_else(|| missing(&policy.arn))?;
            Ok(json!({"PolicyVersion": version}))
        }),
        "ListPolicyVersions" => read(store, params, |policy| {
            let versions: Vec<_> =
                policy.versions.keys().filter_map(|id| policy.describe_version(*id)).collect();
            Ok(json!({"Versions": versions, "IsTruncated": false}))
        }),
        "CreatePolicyVersion" => create_version(store, params),
        "DeletePolicyVersion" => delete_version(store, params),
        "ListPolicies" => {
            let policies: Vec<(String, Managed)> = store.list(KIND);
            let policies: Vec<_> = policies.iter().map(|(_, policy)| policy.describe()).collect();
            Ok(json!({"Policies": policies, "IsTruncated": false}))
        }
        "DeletePolicy" => delete(store, params),
        _ => return None,
    })
}

fn create(store: &Store, params: Params<'_>) -> Result<Value, ApiError> {
    let name = params.name("PolicyName", 128, "+=,.@-_")?;
    let path = roles::path(params)?;
    let arn = format!("arn:aws:iam::{ACCOUNT}:policy{path}{name}");
    let version = Version { document: checked(params, "PolicyDocument", Kind::Identity)?, created: now() };
    let policy = Managed {
        name: name.to_owned(),
        path,
        id: format!("ANPA{}", ids::upper(17)),
        arn: arn.clone(),
        description: params.optional_text("Description")?.map(str::to_owned),
        created: now(),
        updated: now(),
        default: 1,
        versions: BTreeMap::from([(1, version)]),
        tags: params.tags("Tags")?.into_iter().collect(),
    };
    store.transaction(|records| {
        if records.get::<Value>(KIND, &arn).is_some() {
            let message = format!("A policy called {name} already exists. Duplicate names are not allowed.");
            return Err(ApiError::new(409, "EntityAlreadyExists", message));
        }
        records.put(KIND, &arn, &policy);
        Ok(json!({"Policy": policy.describe()}))
    })
}

fn create_version(store: &Store, params: Params<'_>) -> Result<Value, ApiError> {
    let arn = params.text("PolicyArn")?;
    let document = checked(params, "PolicyDocument", Kind::Identity)?;
    let default = params.flag("SetAsDefault")?;
    store.transaction(|records| {
        let mut policy: Managed = records.get(KIND, arn).ok_or_else(|| missing(arn))?;
        if policy.versions.len() >= MOST_VERSIONS {
            let message = "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.";
            return Err(ApiError::new(409, "LimitExceeded", message));
        }
        let id = policy.versions.keys().last().copied().unwrap_or(0) + 1;
        policy.versions.insert(id, Version { document, created: now() });
        policy.updated = now();
        if default {
            policy.default = id;
        }
        records.put(KIND, arn, &policy);
        Ok(json!({"PolicyVersion": policy.describe_version(id)}))
    })
}

fn delete_version(store: &Store, params: Params<'_>) -> Result<Value, ApiError> {
    let (arn, id) = (params.text("PolicyArn")?, version(params)?);
    store.transaction(|records| {
        let mut policy: Managed = records.get(KIND, arn).ok_or_else(|| missing(arn))?;
        if id == policy.default {
            return Err(ApiError::new(
                409,
                "DeleteConflict",
                "Cannot delete the default version of a policy.",
            ));
        }
        policy.versions.remove(&id).ok_or_else(|| missing(arn))?;
        records.put(KIND, arn, &policy);
        Ok(json!({}))
    })
}

fn delete(store: &Store, params: Params<'_>) -> Result<Value, ApiError> {
    let arn = params.text("PolicyArn")?;
    store.transaction(|records| {
        let policy: Managed = records.get(KIND, arn).ok_or_else(|| missing(arn))?;
        if roles::uses(records, arn) {
            return Err(ApiError::new(409, "DeleteConflict", "Cannot delete a policy attached to entities."));
        }
        if policy.versions.len() > 1 {
            let message = "This policy has more than one version. Before you delete a policy, you must delete the policy's versions.";
            return Err(ApiError::new(409, "DeleteConflict", message));
        }
        records.delete(KIND, arn);
        Ok(json!({}))
    })
}

fn read(
    store: &Store,
    params: Params<'_>,
    answer: impl FnOnce(Managed) -> Result<Value, ApiError>,
) -> Result<Value, ApiError> {
    let arn = params.text("PolicyArn")?;
    let of_aws = |document| Managed {
        name: arn.rsplit('/').next().unwrap_or(arn).to_owned(),
        path: arn
            .strip_prefix(AWS)
            .and_then(|p| p.split_once('/'))
            .map_or("/".to_owned(), |(p, _)| format!("/{p}/")),
        id: "ANPALOCALAWSMANAGED00".to_owned(),
        arn: arn.to_owned(),
        description: None,
        created: "2015-02-06T18:41:00Z".to_owned(),
        updated: "2015-02-06T18:41:00Z".to_owned(),
        default: 1,
        versions: BTreeMap::from([(1, Version { document, created: "2015-02-06T18:41:00Z".to_owned() })]),
        tags: BTreeMap::new(),
    };
    answer(by_aws(arn).map(of_aws).or_else(|| store.get(KIND, arn)).ok_or_else(|| missing(arn))?)
}

fn version(params: Params<'_>) -> Result<u32, ApiError> {
    let id = params.text("VersionId")?;
    let number = id.strip_prefix('v').and_then(|n| n.parse().ok());
    number.ok_or_else(|| params.invalid(format!("'VersionId' must be like v1, not \"{id}\"")))
}

fn by_aws(arn: &str) -> Option<Value> {
    let write_logs = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"];
    let allow = |actions: &[&str], resource: &str| json!({"Effect": "Allow", "Action": actions, "Resource": resource});
    let statements = match arn.strip_prefix(AWS)? {
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
