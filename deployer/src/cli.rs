//! What can be typed: clap's commands, made from the table of options, and nothing that acts on them.
//!
//! Values stay text here. `resolve` lays flags, environment and `deployer.toml` over each other by name and only then reads them, so
//! that a value is checked in one way wherever it comes from.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::IsTerminal;

use clap::error::{ContextKind, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::failure::{self, Usage};
use crate::options::{self, Rule, Spec, Verb};
use crate::outcome::Status;

/// Where those of an environment and a file are told of.
const SOURCES: &str = "
Options may also be set as DEPLOYER_<OPTION> in the environment, or by name in deployer.toml.
A flag wins over the environment, and that over the file.";

/// Words that do nothing by themselves.
const GROUPS: [(&str, &str); 2] =
    [("build", "Build what is deployed"), ("fleet", "Tune many functions in one execution")];

/// What was typed: the verb, and the texts of its options by name.
#[derive(Debug)]
pub struct Arguments {
    /// What is to be done.
    pub verb: Verb,
    /// The texts that were given.
    pub given: BTreeMap<&'static str, Vec<String>>,
}

/// What reading the arguments came to.
pub enum Asked {
    /// There is something to do.
    Work(Arguments),
    /// Help or the version was shown, or what was typed makes no sense and that was said.
    Help(Status),
}

impl Arguments {
    /// Reads what was typed; shows help, version and usage errors by itself.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Asked {
        let arguments: Vec<OsString> = arguments.into_iter().collect();
        let has = |option: &str| arguments.iter().any(|argument| argument == option);
        let (all, json) = (has("--help"), has("--json"));
        match command(all).try_get_matches_from(arguments) {
            Ok(matches) => Asked::Work(Self::of(&matches)),
            Err(mut error) => {
                // How to pass a misspelt option as a value helps nobody who meant an option.
                if error.kind() == ErrorKind::UnknownArgument {
                    error.remove(ContextKind::Suggested);
                }
                let wrong = error.use_stderr();
                if wrong && json {
                    let text = error.render().to_string();
                    let text = text.strip_prefix("error: ").unwrap_or(&text).trim_end().to_owned();
                    return Asked::Help(failure::print(&Usage(text).into(), true, false));
                }
                // Help that cannot be written (a closed pipe) has no one to read it.
                let _ = error.print();
                Asked::Help(if wrong { Status::UsageOrChanges } else { Status::Done })
            }
        }
    }

    fn of(matches: &ArgMatches) -> Self {
        let mut words = Vec::new();
        let mut matches = matches;
        while let Some((word, inner)) = matches.subcommand() {
            words.push(word);
            matches = inner;
        }
        let words = words.join(" ");
        // clap accepts no words but those that the table has.
        let found = Verb::ALL.into_iter().find(|(_, named, _)| *named == words);
        let verb = found.map_or(Verb::Outputs, |(verb, ..)| verb);
        let mut given = BTreeMap::new();
        for spec in options::ALL.iter().filter(|spec| spec.is_of(verb)) {
            let texts: Vec<String> = if is_switch(spec) {
                matches.get_flag(spec.name).then(|| "true".to_owned()).into_iter().collect()
            } else {
                matches.get_many::<String>(spec.name).into_iter().flatten().cloned().collect()
            };
            if !texts.is_empty() {
                given.insert(spec.name, texts);
            }
        }
        Self { verb, given }
    }

    /// Whether the result is wanted as JSON; needed before the settings are known, to report that they are wrong.
    #[must_use]
    pub fn json(&self) -> bool {
        self.given.contains_key(options::JSON.spec.name)
    }

    /// Whether errors may be coloured.
    #[must_use]
    pub fn color(&self) -> bool {
        color(self.given.contains_key(options::NO_COLOR.spec.name))
    }
}

/// Colours are for terminals whose user did not decline them (<https://no-color.org>).
pub(crate) fn color(declined: bool) -> bool {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !declined && !no_color && std::io::stderr().is_terminal()
}

/// The completion script for a shell, if there is one for it.
#[must_use]
pub fn completions(shell: &str) -> Option<String> {
    let shell: clap_complete::Shell = shell.parse().ok()?;
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(true), "deployer", &mut script);
    Some(String::from_utf8_lossy(&script).into_owned())
}

