//! The results in the words that users' programs read: one power value's ([`Stat`], what an Executor answers) and the whole
//! run's ([`Analysis`], what an execution answers). Names and meanings of the first fields are fixed by what people
//! already have; everything after them is an addition that readers may ignore.

mod alternative;
mod analyze;
mod applied;
mod baseline;
mod disturbed;
mod few_lanes;
mod limited;
mod processors;
mod searched;
mod undecided;

pub use alternative::Alternative;
pub use analyze::{AnalyzeError, Bursts, LinkDetail, Run, analyze};
pub use applied::{Applied, Change};
pub use baseline::Baseline;
pub use disturbed::{Disturbed, UnusableSize};
pub use few_lanes::FewLanes;
pub use limited::Limited;
pub use processors::{OtherProcessor, ProcessorDifference, Side, analyze_both};
pub use searched::{Found, Searched};
pub use undecided::Undecided;

use crate::gate::Verdict;
use crate::pricing::LambdaPrice;
use crate::search::Confidence;
use crate::stats::{Averages, ColdStarts, Held, Measurements, Spread};
use crate::strategy::Candidate;
use serde::{Deserialize, Deserializer, Serialize};

/// What an Executor answers for one power value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Stat {
    /// The function cannot work at this size.
    Skipped(Skipped),
    /// It can, and this is how.
    Measured(Box<Measured>),
}

/// The figures of one power value. Times in milliseconds, money in the currency of the function's region.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Measured {
    /// Memory size in MB.
    #[serde(deserialize_with = "size")]
    #[cfg_attr(feature = "schema", schemars(with = "u32"))]
    pub value: u32,
    /// Trimmed average cost of one invocation, without the request fee.
    pub average_price: f64,
    /// Trimmed average duration: handler, init and restore together.
    pub average_duration: f64,
    /// Cost of all measured invocations.
    #[serde(default)]
    pub total_cost: f64,
    /// How the durations are spread; absent in results of other programs.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub spread: Option<Spread>,
    /// By how much the average duration may be off, as a standard error; absent in results of other programs and for a single
    /// invocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standard_error: Option<f64>,
    /// Invocations that were measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invocations: Option<u32>,
    /// How many of them were cold starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cold_starts: Option<u32>,
    /// Average init (or restore) time of the cold starts alone; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init_duration: Option<f64>,
    /// Average duration of the cold starts, with what the handler took; present when they are in none of the averages and percentiles
    /// above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cold_duration: Option<f64>,
    /// How the durations stand to the input's `limit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    /// How many ended in an exception that the user allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<u32>,
    /// Invocations whose answer was lost on the way; they are in no figure.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost: u32,
    /// What other work on the machine did to the figures; absent when nothing, and in results from AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disturbed: Option<Disturbed>,
    /// How many passes the Executor needed; absent when one.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub passes: u32,
    /// Attempts that AWS refused to start (throttled, the function not ready), or that did not reach it, and that were made again; none of
    /// them ran.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: u32,
    /// Why fewer invocations were made than were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_by: Option<StoppedBy>,
}

/// What ended a run, or the measuring of a power value, before all its invocations were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum StoppedBy {
    /// The input's `budget`; in a search also its `maxInvocations`.
    Budget,
    /// A search that is as sure as it was to be.
    Confidence,
    /// A search that had no more rounds.
    Rounds,
}

impl Measured {
    /// What a strategy looks at.
    pub fn candidate(&self) -> Candidate {
        Candidate { cost: self.average_price, duration: self.average_duration }
    }
}

/// A power value at which the function cannot work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Skipped {
    /// Memory size in MB.
    #[serde(deserialize_with = "size")]
    #[cfg_attr(feature = "schema", schemars(with = "u32"))]
    pub value: u32,
    /// Why.
    #[serde(rename = "skipped")]
    pub reason: String,
    /// What finding that out cost, as far as it was measured.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub total_cost: f64,
    /// How many passes the Executor needed; absent when one.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub passes: u32,
}

