//! The errors of the Lambda API, with AWS's codes, statuses and wording.

use std::fmt::Display;

use crate::ApiError;

/// A parameter that AWS Lambda itself refuses.
pub fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "InvalidParameterValueException", message).with("Type", "User")
}

/// A resource that does not exist, in the words of the operation.
pub fn not_found(message: impl Into<String>) -> ApiError {
    ApiError::new(404, "ResourceNotFoundException", message).with("Type", "User")
}

/// A function or version that does not exist.
pub fn no_function(arn: impl Display) -> ApiError {
    not_found(format!("Function not found: {arn}"))
}

/// An alias that does not exist.
pub fn no_alias(arn: impl Display) -> ApiError {
    not_found(format!("Cannot find alias arn: {arn}"))
}

/// A change that something else stands in the way of.
pub fn conflict(message: impl Into<String>) -> ApiError {
    ApiError::new(409, "ResourceConflictException", message).with("Type", "User")
}

/// A version whose snapshot is still being made.
pub fn snap_start_not_ready() -> ApiError {
    ApiError::new(
        409,
        "SnapStartNotReadyException",
        "Lambda is initializing your function. It will be ready to invoke once your function state becomes ACTIVE.",
    )
    .with("Type", "User")
}

/// A `RevisionId` that is not the latest.
pub fn stale_revision() -> ApiError {
    ApiError::new(
        412,
        "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve \
         the latest Revision Id",
    )
    .with("Type", "User")
}

/// A `RevisionId` that is not that of the policy.
pub fn stale_policy() -> ApiError {
    ApiError::new(
        412,
        "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API to retrieve the latest \
         Revision Id",
    )
    .with("Type", "User")
}

/// A limit on concurrent invocations, with AWS's reason code.
pub fn throttled(reason: &str) -> ApiError {
    ApiError::new(429, "TooManyRequestsException", "Rate Exceeded.")
        .with("Reason", reason)
        .with("Type", "User")
        .with("retryAfterSeconds", "1")
}

/// A request larger than `limit` bytes.
pub fn too_large(limit: usize, operation: &str) -> ApiError {
    ApiError::new(
        413,
        "RequestTooLargeException",
        format!("Request must be smaller than {limit} bytes for the {operation} operation"),
    )
    .with("Type", "User")
}

/// A request or a zip in it that is larger than Lambda takes: botocore's model has no shape for it.
pub fn entity_too_large(message: impl Into<String>) -> ApiError {
    ApiError::new(413, "RequestEntityTooLargeException", message)
}

/// The system refused what had to be written for a function.
pub fn unwritten(what: &str, error: &std::io::Error) -> ApiError {
    service(format!(
        "cannot {what}: {error}; see whether the disk of the state folder is full or read-only, or name another folder with --state"
    ))
}

/// The endpoint's own failure.
pub fn service(message: impl Into<String>) -> ApiError {
    ApiError::new(500, "ServiceException", message).with("Type", "Service")
}
