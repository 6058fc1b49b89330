//! The cheapest size that keeps a latency limit.

use super::cells::{Cells, ENVIRONMENTS};
use super::decision::{Outlook, ratios};
use super::numbers::{beta_below, exponential, mean, normal_below, normal_quantile};
use super::room::{Progress, within};
use super::{Block, Call, End, Step, Stop, Task};

/// What the curves say of a measured size counts like so many invocations of it.
const PRIOR: f64 = 12.0;
/// A size is taken to keep the limit from this probability on.
const KEEPS: f64 = 0.9;
/// A cheaper size is worth a look from this probability on, if it is so much cheaper (as a factor).
const WORTH_A_LOOK: (f64, f64) = (0.35, 0.97);
/// So many warm invocations are wanted of the size that is chosen.
const CHECKED: usize = 36;
/// With fewer than that a size's own invocations say nothing of a percentile.
const OWN: usize = 6;
/// Invocations for a size to be checked, and for one of two.
const NUM: (u32, u32) = (48, 30);
/// Sizes nearer than this to one that was measured (in ln MB) are that one.
const SAME: f64 = 0.03;
/// No more residuals than that: the largest are kept.
const MOST_RESIDUALS: usize = 2047;

/// What to do next, with the probability of each size to keep the limit `ms` in this `part` of the invocations.
pub fn step(task: &Task, calls: &[Call], outlook: &Outlook, progress: &Progress, part: f64, ms: f64) -> Step {
    let (cells, grid, draws) = (&outlook.cells, &outlook.grid, &outlook.draws);
    let residuals = &cells.residuals[cells.residuals.len().saturating_sub(MOST_RESIDUALS)..];
    // Worse than anything seen can come, so one such residual is made up.
    let tail: Vec<f64> =
        residuals.iter().copied().chain(residuals.last().map(|worst| worst + cells.spread)).collect();
    let above: Vec<f64> = (0..draws.len()).map(|draw| bootstrap(&tail, part, draw)).collect();
    let keeps = |draw: usize, k: usize| draws[draw][k] + above[draw] <= ms.ln();
    let mut kept: Vec<f64> = (0..grid.len())
        .map(|k| mean((0..draws.len()).map(|draw| f64::from(u8::from(keeps(draw, k))))))
        .collect();
    let none =
        mean((0..draws.len()).map(|draw| f64::from(u8::from((0..grid.len()).all(|k| !keeps(draw, k))))));

    // Of sizes that were measured often enough their own invocations count more than the curve.
    let own = |k: usize| -> Vec<bool> {
        let of_size = calls.iter().filter(|call| f64::from(call.size) == grid[k]);
        of_size.filter(|call| !call.cold && call.end != End::OutOfMemory).map(|call| call.ms > ms).collect()
    };
    let mut checked: Vec<usize> = Vec::new();
    for k in (0..grid.len()).filter(|k| outlook.measured[*k]) {
        let own = own(k);
        if own.len() < OWN {
            continue;
        }
        let exceeding = mean(draws.iter().take(64).flat_map(|draw| {
            residuals.iter().map(move |residual| f64::from(u8::from(draw[k] + residual > ms.ln())))
        }));
        kept[k] = posterior(cells, grid[k], &own, exceeding, part);
        checked.push(k);
    }

    let price = &outlook.price;
    let cheapest = |candidates: &mut dyn Iterator<Item = usize>| {
        candidates.min_by(|a, b| price[*a].total_cmp(&price[*b]))
    };
    let likeliest = |candidates: &mut dyn Iterator<Item = usize>| {
        candidates.max_by(|a, b| kept[*a].total_cmp(&kept[*b]).then(b.cmp(a)))
    };
    let chosen = cheapest(&mut checked.iter().copied().filter(|k| kept[*k] >= KEEPS));
    let keeping = chosen.is_some();
    let chosen = chosen
        .or_else(|| likeliest(&mut checked.iter().copied()))
        .or_else(|| likeliest(&mut (0..grid.len())))
        .unwrap_or_default();
    let candidate = cheapest(&mut (0..grid.len()).filter(|k| kept[*k] >= KEEPS))
        .or_else(|| likeliest(&mut (0..grid.len())))
        .unwrap_or(chosen);
    let cheaper = cheapest(&mut (0..grid.len()).filter(|k| kept[*k] >= WORTH_A_LOOK.0)).unwrap_or(candidate);
    let worth_a_look = price[cheaper] < price[chosen] * WORTH_A_LOOK.1;

    let mut decision = outlook.decision(chosen, &ratios(&outlook.objective(task.aim)));
    decision.kept = Some(kept[chosen]);
    decision.unmet = kept[chosen] < 0.5 && none > 0.5;
    let sure = keeping && kept[chosen] >= task.confidence && own(chosen).len() >= CHECKED && !worth_a_look;
    decision.stopped_by =
        if sure || (none > 0.95 && progress.round >= 2) { Some(Stop::Confidence) } else { progress.end };
    if decision.stopped_by.is_some() {
        return Step::Done(Box::new(decision));
    }
    let mut blocks: Vec<Block> = Vec::new();
    let mut add = |k: usize, num: u32| {
        let distance = |size: &f64| (size / grid[k]).ln().abs();
        let near = cells.sizes.iter().copied().filter(|size| distance(size) < SAME);
        let size = near.min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap_or(grid[k]) as u32;
        match blocks.iter_mut().find(|block| block.size == size) {
            Some(block) => block.num = block.num.max(num),
            None => blocks.push(Block { size, num, lanes: (num / 6).max(2) }),
        }
    };
    add(candidate, if worth_a_look { NUM.1 } else { NUM.0 });
    if worth_a_look {
        add(cheaper, NUM.1);
    }
    blocks.sort_by_key(|block| block.size);
    Step::Measure { blocks: within(blocks, progress.room), so_far: Some(Box::new(decision)) }
}

