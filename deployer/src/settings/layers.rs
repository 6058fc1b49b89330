//! The sources of settings laid over each other by option name, and the reader that takes values out of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::failure::Usage;

/// Options that only make sense on the command line.
const ONLY_FLAGS: [&str; 15] = [
    "attach", "code", "config", "detach", "env", "faults", "handler", "help", "input", "layer", "runtime",
    "timeout", "version", "watch", "yes",
];

type Layer = BTreeMap<String, String>;

/// A settings file that was read.
#[derive(Debug)]
pub struct File {
    path: PathBuf,
    layer: Layer,
}

/// Reads a settings file.
///
/// # Errors
/// [`Usage`] when it cannot be read or is no TOML.
pub fn read(path: &Path) -> Result<File, Usage> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Usage(format!("cannot read the settings file {}: {error}", path.display())))?;
    parse(path, &text)
}

/// Reads a settings file's text. Lists become comma-separated texts, tables `key=value` lists.
pub(super) fn parse(path: &Path, text: &str) -> Result<File, Usage> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        Usage(format!("{} is not valid TOML: {}", path.display(), error.to_string().trim_end()))
    })?;
    let layer = table.into_iter().map(|(name, value)| (name, as_text(&value))).collect();
    Ok(File { path: path.to_owned(), layer })
}

fn as_text(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Array(values) => values.iter().map(as_text).collect::<Vec<_>>().join(","),
        toml::Value::Table(table) => {
            table.iter().map(|(key, value)| format!("{key}={}", as_text(value))).collect::<Vec<_>>().join(",")
        }
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Float(number) => number.to_string(),
        toml::Value::Boolean(flag) => flag.to_string(),
        toml::Value::Datetime(time) => time.to_string(),
    }
}

/// A variable's value; an empty one counts as not set.
pub(super) fn lookup<'a>(environment: &'a [(String, String)], name: &str) -> Option<&'a str> {
    environment.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
}

fn variable(name: &str) -> String {
    format!("DEPLOYER_{}", name.to_uppercase().replace('-', "_"))
}

/// Flags over environment over file.
#[derive(Debug)]
pub struct Layers {
    flags: Layer,
    environment: Layer,
    file: Layer,
    file_name: String,
}

impl Layers {
    /// The environment over the file; flags are added verb by verb. `names` are all options there are.
    ///
    /// # Errors
    /// [`Usage`] for names in the file that are no options. (The environment is shared, so it may hold others.)
    pub fn new(
        environment: &[(String, String)],
        file: Option<File>,
        names: &[String],
    ) -> Result<Self, Usage> {
        let allowed: Vec<&String> =
            names.iter().filter(|name| !ONLY_FLAGS.contains(&name.as_str())).collect();
        let File { path, layer: file } =
            file.unwrap_or_else(|| File { path: PathBuf::new(), layer: Layer::new() });
        let unknown: Vec<String> = file
            .keys()
            .filter(|key| !allowed.contains(key))
            .map(|key| unknown(key, &allowed, &path))
            .collect();
        if !unknown.is_empty() {
            return Err(Usage(unknown.join("\n")));
        }
        let environment = allowed
            .iter()
            .filter_map(|name| {
                lookup(environment, &variable(name)).map(|value| ((*name).clone(), value.to_owned()))
            })
            .collect();
        Ok(Self { flags: Layer::new(), environment, file, file_name: path.display().to_string() })
    }

    /// Adds flags: every field that is set, under its serialized name.
    pub fn flags(&mut self, arguments: &impl Serialize) {
        let Ok(toml::Value::Table(table)) = toml::Value::try_from(arguments) else { return };
        let set =
            table.into_iter().filter(|(_, value)| !matches!(value, toml::Value::Array(a) if a.is_empty()));
        self.flags.extend(set.map(|(name, value)| (name, as_text(&value))));
    }

    /// A setting's text, and where it comes from as the user would say it.
    fn get(&self, name: &str) -> Option<(&str, String)> {
        if let Some(text) = self.flags.get(name) {
            return Some((text, format!("--{name}")));
        }
        if let Some(text) = self.environment.get(name) {
            return Some((text, variable(name)));
        }
        self.file.get(name).map(|text| (text.as_str(), format!("`{name}` in {}", self.file_name)))
    }
}

fn unknown(key: &str, allowed: &[&String], path: &Path) -> String {
    if ONLY_FLAGS.contains(&key) {
        return format!("`{key}` in {} has no effect: it can only be given as --{key}", path.display());
    }
    let nearest = allowed.iter().map(|name| (distance(key, name), *name)).min();
    let suggestion = match nearest {
        Some((distance, name)) if distance <= 3 => format!("; did you mean `{name}`?"),
        _ => "; the names are those of the command-line options".to_owned(),
    };
    format!("`{key}` in {} is no setting{suggestion}", path.display())
}

/// Insertions, deletions and replacements between two names (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.chars().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[row.len() - 1]
}

/// Takes typed values out of the layers and gathers what is wrong with them.
#[derive(Debug)]
pub struct Reader {
    layers: Layers,
    problems: Vec<String>,
}

impl Reader {
    /// A reader of these layers.
    #[must_use]
    pub fn new(layers: Layers) -> Self {
        Self { layers, problems: Vec::new() }
    }

    /// Adds the flags of a verb.
    pub fn flags(&mut self, arguments: &impl Serialize) {
        self.layers.flags(arguments);
    }

    /// A setting, read by `read`. What is wrong is noted, and the setting counts as not set.
    pub fn take<T>(&mut self, name: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let (text, origin) = self.layers.get(name)?;
        match read(text) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.problems.push(format!("{origin} `{text}`: {problem}"));
                None
            }
        }
    }

    /// A switch; not set is off.
    pub fn flag(&mut self, name: &str) -> bool {
        self.take(name, super::values::switch).unwrap_or(false)
    }

    /// Where a setting comes from, for a message about it; its name when it is not set.
    #[must_use]
    pub fn origin(&self, name: &str) -> String {
        self.layers.get(name).map_or_else(|| format!("--{name}"), |(_, origin)| origin)
    }

    /// Notes a problem that is about more than one value.
    pub fn problem(&mut self, problem: impl Into<String>) {
        self.problems.push(problem.into());
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`Usage`] with every problem that was noted.
    pub fn finish(self) -> Result<(), Usage> {
        match self.problems.as_slice() {
            [] => Ok(()),
            [problem] => Err(Usage(problem.clone())),
            problems => {
                Err(Usage(format!("{} settings are wrong:\n  - {}", problems.len(), problems.join("\n  - "))))
            }
        }
    }
}
