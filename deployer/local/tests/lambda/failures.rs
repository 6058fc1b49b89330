//! Functions that fail, and how that reads.

use std::time::{Duration, Instant};

use local_aws::lambda::Behaviour;
use serde_json::json;

use crate::support::{Local, eventually, runs, variables};

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_error_is_an_answer_and_the_environment_lives_on() {
    let local = Local::new().await;
    local.function("f", json!({})).await;
    let run = local.invoke("f", json!({"mode": "error"})).await;
    assert_eq!(run.function_error.as_deref(), Some("Unhandled"));
    assert_eq!(run.result, json!({"errorType": "SampleError", "errorMessage": "it went wrong"}));
    assert!(!run.log.contains("Status:"), "{}", run.log);
    assert!(!local.invoke("f", json!({})).await.cold());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_out_ends_the_environment_at_the_limit() {
    let local = Local::new().await;
    local.function("f", json!({"Timeout": 1})).await;
    let pid = local.invoke("f", json!({"mode": "child"})).await.result;
    let began = Instant::now();
    let run = local.invoke("f", json!({"mode": "sleep", "ms": 20_000})).await;
    assert!(began.elapsed() < Duration::from_secs(10));
    assert_eq!(run.result["errorType"], "Sandbox.Timedout");
    let message = run.result["errorMessage"].as_str().unwrap();
    assert!(
        message.starts_with("RequestId: ") && message.ends_with(" Error: Task timed out after 1.00 seconds"),
        "{message}"
    );
    assert!(run.log.contains(" Task timed out after 1.00 seconds\n"), "{}", run.log);
    assert!(run.log.contains("Duration: 1000.00 ms\tBilled Duration: 1000 ms"), "{}", run.log);
    assert!(run.log.contains("Status: timeout"), "{}", run.log);
    eventually("nothing is left", || !runs(&pid["pid"]) && !runs(&pid["child"])).await;
    assert!(local.invoke("f", json!({})).await.cold());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exit_in_the_middle_is_a_runtime_error() {
    let local = Local::new().await;
    local.function("f", json!({})).await;
    for (event, reason) in [
        (json!({"mode": "exit", "code": 5}), "with error: exit status 5"),
        (json!({"mode": "exit", "code": 0}), "without providing a reason"),
        (json!({"mode": "abort"}), "with error: signal: aborted"),
    ] {
        let run = local.invoke("f", event).await;
        assert_eq!(run.function_error.as_deref(), Some("Unhandled"));
        assert_eq!(run.result["errorType"], "Runtime.ExitError");
        let message = format!("Error: Runtime exited {reason}");
        assert!(run.result["errorMessage"].as_str().unwrap().ends_with(&message), "{}", run.result);
        assert!(run.log.contains(&message) && run.log.contains("\nRuntime.ExitError\n"), "{}", run.log);
        assert!(run.log.contains("Status: error\tError Type: Runtime.ExitError"), "{}", run.log);
        assert!(run.cold(), "the one before had ended the environment");
    }
    let answered = local.invoke("f", json!({"mode": "echo", "after": "exit"})).await;
    assert_eq!(answered.function_error, None, "an answer that was given counts");
    assert!(local.invoke("f", json!({})).await.cold());
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_over_the_size_kills_and_says_so() {
    for local in Local::each().await {
        local.function("f", json!({"MemorySize": 128})).await;
        let fits = local.invoke("f", json!({"mode": "hog", "mb": 90, "ms": 50})).await;
        assert_eq!(fits.function_error, None, "{}", fits.log);
        let used = fits.figure("Max Memory Used").unwrap();
        assert!((90.0..128.0).contains(&used), "{}", fits.log);
        let neighbour = local.invoke("f", json!({"mode": "sleep", "ms": 600}));
        let hog = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            local.invoke("f", json!({"mode": "hog", "mb": 200, "ms": 5000})).await
        };
        let (neighbour, run) = tokio::join!(neighbour, hog);
        assert_eq!(neighbour.function_error, None);
        assert_eq!(run.result["errorType"], "Runtime.OutOfMemory");
        let message = run.result["errorMessage"].as_str().unwrap();
        assert!(message.ends_with("Runtime exited with error: signal: killed"), "{message}");
        assert!(run.log.contains("Memory Size: 128 MB\tMax Memory Used: 128 MB"), "{}", run.log);
        assert!(run.log.contains("Status: error\tError Type: Runtime.OutOfMemory"), "{}", run.log);
        assert!(run.duration() < 4000.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kernel_kills_at_the_size_itself() {
    for local in Local::each().await.iter().filter(|local| local.kernel_limits_memory()) {
        local.function("f", json!({"MemorySize": 128})).await;
        let fits = local.invoke("f", json!({"mode": "hog", "mb": 122})).await;
        assert_eq!(fits.function_error, None, "{}", fits.log);
        assert!((122.0..=128.0).contains(&fits.figure("Max Memory Used").unwrap()), "{}", fits.log);
        // Freed at once: only who counts every page sees it.
        let over = local.invoke("f", json!({"mode": "hog", "mb": 128})).await;
        assert_eq!(over.result["errorType"], "Runtime.OutOfMemory", "{}", over.log);
        assert!(local.invoke("f", json!({})).await.cold());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_of_child_processes_counts() {
    for local in Local::each().await {
        local.function("f", json!({"MemorySize": 128})).await;
        let run = local.invoke("f", json!({"mode": "hog-in-child", "mb": 200, "ms": 5000})).await;
        assert_eq!(run.result["errorType"], "Runtime.OutOfMemory", "{}", run.log);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_initialization_that_fails_is_tried_once_more() {
    let local = Local::new().await;
    local.function("exit", json!({"Environment": variables(&[("INIT", "exit")])})).await;
    let run = local.invoke("exit", json!({})).await;
    assert_eq!(run.function_error.as_deref(), Some("Unhandled"));
    assert_eq!(run.result["errorType"], "Runtime.ExitError");
    assert!(run.result["errorMessage"].as_str().unwrap().ends_with("exit status 3"));
    for phase in ["init", "invoke"] {
        let line = format!("Phase: {phase}\tStatus: error\tError Type: Runtime.ExitError");
        assert!(run.log.contains(&line), "{}", run.log);
    }
    assert!(!run.cold());
    local.function("error", json!({"Environment": variables(&[("INIT", "error")])})).await;
    let run = local.invoke("error", json!({})).await;
    assert_eq!(run.result, json!({"errorType": "Init.Broken", "errorMessage": "no database"}));
    assert!(run.log.contains("Error Type: Init.Broken"), "{}", run.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_initialization_that_hangs_times_out() {
    let local = Local::with(Behaviour { init_limit: Duration::from_millis(300), ..Local::quick() }).await;
    local.function("f", json!({"Timeout": 1, "Environment": variables(&[("INIT", "hang")])})).await;
    let run = local.invoke("f", json!({})).await;
    assert_eq!(run.result["errorType"], "Sandbox.Timedout");
    assert!(run.result["errorMessage"].as_str().unwrap().contains("Task timed out after 1.00 seconds"));
    assert!(run.log.contains("Phase: init\tStatus: timeout"), "{}", run.log);
    assert!(run.log.contains("Status: timeout\t\n"), "{}", run.log);
}
