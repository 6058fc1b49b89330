//! What a failed invocation means: a power value that is too small, a result that the user allows, or a bug. Beside the
//! report: the Executor asks here when the Lambda API says `FunctionError`.

use crate::pricing::Architecture;
use crate::report::{Report, Status};
use serde_json::Value;
use std::fmt;

/// What an invocation with a `FunctionError` is to the run.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// An error type in `allowedExceptions`: a normal result.
    Allowed {
        /// The error's type.
        error_type: String,
    },
    /// The function cannot work at this power value. A measurement: the value is skipped, the run goes on.
    TooSmall {
        /// Why, in words for the output's `skipped`.
        reason: String,
        /// Whether it ran out of time and not of memory.
        timed_out: bool,
    },
    /// The process ended without an answer, for a reason that is neither memory nor time. A bug, however rarely it
    /// happens: the run fails.
    Crashed(HandlerError),
    /// The code's process cannot be started, by whatever payload and at whatever size: the run fails.
    CannotStart(HandlerError),
    /// The handler raised. A bug: the run fails.
    Handler(HandlerError),
}

/// What a handler raised.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HandlerError {
    /// The runtime's name for the error, `Unknown` when it gave none.
    pub error_type: String,
    /// The error's message.
    pub message: String,
    /// The stack trace, one frame per element; empty when the runtime gave none.
    pub trace: Vec<String>,
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "original error type: {:?}, original error message: {:?}", self.error_type, self.message)?;
        if !self.trace.is_empty() {
            write!(f, ", trace: {}", self.trace.join(" | "))?;
        }
        Ok(())
    }
}

impl std::error::Error for HandlerError {}

/// The type of the error with which a run ends whose function crashed. The state machine does not try again after it: a crash
/// that happens now and then would disappear in the second attempt.
pub const CRASHED: &str = "FunctionCrashed";

/// Error types by which the languages say that memory ran out inside the handler.
const OUT_OF_MEMORY: [&str; 6] = [
    "Runtime.OutOfMemory",
    "Runtime.OutOfMemoryError",
    "MemoryError",
    "NoMemoryError",
    "OutOfMemoryException",
    "OutOfMemoryError",
];

/// What runtimes write into the log as they end for lack of memory: V8, Java, Python, Go, Rust, .NET.
const OUT_OF_MEMORY_LOGGED: [&str; 6] = [
    "JavaScript heap out of memory",
    "java.lang.OutOfMemoryError",
    "MemoryError",
    "fatal error: runtime: out of memory",
    "memory allocation of ",
    "System.OutOfMemoryException",
];

/// Judges the answer of an invocation that ended in a `FunctionError`. `log_tail` is the end of its log, `report` the
/// report in there, if there is one.
pub fn classify(answer: &[u8], log_tail: &str, report: Option<&Report>, allowed: &[String]) -> Outcome {
    let error = read(answer, report);
    if allowed.contains(&error.error_type) {
        return Outcome::Allowed { error_type: error.error_type };
    }
    if error.error_type == "Runtime.InvalidEntrypoint" {
        return Outcome::CannotStart(error);
    }
    let crashed = crashed(&error);
    match too_small(&error, crashed, log_tail, report) {
        Some((reason, timed_out)) => Outcome::TooSmall { reason, timed_out },
        None if crashed => Outcome::Crashed(error),
        None => Outcome::Handler(error),
    }
}

fn crashed(error: &HandlerError) -> bool {
    let kinds =
        ["Runtime.ExitError", "Runtime.UnhandledPromiseRejection", "Extension.Crash", "Extension.ExitError"];
    let message = error.message.as_str();
    kinds.contains(&error.error_type.as_str())
        || (!has_type(error)
            && (message.contains("Runtime exited") || message.contains("Process exited before")))
}

