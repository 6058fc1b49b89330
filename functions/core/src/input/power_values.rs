//! `powerValues`: a list, `"ALL"`, a range, or `"AUTO"`, which leaves the choice to the search.

use super::fields::POWER_VALUES;
use super::problem::shown;
use super::read::{Read, Reader, integer};
use super::{LARGEST, MAX_POWER_VALUES, Problem, SMALLEST};
use serde_json::{Value, json};

/// What an input without `powerValues` means: the stack's parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defaults {
    /// Memory sizes in MB.
    pub power_values: Vec<u32>,
}

/// The memory sizes that an input asks for, in MB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PowerValues {
    /// These, ascending, each once.
    List(Vec<u32>),
    /// Whatever the search chooses between these two.
    Auto(u32, u32),
}

impl PowerValues {
    /// As it stands in an input.
    pub(super) fn json(&self) -> Value {
        match *self {
            Self::List(ref sizes) => json!(sizes),
            Self::Auto(SMALLEST, LARGEST) => json!("AUTO"),
            Self::Auto(from, to) => json!({ "auto": { "from": from, "to": to } }),
        }
    }

    /// The list; none with the search.
    #[must_use]
    pub fn list(self) -> Vec<u32> {
        match self {
            Self::List(sizes) => sizes,
            Self::Auto(..) => Vec::new(),
        }
    }
}

/// The stack's parameter unless it is deployed with another.
pub const DEFAULT_POWER_VALUES: &str = "128,256,512,1024,1536,3008";

impl Default for Defaults {
    fn default() -> Self {
        Self { power_values: from_text(DEFAULT_POWER_VALUES).map(PowerValues::list).unwrap_or_default() }
    }
}

/// Power values as text, on a command line or in the stack's parameter: `ALL`, `FROM-TO:STEP` (the step may be left out), values
/// between commas, `AUTO` or `AUTO:FROM-TO`.
pub(super) fn from_text(text: &str) -> Read<PowerValues> {
    let text = text.trim();
    let word = text.to_ascii_uppercase();
    if ["ALL", "AUTO"].contains(&word.as_str()) {
        return values(&json!(word));
    }
    if let Some(range) = word.strip_prefix("AUTO:") {
        let (from, to) = range
            .split_once('-')
            .ok_or_else(|| format!("is {text:?}: use AUTO or AUTO:FROM-TO, such as AUTO:128-3008"))?;
        return values(&json!({ "auto": { "from": from, "to": to } }));
    }
    let value = match text.split_once('-') {
        Some((from, rest)) if !from.is_empty() => match rest.split_once(':') {
            Some((to, step)) => json!({"from": from, "to": to, "step": step}),
            None => json!({"from": from, "to": rest}),
        },
        _ => text.split(',').map(str::trim).filter(|value| !value.is_empty()).collect(),
    };
    values(&value)
}

/// One power value, as it stands in the event of an Executor: a number or text.
///
/// # Errors
/// The problem, with the field `value`.
pub fn one(value: &Value) -> Result<u32, Problem> {
    size(value).map_err(|message| Problem { field: "value".to_owned(), message })
}

/// The field of an input. Every element that is wrong is a problem of its own.
pub(super) fn read(read: &mut Reader<'_>, defaults: &Defaults) -> PowerValues {
    match read.value(POWER_VALUES) {
        None => PowerValues::List(defaults.power_values.clone()),
        Some(value) => {
            read.optional(POWER_VALUES, |_| values(value)).unwrap_or_else(|| PowerValues::List(Vec::new()))
        }
    }
}

pub(super) fn values(value: &Value) -> Read<PowerValues> {
    match value {
        Value::String(word) if word == "AUTO" => Ok(PowerValues::Auto(SMALLEST, LARGEST)),
        Value::Object(object) if object.contains_key("auto") => auto(value),
        _ => list(value).map(PowerValues::List),
    }
}

