//! What the user reads when something failed: the cause first, then what was being done, then what to do.
//!
//! Modules have their own `thiserror` types; commands add context with `anyhow`, phrased as what was being done
//! ("creating the change set"). Advice is kept apart from messages: [`Advice::hint`].

use std::fmt;
use std::io::Write;

use schemars::JsonSchema;
use serde::Serialize;

use crate::call::CallError;
use crate::fold;
use crate::interrupt::Interrupted;
use crate::outcome::Status;

/// Wrong usage, found before anything was touched. Ends the program with status 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// Adds advice to a failure.
pub trait Advice<T> {
    /// Says what the user can do about it; shown after the message, as `hint: …`.
    ///
    /// # Errors
    /// The failure itself, with the advice attached.
    fn hint(self, hint: impl fmt::Display) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> Advice<T> for Result<T, E> {
    fn hint(self, hint: impl fmt::Display) -> anyhow::Result<T> {
        self.map_err(|error| hinted(error, hint))
    }
}

/// A failure with advice attached.
pub fn hinted(error: impl Into<anyhow::Error>, hint: impl fmt::Display) -> anyhow::Error {
    anyhow::Error::new(Hinted { error: error.into(), hint: hint.to_string() })
}

/// A failure with advice. It shows and sources like the failure inside, so that it changes nothing but the hints.
#[derive(Debug)]
struct Hinted {
    error: anyhow::Error,
    hint: String,
}

impl fmt::Display for Hinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error, f)
    }
}

impl std::error::Error for Hinted {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

/// Whether a failure is, or was caused by, one of this type.
pub fn is<E: std::error::Error + Send + Sync + 'static>(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.is::<E>() || cause.downcast_ref::<Hinted>().is_some_and(|hinted| is::<E>(&hinted.error))
    })
}

/// What `--json` prints on stdout instead of a result.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "Failed")]
pub struct Document {
    /// What went wrong.
    error: Failure,
}

/// What `--json` writes on stderr as the last event.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "FailedEvent")]
#[serde(tag = "event", rename_all = "camelCase")]
pub enum Event {
    /// The command failed.
    Failed {
        /// What went wrong.
        error: Failure,
    },
}

/// A failure taken apart for showing.
#[derive(Debug, JsonSchema, Serialize, PartialEq, Eq)]
pub struct Failure {
    /// The cause.
    pub message: String,
    /// What was being done, innermost first.
    #[serde(rename = "while")]
    pub doing: Vec<String>,
    /// What the user can do.
    pub hints: Vec<String>,
}

impl Failure {
    /// Takes an error apart.
    #[must_use]
    pub fn of(error: &anyhow::Error) -> Self {
        let mut messages: Vec<String> = error.chain().map(ToString::to_string).collect();
        // Many messages end with their cause already.
        messages.dedup_by(|cause, message| {
            message == cause || message.strip_suffix(cause.as_str()).is_some_and(|rest| rest.ends_with(": "))
        });
        let message = messages.pop().unwrap_or_default();
        messages.reverse();
        let mut hints = Vec::new();
        gather(error, &mut hints);
        // The hint nearest to the cause knows most about it.
        hints.reverse();
        Self { message, doing: messages, hints }
    }
}

fn gather(error: &anyhow::Error, hints: &mut Vec<String>) {
    for cause in error.chain() {
        // A refused call knows by itself what to do about it.
        hints.extend(cause.downcast_ref::<CallError>().and_then(CallError::hint));
        if let Some(hinted) = cause.downcast_ref::<Hinted>() {
            hints.push(hinted.hint.clone());
            return gather(&hinted.error, hints);
        }
    }
}

/// The exit status of a failure: 2 for wrong usage, 130 for Ctrl-C, else 1.
#[must_use]
pub fn status(error: &anyhow::Error) -> Status {
    if is::<Usage>(error) {
        Status::UsageOrChanges
    } else if is::<Interrupted>(error) {
        Status::Interrupted
    } else {
        Status::Failed
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        for doing in &self.doing {
            write!(f, "\n  while {doing}")?;
        }
        for hint in &self.hints {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

/// Shows a failure on stderr and says how the program ends. With `json` it is the last event there, and a document on stdout.
#[must_use]
pub fn print(error: &anyhow::Error, json: bool, color: bool) -> Status {
    let failure = Failure::of(error);
    if json {
        let document = Document { error: failure };
        // A failure to tell about the failure leaves nothing but the exit status.
        let _ = serde_json::to_string_pretty(&document).map(|text| crate::outcome::announce(&text));
        let event = serde_json::to_string(&Event::Failed { error: document.error });
        let _ = event.map(|text| writeln!(std::io::stderr().lock(), "{text}"));
        return status(error);
    }
    let text = failure.to_string();
    let text = fold::stderr_columns().map_or_else(|| text.clone(), |columns| fold::fold(&text, columns));
    let text = if color { text.replacen("error:", "\u{1b}[1;31merror:\u{1b}[0m", 1) } else { text };
    let _ = writeln!(std::io::stderr().lock(), "{text}");
    status(error)
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    fn failed() -> anyhow::Error {
        Err::<(), _>(anyhow::anyhow!("access denied"))
            .hint("ask for `s3:PutObject`")
            .context("uploading functions.zip")
            .hint("or use --assets-bucket")
            .context("deploying")
            .unwrap_err()
    }

    #[test]
    fn the_cause_comes_first_and_the_hints_last() {
        assert_eq!(
            Failure::of(&failed()).to_string(),
            "error: access denied\n  while uploading functions.zip\n  while deploying\n\
             hint: ask for `s3:PutObject`\nhint: or use --assets-bucket"
        );
    }

    #[test]
    fn wrong_usage_is_known_below_context_and_hints() {
        let error = Err::<(), _>(Usage("no".into())).hint("a").context("b").hint("c").unwrap_err();
        assert_eq!(status(&error).code(), 2);
        assert_eq!(status(&failed()).code(), 1);
        let error = Err::<(), _>(Interrupted::Signal).context("a").hint("b").context("c").unwrap_err();
        assert_eq!(status(&error).code(), 130);
    }
}
