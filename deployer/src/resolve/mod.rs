//! What is meant: flags > environment (`DEPLOYER_*`) > `deployer.toml` > defaults, resolved once, here.
//!
//! Below this module nothing knows clap, the environment or the file. [`layers`] lays the sources over each other by
//! option name and reads them by the table's rules, [`verbs`] turns a verb with its values into a command. All
//! problems are gathered and reported together, before anything is touched.
//!
//! Profile, credentials and region that are not set here are found by the AWS SDK as every AWS tool finds them.

mod layers;
mod verbs;

use std::path::{Path, PathBuf};

use local_aws::lambda::Disturbed;

use layers::{Environment, File, Reader, lookup};

use crate::cli::{self, Arguments};
use crate::commands::Command;
use crate::failure::Usage;
use crate::options::{self, Spec, Verb};
use crate::settings::{Output, Settings, Target, Verbosity, quoted};

/// The settings file looked for in the working directory.
const FILE: &str = "deployer.toml";

/// Lays the arguments over the environment, the settings file and the defaults.
///
/// # Errors
/// [`Usage`], with every problem there is: unknown names in the file, values that cannot be.
pub fn resolve(arguments: &Arguments) -> anyhow::Result<(Settings, Command)> {
    let environment: Environment = std::env::vars_os()
        .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
        .collect();
    let flag = arguments.given.get(options::CONFIG.spec.name).and_then(|paths| paths.first());
    let file = match flag.map(String::as_str).or_else(|| lookup(&environment, "DEPLOYER_CONFIG")) {
        Some(path) => File::read(Path::new(path))?,
        None if Path::new(FILE).exists() => File::read(Path::new(FILE))?,
        None => File::none(Path::new(FILE)),
    };
    Ok(resolve_from(arguments, &environment, file)?)
}

/// [`resolve`] with everything it depends on handed in.
fn resolve_from(
    arguments: &Arguments,
    environment: &Environment,
    file: File,
) -> Result<(Settings, Command), Usage> {
    let verb = arguments.verb;
    let spec = &options::ENV.spec;
    let flag = arguments.given.get(spec.name).and_then(|names| names.first()).map(String::as_str);
    let file = match flag.or_else(|| lookup(environment, "DEPLOYER_ENV")) {
        Some(name) => {
            spec.rule.read(name).map_err(|problem| Usage(format!("--{} {problem}", spec.name)))?;
            file.of(name)?
        }
        None => file,
    };
    let mut reader = Reader::new(verb, &arguments.given, environment, &file);
    let settings = settings(&mut reader, verb, environment);
    let command = verbs::command(verb, &mut reader, &settings);
    reader.finish()?;
    match command {
        Some(command) => Ok((settings, command)),
        None => Err(Usage("a setting that is needed is missing".to_owned())),
    }
}

fn settings(reader: &mut Reader<'_>, verb: Verb, environment: &Environment) -> Settings {
    let state = reader.get(&options::STATE);
    let region = reader.get(&options::REGION);
    let profile = reader.get(&options::PROFILE);
    let endpoint_url = reader.get(&options::ENDPOINT_URL);
    let cpu_share = reader.get(&options::CPU_SHARE).and_then(|name| name.parse().ok());
    let disturbed = reader.get(&options::DISTURBED).and_then(|name| name.parse().ok());
    // These need the local target whether or not `--local` was said.
    let is_endpoint = matches!(verb, Verb::Local | Verb::Calibrate | Verb::Demo);
    let target = if reader.is_on(&options::LOCAL) || is_endpoint {
        if endpoint_url.is_some() {
            reader.problem(
                "`local` and `endpoint-url` exclude each other: one starts an endpoint, the other names one",
            );
        }
        let found = ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().find_map(|name| lookup(environment, name));
        Target::Local {
            state: state.unwrap_or_else(|| default_state(environment)),
            region: region.or(found.map(str::to_owned)).unwrap_or_else(|| "us-east-1".to_owned()),
            cpu_share,
            disturbed: disturbed.unwrap_or(Disturbed::Repeat),
        }
    } else {
        Target::Aws { profile, region, endpoint_url }
    };
    let same_place = same_place(reader, matches!(target, Target::Local { .. }));
    let verbosity = match (reader.is_on(&options::QUIET), reader.is_on(&options::VERBOSE)) {
        (true, _) => Verbosity::Quiet,
        (false, true) => Verbosity::Verbose,
        (false, false) => Verbosity::Normal,
    };
    Settings {
        target,
        stack_name: reader
            .get(&options::STACK_NAME)
            .unwrap_or_else(|| options::DEFAULT_STACK_NAME.to_owned()),
        same_place,
        // A demonstration changes nothing but this machine's own state folder.
        yes: reader.is_on(&options::YES) || verb == Verb::Demo,
        output: Output {
            json: reader.is_on(&options::JSON),
            color: cli::color(reader.is_on(&options::NO_COLOR)),
            verbosity,
        },
    }
}

