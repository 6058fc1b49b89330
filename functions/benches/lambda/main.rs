//! What the Lambda binary costs: bytes, start-up, memory, instructions, as a table in Markdown. Run it by `tests/lambda`.
//!
//! The functions' executable is started as Lambda starts it, against a bare Runtime API that hands it one event: the
//! Executor's, which makes one invocation of the tuned function, so that the AWS client and its first request are in it.
//! What else the machine does falsifies times, not CPU time and least of all instructions, which valgrind counts.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on says so by panicking")]
#![allow(clippy::print_stdout, reason = "tables are what it is for")]

mod instructions;
mod platform;
mod share;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use instructions::instructions;
use platform::{Platform, Work};
use share::Share;

/// A 128 MB function's, the smallest there is.
const SHARE: f64 = 128.0 / 1769.0;

/// What a zip may have.
const MOST_BYTES: u64 = 3_000_000;

/// From spawning it to its first answer.
#[derive(Debug, Clone, Copy)]
struct Start {
    answered_ms: f64,
    cpu_ms: f64,
    resident_kb: f64,
}

/// Starts the function and ends it when it has answered.
fn start(executable: &Path, platform: &Platform, work: Work, share: Option<&Share>) -> Start {
    let mut command = Command::new(executable);
    platform.prepare(&mut command, work);
    if let Some(share) = share {
        share.apply(&mut command);
    }
    let before = Instant::now();
    let mut process = command.spawn().unwrap();
    let answered = platform.answered();
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB")).unwrap();
    let resident_kb = peak.trim().parse().unwrap();
    let cpu_ms = cpu_ms(&process);
    end(&mut process);
    Start { answered_ms: (answered - before).as_secs_f64() * 1e3, cpu_ms, resident_kb }
}

/// The CPU time of a process so far, all threads, to the nanosecond.
fn cpu_ms(process: &Child) -> f64 {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", process.id())).unwrap();
    tasks
        .map(|task| {
            let text = std::fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap();
            text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e6
        })
        .sum()
}

fn end(process: &mut Child) {
    let _ = process.kill();
    process.wait().unwrap();
}

fn median(starts: &[Start], of: fn(&Start) -> f64) -> f64 {
    let mut values: Vec<f64> = starts.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    let n = values.len();
    f64::midpoint(values[(n - 1) / 2], values[n / 2])
}

fn machine() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap();
    let model = cpus.lines().find_map(|l| l.strip_prefix("model name")?.split_once(": "));
    let load = std::fs::read_to_string("/proc/loadavg").unwrap();
    format!(
        "on {} cores of {}; load before: {}",
        std::thread::available_parallelism().unwrap(),
        model.map_or("an unnamed processor", |(_, model)| model),
        load.split(' ').next().unwrap()
    )
}

/// The executable in a zip, unpacked as Lambda does it.
fn unpack(zip: &Path, folder: &Path) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let file = std::fs::File::open(zip).unwrap_or_else(|e| panic!("{}: {e}", zip.display()));
    let mut content = Vec::new();
    zip::ZipArchive::new(file).unwrap().by_name("bootstrap").unwrap().read_to_end(&mut content).unwrap();
    let executable = folder.join("bootstrap");
    std::fs::write(&executable, content).unwrap();
    std::fs::set_permissions(&executable, std::fs::Permissions::from_mode(0o755)).unwrap();
    executable
}

fn main() {
    // cargo says `--bench` as well.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let folder = PathBuf::from(arguments.first().expect("say where the zips are: tests/lambda does"));
    let times: usize = arguments.get(1).map_or(20, |times| times.parse().unwrap());
    let host = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };

    println!("Medians of {times}, {}\n", machine());
    println!("| function | zip |\n|---|--:|");
    for architecture in ["arm64", "x86_64"] {
        let zip = folder.join(format!("functions-{architecture}.zip"));
        match std::fs::metadata(&zip) {
            Ok(zip) => {
                println!("| {architecture} | {} bytes |", zip.len());
                assert!(zip.len() <= MOST_BYTES, "that is more than the {MOST_BYTES} bytes there may be");
            }
            Err(e) => println!("| {architecture} | not there: {e} |"),
        }
    }

    let unpacked = tempfile::tempdir().unwrap();
    let executable = unpack(&folder.join(format!("functions-{host}.zip")), unpacked.path());
    let platform = Platform::start();
    let share = Share::new(SHARE);
    println!("\n| {host}, from spawn to first answer | time | CPU time | resident, at most | instructions |");
    println!("|---|--:|--:|--:|--:|");
    for work in [Work::Executor, Work::Analyzer, Work::Initialization] {
        let starts = |share: Option<&Share>| -> Vec<Start> {
            (0..times).map(|_| start(&executable, &platform, work, share)).collect()
        };
        let row = |what: &str, starts: &[Start], instructions: &str| {
            println!(
                "| {}, {what} | {:.1} ms | {:.1} ms | {:.1} MB | {instructions} |",
                work.name(),
                median(starts, |s| s.answered_ms),
                median(starts, |s| s.cpu_ms),
                median(starts, |s| s.resident_kb) / 1024.0,
            );
        };
        let counted = instructions(&executable, &platform, work);
        row("at full speed", &starts(None), &format!("{:.2} million", counted as f64 / 1e6));
        match &share {
            Ok(share) => row(&format!("inside {:.1} % of a CPU", SHARE * 100.0), &starts(Some(share)), ""),
            Err(why) => println!(
                "| {}, inside {:.1} % of a CPU | not measured: {why} | | | |",
                work.name(),
                SHARE * 100.0
            ),
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
