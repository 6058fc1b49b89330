//! The execution input: what a run measures, read and checked as a whole.
//!
//! Every problem is found and reported together, with its field, its value and what would be right.

use std::fmt;

use serde_json::{Map, Value};

use crate::payload::Plan;
use crate::strategy::Strategy;

/// The alias that is a run's lock on the function, and the beginning of every alias a run makes.
pub const LOCK_ALIAS: &str = "deployer-tuning";

/// Lambda's smallest memory size, in MB.
pub const SMALLEST: u32 = 128;

/// Lambda's largest memory size, in MB.
pub const LARGEST: u32 = 10_240;

/// More sizes than this would outgrow the 25,000 events of an execution's history, of which each takes up to 20.
pub const MOST_SIZES: usize = 1_000;

/// What the deployed stack supplies when the input does not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Defaults {
    /// Memory sizes, in MB.
    pub power_values: Vec<u32>,
}

/// A function's ARN, unqualified or `:$LATEST`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LambdaArn {
    /// `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: String,
    /// The region.
    pub region: String,
    /// The account's number.
    pub account: String,
    /// The function's name.
    pub name: String,
}

impl LambdaArn {
    /// Reads a function's ARN.
    ///
    /// # Errors
    /// What is wrong with it, as a phrase.
    pub fn parse(text: &str) -> Result<Self, String> {
        const SHAPE: &str = "must be a function's ARN, arn:aws:lambda:REGION:ACCOUNT:function:NAME";
        let parts: Vec<&str> = text.split(':').collect();
        let (["arn", partition, "lambda", region, account, "function", name], qualifier) = (match parts.len() {
            7 => (<[&str; 7]>::try_from(parts.as_slice()).map_err(|_| SHAPE)?, None),
            8 => (<[&str; 7]>::try_from(&parts[..7]).map_err(|_| SHAPE)?, Some(parts[7])),
            _ => return Err(SHAPE.to_owned()),
        }) else {
            return Err(SHAPE.to_owned());
        };
        let plain = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if ![partition, region, name].into_iter().all(plain) || name.len() > 64 {
            return Err(SHAPE.to_owned());
        }
        if account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) {
            return Err(format!("{SHAPE}; ACCOUNT has 12 digits"));
        }
        match qualifier {
            None | Some("$LATEST") => Ok(Self {
                partition: partition.to_owned(),
                region: region.to_owned(),
                account: account.to_owned(),
                name: name.to_owned(),
            }),
            Some(qualifier) => Err(format!(
                "names the version or alias `{qualifier}`; tuning changes $LATEST, so leave the qualifier out"
            )),
        }
    }
}

impl fmt::Display for LambdaArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, region, account, name } = self;
        write!(f, "arn:{partition}:lambda:{region}:{account}:function:{name}")
    }
}

/// Where a payload lies in S3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Location {
    /// The bucket.
    pub bucket: String,
    /// The object's key.
    pub key: String,
}

/// An execution input that makes sense.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// The function to tune.
    pub lambda_arn: LambdaArn,
    /// Memory sizes in MB, ascending, each once.
    pub power_values: Vec<u32>,
    /// Invocations of each.
    pub num: u32,
    /// What each invocation gets; `None` sends nothing.
    pub payload: Option<Value>,
    /// Where a payload lies that is too large for the input; wins over `payload`.
    pub payload_s3: Option<S3Location>,
    /// All invocations of one size at once.
    pub parallel_invocation: bool,
    /// What to choose by.
    pub strategy: Strategy,
    /// For [`Strategy::Balanced`]: 0 is speed, 1 is cost.
    pub balanced_weight: f64,
    /// Apply the choice.
    pub auto_optimize: bool,
    /// Apply it to a new version behind this alias.
    pub auto_optimize_alias: Option<String>,
    /// One invocation per size and no analysis.
    pub dry_run: bool,
    /// Invoked before each invocation.
    pub pre_processor_arn: Option<String>,
    /// Invoked after each invocation.
    pub post_processor_arn: Option<String>,
    /// Share trimmed from each end before averaging, 0 to 0.4.
    pub discard_top_bottom: f64,
    /// Pause between invocations in series, in ms.
    pub sleep_between_runs_ms: u64,
    /// No payload in logs and error texts.
    pub disable_payload_logs: bool,
    /// Adds the sizes' figures to the output.
    pub include_output_results: bool,
    /// Every invocation a cold start.
    pub only_cold_starts: bool,
    /// Error types that count as a normal result.
    pub allowed_exceptions: Vec<String>,
}

