#![doc = include_str!("../README.md")]
//! # How
//!
//! [`find`] looks for the function in a file and follows its memory size to the number that decides it: a [`Definition`], which
//! knows its file and line and gives the new text. Files come through [`Files`]; nothing is written here. Depends on parsers that keep
//! positions, and on nothing of this program.

mod cloudformation;
mod document;
mod named;
mod place;
mod serverless;
mod terraform;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use place::{Function, line_of};

/// The files that definitions are in.
pub trait Files {
    /// The text of a file.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn read(&self, file: &Path) -> Result<String, String>;

    /// The files that are directly in a folder, in the order of their names; none when there is no such folder.
    fn list(&self, folder: &Path) -> Vec<PathBuf>;
}

impl Files for BTreeMap<PathBuf, String> {
    fn read(&self, file: &Path) -> Result<String, String> {
        self.get(file).cloned().ok_or_else(|| "there is no such file".to_owned())
    }

    fn list(&self, folder: &Path) -> Vec<PathBuf> {
        self.keys().filter(|file| file.parent() == Some(folder)).cloned().collect()
    }
}

/// Where to look.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// A template, a `serverless.yml`, or a file of a Terraform module, which stands for all of its folder.
    pub file: &'a Path,
    /// What the function is called in it, where that is said: a logical id, a key of `functions`, an address such as
    /// `aws_lambda_function.orders`.
    pub resource: Option<&'a str>,
}

/// Which function.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Its deployed name.
    pub function: &'a str,
    /// What CloudFormation calls it, by its tag `aws:cloudformation:logical-id`.
    pub logical_id: Option<&'a str>,
}

/// Why a definition was not found, or cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {what}")]
pub struct Problem {
    /// The file, with the line where it is about one.
    pub at: String,
    /// What stands there, and what to do.
    pub what: String,
    /// Whether the file defines functions, none of them known by the names that were given: another name may help.
    pub unnamed: bool,
}

impl Problem {
    fn in_file(file: &Path, what: impl Into<String>) -> Self {
        Self { at: file.display().to_string(), what: what.into(), unnamed: false }
    }

    fn at_line(file: &Path, line: usize, what: impl Into<String>) -> Self {
        Self { at: format!("{}:{line}", file.display()), what: what.into(), unnamed: false }
    }
}

/// Where the memory size of a function is defined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// The file that the number is in: the one that was looked in, or one that belongs to it.
    pub file: PathBuf,
    /// Its line, from 1.
    pub line: usize,
    /// What the function is called there.
    pub resource: String,
    /// Its memory size by now, in MB.
    pub memory_size: u32,
    /// The way from the function to the number, where that is not the function's own: one sentence for each step.
    pub through: Vec<String>,
    /// The other functions that have this very number.
    pub also: Vec<String>,
    text: String,
    digits: Range<usize>,
    allowed: Option<Vec<String>>,
}

impl Definition {
    /// The file's text with another memory size, in MB.
    ///
    /// # Errors
    /// A size that the file itself does not allow.
    pub fn set(&self, memory_size: u32) -> Result<String, Problem> {
        if let Some(allowed) = &self.allowed
            && !allowed.contains(&memory_size.to_string())
        {
            let allowed = allowed.join(", ");
            let what = format!(
                "{memory_size} is none of the AllowedValues of this parameter ({allowed}): add it to them first"
            );
            return Err(Problem::at_line(&self.file, self.line, what));
        }
        let mut text = self.text.clone();
        text.replace_range(self.digits.clone(), &memory_size.to_string());
        Ok(text)
    }
}

