//! Distributed Map: what the world is asked to run, and the events that tell of it in the execution that asked.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::definition::{Amount, Distributed, Flow, Items, Percentage, Transformation};
use crate::failure::{Failure, ITEM_READER_FAILED};
use crate::fan;
use crate::path::Context;
use crate::template::Template;
use crate::visit::{Cursor, Engine, Visit};

/// A run of a distributed Map, which the world carries out: an execution of the processor for each item.
pub struct MapRun {
    /// The state's name.
    pub state: String,
    /// The label it was given.
    pub label: Option<String>,
    /// Where the items come from.
    pub source: Source,
    /// What runs for each item.
    pub processor: Arc<Flow>,
    /// The processor as it was written.
    pub definition: Arc<str>,
    /// How many executions may run at a time; 0 is as many as there may be.
    pub concurrency: u64,
    /// How many executions may fail.
    pub tolerance: Tolerance,
    /// Where the results go, when they are exported.
    pub export: Option<Export>,
    selection: Selection,
}

/// Where a run's items come from.
pub enum Source {
    /// They are known.
    Items(Vec<Value>),
    /// They stand in an object, which [`MapRun::items`] reads: bucket and key by the names of S3's `GetObject`.
    Object(Value),
}

/// How many executions of a run may fail before it does. Without either number none may.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Tolerance {
    /// So many.
    pub count: Option<u64>,
    /// So many per cent of all items.
    pub percentage: Option<f64>,
}

/// How a run's results are exported.
#[derive(Debug, Clone, PartialEq)]
pub struct Export {
    /// `Bucket` and `Prefix`; without them the results are the state's.
    pub destination: Option<Value>,
    /// What is written of the executions that succeeded.
    pub transformation: Transformation,
    /// As one document on each line rather than as an array.
    pub lines: bool,
}

/// What makes an execution's input of an item.
struct Selection {
    lines: bool,
    most: Option<i64>,
    selector: Option<Template>,
    input: Value,
    context: Context,
    entered: u64,
}

impl Tolerance {
    /// Whether so many failures among so many items are too many.
    #[must_use]
    pub fn exceeded(&self, failed: u64, total: u64) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "items are fewer than 2^52")]
        let share = if total == 0 { 0.0 } else { failed as f64 / total as f64 * 100.0 };
        match self {
            Self { count: None, percentage: None } => failed > 0,
            Self { count, percentage } => {
                count.is_some_and(|count| failed > count) || percentage.is_some_and(|most| share > most)
            }
        }
    }
}

impl MapRun {
    /// The items in an object's content.
    ///
    /// # Errors
    /// `States.ItemReaderFailed` for what is no JSON, no array or limited to a negative number.
    pub fn items(&self, content: &[u8]) -> Result<Vec<Value>, Failure> {
        let failed = |cause: String| Failure::new(ITEM_READER_FAILED, cause);
        let no_json = |error: serde_json::Error| failed(format!("The items are not valid JSON: {error}"));
        let Selection { lines, most, .. } = self.selection;
        if most.is_some_and(|most| most < 0) {
            return Err(failed("field MaxItems must be positive".to_owned()));
        }
        let mut items = if lines {
            let text = std::str::from_utf8(content)
                .map_err(|error| failed(format!("The items are not valid UTF-8: {error}")))?;
            let lines = text.lines().filter(|line| !line.trim().is_empty());
            lines.map(|line| serde_json::from_str(line).map_err(no_json)).collect::<Result<Vec<_>, _>>()?
        } else {
            match serde_json::from_slice(content).map_err(no_json)? {
                Value::Array(list) => list,
                _ => return Err(failed("Attempting to map over non-iterable node.".to_owned())),
            }
        };
        if let Some(most) = most.and_then(|most| usize::try_from(most).ok()).filter(|most| *most > 0) {
            items.truncate(most);
        }
        Ok(items)
    }

    /// The executions' inputs.
    ///
    /// # Errors
    /// What keeps `ItemSelector` from being filled in.
    pub fn inputs(&self, items: Vec<Value>) -> Result<Vec<Value>, Failure> {
        let Selection { selector, input, context, entered, .. } = &self.selection;
        let Some(selector) = selector else { return Ok(items) };
        let mut context = context.clone();
        let select = |(index, item): (usize, Value)| {
            context.map = Some(Arc::new(json!({"Item": {"Index": index, "Value": item}})));
            selector.fill(input, &context).map_err(|fault| fault.at(&self.state, *entered))
        };
        items.into_iter().enumerate().map(select).collect()
    }
}

