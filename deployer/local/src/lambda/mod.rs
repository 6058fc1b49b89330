//! Functions and their execution environments.

use std::sync::Arc;

use serde_json::Value;

use crate::{ApiError, Aws, Caller};

/// Functions and their execution environments.
#[derive(Default)]
pub struct Lambda {}

impl Lambda {
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
