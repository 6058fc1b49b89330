//! What to measure next: a pilot round, then blocks of invocations where they tell most about which size is best.

use super::cells::{Cells, cells};
use super::decision::{Outlook, choose, floor, ratios, share};
use super::numbers::{mean, quantile, sorted};
use super::room::{Progress, within};
use super::{Aim, Block, Call, Decision, Step, Stop, Task, limit};

/// A round makes at least so many invocations.
pub const FEWEST: u32 = 6;
/// Invocations of a size in the pilot round, and how many at the same time.
const PILOT: Block = Block { size: 0, num: 6, lanes: 2 };
/// With a latency limit, whose percentile takes more of them.
const PILOT_OF_LIMIT: Block = Block { num: 8, ..PILOT };
/// How many sizes may challenge the one that leads, and how far apart they are (in ln MB).
const CHALLENGERS: (usize, f64) = (3, 0.07);
/// Sizes nearer than this to one that was measured (in ln MB) are that one.
const SAME: f64 = 0.03;
/// Invocations of a block, about; and the fewest and most warm ones of a lane in it.
const BLOCK: (f64, f64, f64) = (12.0, 2.0, 7.0);
/// So many warm ones at least where there is a warm-up.
const BLOCK_WITH_WARM_UP: f64 = 5.0;
/// A round ends early once this share of the variance is left.
const ENOUGH: f64 = 0.25;
/// A size's price counts with this power.
const PRICE_POWER: f64 = 0.4;

/// The pilot round, within the budget; empty when that does not allow any.
pub fn first(task: &Task) -> Vec<Block> {
    let pilot = if matches!(task.aim, Aim::Limit { .. }) { PILOT_OF_LIMIT } else { PILOT };
    let blocks = pilot_sizes(task).into_iter().map(|size| Block { size, ..pilot }).collect();
    within(blocks, task.max_invocations)
}

fn pilot_sizes(task: &Task) -> Vec<u32> {
    let (low, high) = (task.lowest, task.highest);
    let usual: &[u32] = match task.aim {
        Aim::Cost => &[128, 256, 512, 1024, 1769, 3008],
        Aim::Speed => &[256, 768, 1769, 3538, 10_240],
        Aim::Balanced { .. } if high <= 3008 => &[128, 320, 768, 1769, 3008],
        Aim::Balanced { .. } | Aim::Limit { .. } => &[128, 512, 1769, 3538, 10_240],
    };
    let mut sizes: Vec<u32> = usual.iter().copied().filter(|size| (low..=high).contains(size)).collect();
    let apart = |a: u32, b: u32| f64::from(b) / f64::from(a) > 1.25;
    if !sizes.contains(&low) {
        sizes.retain(|size| apart(low, *size));
        sizes.insert(0, low);
    }
    if high < *super::SIZES.end() && !sizes.contains(&high) {
        sizes.retain(|size| *size == low || apart(*size, high));
        sizes.push(high);
    }
    // A narrow range: halve the widest gap.
    while sizes.len() < 5 {
        let ratio = |pair: &[u32]| f64::from(pair[1]) / f64::from(pair[0]);
        let widest = sizes.windows(2).enumerate().max_by(|a, b| ratio(a.1).total_cmp(&ratio(b.1)));
        let Some((at, pair)) = widest.filter(|(_, pair)| ratio(pair) >= 1.1) else { break };
        let middle = (f64::from(pair[0]) * f64::from(pair[1])).sqrt().round() as u32;
        sizes.insert(at + 1, middle);
    }
    sizes
}

/// What to do after a round, for invocations in order.
pub fn after(task: &Task, calls: &[Call], progress: &Progress) -> Step {
    let Some(cells) = cells(calls) else {
        let floor = floor(task, calls).power;
        if progress.end.is_some() || floor >= task.highest {
            return Step::Done(Box::new(Decision::none(task, Stop::NothingRan)));
        }
        let (low, ratio) = (f64::from(floor), f64::from(task.highest) / f64::from(floor));
        let mut sizes: Vec<u32> = [0.15, 0.5, 1.0].map(|x| (low * ratio.powf(x)).round() as u32).to_vec();
        sizes.dedup();
        let blocks = sizes.into_iter().map(|size| Block { size, ..PILOT }).collect();
        return Step::Measure { blocks: within(blocks, progress.room), so_far: None };
    };
    let outlook = Outlook::new(task, calls, cells);
    if let Aim::Limit { share, ms } = task.aim {
        return limit::step(task, calls, &outlook, progress, share, ms);
    }
    let objective = outlook.objective(task.aim);
    let ratios = ratios(&objective);
    let leader = choose(task, &outlook, &ratios);
    let mut decision = outlook.decision(leader, &ratios);
    let sure = share(&ratios, |ratio| ratio[leader] <= 1.0 + task.tolerance) >= task.confidence;
    if sure && outlook.measured[leader] {
        decision.stopped_by = Some(Stop::Confidence);
    } else {
        decision.stopped_by = progress.end;
    }
    if decision.stopped_by.is_none() {
        let blocks = more(task, &outlook, &objective, &ratios, leader, progress);
        if !blocks.is_empty() {
            return Step::Measure { blocks, so_far: Some(Box::new(decision)) };
        }
        decision.stopped_by = Some(Stop::Budget);
    }
    Step::Done(Box::new(decision))
}

