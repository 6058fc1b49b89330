//! What the two executables do by themselves, and handlers that have nobody to call.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use functions::clients::Clients;
use functions::deadline::Deadline;
use functions::error::Kind;
use functions::handlers::Handler;
use local_aws::Caller;
use local_aws::lambda::Invocation;
use serde_json::{Value, json};

use crate::bench::{Bench, FUNCTION, function_arn};
use crate::harness::built;

const EXECUTION: &str = "arn:aws:states:us-east-1:000000000000:execution:machine:run-1";

#[tokio::test]
async fn missing_credentials_are_named() {
    let input = json!({"lambdaARN": function_arn(FUNCTION), "num": 5, "powerValues": [128]});
    let event = json!({"input": input, "execution": EXECUTION});
    let clients = Clients::with(BTreeMap::new());
    let error = Handler::Initializer.handle(event, Deadline::within(Duration::from_secs(5)), &clients).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind, Kind::Environment);
    assert!(error.message.contains("AWS_ACCESS_KEY_ID"), "{error}");
}

#[tokio::test]
async fn never_connecting_is_not_losing() {
    // Nobody listens there, so nothing can have run: the pass ends without a lost invocation.
    let variables = [
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ];
    let clients = Clients::with(variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    let event = super::executor::event(json!({}));
    let deadline = Deadline::within(Duration::from_millis(500));
    let result = Handler::Executor.handle(event, deadline, &clients).await.unwrap();
    assert_eq!(result["progress"]["measurements"]["lost"], 0, "{result}");
    assert_eq!(result["progress"]["done"], json!([]));
    assert!(result["progress"]["stalledMs"].as_u64().unwrap() > 0);
}

#[test]
fn an_unknown_handler_ends_the_process() {
    let mut bootstrap = Command::new(built("bootstrap"));
    let status = bootstrap.env_clear().env("_HANDLER", "tuner").stderr(Stdio::null()).status().unwrap();
    assert!(!status.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_has_a_type_the_state_machine_can_name() {
    let bench = Bench::new().await;
    let event = json!({"input": {"lambdaARN": "x"}, "execution": EXECUTION});
    let error = bench.handle("initializer", event).await.unwrap_err();
    assert_eq!(error.kind, "InvalidInput");
    assert!(error.message.contains("lambdaARN"), "{error:?}");
    assert_eq!(bench.handle("cleaner", json!("nonsense")).await.unwrap_err().kind, "InvalidInput");
}

/// Invokes the sample of this name, as a process.
async fn sample(bench: &Bench, name: &str, event: Value) -> Result<Value, Value> {
    bench.lambda("UpdateFunctionConfiguration", json!({"Handler": name})).await;
    let invocation = Invocation {
        function: FUNCTION.to_owned(),
        payload: event.to_string().into(),
        ..Invocation::default()
    };
    let invoked = bench.aws().lambda.invoke(bench.aws(), &Caller::Owner, invocation).await.unwrap();
    let answer = serde_json::from_slice(&invoked.payload).unwrap();
    if invoked.function_error.is_none() { Ok(answer) } else { Err(answer) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn samples_do_what_their_names_say() {
    let bench = Bench::new().await;
    let work = sample(&bench, "cpu", json!({"iterations": 1000})).await.unwrap();
    assert_eq!(work["iterations"], 1000);
    let started = Instant::now();
    sample(&bench, "io", json!({"milliseconds": 150})).await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(150));
    assert_eq!(sample(&bench, "echo", json!({"a": 1})).await, Ok(json!({"a": 1})));
    assert_eq!(sample(&bench, "annotate", json!({"a": 1})).await, Ok(json!({"a": 1, "annotated": true})));
    assert_eq!(sample(&bench, "silent", json!({"a": 1})).await, Ok(Value::Null));
    assert_eq!(sample(&bench, "memory", json!({"megabytes": 2})).await.unwrap()["checksum"], 512);
    let error = sample(&bench, "fail", json!({"errorType": "Custom", "message": "boom"})).await.unwrap_err();
    assert_eq!((&error["errorType"], &error["errorMessage"]), (&json!("Custom"), &json!("boom")));
}
