//! Sizes that are searched for, latency limits, and several execution environments of a size at once.

use serde_json::{Value, json};

use crate::bench::{Bench, differences};
use crate::harness::World;
use crate::in_process::Answer;

const WAITS: &str = r#"{"milliseconds":60}"#;

fn share(value: &Value) -> f64 {
    let share = value.as_f64().unwrap_or_else(|| panic!("{value} is no number"));
    assert!((0.0..=1.0).contains(&share), "{share}");
    share
}

/// Waiting takes as long at any size, so the smallest one is the cheapest.
#[tokio::test]
async fn a_search_finds_the_cheapest_size_says_how_sure_it_is_and_leaves_nothing() {
    let world = World::new().await;
    let function = world.sample("wait", "io").await;
    let before = function.snapshot().await;
    let flags = ["--power-values", "auto", "--max-invocations", "100", "--payload", WAITS];
    let said = function.tune(&[&flags[..], &["--include-output-results"]].concat()).success();
    let result = said.json();
    // A busy machine waits longer, so it may be a little more.
    assert!(result["power"].as_u64().unwrap() <= 256, "{result}");
    let confidence = |name: &str| share(&result["confidence"][name]);
    let [one, three, five] = ["within1", "within3", "within5"].map(confidence);
    assert!(one <= three && three <= five, "{result}");
    assert!(["confidence", "budget", "rounds"].contains(&result["stoppedBy"].as_str().unwrap()), "{result}");
    assert!(share(&result["expectedExcess"]) < 0.2, "{result}");
    assert_eq!(result["floor"], json!({ "power": 128, "because": "range" }));
    assert_eq!(result.get("num"), None, "{result}");

    let stats = result["stats"].as_array().unwrap();
    let measured: Vec<u64> = stats.iter().map(|stat| stat["value"].as_u64().unwrap()).collect();
    assert!(measured.is_sorted() && measured.contains(&3008), "{measured:?}");
    let made: u64 = stats.iter().map(|stat| stat["invocations"].as_u64().unwrap()).sum();
    assert_eq!(result["invocations"], made, "{result}");
    assert!(made <= 100, "{result}");
    let curve = result["curve"].as_array().unwrap();
    for point in curve {
        let figures: Vec<f64> =
            point.as_array().unwrap().iter().map(|figure| figure.as_f64().unwrap()).collect();
        assert!(figures.len() == 4 && figures[1] <= figures[2] && figures[2] <= figures[3], "{point}");
    }
    let curved = |size: &u64| curve.iter().any(|point| point[0] == *size);
    assert!(measured.iter().all(curved), "{curve:?}");
    assert_eq!(function.snapshot().await, before);

    let text = world.deployer(&[&["tune", "wait"], &flags[..]].concat()).success().stdout;
    assert!(text.contains(" MB: ") && text.contains(" sure that no size is more than "), "{text}");
    assert!(text.contains("Searched with ") && !text.contains("the best"), "{text}");
}

#[tokio::test]
async fn what_a_search_decides_itself_is_warned_about_and_cold_starts_are_refused() {
    let world = World::new().await;
    let function = world.sample("wait", "io").await;
    let search = ["--power-values", "AUTO:128-512", "--max-invocations", "30", "--payload", WAITS];
    let said = function.tune(&[&search[..], &["--num", "50"]].concat()).success();
    said.complains(&["num has no effect with powerValues", "see maxInvocations"]);
    function
        .tune(&[&search[..], &["--only-cold-starts"]].concat())
        .status(2)
        .complains(&["onlyColdStarts does not go with powerValues", "give a list of memory sizes"]);
    function.tune(&["--power-values", "auto:512-128"]).status(2).complains(&["'from' must be below 'to'"]);
    function.tune(&[&search[..], &["--tolerance", "x"]].concat()).status(2).complains(&["--tolerance"]);
    function
        .tune(&["--power-values", "128", "--num", "5", "--payload", WAITS, "--max-invocations", "30"])
        .success()
        .complains(&["maxInvocations has no effect without powerValues"]);
    let dry = function.tune(&[&search[..], &["--dry-run"]].concat()).success().json();
    assert_eq!(dry.get("power"), None, "{dry}");
}

