//! Between the Executor and Lambda stands something that gives up connections on which nothing is sent.

use std::time::Duration;

use crate::harness::World;
use crate::proxy::{Mode, Proxy};

/// From now on the stack's Executor reaches Lambda through a proxy.
async fn executor_behind(world: &World, proxy: &Proxy) {
    let functions = world.lambda.list_functions().send().await.unwrap();
    let executor =
        functions.functions().iter().find(|f| f.function_name().unwrap().contains("executor")).unwrap();
    let name = executor.function_name().unwrap();
    let mut variables = executor.environment().and_then(|e| e.variables()).cloned().unwrap_or_default();
    variables.insert("AWS_ENDPOINT_URL_LAMBDA".to_owned(), proxy.url.clone());
    let environment = aws_sdk_lambda::types::Environment::builder().set_variables(Some(variables)).build();
    let update = world.lambda.update_function_configuration().function_name(name).environment(environment);
    update.send().await.unwrap();
    for _ in 0..200 {
        let found = world.lambda.get_function_configuration().function_name(name).send().await.unwrap();
        if found.last_update_status().is_some_and(|status| status.as_str() == "Successful") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the Executor is not updated after 5 s");
}

const FLAGS: [&str; 5] = ["--power-values", "512", "--num", "5", "--parallel-invocation"];

#[tokio::test]
async fn a_connection_closed_while_it_was_idle_is_called_that() {
    let world = World::new().await;
    let function = world.sample_with("slow", "io", &[("MILLISECONDS", "2500")]).await;
    let proxy = Proxy::new(&world.url);
    proxy.set(Mode::Idle(Duration::from_millis(1500)));
    executor_behind(&world, &proxy).await;
    let before = function.snapshot().await;
    let said = function.tune(&FLAGS).status(1);
    let said = said.complains(&[
        "power value 512: none of 5 invocations was answered; the last one: no answer within ",
        " ms: the connection was lost while it was idle. If the stack runs in a VPC, what stands between it and Lambda",
    ]);
    assert!(!said.stderr.contains("totalExecutionTimeout"), "{}", said.stderr);
    assert_eq!(function.snapshot().await, before);
}

#[tokio::test]
async fn an_answer_that_never_comes_over_a_forgotten_connection_is_not_waited_for_to_the_end() {
    let world = World::new().await;
    let function = world.sample_with("slow", "io", &[("MILLISECONDS", "1500")]).await;
    let update = world.lambda.update_function_configuration().function_name("slow").timeout(2);
    update.send().await.unwrap();
    let proxy = Proxy::new(&world.url);
    proxy.set(Mode::Forgetful(Duration::from_millis(800)));
    executor_behind(&world, &proxy).await;
    let before = function.snapshot().await;
    let said = function.tune(&FLAGS).status(1).complains(&[
        ", though the function's own time-out is 2 s: the connection was lost while it was idle. If the stack",
    ]);
    assert!(!said.stderr.contains("totalExecutionTimeout"), "{}", said.stderr);
    assert_eq!(function.snapshot().await, before);
}

#[tokio::test]
async fn answers_that_come_before_a_connection_is_given_up_are_measured() {
    let world = World::new().await;
    let function = world.sample_with("quick", "io", &[("MILLISECONDS", "100")]).await;
    let proxy = Proxy::new(&world.url);
    proxy.set(Mode::Idle(Duration::from_millis(1500)));
    executor_behind(&world, &proxy).await;
    // The pauses are longer than a connection lives: each invocation has a new one, and none is lost.
    let pauses = ["--sleep-between-runs-ms", "2000", "--include-output-results"];
    let output = function.tune(&[&FLAGS[..4], &pauses].concat()).success().json();
    assert_eq!(output["power"], 512, "{output}");
    assert!(output["stats"][0].get("lost").is_none_or(|lost| lost == 0), "{output}");
}
