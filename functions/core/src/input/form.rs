//! What the forms of fields mean: the values in words, a value judged, a text read.

use super::bucket::BUCKET;
use super::fields::Form;
use super::problem::shown;
use super::read::{self, number};
use super::{LARGEST, Limit, SMALLEST, power_values};
use serde_json::{Value, json};

/// A role's ARN in another partition, account or path.
const ROLE: &str = r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]{1,576}$";

impl Form {
    /// The values in words, to be read after "use".
    pub fn says(self) -> String {
        match self {
            Self::Function | Self::Processor => "a function's ARN".to_owned(),
            Self::PowerValues => format!(
                "memory sizes in MB from {SMALLEST} to {LARGEST} such as 128,512,1024, or ALL, or AUTO, or FROM-TO:STEP such as 128-3008:64"
            ),
            Self::Whole(least, most) => format!("a whole number from {least} to {most}"),
            Self::Share(most) => format!("a number from 0 to {most}"),
            Self::Amount => "a number above 0".to_owned(),
            Self::Flag => "true or false".to_owned(),
            Self::Word(words) => words.join(", "),
            Self::Json => "JSON; a text is quoted: '\"hello\"'".to_owned(),
            Self::Object => "s3://bucket/key".to_owned(),
            Self::Alias => "an alias name, 1 to 128 letters, digits, '-' or '_', not digits alone".to_owned(),
            Self::Role => "a role's ARN, such as arn:aws:iam::123456789012:role/my-role".to_owned(),
            Self::Texts => "error types separated by commas".to_owned(),
            Self::Words(words) => format!("{}, or several separated by commas", words.join(", ")),
            Self::Gate => r#"{"maxDurationMs": 500, "maxCost": 0.000004}, or one of the two"#.to_owned(),
            Self::Limit => "a percentile from 50 to 99.9 and its milliseconds, such as p95=300ms".to_owned(),
        }
    }

    /// The values as JSON Schema. What a schema cannot say (a range that runs backwards) is left to [`Form::check`].
    #[must_use]
    pub fn schema(self) -> Value {
        let whole = |least: u64, most: u64| {
            let text = json!({ "type": "string", "pattern": r"^\s*[0-9]+(\.0*)?\s*$" });
            json!({ "anyOf": [{ "type": "integer", "minimum": least, "maximum": most }, text] })
        };
        let text = |pattern: &str| json!({ "type": "string", "pattern": pattern });
        match self {
            // A version or alias is for copies only, which is a question of two fields.
            Self::Function | Self::Processor => text(
                r"^arn:aws[^:]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]{1,140}(:\$LATEST|:[A-Za-z0-9_-]{1,128})?$",
            ),
            Self::PowerValues => {
                let size = whole(SMALLEST.into(), LARGEST.into());
                let range = json!({
                    "type": "object",
                    "properties": { "from": size, "to": size, "step": whole(1, LARGEST.into()) },
                    "required": ["from", "to"],
                    "additionalProperties": false,
                });
                let ends = json!({ "from": size, "to": size });
                let auto = json!({ "type": "object", "properties": ends, "additionalProperties": false });
                let auto = json!({
                    "type": "object",
                    "properties": { "auto": auto },
                    "required": ["auto"],
                    "additionalProperties": false,
                });
                let list = json!({ "type": "array", "items": size, "minItems": 1 });
                json!({ "anyOf": [list, { "enum": ["ALL", "AUTO"] }, range, auto] })
            }
            Self::Whole(least, most) => whole(least, most),
            // Those out of bounds are clamped, with a warning.
            Self::Share(_) => json!({ "type": ["number", "string"] }),
            Self::Amount => {
                json!({ "anyOf": [{ "type": "number", "exclusiveMinimum": 0 }, { "type": "string" }] })
            }
            Self::Flag => json!({ "type": "boolean" }),
            Self::Word(words) => json!({ "enum": words }),
            Self::Json => json!(true),
            Self::Object => text(&format!("^s3://{}/.+$", BUCKET.trim_matches(['^', '$']))),
            Self::Alias => text("^[A-Za-z0-9_-]{1,128}$"),
            Self::Role => text(ROLE),
            Self::Texts => json!({ "type": "array", "items": { "type": "string", "minLength": 1 } }),
            Self::Words(words) => json!({ "type": "array", "items": { "enum": words }, "minItems": 1 }),
            Self::Gate => {
                let limit = json!({ "type": ["number", "string", "null"] });
                let limits = json!({ "maxDurationMs": limit, "maxCost": limit });
                json!({ "type": "object", "properties": limits, "additionalProperties": false })
            }
            Self::Limit => {
                let number = json!({ "type": ["number", "string"] });
                json!({
                    "type": "object",
                    "properties": { "percentile": number, "ms": number },
                    "required": ["percentile", "ms"],
                    "additionalProperties": false,
                })
            }
        }
    }

