#![doc = include_str!("../README.md")]

pub mod eval;
pub mod function;
pub mod graph;
pub mod parameters;
pub mod parse;
pub mod references;
pub mod rules;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use parameters::Declaration;

/// A checked template.
#[derive(Debug, Clone)]
pub struct Template {
    /// `Description`.
    pub description: Option<String>,
    /// `Metadata`.
    pub metadata: Option<Value>,
    /// `Parameters`.
    pub parameters: BTreeMap<String, Declaration>,
    /// `Mappings`.
    pub mappings: Map<String, Value>,
    /// `Rules`.
    pub rules: BTreeMap<String, rules::Rule>,
    /// `Conditions`.
    pub conditions: Map<String, Value>,
    /// `Resources`.
    pub resources: BTreeMap<String, Resource>,
    /// `Outputs`.
    pub outputs: BTreeMap<String, Output>,
}

/// A declared resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// `Type`.
    pub kind: String,
    /// `Properties`, unevaluated.
    pub properties: Value,
    /// `DependsOn`.
    pub depends_on: BTreeSet<String>,
    /// `Condition`.
    pub condition: Option<String>,
    /// `DeletionPolicy`.
    pub deletion_policy: Option<String>,
    /// `UpdateReplacePolicy`.
    pub replace_policy: Option<String>,
    /// `Metadata`, unevaluated.
    pub metadata: Option<Value>,
}

/// A declared output.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// `Value`, unevaluated.
    pub value: Value,
    /// `Description`.
    pub description: Option<String>,
    /// `Condition`.
    pub condition: Option<String>,
    /// `Export.Name`, unevaluated.
    pub export: Option<Value>,
}

/// What templates may name: the types of resources, and their attributes.
pub trait Types {
    /// Whether there is such a type.
    fn known(&self, kind: &str) -> bool;
    /// Whether `Fn::GetAtt` of it knows the attribute.
    fn attribute(&self, kind: &str, attribute: &str) -> bool;
    /// The capability that a resource of the type needs, looking at its properties for names given to it.
    fn capability(&self, kind: &str, properties: &Value) -> Option<&'static str>;
}

impl Template {
    /// The capabilities it needs, the wider one only, and the types that need them.
    #[must_use]
    pub fn capabilities(&self, types: &dyn Types) -> (Option<&'static str>, BTreeSet<String>) {
        let mut needed = None;
        let mut because = BTreeSet::new();
        for resource in self.resources.values() {
            if let Some(capability) = types.capability(&resource.kind, &resource.properties) {
                because.insert(resource.kind.clone());
                if needed != Some("CAPABILITY_NAMED_IAM") {
                    needed = Some(capability);
                }
            }
        }
        (needed, because)
    }
}
