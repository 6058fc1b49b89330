//! What the Lambdas write to their logs, beside Lambda's own lines: whose run an event belongs to, and the error that it ended with.

use std::io::Write as _;

use serde_json::{Value, json};

use crate::error::Error;

/// Where events name the execution: those of most states, the Analyzer's, the Executor's, the Planner's, and that of the rule for aborts.
const EXECUTION: [&str; 5] =
    ["/execution", "/run/execution", "/input/run/execution", "/plan/run/execution", "/detail/executionArn"];

/// Where the Executor's event has the memory size: from a list, or in a round of a search.
const MEMORY_SIZE: [&str; 2] = ["/value", "/value/value"];

/// The line for an event that arrives; none for one that names no execution.
#[must_use]
pub fn begun(event: &Value) -> Option<String> {
    let execution = EXECUTION.iter().find_map(|path| event.pointer(path)?.as_str())?;
    let memory_size = MEMORY_SIZE.iter().find_map(|path| event.pointer(path)?.as_u64());
    Some(tuning::log::line(execution, memory_size))
}

/// The line for an error; its message holds no payload where payloads are not to be logged.
#[must_use]
pub fn failed(error: &Error) -> String {
    json!({ "error": error.kind.name(), "message": error.message }).to_string()
}

/// Writes a line. A log that cannot be written is no reason to fail.
pub fn write(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn every_event_says_whose_run_it_belongs_to() {
        let line = |memory: &str| Some(format!(r#"{{"execution":"arn"{memory}}}"#));
        let run = json!({ "run": { "execution": "arn" } });
        for (event, memory) in [
            (json!({ "input": {}, "execution": "arn" }), ""),
            (run.clone(), ""),
            (json!({ "input": run, "value": 512 }), r#","memorySize":512"#),
            (json!({ "input": run, "value": { "value": 256, "num": 10 } }), r#","memorySize":256"#),
            (json!({ "plan": run }), ""),
            (json!({ "detail": { "executionArn": "arn", "status": "ABORTED" } }), ""),
        ] {
            assert_eq!(begun(&event), line(memory), "{event}");
        }
        assert_eq!(begun(&json!({ "lambdaARN": "arn" })), None);
    }

    #[test]
    fn an_error_is_one_line_whatever_is_in_it() {
        let error = Error::new(Kind::InvocationFailed, "it said \"no\"\nat line 3");
        assert_eq!(failed(&error), r#"{"error":"InvocationFailed","message":"it said \"no\"\nat line 3"}"#);
    }
}
