//! What can be typed: clap's types, and nothing that acts on them.
//!
//! Values stay text here. [`crate::settings`] lays flags, environment and `deployer.toml` over each other by name and
//! only then reads them, so that a value is checked in one way wherever it comes from.

mod page;
mod stack;
mod tune;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::IsTerminal;

use clap::{CommandFactory, Parser, Subcommand};
use serde::Serialize;

pub use page::{CompareArgs, ServeArgs};
pub use stack::{
    BuildArgs, BuildWhat, DemoArgs, LocalArgs, LocalWhat, ParameterArgs, PreviewArgs, SynthArgs, UpArgs,
};
pub use tune::{CleanupArgs, TuneArgs};

use crate::outcome::Status;

/// Listed once, at the end of every help text: the flags that each verb has.
const EVERYWHERE: &str = "\
Everywhere:
      --local             Use the endpoint in this program instead of AWS; no account needed
      --state DIR         Its state folder [default: ~/.local/state/deployer]
      --profile NAME      Profile of ~/.aws/config
      --region NAME       Region [default: as the AWS CLI finds it]
      --endpoint-url URL  Another endpoint that speaks AWS's protocols
      --stack-name NAME   [default: deployer-power-tuning]
      --config FILE       Settings file [default: deployer.toml, if there is one here]
      --json              Result as one JSON document on stdout, events as JSON lines on stderr
  -y, --yes               Ask nothing
  -q, --quiet  -v, --verbose  --no-color  --cpu-share HOW  -h, --help  -V, --version

Options may also be set as DEPLOYER_<OPTION> in the environment, or by name in deployer.toml.
A flag wins over the environment, and that over the file.";

/// Deploys AWS Lambda power tuning, runs it, and shows which memory size to choose.
#[derive(Debug, Parser)]
#[command(name = "deployer", version = env!("DEPLOYER_VERSION"), propagate_version = true, after_help = EVERYWHERE, term_width = 100)]
#[command(disable_help_flag = true, disable_version_flag = true, disable_help_subcommand = true)]
pub struct Arguments {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// The flags that every verb has.
#[derive(Debug, Clone, Default, clap::Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Globals {
    /// Use the endpoint in this program instead of AWS
    #[arg(long, global = true, hide_short_help = true, hide_long_help = true)]
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) local: bool,
    /// Where the local endpoint keeps its state
    #[arg(long, global = true, hide_short_help = true, hide_long_help = true, value_name = "DIR")]
    pub(crate) state: Option<String>,
    /// What gives functions their CPU share at the local endpoint
    #[arg(long, global = true, hide_short_help = true, hide_long_help = true, value_name = "HOW")]
    pub(crate) cpu_share: Option<String>,
    /// Profile of ~/.aws/config
    #[arg(long, global = true, hide_short_help = true, hide_long_help = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Region
    #[arg(long, global = true, hide_short_help = true, hide_long_help = true, value_name = "NAME")]
    pub(crate) region: Option<String>,
    /// Another endpoint that speaks AWS's protocols
    #[arg(long, global = true, hide_short_help = true, hide_long_help = true, value_name = "URL")]
    pub(crate) endpoint_url: Option<String>,
    /// The stack's name
    #[arg(long, global = true, hide_short_help = true, hide_long_help = true, value_name = "NAME")]
    pub(crate) stack_name: Option<String>,
    /// Settings file
    #[arg(long, global = true, hide_short_help = true, hide_long_help = true, value_name = "FILE")]
    #[serde(skip)]
    pub(crate) config: Option<String>,
    /// The result as one JSON document on stdout
    #[arg(long, global = true, hide_short_help = true, hide_long_help = true)]
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) json: bool,
    /// Ask nothing
    #[arg(long, short, global = true, hide_short_help = true, hide_long_help = true)]
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) yes: bool,
    /// Only warnings and errors on stderr
    #[arg(
        long,
        short,
        global = true,
        hide_short_help = true,
        hide_long_help = true,
        conflicts_with = "verbose"
    )]
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) quiet: bool,
    /// Every detail on stderr
    #[arg(long, short, global = true, hide_short_help = true, hide_long_help = true)]
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) verbose: bool,
    /// No colours
    #[arg(long, global = true, hide_short_help = true, hide_long_help = true)]
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) no_color: bool,
    /// Print help
    #[arg(long, short, global = true, hide_short_help = true, hide_long_help = true, action = clap::ArgAction::HelpShort)]
    #[serde(skip)]
    help: Option<bool>,
    /// Print version
    #[arg(long, short = 'V', global = true, hide_short_help = true, hide_long_help = true, action = clap::ArgAction::Version)]
    #[serde(skip)]
    version: Option<bool>,
}

