//! What an update would do: the changes that a change set shows, and whether there are any.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::drift::Drift;
use super::error::invalid;
use super::ledger;
use super::operation::{Live, Plan};
use super::records::{Resource, Stack, Wanted};
use super::resources::{Handler, Schema};
use crate::{Aws, Result};
use template::eval::{LATER, Lookup, holds_later};
use template::graph::Graph;
use template::references::{Reference, references};

/// What an update would do.
pub struct Changes {
    /// The resources' changes, as `ResourceChange` of the API.
    pub resources: Vec<Value>,
    /// Whether anything would change at all; outputs and tags count, and are not among the resources.
    pub any: bool,
    /// Why the values shown are not complete.
    pub incomplete: Option<String>,
}

/// What was changed outside CloudFormation, by logical id.
pub type Drifts = BTreeMap<String, Drift>;

/// Compares what a stack is with what it is wanted to be; where drift is given, with what its resources really are.
///
/// # Errors
/// `ValidationError` when the template does not work with these parameters, or changes a resource's type.
pub fn changes(aws: &Aws, stack: &Stack, wanted: &Wanted, drifts: &Drifts) -> Result<Changes> {
    let types = aws.cloudformation.types();
    let after = Plan::new(types, stack, wanted).map_err(invalid)?;
    let resources = ledger::resources(&aws.store, &stack.uuid);
    let existing: BTreeMap<String, Resource> =
        resources.into_iter().filter(|(_, r)| r.current.is_some()).collect();

    let retyped: Vec<&str> = after
        .graph
        .keys()
        .filter(|name| existing.get(*name).is_some_and(|r| r.kind != after.template.resources[*name].kind))
        .map(String::as_str)
        .collect();
    if !retyped.is_empty() {
        return Err(invalid(format!(
            "Update of resource type is not permitted. The new template modifies resource type of the following \
             resources: [{}]",
            retyped.join(", ")
        )));
    }

    let mut proposed = Proposed {
        live: Live::new(&aws.store, existing.clone()),
        existing: existing.keys().cloned().collect(),
        uncertain: BTreeSet::new(),
        missing: RefCell::default(),
    };
    let mut incomplete = None;
    let mut found = BTreeMap::new();
    for name in in_order(&after.graph) {
        let Some(handler) = types.get(&after.template.resources[&name].kind) else { continue };
        let comparison = Comparison { name: &name, handler: &**handler, after: &after };
        proposed.missing.take();
        let change = match existing.get(&name) {
            None => Some(comparison.addition(&proposed)?),
            Some(_) if drifts.get(&name).is_some_and(Drift::is_deleted) => {
                Some(comparison.addition(&proposed)?)
            }
            Some(resource) => comparison.modification(resource, stack, wanted, &proposed)?,
        };
        let change = match drifts.get(&name) {
            Some(drift) => comparison.against_actual(change, drift, &proposed)?,
            None => change,
        };
        if let Some(export) = proposed.missing.take() {
            incomplete.get_or_insert_with(|| {
                format!("ChangeSet creation failed for resource [{name}] because: No export named {export}")
            });
        }
        if let Some(change) = change {
            if change["Action"] == "Add" || change["Replacement"] != "False" {
                proposed.uncertain.insert(name.clone());
            }
            found.insert(name, change);
        }
    }
    for (name, resource) in existing.iter().filter(|(name, _)| !after.graph.contains_key(*name)) {
        found.insert(name.clone(), removal(resource));
    }

    let outputs = after.outputs(&proposed).map_err(invalid)?;
    let any = !found.is_empty()
        || stack.wanted.template.is_empty()
        || outputs != stack.outputs
        || wanted.tags != stack.wanted.tags;
    Ok(Changes { resources: found.into_values().collect(), any, incomplete })
}

