//! The event most states send: the execution's flat document and the execution's ARN.

use serde::Deserialize;
use serde_json::Value;
use tuning::input::fields::POWER_VALUES;
use tuning::input::{Defaults, Input};

use crate::error::{Error, Kind};
use crate::mark;
use crate::run::Run;

/// `{"input": <the document>, "execution": "<ARN>"}`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct StateEvent {
    /// The execution input, to which states add `run`, `stats` and so on.
    pub input: Value,
    /// The ARN of the execution.
    pub execution: String,
}

impl StateEvent {
    /// Reads an event.
    ///
    /// # Errors
    /// [`Kind::InvalidInput`] when it is not of this shape.
    pub fn parse(handler: &str, event: Value) -> Result<Self, Error> {
        let event: Self = serde_json::from_value(event).map_err(|e| Error::event(handler, e))?;
        if !mark::is_execution(&event.execution) {
            let problem = format!("{:?} is not the ARN of a Step Functions execution", event.execution);
            return Err(Error::event(handler, problem));
        }
        if !mark::fits(&event.execution) {
            return Err(Error::event(
                handler,
                "the names of state machine and execution are too long to be recorded",
            ));
        }
        Ok(event)
    }

    /// The run the Initializer has begun.
    ///
    /// # Errors
    /// [`Kind::InvalidInput`] when there is none.
    pub fn run(&self, handler: &str) -> Result<Run, Error> {
        run(&self.input)?.ok_or_else(|| Error::event(handler, "`run`, the Initializer's result, is missing"))
    }
}

/// The run in a document, if the Initializer has been there.
///
/// # Errors
/// [`Kind::InvalidInput`] when it is damaged.
pub fn run(document: &Value) -> Result<Option<Run>, Error> {
    match document.get("run") {
        None | Some(Value::Null) => Ok(None),
        Some(run) => serde_json::from_value(run.clone()).map(Some).map_err(|e| {
            Error::new(Kind::InvalidInput, format!("`run` is not what the Initializer wrote: {e}"))
        }),
    }
}

/// Reads the execution input in a document. `sizes` stand in for `powerValues` the document does not give: the
/// Initializer has decided on them, and a later state need not be told again.
///
/// # Errors
/// [`Kind::InvalidInput`] with every problem there is.
pub fn input(document: &Value, sizes: &[u32]) -> Result<Input, Error> {
    // The stack's own choice of sizes, where that is none but a search.
    let asked = document.get("run").and_then(|run| run.get("asked")).filter(|asked| !asked.is_null());
    let with_asked = asked.map(|asked| {
        let mut document = document.clone();
        document[POWER_VALUES.name] = asked.clone();
        document
    });
    let document = with_asked.as_ref().unwrap_or(document);
    Input::parse(document, &Defaults { power_values: sizes.to_vec() })
        .map_err(|problems| Error::new(Kind::InvalidInput, problems.to_string()))
}
