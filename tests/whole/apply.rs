//! `apply`, `tune --write`, `tune --baseline` and `history`: results that are used after the run.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::harness::{Said, World, deployer, isolated, tool};

/// A result of a function, with the fields of an execution's output that have to be there.
fn result(function: &str, power: u32) -> Value {
    json!({
        "function": function, "power": power, "cost": 2e-6, "duration": 100.0,
        "stateMachine": { "executionCost": 0.0, "lambdaCost": 0.0, "visualization": "https://x.example/#gAAAAgAE;AAB6RAAAekMAAEhD;vTcGNr03BjacU0k2" },
    })
}

fn write(folder: &Path, name: &str, document: &Value) -> String {
    let path = folder.join(name);
    std::fs::write(&path, document.to_string()).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The program in a folder of the test's own, with nothing to call.
fn offline(folder: &Path, arguments: &[&str]) -> Said {
    // Where nobody answers.
    Said::by(deployer(arguments).env("AWS_ENDPOINT_URL", "http://127.0.0.1:9").current_dir(folder))
}

/// A case of `deployer/write-back/tests/fixtures/cases.json`, as far as it matters here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    file: String,
    function: String,
    logical_id: Option<String>,
    #[serde(default)]
    tfvars: Vec<String>,
    resource: String,
    changed: Option<String>,
    was: String,
    now: String,
}

impl Case {
    fn changed(&self) -> &str {
        self.changed.as_deref().unwrap_or(&self.file)
    }

    fn is_template(&self) -> bool {
        ["cloudformation/", "json/"].iter().any(|kind| self.file.starts_with(kind))
    }
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deployer/write-back/tests/fixtures")
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            std::fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

/// What parsers of other people see in a file.
fn leaves(folder: &Path, file: &str) -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("whole/leaves.py");
    let said = Said::by(isolated(tool("python")).arg(script).arg(file).current_dir(folder)).success();
    said.stdout.lines().map(str::to_owned).collect()
}

/// What CloudFormation's linter finds in templates; errors are not among it.
fn linted(folder: &Path, files: &[&str]) -> String {
    let mut command = isolated(tool("cfn-lint"));
    let said = Said::by(
        command
            .args(["--format", "parseable", "--regions", "us-east-1", "--"])
            .args(files)
            .current_dir(folder),
    );
    assert!(said.stderr.is_empty(), "{}", said.stderr);
    assert!(!said.stdout.lines().any(|line| line.contains(":E")), "{}", said.stdout);
    said.stdout
}

