use std::sync::Arc;

use serde_json::{Value, json};

use super::metrics::{Count, age, now};
use super::samples::Durations;
use super::*;
use crate::testing::Local;

const DAY: i64 = 24 * 3600;

fn count(errors: u64, ms: f64) -> Count {
    Count { invocations: 1, errors, throttles: 0, durations: Durations::of(ms) }
}

fn ran(aws: &Aws, resource: &str, second: i64, errors: u64, ms: f64) {
    let arn = format!("arn:aws:lambda:us-east-1:000000000000:function:{resource}");
    aws.metrics.add(&arn, second, &count(errors, ms));
}

/// A query, `dimensions` as `Name=Value`.
fn query(id: &str, name: &str, stat: &str, period: i64, dimensions: &[&str]) -> Value {
    let dimensions: Vec<Value> = dimensions
        .iter()
        .map(|text| {
            let (name, value) = text.split_once('=').unwrap();
            json!({"Name": name, "Value": value})
        })
        .collect();
    json!({"Id": id, "MetricStat": {
        "Metric": {"Namespace": "AWS/Lambda", "MetricName": name, "Dimensions": dimensions}, "Period": period, "Stat": stat}})
}

fn get(aws: &Arc<Aws>, input: Value) -> Result<Value> {
    call(aws, &Caller::Owner, "GetMetricData", &input)
}

/// The values of one query over these seconds.
fn values(aws: &Arc<Aws>, start: i64, end: i64, query: Value) -> Value {
    let input = json!({"StartTime": start, "EndTime": end, "MetricDataQueries": [query]});
    get(aws, input).unwrap()["MetricDataResults"][0]["Values"].clone()
}

/// The last whole hour but one: what happens in it is over.
fn hour() -> i64 {
    let now = now();
    now - now.rem_euclid(3600) - 3600
}

#[test]
fn statistics_are_those_of_what_ran() {
    let local = Local::new();
    let start = hour();
    for (number, ms) in [10.0, 20.0, 30.0, 40.0].into_iter().enumerate() {
        ran(&local, "f", start + 60 * number as i64, u64::from(number == 0), ms);
    }
    let one = |name: &str, stat: &str| {
        values(&local, start, start + 3600, query("q", name, stat, 3600, &["FunctionName=f"]))
    };
    for (name, stat, value) in [
        ("Invocations", "Sum", 4.0),
        ("Errors", "Sum", 1.0),
        ("Errors", "SampleCount", 4.0),
        ("Errors", "Average", 0.25),
        ("Errors", "Minimum", 0.0),
        ("Errors", "Maximum", 1.0),
        ("Throttles", "Sum", 0.0),
        ("Duration", "SampleCount", 4.0),
        ("Duration", "Sum", 100.0),
        ("Duration", "Average", 25.0),
        ("Duration", "Minimum", 10.0),
        ("Duration", "Maximum", 40.0),
        ("Duration", "p100", 40.0),
        ("Duration", "p0", 10.0),
    ] {
        assert_eq!(one(name, stat), json!([value]), "{name} {stat}");
    }
    let each = query("q", "Duration", "Sum", 60, &["FunctionName=f"]);
    let input = json!({"StartTime": start, "EndTime": start + 180, "ScanBy": "TimestampAscending", "MetricDataQueries": [each]});
    let answer = get(&local, input).unwrap();
    let expected = json!({"MetricDataResults": [{"Id": "q", "Label": "Duration", "Timestamps": [start, start + 60, start + 120],
        "Values": [10.0, 20.0, 30.0], "StatusCode": "Complete"}], "Messages": []});
    assert_eq!(answer, expected);
}

#[test]
fn percentiles_are_within_a_hundredth() {
    let local = Local::new();
    let start = hour();
    for ms in 1..=1000 {
        ran(&local, "f", start, 0, f64::from(ms));
    }
    for (stat, exact) in [("p50", 500.0), ("p95", 950.0), ("p99", 990.0), ("p99.9", 999.0)] {
        let found = values(&local, start, start + 60, query("q", "Duration", stat, 60, &["FunctionName=f"]));
        let found = found[0].as_f64().unwrap();
        assert!((found / exact - 1.0).abs() < 0.01, "{stat} is {found}");
    }
}

