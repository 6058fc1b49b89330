//! What the user asked for: the execution input, checked as a whole. First step of a run, in the state machine and in
//! `deployer tune` alike.
//!
//! [`Input::parse`] reads the JSON object that starts an execution. It reports every problem at once, each with the field, the
//! value and what would be right, and ignores fields it does not know ([`unknown_fields`] finds them, with what was
//! probably meant). A field that is `null` is a field that is not there. Numbers may come as text, as they do from
//! shells and templates; booleans may not, because `"false"` is true in the language of the project this one replaces.

mod arn;
mod bucket;
pub mod fields;
mod form;
mod json;
mod limit;
mod power_values;
mod problem;
mod read;
mod tune;
mod unknown;

pub use arn::{LambdaArn, Qualifier};
pub use bucket::{BUCKET, BUCKET_SAYS};
pub use fields::{FIELDS, Field, Form};
pub use limit::Limit;
pub use power_values::{DEFAULT_POWER_VALUES, Defaults, PowerValues, one as power_value};
pub use problem::{Problem, Problems};
pub use tune::{Tune, UnknownTune};
pub use unknown::{Unknown, unknown_fields};

use crate::gate::Gate;
use crate::payload::{Plan, PlanError};
use crate::pricing::Architecture;
use crate::search::{Aim, MAX_ROUNDS, Task};
use crate::stats::{Averages, ColdStarts};
use crate::strategy::Strategy;
use read::Reader;
use serde_json::Value;

/// Fewest invocations per power value: fewer give no average worth having.
pub const MIN_NUM: u32 = 5;

/// Most invocations per power value. Their measurements travel in the state machine's state, whose 256 KiB hold no more; beside
/// a large payload they hold less, which the Initializer checks.
pub const MAX_NUM: u32 = 20_000;

/// Most power values: each one adds a dozen events to the execution's history, which ends at 25,000.
pub const MAX_POWER_VALUES: usize = 1000;

/// Most execution environments of a size that are invoked side by side.
pub const MOST_LANES: u32 = 100;

/// Fewest lanes with which two processors are compared: with fewer nobody can say how much of a difference is that of execution environments.
pub const LEAST_COMPARED: u32 = 5;

/// Most invocations at once that anybody can allow: no account has more.
pub const MOST_AT_ONCE: u32 = 1_000_000;

/// Fewest invocations that a search for the size takes, and most: those of all sizes travel in the state machine's state.
pub const LEAST_INVOCATIONS: u32 = 20;
/// See [`LEAST_INVOCATIONS`].
pub const MOST_INVOCATIONS: u32 = 1000;

/// Smallest memory size of Lambda in MB.
pub const SMALLEST: u32 = 128;

/// Largest memory size of Lambda in MB.
pub const LARGEST: u32 = 10_240;

/// The alias that is a run's lock on the function; temporary aliases are called after it. No alias of the user's may be.
pub const LOCK_ALIAS: &str = "deployer-tuning";

