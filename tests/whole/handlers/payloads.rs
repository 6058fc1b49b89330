//! Payloads from S3 in whole runs, with the permissions that the stack's parameters give.

use local_aws::s3::PutObject;
use local_aws::{Caller, Service};
use serde_json::json;

use super::assert_kept;
use crate::bench::{Bench, FUNCTION, Over};

const KEY: &str = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const PAYLOAD: &str = "{\"from\":\"S3\"}";

/// A stack with these flags of `up` besides the bucket's name, and an object in the bucket.
async fn bench(flags: &[&str], kms_key: Option<&str>) -> Bench {
    let bucket = ["--power-values", "128,512", "--payload-s3-bucket", "payloads"];
    let bench = Bench::in_process_with(&[&bucket, flags].concat()).await;
    bench.stage().shorten_waits();
    bench.make_with(FUNCTION, json!({"Handler": "scripted"})).await;
    bench.ok(Service::S3, "CreateBucket", json!({"Bucket": "payloads"})).await;
    let put = PutObject {
        bucket: "payloads".to_owned(),
        key: "there.json".to_owned(),
        body: PAYLOAD.to_owned().into(),
        kms_key: kms_key.map(str::to_owned),
        ..PutObject::default()
    };
    bench.aws().s3.put_object(bench.aws(), &Caller::Owner, put).await.expect("the object is put");
    bench
}

async fn run(bench: &Bench, key: &str) -> Over {
    let before = bench.snapshot().await;
    bench.stage().script([]);
    let payload = format!("s3://payloads/{key}");
    let over = bench.run(json!({"num": 5, "powerValues": [512], "payloadS3": payload})).await;
    bench.quiet().await;
    assert_kept(bench, &before, key).await;
    over
}

fn refused(over: &Over, parts: &[&str]) {
    assert_eq!(over.status, "FAILED", "{over:?}");
    for part in parts {
        assert!(over.cause.contains(part), "{part}: {over:?}");
    }
}

fn succeeded(bench: &Bench, over: &Over) {
    assert_eq!(over.status, "SUCCEEDED", "{over:?}");
    let sent: Vec<String> = bench.stage().seen().into_iter().map(|seen| seen.payload).collect();
    assert_eq!(sent, [PAYLOAD; 5]);
}

/// The stack may read objects, and may not list the bucket: S3 says of what is missing that it may not be read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_object_is_told_from_nothing_else_without_leave_to_list() {
    let bench = bench(&[], None).await;
    succeeded(&bench, &run(&bench, "there.json").await);
    let over = run(&bench, "missing.json").await;
    let remedy = "check the name, deploy with --payload-s3-bucket and --payload-s3-key";
    refused(&over, &["InvalidInput", "s3://payloads/missing.json does not exist or may not be read", remedy]);
    assert_eq!(bench.stage().seen(), Vec::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_with_a_kms_key_is_read_by_a_stack_that_has_the_key() {
    let without = bench(&[], Some(KEY)).await;
    let over = run(&without, "there.json").await;
    refused(&over, &["s3://payloads/there.json", "kms:Decrypt", "with --kms-key-arns (kmsKeyArns)"]);
    assert_eq!(without.stage().seen(), Vec::new());
    without.stop().await;
    let with = bench(&["--kms-key-arns", KEY], Some(KEY)).await;
    succeeded(&with, &run(&with, "there.json").await);
}

/// A wider bucket than the parameter for keys.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_the_parameter_for_keys_leaves_out_is_not_read() {
    let bench = bench(&["--payload-s3-key", "public/*"], None).await;
    let over = run(&bench, "there.json").await;
    refused(&over, &["InvalidInput", "s3://payloads/there.json", "payloadS3Key"]);
    assert_eq!(bench.stage().seen(), Vec::new());
}
