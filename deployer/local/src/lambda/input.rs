//! Reading an operation's input: members by type, then AWS's constraints, all violations in one error.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::params::{truth, whole};
use crate::{ApiError, Result};

/// Reads the members an operation knows; others are ignored, as AWS does.
///
/// # Errors
/// `SerializationException` for a member of the wrong type.
pub fn read<T: DeserializeOwned>(input: Value) -> Result<T> {
    let input = if input.is_null() { Value::Object(serde_json::Map::new()) } else { input };
    serde_json::from_value(input).map_err(|e| ApiError::new(400, "SerializationException", e.to_string()))
}

/// A whole number that may come as text, as it does from a query string.
pub fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        value => match whole(&value) {
            None => Err(serde::de::Error::custom(format!("{value} is not an integer"))),
            number => Ok(number),
        },
    }
}

/// A truth value that may come as text, as it does from a query string.
pub fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(false),
        value => truth(&value).ok_or_else(|| serde::de::Error::custom(format!("{value} is not a boolean"))),
    }
}

/// Violated constraints, gathered so that they are reported together.
#[derive(Debug, Default)]
pub struct Constraints {
    violations: Vec<String>,
}

impl Constraints {
    fn violated(&mut self, value: impl Display, member: &str, constraint: impl Display) {
        self.violations
            .push(format!("Value {value} at '{member}' failed to satisfy constraint: {constraint}"));
    }

    /// The member must be there.
    pub fn required<T>(&mut self, member: &str, value: Option<&T>) {
        if value.is_none() {
            self.violated("null", member, "Member must not be null");
        }
    }

    /// The text must satisfy a pattern; `holds` says whether it does.
    pub fn pattern(&mut self, member: &str, value: &str, holds: bool, pattern: &str) {
        if !holds {
            self.violated(
                format_args!("'{value}'"),
                member,
                format_args!("Member must satisfy regular expression pattern: {pattern}"),
            );
        }
    }

    /// Every text of a list must be an ARN of this pattern; `holds` says whether each is.
    pub fn arns(&mut self, member: &str, values: &[String], holds: bool, pattern: &str) {
        if !holds {
            self.violated(
                format_args!("'[{}]'", values.join(", ")),
                member,
                format_args!(
                    "Member must satisfy constraint: [Member must have length less than or equal to 2048, Member must \
                     have length greater than or equal to 1, Member must satisfy regular expression pattern: {pattern}, \
                     Member must not be null]"
                ),
            );
        }
    }

    /// Every text of a list must be one of several.
    pub fn each_of(&mut self, member: &str, values: &[String], allowed: &[&str]) {
        if values.iter().any(|value| !allowed.contains(&value.as_str())) {
            self.violated(
                format_args!("'[{}]'", values.join(", ")),
                member,
                format_args!(
                    "Member must satisfy constraint: [Member must satisfy enum value set: [{}], Member must not be null]",
                    allowed.join(", ")
                ),
            );
        }
    }

    /// The list must hold no more than so many texts.
    pub fn items(&mut self, member: &str, values: &[String], greatest: usize) {
        if values.len() > greatest {
            self.violated(
                format_args!("'[{}]'", values.join(", ")),
                member,
                format_args!("Member must have length less than or equal to {greatest}"),
            );
        }
    }

    /// The number must lie between two bounds, both allowed.
    pub fn range(&mut self, member: &str, value: Option<i64>, least: i64, greatest: i64) {
        let Some(value) = value else { return };
        let quoted = format!("'{value}'");
        if value < least {
            self.violated(
                quoted,
                member,
                format_args!("Member must have value greater than or equal to {least}"),
            );
        } else if value > greatest {
            self.violated(
                quoted,
                member,
                format_args!("Member must have value less than or equal to {greatest}"),
            );
        }
    }

    /// The text must have a length between two bounds, both allowed.
    pub fn length(&mut self, member: &str, value: Option<&str>, least: usize, greatest: usize) {
        let Some(value) = value else { return };
        let quoted = format!("'{value}'");
        let length = value.chars().count();
        if length < least {
            self.violated(
                quoted,
                member,
                format_args!("Member must have length greater than or equal to {least}"),
            );
        } else if length > greatest {
            self.violated(
                quoted,
                member,
                format_args!("Member must have length less than or equal to {greatest}"),
            );
        }
    }

