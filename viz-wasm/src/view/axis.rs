//! An axis: a range, linear or logarithmic, and its ticks. The one place that knows how a value becomes a position.

use tuning::figures::{fixed, label};

/// A range of values along one side of the chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// The value at the start; above zero on a logarithmic axis.
    pub low: f64,
    /// The value at the end; more than `low`.
    pub high: f64,
    /// Room before the start and after the end, as a part of the way between them.
    pub air: f64,
    /// Equal steps are equal ratios.
    pub log: bool,
    /// Where grid lines and labels are, ascending.
    pub ticks: Vec<f64>,
}

/// How many labels an axis of amounts should have, about.
const STEPS: f64 = 5.0;

impl Axis {
    /// The memory axis: from the smallest to the largest size with some air, a tick at every size. `sizes` ascends.
    pub fn sizes(sizes: &[u32], log: bool) -> Self {
        let first = f64::from(sizes.first().copied().unwrap_or(128).max(1));
        let last = f64::from(sizes.last().copied().unwrap_or(128).max(1));
        let (low, high) = match (log, first == last) {
            (true, true) => (first / 2.0, last * 2.0),
            (false, true) => (first * 0.5, last * 1.5),
            _ => (first, last),
        };
        Self { low, high, air: 0.04, log, ticks: sizes.iter().map(|&size| size.into()).collect() }
    }

    /// An axis of durations or costs. Linear ones start at zero, so that a height is an amount; logarithmic ones at the decade
    /// or half decade below the smallest amount above zero.
    pub fn amounts(values: &[f64], log: bool) -> Self {
        let most = values.iter().copied().fold(0.0, f64::max);
        if most <= 0.0 {
            return Self { low: 0.0, high: 1.0, air: 0.0, log: false, ticks: vec![0.0, 1.0] };
        }
        if !log {
            let step = step(most / STEPS);
            let count = (most / step).ceil().max(1.0) as u32;
            let ticks = (0..=count).map(|n| f64::from(n) * step).collect();
            return Self { low: 0.0, high: f64::from(count) * step, air: 0.0, log: false, ticks };
        }
        let least = values.iter().copied().filter(|value| *value > 0.0).fold(most, f64::min);
        let first = exponent(least);
        let decades = (exponent(most) - first + 1).max(1);
        let inner: &[f64] = match decades {
            1..=3 => &[1.0, 2.0, 5.0],
            _ => &[1.0],
        };
        let every = 1 + decades / 12;
        let ticks: Vec<f64> = (0..=decades)
            .filter(|decade| decade % every == 0)
            .flat_map(|decade| inner.iter().map(move |&digit| shifted(digit, first + decade)))
            .collect();
        let start = ticks.iter().rposition(|tick| *tick <= least).unwrap_or(0);
        let end = ticks.iter().position(|tick| *tick >= most && *tick > least);
        let high = end.map_or(shifted(1.0, first + decades), |end| ticks[end]);
        let ticks: Vec<f64> = ticks[start..=end.unwrap_or(ticks.len() - 1)].to_vec();
        Self { low: ticks[0], high: high.max(ticks[0] * 1.01), air: 0.0, log: true, ticks }
    }

    /// The ticks with their labels, in a unit of `per`: on a linear axis all with the decimals of its step, so that they align.
    pub fn labels(&self, per: f64) -> impl Iterator<Item = (f64, String)> {
        let step = label(self.ticks.get(1).copied().unwrap_or_default() / per);
        let decimals = match step.split_once('.') {
            _ if self.log || step.bytes().any(|byte| byte == b'e') => None,
            Some((_, decimals)) => Some(decimals.len()),
            None => Some(0),
        };
        let text = move |tick| decimals.map_or_else(|| label(tick), |decimals| fixed(tick, decimals));
        self.ticks.iter().map(move |&tick| (tick, text(tick / per)))
    }

    /// Where a value is, 0 at the start and 1 at the end. Values outside are at the nearer end.
    pub fn fraction(&self, value: f64) -> f64 {
        let part = if self.log {
            (value.max(self.low) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        ((part + self.air) / (1.0 + 2.0 * self.air)).clamp(0.0, 1.0)
    }

    /// Where a value is between two pixels.
    pub fn pixel(&self, value: f64, (from, to): (i32, i32)) -> i32 {
        from + (self.fraction(value) * f64::from(to - from)).round() as i32
    }
}

/// The next of 1, 2, 2.5 and 5 times a power of ten.
fn step(wanted: f64) -> f64 {
    let power = exponent(wanted);
    [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|digit| shifted(digit, power))
        .find(|step| *step >= wanted * 0.999)
        .unwrap_or(wanted)
}

/// The power of ten at or below a value above zero.
fn exponent(value: f64) -> i32 {
    value.log10().floor() as i32
}

/// `digit` times a power of ten.
fn shifted(digit: f64, exponent: i32) -> f64 {
    digit * 10f64.powi(exponent)
}
