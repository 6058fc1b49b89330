//! Reading the fields that only distributed Maps have.

use serde_json::Value;

use crate::definition::{Percentage, Reader as ItemReader, Transformation, Writer};
use crate::fields::{Fields, Reader};
use crate::path::Path;

/// The most items that `MaxItems` may name.
const MOST_ITEMS: u64 = 100_000_000;
/// Characters of a label, at most.
const LONGEST_LABEL: usize = 40;
/// Fields that a Map has only when it is distributed.
const DISTRIBUTED: [&str; 7] = [
    "ItemReader",
    "Label",
    "ResultWriter",
    "ToleratedFailureCount",
    "ToleratedFailureCountPath",
    "ToleratedFailurePercentage",
    "ToleratedFailurePercentagePath",
];

impl Reader {
    /// Whether a Map's processor, written at `place`, runs as executions of its own.
    pub fn distributed(&mut self, fields: &Fields<'_>, processor: &Value, place: &str) -> bool {
        let place = format!("{place}/ProcessorConfig");
        let config = processor.get("ProcessorConfig");
        let config = config.and_then(|config| self.object(config, &place, &["Mode", "ExecutionType"]));
        let mode = config.as_ref().and_then(|config| self.text(config, "Mode"));
        let kind = config.as_ref().and_then(|config| self.text(config, "ExecutionType"));
        match (mode.as_deref().unwrap_or("INLINE"), kind.as_deref()) {
            ("DISTRIBUTED", Some("STANDARD")) => return true,
            ("DISTRIBUTED", Some(kind)) => {
                let message = format!("only executions of the type 'STANDARD' can be run, not '{kind}'");
                self.problems.schema(&format!("{place}/ExecutionType"), message);
                return true;
            }
            ("DISTRIBUTED", None) => {
                self.problems.schema(&place, "These fields are required: [ExecutionType]");
                return true;
            }
            ("INLINE", None) => {}
            ("INLINE", Some(_)) => {
                let message = "Field 'ExecutionType' is not supported by the mode 'INLINE'";
                self.problems.schema(&place, message);
            }
            (mode, _) => {
                let message = format!("Value must be one of [INLINE, DISTRIBUTED], not '{mode}'");
                self.problems.schema(&format!("{place}/Mode"), message);
            }
        }
        for name in DISTRIBUTED.into_iter().filter(|name| fields.get(name).is_some()) {
            let message = format!("Field '{name}' is not supported by a Map of the mode 'INLINE'");
            self.problems.schema(&fields.at, message);
        }
        false
    }

    /// `ItemReader`.
    pub fn reader(&mut self, value: &Value, at: &str) -> Option<ItemReader> {
        let fields = self.object(value, at, &["Resource", "ReaderConfig", "Parameters"])?;
        self.one(&fields, "Resource", &["arn:aws:states:::s3:getObject"]);
        let location = self.template(&fields, "Parameters");
        let Some(config) = fields.get("ReaderConfig") else {
            self.required(&fields, "ReaderConfig");
            return None;
        };
        let config =
            self.object(config, &fields.place("ReaderConfig"), &["InputType", "MaxItems", "MaxItemsPath"])?;
        let lines = self.one(&config, "InputType", &["JSON", "JSONL"]) == Some(1);
        let most = self.amount_within(&config, "MaxItems", 0..=MOST_ITEMS);
        if location.is_none() {
            self.required(&fields, "Parameters");
        }
        Some(ItemReader { location: location?, lines, most })
    }

    /// `ResultWriter`.
    pub fn writer(&mut self, value: &Value, at: &str) -> Option<Writer> {
        let fields = self.object(value, at, &["Resource", "Parameters", "WriterConfig"])?;
        let destination = self.template(&fields, "Parameters");
        let config = fields.get("WriterConfig");
        match (fields.get("Resource").is_some(), destination.is_some(), config.is_some()) {
            (true, true, _) => {
                self.one(&fields, "Resource", &["arn:aws:states:::s3:putObject"]);
            }
            (false, false, true) => {}
            (true, false, _) => self.required(&fields, "Parameters"),
            (false, true, _) => self.required(&fields, "Resource"),
            (false, false, false) => self.required(&fields, "Resource, Parameters"),
        }
        let mut writer = Writer { destination, transformation: Transformation::None, lines: false };
        if let Some(config) = config {
            let allowed = ["Transformation", "OutputType"];
            let config = self.object(config, &fields.place("WriterConfig"), &allowed)?;
            let kinds = [Transformation::None, Transformation::Compact, Transformation::Flatten];
            if let Some(kind) = self.one(&config, "Transformation", &["NONE", "COMPACT", "FLATTEN"]) {
                writer.transformation = kinds[kind];
            }
            writer.lines = self.one(&config, "OutputType", &["JSON", "JSONL"]) == Some(1);
            if writer.lines && writer.destination.is_none() {
                let message =
                    "the OutputType 'JSONL' can be written to S3 only, with Resource and Parameters";
                self.problems.schema(&config.place("OutputType"), message);
            }
        }
        Some(writer)
    }

    /// `Label`.
    pub fn label(&mut self, fields: &Fields<'_>) -> Option<String> {
        const FORBIDDEN: &str = " ?*<>{}[]:;,\\|^~$#%&`\"";
        let label = self.text(fields, "Label")?;
        let wrong = label.chars().find(|c| c.is_control() || FORBIDDEN.contains(*c));
        let problem = match wrong {
            _ if label.is_empty() => Some("Label cannot be empty".to_owned()),
            _ if label.chars().count() > LONGEST_LABEL => {
                Some(format!("Label cannot exceed {LONGEST_LABEL} characters"))
            }
            Some(c) => Some(format!("Label contains invalid character: {c:?}")),
            None if !self.labels.insert(label.clone()) => Some(format!("Label '{label}' is not unique")),
            None => None,
        };
        if let Some(problem) = problem {
            self.problems.schema(&fields.place("Label"), problem);
        }
        Some(label)
    }

    /// A percentage by its name, or by its name and `Path`.
    pub fn percentage(&mut self, fields: &Fields<'_>, name: &str) -> Option<Percentage> {
        let by_path = format!("{name}Path");
        self.exclusive(fields, &[name, &by_path]);
        if let Some(value) = fields.get(name) {
            let number = value.as_f64().filter(|number| (0.0..=100.0).contains(number));
            if number.is_none() {
                let message = format!("Value must be a number from 0 to 100, not {value}");
                self.problems.schema(&fields.place(name), message);
            }
            return number.map(Percentage::Fixed);
        }
        self.read(fields, &by_path, "JSONPath", Path::parse).map(Percentage::From)
    }

    /// Which of the texts a required field is.
    fn one(&mut self, fields: &Fields<'_>, name: &str, allowed: &[&str]) -> Option<usize> {
        if fields.get(name).is_none() {
            self.required(fields, name);
        }
        let text = self.text(fields, name)?;
        let found = allowed.iter().position(|allowed| *allowed == text);
        if found.is_none() {
            let message = format!("Value must be one of [{}], not '{text}'", allowed.join(", "));
            self.problems.schema(&fields.place(name), message);
        }
        found
    }
}
