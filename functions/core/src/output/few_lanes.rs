//! Whether a result would gain more from further execution environments than from further invocations.
//!
//! Environments of one size differ, by a few per cent for as long as they live. What a size was measured in counts once for each of them,
//! however many invocations were made there.

use super::Measured;
use crate::search::Decision;
use serde::{Deserialize, Serialize};

/// A result that is surer than this needs no advice.
const SURE: f64 = 0.95;
/// No more lanes than this are advised: what is left then is little.
const MOST: u32 = 10;
/// In a lane with fewer invocations most of them are cold or settling.
const LEAST_A_LANE: u32 = 4;

/// The number of execution environments is what keeps a result from being surer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct FewLanes {
    /// In how many environments at a time each size was measured.
    pub lanes: u32,
    /// By how many per cent the duration of a size may be off since environments differ, as a standard deviation.
    pub environments_percent: f64,
    /// The same since invocations differ.
    pub invocations_percent: f64,
    /// The `lanes` with which environments would matter no more than invocations, or nearly.
    pub enough: u32,
}

impl FewLanes {
    /// Of a list of sizes, with so many lanes each; none where more of them would not help.
    pub(super) fn new(decision: &Decision, winner: &Measured, lanes: u32) -> Option<Self> {
        let made = winner.invocations?;
        let warm = made.saturating_sub(winner.cold_starts.unwrap_or_default());
        let lanes = lanes.max(1);
        if decision.confidence.within1 >= SURE || warm == 0 {
            return None;
        }
        let of_invocations = decision.noise.spread / f64::from(warm).sqrt();
        let of_environments = |lanes: u32| decision.noise.environments / f64::from(lanes).sqrt();
        let most = MOST.min(made / LEAST_A_LANE);
        let enough = (lanes..=most).find(|lanes| of_environments(*lanes) <= of_invocations).unwrap_or(most);
        let percent = |share: f64| (share * 1000.0).round() / 10.0;
        (enough > lanes).then(|| Self {
            lanes,
            environments_percent: percent(of_environments(lanes)),
            invocations_percent: percent(of_invocations),
            enough,
        })
    }

    /// In words, with the flag that helps.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Self { lanes, environments_percent, invocations_percent, enough } = self;
        let in_what = match lanes {
            1 => "in one execution environment, which leaves".to_owned(),
            _ => format!("in {lanes} execution environments, which leave"),
        };
        format!(
            "Each size was measured {in_what} \u{b1} {environments_percent} % open, and its invocations \u{b1} {invocations_percent} %: \
             --lanes {enough} would tell more than a larger --num"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Stat;
    use crate::pricing::{self, Architecture};
    use crate::search::{Confidence, Noise};
    use crate::stats::{Averages, ColdStarts, Measurement, Measurements};

    fn few(noise: Noise, within1: f64, num: u32, lanes: u32) -> Option<FewLanes> {
        let mut measurements = Measurements::new();
        (0..num).for_each(|_| {
            measurements.push(Measurement { duration_ms: 10.0, billed_ms: 10, cold_start_ms: None });
        });
        let averages = Averages { discard: 0.0, cold_starts: ColdStarts::Include, limit: None };
        let price = pricing::lambda("us-east-1", Architecture::Arm64);
        let stat = Stat::measured(512, &measurements, averages, &price, 1).unwrap();
        let confidence = Confidence { within1, ..Confidence::default() };
        let decision = Decision { noise, confidence, ..Decision::none_of(128) };
        FewLanes::new(&decision, stat.as_measured().unwrap(), lanes)
    }

    #[test]
    fn lanes_are_advised_where_environments_differ_more_than_invocations_leave_open() {
        let uneven = Noise { spread: 0.05, environments: 0.03, warm_up: 0.0 };
        let said = few(uneven, 0.6, 100, 1).unwrap();
        assert_eq!((said.environments_percent, said.invocations_percent, said.enough), (3.0, 0.5, 10));
        assert_eq!(
            said.sentence(),
            "Each size was measured in one execution environment, which leaves \u{b1} 3 % open, and its invocations \u{b1} 0.5 %: \
             --lanes 10 would tell more than a larger --num"
        );
        assert_eq!(few(uneven, 0.6, 20, 1).unwrap().enough, 5, "as many as there are invocations for");
        assert_eq!(few(uneven, 0.6, 100, 10), None, "there are enough");
        assert_eq!(few(uneven, 0.96, 100, 1), None, "it is sure");
        let even = Noise { spread: 0.3, environments: 0.03, warm_up: 0.0 };
        assert_eq!(few(even, 0.6, 50, 1), None, "it is the invocations that differ");
    }
}
