//! How the chosen size stands to a latency limit, and which size that is among those of a list.

use super::Measured;
use crate::figures;
use crate::input::Limit;
use crate::search;
use crate::stats::Held;
use serde::{Deserialize, Serialize};

/// So sure one has to be to call a limit verified.
const SURE: f64 = 0.95;
/// More invocations than anyone makes for it.
const MOST_NUM: u32 = 10_000;

/// The limit, and how the chosen size stands to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Limited {
    /// Which percentile of the duration is limited.
    pub percentile: f64,
    /// To how many milliseconds.
    pub ms: f64,
    /// What it was at the chosen size, in milliseconds.
    pub measured: f64,
    /// Whether it is kept, as far as can be told.
    pub kept: bool,
    /// The probability that the chosen size keeps it, 0 to 1.
    pub probability: f64,
    /// The `num` that would make that 0.95 if durations go on varying as they did; absent when it is that already, or would be over 10,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num: Option<u32>,
}

impl Limited {
    /// Of a size; `probability` where a search has told it. None without figures about the limit.
    pub(super) fn new(limit: Limit, size: &Measured, lanes: u32, told: Option<(f64, bool)>) -> Option<Self> {
        let held = size.held?;
        let probability =
            told.map_or_else(|| probability(limit, size, lanes), |(probability, _)| probability);
        let kept = told.map_or(held.ms <= limit.ms, |(probability, unmet)| !unmet && probability >= 0.5);
        Some(Self {
            percentile: limit.percentile,
            ms: limit.ms,
            measured: held.ms,
            kept,
            probability: (probability * 1000.0).round() / 1000.0,
            num: (probability < SURE).then(|| enough(limit, size, lanes)).flatten(),
        })
    }

    /// What is wrong with the chosen size, to be read after it; nothing when it keeps the limit.
    pub(super) fn exceeded(&self) -> Option<String> {
        let (percentile, ms) = (self.percentile, figures::duration(self.ms));
        let measured = figures::duration(self.measured);
        (!self.kept).then(|| match self.measured > self.ms {
            true => format!("takes {measured} at the {percentile}th percentile, more than the {ms} of the limit; no measured size keeps it"),
            false => format!(
                "takes {measured} at the {percentile}th percentile and keeps the limit of {ms} with a probability of {} % only",
                figures::fixed(self.probability * 100.0, 0)
            ),
        })
    }
}

/// The cheapest of the sizes that kept the limit; where none did, the one that is likeliest to.
pub(super) fn choose(limit: Limit, measured: &[&Measured], lanes: u32) -> Option<usize> {
    let keeps = |size: &Measured| size.held.is_some_and(|held| held.ms <= limit.ms);
    let all = 0..measured.len();
    let cheapest = all
        .clone()
        .filter(|index| keeps(measured[*index]))
        .min_by(|a, b| measured[*a].average_price.total_cmp(&measured[*b].average_price));
    cheapest.or_else(|| {
        let likely = |index: &usize| probability(limit, measured[*index], lanes);
        all.rev().max_by(|a, b| likely(a).total_cmp(&likely(b)))
    })
}

fn probability(limit: Limit, size: &Measured, lanes: u32) -> f64 {
    size.held.map_or(0.0, |held| kept(limit, size, held, lanes, held.of))
}

/// The probability, if `of` invocations are made of which the same share is over the limit.
fn kept(limit: Limit, size: &Measured, held: Held, lanes: u32, of: u32) -> f64 {
    let share = f64::from(held.over) / f64::from(held.of.max(1));
    let measured = search::Measured {
        over: share * f64::from(of),
        of: f64::from(of),
        environments: lanes.into(),
        margin: (limit.ms / held.ms.max(1e-3)).ln(),
        spread: size.spread.map_or(0.0, |spread| spread.stddev / size.average_duration),
    };
    search::kept(&measured, limit.percentile / 100.0)
}

/// The number of invocations that would do, with the same share of them over the limit.
fn enough(limit: Limit, size: &Measured, lanes: u32) -> Option<u32> {
    let held = size.held?;
    let sure = |num: u32| kept(limit, size, held, lanes, num) >= SURE;
    // To the next ten: nothing about it is exact.
    (held.of / 10 + 1..=MOST_NUM / 10).map(|tens| tens * 10).find(|num| sure(*num))
}
