//! What a failed invocation means.

use tuning::failure::{HandlerError, Outcome, cannot_start};
use tuning::pricing::Architecture;
use tuning::report::{Report, Status};

fn report(status: Status, used: u32, size: u32) -> Report {
    Report { status, max_memory_used: Some(used), memory_size: Some(size), ..Report::default() }
}

fn classify(answer: &[u8], report: Option<&Report>, allowed: &[String]) -> Outcome {
    tuning::failure::classify(answer, "", report, allowed)
}

fn crash(answer: &str, log_tail: &str, report: Option<&Report>) -> HandlerError {
    match tuning::failure::classify(answer.as_bytes(), log_tail, report, &[]) {
        Outcome::Crashed(error) => error,
        other => panic!("{answer} is {other:?}"),
    }
}

fn reason(answer: &str, report: Option<&Report>) -> String {
    match classify(answer.as_bytes(), report, &[]) {
        Outcome::TooSmall { reason, .. } => reason,
        other => panic!("{answer} is {other:?}"),
    }
}

#[test]
fn a_killed_runtime_with_full_memory_ran_out_of_it() {
    let answer = r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: 1-2 Error: Runtime exited with error: signal: killed"}"#;
    let full = report(Status::Error, 128, 128);
    assert_eq!(
        reason(answer, Some(&full)),
        "out of memory: Runtime exited with error: signal: killed (128 of 128 MB used)"
    );
    let half_empty = report(Status::Error, 60, 128);
    assert_eq!(crash(answer, "", Some(&half_empty)).error_type, "Runtime.ExitError");
    crash(answer, "", None);
}

