//! The chart page, built from the workspace into a folder that any static host can serve.
//!
//! The work is done by the crate `bundle`: the library that writes WebAssembly's glue takes minutes to compile, and only who
//! builds the page should wait for it.

use std::path::Path;

use tokio::process::Command;

use super::BuildError;
use super::workspace::{Workspace, origin};
use crate::events::Events;
use crate::failure::Advice;

/// Builds the page into `out`, which is created if need be: `index.html`, `style.css`, `loader.js`, `viz.js` and
/// `viz_bg.wasm`.
///
/// # Errors
/// [`BuildError`]: no sources, no cargo, or what cargo said when it failed.
pub async fn page(out: &Path, events: &Events) -> anyhow::Result<()> {
    let Some(workspace) = Workspace::find() else {
        return Err(BuildError::Nowhere { file: "index.html".to_owned(), workspace: origin() })
            .hint("build it inside the repository the program came from");
    };
    // The tool runs in the workspace: a relative folder is relative to where the user is.
    let out = std::path::absolute(out)?;
    events.started("building the chart page".to_owned());
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let answer = Command::new(cargo)
        .current_dir(&workspace.root)
        .args(["run", "--quiet", "--release", "-p", "bundle", "--", "--out"])
        .arg(&out)
        .kill_on_drop(true)
        .output()
        .await;
    let answer = match answer {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let install = "https://rustup.rs".to_owned();
            let hint = format!("install it from: {install}");
            let missing = BuildError::ToolMissing {
                tool: "cargo".to_owned(),
                what: "the chart page".to_owned(),
                install,
            };
            return Err(missing).hint(hint);
        }
        other => other?,
    };
    if !answer.status.success() {
        let said = String::from_utf8_lossy(&answer.stderr);
        let lines: Vec<&str> = said.trim().lines().collect();
        let output = lines[lines.len().saturating_sub(30)..].join("\n");
        return Err(BuildError::Tool { command: "cargo run -p bundle".to_owned(), output }.into());
    }
    events.finished(format!("built the chart page in {}", out.display()));
    Ok(())
}
