//! Task states: what the world is asked to do, within its time, and the events that tell of it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::definition::Task;
use crate::failure::{Failure, HEARTBEAT_TIMEOUT, TIMEOUT};
use crate::resource::Resource;
use crate::visit::{LARGEST, Visit};
use crate::world::Answer;

/// The names of one kind of task's events and their details.
struct Events {
    /// `LambdaFunction` or `Task`.
    prefix: &'static str,
    /// The details' prefix.
    member: &'static str,
    /// What every detail says of the task.
    about: Value,
}

/// What a task's time is limited to, in seconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// `TimeoutSeconds`.
    pub timeout: Option<u64>,
    /// `HeartbeatSeconds`.
    pub heartbeat: Option<u64>,
}

/// Runs the task once and records its events.
///
/// # Errors
/// The task's error, what kept it from running, or a time-out.
pub async fn run(task: &Task, input: Value, limits: Limits, visit: &Visit<'_>) -> Result<Value, Failure> {
    let Limits { timeout, heartbeat } = limits;
    let text = input.to_string();
    let (events, mut scheduled) = match &task.resource {
        Resource::Function(arn) => {
            let events = Events { prefix: "LambdaFunction", member: "lambdaFunction", about: json!({}) };
            (events, json!({"resource": arn, "input": text, "inputDetails": {"truncated": false}}))
        }
        Resource::Integration { service, action } => {
            let about = json!({"resourceType": service, "resource": action});
            let region = visit.engine.region.as_str();
            let scheduled =
                json!({"resourceType": service, "resource": action, "region": region, "parameters": text});
            (Events { prefix: "Task", member: "task", about }, scheduled)
        }
    };
    let function = matches!(task.resource, Resource::Function(_));
    for (member, seconds) in [("timeoutInSeconds", timeout), ("heartbeatInSeconds", heartbeat)] {
        if let (Some(seconds), false) = (seconds, function && member == "heartbeatInSeconds") {
            scheduled[member] = json!(seconds);
        }
    }
    events.record(visit, "Scheduled", scheduled)?;
    if text.len() > LARGEST {
        return events.failed(visit, Failure::too_large(task.resource.name(), "was given an input"));
    }
    let world = &visit.engine.world;
    let work = match world.task(&task.resource, input) {
        Ok(work) => work,
        Err(failure) => return events.failed(visit, failure),
    };
    let about = (!function).then(|| ("taskStartedEventDetails", events.about.clone()));
    visit.record(&format!("{}Started", events.prefix), about)?;

    let limit = match (timeout, heartbeat) {
        // Nothing sends heartbeats, so the first one is missed when the task takes that long.
        (timeout, Some(heartbeat)) if timeout.is_none_or(|timeout| heartbeat < timeout) => {
            Some((heartbeat, HEARTBEAT_TIMEOUT))
        }
        (Some(timeout), _) => Some((timeout, TIMEOUT)),
        (None, _) => None,
    };
    let expired = async {
        match limit {
            Some((seconds, error)) => {
                world.sleep(Duration::from_secs(seconds)).await;
                error
            }
            None => std::future::pending().await,
        }
    };
    let work = async {
        match work.await? {
            Answer::Done(result) => Ok(result),
            Answer::Submitted(answer, course) => {
                let details = json!({"output": answer.to_string(), "outputDetails": {"truncated": false}});
                events.record(visit, "Submitted", events.with(details))?;
                course.await
            }
        }
    };
    let result = tokio::select! {
        biased;
        result = work => result,
        error = expired => {
            let failure = Failure::bare(error);
            events.record(visit, "TimedOut", events.with(failure.details()))?;
            return Err(failure);
        }
    };
    match result {
        Ok(result) => {
            let output = result.to_string();
            if output.len() > LARGEST {
                return events.failed(visit, Failure::too_large(task.resource.name(), "returned a result"));
            }
            let details = events.with(json!({"output": output, "outputDetails": {"truncated": false}}));
            events.record(visit, "Succeeded", details)?;
            Ok(result)
        }
        Err(failure) => events.failed(visit, failure),
    }
}

impl Events {
    fn record(&self, visit: &Visit<'_>, what: &str, details: Value) -> Result<(), Failure> {
        let member = format!("{}{what}EventDetails", self.member);
        visit.record(&format!("{}{what}", self.prefix), Some((&member, details)))
    }

    fn with(&self, mut details: Value) -> Value {
        for (member, value) in self.about.as_object().into_iter().flatten() {
            details[member] = value.clone();
        }
        details
    }

    fn failed(&self, visit: &Visit<'_>, failure: Failure) -> Result<Value, Failure> {
        self.record(visit, "Failed", self.with(failure.details()))?;
        Err(failure)
    }
}
