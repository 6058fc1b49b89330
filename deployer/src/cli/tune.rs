//! The arguments of the verbs that deal with a function: `tune`, `cleanup`, `demo`.

use clap::Args;
use serde::Serialize;

use super::{EVERYWHERE, is_false};

/// `tune`: `-h` shows what is used most, `--help` all of it.
#[derive(Debug, Clone, Default, Args, Serialize)]
#[command(after_help = EVERYWHERE)]
#[serde(rename_all = "kebab-case")]
pub struct TuneArgs {
    /// The function's name or ARN; with --code it may be left out
    #[serde(skip)]
    pub(crate) function: Option<String>,
    /// Execution input to start from: a JSON file, or - for stdin; flags win over it
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub(crate) input: Option<String>,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) measure: MeasureArgs,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) apply: ApplyArgs,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) run: RunArgs,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) code: CodeArgs,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) report: ReportArgs,
}

/// Where it runs, and whether it is waited for. Ctrl-C stops a run that is waited for; one that is attached to goes on.
#[derive(Debug, Clone, Default, Args, Serialize)]
#[command(next_help_heading = "Running")]
#[serde(rename_all = "kebab-case")]
pub struct RunArgs {
    /// State machine of any deployment, instead of this stack's
    #[arg(long, value_name = "ARN", hide_short_help = true)]
    pub(crate) state_machine_arn: Option<String>,
    /// Start it, say how to come back to it, and end
    #[arg(long)]
    #[serde(skip)]
    pub(crate) detach: bool,
    /// Follow one that was started before; Ctrl-C leaves it running
    #[arg(
        long,
        value_name = "EXECUTION",
        conflicts_with_all = ["function", "input", "detach", "code", "payload", "payload_file", "payload_s3"]
    )]
    #[serde(skip)]
    pub(crate) attach: Option<String>,
}

/// How the function is measured.
#[derive(Debug, Clone, Default, Args, Serialize)]
#[command(next_help_heading = "Measuring")]
#[serde(rename_all = "kebab-case")]
pub struct MeasureArgs {
    /// In MB: 128,512,1024, ALL, or FROM-TO:STEP [default: the stack's]
    #[arg(long, value_name = "LIST")]
    pub(crate) power_values: Option<String>,
    /// Invocations per memory size, at least 5 [default: 20]
    #[arg(long, value_name = "N")]
    pub(crate) num: Option<String>,
    /// JSON for each invocation; [{"payload":…,"weight":…},…] is weighted
    #[arg(long, value_name = "JSON", conflicts_with = "payload_file")]
    pub(crate) payload: Option<String>,
    /// The same from a file
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub(crate) payload_file: Option<String>,
    /// The same from S3, for large payloads
    #[arg(long, value_name = "S3_URI", hide_short_help = true)]
    pub(crate) payload_s3: Option<String>,
    /// All invocations of a memory size at once
    #[arg(long)]
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) parallel_invocation: bool,
    /// Every invocation a cold start
    #[arg(long, hide_short_help = true)]
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) only_cold_starts: bool,
    /// One invocation per memory size and no analysis
    #[arg(long)]
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) dry_run: bool,
    /// Pause between invocations in series, in milliseconds
    #[arg(long, value_name = "MS", hide_short_help = true)]
    pub(crate) sleep_between_runs_ms: Option<String>,
    /// Share trimmed from each end before averaging, 0 to 0.4 [default: 0.2]
    #[arg(long, value_name = "SHARE", hide_short_help = true)]
    pub(crate) discard_top_bottom: Option<String>,
    /// Function invoked before each invocation; its answer replaces the payload
    #[arg(long, value_name = "ARN", hide_short_help = true)]
    pub(crate) pre_processor_arn: Option<String>,
    /// Function invoked after each invocation
    #[arg(long, value_name = "ARN", hide_short_help = true)]
    pub(crate) post_processor_arn: Option<String>,
    /// Error types that count as a normal result
    #[arg(long, value_name = "LIST", hide_short_help = true)]
    pub(crate) allowed_exceptions: Option<String>,
    /// No payload in any log or error text
    #[arg(long, hide_short_help = true)]
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) disable_payload_logs: bool,
}

