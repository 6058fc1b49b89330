//! Whether a function has become slower since another run, as far as two runs can tell.
//!
//! Two runs differ by what their invocations vary by, and by which execution environments they met: those differ from each other
//! and stay as long as they live, so that more invocations in the same ones say nothing more. A difference is beyond doubt when it
//! is more than both allow. After [`crate::output`]; the program's gate `--baseline` judges by it.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::search::ENVIRONMENTS;

/// What is said is right with this probability, at least.
const SURE: f64 = 0.99;
/// The share of a run's invocations that a trimmed average is taken over, where nothing else is known.
const KEPT: f64 = 0.6;
/// More invocations of a size, and execution environments side by side, than a run can have.
const MOST: (f64, f64) = (20_000.0, 100.0);

/// What a run measured at one memory size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Side {
    /// Average duration in milliseconds.
    pub ms: f64,
    /// Its standard error in milliseconds.
    pub standard_error_ms: f64,
    /// Invocations that were measured.
    pub invocations: u32,
    /// Execution environments that they met; at least one.
    pub environments: u32,
    /// What execution environments differ by, as a share; none takes what is usual.
    pub between_environments: Option<f64>,
}

/// What two runs say of a regression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Finding {
    /// It is larger than allowed, beyond doubt.
    Exceeded,
    /// It is not, beyond doubt.
    Kept,
    /// They do not tell.
    Undecided,
}

/// A function now against what it was before, at one memory size or at two.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Regression {
    /// By how many per cent the average duration is longer; negative when it is shorter.
    pub percent: f64,
    /// What that is at least, and at most: right with a probability of 98 %.
    pub range_percent: (f64, f64),
    /// How many per cent are allowed.
    pub allowed_percent: f64,
    /// What follows.
    pub finding: Finding,
    /// How large both runs, or this one alone, would have to be to tell; absent when they do, and when none would.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would_tell: Option<WouldTell>,
}

/// How large a run would have to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct WouldTell {
    /// Invocations of each size.
    pub num: u32,
    /// Execution environments side by side.
    pub lanes: u32,
    /// Whether the other run is too small as well and has to be made again like this.
    pub both: bool,
}

impl Side {
    /// The variance of the logarithm of its duration: what invocations vary by, and what environments do.
    fn variances(&self) -> (f64, f64) {
        let own = (self.standard_error_ms / self.ms).powi(2);
        let (usual, _) = ENVIRONMENTS;
        let between = self.between_environments.unwrap_or(usual).max(usual);
        (own, between.powi(2) / f64::from(self.environments.max(1)))
    }

    /// What the standard error's own uncertainty is counted by.
    fn freedom(&self) -> f64 {
        (f64::from(self.invocations) * KEPT - 1.0).max(1.0)
    }
}

impl Regression {
    /// Judges two runs; `allowed` is a share, 0.1 for ten per cent.
    #[must_use]
    pub fn new(before: &Side, now: &Side, allowed: f64) -> Self {
        let difference = (now.ms / before.ms).ln();
        let ((own_before, env_before), (own_now, env_now)) = (before.variances(), now.variances());
        let variance = own_before + env_before + own_now + env_now;
        // After Welch and Satterthwaite; what environments differ by is taken as known.
        let parts = own_before.powi(2) / before.freedom() + own_now.powi(2) / now.freedom();
        let freedom = if parts > 0.0 { variance.powi(2) / parts } else { f64::INFINITY };
        let quantile = quantile(freedom);
        let off = quantile * variance.sqrt();
        let limit = allowed.ln_1p();
        let finding = if difference - off > limit {
            Finding::Exceeded
        } else if difference + off < limit {
            Finding::Kept
        } else {
            Finding::Undecided
        };
        let would_tell = (finding == Finding::Undecided).then(|| {
            let enough = ((difference - limit) / quantile).powi(2);
            would_tell(enough, (own_before + env_before, own_now, env_now), before, now)
        });
        let percent = |ln: f64| (ln.exp_m1() * 1000.0).round() / 10.0;
        Self {
            percent: percent(difference),
            range_percent: (percent(difference - off), percent(difference + off)),
            allowed_percent: (allowed * 1000.0).round() / 10.0,
            finding,
            would_tell: would_tell.flatten(),
        }
    }
}

