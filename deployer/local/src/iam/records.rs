//! What is kept of roles and of the account's managed policies.

use std::collections::BTreeMap;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::aws_managed;
use crate::ApiError;
use crate::store::{Records, Store};

/// The kind of [`Role`]'s records, by name.
pub const ROLE: &str = "iam-role";
/// The kind of [`Managed`]'s records, by ARN.
pub const POLICY: &str = "iam-policy";

/// A role.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Role {
    pub name: String,
    pub path: String,
    pub id: String,
    pub arn: String,
    pub created: String,
    pub description: Option<String>,
    pub max_session: i64,
    pub trust: Value,
    pub tags: BTreeMap<String, String>,
    pub inline: BTreeMap<String, Value>,
    pub attached: Vec<String>,
    pub boundary: Option<String>,
}

impl Role {
    /// The role of an ARN.
    pub fn by_arn(store: &Store, arn: &str) -> Option<Self> {
        let name = arn.rsplit('/').next()?;
        store.get::<Self>(ROLE, name).filter(|role| role.arn == arn)
    }

    /// The documents that say what the role may do.
    pub fn documents(&self, store: &Store) -> Vec<Value> {
        let attached = self.attached.iter().filter_map(|arn| document(store, arn));
        self.inline.values().cloned().chain(attached).collect()
    }

    /// What CreateRole answers.
    pub fn made(&self) -> Value {
        let mut role = self.listed();
        if let Some(role) = role.as_object_mut() {
            role.remove("MaxSessionDuration");
        }
        self.add_to(&mut role);
        role
    }

    /// What ListRoles has of it.
    pub fn listed(&self) -> Value {
        json!({
            "Path": self.path,
            "RoleName": self.name,
            "RoleId": self.id,
            "Arn": self.arn,
            "CreateDate": self.created,
            "AssumeRolePolicyDocument": encoded(&self.trust),
            "Description": self.description,
            "MaxSessionDuration": self.max_session,
        })
    }

    /// All of it, as GetRole answers.
    pub fn describe(&self) -> Value {
        let mut role = self.listed();
        role["RoleLastUsed"] = json!({});
        self.add_to(&mut role);
        role
    }

    /// Boundary and tags, where there are any.
    fn add_to(&self, role: &mut Value) {
        if let Some(boundary) = &self.boundary {
            role["PermissionsBoundary"] = json!({"PermissionsBoundaryType": "PermissionsBoundaryPolicy", "PermissionsBoundaryArn": boundary});
        }
        if !self.tags.is_empty() {
            role["Tags"] = described(&self.tags);
        }
    }
}

/// The error that there is no such role.
pub fn no_role(role: &str) -> ApiError {
    let name = role.rsplit('/').next().unwrap_or(role);
    ApiError::new(404, "NoSuchEntity", format!("The role with name {name} cannot be found."))
}

/// A managed policy of the account.
#[derive(Debug, Serialize, Deserialize)]
pub struct Managed {
    pub name: String,
    pub path: String,
    pub id: String,
    pub arn: String,
    pub description: Option<String>,
    pub created: String,
    pub updated: String,
    pub default: u32,
    pub versions: BTreeMap<u32, Version>,
    pub tags: BTreeMap<String, String>,
}

/// A version of a managed policy.
#[derive(Debug, Serialize, Deserialize)]
pub struct Version {
    pub document: Value,
    pub created: String,
}

impl Managed {
    /// With those of the roles that have it attached or as their boundary.
    pub fn describe(&self, roles: &[(String, Role)]) -> Value {
        let attached = roles.iter().filter(|(_, role)| role.attached.contains(&self.arn)).count();
        let bounded = roles.iter().filter(|(_, role)| role.boundary.as_ref() == Some(&self.arn)).count();
        json!({
            "PolicyName": self.name,
            "PolicyId": self.id,
            "Arn": self.arn,
            "Path": self.path,
            "DefaultVersionId": format!("v{}", self.default),
            "AttachmentCount": attached,
            "PermissionsBoundaryUsageCount": bounded,
            "IsAttachable": true,
            "Description": self.description,
            "CreateDate": self.created,
            "UpdateDate": self.updated,
        })
    }

    pub fn describe_version(&self, id: u32) -> Option<Value> {
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
    aws_managed::document(arn).or_else(|| store.get::<Managed>(POLICY, arn).and_then(in_force))
}

/// [`document`] inside a transaction.
pub fn document_in(records: &Records<'_>, arn: &str) -> Option<Value> {
    aws_managed::document(arn).or_else(|| records.get::<Managed>(POLICY, arn).and_then(in_force))
}

fn in_force(mut policy: Managed) -> Option<Value> {
    policy.versions.remove(&policy.default).map(|version| version.document)
}

/// The error that there is no such policy to read or to change.
pub fn not_found(arn: &str) -> ApiError {
    ApiError::new(404, "NoSuchEntity", format!("Policy {arn} was not found."))
}

/// The error that there is no such policy to attach.
pub fn no_policy(arn: &str) -> ApiError {
    let message = if arn.starts_with(aws_managed::PREFIX) {
        format!(
            "Policy {arn} does not exist or is not attachable. The local endpoint knows the managed policies of Lambda roles; put another one's content into an inline policy."
        )
    } else {
        format!("Policy {arn} does not exist or is not attachable.")
    };
    ApiError::new(404, "NoSuchEntity", message)
}

/// Whether any role has the policy attached or as its boundary.
pub fn uses(records: &Records<'_>, policy: &str) -> bool {
    let roles: Vec<(String, Role)> = records.range(ROLE, "", None, usize::MAX);
    roles.iter().any(|(_, r)| r.attached.iter().any(|a| a == policy) || r.boundary.as_deref() == Some(policy))
}

/// Now, as IAM writes times.
pub fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A document as IAM's answers carry it: percent-encoded JSON.
pub fn encoded(document: &Value) -> String {
    utf8_percent_encode(&document.to_string(), NON_ALPHANUMERIC).to_string()
}

/// Tags as answers carry them.
pub fn described(tags: &BTreeMap<String, String>) -> Value {
    tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}
