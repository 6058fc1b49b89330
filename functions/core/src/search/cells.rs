//! From invocations to cells: one figure with its variance for each size and round.

use super::numbers::{mean, median, quantile, sorted};
use super::{Call, End};

/// Durations that differ by more than this many standard deviations weigh less (Huber).
const HUBER: f64 = 1.5;
/// Where durations are cut for variances, which squares would make hostages of outliers.
const CUT: f64 = 2.5;
/// Half-lives of the warm-up that are tried, in invocations.
const WARM_UPS: [f64; 3] = [1.5, 3.0, 6.0];
/// A warm-up is believed from this many of its standard errors on.
const WARM_UP_ERRORS: f64 = 3.0;
/// What execution environments are taken to differ by before anything is known, and how many observations that is worth.
pub const ENVIRONMENTS: (f64, f64) = (0.02, 6.0);
/// How many quantiles of the residuals stand for their distribution.
pub const QUANTILES: usize = 21;

/// One size in one round.
#[derive(Debug, Clone, Copy)]
pub struct Cell {
    /// Index into [`Cells::sizes`].
    pub size: usize,
    /// The round.
    pub round: u32,
    /// Natural logarithm of the duration in ms.
    pub ln_ms: f64,
    /// Its variance by the invocations' own, without that between environments.
    pub variance: f64,
    /// Invocations in it.
    pub count: f64,
}

/// What the invocations say.
#[derive(Debug, Clone)]
pub struct Cells {
    /// The sizes that ran, in MB, ascending.
    pub sizes: Vec<f64>,
    /// By size, then by round.
    pub cells: Vec<Cell>,
    /// Execution environments met at each size.
    pub environments: Vec<f64>,
    /// Variance between execution environments, of the logarithm.
    pub environment_variance: f64,
    /// Standard deviation of an invocation, of the logarithm.
    pub spread: f64,
    /// What the first warm invocation takes more than a settled one, of the logarithm.
    pub warm_up: f64,
    /// What invocations were off their cell's figure, ascending.
    pub residuals: Vec<f64>,
    /// [`QUANTILES`] of the residuals.
    pub quantiles: Vec<f64>,
}

/// Sizes that cannot run the function: one invocation ran out of memory, or over a tenth out of time. Ascending.
pub fn failing(calls: &[Call]) -> Vec<u32> {
    let mut failing: Vec<u32> = Vec::new();
    for calls in calls.chunk_by(|a, b| a.size == b.size) {
        let late = calls.iter().filter(|call| call.end == End::TimedOut).count();
        if calls.iter().any(|call| call.end == End::OutOfMemory) || late * 10 > calls.len() {
            failing.push(calls[0].size);
        }
    }
    failing
}

