//! Functions and their execution environments.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use crate::store::Store;
use crate::{ApiError, Aws, Caller, Settings};

/// Functions and their execution environments.
pub struct Lambda {}

impl Lambda {
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

/// How an invocation is to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InvocationType {
    /// With the function's result.
    #[default]
    RequestResponse,
    /// At once; the function runs later (`Event`).
    Event,
    /// With whether the caller may invoke it; nothing runs.
    DryRun,
}

/// One `Invoke` request.
#[derive(Debug, Clone, Default)]
pub struct Invocation {
    /// The function's name, partial or full ARN, as the request names it.
    pub function: String,
    /// The version or alias, when given apart from the name.
    pub qualifier: Option<String>,
    /// The event.
    pub payload: Bytes,
    /// Whether the last 4 KB of the log are wanted (`X-Amz-Log-Type: Tail`).
    pub log_tail: bool,
    /// How it is to be answered.
    pub invocation_type: InvocationType,
    /// The client context, base64 as sent.
    pub client_context: Option<String>,
}

/// The answer to an `Invoke` request.
#[derive(Debug, Clone)]
pub struct Invoked {
    /// 200, 202 for `Event`, 204 for `DryRun`.
    pub status: u16,
    /// The result or error document of the function.
    pub payload: Bytes,
    /// `Handled` or `Unhandled` when the function failed.
    pub function_error: Option<String>,
    /// The log tail, base64.
    pub log_result: Option<String>,
    /// The version that ran.
    pub executed_version: String,
}

impl Lambda {
    /// Invokes a function.
    ///
    /// # Errors
    /// What AWS would answer when the function does not get to run; a function that fails is an [`Invoked`].
    pub async fn invoke(
        &self,
        _aws: &Arc<Aws>,
        _caller: &Caller,
        invocation: Invocation,
    ) -> Result<Invoked, ApiError> {
        Err(ApiError::new(
            404,
            "ResourceNotFoundException",
            format!("Function not found: {}", invocation.function),
        ))
    }
}