/// A checked execution input.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// `lambdaARN`: the function to tune.
    pub lambda_arn: LambdaArn,
    /// Its version or alias, with [`Tune::Copy`] only; none for `$LATEST`.
    pub qualifier: Option<Qualifier>,
    /// `tune`: the function itself, or copies of it.
    pub tune: Tune,
    /// `powerValues`: memory sizes in MB, sorted, each once; the stack's defaults when the input has none. None with `search`.
    pub power_values: Vec<u32>,
    /// `powerValues: "AUTO"`: the sizes are searched for.
    pub search: Option<Search>,
    /// `num`: invocations per power value, at least [`MIN_NUM`]. See [`Input::invocations`] for what is really made. With `search`: of all
    /// of them, at most.
    pub num: u32,
    /// `payload`: what is sent; `None` for nothing (which is sent as `null`).
    pub payload: Option<Value>,
    /// `payloadS3`: where the payload is instead; wins over `payload`.
    pub payload_s3: Option<S3Object>,
    /// `parallelInvocation`: all invocations of one power value at once.
    pub parallel_invocation: bool,
    /// `strategy`: what the winner is chosen by.
    pub strategy: Strategy,
    /// `balancedWeight`: 0 is speed, 1 is cost; clamped to that.
    pub balanced_weight: f64,
    /// `autoOptimize`: apply the winner.
    pub auto_optimize: bool,
    /// `autoOptimizeAlias`: publish the winner under this alias instead. Looked at only with `auto_optimize`.
    pub auto_optimize_alias: Option<String>,
    /// `dryRun`: one invocation per power value, no analysis, no optimisation.
    pub dry_run: bool,
    /// `preProcessorARN`: invoked before every invocation.
    pub pre_processor_arn: Option<String>,
    /// `postProcessorARN`: invoked after every invocation.
    pub post_processor_arn: Option<String>,
    /// `discardTopBottom`: the share trimmed from each end before averaging, clamped to 0–0.4; 0 with `only_cold_starts`.
    pub discard_top_bottom: f64,
    /// `sleepBetweenRunsMs`: pause between invocations in series.
    pub sleep_between_runs_ms: u64,
    /// `disablePayloadLogs`: no payload in any log or error text.
    pub disable_payload_logs: bool,
    /// `includeOutputResults`: put every power value's figures into the output.
    pub include_output_results: bool,
    /// `onlyColdStarts`: every invocation on an environment of its own.
    pub only_cold_starts: bool,
    /// `allowedExceptions`: error types that count as a normal result.
    pub allowed_exceptions: Vec<String>,
    /// `gate`: limits for the winner; one that exceeds them is not applied.
    pub gate: Option<Gate>,
    /// `coldStarts`: whether cold starts are in averages and choice. With `only_cold_starts`, where there is nothing else, they are.
    pub cold_starts: ColdStarts,
    /// `budget`: the run measures no further once it has cost this much, in the currency of the function's region.
    pub budget: Option<f64>,
    /// `progressSeconds`: how soon an Executor tells for the first time how far it is.
    pub progress_seconds: Option<u64>,
    /// `limit`: the cheapest size that keeps it is chosen.
    pub limit: Option<Limit>,
    /// `lanes`: execution environments of a size that are invoked side by side.
    pub lanes: u32,
    /// `roleARN`: the role of the function's account that is assumed for every call about it.
    pub role_arn: Option<String>,
    /// `maxConcurrency`: invocations that are under way at once, of all sizes together. Where it is not given, copies keep to what is
    /// theirs (the Initializer knows), and nothing else is limited.
    pub max_concurrency: Option<u32>,
    /// `architectures`: the processors that copies are measured on, each once; none for the function's own.
    pub architectures: Vec<Architecture>,
    /// `codeArm64`: the code of copies for that processor, instead of the function's.
    pub code_arm64: Option<S3Object>,
    /// `codeX86`: the same for the other one.
    pub code_x86: Option<S3Object>,
    /// What was read but has no effect, or not the one that was written: clamped values, fields without the field they belong to.
    pub warnings: Vec<Problem>,
}

/// How sizes are searched for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Search {
    /// Smallest and largest size, in MB.
    pub range: (u32, u32),
    /// `tolerance`: by how much the chosen size may be off the best one, as a share of it.
    pub tolerance: f64,
    /// `confidence`: how sure of that the search has to be in order to stop, 0 to 1.
    pub confidence: f64,
    /// `maxInvocations`: after how many invocations of all sizes together it stops at the latest.
    pub max_invocations: u32,
}

/// An object in S3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Object {
    /// The bucket's name.
    pub bucket: String,
    /// The object's key.
    pub key: String,
}

impl std::fmt::Display for S3Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

