//! `build release`: a folder with all that is needed to deploy, for machines without Rust. The program finds its assets there,
//! beside itself.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::build::{self, Architecture, Asset, Flavour, Program, megabytes};
use crate::context::Context;
use crate::outcome::Outcome;

/// The folder for the chart page.
const PAGE: &str = "page";
/// What `sha256sum --check` reads.
const SUMS: &str = "SHA256SUMS";
/// Texts that go with the program.
const TEXTS: [(&str, &str); 2] =
    [("LICENSE", include_str!("../../../LICENSE")), ("README.md", include_str!("../../../README.md"))];

/// A release. As JSON: `{"release":DIR,"files":[{"path","bytes","sha256"}]}`, paths relative to it.
#[derive(Debug, Serialize)]
struct Release {
    release: PathBuf,
    files: Vec<File>,
}

/// One of its files.
#[derive(Debug, Serialize)]
struct File {
    path: String,
    bytes: u64,
    sha256: String,
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.files.iter().map(|file| file.path.len()).max().unwrap_or_default();
        writeln!(f, "{}", self.release.display())?;
        self.files
            .iter()
            .try_for_each(|file| writeln!(f, "  {:<width$}  {}", file.path, megabytes(file.bytes)))
    }
}

/// Builds what is not there yet, and puts it together: the program, the functions for both processors, the samples for this
/// machine, the page, licence, README and checksums.
///
/// # Errors
/// A tool that is missing or fails; a folder that holds something else already, or cannot be written to.
pub async fn run(out: PathBuf, context: &Context) -> anyhow::Result<Outcome> {
    let program = std::env::current_exe().context("finding this program's own file")?;
    check(&out, &program)?;
    let mut files = BTreeMap::from([("deployer".to_owned(), build::program(&context.events).await?)]);
    let samples = [(Program::Samples, Architecture::host())];
    let functions = Architecture::ALL.map(|architecture| (Program::Functions, architecture));
    for (program, architecture) in functions.into_iter().chain(samples) {
        let asset = build::asset(program, Flavour::Lambda(architecture), &context.events).await?;
        files.insert(Asset::file_name(program, architecture), asset.path);
    }
    let page = build::page_folder(&context.events).await?;
    gather(&page, PAGE, &mut files).with_context(|| format!("reading the page in {}", page.display()))?;

    for (name, from) in &files {
        let to = out.join(name);
        std::fs::create_dir_all(to.parent().unwrap_or(&out))
            .and_then(|()| std::fs::copy(from, &to).map(|_| ()))
            .with_context(|| format!("writing {}", to.display()))?;
    }
    for (name, text) in TEXTS {
        let to = out.join(name);
        std::fs::write(&to, text).with_context(|| format!("writing {}", to.display()))?;
    }
    let names = files.into_keys().chain(TEXTS.map(|(name, _)| name.to_owned()));
    let mut names: Vec<String> = names.collect();
    names.sort();
    let files = names.into_iter().map(|name| describe(&out, name)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut sums = String::new();
    for file in &files {
        writeln!(sums, "{}  {}", file.sha256, file.path)?;
    }
    std::fs::write(out.join(SUMS), sums).with_context(|| format!("writing {SUMS}"))?;
    Outcome::new(&Release { release: out, files })
}

/// A release's folder holds nothing else, so that its checksums tell all of it. An older release is written over.
fn check(out: &Path, program: &Path) -> anyhow::Result<()> {
    let itself = out.join("deployer").canonicalize().ok().zip(program.canonicalize().ok());
    anyhow::ensure!(
        itself.is_none_or(|(there, program)| there != program),
        "{} is the folder this program runs in; name another with --out",
        out.display()
    );
    let is_free = match std::fs::read_dir(out) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        entries => entries.with_context(|| format!("looking into {}", out.display()))?.next().is_none(),
    };
    anyhow::ensure!(
        is_free || out.join(SUMS).is_file(),
        "the folder {} holds something that is no release; name an empty one with --out",
        out.display()
    );
    if !is_free {
        let page = out.join(PAGE);
        match std::fs::remove_dir_all(&page) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("removing {}", page.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

fn gather(folder: &Path, name: &str, files: &mut BTreeMap<String, PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{name}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            gather(&entry.path(), &name, files)?;
        } else {
            files.insert(name, entry.path());
        }
    }
    Ok(())
}

fn describe(folder: &Path, name: String) -> anyhow::Result<File> {
    let path = folder.join(&name);
    let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    let sha256 = hex::encode(Sha256::digest(&bytes));
    Ok(File { path: name, bytes: bytes.len() as u64, sha256 })
}
