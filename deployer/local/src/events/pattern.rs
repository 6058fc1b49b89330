//! Event patterns: what an event must look like, field by field.

use serde_json::{Map, Value};

/// How deep a pattern and an event are followed.
const DEEPEST: usize = 32;

/// An event pattern.
#[derive(Debug)]
pub struct Pattern {
    fields: Fields,
}

/// All fields must match, and one of the alternatives where there are any.
#[derive(Debug)]
struct Fields {
    fields: Vec<(String, Field)>,
    alternatives: Vec<Fields>,
}

#[derive(Debug)]
enum Field {
    /// One of these.
    Leaf(Vec<Test>),
    Below(Fields),
}

#[derive(Debug)]
enum Test {
    Equals(Value),
    Prefix(String),
    PrefixIgnoringCase(String),
    Suffix(String),
    SuffixIgnoringCase(String),
    EqualsIgnoringCase(String),
    Wildcard(String),
    Exists(bool),
    Numeric(Vec<(Order, f64)>),
    /// None of these.
    AnythingBut(Vec<Test>),
}

#[derive(Debug, Clone, Copy)]
enum Order {
    Less,
    LessEqual,
    Equal,
    GreaterEqual,
    Greater,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it and where.
    pub fn parse(pattern: &Value) -> Result<Self, String> {
        let object = pattern.as_object().filter(|object| !object.is_empty());
        let object = object.ok_or("the pattern must be a JSON object with at least one field")?;
        Ok(Self { fields: Fields::parse(object, "", 0)? })
    }

    /// Whether an event matches.
    #[must_use]
    pub fn matches(&self, event: &Value) -> bool {
        self.fields.match_in(&[event])
    }
}

impl Fields {
    fn parse(object: &Map<String, Value>, path: &str, depth: usize) -> Result<Self, String> {
        if depth > DEEPEST {
            return Err(format!("{path} is nested too deeply"));
        }
        let mut parsed = Self { fields: Vec::new(), alternatives: Vec::new() };
        for (name, value) in object {
            let here = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            match value {
                Value::Array(list) if name == "$or" => {
                    for alternative in list {
                        let fields =
                            alternative.as_object().ok_or_else(|| format!("{here} must hold objects"))?;
                        parsed.alternatives.push(Self::parse(fields, path, depth + 1)?);
                    }
                }
                Value::Array(tests) if !tests.is_empty() => {
                    let tests =
                        tests.iter().map(|test| Test::parse(test).map_err(|e| format!("{here}: {e}")));
                    parsed.fields.push((name.clone(), Field::Leaf(tests.collect::<Result<_, _>>()?)));
                }
                Value::Object(below) if !below.is_empty() => {
                    parsed.fields.push((name.clone(), Field::Below(Self::parse(below, &here, depth + 1)?)));
                }
                other => {
                    return Err(format!("{here} must be an object or a list that is not empty, not {other}"));
                }
            }
        }
        Ok(parsed)
    }

    /// Whether the fields match in one of several objects: an event's list of objects stands for each of them.
    fn match_in(&self, values: &[&Value]) -> bool {
        let in_one = |value: &&Value| {
            self.fields.iter().all(|(name, field)| {
                let found = value.get(name);
                let found: Vec<&Value> = match found {
                    None => Vec::new(),
                    Some(Value::Array(list)) => list.iter().collect(),
                    Some(one) => vec![one],
                };
                match field {
                    Field::Leaf(tests) => tests.iter().any(|test| test.holds_in(&found)),
                    Field::Below(fields) => {
                        fields.match_in(if found.is_empty() { &[&Value::Null] } else { &found })
                    }
                }
            }) && (self.alternatives.is_empty()
                || self.alternatives.iter().any(|fields| fields.match_in(&[value])))
        };
        values.iter().any(in_one)
    }
}

