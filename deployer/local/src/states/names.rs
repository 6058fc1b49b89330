//! ARNs, names, page tokens and the errors of Step Functions that many operations share.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use super::records;
use crate::{ApiError, Aws, Result};

/// An error of Step Functions.
pub fn error(code: &str, message: impl Into<String>) -> ApiError {
    ApiError::new(400, code, message)
}

/// A machine's ARN; that of a Map Run's children has the label after a slash.
#[must_use]
pub fn machine_arn(aws: &Aws, name: &str) -> String {
    aws.arn("states", &format!("stateMachine:{name}"))
}

/// An execution's ARN.
#[must_use]
pub fn execution_arn(aws: &Aws, machine: &str, name: &str) -> String {
    aws.arn("states", &format!("execution:{machine}:{name}"))
}

/// The ARN of a Map Run by its id, `MACHINE/LABEL:UUID`.
#[must_use]
pub fn map_run_arn(aws: &Aws, id: &str) -> String {
    aws.arn("states", &format!("mapRun:{id}"))
}

/// The resource part of an ARN of one kind: none when it is of another account or region.
fn resource<'a>(aws: &Aws, arn: &'a str, kind: &str) -> Result<Option<&'a str>> {
    let parts: Vec<&str> = arn.splitn(7, ':').collect();
    let ["arn", _, "states", region, account, found, rest] = parts.as_slice() else {
        return Err(error("InvalidArn", format!("Invalid Arn: 'Invalid ARN prefix: {arn}'")));
    };
    if *found != kind {
        return Err(error(
            "InvalidArn",
            format!("Invalid Arn: 'Resource type not valid in this context: {found}'"),
        ));
    }
    Ok((*region == aws.settings.region && *account == aws.settings.account).then_some(*rest))
}

/// The machine's name in its ARN.
///
/// # Errors
/// `InvalidArn` or `StateMachineDoesNotExist`.
pub fn machine<'a>(aws: &Aws, arn: &'a str) -> Result<&'a str> {
    // A version or alias follows another colon; there are none here.
    resource(aws, arn, "stateMachine")?.filter(|name| !name.contains(':')).ok_or_else(|| no_machine(arn))
}

/// The id in the store of an execution by its ARN.
///
/// # Errors
/// `InvalidArn` or `ExecutionDoesNotExist`.
pub fn execution(aws: &Aws, arn: &str) -> Result<String> {
    let names = resource(aws, arn, "execution")?.and_then(|rest| rest.split_once(':'));
    names.map(|(machine, name)| records::id(machine, name)).ok_or_else(|| no_execution(arn))
}

/// The id of a Map Run in its ARN.
///
/// # Errors
/// `InvalidArn` or `ResourceNotFound`.
pub fn map_run<'a>(aws: &Aws, arn: &'a str) -> Result<&'a str> {
    resource(aws, arn, "mapRun")?.ok_or_else(|| no_resource(arn))
}

/// There is no such Map Run, or whatever the ARN names.
pub fn no_resource(arn: &str) -> ApiError {
    error("ResourceNotFound", format!("Resource not found: '{arn}'"))
}

/// There is no such machine.
pub fn no_machine(arn: &str) -> ApiError {
    error("StateMachineDoesNotExist", format!("State Machine Does Not Exist: '{arn}'"))
}

/// There is no such execution.
pub fn no_execution(arn: &str) -> ApiError {
    error("ExecutionDoesNotExist", format!("Execution Does Not Exist: '{arn}'"))
}

/// Checks the name of a machine or an execution.
///
/// # Errors
/// `InvalidName`.
pub fn checked(name: &str) -> Result<&str> {
    const FORBIDDEN: &str = "<>{}[]?*\"#%\\^|~`$&,;:/";
    let length = name.chars().count();
    let wrong = |c: char| c.is_whitespace() || c.is_control() || FORBIDDEN.contains(c);
    if !(1..=80).contains(&length) || name.chars().any(wrong) {
        return Err(error("InvalidName", format!("Invalid Name: '{name}'")));
    }
    Ok(name)
}

/// Refuses members that this endpoint does not know: an option that does nothing would be a lie.
///
/// # Errors
/// `ValidationException` naming them.
pub fn only(input: &Value, known: &[&str]) -> Result<()> {
    let members = input.as_object().into_iter().flatten();
    let unknown: Vec<_> = members
        .filter(|(name, value)| !value.is_null() && !known.contains(&name.as_str()))
        .map(|(name, _)| name.as_str())
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(error(
        "ValidationException",
        format!("the local endpoint does not know the members [{}]", unknown.join(", ")),
    ))
}

/// A token that leads to the page after `key`.
#[must_use]
pub fn token(key: &str) -> String {
    BASE64.encode(key)
}

/// The key in a token.
///
/// # Errors
/// `InvalidToken`.
pub fn key(token: &str) -> Result<String> {
    let bytes = BASE64.decode(token).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| error("InvalidToken", format!("Invalid Token: '{token}'")))
}
