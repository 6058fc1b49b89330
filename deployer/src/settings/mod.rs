//! What is meant: flags > environment (`DEPLOYER_*`) > `deployer.toml` > defaults, resolved once, here.
//!
//! Below this module nothing knows clap, the environment or the file. [`layers`] lays the sources over each other by
//! option name, [`values`] reads the texts, [`verbs`] turns a verb with its values into a command. All
//! problems are gathered and reported together, before anything is touched.
//!
//! Profile, credentials and region that are not set here are found by the AWS SDK as every AWS tool finds them.

pub mod layers;
mod tuning;
pub mod values;
mod verbs;

use std::path::{Path, PathBuf};

use layers::{Layers, Reader};
use local_aws::lambda::Mechanism;

use crate::cli::{self, Arguments, Globals};
use crate::commands::Command;
use crate::failure::Usage;

/// The stack's name when none is given.
pub const STACK_NAME: &str = "deployer-power-tuning";

/// The settings file looked for in the working directory.
pub const FILE: &str = "deployer.toml";

/// What every command needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where calls go.
    pub target: Target,
    /// The stack that this is about.
    pub stack_name: String,
    /// Whether questions are taken as answered with yes.
    pub yes: bool,
    /// How to tell the user.
    pub output: Output,
}

/// Where calls go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// AWS, or another endpoint that speaks its protocols.
    Aws {
        /// The profile, unless the SDK is to choose.
        profile: Option<String>,
        /// The region, unless the SDK is to find it.
        region: Option<String>,
        /// The endpoint, unless it is AWS's own.
        endpoint_url: Option<String>,
    },
    /// The endpoint in this program.
    Local {
        /// Its state folder.
        state: PathBuf,
        /// The region that its ARNs name.
        region: String,
        /// What is to enforce CPU shares, unless it is the best this machine has.
        cpu_share: Option<Mechanism>,
    },
}

impl Settings {
    /// Whether the endpoint in this program answers.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self.target, Target::Local { .. })
    }
}

/// How to tell the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Output {
    /// The result as JSON on stdout, events as JSON lines on stderr.
    pub json: bool,
    /// Colours on stderr.
    pub color: bool,
    /// How much on stderr.
    pub verbosity: Verbosity,
}

/// How much is said on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    /// Warnings and errors.
    Quiet,
    /// What happens.
    Normal,
    /// Every detail.
    Verbose,
}

/// Lays the arguments over the environment, the settings file and the defaults.
///
/// # Errors
/// [`Usage`], with every problem there is: unknown names in the file, values that cannot be.
pub fn resolve(arguments: Arguments) -> anyhow::Result<(Settings, Command)> {
    let environment: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
        .collect();
    let path = layers::lookup(&environment, "DEPLOYER_CONFIG");
    let file = match arguments.globals.config.as_deref().or(path) {
        Some(path) => Some(layers::read(Path::new(path))?),
        None if Path::new(FILE).exists() => Some(layers::read(Path::new(FILE))?),
        None => None,
    };
    Ok(resolve_from(arguments, &environment, file)?)
}

/// [`resolve`] with everything it depends on handed in.
fn resolve_from(
    arguments: Arguments,
    environment: &[(String, String)],
    file: Option<layers::File>,
) -> Result<(Settings, Command), Usage> {
    let Arguments { globals, verb } = arguments;
    let mut layers = Layers::new(environment, file, &cli::option_names())?;
    layers.flags(&globals);
    let mut reader = Reader::new(layers);
    let settings = settings(
        &mut reader,
        &globals,
        matches!(verb, cli::Verb::Local(_) | cli::Verb::Demo(_)),
        environment,
    );
    // A demonstration changes nothing but this machine's own state folder.
    let settings = Settings { yes: settings.yes || matches!(verb, cli::Verb::Demo(_)), ..settings };
    let command = verbs::command(&verb, &mut reader, &settings);
    reader.finish()?;
    match command {
        Some(command) => Ok((settings, command)),
        None => Err(Usage("a setting that is needed is missing".to_owned())),
    }
}

