//! One pass over the invocations that are still to be made, in series, in lanes, or all at once.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tuning::search::{End, Sample};

use super::attempt::{Attempt, Bench, Made};
use super::progress::Progress;
use crate::error::{Error, Kind};

/// After so many crashes it is clear that the function crashes; until then the rest is made, to say how often it does.
const CRASHES: u32 = 5;

/// Invocations under way at once: a sandbox may have 1,024 open files, and each needs a connection.
const AT_ONCE: usize = 800;

/// How a pass ended.
#[derive(Debug)]
pub enum Ended {
    /// Every invocation was made.
    Complete,
    /// The power value is too small, and why.
    TooSmall(String),
    /// The next invocation may cost more than there is left of the budget.
    Budget,
    /// Some are left for another pass, and somebody wants to know how far this one came.
    Report,
    /// Some are left for another pass: there is no more time in this one.
    TimeUp {
        /// What AWS said last when it would not start an invocation.
        refusal: Option<String>,
    },
}

/// Makes as many of the remaining invocations as there is time for.
///
/// # Errors
/// Whatever makes the run fail.
pub async fn run(bench: &Arc<Bench>, progress: &mut Progress) -> Result<Ended, Error> {
    let clock = Arc::new(Clock::new(progress.longest_ms));
    let ended = make(bench, &clock, progress).await;
    progress.longest_ms = clock.longest_ms.load(Ordering::Relaxed);
    progress.note_retries(&bench.retries);
    match (ended?, &progress.crash) {
        (unfinished @ (Ended::Report | Ended::TimeUp { .. }), Some(_)) if progress.crashes < CRASHES => {
            Ok(unfinished)
        }
        (_, Some(crash)) => {
            let (crashes, made) = (progress.crashes, progress.made());
            let message = format!(
                "power value {}: the function crashed in {crashes} of {made} invocations; a size is skipped only when memory or time explains it (to count such invocations, name their error type in allowedExceptions) - {crash}",
                bench.power()
            );
            Err(Error::new(Kind::FunctionCrashed, message))
        }
        (ended, None) => Ok(ended),
    }
}

/// How long invocations take, to decide whether another one fits.
#[derive(Debug)]
struct Clock {
    longest_ms: AtomicU64,
    finished: AtomicU64,
}

impl Clock {
    fn new(longest_ms: u64) -> Self {
        Self { longest_ms: longest_ms.into(), finished: 0.into() }
    }

    fn finish(&self, took: Duration) {
        let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.longest_ms.fetch_max(took, Ordering::Relaxed);
        self.finished.fetch_add(1, Ordering::Relaxed);
    }

    fn nothing_finished(&self) -> bool {
        self.finished.load(Ordering::Relaxed) == 0
    }

    /// The first invocations of a pass always go, or there would be no end to passes.
    fn start_by(&self, bench: &Bench) -> Instant {
        if self.nothing_finished() {
            return bench.deadline.instant();
        }
        bench.start_by(Duration::from_millis(self.longest_ms.load(Ordering::Relaxed)))
    }
}

async fn attempt(bench: &Bench, clock: &Clock, index: u32) -> Result<Attempt, Error> {
    loop {
        let Made { attempt, disturbance } = bench.attempt(index, || clock.start_by(bench)).await?;
        match &attempt {
            Attempt::Measured { took, .. } | Attempt::Crashed { took, .. } => clock.finish(*took),
            Attempt::Lost { out_of_time: false, .. } | Attempt::CannotStart { .. } => {
                clock.finish(Duration::ZERO);
            }
            _ => {}
        }
        if !disturbance.is_some_and(|disturbance| bench.repeats.take(disturbance)) {
            return Ok(attempt);
        }
    }
}

/// Invocations that are made one after the other, beside those of other lanes. A series is one lane, and what is made all at once has one
/// for each invocation.
struct Lane {
    number: usize,
    rest: VecDeque<u32>,
    /// The pause before the next one, or what is left of it.
    pause: Duration,
}

/// The lanes of what is still to be made.
fn lanes(bench: &Bench, progress: &Progress) -> VecDeque<Lane> {
    let mut lanes: BTreeMap<u32, VecDeque<u32>> = BTreeMap::new();
    for index in progress.remaining(bench.num) {
        let place = bench.place(index);
        if progress.cannot_start[place.side].is_none() {
            lanes.entry(place.lane).or_default().push_back(index);
        }
    }
    let lane = |(number, rest)| {
        let number = number as usize;
        Lane { number, rest, pause: progress.pause_left(number) }
    };
    lanes.into_iter().map(lane).collect()
}

/// The lane's next invocation; none when the pass is over before its pause.
async fn next(
    bench: Arc<Bench>,
    clock: Arc<Clock>,
    mut lane: Lane,
) -> (Lane, Option<(u32, Result<Attempt, Error>)>) {
    let now = lane.pause.min(bench.deadline.remaining());
    tokio::time::sleep(now).await;
    lane.pause -= now;
    let due = if lane.pause.is_zero() { lane.rest.pop_front() } else { None };
    let Some(index) = due else { return (lane, None) };
    let made = attempt(&bench, &clock, index).await;
    if !lane.rest.is_empty() {
        lane.pause = bench.pause;
    }
    (lane, Some((index, made)))
}

