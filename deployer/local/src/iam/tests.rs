use std::sync::Arc;

use serde_json::{Value, json};

use crate::testing::Local;
use crate::{Aws, Caller, Result, Service};

fn trust(service: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}]})
}

async fn iam(aws: &Arc<Aws>, operation: &str, input: Value) -> Result<Value> {
    aws.call(&Caller::Owner, Service::Iam, operation, input).await
}

/// A role with one inline policy of these statements, and a session of it.
async fn role(aws: &Arc<Aws>, name: &str, statements: Value) -> Caller {
    let document = trust("lambda.amazonaws.com").to_string();
    iam(aws, "CreateRole", json!({"RoleName": name, "AssumeRolePolicyDocument": document})).await.unwrap();
    let policy = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    iam(aws, "PutRolePolicy", json!({"RoleName": name, "PolicyName": "p", "PolicyDocument": policy}))
        .await
        .unwrap();
    Caller::Role { arn: format!("arn:aws:iam::000000000000:role/{name}"), session: "s".to_owned() }
}

const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";

#[tokio::test]
async fn nothing_is_allowed_by_default_and_a_denial_reads_as_aws_s() {
    let aws = Local::new();
    let caller =
        role(&aws, "r", json!([{"Effect": "Allow", "Action": "lambda:Get*", "Resource": "*"}])).await;
    aws.iam.authorize(&aws, &caller, "lambda:GetFunction", FUNCTION).unwrap();
    let error = aws.iam.authorize(&aws, &caller, "lambda:InvokeFunction", FUNCTION).unwrap_err();
    assert_eq!((error.status, error.code.as_str()), (403, "AccessDeniedException"));
    assert_eq!(
        error.message,
        "User: arn:aws:sts::000000000000:assumed-role/r/s is not authorized to perform: lambda:InvokeFunction on \
         resource: arn:aws:lambda:us-east-1:000000000000:function:f because no identity-based policy allows the \
         lambda:InvokeFunction action"
    );
}

#[tokio::test]
async fn the_owner_is_allowed_everything() {
    let aws = Local::new();
    aws.iam.authorize(&aws, &Caller::Owner, "iam:DeleteRole", "*").unwrap();
}

#[tokio::test]
async fn a_deny_wins_over_every_allow() {
    let aws = Local::new();
    let statements = json!([
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "LAMBDA:deletefunction", "Resource": FUNCTION},
    ]);
    let caller = role(&aws, "r", statements).await;
    aws.iam.authorize(&aws, &caller, "lambda:DeleteFunction", &format!("{FUNCTION}:1")).unwrap();
    let error = aws.iam.authorize(&aws, &caller, "lambda:DeleteFunction", FUNCTION).unwrap_err();
    assert!(error.message.ends_with("with an explicit deny in an identity-based policy"), "{error}");
}

#[tokio::test]
async fn a_grant_on_qualified_functions_does_not_reach_the_function_itself() {
    let aws = Local::new();
    let resource = "arn:aws:lambda:us-east-1:000000000000:function:*:*";
    let caller =
        role(&aws, "r", json!({"Effect": "Allow", "Action": "lambda:DeleteFunction", "Resource": resource}))
            .await;
    aws.iam.authorize(&aws, &caller, "lambda:DeleteFunction", &format!("{FUNCTION}:7")).unwrap();
    aws.iam.authorize(&aws, &caller, "lambda:DeleteFunction", FUNCTION).unwrap_err();
}

#[tokio::test]
async fn not_action_and_not_resource_are_the_complement() {
    let aws = Local::new();
    let statements =
        json!([{"Effect": "Allow", "NotAction": "lambda:*", "NotResource": "arn:aws:s3:::secret/*"}]);
    let caller = role(&aws, "r", statements).await;
    aws.iam.authorize(&aws, &caller, "s3:GetObject", "arn:aws:s3:::open/k").unwrap();
    aws.iam.authorize(&aws, &caller, "s3:GetObject", "arn:aws:s3:::secret/k").unwrap_err();
    aws.iam.authorize(&aws, &caller, "lambda:GetFunction", FUNCTION).unwrap_err();
}

