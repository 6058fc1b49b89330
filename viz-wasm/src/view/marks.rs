//! The points of a run that are worth a name.

use tuning::strategy::{Candidate, Strategy, choose};
use tuning::url::Run;

/// Indices into a run's lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marks {
    /// Lowest cost.
    pub cheapest: usize,
    /// Highest cost.
    pub dearest: usize,
    /// Shortest duration.
    pub fastest: usize,
    /// Longest duration.
    pub slowest: usize,
    /// The best weighted sum of both.
    pub balanced: usize,
}

impl Marks {
    /// The marks of a run of at least one point; `weight` 0 is all speed, 1 is all cost.
    pub fn of(run: &Run, weight: f64) -> Self {
        let candidates: Vec<Candidate> = run
            .costs
            .iter()
            .zip(&run.times)
            .map(|(&cost, &time)| Candidate { cost: cost.into(), duration: time.into() })
            .collect();
        let best = |strategy| choose(strategy, weight, &candidates).unwrap_or(0);
        Self {
            cheapest: best(Strategy::Cost),
            dearest: largest(&run.costs),
            fastest: best(Strategy::Speed),
            slowest: largest(&run.times),
            balanced: best(Strategy::Balanced),
        }
    }
}

/// The first of the largest values.
fn largest(values: &[f32]) -> usize {
    (0..values.len()).rev().max_by(|&a, &b| values[a].total_cmp(&values[b])).unwrap_or(0)
}
