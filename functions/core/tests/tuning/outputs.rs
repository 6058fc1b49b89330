//! What users' programs read.

use serde_json::{Value, json};
use tuning::input::{Defaults, Input};
use tuning::output::{AnalyzeError, Applied, Disturbed, LinkDetail, Run, Stat, analyze};
use tuning::pricing::{self, Architecture, Extras};
use tuning::search::{Batch, End, Sample};
use tuning::stats::{Averages, ColdStarts, Measurement, Measurements};
use tuning::url;

const TRIMMED: Averages = Averages { discard: 0.2, cold_starts: ColdStarts::Include, limit: None };

fn input(more: Value) -> Input {
    let mut input = json!({"lambdaARN": "arn:aws:lambda:eu-west-1:123456789012:function:f", "num": 5});
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Input::parse(&input, &Defaults::default()).unwrap()
}

fn stat(value: u32, durations: &[f64]) -> Stat {
    let mut measurements = Measurements::new();
    for &duration_ms in durations {
        measurements.push(Measurement {
            duration_ms,
            billed_ms: duration_ms.ceil() as u64,
            cold_start_ms: None,
        });
    }
    Stat::measured(value, &measurements, TRIMMED, &pricing::lambda("eu-west-1", Architecture::X86_64), 1)
        .unwrap()
}

fn run(baseline: Option<u32>) -> Run<'static> {
    Run {
        architecture: Architecture::X86_64,
        baseline,
        extras: Extras { storage_mb: 512, snap_start: false },
        publisher_passes: 1,
        visualization_url: "https://charts.example/",
        link: LinkDetail::Full,
        date: "2026-11-29".to_owned(),
        search: None,
        invocations: &[],
        code_sha256: None,
        environments: 1,
        bursts: None,
        notes: &[],
        beside: &[],
    }
}

#[test]
fn an_executors_answer_has_the_old_names_first_and_ours_after_them() {
    let mut measurements = Measurements::new();
    measurements.push(Measurement { duration_ms: 134.36, billed_ms: 135, cold_start_ms: Some(100.0) });
    for _ in 0..4 {
        measurements.push(Measurement { duration_ms: 30.0, billed_ms: 30, cold_start_ms: None });
    }
    let price = pricing::lambda("eu-west-1", Architecture::X86_64);
    let stat = Stat::measured(1024, &measurements, TRIMMED, &price, 1).unwrap();
    let value = serde_json::to_value(&stat).unwrap();
    assert_eq!(
        value,
        json!({
            "value": 1024, "averagePrice": 0.03 * 1.66667e-5, "averageDuration": 30.0, "totalCost": 0.255 * 1.66667e-5,
            "min": 30.0, "max": 134.36, "p50": 30.0, "p90": 134.36, "p95": 134.36, "p99": 134.36, "stddev": 46.671,
            "standardError": 0.0, "invocations": 5, "coldStarts": 1, "initDuration": 100.0, "errors": 0
        })
    );
    assert_eq!(serde_json::from_value::<Stat>(value).unwrap(), stat);
}

#[test]
fn a_skipped_size_says_why_and_what_it_cost() {
    let price = pricing::lambda("eu-west-1", Architecture::X86_64);
    let stat = Stat::skipped(128, "out of memory: killed", &Measurements::new(), &price, 1);
    let value = serde_json::to_value(&stat).unwrap();
    assert_eq!(value, json!({"value": 128, "skipped": "out of memory: killed"}));
    assert_eq!(serde_json::from_value::<Stat>(value).unwrap(), stat);

    let mut measurements = Measurements::new();
    measurements.push(Measurement { duration_ms: 1000.0, billed_ms: 1000, cold_start_ms: None });
    let costly = Stat::skipped(1024, "killed", &measurements, &price, 2);
    assert_eq!((costly.total_cost(), costly.passes(), costly.value()), (1.66667e-5, 2, 1024));
}

#[test]
fn answers_of_other_programs_are_read() {
    let stat: Stat =
        serde_json::from_value(json!({"value": "512", "averagePrice": 1e-7, "averageDuration": 3})).unwrap();
    assert_eq!((stat.value(), stat.passes(), stat.total_cost()), (512, 1, 0.0));
    assert!(
        serde_json::from_value::<Stat>(json!({"value": 64, "averagePrice": 1e-7, "averageDuration": 3}))
            .is_err()
    );
}

