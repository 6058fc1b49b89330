//! The operations on roles.

use std::collections::BTreeMap;

use policy::Kind;
use serde_json::{Value, json};

use super::given;
use super::records::{ROLE, Role, described, document_in, encoded, no_policy, no_role, now};
use crate::params::Params;
use crate::store::{Records, Store};
use crate::{ApiError, Aws, Result, ids};

/// AWS's quota for all inline policies of a role together, in characters that are not white space.
const INLINE_QUOTA: usize = 10_240;

/// Performs an operation, when it is one on roles.
pub fn call(aws: &Aws, operation: &str, input: &Value) -> Option<Result<Value>> {
    let store = &aws.store;
    let params = Params::new(input, "ValidationError");
    Some(match operation {
        "CreateRole" => create(aws, params),
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
        "UpdateAssumeRolePolicy" => change(store, params, |role, _| {
            role.trust = trust(params, "PolicyDocument")?;
            Ok(json!({}))
        }),
        "DeleteRole" => delete(store, params),
        "PutRolePolicy" => put_policy(store, params),
        "GetRolePolicy" => read(store, params, |role| {
            let name = params.text("PolicyName")?;
            let document = role.inline.get(name).ok_or_else(|| no_inline(name))?;
            Ok(json!({"RoleName": role.name, "PolicyName": name, "PolicyDocument": encoded(document)}))
        }),
        "ListRolePolicies" => read(store, params, |role| {
            Ok(json!({"PolicyNames": role.inline.keys().collect::<Vec<_>>(), "IsTruncated": false}))
        }),
        "DeleteRolePolicy" => change(store, params, |role, _| {
            let name = params.text("PolicyName")?;
            role.inline.remove(name).map(|_| json!({})).ok_or_else(|| no_inline(name))
        }),
        "AttachRolePolicy" => change(store, params, |role, records| {
            let arn = given::arn(params)?;
            document_in(records, arn).ok_or_else(|| no_policy(arn))?;
            if !role.attached.iter().any(|a| a == arn) {
                role.attached.push(arn.to_owned());
            }
            Ok(json!({}))
        }),
        "DetachRolePolicy" => change(store, params, |role, _| {
            let arn = given::arn(params)?;
            let at = role.attached.iter().position(|a| a == arn).ok_or_else(|| no_policy(arn))?;
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
            document_in(records, arn).ok_or_else(|| no_policy(arn))?;
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
        _ => return None,
    })
}

fn create(aws: &Aws, params: Params<'_>) -> Result<Value> {
    let name = params.name("RoleName", 64, given::NAME)?;
    let path = given::path(params)?;
    let role = Role {
        name: name.to_owned(),
        id: format!("AROA{}", ids::upper(17)),
        arn: format!("arn:aws:iam::{}:role{path}{name}", aws.settings.account),
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
    aws.store.transaction(|records| {
        if records.get::<Value>(ROLE, name).is_some() {
            return Err(ApiError::new(
                409,
                "EntityAlreadyExists",
                format!("Role with name {name} already exists."),
            ));
        }
        if let Some(boundary) = &role.boundary {
            document_in(records, boundary).ok_or_else(|| no_policy(boundary))?;
        }
        records.put(ROLE, name, &role);
        Ok(json!({"Role": role.made()}))
    })
}

fn list(store: &Store, params: Params<'_>) -> Result<Value> {
    let prefix = params.optional_text("PathPrefix")?.unwrap_or("/");
    let most = usize::try_from(params.number("MaxItems", 1..=1000)?.unwrap_or(100)).unwrap_or(100);
    let page: Vec<(String, Role)> = store.range(ROLE, "", params.optional_text("Marker")?, usize::MAX);
    let mut roles: Vec<Role> =
        page.into_iter().map(|(_, r)| r).filter(|r| r.path.starts_with(prefix)).collect();
    let more = roles.len() > most;
    roles.truncate(most);
    let mut answer = json!({
        "Roles": roles.iter().map(Role::listed).collect::<Vec<_>>(),
        "IsTruncated": more,
    });
    if let Some(last) = roles.last().filter(|_| more) {
        answer["Marker"] = json!(last.name);
    }
    Ok(answer)
}

fn delete(store: &Store, params: Params<'_>) -> Result<Value> {
    let name = params.text("RoleName")?;
    store.transaction(|records| {
        let role: Role = records.get(ROLE, name).ok_or_else(|| no_role(name))?;
        let conflict = |what| {
            Err(ApiError::new(409, "DeleteConflict", format!("Cannot delete entity, must {what} first.")))
        };
        if !role.attached.is_empty() {
            return conflict("detach all policies");
        }
        if !role.inline.is_empty() {
            return conflict("delete policies");
        }
        records.delete(ROLE, name);
        Ok(json!({}))
    })
}

fn put_policy(store: &Store, params: Params<'_>) -> Result<Value> {
    let name = params.name("PolicyName", 128, given::NAME)?;
    let document = given::document(params, "PolicyDocument", Kind::Identity)?;
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

fn read(store: &Store, params: Params<'_>, answer: impl FnOnce(Role) -> Result<Value>) -> Result<Value> {
    let name = params.text("RoleName")?;
    answer(store.get(ROLE, name).ok_or_else(|| no_role(name))?)
}

fn change(
    store: &Store,
    params: Params<'_>,
    change: impl FnOnce(&mut Role, &Records<'_>) -> Result<Value>,
) -> Result<Value> {
    let name = params.text("RoleName")?;
    store.transaction(|records| {
        let mut role: Role = records.get(ROLE, name).ok_or_else(|| no_role(name))?;
        let answer = change(&mut role, records)?;
        records.put(ROLE, name, &role);
        Ok(answer)
    })
}

fn trust(params: Params<'_>, member: &str) -> Result<Value> {
    given::document(params, member, Kind::Trust)
}

fn no_inline(name: &str) -> ApiError {
    ApiError::new(404, "NoSuchEntity", format!("The role policy with name {name} cannot be found."))
}