/// Puts invocations, which are in order of size and round, into cells; none when no size ran.
pub fn cells(calls: &[Call]) -> Option<Cells> {
    let failing = failing(calls);
    // A time-out counts as what it took.
    let kept: Vec<&Call> = calls
        .iter()
        .filter(|call| !call.cold && call.end != End::OutOfMemory && !failing.contains(&call.size))
        .collect();
    if kept.is_empty() {
        return None;
    }
    let mut sizes: Vec<u32> = kept.iter().map(|call| call.size).collect();
    sizes.dedup();
    let mut keys: Vec<(u32, u32)> = kept.iter().map(|call| (call.size, call.round)).collect();
    keys.dedup();
    // Which cell, size and lane an invocation belongs to.
    let place = |key: (u32, u32)| keys.binary_search(&key).unwrap_or_else(|at| at.min(keys.len() - 1));
    let cell: Vec<usize> = kept.iter().map(|call| place((call.size, call.round))).collect();
    let size_of = |size: u32| sizes.binary_search(&size).unwrap_or_default();
    let size: Vec<usize> = kept.iter().map(|call| size_of(call.size)).collect();
    let mut groups = Groups {
        count: keys.len(),
        cell,
        y: kept.iter().map(|call| call.ms.clamp(0.05, 9e8).ln()).collect(),
    };

    let warm: Vec<f64> = kept.iter().map(|call| f64::from(call.index.saturating_sub(1))).collect();
    let warm_up = groups.settle(&warm);

    // The spread of all, then of each size, drawn towards that of all.
    let residuals = groups.residuals(&groups.medians());
    let spread = groups.spread(&residuals);
    let cut: Vec<f64> = residuals.iter().map(|e| e.clamp(-CUT * spread, CUT * spread).powi(2)).collect();
    let all = mean(cut.iter().copied());
    let scales: Vec<f64> = (0..sizes.len())
        .map(|index| {
            let own = cut.iter().zip(&size).filter(|(_, size)| **size == index).map(|(v, _)| *v);
            let (sum, count) = own.fold((0.0, 0.0), |(sum, count), v| (sum + v, count + 1.0));
            spread * ((8.0 * all + sum) / (8.0 + count) / all.max(1e-12)).sqrt()
        })
        .collect();
    let scale: Vec<f64> = size.iter().map(|size| scales[*size]).collect();

    let location = groups.location(&scale);
    let residuals = groups.residuals(&location);
    let freedom = groups.y.len() as f64 / (groups.y.len() as f64 - groups.count as f64).max(1.0);
    let inside = mean(residuals.iter().zip(&scale).map(|(r, s)| f64::from(u8::from(r.abs() <= HUBER * s))));
    let squares = residuals.iter().zip(&scale).map(|(r, s)| (r.clamp(-HUBER * s, HUBER * s) / s).powi(2));
    let variance = mean(squares) * freedom / inside.max(0.3).powi(2);

    let counts = groups.counts();
    let cells = keys.iter().enumerate().map(|(index, key)| {
        let size = size_of(key.0);
        let variance = variance * scales[size].powi(2) / counts[index];
        Cell { size, round: key.1, ln_ms: location[index], variance, count: counts[index] }
    });
    let cells: Vec<Cell> = cells.collect();

    let standard: Vec<f64> =
        residuals.iter().zip(&scale).map(|(r, s)| r.clamp(-CUT * s, CUT * s) / s).collect();
    let lanes: Vec<(usize, u32)> = size.iter().copied().zip(kept.iter().map(|call| call.lane)).collect();
    let environment_variance = between_lanes(&lanes, &standard, spread);
    let met = |size: &u32| {
        calls.iter().filter(|call| call.size == *size && call.cold && call.end == End::Answered).count()
    };
    let residuals = sorted(residuals);
    Some(Cells {
        environments: sizes.iter().map(|size| met(size).max(1) as f64).collect(),
        sizes: sizes.into_iter().map(f64::from).collect(),
        cells,
        environment_variance,
        spread,
        warm_up,
        quantiles: (0..QUANTILES)
            .map(|l| quantile(&residuals, (l as f64 + 0.5) / QUANTILES as f64))
            .collect(),
        residuals,
    })
}

/// Logarithms of durations, and the cell that each belongs to.
struct Groups {
    count: usize,
    cell: Vec<usize>,
    y: Vec<f64>,
}

impl Groups {
    fn counts(&self) -> Vec<f64> {
        self.sums(|_| 1.0)
    }

    fn sums(&self, value: impl Fn(usize) -> f64) -> Vec<f64> {
        let mut sums = vec![0.0; self.count];
        for (index, cell) in self.cell.iter().enumerate() {
            sums[*cell] += value(index);
        }
        sums
    }

    fn medians(&self) -> Vec<f64> {
        let mut values = vec![Vec::new(); self.count];
        for (cell, y) in self.cell.iter().zip(&self.y) {
            values[*cell].push(*y);
        }
        values.into_iter().map(median).collect()
    }

    fn residuals(&self, location: &[f64]) -> Vec<f64> {
        self.cell.iter().zip(&self.y).map(|(cell, y)| y - location[*cell]).collect()
    }

    /// Standard deviation of residuals, by the median absolute one or by the middle 80 %, whichever is more: two kinds of payload
    /// show in the latter only.
    fn spread(&self, residuals: &[f64]) -> f64 {
        let absolute = 1.4826 * median(residuals.iter().map(|e| e.abs()));
        let ordered = sorted(residuals.iter().copied());
        let middle = (quantile(&ordered, 0.9) - quantile(&ordered, 0.1)) / 2.563;
        let (all, cells) = (self.y.len() as f64, self.count as f64);
        (absolute.max(middle) * (all / (all - cells).max(1.0)).sqrt()).max(2e-3)
    }