#[test]
fn an_answer_is_small_enough_for_a_thousand_of_them() {
    let mut measurements = Measurements::new();
    for n in 0..7 {
        let duration_ms = 123_456.0 + f64::from(n) / 7.0;
        measurements.push(Measurement {
            duration_ms,
            billed_ms: 123_457 + n as u64,
            cold_start_ms: Some(1234.567),
        });
    }
    let price = pricing::lambda("eu-west-1", Architecture::Arm64);
    let stat = Stat::measured(10_240, &measurements, TRIMMED, &price, 12).unwrap();
    let size = serde_json::to_string(&stat).unwrap().len();
    assert!(size <= 420, "{size}");
}

#[test]
fn the_output_names_the_winner_and_what_the_run_cost() {
    let stats = [stat(256, &[100.0; 5]), stat(512, &[49.0; 5]), stat(1024, &[48.0; 5])];
    let analysis = analyze(&input(json!({})), &stats, &run(Some(256))).unwrap().unwrap();
    assert_eq!((analysis.power, analysis.duration), (512, 49.0));
    let value = serde_json::to_value(&analysis).unwrap();
    assert_eq!(value["stateMachine"]["executionCost"], json!(16.0 * 2.5e-5));
    assert_eq!(value["prices"]["currency"], "USD");
    assert_eq!(value["prices"]["perRequest"], json!(2e-7));
    assert_eq!(value["prices"].get("note"), None);
    assert_eq!(value.get("stats"), None);
    assert_eq!(value.get("skipped"), None);
    let lambda: f64 = stats.iter().map(Stat::total_cost).sum();
    assert_eq!(value["stateMachine"]["lambdaCost"], json!(lambda));
    assert_eq!(serde_json::from_value::<tuning::output::Analysis>(value).unwrap(), analysis);
}

#[test]
fn passes_are_in_the_cost_of_the_execution() {
    let price = pricing::lambda("eu-west-1", Architecture::X86_64);
    let mut measurements = Measurements::new();
    measurements.push(Measurement { duration_ms: 1.0, billed_ms: 1, cold_start_ms: None });
    let stats = [
        Stat::measured(128, &measurements, TRIMMED, &price, 3).unwrap(),
        Stat::skipped(256, "x", &measurements, &price, 1),
    ];
    let analysis =
        analyze(&input(json!({})), &stats, &Run { publisher_passes: 2, ..run(None) }).unwrap().unwrap();
    let transitions = 7 + 2 + 2 * 3 + 2 * 2;
    assert!((analysis.state_machine.execution_cost - f64::from(transitions) * 2.5e-5).abs() < 1e-12);
}

#[test]
fn the_baseline_says_what_the_winner_changes() {
    let stats = [stat(256, &[100.0; 5]), stat(512, &[49.0; 5])];
    let against = |strategy: &str, before: u32| {
        let analysis =
            analyze(&input(json!({"strategy": strategy})), &stats, &run(Some(before))).unwrap().unwrap();
        analysis.baseline.unwrap()
    };
    let baseline = against("speed", 256);
    assert_eq!((baseline.cheaper_percent, baseline.faster_percent), (Some(2.0), Some(51.0)));
    assert_eq!(baseline.summary, "2 % cheaper, 51 % faster");
    assert_eq!(against("cost", 512).summary, "512 MB is what the function has already");
    let unknown = against("cost", 300);
    assert_eq!((unknown.cost, unknown.power), (None, 300));
    assert!(unknown.summary.contains("add it to powerValues"));

    let dearer = [stat(256, &[100.0; 5]), stat(1024, &[50.0; 5])];
    let analysis = analyze(&input(json!({"strategy": "speed"})), &dearer, &run(Some(256))).unwrap().unwrap();
    assert_eq!(analysis.baseline.unwrap().summary, "100 % more expensive, 50 % faster");
}

