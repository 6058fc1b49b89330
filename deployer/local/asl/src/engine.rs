//! The interpreter: walks a [`Flow`] from state to state and records every step. Knows nothing of the clock or the outside,
//! which is a [`World`](super::world::World).

use std::sync::Arc;

use serde_json::{Value, json};

use crate::definition::{Flow, Kind, State};
use crate::failure::Failure;
use crate::fan;
use crate::map_run;
use crate::path::Context;
use crate::retry::Attempts;
use crate::task::{self, Limits};
use crate::visit::{Cursor, Engine, Scope, Visit, iso};
use crate::world::Pending;

/// Where a state leads.
enum Way {
    On(Option<String>),
    Fail(Failure),
}

impl Engine {
    /// Runs a machine from its start to its end, with the events of both; `about` is what the first of them says.
    ///
    /// # Errors
    /// The failure it ended with.
    pub async fn run(
        self: Arc<Self>,
        machine: Arc<Flow>,
        input: Value,
        about: Value,
    ) -> Result<Value, Failure> {
        let details = Some(("executionStartedEventDetails", about));
        let cursor = Cursor::at(self.log.add(self.world.now(), 0, "ExecutionStarted", details)?);
        let scope = Scope { cursor: Arc::clone(&cursor), map: None, nested: false };
        let result = Arc::clone(&self).flow(machine, input, scope).await;
        let (kind, member, details) = match &result {
            Ok(output) => {
                let details = json!({"output": output.to_string(), "outputDetails": {"truncated": false}});
                ("ExecutionSucceeded", "executionSucceededEventDetails", details)
            }
            Err(failure) => ("ExecutionFailed", "executionFailedEventDetails", failure.details()),
        };
        self.log.close(self.world.now(), cursor.event(), kind, Some((member, details)));
        result
    }

    /// Runs a flow to its end.
    ///
    /// # Errors
    /// The failure of the state that ended it.
    pub(crate) fn flow(
        self: Arc<Self>,
        flow: Arc<Flow>,
        input: Value,
        scope: Scope,
    ) -> Pending<'static, Result<Value, Failure>> {
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
        let mut place = json!({"Name": state.name, "EnteredTime": iso(now)});
        if state.kind.retries() {
            place["RetryCount"] = json!(0);
        }
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
            if matches!(state.kind, Kind::Map { .. } | Kind::Distributed(_) | Kind::Parallel(_)) {
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
    async fn attempt(&self, raw: &Value) -> Result<(Value, Way), Failure> {
        let state = self.state;
        let input = self.selected(raw.clone(), &state.input)?;
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
                    if rule.holds(&input, &self.context).map_err(|fault| self.failure(fault))? {
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
            Kind::Distributed(map) => map_run::run(map, input, self).await?,
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
        let output = self.selected(output, &state.output)?;
        Ok((self.bounded(output)?, way))
    }
}
