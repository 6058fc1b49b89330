//! That an endpoint serves a state folder for as long as somebody wants it to, so that other programs on the same folder use it
//! instead of being refused: its address is in the file that it holds the folder with.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// An endpoint that serves a state folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// Its address, `http://127.0.0.1:PORT`.
    pub url: String,
    /// The region that its ARNs name.
    pub region: String,
}

/// The file whose lock whoever uses the folder holds.
pub(crate) const LOCK: &str = "lock";

/// The endpoint that serves a state folder now; `None` when the folder is free, or used by a program that serves nobody else.
#[must_use]
pub fn running(state: &Path) -> Option<Running> {
    let mut file = File::open(state.join(LOCK)).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {}
        Ok(()) | Err(TryLockError::Error(_)) => return None,
    }
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

impl Running {
    /// Writes it into the file, whose lock is held.
    pub(crate) fn write(&self, mut lock: &File) -> std::io::Result<()> {
        let text = serde_json::to_string(self)?;
        lock.set_len(0)?;
        lock.rewind()?;
        lock.write_all(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[test]
    fn an_endpoint_is_found_while_it_serves_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(running(folder.path()), None);
        let store = Store::open(folder.path()).unwrap();
        assert_eq!(running(folder.path()), None, "it has not said that it serves anybody");
        let served = Running { url: "http://127.0.0.1:1".to_owned(), region: "us-east-1".to_owned() };
        store.announce(&served).unwrap();
        assert_eq!(running(folder.path()), Some(served));
        drop(store);
        assert_eq!(running(folder.path()), None);
        let _store = Store::open(folder.path()).unwrap();
        assert_eq!(running(folder.path()), None, "what an earlier one has written");
    }
}
