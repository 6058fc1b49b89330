//! Functions that run as handlers in the endpoint's own process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use local_aws::Caller;
use local_aws::lambda::ForcedEnd;
use local_aws::lambda::in_process::{FunctionError, Invocation};
use serde_json::{Value, json};

use crate::support::{ACCOUNT_ARN, Local, ROLE, eventually, variables};

/// Counts how many are at work; a future that is dropped is not.
struct AtWork(Arc<AtomicU32>);

impl AtWork {
    fn new(count: &Arc<AtomicU32>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn handle(invocation: Invocation, at_work: Arc<AtomicU32>) -> Result<Value, FunctionError> {
    let _at_work = AtWork::new(&at_work);
    let event: Value = serde_json::from_slice(&invocation.event).unwrap();
    invocation.log.line(format!("mode {}", event["mode"]));
    match event["mode"].as_str().unwrap() {
        "context" => {
            let left = invocation.deadline.duration_since(SystemTime::now()).unwrap();
            Ok(
                json!({"id": invocation.request_id, "arn": invocation.function_arn, "memory": invocation.memory_mb,
                      "left": left.as_secs_f64(), "env": *invocation.variables}),
            )
        }
        "raise" => Err(FunctionError::raised("Sample", "it went wrong")),
        "exit" => Err(FunctionError::Exits(5)),
        "memory" => Err(FunctionError::OutOfMemory),
        "panic" => panic!("as the test wants it"),
        _ => std::future::pending().await,
    }
}

async fn local(at_work: &Arc<AtomicU32>) -> Local {
    let (local, at_work) = (Local::new().await, Arc::clone(at_work));
    local.aws.lambda.run_in_process(move |candidate| {
        let at_work = Arc::clone(&at_work);
        let ours = candidate.handler == "ours";
        ours.then(|| -> local_aws::lambda::in_process::Handler {
            Arc::new(move |invocation| Box::pin(handle(invocation, Arc::clone(&at_work))))
        })
    });
    let settings = json!({"MemorySize": 192, "Timeout": 1, "Handler": "ours",
                          "Environment": variables(&[("COLOUR", "red")])});
    local.function("f", settings).await;
    local
}

#[tokio::test]
async fn a_handler_gets_what_a_process_would() {
    let local = local(&Arc::default()).await;
    let run = local.invoke("f", json!({"mode": "context"})).await;
    assert!(run.cold());
    let result = &run.result;
    let (id, env) = (result["id"].as_str().unwrap(), &result["env"]);
    assert!(
        run.log.starts_with(&format!("START RequestId: {id} Version: $LATEST\nmode \"context\"\nEND")),
        "{}",
        run.log
    );
    assert!(run.log.contains("Memory Size: 192 MB\tMax Memory Used: 0 MB"), "{}", run.log);
    assert_eq!((&result["arn"], &result["memory"]), (&json!(format!("{ACCOUNT_ARN}:f")), &json!(192)));
    assert!((0.5..=1.0).contains(&result["left"].as_f64().unwrap()), "{result}");
    for (name, value) in [
        ("AWS_LAMBDA_FUNCTION_NAME", "f"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "192"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ("_HANDLER", "ours"),
        ("COLOUR", "red"),
    ] {
        assert_eq!(env[name], value, "{name}");
    }
    let role = Caller::Role { arn: ROLE.to_owned(), session: "f".to_owned() };
    assert_eq!(local.aws.iam.caller(env["AWS_ACCESS_KEY_ID"].as_str().unwrap()).unwrap(), role);
    let second = local.invoke("f", json!({"mode": "context"})).await;
    assert!(!second.cold(), "the environment is reused");
    assert_eq!(second.result["env"], *env);
}

#[tokio::test]
async fn a_handler_fails_in_the_words_of_lambda() {
    let local = local(&Arc::default()).await;
    let raised = local.invoke("f", json!({"mode": "raise"})).await;
    assert_eq!(raised.result, json!({"errorType": "Sample", "errorMessage": "it went wrong"}));
    assert!(!local.invoke("f", json!({"mode": "raise"})).await.cold(), "the environment lives on");
    for (mode, kind, reason) in [
        ("exit", "Runtime.ExitError", "Error: Runtime exited with error: exit status 5"),
        ("memory", "Runtime.OutOfMemory", "Error: Runtime exited with error: signal: killed"),
        ("panic", "Runtime.ExitError", "Error: Runtime exited with error: signal: aborted"),
    ] {
        let run = local.invoke("f", json!({"mode": mode})).await;
        assert_eq!(run.result["errorType"], kind);
        assert!(run.result["errorMessage"].as_str().unwrap().ends_with(reason), "{}", run.result);
        assert!(local.invoke("f", json!({"mode": "raise"})).await.cold(), "{mode} ended the environment");
    }
}

#[tokio::test]
async fn a_time_out_and_a_crash_drop_the_handlers_future() {
    let at_work = Arc::default();
    let local = local(&at_work).await;
    let key = local.invoke("f", json!({"mode": "context"})).await.result["env"]["AWS_ACCESS_KEY_ID"].clone();
    let crash = async {
        eventually("the handler works", || at_work.load(Ordering::SeqCst) == 1).await;
        local.aws.lambda.force_end(key.as_str().unwrap(), ForcedEnd::Crash).await;
    };
    let (run, ()) = tokio::join!(local.invoke("f", json!({"mode": "hang"})), crash);
    assert!(
        run.result["errorMessage"].as_str().unwrap().ends_with("exited with error: signal: killed"),
        "{}",
        run.result
    );
    assert_eq!(at_work.load(Ordering::SeqCst), 0);
    let run = tokio::time::timeout(Duration::from_secs(10), local.invoke("f", json!({"mode": "hang"})));
    let run = run.await.unwrap();
    assert_eq!(run.result["errorType"], "Sandbox.Timedout");
    assert!(run.cold() && run.log.contains("Duration: 1000.00 ms"), "{}", run.log);
    assert_eq!(at_work.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_functions_run_as_processes() {
    let local = local(&Arc::default()).await;
    local.function("other", json!({})).await;
    let run = local.invoke("other", json!({"mode": "who"})).await;
    assert!(run.result["pid"].is_number(), "{}", run.result);
}
