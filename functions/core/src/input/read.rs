//! Reading one field: the value, or what is wrong with it. The reader gathers the problems so that one does not hide another.

use super::bucket::{BUCKET_SAYS, is_bucket};
use super::fields::{Field, Form};
use super::problem::shown;
use super::{LOCK_ALIAS, LambdaArn, Problem, Problems, Qualifier, S3Object};
use crate::gate::Gate;
use serde_json::{Map, Value};

/// A field's value, or the message of its problem.
pub(super) type Read<T> = Result<T, String>;

pub(super) struct Reader<'a> {
    object: &'a Map<String, Value>,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(value: &'a Value) -> Result<Self, Problems> {
        match value {
            Value::Object(object) => Ok(Self { object, problems: Vec::new(), warnings: Vec::new() }),
            other => Err(Problems(vec![Problem {
                field: String::new(),
                message: format!(
                    "it is {}, but must be a JSON object with at least lambdaARN and num",
                    shown(other)
                ),
            }])),
        }
    }

    pub(super) fn finish(self) -> Result<Vec<Problem>, Problems> {
        if self.problems.is_empty() { Ok(self.warnings) } else { Err(Problems(self.problems)) }
    }

    pub(super) fn problem(&mut self, field: Field, message: impl Into<String>) {
        self.problems.push(Problem { field: field.name.to_owned(), message: message.into() });
    }

    pub(super) fn warn(&mut self, field: Field, message: impl Into<String>) {
        self.warnings.push(Problem { field: field.name.to_owned(), message: message.into() });
    }

    pub(super) fn is_fine(&self, field: Field) -> bool {
        self.problems.iter().all(|problem| problem.field != field.name)
    }

    pub(super) fn has(&self, field: Field) -> bool {
        self.value(field).is_some()
    }

    pub(super) fn value(&self, field: Field) -> Option<&'a Value> {
        self.object.get(field.name).filter(|value| !value.is_null())
    }

    pub(super) fn optional<T>(&mut self, field: Field, read: impl FnOnce(&Value) -> Read<T>) -> Option<T> {
        match read(self.value(field)?) {
            Ok(value) => Some(value),
            Err(message) => {
                self.problem(field, message);
                None
            }
        }
    }

    /// As [`Reader::optional`]; the default stands in until [`Reader::finish`] refuses.
    pub(super) fn required<T: Default>(&mut self, field: Field, read: impl FnOnce(&Value) -> Read<T>) -> T {
        if !self.has(field) {
            let example = match field.form {
                Form::Whole(least, _) => {
                    format!("the number of invocations per power value, {least} or more")
                }
                _ => "the function's ARN".to_owned(),
            };
            self.problem(field, format!("is missing: give {example}"));
        }
        self.optional(field, read).unwrap_or_default()
    }

    /// The value, if the field's own rule accepts it.
    fn checked(&mut self, field: Field) -> Option<&'a Value> {
        let value = self.value(field)?;
        self.optional(field, |value| field.form.check(value)).map(|()| value)
    }

    pub(super) fn flag(&mut self, field: Field) -> bool {
        self.checked(field).and_then(Value::as_bool).unwrap_or_default()
    }

    pub(super) fn whole(&mut self, field: Field) -> Option<u64> {
        // Within the field's bounds the conversion is exact.
        self.checked(field).and_then(number).map(|number| number as u64)
    }

    pub(super) fn amount(&mut self, field: Field) -> Option<f64> {
        self.checked(field).and_then(number)
    }

    /// A list of words, each once.
    pub(super) fn words<T: std::str::FromStr + PartialEq>(&mut self, field: Field) -> Vec<T> {
        let words = self.checked(field).and_then(Value::as_array).into_iter().flatten();
        let mut read: Vec<T> = Vec::new();
        for word in words.filter_map(|word| word.as_str()?.parse().ok()) {
            if !read.contains(&word) {
                read.push(word);
            }
        }
        read
    }

    pub(super) fn word<T: std::str::FromStr>(&mut self, field: Field) -> Option<T> {
        self.checked(field)?.as_str()?.parse().ok()
    }

    /// A number that is clamped to the field's bounds, with a warning.
    pub(super) fn share(&mut self, field: Field) -> Option<f64> {
        let Form::Share(most) = field.form else { return None };
        let number = self.checked(field).and_then(number)?;
        let clamped = number.clamp(0.0, most);
        if clamped != number {
            self.warn(field, format!("is {number}, taken as {clamped}: it goes from 0 to {most}"));
        }
        Some(clamped)
    }
}

/// A number, or text that is one.
pub(super) fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    number.is_finite().then_some(number)
}

/// A whole number within bounds, or text that is one. `5.0` is whole.
pub(super) fn integer(value: &Value, least: u64, most: u64) -> Read<u64> {
    let range = format!("a whole number from {least} to {most}");
    match number(value) {
        // Within the range the conversion is exact.
        Some(number) if number.fract() == 0.0 && number >= least as f64 && number <= most as f64 => {
            Ok(number as u64)
        }
        Some(number) if number.fract() == 0.0 && number < least as f64 => {
            Err(format!("is {}, which is too small: use {range}", shown(value)))
        }
        Some(number) if number.fract() == 0.0 => {
            Err(format!("is {}, which is too large: use {range}", shown(value)))
        }
        _ => Err(format!("is {}: use {range}", shown(value))),
    }
}

