//! Every call of a run goes wrong once, in every way: afterwards the function must be as it was.
//!
//! A clean run is recorded first; then it is repeated for each of its calls and each kind of fault. Runs that
//! may take their time are made many at once.

use std::sync::Arc;

use functions::error::{Error, Kind};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::fake::{Fake, Fault};
use crate::machine::{EXECUTION, Machine};
use crate::world::{ARN, Invoked, Kept, World};

/// How the state machine takes what happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// The handler sees the fault and does what it does.
    Seen,
    /// The handler dies; the state machine cleans up.
    Crash,
    /// The handler dies with its execution; EventBridge has it cleaned up.
    Stop,
    /// The handler dies with its execution and no rule fires; the next run recovers.
    NextRun,
    /// The execution is stopped and cleaned up while the handler lives on.
    StopAlive,
}

const SEEN: [Fault; 8] = [
    Fault::Stale,
    Fault::Throttle,
    Fault::Error500,
    Fault::DoneError500,
    Fault::Conflict,
    Fault::DropBefore,
    Fault::DropAfter,
    Fault::Denied,
];

fn kinds() -> Vec<(Fault, Ending)> {
    let mut kinds: Vec<_> = SEEN.iter().map(|fault| (*fault, Ending::Seen)).collect();
    for ending in [Ending::Crash, Ending::Stop, Ending::NextRun] {
        kinds.extend([(Fault::HangBefore, ending), (Fault::HangAfter, ending)]);
    }
    kinds.push((Fault::Signal, Ending::StopAlive));
    kinds
}

fn failing() -> World {
    let script = [Invoked::took(5.0), Invoked::took(5.0), Invoked::raised("Bug", "x")];
    World { script: script.into(), ..World::default() }
}

/// Without a difference from the last version there is no new one.
fn sparing() -> World {
    World { any_update_counts: false, ..World::default() }
}

/// `from` picks the first call that is worth while: what comes before is as in another sweep.
async fn sweep(input: Value, world: fn() -> World, from: impl Fn(&[String]) -> Option<usize>) {
    let failing = !world().script.is_empty();
    let fake = Fake::start(world()).await;
    let outcome = Machine::new(&fake).run(&input).await;
    assert_eq!(outcome.is_err(), failing, "{outcome:?}");
    let calls = fake.calls();
    let before = world().kept();
    let after = fake.world().kept();

    let places = Arc::new(Semaphore::new(96));
    let mut runs = JoinSet::new();
    let first = from(&calls).unwrap();
    for (nth, call) in numbered(&calls).skip(first) {
        for (fault, ending) in kinds() {
            let (input, places) = (input.clone(), Arc::clone(&places));
            let (before, after) = (before.clone(), after.clone());
            let call = call.clone();
            runs.spawn(async move {
                let _place = places.acquire().await;
                let fake = Fake::start(world()).await;
                fake.fault(&call, nth, fault);
                let outcome = one_run(&fake, &input, ending).await;
                let found = fake.world().kept();
                let what = format!("{call}, number {nth}: {fault:?}, {ending:?}");
                // Stopped at the very end, all may have been applied or nothing.
                let undone = outcome.is_err() || ending == Ending::StopAlive;
                judge(&what, &before, &after, &found, undone, &fake);
                check_invocations(&what, fault, &call, &outcome, &fake, &input, failing);
            });
        }
    }
    let total = runs.len();
    while let Some(run) = runs.join_next().await {
        run.unwrap();
    }
    // Every call, each in every way.
    assert_eq!(total, (calls.len() - first) * kinds().len());
    assert!(total > 100, "only {total} runs");
}

/// Each call, and how often there was one like it before.
pub fn numbered(calls: &[String]) -> impl Iterator<Item = (usize, &String)> {
    let nth = |index: usize| calls[..index].iter().filter(|before| **before == calls[index]).count();
    calls.iter().enumerate().map(move |(index, call)| (nth(index), call))
}

