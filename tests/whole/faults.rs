//! Nothing left behind, whatever goes wrong: every call that the functions of a run make is made to fail in every way
//! there is, one at a time and two at random, and the tuned function is compared with what it was.
//!
//! The functions run in this process for that, on the real endpoint and the template's own state machine. Processes meet a
//! choice of the same faults. `SWEEP=full` (`tests/sweep`) is every call in every kind, `SWEEP=N` so many of them;
//! otherwise it is a choice that has every operation of every function in every kind at least once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use functions::waits::Waits;
use local_aws::Service;
use local_aws::faults::{Fault, Kind, Made};
use serde_json::{Value, json};

use crate::bench::{Bench, FUNCTION, Over, amount, differences};
use crate::copies::{self, COPIES};
use crate::harness::{Said, deployer};

/// How many machines work side by side: most of them wait for something. In full, the waiting is what takes long.
const fn at_once(jobs: usize) -> usize {
    if jobs < 1000 { 10 } else { 40 }
}
const NUM: u64 = 5;
const HANDLERS: [&str; 5] = ["initializer", "publisher", "executor", "cleaner", "optimizer"];

/// The kinds of run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Shape {
    Normal,
    ColdStarts,
    OneSizeCold,
    Parallel,
    Optimising,
    Repointing,
    Failing,
    Searching,
    Copying,
    Bursting,
    BurstingCopies,
    Comparing,
}

impl Shape {
    const ALL: [Self; 12] = [
        Self::Normal,
        Self::ColdStarts,
        Self::OneSizeCold,
        Self::Parallel,
        Self::Optimising,
        Self::Repointing,
        Self::Failing,
        Self::Searching,
        Self::Copying,
        Self::Bursting,
        Self::BurstingCopies,
        Self::Comparing,
    ];

    /// Whether copies are measured, and the function itself is never changed.
    fn copies(self) -> bool {
        matches!(self, Self::Copying | Self::BurstingCopies | Self::Comparing)
    }

    /// How many invocations of each size count, on each processor.
    fn num(self) -> u64 {
        // Fewer do not compare two processors.
        if self == Self::Comparing { 15 } else { NUM }
    }

    /// What the invocations of a size are noted by; none where they are spread.
    fn noted_as(self, power: u64) -> Option<u64> {
        match self {
            // The largest size has the first copy.
            Self::Copying => Some(u64::from(power == 128)),
            Self::BurstingCopies | Self::Comparing => None,
            _ => Some(power),
        }
    }

    /// Whether something is made to happen in it. Edits are made to the function that was named last, which may be a copy; that the source
    /// is edited has tests of its own.
    fn meets(self, kind: Kind) -> bool {
        let edits = matches!(kind, Kind::EditMemory | Kind::EditSettings | Kind::EditVersions);
        !self.copies() || !edits
    }

    fn input(self) -> Value {
        let mut input = json!({"num": NUM, "powerValues": [128, 512], "includeOutputResults": true});
        let more = match self {
            Self::Normal | Self::Failing => json!({}),
            Self::ColdStarts => json!({"onlyColdStarts": true}),
            // With another version between any two, since Lambda makes none of what has not changed.
            Self::OneSizeCold => json!({"onlyColdStarts": true, "powerValues": [512]}),
            // One of the sizes is the function's own, which needs no version.
            Self::Parallel => json!({"parallelInvocation": true, "powerValues": [128, 256]}),
            Self::Optimising => json!({"autoOptimize": true}),
            Self::Repointing => json!({"autoOptimize": true, "autoOptimizeAlias": "chosen"}),
            Self::Copying => json!({"tune": "copy"}),
            Self::Bursting => json!({"onlyColdStarts": true, "parallelInvocation": true}),
            Self::BurstingCopies => {
                json!({"tune": "copy", "onlyColdStarts": true, "parallelInvocation": true})
            }
            Self::Comparing => {
                json!({"tune": "copy", "architectures": ["x86_64", "arm64"], "num": self.num(), "powerValues": [128]})
            }
            // Two rounds, the second with what is left.
            Self::Searching => {
                json!({"powerValues": {"auto": {"from": 128, "to": 512}}, "maxInvocations": 30})
            }
        };
        for (name, value) in more.as_object().unwrap() {
            input[name.as_str()] = value.clone();
        }
        input
    }
}

/// Who puts right what an execution that ended untimely has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Recovery {
    /// The stack's rule.
    Rule,
    /// With the rule off: `deployer cleanup`.
    Cleanup,
    /// With the rule off: the next run.
    NextRun,
}

