//! Deployment packages: zips kept by the SHA-256 of their content, and unpacked for the environments that run them.

use std::fs::{self, File};
use std::io::{self, Cursor, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};
use zip::ZipArchive;

use crate::{ApiError, Result};

use super::errors::{entity_too_large, invalid, service, unwritten};

/// The largest zip that a request itself may carry; one from S3 is limited by what comes out of it only.
const UPLOAD_LIMIT: usize = 52_428_800;
/// The largest unpacked package.
pub const UNPACKED_LIMIT: u64 = 262_144_000;

/// The packages in the state folder.
#[derive(Debug, Clone)]
pub struct Packages {
    folder: PathBuf,
    /// Held while a package is made: what several functions have in common, all created at once, is made once.
    making: Arc<Mutex<()>>,
}

/// A package that is there, unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// SHA-256 of the zip, hexadecimal.
    pub sha256: String,
    /// Bytes of the zip.
    pub size: u64,
}

impl Packages {
    /// The packages under `state`.
    pub fn new(state: &Path) -> Self {
        Self { folder: state.join("lambda"), making: Arc::default() }
    }

    /// Keeps and unpacks a zip that came with a request.
    ///
    /// # Errors
    /// `RequestEntityTooLargeException`, or `InvalidParameterValueException` for what is no zip, is empty, too large
    /// unpacked, or has entries that point out of the package.
    pub fn upload(&self, zip: &[u8]) -> Result<Package> {
        if zip.len() > UPLOAD_LIMIT {
            return Err(entity_too_large(format!("Zipped size must be smaller than {UPLOAD_LIMIT} bytes")));
        }
        self.keep(zip)
    }

    /// Keeps and unpacks a zip.
    ///
    /// # Errors
    /// As [`Packages::upload`].
    pub fn keep(&self, zip: &[u8]) -> Result<Package> {
        let sha256 = digest(zip);
        let package = Package { sha256, size: zip.len() as u64 };
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if self.root(&package.sha256).exists() && self.zip(&package.sha256).exists() {
            return Ok(package);
        }
        let mut archive = ZipArchive::new(Cursor::new(zip)).map_err(|_| not_a_zip())?;
        let internal = |e: io::Error| unwritten("keep the function's code", &e);
        for folder in ["zip", "code"] {
            fs::create_dir_all(self.folder.join(folder)).map_err(internal)?;
        }
        // Made under another name and moved at the end, so that what is there under its name is whole.
        let new = self.new_folder().map_err(internal)?;
        let root = new.path().join("code");
        fs::create_dir(&root).map_err(internal)?;
        unpack(&mut archive, &root)?;
        let copy = new.path().join("zip");
        fs::write(&copy, zip).map_err(internal)?;
        File::open(&copy).and_then(|f| f.sync_all()).map_err(internal)?;
        fs::rename(&copy, self.zip(&package.sha256)).map_err(internal)?;
        match fs::rename(&root, self.root(&package.sha256)) {
            // It was only the zip that was missing.
            Err(_) if self.root(&package.sha256).exists() => Ok(package),
            moved => moved.map(|()| package).map_err(internal),
        }
    }

    /// The folder a package runs in, unpacked again when it is missing.
    ///
    /// # Errors
    /// `ServiceException` when the package itself is gone.
    pub fn folder(&self, sha256: &str) -> Result<PathBuf> {
        let root = self.root(sha256);
        if !root.exists() {
            let zip = fs::read(self.zip(sha256))
                .map_err(|e| service(format!("the function's code is missing from the state folder: {e}")))?;
            self.keep(&zip)?;
        }
        Ok(root)
    }

    /// Where the zip itself is kept.
    pub fn zip(&self, sha256: &str) -> PathBuf {
        self.folder.join("zip").join(format!("{sha256}.zip"))
    }

    /// Where what runs functions without a `bootstrap` is kept.
    pub fn runtimes(&self) -> PathBuf {
        self.folder.join("runtimes")
    }

