//! `build functions`: the zip of the six Lambdas, where the user wants it.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Serialize;

use crate::build::{self, Asset, Flavour, Program, megabytes};
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
