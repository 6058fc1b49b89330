//! Who am I.

use std::sync::Arc;

use serde_json::Value;

use crate::{ApiError, Aws, Caller};

/// Performs an operation of STS.
///
/// # Errors
/// What AWS would answer.
pub async fn call(
    _aws: &Arc<Aws>,
    _caller: &Caller,
    operation: &str,
    _input: Value,
) -> Result<Value, ApiError> {
    Err(ApiError::new(400, "InvalidAction", format!("the local endpoint does not know {operation}")))
}
