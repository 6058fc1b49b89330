//! Least privilege, role by role, with what `lambdaResource` may be.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::HANDLERS;
use super::deployed::Deployed;

const SHOP: &str = "arn:aws:lambda:eu-west-1:123456789012:function:shop";
const SHOP_ONE: &str = "arn:aws:lambda:eu-west-1:123456789012:function:shop:1";
const BANK: &str = "arn:aws:lambda:eu-west-1:123456789012:function:bank";

/// What somebody can write for `lambdaResource` to tune the function `shop`.
const WAYS_TO_NAME_SHOP: [&str; 5] = [
    "*",
    SHOP,
    "arn:aws:lambda:eu-west-1:123456789012:function:sh*",
    "arn:aws:lambda:*:*:function:shop",
    "arn:*:lambda:*:*:function:*",
];

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect()
}

/// Whether the pattern fits, `*` reaching over anything: more than IAM allows, so a refusal here is one there.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text
            .strip_prefix(before)
            .is_some_and(|rest| (0..=rest.len()).any(|skipped| fits(after, &rest[skipped..]))),
    }
}

/// Whether the role may do this.
fn allowed(deployed: &Deployed, role: &str, action: &str, resource: &str) -> bool {
    deployed.statements(role).iter().any(|statement| {
        texts(&statement["Action"]).contains(&action)
            && texts(&statement["Resource"]).iter().any(|pattern| fits(pattern, resource))
    })
}

/// Every action of a role, but for those on its own log.
fn actions(deployed: &Deployed, role: &str) -> BTreeSet<String> {
    let statements = deployed.statements(role);
    let actions = statements.iter().flat_map(|statement| texts(&statement["Action"]));
    actions.filter(|action| !action.starts_with("logs:")).map(str::to_owned).collect()
}

#[test]
fn every_handler_may_do_what_it_does_and_no_more() {
    let deployed = Deployed::with(&[]);
    let expected = |handler| match handler {
        "initializer" => vec![
            "lambda:CreateAlias",
            "lambda:DeleteAlias",
            "lambda:DeleteFunction",
            "lambda:GetFunction",
            "lambda:ListAliases",
            "lambda:ListVersionsByFunction",
            "lambda:PublishVersion",
            "lambda:UpdateAlias",
            "lambda:UpdateFunctionConfiguration",
            "states:DescribeExecution",
        ],
        "publisher" => vec![
            "lambda:CreateAlias",
            "lambda:GetAlias",
            "lambda:GetFunction",
            "lambda:PublishVersion",
            "lambda:UpdateAlias",
            "lambda:UpdateFunctionConfiguration",
        ],
        "executor" => vec!["lambda:InvokeFunction"],
        "cleaner" => vec![
            "lambda:DeleteAlias",
            "lambda:DeleteFunction",
            "lambda:GetFunction",
            "lambda:ListAliases",
            "lambda:ListVersionsByFunction",
            "lambda:UpdateAlias",
            "lambda:UpdateFunctionConfiguration",
            "states:DescribeExecution",
        ],
        "analyzer" => vec![],
        _ => vec![
            "lambda:CreateAlias",
            "lambda:DeleteAlias",
            "lambda:GetFunction",
            "lambda:ListAliases",
            "lambda:PublishVersion",
            "lambda:UpdateAlias",
            "lambda:UpdateFunctionConfiguration",
        ],
    };
    for handler in HANDLERS {
        let told: Vec<String> = actions(&deployed, &format!("{handler}Role")).into_iter().collect();
        assert_eq!(told, expected(handler), "{handler}");
    }
}

#[test]
fn every_function_has_a_role_of_its_own_that_only_lambda_assumes() {
    let deployed = Deployed::with(&[]);
    let roles: BTreeSet<_> = HANDLERS.map(|handler| deployed.properties(handler)["Role"].to_string()).into();
    assert_eq!(roles.len(), HANDLERS.len());
    assert_eq!(deployed.of_type("AWS::IAM::Role").len(), HANDLERS.len() + 1);
    for handler in HANDLERS {
        let trust = &deployed.properties(&format!("{handler}Role"))["AssumeRolePolicyDocument"]["Statement"];
        let lambda = json!({"Service": "lambda.amazonaws.com"});
        assert_eq!(*trust, json!([{"Effect": "Allow", "Principal": lambda, "Action": "sts:AssumeRole"}]));
    }
}

