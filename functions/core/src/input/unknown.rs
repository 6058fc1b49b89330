//! Fields nobody reads. The state machine ignores them; `deployer tune` warns, for they are usually a slip of the pen.

use super::fields::FIELDS;
use crate::nearest::nearest;
use serde_json::Value;

/// Names that are wrong, wide-spread, and too far from the right one to be recognised by their letters.
const KNOWN_MISTAKES: [(&str, &str); 5] = [
    ("enableParallel", "parallelInvocation"),
    ("parallel", "parallelInvocation"),
    ("functionArn", "lambdaARN"),
    ("functionName", "lambdaARN"),
    ("memorySizes", "powerValues"),
];

/// A field that is not part of the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// Its name as written.
    pub field: String,
    /// What was probably meant.
    pub suggestion: Option<String>,
}

impl std::fmt::Display for Unknown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is not a field of the input and has no effect", self.field)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, ": did you mean {suggestion}?"),
            None => Ok(()),
        }
    }
}

/// The fields of an input that have no meaning, in the order they are written.
pub fn unknown_fields(input: &Value) -> Vec<Unknown> {
    let names = input.as_object().into_iter().flat_map(|object| object.keys());
    names
        .filter(|name| FIELDS.iter().all(|field| field.name != *name))
        .map(|name| Unknown { field: name.clone(), suggestion: suggestion(name).map(str::to_owned) })
        .collect()
}

fn suggestion(name: &str) -> Option<&'static str> {
    if let Some((_, right)) = KNOWN_MISTAKES.iter().find(|(wrong, _)| wrong.eq_ignore_ascii_case(name)) {
        return Some(right);
    }
    nearest(name, FIELDS.iter().map(|field| field.name))
}
