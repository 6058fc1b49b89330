//! One visit of a state, and what all states share: the events they record and the data they read and shape.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::choice::timestamp;
use crate::definition::{Amount, Delay, State, Text};
use crate::failure::{Failure, Fault, RESULT_PATH_MATCH_FAILURE, quoted};
use crate::history::Log;
use crate::path::{Context, Path, ResultPath, Selection};
use crate::retry::LONGEST_SECONDS;
use crate::template::Template;
use crate::world::World;

/// Bytes of UTF-8 JSON that a state may take or give.
pub const LARGEST: usize = 262_144;
/// Levels that a document may nest: within what JSON parsers everywhere accept.
const DEEPEST: usize = 120;

/// One execution's interpreter.
pub struct Engine {
    /// The outside.
    pub world: Arc<dyn World>,
    /// The history.
    pub log: Arc<Log>,
    /// `Execution` and `StateMachine` of the context object.
    pub run: Arc<Value>,
    /// The region that task events name.
    pub region: String,
}

/// Where a chain of states stands: the event the next one follows, and the state it is in.
#[derive(Debug)]
pub struct Cursor {
    event: AtomicU64,
    inside: Mutex<Option<&'static str>>,
}

impl Cursor {
    /// A chain that continues from an event.
    #[must_use]
    pub fn at(event: u64) -> Arc<Self> {
        Arc::new(Self { event: AtomicU64::new(event), inside: Mutex::new(None) })
    }

    /// The event it stands at.
    #[must_use]
    pub fn event(&self) -> u64 {
        self.event.load(Ordering::SeqCst)
    }

    /// Moves on to an event.
    pub fn go(&self, event: u64) {
        self.event.store(event, Ordering::SeqCst);
    }

    /// The type of the state it is in.
    #[must_use]
    pub fn inside(&self) -> Option<&'static str> {
        *self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn enter(&self, kind: Option<&'static str>) {
        *self.inside.lock().unwrap_or_else(PoisonError::into_inner) = kind;
    }
}

/// Where a flow runs.
#[derive(Clone)]
pub struct Scope {
    /// Its chain of events.
    pub cursor: Arc<Cursor>,
    /// `Map` of the context object.
    pub map: Option<Arc<Value>>,
    /// Whether it is a branch or an iteration.
    pub nested: bool,
}

/// One visit of a state: what its parts need to read data and record events.
pub struct Visit<'s> {
    /// The interpreter.
    pub engine: &'s Arc<Engine>,
    /// The state.
    pub state: &'s State,
    /// Where its flow runs.
    pub scope: &'s Scope,
    /// The context object.
    pub context: Context,
    /// The id of the event that entered the state.
    pub entered: u64,
}

