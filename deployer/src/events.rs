//! What happens while a command works, as typed events. Logic emits them; [`crate::progress`] shows them on stderr.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use tuning::Currency;

use crate::difference::Difference;

/// Something that happened. Serialized with its kind in `event`, one line each, by the JSON renderer.
#[derive(Debug, Clone, JsonSchema, Serialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Event {
    /// Which account and region the calls that follow go to.
    Place(Place),
    /// Something that takes a while has begun.
    Started {
        /// What, as a phrase: "building the functions for arm64".
        what: String,
    },
    /// A sign of life of what was started.
    Progress {
        /// What is going on right now.
        what: String,
    },
    /// It is done.
    Finished {
        /// What was reached: "built functions-arm64.zip (2.7 MB)".
        what: String,
    },
    /// A resource of the stack changed its state.
    Resource(ResourceEvent),
    /// There is nothing to do until the user does something.
    Idle {
        /// What is waited for: "waiting for a change in code".
        what: String,
    },
    /// How far the measuring is.
    Invocations {
        /// How many invocations were made.
        done: u32,
        /// Out of how many.
        total: u32,
        /// The same by memory size.
        sizes: Vec<SizeProgress>,
        /// What they cost so far, without the request fee.
        cost: f64,
        /// In which currency.
        currency: Currency,
        /// How long measuring has gone on.
        elapsed_seconds: f64,
        /// How long it may still take if it goes on like that.
        left_seconds: Option<f64>,
        /// Whether anything but the time has changed.
        #[serde(skip)]
        news: bool,
    },
    /// How far a fleet is.
    Functions {
        /// How many functions are done, in whatever way.
        done: usize,
        /// How many are being tuned.
        running: usize,
        /// How many are still to come.
        waiting: usize,
        /// All of them.
        total: usize,
        /// How long the fleet has been followed.
        elapsed_seconds: f64,
    },
    /// A memory size was measured.
    Measured {
        /// Memory, in MB.
        memory_mb: u32,
        /// Average duration, in ms.
        duration_ms: f64,
        /// Average cost of an invocation, in the region's currency.
        cost: f64,
        /// That currency.
        currency: Currency,
        /// How many sizes are done.
        done: usize,
        /// Out of how many.
        total: usize,
    },
    /// A memory size was found to be too small.
    Skipped {
        /// Memory, in MB.
        memory_mb: u32,
        /// Why.
        reason: String,
        /// How many sizes are done.
        done: usize,
        /// Out of how many.
        total: usize,
    },
    /// What a change set would do.
    Changes(Difference),
    /// Something the user should know.
    Note {
        /// The sentence.
        text: String,
    },
    /// Something the user should act on.
    Warning {
        /// The sentence.
        text: String,
    },
    /// Something only `--verbose` shows.
    Detail {
        /// The sentence.
        text: String,
    },
}

/// How far the measuring of one memory size is.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SizeProgress {
    /// Memory, in MB.
    pub memory_mb: u32,
    /// How many invocations were made.
    pub done: u32,
    /// Out of how many.
    pub total: u32,
}

/// Where calls go.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// The account's number.
    pub account: String,
    /// The region.
    pub region: String,
    /// Who is calling: the ARN of a user or a role's session.
    pub caller: String,
    /// The endpoint, when it is not AWS's own.
    pub endpoint: Option<String>,
    /// The state folder of the embedded endpoint, when that is what answers.
    pub state: Option<std::path::PathBuf>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.state, &self.endpoint) {
            (Some(state), _) => write!(f, "this machine ({}, state in {})", self.region, state.display()),
            (None, Some(endpoint)) => write!(f, "account {} in {} at {endpoint}", self.account, self.region),
            (None, None) => write!(f, "account {} in {}, as {}", self.account, self.region, self.caller),
        }
    }
}

/// One line of a stack's history.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceEvent {
    /// When, in RFC 3339.
    pub time: String,
    /// The resource's name in the template; the stack's own name for the stack.
    pub logical_id: String,
    /// Its type, `AWS::Lambda::Function`.
    pub resource_type: String,
    /// The state it went into, `CREATE_COMPLETE`.
    pub status: String,
    /// Why, when CloudFormation says so.
    pub reason: Option<String>,
}

impl ResourceEvent {
    /// Whether this is the stack itself rather than one of its resources.
    #[must_use]
    pub fn is_stack(&self) -> bool {
        self.resource_type == "AWS::CloudFormation::Stack"
    }

    /// Whether the resource failed by itself: not because another one had failed before it.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        let cancelled = self.reason.as_deref().is_some_and(|reason| {
            ["Resource creation cancelled", "Resource update cancelled", "Resource deletion cancelled"]
                .iter()
                .any(|text| reason.starts_with(text))
        });
        self.status.ends_with("_FAILED") && !cancelled
    }
}

/// Something that listens to events: one per way of showing them.
pub trait Listener: Send + Sync {
    /// Takes note of an event.
    fn event(&self, event: &Event);

    /// Clears what is on the screen for as long as `action` runs: for a question to the user.
    fn suspend(&self, action: &mut dyn FnMut());
}

/// Where logic sends its events. Cheap to clone.
#[derive(Clone)]
pub struct Events(Arc<dyn Listener>);

impl Events {
    /// Events go to this listener.
    pub fn new(listener: impl Listener + 'static) -> Self {
        Self(Arc::new(listener))
    }

    /// Tells of an event.
    pub fn emit(&self, event: Event) {
        self.0.event(&event);
    }

    /// Says that something that takes a while has begun.
    pub fn started(&self, what: impl Into<String>) {
        self.emit(Event::Started { what: what.into() });
    }

    /// Says what is going on right now.
    pub fn progress(&self, what: impl Into<String>) {
        self.emit(Event::Progress { what: what.into() });
    }

    /// Says that it is done.
    pub fn finished(&self, what: impl Into<String>) {
        self.emit(Event::Finished { what: what.into() });
    }

    /// Says something the user should know.
    pub fn note(&self, text: impl Into<String>) {
        self.emit(Event::Note { text: text.into() });
    }

    /// Says something the user should act on.
    pub fn warning(&self, text: impl Into<String>) {
        self.emit(Event::Warning { text: text.into() });
    }

    /// Says something that only `--verbose` shows.
    pub fn detail(&self, text: impl Into<String>) {
        self.emit(Event::Detail { text: text.into() });
    }

    /// Runs something that writes to the terminal itself.
    pub fn suspend<T>(&self, action: impl FnOnce() -> T) -> Option<T> {
        let mut action = Some(action);
        let mut result = None;
        self.0.suspend(&mut || {
            if let Some(action) = action.take() {
                result = Some(action());
            }
        });
        result
    }
}
