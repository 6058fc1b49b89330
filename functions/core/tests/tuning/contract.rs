//! Cases that were run through the reference's own functions: ours must give the same answers (costs within 2.5 %, since the
//! reference's prices are rounded; what the execution costs is ours to compute).

use serde_json::{Value, json};
use tuning::failure::{Outcome, classify};
use tuning::input::{Defaults, Input, power_value};
use tuning::output::{LinkDetail, Run, Stat, analyze};
use tuning::pricing::{self, Architecture, Extras};
use tuning::report::Report;
use tuning::stats::{Measurement, Measurements};
use tuning::url;

const CASES: &str = include_str!("../fixtures/contract/function-cases.json");
const LINKS: &str = include_str!("../fixtures/contract/links.json");

fn cases(of: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(CASES).unwrap();
    let cases = file["cases"].as_array().unwrap();
    let cases: Vec<Value> = cases.iter().filter(|case| case["fn"] == of).cloned().collect();
    assert!(!cases.is_empty(), "the fixtures have cases of the {of}");
    cases
}

fn assert_within(percent: f64, ours: &Value, theirs: &Value) {
    let (ours, theirs) = (ours.as_f64().unwrap(), theirs.as_f64().unwrap());
    assert!(
        (ours - theirs).abs() <= theirs.abs() * percent / 100.0,
        "{ours} is not within {percent} % of {theirs}"
    );
}

#[test]
fn the_analyzer_answers_as_recorded() {
    for case in cases("analyzer") {
        let event = &case["event"];
        let input = Input::parse(event, &Defaults::default()).unwrap();
        let stats: Vec<Stat> = serde_json::from_value(event["stats"].clone()).unwrap();
        let run = Run {
            architecture: Architecture::X86_64,
            baseline: None,
            extras: Extras { storage_mb: 512, snap_start: false },
            publisher_passes: 1,
            visualization_url: "https://example.test/",
            // What the reference writes; what the page shows beside it is in `outputs.rs`.
            link: LinkDetail::Canonical,
            date: "2026-11-29".to_owned(),
            search: None,
            invocations: &[],
            code_sha256: None,
            environments: 1,
            bursts: None,
            notes: &[],
            beside: &[],
        };
        let ours = serde_json::to_value(analyze(&input, &stats, &run).unwrap()).unwrap();
        let theirs = &case["expect"]["ok"];
        if theirs.is_null() {
            assert!(ours.is_null());
            continue;
        }
        assert_eq!(ours["power"], theirs["power"]);
        assert_eq!(ours["duration"], theirs["duration"]);
        assert_within(2.5, &ours["cost"], &theirs["cost"]);
        assert_within(2.5, &ours["stateMachine"]["lambdaCost"], &theirs["stateMachine"]["lambdaCost"]);
        assert_eq!(ours["stateMachine"]["visualization"], theirs["stateMachine"]["visualization"]);
        let transitions = 7.0 + 3.0 * stats.len() as f64;
        assert_within(1e-9, &ours["stateMachine"]["executionCost"], &json!(transitions * 2.5e-5));
    }
}

/// What an Executor does, without the invocations: these are in the case.
fn execute(case: &Value) -> Result<(Vec<String>, Value), (Vec<String>, String)> {
    let event = &case["event"];
    let input =
        Input::parse(&event["input"], &Defaults::default()).map_err(|e| (Vec::new(), e.to_string()))?;
    let value = power_value(&event["value"]).unwrap();
    let plan = input.payload_plan().unwrap();
    let architecture = case["config"]["Architectures"][0].as_str().unwrap().parse().unwrap();
    let price = pricing::lambda(&input.lambda_arn.region, architecture);

    let mut sent = Vec::new();
    let mut measurements = Measurements::new();
    for (index, invocation) in (0..input.invocations()).zip(case["invocations"].as_array().unwrap()) {
        sent.push(plan.payload(index).to_owned());
        let report = Report::from_log_tail(invocation["log"].as_str().unwrap()).unwrap();
        if invocation["error"] == true {
            let answer = invocation["payload"].to_string();
            match classify(answer.as_bytes(), "", Some(&report), &input.allowed_exceptions) {
                Outcome::Handler(error) => return Err((sent, error.to_string())),
                other => panic!("{other:?}"),
            }
        }
        measurements.push(Measurement::from(&report));
    }
    let stat = Stat::measured(value, &measurements, input.averages(), &price, 1).unwrap();
    Ok((sent, serde_json::to_value(stat).unwrap()))
}

#[test]
fn the_executor_answers_as_recorded() {
    for case in cases("executor") {
        let expected = &case["expect"];
        match execute(&case) {
            Ok((sent, ours)) => {
                let theirs = &expected["ok"];
                assert_eq!(json!(sent), case["sent"]);
                assert_eq!(ours["value"], theirs["value"]);
                assert_within(1e-9, &ours["averageDuration"], &theirs["averageDuration"]);
                assert_within(2.5, &ours["averagePrice"], &theirs["averagePrice"]);
                assert_within(2.5, &ours["totalCost"], &theirs["totalCost"]);
            }
            Err((sent, ours)) => {
                let theirs = expected["error"].as_str().expect("the reference fails as well");
                assert_eq!(json!(sent), case["sent"]);
                for told in ["\"Handled\"", "\"boom\"", "3 payloads", "\"num\"=1"] {
                    assert_eq!(ours.contains(told), theirs.contains(told), "{told}: {ours}");
                }
            }
        }
    }
}

#[test]
fn links_in_the_wild_open_and_are_written_the_same() {
    let file: Value = serde_json::from_str(LINKS).unwrap();
    for link in file["links"].as_array().unwrap() {
        let hash = link["hash"].as_str().unwrap();
        let runs = url::decode(hash).unwrap();
        for (run, expected) in runs.iter().zip(link["runs"].as_array().unwrap()) {
            let floats =
                |values: &[f32]| json!(values.iter().map(|&value| f64::from(value)).collect::<Vec<_>>());
            assert_eq!(json!(run.name), expected["name"]);
            assert_eq!(json!(run.sizes), expected["sizes"]);
            assert_eq!(floats(&run.times), expected["times"]);
            assert_eq!(floats(&run.costs), expected["costs"]);
        }
        assert_eq!(runs.len(), link["runs"].as_array().unwrap().len());
        // A trailing semicolon is an empty name, which the canonical form leaves out.
        let canonical = hash.trim_end_matches(';');
        assert_eq!(url::encode("", &runs, tuning::Currency::Usd).unwrap(), format!("#{canonical}"));
    }
    for hash in file["malformed"].as_array().unwrap() {
        let error = url::decode(hash.as_str().unwrap()).unwrap_err();
        assert!(!error.to_string().is_empty(), "{hash}");
    }
}
