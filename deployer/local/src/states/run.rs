//! Running executions: launches the interpreter, watches it for a stop or a time-out, keeps its history and announces
//! every change of status.

use std::sync::Arc;
use std::time::Duration;

use asl::{Engine, Failure, Flow, Log, TIMEOUT, World, event, iso};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::records::{self, Execution, RUNNING, Status, UNANNOUNCED};
use super::tasks::Account;
use super::{machines, maps};
use crate::Aws;

/// How often events of a running execution are written down, so that a kill leaves the history up to then.
const SAVED_EVERY: Duration = Duration::from_secs(1);
/// An event carries input and output only up to this size together.
const LARGEST_EVENT: usize = 248 * 1024;

/// Why an execution is stopped.
#[derive(Debug, Clone, Default)]
pub struct Ending {
    /// The error it is given.
    pub error: Option<String>,
    /// The explanation it is given.
    pub cause: Option<String>,
    /// Its time is up, rather than somebody stopping it.
    pub timed_out: bool,
}

/// An execution that runs.
pub struct Running {
    /// Its events.
    pub log: Arc<Log>,
    stop: watch::Sender<Option<Ending>>,
    ended: watch::Sender<bool>,
}

impl Running {
    /// Starts an execution whose record has been written: of its machine, or of this part of it.
    pub fn launch(aws: &Arc<Aws>, execution: Execution, input: Value, part: Option<Arc<Flow>>) -> Arc<Self> {
        let running = Arc::new(Self {
            log: Arc::new(Log::default()),
            stop: watch::Sender::new(None),
            ended: watch::Sender::new(false),
        });
        announce(aws, &execution);
        tokio::spawn(supervise(Arc::clone(aws), Arc::clone(&running), execution, input, part));
        running
    }

    /// Asks it to stop; the first who asks says why.
    pub fn ask(&self, ending: Ending) {
        self.stop.send_if_modified(|stop| {
            let first = stop.is_none();
            stop.get_or_insert(ending);
            first
        });
    }

    /// Stops it and waits until it has ended.
    pub async fn stop(&self, ending: Ending) {
        self.ask(ending);
        self.ended().await;
    }

    /// Waits until it has ended.
    pub async fn ended(&self) {
        let mut ended = self.ended.subscribe();
        // The sender lives in `self`.
        let _ = ended.wait_for(|ended| *ended).await;
    }
}

/// How the watch over an execution ended.
enum Outcome {
    Done(Result<Value, Failure>),
    Stopped(Ending),
    TimedOut,
}

async fn supervise(
    aws: Arc<Aws>,
    running: Arc<Running>,
    mut execution: Execution,
    input: Value,
    part: Option<Arc<Flow>>,
) {
    let definition = records::definition(&aws.store, &execution.machine, &execution.revision);
    let world = Arc::new(Account::new(&aws, &execution, &definition.role));
    let machine = part.map_or_else(|| asl::parse(&definition.text).map(Arc::new), Ok);
    let outcome = match machine {
        Ok(machine) => {
            let engine = Arc::new(Engine {
                world: Arc::clone(&world) as Arc<dyn World>,
                log: Arc::clone(&running.log),
                run: Arc::new(about(&aws, &execution, &definition.role, input.clone())),
                region: aws.settings.region.clone(),
            });
            let about = json!({
                "input": execution.input, "inputDetails": {"truncated": false}, "roleArn": definition.role
            });
            let timeout = machine.timeout;
            let work = tokio::spawn(engine.run(machine, input, about));
            watch_over(&aws, &running, &execution, timeout, work).await
        }
        Err(problems) => Outcome::Done(Err(Failure::runtime(problems.to_string()))),
    };
    world.end();

    let now = Timestamp::now();
    execution.stopped = Some(now.as_millisecond());
    match outcome {
        Outcome::Done(Ok(output)) => {
            (execution.status, execution.output) = (Status::Succeeded, Some(output.to_string()));
        }
        Outcome::Done(Err(failure)) => {
            // Already there, unless the interpreter itself failed.
            running.log.close(
                now,
                0,
                "ExecutionFailed",
                Some(("executionFailedEventDetails", failure.details())),
            );
            execution.status = Status::Failed;
            (execution.error, execution.cause) = (failure.error, failure.cause);
        }
        // What comes from outside follows no event.
        Outcome::Stopped(Ending { error, cause, .. }) => {
            let failure = Failure { error, cause };
            let details = Some(("executionAbortedEventDetails", failure.details()));
            running.log.close(now, 0, "ExecutionAborted", details);
            execution.status = Status::Aborted;
            (execution.error, execution.cause) = (failure.error, failure.cause);
        }
        Outcome::TimedOut => {
            let details = Some(("executionTimedOutEventDetails", Failure::bare(TIMEOUT).details()));
            running.log.close(now, 0, "ExecutionTimedOut", details);
            execution.status = Status::TimedOut;
        }
    }
    let id = execution.id();
    let events = running.log.unsaved();
    aws.store.transaction(|records| {
        records::put_events(records, &id, events.iter().map(|(number, event)| (*number, event.as_ref())));
        execution.end(records);
    });
    aws.states.running().remove(&id);
    announce(&aws, &execution);
    machines::gone(&aws, &execution.machine);
    running.ended.send_replace(true);
}