#[test]
fn dimensions_are_the_function_how_it_was_invoked_or_none() {
    let local = Local::new();
    let start = hour();
    for (resource, times) in [("f", 1), ("f:live", 2), ("f:3", 3), ("g", 4)] {
        (0..times).for_each(|_| ran(&local, resource, start, 0, 5.0));
    }
    for (dimensions, sum) in [
        (&[][..], json!([10.0])),
        (&["FunctionName=f"], json!([6.0])),
        (&["FunctionName=f", "Resource=f"], json!([1.0])),
        (&["Resource=f:live", "FunctionName=f"], json!([2.0])),
        (&["FunctionName=f", "Resource=f:3"], json!([3.0])),
        (&["FunctionName=none"], json!([])),
        (&["Resource=f"], json!([])),
        (&["FunctionName=f", "Other=x"], json!([])),
    ] {
        let found = values(&local, start, start + 60, query("q", "Invocations", "Sum", 60, dimensions));
        assert_eq!(found, sum, "{dimensions:?}");
    }
    for metric in ["ConcurrentExecutions", "None"] {
        assert_eq!(
            values(&local, start, start + 60, query("q", metric, "Sum", 60, &["FunctionName=f"])),
            json!([])
        );
    }
    let mut unit = query("q", "Duration", "Sum", 60, &["FunctionName=g"]);
    unit["MetricStat"]["Unit"] = json!("Milliseconds");
    assert_eq!(values(&local, start, start + 60, unit.clone()), json!([20.0]));
    unit["MetricStat"]["Unit"] = json!("Seconds");
    assert_eq!(values(&local, start, start + 60, unit), json!([]));
}

#[test]
fn periods_begin_at_the_rounded_start() {
    let local = Local::new();
    let start = hour();
    for minute in [0, 4, 5, 9] {
        ran(&local, "f", start + 60 * minute + 30, 0, 5.0);
    }
    let invocations = |period| query("q", "Invocations", "Sum", period, &["FunctionName=f"]);
    assert_eq!(values(&local, start, start + 600, invocations(300)), json!([2.0, 2.0]));
    // The start is rounded down to its minute, the end excluded.
    assert_eq!(values(&local, start + 259, start + 540, invocations(300)), json!([2.0]));
    assert_eq!(values(&local, start + 59, start + 600, invocations(600)), json!([4.0]));
    assert_eq!(values(&local, start, start + 600, invocations(1_209_600)), json!([4.0]));
    let text = |second| jiff::Timestamp::from_second(second).unwrap().to_string();
    let input = json!({"StartTime": text(start), "EndTime": text(start + 600), "MetricDataQueries": [invocations(600)]});
    assert_eq!(get(&local, input).unwrap()["MetricDataResults"][0]["Values"], json!([4.0]));
}

#[test]
fn what_is_old_is_told_in_longer_periods_and_goes_at_last() {
    let local = Local::new();
    let (start, day) = (hour(), |days: i64| hour() - days * DAY);
    for days in [1, 20, 70, 500] {
        for minute in [0, 1, 6] {
            ran(&local, "f", day(days) + 60 * minute, 0, 10.0);
        }
    }
    local.metrics.write(&local.store);
    for round in 0..2 {
        for (days, minutes, five, hours) in [
            (1, json!([1.0, 1.0, 1.0]), json!([1.0, 2.0]), json!([3.0])),
            (20, json!([]), json!([1.0, 2.0]), json!([3.0])),
            (70, json!([]), json!([]), json!([3.0])),
        ] {
            for (period, expected) in [(60, minutes), (300, five), (3600, hours)] {
                let asked = query("q", "Invocations", "Sum", period, &["FunctionName=f"]);
                let found = values(&local, day(days), day(days) + 3600, asked);
                assert_eq!(found, expected, "{days} days, {period} s, round {round}");
            }
        }
        let longest = query("q", "Duration", "Average", 3600, &["FunctionName=f"]);
        assert_eq!(values(&local, day(500), day(500) + 3600, longest), json!([]));
        age(&local.store, now(), usize::MAX);
    }
    assert_eq!(local.store.list::<metrics::Span>("metric-span").len(), 3 * (3 + 2 + 1));
    // Of more than may be kept the oldest go: one second that all three series have stays.
    age(&local.store, now(), 3);
    let whole = query("q", "Invocations", "Sum", DAY * 100, &["FunctionName=f"]);
    assert_eq!(values(&local, day(90), start, whole), json!([1.0]));
}

