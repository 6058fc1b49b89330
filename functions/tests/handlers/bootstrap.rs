//! The real executable, driven as Lambda drives it: through the Runtime API.

use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Notify, oneshot};

use crate::fake::Fake;
use crate::world::{Invoked, World};

/// The part of Lambda that a function sees: one event, one answer.
struct Sandbox {
    process: Child,
    answer: oneshot::Receiver<Result<Value, Value>>,
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Sandbox {
    async fn invoke(executable: &str, handler: &str, event: Value, environment: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (send, answer) = oneshot::channel();
        let send = Arc::new(Mutex::new(Some(send)));
        let event = Arc::new(Mutex::new(Some(event.to_string())));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (send, event) = (Arc::clone(&send), Arc::clone(&event));
                let service =
                    service_fn(move |request| runtime_api(request, Arc::clone(&event), Arc::clone(&send)));
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        let process = Command::new(executable)
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "executor")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("_HANDLER", handler)
            .envs(environment.iter().copied())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { process, answer }
    }

    async fn answer(mut self) -> Result<Value, Value> {
        tokio::time::timeout(Duration::from_secs(30), &mut self.answer).await.unwrap().unwrap()
    }
}

type Sender = Arc<Mutex<Option<oneshot::Sender<Result<Value, Value>>>>>;

async fn runtime_api(
    request: Request<Incoming>,
    event: Arc<Mutex<Option<String>>>,
    send: Sender,
) -> Result<Response<Full<Bytes>>, hyper::http::Error> {
    let path = request.uri().path().to_owned();
    if request.method() == Method::GET {
        let next = event.lock().unwrap().take();
        let Some(next) = next else {
            Notify::new().notified().await;
            return Response::builder().status(410).body(Full::default());
        };
        let deadline = SystemTime::now() + Duration::from_secs(60);
        let deadline = deadline.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
        return Response::builder()
            .header("lambda-runtime-aws-request-id", "r")
            .header("lambda-runtime-deadline-ms", deadline.to_string())
            .header(
                "lambda-runtime-invoked-function-arn",
                "arn:aws:lambda:us-east-1:123456789012:function:executor",
            )
            .body(Full::from(next));
    }
    let body = request.into_body().collect().await.map(|b| b.to_bytes()).unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    if let Some(send) = send.lock().unwrap().take() {
        let _ = send.send(if path.ends_with("/response") { Ok(body) } else { Err(body) });
    }
    Response::builder().status(202).body(Full::default())
}

async fn bootstrap(handler: &str, event: Value, fake: &Fake, extra: &[(&str, &str)]) -> Result<Value, Value> {
    let mut environment = vec![
        ("AWS_ENDPOINT_URL", fake.url()),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ];
    environment.extend(extra);
    Sandbox::invoke(env!("CARGO_BIN_EXE_bootstrap"), handler, event, &environment).await.answer().await
}

async fn sample(handler: &str, event: Value) -> Result<Value, Value> {
    Sandbox::invoke(env!("CARGO_BIN_EXE_samples"), handler, event, &[]).await.answer().await
}

fn near(one: &Value, other: &Value, tolerance: f64) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => (one - other).abs() <= tolerance * other.abs() + 1e-12,
        _ => one == other,
    }
}

/// Cases recorded from the reference: same payloads, same figures; costs within 2.5 %, since its prices are rounded.
#[tokio::test]
async fn recorded_executor_cases_are_answered_alike() {
    let cases: Value =
        serde_json::from_str(include_str!("../../core/tests/fixtures/contract/function-cases.json")).unwrap();
    let cases: Vec<&Value> =
        cases["cases"].as_array().unwrap().iter().filter(|case| case["fn"] == "executor").collect();
    assert_eq!(cases.len(), 5);
    for case in cases {
        let mut world = World { memory: case["config"]["MemorySize"].as_i64().unwrap(), ..World::default() };
        world.architecture = case["config"]["Architectures"][0].as_str().unwrap().to_owned();
        let power = case["config"]["MemorySize"].to_string();
        world.add_alias(&format!("deployer-tuning-{power}"), "1", "");
        world.script.extend(case["invocations"].as_array().unwrap().iter().map(|invocation| {
            Invoked::Answer {
                log: invocation["log"].as_str().unwrap().to_owned(),
                payload: invocation["payload"].clone(),
                failed: invocation["error"] == true,
                after_ms: 0,
            }
        }));
        let fake = Fake::start(world).await;
        let result = bootstrap("executor", case["event"].clone(), &fake, &[]).await;
        let sent: Vec<String> = fake.world().seen.iter().map(|seen| seen.payload.clone()).collect();
        assert_eq!(json!(sent), case["sent"], "{case}");
        match (&case["expect"]["ok"], result) {
            (Value::Null, Err(error)) => {
                let message = error["errorMessage"].as_str().unwrap();
                let expected = case["expect"]["error"].as_str().unwrap();
                if expected.contains("boom") {
                    for part in ["128", "Handled", "boom", "{\"a\":19}", "a", "b", "in series"] {
                        assert!(message.contains(part), "{part}: {message}");
                    }
                    assert_eq!(error["errorType"], "InvocationFailed");
                } else {
                    for part in ["3 ", "payloads", "\"num\"=1", "increase \"num\""] {
                        assert!(message.contains(part), "{part}: {message}");
                    }
                }
            }
            (expected, Ok(found)) => {
                assert_eq!(found["value"], expected["value"]);
                assert!(
                    near(&found["averageDuration"], &expected["averageDuration"], 1e-9),
                    "{found} {expected}"
                );
                for cost in ["averagePrice", "totalCost"] {
                    assert!(near(&found[cost], &expected[cost], 0.025), "{cost}: {found} {expected}");
                }
            }
            (expected, found) => panic!("{expected} was expected, but {found:?} came"),
        }
    }
}

