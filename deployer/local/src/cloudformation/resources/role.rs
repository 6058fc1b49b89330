//! `AWS::IAM::Role` and `AWS::IAM::Policy`.

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::schema::{Naming, Property, Schema, Shape, TAGS};
use super::site::{members, tag_list};
use super::{Actual, Answer, Attributes, Failure, Handler, Site};
use crate::Service::Iam;
use crate::cloudformation::ledger;

const POLICY: Shape = Shape::Object(&[
    Property::new("PolicyName", Shape::Text).required(),
    Property::new("PolicyDocument", Shape::Document).required(),
]);

static ROLE: Schema = Schema {
    kind: "AWS::IAM::Role",
    properties: &[
        Property::new("AssumeRolePolicyDocument", Shape::Document).required(),
        Property::new("Description", Shape::Text),
        Property::new("ManagedPolicyArns", Shape::List(&Shape::Text)),
        Property::new("MaxSessionDuration", Shape::Integer),
        Property::new("Path", Shape::Text).replaces(),
        Property::new("PermissionsBoundary", Shape::Text),
        Property::new("Policies", Shape::List(&POLICY)),
        Property::new("RoleName", Shape::Text).replaces(),
        Property::new("Tags", TAGS),
    ],
    attributes: &["Arn", "RoleId"],
    named: Some("RoleName"),
    naming: Naming::Stack(64),
    taggable: true,
};

/// `AWS::IAM::Role`.
pub struct Role;

impl Role {
    async fn inline(site: &Site, id: &str) -> Result<BTreeSet<String>, Failure> {
        let answer = site.find(Iam, "ListRolePolicies", json!({"RoleName": id})).await?;
        Ok(names(answer.as_ref(), "PolicyNames", None))
    }

    async fn attached(site: &Site, id: &str) -> Result<BTreeSet<String>, Failure> {
        let answer = site.find(Iam, "ListAttachedRolePolicies", json!({"RoleName": id})).await?;
        Ok(names(answer.as_ref(), "AttachedPolicies", Some("PolicyArn")))
    }

    async fn put_policies(site: &Site, id: &str, properties: &Value) -> Result<(), Failure> {
        for policy in list(properties, "Policies") {
            let input = json!({
                "RoleName": id,
                "PolicyName": policy["PolicyName"],
                "PolicyDocument": policy["PolicyDocument"].to_string(),
            });
            site.call(Iam, "PutRolePolicy", input).await?;
        }
        for arn in list(properties, "ManagedPolicyArns") {
            site.call(Iam, "AttachRolePolicy", json!({"RoleName": id, "PolicyArn": arn})).await?;
        }
        Ok(())
    }
}

