//! What an invocation gets and what it answers.

use std::time::Duration;

use local_aws::lambda::{Behaviour, Invocation, InvocationType};
use local_aws::{Caller, Service};
use serde_json::json;

use crate::support::{ACCOUNT_ARN, Local, ROLE, eventually, groups_of, package_of, runs, variables};

#[tokio::test(flavor = "multi_thread")]
async fn the_first_invocation_is_cold_and_the_next_warm() {
    let local = Local::new().await;
    local.function("f", json!({})).await;
    let first = local.invoke("f", json!({"mode": "who"})).await;
    let second = local.invoke("f", json!({"mode": "who"})).await;
    assert!(first.cold() && !second.cold());
    assert_eq!(first.result["pid"], second.result["pid"]);
    assert_eq!((&first.result["count"], &second.result["count"]), (&json!(1), &json!(2)));
    let billed = first.figure("Billed Duration").unwrap();
    let spent = first.duration() + first.figure("Init Duration").unwrap();
    assert!((billed - spent.ceil()).abs() < 1.5, "{}", first.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_sees_what_lambda_tells_it() {
    let local = Local::new().await;
    local
        .function(
            "f",
            json!({"MemorySize": 192, "Handler": "do.it", "Environment": variables(&[("COLOUR", "red")])}),
        )
        .await;
    let env = local.invoke("f", json!({"mode": "env"})).await.result;
    for (name, value) in [
        ("AWS_LAMBDA_FUNCTION_NAME", "f"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "192"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/f"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ("_HANDLER", "do.it"),
        ("COLOUR", "red"),
    ] {
        assert_eq!(env[name], value, "{name}");
    }
    let key = env["AWS_ACCESS_KEY_ID"].as_str().unwrap();
    let role = Caller::Role { arn: ROLE.to_owned(), session: "f".to_owned() };
    assert_eq!(local.aws.iam.caller(key).unwrap(), role);
    assert!(env.get("CARGO_MANIFEST_DIR").is_none(), "the endpoint's own environment leaks");
    let headers = local.invoke("f", json!({"mode": "headers"})).await.result;
    assert_eq!(headers["lambda-runtime-invoked-function-arn"], format!("{ACCOUNT_ARN}:f"));
    let deadline: u128 = headers["lambda-runtime-deadline-ms"].as_str().unwrap().parse().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    assert!((9_000..=10_000).contains(&(deadline.saturating_sub(now))), "{deadline} {now}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_tail_is_lambdas() {
    let local = Local::new().await;
    local.function("f", json!({"Environment": variables(&[("INIT", "print")])})).await;
    let run = local.invoke("f", json!({"mode": "print", "lines": ["one", "two"]})).await;
    let lines: Vec<&str> = run.log.lines().collect();
    assert_eq!(lines[0], "initializing");
    let id = lines[1].strip_prefix("START RequestId: ").unwrap().strip_suffix(" Version: $LATEST").unwrap();
    assert_eq!(lines[2..4], ["one", "two"]);
    assert_eq!(lines[4], format!("END RequestId: {id}"));
    let report = format!("REPORT RequestId: {id}\tDuration: ");
    assert!(lines[5].starts_with(&report) && lines.len() == 6, "{}", run.log);
    assert!(lines[5].contains("\tMemory Size: 1024 MB\tMax Memory Used: "), "{}", run.log);
    let used = run.figure("Max Memory Used").unwrap();
    assert!((1.0..40.0).contains(&used), "{}", run.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tail_is_4_kb_and_noise_does_not_stop_a_function() {
    let local = Local::new().await;
    local.function("f", json!({})).await;
    let run = local.invoke("f", json!({"mode": "print", "noise": 5000})).await;
    assert_eq!(run.function_error, None);
    assert_eq!(run.log.len(), 4096);
    assert!(run.log.contains("REPORT RequestId"));
}

#[tokio::test(flavor = "multi_thread")]
async fn json_logs_carry_the_report_as_json() {
    let local = Local::new().await;
    local.function("f", json!({"LoggingConfig": {"LogFormat": "JSON"}})).await;
    let run = local.invoke("f", json!({"mode": "print", "lines": ["plain"]})).await;
    let last: serde_json::Value = serde_json::from_str(run.log.lines().last().unwrap()).unwrap();
    assert_eq!(last["type"], "platform.report");
    let metrics = &last["record"]["metrics"];
    assert!(metrics["durationMs"].as_f64().unwrap() > 0.0 && metrics["initDurationMs"].is_number());
    assert!(run.log.contains("\nplain\n") && run.log.contains("\"platform.start\""));
    local.configure("f", json!({"LoggingConfig": {"LogFormat": "JSON", "SystemLogLevel": "WARN"}})).await;
    assert_eq!(local.invoke("f", json!({"mode": "print", "lines": ["plain"]})).await.log, "plain\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_reach_the_log_group_when_the_role_may_write_them() {
    let local = Local::new().await;
    local.function("f", json!({})).await;
    let input = json!({"logGroupName": "/aws/lambda/f"});
    local.invoke("f", json!({"mode": "print", "lines": ["unseen"]})).await;
    local.aws.lambda.drain().await;
    local.grant(&["logs:*"], "*").await;
    local.invoke("f", json!({"mode": "print", "lines": ["seen"]})).await;
    for _ in 0..100 {
        let found = local.aws.call(&Caller::Owner, Service::Logs, "FilterLogEvents", input.clone()).await;
        let messages = found.map(|f| f["events"].to_string()).unwrap_or_default();
        assert!(!messages.contains("unseen"));
        if messages.contains("seen") && messages.contains("REPORT RequestId") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the lines did not arrive");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_runs_nothing_and_an_event_is_checked() {
    let local = Local::new().await;
    local.function("f", json!({})).await;
    let invocation = |kind, payload: &'static [u8]| Invocation {
        function: "f".to_owned(),
        payload: payload.into(),
        invocation_type: kind,
        ..Invocation::default()
    };
    let dry = invocation(InvocationType::DryRun, b"{}");
    assert_eq!(local.aws.lambda.invoke(&local.aws, &Caller::Owner, dry).await.unwrap().status, 204);
    assert_eq!(local.invoke("f", json!({"mode": "who"})).await.result["count"], 1);
    let bad = invocation(InvocationType::RequestResponse, b"{not json");
    let error = local.aws.lambda.invoke(&local.aws, &Caller::Owner, bad).await.unwrap_err();
    assert_eq!((error.status, error.code.as_str()), (400, "InvalidRequestContentException"));
    let empty = invocation(InvocationType::RequestResponse, b"");
    let answer = local.aws.lambda.invoke(&local.aws, &Caller::Owner, empty).await.unwrap();
    assert_eq!(answer.payload, "{}");
    assert_eq!(answer.log_result, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_have_lambdas_limits() {
    let local = Local::new().await;
    local.function("f", json!({})).await;
    let limit = 6_291_556;
    let fits = local.invoke("f", json!({"mode": "big", "bytes": limit - 2})).await;
    assert_eq!(fits.function_error, None);
    let over = local.invoke("f", json!({"mode": "big", "bytes": limit - 1})).await;
    assert_eq!(over.function_error.as_deref(), Some("Unhandled"));
    assert_eq!(over.result["errorType"], "Function.ResponseSizeTooLarge");
    assert!(
        !local.invoke("f", json!({"mode": "echo"})).await.cold(),
        "an answer too large ends no environment"
    );
    for (kind, limit) in [(InvocationType::RequestResponse, limit), (InvocationType::Event, 1 << 20)] {
        let invocation = Invocation {
            function: "f".to_owned(),
            payload: format!("\"{}\"", "x".repeat(limit - 1)).into(),
            invocation_type: kind,
            ..Invocation::default()
        };
        let error = local.aws.lambda.invoke(&local.aws, &Caller::Owner, invocation).await.unwrap_err();
        assert_eq!((error.status, error.code.as_str()), (413, "RequestTooLargeException"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_invocations_run_in_environments_of_their_own() {
    let local = Local::new().await;
    local.function("f", json!({})).await;
    let event = json!({"mode": "sleep", "ms": 300});
    let runs = tokio::join!(
        local.invoke("f", event.clone()),
        local.invoke("f", event.clone()),
        local.invoke("f", event.clone()),
        local.invoke("f", event.clone())
    );
    // One after another, they would have shared one.
    assert!(runs.0.cold() && runs.1.cold() && runs.2.cold() && runs.3.cold());
    assert!(!local.invoke("f", json!({})).await.cold());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_retires_environments_and_versions_keep_theirs() {
    let local = Local::new().await;
    local.function("f", json!({})).await;
    let before = local.invoke("f", json!({"mode": "who"})).await.result;
    let version = local.publish("f").await;
    let published = local.invoke(&format!("f:{version}"), json!({"mode": "who"})).await;
    assert!(published.cold());
    assert_eq!(published.version, "1");
    assert!(!local.invoke("f", json!({})).await.cold(), "publishing changes nothing for $LATEST");
    local.configure("f", json!({"MemorySize": 512})).await;
    eventually("the old environment is gone", || !runs(&before["pid"])).await;
    let after = local.invoke("f", json!({"mode": "env"})).await;
    assert!(after.cold());
    assert_eq!(after.result["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"], "512");
    assert!(!local.invoke("f:1", json!({})).await.cold());
    local.ok("DeleteFunction", json!({"FunctionName": "f"})).await;
    eventually("the version's environment is gone", || !runs(&published.result["pid"])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_environments_are_recycled() {
    let local = Local::with(Behaviour { idle: Duration::from_millis(200), ..Local::quick() }).await;
    local.function("f", json!({})).await;
    let pid = local.invoke("f", json!({"mode": "who"})).await.result["pid"].clone();
    eventually("the environment is gone", || !runs(&pid)).await;
    assert!(local.invoke("f", json!({})).await.cold());
    let local = Local::with(Behaviour { idle_limit: 1, ..Local::quick() }).await;
    local.function("a", json!({})).await;
    local.function("b", json!({})).await;
    local.invoke("a", json!({})).await;
    local.invoke("b", json!({})).await;
    assert!(local.invoke("a", json!({})).await.cold(), "only one environment is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_environment_is_frozen() {
    let local = Local::new().await;
    local.function("f", json!({})).await;
    let pid = local.invoke("f", json!({"mode": "who"})).await.result["pid"].clone();
    eventually("the process is stopped", || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit_once(") ").unwrap().1.starts_with('T')
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_a_function_started_outlives_the_endpoint() {
    let local = Local::new().await;
    local.function("f", json!({})).await;
    let run = local.invoke("f", json!({"mode": "child"})).await.result;
    assert!(runs(&run["pid"]) && runs(&run["child"]));
    let busy = tokio::spawn({
        let aws = local.aws.clone();
        async move {
            let payload = r#"{"mode": "sleep", "ms": 9000}"#.into();
            let invocation = Invocation { function: "f".to_owned(), payload, ..Invocation::default() };
            aws.lambda.invoke(&aws, &Caller::Owner, invocation).await
        }
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    local.aws.lambda.shutdown().await;
    let error = busy.await.unwrap().unwrap_err();
    assert_eq!(error.code, "ServiceException");
    eventually("both processes are gone", || !runs(&run["pid"]) && !runs(&run["child"])).await;
    assert_eq!(local.try_invoke("f", json!({})).await.unwrap_err().code, "ServiceException");
}

/// Not a test by itself: the endpoint that the next one kills, in a process of its own.
#[tokio::test(flavor = "multi_thread")]
async fn endpoint_to_be_killed() {
    let Some(report) = std::env::var_os("REPORT_PIDS_TO") else { return };
    let local = Local::new().await;
    local.function("f", json!({})).await;
    let idle = local.invoke("f", json!({"mode": "who"})).await.result["pid"].clone();
    let (busy, told) = tokio::join!(local.invoke("f", json!({"mode": "sleep", "ms": 9000})), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        std::fs::write(&report, idle.to_string())
    });
    told.unwrap();
    panic!("nobody killed this process: {busy:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_die_with_an_endpoint_that_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("pid");
    let mut endpoint = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "invocations::endpoint_to_be_killed"])
        .env("REPORT_PIDS_TO", &report)
        .env("TMPDIR", folder.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut pid = json!(null);
    eventually("the function runs", || {
        pid = std::fs::read(&report).ok().and_then(|p| serde_json::from_slice(&p).ok()).unwrap_or_default();
        !pid.is_null()
    })
    .await;
    assert!(runs(&pid));
    let groups = groups_of(&pid);
    endpoint.kill().unwrap();
    endpoint.wait().unwrap();
    eventually("the function is gone", || !runs(&pid)).await;
    let _next = Local::new().await;
    assert!(groups.iter().all(|group| !group.exists()), "the next endpoint removes {groups:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invocation_goes_on_when_nobody_waits_for_it() {
    let local = Local::new().await;
    local.function("f", json!({})).await;
    let waiting = local.invoke("f", json!({"mode": "sleep", "ms": 300}));
    assert!(tokio::time::timeout(Duration::from_millis(150), waiting).await.is_err());
    local.aws.lambda.drain().await;
    let after = local.invoke("f", json!({"mode": "who"})).await;
    assert_eq!(after.result["count"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_answers_after_the_endpoint_was_reopened() {
    let local = Local::new().await;
    local.function("f", json!({})).await;
    local.publish("f").await;
    let local = local.reopen().await;
    assert_eq!(local.invoke("f:1", json!({"a": 1})).await.result, json!({"a": 1}));
    std::fs::remove_dir_all(local.path().join("lambda/code")).unwrap();
    local.configure("f", json!({"Timeout": 9})).await;
    assert_eq!(local.invoke("f", json!({"a": 2})).await.result, json!({"a": 2}), "unpacked again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_without_a_program_that_runs_says_so() {
    let local = Local::new().await;
    for (name, package, words) in [
        ("none", package_of(&[("main", b"x", 0o755)]), "Couldn't find valid bootstrap(s)"),
        ("mode", package_of(&[("bootstrap", b"#!/bin/sh\n", 0o644)]), "permission denied"),
        ("format", package_of(&[("bootstrap", &[0; 64], 0o755)]), "exec format error"),
    ] {
        local.function(name, json!({"Code": {"ZipFile": package}})).await;
        let run = local.invoke(name, json!({})).await;
        assert_eq!(run.result["errorType"], "Runtime.InvalidEntrypoint", "{name}: {}", run.log);
        assert!(run.result["errorMessage"].as_str().unwrap().contains(words), "{name}: {}", run.result);
        assert!(run.log.contains("Status: error\tError Type: Runtime.InvalidEntrypoint"), "{}", run.log);
    }
}