#[test]
fn a_size_that_is_hardly_behind_and_much_better_otherwise_is_advised() {
    let advice = |strategy: &str, stats: &[Stat]| {
        let analysis = analyze(&input(json!({"strategy": strategy})), stats, &run(None)).unwrap().unwrap();
        analysis.alternative
    };
    // 512 MB-ms cost the same everywhere: 256 MB needs 51,200, 1024 MB 51,200 and 2 % more.
    let stats =
        [stat(256, &[200.0; 5]), stat(512, &[101.0; 5]), stat(1024, &[51.0; 5]), stat(3008, &[50.0; 5])];
    let by_cost = advice("cost", &stats).unwrap();
    assert_eq!((by_cost.value, by_cost.cost_percent, by_cost.duration_percent), (1024, 2.0, -74.5));
    assert_eq!(by_cost.summary, "1024 MB costs about the same (+2 %) and is 3.9× faster");
    let by_speed = advice("speed", &stats).unwrap();
    assert_eq!(by_speed.summary, "1024 MB takes about as long (+2 %) and costs 65 % less");
    assert_eq!(advice("balanced", &stats), None);
    // 4 % more is more; and 1.3 times as fast is not much.
    assert_eq!(advice("cost", &[stat(256, &[200.0; 5]), stat(512, &[104.0; 5])]), None);
    assert_eq!(advice("cost", &[stat(256, &[130.0; 5]), stat(330, &[101.0; 5])]), None);
}

#[test]
fn cold_starts_apart_are_in_no_average_and_stand_beside() {
    let mut measurements = Measurements::new();
    measurements.push(Measurement { duration_ms: 500.0, billed_ms: 500, cold_start_ms: Some(380.0) });
    for duration_ms in [101.0, 99.0, 100.0, 100.0] {
        measurements.push(Measurement { duration_ms, billed_ms: 100, cold_start_ms: None });
    }
    let price = pricing::lambda("eu-west-1", Architecture::X86_64);
    let measured = |measurements: &Measurements, cold_starts| {
        let averages = Averages { discard: 0.0, cold_starts, limit: None };
        let Stat::Measured(stat) = Stat::measured(512, measurements, averages, &price, 1).unwrap() else {
            panic!()
        };
        *stat
    };
    let apart = measured(&measurements, ColdStarts::Apart);
    let whole = measured(&measurements, ColdStarts::Include);
    assert_eq!((apart.average_duration, whole.average_duration), (100.0, 180.0));
    assert_eq!((apart.spread.unwrap().max, whole.spread.unwrap().max), (101.0, 500.0));
    assert_eq!((apart.cold_duration, whole.cold_duration), (Some(500.0), None));
    assert_eq!((apart.invocations, apart.cold_starts, apart.init_duration), (Some(5), Some(1), Some(380.0)));
    assert_eq!(apart.total_cost, whole.total_cost, "a cold start is paid all the same");

    let mut cold = Measurements::new();
    cold.push(Measurement { duration_ms: 500.0, billed_ms: 500, cold_start_ms: Some(380.0) });
    let only = measured(&cold, ColdStarts::Apart);
    assert_eq!(
        (only.average_duration, only.cold_duration),
        (500.0, None),
        "there is nothing else to average"
    );
}

#[test]
fn figures_that_other_work_made_too_high_are_named() {
    let mut measurements = Measurements::new();
    for _ in 0..10 {
        measurements.push(Measurement { duration_ms: 100.0, billed_ms: 100, cold_start_ms: None });
    }
    let usable = |counted, delay_ms, discard| {
        Disturbed::new(1, counted, delay_ms, &measurements, discard).map(|disturbed| disturbed.usable)
    };
    assert_eq!(Disturbed::new(0, 0, 0.0, &measurements, 0.2), None);
    assert_eq!(usable(0, 0.0, 0.0), Some(true), "those that were made again are not in the figures");
    assert_eq!(usable(2, 160.0, 0.2), Some(true), "as many as that are trimmed");
    assert_eq!(usable(3, 160.0, 0.2), Some(false));
    assert_eq!(usable(3, 49.0, 0.0), Some(true));
    let (Stat::Measured(mut quiet), Stat::Measured(mut busy)) =
        (stat(128, &[100.0; 5]), stat(256, &[90.0; 5]))
    else {
        panic!("measured");
    };
    quiet.disturbed = Disturbed::new(1, 2, 160.0, &measurements, 0.2);
    busy.disturbed = Disturbed::new(1, 6, 480.0, &measurements, 0.2);
    let stats = [Stat::Measured(quiet), Stat::Measured(busy)];
    let output = serde_json::to_value(analyze(&input(json!({})), &stats, &run(None)).unwrap()).unwrap();
    assert_eq!(output["unusable"], json!([{"value": 256, "delayPercent": 48.0}]), "{output}");
    let applying = analyze(&input(json!({"autoOptimize": true})), &stats, &run(None)).unwrap().unwrap();
    assert_eq!(applying.applied, Some(Applied::NOTHING), "nobody applies what cannot be used");
}