impl Handler for Role {
    fn schema(&self) -> &'static Schema {
        &ROLE
    }

    fn read<'a>(&'a self, site: &'a Site, id: &'a str, _: &'a Value) -> Answer<'a, Attributes> {
        Box::pin(async move {
            let found = site.find(Iam, "GetRole", json!({"RoleName": id})).await?;
            Ok(found.map(|answer| members(&answer["Role"], &["Arn", "RoleId"])))
        })
    }

    fn create<'a>(&'a self, site: &'a Site, id: &'a str, properties: &'a Value) -> Answer<'a, String> {
        Box::pin(async move {
            let mut input =
                members(properties, &["Description", "MaxSessionDuration", "Path", "PermissionsBoundary"]);
            input.insert("RoleName".into(), id.into());
            let trust = properties["AssumeRolePolicyDocument"].to_string();
            input.insert("AssumeRolePolicyDocument".into(), trust.into());
            input.insert("Tags".into(), site.tag_list(properties));
            site.call(Iam, "CreateRole", input.into()).await?;
            Self::put_policies(site, id, properties).await?;
            Ok(id.to_owned())
        })
    }

    fn update<'a>(&'a self, site: &'a Site, id: &'a str, before: &'a Value, after: &'a Value) -> Answer<'a> {
        Box::pin(async move {
            let trust = after["AssumeRolePolicyDocument"].to_string();
            site.call(Iam, "UpdateAssumeRolePolicy", json!({"RoleName": id, "PolicyDocument": trust}))
                .await?;
            let input = json!({
                "RoleName": id,
                "Description": after["Description"].as_str().unwrap_or(""),
                "MaxSessionDuration": after["MaxSessionDuration"].as_i64().unwrap_or(3600),
            });
            site.call(Iam, "UpdateRole", input).await?;
            if let Some(boundary) = after.get("PermissionsBoundary") {
                let input = json!({"RoleName": id, "PermissionsBoundary": boundary});
                site.call(Iam, "PutRolePermissionsBoundary", input).await?;
            } else if before.get("PermissionsBoundary").is_some() {
                site.find(Iam, "DeleteRolePermissionsBoundary", json!({"RoleName": id})).await?;
            }
            Self::put_policies(site, id, after).await?;
            // Only what the properties named before is taken away: AWS::IAM::Policy adds to the same role.
            for policy in list(before, "Policies") {
                let kept = list(after, "Policies").any(|p| p["PolicyName"] == policy["PolicyName"]);
                if !kept {
                    let input = json!({"RoleName": id, "PolicyName": policy["PolicyName"]});
                    site.find(Iam, "DeleteRolePolicy", input).await?;
                }
            }
            for arn in list(before, "ManagedPolicyArns") {
                if !list(after, "ManagedPolicyArns").any(|kept| kept == arn) {
                    site.find(Iam, "DetachRolePolicy", json!({"RoleName": id, "PolicyArn": arn})).await?;
                }
            }
            site.retag(Iam, ("RoleName", &id.into()), site.tag_list(after), before, after).await
        })
    }

    fn actual<'a>(&'a self, site: &'a Site, id: &'a str, stated: &'a Value) -> Answer<'a, Actual> {
        Box::pin(async move {
            let Some(found) = site.find(Iam, "GetRole", json!({"RoleName": id})).await? else {
                return Ok(Actual::Deleted);
            };
            let found = &found["Role"];
            let mut properties = members(found, &["Description", "MaxSessionDuration", "Path", "RoleName"]);
            let trust = document(&found["AssumeRolePolicyDocument"]);
            properties.insert("AssumeRolePolicyDocument".to_owned(), trust);
            if let Some(boundary) = found["PermissionsBoundary"].get("PermissionsBoundaryArn") {
                properties.insert("PermissionsBoundary".to_owned(), boundary.clone());
            }
            properties.insert("Tags".to_owned(), tag_list(&found["Tags"]));
            if stated.get("Policies").is_some() {
                let mut policies = Vec::new();
                // Those that other resources of the stack put there are theirs.
                let uuid = site.stack_id.rsplit('/').next().unwrap_or_default();
                let resources = ledger::resources(&site.aws.store, uuid);
                let others = resources.values().filter(|resource| resource.kind == INLINE.kind);
                let others: Vec<&Value> =
                    others.filter_map(|r| r.current.as_ref()?.properties.get("PolicyName")).collect();
                let mine = Self::inline(site, id).await?.into_iter();
                for name in mine.filter(|name| !others.iter().any(|other| *other == name.as_str())) {
                    let input = json!({"RoleName": id, "PolicyName": name});
                    let policy = site.call(Iam, "GetRolePolicy", input).await?;
                    let document = document(&policy["PolicyDocument"]);
                    policies.push(json!({"PolicyName": name, "PolicyDocument": document}));
                }
                properties.insert("Policies".to_owned(), policies.into());
            }
            if stated.get("ManagedPolicyArns").is_some() {
                let attached = Self::attached(site, id).await?;
                properties.insert("ManagedPolicyArns".to_owned(), attached.into_iter().collect());
            }
            let readable = &[
                "AssumeRolePolicyDocument",
                "Description",
                "ManagedPolicyArns",
                "MaxSessionDuration",
                "Path",
                "PermissionsBoundary",
                "Policies",
                "RoleName",
                "Tags",
            ];
            Ok(Actual::Has { properties, readable })
        })
    }

    fn delete<'a>(&'a self, site: &'a Site, id: &'a str, _: &'a Value) -> Answer<'a> {
        Box::pin(async move {
            for name in Self::inline(site, id).await? {
                site.find(Iam, "DeleteRolePolicy", json!({"RoleName": id, "PolicyName": name})).await?;
            }
            for arn in Self::attached(site, id).await? {
                site.find(Iam, "DetachRolePolicy", json!({"RoleName": id, "PolicyArn": arn})).await?;
            }
            site.find(Iam, "DeleteRole", json!({"RoleName": id})).await?;
            Ok(())
        })
    }
}

