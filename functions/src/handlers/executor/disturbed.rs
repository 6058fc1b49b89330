//! Invocations that other work on the machine disturbed: made again while there is hope, else counted and said.
//!
//! Only the endpoint that is part of this program says that an invocation was disturbed, and only of a function that runs on
//! the same machine. On AWS no REPORT says so, and every invocation is made once.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tuning::input::Input;
use tuning::output;
use tuning::report::Disturbance;
use tuning::stats::Measurements;

/// What was disturbed of a power value so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Disturbed {
    repeated: u32,
    counted: u32,
    delay_ms: f64,
}

impl Disturbed {
    /// Whether nothing was.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// How many were made again, how many were counted, and what those lost in ms; none when nothing was disturbed.
    pub fn parts(&self) -> Option<(u32, u32, f64)> {
        (!self.is_nothing()).then_some((self.repeated, self.counted, self.delay_ms))
    }

    /// The same for the result.
    pub fn of(&self, measurements: &Measurements, discard: f64) -> Option<output::Disturbed> {
        output::Disturbed::new(self.repeated, self.counted, self.delay_ms, measurements, discard)
    }
}

/// What is to be known of a size that an invocation has shown to be too small.
pub fn meanwhile(disturbance: Disturbance) -> String {
    let seconds = disturbance.delay_ms / 1000.0;
    format!(" (other work on this machine kept it from its CPU for up to {seconds:.1} s of that)")
}

/// Decides which invocations are made again.
#[derive(Debug, Default)]
pub struct Repeats {
    most: u32,
    so_far: Mutex<Disturbed>,
}

impl Repeats {
    /// After the passes before this one. A machine that is busy all the time is not waited for: no more than half as many as are
    /// asked for are made again.
    pub fn new(input: &Input, num: u32, so_far: Disturbed) -> Self {
        // Each version starts cold once.
        let most = if input.only_cold_starts || input.dry_run { 0 } else { num.div_ceil(2) };
        Self { most, so_far: so_far.into() }
    }

    /// Whether an invocation is to be made again; otherwise it is counted.
    pub fn take(&self, disturbance: Disturbance) -> bool {
        let mut so_far = self.lock();
        let again = disturbance.repeat && so_far.repeated < self.most;
        if again {
            so_far.repeated += 1;
        } else {
            so_far.counted += 1;
            so_far.delay_ms += disturbance.delay_ms;
        }
        again
    }

    /// What was disturbed up to now.
    pub fn so_far(&self) -> Disturbed {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Disturbed> {
        self.so_far.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
