//! Inside the Map, a loop: measures one power value.
//!
//! Event `{"input", "value", "progress"?}`. Finished, it answers with a [`Stat`]: the figures, or the value with the
//! reason why it was skipped. It works until shortly before its deadline; what is not finished by then is handed back
//! as the event with `progress`, which the state machine sends in again. With `progressSeconds` it hands back sooner, so that the
//! execution's history tells how far it is. With `budget` it stops when its part is spent. Without `$.run` (events recorded from the
//! reference) it works too, reading the configuration itself. In a search, or in bursts of cold starts, `value` is a [`Work`]. Where there are not too many, the answer
//! has the invocations themselves as well (`batch`).
//!
//! | permission | on | when |
//! |---|---|---|
//! | `lambda:InvokeFunction` | the function's aliases, or copies; pre- and post-processors | every run |
//! | `s3:GetObject` | the object | `payloadS3` |
//! | `lambda:GetFunction` | the alias | only without `$.run`, which no execution of the stack is |

mod allowance;
mod attempt;
mod disturbed;
mod pass;
mod payload;
mod progress;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;
use tuning::input::Input;
use tuning::output::{Stat, StoppedBy};
use tuning::pricing::{self, Architecture, Extras, LambdaPrice};
use tuning::search::Batch;

use self::allowance::Allowance;
use self::attempt::Bench;
use self::disturbed::Repeats;
use self::pass::Ended;
use self::progress::Progress;
use super::json;
use crate::clients::Clients;
use crate::deadline::Deadline;
use crate::error::{Error, Kind};
use crate::event;
use crate::function_api::FunctionApi;
use crate::mark;
use crate::run::{Run, Work};

/// For this long AWS may refuse to start any invocation, over all passes.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// Step Functions ends an execution for good when its history has this many events: no state of it can clean up then.
const HISTORY: u32 = 25_000;
/// Those that are planned with: what the machine tries again has events as well.
const PLANNED: u32 = 20_000;
/// A power value has so many events in the first pass, and so many in each further one.
const FIRST_PASS: u32 = 11;
const FURTHER_PASS: u32 = 7;

/// With more invocations nobody looks at them one by one.
pub(super) const MOST_SAMPLES: u32 = 3_000;

/// With more power values nobody is told how far each is: what their passes cost would be worth more than the answer.
const MOST_REPORTING: usize = 32;

#[derive(Debug, Serialize, Deserialize)]
struct Event {
    input: Value,
    value: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    progress: Option<Progress>,
}

