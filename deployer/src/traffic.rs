//! What functions did: GetMetricData, five hundred figures a call. First how often each was invoked; the rest is asked only of those
//! that were, since every figure is billed.

use std::collections::BTreeMap;

use anyhow::Context as _;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat, StatusCode};
use aws_smithy_types::DateTime;

use crate::aws::{Aws, RetryBudget};
use crate::call::Call;
use crate::events::Events;

/// What CloudWatch bills for one figure (a metric in one statistic) by GetMetricData, in USD: the list price of nearly all regions,
/// November 2026, with no free tier.
pub const REQUEST_PRICE: f64 = 0.01 / 1000.0;
/// Figures of a function that was invoked.
pub const FIGURES: usize = 1 + REST.len();

/// Figures of a call, at most.
const PER_CALL: usize = 500;
const HOUR: i64 = 3600;
const MINUTE: i64 = 60;
/// CloudWatch keeps minutes for 15 days.
const MINUTES_KEPT: i64 = 14 * 24 * HOUR;

/// What is asked of a function that was invoked: metric and statistic.
const REST: [(&str, &str); 4] = [ERRORS, AVERAGE, P95, P99];
const INVOCATIONS: (&str, &str) = ("Invocations", "Sum");
const ERRORS: (&str, &str) = ("Errors", "Sum");
const AVERAGE: (&str, &str) = ("Duration", "Average");
const P95: (&str, &str) = ("Duration", "p95");
const P99: (&str, &str) = ("Duration", "p99");

/// The time that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// In days, as it was asked for; 0 of one that was not asked for in days.
    pub days: u32,
    /// Seconds since the epoch.
    pub start: i64,
    /// The second after the last one.
    pub end: i64,
}

impl Window {
    /// The last days until now, from a whole hour on: CloudWatch is quicker then.
    #[must_use]
    pub fn last(days: u32) -> Self {
        Self::until(days, jiff::Timestamp::now().as_second())
    }

    fn until(days: u32, now: i64) -> Self {
        let start = now - i64::from(days) * 24 * HOUR;
        // What begins in the present minute counts.
        Self { days, start: start - start.rem_euclid(HOUR), end: now - now.rem_euclid(60) + 60 }
    }

    /// From one second to another, as whole minutes; of a time that is over for more than two weeks whole hours, all that CloudWatch keeps.
    #[must_use]
    pub fn between(start: i64, end: i64, now: i64) -> Self {
        let step = if now - start > MINUTES_KEPT { HOUR } else { MINUTE };
        Self { days: 0, start: start - start.rem_euclid(step), end: end - end.rem_euclid(step) }
    }

    /// One period that has all of it, so that a percentile is one of all invocations.
    fn period(self) -> i32 {
        let step = if self.start.rem_euclid(HOUR) == 0 { HOUR } else { MINUTE };
        let steps = (self.end - self.start + step - 1) / step;
        i32::try_from(steps * step).unwrap_or(i32::MAX)
    }

    /// What is counted in it, as of a month of 30 days.
    #[must_use]
    pub fn per_month(self, count: f64) -> f64 {
        count / (self.end - self.start) as f64 * (30 * 24 * HOUR) as f64
    }
}

/// What a function did.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Measured {
    /// Invocations that ran.
    pub invocations: f64,
    /// Those of them that failed.
    pub errors: f64,
    /// Average duration in milliseconds.
    pub average_ms: f64,
    /// Its 95th percentile.
    pub p95_ms: f64,
    /// Its 99th percentile.
    pub p99_ms: f64,
}

/// The points of a figure by their second.
type Points = BTreeMap<i64, f64>;

/// What functions of a region did, in their order, and how many figures were asked for.
///
/// # Errors
/// A call that failed: `cloudwatch:GetMetricData`. Figures that CloudWatch does not give.
pub async fn measure(
    aws: &Aws,
    events: &Events,
    region: &str,
    names: &[&str],
    window: Window,
) -> anyhow::Result<(Vec<Measured>, usize)> {
    let client = aws.cloudwatch_in(region);
    let ask = async |wanted: &[(usize, (&str, &str))]| {
        let mut retries = RetryBudget::new(aws.poll_interval(), events);
        let answered = get(&client, &mut retries, names, window, wanted).await;
        answered.with_context(|| format!("asking CloudWatch in {region} what functions did"))
    };
    let first: Vec<(usize, (&str, &str))> = (0..names.len()).map(|index| (index, INVOCATIONS)).collect();
    let invocations = ask(&first).await?;
    let sum = |points: &Points| points.values().sum::<f64>();
    let invoked = (0..names.len()).filter(|index| sum(&invocations[*index]) > 0.0);
    let rest: Vec<(usize, (&str, &str))> =
        invoked.flat_map(|index| REST.map(|figure| (index, figure))).collect();
    let answers = ask(&rest).await?;
    let mut measured: Vec<Measured> = invocations
        .iter()
        .map(|points| Measured { invocations: sum(points), ..Measured::default() })
        .collect();
    for ((index, figure), points) in rest.iter().zip(&answers) {
        let one = &mut measured[*index];
        let most = || points.values().copied().fold(0.0, f64::max);
        match *figure {
            ERRORS => one.errors = sum(points),
            AVERAGE => one.average_ms = weighted(points, &invocations[*index]),
            P95 => one.p95_ms = most(),
            _ => one.p99_ms = most(),
        }
    }
    Ok((measured, first.len() + rest.len()))
}

