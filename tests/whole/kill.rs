//! kill -9 at any moment of any command on this machine: the next command works, and nothing deployed is lost.
//!
//! 24 kills, with `SWEEP=full` 300, with `SWEEP=N` N; the moments are drawn by `KILL_SEED`, which is printed.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use local_aws::{Caller, Endpoint, Options, Service};
use serde_json::{Value, json};

use crate::bench::{amount, differences};
use crate::harness::{REGION, Said, deployer, samples_zip};

/// A plan that measures the function itself. (The clean-up of copies waits until whoever makes them must be over.)
const FLEET: &str = "[defaults]\npower-values = [128, 512]\nnum = 5\nin-place = true\n[[function]]\nname = 'mine'\npayload = {}\n";

/// What is killed. `up` has something to change each time.
fn commands(round: usize) -> Vec<Vec<String>> {
    let days = ["7", "14", "30"][round % 3];
    let words = |line: &str| line.split(' ').map(str::to_owned).collect();
    vec![
        words(&format!("up --yes --log-retention-days {days}")),
        words("tune mine --num 5 --power-values 128,512,1024"),
        words("fleet run fleet.toml --yes"),
        words("tune --code mine.zip --handler echo --num 5 --power-values 128"),
        words("cleanup mine"),
        words("preview"),
        words("outputs"),
        words("local --port 0"),
    ]
}

fn run(folder: &Path, words: &[String]) -> std::process::Command {
    let mut command = deployer(&[]);
    command.args(words).args(["--local", "--state"]).arg(folder.join("state")).current_dir(folder);
    command
}

fn said(folder: &Path, line: &str) -> Said {
    let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    Said::by(&mut run(folder, &words))
}

/// The function as it is on the disk, and what the stack consists of.
async fn kept(folder: &Path) -> Value {
    let options =
        Options { port: 0, state: folder.join("state"), region: REGION.to_owned(), cpu_share: None };
    let endpoint = Endpoint::start(options).await.expect("the state folder can be opened");
    let aws = endpoint.aws();
    // An execution that was killed is announced at the start; the stack's rule cleans up after it.
    for _ in 0..2 {
        aws.events.stop(aws).await;
        aws.lambda.drain().await;
    }
    let call = |service, operation: &'static str, input| async move {
        aws.call(&Caller::Owner, service, operation, input)
            .await
            .unwrap_or_else(|e| panic!("{operation}: {e}"))
    };
    let name = json!({"FunctionName": "mine"});
    let mut latest = call(Service::Lambda, "GetFunctionConfiguration", name.clone()).await;
    for member in ["RevisionId", "LastModified"] {
        latest.as_object_mut().unwrap().remove(member);
    }
    let mut versions = call(Service::Lambda, "ListVersionsByFunction", name.clone()).await;
    versions["Versions"].as_array_mut().unwrap().retain(|version| version["Version"] != "$LATEST");
    let aliases = call(Service::Lambda, "ListAliases", name).await;
    let functions = call(Service::Lambda, "ListFunctions", json!({})).await;
    let functions = functions["Functions"].as_array().unwrap();
    let names: Vec<Value> = functions.iter().map(|function| function["FunctionName"].clone()).collect();
    let machines = call(Service::States, "ListStateMachines", json!({})).await;
    let kept = json!({
        "configuration": latest, "versions": versions["Versions"], "aliases": aliases["Aliases"], "functions": names,
        "machines": machines["stateMachines"].as_array().unwrap().iter().map(|m| &m["name"]).collect::<Vec<_>>(),
    });
    endpoint.stop().await;
    kept
}

#[allow(clippy::print_stdout, reason = "the seed, and the figure")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_command_loses_nothing_and_the_next_one_works() {
    let kills = amount(24, 300);
    let seed = std::env::var("KILL_SEED").ok().and_then(|text| text.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("KILL_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);

    let folder = crate::bench::folder();
    let folder = folder.path();
    std::fs::write(folder.join("mine.zip"), samples_zip()).unwrap();
    std::fs::write(folder.join("fleet.toml"), FLEET).unwrap();
    said(folder, "up --yes --log-retention-days 7 --fleets").success();
    said(folder, "tune --code mine.zip --handler echo --num 5 --power-values 128").success();
    let before = kept(folder).await;
    let machine = |said: &Said| said.json()["outputs"]["StateMachineARN"].clone();
    let arn = machine(&said(folder, "outputs --json").success());

    // How long each takes undisturbed, so that the moment lies within.
    let mut took = Vec::new();
    for words in &commands(1)[..7] {
        let started = Instant::now();
        Said::by(&mut run(folder, words)).success();
        took.push(started.elapsed());
    }
    took.push(Duration::from_millis(300));
    let mut under_way = 0;
    for round in 0..kills {
        let which = round % took.len();
        let words = &commands(round / took.len() + 2)[which];
        let moment = took[which].mul_f64(random.f64());
        let mut child = run(folder, words)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        tokio::time::sleep(moment).await;
        under_way += usize::from(child.try_wait().unwrap().is_none());
        let _ = child.kill();
        child.wait().unwrap();
        let what = format!("after `{}` was killed at {moment:?} (kill {round})", words.join(" "));

        let next = said(folder, "outputs --json");
        assert_eq!(next.status, Some(0), "{what}: {}", next.stderr);
        assert_eq!(machine(&next), arn, "{what}");
        if round % 4 == 3 {
            let next = said(folder, "tune mine --num 5 --power-values 128 --json");
            assert_eq!(next.status, Some(0), "{what}: {}", next.stderr);
        }
        let left = differences(&before, &kept(folder).await);
        assert!(left.is_empty(), "{what}: {left:#?}");
    }
    said(folder, "up --yes --log-retention-days 7").success();
    println!(
        "{kills} kills, {under_way} of them before the command's end; every next command worked, nothing was lost"
    );
    assert!(
        under_way > kills / 3,
        "only {under_way} of {kills} commands were still running when they were killed"
    );
}
