//! What a run costs whatever the machine: API calls, which AWS throttles, and state transitions, which it bills. One more than
//! there was is to be noticed here.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::bench::{Bench, differences};

/// Calls of an undisturbed run, by operation, and its transitions.
async fn calls(bench: &Bench, input: Value) -> (BTreeMap<String, usize>, u64) {
    bench.aws().faults.plan(Vec::new());
    let over = bench.run(input).await;
    bench.quiet().await;
    assert_eq!(over.status, "SUCCEEDED", "{over:?}");
    let mut calls = BTreeMap::new();
    for made in bench.aws().faults.end() {
        *calls.entry(made.operation).or_default() += 1;
    }
    let cost = over.output["stateMachine"]["executionCost"].as_f64().unwrap();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small number of transitions"
    )]
    let transitions = (cost / 2.5e-5).round() as u64;
    (calls, transitions)
}

/// Nothing but polling may differ from run to run: how often depends on how long a change takes.
fn check(found: &BTreeMap<String, usize>, changes: &[(&str, usize)], most_reads: usize) {
    let is_read =
        |operation: &str| ["Get", "List", "Describe"].iter().any(|verb| operation.starts_with(verb));
    let changing: Vec<(&str, usize)> =
        found.iter().filter(|(name, _)| !is_read(name)).map(|(name, n)| (name.as_str(), *n)).collect();
    assert_eq!(changing, changes, "{found:?}");
    let reads: usize = found.iter().filter(|(name, _)| is_read(name)).map(|(_, n)| n).sum();
    assert!(reads <= most_reads, "{reads} reading calls: {found:?}");
    // GetFunction has 100 calls a second, GetFunctionConfiguration shares 15 with all that changes functions.
    assert!(
        found.contains_key("GetFunction") && !found.contains_key("GetFunctionConfiguration"),
        "{found:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_makes_no_more_calls_than_it_did() {
    let bench = Bench::new().await;
    let (found, transitions) = calls(&bench, json!({"num": 10, "powerValues": [128, 512, 1024]})).await;
    // One for the lock or the snapshot, one for each version; the lock is written once for each and four times besides.
    let changes = [
        ("CreateAlias", 4),
        ("DeleteAlias", 4),
        ("DeleteFunction", 4),
        ("Invoke", 30),
        ("PublishVersion", 4),
        ("UpdateAlias", 7),
        ("UpdateFunctionConfiguration", 4),
    ];
    check(&found, &changes, 30);
    assert_eq!(transitions, 7 + 3 * 3);

    // Five versions for each of two sizes.
    let input = json!({"num": 5, "powerValues": [128, 512], "onlyColdStarts": true});
    let (found, transitions) = calls(&bench, input).await;
    let changes = [
        ("CreateAlias", 11),
        ("DeleteAlias", 11),
        ("DeleteFunction", 11),
        ("Invoke", 10),
        ("PublishVersion", 11),
        ("UpdateAlias", 14),
        ("UpdateFunctionConfiguration", 11),
    ];
    check(&found, &changes, 60);
    assert_eq!(transitions, 7 + 3 * 2);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_one_execution_cannot_hold_is_refused_before_anything_is_changed() {
    let bench = Bench::new().await;
    let before = bench.snapshot().await;
    let sizes = |n: u32| (128..128 + n).collect::<Vec<u32>>();
    for (input, said) in [
        (json!({"num": 5, "powerValues": sizes(900)}), "powerValues: the results of 900 sizes do not fit"),
        (
            json!({"num": 20_000, "powerValues": [128], "payload": "x".repeat(60_000)}),
            "num: 20000 measurements do not fit",
        ),
    ] {
        let over = bench.run(input).await;
        assert_eq!(over.status, "FAILED", "{over:?}");
        assert!(over.cause.contains(said) && over.cause.contains("at most "), "{over:?}");
        assert!(differences(&before, &bench.snapshot().await).is_empty(), "{over:?}");
    }
    bench.stop().await;
}
