//! Template text to a [`Template`], refusing what AWS refuses: unknown sections and members, missing types, wrong
//! shapes. What the text refers to is checked in [`crate::references`].

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::parameters::Declaration;
use crate::rules::Rule;
use crate::{Output, Resource, Template, Types, yaml};

/// AWS's limits on the numbers of things in a template.
const PARAMETERS: usize = 200;
const RESOURCES: usize = 500;
const OUTPUTS: usize = 200;
const MAPPINGS: usize = 200;

/// Reads and checks a template.
///
/// # Errors
/// The message of AWS's `ValidationError`.
pub fn parse(text: &str, types: &dyn Types) -> Result<Template, String> {
    let document = document(text)?;
    let Value::Object(document) = document else {
        return Err("Template format error: unsupported structure.".to_owned());
    };
    let known = [
        "AWSTemplateFormatVersion",
        "Description",
        "Metadata",
        "Parameters",
        "Rules",
        "Mappings",
        "Conditions",
        "Resources",
        "Outputs",
    ];
    for section in ["Transform", "Hooks"] {
        if document.contains_key(section) {
            return Err(format!(
                "Template format error: the section {section} is not known to the local endpoint; deploy a template \
                 without it"
            ));
        }
    }
    let unknown: Vec<&str> =
        document.keys().map(String::as_str).filter(|section| !known.contains(section)).collect();
    if !unknown.is_empty() {
        return Err(format!("Invalid template property or properties [{}]", unknown.join(", ")));
    }
    match document.get("AWSTemplateFormatVersion") {
        None => {}
        Some(Value::String(version)) if version == "2010-09-09" => {}
        Some(other) => {
            return Err(format!(
                "Template format error: {} is not a supported value for AWSTemplateFormatVersion.",
                plain(other)
            ));
        }
    }
    let description = match document.get("Description") {
        None => None,
        Some(Value::String(text)) if text.len() <= 1024 => Some(text.clone()),
        Some(Value::String(_)) => {
            return Err("Template format error: 'Description' length is greater than 1024 bytes.".to_owned());
        }
        Some(_) => return Err("Template format error: 'Description' must be a string.".to_owned()),
    };

    let parameters: BTreeMap<_, _> = section(&document, "Parameters", PARAMETERS)?
        .iter()
        .map(|(name, body)| Ok((name.clone(), Declaration::parse(name, body)?)))
        .collect::<Result<_, String>>()?;
    let rules = section(&document, "Rules", usize::MAX)?
        .iter()
        .map(|(name, body)| Ok((name.clone(), Rule::parse(name, body, &parameters)?)))
        .collect::<Result<_, String>>()?;
    let resources = section(&document, "Resources", RESOURCES)?;
    if resources.is_empty() {
        return Err("Template format error: At least one Resources member must be defined.".to_owned());
    }
    let mappings = section(&document, "Mappings", MAPPINGS)?;
    for (name, map) in &mappings {
        mapping(name, map)?;
    }
    let template = Template {
        description,
        metadata: document.get("Metadata").cloned(),
        parameters,
        rules,
        mappings,
        conditions: section(&document, "Conditions", usize::MAX)?,
        resources: resources
            .iter()
            .map(|(name, body)| Ok((name.clone(), resource(name, body)?)))
            .collect::<Result<_, String>>()?,
        outputs: section(&document, "Outputs", OUTPUTS)?
            .iter()
            .map(|(name, body)| Ok((name.clone(), output(name, body)?)))
            .collect::<Result<BTreeMap<_, _>, String>>()?,
    };
    let unrecognized: BTreeSet<&str> =
        template.resources.values().map(|r| r.kind.as_str()).filter(|kind| !types.known(kind)).collect();
    if !unrecognized.is_empty() {
        let list = unrecognized.into_iter().collect::<Vec<_>>().join(", ");
        return Err(format!("Template format error: Unrecognized resource types: [{list}]"));
    }
    crate::references::check(&template, types)?;
    crate::graph::acyclic(&template)?;
    Ok(template)
}

/// JSON when it looks like JSON, else YAML, as AWS decides.
fn document(text: &str) -> Result<Value, String> {
    if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|e| {
            format!("Template format error: JSON not well-formed. (line {}, column {})", e.line(), e.column())
        })
    } else {
        yaml::parse(text)
    }
}

fn section(document: &Map<String, Value>, name: &str, limit: usize) -> Result<Map<String, Value>, String> {
    let members = match document.get(name) {
        None => return Ok(Map::new()),
        Some(Value::Object(members)) => members,
        Some(_) => return Err(format!("Template format error: [/{name}] '{name}' must be an object.")),
    };
    if members.len() > limit {
        return Err(format!(
            "Template format error: Number of {}, {}, is greater than maximum allowed, {limit}",
            name.to_lowercase(),
            members.len()
        ));
    }
    for member in members.keys() {
        let fits =
            !member.is_empty() && member.len() <= 255 && member.bytes().all(|b| b.is_ascii_alphanumeric());
        if !fits {
            return Err(format!(
                "Template format error: {} name {member} is non alphanumeric.",
                &name[..name.len() - 1]
            ));
        }
    }
    Ok(members.clone())
}