impl Input {
    /// Checks an execution input. `defaults` has the power values of the stack, for an input without any.
    ///
    /// # Errors
    /// Every problem there is, in the order the fields are documented.
    pub fn parse(value: &Value, defaults: &Defaults) -> Result<Self, Problems> {
        let mut read = Reader::new(value)?;
        let whole = match Tune::of_input(value) {
            Tune::InPlace => read::latest_arn,
            Tune::Copy => read::function_arn,
        };
        let (lambda_arn, qualifier) = read.required(fields::LAMBDA_ARN, whole);
        let power_values = power_values::read(&mut read, defaults);
        let (tolerance, confidence) = (read.share(fields::TOLERANCE), read.share(fields::CONFIDENCE));
        let max_invocations = read.whole(fields::MAX_INVOCATIONS).map(|most| most as u32);
        let search = match power_values {
            PowerValues::List(_) => None,
            PowerValues::Auto(from, to) => Some(Search {
                range: (from, to),
                tolerance: tolerance.unwrap_or(0.01),
                confidence: confidence.unwrap_or(0.95),
                max_invocations: max_invocations.unwrap_or(120),
            }),
        };
        let input = Self {
            lambda_arn,
            qualifier,
            power_values: power_values.list(),
            search,
            num: match search {
                Some(search) => search.max_invocations,
                None => read.required(fields::NUM, |value| {
                    read::integer(value, MIN_NUM.into(), MAX_NUM.into()).map(|num| num as u32)
                }),
            },
            payload: read.value(fields::PAYLOAD).cloned(),
            payload_s3: read.optional(fields::PAYLOAD_S3, read::s3_object),
            parallel_invocation: read.flag(fields::PARALLEL_INVOCATION),
            strategy: read.word(fields::STRATEGY).unwrap_or_default(),
            balanced_weight: read.share(fields::BALANCED_WEIGHT).unwrap_or(0.5),
            auto_optimize: read.flag(fields::AUTO_OPTIMIZE),
            auto_optimize_alias: read.optional(fields::AUTO_OPTIMIZE_ALIAS, read::alias),
            dry_run: read.flag(fields::DRY_RUN),
            pre_processor_arn: read.optional(fields::PRE_PROCESSOR_ARN, read::processor),
            post_processor_arn: read.optional(fields::POST_PROCESSOR_ARN, read::processor),
            discard_top_bottom: read.share(fields::DISCARD_TOP_BOTTOM).unwrap_or(0.2),
            sleep_between_runs_ms: read.whole(fields::SLEEP_BETWEEN_RUNS_MS).unwrap_or_default(),
            disable_payload_logs: read.flag(fields::DISABLE_PAYLOAD_LOGS),
            include_output_results: read.flag(fields::INCLUDE_OUTPUT_RESULTS),
            only_cold_starts: read.flag(fields::ONLY_COLD_STARTS),
            allowed_exceptions: read.optional(fields::ALLOWED_EXCEPTIONS, read::texts).unwrap_or_default(),
            gate: read.optional(fields::GATE, read::gate),
            cold_starts: read.word(fields::COLD_STARTS).unwrap_or_default(),
            budget: read.amount(fields::BUDGET),
            progress_seconds: read.whole(fields::PROGRESS_SECONDS),
            limit: read.optional(fields::LIMIT, Limit::read),
            lanes: read.whole(fields::LANES).map_or(1, |lanes| lanes as u32),
            max_concurrency: read.whole(fields::MAX_CONCURRENCY).map(|most| most as u32),
            architectures: read.words(fields::ARCHITECTURES),
            code_arm64: read.optional(fields::CODE_ARM64, read::s3_object),
            code_x86: read.optional(fields::CODE_X86, read::s3_object),
            tune: read.word(fields::TUNE).unwrap_or_default(),
            role_arn: read.optional(fields::ROLE_ARN, read::role),
            warnings: Vec::new(),
        };
        input.combined(read)
    }

    /// Invocations that are made per power value: `num`, or one in a dry run.
    pub fn invocations(&self) -> u32 {
        if self.dry_run { 1 } else { self.num }
    }

    /// Execution environments of a size that are invoked side by side, unless something limits them. A search decides itself.
    pub fn environments(&self) -> u32 {
        if self.parallel_invocation { self.invocations() } else { self.lanes.min(self.invocations()).max(1) }
    }

    /// Whether two processors are measured side by side, each size in turns on both.
    pub fn compares(&self) -> bool {
        self.architectures.len() > 1
    }

    /// Invocations that are made per power value, on all processors together.
    pub fn all_invocations(&self) -> u32 {
        let processors = u32::try_from(self.architectures.len()).unwrap_or(u32::MAX);
        self.invocations().saturating_mul(processors.max(1))
    }

    /// The code of copies for a processor, where that is not the function's.
    pub fn code_for(&self, architecture: Architecture) -> Option<&S3Object> {
        match architecture {
            Architecture::Arm64 => self.code_arm64.as_ref(),
            Architecture::X86_64 => self.code_x86.as_ref(),
        }
    }

    /// Whether cold starts are made in bursts: all invocations of a size at once, each of which gets an environment of its own where
    /// none is free.
    pub fn in_bursts(&self) -> bool {
        self.only_cold_starts && self.parallel_invocation && !self.dry_run
    }

    /// The payloads of one power value's invocations, when they are in the input; for those in S3 see [`Plan::from_object`].
    ///
    /// # Errors
    /// None on an input that was parsed without problems.
    pub fn payload_plan(&self) -> Result<Plan, PlanError> {
        match self.search {
            Some(search) => Plan::in_turns(self.payload.as_ref(), search.max_invocations),
            None => Plan::new(self.payload.as_ref(), self.invocations()),
        }
    }

