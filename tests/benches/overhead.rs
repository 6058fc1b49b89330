//! What a run takes beyond the function's own time, on the embedded endpoint and on MiniStack, and how fast versions for cold
//! starts, and copies, are made when the control plane is as slow as AWS's. Prints Markdown tables; `tests/overhead` runs it.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on says so by panicking")]
#![allow(clippy::print_stdout, reason = "tables are what it is for")]

// The rooms of the whole-program tests; not all of what they hold is needed here.
#[allow(dead_code, reason = "shared with the tests")]
#[path = "../whole/answering.rs"]
mod answering;
#[allow(dead_code, reason = "shared with the tests")]
#[path = "../whole/bench.rs"]
mod bench;
#[allow(dead_code, reason = "shared with the tests")]
#[path = "../whole/emulator.rs"]
mod emulator;
mod fleets;
#[allow(dead_code, unused_imports, reason = "shared with the tests")]
#[path = "../whole/harness/mod.rs"]
mod harness;
#[allow(dead_code, reason = "shared with the tests")]
#[path = "../whole/in_process.rs"]
mod in_process;

use std::collections::BTreeMap;
use std::time::Duration;

use bench::Bench;
use emulator::Emulator;
use local_aws::lambda::Behaviour;
use local_aws::{Service, faults};
use serde_json::{Value, json};

/// What the function waits, in ms.
const OWN_MS: u32 = 45;
/// How long a call of the control plane takes, and a change until it is in effect: assumptions, in round figures, with which the
/// way of the tool we replace (five calls for each version, one after another) comes to about what it took on AWS, 1.7 s.
const LATENCY: Duration = Duration::from_millis(150);
const SETTLE: Duration = Duration::from_millis(500);
const RATE: u32 = 15;
const STATES: [&str; 6] = ["Initializer", "Publisher", "Measure", "Cleaner", "Analyzer", "Optimizer"];

/// A run, taken apart.
struct Run {
    wall_ms: f64,
    own_ms: f64,
    states: BTreeMap<String, f64>,
    transitions: f64,
}

impl Run {
    /// From the events of the execution, with timestamps in seconds, and its output.
    fn new(events: &[Value], output: &Value) -> Self {
        let stamp = |event: &Value| event["timestamp"].as_f64().expect("a timestamp in seconds");
        let mut entered: BTreeMap<&str, f64> = BTreeMap::new();
        let mut states: BTreeMap<String, f64> = BTreeMap::new();
        for event in events {
            let kind = event["type"].as_str().unwrap_or_default();
            if let Some(name) = event["stateEnteredEventDetails"]["name"].as_str() {
                entered.insert(name, stamp(event));
            } else if kind.ends_with("StateExited")
                && let Some(name) = event["stateExitedEventDetails"]["name"].as_str()
                && let Some(start) = entered.remove(name)
            {
                *states.entry(name.to_owned()).or_default() += (stamp(event) - start) * 1000.0;
            }
        }
        let (first, last) = (events.first().expect("events"), events.last().expect("events"));
        // Sizes are measured side by side: the longest counts.
        let stats = output["stats"].as_array().expect("stats");
        let own = stats
            .iter()
            .map(|stat| stat["averageDuration"].as_f64().unwrap() * stat["invocations"].as_f64().unwrap());
        let cost = output["stateMachine"]["executionCost"].as_f64().unwrap();
        Self {
            wall_ms: (stamp(last) - stamp(first)) * 1000.0,
            own_ms: own.fold(0.0, f64::max),
            states,
            transitions: (cost / 2.5e-5).round(),
        }
    }

    fn row(&self, what: &str) {
        let states: Vec<String> = STATES
            .iter()
            .map(|name| format!("{:.0}", self.states.get(*name).copied().unwrap_or_default()))
            .collect();
        println!(
            "| {what} | {:.0} | {:.0} | {:.0} | {} | {:.0} |",
            self.wall_ms,
            self.own_ms,
            self.wall_ms - self.own_ms,
            states.join(" | "),
            self.transitions
        );
    }
}

fn head(title: &str) {
    println!("\n{title}\n");
    println!("| run | wall ms | the function's own | overhead | {} | transitions |", STATES.join(" | "));
    println!("|---|--:|--:|--:|{}--:|", "--:|".repeat(STATES.len()));
}

/// The run whose overhead is in the middle.
fn median(mut runs: Vec<Run>) -> Run {
    runs.sort_by(|a, b| (a.wall_ms - a.own_ms).total_cmp(&(b.wall_ms - b.own_ms)));
    runs.swap_remove(runs.len() / 2)
}

