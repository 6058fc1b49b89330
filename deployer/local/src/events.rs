//! Rules and targets.

use std::sync::Arc;

use serde_json::Value;

use crate::{ApiError, Aws, Caller};

/// Rules and targets.
#[derive(Default)]
pub struct Events {}

impl Events {
    /// Performs an operation.
    ///
    /// # Errors
    /// What AWS would answer.
    pub async fn call(
        &self,
        _aws: &Arc<Aws>,
        _caller: &Caller,
        operation: &str,
        _input: Value,
    ) -> Result<Value, ApiError> {
        Err(ApiError::new(
            400,
            "UnknownOperationException",
            format!("the local endpoint does not know {operation}"),
        ))
    }
}