/// `local` and `demo`, the verbs, need the local target whether or not `--local` was said.
fn settings(
    reader: &mut Reader,
    globals: &Globals,
    is_endpoint: bool,
    environment: &[(String, String)],
) -> Settings {
    let state = reader.take("state", values::path);
    let region = reader.take("region", values::region);
    let profile = reader.take("profile", values::text);
    let endpoint_url = reader.take("endpoint-url", values::url);
    let cpu_share = reader.take("cpu-share", values::cpu_share);
    let target = if reader.flag("local") || is_endpoint {
        if endpoint_url.is_some() {
            reader.problem(
                "`local` and `endpoint-url` exclude each other: one starts an endpoint, the other names one",
            );
        }
        let found =
            ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().find_map(|name| layers::lookup(environment, name));
        Target::Local {
            state: state.unwrap_or_else(|| default_state(environment)),
            region: region.or(found.map(str::to_owned)).unwrap_or_else(|| "us-east-1".to_owned()),
            cpu_share,
        }
    } else {
        Target::Aws { profile, region, endpoint_url }
    };
    let verbosity = match (reader.flag("quiet"), reader.flag("verbose")) {
        (true, _) => Verbosity::Quiet,
        (false, true) => Verbosity::Verbose,
        (false, false) => Verbosity::Normal,
    };
    Settings {
        target,
        stack_name: reader.take("stack-name", values::stack_name).unwrap_or_else(|| STACK_NAME.to_owned()),
        // Only ever from the command line: consent that lies in a file is no consent.
        yes: globals.yes,
        output: Output { json: reader.flag("json"), color: cli::color(reader.flag("no-color")), verbosity },
    }
}

/// `$XDG_STATE_HOME/deployer`, else `~/.local/state/deployer`, else `.deployer` where we are.
fn default_state(environment: &[(String, String)]) -> PathBuf {
    layers::lookup(environment, "XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| layers::lookup(environment, "HOME").map(|home| PathBuf::from(home).join(".local/state")))
        .map_or_else(|| PathBuf::from(".deployer"), |state| state.join("deployer"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Asked;

    fn resolved(line: &str, environment: &[(&str, &str)], file: &str) -> Result<(Settings, Command), String> {
        let Asked::Work(arguments) = Arguments::read(line.split_whitespace().map(Into::into)) else {
            panic!("not understood: {line}")
        };
        let environment: Vec<_> =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let file = layers::parse(Path::new("deployer.toml"), file).map_err(|error| error.to_string())?;
        resolve_from(*arguments, &environment, Some(file)).map_err(|error| error.to_string())
    }

    fn stack_name(line: &str, environment: &[(&str, &str)], file: &str) -> String {
        resolved(line, environment, file).unwrap().0.stack_name
    }

    #[test]
    fn flags_win_over_the_environment_which_wins_over_the_file_which_wins_over_defaults() {
        let environment = [("DEPLOYER_STACK_NAME", "from-environment")];
        let file = "stack-name = 'from-file'";
        assert_eq!(stack_name("deployer outputs --stack-name from-flag", &environment, file), "from-flag");
        assert_eq!(stack_name("deployer outputs", &environment, file), "from-environment");
        assert_eq!(stack_name("deployer outputs", &[], file), "from-file");
        assert_eq!(stack_name("deployer outputs", &[], ""), STACK_NAME);
    }

    #[test]
    fn an_empty_variable_is_no_setting() {
        assert_eq!(stack_name("deployer outputs", &[("DEPLOYER_STACK_NAME", "")], ""), STACK_NAME);
    }

    #[test]
    fn all_problems_are_reported_together_with_their_origin() {
        let problems = resolved(
            "deployer up --total-execution-timeout 5",
            &[("DEPLOYER_STACK_NAME", "9lives")],
            "power-values = [64, 'x']\nlog-retention-days = 8",
        )
        .unwrap_err();
        for part in [
            "--total-execution-timeout `5`",
            "DEPLOYER_STACK_NAME `9lives`",
            "`power-values` in deployer.toml `64,x`",
            "`log-retention-days` in deployer.toml `8`",
        ] {
            assert!(problems.contains(part), "{part} is missing in:\n{problems}");
        }
    }

    #[test]
    fn an_unknown_name_in_the_file_is_refused_with_a_suggestion() {
        let problem = resolved("deployer outputs", &[], "stak-name = 'x'").unwrap_err();
        assert!(problem.contains("`stak-name`") && problem.contains("`stack-name`"), "{problem}");
    }

    #[test]
    fn consent_does_not_come_from_a_file() {
        let problem = resolved("deployer destroy", &[], "yes = true").unwrap_err();
        assert!(problem.contains("`yes`"), "{problem}");
        assert!(!resolved("deployer destroy", &[("DEPLOYER_YES", "true")], "").unwrap().0.yes);
    }

    #[test]
    fn the_local_region_and_state_follow_the_usual_variables() {
        let environment = [("AWS_REGION", "eu-west-1"), ("XDG_STATE_HOME", "/s"), ("HOME", "/h")];
        let (settings, _) = resolved("deployer outputs --local", &environment, "").unwrap();
        assert_eq!(
            settings.target,
            Target::Local { state: "/s/deployer".into(), region: "eu-west-1".into(), cpu_share: None }
        );
        let (settings, _) =
            resolved("deployer outputs --local --region eu-north-1", &[("HOME", "/h")], "").unwrap();
        assert_eq!(
            settings.target,
            Target::Local {
                state: "/h/.local/state/deployer".into(),
                region: "eu-north-1".into(),
                cpu_share: None
            }
        );
    }
}
