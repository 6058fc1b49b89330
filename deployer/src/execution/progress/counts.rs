//! How many invocations were made of all, at which size, for how much, and how long the rest may take.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use serde_json::Value;
use tuning::Currency;
use tuning::input::{Defaults, Input};
use tuning::pricing::{self, Architecture};
use tuning::stats::Measurements;

use crate::events::{Event, SizeProgress};

/// The measuring of one execution.
#[derive(Debug)]
pub(super) struct Counts {
    region: String,
    pub(super) currency: Currency,
    architecture: Architecture,
    /// Invocations of each size.
    each: u32,
    sizes: BTreeMap<u32, Size>,
    since: Option<SystemTime>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Size {
    made: u32,
    cost: f64,
    over: bool,
    /// How many there are to be, where sizes are searched for.
    planned: u32,
    /// What earlier rounds of a search made, and what they cost.
    before: (u32, f64),
}

impl Counts {
    pub(super) fn new(region: &str) -> Self {
        Self {
            region: region.to_owned(),
            currency: Currency::of_region(region),
            architecture: Architecture::default(),
            each: 0,
            sizes: BTreeMap::new(),
            since: None,
        }
    }

    /// The execution's input.
    pub(super) fn asked(&mut self, input: &Value) {
        let input = Input::parse(input, &Defaults { power_values: vec![tuning::input::SMALLEST] });
        self.each =
            input.ok().filter(|input| input.search.is_none()).map_or(0, |input| input.all_invocations());
    }

    /// What the Initializer has found.
    pub(super) fn begun(&mut self, document: &Value) {
        let run = &document["run"];
        if let Some(architecture) = run["architecture"].as_str().and_then(|name| name.parse().ok()) {
            self.architecture = architecture;
        }
        let sizes = run["powerValues"].as_array().into_iter().flatten();
        let sizes = sizes.filter_map(|size| u32::try_from(size.as_u64()?).ok());
        self.sizes = sizes.map(|size| (size, Size::default())).collect();
        self.planned(document);
    }

    /// What the next round of a search measures.
    pub(super) fn planned(&mut self, document: &Value) {
        for block in document["run"]["search"]["blocks"].as_array().into_iter().flatten() {
            let number = |name: &str| block[name].as_u64().and_then(|number| u32::try_from(number).ok());
            if let (Some(value), Some(num)) = (number("value"), number("num")) {
                let size = self.sizes.entry(value).or_default();
                *size =
                    Size { planned: size.made + num, before: (size.made, size.cost), over: false, ..*size };
            }
        }
    }

    /// Measuring has begun.
    pub(super) fn started(&mut self, at: &DateTime) {
        self.since = SystemTime::try_from(*at).ok();
    }

    /// Measuring is over.
    pub(super) fn over(&mut self) {
        self.since = None;
    }

    /// What a pass of an Executor has answered.
    pub(super) fn pass(&mut self, result: &Value) {
        let Some(memory) = memory(result) else { return };
        let size = self.sizes.entry(memory).or_default();
        let (made_before, cost_before) = size.before;
        if let Some(progress) = result.get("progress") {
            size.made = made_before + made(progress);
            if let Ok(measured) = serde_json::from_value::<Measurements>(progress["measurements"].clone()) {
                let billed: u64 = measured.iter().map(|measurement| measurement.billed_ms).sum();
                let price = pricing::lambda(&self.region, self.architecture);
                size.cost = cost_before + price.cost(memory, billed as f64);
            }
            return;
        }
        size.over = true;
        // Of two processors, the second is told beside the first.
        let answers = [result, &result["other"]];
        let cost = answers.iter().filter_map(|answer| answer["totalCost"].as_f64()).sum::<f64>();
        size.cost = cost_before + cost;
        let count =
            |answer: &Value, name: &str| answer[name].as_u64().and_then(|count| u32::try_from(count).ok());
        let made = answers.iter().filter_map(|answer| {
            Some(count(answer, "invocations")? + count(answer, "lost").unwrap_or_default())
        });
        if let Some(made) = made.reduce(|all, made| all + made) {
            size.made = made_before + made;
        }
    }

