//! State machines: what their definitions say, and what is wrong with them before they run.

use std::collections::BTreeSet;

use constructs::s3::Bucket;
use constructs::states::StateMachine;
use constructs::{Catch, Choice, DistributedMap, Fail, Flow, Grant, Map, Retry, State, Task, Test};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{evaluate, with_function};

fn task() -> Task {
    Task::invoke(&with_function("work").1)
}

fn definition(flow: Flow) -> Value {
    let (mut stack, function) = with_function("work");
    stack.add("machine", StateMachine { name: "m".into(), flow, role: function.arn() });
    let template: Value = serde_json::from_str(&stack.synth().unwrap().to_json()).unwrap();
    let text = evaluate::text(&template["Resources"]["machine"]["Properties"]["DefinitionString"]);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn problems(flow: &Flow) -> Vec<String> {
    flow.problems().iter().map(ToString::to_string).collect()
}

#[test]
fn a_distributed_map_runs_another_machine_for_each_item_in_s3() {
    let (mut stack, function) = with_function("work");
    let inner = Flow::start_at("Only").state("Only", State::Succeed);
    let tuning = stack.add("inner", StateMachine { name: "inner".into(), flow: inner, role: function.arn() });
    let bucket = stack.add("files", Bucket::default());
    let run = Task::run(&tuning, &json!({"Input.$": "$.input"}))
        .seconds_at("$.seconds")
        .result_selector(&json!({"out.$": "$.Output"}))
        .catch(Catch::all("Lost"))
        .end();
    let one = Flow::start_at("Run").state("Run", run).state("Lost", State::Succeed);
    let map = DistributedMap::over(&bucket, "$.list", "$.results", "Items", one).at_a_time("$.most").end();
    let flow = Flow::start_at("All").state("All", map);
    assert_eq!(problems(&flow), Vec::<String>::new());
    let actions: BTreeSet<String> =
        flow.grants().iter().flat_map(Grant::actions).map(str::to_owned).collect();
    let expected = [
        "events:DescribeRule",
        "events:PutRule",
        "events:PutTargets",
        "s3:AbortMultipartUpload",
        "s3:GetObject",
        "s3:ListMultipartUploadParts",
        "s3:PutObject",
        "states:DescribeExecution",
        "states:StartExecution",
        "states:StopExecution",
    ];
    assert_eq!(actions, expected.map(str::to_owned).into());
    let name = "outer".into();
    stack.add("machine", StateMachine { name, flow, role: function.arn() });
    let template: Value = serde_json::from_str(&stack.synth().unwrap().to_json()).unwrap();
    let text = evaluate::text(&template["Resources"]["machine"]["Properties"]["DefinitionString"]);
    let definition: Value = serde_json::from_str(&text).unwrap();
    let place = |member: &str, path: &str| json!({"Bucket": "<files>", member: path});
    assert_eq!(
        definition["States"]["All"],
        json!({
            "Type": "Map", "Label": "Items",
            "ItemReader": {"Resource": "arn:<AWS::Partition>:states:::s3:getObject", "ReaderConfig": {"InputType": "JSON"},
                "Parameters": place("Key.$", "$.list")},
            "MaxConcurrencyPath": "$.most", "ToleratedFailurePercentage": 100,
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "Run",
                "States": {
                    "Run": {"Type": "Task", "Resource": "arn:<AWS::Partition>:states:::states:startExecution.sync:2",
                        "Parameters": {"StateMachineArn": "<inner>", "Input.$": "$.input"}, "TimeoutSecondsPath": "$.seconds",
                        "ResultSelector": {"out.$": "$.Output"},
                        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Lost"}], "End": true},
                    "Lost": {"Type": "Succeed"},
                },
            },
            "ResultWriter": {"Resource": "arn:<AWS::Partition>:states:::s3:putObject", "Parameters": place("Prefix.$", "$.results")},
            "End": true,
        })
    );
}

#[test]
fn what_is_wrong_within_a_distributed_map_is_told() {
    let (mut stack, _) = with_function("work");
    let bucket = stack.add("files", Bucket::default());
    let one = Flow::start_at("Run")
        .state("Run", task().seconds_at("seconds").result_selector(&json!({"a.$": 1})).next("Nowhere"));
    let map = DistributedMap::over(&bucket, "list", "$.results", "Items", one).at_a_time("most");
    let told = problems(&Flow::start_at("All").state("All", map)).join("\n");
    for part in [
        "Key of the reader 'list' is no path",
        "MaxConcurrencyPath 'most' is no path",
        "it neither ends nor leads anywhere",
        "it leads to 'Nowhere'",
        "TimeoutSecondsPath 'seconds' is no path",
        "ResultSelector member 'a.$' takes a path",
    ] {
        assert!(told.contains(part), "{part} is missing in:\n{told}");
    }
}

#[test]
fn a_flow_becomes_amazon_states_language() {
    let items = Flow::start_at("Try").state("Try", task().retry(Retry::on_all().max_attempts(2)).end());
    let flow = Flow::start_at("First")
        .comment("a test")
        .state(
            "First",
            task()
                .parameters(&json!({"path.$": "$.a", "literal": "${x}"}))
                .result_path("$.first")
                .retry(
                    Retry::on(["A", "B"])
                        .interval_seconds(2)
                        .backoff_rate(3)
                        .max_delay_seconds(9)
                        .full_jitter(),
                )
                .retry(Retry::on_all())
                .catch(Catch::all("Lost").result_path("$.error"))
                .next("Ask"),
        )
        .state(
            "Ask",
            Choice::new()
                .when(Test::is_present("$.more"), "First")
                .when(Test::boolean_equals("$.flag", false), "Done")
                .otherwise("Each"),
        )
        .state(
            "Each",
            Map::over("$.list", items)
                .item_selector(&json!({"item.$": "$$.Map.Item.Value"}))
                .discard_result()
                .output_path("$.first")
                .catch(Catch::all("Lost"))
                .end(),
        )
        .state("Done", State::Succeed)
        .state("Lost", Fail::with("$.error.Error", "$.error.Cause"));
    assert_eq!(
        definition(flow),
        json!({
            "Comment": "a test",
            "StartAt": "First",
            "States": {
                "First": {
                    "Type": "Task", "Resource": "<work.Arn>",
                    "Parameters": {"path.$": "$.a", "literal": "${x}"},
                    "ResultPath": "$.first",
                    "Retry": [
                        {"ErrorEquals": ["A", "B"], "IntervalSeconds": 2, "MaxAttempts": 3, "BackoffRate": 3,
                            "MaxDelaySeconds": 9, "JitterStrategy": "FULL"},
                        {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 3, "BackoffRate": 2},
                    ],
                    "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Lost"}],
                    "Next": "Ask",
                },
                "Ask": {
                    "Type": "Choice",
                    "Choices": [
                        {"Variable": "$.more", "IsPresent": true, "Next": "First"},
                        {"Variable": "$.flag", "BooleanEquals": false, "Next": "Done"},
                    ],
                    "Default": "Each",
                },
                "Each": {
                    "Type": "Map", "ItemsPath": "$.list",
                    "ItemSelector": {"item.$": "$$.Map.Item.Value"},
                    "MaxConcurrency": 0,
                    "ItemProcessor": {
                        "ProcessorConfig": {"Mode": "INLINE"},
                        "StartAt": "Try",
                        "States": {"Try": {
                            "Type": "Task", "Resource": "<work.Arn>",
                            "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 2,
                                "BackoffRate": 2}],
                            "End": true,
                        }},
                    },
                    "ResultPath": null, "OutputPath": "$.first",
                    "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Lost"}],
                    "End": true,
                },
                "Done": {"Type": "Succeed"},
                "Lost": {"Type": "Fail", "ErrorPath": "$.error.Error", "CausePath": "$.error.Cause"},
            },
        })
    );
}

