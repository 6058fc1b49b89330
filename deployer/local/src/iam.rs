//! Roles, sessions and decisions.

use std::sync::Arc;

use serde_json::Value;

use crate::{ApiError, Aws, Caller};

/// Roles, sessions and decisions.
#[derive(Default)]
pub struct Iam {}

impl Iam {
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

impl Iam {
    /// Decides whether the caller may perform the action on the resource.
    ///
    /// # Errors
    /// `AccessDeniedException` naming caller, action and resource.
    pub fn authorize(
        &self,
        _aws: &Aws,
        _caller: &Caller,
        _action: &str,
        _resource: &str,
    ) -> Result<(), ApiError> {
        Ok(())
    }
}