/// What is to be done.
#[derive(Debug, Clone, Subcommand)]
pub enum Verb {
    /// Deploy the stack, or bring it up to date
    Up(UpArgs),
    /// Show what `up` would change, and change nothing
    Preview(PreviewArgs),
    /// Measure a function at several memory sizes and say which one to choose
    Tune(Box<TuneArgs>),
    /// Put results side by side: the differences, and a link to the chart of all of them
    Compare(CompareArgs),
    /// Serve the chart page, so that links to this machine open
    Serve(ServeArgs),
    /// Put a function back that an interrupted run has left changed
    Cleanup(CleanupArgs),
    /// Show all of it on this machine: deploy, tune a sample function, read the result
    Demo(DemoArgs),
    /// Show the deployed stack's outputs
    #[command(after_help = EVERYWHERE)]
    Outputs,
    /// Delete the stack and the assets uploaded for it
    #[command(after_help = EVERYWHERE)]
    Destroy,
    /// Write the CloudFormation template
    Synth(SynthArgs),
    /// Build what is deployed
    Build(BuildArgs),
    /// Run the local AWS endpoint in the foreground, for any AWS client
    Local(LocalArgs),
    /// Print a completion script for a shell
    #[command(after_help = EVERYWHERE)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// What reading the arguments came to.
pub enum Asked {
    /// There is something to do.
    Work(Box<Arguments>),
    /// Help or the version was shown, or what was typed makes no sense and that was said.
    Help(Status),
}

impl Arguments {
    /// Reads what was typed; shows help, version and usage errors by itself.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Asked {
        match Self::try_parse_from(arguments) {
            Ok(arguments) => Asked::Work(Box::new(arguments)),
            Err(error) => {
                let wrong = error.use_stderr();
                // Help that cannot be written (a closed pipe) has no one to read it.
                let _ = error.print();
                Asked::Help(if wrong { Status::UsageOrChanges } else { Status::Done })
            }
        }
    }

    /// Whether the result is wanted as JSON; needed before the settings are known, to report that they are wrong.
    #[must_use]
    pub fn json(&self) -> bool {
        self.globals.json
    }

    /// Whether errors may be coloured.
    #[must_use]
    pub fn color(&self) -> bool {
        color(self.globals.no_color)
    }
}

/// Colours are for terminals whose user did not decline them (<https://no-color.org>).
pub(crate) fn color(declined: bool) -> bool {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !declined && !no_color && std::io::stderr().is_terminal()
}

/// The completion script for a shell.
#[must_use]
pub fn completions(shell: clap_complete::Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "deployer", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// The names of all options, whatever the verb: those that the environment and `deployer.toml` may set.
#[must_use]
pub fn option_names() -> Vec<String> {
    fn collect(command: &clap::Command, names: &mut BTreeMap<String, ()>) {
        for option in command.get_opts().chain(command.get_arguments().filter(|a| a.get_long().is_some())) {
            names.extend(option.get_long().map(|name| (name.to_owned(), ())));
        }
        command.get_subcommands().for_each(|verb| collect(verb, names));
    }
    let mut names = BTreeMap::new();
    collect(&Arguments::command(), &mut names);
    names.into_keys().collect()
}

// serde hands `skip_serializing_if` a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn no_help_is_longer_than_a_screen() {
        for verb in Arguments::command().get_subcommands_mut() {
            let help = verb.render_help().to_string();
            assert!(help.lines().count() <= 48, "{}: {} lines", verb.get_name(), help.lines().count());
        }
    }

    #[test]
    fn every_verb_lists_the_options_it_shares() {
        for verb in Arguments::command().get_subcommands_mut() {
            assert!(verb.render_help().to_string().contains("Everywhere:"), "{}", verb.get_name());
        }
    }
}
