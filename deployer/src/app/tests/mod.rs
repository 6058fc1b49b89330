//! The stack against DESIGN: what it asks for, what it allows, what it runs.

mod deployed;
mod permissions;

use serde_json::{Value, json};

use self::deployed::Deployed;
use super::{Architecture, Stack, asset_bucket, asset_bucket_in};
use constructs::Location;

const HANDLERS: [&str; 6] = ["initializer", "publisher", "executor", "cleaner", "analyzer", "optimizer"];

fn stored(architecture: Architecture) -> Stack {
    Stack::new(architecture, "0a".repeat(32), Location::Bucket(asset_bucket()))
}

#[test]
fn parameters_have_the_names_and_defaults_that_users_know() {
    let template = stored(Architecture::Arm64).synth().unwrap();
    let told: Vec<_> = template
        .parameters()
        .iter()
        .map(|p| (p.name.as_str(), p.kind, p.default.as_deref().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ("PowerValues", "CommaDelimitedList", "128,256,512,1024,1536,3008"),
            ("visualizationURL", "String", "https://lambda-power-tuning.show/"),
            ("hostVisualization", "String", "false"),
            ("lambdaResource", "String", "*"),
            ("processorResource", "String", ""),
            ("optimizableAliases", "CommaDelimitedList", "*"),
            ("kmsKeyArns", "CommaDelimitedList", ""),
            ("assumableRoles", "CommaDelimitedList", ""),
            ("totalExecutionTimeout", "Number", "300"),
            ("permissionsBoundary", "String", ""),
            ("payloadS3Bucket", "String", ""),
            ("payloadS3Key", "String", "*"),
            ("logGroupRetentionInDays", "Number", "7"),
            ("securityGroupIds", "CommaDelimitedList", ""),
            ("subnetIds", "CommaDelimitedList", ""),
            ("stateMachineNamePrefix", "String", "powerTuningStateMachine"),
            ("copies", "String", "no"),
            ("copyRole", "String", ""),
            ("copyableRoles", "CommaDelimitedList", ""),
            ("codeBucket", "String", ""),
            ("fleets", "String", "false"),
        ]
    );
    let declared = serde_json::from_str::<Value>(&template.to_json()).unwrap();
    let timeout = &declared["Parameters"]["totalExecutionTimeout"];
    assert_eq!((&timeout["MinValue"], &timeout["MaxValue"]), (&json!(10), &json!(900)));
    let prefix = &declared["Parameters"]["stateMachineNamePrefix"];
    assert_eq!(prefix["AllowedPattern"], "^[A-Za-z0-9_-]{1,43}$");
    assert_eq!(
        declared["Parameters"]["logGroupRetentionInDays"]["AllowedValues"].as_array().unwrap().len(),
        22
    );
}

#[test]
fn the_machine_s_arn_is_the_only_output() {
    let deployed = Deployed::with(&[("stateMachineNamePrefix", "mine")]);
    let arn = "arn:aws:states:eu-west-1:123456789012:stateMachine:mine-0b1c-1-2-3-4d5e";
    assert_eq!(
        deployed.outputs.into_iter().collect::<Vec<_>>(),
        [("StateMachineARN".to_owned(), json!(arn))]
    );
}

#[test]
fn the_template_is_the_same_every_time_and_fits_a_call_with_room_to_spare() {
    let template = stored(Architecture::Arm64).synth().unwrap();
    assert_eq!(template.to_json(), stored(Architecture::Arm64).synth().unwrap().to_json());
    // CloudFormation takes 51,200 bytes without a detour through S3, and `up` sends it without white space.
    let bytes = template.to_compact_json().len();
    assert!(bytes < 48_000, "{bytes} bytes");
    // Some tools mangle anything else.
    assert!(template.to_json().is_ascii());
}