/// Something wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The field.
    pub field: String,
    /// The value and what would be right.
    pub message: String,
}

/// Everything that is wrong with an input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [one] => write!(f, "the input is wrong: {}: {}", one.field, one.message),
            all => {
                write!(f, "the input has {} problems:", all.len())?;
                all.iter().try_for_each(|problem| write!(f, "\n  - {}: {}", problem.field, problem.message))
            }
        }
    }
}

/// A field that nothing reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// The field.
    pub field: String,
    /// What was probably meant.
    pub suggestion: Option<String>,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the input's field `{}` is unknown and has no effect", self.field)?;
        self.suggestion.iter().try_for_each(|name| write!(f, "; did you mean `{name}`?"))
    }
}

/// Every field there is.
pub const FIELDS: [&str; 19] = [
    "lambdaARN",
    "powerValues",
    "num",
    "payload",
    "payloadS3",
    "parallelInvocation",
    "strategy",
    "balancedWeight",
    "autoOptimize",
    "autoOptimizeAlias",
    "dryRun",
    "preProcessorARN",
    "postProcessorARN",
    "discardTopBottom",
    "sleepBetweenRunsMs",
    "disablePayloadLogs",
    "includeOutputResults",
    "onlyColdStarts",
    "allowedExceptions",
];

/// The fields of an input that nothing reads.
#[must_use]
pub fn unknown_fields(input: &Value) -> Vec<Unknown> {
    let Value::Object(fields) = input else { return Vec::new() };
    let unknown = fields.keys().filter(|field| !FIELDS.contains(&field.as_str()));
    unknown.map(|field| Unknown { field: field.clone(), suggestion: suggestion(field) }).collect()
}

fn suggestion(field: &str) -> Option<String> {
    if field == "enableParallel" {
        return Some("parallelInvocation".to_owned());
    }
    let lower = field.to_lowercase();
    let nearest = FIELDS.iter().map(|name| (strsim::damerau_levenshtein(&lower, &name.to_lowercase()), *name)).min()?;
    (nearest.0 <= 3).then(|| nearest.1.to_owned())
}

