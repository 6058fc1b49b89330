//! `AWS::IAM::ManagedPolicy`.

use serde_json::{Value, json};

use super::role::{list, roles_only};
use super::schema::{Naming, Property, Schema, Shape};
use super::site::members;
use super::{Answer, Attributes, Failure, Handler, Site};
use crate::Service::Iam;
use crate::iam::policy_arn;

/// How many versions of a policy there may be at a time.
const MOST_VERSIONS: usize = 5;

static SCHEMA: Schema = Schema {
    kind: "AWS::IAM::ManagedPolicy",
    properties: &[
        Property::new("Description", Shape::Text).replaces(),
        Property::new("Groups", Shape::List(&Shape::Text)),
        Property::new("ManagedPolicyName", Shape::Text).replaces(),
        Property::new("Path", Shape::Text).replaces(),
        Property::new("PolicyDocument", Shape::Document).required(),
        Property::new("Roles", Shape::List(&Shape::Text)),
        Property::new("Users", Shape::List(&Shape::Text)),
    ],
    attributes: &["CreateDate", "DefaultVersionId", "PolicyArn", "PolicyId", "UpdateDate"],
    named: Some("ManagedPolicyName"),
    naming: Naming::Stack(128),
    taggable: false,
};

/// `AWS::IAM::ManagedPolicy`. Its physical id is its ARN.
pub struct ManagedPolicy;

impl ManagedPolicy {
    async fn attach(site: &Site, id: &str, properties: &Value) -> Result<(), Failure> {
        for role in list(properties, "Roles") {
            site.call(Iam, "AttachRolePolicy", json!({"RoleName": role, "PolicyArn": id})).await?;
        }
        Ok(())
    }

    async fn detach(site: &Site, id: &str, role: &Value) -> Result<(), Failure> {
        site.find(Iam, "DetachRolePolicy", json!({"RoleName": role, "PolicyArn": id})).await.map(|_| ())
    }

    /// The versions that are not in force, the oldest first, and how many there are in all.
    async fn former(site: &Site, id: &str) -> Result<(Vec<Value>, usize), Failure> {
        let answer = site.find(Iam, "ListPolicyVersions", json!({"PolicyArn": id})).await?;
        let versions = answer.as_ref().and_then(|a| a["Versions"].as_array().cloned()).unwrap_or_default();
        let all = versions.len();
        Ok((versions.into_iter().filter(|v| v["IsDefaultVersion"] == false).collect(), all))
    }

    async fn delete_version(site: &Site, id: &str, version: &Value) -> Result<(), Failure> {
        let input = json!({"PolicyArn": id, "VersionId": version["VersionId"]});
        site.find(Iam, "DeletePolicyVersion", input).await.map(|_| ())
    }
}

impl Handler for ManagedPolicy {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn candidate(&self, site: &Site, properties: &Value) -> String {
        policy_arn(&site.aws, properties["Path"].as_str().unwrap_or("/"), &SCHEMA.name(site, properties))
    }

    fn read<'a>(&'a self, site: &'a Site, id: &'a str, _: &'a Value) -> Answer<'a, Attributes> {
        Box::pin(async move {
            let found = site.find(Iam, "GetPolicy", json!({"PolicyArn": id})).await?;
            let names = ["Arn=PolicyArn", "CreateDate", "DefaultVersionId", "PolicyId", "UpdateDate"];
            Ok(found.map(|answer| members(&answer["Policy"], &names)))
        })
    }

    fn create<'a>(&'a self, site: &'a Site, id: &'a str, properties: &'a Value) -> Answer<'a, String> {
        Box::pin(async move {
            roles_only(properties)?;
            let mut input = members(properties, &["Description", "Path"]);
            input.insert("PolicyName".into(), SCHEMA.name(site, properties).into());
            input.insert("PolicyDocument".into(), properties["PolicyDocument"].to_string().into());
            site.call(Iam, "CreatePolicy", input.into()).await?;
            Self::attach(site, id, properties).await?;
            Ok(id.to_owned())
        })
    }

    fn update<'a>(&'a self, site: &'a Site, id: &'a str, before: &'a Value, after: &'a Value) -> Answer<'a> {
        Box::pin(async move {
            roles_only(after)?;
            let (former, all) = Self::former(site, id).await?;
            if let Some(oldest) = former.first().filter(|_| all >= MOST_VERSIONS) {
                Self::delete_version(site, id, oldest).await?;
            }
            let document = after["PolicyDocument"].to_string();
            let input = json!({"PolicyArn": id, "PolicyDocument": document, "SetAsDefault": true});
            site.call(Iam, "CreatePolicyVersion", input).await?;
            Self::attach(site, id, after).await?;
            for role in list(before, "Roles") {
                if !list(after, "Roles").any(|kept| kept == role) {
                    Self::detach(site, id, role).await?;
                }
            }
            Ok(())
        })
    }

    fn delete<'a>(&'a self, site: &'a Site, id: &'a str, properties: &'a Value) -> Answer<'a> {
        Box::pin(async move {
            for role in list(properties, "Roles") {
                Self::detach(site, id, role).await?;
            }
            for version in Self::former(site, id).await?.0 {
                Self::delete_version(site, id, &version).await?;
            }
            site.find(Iam, "DeletePolicy", json!({"PolicyArn": id})).await.map(|_| ())
        })
    }
}