#[test]
fn files_of_every_format_change_by_one_number_as_other_parsers_see_it() {
    let cases: Vec<Case> =
        serde_json::from_str(&std::fs::read_to_string(fixtures().join("cases.json")).unwrap()).unwrap();
    let templates: Vec<&str> =
        cases.iter().filter(|case| case.is_template()).map(|case| case.file.as_str()).collect();
    let before = tempfile::tempdir().unwrap();
    copy(&fixtures(), before.path());
    let findings = linted(before.path(), &templates);
    // Each in a folder of its own: two cases may be about one file.
    let all = tempfile::tempdir().unwrap();
    copy(&fixtures(), all.path());
    for case in &cases {
        let folder = tempfile::tempdir().unwrap();
        copy(&fixtures(), folder.path());
        let kept = write(folder.path(), "result.json", &result(&case.function, 1024));
        // The tag that tells the logical id is CloudFormation's.
        let file = match &case.logical_id {
            Some(_) => format!("{}#{}", case.file, case.resource),
            None => case.file.clone(),
        };
        let mut arguments = vec!["apply", &kept, "--write", &file];
        case.tfvars.iter().for_each(|file| arguments.extend(["--write", file]));
        let checking = [&arguments[..], &["--check"]].concat();
        offline(folder.path(), &checking).status(3);
        let changed = folder.path().join(case.changed());
        let old = std::fs::read(&changed).unwrap();
        assert_eq!(
            old,
            std::fs::read(fixtures().join(case.changed())).unwrap(),
            "--check has changed it: {case:?}"
        );
        let (seen, document) = (
            leaves(folder.path(), case.changed()),
            offline(folder.path(), &[&arguments[..], &["--json"]].concat()).success().json(),
        );
        assert_eq!(document["functions"][0]["power"], 1024, "{case:?}");
        assert_eq!(document["written"][0]["file"], case.changed(), "{case:?}");
        let text = std::fs::read_to_string(&changed).unwrap();
        assert_ne!(text.as_bytes(), old, "{case:?}");
        assert_eq!(
            text.matches(&case.now).count(),
            String::from_utf8(old).unwrap().matches(&case.now).count() + 1,
            "{case:?}"
        );
        let now = leaves(folder.path(), case.changed());
        assert_eq!(seen.len(), now.len(), "{case:?}");
        let was = document["written"][0]["was"].as_u64().unwrap().to_string();
        for (was_leaf, now_leaf) in seen.iter().zip(&now).filter(|(was, now)| was != now) {
            assert_eq!(was_leaf.replace(&was, "1024"), *now_leaf, "{case:?}");
        }
        assert!(seen != now, "another parser sees no change: {case:?} {}", case.was);
        offline(folder.path(), &checking).success();
        if case.is_template() {
            std::fs::copy(&changed, all.path().join(case.changed())).unwrap();
        }
    }
    assert_eq!(linted(all.path(), &templates), findings);
}

#[test]
fn what_apply_says_is_exact() {
    let folder = tempfile::tempdir().unwrap();
    copy(&fixtures().join("cloudformation"), folder.path());
    write(folder.path(), "result.json", &result("prod-orders", 1024));
    let arguments = ["apply", "result.json", "--write", "globals.yaml"];
    let said = offline(folder.path(), &[&arguments[..], &["--check"]].concat()).status(3);
    assert_eq!(said.stdout, "globals.yaml:11: Orders has 512 MB, and the result says 1024 MB.\n");
    let said = offline(folder.path(), &arguments).success();
    assert_eq!(said.stdout, "globals.yaml:11: Orders now has 1024 MB (was 512).\n");
    assert!(said.stderr.contains(
        "globals.yaml:11: the memory size of Orders comes from there by MemorySize of Globals.Function, which is that of every function without one of its own"
    ), "{}", said.stderr);
    assert!(
        said.stderr.contains("globals.yaml:11: Invoices have the same number, and change with it"),
        "{}",
        said.stderr
    );
    let said = offline(folder.path(), &arguments).success();
    assert_eq!(said.stdout, "globals.yaml:11: Orders has 1024 MB.\n");

    // An execution's own output does not name the function; what the AWS command line says of the execution does.
    let mut output = result("", 768);
    output.as_object_mut().unwrap().remove("function");
    write(folder.path(), "output.json", &output);
    let arguments = ["apply", "output.json", "--write", "globals.yaml"];
    offline(folder.path(), &arguments)
        .status(2)
        .complains(&["output.json does not say of which function it is: add --function NAME"]);
    let said = offline(folder.path(), &[&arguments[..], &["--function", "Reports"]].concat()).success();
    assert_eq!(said.stdout, "globals.yaml:34: Reports now has 768 MB (was 2048).\n");
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:prod-orders";
    let described = json!({
        "executionArn": "arn:aws:states:us-east-1:000000000000:execution:m:e",
        "input": json!({ "lambdaARN": arn }).to_string(), "output": output.to_string(),
    });
    write(folder.path(), "described.json", &described);
    let said = offline(folder.path(), &["apply", "described.json", "--write", "globals.yaml"]).success();
    assert_eq!(said.stdout, "globals.yaml:11: Orders now has 768 MB (was 1024).\n");

    // Several functions at once, as a fleet has them.
    let fleet = json!({ "functions": [
        { "function": "x-Orders-AB12CD34EF56", "result": result("", 256) },
        { "function": "Reports", "power": 320, "cost": 1e-6, "duration": 1.0, "stateMachine": result("", 1)["stateMachine"] },
        { "function": "skipped", "reason": "no payload" },
    ] });
    write(folder.path(), "fleet.json", &fleet);
    let said = offline(folder.path(), &["apply", "fleet.json", "--write", "globals.yaml"]).success();
    assert_eq!(
        said.stdout,
        "globals.yaml:11: Orders now has 256 MB (was 768).\nglobals.yaml:34: Reports now has 320 MB (was 768).\n"
    );
}

