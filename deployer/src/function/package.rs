//! The code of a function on this machine, read and found to be runnable.

use std::collections::BTreeSet;
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::convention::{self, Convention};
use crate::failure::Usage;

/// Where a function's code is and how it is run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Code {
    /// A folder or a zip.
    pub path: PathBuf,
    /// The runtime, unless it is to be guessed.
    pub runtime: Option<String>,
    /// The handler.
    pub handler: Option<String>,
    /// The environment's variables.
    pub environment: Vec<(String, String)>,
    /// The time-out, in seconds.
    pub timeout: Option<u32>,
}

/// Code that was read and found to be runnable.
#[derive(Debug)]
pub struct Package {
    /// A name for the function, made from the file's.
    pub name: String,
    /// The runtime, given or guessed.
    pub runtime: String,
    /// The handler, given or guessed.
    pub handler: String,
    /// What was guessed, as a sentence.
    pub guess: Option<String>,
    pub(super) zip: Vec<u8>,
    pub(super) code: Code,
}

impl Package {
    /// Reads and checks the code: a zip, or a folder to be zipped, with an executable `bootstrap` at its top or a handler in
    /// Python or Node.js.
    ///
    /// # Errors
    /// [`Usage`] that names the path and what is wrong with it.
    pub fn read(code: &Code) -> anyhow::Result<Self> {
        let path = &code.path;
        let usage = |problem: &dyn std::fmt::Display| Usage(format!("--code {}: {problem}", path.display()));
        let path = path.canonicalize().map_err(|error| usage(&error))?;
        let zip = if path.is_dir() {
            zip_folder(&path)?
        } else {
            std::fs::read(&path).map_err(|error| usage(&error))?
        };
        let archive = zip::ZipArchive::new(Cursor::new(&zip))
            .map_err(|error| usage(&format!("is neither a folder nor a zip ({error})")))?;
        let names: Vec<_> = archive.file_names().collect::<Result<_, _>>().map_err(|error| usage(&error))?;
        let files: BTreeSet<&str> = names.iter().map(AsRef::as_ref).collect();
        let Convention { runtime, handler, guess } =
            convention::find(&files, code.runtime.as_deref(), code.handler.as_deref())
                .map_err(|problem| usage(&problem))?;
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let name: String = stem
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' })
            .take(64)
            .collect();
        let name = if name.is_empty() { "function".to_owned() } else { name };
        let guess = guess.map(|what| format!("--code {}: {what}", code.path.display()));
        Ok(Self { name, runtime, handler, guess, zip, code: code.clone() })
    }
}

fn zip_folder(folder: &Path) -> anyhow::Result<Vec<u8>> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let mut folders = vec![folder.to_owned()];
    while let Some(inside) = folders.pop() {
        let mut entries: Vec<_> = std::fs::read_dir(&inside)
            .and_then(Iterator::collect::<Result<_, _>>)
            .with_context(|| format!("reading the folder {}", inside.display()))?;
        entries.sort_by_key(std::fs::DirEntry::path);
        for entry in entries {
            let path = entry.path();
            let metadata = std::fs::metadata(&path).with_context(|| format!("reading {}", path.display()))?;
            if metadata.is_dir() {
                folders.push(path);
                continue;
            }
            use std::os::unix::fs::PermissionsExt as _;
            let options = zip::write::SimpleFileOptions::default()
                .last_modified_time(zip::DateTime::default())
                .unix_permissions(metadata.permissions().mode());
            let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
            zip.start_file(name, options).with_context(|| format!("zipping {}", path.display()))?;
            let mut bytes = Vec::new();
            std::fs::File::open(&path)
                .and_then(|mut file| file.read_to_end(&mut bytes))
                .with_context(|| format!("reading {}", path.display()))?;
            zip.write_all(&bytes).with_context(|| format!("zipping {}", path.display()))?;
        }
    }
    Ok(zip.finish().context("finishing the zip")?.into_inner())
}
