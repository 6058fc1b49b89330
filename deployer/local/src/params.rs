//! Reading an operation's input: members by their names, with the errors AWS answers for missing and wrong ones.
//!
//! The query protocol carries text only, so numbers and booleans are taken in that form as well.

use serde_json::Value;

use crate::{ApiError, Result};

/// A whole number, or a text that is one.
pub fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

/// A truth value, or a text that is one.
pub fn truth(value: &Value) -> Option<bool> {
    value.as_bool().or_else(|| value.as_str()?.parse().ok())
}

/// An operation's input together with the code of its service's validation errors.
#[derive(Clone, Copy)]
pub struct Params<'a> {
    input: &'a Value,
    code: &'static str,
}

impl<'a> Params<'a> {
    /// Reads `input`; what is wrong with it is answered with status 400 and this code.
    #[must_use]
    pub fn new(input: &'a Value, code: &'static str) -> Self {
        Self { input, code }
    }

    /// The error that a parameter is wrong.
    #[must_use]
    pub fn invalid(&self, message: impl Into<String>) -> ApiError {
        ApiError::new(400, self.code, message)
    }

    /// A member, when given and not null.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        self.input.get(name).filter(|v| !v.is_null())
    }

    /// A text that must be given and not empty.
    ///
    /// # Errors
    /// The service's validation error.
    pub fn text(&self, name: &str) -> Result<&'a str> {
        match self.optional_text(name)? {
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(self.invalid(format!(
                "1 validation error detected: Value at '{name}' failed to satisfy constraint: Member must not be null"
            ))),
        }
    }

    /// A text, when given.
    ///
    /// # Errors
    /// The service's validation error when it is no text.
    pub fn optional_text(&self, name: &str) -> Result<Option<&'a str>> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.invalid(format!("'{name}' must be a string, not {other}"))),
        }
    }

    /// A text that must match a length and an alphabet.
    ///
    /// # Errors
    /// The service's validation error naming both.
    pub fn name(&self, name: &str, longest: usize, others: &str) -> Result<&'a str> {
        let text = self.text(name)?;
        let fits = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
        if text.len() > longest || !text.chars().all(fits) {
            return Err(self.invalid(format!(
                "1 validation error detected: Value '{text}' at '{name}' failed to satisfy constraint: Member must have \
                 length less than or equal to {longest} and consist of letters, digits and {others}"
            )));
        }
        Ok(text)
    }

    /// A whole number within a range, when given.
    ///
    /// # Errors
    /// The service's validation error when it is no number or outside.
    pub fn number(&self, name: &str, range: std::ops::RangeInclusive<i64>) -> Result<Option<i64>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match whole(value) {
            Some(n) if range.contains(&n) => Ok(Some(n)),
            Some(n) => {
                let (bound, limit) = match n > *range.end() {
                    true => ("less", range.end()),
                    false => ("greater", range.start()),
                };
                Err(self.invalid(format!(
                    "1 validation error detected: Value '{n}' at '{name}' failed to satisfy constraint: Member must have \
                     value {bound} than or equal to {limit}"
                )))
            }
            None => Err(self.invalid(format!("'{name}' must be a whole number, not {value}"))),
        }
    }

    /// A boolean; false when not given.
    ///
    /// # Errors
    /// The service's validation error when it is no boolean.
    pub fn flag(&self, name: &str) -> Result<bool> {
        let Some(value) = self.get(name) else { return Ok(false) };
        truth(value).ok_or_else(|| self.invalid(format!("'{name}' must be true or false, not {value}")))
    }

    /// Refuses by name what would change the operation on AWS and is not carried out here; `instead` says what to do. An
    /// empty value and `false` ask for nothing.
    ///
    /// # Errors
    /// The service's validation error with the first of the members that was given.
    pub fn refuse(&self, members: &[&str], instead: &str) -> Result<()> {
        let asks = |value: &Value| match value {
            Value::Null | Value::Bool(false) => false,
            Value::String(text) => !text.is_empty() && text != "false",
            Value::Array(list) => !list.is_empty(),
            Value::Object(members) => !members.is_empty(),
            Value::Number(_) | Value::Bool(true) => true,
        };
        match members.iter().find(|member| self.get(member).is_some_and(asks)) {
            None => Ok(()),
            Some(member) => {
                Err(self.invalid(format!("'{member}' is not known to the local endpoint: {instead}")))
            }
        }
    }

    /// The elements of a list; none when not given.
    ///
    /// # Errors
    /// The service's validation error when it is no list.
    pub fn list(&self, name: &str) -> Result<&'a [Value]> {
        match self.get(name) {
            None => Ok(&[]),
            Some(Value::Array(list)) => Ok(list),
            // The query protocol's way to send an empty list.
            Some(Value::String(text)) if text.is_empty() => Ok(&[]),
            Some(other) => Err(self.invalid(format!("'{name}' must be a list, not {other}"))),
        }
    }

    /// The elements of a list of texts; none when not given.
    ///
    /// # Errors
    /// The service's validation error when it is no list of texts.
    pub fn texts(&self, name: &str) -> Result<Vec<&'a str>> {
        let text = |v: &'a Value| {
            v.as_str().ok_or_else(|| self.invalid(format!("'{name}' must hold strings, not {v}")))
        };
        self.list(name)?.iter().map(text).collect()
    }

    /// A document that is given as JSON text or as JSON itself.
    ///
    /// # Errors
    /// The service's validation error when it is missing or not JSON.
    pub fn document(&self, name: &str) -> Result<Value> {
        match self.get(name) {
            Some(Value::String(text)) => {
                serde_json::from_str(text).map_err(|e| self.invalid(format!("'{name}' is not JSON: {e}")))
            }
            Some(value @ Value::Object(_)) => Ok(value.clone()),
            Some(other) => Err(self.invalid(format!("'{name}' must be a JSON document, not {other}"))),
            None => Err(self.invalid(format!("'{name}' is missing"))),
        }
    }

    /// Tags as a list of `Key` and `Value` members or as a map, by key; none when not given.
    ///
    /// # Errors
    /// The service's validation error when they are neither.
    pub fn tags(&self, name: &str) -> Result<Vec<(String, String)>> {
        let wrong =
            || self.invalid(format!("'{name}' must be tags: a list of Key and Value, or a map of strings"));
        let pair = |key: &Value, value: &Value| Some((key.as_str()?.to_owned(), value.as_str()?.to_owned()));
        match self.get(name) {
            None => Ok(Vec::new()),
            // The query protocol's way to send an empty list.
            Some(Value::String(text)) if text.is_empty() => Ok(Vec::new()),
            Some(Value::Array(list)) => {
                let tag = |tag: &Value| {
                    let member = |upper: &str, lower: &str| tag.get(upper).or_else(|| tag.get(lower));
                    pair(member("Key", "key")?, member("Value", "value")?)
                };
                list.iter().map(|t| tag(t).ok_or_else(wrong)).collect()
            }
            Some(Value::Object(map)) => map
                .iter()
                .map(|(k, v)| v.as_str().map(|v| (k.clone(), v.to_owned())).ok_or_else(wrong))
                .collect(),
            Some(_) => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_of_the_query_protocol_is_read_as_what_is_meant() {
        let input = json!({"n": "12", "m": 12, "yes": "true", "no": false, "none": ""});
        let params = Params::new(&input, "ValidationError");
        assert_eq!(params.number("n", 0..=20), Ok(Some(12)));
        assert_eq!(params.number("m", 0..=20), Ok(Some(12)));
        assert_eq!(params.flag("yes"), Ok(true));
        assert_eq!(params.flag("no"), Ok(false));
        assert_eq!(params.list("none"), Ok(&[] as &[Value]));
        assert_eq!(params.tags("none"), Ok(Vec::new()));
    }

    #[test]
    fn wrong_members_are_named_with_their_value() {
        let input = json!({"n": "x", "flag": "maybe", "name": "a b", "list": 3});
        let params = Params::new(&input, "ValidationError");
        for (error, words) in [
            (params.number("n", 1..=9).unwrap_err(), ["'n'", "\"x\""]),
            (
                params.number("list", 4..=9).unwrap_err(),
                ["Value '3' at 'list'", "greater than or equal to 4"],
            ),
            (params.number("list", 1..=2).unwrap_err(), ["Value '3' at 'list'", "less than or equal to 2"]),
            (params.flag("flag").unwrap_err(), ["'flag'", "maybe"]),
            (params.name("name", 64, "-_").unwrap_err(), ["'name'", "a b"]),
            (params.list("list").unwrap_err(), ["'list'", "3"]),
            (params.text("missing").unwrap_err(), ["'missing'", "null"]),
        ] {
            assert_eq!((error.status, error.code.as_str()), (400, "ValidationError"));
            assert!(words.iter().all(|w| error.message.contains(w)), "{error}");
        }
    }
}
