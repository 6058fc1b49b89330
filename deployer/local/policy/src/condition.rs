//! Conditions of statements: operators over the keys of a request.

use std::net::IpAddr;

use serde_json::Value;

use crate::context::Context;
use crate::pattern::Pattern;
use crate::wildcard::Wildcard;

/// One operator over one key.
#[derive(Debug)]
pub struct Condition {
    set: Set,
    if_exists: bool,
    operator: Operator,
    negated: bool,
    key: String,
    expected: Vec<(String, Pattern)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Set {
    Single,
    All,
    Any,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Text,
    TextIgnoringCase,
    Like,
    Arn,
    Bool,
    Null,
    Number(Order),
    Date(Order),
    Ip,
    Binary,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Equal,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

impl Condition {
    /// Reads the `Condition` element.
    ///
    /// # Errors
    /// What is wrong with it, starting with `.Condition`.
    pub fn parse_all(element: Option<&Value>, variables: bool) -> Result<Vec<Self>, String> {
        let Some(element) = element else { return Ok(Vec::new()) };
        let operators = element.as_object().ok_or(".Condition must be an object")?;
        let mut conditions = Vec::new();
        for (name, keys) in operators {
            let keys =
                keys.as_object().ok_or_else(|| format!(".Condition.{name} must be an object of keys"))?;
            for (key, value) in keys {
                let expected = scalars(value)
                    .ok_or_else(|| format!(".Condition.{name}.{key} must be a value or a list of values"))?;
                conditions.push(Self::parse(name, key, expected, variables)?);
            }
        }
        Ok(conditions)
    }

    fn parse(name: &str, key: &str, expected: Vec<String>, variables: bool) -> Result<Self, String> {
        let (set, rest) = match name.split_once(':') {
            Some(("ForAllValues", rest)) => (Set::All, rest),
            Some(("ForAnyValue", rest)) => (Set::Any, rest),
            _ => (Set::Single, name),
        };
        let (rest, if_exists) = match rest.strip_suffix("IfExists") {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let (operator, negated) = operator(rest)
            .filter(|(operator, _)| *operator != Operator::Null || (!if_exists && set == Set::Single))
            .ok_or_else(|| format!(".Condition.{name} is not a condition operator"))?;
        let wrong = |value: &String| match operator {
            Operator::Number(_) => value.parse::<f64>().is_err(),
            Operator::Date(_) => date(value).is_none(),
            Operator::Ip => network(value).is_none(),
            Operator::Bool | Operator::Null => value != "true" && value != "false",
            _ => false,
        };
        if let Some(value) = expected.iter().find(|v| wrong(v)) {
            return Err(format!(".Condition.{name}.{key} does not take \"{value}\""));
        }
        let expected = expected.into_iter().map(|v| (v.clone(), Pattern::new(&v, variables))).collect();
        Ok(Self { set, if_exists, operator, negated, key: key.to_owned(), expected })
    }

    /// Whether the condition holds for a request.
    #[must_use]
    pub fn holds(&self, context: &Context<'_>) -> bool {
        let values = context.values(&self.key);
        if self.operator == Operator::Null {
            return self.expected.iter().any(|(expected, _)| (expected == "true") == values.is_empty());
        }
        let one = |value: &&str| {
            self.expected.iter().any(|expected| self.operator.compares(value, expected, context))
                != self.negated
        };
        match self.set {
            Set::All => values.iter().all(one),
            Set::Any | Set::Single if values.is_empty() => {
                self.if_exists || (self.negated && self.set == Set::Single)
            }
            Set::Any => values.iter().any(one),
            // A negated operator on a key of several values means none of them.
            Set::Single if self.negated => values.iter().all(one),
            Set::Single => values.iter().any(one),
        }
    }
}

impl Operator {
    fn compares(self, value: &str, (text, pattern): &(String, Pattern), context: &Context<'_>) -> bool {
        match self {
            Self::Text | Self::Bool => pattern.literal(context).as_deref() == Some(value),
            Self::TextIgnoringCase => pattern.literal(context).is_some_and(|p| p.eq_ignore_ascii_case(value)),
            Self::Like => pattern.matches(value, context),
            Self::Arn => pattern.literal(context).is_some_and(|p| arn_like(&p, value)),
            Self::Number(order) => order.holds(value.parse::<f64>().ok(), text.parse::<f64>().ok()),
            Self::Date(order) => order.holds(date(value), date(text)),
            Self::Ip => value.parse().is_ok_and(|ip| network(text).is_some_and(|n| within(ip, n))),
            Self::Binary => text == value,
            Self::Null => false,
        }
    }
}

impl Order {
    fn holds<T: PartialOrd>(self, left: Option<T>, right: Option<T>) -> bool {
        let (Some(left), Some(right)) = (left, right) else { return false };
        match self {
            Self::Equal => left == right,
            Self::Less => left < right,
            Self::LessEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterEqual => left >= right,
        }
    }
}

fn operator(name: &str) -> Option<(Operator, bool)> {
    let order = |rest: &str| {
        Some(match rest {
            "Equals" => (Order::Equal, false),
            "NotEquals" => (Order::Equal, true),
            "LessThan" => (Order::Less, false),
            "LessThanEquals" => (Order::LessEqual, false),
            "GreaterThan" => (Order::Greater, false),
            "GreaterThanEquals" => (Order::GreaterEqual, false),
            _ => return None,
        })
    };
    Some(match name {
        "StringEquals" => (Operator::Text, false),
        "StringNotEquals" => (Operator::Text, true),
        "StringEqualsIgnoreCase" => (Operator::TextIgnoringCase, false),
        "StringNotEqualsIgnoreCase" => (Operator::TextIgnoringCase, true),
        "StringLike" => (Operator::Like, false),
        "StringNotLike" => (Operator::Like, true),
        "ArnEquals" | "ArnLike" => (Operator::Arn, false),
        "ArnNotEquals" | "ArnNotLike" => (Operator::Arn, true),
        "Bool" => (Operator::Bool, false),
        "Null" => (Operator::Null, false),
        "IpAddress" => (Operator::Ip, false),
        "NotIpAddress" => (Operator::Ip, true),
        "BinaryEquals" => (Operator::Binary, false),
        _ => {
            if let Some(rest) = name.strip_prefix("Numeric") {
                let (order, negated) = order(rest)?;
                return Some((Operator::Number(order), negated));
            }
            let (order, negated) = order(name.strip_prefix("Date")?)?;
            (Operator::Date(order), negated)
        }
    })
}

/// Each of an ARN's six parts by itself: a `*` does not reach across the first five colons.
fn arn_like(pattern: &str, value: &str) -> bool {
    let (pattern, value) = (pattern.splitn(6, ':'), value.splitn(6, ':'));
    let (pattern, value): (Vec<_>, Vec<_>) = (pattern.collect(), value.collect());
    pattern.len() == value.len() && pattern.iter().zip(value).all(|(p, v)| Wildcard::new(p).matches(v))
}

/// Milliseconds since the epoch of an ISO 8601 time, or of a number of seconds.
fn date(text: &str) -> Option<i64> {
    let seconds = || text.parse::<i64>().ok().and_then(|s| s.checked_mul(1000));
    let day = || format!("{text}T00:00:00Z").parse::<jiff::Timestamp>().ok();
    let time = text.parse::<jiff::Timestamp>().ok().or_else(day);
    seconds().or_else(|| time.map(jiff::Timestamp::as_millisecond))
}

fn network(text: &str) -> Option<(IpAddr, u32)> {
    let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.map_or(Some(most), |b| b.parse().ok())?;
    (bits <= most).then_some((address, bits))
}

fn within(ip: IpAddr, (network, bits): (IpAddr, u32)) -> bool {
    match (ip, network) {
        (IpAddr::V4(ip), IpAddr::V4(network)) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            ip.to_bits() & mask == network.to_bits() & mask
        }
        (IpAddr::V6(ip), IpAddr::V6(network)) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            ip.to_bits() & mask == network.to_bits() & mask
        }
        _ => false,
    }
}

fn scalars(value: &Value) -> Option<Vec<String>> {
    let scalar = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    };
    match value {
        Value::Array(list) => list.iter().map(scalar).collect(),
        other => Some(vec![scalar(other)?]),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(condition: Value, context: &[(&str, &str)]) -> bool {
        let conditions = Condition::parse_all(Some(&condition), true).unwrap();
        conditions.iter().all(|c| c.holds(&Context::new(context)))
    }

    #[test]
    fn operators_compare() {
        let arn = [("aws:SourceArn", "arn:aws:states:us-east-1:1:stateMachine:m")];
        let table = [
            (json!({"StringEquals": {"k": ["a", "b"]}}), "b", "c"),
            (json!({"StringNotEquals": {"k": ["a", "b"]}}), "c", "b"),
            (json!({"StringEqualsIgnoreCase": {"k": "A"}}), "a", "b"),
            (json!({"StringLike": {"k": "a*"}}), "abc", "b"),
            (json!({"StringNotLike": {"k": "a*"}}), "b", "abc"),
            (json!({"Bool": {"k": true}}), "true", "false"),
            (json!({"NumericLessThanEquals": {"k": 10}}), "10", "10.5"),
            (json!({"NumericNotEquals": {"k": "1"}}), "2", "1.0"),
            (json!({"DateGreaterThan": {"k": "2024-01-01"}}), "2024-01-01T00:00:01Z", "2023-12-31T23:00:00Z"),
            (json!({"IpAddress": {"k": "127.0.0.0/8"}}), "127.1.2.3", "128.0.0.1"),
            (json!({"NotIpAddress": {"k": "::/0"}}), "10.0.0.1", "::1"),
        ];
        for (condition, yes, no) in table {
            assert!(holds(condition.clone(), &[("K", yes)]), "{condition} holds for {yes}");
            assert!(!holds(condition.clone(), &[("k", no)]), "{condition} does not hold for {no}");
        }
        assert!(holds(json!({"ArnLike": {"aws:SourceArn": "arn:aws:states:*:*:stateMachine:*"}}), &arn));
        assert!(!holds(json!({"ArnLike": {"aws:SourceArn": "arn:aws:*:stateMachine:*"}}), &arn));
        assert!(!holds(json!({"ArnNotEquals": {"aws:SourceArn": arn[0].1}}), &arn));
    }

    #[test]
    fn a_missing_key_holds_only_where_that_is_meant() {
        assert!(!holds(json!({"StringEquals": {"k": "a"}}), &[]));
        assert!(holds(json!({"StringEqualsIfExists": {"k": "a"}}), &[]));
        assert!(!holds(json!({"StringEqualsIfExists": {"k": "a"}}), &[("k", "b")]));
        assert!(holds(json!({"StringNotEquals": {"k": "a"}}), &[]));
        assert!(holds(json!({"Null": {"k": "true"}}), &[]));
        assert!(!holds(json!({"Null": {"k": "false"}}), &[]));
        assert!(holds(json!({"ForAllValues:StringEquals": {"k": "a"}}), &[]));
        assert!(!holds(json!({"ForAnyValue:StringEquals": {"k": "a"}}), &[]));
    }

    #[test]
    fn sets_are_compared_value_by_value() {
        let tags = [("aws:TagKeys", "a"), ("aws:TagKeys", "b")];
        assert!(holds(json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b", "c"]}}), &tags));
        assert!(!holds(json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}), &tags));
        assert!(holds(json!({"ForAnyValue:StringEquals": {"aws:TagKeys": ["a"]}}), &tags));
    }

    #[test]
    fn what_is_no_condition_is_refused_by_name() {
        for (condition, word) in [
            (json!({"StringIs": {"k": "a"}}), "StringIs"),
            (json!({"NullIfExists": {"k": "true"}}), "NullIfExists"),
            (json!({"NumericEquals": {"k": "x"}}), "\"x\""),
            (json!({"IpAddress": {"k": "1.2.3.4/40"}}), "1.2.3.4/40"),
            (json!({"Bool": {"k": {"a": 1}}}), "Bool.k"),
            (json!([]), "Condition"),
        ] {
            let error = Condition::parse_all(Some(&condition), true).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