/// The next blocks; empty when none fits or none would tell anything.
fn more(
    task: &Task,
    outlook: &Outlook,
    objective: &[Vec<f64>],
    ratios: &[Vec<f64>],
    leader: usize,
    progress: &Progress,
) -> Vec<Block> {
    let prices = relative_prices(outlook);
    let challengers = challengers(task, outlook, ratios, leader, &prices);
    let shape = BlockShape::of(&outlook.cells);
    let fit = progress.room / shape.num();
    if challengers.is_empty() || fit == 0 {
        return Vec::new();
    }
    let rounds_left = task.max_rounds.saturating_sub(progress.round).max(1);
    let most = fit.min(fit.div_ceil(rounds_left).max(2));

    let draws = &outlook.draws;
    let count = draws.len() as f64;
    let centred = |values: Vec<f64>| -> Vec<f64> {
        let average = mean(values.iter().copied());
        values.into_iter().map(|value| value - average).collect()
    };
    let columns: Vec<Vec<f64>> =
        (0..outlook.grid.len()).map(|k| centred(draws.iter().map(|draw| draw[k]).collect())).collect();
    let covariance = |a: &[f64], b: &[f64]| super::matrix::dot(a, b) / count;
    let mut sizes: Vec<Vec<f64>> =
        columns.iter().map(|a| columns.iter().map(|b| covariance(a, b)).collect()).collect();
    // The leader against each challenger: what is to become certain.
    let mut contests: Vec<Contest> = challengers
        .iter()
        .map(|(k, weight)| {
            let difference = centred(objective.iter().map(|o| o[leader].ln() - o[*k].ln()).collect());
            let variance = covariance(&difference, &difference) + 1e-12;
            let with_sizes = columns.iter().map(|column| covariance(&difference, column)).collect();
            Contest { weight: *weight, variance, at_first: variance, with_sizes }
        })
        .collect();
    let all: f64 = contests.iter().map(|contest| contest.weight).sum();
    let left = |contests: &[Contest]| {
        contests.iter().map(|contest| contest.weight / all * contest.variance / contest.at_first).sum::<f64>()
    };
    let noise = shape.variance(&outlook.cells);
    let mut blocks: Vec<(usize, u32)> = Vec::new();
    for made in 0..most {
        if made >= 2 && left(&contests) < ENOUGH {
            break;
        }
        let gain = |k: &usize| {
            let explained = contests.iter().map(|c| c.weight / all * c.with_sizes[*k].powi(2) / c.variance);
            explained.sum::<f64>() / (sizes[*k][*k] + noise) / prices[*k]
        };
        let Some(best) = (0..outlook.grid.len()).max_by(|a, b| gain(a).total_cmp(&gain(b)).then(b.cmp(a)))
        else {
            break;
        };
        let known = (0..outlook.grid.len())
            .filter(|k| outlook.measured[*k] || blocks.iter().any(|(block, _)| block == k))
            .filter(|k| (outlook.grid[*k] / outlook.grid[best]).ln().abs() < SAME);
        let distance = |k: &usize| (outlook.grid[*k] - outlook.grid[best]).abs();
        let k = known.min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap_or(best);
        match blocks.iter_mut().find(|(block, _)| *block == k) {
            Some((_, times)) => *times += 1,
            None => blocks.push((k, 1)),
        }
        // What knowing this size better does to everything else: a rank-one update.
        let variance = sizes[k][k] + noise;
        let column = sizes[k].clone();
        for contest in &mut contests {
            let with = contest.with_sizes[k];
            contest.variance = (contest.variance - with * with / variance).max(1e-12);
            for (value, other) in contest.with_sizes.iter_mut().zip(&column) {
                *value -= with * other / variance;
            }
        }
        for (row, with) in sizes.iter_mut().zip(&column) {
            for (value, other) in row.iter_mut().zip(&column) {
                *value -= with * other / variance;
            }
        }
    }
    blocks.sort_unstable();
    let blocks = blocks.into_iter().map(|(k, times)| {
        let num = shape.num() * times;
        // More at once than before: the lanes beyond those there were bring new environments.
        let before = outlook.cells.sizes.iter().position(|size| *size == outlook.grid[k]);
        let before = before.map_or(0, |at| outlook.cells.environments[at] as u32);
        Block { size: outlook.grid[k] as u32, num, lanes: (before + shape.lanes * times).min(num / 2) }
    });
    within(blocks.collect(), progress.room)
}

