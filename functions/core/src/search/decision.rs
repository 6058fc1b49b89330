//! Which size the plausible curves speak for, and in how many of them it is good enough.

use super::cells::{Cells, cells, failing};
use super::numbers::{mean, quantile, sorted};
use super::posterior::{draws, jumps};
use super::{
    Aim, Alternative, Call, Confidence, CurvePoint, Decision, End, Floor, FloorReason, Judgement, Noise,
    Rival, Task, VCPU,
};

/// Neighbouring sizes that are looked at differ by this factor.
const GRID: f64 = 1.045;
/// More sizes than that are not looked at.
const MOST_SIZES: usize = 300;
/// So much memory must be free beside the most that was seen in use, as a factor.
const HEADROOM: f64 = 1.1;
/// Below this duration, in ms, that Lambda bills whole milliseconds matters.
const SHORT: f64 = 120.0;
/// With [`Aim::Speed`]: by which share a size must be faster to be worth e times the price. Without it, where the curve is flat, chance
/// decides between sizes of very different prices.
const WORTH: f64 = 0.04;
/// With [`Aim::Speed`]: sizes whose probability of being within the tolerance is this much below the highest are out.
const AS_SURE: f64 = 0.3;

/// A normal distribution has this share below so many of its standard deviations.
const OUTSIDE: f64 = 0.025;
const STANDARD_ERRORS: f64 = 1.96;

/// What the plausible curves say of every size that is considered.
pub struct Outlook {
    pub cells: Cells,
    pub floor: Floor,
    /// Sizes in MB, ascending, all of them at or above the floor.
    pub grid: Vec<f64>,
    /// Draws of ln t in ms, each with a value for each size.
    pub draws: Vec<Vec<f64>>,
    /// The expected price of an invocation of each size, in MB·ms.
    pub price: Vec<f64>,
    /// Which sizes were measured.
    pub measured: Vec<bool>,
    /// [`Task::besides_mb`].
    besides_mb: f64,
}

impl Outlook {
    pub fn new(task: &Task, calls: &[Call], cells: Cells) -> Self {
        let mut floor = floor(task, calls);
        // Something has to be left to choose from.
        floor.power = floor.power.min(cells.sizes.last().map_or(u32::MAX, |size| *size as u32));
        let grid = grid(task, &cells, f64::from(floor.power));
        let draws = draws(&cells, &grid);
        let besides_mb = task.besides_mb;
        let price = (0..grid.len())
            .map(|k| mean(draws.iter().map(|draw| draw[k].exp())) * (grid[k] + besides_mb))
            .collect();
        let measured = grid.iter().map(|size| cells.sizes.contains(size)).collect();
        Self { cells, floor, grid, draws, price, measured, besides_mb }
    }

    /// What the aim goes by, for each draw and size: the lower, the better.
    pub fn objective(&self, aim: Aim) -> Vec<Vec<f64>> {
        let factors: Vec<f64> = self.cells.quantiles.iter().map(|q| q.exp()).collect();
        let factor = mean(factors.iter().copied());
        let short: Vec<bool> =
            (0..self.grid.len()).map(|k| self.draws.iter().any(|draw| draw[k] < SHORT.ln())).collect();
        let billed = |k: usize, t: f64| {
            if short[k] { mean(factors.iter().map(|factor| (t * factor).ceil())) } else { t * factor + 0.5 }
        };
        let of = |draw: &Vec<f64>| -> Vec<f64> {
            let times: Vec<f64> = draw.iter().map(|t| t.exp()).collect();
            let costs = || (0..times.len()).map(|k| billed(k, times[k]) * (self.grid[k] + self.besides_mb));
            match aim {
                Aim::Speed => times,
                Aim::Cost | Aim::Limit { .. } => costs().collect(),
                Aim::Balanced { weight } => {
                    let costs: Vec<f64> = costs().collect();
                    let most = |values: &[f64]| values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
                    let (cost, time) = (most(&costs), most(&times));
                    costs
                        .iter()
                        .zip(&times)
                        .map(|(c, t)| weight * c / cost + (1.0 - weight) * t / time)
                        .collect()
                }
            }
        };
        self.draws.iter().map(of).collect()
    }

    /// The decision for a size of the grid, with the ratio of its objective to the best one's in each draw.
    pub fn decision(&self, chosen: usize, ratios: &[Vec<f64>]) -> Decision {
        let within = |k: usize, tolerance: f64| share(ratios, |ratio| ratio[k] <= 1.0 + tolerance);
        let mut alternatives: Vec<Alternative> = (0..self.grid.len())
            .filter(|k| self.measured[*k] && *k != chosen)
            .map(|k| Alternative { power: self.grid[k] as u32, within1: within(k, 0.01) })
            .filter(|alternative| alternative.within1 >= 0.05)
            .collect();
        alternatives.sort_by(|a, b| b.within1.total_cmp(&a.within1).then(a.power.cmp(&b.power)));
        Decision {
            power: Some(self.grid[chosen] as u32),
            confidence: Confidence {
                within1: within(chosen, 0.01),
                within3: within(chosen, 0.03),
                within5: within(chosen, 0.05),
            },
            expected_excess: excess(ratios, chosen),
            kept: None,
            unmet: false,
            stopped_by: None,
            alternatives,
            noise: Noise {
                spread: self.cells.spread,
                environments: self.cells.environment_variance.sqrt(),
                warm_up: self.cells.warm_up.exp_m1().max(0.0),
            },
            floor: self.floor,
            curve: self.curve(),
        }
    }

