//! `apply RESULT --verify`: what functions did since a result was applied, against what they did before.
//!
//! A function became worse when more of its invocations fail, beyond doubt, or when its 95th percentile is further up than the run had
//! measured for the new size. CloudWatch tells both; nothing of it has to be kept by us but the time.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::Serialize;
use tuning::figures;
use tuning::output::{Analysis, Stat};

use super::undo::{self, Changed, Record, Undone};
use crate::aws::Aws;
use crate::context::Context;
use crate::failure::Usage;
use crate::outcome::{Outcome, Status};
use crate::render::table::{self, Column, Place};
use crate::traffic::{self, Measured, REQUEST_PRICE, Window};

/// Fewer invocations on one side say nothing of errors.
const ENOUGH: f64 = 20.0;
/// And fewer than these nothing of a 95th percentile: it is the sixth of the slowest then.
const ENOUGH_FOR_P95: f64 = 100.0;
/// How much further up than expected the 95th percentile may be: from day to day it differs by some per cent.
const SLACK: f64 = 1.1;
/// By which share of all invocations failures have to be more.
const MORE_ERRORS: f64 = 0.001;
/// And by how many standard errors: one of a thousand functions by chance.
const BEYOND_DOUBT: f64 = 3.0;
const DAY: i64 = 24 * 3600;
/// How far back is looked at most.
const LONGEST: i64 = 14 * DAY;

/// By which factor the 95th percentile of a function changes with the size of a result, as it was measured: that of the averages where it
/// has no figures of each size.
#[must_use]
pub fn expected(analysis: &Analysis, before: u32) -> Option<f64> {
    let p95 = |size: u32| {
        let measured = analysis.stats.iter().flatten().filter_map(Stat::as_measured);
        let spread = measured.into_iter().find(|measured| measured.value == size)?.spread.as_ref()?;
        Some(spread.p95)
    };
    let averages = || Some((analysis.duration, analysis.baseline.as_ref()?.duration?));
    let (after, before) = p95(analysis.power).zip(p95(before)).or_else(averages)?;
    (before > 0.0).then_some(after / before)
}

/// What became of functions.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Verified {
    functions: Vec<Row>,
    /// What was put back.
    #[serde(skip_serializing_if = "Option::is_none")]
    undone: Option<Undone>,
    /// How to put back what became worse.
    #[serde(skip)]
    take_back: Option<String>,
}

/// How a function does since then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Verdict {
    Fine,
    Worse,
    /// There were too few invocations, or nobody knows when it was applied.
    Unknown,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    function: String,
    /// Its memory size before, in MB.
    was: u32,
    /// Since then.
    memory_size: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    applied_at: Option<String>,
    before: Figures,
    since: Figures,
    /// What the 95th percentile should be at most, going by what was measured.
    #[serde(rename = "expectedP95Ms", skip_serializing_if = "Option::is_none")]
    expected_p95_ms: Option<f64>,
    verdict: Verdict,
    /// In words.
    why: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Figures {
    invocations: f64,
    errors: f64,
    average_ms: f64,
    p95_ms: f64,
}

impl From<Measured> for Figures {
    fn from(measured: Measured) -> Self {
        let Measured { invocations, errors, average_ms, p95_ms, .. } = measured;
        Self { invocations, errors, average_ms, p95_ms }
    }
}

impl Figures {
    fn error_rate(&self) -> f64 {
        if self.invocations > 0.0 { self.errors / self.invocations } else { 0.0 }
    }

    fn errors(&self) -> String {
        format!("{} %", figures::trimmed(self.error_rate() * 100.0, 2))
    }
}