impl Input {
    /// Reads an execution input.
    ///
    /// # Errors
    /// Every problem there is.
    pub fn parse(input: &Value, defaults: &Defaults) -> Result<Self, Problems> {
        let Value::Object(fields) = input else {
            let message = format!("must be a JSON object, not {}", shown(input));
            return Err(Problems(vec![Problem { field: "input".to_owned(), message }]));
        };
        let mut reader = Reader { fields, problems: Vec::new() };
        let only_cold_starts = reader.flag("onlyColdStarts");
        let dry_run = reader.flag("dryRun");
        let lambda_arn = reader.required("lambdaARN", |value| LambdaArn::parse(text(value)?));
        let power_values = match reader.present("powerValues") {
            Some(_) => reader.optional("powerValues", power_values),
            None => Some(sorted(defaults.power_values.clone())),
        };
        if power_values.as_ref().is_some_and(Vec::is_empty) {
            reader.problem("powerValues", "is empty; name at least one memory size, such as [128, 512, 1024]");
        }
        let num = reader.required("num", |value| {
            let rule = "must be a whole number of at least 5";
            let number = whole(value).ok_or(rule)?;
            u32::try_from(number).ok().filter(|number| *number >= 5).ok_or_else(|| rule.to_owned())
        });
        let payload = reader.fields.get("payload").filter(|value| !value.is_null()).cloned();
        let payload_s3 = reader.optional("payloadS3", |value| s3_location(text(value)?));
        if payload_s3.is_none()
            && let (Some(payload), Some(num)) = (&payload, num)
            && let Err(problem) = Plan::new(Some(payload), if dry_run { 1 } else { num })
        {
            reader.problem("payload", &problem.to_string());
        }
        let strategy = reader.optional("strategy", |value| Strategy::parse(text(value)?)).unwrap_or_default();
        let read = Self {
            lambda_arn: LambdaArn { partition: String::new(), region: String::new(), account: String::new(), name: String::new() },
            power_values: Vec::new(),
            num: 0,
            payload,
            payload_s3,
            parallel_invocation: reader.flag("parallelInvocation"),
            strategy,
            balanced_weight: reader.share("balancedWeight", 0.5, 1.0),
            auto_optimize: reader.flag("autoOptimize"),
            auto_optimize_alias: reader.optional("autoOptimizeAlias", |value| alias(text(value)?)),
            dry_run,
            pre_processor_arn: reader.optional("preProcessorARN", |value| processor(text(value)?)),
            post_processor_arn: reader.optional("postProcessorARN", |value| processor(text(value)?)),
            discard_top_bottom: {
                let share = reader.share("discardTopBottom", 0.2, 0.4);
                if only_cold_starts { 0.0 } else { share }
            },
            sleep_between_runs_ms: reader
                .optional("sleepBetweenRunsMs", |value| {
                    whole(value)
                        .filter(|ms| *ms <= 900_000)
                        .ok_or_else(|| "must be a whole number of milliseconds, 0 to 900000".to_owned())
                })
                .unwrap_or(0),
            disable_payload_logs: reader.flag("disablePayloadLogs"),
            include_output_results: reader.flag("includeOutputResults"),
            only_cold_starts,
            allowed_exceptions: reader.optional("allowedExceptions", error_types).unwrap_or_default(),
        };
        match (lambda_arn, power_values, num, reader.problems.is_empty()) {
            (Some(lambda_arn), Some(power_values), Some(num), true) => Ok(Self { lambda_arn, power_values, num, ..read }),
            _ => Err(Problems(reader.problems)),
        }
    }

    /// Invocations of each size: one in a dry run.
    #[must_use]
    pub fn invocations(&self) -> u32 {
        if self.dry_run { 1 } else { self.num }
    }
}

struct Reader<'a> {
    fields: &'a Map<String, Value>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn problem(&mut self, field: &str, message: &str) {
        self.problems.push(Problem { field: field.to_owned(), message: message.to_owned() });
    }

    /// JSON null counts as absent: that is how state machines pass on what was not given.
    fn present(&self, field: &str) -> Option<&Value> {
        self.fields.get(field).filter(|value| !value.is_null())
    }

    fn optional<T>(&mut self, field: &str, read: impl FnOnce(&Value) -> Result<T, String>) -> Option<T> {
        let value = self.present(field)?;
        match read(value) {
            Ok(read) => Some(read),
            Err(rule) => {
                let message = format!("{} {rule}", shown(value));
                self.problem(field, &message);
                None
            }
        }
    }

    fn required<T>(&mut self, field: &str, read: impl FnOnce(&Value) -> Result<T, String>) -> Option<T> {
        if self.present(field).is_none() {
            let message = read(&Value::Null).err().unwrap_or_default();
            self.problem(field, &format!("is missing; it {message}"));
            return None;
        }
        self.optional(field, read)
    }

    fn flag(&mut self, field: &str) -> bool {
        self.optional(field, |value| match value {
            Value::Bool(flag) => Ok(*flag),
            Value::String(text) if text == "true" => Ok(true),
            Value::String(text) if text == "false" => Ok(false),
            _ => Err("must be true or false".to_owned()),
        })
        .unwrap_or(false)
    }

    /// A number from 0 to `most`; what lies outside is brought to the nearest end.
    fn share(&mut self, field: &str, default: f64, most: f64) -> f64 {
        self.optional(field, |value| {
            number(value).map(|share| share.clamp(0.0, most)).ok_or_else(|| format!("must be a number from 0 to {most}"))
        })
        .unwrap_or(default)
    }
}

/// A value as an error quotes it, shortened.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("`{}…`", &text[..end]),
        None => format!("`{text}`"),
    }
}

