//! `AWS::StepFunctions::StateMachine`.

use serde_json::{Map, Value, json};

use super::schema::{Naming, Property, Schema, Shape, TAGS};
use super::site::{members, tag_list};
use super::{Actual, Answer, Attributes, Failure, Handler, Site};
use crate::Service::States;

static SCHEMA: Schema = Schema {
    kind: "AWS::StepFunctions::StateMachine",
    properties: &[
        Property::new("Definition", Shape::Document),
        Property::new(
            "DefinitionS3Location",
            Shape::Object(&[
                Property::new("Bucket", Shape::Text).required(),
                Property::new("Key", Shape::Text).required(),
                Property::new("Version", Shape::Text),
            ]),
        ),
        Property::new("DefinitionString", Shape::Text),
        Property::new("DefinitionSubstitutions", Shape::Map),
        Property::new("EncryptionConfiguration", Shape::Any),
        Property::new("LoggingConfiguration", Shape::Any),
        Property::new("RoleArn", Shape::Text).required(),
        Property::new("StateMachineName", Shape::Text).replaces(),
        Property::new("StateMachineType", Shape::Text).replaces(),
        Property::new("Tags", TAGS),
        Property::new("TracingConfiguration", Shape::Object(&[Property::new("Enabled", Shape::Boolean)])),
    ],
    attributes: &["Arn", "Name", "StateMachineRevisionId"],
    named: Some("StateMachineName"),
    naming: Naming::Logical(80),
    taggable: true,
};

/// `AWS::StepFunctions::StateMachine`. Its physical id is its ARN.
pub struct StateMachine;

impl StateMachine {
    /// The definition's text with its substitutions made.
    async fn definition(site: &Site, properties: &Value) -> Result<String, Failure> {
        let (text, inline) = (properties.get("DefinitionString"), properties.get("Definition"));
        let mut definition =
            match (text.and_then(Value::as_str), inline, properties.get("DefinitionS3Location")) {
                (Some(text), None, None) => text.to_owned(),
                (None, Some(inline), None) => inline.to_string(),
                (None, None, Some(location)) => {
                    let part = |name: &str| location[name].as_str().unwrap_or_default();
                    let object =
                        site.aws.s3.get_object(&site.aws, &site.caller, part("Bucket"), part("Key")).await;
                    let object = object.map_err(|e| Failure::invalid(e.message))?;
                    String::from_utf8(object.body.to_vec())
                        .map_err(|_| Failure::invalid("the state machine's definition is not UTF-8"))?
                }
                _ => {
                    return Err(Failure::invalid(
                        "Property validation failure: exactly one of Definition, DefinitionString and \
                     DefinitionS3Location must be there",
                    ));
                }
            };
        for (name, value) in properties["DefinitionSubstitutions"].as_object().into_iter().flatten() {
            definition = definition.replace(&format!("${{{name}}}"), value.as_str().unwrap_or_default());
        }
        Ok(definition)
    }

    async fn input(site: &Site, properties: &Value) -> Result<Map<String, Value>, Failure> {
        let mut input = Map::new();
        input.insert("definition".into(), Self::definition(site, properties).await?.into());
        input.insert("roleArn".into(), properties["RoleArn"].clone());
        for (property, member) in [
            ("EncryptionConfiguration", "encryptionConfiguration"),
            ("LoggingConfiguration", "loggingConfiguration"),
            ("TracingConfiguration", "tracingConfiguration"),
        ] {
            if let Some(value) = properties.get(property) {
                input.insert(member.to_owned(), small_initials(value));
            }
        }
        Ok(input)
    }

    fn tags(site: &Site, properties: &Value) -> Value {
        site.tags(properties).iter().map(|(key, value)| json!({"key": key, "value": value})).collect()
    }
}

/// Names as Step Functions writes them, for names as CloudFormation does.
fn small_initials(value: &Value) -> Value {
    renamed(value, str::make_ascii_lowercase)
}

/// The same the other way round.
fn capital_initials(value: &Value) -> Value {
    renamed(value, str::make_ascii_uppercase)
}

fn renamed(value: &Value, change: fn(&mut str)) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(name, member)| {
                    let mut name = name.clone();
                    if let Some(first) = name.get_mut(..1) {
                        change(first);
                    }
                    (name, renamed(member, change))
                })
                .collect(),
        ),
        Value::Array(items) => items.iter().map(|item| renamed(item, change)).collect(),
        plain => plain.clone(),
    }
}

