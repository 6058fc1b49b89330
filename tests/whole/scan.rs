//! `scan`: what functions did is told as they were invoked, in the order of their costs, and becomes a plan.

use std::time::Duration;

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, Runtime};
use deployer::fleet::plan::Plan;
use serde_json::{Value, json};
use tuning::pricing::{self, Architecture};

use crate::confirmation::answered;
use crate::harness::{Said, World, samples_zip};

/// Makes a sample function with so much memory, and tags.
async fn sample(world: &World, name: &str, handler: &str, memory: i32, tags: &[(&str, &str)]) {
    let create = world.lambda.create_function().function_name(name).handler(handler).memory_size(memory);
    let create = create.runtime(Runtime::Providedal2023).role(world.sample_role()).timeout(3);
    let create = create.architectures(std::env::consts::ARCH.replace("aarch64", "arm64").as_str().into());
    let create = tags.iter().fold(create, |create, (key, value)| create.tags(*key, *value));
    let code = FunctionCode::builder().zip_file(Blob::new(samples_zip())).build();
    create.code(code).send().await.unwrap();
}

/// Invokes a function; one that was just made may be pending still.
pub async fn invoke(world: &World, name: &str, event: &Value) {
    for _ in 0..200 {
        let call = world.lambda.invoke().function_name(name).payload(Blob::new(event.to_string()));
        match call.send().await {
            Ok(_) => return,
            Err(error) if format!("{error:?}").contains("Pending") => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Err(error) => panic!("{name}: {error:?}"),
        }
    }
    panic!("{name} is pending");
}

