//! Whatever the definition and the input: an answer, never a panic or a hang.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-5..100_i64).prop_map(Value::from),
        (-1e9..1e9_f64).prop_map(Value::from),
        "[a-c]{0,3}".prop_map(Value::from),
        path().prop_map(Value::from),
        Just(json!("2026-11-24T10:01:00Z")),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-c](\\.\\$)?", inner, 0..4)
                .prop_map(|map| map.into_iter().collect()),
        ]
    })
}

fn path() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("$".to_owned()),
        "\\$(\\.[a-c]|\\[[0-2]\\]){0,2}",
        Just("$..a".to_owned()),
        Just("$.a[*].b".to_owned()),
        Just("$$.Map.Item.Value".to_owned()),
        Just("$$.State.RetryCount".to_owned()),
    ]
}

fn template() -> impl Strategy<Value = Value> {
    let computed = prop_oneof![
        path(),
        Just("States.Format('{}', $.a)".to_owned()),
        Just("States.ArrayPartition($.b, $.c)".to_owned()),
        Just("States.Array($, $$.State.Name)".to_owned()),
    ];
    (computed, 0..9_u32).prop_map(|(computed, plain)| json!({"a.$": computed, "b": [plain, {"c.$": "$"}]}))
}

/// A value for a field: mostly of its kind, now and then anything.
fn value(field: &'static str) -> BoxedStrategy<Value> {
    let fitting = match field {
        "InputPath" | "OutputPath" => prop_oneof![Just(Value::Null), path().prop_map(Value::from)].boxed(),
        "ResultPath" => {
            prop::sample::select(vec![json!(null), json!("$"), json!("$.a"), json!("$.a.b"), json!("$.b[0]")])
                .boxed()
        }
        "Parameters" | "ItemSelector" | "ResultSelector" => template().boxed(),
        "Result" => document().boxed(),
        "Retry" => Just(json!([{"ErrorEquals": ["States.ALL"], "MaxAttempts": 2}])).boxed(),
        "Catch" => Just(json!([{"ErrorEquals": ["States.ALL"], "ResultPath": "$.b", "Next": "E"}])).boxed(),
        "MaxConcurrency" | "TimeoutSeconds" | "Seconds" => (1..9_u64).prop_map(Value::from).boxed(),
        _ => path().prop_map(Value::from).boxed(),
    };
    prop_oneof![12 => fitting, 1 => document()].boxed()
}

fn state() -> impl Strategy<Value = Value> {
    let kinds = prop::sample::select(vec![
        (
            "Task",
            vec![
                "InputPath",
                "OutputPath",
                "ResultPath",
                "Parameters",
                "ResultSelector",
                "Retry",
                "Catch",
                "TimeoutSeconds",
            ],
        ),
        ("Map", vec!["InputPath", "ItemsPath", "ResultPath", "ItemSelector", "Catch", "MaxConcurrency"]),
        ("Parallel", vec!["InputPath", "ResultPath", "Parameters", "ResultSelector", "Retry", "Catch"]),
        ("Pass", vec!["InputPath", "OutputPath", "ResultPath", "Parameters", "Result"]),
        ("Choice", vec!["InputPath", "OutputPath"]),
        ("Wait", vec!["InputPath", "Seconds"]),
        ("Wait", vec!["SecondsPath"]),
        ("Wait", vec!["TimestampPath"]),
        ("Succeed", vec!["InputPath", "OutputPath"]),
        ("Fail", vec!["ErrorPath", "CausePath"]),
        ("Odd", vec![]),
    ]);
    let operator = prop::sample::select(vec![
        ("IsPresent", json!(true)),
        ("NumericLessThan", json!(5)),
        ("StringMatches", json!("a*")),
    ]);
    let fields = kinds.prop_flat_map(|(kind, names)| {
        let fields: Vec<_> =
            names.into_iter().map(|name| (Just(name), prop::option::of(value(name)))).collect();
        (Just(kind), fields)
    });
    let next = prop::sample::select(vec!["A", "B", "C", "E"]);
    (fields, next, any::<bool>(), operator).prop_map(|((kind, fields), next, end, (operator, operand))| {
        let mut state = json!({"Type": kind});
        let inner = json!({"StartAt": "I", "States": {"I": {"Type": "Pass", "Parameters": {"a.$": "$"}, "End": true}}});
        match kind {
            "Task" => state["Resource"] = json!(arn("f")),
            "Map" => state["ItemProcessor"] = inner,
            "Parallel" => state["Branches"] = json!([inner, inner]),
            "Choice" => {
                state["Choices"] = json!([{"Variable": "$.a", operator: operand, "Next": next}]);
                state["Default"] = json!("E");
            }
            _ => {}
        }
        for (field, value) in fields {
            if let Some(value) = value {
                state[field] = value;
            }
        }
        match kind {
            "Choice" | "Succeed" | "Fail" => {}
            _ if end => state["End"] = json!(true),
            _ => state["Next"] = json!(next),
        }
        state
    })
}

/// Three states, all of which can be reached, so that only what is in them decides whether the machine is valid.
fn wired(a: &Value, b: &Value, c: &Value) -> Value {
    let present = json!({"Variable": "$.go", "IsPresent": true});
    let rule =
        |next: &str| json!({"And": [present, {"Variable": "$.go", "StringEquals": next}], "Next": next});
    machine(
        "Hub",
        json!({
            "Hub": {"Type": "Choice", "Choices": [rule("B"), rule("C"), rule("E")], "Default": "A"},
            "A": a, "B": b, "C": c, "E": {"Type": "Succeed"}
        }),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn any_json_is_a_definition_or_not(definition in document()) {
        let _ = asl::parse(&definition.to_string());
    }

    #[test]
    fn any_text_is_a_definition_or_not(text in ".{0,60}") {
        let _ = asl::parse(&text);
    }

    #[test]
    fn any_machine_comes_to_an_end(a in state(), b in state(), c in state(), input in document()) {
        let definition = wired(&a, &b, &c);
        if asl::parse(&definition.to_string()).is_ok() {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let stage = Stage::new(&[("f", &[Act::Echoes, Act::Raises("E"), Act::Echoes])]);
            let played = runtime.block_on(play(&definition, input, stage));
            prop_assert!(played.events.len() <= 25_000);
        }
    }
}

#[test]
fn a_fair_share_of_the_arbitrary_machines_is_valid() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut draw = || state().new_tree(&mut runner).unwrap().current();
    let valid =
        (0..300).filter(|_| asl::parse(&wired(&draw(), &draw(), &draw()).to_string()).is_ok()).count();
    assert!(valid >= 60, "{valid} of 300");
}