impl Handler for StateMachine {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn candidate(&self, site: &Site, properties: &Value) -> String {
        site.aws.arn("states", &format!("stateMachine:{}", SCHEMA.name(site, properties)))
    }

    fn read<'a>(&'a self, site: &'a Site, id: &'a str, _: &'a Value) -> Answer<'a, Attributes> {
        Box::pin(async move {
            let found = site.find(States, "DescribeStateMachine", json!({"stateMachineArn": id})).await?;
            Ok(found.filter(|a| a["status"] != "DELETING").map(|answer| {
                let mut attributes = members(
                    &answer,
                    &["stateMachineArn=Arn", "name=Name", "revisionId=StateMachineRevisionId"],
                );
                attributes.entry("StateMachineRevisionId").or_insert_with(|| "INITIAL".into());
                attributes
            }))
        })
    }

    fn create<'a>(&'a self, site: &'a Site, id: &'a str, properties: &'a Value) -> Answer<'a, String> {
        Box::pin(async move {
            let mut input = Self::input(site, properties).await?;
            input.insert("name".into(), id.rsplit(':').next().unwrap_or(id).into());
            input.insert(
                "type".into(),
                properties.get("StateMachineType").cloned().unwrap_or_else(|| "STANDARD".into()),
            );
            input.insert("tags".into(), Self::tags(site, properties));
            let answer = site.call(States, "CreateStateMachine", input.into()).await?;
            Ok(answer["stateMachineArn"].as_str().unwrap_or(id).to_owned())
        })
    }

    fn update<'a>(&'a self, site: &'a Site, id: &'a str, before: &'a Value, after: &'a Value) -> Answer<'a> {
        Box::pin(async move {
            let mut input = Self::input(site, after).await?;
            if before.get("LoggingConfiguration").is_some() {
                input.entry("loggingConfiguration").or_insert_with(|| json!({"level": "OFF"}));
            }
            if before.get("TracingConfiguration").is_some() {
                input.entry("tracingConfiguration").or_insert_with(|| json!({"enabled": false}));
            }
            input.insert("stateMachineArn".into(), id.into());
            site.call(States, "UpdateStateMachine", input.into()).await?;
            site.retag(States, ("resourceArn", &id.into()), Self::tags(site, after), before, after).await
        })
    }

    fn actual<'a>(&'a self, site: &'a Site, id: &'a str, stated: &'a Value) -> Answer<'a, Actual> {
        Box::pin(async move {
            let found = site.find(States, "DescribeStateMachine", json!({"stateMachineArn": id})).await?;
            let Some(found) = found.filter(|answer| answer["status"] != "DELETING") else {
                return Ok(Actual::Deleted);
            };
            let mut properties =
                members(&found, &["name=StateMachineName", "roleArn=RoleArn", "type=StateMachineType"]);
            for (member, property) in [
                ("encryptionConfiguration", "EncryptionConfiguration"),
                ("loggingConfiguration", "LoggingConfiguration"),
                ("tracingConfiguration", "TracingConfiguration"),
            ] {
                if let Some(value) = found.get(member) {
                    properties.insert(property.to_owned(), capital_initials(value));
                }
            }
            if let Some(text) = stated.get("DefinitionString") {
                // With its substitutions made it is another text: that is compared.
                let given = Self::definition(site, stated).await?;
                let same = found["definition"] == given.as_str();
                let definition = if same { text.clone() } else { found["definition"].clone() };
                properties.insert("DefinitionString".to_owned(), definition);
            }
            if stated.get("Tags").is_some() {
                let answer = site.call(States, "ListTagsForResource", json!({"resourceArn": id})).await?;
                properties.insert("Tags".to_owned(), tag_list(&answer["tags"]));
            }
            let readable = &[
                "DefinitionString",
                "EncryptionConfiguration",
                "LoggingConfiguration",
                "RoleArn",
                "StateMachineName",
                "StateMachineType",
                "Tags",
                "TracingConfiguration",
            ];
            Ok(Actual::Has { properties, readable })
        })
    }

    fn delete<'a>(&'a self, site: &'a Site, id: &'a str, _: &'a Value) -> Answer<'a> {
        Box::pin(async move {
            site.find(States, "DeleteStateMachine", json!({"stateMachineArn": id})).await.map(|_| ())
        })
    }
}
