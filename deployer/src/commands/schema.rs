//! `schema DOCUMENT`: the JSON Schema of what programs hand to `tune` and read of it.

use std::fmt;

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde::Serialize;
use serde_json::{Map, Value, json};
use tuning::input::FIELDS;
use tuning::input::fields::{GATE, LAMBDA_ARN, NUM, TUNE};

use super::tune::Detached;
use crate::events::Event;
use crate::options;
use crate::outcome::Outcome;
use crate::{failure, render};

/// What stdout has with `--json`.
#[derive(JsonSchema, Serialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is read")]
enum Result {
    /// A run that is over. A dry run has no figures.
    Run(Box<render::document::Document>),
    /// A run that goes on by itself (`--detach`).
    Detached(Detached),
    /// A run that failed, or wrong usage.
    Failed(failure::Document),
}

/// A line on stderr with `--json`.
#[derive(JsonSchema, Serialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is read")]
enum Line {
    /// What happens.
    Event(Event),
    /// The last line of a command that failed.
    Failed(failure::Event),
}

/// A JSON Schema. As JSON: itself.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Schema(Value);

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.0)
    }
}

/// Writes the schema of a document: `input`, `result` or `event`.
///
/// # Errors
/// None that can happen: a schema is JSON.
pub fn run(document: &str) -> anyhow::Result<Outcome> {
    let generator = || SchemaGenerator::new(SchemaSettings::draft2020_12().for_serialize());
    let schema = match document {
        "input" => input(),
        "result" => generator().into_root_schema_for::<Result>().into(),
        _ => generator().into_root_schema_for::<Line>().into(),
    };
    Outcome::new(&Schema(schema))
}

/// The execution input, by the table of its fields. Fields that nothing reads are warned about, not refused.
fn input() -> Value {
    let fields = FIELDS.iter().map(|field| {
        let mut schema = json!({ "description": about(field.name) });
        if !field.default.is_empty() {
            schema["description"] = format!("{} [default: {}]", about(field.name), field.default).into();
        }
        let form = field.form.schema();
        let is_required = [LAMBDA_ARN, NUM].contains(field);
        // What is null is as if it were not there.
        let forms = if is_required { vec![form] } else { vec![form, json!({ "type": "null" })] };
        schema["anyOf"] = forms.into();
        (field.name.to_owned(), schema)
    });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Input",
        "description": "What the state machine takes. `deployer tune --input FILE` needs neither lambdaARN nor num.",
        "type": "object",
        "properties": fields.collect::<Map<_, _>>(),
        "required": [LAMBDA_ARN.name, NUM.name],
        // A version or alias can be copied, not changed.
        "if": { "properties": { TUNE.name: { "const": "copy" } }, "required": [TUNE.name] },
        "else": { "properties": { LAMBDA_ARN.name: { "pattern": r"^[^:]+(:[^:]+){6}(:\$LATEST)?$" } } },
    })
}

/// What a field is for: the help of its option.
fn about(field: &str) -> &'static str {
    let named = |spec: &&&options::Spec| spec.field.is_some_and(|of| of.name == field);
    match options::ALL.iter().find(named) {
        Some(spec) => spec.help.trim(),
        None if field == GATE.name => "Limits for the result; a choice that exceeds one is not applied",
        None => "The ARN of the function to tune; with tune: \"copy\" it may be that of a version or alias",
    }
}
