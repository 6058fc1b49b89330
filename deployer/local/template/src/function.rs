//! The intrinsic functions' shapes: the one place that knows which JSON object is which function.

use serde_json::{Map, Value};

/// A function call in a template, its arguments unevaluated.
#[derive(Debug, Clone)]
pub enum Function<'v> {
    /// `Ref`.
    Ref(&'v str),
    /// `Fn::GetAtt`: resource and attribute.
    GetAtt(&'v str, &'v str),
    /// `Fn::Sub`: the text in pieces, and the variables given with it.
    Sub(Vec<Piece<'v>>, Option<&'v Map<String, Value>>),
    /// `Fn::Join`: delimiter and list.
    Join(&'v str, &'v Value),
    /// `Fn::Select`: index and list.
    Select(&'v Value, &'v Value),
    /// `Fn::Split`: delimiter and text.
    Split(&'v str, &'v Value),
    /// `Fn::FindInMap`: map and the two keys.
    FindInMap(&'v Value, &'v Value, &'v Value),
    /// `Fn::Base64`.
    Base64(&'v Value),
    /// `Fn::ImportValue`.
    ImportValue(&'v Value),
    /// `Fn::GetAZs`.
    GetAZs(&'v Value),
    /// `Fn::If`: condition, then, else.
    If(&'v str, &'v Value, &'v Value),
    /// `Fn::Equals`.
    Equals(&'v Value, &'v Value),
    /// `Fn::And`.
    And(&'v [Value]),
    /// `Fn::Or`.
    Or(&'v [Value]),
    /// `Fn::Not`.
    Not(&'v Value),
}

/// A part of `Fn::Sub`'s text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece<'v> {
    /// As it stands.
    Text(&'v str),
    /// The inside of `${!…}`, which stands for `${…}`.
    Literal(&'v str),
    /// A variable: a given one, a parameter, a pseudo parameter, a resource, or `Resource.Attribute`.
    Variable(&'v str),
}

const SUPPORTED: &str = "[Fn::Base64, Fn::GetAtt, Fn::GetAZs, Fn::ImportValue, Fn::Join, Fn::Split, Fn::FindInMap, \
                         Fn::Select, Ref, Fn::Equals, Fn::If, Fn::Not, Condition, Fn::And, Fn::Or, Fn::Sub]";

impl<'v> Function<'v> {
    /// The function that a value is, or nothing for a plain one.
    ///
    /// # Errors
    /// AWS's message for an unknown function or one with wrong arguments.
    pub fn of(value: &'v Value) -> Result<Option<Self>, String> {
        let Value::Object(members) = value else { return Ok(None) };
        let mut all = members.iter();
        let (Some((name, argument)), None) = (all.next(), all.next()) else {
            return match members.keys().find(|name| name.starts_with("Fn::")) {
                Some(name) => Err(format!(
                    "Template format error: {name} must be the only member of its object, found beside others in \
                     {value}"
                )),
                None => Ok(None),
            };
        };
        if name != "Ref" && !name.starts_with("Fn::") {
            return Ok(None);
        }
        Self::named(name, argument).map(Some)
    }

    fn named(name: &str, argument: &'v Value) -> Result<Self, String> {
        let list = argument.as_array().map(Vec::as_slice);
        Ok(match name {
            "Ref" => Self::Ref(argument.as_str().ok_or_else(|| {
                "Template validation error: Every Ref must be a string (the logical id of a resource or the name of a \
                 parameter)"
                    .to_owned()
            })?),
            "Fn::GetAtt" => match (argument, list) {
                (_, Some([Value::String(resource), Value::String(attribute)])) => {
                    Self::GetAtt(resource, attribute)
                }
                (Value::String(both), _) => match both.split_once('.') {
                    Some((resource, attribute)) => Self::GetAtt(resource, attribute),
                    None => return Err(GET_ATT.to_owned()),
                },
                _ => return Err(GET_ATT.to_owned()),
            },
            "Fn::Sub" => match (argument, list) {
                (Value::String(text), _) => Self::Sub(pieces(text)?, None),
                (_, Some([Value::String(text), Value::Object(variables)])) => {
                    Self::Sub(pieces(text)?, Some(variables))
                }
                _ => {
                    return Err("Template error: One or more Fn::Sub intrinsic functions don't specify expected \
                                arguments. Specify a string as first argument, and an optional second argument to \
                                specify a mapping of values to replace in the string"
                        .to_owned());
                }
            },
            "Fn::Join" => match list {
                Some([Value::String(delimiter), items @ (Value::Array(_) | Value::Object(_))]) => {
                    Self::Join(delimiter, items)
                }
                _ => {
                    return Err("Template error: every Fn::Join object requires two parameters, (1) a string \
                                delimiter and (2) a list of strings to be joined or a function that returns a list \
                                of strings (such as Fn::GetAZs) to be joined."
                        .to_owned());
                }
            },
            "Fn::Select" => match list {
                Some([index, items]) => Self::Select(index, items),
                _ => {
                    return Err("Template error: Fn::Select requires a list argument with two elements: an integer \
                                index and a list"
                        .to_owned());
                }
            },
            "Fn::Split" => match list {
                Some([Value::String(delimiter), text]) if !delimiter.is_empty() => Self::Split(delimiter, text),
                _ => {
                    return Err("Template error: every Fn::Split object requires two parameters, (1) a string \
                                delimiter and (2) a string to be split or a function that returns a string to be \
                                split."
                        .to_owned());
                }
            },
            "Fn::FindInMap" => match list {
                Some([map, first, second]) => Self::FindInMap(map, first, second),
                _ => {
                    return Err("Template error: every Fn::FindInMap object requires three parameters, the map name, \
                                map key and the attribute for return value"
                        .to_owned());
                }
            },
            "Fn::Base64" => Self::Base64(argument),
            "Fn::ImportValue" => Self::ImportValue(argument),
            "Fn::GetAZs" => Self::GetAZs(argument),
            "Fn::If" => match list {
                Some([Value::String(condition), then, other]) => Self::If(condition, then, other),
                _ => return Err("Template error: Fn::If requires a list argument with three elements".to_owned()),
            },
            "Fn::Equals" => match list {
                Some([left, right]) => Self::Equals(left, right),
                _ => {
                    return Err("Template error: every Fn::Equals object requires a list of 2 string parameters."
                        .to_owned());
                }
            },
            "Fn::Not" => match list {
                Some([one]) => Self::Not(one),
                _ => return Err("Template error: every Fn::Not object requires one boolean parameter.".to_owned()),
            },
            "Fn::And" | "Fn::Or" => match list {
                Some(all) if (2..=10).contains(&all.len()) && name == "Fn::And" => Self::And(all),
                Some(all) if (2..=10).contains(&all.len()) => Self::Or(all),
                _ => {
                    return Err(format!(
                        "Template error: every {name} object requires a list of at least 2 and at most 10 boolean \
                         parameters."
                    ));
                }
            },
            _ => {
                return Err(format!(
                    "Template validation error: Encountered unsupported function: {name} Supported functions are: \
                     {SUPPORTED}"
                ));
            }
        })
    }

    /// The values among its arguments that are evaluated before it.
    #[must_use]
    pub fn arguments(&self) -> Vec<&'v Value> {
        match self {
            Self::Ref(_) | Self::GetAtt(..) => Vec::new(),
            Self::Sub(_, variables) => variables.iter().flat_map(|v| v.values()).collect(),
            Self::Join(_, one)
            | Self::Split(_, one)
            | Self::Base64(one)
            | Self::ImportValue(one)
            | Self::GetAZs(one)
            | Self::Not(one) => vec![one],
            Self::Select(a, b) | Self::If(_, a, b) | Self::Equals(a, b) => vec![a, b],
            Self::FindInMap(a, b, c) => vec![a, b, c],
            Self::And(all) | Self::Or(all) => all.iter().collect(),
        }
    }
}

const GET_ATT: &str = "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and \
                       the resource attribute";

fn pieces(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start..].find('}') else { break };
        if start > 0 {
            pieces.push(Piece::Text(&rest[..start]));
        }
        let inside = &rest[start + 2..start + length];
        rest = &rest[start + length + 1..];
        if let Some(literal) = inside.strip_prefix('!') {
            pieces.push(Piece::Literal(literal));
            continue;
        }
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':');
        if inside.is_empty() || !inside.chars().all(fits) {
            return Err("Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, \
                        underscores, periods, and colons"
                .to_owned());
        }
        pieces.push(Piece::Variable(inside));
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    Ok(pieces)
}
