//! One folder out of a function's layers: what Lambda shows it as `/opt`.
//!
//! The folder of one layer is that of its zip. Several are merged in order, later ones over earlier ones, into a folder
//! that all functions with the same layers share; its files are links to those of the zips.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::Result;

use super::errors::unwritten;
use super::package::{Packages, digest};

/// The name of the folder that these zips are merged into.
pub fn name(zips: &[&str]) -> String {
    digest(zips.join(" ").as_bytes())
}

impl Packages {
    /// The folder that layers of these zips (SHA-256, hexadecimal) make up, in this order; `None` without layers.
    ///
    /// # Errors
    /// `ServiceException` when a zip is gone or the folder cannot be written.
    pub fn layers(&self, zips: &[&str]) -> Result<Option<PathBuf>> {
        match zips {
            [] => return Ok(None),
            [one] => return self.folder(one).map(Some),
            _ => {}
        }
        let merged = self.merged().join(name(zips));
        if merged.exists() {
            return Ok(Some(merged));
        }
        let internal = |e: io::Error| unwritten("merge the function's layers", &e);
        fs::create_dir_all(self.merged()).map_err(internal)?;
        // Made under another name and moved at the end, so that what is there under its name is whole.
        let new = self.new_folder().map_err(internal)?;
        let root = new.path().join("layers");
        fs::create_dir(&root).map_err(internal)?;
        for zip in zips {
            lay_over(&self.folder(zip)?, &root).map_err(internal)?;
        }
        match fs::rename(&root, &merged) {
            // Another environment has just merged the same.
            Err(_) if merged.exists() => Ok(Some(merged)),
            moved => moved.map(|()| Some(merged)).map_err(internal),
        }
    }
}

/// Puts what is in one folder into another, over what is there.
fn lay_over(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        let there = fs::symlink_metadata(&target).ok();
        if kind.is_dir() {
            if !there.as_ref().is_some_and(fs::Metadata::is_dir) {
                if there.is_some() {
                    fs::remove_file(&target)?;
                }
                fs::create_dir(&target)?;
            }
            lay_over(&source, &target)?;
            continue;
        }
        // Never written through: a link of an earlier layer, or a file that another folder has too.
        match there {
            Some(there) if there.is_dir() => fs::remove_dir_all(&target)?,
            Some(_) => fs::remove_file(&target)?,
            None => {}
        }
        if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&source)?, &target)?;
        } else if fs::hard_link(&source, &target).is_err() {
            // A file system without links, or one that has no more of them for this file.
            fs::copy(&source, &target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use zip::write::SimpleFileOptions;

    use super::*;

    /// Entries `NAME=TEXT` and `NAME->TARGET`.
    fn kept(packages: &Packages, entries: &[&str]) -> String {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for entry in entries {
            if let Some((name, target)) = entry.split_once("->") {
                zip.add_symlink(name, target, SimpleFileOptions::default()).unwrap();
            } else {
                let (name, text) = entry.split_once('=').unwrap();
                zip.start_file(name, SimpleFileOptions::default().unix_permissions(0o644)).unwrap();
                zip.write_all(text.as_bytes()).unwrap();
            }
        }
        packages.keep(&zip.finish().unwrap().into_inner()).unwrap().sha256
    }

    #[test]
    fn later_layers_lie_over_earlier_ones() {
        let state = tempfile::tempdir().unwrap();
        let packages = Packages::new(state.path());
        let below = kept(&packages, &["lib/a=1", "lib/b=1", "x=1", "y/z=1", "data->lib"]);
        let above = kept(&packages, &["lib/b=2", "lib/c=2", "x/deep=2", "y=2", "data/d=2"]);
        let merged = packages.layers(&[&below, &above]).unwrap().unwrap();
        let text = |name: &str| fs::read_to_string(merged.join(name)).unwrap();
        let all = ["lib/a", "lib/b", "lib/c", "x/deep", "y", "data/d"].map(text);
        assert_eq!(all, ["1", "2", "2", "2", "2", "2"]);
        assert!(!merged.join("lib/d").exists(), "written through a link");
        let other_way = packages.layers(&[&above, &below]).unwrap().unwrap();
        assert_eq!(fs::read_to_string(other_way.join("lib/b")).unwrap(), "1");
        let own =
            |zip: &str, name: &str| fs::read_to_string(packages.folder(zip).unwrap().join(name)).unwrap();
        assert_eq!(
            (own(&below, "lib/b"), own(&above, "lib/b")),
            ("1".into(), "2".into()),
            "zips stay as they are"
        );
        assert_eq!(packages.layers(&[&above]).unwrap(), Some(packages.folder(&above).unwrap()));
        assert_eq!(packages.layers(&[]).unwrap(), None);
    }

    #[test]
    fn merged_layers_nobody_uses_are_swept() {
        let state = tempfile::tempdir().unwrap();
        let packages = Packages::new(state.path());
        let (one, two) = (kept(&packages, &["a=1"]), kept(&packages, &["b=1"]));
        let merged = packages.layers(&[&one, &two]).unwrap().unwrap();
        let used = [one.clone(), two.clone(), name(&[&one, &two])];
        packages.sweep(&|name| used.contains(&name.to_owned()));
        assert!(merged.join("b").exists());
        packages.sweep(&|name| used[..2].contains(&name.to_owned()));
        assert!(!merged.exists());
    }
}
