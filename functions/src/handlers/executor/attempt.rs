//! One invocation with its processors, and what became of it.

use std::time::Duration;

use tokio::time::Instant;
use tuning::failure::{self, Outcome};
use tuning::input::Input;
use tuning::payload::{self, Plan as Payloads};
use tuning::pricing::Architecture;
use tuning::report::{Disturbance, Report, ReportError};
use tuning::stats::Measurement;

use super::allowance::Allowance;
use super::disturbed::{self, Repeats};
use super::progress::Progress;
use super::{Facts, payload as payloads};
use crate::clients::Clients;
use crate::copies;
use crate::deadline::Deadline;
use crate::error::{Error, Kind};
use crate::function_api::invoke::{self, Answer, Reply, Retries, Target};
use crate::mark;
use crate::run::{Plan, Run, Spread, Work};

/// A payload in an error text is cut after this many characters, the whole text after [`LONGEST_TEXT`]: Step
/// Functions cuts causes at 32 KiB.
const LONGEST_PAYLOAD: usize = 1000;
const LONGEST_TEXT: usize = 12_000;

/// Everything invocations of one power value have in common.
#[derive(Debug)]
pub struct Bench {
    /// The number of invocations to make.
    pub num: u32,
    /// So many of them side by side.
    pub lanes: u32,
    /// Whether other sizes are to be measured when this one is over: no invocation may be under way any more then.
    pub in_turns: bool,
    /// Whether each invocation is kept by itself, for the search.
    pub sampling: bool,
    /// The pause between invocations in series.
    pub pause: Duration,
    /// When the pass has to be over.
    pub deadline: Deadline,
    /// When it is to hand back what it has, so that somebody can see it.
    pub report_by: Option<Instant>,
    /// What it may cost.
    pub allowance: Option<Allowance>,
    /// Which disturbed invocations are made again. None of them costs anything: on AWS there are none.
    pub repeats: Repeats,
    client: aws_sdk_lambda::Client,
    emulator: Option<String>,
    /// Starts that were tried again.
    pub retries: Retries,
    target: Measured,
    power: u32,
    cold: bool,
    /// In bursts: which of the power value's invocations these are; empty for all.
    which: Vec<u32>,
    spread: Option<Spread>,
    /// Invocations of a power value on one processor.
    of: u32,
    parallel: bool,
    timeout: Duration,
    /// The processors, one or two.
    architectures: Vec<Architecture>,
    payloads: Payloads,
    pre: Option<Processor>,
    post: Option<Processor>,
    allowed: Vec<String>,
    hide_payload: bool,
}

/// What is invoked.
#[derive(Debug)]
enum Measured {
    /// Aliases of the function.
    Aliases(String),
    /// Copies of it.
    Copies {
        /// The ARN of the execution that they are named after.
        execution: String,
        plan: Plan,
        qualifier: Option<&'static str>,
    },
}

impl Measured {
    fn new(input: &Input, run: Option<&Run>) -> Self {
        match run.and_then(|run| Some((run, run.copies.as_ref()?))) {
            Some((run, of)) => Self::Copies {
                execution: run.execution.clone(),
                plan: Plan::of(input, run),
                qualifier: copies::qualifier(of),
            },
            None => Self::Aliases(input.lambda_arn.to_string()),
        }
    }

    /// The function and its version or alias for a power value, or for one of its cold starts.
    fn at(&self, power: u32, cold: Option<u32>) -> Result<(String, Option<String>), Error> {
        match self {
            Self::Aliases(function) => Ok((function.clone(), Some(mark::alias_name(power, cold)))),
            Self::Copies { execution, plan, qualifier } => {
                let number = plan.index(power, cold).ok_or_else(|| {
                    Error::event("executor", format!("there is no copy with {power} MB in this run"))
                })?;
                Ok((copies::arn(execution, number)?, qualifier.map(str::to_owned)))
            }
        }
    }
}

