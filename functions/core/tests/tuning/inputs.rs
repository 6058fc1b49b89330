//! The execution input: what is accepted, and what is said about the rest.

use proptest::prelude::*;
use serde_json::{Value, json};
use tuning::input::{
    Defaults, Input, LambdaArn, MAX_POWER_VALUES, Problems, Tune, fields, power_value, unknown_fields,
};
use tuning::strategy::Strategy as Strategies;

const ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:my-function";

fn with(fields: Value) -> Value {
    let mut input = json!({"lambdaARN": ARN, "num": 10});
    input.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    input
}

fn parse(fields: Value) -> Result<Input, Problems> {
    Input::parse(&with(fields), &Defaults::default())
}

/// The message about the only problem, which must be about `field`.
fn problem(field: &str, value: Value) -> String {
    let problems = parse(json!({field: value})).expect_err(&format!("{field}: {value}"));
    assert_eq!(problems.0.len(), 1, "{problems}");
    assert_eq!(problems.0[0].field, field);
    problems.0[0].message.clone()
}

#[test]
fn the_defaults_are_the_documented_ones() {
    let input = parse(json!({})).unwrap();
    assert_eq!(input.lambda_arn.to_string(), ARN);
    assert_eq!(input.power_values, [128, 256, 512, 1024, 1536, 3008]);
    assert_eq!((input.num, input.invocations()), (10, 10));
    assert_eq!((input.payload, input.payload_s3), (None, None));
    assert_eq!((input.strategy, input.balanced_weight), (Strategies::Cost, 0.5));
    assert_eq!((input.discard_top_bottom, input.sleep_between_runs_ms), (0.2, 0));
    let flags = [
        input.parallel_invocation,
        input.auto_optimize,
        input.dry_run,
        input.disable_payload_logs,
        input.include_output_results,
        input.only_cold_starts,
    ];
    assert_eq!(flags, [false; 6]);
    assert!(input.allowed_exceptions.is_empty() && input.warnings.is_empty());
    assert_eq!(
        (input.auto_optimize_alias, input.pre_processor_arn, input.post_processor_arn),
        (None, None, None)
    );
}

#[test]
fn every_field_is_read() {
    let input = parse(json!({
        "powerValues": ["512", 128, 512.0, 10240], "num": "25", "payload": {"a": 1}, "parallelInvocation": true,
        "strategy": "balanced", "balancedWeight": 0.25, "autoOptimize": true, "autoOptimizeAlias": "prod", "dryRun": false,
        "preProcessorARN": format!("{ARN}:live"), "postProcessorARN": ARN, "discardTopBottom": 0.1, "sleepBetweenRunsMs": 0,
        "disablePayloadLogs": true, "includeOutputResults": true, "onlyColdStarts": false, "allowedExceptions": ["A", "B"],
        "gate": {"maxDurationMs": "300", "maxCost": 1e-6},
    }))
    .unwrap();
    assert_eq!(input.power_values, [128, 512, 10240]);
    assert_eq!(input.num, 25);
    assert_eq!(input.payload, Some(json!({"a": 1})));
    assert!(
        input.parallel_invocation
            && input.auto_optimize
            && input.disable_payload_logs
            && input.include_output_results
    );
    assert_eq!((input.strategy, input.balanced_weight), (Strategies::Balanced, 0.25));
    assert_eq!(input.auto_optimize_alias.as_deref(), Some("prod"));
    assert_eq!(input.pre_processor_arn, Some(format!("{ARN}:live")));
    assert_eq!(input.post_processor_arn.as_deref(), Some(ARN));
    assert_eq!(input.discard_top_bottom, 0.1);
    assert_eq!(input.allowed_exceptions, ["A", "B"]);
    assert_eq!(input.gate, Some(tuning::gate::Gate { max_duration_ms: Some(300.0), max_cost: Some(1e-6) }));
    assert_eq!(input.warnings, []);
}