#[test]
fn figures_somewhat_too_high_can_be_used_where_the_choice_is_the_same_without_that() {
    let mut measurements = Measurements::new();
    for _ in 0..10 {
        measurements.push(Measurement { duration_ms: 100.0, billed_ms: 100, cold_start_ms: None });
    }
    // By cost: 12,800, then this one at twice the size.
    let unusable = |busy_ms: f64, percent: f64| {
        let Stat::Measured(mut busy) = stat(256, &[busy_ms; 5]) else { panic!("measured") };
        busy.disturbed = Disturbed::new(0, 6, percent * 10.0, &measurements, 0.2);
        let stats = [stat(128, &[100.0; 5]), Stat::Measured(busy)];
        analyze(&input(json!({})), &stats, &run(None)).unwrap().unwrap().unusable.len()
    };
    assert_eq!(unusable(60.0, 8.0), 0, "60 ms at 256 MB are dearer, and would be without 8 % as well");
    assert_eq!(unusable(53.0, 8.0), 1, "53 ms are dearer, 49 ms would be cheaper");
    assert_eq!(unusable(60.0, 11.0), 1, "that much is too much in any case");
    assert_eq!(unusable(45.0, 8.0), 0, "it is the cheapest, all the more so without that");
}

#[test]
fn what_a_budget_stopped_is_not_applied() {
    let mut stopped = stat(256, &[100.0; 5]);
    let Stat::Measured(measured) = &mut stopped else { panic!() };
    measured.stopped_by = Some(tuning::output::StoppedBy::Budget);
    let input = input(json!({"autoOptimize": true, "budget": 0.01, "coldStarts": "apart"}));
    let output = serde_json::to_value(analyze(&input, &[stopped], &run(None)).unwrap().unwrap()).unwrap();
    assert_eq!(output["stoppedBy"], "budget");
    assert_eq!(output["applied"], false);
    assert_eq!(output["coldStarts"], "apart");
}

#[test]
fn sizes_that_the_measurements_do_not_tell_apart_are_named_with_the_num_that_would() {
    let noisy = |middle: f64| [middle - 9.0, middle - 6.0, middle, middle + 6.0, middle + 9.0];
    let stats = [stat(256, &noisy(100.0)), stat(512, &noisy(51.0)), stat(1024, &noisy(49.5))];
    let undecided = |more: Value| analyze(&input(more), &stats, &run(None)).unwrap().unwrap().undecided;
    let by_cost = undecided(json!({}));
    assert_eq!(by_cost.len(), 1, "{by_cost:?}");
    // 51 and 100 billed ms, at twice the price: 2 %; each average may be off by 7.3 standard errors.
    assert_eq!((by_cost[0].value, by_cost[0].difference_percent), (512, 2.0));
    assert!((10.0..40.0).contains(&by_cost[0].uncertainty_percent), "{by_cost:?}");
    let num = f64::from(by_cost[0].num.unwrap());
    let expected = 5.0 * (by_cost[0].uncertainty_percent / by_cost[0].difference_percent).powi(2);
    assert!((num / expected - 1.0).abs() < 0.05, "{num} {expected}");
    let by_speed: Vec<u32> = undecided(json!({"strategy": "speed"})).iter().map(|u| u.value).collect();
    assert_eq!(by_speed, [512]);

    let steady =
        [stat(256, &[100.0, 100.1, 100.2, 100.3, 100.4]), stat(512, &[49.0, 49.1, 49.2, 49.3, 49.4])];
    assert_eq!(analyze(&input(json!({})), &steady, &run(None)).unwrap().unwrap().undecided, []);
    let same = [stat(256, &noisy(100.0)), stat(512, &noisy(50.0))];
    let same = analyze(&input(json!({})), &same, &run(None)).unwrap().unwrap().undecided;
    assert_eq!(same[0].num, None);
}