#[derive(Debug)]
struct Processor {
    what: &'static str,
    arn: String,
    client: aws_sdk_lambda::Client,
}

/// What became of an invocation.
#[derive(Debug)]
pub enum Attempt {
    /// It was measured; `allowed` when it ended in an exception the user allows.
    Measured {
        /// What it took.
        measurement: Measurement,
        /// Whether it raised an allowed exception.
        allowed: bool,
        /// How long it kept the pass busy, processors included, waiting for admission not.
        took: Duration,
        /// The most memory it used, in MB; 0 when the report does not say.
        max_memory: u32,
    },
    /// It may have run; its answer did not arrive.
    Lost {
        /// Why.
        reason: String,
        /// Whether because the pass was over.
        out_of_time: bool,
    },
    /// The power value is too small.
    TooSmall {
        /// Why.
        reason: String,
        /// Whether the function ran out of time and not of memory.
        timed_out: bool,
    },
    /// The function's process ended without an answer, and neither memory nor time explains it.
    Crashed {
        /// What Lambda said of it.
        reason: String,
        /// How long it kept the pass busy.
        took: Duration,
    },
    /// The function's code does not start on this one of two processors.
    CannotStart {
        /// Which of the two, 0 or 1.
        side: usize,
        /// Why.
        reason: String,
    },
    /// It has not run: there was no time left, or AWS would not start it.
    NotStarted {
        /// What AWS said last.
        refusal: Option<String>,
    },
}

/// What an invocation is among those of its power value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The first or the second processor; 0 where there is only one.
    pub side: usize,
    /// Which of the input's invocations on that processor it is.
    pub of_side: u32,
    /// Which wave it belongs to; those of a wave are made side by side.
    pub wave: u32,
    /// The lane that makes it.
    pub lane: u32,
}

/// An invocation that was tried.
#[derive(Debug)]
pub struct Made {
    /// What became of it.
    pub attempt: Attempt,
    /// What other work on the machine did to it, if a figure or the size's end comes of it.
    pub disturbance: Option<Disturbance>,
}

impl From<Attempt> for Made {
    fn from(attempt: Attempt) -> Self {
        Self { attempt, disturbance: None }
    }
}

impl Bench {
    /// Prepares a pass.
    ///
    /// # Errors
    /// Payloads that are not usable, an environment without credentials.
    pub(super) async fn set_up(
        input: &Input,
        run: Option<&Run>,
        work: &Work,
        facts: &Facts,
        deadline: Deadline,
        clients: &Clients,
    ) -> Result<Self, Error> {
        let processor = |what, arn: &Option<String>| -> Result<_, Error> {
            let Some(arn) = arn else { return Ok(None) };
            let region = arn.split(':').nth(3).unwrap_or(&input.lambda_arn.region);
            Ok(Some(Processor { what, arn: arn.clone(), client: clients.lambda(region)? }))
        };
        Ok(Self {
            num: work.num * u32::try_from(facts.architectures.len()).unwrap_or(u32::MAX),
            of: work.num,
            lanes: work.lanes,
            in_turns: run.is_some_and(|run| run.sizes_at_once > 0),
            sampling: false,
            pause: if input.parallel_invocation {
                Duration::ZERO
            } else {
                Duration::from_millis(input.sleep_between_runs_ms)
            },
            deadline,
            report_by: None,
            allowance: None,
            repeats: Repeats::default(),
            client: {
                // Copies are the stack's own.
                let role = input.role_arn.as_deref().filter(|_| run.is_none_or(|run| run.copies.is_none()));
                clients.lambda_as(role, &input.lambda_arn.region, deadline).await?
            },
            emulator: clients.emulator(),
            retries: Retries::default(),
            target: Measured::new(input, run),
            power: work.value,
            cold: input.only_cold_starts,
            which: work.which.clone(),
            spread: work.spread,
            parallel: input.parallel_invocation,
            timeout: facts.timeout,
            architectures: facts.architectures.clone(),
            payloads: payloads::plan(input, deadline, clients).await?,
            pre: processor("preProcessor", &input.pre_processor_arn)?,
            post: processor("postProcessor", &input.post_processor_arn)?,
            allowed: input.allowed_exceptions.clone(),
            hide_payload: input.disable_payload_logs,
        })
    }