#[tokio::test]
async fn conditions_see_the_request_and_the_role() {
    let aws = Local::new();
    let statements = json!([{
        "Effect": "Allow", "Action": "iam:PassRole", "Resource": "*",
        "Condition": {
            "StringEquals": {"iam:PassedToService": "lambda.amazonaws.com", "aws:PrincipalTag/team": "a"},
            "ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/r"},
        },
    }]);
    let caller = role(&aws, "r", statements).await;
    iam(&aws, "TagRole", json!({"RoleName": "r", "Tags": [{"Key": "team", "Value": "a"}]})).await.unwrap();
    let pass = |service| {
        let context = [("iam:PassedToService", service)];
        aws.iam.authorize_with(
            &aws,
            &caller,
            "iam:PassRole",
            "arn:aws:iam::000000000000:role/x",
            &context,
            None,
        )
    };
    pass("lambda.amazonaws.com").unwrap();
    pass("ec2.amazonaws.com").unwrap_err();
    iam(&aws, "UntagRole", json!({"RoleName": "r", "TagKeys": ["team"]})).await.unwrap();
    pass("lambda.amazonaws.com").unwrap_err();
}

#[tokio::test]
async fn a_permissions_boundary_must_allow_as_well() {
    let aws = Local::new();
    let caller = role(&aws, "r", json!([{"Effect": "Allow", "Action": "*", "Resource": "*"}])).await;
    let document = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "lambda:GetFunction", "Resource": "*"}]});
    let policy =
        iam(&aws, "CreatePolicy", json!({"PolicyName": "b", "PolicyDocument": document.to_string()})).await;
    let arn = policy.unwrap()["Policy"]["Arn"].clone();
    iam(&aws, "PutRolePermissionsBoundary", json!({"RoleName": "r", "PermissionsBoundary": arn}))
        .await
        .unwrap();
    aws.iam.authorize(&aws, &caller, "lambda:GetFunction", FUNCTION).unwrap();
    let error = aws.iam.authorize(&aws, &caller, "lambda:InvokeFunction", FUNCTION).unwrap_err();
    assert!(
        error.message.ends_with("because no permissions boundary allows the lambda:InvokeFunction action")
    );
    assert_eq!(
        iam(&aws, "DeletePolicy", json!({"PolicyArn": arn})).await.unwrap_err().code,
        "DeleteConflict"
    );
    iam(&aws, "DeleteRolePermissionsBoundary", json!({"RoleName": "r"})).await.unwrap();
    aws.iam.authorize(&aws, &caller, "lambda:InvokeFunction", FUNCTION).unwrap();
}

#[tokio::test]
async fn managed_policies_of_aws_have_their_content() {
    let aws = Local::new();
    let caller = role(&aws, "r", json!([{"Effect": "Allow", "Action": "a:b", "Resource": "*"}])).await;
    let attach = |name: &str| {
        iam(
            &aws,
            "AttachRolePolicy",
            json!({"RoleName": "r", "PolicyArn": format!("arn:aws:iam::aws:policy/{name}")}),
        )
    };
    aws.iam.authorize(&aws, &caller, "logs:PutLogEvents", "*").unwrap_err();
    attach("service-role/AWSLambdaBasicExecutionRole").await.unwrap();
    aws.iam.authorize(&aws, &caller, "logs:PutLogEvents", "*").unwrap();
    aws.iam.authorize(&aws, &caller, "s3:GetObject", "arn:aws:s3:::b/k").unwrap_err();
    assert_eq!(attach("PowerUserAccessible").await.unwrap_err().code, "NoSuchEntity");
}

