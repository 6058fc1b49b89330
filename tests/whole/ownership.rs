//! What is somebody else's stays theirs, who comes second is told who was first, and no transient failure makes a wrong number.

use local_aws::Service;
use local_aws::lambda::Behaviour;
use serde_json::{Value, json};

use crate::bench::{Bench, FUNCTION, differences};

/// A run that takes a while: there are pauses between its invocations.
fn slow() -> Value {
    json!({"num": 5, "powerValues": [128, 512], "sleepBetweenRunsMs": 300, "includeOutputResults": true})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_makes_during_a_run_is_theirs() {
    let bench = Bench::new().await;
    let before = bench.snapshot().await;
    let run = bench.start(slow()).await;
    let copy = bench.snapshot_version().await;
    // An alias on the copy, one named as a run's are, a publication, and traffic for what that brought.
    bench.lambda("CreateAlias", json!({"Name": "mine", "FunctionVersion": copy})).await;
    bench.lambda("CreateAlias", json!({"Name": "deployer-tuning-1024", "FunctionVersion": "1"})).await;
    let published = bench.lambda("PublishVersion", json!({"Description": "deployer-tuning-512"})).await;
    let weights = json!({"AdditionalVersionWeights": {published["Version"].as_str().unwrap(): 0.5}});
    bench
        .lambda("UpdateAlias", json!({"Name": "canary", "FunctionVersion": "1", "RoutingConfig": weights}))
        .await;
    let over = bench.ended(&run).await;
    bench.quiet().await;
    let left = differences(&before, &bench.snapshot().await);
    let expected = |line: &String| {
        ["\"mine\"", "\"deployer-tuning-1024\"", "\"deployer-tuning-512\"", "\"canary\""]
            .iter()
            .any(|name| line.contains(name))
            || (line.starts_with("/versions: new") && line.contains(&format!("\"Version\":\"{copy}\"")))
    };
    assert!(left.iter().all(expected), "{over:?}: {left:#?}");
    // The copy is kept for the aliases on it, and it is what Lambda answered the publication with, since nothing had changed.
    assert_eq!(published["Version"], copy.as_str());
    assert_eq!(left.len(), 5, "three aliases made, one changed, the version: {left:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_runs_on_a_function_the_second_is_told_of_the_first() {
    let bench = Bench::new().await;
    let before = bench.snapshot().await;
    let (one, two) = (bench.start(slow()).await, bench.start(slow()).await);
    let (one, two) = (bench.ended(&one).await, bench.ended(&two).await);
    let (won, lost) = if one.status == "SUCCEEDED" { (one, two) } else { (two, one) };
    assert_eq!((won.status.as_str(), lost.status.as_str()), ("SUCCEEDED", "FAILED"), "{won:?}\n{lost:?}");
    assert!(lost.cause.contains("AlreadyBeingTuned") && lost.cause.contains(&won.arn), "{lost:?}");
    bench.quiet().await;
    assert_eq!(differences(&before, &bench.snapshot().await), Vec::<String>::new());
    assert_eq!(bench.invocations().values().sum::<u64>(), 10, "the second invoked nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_functions_are_tuned_at_once() {
    let bench = Bench::new().await;
    let names: Vec<String> = (0..10).map(|number| format!("function-{number}")).collect();
    let (mut before, mut runs) = (Vec::new(), Vec::new());
    for name in &names {
        bench.make(name).await;
        before.push(bench.snapshot_of(name).await);
    }
    for name in &names {
        runs.push(bench.start_on(name, json!({"num": 5, "powerValues": [128, 512]}), None).await.unwrap());
    }
    for run in &runs {
        let over = bench.ended(run).await;
        assert_eq!(over.status, "SUCCEEDED", "{over:?}");
    }
    bench.quiet().await;
    for (name, before) in names.iter().zip(before) {
        assert_eq!(differences(&before, &bench.snapshot_of(name).await), Vec::<String>::new(), "{name}");
    }
    assert_eq!(bench.invocations().values().sum::<u64>(), 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_execution_is_started_once_under_its_name() {
    let bench = Bench::new().await;
    let before = bench.snapshot().await;
    let first = bench.start_on(FUNCTION, slow(), Some("nightly")).await.unwrap();
    bench.snapshot_version().await;
    let again = bench.start_on(FUNCTION, slow(), Some("nightly")).await.unwrap();
    assert_eq!(first, again, "the same input under the same name is the same execution");
    bench.ok(Service::States, "StopExecution", json!({"executionArn": first})).await;
    let taken = bench.start_on(FUNCTION, slow(), Some("nightly")).await.unwrap_err();
    assert_eq!(taken.code, "ExecutionAlreadyExists");
    // Another one at once: it waits for nobody, since who holds the function is over.
    let next =
        bench.start_on(FUNCTION, json!({"num": 5, "powerValues": [128]}), Some("nightly-2")).await.unwrap();
    let over = bench.ended(&next).await;
    assert_eq!(over.status, "SUCCEEDED", "{over:?}");
    bench.quiet().await;
    assert_eq!(differences(&before, &bench.snapshot().await), Vec::<String>::new());
}

/// Runs 200 invocations of each size at once and compares with what the function has noted.
async fn two_hundred(bench: &Bench) {
    bench.ok(Service::Lambda, "DeleteFunctionConcurrency", json!({"FunctionName": FUNCTION})).await;
    let before = bench.snapshot().await;
    let input = json!({"num": 200, "powerValues": [128, 512], "parallelInvocation": true, "includeOutputResults": true});
    let over = bench.run(input).await;
    assert_eq!(over.status, "SUCCEEDED", "{over:?}");
    for stat in over.output["stats"].as_array().unwrap() {
        assert_eq!(stat["invocations"], 200, "{stat}");
        assert_eq!(stat["lost"].as_u64().unwrap_or_default(), 0, "{stat}");
    }
    let noted = bench.invocations();
    assert_eq!(noted, [(128, 200), (512, 200)].into(), "as the function counts");
    bench.quiet().await;
    assert_eq!(differences(&before, &bench.snapshot().await), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_with_ten_concurrent_invocations_takes_longer() {
    let bench = Bench::new().await;
    bench.behave(|behaviour| Behaviour { account_concurrency: 10, ..behaviour });
    two_hundred(&bench).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_with_a_thousand_takes_all_at_once() {
    let bench = Bench::new().await;
    two_hundred(&bench).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_throttled_control_plane_is_waited_for() {
    let bench = Bench::new().await;
    bench.behave(|behaviour| Behaviour { control_plane_rate: Some(15), ..behaviour });
    let before = bench.snapshot().await;
    bench.aws().faults.plan(Vec::new());
    let input =
        json!({"num": 5, "powerValues": [128, 512], "onlyColdStarts": true, "includeOutputResults": true});
    let over = bench.run(input).await;
    assert_eq!(over.status, "SUCCEEDED", "{over:?}");
    bench.quiet().await;
    let throttled = bench.aws().faults.end().iter().filter(|call| call.status == Some(429)).count();
    assert!(throttled > 0, "the rate was never reached");
    for stat in over.output["stats"].as_array().unwrap() {
        assert_eq!((&stat["invocations"], &stat["coldStarts"]), (&json!(5), &json!(5)), "{stat}");
    }
    assert_eq!(bench.invocations(), [(128, 5), (512, 5)].into());
    assert_eq!(differences(&before, &bench.snapshot().await), Vec::<String>::new());
}
