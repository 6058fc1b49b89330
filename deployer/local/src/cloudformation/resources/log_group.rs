//! `AWS::Logs::LogGroup`.

use serde_json::{Map, Value, json};

use super::schema::{Naming, Property, Schema, Shape, TAGS};
use super::site::{members, tag_list};
use super::{Actual, Answer, Attributes, Failure, Handler, Site};
use crate::Service::Logs;

static SCHEMA: Schema = Schema {
    kind: "AWS::Logs::LogGroup",
    properties: &[
        Property::new("LogGroupName", Shape::Text).replaces(),
        Property::new("RetentionInDays", Shape::Integer),
        Property::new("Tags", TAGS),
    ],
    attributes: &["Arn"],
    named: Some("LogGroupName"),
    naming: Naming::Stack(512),
    taggable: true,
};

/// `AWS::Logs::LogGroup`.
pub struct LogGroup;

impl LogGroup {
    fn arn(site: &Site, id: &str) -> String {
        site.aws.arn("logs", &format!("log-group:{id}"))
    }

    /// The group as `DescribeLogGroups` tells of it.
    async fn described(site: &Site, id: &str) -> Result<Option<Value>, Failure> {
        let mut token = Value::Null;
        loop {
            let mut input = json!({"logGroupNamePrefix": id});
            if !token.is_null() {
                input["nextToken"] = token;
            }
            let answer = site.call(Logs, "DescribeLogGroups", input).await?;
            let groups = answer["logGroups"].as_array().into_iter().flatten();
            if let Some(group) = groups.into_iter().find(|group| group["logGroupName"] == id) {
                return Ok(Some(group.clone()));
            }
            token = answer["nextToken"].clone();
            if token.is_null() {
                return Ok(None);
            }
        }
    }
}

impl Handler for LogGroup {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn read<'a>(&'a self, site: &'a Site, id: &'a str, _: &'a Value) -> Answer<'a, Attributes> {
        Box::pin(async move {
            let arn = format!("{}:*", Self::arn(site, id));
            let found = Self::described(site, id).await?;
            Ok(found.map(|_| Map::from_iter([("Arn".to_owned(), Value::from(arn))])))
        })
    }

    fn actual<'a>(&'a self, site: &'a Site, id: &'a str, stated: &'a Value) -> Answer<'a, Actual> {
        Box::pin(async move {
            let Some(found) = Self::described(site, id).await? else { return Ok(Actual::Deleted) };
            let mut properties =
                members(&found, &["logGroupName=LogGroupName", "retentionInDays=RetentionInDays"]);
            if stated.get("Tags").is_some() {
                let input = json!({"resourceArn": Self::arn(site, id)});
                let answer = site.call(Logs, "ListTagsForResource", input).await?;
                properties.insert("Tags".to_owned(), tag_list(&answer["tags"]));
            }
            Ok(Actual::Has { properties, readable: &["LogGroupName", "RetentionInDays", "Tags"] })
        })
    }

    fn create<'a>(&'a self, site: &'a Site, id: &'a str, properties: &'a Value) -> Answer<'a, String> {
        Box::pin(async move {
            let input = json!({"logGroupName": id, "tags": site.tags(properties)});
            site.call(Logs, "CreateLogGroup", input).await?;
            if let Some(days) = properties.get("RetentionInDays") {
                let input = json!({"logGroupName": id, "retentionInDays": days});
                site.call(Logs, "PutRetentionPolicy", input).await?;
            }
            Ok(id.to_owned())
        })
    }

    fn update<'a>(&'a self, site: &'a Site, id: &'a str, before: &'a Value, after: &'a Value) -> Answer<'a> {
        Box::pin(async move {
            match after.get("RetentionInDays") {
                Some(days) => {
                    let input = json!({"logGroupName": id, "retentionInDays": days});
                    site.call(Logs, "PutRetentionPolicy", input).await?
                }
                None => site.call(Logs, "DeleteRetentionPolicy", json!({"logGroupName": id})).await?,
            };
            let arn = Self::arn(site, id).into();
            site.retag(Logs, ("resourceArn", &arn), json!(site.tags(after)), before, after).await
        })
    }

    fn delete<'a>(&'a self, site: &'a Site, id: &'a str, _: &'a Value) -> Answer<'a> {
        Box::pin(
            async move { site.find(Logs, "DeleteLogGroup", json!({"logGroupName": id})).await.map(|_| ()) },
        )
    }
}
