//! What a search for the size found out, in the output.

use super::{Disturbed, Stat, StoppedBy};
use crate::figures;
use crate::pricing::LambdaPrice;
use crate::search::{Alternative, Batch, Confidence, CurvePoint, Decision, Floor, Noise, Stop};
use crate::stats::{Averages, Measurements};
use crate::strategy::Strategy;
use serde::{Deserialize, Serialize};

/// From this probability on something is said without a doubt.
const SURE: f64 = 0.95;

/// A search that is over, as the Analyzer gets it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found<'a> {
    /// What it decided.
    pub decision: &'a Decision,
    /// Its invocations.
    pub history: &'a [Batch],
    /// How many rounds it took.
    pub rounds: u32,
    /// Whether the input's `budget` ended it.
    pub out_of_money: bool,
}

impl Found<'_> {
    /// What ended it.
    pub(super) fn stopped_by(&self) -> Option<StoppedBy> {
        if self.out_of_money {
            return Some(StoppedBy::Budget);
        }
        Some(match self.decision.stopped_by? {
            Stop::Confidence => StoppedBy::Confidence,
            Stop::Budget => StoppedBy::Budget,
            Stop::Rounds | Stop::NothingRan => StoppedBy::Rounds,
        })
    }

    /// In how many lanes a size was measured.
    pub(super) fn lanes(&self, size: u32) -> u32 {
        self.history.iter().filter(|batch| batch.size == size).map(|batch| batch.lanes).max().unwrap_or(1)
    }
}

/// What the choice of a search rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Searched {
    /// The measured sizes that may be as good, the likeliest first.
    pub alternatives: Vec<Alternative>,
    /// The smallest size that was considered, and why.
    pub floor: Floor,
    /// What the durations vary by.
    pub noise: Noise,
    /// The duration by memory size: MB, and ms with 5, 50 and 95 % of the plausible curves below.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<(u32, f64, f64, f64)>"))]
    pub curve: Vec<CurvePoint>,
    /// Rounds it took.
    pub rounds: u32,
    /// Invocations it took.
    pub invocations: u32,
}

impl Searched {
    pub(super) fn new(found: &Found<'_>) -> Self {
        let Decision { alternatives, floor, noise, curve, .. } = found.decision;
        let made = found.history.iter().map(|batch| batch.samples.len() + batch.lost as usize);
        Self {
            alternatives: alternatives
                .iter()
                .map(|other| Alternative { within1: share(other.within1), ..*other })
                .collect(),
            floor: *floor,
            noise: Noise {
                spread: share(noise.spread),
                environments: share(noise.environments),
                warm_up: share(noise.warm_up),
            },
            curve: curve.clone(),
            rounds: found.rounds,
            invocations: u32::try_from(made.sum::<usize>()).unwrap_or(u32::MAX),
        }
    }
}

/// The confidence and expected excess of a decision, as they are told.
pub(super) fn told(decision: &Decision) -> (Confidence, f64) {
    let Confidence { within1, within3, within5 } = decision.confidence;
    let confidence = Confidence { within1: share(within1), within3: share(within3), within5: share(within5) };
    (confidence, (decision.expected_excess * 1e4).round() / 1e4)
}

fn share(share: f64) -> f64 {
    (share * 1000.0).round() / 1000.0
}

fn percent(share: f64) -> String {
    format!("{} %", figures::fixed((share * 100.0).floor(), 0))
}

impl Confidence {
    /// The smallest tolerance, in per cent, that is as good as certain, with its probability.
    #[must_use]
    pub fn tightest(&self) -> Option<(f64, u32)> {
        let all = [(self.within1, 1), (self.within3, 3), (self.within5, 5)];
        all.into_iter().find(|(share, _)| *share >= SURE)
    }

    /// How sure a choice is, for a column: "97 % for 3 %". The widest tolerance where none is as good as certain.
    #[must_use]
    pub fn brief(&self) -> String {
        let (share, tolerance) = self.tightest().unwrap_or((self.within5, 5));
        format!("{} for {tolerance} %", percent(share))
    }

    /// How sure the choice of `power` MB is, in words: "512 MB: 83 % sure that no size is more than 1 % cheaper, 97 % for 3 %". The
    /// tightest tolerance that is as good as certain stands alone.
    #[must_use]
    pub fn sentence(&self, power: u32, strategy: Strategy) -> String {
        let Self { within1, within3, within5 } = *self;
        let better = match strategy {
            Strategy::Cost => "cheaper",
            Strategy::Speed => "faster",
            Strategy::Balanced => "better",
        };
        match self.tightest() {
            Some((share, tolerance)) => {
                format!(
                    "{power} MB: {} sure that no size is more than {tolerance} % {better}",
                    percent(share)
                )
            }
            None => format!(
                "{power} MB: {} sure that no size is more than 1 % {better}, {} for 3 %, {} for 5 %",
                percent(within1),
                percent(within3),
                percent(within5)
            ),
        }
    }
}

impl Stat {
    /// The figures of each size of a search, ascending; sizes of which nothing is known are left out.
    pub fn of_search(history: &[Batch], averages: Averages, price: &LambdaPrice) -> Vec<Self> {
        let mut sizes: Vec<u32> = history.iter().map(|batch| batch.size).collect();
        sizes.sort_unstable();
        sizes.dedup();
        let of = |size: u32| {
            let batches = || history.iter().filter(move |batch| batch.size == size);
            let mut measurements = Measurements::new();
            batches().for_each(|batch| measurements.merge(batch.measurements()));
            let passes = batches().map(|batch| batch.passes).sum();
            if let Some(reason) = batches().find_map(|batch| batch.skipped.as_deref()) {
                return Some(Self::skipped(size, reason, &measurements, price, passes));
            }
            let mut stat = Self::measured(size, &measurements, averages, price, passes)?;
            if let Self::Measured(measured) = &mut stat {
                let (repeated, counted, delay) = batches()
                    .filter_map(|batch| batch.disturbed)
                    .fold((0, 0, 0.0), |sum, of| (sum.0 + of.0, sum.1 + of.1, sum.2 + of.2));
                measured.disturbed =
                    Disturbed::new(repeated, counted, delay, &measurements, averages.discard);
            }
            Some(stat)
        };
        sizes.into_iter().filter_map(of).collect()
    }
}
