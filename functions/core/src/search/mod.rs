//! Chooses the memory sizes itself: which sizes to measure next and how often, or which size to take and how sure that is.
//!
//! [`next`] is a pure function of the task and of all invocations so far; there is no state between rounds but those
//! invocations, and the same invocations give the same answer in whatever order they are listed.
//!
//! 1. [`cells`]: invocations of one size and round become one figure with its variance; outliers, warm-up and the
//!    differences between execution environments are estimated on the way (Huber's M-estimation, analysis of variance).
//! 2. [`prior`]: the curves that functions have, a fixed set of physical shapes (Roberts' R-sequence).
//! 3. [`posterior`]: shapes × Gaussian processes for what no shape explains (Kennedy and O'Hagan's discrepancy), weighed by
//!    the figures; 256 curves drawn from that are all that the decision looks at.
//! 4. [`decision`]: the size with the least expected excess, and in how many of the curves it is within 1, 3 and 5 % of
//!    the best one; [`limit`] is the same for a latency limit.
//! 5. [`rounds`]: where further invocations tell most about what is still open.
//!
//! The crate's README has the figures this reaches, its limits and the sources.

mod cells;
mod decision;
mod history;
mod limit;
mod matrix;
mod numbers;
mod posterior;
mod prior;
mod room;
mod rounds;

use serde::{Deserialize, Serialize};
use std::fmt;

pub use cells::ENVIRONMENTS;
pub use history::{Batch, Sample, calls};
pub use limit::{Measured, kept};

/// Memory sizes that Lambda has, in MB.
pub const SIZES: std::ops::RangeInclusive<u32> = 128..=10_240;
/// The memory size, in MB, that has one vCPU.
const VCPU: f64 = 1769.0;
/// Rounds after which a search stops at the latest, unless its task says otherwise.
pub const MAX_ROUNDS: u32 = 6;

/// What is searched for, and what it may take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Task {
    /// The smallest memory size that may be chosen, in MB.
    pub lowest: u32,
    /// The largest one, in MB.
    pub highest: u32,
    /// What the best size is.
    pub aim: Aim,
    /// By how much the chosen size may be off the best one, as a share of it: 0.01 is 1 %.
    pub tolerance: f64,
    /// How sure of that the search has to be in order to stop, 0 to 1.
    pub confidence: f64,
    /// After how many rounds it stops at the latest.
    pub max_rounds: u32,
    /// After how many invocations it stops at the latest, cold ones included.
    pub max_invocations: u32,
    /// What a billed millisecond costs beside memory, as so much more memory, in MB: ephemeral storage.
    pub besides_mb: f64,
}

/// What the best size is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Aim {
    /// The one with the lowest cost of an invocation.
    Cost,
    /// The one with the lowest duration.
    Speed,
    /// The one with the lowest weighted sum of both, each relative to the largest of the range.
    Balanced {
        /// 0 is all speed, 1 is all cost.
        weight: f64,
    },
    /// The cheapest one whose duration keeps a limit.
    Limit {
        /// The share of invocations that have to keep it: 0.95 is the 95th percentile.
        share: f64,
        /// The limit in milliseconds.
        ms: f64,
    },
}

/// One invocation that was made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Call {
    /// Its memory size in MB.
    pub size: u32,
    /// The round it was made in, from 0.
    pub round: u32,
    /// Which of the size's lanes made it, from 0. A lane makes one invocation after the other.
    pub lane: u32,
    /// How many invocations this lane had made at this size before, in all rounds.
    pub index: u32,
    /// Its duration in milliseconds, without initialization.
    pub ms: f64,
    /// Whether an execution environment was initialized for it.
    pub cold: bool,
    /// How it ended.
    pub end: End,
    /// The most memory it used, in MB.
    pub max_memory: f64,
}

/// How an invocation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum End {
    /// With an answer.
    Answered,
    /// Killed for want of memory.
    OutOfMemory,
    /// After the function's time-out.
    TimedOut,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Measure again.
    Measure {
        /// What, by size, ascending.
        blocks: Vec<Block>,
        /// What would be chosen if nothing more were measured; none before anything was.
        so_far: Option<Box<Decision>>,
    },
    /// Stop.
    Done(Box<Decision>),
}

