//! `AWS::Events::Rule`.

use serde_json::{Map, Value, json};

use super::schema::{Naming, Property, Schema, Shape, TAGS};
use super::site::{members, tag_list};
use super::{Actual, Answer, Attributes, Failure, Handler, Site};
use crate::Service::Events;

static SCHEMA: Schema = Schema {
    kind: "AWS::Events::Rule",
    properties: &[
        Property::new("Description", Shape::Text),
        Property::new("EventBusName", Shape::Text).replaces(),
        Property::new("EventPattern", Shape::Document),
        Property::new("Name", Shape::Text).replaces(),
        Property::new("RoleArn", Shape::Text),
        Property::new("ScheduleExpression", Shape::Text),
        Property::new("State", Shape::Text),
        Property::new("Tags", TAGS),
        Property::new("Targets", Shape::List(&Shape::Any)),
    ],
    attributes: &["Arn"],
    named: Some("Name"),
    naming: Naming::Stack(64),
    taggable: true,
};

/// `AWS::Events::Rule`.
pub struct Rule;

impl Rule {
    async fn put(site: &Site, id: &str, properties: &Value) -> Result<String, Failure> {
        let mut input =
            members(properties, &["Description", "EventBusName", "RoleArn", "ScheduleExpression", "State"]);
        if let Some(pattern) = properties.get("EventPattern") {
            input.insert("EventPattern".into(), pattern.to_string().into());
        }
        input.insert("Name".into(), id.into());
        let answer = site.call(Events, "PutRule", input.into()).await?;
        let targets = properties["Targets"].as_array().cloned().unwrap_or_default();
        if !targets.is_empty() {
            let mut input = of_rule(properties, id);
            input.insert("Targets".into(), targets.into());
            let answer = site.call(Events, "PutTargets", input.into()).await?;
            if let Some(entry) = answer["FailedEntries"].as_array().and_then(|all| all.first()) {
                return Err(Failure::invalid(
                    entry["ErrorMessage"].as_str().unwrap_or("a target was refused"),
                ));
            }
        }
        Ok(answer["RuleArn"].as_str().unwrap_or_default().to_owned())
    }

    async fn tag(site: &Site, arn: String, before: &Value, after: &Value) -> Result<(), Failure> {
        site.retag(Events, ("ResourceARN", &arn.into()), site.tag_list(after), before, after).await
    }

    async fn drop_targets(site: &Site, id: &str, properties: &Value, ids: Vec<Value>) -> Result<(), Failure> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut input = of_rule(properties, id);
        input.insert("Ids".into(), ids.into());
        site.find(Events, "RemoveTargets", input.into()).await.map(|_| ())
    }
}

/// A request about the rule's targets.
fn of_rule(properties: &Value, id: &str) -> Map<String, Value> {
    let mut input = members(properties, &["EventBusName"]);
    input.insert("Rule".into(), id.into());
    input
}

fn named(properties: &Value, id: &str) -> Value {
    let mut input = members(properties, &["EventBusName"]);
    input.insert("Name".into(), id.into());
    input.into()
}

impl Handler for Rule {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn read<'a>(&'a self, site: &'a Site, id: &'a str, properties: &'a Value) -> Answer<'a, Attributes> {
        Box::pin(async move {
            let found = site.find(Events, "DescribeRule", named(properties, id)).await?;
            Ok(found.map(|answer| members(&answer, &["Arn"])))
        })
    }

    fn create<'a>(&'a self, site: &'a Site, id: &'a str, properties: &'a Value) -> Answer<'a, String> {
        Box::pin(async move {
            let arn = Self::put(site, id, properties).await?;
            Self::tag(site, arn, &Value::Null, properties).await?;
            Ok(id.to_owned())
        })
    }

    fn update<'a>(&'a self, site: &'a Site, id: &'a str, before: &'a Value, after: &'a Value) -> Answer<'a> {
        Box::pin(async move {
            let arn = Self::put(site, id, after).await?;
            let targets = |of: &Value| of["Targets"].as_array().cloned().unwrap_or_default();
            let kept: Vec<Value> = targets(after).iter().map(|t| t["Id"].clone()).collect();
            let dropped =
                targets(before).iter().map(|t| t["Id"].clone()).filter(|id| !kept.contains(id)).collect();
            Self::drop_targets(site, id, after, dropped).await?;
            Self::tag(site, arn, before, after).await
        })
    }

    fn actual<'a>(&'a self, site: &'a Site, id: &'a str, stated: &'a Value) -> Answer<'a, Actual> {
        Box::pin(async move {
            let Some(found) = site.find(Events, "DescribeRule", named(stated, id)).await? else {
                return Ok(Actual::Deleted);
            };
            let mut properties = members(
                &found,
                &["Description", "EventBusName", "Name", "RoleArn", "ScheduleExpression", "State"],
            );
            let pattern = found["EventPattern"].as_str().and_then(|text| serde_json::from_str(text).ok());
            properties.extend(pattern.map(|pattern: Value| ("EventPattern".to_owned(), pattern)));
            let targets = site.call(Events, "ListTargetsByRule", of_rule(stated, id).into()).await?;
            properties.extend(members(&targets, &["Targets"]));
            if stated.get("Tags").is_some() {
                let input = json!({"ResourceARN": found["Arn"]});
                let answer = site.call(Events, "ListTagsForResource", input).await?;
                properties.insert("Tags".to_owned(), tag_list(&answer["Tags"]));
            }
            let readable = &[
                "Description",
                "EventBusName",
                "EventPattern",
                "Name",
                "RoleArn",
                "ScheduleExpression",
                "State",
                "Tags",
                "Targets",
            ];
            Ok(Actual::Has { properties, readable })
        })
    }

    fn delete<'a>(&'a self, site: &'a Site, id: &'a str, properties: &'a Value) -> Answer<'a> {
        Box::pin(async move {
            let targets = site.find(Events, "ListTargetsByRule", of_rule(properties, id).into()).await?;
            let ids = targets.as_ref().and_then(|t| t["Targets"].as_array()).into_iter().flatten();
            Self::drop_targets(site, id, properties, ids.map(|t| t["Id"].clone()).collect()).await?;
            site.find(Events, "DeleteRule", named(properties, id)).await.map(|_| ())
        })
    }
}
