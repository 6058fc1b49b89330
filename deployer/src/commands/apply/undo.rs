//! What functions were before a result was applied, in a file beside it, and the way back.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::{Left, NotAsMeasured, Now, set};
use crate::aws::Aws;
use crate::context::Context;
use crate::definitions::Deployed;
use crate::execution;
use crate::failure::{self, Usage, hinted};
use crate::function;
use crate::outcome::{Outcome, Status};

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
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Changed {
    #[serde(rename = "lambdaARN")]
    pub lambda_arn: String,
    /// Its memory size before, in MB.
    pub was: u32,
    /// The one it was given, in MB.
    pub memory_size: u32,
    /// When; nothing in files of versions that did not write it down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_at: Option<jiff::Timestamp>,
    /// By which factor its 95th percentile changes, as it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_change: Option<f64>,
}

impl Changed {
    /// Of a function that gets its size now.
    pub fn new(lambda_arn: String, was: u32, memory_size: u32, expected_change: Option<f64>) -> Self {
        Self { lambda_arn, was, memory_size, applied_at: Some(jiff::Timestamp::now()), expected_change }
    }

    /// The function's name.
    pub fn name(&self) -> String {
        Deployed::named(&self.lambda_arn).name
    }
}

impl Record {
    /// Of functions.
    pub fn new(changes: impl Iterator<Item = Changed>) -> Self {
        Self { schema_version: VERSION, changes: changes.collect() }
    }

    /// The functions.
    pub fn changes(&self) -> &[Changed] {
        &self.changes
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

    /// Reads it.
    ///
    /// # Errors
    /// [`Usage`]: a file that is not there, or that is something else.
    pub fn read(file: &Path) -> Result<Self, Usage> {
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

/// What was put back. As JSON: `{"functions":[{"function","memorySize","was"}],"leftOut":[…]}`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Undone {
    functions: Vec<PutBack>,
    /// Functions that somebody has changed since.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<Left>,
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
        let left = |left: &Left| format!("{} is left as it is: {}.", left.function, left.why);
        let lines = self.functions.iter().map(line).chain(self.left_out.iter().map(left));
        f.write_str(&lines.collect::<Vec<_>>().join("\n"))
    }
}

/// Puts back what functions were before a result was applied. The file goes once that is done.
///
/// # Errors
/// [`Usage`]: no such file. A function that somebody has changed since, if it is the only one; what AWS refuses.
pub async fn run(result: &Path, context: &Context) -> anyhow::Result<Outcome> {
    let file = file(result);
    let record = Record::read(&file)?;
    context.can_confirm()?;
    let undone = take_back(&file, record, |_| true, "Put it back?", context).await?;
    let outcome = Outcome::new(&undone)?.folded(true);
    Ok(if undone.left_out.is_empty() { outcome } else { outcome.with_status(Status::Failed) })
}

/// Puts back those that are chosen; the file keeps the others, and those that somebody has changed since.
///
/// # Errors
/// As [`run`].
pub async fn take_back(
    file: &Path,
    record: Record,
    chosen: impl Fn(&Changed) -> bool,
    question: &str,
    context: &Context,
) -> anyhow::Result<Undone> {
    let aws = context.aws().await?;
    let alone = record.changes.len() == 1;
    let (chosen, mut kept): (Vec<Changed>, Vec<Changed>) =
        record.changes.into_iter().partition(|one| chosen(one));
    let (mut planned, mut left_out) = (Vec::new(), Vec::new());
    for changed in chosen {
        execution::same_region(&changed.lambda_arn, aws)?;
        let name = changed.name();
        match as_it_was_set(aws, &changed, file).await {
            Err(error) if !alone && failure::is::<NotAsMeasured>(&error) => {
                left_out.push(Left { function: name, why: format!("{error:#}"), failed: true });
                kept.push(changed);
            }
            now => {
                let now = now?;
                context.events.note(format!("{name}: {} MB \u{2192} {} MB", now.memory, changed.was));
                planned.push((name, now, changed));
            }
        }
    }
    anyhow::ensure!(context.confirm(question).await?, "declined; nothing was changed");
    let mut functions = Vec::new();
    for (function, now, changed) in planned {
        let memory_size = changed.was;
        if now.memory != memory_size {
            match set(aws, &now, memory_size, &context.events).await {
                Err(error) if !alone && failure::is::<NotAsMeasured>(&error) => {
                    left_out.push(Left { function, why: format!("{error:#}"), failed: true });
                    kept.push(changed);
                    continue;
                }
                done => done?,
            }
        }
        functions.push(PutBack { function, memory_size, was: now.memory });
    }
    if kept.is_empty() {
        std::fs::remove_file(file).with_context(|| format!("{} could not be deleted", file.display()))?;
    } else {
        Record { schema_version: VERSION, changes: kept }.write(file)?;
    }
    Ok(Undone { functions, left_out })
}

/// The function, which must have the size that it was given, or the one before.
async fn as_it_was_set(aws: &Aws, changed: &Changed, file: &Path) -> anyhow::Result<Now> {
    let name = changed.name();
    let found = function::configuration(aws, &changed.lambda_arn).await?;
    let gone = || NotAsMeasured(format!("the function {name} does not exist any more"));
    let now = Now::of(&found.ok_or_else(gone)?)?;
    if now.memory != changed.was && now.memory != changed.memory_size {
        let why = NotAsMeasured(format!(
            "{name} was given {} MB and has {} MB now: somebody has changed it since",
            changed.memory_size, now.memory
        ));
        let hint =
            format!("it had {} MB before; to leave it as it is, delete {}", changed.was, file.display());
        return Err(hinted(why, hint));
    }
    Ok(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_attempt_that_broke_off_had_changed_can_still_be_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("result.undo.json");
        let change = |arn: &str, was: u32| Changed::new(arn.to_owned(), was, 512, None);
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
