//! Many invocations of one power value put together. Between the log tails and the prices.
//!
//! [`Measurements`] is what an Executor has gathered so far; it travels through the state machine's state when one pass is not
//! enough, so it packs itself into a short text. Times are kept as whole microseconds (log tails give two or three decimals of
//! a millisecond), so sums are exact and several passes give the very numbers of one.

mod packed;

use crate::input::Limit;
use crate::report::Report;
use serde::{Deserialize, Serialize};

/// What one invocation took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measurement {
    /// Handler, init and restore together, in milliseconds.
    pub duration_ms: f64,
    /// Billed milliseconds.
    pub billed_ms: u64,
    /// Init and restore, in milliseconds, when it was a cold start.
    pub cold_start_ms: Option<f64>,
}

impl From<&Report> for Measurement {
    fn from(report: &Report) -> Self {
        Self {
            duration_ms: report.total_duration_ms(),
            billed_ms: report.billed_duration_ms,
            cold_start_ms: report.cold_start_ms(),
        }
    }
}

/// Whether cold starts are in the averages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColdStarts {
    /// Averages are over all invocations.
    #[default]
    Include,
    /// Averages are over the warm ones, as far as there are any.
    Apart,
}

impl std::str::FromStr for ColdStarts {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "include" => Ok(Self::Include),
            "apart" => Ok(Self::Apart),
            _ => Err(()),
        }
    }
}

/// How averages are taken.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Averages {
    /// The share (0 to 0.4) of the values that is dropped at each end before averaging.
    pub discard: f64,
    /// Whether cold starts are in them.
    pub cold_starts: ColdStarts,
    /// The limit that is looked at beside them.
    pub limit: Option<Limit>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Taken {
    duration_us: u64,
    billed_ms: u64,
    cold_start_us: Option<u64>,
}

/// The invocations of one power value so far. Serialises to `{"data":"…","errors":1,"lost":0}`: six bytes for an ordinary
/// invocation, [`Measurements::MAX_BYTES_EACH`] at most.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Measurements {
    #[serde(rename = "data", with = "packed", default)]
    taken: Vec<Taken>,
    /// How many of the measured ones ended in an exception that the user allows.
    #[serde(default)]
    pub errors: u32,
    /// Invocations whose answer was lost on the way; they are in no figure.
    #[serde(default)]
    pub lost: u32,
}

impl Measurements {
    /// At most what one invocation takes in the state: Lambda ends each after 15 minutes, which bounds the numbers.
    pub const MAX_BYTES_EACH: usize = 17;

    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a normal result.
    pub fn push(&mut self, measurement: Measurement) {
        self.taken.push(Taken {
            duration_us: microseconds(measurement.duration_ms),
            billed_ms: measurement.billed_ms,
            cold_start_us: measurement.cold_start_ms.map(microseconds),
        });
    }

    /// Counts an exception that the user allows: a normal result, and one of `errors`.
    pub fn push_error(&mut self, measurement: Measurement) {
        self.push(measurement);
        self.errors += 1;
    }

    /// Counts an invocation whose answer never came.
    pub fn push_lost(&mut self) {
        self.lost += 1;
    }

    /// Invocations made so far, the lost ones too: the index of the next one.
    pub fn invoked(&self) -> u32 {
        u32::try_from(self.taken.len()).unwrap_or(u32::MAX).saturating_add(self.lost)
    }

    /// Invocations that were measured.
    pub fn len(&self) -> usize {
        self.taken.len()
    }

    /// Whether none was measured.
    pub fn is_empty(&self) -> bool {
        self.taken.is_empty()
    }

    /// What was measured, in order.
    pub fn iter(&self) -> impl Iterator<Item = Measurement> {
        self.taken.iter().map(|taken| Measurement {
            duration_ms: milliseconds(taken.duration_us),
            billed_ms: taken.billed_ms,
            cold_start_ms: taken.cold_start_us.map(milliseconds),
        })
    }

    /// How these durations stand to a limit; none when nothing was measured.
    pub fn held(&self, limit: Limit) -> Option<Held> {
        let mut durations: Vec<f64> = self.iter().map(|measurement| measurement.duration_ms).collect();
        durations.sort_by(f64::total_cmp);
        let rank = (durations.len() as f64 * limit.percentile / 100.0).ceil() as usize;
        let over = durations.iter().filter(|ms| **ms > limit.ms).count();
        Some(Held {
            ms: *durations.get(rank.checked_sub(1)?)?,
            over: count(over),
            of: count(durations.len()),
        })
    }

    /// The ones that were no cold starts, and the ones that were.
    #[must_use]
    pub fn split(&self) -> (Self, Self) {
        let (cold, warm) = self.taken.iter().partition(|taken| taken.cold_start_us.is_some());
        (Self { taken: warm, errors: 0, lost: 0 }, Self { taken: cold, errors: 0, lost: 0 })
    }

    /// Adds what a later pass has gathered.
    pub fn merge(&mut self, later: Self) {
        self.taken.extend(later.taken);
        self.errors += later.errors;
        self.lost += later.lost;
    }

