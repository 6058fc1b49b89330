//! Which payload goes with which invocation.

use proptest::prelude::*;
use serde_json::{Value, json};
use tuning::payload::{Plan, PlanError, misspelt, replacement};

fn sent(payload: &Value, num: u32) -> Vec<String> {
    let plan = Plan::new(Some(payload), num).unwrap();
    (0..num).map(|index| plan.payload(index).to_owned()).collect()
}

#[test]
fn without_a_payload_null_is_sent() {
    let plan = Plan::new(None, 5).unwrap();
    assert_eq!(plan.payload(0), "null");
    assert_eq!(plan.payload(4), "null");
    assert_eq!(plan.invocations(), 5);
}

#[test]
fn a_string_that_is_json_is_sent_as_it_is() {
    assert_eq!(sent(&json!("{\"b\": 1,  \"a\": 2}"), 1), ["{\"b\": 1,  \"a\": 2}"]);
    assert_eq!(sent(&json!("42"), 1), ["42"]);
    assert_eq!(sent(&json!("just a string"), 1), ["\"just a string\""]);
    assert_eq!(sent(&json!(""), 1), ["\"\""]);
}

#[test]
fn an_object_keeps_the_order_of_its_fields() {
    let payload: Value = serde_json::from_str(r#"{"z":1,"a":{"y":2,"b":3}}"#).unwrap();
    assert_eq!(sent(&payload, 1), [r#"{"z":1,"a":{"y":2,"b":3}}"#]);
}

#[test]
fn weights_are_relative_and_the_last_takes_the_remainder() {
    let weighted = |weights: &[f64]| -> Value {
        weights.iter().enumerate().map(|(i, weight)| json!({"payload": {"p": i}, "weight": weight})).collect()
    };
    let shares = |weights: &[f64], num| Plan::new(Some(&weighted(weights)), num).unwrap().shares();
    assert_eq!(shares(&[60.0, 40.0], 10), [6, 4]);
    assert_eq!(shares(&[1.0, 1.0, 1.0], 10), [3, 3, 4]);
    assert_eq!(shares(&[20.0, 5.0, 29.0], 50), [18, 4, 28]);
    assert_eq!(shares(&[0.5, 0.5], 5), [2, 3]);
    assert_eq!(
        sent(&weighted(&[1.0, 1.0]), 5),
        ["{\"p\":0}", "{\"p\":0}", "{\"p\":1}", "{\"p\":1}", "{\"p\":1}"]
    );
}

#[test]
fn weighted_payloads_are_sent_by_the_same_rules_as_others() {
    let payload = json!([{"payload": "{\"a\":1}", "weight": 1}, {"payload": "text", "weight": 1}, {"payload": null, "weight": 1}]);
    assert_eq!(sent(&payload, 3), ["{\"a\":1}", "\"text\"", "null"]);
}

#[test]
fn any_other_list_is_an_ordinary_payload() {
    for payload in [
        json!([]),
        json!([1, 2, {"x": 3}]),
        json!([{"payload": 1, "weight": 1}, {"payload": 2}]),
        json!([{"weight": 1}]),
    ] {
        assert_eq!(sent(&payload, 2), [payload.to_string(), payload.to_string()]);
    }
}

#[test]
fn weights_that_cannot_be_met_are_explained() {
    let plan = |payload: Value, num| Plan::new(Some(&payload), num).unwrap_err();
    let too_few = plan(json!([{"payload": 1, "weight": 1}, {"payload": 2, "weight": 1}]), 1);
    assert_eq!(too_few, PlanError::TooFew { payloads: 2, num: 1 });
    assert!(too_few.to_string().contains("increase \"num\""));

    let no_share = plan(json!([{"payload": "secret", "weight": 99}, {"payload": 2, "weight": 1}]), 10);
    assert!(
        no_share.to_string().contains("element 1") && no_share.to_string().contains("\"num\" to 100"),
        "{no_share}"
    );
    assert!(!no_share.to_string().contains("secret"));

    for weight in [json!(0), json!(-1), json!("heavy"), json!(null), json!(true)] {
        let error = plan(json!([{"payload": 1, "weight": weight}]), 10);
        assert!(matches!(error, PlanError::Weight { index: 0, .. }), "{weight}: {error}");
    }
}

#[test]
fn a_list_that_is_nearly_weighted_is_noticed() {
    let said = |payload: Value| misspelt(&payload).map(|misspelt| misspelt.to_string());
    let slip = said(json!([{"payload": "secret", "weight": 1}, {"payload": "secret", "wieght": 2}])).unwrap();
    assert!(slip.starts_with("element 1 has no \"weight\" (did you mean it by \"wieght\"?): "), "{slip}");
    assert!(!slip.contains("secret"));
    let absent = said(json!([{"weight": 1}])).unwrap();
    assert!(absent.starts_with("element 0 has no \"payload\": "), "{absent}");
    assert!(said(json!([1, {"payload": 1, "weight": 1}])).unwrap().starts_with("element 0 "));
    for right in [json!([{"payload": 1, "weight": 1}]), json!([{"a": 1}]), json!([]), json!({"payload": 1})] {
        assert_eq!(said(right.clone()), None, "{right}");
    }
}

#[test]
fn an_object_in_s3_is_sent_byte_for_byte() {
    let first = |content: &str| Plan::from_object(content, 5).unwrap().payload(0).to_owned();
    assert_eq!(
        first("{ \"b\": 1.0, \"a\": 12345678901234567890123 }"),
        "{ \"b\": 1.0, \"a\": 12345678901234567890123 }"
    );
    assert_eq!(first("[1, 2]"), "[1, 2]");
    assert_eq!(first("plain text"), "\"plain text\"");
    assert_eq!(first("\"plain text\""), "\"plain text\"");
    assert_eq!(first("\"{\\\"a\\\":1}\""), "{\"a\":1}");
    let weighted =
        Plan::from_object(r#"[{"payload":{"a":1},"weight":1},{"payload":{"a":2},"weight":4}]"#, 5).unwrap();
    assert_eq!(weighted.shares(), [1, 4]);
    assert!(Plan::from_object(r#"[{"payload":1,"weight":0}]"#, 5).is_err());
}

#[test]
fn only_a_pre_processor_that_answers_something_replaces_the_payload() {
    assert_eq!(replacement(b""), None);
    assert_eq!(replacement(b"null"), None);
    assert_eq!(replacement(b" null\n"), None);
    assert_eq!(replacement(b"\"\""), None);
    assert_eq!(replacement(b"{\"a\": 1}").as_deref(), Some("{\"a\": 1}"));
    assert_eq!(replacement(b"0").as_deref(), Some("0"));
}

proptest! {
    #[test]
    fn shares_sum_to_num_and_none_is_empty(weights in prop::collection::vec(0.001f64..1000.0, 1..20), num in 1u32..2000) {
        let payload: Value = weights.iter().map(|weight| json!({"payload": 1, "weight": weight})).collect();
        let total: f64 = weights.iter().sum();
        match Plan::new(Some(&payload), num) {
            Ok(plan) => {
                let shares = plan.shares();
                prop_assert_eq!(shares.iter().sum::<u32>(), num);
                prop_assert!(shares.iter().all(|share| *share >= 1));
                for (share, weight) in shares.iter().zip(&weights).take(weights.len() - 1) {
                    prop_assert_eq!(*share, (weight * f64::from(num) / total).floor() as u32);
                }
            }
            Err(PlanError::TooFew { .. }) => prop_assert!((num as usize) < weights.len()),
            Err(PlanError::NoShare { weight, .. }) => prop_assert!(weight * f64::from(num) / total < 1.0),
            Err(other) => prop_assert!(false, "{}", other),
        }
    }

    #[test]
    fn the_number_that_is_said_to_do_does(weights in prop::collection::vec(1u32..50, 2..6)) {
        let payload: Value = weights.iter().map(|weight| json!({"payload": 1, "weight": weight})).collect();
        if let Err(PlanError::NoShare { index, needed, .. }) = Plan::new(Some(&payload), weights.len() as u32) {
            let again = Plan::new(Some(&payload), needed as u32);
            let same = matches!(again, Err(PlanError::NoShare { index: i, .. }) if i == index);
            prop_assert!(!same);
        }
    }

    #[test]
    fn any_content_is_planned(content in ".{0,100}", num in 0u32..10) {
        if let Ok(plan) = Plan::from_object(&content, num) {
            prop_assert!(serde_json::from_str::<Value>(plan.payload(num)).is_ok());
        }
    }
}
