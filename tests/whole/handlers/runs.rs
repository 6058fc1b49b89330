//! Whole runs that go well: what they answer and what they leave.

use std::collections::BTreeSet;
use std::time::Duration;

use local_aws::Service;
use local_aws::faults::{Fault, Kind};
use local_aws::lambda::Behaviour;
use serde_json::{Value, json};

use super::{Walk, assert_kept, memory_of, version_of, walked, with};
use crate::bench::{Bench, FUNCTION, differences};
use crate::in_process::Answer;

fn input(more: Value) -> Value {
    with(json!({"num": 5, "powerValues": [128, 256, 1024]}), more)
}

/// With a tuned function whose answers are scripted.
async fn scripted() -> Bench {
    let bench = super::bench().await;
    bench.lambda("UpdateFunctionConfiguration", json!({"Handler": "scripted"})).await;
    bench
}

async fn succeeds(bench: &Bench, input: Value) -> Value {
    let over = bench.run(input).await;
    assert_eq!(over.status, "SUCCEEDED", "{over:?}");
    bench.quiet().await;
    over.output
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishing_changes_the_revision_and_no_call_relies_on_an_old_one() {
    let bench = super::bench().await;
    let configuration = async || bench.lambda("GetFunctionConfiguration", json!({})).await;
    let before = configuration().await["RevisionId"].clone();
    let version = bench.lambda("PublishVersion", json!({})).await;
    assert_ne!(configuration().await["RevisionId"], before, "as on AWS");
    let function = json!({"FunctionName": FUNCTION, "Qualifier": version["Version"]});
    bench.ok(Service::Lambda, "DeleteFunction", function).await;

    bench.aws().faults.plan(Vec::new());
    succeeds(&bench, input(json!({}))).await;
    let made = bench.aws().faults.end();
    let published = made.iter().filter(|call| call.operation == "PublishVersion");
    // The snapshot, which is the version of its own size too, and one for each other size, at the first attempt: an outdated
    // revision would be refused with 412.
    assert_eq!(published.map(|call| call.status).collect::<Vec<_>>(), [Some(201); 3], "{made:?}");
    assert!(made.iter().all(|call| call.status != Some(412)), "{made:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_size_is_measured_at_its_own_version() {
    let bench = walked().await;
    let before = bench.snapshot().await;
    let walk = Walk::start(&bench, json!({"powerValues": [128, 256, 1024]})).await.published().await;
    assert_eq!(memory_of(&bench, "$LATEST").await, 256, "its own size again before anything is measured");
    for (alias, memory) in
        [("deployer-tuning-128", 128), ("deployer-tuning-256", 256), ("deployer-tuning-1024", 1024)]
    {
        let version = version_of(&bench, alias).await;
        assert_eq!(memory_of(&bench, &version).await, memory, "{alias}");
    }
    let copy = version_of(&bench, "deployer-tuning").await;
    assert_eq!(
        version_of(&bench, "deployer-tuning-256").await,
        copy,
        "the own size needs no version of its own"
    );
    walk.handle("cleaner").await.unwrap();
    assert_kept(&bench, &before, "cleaned up").await;
}

/// The Publisher does not wait until the function's own size is in effect again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_return_to_the_own_size_that_failed_is_made_once_more() {
    let bench = walked().await;
    let before = bench.snapshot().await;
    let walk = Walk::start(&bench, json!({})).await.begun().await;
    // After 512 and 128 MB.
    bench.aws().faults.plan(vec![Fault::at(
        "publisher",
        "UpdateFunctionConfiguration",
        3,
        Kind::UpdateFails,
    )]);
    let mut walk = walk;
    walk.document["run"] = walk.handle("publisher").await.unwrap();
    bench.aws().faults.end();
    let status =
        || async { bench.lambda("GetFunctionConfiguration", json!({})).await["LastUpdateStatus"].clone() };
    assert_eq!(status().await, "Failed");
    walk.handle("cleaner").await.unwrap();
    assert_eq!(status().await, "Successful");
    assert_kept(&bench, &before, "cleaned up").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_was_there_already_is_not_deleted() {
    // The function has not changed since its last version, so that version is the copy.
    let bench = super::bench().await;
    let released = bench.lambda("PublishVersion", json!({"Description": "released"})).await;
    let before = bench.snapshot().await;
    succeeds(&bench, input(json!({}))).await;
    assert_kept(&bench, &before, "after a run").await;
    assert_eq!(memory_of(&bench, released["Version"].as_str().unwrap()).await, 256);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_cold_start_has_a_version_of_its_own() {
    let bench = scripted().await;
    let before = bench.snapshot().await;
    for sizes in [&[128, 256][..], &[256], &[10240], &[128]] {
        bench.stage().script([]);
        let more = json!({"onlyColdStarts": true, "powerValues": sizes, "includeOutputResults": true});
        let output = succeeds(&bench, input(more)).await;
        assert_kept(&bench, &before, &format!("{sizes:?}")).await;
        let seen = bench.stage().seen();
        let aliases: BTreeSet<_> = seen.iter().map(|seen| seen.function.as_str()).collect();
        assert_eq!((aliases.len(), seen.len()), (5 * sizes.len(), 5 * sizes.len()), "{sizes:?}");
        for stat in output["stats"].as_array().unwrap() {
            assert_eq!(stat["coldStarts"], 5, "{stat}");
        }
    }
}

/// With one invocation at a time every one but the first of a version meets its environment, and is made again on another version.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_burst_found_warm_is_made_again_on_further_versions() {
    let bench = scripted().await;
    bench.lambda("PutFunctionConcurrency", json!({"ReservedConcurrentExecutions": 1})).await;
    let before = bench.snapshot().await;
    bench.stage().script([]);
    let more = json!({
        "onlyColdStarts": true, "parallelInvocation": true, "powerValues": [128, 256], "includeOutputResults": true,
    });
    let run = bench.start(input(more)).await;
    let over = bench.ended(&run).await;
    assert_eq!(over.status, "SUCCEEDED", "{over:?}");
    bench.quiet().await;
    assert_kept(&bench, &before, "after two rounds").await;
    for stat in over.output["stats"].as_array().unwrap() {
        assert_eq!((&stat["invocations"], &stat["coldStarts"]), (&json!(5), &json!(5)), "{stat}");
    }
    let seen = bench.stage().seen();
    let aliases: BTreeSet<_> = seen.iter().map(|seen| seen.function.as_str()).collect();
    assert_eq!(
        (aliases.len(), seen.len()),
        (10, 18),
        "a burst of each size, and the rest one by one: {seen:?}"
    );
    let history = bench.history(&run).await;
    let entered = history.iter().filter(|event| event["type"].as_str().unwrap().ends_with("StateEntered"));
    let cost = over.output["stateMachine"]["executionCost"].as_f64().unwrap();
    assert_eq!((cost / 2.5e-5).round() as usize, entered.count(), "each state entered costs a transition");
    // What was warm was paid for all the same: 18 invocations of 1 ms at least.
    let paid = over.output["stateMachine"]["lambdaCost"].as_f64().unwrap();
    assert!(paid >= 9.0 * (0.125 + 0.25) * 1e-3 * 1.333_33e-5, "{paid}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_passes_make_each_invocation_once_and_cost_their_transitions() {
    let bench = scripted().await;
    bench.behave(|behaviour| Behaviour { settle: Duration::from_millis(400), ..behaviour });
    let before = bench.snapshot().await;
    for (time, once) in [(20_000, true), (1_700, false)] {
        bench.stage().time(time);
        bench.stage().script((0..15).map(|_| Answer::good().after(120)));
        let run = bench.start(input(json!({"includeOutputResults": true}))).await;
        let over = bench.ended(&run).await;
        assert_eq!(over.status, "SUCCEEDED", "{over:?}");
        bench.quiet().await;
        assert_kept(&bench, &before, &format!("{time} ms a pass")).await;
        assert_eq!(bench.stage().seen().len(), 15, "no invocation is made twice");
        for stat in over.output["stats"].as_array().unwrap() {
            assert_eq!(stat["invocations"], 5, "{stat}");
            assert!(stat["averageDuration"].as_f64().unwrap() >= 120.0, "{stat}");
        }
        let history = bench.history(&run).await;
        let entered = |name: &str| {
            let is = |event: &&Value| {
                event["type"].as_str().unwrap().ends_with("StateEntered")
                    && event["stateEnteredEventDetails"]["name"].as_str().unwrap().contains(name)
            };
            history.iter().filter(is).count()
        };
        let cost = over.output["stateMachine"]["executionCost"].as_f64().unwrap();
        assert_eq!((cost / 2.5e-5).round() as usize, entered(""), "each state entered costs a transition");
        let passes: Vec<usize> = ["Publisher", "Executor"].map(entered).to_vec();
        assert_eq!(passes == [1, 3], once, "passes of Publisher and Executors in {time} ms each: {passes:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_invokes_once_and_analyses_nothing() {
    let bench = super::bench().await;
    let before = bench.snapshot().await;
    let output = succeeds(&bench, input(json!({"dryRun": true, "autoOptimize": true}))).await;
    assert_eq!(output, Value::Null);
    assert_eq!(bench.invocations(), [(128, 1), (256, 1), (1024, 1)].into());
    assert_kept(&bench, &before, "after a dry run").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_choice_is_applied_to_an_alias() {
    let bench = super::bench().await;
    bench.lambda("UpdateAlias", json!({"Name": "chosen", "Description": "mine"})).await;
    for (alias, description) in [("chosen", "mine"), ("new", "")] {
        let before = bench.snapshot().await;
        let more = json!({"autoOptimize": true, "autoOptimizeAlias": alias});
        let output = succeeds(&bench, input(more)).await;
        let found = bench.lambda("GetAlias", json!({"Name": alias})).await;
        assert_eq!(found["Description"], description);
        let version = found["FunctionVersion"].as_str().unwrap();
        assert_eq!(memory_of(&bench, version).await, output["power"]);
        let left = differences(&before, &bench.snapshot().await);
        let expected = |line: &String| {
            (line.starts_with("/aliases") && line.contains(&format!("\"Name\":\"{alias}\"")))
                || (line.starts_with("/versions: new")
                    && line.contains(&format!("\"Version\":\"{version}\"")))
        };
        assert!(left.iter().all(expected), "nothing but the alias and its version is new: {left:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_size_that_is_too_small_is_skipped_with_the_reason() {
    let bench = scripted().await;
    let before = bench.snapshot().await;
    bench.stage().script([Answer::RunsOutOfMemory]);
    let output = succeeds(&bench, input(json!({}))).await;
    let skipped = output["skipped"].as_array().unwrap();
    assert_eq!(skipped.len(), 1, "{output}");
    assert!(skipped[0]["reason"].as_str().unwrap().starts_with("out of memory"), "{output}");
    assert_ne!(output["power"], skipped[0]["value"]);
    assert_kept(&bench, &before, "after the run").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stack_s_sizes_and_the_present_one_are_measured_when_the_input_names_none() {
    let bench = walked().await;
    let walk = Walk::start(&bench, json!({"powerValues": null})).await.begun().await;
    assert_eq!(walk.document["run"]["powerValues"], json!([128, 256, 512]));
    assert_eq!(walk.document["run"]["published"]["total"], 3);
    assert_eq!(walk.document["run"]["baseline"]["memorySize"], 256);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payload_may_come_from_s3() {
    let bench = scripted().await;
    bench.idle().await;
    bench.ok(Service::S3, "CreateBucket", json!({"Bucket": "payloads"})).await;
    let role = bench.ok(
        Service::Lambda,
        "GetFunctionConfiguration",
        json!({"FunctionName": bench.function("executor")}),
    );
    let role = role.await["Role"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let allowed = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"],
        "Resource": ["arn:aws:s3:::payloads", "arn:aws:s3:::payloads/*"],
    }]});
    let policy = json!({"RoleName": role, "PolicyName": "payloads", "PolicyDocument": allowed.to_string()});
    bench.ok(Service::Iam, "PutRolePolicy", policy).await;
    let weighted = json!([{"payload": {"big": 1}, "weight": 4}, {"payload": {"big": 2}, "weight": 1}]);
    bench.put_object("payloads", "some/key.json", &weighted.to_string()).await;

    let payload = json!({"payload": "not this", "payloadS3": "s3://payloads/some/key.json"});
    let walk = Walk::start(&bench, payload).await.published().await;
    let event = json!({"input": walk.document, "value": 512});
    bench.handle("executor", event.clone()).await.unwrap();
    let (one, two) = ("{\"big\":1}", "{\"big\":2}");
    let sent: Vec<String> = bench.stage().seen().into_iter().map(|seen| seen.payload).collect();
    assert_eq!(sent, [one, one, one, one, two]);

    bench.ok(Service::S3, "DeleteObject", json!({"Bucket": "payloads", "Key": "some/key.json"})).await;
    let error = bench.handle("executor", event).await.unwrap_err();
    assert_eq!(error.kind, "InvalidInput");
    assert!(error.message.contains("s3://payloads/some/key.json does not exist"), "{error:?}");
}
