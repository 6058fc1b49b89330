//! `fleet run`: many functions in one execution, from the plan to the result, and what is left of it when it is broken off.

use std::time::Duration;

use local_aws::Service;
use local_aws::lambda::Behaviour;
use serde_json::{Value, json};

use crate::bench::{Bench, ROLE};
use crate::harness::{Function, Running, Said, Snapshot, World, deployer, zip_of};
use crate::permitted::of_fleets;
use crate::scan::invoke;

/// A stack for fleets, whose copies have the samples' own role.
const FLEETS: [&str; 7] =
    ["--power-values", "128,256", "--copies", "also", "--copyable-roles", ROLE, "--fleets"];

/// A plan that tunes at two sizes, five times, with these functions.
fn plan(world: &World, functions: &str) -> String {
    let file = world.folder().join("fleet.toml");
    let defaults = "[defaults]\npower-values = [128, 256]\nnum = 5\n";
    std::fs::write(&file, format!("{defaults}{functions}")).unwrap();
    "fleet.toml".to_owned()
}

/// An entry of a plan, with lines of its own.
fn entry(name: &str, lines: &str) -> String {
    format!("[[function]]\nname = '{name}'\n{lines}\n")
}

/// An entry that was seen to take so many milliseconds with 256 MB, a million times in 30 days.
fn seen(name: &str, ms: f64, lines: &str) -> String {
    let seen =
        format!("{{ days = 30, invocations = 1000000, average-ms = {ms}, p99-ms = {ms}, memory-mb = 256 }}");
    entry(name, &format!("seen = {seen}\npayload = {{}}\n{lines}"))
}

