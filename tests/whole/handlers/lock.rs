//! The lock: who holds it, who recovers it, and what is somebody else's.

use local_aws::faults::{Fault, Kind};
use serde_json::{Value, json};

use super::{Walk, aliases, assert_kept, clean_up_after_stop, memory_of, version_of, walked};
use crate::bench::{Bench, FUNCTION, function_arn};

fn input() -> Value {
    json!({"num": 5, "powerValues": [128, 512]})
}

/// Tunes the function twice at once: one may be refused, and is told why.
async fn two_at_once(bench: &Bench) {
    let (one, two) = (bench.start(input()).await, bench.start(input()).await);
    let (one, two) = (bench.ended(&one).await, bench.ended(&two).await);
    bench.quiet().await;
    let refused: Vec<_> = [&one, &two].into_iter().filter(|over| over.status != "SUCCEEDED").collect();
    assert!(refused.len() <= 1, "{refused:?}");
    assert!(refused.iter().all(|over| over.cause.contains("AlreadyBeingTuned")), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_at_once_at_most_one_is_refused() {
    let bench = super::bench().await;
    let before = bench.snapshot().await;
    for _ in 0..10 {
        two_at_once(&bench).await;
        assert_kept(&bench, &before, "after two at once").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_execution_left_is_recovered_by_exactly_one() {
    let bench = super::bench().await;
    let before = bench.snapshot().await;
    bench.rule(false).await;
    for _ in 0..10 {
        bench.aws().faults.plan(vec![Fault::at("executor", "Invoke", 1, Kind::ExecutionTimedOut)]);
        let over = bench.run(input()).await;
        bench.quiet().await;
        bench.aws().faults.end();
        assert_eq!(over.status, "TIMED_OUT", "{over:?}");
        assert!(aliases(&bench).await.contains(&"deployer-tuning".to_owned()), "it left its lock");
        two_at_once(&bench).await;
        assert_kept(&bench, &before, "after two that found a dead one's lock").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_execution_entering_again_carries_on() {
    let bench = walked().await;
    let before = bench.snapshot().await;
    let mut walk = Walk::start(&bench, json!({})).await;
    let first = walk.handle("initializer").await.unwrap();
    let again = walk.handle("initializer").await.unwrap();
    assert_eq!(first, again);
    walk.document["run"] = again;
    let first = walk.handle("publisher").await.unwrap();
    let published = aliases(&bench).await;
    let again = walk.handle("publisher").await.unwrap();
    assert_eq!(first["published"], again["published"]);
    assert_eq!(aliases(&bench).await, published);
    walk.document["run"] = again;
    for power in [128, 512] {
        let event = json!({"input": walk.document, "value": power});
        assert_eq!(bench.handle("executor", event).await.unwrap()["invocations"], 5);
    }
    assert_eq!(walk.handle("cleaner").await.unwrap()["aliasesDeleted"], 3);
    assert_eq!(walk.handle("cleaner").await.unwrap()["aliasesDeleted"], 0);
    assert_kept(&bench, &before, "cleaned up twice").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_execution_is_cleaned_up_once_and_a_running_one_is_not() {
    let bench = walked().await;
    let before = bench.snapshot().await;
    let walk = Walk::start(&bench, json!({})).await.published().await;
    let held = bench.snapshot().await;
    let error = clean_up_after_stop(&bench, &walk.execution).await.unwrap_err();
    assert_eq!(error.kind, "AlreadyBeingTuned");
    assert!(error.message.contains("is still running"), "{error:?}");
    assert_kept(&bench, &held, "running").await;
    walk.stop().await;
    assert_eq!(clean_up_after_stop(&bench, &walk.execution).await.unwrap()["owner"], walk.execution);
    assert_kept(&bench, &before, "stopped").await;
    assert_eq!(clean_up_after_stop(&bench, &walk.execution).await.unwrap()["owner"], Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cleaning_by_hand_respects_the_living() {
    let bench = walked().await;
    let before = bench.snapshot().await;
    let walk = Walk::start(&bench, json!({})).await.published().await;
    let error = bench.cleanup().await.unwrap_err();
    assert_eq!(error.kind, "AlreadyBeingTuned");
    assert!(error.message.contains(&walk.execution), "{error:?}");
    // The role may not ask about executions of another stack; the user may, and says so.
    bench.aws().faults.plan(vec![Fault::at("cleaner", "DescribeExecution", 1, Kind::DeniedFromNowOn)]);
    assert_eq!(bench.cleanup().await.unwrap_err().kind, "AccessDenied");
    let vouched = json!({"cleanup": {"lambdaARN": function_arn(FUNCTION), "stopped": walk.execution}});
    assert_eq!(bench.handle("cleaner", vouched).await.unwrap()["owner"], walk.execution);
    assert_kept(&bench, &before, "vouched for").await;
    let nothing = bench.cleanup().await.unwrap();
    assert!(nothing["notes"][0].as_str().unwrap().contains("nothing to do"), "{nothing}");
}

/// Step Functions shows an execution a little after it has begun.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_is_not_known_yet_is_not_taken_for_dead() {
    let bench = walked().await;
    let first = Walk::start(&bench, json!({})).await.published().await;
    let held = bench.snapshot().await;
    let second = Walk::start(&bench, json!({})).await;
    let unknown = |nth| Fault::at("initializer", "DescribeExecution", nth, Kind::NotYetKnown);
    bench.aws().faults.plan(vec![unknown(1), unknown(2)]);
    let error = second.handle("initializer").await.unwrap_err();
    let met = bench.aws().faults.end().iter().filter(|call| call.fault.is_some()).count();
    assert_eq!((error.kind.as_str(), met), ("AlreadyBeingTuned", 2));
    assert!(error.message.contains(&first.execution), "{error:?}");
    assert_kept(&bench, &held, "refused").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_s_alias_of_the_lock_s_name_stops_the_run_before_anything_changes() {
    let bench = super::bench().await;
    let alias = json!({"Name": "deployer-tuning", "FunctionVersion": "1", "Description": "mine"});
    bench.lambda("CreateAlias", alias).await;
    let before = bench.snapshot().await;
    let over = bench.run(input()).await;
    assert!(over.cause.contains("AliasClash") && over.cause.contains("deployer-tuning"), "{over:?}");
    assert_kept(&bench, &before, "refused").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aliases_and_versions_that_look_like_ours_survive() {
    let bench = super::bench().await;
    let alias =
        json!({"Name": "deployer-tuning-4096", "FunctionVersion": "1", "Description": "a size of my own"});
    bench.lambda("CreateAlias", alias).await;
    bench.lambda("PublishVersion", json!({"Description": "deployer-tuning 512 was my idea"})).await;
    let before = bench.snapshot().await;
    let over = bench.run(input()).await;
    assert_eq!(over.status, "SUCCEEDED", "{over:?}");
    assert_kept(&bench, &before, "after a run").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alias_somebody_points_at_our_version_keeps_it() {
    let bench = walked().await;
    let before = aliases(&bench).await;
    let walk = Walk::start(&bench, json!({})).await.published().await;
    let version = version_of(&bench, "deployer-tuning-512").await;
    bench.lambda("CreateAlias", json!({"Name": "mine", "FunctionVersion": version})).await;
    let cleaned = walk.handle("cleaner").await.unwrap();
    let note = cleaned["notes"][0].as_str().unwrap();
    assert!(note.contains(&format!("version {version}")) && note.contains("mine"), "{note}");
    assert_eq!(memory_of(&bench, &version).await, 512);
    let mut expected = [before, vec!["mine".to_owned()]].concat();
    expected.sort();
    assert_eq!(aliases(&bench).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_while_measuring_survives_and_is_reported() {
    let bench = walked().await;
    let mut walk = Walk::start(&bench, json!({"autoOptimize": true})).await.published().await;
    // 512 MB is a size of the run, but the run is not setting sizes any more.
    bench.lambda("UpdateFunctionConfiguration", json!({"MemorySize": 512, "Timeout": 60})).await;
    let cleaned = walk.handle("cleaner").await.unwrap();
    let found = bench.lambda("GetFunctionConfiguration", json!({})).await;
    assert_eq!((&found["MemorySize"], &found["Timeout"]), (&json!(512), &json!(60)));
    let notes = cleaned["notes"].to_string();
    assert!(notes.contains("512 MB") && notes.contains("settings"), "{notes}");
    walk.document["analysis"] = json!({"power": 128});
    assert_eq!(walk.handle("optimizer").await.unwrap_err().kind, "FunctionChanged");
    assert_eq!(memory_of(&bench, "$LATEST").await, 512);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_size_somebody_sets_while_the_choice_is_applied_survives() {
    let bench = walked().await;
    for alias in [Value::Null, json!("live")] {
        bench.renew().await;
        let before = aliases(&bench).await;
        let input = json!({"autoOptimize": true, "autoOptimizeAlias": alias});
        let mut walk = Walk::start(&bench, input).await.published().await;
        walk.handle("cleaner").await.unwrap();
        walk.document["analysis"] = json!({"power": 128});
        // After the aliases, the function and the lock: just before its revision is read to be written.
        bench.aws().faults.plan(vec![Fault::at("optimizer", "GetFunction", 2, Kind::EditMemory)]);
        let error = walk.handle("optimizer").await.unwrap_err();
        bench.aws().faults.end();
        assert_eq!(error.kind, "FunctionChanged", "{error:?}");
        assert!(error.message.contains("333 MB"), "{error:?}");
        walk.handle("cleaner").await.unwrap();
        assert_eq!(memory_of(&bench, "$LATEST").await, 333);
        assert_eq!(aliases(&bench).await, before);
        walk.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_initializer_that_outlives_its_execution_leaves_nothing() {
    let bench = walked().await;
    let before = bench.snapshot().await;
    let walk = Walk::start(&bench, json!({})).await;
    walk.stop().await;
    assert_eq!(walk.handle("initializer").await.unwrap_err().kind, "LockLost");
    assert_kept(&bench, &before, "stopped before it began").await;
}

/// Such as for a KMS key or by a service control policy: what no update can change needs no fence against late updates.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_that_refuses_updates_for_good_is_cleaned_up_all_the_same() {
    let bench = walked().await;
    let before = bench.snapshot().await;
    let mut walk = Walk::start(&bench, json!({})).await.begun().await;
    let denied = |who| Fault::at(who, "UpdateFunctionConfiguration", 1, Kind::DeniedFromNowOn);
    bench.aws().faults.plan(vec![denied("publisher"), denied("cleaner")]);
    let error = walk.handle("publisher").await.unwrap_err();
    assert_eq!(error.kind, "AccessDenied", "{error:?}");
    walk.document["error"] = json!({"Error": error.kind, "Cause": error.message});
    let cleaned = walk.handle("cleaner").await.unwrap();
    let note = cleaned["notes"][0].as_str().unwrap();
    assert!(note.contains("could not be updated once more") && note.contains("not authorized"), "{note}");
    assert_kept(&bench, &before, "cleaned up").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publisher_stops_when_its_run_is_being_cleaned_up() {
    let bench = walked().await;
    let before = bench.snapshot().await;
    let walk = Walk::start(&bench, json!({})).await.begun().await;
    // Stopped in the middle of publishing, while its Lambda lives on.
    bench.aws().faults.plan(Vec::new());
    let gate = bench.aws().faults.hold("publisher", "GetFunction", 2);
    let cleaner = async {
        gate.reached().await;
        walk.stop().await;
        let cleaned = clean_up_after_stop(&bench, &walk.execution).await;
        gate.open();
        cleaned
    };
    let (published, cleaned) = tokio::join!(walk.handle("publisher"), cleaner);
    assert_eq!(published.unwrap_err().kind, "LockLost");
    assert_eq!(cleaned.unwrap()["owner"], walk.execution);
    assert_kept(&bench, &before, "cleaned up").await;
}
