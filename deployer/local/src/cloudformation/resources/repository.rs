//! `AWS::ECR::Repository`.

use serde_json::{Value, json};

use super::schema::{Naming, Property, Schema, Shape};
use super::site::members;
use super::{Actual, Answer, Attributes, Failure, Handler, Site};
use crate::Service::Ecr;

static SCHEMA: Schema = Schema {
    kind: "AWS::ECR::Repository",
    properties: &[
        // Nothing can be pushed here, so that every repository is empty.
        Property::new("EmptyOnDelete", Shape::Boolean),
        Property::new(
            "ImageScanningConfiguration",
            Shape::Object(&[Property::new("ScanOnPush", Shape::Boolean)]),
        ),
        Property::new("ImageTagMutability", Shape::Text),
        Property::new(
            "LifecyclePolicy",
            Shape::Object(&[Property::new("LifecyclePolicyText", Shape::Text).required()]),
        ),
        Property::new("RepositoryName", Shape::Text).replaces(),
        Property::new("RepositoryPolicyText", Shape::Document),
    ],
    attributes: &["Arn", "RepositoryUri"],
    named: Some("RepositoryName"),
    naming: Naming::StackLower(256),
    taggable: false,
};

/// `AWS::ECR::Repository`. Its physical id is its name.
pub struct Repository;

impl Repository {
    async fn described(site: &Site, id: &str) -> Result<Option<Value>, Failure> {
        let found = site.find(Ecr, "DescribeRepositories", json!({"repositoryNames": [id]})).await?;
        Ok(found.map(|mut answer| answer["repositories"][0].take()))
    }

    /// Brings settings and policies to what the properties say, of a repository that may have others.
    async fn configure(site: &Site, id: &str, after: &Value) -> Result<(), Failure> {
        let scans = after["ImageScanningConfiguration"]["ScanOnPush"] == true;
        let mutability = after["ImageTagMutability"].as_str().unwrap_or("MUTABLE");
        let lifecycle = after["LifecyclePolicy"]["LifecyclePolicyText"].as_str().map(str::to_owned);
        let policy = after.get("RepositoryPolicyText").map(Value::to_string);
        let with = |member: &str, value: Value| json!({"repositoryName": id, member: value});
        site.call(Ecr, "PutImageTagMutability", with("imageTagMutability", mutability.into())).await?;
        let scanning = with("imageScanningConfiguration", json!({"scanOnPush": scans}));
        site.call(Ecr, "PutImageScanningConfiguration", scanning).await?;
        for (text, member, put, delete) in [
            (lifecycle, "lifecyclePolicyText", "PutLifecyclePolicy", "DeleteLifecyclePolicy"),
            (policy, "policyText", "SetRepositoryPolicy", "DeleteRepositoryPolicy"),
        ] {
            match text {
                Some(text) => _ = site.call(Ecr, put, with(member, text.into())).await?,
                None => _ = site.find(Ecr, delete, json!({"repositoryName": id})).await?,
            }
        }
        Ok(())
    }
}

impl Handler for Repository {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn read<'a>(&'a self, site: &'a Site, id: &'a str, _: &'a Value) -> Answer<'a, Attributes> {
        Box::pin(async move {
            let found = Self::described(site, id).await?;
            Ok(found.map(|found| members(&found, &["repositoryArn=Arn", "repositoryUri=RepositoryUri"])))
        })
    }

    fn actual<'a>(&'a self, site: &'a Site, id: &'a str, _: &'a Value) -> Answer<'a, Actual> {
        Box::pin(async move {
            Ok(match Self::described(site, id).await? {
                Some(found) => Actual::Has {
                    properties: members(
                        &found,
                        &["imageTagMutability=ImageTagMutability", "repositoryName=RepositoryName"],
                    ),
                    readable: &["ImageTagMutability", "RepositoryName"],
                },
                None => Actual::Deleted,
            })
        })
    }

    fn create<'a>(&'a self, site: &'a Site, id: &'a str, properties: &'a Value) -> Answer<'a, String> {
        Box::pin(async move {
            site.call(Ecr, "CreateRepository", json!({"repositoryName": id})).await?;
            Self::configure(site, id, properties).await?;
            Ok(id.to_owned())
        })
    }

    fn update<'a>(&'a self, site: &'a Site, id: &'a str, _: &'a Value, after: &'a Value) -> Answer<'a> {
        Box::pin(Self::configure(site, id, after))
    }

    fn delete<'a>(&'a self, site: &'a Site, id: &'a str, _: &'a Value) -> Answer<'a> {
        Box::pin(async move {
            site.find(Ecr, "DeleteRepository", json!({"repositoryName": id})).await.map(|_| ())
        })
    }
}