fn shapes() -> [(&'static str, Value); 4] {
    [
        ("3 sizes × 10", json!({"num": 10, "powerValues": [128, 512, 1024]})),
        ("3 sizes × 10, copies", json!({"num": 10, "powerValues": [128, 512, 1024], "tune": "copy"})),
        ("6 sizes × 100", json!({"num": 100, "powerValues": [128, 256, 512, 1024, 1769, 3008]})),
        ("ALL (46 sizes) × 10", json!({"num": 10, "powerValues": "ALL"})),
    ]
}

async fn on_the_endpoint(bench: &Bench, mut input: Value) -> Run {
    input["payload"] = json!({"milliseconds": OWN_MS});
    input["includeOutputResults"] = true.into();
    let over = bench.run(input).await;
    assert_eq!(over.status, "SUCCEEDED", "{over:?}");
    let events = history(bench, &over.arn).await;
    bench.quiet().await;
    Run::new(&events, &over.output)
}

async fn history(bench: &Bench, execution: &str) -> Vec<Value> {
    let mut events = Vec::new();
    let mut page = json!({"executionArn": execution, "maxResults": 1000});
    loop {
        let mut answer = bench.ok(Service::States, "GetExecutionHistory", page.clone()).await;
        events.append(answer["events"].as_array_mut().unwrap());
        match answer["nextToken"].take() {
            Value::Null => return events,
            token => page["nextToken"] = token,
        }
    }
}

fn on_ministack(ministack: &Emulator, input: &Value) -> Run {
    let file = ministack.folder.path().join("input.json");
    std::fs::write(&file, input.to_string()).unwrap();
    let tune = ["tune", "sample", "--json", "--include-output-results", "--input", file.to_str().unwrap()];
    let output = ministack.deployer(&tune).success().json();
    let arn = output["executionArn"].as_str().unwrap();
    // With numbers for timestamps, as the service itself sends them.
    let script = "import boto3,json,sys\n\
                  c=boto3.client('stepfunctions')\n\
                  e=[x for p in c.get_paginator('get_execution_history').paginate(executionArn=sys.argv[1]) for x in p['events']]\n\
                  print(json.dumps(e,default=lambda t:t.timestamp()))";
    let history = harness::Said::by(&mut ministack.pointed(harness::tool("python"), &["-c", script, arn]));
    let events = history.success().json();
    Run::new(events.as_array().unwrap(), &output)
}

async fn cold_starts(bench: &Bench) {
    bench.behave(|behaviour| Behaviour {
        settle: SETTLE,
        control_plane_rate: Some(RATE),
        control_plane_latency: LATENCY,
        ..behaviour
    });
    let sizes = [128, 256, 512, 1024, 1769];
    bench.aws().faults.plan(Vec::new());
    let input = json!({"num": 50, "powerValues": sizes, "onlyColdStarts": true});
    let run = on_the_endpoint(bench, input).await;
    let made: Vec<faults::Made> = bench.aws().faults.end();
    let by = |who: &str| {
        made.iter().filter(|call| call.caller.contains(who) && call.operation != "Invoke").count()
    };
    let versions = sizes.len() * 50;
    let took = |name: &str| run.states.get(name).copied().unwrap_or_default() / 1000.0;
    println!(
        "\n5 sizes × 50 cold starts, the control plane at {RATE} calls a second, {} ms a call, {} ms until a change is in effect\n",
        LATENCY.as_millis(),
        SETTLE.as_millis()
    );
    println!("| | calls | calls a version | seconds | at {RATE} calls a second |");
    println!("|---|--:|--:|--:|--:|");
    for (what, who, state) in
        [("making 250 versions", "publisher", "Publisher"), ("deleting them", "cleaner", "Cleaner")]
    {
        #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
        let (calls, versions) = (by(who) as f64, versions as f64);
        println!(
            "| {what} | {calls} | {:.1} | {:.0} | {:.0} |",
            calls / versions,
            took(state),
            calls / f64::from(RATE)
        );
    }
}

/// The roles that copies may have are the samples' own.
const COPIES: [&str; 6] = ["--power-values", "128,512", "--copies", "also", "--copyable-roles", bench::ROLE];

/// A stack that may make copies, with a control plane as slow as AWS's. Our functions and the tuned one run in this process, so that
/// as many invocations run at once as Lambda lets, whatever this machine has for them.
async fn as_slow_as_aws() -> Bench {
    let bench = Bench::in_process_with(&COPIES).await;
    bench.lambda("UpdateFunctionConfiguration", json!({"Handler": "scripted"})).await;
    bench.lambda("DeleteFunctionConcurrency", json!({})).await;
    bench.behave(|behaviour| Behaviour {
        settle: SETTLE,
        control_plane_rate: Some(RATE),
        control_plane_latency: LATENCY,
        idle_limit: 10_000,
        ..behaviour
    });
    bench
}

/// Cold starts one by one and in bursts, of the function itself and of copies.
async fn bursts() {
    println!(
        "\n5 sizes × 50 cold starts of a function of {OWN_MS} ms: one by one and in bursts, the control plane as above\n"
    );
    println!("| | seconds | Publisher | Executors | Cleaner | versions or copies | invocations |");
    println!("|---|--:|--:|--:|--:|--:|--:|");
    for (what, more) in [
        ("in place, in bursts", json!({"tune": "in-place", "parallelInvocation": true})),
        ("copies, one by one", json!({"tune": "copy"})),
        ("copies, in bursts", json!({"tune": "copy", "parallelInvocation": true})),
    ] {
        let bench = as_slow_as_aws().await;
        let sizes = [128, 256, 512, 1024, 1769];
        let answers = (0..1000).map(|_| in_process::Answer::good().after(OWN_MS.into()));
        bench.stage().script(answers);
        let mut input = json!({
            "num": 50, "powerValues": sizes, "onlyColdStarts": true, "includeOutputResults": true,
        });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let over = bench.run(input).await;
        assert_eq!(over.status, "SUCCEEDED", "{over:?}");
        for stat in over.output["stats"].as_array().unwrap() {
            assert_eq!(stat["coldStarts"], 50, "{stat}");
        }
        let run = Run::new(&history(&bench, &over.arn).await, &over.output);
        let took =
            |names: &[&str]| names.iter().filter_map(|name| run.states.get(*name)).sum::<f64>() / 1000.0;
        let seen = bench.stage().seen();
        let invoked: std::collections::BTreeSet<&str> =
            seen.iter().map(|seen| seen.function.as_str()).collect();
        println!(
            "| {what} | {:.1} | {:.1} | {:.1} | {:.1} | {} | {} |",
            run.wall_ms / 1000.0,
            took(&["Publisher"]),
            took(&["Measure", "MeasureRound"]),
            took(&["Cleaner"]),
            invoked.len(),
            seen.len()
        );
        bench.stop().await;
    }
}

/// How soon many copies are ready, and how long a large package takes.
async fn copies() {
    let bench = as_slow_as_aws().await;
    println!("\nCopies, the control plane as above\n");
    println!("| | seconds | Publisher | Cleaner |");
    println!("|---|--:|--:|--:|");
    let row = async |what: &str, over: bench::Over| {
        assert_eq!(over.status, "SUCCEEDED", "{over:?}");
        let run = Run::new(&history(&bench, &over.arn).await, &over.output);
        let took = |name: &str| run.states.get(name).copied().unwrap_or_default() / 1000.0;
        println!(
            "| {what} | {:.1} | {:.1} | {:.1} |",
            run.wall_ms / 1000.0,
            took("Publisher"),
            took("Cleaner")
        );
    };
    let input =
        |sizes: Value| json!({"num": 5, "powerValues": sizes, "tune": "copy", "includeOutputResults": true});
    row("46 sizes (`ALL`)", bench.run(input("ALL".into())).await).await;

    // Noise, which does not get smaller when it is packed.
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()
    })
    .take(LARGE_MB * 1024 * 1024 / 8)
    .flatten()
    .collect();
    let package = harness::zip_of("bootstrap", &noise);
    bench.ok(Service::S3, "CreateBucket", json!({"Bucket": "packages"})).await;
    let put = local_aws::s3::PutObject {
        bucket: "packages".to_owned(),
        key: "large.zip".to_owned(),
        body: package.into(),
        ..Default::default()
    };
    let aws = bench.aws();
    aws.s3.put_object(aws, &local_aws::Caller::Owner, put).await.expect("the object is put");
    let create = json!({
        "FunctionName": "large", "Runtime": "provided.al2023", "Handler": "scripted", "Role": bench::ROLE,
        "Timeout": 20, "Code": {"S3Bucket": "packages", "S3Key": "large.zip"},
    });
    bench.ok(Service::Lambda, "CreateFunction", create).await;
    let execution =
        bench.start_on("large", input(json!([128, 256, 512, 1024, 1769, 3008])), None).await.unwrap();
    row(&format!("6 sizes, {LARGE_MB} MB of code"), bench.ended(&execution).await).await;
    bench.stop().await;
}

