//! Reading GetMetricData's input: everything that is wrong with its queries is said together, as AWS does.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::params::{Params, truth, whole};
use crate::{ApiError, Aws, Result};

use super::metrics::{EVERY_FUNCTION, now, of_function, of_resource};
use super::samples::{Kind, Statistic};

/// Queries of one call.
const MOST_QUERIES: usize = 500;
/// Points of one answer, unless fewer are asked for.
const MOST_POINTS: usize = 100_800;
const LAMBDA: &str = "AWS/Lambda";
/// Periods shorter than a minute.
const SHORT_PERIODS: [i64; 5] = [1, 5, 10, 20, 30];
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// What is asked for.
pub struct Request {
    /// In their order.
    pub queries: Vec<Query>,
    /// The first second, since the epoch.
    pub start: i64,
    /// The second after the last one.
    pub end: i64,
    /// The present second.
    pub now: i64,
    /// Whether the oldest points come first.
    pub ascending: bool,
    /// How many points the answer may have.
    pub most_points: usize,
    /// Where the answer before ended.
    pub token: Option<String>,
}

/// One metric in one statistic.
pub struct Query {
    /// What the client calls it.
    pub id: String,
    /// What is shown for it.
    pub label: String,
    /// Series and metric; none for what nobody has ever measured.
    pub metric: Option<(String, Kind)>,
    /// In seconds.
    pub period: i64,
    /// What is made of the samples.
    pub statistic: Statistic,
    /// Whether the answer has it.
    pub returned: bool,
}

impl Request {
    /// Reads the input.
    ///
    /// # Errors
    /// `ValidationError` with all that is wrong, `MissingParameter`, `InvalidParameterValue`.
    pub fn read(aws: &Aws, input: &Value) -> Result<Self> {
        let params = Params::new(input, "ValidationError");
        let now = now();
        let (start, end) = (time(params, "StartTime")?, time(params, "EndTime")?);
        if start >= end {
            return Err(params.invalid("The parameter StartTime must be less than the parameter EndTime."));
        }
        let list = params.list("MetricDataQueries")?;
        if list.is_empty() {
            return Err(missing("MetricDataQueries"));
        }
        if list.len() > MOST_QUERIES {
            return Err(params.invalid(format!(
                "The collection MetricDataQueries must not have a size greater than {MOST_QUERIES}."
            )));
        }
        let zone = params.get("LabelOptions").and_then(|options| options.get("Timezone"));
        if zone.is_some_and(|zone| zone != "+0000") {
            return Err(params.invalid("'LabelOptions' is not known to the local endpoint: leave it out"));
        }
        let scan = params.optional_text("ScanBy")?.unwrap_or("TimestampDescending");
        if !["TimestampDescending", "TimestampAscending"].contains(&scan) {
            return Err(params.invalid(format!(
                "1 validation error detected: Value '{scan}' at 'scanBy' failed to satisfy constraint: Member must satisfy \
                 enum value set: [TimestampDescending, TimestampAscending]"
            )));
        }
        let most_points = params.number("MaxDatapoints", 1..=i64::from(i32::MAX))?;
        let most_points = most_points.and_then(|n| usize::try_from(n).ok()).unwrap_or(MOST_POINTS);
        Ok(Self {
            queries: queries(aws, list).map_err(|problems| params.invalid(problems.join("\n")))?,
            start: rounded(start, now),
            end,
            now,
            ascending: scan == "TimestampAscending",
            most_points: most_points.min(MOST_POINTS),
            token: params.optional_text("NextToken")?.map(str::to_owned),
        })
    }
}

fn missing(parameter: &str) -> ApiError {
    let message = format!("The parameter {parameter} is required.");
    ApiError::new(400, "MissingParameter", message)
}

/// A second since the epoch: a number, or a text as the query protocol has it.
fn time(params: Params<'_>, name: &str) -> Result<i64> {
    let value = params.get(name).ok_or_else(|| missing(name))?;
    let text = value.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    #[expect(clippy::cast_possible_truncation, reason = "times beyond i64 saturate")]
    let number = || value.as_f64().map(|seconds| seconds.floor() as i64);
    text.map(jiff::Timestamp::as_second)
        .or_else(number)
        .ok_or_else(|| ApiError::new(400, "InvalidParameterValue", format!("{name} is no time: {value}")))
}

/// A start as CloudWatch rounds it, the coarser the longer it is ago.
fn rounded(start: i64, now: i64) -> i64 {
    let unit = match now - start {
        age if age < 15 * DAY => 60,
        age if age < 63 * DAY => 300,
        _ => HOUR,
    };
    start - start.rem_euclid(unit)
}

/// A query's parts, before its label is known.
struct Parts<'a> {
    query: Query,
    name: &'a str,
    stat: &'a str,
    label: Option<&'a str>,
}