/// Answers one event.
///
/// # Errors
/// A handler that raised, a processor that failed, an invocation without a report, an input that is wrong.
pub async fn handle(event: Value, deadline: Deadline, clients: &Clients) -> Result<Value, Error> {
    let mut event: Event = serde_json::from_value(event).map_err(|e| Error::event("executor", e))?;
    let run = event::run(&event.input)?;
    let work = work(&event)?;
    let power = work.value;
    let input = event::input(&event.input, &[power])?;
    let most_lanes = run.as_ref().map_or(u32::MAX, Run::most_lanes).max(1);
    let work = Work {
        num: if work.num == 0 { input.invocations() } else { work.num },
        lanes: if work.lanes == 0 { input.environments() } else { work.lanes }.min(most_lanes),
        ..work
    };
    let mut progress = event.progress.take().unwrap_or_default();
    let sizes = run.as_ref().map_or(1, |run| run.power_values.len());
    let facts = Facts::learn(run.as_ref(), &input, power, deadline, clients).await?;
    let all = work.num * u32::try_from(facts.architectures.len()).unwrap_or(u32::MAX);
    check_history(&progress, all, sizes, power)?;
    progress.passes += 1;

    let prices = facts.prices(&input.lambda_arn.region);
    // Nobody knows which of two processors comes next, so money is counted with the dearer one.
    let dearest = prices.iter().max_by(|a, b| a.per_gb_second.total_cmp(&b.per_gb_second));
    let price = *dearest.unwrap_or(&prices[0]);
    let mut bench = Bench::set_up(&input, run.as_ref(), &work, &facts, deadline, clients).await?;
    bench.report_by = report_by(&input, sizes, &progress);
    bench.allowance = match work.round {
        Some(_) => work.budget.map(|amount| Allowance::of(amount, power, &price, facts.timeout)),
        None => Allowance::new(&input, run.as_ref(), power, &price, facts.timeout, progress.passes),
    };
    bench.sampling = work.round.is_some() || few_enough(all, sizes) && !input.only_cold_starts;
    bench.repeats = Repeats::new(&input, all, progress.disturbed);
    let bench = Arc::new(bench);
    let before = progress.clone();
    let ended = pass::run(&bench, &mut progress).await?;
    progress.disturbed = bench.repeats.so_far();

    match ended {
        Ended::TooSmall(reason) => {
            let skipped = |(side, price): (usize, &LambdaPrice)| {
                Stat::skipped(power, &reason, progress.measurements_of(side), price, progress.passes)
            };
            let stats = prices.iter().enumerate().map(skipped).collect();
            answer(stats, &work, &bench, progress, Some(reason))
        }
        Ended::Complete | Ended::Budget => {
            let out_of_money = matches!(ended, Ended::Budget).then_some(StoppedBy::Budget);
            let figures = |(side, price): (usize, &LambdaPrice)| {
                let (measurements, passes) = (progress.measurements_of(side), progress.passes);
                if let Some(reason) = &progress.cannot_start[side] {
                    return Some(Stat::skipped(power, reason, measurements, price, passes));
                }
                let mut stat = Stat::measured(power, measurements, input.averages(), price, passes)?;
                if let Stat::Measured(measured) = &mut stat {
                    measured.disturbed = progress.disturbed.of(measurements, input.discard_top_bottom);
                    measured.stopped_by = out_of_money;
                }
                Some(stat.with_retries(progress.retries))
            };
            match prices.iter().enumerate().map(figures).collect::<Option<Vec<Stat>>>() {
                Some(stats) => answer(stats, &work, &bench, progress, None),
                None => Err(nothing_measured(&progress, power)),
            }
        }
        Ended::Report => {
            progress.note_report(&before);
            event.progress = Some(progress);
            json(&event)
        }
        Ended::TimeUp { refusal } => {
            progress.note_stall(&before, deadline.elapsed());
            if progress.stalled() >= PATIENCE {
                return Err(not_accepted(power, refusal.as_deref()));
            }
            event.progress = Some(progress);
            json(&event)
        }
    }
}

/// What is to be done: a power value, or in a search one with how often.
fn work(event: &Event) -> Result<Work, Error> {
    let wrong = |problem: String| Error::event("executor", format!("value {problem}"));
    if event.value.is_object() {
        return serde_json::from_value(event.value.clone()).map_err(|problem| wrong(problem.to_string()));
    }
    let value = tuning::input::power_value(&event.value).map_err(|problem| wrong(problem.to_string()))?;
    Ok(Work { value, num: 0, lanes: 0, round: None, budget: None, which: Vec::new(), spread: None })
}

/// Whether the invocations of all sizes one by one, about 30 bytes each, leave most of the state's 256 KB to the rest.
fn few_enough(num: u32, sizes: usize) -> bool {
    u32::try_from(sizes).is_ok_and(|sizes| num.saturating_mul(sizes) <= MOST_SAMPLES)
}

/// The figures, and where they are kept the invocations themselves.
///
/// Of two processors, those of the second are the member `other`, and `cannotStart` has why the code does not start on the first and on the
/// second.
fn answer(
    stats: Vec<Stat>,
    work: &Work,
    bench: &Bench,
    mut progress: Progress,
    skipped: Option<String>,
) -> Result<Value, Error> {
    let mut answers = Vec::new();
    for (side, stat) in stats.iter().enumerate() {
        let mut answer = json(stat)?;
        if bench.sampling {
            let (measurements, samples) = progress.of_side(side);
            let (errors, lost) = (measurements.errors, measurements.lost);
            let samples = std::mem::take(samples);
            answer["batch"] = json(&Batch {
                size: work.value,
                round: work.round.unwrap_or_default(),
                lanes: work.lanes,
                errors,
                lost,
                disturbed: progress.disturbed.parts().filter(|_| side == 0),
                passes: progress.passes,
                samples,
                warm: 0,
                cost: stat.total_cost(),
                skipped: skipped.clone(),
            })?;
        }
        answers.push(answer);
    }
    let other = if answers.len() > 1 { answers.pop() } else { None };
    let mut answer = answers.pop().unwrap_or_default();
    if let Some(other) = other {
        answer["other"] = other;
        answer["cannotStart"] = json(&progress.cannot_start)?;
    }
    Ok(answer)
}