static INLINE: Schema = Schema {
    kind: "AWS::IAM::Policy",
    properties: &[
        Property::new("Groups", Shape::List(&Shape::Text)),
        Property::new("PolicyDocument", Shape::Document).required(),
        Property::new("PolicyName", Shape::Text).required(),
        Property::new("Roles", Shape::List(&Shape::Text)),
        Property::new("Users", Shape::List(&Shape::Text)),
    ],
    attributes: &["Id"],
    named: None,
    naming: Naming::Stack(128),
    taggable: false,
};

/// `AWS::IAM::Policy`: one document as an inline policy of several roles.
pub struct Policy;

impl Policy {
    async fn put(site: &Site, properties: &Value) -> Result<(), Failure> {
        roles_only(properties)?;
        if list(properties, "Roles").next().is_none() {
            return Err(Failure::invalid("At least one of [Groups,Roles,Users] must be non-empty."));
        }
        for role in list(properties, "Roles") {
            let input = json!({
                "RoleName": role,
                "PolicyName": properties["PolicyName"],
                "PolicyDocument": properties["PolicyDocument"].to_string(),
            });
            site.call(Iam, "PutRolePolicy", input).await?;
        }
        Ok(())
    }

    async fn remove(site: &Site, role: &Value, name: &Value) -> Result<(), Failure> {
        site.find(Iam, "DeleteRolePolicy", json!({"RoleName": role, "PolicyName": name})).await.map(|_| ())
    }
}

impl Handler for Policy {
    fn schema(&self) -> &'static Schema {
        &INLINE
    }

    fn read<'a>(&'a self, site: &'a Site, id: &'a str, properties: &'a Value) -> Answer<'a, Attributes> {
        Box::pin(async move {
            for role in list(properties, "Roles") {
                let input = json!({"RoleName": role, "PolicyName": properties["PolicyName"]});
                if site.find(Iam, "GetRolePolicy", input).await?.is_some() {
                    return Ok(Some(Map::from_iter([("Id".to_owned(), Value::from(id))])));
                }
            }
            Ok(None)
        })
    }

    fn create<'a>(&'a self, site: &'a Site, id: &'a str, properties: &'a Value) -> Answer<'a, String> {
        Box::pin(async move {
            Self::put(site, properties).await?;
            Ok(id.to_owned())
        })
    }

    fn update<'a>(&'a self, site: &'a Site, _: &'a str, before: &'a Value, after: &'a Value) -> Answer<'a> {
        Box::pin(async move {
            Self::put(site, after).await?;
            let renamed = before["PolicyName"] != after["PolicyName"];
            for role in list(before, "Roles") {
                if renamed || !list(after, "Roles").any(|kept| kept == role) {
                    Self::remove(site, role, &before["PolicyName"]).await?;
                }
            }
            Ok(())
        })
    }

    fn delete<'a>(&'a self, site: &'a Site, _: &'a str, properties: &'a Value) -> Answer<'a> {
        Box::pin(async move {
            for role in list(properties, "Roles") {
                Self::remove(site, role, &properties["PolicyName"]).await?;
            }
            Ok(())
        })
    }
}

/// Refuses a policy for users or groups, of which there are none.
pub(super) fn roles_only(properties: &Value) -> Result<(), Failure> {
    match ["Users", "Groups"].into_iter().find(|other| list(properties, other).next().is_some()) {
        None => Ok(()),
        Some(other) => Err(Failure::invalid(format!(
            "{other} are not known to the local endpoint; attach the policy to roles"
        ))),
    }
}

/// A policy document as IAM answers it: its text, percent-encoded.
fn document(answered: &Value) -> Value {
    let text = percent_decode_str(answered.as_str().unwrap_or_default()).decode_utf8_lossy();
    serde_json::from_str(&text).unwrap_or_default()
}

pub(super) fn list<'v>(properties: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    properties.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn names(answer: Option<&Value>, member: &str, within: Option<&str>) -> BTreeSet<String> {
    let items = answer.and_then(|a| a.get(member)).and_then(Value::as_array).into_iter().flatten();
    items
        .filter_map(|item| within.map_or(Some(item), |name| item.get(name)))
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}
