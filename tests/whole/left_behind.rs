//! What a run leaves behind: nothing, however it ends.

use serde_json::json;

use crate::harness::World;

#[tokio::test]
async fn a_handler_s_error_fails_the_run_and_nothing_is_left() {
    let world = World::new().await;
    let function = world.sample("fail", "fail").await;
    let before = function.snapshot().await;
    function.tune(&["--num", "5", "--power-values", "128"]).status(1).complains(&["128", "SampleError"]);
    assert_eq!(function.snapshot().await, before);
    let ended = world.execute(&json!({ "lambdaARN": function.arn(), "num": 5, "powerValues": [512] })).await;
    assert_eq!(ended.status, "FAILED", "{ended:?}");
    assert!(ended.cause.contains("512") && ended.cause.contains("SampleError"), "{ended:?}");
}

#[tokio::test]
async fn a_user_s_aliases_and_versions_stay() {
    let world = World::new().await;
    let function = world.sample("echo", "echo").await;
    let version =
        world.lambda.publish_version().function_name("echo").description("mine").send().await.unwrap();
    for name in ["RAM512", "RAM128", "live", "deployer"] {
        let create = world.lambda.create_alias().function_name("echo").name(name);
        create.function_version(version.version().unwrap()).description("mine").send().await.unwrap();
    }
    let before = function.snapshot().await;
    function.tune(&["--num", "5"]).success();
    assert_eq!(function.snapshot().await, before);
}

#[tokio::test]
async fn a_user_s_alias_with_the_name_of_ours_is_refused_before_anything_changes() {
    let world = World::new().await;
    let function = world.sample("echo", "echo").await;
    let create = world.lambda.create_alias().function_name("echo").name("deployer-tuning-512");
    create.function_version("$LATEST").description("mine").send().await.unwrap();
    let before = function.snapshot().await;
    function.tune(&["--num", "5"]).status(1).complains(&["deployer-tuning-512"]);
    assert_eq!(function.snapshot().await, before);
}

#[tokio::test]
async fn a_stopped_execution_is_cleaned_up_by_the_rule() {
    let world = World::new().await;
    let function = world.sample("wait", "io").await;
    let before = function.snapshot().await;
    let input = json!({ "lambdaARN": function.arn(), "num": 100, "payload": { "milliseconds": 300 } });
    let execution = world.start(&input).await;
    for _ in 0..100 {
        let aliases = world.lambda.list_aliases().function_name("wait").send().await.unwrap();
        if aliases.aliases().len() > 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    world.states.stop_execution().execution_arn(&execution).send().await.unwrap();
    for _ in 0..150 {
        if function.snapshot().await == before {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    assert_eq!(function.snapshot().await, before, "30 s after the execution was stopped");
}

#[tokio::test]
async fn a_function_that_is_being_tuned_is_not_tuned_twice() {
    let world = World::new().await;
    let function = world.sample("wait", "io").await;
    let before = function.snapshot().await;
    let input = json!({ "lambdaARN": function.arn(), "num": 30, "powerValues": [128], "payload": { "milliseconds": 200 } });
    let (first, second) = tokio::join!(world.execute(&input), async {
        for _ in 0..100 {
            let aliases = world.lambda.list_aliases().function_name("wait").send().await.unwrap();
            if !aliases.aliases().is_empty() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        world.execute(&input).await
    });
    assert_eq!(first.status, "SUCCEEDED", "{first:?}");
    assert_eq!(second.status, "FAILED", "{second:?}");
    assert!(second.cause.contains(&first.arn), "it names who holds the function: {second:?}");
    assert_eq!(function.snapshot().await, before);
}

#[tokio::test]
async fn cleanup_says_when_there_is_nothing_to_do() {
    let world = World::new().await;
    world.sample("echo", "echo").await;
    let said = world.deployer(&["cleanup", "echo"]).success();
    assert!(said.stdout.contains("no traces of a run"), "{}", said.stdout);
}