#[test]
fn a_machine_s_grants_bubble_up_from_its_states() {
    let inner = with_function("inner").1;
    let outer = with_function("outer").1;
    let items = Flow::start_at("In").state("In", Task::invoke(&inner).end());
    let flow = Flow::start_at("Out")
        .state("Out", Task::invoke(&outer).next("Each"))
        .state("Each", Map::over("$", items).next("Again"))
        .state("Again", Task::invoke(&outer).next("Done"))
        .state("Done", State::Succeed);
    assert_eq!(flow.grants(), [Grant::new(["lambda:InvokeFunction"], [outer.arn(), inner.arn()])]);
}

#[test]
fn all_problems_of_a_flow_are_reported_together() {
    let items = Flow::start_at("Nowhere").state("Twice", task().end()).state("Out", task().next("Loop"));
    let flow = Flow::start_at("Start")
        .state("Start", task().result_path("x").catch(Catch::all("Gone").result_path("y")).next("Twice"))
        .state("Twice", task())
        .state("Each", Map::over("list", items).item_selector(&json!({"a": {"b.$": 5, "c.$": "text"}})).end())
        .state("Loop", task().next("Loop"))
        .state("Empty", Choice::new())
        .state("Ask", Choice::new().when(Test::is_present("z"), "Ask").otherwise("Start"))
        .state("Fail", Fail::with("e", "$c"))
        .state(
            "Errors",
            task()
                .retry(Retry::on_all().interval_seconds(0))
                .retry(Retry::on(["States.ALL", "B"]))
                .retry(Retry::on(Vec::<String>::new()))
                .catch(Catch::all("Loop"))
                .catch(Catch::all("Loop"))
                .output_path("$out")
                .parameters(&json!({"x.$": "$y"}))
                .end(),
        )
        .state("n".repeat(81), State::Succeed);
    let long = format!("state '{}'", "n".repeat(81));
    let (none, path) = ("which is no state of the same flow", "is no path; it starts with $ or $.");
    let takes = "takes a path or an intrinsic function as its value";
    let mut expected = vec![
        "state 'Twice': the name is used 2 times, inner flows included".to_owned(),
        format!("state 'Start': it leads to 'Gone', {none}"),
        format!("state 'Start': ResultPath 'x' {path}"),
        format!("state 'Start': ResultPath of a catch 'y' {path}"),
        "state 'Twice': it neither ends nor leads anywhere; add next() or end()".to_owned(),
        format!("state 'Each': ItemsPath 'list' {path}"),
        format!("state 'Each': ItemSelector member 'b.$' {takes}"),
        format!("state 'Each': ItemSelector member 'c.$' {takes}"),
        "flow: it starts at 'Nowhere', which is no state of it".to_owned(),
        format!("state 'Out': it leads to 'Loop', {none}"),
        "state 'Empty': a choice needs at least one branch".to_owned(),
        "state 'Empty': nothing is said for the case that no test holds; add otherwise()".to_owned(),
        format!("state 'Ask': Variable 'z' {path}"),
        format!("state 'Fail': ErrorPath 'e' {path}"),
        format!("state 'Fail': CausePath '$c' {path}"),
        format!("state 'Errors': OutputPath '$out' {path}"),
        "state 'Errors': a retry's interval and back-off rate are at least 1".to_owned(),
        "state 'Errors': States.ALL must be the only error of its retry, and that retry the last".to_owned(),
        "state 'Errors': States.ALL must be the only error of its retry, and that retry the last".to_owned(),
        "state 'Errors': a retry names no error".to_owned(),
        "state 'Errors': States.ALL must be the only error of its catch, and that catch the last".to_owned(),
        format!("state 'Errors': Parameters member 'x.$' {takes}"),
        format!("{long}: a state's name has 1 to 80 characters"),
        "state 'Loop': no way from here leads to an end".to_owned(),
    ];
    let unreached = ["Each", "Loop", "Empty", "Ask", "Fail", "Errors"].map(|name| format!("state '{name}'"));
    expected
        .extend(unreached.iter().chain([&long]).map(|at| format!("{at}: no way from the start leads here")));
    let mut told = problems(&flow);
    told.sort();
    expected.sort();
    assert_eq!(told, expected);
}