/// Invocations of one size within a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Block {
    /// The memory size in MB.
    pub size: u32,
    /// How many invocations to make, cold ones included.
    pub num: u32,
    /// How many of them at the same time.
    pub lanes: u32,
}

/// Which size to take, and how sure that is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// The memory size in MB, one of those measured; none when no size ran.
    pub power: Option<u32>,
    /// The probability that it is within 1, 3 and 5 % of the best size there is.
    pub confidence: Confidence,
    /// By how much it is expected to be off the best one, as a share of it.
    pub expected_excess: f64,
    /// The probability that it keeps the latency limit, where there is one.
    pub kept: Option<f64>,
    /// Whether the search believes that no size keeps the latency limit.
    pub unmet: bool,
    /// Why the search stops; none while it goes on.
    pub stopped_by: Option<Stop>,
    /// Measured sizes that may be as good, the likeliest first.
    pub alternatives: Vec<Alternative>,
    /// What the durations vary by.
    pub noise: Noise,
    /// The smallest size that is considered, and why.
    pub floor: Floor,
    /// The duration by memory size, with a band that holds 90 % of the plausible curves.
    pub curve: Vec<CurvePoint>,
}

/// How good a size is among all those of the range, and against each that was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// What is known of the size.
    pub decision: Decision,
    /// The other measured sizes, ascending.
    pub others: Vec<Rival>,
}

/// A measured size against the one that is judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rival {
    /// Memory size in MB.
    pub power: u32,
    /// By how much it is worse than the judged size, as a share of that; negative where it is better.
    pub behind: f64,
    /// Standard deviation of that; larger where 2.5 % of the plausible curves are further below than 1.96 of it.
    pub error: f64,
    /// The probability that it is better, 0 to 1; none where only averages are known.
    pub better: Option<f64>,
}

/// Probabilities, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Confidence {
    /// Of being within 1 %.
    pub within1: f64,
    /// Of being within 3 %.
    pub within3: f64,
    /// Of being within 5 %.
    pub within5: f64,
}

/// Why a search stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Stop {
    /// It is as sure as it was asked to be.
    Confidence,
    /// There are no invocations left.
    Budget,
    /// There are no rounds left.
    Rounds,
    /// No size runs the function.
    NothingRan,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Confidence => "confidence",
            Self::Budget => "budget",
            Self::Rounds => "rounds",
            Self::NothingRan => "nothingRan",
        })
    }
}

/// A measured size that may be as good as the chosen one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Alternative {
    /// Memory size in MB.
    pub power: u32,
    /// The probability that it is within 1 % of the best size.
    pub within1: f64,
}

/// What the durations vary by; shares of a duration.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Noise {
    /// Standard deviation of an invocation.
    pub spread: f64,
    /// Standard deviation between execution environments.
    pub environments: f64,
    /// By how much the first warm invocation of an environment is slower than a settled one.
    pub warm_up: f64,
}

/// The smallest size that is considered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Floor {
    /// Memory size in MB.
    pub power: u32,
    /// Why it is not smaller.
    pub because: FloorReason,
}

/// Why sizes below the floor are not considered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum FloorReason {
    /// The range starts there.
    Range,
    /// Smaller ones would leave less than a tenth of the memory free.
    Memory,
    /// Smaller ones failed.
    Failures,
}

impl fmt::Display for FloorReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Range => "range",
            Self::Memory => "memory",
            Self::Failures => "failures",
        })
    }
}

/// The duration at one memory size, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", from = "(u32, f64, f64, f64)", into = "(u32, f64, f64, f64)")]
pub struct CurvePoint {
    /// Memory size in MB.
    pub power: u32,
    /// 5 % of the plausible curves are below.
    pub low: f64,
    /// Half of them are.
    pub middle: f64,
    /// 95 % of them are.
    pub high: f64,
}

