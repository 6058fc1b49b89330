//! Published versions.

use serde_json::{Value, json};

use crate::support::{ACCOUNT_ARN, Local, package_of};

async fn listed(local: &Local, size: usize) -> Vec<String> {
    let (mut seen, mut marker) = (Vec::new(), Value::Null);
    loop {
        let input = json!({"FunctionName": "f", "MaxItems": size, "Marker": marker});
        let page = local.ok("ListVersionsByFunction", input).await;
        let versions = page["Versions"].as_array().unwrap();
        assert!(versions.len() <= size);
        seen.extend(versions.iter().map(|v| v["Version"].as_str().unwrap().to_owned()));
        marker = page["NextMarker"].clone();
        if marker.is_null() {
            return seen;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_new_brings_no_new_version() {
    let local = Local::new().await;
    local.function("f", json!({"MemorySize": 128})).await;
    let first = local.ok("PublishVersion", json!({"FunctionName": "f", "Description": "mine"})).await;
    assert_eq!((&first["Version"], &first["Description"]), (&json!("1"), &json!("mine")));
    assert_eq!(first["FunctionArn"], format!("{ACCOUNT_ARN}:f:1"));
    assert_eq!(first["State"], "Active", "a zip's version needs no time");
    let again = local.ok("PublishVersion", json!({"FunctionName": "f", "Description": "other"})).await;
    assert_eq!((&again["Version"], &again["Description"]), (&json!("1"), &json!("mine")));
    local.configure("f", json!({"MemorySize": 256})).await;
    assert_eq!(local.publish("f").await, "2");
    local.configure("f", json!({"MemorySize": 128})).await;
    assert_eq!(local.publish("f").await, "3", "only the last published version is compared");
    local.configure("f", json!({"MemorySize": 256})).await;
    local.configure("f", json!({"MemorySize": 128})).await;
    assert_eq!(local.publish("f").await, "3", "there and back is no change");
    local.configure("f", json!({"Description": "new"})).await;
    assert_eq!(local.publish("f").await, "4", "a description is part of the configuration");
    let old = local.ok("GetFunctionConfiguration", json!({"FunctionName": "f", "Qualifier": "2"})).await;
    assert_eq!((&old["MemorySize"], &old["Version"]), (&json!(256), &json!("2")));
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_never_used_again() {
    let local = Local::new().await;
    local.function("f", json!({})).await;
    assert_eq!(local.publish("f").await, "1");
    local.ok("DeleteFunction", json!({"FunctionName": "f", "Qualifier": "1"})).await;
    assert_eq!(local.refused("GetFunction", json!({"FunctionName": "f:1"})).await.status, 404);
    assert_eq!(local.publish("f").await, "2");
    local.ok("DeleteFunction", json!({"FunctionName": "f", "Qualifier": "1"})).await;
    let local = local.reopen().await;
    assert_eq!(listed(&local, 50).await, ["$LATEST", "2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_deleted_says_why() {
    let local = Local::new().await;
    local.function("f", json!({})).await;
    local.publish("f").await;
    for name in ["b", "a"] {
        local.ok("CreateAlias", json!({"FunctionName": "f", "Name": name, "FunctionVersion": "1"})).await;
    }
    let error = local.refused("DeleteFunction", json!({"FunctionName": "f", "Qualifier": "1"})).await;
    assert_eq!((error.status, error.code.as_str()), (409, "ResourceConflictException"));
    assert_eq!(error.message, "Unable to delete version because the following aliases reference it: [a, b]");
    let error = local.refused("DeleteFunction", json!({"FunctionName": "f:$LATEST"})).await;
    assert!(error.message.starts_with("$LATEST version cannot be deleted"));
    let error = local.refused("DeleteFunction", json!({"FunctionName": "f:a"})).await;
    assert_eq!(error.message, "Deletion of aliases is not currently supported.");
    local.configure("f", json!({"Timeout": 4})).await;
    local.publish("f").await;
    for name in ["b", "a"] {
        local.ok("UpdateAlias", json!({"FunctionName": "f", "Name": name, "FunctionVersion": "2"})).await;
    }
    local.ok("DeleteFunction", json!({"FunctionName": "f", "Qualifier": "1"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn preconditions_are_checked() {
    let local = Local::new().await;
    local.function("f", json!({})).await;
    let shown = local.ok("GetFunctionConfiguration", json!({"FunctionName": "f"})).await;
    let error = local.refused("PublishVersion", json!({"FunctionName": "f", "CodeSha256": "other"})).await;
    assert!(error.message.starts_with("CodeSHA256 (other) is different from current CodeSHA256"), "{error}");
    let error = local.refused("PublishVersion", json!({"FunctionName": "f", "RevisionId": "other"})).await;
    assert_eq!((error.status, error.code.as_str()), (412, "PreconditionFailedException"));
    let long = json!({"FunctionName": "f", "Description": "x".repeat(257)});
    assert_eq!(local.refused("PublishVersion", long).await.code, "ValidationException");
    let right =
        json!({"FunctionName": "f", "CodeSha256": shown["CodeSha256"], "RevisionId": shown["RevisionId"]});
    assert_eq!(local.ok("PublishVersion", right).await["Version"], "1");
    assert_eq!(local.refused("PublishVersion", json!({"FunctionName": "g"})).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_versions_are_listed_in_pages() {
    let local = Local::new().await;
    let code = json!({"ZipFile": package_of(&[("bootstrap", b"#!/bin/sh\n", 0o755)])});
    local.function("f", json!({"Code": code})).await;
    local.function("f-2", json!({"Code": code})).await;
    local.aws.lambda.behave(local_aws::lambda::Behaviour {
        settle: std::time::Duration::ZERO,
        ..local.aws.lambda.behaviour()
    });
    for i in 1..=120 {
        local
            .ok("UpdateFunctionConfiguration", json!({"FunctionName": "f", "Description": i.to_string()}))
            .await;
        local.ok("PublishVersion", json!({"FunctionName": "f"})).await;
    }
    local.publish("f-2").await;
    let expected: Vec<String> =
        std::iter::once("$LATEST".to_owned()).chain((1..=120).map(|i| i.to_string())).collect();
    for size in [1, 7, 50] {
        assert_eq!(listed(&local, size).await, expected);
    }
    let most = local.ok("ListVersionsByFunction", json!({"FunctionName": "f", "MaxItems": 10_000})).await;
    assert_eq!(most["Versions"].as_array().unwrap().len(), 50);
    let error = local.refused("ListVersionsByFunction", json!({"FunctionName": "f", "MaxItems": 0})).await;
    assert_eq!(error.code, "ValidationException");
}

/// `RevisionId` of `$LATEST`, or of a version.
async fn revision(local: &Local, qualifier: &str) -> Value {
    local.ok("GetFunctionConfiguration", json!({"FunctionName": "f", "Qualifier": qualifier})).await["RevisionId"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn publishing_and_tags_give_latest_a_new_revision_and_an_alias_does_not() {
    let local = Local::new().await;
    local.function("f", json!({})).await;
    let before = revision(&local, "$LATEST").await;
    let version = local.ok("PublishVersion", json!({"FunctionName": "f"})).await;
    let published = revision(&local, "$LATEST").await;
    assert!(published != before && published != version["RevisionId"]);
    let stale = json!({"FunctionName": "f", "RevisionId": before});
    assert_eq!(local.refused("PublishVersion", stale).await.code, "PreconditionFailedException");
    local.ok("PublishVersion", json!({"FunctionName": "f"})).await;
    assert_eq!(revision(&local, "$LATEST").await, published, "nothing was published");
    local.ok("CreateAlias", json!({"FunctionName": "f", "Name": "a", "FunctionVersion": "1"})).await;
    assert_eq!(revision(&local, "$LATEST").await, published);
    assert_eq!(
        revision(&local, "1").await,
        version["RevisionId"],
        "a version keeps the revision it came with"
    );
    let resource = format!("{ACCOUNT_ARN}:f");
    local.ok("TagResource", json!({"Resource": resource, "Tags": {"k": "v"}})).await;
    let tagged = revision(&local, "$LATEST").await;
    assert_ne!(tagged, published);
    local.ok("UntagResource", json!({"Resource": resource, "TagKeys": ["k"]})).await;
    assert_ne!(revision(&local, "$LATEST").await, tagged);
}

#[tokio::test(flavor = "multi_thread")]
async fn creating_with_publish_answers_the_version() {
    let local = Local::new().await;
    let created = local
        .ok(
            "CreateFunction",
            json!({"FunctionName": "f", "Runtime": "provided.al2023", "Handler": "bootstrap", "Role": crate::support::ROLE,
                   "Code": {"ZipFile": package_of(&[("bootstrap", b"#!/bin/sh", 0o755)])}, "Publish": true}),
        )
        .await;
    assert_eq!((&created["Version"], &created["State"]), (&json!("1"), &json!("Pending")));
    assert_eq!(created["FunctionArn"], format!("{ACCOUNT_ARN}:f:1"));
    local.settled("f").await;
    assert_eq!(listed(&local, 50).await, ["$LATEST", "1"]);
    let again = local.ok("PublishVersion", json!({"FunctionName": "f"})).await;
    assert_eq!((&again["Version"], &again["State"]), (&json!("1"), &json!("Active")));
}
