//! A function in Python whose process ends now and then.

use crate::harness::{Function, World};

/// A function that exits in half of its invocations.
async fn unreliable(world: &World) -> Function<'_> {
    let source = "import os, random\n\ndef handler(event, context):\n    if random.random() < 0.5:\n        os._exit(3)\n    \
                  return 'well'\n";
    world.python("unreliable", source).await
}

const TUNE: [&str; 4] = ["--num", "20", "--power-values", "256,512"];

#[tokio::test]
async fn crashes_fail_the_run_with_their_count_and_the_function_is_put_back() {
    let world = World::new().await;
    let function = unreliable(&world).await;
    let before = function.snapshot().await;
    let said = function.tune(&TUNE).status(1);
    let said = said.complains(&["power value ", "Runtime.ExitError", "exit status 3", "allowedExceptions"]);
    // Such as `the function crashed in 5 of 9 invocations`.
    let counts = said.stderr.split("the function crashed in ").nth(1).unwrap();
    let words: Vec<&str> = counts.split_whitespace().take(4).collect();
    let [crashes, "of", made, "invocations;"] = words[..] else { panic!("{counts}") };
    let (crashes, made): (u32, u32) = (crashes.parse().unwrap(), made.parse().unwrap());
    assert!((1..=5).contains(&crashes) && crashes <= made && made <= 20, "{counts}");
    assert_eq!(function.snapshot().await, before);
}

#[tokio::test]
async fn crashes_that_are_allowed_are_results() {
    let world = World::new().await;
    let function = unreliable(&world).await;
    let before = function.snapshot().await;
    let allowed = ["--allowed-exceptions", "Runtime.ExitError", "--include-output-results"];
    let output = function.tune(&[&TUNE[..], &allowed].concat()).success().json();
    for stat in output["stats"].as_array().unwrap() {
        let errors = stat["errors"].as_u64().unwrap();
        assert!((1..20).contains(&errors) && stat["invocations"] == 20, "{stat}");
    }
    assert_eq!(function.snapshot().await, before);
}