fn row<'a>(scan: &'a Value, name: &str) -> &'a Value {
    let found = scan["functions"].as_array().unwrap().iter().find(|row| row["function"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {scan}"))
}

fn names(scan: &Value) -> Vec<&str> {
    scan["functions"].as_array().unwrap().iter().map(|row| row["function"].as_str().unwrap()).collect()
}

/// What a row's invocations cost, by its own figures.
fn cost(row: &Value) -> f64 {
    let number = |name: &str| row[name].as_f64().unwrap();
    let price =
        pricing::lambda("us-east-1", row["architecture"].as_str().unwrap().parse::<Architecture>().unwrap());
    let each = number("memoryMB") / 1024.0 * (number("averageMs") + 0.5) / 1000.0 * price.per_gb_second;
    number("invocations") * (each + price.per_request.unwrap())
}

#[tokio::test]
async fn functions_are_told_by_what_they_cost() {
    let world = World::new().await;
    for (name, handler, memory, invocations, event) in [
        ("orders", "io", 1024, 5, json!({"milliseconds": 100})),
        ("search", "io", 512, 3, json!({"milliseconds": 20})),
        ("slow", "io", 128, 1, json!({"milliseconds": 2700})),
        ("broken", "fail", 256, 2, json!({})),
        ("idle", "echo", 256, 0, json!({})),
    ] {
        sample(&world, name, handler, memory, &[]).await;
        for _ in 0..invocations {
            invoke(&world, name, &event).await;
        }
    }
    let said = world.deployer(&["scan", "--json", "--min-saving", "0.00001"]).success();
    let scan = said.json();
    for (name, invocations, errors) in
        [("orders", 5, 0), ("search", 3, 0), ("slow", 1, 0), ("broken", 2, 2), ("idle", 0, 0)]
    {
        let found = row(&scan, name);
        assert_eq!(
            (&found["invocations"], &found["errors"]),
            (&json!(f64::from(invocations)), &json!(f64::from(errors))),
            "{found}"
        );
    }
    // Those of the stack itself are not there.
    assert_eq!(names(&scan).len(), 5, "{scan}");
    assert!(said.stderr.contains("(6 of deployer itself left out)"), "{}", said.stderr);
    assert_eq!(scan["figuresRequested"], 5 + 4 * 4);
    let costs: Vec<f64> = scan["functions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["costPerMonth"].as_f64().unwrap())
        .collect();
    assert!(costs.is_sorted_by(|one, other| one >= other), "{costs:?}");
    let month = row(&scan, "orders")["costPerMonth"].as_f64().unwrap() / cost(row(&scan, "orders"));
    // Two weeks, and the hour that has begun, of a month of 30 days.
    assert!((30.0 / 14.1..=30.0 / 14.0).contains(&month), "{month}");
    for name in ["search", "slow", "broken"] {
        let found = row(&scan, name);
        let expected = month * cost(found);
        assert!((found["costPerMonth"].as_f64().unwrap() / expected - 1.0).abs() < 1e-9, "{found}");
    }
    let orders = row(&scan, "orders");
    for figure in ["averageMs", "p95Ms", "p99Ms"] {
        assert!((100.0..1000.0).contains(&orders[figure].as_f64().unwrap()), "{orders}");
    }
    assert_eq!((&orders["worthARun"], &orders["memoryMB"]), (&json!(true), &json!(1024)));
    assert_eq!(row(&scan, "slow")["worthARun"], true);
    assert!(row(&scan, "slow")["why"].as_str().unwrap().ends_with("% of its time-out"), "{scan}");
    assert_eq!(
        (&row(&scan, "idle")["worthARun"], &row(&scan, "idle")["p95Ms"]),
        (&json!(false), &Value::Null)
    );

    let text = world.deployer(&["scan", "--min-saving", "0.00001"]).success();
    let lines: Vec<&str> = text.stdout.lines().collect();
    let shown: Vec<&str> = lines[1..5].iter().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(shown, names(&scan)[..4], "{}", text.stdout);
    assert!(text.stdout.contains("4 functions cost $0.0000"), "{}", text.stdout);
    assert!(text.stdout.contains("1 function was not invoked in the last 14 days."), "{}", text.stdout);
    let csv = world.deployer(&["scan", "--csv", "or*", "slo?"]).success();
    let csv: Vec<Vec<&str>> = csv.stdout.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(csv.len(), 3, "{csv:?}");
    assert_eq!(
        (csv[0][0], csv[0][7], csv[1][7]),
        ("function", "invocations", if csv[1][0] == "orders" { "5" } else { "1" })
    );
    let markdown = world.deployer(&["scan", "--markdown", "search"]).success();
    assert!(markdown.stdout.starts_with("| function |"), "{}", markdown.stdout);
    assert!(markdown.stdout.contains("| search   |"), "{}", markdown.stdout);
}

#[tokio::test]
async fn patterns_and_tags_choose_functions() {
    let world = World::empty().await;
    let web = [("team", "web"), ("env", "prod")];
    for (name, tags) in [
        ("shop-cart", &web[..]),
        ("shop-pay", &[("team", "pay")]),
        ("web-a", &[("team", "web")]),
        ("other", &[]),
    ] {
        sample(&world, name, "echo", 256, tags).await;
    }
    for (arguments, expected) in [
        (&["shop-*"][..], &["shop-cart", "shop-pay"][..]),
        (&["shop-c?rt", "other"], &["other", "shop-cart"]),
        (&["--tag", "team=web"], &["shop-cart", "web-a"]),
        (&["--tag", "team=web,env=prod"], &["shop-cart"]),
        (&["shop-*", "--tag", "team=web", "--tag", "env=prod"], &["shop-cart"]),
        (&["--tag", "team=none"], &[]),
        (&["none*"], &[]),
    ] {
        let scan = world.deployer(&[&["scan", "--json"], arguments].concat()).success().json();
        assert_eq!(names(&scan), expected, "{arguments:?}");
    }
    let none = world.deployer(&["scan", "none*"]).success();
    assert_eq!(none.stdout.trim_end(), "There is no such function in us-east-1.");
    let idle = world.deployer(&["scan", "other"]).success();
    assert_eq!(idle.stdout.trim_end(), "1 function was not invoked in the last 14 days.");
}

#[tokio::test]
async fn hundreds_of_functions_take_several_pages_and_calls() {
    let world = World::empty().await;
    const FUNCTIONS: usize = 130;
    for number in 0..FUNCTIONS {
        sample(&world, &format!("f{number}"), "echo", 1024, &[]).await;
    }
    for number in 0..FUNCTIONS {
        invoke(&world, &format!("f{number}"), &json!({})).await;
    }
    let said = world.deployer(&["scan", "--json"]).success();
    let scan = said.json();
    let mut found = names(&scan);
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), FUNCTIONS);
    // A call has 500 at most.
    assert_eq!(scan["figuresRequested"], FUNCTIONS * 5);
    for row in scan["functions"].as_array().unwrap() {
        assert_eq!((&row["invocations"], &row["errors"]), (&json!(1.0), &json!(0.0)), "{row}");
        assert!(row["p99Ms"].as_f64().unwrap() > 0.0, "{row}");
    }
    let text = world.deployer(&["scan"]).success();
    assert!(
        text.stderr.contains(
            "CloudWatch bills $0.01 for 1,000 figures: 130 functions × 5 figures are $0.00650 at most"
        ),
        "{}",
        text.stderr
    );
}

