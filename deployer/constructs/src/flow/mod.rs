//! Flows: Step Functions definitions that are checked before they are deployed.
//!
//! States are named and refer to each other by name. [`Flow::problems`] (see `check`) finds names nobody has, states
//! nobody reaches and ways that never end; [`Flow::grants`] collects what the states need, for the machine's role.
//! The language is Amazon States Language with JSONPath.

mod check;
mod recovery;
mod state;

use crate::grant::Grant;
use crate::node::Node;

pub use recovery::{Catch, Retry};
pub use state::{Choice, DistributedMap, Fail, Map, State, Task, Test};

/// The states of a machine, or of a map's inner machine, and where it starts.
#[derive(Debug, Clone)]
pub struct Flow {
    comment: Option<String>,
    start: String,
    states: Vec<(String, State)>,
}

impl Flow {
    /// A flow that starts at the state of this name.
    pub fn start_at(name: impl Into<String>) -> Self {
        Flow { comment: None, start: name.into(), states: Vec::new() }
    }

    /// What the flow does, for whoever reads the definition.
    #[must_use]
    pub fn comment(mut self, comment: impl Into<String>) -> Self {
        self.comment = Some(comment.into());
        self
    }

    /// Adds a state.
    #[must_use]
    pub fn state(mut self, name: impl Into<String>, state: impl Into<State>) -> Self {
        self.states.push((name.into(), state.into()));
        self
    }

    /// What the states need to do their work, inner flows' states included; each grant once.
    #[must_use]
    pub fn grants(&self) -> Vec<Grant> {
        Grant::merged(self.states.iter().flat_map(|(_, state)| state.grants()))
    }

    /// The definition in Amazon States Language.
    #[must_use]
    pub fn definition(&self) -> Node {
        let mut members = Vec::new();
        members.extend(self.comment.as_deref().map(|comment| ("Comment", Node::text(comment))));
        members.push(("StartAt", Node::text(self.start.as_str())));
        let states = self.states.iter().map(|(name, state)| (name.as_str(), state.definition()));
        members.push(("States", Node::map(states)));
        Node::map(members)
    }
}