    /// Whether the budget has money for another invocation while so many are under way.
    pub fn permits(&self, progress: &Progress, under_way: usize) -> bool {
        self.allowance.as_ref().is_none_or(|allowance| allowance.permits(progress, under_way))
    }

    /// The function's time-out.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The power value.
    pub fn power(&self) -> u32 {
        self.power
    }

    /// Until when an invocation may be started, given the longest so far: late enough to use the time there is,
    /// early enough that even an unusually slow one is answered before the pass is over.
    pub fn start_by(&self, longest: Duration) -> Instant {
        let slow = longest * 3 + Duration::from_secs(1);
        // The function's own time-out bounds the invocation, but not what processors take.
        let bounded = self.pre.is_none() && self.post.is_none();
        let needed = if bounded { slow.min(self.timeout + Duration::from_secs(1)) } else { slow };
        self.deadline.instant().checked_sub(needed).unwrap_or_else(Instant::now)
    }

    /// Whether two processors take turns.
    pub fn compares(&self) -> bool {
        self.architectures.len() > 1
    }

    /// What the invocation of this index is, from 0 to `num` - 1. Two processors take turns by waves: one invocation of each lane on the
    /// first, then one of each lane on the second.
    pub fn place(&self, index: u32) -> Place {
        let lanes = self.lanes.min(self.of).max(1);
        if !self.compares() {
            let of_side = self.which.get(index as usize).copied().unwrap_or(index);
            return Place { side: 0, of_side, wave: 0, lane: index % lanes };
        }
        let (whole, rest) = (self.of / lanes, (self.of % lanes).max(1));
        let (pair, lanes_here, from) = match index / (2 * lanes) {
            pair if pair < whole => (pair, lanes, pair * 2 * lanes),
            _ => (whole, rest, whole * 2 * lanes),
        };
        let (side, lane) = ((index - from) / lanes_here, (index - from) % lanes_here);
        Place { side: side as usize, of_side: pair * lanes + lane, wave: 2 * pair + side, lane }
    }

    /// Which of the power value's versions, or copies, it goes to, where there are several.
    fn copy(&self, index: u32) -> Option<u32> {
        match self.spread {
            Some(Spread { first, each }) => Some(first + index / each.max(1)),
            None if self.compares() => u32::try_from(self.place(index).side).ok(),
            None => self.cold.then_some(index),
        }
    }

    /// The processor of the first or second side.
    pub fn architecture(&self, side: usize) -> Architecture {
        self.architectures.get(side).copied().unwrap_or_default()
    }

    /// Whether an invocation counts only if it was a cold start.
    pub fn is_burst(&self) -> bool {
        self.spread.is_some()
    }

