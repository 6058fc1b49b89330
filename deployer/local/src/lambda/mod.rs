//! AWS Lambda: functions, versions and aliases, and the execution environments that run them.
//!
//! [`Lambda::call`] is the control plane (JSON in and out, AWS's member names); [`Lambda::invoke`] runs a function.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use crate::{ApiError, Aws, Caller};

/// Functions and their execution environments.
#[derive(Default)]
pub struct Lambda {}

/// How an invocation is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InvocationType {
    /// Runs and answers with the function's response.
    #[default]
    RequestResponse,
    /// Queues the event, answers 202 at once, and retries a failing function twice.
    Event,
    /// Checks permissions and parameters only, and answers 204.
    DryRun,
}

/// One call of the Invoke API.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The function's name, partial ARN or ARN, which may carry a version or alias.
    pub function: String,
    /// A version or alias, when `function` does not carry it.
    pub qualifier: Option<String>,
    /// The event: JSON text, or nothing for `{}`.
    pub payload: Bytes,
    /// Whether the answer carries the last 4 KB of the log.
    pub log_tail: bool,
    /// How it is answered.
    pub invocation_type: InvocationType,
}

/// The answer to an [`Invocation`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoked {
    /// 200 for an invocation that ran (also one that failed), 202 for a queued event, 204 for a dry run.
    pub status: u16,
    /// The function's response, or the error object when `function_error` is set.
    pub payload: Bytes,
    /// `Unhandled` when the function or its runtime failed.
    pub function_error: Option<String>,
    /// The last 4 KB of the log, in base64, when asked for.
    pub log_result: Option<String>,
    /// The version that ran, a number or `$LATEST`.
    pub executed_version: String,
}

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

    /// Invokes a function.
    ///
    /// # Errors
    /// What AWS would answer: the function does not exist, is throttled, or the caller may not invoke it. A function
    /// that fails is an answer, [`Invoked::function_error`], not an error.
    pub async fn invoke(
        &self,
        _aws: &Arc<Aws>,
        _caller: &Caller,
        _invocation: Invocation,
    ) -> Result<Invoked, ApiError> {
        Err(ApiError::new(404, "ResourceNotFoundException", "no function exists yet"))
    }

    /// Waits until every queued event has been processed, retries included.
    pub async fn drain(&self) {}

    /// Ends every execution environment; nothing they started survives.
    pub async fn shutdown(&self) {}
}
