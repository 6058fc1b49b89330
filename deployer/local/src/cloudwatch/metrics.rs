//! What invocations came to, minute by minute, and later by five minutes and by hours, as CloudWatch keeps it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Aws;
use crate::lambda::Report;
use crate::store::Store;

use super::samples::Durations;

/// Spans of a series, by series and first second.
const SPANS: &str = "metric-span";
/// All functions together.
pub const EVERY_FUNCTION: &str = "*";
/// How often what came in is written down: a kill loses no more.
const WRITTEN_EACH: Duration = Duration::from_secs(1);
/// How often old spans are put together, in that measure.
const AGED_EACH: u32 = 3600;
/// Spans that are kept, at most: some 30 MB. The oldest go first.
const MOST_SPANS: usize = 100_000;

const MINUTE: i64 = 60;
const DAY: i64 = 24 * 3600;
/// Seconds that a span covers, and the age in seconds at which it is put together with others.
const KEPT: [(i64, i64); 3] = [(MINUTE, 15 * DAY), (5 * MINUTE, 63 * DAY), (60 * MINUTE, 455 * DAY)];

/// What the invocations that began within a span of time came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Count {
    /// Invocations that ran.
    pub invocations: u64,
    /// Those of them that failed.
    pub errors: u64,
    /// Invocations that were not let in.
    pub throttles: u64,
    /// In milliseconds, of those that ran.
    pub durations: Durations,
}

impl Count {
    fn take(&mut self, other: &Self) {
        self.invocations += other.invocations;
        self.errors += other.errors;
        self.throttles += other.throttles;
        self.durations.take(&other.durations);
    }
}

/// A span of time of a series.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Span {
    /// Its first second, since the epoch.
    pub start: i64,
    /// Its length in seconds: a minute, five, or an hour.
    pub seconds: i64,
    /// What happened within.
    pub count: Count,
}

impl Span {
    /// The age in seconds up to which it is told in periods of this length: coarser ones are told for longer.
    pub fn finest(&self, period: i64) -> i64 {
        if period % MINUTE != 0 {
            return 3 * 3600;
        }
        let told = KEPT.iter().filter(|(seconds, _)| period % seconds == 0).map(|(_, age)| *age).max();
        if period % self.seconds == 0 { told.unwrap_or_default() } else { 0 }
    }
}

/// The metrics of an account.
#[derive(Default)]
pub struct Metrics {
    /// What is not written down yet, by series and minute.
    fresh: Mutex<BTreeMap<(String, i64), Count>>,
}

impl Metrics {
    /// Takes note of an invocation that ran, by the ARN it was invoked with.
    pub(crate) fn invoked(&self, arn: &str, report: &Report, failed: bool) {
        // What the report shows, to which the metric is held.
        let ms = (report.duration_ms * 100.0).round() / 100.0;
        let took = Duration::try_from_secs_f64((ms + report.init_ms.unwrap_or_default()) / 1000.0);
        let took = i64::try_from(took.unwrap_or_default().as_secs()).unwrap_or_default();
        let count =
            Count { invocations: 1, errors: u64::from(failed), throttles: 0, durations: Durations::of(ms) };
        self.add(arn, now() - took, &count);
    }

    /// Takes note of an invocation that was not let in, by the ARN it was invoked with.
    pub(crate) fn throttled(&self, arn: &str) {
        self.add(arn, now(), &Count { throttles: 1, ..Count::default() });
    }

    /// Takes note of what began in a second since the epoch.
    pub(super) fn add(&self, arn: &str, second: i64, count: &Count) {
        let resource = arn.split_once(":function:").map_or(arn, |(_, resource)| resource);
        let name = resource.split(':').next().unwrap_or(resource);
        let start = second - second.rem_euclid(MINUTE);
        let mut fresh = self.lock();
        for series in [EVERY_FUNCTION.to_owned(), of_function(name), of_resource(name, resource)] {
            fresh.entry((series, start)).or_default().take(count);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, i64), Count>> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down what came in.
    pub(crate) fn write(&self, store: &Store) {
        let mut fresh = self.lock();
        if fresh.is_empty() {
            return;
        }
        store.transaction_soon(|records| {
            for ((series, start), count) in fresh.iter() {
                let id = id(series, *start);
                let empty = || Span { start: *start, seconds: MINUTE, count: Count::default() };
                let mut span: Span = records.get(SPANS, &id).unwrap_or_else(empty);
                span.count.take(count);
                records.put(SPANS, &id, &span);
            }
        });
        fresh.clear();
    }

    /// The spans of a series that begin within these seconds, the last one excluded.
    pub(super) fn of_series(store: &Store, series: &str, start: i64, end: i64) -> Vec<Span> {
        let before = id(series, start - 1);
        let spans = store.range::<Span>(SPANS, &format!("{series}/"), Some(&before), usize::MAX);
        spans.into_iter().map(|(_, span)| span).take_while(|span| span.start < end).collect()
    }

    /// Writes down what comes in and puts old spans together, as long as the account is there.
    pub(super) fn start(aws: &Arc<Aws>) {
        age(&aws.store, now(), MOST_SPANS);
        let aws = Arc::downgrade(aws);
        tokio::spawn(async move {
            for second in 1_u32.. {
                tokio::time::sleep(WRITTEN_EACH).await;
                let Some(aws) = aws.upgrade() else { return };
                aws.metrics.write(&aws.store);
                if second % AGED_EACH == 0 {
                    age(&aws.store, now(), MOST_SPANS);
                }
            }
        });
    }
}

/// The series of a function.
pub fn of_function(name: &str) -> String {
    name.to_owned()
}

/// The series of a function as it was invoked: by its name, a version or an alias.
pub fn of_resource(name: &str, resource: &str) -> String {
    format!("{name}|{resource}")
}

fn id(series: &str, start: i64) -> String {
    format!("{series}/{start:012}")
}

/// Seconds since the epoch.
pub fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// Puts spans together that are old enough for that, and drops what is too old or too much.
pub(super) fn age(store: &Store, now: i64, most: usize) {
    let spans: Vec<(String, Span)> = store.list(SPANS);
    let mut newest_first: Vec<i64> = spans.iter().map(|(_, span)| span.start).collect();
    newest_first.sort_unstable_by(|one, other| other.cmp(one));
    let oldest = newest_first.get(most).map_or(i64::MIN, |start| start + 1);
    let aged = |span: &Span| {
        let age = now - span.start;
        let kept = KEPT.iter().find(|(_, until)| age < *until).map(|(seconds, _)| *seconds);
        kept.filter(|_| span.start >= oldest)
    };
    let changed: Vec<&(String, Span)> =
        spans.iter().filter(|(_, span)| aged(span).is_none_or(|seconds| seconds > span.seconds)).collect();
    if changed.is_empty() {
        return;
    }
    store.transaction(|records| {
        for (old, span) in changed {
            records.delete(SPANS, old);
            let (Some(seconds), Some((series, _))) = (aged(span), old.rsplit_once('/')) else { continue };
            let start = span.start - span.start.rem_euclid(seconds);
            let id = id(series, start);
            let empty = || Span { start, seconds, count: Count::default() };
            let mut whole: Span = records.get(SPANS, &id).unwrap_or_else(empty);
            whole.seconds = whole.seconds.max(seconds);
            whole.count.take(&span.count);
            records.put(SPANS, &id, &whole);
        }
    });
}
