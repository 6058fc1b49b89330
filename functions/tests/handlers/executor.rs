//! Measuring one power value: what is sent, counted, waited out and given up.

use std::time::Duration;

use functions::error::{Error, Kind};
use functions::handlers::Handler;
use serde_json::{Value, json};

use crate::fake::Fake;
use crate::machine::Machine;
use crate::world::{ARN, Invoked, World};

const PRE: &str = "arn:aws:lambda:us-east-1:123456789012:function:pre";
const POST: &str = "arn:aws:lambda:us-east-1:123456789012:function:post:live";

fn event(extra: Value) -> Value {
    let mut input = json!({"lambdaARN": ARN, "num": 5});
    for (name, value) in extra.as_object().unwrap() {
        input[name] = value.clone();
    }
    input["run"] = json!({
        "execution": crate::machine::EXECUTION, "functionName": "target", "functionArn": ARN, "region": "us-east-1",
        "architecture": "x86_64", "timeout": 3, "powerValues": [512], "num": 5, "baseline": {"memorySize": 256},
        "snapshotVersion": "1", "codeSha256": "c0de", "settings": "", "published": {"done": true},
    });
    json!({"input": input, "value": 512})
}

async fn measure(script: impl IntoIterator<Item = Invoked>, extra: Value) -> (Fake, Result<Value, Error>) {
    measure_within(Duration::from_secs(20), script, extra).await
}

async fn measure_within(
    time: Duration,
    script: impl IntoIterator<Item = Invoked>,
    extra: Value,
) -> (Fake, Result<Value, Error>) {
    let fake = Fake::start(World { script: script.into_iter().collect(), ..World::default() }).await;
    let mut machine = Machine::new(&fake);
    machine.time = time;
    let event = event(extra);
    let result = machine.measure(&event["input"], &event["value"]).await;
    (fake, result)
}

fn payloads(fake: &Fake) -> Vec<String> {
    fake.world().seen.iter().map(|seen| seen.payload.clone()).collect()
}

#[tokio::test]
async fn throttled_invocations_are_waited_out_and_not_counted() {
    for parallel in [false, true] {
        let throttled = || Invoked::Error(429, "TooManyRequestsException");
        let script =
            [throttled(), throttled(), Invoked::Error(409, "ResourceConflictException"), throttled()];
        let (fake, result) = measure(script, json!({"parallelInvocation": parallel})).await;
        let result = result.unwrap();
        assert_eq!(result["invocations"], 5, "{result}");
        assert_eq!(result.get("lost"), None, "{result}");
        assert_eq!(fake.world().seen.len(), 5);
    }
}

#[tokio::test]
async fn a_lost_answer_is_reported_as_lost_and_the_invocation_never_repeated() {
    for parallel in [false, true] {
        for lost in [Invoked::Lost, Invoked::Error(500, "ServiceException")] {
            let ran = matches!(lost, Invoked::Lost);
            let (fake, result) =
                measure([Invoked::took(10.0), lost], json!({"parallelInvocation": parallel})).await;
            let result = result.unwrap();
            assert_eq!((&result["invocations"], &result["lost"]), (&json!(4), &json!(1)), "{result}");
            assert_eq!(fake.world().seen.len(), if ran { 5 } else { 4 });
            assert_eq!(fake.calls().len(), 5);
        }
    }
}

#[tokio::test]
async fn when_no_answer_arrives_the_run_fails_and_says_why() {
    let (_, result) = measure((0..5).map(|_| Invoked::Lost), json!({})).await;
    let error = result.unwrap_err();
    assert_eq!(error.kind, Kind::NothingMeasured);
    assert!(error.message.contains("power value 512: none of 5 invocations was answered"), "{error}");
}

#[tokio::test]
async fn never_connecting_is_not_losing() {
    // Nobody listens there, so nothing can have run: the pass ends without a lost invocation.
    let fake = Fake::start(World::default()).await;
    let clients = crate::fake::clients_of("http://127.0.0.1:9", "test", &[]);
    let deadline = functions::deadline::Deadline::within(Duration::from_millis(500));
    let result = Handler::Executor.handle(event(json!({})), deadline, &clients).await.unwrap();
    assert_eq!(result["progress"]["measurements"]["lost"], 0, "{result}");
    assert_eq!(result["progress"]["done"], json!([]));
    assert!(result["progress"]["stalledMs"].as_u64().unwrap() > 0);
    drop(fake);
}

#[tokio::test]
async fn being_refused_for_a_quarter_of_an_hour_is_an_error() {
    let script = (0..100).map(|_| Invoked::Error(429, "TooManyRequestsException"));
    let fake = Fake::start(World { script: script.collect(), ..World::default() }).await;
    let mut machine = Machine::new(&fake);
    machine.time = Duration::from_millis(100);
    let mut event = event(json!({}));
    event = machine.handle(Handler::Executor, event).await.unwrap();
    let stalled = event["progress"]["stalledMs"].as_u64().unwrap();
    assert!((50..5000).contains(&stalled), "{stalled}");
    event["progress"]["stalledMs"] = json!(15 * 60 * 1000);
    let error = machine.handle(Handler::Executor, event).await.unwrap_err();
    assert_eq!(error.kind, Kind::OutOfTime);
    assert!(
        error.message.contains("reserved concurrency") && error.message.contains("TooManyRequests"),
        "{error}"
    );
}

