//! Shows events on stderr: with a spinner on a terminal, line by line elsewhere, as JSON lines, or only what matters.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use tuning::figures;

use crate::difference::Difference;
use crate::events::{Event, Events, Listener, ResourceEvent};
use crate::fold;
use crate::settings::{Output, Verbosity};

/// The listener that the settings and the terminal ask for.
#[must_use]
pub fn listener(output: &Output) -> Events {
    if output.json {
        return Events::new(Json { verbosity: output.verbosity });
    }
    let lines = Lines {
        paint: Paint(output.color),
        verbose: output.verbosity == Verbosity::Verbose,
        counted: Mutex::default(),
        columns: fold::stderr_columns,
    };
    if output.verbosity == Verbosity::Quiet {
        return Events::new(Quiet { lines, proposed: Mutex::default() });
    }
    if std::io::stderr().is_terminal() { Events::new(Terminal::new(lines)) } else { Events::new(lines) }
}

/// Nothing can be done about a stderr that cannot be written to, and it is no reason to stop deploying.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Colours, or not.
#[derive(Debug, Clone, Copy)]
struct Paint(bool);

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    fn difference(self, difference: &Difference, columns: Option<usize>) -> String {
        let text = difference.to_string();
        let lines = text.lines().map(|line| {
            // Before painting: a line that begins with a colour has no indent.
            let folded = columns.map_or_else(|| line.to_owned(), |columns| fold::fold(line, columns));
            match line.trim_start().chars().next() {
                Some('+') => self.with("32", &folded),
                Some('~' | '±') => self.with("33", &folded),
                Some('-') => self.with("31", &folded),
                _ => folded,
            }
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    fn resource(self, event: &ResourceEvent, columns: Option<usize>) -> String {
        let code = match event.status.as_str() {
            status if status.ends_with("_FAILED") || status.contains("ROLLBACK") => "31",
            status if status.ends_with("_COMPLETE") => "32",
            _ => "33",
        };
        // Pad before painting: escape sequences have no width.
        let status = self.with(code, &format!("{:<20}", event.status));
        let reason = match &event.reason {
            Some(reason) if event.status.ends_with("_FAILED") || event.is_stack() => format!("  {reason}"),
            _ => String::new(),
        };
        if columns.is_some_and(|columns| columns < ROOM_FOR_TYPES) {
            return format!("  {status} {}{reason}", event.logical_id);
        }
        let id = format!("{:<32}", event.logical_id);
        format!("  {status} {id} {}{reason}", self.dim(&event.resource_type))
    }
}

/// One line per event: what a log keeps.
struct Lines {
    paint: Paint,
    verbose: bool,
    /// When it was last told how far the measuring is.
    counted: Mutex<Option<Instant>>,
    /// The terminal's columns now; none where the lines go into a log.
    columns: fn() -> Option<usize>,
}

/// A terminal with fewer columns shows no types of resources: their names say enough.
const ROOM_FOR_TYPES: usize = 90;

/// How often a log is told how far the measuring is.
const COUNTED_EVERY: Duration = Duration::from_secs(15);

impl Lines {
    fn line(&self, event: &Event) -> Option<String> {
        let columns = (self.columns)();
        let line = self.whole(event, columns)?;
        Some(columns.map_or_else(|| line.clone(), |columns| fold::fold(&line, columns)))
    }

    /// The line, however long it is.
    fn whole(&self, event: &Event, columns: Option<usize>) -> Option<String> {
        let paint = self.paint;
        Some(match event {
            Event::Place(place) => format!("{} {place}", paint.dim("→")),
            Event::Started { what } => paint.dim(&format!("{what} …")),
            Event::Finished { what } => format!("{} {what}", paint.with("32", "✓")),
            // What has only begun is followed by how it ended; the stack's own beginnings are what a reader looks for.
            Event::Resource(resource)
                if resource.status.ends_with("_IN_PROGRESS") && !resource.is_stack() && !self.verbose =>
            {
                return None;
            }
            Event::Resource(resource) => paint.resource(resource, columns),
            Event::Changes(difference) => paint.difference(difference, columns),
            Event::Measured { memory_mb, duration_ms, cost, currency, done, total } => format!(
                "  {} {memory_mb:>5} MB  {:>8}  {:>8} per million",
                paint.dim(&format!("{done}/{total}")),
                figures::duration(*duration_ms),
                figures::per_million(*cost, currency.symbol()),
            ),
            Event::Invocations { news, .. } => {
                let mut last = self.counted.lock().ok()?;
                if !news || last.is_some_and(|last| last.elapsed() < COUNTED_EVERY) {
                    return None;
                }
                *last = Some(Instant::now());
                paint.dim(&format!("  {}", counted(event)?))
            }
            Event::Functions { .. } => paint.dim(&format!("  {}", counted(event)?)),
            Event::Skipped { memory_mb, reason, done, total } => {
                format!("  {} {memory_mb:>5} MB  skipped: {reason}", paint.dim(&format!("{done}/{total}")))
            }
            Event::Note { text } | Event::Idle { what: text } => text.clone(),
            Event::Warning { text } => format!("{} {text}", paint.with("33", "warning:")),
            Event::Detail { text } | Event::Progress { what: text } if self.verbose => paint.dim(text),
            Event::Detail { .. } | Event::Progress { .. } => return None,
        })
    }
}

/// How far the measuring is, in a line: what matters most first, since a terminal cuts it.
fn counted(event: &Event) -> Option<String> {
    if let Event::Functions { done, running, waiting, total, elapsed_seconds } = event {
        let elapsed = figures::span(*elapsed_seconds);
        return Some(format!(
            "{done}/{total} functions in {elapsed}, {running} being tuned, {waiting} to come"
        ));
    }
    let Event::Invocations { done, total, sizes, cost, currency, elapsed_seconds, left_seconds, .. } = event
    else {
        return None;
    };
    let left = match left_seconds {
        Some(left) => format!(", about {} left", figures::span(*left)),
        None => String::new(),
    };
    let sizes = sizes.iter().map(|size| format!("{} MB {}/{}", size.memory_mb, size.done, size.total));
    Some(format!(
        "{done}/{total} invocations in {}{left}, {} so far: {}",
        figures::span(*elapsed_seconds),
        figures::money(*cost, currency.symbol()),
        sizes.collect::<Vec<_>>().join(", "),
    ))
}

impl Listener for Lines {
    fn event(&self, event: &Event) {
        if let Some(line) = self.line(event) {
            say(&line);
        }
    }

    fn suspend(&self, action: &mut dyn FnMut()) {
        action();
    }
}

/// Lines above a spinner that says what is going on now.
struct Terminal {
    lines: Lines,
    bar: ProgressBar,
    since: Mutex<Instant>,
}

impl Terminal {
    fn new(lines: Lines) -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            bar.set_style(style);
        }
        Self { lines, bar, since: Mutex::new(Instant::now()) }
    }
}