    /// The text must be one of several.
    pub fn one_of(&mut self, member: &str, value: Option<&str>, allowed: &[&str]) {
        let Some(value) = value else { return };
        if !allowed.contains(&value) {
            self.violated(
                format_args!("'{value}'"),
                member,
                format_args!("Member must satisfy enum value set: [{}]", allowed.join(", ")),
            );
        }
    }

    /// Every weight must be a number of a version's, from 0 to 1.
    pub fn weights(&mut self, member: &str, weights: &BTreeMap<String, f64>) {
        let shown: Vec<String> = weights.iter().map(|(key, value)| format!("{key}={value:?}")).collect();
        let shown = format!("'{{{}}}'", shown.join(", "));
        if weights.keys().any(|key| key.is_empty() || !key.bytes().all(|b| b.is_ascii_digit())) {
            self.violated(
                &shown,
                member,
                "Map keys must satisfy constraint: [Member must have length less than or equal to 1024, Member must have \
                 length greater than or equal to 1, Member must satisfy regular expression pattern: [0-9]+]",
            );
        }
        if weights.values().any(|weight| !(0.0..=1.0).contains(weight)) {
            self.violated(
                &shown,
                member,
                "Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have \
                 value greater than or equal to 0.0, Member must not be null]",
            );
        }
    }

    /// All violations as AWS words them.
    ///
    /// # Errors
    /// `ValidationException` when there is any.
    pub fn check(self) -> Result<()> {
        match self.violations.len() {
            0 => Ok(()),
            n => Err(ApiError::new(
                400,
                "ValidationException",
                format!(
                    "{n} validation error{} detected: {}",
                    if n == 1 { "" } else { "s" },
                    self.violations.join("; ")
                ),
            )),
        }
    }
}

/// Whether the text is made of letters, digits, `-` and `_`, and not empty.
pub fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_word_byte)
}

/// Whether the byte is a letter, a digit, `-` or `_`.
pub fn is_word_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'-' || b == b'_'
}

/// A function and maybe one of its versions or aliases.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Named {
    /// The name or ARN.
    pub function_name: Option<String>,
    /// The version or alias.
    pub qualifier: Option<String>,
}

/// A page of a list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Page {
    /// The name or ARN.
    pub function_name: Option<String>,
    /// Where the page before ended.
    pub marker: Option<String>,
    /// At most so many.
    #[serde(default, deserialize_with = "number")]
    pub max_items: Option<i64>,
    /// Restricts aliases to those of a version; `ALL` lists the versions of every function.
    pub function_version: Option<String>,
    /// The region that replicas of Lambda@Edge come from.
    pub master_region: Option<String>,
}

impl Page {
    /// How many to show: AWS takes up to 10,000 and answers at most 50.
    ///
    /// # Errors
    /// `ValidationException` outside 1 to 10,000.
    pub fn limit(&self) -> Result<usize> {
        let mut constraints = Constraints::default();
        constraints.range("maxItems", self.max_items, 1, 10_000);
        constraints.check()?;
        Ok(self.max_items.and_then(|n| usize::try_from(n).ok()).unwrap_or(50).min(50))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violations_are_reported_together() {
        let mut constraints = Constraints::default();
        constraints.range("memorySize", Some(64), 128, 10_240);
        constraints.range("timeout", Some(901), 1, 900);
        constraints.length("description", Some(&"é".repeat(256)), 0, 256);
        let error = constraints.check().unwrap_err();
        assert_eq!(error.code, "ValidationException");
        assert_eq!(
            error.message,
            "2 validation errors detected: Value '64' at 'memorySize' failed to satisfy constraint: Member must have \
             value greater than or equal to 128; Value '901' at 'timeout' failed to satisfy constraint: Member must \
             have value less than or equal to 900"
        );
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Page {
        #[serde(default, deserialize_with = "number")]
        max_items: Option<i64>,
    }

    #[test]
    fn numbers_may_come_from_a_query_string() {
        for input in [serde_json::json!({"MaxItems": "7"}), serde_json::json!({"MaxItems": 7})] {
            assert_eq!(read::<Page>(input).unwrap().max_items, Some(7));
        }
        assert_eq!(read::<Page>(Value::Null).unwrap().max_items, None);
        let error = read::<Page>(serde_json::json!({"MaxItems": "x"})).unwrap_err();
        assert_eq!(error.code, "SerializationException");
    }
}
