//! `AWS::Lambda::LayerVersion`.

use serde_json::{Value, json};

use super::schema::{Naming, Property, Schema, Shape};
use super::site::members;
use super::{Actual, Answer, Attributes, Handler, Site, existence};
use crate::Service::Lambda;

static SCHEMA: Schema = Schema {
    kind: "AWS::Lambda::LayerVersion",
    properties: &[
        Property::new("CompatibleArchitectures", Shape::List(&Shape::Text)).replaces(),
        Property::new("CompatibleRuntimes", Shape::List(&Shape::Text)).replaces(),
        Property::new(
            "Content",
            Shape::Object(&[
                Property::new("S3Bucket", Shape::Text).required(),
                Property::new("S3Key", Shape::Text).required(),
                Property::new("S3ObjectVersion", Shape::Text),
            ]),
        )
        .required()
        .replaces(),
        Property::new("Description", Shape::Text).replaces(),
        Property::new("LayerName", Shape::Text).replaces(),
        Property::new("LicenseInfo", Shape::Text).replaces(),
    ],
    attributes: &["LayerVersionArn"],
    // A layer's name may be kept by a replacement: its number is another.
    named: None,
    naming: Naming::Logical(140),
    taggable: false,
};

/// `AWS::Lambda::LayerVersion`. Its physical id is its ARN, known once it is published.
pub struct LayerVersion;

impl Handler for LayerVersion {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn read<'a>(&'a self, site: &'a Site, id: &'a str, _: &'a Value) -> Answer<'a, Attributes> {
        Box::pin(async move {
            if !id.starts_with("arn:") {
                return Ok(None);
            }
            let found = site.find(Lambda, "GetLayerVersionByArn", json!({"Arn": id})).await?;
            Ok(found.map(|answer| members(&answer, &["LayerVersionArn"])))
        })
    }

    fn actual<'a>(&'a self, site: &'a Site, id: &'a str, stated: &'a Value) -> Answer<'a, Actual> {
        Box::pin(existence(self, site, id, stated))
    }

    fn create<'a>(&'a self, site: &'a Site, _: &'a str, properties: &'a Value) -> Answer<'a, String> {
        Box::pin(async move {
            let names: Vec<&str> = SCHEMA.properties.iter().map(|p| p.name).collect();
            let mut input = members(properties, &names);
            input.entry("LayerName").or_insert_with(|| site.logical_id.clone().into());
            let answer = site.call(Lambda, "PublishLayerVersion", input.into()).await?;
            Ok(answer["LayerVersionArn"].as_str().unwrap_or_default().to_owned())
        })
    }

    fn delete<'a>(&'a self, site: &'a Site, id: &'a str, _: &'a Value) -> Answer<'a> {
        Box::pin(async move {
            // One whose publication was not recorded has a made-up id, by which nothing can be deleted.
            let parts = id.rsplit_once(':').filter(|_| id.starts_with("arn:"));
            if let Some((layer, number)) = parts.and_then(|(layer, n)| Some((layer, n.parse::<u64>().ok()?)))
            {
                let input = json!({"LayerName": layer, "VersionNumber": number});
                site.find(Lambda, "DeleteLayerVersion", input).await?;
            }
            Ok(())
        })
    }
}