#[test]
fn a_result_that_must_not_be_applied_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    copy(&fixtures().join("cloudformation"), folder.path());
    let before = std::fs::read_to_string(folder.path().join("globals.yaml")).unwrap();
    let mut missed = result("Orders", 1024);
    missed["gate"] =
        json!({ "met": false, "exceeded": ["takes 100.00 ms on average, more than the 5 ms allowed"] });
    let mut cut = result("Orders", 1024);
    cut["stoppedBy"] = json!("budget");
    let mut unusable = result("Orders", 1024);
    unusable["unusable"] = json!([{ "value": 1024, "delayPercent": 30.0 }]);
    for (document, says) in [
        (
            missed,
            "1024 MB is not to be applied to Orders, because it takes 100.00 ms on average, more than the 5 ms allowed: tune it again",
        ),
        (cut, "because the budget ended the run: tune it again"),
        (unusable, "because the figures cannot be used: tune it again"),
        (json!({ "error": { "message": "boom" } }), "r.json holds no result, but a failure: boom"),
        (
            json!({ "power": 512 }),
            "r.json holds no result (missing field `cost`): name a file with what `deployer tune --json` prints",
        ),
        (json!({ "functions": [] }), "r.json holds no result of any function"),
    ] {
        write(folder.path(), "r.json", &document);
        offline(folder.path(), &["apply", "r.json", "--write", "globals.yaml"]).status(2).complains(&[says]);
    }
    offline(folder.path(), &["apply", "gone.json"]).status(2).complains(&["gone.json: No such file"]);
    offline(folder.path(), &["apply", "gone.json", "--undo"])
        .status(2)
        .complains(&["gone.undo.json, in which `apply` keeps"]);
    write(folder.path(), "r.json", &result("Orders", 1024));
    offline(folder.path(), &["apply", "r.json"])
        .status(2)
        .complains(&["there is no terminal to ask on; say --yes"]);
    offline(folder.path(), &["apply", "r.json", "--write", "x.tfvars"])
        .status(2)
        .complains(&["--write x.tfvars has values of variables only"]);
    assert_eq!(std::fs::read_to_string(folder.path().join("globals.yaml")).unwrap(), before);
}

/// What `tune` says of the function, in a file of the world's folder.
fn tuned(world: &World, function: &str, more: &[&str]) -> String {
    let kept = world.folder().join(format!("{function}.json"));
    let kept = kept.to_str().unwrap().to_owned();
    let flags = [
        "tune",
        function,
        "--num",
        "5",
        "--power-values",
        "256,512",
        "--strategy",
        "speed",
        "--json-file",
        &kept,
    ];
    world.deployer(&[&flags[..], more].concat()).success();
    kept
}

