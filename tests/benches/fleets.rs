//! A fleet as large as an account, on an endpoint that is as slow as AWS: how long it takes, what it asks of the control plane, and what it
//! comes to against Step Functions' limits.

use std::fmt::Write as _;
use std::time::Instant;

use local_aws::lambda::Behaviour;
use local_aws::{Service, faults};
use serde_json::{Value, json};

use crate::bench::{self, Bench};
use crate::harness::{Said, deployer};
use crate::in_process::Answer;
use crate::{COPIES, LATENCY, RATE, SETTLE};

const SIZES: usize = 3;
const NUM: usize = 5;
/// What a scan would have seen of each.
const SEEN: &str =
    "seen = { days = 14, invocations = 100000, average-ms = 50, p99-ms = 100, memory-mb = 256 }";

/// Tunes so many functions of 5 to 100 ms by copies, at three sizes, five times each.
pub async fn run(count: usize) {
    let bench = Bench::in_process_with(&[&COPIES[..], &["--fleets"]].concat()).await;
    let mut plan = format!("[defaults]\npower-values = [128, 256, 512]\nnum = {NUM}\n");
    for number in 0..count {
        let name = format!("function-{number:05}");
        let create = json!({
            "FunctionName": name, "Runtime": "provided.al2023", "Handler": "scripted", "Role": bench::ROLE,
            "MemorySize": 256, "Timeout": 20, "Code": {"ZipFile": bench.code},
        });
        bench.ok(Service::Lambda, "CreateFunction", create).await;
        write!(plan, "[[function]]\nname = '{name}'\npayload = {{}}\n{SEEN}\n").expect("a text takes it");
    }
    bench.behave(|behaviour| Behaviour {
        settle: SETTLE,
        control_plane_rate: Some(RATE),
        control_plane_latency: LATENCY,
        idle_limit: 10_000,
        ..behaviour
    });
    let milliseconds = (0..).map(|number: u64| 5 + number * 37 % 96);
    bench.stage().script(milliseconds.take(count * SIZES * NUM).map(|ms| Answer::good().after(ms)));
    let file = bench.folder().join("fleet.toml");
    std::fs::write(&file, plan).expect("the plan is written");
    bench.aws().faults.plan(Vec::new());

    let started = Instant::now();
    let mut program = deployer(&["fleet", "run", "fleet.toml", "--json", "--yes", "--quiet"]);
    program.env("AWS_ENDPOINT_URL", bench.url()).current_dir(bench.folder());
    // The endpoint goes on in this thread's runtime meanwhile.
    let said = tokio::task::spawn_blocking(move || Said::by(&mut program)).await.expect("it ends").success();
    let seconds = started.elapsed().as_secs_f64();
    let result = said.json();
    let made: Vec<faults::Made> = bench.aws().faults.end();
    let rows = result["functions"].as_array().expect("functions");
    let tuned = rows.iter().filter(|row| row["state"] == "tuned").count();
    assert_eq!(tuned, count, "{}", result["summary"]);
    // GetFunction has a quota of its own, and the others are not Lambda's.
    let apart = ["Invoke", "GetFunction", "PutObject", "GetObject", "DeleteObject", "DescribeExecution"];
    let calls: Vec<&faults::Made> =
        made.iter().filter(|call| !apart.contains(&call.operation.as_str())).collect();
    let throttled = calls.iter().filter(|call| call.status == Some(429)).count();
    let execution = result["executionArn"].as_str().expect("an ARN");
    let history = json!({"executionArn": execution, "maxResults": 1000});
    let events = bench.ok(Service::States, "GetExecutionHistory", history).await;
    let largest = rows.iter().map(|row| row["result"].to_string().len()).max().unwrap_or_default();
    let bucket = result["plan"].as_str().and_then(|plan| plan.split('/').nth(2)).expect("a bucket");
    let objects = bench.ok(Service::S3, "ListObjectsV2", json!({"Bucket": bucket})).await;
    let objects = objects["Contents"].as_array().cloned().unwrap_or_default();
    let bytes = |prefix: &str| -> u64 {
        let there =
            objects.iter().filter(|object| object["Key"].as_str().is_some_and(|key| key.starts_with(prefix)));
        there.filter_map(|object| number(&object["Size"])).sum()
    };
    #[expect(clippy::cast_precision_loss, reason = "some thousands")]
    let (per_function, per_second) = (calls.len() as f64 / count as f64, calls.len() as f64 / seconds);
    println!(
        "\n{count} functions, {SIZES} sizes × {NUM}, copies; the control plane takes {RATE} calls a second of all the stack's functions together, \
         {} ms a call, {} ms until a change is in effect\n",
        LATENCY.as_millis(),
        SETTLE.as_millis()
    );
    println!("| | |\n|---|--:|");
    println!("| minutes | {:.1} |", seconds / 60.0);
    println!(
        "| control-plane calls of the stack's functions for each function, GetFunction aside | {per_function:.1} |"
    );
    println!("| the same a second | {per_second:.1} |");
    println!("| of these throttled | {throttled} |");
    println!("| most invocations of the tuned functions at once | {} |", bench.stage().most_at_once());
    println!(
        "| events in the history of the fleet's execution | {} |",
        events["events"].as_array().map_or(0, Vec::len)
    );
    println!("| the largest result of a function, bytes | {largest} |");
    println!("| plan in S3, bytes | {} |", bytes("plans/"));
    println!("| results in S3, bytes | {} |", bytes("results/"));
    println!("| objects in S3 | {} |", objects.len());
    bench.stop().await;
}

/// A number, or a text of one.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}
