//! `build release`: a folder with all that is needed to deploy, for machines without Rust, and the same as one file to install.

mod packed;
mod parts;

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::build::{self, Architecture, Asset, Flavour, Program, megabytes};
use crate::context::Context;
use crate::failure::{Advice as _, Usage};
use crate::outcome::Outcome;

/// The folder for the chart page.
const PAGE: &str = "page";
/// What `sha256sum --check` reads.
const SUMS: &str = "SHA256SUMS";
/// What the program is made of.
const BILL: &str = "deployer.cdx.json";
/// Bytes of the program with all inside, at most: it is downloaded by whoever installs it, and by each CI run.
const MOST_BYTES: u64 = 20_000_000;
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

/// The resolved options of `build release`.
#[derive(Debug)]
pub struct Options {
    /// The folder.
    pub out: PathBuf,
    /// The processors that the program and the functions are built for; none for all that can be had.
    pub architectures: Option<Vec<Architecture>>,
}

/// Builds what is not there yet, and puts it together: the program, the functions for both processors, the samples for this
/// machine, the page, licence, README and checksums; and for each processor the program with all of that inside, as a tarball and as a
/// wheel. A release makes another one of itself only.
///
/// # Errors
/// A tool that is missing or fails; a program that was compiled and has more than 20 MB with all inside; a folder that holds
/// something else already, or cannot be written to.
pub async fn run(options: Options, context: &Context) -> anyhow::Result<Outcome> {
    let Options { out, architectures } = options;
    let host = Architecture::host();
    let program = std::env::current_exe().context("finding this program's own file")?;
    check(&out, &program)?;
    let functions = match &architectures {
        Some(asked) if build::compiles() => asked.clone(),
        _ => Architecture::ALL.to_vec(),
    };
    let architectures = match architectures {
        Some(asked) if !build::compiles() && asked != [host] => {
            return Err(Usage(format!("a release has the program for {host} only: leave --architecture out, or build from the sources")).into());
        }
        Some(asked) => asked,
        None if build::compiles() => Architecture::ALL.to_vec(),
        None => vec![host],
    };
    if build::compiles() {
        build::ready(&functions)?;
    }
    let mut assets = BTreeMap::new();
    for architecture in functions {
        let asset = build::asset(Program::Functions, Flavour::Lambda(architecture), &context.events).await?;
        assets.insert(Asset::file_name(Program::Functions, architecture), asset.path);
    }
    let page = build::page_folder(&context.events).await?;
    gather(&page, PAGE, &mut assets).with_context(|| format!("reading the page in {}", page.display()))?;

    let mut names = Vec::new();
    let mut plain = assets.clone();
    for architecture in architectures {
        let (program, target) = build::program(architecture, &context.events).await?;
        let samples = build::asset(Program::Samples, Flavour::Lambda(architecture), &context.events).await?;
        let samples = (Asset::file_name(Program::Samples, architecture), samples.path);
        let inside = assets.clone().into_iter().chain([samples.clone()]).collect();
        names.extend(pack(&program, target, &inside, &out, context).await?);
        if architecture == host {
            plain.extend([samples, ("deployer".to_owned(), program)]);
        }
    }
    for (name, from) in &plain {
        let to = out.join(name);
        std::fs::create_dir_all(to.parent().unwrap_or(&out))
            .and_then(|()| std::fs::copy(from, &to).map(|_| ()))
            .with_context(|| format!("writing {}", to.display()))?;
    }
    let bill = format!("{:#}\n", parts::bill()?);
    for (name, text) in TEXTS.into_iter().chain([(BILL, bill.as_str())]) {
        let to = out.join(name);
        std::fs::write(&to, text).with_context(|| format!("writing {}", to.display()))?;
    }
    names.extend(plain.into_keys().chain(TEXTS.map(|(name, _)| name.to_owned())).chain([BILL.to_owned()]));
    names.sort();
    let files = names.into_iter().map(|name| describe(&out, name)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut sums = String::new();
    for file in &files {
        writeln!(sums, "{}  {}", file.sha256, file.path)?;
    }
    std::fs::write(out.join(SUMS), sums).with_context(|| format!("writing {SUMS}"))?;
    Outcome::new(&Release { release: out, files })
}

/// The program with all assets inside, as a tarball and a wheel; gives the files' names.
async fn pack(
    program: &Path,
    target: &'static str,
    assets: &BTreeMap<String, PathBuf>,
    out: &Path,
    context: &Context,
) -> anyhow::Result<Vec<String>> {
    std::fs::create_dir_all(out).with_context(|| format!("making {}", out.display()))?;
    context.events.started(format!("packing the program for {target}"));
    let name = format!("deployer-{}-{target}", packed::VERSION);
    let (program, assets, out) = (program.to_owned(), assets.clone(), out.to_owned());
    let packed = move || -> anyhow::Result<(Vec<String>, u64)> {
        let folder = tempfile::tempdir_in(&out).context("making a temporary folder")?;
        let whole = folder.path().join("deployer");
        build::append(&program, &assets, &whole)?;
        let bytes = std::fs::metadata(&whole).context("looking at the packed program")?.len();
        // A program that packs itself has the size that it has.
        if build::compiles() {
            small_enough(bytes, target)?;
        }
        let tarball = format!("{name}.tar.gz");
        packed::tarball(&whole, &name, &out.join(&tarball))?;
        let mut names = vec![tarball];
        if let Some(wheel) = packed::wheel_name(target) {
            packed::wheel(&whole, target, &out.join(&wheel))?;
            names.push(wheel);
        }
        Ok((names, bytes))
    };
    let (names, bytes) = tokio::task::spawn_blocking(packed).await??;
    context.events.finished(format!(
        "packed {}; the program has {} with all inside",
        names.join(", "),
        megabytes(bytes)
    ));
    Ok(names)
}

/// A release that has grown too big is noticed where it is made.
fn small_enough(bytes: u64, target: &str) -> anyhow::Result<()> {
    if bytes <= MOST_BYTES {
        return Ok(());
    }
    let over = bytes - MOST_BYTES;
    Err(anyhow::anyhow!(
        "the program for {target} has {} with all inside, {over} bytes more than the {} that a release may have",
        megabytes(bytes),
        megabytes(MOST_BYTES)
    ))
    .hint("see what was added since it was smaller: git diff Cargo.lock, cargo tree -p deployer -e features")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_more_than_20_mb_is_no_release() {
        small_enough(MOST_BYTES, "x86_64-unknown-linux-musl").unwrap();
        let error = small_enough(24_700_001, "x86_64-unknown-linux-musl").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the program for x86_64-unknown-linux-musl has 24.7 MB with all inside, 4700001 bytes more than the 20.0 MB that a \
             release may have"
        );
    }
}