/// Invocations of a size in one environment, the first of them cold.
fn batch(size: u32, durations: &[f64]) -> Batch {
    let sample = |(index, ms): (usize, &f64)| Sample {
        index: index as u32,
        measurement: Measurement {
            duration_ms: *ms,
            billed_ms: ms.ceil() as u64,
            cold_start_ms: (index == 0).then_some(1.0),
        },
        max_memory: 60,
        end: End::Answered,
    };
    let samples = durations.iter().enumerate().map(sample).collect();
    Batch { size, lanes: 1, samples, passes: 1, ..Batch::default() }
}

#[test]
fn invocations_one_by_one_say_how_sure_the_choice_from_a_list_is() {
    let near = |ms: f64| [1.01, 0.99, 1.0, 1.02, 0.98, 1.0, 1.01, 0.99].map(|factor| ms * factor);
    let measured = [(128, near(1600.0)), (256, near(800.0)), (1024, near(201.0)), (3008, near(190.0))];
    let stats = measured.map(|(size, durations)| stat(size, &durations));
    let invocations = measured.map(|(size, durations)| batch(size, &durations));
    let of = |more: Value, invocations| {
        analyze(&input(more), &stats, &Run { invocations, ..run(None) }).unwrap().unwrap()
    };
    let known = of(json!({}), &invocations);
    let confidence = known.confidence.unwrap();
    assert!(confidence.within1 < confidence.within3 && confidence.within3 <= confidence.within5, "{known:?}");
    assert!((0.0..0.1).contains(&known.expected_excess.unwrap()), "{known:?}");
    let open: Vec<u32> = known.undecided.iter().map(|undecided| undecided.value).collect();
    // One environment's speed may be off by more than what tells these apart; 3008 MB is three times as dear.
    assert_eq!(open, [128, 256, 1024].into_iter().filter(|size| *size != known.power).collect::<Vec<_>>());
    assert!(known.undecided.iter().all(|undecided| undecided.better.is_some_and(|better| better > 0.025)));

    // Their eight invocations leave less open than the one environment does.
    let few = known.few_lanes.unwrap();
    assert_eq!((few.lanes, few.enough), (1, 2));
    assert!(few.environments_percent > few.invocations_percent, "{few:?}");
    let analysis =
        analyze(&input(json!({})), &stats, &Run { invocations: &invocations, environments: 2, ..run(None) });
    assert_eq!(analysis.unwrap().unwrap().few_lanes, None, "eight invocations are too few for more lanes");

    let averages = of(json!({}), &[]);
    assert_eq!((averages.confidence, averages.expected_excess), (None, None));
    assert_eq!(averages.power, known.power);
    for more in [json!({"onlyColdStarts": true}), json!({"limit": {"percentile": 90, "ms": 5000}})] {
        assert_eq!(of(more, &invocations).confidence, None);
    }
}

#[test]
fn stats_are_in_the_output_when_asked_for_and_skipped_sizes_always() {
    let price = pricing::lambda("eu-west-1", Architecture::X86_64);
    let stats = [Stat::skipped(128, "timed out", &Measurements::new(), &price, 1), stat(256, &[100.0; 5])];
    let analysis =
        analyze(&input(json!({"includeOutputResults": true})), &stats, &run(None)).unwrap().unwrap();
    let value = serde_json::to_value(analysis).unwrap();
    assert_eq!(value["skipped"], json!([{"value": 128, "reason": "timed out"}]));
    assert_eq!(value["stats"][0]["value"], 256);
    assert_eq!(value["stats"][0]["averageDuration"], 100.0);
    assert_eq!(value["stats"].as_array().unwrap().len(), 1);
}

