//! What measuring one power value may cost: its part of the input's `budget`.
//!
//! The power values are measured at the same time and know nothing of one another, so each has an equal part. An invocation is started
//! only when it fits in what is left, by the longest so far; the first one always is, since nothing is known before it. Those
//! under way may take longer than any before, so the amount is kept but for that.

use std::time::Duration;

use tuning::input::Input;
use tuning::pricing::{LambdaPrice, Transitions};

use super::progress::Progress;
use crate::run::Run;

/// The part of one power value.
#[derive(Debug)]
pub struct Allowance {
    amount: f64,
    power: u32,
    price: LambdaPrice,
    /// What an invocation costs that runs into the function's time-out.
    most: f64,
}

impl Allowance {
    /// This power value's part; `None` without a budget.
    pub fn new(
        input: &Input,
        run: Option<&Run>,
        power: u32,
        price: &LambdaPrice,
        timeout: Duration,
        passes: u32,
    ) -> Option<Self> {
        let budget = input.budget?;
        let sizes = run.map_or(1, |run| run.power_values.len());
        let sizes = u32::try_from(sizes).unwrap_or(u32::MAX).max(1);
        let machine = |executor_passes| {
            let publisher_passes = run.map_or(1, |run| run.published.passes).max(1);
            Transitions { publisher_passes, sizes, executor_passes, rounds: 0 }.cost(&input.lambda_arn.region)
        };
        // The passes of this size are its own expense.
        let further = machine(sizes + passes.saturating_sub(1)) - machine(sizes);
        Some(Self::of((budget - machine(sizes)) / f64::from(sizes) - further, power, price, timeout))
    }

    /// So much.
    pub fn of(amount: f64, power: u32, price: &LambdaPrice, timeout: Duration) -> Self {
        let allowance = Self { amount, power, price: *price, most: 0.0 };
        let most = allowance.cost(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX), 1);
        Self { most, ..allowance }
    }

    /// Whether another invocation may be started while so many are under way.
    pub fn permits(&self, progress: &Progress, under_way: usize) -> bool {
        let made = progress.made();
        if made == 0 && under_way == 0 {
            return true;
        }
        let (mut billed_ms, mut longest_ms, mut restored) = (0, 0, 0.0);
        let mut measured = 0_u32;
        for measurement in progress.all() {
            measured += 1;
            billed_ms += measurement.billed_ms;
            longest_ms = longest_ms.max(measurement.billed_ms);
            restored += f64::from(u8::from(measurement.cold_start_ms.is_some()));
        }
        // Nobody knows what those without an answer took.
        let unknown = f64::from(made.saturating_sub(measured)) * self.most;
        let spent = self.cost(billed_ms, measured) + restored * self.price.restore(self.power) + unknown;
        let next = if longest_ms == 0 { self.most } else { self.cost(longest_ms, 1) };
        spent + (under_way as f64 + 1.0) * next <= self.amount
    }

    fn cost(&self, billed_ms: u64, requests: u32) -> f64 {
        let fees = f64::from(requests) * self.price.per_request.unwrap_or_default();
        self.price.cost(self.power, billed_ms as f64) + fees
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tuning::input::Defaults;
    use tuning::pricing::{self, Architecture};
    use tuning::stats::Measurement;

    use super::*;

    fn allowance(budget: f64) -> Allowance {
        let input = json!({
            "lambdaARN": "arn:aws:lambda:us-east-1:123456789012:function:f", "num": 100, "budget": budget,
        });
        let input = Input::parse(&input, &Defaults { power_values: vec![1024] }).unwrap();
        let price = pricing::lambda("us-east-1", Architecture::X86_64);
        Allowance::new(&input, None, 1024, &price, Duration::from_secs(3), 1).unwrap()
    }

    /// The ten transitions of a run of one size, and so many invocations of 100 ms at 1 GB with their fees.
    fn budget(invocations: f64) -> f64 {
        10.0 * 2.5e-5 + invocations * (1.666_67e-6 + 2e-7)
    }

    fn made(invocations: u32) -> Progress {
        let mut progress = Progress::default();
        for index in 0..invocations {
            progress.measurements.push(Measurement {
                duration_ms: 99.5,
                billed_ms: 100,
                cold_start_ms: None,
            });
            progress.finish(index);
        }
        progress
    }

    #[test]
    fn as_many_are_made_as_the_budget_has_money_for() {
        let allowance = allowance(budget(7.5));
        assert!(allowance.permits(&made(6), 0));
        assert!(!allowance.permits(&made(7), 0));
        assert!(allowance.permits(&made(3), 3));
        assert!(!allowance.permits(&made(3), 4));
    }

    #[test]
    fn the_first_is_made_whatever_it_costs_and_what_is_not_known_counts_as_a_time_out() {
        let small = allowance(1e-9);
        assert!(small.permits(&made(0), 0));
        assert!(!small.permits(&made(0), 1) && !small.permits(&made(1), 0));
        // A time-out takes 30 times 100 ms: two of them fit at once before anything is known, and one without an answer counts as one.
        let allowance = allowance(budget(70.0));
        assert!(allowance.permits(&made(0), 1) && !allowance.permits(&made(0), 2));
        let mut lost = made(30);
        lost.finish(30);
        lost.measurements.push_lost();
        assert!(allowance.permits(&lost, 12) && !allowance.permits(&lost, 13));
    }
}
