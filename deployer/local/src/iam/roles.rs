//! Roles: their records and the operations on them.

use std::collections::BTreeMap;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::managed;
use super::policy::{Kind, Policy};
use crate::params::Params;
use crate::store::{Records, Store};
use crate::{ACCOUNT, ApiError, ids};

const KIND: &str = "iam-role";
/// AWS's quota for all inline policies of a role together, in characters that are not white space.
const INLINE_QUOTA: usize = 10_240;
const NAME: &str = "+=,.@-_";

/// A role.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Role {
    name: String,
    path: String,
    id: String,
    pub arn: String,
    created: String,
    description: Option<String>,
    max_session: i64,
    pub trust: Value,
    pub tags: BTreeMap<String, String>,
    inline: BTreeMap<String, Value>,
    attached: Vec<String>,
    pub boundary: Option<String>,
}

impl Role {
    /// The role of an ARN.
    pub fn by_arn(store: &Store, arn: &str) -> Option<Self> {
        let name = arn.rsplit('/').next()?;
        store.get::<Self>(KIND, name).filter(|role| role.arn == arn)
    }

    /// The documents that say what the role may do.
    pub fn documents(&self, store: &Store) -> Vec<Value> {
        let attached = self.attached.iter().filter_map(|arn| managed::document(store, arn));
        self.inline.values().cloned().chain(attached).collect()
    }

    /// The longest session of the role, in seconds.
    pub fn max_session(&self) -> i64 {
        self.max_session
    }

    /// The id in the session's user id.
    pub fn id(&self) -> &str {
        &self.id
    }

    fn describe(&self) -> Value {
        let mut role = json!({
            "Path": self.path,
            "RoleName": self.name,
            "RoleId": self.id,
            "Arn": self.arn,
            "CreateDate": self.created,
            "AssumeRolePolicyDocument": encoded(&self.trust),
            "Description": self.description,
            "MaxSessionDuration": self.max_session,
            "RoleLastUsed": {},
        });
        if let Some(boundary) = &self.boundary {
            role["PermissionsBoundary"] = json!({"PermissionsBoundaryType": "PermissionsBoundaryPolicy", "PermissionsBoundaryArn": boundary});
        }
        if !self.tags.is_empty() {
            role["Tags"] = described(&self.tags);
        }
        role
    }
}

/// The error that there is no such role.
pub fn missing(role: &str) -> ApiError {
    let name = role.rsplit('/').next().unwrap_or(role);
    ApiError::new(404, "NoSuchEntity", format!("The role with name {name} cannot be found."))
}

/// A document as IAM's answers carry it: percent-encoded JSON.
pub fn encoded(document: &Value) -> String {
    utf8_percent_encode(&document.to_string(), NON_ALPHANUMERIC).to_string()
}