#[tokio::test]
async fn an_invocation_longer_than_a_pass_is_an_error_not_a_loop() {
    let slow = Invoked::Answer {
        log: crate::world::report(5.0),
        payload: json!(null),
        failed: false,
        after_ms: 60_000,
    };
    for parallel in [false, true] {
        let script = (0..5).map(|_| slow.clone());
        let (_, result) =
            measure_within(Duration::from_millis(300), script, json!({"parallelInvocation": parallel})).await;
        let error = result.unwrap_err();
        assert_eq!(error.kind, Kind::OutOfTime);
        assert!(error.message.contains("totalExecutionTimeout"), "{error}");
    }
}

#[tokio::test]
async fn parallel_passes_make_each_invocation_once() {
    let throttled = (0..9).map(|_| Invoked::Error(429, "TooManyRequestsException"));
    let (fake, result) = measure_within(
        Duration::from_millis(250),
        throttled,
        json!({"parallelInvocation": true, "num": 8, "payload": [
            {"payload": 1, "weight": 1}, {"payload": 2, "weight": 3},
        ]}),
    )
    .await;
    assert_eq!(result.unwrap()["invocations"], 8);
    let mut sent = payloads(&fake);
    sent.sort();
    assert_eq!(sent, ["1", "1", "2", "2", "2", "2", "2", "2"]);
}

#[tokio::test]
async fn pauses_last_as_long_as_asked_over_passes() {
    let started = std::time::Instant::now();
    let (fake, result) =
        measure_within(Duration::from_millis(400), [], json!({"sleepBetweenRunsMs": 300})).await;
    assert_eq!(result.unwrap()["invocations"], 5);
    assert_eq!(fake.world().seen.len(), 5);
    assert!(started.elapsed() >= Duration::from_millis(4 * 300), "{:?}", started.elapsed());
}

#[tokio::test]
async fn processors_run_around_every_invocation_and_are_not_counted() {
    let answer = |payload: Value| Invoked::Answer { log: String::new(), payload, failed: false, after_ms: 0 };
    let script = (0..5).flat_map(|i| {
        let replaced = if i == 0 { json!(null) } else { json!({"prepared": i}) };
        [answer(replaced), Invoked::took(10.0), answer(json!(null))]
    });
    let (fake, result) =
        measure(script, json!({"payload": {"a": 1}, "preProcessorARN": PRE, "postProcessorARN": POST})).await;
    let result = result.unwrap();
    assert_eq!((&result["invocations"], &result["averageDuration"]), (&json!(5), &json!(10.0)));
    let world = fake.world();
    let sent: Vec<(&str, &str)> = world
        .seen
        .iter()
        .map(|seen| (seen.function.rsplit("function:").next().unwrap(), seen.payload.as_str()))
        .collect();
    let original = "{\"a\":1}";
    let result = "{\"ok\":true}";
    assert_eq!(sent[..3], [("pre", original), ("target", original), ("post:live", result)]);
    assert_eq!(sent[3..6], [("pre", original), ("target", "{\"prepared\":1}"), ("post:live", result)]);
    assert_eq!(sent.len(), 15);
}

#[tokio::test]
async fn a_failing_processor_fails_the_run() {
    let failing = || Invoked::raised("SetupError", "no database for {\"secret\":1}");
    let (_, result) = measure([failing()], json!({"payload": {"secret": 1}, "preProcessorARN": PRE})).await;
    let error = result.unwrap_err();
    assert_eq!(error.kind, Kind::ProcessorFailed);
    for part in ["power value 512", "preProcessor", PRE, "SetupError", "{\"secret\":1}"] {
        assert!(error.message.contains(part), "{part}: {error}");
    }
    let (_, result) = measure(
        [Invoked::took(1.0), failing()],
        json!({"payload": {"secret": 1}, "postProcessorARN": POST, "disablePayloadLogs": true}),
    )
    .await;
    let error = result.unwrap_err();
    assert!(error.message.contains("postProcessor") && error.message.contains("SetupError"), "{error}");
}

#[tokio::test]
async fn a_payload_that_is_not_to_be_logged_is_in_no_message() {
    let script = [Invoked::raised("ValueError", "cannot work with {\"secret\":\"xyzzy\"}")];
    let extra = json!({"payload": {"secret": "xyzzy"}, "disablePayloadLogs": true});
    let (_, result) = measure(script, extra).await;
    let error = result.unwrap_err();
    assert!(error.message.contains("ValueError") && !error.message.contains("xyzzy"), "{error}");

    let (_, result) = measure(
        [Invoked::raised("E", "x")],
        json!({"payload": {"secret": "xyzzy"}, "preProcessorARN": PRE, "disablePayloadLogs": true}),
    )
    .await;
    let error = result.unwrap_err();
    assert!(error.message.contains("preProcessor") && !error.message.contains("xyzzy"), "{error}");
}

