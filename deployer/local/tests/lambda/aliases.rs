//! Aliases.

use serde_json::json;

use crate::support::{ACCOUNT_ARN, Local};

async fn two_versions() -> Local {
    let local = Local::new().await;
    local.function("f", json!({})).await;
    local.publish("f").await;
    local.configure("f", json!({"Timeout": 4})).await;
    local.publish("f").await;
    local
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_is_created_changed_and_deleted() {
    let local = two_versions().await;
    let created = local
        .ok(
            "CreateAlias",
            json!({"FunctionName": "f", "Name": "live", "FunctionVersion": "1", "Description": "d"}),
        )
        .await;
    assert_eq!(created["AliasArn"], format!("{ACCOUNT_ARN}:f:live"));
    let error = local
        .refused("CreateAlias", json!({"FunctionName": "f", "Name": "live", "FunctionVersion": "2"}))
        .await;
    assert_eq!((error.status, error.code.as_str()), (409, "ResourceConflictException"));
    assert_eq!(error.message, format!("Alias already exists: {ACCOUNT_ARN}:f:live"));
    let stale = json!({"FunctionName": "f", "Name": "live", "FunctionVersion": "2", "RevisionId": "x"});
    assert_eq!(local.refused("UpdateAlias", stale).await.status, 412);
    let right = json!({"FunctionName": "f", "Name": "live", "FunctionVersion": "2", "RevisionId": created["RevisionId"]});
    let changed = local.ok("UpdateAlias", right).await;
    assert_eq!((&changed["FunctionVersion"], &changed["Description"]), (&json!("2"), &json!("d")));
    assert_ne!(changed["RevisionId"], created["RevisionId"]);
    let local = local.reopen().await;
    assert_eq!(local.ok("GetAlias", json!({"FunctionName": "f", "Name": "live"})).await, changed);
    let run = local.invoke("f:live", json!({"mode": "headers"})).await;
    assert_eq!(run.version, "2");
    assert_eq!(run.result["lambda-runtime-invoked-function-arn"], format!("{ACCOUNT_ARN}:f:live"));
    let shown = local.ok("GetFunctionConfiguration", json!({"FunctionName": "f", "Qualifier": "live"})).await;
    assert_eq!(
        (&shown["Version"], &shown["FunctionArn"]),
        (&json!("2"), &json!(format!("{ACCOUNT_ARN}:f:live")))
    );
    for _ in 0..2 {
        local.ok("DeleteAlias", json!({"FunctionName": "f", "Name": "live"})).await;
    }
    let error = local.refused("GetAlias", json!({"FunctionName": "f", "Name": "live"})).await;
    assert_eq!(error.message, format!("Cannot find alias arn: {ACCOUNT_ARN}:f:live"));
    assert_eq!(local.try_invoke("f:live", json!({})).await.unwrap_err().status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_targets_are_checked() {
    let local = two_versions().await;
    let alias =
        |name: &str, version: &str| json!({"FunctionName": "f", "Name": name, "FunctionVersion": version});
    for name in ["123", "a b", "", &"x".repeat(129), "$LATEST"] {
        let error = local.refused("CreateAlias", alias(name, "1")).await;
        assert_eq!(error.code, "ValidationException", "{name}");
    }
    let mut long = alias("a", "1");
    long["Description"] = json!("x".repeat(257));
    let error = local.refused("CreateAlias", long.clone()).await;
    assert!(error.message.ends_with("Member must have length less than or equal to 256"), "{error}");
    long["Description"] = json!("é".repeat(256));
    local.ok("CreateAlias", long).await;
    let error = local.refused("CreateAlias", alias("b", "9")).await;
    assert_eq!((error.status, error.message), (404, format!("Function not found: {ACCOUNT_ARN}:f:9")));
    assert_eq!(local.refused("CreateAlias", alias("b", "a")).await.code, "ValidationException");
    local.ok("CreateAlias", alias("latest", "$LATEST")).await;
    assert_eq!(local.invoke("f:latest", json!({})).await.version, "$LATEST");
    let mut other = alias("b", "1");
    other["FunctionName"] = json!("g");
    assert_eq!(local.refused("CreateAlias", other).await.status, 404);
    let missing = local.refused("UpdateAlias", alias("none", "1")).await;
    assert_eq!((missing.status, missing.message), (404, format!("Alias not found: {ACCOUNT_ARN}:f:none")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_version_takes_its_weight() {
    let local = two_versions().await;
    let alias = |version: &str, weights: serde_json::Value| {
        json!({"FunctionName": "f", "Name": "live", "FunctionVersion": version,
               "RoutingConfig": {"AdditionalVersionWeights": weights}})
    };
    for (input, words) in [
        (alias("1", json!({"2": 0.1, "3": 0.1})), "cannot be greater than 1"),
        (alias("1", json!({"1": 0.1})), "already included"),
        (alias("$LATEST", json!({"1": 0.1})), "$LATEST is not supported"),
        (alias("1", json!({"2": 1.5})), "less than or equal to 1.0"),
        (alias("1", json!({"9": 0.5})), "Function not found"),
    ] {
        let error = local.refused("CreateAlias", input).await;
        assert!(error.message.contains(words), "{error}");
    }
    local.ok("CreateAlias", alias("1", json!({"2": 1.0}))).await;
    assert_eq!(local.invoke("f:live", json!({})).await.version, "2");
    let error = local.refused("DeleteFunction", json!({"FunctionName": "f:2"})).await;
    assert_eq!(error.status, 409, "a version with a weight is in use too");
    let cleared =
        local.ok("UpdateAlias", json!({"FunctionName": "f", "Name": "live", "RoutingConfig": {}})).await;
    assert!(cleared.get("RoutingConfig").is_none());
    assert_eq!(local.invoke("f:live", json!({})).await.version, "1");
    local.ok("DeleteFunction", json!({"FunctionName": "f:2"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn aliases_are_listed_in_pages_and_by_version() {
    let local = two_versions().await;
    for i in 0..9 {
        let version = if i % 3 == 0 { "1" } else { "2" };
        let input = json!({"FunctionName": "f", "Name": format!("a{i}"), "FunctionVersion": version});
        local.ok("CreateAlias", input).await;
    }
    for (version, expected) in [(None, 9), (Some("1"), 3), (Some("2"), 6), (Some("7"), 0)] {
        for size in [1, 2, 4, 50] {
            let (mut seen, mut marker) = (Vec::new(), serde_json::Value::Null);
            loop {
                let input = json!({"FunctionName": "f", "MaxItems": size, "Marker": marker, "FunctionVersion": version});
                let page = local.ok("ListAliases", input).await;
                let aliases = page["Aliases"].as_array().unwrap();
                assert!(aliases.len() <= size);
                seen.extend(aliases.iter().map(|a| a["Name"].as_str().unwrap().to_owned()));
                marker = page["NextMarker"].clone();
                if marker.is_null() {
                    break;
                }
            }
            assert_eq!(seen.len(), expected, "{version:?} by {size}: {seen:?}");
        }
    }
}
