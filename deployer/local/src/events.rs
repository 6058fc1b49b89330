//! Rules and targets.

use std::sync::Arc;

use serde_json::Value;

use crate::store::Store;
use crate::{ApiError, Aws, Caller, Settings};

/// Rules and targets.
pub struct Events {}

impl Events {
    /// The service over its records.
    #[must_use]
    pub fn open(_settings: &Settings, _store: &Store) -> Self {
        Self {}
    }

    /// Waits until the targets of the events emitted so far have been invoked.
    pub async fn stop(&self, _aws: &Arc<Aws>) {}

    /// Sends an event to the targets of the rules that match it, without waiting for them. `event` is the envelope
    /// (`source`, `detail-type`, `resources`, `detail`); what is missing of the rest (`id`, `time`, `account`, `region`,
    /// `version`) is added.
    pub fn emit(&self, _aws: &Arc<Aws>, _event: Value) {}

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