#[tokio::test]
async fn allowed_exceptions_are_results() {
    let (_, result) =
        measure([Invoked::raised("NotFound", "x")], json!({"allowedExceptions": ["NotFound"]})).await;
    let result = result.unwrap();
    assert_eq!((&result["invocations"], &result["errors"]), (&json!(5), &json!(1)), "{result}");
}

fn exited(used: u32) -> Invoked {
    let log = format!(
        "REPORT RequestId: r\tDuration: 9.00 ms\tBilled Duration: 9 ms\tMemory Size: 512 MB\tMax Memory Used: {used} MB\tStatus: error\tError Type: Runtime.ExitError\n"
    );
    let message = "RequestId: r Error: Runtime exited with error: exit status 1";
    let payload = json!({"errorType": "Runtime.ExitError", "errorMessage": message});
    Invoked::Answer { log, payload, failed: true, after_ms: 0 }
}

#[tokio::test]
async fn a_crash_fails_the_run_and_is_counted() {
    for parallel in [false, true] {
        let script = [Invoked::took(5.0), exited(60), Invoked::took(5.0), exited(60)];
        let (fake, result) = measure(script, json!({"parallelInvocation": parallel})).await;
        let error = result.unwrap_err();
        assert_eq!(error.kind, Kind::InvocationFailed);
        for part in ["power value 512: the function crashed in 2 of 5 invocations", "exit status 1"] {
            assert!(error.message.contains(part), "{part}: {error}");
        }
        assert_eq!(fake.world().seen.len(), 5);
        let allowed = json!({"parallelInvocation": parallel, "allowedExceptions": ["Runtime.ExitError"]});
        let (_, result) = measure([exited(60)], allowed).await;
        assert_eq!(result.unwrap()["errors"], 1);
    }
    let (_, result) = measure([exited(512)], json!({})).await;
    assert!(result.unwrap()["skipped"].as_str().unwrap().starts_with("out of memory: "));
}

#[tokio::test]
async fn a_function_that_always_crashes_is_not_invoked_to_the_end() {
    let script = (0..20).map(|_| exited(60));
    let (fake, result) = measure(script, json!({"num": 20})).await;
    let error = result.unwrap_err();
    assert!(error.message.contains("crashed in 5 of 5 invocations"), "{error}");
    assert_eq!(fake.world().seen.len(), 5);
}

/// Crashes of a pass count in the next.
#[tokio::test]
async fn crashes_are_counted_over_passes() {
    let slow = |invoked| match invoked {
        Invoked::Answer { log, payload, failed, .. } => {
            Invoked::Answer { log, payload, failed, after_ms: 150 }
        }
        other => other,
    };
    let script = [exited(60), Invoked::took(5.0), Invoked::took(5.0), Invoked::took(5.0), exited(60)];
    let (fake, result) = measure_within(Duration::from_millis(1_400), script.map(slow), json!({})).await;
    let error = result.unwrap_err();
    assert!(error.message.contains("crashed in 2 of 5 invocations"), "{error}");
    assert_eq!(fake.world().seen.len(), 5);
}

#[tokio::test]
async fn no_report_is_an_error_and_not_a_zero() {
    let silent =
        Invoked::Answer { log: "nothing here\n".into(), payload: json!(1), failed: false, after_ms: 0 };
    let (_, result) = measure([silent], json!({})).await;
    let error = result.unwrap_err();
    assert_eq!(error.kind, Kind::NoReport);
    assert!(error.message.contains("power value 512: invocation 1 of 5"), "{error}");
}

#[tokio::test]
async fn a_payload_may_come_from_s3() {
    let mut world = World::default();
    let weighted = json!([{"payload": {"big": 1}, "weight": 4}, {"payload": {"big": 2}, "weight": 1}]);
    world.objects.insert("bucket/some/key.json".to_owned(), weighted.to_string());
    let fake = Fake::start(world).await;
    let mut machine = Machine::new(&fake);
    let event = event(json!({"payload": "not this", "payloadS3": "s3://bucket/some/key.json"}));
    machine.measure(&event["input"], &event["value"]).await.unwrap();
    let (one, two) = ("{\"big\":1}", "{\"big\":2}");
    assert_eq!(payloads(&fake), [one, one, one, one, two]);

    fake.world().objects.clear();
    let error = machine.measure(&event["input"], &event["value"]).await.unwrap_err();
    assert_eq!(error.kind, Kind::InvalidInput);
    assert!(error.message.contains("s3://bucket/some/key.json does not exist"), "{error}");
}