/// How many passes of one power value the execution's history has room for.
fn most_passes(sizes: usize) -> u32 {
    let events = PLANNED / u32::try_from(sizes).unwrap_or(u32::MAX).max(1);
    1 + events.saturating_sub(FIRST_PASS) / FURTHER_PASS
}

/// Refuses to go on with what would not fit the execution's history. Before the pass and not after it: the state machine enters
/// a pass that failed again, which costs no invocations this way.
fn check_history(progress: &Progress, num: u32, sizes: usize, power: u32) -> Result<(), Error> {
    let most = most_passes(sizes);
    let needed = progress.passes_for(num);
    if needed <= most.into() {
        return Ok(());
    }
    let (made, passes) = (progress.made(), progress.passes);
    let message = format!(
        "power value {power}: after pass {passes} of the Executor {made} of {num} invocations are made, all of them would take about {needed} passes; Step Functions ends an execution at {HISTORY} events, which leaves a size {most} passes when {sizes} are measured: use a smaller num, fewer powerValues or parallelInvocation, or deploy with a longer totalExecutionTimeout"
    );
    Err(Error::new(Kind::OutOfTime, message))
}

/// When a pass is to hand back what it has, for somebody who follows along. Every pass is longer than the one before, and they take no more
/// than half of the history's room. Invocations that are made all at once are not torn apart.
fn report_by(input: &Input, sizes: usize, progress: &Progress) -> Option<Instant> {
    let first = Duration::from_secs(input.progress_seconds?);
    let room = sizes <= MOST_REPORTING && progress.reports < most_passes(sizes) / 2;
    (room && !input.parallel_invocation).then(|| Instant::now() + first * progress.passes)
}

/// What has to be known of the function beside the input.
struct Facts {
    /// The processors that it is measured on, one or two.
    architectures: Vec<Architecture>,
    timeout: Duration,
    extras: Extras,
}

impl Facts {
    /// The prices of the processors.
    fn prices(&self, region: &str) -> Vec<LambdaPrice> {
        let price =
            |architecture: &Architecture| pricing::lambda(region, *architecture).with(self.extras, region);
        self.architectures.iter().map(price).collect()
    }

    async fn learn(
        run: Option<&Run>,
        input: &Input,
        power: u32,
        deadline: Deadline,
        clients: &Clients,
    ) -> Result<Self, Error> {
        let (architecture, timeout_s, extras) = match run {
            Some(run) => (run.architecture.clone(), run.timeout, run.extras()),
            None => {
                let arn = &input.lambda_arn;
                let api = FunctionApi::new(clients, arn, input.role_arn.as_deref(), deadline).await?;
                let alias = mark::alias_name(power, input.only_cold_starts.then_some(0));
                let configuration = api.configuration(Some(&alias)).await?;
                let extras =
                    Extras { storage_mb: configuration.storage, snap_start: configuration.snap_start };
                (configuration.architecture, configuration.timeout_s, extras)
            }
        };
        let own = architecture.parse().map_err(|e| Error::new(Kind::FunctionNotReady, format!("{e}")))?;
        let named = run.map(|run| run.architectures.clone()).unwrap_or_default();
        let architectures = if named.is_empty() { vec![own] } else { named };
        Ok(Self { architectures, timeout: Duration::from_secs(timeout_s.into()), extras })
    }
}

fn nothing_measured(progress: &Progress, power: u32) -> Error {
    let reason = progress.lost_reason.as_deref().unwrap_or("no reason is known");
    let lost = progress.measurements.lost;
    let message =
        format!("power value {power}: none of {lost} invocations was answered; the last one: {reason}");
    Error::new(Kind::NothingMeasured, message)
}

fn not_accepted(power: u32, refusal: Option<&str>) -> Error {
    let message = format!(
        "power value {power}: AWS accepted no invocation for {} minutes; check the function's reserved concurrency; the last refusal: {}",
        PATIENCE.as_secs() / 60,
        refusal.unwrap_or("none")
    );
    Error::new(Kind::OutOfTime, message)
}
