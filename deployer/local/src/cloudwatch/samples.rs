//! Statistics of samples that are kept as counts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::metrics::Count;

/// By how much a bin's end lies above its beginning: a percentile is off by no more.
const STEP: f64 = 1.01;

/// A metric of Lambda.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Invocations that ran.
    Invocations,
    /// Those of them that failed.
    Errors,
    /// Invocations that were not let in.
    Throttles,
    /// How long they took, in milliseconds.
    Duration,
}

impl Kind {
    /// The metric of a name.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "Invocations" => Self::Invocations,
            "Errors" => Self::Errors,
            "Throttles" => Self::Throttles,
            "Duration" => Self::Duration,
            _ => return None,
        })
    }

    /// Its unit.
    pub fn unit(self) -> &'static str {
        if self == Self::Duration { "Milliseconds" } else { "Count" }
    }
}

/// What is asked of samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Statistic {
    /// How many there are.
    SampleCount,
    /// Their mean.
    Average,
    /// Their sum.
    Sum,
    /// The least.
    Minimum,
    /// The greatest.
    Maximum,
    /// The value below which so many per cent of them lie.
    Percentile(f64),
}

impl Statistic {
    /// The statistic of a name, percentiles with up to ten decimals.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "SampleCount" => Self::SampleCount,
            "Average" => Self::Average,
            "Sum" => Self::Sum,
            "Minimum" => Self::Minimum,
            "Maximum" => Self::Maximum,
            _ => {
                let digits = name.strip_prefix('p')?;
                let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
                let right = (1..=3).contains(&whole.len()) && decimals.len() <= 10 && !digits.ends_with('.');
                let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
                let share = Some(digits).filter(|_| right && is_number(whole) && is_number(decimals));
                let share = share?.parse().ok().filter(|share| (0.0..=100.0).contains(share))?;
                Self::Percentile(share)
            }
        })
    }
}

/// Durations in milliseconds, in bins whose ends are 1 % apart.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Durations {
    sum: f64,
    least: f64,
    most: f64,
    /// Counts by the power of [`STEP`] that a bin begins with, zeros among [`ZERO`].
    bins: BTreeMap<i32, u64>,
}

/// The bin of what is nothing: there is no duration as short.
const ZERO: i32 = i32::MIN;

impl Durations {
    /// One of them.
    pub fn of(ms: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "the logarithm of a duration")]
        let bin = if ms > 0.0 { ms.log(STEP).floor() as i32 } else { ZERO };
        Self { sum: ms, least: ms, most: ms, bins: BTreeMap::from([(bin, 1)]) }
    }

    /// Takes others in.
    pub fn take(&mut self, other: &Self) {
        if other.bins.is_empty() {
            return;
        }
        if self.bins.is_empty() {
            self.clone_from(other);
            return;
        }
        self.sum += other.sum;
        self.least = self.least.min(other.least);
        self.most = self.most.max(other.most);
        for (bin, count) in &other.bins {
            *self.bins.entry(*bin).or_default() += count;
        }
    }
}

/// Samples of a metric within a period.
#[derive(Debug, Default)]
pub struct Samples {
    durations: Durations,
    zeros: u64,
    ones: u64,
}

impl Samples {
    /// Takes in those of a span.
    pub fn add(&mut self, count: &Count, kind: Kind) {
        let (zeros, ones) = match kind {
            Kind::Duration => return self.durations.take(&count.durations),
            Kind::Invocations => (0, count.invocations),
            Kind::Errors => (count.invocations - count.errors.min(count.invocations), count.errors),
            Kind::Throttles => (count.invocations, count.throttles),
        };
        self.zeros += zeros;
        self.ones += ones;
    }

    /// Parts of the samples by value: from, to, and how many.
    fn parts(&self) -> Vec<(f64, f64, u64)> {
        let bin = |(bin, count): (&i32, &u64)| match *bin {
            ZERO => (0.0, 0.0, *count),
            power => (STEP.powi(power), STEP.powi(power + 1), *count),
        };
        let counted = [(0.0, 0.0, self.zeros), (1.0, 1.0, self.ones)];
        let parts = counted.into_iter().chain(self.durations.bins.iter().map(bin));
        parts.filter(|(.., count)| *count > 0).collect()
    }

    /// A statistic of them; none of none.
    pub fn statistic(&self, statistic: Statistic) -> Option<f64> {
        let parts = self.parts();
        let count: u64 = parts.iter().map(|(.., count)| count).sum();
        let (first, last) = (parts.first()?, parts.last()?);
        // Counts have no durations beside them.
        let counted = self.zeros + self.ones > 0;
        let (least, most) =
            if counted { (first.0, last.1) } else { (self.durations.least, self.durations.most) };
        #[expect(clippy::cast_precision_loss, reason = "nobody counts 2^53 invocations")]
        let number = |count: u64| count as f64;
        let sum = if counted { number(self.ones) } else { self.durations.sum };
        Some(match statistic {
            Statistic::SampleCount => number(count),
            Statistic::Sum => sum,
            Statistic::Average => sum / number(count),
            Statistic::Minimum => least,
            Statistic::Maximum => most,
            Statistic::Percentile(share) => {
                let rank = share / 100.0 * number(count);
                let mut before = 0.0;
                let mut value = most;
                for (from, to, count) in parts {
                    let count = number(count);
                    if before + count >= rank {
                        value = from + (to - from) * (rank - before) / count;
                        break;
                    }
                    before += count;
                }
                value.clamp(least, most)
            }
        })
    }
}