async fn one_run(fake: &Fake, input: &Value, ending: Ending) -> Result<Value, Error> {
    let mut machine = Machine::new(fake);
    if ending == Ending::Seen {
        return machine.run(input).await;
    }
    machine.start(input);
    let mut document = input.clone();
    let mut stopped = machine.clone();
    if ending == Ending::StopAlive {
        let alive = async {
            let outcome = machine.states(&mut document).await;
            // In a run that ends with an error nobody catches it: the execution is stopped.
            fake.world().executions.entry(EXECUTION.to_owned()).and_modify(|e| e.0 = "ABORTED".to_owned());
            outcome
        };
        let cleaner = async {
            fake.reached().await;
            stopped.end("ABORTED");
            stopped.clean_up_after_stop().await
        };
        tokio::pin!(alive, cleaner);
        return tokio::select! {
            // A call that only happens in a clean-up of the state machine's is not reached by a stopped run.
            outcome = &mut alive => {
                if stopped.fake.signalled() { cleaner.await?; } else { stopped.clean_up_after_stop().await?; }
                outcome
            }
            cleaned = &mut cleaner => {
                cleaned?;
                alive.await
            }
        };
    }
    let outcome = tokio::select! {
        outcome = machine.states(&mut document) => outcome,
        () = fake.reached() => Err(Error::new(Kind::OutOfTime, "the handler died")),
    };
    let Err(error) = &outcome else {
        machine.end("SUCCEEDED");
        return outcome;
    };
    match ending {
        Ending::Crash => {
            document["error"] = json!({"Error": "Lambda.Unknown", "Cause": error.message});
            machine.clean_up(&document).await?;
            machine.end("FAILED");
        }
        Ending::Stop => {
            machine.end("ABORTED");
            machine.clean_up_after_stop().await?;
        }
        _ => {
            machine.end("ABORTED");
            // What was planned for this run, which failed by itself before it got there, is not for the next.
            fake.clear_faults();
            stopped = Machine::named(fake, "arn:aws:states:us-east-1:123456789012:execution:machine:next");
            fake.world().script.clear();
            let mut plain = input.clone();
            plain["autoOptimize"] = json!(false);
            stopped.run(&plain).await?;
        }
    }
    outcome
}

/// Either the function is as it was, or the whole of what was asked for has been applied to it.
fn judge(what: &str, before: &Kept, after: &Kept, found: &Kept, undone: bool, fake: &Fake) {
    let same = |one: &Kept, other: &Kept| {
        // The number of the version that auto-optimising leaves depends on how often something was published.
        let shape = |kept: &Kept| {
            let user = kept
                .versions
                .iter()
                .map(|(n, v)| if v.1.starts_with("deployer") { (0, v.0) } else { (*n, v.0) });
            let aliases = kept.aliases.iter().map(|(name, alias)| {
                let memory = alias.0.parse().ok().and_then(|n: u64| kept.versions.get(&n)).map(|v| v.0);
                (name.clone(), memory, alias.1.clone(), alias.2.clone())
            });
            (
                (kept.memory, kept.timeout, kept.description.clone(), kept.code.clone()),
                user.collect::<Vec<_>>(),
                aliases.collect::<Vec<_>>(),
            )
        };
        shape(one) == shape(other)
    };
    let fine = same(found, after) || (undone && same(found, before));
    assert!(fine, "{what}\n before {before:#?}\n found {found:#?}\n calls {:#?}", fake.calls());
}

