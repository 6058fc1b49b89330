//! Log groups, streams and events.
//!
//! Events come in batches; a batch is one record under its stream, so that writing one is cheap. Storage is bounded: a
//! stream loses its oldest batches, a group its oldest streams.

mod events;
mod groups;
mod pattern;
mod streams;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use groups::RETENTION_DAYS;

use crate::api::{Entry, JSON_1_1, Protocol};
use crate::params::Params;
use crate::store::Records;
use crate::{Aws, Caller, Result, Service};

const GROUPS: &str = "logs-group";
const STREAMS: &str = "logs-stream";
const BATCHES: &str = "logs-batch";
const MOST_STREAM_BYTES: u64 = 4 << 20;
const MOST_GROUP_BYTES: u64 = 32 << 20;
/// What an event takes beyond its text, as AWS counts.
const EVENT_BYTES: u64 = 26;
/// Batches are written without waiting for the disk; each so many one waits, so that the database can reuse its space.
const DURABLE_EACH: u64 = 256;
const DAY: i64 = 24 * 3600 * 1000;

/// Log groups and streams.
pub struct Logs {
    /// Numbers events in the order of their arrival, over restarts too: it starts at the time in microseconds.
    sequence: AtomicU64,
    appended: AtomicU64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Group {
    name: String,
    created: i64,
    retention: Option<i64>,
    tags: BTreeMap<String, String>,
    bytes: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Stream {
    group: String,
    name: String,
    created: i64,
    first: Option<i64>,
    last: Option<i64>,
    ingested: Option<i64>,
    bytes: u64,
}

/// Events that came together.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Batch {
    ingested: i64,
    /// The number of the first event; the others follow.
    sequence: u64,
    /// Times and texts.
    events: Vec<(i64, String)>,
}

impl Batch {
    fn bytes(&self) -> u64 {
        self.events.iter().map(|(_, text)| text.len() as u64 + EVENT_BYTES).sum()
    }
}

pub(crate) static ENTRY: Entry = Entry::new(
    Service::Logs,
    "logs",
    Protocol::Json("Logs_20140328.", JSON_1_1),
    |aws, caller, operation, input| Box::pin(call(aws, caller, operation, input)),
);

async fn call(aws: &Arc<Aws>, caller: &Caller, operation: &str, input: Value) -> Result<Value> {
    let params = Params::new(&input, "InvalidParameterException");
    match operation {
        "CreateLogGroup" => groups::create(aws, caller, params),
        "DeleteLogGroup" => groups::delete(aws, caller, params),
        "DescribeLogGroups" => groups::describe(aws, caller, params),
        "PutRetentionPolicy" | "DeleteRetentionPolicy" => groups::retention(aws, caller, operation, params),
        "TagResource" => groups::tag(aws, caller, params),
        "UntagResource" => groups::untag(aws, caller, params),
        "ListTagsForResource" => groups::tags(aws, caller, params),
        "DescribeLogStreams" => streams::describe(aws, caller, params),
        "GetLogEvents" => events::get(aws, caller, params),
        "FilterLogEvents" => events::filter(aws, caller, params),
        _ => Err(Service::Logs.unknown(operation)),
    }
}

impl Logs {
    /// The service, with nothing under way.
    #[must_use]
    pub fn open() -> Self {
        let micros = u64::try_from(jiff::Timestamp::now().as_microsecond()).unwrap_or(0);
        Self { sequence: AtomicU64::new(micros), appended: AtomicU64::new(0) }
    }

    /// Appends lines to a stream on a caller's behalf, creating group and stream where they are missing, under the
    /// caller's permissions. Each line is its time in milliseconds since the epoch and its text.
    ///
    /// # Errors
    /// An access denial: then nothing is kept, as on AWS, and the invocation that wrote the lines goes on.
    pub fn append(
        &self,
        aws: &Aws,
        caller: &Caller,
        group: &str,
        stream: &str,
        lines: &[(i64, String)],
    ) -> Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        if aws.store.get::<Group>(GROUPS, group).is_none() {
            allowed(aws, caller, "CreateLogGroup", group, "")?;
        }
        if aws.store.get::<Stream>(STREAMS, &stream_id(group, stream)).is_none() {
            allowed(aws, caller, "CreateLogStream", group, stream)?;
        }
        allowed(aws, caller, "PutLogEvents", group, stream)?;
        let sequence = self.sequence.fetch_add(lines.len() as u64, Ordering::Relaxed);
        let batch = Batch { ingested: now(), sequence, events: lines.to_vec() };
        let write = |records: &mut Records<'_>| write(records, group, stream, &batch);
        if self.appended.fetch_add(1, Ordering::Relaxed) % DURABLE_EACH == DURABLE_EACH - 1 {
            aws.store.transaction(write);
        } else {
            aws.store.transaction_soon(write);
        }
        Ok(())
    }
}