#[tokio::test]
async fn a_result_is_applied_to_the_function_it_has_seen_and_taken_back() {
    let world = World::new().await;
    let function = world.sample("wait", "io").await;
    let before = function.snapshot().await;
    let kept = tuned(&world, "wait", &[]);
    let mut document: Value = serde_json::from_str(&std::fs::read_to_string(&kept).unwrap()).unwrap();
    assert!(document["codeSha256"].as_str().is_some_and(|hash| hash.len() == 44), "{document}");
    // Which of the two wins is no matter here.
    document["power"] = json!(512);
    std::fs::write(&kept, document.to_string()).unwrap();

    let said = world.deployer(&["apply", &kept, "--check"]).status(3);
    assert_eq!(said.stdout, "wait has 256 MB, and the result says 512 MB.\n");
    assert_eq!(function.snapshot().await, before);
    let said = world.deployer(&["apply", &kept, "--yes"]).success();
    assert_eq!(
        said.stdout,
        format!("wait now has 512 MB (was 256).\nTo take it back: deployer apply {kept} --undo\n")
    );
    assert!(said.stderr.contains("wait: 256 MB \u{2192} 512 MB"), "{}", said.stderr);
    assert_eq!(function.memory().await, 512);
    let said = world.deployer(&["apply", &kept, "--yes"]).success();
    assert_eq!(said.stdout, "wait has 512 MB.\n");

    let said = world.deployer(&["apply", &kept, "--undo", "--yes", "--json"]).success().json();
    assert_eq!(said, json!({ "functions": [{ "function": "wait", "memorySize": 256, "was": 512 }] }));
    assert_eq!(function.snapshot().await, before, "not as it was before");
    world.deployer(&["apply", &kept, "--undo", "--yes"]).status(2).complains(&["wait.undo.json"]);

    // Somebody changes the size after the run, and again after it was applied.
    let set = async |memory: i32| {
        world
            .lambda
            .update_function_configuration()
            .function_name("wait")
            .memory_size(memory)
            .send()
            .await
            .unwrap();
        function.settled().await;
    };
    set(384).await;
    world.deployer(&["apply", &kept, "--yes"]).status(1).complains(&[
        "wait had 256 MB when it was measured and has 384 MB now: somebody has changed it",
        "hint: tune it again: `deployer tune wait`",
    ]);
    set(256).await;
    world.deployer(&["apply", &kept, "--yes"]).success();
    set(640).await;
    world.deployer(&["apply", &kept, "--undo", "--yes"]).status(1).complains(&[
        "wait was given 512 MB and has 640 MB now: somebody has changed it since",
        "it had 256 MB before",
    ]);
    assert_eq!(function.memory().await, 640);
    set(256).await;

    // While another run holds it, and when its code is another one.
    world
        .lambda
        .create_alias()
        .function_name("wait")
        .name("deployer-tuning")
        .function_version("$LATEST")
        .description("deployer-tuning lock arn:aws:states:us-east-1:000000000000:execution:m:other")
        .send()
        .await
        .unwrap();
    world
        .deployer(&["apply", &kept, "--yes"])
        .status(1)
        .complains(&["wait is being measured by arn:aws:states:us-east-1:000000000000:execution:m:other"]);
    world.lambda.delete_alias().function_name("wait").name("deployer-tuning").send().await.unwrap();
    document["codeSha256"] = json!("another");
    std::fs::write(&kept, document.to_string()).unwrap();
    world
        .deployer(&["apply", &kept, "--yes"])
        .status(1)
        .complains(&["the code of wait is another one than was measured"]);
    document["account"] = json!("111111111111");
    std::fs::write(&kept, document.to_string()).unwrap();
    world
        .deployer(&["apply", &kept, "--yes"])
        .status(1)
        .complains(&["in the account 111111111111, and calls go to 000000000000"]);
    document["region"] = json!("eu-west-1");
    std::fs::write(&kept, document.to_string()).unwrap();
    world
        .deployer(&["apply", &kept, "--yes"])
        .status(1)
        .complains(&["the result is of wait in eu-west-1", "say --region eu-west-1"]);
    assert_eq!(function.memory().await, 256);
}

