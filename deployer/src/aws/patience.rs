//! What is asked again and again while something is under way must not end with one lost answer: the work goes on without us.

use std::time::Duration;

use tokio::time::Instant;

use crate::call::CallError;
use crate::events::Events;

/// How long nobody may answer before looking is given up. The work itself goes on.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// The longest pause between two tries.
const PAUSE: Duration = Duration::from_secs(10);

/// Bears what passes by itself (a lost connection, throttling, a failure of AWS's own) and says so once.
pub struct Patience<'a> {
    events: &'a Events,
    interval: Duration,
    since: Option<Instant>,
    pause: Duration,
}

impl<'a> Patience<'a> {
    /// For looks that are this far apart.
    #[must_use]
    pub fn new(interval: Duration, events: &'a Events) -> Self {
        Self { events, interval, since: None, pause: interval }
    }

    /// Hands on what was seen; without an answer waits, ever longer, and gives nothing.
    ///
    /// # Errors
    /// A failure that does not pass by itself, or has lasted for 15 minutes.
    pub async fn bear<T>(&mut self, seen: Result<T, CallError>) -> Result<Option<T>, CallError> {
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
