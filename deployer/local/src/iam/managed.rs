//! The operations on managed policies.

use std::collections::BTreeMap;

use policy::Kind;
use serde_json::{Value, json};

use super::records::{self, Managed, POLICY, ROLE, Role, Version, not_found, now};
use super::{aws_managed, given};
use crate::params::Params;
use crate::store::Store;
use crate::{ApiError, Aws, Result, ids};

const MOST_VERSIONS: usize = 5;

/// Performs an operation, when it is one on managed policies.
pub fn call(aws: &Aws, operation: &str, input: &Value) -> Option<Result<Value>> {
    let store = &aws.store;
    let params = Params::new(input, "ValidationError");
    Some(match operation {
        "CreatePolicy" => create(aws, params),
        "GetPolicy" => {
            read(store, params, |policy| Ok(json!({"Policy": policy.describe(&store.list(ROLE))})))
        }
        "GetPolicyVersion" => read(store, params, |policy| {
            let version = policy.describe_version(version(params)?).ok_or_else(|| not_found(&policy.arn))?;
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
            let policies: Vec<(String, Managed)> = store.list(POLICY);
            let roles: Vec<(String, Role)> = store.list(ROLE);
            let describe = |(_, policy): &(String, Managed)| policy.describe(&roles);
            let policies: Vec<_> = policies.iter().map(describe).collect();
            Ok(json!({"Policies": policies, "IsTruncated": false}))
        }
        "DeletePolicy" => delete(store, params),
        _ => return None,
    })
}

/// The ARN of a managed policy of the account.
pub fn arn(aws: &Aws, path: &str, name: &str) -> String {
    format!("arn:aws:iam::{}:policy{path}{name}", aws.settings.account)
}

fn create(aws: &Aws, params: Params<'_>) -> Result<Value> {
    let name = params.name("PolicyName", 128, given::NAME)?;
    let path = given::path(params)?;
    let arn = arn(aws, &path, name);
    let version =
        Version { document: given::document(params, "PolicyDocument", Kind::Identity)?, created: now() };
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
    aws.store.transaction(|records| {
        if records.get::<Value>(POLICY, &arn).is_some() {
            let message = format!("A policy called {name} already exists. Duplicate names are not allowed.");
            return Err(ApiError::new(409, "EntityAlreadyExists", message));
        }
        records.put(POLICY, &arn, &policy);
        Ok(json!({"Policy": policy.describe(&[])}))
    })
}

fn create_version(store: &Store, params: Params<'_>) -> Result<Value> {
    let arn = params.text("PolicyArn")?;
    let document = given::document(params, "PolicyDocument", Kind::Identity)?;
    let default = params.flag("SetAsDefault")?;
    store.transaction(|records| {
        let mut policy: Managed = records.get(POLICY, arn).ok_or_else(|| not_found(arn))?;
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
        records.put(POLICY, arn, &policy);
        Ok(json!({"PolicyVersion": policy.describe_version(id)}))
    })
}

fn delete_version(store: &Store, params: Params<'_>) -> Result<Value> {
    let (arn, id) = (params.text("PolicyArn")?, version(params)?);
    store.transaction(|records| {
        let mut policy: Managed = records.get(POLICY, arn).ok_or_else(|| not_found(arn))?;
        if id == policy.default {
            return Err(ApiError::new(
                409,
                "DeleteConflict",
                "Cannot delete the default version of a policy.",
            ));
        }
        policy.versions.remove(&id).ok_or_else(|| not_found(arn))?;
        records.put(POLICY, arn, &policy);
        Ok(json!({}))
    })
}

fn delete(store: &Store, params: Params<'_>) -> Result<Value> {
    let arn = params.text("PolicyArn")?;
    store.transaction(|records| {
        let policy: Managed = records.get(POLICY, arn).ok_or_else(|| not_found(arn))?;
        if records::uses(records, arn) {
            return Err(ApiError::new(409, "DeleteConflict", "Cannot delete a policy attached to entities."));
        }
        if policy.versions.len() > 1 {
            let message = "This policy has more than one version. Before you delete a policy, you must delete the policy's versions.";
            return Err(ApiError::new(409, "DeleteConflict", message));
        }
        records.delete(POLICY, arn);
        Ok(json!({}))
    })
}

fn read(store: &Store, params: Params<'_>, answer: impl FnOnce(Managed) -> Result<Value>) -> Result<Value> {
    let arn = params.text("PolicyArn")?;
    let of_aws = |document| Managed {
        name: arn.rsplit('/').next().unwrap_or(arn).to_owned(),
        path: arn
            .strip_prefix(aws_managed::PREFIX)
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
    answer(
        aws_managed::document(arn)
            .map(of_aws)
            .or_else(|| store.get(POLICY, arn))
            .ok_or_else(|| not_found(arn))?,
    )
}

fn version(params: Params<'_>) -> Result<u32> {
    let id = params.text("VersionId")?;
    let number = id.strip_prefix('v').and_then(|n| n.parse().ok());
    number.ok_or_else(|| params.invalid(format!("'VersionId' must be like v1, not \"{id}\"")))
}