    /// Makes the invocation of this index, unless it cannot be started in time.
    ///
    /// # Errors
    /// A handler that raised, a processor that failed, an answer without a report, what AWS refuses.
    pub async fn attempt(&self, index: u32, start_by: impl Fn() -> Instant) -> Result<Made, Error> {
        let place = self.place(index);
        let mut payload = self.payloads.payload(place.of_side).to_owned();
        let mut took = Duration::ZERO;
        if let Some(pre) = &self.pre {
            match self.process(pre, payload.as_bytes(), &start_by).await? {
                Processed::Done(answer) => {
                    took += answer.took;
                    payload = payload::replacement(&answer.payload).unwrap_or(payload);
                }
                Processed::NotStarted(refusal) => return Ok(Attempt::NotStarted { refusal }.into()),
            }
        }
        let (function, qualifier) = self.target.at(self.power, self.copy(index))?;
        let (client, timeout) = (&self.client, Some(self.timeout));
        let (retries, qualifier) = (&self.retries, qualifier.as_deref());
        let target = Target { client, function: &function, qualifier, retries, timeout };
        let reply = invoke::invoke(&target, Some(payload.as_bytes()), self.deadline, &start_by)
            .await
            .map_err(|error| self.explain(error))?;
        let answer = match &reply {
            Reply::NotStarted { reason } => {
                return Ok(Attempt::NotStarted { refusal: reason.clone() }.into());
            }
            Reply::Answered(answer) => answer.payload.as_slice(),
            Reply::Lost { .. } | Reply::TooSmall(_) => b"null".as_slice(),
        };
        // After every invocation, the failed and the lost ones too: it may have to tidy up after them.
        if let Some(post) = &self.post
            && !matches!(reply, Reply::Lost { out_of_time: true, .. })
        {
            match self.process(post, answer, || self.deadline.instant()).await? {
                Processed::Done(answer) => took += answer.took,
                Processed::NotStarted(refusal) => {
                    let refusal = refusal.unwrap_or_else(|| "no time was left".to_owned());
                    let message =
                        format!("postProcessor {} could not be invoked in time: {refusal}", post.arn);
                    return Err(self.explain(Error::new(Kind::ProcessorFailed, message)));
                }
            }
        }
        match reply {
            Reply::Lost { reason, out_of_time } => Ok(Attempt::Lost { reason, out_of_time }.into()),
            Reply::Answered(answer) => self.judge(place, &payload, &answer, took + answer.took),
            Reply::NotStarted { reason } => Ok(Attempt::NotStarted { refusal: reason }.into()),
            Reply::TooSmall(reason) => Ok(Attempt::TooSmall { reason, timed_out: false }.into()),
        }
    }

    fn judge(&self, place: Place, payload: &str, answer: &Answer, took: Duration) -> Result<Made, Error> {
        let report = Report::from_log_tail(&answer.log_tail);
        let disturbance = report.as_ref().ok().and_then(|report| report.disturbance);
        let mut allowed = false;
        if answer.failed {
            match failure::classify(&answer.payload, &answer.log_tail, report.as_ref().ok(), &self.allowed) {
                Outcome::Allowed { .. } => allowed = true,
                Outcome::TooSmall { reason, timed_out } => {
                    let mut reason = self.hide(&reason, payload);
                    if let Some(disturbance) = disturbance {
                        reason.push_str(&disturbed::meanwhile(disturbance));
                    }
                    return Ok(Made { attempt: Attempt::TooSmall { reason, timed_out }, disturbance });
                }
                Outcome::Crashed(error) => {
                    let reason = self.hide(&error.to_string(), payload);
                    return Ok(Attempt::Crashed { reason, took }.into());
                }
                Outcome::CannotStart(error) => {
                    let message = failure::cannot_start(&error, self.architecture(place.side));
                    if self.compares() {
                        let reason = self.hide(&message, payload);
                        return Ok(Attempt::CannotStart { side: place.side, reason }.into());
                    }
                    return Err(self.explain(Error::new(Kind::InvocationFailed, message)));
                }
                // What its modules were built for is found out when they are loaded.
                Outcome::Handler(error) if self.compares() && failure::cannot_load(&error) => {
                    let reason = self.hide(&error.to_string(), payload);
                    return Ok(Attempt::CannotStart { side: place.side, reason }.into());
                }
                Outcome::Handler(error) => {
                    let on = match self.compares() {
                        true => format!(" on {}", self.architecture(place.side)),
                        false => String::new(),
                    };
                    let how = if self.parallel { "in parallel" } else { "in series" };
                    let with = if self.hide_payload {
                        String::new()
                    } else {
                        format!(" with payload {}", cut(payload))
                    };
                    let message = format!(
                        "invocation {} of {} failed{on} (running {how}){with} - {}",
                        place.of_side + 1,
                        self.of,
                        self.hide(&error.to_string(), payload)
                    );
                    return Err(self.explain(Error::new(Kind::InvocationFailed, message)));
                }
            }
        }
        let report = report.map_err(|problem| {
            let problem = match (&problem, &self.emulator) {
                (ReportError::Missing, Some(emulator)) => unmeasured(emulator),
                _ => problem.to_string(),
            };
            let message = format!("invocation {} of {}: {problem}", place.of_side + 1, self.of);
            self.explain(Error::new(Kind::NoReport, message))
        })?;
        // Another one would start warm, and the cold start would be missing.
        let warm = report.cold_start_ms().is_none();
        let disturbance = disturbance.map(|of| Disturbance { repeat: of.repeat && warm, ..of });
        let (measurement, max_memory) =
            (Measurement::from(&report), report.max_memory_used.unwrap_or_default());
        let attempt = Attempt::Measured { measurement, allowed, took, max_memory };
        Ok(Made { attempt, disturbance })
    }

