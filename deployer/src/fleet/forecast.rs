//! What a fleet will cost and take, as a range, said before it starts.
//!
//! A function that was seen at one memory size may be bound by its CPU, so that its duration goes with the inverse of the size, or not at
//! all. The truth is in between: the range has both ends. A search may be sure after its first round, or use all its invocations.

use std::fmt;

use serde::{Deserialize, Serialize};
use tuning::Currency;
use tuning::figures;
use tuning::input::Input;

use super::plan::Seen;
use crate::estimate::{GUESS_MS, Work, money};
use crate::function::Found;

/// From the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// The least.
    pub low: f64,
    /// The most.
    pub high: f64,
}

/// What one function, or all of them, will come to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Forecast {
    /// In the currency.
    pub cost: Range,
    /// How long it takes.
    pub seconds: Range,
    /// The region's currency.
    pub currency: Currency,
    /// Of how many functions nothing is known, so that their durations are guessed.
    pub guessed: usize,
    /// Calls of Lambda's control plane, at least.
    pub calls: f64,
}

impl Forecast {
    /// Of one function.
    #[must_use]
    pub fn of(input: &Input, sizes: &[u32], found: &Found, seen: Option<Seen>) -> Self {
        let timeout = f64::from(found.timeout_s) * 1000.0;
        let (average, memory) = match seen {
            Some(seen) => (seen.average_ms, f64::from(seen.memory_mb)),
            None => (GUESS_MS, 0.0),
        };
        let slower = |size: u32| if memory > 0.0 { memory / f64::from(size) } else { 1.0 };
        let low = |size| (average * slower(size).min(1.0)).min(timeout);
        let high = |size| (average * slower(size).max(1.0)).min(timeout);
        let most = Work::most(input, sizes, found);
        let (high_cost, high_seconds, currency) = (most.cost(high), most.seconds(high), most.currency());
        let least = most.least();
        Self {
            cost: Range { low: least.cost(low), high: high_cost },
            seconds: Range { low: least.seconds(low), high: high_seconds },
            currency,
            guessed: usize::from(seen.is_none()),
            calls: least.calls(),
        }
    }

    /// Of functions of which so many are tuned at a time.
    #[must_use]
    pub fn sum(all: &[Self], at_once: u32) -> Self {
        let add = |amount: fn(&Self) -> f64| all.iter().map(amount).sum::<f64>();
        let takes = |amount: fn(&Self) -> f64| {
            let longest = all.iter().map(amount).fold(0.0, f64::max);
            longest.max(add(amount) / f64::from(at_once.max(1)))
        };
        Self {
            cost: Range { low: add(|one| one.cost.low), high: add(|one| one.cost.high) },
            seconds: Range { low: takes(|one| one.seconds.low), high: takes(|one| one.seconds.high) },
            currency: all.first().map(|one| one.currency).unwrap_or_default(),
            guessed: all.iter().map(|one| one.guessed).sum(),
            calls: add(|one| one.calls),
        }
    }
}

impl Forecast {
    /// How many functions can be tuned at a time with so many calls a second of Lambda's control plane, going by the least they take.
    #[must_use]
    pub fn at_once(all: &[Self], calls_a_second: f64) -> f64 {
        let one_by_one = Self::sum(all, 1);
        calls_a_second * one_by_one.seconds.low / one_by_one.calls.max(1.0)
    }

    /// Of a part of the functions, as if all were alike.
    #[must_use]
    pub fn times(&self, share: f64) -> Self {
        let part = |range: Range| Range { low: range.low * share, high: range.high * share };
        Self { cost: part(self.cost), seconds: part(self.seconds), calls: self.calls * share, ..self.clone() }
    }
}

impl fmt::Display for Forecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amount = |amount| money(amount, self.currency.symbol());
        write!(
            f,
            "{} to {} and {} to {}",
            amount(self.cost.low),
            amount(self.cost.high),
            figures::span(self.seconds.low),
            figures::span(self.seconds.high),
        )?;
        match self.guessed {
            0 => Ok(()),
            guessed => write!(
                f,
                ", with a guess of {} an invocation for {guessed} of which the plan does not say what they take",
                figures::duration(GUESS_MS)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tuning::input::Defaults;
    use tuning::pricing::Architecture;

    use super::*;

    const SEEN: Seen = Seen { days: 14, invocations: 1e6, average_ms: 200.0, p99_ms: 300.0, memory_mb: 1024 };

    fn forecast(more: &serde_json::Value, sizes: &[u32], seen: Option<Seen>) -> Forecast {
        let mut input = json!({"lambdaARN": "arn:aws:lambda:us-east-1:123456789012:function:f"});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let input = Input::parse(&input, &Defaults { power_values: vec![128] }).unwrap();
        let found = Found {
            arn: input.lambda_arn.to_string(),
            memory: 1024,
            snap_start: false,
            timeout_s: 3,
            architecture: Architecture::X86_64,
            storage_mb: 512,
        };
        Forecast::of(&input, sizes, &found, seen)
    }

    #[test]
    fn the_range_reaches_from_no_effect_of_the_size_to_an_inverse_one() {
        let one = forecast(&json!({"num": 10}), &[512, 2048], Some(SEEN));
        let gb_second = 1.666_67e-5;
        // 13 transitions and 20 requests.
        let around = 13.0 * 2.5e-5 + 20.0 * 2e-7;
        // 200 ms at 512 MB and 100 ms at 2 GB; 400 ms and 200 ms.
        let (low, high) = (10.0 * (0.1 + 0.2) * gb_second, 10.0 * (0.2 + 0.4) * gb_second);
        assert!((one.cost.low - around - low).abs() < 1e-9, "{one:?}");
        assert!((one.cost.high - around - high).abs() < 1e-9, "{one:?}");
        assert_eq!((one.seconds, one.guessed), (Range { low: 5.0, high: 34.0 }, 0));
    }

    #[test]
    fn the_control_plane_s_calls_limit_how_many_are_tuned_at_a_time() {
        let copies = forecast(&json!({"num": 10, "tune": "copy"}), &[256, 512, 2048], Some(SEEN));
        assert!((copies.calls - 7.0).abs() < 1e-9);
        let at_once = Forecast::at_once(&vec![copies.clone(); 50], 7.5);
        assert!((at_once - 7.5 * copies.seconds.low / 7.0).abs() < 1e-9, "{at_once}");
    }

    #[test]
    fn a_search_may_be_sure_at_once_or_use_all_it_has() {
        let one = forecast(&json!({"powerValues": "AUTO"}), &[], Some(SEEN));
        assert!(one.cost.low * 3.0 < one.cost.high, "{one:?}");
        let guessed = forecast(&json!({"num": 10}), &[512, 2048], None);
        assert_eq!((guessed.cost.low, guessed.guessed), (guessed.cost.high, 1));
    }

    #[test]
    fn functions_side_by_side_cost_their_sum_and_take_a_part_of_it() {
        let one = forecast(&json!({"num": 10}), &[512, 2048], Some(SEEN));
        let all = Forecast::sum(&vec![one.clone(); 6], 3);
        assert!((all.cost.high - 6.0 * one.cost.high).abs() < 1e-12);
        assert_eq!(all.seconds, Range { low: 10.0, high: 68.0 });
        assert_eq!(Forecast::sum(std::slice::from_ref(&one), 10).seconds, one.seconds);
        assert!(all.to_string().ends_with(" and 10 s to 1 min 8 s"), "{all}");
    }
}
