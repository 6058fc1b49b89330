//! The files that define a function's memory size: looked at before a run, written after it.
//!
//! What stands where is the crate `write_back`'s; here are the disk, the names that only AWS knows (a function's CloudFormation
//! tags), and what is said.

use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use schemars::JsonSchema;
use serde::Serialize;
use write_back::{Definition, Files, Problem, Target, Wanted};

use crate::failure::Usage;

/// The tag by which CloudFormation marks what it made.
const LOGICAL_ID: &str = "aws:cloudformation:logical-id";
/// The same for the stack.
const STACK: &str = "aws:cloudformation:stack-name";

/// The disk.
struct Disk;

impl Files for Disk {
    fn read(&self, file: &Path) -> Result<String, String> {
        std::fs::read_to_string(file).map_err(|error| error.to_string())
    }

    fn list(&self, folder: &Path) -> Vec<PathBuf> {
        let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let entries = std::fs::read_dir(here).into_iter().flatten().filter_map(Result::ok);
        // Named as the user named the folder.
        let files = entries.filter(|entry| entry.path().is_file());
        let mut files: Vec<PathBuf> = files.map(|entry| folder.join(entry.file_name())).collect();
        files.sort();
        files
    }
}

/// A function, and what CloudFormation calls it.
#[derive(Debug, Clone, Default)]
pub struct Deployed {
    /// Its name.
    pub name: String,
    /// Its logical id in its template.
    pub logical_id: Option<String>,
    /// The stack that it belongs to.
    pub stack: Option<String>,
}

impl Deployed {
    /// A function of which nothing but the name, or an ARN that ends with it, is known.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let name = name.rsplit(":function:").next().unwrap_or(name);
        let name = name.split(':').next().unwrap_or(name).to_owned();
        Self { name, ..Self::default() }
    }

    /// The same with the function's tags.
    #[must_use]
    pub fn tagged<'t>(self, tag: impl Fn(&str) -> Option<&'t String>) -> Self {
        Self { logical_id: tag(LOGICAL_ID).cloned(), stack: tag(STACK).cloned(), ..self }
    }
}

/// A number that was found, or changed, in a file.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Written {
    /// The file, as it was named, or one that belongs to it.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The function's deployed name.
    pub function: String,
    /// What the file calls it.
    pub resource: String,
    /// The memory size that stood there, in MB.
    pub was: u32,
    /// The one that the result says, in MB.
    pub memory_size: u32,
    /// The way from the function to the number, where that is not the function's own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub through: Vec<String>,
    /// The other functions that have this very number.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
}

impl Written {
    fn new(found: &Definition, function: &Deployed, memory_size: u32) -> Self {
        Self {
            file: found.file.clone(),
            line: found.line,
            function: function.name.clone(),
            resource: found.resource.clone(),
            was: found.memory_size,
            memory_size,
            through: found.through.clone(),
            also: found.also.clone(),
        }
    }

    /// Whether the file says something else than the result.
    #[must_use]
    pub fn differs(&self) -> bool {
        self.was != self.memory_size
    }

    /// What the user should know before it is changed.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let Self { file, line, resource, .. } = self;
        let at = format!("{}:{line}", file.display());
        let mut notes = Vec::new();
        if !self.through.is_empty() {
            notes.push(format!(
                "{at}: the memory size of {resource} comes from there by {}",
                self.through.join(", then ")
            ));
        }
        if !self.also.is_empty() {
            notes.push(format!("{at}: {} have the same number, and change with it", self.also.join(", ")));
        }
        notes
    }

    /// What was done, or is to be done.
    #[must_use]
    pub fn sentence(&self, checked: bool) -> String {
        let Self { file, line, resource, was, memory_size, .. } = self;
        let at = format!("{}:{line}", file.display());
        match (self.differs(), checked) {
            (false, _) => format!("{at}: {resource} has {memory_size} MB."),
            (true, true) => format!("{at}: {resource} has {was} MB, and the result says {memory_size} MB."),
            (true, false) => format!("{at}: {resource} now has {memory_size} MB (was {was})."),
        }
    }
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence(false))
    }
}

/// What is wrong with the files.
#[derive(Debug)]
pub struct Wrong {
    problems: Vec<String>,
    /// Whether another name of the function may help.
    pub unnamed: bool,
}

impl From<Wrong> for Usage {
    fn from(wrong: Wrong) -> Self {
        Self(wrong.problems.join("\n"))
    }
}

/// Files to write to, as they were named: `FILE`, or `FILE#NAME` for the function that the file calls so.
#[derive(Debug, Clone, Default)]
pub struct Definitions {
    targets: Vec<(PathBuf, Option<String>)>,
    tfvars: Vec<PathBuf>,
}

/// The files in which a function was found, by their place among the targets, and what is wrong with the others.
type Found = (Vec<(usize, Definition)>, Vec<(usize, Problem)>);

