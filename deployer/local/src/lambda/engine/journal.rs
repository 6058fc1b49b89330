//! What an invocation writes: the platform's START, END and REPORT lines in text or JSON, the function's own output
//! between them, the 4 KB tail that `Invoke` may carry, and the way to the log group.

use std::collections::VecDeque;

use base64::Engine as _;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use crate::{Caller, ids};

use super::super::record::{Configuration, Logging, now_ms};
use super::disturbance::Mark;

const TAIL_LIMIT: usize = 4096;
/// The longest event CloudWatch Logs takes, less its overhead.
const LINE_LIMIT: usize = 256 * 1024 - 26;
/// What is kept before it goes to the log group.
const PENDING_LIMIT: usize = 256 * 1024;

/// Lines on their way to a log stream.
pub enum Delivery {
    /// Lines of a stream, with the role that writes them.
    Lines { caller: Caller, group: String, stream: String, lines: Vec<(i64, String)> },
    /// Tells when everything sent before has been delivered.
    Flush(oneshot::Sender<()>),
}

/// Where an environment's lines go.
#[derive(Debug, Clone)]
pub struct Stream {
    /// The role's session.
    pub caller: Caller,
    /// The log stream's name.
    pub name: String,
}

impl Stream {
    /// A new log stream of a version, written by its role.
    pub fn new(function: &str, configuration: &Configuration) -> Self {
        let date = &iso_time(now_ms())[..10].replace('-', "/");
        Self {
            caller: Caller::Role { arn: configuration.content.role.clone(), session: function.to_owned() },
            name: format!("{date}/[{}]{}", configuration.version, ids::hex(32)),
        }
    }
}

/// How an invocation ended, for its REPORT line. Times in milliseconds, memory in MB.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// From the event to the end of the invocation.
    pub duration_ms: f64,
    /// Of a cold start.
    pub init_ms: Option<f64>,
    /// The function's size.
    pub memory_mb: u32,
    /// The most the environment has used.
    pub max_memory_mb: u64,
    /// `error` or `timeout`.
    pub status: Option<&'static str>,
    /// Such as `Runtime.OutOfMemory`.
    pub error_type: Option<String>,
    /// When other work on this machine disturbed it.
    pub mark: Option<Mark>,
    /// The type of an error that the handler raised; the text line does not show it.
    pub handler_error: Option<String>,
}

impl Report {
    /// Duration and initialization, rounded up to the next millisecond.
    pub fn billed_ms(&self) -> u64 {
        // Two decimals are what the report shows, so what is billed follows from what is read there.
        let shown = |ms: f64| (ms * 100.0).round();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a duration")]
        let billed =
            ((shown(self.duration_ms) + shown(self.init_ms.unwrap_or_default())) / 100.0).ceil() as u64;
        billed
    }

    fn text(&self, request_id: &str) -> String {
        let mut line = format!(
            "REPORT RequestId: {request_id}\tDuration: {:.2} ms\tBilled Duration: {} ms\tMemory Size: {} MB\tMax Memory \
             Used: {} MB\t",
            self.duration_ms,
            self.billed_ms(),
            self.memory_mb,
            self.max_memory_mb
        );
        if let Some(init) = self.init_ms {
            line.push_str(&format!("Init Duration: {init:.2} ms\t"));
        }
        if let Some(status) = self.status {
            line.push_str(&format!("Status: {status}\t"));
        }
        if let Some(kind) = &self.error_type {
            line.push_str(&format!("Error Type: {kind}\t"));
        }
        if let Some(mark) = &self.mark {
            line.push_str(&mark.to_string());
        }
        line
    }

    fn record(&self, request_id: &str) -> Value {
        let two = |ms: f64| (ms * 100.0).round() / 100.0;
        let mut metrics = json!({
            "durationMs": two(self.duration_ms),
            "billedDurationMs": self.billed_ms(),
            "memorySizeMB": self.memory_mb,
            "maxMemoryUsedMB": self.max_memory_mb,
        });
        if let Some(init) = self.init_ms {
            metrics["initDurationMs"] = json!(two(init));
        }
        if let Some(Mark { delay_ms, repeat }) = self.mark {
            metrics["localDelayMs"] = json!(two(delay_ms));
            metrics["localRepeat"] = json!(repeat);
        }
        let unnamed = if self.handler_error.is_some() { "error" } else { "success" };
        let mut record =
            json!({"requestId": request_id, "metrics": metrics, "status": self.status.unwrap_or(unnamed)});
        if let Some(kind) = self.error_type.as_ref().or(self.handler_error.as_ref()) {
            record["errorType"] = json!(kind);
        }
        record
    }
}

