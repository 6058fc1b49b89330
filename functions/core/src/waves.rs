//! Two things compared by invocations that took turns: a wave of lanes side by side on the one, then a wave on the other, and so on.
//!
//! A wave meets as many execution environments as it has lanes, whichever they are, so waves say how much of a difference is that of
//! environments without anybody knowing which invocation ran where. The interval is Student's with `2 k - 2` degrees of freedom, k being the lanes, around the difference of the means of logarithms,
//! whose variance is that within waves over k less what waves share, and at least that between waves.

use crate::search::{beta_below, mean, median, quantile, sorted};

/// Values further from their side's median than this many standard deviations are drawn in to there.
const CUT: f64 = 3.0;
/// Between values that are the same there is the clock, at least.
const LEAST_SPREAD: f64 = 0.002;

/// By what factor the second is more than the first, with an interval that holds the truth in 95 of 100 cases.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Factor {
    /// The factor.
    pub middle: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// Compares values, each with the number of its wave; `lanes` are those of one side. None where fewer than two waves have two values on both
/// sides.
#[must_use]
pub fn compare(first: &[(u32, f64)], second: &[(u32, f64)], lanes: u32) -> Option<Factor> {
    let sides = [first, second].map(logarithms);
    let of_wave = |side: usize, wave: u32| -> Vec<f64> {
        sides[side].iter().filter(|(of, _)| *of == wave).map(|(_, value)| *value).collect()
    };
    let mut waves: Vec<u32> = first.iter().map(|(wave, _)| *wave).collect();
    waves.sort_unstable();
    waves.dedup();
    waves.retain(|wave| [0, 1].iter().all(|side| of_wave(*side, *wave).len() > 1));
    if waves.len() < 2 || lanes < 2 {
        return None;
    }
    let kept = |side: usize| waves.iter().map(|wave| of_wave(side, *wave)).collect::<Vec<_>>();
    let (first, second) = cut(&kept(0), &kept(1));
    let (lanes, rounds) = (f64::from(lanes), waves.len() as f64);
    let difference = mean(second.iter().flatten().copied()) - mean(first.iter().flatten().copied());
    let within =
        [&first, &second].map(|side| mean(side.iter().map(|wave| variance(wave)))).iter().sum::<f64>();
    let between: Vec<f64> = first
        .iter()
        .zip(&second)
        .map(|(first, second)| mean(second.iter().copied()) - mean(first.iter().copied()))
        .collect();
    let between = variance(&between);
    let of_difference = (within / lanes - (1.0 - 1.0 / rounds) * between).max(between / rounds).max(0.0);
    let half = student(2.0 * lanes - 2.0) * of_difference.sqrt();
    Some(Factor { middle: difference.exp(), low: (difference - half).exp(), high: (difference + half).exp() })
}

fn logarithms(values: &[(u32, f64)]) -> Vec<(u32, f64)> {
    values.iter().map(|(wave, value)| (*wave, value.max(0.05).ln())).collect()
}

/// The waves of both sides with what is far from the side's median drawn in.
fn cut(first: &[Vec<f64>], second: &[Vec<f64>]) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
    let middle = |side: &[Vec<f64>]| median(side.iter().flatten().copied());
    let medians = [middle(first), middle(second)];
    let off = |side: &[Vec<f64>], median: f64| -> Vec<f64> {
        side.iter().flatten().map(|value| value - median).collect()
    };
    let all = sorted([off(first, medians[0]), off(second, medians[1])].concat());
    let spread = (1.4826 * median(all.iter().map(|off| off.abs())))
        .max((quantile(&all, 0.9) - quantile(&all, 0.1)) / 2.563)
        .max(LEAST_SPREAD);
    let drawn = |side: &[Vec<f64>], median: f64| -> Vec<Vec<f64>> {
        let draw = |value: &f64| median + (value - median).clamp(-CUT * spread, CUT * spread);
        side.iter().map(|wave| wave.iter().map(draw).collect()).collect()
    };
    (drawn(first, medians[0]), drawn(second, medians[1]))
}

fn variance(values: &[f64]) -> f64 {
    let average = mean(values.iter().copied());
    let squares: f64 = values.iter().map(|value| (value - average).powi(2)).sum();
    squares / (values.len() as f64 - 1.0).max(1.0)
}

/// Below this 97.5 % of Student's distribution with so many degrees of freedom are.
fn student(freedom: f64) -> f64 {
    let outside = |t: f64| beta_below(freedom / 2.0, 0.5, freedom / (freedom + t * t));
    let (mut low, mut high) = (0.0, 1000.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if outside(middle) > 0.05 {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn students_quantiles_are_those_of_the_tables() {
        for (freedom, quantile) in [(2.0, 4.303), (8.0, 2.306), (18.0, 2.101)] {
            assert!((student(freedom) - quantile).abs() < 1e-3, "{freedom}: {}", student(freedom));
        }
    }

    /// Waves of five, whose environments differ by up to 10 %, the second side slower by `factor`.
    fn waves(factor: f64, seed: u32) -> [Vec<(u32, f64)>; 2] {
        let noise = |a: u32, b: u32| crate::search::normal((seed * 7 + a) as usize, b as usize);
        [0, 1].map(|side| {
            (0..8)
                .flat_map(|wave| (0..5).map(move |lane| (wave, lane)))
                .map(|(wave, lane)| {
                    let environment = 0.05 * noise(side, lane);
                    let own = 0.03 * noise(2 + side, 10 + wave * 5 + lane);
                    (wave, 100.0 * factor.powi(side.try_into().unwrap()) * (environment + own).exp())
                })
                .collect()
        })
    }

    #[test]
    fn the_interval_holds_the_truth_about_as_often_as_it_says() {
        let held = (0..200)
            .filter(|seed| {
                let [first, second] = waves(1.2, *seed);
                let factor = compare(&first, &second, 5).unwrap();
                assert!(factor.low < factor.middle && factor.middle < factor.high, "{factor:?}");
                factor.low <= 1.2 && 1.2 <= factor.high
            })
            .count();
        assert!((180..=200).contains(&held), "{held} of 200");
    }

    #[test]
    fn an_outlier_does_not_decide_and_too_few_waves_say_nothing() {
        let [first, mut second] = waves(1.2, 1);
        let before = compare(&first, &second, 5).unwrap().middle;
        second[3].1 *= 50.0;
        let after = compare(&first, &second, 5).unwrap().middle;
        assert!((after / before - 1.0).abs() < 0.02, "{before} {after}");
        assert_eq!(compare(&first[..5], &second, 5), None, "a single wave");
        assert_eq!(compare(&[], &second, 5), None);
    }
}