#[test]
fn the_code_is_where_synthesis_was_told() {
    let file = format!("functions-{}.zip", "0a".repeat(32));
    let code = |stack: &Stack| {
        let template: Value = serde_json::from_str(&stack.synth().unwrap().to_json()).unwrap();
        HANDLERS.map(|handler| template["Resources"][handler]["Properties"]["Code"].clone())
    };
    let bucket = json!({"Fn::Sub": "deployer-assets-${AWS::AccountId}-${AWS::Region}"});
    for code in code(&stored(Architecture::Arm64)) {
        assert_eq!(code, json!({"S3Bucket": bucket, "S3Key": file}));
    }
    for code in code(&Stack::new(Architecture::Arm64, "0a".repeat(32), Location::Local)) {
        assert_eq!(code, json!(format!("./{file}")));
    }
    assert_eq!(asset_bucket_in("123456789012", "eu-west-1"), "deployer-assets-123456789012-eu-west-1");
    let template = stored(Architecture::Arm64).synth().unwrap();
    assert_eq!(template.assets().iter().map(|asset| asset.file_name()).collect::<Vec<_>>(), [file]);
}

#[test]
fn a_wrong_hash_is_refused() {
    let stack = Stack::new(Architecture::Arm64, "latest", Location::Local);
    assert_eq!(
        stack.synth().unwrap_err().to_string(),
        "the stack has 1 problem\n  \
         asset 'functions-latest.zip': 'latest' is no SHA-256; it takes 64 digits of 0-9 and a-f"
    );
}

#[test]
fn six_functions_share_one_binary() {
    let deployed = Deployed::with(&[("totalExecutionTimeout", "77"), ("logGroupRetentionInDays", "30")]);
    assert_eq!(deployed.of_type("AWS::Lambda::Function").len(), HANDLERS.len());
    for handler in HANDLERS {
        let function = deployed.properties(handler);
        assert_eq!(function["Handler"], handler);
        assert_eq!(function["Runtime"], "provided.al2023");
        assert_eq!(function["Architectures"], json!(["arm64"]));
        assert_eq!(function["Code"], deployed.properties("initializer")["Code"]);
        assert_eq!(function["Role"], deployed.arn(&format!("{handler}Role")));
        assert_eq!(function["Tags"], json!([{"Key": "deployer:apparatus", "Value": "true"}]));
        assert_eq!(function["LoggingConfig"]["LogGroup"], format!("/aws/lambda/tuning-{handler}"));
        assert_eq!(function.get("VpcConfig"), None);
        let timeout = match handler {
            "publisher" | "executor" => json!("77"),
            "initializer" | "optimizer" => json!(300),
            "cleaner" => json!(900),
            _ => json!(30),
        };
        assert_eq!(function["Timeout"], timeout, "{handler}");
        let log = deployed.properties(&format!("{handler}LogGroup"));
        assert_eq!(
            *log,
            json!({"LogGroupName": format!("/aws/lambda/tuning-{handler}"), "RetentionInDays": "30"})
        );
    }
}

#[test]
fn functions_are_told_what_they_cannot_know() {
    let deployed =
        Deployed::with(&[("PowerValues", "128,10240"), ("visualizationURL", "https://charts.example/")]);
    let environment = |handler: &str| deployed.properties(handler).get("Environment").cloned();
    assert_eq!(
        environment("initializer"),
        Some(json!({"Variables": {"defaultPowerValues": "128,10240", "optimizableAliases": "*"}}))
    );
    assert_eq!(environment("optimizer"), Some(json!({"Variables": {"optimizableAliases": "*"}})));
    assert_eq!(
        environment("analyzer"),
        Some(json!({"Variables": {"visualizationURL": "https://charts.example/"}}))
    );
    assert_eq!(environment("executor"), None);
    for handler in ["publisher", "cleaner"] {
        assert_eq!(environment(handler), Some(json!({"Variables": {}})), "{handler}");
    }
}

