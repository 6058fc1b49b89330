//! Log tails as Lambda writes them, and as they arrive.

use proptest::prelude::*;
use serde_json::json;
use tuning::report::{Disturbance, Report, ReportError, Status};

fn read(tail: &str) -> Report {
    Report::from_log_tail(tail).unwrap_or_else(|error| panic!("{error}: {tail}"))
}

const WARM: &str = "REPORT RequestId: 8f5\tDuration: 3.05 ms\tBilled Duration: 4 ms\tMemory Size: 128 MB\tMax Memory Used: 61 MB\t\n";
const COLD: &str = "REPORT RequestId: 8f5\tDuration: 469.40 ms\tBilled Duration: 500 ms\tMemory Size: 1024 MB\tMax Memory Used: 21 MB\tInit Duration: 340.46 ms\t\nXRAY TraceId: 1-5\tSegmentId: 23\tSampled: true\t\n";

#[test]
fn a_warm_start() {
    let report = read(&format!("START RequestId: 8f5 Version: 1\nEND RequestId: 8f5\n{WARM}"));
    assert_eq!(
        report,
        Report {
            duration_ms: 3.05,
            billed_duration_ms: 4,
            memory_size: Some(128),
            max_memory_used: Some(61),
            ..Report::default()
        }
    );
    assert_eq!(report.total_duration_ms(), 3.05);
    assert_eq!(report.cold_start_ms(), None);
}

#[test]
fn a_cold_start_counts_its_init() {
    let report = read(COLD);
    assert_eq!(report.init_duration_ms, Some(340.46));
    assert!((report.total_duration_ms() - 809.86).abs() < 1e-9);
    assert_eq!(report.cold_start_ms(), Some(340.46));
    assert_eq!(report.billed_duration_ms, 500);
}

#[test]
fn the_local_endpoint_says_what_was_disturbed() {
    let disturbed = |delay_ms, repeat| Some(Disturbance { delay_ms, repeat });
    let line = WARM.replace("61 MB\t", "61 MB\tLocal Delay: 1.25 ms\tLocal Repeat: true\t");
    assert_eq!(read(&line).disturbance, disturbed(1.25, true));
    let metrics =
        json!({"durationMs": 3.05, "billedDurationMs": 4, "localDelayMs": 1.25, "localRepeat": false});
    let line = json!({"type": "platform.report", "record": {"metrics": metrics}});
    assert_eq!(read(&line.to_string()).disturbance, disturbed(1.25, false));
    assert_eq!(read(COLD).disturbance, None, "AWS says nothing of it");
}

#[test]
fn a_restore_counts_once_and_is_billed_already() {
    let report = read(
        "REPORT RequestId: 1\tDuration: 10 ms\tBilled Duration: 80 ms\tMemory Size: 512 MB\tMax Memory Used: 100 MB\t\
         Restore Duration: 500.5 ms\tBilled Restore Duration: 70 ms\t\n",
    );
    assert_eq!(report.restore_duration_ms, Some(500.5));
    assert_eq!(report.billed_restore_duration_ms, Some(70));
    assert_eq!((report.total_duration_ms(), report.billed_duration_ms), (510.5, 80));
}

#[test]
fn an_invocation_that_ended_badly_says_how() {
    let timeout = read(
        "REPORT RequestId: 1\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\tMemory Size: 128 MB\tMax Memory Used: 30 MB\tStatus: timeout\n",
    );
    assert_eq!((timeout.status, timeout.error_type), (Status::Timeout, None));
    let error = read(
        "REPORT RequestId: 1\tDuration: 30.00 ms\tBilled Duration: 31 ms\tMemory Size: 128 MB\tMax Memory Used: 128 MB\tStatus: error\tError Type: Runtime.ExitError\n",
    );
    assert_eq!((error.status, error.error_type.as_deref()), (Status::Error, Some("Runtime.ExitError")));
}

fn platform_report(metrics: &serde_json::Value) -> serde_json::Value {
    json!({"time": "2026-11-24T00:00:00.000Z", "type": "platform.report",
           "record": {"requestId": "1", "metrics": metrics, "status": "success"}})
}

#[test]
fn json_with_and_without_the_optional_figures() {
    let warm = platform_report(
        &json!({"durationMs": 2.5, "billedDurationMs": 3, "memorySizeMB": 128, "maxMemoryUsedMB": 60}),
    );
    let report = read(&format!("{warm}\n"));
    assert_eq!((report.duration_ms, report.billed_duration_ms, report.init_duration_ms), (2.5, 3, None));
    assert_eq!(
        (report.memory_size, report.max_memory_used, report.status),
        (Some(128), Some(60), Status::Success)
    );

    let cold =
        platform_report(&json!({"durationMs": 2.5, "billedDurationMs": 103, "initDurationMs": 100.25}));
    assert_eq!(read(&cold.to_string()).total_duration_ms(), 102.75);
    let restored = platform_report(
        &json!({"durationMs": 2, "billedDurationMs": 10, "restoreDurationMs": 8, "billedRestoreDurationMs": 7}),
    );
    assert_eq!(
        (read(&restored.to_string()).total_duration_ms(), read(&restored.to_string()).billed_duration_ms),
        (10.0, 10)
    );
}

#[test]
fn json_that_ended_badly_says_how() {
    let line = r#"{"type":"platform.report","record":{"status":"timeout","metrics":{"durationMs":3000,"billedDurationMs":3000}}}"#;
    assert_eq!(read(line).status, Status::Timeout);
    let line = r#"{"type":"platform.report","record":{"status":"error","errorType":"Runtime.ExitError","metrics":{"durationMs":3,"billedDurationMs":3}}}"#;
    assert_eq!(
        (read(line).status, read(line).error_type.as_deref()),
        (Status::Error, Some("Runtime.ExitError"))
    );
}