/// A package nearly as large as Lambda takes, in MB.
const LARGE_MB: usize = 240;

/// Runs as large as one execution may hold: what they come to against Step Functions' limits, and that the first one beyond is
/// refused before anything is changed.
async fn scale(bench: &Bench) {
    println!("\nLarge runs on the embedded endpoint, against 262,144 bytes of state and 25,000 events\n");
    println!("| run | seconds | largest state, bytes | events | transitions |");
    println!("|---|--:|--:|--:|--:|");
    let sizes = |n: u32| (128..128 + n).collect::<Vec<u32>>();
    let largest = |what: &str, text: &str| -> u32 {
        let number = text.split(what).nth(1).unwrap_or_else(|| panic!("`{what}` in {text}"));
        number.split([' ', ',', '"', '\\']).next().unwrap().parse().unwrap()
    };
    let before = bench.snapshot().await;
    // What it says fits is what is run.
    let refused = bench.run(json!({"num": 5, "powerValues": sizes(1000)})).await;
    assert_eq!(refused.status, "FAILED", "{refused:?}");
    let most_sizes = largest("measure at most ", &refused.cause);
    let refused = bench.run(json!({"num": 100_000, "powerValues": [128]})).await;
    assert_eq!(refused.status, "FAILED", "{refused:?}");
    let most_num = largest("from 5 to ", &refused.cause);
    assert!(bench::differences(&before, &bench.snapshot().await).is_empty(), "refused, but changed");
    let runs = [
        (format!("{most_sizes} sizes × 5"), json!({"num": 5, "powerValues": sizes(most_sizes)})),
        (format!("1 size × {most_num} in series"), json!({"num": most_num, "powerValues": [128]})),
        (
            "40 sizes × 25 at once: 1,000 invocations".to_owned(),
            json!({"num": 25, "powerValues": sizes(40), "parallelInvocation": true}),
        ),
        (
            "5 sizes × 400 cold starts: 2,000 versions".to_owned(),
            json!({"num": 400, "powerValues": sizes(5), "onlyColdStarts": true}),
        ),
    ];
    for (what, input) in runs {
        let started = std::time::Instant::now();
        let over = bench.run(input).await;
        assert_eq!(over.status, "SUCCEEDED", "{what}: {over:?}");
        let seconds = started.elapsed().as_secs();
        let events = history(bench, &over.arn).await;
        let state = events.iter().flat_map(|event| {
            [&event["stateEnteredEventDetails"]["input"], &event["stateExitedEventDetails"]["output"]]
        });
        let state = state.filter_map(Value::as_str).map(str::len).max().unwrap_or_default();
        let cost = over.output["stateMachine"]["executionCost"].as_f64().unwrap();
        println!("| {what} | {seconds} | {state} | {} | {:.0} |", events.len(), cost / 2.5e-5);
        bench.quiet().await;
        let left = bench::differences(&before, &bench.snapshot().await);
        assert!(left.is_empty(), "{what}: {left:?}");
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_asked = |what: &str| asked.is_empty() || asked.iter().any(|one| one == what);
    let repeat = 5;
    if is_asked("endpoint") {
        let bench = Bench::processes_with(&COPIES).await;
        bench.lambda("UpdateFunctionConfiguration", json!({"Handler": "io"})).await;
        head(&format!("On the embedded endpoint, a function of {OWN_MS} ms, median of {repeat}"));
        for (what, input) in shapes() {
            let mut runs = Vec::new();
            for _ in 0..repeat {
                runs.push(on_the_endpoint(&bench, input.clone()).await);
            }
            median(runs).row(what);
        }
        bench.stop().await;
    }
    if is_asked("ministack") {
        let ministack = Emulator::ministack_for_copies();
        ministack.up(&COPIES[2..]).success();
        ministack.python_sample("sample", OWN_MS);
        head(&format!("On MiniStack, a function of {OWN_MS} ms, median of {repeat}; the long ones once"));
        for (what, mut input) in shapes() {
            // The stack makes copies unless it is told otherwise.
            if input.get("tune").is_none() {
                input["tune"] = "in-place".into();
            }
            let times = if input["num"] == 10 && input["powerValues"].is_array() { repeat } else { 1 };
            median((0..times).map(|_| on_ministack(&ministack, &input)).collect()).row(what);
        }
    }
    if is_asked("cold-starts") {
        let bench = Bench::new().await;
        bench.lambda("UpdateFunctionConfiguration", json!({"Handler": "io"})).await;
        cold_starts(&bench).await;
        bench.stop().await;
    }
    if is_asked("bursts") {
        bursts().await;
    }
    if is_asked("copies") {
        copies().await;
    }
    if is_asked("scale") {
        let bench = Bench::new().await;
        scale(&bench).await;
        bench.stop().await;
    }
    // Not among all of it: it takes longer than the rest together.
    if let [what, rest @ ..] = asked.as_slice()
        && what == "fleets"
    {
        fleets::run(rest.first().map_or(1000, |count| count.parse().expect("a number of functions"))).await;
    }
}