/// Takes out of a `ResourceChange` what is shown with `IncludePropertyValues` only.
pub fn without_values(change: &mut Value) {
    let Some(members) = change.as_object_mut() else { return };
    members.remove("BeforeContext");
    members.remove("AfterContext");
    for detail in members.get_mut("Details").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(target) = detail.get_mut("Target").and_then(Value::as_object_mut) {
            for member in ["Path", "BeforeValue", "AfterValue", "AttributeChangeType", "Drift"] {
                target.remove(member);
            }
        }
    }
}

fn in_order(graph: &Graph) -> Vec<String> {
    let mut open = graph.clone();
    let mut order = Vec::new();
    while let Some(name) = open.iter().find(|(_, after)| after.is_empty()).map(|(name, _)| name.clone()) {
        open.remove(&name);
        for after in open.values_mut() {
            after.remove(&name);
        }
        order.push(name);
    }
    order
}

/// Evaluation ahead of time: what will only be known afterwards is [`LATER`].
struct Proposed<'a> {
    live: Live<'a>,
    existing: BTreeSet<String>,
    uncertain: BTreeSet<String>,
    /// An export that was asked for and is not there: another stack may make it before the change is carried out.
    missing: RefCell<Option<String>>,
}

impl Proposed<'_> {
    fn known(&self, resource: &str) -> bool {
        self.existing.contains(resource) && !self.uncertain.contains(resource)
    }
}

impl Lookup for Proposed<'_> {
    fn reference(&self, resource: &str) -> Result<Value, String> {
        if self.known(resource) { self.live.reference(resource) } else { Ok(LATER.into()) }
    }

    fn attribute(&self, resource: &str, attribute: &str) -> Result<Value, String> {
        if self.known(resource) { self.live.attribute(resource, attribute) } else { Ok(LATER.into()) }
    }

    fn import(&self, name: &str) -> Result<Value, String> {
        Ok(self.live.import(name).unwrap_or_else(|_| {
            self.missing.borrow_mut().get_or_insert_with(|| name.to_owned());
            LATER.into()
        }))
    }
}

struct Comparison<'a> {
    name: &'a str,
    handler: &'a dyn Handler,
    after: &'a Plan,
}