/// Whether a function became worse, and the words for it.
fn judged(before: &Figures, since: &Figures, expected_p95: f64) -> (Verdict, String) {
    for (figures, when) in [(before, "before"), (since, "since then")] {
        if figures.invocations < ENOUGH {
            let count = figures::fixed(figures.invocations, 0);
            return (Verdict::Unknown, format!("{count} invocations {when} are too few to tell"));
        }
    }
    let (was, is) = (before.error_rate(), since.error_rate());
    let whole = (before.errors + since.errors) / (before.invocations + since.invocations);
    let deviation = (whole * (1.0 - whole) * (1.0 / before.invocations + 1.0 / since.invocations)).sqrt();
    if is - was > MORE_ERRORS.max(BEYOND_DOUBT * deviation) {
        return (
            Verdict::Worse,
            format!("{} of its invocations fail, {} before", since.errors(), before.errors()),
        );
    }
    let fewest = before.invocations.min(since.invocations);
    if fewest < ENOUGH_FOR_P95 {
        let fewest = figures::fixed(fewest, 0);
        return (Verdict::Unknown, format!("no more errors; {fewest} invocations are too few for a p95"));
    }
    if since.p95_ms > expected_p95 * SLACK {
        let (is, was) = (figures::duration(since.p95_ms), figures::duration(before.p95_ms));
        let expected = figures::duration(expected_p95);
        return (
            Verdict::Worse,
            format!("its p95 is {is}, {was} before, and {expected} were to be expected"),
        );
    }
    (Verdict::Fine, String::new())
}

impl Row {
    fn new(changed: &Changed, measured: Option<(Figures, Figures)>) -> Self {
        let (before, since) = measured.unwrap_or_default();
        let expected = before.p95_ms * changed.expected_change.unwrap_or(1.0);
        let (verdict, why) = match measured {
            Some(_) => judged(&before, &since, expected),
            None => (Verdict::Unknown, "the file does not say when it was applied".to_owned()),
        };
        Self {
            function: changed.name(),
            was: changed.was,
            memory_size: changed.memory_size,
            applied_at: changed.applied_at.map(|time| time.to_string()),
            before,
            since,
            expected_p95_ms: (before.p95_ms > 0.0).then_some(expected),
            verdict,
            why,
        }
    }
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = || self.functions.iter();
        let count = |count: f64| figures::fixed(count, 0);
        let ms = |figures: &Figures| {
            if figures.invocations > 0.0 { figures::duration(figures.p95_ms) } else { String::new() }
        };
        let columns = vec![
            Column::words("function", 0, rows().map(|row| row.function.clone())),
            Column::figures("was", 0, rows().map(|row| format!("{} MB", row.was))),
            Column::figures("is", 0, rows().map(|row| format!("{} MB", row.memory_size))),
            Column::figures("invocations before", 2, rows().map(|row| count(row.before.invocations))),
            Column::figures("since", 2, rows().map(|row| count(row.since.invocations))),
            Column::figures("errors before", 1, rows().map(|row| row.before.errors())),
            Column::figures("since", 1, rows().map(|row| row.since.errors())),
            Column::figures("p95 before", 0, rows().map(|row| ms(&row.before))),
            Column::figures(
                "expected",
                3,
                rows().map(|row| row.expected_p95_ms.map(figures::duration).unwrap_or_default()),
            ),
            Column::figures("since", 0, rows().map(|row| ms(&row.since))),
            Column::words(
                "",
                0,
                rows().map(|row| match row.verdict {
                    Verdict::Fine => "as expected".to_owned(),
                    Verdict::Worse => format!("worse: {}", row.why),
                    Verdict::Unknown => row.why.clone(),
                }),
            ),
        ];
        f.write_str(&table::fitted(columns, Place::stdout()))?;
        if let Some(undone) = &self.undone {
            write!(f, "\n\n{undone}")?;
        }
        match &self.take_back {
            Some(command) => write!(f, "\n\nTo put back what became worse: {command}"),
            None => Ok(()),
        }
    }
}

/// Compares, and puts back what became worse if that is agreed to.
///
/// # Errors
/// [`Usage`]: nothing was applied. Calls that failed.
pub async fn run(result: &Path, context: &Context) -> anyhow::Result<Outcome> {
    let file = undo::file(result);
    let record = Record::read(&file)?;
    let aws = context.aws().await?;
    let measured = measure(&record, aws, context).await?;
    let functions: Vec<Row> = record
        .changes()
        .iter()
        .map(|changed| Row::new(changed, measured.get(&changed.lambda_arn).copied()))
        .collect();
    let worse: Vec<String> = functions
        .iter()
        .filter(|row| row.verdict == Verdict::Worse)
        .map(|row| row.function.clone())
        .collect();
    for row in functions.iter().filter(|row| row.verdict == Verdict::Worse) {
        context.events.warning(format!("{} became worse: {}", row.function, row.why));
    }
    let mut verified = Verified { functions, undone: None, take_back: None };
    if worse.is_empty() {
        return Ok(Outcome::new(&verified)?.folded(false));
    }
    if context.can_confirm().is_err() {
        let file = crate::settings::quoted(&result.to_string_lossy());
        verified.take_back = Some(aws.command(&format!("apply {file} --verify --yes")));
        return Ok(Outcome::new(&verified)?.with_status(Status::GateNotMet));
    }
    let is_worse = |changed: &Changed| worse.contains(&changed.name());
    verified.undone =
        Some(undo::take_back(&file, record, is_worse, "Put back what became worse?", context).await?);
    Outcome::new(&verified)
}