/// The lines of one invocation, init included.
pub struct Journal {
    logging: Logging,
    stream: Stream,
    deliveries: mpsc::Sender<Delivery>,
    tail: VecDeque<u8>,
    pending: Vec<(i64, String)>,
    pending_bytes: usize,
    partial: Vec<u8>,
}

impl Journal {
    /// An empty one.
    pub fn new(logging: Logging, stream: Stream, deliveries: mpsc::Sender<Delivery>) -> Self {
        Self {
            logging,
            stream,
            deliveries,
            tail: VecDeque::new(),
            pending: Vec::new(),
            pending_bytes: 0,
            partial: Vec::new(),
        }
    }

    /// The platform begins an initialization with this interpreter. Its line goes to the log group alone: a tail begins with
    /// START, as was recorded on AWS.
    pub fn init_start(&mut self, version: &str) {
        self.platform(
            "INFO",
            || format!("INIT_START Runtime Version: {version}"),
            || {
                json!({"type": "platform.initStart", "record": {"initializationType": "on-demand", "phase": "init",
                       "runtimeVersion": version}})
            },
        );
        self.tail.clear();
    }

    /// The platform begins an invocation.
    pub fn start(&mut self, request_id: &str, version: &str) {
        self.platform(
            "INFO",
            || format!("START RequestId: {request_id} Version: {version}"),
            || json!({"type": "platform.start", "record": {"requestId": request_id, "version": version}}),
        );
    }

    /// The platform ends an invocation.
    pub fn end(&mut self, request_id: &str, report: &Report) {
        self.finish_line();
        let level = if report.status.is_some() || report.handler_error.is_some() { "WARN" } else { "INFO" };
        if !self.logging.json {
            self.line(format!("END RequestId: {request_id}"));
        }
        self.platform(
            level,
            || report.text(request_id),
            || json!({"type": "platform.report", "record": report.record(request_id)}),
        );
    }

    /// The platform reports an initialization that failed; `phase` is `init`, or `invoke` when it was tried again there.
    pub fn init_report(&mut self, phase: &str, ms: f64, status: &str, error_type: Option<&str>) {
        self.finish_line();
        self.platform(
            "WARN",
            || {
                let kind = error_type.map(|k| format!("\tError Type: {k}")).unwrap_or_default();
                format!("INIT_REPORT Init Duration: {ms:.2} ms\tPhase: {phase}\tStatus: {status}{kind}")
            },
            || {
                json!({"type": "platform.initReport", "record": {"initializationType": "on-demand", "phase": phase,
                       "status": status, "errorType": error_type, "metrics": {"durationMs": (ms * 100.0).round() / 100.0}}})
            },
        );
    }

    /// A line of the platform that is not JSON even when the log's format is.
    pub fn note(&mut self, text: &str) {
        self.finish_line();
        if self.logging.json {
            let time = iso_time(now_ms());
            self.line(json!({"timestamp": time, "level": "ERROR", "message": text}).to_string());
        } else {
            self.line(text.to_owned());
        }
    }

    fn platform(&mut self, level: &str, text: impl Fn() -> String, record: impl Fn() -> Value) {
        if !self.logging.json {
            self.line(text());
            return;
        }
        let rank = |level: &str| ["DEBUG", "INFO", "WARN"].iter().position(|l| *l == level);
        if rank(level) >= rank(self.logging.system_level.as_deref().unwrap_or("INFO")) {
            let Value::Object(record) = record() else { return };
            let mut line = serde_json::Map::new();
            line.insert("time".to_owned(), json!(iso_time(now_ms())));
            line.extend(record);
            self.line(Value::Object(line).to_string());
        }
    }

    /// What the function has written, in whatever pieces it arrived.
    pub fn output(&mut self, mut bytes: &[u8]) {
        while let Some(end) = bytes.iter().position(|b| *b == b'\n') {
            self.partial.extend_from_slice(&bytes[..end]);
            self.flush_partial();
            bytes = &bytes[end + 1..];
        }
        self.partial.extend_from_slice(bytes);
        if self.partial.len() > LINE_LIMIT {
            self.flush_partial();
        }
    }

    fn finish_line(&mut self) {
        if !self.partial.is_empty() {
            self.flush_partial();
        }
    }

    fn flush_partial(&mut self) {
        let partial = std::mem::take(&mut self.partial);
        let text = String::from_utf8_lossy(&partial).into_owned();
        self.line(text);
    }

    fn line(&mut self, text: String) {
        self.tail.extend(text.as_bytes());
        self.tail.push_back(b'\n');
        let excess = self.tail.len().saturating_sub(TAIL_LIMIT);
        self.tail.drain(..excess);
        // CloudWatch takes no empty events.
        if !text.is_empty() {
            self.pending_bytes += text.len();
            self.pending.push((now_ms(), text));
        }
    }