fn row<'a>(result: &'a Value, name: &str) -> &'a Value {
    let found = result["functions"].as_array().unwrap().iter().find(|row| row["function"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {result}"))
}

/// No copy of a function is there any more.
async fn no_copies(world: &World) {
    let mut left = Vec::new();
    for _ in 0..200 {
        let listed = world.lambda.list_functions().send().await.unwrap();
        let names = listed.functions().iter().filter_map(|function| function.function_name());
        left = names.filter(|name| name.starts_with("deployer-tuning-")).map(str::to_owned).collect();
        if left.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("copies are left: {left:?}");
}

/// Everything a run might change of these functions.
async fn snapshots(functions: &[&Function<'_>]) -> Vec<Snapshot> {
    let mut all = Vec::new();
    for function in functions {
        all.push(function.snapshot().await);
    }
    all
}

#[tokio::test]
async fn functions_of_a_plan_are_tuned_and_what_that_saves_is_told() {
    let world = World::undisturbed(&FLEETS).await;
    let orders = world.sample_with("orders", "io", &[("MILLISECONDS", "100")]).await;
    let search = world.sample_with("search", "io", &[("MILLISECONDS", "100")]).await;
    let broken = world.sample("broken", "fail").await;
    let before = snapshots(&[&orders, &search, &broken]).await;
    let plan = plan(
        &world,
        &[
            seen("orders", 100.0, ""),
            seen("search", 100.0, "in-place = true"),
            entry("broken", "payload = {}"),
            entry("idle", "skip = 'nobody uses it'"),
            entry("there", "region = 'eu-west-1'\npayload = {}"),
        ]
        .concat(),
    );
    let said =
        world.deployer(&["fleet", "run", &plan, "--json", "--yes", "--json-file", "result.json"]).success();
    let result = said.json();
    assert_eq!(result["status"], "SUCCEEDED", "{result}");
    // Waiting does not get shorter with more memory.
    for name in ["orders", "search"] {
        let row = row(&result, name);
        assert_eq!(
            (&row["state"], &row["memoryMB"], &row["power"]),
            (&json!("tuned"), &json!(256), &json!(128)),
            "{row}"
        );
        assert_eq!(row["result"]["power"], 128);
        assert_eq!(row["result"]["stats"].as_array().unwrap().len(), 2);
        let number = |name: &str| row[name].as_f64().unwrap();
        // A million of 100.5 ms with a quarter of a GB, and their requests.
        let month = 1e6 * (0.1005 * 0.25 * 1.666_67e-5 + 2e-7);
        let month = if std::env::consts::ARCH == "aarch64" {
            1e6 * (0.1005 * 0.25 * 1.333_34e-5 + 2e-7)
        } else {
            month
        };
        assert!((number("costPerMonth") / month - 1.0).abs() < 1e-6, "{row}");
        let saves = number("costPerMonth") * number("cheaperPercent") / 100.0;
        assert!((number("savesPerMonth") / saves - 1.0).abs() < 1e-9, "{row}");
        assert!(number("cheaperPercent") > 0.0, "{row}");
        assert_eq!(row["chart"], row["result"]["stateMachine"]["visualization"]);
    }
    let failed = row(&result, "broken");
    assert_eq!(
        (&failed["state"], &failed["error"]["name"]),
        (&json!("failed"), &json!("InvocationFailed")),
        "{failed}"
    );
    assert!(failed["error"]["message"].as_str().unwrap().contains("this sample always fails"), "{failed}");
    let summary = result["summary"].as_str().unwrap();
    assert!(
        summary.starts_with("3 functions: 2 could be cheaper, $") && summary.ends_with("; 1 failed."),
        "{summary}"
    );
    let left: Vec<&str> =
        result["leftOut"].as_array().unwrap().iter().map(|one| one["why"].as_str().unwrap()).collect();
    assert_eq!(left[0], "nobody uses it");
    assert!(left[1].ends_with("run the plan with --region eu-west-1, too"), "{left:?}");
    let (cost, estimate) = (result["cost"].as_f64().unwrap(), &result["estimate"]["cost"]);
    assert!(estimate["low"].as_f64().unwrap() <= estimate["high"].as_f64().unwrap(), "{result}");
    // The one that failed at once cost nearly nothing.
    assert!(cost > 0.0 && cost <= 1.5 * estimate["high"].as_f64().unwrap(), "{result}");
    assert!(said.stderr.contains("\"event\":\"functions\""), "{}", said.stderr);
    assert_eq!(snapshots(&[&orders, &search, &broken]).await, before);
    no_copies(&world).await;

    let file: Value =
        serde_json::from_str(&std::fs::read_to_string(world.folder().join("result.json")).unwrap()).unwrap();
    assert_eq!(file, result);
    // The result is one that `apply` takes, the function that failed aside.
    let applied = world.deployer(&["apply", "result.json", "--yes", "--json"]).success().json();
    assert_eq!(applied["functions"].as_array().unwrap().len(), 2, "{applied}");
    assert_eq!((orders.memory().await, search.memory().await, broken.memory().await), (128, 128, 256));
    world.deployer(&["apply", "result.json", "--undo", "--yes"]).success();
    assert_eq!((orders.memory().await, search.memory().await), (256, 256));

    // It is all in the account, for whoever looks at it from another machine.
    let execution = result["executionArn"].as_str().unwrap();
    let again = world.deployer(&["fleet", "run", "--attach", execution, "--json"]).success().json();
    assert_eq!(again, result);
    let name = execution.rsplit(':').next().unwrap();
    let csv = world.deployer(&["fleet", "run", "--attach", name, "--csv"]).success().stdout;
    assert!(csv.starts_with("function,region,lambdaARN,state,memoryMB,power,"), "{csv}");
    assert_eq!(csv.lines().count(), 4, "{csv}");
    let markdown = world.deployer(&["fleet", "run", "--attach", name, "--markdown"]).success().stdout;
    assert!(markdown.contains("[chart](http"), "{markdown}");
    let text = world.deployer(&["fleet", "run", "--attach", name]).success().stdout;
    for part in [
        "3 functions: 2 could be cheaper",
        "Failed:\n- broken: ",
        "Left out:\n- idle: nobody uses it",
        "Charts:\n- ",
    ] {
        assert!(text.contains(part), "{part} is missing in:\n{text}");
    }
}

#[tokio::test]
async fn what_cannot_be_run_is_said_before_anything_is_started() {
    let world = World::with(&["--power-values", "128,256", "--fleets"]).await;
    world.sample_with("orders", "io", &[("MILLISECONDS", "5")]).await;
    let run = |plan: &str, flags: &[&str]| {
        let mut arguments = vec!["fleet", "run", plan];
        arguments.extend(flags);
        world.deployer(&arguments).status(2)
    };
    let copies = plan(&world, &[entry("orders", "payload = {}"), entry("gone", "payload = {}")].concat());
    run(&copies, &["--yes"]).complains(&[
        "nothing was started: the plan has 2 problems",
        "orders: the stack makes no copies of functions",
        "say `in-place = true` in the plan",
        "gone: there is no such function in us-east-1",
    ]);
    let large = format!("in-place = true\npayload = '{}'", "x".repeat(250_000));
    let large = plan(&world, &entry("orders", &large));
    run(&large, &["--yes"])
        .complains(&["nothing was started: orders: its input has 250", "name it with `payload-s3`"]);
    let small = plan(&world, &seen("orders", 5.0, "in-place = true"));
    run(&small, &["--yes", "--budget", "0.000001"])
        .complains(&["the fleet costs $", "and --budget is $0.00000100"]);
    run(&small, &[]).complains(&["say --yes to go ahead"]);
    let none = plan(&world, &entry("orders", ""));
    run(&none, &["--yes"]).complains(&["there is no function to tune", "orders: it has no payload"]);
    run("nowhere.toml", &["--yes"]).complains(&["cannot read the plan nowhere.toml"]);
    world.deployer(&["fleet", "run", "--yes"]).status(2).complains(&["which functions?"]);
    std::fs::write(world.folder().join("other.json"), "{\"power\": 128}").unwrap();
    world
        .deployer(&["fleet", "run", "--retry", "other.json", "--yes"])
        .status(2)
        .complains(&["is not what `deployer fleet run --json` prints"]);
    for machine in world.states.list_state_machines().send().await.unwrap().state_machines() {
        let listed = world.states.list_executions().state_machine_arn(machine.state_machine_arn());
        assert!(listed.send().await.unwrap().executions().is_empty());
    }
    // A stack goes with plans and results, or without them.
    world.up(&["--fleets=false"]).success();
    world
        .deployer(&["fleet", "run", &small, "--yes"])
        .status(1)
        .complains(&["the stack deployer-power-tuning tunes no fleets", "`deployer up --fleets`"]);
}

#[tokio::test]
async fn a_fleet_that_is_broken_off_keeps_what_was_measured_and_the_rest_is_run_again() {
    let world = World::with(&FLEETS).await;
    let quick = world.sample_with("quick", "io", &[("MILLISECONDS", "5")]).await;
    let slow = world.sample_with("slow", "io", &[("MILLISECONDS", "4000")]).await;
    let slow_copy = world.sample_with("slow-copy", "io", &[("MILLISECONDS", "4000")]).await;
    let before = snapshots(&[&quick, &slow, &slow_copy]).await;
    let plan = plan(
        &world,
        &[
            entry("quick", "payload = {}"),
            entry("slow", "payload = {}\nnum = 100\nin-place = true"),
            entry("slow-copy", "payload = {}\nnum = 100"),
        ]
        .concat(),
    );
    world.profiles(&[("fleets", of_fleets())]).await;
    let mut command = world.released(&["fleet", "run", &plan, "--json", "--yes"]);
    let mut running = Running::start(world.with_profile("fleets", &mut command));
    running.hear("\"done\":1,\"running\":2");
    running.signal("INT");
    let said = running.end().status(130);
    let result = said.json();
    assert_eq!(result["status"], "ABORTED");
    let states: Vec<&Value> = ["quick", "slow", "slow-copy"].map(|name| &row(&result, name)["state"]).into();
    assert_eq!(states, ["tuned", "notRun", "notRun"], "{result}");
    assert_eq!(snapshots(&[&quick, &slow, &slow_copy]).await, before);
    no_copies(&world).await;
    std::fs::write(world.folder().join("result.json"), &said.stdout).unwrap();

    // Whatever kept them from ending is over.
    for name in ["slow", "slow-copy"] {
        let variables = [("MILLISECONDS".to_owned(), "5".to_owned())].into();
        let environment =
            aws_sdk_lambda::types::Environment::builder().set_variables(Some(variables)).build();
        let update =
            world.lambda.update_function_configuration().function_name(name).environment(environment);
        update.send().await.unwrap();
    }
    slow.settled().await;
    let again = ["fleet", "run", "--retry", "result.json", "--yes", "--json"];
    let again = world.deployer(&again).success().json();
    let functions: Vec<&str> =
        again["functions"].as_array().unwrap().iter().map(|row| row["function"].as_str().unwrap()).collect();
    assert_eq!(functions.len(), 2, "{again}");
    assert!(again["functions"].as_array().unwrap().iter().all(|row| row["state"] == "tuned"), "{again}");
    std::fs::write(world.folder().join("again.json"), again.to_string()).unwrap();
    world
        .deployer(&["fleet", "run", "--retry", "again.json", "--yes"])
        .status(2)
        .complains(&["every function has a result"]);
}

#[tokio::test]
async fn a_fleet_goes_on_without_the_program_that_started_it() {
    let world = World::with(&FLEETS).await;
    let orders = world.sample_with("orders", "io", &[("MILLISECONDS", "300")]).await;
    let before = orders.snapshot().await;
    let plan = plan(&world, &entry("orders", "payload = {}"));
    // With no more permissions than the documentation says.
    world.profiles(&[("fleets", of_fleets())]).await;
    let mut command = world.released(&["fleet", "run", &plan, "--json", "--yes"]);
    let mut running = Running::start(world.with_profile("fleets", &mut command));
    running.hear("\"running\":1");
    running.signal("KILL");
    drop(running);
    let machines = world.states.list_state_machines().send().await.unwrap();
    let fleet = machines.state_machines().iter().find(|machine| machine.name().contains("-fleet-")).unwrap();
    let listed =
        world.states.list_executions().state_machine_arn(fleet.state_machine_arn()).send().await.unwrap();
    let execution = listed.executions()[0].execution_arn();
    let result = world.deployer(&["fleet", "run", "--attach", execution, "--json"]).success().json();
    assert_eq!(row(&result, "orders")["power"], 128, "{result}");

    let detached = ["fleet", "run", &plan, "--detach", "--yes", "--json"];
    let said = Said::by(world.with_profile("fleets", &mut world.released(&detached))).success().json();
    let execution = said["executionArn"].as_str().unwrap().to_owned();
    let attached = ["fleet", "run", "--attach", &execution, "--json"];
    let result = Said::by(world.with_profile("fleets", &mut world.released(&attached))).success().json();
    assert_eq!((&result["executionArn"], &result["plan"]), (&said["executionArn"], &said["plan"]));
    assert_eq!(row(&result, "orders")["power"], 128, "{result}");
    assert_eq!(orders.snapshot().await, before);
    no_copies(&world).await;
}

#[tokio::test]
async fn a_run_that_takes_too_long_is_given_up_and_one_that_is_refused_says_why() {
    let world = World::with(&FLEETS).await;
    world.sample_with("slow", "io", &[("MILLISECONDS", "4000")]).await;
    let other = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": { "Service": "lambda.amazonaws.com" }, "Action": "sts:AssumeRole",
    }]});
    let properties = json!({ "RoleName": "other", "AssumeRolePolicyDocument": other });
    let template = json!({ "Resources": { "role": { "Type": "AWS::IAM::Role", "Properties": properties } } });
    assert_eq!(world.deploy("other", &template).await, "CREATE_COMPLETE");
    world.sample_with("secret", "io", &[("MILLISECONDS", "5")]).await;
    let role = world.sample_role().replace("sample", "other");
    world.lambda.update_function_configuration().function_name("secret").role(role).send().await.unwrap();
    let functions = [entry("slow", "payload = {}\nnum = 100"), entry("secret", "payload = {}")].concat();
    let plan = plan(&world, &functions);
    let said = world.deployer(&["fleet", "run", &plan, "--detach", "--yes", "--json"]).success().json();
    let execution = said["executionArn"].as_str().unwrap();
    let (bucket, key) =
        said["plan"].as_str().unwrap().strip_prefix("s3://").unwrap().split_once('/').unwrap();
    world.states.stop_execution().execution_arn(execution).send().await.unwrap();

    // The same plan, but with three seconds for each.
    let object = world.s3.get_object().bucket(bucket).key(key).send().await.unwrap();
    let mut items: Value =
        serde_json::from_slice(&object.body.collect().await.unwrap().into_bytes()).unwrap();
    for (index, item) in items.as_array_mut().unwrap().iter_mut().enumerate() {
        item["seconds"] = 3.into();
        item["name"] = format!("given-up-{index}").into();
    }
    let body = items.to_string().into_bytes().into();
    world.s3.put_object().bucket(bucket).key("plans/short.json").body(body).send().await.unwrap();
    let about = key.replace(".json", ".about.json");
    let input = json!({"plan": "plans/short.json", "about": about, "results": "results/short", "atOnce": 2});
    let machine = execution.replace(":execution:", ":stateMachine:");
    let machine = machine.rsplit_once(':').unwrap().0;
    let start = world.states.start_execution().state_machine_arn(machine).input(input.to_string());
    let execution = start.send().await.unwrap().execution_arn().to_owned();
    // No function has a result: the program fails, and says why of each.
    let result = world.deployer(&["fleet", "run", "--attach", &execution, "--json"]).status(1).json();
    let why = |name: &str| row(&result, name)["error"]["message"].as_str().unwrap().to_owned();
    assert_eq!(why("slow"), "it was given up after 3 s");
    assert!(why("secret").contains("role"), "{result}");
    no_copies(&world).await;
}