#[tokio::test]
async fn resource_policies_allow_services_roles_and_everyone() {
    let aws = Local::new();
    let caller = role(&aws, "r", json!([{"Effect": "Allow", "Action": "a:b", "Resource": "*"}])).await;
    let rule = |arn: &str| Caller::Service {
        principal: "events.amazonaws.com".to_owned(),
        source_arn: format!("arn:aws:events:us-east-1:000000000000:rule/{arn}"),
    };
    let allows = |caller: &Caller, principal: Value, condition: Value| {
        let policy = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": principal, "Action": "lambda:InvokeFunction", "Resource": FUNCTION,
            "Condition": condition,
        }]});
        aws.iam.authorize_with(&aws, caller, "lambda:InvokeFunction", FUNCTION, &[], Some(&policy)).is_ok()
    };
    let service = json!({"Service": "events.amazonaws.com"});
    let source = json!({"ArnLike": {"AWS:SourceArn": "arn:aws:events:us-east-1:000000000000:rule/mine"}});
    assert!(allows(&rule("mine"), service.clone(), source.clone()));
    assert!(!allows(&rule("other"), service.clone(), source));
    assert!(!allows(&rule("mine"), json!({"Service": "s3.amazonaws.com"}), json!({})));
    assert!(allows(&caller, json!({"AWS": "arn:aws:iam::000000000000:role/r"}), json!({})));
    assert!(!allows(&caller, json!({"AWS": "000000000000"}), json!({})), "the account alone only delegates");
    assert!(!allows(&Caller::Anonymous, service, json!({})));
    assert!(allows(&Caller::Anonymous, json!("*"), json!({})));
}

#[tokio::test]
async fn the_trust_policy_decides_which_service_assumes_a_role() {
    let aws = Local::new();
    role(&aws, "r", json!([{"Effect": "Allow", "Action": "a:b", "Resource": "*"}])).await;
    let arn = "arn:aws:iam::000000000000:role/r";
    assert!(aws.iam.assumable(&aws, arn, "lambda.amazonaws.com"));
    assert!(!aws.iam.assumable(&aws, arn, "states.amazonaws.com"));
    assert!(!aws.iam.assumable(&aws, "arn:aws:iam::000000000000:role/none", "lambda.amazonaws.com"));
    let document = trust("states.amazonaws.com").to_string();
    iam(&aws, "UpdateAssumeRolePolicy", json!({"RoleName": "r", "PolicyDocument": document})).await.unwrap();
    assert!(aws.iam.assumable(&aws, arn, "states.amazonaws.com"));
}

#[tokio::test]
async fn a_session_s_key_is_its_role_until_it_ends() {
    let aws = Local::new();
    let caller = role(&aws, "r", json!([{"Effect": "Allow", "Action": "a:b", "Resource": "*"}])).await;
    let Caller::Role { arn, .. } = &caller else { unreachable!() };
    let credentials = aws.iam.session(&aws, arn, "s").unwrap();
    assert_eq!(credentials.access_key_id.len(), 20);
    assert_eq!(aws.iam.caller(&credentials.access_key_id).unwrap(), caller);
    assert_eq!(aws.iam.caller("AKIAIOSFODNN7EXAMPLE").unwrap(), Caller::Owner);
    aws.iam.end_session(&credentials.access_key_id);
    assert_eq!(aws.iam.caller(&credentials.access_key_id).unwrap_err().code, "ExpiredToken");
}

#[tokio::test]
async fn a_deleted_role_s_sessions_are_refused() {
    let aws = Local::new();
    let caller = role(&aws, "r", json!([{"Effect": "Allow", "Action": "*", "Resource": "*"}])).await;
    let delete = || iam(&aws, "DeleteRole", json!({"RoleName": "r"}));
    assert_eq!(delete().await.unwrap_err().code, "DeleteConflict");
    iam(&aws, "DeleteRolePolicy", json!({"RoleName": "r", "PolicyName": "p"})).await.unwrap();
    delete().await.unwrap();
    aws.iam.authorize(&aws, &caller, "lambda:GetFunction", FUNCTION).unwrap_err();
    assert_eq!(delete().await.unwrap_err().status, 404);
}

