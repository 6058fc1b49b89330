//! How a state fails: the error names of Amazon States Language, and what a Retry or Catch may match.

use serde_json::{Value, json};

/// Any error that may be handled at all.
pub const ALL: &str = "States.ALL";
/// Data larger than a state may carry.
pub const DATA_LIMIT: &str = "States.DataLimitExceeded";
/// No heartbeat in time.
pub const HEARTBEAT_TIMEOUT: &str = "States.HeartbeatTimeout";
/// More executions of a distributed Map failed than may.
pub const EXCEED_TOLERATED_FAILURE_THRESHOLD: &str = "States.ExceedToleratedFailureThreshold";
/// A distributed Map's items cannot be read.
pub const ITEM_READER_FAILED: &str = "States.ItemReaderFailed";
/// A distributed Map's results cannot be written.
pub const RESULT_WRITER_FAILED: &str = "States.ResultWriterFailed";
/// An intrinsic function could not do its work.
pub const INTRINSIC_FAILURE: &str = "States.IntrinsicFailure";
/// The machine's role may not do what the state asks.
pub const PERMISSIONS: &str = "States.Permissions";
/// A result has no place in the state's input.
pub const RESULT_PATH_MATCH_FAILURE: &str = "States.ResultPathMatchFailure";
/// The state cannot be carried out: never handled.
pub const RUNTIME: &str = "States.Runtime";
/// Any failure of a task but a time-out.
pub const TASK_FAILED: &str = "States.TaskFailed";
/// It took too long.
pub const TIMEOUT: &str = "States.Timeout";

/// AWS cuts longer error names.
const LONGEST_ERROR: usize = 256;
/// AWS cuts longer causes.
const LONGEST_CAUSE: usize = 32_768;

/// The error a state, a branch or an execution ends with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Its name; a Fail state need not give one.
    pub error: Option<String>,
    /// Its explanation, for people.
    pub cause: Option<String>,
}

impl Failure {
    /// A failure with a name and an explanation, each cut to what AWS keeps.
    pub fn new(error: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { error: Some(cut(error.into(), LONGEST_ERROR)), cause: Some(cut(cause.into(), LONGEST_CAUSE)) }
    }

    /// A failure without an explanation.
    pub fn bare(error: impl Into<String>) -> Self {
        Self { error: Some(error.into()), cause: None }
    }

    /// A task was given, or gave, more than a state may carry; `what` says which of them.
    #[must_use]
    pub fn too_large(task: &str, what: &str) -> Self {
        Self::new(
            DATA_LIMIT,
            format!(
                "The state/task '{task}' {what} with a size exceeding the maximum number of bytes service limit."
            ),
        )
    }

    /// A failure that nothing handles.
    pub fn runtime(cause: impl Into<String>) -> Self {
        Self::new(RUNTIME, cause)
    }

    /// Whether it ends the execution whatever the machine's Catch says.
    #[must_use]
    pub fn terminal(&self) -> bool {
        self.error.as_deref() == Some(RUNTIME)
    }

    /// Whether an `ErrorEquals` list names it.
    #[must_use]
    pub fn matches(&self, names: &[String]) -> bool {
        if self.terminal() {
            return false;
        }
        let error = self.error.as_deref().unwrap_or_default();
        let timed_out = error == TIMEOUT || error == HEARTBEAT_TIMEOUT;
        names.iter().any(|name| match name.as_str() {
            ALL => true,
            TASK_FAILED => error == TASK_FAILED || (!timed_out && error != DATA_LIMIT),
            TIMEOUT => timed_out,
            name => name == error,
        })
    }

    /// The error output: what a Catch hands to its next state.
    #[must_use]
    pub fn output(&self) -> Value {
        json!({"Error": self.error.as_deref().unwrap_or_default(), "Cause": self.cause.as_deref().unwrap_or_default()})
    }

    /// As the details of an event, leaving out what there is not.
    #[must_use]
    pub fn details(&self) -> Value {
        let mut details = json!({});
        for (member, text) in [("error", &self.error), ("cause", &self.cause)] {
            if let Some(text) = text {
                details[member] = json!(text);
            }
        }
        details
    }
}

/// What goes wrong while a state's data is read and shaped, before it is known where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The error's name.
    pub error: &'static str,
    /// What is wrong.
    pub message: String,
}

impl Fault {
    /// A [`RUNTIME`] error.
    pub fn runtime(message: impl Into<String>) -> Self {
        Self { error: RUNTIME, message: message.into() }
    }

    /// The failure of the state it happened in.
    #[must_use]
    pub fn at(self, state: &str, entered: u64) -> Failure {
        let Self { error, message } = self;
        let place = format!(
            "An error occurred while executing the state '{state}' (entered at the event id #{entered}). "
        );
        Failure::new(error, place + &message)
    }
}

/// A document as the text of an error quotes it.
#[must_use]
pub fn quoted(document: &Value) -> String {
    cut(document.to_string(), 10_000)
}

fn cut(mut text: String, longest: usize) -> String {
    if text.len() > longest {
        let end = (0..=longest).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_names_match_as_the_language_says() {
        let rows = [
            ("Boom", "Boom", true),
            ("Boom", "boom", false),
            ("Boom", ALL, true),
            ("Boom", TASK_FAILED, true),
            ("Boom", TIMEOUT, false),
            (TIMEOUT, ALL, true),
            (TIMEOUT, TASK_FAILED, false),
            (TIMEOUT, TIMEOUT, true),
            (HEARTBEAT_TIMEOUT, TIMEOUT, true),
            (HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT, true),
            (HEARTBEAT_TIMEOUT, TASK_FAILED, false),
            (DATA_LIMIT, ALL, true),
            (DATA_LIMIT, TASK_FAILED, false),
            (DATA_LIMIT, DATA_LIMIT, true),
            (RUNTIME, ALL, false),
            (RUNTIME, RUNTIME, false),
        ];
        for (error, name, expected) in rows {
            assert_eq!(Failure::bare(error).matches(&[name.to_owned()]), expected, "{error} {name}");
        }
        assert!(Failure { error: None, cause: None }.matches(&[ALL.to_owned()]));
    }

    #[test]
    fn long_causes_are_cut_between_characters() {
        let failure = Failure::new("E", "é".repeat(20_000));
        assert_eq!(failure.cause.unwrap().len(), LONGEST_CAUSE);
    }
}