#[test]
fn a_stack_that_makes_copies_has_a_place_for_code_and_logs() {
    let without = Deployed::with(&[("copyRole", "arn:aws:iam::123456789012:role/copies")]);
    assert!(without.of_type("AWS::S3::Bucket").is_empty());
    let with = Deployed::with(&[
        ("copies", "also"),
        ("copyableRoles", "arn:aws:iam::123456789012:role/a,arn:aws:iam::123456789012:role/b"),
        ("PowerValues", "128,256"),
    ]);
    assert_eq!(with.of_type("AWS::S3::Bucket"), [super::COPIES_BUCKET]);
    let rules = &with.properties(super::COPIES_BUCKET)["LifecycleConfiguration"]["Rules"];
    assert_eq!((rules[0]["ExpirationInDays"].clone(), &rules[0]["Status"]), (json!(1), &json!("Enabled")));
    assert_eq!(with.properties("copiesLogGroup")["LogGroupName"], "/aws/lambda/tuning-copies");
    let environment = |handler: &str| with.properties(handler)["Environment"]["Variables"].clone();
    let bucket = "tuning-copiesBucket-0";
    assert_eq!(
        environment("publisher"),
        json!({"copyBucket": bucket, "copyLogGroup": "/aws/lambda/tuning-copies", "copyStack": "tuning"})
    );
    assert_eq!(environment("cleaner"), json!({"copyBucket": bucket, "defaultPowerValues": "128,256"}));
    let rules = environment("initializer");
    assert_eq!((&rules["copies"], &rules["copyRole"]), (&json!("also"), &json!("")));
    assert_eq!(rules["copyableRoles"], "arn:aws:iam::123456789012:role/a,arn:aws:iam::123456789012:role/b");
}

#[test]
fn fleets_have_a_machine_and_a_bucket_only_where_they_are_asked_for() {
    let without = Deployed::with(&[]);
    assert_eq!(without.of_type("AWS::StepFunctions::StateMachine"), ["powerTuningStateMachine"]);
    assert!(without.of_type("AWS::S3::Bucket").is_empty());
    assert!(!without.resources.contains_key("fleetRole"));
    let with = Deployed::with(&[("fleets", "true"), ("stateMachineNamePrefix", &"p".repeat(43))]);
    let machine = with.arn("fleetStateMachine");
    assert_eq!(with.outputs[super::FLEET_MACHINE_OUTPUT], machine);
    let name = machine.rsplit(':').next().unwrap();
    // Twelve digits end a stack's id on AWS, and a name has 80 characters at most.
    assert!(name.ends_with("-fleet-4d5e") && name.len() - "4d5e".len() + 12 <= 80, "{name}");
    let bucket = "tuning-fleetsBucket-0";
    assert_eq!(with.outputs[super::FLEETS_BUCKET_OUTPUT], bucket);
    let rules = &with.properties(super::FLEETS_BUCKET)["LifecycleConfiguration"]["Rules"];
    assert_eq!(rules[0]["ExpirationInDays"], 90);

    let definition = with.definition_of("fleetStateMachine");
    let map = &definition["States"]["Functions"];
    assert_eq!(map["ItemReader"]["Parameters"], json!({"Bucket": bucket, "Key.$": "$.plan"}));
    assert_eq!(map["ResultWriter"]["Parameters"], json!({"Bucket": bucket, "Prefix.$": "$.results"}));
    assert_eq!(
        (&map["ToleratedFailurePercentage"], &map["MaxConcurrencyPath"]),
        (&json!(100), &json!("$.atOnce"))
    );
    let run = &map["ItemProcessor"]["States"]["Function"];
    assert_eq!(run["Resource"], "arn:aws:states:::states:startExecution.sync:2");
    let tuning = with.arn("powerTuningStateMachine");
    assert_eq!(
        run["Parameters"],
        json!({"StateMachineArn": tuning, "Name.$": "$.name", "Input.$": "$.input"})
    );
    assert_eq!(run["Catch"], json!([{"ErrorEquals": ["States.ALL"], "Next": "Failure"}]));
}