    /// How averages are taken.
    pub fn averages(&self) -> Averages {
        Averages { discard: self.discard_top_bottom, cold_starts: self.cold_starts, limit: self.limit }
    }

    /// What is searched for, if anything is.
    pub fn task(&self) -> Option<Task> {
        let Search { range, tolerance, confidence, max_invocations } = self.search?;
        Some(Task { tolerance, confidence, max_invocations, ..self.task_over(range) })
    }

    /// What is best among the sizes from the first to the last, in MB.
    pub fn task_over(&self, (lowest, highest): (u32, u32)) -> Task {
        let aim = match (self.limit, self.strategy) {
            (Some(limit), _) => Aim::Limit { share: limit.percentile / 100.0, ms: limit.ms },
            (None, Strategy::Cost) => Aim::Cost,
            (None, Strategy::Speed) => Aim::Speed,
            (None, Strategy::Balanced) => Aim::Balanced { weight: self.balanced_weight },
        };
        Task {
            lowest,
            highest,
            aim,
            tolerance: 0.01,
            confidence: 0.95,
            max_rounds: MAX_ROUNDS,
            max_invocations: u32::MAX,
            besides_mb: 0.0,
        }
    }

    /// What the search decides itself, and what does not go with it.
    fn searching(&mut self, read: &mut Reader<'_>) {
        if self.only_cold_starts {
            read.problem(
                fields::ONLY_COLD_STARTS,
                "does not go with powerValues: \"AUTO\", which judges by warm invocations: give a list of memory sizes",
            );
        }
        let decides = "has no effect with powerValues: \"AUTO\", which decides it itself";
        if read.has(fields::NUM) {
            read.warn(fields::NUM, "has no effect with powerValues: \"AUTO\": see maxInvocations");
        }
        if std::mem::take(&mut self.parallel_invocation) {
            read.warn(fields::PARALLEL_INVOCATION, decides);
        }
        if read.has(fields::LANES) {
            read.warn(fields::LANES, decides);
        }
        if read.has(fields::COLD_STARTS) && self.cold_starts == ColdStarts::Include {
            read.warn(fields::COLD_STARTS, "is \"apart\" with powerValues: \"AUTO\"");
        }
        self.cold_starts = ColdStarts::Apart;
    }

    /// What cannot be applied after copies were measured.
    fn copying(&self, read: &mut Reader<'_>) {
        let way_out = "use tune: \"in-place\", or leave it out";
        if self.auto_optimize && self.auto_optimize_alias.is_some() {
            let problem = format!(
                "does not go with tune: \"copy\", which publishes no version of the function: {way_out}"
            );
            read.problem(fields::AUTO_OPTIMIZE_ALIAS, problem);
        }
        if let Some(qualifier) = self.qualifier.as_ref().filter(|_| self.auto_optimize) {
            let (kind, name) = (qualifier.kind(), qualifier.as_str());
            let problem = format!(
                "would change $LATEST, and what is measured is the {kind} '{name}': give the function without it, or leave \
                 autoOptimize out"
            );
            read.problem(fields::AUTO_OPTIMIZE, problem);
        }
    }

    /// What goes with processors, and what they need.
    fn processors(&mut self, read: &mut Reader<'_>) {
        let given = [fields::ARCHITECTURES, fields::CODE_ARM64, fields::CODE_X86];
        if self.tune == Tune::InPlace {
            let given: Vec<_> = given.into_iter().filter(|field| read.has(*field)).collect();
            for field in given {
                read.problem(
                    field,
                    "needs tune: \"copy\", since the function itself has one processor and one code: give that, or leave it out",
                );
            }
            return;
        }
        for (field, architecture) in
            [(fields::CODE_ARM64, Architecture::Arm64), (fields::CODE_X86, Architecture::X86_64)]
        {
            let named = self.architectures.is_empty() || self.architectures.contains(&architecture);
            if read.has(field) && !named {
                read.warn(field, format!("has no effect: architectures does not have {architecture}"));
            }
        }
        if !self.compares() {
            return;
        }
        let with = "does not go with two architectures";
        if self.search.is_some() {
            let problem = format!("{with}, which are compared size by size: give a list of memory sizes");
            read.problem(fields::POWER_VALUES, problem);
        }
        if self.only_cold_starts {
            read.problem(
                fields::ONLY_COLD_STARTS,
                format!("{with}, which are compared by warm invocations: leave it out, or name one of them"),
            );
        }
        if self.parallel_invocation {
            read.problem(
                fields::PARALLEL_INVOCATION,
                format!("{with}, which take turns: use lanes instead, or name one of them"),
            );
        }
        if self.lanes < LEAST_COMPARED {
            if read.has(fields::LANES) {
                let why = "with fewer nobody can say how sure the difference between two architectures is";
                read.warn(fields::LANES, format!("is {}, taken as {LEAST_COMPARED}: {why}", self.lanes));
            }
            self.lanes = LEAST_COMPARED;
        }
        // The first wave is cold, and one alone says nothing of how waves differ.
        let least = 3 * self.lanes;
        if self.search.is_none() && !self.dry_run && self.num < least && read.is_fine(fields::NUM) {
            let problem = format!(
                "is {}: two architectures are compared by waves of {} invocations, of which the first are cold: use {least} or more",
                self.num, self.lanes
            );
            read.problem(fields::NUM, problem);
        }
    }

