//! Whether an execution is still alive: what decides between waiting for its lock and recovering it.

use std::time::SystemTime;

use aws_sdk_sfn::types::ExecutionStatus;
use tokio::time::Instant;

use crate::clients::Clients;
use crate::deadline::Deadline;
use crate::error::Error;
use crate::function_api::{Backoff, transient};

/// What Step Functions knows about an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Life {
    /// It is running.
    Running,
    /// It is over; with its status and input.
    Over {
        /// `FAILED`, `ABORTED` and so on.
        status: String,
        /// Its input, as text.
        input: String,
        /// When it ended, if that is told.
        ended: Option<SystemTime>,
    },
    /// There is none of this name, or none any more.
    Unknown,
    /// This function may not ask.
    Denied(String),
}

/// Asks Step Functions about an execution, and believes that there is none only after a while: one that has just begun
/// must not be taken for dead.
///
/// # Errors
/// As for [`look_up`].
pub async fn look_up_surely(clients: &Clients, execution: &str, deadline: Deadline) -> Result<Life, Error> {
    let started = Instant::now();
    let mut backoff = Backoff::polling();
    loop {
        let life = look_up(clients, execution, deadline).await?;
        let lagging = life == Life::Unknown && started.elapsed() < clients.waits().missing_execution;
        if !lagging || !backoff.wait(deadline).await {
            return Ok(life);
        }
    }
}

/// Asks Step Functions about an execution.
///
/// # Errors
/// When there is no answer before the deadline, or AWS refuses for another reason than a lack of permission.
pub async fn look_up(clients: &Clients, execution: &str, deadline: Deadline) -> Result<Life, Error> {
    let region = execution.split(':').nth(3).unwrap_or_default();
    let client = clients.states(region)?;
    let found = transient::call("DescribeExecution", deadline, false, || {
        client.describe_execution().execution_arn(execution).send()
    })
    .await;
    match found {
        // Waiting for a redrive that was asked for is as good as running.
        Ok(found) if matches!(found.status(), ExecutionStatus::Running | ExecutionStatus::PendingRedrive) => {
            Ok(Life::Running)
        }
        Ok(found) => {
            let input = found.input().unwrap_or_default().to_owned();
            let ended = found.stop_date().and_then(|date| SystemTime::try_from(*date).ok());
            Ok(Life::Over { status: found.status().as_str().to_owned(), input, ended })
        }
        Err(refusal) if matches!(refusal.code.as_str(), "ExecutionDoesNotExist" | "InvalidArn") => {
            Ok(Life::Unknown)
        }
        Err(refusal) if refusal.is_denied() => Ok(Life::Denied(refusal.message)),
        Err(refusal) => Err(refusal.into()),
    }
}