    async fn process(
        &self,
        processor: &Processor,
        payload: &[u8],
        start_by: impl Fn() -> Instant,
    ) -> Result<Processed, Error> {
        let Processor { what, arn, client } = processor;
        let failed = |problem: String| {
            let text = String::from_utf8_lossy(payload);
            let with = if self.hide_payload { String::new() } else { format!(" and payload {}", cut(&text)) };
            let message = format!("{what} {arn} failed with {}{with}", self.hide(&problem, &text));
            self.explain(Error::new(Kind::ProcessorFailed, message))
        };
        let retries = &self.retries;
        let target = Target { client, function: arn, qualifier: None, retries, timeout: None };
        match invoke::invoke(&target, Some(payload), self.deadline, start_by).await {
            Ok(Reply::Answered(answer)) if answer.failed => {
                Err(failed(String::from_utf8_lossy(&answer.payload).into_owned()))
            }
            Ok(Reply::Answered(answer)) => Ok(Processed::Done(answer)),
            Ok(Reply::NotStarted { reason }) => Ok(Processed::NotStarted(reason)),
            Ok(Reply::Lost { reason, .. }) => Err(failed(format!("a lost answer: {reason}"))),
            Ok(Reply::TooSmall(reason)) => Err(failed(reason)),
            Err(Error { kind: Kind::AccessDenied, message }) => Err(failed(format!(
                "{message}; a processor that the stack's lambdaResource leaves out needs processorResource (`deployer up --processor-resource`)"
            ))),
            Err(error) => Err(failed(error.message)),
        }
    }

    /// Says at which power value something happened.
    fn explain(&self, error: Error) -> Error {
        let message: String =
            format!("power value {}: {}", self.power, error.message).chars().take(LONGEST_TEXT).collect();
        Error::new(error.kind, message)
    }

    /// A function may quote what it was sent; nobody is to read that when payloads are not to be logged.
    fn hide(&self, text: &str, payload: &str) -> String {
        if self.hide_payload && payload.len() > 2 && payload != "null" {
            let escaped = format!("{payload:?}");
            text.replace(payload, "[payload]").replace(escaped.trim_matches('"'), "[payload]")
        } else {
            text.to_owned()
        }
    }
}

/// What is said of an emulator that does not say how long an invocation took.
fn unmeasured(emulator: &str) -> String {
    format!(
        "the endpoint at {emulator}, which answers instead of AWS, writes no REPORT line to the log tail, so the duration is \
         unknown: it is an emulator that does not measure invocations (MiniStack is one), and no function can be tuned on it. \
         Tune on AWS, or on this machine with `deployer tune --local`; only to try out everything else, let the function print a \
         line like Lambda's: REPORT RequestId: …, Duration: … ms, Billed Duration: … ms, separated by tabs"
    )
}

enum Processed {
    Done(Answer),
    NotStarted(Option<String>),
}

fn cut(payload: &str) -> String {
    match payload.char_indices().nth(LONGEST_PAYLOAD) {
        Some((end, _)) => format!("{}… ({} bytes)", &payload[..end], payload.len()),
        None => payload.to_owned(),
    }
}
