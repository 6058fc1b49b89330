//! The six Lambda functions, one file each. Which one a process is, `_HANDLER` says.

pub mod analyzer;
pub mod bursts;
pub mod cleaner;
pub mod executor;
pub mod initializer;
pub mod optimizer;
pub mod planner;
pub mod publisher;

use serde_json::Value;

use crate::clients::Clients;
use crate::deadline::Deadline;
use crate::error::{Error, Kind};

/// One of the six functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handler {
    /// Checks everything, takes the lock, makes the undo record.
    Initializer,
    /// Makes the versions and aliases to measure.
    Publisher,
    /// Measures one power value.
    Executor,
    /// Puts the function back as it was.
    Cleaner,
    /// Chooses; in a search it also says what to measure next.
    Analyzer,
    /// Applies the choice.
    Optimizer,
}

impl Handler {
    /// The handler of this name.
    ///
    /// # Errors
    /// [`Kind::Environment`] naming those there are.
    pub fn named(name: &str) -> Result<Self, Error> {
        match name {
            "initializer" => Ok(Self::Initializer),
            "publisher" => Ok(Self::Publisher),
            "executor" => Ok(Self::Executor),
            "cleaner" => Ok(Self::Cleaner),
            "analyzer" => Ok(Self::Analyzer),
            "optimizer" => Ok(Self::Optimizer),
            _ => Err(Error::new(
                Kind::Environment,
                format!(
                    "_HANDLER is {name:?}; it must be initializer, publisher, executor, cleaner, analyzer or optimizer"
                ),
            )),
        }
    }

    /// Gets ready, in the course of an environment's initialization, what the first event will most likely need. Root
    /// certificates are the better part of it, and Lambda initializes at full speed what it then runs at the smallest
    /// size's share. What is amiss is for the first event to report.
    pub fn prepare(self, clients: &Clients) {
        if self != Self::Analyzer
            && let Some(region) = clients.variable("AWS_REGION")
        {
            let _ = clients.lambda(&region);
        }
    }

    /// Answers one event.
    ///
    /// # Errors
    /// What the handler's own module says.
    pub async fn handle(self, event: Value, deadline: Deadline, clients: &Clients) -> Result<Value, Error> {
        // Boxed, since their types nest deeper within one another than the compiler follows.
        match self {
            Self::Initializer => Box::pin(initializer::handle(event, deadline, clients)).await,
            Self::Publisher => Box::pin(publisher::handle(event, deadline, clients)).await,
            Self::Executor => Box::pin(executor::handle(event, deadline, clients)).await,
            Self::Cleaner => Box::pin(cleaner::handle(event, deadline, clients)).await,
            Self::Analyzer => match event.get("plan") {
                Some(document) => planner::handle(document),
                None => analyzer::handle(&event, clients),
            },
            Self::Optimizer => Box::pin(optimizer::handle(event, deadline, clients)).await,
        }
    }
}

/// A handler's result as JSON.
fn json<T: serde::Serialize>(result: &T) -> Result<Value, Error> {
    serde_json::to_value(result)
        .map_err(|e| Error::new(Kind::Refused, format!("the result cannot be written: {e}")))
}