/// The mean of averages, each counting as often as there were invocations. There is one as a rule.
fn weighted(averages: &Points, invocations: &Points) -> f64 {
    let weight = |time: &i64| invocations.get(time).copied().unwrap_or_default();
    let whole: f64 = averages.keys().map(weight).sum();
    let sum: f64 = averages.iter().map(|(time, average)| average * weight(time)).sum();
    if whole > 0.0 { sum / whole } else { 0.0 }
}

/// The points of figures: of which function, and what of it.
async fn get(
    client: &Client,
    retries: &mut RetryBudget<'_>,
    names: &[&str],
    window: Window,
    wanted: &[(usize, (&str, &str))],
) -> anyhow::Result<Vec<Points>> {
    let mut all = vec![Points::new(); wanted.len()];
    for (chunk, figures) in wanted.chunks(PER_CALL).enumerate() {
        let queries: Vec<MetricDataQuery> = figures
            .iter()
            .enumerate()
            .map(|(index, (function, figure))| query(index, names[*function], *figure, window))
            .collect();
        let mut token: Option<String> = None;
        loop {
            let call = client
                .get_metric_data()
                .set_metric_data_queries(Some(queries.clone()))
                .start_time(DateTime::from_secs(window.start))
                .end_time(DateTime::from_secs(window.end))
                .set_next_token(token.clone());
            let answer = retries.spend(call.send().await.called("cloudwatch:GetMetricData")).await?;
            let Some(answer) = answer else { continue };
            for result in answer.metric_data_results() {
                let index = result.id().and_then(|id| id.strip_prefix('q')?.parse::<usize>().ok());
                let Some(points) = index.and_then(|index| all.get_mut(chunk * PER_CALL + index)) else {
                    continue;
                };
                if let Some(code @ (StatusCode::InternalError | StatusCode::Forbidden)) = result.status_code()
                {
                    let label = result.label().unwrap_or_default();
                    anyhow::bail!("CloudWatch answered {} for {label}; try again later", code.as_str());
                }
                points.extend(
                    result.timestamps().iter().map(DateTime::secs).zip(result.values().iter().copied()),
                );
            }
            token = answer.next_token().map(str::to_owned);
            if token.is_none() {
                break;
            }
        }
    }
    Ok(all)
}

fn query(index: usize, function: &str, (metric, statistic): (&str, &str), window: Window) -> MetricDataQuery {
    let dimension = Dimension::builder().name("FunctionName").value(function).build();
    let metric = Metric::builder().namespace("AWS/Lambda").metric_name(metric).dimensions(dimension).build();
    let stat = MetricStat::builder().metric(metric).period(window.period()).stat(statistic).build();
    MetricDataQuery::builder().id(format!("q{index}")).metric_stat(stat).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_begins_on_the_hour_and_is_one_period() {
        let now = 1_767_270_896;
        let window = Window::until(14, now);
        assert_eq!(window.start % HOUR, 0);
        let (past, present) = (now - 14 * 24 * HOUR - window.start, window.end - now);
        assert!((0..HOUR).contains(&past) && (1..=60).contains(&present), "{window:?}");
        assert!(i64::from(window.period()) >= window.end - window.start);
        assert_eq!(i64::from(window.period()) % HOUR, 0);
        let month = Window { days: 15, start: 0, end: 15 * 24 * HOUR };
        assert!((month.per_month(10.0) - 20.0).abs() < 1e-12);
    }

    #[test]
    fn a_time_between_two_changes_is_one_period_of_minutes_or_hours() {
        let now = 1_767_270_896;
        let lately = Window::between(now - 1000, now, now);
        assert_eq!((lately.start % MINUTE, lately.end % MINUTE, lately.period() % 60), (0, 0, 0));
        assert!(
            i64::from(lately.period()) >= lately.end - lately.start && lately.period() < 1200,
            "{lately:?}"
        );
        let long_ago = Window::between(now - 20 * 24 * HOUR, now - 10 * 24 * HOUR, now);
        assert_eq!((long_ago.start % HOUR, long_ago.end % HOUR), (0, 0));
        assert_eq!(i64::from(long_ago.period()) % HOUR, 0);
    }

    #[test]
    fn averages_of_several_periods_count_by_their_invocations() {
        let averages = Points::from([(0, 10.0), (60, 40.0)]);
        let invocations = Points::from([(0, 2.0), (60, 1.0), (120, 5.0)]);
        assert!((weighted(&averages, &invocations) - 20.0).abs() < 1e-12);
        assert!(weighted(&Points::new(), &invocations).abs() < 1e-12);
    }
}