fn mapping(name: &str, map: &Value) -> Result<(), String> {
    let malformed = || {
        format!(
            "Template format error: Every Mappings attribute must be a String or a List. [/Mappings/{name}]"
        )
    };
    for keys in map.as_object().ok_or_else(malformed)?.values() {
        for value in keys.as_object().ok_or_else(malformed)?.values() {
            match value {
                Value::String(_) | Value::Number(_) | Value::Bool(_) => {}
                Value::Array(items) if items.iter().all(|i| !i.is_object() && !i.is_array()) => {}
                _ => return Err(malformed()),
            }
        }
    }
    Ok(())
}

fn resource(name: &str, body: &Value) -> Result<Resource, String> {
    let at = format!("/Resources/{name}");
    let Value::Object(body) = body else {
        return Err(format!("Template format error: [{at}] resource definition is malformed"));
    };
    for member in body.keys() {
        match member.as_str() {
            "Type"
            | "Properties"
            | "DependsOn"
            | "Condition"
            | "DeletionPolicy"
            | "UpdateReplacePolicy"
            | "Metadata" => {}
            "CreationPolicy" | "UpdatePolicy" => {
                return Err(format!(
                    "Template format error: [{at}] {member} is not known to the local endpoint; no type it knows makes \
                     use of it"
                ));
            }
            _ => return Err(format!("Invalid template resource property '{member}'")),
        }
    }
    let Some(Value::String(kind)) = body.get("Type") else {
        return Err(format!(
            "Template format error: [{at}] Every Resources object must contain a Type member."
        ));
    };
    let properties = match body.get("Properties") {
        None | Some(Value::Null) => Value::Object(Map::new()),
        Some(properties @ Value::Object(_)) => properties.clone(),
        Some(_) => {
            return Err(format!("Template format error: [{at}/Properties] 'Properties' must be an object."));
        }
    };
    if let Some(path) = null(&properties) {
        return Err(format!("[{at}/Properties{path}] 'null' values are not allowed in templates"));
    }
    let depends_on = match body.get("DependsOn") {
        None => BTreeSet::new(),
        Some(Value::String(one)) => BTreeSet::from([one.clone()]),
        Some(Value::Array(many)) if many.iter().all(Value::is_string) => {
            many.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        Some(_) => {
            return Err("Template format error: DependsOn must be a string or list of strings.".to_owned());
        }
    };
    let policy = |member: &str, allowed: &[&str]| match body.get(member) {
        None => Ok(None),
        Some(Value::String(policy)) if allowed.contains(&policy.as_str()) => Ok(Some(policy.clone())),
        Some(Value::String(policy)) if policy == "Snapshot" => {
            Err(format!("Template error: resource type {kind} does not support deletion policy Snapshot"))
        }
        Some(other) => Err(format!(
            "Template format error: Unrecognized {member} {} for resource {name}; use one of {}",
            plain(other),
            allowed.join(", ")
        )),
    };
    Ok(Resource {
        kind: kind.clone(),
        properties,
        depends_on,
        condition: condition(body, &at)?,
        deletion_policy: policy("DeletionPolicy", &["Delete", "Retain", "RetainExceptOnCreate"])?,
        replace_policy: policy("UpdateReplacePolicy", &["Delete", "Retain"])?,
        metadata: body.get("Metadata").cloned(),
    })
}

fn output(name: &str, body: &Value) -> Result<Output, String> {
    let at = format!("/Outputs/{name}");
    let Value::Object(body) = body else {
        return Err(format!("Template format error: [{at}] Every Outputs member must be an object."));
    };
    if let Some(member) =
        body.keys().find(|m| !["Value", "Description", "Condition", "Export"].contains(&m.as_str()))
    {
        return Err(format!("Template format error: [{at}] Invalid output property '{member}'"));
    }
    let Some(value) = body.get("Value") else {
        return Err(format!(
            "Template format error: [{at}] Every Outputs member must contain a Value object"
        ));
    };
    let description = match body.get("Description") {
        None => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(_) => return Err(format!("Template format error: [{at}/Description] must be a string.")),
    };
    let export = match body.get("Export") {
        None => None,
        Some(Value::Object(export)) if export.len() == 1 && export.contains_key("Name") => {
            export.get("Name").cloned()
        }
        Some(_) => {
            return Err(format!("Template format error: [{at}/Export] must be an object with a Name."));
        }
    };
    Ok(Output { value: value.clone(), description, condition: condition(body, &at)?, export })
}

fn condition(body: &Map<String, Value>, at: &str) -> Result<Option<String>, String> {
    match body.get("Condition") {
        None => Ok(None),
        Some(Value::String(name)) => Ok(Some(name.clone())),
        Some(_) => {
            Err(format!("Template format error: [{at}/Condition] Every Condition member must be a string."))
        }
    }
}

/// Where in the value a null is.
fn null(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(i, item)| null(item).map(|path| format!("/{i}{path}")))
        }
        Value::Object(members) => {
            members.iter().find_map(|(name, member)| null(member).map(|path| format!("/{name}{path}")))
        }
        _ => None,
    }
}

/// A value as a message quotes it.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