fn queries(aws: &Aws, list: &[Value]) -> Result<Vec<Query>, Vec<String>> {
    let mut problems = Vec::new();
    let mut all = Vec::new();
    for (index, query) in list.iter().enumerate() {
        let place = format!("MetricDataQueries.member.{}", index + 1);
        match parts(aws, query, &place) {
            Ok(parts) => all.push(parts),
            Err(mut wrong) => problems.append(&mut wrong),
        }
    }
    let mut ids = BTreeSet::new();
    if !all.iter().all(|parts| ids.insert(parts.query.id.clone())) {
        problems.push("The values for parameter id in MetricDataQueries are not unique.".to_owned());
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    // A label has what tells the queries apart.
    let stats: BTreeSet<&str> = all.iter().map(|parts| parts.stat).collect();
    let periods: BTreeSet<i64> = all.iter().map(|parts| parts.query.period).collect();
    let labelled = |parts: Parts<'_>| {
        let mut label = parts.name.to_owned();
        if stats.len() > 1 {
            label += &format!(" {}", parts.stat);
        }
        if periods.len() > 1 {
            label += &format!(" {}", parts.query.period);
        }
        Query { label: parts.label.map_or(label, str::to_owned), ..parts.query }
    };
    Ok(all.into_iter().map(labelled).collect())
}

fn parts<'a>(aws: &Aws, query: &'a Value, place: &str) -> Result<Parts<'a>, Vec<String>> {
    let mut problems = Vec::new();
    let text = |value: &'a Value, name: &str| value.get(name).and_then(Value::as_str);
    let id = text(query, "Id").unwrap_or_default();
    let mut characters = id.chars();
    let begins = characters.next().is_some_and(|c| c.is_ascii_lowercase());
    if !begins || !characters.all(|c| c.is_ascii_alphanumeric() || c == '_') || id.len() > 255 {
        let pattern = "^[a-z][a-zA-Z0-9_]*$";
        problems.push(format!(
            "The value {id} for parameter {place}.Id is not matching the expected pattern {pattern}."
        ));
    }
    let stat = query.get("MetricStat").filter(|stat| !stat.is_null());
    if query.get("Expression").is_some_and(|expression| !expression.is_null()) {
        problems.push(format!(
            "{place}.Expression is not known to the local endpoint: name a metric by MetricStat"
        ));
    } else if stat.is_none() {
        problems.push(format!(
            "At least one of the parameters {place}.Expression and {place}.MetricStat must be specified."
        ));
    }
    if text(query, "AccountId").is_some_and(|account| account != aws.settings.account) {
        problems
            .push(format!("{place}.AccountId: the local endpoint shows no account's metrics to another one"));
    }
    let label = text(query, "Label");
    if label.is_some_and(|label| label.contains("${")) {
        problems.push(format!(
            "{place}.Label is not known to the local endpoint when it has ${{…}}: write a plain text"
        ));
    }
    let empty = &Value::Null;
    let stat = stat.unwrap_or(empty);
    let metric = stat.get("Metric").unwrap_or(empty);
    let statistic = Statistic::named(text(stat, "Stat").unwrap_or_default());
    let named = text(stat, "Stat").unwrap_or_default();
    let period = stat.get("Period").and_then(whole).unwrap_or_default();
    let (namespace, name) = (text(metric, "Namespace"), text(metric, "MetricName"));
    if !stat.is_null() {
        if statistic.is_none() {
            problems.push(match is_further_statistic(named) {
                true => format!("{place}.MetricStat.Stat: the local endpoint does not know {named}"),
                false => format!(
                    "The value {named} for parameter {place}.MetricStat.Stat is not a valid statistic."
                ),
            });
        }
        if period < 1 || (period % 60 != 0 && !SHORT_PERIODS.contains(&period)) {
            problems.push(format!(
                "The value {period} for parameter {place}.MetricStat.Period is not valid: it must be 1, 5, 10, 20, 30 or a \
                 multiple of 60."
            ));
        }
        for (what, value) in [("Namespace", namespace), ("MetricName", name)] {
            if value.is_none_or(str::is_empty) {
                problems.push(format!("The parameter {place}.MetricStat.Metric.{what} is required."));
            }
        }
    }
    let (Some(statistic), true) = (statistic, problems.is_empty()) else { return Err(problems) };
    let kind = name.filter(|_| namespace == Some(LAMBDA)).and_then(Kind::named);
    let unit = text(stat, "Unit");
    let kind = kind.filter(|kind| unit.is_none_or(|unit| unit == kind.unit()));
    let returned = query.get("ReturnData").is_none_or(|returned| truth(returned) != Some(false));
    let query = Query {
        id: id.to_owned(),
        label: String::new(),
        metric: series(metric).and_then(|series| Some((series, kind?))),
        period,
        statistic,
        returned,
    };
    Ok(Parts { query, name: name.unwrap_or_default(), stat: named, label })
}

/// Whether it is one of CloudWatch's statistics that are not here.
fn is_further_statistic(name: &str) -> bool {
    let begins = ["tm", "wm", "tc", "ts", "TM(", "WM(", "TC(", "TS(", "PR("];
    name == "IQM"
        || begins.iter().any(|begin| {
            name.strip_prefix(begin).is_some_and(|rest| rest.contains(|c: char| c.is_ascii_digit()))
        })
}

/// The series that a metric's dimensions name, if functions have such a one.
fn series(metric: &Value) -> Option<String> {
    let given = metric.get("Dimensions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let value = |wanted: &str| {
        let found = given.iter().find(|dimension| dimension.get("Name").is_some_and(|name| name == wanted));
        found?.get("Value")?.as_str()
    };
    match (given.len(), value("FunctionName"), value("Resource")) {
        (0, ..) => Some(EVERY_FUNCTION.to_owned()),
        (1, Some(name), _) => Some(of_function(name)),
        (2, Some(name), Some(resource)) => Some(of_resource(name, resource)),
        _ => None,
    }
}