    /// Takes a warm-up A·exp(−i/κ) out of the durations if there is one: a regression within cells with Huber's weights, of the κ
    /// that fits best. Gives A.
    fn settle(&mut self, warm: &[f64]) -> f64 {
        let s = self.spread(&self.residuals(&self.medians()));
        let mut best: Option<(f64, f64, f64, f64)> = None;
        for kappa in WARM_UPS {
            let x: Vec<f64> = warm.iter().map(|i| (-i / kappa).exp()).collect();
            let mut weights = vec![1.0; x.len()];
            let (mut slope, mut sxx, mut loss) = (0.0, 0.0, 0.0);
            for _ in 0..3 {
                let sum = self.sums(|i| weights[i]);
                let (wx, wy) = (self.sums(|i| weights[i] * x[i]), self.sums(|i| weights[i] * self.y[i]));
                let within =
                    |i: usize, value: f64, sums: &[f64]| value - sums[self.cell[i]] / sum[self.cell[i]];
                let xs: Vec<f64> = (0..x.len()).map(|i| within(i, x[i], &wx)).collect();
                let ys: Vec<f64> = (0..x.len()).map(|i| within(i, self.y[i], &wy)).collect();
                sxx = (0..x.len()).map(|i| weights[i] * xs[i] * xs[i]).sum();
                if sxx < 1e-6 {
                    break;
                }
                slope = (0..x.len()).map(|i| weights[i] * xs[i] * ys[i]).sum::<f64>() / sxx;
                loss = 0.0;
                for i in 0..x.len() {
                    let r = (ys[i] - slope * xs[i]).abs();
                    weights[i] = (HUBER * s / r.max(1e-12)).min(1.0);
                    loss += if r < HUBER * s { 0.5 * r * r } else { HUBER * s * (r - 0.5 * HUBER * s) };
                }
            }
            if sxx >= 1e-6 && best.is_none_or(|best| loss < best.0) {
                best = Some((loss, slope, kappa, slope / (s / sxx.sqrt())));
            }
        }
        let Some((_, slope, kappa, _)) = best.filter(|best| best.3 > WARM_UP_ERRORS) else { return 0.0 };
        let slope = slope.min(1.5);
        for (y, i) in self.y.iter_mut().zip(warm) {
            *y -= slope * (-i / kappa).exp();
        }
        slope
    }

    /// Huber's estimate of each cell's location.
    fn location(&self, scale: &[f64]) -> Vec<f64> {
        let mut location = self.medians();
        for _ in 0..8 {
            let weights: Vec<f64> = self
                .residuals(&location)
                .iter()
                .zip(scale)
                .map(|(r, s)| (HUBER * s / r.abs().max(1e-12)).min(1.0))
                .collect();
            let (sum, total) = (self.sums(|i| weights[i] * self.y[i]), self.sums(|i| weights[i]));
            location = sum.iter().zip(&total).map(|(sum, total)| sum / total).collect();
        }
        location
    }
}