impl Definitions {
    /// Takes the files apart.
    #[must_use]
    pub fn new(named: &[String]) -> Self {
        let mut definitions = Self::default();
        for text in named {
            // A file may have the sign in its name.
            let (file, resource) = match text.rsplit_once('#') {
                Some((file, resource)) if !Path::new(text).is_file() => (file, Some(resource.to_owned())),
                _ => (text.as_str(), None),
            };
            let file = PathBuf::from(file);
            if write_back::is_tfvars(&file) {
                definitions.tfvars.push(file);
            } else {
                definitions.targets.push((file, resource));
            }
        }
        definitions
    }

    /// Whether there is nothing to write to.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty() && self.tfvars.is_empty()
    }

    fn look(&self, function: &Deployed) -> Found {
        let wanted = Wanted { function: &function.name, logical_id: function.logical_id.as_deref() };
        let (mut found, mut problems) = (Vec::new(), Vec::new());
        for (index, (file, resource)) in self.targets.iter().enumerate() {
            let target = Target { file, resource: resource.as_deref() };
            match write_back::find(&target, &wanted, &self.tfvars, &Disk) {
                Ok(definition) => found.push((index, definition)),
                Err(problem) => problems.push((index, problem)),
            }
        }
        (found, problems)
    }

    /// What stands in the files for these functions, each with the size that it is to have, in MB, if that is known. Nothing is written.
    ///
    /// # Errors
    /// A function that is in none of the files, a file with none of the functions, a size that is computed; all of them.
    pub fn check(&self, functions: &[(Deployed, Option<u32>)]) -> Result<Vec<Written>, Wrong> {
        if self.targets.is_empty() {
            let named =
                self.tfvars.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ");
            let what = format!(
                "--write {named} has values of variables only: also name a .tf file of the module that has them"
            );
            return Err(Wrong { problems: vec![what], unnamed: false });
        }
        let mut used = vec![false; self.targets.len()];
        let (mut all, mut wrong, mut unnamed) = (Vec::new(), Vec::new(), false);
        let mut unused: Vec<Option<Problem>> = vec![None; self.targets.len()];
        for (function, size) in functions {
            let (found, problems) = self.look(function);
            if found.is_empty() {
                wrong.extend(problems.iter().map(|(_, problem)| problem.to_string()));
            }
            for (index, problem) in problems {
                unnamed |= problem.unnamed;
                unused[index].get_or_insert(problem);
            }
            for (index, definition) in found {
                used[index] = true;
                let size = size.unwrap_or(definition.memory_size);
                if let Err(problem) = definition.set(size) {
                    wrong.push(problem.to_string());
                }
                all.push(Written::new(&definition, function, size));
            }
        }
        let left = unused.into_iter().zip(used).filter(|(_, used)| !used).filter_map(|(problem, _)| problem);
        wrong.extend(left.map(|problem| problem.to_string()));
        wrong.sort();
        wrong.dedup();
        if wrong.is_empty() { Ok(all) } else { Err(Wrong { problems: wrong, unnamed }) }
    }

    /// Writes the sizes into the files, which [`check`](Self::check) has looked at.
    ///
    /// # Errors
    /// A file that has changed meanwhile so that nothing is found, or that cannot be written; those before it are written.
    pub fn write(&self, functions: &[(Deployed, u32)]) -> anyhow::Result<Vec<Written>> {
        let mut all = Vec::new();
        for (function, size) in functions {
            for index in self.look(function).0.into_iter().map(|(index, _)| index) {
                // Looked for anew: another of the numbers may be in the same file.
                let (file, resource) = &self.targets[index];
                let target = Target { file, resource: resource.as_deref() };
                let wanted = Wanted { function: &function.name, logical_id: function.logical_id.as_deref() };
                let definition = write_back::find(&target, &wanted, &self.tfvars, &Disk)?;
                let written = Written::new(&definition, function, *size);
                if written.differs() {
                    replace(&definition.file, &definition.set(*size)?)?;
                }
                all.push(written);
            }
        }
        Ok(all)
    }
}

/// Writes a file at once or not at all; what it may be done with stays.
fn replace(file: &Path, text: &str) -> anyhow::Result<()> {
    let writing = || format!("{} could not be written", file.display());
    // Behind a symbolic link.
    let real = file.canonicalize().with_context(writing)?;
    let folder = real.parent().unwrap_or(Path::new("."));
    let mut new = tempfile::NamedTempFile::new_in(folder).with_context(writing)?;
    new.write_all(text.as_bytes()).with_context(writing)?;
    let permissions = std::fs::metadata(&real).with_context(writing)?.permissions();
    new.as_file().set_permissions(permissions).with_context(writing)?;
    new.persist(&real).map(drop).with_context(writing)
}
