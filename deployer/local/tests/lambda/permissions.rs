//! Who may do what: a role's policies and a function's own.

use local_aws::Caller;
use local_aws::lambda::Invocation;
use serde_json::{Value, json};

use crate::support::{ACCOUNT_ARN, Local, ROLE};

fn role() -> Caller {
    Caller::Role { arn: ROLE.to_owned(), session: "s".to_owned() }
}

async fn invoke(local: &Local, caller: &Caller, function: &str) -> Result<u16, String> {
    let invocation =
        Invocation { function: function.to_owned(), payload: "{}".into(), ..Invocation::default() };
    let invoked = local.aws.lambda.invoke(&local.aws, caller, invocation).await;
    invoked.map(|i| i.status).map_err(|e| e.code)
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_are_authorized_on_the_resource_they_name() {
    let local = Local::new().await;
    local.function("f", json!({})).await;
    local.publish("f").await;
    local.ok("CreateAlias", json!({"FunctionName": "f", "Name": "live", "FunctionVersion": "1"})).await;
    let alias = json!({"FunctionName": "f", "Name": "live"});
    let cases: [(&str, Value, &str); 12] = [
        ("GetAlias", alias.clone(), ""),
        ("UpdateAlias", alias.clone(), ""),
        ("CreateAlias", json!({"FunctionName": "f", "Name": "new", "FunctionVersion": "$LATEST"}), ""),
        ("ListAliases", json!({"FunctionName": "f"}), ""),
        ("PublishVersion", json!({"FunctionName": "f"}), ""),
        ("ListVersionsByFunction", json!({"FunctionName": "f"}), ""),
        ("UpdateFunctionConfiguration", json!({"FunctionName": "f", "Timeout": 9}), ""),
        ("GetFunctionConfiguration", json!({"FunctionName": "f", "Qualifier": "1"}), ":1"),
        ("GetFunctionConfiguration", json!({"FunctionName": "f"}), ""),
        ("GetFunction", json!({"FunctionName": "f:live"}), ":live"),
        ("DeleteAlias", alias, ""),
        ("DeleteFunction", json!({"FunctionName": "f", "Qualifier": "1"}), ":1"),
    ];
    for (operation, input, qualifier) in cases {
        let resource = format!("{ACCOUNT_ARN}:f{qualifier}");
        local.grant(&["lambda:*"], &format!("{ACCOUNT_ARN}:g*")).await;
        let error = local.as_caller(&role(), operation, input.clone()).await.unwrap_err();
        assert_eq!((error.status, error.code.as_str()), (403, "AccessDeniedException"), "{operation}");
        let words =
            format!("is not authorized to perform: lambda:{operation} on resource: {resource} because");
        assert!(error.message.contains(&words), "{error}");
        local.grant(&[&format!("lambda:{operation}")], &resource).await;
        local.settled("f").await;
        local.as_caller(&role(), operation, input).await.unwrap_or_else(|e| panic!("{operation}: {e}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_on_qualified_arns_cannot_delete_the_function() {
    let local = Local::new().await;
    local.function("f", json!({})).await;
    local.publish("f").await;
    local.grant(&["lambda:DeleteFunction"], &format!("{ACCOUNT_ARN}:f:*")).await;
    let error = local.as_caller(&role(), "DeleteFunction", json!({"FunctionName": "f"})).await.unwrap_err();
    assert_eq!(error.status, 403);
    local.as_caller(&role(), "DeleteFunction", json!({"FunctionName": "f", "Qualifier": "1"})).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_caller_learns_nothing_about_what_exists() {
    let local = Local::new().await;
    for function in ["f", "g"] {
        assert_eq!(invoke(&local, &role(), function).await.unwrap_err(), "AccessDeniedException");
        local.function("f", json!({})).await;
        local.ok("DeleteFunction", json!({"FunctionName": "f"})).await;
    }
    local.grant(&["lambda:InvokeFunction"], &format!("{ACCOUNT_ARN}:g")).await;
    assert_eq!(invoke(&local, &role(), "g").await.unwrap_err(), "ResourceNotFoundException");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_services_rule_needs_the_functions_permission() {
    let local = Local::new().await;
    local.function("f", json!({})).await;
    let rule = |name: &str| Caller::Service {
        principal: "events.amazonaws.com".to_owned(),
        source_arn: format!("arn:aws:events:us-east-1:000000000000:rule/{name}"),
    };
    assert_eq!(invoke(&local, &rule("mine"), "f").await.unwrap_err(), "AccessDeniedException");
    let permission = json!({
        "FunctionName": "f", "StatementId": "rule", "Action": "lambda:InvokeFunction",
        "Principal": "events.amazonaws.com", "SourceArn": "arn:aws:events:us-east-1:000000000000:rule/mine"});
    let before = local.ok("GetFunctionConfiguration", json!({"FunctionName": "f"})).await;
    let added = local.ok("AddPermission", permission.clone()).await;
    let statement: Value = serde_json::from_str(added["Statement"].as_str().unwrap()).unwrap();
    assert_eq!(statement["Resource"], format!("{ACCOUNT_ARN}:f"));
    assert_eq!(invoke(&local, &rule("mine"), "f").await, Ok(200));
    assert_eq!(invoke(&local, &rule("other"), "f").await.unwrap_err(), "AccessDeniedException");
    let error = local.refused("AddPermission", permission).await;
    assert!(error.status == 409 && error.message.contains("(rule) provided already exists"), "{error}");
    let policy = local.ok("GetPolicy", json!({"FunctionName": "f"})).await;
    let document: Value = serde_json::from_str(policy["Policy"].as_str().unwrap()).unwrap();
    assert_eq!(document["Statement"], json!([statement]));
    assert_ne!(policy["RevisionId"], before["RevisionId"]);
    let local = local.reopen().await;
    assert_eq!(invoke(&local, &rule("mine"), "f").await, Ok(200));
    let stale = json!({"FunctionName": "f", "StatementId": "rule", "RevisionId": "x"});
    assert_eq!(local.refused("RemovePermission", stale).await.status, 412);
    local.ok("RemovePermission", json!({"FunctionName": "f", "StatementId": "rule"})).await;
    assert_eq!(invoke(&local, &rule("mine"), "f").await.unwrap_err(), "AccessDeniedException");
    assert_eq!(local.refused("GetPolicy", json!({"FunctionName": "f"})).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_on_an_alias_is_the_aliass_alone() {
    let local = Local::new().await;
    local.function("f", json!({})).await;
    local.publish("f").await;
    local.ok("CreateAlias", json!({"FunctionName": "f", "Name": "live", "FunctionVersion": "1"})).await;
    let permission = |qualifier: &str, sid: &str| {
        json!({"FunctionName": "f", "Qualifier": qualifier, "StatementId": sid,
               "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com"})
    };
    local.ok("AddPermission", permission("live", "a")).await;
    let service =
        Caller::Service { principal: "events.amazonaws.com".to_owned(), source_arn: "arn:aws:x".to_owned() };
    assert_eq!(invoke(&local, &service, "f:live").await, Ok(200));
    assert_eq!(invoke(&local, &service, "f").await.unwrap_err(), "AccessDeniedException");
    assert_eq!(local.refused("AddPermission", permission("none", "a")).await.status, 404);
    assert_eq!(local.refused("AddPermission", permission("live", "a b")).await.code, "ValidationException");
    assert_eq!(local.refused("AddPermission", permission("$LATEST", "a")).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_has_a_revision_of_its_own() {
    let local = Local::new().await;
    local.function("f", json!({})).await;
    local.publish("f").await;
    local.ok("CreateAlias", json!({"FunctionName": "f", "Name": "live", "FunctionVersion": "1"})).await;
    let function = async || {
        local.ok("GetFunctionConfiguration", json!({"FunctionName": "f"})).await["RevisionId"].clone()
    };
    let alias = async || {
        local.ok("GetAlias", json!({"FunctionName": "f", "Name": "live"})).await["RevisionId"].clone()
    };
    let policy = async |qualifier: &str| {
        let name = format!("f{qualifier}");
        local.ok("GetPolicy", json!({"FunctionName": name})).await["RevisionId"].clone()
    };
    let permission = |name: &str, sid: &str, revision: &Value| {
        json!({"FunctionName": name, "StatementId": sid, "Action": "lambda:InvokeFunction",
               "Principal": "events.amazonaws.com", "RevisionId": revision})
    };
    // Before there is a policy, the revision is that of what it will belong to.
    let before = (function().await, alias().await);
    local.ok("AddPermission", permission("f:live", "a", &before.1)).await;
    assert_eq!(policy(":live").await, alias().await);
    assert_ne!(alias().await, before.1);
    assert_eq!(function().await, before.0, "an alias's permission changes the alias alone");
    local.ok("AddPermission", permission("f", "a", &before.0)).await;
    let own = policy("").await;
    assert_eq!(own, function().await);
    // A new version changes the function's revision and not the policy's, which is the one to know.
    local.configure("f", json!({"Description": "changed"})).await;
    local.publish("f").await;
    assert_eq!(policy("").await, own);
    let stale = local.refused("AddPermission", permission("f", "b", &function().await)).await;
    assert!(stale.status == 412 && stale.message.contains("Call the GetPolicy API"), "{stale}");
    local.ok("AddPermission", permission("f", "b", &own)).await;
    assert_ne!(policy("").await, own);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_in_a_vpc_needs_a_role_that_may_make_its_interfaces() {
    let local = Local::new().await;
    local.function("f", json!({})).await;
    let network = json!({"FunctionName": "f", "VpcConfig": {"SubnetIds": ["s"], "SecurityGroupIds": ["g"]}});
    let owner = Caller::Owner;
    let refused = local.as_caller(&owner, "UpdateFunctionConfiguration", network.clone()).await.unwrap_err();
    assert_eq!(refused.code, "InvalidParameterValueException");
    assert_eq!(
        refused.message,
        "The provided execution role does not have permissions to call CreateNetworkInterface on EC2"
    );
    local.grant(&["ec2:*"], "*").await;
    local.ok("UpdateFunctionConfiguration", network).await;
}
