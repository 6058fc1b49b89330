//! From a definition's text to a [`Flow`], collecting everything that is wrong with it. Fields that the language has but
//! this engine does not carry out (JSONata, batches of items, other services' tasks) are problems, never ignored.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::choice::{self, Rule};
use crate::definition::{Amount, Delay, Distributed, Flow, Items, Kind, State, Task};
use crate::fields::{Fields, Reader};
use crate::graph;
use crate::path::Path;
use crate::problems::Problems;
use crate::resource::Resource;
use crate::retry::{Catcher, Retrier};

/// State names are at most this long on AWS.
const LONGEST_NAME: usize = 80;

/// Reads a definition.
///
/// # Errors
/// All that is wrong with it.
pub fn machine(text: &str) -> Result<Flow, Problems> {
    let mut reader = Reader::default();
    let flow = match serde_json::from_str::<Value>(text) {
        Ok(value) => reader.flow(
            &value,
            "",
            &["Comment", "QueryLanguage", "StartAt", "States", "TimeoutSeconds", "Version"],
        ),
        Err(_) if text.trim().is_empty() => {
            reader.problems.no_object();
            None
        }
        Err(error) => {
            reader.problems.no_json(format!("The definition is not JSON: {error}"));
            None
        }
    };
    if reader.problems.is_empty()
        && let Some(flow) = &flow
    {
        graph::check(flow, "", &mut reader.problems);
    }
    flow.filter(|_| reader.problems.is_empty()).ok_or(reader.problems)
}

impl Reader {
    fn flow(&mut self, value: &Value, at: &str, allowed: &[&str]) -> Option<Flow> {
        let fields = self.object(value, at, allowed)?;
        let missing: Vec<_> =
            ["States", "StartAt"].into_iter().filter(|name| fields.get(name).is_none()).collect();
        if !missing.is_empty() {
            self.required(&fields, &missing.join(", "));
        }
        let start = self.text(&fields, "StartAt");
        if fields.get("Version").is_some_and(|version| version != "1.0") {
            self.problems.schema(&fields.place("Version"), "The only version of the language is \"1.0\"");
        }
        let timeout = self.integer(&fields, "TimeoutSeconds", 1);
        let place = fields.place("States");
        let states = match fields.get("States") {
            Some(Value::Object(states)) if !states.is_empty() => states,
            Some(Value::Object(_)) => {
                self.problems.schema(&place, "There must be at least one state");
                return None;
            }
            Some(_) => {
                self.problems.schema(&place, "Expected value of type Object");
                return None;
            }
            None => return None,
        };
        let mut read = BTreeMap::new();
        for (name, state) in states {
            if name.chars().count() > LONGEST_NAME {
                self.problems
                    .schema(&place, format!("State name '{name}' is longer than {LONGEST_NAME} characters"));
            }
            if let Some(state) = self.state(name, state, &format!("{place}/{name}")) {
                read.insert(name.clone(), state);
            }
        }
        Some(Flow { start: start?, states: read, timeout })
    }

    fn state(&mut self, name: &str, value: &Value, at: &str) -> Option<State> {
        let Some(kind) = value.get("Type").and_then(Value::as_str) else {
            self.problems.schema(at, "These fields are required: [Type]");
            return None;
        };
        let Some(own) = own_fields(kind) else {
            self.problems.schema(&format!("{at}/Type"), format!("'{kind}' is not a type of state"));
            return None;
        };
        let mut allowed = vec!["Type", "Comment", "QueryLanguage"];
        allowed.extend(own);
        if kind != "Fail" {
            allowed.extend(["InputPath", "OutputPath"]);
        }
        if matches!(kind, "Task" | "Map" | "Parallel" | "Pass" | "Wait") {
            allowed.extend(["Next", "End"]);
        }
        if matches!(kind, "Task" | "Map" | "Parallel" | "Pass") {
            allowed.extend(["Parameters", "ResultPath"]);
        }
        if matches!(kind, "Task" | "Map" | "Parallel") {
            allowed.extend(["ResultSelector", "Retry", "Catch"]);
        }
        let fields = self.object(value, at, &allowed)?;
        let next = self.next(&fields, kind);
        let parameters = if kind == "Map" { None } else { self.template(&fields, "Parameters") };
        let read = match kind {
            "Task" => self.task(&fields).map(Kind::Task),
            "Choice" => self.choice(&fields),
            "Map" => self.map(&fields),
            "Parallel" => self.parallel(&fields),
            "Pass" => Some(Kind::Pass(fields.get("Result").cloned())),
            "Wait" => self.wait(&fields).map(Kind::Wait),
            "Succeed" => Some(Kind::Succeed),
            _ => {
                Some(Kind::Fail { error: self.words(&fields, "Error"), cause: self.words(&fields, "Cause") })
            }
        };
        Some(State {
            name: name.to_owned(),
            input: self.selection(&fields, "InputPath"),
            parameters,
            selector: self.template(&fields, "ResultSelector"),
            result: self.result_path(&fields),
            output: self.selection(&fields, "OutputPath"),
            retry: self.retry(&fields),
            catch: self.catch(&fields),
            next,
            kind: read?,
        })
    }