/// Performs an operation, when it is one on roles.
pub fn call(store: &Store, operation: &str, input: &Value) -> Option<Result<Value, ApiError>> {
    let params = Params::new(input, "ValidationError");
    Some(match operation {
        "CreateRole" => create(store, params),
        "GetRole" => read(store, params, |role| Ok(json!({"Role": role.describe()}))),
        "ListRoles" => list(store, params),
        "UpdateRole" => change(store, params, |role, _| {
            if let Some(seconds) = params.number("MaxSessionDuration", 3600..=43_200)? {
                role.max_session = seconds;
            }
            if let Some(description) = params.optional_text("Description")? {
                role.description = Some(description.to_owned());
            }
            Ok(json!({}))
        }),
        "UpdateRoleDescription" => change(store, params, |role, _| {
            role.description = params.optional_text("Description")?.map(str::to_owned);
            Ok(json!({"Role": role.describe()}))
        }),
        "UpdateAssumeRolePolicy" => change(store, params, |role, _| {
            role.trust = trust(params, "PolicyDocument")?;
            Ok(json!({}))
        }),
        "DeleteRole" => delete(store, params),
        "PutRolePolicy" => put_policy(store, params),
        "GetRolePolicy" => read(store, params, |role| {
            let name = params.text("PolicyName")?;
            let document = role.inline.get(name).ok_or_else(|| missing_policy(name))?;
            Ok(json!({"RoleName": role.name, "PolicyName": name, "PolicyDocument": encoded(document)}))
        }),
        "ListRolePolicies" => read(store, params, |role| {
            Ok(json!({"PolicyNames": role.inline.keys().collect::<Vec<_>>(), "IsTruncated": false}))
        }),
        "DeleteRolePolicy" => change(store, params, |role, _| {
            let name = params.text("PolicyName")?;
            role.inline.remove(name).map(|_| json!({})).ok_or_else(|| missing_policy(name))
        }),
        "AttachRolePolicy" => change(store, params, |role, records| {
            let arn = params.text("PolicyArn")?;
            managed::document_in(records, arn).ok_or_else(|| managed::missing(arn))?;
            if !role.attached.iter().any(|a| a == arn) {
                role.attached.push(arn.to_owned());
            }
            Ok(json!({}))
        }),
        "DetachRolePolicy" => change(store, params, |role, _| {
            let arn = params.text("PolicyArn")?;
            let at = role.attached.iter().position(|a| a == arn).ok_or_else(|| managed::missing(arn))?;
            role.attached.remove(at);
            Ok(json!({}))
        }),
        "ListAttachedRolePolicies" => read(store, params, |role| {
            let describe = |arn: &String| json!({"PolicyName": arn.rsplit('/').next(), "PolicyArn": arn});
            Ok(json!({
                "AttachedPolicies": role.attached.iter().map(describe).collect::<Vec<_>>(),
                "IsTruncated": false,
            }))
        }),
        "PutRolePermissionsBoundary" => change(store, params, |role, records| {
            let arn = params.text("PermissionsBoundary")?;
            managed::document_in(records, arn).ok_or_else(|| managed::missing(arn))?;
            role.boundary = Some(arn.to_owned());
            Ok(json!({}))
        }),
        "DeleteRolePermissionsBoundary" => change(store, params, |role, _| {
            role.boundary = None;
            Ok(json!({}))
        }),
        "TagRole" => change(store, params, |role, _| {
            role.tags.extend(params.tags("Tags")?);
            Ok(json!({}))
        }),
        "UntagRole" => change(store, params, |role, _| {
            for key in params.texts("TagKeys")? {
                role.tags.remove(key);
            }
            Ok(json!({}))
        }),
        "ListRoleTags" => {
            read(store, params, |role| Ok(json!({"Tags": described(&role.tags), "IsTruncated": false})))
        }
        "ListInstanceProfilesForRole" => {
            read(store, params, |_| Ok(json!({"InstanceProfiles": [], "IsTruncated": false})))
        }
        _ => return None,
    })
}

fn create(store: &Store, params: Params<'_>) -> Result<Value, ApiError> {
    let name = params.name("RoleName", 64, NAME)?;
    let path = path(params)?;
    let role = Role {
        name: name.to_owned(),
        id: format!("AROA{}", ids::upper(17)),
        arn: format!("arn:aws:iam::{ACCOUNT}:role{path}{name}"),
        path,
        created: now(),
        description: params.optional_text("Description")?.map(str::to_owned),
        max_session: params.number("MaxSessionDuration", 3600..=43_200)?.unwrap_or(3600),
        trust: trust(params, "AssumeRolePolicyDocument")?,
        tags: params.tags("Tags")?.into_iter().collect(),
        inline: BTreeMap::new(),
        attached: Vec::new(),
        boundary: params.optional_text("PermissionsBoundary")?.map(str::to_owned),
    };
    store.transaction(|records| {
        if records.get::<Value>(KIND, name).is_some() {
            return Err(ApiError::new(
                409,
                "EntityAlreadyExists",
                format!("Role with name {name} already exists."),
            ));
        }
        if let Some(boundary) = &role.boundary {
            managed::document_in(records, boundary).ok_or_else(|| managed::missing(boundary))?;
        }
        records.put(KIND, name, &role);
        Ok(json!({"Role": role.describe()}))
    })
}