#[test]
fn every_problem_is_reported_at_once() {
    let wrong = json!({
        "lambdaARN": "my-function", "powerValues": [64, "big", 512], "num": 2, "payloadS3": "bucket/key", "parallelInvocation": "yes",
        "strategy": "fast", "balancedWeight": "much", "autoOptimize": 1, "autoOptimizeAlias": "deployer-tuning-512", "dryRun": "false",
        "preProcessorARN": "nobody", "postProcessorARN": 7, "discardTopBottom": [], "sleepBetweenRunsMs": -5,
        "disablePayloadLogs": {}, "includeOutputResults": "", "onlyColdStarts": [], "allowedExceptions": "ValidationError",
        "gate": {"maxCost": 0},
    });
    let problems = Input::parse(&wrong, &Defaults::default()).unwrap_err();
    let fields: Vec<&str> = problems.0.iter().map(|problem| problem.field.as_str()).collect();
    let written: Vec<&String> = wrong.as_object().unwrap().keys().collect();
    assert_eq!(fields, written);
    let text = problems.to_string();
    assert!(text.starts_with("the input has 19 problems:\n  - lambdaARN \"my-function\" is not"), "{text}");
    for (field, value) in wrong.as_object().unwrap() {
        let shown = if let Value::Array(list) = value
            && let Some(first) = list.first()
        {
            first.to_string()
        } else {
            value.to_string()
        };
        let problem = problems.0.iter().find(|problem| problem.field == *field).unwrap();
        assert!(problem.message.contains(&shown), "{problem} names {shown}");
        assert!(problem.message.contains("use "), "{problem} says what would be right");
    }
}

#[test]
fn a_gate_that_would_let_everything_pass_is_refused() {
    for (gate, says) in [
        (json!({}), "limits nothing"),
        (json!({"maxDurationMs": null}), "limits nothing"),
        (json!({"maxDuration": 300}), "\"maxDuration\" is not a limit"),
        (json!({"maxCost": -1}), "maxCost is not a number above 0"),
        (json!(300), "gate is 300"),
    ] {
        let text = parse(json!({"gate": gate})).unwrap_err().to_string();
        assert!(text.contains(says) && text.contains("\"maxDurationMs\": 500"), "{text}");
    }
}

#[test]
fn what_is_required_is_asked_for() {
    for input in [json!({}), json!({"lambdaARN": null, "num": null})] {
        let text = Input::parse(&input, &Defaults::default()).unwrap_err().to_string();
        assert!(text.contains("lambdaARN is missing") && text.contains("num is missing"), "{text}");
    }
    for input in [json!(null), json!([]), json!("x"), json!(3)] {
        let text = Input::parse(&input, &Defaults::default()).unwrap_err().to_string();
        assert!(text.contains("must be a JSON object"), "{text}");
    }
}

#[test]
fn null_is_as_good_as_nothing() {
    let nothing: serde_json::Map<String, Value> = tuning::input::FIELDS
        .iter()
        .filter(|field| !["lambdaARN", "num"].contains(&field.name))
        .map(|field| (field.name.to_owned(), Value::Null))
        .collect();
    assert_eq!(parse(Value::Object(nothing)).unwrap(), parse(json!({})).unwrap());
}

#[test]
fn a_version_or_alias_is_refused_with_the_reason() {
    assert_eq!(parse(json!({"lambdaARN": format!("{ARN}:$LATEST")})).unwrap().lambda_arn.to_string(), ARN);
    let alias = problem("lambdaARN", json!(format!("{ARN}:prod")));
    assert!(alias.contains("names the alias 'prod': tuning changes the memory size of $LATEST"), "{alias}");
    let version = problem("lambdaARN", json!(format!("{ARN}:7")));
    assert!(version.contains("names the version '7'"), "{version}");
    assert!(version.ends_with("or measure copies of it with tune: \"copy\""), "{version}");
}

#[test]
fn a_version_or_alias_can_be_copied() {
    let of =
        |qualifier: &str| parse(json!({"lambdaARN": format!("{ARN}{qualifier}"), "tune": "copy"})).unwrap();
    let shown = |qualifier: &str| {
        let input = of(qualifier);
        (input.lambda_arn.to_string(), input.qualifier.map(|qualifier| qualifier.as_str().to_owned()))
    };
    assert_eq!(shown(""), (ARN.to_owned(), None));
    assert_eq!(shown(":$LATEST"), (ARN.to_owned(), None));
    for qualifier in ["prod", "7"] {
        let qualified = format!(":{qualifier}");
        assert_eq!(shown(&qualified), (ARN.to_owned(), Some(qualifier.to_owned())));
        assert_eq!(of(&qualified).to_json()["lambdaARN"], format!("{ARN}:{qualifier}"));
    }
    assert_eq!(parse(json!({})).unwrap().tune, Tune::InPlace);
    assert_eq!(parse(json!({"tune": "in-place"})).unwrap().tune, Tune::InPlace);
    let message = problem("tune", json!("both"));
    assert_eq!(message, "is \"both\": use \"in-place\", \"copy\"");
}

