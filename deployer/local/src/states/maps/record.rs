//! Map Runs as they are kept, with the counts of their executions.

use asl::Tolerance;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::states::records::{CHILD, Status, latest_first};
use crate::store::{Records, Store};

/// Map Runs, by [`id`].
pub const MAP_RUN: &str = "states-map-run";
/// The ids of an execution's Map Runs, the latest first.
pub const OF_EXECUTION: &str = "states-map-run-of";

/// A Map Run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MapRun {
    /// The machine's name.
    pub machine: String,
    /// The label of the state.
    pub label: String,
    /// Its own UUID.
    pub uuid: String,
    /// The ARN of the execution that started it.
    pub execution: String,
    /// The processor's definition.
    pub definition: String,
    /// How it stands.
    pub status: Status,
    /// When it started, in milliseconds since the epoch.
    pub started: i64,
    /// When it ended.
    pub stopped: Option<i64>,
    /// How many executions may run at a time; 0 is as many as there may be.
    pub concurrency: u64,
    /// How many executions may fail.
    pub tolerated_count: Option<u64>,
    /// How many per cent of them may fail.
    pub tolerated_percentage: Option<f64>,
    /// Its executions, by how they stand.
    pub counts: Counts,
}

/// Executions by how they stand; each has one item.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Not started.
    pub pending: u64,
    /// Running.
    pub running: u64,
    /// Ended well.
    pub succeeded: u64,
    /// Ended with an error.
    pub failed: u64,
    /// Ended because their time was up.
    pub timed_out: u64,
    /// Stopped.
    pub aborted: u64,
    /// Their results are in the Map Run's.
    pub results_written: u64,
}

impl Counts {
    /// One more has started.
    pub fn started(&mut self) {
        self.pending = self.pending.saturating_sub(1);
        self.running += 1;
    }

    /// One that ran has ended.
    pub fn ended(&mut self, status: Status) {
        self.running = self.running.saturating_sub(1);
        match status {
            Status::Running => self.running += 1,
            Status::Succeeded => self.succeeded += 1,
            Status::Failed => self.failed += 1,
            Status::TimedOut => self.timed_out += 1,
            Status::Aborted => self.aborted += 1,
        }
    }

    /// Those that count against the tolerance.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failed + self.timed_out
    }

    /// Those that have ended.
    #[must_use]
    pub fn over(&self) -> u64 {
        self.succeeded + self.failures() + self.aborted
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.pending + self.running + self.over()
    }

    /// As `DescribeMapRun` tells them.
    #[must_use]
    pub fn describe(&self) -> Value {
        json!({
            "pending": self.pending,
            "running": self.running,
            "succeeded": self.succeeded,
            "failed": self.failed,
            "timedOut": self.timed_out,
            "aborted": self.aborted,
            "total": self.total(),
            "resultsWritten": self.results_written,
            "failuresNotRedrivable": 0,
            "pendingRedrive": 0,
        })
    }
}

impl MapRun {
    /// Its id in the store, which its ARN has too.
    #[must_use]
    pub fn id(&self) -> String {
        id(&self.machine, &self.label, &self.uuid)
    }

    /// How many executions may fail.
    #[must_use]
    pub fn tolerance(&self) -> Tolerance {
        Tolerance { count: self.tolerated_count, percentage: self.tolerated_percentage }
    }

    /// Writes one that begins, of the execution with this id.
    pub fn begin(&self, records: &mut Records<'_>, execution: &str) {
        let id = self.id();
        records.put(MAP_RUN, &id, self);
        records.put(OF_EXECUTION, &format!("{execution}/{}/{id}", latest_first(self.started)), &id);
    }
}

/// A Map Run's id in the store.
#[must_use]
pub fn id(machine: &str, label: &str, uuid: &str) -> String {
    format!("{machine}/{label}:{uuid}")
}

/// Changes a Map Run that is kept.
pub fn changed(records: &mut Records<'_>, id: &str, change: impl FnOnce(&mut MapRun)) {
    if let Some(mut run) = records.get::<MapRun>(MAP_RUN, id) {
        change(&mut run);
        records.put(MAP_RUN, id, &run);
    }
}

/// Changes the counts of a Map Run that is kept.
pub fn counted(records: &mut Records<'_>, id: &str, change: impl FnOnce(&mut Counts)) {
    changed(records, id, |run| change(&mut run.counts));
}

/// Marks the Map Runs that an earlier process left unfinished; their executions were aborted before.
pub fn abort_all(store: &Store, now: Timestamp) {
    for (id, run) in store.list::<MapRun>(MAP_RUN) {
        if run.status == Status::Running {
            store.transaction(|records| {
                changed(records, &id, |run| {
                    (run.status, run.stopped) = (Status::Aborted, Some(now.as_millisecond()));
                });
            });
        }
    }
}

/// Removes the Map Runs of an execution, but not their executions, which are kept as long as any.
pub fn forget(records: &mut Records<'_>, execution: &str) {
    let prefix = format!("{execution}/");
    for (_, run) in records.range::<String>(OF_EXECUTION, &prefix, None, usize::MAX) {
        records.delete(MAP_RUN, &run);
        records.delete_prefix(CHILD, &format!("{run}/"));
    }
    records.delete_prefix(OF_EXECUTION, &prefix);
}
