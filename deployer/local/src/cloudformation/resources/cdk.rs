//! `AWS::CDK::Metadata`: what the CDK's command adds to every stack to count the constructs in use. No service is behind it.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::schema::{Naming, Property, Schema, Shape};
use super::{Answer, Attributes, Handler, Site};
use crate::ids;

static SCHEMA: Schema = Schema {
    kind: "AWS::CDK::Metadata",
    properties: &[Property::new("Analytics", Shape::Text), Property::new("Modules", Shape::Text)],
    attributes: &[],
    named: None,
    naming: Naming::Stack(128),
    taggable: false,
};

/// `AWS::CDK::Metadata`. Its physical id is a UUID.
pub struct Metadata;

impl Handler for Metadata {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn read<'a>(&'a self, _: &'a Site, id: &'a str, _: &'a Value) -> Answer<'a, Attributes> {
        Box::pin(async move {
            // The name that stands in before the resource is made is no UUID.
            Ok(Uuid::try_parse(id).is_ok().then(Map::new))
        })
    }

    fn create<'a>(&'a self, _: &'a Site, _: &'a str, _: &'a Value) -> Answer<'a, String> {
        Box::pin(async { Ok(ids::uuid()) })
    }

    fn delete<'a>(&'a self, _: &'a Site, _: &'a str, _: &'a Value) -> Answer<'a> {
        Box::pin(async { Ok(()) })
    }
}