#[tokio::test]
async fn a_document_that_is_no_policy_is_refused_where_it_is_wrong() {
    let aws = Local::new();
    role(&aws, "r", json!([{"Effect": "Allow", "Action": "a:b", "Resource": "*"}])).await;
    for (statement, words) in [
        (json!({"Effect": "allow", "Action": "a:b", "Resource": "*"}), "Statement[0].Effect"),
        (json!({"Effect": "Allow", "Action": "invoke", "Resource": "*"}), "\"invoke\""),
        (json!({"Effect": "Allow", "Action": "a:b"}), "Statement[0].Resource is missing"),
        (json!({"Effect": "Allow", "Action": "a:b", "Resource": "f"}), "\"f\""),
        (json!({"Effect": "Allow", "Action": "a:b", "Resource": "*", "Principal": "*"}), "Principal"),
        (json!({"Effect": "Allow", "Actions": "a:b", "Resource": "*"}), "Actions"),
        (
            json!({"Effect": "Allow", "Action": "a:b", "Resource": "*", "Condition": {"X": {"k": 1}}}),
            "Condition.X",
        ),
    ] {
        let document = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
        let input = json!({"RoleName": "r", "PolicyName": "q", "PolicyDocument": document});
        let error = iam(&aws, "PutRolePolicy", input).await.unwrap_err();
        assert_eq!(error.code, "MalformedPolicyDocument");
        assert!(error.message.contains(words), "{error} names {words}");
    }
    let names = iam(&aws, "ListRolePolicies", json!({"RoleName": "r"})).await.unwrap();
    assert_eq!(names["PolicyNames"], json!(["p"]));
}

#[tokio::test]
async fn roles_are_created_once_and_come_back_as_they_were() {
    let aws = Local::new();
    let input = json!({
        "RoleName": "r", "Path": "/team/", "AssumeRolePolicyDocument": trust("lambda.amazonaws.com").to_string(),
        "Description": "d", "MaxSessionDuration": "7200", "Tags": [{"Key": "k", "Value": "v"}],
    });
    let role = iam(&aws, "CreateRole", input.clone()).await.unwrap()["Role"].clone();
    assert_eq!(role["Arn"], "arn:aws:iam::000000000000:role/team/r");
    let whole = iam(&aws, "GetRole", json!({"RoleName": "r"})).await.unwrap()["Role"].clone();
    // The three operations show more and less of a role.
    let without = |members: &[&str]| {
        let mut shown = whole.clone();
        shown.as_object_mut().unwrap().retain(|member, _| !members.contains(&member.as_str()));
        shown
    };
    assert_eq!((&whole["RoleLastUsed"], &whole["MaxSessionDuration"]), (&json!({}), &json!(7200)));
    assert_eq!(role, without(&["RoleLastUsed", "MaxSessionDuration"]));
    let document = role["AssumeRolePolicyDocument"].as_str().unwrap();
    let document = percent_encoding::percent_decode_str(document).decode_utf8().unwrap();
    assert_eq!(serde_json::from_str::<Value>(&document).unwrap(), trust("lambda.amazonaws.com"));
    let error = iam(&aws, "CreateRole", input).await.unwrap_err();
    assert_eq!((error.status, error.code.as_str()), (409, "EntityAlreadyExists"));
    let roles = iam(&aws, "ListRoles", json!({"PathPrefix": "/team/"})).await.unwrap();
    assert_eq!(roles["Roles"], json!([without(&["RoleLastUsed", "Tags", "PermissionsBoundary"])]));
    let input = json!({"RoleName": "broken", "AssumeRolePolicyDocument": "{,}"});
    assert_eq!(
        iam(&aws, "CreateRole", input).await.unwrap_err().message,
        "This policy contains invalid Json"
    );
}

