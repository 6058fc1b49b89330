//! Stacks and change sets.

mod error;
mod records;
mod resources;
mod template;

use std::sync::Arc;

use serde_json::Value;

use crate::store::Store;
use crate::{ApiError, Aws, Caller, Settings};

/// Stacks and change sets.
pub struct CloudFormation {}

impl CloudFormation {
    /// The service over its records.
    #[must_use]
    pub fn open(_settings: &Settings, _store: &Store) -> Self {
        Self {}
    }

    /// Takes up what an earlier process left unfinished.
    pub async fn start(&self, _aws: &Arc<Aws>) {}

    /// Lets what runs come to its end, and ends what would not.
    pub async fn stop(&self, _aws: &Arc<Aws>) {}

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
