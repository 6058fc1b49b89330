//! The options of `tune`: those that are fields of the execution input become one, the others are the program's own.
//!
//! Only their form is judged here. Whether they make sense is the state machine's rule, applied to the whole input at once.

use serde_json::{Value, json};

use super::layers::Reader;
use super::values;
use crate::cli::TuneArgs;
use crate::commands::tune::{Gate, Options};
use crate::function::Code;

type Read = fn(&str) -> Result<Value, String>;

/// Options that are fields of the execution input: the option, the field, and how its text is read.
const FIELDS: [(&str, &str, Read); 17] = [
    ("power-values", "powerValues", |text| Ok(tuning::input::power_values_flag(text))),
    ("num", "num", number),
    ("payload", "payload", payload),
    ("payload-s3", "payloadS3", text),
    ("parallel-invocation", "parallelInvocation", switch),
    ("only-cold-starts", "onlyColdStarts", switch),
    ("dry-run", "dryRun", switch),
    ("sleep-between-runs-ms", "sleepBetweenRunsMs", number),
    ("discard-top-bottom", "discardTopBottom", number),
    ("pre-processor-arn", "preProcessorARN", text),
    ("post-processor-arn", "postProcessorARN", text),
    ("allowed-exceptions", "allowedExceptions", list),
    ("disable-payload-logs", "disablePayloadLogs", switch),
    ("include-output-results", "includeOutputResults", switch),
    ("strategy", "strategy", text),
    ("balanced-weight", "balancedWeight", number),
    ("auto-optimize", "autoOptimize", switch),
];

/// Takes the options of `tune` out of the reader.
pub(super) fn options(arguments: &TuneArgs, reader: &mut Reader) -> Options {
    reader.flags(arguments);
    let mut options = Options {
        function: arguments.function.clone(),
        input: arguments.input.clone(),
        payload_file: reader.take("payload-file", values::path),
        gate: Gate {
            max_duration_ms: reader.take("max-duration-ms", values::above_zero),
            max_cost: reader.take("max-cost", values::above_zero),
        },
        markdown: reader.flag("markdown"),
        open: reader.flag("open"),
        state_machine: reader.take("state-machine-arn", values::state_machine_arn),
        detach: arguments.run.detach,
        watch: arguments.code.watch,
        calibrated: reader.flag("calibrated"),
        ..Options::default()
    };
    let alias = ("auto-optimize-alias", "autoOptimizeAlias", text as Read);
    for (option, field, read) in FIELDS.into_iter().chain([alias]) {
        if let Some(value) = reader.take(option, read) {
            options.fields.insert(field.to_owned(), value);
        }
    }
    options.code = code(arguments, reader);
    if let Some(execution) = &arguments.run.attach {
        match values::execution(execution) {
            Ok(execution) => options.attach = Some(execution),
            Err(problem) => reader.problem(format!("--attach `{execution}`: {problem}")),
        }
    }
    options
}

/// The function's code comes from the command line alone: it belongs to one call.
fn code(arguments: &TuneArgs, reader: &mut Reader) -> Option<Code> {
    let arguments = &arguments.code;
    let mut environment = Vec::new();
    for variable in &arguments.env {
        match variable.split_once('=') {
            Some((name, value)) if !name.is_empty() => environment.push((name.to_owned(), value.to_owned())),
            _ => reader.problem(format!("--env `{variable}`: must be NAME=VALUE")),
        }
    }
    let timeout = arguments.timeout.as_ref().and_then(|text| {
        let seconds = text.parse().ok().filter(|seconds| (1..=900).contains(seconds));
        if seconds.is_none() {
            reader.problem(format!("--timeout `{text}`: must be a whole number of seconds from 1 to 900"));
        }
        seconds
    });
    let known = || local_aws::lambda::runtimes().collect::<Vec<_>>();
    if let Some(runtime) = arguments.runtime.as_deref().filter(|runtime| !known().contains(runtime)) {
        reader.problem(format!("--runtime `{runtime}`: must be one of {}", known().join(", ")));
    }
    let path = arguments.code.as_ref()?.into();
    let (runtime, handler) = (arguments.runtime.clone(), arguments.handler.clone());
    let layers = arguments.layer.iter().map(Into::into).collect();
    Some(Code { path, runtime, handler, environment, timeout, layers })
}

fn text(text: &str) -> Result<Value, String> {
    Ok(text.into())
}

fn switch(text: &str) -> Result<Value, String> {
    values::switch(text).map(Value::Bool)
}

/// A number as JSON; what is none stays text, for the input's own rule to refuse by the field's name.
fn number(text: &str) -> Result<Value, String> {
    let number = serde_json::from_str::<serde_json::Number>(text.trim());
    Ok(number.map_or_else(|_| text.into(), Value::Number))
}

fn payload(text: &str) -> Result<Value, String> {
    serde_json::from_str(text)
        .map_err(|error| format!("is not JSON ({error}); a text is quoted: '\"hello\"'"))
}

fn list(text: &str) -> Result<Value, String> {
    Ok(json!(text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect::<Vec<_>>()))
}