    /// A folder for the files of running environments, emptied of what an earlier process left.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn scratch(&self) -> io::Result<PathBuf> {
        let scratch = self.folder.join("tmp");
        if scratch.exists() {
            fs::remove_dir_all(&scratch)?;
        }
        fs::create_dir_all(&scratch)?;
        Ok(scratch)
    }

    /// Where the merged layers of functions are kept.
    pub fn merged(&self) -> PathBuf {
        self.folder.join("layers")
    }

    /// A new folder for something to be made in under another name than its own, and then moved.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new_folder(&self) -> io::Result<tempfile::TempDir> {
        fs::create_dir_all(self.folder.join("new"))?;
        tempfile::tempdir_in(self.folder.join("new"))
    }

    /// Bytes of all files of a package.
    ///
    /// # Errors
    /// As [`Packages::folder`].
    pub fn unpacked(&self, sha256: &str) -> Result<u64> {
        let mut size = 0;
        let mut folders = vec![self.folder(sha256)?];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                match entry.metadata() {
                    Ok(metadata) if metadata.is_dir() => folders.push(entry.path()),
                    Ok(metadata) => size += metadata.len(),
                    Err(_) => {}
                }
            }
        }
        Ok(size)
    }

    /// Removes packages that no version uses, and what an interrupted upload left.
    pub fn sweep(&self, used: &dyn Fn(&str) -> bool) {
        let _ = fs::remove_dir_all(self.folder.join("new"));
        for (folder, suffix) in [("zip", ".zip"), ("code", ""), ("layers", "")] {
            let Ok(entries) = fs::read_dir(self.folder.join(folder)) else { continue };
            for entry in entries.flatten() {
                let name = entry.file_name();
                let Some(sha256) = name.to_str().and_then(|n| n.strip_suffix(suffix)) else { continue };
                if !used(sha256) {
                    let path = entry.path();
                    let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
                }
            }
        }
    }

    fn root(&self, sha256: &str) -> PathBuf {
        self.folder.join("code").join(sha256)
    }
}

/// SHA-256, hexadecimal.
pub fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn not_a_zip() -> ApiError {
    invalid("Could not unzip uploaded file. Please check your file, then try to upload again.")
}

/// Writes every entry below `root`. Links come last, so that no entry is written through one.
fn unpack(archive: &mut ZipArchive<Cursor<&[u8]>>, root: &Path) -> Result<()> {
    let internal = |e: io::Error| unwritten("unpack the function's code", &e);
    if archive.is_empty() {
        return Err(invalid("Uploaded file must be a non-empty zip"));
    }
    let mut left = UNPACKED_LIMIT;
    let mut links = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|_| not_a_zip())?;
        let path = root.join(entry.enclosed_name().ok_or_else(not_a_zip)?);
        if entry.is_dir() {
            fs::create_dir_all(&path).map_err(internal)?;
            continue;
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(internal)?;
        }
        if entry.is_symlink() {
            let mut target = String::new();
            entry.by_ref().take(4096).read_to_string(&mut target).map_err(|_| not_a_zip())?;
            links.push((path, PathBuf::from(target)));
            continue;
        }
        let mut file = File::create(&path).map_err(internal)?;
        let mode = entry.unix_mode().unwrap_or(0) & 0o777;
        // The size in the entry's header is what its author claims; what counts is what comes out.
        let written = match io::copy(&mut entry.by_ref().take(left + 1), &mut file) {
            Ok(written) => written,
            Err(e) if e.kind() == io::ErrorKind::InvalidData => return Err(not_a_zip()),
            Err(e) if e.kind() == io::ErrorKind::InvalidInput => return Err(not_a_zip()),
            Err(e) => return Err(internal(e)),
        };
        left = left
            .checked_sub(written)
            .ok_or_else(|| invalid(format!("Unzipped size must be smaller than {UNPACKED_LIMIT} bytes")))?;
        // Readable by us whatever the zip says, executable only when it says so, as on AWS.
        file.set_permissions(fs::Permissions::from_mode(mode | 0o600)).map_err(internal)?;
    }
    for (path, target) in links {
        let inside = path.parent().and_then(|p| p.strip_prefix(root).ok());
        if !inside.is_some_and(|folder| stays_inside(folder, &target)) {
            return Err(not_a_zip());
        }
        let _ = fs::remove_file(&path);
        std::os::unix::fs::symlink(&target, &path).map_err(internal)?;
    }
    Ok(())
}

