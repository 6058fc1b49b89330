//! How true the CPU shares are: what is measured at each memory size against theory, for every mechanism that this machine
//! has, as tables in Markdown. Run it by `tests/shares` on a machine that has nothing else to do.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on says so by panicking")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "tables are what it is for")]

#[path = "../tests/support/mod.rs"]
#[allow(dead_code, reason = "made for the tests")]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use support::Local;

const SIZES: [u32; 6] = [128, 256, 512, 1024, 1769, 3538];
/// Long against the 20 ms of a period: the first one's budget is there at once, and theory knows nothing of it.
const BURN_MS: u32 = 120;
const SLEEP_MS: u32 = 100;
const HALF_MS: u32 = 150;

/// What CPU time takes at a size, on one thread.
fn theory(cpu_ms: u32, memory_mb: u32) -> f64 {
    f64::from(cpu_ms) * (1769.0 / f64::from(memory_mb)).max(1.0)
}

fn burn(threads: u32) -> Value {
    json!({"mode": "burn", "ms": BURN_MS, "threads": threads})
}

/// The median duration of so many invocations, in ms.
async fn median(local: &Local, memory_mb: u32, event: &Value, times: usize) -> f64 {
    let name = format!("f{memory_mb}");
    let mut durations = Vec::new();
    for _ in 0..times {
        let run = local.invoke(&name, event.clone()).await;
        assert_eq!(run.function_error, None, "{}", run.log);
        durations.push(run.duration());
    }
    durations.sort_by(f64::total_cmp);
    f64::midpoint(durations[(times - 1) / 2], durations[times / 2])
}

fn against(measured: f64, theory: f64) -> String {
    format!("{measured:.1} ({:+.1} %)", (measured / theory - 1.0) * 100.0)
}

/// Keeps one core busy until it is dropped.
struct Busy(Arc<AtomicBool>);

impl Busy {
    fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        std::thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        });
        Self(stop)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

async fn tables(local: &Local, times: usize) {
    let share = local.aws.lambda.cpu_share();
    println!("\n**CPU shares by {}; memory {}**\n", share.mechanism, share.memory);
    for memory in SIZES {
        let name = format!("f{memory}");
        local.function(&name, json!({"MemorySize": memory, "Timeout": 60, "Tags": {}})).await;
        local.invoke(&name, json!({})).await;
    }
    let mut parallel = [0.0; SIZES.len()];
    let event = burn(1);
    let [a, b, c, d, e, f] = SIZES.map(|memory| median(local, memory, &event, times));
    (parallel[0], parallel[1], parallel[2], parallel[3], parallel[4], parallel[5]) =
        tokio::join!(a, b, c, d, e, f);
    println!(
        "| memory | {BURN_MS} ms of CPU, theory | alone | other core busy | all sizes at once | \
         {SLEEP_MS} ms asleep | {HALF_MS} ms asleep, then {HALF_MS} ms of CPU |"
    );
    println!("|--:|--:|--:|--:|--:|--:|--:|");
    for (memory, parallel) in SIZES.into_iter().zip(parallel) {
        let expected = theory(BURN_MS, memory);
        let alone = median(local, memory, &event, times).await;
        let busy = {
            let _busy = Busy::start();
            median(local, memory, &event, times).await
        };
        let asleep = median(local, memory, &json!({"mode": "sleep", "ms": SLEEP_MS}), times).await;
        let half = json!({"mode": "burn", "sleep": HALF_MS, "ms": HALF_MS});
        let half = median(local, memory, &half, times).await;
        println!(
            "| {memory} MB | {expected:.1} ms | {} | {} | {} | {} | {} |",
            against(alone, expected),
            against(busy, expected),
            against(parallel, expected),
            against(asleep, f64::from(SLEEP_MS)),
            against(half, f64::from(HALF_MS) + theory(HALF_MS, memory)),
        );
    }
    let mut gain = Vec::new();
    for threads in [1, 2] {
        let (one, two) = (
            median(local, 1769, &burn(threads), times).await,
            median(local, 3538, &burn(threads), times).await,
        );
        gain.push(format!("{threads}: {one:.1} → {two:.1} ms, {:.2} times as fast", one / two));
    }
    println!("\nFrom 1769 to 3538 MB, by threads that each need {BURN_MS} ms: {}.", gain.join("; "));
    local.aws.lambda.shutdown().await;
}

fn main() {
    // cargo says `--bench` as well.
    let times = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(20);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap();
        let model = cpus.lines().find_map(|l| l.strip_prefix("model name")?.split_once(": "));
        let load = std::fs::read_to_string("/proc/loadavg").unwrap();
        println!(
            "Medians of {times} in ms, on {} cores of {}; load before: {}",
            std::thread::available_parallelism().unwrap(),
            model.map_or("an unnamed processor", |(_, model)| model),
            load.split(' ').next().unwrap()
        );
        for local in Local::each().await {
            tables(&local, times).await;
        }
    });
}
