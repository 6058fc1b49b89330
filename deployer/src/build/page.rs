//! The chart page as a folder that any static host can serve: beside the program in a release, else built from the workspace
//! and kept until its sources change.
//!
//! The work is done by the crate `bundle`: the library that writes WebAssembly's glue takes long to compile, and only who
//! builds the page should wait for it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::workspace::{Workspace, beside_program, gather, origin};
use super::{BuildError, cargo};
use crate::events::Events;
use crate::failure::Advice;

/// What the page is made of, beside what belongs to the whole workspace.
const SOURCES: [&str; 3] = ["functions/core", "viz-wasm", "web"];

/// What the page was built from and came to, kept beside it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    sources: String,
    page: String,
}

/// A file of the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PageFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
}

/// The folder with the page, found or built: `index.html` and what it refers to.
///
/// # Errors
/// [`BuildError`]: no sources, no cargo, or what cargo said when it failed.
pub async fn page_folder(events: &Events) -> anyhow::Result<PathBuf> {
    if let Some(index) = beside_program("page/index.html") {
        events.detail(format!("using {}", index.display()));
        return Ok(index.parent().map(Path::to_owned).unwrap_or_default());
    }
    let Some(workspace) = Workspace::find() else {
        return Err(BuildError::Nowhere { file: "folder `page`".to_owned(), workspace: origin() })
            .hint("run the program inside its release folder, or build it from its repository again");
    };
    let folder = workspace.page_path();
    let stamp_path = folder.with_extension("json");
    let sources = workspace.fingerprint("page", &SOURCES)?;
    let is_fresh = || {
        let stamp = std::fs::read(&stamp_path).ok();
        let stamp: Option<Stamp> = stamp.and_then(|text| serde_json::from_slice(&text).ok());
        stamp.is_some_and(|stamp| {
            stamp.sources == sources && digest(&folder).is_ok_and(|page| page == stamp.page)
        })
    };
    if is_fresh() {
        events.detail(format!("{} is up to date", folder.display()));
        return Ok(folder);
    }
    let _turn = workspace.turn(events).await?;
    if is_fresh() {
        return Ok(folder);
    }
    let built = build(&workspace, events).await?;
    // Into place in one step: a page is whole, or not there.
    if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(BuildError::file(&folder))?;
    }
    std::fs::rename(built.path(), &folder).map_err(BuildError::file(&folder))?;
    let stamp = Stamp { sources, page: digest(&folder)? };
    let text = serde_json::to_vec_pretty(&stamp)?;
    std::fs::write(&stamp_path, text).map_err(BuildError::file(&stamp_path))?;
    events.finished("built the chart page");
    Ok(folder)
}

/// Puts the page into a folder, which is created if need be. What else is in there stays.
///
/// # Errors
/// As [`page_folder`], and a folder that cannot be written to.
pub async fn page(out: &Path, events: &Events) -> anyhow::Result<Vec<PageFile>> {
    let folder = page_folder(events).await?;
    let mut files = Vec::new();
    gather(&folder, &mut files)?;
    files.sort();
    let mut written = Vec::new();
    for file in files {
        let path = out.join(file.strip_prefix(&folder)?);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(BuildError::file(parent))?;
        }
        let bytes = std::fs::copy(&file, &path).map_err(BuildError::file(&path))?;
        written.push(PageFile { path, bytes });
    }
    Ok(written)
}

async fn build(workspace: &Workspace, events: &Events) -> anyhow::Result<tempfile::TempDir> {
    let folder = workspace.page_path();
    let beside = folder.parent().unwrap_or(&folder);
    std::fs::create_dir_all(beside).map_err(BuildError::file(beside))?;
    let built = tempfile::Builder::new()
        .prefix("page-")
        .permissions(shared())
        .tempdir_in(beside)
        .map_err(BuildError::file(beside))?;
    events.started("building the chart page; the first time takes minutes");
    let mut command = cargo::command(workspace);
    command.args(["run", "--release", "-p", "bundle", "--", "--out"]).arg(built.path());
    super::install_hint(cargo::run_cargo(command, events).await, None)?;
    Ok(built)
}

/// Temporary folders are for their owner only; a page is for everybody.
#[cfg(unix)]
fn shared() -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::Permissions::from_mode(0o755)
}

/// The hash of a page's files.
fn digest(folder: &Path) -> Result<String, BuildError> {
    let mut files = Vec::new();
    gather(folder, &mut files)?;
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        let content = std::fs::read(&file).map_err(BuildError::file(&file))?;
        hash.update(format!("{} {}\n", file.strip_prefix(folder).unwrap_or(&file).display(), content.len()));
        hash.update(content);
    }
    Ok(hex::encode(hash.finalize()))
}