/// The next lane to go on. Where two processors take turns, a wave is over before the next begins.
fn take(
    bench: &Bench,
    idle: &mut VecDeque<Lane>,
    wave: &mut Option<u32>,
    nothing_under_way: bool,
) -> Option<Lane> {
    if !bench.compares() {
        return idle.pop_front();
    }
    let next = |lane: &Lane| lane.rest.front().map(|index| bench.place(*index).wave);
    if nothing_under_way {
        *wave = idle.iter().filter_map(next).min();
    }
    let place = idle.iter().position(|lane| next(lane) == *wave)?;
    idle.remove(place)
}

async fn make(bench: &Arc<Bench>, clock: &Arc<Clock>, progress: &mut Progress) -> Result<Ended, Error> {
    let mut under_way = JoinSet::new();
    let mut idle = lanes(bench, progress);
    let mut ended = Ended::Complete;
    let mut wave = None;
    let due = |clock: &Clock| {
        bench.report_by.is_some_and(|moment| Instant::now() >= moment) && !clock.nothing_finished()
    };
    // Dropping the set stops waiting for the others: the first verdict about the power value stands.
    loop {
        while matches!(ended, Ended::Complete)
            && under_way.len() < AT_ONCE
            && !due(clock)
            && bench.permits(progress, under_way.len())
            && let Some(lane) = take(bench, &mut idle, &mut wave, under_way.is_empty())
        {
            under_way.spawn(next(Arc::clone(bench), Arc::clone(clock), lane));
        }
        let Some(joined) = under_way.join_next().await else { break };
        let (mut lane, made) = joined
            .map_err(|panic| Error::new(Kind::Refused, format!("an invocation's task failed: {panic}")))?;
        match made {
            None => ended = Ended::TimeUp { refusal: None },
            Some((index, made)) => match made? {
                Attempt::TooSmall { reason, timed_out } => {
                    while bench.in_turns && under_way.join_next().await.is_some() {}
                    return Ok(too_small(bench, progress, index, reason, timed_out));
                }
                Attempt::NotStarted { refusal } => {
                    ended = Ended::TimeUp { refusal };
                    continue;
                }
                made => record(bench, clock, progress, index, made)?,
            },
        }
        let starts = |index: &u32| progress.cannot_start[bench.place(*index).side].is_none();
        if progress.cannot_start.iter().any(Option::is_some) {
            idle.iter_mut().for_each(|lane| lane.rest.retain(starts));
            idle.retain(|lane| !lane.rest.is_empty());
            lane.rest.retain(starts);
        }
        progress.note_pause(lane.number, lane.pause);
        if progress.crashes >= CRASHES {
            break;
        }
        if !lane.rest.is_empty() {
            idle.push_back(lane);
        }
    }
    // Nothing is under way any more, and some were never started: it is time to tell, or there is no money for them.
    if !matches!(ended, Ended::Complete) || !under_way.is_empty() || idle.is_empty() {
        return Ok(ended);
    }
    Ok(if due(clock) && bench.permits(progress, 0) { Ended::Report } else { Ended::Budget })
}

/// Ends the pass. The search wants to know of the invocation, which is in no figure.
fn too_small(bench: &Bench, progress: &mut Progress, index: u32, reason: String, timed_out: bool) -> Ended {
    if bench.sampling {
        progress.note_too_small(index, timed_out, bench.timeout());
    }
    Ended::TooSmall(reason)
}

/// Counts an invocation that was made.
fn record(
    bench: &Bench,
    clock: &Clock,
    progress: &mut Progress,
    index: u32,
    made: Attempt,
) -> Result<(), Error> {
    let place = bench.place(index);
    match made {
        Attempt::Measured { measurement, allowed, max_memory, .. } => {
            let counts = !bench.is_burst() || measurement.cold_start_ms.is_some();
            let (measurements, samples) = progress.of_side(place.side);
            if allowed && counts {
                measurements.push_error(measurement);
            } else {
                measurements.push(measurement);
            }
            if bench.sampling {
                samples.push(Sample { index: place.of_side, measurement, max_memory, end: End::Answered });
            }
        }
        Attempt::Lost { out_of_time: true, .. } if clock.nothing_finished() => {
            let message = format!(
                "power value {}: an invocation took longer than the whole {} s the Executor has: deploy with a longer totalExecutionTimeout",
                bench.power(),
                bench.deadline.elapsed().as_secs()
            );
            return Err(Error::new(Kind::OutOfTime, message));
        }
        Attempt::Lost { reason, .. } => {
            progress.of_side(place.side).0.push_lost();
            progress.lost_reason = Some(reason.chars().take(600).collect());
        }
        Attempt::Crashed { reason, .. } => {
            progress.crashes += 1;
            progress.crash.get_or_insert(reason);
        }
        Attempt::CannotStart { side, reason } => {
            progress.cannot_start[side] = Some(reason.chars().take(1000).collect());
            if let [Some(first), Some(second)] = &progress.cannot_start {
                let message = format!(
                    "power value {}: the function's code starts neither on {}: {first}; nor on {}: {second}",
                    bench.power(),
                    bench.architecture(0),
                    bench.architecture(1)
                );
                return Err(Error::new(Kind::InvocationFailed, message));
            }
        }
        Attempt::TooSmall { .. } | Attempt::NotStarted { .. } => return Ok(()),
    }
    progress.finish(index);
    Ok(())
}
