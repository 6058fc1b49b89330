//! Settings whose effect is elsewhere than in the process: SnapStart, keys, and what cannot be tuned.

use std::time::Duration;

use local_aws::Caller;
use local_aws::lambda::Behaviour;
use local_aws::lambda::in_process::Handler;
use serde_json::{Value, json};

use crate::support::{Local, ROLE, package, variables};

/// A Python function that needs no Python.
async fn snapping(behaviour: Behaviour) -> Local {
    let local = Local::with(behaviour).await;
    local.aws.lambda.run_in_process(|_| {
        let handler: Handler = std::sync::Arc::new(|invocation| {
            let kind = invocation.variables["AWS_LAMBDA_INITIALIZATION_TYPE"].clone();
            Box::pin(async move { Ok(json!(kind)) })
        });
        Some(handler)
    });
    let snap_start = json!({"ApplyOn": "PublishedVersions"});
    local.function("f", json!({"Runtime": "python3.13", "Handler": "a.b", "SnapStart": snap_start})).await;
    local
}

async fn shown(local: &Local, qualifier: &str) -> Value {
    local.ok("GetFunctionConfiguration", json!({"FunctionName": "f", "Qualifier": qualifier})).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_with_snap_start_is_pending_until_its_snapshot_is_made() {
    let local = snapping(Behaviour { snapshot: Duration::from_millis(300), ..Local::quick() }).await;
    let version = local.ok("PublishVersion", json!({"FunctionName": "f"})).await;
    let off = json!({"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"});
    assert_eq!(
        (&version["State"], &version["StateReasonCode"], &version["SnapStart"]),
        (&json!("Pending"), &json!("Creating"), &off)
    );
    let early = local.try_invoke("f:1", json!({})).await.unwrap_err();
    assert_eq!((early.code.as_str(), early.status), ("SnapStartNotReadyException", 409));
    assert_eq!(local.invoke("f", json!({})).await.result, "on-demand", "$LATEST has no snapshot");
    tokio::time::sleep(Duration::from_millis(350)).await;
    let version = shown(&local, "1").await;
    assert_eq!(
        (&version["State"], &version["SnapStart"]["OptimizationStatus"]),
        (&json!("Active"), &json!("On"))
    );
    assert_eq!(local.invoke("f:1", json!({})).await.result, "snap-start");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runtime_s_management_is_kept_with_the_version() {
    let local = snapping(Local::quick()).await;
    let arn = "arn:aws:lambda:us-east-1::runtime:0b1c";
    let get = |qualifier: &'static str| {
        local.ok("GetRuntimeManagementConfig", json!({"FunctionName": "f", "Qualifier": qualifier}))
    };
    let input = |mode: &str, arn: Option<&str>| json!({"FunctionName": "f", "UpdateRuntimeOn": mode, "RuntimeVersionArn": arn});
    assert_eq!(get("$LATEST").await["UpdateRuntimeOn"], "Auto");
    for (mode, arn) in [("Manual", None), ("Auto", Some(arn)), ("Sometimes", None)] {
        let refused = local.refused("PutRuntimeManagementConfig", input(mode, arn)).await;
        assert_eq!(refused.status, 400, "{refused}");
    }
    let set = local.ok("PutRuntimeManagementConfig", input("Manual", Some(arn))).await;
    assert_eq!((&set["UpdateRuntimeOn"], &set["RuntimeVersionArn"]), (&json!("Manual"), &json!(arn)));
    local.configure("f", json!({"MemorySize": 512})).await;
    local.ok("PublishVersion", json!({"FunctionName": "f"})).await;
    local.ok("PutRuntimeManagementConfig", input("FunctionUpdate", None)).await;
    assert_eq!(
        get("1").await["RuntimeVersionArn"],
        arn,
        "the version has what was set when it was published"
    );
    let latest = get("$LATEST").await;
    assert_eq!(
        (&latest["UpdateRuntimeOn"], latest.get("RuntimeVersionArn")),
        (&json!("FunctionUpdate"), None)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_creates_a_function_in_a_vpc_may_look_at_it() {
    let local = snapping(Local::quick()).await;
    let network = [
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
    ];
    let mut granted = vec!["lambda:CreateFunction", "iam:PassRole"];
    granted.extend(network);
    let caller = Caller::Role { arn: ROLE.to_owned(), session: "test".to_owned() };
    let create = json!({
        "FunctionName": "g", "Runtime": "python3.13", "Handler": "a.b", "Role": ROLE, "Code": {"ZipFile": package()},
        "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
    });
    for missing in ["ec2:DescribeSecurityGroups", "ec2:DescribeVpcs"] {
        local.grant(&granted, "*").await;
        let refused = local.as_caller(&caller, "CreateFunction", create.clone()).await.unwrap_err();
        assert_eq!((refused.status, refused.code.as_str()), (403, "AccessDeniedException"));
        assert!(refused.message.contains(missing.strip_prefix("ec2:").unwrap()), "{refused}");
        granted.push(missing);
    }
    local.grant(&granted, "*").await;
    local.as_caller(&caller, "CreateFunction", create).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_system_needs_a_network_and_leave_to_look_at_it() {
    let local = snapping(Local::quick()).await;
    let arn = "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0123456789abcdef0";
    let files = json!([{"Arn": arn, "LocalMountPath": "/mnt/models"}]);
    let update = |settings: Value| {
        let mut input = settings;
        input["FunctionName"] = "f".into();
        input
    };
    let error =
        local.refused("UpdateFunctionConfiguration", update(json!({"FileSystemConfigs": files}))).await;
    assert_eq!(error.code, "InvalidParameterValueException");
    assert!(
        error.message.starts_with(&format!(
            "Function must be configured to execute in a VPC to reference access point {arn}."
        )),
        "{error}"
    );
    for (arn, path, member) in [
        (
            "arn:aws:elasticfilesystem:us-east-1:000000000000:file-system/fs-0123456789abcdef0",
            "/mnt/m",
            "arn",
        ),
        (arn, "/models", "localMountPath"),
        (arn, "/mnt/", "localMountPath"),
    ] {
        let wrong = json!({"FileSystemConfigs": [{"Arn": arn, "LocalMountPath": path}]});
        let error = local.refused("UpdateFunctionConfiguration", update(wrong)).await;
        assert_eq!(error.code, "ValidationException");
        assert!(error.message.contains(&format!("at 'fileSystemConfigs.{member}'")), "{error}");
    }
    let network = json!({"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]});
    let both = update(json!({"FileSystemConfigs": files, "VpcConfig": network}));
    let mut granted = vec!["lambda:UpdateFunctionConfiguration", "ec2:*"];
    local.grant(&granted, "*").await;
    let caller = Caller::Role { arn: ROLE.to_owned(), session: "test".to_owned() };
    let refused = local.as_caller(&caller, "UpdateFunctionConfiguration", both.clone()).await.unwrap_err();
    assert_eq!((refused.status, refused.code.as_str()), (403, "AccessDeniedException"));
    assert!(refused.message.contains("DescribeMountTargets"), "{refused}");
    granted.push("elasticfilesystem:DescribeMountTargets");
    local.grant(&granted, "*").await;
    local.as_caller(&caller, "UpdateFunctionConfiguration", both).await.unwrap();
    local.settled("f").await;
    let shown = local.ok("GetFunctionConfiguration", json!({"FunctionName": "f"})).await;
    assert_eq!(shown["FileSystemConfigs"], files);
    // It stays with what does not give it, and goes with an empty list.
    local.configure("f", json!({"Timeout": 9})).await;
    let shown = local.ok("GetFunctionConfiguration", json!({"FunctionName": "f"})).await;
    assert_eq!(shown["FileSystemConfigs"], files);
    local.configure("f", json!({"FileSystemConfigs": []})).await;
    let shown = local.ok("GetFunctionConfiguration", json!({"FunctionName": "f"})).await;
    assert_eq!(shown.get("FileSystemConfigs"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_code_storage_takes_no_function() {
    let local = snapping(Local::quick()).await;
    let usage =
        local.ok("GetAccountSettings", json!({})).await["AccountUsage"]["TotalCodeSize"].as_u64().unwrap();
    let room = |code_storage: u64| local.aws.lambda.behave(Behaviour { code_storage, ..Local::quick() });
    let create = json!({
        "FunctionName": "g", "Runtime": "python3.13", "Handler": "a.b", "Role": ROLE, "Code": {"ZipFile": package()},
    });
    room(2 * usage - 1);
    let refused = local.refused("CreateFunction", create.clone()).await;
    assert_eq!((refused.status, refused.code.as_str()), (400, "CodeStorageExceededException"));
    room(2 * usage);
    local.ok("CreateFunction", create).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_size_too_small_for_the_snapshot_ends_failed() {
    let behaviour =
        Behaviour { snapshot: Duration::from_millis(20), snapshot_least_mb: 256, ..Local::quick() };
    let local = snapping(behaviour).await;
    local.configure("f", json!({"MemorySize": 255})).await;
    local.ok("PublishVersion", json!({"FunctionName": "f"})).await;
    local.configure("f", json!({"MemorySize": 256})).await;
    local.ok("PublishVersion", json!({"FunctionName": "f"})).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let (small, large) = (shown(&local, "1").await, shown(&local, "2").await);
    assert_eq!((&small["State"], &large["State"]), (&json!("Failed"), &json!("Active")));
    assert_eq!(small["StateReasonCode"], "FunctionError.InitResourceExhausted");
    let refused = local.try_invoke("f:1", json!({})).await.unwrap_err();
    assert_eq!(refused.code, "ResourceConflictException");
    assert!(refused.message.ends_with("state: Failed"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_managed_key_asks_for_permissions_of_its_own() {
    let local = Local::new().await;
    let key = "arn:aws:kms:us-east-1:000000000000:key/k";
    local.function("f", json!({"KMSKeyArn": key, "Environment": variables(&[("COLOUR", "red")])})).await;
    let role = Caller::Role { arn: ROLE.to_owned(), session: "s".to_owned() };
    local.grant(&["lambda:*"], "*").await;
    let name = json!({"FunctionName": "f"});
    let seen = local.as_caller(&role, "GetFunctionConfiguration", name.clone()).await.unwrap();
    assert_eq!(
        (&seen["KMSKeyArn"], &seen["Environment"]["Error"]["ErrorCode"]),
        (&json!(key), &json!("AccessDeniedException"))
    );
    assert!(seen["Environment"].get("Variables").is_none());
    assert_eq!(shown(&local, "$LATEST").await["Environment"]["Variables"]["COLOUR"], "red");
    let change = json!({"FunctionName": "f", "MemorySize": 512});
    let refused = local.as_caller(&role, "UpdateFunctionConfiguration", change.clone()).await.unwrap_err();
    assert_eq!(refused.code, "InvalidParameterValueException");
    assert!(refused.message.contains("not authorized to perform: kms:CreateGrant"), "{refused}");
    let refused = local.try_invoke("f", json!({})).await.unwrap_err();
    assert_eq!((refused.code.as_str(), refused.status), ("KMSAccessDeniedException", 502));
    local.grant(&["lambda:*", "kms:CreateGrant", "kms:Decrypt"], "*").await;
    local.as_caller(&role, "UpdateFunctionConfiguration", change).await.unwrap();
    let seen = local.as_caller(&role, "GetFunctionConfiguration", name).await.unwrap();
    assert_eq!(seen["Environment"]["Variables"]["COLOUR"], "red");
    local.settled("f").await;
    local.invoke("f", json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_other_kinds_of_function_are_kept_and_shown() {
    let local = Local::new().await;
    let kept = [
        (
            "CapacityProviderConfig",
            json!({"LambdaManagedInstancesCapacityProviderConfig": {"CapacityProviderArn": "arn"}}),
        ),
        ("DurableConfig", json!({"ExecutionTimeout": 60})),
        ("TenancyConfig", json!({"TenantIsolationMode": "PER_TENANT"})),
    ];
    local.function("f", kept.iter().cloned().map(|(name, value)| (name.to_owned(), value)).collect()).await;
    local.configure("f", json!({"MemorySize": 256})).await;
    let function = shown(&local, "$LATEST").await;
    for (name, value) in kept {
        assert_eq!(function[name], value, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_size_above_the_accounts_quota_is_refused() {
    let local = Local::with(Behaviour { memory_quota: 3008, ..Local::quick() }).await;
    local.function("f", json!({"MemorySize": 3008})).await;
    let error =
        local.refused("UpdateFunctionConfiguration", json!({"FunctionName": "f", "MemorySize": 3009})).await;
    assert_eq!(error.code, "InvalidParameterValueException");
    assert_eq!(
        error.message,
        "'MemorySize' value failed to satisfy constraint: Member must have value less than or equal to 3008"
    );
    assert_eq!(shown(&local, "$LATEST").await["MemorySize"], 3008);
}