#[test]
fn a_stack_tells_the_problems_of_its_machines() {
    let (mut stack, function) = with_function("work");
    let flow = Flow::start_at("A").state("A", Task::invoke(&function).next("B"));
    stack.add("machine", StateMachine { name: "m".into(), flow, role: function.arn() });
    assert_eq!(
        stack.synth().unwrap_err().0[0].to_string(),
        "resource 'machine': state 'A': it leads to 'B', which is no state of the same flow"
    );
}

/// Any JSON, the characters that JSON and `Fn::Sub` treat specially included.
fn any_json() -> impl Strategy<Value = Value> {
    let text = "[a\"\\\\${}!\n\u{7}é]{0,6}";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(text, inner, 0..3).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    /// What goes into a definition comes out of CloudFormation's substitution unchanged.
    #[test]
    fn parameters_survive_being_text(parameters in any_json()) {
        let definition = definition(Flow::start_at("A").state("A", task().parameters(&parameters).end()));
        prop_assert_eq!(&definition["States"]["A"]["Parameters"], &parameters);
    }

    /// States are found unreachable, or without an end, exactly when a plain search says so.
    #[test]
    fn ways_are_followed(targets in prop::collection::vec(prop::option::of((any::<prop::sample::Index>(), any::<prop::sample::Index>())), 1..9)) {
        let count = targets.len();
        let edges: Vec<Vec<usize>> = targets
            .iter()
            .map(|pair| pair.map_or(Vec::new(), |(a, b)| vec![a.index(count), b.index(count)]))
            .collect();
        let mut flow = Flow::start_at("0");
        for (index, to) in edges.iter().enumerate() {
            let state = match to[..] {
                [a, b] => task().catch(Catch::all(b.to_string())).next(a.to_string()).into(),
                _ => State::Succeed,
            };
            flow = flow.state(index.to_string(), state);
        }
        let from = |start: usize| {
            let (mut seen, mut open) = (BTreeSet::new(), vec![start]);
            while let Some(here) = open.pop() {
                if seen.insert(here) {
                    open.extend(&edges[here]);
                }
            }
            seen
        };
        let reached = from(0);
        let mut expected = Vec::new();
        for index in 0..count {
            if !reached.contains(&index) {
                expected.push(format!("state '{index}': no way from the start leads here"));
            }
            if !from(index).iter().any(|end| edges[*end].is_empty()) {
                expected.push(format!("state '{index}': no way from here leads to an end"));
            }
        }
        prop_assert_eq!(problems(&flow), expected);
    }
}
