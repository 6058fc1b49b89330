//! A kill at any call to a service, before or after its effect: what is taken up ends as if nothing had happened.

use serde_json::{Value, json};

use super::world::short;
use super::{Cfn, plain};

fn first() -> Value {
    json!({
        "Changed": plain(json!({"Value": "1"})),
        "Dropped": plain(json!({"Name": "d"})),
        "Named": plain(json!({"Name": "n", "Value": {"Ref": "Changed"}})),
        "Replaced": plain(json!({"Kind": "1", "Value": {"Fn::GetAtt": ["Named", "Arn"]}})),
    })
}

fn second(fail: &str) -> Value {
    json!({
        "Changed": plain(json!({"Value": "2"})),
        "Last": {"Type": "Test::Plain::Thing", "DependsOn": ["Made", "Replaced", "Changed"],
                 "Properties": {"Name": "last", "Fail": fail}},
        "Made": plain(json!({"Name": "m"})),
        "Named": plain(json!({"Name": "n", "Value": {"Ref": "Changed"}})),
        "Replaced": plain(json!({"Kind": "2", "Value": {"Fn::GetAtt": ["Named", "Arn"]}})),
    })
}

/// What there is, made-up names without their random end also where they are referred to.
fn things(cfn: &Cfn) -> Vec<(String, Value)> {
    let things = cfn.world.things().into_iter().map(|(id, mut thing)| {
        if let Some(value) = thing.get_mut("Value") {
            *value = short(value.as_str().unwrap()).into();
        }
        (id, thing)
    });
    things.collect()
}

/// Runs an operation, first undisturbed and then once for each of its calls to be killed at, and compares.
async fn sweep(begin: impl AsyncFn(&Cfn), input: Value, operation: &str) {
    let clean = Cfn::new();
    begin(&clean).await;
    clean.world.forget_log();
    clean.call(operation, input.clone()).await.unwrap();
    let status = clean.settled("s").await;
    let calls = clean.world.log().len();
    assert!(calls > 3, "{:?}", clean.world.log());

    let mut killed = 0;
    for call in 0..calls {
        for after in [false, true] {
            let cfn = Cfn::new();
            begin(&cfn).await;
            cfn.world.hang_at(call, after);
            cfn.call(operation, input.clone()).await.unwrap();
            for _ in 0..30_000 {
                if cfn.world.hung() {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            assert!(cfn.world.hung(), "call {call} did not come");
            let cfn = cfn.killed().await;
            assert_eq!(cfn.settled("s").await, status, "{operation}, killed at call {call}, after: {after}");
            assert_eq!(things(&cfn), things(&clean), "{operation}, killed at call {call}, after: {after}");
            killed += 1;
        }
    }
    assert_eq!(killed, 2 * calls);
}

async fn nothing(_: &Cfn) {}

async fn created(cfn: &Cfn) {
    assert_eq!(cfn.create(first()).await, "CREATE_COMPLETE");
}

fn input(resources: Value) -> Value {
    json!({"StackName": "s", "TemplateBody": json!({ "Resources": resources }).to_string()})
}

#[tokio::test]
async fn a_killed_creation_goes_on() {
    sweep(nothing, input(first()), "CreateStack").await;
}

#[tokio::test]
async fn a_killed_creation_that_fails_is_rolled_back() {
    sweep(nothing, input(second("create")), "CreateStack").await;
}

#[tokio::test]
async fn a_killed_update_goes_on() {
    sweep(created, input(second("")), "UpdateStack").await;
}

#[tokio::test]
async fn a_killed_update_that_fails_is_rolled_back() {
    sweep(created, input(second("create")), "UpdateStack").await;
}

#[tokio::test]
async fn a_killed_deletion_goes_on() {
    sweep(created, json!({"StackName": "s"}), "DeleteStack").await;
}