#[test]
fn what_copies_cannot_apply_is_refused() {
    let refused = |more: Value| {
        let mut input = json!({"tune": "copy", "autoOptimize": true});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        parse(input).unwrap_err().to_string()
    };
    let alias = refused(json!({"autoOptimizeAlias": "prod"}));
    assert!(alias.contains("autoOptimizeAlias") && alias.contains("use tune: \"in-place\""), "{alias}");
    let version = refused(json!({"lambdaARN": format!("{ARN}:7")}));
    assert!(version.contains("what is measured is the version '7'"), "{version}");
    parse(json!({"tune": "copy", "autoOptimize": true})).unwrap();
    parse(json!({"tune": "copy", "autoOptimizeAlias": "prod"})).unwrap();
}

#[test]
fn arns_that_are_none_say_why() {
    for (arn, said) in [
        ("my-function", "has 7 or 8 parts"),
        ("arn:aws:lambda:eu-west-1:123456789012:layer:x:1", "'layer'"),
        ("arn:aws:s3:eu-west-1:123456789012:function:x", "'s3'"),
        ("arn:aws:lambda::123456789012:function:x", "'' is not a region"),
        ("arn:aws:lambda:eu-west-1:1234:function:x", "'1234' is not an account id"),
        ("arn:aws:lambda:eu-west-1:123456789012:function:a b", "'a b' is not a function's name"),
        ("arn:aws:lambda:eu-west-1:123456789012:function:", "'' is not a function's name"),
        ("arn:aws:lambda:eu-west-1:123456789012:function:x:", "'' is neither"),
        ("nra:aws:lambda:eu-west-1:123456789012:function:x", "does not start"),
    ] {
        let message = problem("lambdaARN", json!(arn));
        assert!(
            message.contains(said)
                && message.contains("arn:aws:lambda:eu-west-1:123456789012:function:my-function"),
            "{message}"
        );
    }
    for arn in [
        "arn:aws-cn:lambda:cn-north-1:123456789012:function:x",
        "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:x",
    ] {
        assert_eq!(LambdaArn::parse(arn).unwrap().to_string(), arn);
    }
    assert_eq!(
        LambdaArn::of_input(&json!({"lambdaARN": format!("{ARN}:prod"), "num": "x"})).unwrap().name,
        "my-function"
    );
    assert_eq!(LambdaArn::of_input(&json!({"lambdaARN": 3})), None);
}

#[test]
fn power_values_may_be_a_list_a_range_or_all() {
    let values = |value: Value| parse(json!({"powerValues": value})).unwrap().power_values;
    let all = values(json!("ALL"));
    assert_eq!((all.len(), all[0], all[1], all[45]), (46, 128, 192, 3008));
    assert_eq!(values(json!([1024, 128, "256", 128])), [128, 256, 1024]);
    assert_eq!(values(json!([129, 10_239])), [129, 10_239]);
    assert_eq!(values(json!({"from": 128, "to": 300, "step": 64})), [128, 192, 256]);
    assert_eq!(values(json!({"from": "128", "to": 256})), [128, 192, 256]);
    assert_eq!(values(json!({"from": 512, "to": 512, "step": 1})), [512]);
    let whole = values(json!({"from": 128, "to": 10240, "step": 64}));
    assert_eq!((whole.len(), whole[158]), (159, 10_240));
}

