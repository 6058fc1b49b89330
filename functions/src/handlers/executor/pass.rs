//! One pass over the invocations that are still to be made, in series or all at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

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
    let ended = if bench.parallel {
        at_once(bench, &clock, progress).await
    } else {
        in_series(bench, &clock, progress).await
    };
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
            Attempt::Lost { out_of_time: false, .. } => clock.finish(Duration::ZERO),
            _ => {}
        }
        if !disturbance.is_some_and(|disturbance| bench.repeats.take(disturbance)) {
            return Ok(attempt);
        }
    }
}

async fn in_series(bench: &Bench, clock: &Clock, progress: &mut Progress) -> Result<Ended, Error> {
    let remaining = progress.remaining(bench.num);
    let last = remaining.last().copied();
    for index in remaining {
        if !bench.permits(progress, 0) {
            return Ok(Ended::Budget);
        }
        let report = bench.report_by.is_some_and(|moment| Instant::now() >= moment);
        if report && !clock.nothing_finished() {
            return Ok(Ended::Report);
        }
        if !pause(bench, progress).await {
            return Ok(Ended::TimeUp { refusal: None });
        }
        match attempt(bench, clock, index).await? {
            Attempt::TooSmall(reason) => return Ok(Ended::TooSmall(reason)),
            Attempt::NotStarted { refusal } => return Ok(Ended::TimeUp { refusal }),
            made => record(bench, clock, progress, index, made)?,
        }
        if progress.crashes >= CRASHES {
            break;
        }
        if Some(index) != last {
            progress.pause_left_ms = u64::try_from(bench.pause.as_millis()).unwrap_or(u64::MAX);
        }
    }
    Ok(Ended::Complete)
}

/// Waits between two invocations; false when the pass is over before that.
async fn pause(bench: &Bench, progress: &mut Progress) -> bool {
    let left = Duration::from_millis(progress.pause_left_ms);
    if left.is_zero() {
        return true;
    }
    let now = left.min(bench.deadline.remaining());
    tokio::time::sleep(now).await;
    progress.pause_left_ms = u64::try_from((left - now).as_millis()).unwrap_or(u64::MAX);
    now == left
}

async fn at_once(bench: &Arc<Bench>, clock: &Arc<Clock>, progress: &mut Progress) -> Result<Ended, Error> {
    let mut under_way = JoinSet::new();
    let mut waiting = progress.remaining(bench.num).into_iter().peekable();
    let mut ended = Ended::Complete;
    // Dropping the set stops waiting for the others: the first verdict about the power value stands.
    loop {
        while matches!(ended, Ended::Complete)
            && under_way.len() < AT_ONCE
            && bench.permits(progress, under_way.len())
            && let Some(index) = waiting.next()
        {
            let (bench, clock) = (Arc::clone(bench), Arc::clone(clock));
            under_way.spawn(async move { (index, attempt(&bench, &clock, index).await) });
        }
        let Some(joined) = under_way.join_next().await else { break };
        let (index, result) = joined
            .map_err(|panic| Error::new(Kind::Refused, format!("an invocation's task failed: {panic}")))?;
        match result? {
            Attempt::TooSmall(reason) => return Ok(Ended::TooSmall(reason)),
            Attempt::NotStarted { refusal } => ended = Ended::TimeUp { refusal },
            made => record(bench, clock, progress, index, made)?,
        }
        if progress.crashes >= CRASHES {
            break;
        }
    }
    // Nothing is under way any more, and some were never started: there is no money for them.
    let unpaid = matches!(ended, Ended::Complete) && under_way.is_empty() && waiting.peek().is_some();
    Ok(if unpaid { Ended::Budget } else { ended })
}

/// Counts an invocation that was made.
fn record(
    bench: &Bench,
    clock: &Clock,
    progress: &mut Progress,
    index: u32,
    made: Attempt,
) -> Result<(), Error> {
    match made {
        Attempt::Measured { measurement, allowed: false, .. } => progress.measurements.push(measurement),
        Attempt::Measured { measurement, allowed: true, .. } => progress.measurements.push_error(measurement),
        Attempt::Lost { out_of_time: true, .. } if clock.nothing_finished() => {
            let message = format!(
                "power value {}: an invocation took longer than the whole {} s the Executor has: deploy with a longer totalExecutionTimeout",
                bench.power(),
                bench.deadline.elapsed().as_secs()
            );
            return Err(Error::new(Kind::OutOfTime, message));
        }
        Attempt::Lost { reason, .. } => {
            progress.measurements.push_lost();
            progress.lost_reason = Some(reason.chars().take(600).collect());
        }
        Attempt::Crashed { reason, .. } => {
            progress.crashes += 1;
            progress.crash.get_or_insert(reason);
        }
        Attempt::TooSmall(_) | Attempt::NotStarted { .. } => return Ok(()),
    }
    progress.finish(index);
    Ok(())
}
