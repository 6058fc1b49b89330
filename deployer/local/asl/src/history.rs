//! The event history of an execution, in the shapes of `GetExecutionHistory`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::failure::Failure;

/// The most events an execution may have; the last of them is its failure for having had so many.
pub const MOST_EVENTS: usize = 25_000;

/// The events of a running execution.
#[derive(Debug, Default)]
pub struct Log(Mutex<Events>);

#[derive(Debug, Default)]
struct Events {
    list: Vec<Arc<Value>>,
    saved: usize,
    closed: bool,
}

impl Log {
    fn events(&self) -> MutexGuard<'_, Events> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an event after another one and returns its id.
    ///
    /// # Errors
    /// When the history is full, or already ended: then whoever still writes has been aborted.
    pub fn add(
        &self,
        now: Timestamp,
        previous: u64,
        kind: &str,
        details: Option<(&str, Value)>,
    ) -> Result<u64, Failure> {
        let mut events = self.events();
        if events.closed {
            return Err(Failure::runtime("The execution has ended."));
        }
        if events.list.len() >= MOST_EVENTS - 1 {
            return Err(Failure::runtime(format!(
                "The execution reached the maximum number of history events ({MOST_EVENTS})."
            )));
        }
        Ok(events.push(now, previous, kind, details))
    }

    /// Adds the last event; nothing comes after it.
    pub fn close(&self, now: Timestamp, previous: u64, kind: &str, details: Option<(&str, Value)>) {
        let mut events = self.events();
        if !events.closed {
            events.push(now, previous, kind, details);
            events.closed = true;
        }
    }

    /// Whether the last event is there.
    #[must_use]
    pub fn closed(&self) -> bool {
        self.events().closed
    }

    /// At most `count` events, beginning with the one whose id is `first`.
    #[must_use]
    pub fn page(&self, first: usize, count: usize) -> Vec<Arc<Value>> {
        self.events().list.iter().skip(first.saturating_sub(1)).take(count).cloned().collect()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.events().list.len()
    }

    /// The events not taken so far, each with its id; they count as taken from now on.
    pub fn unsaved(&self) -> Vec<(usize, Arc<Value>)> {
        let mut events = self.events();
        let count = events.list.len();
        let from = std::mem::replace(&mut events.saved, count);
        events.list.iter().enumerate().skip(from).map(|(i, event)| (i + 1, Arc::clone(event))).collect()
    }
}

impl Events {
    fn push(&mut self, now: Timestamp, previous: u64, kind: &str, details: Option<(&str, Value)>) -> u64 {
        let id = self.list.len() as u64 + 1;
        self.list.push(Arc::new(event(now, id, previous, kind, details)));
        id
    }
}

/// An event.
#[must_use]
pub fn event(now: Timestamp, id: u64, previous: u64, kind: &str, details: Option<(&str, Value)>) -> Value {
    let mut event = json!({"timestamp": seconds(now), "type": kind, "id": id, "previousEventId": previous});
    if let Some((member, details)) = details {
        event[member] = details;
    }
    event
}

/// A time as the JSON protocols carry it: seconds since the epoch, with milliseconds.
#[must_use]
pub fn seconds(time: Timestamp) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since the epoch are below 2^52")]
    let seconds = time.as_millisecond() as f64 / 1000.0;
    json!(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_ends_with_its_last_event() {
        let log = Log::default();
        let now = Timestamp::now();
        for i in 0..MOST_EVENTS as u64 - 1 {
            assert_eq!(log.add(now, i, "PassStateEntered", None), Ok(i + 1));
        }
        let failure = log.add(now, 0, "PassStateEntered", None).unwrap_err();
        assert_eq!(
            failure.cause.unwrap(),
            "The execution reached the maximum number of history events (25000)."
        );
        log.close(now, 24_999, "ExecutionFailed", None);
        log.close(now, 0, "ExecutionAborted", None);
        assert!(log.add(now, 0, "PassStateExited", None).is_err());
        assert_eq!(log.count(), MOST_EVENTS);
        assert_eq!(log.page(MOST_EVENTS, 5)[0]["type"], "ExecutionFailed");
    }

    #[test]
    fn what_was_saved_is_not_saved_again() {
        let log = Log::default();
        let ids = |events: Vec<(usize, Arc<Value>)>| events.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
        log.add(Timestamp::now(), 0, "A", None).unwrap();
        log.add(Timestamp::now(), 0, "B", None).unwrap();
        assert_eq!(ids(log.unsaved()), [1, 2]);
        log.close(Timestamp::now(), 0, "C", None);
        assert_eq!(ids(log.unsaved()), [3]);
        assert!(log.unsaved().is_empty());
    }
}
