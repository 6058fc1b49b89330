//! The functions of a `serverless.yml`.

use crate::Problem;
use crate::document::{Cursor, Document};
use crate::named::Named;
use crate::place::{Function, Place};

/// References that lead to further references, at most.
const STEPS: usize = 20;

/// The functions that a service defines.
pub fn functions(document: &Document) -> Vec<Function> {
    let root = document.root();
    let Some(functions) = root.get("functions") else { return Vec::new() };
    let service = root.get("service");
    // In former versions of the framework it was a mapping.
    let service =
        service.and_then(|service| Some(service.get("name").unwrap_or(service).scalar()?.to_owned()));
    let mut found = Vec::new();
    for part in functions.each() {
        for (key, function) in part.entries() {
            let name = function.get("name").and_then(|name| Some(Named::template(name.scalar()?)));
            found.push(Function {
                name: key.to_owned(),
                short: None,
                logical_id: Some(logical_id(key)),
                named: name.unwrap_or(Named::Unknown),
                generated: Some(match &service {
                    Some(service) if !service.contains("${") => Named::Like(format!("{service}-*-{key}")),
                    _ => Named::Like(format!("*-{key}")),
                }),
                size: size(&root, key, &function),
            });
        }
    }
    found
}

/// What the framework calls a function in its template.
fn logical_id(key: &str) -> String {
    let mut id: String = key.replace('-', "Dash").replace('_', "Underscore");
    if let Some(first) = id.get(..1).map(str::to_uppercase) {
        id.replace_range(..1, &first);
    }
    id + "LambdaFunction"
}

/// Where the memory size of a function is.
fn size(root: &Cursor<'_>, key: &str, function: &Cursor<'_>) -> Result<Place, Problem> {
    if let Some(own) = function.get("memorySize") {
        return followed(root, own);
    }
    if let Some(shared) = root.path(&["provider", "memorySize"]) {
        let step = "memorySize of the provider, which is that of every function without one of its own";
        return followed(root, shared.after(&[], step));
    }
    Err(function
        .problem(format!("{key} has no memorySize, so that it gets 1024 MB: add memorySize to it first")))
}

/// A value, or what `${self:…}` leads to for certain.
fn followed<'d>(root: &Cursor<'d>, value: Cursor<'d>) -> Result<Place, Problem> {
    let mut at = value;
    for _ in 0..STEPS {
        let computed = || {
            let what = format!("the memory size is computed, `{}`: change it by hand", at.written());
            Err(at.problem(what))
        };
        let Some(text) = at.scalar() else { return computed() };
        if !text.contains("${") {
            return Ok(at.place());
        }
        let path = text.strip_prefix("${self:").and_then(|rest| rest.strip_suffix('}')).map(str::trim);
        // With braces inside the path itself depends on something, and after a comma there is another value.
        let Some(path) = path.filter(|path| !path.contains(['$', '{', ','])) else { return computed() };
        let keys: Vec<&str> = path.split('.').collect();
        let Some(next) = root.path(&keys) else { return computed() };
        at = next.after(at.through(), format!("`{path}`, which ${{self:…}} refers to"));
    }
    Err(at.problem("the memory size is a reference that leads to itself"))
}
