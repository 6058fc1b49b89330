//! The records that outlive the process: one redb database in the state folder, which makes every write atomic and keeps
//! a second process out. Values are JSON, keys are `KIND/ID`; an id may hold any text, a kind holds no `/`.
//!
//! A store that opened is whole: every page's checksum has been verified. So reading it back cannot fail but for a
//! failing disk, and methods say so with `expect` instead of passing a `Result` through every service.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redb::{
    Builder, Database, Durability, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable,
    TableDefinition,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::running::{LOCK, Running, running};

const RECORDS: TableDefinition<&str, &[u8]> = TableDefinition::new("records");
/// Counts changes of the records' layout that an earlier program could not read, or a later one not take over.
const FORMAT: u32 = 1;
const FILE: &str = "state.redb";
/// How long a folder in use is waited for. A process that was killed has not always let go when its end is known: a child
/// that it was about to start holds the lock until it is another program.
const PATIENCE: Duration = Duration::from_secs(1);
const CACHE_BYTES: usize = 32 << 20;
const READABLE: &str = "the database was verified when it was opened";
const WRITABLE: &str = "the disk takes what the database writes";
const PLAIN: &str = "records are plain data, in this program's format";

/// The records. Cloning shares them.
#[derive(Clone)]
pub struct Store {
    database: Arc<Database>,
    lock: Arc<File>,
}

/// The records as they were at one moment.
pub struct View(ReadTransaction);

tokio::task_local! {
    static SEEN: Arc<View>;
}

/// Does something during which all reads of the same task, of whatever store, see this view; writes see what is.
pub async fn seeing<R>(view: Arc<View>, work: impl Future<Output = R>) -> R {
    SEEN.scope(view, work).await
}

/// Why a state folder could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has it open.
    #[error("the state folder {0}; wait for it to end, or choose another folder with --state")]
    InUse(String),
    /// It cannot be read as ours.
    #[error("the state folder {folder} cannot be read: {reason}; remove the folder to start afresh")]
    Corrupt {
        /// The folder.
        folder: String,
        /// What the database said.
        reason: String,
    },
    /// It was written by another version of the program.
    #[error(
        "the state folder {folder} has format {found}, this program reads format {FORMAT}; use the program that wrote \
         it, or remove the folder to start afresh"
    )]
    Format {
        /// The folder.
        folder: String,
        /// The format it has.
        found: u32,
    },
    /// There is something else in its place.
    #[error("{0} is a file, not a folder")]
    NotAFolder(String),
    /// The folder cannot be made or written.
    #[error("the state folder {folder} cannot be used: {error}")]
    Io {
        /// The folder.
        folder: String,
        /// What the system said.
        error: std::io::Error,
    },
}

/// Which folder is in use, and by what.
fn in_use(folder: &Path) -> String {
    let by = match running(folder) {
        Some(running) => format!("the endpoint at {}", running.url),
        None => "another process".to_owned(),
    };
    format!("{} is in use by {by}", folder.display())
}

impl Store {
    /// Says to other programs that this one serves the folder.
    ///
    /// # Errors
    /// What the system says about writing to the folder.
    pub(crate) fn announce(&self, running: &Running) -> std::io::Result<()> {
        running.write(&self.lock)
    }

