//! How far whoever may start executions reaches: the functions that the stack's parameters name, and no others.

use local_aws::Service;
use serde_json::{Value, json};

use super::{assert_kept, with};
use crate::bench::{Bench, FUNCTION, Over, function_arn};
use crate::permissions::documents;

async fn bench(flags: &[&str]) -> Bench {
    let bench = Bench::in_process_with(&[&["--power-values", "128,512"], flags].concat()).await;
    bench.stage().shorten_waits();
    bench
}

async fn run(bench: &Bench, more: Value) -> Over {
    let over = bench.run(with(json!({"num": 5, "powerValues": [128, 512]}), more)).await;
    bench.quiet().await;
    over
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_function_means_those_of_this_account() {
    let bench = bench(&[]).await;
    let before = bench.snapshot().await;
    let theirs = "arn:aws:lambda:us-east-1:111111111111:function:theirs";
    let input = json!({"lambdaARN": theirs, "num": 5, "powerValues": [128]}).to_string();
    let start = json!({"stateMachineArn": bench.machine(), "input": input});
    let started = bench.ok(Service::States, "StartExecution", start).await;
    let over = bench.ended(started["executionArn"].as_str().unwrap()).await;
    assert_eq!(over.status, "FAILED", "{over:?}");
    for part in ["AccessDenied", "theirs", "lambdaResource"] {
        assert!(over.cause.contains(part), "{part}: {over:?}");
    }
    assert_kept(&bench, &before, "after the run").await;

    // The endpoint has one account only, so what it refused says nothing of the roles.
    let mut seen = 0;
    let documents = documents(&bench).await;
    for statement in documents.iter().flat_map(|document| document["Statement"].as_array().unwrap()) {
        let actions = statement["Action"].as_array().unwrap();
        if !actions.iter().any(|action| action.as_str().unwrap().starts_with("lambda:")) {
            continue;
        }
        for resource in statement["Resource"].as_array().unwrap() {
            let account = resource.as_str().unwrap().split(':').nth(4);
            assert_eq!(account, Some("000000000000"), "{statement}");
            seen += 1;
        }
    }
    assert!(seen >= 12, "{seen} resources");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_processor_elsewhere_works_where_a_parameter_names_it() {
    let (tuned, before) = (function_arn(FUNCTION), function_arn("before"));
    let only = ["--lambda-resource", &tuned];
    for flags in [&only[..], &[&only[..], &["--processor-resource", &before]].concat()] {
        let bench = bench(flags).await;
        for name in [FUNCTION, "before"] {
            bench.make_with(name, json!({"Handler": "scripted"})).await;
        }
        bench.stage().script([]);
        let kept = bench.snapshot().await;
        let processed = json!({"preProcessorARN": before, "postProcessorARN": format!("{before}:live")});
        let over = run(&bench, processed).await;
        let of_processor =
            bench.stage().seen().iter().filter(|seen| seen.function.starts_with("before")).count();
        if flags.len() == only.len() {
            assert_eq!((over.status.as_str(), of_processor), ("FAILED", 0), "{over:?}");
            for part in ["ProcessorFailed", "preProcessor", &before, "processorResource"] {
                assert!(over.cause.contains(part), "{part}: {over:?}");
            }
        } else {
            assert_eq!((over.status.as_str(), of_processor), ("SUCCEEDED", 20), "{over:?}");
        }
        assert_kept(&bench, &kept, "after the run").await;
        bench.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alias_that_the_stack_leaves_out_is_refused_before_anything_changes() {
    let bench = bench(&["--optimizable-aliases", "live,tuned-*"]).await;
    let input = |alias: &str| json!({"autoOptimize": true, "autoOptimizeAlias": alias});
    let over = super::refused::refused(&bench, FUNCTION, input("chosen")).await;
    for part in ["InvalidInput", "optimizableAliases", "live,tuned-*", "chosen"] {
        assert!(over.cause.contains(part), "{part}: {over:?}");
    }
    let over = run(&bench, input("tuned-1")).await;
    assert_eq!(over.output["applied"]["alias"], "tuned-1", "{over:?}");
}