/// No wrong number in it: whatever happened, what was measured and lost is what was invoked.
fn check_invocations(
    what: &str,
    fault: Fault,
    call: &str,
    outcome: &Result<Value, Error>,
    fake: &Fake,
    input: &Value,
    failing: bool,
) {
    let Ok(output) = outcome else { return };
    if failing || output.is_null() || matches!(fault, Fault::Signal | Fault::HangBefore | Fault::HangAfter) {
        return;
    }
    let invoke = call.starts_with("Invoke");
    let lost = u64::from(
        invoke
            && matches!(fault, Fault::Error500 | Fault::DoneError500 | Fault::DropBefore | Fault::DropAfter),
    );
    let ran = 5 * input["powerValues"].as_array().unwrap().len() as u64;
    let not_run = u64::from(invoke && matches!(fault, Fault::Error500 | Fault::DropBefore));
    assert_eq!(fake.world().seen.len() as u64, ran - not_run, "{what}: repeated or left out");
    let sum = |name: &str| -> u64 {
        output["stats"].as_array().unwrap().iter().map(|stat| stat[name].as_u64().unwrap_or(0)).sum()
    };
    assert_eq!((sum("invocations"), sum("lost")), (ran - lost, lost), "{what}: {output}");
}

fn input(extra: Value) -> Value {
    let mut input =
        json!({"lambdaARN": ARN, "num": 5, "powerValues": [128, 256, 512], "includeOutputResults": true});
    for (name, value) in extra.as_object().unwrap() {
        input[name] = value.clone();
    }
    input
}

fn first_invocation(calls: &[String]) -> Option<usize> {
    calls.iter().position(|call| call.starts_with("Invoke"))
}

/// The Cleaner's last call: from there on the Optimizer is at work.
fn lock_deleted(calls: &[String]) -> Option<usize> {
    calls.iter().position(|call| call == "DeleteAlias deployer-tuning")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_normal_run() {
    sweep(input(json!({})), World::default, |_| Some(0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_cold_starts() {
    sweep(input(json!({"onlyColdStarts": true, "powerValues": [256, 512]})), World::default, |_| Some(0))
        .await;
}

/// Of one size only, with another version between any two.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_cold_starts_of_one_size() {
    sweep(input(json!({"onlyColdStarts": true, "powerValues": [512]})), sparing, |_| Some(0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parallel_run() {
    sweep(input(json!({"parallelInvocation": true})), World::default, first_invocation).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_applies_its_choice() {
    sweep(input(json!({"autoOptimize": true})), World::default, lock_deleted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_applies_its_choice_to_an_alias() {
    sweep(input(json!({"autoOptimize": true, "autoOptimizeAlias": "tuned"})), World::default, lock_deleted)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_fails() {
    sweep(input(json!({})), failing, first_invocation).await;
}

/// Somebody deploys in the middle of a run: the run may fail, but what they did must survive.
#[tokio::test(flavor = "multi_thread")]
async fn somebody_changes_the_function_during_the_run() {
    let input = input(json!({}));
    let fake = Fake::start(World::default()).await;
    Machine::new(&fake).run(&input).await.unwrap();
    let calls = fake.calls();
    let mut runs = JoinSet::new();
    for (nth, call) in numbered(&calls) {
        for fault in [Fault::Edit, Fault::Resize, Fault::Publish] {
            let (input, call) = (input.clone(), call.clone());
            let what = format!("{call}, number {nth}: {fault:?}");
            runs.spawn(async move {
                let fake = Fake::start(World::default()).await;
                fake.fault(&call, nth, fault);
                let outcome = Machine::new(&fake).run(&input).await;
                let found = fake.world().kept();
                let mut expected = World::default().kept();
                match fault {
                    Fault::Edit => expected.timeout = 77,
                    Fault::Resize => expected.memory = 2048,
                    _ => {}
                }
                let mut rest = found.clone();
                rest.versions.retain(|_, version| version.1 != "somebody's");
                assert_eq!(rest, expected, "{what}: {outcome:?}\n{:#?}", fake.calls());
                // Unless Lambda answered them with a version of ours, because nothing had changed since.
                let theirs = found.versions.values().any(|version| version.1 == "somebody's");
                assert_eq!(theirs, fake.world().somebodys, "{what}: {outcome:?}");
            });
        }
    }
    while let Some(run) = runs.join_next().await {
        run.unwrap();
    }
}