    /// The last 4 KB, in base64.
    pub fn tail(&self) -> String {
        let (first, second) = self.tail.as_slices();
        base64::engine::general_purpose::STANDARD.encode([first, second].concat())
    }

    /// Sends lines on their way when there are many, waiting for the way to be free: so a function that writes without
    /// end fills no memory.
    pub async fn relieve(&mut self) {
        if self.pending_bytes > PENDING_LIMIT {
            self.deliver().await;
        }
    }

    /// Sends every line on its way.
    pub async fn deliver(&mut self) {
        self.pending_bytes = 0;
        let lines = std::mem::take(&mut self.pending);
        if lines.is_empty() {
            return;
        }
        let delivery = Delivery::Lines {
            caller: self.stream.caller.clone(),
            group: self.logging.group.clone(),
            stream: self.stream.name.clone(),
            lines,
        };
        // Nobody is left to take them only when the endpoint ends.
        let _ = self.deliveries.send(delivery).await;
    }
}

/// A time as JSON log lines have it, `2026-11-24T09:30:00.000Z`.
pub fn iso_time(ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(json: bool) -> Journal {
        let stream = Stream { caller: Caller::Owner, name: "s".to_owned() };
        let logging = Logging { json, ..Logging::text("f") };
        Journal::new(logging, stream, mpsc::channel(1).0)
    }

    fn text(journal: &Journal) -> String {
        journal.tail.iter().map(|b| char::from(*b)).collect()
    }

    #[test]
    fn the_start_of_an_initialization_is_in_the_log_group_and_not_in_the_tail() {
        let mut journal = journal(false);
        journal.init_start("python:3.13.1");
        journal.output(b"loading\n");
        journal.start("id", "1");
        let lines: Vec<&str> = journal.pending.iter().map(|(_, line)| line.as_str()).collect();
        let start = "START RequestId: id Version: 1";
        assert_eq!(lines, ["INIT_START Runtime Version: python:3.13.1", "loading", start]);
        assert_eq!(text(&journal), format!("loading\n{start}\n"));
    }

    #[test]
    fn the_report_is_worded_as_on_aws() {
        let mut journal = journal(false);
        journal.start("id", "$LATEST");
        journal.output(b"hel");
        journal.output(b"lo\nwithout end");
        let report = Report {
            duration_ms: 1.234,
            init_ms: Some(38.2),
            memory_mb: 128,
            max_memory_mb: 17,
            ..Report::default()
        };
        journal.end("id", &report);
        assert_eq!(
            text(&journal),
            "START RequestId: id Version: $LATEST\nhello\nwithout end\nEND RequestId: id\nREPORT RequestId: \
             id\tDuration: 1.23 ms\tBilled Duration: 40 ms\tMemory Size: 128 MB\tMax Memory Used: 17 MB\tInit Duration: \
             38.20 ms\t\n"
        );
    }

    #[test]
    fn a_report_of_a_disturbed_invocation_says_so_at_its_end() {
        let mark = Some(Mark { delay_ms: 1.239, repeat: true });
        let report = Report { duration_ms: 5.0, memory_mb: 128, mark, ..Report::default() };
        let (mut lines, mut records) = (journal(false), journal(true));
        lines.end("id", &report);
        records.end("id", &report);
        let end = "Max Memory Used: 0 MB\tLocal Delay: 1.24 ms\tLocal Repeat: true\t\n";
        assert!(text(&lines).ends_with(end), "{}", text(&lines));
        let line: Value = serde_json::from_str(text(&records).trim()).unwrap();
        let metrics = &line["record"]["metrics"];
        assert_eq!((&metrics["localDelayMs"], &metrics["localRepeat"]), (&json!(1.24), &json!(true)));
    }

    #[test]
    fn json_reports_carry_the_metrics() {
        let mut journal = journal(true);
        journal.end("id", &Report { duration_ms: 2.0, memory_mb: 128, ..Report::default() });
        let line: Value = serde_json::from_str(text(&journal).trim()).unwrap();
        assert_eq!(line["type"], "platform.report");
        assert_eq!(line["record"]["metrics"]["billedDurationMs"], 2);
        assert_eq!(line["record"]["metrics"].get("initDurationMs"), None);
    }

    #[test]
    fn the_tail_is_the_last_4096_bytes() {
        let mut journal = journal(false);
        journal.output("x".repeat(10_000).as_bytes());
        journal.end("id", &Report::default());
        assert_eq!(journal.tail.len(), 4096);
        assert!(text(&journal).contains("REPORT RequestId: id"));
    }

    #[test]
    fn a_whole_millisecond_is_not_rounded_up() {
        let billed = |duration_ms| Report { duration_ms, ..Report::default() }.billed_ms();
        assert_eq!((billed(3000.0), billed(3000.004), billed(3000.01)), (3000, 3000, 3001));
    }
}