#[derive(Debug, Clone)]
struct Job {
    shape: Shape,
    faults: Vec<Fault>,
    recovery: Recovery,
}

impl Job {
    fn has(&self, kind: Kind) -> bool {
        self.faults.iter().any(|fault| fault.kind == kind)
    }
}

/// Where the functions run.
#[derive(Debug, Clone, Copy)]
enum Hosting {
    InProcess,
    Processes,
}

impl Hosting {
    async fn open(self) -> Bench {
        match self {
            Self::InProcess => Bench::in_process_with(&COPIES).await,
            Self::Processes => Bench::processes_with(&COPIES).await,
        }
    }
}

/// What became of a job.
#[derive(Debug)]
struct Done {
    /// Whether all that was planned has happened.
    reached: bool,
    status: String,
    problems: Vec<String>,
}

fn handler(caller: &str) -> &'static str {
    HANDLERS.into_iter().find(|name| caller.contains(name)).unwrap_or_else(|| panic!("who is {caller}?"))
}

/// The calls of a clean run: function, operation and which of them.
async fn positions(bench: &Bench, shape: Shape) -> Vec<(&'static str, String, u32)> {
    let (done, made) = attempt(bench, &Job { shape, faults: Vec::new(), recovery: Recovery::Rule }).await;
    assert!(done.problems.is_empty(), "{shape:?}, undisturbed: {done:#?}");
    let mut counts = BTreeMap::new();
    let mut positions: Vec<_> = made
        .into_iter()
        .map(|call| {
            let handler = handler(&call.caller);
            let nth: &mut u32 = counts.entry((handler, call.operation.clone())).or_default();
            *nth += 1;
            (handler, call.operation, *nth)
        })
        .collect();
    // Calls made side by side come in any order, and a seed has to mean the same faults every time.
    positions.sort();
    positions
}

