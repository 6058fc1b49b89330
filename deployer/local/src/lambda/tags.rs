//! Tags of functions.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Aws, Caller, Result};

use super::Lambda;
use super::errors::{invalid, no_function};
use super::input::{Constraints, read};
use super::name::Target;
use super::record::{FUNCTION, Function};

/// A function with this tag, set to `true`, is part of the measuring apparatus: it runs at full speed and is not kept
/// waiting for a free core, so that it does not get in its own way.
pub const APPARATUS: &str = "deployer:apparatus";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tagged {
    resource: Option<String>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    tag_keys: Option<Vec<String>>,
}

/// Whether these can be a function's tags.
///
/// # Errors
/// `InvalidParameterValueException`.
pub fn check(tags: &BTreeMap<String, String>) -> Result<()> {
    if tags.len() > 50 {
        return Err(invalid("Number of tags exceeds resource tag limit."));
    }
    for (key, value) in tags {
        if key.is_empty() || key.chars().count() > 128 {
            return Err(invalid(format!("Tag key '{key}' must have 1 to 128 characters.")));
        }
        if value.chars().count() > 256 {
            return Err(invalid(format!("The value of tag '{key}' must have at most 256 characters.")));
        }
        if key.to_ascii_lowercase().starts_with("aws:") && !key.starts_with("aws:cloudformation:") {
            return Err(invalid(format!("Tag key '{key}' starts with aws:, which is reserved for AWS.")));
        }
    }
    Ok(())
}

/// Whether it is the whole ARN of a function; the other resources that have tags on AWS are not here.
fn is_function_arn(resource: &str) -> bool {
    let fields: Vec<&str> = resource.split(':').collect();
    matches!(fields.as_slice(), ["arn", partition, "lambda", _, _, "function", _] | ["arn", partition, "lambda", _, _, "function", _, _]
        if partition.starts_with("aws"))
}

impl Lambda {
    fn tagged(&self, aws: &Aws, caller: &Caller, input: &Tagged, action: &str) -> Result<Target> {
        let mut constraints = Constraints::default();
        constraints.required("resource", input.resource.as_ref());
        if let Some(resource) = &input.resource {
            constraints.pattern(
                "resource",
                resource,
                is_function_arn(resource),
                "arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:\\d{12}:\
                 (function:[a-zA-Z0-9-_]+(:(\\$LATEST|[a-zA-Z0-9-_]+))?|layer:([a-zA-Z0-9-_]+)|\
                 code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-\
                 [0-9a-fA-F]{4}-[0-9a-fA-F]{12}|capacity-provider:[a-zA-Z0-9-_]+)",
            );
        }
        constraints.check()?;
        let target = Target::read(aws, input.resource.as_deref(), None)?;
        if target.qualifier.is_some() {
            return Err(invalid(
                "Tags on function aliases and versions are not supported. Please specify a function ARN.",
            ));
        }
        target.authorize(aws, caller, action)?;
        Ok(target)
    }

    pub(super) fn tag_resource(&self, aws: &Aws, caller: &Caller, input: Value) -> Result<Value> {
        let input: Tagged = read(input)?;
        let target = self.tagged(aws, caller, &input, "TagResource")?;
        if input.tags.is_empty() {
            return Err(invalid("An error occurred and the request cannot be processed."));
        }
        aws.store.transaction(|records| {
            let mut function: Function =
                records.get(FUNCTION, &target.name).ok_or_else(|| no_function(target.arn(aws)))?;
            function.tags.extend(input.tags);
            check(&function.tags)?;
            function.latest.touch();
            records.put(FUNCTION, &target.name, &function);
            Ok(json!({}))
        })
    }

    pub(super) fn untag_resource(&self, aws: &Aws, caller: &Caller, input: Value) -> Result<Value> {
        let input: Tagged = read(input)?;
        let mut constraints = Constraints::default();
        let keys = input.tag_keys.as_ref().filter(|keys| !keys.is_empty());
        constraints.required("tagKeys", keys);
        constraints.check()?;
        let target = self.tagged(aws, caller, &input, "UntagResource")?;
        aws.store.transaction(|records| {
            let mut function: Function =
                records.get(FUNCTION, &target.name).ok_or_else(|| no_function(target.arn(aws)))?;
            function.tags.retain(|key, _| !keys.is_some_and(|keys| keys.contains(key)));
            function.latest.touch();
            records.put(FUNCTION, &target.name, &function);
            Ok(json!({}))
        })
    }

    pub(super) fn list_tags(&self, aws: &Aws, caller: &Caller, input: Value) -> Result<Value> {
        let input: Tagged = read(input)?;
        let target = self.tagged(aws, caller, &input, "ListTags")?;
        Ok(json!({"Tags": self.function(aws, &target)?.tags}))
    }
}
