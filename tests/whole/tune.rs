//! `tune`, feature by feature, with real invocations of real Lambdas.

use serde_json::{Value, json};

use crate::harness::{World, samples_zip, up_local};

fn durations(stats: &Value) -> Vec<f64> {
    stats.as_array().unwrap().iter().map(|stat| stat["averageDuration"].as_f64().unwrap()).collect()
}

fn least(stats: &Value, figure: &str) -> f64 {
    stats.as_array().unwrap().iter().map(|stat| stat[figure].as_f64().unwrap()).fold(f64::MAX, f64::min)
}

#[tokio::test]
async fn a_computing_function_gets_faster_with_memory_and_each_strategy_chooses_its_own() {
    let world = World::new().await;
    let function = world.sample("compute", "cpu").await;
    let before = function.snapshot().await;
    let flags = ["--num", "5", "--payload", r#"{"iterations":10000000}"#, "--include-output-results"];
    let output = function.tune(&flags).success().json();
    let stats = &output["stats"];
    let sizes: Vec<u64> =
        stats.as_array().unwrap().iter().map(|stat| stat["value"].as_u64().unwrap()).collect();
    assert_eq!(sizes, [128, 256, 512, 3008], "the stack's sizes, and the 256 MB it has");
    let took = durations(stats);
    // By its share, 128 MB takes over thirteen times as long as 3008: a busy machine does not turn that round.
    assert!(took[0] > 2.0 * took[3], "{took:?}");
    let cheapest = least(stats, "averagePrice");
    assert_eq!(output["cost"].as_f64(), Some(cheapest));
    let flags = [&flags[..], &["--strategy", "speed"]].concat();
    let output = function.tune(&flags).success().json();
    assert_eq!(output["duration"].as_f64(), Some(least(&output["stats"], "averageDuration")));
    assert_ne!(output["power"], 128, "{output}");
    assert_eq!(function.snapshot().await, before);
}

#[tokio::test]
async fn a_waiting_function_gains_nothing_from_memory() {
    let world = World::new().await;
    let function = world.sample("wait", "io").await;
    let output =
        function.tune(&["--num", "5", "--payload", r#"{"milliseconds":40}"#, "--include-output-results"]);
    let output = output.success().json();
    assert_eq!(output["power"], 128, "the smallest is the cheapest: {output}");
    assert!(durations(&output["stats"]).iter().all(|ms| *ms >= 40.0), "{output}");
}

#[tokio::test]
async fn the_output_keeps_the_reference_s_names_and_its_link_opens() {
    let world =
        World::with(&["--power-values", "128,256", "--visualization-url", "https://example.test/chart"])
            .await;
    let function = world.sample("echo", "echo").await;
    let output = function.tune(&["--num", "5"]).success().json();
    for (field, value) in [
        ("schemaVersion", json!(1)),
        ("function", json!(function.name)),
        ("region", json!("us-east-1")),
        ("strategy", json!("cost")),
        ("num", json!(5)),
    ] {
        assert_eq!(output[field], value, "{field}");
    }
    assert_eq!(output["architecture"], output["prices"]["architecture"]);
    assert_eq!(output["prices"]["perRequest"].to_string(), "2e-7");
    for field in ["power", "cost", "duration"] {
        assert!(output[field].is_number(), "{field} in {output}");
    }
    for field in ["executionCost", "lambdaCost"] {
        assert!(output["stateMachine"][field].is_number(), "{field} in {output}");
    }
    assert_eq!(output.get("stats"), None, "only with includeOutputResults");
    let link = output["stateMachine"]["visualization"].as_str().unwrap();
    let hash = link.strip_prefix("https://example.test/chart#").expect("the stack's page");
    let runs = tuning::url::decode(hash).unwrap();
    assert_eq!(runs[0].sizes, [128, 256]);
    assert_eq!(runs[0].extras.current, Some(256));
}

#[tokio::test]
async fn the_stack_s_list_is_compared_with_the_present_size_and_a_typed_one_says_how() {
    let world = World::with(&["--power-values", "128,512"]).await;
    let function = world.sample("wait", "io").await;
    let flags = ["--num", "5", "--payload", r#"{"milliseconds":20}"#, "--invocations-per-month", "3000000"];
    let output = function.tune(&[&flags[..], &["--include-output-results"]].concat()).success().json();
    let sizes: Vec<u64> =
        output["stats"].as_array().unwrap().iter().map(|stat| stat["value"].as_u64().unwrap()).collect();
    assert_eq!(sizes, [128, 256, 512]);
    let month = |cost: &Value| cost.as_f64().unwrap() * 3e6;
    let monthly = &output["monthly"];
    assert_eq!(monthly["invocations"], 3_000_000);
    let close = |field: &str, amount: f64| (monthly[field].as_f64().unwrap() - amount).abs() < 2e-6;
    assert!(close("cost", month(&output["cost"])), "{output}");
    assert!(close("before", month(&output["baseline"]["cost"])), "{output}");
    assert!(close("saving", month(&output["baseline"]["cost"]) - month(&output["cost"])), "{output}");
    assert!(close("requestCost", 0.6), "{output}");
    let link = output["stateMachine"]["visualization"].as_str().unwrap();
    assert!(link.ends_with(";month:3000000"), "{link}");

    for form in [&[][..], &["--markdown"]] {
        let tune = [&["tune", "wait"], &flags[..], form].concat();
        let text = world.deployer(&tune).success().stdout;
        assert!(text.contains("At 3,000,000 invocations a month: $"), "{text}");
        assert!(text.contains(" with 256 MB, $"), "{text}");
        let text = world.deployer(&[&tune[..], &["--power-values", "128,512"]].concat()).success().stdout;
        let how = "The 256 MB it has now was not measured: add 256 to --power-values to compare.";
        assert!(text.lines().any(|line| line == how), "{text}");
    }
}

#[tokio::test]
async fn transitions_are_counted_as_they_are_billed() {
    let world = World::new().await;
    let function = world.sample("echo", "echo").await;
    let ended = world.execute(&json!({ "lambdaARN": function.arn(), "num": 5 })).await;
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    let mut entered = 0;
    let mut history =
        world.states.get_execution_history().execution_arn(&ended.arn).into_paginator().items().send();
    while let Some(event) = history.next().await {
        entered += u32::from(event.unwrap().r#type().as_str().ends_with("StateEntered"));
    }
    let cost = ended.output["stateMachine"]["executionCost"].as_f64().unwrap();
    assert!(
        (cost - f64::from(entered) * 2.5e-5).abs() < 1e-9,
        "{entered} states were entered, {cost} USD reported"
    );
}

#[tokio::test]
async fn weighted_payloads_are_sent_by_weight() {
    let world = World::new().await;
    let calls = world.folder().join("calls");
    let function = world.sample_with("echo", "echo", &[("INVOCATIONS_FILE", calls.to_str().unwrap())]).await;
    let payload = r#"[{"payload":"light","weight":1},{"payload":"heavy","weight":3}]"#;
    function.tune(&["--num", "8", "--power-values", "128", "--payload", payload]).success();
    let calls = std::fs::read_to_string(calls).unwrap();
    let count = |what: &str| calls.lines().filter(|line| line.contains(what)).count();
    assert_eq!((count("light"), count("heavy")), (2, 6), "{calls}");
}

#[tokio::test]
async fn processors_run_around_every_invocation_and_are_not_measured() {
    let world = World::new().await;
    let calls = world.folder().join("calls");
    let function = world.sample_with("echo", "echo", &[("INVOCATIONS_FILE", calls.to_str().unwrap())]).await;
    let after = world.folder().join("after");
    world.sample("before", "annotate").await;
    world.sample_with("after", "silent", &[("INVOCATIONS_FILE", after.to_str().unwrap())]).await;
    let (pre, post) = (world.arn("before"), world.arn("after"));
    let flags = [
        "--num",
        "5",
        "--power-values",
        "128",
        "--payload",
        r#"{"a":1}"#,
        "--pre-processor-arn",
        &pre,
        "--post-processor-arn",
        &post,
    ];
    function.tune(&flags).success();
    let calls = std::fs::read_to_string(calls).unwrap();
    assert_eq!(calls.lines().filter(|line| line.contains("annotated")).count(), 5, "{calls}");
    assert_eq!(std::fs::read_to_string(after).unwrap().lines().count(), 5);
}

#[tokio::test]
async fn a_processor_that_fails_fails_the_run() {
    let world = World::new().await;
    let function = world.sample("echo", "echo").await;
    world.sample("broken", "fail").await;
    let before = function.snapshot().await;
    let flags = ["--num", "5", "--power-values", "128", "--pre-processor-arn", &world.arn("broken")];
    function.tune(&flags).status(1).complains(&["broken"]);
    assert_eq!(function.snapshot().await, before);
}

#[tokio::test]
async fn a_payload_comes_from_s3() {
    let world = World::with(&["--power-values", "128", "--payload-s3-bucket", "payloads"]).await;
    let calls = world.folder().join("calls");
    let function = world.sample_with("echo", "echo", &[("INVOCATIONS_FILE", calls.to_str().unwrap())]).await;
    world.s3.create_bucket().bucket("payloads").send().await.unwrap();
    let body = aws_sdk_s3::primitives::ByteStream::from_static(b"{\"from\":\"s3\"}");
    world.s3.put_object().bucket("payloads").key("a/b.json").body(body).send().await.unwrap();
    function
        .tune(&["--num", "5", "--power-values", "128", "--payload-s3", "s3://payloads/a/b.json"])
        .success();
    let calls = std::fs::read_to_string(calls).unwrap();
    assert_eq!(calls.lines().filter(|line| line.contains("\"s3\"")).count(), 5, "{calls}");
}

#[tokio::test]
async fn every_invocation_can_be_a_cold_start() {
    let world = World::new().await;
    let function = world.sample("echo", "echo").await;
    let before = function.snapshot().await;
    let flags = ["--num", "5", "--power-values", "128,256", "--only-cold-starts", "--include-output-results"];
    let output = function.tune(&flags).success().json();
    for stat in output["stats"].as_array().unwrap() {
        assert_eq!((stat["invocations"].as_u64(), stat["coldStarts"].as_u64()), (Some(5), Some(5)), "{stat}");
        assert!(stat["initDuration"].as_f64().unwrap() > 0.0, "{stat}");
    }
    assert_eq!(function.snapshot().await, before);
}

#[tokio::test]
async fn a_dry_run_invokes_once_and_analyzes_nothing() {
    let world = World::new().await;
    let calls = world.folder().join("calls");
    let function = world.sample_with("echo", "echo", &[("INVOCATIONS_FILE", calls.to_str().unwrap())]).await;
    let output = function.tune(&["--num", "50", "--dry-run"]).success().json();
    assert_eq!(output.get("power"), None, "{output}");
    assert!(output["executionArn"].is_string(), "{output}");
    assert_eq!(std::fs::read_to_string(calls).unwrap().lines().count(), 3, "one for each of 128, 512, 3008");
}

#[tokio::test]
async fn the_winner_can_be_applied() {
    let world = World::new().await;
    let function = world.sample("wait", "io").await;
    let flags = ["--num", "5", "--payload", r#"{"milliseconds":5}"#, "--auto-optimize"];
    let output = function.tune(&flags).success().json();
    assert_eq!(i64::from(function.memory().await), output["power"].as_i64().unwrap());
}

#[tokio::test]
async fn the_winner_can_be_applied_to_an_alias_instead() {
    let world = World::new().await;
    let function = world.sample("wait", "io").await;
    let flags = [
        "--num",
        "5",
        "--payload",
        r#"{"milliseconds":5}"#,
        "--auto-optimize",
        "--auto-optimize-alias",
        "live",
    ];
    let output = function.tune(&flags).success().json();
    assert_eq!(function.memory().await, 256, "$LATEST stays as it is");
    let live = world
        .lambda
        .get_function_configuration()
        .function_name("wait")
        .qualifier("live")
        .send()
        .await
        .unwrap();
    assert_eq!(i64::from(live.memory_size().unwrap()), output["power"].as_i64().unwrap());
    let aliases = world.lambda.list_aliases().function_name("wait").send().await.unwrap();
    assert_eq!(aliases.aliases().len(), 1, "only the one that was asked for: {aliases:?}");
    function.tune(&flags).success();
}

#[tokio::test]
async fn an_allowed_exception_is_a_result() {
    let world = World::new().await;
    let function = world.sample("fail", "fail").await;
    let flags = [
        "--num",
        "5",
        "--power-values",
        "128",
        "--allowed-exceptions",
        "SampleError",
        "--include-output-results",
    ];
    let output = function.tune(&flags).success().json();
    assert_eq!(output["stats"][0]["errors"], 5, "{output}");
}

#[tokio::test]
async fn all_sizes_are_forty_six() {
    let world = World::new().await;
    let function = world.sample("echo", "echo").await;
    let before = function.snapshot().await;
    let output =
        function.tune(&["--num", "5", "--power-values", "ALL", "--include-output-results"]).success().json();
    assert_eq!(output["stats"].as_array().unwrap().len(), 46);
    assert_eq!(function.snapshot().await, before);
}

#[tokio::test]
async fn invocations_can_run_all_at_once() {
    let world = World::new().await;
    let calls = world.folder().join("calls");
    let function = world.sample_with("wait", "io", &[("INVOCATIONS_FILE", calls.to_str().unwrap())]).await;
    let flags = ["--num", "12", "--power-values", "128", "--parallel-invocation", "--include-output-results"];
    let output = function.tune(&flags).success().json();
    assert_eq!(output["stats"][0]["invocations"], 12, "{output}");
    assert_eq!(std::fs::read_to_string(calls).unwrap().lines().count(), 12);
}

#[tokio::test]
async fn a_size_that_is_too_small_is_skipped_and_the_others_go_on() {
    let world = World::new().await;
    let function = world.sample("hungry", "memory").await;
    let before = function.snapshot().await;
    let output = function.tune(&["--num", "5", "--power-values", "128,512"]).success().json();
    assert_eq!(output["power"], 512, "{output}");
    assert_eq!(output["skipped"][0]["value"], 128, "{output}");
    assert!(output["skipped"][0]["reason"].as_str().unwrap().contains("memory"), "{output}");
    assert_eq!(function.snapshot().await, before);
}

#[tokio::test]
async fn a_run_that_needs_several_passes_counts_every_invocation_once() {
    // Ten seconds are the least one pass may be given; 40 invocations of 500 ms do not fit into it.
    let world = World::with(&["--power-values", "128", "--total-execution-timeout", "10"]).await;
    let calls = world.folder().join("calls");
    let function = world.sample_with("wait", "io", &[("INVOCATIONS_FILE", calls.to_str().unwrap())]).await;
    let flags = ["--num", "40", "--payload", r#"{"milliseconds":500}"#, "--include-output-results"];
    let output = function.tune(&[&flags[..], &["--power-values", "128"]].concat()).success().json();
    let stat = &output["stats"][0];
    assert_eq!(stat["invocations"], 40, "{output}");
    assert!(stat["passes"].as_u64().unwrap() > 1, "one pass was enough, so nothing is shown: {output}");
    assert_eq!(std::fs::read_to_string(calls).unwrap().lines().count(), 40);
}

#[tokio::test]
async fn versions_that_need_several_passes_are_each_made_once() {
    // 120 versions, each a change that takes a while to settle, do not fit into a pass of ten seconds.
    let world = World::with(&["--total-execution-timeout", "10"]).await;
    let calls = world.folder().join("calls");
    let function = world.sample_with("echo", "echo", &[("INVOCATIONS_FILE", calls.to_str().unwrap())]).await;
    let before = function.snapshot().await;
    let input = json!({
        "lambdaARN": function.arn(), "num": 60, "powerValues": [128, 512], "onlyColdStarts": true,
        "includeOutputResults": true,
    });
    let ended = world.execute(&input).await;
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    for stat in ended.output["stats"].as_array().unwrap() {
        assert_eq!(
            (stat["invocations"].as_u64(), stat["coldStarts"].as_u64()),
            (Some(60), Some(60)),
            "{stat}"
        );
    }
    let calls = std::fs::read_to_string(calls).unwrap();
    let versions: std::collections::BTreeSet<&str> =
        calls.lines().filter_map(|l| l.split(' ').nth(1)).collect();
    assert_eq!((calls.lines().count(), versions.len()), (120, 120), "each by an alias of its own");
    let mut history =
        world.states.get_execution_history().execution_arn(&ended.arn).into_paginator().items().send();
    let mut passes = 0;
    while let Some(event) = history.next().await {
        let entered = event.unwrap().state_entered_event_details;
        passes += u32::from(entered.is_some_and(|state| state.name() == "Publisher"));
    }
    assert!(passes > 1, "one pass was enough, so nothing is shown");
    assert_eq!(function.snapshot().await, before);
}

#[tokio::test]
async fn a_gate_that_is_not_met_ends_with_3() {
    let world = World::new().await;
    let function = world.sample("wait", "io").await;
    let flags = ["--num", "5", "--power-values", "128", "--max-duration-ms", "1"];
    let said = function.tune(&flags).status(3).complains(&["more than the 1 ms allowed"]);
    assert_eq!(said.json()["power"], 128);
}

#[tokio::test]
async fn code_is_all_it_takes_on_this_machine() {
    let folder = tempfile::tempdir().unwrap();
    up_local(folder.path(), &["--power-values", "128,512"]).success();
    std::fs::write(folder.path().join("mine.zip"), samples_zip()).unwrap();
    let mut command = crate::harness::deployer(&[
        "tune",
        "--local",
        "--code",
        "mine.zip",
        "--handler",
        "echo",
        "--num",
        "5",
        "--state",
    ]);
    let said = crate::harness::Said::by(command.arg(folder.path().join("state")).current_dir(folder.path()))
        .success();
    assert!(said.stdout.starts_with("mine should have "), "{}", said.stdout);
    assert!(said.stdout.contains("Chart: "), "{}", said.stdout);
}