    fn next(&mut self, fields: &Fields<'_>, kind: &str) -> Option<String> {
        if matches!(kind, "Choice" | "Succeed" | "Fail") {
            return None;
        }
        let next = self.text(fields, "Next");
        match (fields.get("Next").is_some(), fields.get("End")) {
            (false, None) => self.required(fields, "Next or End"),
            (true, Some(Value::Bool(true))) => self.exclusive(fields, &["Next", "End"]),
            (false, Some(Value::Bool(false))) => self.required(fields, "Next"),
            (_, None | Some(Value::Bool(_))) => {}
            (_, Some(_)) => self.problems.schema(&fields.place("End"), "Expected value of type Boolean"),
        }
        next
    }

    fn task(&mut self, fields: &Fields<'_>) -> Option<Task> {
        let timeout = self.amount(fields, "TimeoutSeconds", 1);
        let heartbeat = self.amount(fields, "HeartbeatSeconds", 1);
        if let (Some(Amount::Fixed(timeout)), Some(Amount::Fixed(heartbeat))) = (&timeout, &heartbeat)
            && heartbeat >= timeout
        {
            self.problems.schema(&fields.place("HeartbeatSeconds"), "Value must be less than TimeoutSeconds");
        }
        if fields.get("Resource").is_none() {
            self.required(fields, "Resource");
        }
        let resource = match Resource::parse(&self.text(fields, "Resource")?) {
            Ok(resource) => resource,
            Err(why) => {
                self.problems.schema(&fields.place("Resource"), why);
                return None;
            }
        };
        let parameters = fields.get("Parameters").and_then(Value::as_object);
        let place = if parameters.is_some() { fields.place("Parameters") } else { fields.at.clone() };
        for name in resource.missing(parameters) {
            self.problems.schema(&place, format!("These fields are required: [{name}]"));
        }
        Some(Task { resource, timeout, heartbeat })
    }

    fn choice(&mut self, fields: &Fields<'_>) -> Option<Kind> {
        let default = self.text(fields, "Default");
        let place = fields.place("Choices");
        let Some(list) = fields.get("Choices") else {
            self.required(fields, "Choices");
            return None;
        };
        let Some(list) = list.as_array().filter(|list| !list.is_empty()) else {
            self.problems.schema(&place, "The value must be a non-empty array of choice rules");
            return None;
        };
        let mut rules = Vec::new();
        for (i, rule) in list.iter().enumerate() {
            let at = format!("{place}[{i}]");
            let next = rule.get("Next").and_then(Value::as_str);
            if next.is_none() {
                self.problems.schema(&at, "These fields are required: [Next]");
            }
            rules.extend(Rule::parse(rule, &at, true, &mut self.problems).zip(next.map(str::to_owned)));
        }
        Some(Kind::Choice { rules, default })
    }