#[test]
fn power_values_that_are_none_say_why() {
    for (value, said) in [
        (json!([]), "empty list"),
        (json!("all of them"), "\"ALL\""),
        (json!("128,256"), "a list of memory sizes"),
        (json!(512), "a list of memory sizes"),
        (json!([127]), "127: use whole numbers of MB from 128 to 10240"),
        (json!([10_241, 128]), "has 10241:"),
        (json!([128.5]), "128.5"),
        (json!([null]), "null"),
        (json!([1, 2, 3, 4, 5, 6, 7]), "2 more"),
        (json!({"from": 128, "step": 64}), "without 'to'"),
        (json!({"from": 1024, "to": 128, "step": 64}), "from 1024 down to 128"),
        (json!({"from": 128, "to": 256, "step": 0}), "'step' is 0"),
        (json!({"from": 64, "to": 256, "step": 64}), "'from' is 64"),
        (json!({"from": 128, "to": 256, "by": 64}), "'by'"),
        (json!({"from": 128, "to": 10240, "step": 1}), "has 10113 sizes"),
    ] {
        let message = problem("powerValues", value.clone());
        assert!(message.contains(said), "{value}: {message}");
    }
    assert_eq!(
        parse(json!({"powerValues": {"from": 128, "to": 1127, "step": 1}})).unwrap().power_values.len(),
        MAX_POWER_VALUES
    );
}

#[test]
fn the_stacks_parameter_is_read_by_the_same_rules() {
    let text = |text: &str| fields::POWER_VALUES.form.from_text(text);
    assert_eq!(text("512, 128,256").unwrap(), json!([128, 256, 512]));
    assert_eq!(text("ALL").unwrap().as_array().map(Vec::len), Some(46));
    assert!(text("").is_err());
    assert!(text("128,64").unwrap_err().contains("\"64\""));
    assert_eq!(text("auto").unwrap(), json!("AUTO"));
    assert_eq!(text("AUTO:128-3008").unwrap(), json!({ "auto": { "from": 128, "to": 3008 } }));
    assert!(text("AUTO:128").unwrap_err().contains("AUTO:FROM-TO"));
    assert!(text("auto:3008-128").unwrap_err().contains("'from' must be below 'to'"));
    let defaults = Defaults { power_values: vec![777] };
    assert_eq!(Input::parse(&with(json!({})), &defaults).unwrap().power_values, [777]);
    for (text, sizes) in [
        ("128-320:64", json!([128, 192, 256, 320])),
        ("128 - 256 : 128", json!([128, 256])),
        ("128-192", json!([128, 192])),
        ("512, 128", json!([128, 512])),
    ] {
        assert_eq!(fields::POWER_VALUES.form.from_text(text), Ok(sizes), "{text}");
    }
    for wrong in ["128:256:64", "256-128", "128-", "128-256:0", "-5", "128 256", "64"] {
        assert!(fields::POWER_VALUES.form.from_text(wrong).is_err(), "{wrong}");
    }
    assert_eq!(power_value(&json!("10240")), Ok(10_240));
    assert!(power_value(&json!(64)).unwrap_err().to_string().starts_with("value is 64"));
}

#[test]
fn texts_of_the_command_line_are_read_by_the_fields_own_rules() {
    for (field, text, value) in [
        (fields::NUM, "20", json!(20)),
        (fields::PAYLOAD, "{\"a\": 1}", json!({"a": 1})),
        (fields::DRY_RUN, "yes", json!(true)),
        (fields::STRATEGY, "speed", json!("speed")),
        (fields::BALANCED_WEIGHT, "0.25", json!(0.25)),
        (fields::ALLOWED_EXCEPTIONS, "A, B,", json!(["A", "B"])),
    ] {
        assert_eq!(field.form.from_text(text), Ok(value.clone()), "{text}");
        assert!(parse(json!({field.name: value})).is_ok(), "{text}");
    }
    for (field, text, said) in [
        (fields::NUM, "-5", "is -5, which is too small: use a whole number from 5 to 20000"),
        (fields::NUM, "many", "is \"many\": use a whole number"),
        (fields::PAYLOAD, "hello", "is not JSON"),
        (fields::DRY_RUN, "maybe", "use true or false"),
        (fields::STRATEGY, "best", "is \"best\": use \"cost\", \"speed\", \"balanced\""),
    ] {
        let message = field.form.from_text(text).unwrap_err();
        assert!(message.contains(said), "{message}");
    }
}

#[test]
fn num_is_a_whole_number_of_five_or_more() {
    for num in [json!(5), json!("5"), json!(5.0), json!(" 10000 ")] {
        assert!(parse(json!({"num": num})).is_ok(), "{num}");
    }
    for (num, said) in [
        (json!(4), "too small: use a whole number from 5"),
        (json!(-1), "too small"),
        (json!("0"), "too small"),
        (json!(5.5), "is 5.5: use"),
        (json!("ten"), "is \"ten\": use"),
        (json!(1e12), "too large"),
        (json!(true), "is true"),
        (json!([10]), "is [10]"),
    ] {
        let message = problem("num", num.clone());
        assert!(message.contains(said), "{num}: {message}");
    }
}