impl Listener for Terminal {
    fn event(&self, event: &Event) {
        match event {
            Event::Started { what } => {
                if let Ok(mut since) = self.since.lock() {
                    *since = Instant::now();
                }
                if self.bar.is_finished() {
                    self.bar.reset();
                }
                self.bar.set_message(format!("{what} …"));
                self.bar.enable_steady_tick(Duration::from_millis(100));
            }
            Event::Resource(resource)
                if resource.status.ends_with("_IN_PROGRESS") && !resource.is_stack() =>
            {
                self.bar.set_message(format!("{} {} …", resource.logical_id, resource.status));
            }
            Event::Invocations { .. } | Event::Functions { .. } => {
                if let Some(line) = counted(event) {
                    self.bar.set_message(line);
                }
            }
            Event::Progress { what } if !self.lines.verbose => self.bar.set_message(what.clone()),
            Event::Idle { what } => {
                // Leaves no spinner that stands still.
                self.bar.disable_steady_tick();
                self.bar.finish_and_clear();
                say(what);
            }
            Event::Finished { what } => {
                self.bar.disable_steady_tick();
                self.bar.set_message("");
                let took = self.since.lock().map(|since| since.elapsed()).unwrap_or_default();
                let line = self.lines.line(event).unwrap_or_else(|| what.clone());
                let took = if took < Duration::from_secs(1) {
                    String::new()
                } else {
                    self.lines.paint.dim(&format!(" in {:.0} s", took.as_secs_f64()))
                };
                self.bar.suspend(|| say(&format!("{line}{took}")));
            }
            _ => {
                if let Some(line) = self.lines.line(event) {
                    self.bar.suspend(|| say(&line));
                }
            }
        }
    }

    fn suspend(&self, action: &mut dyn FnMut()) {
        // The user answers afterwards: a spinner that goes on would write over the question.
        self.bar.disable_steady_tick();
        self.bar.finish_and_clear();
        action();
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// One JSON object per event, for programs that follow along.
struct Json {
    verbosity: Verbosity,
}

impl Listener for Json {
    fn event(&self, event: &Event) {
        let wanted = match event {
            Event::Warning { .. } => true,
            Event::Detail { .. } | Event::Progress { .. } => self.verbosity == Verbosity::Verbose,
            Event::Invocations { news, .. } => *news && self.verbosity != Verbosity::Quiet,
            _ => self.verbosity != Verbosity::Quiet,
        };
        if !wanted {
            return;
        }
        if let Ok(line) = serde_json::to_string(event) {
            say(&line);
        }
    }

    fn suspend(&self, action: &mut dyn FnMut()) {
        action();
    }
}

/// Only what the user must see: warnings, and what a question is about.
struct Quiet {
    lines: Lines,
    proposed: Mutex<Option<String>>,
}

impl Listener for Quiet {
    fn event(&self, event: &Event) {
        match event {
            Event::Warning { .. } => self.lines.event(event),
            Event::Changes(_) => {
                if let Ok(mut proposed) = self.proposed.lock() {
                    *proposed = self.lines.line(event);
                }
            }
            _ => {}
        }
    }

    fn suspend(&self, action: &mut dyn FnMut()) {
        if let Some(proposed) = self.proposed.lock().ok().and_then(|mut proposed| proposed.take()) {
            say(&proposed);
        }
        action();
    }
}
