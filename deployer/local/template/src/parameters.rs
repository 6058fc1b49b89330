//! Template parameters: their declarations, and the values a stack gets for them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::eval::scalar;

/// A declared parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Declaration {
    /// `Type`: `String`, `Number`, `CommaDelimitedList`, `List<…>` or `AWS::…`; `AWS::SSM::Parameter::Value<…>` names a
    /// parameter of the Parameter Store.
    pub kind: String,
    /// `Default`.
    pub default: Option<String>,
    /// `Description`.
    pub description: Option<String>,
    /// `NoEcho`: answers show asterisks.
    pub no_echo: bool,
    /// `AllowedValues`.
    pub allowed_values: Option<Vec<String>>,
    allowed_pattern: Option<String>,
    constraint: Option<String>,
    min_length: Option<f64>,
    max_length: Option<f64>,
    min_value: Option<f64>,
    max_value: Option<f64>,
}

impl Declaration {
    /// Reads a declaration.
    ///
    /// # Errors
    /// The message of AWS's `ValidationError`.
    pub fn parse(name: &str, body: &Value) -> Result<Self, String> {
        let Value::Object(members) = body else {
            return Err(format!("Template format error: [/Parameters/{name}] must be an object."));
        };
        if let Some(member) = members.keys().find(|m| !MEMBERS.contains(&m.as_str())) {
            return Err(format!("Invalid template parameter property '{member}'"));
        }
        let Some(Value::String(kind)) = members.get("Type") else {
            return Err(
                "Template format error: Every Parameters object must contain a Type member.".to_owned()
            );
        };
        let service = |t: &str| t.starts_with("AWS::EC2::") || t.starts_with("AWS::Route53::");
        let known = |kind: &str, plain: &[&str]| {
            plain.contains(&kind)
                || service(kind)
                || kind.strip_prefix("List<").and_then(|k| k.strip_suffix('>')).is_some_and(service)
        };
        let plain = ["String", "Number", "CommaDelimitedList", "List<String>", "List<Number>"];
        let known = match stored(kind) {
            Some(kind) => known(kind, &["String", "CommaDelimitedList", "List<String>"]),
            None => kind == STORED_NAME || known(kind, &plain),
        };
        if !known {
            return Err(format!("Template format error: Unrecognized parameter type: {kind}"));
        }
        let text = |member: &str| match members.get(member) {
            None => Ok(None),
            Some(Value::String(s)) => Ok(Some(s.clone())),
            Some(Value::Number(n)) => Ok(Some(n.to_string())),
            Some(Value::Bool(b)) => Ok(Some(b.to_string())),
            Some(_) => Err(format!("Template format error: Every {member} member must be a string.")),
        };
        let number = |member: &str| match text(member)? {
            None => Ok(None),
            Some(t) => t.parse::<f64>().map(Some).map_err(|_| {
                format!("Template format error: {member} of parameter {name} is '{t}', which is not a number")
            }),
        };
        let allowed_values = match members.get("AllowedValues") {
            None => None,
            Some(Value::Array(items)) => {
                Some(items.iter().map(scalar).collect::<Option<Vec<_>>>().ok_or_else(|| {
                    "Template format error: Every AllowedValues value must be a string.".to_owned()
                })?)
            }
            Some(_) => {
                return Err("Template format error: Every AllowedValues member must be a list.".to_owned());
            }
        };
        let allowed_pattern = text("AllowedPattern")?;
        if let Some(pattern) = &allowed_pattern {
            whole(pattern).map_err(|e| {
                format!("Template format error: AllowedPattern of parameter {name} is '{pattern}': {e}")
            })?;
        }
        let declaration = Self {
            kind: kind.clone(),
            default: text("Default")?,
            description: text("Description")?,
            no_echo: text("NoEcho")?.is_some_and(|t| t.eq_ignore_ascii_case("true")),
            allowed_values,
            allowed_pattern,
            constraint: text("ConstraintDescription")?,
            min_length: number("MinLength")?,
            max_length: number("MaxLength")?,
            min_value: number("MinValue")?,
            max_value: number("MaxValue")?,
        };
        if let Some(default) = &declaration.default {
            declaration.check(name, default).map_err(|e| format!("Template format error: {e}"))?;
        }
        Ok(declaration)
    }

    /// Whether values are lists.
    #[must_use]
    pub fn is_list(&self) -> bool {
        let kind = stored(&self.kind).unwrap_or(&self.kind);
        kind == "CommaDelimitedList" || kind.starts_with("List<")
    }

    /// Whether its value is the name of a parameter in the Parameter Store.
    #[must_use]
    pub fn names_stored(&self) -> bool {
        self.is_stored() || self.kind == STORED_NAME
    }

