//! Log groups and streams.

use std::sync::Arc;

use serde_json::Value;

use crate::store::Store;
use crate::{ApiError, Aws, Caller, Settings};

/// Log groups and streams.
pub struct Logs {}

impl Logs {
    /// The service over its records.
    #[must_use]
    pub fn open(_settings: &Settings, _store: &Store) -> Self {
        Self {}
    }

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

impl Logs {
    /// Appends lines to a stream on a caller's behalf, creating group and stream where they are missing, under the
    /// caller's permissions. Each line is its time in milliseconds since the epoch and its text.
    ///
    /// # Errors
    /// An access denial: then nothing is kept, as on AWS, and the invocation that wrote the lines goes on.
    pub fn append(
        &self,
        _aws: &Aws,
        _caller: &Caller,
        _group: &str,
        _stream: &str,
        _lines: &[(i64, String)],
    ) -> Result<(), ApiError> {
        Ok(())
    }
}
