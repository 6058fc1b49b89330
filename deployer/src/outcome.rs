//! What a command hands back: one value that is both text and JSON, and the exit status that goes with it.
//!
//! `main` prints it once, on stdout. Nothing else in the program writes to stdout, with one exception that its
//! contract asks for: `local` and `serve` announce their address while they go on running ([`announce`]).

use std::fmt::Display;
use std::io::Write;

use serde::Serialize;
use serde_json::Value;

use crate::fold;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// 0: done, or nothing to do.
    Done,
    /// 1: it failed.
    Failed,
    /// 2: wrong usage; nothing was touched. With `preview --detailed-exitcode` also: there are changes.
    UsageOrChanges,
    /// 3: it worked, but a gate (`--max-duration-ms`, `--max-cost`) was not met.
    GateNotMet,
    /// 130: Ctrl-C or SIGTERM ended it. Shells say the same of a program that SIGINT ends.
    Interrupted,
}

impl Status {
    /// The number the shell sees.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::UsageOrChanges => 2,
            Self::GateNotMet => 3,
            Self::Interrupted => 130,
        }
    }
}

/// The chart of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    /// The link to it.
    pub link: String,
    /// Whether to open a browser.
    pub open: bool,
    /// Whether to go on serving the page, when somebody is there to end it.
    pub serve: bool,
}

/// A command's result.
#[derive(Debug, Clone)]
pub struct Outcome {
    text: String,
    json: Value,
    status: Status,
    chart: Option<Chart>,
    folded: bool,
}

impl Outcome {
    /// The result of a command that is done: its `Display` is the text, its `Serialize` the JSON.
    ///
    /// # Errors
    /// When the value does not serialize to JSON (a map whose keys are no strings, for example).
    pub fn new(value: &(impl Display + Serialize)) -> anyhow::Result<Self> {
        let json = serde_json::to_value(value)?;
        Ok(Self { text: value.to_string(), json, status: Status::Done, chart: None, folded: false })
    }

    /// The result of a command that has said everything already.
    #[must_use]
    pub fn silent() -> Self {
        Self { text: String::new(), json: Value::Null, status: Status::Done, chart: None, folded: false }
    }

    /// The same result with another exit status.
    #[must_use]
    pub fn with_status(self, status: Status) -> Self {
        Self { status, ..self }
    }

    /// The same result; where its text is sentences and tables, a terminal gets the long lines folded.
    #[must_use]
    pub fn folded(self, folded: bool) -> Self {
        Self { folded, ..self }
    }

    /// The same result with a chart, to be shown once it was printed.
    #[must_use]
    pub fn with_chart(self, chart: Option<Chart>) -> Self {
        Self { chart, ..self }
    }

    /// What is to be shown once the result was printed.
    #[must_use]
    pub fn chart(&self) -> Option<&Chart> {
        self.chart.as_ref()
    }

    /// The text form.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The JSON form.
    #[must_use]
    pub fn json(&self) -> &Value {
        &self.json
    }
}

/// Prints a result on stdout, as text or as one JSON document, and says how the program ends.
#[must_use]
pub fn print(outcome: &Outcome, json: bool) -> Status {
    if outcome.json.is_null() {
        return outcome.status;
    }
    let written = match fold::stdout_columns().filter(|_| outcome.folded) {
        _ if json => announce(&format!("{:#}", outcome.json)),
        Some(width) => announce(&fold::fold(&outcome.text, width)),
        None => announce(&outcome.text),
    };
    match written {
        Ok(()) => outcome.status,
        // A reader that closed the pipe (`deployer … | head`) has seen what it wanted.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => outcome.status,
        Err(_) => Status::Failed,
    }
}

/// Writes a text to stdout at once, ended by a line feed; an empty text writes nothing.
///
/// # Errors
/// What the system says when stdout cannot be written to.
pub fn announce(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    if !text.is_empty() && !text.ends_with('\n') {
        stdout.write_all(b"\n")?;
    }
    stdout.flush()
}