impl Stat {
    /// The figures of one power value; `None` when nothing was measured. `passes` from 1. Where every invocation was a cold start the
    /// averages are over those, whatever was asked for: there is nothing else.
    pub fn measured(
        value: u32,
        measurements: &Measurements,
        averages: Averages,
        price: &LambdaPrice,
        passes: u32,
    ) -> Option<Self> {
        let whole = measurements.summary(averages.discard)?;
        let (warm, cold) = measurements.split();
        let apart = (averages.cold_starts == ColdStarts::Apart && !cold.is_empty())
            .then(|| warm.summary(averages.discard))
            .flatten();
        let cold_duration = apart.as_ref().and_then(|_| cold.summary(0.0));
        let summary = apart.as_ref().unwrap_or(&whole);
        let counted = if apart.is_some() { &warm } else { measurements };
        let held = averages.limit.and_then(|limit| counted.held(limit));
        let restore = price.restore(value);
        // Among warm invocations the cold starts of a run say nothing about how frequent they are in production.
        let each = if whole.cold_starts == whole.invocations { restore } else { 0.0 };
        Some(Self::Measured(Box::new(Measured {
            value,
            average_price: price.cost(value, summary.average_billed_ms) + each,
            average_duration: summary.average_duration_ms,
            total_cost: price.cost(value, whole.total_billed_ms as f64)
                + f64::from(whole.cold_starts) * restore,
            spread: Some(Spread { stddev: to_microseconds(summary.spread.stddev), ..summary.spread }),
            standard_error: summary.standard_error_ms.map(to_microseconds),
            invocations: Some(whole.invocations),
            cold_starts: Some(whole.cold_starts),
            init_duration: whole.init_duration_ms,
            cold_duration: cold_duration.map(|cold| to_microseconds(cold.average_duration_ms)),
            held,
            errors: Some(whole.errors),
            lost: whole.lost,
            disturbed: None,
            passes,
            retries: 0,
            stopped_by: None,
        })))
    }

    /// A power value at which the function cannot work, and what the invocations up to then cost.
    pub fn skipped(
        value: u32,
        reason: &str,
        measurements: &Measurements,
        price: &LambdaPrice,
        passes: u32,
    ) -> Self {
        let billed: u64 = measurements.iter().map(|measurement| measurement.billed_ms).sum();
        let restored = measurements.iter().filter(|measurement| measurement.cold_start_ms.is_some()).count();
        Self::Skipped(Skipped {
            value,
            // Reasons travel in the state of the execution, one per size.
            reason: reason.chars().take(200).collect(),
            total_cost: price.cost(value, billed as f64) + restored as f64 * price.restore(value),
            passes,
        })
    }

    /// Memory size in MB.
    pub fn value(&self) -> u32 {
        match self {
            Self::Skipped(skipped) => skipped.value,
            Self::Measured(measured) => measured.value,
        }
    }

    /// The figures, unless the size was skipped.
    pub fn as_measured(&self) -> Option<&Measured> {
        match self {
            Self::Skipped(_) => None,
            Self::Measured(measured) => Some(measured),
        }
    }

    /// Cost of all invocations that were measured.
    pub fn total_cost(&self) -> f64 {
        match self {
            Self::Skipped(skipped) => skipped.total_cost,
            Self::Measured(measured) => measured.total_cost,
        }
    }

    /// The same with how many starts were tried again.
    #[must_use]
    pub fn with_retries(mut self, retries: u32) -> Self {
        if let Self::Measured(measured) = &mut self {
            measured.retries = retries;
        }
        self
    }

    /// How many passes the Executor needed.
    pub fn passes(&self) -> u32 {
        match self {
            Self::Skipped(skipped) => skipped.passes,
            Self::Measured(measured) => measured.passes,
        }
    }
}

