//! State machines and executions: AWS Step Functions' standard workflows.
//!
//! [`machines`], [`executions`] and [`maps`] are the API; [`run`] watches over an execution, which [`asl`] interprets and whose
//! tasks [`tasks`] and [`nested`] carry out; [`maps::course`] runs distributed Maps. [`records`] outlive the process.

pub mod executions;
pub mod machines;
pub mod maps;
pub mod names;
mod nested;
pub mod records;
pub mod run;
mod tasks;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::api::{Entry, JSON_1_0, Protocol};
use crate::{Aws, Caller, Result, Service};
use maps::course::Live;
use records::UNANNOUNCED;
use run::{Ending, Running};

/// How an execution ends that does not come to its own end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interruption {
    /// `ABORTED`.
    Stopped,
    /// `TIMED_OUT`.
    TimedOut,
}

/// State machines and executions.
#[derive(Default)]
pub struct States {
    running: Mutex<HashMap<String, Arc<Running>>>,
    maps: Mutex<HashMap<String, Arc<Live>>>,
}

pub(crate) static ENTRY: Entry = Entry {
    start: |aws| Box::pin(aws.states.start(aws)),
    stop: |aws| Box::pin(aws.states.stop(aws)),
    ..Entry::new(
        Service::States,
        "states",
        Protocol::Json("AWSStepFunctions.", JSON_1_0),
        |aws, caller, operation, input| Box::pin(call(aws, caller, operation, input)),
    )
};

async fn call(aws: &Arc<Aws>, caller: &Caller, operation: &str, input: Value) -> Result<Value> {
    let input = &input;
    match operation {
        "CreateStateMachine" => machines::create(aws, caller, input),
        "DeleteStateMachine" => machines::delete(aws, caller, input),
        "DescribeMapRun" => maps::describe(aws, caller, input),
        "DescribeExecution" => executions::describe(aws, caller, input),
        "DescribeStateMachine" => machines::describe(aws, caller, input),
        "DescribeStateMachineForExecution" => executions::describe_machine(aws, caller, input),
        "GetExecutionHistory" => executions::history(aws, caller, input).await,
        "ListExecutions" => executions::list(aws, caller, input),
        "ListMapRuns" => maps::list(aws, caller, input),
        "ListStateMachines" => machines::list(aws, caller, input),
        "ListTagsForResource" => machines::list_tags(aws, caller, input),
        "RedriveExecution" => executions::redrive(aws, caller, input),
        "StartExecution" => executions::start(aws, caller, input),
        "StopExecution" => executions::stop(aws, caller, input).await,
        "TagResource" => machines::tag(aws, caller, input),
        "UntagResource" => machines::untag(aws, caller, input),
        "UpdateMapRun" => maps::update(aws, caller, input),
        "UpdateStateMachine" => machines::update(aws, caller, input),
        "ValidateStateMachineDefinition" => machines::validate(aws, caller, input),
        _ => Err(Service::States.unknown(operation)),
    }
}

impl States {
    /// Takes up what an earlier process left unfinished: executions that ran then are aborted now, and announced so.
    pub async fn start(&self, aws: &Arc<Aws>) {
        run::recover(aws);
    }

    /// Aborts the executions that run and waits until that is recorded and announced.
    pub async fn stop(&self, _aws: &Arc<Aws>) {
        let running: Vec<_> = self.running().values().cloned().collect();
        for execution in &running {
            execution.ask(Ending {
                cause: Some("The local endpoint was stopped.".to_owned()),
                ..Ending::default()
            });
        }
        for execution in &running {
            execution.ended().await;
        }
        let maps: Vec<_> = self.maps().values().cloned().collect();
        for map in &maps {
            map.ended().await;
        }
    }

    /// Ends every execution that runs, and waits until that is recorded and announced.
    pub(crate) async fn end_running(&self, interruption: Interruption) {
        let running: Vec<_> = self.running().values().cloned().collect();
        for execution in &running {
            execution.ask(Ending { timed_out: interruption == Interruption::TimedOut, ..Ending::default() });
        }
        for execution in &running {
            execution.ended().await;
        }
    }

    /// Waits until every status that can be seen has been announced: an execution is seen to have ended a little earlier.
    pub async fn announced(&self, aws: &Aws) {
        while !aws.store.list::<()>(UNANNOUNCED).is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, Arc<Running>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn maps(&self) -> MutexGuard<'_, HashMap<String, Arc<Live>>> {
        self.maps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks all executions of a machine to stop.
    fn end_all(&self, machine: &str, cause: &str) {
        let prefix = records::id(machine, "");
        for (_, execution) in self.running().iter().filter(|(id, _)| id.starts_with(&prefix)) {
            execution.ask(Ending { cause: Some(cause.to_owned()), ..Ending::default() });
        }
    }
}

/// Milliseconds since the epoch as the API carries times.
fn millis(time: i64) -> Value {
    asl::seconds(Timestamp::from_millisecond(time).unwrap_or_default())
}