impl Comparison<'_> {
    /// The properties as they will be, in their own types where they can be told already.
    fn properties(&self, proposed: &Proposed<'_>) -> Result<Value> {
        let properties = self.after.properties(self.name, proposed).map_err(invalid)?;
        Ok(self.handler.schema().check(self.name, &properties).unwrap_or(properties))
    }

    fn addition(&self, proposed: &Proposed<'_>) -> Result<Value> {
        let properties = self.properties(proposed)?;
        Ok(json!({
            "Action": "Add",
            "LogicalResourceId": self.name,
            "ResourceType": self.handler.schema().kind,
            "Scope": [],
            "Details": [],
            "AfterContext": json!({"Properties": properties}).to_string(),
        }))
    }

    fn modification(
        &self,
        resource: &Resource,
        stack: &Stack,
        wanted: &Wanted,
        proposed: &Proposed<'_>,
    ) -> Result<Option<Value>> {
        let Some(current) = &resource.current else { return Ok(None) };
        let schema = self.handler.schema();
        let properties = self.properties(proposed)?;
        let mut details = Vec::new();
        let mut scope = BTreeSet::new();
        let mut replacement = "False";
        for name in Schema::differing(&current.properties, &properties) {
            let (old, new) = (current.properties.get(&name), properties.get(&name));
            let dynamic = new.is_some_and(holds_later);
            let replaces = schema.property(&name).is_some_and(|p| p.replaces);
            if replaces && !dynamic {
                replacement = "True";
            } else if replaces && replacement == "False" {
                replacement = "Conditional";
            }
            let attribute = if name == "Tags" { "Tags" } else { "Properties" };
            scope.insert(attribute);
            let mut target = change(old, new, &format!("/Properties/{name}"));
            target.insert("Attribute".into(), attribute.into());
            target.insert("RequiresRecreation".into(), if replaces { "Always" } else { "Never" }.into());
            if attribute == "Properties" {
                target.insert("Name".into(), name.clone().into());
            }
            // What comes from elsewhere is told twice: as a change of the template that only making it decides, and with
            // its cause.
            let causes = self.causes(&name, &stack.wanted, wanted, proposed);
            let evaluation = if causes.is_empty() && !dynamic { "Static" } else { "Dynamic" };
            details.push(
                json!({"Target": target, "Evaluation": evaluation, "ChangeSource": "DirectModification"}),
            );
            details.extend(causes.into_iter().map(|(source, cause)| {
                json!({
                    "Target": target,
                    "Evaluation": "Static",
                    "ChangeSource": source,
                    "CausingEntity": cause,
                })
            }));
        }
        let metadata = self.after.metadata(self.name, proposed).map_err(invalid)?;
        let declared = &self.after.template.resources[self.name];
        let text = |policy: &Option<String>| policy.clone().map(Value::from);
        let mut facts = vec![
            ("DeletionPolicy", text(&resource.deletion_policy), text(&declared.deletion_policy)),
            ("Metadata", resource.metadata.clone(), metadata),
            ("UpdateReplacePolicy", text(&resource.replace_policy), text(&declared.replace_policy)),
        ];
        if schema.taggable && !scope.contains("Tags") {
            facts.push(("Tags", Some(json!(current.tags)), Some(json!(wanted.tags))));
        }
        for (attribute, old, new) in facts {
            if old != new {
                scope.insert(attribute);
                let mut target = change(old.as_ref(), new.as_ref(), &format!("/{attribute}"));
                target.insert("Attribute".into(), attribute.into());
                target.insert("RequiresRecreation".into(), "Never".into());
                details.push(json!({
                    "Target": target,
                    "Evaluation": "Static",
                    "ChangeSource": "DirectModification",
                }));
            }
        }
        if details.is_empty() {
            return Ok(None);
        }
        let mut change = json!({
            "Action": "Modify",
            "LogicalResourceId": self.name,
            "PhysicalResourceId": current.id,
            "ResourceType": schema.kind,
            "Replacement": replacement,
            "Scope": scope,
            "Details": details,
            "BeforeContext": json!({"Properties": current.properties}).to_string(),
            "AfterContext": json!({"Properties": properties}).to_string(),
        });
        if replacement == "True" {
            let kept = declared.replace_policy.as_deref() == Some("Retain");
            change["PolicyAction"] = if kept { "ReplaceAndRetain" } else { "ReplaceAndDelete" }.into();
        }
        Ok(Some(change))
    }

    /// A change against what the resource really is. One that the template does not ask for comes from drift alone.
    fn against_actual(
        &self,
        change: Option<Value>,
        drift: &Drift,
        proposed: &Proposed<'_>,
    ) -> Result<Option<Value>> {
        let schema = self.handler.schema();
        let mut change = match change {
            Some(change) => change,
            None if drift.is_drifted() => json!({
                "Action": "Modify",
                "LogicalResourceId": self.name,
                "PhysicalResourceId": drift.physical_id,
                "ResourceType": schema.kind,
                "Replacement": "False",
                "Scope": [],
                "Details": [],
                "BeforeContext": json!({"Properties": drift.actual}).to_string(),
                "AfterContext": json!({"Properties": self.properties(proposed)?}).to_string(),
            }),
            None => return Ok(None),
        };
        change["ResourceDriftStatus"] = drift.status.clone().into();
        if drift.is_deleted() {
            change["PhysicalResourceId"] = drift.physical_id.clone().into();
        }
        for name in drift.properties() {
            let told = |detail: &&mut Value| {
                let target = &detail["Target"];
                target["Name"] == name.as_str() || (name == "Tags" && target["Attribute"] == "Tags")
            };
            let (before, actual) = (drift.expected.get(&name), drift.actual.get(&name));
            let text = |value: Option<&Value>| {
                value.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            };
            let live = json!({
                "PreviousValue": text(before),
                "ActualValue": text(actual),
                "DriftDetectionTimestamp": drift.time,
            });
            let Some(details) = change["Details"].as_array_mut() else { continue };
            if let Some(detail) = details.iter_mut().find(told) {
                if let Some(actual) = text(actual) {
                    detail["Target"]["BeforeValue"] = actual.into();
                }
                detail["Target"]["BeforeValueFrom"] = "ACTUAL_STATE".into();
                detail["Target"]["AfterValueFrom"] = "TEMPLATE".into();
                detail["Target"]["Drift"] = live;
                continue;
            }
            let attribute = if name == "Tags" { "Tags" } else { "Properties" };
            let replaces = schema.property(&name).is_some_and(|property| property.replaces);
            let mut target = self::change(actual, before, &format!("/Properties/{name}"));
            target.insert("Attribute".into(), attribute.into());
            target.insert("RequiresRecreation".into(), if replaces { "Always" } else { "Never" }.into());
            if attribute == "Properties" {
                target.insert("Name".into(), name.clone().into());
            }
            target.insert("BeforeValueFrom".into(), "ACTUAL_STATE".into());
            target.insert("AfterValueFrom".into(), "TEMPLATE".into());
            target.insert("Drift".into(), live);
            let detail =
                json!({"Target": target, "Evaluation": "Static", "ChangeSource": "DirectModification"});
            details.push(detail);
            if let Some(scope) = change["Scope"].as_array_mut()
                && !scope.iter().any(|known| known == attribute)
            {
                scope.push(attribute.into());
            }
        }
        Ok(Some(change))
    }

    /// The parameters and resources whose change changes a property.
    fn causes(
        &self,
        property: &str,
        former: &Wanted,
        wanted: &Wanted,
        proposed: &Proposed<'_>,
    ) -> Vec<(&'static str, String)> {
        let declared = self.after.template.resources.get(self.name);
        let Some(value) = declared.and_then(|resource| resource.properties.get(property)) else {
            return Vec::new();
        };
        let found = references(value, Some(&self.after.conditions)).unwrap_or_default();
        let (former, values) = (former.values(), wanted.values());
        let cause = |reference| match reference {
            Reference::Name(name) if former.get(name) != values.get(name) => {
                Some(("ParameterReference", name.to_owned()))
            }
            Reference::Name(name)
                if self.after.template.resources.contains_key(name) && !proposed.known(name) =>
            {
                Some(("ResourceReference", name.to_owned()))
            }
            Reference::Attribute(name, attribute) if !proposed.known(name) => {
                Some(("ResourceAttribute", format!("{name}.{attribute}")))
            }
            _ => None,
        };
        found.into_iter().filter_map(cause).collect()
    }
}

/// The part of a detail's target that shows values.
fn change(old: Option<&Value>, new: Option<&Value>, path: &str) -> Map<String, Value> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut target = Map::new();
    target.insert("Path".into(), path.into());
    let kind = match (old, new) {
        (None, _) => "Add",
        (_, None) => "Remove",
        _ => "Modify",
    };
    target.insert("AttributeChangeType".into(), kind.into());
    if let Some(old) = old {
        target.insert("BeforeValue".into(), text(old).into());
    }
    if let Some(new) = new {
        target.insert("AfterValue".into(), text(new).into());
    }
    target
}

fn removal(resource: &Resource) -> Value {
    let current = resource.current.as_ref();
    let kept = resource.deletion_policy.as_deref().is_some_and(|p| p != "Delete");
    json!({
        "Action": "Remove",
        "PolicyAction": if kept { "Retain" } else { "Delete" },
        "LogicalResourceId": resource.logical_id,
        "PhysicalResourceId": current.map(|c| c.id.as_str()).unwrap_or_default(),
        "ResourceType": resource.kind,
        "Scope": [],
        "Details": [],
        "BeforeContext": json!({"Properties": current.map(|c| &c.properties)}).to_string(),
    })
}
