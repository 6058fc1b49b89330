//! Assets inside of the program: a zip behind the executable's own bytes, unpacked once into the user's cache.
//!
//! That way a release is one file. An executable does not mind what stands behind it, and reading the end of a file is cheap enough
//! to be done whenever an asset is looked for.
//!
//! Lambda takes zips, which compress little and each by itself. Those that [`package`] made are therefore kept as the executables in
//! them, compressed together and better, and zipped again when they are unpacked: the same bytes, so the same hash as on AWS.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Cursor, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use super::package;

/// What the file ends with, behind the length of the zip in eight bytes.
const MARK: &[u8; 16] = b"deployer-inside2";
const TRAILER: u64 = 8 + MARK.len() as u64;

/// The entry with the executables of Lambda zips: a zip of them, not compressed by itself.
const EXECUTABLES: &str = "executables.zip.br";
/// Brotli's slowest: a release is made once and downloaded often.
const QUALITY: u32 = 11;
/// Brotli looks back by 2 to this, 16 MB: as far as from one processor's functions to the other's.
const WINDOW: u32 = 24;

/// Writes an executable with assets behind it.
///
/// # Errors
/// Files that cannot be read or written.
pub fn append(executable: &Path, assets: &BTreeMap<String, PathBuf>, out: &Path) -> anyhow::Result<()> {
    let writer = || ZipWriter::new(Cursor::new(Vec::new()));
    let (mut zip, mut executables) = (writer(), writer());
    for (name, from) in assets {
        let content = std::fs::read(from).with_context(|| format!("reading {}", from.display()))?;
        match package::executable(&content) {
            Some(executable) => add(&mut executables, name, CompressionMethod::Stored, &executable)?,
            None if is_zip(name) => add(&mut zip, name, CompressionMethod::Stored, &content)?,
            None => add(&mut zip, name, CompressionMethod::Deflated, &content)?,
        }
    }
    let executables = executables.finish()?.into_inner();
    let mut packed = brotli::CompressorWriter::new(Vec::new(), 1 << 16, QUALITY, WINDOW);
    packed.write_all(&executables)?;
    add(&mut zip, EXECUTABLES, CompressionMethod::Stored, &packed.into_inner())?;
    let zip = zip.finish()?.into_inner();
    let writing = || format!("writing {}", out.display());
    std::fs::copy(executable, out).with_context(writing)?;
    let mut file = File::options().append(true).open(out).with_context(writing)?;
    file.write_all(&zip).with_context(writing)?;
    file.write_all(&(zip.len() as u64).to_le_bytes()).with_context(writing)?;
    file.write_all(MARK).with_context(writing)
}

fn is_zip(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "zip")
}

fn add(
    zip: &mut ZipWriter<Cursor<Vec<u8>>>,
    name: &str,
    method: CompressionMethod,
    content: &[u8],
) -> anyhow::Result<()> {
    let options =
        SimpleFileOptions::default().compression_method(method).last_modified_time(DateTime::default());
    zip.start_file(name, options)?;
    Ok(zip.write_all(content)?)
}

/// The zip behind an executable, if there is one.
fn read(executable: &Path) -> std::io::Result<Option<Vec<u8>>> {
    let mut file = File::open(executable)?;
    let length = file.metadata()?.len();
    if length < TRAILER {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(length - TRAILER))?;
    let mut trailer = [0; TRAILER as usize];
    file.read_exact(&mut trailer)?;
    let (size, mark) = trailer.split_at(8);
    let size = size.try_into().map_or(0, u64::from_le_bytes);
    if mark != MARK || size > length - TRAILER {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(length - TRAILER - size))?;
    let mut zip = vec![0; usize::try_from(size).unwrap_or_default()];
    file.read_exact(&mut zip)?;
    Ok(Some(zip))
}

/// The folder with what is inside of this program, unpacked when it is asked for first; none when there is nothing inside.
pub(super) fn folder() -> Option<&'static Path> {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    let unpacked = || {
        let zip = read(&std::env::current_exe().ok()?).ok()??;
        unpack(&zip, cache().as_deref()).ok()
    };
    FOLDER.get_or_init(unpacked).as_deref()
}

/// Where users' programs keep what they can make again.
fn cache() -> Option<PathBuf> {
    let named = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || std::env::home_dir().filter(|home| home.is_dir()).map(|home| home.join(".cache"));
    Some(named.or_else(home)?.join("deployer"))
}