/// The leader against one challenger.
struct Contest {
    weight: f64,
    /// Of the difference of the logarithms of their objectives.
    variance: f64,
    at_first: f64,
    /// Covariance of that difference with ln t of each size.
    with_sizes: Vec<f64>,
}

/// The price of an invocation of each size, relative to the one in the middle.
fn relative_prices(outlook: &Outlook) -> Vec<f64> {
    let middle = quantile(&sorted(outlook.price.iter().copied()), 0.5);
    outlook.price.iter().map(|price| (price / middle).powf(PRICE_POWER)).collect()
}

/// The sizes that would win in the draws in which the leader is not good enough, each with how much it would win in all.
fn challengers(
    task: &Task,
    outlook: &Outlook,
    ratios: &[Vec<f64>],
    leader: usize,
    prices: &[f64],
) -> Vec<(usize, f64)> {
    let enough = 1.0 + task.tolerance;
    let lost = |ratio: &Vec<f64>| if ratio[leader] > enough { (ratio[leader] - 1.0).min(0.2) } else { 0.0 };
    let mut open: Vec<f64> = ratios.iter().map(lost).collect();
    let mut challengers: Vec<(usize, f64)> = Vec::new();
    while challengers.len() < CHALLENGERS.0 {
        let gains = |k: usize| -> f64 {
            ratios.iter().zip(&open).filter(|(ratio, _)| ratio[k] <= enough).map(|(_, open)| open).sum()
        };
        let apart =
            |k: usize, other: usize| (outlook.grid[k] / outlook.grid[other]).ln().abs() >= CHALLENGERS.1;
        let best = (0..outlook.grid.len())
            .filter(|k| *k != leader && challengers.iter().all(|(other, _)| apart(*k, *other)))
            .map(|k| (k, gains(k)))
            .max_by(|a, b| (a.1 / prices[a.0]).total_cmp(&(b.1 / prices[b.0])).then(b.0.cmp(&a.0)));
        let Some((k, gain)) = best.filter(|(_, gain)| *gain > 0.0) else { break };
        challengers.push((k, gain));
        for (open, ratio) in open.iter_mut().zip(ratios) {
            if ratio[k] <= enough {
                *open = 0.0;
            }
        }
    }
    challengers
}

/// How the invocations of a block are spread: many lanes where environments differ, many in a lane where invocations do.
struct BlockShape {
    lanes: u32,
    warm: u32,
}

impl BlockShape {
    fn of(cells: &Cells) -> Self {
        let (about, fewest, most) = BLOCK;
        let ratio = (invocation_variance(cells) / cells.environment_variance.max(1e-6)).sqrt();
        let mut warm = ratio.round().clamp(fewest, most);
        if cells.warm_up > 0.0 {
            warm = warm.max(BLOCK_WITH_WARM_UP);
        }
        Self { lanes: (about / (warm + 1.0)).round().max(2.0) as u32, warm: warm as u32 }
    }

    /// Invocations, one cold one for each lane included.
    fn num(&self) -> u32 {
        self.lanes * (self.warm + 1)
    }

    /// The variance of ln t that a block leaves.
    fn variance(&self, cells: &Cells) -> f64 {
        let lanes = f64::from(self.lanes);
        invocation_variance(cells) / (lanes * f64::from(self.warm))
            + cells.environment_variance / lanes
            + 1e-7
    }
}

/// The variance that one more invocation has, of ln t.
fn invocation_variance(cells: &Cells) -> f64 {
    mean(cells.cells.iter().map(|cell| cell.variance * cell.count))
}
