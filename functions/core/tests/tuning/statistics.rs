//! Many invocations put together, in one pass or in several.

use proptest::prelude::*;
use tuning::stats::{Measurement, Measurements, Summary};

fn warm(duration_ms: f64) -> Measurement {
    Measurement { duration_ms, billed_ms: duration_ms.ceil() as u64, cold_start_ms: None }
}

fn summary(durations: &[f64], discard: f64) -> Summary {
    let mut measurements = Measurements::new();
    durations.iter().for_each(|&duration| measurements.push(warm(duration)));
    measurements.summary(discard).unwrap()
}

#[test]
fn the_average_is_trimmed_on_both_ends() {
    let durations: Vec<f64> = (1..=10).map(|n| f64::from(n * n)).collect();
    assert_eq!(summary(&durations, 0.0).average_duration_ms, 38.5);
    // floor(10 · 0.2) = 2 from each end.
    assert_eq!(summary(&durations, 0.2).average_duration_ms, (9 + 16 + 25 + 36 + 49 + 64) as f64 / 6.0);
    // floor(9 · 0.2) = 1.
    assert_eq!(
        summary(&durations[..9], 0.2).average_duration_ms,
        (4 + 9 + 16 + 25 + 36 + 49 + 64) as f64 / 7.0
    );
    // floor(4 · 0.2) = 0: too few to trim.
    assert_eq!(summary(&durations[..4], 0.2).average_duration_ms, 7.5);
}

#[test]
fn the_spread_is_of_everything_that_was_measured() {
    let durations: Vec<f64> = (1..=100).rev().map(f64::from).collect();
    let spread = summary(&durations, 0.4).spread;
    assert_eq!((spread.min, spread.max), (1.0, 100.0));
    assert_eq!((spread.p50, spread.p90, spread.p95, spread.p99), (50.0, 90.0, 95.0, 99.0));
    assert!((spread.stddev - 29.011_491_975_882_016).abs() < 1e-9);
    let single = summary(&[7.25], 0.2).spread;
    assert_eq!(
        (single.min, single.p50, single.p99, single.max, single.stddev),
        (7.25, 7.25, 7.25, 7.25, 0.0)
    );
    let five = summary(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.2).spread;
    assert_eq!((five.p50, five.p90), (3.0, 5.0));
}

#[test]
fn the_standard_error_is_of_the_trimmed_average() {
    let durations: Vec<f64> = (1..=10).map(f64::from).collect();
    let error = |discard| summary(&durations, discard).standard_error_ms.unwrap();
    assert!((error(0.0) - 0.957_427_107_756_338).abs() < 1e-9);
    // 3 to 8 are kept; 3, 3, 3, 4, 5, 6, 7, 8, 8, 8 vary by 42.5 in all: √(42.5 / (6 · 5)).
    assert!((error(0.2) - (42.5_f64 / 30.0).sqrt()).abs() < 1e-9);
    assert_eq!(summary(&[7.25], 0.2).standard_error_ms, None);
    // One value in the middle is kept, which says nothing of how it varies.
    assert_eq!(summary(&durations[..5], 0.4).standard_error_ms, None);
    let mut outlier = durations.clone();
    outlier[9] = 1e6;
    assert_eq!(summary(&outlier, 0.2).standard_error_ms, summary(&durations, 0.2).standard_error_ms);
}

#[test]
fn cold_starts_errors_and_lost_answers_are_counted_apart() {
    let mut measurements = Measurements::new();
    measurements.push(Measurement { duration_ms: 310.0, billed_ms: 310, cold_start_ms: Some(300.0) });
    measurements.push(Measurement { duration_ms: 110.0, billed_ms: 110, cold_start_ms: Some(100.0) });
    measurements.push_error(warm(10.0));
    measurements.push_lost();
    let summary = measurements.summary(0.0).unwrap();
    assert_eq!((summary.invocations, summary.cold_starts, summary.errors, summary.lost), (3, 2, 1, 1));
    assert_eq!(summary.init_duration_ms, Some(200.0));
    assert_eq!(summary.total_billed_ms, 430);
    assert_eq!((measurements.invoked(), measurements.len()), (4, 3));
}