/// Where the search may look: `{"auto": {"from", "to"}}`, either of which may be left out.
fn auto(value: &Value) -> Read<PowerValues> {
    let wrong =
        || format!("is {}: use \"AUTO\" or {{\"auto\": {{\"from\": 128, \"to\": 3008}}}}", shown(value));
    let range = value["auto"].as_object().filter(|_| value.as_object().is_some_and(|whole| whole.len() == 1));
    let range = range.ok_or_else(wrong)?;
    if range.keys().any(|name| !["from", "to"].contains(&name.as_str())) {
        return Err(wrong());
    }
    let end = |name: &str, default: u32| {
        range.get(name).map_or(Ok(default), |value| {
            size(value).map_err(|message| format!("is a range for AUTO whose '{name}' {message}"))
        })
    };
    let (from, to) = (end("from", SMALLEST)?, end("to", LARGEST)?);
    if from >= to {
        return Err(format!("is a range for AUTO from {from} to {to}: 'from' must be below 'to'"));
    }
    Ok(PowerValues::Auto(from, to))
}

fn list(value: &Value) -> Read<Vec<u32>> {
    let mut sizes = match value {
        Value::String(word) if word == "ALL" => (SMALLEST..=3008).step_by(64).collect(),
        Value::Array(list) if list.is_empty() => {
            return Err("is an empty list: give at least one memory size, or leave it out".to_owned());
        }
        Value::Array(list) => list_of(list)?,
        Value::Object(_) => range(value)?,
        other => {
            return Err(format!(
                "is {}: use a list of memory sizes in MB such as [128, 512, 1024], \"ALL\", \"AUTO\", or a range such as \
                 {{\"from\": 128, \"to\": 10240, \"step\": 64}}",
                shown(other)
            ));
        }
    };
    sizes.sort_unstable();
    sizes.dedup();
    if sizes.len() > MAX_POWER_VALUES {
        return Err(format!(
            "has {} sizes: one execution can measure at most {MAX_POWER_VALUES} (its state and history are limited); use a larger step, or several \
             executions",
            sizes.len()
        ));
    }
    Ok(sizes)
}

fn list_of(list: &[Value]) -> Read<Vec<u32>> {
    const SHOWN: usize = 5;
    let (good, bad): (Vec<_>, Vec<_>) =
        list.iter().map(|value| size(value).map_err(|_| value)).partition(Result::is_ok);
    if bad.is_empty() {
        return Ok(good.into_iter().flatten().collect());
    }
    let mut names: Vec<String> =
        bad.iter().filter_map(|bad| bad.as_ref().err()).take(SHOWN).map(|value| shown(value)).collect();
    if bad.len() > SHOWN {
        names.push(format!("{} more", bad.len() - SHOWN));
    }
    Err(format!("has {}: use whole numbers of MB from {SMALLEST} to {LARGEST}", names.join(", ")))
}

fn range(value: &Value) -> Read<Vec<u32>> {
    let object = value.as_object().into_iter().flatten();
    if let Some((name, _)) = object.clone().find(|(name, _)| !["from", "to", "step"].contains(&name.as_str()))
    {
        return Err(format!("is a range with '{name}': use \"from\", \"to\" and \"step\" only"));
    }
    let part = |name: &str, read: fn(&Value) -> Read<u32>| match value.get(name) {
        None => Err(format!("is a range without '{name}': use \"from\", \"to\" and \"step\"")),
        Some(value) => read(value).map_err(|message| format!("is a range whose '{name}' {message}")),
    };
    let from = part("from", size)?;
    let to = part("to", size)?;
    let step = match value.get("step") {
        None => 64,
        Some(_) => part("step", |step| integer(step, 1, LARGEST.into()).map(|step| step as u32))?,
    };
    if from > to {
        return Err(format!("is a range from {from} down to {to}: 'from' must not be above 'to'"));
    }
    Ok((from..=to).step_by(step as usize).collect())
}

fn size(value: &Value) -> Read<u32> {
    integer(value, SMALLEST.into(), LARGEST.into())
        .map(|size| size as u32)
        .map_err(|message| message.replace("a whole number", "a whole number of MB"))
}