#[tokio::test]
async fn tune_writes_the_chosen_size_where_the_function_is_defined() {
    let world = World::new().await;
    world.sample("wait", "io").await;
    let template = world.folder().join("template.yaml");
    let text = "Resources:\n  Wait:\n    Type: AWS::Lambda::Function\n    Properties:\n      FunctionName: wait\n      MemorySize: 256 # MB\n";
    std::fs::write(&template, text).unwrap();
    let flags = ["tune", "wait", "--num", "5", "--power-values", "512", "--write", "template.yaml"];

    let said = world.deployer(&[&flags[..], &["--max-duration-ms", "0.001"]].concat()).status(3);
    said.complains(&["no file was changed, because it takes"]);
    assert_eq!(std::fs::read_to_string(&template).unwrap(), text);
    let said = world.deployer(&flags).success();
    assert!(
        said.stdout.lines().any(|line| line == "template.yaml:6: Wait now has 512 MB (was 256)."),
        "{}",
        said.stdout
    );
    assert_eq!(std::fs::read_to_string(&template).unwrap(), text.replace("256", "512"));
    let document = world.deployer(&[&flags[..], &["--json"]].concat()).success().json();
    assert_eq!(
        document["written"],
        json!([{ "file": "template.yaml", "line": 6, "function": "wait", "resource": "Wait", "was": 512, "memorySize": 512 }])
    );

    // What cannot be written is known before anything is measured.
    let runs = || async {
        let machines = world.states.list_state_machines().send().await.unwrap();
        let machine = machines.state_machines()[0].state_machine_arn();
        world.states.list_executions().state_machine_arn(machine).send().await.unwrap().executions().len()
    };
    let before = runs().await;
    std::fs::write(&template, text.replace("256", "!If [Large, 256, 128]")).unwrap();
    world.deployer(&flags).status(2).complains(&[
        "template.yaml:6: the memory size is computed, `!If [Large, 256, 128]`: change it by hand",
    ]);
    let elsewhere = [&flags[..6], &["--write", "gone.yaml"]].concat();
    world.deployer(&elsewhere).status(2).complains(&["gone.yaml: No such file"]);
    assert_eq!(runs().await, before);
}

#[tokio::test]
async fn the_tags_of_cloudformation_tell_what_its_template_calls_a_function() {
    let world = World::new().await;
    let template = json!({ "Resources": { "Odd": { "Type": "AWS::Lambda::Function", "Properties": {
        "FunctionName": "special", "MemorySize": 128, "Role": "arn:aws:iam::000000000000:role/sample", "Handler": "index.handler",
        "Runtime": "nodejs22.x", "Code": { "ZipFile": "exports.handler = async () => 1" },
    } } } });
    assert_eq!(world.deploy("app", &template).await, "CREATE_COMPLETE");
    let file = world.folder().join("app.yaml");
    let text = "Resources:\n  Odd:\n    Type: AWS::Lambda::Function\n    Properties:\n      FunctionName: !ImportValue name\n      MemorySize: 128\n  Even:\n    Type: AWS::Lambda::Function\n    Properties: {MemorySize: 128}\n";
    std::fs::write(&file, text).unwrap();
    let kept = write(world.folder(), "result.json", &result("special", 512));
    let said = world.deployer(&["apply", &kept, "--write", "app.yaml"]).success();
    assert_eq!(said.stdout, "app.yaml:6: Odd now has 512 MB (was 128).\n");
    let said = world.deployer(&["apply", &kept, "--yes"]).success();
    said.complains(&[
        "special belongs to the stack app: its next deployment puts the template's memory size back",
    ]);
    // Nobody has measured it under this name, and nothing tells its name either.
    let kept = write(world.folder(), "other.json", &result("unknown", 512));
    world.deployer(&["apply", &kept, "--write", "app.yaml"]).status(2).complains(&[
        "none of its functions is known to be deployed as unknown: it defines Odd, Even; say which one it is, as app.yaml#Odd",
    ]);
}