fn text(value: &Value) -> Result<&str, String> {
    match value {
        Value::String(text) => Ok(text),
        // A missing value is judged by the rule for an empty one.
        Value::Null => Ok(""),
        _ => Err("must be a string".to_owned()),
    }
}

fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    number.is_finite().then_some(number)
}

fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().or_else(|| {
            let float = number.as_f64()?;
            // `10.0` is how some languages write 10.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            (float.fract() == 0.0 && (0.0..9e15).contains(&float)).then_some(float as u64)
        }),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn sorted(mut sizes: Vec<u32>) -> Vec<u32> {
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

fn size(value: &Value) -> Option<u32> {
    u32::try_from(whole(value)?).ok().filter(|size| (SMALLEST..=LARGEST).contains(size))
}

fn power_values(value: &Value) -> Result<Vec<u32>, String> {
    const RULE: &str = "must be a list of memory sizes in MB (whole numbers from 128 to 10240), \"ALL\", or \
                        {\"from\": 128, \"to\": 10240, \"step\": 64}";
    let sizes = match value {
        Value::String(text) if text == "ALL" => (SMALLEST..=3008).step_by(64).collect(),
        Value::Array(items) => {
            let wrong: Vec<String> = items.iter().filter(|item| size(item).is_none()).map(shown).collect();
            if !wrong.is_empty() {
                return Err(format!("{RULE}; {} no memory size", match wrong.as_slice() {
                    [one] => format!("{one} is"),
                    all => format!("{} are", all.join(", ")),
                }));
            }
            items.iter().filter_map(size).collect()
        }
        Value::Object(range) => {
            let end = |name: &str| range.get(name).and_then(size);
            let step = range.get("step").map_or(Some(64), |step| whole(step).and_then(|step| usize::try_from(step).ok()));
            match (end("from"), end("to"), step) {
                (Some(from), Some(to), Some(step)) if from <= to && step > 0 => (from..=to).step_by(step).collect(),
                _ => return Err(RULE.to_owned()),
            }
        }
        _ => return Err(RULE.to_owned()),
    };
    let sizes = sorted(sizes);
    if sizes.len() > MOST_SIZES {
        return Err(format!(
            "are {} memory sizes, and one execution can hold {MOST_SIZES}; use a wider step or several runs",
            sizes.len()
        ));
    }
    Ok(sizes)
}

fn s3_location(text: &str) -> Result<S3Location, String> {
    let rest = text.strip_prefix("s3://").and_then(|rest| rest.split_once('/'));
    match rest {
        Some((bucket, key)) if !bucket.is_empty() && !key.is_empty() => {
            Ok(S3Location { bucket: bucket.to_owned(), key: key.to_owned() })
        }
        _ => Err("must be s3://BUCKET/KEY".to_owned()),
    }
}

fn alias(name: &str) -> Result<String, String> {
    let letters = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > 128 || !name.chars().all(letters) || name.bytes().all(|b| b.is_ascii_digit()) {
        return Err("must be an alias's name: 1 to 128 letters, digits, hyphens and underscores, not digits alone".to_owned());
    }
    if name.starts_with(LOCK_ALIAS) {
        return Err(format!("must not begin with {LOCK_ALIAS}: aliases of that name are the run's own"));
    }
    Ok(name.to_owned())
}

fn processor(arn: &str) -> Result<String, String> {
    let parts: Vec<&str> = arn.split(':').collect();
    match parts.as_slice() {
        ["arn", partition, "lambda", region, account, "function", name]
        | ["arn", partition, "lambda", region, account, "function", name, _]
            if [partition, region, account, name].iter().all(|part| !part.is_empty()) =>
        {
            Ok(arn.to_owned())
        }
        _ => Err("must be a function's ARN, arn:aws:lambda:REGION:ACCOUNT:function:NAME, version or alias allowed".to_owned()),
    }
}

fn error_types(value: &Value) -> Result<Vec<String>, String> {
    let list = value.as_array().map(|items| items.iter().map(|item| item.as_str().map(str::to_owned)).collect());
    list.flatten().ok_or_else(|| "must be a list of error types, such as [\"ValidationError\"]".to_owned())
}
