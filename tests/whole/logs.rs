//! `logs`: what the tuning Lambdas have logged of one run, told apart from others at the same time.

use serde_json::{Value, json};

use crate::harness::World;

/// The lines of a result of `logs --json`: which Lambda, and the text.
fn lines(document: &Value) -> Vec<(&str, &str)> {
    let lines = document["lines"].as_array().unwrap().iter();
    lines.map(|line| (line["lambda"].as_str().unwrap(), line["message"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn the_log_of_a_run_has_its_own_lines_in_order_of_time() {
    let world = World::new().await;
    world.sample("one", "io").await;
    world.sample("two", "io").await;
    world.deployer(&["logs", "one"]).status(1).complains(&[
        "error: Step Functions knows no run of one",
        "hint: start one with `deployer tune one`, or name an execution with --execution",
    ]);
    let input = |name: &str| json!({ "lambdaARN": world.arn(name), "num": 5, "powerValues": [128, 256], "payload": {"milliseconds": 20} });
    let (one, two) = (input("one"), input("two"));
    let (one, two) = tokio::join!(world.execute(&one), world.execute(&two));
    for (name, ended, other) in [("one", &one, &two), ("two", &two, &one)] {
        assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
        let document = world.deployer(&["logs", name, "--json"]).success().json();
        assert_eq!(
            (&document["executionArn"], &document["status"]),
            (&json!(ended.arn), &json!("SUCCEEDED"))
        );
        assert!(!document.to_string().contains(&other.arn), "{document:#}");
        let times: Vec<&str> =
            document["lines"].as_array().unwrap().iter().map(|line| line["time"].as_str().unwrap()).collect();
        assert!(times.is_sorted(), "{times:?}");
        let lines = lines(&document);
        let said: Vec<&(&str, &str)> = lines.iter().filter(|(_, text)| text.contains(&ended.arn)).collect();
        let count = |lambda: &str| said.iter().filter(|(of, _)| *of == lambda).count();
        for (lambda, times) in [
            ("initializer", 1),
            ("publisher", 1),
            ("executor", 2),
            ("cleaner", 1),
            ("analyzer", 1),
            ("optimizer", 1),
        ] {
            assert_eq!(count(lambda), times, "{lambda}: {lines:#?}");
        }
        for size in [128, 256] {
            let line = json!({ "execution": ended.arn, "memorySize": size }).to_string();
            assert!(lines.contains(&("executor", &line)), "{line}: {lines:#?}");
        }
        let reports = lines.iter().filter(|(_, text)| text.starts_with("REPORT RequestId: ")).count();
        assert_eq!(reports, said.len(), "{lines:#?}");
    }
    // By its name as well, as text.
    let name = one.arn.rsplit(':').next().unwrap();
    let text = world.deployer(&["logs", "--execution", name]).success().stdout;
    assert!(text.starts_with(&format!("{} (succeeded)\n", one.arn)), "{text}");
    assert!(text.lines().any(|line| line.contains("  initializer  START RequestId: ")), "{text}");
    world
        .deployer(&["logs", "--execution", "no-such-run"])
        .status(1)
        .complains(&["no-such-run", "hint: check the name"]);
    world
        .deployer(&["logs"])
        .status(2)
        .complains(&["say whose log: FUNCTION, for its last run, or --execution EXECUTION"]);
    world.deployer(&["logs", "one", "--execution", name]).status(2);
}

#[tokio::test]
async fn an_error_is_in_the_log_and_a_missing_permission_is_named() {
    let world = World::new().await;
    let function = world.sample("broken", "fail").await;
    function.tune(&["--num", "5", "--power-values", "128"]).status(1);
    let document = world.deployer(&["logs", "broken", "--json"]).success().json();
    assert_eq!(document["status"], "FAILED");
    let errors: Vec<(&str, Value)> = lines(&document)
        .into_iter()
        .filter_map(|(lambda, text)| Some((lambda, serde_json::from_str::<Value>(text).ok()?)))
        .filter(|(_, line)| line["error"].is_string())
        .collect();
    assert!(!errors.is_empty(), "{document:#}");
    for (lambda, error) in &errors {
        assert_eq!((*lambda, &error["error"]), ("executor", &json!("InvocationFailed")), "{document:#}");
        assert!(error["message"].as_str().unwrap().contains("power value 128"), "{error}");
    }

    world.roles(&[("no-logs", &["logs:FilterLogEvents"])]).await;
    let said = world.as_profile("no-logs", &["logs", "broken"]).status(1);
    said.complains(&[
        "error: ",
        "reading the log group",
        "hint: these credentials need the permission logs:FilterLogEvents",
    ]);
    // A log group that somebody deleted keeps nobody from the others.
    let groups = world.aws(&["logs", "describe-log-groups"]).success().json();
    let groups: Vec<&str> = groups["logGroups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| group["logGroupName"].as_str().unwrap())
        .collect();
    let group = groups.iter().find(|name| name.ends_with("-optimizer")).unwrap();
    world.aws(&["logs", "delete-log-group", "--log-group-name", group]).success();
    let said = world.deployer(&["logs", "broken"]).success();
    let said = said.complains(&[&format!("warning: the log group {group} is not there")]);
    assert!(said.stdout.contains("InvocationFailed"), "{}", said.stdout);
}
