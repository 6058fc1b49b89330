//! Functions whose environment variables a customer-managed KMS key encrypts.

use local_aws::Service;
use serde_json::{Value, json};

use super::{assert_kept, refused::refused};
use crate::bench::{Bench, FUNCTION};

const KEY: &str = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// With a tuned function that has the key, on a stack deployed with these flags of `up`.
async fn bench(flags: &[&str]) -> Bench {
    let bench = Bench::in_process_with(&[&["--power-values", "128,512"], flags].concat()).await;
    bench.stage().shorten_waits();
    // The function's own role, which has to read the variables as well.
    allow(&bench, "sample", &["kms:Decrypt"]).await;
    bench.make_with(FUNCTION, json!({"KMSKeyArn": KEY})).await;
    bench
}

/// Gives a role a further policy about the key.
async fn allow(bench: &Bench, role: &str, actions: &[&str]) {
    let statement = json!({"Effect": "Allow", "Action": actions, "Resource": KEY});
    let document = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    let policy = json!({"RoleName": role, "PolicyName": "key", "PolicyDocument": document});
    bench.ok(Service::Iam, "PutRolePolicy", policy).await;
}

/// The same for the roles of the stack's functions.
async fn allow_the_stack(bench: &Bench, actions: &[&str]) {
    for handler in ["initializer", "publisher", "cleaner", "optimizer"] {
        let function = json!({"FunctionName": bench.function(handler)});
        let found = bench.ok(Service::Lambda, "GetFunctionConfiguration", function).await;
        let role = found["Role"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        allow(bench, &role, actions).await;
    }
}

fn input(more: Value) -> Value {
    super::with(json!({"num": 5, "powerValues": [128, 512]}), more)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_with_a_key_is_tuned_by_a_stack_that_has_the_key() {
    let bench = bench(&["--kms-key-arns", KEY]).await;
    let before = bench.snapshot().await;
    let over = bench.run(input(json!({}))).await;
    bench.quiet().await;
    assert_eq!(over.status, "SUCCEEDED", "{over:?}");
    assert_eq!(bench.invocations(), [(128, 5), (512, 5)].into());
    assert_kept(&bench, &before, "after the run").await;

    let over = bench.run(input(json!({"autoOptimize": true, "powerValues": [512]}))).await;
    bench.quiet().await;
    assert_eq!(over.output["applied"], json!({"memorySize": 512, "was": 256}), "{over:?}");
    let tuned = bench.lambda("GetFunctionConfiguration", json!({})).await;
    assert_eq!((&tuned["MemorySize"], &tuned["KMSKeyArn"]), (&json!(512), &json!(KEY)));
    assert_eq!(tuned["Environment"]["Variables"]["STAGE"], "production", "{tuned}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_key_the_run_is_refused_with_the_parameter_s_name() {
    for flags in [
        &[][..],
        &["--kms-key-arns", "arn:aws:kms:us-east-1:000000000000:key/ffffffff-12ab-34cd-56ef-000000000000"],
    ] {
        let bench = bench(flags).await;
        let over = refused(&bench, FUNCTION, json!({})).await;
        for part in ["FunctionNotTunable", "AccessDeniedException", "deploy with kmsKeyArns that has ", KEY] {
            assert!(over.cause.contains(part), "{part}: {over:?}");
        }
    }
}

/// As when a grant or the key's own policy lets the roles read, but nobody lets them have grants made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_may_be_used_but_not_granted_ends_the_run_and_nothing_is_left() {
    let bench = bench(&[]).await;
    allow_the_stack(&bench, &["kms:Decrypt"]).await;
    let before = bench.snapshot().await;
    let over = bench.run(input(json!({}))).await;
    bench.quiet().await;
    assert_eq!(over.status, "FAILED", "{over:?}");
    for part in ["AccessDenied", "not authorized to perform: kms:CreateGrant", KEY, "deploy with kmsKeyArns"]
    {
        assert!(over.cause.contains(part), "{part}: {over:?}");
    }
    assert_kept(&bench, &before, "after the run").await;

    allow_the_stack(&bench, &["kms:Decrypt", "kms:CreateGrant"]).await;
    let over = bench.run(input(json!({}))).await;
    assert_eq!(over.status, "SUCCEEDED", "{over:?}");
}
