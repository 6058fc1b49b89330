//! Following what is under way: interrupted, left, come back to, through lost connections.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::harness::{Function, Running, Said, UP, World, isolated, release};
use crate::proxy::{Mode, Proxy};

#[tokio::test]
async fn an_interrupted_up_says_how_to_go_on_and_the_next_one_does() {
    let world = World::empty().await;
    let mut up = Running::start(&mut world.released(&UP));
    up.hear("creating the stack deployer-power-tuning");
    // Nothing may be answered any more, so that the interruption surely comes first.
    world.signal("STOP");
    up.signal("INT");
    let said = up.end().status(130);
    world.signal("CONT");
    said.complains(&[
        "error: interrupted; CloudFormation goes on by itself",
        "while creating the stack deployer-power-tuning",
        "hint: run the same command again to follow it to its end, or look with `aws cloudformation describe-stack-events",
    ]);
    let again = world.up(&[]).success();
    assert!(again.stdout.contains("StateMachineARN") && !again.stderr.contains("uploaded"), "{again:?}");
    let bucket = "deployer-assets-000000000000-us-east-1";
    let objects = world.s3.list_object_versions().bucket(bucket).send().await.unwrap();
    assert_eq!(objects.versions().len(), 1, "nothing is uploaded twice: {objects:?}");
}

/// A function that waits, and flags for a run of it of some seconds.
async fn waiting(world: &World) -> Function<'_> {
    world.sample("wait", "io").await
}

