//! The rules of Choice states, operator by operator.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::Rule;
use crate::failure::Fault;
use crate::path::tests::context;
use crate::problems::Problems;

fn holds(rule: Value, input: &Value) -> Result<bool, Fault> {
    let mut problems = Problems::default();
    let rule = Rule::parse(&rule, "/r", false, &mut problems);
    assert!(problems.is_empty(), "{problems}");
    rule.unwrap().holds(input, &context())
}

#[test]
fn every_operator_compares_as_the_language_says() {
    let input = json!({
        "s": "m", "n": 5, "f": 5.0, "b": true, "z": null, "t": "2024-06-01T00:00:00Z",
        "t2": "2024-06-01T02:00:00+02:00", "s2": "m", "b2": false, "log": "zebra-*.log"
    });
    let rows = [
        ("$.s", "StringEquals", json!("m"), true),
        ("$.s", "StringEquals", json!("n"), false),
        ("$.n", "StringEquals", json!("5"), false),
        ("$.s", "StringLessThan", json!("n"), true),
        ("$.s", "StringLessThan", json!("m"), false),
        ("$.s", "StringLessThanEquals", json!("m"), true),
        ("$.s", "StringGreaterThan", json!("l"), true),
        ("$.s", "StringGreaterThanEquals", json!("n"), false),
        ("$.s", "StringEqualsPath", json!("$.s2"), true),
        ("$.s", "StringLessThanPath", json!("$.t"), false),
        ("$.s", "StringLessThanEqualsPath", json!("$.s2"), true),
        ("$.s", "StringGreaterThanPath", json!("$.t"), true),
        ("$.s", "StringGreaterThanEqualsPath", json!("$.s2"), true),
        ("$.log", "StringMatches", json!("zebra-*.log"), true),
        ("$.log", "StringMatches", json!("*.log"), true),
        ("$.log", "StringMatches", json!("zebra-\\*.log"), true),
        ("$.log", "StringMatches", json!("*-\\*"), false),
        ("$.n", "StringMatches", json!("*"), false),
        ("$.n", "NumericEquals", json!(5), true),
        ("$.n", "NumericEquals", json!(5.0), true),
        ("$.s", "NumericEquals", json!(5), false),
        ("$.n", "NumericLessThan", json!(5.5), true),
        ("$.n", "NumericLessThanEquals", json!(5), true),
        ("$.n", "NumericGreaterThan", json!(5), false),
        ("$.n", "NumericGreaterThanEquals", json!(5), true),
        ("$.n", "NumericEqualsPath", json!("$.f"), true),
        ("$.n", "NumericLessThanPath", json!("$.f"), false),
        ("$.n", "NumericLessThanEqualsPath", json!("$.f"), true),
        ("$.n", "NumericGreaterThanPath", json!("$.f"), false),
        ("$.n", "NumericGreaterThanEqualsPath", json!("$.f"), true),
        ("$.b", "BooleanEquals", json!(true), true),
        ("$.b", "BooleanEquals", json!(false), false),
        ("$.s", "BooleanEquals", json!(true), false),
        ("$.b", "BooleanEqualsPath", json!("$.b2"), false),
        ("$.t", "TimestampEquals", json!("2024-06-01T00:00:00Z"), true),
        ("$.t", "TimestampEqualsPath", json!("$.t2"), true),
        ("$.t", "TimestampLessThan", json!("2024-06-01T00:00:00.5Z"), true),
        ("$.t", "TimestampLessThanEquals", json!("2024-05-31T00:00:00Z"), false),
        ("$.t", "TimestampGreaterThan", json!("2024-05-31T00:00:00Z"), true),
        ("$.t", "TimestampGreaterThanEquals", json!("2024-06-01T00:00:00Z"), true),
        ("$.t", "TimestampLessThanPath", json!("$.t2"), false),
        ("$.t", "TimestampLessThanEqualsPath", json!("$.t2"), true),
        ("$.t", "TimestampGreaterThanPath", json!("$.t2"), false),
        ("$.t", "TimestampGreaterThanEqualsPath", json!("$.t2"), true),
        ("$.s", "TimestampEquals", json!("2024-06-01T00:00:00Z"), false),
        ("$.s", "IsPresent", json!(true), true),
        ("$.none", "IsPresent", json!(true), false),
        ("$.none", "IsPresent", json!(false), true),
        ("$.z", "IsPresent", json!(true), true),
        ("$.z", "IsNull", json!(true), true),
        ("$.s", "IsNull", json!(true), false),
        ("$.n", "IsNumeric", json!(true), true),
        ("$.s", "IsNumeric", json!(false), true),
        ("$.s", "IsString", json!(true), true),
        ("$.b", "IsBoolean", json!(true), true),
        ("$.t", "IsTimestamp", json!(true), true),
        ("$.s", "IsTimestamp", json!(true), false),
        ("$$.State.Name", "StringEquals", json!("S"), true),
    ];
    for (variable, operator, operand, expected) in rows {
        let rule = json!({"Variable": variable, operator: operand});
        assert_eq!(holds(rule.clone(), &input), Ok(expected), "{rule}");
    }
}