#[test]
fn what_was_counted_survives() {
    let folder = tempfile::tempdir().unwrap();
    let settings = crate::Settings {
        state: folder.path().to_owned(),
        account: crate::ACCOUNT.to_owned(),
        region: "us-east-1".to_owned(),
        url: String::new(),
        cpu_share: None,
    };
    let start = hour();
    for round in [1.0, 2.0] {
        let aws = Aws::open(settings.clone()).unwrap();
        ran(&aws, "f", start, 0, 5.0);
        let asked = query("q", "Invocations", "Sum", 60, &["FunctionName=f"]);
        assert_eq!(values(&aws, start, start + 60, asked), json!([round]));
    }
}

#[test]
fn answers_come_in_pages() {
    let local = Local::new();
    let start = hour();
    for minute in 0..5 {
        ran(&local, "f", start + 60 * minute, 0, 10.0 * (minute + 1) as f64);
    }
    let sum = |id: &str, name: &str| query(id, name, "Sum", 60, &["FunctionName=f"]);
    for (scan, expected) in [
        ("TimestampAscending", [10.0, 20.0, 30.0, 40.0, 50.0]),
        ("TimestampDescending", [50.0, 40.0, 30.0, 20.0, 10.0]),
    ] {
        let mut input = json!({"StartTime": start, "EndTime": start + 300, "MaxDatapoints": 4, "ScanBy": scan,
            "MetricDataQueries": [sum("a", "Invocations"), sum("b", "Duration")]});
        let (mut found, mut pages, mut codes) = ([Vec::new(), Vec::new()], 0, Vec::new());
        loop {
            let page = get(&local, input.clone()).unwrap();
            pages += 1;
            for (index, result) in page["MetricDataResults"].as_array().unwrap().iter().enumerate() {
                found[index].extend(result["Values"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()));
                codes.push(result["StatusCode"].as_str().unwrap().to_owned());
            }
            match page.get("NextToken") {
                Some(token) => input["NextToken"] = token.clone(),
                None => break,
            }
        }
        assert_eq!((found[0].clone(), found[1].clone(), pages), (vec![1.0; 5], expected.to_vec(), 3));
        assert_eq!(codes, ["PartialData", "PartialData", "Complete", "PartialData", "Complete", "Complete"]);
    }
    let input = json!({"StartTime": start, "EndTime": start + 300, "NextToken": "x", "MetricDataQueries": [sum("a", "Errors")]});
    assert_eq!(get(&local, input).unwrap_err().code, "InvalidNextToken");
}

