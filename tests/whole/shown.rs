//! What a run shows: progress while it goes on, and a result that fits the terminal and says what to make of it.

use aws_sdk_lambda::types::Runtime;
use serde_json::{Value, json};

use crate::applied::machine;
use crate::confirmation::answered;
use crate::harness::World;
use crate::money::handler;

#[tokio::test]
async fn progress_counts_invocations_by_size_with_money_and_time() {
    let world = World::new().await;
    let function = world.sample("wait", "io").await;
    let flags = ["--num", "25", "--power-values", "128,512", "--payload", r#"{"milliseconds":200}"#];
    let said = function.tune(&[&flags[..], &["--progress-seconds", "1"]].concat()).success();
    let events = said.stderr.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let told: Vec<Value> = events.filter(|event| event["event"] == "invocations").collect();
    let done: Vec<u64> = told.iter().map(|event| event["done"].as_u64().unwrap()).collect();
    assert!(done.is_sorted(), "{done:?}");
    let between: Vec<&Value> =
        told.iter().filter(|event| (1..50).contains(&event["done"].as_u64().unwrap())).collect();
    assert!(between.len() >= 2, "progress is told while invocations are made: {}", said.stderr);
    for event in between {
        assert_eq!(event["total"], 50, "{event}");
        let sizes = event["sizes"].as_array().unwrap();
        assert_eq!((sizes.len(), &sizes[0]["memoryMb"], &sizes[1]["total"]), (2, &json!(128), &json!(25)));
        assert!(event["cost"].as_f64().unwrap() > 0.0 && event["leftSeconds"].as_f64().is_some(), "{event}");
    }
    let output = said.json();
    assert!(output["tookSeconds"].as_f64().unwrap() > 5.0, "25 times 200 ms at least: {output}");

    // In a terminal the same in a line, and the result says how long it took.
    let tune = [&["tune", "wait"], &flags[..], &["--progress-seconds", "1"]].concat();
    let shown = answered(&world.command(&tune), "nobody asks", "").success().stdout;
    assert!(shown.contains("/50 invocations in ") && shown.contains(" so far: 128 MB "), "{shown}");
    assert!(shown.contains("The run itself took "), "{shown}");
}

#[tokio::test]
async fn cold_starts_are_apart_unless_they_are_all_there_is() {
    let world = World::new().await;
    // As slow the first time as a function that reads its model.
    let slow = handler("time.sleep(0.001 if globals().get('warm') else 0.4); globals()['warm'] = True");
    let create = world.lambda.create_function().function_name("model").code(slow).handler("app.handler");
    let create = create.runtime(Runtime::Python313).timeout(30).memory_size(1024);
    create.role("arn:aws:iam::000000000000:role/sample").send().await.unwrap();
    let input = |more: Value| {
        let mut input = json!({
            "lambdaARN": world.arn("model"), "num": 5, "powerValues": [1024], "discardTopBottom": 0,
            "includeOutputResults": true,
        });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    let whole = world.execute(&input(json!({}))).await.output;
    assert!(whole["duration"].as_f64().unwrap() > 80.0, "a fifth of 400 ms at least: {whole}");
    assert_eq!((whole.get("coldStarts"), whole["stats"][0].get("coldDuration")), (None, None));
    let apart = world.execute(&input(json!({"coldStarts": "apart"}))).await.output;
    assert!(apart["duration"].as_f64().unwrap() < 80.0, "{apart}");
    assert_eq!(apart["coldStarts"], "apart");
    let stat = &apart["stats"][0];
    assert!(stat["coldDuration"].as_f64().unwrap() > 400.0 && stat["coldStarts"] == 1, "{stat}");

    let tune = ["tune", "model", "--num", "5", "--power-values", "1024"];
    let text = world.deployer(&tune).success().stdout;
    for part in [
        " on average (trimmed) and ",
        "  cold start  ",
        "Not in the averages: the fastest 20 % and the slowest 20 % of the invocations (they are trimmed), and the cold start, which stands beside.",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let cold = [&tune[..], &["--only-cold-starts", "--json", "--include-output-results"]].concat();
    let output = world.deployer(&cold).success().json();
    assert_eq!(output.get("coldStarts"), None);
    assert!(output["duration"].as_f64().unwrap() > 400.0, "{output}");
}

/// How many columns a line takes; escape sequences take none.
fn width(line: &str) -> usize {
    let mut parts = line.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    let rest = parts.map(|part| part.split_once('m').map_or(part, |(_, text)| text));
    rest.fold(first, |text, part| text + part).trim_end().chars().count()
}

#[tokio::test]
async fn a_result_fits_a_narrow_terminal() {
    let world = World::new().await;
    world.sample("wait", "io").await;
    let tune = ["tune", "wait", "--num", "5", "--invocations-per-month", "1000000"];
    for (columns, dropped) in [(60, true), (140, false)] {
        let mut command = world.command(&tune);
        command.env("TERMINAL_COLUMNS", columns.to_string());
        let shown = answered(&command, "nobody asks", "").success().stdout;
        let result = shown.split_once("wait should have ").expect("a result").1;
        let table: Vec<&str> = result
            .lines()
            .skip_while(|line| !line.contains("cost per million"))
            .take_while(|line| !line.starts_with("Not in"))
            .collect();
        assert!(table.len() > 8, "a table and a chart:\n{result}");
        for line in &table {
            assert!(width(line) <= columns, "{columns}: {line}\n{shown}");
        }
        assert_eq!(table[0].contains("vs fastest"), !dropped, "{}", table[0]);
        for part in ["3008 MB", "← chosen", "current"] {
            assert!(table.iter().any(|line| line.contains(part)), "{part}\n{shown}");
        }
    }
}

#[tokio::test]
async fn advice_stands_beside_a_winner_that_is_hardly_ahead() {
    let world = World::new().await;
    world.sample("mine", "echo").await;
    let output = json!({
        "power": 128, "cost": 2.0e-6, "duration": 800.0,
        "stateMachine": { "executionCost": 0.0004, "lambdaCost": 0.0001, "visualization": "https://x/#a;b;c" },
        "alternative": {
            "value": 512, "costPercent": 0.7, "durationPercent": -75.0,
            "summary": "512 MB costs about the same (+0.7 %) and is 4× faster",
        },
        "undecided": [{ "value": 512, "differencePercent": 0.7, "uncertaintyPercent": 0.2, "num": 5271 }],
        "stats": [{ "value": 128, "averagePrice": 2.0e-6, "averageDuration": 800.0 },
                  { "value": 512, "averagePrice": 2.014e-6, "averageDuration": 200.0 }],
    });
    let machine = machine(&world, &output).await;
    for form in [&[][..], &["--markdown"]] {
        let tune = [&["tune", "mine", "--num", "5", "--state-machine-arn", &machine], form].concat();
        let said = world.deployer(&tune).success();
        let advice = "512 MB costs about the same (+0.7 %) and is 4× faster.";
        assert!(said.stdout.lines().any(|line| line == advice), "{}", said.stdout);
        assert!(!said.stderr.contains("would settle it"), "{}", said.stderr);
        said.complains(&["128 MB and 512 MB are equal within 1 %"]);
    }
}