#[test]
fn combinations_stop_at_what_decides() {
    let is = |n: i64| json!({"Variable": "$.n", "NumericEquals": n});
    let missing = json!({"Variable": "$.none", "NumericEquals": 1});
    let input = json!({"n": 1});
    assert_eq!(holds(json!({"And": [is(1), is(1)]}), &input), Ok(true));
    assert_eq!(holds(json!({"And": [is(2), missing]}), &input), Ok(false));
    assert_eq!(holds(json!({"Or": [is(1), missing]}), &input), Ok(true));
    assert_eq!(holds(json!({"Or": [is(2), is(3)]}), &input), Ok(false));
    assert_eq!(holds(json!({"Not": {"And": [is(1), {"Not": is(2)}]}}), &input), Ok(false));
}

#[test]
fn a_variable_that_is_not_there_fails_as_on_aws() {
    for rule in [
        json!({"Variable": "$.none", "IsNull": true}),
        json!({"Variable": "$.n", "NumericEqualsPath": "$.none"}),
    ] {
        assert_eq!(
            holds(rule, &json!({"n": 1})),
            Err(Fault::runtime(
                "Invalid path '$.none': The choice state's condition path references an invalid value."
            ))
        );
    }
}

#[test]
fn malformed_rules_are_reported_where_they_are() {
    for (rule, words) in [
        (json!(3), "must be an object"),
        (json!({"Variable": "$.a"}), "exactly one comparison operator, not []"),
        (json!({"Variable": "$.a", "IsNull": true, "IsString": true}), "[IsNull, IsString]"),
        (json!({"IsNull": true}), "[Variable]"),
        (json!({"Variable": "a", "IsNull": true}), "not a valid JSONPath"),
        (json!({"Variable": "$.a", "IsNull": 1}), "Boolean at /r/IsNull"),
        (json!({"Variable": "$.a", "Equals": 1}), "Field 'Equals' is not supported"),
        (json!({"Variable": "$.a", "BooleanLessThan": true}), "'BooleanLessThan'"),
        (json!({"Variable": "$.a", "StringEquals": 1}), "type String"),
        (json!({"Variable": "$.a", "NumericEquals": "1"}), "type Number"),
        (json!({"Variable": "$.a", "TimestampEquals": "2024-06-01"}), "type Timestamp"),
        (json!({"Variable": "$.a", "StringEqualsPath": "x"}), "at /r/StringEqualsPath"),
        (json!({"And": []}), "non-empty array"),
        (json!({"And": [{"Variable": "$.a", "Next": "B", "IsNull": true}]}), "[IsNull, Next]"),
        (json!({"Variable": "$.a", "Not": {"Variable": "$.a"}}), "at /r/Not"),
    ] {
        let mut problems = Problems::default();
        Rule::parse(&rule, "/r", false, &mut problems);
        let text = problems.to_string();
        assert!(text.contains(words), "{rule}: {text}");
    }
}

proptest! {
    #[test]
    fn patterns_match_as_a_regular_expression_would(text in "[ab]{0,8}", pattern in "[ab*]{0,6}") {
        fn slow(text: &[u8], pattern: &[u8]) -> bool {
            match pattern.split_first() {
                None => text.is_empty(),
                Some((b'*', rest)) => (0..=text.len()).any(|at| slow(&text[at..], rest)),
                Some((c, rest)) => text.first() == Some(c) && slow(&text[1..], rest),
            }
        }
        prop_assert_eq!(super::pattern(&pattern).unwrap().is_match(&text), slow(text.as_bytes(), pattern.as_bytes()));
    }
}