#[test]
fn shares_are_clamped_and_that_is_told() {
    for (field, given, taken) in [
        ("discardTopBottom", json!(0.9), 0.4),
        ("discardTopBottom", json!(-1), 0.0),
        ("discardTopBottom", json!("0.3"), 0.3),
        ("balancedWeight", json!(7), 1.0),
        ("balancedWeight", json!(-0.1), 0.0),
    ] {
        let input = parse(json!({field: given, "strategy": "balanced"})).unwrap();
        let value = if field == "balancedWeight" { input.balanced_weight } else { input.discard_top_bottom };
        assert_eq!(value, taken, "{field}: {given}");
        assert_eq!(input.warnings.len(), usize::from(given != json!("0.3")), "{:?}", input.warnings);
    }
    for value in [json!("NaN"), json!("inf"), json!("a"), json!(true)] {
        problem("balancedWeight", value);
    }
}

#[test]
fn cold_starts_are_not_trimmed() {
    let input = parse(json!({"onlyColdStarts": true, "discardTopBottom": 0.3})).unwrap();
    assert_eq!(input.discard_top_bottom, 0.0);
    assert_eq!(input.warnings[0].field, "discardTopBottom");
    assert_eq!(parse(json!({"onlyColdStarts": true})).unwrap().warnings, []);
}

#[test]
fn fields_without_effect_are_warned_about_and_harmless() {
    for (fields, field) in [
        (json!({"autoOptimizeAlias": "prod"}), "autoOptimizeAlias"),
        (json!({"autoOptimizeAlias": "prod", "autoOptimize": false}), "autoOptimizeAlias"),
        (json!({"balancedWeight": 0.3}), "balancedWeight"),
        (json!({"sleepBetweenRunsMs": 10, "parallelInvocation": true}), "sleepBetweenRunsMs"),
        (json!({"payload": 1, "payloadS3": "s3://bucket/key"}), "payload"),
        (json!({"dryRun": true, "autoOptimize": true}), "autoOptimize"),
    ] {
        let warnings = parse(fields.clone()).unwrap().warnings;
        assert_eq!(
            warnings.iter().map(|warning| warning.field.as_str()).collect::<Vec<_>>(),
            [field],
            "{fields}"
        );
    }
}

#[test]
fn our_own_alias_names_are_refused() {
    for name in ["deployer-tuning", "deployer-tuning-128", "deployer-tuning-128-3"] {
        assert!(problem("autoOptimizeAlias", json!(name)).contains("temporary aliases"), "{name}");
    }
    for name in ["deployer-tuningfork", "prod", "my_alias-2", "RAM512"] {
        assert!(parse(json!({"autoOptimizeAlias": name})).is_ok(), "{name}");
    }
    for name in [json!("$LATEST"), json!("12"), json!(""), json!("a b"), json!("x".repeat(129)), json!(7)] {
        assert!(problem("autoOptimizeAlias", name.clone()).contains("use an alias name"), "{name}");
    }
}

#[test]
fn payloads_in_s3_are_named_by_bucket_and_key() {
    let input = parse(json!({"payloadS3": "s3://my.bucket-1/a/b c.json", "payload": 1})).unwrap();
    let object = input.payload_s3.unwrap();
    assert_eq!((object.bucket.as_str(), object.key.as_str()), ("my.bucket-1", "a/b c.json"));
    assert_eq!(object.to_string(), "s3://my.bucket-1/a/b c.json");
    assert_eq!(input.payload, None);
    for wrong in ["s3://bucket", "https://bucket/key", ""] {
        let said = format!("is \"{wrong}\": use s3://bucket/key");
        assert_eq!(problem("payloadS3", json!(wrong)), said);
    }
    let long = "k".repeat(1025);
    for (bucket, key, why) in [
        ("bucket", "", "which names no object: use s3://bucket/key"),
        ("bucket", long.as_str(), "whose key has 1025 bytes: use s3://bucket/key with a key of at most 1024"),
    ] {
        let wrong = problem("payloadS3", json!(format!("s3://{bucket}/{key}")));
        assert!(wrong.contains(why), "{wrong}");
    }
}

