//! What one invocation took, read from its log tail. Between the invocation and the statistics.
//!
//! Lambda ends an invocation with a REPORT: a tab-separated text line, or (JSON logging) an object of type
//! `platform.report`. The tail is the last 4 KB of whatever was logged, so both may be mixed with the function's own lines,
//! JSON may be pretty-printed, and the first line may be cut. The last REPORT in the tail is the invocation's.

mod json;
mod text;

/// What a REPORT says. Times in milliseconds, sizes in MB.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// Time in the handler.
    pub duration_ms: f64,
    /// Time to initialise the environment, when this was a cold start.
    pub init_duration_ms: Option<f64>,
    /// Time to restore the environment from a SnapStart snapshot, when that was done.
    pub restore_duration_ms: Option<f64>,
    /// What AWS bills, whole milliseconds. It already includes the billed parts of init and restore.
    pub billed_duration_ms: u64,
    /// The part of `billed_duration_ms` that is the restore's.
    pub billed_restore_duration_ms: Option<u64>,
    /// The memory size the invocation ran with.
    pub memory_size: Option<u32>,
    /// The most memory it used.
    pub max_memory_used: Option<u32>,
    /// How it ended.
    pub status: Status,
    /// `Runtime.ExitError` and the like, when it did not end well.
    pub error_type: Option<String>,
    /// What other work on the machine did to it; only this program's own endpoint says so.
    pub disturbance: Option<Disturbance>,
}

/// How an invocation was disturbed by other work on the machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Disturbance {
    /// By how much it was delayed, at most.
    pub delay_ms: f64,
    /// Whether another one may be made in its place.
    pub repeat: bool,
}

/// How an invocation ended, as far as its REPORT says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Status {
    /// It answered; also when the REPORT says nothing of it.
    #[default]
    Success,
    /// It ran into the function's time-out.
    Timeout,
    /// Anything else.
    Error,
}

impl Status {
    fn read(word: &str) -> Self {
        match word {
            "" | "success" => Self::Success,
            "timeout" => Self::Timeout,
            _ => Self::Error,
        }
    }
}

/// Why a log tail gives no figures.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ReportError {
    /// The tail has no REPORT.
    #[error(
        "the log tail has no REPORT line, so the duration is unknown: check that the function's log group exists and that its \
         system log level is not WARN (which leaves REPORT lines out)"
    )]
    Missing,
    /// A REPORT without one of the two figures nobody can do without.
    #[error("the REPORT in the log tail has no {0}")]
    Incomplete(&'static str),
    /// A figure that is no number.
    #[error("the REPORT in the log tail has {value:?} as its {field}, which is not an amount")]
    NotANumber {
        /// Which figure.
        field: &'static str,
        /// What stands there.
        value: String,
    },
}

impl Report {
    /// Reads the last REPORT of a log tail, decoded from base64.
    ///
    /// # Errors
    /// [`ReportError`]: no REPORT at all, or one without a duration.
    pub fn from_log_tail(tail: &str) -> Result<Self, ReportError> {
        let text = text::last(tail);
        let json = json::last(tail);
        match (text, json) {
            (Some(text), Some(json)) if text.position > json.position => text.report,
            (_, Some(json)) => json.report,
            (Some(text), None) => text.report,
            (None, None) => Err(ReportError::Missing),
        }
    }

    /// The duration every statistic is about: handler, init and restore together.
    pub fn total_duration_ms(&self) -> f64 {
        self.duration_ms + self.cold_start_ms().unwrap_or_default()
    }

    /// Init and restore together; `None` when the environment was warm.
    pub fn cold_start_ms(&self) -> Option<f64> {
        match (self.init_duration_ms, self.restore_duration_ms) {
            (None, None) => None,
            (init, restore) => Some(init.unwrap_or_default() + restore.unwrap_or_default()),
        }
    }
}

/// A REPORT and where in the tail it was, to find the last of two kinds.
struct Found {
    position: usize,
    report: Result<Report, ReportError>,
}

/// Milliseconds that are an amount of time; billed ones are rounded up as AWS does.
fn milliseconds(field: &'static str, value: f64) -> Result<f64, ReportError> {
    if value.is_finite() && (0.0..1e12).contains(&value) {
        Ok(value)
    } else {
        Err(ReportError::NotANumber { field, value: value.to_string() })
    }
}

fn whole(value: f64) -> u64 {
    value.ceil() as u64
}
