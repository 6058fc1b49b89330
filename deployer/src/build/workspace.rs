//! Where the sources are, and whether an asset was built from just these.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Asset, BuildError, Flavour, Program, inside, package};
use crate::events::Events;

/// A file beside the program, as in a release's folder, or inside of it.
pub(super) fn beside_program(file: &str) -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?.canonicalize().ok()?;
    let beside = program.parent()?.join(file);
    let inside = || inside::folder().map(|folder| folder.join(file));
    Some(beside).filter(|path| path.is_file()).or_else(inside).filter(|path| path.is_file())
}

/// The folder this program was built from.
pub(super) fn origin() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_owned()
}

/// The sources this program was built from.
#[derive(Debug, Clone)]
pub(super) struct Workspace {
    pub(super) root: PathBuf,
    /// Where cargo puts what it builds.
    target: PathBuf,
}

/// What an asset was built from and came to, kept beside it.
#[derive(Debug, Serialize, Deserialize)]
struct Stamp {
    sources: String,
    asset: Asset,
    /// The zip's time of modification in nanoseconds, so that it need not be read to be trusted.
    modified: u128,
}

impl Workspace {
    pub(super) fn find() -> Option<Self> {
        let root = origin();
        if !root.join("Cargo.toml").is_file() || !root.join("functions").is_dir() {
            return None;
        }
        let target = match std::env::var_os("CARGO_TARGET_DIR").filter(|path| !path.is_empty()) {
            Some(target) => std::path::absolute(target).ok()?,
            None => root.join("target"),
        };
        Some(Self { root, target })
    }

    pub(super) fn zip_path(&self, program: Program, flavour: Flavour) -> PathBuf {
        let name = match flavour {
            Flavour::Host => format!("{}-host.zip", program.name()),
            Flavour::Lambda(architecture) => Asset::file_name(program, architecture),
        };
        self.target.join("assets").join(name)
    }

    /// Leave to write what is built, as long as it is held: of two processes that find the same missing, one builds it.
    pub(super) async fn turn(&self, events: &Events) -> Result<File, BuildError> {
        let folder = self.target.join("assets");
        std::fs::create_dir_all(&folder).map_err(BuildError::file(&folder))?;
        let path = folder.join("lock");
        let file = File::create(&path).map_err(BuildError::file(&path))?;
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => {
                    if !told {
                        events.started("waiting for another deployer that is building");
                        told = true;
                    }
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                Err(TryLockError::Error(error)) => return Err(BuildError::file(&path)(error)),
            }
        }
    }

    fn stamp_path(&self, program: Program, flavour: Flavour) -> PathBuf {
        self.zip_path(program, flavour).with_extension("json")
    }

    /// Where the built page is kept.
    pub(super) fn page_path(&self) -> PathBuf {
        self.target.join("assets").join("page")
    }

    /// A hash of everything that decides what is built: the sources in these folders, the dependencies and the flags. `what` tells
    /// different things from the same sources apart.
    pub(super) fn fingerprint(&self, what: &str, folders: &[&str]) -> Result<String, BuildError> {
        let mut files = Vec::new();
        for file in ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", ".cargo/config.toml"] {
            files.extend(Some(self.root.join(file)).filter(|path| path.is_file()));
        }
        for folder in folders {
            gather(&self.root.join(folder), &mut files)?;
        }
        files.sort();
        let mut hash = Sha256::new();
        hash.update(format!("{what} {} {}\n", env!("CARGO_PKG_VERSION"), package::VERSION));
        for file in files {
            let content = std::fs::read(&file).map_err(BuildError::file(&file))?;
            let name = file.strip_prefix(&self.root).unwrap_or(&file).display().to_string();
            hash.update(format!("{name} {}\n", content.len()));
            hash.update(content);
        }
        Ok(hex::encode(hash.finalize()))
    }

    /// The asset, when it is there and was built from sources with this fingerprint.
    pub(super) fn fresh(&self, program: Program, flavour: Flavour, sources: &str) -> Option<Asset> {
        let stamp = std::fs::read(self.stamp_path(program, flavour)).ok()?;
        let stamp: Stamp = serde_json::from_slice(&stamp).ok()?;
        let file = std::fs::metadata(&stamp.asset.path).ok()?;
        let untouched = file.len() == stamp.asset.bytes && modified(&file) == Some(stamp.modified);
        (stamp.sources == sources && untouched).then_some(stamp.asset)
    }

    pub(super) fn remember(
        &self,
        program: Program,
        flavour: Flavour,
        sources: &str,
        asset: &Asset,
    ) -> Result<(), BuildError> {
        let path = self.stamp_path(program, flavour);
        let file = std::fs::metadata(&asset.path).map_err(BuildError::file(&asset.path))?;
        let stamp = Stamp {
            sources: sources.to_owned(),
            asset: asset.clone(),
            modified: modified(&file).unwrap_or_default(),
        };
        let text =
            serde_json::to_vec_pretty(&stamp).map_err(|error| BuildError::file(&path)(error.into()))?;
        std::fs::write(&path, text).map_err(BuildError::file(&path))
    }
}

fn modified(file: &std::fs::Metadata) -> Option<u128> {
    Some(file.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_nanos())
}

/// The files in a folder and those below it, but for texts that nothing is built from.
pub(super) fn gather(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), BuildError> {
    for entry in std::fs::read_dir(folder).map_err(BuildError::file(folder))? {
        let path = entry.map_err(BuildError::file(folder))?.path();
        if path.is_dir() {
            gather(&path, files)?;
        } else if path.extension().is_none_or(|extension| extension != "md") {
            files.push(path);
        }
    }
    Ok(())
}