const PYTHON_WAITS: &str = "import time\ndef handler(event, context):\n    time.sleep(0.05)\n";
const PYTHON_FILLS: &str = "import time\ndef handler(event, context):\n    filled = bytearray(150_000_000)\n    time.sleep(0.05)\n    return len(filled)\n";
/// Faster with more memory, and dearer, since it waits as well.
const PYTHON_MIXED: &str = "import time\ndef handler(event, context):\n    time.sleep(0.15)\n    return sum(i * i for i in range(600_000))\n";
const PYTHON_FAILS: &str = "def handler(event, context):\n    raise ValueError('broken since')\n";
const NODE_WAITS: &str = "exports.handler = () => new Promise(done => setTimeout(done, 50));\n";

/// Invokes each function often enough to tell something of it, and gives the minute in which that ended.
async fn traffic(world: &World, names: &[&str]) -> i64 {
    for name in names {
        for _ in 0..20 {
            invoke(world, name, &json!({})).await;
        }
    }
    now() / 60
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

async fn code(world: &World, name: &str, source: &str) {
    let update = world.lambda.update_function_code().function_name(name);
    let zip = aws_sdk_lambda::primitives::Blob::new(zip_of("app.py", source.as_bytes()));
    update.zip_file(zip).send().await.unwrap();
}

#[tokio::test]
async fn an_account_is_scanned_tuned_changed_verified_and_taken_back() {
    let world = World::undisturbed(&FLEETS).await;
    let rust = world.sample_with("rust-waits", "io", &[("MILLISECONDS", "50")]).await;
    let python = world.python("python-waits", PYTHON_WAITS).await;
    let fills = world.python("python-fills", PYTHON_FILLS).await;
    let mixed = world.python("python-mixed", PYTHON_MIXED).await;
    let node = world.node("node-waits", NODE_WAITS).await;
    let broken = world.sample("broken", "fail").await;
    let functions = [&rust, &python, &fills, &mixed, &node, &broken];
    for name in ["rust-waits", "python-waits", "python-fills", "node-waits"] {
        world
            .lambda
            .update_function_configuration()
            .function_name(name)
            .memory_size(512)
            .send()
            .await
            .unwrap();
    }
    let before = snapshots(&functions).await;
    let names = ["rust-waits", "python-waits", "python-fills", "python-mixed", "node-waits"];
    let minute = traffic(&world, &names).await;

    world.deployer(&["scan", "--write", "fleet.toml", "--min-saving", "0.00000001"]).success();
    let file = world.folder().join("fleet.toml");
    let drafted = std::fs::read_to_string(&file).unwrap();
    // As somebody edits it.
    let edited: Vec<String> = drafted
        .replace("power-values = \"AUTO\"", "power-values = [128, 256, 512]\nnum = 5")
        .lines()
        .filter(|line| !line.starts_with("skip = ") && !line.starts_with("# payload = {}"))
        .map(|line| match line {
            "name = \"python-mixed\"" => {
                format!("{line}\npayload = {{}}\nstrategy = \"speed\"\nin-place = true")
            }
            line if line.starts_with("name = ") => format!("{line}\npayload = {{}}"),
            line => line.to_owned(),
        })
        .collect();
    std::fs::write(&file, edited.join("\n")).unwrap();
    let result = world
        .deployer(&["fleet", "run", "fleet.toml", "--yes", "--json-file", "r.json", "--json"])
        .success()
        .json();
    let chosen = |name: &str| row(&result, name)["power"].as_u64().unwrap();
    // Waiting costs least with the least memory, unless it does not suffice; what computes is fastest with the most.
    let best = names.map(chosen);
    assert_eq!(best, [128, 128, 256, 512, 128], "{result}");
    assert_eq!(row(&result, "broken")["state"], "failed");
    assert_eq!(snapshots(&functions).await, before);

    // What costs more is left out.
    while now() / 60 == minute {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let applied = world
        .deployer(&["apply", "r.json", "--min-saving", "0.000000001", "--yes", "--json"])
        .success()
        .json();
    let left = applied["leftOut"].as_array().unwrap();
    assert_eq!((left.len(), &left[0]["function"]), (1, &json!("python-mixed")), "{applied}");
    assert!(left[0]["why"].as_str().unwrap().contains("a month"), "{applied}");
    let sizes = async || {
        let mut sizes = Vec::new();
        for function in functions {
            sizes.push(function.memory().await);
        }
        sizes
    };
    assert_eq!(sizes().await, [128, 128, 256, 256, 128, 256]);

    // One of them fails since then, for whatever reason.
    code(&world, "python-waits", PYTHON_FAILS).await;
    python.settled().await;
    traffic(&world, &["rust-waits", "python-waits", "python-fills", "node-waits"]).await;
    let verified = world.deployer(&["apply", "r.json", "--verify", "--json"]).status(3).json();
    let worse = row(&verified, "python-waits");
    assert_eq!(
        (&worse["verdict"], &worse["before"]["errors"], &worse["since"]["errors"]),
        (&json!("worse"), &json!(0.0), &json!(20.0)),
        "{verified}"
    );
    assert_eq!(worse["why"], "100 % of its invocations fail, 0 % before");
    for name in ["rust-waits", "python-fills", "node-waits"] {
        let row = row(&verified, name);
        let (before, since) = (&row["before"], &row["since"]);
        assert_eq!((&since["errors"], &since["invocations"]), (&json!(0.0), &json!(20.0)), "{row}");
        assert!(
            before["invocations"].as_f64().unwrap() >= 20.0 && before["p95Ms"].as_f64().unwrap() > 49.0,
            "{row}"
        );
    }
    let said = world.deployer(&["apply", "r.json", "--verify", "--yes"]).success();
    assert!(said.stdout.contains("python-waits has 512 MB again (was 128)."), "{}", said.stdout);
    assert_eq!(python.memory().await, 512);

    // The rest is taken back, but for what somebody has changed since.
    let set = world.lambda.update_function_configuration().function_name("node-waits").memory_size(640);
    set.send().await.unwrap();
    node.settled().await;
    let undone = world.deployer(&["apply", "r.json", "--undo", "--yes"]).status(1);
    assert!(
        undone.stdout.contains("node-waits is left as it is: node-waits was given 128 MB and has 640 MB now"),
        "{}",
        undone.stdout
    );
    let set = world.lambda.update_function_configuration().function_name("node-waits").memory_size(128);
    set.send().await.unwrap();
    node.settled().await;
    world.deployer(&["apply", "r.json", "--undo", "--yes"]).success();
    code(&world, "python-waits", PYTHON_WAITS).await;
    assert_eq!(snapshots(&functions).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_with_little_room_has_its_fleet_tuned_all_the_same() {
    const FUNCTIONS: usize = 4;
    let bench = Bench::in_process_with(&FLEETS).await;
    let mut functions = String::new();
    for number in 0..FUNCTIONS {
        let name = format!("function-{number}");
        let create = json!({
            "FunctionName": name, "Runtime": "provided.al2023", "Handler": "scripted", "Role": ROLE, "Timeout": 20,
            "Code": {"ZipFile": bench.code},
        });
        bench.ok(Service::Lambda, "CreateFunction", create).await;
        functions += &entry(&name, "payload = {}");
    }
    let defaults = "[defaults]\npower-values = [128, 256]\nnum = 5\n";
    std::fs::write(bench.folder().join("fleet.toml"), format!("{defaults}{functions}")).unwrap();
    bench.lambda("DeleteFunctionConcurrency", json!({})).await;
    // The stack's own functions need some of it, too.
    bench.behave(|behaviour| Behaviour { account_concurrency: 16, control_plane_rate: Some(8), ..behaviour });
    bench.aws().faults.plan(Vec::new());
    let flags = ["fleet", "run", "fleet.toml", "--at-once", "4", "--json", "--yes"];
    let mut program = deployer(&flags);
    program.env("AWS_ENDPOINT_URL", bench.url()).current_dir(bench.folder());
    let said = tokio::task::spawn_blocking(move || Said::by(&mut program)).await.unwrap().success();
    let made = bench.aws().faults.end();
    assert!(made.iter().any(|call| call.status == Some(429)), "nothing was throttled");
    let result = said.json();
    let states: Vec<&Value> =
        result["functions"].as_array().unwrap().iter().map(|row| &row["state"]).collect();
    assert_eq!(states, vec!["tuned"; FUNCTIONS], "{result}");
    bench.stop().await;
}