    fn map(&mut self, fields: &Fields<'_>) -> Option<Kind> {
        self.exclusive(fields, &["ItemProcessor", "Iterator"]);
        self.exclusive(fields, &["ItemSelector", "Parameters"]);
        let items = match fields.get("ItemsPath") {
            Some(_) => self.path(fields, "ItemsPath"),
            None => Path::parse("$").ok(),
        };
        let selector = self.template(fields, "ItemSelector").or_else(|| self.template(fields, "Parameters"));
        let concurrency = self.amount(fields, "MaxConcurrency", 0).unwrap_or(Amount::Fixed(0));
        let name = if fields.get("Iterator").is_some() { "Iterator" } else { "ItemProcessor" };
        let place = fields.place(name);
        let Some(written) = fields.get(name) else {
            self.required(fields, "ItemProcessor");
            return None;
        };
        let distributed = self.distributed(fields, written, &place);
        let processor = self.flow(written, &place, &["Comment", "ProcessorConfig", "StartAt", "States"]);
        let processor = Arc::new(processor?);
        if !distributed {
            return Some(Kind::Map { items: items?, selector, processor, concurrency });
        }
        let items = match fields.get("ItemReader") {
            // An ItemsPath beside it has no effect.
            Some(reader) => Items::In(self.reader(reader, &fields.place("ItemReader"))?),
            None => Items::At(items?),
        };
        let writer = match fields.get("ResultWriter") {
            Some(writer) => Some(self.writer(writer, &fields.place("ResultWriter"))?),
            None => None,
        };
        Some(Kind::Distributed(Box::new(Distributed {
            items,
            selector,
            processor,
            definition: written.to_string().into(),
            concurrency,
            tolerated_count: self.amount(fields, "ToleratedFailureCount", 0),
            tolerated_percentage: self.percentage(fields, "ToleratedFailurePercentage"),
            label: self.label(fields),
            writer,
        })))
    }

    fn parallel(&mut self, fields: &Fields<'_>) -> Option<Kind> {
        let place = fields.place("Branches");
        let Some(list) = fields.get("Branches") else {
            self.required(fields, "Branches");
            return None;
        };
        let Some(list) = list.as_array().filter(|list| !list.is_empty()) else {
            self.problems.schema(&place, "The value must be a non-empty array of branches");
            return None;
        };
        let mut branches = Vec::new();
        for (i, branch) in list.iter().enumerate() {
            let flow = self.flow(branch, &format!("{place}[{i}]"), &["Comment", "StartAt", "States"]);
            branches.extend(flow.map(Arc::new));
        }
        Some(Kind::Parallel(branches))
    }

    fn wait(&mut self, fields: &Fields<'_>) -> Option<Delay> {
        let names = ["Seconds", "SecondsPath", "Timestamp", "TimestampPath"];
        self.exclusive(fields, &names);
        let Some(name) = names.into_iter().find(|name| fields.get(name).is_some()) else {
            self.required(fields, "Seconds, SecondsPath, Timestamp or TimestampPath");
            return None;
        };
        match name {
            "Seconds" => self.integer(fields, name, 0).map(|seconds| Delay::Seconds(Amount::Fixed(seconds))),
            "SecondsPath" => self.path(fields, name).map(|path| Delay::Seconds(Amount::From(path))),
            "TimestampPath" => self.path(fields, name).map(Delay::UntilFrom),
            _ => {
                let timestamp = fields.get(name).and_then(choice::timestamp);
                if timestamp.is_none() {
                    self.problems.schema(&fields.place(name), "String does not match RFC3339 timestamp");
                }
                timestamp.map(Delay::Until)
            }
        }
    }

