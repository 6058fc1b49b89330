//! Figures that other work on the machine made too high. Only a local endpoint can tell, so results from AWS have none of this.

use super::Measured;
use crate::stats::Measurements;
use crate::strategy::Candidate;
use serde::{Deserialize, Serialize};

/// By how many per cent an average may be too high and still be called one.
const TOLERABLE: f64 = 5.0;
/// The same for one that the choice does not depend on.
const BEARABLE: f64 = 10.0;

/// What other work on the machine did to the measuring of one size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Disturbed {
    /// Invocations that were made again, and are not counted, because other work kept the function from its CPU.
    pub repeated: u32,
    /// Counted invocations that it kept from it all the same.
    pub counted: u32,
    /// The time that it took from those, in per cent of the duration of all counted ones.
    pub delay_percent: f64,
    /// Whether the averages can be used: within 5 %, or with no more disturbed invocations than are trimmed.
    pub usable: bool,
}

impl Disturbed {
    /// What became of a size whose `counted` disturbed invocations were delayed by `delay_ms` together; `None` when nothing was
    /// disturbed. `discard` as in the input.
    #[must_use]
    pub fn new(
        repeated: u32,
        counted: u32,
        delay_ms: f64,
        measurements: &Measurements,
        discard: f64,
    ) -> Option<Self> {
        if (repeated, counted) == (0, 0) {
            return None;
        }
        let all: f64 = measurements.iter().map(|measurement| measurement.duration_ms).sum();
        let percent = if all > 0.0 { (delay_ms / all * 1000.0).round() / 10.0 } else { 0.0 };
        let trimmed = f64::from(counted) <= measurements.len() as f64 * discard;
        Some(Self { repeated, counted, delay_percent: percent, usable: trimmed || percent <= TOLERABLE })
    }
}

/// The sizes whose figures cannot be used: whose averages are far too high, or so much so that the choice may depend on it.
pub(super) fn unusable(
    measured: &[&Measured],
    chosen: usize,
    choose: Option<impl Fn(&[Candidate]) -> Option<usize>>,
) -> Vec<UnusableSize> {
    let delay = |measured: &Measured| {
        let disturbed = measured.disturbed.as_ref().filter(|disturbed| !disturbed.usable)?;
        Some(disturbed.delay_percent)
    };
    // As they would be without the delay, which is known at most: at one of the sizes, or at all.
    let undelayed = |at: Option<usize>| -> Vec<Candidate> {
        let part = |index: usize, measured: &Measured| match at {
            Some(at) if at != index => 1.0,
            _ => 1.0 - delay(measured).unwrap_or_default() / 100.0,
        };
        let figures = measured
            .iter()
            .enumerate()
            .map(|(index, measured)| (part(index, measured), measured.candidate()));
        figures.map(|(part, of)| Candidate { cost: of.cost * part, duration: of.duration * part }).collect()
    };
    let stands = choose.is_some_and(|choose| {
        let cases = std::iter::once(None).chain((0..measured.len()).map(Some));
        cases.map(undelayed).all(|figures| choose(&figures) == Some(chosen))
    });
    let sizes = measured.iter().filter_map(|measured| Some((measured.value, delay(measured)?)));
    sizes
        .filter(|(_, percent)| !stands || *percent > BEARABLE)
        .map(|(value, delay_percent)| UnusableSize { value, delay_percent })
        .collect()
}

/// A size whose figures cannot be used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct UnusableSize {
    /// Memory size in MB.
    pub value: u32,
    /// For how much of the time other work kept the function from its CPU, in per cent.
    pub delay_percent: f64,
}