    /// The JSON that a text stands for, as it is written on a command line, in the environment or in a template's parameter.
    ///
    /// # Errors
    /// What is wrong with it, to be read after the option's name.
    pub fn from_text(self, text: &str) -> Result<Value, String> {
        let value = match self {
            Self::PowerValues => return power_values::from_text(text).map(|sizes| sizes.json()),
            Self::Share(_) if text.trim_end().ends_with('%') => {
                let percent = text.trim_end().trim_end_matches('%').trim().parse::<f64>();
                percent.map_or_else(|_| text.into(), |percent| json!(percent / 100.0))
            }
            Self::Limit => Limit::from_text(text).map(|limit| limit.json())?,
            Self::Whole(..) | Self::Share(_) | Self::Amount => {
                let number = serde_json::from_str::<serde_json::Number>(text.trim());
                number.map_or_else(|_| text.into(), Value::Number)
            }
            Self::Flag => match text {
                "true" | "1" | "yes" | "on" => true.into(),
                "false" | "0" | "no" | "off" => false.into(),
                _ => text.into(),
            },
            Self::Json | Self::Gate => serde_json::from_str(text)
                .map_err(|error| format!("is not JSON ({error}): a text is quoted, such as '\"hello\"'"))?,
            Self::Texts | Self::Words(_) => {
                text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(Value::from).collect()
            }
            Self::Function | Self::Processor | Self::Word(_) | Self::Object | Self::Alias | Self::Role => {
                text.into()
            }
        };
        self.check(&value).map(|()| value)
    }

    /// Judges one value by itself; what looks at several fields is [`super::Input::parse`]'s.
    ///
    /// # Errors
    /// What is wrong with it, to be read after the field's name.
    pub fn check(self, value: &Value) -> Result<(), String> {
        match self {
            Self::Function => read::function_arn(value).map(drop),
            Self::Processor => read::processor(value).map(drop),
            Self::PowerValues => power_values::values(value).map(drop),
            Self::Whole(least, most) => read::integer(value, least, most).map(drop),
            Self::Share(_) if number(value).is_some() => Ok(()),
            Self::Amount if number(value).is_some_and(|amount| amount > 0.0) => Ok(()),
            Self::Flag if value.is_boolean() => Ok(()),
            Self::Flag => Err(format!("is {}: use true or false (without quotes)", shown(value))),
            Self::Share(_) | Self::Amount => Err(format!("is {}: use {}", shown(value), self.says())),
            Self::Word(words) if value.as_str().is_some_and(|word| words.contains(&word)) => Ok(()),
            Self::Word(words) => {
                let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
                Err(format!("is {}: use {}", shown(value), quoted.join(", ")))
            }
            Self::Words(words) => {
                let is_one = |item: &Value| item.as_str().is_some_and(|word| words.contains(&word));
                match value.as_array() {
                    Some(list) if !list.is_empty() && list.iter().all(is_one) => Ok(()),
                    _ => Err(format!("is {}: use a list of {}", shown(value), words.join(" and "))),
                }
            }
            Self::Json => Ok(()),
            Self::Object => read::s3_object(value).map(drop),
            Self::Alias => read::alias(value).map(drop),
            Self::Role => read::role(value).map(drop),
            Self::Texts => read::texts(value).map(drop),
            Self::Gate => read::gate(value).map(drop),
            Self::Limit => Limit::read(value).map(drop),
        }
    }
}
