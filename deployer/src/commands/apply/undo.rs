//! What functions were before a result was applied, in a file beside it, and the way back.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::{Now, set};
use crate::context::Context;
use crate::definitions::Deployed;
use crate::execution;
use crate::failure::{Usage, hinted};
use crate::function;
use crate::outcome::Outcome;

/// The version of the file's form.
const VERSION: u32 = 1;

/// What was changed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    schema_version: u32,
    changes: Vec<Changed>,
}

/// One function.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Changed {
    #[serde(rename = "lambdaARN")]
    lambda_arn: String,
    /// Its memory size before, in MB.
    was: u32,
    /// The one it was given, in MB.
    memory_size: u32,
}

impl Record {
    /// Of functions by their ARNs, with the sizes before and after.
    pub fn new(changes: impl Iterator<Item = (String, u32, u32)>) -> Self {
        let changes = changes.map(|(lambda_arn, was, memory_size)| Changed { lambda_arn, was, memory_size });
        Self { schema_version: VERSION, changes: changes.collect() }
    }

    /// The same with what the file there says of these functions, which an earlier attempt has given their sizes already.
    ///
    /// # Errors
    /// A file that is something else.
    pub fn keeping(mut self, file: &Path, done: &[String]) -> anyhow::Result<Self> {
        if done.is_empty() || !file.exists() {
            return Ok(self);
        }
        let earlier = Self::read(file)?.changes.into_iter();
        self.changes.extend(earlier.filter(|changed| done.contains(&changed.lambda_arn)));
        Ok(self)
    }

    fn read(file: &Path) -> Result<Self, Usage> {
        let text = std::fs::read_to_string(file).map_err(|error| {
            Usage(format!(
                "{}, in which `apply` keeps what was there before, cannot be read: {error}",
                file.display()
            ))
        })?;
        serde_json::from_str(&text)
            .map_err(|error| Usage(format!("{} is not as `apply` writes it: {error}", file.display())))
    }

    /// Writes it down.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write(&self, file: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self).context("writing down what there was before")?;
        std::fs::write(file, text + "\n")
            .with_context(|| format!("{} could not be written; nothing was changed", file.display()))
    }
}

/// The file that belongs to a result: `result.undo.json` beside `result.json`.
pub fn file(result: &Path) -> PathBuf {
    result.with_extension("undo.json")
}

/// What was put back. As JSON: `{"functions":[{"function","memorySize","was"}]}`.
#[derive(Debug, Serialize)]
struct Undone {
    functions: Vec<PutBack>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PutBack {
    function: String,
    /// The memory size it has again, in MB.
    memory_size: u32,
    /// The one it had till now, in MB.
    was: u32,
}

impl fmt::Display for Undone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |put: &PutBack| match put {
            PutBack { function, memory_size, was } if memory_size == was => {
                format!("{function} has {memory_size} MB.")
            }
            PutBack { function, memory_size, was } => {
                format!("{function} has {memory_size} MB again (was {was}).")
            }
        };
        f.write_str(&self.functions.iter().map(line).collect::<Vec<_>>().join("\n"))
    }
}

/// Puts back what functions were before a result was applied. The file goes once that is done.
///
/// # Errors
/// [`Usage`]: no such file. A function that somebody has changed since; what AWS refuses.
pub async fn run(result: &Path, context: &Context) -> anyhow::Result<Outcome> {
    let file = file(result);
    let record = Record::read(&file)?;
    context.can_confirm()?;
    let aws = context.aws().await?;
    let mut planned = Vec::new();
    for changed in &record.changes {
        execution::same_region(&changed.lambda_arn, aws)?;
        let name = Deployed::named(&changed.lambda_arn).name;
        let found = function::configuration(aws, &changed.lambda_arn).await?;
        let now = Now::of(&found.with_context(|| format!("the function {name} does not exist any more"))?)?;
        if now.memory != changed.was && now.memory != changed.memory_size {
            let why = anyhow::anyhow!(
                "{name} was given {} MB and has {} MB now: somebody has changed it since",
                changed.memory_size,
                now.memory
            );
            let hint =
                format!("it had {} MB before; to leave it as it is, delete {}", changed.was, file.display());
            return Err(hinted(why, hint));
        }
        context.events.note(format!("{name}: {} MB \u{2192} {} MB", now.memory, changed.was));
        planned.push((name, now, changed.was));
    }
    anyhow::ensure!(context.confirm("Put it back?").await?, "declined; nothing was changed");
    let mut functions = Vec::new();
    for (function, now, memory_size) in planned {
        if now.memory != memory_size {
            set(aws, &now, memory_size, &context.events).await?;
        }
        functions.push(PutBack { function, memory_size, was: now.memory });
    }
    std::fs::remove_file(&file).with_context(|| format!("{} could not be deleted", file.display()))?;
    Ok(Outcome::new(&Undone { functions })?.folded(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_attempt_that_broke_off_had_changed_can_still_be_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("result.undo.json");
        let change = |arn: &str, was: u32| (arn.to_owned(), was, 512);
        let first = Record::new([change("one", 128), change("two", 256), change("old", 64)].into_iter());
        first.keeping(&file, &[]).unwrap().write(&file).unwrap();
        // `one` has its size, `two` was not reached, and `old` is of another result.
        let again = Record::new([change("two", 256)].into_iter());
        let again = again.keeping(&file, &["one".to_owned()]).unwrap();
        let kept: Vec<_> =
            again.changes.iter().map(|changed| (changed.lambda_arn.as_str(), changed.was)).collect();
        assert_eq!(kept, [("two", 256), ("one", 128)]);
        std::fs::write(&file, "{}").unwrap();
        let broken = Record::new(std::iter::empty()).keeping(&file, &["one".to_owned()]);
        assert!(broken.unwrap_err().to_string().contains("is not as `apply` writes it"));
    }
}