/// Wherever an object in S3 is named, and in the schema alike.
#[test]
fn what_is_no_buckets_name_is_told_the_rule() {
    let long = "b".repeat(64);
    for bucket in ["", "b", "ab", "B_ucket", "old_bucket", "-bucket", "bucket.", long.as_str()] {
        for field in ["payloadS3", "codeArm64", "codeX86"] {
            let problems = parse(json!({"tune": "copy", field: format!("s3://{bucket}/key")})).unwrap_err();
            let said = problems.0.iter().find(|problem| problem.field == field).unwrap();
            let rule =
                "use s3://bucket/key with a bucket's name: 3 to 63 lower-case letters, digits and, inside,";
            assert!(said.message.contains(&format!("whose bucket is \"{bucket}\": {rule}")), "{said}");
        }
    }
    for bucket in ["abc", "my.bucket-1", "0.0", &"b".repeat(63)] {
        parse(json!({"payloadS3": format!("s3://{bucket}/key")})).unwrap();
    }
}

#[test]
fn weights_that_cannot_be_met_are_a_problem_of_the_input() {
    let weighted = json!([{"payload": 1, "weight": 1}, {"payload": 2, "weight": 99}]);
    assert!(problem("payload", weighted.clone()).contains("\"num\" to 100"));
    assert!(parse(json!({"payload": weighted, "num": 100})).is_ok());
    assert!(parse(json!({"payload": weighted, "payloadS3": "s3://bucket/key"})).is_ok());
    let dry = parse(json!({"payload": weighted, "num": 100, "dryRun": true})).unwrap_err();
    assert!(dry.to_string().contains("a dry run makes a single invocation"), "{dry}");
    assert_eq!(parse(json!({"dryRun": true})).unwrap().invocations(), 1);
}

#[test]
fn no_payload_is_in_any_message() {
    let secret = json!([{"payload": "hunter2", "weight": 0}, {"payload": "hunter2", "weight": 1}]);
    let problems = parse(json!({"payload": secret, "num": 3, "disablePayloadLogs": true})).unwrap_err();
    assert!(!problems.to_string().contains("hunter2"), "{problems}");
}

#[test]
fn long_values_are_cut() {
    let message = problem("strategy", json!("x".repeat(5000)));
    assert!(message.len() < 200, "{message}");
}

#[test]
fn unknown_fields_are_found_with_what_was_meant() {
    let suggestions = |field: &str| {
        let unknown = unknown_fields(&with(json!({field: 1})));
        assert_eq!(unknown.len(), 1);
        assert_eq!(unknown[0].field, field);
        unknown[0].suggestion.clone()
    };
    for (written, meant) in [
        ("enableParallel", "parallelInvocation"),
        ("lambdaArn", "lambdaARN"),
        ("lambda_arn", "lambdaARN"),
        ("powervalues", "powerValues"),
        ("powerValue", "powerValues"),
        ("PayloadS3", "payloadS3"),
        ("onlyColdStart", "onlyColdStarts"),
        ("stategy", "strategy"),
        ("sleepBetweenRuns", "sleepBetweenRunsMs"),
        ("autoOptimise", "autoOptimize"),
    ] {
        assert_eq!(suggestions(written).as_deref(), Some(meant), "{written}");
    }
    assert_eq!(suggestions("colour"), None);
    assert_eq!(unknown_fields(&with(json!({}))), []);
    assert_eq!(unknown_fields(&json!(3)), []);
    let text = unknown_fields(&json!({"enableParallel": true}))[0].to_string();
    assert_eq!(
        text,
        "enableParallel is not a field of the input and has no effect: did you mean parallelInvocation?"
    );
}