/// Why, and whether that is time.
fn too_small(
    error: &HandlerError,
    crashed: bool,
    log_tail: &str,
    report: Option<&Report>,
) -> Option<(String, bool)> {
    let kind = error.error_type.as_str();
    let message = error.message.as_str();
    let last_word = kind.rsplit(['.', ':']).next().unwrap_or_default();
    if OUT_OF_MEMORY.contains(&kind) || OUT_OF_MEMORY.contains(&last_word) {
        return Some((format!("out of memory: {}{}", detail(error), used(report)), false));
    }
    let timed_out = report.is_some_and(|report| report.status == Status::Timeout)
        || ["Sandbox.Timedout", "Function.Timedout", "Runtime.Timedout"].contains(&kind)
        // Older answers have no error type.
        || (!has_type(error) && message.contains("Task timed out after"));
    if timed_out {
        let after = match message.split_once("Task timed out after ") {
            Some((_, after)) => format!(" after {}", after.trim_end_matches('.')),
            None => String::new(),
        };
        return Some((
            format!("timed out{after}: the function's own time-out is too short for this size"),
            true,
        ));
    }
    let logged = || OUT_OF_MEMORY_LOGGED.iter().any(|words| log_tail.contains(words));
    (crashed && (memory_was_full(report) || logged()))
        .then(|| (format!("out of memory: {}{}", detail(error), used(report)), false))
}

/// Lambda reports at most the memory size itself, and kills when it is reached; a few MB may be missing in the report.
fn memory_was_full(report: Option<&Report>) -> bool {
    report
        .and_then(|report| Some(report.max_memory_used? as f64 >= 0.97 * report.memory_size? as f64))
        .unwrap_or(false)
}

fn used(report: Option<&Report>) -> String {
    match report.map(|report| (report.max_memory_used, report.memory_size)) {
        Some((Some(used), Some(size))) => format!(" ({used} of {size} MB used)"),
        _ => String::new(),
    }
}

fn has_type(error: &HandlerError) -> bool {
    error.error_type != UNKNOWN
}

/// The message without the request id in front, which tells nobody anything.
fn detail(error: &HandlerError) -> &str {
    match error.message.split_once(" Error: ") {
        Some((id, rest)) if id.starts_with("RequestId: ") => rest,
        _ if error.message.is_empty() => &error.error_type,
        _ => &error.message,
    }
}

/// Whether the handler's module, or one that it loads, could not be loaded, as when it was built for another processor.
pub fn cannot_load(error: &HandlerError) -> bool {
    error.error_type == "Runtime.ImportModuleError"
}

/// What to do about code whose process cannot be started on this processor; what Lambda said comes first.
pub fn cannot_start(error: &HandlerError, architecture: Architecture) -> String {
    let said = detail(error);
    let remedy = if said.contains("exec format error") {
        format!(
            "the function's architecture is {architecture}: build its code for {architecture}, or set the architecture that \
             it was built for"
        )
    } else if said.contains("permission denied") {
        "its program must be executable by everybody (chmod 755) before it is packed".to_owned()
    } else {
        "its program must be called `bootstrap` and lie at the top of the package or of a layer, and a script's first line \
         must name an interpreter that is there (no carriage return at its end)"
            .to_owned()
    };
    format!("the function's code cannot be started: {said}; {remedy}")
}

const UNKNOWN: &str = "Unknown";

fn read(answer: &[u8], report: Option<&Report>) -> HandlerError {
    let value: Value = serde_json::from_slice(answer).unwrap_or(Value::Null);
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let from_report = || report.and_then(|report| report.error_type.clone());
    HandlerError {
        error_type: text("errorType")
            .filter(|kind| !kind.is_empty())
            .or_else(from_report)
            .unwrap_or_else(|| UNKNOWN.to_owned()),
        message: text("errorMessage").unwrap_or_else(|| match &value {
            Value::Null => String::from_utf8_lossy(answer).chars().take(1000).collect(),
            Value::String(string) => string.clone(),
            _ => String::new(),
        }),
        trace: value.get("stackTrace").or_else(|| value.get("trace")).map(frames).unwrap_or_default(),
    }
}

/// Node and Python give a list of lines, Java one of strings, some give a single text or lists of lists.
fn frames(trace: &Value) -> Vec<String> {
    match trace {
        Value::Null => Vec::new(),
        Value::String(text) => text.lines().map(str::to_owned).collect(),
        Value::Array(frames) => frames
            .iter()
            .map(|frame| frame.as_str().map_or_else(|| frame.to_string(), |text| text.trim().to_owned()))
            .collect(),
        other => vec![other.to_string()],
    }
}
