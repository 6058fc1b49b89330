//! Whole stacks: what a template looks like, and what keeps it from becoming one.

use constructs::cloudfront::{Distribution, OriginAccessControl, PriceClass};
use constructs::events::{EventPattern, Rule};
use constructs::iam::Role;
use constructs::lambda::{Permission, Vpc};
use constructs::logs::LogGroup;
use constructs::s3::{Bucket, BucketPolicy};
use constructs::states::StateMachine;
use constructs::{
    Asset, Condition, Flow, Grant, Handle, Location, Parameter, Predicate, Principal, Properties,
    RawResource, Resource, Stack, Task, Val, pseudo, text,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{function, lambda_role, with_function};

fn synth(stack: &Stack) -> Value {
    serde_json::from_str(&stack.synth().unwrap().to_json()).unwrap()
}

fn problems(stack: &Stack) -> Vec<String> {
    stack.synth().unwrap_err().0.iter().map(ToString::to_string).collect()
}

/// A stack with one of everything.
fn everything() -> Stack {
    let (mut stack, function) = with_function("work");
    let days = stack.parameter("days", &Parameter::<u32>::new("Days").default(3u32).allowed_values([1, 3]));
    let bucket = stack.parameter("bucket", &Parameter::<String>::new("A bucket").default("").max_length(63));
    let given = stack.condition("Given", Predicate::is_given(&bucket));
    let log = stack.add("log", LogGroup { name: text!["/", pseudo::stack_name()], retention_in_days: days });
    let role = stack.add(
        "machineRole",
        Role {
            grants: vec![
                log.grant_write(),
                function.grant_invoke(),
                Grant::new(["s3:GetObject"], [text!["arn:aws:s3:::", &bucket, "/*"]]).only_if(&given),
            ],
            assumed_by: Principal::service("states.amazonaws.com").for_account(&pseudo::account_id()),
            ..lambda_role()
        },
    );
    let flow = Flow::start_at("Work").state("Work", Task::invoke(&function).end());
    let machine = stack.add("machine", StateMachine { name: "m".into(), flow, role: role.arn() });
    let rule = stack.add(
        "rule",
        Rule {
            description: "r".to_owned(),
            pattern: EventPattern {
                source: "aws.states".to_owned(),
                detail_type: "t".to_owned(),
                detail: vec![("arn".to_owned(), vec![machine.arn().as_text()])],
            },
            targets: vec![("work".to_owned(), function.arn())],
        },
    );
    stack.add(
        "permission",
        Permission {
            function: function.arn(),
            principal: "events.amazonaws.com".to_owned(),
            source_arn: rule.arn(),
        },
    );
    stack.output("Arn", "the machine", &machine.arn());
    stack
}

#[test]
fn the_same_stack_gives_the_same_bytes() {
    assert_eq!(everything().synth().unwrap().to_json(), everything().synth().unwrap().to_json());
    assert_eq!(
        everything().synth().unwrap().to_compact_json(),
        everything().synth().unwrap().to_compact_json()
    );
}

#[test]
fn both_forms_of_the_json_say_the_same() {
    let template = everything().synth().unwrap();
    let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(value(&template.to_json()), value(&template.to_compact_json()));
    assert!(!template.to_compact_json().contains('\n'));
    assert!(template.to_json().ends_with("}\n"));
}

#[test]
fn what_fits_on_a_line_stays_on_one_and_what_stands_alone_has_no_line_of_its_own() {
    let mut stack = Stack::new("short");
    let role = Role {
        permissions_boundary: Some(text!["arn:", pseudo::partition(), ":iam::aws:policy/x"]),
        ..lambda_role()
    };
    let handle = stack.add("role", role);
    stack.output("Role", "an ARN", &handle.arn());
    let lines = [
        r#"{"#,
        r#" "AWSTemplateFormatVersion": "2010-09-09","#,
        r#" "Description": "short","#,
        r#" "Resources": {"role": {"#,
        r#"  "Type": "AWS::IAM::Role","#,
        r#"  "Properties": {"#,
        r#"   "Description": "for a test","#,
        r#"   "AssumeRolePolicyDocument": {"#,
        r#"    "Version": "2012-10-17","#,
        r#"    "Statement": [{"#,
        r#"     "Effect": "Allow","#,
        r#"     "Principal": {"Service": "lambda.amazonaws.com"},"#,
        r#"     "Action": "sts:AssumeRole""#,
        r#"    }]"#,
        r#"   },"#,
        r#"   "PermissionsBoundary": {"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/x"}"#,
        r#"  }"#,
        r#" }},"#,
        r#" "Outputs": {"Role": {"Description": "an ARN", "Value": {"Fn::GetAtt": ["role", "Arn"]}}}"#,
        r#"}"#,
        r#""#,
    ];
    assert_eq!(stack.synth().unwrap().to_json(), lines.join("\n"));
}

#[test]
fn everything_stands_in_the_order_in_which_it_was_added() {
    let text = everything().synth().unwrap().to_json();
    let order = [
        "AWSTemplateFormatVersion",
        "Parameters",
        "days",
        "bucket",
        "Conditions",
        "Given",
        "Resources",
        "workRole",
        "work",
        "log",
        "machineRole",
        "machine",
        "rule",
        "permission",
        "Outputs",
    ];
    let places = order.map(|name| text.find(&format!("\"{name}\": ")).unwrap());
    assert!(places.is_sorted(), "{order:?} at {places:?}");
}

#[test]
fn parameters_are_declared_with_their_limits() {
    let mut stack = everything();
    let more = [
        stack.parameter(
            "name",
            &Parameter::<String>::new("N")
                .default("x")
                .max_length(5)
                .allowed_pattern("^x$")
                .constraint_description("x"),
        ),
        stack.parameter("number", &Parameter::<u32>::new("#").default(5u32).range(1, 9)).split_for_test(),
        stack
            .parameter("list", &Parameter::<Vec<String>>::new("L").default(["a".to_owned(), "b".to_owned()]))
            .join(","),
        stack.parameter("must", &Parameter::<String>::new("M")),
    ];
    more.iter().enumerate().for_each(|(index, value)| stack.output(&format!("O{index}"), "", value));
    let template = stack.synth().unwrap();
    let parameters = &serde_json::from_str::<Value>(&template.to_json()).unwrap()["Parameters"];
    assert_eq!(
        *parameters,
        json!({
            "days": {"Type": "Number", "Description": "Days", "Default": 3, "AllowedValues": [1, 3]},
            "bucket": {"Type": "String", "Description": "A bucket", "Default": "", "MaxLength": 63},
            "name": {"Type": "String", "Description": "N", "Default": "x", "MaxLength": 5, "AllowedPattern": "^x$",
                "ConstraintDescription": "x"},
            "number": {"Type": "Number", "Description": "#", "Default": 5, "MinValue": 1, "MaxValue": 9},
            "list": {"Type": "CommaDelimitedList", "Description": "L", "Default": "a,b"},
            "must": {"Type": "String", "Description": "M"},
        })
    );
    let told: Vec<_> =
        template.parameters().iter().map(|p| (p.name.as_str(), p.kind, p.default.as_deref())).collect();
    assert_eq!(
        told,
        [
            ("days", "Number", Some("3")),
            ("bucket", "String", Some("")),
            ("name", "String", Some("x")),
            ("number", "Number", Some("5")),
            ("list", "CommaDelimitedList", Some("a,b")),
            ("must", "String", None),
        ]
    );
}

/// A number where a text is wanted, as outputs take them.
trait ForTest {
    fn split_for_test(self) -> Val<String>;
}

impl ForTest for Val<u32> {
    fn split_for_test(self) -> Val<String> {
        Val::from(vec![self]).join("")
    }
}

#[test]
fn grants_become_the_role_s_policy() {
    let template = synth(&everything());
    let role = &template["Resources"]["machineRole"]["Properties"];
    assert_eq!(
        role["Policies"],
        json!([{"PolicyName": "grants", "PolicyDocument": {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                "Resource": [{"Fn::GetAtt": ["log", "Arn"]}]},
            {"Effect": "Allow", "Action": ["lambda:InvokeFunction"], "Resource": [{"Fn::GetAtt": ["work", "Arn"]}]},
            {"Fn::If": ["Given",
                {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": [{"Fn::Sub": "arn:aws:s3:::${bucket}/*"}]},
                {"Ref": "AWS::NoValue"}]},
        ]}}])
    );
    assert_eq!(
        role["AssumeRolePolicyDocument"]["Statement"],
        json!([{"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}}])
    );
    assert_eq!(
        template["Resources"]["workRole"]["Properties"].get("Policies"),
        None,
        "nothing granted, no policy"
    );
}

#[test]
fn grants_of_the_same_actions_become_one_statement() {
    let (mut stack, one) = with_function("one");
    let role = stack.add("twoRole", lambda_role());
    let two = stack.add("two", function(role.arn()));
    let merged = Grant::merged([one.grant_invoke(), two.grant_invoke(), one.grant_invoke()]);
    assert_eq!(merged, [Grant::new(["lambda:InvokeFunction"], [one.arn(), two.arn()])]);
}

#[test]
fn a_grant_with_a_condition_stays_apart_from_one_without() {
    let mut stack = Stack::new("");
    let name = stack.parameter("name", &Parameter::<String>::new("").default(""));
    let given = stack.condition("Given", Predicate::is_given(&name));
    let grant = Grant::new(["s3:GetObject"], [text!["arn:a"]]);
    assert_eq!(Grant::merged([grant.clone(), grant.only_if(&given)]).len(), 2);
}

#[test]
fn a_network_is_attached_where_the_condition_holds() {
    let (mut stack, _) = with_function("work");
    let ids = stack.parameter("ids", &Parameter::<Vec<String>>::new("").default([]));
    let given = stack.condition("Given", Predicate::any_given(&ids));
    let vpc = Val::only_if(&given, Vpc { security_group_ids: ids.clone(), subnet_ids: ids });
    let role = stack.add("inRole", lambda_role());
    stack.add("inside", constructs::lambda::Function { vpc: Some(vpc), ..function(role.arn()) });
    assert_eq!(
        synth(&stack)["Resources"]["inside"]["Properties"]["VpcConfig"],
        json!({"Fn::If": ["Given", {"SecurityGroupIds": {"Ref": "ids"}, "SubnetIds": {"Ref": "ids"}},
            {"Ref": "AWS::NoValue"}]})
    );
}

#[test]
fn tags_are_a_list_of_keys_and_values() {
    let tagged = |key: &str| {
        let (mut stack, _) = with_function("work");
        let role = stack.add("taggedRole", lambda_role());
        let tags = [(key.to_owned(), pseudo::region())].into();
        stack.add("tagged", constructs::lambda::Function { tags, ..function(role.arn()) });
        stack
    };
    let resources = &synth(&tagged("place"))["Resources"];
    assert_eq!(
        resources["tagged"]["Properties"]["Tags"],
        json!([{"Key": "place", "Value": {"Ref": "AWS::Region"}}])
    );
    assert_eq!(resources["work"]["Properties"].get("Tags"), None, "no tags, no property");
    assert_eq!(
        problems(&tagged("aws:place")),
        ["resource 'tagged': the tag 'aws:place' begins with aws:, which belongs to AWS"]
    );
}

#[test]
fn assets_are_keyed_by_their_content() {
    let hash = "0f".repeat(32);
    let stored = Asset::zip("code", &hash, Location::Bucket(text!["b-", pseudo::region()]));
    let local = Asset::zip("code", &hash, Location::Local);
    let code = |asset: &Asset| {
        let (mut stack, _) = with_function("other");
        stack.asset(asset);
        stack.asset(asset);
        let role = stack.add("workRole", lambda_role());
        stack.add("work", constructs::lambda::Function { code: asset.code(), ..function(role.arn()) });
        assert_eq!(stack.synth().unwrap().assets(), std::slice::from_ref(asset), "told once");
        synth(&stack)["Resources"]["work"]["Properties"]["Code"].clone()
    };
    let file = format!("code-{hash}.zip");
    assert_eq!(code(&stored), json!({"S3Bucket": {"Fn::Sub": "b-${AWS::Region}"}, "S3Key": file}));
    assert_eq!(code(&local), json!(format!("./{file}")));
}

/// A page in a bucket behind a distribution, all of it only where the parameter says so.
fn hosting() -> (Stack, Condition, Handle<Bucket>, Handle<Distribution>) {
    let mut stack = Stack::new("");
    let host = stack.parameter("host", &Parameter::<String>::new("").default("no"));
    let hosted = stack.condition("Hosted", Predicate::equals(&host, "yes"));
    let bucket = stack.add_if(&hosted, "bucket", Bucket::default());
    let control = OriginAccessControl { name: "c".into(), description: "reads".to_owned() };
    let access_control = stack.add_if(&hosted, "control", control);
    let distribution = Distribution {
        comment: "a page".to_owned(),
        origin: bucket.clone(),
        access_control,
        default_root_object: "index.html".to_owned(),
        price_class: PriceClass::Cheapest,
    };
    let distribution = stack.add_if(&hosted, "distribution", distribution);
    let policy = BucketPolicy { bucket: bucket.clone(), distribution: distribution.arn() };
    stack.add_if(&hosted, "policy", policy);
    (stack, hosted, bucket, distribution)
}

#[test]
fn a_private_bucket_is_read_by_one_distribution_alone() {
    let (mut stack, hosted, _, distribution) = hosting();
    stack.output_if(&hosted, "Page", "where it is", &distribution.domain_name());
    let template = synth(&stack);
    let resource = |id: &str| template["Resources"][id].clone();
    for id in ["bucket", "control", "distribution", "policy"] {
        assert_eq!(resource(id)["Condition"], "Hosted", "{id}");
    }
    assert_eq!(
        template["Outputs"]["Page"],
        json!({"Description": "where it is", "Condition": "Hosted", "Value": {"Fn::GetAtt": ["distribution", "DomainName"]}})
    );
    assert_eq!(
        resource("bucket")["Properties"],
        json!({
            "BucketEncryption": {"ServerSideEncryptionConfiguration": [
                {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}},
            ]},
            "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
            "PublicAccessBlockConfiguration": {
                "BlockPublicAcls": true, "BlockPublicPolicy": true, "IgnorePublicAcls": true, "RestrictPublicBuckets": true,
            },
        })
    );
    let arn = "arn:${AWS::Partition}:cloudfront::${AWS::AccountId}:distribution/${distribution}";
    assert_eq!(
        resource("policy")["Properties"],
        json!({"Bucket": {"Ref": "bucket"}, "PolicyDocument": {"Version": "2012-10-17", "Statement": [
            {
                "Effect": "Allow", "Principal": {"Service": "cloudfront.amazonaws.com"}, "Action": "s3:GetObject",
                "Resource": {"Fn::Sub": "${bucket.Arn}/*"},
                "Condition": {"StringEquals": {"AWS:SourceArn": {"Fn::Sub": arn}}},
            },
            {
                "Effect": "Deny", "Principal": "*", "Action": "s3:*",
                "Resource": [{"Fn::GetAtt": ["bucket", "Arn"]}, {"Fn::Sub": "${bucket.Arn}/*"}],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            },
        ]}})
    );
    assert_eq!(
        resource("control")["Properties"]["OriginAccessControlConfig"],
        json!({
            "Name": "c", "Description": "reads", "OriginAccessControlOriginType": "s3", "SigningBehavior": "always",
            "SigningProtocol": "sigv4",
        })
    );
    assert_eq!(
        resource("distribution")["Properties"]["DistributionConfig"],
        json!({
            "Comment": "a page", "Enabled": true, "DefaultRootObject": "index.html", "HttpVersion": "http2and3",
            "IPV6Enabled": true, "PriceClass": "PriceClass_100",
            "Origins": [{
                "Id": "bucket", "DomainName": {"Fn::GetAtt": ["bucket", "RegionalDomainName"]},
                "OriginAccessControlId": {"Fn::GetAtt": ["control", "Id"]},
                "S3OriginConfig": {"OriginAccessIdentity": ""},
            }],
            "DefaultCacheBehavior": {
                "TargetOriginId": "bucket", "ViewerProtocolPolicy": "redirect-to-https",
                "AllowedMethods": ["GET", "HEAD"], "CachedMethods": ["GET", "HEAD"], "Compress": true,
                "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
                "ResponseHeadersPolicyId": "67f7725c-6f97-4210-82d7-5512b31e9d03",
            },
        })
    );
}

#[test]
fn what_may_be_missing_is_only_for_what_is_missing_with_it() {
    let (mut stack, hosted, bucket, distribution) = hosting();
    let other = stack.parameter("other", &Parameter::<String>::new("").default(""));
    let given = stack.condition("Given", Predicate::is_given(&other));
    // Under the same condition, and where the condition chooses.
    stack.output_if(&hosted, "Here", "", &bucket.name());
    stack.output("Either", "", &Val::if_else(&hosted, bucket.name(), &other));
    assert!(stack.synth().is_err(), "'Given' is not used yet");
    stack.output("Wrong", "", &bucket.name());
    stack.output("Reversed", "", &Val::if_else(&hosted, "none", bucket.name()));
    stack.output_if(&given, "Unrelated", "", &distribution.domain_name());
    stack.add("role", Role { permissions_boundary: Some(distribution.arn()), ..lambda_role() });
    assert_eq!(
        problems(&stack),
        [
            "resource 'role': it refers to 'distribution', which is there only where 'Hosted' holds",
            "output 'Wrong': it refers to 'bucket', which is there only where 'Hosted' holds",
            "output 'Reversed': it refers to 'bucket', which is there only where 'Hosted' holds",
            "output 'Unrelated': it refers to 'distribution', which is there only where 'Hosted' holds",
        ]
    );
}

#[test]
fn a_rule_holds_parameters_against_each_other() {
    let (mut stack, _) = with_function("work");
    let how = stack.parameter("how", &Parameter::<String>::new("How").default("no"));
    let roles = stack.parameter("roles", &Parameter::<Vec<String>>::new("Roles").default(Vec::new()));
    let given = Predicate::each_in(&roles, [""]).negated();
    stack.rule("Roles", Predicate::equals(&how, "no").negated(), given, "name roles");
    assert_eq!(
        synth(&stack)["Rules"],
        json!({"Roles": {
            "RuleCondition": {"Fn::Not": [{"Fn::Equals": [{"Ref": "how"}, "no"]}]},
            "Assertions": [{
                "Assert": {"Fn::Not": [{"Fn::EachMemberIn": [{"Ref": "roles"}, [""]]}]},
                "AssertDescription": "name roles",
            }],
        }})
    );
}

#[test]
fn a_condition_of_another_stack_is_no_condition_here() {
    let (_, hosted, ..) = hosting();
    let mut stack = Stack::new("");
    stack.add_if(&hosted, "bucket", Bucket::default());
    assert_eq!(problems(&stack), ["resource 'bucket': it refers to 'Hosted', which is no condition"]);
}

#[test]
fn a_distribution_is_held_to_cloudfront_s_limits() {
    let (mut stack, hosted, origin, _) = hosting();
    let access_control = Handle::clone(&stack.add_if(
        &hosted,
        "control2",
        OriginAccessControl { name: "d".into(), description: String::new() },
    ));
    let distribution = Distribution {
        comment: "x".repeat(129),
        origin,
        access_control,
        default_root_object: "/index.html".to_owned(),
        price_class: PriceClass::All,
    };
    stack.add_if(&hosted, "distribution2", distribution);
    assert_eq!(
        problems(&stack),
        [
            "resource 'distribution2': the comment is longer than CloudFront's 128 characters",
            "resource 'distribution2': the default root object '/index.html' begins with a slash; CloudFront wants its key",
        ]
    );
}

#[test]
fn an_empty_stack_is_a_problem() {
    assert_eq!(
        problems(&Stack::new("")),
        ["stack: there are no resources; CloudFormation wants at least one"]
    );
}

#[test]
fn all_problems_are_reported_together() {
    let (mut stack, _) = with_function("work");
    let (mut elsewhere, stranger) = with_function("stranger");
    let unknown = elsewhere.parameter("unknown", &Parameter::<String>::new(""));
    let foreign = elsewhere.condition("Foreign", Predicate::is_given(&unknown));

    stack.parameter("unused", &Parameter::<u32>::new("").default(11u32).range(1, 10));
    stack.parameter("long", &Parameter::<String>::new("").default("abc").max_length(2));
    stack.parameter("odd", &Parameter::<u32>::new("").default(2u32).allowed_values([1, 3]));
    stack.condition("Unused", Predicate::equals(&stranger.arn().as_text(), "x"));
    stack.condition("Decided", Predicate::equals(&Val::<String>::concat([stack_ref(&mut elsewhere)]), "x"));
    stack.add("work", lambda_role());
    stack.add("not valid", LogGroup { name: text![&unknown], retention_in_days: 1.into() });
    stack.add(
        "broad",
        Role {
            grants: vec![
                Grant::new(["s3:*", "nonsense"], [stranger.arn()]),
                Grant::new(Vec::<String>::new(), [stranger.arn()]),
                Grant::new(["s3:GetObject"], []).only_if(&foreign),
            ],
            ..lambda_role()
        },
    );
    stack.add(
        "big",
        constructs::lambda::Function {
            memory_size: 64.into(),
            timeout: 901.into(),
            handler: String::new(),
            ..function(stranger.arn())
        },
    );
    stack.add(
        "rule",
        Rule {
            description: String::new(),
            pattern: EventPattern { source: "s".to_owned(), detail_type: "t".to_owned(), detail: Vec::new() },
            targets: Vec::new(),
        },
    );
    stack.asset(&Asset::zip("code", "XYZ", Location::Local));
    stack.output("Out", "", &unknown);
    stack.output("Out", "", &unknown);

    let told = problems(&stack);
    for expected in [
        "parameter 'unused': the default 11 is outside its own range of 1 to 10",
        "parameter 'unused': nothing uses it",
        "parameter 'long': the default is longer than its own 2 characters",
        "parameter 'odd': the default is not one of its own allowed values",
        "condition 'Unused': it refers to 'stranger', which is no resource",
        "condition 'Unused': nothing uses it",
        "condition 'Decided': it depends on the resource 'work'; only parameters can decide",
        "resource 'work': the id is used twice; parameters and resources share their ids",
        "resource 'not valid': an id has 1 to 255 letters and digits (A-Z, a-z, 0-9) and nothing else",
        "resource 'not valid': it refers to 'unknown', which is neither parameter nor resource",
        "resource 'broad': 's3:*' is no exact action; write the service, a colon and one action's name, without wildcards",
        "resource 'broad': 'nonsense' is no exact action; write the service, a colon and one action's name, without wildcards",
        "resource 'broad': a grant names no action",
        "resource 'broad': the grant of s3:GetObject names no resource",
        "resource 'broad': it refers to 'Foreign', which is no condition",
        "resource 'big': a memory size of 64 MB is outside Lambda's 128 to 10240",
        "resource 'big': a time-out of 901 s is outside Lambda's 1 to 900",
        "resource 'big': the handler is empty",
        "resource 'rule': the rule has no target",
        "asset 'code-XYZ.zip': 'XYZ' is no SHA-256; it takes 64 digits of 0-9 and a-f",
        "output 'Out': the id is used twice",
        "output 'Out': it refers to 'unknown', which is neither parameter nor resource",
    ] {
        assert!(told.iter().any(|problem| problem == expected), "{expected:?} is not in {told:#?}");
    }
}

/// A reference to a resource called `work`.
fn stack_ref(stack: &mut Stack) -> constructs::Piece {
    let role = stack.add("work", lambda_role());
    constructs::Piece::from(role.arn())
}

#[test]
fn problems_read_as_a_list() {
    let mut stack = Stack::new("");
    stack.condition("A-B", Predicate::is_given(&pseudo::region()));
    assert_eq!(
        stack.synth().unwrap_err().to_string(),
        "the stack has 3 problems\n  \
         condition 'A-B': an id has 1 to 255 letters and digits (A-Z, a-z, 0-9) and nothing else\n  \
         stack: there are no resources; CloudFormation wants at least one\n  \
         condition 'A-B': nothing uses it"
    );
}

/// A resource that needs others.
struct Needy(Vec<Val<constructs::Arn>>);

impl Resource for Needy {
    fn resource_type(&self) -> &str {
        "Custom::Needy"
    }

    fn properties(&self) -> Properties {
        Properties::new().set("Needs", &Val::from(self.0.clone()))
    }
}

#[test]
fn resources_that_wait_for_each_other_are_named() {
    // Handles come from adding, so the way round is by the same ids in another stack.
    let mut other = Stack::new("");
    let last = other.add("last", lambda_role());
    let mut stack = Stack::new("");
    let first = stack.add("first", Role { permissions_boundary: Some(last.arn()), ..lambda_role() });
    let middle = stack.add("middle", Role { permissions_boundary: Some(first.arn()), ..lambda_role() });
    stack.add("last", Role { permissions_boundary: Some(middle.arn()), ..lambda_role() });
    stack.add("outside", Needy(vec![first.arn()]));
    assert_eq!(problems(&stack), ["stack: resources wait for each other: first → last → middle → first"]);
}

#[test]
fn a_resource_can_wait_for_one_that_it_does_not_name() {
    let mut stack = Stack::new("");
    let policy = stack.add("policy", RawResource::new("AWS::IAM::Policy").json("PolicyName", &"p".into()));
    let topic = stack.add("topic", RawResource::new("AWS::SNS::Topic"));
    stack.depends_on(&topic, &policy);
    stack.depends_on(&topic, &policy);
    assert_eq!(
        synth(&stack)["Resources"]["topic"],
        json!({"Type": "AWS::SNS::Topic", "DependsOn": ["policy"], "Properties": {}})
    );

    stack.depends_on(&policy, &topic);
    assert_eq!(problems(&stack), ["stack: resources wait for each other: policy → topic → policy"]);
}

#[test]
fn depending_on_what_is_not_in_the_stack_is_a_problem() {
    let mut other = Stack::new("");
    let stranger = other.add("stranger", lambda_role());
    let mut stack = Stack::new("");
    let topic = stack.add("topic", RawResource::new("AWS::SNS::Topic"));
    stack.depends_on(&topic, &stranger);
    stack.depends_on(&stranger, &topic);
    assert_eq!(
        problems(&stack),
        [
            "resource 'topic': it depends on 'stranger', which is no resource",
            "stack: depends_on was called for 'stranger', which is no resource of this stack",
        ]
    );
}

#[test]
fn a_type_without_a_struct_has_properties_references_and_attributes() {
    let mut stack = Stack::new("");
    let topic = stack.add(
        "topic",
        RawResource::new("AWS::SNS::Topic")
            .property::<String>("TopicName", &text![pseudo::stack_name(), "-results"])
            .json("Tags", &json!([{"Key": "team", "Value": "blue"}])),
    );
    stack.output("Arn", "", &topic.reference::<constructs::Arn>());
    stack.output("Name", "", &topic.attribute::<String>("TopicName"));
    let template = synth(&stack);
    assert_eq!(
        template["Resources"]["topic"]["Properties"],
        json!({
            "TopicName": {"Fn::Sub": "${AWS::StackName}-results"},
            "Tags": [{"Key": "team", "Value": "blue"}],
        })
    );
    assert_eq!(template["Outputs"]["Arn"]["Value"], json!({"Ref": "topic"}));
    assert_eq!(template["Outputs"]["Name"]["Value"], json!({"Fn::GetAtt": ["topic", "TopicName"]}));
}

#[test]
fn what_is_no_resource_type_is_a_problem() {
    let mut stack = Stack::new("");
    for (index, kind) in
        ["AWS::SNS", "topic", "AWS::SNS::", "AWS::SNS::Topic", "Custom::My-Thing"].iter().enumerate()
    {
        stack.add(&format!("r{index}"), RawResource::new(*kind));
    }
    assert_eq!(
        problems(&stack),
        [
            "resource 'r0': 'AWS::SNS' is no resource type; they look like AWS::SNS::Topic or Custom::Name",
            "resource 'r1': 'topic' is no resource type; they look like AWS::SNS::Topic or Custom::Name",
            "resource 'r2': 'AWS::SNS::' is no resource type; they look like AWS::SNS::Topic or Custom::Name",
        ]
    );
}

#[test]
fn more_than_cloudformation_takes_is_a_problem() {
    let mut stack = Stack::new("");
    for index in 0..501 {
        stack.add(&format!("r{index}"), Needy(Vec::new()));
        let value = stack.parameter(&format!("p{index}"), &Parameter::<String>::new(""));
        stack.output(&format!("o{index}"), "", &value);
    }
    assert_eq!(
        problems(&stack),
        [
            "stack: there are 501 parameters; CloudFormation takes at most 200",
            "stack: there are 501 resources; CloudFormation takes at most 500",
            "stack: there are 501 outputs; CloudFormation takes at most 200",
        ]
    );
}

proptest! {
    /// Resources that need only earlier ones are fine; one more edge back to a resource that needs it is a cycle.
    #[test]
    fn cycles_are_found_and_only_those(
        needs in prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 0..3), 2..12),
        back in any::<Option<(prop::sample::Index, prop::sample::Index)>>(),
    ) {
        let count = needs.len();
        let edges: Vec<Vec<usize>> = needs
            .iter()
            .enumerate()
            .map(|(from, to)| if from == 0 { Vec::new() } else { to.iter().map(|to| to.index(from)).collect() })
            .collect();
        let back = back.map(|(from, to)| (from.index(count), to.index(count)));
        // Handles for any id, whatever the order.
        let mut ids = Stack::new("");
        let arns: Vec<_> = (0..count).map(|index| ids.add(&format!("r{index}"), lambda_role()).arn()).collect();
        let mut stack = Stack::new("");
        for (from, to) in edges.iter().enumerate() {
            let back = back.filter(|back| back.0 == from).map(|back| back.1);
            let needs = to.iter().copied().chain(back).map(|to| arns[to].clone()).collect();
            stack.add(&format!("r{from}"), Needy(needs));
        }
        let needs_it = |start: usize, end: usize| {
            let mut open = vec![start];
            while let Some(here) = open.pop() {
                if here == end {
                    return true;
                }
                open.extend(&edges[here]);
            }
            false
        };
        let cyclic = back.is_some_and(|(from, to)| needs_it(to, from));
        prop_assert_eq!(stack.synth().is_err(), cyclic);
    }
}
