//! The records that outlive the process: one redb database in the state folder, which makes every write atomic and keeps
//! a second process out. Values are JSON, keys are `KIND/ID`.

use std::path::Path;
use std::sync::Arc;

use redb::{Database, ReadableDatabase, TableDefinition};
use serde::Serialize;
use serde::de::DeserializeOwned;

const RECORDS: TableDefinition<&str, &[u8]> = TableDefinition::new("records");

/// The records. Cloning shares them.
#[derive(Clone)]
pub struct Store {
    database: Arc<Database>,
}

/// Why a state folder could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has it open.
    #[error("the state folder {0} is in use by another process")]
    InUse(String),
    /// It cannot be read as ours.
    #[error("the state folder {folder} cannot be read: {reason}")]
    Corrupt {
        /// The folder.
        folder: String,
        /// What the database said.
        reason: String,
    },
}

impl Store {
    /// Opens or creates the database in `folder`.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when another process holds it, [`StoreError::Corrupt`] when it is not a database of ours.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let corrupt = |reason: String| StoreError::Corrupt { folder: folder.display().to_string(), reason };
        std::fs::create_dir_all(folder).map_err(|e| corrupt(e.to_string()))?;
        let database = match Database::create(folder.join("state.redb")) {
            Ok(database) => database,
            Err(redb::DatabaseError::DatabaseAlreadyOpen) => {
                return Err(StoreError::InUse(folder.display().to_string()));
            }
            Err(e) => return Err(corrupt(e.to_string())),
        };
        let store = Self { database: Arc::new(database) };
        store.write(|_| ()).map_err(|e| corrupt(e.to_string()))?;
        Ok(store)
    }

    /// The record, if there is one.
    #[must_use]
    pub fn get<T: DeserializeOwned>(&self, kind: &str, id: &str) -> Option<T> {
        let read = self.database.begin_read().expect("the database is readable");
        let table = read.open_table(RECORDS).expect("the table exists since `open`");
        let bytes = table.get(format!("{kind}/{id}").as_str()).expect("the database is readable")?;
        Some(serde_json::from_slice(bytes.value()).expect("records hold what was put"))
    }

    /// All records of a kind, by id.
    #[must_use]
    pub fn list<T: DeserializeOwned>(&self, kind: &str) -> Vec<(String, T)> {
        let read = self.database.begin_read().expect("the database is readable");
        let table = read.open_table(RECORDS).expect("the table exists since `open`");
        let (from, to) = (format!("{kind}/"), format!("{kind}0"));
        let range = table.range(from.as_str()..to.as_str()).expect("the database is readable");
        range
            .map(|entry| {
                let (key, value) = entry.expect("the database is readable");
                let id = key.value()[from.len()..].to_owned();
                (id, serde_json::from_slice(value.value()).expect("records hold what was put"))
            })
            .collect()
    }

    /// Writes a record, durably before it returns.
    pub fn put<T: Serialize>(&self, kind: &str, id: &str, record: &T) {
        let bytes = serde_json::to_vec(record).expect("records are plain data");
        let key = format!("{kind}/{id}");
        self.write(|table| {
            table.insert(key.as_str(), bytes.as_slice()).expect("the database is writable");
        })
        .expect("the database is writable");
    }

    /// Removes a record.
    pub fn delete(&self, kind: &str, id: &str) {
        let key = format!("{kind}/{id}");
        self.write(|table| {
            table.remove(key.as_str()).expect("the database is writable");
        })
        .expect("the database is writable");
    }

    fn write(
        &self,
        change: impl FnOnce(&mut redb::Table<&'static str, &'static [u8]>),
    ) -> Result<(), redb::Error> {
        let transaction = self.database.begin_write()?;
        change(&mut transaction.open_table(RECORDS)?);
        transaction.commit()?;
        Ok(())
    }
}