#[test]
fn a_function_writes_its_own_log_only() {
    let deployed = Deployed::with(&[]);
    for handler in HANDLERS {
        let role = format!("{handler}Role");
        for other in HANDLERS {
            let stream = format!(
                "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/tuning-{other}:log-stream:x"
            );
            for action in ["logs:CreateLogStream", "logs:PutLogEvents"] {
                assert_eq!(
                    allowed(&deployed, &role, action, &stream),
                    other == handler,
                    "{handler} on {other}"
                );
            }
            assert!(!allowed(&deployed, &role, "logs:CreateLogGroup", &stream));
        }
    }
}

#[test]
fn the_machine_invokes_the_stack_s_functions_and_nothing_else() {
    let deployed = Deployed::with(&[]);
    let statements = deployed.statements("statemachineRole");
    assert_eq!(statements.len(), 1);
    assert_eq!(texts(&statements[0]["Action"]), ["lambda:InvokeFunction"]);
    let mut resources = texts(&statements[0]["Resource"]);
    resources.sort_unstable();
    let mut arns = HANDLERS.map(|handler| deployed.arn(handler));
    arns.sort_unstable();
    assert_eq!(resources, arns);
    assert_eq!(
        deployed.properties("statemachineRole")["AssumeRolePolicyDocument"]["Statement"],
        json!([{"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}}}])
    );
}

#[test]
fn the_machine_of_fleets_runs_the_tuning_machine_and_itself_and_keeps_to_its_bucket() {
    let deployed = Deployed::with(&[("fleets", "true")]);
    let [fleet, tuning] = ["fleetStateMachine", "powerTuningStateMachine"].map(|id| deployed.arn(id));
    let executions = |machine: &str| format!("{}:*", machine.replace(":stateMachine:", ":execution:"));
    let rule =
        "arn:aws:events:eu-west-1:123456789012:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule";
    let objects = format!("{}/*", deployed.arn("fleetsBucket"));
    let granted: BTreeSet<(String, String)> = deployed
        .statements("fleetRole")
        .iter()
        .flat_map(|statement| {
            let (actions, resources) = (texts(&statement["Action"]), texts(&statement["Resource"]));
            let pairs = actions.into_iter().flat_map(move |action| {
                resources.clone().into_iter().map(move |resource| (action.to_owned(), resource.to_owned()))
            });
            pairs.collect::<Vec<_>>()
        })
        .collect();
    let mut expected = BTreeSet::new();
    for machine in [&fleet, &tuning] {
        expected.insert(("states:StartExecution".to_owned(), machine.clone()));
        for action in ["states:DescribeExecution", "states:StopExecution"] {
            expected.insert((action.to_owned(), executions(machine)));
        }
    }
    for action in ["events:DescribeRule", "events:PutRule", "events:PutTargets"] {
        expected.insert((action.to_owned(), rule.to_owned()));
    }
    for action in ["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"] {
        expected.insert((action.to_owned(), objects.clone()));
    }
    assert_eq!(granted, expected);
}

#[test]
fn nobody_but_the_machine_and_the_abort_rule_reaches_a_function() {
    let deployed = Deployed::with(&[("lambdaResource", SHOP)]);
    assert_eq!(deployed.of_type("AWS::Lambda::Permission"), ["abortRulePermission"]);
    assert_eq!(
        *deployed.properties("abortRulePermission"),
        json!({
            "Action": "lambda:InvokeFunction", "FunctionName": deployed.arn("cleaner"),
            "Principal": "events.amazonaws.com", "SourceArn": deployed.arn("abortRule"),
        })
    );
    for role in deployed.of_type("AWS::IAM::Role") {
        for handler in HANDLERS {
            let may = allowed(&deployed, role, "lambda:InvokeFunction", &deployed.arn(handler));
            assert_eq!(may, role == "statemachineRole", "{role} on {handler}");
        }
    }
}

#[test]
fn a_named_function_is_covered_with_its_versions_and_aliases() {
    for given in WAYS_TO_NAME_SHOP {
        let deployed = Deployed::with(&[("lambdaResource", given)]);
        for (role, action) in [
            ("initializerRole", "lambda:ListAliases"),
            ("publisherRole", "lambda:GetFunction"),
            ("executorRole", "lambda:InvokeFunction"),
            ("cleanerRole", "lambda:DeleteAlias"),
            ("optimizerRole", "lambda:PublishVersion"),
        ] {
            for resource in
                [SHOP, SHOP_ONE, "arn:aws:lambda:eu-west-1:123456789012:function:shop:deployer-tuning-128"]
            {
                assert!(
                    allowed(&deployed, role, action, resource),
                    "{role} {action} {resource} with {given}"
                );
            }
            let covers_all = given == "*" || given.ends_with(":function:*");
            assert_eq!(allowed(&deployed, role, action, BANK), covers_all, "{role} {action} with {given}");
        }
    }
}

#[test]
fn functions_of_other_accounts_have_to_be_named() {
    const ELSEWHERE: &str = "arn:aws:lambda:eu-west-1:210987654321:function:shop";
    const INVOKE: &str = "lambda:InvokeFunction";
    let any = Deployed::with(&[]);
    for role in ["initializerRole", "publisherRole", "cleanerRole", "optimizerRole"] {
        assert!(!allowed(&any, role, "lambda:UpdateFunctionConfiguration", ELSEWHERE), "{role}");
    }
    assert!(!allowed(&any, "executorRole", INVOKE, ELSEWHERE));
    let named = Deployed::with(&[("lambdaResource", SHOP), ("processorResource", ELSEWHERE)]);
    for arn in [ELSEWHERE.to_owned(), format!("{ELSEWHERE}:live"), SHOP.to_owned()] {
        assert!(allowed(&named, "executorRole", INVOKE, &arn), "{arn}");
    }
    assert!(!allowed(&named, "executorRole", INVOKE, BANK));
}

#[test]
fn keys_are_used_through_lambda_and_s3_only() {
    const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/0b1c-1-2-3-4d5e";
    let without = Deployed::with(&[]);
    let with = Deployed::with(&[("kmsKeyArns", KEY)]);
    let of_keys = |deployed: &Deployed, role: &str| -> Vec<Value> {
        let statements = deployed.statements(role).into_iter();
        let of_keys = |statement: &Value| texts(&statement["Action"]).iter().any(|a| a.starts_with("kms:"));
        statements.filter(of_keys).collect()
    };
    for handler in HANDLERS {
        let role = format!("{handler}Role");
        assert_eq!(of_keys(&without, &role), Vec::<Value>::new(), "{role}");
        let (actions, through) = match handler {
            "executor" => (json!(["kms:Decrypt"]), "s3.*"),
            "analyzer" => {
                assert_eq!(of_keys(&with, &role), Vec::<Value>::new());
                continue;
            }
            _ => (json!(["kms:CreateGrant", "kms:Decrypt", "kms:Encrypt"]), "lambda.*"),
        };
        let expected = json!({
            "Effect": "Allow", "Action": actions, "Resource": [KEY],
            "Condition": {"StringLike": {"kms:ViaService": through}},
        });
        assert_eq!(of_keys(&with, &role), [expected], "{role}");
    }
}

#[test]
fn functions_cannot_be_deleted_only_their_versions() {
    for given in WAYS_TO_NAME_SHOP {
        let deployed = Deployed::with(&[("lambdaResource", given)]);
        for role in deployed.of_type("AWS::IAM::Role") {
            let cleans = ["initializerRole", "cleanerRole"].contains(&role);
            assert_eq!(
                allowed(&deployed, role, "lambda:DeleteFunction", SHOP_ONE),
                cleans,
                "{role} with {given}"
            );
            for function in [SHOP, BANK, "arn:aws:lambda:eu-west-1:123456789012:function:function"] {
                assert!(!allowed(&deployed, role, "lambda:DeleteFunction", function), "{role} with {given}");
            }
        }
    }
}

#[test]
fn executions_of_this_machine_alone_are_described() {
    let deployed = Deployed::with(&[("stateMachineNamePrefix", "mine")]);
    let execution = |name: &str| format!("arn:aws:states:eu-west-1:123456789012:execution:{name}:run");
    for role in ["initializerRole", "cleanerRole"] {
        assert!(allowed(&deployed, role, "states:DescribeExecution", &execution("mine-0b1c-1-2-3-4d5e")));
        assert!(!allowed(&deployed, role, "states:DescribeExecution", &execution("mine-other")));
        assert!(!allowed(&deployed, role, "states:DescribeExecution", &execution("another")));
        assert!(!allowed(
            &deployed,
            role,
            "states:DescribeExecution",
            &execution("not-mine-0b1c-1-2-3-4d5e")
        ));
    }
}

#[test]
fn payloads_are_read_by_the_executor_from_the_given_place() {
    let action = "s3:GetObject";
    for (key, fits, fits_not) in [("*", "a/b.json", None), ("big/*", "big/b.json", Some("a/b.json"))] {
        let deployed = Deployed::with(&[("payloadS3Bucket", "payloads"), ("payloadS3Key", key)]);
        for handler in HANDLERS {
            let role = format!("{handler}Role");
            let may = allowed(&deployed, &role, action, &format!("arn:aws:s3:::payloads/{fits}"));
            assert_eq!(may, handler == "executor");
            assert!(!allowed(&deployed, &role, action, &format!("arn:aws:s3:::others/{fits}")));
            if let Some(other) = fits_not {
                assert!(!allowed(&deployed, &role, action, &format!("arn:aws:s3:::payloads/{other}")));
            }
        }
    }
    let deployed = Deployed::with(&[]);
    assert!(!actions(&deployed, "executorRole").contains(action), "no bucket, no right");
}

#[test]
fn a_boundary_limits_every_role() {
    let boundary = "arn:aws:iam::123456789012:policy/limit";
    let deployed = Deployed::with(&[("permissionsBoundary", boundary)]);
    for role in deployed.of_type("AWS::IAM::Role") {
        assert_eq!(deployed.properties(role)["PermissionsBoundary"], boundary, "{role}");
    }
    let deployed = Deployed::with(&[]);
    for role in deployed.of_type("AWS::IAM::Role") {
        assert_eq!(deployed.properties(role).get("PermissionsBoundary"), None, "{role}");
    }
}

#[test]
fn no_resource_is_everything_but_that_of_a_vpc() {
    for parameters in [
        &[][..],
        &[("payloadS3Bucket", "payloads"), ("lambdaResource", SHOP)],
        &[("securityGroupIds", "sg-1"), ("subnetIds", "subnet-1")],
    ] {
        let deployed = Deployed::with(parameters);
        let in_vpc = parameters.iter().any(|(name, _)| *name == "subnetIds");
        for role in deployed.of_type("AWS::IAM::Role") {
            let statements = deployed.statements(role);
            let everywhere =
                statements.iter().filter(|statement| texts(&statement["Resource"]).contains(&"*"));
            let everywhere: Vec<_> = everywhere.map(|statement| texts(&statement["Action"])).collect();
            let expected = in_vpc && role != "statemachineRole";
            let attaching = vec![vec![
                "ec2:AssignPrivateIpAddresses",
                "ec2:CreateNetworkInterface",
                "ec2:DeleteNetworkInterface",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeSubnets",
                "ec2:UnassignPrivateIpAddresses",
            ]];
            assert_eq!(
                everywhere,
                if expected { attaching } else { Vec::new() },
                "{role} with {parameters:?}"
            );
            let network = actions(&deployed, role).iter().filter(|action| action.starts_with("ec2:")).count();
            assert_eq!(network, if expected { 6 } else { 0 }, "{role} with {parameters:?}");
        }
    }
}

const COPY: &str = "arn:aws:lambda:eu-west-1:123456789012:function:deployer-tuning-0123456789abcdef-0";
const ROLE: &str = "arn:aws:iam::123456789012:role/own";

/// Everything that a role may do, with what to.
fn granted(deployed: &Deployed, role: &str) -> Vec<(String, Vec<String>)> {
    let statements = deployed.statements(role);
    let owned = |list: Vec<&str>| list.into_iter().map(str::to_owned).collect::<Vec<_>>();
    statements
        .iter()
        .flat_map(|statement| {
            let resources = owned(texts(&statement["Resource"]));
            owned(texts(&statement["Action"])).into_iter().map(move |action| (action, resources.clone()))
        })
        .collect()
}

/// What reads or invokes, and so changes no function.
const HARMLESS: [&str; 7] = [
    "lambda:GetFunction",
    "lambda:GetRuntimeManagementConfig",
    "lambda:GetLayerVersion",
    "lambda:GetAccountSettings",
    "lambda:InvokeFunction",
    "states:DescribeExecution",
    "kms:Decrypt",
];

#[test]
fn with_copies_only_nothing_can_change_a_function_of_the_users() {
    for given in WAYS_TO_NAME_SHOP {
        let parameters = [
            ("copies", "only"),
            ("lambdaResource", given),
            ("copyableRoles", ROLE),
            ("copyRole", "arn:aws:iam::123456789012:role/copies"),
            ("kmsKeyArns", "arn:aws:kms:eu-west-1:123456789012:key/0b1c-1-2-3-4d5e"),
            ("payloadS3Bucket", "payloads"),
            ("processorResource", BANK),
        ];
        let deployed = Deployed::with(&parameters);
        for handler in HANDLERS {
            for (action, resources) in granted(&deployed, &format!("{handler}Role")) {
                if !action.starts_with("lambda:") || HARMLESS.contains(&action.as_str()) {
                    continue;
                }
                for resource in resources {
                    // Whatever else may be done to functions is for names that no user's function has.
                    let name = resource.rsplit(":function:").next().unwrap();
                    assert!(
                        name.starts_with("deployer-tuning-"),
                        "{handler}: {action} on {resource} with {given}"
                    );
                }
            }
        }
        // The policy that says so is read as IAM reads it, too.
        for role in deployed.of_type("AWS::IAM::Role") {
            for action in [
                "lambda:UpdateFunctionConfiguration",
                "lambda:UpdateFunctionCode",
                "lambda:PublishVersion",
                "lambda:CreateAlias",
                "lambda:UpdateAlias",
                "lambda:DeleteAlias",
                "lambda:DeleteFunction",
                "lambda:PutRuntimeManagementConfig",
                "lambda:TagResource",
            ] {
                for function in [SHOP, SHOP_ONE, BANK] {
                    assert!(
                        !allowed(&deployed, role, action, function),
                        "{role} {action} {function} with {given}"
                    );
                }
            }
        }
    }
}

#[test]
fn copies_are_made_invoked_and_deleted_where_the_stack_makes_any() {
    for how in ["no", "also", "only"] {
        let parameters = [("copies", how), ("copyableRoles", ROLE), ("lambdaResource", SHOP)];
        let deployed = Deployed::with(&parameters);
        for (role, action) in [
            ("publisherRole", "lambda:CreateFunction"),
            ("publisherRole", "lambda:TagResource"),
            ("publisherRole", "lambda:PutRuntimeManagementConfig"),
            ("executorRole", "lambda:InvokeFunction"),
            ("cleanerRole", "lambda:DeleteFunction"),
        ] {
            assert_eq!(allowed(&deployed, role, action, COPY), how != "no", "{role} {action} {how}");
            let version = format!("{COPY}:1");
            assert_eq!(allowed(&deployed, role, action, &version), how != "no", "{role} {action} {how}");
        }
        // Nobody else has to do with them.
        for role in deployed.of_type("AWS::IAM::Role") {
            let creates = allowed(&deployed, role, "lambda:CreateFunction", COPY);
            assert_eq!(creates, how != "no" && role == "publisherRole", "{role} {how}");
            assert!(!allowed(&deployed, role, "lambda:CreateFunction", SHOP), "{role} {how}");
        }
        let tunes_itself = allowed(&deployed, "publisherRole", "lambda:UpdateFunctionConfiguration", SHOP);
        assert_eq!(tunes_itself, how != "only");
    }
}

#[test]
fn roles_are_passed_to_lambda_alone_and_only_those_named() {
    let passes = |parameters: &[(&str, &str)]| -> Vec<Value> {
        let deployed = Deployed::with(parameters);
        let roles = deployed.of_type("AWS::IAM::Role");
        let statements = roles
            .into_iter()
            .flat_map(|role| deployed.statements(role).into_iter().map(move |statement| (role, statement)));
        let passing =
            statements.filter(|(_, statement)| texts(&statement["Action"]).contains(&"iam:PassRole"));
        passing
            .map(|(role, statement)| {
                assert_eq!(role, "publisherRole");
                assert_eq!(
                    statement["Condition"],
                    json!({"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}})
                );
                statement["Resource"].clone()
            })
            .collect()
    };
    let copies = "arn:aws:iam::123456789012:role/copies";
    assert_eq!(passes(&[("copyRole", copies), ("copyableRoles", ROLE)]), Vec::<Value>::new());
    assert_eq!(passes(&[("copies", "also"), ("copyRole", copies)]), [json!([copies])]);
    assert_eq!(passes(&[("copies", "also"), ("copyableRoles", ROLE)]), [json!([ROLE])]);
    assert_eq!(
        passes(&[("copies", "only"), ("copyRole", copies), ("copyableRoles", ROLE)]),
        [json!([copies]), json!([ROLE])]
    );
}

#[test]
fn policies_stay_below_iam_s_limit() {
    // A role's inline policies may have 10,240 characters, white space not counted.
    let long = "arn:aws:lambda:ap-southeast-1:123456789012:function:".to_owned() + &"x".repeat(64);
    let deployed = Deployed::with(&[
        ("lambdaResource", &long),
        ("payloadS3Bucket", &"b".repeat(63)),
        ("payloadS3Key", &"k".repeat(1024)),
        ("subnetIds", "subnet-1"),
        ("stateMachineNamePrefix", &"p".repeat(43)),
        ("copies", "also"),
        ("copyRole", ROLE),
        ("copyableRoles", &[ROLE; 10].join(",")),
    ]);
    for role in deployed.of_type("AWS::IAM::Role") {
        let size = Value::from(deployed.statements(role)).to_string().len();
        assert!(size < 10_000, "{role}: {size}");
    }
}
