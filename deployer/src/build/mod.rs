//! The assets of the stack: zips with one executable, `bootstrap`, each.
//!
//! They are found beside the program (a release is such a folder) or [`inside`] of it, else built by it from the workspace it came from:
//! [`workspace`] knows where that is and whether anything changed, [`cargo`] builds, [`package`] zips. Nothing is
//! built again while its sources are the same. The chart's [`page()`] likewise.

mod cargo;
mod inside;
mod package;
mod page;
mod workspace;

pub use inside::append;
pub use page::{PageFile, page, page_folder};

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
pub use tuning::pricing::Architecture;

use crate::events::Events;
use crate::failure::Advice;

/// What an executable is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// This machine, quickly: on top of what was compiled for this program already.
    Host,
    /// AWS Lambda: static, small.
    Lambda(Architecture),
}

impl Flavour {
    /// The processor it is for.
    #[must_use]
    pub fn architecture(self) -> Architecture {
        match self {
            Self::Host => Architecture::host(),
            Self::Lambda(architecture) => architecture,
        }
    }
}

impl fmt::Display for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("this machine"),
            Self::Lambda(architecture) => write!(f, "AWS Lambda on {architecture}"),
        }
    }
}

/// An executable that goes into a zip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// The six functions of the state machine.
    Functions,
    /// The sample functions to tune.
    Samples,
}

impl Program {
    /// What its zips are called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Functions => "functions",
            Self::Samples => "samples",
        }
    }

    /// The binary of the crate `functions`.
    const fn binary(self) -> &'static str {
        match self {
            Self::Functions => "bootstrap",
            Self::Samples => "samples",
        }
    }
}

/// A zip that is ready to be uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    /// Where it is.
    pub path: PathBuf,
    /// The SHA-256 of its bytes, in hex.
    pub sha256: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// The processor it is for.
    pub architecture: Architecture,
}

impl Asset {
    /// The name its file has wherever we put it: `functions-arm64.zip`.
    #[must_use]
    pub fn file_name(program: Program, architecture: Architecture) -> String {
        format!("{}-{architecture}.zip", program.name())
    }
}

/// Why there is no asset.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Neither a release's folder nor a workspace.
    #[error("there is no {file} beside the program, and the sources it was built from are not in {}", .workspace.display())]
    Nowhere {
        /// The zip's name.
        file: String,
        /// Where the sources were.
        workspace: PathBuf,
    },
    /// A file that cannot be read or written.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A zip that cannot be written.
    #[error("{}: {source}", .path.display())]
    Zip {
        /// Which.
        path: PathBuf,
        /// Why.
        source: zip::result::ZipError,
    },
    /// A tool that is not installed.
    #[error("{tool} is needed to build for {what}, and it is not installed")]
    ToolMissing {
        /// Which.
        tool: String,
        /// What for.
        what: String,
        /// How to get it.
        install: String,
    },
    /// A tool that failed.
    #[error("`{command}` failed:\n{output}")]
    Tool {
        /// What was run.
        command: String,
        /// The end of what it said.
        output: String,
    },
}

impl BuildError {
    fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}

/// The zip of a program, found or built.
///
/// # Errors
/// [`BuildError`], with the command that installs what is missing as its hint.
pub async fn asset(program: Program, flavour: Flavour, events: &Events) -> anyhow::Result<Asset> {
    let file = Asset::file_name(program, flavour.architecture());
    if let Some(path) = workspace::beside_program(&file) {
        events.detail(format!("using {}", path.display()));
        return Ok(package::describe(path, flavour.architecture())?);
    }
    let Some(workspace) = workspace::Workspace::find() else {
        let workspace = workspace::origin();
        return Err(BuildError::Nowhere { file, workspace })
            .hint("run the program inside its release folder, or build it from its repository again");
    };
    let sources = workspace.fingerprint(&format!("{flavour:?}"), &["functions"])?;
    if let Some(asset) = workspace.fresh(program, flavour, &sources) {
        events.detail(format!("{} is up to date", asset.path.display()));
        return Ok(asset);
    }
    let _turn = workspace.turn(events).await?;
    if let Some(asset) = workspace.fresh(program, flavour, &sources) {
        return Ok(asset);
    }
    let executables =
        install_hint(cargo::build(&workspace, flavour, events).await, Some(flavour.architecture()))?;
    // Both programs come out of one build; keeping both saves the other's turn.
    for other in [Program::Functions, Program::Samples] {
        let executable = executables.of(other).to_owned();
        let path = workspace.zip_path(other, flavour);
        let asset = tokio::task::spawn_blocking(move || package::zip(&executable, path, flavour)).await??;
        workspace.remember(other, flavour, &sources, &asset)?;
        events.finished(format!("built {} ({})", file_of(&asset), megabytes(asset.bytes)));
    }
    match workspace.fresh(program, flavour, &sources) {
        Some(asset) => Ok(asset),
        None => Err(anyhow::anyhow!("the sources changed while they were being built")).hint("run it again"),
    }
}

/// Whether this program would have to compile what a release is made of.
#[must_use]
pub fn compiles() -> bool {
    let assets = Asset::file_name(Program::Functions, Architecture::host());
    workspace::Workspace::find().is_some() && workspace::beside_program(&assets).is_none()
}

/// Checks that there is a compiler for each of these processors, before anything is compiled for one of them.
///
/// # Errors
/// A compiler that is missing, with the command that installs it.
pub fn ready(architectures: &[Architecture]) -> anyhow::Result<()> {
    architectures
        .iter()
        .try_for_each(|architecture| install_hint(cargo::compiler(*architecture), Some(*architecture)))
}

/// This program as a release has it, and the name of Rust's target that it is for: itself when it runs in one, else compiled for a
/// processor from the workspace it came from.
///
/// # Errors
/// When it cannot be found or built.
pub async fn program(architecture: Architecture, events: &Events) -> anyhow::Result<(PathBuf, &'static str)> {
    match workspace::Workspace::find() {
        Some(workspace) if compiles() => {
            let _turn = workspace.turn(events).await?;
            install_hint(cargo::program(&workspace, architecture, events).await, Some(architecture))
        }
        _ => {
            Ok((std::env::current_exe().context("finding this program's own file")?, env!("DEPLOYER_TARGET")))
        }
    }
}

/// A missing tool comes with the command that installs it, and, where it is needed for another processor than this machine's, with the
/// way to do without that one.
fn install_hint<T>(built: Result<T, BuildError>, architecture: Option<Architecture>) -> anyhow::Result<T> {
    match built {
        Err(BuildError::ToolMissing { tool, what, install }) => {
            let hint = format!("install it with: {install}");
            let missing = Err(BuildError::ToolMissing { tool, what, install }).hint(hint);
            let host = Architecture::host();
            match architecture.filter(|architecture| *architecture != host) {
                Some(_) => missing.hint(format!("or leave that processor out: --architecture {host}")),
                None => missing,
            }
        }
        other => Ok(other?),
    }
}

fn file_of(asset: &Asset) -> String {
    asset.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A size for people.
#[must_use]
pub fn megabytes(bytes: u64) -> String {
    // Sizes of zips are far below 2^52 bytes.
    #[allow(clippy::cast_precision_loss)]
    let mb = bytes as f64 / 1e6;
    format!("{mb:.1} MB")
}
