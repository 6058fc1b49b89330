//! `tune --watch`: tunes again whenever the code has changed, and says what the change has changed.
//!
//! The files are looked at once a second: a folder of code is read in no time, and any editor's way of saving is seen.

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde_json::Value;

use super::{Options, Stopped};
use crate::commands::compare;
use crate::context::Context;
use crate::events::Event;
use crate::failure::{self, Usage};
use crate::interrupt::{self, Interrupted};
use crate::outcome::{self, Outcome, Status};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// A result and what it is against the one before. As JSON: that of `tune` with `comparison`, that of `compare`.
#[derive(Debug, Serialize)]
struct Watched {
    #[serde(flatten)]
    tuned: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    comparison: Option<Value>,
    #[serde(skip)]
    text: String,
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Tunes, waits for a change, and begins again, until Ctrl-C.
///
/// # Errors
/// What is wrong with the first run. A later one that fails is told, and the next change awaited: code that is being worked
/// on does not always work.
pub async fn run(options: Options, context: &Context) -> anyhow::Result<Outcome> {
    let Some(code) = options.code.clone() else {
        return Err(Usage("--watch needs the code to be watched: --code DIR".to_owned()).into());
    };
    let paths: Vec<PathBuf> = [code.path].into_iter().chain(code.layers).collect();
    let named = paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
    let options = Options { watch: false, ..options };
    let mut before: Option<Outcome> = None;
    loop {
        let seen = look(&paths);
        match Box::pin(super::run(options.clone(), context)).await {
            Ok(now) => {
                let watched = against(before.as_ref(), &now, options.markdown)?;
                if outcome::print(
                    &Outcome::new(&watched)?.folded(!options.markdown),
                    context.settings.output.json,
                ) == Status::Failed
                {
                    return Ok(Outcome::silent().with_status(Status::Failed));
                }
                before = Some(now);
            }
            Err(error)
                if before.is_none()
                    || failure::is::<Stopped>(&error)
                    || failure::is::<Interrupted>(&error) =>
            {
                return Err(error);
            }
            Err(error) => {
                let told = &context.settings.output;
                context.events.suspend(|| failure::print(&error, told.json, told.color));
            }
        }
        let what = format!("waiting for a change in {named}; Ctrl-C ends this");
        context.events.emit(Event::Idle { what });
        tokio::select! {
            () = interrupt::interrupted() => return Ok(Outcome::silent()),
            () = change(&paths, &seen) => {}
        }
    }
}

/// The result with its difference to the one before.
fn against(before: Option<&Outcome>, now: &Outcome, markdown: bool) -> anyhow::Result<Watched> {
    let link =
        |outcome: &Outcome| outcome.json()["stateMachine"]["visualization"].as_str().map(str::to_owned);
    let (tuned, text) = (now.json().clone(), now.text().to_owned());
    let Some((before, now)) = before.and_then(link).zip(link(now)) else {
        return Ok(Watched { tuned, comparison: None, text });
    };
    let names = vec!["before".to_owned(), "now".to_owned()];
    let compared = compare::run(compare::Options { links: vec![before, now], names, page: None, markdown })?;
    // An empty line tells it from the result before.
    let text = format!("\n{}\n\n{}", text.trim_end(), compared.text());
    Ok(Watched { tuned, comparison: Some(compared.json().clone()), text })
}

/// Every file below the paths, with its size and when it was last written.
type Seen = Vec<(PathBuf, u64, Option<SystemTime>)>;

fn look(paths: &[PathBuf]) -> Seen {
    let mut seen = Seen::new();
    let mut rest = paths.to_vec();
    while let Some(path) = rest.pop() {
        let Ok(metadata) = std::fs::metadata(&path) else { continue };
        if metadata.is_dir() {
            rest.extend(std::fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        } else {
            seen.push((path, metadata.len(), metadata.modified().ok()));
        }
    }
    seen.sort();
    seen
}

/// Waits until something differs from what was seen, and no longer changes.
async fn change(paths: &[PathBuf], seen: &Seen) {
    let mut last = look(paths);
    loop {
        tokio::time::sleep(LOOK).await;
        let now = look(paths);
        if now != *seen && now == last {
            return;
        }
        last = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_content_name_or_number_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        std::fs::create_dir(file("lib")).unwrap();
        std::fs::write(file("lib/a"), "1").unwrap();
        let layer = tempfile::tempdir().unwrap();
        let look = || look(&[folder.path().to_owned(), layer.path().to_owned()]);
        let first = look();
        assert_eq!(first.len(), 1);
        assert_eq!(look(), first);
        std::fs::write(file("lib/a"), "12").unwrap();
        let second = look();
        assert_ne!(second, first);
        std::fs::rename(file("lib/a"), file("lib/b")).unwrap();
        let third = look();
        assert_ne!(third, second);
        std::fs::write(file("c"), "").unwrap();
        let fourth = look();
        assert_ne!(fourth, third);
        std::fs::write(layer.path().join("d"), "").unwrap();
        assert_ne!(look(), fourth);
    }
}
