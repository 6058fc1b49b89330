//! `AWS::SSM::Parameter`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::schema::{Naming, Property, Schema, Shape};
use super::site::members;
use super::{Actual, Answer, Attributes, Handler, Site};
use crate::Service::Ssm;

static SCHEMA: Schema = Schema {
    kind: "AWS::SSM::Parameter",
    properties: &[
        Property::new("DataType", Shape::Text),
        Property::new("Description", Shape::Text),
        Property::new("Name", Shape::Text).replaces(),
        Property::new("Tags", Shape::Map),
        Property::new("Tier", Shape::Text),
        Property::new("Type", Shape::Text).required(),
        Property::new("Value", Shape::Text).required(),
    ],
    attributes: &["Type", "Value"],
    named: Some("Name"),
    naming: Naming::Logical(128),
    taggable: true,
};

/// `AWS::SSM::Parameter`. Its physical id is its name.
pub struct Parameter;

impl Parameter {
    /// The stack's tags and its own, which are a map here.
    fn tags(site: &Site, properties: &Value) -> BTreeMap<String, String> {
        let mut tags = site.tags(&Value::Null);
        for (key, value) in properties["Tags"].as_object().into_iter().flatten() {
            tags.extend(value.as_str().map(|value| (key.clone(), value.to_owned())));
        }
        tags
    }

    fn input(id: &str, properties: &Value) -> Map<String, Value> {
        let mut input = members(properties, &["DataType", "Description", "Tier", "Type", "Value"]);
        input.insert("Name".to_owned(), id.into());
        input
    }
}

fn list(tags: &BTreeMap<String, String>) -> Value {
    tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

impl Handler for Parameter {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn candidate(&self, site: &Site, properties: &Value) -> String {
        match properties.get("Name").and_then(Value::as_str) {
            Some(name) => name.to_owned(),
            None => format!("CFN-{}", SCHEMA.generated(site)),
        }
    }

    fn read<'a>(&'a self, site: &'a Site, id: &'a str, _: &'a Value) -> Answer<'a, Attributes> {
        Box::pin(async move {
            let found = site.find(Ssm, "GetParameter", json!({"Name": id})).await?;
            Ok(found.map(|answer| members(&answer["Parameter"], &["Type", "Value"])))
        })
    }

    fn actual<'a>(&'a self, site: &'a Site, id: &'a str, _: &'a Value) -> Answer<'a, Actual> {
        Box::pin(async move {
            Ok(match site.find(Ssm, "GetParameter", json!({"Name": id})).await? {
                Some(found) => Actual::Has {
                    properties: members(&found["Parameter"], &["Name", "Type", "Value"]),
                    readable: &["Name", "Type", "Value"],
                },
                None => Actual::Deleted,
            })
        })
    }

    fn create<'a>(&'a self, site: &'a Site, id: &'a str, properties: &'a Value) -> Answer<'a, String> {
        Box::pin(async move {
            let mut input = Self::input(id, properties);
            input.insert("Tags".to_owned(), list(&Self::tags(site, properties)));
            site.call(Ssm, "PutParameter", input.into()).await?;
            Ok(id.to_owned())
        })
    }

    fn update<'a>(&'a self, site: &'a Site, id: &'a str, before: &'a Value, after: &'a Value) -> Answer<'a> {
        Box::pin(async move {
            let mut input = Self::input(id, after);
            input.insert("Overwrite".to_owned(), true.into());
            site.call(Ssm, "PutParameter", input.into()).await?;
            let tags = Self::tags(site, after);
            let former = Self::tags(site, before);
            let gone: Vec<&String> = former.keys().filter(|key| !tags.contains_key(*key)).collect();
            let resource = json!({"ResourceType": "Parameter", "ResourceId": id});
            for (operation, member, value) in [
                ("RemoveTagsFromResource", "TagKeys", json!(gone)),
                ("AddTagsToResource", "Tags", list(&tags)),
            ] {
                let mut input = resource.clone();
                input[member] = value;
                site.call(Ssm, operation, input).await?;
            }
            Ok(())
        })
    }

    fn delete<'a>(&'a self, site: &'a Site, id: &'a str, _: &'a Value) -> Answer<'a> {
        Box::pin(async move { site.find(Ssm, "DeleteParameter", json!({"Name": id})).await.map(|_| ()) })
    }
}
