//! The functions of a CloudFormation or SAM template.

use crate::Problem;
use crate::document::{Cursor, Document};
use crate::named::Named;
use crate::place::{Function, Place};

const PLAIN: &str = "AWS::Lambda::Function";
const SAM: &str = "AWS::Serverless::Function";

/// The functions that a template defines.
pub fn functions(document: &Document) -> Vec<Function> {
    let root = document.root();
    let Some(resources) = root.get("Resources") else { return Vec::new() };
    let entries = resources.entries();
    let functions = entries.iter().filter_map(|(id, resource)| {
        let kind = resource.get("Type")?.scalar()?;
        [PLAIN, SAM].contains(&kind).then(|| Function {
            name: (*id).to_owned(),
            short: None,
            logical_id: Some((*id).to_owned()),
            named: resource
                .path(&["Properties", "FunctionName"])
                .map_or(Named::Unknown, |name| named(&root, &name)),
            generated: Some(Named::Like(format!("*-{id}-????????????"))),
            size: size(&root, id, resource, kind == SAM),
        })
    });
    functions.collect()
}

/// The name that a property gives a function.
fn named(root: &Cursor<'_>, name: &Cursor<'_>) -> Named {
    if let Some(name) = name.scalar() {
        return Named::Exactly(name.to_owned());
    }
    match name.call() {
        Some(("Sub", argument)) => {
            let template = argument.each().first().and_then(Cursor::argument);
            template.map_or(Named::Unknown, Named::template)
        }
        Some(("Ref", argument)) => {
            let default = argument.argument().and_then(|name| root.path(&["Parameters", name, "Default"]));
            let default = default.and_then(|default| Some(default.scalar()?.to_owned()));
            default.map_or(Named::Unknown, Named::Exactly)
        }
        Some(("Join", argument)) => joined(&argument).unwrap_or(Named::Unknown),
        _ => Named::Unknown,
    }
}

fn joined(argument: &Cursor<'_>) -> Option<Named> {
    let [separator, items]: [Cursor<'_>; 2] = argument.each().try_into().ok()?;
    let separator = Some(separator.scalar()?.to_owned());
    let mut parts = Vec::new();
    for (index, item) in items.each().iter().enumerate() {
        if index > 0 {
            parts.push(separator.clone());
        }
        parts.push(item.scalar().map(str::to_owned));
    }
    Some(Named::of(&parts))
}

/// Where the memory size of a function is.
fn size(root: &Cursor<'_>, id: &str, resource: &Cursor<'_>, sam: bool) -> Result<Place, Problem> {
    if let Some(own) = resource.path(&["Properties", "MemorySize"]) {
        return followed(root, own);
    }
    let globals = root.path(&["Globals", "Function", "MemorySize"]).filter(|_| sam);
    if let Some(shared) = globals {
        let step = "MemorySize of Globals.Function, which is that of every function without one of its own";
        return followed(root, shared.after(&[], step));
    }
    let what =
        format!("{id} has no MemorySize, so that it gets 128 MB: add MemorySize to its Properties first");
    Err(resource.problem(what))
}

/// A value, or what a reference leads to for certain.
fn followed(root: &Cursor<'_>, value: Cursor<'_>) -> Result<Place, Problem> {
    let computed = || {
        let what = format!("the memory size is computed, `{}`: change it by hand", value.written());
        Err(value.problem(what))
    };
    match value.call() {
        None => match value.scalar() {
            Some(_) => Ok(value.place()),
            None => computed(),
        },
        Some(("Ref", argument)) => {
            let parameter =
                argument.argument().and_then(|name| Some((name, root.path(&["Parameters", name])?)));
            let Some((name, parameter)) = parameter else { return computed() };
            let Some(default) = parameter.get("Default") else {
                let what = format!(
                    "the memory size is the parameter {name}, which has no Default: it is given when the stack is deployed"
                );
                return Err(value.problem(what));
            };
            let step = format!(
                "the Default of the parameter {name}: a stack that is deployed already keeps its value unless the parameter is given anew"
            );
            let allowed = parameter.get("AllowedValues");
            let allowed = allowed
                .map(|list| list.each().iter().filter_map(|item| item.scalar().map(str::to_owned)).collect());
            Ok(Place { allowed, ..default.after(value.through(), step).place() })
        }
        Some(("FindInMap", argument)) => {
            let keys: Option<Vec<&str>> = argument.each().iter().map(Cursor::scalar).collect();
            let Some([map, first, second]) =
                keys.as_deref().and_then(|keys| <[&str; 3]>::try_from(keys).ok())
            else {
                return computed();
            };
            match root.path(&["Mappings", map, first, second]) {
                Some(mapped) if mapped.scalar().is_some() => {
                    let step = format!("{first}, {second} of the mapping {map}");
                    Ok(mapped.after(value.through(), step).place())
                }
                _ => computed(),
            }
        }
        Some(_) => computed(),
    }
}
