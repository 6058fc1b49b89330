//! Sample functions to tune, in one executable: `_HANDLER` says which.
//!
//! | handler | what it does | parameters |
//! |---|---|---|
//! | `cpu` | a fixed amount of computation, about 100 ms of a whole core | `iterations` |
//! | `io` | waits, as for a database | `milliseconds` (100) |
//! | `mixed` | computes half as much and waits half as long | `iterations`, `milliseconds` |
//! | `memory` | fills memory: too much for 128 MB | `megabytes` (150) |
//! | `fail` | raises an error | `errorType` (`SampleError`), `message` |
//! | `exit` | ends its own process with status 1 | |
//! | `echo` | answers with the event | |
//! | `annotate` | answers with the event and `"annotated": true`: a pre-processor | |
//! | `silent` | answers with nothing: a pre-processor that changes nothing, a post-processor | |
//!
//! A parameter is taken from the event, else from the environment variable of the same name in capitals. With
//! `INVOCATIONS_FILE` set, every invocation appends a line to that file: its request id, the ARN it was invoked by
//! and its event, so that a test can count on the function's own side.

use std::hint::black_box;
use std::io::Write;
use std::time::Duration;

use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::{Value, json};
use tuning::calibration::{ITERATIONS, compute};

const MILLISECONDS: u64 = 100;
const MEGABYTES: u64 = 150;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let handler = std::env::var("_HANDLER").unwrap_or_default();
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
        let handler = handler.clone();
        async move {
            note_invocation(&event)?;
            answer(&handler, event.payload).await
        }
    }))
    .await
}

async fn answer(handler: &str, event: Value) -> Result<Value, Diagnostic> {
    match handler {
        "cpu" => {
            let iterations = parameter(&event, "iterations", ITERATIONS)?;
            Ok(json!({"iterations": iterations, "checksum": compute(iterations)}))
        }
        "io" => {
            let milliseconds = parameter(&event, "milliseconds", MILLISECONDS)?;
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            Ok(json!({"milliseconds": milliseconds}))
        }
        "mixed" => {
            let iterations = parameter(&event, "iterations", ITERATIONS / 2)?;
            let milliseconds = parameter(&event, "milliseconds", MILLISECONDS / 2)?;
            let checksum = compute(iterations);
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            Ok(json!({"iterations": iterations, "checksum": checksum, "milliseconds": milliseconds}))
        }
        "memory" => {
            let megabytes = parameter(&event, "megabytes", MEGABYTES)?;
            Ok(json!({"megabytes": megabytes, "checksum": fill(megabytes)}))
        }
        "fail" => {
            let text = |name: &str, default: &str| event[name].as_str().unwrap_or(default).to_owned();
            Err(Diagnostic {
                error_type: text("errorType", "SampleError"),
                error_message: text("message", "this sample always fails"),
            })
        }
        #[allow(clippy::exit, reason = "to see what a run makes of a function that ends itself")]
        "exit" => std::process::exit(1),
        "echo" => Ok(event),
        "annotate" => {
            let mut event = event;
            match event.as_object_mut() {
                Some(fields) => {
                    fields.insert("annotated".to_owned(), Value::Bool(true));
                    Ok(event)
                }
                None => Ok(json!({"event": event, "annotated": true})),
            }
        }
        "silent" => Ok(Value::Null),
        other => Err(Diagnostic {
            error_type: "UnknownSample".to_owned(),
            error_message: format!(
                "there is no sample {other:?}; set the handler to cpu, io, mixed, memory, fail, exit, echo, annotate or silent"
            ),
        }),
    }
}

/// A parameter from the event, the environment, or its default.
fn parameter(event: &Value, name: &str, default: u64) -> Result<u64, Diagnostic> {
    let wrong = |value: String| Diagnostic {
        error_type: "BadParameter".to_owned(),
        error_message: format!("{name} is {value}, but must be a whole number"),
    };
    if let Some(value) = event.get(name) {
        return value.as_u64().ok_or_else(|| wrong(value.to_string()));
    }
    match std::env::var(name.to_uppercase()) {
        Ok(text) => text.parse().map_err(|_| wrong(text)),
        Err(_) => Ok(default),
    }
}

/// Touches every page, since memory that was only asked for is not used yet.
fn fill(megabytes: u64) -> u64 {
    const PAGE: usize = 4096;
    let bytes = usize::try_from(megabytes).unwrap_or(usize::MAX).saturating_mul(1024 * 1024);
    let mut memory = vec![0_u8; bytes];
    for page in memory.chunks_mut(PAGE) {
        page[0] = 1;
    }
    black_box(&memory).chunks(PAGE).map(|page| u64::from(page[0])).sum()
}

fn note_invocation(event: &LambdaEvent<Value>) -> Result<(), Diagnostic> {
    let Ok(path) = std::env::var("INVOCATIONS_FILE") else { return Ok(()) };
    let line =
        format!("{} {} {}\n", event.context.request_id, event.context.invoked_function_arn, event.payload);
    let mut options = std::fs::OpenOptions::new();
    let written =
        options.create(true).append(true).open(&path).and_then(|mut file| file.write_all(line.as_bytes()));
    written.map_err(|e| Diagnostic {
        error_type: "InvocationsFile".to_owned(),
        error_message: format!("cannot append to INVOCATIONS_FILE {path:?}: {e}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_is_filled() {
        assert_eq!(fill(2), 512);
    }

    #[test]
    fn a_parameter_that_is_no_number_is_named() {
        let error = parameter(&json!({"iterations": "many"}), "iterations", 1).unwrap_err();
        assert_eq!(error.error_message, "iterations is \"many\", but must be a whole number");
        assert_eq!(parameter(&json!({"iterations": 7}), "iterations", 1).ok(), Some(7));
        assert_eq!(parameter(&json!(null), "iterations", 1).ok(), Some(1));
    }
}
