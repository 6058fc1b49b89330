//! What outlives the process: machines, the definitions they had, executions and their events, with the indexes that
//! listing and restarting need.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::store::{Records, Store};

/// Machines, by name.
pub const MACHINE: &str = "states-machine";
/// Definitions, by machine and revision.
pub const DEFINITION: &str = "states-definition";
/// Executions, by machine and name.
pub const EXECUTION: &str = "states-execution";
/// Executions of a machine, the latest first.
pub const LATEST: &str = "states-latest";
/// Executions that run.
pub const RUNNING: &str = "states-running";
/// Executions that ended, by when.
pub const ENDED: &str = "states-ended";
/// Executions whose last change of status has not been emitted as an event yet.
pub const UNANNOUNCED: &str = "states-unannounced";
/// Events, by execution and id.
pub const EVENT: &str = "states-event";

/// AWS forgets executions this long after their end.
const KEPT_MILLISECONDS: i64 = 90 * 24 * 3600 * 1000;

/// A state machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Machine {
    /// Its name.
    pub name: String,
    /// When it was created, in milliseconds since the epoch.
    pub created: i64,
    /// Whether it was updated since, so that its revision has a name for callers.
    pub updated: bool,
    /// Which of its definitions holds.
    pub revision: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Whether it is being deleted.
    pub deleting: bool,
}

/// A definition that a machine has or had.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Definition {
    /// The text.
    pub text: String,
    /// The machine's role.
    pub role: String,
    /// Since when, in milliseconds since the epoch.
    pub since: i64,
}

/// How an execution stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "named as on AWS")]
pub enum Status {
    Running,
    Succeeded,
    Failed,
    TimedOut,
    Aborted,
}

/// An execution.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Execution {
    /// The machine's name.
    pub machine: String,
    /// Its own name.
    pub name: String,
    /// The revision of the machine it runs.
    pub revision: String,
    /// How it stands.
    pub status: Status,
    /// When it started, in milliseconds since the epoch.
    pub started: i64,
    /// When it ended.
    pub stopped: Option<i64>,
    /// Its input, as given.
    pub input: String,
    /// Its output, when it succeeded.
    pub output: Option<String>,
    /// The error it failed with or was stopped with.
    pub error: Option<String>,
    /// The error's explanation.
    pub cause: Option<String>,
}

impl Status {
    /// As on AWS.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::TimedOut => "TIMED_OUT",
            Self::Aborted => "ABORTED",
        }
    }

    /// Why an execution cannot be redriven; none when it could be.
    #[must_use]
    pub fn not_redrivable(self) -> Option<String> {
        matches!(self, Self::Running | Self::Succeeded)
            .then(|| format!("Execution is {} and cannot be redriven", self.name()))
    }
}

impl Machine {
    /// The definition that holds.
    #[must_use]
    pub fn definition(&self, store: &Store) -> Definition {
        definition(store, &self.name, &self.revision)
    }
}

/// A definition that a machine has or had.
#[must_use]
pub fn definition(store: &Store, machine: &str, revision: &str) -> Definition {
    store
        .get(DEFINITION, &format!("{machine}/{revision}"))
        .expect("definitions are kept as long as what runs them")
}

impl Execution {
    /// Its id in the store: no name holds a slash.
    #[must_use]
    pub fn id(&self) -> String {
        id(&self.machine, &self.name)
    }

    fn latest(&self) -> String {
        format!("{}/{:016}/{}", self.machine, 9_999_999_999_999_999 - self.started, self.name)
    }

    /// Writes an execution that begins.
    pub fn begin(&self, records: &mut Records<'_>) {
        let id = self.id();
        records.put(EXECUTION, &id, self);
        records.put(LATEST, &self.latest(), &id);
        records.put(RUNNING, &id, &());
        records.put(UNANNOUNCED, &id, &());
    }

    /// Writes an execution that ended.
    pub fn end(&self, records: &mut Records<'_>) {
        let id = self.id();
        records.put(EXECUTION, &id, self);
        records.delete(RUNNING, &id);
        records.put(ENDED, &format!("{:016}/{id}", self.stopped.unwrap_or_default()), &id);
        records.put(UNANNOUNCED, &id, &());
    }

    /// Removes it with all that belongs to it.
    pub fn forget(&self, records: &mut Records<'_>) {
        let id = self.id();
        records.delete(EXECUTION, &id);
        records.delete(LATEST, &self.latest());
        records.delete(RUNNING, &id);
        records.delete(UNANNOUNCED, &id);
        records.delete(ENDED, &format!("{:016}/{id}", self.stopped.unwrap_or_default()));
        records.delete_prefix(EVENT, &format!("{id}/"));
    }
}

/// An execution's id in the store.
#[must_use]
pub fn id(machine: &str, name: &str) -> String {
    format!("{machine}/{name}")
}

/// Writes events of an execution.
pub fn put_events<'e>(
    records: &mut Records<'_>,
    execution: &str,
    events: impl IntoIterator<Item = (usize, &'e Value)>,
) {
    for (number, event) in events {
        records.put(EVENT, &format!("{execution}/{number:06}"), event);
    }
}

/// At most `count` events of an execution, beginning with the one whose id is `first`.
#[must_use]
pub fn events(store: &Store, execution: &str, first: usize, count: usize) -> Vec<Value> {
    let after = format!("{execution}/{:06}", first.saturating_sub(1));
    let page = store.range(EVENT, &format!("{execution}/"), Some(&after), count);
    page.into_iter().map(|(_, event)| event).collect()
}

/// How many events of an execution are kept.
#[must_use]
pub fn count(store: &Store, execution: &str) -> usize {
    store.list_prefix::<Value>(EVENT, &format!("{execution}/")).len()
}

/// Removes executions that ended longer ago than AWS keeps them.
pub fn prune(store: &Store, now: Timestamp) {
    let before = format!("{:016}", now.as_millisecond() - KEPT_MILLISECONDS);
    loop {
        let page = store.range::<String>(ENDED, "", None, 100);
        let old: Vec<_> = page.into_iter().filter(|(key, _)| *key < before).collect();
        if old.is_empty() {
            return;
        }
        store.transaction(|records| {
            for (key, id) in &old {
                if let Some(execution) = records.get::<Execution>(EXECUTION, id) {
                    execution.forget(records);
                }
                records.delete(ENDED, key);
            }
        });
    }
}

/// Removes the executions and definitions that a deleted machine of this name left.
pub fn forget_machine(records: &mut Records<'_>, machine: &str) {
    for (_, execution) in records.range::<Execution>(EXECUTION, &format!("{machine}/"), None, usize::MAX) {
        execution.forget(records);
    }
    records.delete_prefix(DEFINITION, &format!("{machine}/"));
}