/// All there is to type; `all` also shows what is needed rarely.
fn command(all: bool) -> Command {
    let everywhere = everywhere(all);
    let mut root = Command::new("deployer")
        .about("Deploys AWS Lambda power tuning, runs it, and shows which memory size to choose")
        .version(env!("DEPLOYER_VERSION"))
        .propagate_version(true)
        .after_help(everywhere.clone())
        .max_term_width(100)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .disable_help_subcommand(true);
    for (id, letter, long, help, action) in [
        ("h", Some('h'), None, "Print help", ArgAction::HelpShort),
        ("help", None, Some("help"), "Print help with all options", ArgAction::HelpShort),
        ("version", Some('V'), Some("version"), "Print version", ArgAction::Version),
    ] {
        let mut arg = Arg::new(id).help(help).action(action).global(true);
        arg = arg.hide_short_help(true).hide_long_help(true);
        arg = long.into_iter().fold(arg, |arg, long: &str| arg.long(long.to_owned()));
        root = root.arg(letter.into_iter().fold(arg, Arg::short));
    }
    for spec in options::ALL.iter().filter(|spec| spec.verbs.is_empty()) {
        root = root.arg(argument(spec, None).global(true).hide_short_help(true).hide_long_help(true));
    }
    let verb = |verb: Verb, words: &'static str, about: &'static str| {
        let own = || options::ALL.iter().filter(move |spec| !spec.verbs.is_empty() && spec.is_of(verb));
        let more = if !all && own().any(|spec| spec.rare) {
            format!("More options: deployer {words} --help\n\n")
        } else {
            String::new()
        };
        own().fold(
            Command::new(words.rsplit(' ').next().unwrap_or(words))
                .about(about)
                .after_help(format!("{more}{everywhere}")),
            |command, spec| {
                let section = spec.section(verb);
                let arg = argument(spec, Some(verb)).hide_short_help(spec.rare && !all);
                command.arg(if section.is_empty() { arg } else { arg.help_heading(section) })
            },
        )
    };
    for (kind, words, about) in Verb::ALL {
        root = match words.split_once(' ') {
            None => root.subcommand(verb(kind, words, about)),
            Some((above, _)) if let Some((_, purpose)) = GROUPS.iter().find(|(name, _)| *name == above) => {
                if root.find_subcommand(above).is_none() {
                    let group = Command::new(above).about(*purpose).after_help(everywhere.clone());
                    root = root.subcommand(group.subcommand_required(true).arg_required_else_help(true));
                }
                root.mut_subcommand(above, |group| group.subcommand(verb(kind, words, about)))
            }
            Some((above, _)) => root.mut_subcommand(above, |above| {
                above.subcommand(verb(kind, words, about)).args_conflicts_with_subcommands(true)
            }),
        };
    }
    root
}

/// A switch that can only be on; others take a value, `host-visualization` also without saying it.
fn is_switch(spec: &Spec) -> bool {
    spec.value.is_empty()
}

fn argument(spec: &Spec, verb: Option<Verb>) -> Arg {
    let mut arg = Arg::new(spec.name).help(spec.about(verb)).required(spec.required);
    arg = if is_switch(spec) {
        arg.action(ArgAction::SetTrue)
    } else if spec.repeated {
        arg.action(ArgAction::Append)
    } else {
        arg.action(ArgAction::Set)
    };
    if !is_switch(spec) {
        arg = arg.value_name(spec.value).allow_negative_numbers(true);
        if matches!(spec.rule, Rule::Switch) {
            arg = arg.num_args(0..=1).require_equals(true).default_missing_value("true");
        }
        if let (Rule::Word(words), true) = (spec.rule, spec.operand) {
            arg = arg.value_parser(clap::builder::PossibleValuesParser::new(words));
        }
    }
    if !spec.operand {
        arg = arg.long(spec.name);
    }
    if let Some(letter) = spec.short {
        arg = arg.short(letter);
    }
    arg = arg.conflicts_with_all(spec.conflicts);
    spec.requires.into_iter().fold(arg, Arg::requires)
}

/// Listed once, at the end of every help text: the options that each verb has, on one line what is needed rarely unless `all`
/// is asked for.
fn everywhere(all: bool) -> String {
    let mut text = "Everywhere:\n".to_owned();
    let mut rest = String::new();
    for spec in options::ALL.iter().filter(|spec| spec.verbs.is_empty()) {
        let letter = spec.short.map(|letter| format!("-{letter}, ")).unwrap_or_default();
        let option = format!("--{} {}", spec.name, spec.value);
        // Writing to a text does not fail.
        let _ = if spec.rare && !all {
            write!(rest, "  {letter}--{}", spec.name)
        } else {
            writeln!(text, "  {letter:<4}{option:<20} {}", spec.about(None))
        };
    }
    format!("{text}{rest}  -h, --help  -V, --version\n{SOURCES}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        command(false).debug_assert();
        command(true).debug_assert();
    }

    #[test]
    fn no_help_is_longer_than_a_screen_and_the_long_one_has_every_option() {
        for (verb, words, _) in Verb::ALL {
            let help = |all: bool| {
                let mut commands = command(all);
                commands.build();
                let mut found = &mut commands;
                for word in words.split(' ') {
                    found = found.find_subcommand_mut(word).unwrap();
                }
                found.render_help().to_string()
            };
            assert!(help(false).lines().count() <= 52, "{words}: {} lines", help(false).lines().count());
            for spec in options::ALL.iter().filter(|spec| spec.is_of(verb) && !spec.operand) {
                assert!(help(true).contains(&format!("--{}", spec.name)), "{words} --{}", spec.name);
            }
        }
    }

    #[test]
    fn completions_know_every_option() {
        let script = completions("bash").unwrap();
        for spec in options::ALL.iter().filter(|spec| !spec.operand) {
            assert!(script.contains(&format!("--{}", spec.name)), "{}", spec.name);
        }
    }
}
