//! Advice where the winner is hardly ahead: another size that is much better in the figure the strategy does not look at.

use super::Measured;
use crate::figures;
use crate::strategy::Strategy;
use serde::{Deserialize, Serialize};

/// By how many per cent another size may be behind the winner to be about as good.
const HARDLY: f64 = 3.0;
/// How many times better its other figure has to be.
const MUCH: f64 = 1.5;

/// A size that is about as good as the winner by the strategy, and much better otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Alternative {
    /// Memory size in MB.
    pub value: u32,
    /// How much more an invocation costs than with the winner, in per cent; negative when it costs less.
    pub cost_percent: f64,
    /// How much longer an invocation takes than with the winner, in per cent; negative when it takes less.
    pub duration_percent: f64,
    /// The same in words: "512 MB costs about the same (+0.7 %) and is 4× faster".
    pub summary: String,
}

/// The best of them, if there is one. A balance of both figures has no other figure.
pub(super) fn alternative(
    strategy: Strategy,
    measured: &[&Measured],
    winner: &Measured,
) -> Option<Alternative> {
    if strategy == Strategy::Balanced {
        return None;
    }
    let by_speed = strategy == Strategy::Speed;
    let goal = |m: &Measured| if by_speed { m.average_duration } else { m.average_price };
    let other = |m: &Measured| if by_speed { m.average_price } else { m.average_duration };
    let about_as_good =
        |m: &&&Measured| goal(m) <= goal(winner) * (1.0 + HARDLY / 100.0) && other(m) * MUCH <= other(winner);
    let best = measured.iter().filter(about_as_good).min_by(|a, b| other(a).total_cmp(&other(b)))?;
    let percent = |figure: fn(&Measured) -> f64| {
        let percent = (figure(best) / figure(winner) - 1.0) * 100.0;
        // Without the sign of a negative zero.
        percent.is_finite().then_some((percent * 10.0).round() / 10.0 + 0.0)
    };
    let (cost_percent, duration_percent) = (percent(|m| m.average_price)?, percent(|m| m.average_duration)?);
    let about = |percent: f64, exactly: &str, about: &str| match percent {
        0.0 => exactly.to_owned(),
        percent => format!("{about} ({percent:+} %)"),
    };
    let words = match strategy {
        Strategy::Speed => format!(
            "takes {} and costs {} % less",
            about(duration_percent, "as long", "about as long"),
            figures::fixed(-cost_percent, 0),
        ),
        _ => format!(
            "costs {} and is {}× faster",
            about(cost_percent, "the same", "about the same"),
            times(winner.average_duration / best.average_duration),
        ),
    };
    Some(Alternative {
        value: best.value,
        cost_percent,
        duration_percent,
        summary: format!("{} MB {words}", best.value),
    })
}

/// `4`, `1.6`, `13`: two digits at most.
fn times(ratio: f64) -> String {
    let text = if ratio < 9.95 { format!("{ratio:.1}") } else { figures::fixed(ratio, 0) };
    text.trim_end_matches(".0").to_owned()
}