    /// Whether `Ref` gives what the Parameter Store has under its value.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        stored(&self.kind).is_some()
    }

    /// What `Ref` gives for a value: the text, or the list of texts.
    #[must_use]
    pub fn value(&self, text: &str) -> Value {
        if !self.is_list() {
            return Value::from(text);
        }
        if text.is_empty() {
            return Value::Array(Vec::new());
        }
        Value::Array(text.split(',').map(|item| Value::from(item.trim())).collect())
    }

    /// Checks a value against type and constraints.
    ///
    /// # Errors
    /// AWS's message about the first one that it does not meet.
    pub fn check(&self, name: &str, text: &str) -> Result<(), String> {
        let fail = |plain: String| match &self.constraint {
            Some(constraint) => Err(format!("Parameter {name} failed to satisfy constraint: {constraint}")),
            None => Err(plain),
        };
        let items = if self.is_list() && !self.is_stored() {
            text.split(',').map(str::trim).filter(|_| !text.is_empty()).collect()
        } else {
            vec![text]
        };
        for item in items {
            if matches!(self.kind.as_str(), "Number" | "List<Number>") {
                let Some(number) = item.parse::<f64>().ok().filter(|n| n.is_finite()) else {
                    return fail(format!("Parameter '{name}' must be a number."));
                };
                if let Some(min) = self.min_value.filter(|min| number < *min) {
                    return fail(format!("Parameter '{name}' must be a number not less than {min}"));
                }
                if let Some(max) = self.max_value.filter(|max| number > *max) {
                    return fail(format!("Parameter '{name}' must be a number not greater than {max}"));
                }
            }
            #[expect(clippy::cast_precision_loss, reason = "no text is that long")]
            let length = item.chars().count() as f64;
            if let Some(min) = self.min_length.filter(|min| length < *min) {
                return fail(format!("Parameter '{name}' must contain at least {min} characters"));
            }
            if let Some(max) = self.max_length.filter(|max| length > *max) {
                return fail(format!("Parameter '{name}' must contain at most {max} characters"));
            }
            if let Some(pattern) = &self.allowed_pattern
                && whole(pattern).is_ok_and(|regex| !regex.is_match(item))
            {
                return fail(format!("Parameter '{name}' must match pattern {pattern}"));
            }
            if self.allowed_values.as_ref().is_some_and(|allowed| !allowed.iter().any(|a| a == item)) {
                return fail(format!("Parameter '{name}' must be one of AllowedValues"));
            }
        }
        Ok(())
    }
}

const STORED_NAME: &str = "AWS::SSM::Parameter::Name";

/// The type of what the Parameter Store has for a parameter of this type.
fn stored(kind: &str) -> Option<&str> {
    kind.strip_prefix("AWS::SSM::Parameter::Value<")?.strip_suffix('>')
}

const MEMBERS: [&str; 11] = [
    "Type",
    "Default",
    "Description",
    "NoEcho",
    "AllowedValues",
    "AllowedPattern",
    "ConstraintDescription",
    "MinLength",
    "MaxLength",
    "MinValue",
    "MaxValue",
];

/// AllowedPattern must match the whole value.
fn whole(pattern: &str) -> Result<regex_lite::Regex, regex_lite::Error> {
    regex_lite::Regex::new(&format!(r"\A(?:{pattern})\z"))
}

/// A parameter as given: a value, or the wish to keep the former one.
#[derive(Debug, Clone, PartialEq)]
pub enum Given {
    /// `ParameterValue`.
    Value(String),
    /// `UsePreviousValue`.
    Previous,
}

/// The value of every declared parameter.
///
/// # Errors
/// AWS's message: values without a parameter, parameters without a value, values that do not meet the constraints.
pub fn resolve(
    declared: &BTreeMap<String, Declaration>,
    given: &BTreeMap<String, Given>,
    previous: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, String> {
    let unknown: Vec<&str> =
        given.keys().filter(|name| !declared.contains_key(*name)).map(String::as_str).collect();
    if !unknown.is_empty() {
        return Err(format!("Parameters: [{}] do not exist in the template", unknown.join(", ")));
    }
    let mut values = BTreeMap::new();
    let mut missing = Vec::new();
    for (name, declaration) in declared {
        let value = match given.get(name) {
            Some(Given::Value(value)) => Some(value),
            Some(Given::Previous) => previous.get(name),
            None => declaration.default.as_ref(),
        };
        match value {
            Some(value) => {
                declaration.check(name, value)?;
                values.insert(name.clone(), value.clone());
            }
            None => missing.push(name.as_str()),
        }
    }
    if !missing.is_empty() {
        return Err(format!("Parameters: [{}] must have values", missing.join(", ")));
    }
    Ok(values)
}
