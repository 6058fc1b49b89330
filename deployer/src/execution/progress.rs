//! What an execution's history tells of its progress.
//!
//! The Executors hand back what they have after a few seconds, and then less and less often (`progressSeconds` in the input): every pass
//! is an event of the history with the measurements so far. That is the same on AWS and on the local endpoint, and costs two
//! transitions a pass.

mod counts;

use std::collections::BTreeMap;
use std::time::SystemTime;

use aws_sdk_sfn::types::{HistoryEvent, HistoryEventType};
use serde_json::Value;
use tuning::input::Tune;

use super::reason;
use crate::events::{Event, Events};
use counts::Counts;

fn read(json: Option<&str>) -> Value {
    json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
}

/// What the history has told so far.
#[derive(Debug)]
pub(super) struct Progress {
    /// The last event.
    pub(super) seen: i64,
    /// The history may not be read.
    pub(super) blind: bool,
    counts: Counts,
    /// Whether there is something to tell since it was told.
    news: bool,
    /// How many passes each size has had.
    passes: BTreeMap<u32, u32>,
    /// The Initializer has let the run through, so that there is something to put back.
    changed: bool,
    /// What is measured.
    tune: Tune,
    total: usize,
    done: usize,
}

impl Progress {
    /// Nothing yet, of an execution in this region.
    pub(super) fn new(region: &str) -> Self {
        Self {
            seen: 0,
            blind: false,
            counts: Counts::new(region),
            news: false,
            passes: BTreeMap::new(),
            changed: false,
            tune: Tune::default(),
            total: 0,
            done: 0,
        }
    }

    /// Tells how far the measuring is.
    pub(super) fn tell(&mut self, events: &Events) {
        let news = std::mem::take(&mut self.news);
        if let Some(event) = self.counts.event(news, SystemTime::now()) {
            events.emit(event);
        }
    }

