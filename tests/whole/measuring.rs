//! What makes a local figure one to be trusted: sizes that take turns, doubts that are said, a machine that is calibrated.

use std::process::{Child, Command, Stdio};

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

/// Other work: so many processes that compute until this is dropped, and for two minutes at most.
struct Busy(Vec<Child>);

impl Busy {
    fn with(processes: usize) -> Self {
        let start = |_| {
            let mut shell = Command::new("sh");
            shell.args(["-c", "ulimit -t 120; while :; do :; done"]).stdin(Stdio::null());
            shell.spawn().expect("sh starts")
        };
        Self((0..processes).map(start).collect())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[tokio::test]
async fn a_machine_that_is_too_busy_to_measure_is_said() {
    let cores = std::thread::available_parallelism().unwrap().get();
    let world = World::disturbed("repeat").await;
    let calls = world.folder().join("calls");
    let function =
        world.sample_with("compute", "cpu", &[("INVOCATIONS_FILE", calls.to_str().unwrap())]).await;
    let payload = ["--payload", r#"{"iterations":10000000}"#, "--discard-top-bottom", "0"];
    let figures = |busy: usize| {
        let _busy = Busy::with(busy);
        let flags = ["--num", "6", "--power-values", "128,1769", "--include-output-results"];
        let output = function.tune(&[&flags[..], &payload[..]].concat()).success().json();
        let stat = |value: u32| {
            let stats = output["stats"].as_array().unwrap();
            stats.iter().find(|stat| stat["value"] == value).unwrap().clone()
        };
        (stat(128), stat(1769), output)
    };
    let made = || std::fs::read_to_string(&calls).unwrap().lines().count();
    let duration = |stat: &Value| stat["averageDuration"].as_f64().unwrap();
    let (idle_small, idle, _) = figures(0);
    for busy in [1, cores, 3 * cores] {
        let before = made();
        let (small, whole, output) = figures(busy);
        let said = |value: u32| {
            let unusable = output["unusable"].as_array().into_iter().flatten();
            unusable.filter(|size| size["value"] == value).count() == 1
        };
        // Idle is what this machine is without these processes: others may be at work. 5 % is what unmarked figures may be off
        // by the accounts, the rest is what a virtual machine's host and the other half of a core take. Six invocations leave
        // some of it open besides, which they say themselves.
        for (idle, busy, value) in [(&idle_small, &small, 128), (&idle, &whole, 1769)] {
            let open = |stat: &Value| stat["standardError"].as_f64().unwrap();
            let most = duration(idle) * 1.2 + 2.0 + 3.0 * open(idle).hypot(open(busy));
            assert!(duration(busy) < most || said(value), "{busy} and idle {idle}: {output}");
        }
        let again = |stat: &Value| stat["disturbed"]["repeated"].as_u64().unwrap_or_default();
        assert_eq!(made() - before, 12 + usize::try_from(again(&small) + again(&whole)).unwrap(), "{output}");
        if busy == 3 * cores {
            // It gets a quarter of a core; as many as half of six are made again, and none of that helps.
            assert!(said(1769) && again(&whole) == 3, "{output}");
        }
    }
    let _busy = Busy::with(3 * cores);
    let tune = ["tune", "compute", "--num", "5", "--power-values", "1769"];
    let text = world.deployer(&[&tune[..], &payload].concat()).success().stdout;
    assert!(text.starts_with("These figures cannot be used: other work on this machine"), "{text}");
    let markdown = world.deployer(&[&tune[..], &payload, &["--markdown"]].concat()).success().stdout;
    assert!(markdown.starts_with("**These figures cannot be used: "), "{markdown}");
}

#[tokio::test]
async fn disturbed_invocations_are_counted_or_ignored_when_that_is_asked_for() {
    let cores = std::thread::available_parallelism().unwrap().get();
    for (how, said) in [("say", true), ("ignore", false)] {
        let world = World::disturbed(how).await;
        let function = world.sample("compute", "cpu").await;
        let _busy = Busy::with(3 * cores);
        let flags = ["--num", "5", "--power-values", "1769", "--include-output-results"];
        let payload = ["--payload", r#"{"iterations":10000000}"#];
        let output = function.tune(&[&flags[..], &payload[..]].concat()).success().json();
        assert_eq!(output["unusable"].is_array(), said, "{output}");
        let disturbed = &output["stats"][0]["disturbed"];
        assert_eq!(disturbed.is_object(), said, "{output}");
        assert!(!said || disturbed["repeated"] == 0, "{output}");
    }
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
    said.complains(&[", \u{b1} "]);
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