/// Looks for a function in a file, and for the number that decides its memory size. `tfvars` are files with values of Terraform's
/// variables that are used beside those that Terraform reads by itself, as with its `-var-file`.
///
/// # Errors
/// A file that cannot be read or is of no kind that is known, a function that is not in it, a memory size that is computed: each with
/// file and line, and with what to do.
pub fn find(
    target: &Target<'_>,
    wanted: &Wanted<'_>,
    tfvars: &[PathBuf],
    files: &dyn Files,
) -> Result<Definition, Problem> {
    let functions = functions(target.file, tfvars, files)?;
    let chosen = choose(&functions, target, wanted)?;
    let place = chosen.size.clone()?;
    let number = place.number()?;
    let also = functions.iter().filter(|other| other.name != chosen.name).filter(|other| {
        other.size.as_ref().is_ok_and(|size| size.file == place.file && size.span == place.span)
    });
    let also = also.map(|other| other.name.clone()).collect();
    Ok(Definition {
        line: line_of(&place.text, number.digits.start),
        file: place.file,
        resource: chosen.name.clone(),
        memory_size: number.value,
        through: place.through,
        also,
        text: place.text.to_string(),
        digits: number.digits,
        allowed: place.allowed,
    })
}

/// Whether a file has values of Terraform's variables, and thereby defines nothing by itself.
#[must_use]
pub fn is_tfvars(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "tfvars")
}

fn functions(file: &Path, tfvars: &[PathBuf], files: &dyn Files) -> Result<Vec<Function>, Problem> {
    if is_tfvars(file) {
        let what = "values of variables define no function: also name a .tf file of the module that has them";
        return Err(Problem::in_file(file, what));
    }
    if file.extension().is_some_and(|extension| extension == "tf") {
        return terraform::functions(file, tfvars, files);
    }
    let text = files.read(file).map_err(|why| Problem::in_file(file, why))?;
    let document = document::read(file, &text)?;
    let root = document.root();
    if root.get("Resources").is_some() {
        return Ok(cloudformation::functions(&document));
    }
    if root.get("functions").is_some() && root.get("provider").is_some() {
        return Ok(serverless::functions(&document));
    }
    let what = "it is no CloudFormation or SAM template (`Resources`), no serverless.yml (`functions`, `provider`), and no Terraform file (.tf)";
    Err(Problem::in_file(file, what))
}

/// The one function that is meant.
fn choose<'f>(
    functions: &'f [Function],
    target: &Target<'_>,
    wanted: &Wanted<'_>,
) -> Result<&'f Function, Problem> {
    let known = || functions.iter().map(|function| function.name.as_str()).collect::<Vec<_>>().join(", ");
    if functions.is_empty() {
        return Err(Problem::in_file(target.file, "it defines no Lambda function"));
    }
    if let Some(resource) = target.resource {
        let called = functions.iter().filter(|function| function.is_called(resource)).collect::<Vec<_>>();
        return match called.as_slice() {
            [one] => Ok(one),
            _ => {
                let what = format!("it defines no function {resource}, but {}", known());
                Err(Problem::in_file(target.file, what))
            }
        };
    }
    let ways: [&dyn Fn(&Function) -> bool; 5] = [
        &|function: &Function| function.named.is(wanted.function),
        &|function: &Function| wanted.logical_id.is_some_and(|id| function.logical_id.as_deref() == Some(id)),
        &|function: &Function| function.is_called(wanted.function),
        &|function: &Function| function.named.may_be(wanted.function),
        &|function: &Function| function.generated.as_ref().is_some_and(|named| named.may_be(wanted.function)),
    ];
    for way in ways {
        let fitting: Vec<&Function> = functions.iter().filter(|function| way(function)).collect();
        match fitting.as_slice() {
            [] => {}
            [one] => return Ok(one),
            several => {
                let names =
                    several.iter().map(|function| function.name.as_str()).collect::<Vec<_>>().join(" or ");
                let what = format!(
                    "{} may be {names}: say which, as {}#{}",
                    wanted.function,
                    target.file.display(),
                    several[0].name
                );
                return Err(Problem::in_file(target.file, what));
            }
        }
    }
    let what = format!(
        "none of its functions is known to be deployed as {}: it defines {}; say which one it is, as {}#{}",
        wanted.function,
        known(),
        target.file.display(),
        functions[0].name
    );
    Err(Problem { unnamed: true, ..Problem::in_file(target.file, what) })
}
