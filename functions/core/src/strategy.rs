//! Which power value wins. After the statistics and the prices, before the output; the chart page marks its points with
//! the same function. Plain numbers in, an index out.

use std::fmt;
use std::str::FromStr;

/// What the user wants the function to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// The lowest average cost; of equally cheap ones the fastest.
    #[default]
    Cost,
    /// The lowest average duration; of equally fast ones the cheapest.
    Speed,
    /// The lowest weighted sum of both, each relative to the largest measured.
    Balanced,
}

impl Strategy {
    /// Every strategy, in the order they are documented.
    pub const ALL: [Self; 3] = [Self::Cost, Self::Speed, Self::Balanced];

    /// The word for it in the execution input.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cost => "cost",
            Self::Speed => "speed",
            Self::Balanced => "balanced",
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The word is none of the strategies.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a strategy: use cost, speed or balanced")]
pub struct UnknownStrategy(pub String);

impl FromStr for Strategy {
    type Err = UnknownStrategy;

    fn from_str(text: &str) -> Result<Self, UnknownStrategy> {
        Self::ALL
            .into_iter()
            .find(|strategy| strategy.name() == text)
            .ok_or_else(|| UnknownStrategy(text.to_owned()))
    }
}

/// One measured power value, reduced to what a strategy looks at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Average cost of one invocation, in the run's currency.
    pub cost: f64,
    /// Average duration of one invocation in milliseconds.
    pub duration: f64,
}

/// The index of the winner; `None` only for no candidates. Of candidates that are equal in everything the strategy looks
/// at, the first wins, so a list sorted by size prefers the smaller one.
///
/// `balanced_weight` is looked at by [`Strategy::Balanced`] only: 0 is all speed, 1 is all cost.
pub fn choose(strategy: Strategy, balanced_weight: f64, candidates: &[Candidate]) -> Option<usize> {
    let scores = scores(strategy, balanced_weight, candidates);
    let second = |c: &Candidate| match strategy {
        Strategy::Cost => c.duration,
        Strategy::Speed => c.cost,
        Strategy::Balanced => 0.0,
    };
    (0..candidates.len()).min_by(|&a, &b| {
        scores[a].total_cmp(&scores[b]).then(second(&candidates[a]).total_cmp(&second(&candidates[b])))
    })
}

/// What a strategy goes by, for each candidate: the lower, the better.
pub fn scores(strategy: Strategy, balanced_weight: f64, candidates: &[Candidate]) -> Vec<f64> {
    let most = |value: fn(&Candidate) -> f64| candidates.iter().map(value).fold(0.0, f64::max);
    let (most_cost, most_duration) = (most(|c| c.cost), most(|c| c.duration));
    let share = |value: f64, most: f64| if most > 0.0 { value / most } else { 0.0 };
    let score = |c: &Candidate| match strategy {
        Strategy::Cost => c.cost,
        Strategy::Speed => c.duration,
        Strategy::Balanced => {
            balanced_weight * share(c.cost, most_cost)
                + (1.0 - balanced_weight) * share(c.duration, most_duration)
        }
    };
    candidates.iter().map(score).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(points: &[(f64, f64)]) -> Vec<Candidate> {
        points.iter().map(|&(cost, duration)| Candidate { cost, duration }).collect()
    }

    #[test]
    fn each_strategy_looks_at_its_own_figure() {
        let candidates = points(&[(1.0, 100.0), (2.0, 40.0), (4.0, 30.0)]);
        assert_eq!(choose(Strategy::Cost, 0.5, &candidates), Some(0));
        assert_eq!(choose(Strategy::Speed, 0.5, &candidates), Some(2));
        assert_eq!(choose(Strategy::Balanced, 0.5, &candidates), Some(1));
        assert_eq!(choose(Strategy::Balanced, 0.0, &candidates), Some(2));
        assert_eq!(choose(Strategy::Balanced, 1.0, &candidates), Some(0));
        assert_eq!(choose(Strategy::Cost, 0.5, &[]), None);
    }

    #[test]
    fn ties_are_broken_by_the_other_figure_and_then_by_order() {
        let candidates = points(&[(1.0, 50.0), (1.0, 40.0), (2.0, 40.0), (1.0, 40.0)]);
        assert_eq!(choose(Strategy::Cost, 0.5, &candidates), Some(1));
        assert_eq!(choose(Strategy::Speed, 0.5, &candidates), Some(1));
        let same = points(&[(1.0, 1.0), (1.0, 1.0)]);
        assert_eq!(choose(Strategy::Balanced, 0.3, &same), Some(0));
    }

    #[test]
    fn free_or_instant_candidates_do_not_divide_by_zero() {
        let free = points(&[(0.0, 9.0), (0.0, 8.0)]);
        assert_eq!(choose(Strategy::Balanced, 0.5, &free), Some(1));
        assert_eq!(choose(Strategy::Balanced, 1.0, &free), Some(0));
    }

    #[test]
    fn names_are_read_back() {
        for strategy in Strategy::ALL {
            assert_eq!(strategy.to_string().parse(), Ok(strategy));
        }
        assert!("cheap".parse::<Strategy>().is_err());
    }
}