/// Runs a distributed Map once.
///
/// # Errors
/// What the run failed with, or what kept it from starting.
pub async fn run(map: &Distributed, input: Value, visit: &Visit<'_>) -> Result<Value, Failure> {
    let list = match &map.items {
        Items::At(path) => Some(fan::listed(path, &input, visit)?),
        Items::In(_) => None,
    };
    // What an object holds is not known yet.
    let length = json!({"length": list.as_ref().map_or(0, Vec::len)});
    visit.record("MapStateStarted", Some(("mapStateStartedEventDetails", length)))?;

    let concurrency = visit.amount(Some(&map.concurrency), "MaxConcurrency", &input)?.unwrap_or_default();
    let (count, percentage) = (map.tolerated_count.as_ref(), map.tolerated_percentage.as_ref());
    let tolerance =
        Tolerance { count: tolerated(count, &input, visit)?, percentage: share(percentage, &input, visit)? };
    let (source, lines, most) = match (&map.items, list) {
        (Items::In(reader), _) => {
            let most = whole(reader.most.as_ref(), "MaxItems", &input, visit)?;
            let location = visit.filled(&reader.location, &input, &visit.context)?;
            (Source::Object(location), reader.lines, most)
        }
        (Items::At(_), list) => (Source::Items(list.unwrap_or_default()), false, None),
    };
    let export = match &map.writer {
        None => None,
        Some(writer) => {
            let fill = |template: &Template| visit.filled(template, &input, &visit.context);
            Some(Export {
                destination: writer.destination.as_ref().map(fill).transpose()?,
                transformation: writer.transformation,
                lines: writer.lines,
            })
        }
    };
    let job = MapRun {
        state: visit.state.name.clone(),
        label: map.label.clone(),
        source,
        processor: Arc::clone(&map.processor),
        definition: Arc::clone(&map.definition),
        concurrency,
        tolerance,
        export,
        selection: Selection {
            lines,
            most,
            selector: map.selector.clone(),
            input,
            context: visit.context.clone(),
            entered: visit.entered,
        },
    };
    let (arn, course) = visit.engine.world.map_run(job)?;
    let details = json!({"mapRunArn": arn});
    visit.record("MapRunStarted", Some(("mapRunStartedEventDetails", details)))?;
    let mut watch = Watch { engine: visit.engine, cursor: &visit.scope.cursor, over: false };
    let result = course.await;
    watch.over = true;
    match result {
        Ok(result) => {
            visit.record("MapRunSucceeded", None)?;
            fan::succeeded("MapStateSucceeded", visit.scope.cursor.event(), visit)?;
            Ok(result)
        }
        Err(failure) => {
            visit.record("MapRunFailed", Some(("mapRunFailedEventDetails", failure.details())))?;
            Err(failure)
        }
    }
}

/// Records that a run was stopped, with the execution or by a sibling's failure: then its future is dropped.
struct Watch<'v> {
    engine: &'v Engine,
    cursor: &'v Cursor,
    over: bool,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if !self.over {
            let now = self.engine.world.now();
            // A history that is full or has ended takes nothing more.
            if let Ok(event) = self.engine.log.add(now, self.cursor.event(), "MapRunAborted", None) {
                self.cursor.go(event);
            }
        }
    }
}

/// A whole number, negative ones included, as written or from the state's input.
fn whole(
    amount: Option<&Amount>,
    field: &str,
    input: &Value,
    visit: &Visit<'_>,
) -> Result<Option<i64>, Failure> {
    match amount {
        None => Ok(None),
        Some(Amount::Fixed(number)) => Ok(i64::try_from(*number).ok()),
        Some(Amount::From(path)) => {
            let value = visit.found(path, input)?;
            value.as_i64().map(Some).ok_or_else(|| visit.no_number(field, &value, "integer", path))
        }
    }
}

fn tolerated(amount: Option<&Amount>, input: &Value, visit: &Visit<'_>) -> Result<Option<u64>, Failure> {
    let number = whole(amount, "ToleratedFailureCount", input, visit)?;
    number
        .map(|n| u64::try_from(n).map_err(|_| visit.runtime("ToleratedFailureCount cannot be negative.")))
        .transpose()
}

fn share(percentage: Option<&Percentage>, input: &Value, visit: &Visit<'_>) -> Result<Option<f64>, Failure> {
    const FIELD: &str = "ToleratedFailurePercentage";
    match percentage {
        None => Ok(None),
        Some(Percentage::Fixed(number)) => Ok(Some(*number)),
        Some(Percentage::From(path)) => {
            let value = visit.found(path, input)?;
            let number = value.as_f64().ok_or_else(|| visit.no_number(FIELD, &value, "float", path))?;
            if !(0.0..=100.0).contains(&number) {
                return Err(visit.runtime("ToleratedFailurePercentage must be between 0 and 100."));
            }
            Ok(Some(number))
        }
    }
}