fn same_place(reader: &mut Reader<'_>, local: bool) -> String {
    let place: &[&Spec] = if local {
        &[&options::STATE.spec, &options::REGION.spec, &options::STACK_NAME.spec]
    } else {
        &[
            &options::PROFILE.spec,
            &options::REGION.spec,
            &options::ENDPOINT_URL.spec,
            &options::STACK_NAME.spec,
        ]
    };
    let mut flags = if local { " --local".to_owned() } else { String::new() };
    if let Some(name) = reader.environment() {
        flags += &format!(" --{} {name}", options::ENV.spec.name);
    }
    for spec in place {
        if let Some((text, _)) = reader.text(spec) {
            flags += &format!(" --{} {}", spec.name, quoted(&text));
        }
    }
    flags
}

/// `$XDG_STATE_HOME/deployer`, else `~/.local/state/deployer`, else `.deployer` where we are.
fn default_state(environment: &Environment) -> PathBuf {
    lookup(environment, "XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| lookup(environment, "HOME").map(|home| PathBuf::from(home).join(".local/state")))
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
        let environment: Environment =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let file = File::parse(Path::new("deployer.toml"), file).map_err(|error| error.to_string())?;
        resolve_from(&arguments, &environment, file).map_err(|error| error.to_string())
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
        assert_eq!(stack_name("deployer outputs", &[], ""), options::DEFAULT_STACK_NAME);
    }

    #[test]
    fn an_empty_variable_is_no_setting() {
        assert_eq!(
            stack_name("deployer outputs", &[("DEPLOYER_STACK_NAME", "")], ""),
            options::DEFAULT_STACK_NAME
        );
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
            "`power-values` in deployer.toml has \"64\", \"x\"",
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
    fn an_environment_of_the_file_wins_over_the_rest_of_it() {
        let file = "stack-name = 'all'\nregion = 'eu-west-1'\n[env.prod]\nstack-name = 'prod'\npower-values = [128]\n[env.test]\nregion = 'eu-north-1'";
        assert_eq!(stack_name("deployer outputs", &[], file), "all");
        assert_eq!(stack_name("deployer outputs --env prod", &[], file), "prod");
        assert_eq!(stack_name("deployer outputs", &[("DEPLOYER_ENV", "prod")], file), "prod");
        assert_eq!(stack_name("deployer outputs --env test", &[("DEPLOYER_ENV", "prod")], file), "all");
        assert_eq!(stack_name("deployer outputs --env prod --stack-name flag", &[], file), "flag");
        let (settings, _) = resolved("deployer outputs --env prod", &[], file).unwrap();
        let command = settings.command("up");
        assert_eq!(command, "deployer up --env prod --region eu-west-1 --stack-name prod");
        let unknown = resolved("deployer outputs --env prd", &[], file).unwrap_err();
        assert!(unknown.contains("no [env.prd]") && unknown.contains("did you mean `prod`"), "{unknown}");
        let none = resolved("deployer outputs --env prod", &[], "stack-name = 'x'").unwrap_err();
        assert!(none.contains("no [env.prod]"), "{none}");
        let wrong = resolved("deployer outputs --env prod", &[], "[env.prod]\nstak-name = 'x'").unwrap_err();
        assert!(wrong.contains("`stak-name`") && wrong.contains("[env.prod]"), "{wrong}");
        let value =
            resolved("deployer up --env prod", &[], "[env.prod]\nlog-retention-days = 8").unwrap_err();
        assert!(value.contains("`log-retention-days` in [env.prod] of deployer.toml `8`"), "{value}");
        let variable = resolved("deployer outputs --env A=b", &[], file).unwrap_err();
        assert!(variable.contains("--variable NAME=VALUE"), "{variable}");
        assert!(resolved("deployer outputs", &[], "env = 'prod'").unwrap_err().contains("--env"));
    }

    #[test]
    fn consent_does_not_come_from_a_file() {
        let problem = resolved("deployer destroy", &[], "yes = true").unwrap_err();
        assert!(problem.contains("`yes`"), "{problem}");
        assert!(!resolved("deployer destroy", &[("DEPLOYER_YES", "true")], "").unwrap().0.yes);
    }

    #[test]
    fn another_command_is_led_to_the_same_place() {
        let command = |line: &str, file: &str| resolved(line, &[], file).unwrap().0.command("up");
        assert_eq!(command("deployer outputs", ""), "deployer up");
        assert_eq!(
            command("deployer outputs --endpoint-url http://localhost:1 --stack-name x", "profile = 'a b'"),
            "deployer up --profile 'a b' --endpoint-url http://localhost:1 --stack-name x"
        );
        assert_eq!(command("deployer demo --state it's", ""), r"deployer up --local --state 'it'\''s'");
    }

    #[test]
    fn the_local_region_and_state_follow_the_usual_variables() {
        let environment = [("AWS_REGION", "eu-west-1"), ("XDG_STATE_HOME", "/s"), ("HOME", "/h")];
        let (settings, _) = resolved("deployer outputs --local", &environment, "").unwrap();
        assert_eq!(
            settings.target,
            Target::Local {
                state: "/s/deployer".into(),
                region: "eu-west-1".into(),
                cpu_share: None,
                disturbed: Disturbed::Repeat
            }
        );
        let (settings, _) =
            resolved("deployer outputs --local --region eu-north-1", &[("HOME", "/h")], "").unwrap();
        assert_eq!(
            settings.target,
            Target::Local {
                state: "/h/.local/state/deployer".into(),
                region: "eu-north-1".into(),
                cpu_share: None,
                disturbed: Disturbed::Repeat
            }
        );
    }
}
