//! What a state does about errors: trying again, going on elsewhere.

use serde_json::Number;

use crate::node::Node;
use crate::resource::Properties;

/// Trying again after some errors.
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    pub(super) errors: Vec<String>,
    pub(super) interval_seconds: u32,
    pub(super) max_attempts: u32,
    pub(super) backoff_rate: u32,
    max_delay_seconds: Option<u32>,
    full_jitter: bool,
}

impl Retry {
    /// Tries again after these errors, as Step Functions does by default: three times, after 1, 2 and 4 seconds.
    pub fn on<E: Into<String>>(errors: impl IntoIterator<Item = E>) -> Self {
        Retry {
            errors: errors.into_iter().map(Into::into).collect(),
            interval_seconds: 1,
            max_attempts: 3,
            backoff_rate: 2,
            max_delay_seconds: None,
            full_jitter: false,
        }
    }

    /// Tries again after every error that can be retried at all.
    #[must_use]
    pub fn on_all() -> Self {
        Retry::on(["States.ALL"])
    }

    /// How often at most.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// Seconds before the first attempt.
    #[must_use]
    pub fn interval_seconds(mut self, seconds: u32) -> Self {
        self.interval_seconds = seconds;
        self
    }

    /// By how much the wait grows with every attempt.
    #[must_use]
    pub fn backoff_rate(mut self, factor: u32) -> Self {
        self.backoff_rate = factor;
        self
    }

    /// The longest wait, in seconds.
    #[must_use]
    pub fn max_delay_seconds(mut self, seconds: u32) -> Self {
        self.max_delay_seconds = Some(seconds);
        self
    }

    /// Waits a random part of the time, so that states which failed together do not come back together.
    #[must_use]
    pub fn full_jitter(mut self) -> Self {
        self.full_jitter = true;
        self
    }

    pub(super) fn definition(&self) -> Node {
        let number = |number: u32| Node::Number(Number::from(number));
        let mut properties = Properties::new()
            .set_node("ErrorEquals", errors(&self.errors))
            .set_node("IntervalSeconds", number(self.interval_seconds))
            .set_node("MaxAttempts", number(self.max_attempts))
            .set_node("BackoffRate", number(self.backoff_rate));
        if let Some(seconds) = self.max_delay_seconds {
            properties = properties.set_node("MaxDelaySeconds", number(seconds));
        }
        if self.full_jitter {
            properties = properties.set_node("JitterStrategy", Node::text("FULL"));
        }
        properties.into_node()
    }
}

/// Going on elsewhere after some errors.
#[derive(Debug, Clone, PartialEq)]
pub struct Catch {
    pub(super) errors: Vec<String>,
    pub(super) result_path: Option<String>,
    pub(super) next: String,
}

impl Catch {
    /// Goes on at this state after any error that can be caught.
    pub fn all(next: impl Into<String>) -> Self {
        Catch { errors: vec!["States.ALL".to_owned()], result_path: None, next: next.into() }
    }

    /// Where the error goes in the state's input; without this it takes its place.
    #[must_use]
    pub fn result_path(mut self, path: impl Into<String>) -> Self {
        self.result_path = Some(path.into());
        self
    }

    pub(super) fn definition(&self) -> Node {
        let mut properties = Properties::new().set_node("ErrorEquals", errors(&self.errors));
        if let Some(path) = &self.result_path {
            properties = properties.set_node("ResultPath", Node::text(path.as_str()));
        }
        properties.set_node("Next", Node::text(self.next.as_str())).into_node()
    }
}

fn errors(names: &[String]) -> Node {
    Node::List(names.iter().map(Node::text).collect())
}