    /// The figures, with `discard` (0 to 0.4) of the values dropped at each end before averaging. `None` when nothing was measured.
    pub fn summary(&self, discard: f64) -> Option<Summary> {
        let sorted = |value: fn(&Taken) -> u64| {
            let mut values: Vec<u64> = self.taken.iter().map(value).collect();
            values.sort_unstable();
            values
        };
        let durations = sorted(|taken| taken.duration_us);
        let billed = sorted(|taken| taken.billed_ms);
        let cold: Vec<u64> = self.taken.iter().filter_map(|taken| taken.cold_start_us).collect();
        Some(Summary {
            average_duration_ms: trimmed_mean(&durations, discard)? / 1000.0,
            standard_error_ms: standard_error(&durations, discard).map(|us| us / 1000.0),
            average_billed_ms: trimmed_mean(&billed, discard)?,
            total_billed_ms: billed.iter().sum(),
            spread: Spread {
                min: milliseconds(*durations.first()?),
                max: milliseconds(*durations.last()?),
                p50: milliseconds(percentile(&durations, 50)?),
                p90: milliseconds(percentile(&durations, 90)?),
                p95: milliseconds(percentile(&durations, 95)?),
                p99: milliseconds(percentile(&durations, 99)?),
                stddev: standard_deviation(&durations) / 1000.0,
            },
            invocations: count(durations.len()),
            cold_starts: count(cold.len()),
            init_duration_ms: trimmed_mean(&cold, 0.0).map(|mean| mean / 1000.0),
            errors: self.errors,
            lost: self.lost,
        })
    }
}

/// How the durations of one power value stand to a limit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Held {
    /// The limit's percentile of them, by nearest rank, in milliseconds.
    pub ms: f64,
    /// How many invocations took longer than the limit.
    pub over: u32,
    /// Of how many.
    pub of: u32,
}

/// The figures of one power value. Times in milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Trimmed average of handler, init and restore together.
    pub average_duration_ms: f64,
    /// Standard error of that average; `None` for a single invocation.
    pub standard_error_ms: Option<f64>,
    /// Trimmed average of the billed time (trimmed by itself, not together with the durations).
    pub average_billed_ms: f64,
    /// Billed time of all measured invocations.
    pub total_billed_ms: u64,
    /// How the durations are spread; nothing trimmed.
    pub spread: Spread,
    /// Invocations that were measured.
    pub invocations: u32,
    /// How many of them were cold starts.
    pub cold_starts: u32,
    /// Average init (or restore) time of the cold starts alone; `None` without one.
    pub init_duration_ms: Option<f64>,
    /// How many ended in an exception that the user allows.
    pub errors: u32,
    /// Invocations whose answer was lost; in none of the figures.
    pub lost: u32,
}

/// How the durations of one power value are spread, in milliseconds. Every invocation counts, cold starts with their init.
/// Percentiles are by nearest rank: each is a duration that was measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs)] // The names say it.
pub struct Spread {
    pub min: f64,
    pub max: f64,
    pub p50: f64,
    pub p90: f64,
    pub p95: f64,
    pub p99: f64,
    /// Of the sample: divided by n − 1; 0 for a single value.
    pub stddev: f64,
}

/// Mean of sorted values without `floor(n · discard)` of them at each end; `None` when there are no values.
fn trimmed_mean(sorted: &[u64], discard: f64) -> Option<f64> {
    let n = sorted.len();
    let dropped = dropped(n, discard)?;
    let kept = &sorted[dropped..n - dropped];
    let sum: u128 = kept.iter().map(|&value| u128::from(value)).sum();
    Some(sum as f64 / kept.len() as f64)
}

/// How many of `n` sorted values are dropped at each end: never all of them, whatever `discard` is; the middle one or two stay.
fn dropped(n: usize, discard: f64) -> Option<usize> {
    Some(((n as f64 * discard) as usize).min(n.checked_sub(1)? / 2))
}

/// Standard error of [`trimmed_mean`], after Yuen (1974): the values that were dropped count as the outermost
/// that were kept. `None` when fewer than two are kept, which says nothing of how they vary.
fn standard_error(sorted: &[u64], discard: f64) -> Option<f64> {
    let n = sorted.len();
    let dropped = dropped(n, discard)?;
    let kept = n - 2 * dropped;
    if kept < 2 {
        return None;
    }
    let (least, most) = (sorted[dropped], sorted[n - dropped - 1]);
    let winsorized: Vec<u64> = sorted.iter().map(|value| *value.clamp(&least, &most)).collect();
    let (n, kept) = (n as f64, kept as f64);
    Some(standard_deviation(&winsorized) * ((n - 1.0) / (kept * (kept - 1.0))).sqrt())
}

/// The smallest value that at least `percent` % of the sorted values do not exceed.
fn percentile(sorted: &[u64], percent: usize) -> Option<u64> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

fn standard_deviation(values: &[u64]) -> f64 {
    let n = values.len() as f64;
    if n < 2.0 {
        return 0.0;
    }
    let mean = values.iter().map(|&value| value as f64).sum::<f64>() / n;
    let squares: f64 = values.iter().map(|&value| (value as f64 - mean).powi(2)).sum();
    (squares / (n - 1.0)).sqrt()
}

fn microseconds(milliseconds: f64) -> u64 {
    (milliseconds * 1000.0).round() as u64
}

fn milliseconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1000.0
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
