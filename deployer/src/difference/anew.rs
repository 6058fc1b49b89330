//! What a template makes where nothing is, as a change set would say it: for when CloudFormation cannot be asked yet.

use std::collections::BTreeMap;

use serde_json::Value;
use template::eval::{self, LATER, Lookup, Pseudo, Scope};
use template::{Types, parse};

use super::{Action, Difference, Operation, ResourceDifference, readable};

impl Difference {
    /// What a template makes with these values of its parameters: only resources whose conditions hold.
    ///
    /// # Errors
    /// CloudFormation's message about a template that it would refuse.
    pub fn anew(
        operation: Operation,
        template: &Value,
        parameters: &BTreeMap<String, String>,
        pseudo: &Pseudo,
    ) -> Result<Self, String> {
        let template = parse::parse(&template.to_string(), &Any)?;
        let conditions = eval::conditions(&template, parameters, pseudo)?;
        let scope =
            Scope { template: &template, parameters, conditions: &conditions, pseudo, lookup: &KnownLater };
        let made = template.resources.iter().filter(|(_, resource)| {
            resource.condition.as_ref().is_none_or(|condition| conditions.get(condition) == Some(&true))
        });
        let resources = made.map(|(logical_id, resource)| {
            let properties = scope.value(&resource.properties)?.unwrap_or_default();
            Ok(ResourceDifference {
                action: Action::Add,
                logical_id: logical_id.clone(),
                resource_type: resource.kind.clone(),
                permissions: readable::statements(&properties),
                properties: Vec::new(),
            })
        });
        let resources = resources.collect::<Result<_, String>>()?;
        Ok(Self { stack: pseudo.stack_name.clone(), operation, resources, ..Self::default() })
    }
}

/// CloudFormation itself checks types and attributes.
struct Any;

impl Types for Any {
    fn known(&self, _: &str) -> bool {
        true
    }

    fn attribute(&self, _: &str, _: &str) -> bool {
        true
    }

    fn capability(&self, _: &str, _: &Value) -> Option<&'static str> {
        None
    }
}

/// No resource is there yet.
struct KnownLater;

impl Lookup for KnownLater {
    fn reference(&self, _: &str) -> Result<Value, String> {
        Ok(LATER.into())
    }

    fn attribute(&self, _: &str, _: &str) -> Result<Value, String> {
        Ok(LATER.into())
    }

    fn import(&self, _: &str) -> Result<Value, String> {
        Ok(LATER.into())
    }
}