const LONG: [&str; 6] = ["--num", "30", "--power-values", "128", "--payload", r#"{"milliseconds":200}"#];

#[tokio::test]
async fn a_run_is_left_to_itself_and_come_back_to() {
    let world = World::new().await;
    let function = waiting(&world).await;
    let before = function.snapshot().await;
    let arguments = [&["tune", "wait", "--detach"][..], &LONG].concat();
    let left = world.deployer(&arguments).success();
    let arn = left.stdout.lines().next().unwrap().to_owned();
    assert!(left.stdout.contains(&format!("deployer tune --attach {arn}")), "{left:?}");
    assert_eq!(
        world.states.describe_execution().execution_arn(&arn).send().await.unwrap().status().as_str(),
        "RUNNING"
    );

    // Ctrl-C leaves it running, and says so.
    let mut attached = Running::start(&mut world.command(&["tune", "--attach", &arn]));
    attached.hear("Ctrl-C leaves it running");
    attached.signal("INT");
    attached.end().status(130).complains(&[
        "error: interrupted; the execution goes on by itself",
        &format!("deployer tune --attach {arn}"),
        "aws stepfunctions stop-execution",
    ]);
    assert_eq!(
        world.states.describe_execution().execution_arn(&arn).send().await.unwrap().status().as_str(),
        "RUNNING"
    );

    // By its name alone, too; and when it is over as well.
    let name = arn.rsplit(':').next().unwrap();
    for execution in [name, &arn] {
        let output = world.deployer(&["tune", "--attach", execution, "--json"]).success().json();
        assert_eq!(
            (&output["power"], &output["executionArn"]),
            (&Value::from(128), &Value::from(arn.as_str()))
        );
    }
    assert_eq!(function.snapshot().await, before);
    let unknown = world.deployer(&["tune", "--attach", "nobody"]).status(1);
    unknown.complains(&["execution:powerTuningStateMachine", "nobody", "hint: check the name"]);
}

#[tokio::test]
async fn ctrl_c_stops_a_run_and_puts_the_function_back() {
    let world = World::new().await;
    let function = waiting(&world).await;
    let before = function.snapshot().await;
    let mut tune = Running::start(&mut world.command(&[&["tune", "wait"][..], &LONG].concat()));
    tune.hear("Ctrl-C stops it and puts the function back");
    tune.hear("measuring 1 memory size …");
    tune.signal("INT");
    tune.end().status(130).complains(&["error: interrupted; the function is as it was before"]);
    assert_eq!(function.snapshot().await, before);
}

#[tokio::test]
async fn the_command_that_follows_a_detached_run_names_its_endpoint() {
    let world = World::new().await;
    waiting(&world).await;
    let arguments = [&["tune", "wait", "--detach", "--endpoint-url", &world.url][..], &LONG].concat();
    let mut command = world.command(&arguments);
    let left = Said::by(command.env_remove("AWS_ENDPOINT_URL")).success();
    let (_, attach) = left.stdout.trim_end().rsplit_once("result: deployer ").expect(&left.stdout);
    let mut command = world.command(&attach.split(' ').collect::<Vec<_>>());
    let over = Said::by(command.env_remove("AWS_ENDPOINT_URL")).success();
    assert!(over.stdout.starts_with("wait should have 128 MB"), "{over:?}");
    over.complains(&["1/1", "per million"]);
}

#[tokio::test]
async fn a_run_that_does_not_get_the_function_puts_nothing_back() {
    let world = World::new().await;
    waiting(&world).await;
    let tune = [&["tune", "wait"][..], &LONG].concat();
    let mut first = Running::start(&mut world.command(&tune));
    first.hear("measuring 1 memory size …");
    let second = world.deployer(&tune).status(1);
    assert!(!second.stderr.contains("putting the function back"), "{second:?}");
    second.complains(&["the run failed before it changed the function; releasing what it holds"]);
    first.signal("INT");
    first.end().status(130);
}

#[tokio::test]
async fn a_lost_connection_and_throttling_are_waited_out() {
    let world = World::new().await;
    let function = waiting(&world).await;
    let proxy = Proxy::new(&world.url);
    let mut command = world.command(&["tune", &function.name, "--json", "--num", "60"]);
    command.args(&LONG[2..]).env("AWS_ENDPOINT_URL", &proxy.url);
    let mut tune = Running::start(&mut command);
    tune.hear("measuring");
    for mode in [Mode::HangUp, Mode::Throttle] {
        proxy.set(mode);
        tune.hear("trying again");
        proxy.set(Mode::Pass);
        tune.hear("connection restored");
    }
    let output = tune.end().success().json();
    assert_eq!(output["power"], 128, "{output}");
}

#[tokio::test]
async fn verbose_tells_of_passes_and_of_refused_starts_that_were_tried_again() {
    let refused =
        |nth: u32| json!({ "caller": "executor", "operation": "Invoke", "nth": nth, "kind": "throttle" });
    let world = World::faulty(&json!([refused(2), refused(3)])).await;
    world.up(&[]).success();
    waiting(&world).await;
    let flags = ["--num", "12", "--power-values", "128", "--progress-seconds", "1"];
    let tune = [&["tune", "wait", "--payload", r#"{"milliseconds":200}"#][..], &flags].concat();
    world.deployer(&[&tune[..], &["-v"]].concat()).success().complains(&[
        "128 MB: pass 1, ",
        " invocations made, 2 starts refused and tried again (last: TooManyRequestsException",
        "128 MB: finished in pass ",
    ]);
    let quiet = world.deployer(&tune).success();
    for detail in ["pass 1", "tried again"] {
        assert!(!quiet.stderr.contains(detail), "{}", quiet.stderr);
    }
}

#[tokio::test]
async fn any_deployment_s_state_machine_will_do() {
    let world = World::new().await;
    let function = world.sample("echo", "echo").await;
    let machines = world.states.list_state_machines().send().await.unwrap();
    let machine = machines.state_machines()[0].state_machine_arn();
    let flags = ["--stack-name", "not-there", "--num", "5", "--state-machine-arn"];
    let output = function.tune(&[&flags[..], &[machine]].concat()).success().json();
    assert!(output["power"].is_number(), "{output}");
    let elsewhere = machine.replace(crate::harness::REGION, "eu-west-1");
    let said = function.tune(&[&flags[..], &[&elsewhere]].concat()).status(1);
    said.complains(&["is in eu-west-1, and calls go to us-east-1", "say --region eu-west-1"]);
    function.tune(&[&flags[..], &["x"]].concat()).status(2).complains(&["--state-machine-arn `x`"]);
}

#[tokio::test]
async fn an_input_comes_from_stdin() {
    let world = World::new().await;
    world.sample("echo", "echo").await;
    let mut command = world.command(&["tune", "echo", "--input", "-", "--json", "--include-output-results"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), br#"{"num":5,"powerValues":[192,256]}"#)
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let output: Value = serde_json::from_slice(&output.stdout).unwrap();
    let sizes: Vec<_> =
        output["stats"].as_array().unwrap().iter().map(|stat| stat["value"].as_u64().unwrap()).collect();
    assert_eq!(sizes, [192, 256]);
}

#[test]
fn a_run_cannot_be_left_to_an_endpoint_that_ends() {
    let mut command = isolated(release().join("deployer"));
    let said = Said::by(command.args(["tune", "x", "--local", "--detach"]).current_dir(std::env::temp_dir()));
    said.status(2).complains(&["--detach", "start `deployer local` on the same state"]);
}
