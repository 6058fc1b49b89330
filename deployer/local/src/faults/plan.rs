//! What is to go wrong, and where: the plan, as JSON and as values.

use serde::{Deserialize, Serialize};

use crate::lambda::InvokeError;

/// What goes wrong at a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Refused for now, as the service words it; no effect.
    Throttle,
    /// A 500 of the service; no effect.
    ServerError,
    /// Refused with 409, as if another change were under way; no effect.
    Conflict,
    /// Refused for lack of permission, this once; no effect.
    Denied,
    /// Refused for lack of permission, and so is the caller's every later call of the operation.
    DeniedFromNowOn,
    /// It has its effect, but the connection ends without an answer.
    LostAnswer,
    /// The connection ends before anything was done.
    LostRequest,
    /// It has its effect, then the calling function's time is up.
    CallerTimeOut,
    /// It has its effect, then the calling function's process is killed.
    CallerCrash,
    /// It has its effect, then every running execution is stopped.
    ExecutionStopped,
    /// It has its effect, then every running execution's time is up.
    ExecutionTimedOut,
    /// It has its effect, but for a while reads show what was there before.
    StaleReads,
    /// What it makes or changes is not ready for a while.
    Pending,
    /// It has its effect, but the function's last update is then reported as failed, until the next one.
    UpdateFails,
    /// Before it, somebody else sets the function's memory size.
    EditMemory,
    /// Before it, somebody else sets the function's description.
    EditSettings,
    /// Before it, somebody else publishes a version and points an alias at it.
    EditVersions,
    /// `DescribeExecution` does not know the execution yet; no effect.
    NotYetKnown,
    /// An event for which there is a target is not delivered. Placed by `nth` among such events, not by a call.
    EventLost,
    /// A bucket's name that was deleted within the hour is not free. Placed by `nth` among attempts to take such a name,
    /// not by a call.
    NameHeld,
    /// An invocation is refused with this error; no effect.
    InvokeError(InvokeError),
}

impl Kind {
    /// All that can happen at calls of many operations: what a sweep goes through.
    pub const ALL: [Self; 16] = [
        Self::Throttle,
        Self::ServerError,
        Self::Conflict,
        Self::Denied,
        Self::DeniedFromNowOn,
        Self::LostAnswer,
        Self::LostRequest,
        Self::CallerTimeOut,
        Self::CallerCrash,
        Self::ExecutionStopped,
        Self::ExecutionTimedOut,
        Self::StaleReads,
        Self::Pending,
        Self::EditMemory,
        Self::EditSettings,
        Self::EditVersions,
    ];

    /// Whether it can happen at calls of an operation: only changes conflict and can be seen late, only functions and
    /// versions can be pending.
    #[must_use]
    pub fn fits(self, operation: &str) -> bool {
        let reads = reads(operation);
        match self {
            Self::Conflict => !reads,
            Self::StaleReads => !reads && operation != "Invoke",
            Self::NotYetKnown => operation == "DescribeExecution",
            Self::EventLost | Self::NameHeld => false,
            Self::UpdateFails => operation == "UpdateFunctionConfiguration",
            Self::Pending => {
                matches!(
                    operation,
                    "CreateFunction"
                        | "UpdateFunctionConfiguration"
                        | "UpdateFunctionCode"
                        | "PublishVersion"
                )
            }
            Self::InvokeError(_) => operation == "Invoke",
            _ => true,
        }
    }

    /// Whether it happens by itself, not at a call of a session.
    pub(super) const fn is_apart(self) -> bool {
        matches!(self, Self::EventLost | Self::NameHeld)
    }

