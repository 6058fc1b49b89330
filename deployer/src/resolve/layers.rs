//! The sources of settings laid over each other by option name, and the reader that takes values out of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;
use tuning::nearest::nearest;

use crate::failure::Usage;
use crate::options::{self, Opt, Spec, Verb};

/// The table of a settings file that holds its environments.
const ENVIRONMENTS: &str = "env";

/// A settings file that was read.
#[derive(Debug)]
pub struct File {
    path: PathBuf,
    texts: BTreeMap<String, Text>,
    environments: BTreeMap<String, toml::Table>,
    /// The environment that was chosen.
    environment: Option<String>,
    /// Whether there is such a file.
    there: bool,
}

/// What a file says of a setting.
#[derive(Debug)]
struct Text {
    text: String,
    /// Where it stands, to be read after "in".
    place: String,
}

impl File {
    /// Reads a settings file.
    ///
    /// # Errors
    /// [`Usage`] when it cannot be read, is not TOML or has names that are no settings.
    pub fn read(path: &Path) -> Result<Self, Usage> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Usage(format!("cannot read the settings file {}: {error}", path.display())))?;
        Self::parse(path, &text)
    }

    /// Where there is no settings file.
    pub fn none(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            texts: BTreeMap::new(),
            environments: BTreeMap::new(),
            environment: None,
            there: false,
        }
    }

    /// Reads a settings file's text. Lists become comma-separated texts, tables `key=value` lists.
    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, Usage> {
        let mut table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            Usage(format!("{} is not valid TOML: {}", path.display(), error.to_string().trim_end()))
        })?;
        let mut file = Self { there: true, ..Self::none(path) };
        if let Some(toml::Value::Table(environments)) = table.get(ENVIRONMENTS) {
            for (name, settings) in environments {
                let toml::Value::Table(settings) = settings else {
                    let says = "is no table: an environment is [env.NAME], with settings below it";
                    return Err(Usage(format!("`{ENVIRONMENTS}.{name}` in {} {says}", path.display())));
                };
                file.environments.insert(name.clone(), settings.clone());
            }
            table.remove(ENVIRONMENTS);
        }
        file.lay(table, path.display().to_string())?;
        Ok(file)
    }

    /// The same with what one of its environments says laid over the rest.
    ///
    /// # Errors
    /// [`Usage`] when it has no such environment, or that has names that are no settings.
    pub fn of(mut self, name: &str) -> Result<Self, Usage> {
        let Some(settings) = self.environments.remove(name) else {
            let suggestion = match nearest(name, self.environments.keys().map(String::as_str)) {
                Some(near) => format!("; did you mean `{near}`?"),
                None => format!(": write what differs there below [{ENVIRONMENTS}.{name}]"),
            };
            let path = self.path.display();
            let without =
                if self.there { format!("{path} has") } else { format!("there is no {path}, and so") };
            return Err(Usage(format!("{without} no [{ENVIRONMENTS}.{name}]{suggestion}")));
        };
        let place = format!("[{ENVIRONMENTS}.{name}] of {}", self.path.display());
        self.lay(settings, place)?;
        self.environment = Some(name.to_owned());
        Ok(self)
    }

    /// Lays settings over those there are.
    fn lay(&mut self, table: toml::Table, place: String) -> Result<(), Usage> {
        let unknown: Vec<String> = table
            .keys()
            .filter(|key| !settable().any(|spec| spec.name == key.as_str()))
            .map(|key| unknown(key, &place))
            .collect();
        if !unknown.is_empty() {
            return Err(Usage(unknown.join("\n")));
        }
        let texts = table.into_iter().map(|(name, value)| {
            let text = Text { text: options::text_of_toml(&value), place: place.clone() };
            (name, text)
        });
        self.texts.extend(texts);
        Ok(())
    }
}

/// Options that the environment and the file may set.
fn settable() -> impl Iterator<Item = &'static &'static Spec> {
    options::ALL.iter().filter(|spec| !spec.only_flag)
}

