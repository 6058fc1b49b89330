//! A state machine as it is executed: what [`super::parse`] makes of a definition's text, and the problems it finds.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::{Value, json};

use super::choice::Rule;
use super::intrinsic::Expression;
use super::path::{Path, Reference};
use super::retry::{Catcher, Retrier};
use super::template::Template;

/// A machine, a Parallel's branch or a Map's processor.
#[derive(Debug)]
pub struct Flow {
    /// The first state.
    pub start: String,
    /// All states by name.
    pub states: BTreeMap<String, State>,
    /// How long an execution may take, in seconds.
    pub timeout: Option<u64>,
}

/// One state.
#[derive(Debug)]
pub struct State {
    /// Its name.
    pub name: String,
    /// What it does.
    pub kind: Kind,
    /// `InputPath`.
    pub input: Selection,
    /// `Parameters`.
    pub parameters: Option<Template>,
    /// `ResultSelector`.
    pub selector: Option<Template>,
    /// `ResultPath`.
    pub result: ResultPath,
    /// `OutputPath`.
    pub output: Selection,
    /// `Retry`.
    pub retry: Vec<Retrier>,
    /// `Catch`.
    pub catch: Vec<Catcher>,
    /// The next state; none at the end.
    pub next: Option<String>,
}

/// `InputPath` and `OutputPath`.
#[derive(Debug)]
pub enum Selection {
    /// Not given: everything.
    All,
    /// `null`: an empty object.
    Nothing,
    /// A part.
    Part(Path),
}

/// `ResultPath`.
#[derive(Debug)]
pub enum ResultPath {
    /// Not given: the result replaces the input.
    Replace,
    /// `null`: the result is dropped.
    Discard,
    /// The result goes into the input.
    Into(Reference),
}

/// What a state does.
#[derive(Debug)]
pub enum Kind {
    /// Calls a Lambda function.
    Task(Task),
    /// Chooses the next state.
    Choice {
        /// The rules in order, each with its next state.
        rules: Vec<(Rule, String)>,
        /// The next state when none matches.
        default: Option<String>,
    },
    /// Runs its processor once per item.
    Map {
        /// `ItemsPath`.
        items: Path,
        /// `ItemSelector`, in older definitions `Parameters`.
        selector: Option<Template>,
        /// `ItemProcessor`, in older definitions `Iterator`.
        processor: Arc<Flow>,
        /// `MaxConcurrency`; 0 is as many as there may be.
        concurrency: Amount,
    },
    /// Runs its branches side by side.
    Parallel(Vec<Arc<Flow>>),
    /// Hands on its input or a constant.
    Pass(Option<Value>),
    /// Waits.
    Wait(Delay),
    /// Ends the flow well.
    Succeed,
    /// Ends it with an error.
    Fail {
        /// `Error` or `ErrorPath`.
        error: Option<Text>,
        /// `Cause` or `CausePath`.
        cause: Option<Text>,
    },
}

impl Kind {
    /// The `Type`, as events name it too.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Task(_) => "Task",
            Self::Choice { .. } => "Choice",
            Self::Map { .. } => "Map",
            Self::Parallel(_) => "Parallel",
            Self::Pass(_) => "Pass",
            Self::Wait(_) => "Wait",
            Self::Succeed => "Succeed",
            Self::Fail { .. } => "Fail",
        }
    }
}

/// A Task's own fields.
#[derive(Debug)]
pub struct Task {
    /// `Resource` as written.
    pub resource: String,
    /// Whether it is `arn:aws:states:::lambda:invoke`, whose parameters are those of Lambda's Invoke.
    pub integration: bool,
    /// `TimeoutSeconds`.
    pub timeout: Option<Amount>,
    /// `HeartbeatSeconds`.
    pub heartbeat: Option<Amount>,
}

/// A number, written down or read from the input.
#[derive(Debug)]
pub enum Amount {
    /// As written.
    Fixed(u64),
    /// `…Path`.
    From(Path),
}

/// A text, written down or computed from the input.
#[derive(Debug)]
pub enum Text {
    /// As written.
    Fixed(String),
    /// `…Path`.
    From(Expression),
}

/// What a Wait state waits for.
#[derive(Debug)]
pub enum Delay {
    /// `Seconds`, `SecondsPath`.
    Seconds(Amount),
    /// `Timestamp`.
    Until(jiff::Timestamp),
    /// `TimestampPath`.
    UntilFrom(Path),
}

/// One thing wrong with a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    code: &'static str,
    message: String,
    location: Option<String>,
}

/// Everything wrong with a definition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// The text is not JSON.
    pub fn no_json(&mut self, message: impl Into<String>) {
        self.0.push(Problem { code: "INVALID_JSON_DESCRIPTION", message: message.into(), location: None });
    }

    /// A field is missing, not supported or has a wrong value.
    pub fn schema(&mut self, at: &str, message: impl Into<String>) {
        let location = Some(if at.is_empty() { "/".to_owned() } else { at.to_owned() });
        self.0.push(Problem { code: "SCHEMA_VALIDATION_FAILED", message: message.into(), location });
    }

    /// A transition leads to no state, or none leads to this one.
    pub fn transition(&mut self, at: &str, message: impl Into<String>) {
        self.0.push(Problem {
            code: "MISSING_TRANSITION_TARGET",
            message: message.into(),
            location: Some(at.to_owned()),
        });
    }

    /// No state ends the flow.
    pub fn endless(&mut self) {
        self.0.push(Problem {
            code: "MISSING_END_STATE",
            message: "Workflow has no terminal state".to_owned(),
            location: None,
        });
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As `ValidateStateMachineDefinition` lists them.
    #[must_use]
    pub fn diagnostics(&self) -> Vec<Value> {
        let diagnostic = |problem: &Problem| {
            let mut diagnostic =
                json!({"severity": "ERROR", "code": problem.code, "message": problem.message});
            if let Some(location) = &problem.location {
                diagnostic["location"] = json!(location);
            }
            diagnostic
        };
        self.0.iter().map(diagnostic).collect()
    }
}

/// As `InvalidDefinition` lists them.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            let separator = if i > 0 { ", " } else { "" };
            let location = problem.location.as_deref().unwrap_or("null");
            write!(f, "{separator}{}: {} at {location}", problem.code, problem.message)?;
        }
        Ok(())
    }
}
