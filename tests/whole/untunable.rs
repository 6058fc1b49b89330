//! Functions that cannot be measured size by size: refused before anything is changed, with the setting's name and the way out.

use local_aws::Service;
use local_aws::lambda::Behaviour;
use serde_json::{Value, json};

use crate::bench::{Bench, ROLE, differences};

async fn function(bench: &Bench, name: &str, setting: &str, value: &Value) {
    let mut create = json!({
        "FunctionName": name, "Runtime": "provided.al2023", "Handler": "echo", "Role": ROLE, "Code": {"ZipFile": bench.code},
    });
    if setting != "ReservedConcurrentExecutions" {
        create[setting] = value.clone();
    }
    bench.ok(Service::Lambda, "CreateFunction", create).await;
    let permission = json!({
        "FunctionName": name, "StatementId": "topic", "Action": "lambda:InvokeFunction", "Principal": "sns.amazonaws.com",
    });
    bench.ok(Service::Lambda, "AddPermission", permission).await;
    if setting == "ReservedConcurrentExecutions" {
        let reserve = json!({"FunctionName": name, setting: value});
        bench.ok(Service::Lambda, "PutFunctionConcurrency", reserve).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_tuned_is_refused_with_its_name_and_the_way_out() {
    let bench = Bench::in_process().await;
    let provider = json!({"LambdaManagedInstancesCapacityProviderConfig": {"CapacityProviderArn": "arn"}});
    let cases = [
        ("CapacityProviderConfig", provider, "tune a function without it"),
        ("DurableConfig", json!({"ExecutionTimeout": 60}), "tune a function with the code of one step"),
        ("TenancyConfig", json!({"TenantIsolationMode": "PER_TENANT"}), "tune a function of the same code"),
        ("LoggingConfig", json!({"LogFormat": "JSON", "SystemLogLevel": "WARN"}), "set it to INFO"),
        ("ReservedConcurrentExecutions", json!(0), "aws lambda delete-function-concurrency"),
    ];
    for (index, (setting, value, way_out)) in cases.iter().enumerate() {
        let name = format!("untunable{index}");
        function(&bench, &name, setting, value).await;
        let before = bench.snapshot_of(&name).await;
        let input = json!({"num": 5, "powerValues": [128, 512]});
        let over = bench.ended(&bench.start_on(&name, input, None).await.unwrap()).await;
        bench.quiet().await;
        assert_eq!(over.status, "FAILED", "{setting}: {over:?}");
        let said = format!("{over:?}");
        assert!(said.contains(setting) && said.contains(way_out), "{setting}: {said}");
        assert!(differences(&before, &bench.snapshot_of(&name).await).is_empty(), "{setting}");
    }
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_size_above_the_accounts_quota_ends_the_run_before_anything_is_measured() {
    let bench = Bench::in_process().await;
    bench.behave(|behaviour| Behaviour { memory_quota: 3008, ..behaviour });
    let before = bench.snapshot().await;
    let over = bench.run(json!({"num": 5, "powerValues": [128, 512, 4096]})).await;
    bench.quiet().await;
    assert_eq!(over.status, "FAILED", "{over:?}");
    assert!(format!("{over:?}").contains("3008"), "{over:?}");
    assert!(bench.invocations().is_empty(), "{:?}", bench.invocations());
    assert!(differences(&before, &bench.snapshot().await).is_empty());
    bench.stop().await;
}