#[test]
fn an_input_written_as_json_is_the_same_input() {
    for fields in [
        json!({}),
        json!({"payload": {"z": 1, "a": [1, 2]}, "strategy": "speed", "powerValues": "ALL", "num": "7"}),
        json!({"payloadS3": "s3://bucket/key", "autoOptimize": true, "autoOptimizeAlias": "prod", "onlyColdStarts": true}),
        json!({"preProcessorARN": ARN, "allowedExceptions": ["A"], "sleepBetweenRunsMs": "20", "discardTopBottom": 3, "dryRun": true}),
    ] {
        let mut input = parse(fields).unwrap();
        let written = input.to_json();
        assert_eq!(unknown_fields(&written), []);
        let mut again = Input::parse(&written, &Defaults::default()).unwrap();
        input.warnings.clear();
        again.warnings.clear();
        assert_eq!(again, input);
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-3i32..20_000).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop::sample::select(vec!["ALL", "5", "128", "cost", "s3://abc/d", ARN, "from", "-0", "1e400"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(
                (prop::sample::select(vec!["from", "to", "step", "payload", "weight", "x"]), inner),
                0..4
            )
            .prop_map(|fields| fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        ]
    })
}

proptest! {
    #[test]
    fn any_input_is_read_or_refused(values in prop::collection::vec((prop::sample::select(tuning::input::FIELDS.map(|field| field.name).to_vec()), any_json()), 0..19)) {
        let fields: Value = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        for input in [fields.clone(), with(fields)] {
            match Input::parse(&input, &Defaults::default()) {
                Ok(parsed) => {
                    prop_assert!(parsed.num >= 5);
                    prop_assert!(!parsed.power_values.is_empty() && parsed.power_values.is_sorted());
                    prop_assert!(parsed.power_values.iter().all(|size| (128..=10_240).contains(size)));
                    prop_assert!((0.0..=0.4).contains(&parsed.discard_top_bottom));
                    prop_assert!((0.0..=1.0).contains(&parsed.balanced_weight));
                    prop_assert!(parsed.payload_plan().is_ok() || parsed.payload_s3.is_some());
                }
                Err(problems) => prop_assert!(!problems.0.is_empty()),
            }
        }
    }

    #[test]
    fn any_value_at_all_is_read_or_refused(input in any_json()) {
        let _ = Input::parse(&input, &Defaults::default());
        let _ = unknown_fields(&input);
    }
}

#[test]
fn sizes_may_be_left_to_a_search() {
    let auto = |more: Value| {
        let mut input = json!({"lambdaARN": ARN, "powerValues": "AUTO"});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Input::parse(&input, &Defaults::default())
    };
    let input = auto(json!({})).unwrap();
    let search = input.search.unwrap();
    assert_eq!((search.range, search.max_invocations, input.num), ((128, 10_240), 120, 120));
    assert_eq!((search.tolerance, search.confidence), (0.01, 0.95));
    assert!(input.power_values.is_empty() && input.warnings.is_empty());
    let range = json!({"powerValues": {"auto": {"to": 3008}}, "tolerance": "0.03", "maxInvocations": 60});
    let search = auto(range).unwrap().search.unwrap();
    assert_eq!((search.range, search.tolerance, search.max_invocations), ((128, 3008), 0.03, 60));

    let decided =
        auto(json!({"num": 50, "lanes": 3, "parallelInvocation": true, "coldStarts": "include"})).unwrap();
    let warned: Vec<&str> = decided.warnings.iter().map(|warning| warning.field.as_str()).collect();
    assert_eq!(warned, ["num", "parallelInvocation", "lanes", "coldStarts"]);
    assert!(!decided.parallel_invocation);
    let cold = auto(json!({"onlyColdStarts": true})).unwrap_err().to_string();
    assert!(cold.contains("onlyColdStarts does not go with powerValues: \"AUTO\""), "{cold}");
    for wrong in [
        json!("auto"),
        json!({"auto": 1}),
        json!({"auto": {"step": 1}}),
        json!({"auto": {"from": 512, "to": 512}}),
    ] {
        let said = auto(json!({"powerValues": wrong})).unwrap_err().to_string();
        assert!(said.contains("powerValues is "), "{said}");
    }
    let list = parse(json!({"tolerance": 0.1, "confidence": 0.5, "maxInvocations": 20})).unwrap();
    assert_eq!(list.warnings.len(), 3, "{:?}", list.warnings);
}

#[test]
fn a_search_takes_any_number_of_payloads() {
    let elements: Vec<Value> = [("a", 5), ("b", 1), ("c", 1)]
        .iter()
        .map(|(payload, weight)| json!({"payload": payload, "weight": weight}))
        .collect();
    let input = json!({"lambdaARN": ARN, "powerValues": "AUTO", "payload": elements});
    let plan = Input::parse(&input, &Defaults::default()).unwrap().payload_plan().unwrap();
    let sent: String = (0..14).map(|index| plan.payload(index).trim_matches('"').to_owned()).collect();
    assert_eq!(sent, "aabacaaaabacaa");
}