impl Visit<'_> {
    /// Adds an event to the state's chain.
    ///
    /// # Errors
    /// When the history is full.
    pub fn record(&self, kind: &str, details: Option<(&str, Value)>) -> Result<(), Failure> {
        let cursor = &self.scope.cursor;
        cursor.go(self.engine.log.add(self.engine.world.now(), cursor.event(), kind, details)?);
        Ok(())
    }

    /// The failure that fault with the state's data is.
    pub fn failure(&self, fault: Fault) -> Failure {
        fault.at(&self.state.name, self.entered)
    }

    pub fn runtime(&self, message: impl Into<String>) -> Failure {
        self.failure(Fault::runtime(message))
    }

    pub fn selected(&self, data: Value, selection: &Selection) -> Result<Value, Failure> {
        match selection {
            Selection::All => Ok(data),
            Selection::Nothing => Ok(json!({})),
            Selection::Part(path) => self.found(path, &data),
        }
    }

    /// What a path of a field selects.
    ///
    /// # Errors
    /// That it selects nothing, in AWS's words.
    pub fn found(&self, path: &Path, data: &Value) -> Result<Value, Failure> {
        path.find(data, &self.context)
            .map(std::borrow::Cow::into_owned)
            .map_err(|missing| self.runtime(format!("Invalid path '{}' : {}", path.text(), missing.place)))
    }

    /// A template filled in.
    ///
    /// # Errors
    /// As [`Template::fill`], placed at this state.
    pub fn filled(&self, template: &Template, data: &Value, context: &Context) -> Result<Value, Failure> {
        template.fill(data, context).map_err(|fault| self.failure(fault))
    }

    /// A number as written or from the state's input.
    ///
    /// # Errors
    /// When the path leads to none.
    pub fn amount(
        &self,
        amount: Option<&Amount>,
        field: &str,
        input: &Value,
    ) -> Result<Option<u64>, Failure> {
        match amount {
            None => Ok(None),
            Some(Amount::Fixed(number)) => Ok(Some(*number)),
            Some(Amount::From(path)) => {
                let value = self.found(path, input)?;
                let number = value.as_u64().filter(|number| *number <= LONGEST_SECONDS);
                number.map(Some).ok_or_else(|| self.no_number(field, &value, "integer", path))
            }
        }
    }

    /// That a `…Path` field leads to something else than a number, in AWS's words.
    pub fn no_number(&self, field: &str, value: &Value, kind: &str, path: &Path) -> Failure {
        let value = value.as_str().map_or_else(|| quoted(value), str::to_owned);
        self.runtime(format!(
            "The {field}Path field refers to value \"{value}\" which is not a valid {kind}: {}",
            path.text()
        ))
    }

    pub fn text(&self, text: Option<&Text>, field: &str, input: &Value) -> Result<Option<String>, Failure> {
        match text {
            None => Ok(None),
            Some(Text::Fixed(text)) => Ok(Some(text.clone())),
            Some(Text::From(expression)) => {
                let value = expression.evaluate(field, input, &self.context).map_err(|t| self.failure(t))?;
                match value {
                    Value::String(text) => Ok(Some(text)),
                    other => Err(self.runtime(format!(
                        "The value for the field '{field}' must be a string, not {}",
                        quoted(&other)
                    ))),
                }
            }
        }
    }

    pub fn delay(&self, delay: &Delay, input: &Value) -> Result<Duration, Failure> {
        let until = match delay {
            Delay::Seconds(Amount::Fixed(seconds)) => return Ok(Duration::from_secs(*seconds)),
            Delay::Seconds(Amount::From(path)) => {
                let wrong = |why: &str, value: &Value| {
                    self.runtime(format!(
                        "The SecondsPath parameter {why}: {} == {}",
                        path.text(),
                        quoted(value)
                    ))
                };
                let value = self.referenced(path, input, "SecondsPath")?;
                return match (value.as_u64(), value.as_i64()) {
                    (Some(seconds), _) if seconds <= LONGEST_SECONDS => Ok(Duration::from_secs(seconds)),
                    (None, Some(_)) => Err(wrong("references a negative value", &value)),
                    _ => Err(wrong("cannot be parsed as a long value", &value)),
                };
            }
            Delay::Until(time) => *time,
            Delay::UntilFrom(path) => {
                let value = self.referenced(path, input, "TimestampPath")?;
                timestamp(&value).ok_or_else(|| {
                    let value = value.as_str().map_or_else(|| quoted(&value), str::to_owned);
                    self.runtime(format!(
                        "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format \
                         string: {} == {value}",
                        path.text()
                    ))
                })?
            }
        };
        // A time that has passed is no wait.
        Ok(Duration::try_from(until.duration_since(self.engine.world.now())).unwrap_or_default())
    }

    /// What a Wait's path selects.
    fn referenced(&self, path: &Path, input: &Value, field: &str) -> Result<Value, Failure> {
        path.find(input, &self.context).map(std::borrow::Cow::into_owned).map_err(|_| {
            self.runtime(format!("The {field} parameter does not reference an input value: {}", path.text()))
        })
    }

    pub fn merged(&self, raw: Value, result: Value, path: &ResultPath) -> Result<Value, Failure> {
        match path {
            ResultPath::Replace => Ok(result),
            ResultPath::Discard => Ok(raw),
            ResultPath::Into(reference) => reference
                .insert(raw, result)
                .map_err(|message| self.failure(Fault { error: RESULT_PATH_MATCH_FAILURE, message })),
        }
    }

    pub fn bounded(&self, output: Value) -> Result<Value, Failure> {
        if deeper(&output, DEEPEST) {
            return Err(self.runtime(format!("The output nests more than {DEEPEST} levels deep.")));
        }
        if size(&output) > LARGEST {
            return Err(Failure::too_large(&self.state.name, "returned a result"));
        }
        Ok(output)
    }
}

/// The size of a document as UTF-8 JSON, without keeping it.
fn size(value: &Value) -> usize {
    struct Counter(usize);
    impl std::io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    serde_json::to_writer(&mut counter, value).expect("counting does not fail");
    counter.0
}

fn deeper(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(list) => levels == 0 || list.iter().any(|value| deeper(value, levels - 1)),
        Value::Object(map) => levels == 0 || map.values().any(|value| deeper(value, levels - 1)),
        _ => false,
    }
}

/// A time as the context object gives it.
#[must_use]
pub fn iso(time: jiff::Timestamp) -> String {
    format!("{time:.3}")
}