#[test]
fn a_runtime_that_exits_with_memory_to_spare_is_a_bug() {
    let answer = r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: 1 Error: Runtime exited with error: exit status 1"}"#;
    assert!(crash(answer, "", Some(&report(Status::Error, 40, 128))).message.contains("exit status 1"));
    crash(r#"{"errorMessage":"RequestId: 1 Process exited before completing request"}"#, "", None);
    crash(
        r#"{"errorType":"Runtime.UnhandledPromiseRejection","errorMessage":"Error: no connection"}"#,
        "",
        Some(&report(Status::Error, 60, 128)),
    );
    let full = report(Status::Error, 128, 128);
    assert!(reason(answer, Some(&full)).starts_with("out of memory: "), "memory explains it");
}

#[test]
fn a_runtime_may_say_in_the_log_that_memory_ran_out() {
    let answer = br#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: 1 Error: Runtime exited with error: signal: aborted"}"#;
    let half_empty = report(Status::Error, 90, 256);
    for log in [
        "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n",
        "Terminating due to java.lang.OutOfMemoryError: Java heap space\n",
        "memory allocation of 1048576 bytes failed\n",
    ] {
        let outcome = tuning::failure::classify(answer, log, Some(&half_empty), &[]);
        assert!(matches!(outcome, Outcome::TooSmall { .. }), "{log}: {outcome:?}");
    }
    crash(std::str::from_utf8(answer).unwrap(), "connection refused\n", Some(&half_empty));
}

#[test]
fn a_time_out_is_one_in_either_form() {
    let old = r#"{"errorMessage":"2026-11-24T00:00:00.000Z 1-2 Task timed out after 3.00 seconds"}"#;
    assert!(reason(old, None).starts_with("timed out after 3.00 seconds"));
    let new = r#"{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: 1 Error: Task timed out after 3.00 seconds"}"#;
    assert!(reason(new, None).starts_with("timed out after 3.00 seconds"));
    assert!(reason("{}", Some(&report(Status::Timeout, 10, 128))).starts_with("timed out"));
}

#[test]
fn languages_have_their_own_words_for_memory() {
    for kind in [
        "java.lang.OutOfMemoryError",
        "MemoryError",
        "NoMemoryError",
        "System.OutOfMemoryException",
        "Runtime.OutOfMemory",
    ] {
        let answer = format!(r#"{{"errorType":"{kind}","errorMessage":"heap"}}"#);
        assert!(reason(&answer, None).starts_with("out of memory: "), "{kind}");
    }
}

#[test]
fn a_handler_that_raises_is_a_bug() {
    let answer = br#"{"errorType":"TypeError","errorMessage":"x is undefined","trace":["TypeError: x","  at handler (/var/task/index.js:1:1)"]}"#;
    let Outcome::Handler(error) = classify(answer, None, &["OtherError".to_owned()]) else { panic!() };
    assert_eq!((error.error_type.as_str(), error.message.as_str()), ("TypeError", "x is undefined"));
    assert_eq!(error.trace, ["TypeError: x", "at handler (/var/task/index.js:1:1)"]);
    let text = error.to_string();
    assert!(
        text.contains("\"TypeError\"") && text.contains("x is undefined") && text.contains("index.js:1:1")
    );
}

#[test]
fn a_handler_that_mentions_a_time_out_in_its_own_error_is_still_a_bug() {
    let answer = br#"{"errorType":"DatabaseError","errorMessage":"Task timed out after 3 seconds"}"#;
    assert!(matches!(classify(answer, None, &[]), Outcome::Handler(_)));
    let import =
        br#"{"errorType":"Runtime.ImportModuleError","errorMessage":"Error: Cannot find module 'index'"}"#;
    assert!(matches!(classify(import, None, &[]), Outcome::Handler(_)));
}

#[test]
fn code_that_cannot_be_started_names_the_way_out() {
    for (said, remedy) in [
        (
            "fork/exec /var/task/bootstrap: exec format error",
            "architecture is arm64: build its code for arm64",
        ),
        ("fork/exec /var/task/bootstrap: permission denied", "executable by everybody"),
        ("fork/exec /var/task/bootstrap: no such file or directory", "an interpreter that is there"),
        ("Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]", "called `bootstrap`"),
    ] {
        let answer = format!(
            r#"{{"errorType":"Runtime.InvalidEntrypoint","errorMessage":"RequestId: 1-2 Error: {said}"}}"#
        );
        let Outcome::CannotStart(error) = classify(answer.as_bytes(), None, &[]) else { panic!("{said}") };
        let told = cannot_start(&error, Architecture::Arm64);
        assert!(told.starts_with(&format!("the function's code cannot be started: {said}; ")), "{told}");
        assert!(told.contains(remedy), "{told}");
    }
}

#[test]
fn allowed_exceptions_are_normal_results_whatever_they_are() {
    let allowed = ["ValidationError".to_owned(), "Sandbox.Timedout".to_owned()];
    for kind in &allowed {
        let answer =
            format!(r#"{{"errorType":"{kind}","errorMessage":"Task timed out after 3.00 seconds"}}"#);
        assert_eq!(
            classify(answer.as_bytes(), None, &allowed),
            Outcome::Allowed { error_type: kind.clone() }
        );
    }
}

#[test]
fn answers_that_are_no_error_objects_are_told_as_they_are() {
    for (answer, message) in [("\"plain text\"", "plain text"), ("not json", "not json"), ("", "")] {
        let Outcome::Handler(error) = classify(answer.as_bytes(), None, &[]) else { panic!("{answer}") };
        assert_eq!((error.error_type.as_str(), error.message.as_str()), ("Unknown", message));
    }
    let exited = Report { error_type: Some("Runtime.ExitError".to_owned()), ..Report::default() };
    assert!(matches!(classify(b"", Some(&exited), &[]), Outcome::Crashed(_)));
}

proptest::proptest! {
    #[test]
    fn any_answer_is_judged(answer in proptest::collection::vec(proptest::num::u8::ANY, 0..200), text in ".{0,200}") {
        classify(&answer, None, &[]);
        classify(text.as_bytes(), Some(&Report::default()), std::slice::from_ref(&text));
        classify(format!("{{\"errorMessage\":{text:?},\"stackTrace\":{text:?}}}").as_bytes(), None, &[]);
    }
}
