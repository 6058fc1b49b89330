//! Event patterns: what an event must look like, field by field.

use serde_json::{Map, Value};

/// How deep a pattern and an event are followed.
const DEEPEST: usize = 32;

/// An event pattern.
#[derive(Debug)]
pub struct Pattern(Vec<(String, Field)>);

/// What a field must be.
#[derive(Debug)]
enum Field {
    /// One of these values.
    Leaf(Vec<Value>),
    /// An object whose fields must be so.
    Below(Pattern),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it and where.
    pub fn parse(pattern: &Value) -> Result<Self, String> {
        let object = pattern.as_object().ok_or("Filter is not an object")?;
        Self::below(object, "", 0)
    }

    fn below(object: &Map<String, Value>, path: &str, depth: usize) -> Result<Self, String> {
        if depth > DEEPEST {
            return Err(format!("{path} is nested too deeply"));
        }
        if object.is_empty() {
            return Err("Empty objects are not allowed".to_owned());
        }
        let field = |(name, value): (&String, &Value)| {
            let here = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            if name.starts_with('$') {
                return Err(format!("the local endpoint does not know {here}"));
            }
            let field = match value {
                Value::Array(values) if !values.is_empty() => {
                    if let Some(other) = values.iter().find(|value| value.is_object() || value.is_array()) {
                        return Err(format!(
                            "{here}: the local endpoint compares whole values only, such as \"ABORTED\"; it does not know {other}"
                        ));
                    }
                    Field::Leaf(values.clone())
                }
                Value::Object(fields) => Field::Below(Self::below(fields, &here, depth + 1)?),
                Value::Array(_) => return Err("Empty arrays are not allowed".to_owned()),
                _ => return Err(format!("\"{name}\" must be an object or an array")),
            };
            Ok((name.clone(), field))
        };
        object.iter().map(field).collect::<Result<_, _>>().map(Self)
    }

    /// Whether an event matches: every field is one of its values, or has one of them in its list.
    #[must_use]
    pub fn matches(&self, event: &Value) -> bool {
        self.0.iter().all(|(name, field)| {
            let found: &[Value] = match event.get(name) {
                None => &[],
                Some(Value::Array(list)) => list.as_slice(),
                Some(one) => std::slice::from_ref(one),
            };
            found.iter().any(|value| match field {
                Field::Leaf(values) => values.iter().any(|expected| equal(expected, value)),
                Field::Below(pattern) => pattern.matches(value),
            })
        })
    }
}

/// Numbers are equal by their value, so `1` is `1.0`.
fn equal(expected: &Value, value: &Value) -> bool {
    match (expected, value) {
        (Value::Number(expected), Value::Number(value)) => expected.as_f64() == value.as_f64(),
        _ => expected == value,
    }
}

#[cfg(test)]
mod tests {
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
    fn values_are_compared_whole() {
        let table = [
            (json!("a"), json!("a"), json!("b")),
            (json!(1), json!(1.0), json!("1")),
            (json!(null), json!(null), json!(false)),
            (json!("a"), json!(["b", "a"]), json!(["b"])),
        ];
        for (expected, yes, no) in table {
            let pattern = json!({"detail": {"x": [expected]}});
            assert!(matches(pattern.clone(), json!({"detail": {"x": yes}})), "{pattern} matches {yes}");
            assert!(!matches(pattern.clone(), json!({"detail": {"x": no}})), "{pattern} does not match {no}");
            assert!(!matches(pattern, json!({"detail": {}})));
        }
        assert!(matches(json!({"a": {"b": [2]}}), json!({"a": [{"b": 1}, {"b": 2}]})));
    }

    #[test]
    fn what_is_no_pattern_is_refused_where_it_is_wrong() {
        for (pattern, word) in [
            (json!({}), "Empty objects are not allowed"),
            (json!(["a"]), "Filter is not an object"),
            (json!({"a": "x"}), "\"a\" must be an object or an array"),
            (json!({"a": {"b": []}}), "Empty arrays are not allowed"),
            (json!({"a": [{"prefix": "x"}]}), "does not know {\"prefix\":\"x\"}"),
            (json!({"$or": [{"a": [1]}]}), "does not know $or"),
            (json!({"a": [[1]]}), "whole values only"),
        ] {
            let error = Pattern::parse(&pattern).unwrap_err();
            assert!(error.contains(word), "{pattern}: {error}");
        }
        let deep = (0..100).fold(json!(["x"]), |below, _| json!({"a": below}));
        assert!(Pattern::parse(&deep).unwrap_err().contains("too deeply"));
    }
}