#[test]
fn labels_have_what_tells_queries_apart() {
    let local = Local::new();
    let labels = |queries: &[Value]| {
        let start = hour();
        let input = json!({"StartTime": start, "EndTime": start + 60, "MetricDataQueries": queries});
        let answer = get(&local, input).unwrap();
        let all = answer["MetricDataResults"].as_array().unwrap().clone();
        all.iter().map(|result| result["Label"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let one = |id: &str, stat: &str, period| query(id, "metric1", stat, period, &[]);
    assert_eq!(
        labels(&[one("a", "Sum", 60), one("b", "Minimum", 30)]),
        ["metric1 Sum 60", "metric1 Minimum 30"]
    );
    assert_eq!(labels(&[one("a", "Sum", 60), one("b", "Minimum", 60)]), ["metric1 Sum", "metric1 Minimum"]);
    assert_eq!(labels(&[one("a", "Sum", 60), one("b", "Sum", 30)]), ["metric1 60", "metric1 30"]);
    assert_eq!(labels(&[one("a", "Sum", 60), one("b", "Sum", 60)]), ["metric1", "metric1"]);
    let mut own = one("a", "Sum", 60);
    own["Label"] = json!("mine");
    let mut hidden = one("b", "Sum", 60);
    hidden["ReturnData"] = json!(false);
    assert_eq!(labels(&[own, hidden]), ["mine"]);
}

#[test]
fn what_cannot_be_asked_is_refused_in_aws_s_words() {
    let local = Local::new();
    let start = hour();
    let ask = |queries: Value| {
        let input = json!({"StartTime": start, "EndTime": start + 60, "MetricDataQueries": queries});
        let error = get(&local, input).unwrap_err();
        (error.code, error.message)
    };
    let right = || query("a", "Errors", "Sum", 60, &[]);
    let wrong = |change: &dyn Fn(&mut Value)| {
        let mut query = right();
        change(&mut query);
        let (code, message) = ask(json!([query]));
        assert_eq!(code, "ValidationError", "{message}");
        message
    };
    let many: Vec<Value> = (0..501).map(|n| query(&format!("q{n}"), "Errors", "Sum", 60, &[])).collect();
    let message = "The collection MetricDataQueries must not have a size greater than 500.".to_owned();
    assert_eq!(ask(many.into()), ("ValidationError".to_owned(), message));
    let message = "The values for parameter id in MetricDataQueries are not unique.".to_owned();
    assert_eq!(ask(json!([right(), right()])), ("ValidationError".to_owned(), message));
    // All that is wrong is said together, a line each.
    let pattern = "is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$.";
    let ids = [query("A", "Errors", "Sum", 60, &[]), query("b-c", "Errors", "Sum", 60, &[])];
    let (code, message) = ask(json!(ids));
    let lines = [
        "The value A for parameter MetricDataQueries.member.1.Id",
        "The value b-c for parameter MetricDataQueries.member.2.Id",
    ];
    assert_eq!(
        (code.as_str(), message),
        ("ValidationError", lines.map(|line| format!("{line} {pattern}")).join("\n"))
    );
    let stat = wrong(&|query| query["MetricStat"]["Stat"] = json!("None"));
    assert_eq!(
        stat,
        "The value None for parameter MetricDataQueries.member.1.MetricStat.Stat is not a valid statistic."
    );
    for stat in ["p101", "p", "p1.", "p-1", "pinf", "P95", ""] {
        assert!(
            wrong(&|query| query["MetricStat"]["Stat"] = json!(stat)).contains("not a valid statistic"),
            "{stat}"
        );
    }
    for stat in ["tm90", "IQM", "PR(1:2)", "TC(2%:98%)"] {
        assert!(
            wrong(&|query| query["MetricStat"]["Stat"] = json!(stat))
                .contains("local endpoint does not know"),
            "{stat}"
        );
    }
    for period in [0, 7, 61, -60] {
        assert!(
            wrong(&|query| query["MetricStat"]["Period"] = json!(period)).contains("multiple of 60"),
            "{period}"
        );
    }
    assert!(wrong(&|query| query["Expression"] = json!("SUM(METRICS())")).contains("member.1.Expression"));
    assert!(wrong(&|query| query["MetricStat"] = Value::Null).contains("At least one of the parameters"));
    assert!(wrong(&|query| query["AccountId"] = json!("123456789012")).contains("AccountId"));
    assert!(wrong(&|query| query["Label"] = json!("${LAST}")).contains("Label"));
    assert!(
        wrong(&|query| query["MetricStat"]["Metric"] = json!({})).contains("Metric.Namespace is required")
    );
    assert_eq!(ask(json!([])).0, "MissingParameter");
    let times = |start: Value, end: Value| {
        let input = json!({"StartTime": start, "EndTime": end, "MetricDataQueries": [right()]});
        get(&local, input).unwrap_err()
    };
    assert_eq!(
        times(json!(2), json!(2)).message,
        "The parameter StartTime must be less than the parameter EndTime."
    );
    assert_eq!(times(Value::Null, json!(2)).code, "MissingParameter");
    assert_eq!(times(json!("yesterday"), json!(2)).code, "InvalidParameterValue");
    for (member, value) in
        [("ScanBy", json!("x")), ("MaxDatapoints", json!(0)), ("LabelOptions", json!({"Timezone": "+0400"}))]
    {
        let mut input = json!({"StartTime": start, "EndTime": start + 60, "MetricDataQueries": [right()]});
        input[member] = value;
        let error = get(&local, input).unwrap_err();
        assert!(error.message.to_lowercase().contains(&member.to_lowercase()), "{error}");
    }
    assert_eq!(call(&local, &Caller::Owner, "PutMetricData", &json!({})).unwrap_err().code, "InvalidAction");
}

#[test]
fn callers_need_permission_for_metrics() {
    let local = Local::new();
    let nobody =
        Caller::Role { arn: "arn:aws:iam::000000000000:role/none".to_owned(), session: "s".to_owned() };
    let error = call(&local, &nobody, "GetMetricData", &json!({})).unwrap_err();
    assert_eq!((error.status, error.code.as_str()), (403, "AccessDenied"));
    assert!(error.message.contains("cloudwatch:GetMetricData on resource: *"), "{error}");
}
