//! Stacks and change sets.

use std::sync::Arc;

use serde_json::Value;

use crate::{ApiError, Aws, Caller};

/// Stacks and change sets.
#[derive(Default)]
pub struct CloudFormation {}

impl CloudFormation {
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
