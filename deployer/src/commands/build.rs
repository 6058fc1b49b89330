//! `build functions` and `build web`: the zip of the six Lambdas and the chart page, where the user wants them.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Serialize;

use crate::build::{self, Asset, Flavour, PageFile, Program, megabytes};
use crate::context::Context;
use crate::outcome::Outcome;

/// The resolved options of `build functions`.
#[derive(Debug)]
pub struct Options {
    /// Where the zips go.
    pub out: PathBuf,
    /// What to build for, one zip each.
    pub flavours: Vec<Flavour>,
}

/// What was built. As JSON: `{"assets":[{"path","sha256","bytes","architecture"}]}`.
#[derive(Debug, Serialize)]
pub struct Built {
    /// The zips.
    pub assets: Vec<Asset>,
}

impl fmt::Display for Built {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for asset in &self.assets {
            writeln!(f, "{}  {}  sha256:{}", asset.path.display(), megabytes(asset.bytes), asset.sha256)?;
        }
        Ok(())
    }
}

/// Finds or builds the zips and copies them.
///
/// # Errors
/// A tool that is missing or fails; a folder that cannot be written to.
pub async fn run(options: Options, context: &Context) -> anyhow::Result<Outcome> {
    let mut assets = Vec::new();
    for flavour in options.flavours {
        let asset = build::asset(Program::Functions, flavour, &context.events).await?;
        assets.push(copy(&asset, &options.out)?);
    }
    Outcome::new(&Built { assets })
}

/// The page that was built. As JSON: `{"page","files":[{"path","bytes"}]}`.
#[derive(Debug, Serialize)]
struct Page {
    page: PathBuf,
    files: Vec<PageFile>,
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.files.iter().try_for_each(|file| writeln!(f, "{}  {} bytes", file.path.display(), file.bytes))
    }
}

/// Finds or builds the page and copies it.
///
/// # Errors
/// A tool that is missing or fails; a folder that cannot be written to.
pub async fn web(out: &Path, context: &Context) -> anyhow::Result<Outcome> {
    let files = build::page(out, &context.events).await?;
    Outcome::new(&Page { page: out.to_owned(), files })
}

/// Copies an asset into a folder, under the name that says what it is.
///
/// # Errors
/// A folder that cannot be written to.
pub fn copy(asset: &Asset, folder: &Path) -> anyhow::Result<Asset> {
    let path = folder.join(Asset::file_name(Program::Functions, asset.architecture));
    std::fs::create_dir_all(folder).with_context(|| format!("making the folder {}", folder.display()))?;
    std::fs::copy(&asset.path, &path).with_context(|| format!("writing {}", path.display()))?;
    Ok(Asset { path, ..asset.clone() })
}
