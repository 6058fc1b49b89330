//! A state machine as it is executed: what [`crate::parse`] makes of a definition's text.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::choice::Rule;
use crate::intrinsic::Expression;
use crate::path::{Path, ResultPath, Selection};
use crate::resource::Resource;
use crate::retry::{Catcher, Retrier};
use crate::template::Template;

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

impl Flow {
    /// What the Tasks call, those of the flows inside included.
    #[must_use]
    pub fn resources(&self) -> Vec<&Resource> {
        fn inside(state: &State) -> Vec<&Resource> {
            match &state.kind {
                Kind::Task(task) => vec![&task.resource],
                Kind::Map { processor, .. } => processor.resources(),
                Kind::Distributed(map) => map.processor.resources(),
                Kind::Parallel(branches) => branches.iter().flat_map(|branch| branch.resources()).collect(),
                _ => Vec::new(),
            }
        }
        self.states.values().flat_map(inside).collect()
    }
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

/// What a state does.
#[derive(Debug)]
pub enum Kind {
    /// Has the world do something.
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
    /// Runs its processor as an execution of its own for each item.
    Distributed(Box<Distributed>),
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
    /// Whether it may have a `Retry`, so that its context object counts attempts.
    #[must_use]
    pub fn retries(&self) -> bool {
        matches!(self, Self::Task(_) | Self::Map { .. } | Self::Distributed(_) | Self::Parallel(_))
    }

    /// The `Type`, as events name it too.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Task(_) => "Task",
            Self::Choice { .. } => "Choice",
            Self::Map { .. } | Self::Distributed(_) => "Map",
            Self::Parallel(_) => "Parallel",
            Self::Pass(_) => "Pass",
            Self::Wait(_) => "Wait",
            Self::Succeed => "Succeed",
            Self::Fail { .. } => "Fail",
        }
    }
}

/// A distributed Map's own fields.
#[derive(Debug)]
pub struct Distributed {
    /// `ItemsPath` or `ItemReader`.
    pub items: Items,
    /// `ItemSelector`, in older definitions `Parameters`.
    pub selector: Option<Template>,
    /// `ItemProcessor`, in older definitions `Iterator`.
    pub processor: Arc<Flow>,
    /// The processor as it was written.
    pub definition: Arc<str>,
    /// `MaxConcurrency`; 0 is as many as there may be.
    pub concurrency: Amount,
    /// `ToleratedFailureCount`.
    pub tolerated_count: Option<Amount>,
    /// `ToleratedFailurePercentage`.
    pub tolerated_percentage: Option<Percentage>,
    /// `Label`.
    pub label: Option<String>,
    /// `ResultWriter`.
    pub writer: Option<Writer>,
}

/// Where a distributed Map's items come from.
#[derive(Debug)]
pub enum Items {
    /// `ItemsPath`.
    At(Path),
    /// `ItemReader`.
    In(Reader),
}

/// `ItemReader`.
#[derive(Debug)]
pub struct Reader {
    /// `Parameters`: bucket and key.
    pub location: Template,
    /// `InputType` is `JSONL`, one item on each line, rather than `JSON`.
    pub lines: bool,
    /// `MaxItems`; 0 is all there are.
    pub most: Option<Amount>,
}

/// `ResultWriter`.
#[derive(Debug)]
pub struct Writer {
    /// `Parameters`: bucket and prefix; without them the results are the state's.
    pub destination: Option<Template>,
    /// `Transformation`.
    pub transformation: Transformation,
    /// `OutputType` is `JSONL` rather than `JSON`.
    pub lines: bool,
}

/// What is written of the executions that succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transformation {
    /// All that is known of each execution.
    None,
    /// Each execution's output.
    Compact,
    /// Each execution's output, and of outputs that are arrays their elements.
    Flatten,
}

/// A percentage, written down or read from the input.
#[derive(Debug)]
pub enum Percentage {
    /// As written.
    Fixed(f64),
    /// `…Path`.
    From(Path),
}

/// A Task's own fields.
#[derive(Debug)]
pub struct Task {
    /// `Resource`.
    pub resource: Resource,
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
