//! Layers: their versions, the functions that have them, and what those see of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use local_aws::Caller;
use serde_json::{Value, json};

use crate::support::{Local, ROLE, package_of};

const LAYER: &str = "arn:aws:lambda:us-east-1:000000000000:layer";

impl Local {
    /// Publishes a version of a layer of these files and hands back its ARN.
    pub async fn layer(&self, name: &str, files: &[(&str, &str)]) -> String {
        let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_bytes(), 0o755)).collect();
        let input = json!({"LayerName": name, "Content": {"ZipFile": package_of(&files)}});
        self.ok("PublishLayerVersion", input).await["LayerVersionArn"].as_str().unwrap().to_owned()
    }

    /// A layer with the test function as its `bootstrap`, and a file.
    async fn runtime_layer(&self, name: &str, said: &str) -> String {
        let program = std::fs::read(env!("CARGO_BIN_EXE_test-function")).unwrap();
        let zip = package_of(&[("bootstrap", &program, 0o755), ("said", said.as_bytes(), 0o644)]);
        let input = json!({"LayerName": name, "Content": {"ZipFile": zip}});
        self.ok("PublishLayerVersion", input).await["LayerVersionArn"].as_str().unwrap().to_owned()
    }

    async fn layers_of(&self, name: &str) -> Value {
        self.ok("GetFunctionConfiguration", json!({"FunctionName": name})).await["Layers"].clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn layer_versions_are_numbered_listed_and_deleted() {
    let local = Local::new().await;
    let zip = package_of(&[("lib/data", b"1", 0o644)]);
    let first = local
        .ok(
            "PublishLayerVersion",
            json!({"LayerName": "libs", "Content": {"ZipFile": zip}, "Description": "one", "LicenseInfo": "MIT",
                   "CompatibleRuntimes": ["python3.13"], "CompatibleArchitectures": ["x86_64"]}),
        )
        .await;
    assert_eq!(first["LayerArn"], format!("{LAYER}:libs"));
    assert_eq!(first["LayerVersionArn"], format!("{LAYER}:libs:1"));
    assert_eq!((&first["Version"], &first["Description"]), (&json!(1), &json!("one")));
    assert_eq!(
        (&first["LicenseInfo"], &first["CompatibleRuntimes"]),
        (&json!("MIT"), &json!(["python3.13"]))
    );
    let bytes = STANDARD.decode(&zip).unwrap();
    assert_eq!(first["Content"]["CodeSize"], bytes.len());
    let location = first["Content"]["Location"].as_str().unwrap();
    assert!(location.contains("/awslambda-us-east-1-tasks/layers/000000000000/libs-"), "{location}");
    for _ in 2..=3 {
        local.layer("libs", &[("lib/data", "2")]).await;
    }
    local.layer("more", &[("x", "")]).await;
    let got = local.ok("GetLayerVersion", json!({"LayerName": "libs", "VersionNumber": "1"})).await;
    let unsigned = |mut shown: Value| {
        // Each answer has a URL of its own.
        shown["Content"]["Location"].take();
        shown
    };
    let first = unsigned(first);
    assert_eq!(unsigned(got), first);
    let by_arn = local.ok("GetLayerVersionByArn", json!({"Arn": format!("{LAYER}:libs:1")})).await;
    assert_eq!(unsigned(by_arn), first);
    let list = json!({"LayerName": format!("{LAYER}:libs"), "MaxItems": 2});
    let page = local.ok("ListLayerVersions", list.clone()).await;
    let numbers = |page: &Value| -> Vec<u64> {
        page["LayerVersions"].as_array().unwrap().iter().map(|v| v["Version"].as_u64().unwrap()).collect()
    };
    assert_eq!(numbers(&page), [3, 2]);
    assert!(page["LayerVersions"][0].get("Content").is_none());
    let mut rest = list;
    rest["Marker"] = page["NextMarker"].clone();
    let rest = local.ok("ListLayerVersions", rest).await;
    assert_eq!((numbers(&rest), rest.get("NextMarker")), (vec![1], None));
    let python = json!({"LayerName": "libs", "CompatibleRuntime": "python3.13"});
    assert_eq!(numbers(&local.ok("ListLayerVersions", python).await), [1]);
    let layers = local.ok("ListLayers", json!({"MaxItems": 1})).await;
    assert_eq!(layers["Layers"][0]["LatestMatchingVersion"]["Version"], 3);
    let rest = local.ok("ListLayers", json!({"Marker": layers["NextMarker"]})).await;
    assert_eq!((&rest["Layers"][0]["LayerName"], rest.get("NextMarker")), (&json!("more"), None));

    for number in 1..=3 {
        local.ok("DeleteLayerVersion", json!({"LayerName": "libs", "VersionNumber": number})).await;
    }
    local.ok("DeleteLayerVersion", json!({"LayerName": "libs", "VersionNumber": 3})).await;
    assert_eq!(local.ok("ListLayers", json!({})).await["Layers"].as_array().unwrap().len(), 1);
    let gone = local.refused("GetLayerVersion", json!({"LayerName": "libs", "VersionNumber": 3})).await;
    assert_eq!((gone.status, gone.code.as_str()), (404, "ResourceNotFoundException"));
    assert_eq!(local.layer("libs", &[("x", "")]).await, format!("{LAYER}:libs:4"), "a number is used once");
    let wrong = json!({"LayerName": "li bs", "CompatibleArchitectures": ["sparc"]});
    let wrong = local.refused("PublishLayerVersion", wrong).await;
    assert!(wrong.message.starts_with("3 validation errors"), "{wrong}");
    let none = local.refused("GetLayerVersion", json!({"LayerName": "libs", "VersionNumber": 0})).await;
    assert_eq!(none.message, "Layer Version Cannot be less than 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_s_layers_are_checked_as_on_aws() {
    let local = Local::new().await;
    let mut arns = Vec::new();
    for name in ["a", "b", "c", "d", "e", "f"] {
        arns.push(local.layer(name, &[("data", name)]).await);
    }
    let newer = local.layer("a", &[("data", "newer")]).await;
    local.function("f", json!({"Layers": arns[..5]})).await;
    let shown = local.layers_of("f").await;
    assert_eq!(shown.as_array().unwrap().len(), 5);
    assert_eq!(shown[1]["Arn"], arns[1]);
    assert!(shown[1]["CodeSize"].as_u64().unwrap() > 20);
    for (layers, words) in [
        (json!(arns), "Cannot reference more than 5 layers."),
        (json!([arns[0], newer]), "Two different versions of the same layer"),
        (json!([arns[0], arns[0]]), "Two different versions of the same layer"),
        (json!([format!("{LAYER}:a:9")]), "layer:a:9 does not exist."),
        (json!([format!("{LAYER}:nothing:1")]), "layer:nothing:1 does not exist."),
        (
            json!(["arn:aws:lambda:eu-west-1:000000000000:layer:a:1"]),
            "not in the same region as the function",
        ),
    ] {
        let refused = local
            .refused("UpdateFunctionConfiguration", json!({"FunctionName": "f", "Layers": layers}))
            .await;
        assert_eq!(refused.code, "InvalidParameterValueException");
        assert!(refused.message.contains(words), "{refused}");
    }
    for (arn, code) in [
        ("a".to_owned(), "ValidationException"),
        (format!("{LAYER}:a"), "ValidationException"),
        ("arn:aws:lambda:us-east-1:111111111111:layer:a:1".to_owned(), "AccessDeniedException"),
    ] {
        let refused =
            local.refused("UpdateFunctionConfiguration", json!({"FunctionName": "f", "Layers": [arn]})).await;
        assert_eq!(refused.code, code, "{refused}");
    }
    local.configure("f", json!({"MemorySize": 512})).await;
    assert_eq!(local.layers_of("f").await, shown, "what an update does not give stays");
    local.configure("f", json!({"Layers": []})).await;
    assert_eq!(local.layers_of("f").await, Value::Null);
}

/// A small zip of 140 MB, in base64.
fn zeros(name: &str) -> String {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
    std::io::Write::write_all(&mut zip, &vec![0; 140_000_000]).unwrap();
    STANDARD.encode(zip.finish().unwrap().into_inner())
}

#[tokio::test(flavor = "multi_thread")]
async fn code_and_layers_together_keep_to_250_mb() {
    let local = Local::new().await;
    let mut arns = Vec::new();
    for name in ["a", "b"] {
        let input = json!({"LayerName": name, "Content": {"ZipFile": zeros(name)}});
        arns.push(local.ok("PublishLayerVersion", input).await["LayerVersionArn"].clone());
    }
    local.function("f", json!({"Layers": [arns[0]]})).await;
    let both =
        local.refused("UpdateFunctionConfiguration", json!({"FunctionName": "f", "Layers": arns})).await;
    let words = "Function code combined with layers exceeds the maximum allowed size of 262144000 bytes.";
    assert!(both.message.starts_with(words), "{both}");
    let zip = zeros("zeros");
    let code = local.refused("UpdateFunctionCode", json!({"FunctionName": "f", "ZipFile": zip})).await;
    assert!(code.message.starts_with(words), "{code}");
    let create = json!({"FunctionName": "g", "Runtime": "provided.al2023", "Handler": "h", "Role": ROLE,
                        "Code": {"ZipFile": zip}, "Layers": [arns[0]]});
    assert!(local.refused("CreateFunction", create).await.message.starts_with(words));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_layer_version_goes_on_for_those_who_have_it() {
    let local = Local::new().await;
    let arns = [local.runtime_layer("one", "one").await, local.layer("two", &[("said", "two")]).await];
    let nothing = package_of(&[("nothing", b"", 0o644)]);
    local.function("f", json!({"Code": {"ZipFile": nothing}, "Layers": arns})).await;
    let version = local.publish("f").await;
    assert_eq!(local.layers_of("f:1").await[0]["Arn"], arns[0]);
    assert_eq!(local.publish("f").await, version, "nothing has changed");
    local.configure("f", json!({"Layers": [arns[0]]})).await;
    assert_ne!(local.publish("f").await, version, "other layers are a change");
    local.configure("f", json!({"Layers": []})).await;
    for name in ["one", "two"] {
        local.ok("DeleteLayerVersion", json!({"LayerName": name, "VersionNumber": 1})).await;
    }
    let local = local.reopen().await;
    let said = json!({"mode": "read", "path": "said"});
    assert_eq!(local.invoke("f:1", said.clone()).await.result, "two");
    assert_eq!(local.invoke("f:2", said.clone()).await.result, "one");
    let without = local.invoke("f", said).await;
    assert_eq!(without.result["errorType"], "Runtime.InvalidEntrypoint");
    let again = json!({"FunctionName": "f", "Layers": [arns[0]]});
    let refused = local.refused("UpdateFunctionConfiguration", again).await;
    assert!(refused.message.contains("does not exist"), "{refused}");
}

/// What is true with and without the right to give a process a view of its own of the file system.
#[tokio::test(flavor = "multi_thread")]
async fn a_function_sees_its_layers_in_opt_alone() {
    let local = Local::new().await;
    let layers = json!([
        local.runtime_layer("one", "one").await,
        local.layer("two", &[("said", "two"), ("extensions/watcher", "#!/bin/sh\n")]).await
    ]);
    let nothing = package_of(&[("nothing", b"", 0o644)]);
    local.function("f", json!({"Code": {"ZipFile": nothing}, "Layers": layers})).await;
    assert_eq!(local.invoke("f", json!({"mode": "read", "path": "said"})).await.result, "two");
    let env = local.invoke("f", json!({"mode": "env"})).await.result;
    let opt = env["PATH"].as_str().unwrap().rsplit_once(':').unwrap().1.strip_suffix("/bin").unwrap();
    assert!(env["LD_LIBRARY_PATH"].as_str().unwrap().ends_with(&format!(":{opt}/lib")), "{env}");
    let differences = local.aws.lambda.prepare(&local.aws, "f").await.unwrap();
    assert!(differences.iter().any(|d| d.ends_with("not run on this machine: watcher")), "{differences:?}");
    let elsewhere = differences.iter().any(|d| d.starts_with("absolute paths into /opt"));
    assert_eq!(elsewhere, opt != "/opt", "{differences:?}");
    assert!(!std::path::Path::new("/opt/said").exists(), "this machine's own /opt is as it was");
    if !elsewhere {
        let written = local.invoke("f", json!({"mode": "write", "path": "new"})).await;
        assert!(written.result["errorMessage"].as_str().unwrap().contains("Read-only"), "{}", written.result);
    }
    local.function("without", json!({})).await;
    let without = local.invoke("without", json!({"mode": "read", "path": "said"})).await;
    assert_eq!(without.function_error.as_deref(), Some("Unhandled"), "{}", without.result);
}

#[tokio::test(flavor = "multi_thread")]
async fn layers_take_the_permissions_of_who_uses_them() {
    let local = Local::new().await;
    let role = Caller::Role { arn: ROLE.to_owned(), session: "s".to_owned() };
    let arn = local.layer("libs", &[("x", "")]).await;
    local.function("f", json!({})).await;
    let zip = package_of(&[("x", b"", 0o644)]);
    let version = json!({"LayerName": "libs", "VersionNumber": 1});
    for (operation, action, input, resource) in [
        (
            "PublishLayerVersion",
            "PublishLayerVersion",
            json!({"LayerName": "libs", "Content": {"ZipFile": zip}}),
            format!("{LAYER}:libs"),
        ),
        ("GetLayerVersion", "GetLayerVersion", version.clone(), arn.clone()),
        ("GetLayerVersionByArn", "GetLayerVersion", json!({"Arn": arn}), arn.clone()),
        ("ListLayerVersions", "ListLayerVersions", json!({"LayerName": "libs"}), "*".to_owned()),
        ("ListLayers", "ListLayers", json!({}), "*".to_owned()),
        (
            "UpdateFunctionConfiguration",
            "GetLayerVersion",
            json!({"FunctionName": "f", "Layers": [arn]}),
            arn.clone(),
        ),
        ("DeleteLayerVersion", "DeleteLayerVersion", version, arn.clone()),
    ] {
        local.grant(&["lambda:UpdateFunctionConfiguration"], "*").await;
        let denied = local.as_caller(&role, operation, input.clone()).await.unwrap_err();
        let words = format!("is not authorized to perform: lambda:{action} on resource: {resource} because");
        assert!(denied.message.contains(&words), "{denied}");
        let allowed = ["lambda:UpdateFunctionConfiguration", &format!("lambda:{action}")];
        local.grant(&allowed, "*").await;
        local.as_caller(&role, operation, input).await.unwrap_or_else(|e| panic!("{operation}: {e}"));
    }
}