#[test]
fn the_page_is_hosted_where_it_is_asked_for_and_links_lead_to_it() {
    let types = ["AWS::S3::Bucket", "AWS::S3::BucketPolicy", "AWS::CloudFront::Distribution"];
    let types = types.into_iter().chain(["AWS::CloudFront::OriginAccessControl"]);
    let elsewhere = Deployed::with(&[]);
    assert!(types.clone().all(|kind| elsewhere.of_type(kind).is_empty()));
    assert_eq!(elsewhere.outputs.get("visualizationURL"), None);

    let hosted =
        Deployed::with(&[("hostVisualization", "true"), ("visualizationURL", "https://other.example/")]);
    assert!(types.clone().all(|kind| hosted.of_type(kind).len() == 1));
    let url = "https://d111111abcdef8.cloudfront.net/";
    assert_eq!(hosted.outputs["visualizationURL"], url);
    assert_eq!(hosted.properties("analyzer")["Environment"]["Variables"]["visualizationURL"], url);
    assert!(hosted.of_type("AWS::S3::Bucket") == [super::PAGE_BUCKET]);
    let read = &hosted.properties("visualizationBucketPolicy")["PolicyDocument"]["Statement"][0];
    assert_eq!(
        read["Condition"]["StringEquals"]["AWS:SourceArn"],
        "arn:aws:cloudfront::123456789012:distribution/tuning-visualizationDistribution-0"
    );
    assert_eq!(read["Resource"], "arn:aws:s3:::tuning-visualizationBucket-0/*");
    let control = hosted.properties("visualizationAccessControl");
    assert_eq!(control["OriginAccessControlConfig"]["Name"], "deployer-0b1c-1-2-3-4d5e");
}

#[test]
fn the_executor_gets_more_memory_where_payloads_come_from_s3() {
    let memory = |parameters| {
        let deployed = Deployed::with(parameters);
        HANDLERS.map(|handler| deployed.properties(handler)["MemorySize"].as_u64().unwrap())
    };
    // The Analyzer's is for the search.
    assert_eq!(memory(&[]), [128, 128, 128, 128, 256, 128]);
    assert_eq!(memory(&[("payloadS3Bucket", "payloads")]), [128, 128, 256, 128, 256, 128]);
}

#[test]
fn both_architectures_differ_in_nothing_else() {
    let text = |architecture| stored(architecture).synth().unwrap().to_json();
    assert_eq!(text(Architecture::X86_64).replace("\"x86_64\"", "\"arm64\""), text(Architecture::Arm64));
    assert_eq!(text(Architecture::X86_64).matches("\"x86_64\"").count(), HANDLERS.len());
}

#[test]
fn a_vpc_is_all_or_nothing_but_never_ignored() {
    for (parameters, groups, subnets) in [
        (
            &[("securityGroupIds", "sg-1,sg-2"), ("subnetIds", "subnet-1")][..],
            json!(["sg-1", "sg-2"]),
            json!(["subnet-1"]),
        ),
        (&[("subnetIds", "subnet-1")], json!([""]), json!(["subnet-1"])),
        (&[("securityGroupIds", "sg-1")], json!(["sg-1"]), json!([""])),
    ] {
        let deployed = Deployed::with(parameters);
        for handler in HANDLERS {
            let vpc = &deployed.properties(handler)["VpcConfig"];
            assert_eq!(*vpc, json!({"SecurityGroupIds": groups, "SubnetIds": subnets}));
        }
    }
}

#[test]
fn aborted_executions_are_cleaned_up_after() {
    let deployed = Deployed::with(&[]);
    assert_eq!(deployed.of_type("AWS::Events::Rule"), ["abortRule"]);
    let rule = deployed.properties("abortRule");
    assert_eq!(
        rule["EventPattern"],
        json!({
            "source": ["aws.states"],
            "detail-type": ["Step Functions Execution Status Change"],
            "detail": {
                "status": ["ABORTED", "FAILED", "TIMED_OUT"],
                "stateMachineArn": [deployed.outputs["StateMachineARN"]],
            },
        })
    );
    assert_eq!(rule["Targets"], json!([{"Id": "cleaner", "Arn": deployed.arn("cleaner")}]));
    assert_eq!(rule["State"], "ENABLED");
}

/// `Type`, `Next` and what a failure leads to, of every state of a flow.
fn ways(flow: &Value) -> Vec<(String, String, Vec<String>)> {
    let states = flow["States"].as_object().unwrap();
    let mut ways: Vec<_> = states
        .iter()
        .map(|(name, state)| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let branches =
                state["Choices"].as_array().into_iter().flatten().map(|branch| text(&branch["Next"]));
            let next = ["Next", "Default"].into_iter().filter_map(|key| state.get(key)).map(text);
            let catch = state["Catch"].as_array().into_iter().flatten().map(|catch| text(&catch["Next"]));
            (name.clone(), text(&state["Type"]), branches.chain(next).chain(catch).collect())
        })
        .collect();
    ways.sort();
    ways
}