/// The run that leaves a variance of `enough`: half of it to the invocations, half to the environments.
fn would_tell(
    enough: f64,
    (of_before, own, environments): (f64, f64, f64),
    before: &Side,
    now: &Side,
) -> Option<WouldTell> {
    // With room for little beside the other run's variance, that is what has to become smaller.
    let both = of_before > 0.8 * enough;
    let room = if both { enough / 2.0 } else { enough - of_before } / 2.0;
    let one = f64::from(now.invocations) * own;
    let other = f64::from(before.invocations) * (before.standard_error_ms / before.ms).powi(2);
    let num = (if both { one.max(other) } else { one } / room).ceil().max(f64::from(now.invocations));
    let lanes = (f64::from(now.environments.max(1)) * environments / room).ceil().max(1.0);
    let possible = num <= MOST.0 && lanes <= MOST.1;
    possible.then_some(WouldTell { num: num.max(2.0 * lanes) as u32, lanes: lanes as u32, both })
}

/// The value that a t distribution exceeds with the probability that is left for being wrong.
fn quantile(freedom: f64) -> f64 {
    let freedom = freedom.clamp(1.0, 1e6);
    StudentsT::new(0.0, 1.0, freedom).map_or(f64::INFINITY, |distribution| distribution.inverse_cdf(SURE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(ms: f64, error: f64, invocations: u32, environments: u32) -> Side {
        Side { ms, standard_error_ms: error, invocations, environments, between_environments: None }
    }

    #[test]
    fn only_what_is_beyond_doubt_is_said() {
        let before = side(100.0, 1.0, 50, 1);
        let judged = |ms: f64, error: f64| Regression::new(&before, &side(ms, error, 50, 1), 0.1);
        assert_eq!(judged(130.0, 1.0).finding, Finding::Exceeded);
        assert_eq!(judged(130.0, 1.0).percent, 30.0);
        assert_eq!(judged(98.0, 1.0).finding, Finding::Kept);
        // Above the limit, but so might one be that is not.
        let near = judged(113.0, 1.0);
        assert_eq!((near.finding, near.percent, near.allowed_percent), (Finding::Undecided, 13.0, 10.0));
        assert!(near.range_percent.0 < 10.0 && near.range_percent.1 > 13.0, "{near:?}");
        // The same figures from fewer invocations, or with more scatter, say less.
        assert_eq!(judged(130.0, 10.0).finding, Finding::Undecided);
        assert_eq!(Regression::new(&before, &side(125.0, 1.0, 2, 1), 0.1).finding, Finding::Exceeded);
        assert_eq!(
            Regression::new(&side(100.0, 4.0, 5, 1), &side(128.0, 4.0, 5, 1), 0.1).finding,
            Finding::Undecided
        );
    }

    #[test]
    fn what_would_tell_tells() {
        let before = side(100.0, 0.5, 200, 8);
        let now = side(116.0, 3.0, 20, 1);
        let first = Regression::new(&before, &now, 0.1);
        assert_eq!(first.finding, Finding::Undecided);
        let larger = first.would_tell.unwrap();
        assert!(!larger.both && larger.num > 20 && larger.lanes > 1, "{larger:?}");
        // Standard errors fall with the root of the number.
        let error = 3.0 * (20.0 / f64::from(larger.num)).sqrt();
        let then = Regression::new(&before, &side(116.0, error, larger.num, larger.lanes), 0.1);
        assert_eq!(then.finding, Finding::Exceeded, "{then:?}");
        // A baseline that says too little itself has to be measured again.
        let vague = Regression::new(&side(100.0, 4.0, 20, 1), &now, 0.1).would_tell.unwrap();
        assert!(vague.both, "{vague:?}");
        // So near to the limit nothing tells.
        let same = Regression::new(&before, &side(110.01, 3.0, 20, 1), 0.1);
        assert_eq!((same.finding, same.would_tell), (Finding::Undecided, None));
    }

    #[test]
    fn what_environments_differ_by_counts_however_many_invocations_there_are() {
        let exact = |environments, between| Side {
            between_environments: Some(between),
            ..side(100.0, 0.0, 10_000, environments)
        };
        let slower = |side: Side| Side { ms: 115.0, ..side };
        let judged = |side: Side| Regression::new(&side, &slower(side), 0.1).finding;
        assert_eq!(judged(exact(1, 0.06)), Finding::Undecided);
        assert_eq!(judged(exact(100, 0.06)), Finding::Exceeded);
    }
}
