//! Runs that must not begin: they say why, and nothing is changed.

use std::time::Duration;

use local_aws::Service;
use local_aws::faults::Made;
use local_aws::lambda::Behaviour;
use serde_json::{Value, json};

use super::{Walk, assert_kept, bench, walked, with};
use crate::bench::{Bench, FUNCTION, Over};

fn changes(made: &[Made]) -> Vec<&Made> {
    let reads = |call: &Made| ["Get", "List", "Describe"].iter().any(|verb| call.operation.starts_with(verb));
    made.iter().filter(|call| !reads(call)).collect()
}

/// A run that fails without a single call that changes anything.
pub(super) async fn refused(bench: &Bench, function: &str, more: Value) -> Over {
    let before = bench.snapshot_of(function).await;
    bench.aws().faults.plan(Vec::new());
    let input = with(json!({"num": 5, "powerValues": [128, 512]}), more);
    let run = bench.start_on(function, input, None).await.unwrap();
    let over = bench.ended(&run).await;
    bench.quiet().await;
    let made = bench.aws().faults.end();
    assert_eq!(over.status, "FAILED", "{over:?}");
    assert_eq!(changes(&made), Vec::<&Made>::new());
    assert_eq!(before, bench.snapshot_of(function).await);
    over
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alias_that_splits_its_traffic_is_refused_before_anything_changes() {
    let bench = bench().await;
    let more = json!({"autoOptimize": true, "autoOptimizeAlias": "canary"});
    let over = refused(&bench, FUNCTION, more).await;
    assert!(over.cause.contains("canary splits its traffic between versions 1 and 2"), "{over:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_problems_of_an_input_are_named_and_nothing_is_called() {
    let bench = bench().await;
    bench.aws().faults.plan(Vec::new());
    let input = json!({"lambdaARN": "target", "num": 2, "powerValues": [1], "strategy": "best"});
    let execution = "arn:aws:states:us-east-1:000000000000:execution:machine:run-1";
    let error =
        bench.handle("initializer", json!({"input": input, "execution": execution})).await.unwrap_err();
    assert_eq!(error.kind, "InvalidInput");
    for field in ["lambdaARN", "num", "powerValues", "strategy"] {
        assert!(error.message.contains(field), "{field}: {error:?}");
    }
    assert_eq!(bench.aws().faults.end(), Vec::new());
}

/// With what cannot be measured, each setting of a function of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_measured_is_refused_before_anything_changes() {
    let bench = bench().await;
    let instances = json!({"LambdaManagedInstancesCapacityProviderConfig": {"CapacityProviderArn": "arn:aws:lambda:us-east-1:000000000000:capacity-provider:p"}});
    for (number, (setting, value)) in [
        ("CapacityProviderConfig", instances),
        ("DurableConfig", json!({"ExecutionTimeout": 60})),
        ("TenancyConfig", json!({"TenantIsolationMode": "PER_TENANT"})),
        ("LoggingConfig", json!({"LogFormat": "JSON", "SystemLogLevel": "WARN"})),
        // Whose role may not decrypt with it.
        ("KMSKeyArn", json!("arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab")),
        ("ReservedConcurrentExecutions", json!(0)),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("function-{number}");
        if setting == "ReservedConcurrentExecutions" {
            bench.make(&name).await;
            let none = json!({"FunctionName": name, setting: value});
            bench.ok(Service::Lambda, "PutFunctionConcurrency", none).await;
        } else {
            bench.make_with(&name, json!({setting: value})).await;
        }
        let told = if setting == "KMSKeyArn" { "Environment" } else { setting };
        let over = refused(&bench, &name, json!({})).await;
        assert!(
            over.cause.contains("FunctionNotTunable") && over.cause.contains(told),
            "{setting}: {over:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alias_that_the_stack_leaves_out_is_not_moved() {
    let bench = walked().await;
    for handler in ["initializer", "optimizer"] {
        let function = json!({"FunctionName": bench.function(handler)});
        let found = bench.ok(Service::Lambda, "GetFunctionConfiguration", function.clone()).await;
        let mut environment = found["Environment"].clone();
        environment["Variables"]["optimizableAliases"] = json!("live, t*n?d, chose?n");
        let update = with(function, json!({"Environment": environment}));
        bench.ok(Service::Lambda, "UpdateFunctionConfiguration", update).await;
    }
    for (alias, fits) in [("tuned", true), ("chosen", false)] {
        let input = json!({"autoOptimize": true, "autoOptimizeAlias": alias});
        let before = bench.snapshot().await;
        let mut walk = Walk::start(&bench, input).await;
        match walk.handle("initializer").await {
            Ok(run) => {
                assert!(fits, "{alias}");
                walk.document["run"] = run;
                walk.handle("cleaner").await.unwrap();
                assert_kept(&bench, &before, alias).await;
                walk.document["analysis"] = json!({"power": 128});
                assert_eq!(walk.handle("optimizer").await.unwrap()["applied"]["alias"], alias);
                // Its run, with another alias in it.
                walk.document["autoOptimizeAlias"] = json!("chosen");
                let before = bench.snapshot().await;
                let error = walk.handle("optimizer").await.unwrap_err();
                assert!(error.message.contains("optimizableAliases"), "{error:?}");
                assert_kept(&bench, &before, "refused by the Optimizer").await;
            }
            Err(error) => {
                assert!(!fits && error.message.contains("optimizableAliases"), "{alias}: {error:?}");
                assert_kept(&bench, &before, alias).await;
            }
        }
        walk.stop().await;
    }
}

/// What no input can say, but an account's quota can.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_largest_size_is_set_first_and_named_when_the_account_does_not_allow_it() {
    let bench = bench().await;
    bench.behave(|behaviour| Behaviour { memory_quota: 512, ..behaviour });
    let before = bench.snapshot().await;
    bench.aws().faults.plan(Vec::new());
    let over = bench.run(json!({"num": 5, "powerValues": [128, 256, 1024]})).await;
    bench.quiet().await;
    let made = bench.aws().faults.end();
    assert!(over.cause.contains("power value 1024: ") && over.cause.contains("MemorySize"), "{over:?}");
    let published = made.iter().filter(|call| call.operation == "PublishVersion").count();
    assert_eq!(published, 1, "nothing but the copy was published: {made:?}");
    assert_kept(&bench, &before, "refused").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_sent_is_not_tried_again() {
    let bench = walked().await;
    let mut walk = Walk::start(&bench, json!({})).await.begun().await;
    walk.document["run"]["region"] = json!("");
    let publishing = walk.handle("publisher");
    let error = tokio::time::timeout(Duration::from_secs(10), publishing).await.expect("it tries on and on");
    assert_eq!(error.unwrap_err().kind, "Refused");
}
