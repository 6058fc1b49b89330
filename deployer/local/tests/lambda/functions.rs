//! Functions as a whole.

use local_aws::lambda::Behaviour;
use local_aws::{Caller, Service};
use serde_json::{Value, json};
use std::time::Duration;

use crate::support::{ACCOUNT_ARN, Local, ROLE, package, package_of, variables};

fn creating(name: &str) -> Value {
    json!({"FunctionName": name, "Runtime": "provided.al2023", "Handler": "bootstrap", "Role": ROLE,
           "Code": {"ZipFile": package()}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_is_pending_and_then_active() {
    let local = Local::with(Behaviour { settle: Duration::from_millis(300), ..Local::quick() }).await;
    let created = local.ok("CreateFunction", creating("f")).await;
    assert_eq!(created["FunctionArn"], format!("{ACCOUNT_ARN}:f"));
    assert_eq!((&created["State"], &created["Version"]), (&json!("Pending"), &json!("$LATEST")));
    assert_eq!((&created["MemorySize"], &created["Timeout"]), (&json!(128), &json!(3)));
    let error = local.try_invoke("f", json!({})).await.unwrap_err();
    assert_eq!((error.status, error.code.as_str()), (409, "ResourceConflictException"));
    assert!(error.message.ends_with("The function is currently in the following state: Pending"));
    let change = json!({"FunctionName": "f", "Timeout": 5});
    assert_eq!(local.refused("UpdateFunctionConfiguration", change.clone()).await.status, 409);
    local.settled("f").await;
    let active = local.ok("GetFunction", json!({"FunctionName": "f"})).await["Configuration"].clone();
    assert_ne!(active["RevisionId"], created["RevisionId"], "a revision ends with the state");
    let changed = local.ok("UpdateFunctionConfiguration", change.clone()).await;
    assert_eq!((&changed["State"], &changed["LastUpdateStatus"]), (&json!("Active"), &json!("InProgress")));
    let error = local.refused("UpdateFunctionConfiguration", change.clone()).await;
    assert_eq!(
        error.message,
        format!(
            "The operation cannot be performed at this time. An update is in progress for resource: {ACCOUNT_ARN}:f"
        )
    );
    assert_eq!(local.refused("PublishVersion", json!({"FunctionName": "f"})).await.status, 409);
    // What is invoked meanwhile is what was there before.
    let env = local.invoke("f", json!({"mode": "headers"})).await;
    assert_eq!(env.function_error, None);
    local.settled("f").await;
    let mut stale = change;
    stale["RevisionId"] = active["RevisionId"].clone();
    let error = local.refused("UpdateFunctionConfiguration", stale).await;
    assert_eq!((error.status, error.code.as_str()), (412, "PreconditionFailedException"));
}

#[tokio::test(flavor = "multi_thread")]
async fn code_comes_from_the_request_or_from_s3() {
    let local = Local::new().await;
    let bucket = json!({"Bucket": "code"});
    local.aws.call(&Caller::Owner, Service::S3, "CreateBucket", bucket).await.unwrap();
    let missing = json!({"S3Bucket": "code", "S3Key": "none.zip"});
    let mut input = creating("f");
    input["Code"] = missing;
    let error = local.refused("CreateFunction", input).await;
    assert_eq!(error.code, "InvalidParameterValueException");
    assert!(
        error.message.starts_with("Error occurred while GetObject. S3 Error Code: NoSuchKey."),
        "{error}"
    );
    for (code, words) in [
        (json!({}), "Please provide a source for function code."),
        (json!({"S3Bucket": "code"}), "Please provide both S3Bucket and S3Key."),
        (json!({"ZipFile": "UEs="}), "Could not unzip uploaded file."),
        (json!({"ZipFile": "UEs=", "S3Bucket": "b", "S3Key": "k"}), "Please do not provide other"),
        (
            json!({"ImageUri": "x"}),
            "Please don't provide ImageUri when creating a function with packageType Zip.",
        ),
    ] {
        let mut input = creating("f");
        input["Code"] = code;
        let error = local.refused("CreateFunction", input).await;
        assert!(error.message.contains(words), "{error}");
    }
    assert_eq!(local.refused("GetFunction", json!({"FunctionName": "f"})).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn changing_code_changes_the_hash_and_what_runs() {
    let local = Local::new().await;
    local.function("f", json!({"Code": {"ZipFile": package_of(&[("x", b"1", 0o644)])}})).await;
    let before = local.ok("GetFunctionConfiguration", json!({"FunctionName": "f"})).await;
    let new = json!({"FunctionName": "f", "ZipFile": package(), "DryRun": true});
    let tried = local.ok("UpdateFunctionCode", new).await;
    assert_ne!(tried["CodeSha256"], before["CodeSha256"]);
    let still = local.ok("GetFunctionConfiguration", json!({"FunctionName": "f"})).await;
    assert_eq!(still, before, "a dry run changes nothing");
    let published = local
        .ok("UpdateFunctionCode", json!({"FunctionName": "f", "ZipFile": package(), "Publish": true}))
        .await;
    assert_eq!(published["Version"], "1");
    assert_eq!(published["CodeSha256"], tried["CodeSha256"]);
    local.settled("f").await;
    local.settled("f:1").await;
    for name in ["f", "f:1"] {
        assert_eq!(local.invoke(name, json!({"a": 1})).await.result, json!({"a": 1}));
    }
    let location = local.ok("GetFunction", json!({"FunctionName": "f"})).await["Code"]["Location"].clone();
    let location = location.as_str().unwrap();
    assert!(location.contains("/awslambda-us-east-1-tasks/snapshots/000000000000/f-"), "{location}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_function_cannot_be_given_is_refused_by_name() {
    let local = Local::new().await;
    let code = |member: &str, value: Value| {
        let mut input = creating("f");
        input["Code"][member] = value;
        input
    };
    let with = |member: &str, value: Value| {
        let mut input = creating("f");
        input[member] = value;
        input
    };
    let from_s3 = json!({"S3Bucket": "b", "S3Key": "k", "S3ObjectVersion": "1"});
    for (input, member) in [
        (
            with(
                "CodeSigningConfigArn",
                json!("arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-1"),
            ),
            "CodeSigningConfigArn",
        ),
        (with("PublishTo", json!("LATEST_PUBLISHED")), "PublishTo"),
        (code("SourceKMSKeyArn", json!("arn:aws:kms:us-east-1:000000000000:key/k")), "SourceKMSKeyArn"),
        (with("Code", from_s3), "S3ObjectVersion"),
    ] {
        let error = local.refused("CreateFunction", input).await;
        assert_eq!((error.status, error.code.as_str()), (400, "InvalidParameterValueException"));
        assert!(error.message.starts_with(member), "{error}");
    }
    let listed = local.ok("ListFunctions", json!({})).await;
    assert_eq!(listed["Functions"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_kept_and_shown_but_not_run() {
    let local = Local::new().await;
    let repository = "000000000000.dkr.ecr.us-east-1.amazonaws.com/app";
    let digest = "0b".repeat(32);
    let create = json!({
        "FunctionName": "f", "PackageType": "Image", "Role": ROLE, "Code": {"ImageUri": format!("{repository}:live")},
        "ImageConfig": {"Command": ["app.handler"]},
    });
    let with = |member: &str, value: Value| {
        let mut input = create.clone();
        input[member] = value;
        input
    };
    let provided =
        "Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image.";
    let needed = "Please provide ImageUri when creating a function with packageType Image.";
    let zipped = "Please don't provide ImageUri when creating a function with packageType Zip.";
    let elsewhere = "Source image docker.io/app:live is not valid. Provide a valid source image.";
    let snapshots = "Image is not supported for SnapStart enabled functions.";
    for (input, said) in [
        (with("Runtime", json!("python3.13")), provided),
        (with("Handler", json!("app.handler")), provided),
        (with("Code", json!({"ZipFile": package()})), needed),
        (with("PackageType", Value::Null), zipped),
        (with("Code", json!({"ImageUri": "docker.io/app:live"})), elsewhere),
        (with("SnapStart", json!({"ApplyOn": "PublishedVersions"})), snapshots),
    ] {
        let error = local.refused("CreateFunction", input).await;
        assert_eq!((error.code.as_str(), error.message.as_str()), ("InvalidParameterValueException", said));
    }
    let created = local.ok("CreateFunction", create.clone()).await;
    local.settled("f").await;
    let first = local.ok("GetFunction", json!({"FunctionName": "f"})).await;
    let hash = first["Configuration"]["CodeSha256"].as_str().unwrap();
    let by_digest = format!("{repository}@sha256:{hash}");
    assert_eq!(
        first["Code"],
        json!({"RepositoryType": "ECR", "ImageUri": format!("{repository}:live"), "ResolvedImageUri": by_digest})
    );
    let image = json!({"ImageConfig": {"Command": ["app.handler"]}});
    assert_eq!((&created["PackageType"], &created["ImageConfigResponse"]), (&json!("Image"), &image));
    assert_eq!(
        (&created["CodeSize"], created.get("Runtime"), created.get("Handler")),
        (&json!(0), None, None)
    );

    let update = |code: Value| {
        let mut input = code;
        input["FunctionName"] = "f".into();
        input
    };
    let error = local.refused("UpdateFunctionCode", update(json!({"ZipFile": package()}))).await;
    assert_eq!(error.message, "Please provide ImageUri when updating a function with packageType Image.");
    let by_hand = format!("{repository}@sha256:{digest}");
    local.ok("UpdateFunctionCode", update(json!({"ImageUri": by_hand}))).await;
    local.settled("f").await;
    let next = local.ok("GetFunction", json!({"FunctionName": "f"})).await;
    assert_eq!(next["Configuration"]["CodeSha256"], digest.as_str());
    assert_eq!(
        (&next["Code"]["ResolvedImageUri"], &next["Configuration"]["ImageConfigResponse"]),
        (&json!(by_hand), &image)
    );

    let run = local.invoke("f", json!({})).await;
    assert_eq!(run.function_error.as_deref(), Some("Unhandled"));
    let said = run.result.to_string();
    assert!(said.contains("Runtime.StartError") && said.contains("runs zip packages only"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_member_is_named_at_once() {
    let local = Local::new().await;
    let mut input = creating("f");
    input["MemorySize"] = json!(64);
    input["Timeout"] = json!(0);
    input["Role"] = json!("me");
    let error = local.refused("CreateFunction", input).await;
    assert_eq!((error.status, error.code.as_str()), (400, "ValidationException"));
    assert!(error.message.starts_with("3 validation errors detected: "), "{error}");
    for words in ["'64' at 'memorySize'", "'0' at 'timeout'", "'me' at 'role'"] {
        assert!(error.message.contains(words), "{error}");
    }
    let mut input = creating("a b");
    assert_eq!(local.refused("CreateFunction", input.clone()).await.code, "ValidationException");
    input["FunctionName"] = json!("x".repeat(65));
    assert_eq!(local.refused("CreateFunction", input.clone()).await.code, "InvalidParameterValueException");
    input["FunctionName"] = json!("f");
    input["MemorySize"] = json!("big");
    assert_eq!(local.refused("CreateFunction", input.clone()).await.code, "SerializationException");
    let mut input = creating("f");
    input["Role"] = json!("arn:aws:iam::000000000000:role/nobody");
    let error = local.refused("CreateFunction", input).await;
    assert_eq!(error.message, "The role defined for the function cannot be assumed by Lambda.");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_arns_lead_to_the_function_and_errors_name_it() {
    let local = Local::new().await;
    local.function("f", json!({})).await;
    for name in ["f", "000000000000:function:f", "arn:aws:lambda:us-east-1:000000000000:function:f"] {
        local.ok("GetFunction", json!({"FunctionName": name})).await;
    }
    let error = local.refused("GetFunction", json!({"FunctionName": "g"})).await;
    assert_eq!((error.status, error.code.as_str()), (404, "ResourceNotFoundException"));
    assert_eq!(error.message, format!("Function not found: {ACCOUNT_ARN}:g"));
    let error = local.refused("CreateFunction", creating("f")).await;
    assert_eq!((error.status, error.message.as_str()), (409, "Function already exist: f"));
    let elsewhere = json!({"FunctionName": "arn:aws:lambda:eu-west-1:000000000000:function:f"});
    let error = local.refused("GetFunction", elsewhere).await;
    assert!(error.message.contains("'eu-west-1'"), "{error}");
    let both = json!({"FunctionName": "f:1", "Qualifier": "2"});
    assert!(local.refused("GetFunction", both).await.message.contains("derived qualifier"));
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_in_pages() {
    let local = Local::new().await;
    let code = json!({"ZipFile": package_of(&[("bootstrap", b"#!/bin/sh\n", 0o755)])});
    for i in 0..7 {
        local.function(&format!("f{i}"), json!({"Code": code})).await;
    }
    local.publish("f1").await;
    for (all, expected) in [(false, 7), (true, 8)] {
        let (mut seen, mut marker) = (Vec::new(), Value::Null);
        loop {
            let mut input = json!({"MaxItems": "3", "Marker": marker});
            if all {
                input["FunctionVersion"] = json!("ALL");
            }
            let page = local.ok("ListFunctions", input).await;
            let functions = page["Functions"].as_array().unwrap();
            assert!((1..=3).contains(&functions.len()), "{page}");
            seen.extend(functions.iter().map(|f| f["FunctionArn"].as_str().unwrap().to_owned()));
            marker = page["NextMarker"].clone();
            if marker.is_null() {
                break;
            }
        }
        assert_eq!(seen.len(), expected, "{seen:?}");
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), expected, "{seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_function_is_replicated_from_another_region() {
    let local = Local::new().await;
    let code = json!({"ZipFile": package_of(&[("bootstrap", b"#!/bin/sh\n", 0o755)])});
    local.function("f", json!({"Code": code})).await;
    let replicas = json!({"MasterRegion": "us-east-1", "FunctionVersion": "ALL"});
    assert_eq!(local.ok("ListFunctions", replicas).await, json!({"Functions": []}));
    for (input, code) in [
        (json!({"MasterRegion": "us-east-1"}), "InvalidParameterValueException"),
        (json!({"MasterRegion": "x", "FunctionVersion": "ALL"}), "ValidationException"),
    ] {
        assert_eq!(local.refused("ListFunctions", input).await.code, code);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_set_is_shown_and_survives() {
    let local = Local::new().await;
    local.grant(&["ec2:*"], "*").await;
    let settings = json!({
        "Description": "what it does", "MemorySize": 333, "Timeout": 33, "Architectures": ["arm64"],
        "Environment": variables(&[("A_B", "c")]), "EphemeralStorage": {"Size": 1024},
        "TracingConfig": {"Mode": "Active"}, "VpcConfig": {"SubnetIds": ["s"], "SecurityGroupIds": ["g"]},
        "DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:000000000000:q"},
        "LoggingConfig": {"LogFormat": "JSON", "LogGroup": "/mine", "ApplicationLogLevel": "DEBUG"},
        "Tags": {"team": "a"},
    });
    local.function("f", settings.clone()).await;
    local.ok("PutFunctionConcurrency", json!({"FunctionName": "f", "ReservedConcurrentExecutions": 7})).await;
    let shown = local.ok("GetFunction", json!({"FunctionName": "f"})).await;
    let configuration = &shown["Configuration"];
    for member in [
        "Description",
        "MemorySize",
        "Timeout",
        "Architectures",
        "Environment",
        "EphemeralStorage",
        "TracingConfig",
        "DeadLetterConfig",
    ] {
        assert_eq!(configuration[member], settings[member], "{member}");
    }
    assert_eq!(configuration["VpcConfig"]["SubnetIds"], json!(["s"]));
    assert_eq!(configuration["LoggingConfig"]["LogGroup"], "/mine");
    assert_eq!(shown["Tags"], json!({"team": "a"}));
    assert_eq!(shown["Concurrency"], json!({"ReservedConcurrentExecutions": 7}));
    let local = local.reopen().await;
    let mut again = local.ok("GetFunction", json!({"FunctionName": "f"})).await;
    // Each answer has a URL of its own.
    again["Code"]["Location"] = shown["Code"]["Location"].clone();
    assert_eq!(again, shown);
    local
        .configure(
            "f",
            json!({"Environment": {"Variables": {}}, "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []}}),
        )
        .await;
    let configuration = local.ok("GetFunctionConfiguration", json!({"FunctionName": "f"})).await;
    assert!(configuration.get("Environment").is_none() && configuration.get("VpcConfig").is_none());
    assert_eq!(configuration["MemorySize"], 333, "what is not given stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_function_is_gone_with_all_it_had() {
    let local = Local::new().await;
    local.function("f", json!({})).await;
    local.publish("f").await;
    local.ok("CreateAlias", json!({"FunctionName": "f", "Name": "live", "FunctionVersion": "1"})).await;
    local.ok("DeleteFunction", json!({"FunctionName": "f"})).await;
    assert_eq!(local.refused("DeleteFunction", json!({"FunctionName": "f"})).await.status, 404);
    assert_eq!(local.try_invoke("f", json!({})).await.unwrap_err().status, 404);
    local.function("f", json!({})).await;
    assert_eq!(local.refused("GetAlias", json!({"FunctionName": "f", "Name": "live"})).await.status, 404);
    assert_eq!(local.publish("f").await, "1", "a new function counts anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_are_added_and_removed() {
    let local = Local::new().await;
    local.function("f", json!({"Tags": {"a": "1"}})).await;
    let resource = format!("{ACCOUNT_ARN}:f");
    local.ok("TagResource", json!({"Resource": resource, "Tags": {"b": "2", "c": "3"}})).await;
    local.ok("UntagResource", json!({"Resource": resource, "TagKeys": ["a", "c"]})).await;
    assert_eq!(local.ok("ListTags", json!({"Resource": resource})).await, json!({"Tags": {"b": "2"}}));
    let many: std::collections::BTreeMap<_, _> = (0..50).map(|i| (format!("k{i}"), "v")).collect();
    let error = local.refused("TagResource", json!({"Resource": resource, "Tags": many})).await;
    assert_eq!(error.code, "InvalidParameterValueException");
    assert_eq!(local.ok("ListTags", json!({"Resource": resource})).await, json!({"Tags": {"b": "2"}}));
    assert_eq!(local.refused("ListTags", json!({"Resource": format!("{resource}:1")})).await.status, 400);
}
