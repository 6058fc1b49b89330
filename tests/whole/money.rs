//! Charges besides memory and duration: ephemeral storage and SnapStart. What they come to is said, and what is left out.

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{EphemeralStorage, FunctionCode, Runtime, SnapStart, SnapStartApplyOn};
use serde_json::Value;

use crate::bench::ROLE;
use crate::copies::COPIES;
use crate::harness::{World, zip_of};

pub fn handler(statement: &str) -> FunctionCode {
    let code = format!("import time\ndef handler(event, context):\n    {statement}\n");
    FunctionCode::builder().zip_file(Blob::new(zip_of("app.py", code.as_bytes()))).build()
}

/// A function with SnapStart, which Lambda bills.
async fn snapped(world: &World) {
    let snap_start = SnapStart::builder().apply_on(SnapStartApplyOn::PublishedVersions).build();
    let create = world.lambda.create_function().function_name("snapped").code(handler("pass"));
    let create = create.handler("app.handler").runtime(Runtime::Python313).snap_start(snap_start);
    create.memory_size(1024).timeout(30).role(ROLE).send().await.unwrap();
}

/// Each copy has one version, and none is published of the function itself.
#[tokio::test]
async fn copies_on_snap_start_are_told_without_a_version_of_the_function() {
    let world = World::with(&COPIES).await;
    snapped(&world).await;
    let tune = ["tune", "snapped", "--json", "--power-values"];
    let said = |more: &[&str]| world.deployer(&[&tune[..], more].concat()).success();
    // 3 GB x 3 h x $0.0000015046 for the first.
    for (more, before) in [
        (
            &["1024,2048", "--num", "5"][..],
            "the snapshots of the 2 versions of this run for at least 3 hours each, about $0.05,",
        ),
        (&["1024,2048", "--num", "5", "--tune", "in-place"], "the snapshots of the 3 versions of this run"),
        (
            &["1024", "--architectures", "x86_64,arm64", "--num", "15"],
            "the snapshots of the 2 versions of this run",
        ),
        (&["auto", "--max-invocations", "20"], "the snapshots of the versions of this run"),
    ] {
        said(more).complains(&[before]);
    }
}

#[tokio::test]
async fn a_run_on_snap_start_says_beforehand_what_it_costs_and_that_costs_are_incomplete() {
    let world = World::new().await;
    snapped(&world).await;
    let tune =
        ["tune", "snapped", "--num", "5", "--power-values", "1024,2048", "--only-cold-starts", "--json"];
    let said = world.deployer(&tune).success();
    // 5 versions of 1 GB, 5 of 2 GB and one of 1 GB that keeps the function as it was: 16 GB x 3 h x $0.0000015046.
    let before = "the snapshots of the 11 versions of this run for at least 3 hours each, about $0.26,";
    let after = "not what it asks for keeping the snapshots of versions";
    let said = said.complains(&[before, after]);
    assert!(said.stderr.find(before) < said.stderr.find(after), "{}", said.stderr);

    let output: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(output["prices"]["incomplete"].as_array().map(Vec::len), Some(1), "{output}");
    // Each of the ten cold starts restored its memory.
    let restored = 15.0 * 0.000_139_799_8;
    let cost = output["stateMachine"]["lambdaCost"].as_f64().unwrap();
    assert!(cost > restored && cost < 2.0 * restored, "{cost} for {restored}");
    assert!(output["cost"].as_f64().unwrap() > 0.000_139_799_8, "{output}");
}

#[tokio::test]
async fn ephemeral_storage_over_the_free_part_is_priced() {
    let world = World::new().await;
    let storage = EphemeralStorage::builder().size(10_240).build().unwrap();
    let create = world.lambda.create_function().function_name("stored").code(handler("time.sleep(0.1)"));
    let create = create.handler("app.handler").runtime(Runtime::Python313).ephemeral_storage(storage);
    create.timeout(30).role("arn:aws:iam::000000000000:role/sample").send().await.unwrap();

    let said = world.deployer(&["tune", "stored", "--num", "5", "--power-values", "128", "--json"]).success();
    let output: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(output["prices"].get("incomplete"), None, "the price in us-east-1 is known: {output}");
    // Billed are whole milliseconds, so at most one more than the duration of over 100.
    let per_second = 1000.0 * output["cost"].as_f64().unwrap() / output["duration"].as_f64().unwrap();
    let wanted = 1.666_67e-5 / 8.0 + 9.5 * 3.09e-8;
    assert!(per_second > 0.999 * wanted && per_second < 1.02 * wanted, "{per_second} for {wanted}: {output}");
}
