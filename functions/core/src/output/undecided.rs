//! Sizes that the measurements do not tell from the winner.

use super::Measured;
use crate::search::Rival;
use crate::strategy::{self, Candidate, Strategy};
use serde::{Deserialize, Serialize};

/// Two sizes are told apart when their difference exceeds this many standard errors: 95 % of a normal distribution.
const STANDARD_ERRORS: f64 = 1.96;
/// More invocations than anyone makes for it: so close, two sizes are as good as each other.
const MOST_NUM: f64 = 10_000.0;

/// A size that may be as good as the winner or better: the durations vary too much to tell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Undecided {
    /// Memory size in MB.
    pub value: u32,
    /// By how much the winner is ahead in what the strategy looks at, in per cent of it.
    pub difference_percent: f64,
    /// By how much that may be wrong, in per cent: 1.96 standard errors of the difference.
    pub uncertainty_percent: f64,
    /// The `num` that would settle it if the durations go on varying as they did; absent when it would be over 10,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num: Option<u32>,
}

/// The sizes that `num` invocations do not tell from the winner, which is one of `measured`. How uncertain a difference is, the plausible
/// curves say (`rivals`), which know what execution environments differ by. For a size that they do not know it is the standard errors: cost
/// and balance are in proportion to a size's duration, so their uncertainty is that of the duration. Sizes of which nothing is known are
/// left out.
pub fn undecided(
    strategy: Strategy,
    balanced_weight: f64,
    measured: &[&Measured],
    winner: usize,
    rivals: &[Rival],
) -> Vec<Undecided> {
    let candidates: Vec<Candidate> = measured.iter().map(|measured| measured.candidate()).collect();
    let scores = strategy::scores(strategy, balanced_weight, &candidates);
    let error = |index: usize| {
        let relative = measured[index].standard_error? / measured[index].average_duration;
        Some(scores[index] * relative)
    };
    let rival = |index: usize| rivals.iter().find(|rival| rival.power == measured[index].value);
    let against = |index: usize| {
        let own = error(winner)?.hypot(error(index)?);
        let all = rival(index).map_or(own, |rival| rival.error * scores[winner]);
        let uncertainty = STANDARD_ERRORS * all;
        let difference = scores[index] - scores[winner];
        if uncertainty <= difference || uncertainty == 0.0 {
            return None;
        }
        let made = f64::from(measured[index].invocations?.max(measured[winner].invocations?));
        // More invocations make their own part smaller, but not what execution environments differ by.
        let room = (difference / STANDARD_ERRORS).powi(2) - (all.powi(2) - own.powi(2)).max(0.0);
        let num = if room > 0.0 { (made * own.min(all).powi(2) / room).ceil() } else { f64::INFINITY };
        let percent = |part: f64| (part / scores[winner] * 1000.0).round() / 10.0;
        Some(Undecided {
            value: measured[index].value,
            difference_percent: percent(difference),
            uncertainty_percent: percent(uncertainty),
            num: (num <= MOST_NUM).then_some(num as u32),
        })
    };
    (0..measured.len()).filter(|&index| index != winner).filter_map(against).collect()
}
