//! The stack is brought up to date while an execution of it runs.

use std::time::Duration;

use crate::harness::{Running, World};

/// An execution keeps the state machine it was started with, and an invocation the configuration that its function had.
#[tokio::test]
async fn a_run_and_an_update_of_the_stack_both_end_well() {
    let world = World::empty().await;
    world.up(&["--power-values", "128,512"]).success();
    let function = world.sample("wait", "io").await;
    let before = function.snapshot().await;
    let flags =
        ["--num", "40", "--power-values", "128,512", "--payload", r#"{"milliseconds":200}"#, "--json"];
    let tune = Running::start(&mut world.command(&[&["tune", "wait"], &flags[..]].concat()));
    let measuring = || world.lambda.get_alias().function_name("wait").name("deployer-tuning-512").send();
    let mut tries = 0;
    while measuring().await.is_err() {
        tries += 1;
        assert!(tries < 600, "nothing was published after a minute");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    // What concerns the functions' variables, their time-out, and the machine.
    let more = ["--power-values", "256", "--total-execution-timeout", "200", "--log-retention-days", "30"];
    world.up(&more).success();
    assert!(measuring().await.is_ok(), "the run was over before the update was: it must be longer");
    let output = tune.end().success().json();
    assert!([128, 512].contains(&output["power"].as_u64().unwrap()), "{output}");
    assert_eq!(function.snapshot().await, before);

    let output = function.tune(&["--num", "5"]).success().json();
    assert_eq!(output["power"], 256, "the update is in effect: {output}");
}
