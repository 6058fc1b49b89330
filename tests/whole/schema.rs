//! `deployer schema`: what it says of inputs is what the state machine takes. That every result and every event is as it says, the
//! harness checks of each test that has one.

use serde_json::{Value, json};
use tuning::input::{Defaults, Input};

use crate::harness::schema::Schema;

const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:mine";

#[test]
fn an_input_is_what_the_schema_says() {
    let schema = Schema::of("input");
    let with = |name: &str, value: Value| {
        let mut input = json!({ "lambdaARN": ARN, "num": 10 });
        input[name] = value;
        input
    };
    let mut cases = vec![json!({}), json!([]), json!({ "lambdaARN": ARN }), json!({ "num": 10 })];
    for (name, values) in [
        (
            "lambdaARN",
            vec![
                json!(ARN),
                json!(format!("{ARN}:$LATEST")),
                json!(format!("{ARN}:1")),
                json!("mine"),
                json!(5),
            ],
        ),
        ("num", vec![json!(5), json!("20"), json!(4), json!(20_001), json!("many"), json!(5.5), json!(null)]),
        (
            "powerValues",
            vec![
                json!([128, "512"]),
                json!("ALL"),
                json!({ "from": 128, "to": 256 }),
                json!(null),
                json!([]),
                json!([127]),
                json!("all"),
                json!(128),
                json!({ "from": 128, "until": 256 }),
                json!({ "to": 256 }),
            ],
        ),
        ("payload", vec![json!(null), json!([1, { "a": "b" }]), json!("text")]),
        (
            "payloadS3",
            vec![
                json!("s3://bucket/key"),
                json!("s3://b/key"),
                json!("s3://bucket"),
                json!("http://bucket/key"),
            ],
        ),
        ("parallelInvocation", vec![json!(true), json!("true"), json!(1)]),
        ("strategy", vec![json!("balanced"), json!("best"), json!(1)]),
        ("balancedWeight", vec![json!(0.3), json!([])]),
        ("autoOptimizeAlias", vec![json!("live"), json!("a b"), json!("")]),
        ("preProcessorARN", vec![json!(ARN), json!(format!("{ARN}:live")), json!("before")]),
        ("sleepBetweenRunsMs", vec![json!(0), json!(900_001), json!("x")]),
        ("allowedExceptions", vec![json!(["Error"]), json!([""]), json!("Error")]),
        ("gate", vec![json!({ "maxCost": 0.1 }), json!({ "maxcost": 0.1 }), json!(5)]),
        ("somethingElse", vec![json!(1)]),
    ] {
        cases.extend(values.into_iter().map(|value| with(name, value)));
    }
    let mut refused = 0;
    for case in &cases {
        let taken = Input::parse(case, &Defaults::default()).is_ok();
        let said = schema.judge(case);
        assert_eq!(said.is_ok(), taken, "{case}: {said:?}, {:?}", Input::parse(case, &Defaults::default()));
        refused += usize::from(!taken);
    }
    assert!(refused > 25 && cases.len() - refused > 18, "{refused} of {}", cases.len());
}

#[test]
fn a_result_that_is_none_is_refused() {
    let schema = Schema::of("result");
    for wrong in [json!({}), json!({ "power": 128 }), json!({ "error": "no" }), json!("done")] {
        assert!(schema.judge(&wrong).is_err(), "{wrong}");
    }
    let event = Schema::of("event");
    let error = json!({ "message": "no", "while": [], "hints": [] });
    event.judge(&json!({ "event": "failed", "error": error })).unwrap();
    let other = json!({ "event": "finished", "error": error });
    for wrong in [json!({}), json!({ "event": "nothing" }), json!({ "event": "note" }), other] {
        assert!(event.judge(&wrong).is_err(), "{wrong}");
    }
}
