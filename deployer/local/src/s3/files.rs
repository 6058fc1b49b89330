//! Contents on disk: one file each, named at random. A record that names a file is what makes it an object; a file is
//! whole and on the disk before that, and removed after no record names it any more.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

use bytes::Bytes;

use crate::{ApiError, Result, ids};

/// The folder of the contents.
#[derive(Clone)]
pub struct Files {
    folder: PathBuf,
}

impl Files {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Removes what a kill left between a file and its record.
    pub fn sweep(&self, named: &BTreeSet<String>) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for entry in entries.flatten() {
            if entry.file_name().to_str().is_some_and(|name| !named.contains(name)) {
                // What cannot be removed now is tried again at the next start.
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Writes contents one after the other into a new file and returns its name.
    pub async fn write(&self, contents: Vec<Bytes>) -> Result<String> {
        let files = self.clone();
        let write = move || {
            fs::create_dir_all(&files.folder)?;
            let name = ids::hex(32);
            let mut file = File::create_new(files.folder.join(&name))?;
            for content in contents {
                file.write_all(&content)?;
            }
            file.sync_all()?;
            Ok(name)
        };
        blocking(write).await
    }

    /// The content of a file.
    pub async fn read(&self, name: &str) -> Result<Bytes> {
        let path = self.folder.join(name);
        blocking(move || fs::read(path).map(Bytes::from)).await
    }

    /// Removes files that no record names any more; those that stay are swept at the next start.
    pub fn remove<'a>(&self, names: impl IntoIterator<Item = &'a String>) {
        for name in names {
            let _ = fs::remove_file(self.folder.join(name));
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T> {
    let failed = |e: io::Error| ApiError::new(500, "InternalError", format!("the state folder: {e}"));
    tokio::task::spawn_blocking(work).await.map_err(|e| failed(io::Error::other(e)))?.map_err(failed)
}