fn way(name: &str, kind: &str, targets: &[&str]) -> (String, String, Vec<String>) {
    (name.to_owned(), kind.to_owned(), targets.iter().map(|target| (*target).to_owned()).collect())
}

#[test]
fn a_run_goes_through_its_states_in_order_and_cleans_up_from_everywhere() {
    let definition = Deployed::with(&[]).definition();
    assert_eq!(definition["StartAt"], "Initializer");
    assert_eq!(
        ways(&definition),
        [
            way("AllPublished", "Choice", &["Publisher", "MeasureRound", "Measure"]),
            way("Analyzer", "Task", &["Optimizer", "CleanUpOnError"]),
            way("CleanUpOnError", "Task", &["Failed", "Failed"]),
            way("Cleaner", "Task", &["Analyzer", "CleanUpOnError"]),
            way("Failed", "Fail", &[]),
            way("Initializer", "Task", &["Publisher", "CleanUpOnError"]),
            way("Measure", "Map", &["Cleaner", "CleanUpOnError"]),
            way("MeasureRound", "Map", &["Planner", "CleanUpOnError"]),
            way("Optimizer", "Task", &["CleanUpOnError"]),
            way("Planned", "Choice", &["Cleaner", "MeasureRound", "Publisher"]),
            way("Planner", "Task", &["Planned", "CleanUpOnError"]),
            way("Publisher", "Task", &["AllPublished", "CleanUpOnError"]),
        ]
    );
    let processor = &definition["States"]["Measure"]["ItemProcessor"];
    assert_eq!(processor["StartAt"], "Executor");
    assert_eq!(
        ways(processor),
        [
            way("AllMeasured", "Choice", &["Executor", "Measured"]),
            way("Executor", "Task", &["AllMeasured"]),
            way("Measured", "Succeed", &[]),
        ]
    );
    let round = &definition["States"]["MeasureRound"]["ItemProcessor"];
    assert_eq!(
        ways(round),
        [
            way("AllMeasuredInRound", "Choice", &["ExecutorInRound", "MeasuredInRound"]),
            way("ExecutorInRound", "Task", &["AllMeasuredInRound"]),
            way("MeasuredInRound", "Succeed", &[]),
        ]
    );
}

#[test]
fn states_pass_on_what_the_functions_expect() {
    let deployed = Deployed::with(&[]);
    let definition = deployed.definition();
    let whole = json!({"input.$": "$", "execution.$": "$$.Execution.Id"});
    let member = |state: &str, name: &str| definition["States"][state].get(name).cloned();
    for (state, function, parameters, result) in [
        ("Initializer", "initializer", Some(&whole), Some(json!("$.run"))),
        ("Publisher", "publisher", Some(&whole), Some(json!("$.run"))),
        ("Cleaner", "cleaner", Some(&whole), Some(json!("$.cleaned"))),
        ("Analyzer", "analyzer", None, Some(json!("$.analysis"))),
        ("Planner", "analyzer", Some(&json!({"plan.$": "$"})), Some(json!("$.run"))),
        ("Optimizer", "optimizer", Some(&whole), Some(json!("$.analysis"))),
        ("CleanUpOnError", "cleaner", Some(&whole), Some(json!("$.cleaned"))),
    ] {
        assert_eq!(member(state, "Resource"), Some(json!(deployed.arn(function))), "{state}");
        assert_eq!(member(state, "Parameters").as_ref(), parameters, "{state}");
        assert_eq!(member(state, "ResultPath"), result, "{state}");
        let caught = if state == "CleanUpOnError" { "$.cleanupError" } else { "$.error" };
        assert_eq!(definition["States"][state]["Catch"][0]["ResultPath"], caught, "{state}");
    }
    assert_eq!(member("Optimizer", "OutputPath"), Some(json!("$.analysis")));
    assert_eq!(member("Optimizer", "End"), Some(json!(true)));
    assert_eq!(
        member("AllPublished", "Choices"),
        Some(json!([
            {"Variable": "$.run.published.done", "BooleanEquals": false, "Next": "Publisher"},
            {"Variable": "$.run.search", "IsPresent": true, "Next": "MeasureRound"},
        ]))
    );
    assert_eq!(
        member("Planned", "Choices"),
        Some(json!([
            {"Variable": "$.run.search.done", "BooleanEquals": true, "Next": "Cleaner"},
            {"Variable": "$.run.published.done", "BooleanEquals": true, "Next": "MeasureRound"},
        ]))
    );
    assert_eq!(member("MeasureRound", "ItemsPath"), Some(json!("$.run.search.blocks")));
    assert_eq!(member("MeasureRound", "ResultPath"), Some(json!("$.stats")));
    assert_eq!(member("Measure", "ItemsPath"), Some(json!("$.run.powerValues")));
    assert_eq!(
        member("Measure", "ItemSelector"),
        Some(json!({"input.$": "$", "value.$": "$$.Map.Item.Value"}))
    );
    for map in ["Measure", "MeasureRound"] {
        assert_eq!(member(map, "MaxConcurrencyPath"), Some(json!("$.run.sizesAtOnce")));
        assert_eq!(member(map, "MaxConcurrency"), None);
    }
    assert_eq!(member("Measure", "ResultPath"), Some(json!("$.stats")));
    assert_eq!(member("Failed", "ErrorPath"), Some(json!("$.error.Error")));
    assert_eq!(member("Failed", "CausePath"), Some(json!("$.error.Cause")));

    let inner = &definition["States"]["Measure"]["ItemProcessor"]["States"];
    assert_eq!(inner["Executor"]["Resource"], json!(deployed.arn("executor")));
    assert_eq!((inner["Executor"].get("Parameters"), inner["Executor"].get("ResultPath")), (None, None));
    assert_eq!(
        inner["AllMeasured"]["Choices"],
        json!([{"Variable": "$.progress", "IsPresent": true, "Next": "Executor"}])
    );
}