    /// Its name in a plan.
    #[must_use]
    pub fn name(self) -> String {
        if let Self::InvokeError(error) = self {
            return error.code().to_owned();
        }
        serde_json::to_value(self).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

/// Whether an operation changes nothing.
pub(super) fn reads(operation: &str) -> bool {
    ["Get", "List", "Describe", "Head"].iter().any(|verb| operation.starts_with(verb))
}

/// One thing that goes wrong at one call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Fault {
    /// A part of the calling function's name; any caller when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// The operation, such as `UpdateAlias`; any when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Which of the calls that fit, from 1.
    #[serde(default = "first")]
    pub nth: u32,
    /// What happens.
    pub kind: Kind,
}

fn first() -> u32 {
    1
}

impl Fault {
    /// A fault at the `nth` call (from 1) of an operation by a caller whose name contains `caller`.
    #[must_use]
    pub fn at(caller: &str, operation: &str, nth: u32, kind: Kind) -> Self {
        Self { caller: Some(caller.to_owned()), operation: Some(operation.to_owned()), nth, kind }
    }

    pub(super) fn concerns(&self, caller: &str, operation: &str) -> bool {
        self.caller.as_ref().is_none_or(|part| caller.contains(part.as_str()))
            && self.operation.as_ref().is_none_or(|name| name == operation)
    }
}

/// What is wrong with a plan.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PlanError(String);

/// Reads a plan: a JSON list of objects with `kind` and, to place it, `caller`, `operation` and `nth`.
///
/// # Errors
/// [`PlanError`], naming the fault by its number.
pub fn read(text: &str) -> Result<Vec<Fault>, PlanError> {
    let wrong = |e: serde_json::Error| {
        PlanError(format!(
            "a plan of faults is a JSON list such as [{{\"operation\": \"UpdateAlias\", \"nth\": 2, \"kind\": \"lost-answer\"}}]: {e}"
        ))
    };
    let list: Vec<serde_json::Value> = serde_json::from_str(text).map_err(wrong)?;
    let one = |(index, value): (usize, serde_json::Value)| {
        let number = index + 1;
        let fault: Fault =
            serde_json::from_value(value).map_err(|e| PlanError(format!("fault {number}: {e}")))?;
        if fault.nth == 0 {
            return Err(PlanError(format!("fault {number}: nth is 0, but calls are counted from 1")));
        }
        if let Some(operation) = fault.operation.as_deref().filter(|operation| !fault.kind.fits(operation)) {
            return Err(PlanError(format!(
                "fault {number}: kind {} does not happen at {operation}",
                fault.kind.name()
            )));
        }
        if fault.kind.is_apart() && fault.caller.is_some() {
            return Err(PlanError(format!(
                "fault {number}: kind {} does not happen at a caller's calls: leave caller out",
                fault.kind.name()
            )));
        }
        Ok(fault)
    };
    list.into_iter().enumerate().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_that_is_none_is_refused() {
        for (text, words) in [
            ("{}", "a JSON list such as"),
            (
                r#"[{"kind":"throttle"},{"kind":"thunder"}]"#,
                "fault 2: unknown variant `thunder`, expected one of `throttle`",
            ),
            (r#"[{"kind":"throttle","at":3}]"#, "fault 1: unknown field `at`, expected one of `caller`"),
            (r#"[{"kind":"throttle","nth":0}]"#, "fault 1: nth is 0"),
            (
                r#"[{"kind":"pending","operation":"GetAlias"}]"#,
                "fault 1: kind pending does not happen at GetAlias",
            ),
            (
                r#"[{"kind":"event-lost","operation":"PutRule"}]"#,
                "kind event-lost does not happen at PutRule",
            ),
            (
                r#"[{"kind":"name-held","caller":"x"}]"#,
                "fault 1: kind name-held does not happen at a caller's calls",
            ),
            (r#"[{"operation":"GetAlias"}]"#, "fault 1: missing field `kind`"),
        ] {
            let message = read(text).unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
        }
        let plan = read(r#"[{"caller":"publisher","operation":"UpdateAlias","nth":2,"kind":"lost-answer"}]"#);
        assert_eq!(plan, Ok(vec![Fault::at("publisher", "UpdateAlias", 2, Kind::LostAnswer)]));
    }

    #[test]
    fn every_kind_is_listed_once_and_named() {
        let names: std::collections::BTreeSet<String> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), Kind::ALL.len());
        assert!(names.contains("execution-timed-out"), "{names:?}");
    }
}
