//! What a run on AWS will do, cost and take, said before it starts. From a guess: nothing is known of the function's duration yet.

use tuning::figures;
use tuning::input::{Input, Search};
use tuning::pricing::{self, Extras, Transitions};
use tuning::search::{self, MAX_ROUNDS, Step};

use crate::function::Found;

/// What an invocation is guessed to take, unless the function's time-out is shorter.
const GUESS_MS: f64 = 1000.0;
/// Publishing versions, waiting until they are ready, putting the function back.
const AROUND_SECONDS: f64 = 30.0;
/// Publishing one more version where each invocation needs its own.
const VERSION_SECONDS: f64 = 4.0;

/// What a run will come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// In the currency of the function's region.
    pub cost: f64,
    sentence: String,
}

impl Estimate {
    /// The estimate of a run over these memory sizes.
    #[must_use]
    pub fn new(input: &Input, sizes: &[u32], found: &Found) -> Self {
        // A search begins with these; how often it measures which of them nobody knows.
        let pilot: Vec<u32> = match input.task().map(|task| search::next(&task, &[], 0)) {
            Some(Step::Measure { blocks, .. }) => blocks.iter().map(|block| block.size).collect(),
            _ => Vec::new(),
        };
        let (searches, sizes) =
            if input.search.is_some() { (true, pilot.as_slice()) } else { (false, sizes) };
        let region = &input.lambda_arn.region;
        let extras = Extras { storage_mb: found.storage_mb, snap_start: false };
        let price = pricing::lambda(region, found.architecture).with(extras, region);
        let (count, each) = match input.search {
            Some(search) => {
                (sizes.len() as f64, f64::from(search.max_invocations) / sizes.len().max(1) as f64)
            }
            None => (sizes.len() as f64, f64::from(input.all_invocations())),
        };
        let rounds = if searches { MAX_ROUNDS } else { 0 };
        let machine = u32::try_from(sizes.len()).map_or(0.0, |sizes| {
            // A later round has two or three sizes.
            let blocks = sizes + 3 * rounds.saturating_sub(1);
            Transitions { publisher_passes: rounds.max(1), sizes: blocks, executor_passes: blocks, rounds }
                .cost(region)
        });
        let fees = count * each * price.per_request.unwrap_or_default();
        let cost = |ms: f64| {
            let one_of_each: f64 = sizes.iter().map(|&size| price.cost(size, ms)).sum();
            machine + fees + each * one_of_each
        };
        // Sizes are measured side by side, the invocations of one in turn.
        let pauses = (each - 1.0) * input.sleep_between_runs_ms as f64 / 1000.0;
        let versions = match input.only_cold_starts {
            true if input.in_bursts() => count * VERSION_SECONDS,
            true => count * each * VERSION_SECONDS,
            false => 0.0,
        };
        let seconds = |ms: f64| {
            let measuring = if input.parallel_invocation {
                ms / 1000.0
            } else {
                (each * ms / 1000.0 + pauses) / f64::from(if searches { 2 } else { input.lanes })
            };
            AROUND_SECONDS * f64::from(rounds.max(1)) + versions + measuring
        };
        let timeout = f64::from(found.timeout_s) * 1000.0;
        let guess = timeout.min(GUESS_MS);
        let said =
            |ms| format!("{} and {}", money(cost(ms), price.currency.symbol()), figures::span(seconds(ms)));
        let at_most = if timeout > guess {
            format!(
                "; at most {} if each runs into its time-out of {}",
                said(timeout),
                figures::duration(timeout)
            )
        } else {
            String::new()
        };
        let budget = match input.budget {
            Some(budget) => format!("; the budget ends it at {}", money(budget, price.currency.symbol())),
            None => String::new(),
        };
        let what = match input.search {
            Some(Search { range: (from, to), max_invocations, .. }) => format!(
                "a search from {from} to {to} MB, at most {max_invocations} invocations in {MAX_ROUNDS} rounds"
            ),
            None => format!(
                "{} memory size{} × {} invocations = {}",
                sizes.len(),
                if sizes.len() == 1 { "" } else { "s" },
                figures::fixed(each, 0),
                figures::fixed(count * each, 0),
            ),
        };
        let sentence = format!(
            "{what}: about {} at a guess of {} each{at_most}{budget}",
            said(guess),
            figures::duration(guess),
        );
        Self { cost: cost(guess), sentence }
    }

    /// In words.
    #[must_use]
    pub fn sentence(&self) -> &str {
        &self.sentence
    }
}

/// Cents, or three digits of what is less than ten of them.
fn money(amount: f64, currency: &str) -> String {
    if amount < 0.1 {
        figures::money(amount, currency)
    } else {
        format!("{currency}{}", figures::fixed(amount, 2))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tuning::input::Defaults;
    use tuning::pricing::Architecture;

    use super::*;

    fn estimate(more: serde_json::Value, timeout_s: u32) -> Estimate {
        let mut input = json!({"lambdaARN": "arn:aws:lambda:us-east-1:123456789012:function:f", "num": 20});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let input = Input::parse(&input, &Defaults { power_values: vec![128] }).unwrap();
        let found = Found {
            arn: input.lambda_arn.to_string(),
            memory: 128,
            snap_start: false,
            timeout_s,
            architecture: Architecture::X86_64,
            storage_mb: 512,
        };
        Estimate::new(&input, &[1024, 2048], &found)
    }

    #[test]
    fn a_run_is_told_before_it_starts() {
        // 13 transitions, 40 requests, and 20 seconds each of 1 and 2 GB.
        let expected = 13.0 * 2.5e-5 + 40.0 * 2e-7 + 60.0 * 1.666_67e-5;
        let usual = estimate(json!({}), 30);
        assert!((usual.cost - expected).abs() < 1e-9, "{usual:?}");
        assert_eq!(
            usual.sentence(),
            "2 memory sizes × 20 invocations = 40: about $0.00133 and 50 s at a guess of 1.00 s each; at most $0.0303 and \
             10 min 30 s if each runs into its time-out of 30.0 s"
        );
        let short = estimate(json!({"budget": 2, "parallelInvocation": true}), 1);
        assert_eq!(
            short.sentence(),
            "2 memory sizes × 20 invocations = 40: about $0.00133 and 31 s at a guess of 1.00 s each; the budget ends it at $2.00"
        );
        let auto = estimate(json!({"powerValues": "AUTO", "maxInvocations": 60}), 1);
        assert!(
            auto.sentence()
                .starts_with("a search from 128 to 10240 MB, at most 60 invocations in 6 rounds: about $"),
            "{auto:?}"
        );
        let cold = estimate(json!({"onlyColdStarts": true}), 1);
        assert!(cold.sentence().contains(" and 3 min 30 s "), "{cold:?}");
    }
}