/// Unpacks a zip into a folder of its own below the cache, named after its content, or into a temporary one.
fn unpack(zip: &[u8], cache: Option<&Path>) -> anyhow::Result<PathBuf> {
    let place = cache.filter(|cache| std::fs::create_dir_all(cache).is_ok());
    let Some(cache) = place else {
        let folder = tempfile::Builder::new().prefix("deployer-").tempdir()?.keep();
        extract(zip, &folder)?;
        return Ok(folder);
    };
    let folder = cache.join(hex::encode(&Sha256::digest(zip)[..8]));
    if !folder.is_dir() {
        // Into place in one step: it is whole, or not there.
        let new = tempfile::Builder::new().prefix("new-").tempdir_in(cache)?;
        extract(zip, new.path())?;
        let renamed = std::fs::rename(new.path(), &folder);
        // Another process may have been first.
        if !folder.is_dir() {
            renamed?;
        }
    }
    Ok(folder)
}

/// Unpacks a zip, and makes the Lambda zips again.
fn extract(zip: &[u8], folder: &Path) -> anyhow::Result<()> {
    ZipArchive::new(Cursor::new(zip))?.extract(folder)?;
    let packed = folder.join(EXECUTABLES);
    let mut executables = Vec::new();
    brotli::Decompressor::new(File::open(&packed)?, 1 << 16).read_to_end(&mut executables)?;
    let mut executables = ZipArchive::new(Cursor::new(executables))?;
    for index in 0..executables.len() {
        let mut entry = executables.by_index(index)?;
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        let name = entry.enclosed_name().context("an asset that is in no folder")?;
        std::fs::write(folder.join(name), package::of_executable(&content)?)?;
    }
    Ok(std::fs::remove_file(packed)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::{Architecture, Flavour};

    #[test]
    fn what_is_put_behind_an_executable_comes_out_again() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("program"), b"\x7fELF and so on").unwrap();
        std::fs::write(at("a.zip"), [1; 1000]).unwrap();
        std::fs::write(at("page"), "<html>").unwrap();
        let assets =
            BTreeMap::from([("a.zip".to_owned(), at("a.zip")), ("page/index.html".to_owned(), at("page"))]);
        assert_eq!(read(&at("program")).unwrap(), None);
        append(&at("program"), &assets, &at("whole")).unwrap();
        assert!(std::fs::read(at("whole")).unwrap().starts_with(b"\x7fELF and so on"));

        let zip = read(&at("whole")).unwrap().expect("there is something inside");
        let cache = at("cache");
        let unpacked = unpack(&zip, Some(&cache)).unwrap();
        assert_eq!(std::fs::read(unpacked.join("a.zip")).unwrap(), [1; 1000]);
        assert_eq!(std::fs::read_to_string(unpacked.join("page/index.html")).unwrap(), "<html>");
        // Found again, and nothing left beside it.
        assert_eq!(unpack(&zip, Some(&cache)).unwrap(), unpacked);
        assert_eq!(std::fs::read_dir(&cache).unwrap().count(), 1);
        // Where nothing can be kept it is a temporary folder.
        let elsewhere = unpack(&zip, None).unwrap();
        assert!(elsewhere.join("a.zip").is_file());
        std::fs::remove_dir_all(elsewhere).unwrap();
    }

    #[test]
    fn lambda_zips_are_kept_smaller_and_come_out_byte_for_byte() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        // What does not compress by itself, twice: as what two processors' programs have in common.
        let mut random = fastrand::Rng::with_seed(17);
        let noise: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(100_000).collect();
        let mut assets = BTreeMap::new();
        for (name, architecture) in [("a.zip", Architecture::Arm64), ("b.zip", Architecture::X86_64)] {
            std::fs::write(at("bootstrap"), [name.as_bytes(), &noise].concat()).unwrap();
            package::zip(&at("bootstrap"), at(name), Flavour::Lambda(architecture)).unwrap();
            assets.insert(name.to_owned(), at(name));
        }
        std::fs::write(at("program"), "").unwrap();
        append(&at("program"), &assets, &at("whole")).unwrap();
        let whole = std::fs::metadata(at("whole")).unwrap().len();
        assert!((100_000..110_000).contains(&whole), "{whole}");

        let zip = read(&at("whole")).unwrap().expect("there is something inside");
        let unpacked = unpack(&zip, Some(&at("cache"))).unwrap();
        for (name, path) in assets {
            assert_eq!(std::fs::read(unpacked.join(&name)).unwrap(), std::fs::read(path).unwrap(), "{name}");
        }
        assert_eq!(std::fs::read_dir(unpacked).unwrap().count(), 2);
    }

    #[test]
    fn a_length_that_cannot_be_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        let mut bytes = 1_000_u64.to_le_bytes().to_vec();
        bytes.extend(MARK);
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(read(&path).unwrap(), None);
        std::fs::write(&path, "short").unwrap();
        assert_eq!(read(&path).unwrap(), None);
    }
}