    /// The checks that look at several fields, and the end of parsing.
    fn combined(mut self, mut read: Reader<'_>) -> Result<Self, Problems> {
        if self.payload_s3.is_some() {
            if self.payload.take().is_some() {
                read.warn(fields::PAYLOAD, "is not used: payloadS3 wins");
            }
        } else if read.is_fine(fields::NUM)
            && read.is_fine(fields::DRY_RUN)
            && let Err(error) = self.payload_plan()
        {
            read.problem(fields::PAYLOAD, format!("does not fit: {error}"));
        }

        match self.search {
            Some(_) => self.searching(&mut read),
            None => {
                for field in [fields::TOLERANCE, fields::CONFIDENCE, fields::MAX_INVOCATIONS] {
                    if read.has(field) {
                        read.warn(field, "has no effect without powerValues: \"AUTO\"");
                    }
                }
            }
        }
        if self.tune == Tune::Copy {
            self.copying(&mut read);
        }
        if let Some(role) = self.role_arn.as_deref().filter(|_| read.is_fine(fields::LAMBDA_ARN)) {
            let (theirs, account) = (role.split(':').nth(4).unwrap_or_default(), &self.lambda_arn.account);
            if theirs != account {
                read.problem(
                    fields::ROLE_ARN,
                    format!("is a role of the account {theirs}, and the function is in {account}: name a role of that account"),
                );
            }
        }
        self.processors(&mut read);
        if self.lanes > 1 && self.parallel_invocation {
            read.warn(fields::LANES, "has no effect with parallelInvocation: true");
        }
        if self.limit.is_some() && read.has(fields::STRATEGY) && self.strategy != Strategy::Cost {
            read.warn(
                fields::STRATEGY,
                "has no effect with limit, which chooses the cheapest size that keeps it",
            );
        }
        let alias_without_effect = self.auto_optimize_alias.is_some() && !self.auto_optimize;
        if alias_without_effect {
            read.warn(fields::AUTO_OPTIMIZE_ALIAS, "has no effect without autoOptimize: true");
        }
        if read.has(fields::BALANCED_WEIGHT) && self.strategy != Strategy::Balanced {
            read.warn(fields::BALANCED_WEIGHT, "has no effect without strategy: \"balanced\"");
        }
        if self.sleep_between_runs_ms > 0 && self.parallel_invocation {
            read.warn(fields::SLEEP_BETWEEN_RUNS_MS, "has no effect with parallelInvocation: true");
        }
        if self.only_cold_starts {
            if read.has(fields::DISCARD_TOP_BOTTOM) && self.discard_top_bottom > 0.0 {
                read.warn(fields::DISCARD_TOP_BOTTOM, "is 0 with onlyColdStarts: true");
            }
            self.discard_top_bottom = 0.0;
            if self.cold_starts == ColdStarts::Apart {
                read.warn(fields::COLD_STARTS, "has no effect with onlyColdStarts: true");
            }
            self.cold_starts = ColdStarts::Include;
        }
        if self.dry_run && self.auto_optimize {
            read.warn(fields::AUTO_OPTIMIZE, "has no effect with dryRun: true");
        }
        if self.dry_run && self.gate.is_some() {
            read.warn(fields::GATE, "has no effect with dryRun: true");
        }
        self.warnings = read.finish()?;
        Ok(self)
    }
}
