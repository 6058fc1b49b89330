//! What hangs on a function: `AWS::Lambda::Version`, `AWS::Lambda::Alias` and `AWS::Lambda::Permission`.

use serde_json::{Map, Value, json};

use super::schema::{Naming, Property, Schema, Shape};
use super::site::members;
use super::{Actual, Answer, Attributes, Handler, Site, existence};
use crate::Service::Lambda;

static VERSION: Schema = Schema {
    kind: "AWS::Lambda::Version",
    properties: &[
        Property::new("CodeSha256", Shape::Text).replaces(),
        Property::new("Description", Shape::Text).replaces(),
        Property::new("FunctionName", Shape::Text).required().replaces(),
    ],
    attributes: &["FunctionArn", "Version"],
    named: None,
    naming: Naming::Stack(140),
    taggable: false,
};

/// `AWS::Lambda::Version`. Its physical id is its ARN, known once it is published; to publish again what has not
/// changed gives the same version.
pub struct Version;

impl Handler for Version {
    fn schema(&self) -> &'static Schema {
        &VERSION
    }

    fn read<'a>(&'a self, site: &'a Site, id: &'a str, _: &'a Value) -> Answer<'a, Attributes> {
        Box::pin(async move {
            if !id.starts_with("arn:") {
                return Ok(None);
            }
            let found = site.find(Lambda, "GetFunctionConfiguration", json!({"FunctionName": id})).await?;
            Ok(found.map(|a| members(&a, &["FunctionArn", "Version"])))
        })
    }

    fn actual<'a>(&'a self, site: &'a Site, id: &'a str, stated: &'a Value) -> Answer<'a, Actual> {
        Box::pin(existence(self, site, id, stated))
    }

    fn create<'a>(&'a self, site: &'a Site, _: &'a str, properties: &'a Value) -> Answer<'a, String> {
        Box::pin(async move {
            let input = members(properties, &["CodeSha256", "Description", "FunctionName"]);
            let answer = site.call(Lambda, "PublishVersion", input.into()).await?;
            Ok(answer["FunctionArn"].as_str().unwrap_or_default().to_owned())
        })
    }

    fn delete<'a>(&'a self, site: &'a Site, id: &'a str, _: &'a Value) -> Answer<'a> {
        Box::pin(async move {
            // One that was not published, for all we know, has a made-up id. To delete by that would be to delete by a
            // function's name.
            if let Some((function, version)) = id.rsplit_once(':').filter(|_| id.starts_with("arn:")) {
                let input = json!({"FunctionName": function, "Qualifier": version});
                site.find(Lambda, "DeleteFunction", input).await?;
            }
            Ok(())
        })
    }
}

static ALIAS: Schema = Schema {
    kind: "AWS::Lambda::Alias",
    properties: &[
        Property::new("Description", Shape::Text),
        Property::new("FunctionName", Shape::Text).required().replaces(),
        Property::new("FunctionVersion", Shape::Text).required(),
        Property::new("Name", Shape::Text).required().replaces(),
        Property::new(
            "RoutingConfig",
            Shape::Object(&[Property::new(
                "AdditionalVersionWeights",
                Shape::List(&Shape::Object(&[
                    Property::new("FunctionVersion", Shape::Text).required(),
                    Property::new("FunctionWeight", Shape::Number).required(),
                ])),
            )
            .required()]),
        ),
    ],
    attributes: &["AliasArn"],
    named: Some("Name"),
    naming: Naming::Stack(128),
    taggable: false,
};

/// `AWS::Lambda::Alias`. Its physical id is its ARN.
pub struct Alias;

impl Alias {
    fn input(properties: &Value) -> Value {
        let mut input = members(properties, &["FunctionName", "FunctionVersion", "Name"]);
        let description = properties["Description"].as_str().unwrap_or_default();
        input.insert("Description".to_owned(), description.into());
        let weights: Map<String, Value> = properties["RoutingConfig"]["AdditionalVersionWeights"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|w| Some((w["FunctionVersion"].as_str()?.to_owned(), w["FunctionWeight"].clone())))
            .collect();
        input.insert("RoutingConfig".to_owned(), json!({"AdditionalVersionWeights": weights}));
        input.into()
    }
}