impl Test {
    fn parse(test: &Value) -> Result<Self, String> {
        let object = match test {
            Value::Object(object) => object,
            Value::Array(_) => return Err("a list cannot hold a list".to_owned()),
            scalar => return Ok(Self::Equals(scalar.clone())),
        };
        let (Some((operator, value)), 1) = (object.iter().next(), object.len()) else {
            return Err("a comparison has exactly one operator".to_owned());
        };
        let wrong = || format!("{operator} does not take {value}");
        let text = || value.as_str().map(str::to_owned).ok_or_else(wrong);
        let ignoring_case = || value.get("equals-ignore-case").and_then(Value::as_str).map(str::to_lowercase);
        Ok(match operator.as_str() {
            "prefix" => match ignoring_case() {
                Some(text) => Self::PrefixIgnoringCase(text),
                None => Self::Prefix(text()?),
            },
            "suffix" => match ignoring_case() {
                Some(text) => Self::SuffixIgnoringCase(text),
                None => Self::Suffix(text()?),
            },
            "equals-ignore-case" => Self::EqualsIgnoringCase(text()?.to_lowercase()),
            "wildcard" => Self::Wildcard(text()?),
            "exists" => Self::Exists(value.as_bool().ok_or_else(wrong)?),
            "numeric" => Self::Numeric(numeric(value).ok_or_else(wrong)?),
            "anything-but" => Self::AnythingBut(match value {
                Value::Array(list) if !list.is_empty() => {
                    list.iter().map(Self::parse).collect::<Result<_, _>>()?
                }
                Value::Object(inner) => {
                    let (Some((operator, value)), 1) = (inner.iter().next(), inner.len()) else {
                        return Err(wrong());
                    };
                    let each = |value: &Value| Self::parse(&serde_json::json!({operator.as_str(): value}));
                    match value {
                        Value::Array(list) => list.iter().map(each).collect::<Result<_, _>>()?,
                        one => vec![each(one)?],
                    }
                }
                Value::Array(_) => return Err(wrong()),
                scalar => vec![Self::Equals(scalar.clone())],
            }),
            other => return Err(format!("\"{other}\" is not a comparison known here")),
        })
    }

    fn holds_in(&self, values: &[&Value]) -> bool {
        match self {
            Self::Exists(exists) => values.is_empty() != *exists,
            _ => values.iter().any(|value| self.holds(value)),
        }
    }

    fn holds(&self, value: &Value) -> bool {
        let text = value.as_str();
        let is = |holds: &dyn Fn(&str) -> bool| text.is_some_and(holds);
        match self {
            Self::Equals(Value::Number(number)) => value.is_number() && value.as_f64() == number.as_f64(),
            Self::Equals(expected) => value == expected,
            Self::Prefix(prefix) => is(&|text| text.starts_with(prefix)),
            Self::PrefixIgnoringCase(prefix) => is(&|text| text.to_lowercase().starts_with(prefix)),
            Self::Suffix(suffix) => is(&|text| text.ends_with(suffix)),
            Self::SuffixIgnoringCase(suffix) => is(&|text| text.to_lowercase().ends_with(suffix)),
            Self::EqualsIgnoringCase(expected) => is(&|text| text.to_lowercase() == *expected),
            Self::Wildcard(pattern) => is(&|text| starred(pattern, text)),
            Self::Numeric(bounds) => value
                .as_f64()
                .is_some_and(|number| bounds.iter().all(|(order, bound)| order.holds(number, *bound))),
            Self::AnythingBut(tests) => !tests.iter().any(|test| test.holds(value)),
            Self::Exists(exists) => *exists,
        }
    }
}

impl Order {
    fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Less => left < right,
            Self::LessEqual => left <= right,
            Self::Equal => (left - right).abs() < f64::EPSILON,
            Self::GreaterEqual => left >= right,
            Self::Greater => left > right,
        }
    }
}

fn numeric(value: &Value) -> Option<Vec<(Order, f64)>> {
    let list = value.as_array().filter(|list| list.len() == 2 || list.len() == 4)?;
    let bound = |pair: &[Value]| {
        let order = match pair[0].as_str()? {
            "<" => Order::Less,
            "<=" => Order::LessEqual,
            "=" => Order::Equal,
            ">=" => Order::GreaterEqual,
            ">" => Order::Greater,
            _ => return None,
        };
        Some((order, pair[1].as_f64()?))
    };
    list.chunks(2).map(bound).collect()
}