/// What each function did before and since, by its ARN; nothing of those of which nobody knows when it was applied.
async fn measure(
    record: &Record,
    aws: &Aws,
    context: &Context,
) -> anyhow::Result<BTreeMap<String, (Figures, Figures)>> {
    let now = jiff::Timestamp::now().as_second();
    let mut by_time: BTreeMap<i64, Vec<&Changed>> = BTreeMap::new();
    for changed in record.changes() {
        crate::execution::same_region(&changed.lambda_arn, aws)?;
        if let Some(time) = changed.applied_at {
            // Those of one `apply` are a few seconds apart: they have one time, so that one call asks for all.
            let minute = time.as_second() - time.as_second().rem_euclid(60);
            by_time.entry(minute).or_default().push(changed);
        }
    }
    if by_time.is_empty() && !record.changes().is_empty() {
        return Err(Usage("the file beside the result does not say when it was applied: an earlier version of this program has written it".into()).into());
    }
    context.events.started("asking CloudWatch what they did before and since");
    let region = aws.place().region.clone();
    let mut found = BTreeMap::new();
    let mut requested = 0;
    for (applied, changes) in by_time {
        let names: Vec<String> = changes.iter().map(|changed| changed.name()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let length = (now - applied).clamp(DAY, LONGEST);
        let windows =
            [Window::between(applied - length, applied, now), Window::between(applied, now + 60, now)];
        let mut sides = Vec::new();
        for window in windows {
            let (measured, count) = traffic::measure(aws, &context.events, &region, &names, window).await?;
            requested += count;
            sides.push(measured);
        }
        let pairs = sides[0].iter().zip(&sides[1]);
        let pairs = pairs.map(|(before, since)| (Figures::from(*before), Figures::from(*since)));
        found.extend(changes.iter().map(|changed| changed.lambda_arn.clone()).zip(pairs));
    }
    let cost = figures::money(requested as f64 * REQUEST_PRICE, "$");
    context
        .events
        .finished(format!("CloudWatch told {} figures ({cost})", figures::fixed(requested as f64, 0)));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(invocations: f64, errors: f64, p95_ms: f64) -> Figures {
        Figures { invocations, errors, average_ms: p95_ms, p95_ms }
    }

    #[test]
    fn worse_is_what_fails_more_or_is_slower_than_it_was_measured() {
        let before = figures(1000.0, 1.0, 100.0);
        let verdict = |since: Figures, expected: f64| judged(&before, &since, expected);
        assert_eq!(verdict(figures(1000.0, 2.0, 109.0), 100.0).0, Verdict::Fine);
        assert_eq!(
            verdict(figures(1000.0, 30.0, 100.0), 100.0),
            (Verdict::Worse, "3 % of its invocations fail, 0.1 % before".to_owned())
        );
        // Where one of a thousand failed, three of twenty are no chance.
        assert_eq!(verdict(figures(20.0, 3.0, 100.0), 100.0).0, Verdict::Worse);
        assert_eq!(verdict(figures(200.0, 1.0, 100.0), 100.0).0, Verdict::Fine);
        assert_eq!(
            verdict(figures(50.0, 0.0, 900.0), 100.0),
            (Verdict::Unknown, "no more errors; 50 invocations are too few for a p95".to_owned())
        );
        assert_eq!(
            verdict(figures(1000.0, 1.0, 150.0), 120.0),
            (Verdict::Worse, "its p95 is 150 ms, 100 ms before, and 120 ms were to be expected".to_owned())
        );
        // It was measured to become slower.
        assert_eq!(verdict(figures(1000.0, 1.0, 150.0), 145.0).0, Verdict::Fine);
        assert_eq!(
            verdict(figures(3.0, 3.0, 900.0), 100.0),
            (Verdict::Unknown, "3 invocations since then are too few to tell".to_owned())
        );
    }
}