#[tokio::test]
async fn a_gate_against_a_former_result_fails_only_beyond_doubt() {
    let world = World::new().await;
    let function = world.sample("wait", "io").await;
    let former = |ms: f64, error: f64| {
        let mut document = result("wait", 512);
        document["stats"] = json!([{ "value": 512, "averagePrice": 2e-6, "averageDuration": ms, "standardError": error,
            "invocations": 50, "coldStarts": 5 }]);
        write(world.folder(), "former.json", &document)
    };
    let flags = ["--num", "5", "--power-values", "512", "--max-regression", "10%", "--baseline"];
    let judged = |former: &str| function.tune(&[&flags[..], &[former]].concat());

    let said = judged(&former(0.01, 0.0001)).status(3);
    let regression = said.json()["regression"].clone();
    assert_eq!(
        (&regression["finding"], &regression["baselinePower"]),
        (&json!("exceeded"), &json!(512)),
        "{regression}"
    );
    said.complains(&["more than the 10 % allowed"]);
    let regression = judged(&former(60_000.0, 0.1)).success().json()["regression"].clone();
    assert_eq!(regression["finding"], "kept", "{regression}");
    // It varies so much that anything may be.
    let said = judged(&former(30.0, 300.0)).success();
    let regression = said.json()["regression"].clone();
    assert_eq!(regression["finding"], "undecided", "{regression}");
    said.complains(&["which does not tell whether it is more than the 10 % allowed; "]);

    let text = world.deployer(&[&["tune", "wait"], &flags[..], &[&former(0.01, 0.0001)]].concat()).status(3);
    let sentence = "more than the 10 % allowed";
    assert_eq!(
        (text.stdout.matches(sentence).count(), text.stderr.matches(sentence).count()),
        (1, 0),
        "{text:?}"
    );

    // A chart link, and a result without the figures of each size, say less of it.
    let link = "https://x.example/#AAI=;CtcjPA==;vTcGNg==;sd:CtcjPA==;";
    let link = link.trim_end_matches(';');
    let said = judged(link);
    let assumed = said.json()["regression"]["assumed"].as_str().map(str::to_owned);
    assert!(assumed.is_some_and(|text| text.contains("as many as now")), "{}", said.stdout);
    function
        .tune(&["--baseline", "gone.json"])
        .status(2)
        .complains(&["gone.json is neither a file nor a chart link"]);
    function
        .tune(&["--max-regression", "5%"])
        .status(2)
        .complains(&["`max-regression` is against a former result: name it with --baseline"]);
    function.tune(&["--baseline", "x", "--auto-optimize"]).status(2).complains(&["--auto-optimize"]);
}

#[tokio::test]
async fn history_lists_the_runs_of_a_function() {
    let world = World::new().await;
    world.sample("wait", "io").await;
    world.sample("other", "io").await;
    let said = world.deployer(&["history", "wait"]).success();
    assert_eq!(said.stdout, "Step Functions knows no run of wait.\n");
    tuned(&world, "wait", &[]);
    tuned(&world, "other", &[]);
    tuned(&world, "wait", &[]);
    let document = world.deployer(&["history", "wait", "--json"]).success().json();
    let runs = document["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 2);
    assert!(
        runs.iter().all(|run| run["status"] == "SUCCEEDED" && run["result"]["power"].is_number()),
        "{document}"
    );
    assert!(runs[0]["started"].as_str() > runs[1]["started"].as_str(), "{document}");
    let link = document["visualization"].as_str().unwrap();
    let drawn = tuning::url::decode(link.split_once('#').unwrap().1).unwrap();
    assert_eq!(drawn.len(), 2);
    let text = world.deployer(&["history", "wait"]).success().stdout;
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].contains("started (UTC)") && lines[0].contains("vs before"), "{text}");
    assert_eq!(lines.iter().filter(|line| line.contains("succeeded")).count(), 2, "{text}");
    assert!(lines.last().unwrap().starts_with("Chart: "), "{text}");
    let one = world.deployer(&["history", &world.arn("wait"), "--last", "1", "--json"]).success().json();
    assert_eq!(one["runs"].as_array().unwrap().len(), 1);
    let markdown = world.deployer(&["history", "wait", "--markdown"]).success().stdout;
    assert!(markdown.contains("| started (UTC)") && markdown.contains("[Chart]("), "{markdown}");
}