/// Every call of a run in every kind, and where an execution ends untimely every recovery.
fn jobs(shape: Shape, positions: &[(&'static str, String, u32)]) -> Vec<Job> {
    let mut jobs = Vec::new();
    for (handler, operation, nth) in positions {
        for kind in Kind::ALL.into_iter().filter(|kind| kind.fits(operation) && shape.meets(*kind)) {
            let recoveries = match kind {
                Kind::ExecutionStopped | Kind::ExecutionTimedOut if shape.copies() => {
                    // No other run looks for what this one has left.
                    &[Recovery::Rule, Recovery::Cleanup][..]
                }
                Kind::ExecutionStopped | Kind::ExecutionTimedOut => {
                    &[Recovery::Rule, Recovery::Cleanup, Recovery::NextRun][..]
                }
                _ => &[Recovery::Rule],
            };
            for &recovery in recoveries {
                let faults = vec![Fault::at(handler, operation, *nth, kind)];
                jobs.push(Job { shape, faults, recovery });
            }
        }
    }
    jobs
}

/// A choice in which every operation of every function has met every kind, spread over the kinds of run.
fn covering(jobs: Vec<Job>) -> Vec<Job> {
    let mut seen = BTreeSet::new();
    let what = |job: &Job| {
        let fault = &job.faults[0];
        (fault.caller.clone(), fault.operation.clone(), fault.kind, job.recovery)
    };
    // Beginning where a multiplicative walk leads, so that early and late calls, and all kinds of run, are among them.
    let count = jobs.len();
    let order = (0..count).map(|i| i * 7919 % count);
    let chosen = order.map(|i| jobs[i].clone()).filter(|job| seen.insert(what(job)));
    // A Cleaner that may not do its work tries for two and a half minutes: one of them is enough here.
    let mut chosen: Vec<Job> = chosen
        .filter(|job| !waits(job) || job.faults[0].operation.as_deref() == Some("UpdateAlias"))
        .collect();
    chosen.sort_by_key(|job| !waits(job));
    chosen
}

fn waits(job: &Job) -> bool {
    job.faults
        .iter()
        .any(|fault| fault.kind == Kind::DeniedFromNowOn && fault.caller.as_deref() == Some("cleaner"))
}

/// Runs a job and looks at what is left.
async fn attempt(bench: &Bench, job: &Job) -> (Done, Vec<Made>) {
    if job.shape == Shape::Failing {
        handle_by(bench, "fail").await;
    }
    let before = bench.snapshot().await;
    bench.forget_invocations();
    let faults = &bench.aws().faults;
    if job.recovery != Recovery::Rule {
        bench.rule(false).await;
    }
    // Who cleans up waits until the last batch of copies must be over, which in this process is sooner.
    bench.stage().wait(if job.shape.copies() {
        Waits { batch: Duration::from_secs(3), last_copy: Duration::from_secs(6), ..Waits::AWS }
    } else {
        Waits::AWS
    });
    faults.plan(job.faults.clone());
    let over = bench.run(job.shape.input()).await;
    bench.quiet().await;
    let made = faults.end();
    let mut problems = Vec::new();
    let reached: Vec<Kind> = made.iter().filter_map(|call| call.fault).collect();
    check_end(job, &over, &reached, &mut problems);
    check_numbers(job, &over, &made, &bench.invocations(), &mut problems);
    recover(bench, job, &over, &mut problems).await;
    bench.rule(true).await;
    let after = bench.snapshot().await;
    let left = differences(&before, &after);
    check_left(job, &over, &reached, &left, &after, &mut problems);
    let copies = copies::copies(bench).await;
    if !copies.is_empty() {
        problems.push(format!("left behind: {copies:?}"));
        copies::delete(bench, copies).await;
    }
    // What an upload that was cut off has left, the bucket deletes by itself.
    if over.status == "SUCCEEDED" && !copies::code(bench).await.is_empty() {
        problems.push(format!("left behind: code {:?}", copies::code(bench).await));
    }
    if job.shape == Shape::Failing {
        handle_by(bench, "echo").await;
    }
    if !left.is_empty() {
        bench.renew().await;
    }
    let all = job.faults.iter().all(|fault| reached.contains(&fault.kind));
    (Done { reached: all, status: over.status, problems }, made)
}

async fn handle_by(bench: &Bench, handler: &str) {
    let change = json!({"FunctionName": FUNCTION, "Handler": handler});
    bench.ok(Service::Lambda, "UpdateFunctionConfiguration", change).await;
}

async fn recover(bench: &Bench, job: &Job, over: &Over, problems: &mut Vec<String>) {
    // Whoever may not clean up leaves it to somebody who may.
    let by_hand = job.recovery == Recovery::Cleanup || job.has(Kind::DeniedFromNowOn);
    let cleaned = match job.shape {
        _ if !by_hand => Ok(Value::Null),
        shape if shape.copies() => copies::cleanup(bench, &over.arn).await,
        _ => bench.cleanup().await,
    };
    if let Err(error) = cleaned {
        problems.push(format!("deployer cleanup: {error:?}"));
    }
    if job.recovery == Recovery::NextRun {
        let mut next = Shape::Normal.input();
        if job.shape == Shape::Failing {
            next["allowedExceptions"] = json!(["SampleError"]);
        }
        let next = bench.run(next).await;
        if next.status != "SUCCEEDED" {
            problems.push(format!("the run after {}: {} {}", over.status, next.status, next.cause));
        }
        bench.quiet().await;
    }
}

/// An execution succeeds, or says why not.
fn check_end(job: &Job, over: &Over, reached: &[Kind], problems: &mut Vec<String>) {
    let passes = |kind: &Kind| {
        matches!(
            kind,
            Kind::Throttle
                | Kind::ServerError
                | Kind::Conflict
                | Kind::LostAnswer
                | Kind::LostRequest
                | Kind::StaleReads
                | Kind::Pending
        )
    };
    match over.status.as_str() {
        "SUCCEEDED" if job.shape == Shape::Failing => {
            problems.push("a failing function's run succeeded".to_owned())
        }
        "SUCCEEDED" => {}
        "FAILED" if job.shape == Shape::Failing => {
            if reached.iter().all(passes) && !over.cause.contains("SampleError") {
                problems.push(format!("another error than the function's: {}", over.cause));
            }
        }
        "FAILED" if over.cause.len() < 20 => problems.push(format!("no reason is given: {}", over.cause)),
        "FAILED" if reached.iter().all(passes) => {
            problems.push(format!("what passes was not waited out: {}", over.cause));
        }
        "ABORTED" if reached.contains(&Kind::ExecutionStopped) => {}
        "TIMED_OUT" if reached.contains(&Kind::ExecutionTimedOut) => {}
        "FAILED" => {}
        other => problems.push(format!("the execution ended {other}")),
    }
}

/// No invocation is counted that was not made, none is made twice, and none that was lost is forgotten.
fn check_numbers(
    job: &Job,
    over: &Over,
    made: &[Made],
    noted: &BTreeMap<u64, u64>,
    problems: &mut Vec<String>,
) {
    if over.status != "SUCCEEDED" {
        return;
    }
    let Some(stats) = over.output["stats"].as_array() else {
        problems.push(format!("no stats in {}", over.output));
        return;
    };
    // A pass that failed is made anew, and nothing of it counts.
    let again = made.iter().any(|call| {
        handler(&call.caller) == "executor"
            && matches!(
                call.fault,
                Some(Kind::CallerCrash | Kind::CallerTimeOut | Kind::Denied | Kind::DeniedFromNowOn)
            )
    });
    let other = over.output["otherProcessor"]["stats"].as_array();
    for stat in stats.iter().chain(other.into_iter().flatten()) {
        let number = |name: &str| stat[name].as_u64().unwrap_or_default();
        let (power, measured, lost) = (number("value"), number("invocations"), number("lost"));
        if job.shape != Shape::Searching && measured + lost != job.shape.num() {
            problems.push(format!("{power} MB: {measured} measured and {lost} lost of {}", job.shape.num()));
        }
        if let Some(of) = job.shape.noted_as(power) {
            let ran = noted.get(&of).copied().unwrap_or_default();
            // What a burst finds warm is made again.
            let once = !again && job.shape != Shape::Bursting;
            if ran < measured || (once && ran > measured + lost) {
                problems.push(format!(
                    "{power} MB: {ran} invocations ran, {measured} were counted and {lost} lost"
                ));
            }
        }
        let injected = |call: &Made| {
            matches!(call.fault, Some(Kind::LostAnswer | Kind::LostRequest | Kind::ServerError))
        };
        let losses = made.iter().filter(|call| call.operation == "Invoke" && injected(call)).count() as u64;
        if lost > losses {
            problems.push(format!("{power} MB: {lost} reported as lost, {losses} were"));
        }
    }
    let Some(sizes) = job.shape.input()["powerValues"].as_array().map(Vec::len) else { return };
    let processors = if job.shape == Shape::Comparing { 2 } else { 1 };
    let least = sizes as u64 * job.shape.num() * processors;
    let ran = noted.values().sum::<u64>();
    let bursts = matches!(job.shape, Shape::Bursting | Shape::BurstingCopies);
    if job.faults.is_empty() && (ran < least || (ran > least && !bursts)) {
        problems.push(format!("{noted:?} invocations of an undisturbed run"));
    }
}

/// The function is as it was, but for what was asked for and what somebody else did.
fn check_left(
    job: &Job,
    over: &Over,
    reached: &[Kind],
    left: &[String],
    after: &Value,
    problems: &mut Vec<String>,
) {
    let edited = |kind| reached.contains(&kind);
    let succeeded = over.status == "SUCCEEDED";
    let memory = after["configuration"]["MemorySize"].as_u64().unwrap();
    let applied = job.shape == Shape::Optimising
        && if succeeded { over.output["power"] == memory } else { [128, 512].contains(&memory) };
    // Nothing has changed since a run's own version: then Lambda answers somebody who publishes with that one.
    let theirs = pointed_at(after, "somebody");
    let chosen =
        pointed_at(after, "chosen").filter(|number| *number != "1" && job.shape == Shape::Repointing);
    let version = |number: Option<&str>| {
        let versions = after["versions"].as_array().unwrap();
        versions.iter().find(|version| number.is_some() && version["Version"].as_str() == number)
    };
    for line in left {
        let is = |number: Option<&str>| {
            number.is_some_and(|n| {
                line.starts_with("/versions: new") && line.contains(&format!("\"Version\":\"{n}\""))
            })
        };
        let allowed = (edited(Kind::EditMemory) && line.starts_with("/configuration/MemorySize: 256 -> 333"))
            || (edited(Kind::EditSettings) && line.starts_with("/configuration/Description"))
            || (edited(Kind::EditVersions)
                && (is(theirs)
                    || line.contains("\"somebody else's\"")
                    || line.contains("\"Name\":\"somebody\"")))
            || (applied && line.starts_with("/configuration/MemorySize"))
            || (chosen.is_some() && (is(chosen) || line.contains("\"Name\":\"chosen\"")));
        if !allowed {
            problems.push(format!("left behind: {line}"));
        }
    }
    // Edited before the run looked, it is what the run began with, and what it was asked to improve.
    let improved = applied && over.output["baseline"]["power"] == 333;
    let edits = [
        (Kind::EditMemory, memory == 333 || improved, "memory size"),
        (
            Kind::EditSettings,
            after["configuration"]["Description"] == "edited by somebody else",
            "description",
        ),
        (Kind::EditVersions, version(theirs).is_some(), "version and alias"),
    ];
    for (kind, there, what) in edits {
        if edited(kind) && !there {
            problems.push(format!("somebody's {what} did not survive: {left:?}"));
        }
    }
    if let Some(number) = chosen
        && !version(Some(number)).is_some_and(|v| !succeeded || v["MemorySize"] == over.output["power"])
    {
        problems
            .push(format!("the alias leads to {number}, not to a version of {} MB", over.output["power"]));
    }
    let interfered = edited(Kind::EditMemory) || job.recovery == Recovery::NextRun;
    if succeeded && !interfered {
        if job.shape == Shape::Optimising && over.output["power"] != memory {
            problems.push(format!("the choice was not applied: {memory} MB, {}", over.output["power"]));
        }
        if job.shape == Shape::Repointing && chosen.is_none() {
            problems.push("the choice was not published".to_owned());
        }
    }
}

/// The version that an alias points at.
fn pointed_at<'a>(after: &'a Value, name: &str) -> Option<&'a str> {
    let aliases = after["aliases"].as_array().unwrap();
    aliases.iter().find(|alias| alias["Name"] == name)?["FunctionVersion"].as_str()
}

