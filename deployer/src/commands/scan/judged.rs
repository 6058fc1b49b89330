//! What a function costs a month, what a tuned size could save at most, and whether that is worth a run.

use tuning::Currency;
use tuning::figures;
use tuning::input::{LARGEST, SMALLEST};
use tuning::pricing::{self, Extras, LambdaPrice};

use super::found::Found;
use crate::traffic::{Measured, Window};

/// A p99 above this share of the time-out is near it.
const NEAR: f64 = 0.8;
/// Lambda bills whole milliseconds: half of one more on average.
const ROUNDING_MS: f64 = 0.5;

/// A function with what was found out about it.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The function.
    pub found: Found,
    /// What it did.
    pub measured: Measured,
    /// What it costs a month of 30 days, requests included, initializations not.
    pub cost_per_month: f64,
    /// What a smaller size could save of that at most.
    pub saves_at_most: f64,
    /// What both are in.
    pub currency: Currency,
    /// Whether the prices are the region's own.
    pub priced: bool,
    /// Whether it is worth a run.
    pub worth_a_run: bool,
    /// Why, or why not.
    pub why: String,
}

impl Judged {
    /// Judges a function by what it did within a time. A run has to be able to save `min_saving` a month.
    #[must_use]
    pub fn new(found: Found, measured: Measured, window: Window, min_saving: f64) -> Self {
        let region = found.region.as_str();
        let extras = Extras { storage_mb: found.storage_mb, snap_start: false };
        let price = pricing::lambda(region, found.architecture).with(extras, region);
        let month = window.per_month(measured.invocations);
        let (cost, saves) = match found.on_instances {
            true => (0.0, 0.0),
            false => money(&found, &measured, &price, month),
        };
        let (worth_a_run, why) = worth(&found, &measured, saves, min_saving, price.currency.symbol());
        Self {
            cost_per_month: cost,
            saves_at_most: saves,
            currency: price.currency,
            priced: price.known,
            worth_a_run,
            why,
            found,
            measured,
        }
    }
}

/// What so many invocations a month cost, and by how much less the smallest size would do them as fast.
fn money(found: &Found, measured: &Measured, price: &LambdaPrice, month: f64) -> (f64, f64) {
    if measured.invocations <= 0.0 {
        return (0.0, 0.0);
    }
    let cost = |memory| monthly_cost(price, memory, measured.average_ms, month);
    let now = cost(found.memory_mb);
    (now, now - cost(SMALLEST.min(found.memory_mb)))
}

/// What so many invocations of this average duration cost at a memory size in MB, requests included, initializations not.
#[must_use]
pub fn monthly_cost(price: &LambdaPrice, memory_mb: u32, average_ms: f64, invocations: f64) -> f64 {
    invocations * (price.cost(memory_mb, average_ms + ROUNDING_MS) + price.per_request.unwrap_or_default())
}

fn worth(found: &Found, measured: &Measured, saves: f64, min_saving: f64, symbol: &str) -> (bool, String) {
    if found.on_instances {
        return (
            false,
            "runs on instances of a capacity provider, which are not billed by duration".to_owned(),
        );
    }
    if measured.invocations <= 0.0 {
        return (false, "was not invoked".to_owned());
    }
    if saves >= min_saving {
        return (true, format!("could save up to {} a month", figures::money(saves, symbol)));
    }
    let timeout_ms = f64::from(found.timeout_s) * 1000.0;
    if measured.p99_ms >= NEAR * timeout_ms && found.memory_mb < LARGEST {
        let share = figures::fixed(measured.p99_ms / timeout_ms * 100.0, 0);
        return (true, format!("its p99 is {share} % of its time-out"));
    }
    if found.memory_mb <= SMALLEST {
        return (false, format!("has {SMALLEST} MB already: nothing is cheaper"));
    }
    (false, format!("could save no more than {} a month", figures::money(saves, symbol)))
}

#[cfg(test)]
mod tests {
    use tuning::pricing::Architecture;

    use super::*;

    fn found(memory_mb: u32, timeout_s: u32) -> Found {
        Found {
            name: "f".to_owned(),
            arn: String::new(),
            region: "us-east-1".to_owned(),
            runtime: "python3.13".to_owned(),
            architecture: Architecture::X86_64,
            memory_mb,
            timeout_s,
            storage_mb: 512,
            on_instances: false,
        }
    }

    fn measured(invocations: f64, ms: f64) -> Measured {
        Measured { invocations, errors: 0.0, average_ms: ms, p95_ms: ms, p99_ms: ms }
    }

    /// Half a month: everything counts twice.
    const WINDOW: Window = Window { days: 15, start: 0, end: 15 * 24 * 3600 };

    fn judged(found: Found, measured: Measured) -> Judged {
        Judged::new(found, measured, WINDOW, 1.0)
    }

    #[test]
    fn a_month_costs_duration_and_requests() {
        let one = judged(found(1024, 30), measured(1e6, 99.5));
        let (duration, requests) = (2e6 * 0.1 * 1.66667e-5, 2e6 * 2e-7);
        assert!((one.cost_per_month - duration - requests).abs() < 1e-9, "{one:?}");
        assert!((one.saves_at_most - duration * 7.0 / 8.0).abs() < 1e-9, "{one:?}");
        assert_eq!((one.worth_a_run, one.why.as_str()), (true, "could save up to $2.92 a month"));
        let stored = judged(Found { storage_mb: 1536, ..found(1024, 30) }, measured(1e6, 99.5));
        let storage = stored.cost_per_month - one.cost_per_month;
        assert!(storage > 0.0 && (stored.saves_at_most - one.saves_at_most).abs() < 1e-9, "{stored:?}");
    }

    #[test]
    fn a_run_is_worth_what_it_could_save_or_where_time_runs_out() {
        for (found, measured, worth, why) in [
            (found(1024, 30), measured(0.0, 0.0), false, "was not invoked"),
            (found(1024, 30), measured(100.0, 99.5), false, "could save no more than $0.000292 a month"),
            (found(128, 30), measured(1e9, 99.5), false, "has 128 MB already: nothing is cheaper"),
            (found(128, 3), measured(10.0, 2450.0), true, "its p99 is 82 % of its time-out"),
            (found(10_240, 3), measured(1.0, 2450.0), false, "could save no more than $0.000807 a month"),
        ] {
            let one = judged(found, measured);
            assert_eq!((one.worth_a_run, one.why.as_str()), (worth, why));
        }
        let instance = judged(Found { on_instances: true, ..found(2048, 30) }, measured(1e9, 100.0));
        assert_eq!((instance.worth_a_run, instance.cost_per_month), (false, 0.0));
    }
}
