//! Measuring one power value: what is sent, counted, waited out and given up.

use std::time::{Duration, Instant};

use local_aws::Service;
use local_aws::faults::{Fault, Kind};
use local_aws::lambda::InvokeError;
use serde_json::{Value, json};

use super::with;
use crate::bench::{Bench, FUNCTION, Handled, function_arn};
use crate::in_process::{Answer, Stage};

/// A scripted function with the alias of 512 MB that a run's Publisher would have made.
async fn bench() -> Bench {
    let bench = super::bench().await;
    bench.lambda("UpdateFunctionConfiguration", json!({"Handler": "scripted", "MemorySize": 512})).await;
    let version = bench.lambda("PublishVersion", json!({})).await["Version"].clone();
    bench.lambda("CreateAlias", json!({"Name": "deployer-tuning-512", "FunctionVersion": version})).await;
    bench
}

/// Makes further functions that are scripted.
async fn make(bench: &Bench, names: &[&str]) {
    for name in names {
        bench.make(name).await;
        let change = json!({"FunctionName": name, "Handler": "scripted"});
        bench.ok(Service::Lambda, "UpdateFunctionConfiguration", change).await;
        let published = bench.ok(Service::Lambda, "PublishVersion", json!({"FunctionName": name})).await;
        let live = json!({"FunctionName": name, "Name": "live", "FunctionVersion": published["Version"]});
        bench.ok(Service::Lambda, "UpdateAlias", live).await;
    }
}

pub(super) fn event(more: Value) -> Value {
    let arn = function_arn(FUNCTION);
    let run = json!({
        "execution": "arn:aws:states:us-east-1:000000000000:execution:machine:run-1", "functionArn": arn,
        "region": "us-east-1", "architecture": "x86_64", "timeout": 20, "powerValues": [512],
        "baseline": {"memorySize": 256}, "snapshotVersion": "1", "codeSha256": "c0de", "settings": "",
        "published": {"done": true},
    });
    let input = with(json!({"lambdaARN": arn, "num": 5, "run": run}), more);
    json!({"input": input, "value": 512})
}

/// Measures to the end, over as many passes as it takes.
async fn measure(bench: &Bench, more: Value) -> Handled {
    let mut event = event(more);
    for _ in 0..200 {
        event = bench.handle("executor", event).await?;
        if event.get("progress").is_none() {
            return Ok(event);
        }
    }
    panic!("the Executor does not come to an end: {event}");
}

/// The same, with answers by script.
async fn measured(bench: &Bench, script: impl IntoIterator<Item = Answer>, more: Value) -> Handled {
    bench.stage().script(script);
    measure(bench, more).await
}

/// Lets the first invocations meet these faults.
fn plan(bench: &Bench, kinds: impl IntoIterator<Item = Kind>) {
    let at = |(index, kind)| Fault::at("executor", "Invoke", index + 1, kind);
    bench.aws().faults.plan((0_u32..).zip(kinds).map(at).collect());
}

