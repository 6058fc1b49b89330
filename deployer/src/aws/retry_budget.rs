//! A retry budget for polling: one lost answer must not end a wait, since the work itself goes on at AWS.

use std::time::Duration;

use tokio::time::Instant;

use crate::call::CallError;
use crate::events::Events;

/// How long transient errors may last before polling ends.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// The longest pause between two tries.
const PAUSE: Duration = Duration::from_secs(10);

/// Retries polls after transient errors (a lost connection, throttling, a failure of AWS's own) with growing pauses, and warns once.
pub struct RetryBudget<'a> {
    events: &'a Events,
    interval: Duration,
    since: Option<Instant>,
    pause: Duration,
}

impl<'a> RetryBudget<'a> {
    /// For polls that are this far apart.
    #[must_use]
    pub fn new(interval: Duration, events: &'a Events) -> Self {
        Self { events, interval, since: None, pause: interval }
    }

    /// The answer of a poll. After a transient error None, once a pause has passed that grows up to 10 s.
    ///
    /// # Errors
    /// An error that is not transient, or transient ones for 15 minutes.
    pub async fn spend<T>(&mut self, seen: Result<T, CallError>) -> Result<Option<T>, CallError> {
        let error = match seen {
            Ok(seen) => {
                if self.since.take().is_some() {
                    self.events.note("connection restored");
                    self.pause = self.interval;
                }
                return Ok(Some(seen));
            }
            Err(error) => error,
        };
        if !error.transient || self.since.is_some_and(|since| since.elapsed() > LONGEST) {
            return Err(error);
        }
        if self.since.is_none() {
            self.since = Some(Instant::now());
            self.events.warning(format!("{} got {}; trying again", error.operation, error.message));
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(PAUSE);
        Ok(None)
    }
}
