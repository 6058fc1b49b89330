//! Small statistics, and random numbers that are the same for everybody.

use statrs::function::{beta, erf};

/// The value below which a share of the values is, between two of them by their distance; 0 for none.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let at = share.clamp(0.0, 1.0) * last as f64;
    let below = at.floor() as usize;
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * (at - below as f64)
}

/// The same values in ascending order.
pub fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The middle value; 0 for none.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    quantile(&sorted(values), 0.5)
}

/// The arithmetic mean; 0 for none.
pub fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, count) = values.into_iter().fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    if count > 0.0 { sum / count } else { 0.0 }
}

/// The regularised incomplete beta function, the probability that a share with this posterior is below `x`.
pub fn beta_below(a: f64, b: f64, x: f64) -> f64 {
    beta::checked_beta_reg(a, b, x.clamp(0.0, 1.0)).unwrap_or(0.0)
}

/// The distribution function of the standard normal distribution.
pub fn normal_below(x: f64) -> f64 {
    0.5 * erf::erfc(-x / std::f64::consts::SQRT_2)
}

/// Its inverse, for probabilities between 0 and 1.
pub fn normal_quantile(probability: f64) -> f64 {
    std::f64::consts::SQRT_2 * erf::erf_inv(2.0 * probability.clamp(1e-9, 1.0 - 1e-9) - 1.0)
}

/// A number above 0 and below 1 for each place of a table (the finalizer of SplitMix64, Steele et al. 2014).
fn unit(table: u64, row: usize, column: usize) -> f64 {
    let mut bits = (table << 56 ^ (row as u64) << 28 ^ column as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^= bits >> 31;
    ((bits >> 11) as f64 + 0.5) / (1u64 << 53) as f64
}

/// A standard normal number for each place of a table.
pub fn normal(row: usize, column: usize) -> f64 {
    normal_quantile(unit(1, row, column))
}

/// A standard exponential number for each place of a table.
pub fn exponential(row: usize, column: usize) -> f64 {
    -unit(2, row, column).ln()
}

/// Point `index` of the R-sequence in six dimensions: well spread over the unit cube, and the same for everybody
/// (Roberts, "The unreasonable effectiveness of quasirandom sequences", 2018).
pub fn well_spread(index: usize) -> [f64; 6] {
    /// The root of g^7 = g + 1.
    const G: f64 = 1.112_775_684_278_705_5;
    let mut step = 1.0;
    std::array::from_fn(|_| {
        step /= G;
        (0.5 + (index + 1) as f64 * step).fract()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_values() {
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.5), 2.0);
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.75), 3.0);
        assert_eq!(quantile(&[], 0.5), 0.0);
        assert_eq!(median([3.0, 1.0]), 2.0);
    }

    #[test]
    fn the_tables_have_the_moments_of_their_distributions() {
        let table = |value: fn(usize, usize) -> f64| {
            (0..200).flat_map(move |row| (0..100).map(move |column| value(row, column)))
        };
        assert!(mean(table(normal)).abs() < 0.02);
        assert!((mean(table(normal).map(|z| z * z)) - 1.0).abs() < 0.03);
        assert!((mean(table(exponential)) - 1.0).abs() < 0.03);
    }

    #[test]
    fn the_sequence_is_that_of_its_root() {
        let g = 1.0 / (well_spread(0)[0] + 0.5);
        assert!((g.powi(7) - g - 1.0).abs() < 1e-9);
        for dimension in 0..6 {
            let average = mean((0..1000).map(|index| well_spread(index)[dimension]));
            assert!((average - 0.5).abs() < 0.01, "{dimension}: {average}");
        }
    }
}
