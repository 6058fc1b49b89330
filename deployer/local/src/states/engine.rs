//! The interpreter of Amazon States Language: walks a [`Flow`] from state to state and records every step. Knows nothing
//! of the store, the API or the clock; the outside is a [`World`].

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::choice::timestamp;
use super::definition::{Amount, Delay, Flow, Kind, ResultPath, Selection, State, Text};
use super::failure::{DATA_LIMIT, Failure, RESULT_PATH_MATCH_FAILURE, Trouble, quoted};
use super::fan;
use super::history::Log;
use super::path::{Context, Path};
use super::retry::{Attempts, LONGEST_SECONDS};
use super::task::{self, Limits};
use super::template::Template;
use super::world::{Soon, World};

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

    fn enter(&self, kind: Option<&'static str>) {
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

/// Where a state leads.
enum Way {
    On(Option<String>),
    Fail(Failure),
}

impl Engine {
    /// Runs a flow to its end.
    ///
    /// # Errors
    /// The failure of the state that ended it.
    pub fn flow(
        self: Arc<Self>,
        flow: Arc<Flow>,
        input: Value,
        scope: Scope,
    ) -> Soon<'static, Result<Value, Failure>> {
        Box::pin(async move {
            let mut data = input;
            let mut name = flow.start.clone();
            loop {
                // A machine that only passes and chooses would otherwise never let anybody stop it.
                tokio::task::yield_now().await;
                let Some(state) = flow.states.get(&name) else {
                    return Err(Failure::runtime(format!("There is no state '{name}'.")));
                };
                let (output, next) = self.visit(state, data, &scope).await?;
                data = output;
                match next {
                    Some(next) => name = next,
                    None => return Ok(data),
                }
            }
        })
    }

    async fn visit(
        self: &Arc<Self>,
        state: &State,
        input: Value,
        scope: &Scope,
    ) -> Result<(Value, Option<String>), Failure> {
        let kind = state.kind.name();
        let now = self.world.now();
        let details =
            json!({"name": state.name, "input": input.to_string(), "inputDetails": {"truncated": false}});
        let details = Some(("stateEnteredEventDetails", details));
        let mut previous = scope.cursor.event();
        if previous == 1 && !scope.nested {
            // The first state does not follow the execution's start.
            previous = 0;
        }
        let entered = self.log.add(now, previous, &format!("{kind}StateEntered"), details)?;
        scope.cursor.go(entered);
        scope.cursor.enter(Some(kind));
        let place = json!({"Name": state.name, "EnteredTime": iso(now), "RetryCount": 0});
        let context = Context { run: Arc::clone(&self.run), map: scope.map.clone(), state: place };
        let mut visit = Visit { engine: self, state, scope, context, entered };
        let mut attempts = Attempts::new(&state.retry);
        let (output, next) = loop {
            let failure = match visit.attempt(&input).await {
                Ok((output, Way::On(next))) => break (output, next),
                // A Fail state is what it is: neither left nor tried again.
                Ok((_, Way::Fail(failure))) => return Err(failure),
                Err(failure) => failure,
            };
            if let Some(delay) = attempts.after(&failure, || self.world.chance()) {
                self.world.sleep(delay).await;
                let count = visit.context.state["RetryCount"].as_u64().unwrap_or_default();
                visit.context.state["RetryCount"] = json!(count + 1);
                continue;
            }
            if failure.terminal() {
                return Err(failure);
            }
            if matches!(state.kind, Kind::Map { .. } | Kind::Parallel(_)) {
                visit.record(&format!("{kind}StateFailed"), None)?;
            }
            let Some(catcher) = state.catch.iter().find(|catcher| failure.matches(&catcher.errors)) else {
                if scope.nested && matches!(state.kind, Kind::Task(_)) {
                    // Recorded beside the chain, which goes on from the task's own failure.
                    self.log.add(self.world.now(), scope.cursor.event(), "TaskStateAborted", None)?;
                }
                return Err(failure);
            };
            let output = visit.merged(input, failure.output(), &catcher.result)?;
            break (visit.bounded(output)?, Some(catcher.next.clone()));
        };
        let details =
            json!({"name": state.name, "output": output.to_string(), "outputDetails": {"truncated": false}});
        visit.record(&format!("{kind}StateExited"), Some(("stateExitedEventDetails", details)))?;
        scope.cursor.enter(None);
        Ok((output, next))
    }
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

    /// The failure that trouble with the state's data is.
    pub fn failure(&self, trouble: Trouble) -> Failure {
        trouble.at(&self.state.name, self.entered)
    }

    fn runtime(&self, message: impl Into<String>) -> Failure {
        self.failure(Trouble::runtime(message))
    }

    async fn attempt(&self, raw: &Value) -> Result<(Value, Way), Failure> {
        let state = self.state;
        let input = self.selected(raw.clone(), &state.input, "InputPath")?;
        let limits = match &state.kind {
            Kind::Task(task) => Limits {
                timeout: self.amount(task.timeout.as_ref(), "TimeoutSeconds", &input)?,
                heartbeat: self.amount(task.heartbeat.as_ref(), "HeartbeatSeconds", &input)?,
            },
            _ => Limits::default(),
        };
        let input = match &state.parameters {
            Some(template) => self.filled(template, &input, &self.context)?,
            None => input,
        };
        let mut way = Way::On(state.next.clone());
        let result = match &state.kind {
            Kind::Pass(result) => result.clone().unwrap_or(input),
            Kind::Succeed => input,
            Kind::Wait(delay) => {
                self.engine.world.sleep(self.delay(delay, &input)?).await;
                input
            }
            Kind::Choice { rules, default } => {
                let mut chosen = default.as_ref();
                for (rule, next) in rules {
                    if rule.holds(&input, &self.context).map_err(|trouble| self.failure(trouble))? {
                        chosen = Some(next);
                        break;
                    }
                }
                let chosen = chosen.ok_or_else(|| {
                    self.runtime(
                        "Failed to transition out of the state. The state does not point to a next state.",
                    )
                })?;
                way = Way::On(Some(chosen.clone()));
                input
            }
            Kind::Fail { error, cause } => {
                let error = self.text(error.as_ref(), "ErrorPath", &input)?;
                let cause = self.text(cause.as_ref(), "CausePath", &input)?;
                return Ok((input, Way::Fail(Failure { error, cause })));
            }
            Kind::Task(task) => task::run(task, input, limits, self).await?,
            Kind::Map { items, selector, processor, concurrency } => {
                fan::map(items, selector.as_ref(), processor, concurrency, input, self).await?
            }
            Kind::Parallel(branches) => fan::parallel(branches, &input, self).await?,
        };
        let result = match &state.selector {
            Some(template) => self.filled(template, &result, &self.context)?,
            None => result,
        };
        let output = match &state.kind {
            // They have no result: what came in goes out.
            Kind::Choice { .. } | Kind::Wait(_) | Kind::Succeed => result,
            _ => self.merged(raw.clone(), result, &state.result)?,
        };
        let output = self.selected(output, &state.output, "OutputPath")?;
        Ok((self.bounded(output)?, way))
    }

    fn selected(&self, data: Value, selection: &Selection, field: &str) -> Result<Value, Failure> {
        match selection {
            Selection::All => Ok(data),
            Selection::Nothing => Ok(json!({})),
            Selection::Part(path) => self.found(path, &data, field),
        }
    }

    /// What a path of a field selects.
    ///
    /// # Errors
    /// That it selects nothing, in AWS's words.
    pub fn found(&self, path: &Path, data: &Value, field: &str) -> Result<Value, Failure> {
        path.find(data, &self.context).map(std::borrow::Cow::into_owned).map_err(|_| {
            self.runtime(format!(
                "The JSONPath '{}' specified for the field '{field}' could not be found in the input '{}'",
                path.text(),
                quoted(data)
            ))
        })
    }

    /// A template filled in.
    ///
    /// # Errors
    /// As [`Template::fill`], placed at this state.
    pub fn filled(&self, template: &Template, data: &Value, context: &Context) -> Result<Value, Failure> {
        template.fill(data, context).map_err(|trouble| self.failure(trouble))
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
                let value = self.found(path, input, &format!("{field}Path"))?;
                let number = value.as_u64().filter(|number| *number <= LONGEST_SECONDS);
                number.map(Some).ok_or_else(|| {
                    self.runtime(format!(
                        "The value of '{}' for the field '{field}Path' must be a whole number from 0 to \
                         {LONGEST_SECONDS}, not {}",
                        path.text(),
                        quoted(&value)
                    ))
                })
            }
        }
    }

    fn text(&self, text: Option<&Text>, field: &str, input: &Value) -> Result<Option<String>, Failure> {
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

    fn delay(&self, delay: &Delay, input: &Value) -> Result<Duration, Failure> {
        let until = match delay {
            Delay::Seconds(amount) => {
                let seconds = self.amount(Some(amount), "Seconds", input)?.unwrap_or_default();
                return Ok(Duration::from_secs(seconds));
            }
            Delay::Until(time) => *time,
            Delay::UntilFrom(path) => {
                let value = self.found(path, input, "TimestampPath")?;
                timestamp(&value).ok_or_else(|| {
                    self.runtime(format!(
                        "The value for the field 'TimestampPath' must be a timestamp, not {}",
                        quoted(&value)
                    ))
                })?
            }
        };
        // A time that has passed is no wait.
        Ok(Duration::try_from(until.duration_since(self.engine.world.now())).unwrap_or_default())
    }

    fn merged(&self, raw: Value, result: Value, path: &ResultPath) -> Result<Value, Failure> {
        match path {
            ResultPath::Replace => Ok(result),
            ResultPath::Discard => Ok(raw),
            ResultPath::Into(reference) => reference
                .insert(raw, result)
                .map_err(|message| self.failure(Trouble { error: RESULT_PATH_MATCH_FAILURE, message })),
        }
    }

    fn bounded(&self, output: Value) -> Result<Value, Failure> {
        if deeper(&output, DEEPEST) {
            return Err(self.runtime(format!("The output nests more than {DEEPEST} levels deep.")));
        }
        if size(&output) > LARGEST {
            return Err(Failure::new(
                DATA_LIMIT,
                format!(
                    "The state/task '{}' returned a result with a size exceeding the maximum number of bytes service \
                     limit.",
                    self.state.name
                ),
            ));
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
