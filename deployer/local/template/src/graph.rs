//! The order that references and `DependsOn` impose on resources.

use std::collections::{BTreeMap, BTreeSet};

use crate::Template;
use crate::references::{Conditions, Reference, references};

/// For each resource, those it is made after.
pub type Graph = BTreeMap<String, BTreeSet<String>>;

/// The graph of the resources whose conditions hold.
///
/// # Errors
/// AWS's message when a chosen branch refers to a resource whose condition does not hold.
pub fn graph(template: &Template, conditions: &Conditions) -> Result<Graph, String> {
    let active = |name: &str| {
        template.resources.get(name).is_some_and(|resource| holds(conditions, resource.condition.as_deref()))
    };
    let mut graph = Graph::new();
    let mut absent = BTreeSet::new();
    for (name, resource) in template.resources.iter().filter(|(name, _)| active(name)) {
        let mut after: BTreeSet<String> =
            resource.depends_on.iter().filter(|other| active(other)).cloned().collect();
        for value in std::iter::once(&resource.properties).chain(&resource.metadata) {
            for reference in references(value, Some(conditions))? {
                let (Reference::Name(other) | Reference::Attribute(other, _)) = reference else { continue };
                if active(other) {
                    after.insert(other.to_owned());
                } else if template.resources.contains_key(other) {
                    absent.insert(other);
                }
            }
        }
        graph.insert(name.clone(), after);
    }
    unresolved(&absent, "Resources")?;
    for output in template.outputs.values().filter(|o| holds(conditions, o.condition.as_deref())) {
        for reference in references(&output.value, Some(conditions))? {
            if let Reference::Name(other) | Reference::Attribute(other, _) = reference
                && template.resources.contains_key(other)
                && !active(other)
            {
                absent.insert(other);
            }
        }
    }
    unresolved(&absent, "Outputs")?;
    Ok(graph)
}

fn holds(conditions: &Conditions, condition: Option<&str>) -> bool {
    condition.is_none_or(|name| conditions.get(name).copied().unwrap_or(false))
}

fn unresolved(absent: &BTreeSet<&str>, block: &str) -> Result<(), String> {
    if absent.is_empty() {
        return Ok(());
    }
    let list = absent.iter().copied().collect::<Vec<_>>().join(", ");
    Err(format!(
        "Template format error: Unresolved resource dependencies [{list}] in the {block} block of the template"
    ))
}

/// Checks that no resource is made after itself, whichever conditions hold.
///
/// # Errors
/// AWS's message naming the resources of the cycle and those behind it.
pub fn acyclic(template: &Template) -> Result<(), String> {
    let mut open = Graph::new();
    for (name, resource) in &template.resources {
        let mut after = resource.depends_on.clone();
        for value in std::iter::once(&resource.properties).chain(&resource.metadata) {
            for reference in references(value, None)? {
                if let Reference::Name(other) | Reference::Attribute(other, _) = reference {
                    after.insert(other.to_owned());
                }
            }
        }
        after.retain(|other| template.resources.contains_key(other));
        open.insert(name.clone(), after);
    }
    loop {
        let free: BTreeSet<String> =
            open.iter().filter(|(_, after)| after.is_empty()).map(|(name, _)| name.clone()).collect();
        if free.is_empty() {
            break;
        }
        open.retain(|name, _| !free.contains(name));
        for after in open.values_mut() {
            after.retain(|name| !free.contains(name));
        }
    }
    if open.is_empty() {
        return Ok(());
    }
    let list = open.into_keys().collect::<Vec<_>>().join(", ");
    Err(format!("Circular dependency between resources: [{list}]"))
}

/// The same graph seen from the other end: for each resource, those that must be gone before it is deleted.
#[must_use]
pub fn reversed(graph: &Graph) -> Graph {
    let mut reversed: Graph = graph.keys().map(|name| (name.clone(), BTreeSet::new())).collect();
    for (name, after) in graph {
        for other in after {
            if let Some(dependents) = reversed.get_mut(other) {
                dependents.insert(name.clone());
            }
        }
    }
    reversed
}