    /// Opens or creates the database in `folder`, verifying all of it.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when another process holds it and does not let go within a second, [`StoreError::Corrupt`] when it is not a whole database of
    /// ours, [`StoreError::Format`] when it is another version's, [`StoreError::Io`] when the system refuses the folder.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let name = || folder.display().to_string();
        let io = |error| StoreError::Io { folder: name(), error };
        let corrupt = |reason: String| StoreError::Corrupt { folder: name(), reason };
        std::fs::create_dir_all(folder).map_err(|error| {
            let file = folder.ancestors().find(|path| path.is_file());
            file.map_or_else(|| io(error), |file| StoreError::NotAFolder(file.display().to_string()))
        })?;
        // What the file says is whose lock it is: see `running`.
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(folder.join(LOCK));
        let lock = lock.map_err(io)?;
        let patient_until = Instant::now() + PATIENCE;
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < patient_until => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(TryLockError::WouldBlock) => return Err(StoreError::InUse(in_use(folder))),
                Err(TryLockError::Error(e)) => return Err(io(e)),
            }
        }
        lock.set_len(0).map_err(io)?;

        let file = folder.join(FILE);
        let mut builder = Builder::new();
        builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(true);
        if !file.exists() {
            // Made whole under another name first, so that a kill in between leaves nothing half made to be opened.
            let new = folder.join(format!("{FILE}.new"));
            let _ = std::fs::remove_file(&new);
            let fresh = Self {
                database: Arc::new(builder.create(&new).map_err(|e| corrupt(e.to_string()))?),
                lock: Arc::new(File::open(folder).map_err(io)?),
            };
            fresh.put("meta", "format", &FORMAT);
            drop(fresh);
            std::fs::rename(&new, &file).map_err(io)?;
            File::open(folder).and_then(|f| f.sync_all()).map_err(io)?;
        }
        let damaged = corrupt(format!("{FILE} is damaged"));
        let open = || {
            quietly(&damaged, || builder.open(&file)).unwrap_or_else(|| {
                Err(redb::DatabaseError::Storage(redb::StorageError::Corrupted(format!("{FILE} is damaged"))))
            })
        };
        let mut opened = open();
        while matches!(opened, Err(redb::DatabaseError::DatabaseAlreadyOpen))
            && Instant::now() < patient_until
        {
            std::thread::sleep(Duration::from_millis(20));
            opened = open();
        }
        let database = match opened {
            Ok(database) => database,
            Err(redb::DatabaseError::DatabaseAlreadyOpen) => return Err(StoreError::InUse(in_use(folder))),
            Err(e) => return Err(corrupt(e.to_string())),
        };
        let store = Self { database: Arc::new(database), lock: Arc::new(lock) };
        match store.format() {
            Ok(FORMAT) => Ok(store),
            Ok(found) => Err(StoreError::Format { folder: name(), found }),
            Err(reason) => Err(corrupt(reason)),
        }
    }

    /// What can be wrong with a whole database is that it is somebody else's, so this one read passes errors on.
    fn format(&self) -> Result<u32, String> {
        let read = self.database.begin_read().map_err(|e| e.to_string())?;
        let table = read.open_table(RECORDS).map_err(|e| e.to_string())?;
        let found = table.get("meta/format").map_err(|e| e.to_string())?;
        let bytes = found.ok_or_else(|| format!("{FILE} names no format"))?;
        serde_json::from_slice(bytes.value()).map_err(|e| format!("{FILE} names no format: {e}"))
    }

    /// The record, if there is one.
    #[must_use]
    pub fn get<T: DeserializeOwned>(&self, kind: &str, id: &str) -> Option<T> {
        self.reading(|table| get(table, kind, id))
    }

    /// The records as they are now, to be seen later.
    #[must_use]
    pub fn view(&self) -> View {
        View(self.database.begin_read().expect(READABLE))
    }

    fn reading<R>(&self, read: impl FnOnce(&ReadOnlyTable<&'static str, &'static [u8]>) -> R) -> R {
        let open = |read: &ReadTransaction| read.open_table(RECORDS).expect(READABLE);
        let table = SEEN.try_with(|view| open(&view.0));
        read(&table.unwrap_or_else(|_| open(&self.database.begin_read().expect(READABLE))))
    }

    /// All records of a kind, by id.
    #[must_use]
    pub fn list<T: DeserializeOwned>(&self, kind: &str) -> Vec<(String, T)> {
        self.range(kind, "", None, usize::MAX)
    }

    /// The records of a kind whose ids start with `prefix`, by id.
    #[must_use]
    pub fn list_prefix<T: DeserializeOwned>(&self, kind: &str, prefix: &str) -> Vec<(String, T)> {
        self.range(kind, prefix, None, usize::MAX)
    }

    /// At most `limit` records of a kind whose ids start with `prefix` and come after `after`, by id: a page of them.
    #[must_use]
    pub fn range<T: DeserializeOwned>(
        &self,
        kind: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Vec<(String, T)> {
        self.reading(|table| range(table, kind, prefix, after, limit))
    }

    /// Writes a record, durably before it returns.
    pub fn put<T: Serialize>(&self, kind: &str, id: &str, record: &T) {
        self.transaction(|records| records.put(kind, id, record));
    }

    /// Removes a record.
    pub fn delete(&self, kind: &str, id: &str) {
        self.transaction(|records| records.delete(kind, id));
    }

    /// Reads and changes several records as one: all changes are kept or, after a kill, none; no other change comes in
    /// between. Durable before it returns. `change` must not use the store itself, only what it is given.
    pub fn transaction<R>(&self, change: impl FnOnce(&mut Records<'_>) -> R) -> R {
        self.commit(Durability::Immediate, change)
    }

    /// A [`Store::transaction`] that does not wait for the disk: seen by every reader at once, kept for good with the
    /// next durable one or at a regular end, lost by a kill before. For what comes often and may be lost, such as logs.
    pub fn transaction_soon<R>(&self, change: impl FnOnce(&mut Records<'_>) -> R) -> R {
        self.commit(Durability::None, change)
    }

    fn commit<R>(&self, durability: Durability, change: impl FnOnce(&mut Records<'_>) -> R) -> R {
        let mut transaction = self.database.begin_write().expect(WRITABLE);
        transaction.set_durability(durability).expect("no savepoints are used");
        let result = change(&mut Records { table: transaction.open_table(RECORDS).expect(WRITABLE) });
        transaction.commit().expect(WRITABLE);
        result
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if Arc::strong_count(&self.database) == 1 {
            // An empty durable transaction takes those before it along that did not wait for the disk.
            if let Ok(last) = self.database.begin_write() {
                let _ = last.commit();
            }
        }
    }
}

/// The records inside a transaction.
pub struct Records<'t> {
    table: redb::Table<'t, &'static str, &'static [u8]>,
}

impl Records<'_> {
    /// The record, if there is one.
    #[must_use]
    pub fn get<T: DeserializeOwned>(&self, kind: &str, id: &str) -> Option<T> {
        get(&self.table, kind, id)
    }

    /// At most `limit` records of a kind whose ids start with `prefix` and come after `after`, by id.
    #[must_use]
    pub fn range<T: DeserializeOwned>(
        &self,
        kind: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Vec<(String, T)> {
        range(&self.table, kind, prefix, after, limit)
    }

    /// The id of the first record of a kind whose id starts with `prefix`.
    #[must_use]
    pub fn first_id(&self, kind: &str, prefix: &str) -> Option<String> {
        let start = format!("{kind}/{prefix}");
        let (key, _) = self.table.range(start.as_str()..).expect(READABLE).next()?.expect(READABLE);
        let id = key.value().strip_prefix(kind)?.strip_prefix('/')?;
        id.starts_with(prefix).then(|| id.to_owned())
    }

    /// Writes a record.
    pub fn put<T: Serialize>(&mut self, kind: &str, id: &str, record: &T) {
        let bytes = serde_json::to_vec(record).expect(PLAIN);
        self.table.insert(format!("{kind}/{id}").as_str(), bytes.as_slice()).expect(WRITABLE);
    }

    /// Removes a record.
    pub fn delete(&mut self, kind: &str, id: &str) {
        self.table.remove(format!("{kind}/{id}").as_str()).expect(WRITABLE);
    }

    /// Removes all records of a kind whose ids start with `prefix`.
    pub fn delete_prefix(&mut self, kind: &str, prefix: &str) {
        let start = format!("{kind}/{prefix}");
        let ids: Vec<String> = self
            .table
            .range(start.as_str()..)
            .expect(READABLE)
            .map(|entry| entry.expect(READABLE).0.value().to_owned())
            .take_while(|key| key.starts_with(&start))
            .collect();
        for id in ids {
            self.table.remove(id.as_str()).expect(WRITABLE);
        }
    }
}

fn get<T: DeserializeOwned>(
    table: &impl ReadableTable<&'static str, &'static [u8]>,
    kind: &str,
    id: &str,
) -> Option<T> {
    let bytes = table.get(format!("{kind}/{id}").as_str()).expect(READABLE)?;
    Some(serde_json::from_slice(bytes.value()).expect(PLAIN))
}

fn range<T: DeserializeOwned>(
    table: &impl ReadableTable<&'static str, &'static [u8]>,
    kind: &str,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> Vec<(String, T)> {
    let start = format!("{kind}/{prefix}");
    let after = after.map(|id| format!("{kind}/{id}")).filter(|after| *after >= start);
    let from = after.as_deref().map_or(Bound::Included(start.as_str()), Bound::Excluded);
    table
        .range::<&str>((from, Bound::Unbounded))
        .expect(READABLE)
        .map(|entry| entry.expect(READABLE))
        .take_while(|(key, _)| key.value().starts_with(&start))
        .take(limit)
        .map(|(key, value)| {
            let id = key.value()[kind.len() + 1..].to_owned();
            (id, serde_json::from_slice(value.value()).expect(PLAIN))
        })
        .collect()
}

/// Runs what may panic on damaged input; `None` when it did. redb promises errors for damaged files, but asserts its own
/// invariants too, and a damaged file must end in a message. Where a panic ends the program, as in a release, the panic itself says
/// that message.
fn quietly<R>(damaged: &StoreError, work: impl FnOnce() -> R) -> Option<R> {
    if cfg!(panic = "unwind") {
        return std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).ok();
    }
    let text = format!("error: {damaged}\n");
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |_| drop(std::io::stderr().write_all(text.as_bytes()))));
    let done = work();
    std::panic::set_hook(usual);
    Some(done)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn records_survive_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        store.put("role", "a/b", &1);
        store.transaction_soon(|r| r.put("log", "x", &"late"));
        drop(store);
        let store = Store::open(folder.path()).unwrap();
        assert_eq!(store.get::<u32>("role", "a/b"), Some(1));
        assert_eq!(store.get::<String>("log", "x").as_deref(), Some("late"));
    }

    #[test]
    fn pages_stay_within_their_kind_and_prefix() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        store.transaction(|r| {
            for id in ["a/1", "a/2", "a/3", "b/1"] {
                r.put("object", id, &id);
            }
            r.put("object-part", "a/9", &"no");
            r.put("objecu", "a/9", &"no");
        });
        let ids = |page: Vec<(String, String)>| page.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
        assert_eq!(ids(store.list("object")), ["a/1", "a/2", "a/3", "b/1"]);
        assert_eq!(ids(store.list_prefix("object", "a/")), ["a/1", "a/2", "a/3"]);
        assert_eq!(ids(store.range("object", "a/", Some("a/1"), 1)), ["a/2"]);
        assert_eq!(ids(store.range("object", "b/", Some("a/1"), 9)), ["b/1"]);
        assert_eq!(store.transaction(|r| r.first_id("object", "b")).as_deref(), Some("b/1"));
        assert_eq!(store.transaction(|r| r.first_id("object", "c")), None);
        store.transaction(|r| r.delete_prefix("object", "a/"));
        assert_eq!(ids(store.list("object")), ["b/1"]);
    }

    #[test]
    fn a_change_that_fails_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        store.put("record", "a", &1);
        let half = std::panic::AssertUnwindSafe(|| {
            store.transaction(|records| {
                records.put("record", "a", &2);
                records.put("record", "b", &2);
                assert!(records.get::<u32>("record", "b").is_none(), "the change fails half-way");
            });
        });
        std::panic::catch_unwind(half).unwrap_err();
        assert_eq!(store.list::<u32>("record"), [("a".to_owned(), 1)]);
        store.put("record", "a", &3);
        assert_eq!(store.get::<u32>("record", "a"), Some(3));
    }

    #[test]
    fn a_second_opener_is_told_that_it_is_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let _first = Store::open(folder.path()).unwrap();
        let error = Store::open(folder.path()).err().unwrap().to_string();
        assert!(error.contains("in use by another process"), "{error}");
    }

    #[test]
    fn a_folder_that_another_is_about_to_let_go_of_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let first = Store::open(folder.path()).unwrap();
        let (about_to, lets_go) = std::sync::mpsc::channel();
        std::thread::scope(|threads| {
            threads.spawn(move || {
                about_to.send(()).unwrap();
                std::thread::sleep(Duration::from_millis(200));
                drop(first);
            });
            lets_go.recv().unwrap();
            Store::open(folder.path()).unwrap();
        });
    }

    #[test]
    fn a_file_that_is_no_database_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        for content in [b"not a database".repeat(1000), Vec::new()] {
            std::fs::write(folder.path().join(FILE), content).unwrap();
            let error = Store::open(folder.path()).err().unwrap().to_string();
            assert!(error.contains("remove the folder to start afresh"), "{error}");
        }
    }

    #[test]
    fn another_format_is_named() {
        let folder = tempfile::tempdir().unwrap();
        Store::open(folder.path()).unwrap().put("meta", "format", &(FORMAT + 1));
        let error = Store::open(folder.path()).err().unwrap().to_string();
        assert!(error.contains("has format 2"), "{error}");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        for state in [file.clone(), file.join("below")] {
            let error = Store::open(&state).err().unwrap().to_string();
            assert_eq!(error, format!("{} is a file, not a folder", file.display()));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn a_damaged_file_is_an_error_or_read_in_full(
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
            cut in prop::option::of(any::<prop::sample::Index>()),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let store = Store::open(folder.path()).unwrap();
            for i in 0..50_u32 {
                store.transaction_soon(|r| r.put("record", &i.to_string(), &"x".repeat(300)));
            }
            drop(store);
            let file = folder.path().join(FILE);
            let mut bytes = std::fs::read(&file).unwrap();
            for (at, value) in damage {
                let at = at.index(bytes.len().min(60_000));
                bytes[at] = value;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            std::fs::write(&file, bytes).unwrap();
            if let Ok(store) = Store::open(folder.path()) {
                prop_assert!(store.list::<String>("record").iter().all(|(_, v)| v == &"x".repeat(300)));
            }
        }
    }
}