#[tokio::test]
async fn what_the_scan_costs_is_asked_for_above_a_limit() {
    let world = World::empty().await;
    sample(&world, "echo", "echo", 256, &[]).await;
    let limit = ["scan", "--ask-above", "0.00001"];
    world.deployer(&limit).status(2).complains(&["there is no terminal to ask on; say --yes to go ahead"]);
    world.deployer(&[&limit[..], &["--yes"]].concat()).success();
    let question = "Ask CloudWatch for up to 5 figures?";
    let said = answered(&world.command(&limit), question, "n\n").status(1);
    assert!(said.stdout.contains("error: declined; CloudWatch was asked for nothing"), "{}", said.stdout);
    answered(&world.command(&limit), question, "y\n").success();
}

#[tokio::test]
async fn a_permission_that_is_missing_is_named() {
    let world = World::empty().await;
    sample(&world, "echo", "echo", 256, &[("a", "b")]).await;
    let allow =
        |actions: &[&str]| json!({"Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]});
    let documented = ["lambda:ListFunctions", "cloudwatch:GetMetricData"];
    world
        .profiles(&[
            ("nothing", allow(&["lambda:GetFunction"])),
            ("functions", allow(&["lambda:ListFunctions"])),
            ("documented", allow(&documented)),
            ("tags", allow(&[&documented[..], &["lambda:ListTags"]].concat())),
        ])
        .await;
    let scan = |profile: &str, arguments: &[&str]| {
        let mut command = world.command(&[&["scan"], arguments].concat());
        Said::by(world.with_profile(profile, &mut command))
    };
    for (profile, arguments, permission) in [
        ("nothing", &[][..], "lambda:ListFunctions"),
        ("functions", &[], "cloudwatch:GetMetricData"),
        ("documented", &["--tag", "a=b"], "lambda:ListTags"),
    ] {
        let hint = format!("hint: these credentials need the permission {permission}");
        scan(profile, arguments).status(1).complains(&[&hint]);
    }
    scan("documented", &[]).success();
    scan("tags", &["--tag", "a=b"]).success();
}

#[tokio::test]
async fn what_passes_by_itself_is_waited_for() {
    let failing = |what: &str, operation: &str, times: std::ops::RangeInclusive<u32>| {
        times.map(|nth| json!({"kind": what, "operation": operation, "nth": nth})).collect::<Vec<_>>()
    };
    // More often than the SDK tries again, then as often as it does.
    let plan = [
        failing("throttle", "ListFunctions", 1..=7),
        failing("server-error", "GetMetricData", 1..=2),
        failing("throttle", "ListTags", 1..=1),
    ];
    let world = World::faulty(&json!(plan.concat())).await;
    sample(&world, "echo", "echo", 256, &[("a", "b")]).await;
    invoke(&world, "echo", &json!({})).await;
    world
        .profiles(&[("scans", json!({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}))])
        .await;
    let mut command = world.command(&["scan", "--tag", "a=b", "--json"]);
    let said = Said::by(world.with_profile("scans", &mut command)).success();
    assert_eq!(row(&said.json(), "echo")["invocations"], 1.0);
    assert!(
        said.stderr.contains("lambda:ListFunctions got ") && said.stderr.contains("trying again"),
        "{}",
        said.stderr
    );
}

#[tokio::test]
async fn a_plan_is_written_and_read() {
    let world = World::empty().await;
    for (name, memory) in [("orders", 1024), ("idle", 256)] {
        sample(&world, name, "io", memory, &[]).await;
    }
    for _ in 0..3 {
        invoke(&world, "orders", &json!({"milliseconds": 50})).await;
    }
    let write = ["scan", "--min-saving", "0.00000001", "--write", "fleet.toml"];
    let said = world.deployer(&write).success();
    said.complains(&["wrote fleet.toml: 1 function to tune, each once it has a payload; 1 to skip"]);
    let file = world.folder().join("fleet.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("\n# 1024 MB, "), "{text}");
    let left: Vec<(String, String)> =
        Plan::read(&file).unwrap().left_out.into_iter().map(|one| (one.name, one.why)).collect();
    let no_payload = "it has no payload, and a run invokes real code: `payload = {}` sends an empty one";
    assert_eq!(
        left,
        [("orders".to_owned(), no_payload.to_owned()), ("idle".to_owned(), "was not invoked".to_owned())]
    );
    std::fs::write(&file, text.replace("\n# payload = {}", "\npayload = { n = 1 }")).unwrap();
    let plan = Plan::read(&file).unwrap();
    assert_eq!(plan.functions.len(), 1);
    let orders = &plan.functions[0];
    assert_eq!((orders.name.as_str(), orders.region.as_deref()), ("orders", Some("us-east-1")));
    assert_eq!((&orders.input["payload"], &orders.input["strategy"]), (&json!({"n": 1}), &json!("cost")));
    let seen = orders.seen.unwrap();
    assert_eq!((seen.days, seen.invocations, seen.memory_mb), (14, 3.0, 1024));
    assert!(seen.average_ms >= 50.0 && seen.p99_ms >= 50.0, "{seen:?}");
    // What was edited is not written over.
    let refused = world.deployer(&write).status(2);
    refused.complains(&["fleet.toml is there already, and somebody may have edited it", "--force"]);
    assert_eq!(Plan::read(&file).unwrap(), plan);
    world.deployer(&[&write[..], &["--force"]].concat()).success();
    assert!(Plan::read(&file).unwrap().functions.is_empty());
}

#[tokio::test]
async fn options_that_cannot_be_are_refused() {
    let world = World::empty().await;
    for (arguments, says) in [
        (&["--days", "31"][..], "--days `31`: must be a whole number from 1 to 30"),
        (&["--min-saving", "0"], "--min-saving `0`: must be a number above 0"),
        (&["--tag", "team"], "--tag `team`: `team` is not a tag"),
        (&["--regions", "europe"], "--regions `europe`: `europe` is not right; must be such as eu-west-1"),
        (&["a:live"], "--functions `a:live`: must be a function's name"),
        (&["--csv", "--markdown"], "cannot be used with"),
        (&["--force"], "--write <FILE>"),
    ] {
        world.deployer(&[&["scan"], arguments].concat()).status(2).complains(&[says]);
    }
    let local = ["scan", "--local", "--state", "state", "--regions", "us-east-1,eu-west-1"];
    let said = Said::by(crate::harness::deployer(&local).current_dir(world.folder()));
    said.status(2)
        .complains(&["--regions has eu-west-1, and the endpoint in this program has one region, us-east-1"]);
}
