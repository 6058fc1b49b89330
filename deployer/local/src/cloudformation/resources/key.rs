//! `AWS::KMS::Key` and `AWS::KMS::Alias`: known to templates that may have them, such as the CDK's for its bootstrap stack, and
//! refused where they are made. This endpoint knows keys by name only.

use serde_json::Value;

use super::schema::{Naming, Property, Schema, Shape};
use super::{Answer, Attributes, Failure, Handler, Site};

static KEY: Schema = Schema {
    kind: "AWS::KMS::Key",
    properties: &[Property::new("KeyPolicy", Shape::Document)],
    attributes: &["Arn", "KeyId"],
    named: None,
    naming: Naming::Stack(64),
    taggable: false,
};

static ALIAS: Schema = Schema {
    kind: "AWS::KMS::Alias",
    properties: &[
        Property::new("AliasName", Shape::Text).required().replaces(),
        Property::new("TargetKeyId", Shape::Text).required(),
    ],
    attributes: &[],
    named: Some("AliasName"),
    naming: Naming::Stack(64),
    taggable: false,
};

/// Both types.
pub struct Absent(&'static Schema);

impl Absent {
    /// `AWS::KMS::Key`.
    pub fn key() -> Self {
        Self(&KEY)
    }

    /// `AWS::KMS::Alias`.
    pub fn alias() -> Self {
        Self(&ALIAS)
    }
}

impl Handler for Absent {
    fn schema(&self) -> &'static Schema {
        self.0
    }

    fn read<'a>(&'a self, _: &'a Site, _: &'a str, _: &'a Value) -> Answer<'a, Attributes> {
        Box::pin(async { Ok(None) })
    }

    fn create<'a>(&'a self, _: &'a Site, _: &'a str, _: &'a Value) -> Answer<'a, String> {
        Box::pin(async {
            Err(Failure::invalid(
                "the local endpoint has no keys: name one where a key is asked for, it is kept in name only",
            ))
        })
    }

    fn delete<'a>(&'a self, _: &'a Site, _: &'a str, _: &'a Value) -> Answer<'a> {
        Box::pin(async { Ok(()) })
    }
}
