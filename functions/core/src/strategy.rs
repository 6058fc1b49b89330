//! Which memory size to choose.

use std::fmt;

/// What to choose by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Strategy {
    /// The lowest cost of an invocation.
    #[default]
    Cost,
    /// The shortest duration.
    Speed,
    /// The lowest weighted sum of both, each as a share of its highest value.
    Balanced,
}

impl Strategy {
    /// Reads a strategy's name.
    ///
    /// # Errors
    /// The names there are, as a phrase.
    pub fn parse(name: &str) -> Result<Self, String> {
        match name {
            "cost" => Ok(Self::Cost),
            "speed" => Ok(Self::Speed),
            "balanced" => Ok(Self::Balanced),
            _ => Err("must be cost, speed or balanced".to_owned()),
        }
    }

    /// Its name in the execution input.
    #[must_use]
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

/// A memory size to choose from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Average duration, in ms.
    pub duration: f64,
    /// Average cost of an invocation.
    pub cost: f64,
}

/// The place of the best candidate; none when there are none. `weight` (for balanced) is 0 for speed and 1 for cost. Equal
/// candidates: by cost the faster one, by speed the cheaper one, else the first.
#[must_use]
pub fn choose(strategy: Strategy, weight: f64, candidates: &[Candidate]) -> Option<usize> {
    let highest = |of: fn(&Candidate) -> f64| candidates.iter().map(of).fold(f64::MIN_POSITIVE, f64::max);
    let (slowest, dearest) = (highest(|c| c.duration), highest(|c| c.cost));
    let rank = |c: &Candidate| match strategy {
        Strategy::Cost => (c.cost, c.duration),
        Strategy::Speed => (c.duration, c.cost),
        Strategy::Balanced => (weight * c.cost / dearest + (1.0 - weight) * c.duration / slowest, 0.0),
    };
    let ranked = candidates.iter().map(rank).enumerate();
    ranked.min_by(|(_, a), (_, b)| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))).map(|(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [Candidate; 3] = [
        Candidate { duration: 100.0, cost: 1.0 },
        Candidate { duration: 50.0, cost: 1.0 },
        Candidate { duration: 10.0, cost: 3.0 },
    ];

    #[test]
    fn each_strategy_chooses_its_own() {
        assert_eq!(choose(Strategy::Cost, 0.5, &SIZES), Some(1));
        assert_eq!(choose(Strategy::Speed, 0.5, &SIZES), Some(2));
        assert_eq!(choose(Strategy::Balanced, 0.5, &SIZES), Some(1));
        assert_eq!(choose(Strategy::Balanced, 0.0, &SIZES), Some(2));
        assert_eq!(choose(Strategy::Cost, 0.5, &[]), None);
    }
}