impl Handler for Alias {
    fn schema(&self) -> &'static Schema {
        &ALIAS
    }

    fn candidate(&self, site: &Site, properties: &Value) -> String {
        let function = properties["FunctionName"].as_str().unwrap_or_default();
        let name = properties["Name"].as_str().unwrap_or_default();
        if function.starts_with("arn:") {
            format!("{function}:{name}")
        } else {
            format!("{}:{name}", site.aws.arn("lambda", &format!("function:{function}")))
        }
    }

    fn read<'a>(&'a self, site: &'a Site, _: &'a str, properties: &'a Value) -> Answer<'a, Attributes> {
        Box::pin(async move {
            let input = members(properties, &["FunctionName", "Name"]);
            let found = site.find(Lambda, "GetAlias", input.into()).await?;
            Ok(found.map(|a| members(&a, &["AliasArn"])))
        })
    }

    fn actual<'a>(&'a self, site: &'a Site, _: &'a str, stated: &'a Value) -> Answer<'a, Actual> {
        Box::pin(async move {
            let input = members(stated, &["FunctionName", "Name"]);
            Ok(match site.find(Lambda, "GetAlias", input.into()).await? {
                Some(found) => Actual::Has {
                    properties: members(&found, &["Description", "FunctionVersion", "Name"]),
                    readable: &["Description", "FunctionVersion", "Name"],
                },
                None => Actual::Deleted,
            })
        })
    }

    fn create<'a>(&'a self, site: &'a Site, id: &'a str, properties: &'a Value) -> Answer<'a, String> {
        Box::pin(async move {
            let answer = site.call(Lambda, "CreateAlias", Self::input(properties)).await?;
            Ok(answer["AliasArn"].as_str().unwrap_or(id).to_owned())
        })
    }

    fn update<'a>(&'a self, site: &'a Site, _: &'a str, _: &'a Value, after: &'a Value) -> Answer<'a> {
        Box::pin(async move { site.call(Lambda, "UpdateAlias", Self::input(after)).await.map(|_| ()) })
    }

    fn delete<'a>(&'a self, site: &'a Site, _: &'a str, properties: &'a Value) -> Answer<'a> {
        Box::pin(async move {
            let input = members(properties, &["FunctionName", "Name"]);
            site.find(Lambda, "DeleteAlias", input.into()).await.map(|_| ())
        })
    }
}

static PERMISSION: Schema = Schema {
    kind: "AWS::Lambda::Permission",
    properties: &[
        Property::new("Action", Shape::Text).required().replaces(),
        Property::new("EventSourceToken", Shape::Text).replaces(),
        Property::new("FunctionName", Shape::Text).required().replaces(),
        Property::new("FunctionUrlAuthType", Shape::Text).replaces(),
        Property::new("Principal", Shape::Text).required().replaces(),
        Property::new("PrincipalOrgID", Shape::Text).replaces(),
        Property::new("SourceAccount", Shape::Text).replaces(),
        Property::new("SourceArn", Shape::Text).replaces(),
    ],
    attributes: &["Id"],
    named: None,
    naming: Naming::Stack(100),
    taggable: false,
};

/// `AWS::Lambda::Permission`. Its physical id is the statement's.
pub struct Permission;

impl Handler for Permission {
    fn schema(&self) -> &'static Schema {
        &PERMISSION
    }

    fn read<'a>(&'a self, site: &'a Site, id: &'a str, properties: &'a Value) -> Answer<'a, Attributes> {
        Box::pin(async move {
            let input = members(properties, &["FunctionName"]);
            let Some(answer) = site.find(Lambda, "GetPolicy", input.into()).await? else { return Ok(None) };
            let policy: Value =
                serde_json::from_str(answer["Policy"].as_str().unwrap_or("{}")).unwrap_or_default();
            let there = policy["Statement"].as_array().is_some_and(|all| all.iter().any(|s| s["Sid"] == id));
            Ok(there.then(|| Map::from_iter([("Id".to_owned(), Value::from(id))])))
        })
    }

    fn actual<'a>(&'a self, site: &'a Site, id: &'a str, stated: &'a Value) -> Answer<'a, Actual> {
        Box::pin(existence(self, site, id, stated))
    }

    fn create<'a>(&'a self, site: &'a Site, id: &'a str, properties: &'a Value) -> Answer<'a, String> {
        Box::pin(async move {
            let names: Vec<&str> = PERMISSION.properties.iter().map(|p| p.name).collect();
            let mut input = members(properties, &names);
            input.insert("StatementId".into(), id.into());
            site.call(Lambda, "AddPermission", input.into()).await?;
            Ok(id.to_owned())
        })
    }

    fn delete<'a>(&'a self, site: &'a Site, id: &'a str, properties: &'a Value) -> Answer<'a> {
        Box::pin(async move {
            let input = json!({"FunctionName": properties["FunctionName"], "StatementId": id});
            site.find(Lambda, "RemovePermission", input).await.map(|_| ())
        })
    }
}
