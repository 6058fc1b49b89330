//! Zips that depend on nothing but their content: entries sorted, times fixed, permissions set.

use std::io::{Cursor, Read as _, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use super::{Architecture, Asset, BuildError, Flavour};

/// Changes whenever zips would come out differently from the same executable.
pub(super) const VERSION: u32 = 1;

/// What Lambda starts.
const ENTRY: &str = "bootstrap";

/// Zips an executable as `bootstrap`.
pub(super) fn zip(executable: &Path, path: PathBuf, flavour: Flavour) -> Result<Asset, BuildError> {
    let content = std::fs::read(executable).map_err(BuildError::file(executable))?;
    let bytes = archive(&[(ENTRY, &content)], flavour)
        .map_err(|source| BuildError::Zip { path: path.clone(), source })?;
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(BuildError::file(folder))?;
    // Into place in one step, so that nobody ever reads half a zip.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(BuildError::file(folder))?;
    file.write_all(&bytes).map_err(BuildError::file(&path))?;
    readable(&file).map_err(BuildError::file(&path))?;
    file.persist(&path).map_err(|error| BuildError::file(&path)(error.error))?;
    Ok(asset(path, &bytes, flavour.architecture()))
}

/// Temporary files are for their owner only; assets are for everybody.
fn readable(file: &tempfile::NamedTempFile) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
    }
    Ok(())
}

/// The zip's bytes. Local ones are packed fast, those to be uploaded small.
fn archive(entries: &[(&str, &[u8])], flavour: Flavour) -> zip::result::ZipResult<Vec<u8>> {
    let level = match flavour {
        Flavour::Host => 1,
        Flavour::Lambda(_) => 9,
    };
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(level))
        .last_modified_time(DateTime::default())
        .unix_permissions(0o755);
    let mut entries = entries.to_vec();
    entries.sort_by_key(|(name, _)| *name);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        zip.start_file(name, options)?;
        zip.write_all(content)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// The zip of an executable as it is uploaded.
pub(super) fn of_executable(executable: &[u8]) -> zip::result::ZipResult<Vec<u8>> {
    // For all processors alike.
    archive(&[(ENTRY, executable)], Flavour::Lambda(Architecture::host()))
}

/// The executable that [`of_executable`] makes just this zip of; none where it would make another one.
pub(super) fn executable(zip: &[u8]) -> Option<Vec<u8>> {
    let mut archive = ZipArchive::new(Cursor::new(zip)).ok()?;
    let mut content = Vec::new();
    archive.by_name(ENTRY).ok()?.read_to_end(&mut content).ok()?;
    let again = of_executable(&content).ok()?;
    (again == zip).then_some(content)
}

/// A zip that is there already.
pub(super) fn describe(path: PathBuf, architecture: Architecture) -> Result<Asset, BuildError> {
    let bytes = std::fs::read(&path).map_err(BuildError::file(&path))?;
    Ok(asset(path, &bytes, architecture))
}

fn asset(path: PathBuf, bytes: &[u8], architecture: Architecture) -> Asset {
    Asset { path, sha256: hex::encode(Sha256::digest(bytes)), bytes: bytes.len() as u64, architecture }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_executable_gives_the_same_zip_whenever_and_wherever() {
        let folder = tempfile::tempdir().unwrap();
        let executable = folder.path().join("any-name");
        std::fs::write(&executable, [7; 10_000]).unwrap();
        let one = zip(&executable, folder.path().join("1.zip"), Flavour::Host).unwrap();
        std::fs::write(&executable, [7; 10_000]).unwrap();
        let two = zip(&executable, folder.path().join("other/2.zip"), Flavour::Host).unwrap();
        assert_eq!(one.sha256, two.sha256);
        assert_eq!(describe(two.path, Architecture::host()).unwrap().sha256, one.sha256);
        std::fs::write(&executable, [8; 10_000]).unwrap();
        assert_ne!(zip(&executable, one.path, Flavour::Host).unwrap().sha256, one.sha256);
    }

    #[test]
    fn an_executable_is_taken_out_only_of_what_is_zipped_the_same_again() {
        let ours = of_executable(&[7; 10_000]).unwrap();
        assert_eq!(executable(&ours).as_deref(), Some(&[7; 10_000][..]));
        assert_eq!(executable(&archive(&[(ENTRY, &[7; 10_000])], Flavour::Host).unwrap()), None);
        assert_eq!(
            executable(
                &archive(&[(ENTRY, b"1"), ("b", b"2")], Flavour::Lambda(Architecture::Arm64)).unwrap()
            ),
            None
        );
        assert_eq!(executable(b"<html>"), None);
    }

    #[test]
    fn entries_are_sorted_dated_1980_and_executable() {
        let bytes = archive(&[("b", b"2"), ("a", b"1")], Flavour::Lambda(Architecture::Arm64)).unwrap();
        let mut zip = ZipArchive::new(Cursor::new(bytes)).unwrap();
        assert_eq!(zip.file_names().map(Result::unwrap).collect::<Vec<_>>(), ["a", "b"]);
        let entry = zip.by_index(0).unwrap();
        assert_eq!(entry.unix_mode().map(|mode| mode & 0o777), Some(0o755));
        assert_eq!(entry.last_modified().map(|time| time.year()), Some(1980));
    }
}
