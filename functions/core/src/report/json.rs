//! The JSON form: an object `{"type":"platform.report","record":{"metrics":{…}}}`, on one line or on many.

use super::{Disturbance, Found, Report, ReportError, Status, milliseconds, whole};
use serde::Deserialize;

const TYPE: &str = "platform.report";

/// How far before its `type` such an object may start. AWS writes `time`, `type`, `record`: a few dozen bytes.
const REACH: usize = 4096;

pub(super) fn last(tail: &str) -> Option<Found> {
    tail.rmatch_indices(TYPE).find_map(|(at, _)| object_around(tail, at).or_else(|| beheaded(tail, at)))
}

/// A report whose opening brace is what the tail's start cut off: its record is still whole.
fn beheaded(tail: &str, at: usize) -> Option<Found> {
    const RECORD: &str = "\"record\":";
    if tail[..at].contains(['{', '\n']) {
        return None;
    }
    let record = at + tail[at..].find(RECORD)? + RECORD.len();
    let mut values = serde_json::Deserializer::from_str(&tail[record..]).into_iter::<Record>();
    Some(Found { position: at, report: read(values.next()?.ok()?) })
}

/// The innermost object around `at` that is a report. The function's own lines may hold the same word, or braces that
/// close nothing, so every brace before it is tried, the nearest first.
fn object_around(tail: &str, at: usize) -> Option<Found> {
    let mut from = at.saturating_sub(REACH);
    while !tail.is_char_boundary(from) {
        from += 1;
    }
    tail[from..at].rmatch_indices('{').find_map(|(offset, _)| {
        let position = from + offset;
        let mut values = serde_json::Deserializer::from_str(&tail[position..]).into_iter::<Event>();
        let event = values.next()?.ok()?;
        let encloses = position + values.byte_offset() > at;
        (encloses && event.kind == TYPE)
            .then(|| Found { position, report: read(event.record.unwrap_or_default()) })
    })
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    record: Option<Record>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Record {
    #[serde(default)]
    metrics: Metrics,
    status: Option<String>,
    error_type: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Metrics {
    duration_ms: Option<f64>,
    billed_duration_ms: Option<f64>,
    init_duration_ms: Option<f64>,
    restore_duration_ms: Option<f64>,
    billed_restore_duration_ms: Option<f64>,
    #[serde(rename = "memorySizeMB")]
    memory_size: Option<f64>,
    #[serde(rename = "maxMemoryUsedMB")]
    max_memory_used: Option<f64>,
    local_delay_ms: Option<f64>,
    #[serde(default)]
    local_repeat: bool,
}

fn read(record: Record) -> Result<Report, ReportError> {
    let metrics = record.metrics;
    let time =
        |field: &'static str, value: Option<f64>| value.map(|value| milliseconds(field, value)).transpose();
    Ok(Report {
        duration_ms: time("durationMs", metrics.duration_ms)?.ok_or(ReportError::Incomplete("durationMs"))?,
        init_duration_ms: time("initDurationMs", metrics.init_duration_ms)?,
        restore_duration_ms: time("restoreDurationMs", metrics.restore_duration_ms)?,
        billed_duration_ms: time("billedDurationMs", metrics.billed_duration_ms)?
            .map(whole)
            .ok_or(ReportError::Incomplete("billedDurationMs"))?,
        billed_restore_duration_ms: time("billedRestoreDurationMs", metrics.billed_restore_duration_ms)?
            .map(whole),
        memory_size: metrics.memory_size.map(|mb| mb as u32),
        max_memory_used: metrics.max_memory_used.map(|mb| mb as u32),
        status: record.status.as_deref().map(Status::read).unwrap_or_default(),
        error_type: record.error_type,
        disturbance: time("localDelayMs", metrics.local_delay_ms)?
            .map(|delay_ms| Disturbance { delay_ms, repeat: metrics.local_repeat }),
    })
}