/// Whoever wants searches by default says so to the stack.
#[tokio::test]
async fn a_stack_that_searches_needs_no_word_from_the_input() {
    let world = World::with(&["--power-values", "auto:128-1024"]).await;
    let function = world.sample("wait", "io").await;
    let input =
        json!({ "lambdaARN": function.arn(), "payload": { "milliseconds": 5 }, "maxInvocations": 30 });
    let ended = world.execute(&input).await;
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    assert!(ended.output["power"].as_u64().unwrap() <= 512, "{ended:?}");
    share(&ended.output["confidence"]["within1"]);
    let highest = ended.output["curve"].as_array().unwrap().last().unwrap()[0].clone();
    assert_eq!(highest, 1024);
    let result = function.tune(&["--payload", WAITS, "--max-invocations", "30"]).success().json();
    share(&result["confidence"]["within3"]);
    let listed =
        function.tune(&["--payload", WAITS, "--power-values", "128,256", "--num", "5"]).success().json();
    share(&listed["confidence"]["within3"]);
    assert_eq!(listed.get("rounds"), None, "{listed}");
}

#[tokio::test]
async fn a_budget_ends_a_search_which_decides_all_the_same() {
    let world = World::new().await;
    let function = world.sample("wait", "io").await;
    // One round, and not the transitions of another; by speed all sizes are alike, so that it never is sure.
    let input = json!({
        "lambdaARN": function.arn(), "powerValues": "AUTO", "payload": { "milliseconds": 20 },
        "strategy": "speed", "tolerance": 0, "budget": 0.00085, "autoOptimize": true,
    });
    let ended = world.execute(&input).await;
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    let output = ended.output;
    assert_eq!(output["stoppedBy"], "budget", "{output}");
    assert_eq!(output["applied"]["memorySize"], output["power"], "{output}");
    let cost = |name: &str| output["stateMachine"][name].as_f64().unwrap();
    let spent = cost("executionCost") + cost("lambdaCost") + output["invocations"].as_f64().unwrap() * 2e-7;
    assert!(spent < 0.00095, "{spent}: {output}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rounds_make_only_new_versions_and_cost_their_transitions() {
    let bench = Bench::in_process().await;
    bench.stage().shorten_waits();
    let before = bench.snapshot().await;
    bench.aws().faults.plan(Vec::new());
    let input = json!({ "powerValues": "AUTO", "strategy": "speed", "tolerance": 0, "maxInvocations": 90, "includeOutputResults": true });
    let run = bench.start(input).await;
    let over = bench.ended(&run).await;
    assert_eq!(over.status, "SUCCEEDED", "{over:?}");
    bench.quiet().await;
    let published =
        bench.aws().faults.end().into_iter().filter(|call| call.operation == "PublishVersion").count();
    let sizes = over.output["stats"].as_array().unwrap().len();
    // One is the copy of the function as it was, and serves the function's own size.
    assert!(published <= sizes + 1, "{published} versions for {sizes} sizes: {:?}", over.output);
    assert_eq!(differences(&before, &bench.snapshot().await), Vec::<String>::new());

    let history = bench.history(&run).await;
    let entered =
        history.iter().filter(|event| event["type"].as_str().unwrap().ends_with("StateEntered")).count();
    let cost = over.output["stateMachine"]["executionCost"].as_f64().unwrap();
    assert_eq!((cost / 2.5e-5).round() as usize, entered, "each state entered costs a transition");
    let rounds = over.output["rounds"].as_u64().unwrap();
    assert!((2..=6).contains(&rounds), "{:?}", over.output);
}

#[tokio::test]
async fn a_limit_chooses_the_cheapest_size_that_keeps_it_and_none_is_a_gate_that_is_not_met() {
    let world = World::new().await;
    let function = world.sample("wait", "io").await;
    let sizes = ["--power-values", "128,512", "--num", "10", "--payload", WAITS];
    let said = function.tune(&[&sizes[..], &["--limit", "p90=2s"]].concat()).success();
    let result = said.json();
    assert_eq!((&result["power"], &result["strategy"]), (&json!(128), &json!("limit")), "{result}");
    let limit = &result["limit"];
    assert_eq!(
        (&limit["percentile"], &limit["ms"], &limit["kept"]),
        (&json!(90.0), &json!(2000.0), &json!(true))
    );
    assert!(limit["measured"].as_f64().unwrap() >= 60.0, "{limit}");
    // Ten invocations cannot verify it.
    assert!(share(&limit["probability"]) < 0.95 && limit["num"].as_u64().unwrap() > 10, "{limit}");

    let tight = [&sizes[..], &["--limit", "p90=50ms", "--auto-optimize"]].concat();
    let before = function.snapshot().await;
    let said = function.tune(&tight).status(3);
    let result = said.json();
    assert_eq!((&result["limit"]["kept"], &result["applied"]), (&json!(false), &json!(false)), "{result}");
    assert_eq!(result["gate"]["met"], false, "{result}");
    said.complains(&[
        "at the 90th percentile, more than the 50.0 ms of the limit; no measured size keeps it",
    ]);
    assert_eq!(function.snapshot().await, before);

    let searched =
        ["--power-values", "auto", "--payload", WAITS, "--limit", "p90=50ms", "--max-invocations", "60"];
    let said = function.tune(&searched).status(3);
    assert_eq!(said.json().get("confidence"), None, "with a limit it is the limit that counts");
    function.tune(&["--limit", "p90"]).status(2).complains(&[
        "--limit is",
        "use a percentile from 50 to 99.9",
        "such as p95=300ms",
    ]);
}

#[tokio::test]
async fn lanes_are_so_many_environments_side_by_side() {
    let world = World::new().await;
    let calls = world.folder().join("calls");
    let function = world.sample_with("wait", "io", &[("INVOCATIONS_FILE", calls.to_str().unwrap())]).await;
    let flags = ["--power-values", "256", "--num", "9", "--payload", r#"{"milliseconds":100}"#];
    let of = |more: &[&str]| {
        let result =
            function.tune(&[&flags[..], &["--include-output-results"], more].concat()).success().json();
        result["stats"][0].clone()
    };
    let side_by_side = of(&["--lanes", "3"]);
    assert_eq!(side_by_side["invocations"], 9);
    // A small machine may have room for two at a time.
    let environments = side_by_side["coldStarts"].as_u64().unwrap();
    assert!((2..=3).contains(&environments), "{side_by_side}");
    assert_eq!(of(&[])["coldStarts"], 1);
    assert_eq!(std::fs::read_to_string(calls).unwrap().lines().count(), 18);
}

/// Sizes that are equally fast in one environment each: which one is faster in others, no number of invocations tells.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_says_when_further_environments_would_make_it_surer() {
    let bench = Bench::in_process().await;
    bench.stage().shorten_waits();
    bench.lambda("UpdateFunctionConfiguration", json!({"Handler": "scripted"})).await;
    for lanes in [1, 5] {
        bench.stage().script((0..40).map(|_| Answer::good().after(100)));
        let input = json!({
            "num": 20, "powerValues": [128, 512], "strategy": "speed", "coldStarts": "apart", "lanes": lanes,
        });
        let over = bench.run(input).await;
        assert_eq!(over.status, "SUCCEEDED", "{over:?}");
        let output = over.output;
        assert!(lanes > 1 || share(&output["confidence"]["within1"]) < 0.95, "{output}");
        let few = &output["fewLanes"];
        // How many are enough depends on how alike the invocations are, which a busy machine makes less so.
        let said = few["lanes"] == 1 && (2..=5).contains(&few["enough"].as_u64().unwrap_or_default());
        assert!(if lanes == 1 { said } else { few.is_null() }, "{output}");
    }
}