/// What a sweep came to.
#[derive(Default)]
struct Figure {
    runs: usize,
    unreached: Vec<String>,
    statuses: BTreeMap<String, usize>,
    problems: Vec<String>,
}

/// Runs jobs on several machines side by side.
async fn sweep(jobs: Vec<Job>, bench: Hosting) -> Figure {
    let (jobs, next) = (Arc::new(jobs), Arc::new(AtomicUsize::new(0)));
    let mut machines = tokio::task::JoinSet::new();
    for _ in 0..at_once(jobs.len()).min(jobs.len()) {
        let (jobs, next) = (Arc::clone(&jobs), Arc::clone(&next));
        machines.spawn(async move {
            let bench = bench.open().await;
            let mut results = Vec::new();
            while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                let started = Instant::now();
                let (done, made) = attempt(&bench, job).await;
                if !done.problems.is_empty() || started.elapsed() > Duration::from_secs(60) {
                    report(job, &done, &made, started.elapsed());
                }
                results.push((format!("{job:?}"), done));
            }
            bench.stop().await;
            results
        });
    }
    let mut figure = Figure::default();
    while let Some(results) = machines.join_next().await {
        for (job, done) in results.expect("a machine does not panic") {
            figure.runs += 1;
            *figure.statuses.entry(done.status).or_default() += 1;
            if !done.reached {
                figure.unreached.push(job.clone());
            }
            figure.problems.extend(done.problems.into_iter().map(|problem| format!("{job}: {problem}")));
        }
    }
    figure
}

