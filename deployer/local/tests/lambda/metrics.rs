use local_aws::{Caller, Service};
use serde_json::{Value, json};

use super::support::Local;

async fn metric(local: &Local, name: &str, stat: &str, dimensions: Value) -> Value {
    let now = jiff::Timestamp::now().as_second();
    let metric = json!({"Namespace": "AWS/Lambda", "MetricName": name, "Dimensions": dimensions});
    let query = json!({"Id": "q", "MetricStat": {"Metric": metric, "Period": 86400, "Stat": stat}});
    let input = json!({"StartTime": now - 3600, "EndTime": now + 60, "MetricDataQueries": [query]});
    let answer = local.aws.call(&Caller::Owner, Service::CloudWatch, "GetMetricData", input).await.unwrap();
    answer["MetricDataResults"][0]["Values"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn invocations_are_counted_with_their_durations() {
    let local = Local::new().await;
    local.function("f", json!({})).await;
    let version = local.publish("f").await;
    let of_function = json!([{"Name": "FunctionName", "Value": "f"}]);
    let mut durations = Vec::new();
    for function in ["f", "f", &format!("f:{version}")] {
        durations.push(local.invoke(function, json!({"mode": "sleep", "ms": 5})).await.duration());
    }
    let failed = local.invoke("f", json!({"mode": "error"})).await;
    assert!(failed.function_error.is_some(), "{failed:?}");
    durations.push(failed.duration());
    local.ok("PutFunctionConcurrency", json!({"FunctionName": "f", "ReservedConcurrentExecutions": 0})).await;
    assert_eq!(local.try_invoke("f", json!({})).await.unwrap_err().code, "TooManyRequestsException");

    let of = async |name: &str, stat: &str| metric(&local, name, stat, of_function.clone()).await;
    assert_eq!(of("Invocations", "Sum").await, json!([4.0]));
    assert_eq!(of("Errors", "Sum").await, json!([1.0]));
    assert_eq!(of("Throttles", "Sum").await, json!([1.0]));
    assert_eq!(of("Duration", "SampleCount").await, json!([4.0]));
    let sum = of("Duration", "Sum").await[0].as_f64().unwrap();
    assert!((sum - durations.iter().sum::<f64>()).abs() < 1e-6, "{sum} of {durations:?}");
    let most = durations.iter().copied().fold(0.0, f64::max);
    assert_eq!(of("Duration", "Maximum").await, json!([most]));
    let resource = |resource: &str| json!([{"Name": "FunctionName", "Value": "f"}, {"Name": "Resource", "Value": resource}]);
    assert_eq!(metric(&local, "Invocations", "Sum", resource("f")).await, json!([3.0]));
    assert_eq!(metric(&local, "Invocations", "Sum", resource("f:1")).await, json!([1.0]));
    // A deleted function's metrics stay, as on AWS; so they do over a restart.
    local.ok("DeleteFunction", json!({"FunctionName": "f"})).await;
    let local = local.reopen().await;
    assert_eq!(metric(&local, "Invocations", "Sum", of_function.clone()).await, json!([4.0]));
}
