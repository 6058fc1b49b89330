//! CloudWatch, as far as it tells what functions did: GetMetricData on the metrics of Lambda.
//!
//! [`metrics`] keeps what each minute's invocations came to, [`samples`] makes statistics of it, [`request`] reads and checks what is
//! asked for.

mod metrics;
mod request;
mod samples;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

pub use metrics::Metrics;

use crate::api::{Entry, JSON_1_0, Protocol};
use crate::{ApiError, Aws, Caller, Result, Service};
use metrics::Span;
use request::{Query, Request};

const NAMESPACE: &str = "http://monitoring.amazonaws.com/doc/2010-08-01/";
const TARGET: &str = "GraniteServiceVersion20100801.";
const PATH: &str = "/service/GraniteServiceVersion20100801/operation/";
/// The member of answers that holds times.
const TIMES: &str = "Timestamps";

pub(crate) static ENTRY: Entry = Entry {
    actions: "cloudwatch",
    others: &[Protocol::Cbor(PATH, &[TIMES]), Protocol::Json(TARGET, JSON_1_0)],
    start: |aws| Box::pin(async move { Metrics::start(aws) }),
    stop: |aws| Box::pin(async move { aws.metrics.write(&aws.store) }),
    ..Entry::new(
        Service::CloudWatch,
        "monitoring",
        Protocol::Query(NAMESPACE),
        |aws, caller, operation, input| Box::pin(async move { call(aws, caller, operation, &input) }),
    )
};

/// Performs an operation.
///
/// # Errors
/// What AWS would answer.
pub fn call(aws: &Arc<Aws>, caller: &Caller, operation: &str, input: &Value) -> Result<Value> {
    match operation {
        "GetMetricData" => {
            aws.iam.authorize(aws, caller, "cloudwatch:GetMetricData", "*")?;
            get_metric_data(aws, &Request::read(aws, input)?)
        }
        _ => Err(Service::CloudWatch.unknown(operation)),
    }
}

/// An answer as XML has it: times are texts there.
pub(crate) fn times_as_text(mut answer: Value) -> Value {
    let results = answer.get_mut("MetricDataResults").and_then(Value::as_array_mut);
    for result in results.into_iter().flatten() {
        for time in result.get_mut(TIMES).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(text) = time.as_i64().and_then(|s| jiff::Timestamp::from_second(s).ok()) {
                *time = text.to_string().into();
            }
        }
    }
    answer
}

/// How far an earlier answer has come: queries that are done, and points of the next one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Progress {
    queries: usize,
    points: usize,
}

impl Progress {
    fn token(self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}.{}", self.queries, self.points))
    }

    fn read(token: &str) -> Result<Self> {
        let read = || {
            let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
            let (queries, points) = text.split_once('.')?;
            Some(Self { queries: queries.parse().ok()?, points: points.parse().ok()? })
        };
        let invalid = || ApiError::new(400, "InvalidNextToken", "The next token specified is invalid.");
        read().ok_or_else(invalid)
    }
}

fn get_metric_data(aws: &Aws, request: &Request) -> Result<Value> {
    aws.metrics.write(&aws.store);
    let before = request.token.as_deref().map(Progress::read).transpose()?.unwrap_or_default();
    let mut room = request.most_points;
    let mut next = None;
    let mut kept: BTreeMap<String, Vec<Span>> = BTreeMap::new();
    let mut results = Vec::new();
    for (index, query) in request.queries.iter().enumerate().filter(|(_, query)| query.returned) {
        let mut points = match index < before.queries {
            true => Vec::new(),
            false => points(aws, request, query, &mut kept),
        };
        if !request.ascending {
            points.reverse();
        }
        let skipped = if index == before.queries { before.points.min(points.len()) } else { 0 };
        let left = points.len() - skipped;
        let shown = left.min(room);
        room -= shown;
        if shown < left && next.is_none() {
            next = Some(Progress { queries: index, points: skipped + shown });
        }
        let shown = &points[skipped..skipped + shown];
        results.push(json!({
            "Id": query.id,
            "Label": query.label,
            TIMES: shown.iter().map(|(time, _)| *time).collect::<Vec<_>>(),
            "Values": shown.iter().map(|(_, value)| *value).collect::<Vec<_>>(),
            "StatusCode": if shown.len() < left { "PartialData" } else { "Complete" },
        }));
    }
    let mut answer = json!({"MetricDataResults": results, "Messages": []});
    if let Some(next) = next {
        answer["NextToken"] = next.token().into();
    }
    Ok(answer)
}

/// The values of a query by the second at which their periods begin, the oldest first.
fn points(
    aws: &Aws,
    request: &Request,
    query: &Query,
    kept: &mut BTreeMap<String, Vec<Span>>,
) -> Vec<(i64, f64)> {
    let Some((series, kind)) = &query.metric else { return Vec::new() };
    let spans = kept
        .entry(series.clone())
        .or_insert_with(|| Metrics::of_series(&aws.store, series, request.start, request.end));
    let mut periods: BTreeMap<i64, samples::Samples> = BTreeMap::new();
    for span in spans.iter().filter(|span| request.now - span.start < span.finest(query.period)) {
        let number = (span.start - request.start) / query.period;
        let begins = request.start + number * query.period;
        periods.entry(begins).or_default().add(&span.count, *kind);
    }
    let value =
        |(begins, samples): (i64, samples::Samples)| Some((begins, samples.statistic(query.statistic)?));
    periods.into_iter().filter_map(value).collect()
}