    /// Takes note of an event, and tells what it means.
    pub(super) fn take(&mut self, event: &HistoryEvent, events: &Events) {
        self.seen = event.id();
        let entered = event.state_entered_event_details();
        let exited = event.state_exited_event_details();
        match event.r#type() {
            HistoryEventType::ExecutionStarted => {
                let input = event.execution_started_event_details().and_then(|details| details.input());
                let input = read(input);
                self.tune = Tune::of_input(&input);
                self.counts.asked(&input);
            }
            HistoryEventType::TaskStateEntered if self.tune == Tune::Copy => {
                if let Some(said) = entered.and_then(|details| self.copying(details.name())) {
                    events.started(said);
                }
            }
            HistoryEventType::TaskStateEntered => match entered.map(|details| details.name()) {
                Some("Initializer") => events.started("checking the function and taking its lock"),
                Some("Publisher") => {
                    self.changed = true;
                    events.started("publishing a version per memory size");
                }
                Some("Cleaner") => events.started("putting the function back"),
                Some("CleanUpOnError") if self.changed => {
                    events.started("the run failed; putting the function back");
                }
                Some("CleanUpOnError") => {
                    events.started("the run failed before it changed the function; releasing what it holds");
                }
                Some("Optimizer") => events.started("finishing"),
                _ => {}
            },
            HistoryEventType::TaskStateExited
                if exited.is_some_and(|details| details.name() == "Initializer") =>
            {
                self.counts.begun(&read(exited.and_then(|details| details.output())));
            }
            HistoryEventType::TaskStateExited
                if exited.is_some_and(|details| details.name() == "Planner") =>
            {
                let document = read(exited.and_then(|details| details.output()));
                self.counts.planned(&document);
                if let Some(said) = document["run"]["search"]["said"].as_str() {
                    events.note(said);
                }
            }
            HistoryEventType::MapStateStarted => {
                self.done = 0;
                self.counts.started(event.timestamp());
                self.total = event
                    .map_state_started_event_details()
                    .map_or(0, |d| usize::try_from(d.length()).unwrap_or(0));
                let s = if self.total == 1 { "" } else { "s" };
                events.started(format!("measuring {} memory size{s}", self.total));
            }
            HistoryEventType::TaskStateExited
                if exited.is_some_and(|details| details.name().starts_with("Executor")) =>
            {
                let result = read(exited.and_then(|details| details.output()));
                self.counts.pass(&result);
                self.news = true;
                if let Some(detail) = self.pass(&result) {
                    events.detail(detail);
                }
                if let Some(size) = self.size(&result) {
                    events.emit(size);
                }
            }
            HistoryEventType::MapStateSucceeded | HistoryEventType::MapStateFailed => self.counts.over(),
            HistoryEventType::TaskFailed | HistoryEventType::LambdaFunctionFailed => {
                let task = event.task_failed_event_details().map(|d| (d.error(), d.cause()));
                let function = event.lambda_function_failed_event_details().map(|d| (d.error(), d.cause()));
                if let Some((error, cause)) = task.or(function) {
                    events.detail(format!("a step failed: {}", reason(error, cause)));
                }
            }
            _ => {}
        }
    }

    /// What a state does in a run that measures copies.
    fn copying(&mut self, state: &str) -> Option<&'static str> {
        Some(match state {
            "Initializer" => "checking whether the function can be copied",
            "Publisher" => {
                self.changed = true;
                "making a copy per memory size"
            }
            "Cleaner" => "deleting the copies",
            "CleanUpOnError" if self.changed => "the run failed; deleting the copies",
            "CleanUpOnError" => "the run failed before it made any copies",
            "Optimizer" => "finishing",
            _ => return None,
        })
    }

    /// What one pass of an Executor has come to, for `--verbose`.
    fn pass(&mut self, result: &Value) -> Option<String> {
        let memory_mb = counts::memory(result)?;
        let passes = self.passes.entry(memory_mb).or_default();
        *passes += 1;
        let retries = |of: &Value| match of.get("retries").and_then(Value::as_u64) {
            Some(count @ 1..) => {
                let last = of.get("retriedFor").and_then(Value::as_str);
                let last = last.map(|last| format!(" (last: {last})")).unwrap_or_default();
                format!(", {count} start{} refused and tried again{last}", if count == 1 { "" } else { "s" })
            }
            _ => String::new(),
        };
        let Some(progress) = result.get("progress") else {
            return Some(format!("{memory_mb} MB: finished in pass {passes}{}", retries(result)));
        };
        let number = |name: &str| progress.get(name).and_then(Value::as_u64).unwrap_or_default();
        let made = counts::made(progress);
        let mut text = format!("{memory_mb} MB: pass {passes}, {made} invocations made");
        if number("crashes") > 0 {
            text += &format!(", {} of them crashed", number("crashes"));
        }
        if number("stalledMs") > 0 {
            text +=
                &format!(", none could be started for {} s (throttled or lost)", number("stalledMs") / 1000);
        }
        Some(text + &retries(progress))
    }

    /// The event that a finished Executor's result makes; a pass that will be continued makes none.
    fn size(&mut self, result: &Value) -> Option<Event> {
        let memory_mb = counts::memory(result)?;
        if let Some(reason) = result.get("skipped").and_then(Value::as_str) {
            self.done += 1;
            let (done, total) = (self.done, self.total);
            return Some(Event::Skipped { memory_mb, reason: reason.to_owned(), done, total });
        }
        let duration_ms = result.get("averageDuration")?.as_f64()?;
        let cost = result.get("averagePrice")?.as_f64()?;
        self.done += 1;
        Some(Event::Measured {
            memory_mb,
            duration_ms,
            cost,
            currency: self.counts.currency,
            done: self.done,
            total: self.total,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_finished_sizes_count_as_progress() {
        let mut progress = Progress { total: 2, ..Progress::new("us-east-1") };
        assert!(progress.size(&json!({ "input": {}, "value": 128, "progress": {} })).is_none());
        let done = progress.size(&json!({ "value": 128, "averageDuration": 4.5, "averagePrice": 1e-7 }));
        assert!(matches!(done, Some(Event::Measured { memory_mb: 128, done: 1, total: 2, .. })), "{done:?}");
        let skipped = progress.size(&json!({ "value": 256, "skipped": "out of memory" }));
        assert!(matches!(skipped, Some(Event::Skipped { memory_mb: 256, done: 2, .. })), "{skipped:?}");
    }

    #[test]
    fn details_tell_of_passes_crashes_and_stalls() {
        let mut progress = Progress::new("us-east-1");
        let going = json!({ "done": [[0, 3], [6, 7]], "crashes": 1, "stalledMs": 61_000 });
        let said = progress.pass(&json!({ "input": {}, "value": 128, "progress": going }));
        let expected = "128 MB: pass 1, 6 invocations made, 1 of them crashed, none could be started for 61 s \
                        (throttled or lost)";
        assert_eq!(said.as_deref(), Some(expected));
        let said = progress.pass(&json!({ "value": 128, "averageDuration": 4.5, "averagePrice": 1e-7 }));
        assert_eq!(said.as_deref(), Some("128 MB: finished in pass 2"));
        let going = json!({ "done": [[0, 0]], "retries": 2, "retriedFor": "TooManyRequestsException" });
        let said = progress.pass(&json!({ "input": {}, "value": 512, "progress": going }));
        let expected = "512 MB: pass 1, 1 invocations made, 2 starts refused and tried again (last: TooManyRequestsException)";
        assert_eq!(said.as_deref(), Some(expected));
        let said = progress.pass(&json!({ "value": 512, "averageDuration": 4.5, "retries": 1 }));
        assert_eq!(said.as_deref(), Some("512 MB: finished in pass 2, 1 start refused and tried again"));
    }
}
