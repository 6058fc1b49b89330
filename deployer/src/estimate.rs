//! What a run on AWS will do, cost and take, said before it starts. Nothing is known of the function's duration yet but what a fleet's plan may say of it.

use tuning::Currency;
use tuning::figures;
use tuning::input::{Input, Search, Tune};
use tuning::pricing::{self, Extras, LambdaPrice, Transitions};
use tuning::search::{self, MAX_ROUNDS, Step};

use crate::function::Found;

/// What an invocation is guessed to take, unless the function's time-out is shorter.
pub const GUESS_MS: f64 = 1000.0;
/// Publishing versions, waiting until they are ready, putting the function back.
const AROUND_SECONDS: f64 = 30.0;
/// The same at best.
const AROUND_SECONDS_AT_BEST: f64 = 3.0;
/// Publishing one more version where each invocation needs its own.
const VERSION_SECONDS: f64 = 4.0;

/// What a run measures, as far as that is known before it starts: what it costs and takes follows from the durations.
#[derive(Debug)]
pub struct Work<'a> {
    input: &'a Input,
    /// In MB. A search begins with these; how often it measures which of them nobody knows.
    sizes: Vec<u32>,
    /// Invocations of each size.
    each: f64,
    /// How often a search measures; none for a list.
    rounds: u32,
    /// What each round takes besides, in seconds.
    around: f64,
    price: LambdaPrice,
}

impl<'a> Work<'a> {
    /// All that a run over these memory sizes may measure.
    #[must_use]
    pub fn most(input: &'a Input, sizes: &[u32], found: &Found) -> Self {
        let region = &input.lambda_arn.region;
        let extras = Extras { storage_mb: found.storage_mb, snap_start: false };
        let price = pricing::lambda(region, found.architecture).with(extras, region);
        let (sizes, each, rounds) = match input.search {
            Some(search) => {
                let sizes: Vec<u32> = pilot(input).into_iter().map(|(size, _)| size).collect();
                let each = f64::from(search.max_invocations) / sizes.len().max(1) as f64;
                (sizes, each, MAX_ROUNDS)
            }
            None => (sizes.to_vec(), f64::from(input.all_invocations()), 0),
        };
        Self { input, sizes, each, rounds, around: AROUND_SECONDS, price }
    }

    /// The least of it: a search that is sure after its first round.
    #[must_use]
    pub fn least(self) -> Self {
        let around = AROUND_SECONDS_AT_BEST;
        let first = pilot(self.input);
        if first.is_empty() {
            return Self { around, ..self };
        }
        let count: u32 = first.iter().map(|(_, count)| count).sum();
        Self { each: f64::from(count) / first.len() as f64, rounds: 1, around, ..self }
    }

    /// Sizes that are measured, each as often as a round has it. A later round has two or three.
    fn blocks(&self) -> u32 {
        u32::try_from(self.sizes.len()).unwrap_or(u32::MAX).saturating_add(3 * self.rounds.saturating_sub(1))
    }

    /// Calls of Lambda's control plane that count against its 15 a second, GetFunction aside: as the tests count them for lists of sizes.
    #[must_use]
    pub fn calls(&self) -> f64 {
        let blocks = f64::from(self.blocks());
        let processors = self.input.architectures.len().max(1) as f64;
        match self.input.tune {
            // Each is created and deleted.
            Tune::Copy => 1.0 + 2.0 * blocks * processors,
            Tune::InPlace => 6.0 + 5.0 * blocks,
        }
    }

    /// Invocations of all sizes.
    #[must_use]
    pub fn invocations(&self) -> f64 {
        self.sizes.len() as f64 * self.each
    }

    /// The region's currency.
    #[must_use]
    pub fn currency(&self) -> Currency {
        self.price.currency
    }

    /// What it costs in that currency when an invocation takes as many milliseconds at a size.
    pub fn cost(&self, ms: impl Fn(u32) -> f64) -> f64 {
        let (blocks, rounds) = (self.blocks(), self.rounds);
        let machine =
            Transitions { publisher_passes: rounds.max(1), sizes: blocks, executor_passes: blocks, rounds }
                .cost(&self.input.lambda_arn.region);
        let fees = self.invocations() * self.price.per_request.unwrap_or_default();
        let one_of_each: f64 = self.sizes.iter().map(|&size| self.price.cost(size, ms(size))).sum();
        machine + fees + self.each * one_of_each
    }

    /// How many seconds it takes when an invocation takes as many milliseconds at a size.
    pub fn seconds(&self, ms: impl Fn(u32) -> f64) -> f64 {
        let Self { input, each, .. } = self;
        let searches = self.rounds > 0;
        // Sizes are measured side by side, the invocations of one in turn.
        let ms = self.sizes.iter().map(|&size| ms(size)).fold(0.0, f64::max);
        let pauses = (each - 1.0).max(0.0) * input.sleep_between_runs_ms as f64 / 1000.0;
        let versions = match input.only_cold_starts {
            true if input.in_bursts() => self.sizes.len() as f64 * VERSION_SECONDS,
            true => self.invocations() * VERSION_SECONDS,
            false => 0.0,
        };
        let measuring = if input.parallel_invocation {
            ms / 1000.0
        } else {
            (each * ms / 1000.0 + pauses) / f64::from(if searches { 2 } else { input.lanes })
        };
        self.around * f64::from(self.rounds.max(1)) + versions + measuring
    }
}

/// The sizes that a search begins with, and how often it measures each; none of a list.
fn pilot(input: &Input) -> Vec<(u32, u32)> {
    match input.task().map(|task| search::next(&task, &[], 0)) {
        Some(Step::Measure { blocks, .. }) => blocks.iter().map(|block| (block.size, block.num)).collect(),
        _ => Vec::new(),
    }
}

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
        let work = Work::most(input, sizes, found);
        let symbol = work.currency().symbol();
        let timeout = f64::from(found.timeout_s) * 1000.0;
        let guess = timeout.min(GUESS_MS);
        let said =
            |ms| format!("{} and {}", money(work.cost(|_| ms), symbol), figures::span(work.seconds(|_| ms)));
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
            Some(budget) => format!("; the budget ends it at {}", money(budget, symbol)),
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
                figures::fixed(work.each, 0),
                figures::fixed(work.invocations(), 0),
            ),
        };
        let sentence = format!(
            "{what}: about {} at a guess of {} each{at_most}{budget}",
            said(guess),
            figures::duration(guess),
        );
        Self { cost: work.cost(|_| guess), sentence }
    }

    /// In words.
    #[must_use]
    pub fn sentence(&self) -> &str {
        &self.sentence
    }
}

/// Cents, or three digits of what is less than ten of them.
#[must_use]
pub fn money(amount: f64, currency: &str) -> String {
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