fn unknown(key: &str, place: &str) -> String {
    if options::ALL.iter().any(|spec| spec.name == key && !spec.operand) {
        return format!("`{key}` in {place} has no effect: it can only be given as --{key}");
    }
    let suggestion = match nearest(key, settable().map(|spec| spec.name)) {
        Some(name) => format!("; did you mean `{name}`?"),
        None => "; the names are those of the command-line options".to_owned(),
    };
    format!("`{key}` in {place} is no setting{suggestion}")
}

/// The environment's variables.
pub(super) type Environment = BTreeMap<String, String>;

/// A variable's value; an empty one counts as not set.
pub(super) fn lookup<'a>(environment: &'a Environment, name: &str) -> Option<&'a str> {
    environment.get(name).map(String::as_str).filter(|value| !value.is_empty())
}

/// Takes typed values out of flags, environment and file, in this order, and gathers what is wrong with them.
pub struct Reader<'a> {
    verb: Verb,
    flags: &'a BTreeMap<&'static str, Vec<String>>,
    environment: &'a Environment,
    file: &'a File,
    problems: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        verb: Verb,
        flags: &'a BTreeMap<&'static str, Vec<String>>,
        environment: &'a Environment,
        file: &'a File,
    ) -> Self {
        Self { verb, flags, environment, file, problems: Vec::new() }
    }

    /// A setting's text, and where it comes from as the user would say it.
    pub(super) fn text(&self, spec: &Spec) -> Option<(String, String)> {
        if let Some(texts) = self.flags.get(spec.name) {
            return Some((texts.join(","), origin(spec)));
        }
        if spec.only_flag {
            return None;
        }
        let variable = format!("DEPLOYER_{}", spec.name.to_uppercase().replace('-', "_"));
        if let Some(text) = lookup(self.environment, &variable) {
            return Some((text.to_owned(), variable));
        }
        let Text { text, place } = self.file.texts.get(spec.name)?;
        Some((text.clone(), format!("`{}` in {place}", spec.name)))
    }

    /// The environment of the file that was chosen.
    pub(super) fn environment(&self) -> Option<&str> {
        self.file.environment.as_deref()
    }

    fn read(&mut self, spec: &Spec, text: &str, origin: &str) -> Option<Value> {
        spec.rule.read(text).map_err(|problem| self.problems.push(format!("{origin} {problem}"))).ok()
    }

    /// A setting's value as JSON. What is wrong is noted, and the setting counts as not set.
    pub(super) fn value(&mut self, spec: &Spec) -> Option<Value> {
        let (text, origin) = self.text(spec)?;
        self.read(spec, &text, &origin)
    }

    /// A setting's value.
    pub fn get<T: DeserializeOwned>(&mut self, option: &Opt<T>) -> Option<T> {
        let spec = &option.spec;
        if spec.repeated && spec.only_flag {
            let texts = self.flags.get(spec.name)?;
            let values: Vec<Value> =
                texts.iter().filter_map(|text| self.read(spec, text, &origin(spec))).collect();
            return serde_json::from_value(values.into()).ok();
        }
        let value = self.value(spec)?;
        match serde_json::from_value(value) {
            Ok(value) => Some(value),
            Err(error) => {
                self.problems.push(format!("{}: {error}", origin(spec)));
                None
            }
        }
    }

    /// A switch; not set is off.
    pub fn is_on(&mut self, option: &Opt<bool>) -> bool {
        self.get(option).unwrap_or(false)
    }

    /// The verb's options that set something in the execution input or the template.
    pub(super) fn specs(&self) -> impl Iterator<Item = &'static Spec> + use<> {
        let verb = self.verb;
        options::ALL.iter().copied().filter(move |spec| spec.is_of(verb))
    }

    /// Notes a problem that is about more than one value.
    pub fn problem(&mut self, problem: impl Into<String>) {
        self.problems.push(problem.into());
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`Usage`] with every problem that was noted.
    pub(super) fn finish(self) -> Result<(), Usage> {
        match self.problems.as_slice() {
            [] => Ok(()),
            [problem] => Err(Usage(problem.clone())),
            problems => {
                Err(Usage(format!("{} settings are wrong:\n  - {}", problems.len(), problems.join("\n  - "))))
            }
        }
    }
}

fn origin(spec: &Spec) -> String {
    format!("--{}", spec.name)
}
