//! What is done. One file per verb: its resolved options, its work, and the value it hands back.
//!
//! # How to add a verb
//! 1. A variant of [`Verb`](crate::options::Verb), its words in `Verb::ALL`, and its options in the table: they thereby exist on
//!    the command line, in the environment, in `deployer.toml`, in help and in the documentation.
//! 2. `commands/<verb>.rs`: `Options` (typed, resolved) and `run(options, &Context) -> anyhow::Result<Outcome>`. Reach
//!    AWS through [`Context::aws`], tell what happens through [`Context::events`] (add variants to
//!    [`crate::events::Event`] and their line to [`crate::progress`]), ask through [`Context::confirm`] after
//!    [`Context::can_confirm`], print nothing. Hand back `Outcome::new(&value)`, value being `Display + Serialize`.
//! 3. A variant of [`Command`] and its arm in [`Command::run`]; an arm in `resolve/verbs.rs` that takes the options out of the
//!    reader.
//!
//! Errors: context says what was being done ("creating the change set"), advice goes into
//! [`hint`](crate::failure::Advice::hint), wrong usage is [`Usage`](crate::failure::Usage) before anything is touched.

pub mod apply;
pub mod build;
pub mod calibrate;
pub mod cleanup;
pub mod compare;
pub mod completions;
pub mod demo;
pub mod destroy;
pub mod drift;
pub mod fleet;
pub mod history;
pub mod local;
pub mod logs;
pub mod outputs;
pub mod preview;
pub mod release;
pub mod scan;
pub mod schema;
pub mod serve;
pub mod synth;
pub mod tune;
pub mod up;

use crate::context::Context;
use crate::outcome::Outcome;

/// A verb with its options.
#[derive(Debug)]
pub enum Command {
    /// Deploy, or bring up to date.
    Up(up::Options),
    /// Show what `up` would change.
    Preview(preview::Options),
    /// Show what of the stack was changed outside CloudFormation.
    Drift(drift::Options),
    /// Show the stack's outputs.
    Outputs,
    /// Delete the stack.
    Destroy,
    /// Measure a function.
    Tune(Box<tune::Options>),
    /// Put a result where the function is defined, or into the function.
    Apply(apply::Options),
    /// Find out which functions are worth a run.
    Scan(Box<scan::Options>),
    /// Tune many functions.
    Fleet(Box<fleet::Options>),
    /// Show a function's runs.
    History(history::Options),
    /// Show what the Lambdas have logged of a run.
    Logs(logs::Options),
    /// Put a function back that was left changed.
    Cleanup(cleanup::Options),
    /// Put results side by side.
    Compare(compare::Options),
    /// Serve the chart page.
    Serve(serve::Options),
    /// Show all of it on this machine, with a seed also how it deals with faults.
    Demo(Option<u64>),
    /// Write the template.
    Synth(synth::Options),
    /// Write the template of a role for another account, which trusts this one.
    SynthRole(String),
    /// Build the functions' zips.
    BuildFunctions(build::Options),
    /// Build the chart page.
    BuildWeb(std::path::PathBuf),
    /// Put a release together in this folder.
    BuildRelease(release::Options),
    /// Run the endpoint in the foreground.
    Local(local::Options),
    /// Measure how fast this machine is.
    Calibrate(calibrate::Options),
    /// Print the JSON Schema of a document.
    Schema(String),
    /// Print a completion script.
    Completions(String),
}

impl Command {
    /// Does it.
    ///
    /// # Errors
    /// Whatever made it fail, ready to be shown.
    pub async fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        match self {
            Self::Up(options) => up::run(options, context).await,
            Self::Preview(options) => preview::run(options, context).await,
            Self::Drift(options) => drift::run(options, context).await,
            Self::Outputs => outputs::run(context).await,
            Self::Destroy => destroy::run(context).await,
            Self::Tune(options) => tune::run(*options, context).await,
            Self::Cleanup(options) => cleanup::run(options, context).await,
            Self::Apply(options) => apply::run(options, context).await,
            Self::Scan(options) => scan::run(*options, context).await,
            Self::Fleet(options) => fleet::run(*options, context).await,
            Self::History(options) => history::run(options, context).await,
            Self::Logs(options) => logs::run(options, context).await,
            Self::Compare(options) => compare::run(options),
            Self::Serve(options) => serve::run(options, context).await,
            Self::Demo(faults) => demo::run(faults, context).await,
            Self::Synth(options) => synth::run(options, context).await,
            Self::SynthRole(trusts) => synth::role(&trusts),
            Self::BuildFunctions(options) => build::run(options, context).await,
            Self::BuildWeb(out) => build::web(&out, context).await,
            Self::BuildRelease(options) => release::run(options, context).await,
            Self::Local(options) => local::run(options, context).await,
            Self::Calibrate(options) => calibrate::run(options, context).await,
            Self::Schema(document) => schema::run(&document),
            Self::Completions(shell) => completions::run(shell),
        }
    }
}