/// Whether a text is the pattern's, in which `*` stands for anything.
fn starred(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*').filter(|part| !part.is_empty()) {
        match text.split_once(part) {
            Some((_, after)) => text = after,
            None => return false,
        }
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn matches(pattern: Value, event: Value) -> bool {
        Pattern::parse(&pattern).unwrap().matches(&event)
    }

    #[test]
    fn an_execution_s_end_is_matched_as_the_stack_s_rule_does() {
        let pattern = json!({
            "source": ["aws.states"],
            "detail-type": ["Step Functions Execution Status Change"],
            "detail": {"status": ["ABORTED", "TIMED_OUT"], "stateMachineArn": ["arn:m"]},
        });
        let event = |status: &str, machine: &str| {
            json!({
                "source": "aws.states",
                "detail-type": "Step Functions Execution Status Change",
                "detail": {"status": status, "stateMachineArn": machine},
            })
        };
        assert!(matches(pattern.clone(), event("ABORTED", "arn:m")));
        assert!(matches(pattern.clone(), event("TIMED_OUT", "arn:m")));
        assert!(!matches(pattern.clone(), event("SUCCEEDED", "arn:m")));
        assert!(!matches(pattern, event("ABORTED", "arn:n")));
    }

    #[test]
    fn comparisons_hold() {
        let table = [
            (json!("a"), json!("a"), json!("b")),
            (json!(1), json!(1.0), json!("1")),
            (json!(null), json!(null), json!(false)),
            (json!({"prefix": "ab"}), json!("abc"), json!("ba")),
            (json!({"prefix": {"equals-ignore-case": "AB"}}), json!("aBc"), json!("ba")),
            (json!({"suffix": ".png"}), json!("a.png"), json!("a.jpg")),
            (json!({"equals-ignore-case": "A"}), json!("a"), json!("b")),
            (json!({"wildcard": "a*c*"}), json!("abcd"), json!("abd")),
            (json!({"numeric": [">", 0, "<=", 5]}), json!(5), json!(0)),
            (json!({"anything-but": ["a", "b"]}), json!("c"), json!("a")),
            (json!({"anything-but": {"prefix": "a"}}), json!("b"), json!("ab")),
            (json!({"exists": true}), json!("x"), json!([])),
            (json!("a"), json!(["b", "a"]), json!(["b"])),
        ];
        for (test, yes, no) in table {
            let pattern = json!({"detail": {"x": [test]}});
            assert!(matches(pattern.clone(), json!({"detail": {"x": yes}})), "{pattern} matches {yes}");
            assert!(!matches(pattern.clone(), json!({"detail": {"x": no}})), "{pattern} does not match {no}");
        }
        assert!(matches(json!({"detail": {"x": [{"exists": false}]}}), json!({"detail": {"y": 1}})));
        assert!(matches(json!({"detail": {"x": {"y": [{"exists": false}]}}}), json!({"detail": {}})));
        assert!(!matches(json!({"detail": {"x": [{"anything-but": "a"}]}}), json!({"detail": {}})));
        assert!(matches(json!({"a": {"b": [2]}}), json!({"a": [{"b": 1}, {"b": 2}]})));
    }

    #[test]
    fn alternatives_are_taken_besides_the_other_fields() {
        let pattern = json!({"s": ["x"], "$or": [{"a": [1]}, {"b": [2]}]});
        assert!(matches(pattern.clone(), json!({"s": "x", "b": 2})));
        assert!(!matches(pattern.clone(), json!({"s": "x", "b": 3})));
        assert!(!matches(pattern, json!({"s": "y", "a": 1})));
    }

    #[test]
    fn what_is_no_pattern_is_refused_where_it_is_wrong() {
        for (pattern, word) in [
            (json!({}), "object"),
            (json!({"a": "x"}), "a must be"),
            (json!({"a": {"b": []}}), "a.b"),
            (json!({"a": [{"prefix": 1}]}), "prefix"),
            (json!({"a": [{"prefix": "x", "suffix": "y"}]}), "exactly one"),
            (json!({"a": [{"like": "x"}]}), "like"),
            (json!({"a": [[1]]}), "list"),
            (json!({"a": [{"numeric": [">"]}]}), "numeric"),
        ] {
            let error = Pattern::parse(&pattern).unwrap_err();
            assert!(error.contains(word), "{pattern}: {error}");
        }
    }

    proptest! {
        #[test]
        fn wildcards_agree_with_the_definition(pattern in "[ab*]{0,7}", text in "[ab]{0,7}") {
            fn defined(p: &[u8], t: &[u8]) -> bool {
                match p.split_first() {
                    None => t.is_empty(),
                    Some((b'*', rest)) => (0..=t.len()).any(|i| defined(rest, &t[i..])),
                    Some((c, rest)) => t.first() == Some(c) && defined(rest, &t[1..]),
                }
            }
            prop_assert_eq!(starred(&pattern, &text), defined(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