async fn watch_over(
    aws: &Arc<Aws>,
    running: &Running,
    execution: &Execution,
    timeout: Option<u64>,
    mut work: JoinHandle<Result<Value, Failure>>,
) -> Outcome {
    let mut stop = running.stop.subscribe();
    let expired = async {
        match timeout {
            Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(expired);
    let mut saving = tokio::time::interval(SAVED_EVERY);
    let outcome = loop {
        tokio::select! {
            biased;
            stopped = stop.wait_for(Option::is_some) => {
                let ending = stopped.map(|ending| ending.clone().unwrap_or_default()).unwrap_or_default();
                break if ending.timed_out { Outcome::TimedOut } else { Outcome::Stopped(ending) };
            }
            () = &mut expired => break Outcome::TimedOut,
            done = &mut work => {
                return Outcome::Done(done.unwrap_or_else(|_| {
                    Err(Failure::runtime("The local endpoint failed to execute the state machine: this is its defect."))
                }));
            }
            _ = saving.tick() => save(aws, execution, &running.log),
        }
    };
    work.abort();
    // Until it has really ended it might still record something.
    let _ = work.await;
    outcome
}

fn save(aws: &Aws, execution: &Execution, log: &Log) {
    let events = log.unsaved();
    if !events.is_empty() {
        aws.store.transaction(|records| {
            let events = events.iter().map(|(number, event)| (*number, event.as_ref()));
            records::put_events(records, &execution.id(), events);
        });
    }
}

/// `Execution` and `StateMachine` of the context object.
fn about(aws: &Aws, execution: &Execution, role: &str, input: Value) -> Value {
    json!({
        "Execution": {
            "Id": execution.arn(aws),
            "Input": input,
            "Name": execution.name,
            "RoleArn": role,
            "StartTime": iso(Timestamp::from_millisecond(execution.started).unwrap_or_default()),
            "RedriveCount": 0,
        },
        "StateMachine": {"Id": execution.machine_arn(aws), "Name": execution.machine_name()},
    })
}

/// Emits an execution's status for the rules that wait for it.
pub fn announce(aws: &Arc<Aws>, execution: &Execution) {
    aws.events.emit(aws, &status_change(aws, execution));
    aws.store.transaction_soon(|records| records.delete(UNANNOUNCED, &execution.id()));
}

/// An execution's status as EventBridge carries it. Times are milliseconds here; too much data is left out.
#[must_use]
pub fn status_change(aws: &Aws, execution: &Execution) -> Value {
    let arn = execution.arn(aws);
    let (redrive_status, reason) = execution.redrive();
    let output = execution.output.as_ref();
    let output_size = output.map_or(0, String::len);
    let with_output = output_size <= LARGEST_EVENT;
    let with_input = execution.input.len() + output_size <= LARGEST_EVENT;
    json!({
        "source": "aws.states",
        "detail-type": "Step Functions Execution Status Change",
        "resources": [arn],
        "detail": {
            "executionArn": arn,
            "stateMachineArn": execution.machine_arn(aws),
            "name": execution.name,
            "status": execution.status.name(),
            "startDate": execution.started,
            "stopDate": execution.stopped,
            "input": with_input.then_some(&execution.input),
            "inputDetails": {"included": with_input},
            "output": output.filter(|_| with_output),
            "outputDetails": output.map(|_| json!({"included": with_output})),
            "error": execution.error,
            "cause": execution.cause,
            "stateMachineVersionArn": null,
            "stateMachineAliasArn": null,
            "redriveCount": 0,
            "redriveDate": null,
            "redriveStatus": redrive_status,
            "redriveStatusReason": reason,
        },
    })
}

/// Takes up what an earlier process left: executions that ran with it were aborted by its end.
pub fn recover(aws: &Arc<Aws>) {
    let now = Timestamp::now();
    for (id, ()) in aws.store.list::<()>(RUNNING) {
        let count = records::count(&aws.store, &id);
        let failure = Failure {
            error: None,
            cause: Some("The local endpoint ended while the execution was running.".to_owned()),
        };
        let details = Some(("executionAbortedEventDetails", failure.details()));
        let event = event(now, count as u64 + 1, 0, "ExecutionAborted", details);
        let machine = aws.store.transaction(|records| {
            let Some(mut execution) = records.get::<Execution>(records::EXECUTION, &id) else {
                records.delete(RUNNING, &id);
                return None;
            };
            execution.status = Status::Aborted;
            execution.stopped = Some(now.as_millisecond());
            execution.cause = failure.cause;
            records::put_events(records, &id, [(count + 1, &event)]);
            execution.end(records);
            Some(execution.machine)
        });
        if let Some(machine) = machine {
            machines::gone(aws, &machine);
        }
    }
    maps::record::abort_all(&aws.store, now);
    for (id, ()) in aws.store.list::<()>(UNANNOUNCED) {
        match aws.store.get::<Execution>(records::EXECUTION, &id) {
            Some(execution) => announce(aws, &execution),
            None => aws.store.transaction_soon(|records| records.delete(UNANNOUNCED, &id)),
        }
    }
    records::prune(&aws.store, now);
}