/// Whether a link in `folder` (relative to the root) to `target` stays below the root.
fn stays_inside(folder: &Path, target: &Path) -> bool {
    let mut depth = folder.components().count();
    for component in target.components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::write::SimpleFileOptions;

    use super::*;

    fn zip_of(entries: &[(&str, &[u8], u32)]) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content, mode) in entries {
            zip.start_file(*name, SimpleFileOptions::default().unix_permissions(*mode)).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    #[test]
    fn a_package_is_unpacked_with_its_exec_bits() {
        let state = tempfile::tempdir().unwrap();
        let packages = Packages::new(state.path());
        let package =
            packages.keep(&zip_of(&[("bootstrap", b"#!", 0o755), ("lib/data", b"1", 0o644)])).unwrap();
        let root = packages.folder(&package.sha256).unwrap();
        let mode = |name: &str| fs::metadata(root.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("bootstrap"), mode("lib/data")), (0o755, 0o644));
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(fs::read(packages.folder(&package.sha256).unwrap().join("lib/data")).unwrap(), b"1");
    }

    #[test]
    fn nothing_is_written_outside_the_package() {
        let state = tempfile::tempdir().unwrap();
        let packages = Packages::new(state.path());
        for name in ["../../evil", "a/../../../evil", "/evil"] {
            let kept = packages.keep(&zip_of(&[("bootstrap", b"#!", 0o755), (name, b"x", 0o644)]));
            match kept {
                Err(error) => assert_eq!(error.code, "InvalidParameterValueException"),
                // An absolute name may be taken as relative to the package, as unzip does.
                Ok(package) => {
                    assert!(packages.folder(&package.sha256).unwrap().join("evil").exists(), "{name}");
                }
            }
        }
        for (link, target) in [("l", "../../../../etc"), ("l", "/etc"), ("a/l", "../../x")] {
            let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
            zip.add_symlink(link, target, SimpleFileOptions::default()).unwrap();
            let bytes = zip.finish().unwrap().into_inner();
            assert!(packages.keep(&bytes).is_err(), "{link} -> {target}");
        }
        let outside: Vec<_> = walk(state.path()).filter(|p| p.ends_with("evil")).collect();
        assert!(outside.iter().all(|p| p.starts_with(state.path().join("lambda/code"))), "{outside:?}");
    }

    #[test]
    fn an_entry_is_never_written_through_a_link_of_the_package() {
        let state = tempfile::tempdir().unwrap();
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        zip.add_symlink("here", "elsewhere", SimpleFileOptions::default()).unwrap();
        zip.start_file("here/file", SimpleFileOptions::default()).unwrap();
        let bytes = zip.finish().unwrap().into_inner();
        assert!(Packages::new(state.path()).keep(&bytes).is_err());
        assert!(!walk(state.path()).any(|p| p.ends_with("elsewhere/file")));
    }

    fn walk(folder: &Path) -> Box<dyn Iterator<Item = PathBuf>> {
        Box::new(fs::read_dir(folder).unwrap().flatten().flat_map(|entry| {
            let path = entry.path();
            let below: Box<dyn Iterator<Item = PathBuf>> =
                if path.is_dir() { walk(&path) } else { Box::new(std::iter::empty()) };
            std::iter::once(path).chain(below)
        }))
    }

    #[test]
    fn what_is_no_package_is_refused_in_aws_words() {
        let state = tempfile::tempdir().unwrap();
        let packages = Packages::new(state.path());
        let error = packages.keep(b"PK nonsense").unwrap_err();
        assert!(error.message.starts_with("Could not unzip uploaded file."));
        let error = packages.keep(&zip_of(&[])).unwrap_err();
        assert_eq!(error.message, "Uploaded file must be a non-empty zip");
        let bomb = zip_of(&[("bootstrap", &vec![0; 263_000_000], 0o755)]);
        assert!(bomb.len() < 1_000_000);
        assert!(packages.keep(&bomb).unwrap_err().message.contains("Unzipped size"));
        let error = packages.upload(&vec![0; UPLOAD_LIMIT + 1]).unwrap_err();
        assert_eq!((error.status, error.code.as_str()), (413, "RequestEntityTooLargeException"));
        assert_eq!(error.message, "Zipped size must be smaller than 52428800 bytes");
    }

    #[test]
    fn a_zip_over_50_mb_comes_from_s3_only() {
        let state = tempfile::tempdir().unwrap();
        let packages = Packages::new(state.path());
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        zip.start_file("data", stored).unwrap();
        zip.write_all(&vec![0; UPLOAD_LIMIT]).unwrap();
        let zip = zip.finish().unwrap().into_inner();
        assert_eq!(packages.upload(&zip).unwrap_err().code, "RequestEntityTooLargeException");
        let package = packages.keep(&zip).unwrap();
        assert_eq!(packages.unpacked(&package.sha256).unwrap(), UPLOAD_LIMIT as u64);
    }

    #[test]
    fn unused_packages_are_swept() {
        let state = tempfile::tempdir().unwrap();
        let packages = Packages::new(state.path());
        let used = packages.keep(&zip_of(&[("bootstrap", b"1", 0o755)])).unwrap().sha256;
        let unused = packages.keep(&zip_of(&[("bootstrap", b"2", 0o755)])).unwrap().sha256;
        packages.sweep(&|sha256| sha256 == used);
        assert!(packages.zip(&used).exists() && packages.root(&used).exists());
        assert!(!packages.zip(&unused).exists() && !packages.root(&unused).exists());
    }
}
