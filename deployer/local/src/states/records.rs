//! What outlives the process: machines, the definitions they had, executions and their events, with the indexes that
//! listing and restarting need.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::maps::record::{self, Counts};
use super::names;
use crate::Aws;
use crate::store::{Records, Store};

/// Machines, by name.
pub const MACHINE: &str = "states-machine";
/// Definitions, by machine and revision.
pub const DEFINITION: &str = "states-definition";
/// Executions, by machine and name.
pub const EXECUTION: &str = "states-execution";
/// Executions of a machine, the latest first.
pub const LATEST: &str = "states-latest";
/// Executions of a Map Run, the latest first.
pub const CHILD: &str = "states-map-run-child";
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
    /// The Map Run that started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// What a Map Run's execution is part of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Origin {
    /// The Map Run's label.
    pub label: String,
    /// The Map Run's own UUID.
    pub run: String,
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
    /// One that starts now.
    #[must_use]
    pub fn new(machine: &str, name: String, revision: &str, input: String) -> Self {
        Self {
            machine: machine.to_owned(),
            name,
            revision: revision.to_owned(),
            status: Status::Running,
            started: Timestamp::now().as_millisecond(),
            stopped: None,
            input,
            output: None,
            error: None,
            cause: None,
            origin: None,
        }
    }

    /// Its id in the store.
    #[must_use]
    pub fn id(&self) -> String {
        id(&self.machine_name(), &self.name)
    }

    /// The name of the machine as ARNs have it: the processor of a distributed Map is one of its own.
    #[must_use]
    pub fn machine_name(&self) -> String {
        match &self.origin {
            Some(origin) => format!("{}/{}", self.machine, origin.label),
            None => self.machine.clone(),
        }
    }

    /// Its ARN.
    #[must_use]
    pub fn arn(&self, aws: &Aws) -> String {
        names::execution_arn(aws, &self.machine_name(), &self.name)
    }

    /// Its machine's ARN.
    #[must_use]
    pub fn machine_arn(&self, aws: &Aws) -> String {
        names::machine_arn(aws, &self.machine_name())
    }

    /// The id of the Map Run that started it.
    #[must_use]
    pub fn map_run(&self) -> Option<String> {
        self.origin.as_ref().map(|origin| record::id(&self.machine, &origin.label, &origin.run))
    }

    /// Whether it can be redriven, and why not.
    #[must_use]
    pub fn redrive(&self) -> (&'static str, Option<String>) {
        match (self.status.not_redrivable(), &self.origin) {
            (Some(reason), _) => ("NOT_REDRIVABLE", Some(reason)),
            (None, Some(_)) => ("REDRIVABLE_BY_MAP_RUN", None),
            (None, None) => ("REDRIVABLE", None),
        }
    }

    /// Where lists find it, the latest first: among those of its machine, or of its Map Run.
    fn latest(&self) -> (&'static str, String) {
        let (kind, whose) = match self.map_run() {
            Some(run) => (CHILD, run),
            None => (LATEST, self.machine.clone()),
        };
        (kind, format!("{whose}/{}/{}", latest_first(self.started), self.name))
    }

    /// Writes an execution that begins.
    pub fn begin(&self, records: &mut Records<'_>) {
        let id = self.id();
        records.put(EXECUTION, &id, self);
        let (kind, key) = self.latest();
        records.put(kind, &key, &id);
        records.put(RUNNING, &id, &());
        if let Some(run) = self.map_run() {
            record::counted(records, &run, Counts::started);
        }
        records.put(UNANNOUNCED, &id, &());
    }

    /// Writes an execution that ended.
    pub fn end(&self, records: &mut Records<'_>) {
        let id = self.id();
        records.put(EXECUTION, &id, self);
        records.delete(RUNNING, &id);
        records.put(ENDED, &format!("{:016}/{id}", self.stopped.unwrap_or_default()), &id);
        records.put(UNANNOUNCED, &id, &());
        if let Some(run) = self.map_run() {
            record::counted(records, &run, |counts| counts.ended(self.status));
        }
    }

    /// Removes it with all that belongs to it.
    pub fn forget(&self, records: &mut Records<'_>) {
        let id = self.id();
        records.delete(EXECUTION, &id);
        let (kind, key) = self.latest();
        records.delete(kind, &key);
        record::forget(records, &id);
        records.delete(RUNNING, &id);
        records.delete(UNANNOUNCED, &id);
        records.delete(ENDED, &format!("{:016}/{id}", self.stopped.unwrap_or_default()));
        records.delete_prefix(EVENT, &format!("{id}/"));
    }
}

/// An execution's id in the store: no name holds a slash or a colon, but a Map Run's execution has `MACHINE/LABEL` as its
/// machine's name.
#[must_use]
pub fn id(machine: &str, name: &str) -> String {
    let separator = if machine.contains('/') { ':' } else { '/' };
    format!("{machine}{separator}{name}")
}

/// A time in milliseconds since the epoch as the part of a key that puts the latest first.
#[must_use]
pub fn latest_first(time: i64) -> String {
    format!("{:016}", 9_999_999_999_999_999 - time)
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
