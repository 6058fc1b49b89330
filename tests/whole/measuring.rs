//! What makes a local figure one to be trusted: sizes that take turns, doubts that are said, a machine that is calibrated.

use serde_json::Value;

use crate::harness::{World, deployer, samples_zip, up_local};

#[tokio::test]
async fn the_sizes_of_a_run_take_turns() {
    let world = World::new().await;
    let calls = world.folder().join("calls");
    let function =
        world.sample_with("compute", "cpu", &[("INVOCATIONS_FILE", calls.to_str().unwrap())]).await;
    // At 128 MB it takes fourteen times as long as at 1,769.
    let flags = ["--num", "8", "--power-values", "128,1769", "--payload", r#"{"iterations":10000000}"#];
    function.tune(&flags).success();
    let calls = std::fs::read_to_string(calls).unwrap();
    let slow: Vec<bool> = calls.lines().map(|line| line.contains(":deployer-tuning-128 ")).collect();
    assert_eq!((slow.len(), slow.iter().filter(|slow| **slow).count()), (16, 8), "{calls}");
    // In one go, all eight fast ones would fit between two slow ones. A busy machine may slip in a few.
    let most = slow.split(|slow| *slow).map(<[bool]>::len).max();
    assert!(most <= Some(5), "{calls}");
}

#[tokio::test]
async fn sizes_that_cannot_be_told_apart_are_named() {
    let world = World::new().await;
    let function = world.sample("wait", "io").await;
    // Half of them take six times as long as the others, at both sizes.
    let payload =
        r#"[{"payload":{"milliseconds":60},"weight":1},{"payload":{"milliseconds":10},"weight":1}]"#;
    let flags =
        ["--num", "10", "--power-values", "128,256", "--strategy", "speed", "--discard-top-bottom", "0"];
    let said = function.tune(&[&flags[..], &["--payload", payload]].concat()).success();
    let output = said.json();
    let doubt = &output["undecided"][0];
    assert_ne!(doubt["value"], output["power"], "{output}");
    assert!(doubt["uncertaintyPercent"].as_f64() > doubt["differencePercent"].as_f64(), "{output}");
    said.complains(&["% behind, \u{b1}"]);
}

#[test]
fn a_calibrated_machine_says_what_it_would_be_on_lambda() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    up_local(folder.path(), &["--power-values", "128"]).success();
    std::fs::write(folder.path().join("mine.zip"), samples_zip()).unwrap();
    let local = |words: &[&str]| {
        let mut command = deployer(words);
        command.args(["--local", "--state"]).arg(&state).current_dir(folder.path());
        crate::harness::Said::by(&mut command)
    };
    let tune = ["tune", "--code", "mine.zip", "--handler", "echo", "--num", "5", "--calibrated"];
    local(&tune).status(2).complains(&["--calibrated", "run `deployer local calibrate` first"]);
    local(&["local", "calibrate", "--lambda-ms", "0"]).status(2).complains(&["lambda-ms", "above 0"]);

    let calibrated = local(&["local", "calibrate", "--lambda-ms", "210", "--json"]).success().json();
    let number = |of: &Value, name: &str| of[name].as_f64().unwrap_or_else(|| panic!("{name} in {of}"));
    let factor = number(&calibrated, "factor");
    assert!((factor * number(&calibrated, "hereMs") / 210.0 - 1.0).abs() < 0.01, "{calibrated}");
    assert_eq!(calibrated["lambdaMeasured"], true);

    let output = local(&[&tune[..], &["--json"]].concat()).success().json();
    let scaled = number(&output["calibrated"]["stats"][0], "averageDuration");
    assert!((scaled / number(&output, "duration") / factor - 1.0).abs() < 0.01, "{output}");
    assert!(output["measuredHere"]["uncertaintyPercent"].is_number(), "{output}");
    assert!(output["measuredHere"]["processor"].is_string(), "{output}");
    let text = local(&tune).success().stdout;
    assert!(text.contains("on Lambda") && text.contains("a core of Lambda took 210.0 ms"), "{text}");
    let plain = local(&tune[..tune.len() - 1]).success().stdout;
    assert!(!plain.contains("on Lambda"), "off unless it is asked for: {plain}");
}