/// The variance between execution environments, of the logarithm of the duration: what lanes of a size differ by beyond what their
/// invocations do (one-way analysis of variance, all sizes together), drawn towards what is known beforehand. `standard` are
/// residuals in units of their spread.
fn between_lanes(lanes: &[(usize, u32)], standard: &[f64], spread: f64) -> f64 {
    let mut order: Vec<usize> = (0..lanes.len()).collect();
    order.sort_by_key(|index| lanes[*index]);
    // Size, invocations and mean of each lane.
    let mut each: Vec<(usize, f64, f64)> = Vec::new();
    let (mut within, mut between, mut between_freedom) = (0.0, 0.0, 0.0);
    for lane in order.chunk_by(|a, b| lanes[*a] == lanes[*b]) {
        let average = mean(lane.iter().map(|index| standard[*index]));
        within += lane.iter().map(|index| (standard[*index] - average).powi(2)).sum::<f64>();
        each.push((lanes[lane[0]].0, lane.len() as f64, average));
    }
    for size in each.chunk_by(|a, b| a.0 == b.0).filter(|size| size.len() > 1) {
        let count: f64 = size.iter().map(|lane| lane.1).sum();
        let average = size.iter().map(|lane| lane.1 * lane.2).sum::<f64>() / count;
        between += size.iter().map(|lane| lane.1 * (lane.2 - average).powi(2)).sum::<f64>();
        between_freedom += size.len() as f64 - 1.0;
    }
    let within_freedom = (standard.len() as f64 - each.len() as f64).max(1.0);
    let (known, worth) = ENVIRONMENTS;
    let estimate = if between_freedom > 0.0 {
        let more = between / between_freedom - within / within_freedom;
        more.max(0.0) / mean(each.iter().map(|lane| lane.1)) * spread * spread
    } else {
        0.0
    };
    (between_freedom * estimate + worth * known * known) / (between_freedom + worth)
}

#[cfg(test)]
mod tests {
    use super::super::numbers::normal;
    use super::*;

    /// Invocations of one size in four lanes: `ms` of lane and index, the first of each lane cold.
    fn calls(ms: impl Fn(u32, u32) -> f64) -> Vec<Call> {
        let all = (0..4).flat_map(|lane| (0..13).map(move |index| (lane, index)));
        let call = |(lane, index)| Call {
            size: 512,
            round: 0,
            lane,
            index,
            ms: ms(lane, index),
            cold: index == 0,
            end: End::Answered,
            max_memory: 60.0,
        };
        all.map(call).collect()
    }

    fn noise(lane: u32, index: u32) -> f64 {
        normal(lane as usize, index as usize)
    }

    #[test]
    fn outliers_do_not_move_a_cell() {
        let quiet = cells(&calls(|lane, index| 100.0 * (0.05 * noise(lane, index)).exp())).unwrap();
        let loud = cells(&calls(|lane, index| {
            let ms = 100.0 * (0.05 * noise(lane, index)).exp();
            if (lane, index) == (1, 5) { ms * 10.0 } else { ms }
        }))
        .unwrap();
        assert!((quiet.cells[0].ln_ms - 100f64.ln()).abs() < 0.02);
        assert!((quiet.cells[0].ln_ms - loud.cells[0].ln_ms).abs() < 0.01);
        assert!((quiet.spread - 0.05).abs() < 0.015, "{}", quiet.spread);
    }

    #[test]
    fn a_warm_up_is_found_and_taken_out() {
        let found = cells(&calls(|lane, index| {
            let more = 0.8 * (-(f64::from(index) - 1.0) / 3.0).exp();
            100.0 * (more + 0.02 * noise(lane, index)).exp()
        }))
        .unwrap();
        assert!((found.warm_up - 0.8).abs() < 0.15, "{}", found.warm_up);
        assert!((found.cells[0].ln_ms - 100f64.ln()).abs() < 0.05);
        assert_eq!(
            cells(&calls(|lane, index| 100.0 * (0.05 * noise(lane, index)).exp())).unwrap().warm_up,
            0.0
        );
    }

    #[test]
    fn environments_that_differ_are_noticed() {
        let factor = [0.9, 1.1, 0.92, 1.08];
        let differing =
            cells(&calls(|lane, index| 100.0 * factor[lane as usize] * (0.02 * noise(lane, index)).exp()))
                .unwrap();
        let same = cells(&calls(|lane, index| 100.0 * (0.02 * noise(lane, index)).exp())).unwrap();
        assert!(differing.environment_variance.sqrt() > 0.05, "{}", differing.environment_variance.sqrt());
        assert!(same.environment_variance.sqrt() < 0.03, "{}", same.environment_variance.sqrt());
    }

    #[test]
    fn sizes_without_enough_memory_or_time_are_left_out() {
        let mut calls = calls(|_, _| 100.0);
        calls[3].end = End::TimedOut;
        assert_eq!(failing(&calls), [] as [u32; 0]);
        calls[4].end = End::OutOfMemory;
        assert_eq!(failing(&calls), [512]);
        assert!(cells(&calls).is_none());
    }
}