/// What is made of the measurements.
#[derive(Debug, Clone, Default, Args, Serialize)]
#[command(next_help_heading = "Choosing")]
#[serde(rename_all = "kebab-case")]
pub struct ApplyArgs {
    /// cost, speed or balanced [default: cost]
    #[arg(long, value_name = "NAME")]
    pub(crate) strategy: Option<String>,
    /// For balanced: 0 is speed, 1 is cost [default: 0.5]
    #[arg(long, value_name = "0-1", hide_short_help = true)]
    pub(crate) balanced_weight: Option<String>,
    /// Give the function the chosen memory size
    #[arg(long)]
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) auto_optimize: bool,
    /// With --auto-optimize: publish it and point this alias at it instead
    #[arg(long, value_name = "ALIAS", hide_short_help = true)]
    pub(crate) auto_optimize_alias: Option<String>,
    /// End with status 3 when the chosen size takes longer on average
    #[arg(long, value_name = "MS", hide_short_help = true)]
    pub(crate) max_duration_ms: Option<String>,
    /// End with status 3 when an invocation at the chosen size costs more, in USD
    #[arg(long, value_name = "USD", hide_short_help = true)]
    pub(crate) max_cost: Option<String>,
}

/// The function itself, created on the spot.
#[derive(Debug, Clone, Default, Args, Serialize)]
#[command(next_help_heading = "A function on this machine (--local)")]
#[serde(rename_all = "kebab-case")]
pub struct CodeArgs {
    /// Folder or zip with a `bootstrap`, Python or Node.js in it
    #[arg(long, value_name = "DIR|ZIP")]
    #[serde(skip)]
    pub(crate) code: Option<String>,
    /// Its handler, such as app.handler [default: the one of Lambda's console]
    #[arg(long, value_name = "NAME", requires = "code")]
    #[serde(skip)]
    pub(crate) handler: Option<String>,
    /// Its runtime, such as python3.13 or nodejs22.x [default: by what is in the folder]
    #[arg(long, value_name = "NAME", requires = "code", hide_short_help = true)]
    #[serde(skip)]
    pub(crate) runtime: Option<String>,
    /// Tune again whenever the code changes, and show the difference; Ctrl-C ends it
    #[arg(long, requires = "code", conflicts_with_all = ["detach", "open"], hide_short_help = true)]
    #[serde(skip)]
    pub(crate) watch: bool,
    /// A variable of its environment; may be repeated
    #[arg(long, value_name = "K=V", requires = "code", hide_short_help = true)]
    #[serde(skip)]
    pub(crate) env: Vec<String>,
    /// Folder or zip of a layer, found in /opt as on AWS; may be repeated, later ones over earlier ones
    #[arg(long, value_name = "DIR|ZIP", requires = "code", hide_short_help = true)]
    #[serde(skip)]
    pub(crate) layer: Vec<String>,
    /// Its time-out in seconds, 1 to 900 [default: 60]
    #[arg(long, value_name = "SECONDS", requires = "code", hide_short_help = true)]
    #[serde(skip)]
    pub(crate) timeout: Option<String>,
}

/// How the result is shown.
#[derive(Debug, Clone, Default, Args, Serialize)]
#[command(next_help_heading = "Result")]
#[serde(rename_all = "kebab-case")]
pub struct ReportArgs {
    /// As Markdown, for a pull request or a wiki
    #[arg(long, conflicts_with = "json")]
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) markdown: bool,
    /// Open the chart in a browser
    #[arg(long)]
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) open: bool,
    /// With --local: durations on a core of Lambda too, as `deployer local calibrate` tells its speed
    #[arg(long, hide_short_help = true)]
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) calibrated: bool,
    /// With --json: the figures of every memory size as well
    #[arg(long, hide_short_help = true)]
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) include_output_results: bool,
}

/// `cleanup`
#[derive(Debug, Clone, Default, Args, Serialize)]
#[command(after_help = EVERYWHERE)]
pub struct CleanupArgs {
    /// The function's name or ARN
    #[serde(skip)]
    pub(crate) function: String,
}
