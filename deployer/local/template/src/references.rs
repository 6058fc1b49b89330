//! What a value of a template refers to, and the check that everything referred to exists.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::function::{Function, Piece};
use crate::{Template, Types};

/// Which conditions hold.
pub type Conditions = BTreeMap<String, bool>;

/// A mention of something declared elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reference<'v> {
    /// A parameter, pseudo parameter or resource.
    Name(&'v str),
    /// A resource's attribute.
    Attribute(&'v str, &'v str),
    /// A condition.
    Condition(&'v str),
    /// A mapping.
    Map(&'v str),
}

impl<'v> Reference<'v> {
    /// What is mentioned, by name.
    #[must_use]
    pub fn name(&self) -> &'v str {
        match *self {
            Self::Name(name) | Self::Attribute(name, _) | Self::Condition(name) | Self::Map(name) => name,
        }
    }
}

/// All references in a value; with `conditions`, those in the branches chosen by them only.
///
/// # Errors
/// AWS's message for a malformed function.
pub fn references<'v>(
    value: &'v Value,
    conditions: Option<&Conditions>,
) -> Result<BTreeSet<Reference<'v>>, String> {
    let mut found = BTreeSet::new();
    collect(value, conditions, &mut found)?;
    Ok(found)
}

fn collect<'v>(
    value: &'v Value,
    conditions: Option<&Conditions>,
    found: &mut BTreeSet<Reference<'v>>,
) -> Result<(), String> {
    let Some(function) = Function::of(value)? else {
        return match value {
            Value::Array(items) => items.iter().try_for_each(|item| collect(item, conditions, found)),
            Value::Object(members) => {
                members.values().try_for_each(|member| collect(member, conditions, found))
            }
            Value::String(text) if text.contains("{{resolve:") => Err(format!(
                "Template error: the local endpoint has nothing that the dynamic reference '{text}' could be resolved \
                 with"
            )),
            _ => Ok(()),
        };
    };
    match &function {
        Function::Ref(name) => {
            found.insert(Reference::Name(name));
        }
        Function::GetAtt(resource, attribute) => {
            found.insert(Reference::Attribute(resource, attribute));
        }
        Function::Sub(pieces, variables) => {
            for piece in pieces {
                if let Piece::Variable(variable) = piece
                    && !variables.is_some_and(|v| v.contains_key(*variable))
                {
                    found.insert(match variable.split_once('.') {
                        Some((resource, attribute)) => Reference::Attribute(resource, attribute),
                        None => Reference::Name(variable),
                    });
                }
            }
        }
        Function::FindInMap(Value::String(map), ..) => {
            found.insert(Reference::Map(map));
        }
        Function::If(condition, then, other) => {
            found.insert(Reference::Condition(condition));
            if let Some(holds) = conditions.and_then(|c| c.get(*condition)) {
                return collect(if *holds { then } else { other }, conditions, found);
            }
        }
        _ => {}
    }
    function.arguments().into_iter().try_for_each(|argument| collect(argument, conditions, found))
}

/// Checks that everything a template refers to exists.
///
/// # Errors
/// AWS's message.
pub fn check(template: &Template, types: &dyn Types) -> Result<(), String> {
    for body in template.conditions.values() {
        condition(template, body)?;
    }
    let mut unresolved = BTreeSet::new();
    for resource in template.resources.values() {
        if let Some(condition) = resource.condition.as_ref().filter(|c| !template.conditions.contains_key(*c))
        {
            return Err(missing_condition(condition, "Resources"));
        }
        unresolved
            .extend(resource.depends_on.iter().filter(|d| !template.resources.contains_key(*d)).cloned());
        for value in std::iter::once(&resource.properties).chain(&resource.metadata) {
            unresolved.extend(check_value(template, types, value, "Resources")?);
        }
    }
    if !unresolved.is_empty() {
        return Err(missing(&unresolved, "Resources"));
    }
    for output in template.outputs.values() {
        if let Some(condition) = output.condition.as_ref().filter(|c| !template.conditions.contains_key(*c)) {
            return Err(missing_condition(condition, "Outputs"));
        }
        for value in std::iter::once(&output.value).chain(&output.export) {
            unresolved.extend(check_value(template, types, value, "Outputs")?);
        }
    }
    if !unresolved.is_empty() {
        return Err(missing(&unresolved, "Outputs"));
    }
    Ok(())
}

