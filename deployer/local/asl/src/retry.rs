//! `Retry` and `Catch`.

use std::time::Duration;

use crate::failure::Failure;
use crate::path::ResultPath;

/// One `Retry` entry, defaults filled in.
#[derive(Debug, Clone)]
pub struct Retrier {
    /// `ErrorEquals`.
    pub errors: Vec<String>,
    /// `IntervalSeconds`.
    pub interval: u64,
    /// `BackoffRate`.
    pub backoff: f64,
    /// `MaxAttempts`.
    pub attempts: u64,
    /// `MaxDelaySeconds`.
    pub longest: Option<u64>,
    /// `JitterStrategy` is `FULL`.
    pub jitter: bool,
}

/// One `Catch` entry.
#[derive(Debug)]
pub struct Catcher {
    /// `ErrorEquals`.
    pub errors: Vec<String>,
    /// `ResultPath`.
    pub result: ResultPath,
    /// `Next`.
    pub next: String,
}

/// AWS's largest delay and the longest a Wait may take.
pub const LONGEST_SECONDS: u64 = 99_999_999;

impl Retrier {
    /// How long to wait before the next attempt when `before` of its attempts have been made; `chance` is in 0..1.
    #[must_use]
    pub fn delay(&self, before: u64, chance: f64) -> Duration {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let (interval, longest) =
            (self.interval as f64, self.longest.unwrap_or(LONGEST_SECONDS).clamp(1, LONGEST_SECONDS) as f64);
        let exponent = i32::try_from(before).unwrap_or(i32::MAX);
        // A rate beyond all numbers times an interval of 0 would be no number.
        let delay = (interval * self.backoff.powi(exponent).min(longest)).min(longest);
        Duration::from_secs_f64(if self.jitter { delay * chance.clamp(0.0, 1.0) } else { delay })
    }
}

/// The attempts one visit of a state has used up, per entry of its `Retry`.
#[derive(Debug)]
pub struct Attempts<'s> {
    retriers: &'s [Retrier],
    used: Vec<u64>,
}

impl<'s> Attempts<'s> {
    /// None used.
    #[must_use]
    pub fn new(retriers: &'s [Retrier]) -> Self {
        Self { retriers, used: vec![0; retriers.len()] }
    }

    /// The wait before another attempt, when the first entry that names the failure has one left.
    pub fn after(&mut self, failure: &Failure, chance: impl FnOnce() -> f64) -> Option<Duration> {
        let at = self.retriers.iter().position(|retrier| failure.matches(&retrier.errors))?;
        let (retrier, used) = (&self.retriers[at], &mut self.used[at]);
        if *used >= retrier.attempts {
            return None;
        }
        let delay = retrier.delay(*used, if retrier.jitter { chance() } else { 1.0 });
        *used += 1;
        Some(delay)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn retrier(errors: &[&str]) -> Retrier {
        Retrier {
            errors: errors.iter().map(|&e| e.to_owned()).collect(),
            interval: 3,
            backoff: 2.0,
            attempts: 3,
            longest: None,
            jitter: false,
        }
    }

    #[test]
    fn delays_grow_up_to_their_longest() {
        let seconds = |r: &Retrier| (0..5).map(|n| r.delay(n, 0.5).as_secs_f64()).collect::<Vec<_>>();
        let plain = retrier(&["A"]);
        assert_eq!(seconds(&plain), [3.0, 6.0, 12.0, 24.0, 48.0]);
        assert_eq!(seconds(&Retrier { longest: Some(10), ..plain.clone() }), [3.0, 6.0, 10.0, 10.0, 10.0]);
        assert_eq!(seconds(&Retrier { jitter: true, ..plain.clone() }), [1.5, 3.0, 6.0, 12.0, 24.0]);
        assert_eq!(seconds(&Retrier { backoff: 1.0, ..plain }), [3.0; 5]);
    }

    #[test]
    fn the_first_entry_that_matches_counts_its_own_attempts() {
        let entries = [Retrier { attempts: 1, ..retrier(&["A", "B"]) }, retrier(&["States.ALL"])];
        let mut attempts = Attempts::new(&entries);
        let mut after = |error: &str| attempts.after(&Failure::bare(error), || 1.0).map(|d| d.as_secs());
        assert_eq!(after("A"), Some(3));
        assert_eq!(after("C"), Some(3));
        assert_eq!(after("B"), None);
        assert_eq!(after("C"), Some(6));
        assert_eq!(after("C"), Some(12));
        assert_eq!(after("C"), None);
        assert_eq!(after("States.Runtime"), None);
    }

    proptest! {
        #[test]
        fn no_numbers_overflow(interval in 0..=LONGEST_SECONDS, backoff in 1.0..1e12_f64, before: u64, longest: Option<u64>, chance: f64) {
            let entry = Retrier { interval, backoff, longest, jitter: true, ..retrier(&["A"]) };
            prop_assert!(entry.delay(before, chance) <= Duration::from_secs(LONGEST_SECONDS));
        }
    }
}
