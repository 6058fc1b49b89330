//! What requests about roles and about policies have in common.

use policy::{Kind, Policy};
use serde_json::Value;

use crate::params::Params;
use crate::{ApiError, Result};

/// What names may hold beside letters and digits.
pub const NAME: &str = "+=,.@-_";

/// A policy document that is one.
pub fn document(params: Params<'_>, member: &str, kind: Kind) -> Result<Value> {
    let malformed = |message: String| ApiError::new(400, "MalformedPolicyDocument", message);
    let document = params.document(member).map_err(|e| match kind {
        Kind::Trust if params.get(member).is_some() => {
            malformed("This policy contains invalid Json".to_owned())
        }
        _ => malformed(e.message),
    })?;
    Policy::parse(&document, kind).map_err(malformed)?;
    Ok(document)
}

/// The ARN of a policy that is to be attached or detached.
pub fn arn<'a>(params: Params<'a>) -> Result<&'a str> {
    let arn = params.text("PolicyArn")?;
    if arn.starts_with("arn:") && arn.split(':').count() >= 6 {
        return Ok(arn);
    }
    Err(params.invalid("Invalid ARN:  Could not be parsed!"))
}

/// A role's or policy's path.
pub fn path(params: Params<'_>) -> Result<String> {
    match params.optional_text("Path")? {
        None => Ok("/".to_owned()),
        Some(path) if path.starts_with('/') && path.ends_with('/') && path.len() <= 512 => {
            Ok(path.to_owned())
        }
        Some(path) => Err(params.invalid(format!("'Path' must begin and end with /, not \"{path}\""))),
    }
}
