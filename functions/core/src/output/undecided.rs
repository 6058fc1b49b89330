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
    /// By how much the winner is ahead in what the strategy looks at, in per cent of it; negative where all measurements together speak for
    /// this size.
    pub difference_percent: f64,
    /// By how much that may be wrong, in per cent: 1.96 standard errors of the difference.
    pub uncertainty_percent: f64,
    /// The probability that this size is better than the winner, 0 to 1; absent where only averages are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub better: Option<f64>,
    /// The `num` that would settle it if the durations go on varying as they did; absent when it would be over 10,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num: Option<u32>,
}

/// The sizes that `num` invocations do not tell from the winner, which is one of `measured`. The plausible curves say so (`rivals`): they know
/// what execution environments differ by, and what the other sizes say of this one. For a size that they do not know it is the averages
/// and their standard errors: cost and balance are in proportion to a size's duration, so their uncertainty is that of the duration. Sizes of
/// which nothing is known are left out.
pub fn undecided(
    strategy: Strategy,
    balanced_weight: f64,
    measured: &[&Measured],
    winner: usize,
    rivals: &[Rival],
) -> Vec<Undecided> {
    let candidates: Vec<Candidate> = measured.iter().map(|measured| measured.candidate()).collect();
    let scores = strategy::scores(strategy, balanced_weight, &candidates);
    // Shares of the winner's score, from here on.
    let error = |index: usize| {
        let relative = measured[index].standard_error? / measured[index].average_duration;
        Some(scores[index] / scores[winner] * relative)
    };
    let against = |index: usize| {
        let own = error(winner)?.hypot(error(index)?);
        let averages = Rival {
            power: measured[index].value,
            behind: scores[index] / scores[winner] - 1.0,
            error: own,
            better: None,
        };
        let known = rivals.iter().find(|rival| rival.power == averages.power);
        let Rival { behind, error, better, .. } = *known.unwrap_or(&averages);
        if error == 0.0 || behind > STANDARD_ERRORS * error {
            return None;
        }
        let made = f64::from(measured[index].invocations?.max(measured[winner].invocations?));
        // More invocations make their own part smaller, but not what execution environments differ by.
        let room = (behind.max(0.0) / STANDARD_ERRORS).powi(2) - (error.powi(2) - own.powi(2)).max(0.0);
        let num = if room > 0.0 { (made * own.min(error).powi(2) / room).ceil() } else { f64::INFINITY };
        let percent = |part: f64| (part * 1000.0).round() / 10.0;
        Some(Undecided {
            value: averages.power,
            difference_percent: percent(behind),
            uncertainty_percent: percent(STANDARD_ERRORS * error),
            better: better.map(|better| (better * 1000.0).round() / 1000.0),
            num: (num <= MOST_NUM).then_some(num as u32),
        })
    };
    (0..measured.len()).filter(|&index| index != winner).filter_map(against).collect()
}