#[test]
fn json_is_found_pretty_printed_reordered_and_among_other_lines() {
    let report = platform_report(&json!({"durationMs": 7.5, "billedDurationMs": 8}));
    let pretty = serde_json::to_string_pretty(&report).unwrap();
    let reordered =
        r#"{"record":{"metrics":{"durationMs":7.5,"billedDurationMs":8}},"type":"platform.report"}"#;
    for text in [pretty.as_str(), reordered, &report.to_string()] {
        let tail = format!(
            "cut\":1}}\nplain words {{ not closed\n{{\"level\":\"INFO\",\"message\":\"hi\"}}\n{text}\nafterwards }}\n"
        );
        assert_eq!(read(&tail).duration_ms, 7.5, "{tail}");
        let nested = format!("{{\"message\":\"I saw a platform.report { } today\"}}\n{text}", "{");
        assert_eq!(read(&nested).duration_ms, 7.5);
    }
}

#[test]
fn words_of_the_function_are_no_report() {
    let said = r#"{"message":"platform.report","record":{"metrics":{"durationMs":1,"billedDurationMs":1}}}"#;
    assert_eq!(Report::from_log_tail(said), Err(ReportError::Missing));
    assert_eq!(
        Report::from_log_tail(&format!("I say: {WARM}").replace("\tBilled", " Billed")),
        Err(ReportError::Missing)
    );
    let report = platform_report(&json!({"durationMs": 7.5, "billedDurationMs": 8}));
    assert_eq!(read(&format!("{report}\n{{\"message\":\"platform.report\"}}\n")).duration_ms, 7.5);
}

#[test]
fn the_last_of_several_counts_whatever_its_form() {
    let json = platform_report(&json!({"durationMs": 7.5, "billedDurationMs": 8})).to_string();
    assert_eq!(read(&format!("{COLD}{WARM}")).duration_ms, 3.05);
    assert_eq!(read(&format!("{WARM}{json}\n")).duration_ms, 7.5);
    assert_eq!(read(&format!("{json}\n{WARM}")).duration_ms, 3.05);
    let other = platform_report(&json!({"durationMs": 9, "billedDurationMs": 9}));
    assert_eq!(read(&format!("{json}\n{other}")).duration_ms, 9.0);
}

#[test]
fn a_report_whose_start_was_cut_off_still_counts() {
    for cut in ["REPORT Req", "REPORT RequestId: 8f5"] {
        assert_eq!(read(WARM.strip_prefix(cut).unwrap()).duration_ms, 3.05);
    }
    let json = platform_report(&json!({"durationMs": 7.5, "billedDurationMs": 8})).to_string();
    let cut = json.find("00:00").unwrap();
    assert_eq!(read(&json[cut..]).duration_ms, 7.5);
}

#[test]
fn no_report_is_an_error_and_not_a_zero() {
    for tail in ["", "START RequestId: 1 Version: 1\nEND RequestId: 1\n", "{}", "REPORT", "\u{0}\u{1}"] {
        assert_eq!(Report::from_log_tail(tail), Err(ReportError::Missing), "{tail}");
    }
    assert!(ReportError::Missing.to_string().contains("no REPORT line"));
}

#[test]
fn a_report_without_its_figures_says_which() {
    let missing = Report::from_log_tail("REPORT RequestId: 1\tBilled Duration: 4 ms\n").unwrap_err();
    assert_eq!(missing, ReportError::Incomplete("Duration"));
    let missing = Report::from_log_tail("REPORT RequestId: 1\tDuration: 4 ms\n").unwrap_err();
    assert_eq!(missing, ReportError::Incomplete("Billed Duration"));
    let json = platform_report(&json!({"durationMs": 4})).to_string();
    assert_eq!(Report::from_log_tail(&json), Err(ReportError::Incomplete("billedDurationMs")));
    for wrong in ["NaN", "inf", "-1", "fast"] {
        let error = Report::from_log_tail(&format!(
            "REPORT RequestId: 1\tDuration: {wrong} ms\tBilled Duration: 4 ms\n"
        ));
        assert!(
            matches!(error, Err(ReportError::NotANumber { field: "Duration", .. })),
            "{wrong}: {error:?}"
        );
    }
}

#[test]
fn windows_line_ends_and_missing_final_newline() {
    assert_eq!(read(&WARM.replace('\n', "\r\n")).duration_ms, 3.05);
    assert_eq!(read(WARM.trim_end()).duration_ms, 3.05);
}

proptest! {
    #[test]
    fn any_tail_is_read_or_refused(tail in "(?s).{0,400}") {
        let _ = Report::from_log_tail(&tail);
    }

    #[test]
    fn any_mixture_of_the_right_words_is_read_or_refused(
        words in prop::collection::vec(prop::sample::select(vec![
            "REPORT RequestId: 1", "\t", "\n", "Duration: ", "Billed ", "1.5", " ms", "{", "}", "\"type\":", "\"platform.report\"",
            ",", "\"record\":", "\"metrics\":", "\"durationMs\":", "\"billedDurationMs\":", "é", "[", "]",
        ]), 0..60)
    ) {
        let _ = Report::from_log_tail(&words.concat());
    }

    #[test]
    fn a_report_is_found_behind_anything(noise in "[^\t]{0,200}", hundredths in 0u32..90_000_000, billed in 0u64..1_000_000) {
        let duration = f64::from(hundredths) / 100.0;
        let tail = format!("{noise}\nREPORT RequestId: 1\tDuration: {duration:.2} ms\tBilled Duration: {billed} ms\n");
        let report = Report::from_log_tail(&tail).unwrap();
        prop_assert_eq!(report.duration_ms, duration);
        prop_assert_eq!(report.billed_duration_ms, billed);
    }
}