    fn entries<'v>(&mut self, fields: &Fields<'v>, name: &str, allowed: &[&str]) -> Vec<Fields<'v>> {
        let place = fields.place(name);
        match fields.get(name) {
            None => Vec::new(),
            Some(Value::Array(list)) => {
                let entry = |(i, entry)| self.object(entry, &format!("{place}[{i}]"), allowed);
                list.iter().enumerate().filter_map(entry).collect()
            }
            Some(_) => {
                self.problems.schema(&place, "Expected value of type Array");
                Vec::new()
            }
        }
    }

    fn errors(&mut self, fields: &Fields<'_>, last: bool) -> Vec<String> {
        let place = fields.place("ErrorEquals");
        let list = fields.get("ErrorEquals").and_then(Value::as_array).filter(|list| !list.is_empty());
        let names: Option<Vec<String>> =
            list.and_then(|list| list.iter().map(|name| name.as_str().map(str::to_owned)).collect());
        let Some(names) = names else {
            self.problems.schema(&place, "The value must be a non-empty array of error names");
            return Vec::new();
        };
        if names.iter().any(|name| name == "States.ALL") && !(last && names.len() == 1) {
            self.problems.schema(&place, "States.ALL must appear alone and in the last entry");
        }
        names
    }

    fn retry(&mut self, fields: &Fields<'_>) -> Vec<Retrier> {
        let allowed = [
            "Comment",
            "ErrorEquals",
            "IntervalSeconds",
            "MaxAttempts",
            "BackoffRate",
            "MaxDelaySeconds",
            "JitterStrategy",
        ];
        let entries = self.entries(fields, "Retry", &allowed);
        let count = entries.len();
        let read = |(i, entry): (usize, Fields<'_>)| {
            let backoff =
                entry.get("BackoffRate").map_or(Some(2.0), Value::as_f64).filter(|rate| *rate >= 1.0);
            if backoff.is_none() {
                self.problems.schema(&entry.place("BackoffRate"), "Value must be a number of at least 1.0");
            }
            let jitter = entry.get("JitterStrategy").map_or(Some("NONE"), Value::as_str);
            if !matches!(jitter, Some("NONE" | "FULL")) {
                self.problems.schema(&entry.place("JitterStrategy"), "Value must be one of [FULL, NONE]");
            }
            let interval = self.integer(&entry, "IntervalSeconds", 0).unwrap_or(1);
            let longest = self.integer(&entry, "MaxDelaySeconds", 1);
            if longest.is_some_and(|longest| longest <= interval) {
                self.problems
                    .schema(&entry.place("MaxDelaySeconds"), "Value must be greater than IntervalSeconds");
            }
            Retrier {
                errors: self.errors(&entry, i + 1 == count),
                interval,
                backoff: backoff.unwrap_or(2.0),
                attempts: self.integer(&entry, "MaxAttempts", 0).unwrap_or(3),
                longest,
                jitter: jitter == Some("FULL"),
            }
        };
        entries.into_iter().enumerate().map(read).collect()
    }

    fn catch(&mut self, fields: &Fields<'_>) -> Vec<Catcher> {
        let entries = self.entries(fields, "Catch", &["Comment", "ErrorEquals", "Next", "ResultPath"]);
        let count = entries.len();
        let read = |(i, entry): (usize, Fields<'_>)| {
            let next = self.text(&entry, "Next");
            if entry.get("Next").is_none() {
                self.required(&entry, "Next");
            }
            Catcher {
                errors: self.errors(&entry, i + 1 == count),
                result: self.result_path(&entry),
                next: next.unwrap_or_default(),
            }
        };
        entries.into_iter().enumerate().map(read).collect()
    }
}

/// The fields that only one type of state has.
fn own_fields(kind: &str) -> Option<&'static [&'static str]> {
    Some(match kind {
        "Task" => {
            &["Resource", "TimeoutSeconds", "TimeoutSecondsPath", "HeartbeatSeconds", "HeartbeatSecondsPath"]
        }
        "Choice" => &["Choices", "Default"],
        "Map" => &[
            "ItemsPath",
            "ItemSelector",
            "ItemProcessor",
            "Iterator",
            "MaxConcurrency",
            "MaxConcurrencyPath",
            "ItemReader",
            "Label",
            "ResultWriter",
            "ToleratedFailureCount",
            "ToleratedFailureCountPath",
            "ToleratedFailurePercentage",
            "ToleratedFailurePercentagePath",
        ],
        "Parallel" => &["Branches"],
        "Pass" => &["Result"],
        "Wait" => &["Seconds", "SecondsPath", "Timestamp", "TimestampPath"],
        "Succeed" => &[],
        "Fail" => &["Error", "ErrorPath", "Cause", "CausePath"],
        _ => return None,
    })
}
