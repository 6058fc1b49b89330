//! What is wrong with definitions, and that nothing wrong is overlooked.

use serde_json::json;

use super::*;

fn problems(definition: &Value) -> String {
    asl::parse(&definition.to_string()).err().map(|problems| problems.to_string()).unwrap_or_default()
}

fn with(state: Value) -> String {
    problems(&machine("S", json!({"S": state, "T": {"Type": "Succeed"}})))
}

#[test]
fn fields_are_checked_where_they_stand() {
    let lambda = arn("f");
    let map = |more: Value| {
        let mut state = json!({"Type": "Map", "End": true});
        for (name, value) in more.as_object().unwrap() {
            state[name] = value.clone();
        }
        with(state)
    };
    let retry =
        |entries: Value| with(json!({"Type": "Task", "Resource": lambda, "Retry": entries, "End": true}));
    let inner = json!({"StartAt": "I", "States": {"I": {"Type": "Pass", "End": true}}});
    let processor = |config: Value| {
        let mut processor = inner.clone();
        processor["ProcessorConfig"] = config;
        processor
    };
    let distributed = |more: Value| {
        let mut more = more;
        more["ItemProcessor"] = processor(json!({"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}));
        map(more)
    };
    let rows = [
        (problems(&json!({})), "These fields are required: [States, StartAt] at /"),
        (problems(&json!({"StartAt": "S"})), "These fields are required: [States] at /"),
        (problems(&json!({"StartAt": "S", "States": {}})), "at least one state at /States"),
        (
            problems(&json!({"StartAt": 3, "States": {"S": {"Type": "Succeed"}}})),
            "Expected value of type String at /StartAt",
        ),
        (problems(&json!([])), "Expected value of type Object"),
        (
            problems(&json!({"StartAt": "S", "States": {"S": {"Type": "Succeed"}}, "Foo": 1})),
            "Field 'Foo' is not supported at /",
        ),
        (
            problems(
                &json!({"StartAt": "S", "States": {"S": {"Type": "Succeed"}}, "QueryLanguage": "JSONata"}),
            ),
            "QueryLanguage here is 'JSONPath'",
        ),
        (
            problems(&json!({"StartAt": "S", "States": {"S": {"Type": "Succeed"}}, "TimeoutSeconds": "1"})),
            "type Integer at /TimeoutSeconds",
        ),
        (
            problems(&json!({"StartAt": "S", "States": {"S": {"Type": "Succeed"}}, "TimeoutSeconds": 0})),
            "from 1 to 99999999",
        ),
        (
            problems(&json!({"StartAt": "S", "States": {"S": {"Type": "Succeed"}}, "Version": "2.0"})),
            "at /Version",
        ),
        (with(json!({})), "These fields are required: [Type] at /States/S"),
        (with(json!({"Type": "Taks"})), "'Taks' is not a type of state at /States/S/Type"),
        (with(json!({"Type": "Pass"})), "These fields are required: [Next or End] at /States/S"),
        (with(json!({"Type": "Pass", "End": false})), "These fields are required: [Next]"),
        (
            with(json!({"Type": "Pass", "End": true, "Next": "T"})),
            "Only one of these fields is allowed: [Next, End]",
        ),
        (with(json!({"Type": "Pass", "End": "yes"})), "type Boolean at /States/S/End"),
        (
            with(json!({"Type": "Pass", "End": true, "TimeoutSeconds": 1})),
            "Field 'TimeoutSeconds' is not supported at /States/S",
        ),
        (with(json!({"Type": "Pass", "End": true, "Catch": []})), "Field 'Catch' is not supported"),
        (with(json!({"Type": "Succeed", "End": true})), "Field 'End' is not supported"),
        (
            with(json!({"Type": "Pass", "End": true, "InputPath": "a"})),
            "not a valid JSONPath (a path starts with '$') at /States/S/InputPath",
        ),
        (with(json!({"Type": "Pass", "End": true, "ResultPath": "$.a[*]"})), "not a valid Reference Path"),
        (with(json!({"Type": "Pass", "End": true, "ResultPath": "$$.Map"})), "at /States/S/ResultPath"),
        (
            with(json!({"Type": "Pass", "End": true, "Parameters": {"a.$": "b"}})),
            "The value for the field 'a.$' must be a valid JSONPath or a valid intrinsic function call",
        ),
        (with(json!({"Type": "Task", "End": true})), "These fields are required: [Resource]"),
        (
            with(json!({"Type": "Task", "Resource": "${Fn}", "End": true})),
            "not a valid resource ARN: '${Fn}' at /States/S/Resource",
        ),
        (
            with(json!({"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "End": true})),
            "only Lambda functions can be run",
        ),
        (
            with(
                json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "End": true}),
            ),
            "only Lambda functions can be run",
        ),
        (
            with(json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": true})),
            "required: [FunctionName]",
        ),
        (
            with(
                json!({"Type": "Task", "Resource": lambda, "End": true, "TimeoutSeconds": 5, "HeartbeatSeconds": 5}),
            ),
            "less than TimeoutSeconds",
        ),
        (
            with(
                json!({"Type": "Task", "Resource": lambda, "End": true, "TimeoutSeconds": 5, "TimeoutSecondsPath": "$.t"}),
            ),
            "[TimeoutSeconds, TimeoutSecondsPath]",
        ),
        (
            with(json!({"Type": "Task", "Resource": lambda, "End": true, "Credentials": {}})),
            "Field 'Credentials' is not supported",
        ),
        (with(json!({"Type": "Choice", "Default": "T"})), "These fields are required: [Choices]"),
        (with(json!({"Type": "Choice", "Choices": []})), "non-empty array"),
        (
            with(json!({"Type": "Choice", "Choices": [{"Variable": "$", "IsNull": true}]})),
            "required: [Next] at /States/S/Choices[0]",
        ),
        (with(json!({"Type": "Wait", "End": true})), "Seconds, SecondsPath, Timestamp or TimestampPath"),
        (with(json!({"Type": "Wait", "Seconds": 1, "Timestamp": "x", "End": true})), "[Seconds, Timestamp]"),
        (with(json!({"Type": "Wait", "Timestamp": "tomorrow", "End": true})), "RFC3339 timestamp"),
        (with(json!({"Type": "Fail", "Error": "a", "ErrorPath": "$.a"})), "[Error, ErrorPath]"),
        (with(json!({"Type": "Parallel", "End": true})), "required: [Branches]"),
        (
            with(json!({"Type": "Parallel", "Branches": [{"StartAt": "X"}], "End": true})),
            "required: [States] at /States/S/Branches[0]",
        ),
        (map(json!({})), "required: [ItemProcessor]"),
        (map(json!({"ItemProcessor": inner, "Iterator": inner})), "[ItemProcessor, Iterator]"),
        (map(json!({"ItemProcessor": inner, "MaxConcurrency": -1})), "at /States/S/MaxConcurrency"),
        (
            map(json!({"ItemProcessor": inner, "ItemReader": {}})),
            "Field 'ItemReader' is not supported by a Map of the mode 'INLINE'",
        ),
        (
            map(json!({"ItemProcessor": processor(json!({"Mode": "SHARED"}))})),
            "one of [INLINE, DISTRIBUTED], not 'SHARED' at /States/S/ItemProcessor/ProcessorConfig/Mode",
        ),
        (
            map(json!({"ItemProcessor": processor(json!({"Mode": "DISTRIBUTED"}))})),
            "required: [ExecutionType]",
        ),
        (
            map(
                json!({"ItemProcessor": processor(json!({"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}))}),
            ),
            "only executions of the type 'STANDARD' can be run, not 'EXPRESS'",
        ),
        (
            distributed(json!({"ItemBatcher": {"MaxItemsPerBatch": 2}})),
            "Field 'ItemBatcher' is not supported",
        ),
        (
            distributed(json!({"ItemReader": {"Resource": "arn:aws:states:::s3:listObjectsV2"}})),
            "one of [arn:aws:states:::s3:getObject], not 'arn:aws:states:::s3:listObjectsV2'",
        ),
        (distributed(json!({"ItemReader": {}})), "required: [ReaderConfig] at /States/S/ItemReader"),
        (
            distributed(json!({"ItemReader": {"ReaderConfig": {"InputType": "CSV"}, "Parameters": {}}})),
            "one of [JSON, JSONL], not 'CSV' at /States/S/ItemReader/ReaderConfig/InputType",
        ),
        (
            distributed(json!({"ResultWriter": {}})),
            "required: [Resource, Parameters] at /States/S/ResultWriter",
        ),
        (
            distributed(
                json!({"ResultWriter": {"WriterConfig": {"Transformation": "NONE", "OutputType": "JSONL"}}}),
            ),
            "the OutputType 'JSONL' can be written to S3 only",
        ),
        (distributed(json!({"Label": ""})), "Label cannot be empty at /States/S/Label"),
        (distributed(json!({"Label": "a?"})), "Label contains invalid character: '?'"),
        (distributed(json!({"Label": "a".repeat(41)})), "Label cannot exceed 40 characters"),
        (distributed(json!({"ToleratedFailurePercentage": 101})), "a number from 0 to 100, not 101"),
        (retry(json!({})), "type Array at /States/S/Retry"),
        (retry(json!([{}])), "error names at /States/S/Retry[0]/ErrorEquals"),
        (retry(json!([{"ErrorEquals": ["A"], "BackoffRate": 0.5}])), "at least 1.0"),
        (retry(json!([{"ErrorEquals": ["A"], "JitterStrategy": "SOME"}])), "[FULL, NONE]"),
        (retry(json!([{"ErrorEquals": ["A"], "MaxAttempts": 1.5}])), "type Integer"),
        (
            retry(json!([{"ErrorEquals": ["A"], "IntervalSeconds": 5, "MaxDelaySeconds": 5}])),
            "greater than IntervalSeconds",
        ),
        (
            retry(json!([{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["A"]}])),
            "States.ALL must appear alone",
        ),
        (retry(json!([{"ErrorEquals": ["A", "States.ALL"]}])), "States.ALL must appear alone"),
        (
            with(json!({"Type": "Task", "Resource": lambda, "End": true, "Catch": [{"ErrorEquals": ["A"]}]})),
            "required: [Next] at /States/S/Catch[0]",
        ),
    ];
    for (text, words) in rows {
        assert!(text.contains(words), "{words}: {text}");
        assert!(text.starts_with("SCHEMA_VALIDATION_FAILED: "), "{text}");
    }
}

#[test]
fn all_problems_are_reported_together() {
    let text = problems(&machine(
        "A",
        json!({
            "A": {"Type": "Pass", "Next": 3, "Foo": 1},
            "B": {"Type": "Wait", "Seconds": "x", "Next": "A"}
        }),
    ));
    for words in ["/States/A", "/States/A/Next", "'Foo'", "/States/B/Seconds"] {
        assert!(text.contains(words), "{text}");
    }
    let not_json = asl::parse("{").unwrap_err();
    assert_eq!(not_json.diagnostics()[0]["code"], "INVALID_JSON_DESCRIPTION");
}

#[test]
fn functions_are_named_by_full_arns() {
    let ok = |resource: &str| with(json!({"Type": "Task", "Resource": resource, "Next": "T"})).is_empty();
    assert!(ok("arn:aws:lambda:us-east-1:123456789012:function:my-Fn_1"));
    assert!(ok("arn:aws-cn:lambda:cn-north-1:123456789012:function:f:$LATEST"));
    assert!(ok("arn:aws:lambda:us-east-1:123456789012:function:f:prod"));
    for wrong in [
        "f",
        "arn:aws:lambda:us-east-1:12:function:f",
        "arn:aws:lambda:us-east-1:123456789012:function:",
        "arn:aws:lambda:us-east-1:123456789012:function:f:a:b",
    ] {
        assert!(!ok(wrong), "{wrong}");
    }
}
