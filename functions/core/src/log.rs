//! The line by which a log says whose run it belongs to: the Lambdas write it first for each event, `deployer logs` reads it.

use serde_json::{Value, json};

const EXECUTION: &str = "execution";

/// The line: the execution's ARN, and the memory size in MB that is worked on, where it is one.
#[must_use]
pub fn line(execution: &str, memory_size: Option<u64>) -> String {
    let mut line = json!({ EXECUTION: execution });
    if let Some(memory_size) = memory_size {
        line["memorySize"] = memory_size.into();
    }
    line.to_string()
}

/// The ARN of the execution that a line of a log names; none where it is another line.
#[must_use]
pub fn execution(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line.trim_end()).ok()?;
    line.get(EXECUTION)?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_names_the_execution_and_is_found_among_others() {
        let arn = "arn:aws:states:eu-west-1:123456789012:execution:m:n";
        assert_eq!(line(arn, None), format!(r#"{{"execution":"{arn}"}}"#));
        assert_eq!(line(arn, Some(512)), format!(r#"{{"execution":"{arn}","memorySize":512}}"#));
        assert_eq!(execution(&format!("{}\n", line(arn, Some(512)))).as_deref(), Some(arn));
        for other in [
            "START RequestId: 1 Version: $LATEST\n",
            r#"{"error":"OutOfTime"}"#,
            r#"{"execution":1}"#,
            "[]",
            "",
        ] {
            assert_eq!(execution(other), None, "{other}");
        }
    }
}