/// The tuned function, where nothing but its `$LATEST` can be tuned.
pub(super) fn latest_arn(value: &Value) -> Read<(LambdaArn, Option<Qualifier>)> {
    arn(value, LambdaArn::parse).map(|arn| (arn, None))
}

/// The tuned function, or one of its versions or aliases.
pub(super) fn function_arn(value: &Value) -> Read<(LambdaArn, Option<Qualifier>)> {
    let (arn, qualifier) = arn(value, LambdaArn::split)?;
    Ok((arn, qualifier.filter(|qualifier| !qualifier.is_latest())))
}

/// A function that is invoked, with or without version or alias.
pub(super) fn processor(value: &Value) -> Read<String> {
    arn(value, LambdaArn::split).map(|(arn, qualifier)| match qualifier {
        Some(qualifier) => arn.qualified(qualifier.as_str()),
        None => arn.to_string(),
    })
}

fn arn<T>(value: &Value, read: fn(&str) -> Result<T, String>) -> Read<T> {
    match value {
        Value::String(text) => read(text).map_err(|reason| format!("{} {reason}", shown(value))),
        _ => Err(format!("is {}: use a function's ARN, as text", shown(value))),
    }
}

pub(super) fn s3_object(value: &Value) -> Read<S3Object> {
    let parts = || value.as_str()?.strip_prefix("s3://")?.split_once('/');
    let (bucket, key) = parts().ok_or_else(|| format!("is {}: use s3://bucket/key", shown(value)))?;
    let wrong = if !is_bucket(bucket) {
        format!("whose bucket is \"{bucket}\": use s3://bucket/key with {BUCKET_SAYS}")
    } else if key.is_empty() {
        "which names no object: use s3://bucket/key".to_owned()
    } else if key.len() > 1024 {
        format!("whose key has {} bytes: use s3://bucket/key with a key of at most 1024 bytes", key.len())
    } else {
        return Ok(S3Object { bucket: bucket.to_owned(), key: key.to_owned() });
    };
    Err(format!("is {}, {wrong}", shown(value)))
}

pub(super) fn alias(value: &Value) -> Read<String> {
    let name = value.as_str().filter(|name| is_alias(name)).ok_or_else(|| {
        format!(
            "is {}: use an alias name, 1 to 128 letters, digits, '-' or '_', not digits alone",
            shown(value)
        )
    })?;
    let reserved = name.strip_prefix(LOCK_ALIAS).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    if reserved {
        return Err(format!(
            "is {}: names starting with '{LOCK_ALIAS}' are those of the tuning's own, temporary aliases; use another name",
            shown(value)
        ));
    }
    Ok(name.to_owned())
}

fn is_alias(name: &str) -> bool {
    (1..=128).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        && !name.chars().all(|c| c.is_ascii_digit())
}

/// The ARN of a role.
pub(super) fn role(value: &Value) -> Read<String> {
    let is_role = |text: &&str| {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, "iam", "", account, role] = parts.as_slice() else { return false };
        let word = |c: char| c.is_ascii_alphanumeric() || "+=,.@_/-".contains(c);
        let name = role.strip_prefix("role/").unwrap_or_default();
        partition.starts_with("aws")
            && account.len() == 12
            && account.bytes().all(|b| b.is_ascii_digit())
            && !name.is_empty()
            && !name.ends_with('/')
            && name.chars().all(word)
    };
    let text = value.as_str().filter(is_role).map(str::to_owned);
    text.ok_or_else(|| format!("is {}: use {}", shown(value), Form::Role.says()))
}

pub(super) fn texts(value: &Value) -> Read<Vec<String>> {
    let read = || -> Option<Vec<String>> {
        let list = value.as_array()?.iter();
        list.map(|element| element.as_str().filter(|text| !text.is_empty()).map(str::to_owned)).collect()
    };
    read().ok_or_else(|| {
        format!("is {}: use a list of error types, such as [\"ValidationError\"]", shown(value))
    })
}

/// The limits. A name that is none is refused: a limit that is misspelt would let everything pass.
pub(super) fn gate(whole: &Value) -> Read<Gate> {
    let Value::Object(limits) = whole else {
        return Err(format!("is {}: use {}", shown(whole), Form::Gate.says()));
    };
    let mut gate = Gate::default();
    for (name, value) in limits.iter().filter(|(_, value)| !value.is_null()) {
        let limit = match name.as_str() {
            "maxDurationMs" => &mut gate.max_duration_ms,
            "maxCost" => &mut gate.max_cost,
            _ => {
                let says = Form::Gate.says();
                return Err(format!("is {}, where {name:?} is not a limit: use {says}", shown(whole)));
            }
        };
        match number(value) {
            Some(most) if most > 0.0 => *limit = Some(most),
            _ => {
                return Err(format!(
                    "is {}, where {name} is not a number above 0: use {}",
                    shown(whole),
                    Form::Gate.says()
                ));
            }
        }
    }
    if gate.is_open() {
        return Err(format!("is {}, which limits nothing: use {}", shown(whole), Form::Gate.says()));
    }
    Ok(gate)
}