#[tokio::test]
async fn assume_role_needs_the_trust_of_the_role() {
    let aws = Local::new();
    let caller =
        role(&aws, "user", json!([{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}])).await;
    let other = role(&aws, "other", json!([{"Effect": "Allow", "Action": "a:b", "Resource": "*"}])).await;
    let document = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:root"}, "Action": "sts:AssumeRole"}]});
    let input = json!({"RoleName": "target", "AssumeRolePolicyDocument": document.to_string()});
    iam(&aws, "CreateRole", input).await.unwrap();
    let assume = async |caller: &Caller, role: &str, seconds: i64| {
        let arn = format!("arn:aws:iam::000000000000:role/{role}");
        let input = json!({"RoleArn": arn, "RoleSessionName": "me", "DurationSeconds": seconds});
        aws.call(caller, Service::Sts, "AssumeRole", input).await
    };
    let answer = assume(&caller, "target", 900).await.unwrap();
    let key = answer["Credentials"]["AccessKeyId"].as_str().unwrap();
    let identity =
        aws.call(&aws.iam.caller(key).unwrap(), Service::Sts, "GetCallerIdentity", json!({})).await.unwrap();
    assert_eq!(identity["Arn"], "arn:aws:sts::000000000000:assumed-role/target/me");
    assume(&Caller::Owner, "target", 3600).await.unwrap();
    assert_eq!(assume(&other, "target", 900).await.unwrap_err().code, "AccessDenied");
    assert_eq!(assume(&caller, "other", 900).await.unwrap_err().code, "AccessDenied");
    assert_eq!(assume(&caller, "target", 7200).await.unwrap_err().code, "ValidationError");
    assert_eq!(assume(&caller, "target", 1).await.unwrap_err().code, "ValidationError");
}

#[tokio::test]
async fn an_external_id_is_what_the_trust_policy_asks_for() {
    let aws = Local::new();
    let document = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "agreed"}}}]});
    let input = json!({"RoleName": "target", "AssumeRolePolicyDocument": document.to_string()});
    iam(&aws, "CreateRole", input).await.unwrap();
    let assume = async |external_id: Value| {
        let input = json!({
            "RoleArn": "arn:aws:iam::000000000000:role/target", "RoleSessionName": "me", "ExternalId": external_id,
        });
        aws.call(&Caller::Owner, Service::Sts, "AssumeRole", input).await
    };
    assume(json!("agreed")).await.unwrap();
    for wrong in [json!("other"), Value::Null] {
        assert_eq!(assume(wrong).await.unwrap_err().code, "AccessDenied");
    }
}

#[tokio::test]
async fn what_a_session_cannot_be_given_is_refused_by_name() {
    let aws = Local::new();
    let document = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": "sts:*"}]});
    let input = json!({"RoleName": "target", "AssumeRolePolicyDocument": document.to_string()});
    iam(&aws, "CreateRole", input).await.unwrap();
    let assume = async |member: &str, value: Value| {
        let mut input = json!({"RoleArn": "arn:aws:iam::000000000000:role/target", "RoleSessionName": "me"});
        input[member] = value;
        aws.call(&Caller::Owner, Service::Sts, "AssumeRole", input).await
    };
    assume("Tags", json!([])).await.unwrap();
    for (member, value) in [
        ("Policy", json!("{}")),
        ("PolicyArns", json!([{"arn": "arn:aws:iam::aws:policy/AdministratorAccess"}])),
        ("ProvidedContexts", json!([{"ProviderArn": "a", "ContextAssertion": "b"}])),
        ("SerialNumber", json!("123456789")),
        ("SourceIdentity", json!("me")),
        ("Tags", json!([{"Key": "k", "Value": "v"}])),
        ("TokenCode", json!("123456")),
        ("TransitiveTagKeys", json!(["k"])),
    ] {
        let error = assume(member, value).await.unwrap_err();
        assert_eq!(error.code, "ValidationError");
        assert!(error.message.starts_with(&format!("'{member}' is not known")), "{error}");
    }
    for (member, value, message) in [
        ("RoleArn", "nothing-valid-in-here", "nothing-valid-in-here is invalid"),
        ("RoleArn", "arn::b:::something/test-role", "arn::b:::something/test-role is invalid"),
        ("RoleArn", "arn:a::::something/test-role", "arn:a::::something/test-role is invalid"),
        ("RoleArn", "arn:a:::something/test-role", "arn:a:::something/test-role is invalid"),
        ("RoleArn", "arn:a:a::aaaaaaaaaa:", "arn:a:a::aaaaaaaaaa: is invalid"),
        (
            "RoleSessionName",
            "Session1:2",
            "1 validation error detected: Value 'Session1:2' at 'roleSessionName' failed to satisfy constraint: Member \
             must satisfy regular expression pattern: [\\w+=,.@-]*",
        ),
    ] {
        assert_eq!(assume(member, value.into()).await.unwrap_err().message, message);
    }
}

