//! What goes wrong, and the name Step Functions sees it under (`$.error.Error`).
//!
//! A handler returns [`Error`]; the runtime turns it into Lambda's `errorType` and `errorMessage`. Messages say
//! what to do, and never contain a payload when the run was asked not to log payloads.

use lambda_runtime::Diagnostic;

/// The kinds of failure, each with a fixed `errorType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The execution input, or the event around it, is not usable.
    InvalidInput,
    /// The tuned function does not exist.
    FunctionNotFound,
    /// The tuned function is in a state in which it cannot be tuned.
    FunctionNotReady,
    /// A setting of the tuned function makes it impossible to measure memory sizes.
    FunctionNotTunable,
    /// Another live execution is tuning the function.
    AlreadyBeingTuned,
    /// An alias of ours would be called like one that somebody else made.
    AliasClash,
    /// The lock is gone, belongs to somebody else, or the run is being cleaned up.
    LockLost,
    /// Somebody changed the function while it was being tuned.
    FunctionChanged,
    /// The tuned function raised an error.
    InvocationFailed,
    /// The tuned function's process ended by itself, and neither memory nor time explains it.
    FunctionCrashed,
    /// A pre- or post-processor failed.
    ProcessorFailed,
    /// An invocation was answered without a usable report of its duration.
    NoReport,
    /// No power value brought a measurement.
    NothingMeasured,
    /// The time there was did not suffice.
    OutOfTime,
    /// AWS refused a call for lack of permission.
    AccessDenied,
    /// AWS refused a call for another reason.
    Refused,
    /// The environment of the function is incomplete.
    Environment,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 17] = [
        Self::InvalidInput,
        Self::FunctionNotFound,
        Self::FunctionNotReady,
        Self::FunctionNotTunable,
        Self::AlreadyBeingTuned,
        Self::AliasClash,
        Self::LockLost,
        Self::FunctionChanged,
        Self::InvocationFailed,
        Self::FunctionCrashed,
        Self::ProcessorFailed,
        Self::NoReport,
        Self::NothingMeasured,
        Self::OutOfTime,
        Self::AccessDenied,
        Self::Refused,
        Self::Environment,
    ];

    /// The `errorType` of this kind.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidInput => "InvalidInput",
            Self::FunctionNotFound => "FunctionNotFound",
            Self::FunctionNotReady => "FunctionNotReady",
            Self::FunctionNotTunable => "FunctionNotTunable",
            Self::AlreadyBeingTuned => "AlreadyBeingTuned",
            Self::AliasClash => "AliasClash",
            Self::LockLost => "LockLost",
            Self::FunctionChanged => "FunctionChanged",
            Self::InvocationFailed => "InvocationFailed",
            Self::FunctionCrashed => tuning::failure::CRASHED,
            Self::ProcessorFailed => "ProcessorFailed",
            Self::NoReport => "NoReport",
            Self::NothingMeasured => "NothingMeasured",
            Self::OutOfTime => "OutOfTime",
            Self::AccessDenied => "AccessDenied",
            Self::Refused => "Refused",
            Self::Environment => "Environment",
        }
    }
}

/// A failure of a handler: its kind and a message for the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What kind of failure it is.
    pub kind: Kind,
    /// What happened and what to do about it.
    pub message: String,
}

impl Error {
    /// A failure of this kind with this message.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// Time ran out before this was done, because AWS was slow or refused calls for a while; the beginning of a sentence.
    pub fn late(what: impl std::fmt::Display) -> Self {
        let message = format!(
            "{what} in time: Lambda was slow, throttled calls or was busy with the function; run it again, and if that does not help, \
             deploy with a longer totalExecutionTimeout"
        );
        Self::new(Kind::OutOfTime, message)
    }

    /// AWS made a version and did not say which.
    pub fn no_version() -> Self {
        Self::new(Kind::Refused, "Lambda answered PublishVersion without the version's number: run it again")
    }

    /// The event is not one this handler understands.
    pub fn event(handler: &str, problem: impl std::fmt::Display) -> Self {
        Self::new(Kind::InvalidInput, format!("the {handler}'s event is not usable: {problem}"))
    }
}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Self {
        Self { error_type: error.kind.name().to_owned(), error_message: error.message }
    }
}
