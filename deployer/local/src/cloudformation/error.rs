//! Errors as CloudFormation words them, and lenient reading of input members: the query protocol knows only text.

use serde_json::Value;

use crate::ApiError;

/// `ValidationError`: the input or the stack's state does not allow it.
pub fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "ValidationError", message)
}

/// The member's text; numbers and booleans as text too. Nothing for an empty text.
pub fn text(input: &Value, member: &str) -> Option<String> {
    match input.get(member)? {
        Value::String(s) if !s.is_empty() => Some(s.clone()),
        Value::Number(n) => Some(n.to_string()),
        Value::Bool(b) => Some(b.to_string()),
        _ => None,
    }
}

/// The member's text, which must be there.
///
/// # Errors
/// `ValidationError` naming the member as AWS does, with a small first letter.
pub fn required(input: &Value, member: &str) -> Result<String, ApiError> {
    text(input, member).ok_or_else(|| {
        let mut name = member.to_owned();
        if let Some(first) = name.get_mut(..1) {
            first.make_ascii_lowercase();
        }
        invalid(format!(
            "1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null"
        ))
    })
}

/// The member's truth, false when absent.
///
/// # Errors
/// `ValidationError` when it is neither true nor false.
pub fn flag(input: &Value, member: &str) -> Result<bool, ApiError> {
    match text(input, member).as_deref() {
        None => Ok(false),
        Some(t) if t.eq_ignore_ascii_case("true") => Ok(true),
        Some(t) if t.eq_ignore_ascii_case("false") => Ok(false),
        Some(t) => Err(ApiError::new(400, "MalformedInput", format!("{member} is '{t}'; use true or false"))),
    }
}

/// The member's list; empty when absent.
pub fn list<'v>(input: &'v Value, member: &str) -> &'v [Value] {
    input.get(member).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The member's list of texts; empty when absent.
pub fn texts(input: &Value, member: &str) -> Vec<String> {
    list(input, member).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The member's text, which must be one of `allowed`.
///
/// # Errors
/// `ValidationError` listing what is allowed.
pub fn one_of(input: &Value, member: &str, allowed: &[&str]) -> Result<Option<String>, ApiError> {
    let Some(value) = text(input, member) else { return Ok(None) };
    if allowed.contains(&value.as_str()) {
        return Ok(Some(value));
    }
    let mut name = member.to_owned();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    Err(invalid(format!(
        "1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: Member must satisfy enum \
         value set: [{}]",
        allowed.join(", ")
    )))
}