#[test]
fn lambda_s_weather_is_waited_out_and_only_what_can_be_repeated_is() {
    let definition = Deployed::with(&[]).definition();
    let executor = &definition["States"]["Measure"]["ItemProcessor"]["States"]["Executor"];
    let tasks = ["Initializer", "Publisher", "Cleaner", "Analyzer", "Optimizer", "CleanUpOnError"];
    for (name, state) in
        tasks.map(|name| (name, &definition["States"][name])).into_iter().chain([("Executor", executor)])
    {
        let retry = state["Retry"].as_array().unwrap();
        let transient = retry[0]["ErrorEquals"].as_array().unwrap();
        assert!(transient.contains(&json!("Lambda.TooManyRequestsException")), "{name}");
        assert!(transient.contains(&json!("Lambda.ServiceException")), "{name}");
        assert_eq!(retry[0]["JitterStrategy"], "FULL", "{name}");
        let all = retry.iter().find(|retry| retry["ErrorEquals"] == json!(["States.ALL"]));
        let attempts = all.map(|all| (all["IntervalSeconds"].clone(), all["MaxAttempts"].clone()));
        let expected = match name {
            "Executor" => Some((json!(3), json!(2))),
            "Cleaner" | "CleanUpOnError" => Some((json!(5), json!(4))),
            _ => None,
        };
        assert_eq!(attempts, expected, "{name}");
    }
}

#[test]
fn the_default_name_is_a_stack_name() {
    assert!(crate::options::DEFAULT_STACK_NAME.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
}

#[test]
fn a_deployed_template_tells_what_its_functions_are_built_for() {
    let told = |template: &Value| super::deployed_architecture(template);
    let ours = |architecture| {
        serde_json::from_str::<Value>(&stored(architecture).synth().unwrap().to_json()).unwrap()
    };
    assert_eq!(told(&ours(Architecture::Arm64)), Some(Architecture::Arm64));
    assert_eq!(told(&ours(Architecture::X86_64)), Some(Architecture::X86_64));
    let unsaid = json!({"Resources": {"f": {"Type": "AWS::Lambda::Function", "Properties": {}}}});
    assert_eq!(told(&unsaid), Some(Architecture::X86_64), "Lambda's default");
    assert_eq!(told(&json!({"Resources": {"g": {"Type": "AWS::Logs::LogGroup"}}})), None);
}
