//! Measuring one power value: an endpoint that is not there, and a payload from S3. The rest is tested on the embedded endpoint
//! (`tests/whole/handlers/executor.rs`).

use std::time::Duration;

use functions::error::Kind;
use functions::handlers::Handler;
use serde_json::{Value, json};

use crate::fake::Fake;
use crate::machine::Machine;
use crate::world::{ARN, World};

fn event(extra: Value) -> Value {
    let mut input = json!({"lambdaARN": ARN, "num": 5});
    for (name, value) in extra.as_object().unwrap() {
        input[name] = value.clone();
    }
    input["run"] = json!({
        "execution": crate::machine::EXECUTION, "functionName": "target", "functionArn": ARN, "region": "us-east-1",
        "architecture": "x86_64", "timeout": 3, "powerValues": [512], "num": 5, "baseline": {"memorySize": 256},
        "snapshotVersion": "1", "codeSha256": "c0de", "settings": "", "published": {"done": true},
    });
    json!({"input": input, "value": 512})
}

fn payloads(fake: &Fake) -> Vec<String> {
    fake.world().seen.iter().map(|seen| seen.payload.clone()).collect()
}

#[tokio::test]
async fn never_connecting_is_not_losing() {
    // Nobody listens there, so nothing can have run: the pass ends without a lost invocation.
    let clients = crate::fake::clients_of("http://127.0.0.1:9", "test", &[]);
    let deadline = functions::deadline::Deadline::within(Duration::from_millis(500));
    let result = Handler::Executor.handle(event(json!({})), deadline, &clients).await.unwrap();
    assert_eq!(result["progress"]["measurements"]["lost"], 0, "{result}");
    assert_eq!(result["progress"]["done"], json!([]));
    assert!(result["progress"]["stalledMs"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn a_payload_may_come_from_s3() {
    let mut world = World::default();
    let weighted = json!([{"payload": {"big": 1}, "weight": 4}, {"payload": {"big": 2}, "weight": 1}]);
    world.objects.insert("bucket/some/key.json".to_owned(), weighted.to_string());
    let fake = Fake::start(world).await;
    let mut machine = Machine::new(&fake);
    let event = event(json!({"payload": "not this", "payloadS3": "s3://bucket/some/key.json"}));
    machine.measure(&event["input"], &event["value"]).await.unwrap();
    let (one, two) = ("{\"big\":1}", "{\"big\":2}");
    assert_eq!(payloads(&fake), [one, one, one, one, two]);

    fake.world().objects.clear();
    let error = machine.measure(&event["input"], &event["value"]).await.unwrap_err();
    assert_eq!(error.kind, Kind::InvalidInput);
    assert!(error.message.contains("s3://bucket/some/key.json does not exist"), "{error}");
}