impl From<(u32, f64, f64, f64)> for CurvePoint {
    fn from((power, low, middle, high): (u32, f64, f64, f64)) -> Self {
        Self { power, low, middle, high }
    }
}

impl From<CurvePoint> for (u32, f64, f64, f64) {
    fn from(point: CurvePoint) -> Self {
        let rounded = |ms: f64| (ms * 1000.0).round() / 1000.0;
        (point.power, rounded(point.low), rounded(point.middle), rounded(point.high))
    }
}

#[cfg(test)]
pub(crate) use numbers::normal;
pub(crate) use numbers::{beta_below, mean, median, quantile, sorted};

/// What to do after `round` rounds, in which `calls` were made.
#[must_use]
pub fn next(task: &Task, calls: &[Call], round: u32) -> Step {
    let task = &task.within_bounds();
    let room = task.max_invocations.saturating_sub(u32::try_from(calls.len()).unwrap_or(u32::MAX));
    if calls.is_empty() {
        let blocks = rounds::first(task);
        return if blocks.is_empty() {
            Step::Done(Box::new(Decision::none(task, Stop::Budget)))
        } else {
            Step::Measure { blocks, so_far: None }
        };
    }
    let calls = in_order(calls);
    let end = if round >= task.max_rounds {
        Some(Stop::Rounds)
    } else if room < rounds::FEWEST {
        Some(Stop::Budget)
    } else {
        None
    };
    rounds::after(task, &calls, &room::Progress { round, room, end })
}

/// How good a size is that somebody else chose, by the invocations of a list of sizes. None with a latency limit, for which it is the limit
/// that counts, and where no warm invocation of the size is known.
#[must_use]
pub fn judge(task: &Task, calls: &[Call], power: u32) -> Option<Judgement> {
    decision::judge(&task.within_bounds(), &in_order(calls), power)
}

/// One order, whatever order they came in: sums of floats depend on it.
fn in_order(calls: &[Call]) -> Vec<Call> {
    let mut calls = calls.to_vec();
    calls.sort_by(|a, b| {
        let key = |call: &Call| (call.size, call.round, call.lane, call.index, call.cold);
        key(a).cmp(&key(b)).then(a.ms.total_cmp(&b.ms)).then(a.max_memory.total_cmp(&b.max_memory))
    });
    calls
}

impl Task {
    /// The same with every figure where it can be: a wrong one must not end in a panic in the middle of a run.
    fn within_bounds(&self) -> Self {
        let share =
            |value: f64, default: f64| if value.is_finite() { value.clamp(0.0, 1.0) } else { default };
        let lowest = self.lowest.clamp(*SIZES.start(), *SIZES.end());
        let aim = match self.aim {
            Aim::Balanced { weight } => Aim::Balanced { weight: share(weight, 0.5) },
            Aim::Limit { share: part, ms } => Aim::Limit {
                share: share(part, 0.95).clamp(0.5, 0.999),
                ms: if ms.is_finite() { ms.max(0.05) } else { f64::MAX },
            },
            other => other,
        };
        Self {
            lowest,
            highest: self.highest.clamp(lowest, *SIZES.end()),
            aim,
            tolerance: share(self.tolerance, 0.01),
            confidence: share(self.confidence, 0.95),
            besides_mb: if self.besides_mb.is_finite() { self.besides_mb.max(0.0) } else { 0.0 },
            ..*self
        }
    }
}

impl Decision {
    fn none(task: &Task, stop: Stop) -> Self {
        Self { stopped_by: Some(stop), ..Self::none_of(task.lowest) }
    }

    /// Nothing is known; `lowest` is the smallest size that may be chosen.
    #[must_use]
    pub fn none_of(lowest: u32) -> Self {
        Self {
            power: None,
            confidence: Confidence::default(),
            expected_excess: 1.0,
            kept: None,
            unmet: false,
            stopped_by: None,
            alternatives: Vec::new(),
            noise: Noise::default(),
            floor: Floor { power: lowest, because: FloorReason::Range },
            curve: Vec::new(),
        }
    }
}