    /// The band at the measured sizes and at every fourth of the others.
    fn curve(&self) -> Vec<CurvePoint> {
        (0..self.grid.len())
            .filter(|k| self.measured[*k] || k % 4 == 0 || k + 1 == self.grid.len())
            .map(|k| {
                let values = sorted(self.draws.iter().map(|draw| draw[k].exp()));
                let at = |share| quantile(&values, share);
                CurvePoint { power: self.grid[k] as u32, low: at(0.05), middle: at(0.5), high: at(0.95) }
            })
            .collect()
    }
}

/// In which share of the draws something holds.
pub fn share(ratios: &[Vec<f64>], holds: impl Fn(&[f64]) -> bool) -> f64 {
    mean(ratios.iter().map(|ratio| f64::from(u8::from(holds(ratio)))))
}

/// By how much a size is expected to be off the best one; more than twice as much counts as twice.
fn excess(ratios: &[Vec<f64>], k: usize) -> f64 {
    mean(ratios.iter().map(|ratio| (ratio[k] - 1.0).min(1.0)))
}

/// Each draw's values relative to its lowest.
pub fn ratios(objective: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let of = |values: &Vec<f64>| {
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        values.iter().map(|value| value / least).collect()
    };
    objective.iter().map(of).collect()
}

/// Which of the measured sizes to take.
pub fn choose(task: &Task, outlook: &Outlook, ratios: &[Vec<f64>]) -> usize {
    let all = 0..outlook.grid.len();
    let measured: Vec<usize> = all.clone().filter(|k| outlook.measured[*k]).collect();
    let candidates = if measured.is_empty() { all.collect() } else { measured };
    let expected = |k: &usize| excess(ratios, *k);
    let least = |score: &dyn Fn(&usize) -> f64, candidates: &[usize]| {
        candidates.iter().copied().min_by(|a, b| score(a).total_cmp(&score(b))).unwrap_or_default()
    };
    if task.aim != Aim::Speed {
        return least(&expected, &candidates);
    }
    let within = |k: &usize| share(ratios, |ratio| ratio[*k] <= 1.0 + task.tolerance);
    let surest = candidates.iter().map(within).fold(0.0, f64::max);
    let sure: Vec<usize> = candidates.iter().copied().filter(|k| within(k) >= surest - AS_SURE).collect();
    least(&|k: &usize| expected(k) + WORTH * outlook.price[*k].ln(), &sure)
}

/// See [`super::judge`]; the invocations are in order.
pub fn judge(task: &Task, calls: &[Call], power: u32) -> Option<Judgement> {
    if matches!(task.aim, Aim::Limit { .. }) {
        return None;
    }
    let outlook = Outlook::new(task, calls, cells(calls)?);
    let measured = |k: &usize| outlook.measured[*k];
    let chosen = (0..outlook.grid.len()).filter(measured).find(|k| outlook.grid[*k] == f64::from(power))?;
    let objective = outlook.objective(task.aim);
    let against = |k: usize| {
        let off: Vec<f64> = objective.iter().map(|values| values[k] / values[chosen]).collect();
        let middle = mean(off.iter().copied());
        let deviation = mean(off.iter().map(|ratio| (ratio - middle).powi(2))).sqrt();
        let better = mean(off.iter().map(|ratio| f64::from(u8::from(*ratio < 1.0))));
        // Where few curves lie far below the others, a normal distribution with this deviation would leave them out.
        let below = (middle - quantile(&sorted(off), OUTSIDE)) / STANDARD_ERRORS;
        Rival {
            power: outlook.grid[k] as u32,
            behind: middle - 1.0,
            error: deviation.max(below),
            better: Some(better),
        }
    };
    let others = (0..outlook.grid.len()).filter(measured).filter(|k| *k != chosen).map(against).collect();
    Some(Judgement { decision: outlook.decision(chosen, &ratios(&objective)), others })
}

/// The smallest size to consider: above those that failed, and with a tenth of the memory free.
pub fn floor(task: &Task, calls: &[Call]) -> Floor {
    let failed = failing(calls).last().copied().unwrap_or(0);
    let used = calls
        .chunk_by(|a, b| a.size == b.size)
        .filter(|calls| calls[0].size > failed)
        .map(|calls| {
            let kept = calls.iter().filter(|call| call.end != End::OutOfMemory);
            kept.map(|call| call.max_memory).filter(|used| used.is_finite()).fold(0.0, f64::max)
        })
        .reduce(f64::min)
        .map_or(0, |used| (HEADROOM * used).ceil() as u32);
    let power = task.lowest.max(failed.saturating_add(1)).max(used);
    let because = if power == task.lowest {
        FloorReason::Range
    } else if power == used {
        FloorReason::Memory
    } else {
        FloorReason::Failures
    };
    Floor { power, because }
}

/// The sizes to consider, from the floor up.
fn grid(task: &Task, cells: &Cells, floor: f64) -> Vec<f64> {
    let highest = f64::from(task.highest).max(floor);
    let steps = (((highest / floor).ln() / GRID.ln()) as usize + 1).max(2);
    let spaced = (0..steps).map(|k| (floor * (highest / floor).powf(k as f64 / (steps - 1) as f64)).round());
    let whole_cores = (1..=5).map(|cores| f64::from(cores) * VCPU);
    let behind_jumps = jumps(&cells.sizes).into_iter().map(|(at, _)| at.exp().ceil());
    let all = spaced.chain(whole_cores).chain(cells.sizes.iter().copied()).chain(behind_jumps);
    let mut grid = sorted(all.filter(|size| (floor..=highest).contains(size)));
    grid.dedup();
    if grid.len() > MOST_SIZES {
        // Measured sizes stay: one of them is chosen.
        let every = grid.len().div_ceil(MOST_SIZES);
        let mut place = 0;
        grid.retain(|size| {
            place += 1;
            place % every == 0 || cells.sizes.contains(size)
        });
    }
    grid
}