/// Shows a job that went wrong at once, with its calls: a sweep takes a while.
#[allow(clippy::print_stderr, reason = "the course of a test that fails")]
fn report(job: &Job, done: &Done, made: &[Made], took: Duration) {
    eprintln!("{job:?}, {} ms: {done:#?}", took.as_millis());
    for call in made {
        eprintln!("  {} {} {:?} {:?}", handler(&call.caller), call.operation, call.fault, call.status);
    }
}

#[allow(clippy::print_stdout, reason = "the figure is what a sweep is for")]
fn conclude(what: &str, figure: &Figure, started: Instant) {
    println!(
        "{what}: {} runs in {} s, {:?}, {} did not come to the call; differences: {}",
        figure.runs,
        started.elapsed().as_secs(),
        figure.statuses,
        figure.unreached.len(),
        figure.problems.len()
    );
    assert!(figure.problems.is_empty(), "{}", figure.problems.join("\n"));
    // Which calls a run makes is settled by the calls before; few depend on what else happens at the time.
    let most = figure.runs / 10;
    assert!(
        figure.unreached.len() <= most,
        "{} of {} were not reached: {:#?}",
        figure.unreached.len(),
        figure.runs,
        figure.unreached
    );
}

/// Every call of every kind of run, with how many calls there are.
async fn everything() -> (Vec<Vec<Job>>, usize) {
    let bench = Hosting::InProcess.open().await;
    let (mut all, mut calls) = (Vec::new(), 0);
    for shape in Shape::ALL {
        let positions = positions(&bench, shape).await;
        calls += positions.len();
        all.push(jobs(shape, &positions));
    }
    bench.stop().await;
    (all, calls)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_may_fail_in_every_way() {
    let started = Instant::now();
    let (all, calls) = everything().await;
    let all = all.concat();
    let (kinds, total) = (Kind::ALL.len(), all.len());
    let jobs = match amount(0, total).min(total) {
        0 => covering(all),
        // Spread evenly.
        some => (0..some).map(|i| all[i * total / some].clone()).collect(),
    };
    let figure = sweep(jobs, Hosting::InProcess).await;
    let shapes = Shape::ALL.len();
    let what =
        format!("{calls} calls of {shapes} kinds of run, {kinds} kinds of fault, {total} combinations");
    conclude(&what, &figure, started);
}

/// What only processes do: being killed, answering through the Runtime API, exiting.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_meet_a_choice_of_faults() {
    const CHOSEN: usize = 60;
    let started = Instant::now();
    let (all, _) = everything().await;
    let all = covering(all.concat());
    let jobs = (0..CHOSEN).map(|i| all[i * all.len() / CHOSEN].clone()).collect();
    conclude("functions as processes", &sweep(jobs, Hosting::Processes).await, started);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_calls_at_random_may_fail() {
    let started = Instant::now();
    let seed = std::env::var("SWEEP_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| fastrand::u64(..));
    let mut random = fastrand::Rng::with_seed(seed);
    let (all, _) = everything().await;
    let jobs = (0..amount(60, 2000)).map(|_| {
        let singles = &all[random.usize(..all.len())];
        let mut job = singles[random.usize(..singles.len())].clone();
        job.faults.extend(singles[random.usize(..singles.len())].faults.clone());
        job
    });
    let mut jobs: Vec<Job> = jobs.collect();
    // What waits longest begins first.
    jobs.sort_by_key(|job| !waits(job));
    let figure = sweep(jobs, Hosting::InProcess).await;
    // The second of two is often not come to: the first has ended the run.
    let figure = Figure { unreached: Vec::new(), ..figure };
    conclude(&format!("two faults at a time, SWEEP_SEED={seed}"), &figure, started);
}

/// The function's own size is what readings from before the first change show too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_reading_is_not_taken_for_the_size_having_been_put_back() {
    let faults = vec![
        Fault::at("publisher", "GetFunction", 2, Kind::ExecutionTimedOut),
        Fault::at("publisher", "UpdateFunctionConfiguration", 1, Kind::StaleReads),
    ];
    let job = Job { shape: Shape::Failing, faults, recovery: Recovery::Cleanup };
    conclude("late readings and a time-out", &sweep(vec![job], Hosting::InProcess).await, Instant::now());
}

#[test]
fn a_plan_of_faults_comes_from_the_command_line_only_and_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let local = |plan: &str| {
        std::fs::write(folder.path().join("plan.json"), plan).unwrap();
        let mut command = deployer(&["local", "--port", "0", "--faults", "plan.json", "--state", "state"]);
        Said::by(command.current_dir(folder.path()))
    };
    local(r#"[{"kind":"thunder"}]"#).status(2).complains(&[
        "--faults plan.json: fault 1",
        "`thunder`",
        "`lost-answer`",
    ]);
    local(r#"{"kind":"throttle"}"#).status(2).complains(&["--faults plan.json", "a JSON list such as"]);
    std::fs::write(folder.path().join("deployer.toml"), "faults = 'plan.json'\n").unwrap();
    let mut command = deployer(&["outputs", "--local", "--state", "state"]);
    let said = Said::by(command.current_dir(folder.path())).status(2);
    said.complains(&["`faults`", "it can only be given as --faults"]);
}

#[test]
fn the_demonstration_under_faults_shows_what_was_injected_and_recovered() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = deployer(&["demo", "--faults", "7", "--json", "--state"]);
    let shown =
        Said::by(command.arg(folder.path().join("state")).current_dir(folder.path())).success().json();
    let faults = &shown["faults"];
    assert_eq!((&faults["seed"], &faults["left"]), (&json!(7), &json!([])), "{faults}");
    let injected = faults["injected"].as_array().unwrap();
    assert!(injected.len() >= 8, "{faults}");
    assert!(
        injected.iter().all(|fault| fault["then"].as_str().is_some_and(|then| !then.is_empty())),
        "{faults}"
    );
    assert_eq!(faults["ended"]["memory"][0], faults["ended"]["memory"][1], "{faults}");
    assert!(faults["ended"]["then"].as_str().unwrap().starts_with("the run ended: "), "{faults}");
    assert!(shown["tuned"]["power"].is_number(), "{shown}");
}