    /// How far it is; nothing unless measuring goes on and it is known of what.
    pub(super) fn event(&self, news: bool, now: SystemTime) -> Option<Event> {
        let known = self.each > 0 || self.sizes.values().any(|size| size.planned > 0);
        let since = self.since.filter(|_| known && !self.sizes.is_empty())?;
        let elapsed = now.duration_since(since).unwrap_or_default();
        let sizes = self.sizes.iter().map(|(&memory_mb, size)| SizeProgress {
            memory_mb,
            done: size.made,
            // A size that was skipped or ran out of money has no more to come.
            total: match size.planned {
                _ if size.over => size.made,
                0 => self.each,
                planned => planned,
            },
        });
        let sizes: Vec<SizeProgress> = sizes.collect();
        Some(Event::Invocations {
            done: sizes.iter().map(|size| size.done).sum(),
            total: sizes.iter().map(|size| size.total).sum(),
            cost: self.sizes.values().map(|size| size.cost).sum(),
            currency: self.currency,
            elapsed_seconds: elapsed.as_secs_f64().round(),
            left_seconds: left(&sizes, elapsed).map(|left| left.as_secs_f64().round()),
            sizes,
            news,
        })
    }
}

/// How long it may still take if it goes on as it did: on AWS until the slowest size is done; where sizes take turns, until all are.
/// A guess: sizes differ in how fast they are. Nothing before the first invocation.
fn left(sizes: &[SizeProgress], elapsed: Duration) -> Option<Duration> {
    let (done, total) =
        sizes.iter().fold((0, 0), |(done, total), size| (done + size.done, total + size.total));
    let rest = |done: u32, total: u32| {
        (done > 0).then(|| elapsed.mul_f64(f64::from(total - done) / f64::from(done)))
    };
    let slowest = sizes
        .iter()
        .filter(|size| size.done > 0 && size.done < size.total)
        .filter_map(|size| rest(size.done, size.total));
    slowest.chain(rest(done, total)).max()
}

/// The memory size that an Executor's answer is about, in MB.
pub(super) fn memory(result: &Value) -> Option<u32> {
    let value = &result["value"];
    u32::try_from(value.as_u64().or_else(|| value["value"].as_u64())?).ok()
}

/// How many invocations an Executor has made, from the `progress` that it hands itself.
pub(super) fn made(progress: &Value) -> u32 {
    let ranges = progress.get("done").and_then(Value::as_array).into_iter().flatten();
    let made = ranges.filter_map(|range| Some(range[1].as_u64()? + 1 - range[0].as_u64()?));
    made.sum::<u64>().try_into().unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tuning::stats::Measurement;

    use super::*;

    fn measuring() -> Counts {
        let mut counts = Counts::new("us-east-1");
        counts.asked(&json!({ "lambdaARN": "arn:aws:lambda:us-east-1:123456789012:function:f", "num": 20 }));
        counts.begun(&json!({ "run": { "architecture": "x86_64", "powerValues": [128, 1024] } }));
        counts.started(&DateTime::from_secs(1000));
        counts
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn pass(size: u32, made: u32) -> Value {
        let mut measurements = Measurements::new();
        for _ in 0..made {
            measurements.push(Measurement { duration_ms: 999.5, billed_ms: 1000, cold_start_ms: None });
        }
        let progress = json!({ "measurements": measurements, "done": [[0, made - 1]] });
        json!({ "input": {}, "value": size, "progress": progress })
    }

    #[test]
    fn passes_count_invocations_by_size_with_their_money_and_the_time_left() {
        let mut counts = measuring();
        counts.pass(&pass(1024, 5));
        let told = serde_json::to_value(counts.event(true, at(1010)).unwrap()).unwrap();
        let sizes = json!([{ "memoryMb": 128, "done": 0, "total": 20 }, { "memoryMb": 1024, "done": 5, "total": 20 }]);
        assert_eq!(
            told,
            json!({
                "event": "invocations", "done": 5, "total": 40, "sizes": sizes, "cost": 5.0 * 1.666_67e-5,
                "currency": "USD", "elapsedSeconds": 10.0, "leftSeconds": 70.0
            })
        );
        counts.pass(&json!({ "value": 1024, "invocations": 20, "totalCost": 0.5 }));
        counts.pass(&pass(128, 2));
        let told = serde_json::to_value(counts.event(true, at(1040)).unwrap()).unwrap();
        // 128 MB made 2 in 40 seconds, so its other 18 take 360.
        assert_eq!((&told["done"], &told["leftSeconds"]), (&json!(22), &json!(360.0)), "{told}");
    }

    #[test]
    fn a_size_that_was_skipped_has_nothing_to_come() {
        let mut counts = measuring();
        counts.pass(&json!({ "value": 128, "skipped": "out of memory" }));
        let told = serde_json::to_value(counts.event(true, at(1001)).unwrap()).unwrap();
        assert_eq!((&told["done"], &told["total"]), (&json!(0), &json!(20)));
        counts.over();
        assert!(counts.event(true, at(1002)).is_none());
    }
}