/// Checks one value; gives the names that are neither parameter nor resource.
fn check_value(
    template: &Template,
    types: &dyn Types,
    value: &Value,
    block: &str,
) -> Result<BTreeSet<String>, String> {
    let mut unresolved = BTreeSet::new();
    for reference in references(value, None)? {
        match reference {
            Reference::Name(name) if name.starts_with("AWS::") => {
                if !PSEUDO.contains(&name) {
                    unresolved.insert(name.to_owned());
                }
            }
            Reference::Name(name) => {
                if !template.parameters.contains_key(name) && !template.resources.contains_key(name) {
                    unresolved.insert(name.to_owned());
                }
            }
            Reference::Attribute(resource, attribute) => match template.resources.get(resource) {
                None => {
                    return Err(format!(
                        "Template error: instance of Fn::GetAtt references undefined resource {resource}"
                    ));
                }
                Some(target) if !types.attribute(&target.kind, attribute) => {
                    return Err(format!(
                        "Template error: resource {resource} does not support attribute type {attribute} in Fn::GetAtt"
                    ));
                }
                Some(_) => {}
            },
            Reference::Condition(name) => {
                if !template.conditions.contains_key(name) {
                    return Err(missing_condition(name, block));
                }
            }
            Reference::Map(name) => known_map(template, name)?,
        }
    }
    Ok(unresolved)
}

fn known_map(template: &Template, name: &str) -> Result<(), String> {
    if template.mappings.contains_key(name) {
        return Ok(());
    }
    Err(format!(
        "Template error: Mapping named '{name}' is not present in the 'Mappings' section of template."
    ))
}

/// Conditions are made of parameters, mappings and other conditions.
fn condition(template: &Template, body: &Value) -> Result<(), String> {
    if let Some(name) = condition_name(body) {
        return if template.conditions.contains_key(name) {
            Ok(())
        } else {
            Err(missing_condition(name, "Conditions"))
        };
    }
    match Function::of(body)? {
        Some(Function::And(all) | Function::Or(all)) => all.iter().try_for_each(|one| condition(template, one)),
        Some(Function::Not(one)) => condition(template, one),
        Some(Function::Equals(left, right)) => {
            for value in [left, right] {
                for reference in references(value, None)? {
                    match reference {
                        Reference::Name(name)
                            if template.parameters.contains_key(name) || PSEUDO.contains(&name) => {}
                        Reference::Map(name) => known_map(template, name)?,
                        other => {
                            return Err(format!(
                                "Template format error: Unresolved dependencies [{}]. Cannot reference resources in \
                                 the Conditions block of the template",
                                other.name()
                            ));
                        }
                    }
                }
            }
            Ok(())
        }
        _ => Err("Template format error: Conditions can only be boolean operations on parameters and other conditions"
            .to_owned()),
    }
}

/// The condition that `{"Condition": NAME}` stands for.
pub(crate) fn condition_name(value: &Value) -> Option<&str> {
    let members = value.as_object().filter(|m| m.len() == 1)?;
    members.get("Condition")?.as_str()
}

fn missing(names: &BTreeSet<String>, block: &str) -> String {
    let list = names.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    format!(
        "Template format error: Unresolved resource dependencies [{list}] in the {block} block of the template"
    )
}

fn missing_condition(name: &str, block: &str) -> String {
    format!(
        "Template format error: Unresolved condition dependency {name} in the {block} block of the template"
    )
}

/// The pseudo parameters.
pub const PSEUDO: [&str; 8] = [
    "AWS::AccountId",
    "AWS::NoValue",
    "AWS::NotificationARNs",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
];
