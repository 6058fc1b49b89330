//! The arguments of the verbs that deal with the stack and its assets.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::{EVERYWHERE, is_false};

/// The stack's parameters. What is not given keeps the value it was deployed with.
#[derive(Debug, Clone, Default, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ParameterArgs {
    /// Memory sizes to try by default: 128,512 or ALL
    #[arg(long, value_name = "LIST")]
    pub(crate) power_values: Option<String>,
    /// Where the chart page is hosted
    #[arg(long, value_name = "URL")]
    pub(crate) visualization_url: Option<String>,
    /// Host the chart page in the stack; =false ends that
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) host_visualization: Option<String>,
    /// Functions that may be tuned; may have wildcards
    #[arg(long, value_name = "ARN")]
    pub(crate) lambda_resource: Option<String>,
    /// Further functions that may be pre- and post-processors; may have wildcards
    #[arg(long, value_name = "ARN")]
    pub(crate) processor_resource: Option<String>,
    /// Aliases that --auto-optimize-alias may name; may have wildcards
    #[arg(long, value_name = "LIST")]
    pub(crate) optimizable_aliases: Option<String>,
    /// Customer managed KMS keys of the functions to tune
    #[arg(long, value_name = "LIST")]
    pub(crate) kms_key_arns: Option<String>,
    /// Time for one pass of measuring, 10 to 900
    #[arg(long, value_name = "SECONDS")]
    pub(crate) total_execution_timeout: Option<String>,
    /// Policy that bounds every role of the stack
    #[arg(long, value_name = "ARN")]
    pub(crate) permissions_boundary: Option<String>,
    /// Bucket that payloads may be read from
    #[arg(long, value_name = "BUCKET")]
    pub(crate) payload_s3_bucket: Option<String>,
    /// Keys that may be read in it; may have wildcards
    #[arg(long, value_name = "KEY")]
    pub(crate) payload_s3_key: Option<String>,
    /// How long logs are kept
    #[arg(long, value_name = "DAYS")]
    pub(crate) log_retention_days: Option<String>,
    /// Security groups, to run inside a VPC
    #[arg(long, value_name = "LIST")]
    pub(crate) security_group_ids: Option<String>,
    /// Subnets, to run inside a VPC
    #[arg(long, value_name = "LIST")]
    pub(crate) subnet_ids: Option<String>,
    /// What the state machine's name begins with
    #[arg(long, value_name = "PREFIX")]
    pub(crate) state_machine_name_prefix: Option<String>,
}

/// How the stack is deployed.
#[derive(Debug, Clone, Default, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DeployArgs {
    /// arm64 or x86_64 [default: arm64; with --local this machine's]
    #[arg(long, value_name = "NAME")]
    pub(crate) architecture: Option<String>,
    /// Tags of the stack and its resources: team=web,env=test
    #[arg(long, value_name = "LIST")]
    pub(crate) tags: Vec<String>,
    /// The role CloudFormation takes on
    #[arg(long, value_name = "ARN")]
    pub(crate) role_arn: Option<String>,
    /// A bucket for the assets, instead of one that is made for them
    #[arg(long, value_name = "BUCKET")]
    pub(crate) assets_bucket: Option<String>,
}

/// `up`
#[derive(Debug, Clone, Default, Args, Serialize)]
#[command(after_help = EVERYWHERE)]
pub struct UpArgs {
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) deploy: DeployArgs,
    #[command(flatten, next_help_heading = "Parameters (those not given keep their deployed value)")]
    #[serde(flatten)]
    pub(crate) parameters: ParameterArgs,
}

/// `preview`
#[derive(Debug, Clone, Default, Args, Serialize)]
#[command(after_help = EVERYWHERE)]
#[serde(rename_all = "kebab-case")]
pub struct PreviewArgs {
    /// End with 0 when nothing would change, 2 when something would, 1 on failure
    #[arg(long)]
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) detailed_exitcode: bool,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) deploy: DeployArgs,
    #[command(flatten, next_help_heading = "Parameters (those not given keep their deployed value)")]
    #[serde(flatten)]
    pub(crate) parameters: ParameterArgs,
}

/// `synth`
#[derive(Debug, Clone, Default, Args, Serialize)]
#[command(after_help = EVERYWHERE)]
pub struct SynthArgs {
    /// Write template.json and the assets it names here, instead of the template to stdout
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<String>,
    /// Processor of the functions: arm64 or x86_64 [default: arm64]
    #[arg(long, value_name = "NAME")]
    pub(crate) architecture: Option<String>,
}

/// `build`
#[derive(Debug, Clone, Args)]
#[command(after_help = EVERYWHERE)]
pub struct BuildArgs {
    #[command(subcommand)]
    pub(crate) what: BuildWhat,
}

/// What is to be built.
#[derive(Debug, Clone, Subcommand)]
pub enum BuildWhat {
    /// The zip that holds the six Lambda functions
    #[command(after_help = EVERYWHERE)]
    Functions(BuildFunctionsArgs),
    /// The chart page, ready for any static host
    #[command(after_help = EVERYWHERE)]
    Web(BuildWebArgs),
    /// A folder with all that is needed to deploy, for machines without Rust
    #[command(after_help = EVERYWHERE)]
    Release(BuildReleaseArgs),
}

/// `build release`
#[derive(Debug, Clone, Default, Args, Serialize)]
pub struct BuildReleaseArgs {
    /// Where it goes: a folder that is empty, or holds an older release
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<String>,
}

/// `build functions`
#[derive(Debug, Clone, Default, Args, Serialize)]
pub struct BuildFunctionsArgs {
    /// Where functions-<ARCHITECTURE>.zip goes
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<String>,
    /// For AWS: arm64, x86_64 or both [default: quickly, for this machine]
    #[arg(long, value_name = "NAME")]
    pub(crate) architecture: Option<String>,
}

/// `build web`
#[derive(Debug, Clone, Default, Args, Serialize)]
pub struct BuildWebArgs {
    /// Where index.html and what it refers to go
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<String>,
}

/// `local`
#[derive(Debug, Clone, Default, Args, Serialize)]
#[command(after_help = EVERYWHERE, args_conflicts_with_subcommands = true)]
pub struct LocalArgs {
    #[command(subcommand)]
    #[serde(skip)]
    pub(crate) what: Option<LocalWhat>,
    /// The port on 127.0.0.1; 0 takes any free one [default: 4566]
    #[arg(long, value_name = "N")]
    pub(crate) port: Option<String>,
    /// Let calls of functions fail as this JSON file says: see deployer/local/SPEC.md, Faults
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub(crate) faults: Option<std::path::PathBuf>,
}

/// What else there is to do with this machine.
#[derive(Debug, Clone, Subcommand)]
pub enum LocalWhat {
    /// Measure how fast a core of this machine is against one of Lambda's, for tune --calibrated
    #[command(after_help = EVERYWHERE)]
    Calibrate(CalibrateArgs),
}

/// `local calibrate`
#[derive(Debug, Clone, Default, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CalibrateArgs {
    /// What the sample function `cpu` takes in your account at 1,769 MB [default: 140, which is assumed]
    #[arg(long, value_name = "MS")]
    pub(crate) lambda_ms: Option<String>,
}

/// `demo`
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = EVERYWHERE)]
pub struct DemoArgs {
    /// Let things go wrong, drawn by this number, and see what comes of it
    #[arg(long, value_name = "SEED", value_parser = seed)]
    pub(crate) faults: Option<u64>,
}

fn seed(text: &str) -> Result<u64, &'static str> {
    text.parse().map_err(|_| "say a whole number from 0 on; the same one draws the same faults")
}
