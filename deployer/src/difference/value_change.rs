//! A named value before and after a change.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use aws_sdk_cloudformation::types::{RequiresRecreation, ResourceTargetDefinition};
use schemars::JsonSchema;
use serde::Serialize;
use template::eval::LATER;

/// Values longer than this are cut in the text; the JSON form has them whole.
const SHOWN: usize = 120;

/// A text with what is not known yet named as that.
pub(super) fn known(text: &str) -> String {
    text.replace(LATER, "(known afterwards)")
}

/// A named value before and after.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ValueChange {
    /// Its name, or the path of a property.
    pub name: String,
    /// What it was; none when it was not there, or CloudFormation does not say.
    pub before: Option<String>,
    /// What it becomes.
    pub after: Option<String>,
    /// Whether the resource must be made anew for it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub replaces: bool,
}

impl ValueChange {
    /// What a change set says of a property.
    pub(super) fn of_property(target: ResourceTargetDefinition) -> Self {
        let attribute = target.attribute.as_ref().map(|attribute| attribute.as_str()).unwrap_or_default();
        let name = match (target.path, target.name) {
            (Some(path), _) => path.trim_start_matches('/').replace('/', "."),
            (None, Some(name)) => format!("{attribute}.{name}"),
            (None, None) => attribute.to_owned(),
        };
        Self {
            name: name.strip_prefix("Properties.").unwrap_or(&name).to_owned(),
            before: target.before_value,
            after: target.after_value,
            replaces: target.requires_recreation == Some(RequiresRecreation::Always),
        }
    }

    /// Names whose values differ between two maps.
    #[must_use]
    pub fn between(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<Self> {
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let change = |name: &String| Self {
            name: name.clone(),
            before: before.get(name).cloned(),
            after: after.get(name).cloned(),
            replaces: false,
        };
        names.into_iter().map(change).filter(|change| change.before != change.after).collect()
    }
}

fn shown(value: Option<&String>) -> String {
    match value.map(|value| known(value)).as_ref() {
        None => "(none)".to_owned(),
        Some(value) if value.is_empty() => "\"\"".to_owned(),
        Some(value) if value.chars().count() > SHOWN => {
            format!("{}…", value.chars().take(SHOWN).collect::<String>())
        }
        Some(value) => value.clone(),
    }
}

impl fmt::Display for ValueChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match (&self.before, &self.after) {
            (None, None) => {}
            (None, after) => write!(f, ": {}", shown(after.as_ref()))?,
            (before, after) => write!(f, ": {} → {}", shown(before.as_ref()), shown(after.as_ref()))?,
        }
        if self.replaces { f.write_str("  (needs a new one)") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_cut_and_missing_ones_named() {
        let change =
            ValueChange { name: "p".into(), before: None, after: Some("x".repeat(500)), replaces: false };
        assert_eq!(change.to_string(), format!("p: {}…", "x".repeat(SHOWN)));
        let change =
            ValueChange { name: "p".into(), before: Some(String::new()), after: None, replaces: false };
        assert_eq!(change.to_string(), "p: \"\" → (none)");
    }
}