#[tokio::test]
async fn a_managed_policy_has_versions() {
    let aws = Local::new();
    let caller = role(&aws, "r", json!([{"Effect": "Allow", "Action": "a:b", "Resource": "*"}])).await;
    let document = |action: &str| json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]});
    let create =
        || iam(&aws, "CreatePolicy", json!({"PolicyName": "m", "PolicyDocument": document("s3:GetObject")}));
    let arn = create().await.unwrap()["Policy"]["Arn"].clone();
    assert_eq!(create().await.unwrap_err().code, "EntityAlreadyExists");
    iam(&aws, "AttachRolePolicy", json!({"RoleName": "r", "PolicyArn": arn})).await.unwrap();
    aws.iam.authorize(&aws, &caller, "s3:GetObject", "arn:aws:s3:::b/k").unwrap();
    let found = iam(&aws, "GetPolicy", json!({"PolicyArn": arn})).await.unwrap();
    assert_eq!(found["Policy"]["AttachmentCount"], 1);
    assert_eq!(found["Policy"]["PermissionsBoundaryUsageCount"], 0);
    for operation in ["PutRolePermissionsBoundary", "DeleteRolePermissionsBoundary"] {
        iam(&aws, operation, json!({"RoleName": "r", "PermissionsBoundary": arn})).await.unwrap();
        let found = iam(&aws, "GetPolicy", json!({"PolicyArn": arn})).await.unwrap();
        let count = u8::from(operation.starts_with("Put"));
        assert_eq!(found["Policy"]["PermissionsBoundaryUsageCount"], count);
    }
    for operation in ["AttachRolePolicy", "DetachRolePolicy"] {
        let none = iam(&aws, operation, json!({"RoleName": "r", "PolicyArn": "m"})).await.unwrap_err();
        assert_eq!(
            (none.code.as_str(), none.message.as_str()),
            ("ValidationError", "Invalid ARN:  Could not be parsed!")
        );
    }
    let input = json!({"PolicyArn": arn, "PolicyDocument": document("s3:PutObject"), "SetAsDefault": true});
    let version = iam(&aws, "CreatePolicyVersion", input).await.unwrap();
    assert_eq!(version["PolicyVersion"]["VersionId"], "v2");
    aws.iam.authorize(&aws, &caller, "s3:PutObject", "arn:aws:s3:::b/k").unwrap();
    aws.iam.authorize(&aws, &caller, "s3:GetObject", "arn:aws:s3:::b/k").unwrap_err();
    let delete =
        |version: &str| iam(&aws, "DeletePolicyVersion", json!({"PolicyArn": arn, "VersionId": version}));
    assert_eq!(delete("v2").await.unwrap_err().code, "DeleteConflict");
    assert_eq!(delete("2").await.unwrap_err().code, "ValidationError");
    delete("v1").await.unwrap();
    let policy = || json!({"PolicyArn": arn});
    assert_eq!(iam(&aws, "DeletePolicy", policy()).await.unwrap_err().code, "DeleteConflict");
    iam(&aws, "DetachRolePolicy", json!({"RoleName": "r", "PolicyArn": arn})).await.unwrap();
    assert_eq!(iam(&aws, "GetPolicy", policy()).await.unwrap()["Policy"]["AttachmentCount"], 0);
    iam(&aws, "DeletePolicy", policy()).await.unwrap();
    let gone = iam(&aws, "GetPolicy", policy()).await.unwrap_err();
    assert_eq!(gone.code, "NoSuchEntity");
    assert_eq!(gone.message, "Policy arn:aws:iam::000000000000:policy/m was not found.");
}
