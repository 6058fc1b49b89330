//! What comes of an environment: a function's answer, or why there is none, in Lambda's words.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use bytes::Bytes;
use nix::sys::signal::Signal;

/// Why an environment is no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Such as `Runtime.ExitError`.
    pub kind: String,
    /// What went wrong, without the request id.
    pub message: String,
    /// The error document the runtime itself gave.
    pub document: Option<Bytes>,
}

impl Failure {
    /// One of this kind, for this reason.
    pub fn new(kind: &str, message: impl Into<String>) -> Self {
        Self { kind: kind.to_owned(), message: message.into(), document: None }
    }

    /// Whether it ran out of time.
    pub fn timed_out(&self) -> bool {
        self.kind == "Sandbox.Timedout"
    }
}

/// What came of an invocation.
pub struct Outcome {
    /// From the event to the end of the invocation.
    pub duration: Duration,
    /// By how much other work on this machine has delayed it and the initialization before it, at most.
    pub delay: Duration,
    /// The function's answer, or why there is none.
    pub answer: Result<Answer, Failure>,
}

/// What a sandbox does of itself.
pub enum Sign {
    /// It has written to its log.
    Wrote,
    /// It has ended.
    Ended(Failure),
}

/// A function's answer.
pub enum Answer {
    /// Its result.
    Response(Bytes),
    /// Its error document, with the type the runtime named.
    Error(Bytes, Option<String>),
}

/// The process ended before its time.
pub fn exited(status: std::io::Result<ExitStatus>) -> Failure {
    let reason = match status {
        Err(e) => format!("with error: {e}"),
        Ok(status) => match (status.code(), status.signal()) {
            (Some(0), _) => "without providing a reason".to_owned(),
            (Some(code), _) => format!("with error: exit status {code}"),
            (None, Some(signal)) => format!("with error: signal: {}", signal_name(signal)),
            (None, None) => format!("with error: {status}"),
        },
    };
    Failure::new("Runtime.ExitError", format!("Error: Runtime exited {reason}"))
}

/// There is no CPU share to run it with.
pub fn no_share(error: &std::io::Error) -> Failure {
    Failure::new("Runtime.StartError", format!("Error: no CPU share: {error}"))
}

/// It used more memory than it has.
pub fn out_of_memory() -> Failure {
    Failure::new("Runtime.OutOfMemory", "Error: Runtime exited with error: signal: killed")
}

/// It answered with more than Lambda takes.
pub fn too_large() -> Answer {
    let kind = "Function.ResponseSizeTooLarge";
    let limit = super::runtime_api::PAYLOAD_LIMIT;
    let message = format!("Response payload size exceeded maximum allowed payload size ({limit} bytes).");
    let document = serde_json::json!({"errorType": kind, "errorMessage": message});
    Answer::Error(Bytes::from(document.to_string()), Some(kind.to_owned()))
}

/// A signal as Go, in which Lambda's supervisor is written, names it.
fn signal_name(signal: i32) -> String {
    match Signal::try_from(signal) {
        Ok(Signal::SIGKILL) => "killed".to_owned(),
        Ok(Signal::SIGABRT) => "aborted".to_owned(),
        Ok(Signal::SIGSEGV) => "segmentation fault".to_owned(),
        Ok(Signal::SIGBUS) => "bus error".to_owned(),
        Ok(Signal::SIGILL) => "illegal instruction".to_owned(),
        Ok(Signal::SIGTERM) => "terminated".to_owned(),
        Ok(Signal::SIGFPE) => "floating point exception".to_owned(),
        _ => format!("signal {signal}"),
    }
}