#[test]
fn nothing_measured_has_no_figures() {
    let mut measurements = Measurements::new();
    assert_eq!(measurements.summary(0.2), None);
    measurements.push_lost();
    assert_eq!(measurements.summary(0.2), None);
    assert!(measurements.is_empty());
}

#[test]
fn ten_thousand_invocations_fit_into_the_state() {
    let mut ordinary = Measurements::new();
    let mut long_and_cold = Measurements::new();
    for n in 0..10_000 {
        ordinary.push(warm(45.0 + f64::from(n % 100) / 100.0));
        long_and_cold.push(Measurement {
            duration_ms: 899_999.999,
            billed_ms: 890_000,
            cold_start_ms: Some(9_999.999),
        });
    }
    let size = |measurements: &Measurements| serde_json::to_string(measurements).unwrap().len();
    assert!(size(&ordinary) < 60_000, "{}", size(&ordinary));
    assert!(size(&long_and_cold) < 10_000 * Measurements::MAX_BYTES_EACH, "{}", size(&long_and_cold));
}

#[test]
fn damaged_measurements_are_refused() {
    for text in [
        r#"{"data":"gA"}"#,
        r#"{"data":"!"}"#,
        r#"{"data":"AQ"}"#,
        r#"{"data":"////////////////"}"#,
        r#"{"data":1}"#,
    ] {
        assert!(serde_json::from_str::<Measurements>(text).is_err(), "{text}");
    }
    assert_eq!(serde_json::from_str::<Measurements>("{}").unwrap(), Measurements::new());
}

fn measurement() -> impl Strategy<Value = Measurement> {
    (0u64..900_000_000, 0u64..900_001, prop::option::of(0u64..60_000_000)).prop_map(
        |(duration, billed_ms, cold)| {
            let milliseconds = |us: u64| us as f64 / 1000.0;
            Measurement {
                duration_ms: milliseconds(duration),
                billed_ms,
                cold_start_ms: cold.map(milliseconds),
            }
        },
    )
}

proptest! {
    #[test]
    fn the_trimmed_average_lies_between_the_extremes(
        taken in prop::collection::vec(measurement(), 1..60), discard in 0.0f64..=0.4
    ) {
        let mut measurements = Measurements::new();
        taken.iter().for_each(|&one| measurements.push(one));
        let summary = measurements.summary(discard).unwrap();
        let spread = summary.spread;
        for value in [summary.average_duration_ms, spread.p50, spread.p90, spread.p95, spread.p99] {
            prop_assert!((spread.min..=spread.max).contains(&value), "{} in {:?}", value, spread);
        }
        prop_assert!(spread.p50 <= spread.p90 && spread.p90 <= spread.p95 && spread.p95 <= spread.p99);
    }

    #[test]
    fn passes_give_the_numbers_of_one_pass(taken in prop::collection::vec(measurement(), 1..60), cut in 0usize..60) {
        let cut = cut.min(taken.len());
        let mut whole = Measurements::new();
        taken.iter().for_each(|&one| whole.push(one));

        let (mut first, mut second) = (Measurements::new(), Measurements::new());
        taken[..cut].iter().for_each(|&one| first.push(one));
        taken[cut..].iter().for_each(|&one| second.push(one));
        let travelled = serde_json::to_string(&first).unwrap();
        let mut merged: Measurements = serde_json::from_str(&travelled).unwrap();
        merged.merge(second);

        prop_assert_eq!(&merged, &whole);
        prop_assert_eq!(merged.summary(0.2), whole.summary(0.2));
        prop_assert_eq!(merged.iter().collect::<Vec<_>>(), taken);
    }
}
