//! Errors as CloudFormation words them.

use crate::params::Params;
use crate::{ApiError, Result};

/// The code of most of CloudFormation's errors.
pub const VALIDATION: &str = "ValidationError";

/// `ValidationError`: the input or the stack's state does not allow it.
pub fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(400, VALIDATION, message)
}

/// There is no such stack.
pub fn no_stack(name: &str) -> ApiError {
    invalid(format!("Stack with id {name} does not exist"))
}

/// The member's text, when given, which must be one of `allowed`.
///
/// # Errors
/// `ValidationError` listing what is allowed.
pub fn one_of(params: Params<'_>, member: &str, allowed: &[&str]) -> Result<Option<String>> {
    let Some(value) = params.optional_text(member)? else { return Ok(None) };
    if allowed.contains(&value) {
        return Ok(Some(value.to_owned()));
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
