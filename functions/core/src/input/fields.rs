//! The table of the execution input's fields: what each is called, which values it takes, and what it is when it is not given.
//! [`super::Input::parse`] reads by it, and so do the program's options, its documentation and the search for slips of the pen.

use super::{LEAST_INVOCATIONS, MAX_NUM, MIN_NUM, MOST_AT_ONCE, MOST_INVOCATIONS, MOST_LANES};

/// A field of the execution input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Field {
    /// Its name in the JSON.
    pub name: &'static str,
    /// The values it takes.
    pub form: Form,
    /// What it is when it is not given, in words; empty when there is no such thing.
    pub default: &'static str,
}

/// The values a field takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Form {
    /// The ARN of the function to tune; with copies, also of one of its versions or aliases.
    Function,
    /// The ARN of a function to invoke, with or without version or alias.
    Processor,
    /// Memory sizes in MB.
    PowerValues,
    /// A whole number within bounds.
    Whole(u64, u64),
    /// A number from 0 to this one; others are clamped, with a warning.
    Share(f64),
    /// Yes or no.
    Flag,
    /// An amount above zero.
    Amount,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Any JSON.
    Json,
    /// `s3://bucket/key`.
    Object,
    /// An alias of the function.
    Alias,
    /// The ARN of a role.
    Role,
    /// A list of texts.
    Texts,
    /// A list of these words.
    Words(&'static [&'static str]),
    /// Limits for the result.
    Gate,
    /// A percentile of the duration and what it may be.
    Limit,
}

const fn field(name: &'static str, form: Form, default: &'static str) -> Field {
    Field { name, form, default }
}

/// The function to tune.
pub const LAMBDA_ARN: Field = field("lambdaARN", Form::Function, "");
/// The memory sizes.
pub const POWER_VALUES: Field = field("powerValues", Form::PowerValues, "the stack's");
/// Invocations of each.
pub const NUM: Field = field("num", Form::Whole(MIN_NUM as u64, MAX_NUM as u64), "");
/// What is sent.
pub const PAYLOAD: Field = field("payload", Form::Json, "");
/// Where it is instead.
pub const PAYLOAD_S3: Field = field("payloadS3", Form::Object, "");
/// All invocations of a size at once.
pub const PARALLEL_INVOCATION: Field = field("parallelInvocation", Form::Flag, "false");
/// What the winner is chosen by.
pub const STRATEGY: Field = field("strategy", Form::Word(&["cost", "speed", "balanced"]), "cost");
/// The weight of cost against speed.
pub const BALANCED_WEIGHT: Field = field("balancedWeight", Form::Share(1.0), "0.5");
/// Whether the winner is applied.
pub const AUTO_OPTIMIZE: Field = field("autoOptimize", Form::Flag, "false");
/// The alias it is applied to.
pub const AUTO_OPTIMIZE_ALIAS: Field = field("autoOptimizeAlias", Form::Alias, "");
/// One invocation of each size and nothing else.
pub const DRY_RUN: Field = field("dryRun", Form::Flag, "false");
/// Invoked before every invocation.
pub const PRE_PROCESSOR_ARN: Field = field("preProcessorARN", Form::Processor, "");
/// Invoked after every invocation.
pub const POST_PROCESSOR_ARN: Field = field("postProcessorARN", Form::Processor, "");
/// The share trimmed from each end.
pub const DISCARD_TOP_BOTTOM: Field = field("discardTopBottom", Form::Share(0.4), "0.2");
/// The pause between invocations; no function can sleep longer than it may run.
pub const SLEEP_BETWEEN_RUNS_MS: Field = field("sleepBetweenRunsMs", Form::Whole(0, 900_000), "0");
/// No payload in any log.
pub const DISABLE_PAYLOAD_LOGS: Field = field("disablePayloadLogs", Form::Flag, "false");
/// Every size's figures in the output.
pub const INCLUDE_OUTPUT_RESULTS: Field = field("includeOutputResults", Form::Flag, "false");
/// Every invocation a cold start.
pub const ONLY_COLD_STARTS: Field = field("onlyColdStarts", Form::Flag, "false");
/// Error types that are a normal result.
pub const ALLOWED_EXCEPTIONS: Field = field("allowedExceptions", Form::Texts, "");
/// Whether cold starts are in the averages.
pub const COLD_STARTS: Field = field("coldStarts", Form::Word(&["include", "apart"]), "include");
/// What the run may cost.
pub const BUDGET: Field = field("budget", Form::Amount, "");
/// How soon an Executor tells for the first time how far it is.
pub const PROGRESS_SECONDS: Field = field("progressSeconds", Form::Whole(1, 900), "");
/// What the result must keep to, else nothing is applied.
pub const GATE: Field = field("gate", Form::Gate, "");

/// The cheapest size that keeps it is chosen.
pub const LIMIT: Field = field("limit", Form::Limit, "");
/// Execution environments of a size that are invoked side by side.
pub const LANES: Field = field("lanes", Form::Whole(1, MOST_LANES as u64), "1");
/// Invocations that are under way at once, of all sizes together.
pub const MAX_CONCURRENCY: Field = field("maxConcurrency", Form::Whole(1, MOST_AT_ONCE as u64), "");
/// With AUTO: by how much the chosen size may be off the best one.
pub const TOLERANCE: Field = field("tolerance", Form::Share(0.5), "0.01");
/// With AUTO: how sure of that the search has to be in order to stop.
pub const CONFIDENCE: Field = field("confidence", Form::Share(0.999), "0.95");
/// With AUTO: invocations of all sizes together.
pub const MAX_INVOCATIONS: Field =
    field("maxInvocations", Form::Whole(LEAST_INVOCATIONS as u64, MOST_INVOCATIONS as u64), "120");

/// What is measured: the function itself, or copies of it.
pub const TUNE: Field = field("tune", Form::Word(&["in-place", "copy"]), "in-place");

/// With copies: the processors that they are measured on.
pub const ARCHITECTURES: Field =
    field("architectures", Form::Words(&["x86_64", "arm64"]), "the function's own");
/// With copies: the code for arm64.
pub const CODE_ARM64: Field = field("codeArm64", Form::Object, "the function's own");
/// With copies: the code for x86_64.
pub const CODE_X86: Field = field("codeX86", Form::Object, "the function's own");

/// The role of the function's account that is assumed for every call about it.
pub const ROLE_ARN: Field = field("roleARN", Form::Role, "");

/// Every field, as documented.
pub const FIELDS: [Field; 34] = [
    LAMBDA_ARN,
    POWER_VALUES,
    NUM,
    PAYLOAD,
    PAYLOAD_S3,
    PARALLEL_INVOCATION,
    STRATEGY,
    BALANCED_WEIGHT,
    AUTO_OPTIMIZE,
    AUTO_OPTIMIZE_ALIAS,
    DRY_RUN,
    PRE_PROCESSOR_ARN,
    POST_PROCESSOR_ARN,
    DISCARD_TOP_BOTTOM,
    SLEEP_BETWEEN_RUNS_MS,
    DISABLE_PAYLOAD_LOGS,
    INCLUDE_OUTPUT_RESULTS,
    ONLY_COLD_STARTS,
    ALLOWED_EXCEPTIONS,
    GATE,
    COLD_STARTS,
    BUDGET,
    PROGRESS_SECONDS,
    LIMIT,
    LANES,
    MAX_CONCURRENCY,
    TOLERANCE,
    CONFIDENCE,
    MAX_INVOCATIONS,
    TUNE,
    ROLE_ARN,
    ARCHITECTURES,
    CODE_ARM64,
    CODE_X86,
];
