//! What a run costs: said before it starts, asked about in a terminal, and limited by a budget.

use serde_json::{Value, json};

use crate::confirmation::answered;
use crate::harness::World;

fn invocations(stats: &Value) -> u64 {
    stats.as_array().unwrap().iter().map(|stat| stat["invocations"].as_u64().unwrap()).sum()
}

/// What the longest invocation of each size cost, together.
fn longest(stats: &Value) -> f64 {
    let cost = |stat: &Value| {
        let figure = |name: &str| stat[name].as_f64().unwrap();
        figure("averagePrice") * figure("max") / figure("averageDuration")
    };
    stats.as_array().unwrap().iter().map(cost).sum()
}

#[tokio::test]
async fn a_budget_stops_a_run_and_what_was_measured_is_kept() {
    let world = World::new().await;
    let calls = world.folder().join("calls");
    let function = world.sample_with("wait", "io", &[("INVOCATIONS_FILE", calls.to_str().unwrap())]).await;
    let before = function.snapshot().await;
    // The 13 transitions, and for each size about 30 invocations of 100 ms at 1 GB.
    let budget = 13.0 * 2.5e-5 + 2.0 * 30.0 * (1.67e-6 + 2e-7);
    for (parallel, made_before) in [(false, 0), (true, 1)] {
        let calls_before = if made_before == 0 { 0 } else { lines(&calls) };
        let input = json!({
            "lambdaARN": function.arn(), "num": 300, "powerValues": [512, 1024], "payload": { "milliseconds": 100 },
            "budget": budget, "includeOutputResults": true, "autoOptimize": true, "parallelInvocation": parallel,
        });
        let ended = world.execute(&input).await;
        assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
        let output = ended.output;
        assert_eq!(output["stoppedBy"], "budget", "{output}");
        assert_eq!(output["applied"], false, "{output}");
        let stats = &output["stats"];
        for stat in stats.as_array().unwrap() {
            assert_eq!(stat["stoppedBy"], "budget", "{stat}");
            assert!((2..300).contains(&stat["invocations"].as_u64().unwrap()), "{stat}");
        }
        let made = invocations(stats);
        assert_eq!(
            lines(&calls) - calls_before,
            usize::try_from(made).unwrap(),
            "all that ran are in the figures"
        );
        let cost = |name: &str| output["stateMachine"][name].as_f64().unwrap();
        let spent = cost("executionCost") + cost("lambdaCost") + made as f64 * 2e-7;
        // What is under way may take longer than any before: one invocation of a size in series, many at once.
        let longer = if parallel { 0.5 * budget } else { longest(stats) };
        assert!(spent <= budget + longer, "{spent} of {budget}: {output}");
        assert_eq!(function.snapshot().await, before);
    }

    let flags =
        ["--num", "300", "--power-values", "1024", "--payload", r#"{"milliseconds":100}"#, "--budget"];
    let said = function.tune(&[&flags[..], &["0.0003"]].concat()).success();
    assert_eq!(said.json()["stoppedBy"], "budget");
    said.complains(&["the budget ended the run after", "of 300 invocations of 1024 MB"]);
    let said = function.tune(&["--num", "5", "--power-values", "1024", "--budget", "1"]).success();
    assert_eq!(said.json().get("stoppedBy"), None, "a dollar is enough");
    function.tune(&["--budget", "0"]).status(2).complains(&["--budget is 0: use a number above 0"]);
}

fn lines(file: &std::path::Path) -> usize {
    std::fs::read_to_string(file).unwrap().lines().count()
}

async fn executions(world: &World) -> usize {
    let machines = world.states.list_state_machines().send().await.unwrap();
    let machine = machines.state_machines()[0].state_machine_arn();
    world.states.list_executions().state_machine_arn(machine).send().await.unwrap().executions().len()
}

#[tokio::test]
async fn a_run_elsewhere_says_what_it_will_do_and_asks_when_it_is_not_cheap() {
    let world = World::new().await;
    let function = world.sample("echo", "echo").await;
    // The stack's three sizes, and the one it has.
    let estimate = "4 memory sizes × 5 invocations = 20: about $0.00";
    let said = function.tune(&["--num", "5", "--ask-above", "0.0000001"]).success();
    assert!(said.stderr.contains(estimate), "elsewhere it is only said: {}", said.stderr);
    assert_eq!(executions(&world).await, 1);

    let dear = ["tune", "echo", "--num", "5", "--power-values", "128", "--ask-above", "0.0000001"];
    let said = answered(&world.command(&dear), "Start it? [y/N]", "n\n");
    assert!(said.stdout.contains("1 memory size × 5 invocations = 5: about $0.00"), "{}", said.stdout);
    assert!(said.stdout.contains("declined; nothing was started"), "{}", said.stdout);
    said.status(1);
    assert_eq!(executions(&world).await, 1);
    let said = answered(&world.command(&dear), "Start it? [y/N]", "y\n").success();
    assert!(said.stdout.contains("echo should have 128 MB"), "{}", said.stdout);
    let said = answered(&world.command(&dear[..6]), "Start it?", "n\n").success();
    assert!(!said.stdout.contains("Start it?"), "below a dollar nobody is asked: {}", said.stdout);
    assert_eq!(executions(&world).await, 3);
}