fn payloads(stage: &Stage) -> Vec<String> {
    stage.seen().into_iter().map(|seen| seen.payload).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn throttled_invocations_are_waited_out_and_not_counted() {
    let bench = bench().await;
    for parallel in [false, true] {
        plan(&bench, [Kind::Throttle, Kind::Throttle, Kind::Conflict, Kind::Throttle]);
        let result = measured(&bench, [], json!({"parallelInvocation": parallel})).await.unwrap();
        assert_eq!(result["invocations"], 5, "{result}");
        assert_eq!(result.get("lost"), None, "{result}");
        assert_eq!(bench.stage().seen().len(), 5);
        assert_eq!(bench.aws().faults.end().len(), 9);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_is_reported_as_lost_and_the_invocation_never_repeated() {
    let bench = bench().await;
    for parallel in [false, true] {
        for (kind, ran) in [(Kind::LostAnswer, 5), (Kind::LostRequest, 4), (Kind::ServerError, 4)] {
            plan(&bench, [kind]);
            let result = measured(&bench, [], json!({"parallelInvocation": parallel})).await.unwrap();
            assert_eq!((&result["invocations"], &result["lost"]), (&json!(4), &json!(1)), "{result}");
            assert_eq!(bench.stage().seen().len(), ran, "{kind:?}");
            assert_eq!(bench.aws().faults.end().len(), 5);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_no_answer_arrives_the_run_fails_and_says_why() {
    let bench = bench().await;
    plan(&bench, [Kind::LostAnswer; 5]);
    let error = measured(&bench, [], json!({})).await.unwrap_err();
    assert_eq!(error.kind, "NothingMeasured");
    assert!(error.message.contains("power value 512: none of 5 invocations was answered"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn being_refused_for_a_quarter_of_an_hour_is_an_error() {
    let bench = bench().await;
    bench.lambda("PutFunctionConcurrency", json!({"ReservedConcurrentExecutions": 0})).await;
    bench.stage().time(1_000);
    let mut event = bench.handle("executor", event(json!({}))).await.unwrap();
    let stalled = event["progress"]["stalledMs"].as_u64().unwrap();
    assert!((500..10_000).contains(&stalled), "{stalled}");
    event["progress"]["stalledMs"] = json!(15 * 60 * 1000);
    let error = bench.handle("executor", event).await.unwrap_err();
    assert_eq!(error.kind, "OutOfTime");
    for part in ["reserved concurrency", "TooManyRequests"] {
        assert!(error.message.contains(part), "{part}: {error:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invocation_longer_than_a_pass_is_an_error_not_a_loop() {
    let bench = bench().await;
    bench.stage().time(300);
    for parallel in [false, true] {
        let slow = (0..5).map(|_| Answer::good().after(15_000));
        let error = measured(&bench, slow, json!({"parallelInvocation": parallel})).await.unwrap_err();
        assert_eq!(error.kind, "OutOfTime");
        assert!(error.message.contains("totalExecutionTimeout"), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_passes_make_each_invocation_once() {
    let bench = bench().await;
    bench.stage().time(1_000);
    plan(&bench, [Kind::Throttle; 9]);
    let weighted = json!([{"payload": 1, "weight": 1}, {"payload": 2, "weight": 3}]);
    let input = json!({"parallelInvocation": true, "num": 8, "payload": weighted});
    assert_eq!(measured(&bench, [], input).await.unwrap()["invocations"], 8);
    let mut sent = payloads(bench.stage());
    sent.sort();
    assert_eq!(sent, ["1", "1", "2", "2", "2", "2", "2", "2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pauses_last_as_long_as_asked_over_passes() {
    let bench = bench().await;
    bench.stage().time(400);
    for (lanes, pauses) in [(1, 4), (2, 2)] {
        let started = Instant::now();
        // Longer than a pass.
        let input = json!({"sleepBetweenRunsMs": 600, "lanes": lanes});
        let result = measured(&bench, [], input).await.unwrap();
        assert_eq!(result["invocations"], 5);
        assert!(result["passes"].as_u64().unwrap() > 1, "{result}");
        assert_eq!(bench.stage().seen().len(), 5);
        assert!(started.elapsed() >= Duration::from_millis(600) * pauses, "{:?}", started.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processors_run_around_every_invocation_and_are_not_counted() {
    let bench = bench().await;
    make(&bench, &["before", "after"]).await;
    let script = (0..5).flat_map(|i| {
        let replaced = if i == 0 { json!(null) } else { json!({"prepared": i}) };
        [Answer::Returns(replaced).after(50), Answer::good(), Answer::Returns(json!(null)).after(50)]
    });
    let processors = json!({
        "payload": {"a": 1}, "preProcessorARN": function_arn("before"),
        "postProcessorARN": format!("{}:live", function_arn("after")),
    });
    let result = measured(&bench, script, processors).await.unwrap();
    assert_eq!(result["invocations"], 5);
    let duration = result["averageDuration"].as_f64().unwrap();
    assert!(duration < 50.0, "processors are not counted: {duration} ms");
    let seen = bench.stage().seen();
    let sent: Vec<(&str, &str)> =
        seen.iter().map(|seen| (seen.function.as_str(), seen.payload.as_str())).collect();
    let (tuned, original, answer) = ("tuned:deployer-tuning-512", "{\"a\":1}", "{\"ok\":true}");
    assert_eq!(sent[..3], [("before", original), (tuned, original), ("after:live", answer)]);
    assert_eq!(sent[3..6], [("before", original), (tuned, "{\"prepared\":1}"), ("after:live", answer)]);
    assert_eq!(sent.len(), 15);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_processor_fails_the_run() {
    let bench = bench().await;
    make(&bench, &["before", "after"]).await;
    let failing = Answer::Raises { kind: "SetupError", message: "no database for {\"secret\":1}" };
    let (before, after) = (function_arn("before"), function_arn("after"));
    let input = json!({"payload": {"secret": 1}, "preProcessorARN": before});
    let error = measured(&bench, [failing.clone()], input).await.unwrap_err();
    assert_eq!(error.kind, "ProcessorFailed");
    for part in ["power value 512", "preProcessor", &before, "SetupError", "{\"secret\":1}"] {
        assert!(error.message.contains(part), "{part}: {error:?}");
    }
    let input = json!({"payload": {"secret": 1}, "postProcessorARN": after, "disablePayloadLogs": true});
    let error = measured(&bench, [Answer::good(), failing], input).await.unwrap_err();
    for part in ["postProcessor", "SetupError"] {
        assert!(error.message.contains(part), "{part}: {error:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_s_error_is_told_whole() {
    let bench = bench().await;
    let raised = Answer::Raises { kind: "ValueError", message: "no such customer" };
    let error = measured(&bench, [Answer::good(), raised], json!({"payload": {"id": 7}})).await.unwrap_err();
    assert_eq!(error.kind, "InvocationFailed");
    for part in
        ["power value 512", "invocation 2 of 5", "{\"id\":7}", "ValueError", "no such customer", "frame 1"]
    {
        assert!(error.message.contains(part), "{part} is missing: {error:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payload_that_is_not_to_be_logged_is_in_no_message() {
    let bench = bench().await;
    make(&bench, &["before"]).await;
    let raised = Answer::Raises { kind: "ValueError", message: "cannot work with {\"secret\":\"xyzzy\"}" };
    let input = json!({"payload": {"secret": "xyzzy"}, "disablePayloadLogs": true});
    let error = measured(&bench, [raised.clone()], input.clone()).await.unwrap_err();
    assert!(error.message.contains("ValueError") && !error.message.contains("xyzzy"), "{error:?}");

    let input = with(input, json!({"preProcessorARN": function_arn("before")}));
    let error = measured(&bench, [raised], input).await.unwrap_err();
    assert!(error.message.contains("preProcessor") && !error.message.contains("xyzzy"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn allowed_exceptions_are_results() {
    let bench = bench().await;
    let raised = Answer::Raises { kind: "NotFound", message: "x" };
    let result = measured(&bench, [raised], json!({"allowedExceptions": ["NotFound"]})).await.unwrap();
    assert_eq!((&result["invocations"], &result["errors"]), (&json!(5), &json!(1)), "{result}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_fails_the_run_and_is_counted() {
    let bench = bench().await;
    for parallel in [false, true] {
        let script = [Answer::good(), Answer::Exits, Answer::good(), Answer::Exits];
        let input = json!({"parallelInvocation": parallel});
        let error = measured(&bench, script, input).await.unwrap_err();
        assert_eq!(error.kind, "FunctionCrashed");
        for part in ["power value 512: the function crashed in 2 of 5 invocations", "exit status 1"] {
            assert!(error.message.contains(part), "{part}: {error:?}");
        }
        assert_eq!(bench.stage().seen().len(), 5);
        let allowed = json!({"parallelInvocation": parallel, "allowedExceptions": ["Runtime.ExitError"]});
        assert_eq!(measured(&bench, [Answer::Exits], allowed).await.unwrap()["errors"], 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_size_that_runs_out_of_memory_is_skipped_with_the_reason() {
    let bench = bench().await;
    let result = measured(&bench, [Answer::RunsOutOfMemory], json!({})).await.unwrap();
    assert!(result["skipped"].as_str().unwrap().starts_with("out of memory: "), "{result}");
    assert_eq!(bench.stage().seen().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_that_always_crashes_is_not_invoked_to_the_end() {
    let bench = bench().await;
    let script = (0..20).map(|_| Answer::Exits);
    let error = measured(&bench, script, json!({"num": 20})).await.unwrap_err();
    assert!(error.message.contains("crashed in 5 of 5 invocations"), "{error:?}");
    assert_eq!(bench.stage().seen().len(), 5);
}

/// Crashes of a pass count in the next.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crashes_are_counted_over_passes() {
    let bench = bench().await;
    bench.stage().time(1_400);
    let script = [Answer::Exits, Answer::good(), Answer::good(), Answer::good(), Answer::Exits];
    bench.stage().script(script.map(|answer| answer.after(150)));
    let event = bench.handle("executor", event(json!({}))).await.unwrap();
    assert_eq!(event["progress"]["crashes"], 1, "the first pass ends before the second crash: {event}");
    let mut answer = Ok(event);
    while let Ok(event) = answer {
        answer = bench.handle("executor", event).await;
    }
    let error = answer.unwrap_err();
    assert!(error.message.contains("crashed in 2 of 5 invocations"), "{error:?}");
    assert_eq!(bench.stage().seen().len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_report_is_an_error_and_not_a_zero() {
    let bench = bench().await;
    let quiet = json!({"LoggingConfig": {"LogFormat": "JSON", "SystemLogLevel": "WARN"}});
    bench.lambda("UpdateFunctionConfiguration", quiet).await;
    let version = bench.lambda("PublishVersion", json!({})).await["Version"].clone();
    bench.lambda("UpdateAlias", json!({"Name": "deployer-tuning-512", "FunctionVersion": version})).await;
    let error = measured(&bench, [], json!({})).await.unwrap_err();
    assert_eq!(error.kind, "NoReport");
    assert!(error.message.contains("power value 512: invocation 1 of 5"), "{error:?}");
}

/// What the Executor makes of an error of `Invoke`.
#[derive(Debug, Clone, Copy)]
enum Verdict {
    /// It invokes again, and all are measured.
    Retries,
    /// It skips the size.
    Skips,
    /// It counts one as lost and does not invoke again for it.
    Loses,
    /// It ends with an error of this kind.
    Fails(&'static str),
}

/// Every error of `Invoke` in botocore 1.44.8's model of Lambda.
const VERDICTS: [(&str, Verdict); 45] = [
    ("CodeArtifactUserDeletedException", Verdict::Retries),
    ("CodeArtifactUserFailedException", Verdict::Fails("Refused")),
    ("CodeArtifactUserPendingException", Verdict::Retries),
    ("DurableExecutionAlreadyStartedException", Verdict::Fails("Refused")),
    ("EC2AccessDeniedException", Verdict::Fails("Refused")),
    ("EC2ThrottledException", Verdict::Retries),
    ("EC2UnexpectedException", Verdict::Retries),
    ("EFSIOException", Verdict::Fails("Refused")),
    ("EFSMountConnectivityException", Verdict::Fails("Refused")),
    ("EFSMountFailureException", Verdict::Fails("AccessDenied")),
    ("EFSMountTimeoutException", Verdict::Retries),
    ("ENILimitReachedException", Verdict::Retries),
    ("ENINotReadyException", Verdict::Retries),
    ("InvalidParameterValueException", Verdict::Fails("Refused")),
    ("InvalidRequestContentException", Verdict::Fails("Refused")),
    ("InvalidRuntimeException", Verdict::Fails("Refused")),
    ("InvalidSecurityGroupIDException", Verdict::Fails("Refused")),
    ("InvalidSubnetIDException", Verdict::Fails("Refused")),
    ("InvalidZipFileException", Verdict::Fails("Refused")),
    ("KMSAccessDeniedException", Verdict::Fails("Refused")),
    ("KMSDisabledException", Verdict::Fails("Refused")),
    ("KMSInvalidStateException", Verdict::Fails("Refused")),
    ("KMSNotFoundException", Verdict::Fails("Refused")),
    ("ModeNotSupportedException", Verdict::Fails("Refused")),
    ("NoPublishedVersionException", Verdict::Fails("Refused")),
    ("RecursiveInvocationException", Verdict::Fails("Refused")),
    ("RequestTooLargeException", Verdict::Fails("Refused")),
    ("ResourceConflictException", Verdict::Retries),
    ("ResourceNotFoundException", Verdict::Fails("FunctionNotFound")),
    ("ResourceNotReadyException", Verdict::Retries),
    ("RuntimeAliasDeletedException", Verdict::Fails("Refused")),
    ("RuntimeVersionDeletedException", Verdict::Fails("Refused")),
    ("S3FilesMountConnectivityException", Verdict::Fails("Refused")),
    ("S3FilesMountFailureException", Verdict::Fails("AccessDenied")),
    ("S3FilesMountTimeoutException", Verdict::Retries),
    ("SerializedRequestEntityTooLargeException", Verdict::Fails("Refused")),
    ("ServiceException", Verdict::Loses),
    ("ServiceQuotaExceededException", Verdict::Fails("Refused")),
    ("SnapStartException", Verdict::Fails("Refused")),
    ("SnapStartNotReadyException", Verdict::Retries),
    ("SnapStartRegenerationFailureException", Verdict::Retries),
    ("SnapStartTimeoutException", Verdict::Skips),
    ("SubnetIPAddressLimitReachedException", Verdict::Retries),
    ("TooManyRequestsException", Verdict::Retries),
    ("UnsupportedMediaTypeException", Verdict::Fails("Refused")),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_error_of_invoke_has_its_verdict() {
    let bench = bench().await;
    let known: Vec<&str> = InvokeError::all().map(InvokeError::code).collect();
    assert_eq!(known, VERDICTS.map(|(code, _)| code));
    for (error, (code, verdict)) in InvokeError::all().zip(VERDICTS) {
        // The second of five, so that what comes before and after it is seen.
        bench.aws().faults.plan(vec![Fault::at("executor", "Invoke", 2, Kind::InvokeError(error))]);
        let answer = measured(&bench, [], json!({})).await;
        let (asked, ran) = (bench.aws().faults.end().len(), bench.stage().seen().len());
        let found = match (verdict, &answer) {
            (Verdict::Retries, Ok(result)) => {
                result["invocations"] == 5 && result.get("lost").is_none() && (asked, ran) == (6, 5)
            }
            (Verdict::Skips, Ok(result)) => {
                result["skipped"].as_str().is_some_and(|why| why.starts_with(code)) && (asked, ran) == (2, 1)
            }
            (Verdict::Loses, Ok(result)) => {
                result["invocations"] == 4 && result["lost"] == 1 && (asked, ran) == (5, 4)
            }
            (Verdict::Fails(kind), Err(error)) => {
                let where_and_why = ["power value 512: ", code];
                error.kind == kind
                    && where_and_why.iter().all(|part| error.message.contains(part))
                    && (asked, ran) == (2, 1)
            }
            _ => false,
        };
        assert!(found, "{code} ({verdict:?}), asked {asked} times, ran {ran} times: {answer:?}");
    }
}
