//! The code of a function on this machine, read and found to be runnable.

use std::collections::BTreeSet;
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tuning::pricing::Architecture;

use super::convention::{self, Convention, Installed};
use super::role;
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
    /// Folders or zips of its layers, later ones over earlier ones.
    pub layers: Vec<PathBuf>,
    /// Actions that its role may perform, on any resource.
    pub allow: Vec<String>,
    /// A file with a policy of its role.
    pub policy: Option<PathBuf>,
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
    /// The processor it is measured on: this machine's, or that which its program was built for.
    pub(super) architecture: Architecture,
    /// What its role may do.
    pub(super) rights: role::Rights,
    pub(super) zip: Vec<u8>,
    pub(super) code: Code,
    /// Its layers, in their order.
    pub(super) layers: Vec<LayerPackage>,
}

impl Package {
    /// Reads and checks the code: a zip, or a folder to be zipped, with an executable `bootstrap` at its top or a handler in
    /// Python or Node.js.
    ///
    /// # Errors
    /// [`Usage`] that names the path and what is wrong with it.
    pub async fn read(code: &Code) -> anyhow::Result<Self> {
        let Archive { name, zip, files } = Archive::read("--code", &code.path)?;
        let layers = LayerPackage::read_all(&code.layers)?;
        let rights = role::Rights::read(&code.allow, code.policy.as_deref())?;
        let installed =
            if code.runtime.is_some() { Installed::default() } else { Installed::on_path().await };
        let find = |files: &BTreeSet<&str>| {
            convention::find(files, code.runtime.as_deref(), code.handler.as_deref(), &installed)
        };
        let mut files: BTreeSet<&str> = files.iter().map(String::as_str).collect();
        let found = find(&files).or_else(|problem| {
            // A layer may be what brings the `bootstrap`.
            if !layers.iter().any(|layer| layer.bootstrap) {
                return Err(problem);
            }
            files.insert("bootstrap");
            find(&files)
        });
        let Convention { runtime, handler, guess } =
            found.map_err(|problem| Usage(format!("--code {}: {problem}", code.path.display())))?;
        let architecture = processor(code, &zip)?;
        let name = if name.is_empty() { "function".to_owned() } else { name };
        let guess = guess.map(|what| format!("--code {}: {what}", code.path.display()));
        Ok(Self { name, runtime, handler, guess, architecture, rights, zip, code: code.clone(), layers })
    }

    /// What is to be said before it runs.
    pub fn notes(&self) -> impl Iterator<Item = &String> {
        self.guess.iter().chain(self.layers.iter().filter_map(|layer| layer.unseen.as_ref()))
    }
}

/// The processor that code is for: that of its `bootstrap`, which has to run here; this machine's for all others.
fn processor(code: &Code, zip: &[u8]) -> anyhow::Result<Architecture> {
    let here = Architecture::host();
    let mut head = Vec::new();
    let mut archive = zip::ZipArchive::new(Cursor::new(zip))?;
    if let Ok(file) = archive.by_name("bootstrap") {
        file.take(20).read_to_end(&mut head).with_context(|| format!("reading {}", code.path.display()))?;
    }
    let Some(built_for) = local_aws::lambda::built_for(&head) else { return Ok(here) };
    if !built_for.runs_here() {
        let (path, there) = (code.path.display(), built_for.name);
        return Err(Usage(format!(
            "--code {path}: its `bootstrap` is built for {there}, and this machine is {here}: build it for {here} to measure it here"
        ))
        .into());
    }
    Ok(built_for.name.parse()?)
}

/// A zip that was read, or made of a folder.
struct Archive {
    /// The file's name as Lambda takes names; it may be empty.
    name: String,
    zip: Vec<u8>,
    files: Vec<String>,
}

impl Archive {
    /// Reads what an option leads to.
    fn read(option: &str, path: &Path) -> anyhow::Result<Self> {
        let usage =
            |problem: &dyn std::fmt::Display| Usage(format!("{option} {}: {problem}", path.display()));
        let path = path.canonicalize().map_err(|error| usage(&error))?;
        let zip = if path.is_dir() {
            zip_folder(&path)?
        } else {
            std::fs::read(&path).map_err(|error| usage(&error))?
        };
        let archive = zip::ZipArchive::new(Cursor::new(&zip))
            .map_err(|error| usage(&format!("is neither a folder nor a zip ({error})")))?;
        let names: Vec<_> = archive.file_names().collect::<Result<_, _>>().map_err(|error| usage(&error))?;
        let files = names.iter().map(ToString::to_string).collect();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let name = stem
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' })
            .take(64)
            .collect();
        Ok(Self { name, zip, files })
    }
}

/// A layer that was read.
#[derive(Debug)]
pub(super) struct LayerPackage {
    /// Its name, made from the file's.
    pub(super) name: String,
    pub(super) zip: Vec<u8>,
    /// Whether it has what starts a function.
    bootstrap: bool,
    /// That nothing in it is where Lambda looks by itself, as a sentence.
    unseen: Option<String>,
}

impl LayerPackage {
    /// Reads layers; of those that would have the same name, each further one gets a number.
    fn read_all(paths: &[PathBuf]) -> anyhow::Result<Vec<Self>> {
        let mut layers: Vec<Self> = Vec::new();
        for path in paths {
            let Archive { name, zip, files } = Archive::read("--layer", path)?;
            if files.is_empty() {
                return Err(Usage(format!(
                    "--layer {}: there is nothing in it; a layer holds python/, nodejs/node_modules/, lib/, bin/ or a \
                     bootstrap",
                    path.display()
                ))
                .into());
            }
            let name = if name.is_empty() { "layer".to_owned() } else { name };
            let taken = |name: &str| layers.iter().any(|layer| layer.name == name);
            let numbered = (2..).map(|n| format!("{name}-{n}"));
            let name =
                std::iter::once(name.clone()).chain(numbered).find(|name| !taken(name)).unwrap_or(name);
            let seen = files.iter().any(|file| SEEN.iter().any(|place| file.starts_with(place)));
            let unseen = (!seen).then(|| {
                format!(
                    "--layer {}: Lambda looks into python/, nodejs/, lib/ and bin/ of a layer, and there is none of them at \
                     its top",
                    path.display()
                )
            });
            layers.push(Self { name, zip, bootstrap: files.iter().any(|file| file == "bootstrap"), unseen });
        }
        Ok(layers)
    }
}

/// Where Lambda looks by itself.
const SEEN: [&str; 6] = ["python/", "nodejs/", "lib/", "bin/", "bootstrap", "extensions/"];

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