/// What is known of one size that was measured as one of a list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// Invocations that took longer than the limit.
    pub over: f64,
    /// Invocations.
    pub of: f64,
    /// In how many execution environments they were made.
    pub environments: f64,
    /// By how much the limit is above what was measured, as a difference of logarithms.
    pub margin: f64,
    /// By how much durations vary, as a share of them.
    pub spread: f64,
}

/// The probability that a size keeps a limit in this `part` of the invocations: the lesser one of two. One goes by how many invocations took
/// longer, with Jeffreys' prior. The other takes durations for lognormal and knows that those of one environment are all faster or slower
/// than others.
#[must_use]
pub fn kept(measured: &Measured, part: f64) -> f64 {
    let Measured { over, of, environments, margin, spread } = *measured;
    let counted = beta_below(0.5 + over, 0.5 + of - over, 1.0 - part);
    let z = normal_quantile(part);
    let of_percentile = spread * spread * (1.0 + z * z / 2.0) / of.max(1.0);
    let variance = of_percentile + ENVIRONMENTS.0 * ENVIRONMENTS.0 / environments.max(1.0);
    counted.min(normal_below(margin / variance.sqrt()))
}

/// A percentile of the residuals, drawn by Bayesian bootstrap (Rubin 1981): each residual gets an exponential weight.
fn bootstrap(tail: &[f64], part: f64, draw: usize) -> f64 {
    let weights: Vec<f64> = (0..tail.len()).map(|column| exponential(draw, column)).collect();
    let wanted = part * weights.iter().sum::<f64>();
    let mut below = 0.0;
    let at = weights.iter().position(|weight| {
        below += weight;
        below >= wanted
    });
    tail.get(at.unwrap_or(tail.len().saturating_sub(1))).copied().unwrap_or(0.0)
}

/// The probability that a size keeps the limit, by its own invocations (`own`: which of them exceeded it) and by `exceeding`, the
/// share that the curves expect to. Invocations of one environment are not independent, so they count for fewer.
fn posterior(cells: &Cells, size: f64, own: &[bool], exceeding: f64, part: f64) -> f64 {
    let environments =
        cells.sizes.iter().position(|other| *other == size).map_or(1.0, |at| cells.environments[at]);
    let count = own.len() as f64;
    let exceeded = own.iter().filter(|exceeded| **exceeded).count() as f64;
    let correlation = cells.environment_variance / (cells.environment_variance + cells.spread * cells.spread);
    let each = 1.0 + (count / environments - 1.0).max(0.0) * correlation;
    let a = PRIOR * exceeding.max(0.005) + exceeded / each;
    let b = PRIOR * (1.0 - exceeding).max(0.005) + (count - exceeded) / each;
    beta_below(a, b, 1.0 - part)
}
