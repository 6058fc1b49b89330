//! What is wrong with a definition, in the words and codes of `ValidateStateMachineDefinition`.

use std::fmt;

use serde_json::{Value, json};

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
    /// There is no text.
    pub fn no_object(&mut self) {
        self.0.push(Problem {
            code: "SCHEMA_VALIDATION_FAILED",
            message: "Definition must be a valid JSON object".to_owned(),
            location: None,
        });
    }

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