#[test]
fn no_result_is_an_error_that_says_why() {
    assert_eq!(analyze(&input(json!({})), &[], &run(None)), Err(AnalyzeError::NoResults));
    let price = pricing::lambda("eu-west-1", Architecture::X86_64);
    let skipped = [Stat::skipped(128, "out of memory", &Measurements::new(), &price, 1)];
    let error = analyze(&input(json!({})), &skipped, &run(None)).unwrap_err();
    assert!(error.to_string().contains("128 MB: out of memory"), "{error}");
    assert_eq!(analyze(&input(json!({"dryRun": true})), &[], &run(None)), Ok(None));
}

#[test]
fn the_link_carries_the_spread_unless_the_page_cannot_read_it() {
    let stats = [stat(256, &[90.0, 95.0, 100.0, 105.0, 110.0]), stat(512, &[49.0; 5])];
    let link =
        |run: &Run<'_>| analyze(&input(json!({})), &stats, run).unwrap().unwrap().state_machine.visualization;
    let full = link(&run(Some(256)));
    let decoded = url::decode(full.split_once('#').unwrap().1).unwrap();
    assert_eq!(decoded[0].extras.current, Some(256));
    assert_eq!(decoded[0].extras.p50, [100.0, 49.0]);
    assert_eq!(decoded[0].extras.p95, [110.0, 49.0]);
    let about = decoded[0].extras.about.as_ref().unwrap();
    assert_eq!((about.function.as_str(), about.region.as_str()), ("f", "eu-west-1"));
    assert_eq!((about.date.as_str(), about.architecture.as_str()), ("2026-11-29", "x86_64"));
    assert!(about.num.is_some());
    let choice = decoded[0].extras.choice.as_ref().unwrap();
    assert_eq!((choice.power, choice.by.as_str()), (512, "cost"));

    let canonical = link(&Run { link: LinkDetail::Canonical, ..run(Some(256)) });
    assert_eq!(canonical.matches(';').count(), 2);
    assert!(full.starts_with(&canonical));
    let old = link(&Run { visualization_url: "https://lambda-power-tuning.show/", ..run(Some(256)) });
    assert_eq!(old.matches(';').count(), 2);
}

#[test]
fn china_pays_in_yuan_and_an_unknown_region_is_told() {
    let mut input = input(json!({}));
    input.lambda_arn.region = "cn-north-1".to_owned();
    let stats = [stat(256, &[100.0; 5])];
    let analysis = analyze(&input, &stats, &run(None)).unwrap().unwrap();
    assert!(analysis.state_machine.visualization.starts_with("https://charts.example/?currency=CNY#"));
    assert_eq!(analysis.prices.unwrap().currency, "CNY");
    input.lambda_arn.region = "moon-south-1".to_owned();
    let analysis = analyze(&input, &stats, &run(None)).unwrap().unwrap();
    assert!(analysis.prices.unwrap().note.unwrap().contains("moon-south-1"));
}

#[test]
fn restoring_from_a_snapshot_is_in_the_price_of_a_cold_start_and_in_the_cost_of_the_run() {
    let extras = Extras { storage_mb: 512, snap_start: true };
    let plain = pricing::lambda("us-east-1", Architecture::X86_64);
    let priced = |colds: usize, warm: usize| {
        let mut measurements = Measurements::new();
        for index in 0..colds + warm {
            let cold_start_ms = (index < colds).then_some(20.0);
            measurements.push(Measurement { duration_ms: 100.0, billed_ms: 100, cold_start_ms });
        }
        let stat =
            Stat::measured(1024, &measurements, Averages::default(), &plain.with(extras, "us-east-1"), 1)
                .unwrap();
        let figures = stat.as_measured().unwrap();
        (figures.average_price, figures.total_cost)
    };
    let (one, restore) = (plain.cost(1024, 100.0), 1.397998e-4);
    let near = |(price, total): (f64, f64), wanted: (f64, f64)| {
        assert!((price - wanted.0).abs() < 1e-12 && (total - wanted.1).abs() < 1e-12, "{price} {total}");
    };
    near(priced(5, 0), (one + restore, 5.0 * (one + restore)));
    near(priced(1, 4), (one, 5.0 * one + restore));
}