/// The output of an execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Analysis {
    /// The winner's memory size in MB.
    pub power: u32,
    /// Its trimmed average cost per invocation, without the request fee.
    pub cost: f64,
    /// Its trimmed average duration in milliseconds.
    pub duration: f64,
    /// What the run itself cost, and where to look at it.
    pub state_machine: StateMachine,
    /// Every measured power value; only with `includeOutputResults`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stats: Option<Vec<Stat>>,
    /// The power values at which the function cannot work.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<SkippedSize>,
    /// A size that costs or takes hardly more than the winner and is much better in the other figure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alternative: Option<Alternative>,
    /// `apart` when cold starts are in none of the averages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cold_starts: Option<String>,
    /// The input's budget, with which the run was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<f64>,
    /// What ended the run before all its invocations were made, or what ended its search for the size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_by: Option<StoppedBy>,
    /// The sizes whose figures cannot be used, since other work on the machine kept the function from its CPU; none on AWS.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unusable: Vec<UnusableSize>,
    /// The probability that no size from the smallest to the largest of the range or list is more than 1, 3 and 5 % better than the winner
    /// when the function is warm; absent with `limit`, where it is the limit that counts, with cold starts only, and where there are too
    /// many invocations or too few to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Confidence>,
    /// By how much the winner is expected to be off the best of those sizes, as a share of it; absent where `confidence` is, except with
    /// `limit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_excess: Option<f64>,
    /// That it is the number of execution environments which keeps the result from being surer; absent where it is not, or where nobody
    /// knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub few_lanes: Option<FewLanes>,
    /// What a search for the size found out; only with `powerValues: "AUTO"`.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub search: Option<Searched>,
    /// How the winner stands to the input's `limit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limited>,
    /// The sizes that may be as good as the winner, since the measurements do not tell them apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undecided: Vec<Undecided>,
    /// What the winner changes; absent when the size before the run is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
    /// The hash of the code that was measured, as Lambda's `CodeSha256`; absent when not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_sha256: Option<String>,
    /// What the costs were computed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prices: Option<Prices>,
    /// How the winner stands to the limits; only with `gate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Verdict>,
    /// What the winner was applied to; only with `autoOptimize`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<Applied>,
    /// What was measured on the other of two `architectures`; everything else in the output is of the function's own, if that is one of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_processor: Option<Box<OtherProcessor>>,
    /// What else there is to know of the run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Analysis {
    /// Why the choice is not to be applied, each to be read after "because"; nothing speaks against most choices.
    #[must_use]
    pub fn objections(&self) -> Vec<String> {
        let limits =
            self.gate.iter().flat_map(|verdict| &verdict.exceeded).map(|limit| format!("it {limit}"));
        // A search that ran out of money has decided all the same.
        let cut_short = self.stopped_by.filter(|_| self.search.is_none());
        let budget = cut_short.map(|_| "the budget ended the run".to_owned());
        let unusable = (!self.unusable.is_empty()).then(|| "the figures cannot be used".to_owned());
        limits.chain(budget).chain(unusable).collect()
    }
}

/// What the run itself cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct StateMachine {
    /// Cost of the state machine's transitions.
    pub execution_cost: f64,
    /// Cost of the measured invocations, without the request fee.
    pub lambda_cost: f64,
    /// Link to the chart.
    pub visualization: String,
}

/// A power value that was skipped, in the output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SkippedSize {
    /// Memory size in MB.
    pub value: u32,
    /// Why.
    pub reason: String,
}

/// What the costs were computed with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Prices {
    /// The function's region.
    pub region: String,
    /// `x86_64` or `arm64`.
    pub architecture: crate::pricing::Architecture,
    /// `USD` or `CNY`: what every cost in this output is counted in.
    pub currency: String,
    /// Price of one GB-second.
    pub per_gb_second: f64,
    /// Price of one request, which is in no cost above because it is the same for every size; absent when not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_request: Option<f64>,
    /// What to know about these prices; absent when they are the region's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What the function is billed for that is not in the costs, or not with the region's own price.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incomplete: Vec<String>,
}

/// Sizes come as text too: the reference's own events have both.
fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    crate::input::power_value(&value).map_err(serde::de::Error::custom)
}

/// Milliseconds without what no clock has measured.
fn to_microseconds(milliseconds: f64) -> f64 {
    (milliseconds * 1000.0).round() / 1000.0
}

fn is_zero(value: &u32) -> bool {
    *value == 0
}

fn is_nothing(value: &f64) -> bool {
    *value == 0.0
}

fn one() -> u32 {
    1
}

fn is_one(value: &u32) -> bool {
    *value == 1
}
