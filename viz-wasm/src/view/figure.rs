//! Columns of figures: one unit and as many decimals for all of a column, so that they can be compared at a glance.

use tuning::figures;

/// How a column is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// What one of its units is, in the values' own.
    per: f64,
    decimals: usize,
    /// The unit's name.
    pub unit: &'static str,
}

impl Figure {
    /// Durations given in milliseconds, in seconds where the longest has more than four digits.
    pub fn durations(values: impl Iterator<Item = f32> + Clone) -> Self {
        let seconds = values.clone().fold(0.0, f32::max) >= 10_000.0;
        let (unit, per) = if seconds { ("s", 1000.0) } else { ("ms", 1.0) };
        Self::new(values, per, unit)
    }

    /// Costs given of one invocation, of a million; `unit` is the currency's sign.
    pub fn costs(values: impl Iterator<Item = f32>, unit: &'static str) -> Self {
        Self::new(values, 1e-6, unit)
    }

    /// Three digits of the smallest value, but no more than three decimals.
    fn new(values: impl Iterator<Item = f32>, per: f64, unit: &'static str) -> Self {
        let least = values.filter(|value| *value > 0.0).fold(f32::MAX, f32::min);
        let mut decimals = 0;
        let mut least = f64::from(least) / per;
        while least < 99.5 && decimals < 3 {
            least *= 10.0;
            decimals += 1;
        }
        Self { per, decimals, unit }
    }

    /// A value of the column, without its unit.
    pub fn text(self, value: f32) -> String {
        let value = f64::from(value) / self.per;
        // What rounds to nothing, or nobody can read any more, is written as it is elsewhere.
        if value == 0.0 || (1e-3..1e12).contains(&value) {
            figures::fixed(value, self.decimals)
        } else {
            figures::significant(value)
        }
    }
}