/// Writes a batch; group and stream come into being with their first.
fn write(records: &mut Records<'_>, group: &str, stream: &str, batch: &Batch) {
    let created = now();
    let fresh =
        || Group { name: group.to_owned(), created, retention: None, tags: BTreeMap::new(), bytes: 0 };
    let mut group: Group = records.get(GROUPS, group).unwrap_or_else(fresh);
    let id = stream_id(&group.name, stream);
    let mut stream: Stream = records.get(STREAMS, &id).unwrap_or_else(|| streams::fresh(&group.name, stream));
    let times = || batch.events.iter().map(|(time, _)| *time);
    stream.first = stream.first.into_iter().chain(times()).min();
    stream.last = stream.last.into_iter().chain(times()).max();
    stream.ingested = Some(batch.ingested);
    stream.bytes += batch.bytes();
    group.bytes += batch.bytes();
    let first = times().min().unwrap_or(batch.ingested).max(0);
    records.put(BATCHES, &format!("{id}:{first:015}{:018}", batch.sequence), batch);

    let oldest = group.retention.map_or(i64::MIN, |days| created - days * DAY);
    let within = format!("{id}:");
    while let Some(key) = records.first_id(BATCHES, &within) {
        let starts: i64 = key[within.len()..].get(..15).and_then(|time| time.parse().ok()).unwrap_or(0);
        if starts >= oldest && stream.bytes <= MOST_STREAM_BYTES {
            break;
        }
        let Some(batch) = records.get::<Batch>(BATCHES, &key) else { break };
        let outlived = batch.events.iter().all(|(time, _)| *time < oldest);
        if !outlived && stream.bytes <= MOST_STREAM_BYTES {
            break;
        }
        stream.bytes = stream.bytes.saturating_sub(batch.bytes());
        group.bytes = group.bytes.saturating_sub(batch.bytes());
        records.delete(BATCHES, &key);
    }
    records.put(STREAMS, &id, &stream);
    if group.bytes > MOST_GROUP_BYTES {
        let mut streams: Vec<(String, Stream)> =
            records.range(STREAMS, &format!("{}:", group.name), None, usize::MAX);
        streams.sort_by_key(|(_, stream)| stream.last);
        for (other, stream) in streams.into_iter().filter(|(other, _)| *other != id) {
            if group.bytes <= MOST_GROUP_BYTES / 2 {
                break;
            }
            group.bytes = group.bytes.saturating_sub(stream.bytes);
            records.delete_prefix(BATCHES, &format!("{other}:"));
            records.delete(STREAMS, &other);
        }
    }
    records.put(GROUPS, &group.name, &group);
}

/// Whether the caller may; a stream's name is empty for actions on groups.
fn allowed(aws: &Aws, caller: &Caller, action: &str, group: &str, stream: &str) -> Result<()> {
    let action = format!("logs:{action}");
    let arn = format!("{}:log-stream:{stream}", group_arn(aws, group));
    let answer = aws.iam.authorize(aws, caller, &action, &arn);
    match answer {
        // Policies name groups in two ways, `…:log-group:NAME` and `…:log-group:NAME:*`, and both are meant.
        Err(e) if stream.is_empty() && !e.message.contains("explicit deny") => {
            aws.iam.authorize(aws, caller, &action, &group_arn(aws, group)).map_err(|_| e)
        }
        answer => answer,
    }
}

fn group_arn(aws: &Aws, group: &str) -> String {
    aws.arn("logs", &format!("log-group:{group}"))
}

/// Neither name holds a colon.
fn stream_id(group: &str, stream: &str) -> String {
    format!("{group}:{stream}")
}

/// The group that is meant by name or by ARN.
fn group_name<'a>(params: Params<'a>) -> Result<&'a str> {
    match params.optional_text("logGroupIdentifier")? {
        Some(identifier) => {
            let name = identifier.split_once(":log-group:").map_or(identifier, |(_, name)| name);
            Ok(name.strip_suffix(":*").unwrap_or(name))
        }
        None => params.text("logGroupName"),
    }
}

/// Milliseconds since the epoch.
fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