fn list(store: &Store, params: Params<'_>) -> Result<Value, ApiError> {
    let prefix = params.optional_text("PathPrefix")?.unwrap_or("/");
    let most = usize::try_from(params.number("MaxItems", 1..=1000)?.unwrap_or(100)).unwrap_or(100);
    let page: Vec<(String, Role)> = store.range(KIND, "", params.optional_text("Marker")?, usize::MAX);
    let mut roles: Vec<Role> =
        page.into_iter().map(|(_, r)| r).filter(|r| r.path.starts_with(prefix)).collect();
    let more = roles.len() > most;
    roles.truncate(most);
    let mut answer = json!({
        "Roles": roles.iter().map(Role::describe).collect::<Vec<_>>(),
        "IsTruncated": more,
    });
    if let Some(last) = roles.last().filter(|_| more) {
        answer["Marker"] = json!(last.name);
    }
    Ok(answer)
}

fn delete(store: &Store, params: Params<'_>) -> Result<Value, ApiError> {
    let name = params.text("RoleName")?;
    store.transaction(|records| {
        let role: Role = records.get(KIND, name).ok_or_else(|| missing(name))?;
        let conflict = |what| {
            Err(ApiError::new(409, "DeleteConflict", format!("Cannot delete entity, must {what} first.")))
        };
        if !role.attached.is_empty() {
            return conflict("detach all policies");
        }
        if !role.inline.is_empty() {
            return conflict("delete policies");
        }
        records.delete(KIND, name);
        Ok(json!({}))
    })
}

fn put_policy(store: &Store, params: Params<'_>) -> Result<Value, ApiError> {
    let name = params.name("PolicyName", 128, NAME)?;
    let document = checked(params, "PolicyDocument", Kind::Identity)?;
    change(store, params, |role, _| {
        role.inline.insert(name.to_owned(), document.clone());
        let size: usize = role.inline.values().map(|d| d.to_string().len()).sum();
        if size > INLINE_QUOTA {
            let message =
                format!("Maximum policy size of {INLINE_QUOTA} bytes exceeded for role {}", role.name);
            return Err(ApiError::new(409, "LimitExceeded", message));
        }
        Ok(json!({}))
    })
}

fn read(
    store: &Store,
    params: Params<'_>,
    answer: impl FnOnce(Role) -> Result<Value, ApiError>,
) -> Result<Value, ApiError> {
    let name = params.text("RoleName")?;
    answer(store.get(KIND, name).ok_or_else(|| missing(name))?)
}

fn change(
    store: &Store,
    params: Params<'_>,
    change: impl FnOnce(&mut Role, &Records<'_>) -> Result<Value, ApiError>,
) -> Result<Value, ApiError> {
    let name = params.text("RoleName")?;
    store.transaction(|records| {
        let mut role: Role = records.get(KIND, name).ok_or_else(|| missing(name))?;
        let answer = change(&mut role, records)?;
        records.put(KIND, name, &role);
        Ok(answer)
    })
}

/// Whether any role has the policy attached or as its boundary.
pub fn uses(records: &Records<'_>, policy: &str) -> bool {
    let roles: Vec<(String, Role)> = records.range(KIND, "", None, usize::MAX);
    roles.iter().any(|(_, r)| r.attached.iter().any(|a| a == policy) || r.boundary.as_deref() == Some(policy))
}

fn trust(params: Params<'_>, member: &str) -> Result<Value, ApiError> {
    checked(params, member, Kind::Trust)
}

/// A policy document that is one.
pub fn checked(params: Params<'_>, member: &str, kind: Kind) -> Result<Value, ApiError> {
    let malformed = |message: String| ApiError::new(400, "MalformedPolicyDocument", message);
    let document = params.document(member).map_err(|e| malformed(e.message))?;
    Policy::parse(&document, kind).map_err(malformed)?;
    Ok(document)
}

/// A role's or policy's path.
pub fn path(params: Params<'_>) -> Result<String, ApiError> {
    match params.optional_text("Path")? {
        None => Ok("/".to_owned()),
        Some(path) if path.starts_with('/') && path.ends_with('/') && path.len() <= 512 => {
            Ok(path.to_owned())
        }
        Some(path) => Err(params.invalid(format!("'Path' must begin and end with /, not \"{path}\""))),
    }
}

/// Now, as IAM writes times.
pub fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn missing_policy(name: &str) -> ApiError {
    ApiError::new(404, "NoSuchEntity", format!("The role policy with name {name} cannot be found."))
}

fn described(tags: &BTreeMap<String, String>) -> Value {
    tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}