#[test]
fn a_limit_names_a_percentile_and_its_time() {
    let limit = parse(json!({"limit": {"percentile": 95, "ms": 300}})).unwrap().limit.unwrap();
    assert_eq!((limit.percentile, limit.ms), (95.0, 300.0));
    let text = |text: &str| fields::LIMIT.form.from_text(text);
    assert_eq!(text("p95=300ms").unwrap(), json!({"percentile": 95.0, "ms": 300.0}));
    assert_eq!(text("p99.9=1.5s").unwrap(), json!({"percentile": 99.9, "ms": 1500.0}));
    for wrong in ["95=300", "p95", "p95=0ms", "p49=1ms", "p100=1ms", "p95=fast"] {
        assert!(text(wrong).unwrap_err().ends_with("such as p95=300ms"), "{wrong}");
    }
    for wrong in [json!({"percentile": 95}), json!({"percentile": 95, "ms": 3, "max": 1}), json!("p95=300ms")]
    {
        let said = problem("limit", wrong);
        assert!(said.contains("use {\"percentile\": 95, \"ms\": 300}"), "{said}");
    }
    let warned =
        parse(json!({"limit": {"percentile": 95, "ms": 300}, "strategy": "speed"})).unwrap().warnings;
    assert_eq!(warned[0].field, "strategy");
}

#[test]
fn shares_may_be_given_in_per_cent() {
    assert_eq!(fields::TOLERANCE.form.from_text("1%").unwrap(), json!(0.01));
    assert_eq!(fields::CONFIDENCE.form.from_text("95 %").unwrap(), json!(0.95));
    assert!(fields::TOLERANCE.form.from_text("x%").is_err());
}

#[test]
fn processors_need_copies_and_waves_enough_to_compare_them() {
    use tuning::pricing::Architecture;
    let both = |more: Value| {
        let mut given = json!({"tune": "copy", "architectures": ["arm64", "x86_64", "arm64"], "num": 20});
        given.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        parse(given)
    };
    let input = both(json!({"codeArm64": "s3://built/arm64.zip"})).unwrap();
    assert_eq!(input.architectures, [Architecture::Arm64, Architecture::X86_64]);
    assert!(input.compares() && input.warnings.is_empty());
    assert_eq!((input.lanes, input.all_invocations()), (5, 40));
    assert_eq!(input.code_for(Architecture::Arm64).unwrap().key, "arm64.zip");
    assert_eq!(input.code_for(Architecture::X86_64), None);
    let few = both(json!({"lanes": 2})).unwrap();
    assert_eq!((few.lanes, few.warnings[0].field.as_str()), (5, "lanes"));
    let other = both(json!({"architectures": ["x86_64"], "codeArm64": "s3://built/arm64.zip"})).unwrap();
    assert!(!other.compares() && other.warnings[0].field == "codeArm64");
    for (more, said) in [
        (json!({"tune": "in-place"}), "architectures needs tune: \"copy\""),
        (json!({"num": 14}), "num is 14: two architectures are compared by waves of 5"),
        (json!({"lanes": 10}), "use 30 or more"),
        (json!({"onlyColdStarts": true}), "onlyColdStarts does not go with two architectures"),
        (json!({"parallelInvocation": true}), "parallelInvocation does not go with two architectures"),
        (json!({"powerValues": "AUTO"}), "powerValues does not go with two architectures"),
        (json!({"architectures": ["mips"]}), "architectures is [\"mips\"]: use a list of x86_64 and arm64"),
        (json!({"architectures": []}), "architectures is []"),
    ] {
        let problem = both(more).unwrap_err().to_string();
        assert!(problem.contains(said), "{problem}");
    }
    assert_eq!(fields::ARCHITECTURES.form.from_text("x86_64, arm64").unwrap(), json!(["x86_64", "arm64"]));
    assert!(parse(json!({"maxConcurrency": 0})).is_err());
    assert_eq!(parse(json!({"maxConcurrency": 7})).unwrap().max_concurrency, Some(7));
}
