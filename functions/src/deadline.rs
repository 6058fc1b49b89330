//! How much time a handler has left.
//!
//! Handlers stop a little before Lambda would stop them, so that what they found out is not lost.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// Kept back for handing over the result: at the smallest CPU share, serialising and sending it takes a while.
const RESERVE: Duration = Duration::from_millis(750);

/// The moment by which a handler must have answered.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    answer_by: Instant,
    started: Instant,
}

impl Deadline {
    /// The deadline of a Lambda invocation that will be stopped at `stopped_at`.
    pub fn before(stopped_at: SystemTime) -> Self {
        let left = stopped_at.duration_since(SystemTime::now()).unwrap_or_default();
        Self::within(left.saturating_sub(RESERVE))
    }

    /// A deadline this far in the future.
    pub fn within(left: Duration) -> Self {
        let started = Instant::now();
        Self { answer_by: started + left, started }
    }

    /// The same, or this moment if that comes first.
    #[must_use]
    pub fn or(self, moment: Instant) -> Self {
        Self { answer_by: self.answer_by.min(moment), ..self }
    }

    /// The time left, zero once it is over.
    pub fn remaining(&self) -> Duration {
        self.answer_by.saturating_duration_since(Instant::now())
    }

    /// The time since the handler started.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// The moment itself.
    pub fn instant(&self) -> Instant {
        self.answer_by
    }
}