#[tokio::test]
async fn recorded_analyzer_cases_are_answered_alike() {
    let cases: Value =
        serde_json::from_str(include_str!("../../core/tests/fixtures/contract/function-cases.json")).unwrap();
    let fake = Fake::start(World::default()).await;
    let mut count = 0;
    for case in cases["cases"].as_array().unwrap().iter().filter(|case| case["fn"] == "analyzer") {
        count += 1;
        let page = ("visualizationURL", "https://example.test/");
        let found = bootstrap("analyzer", case["event"].clone(), &fake, &[page]).await.unwrap();
        let expected = &case["expect"]["ok"];
        for field in ["power", "cost", "duration"] {
            assert_eq!(found[field], expected[field], "{field}");
        }
        let (ours, theirs) = (&found["stateMachine"], &expected["stateMachine"]);
        assert_eq!(ours["visualization"], theirs["visualization"]);
        assert!(near(&ours["lambdaCost"], &theirs["lambdaCost"], 1e-9));
    }
    assert_eq!(count, 5);
}

#[tokio::test]
async fn the_initializer_uses_the_sizes_of_the_stack() {
    let fake = Fake::start(World::default()).await;
    let execution = crate::machine::EXECUTION;
    fake.world().executions.insert(execution.to_owned(), ("RUNNING".to_owned(), String::new()));
    let event = json!({"input": {"lambdaARN": crate::world::ARN, "num": 5}, "execution": execution});
    let run = bootstrap("initializer", event, &fake, &[("defaultPowerValues", "128,512")]).await.unwrap();
    assert_eq!(run["powerValues"], json!([128, 512]));
    assert_eq!(run["published"]["total"], 2);
    assert_eq!(run["baseline"]["memorySize"], 256);
}

#[tokio::test]
async fn an_error_has_a_type_the_state_machine_can_name() {
    let fake = Fake::start(World::default()).await;
    let event = json!({"input": {"lambdaARN": "x"}, "execution": crate::machine::EXECUTION});
    let error = bootstrap("initializer", event, &fake, &[]).await.unwrap_err();
    assert_eq!(error["errorType"], "InvalidInput");
    assert!(error["errorMessage"].as_str().unwrap().contains("lambdaARN"), "{error}");
    let error = bootstrap("cleaner", json!("nonsense"), &fake, &[]).await.unwrap_err();
    assert_eq!(error["errorType"], "InvalidInput");
}

#[tokio::test]
async fn missing_credentials_are_named() {
    let event = json!({"input": {"lambdaARN": crate::world::ARN, "num": 5, "powerValues": [128]}, "execution": crate::machine::EXECUTION});
    let error = Sandbox::invoke(env!("CARGO_BIN_EXE_bootstrap"), "initializer", event, &[])
        .await
        .answer()
        .await
        .unwrap_err();
    assert_eq!(error["errorType"], "Environment");
    assert!(error["errorMessage"].as_str().unwrap().contains("AWS_ACCESS_KEY_ID"), "{error}");
}

#[tokio::test]
async fn an_unknown_handler_ends_the_process() {
    let status = Command::new(env!("CARGO_BIN_EXE_bootstrap"))
        .env_clear()
        .env("_HANDLER", "tuner")
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(!status.success());
}

#[tokio::test]
async fn samples_do_what_their_names_say() {
    let work = sample("cpu", json!({"iterations": 1000})).await.unwrap();
    assert_eq!(work["iterations"], 1000);
    let started = std::time::Instant::now();
    sample("io", json!({"milliseconds": 150})).await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(150));
    assert_eq!(sample("echo", json!({"a": 1})).await, Ok(json!({"a": 1})));
    assert_eq!(sample("annotate", json!({"a": 1})).await, Ok(json!({"a": 1, "annotated": true})));
    assert_eq!(sample("silent", json!({"a": 1})).await, Ok(Value::Null));
    assert_eq!(sample("memory", json!({"megabytes": 2})).await.unwrap()["checksum"], 512);
    let error = sample("fail", json!({"errorType": "Custom", "message": "boom"})).await.unwrap_err();
    assert_eq!((&error["errorType"], &error["errorMessage"]), (&json!("Custom"), &json!("boom")));
}
