//! The course of a Map Run: one execution for each item, as many at a time as may be, until all have ended, too many have
//! failed or the execution that waits is stopped.

use std::collections::HashMap;
use std::sync::Arc;

use asl::{
    EXCEED_TOLERATED_FAILURE_THRESHOLD, Failure, Flow, ITEM_READER_FAILED, LARGEST, MapRun as Job,
    PERMISSIONS, Pending, Source,
};
use jiff::Timestamp;
use md5::Digest as _;
use serde_json::Value;
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinSet;

use super::record::{self, Counts, MAP_RUN, MapRun};
use super::results;
use crate::states::names;
use crate::states::records::{EXECUTION, Execution, Origin, Status};
use crate::states::run::{Ending, Running};
use crate::states::tasks::{Account, said};
use crate::{ApiError, Aws, Caller, Result, ids};

/// AWS runs at most so many executions of a Map Run at a time.
const WIDEST: usize = 10_000;

/// A Map Run that goes on.
pub struct Live {
    stop: watch::Sender<bool>,
    ended: watch::Sender<bool>,
    changed: Notify,
}

impl Live {
    /// Has its limits read again.
    pub fn look_again(&self) {
        self.changed.notify_one();
    }

    /// Waits until it has ended and is recorded so.
    pub async fn ended(&self) {
        let mut ended = self.ended.subscribe();
        // The sender lives in `self`.
        let _ = ended.wait_for(|ended| *ended).await;
    }
}

/// Stops a Map Run when nobody waits for it any more.
struct Waiting(Arc<Live>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.stop.send_replace(true);
    }
}

/// How a Map Run comes to its end.
enum End {
    /// All executions have ended.
    Done,
    /// It was stopped.
    Stopped,
    /// It failed.
    Failed(Failure),
}

/// A Map Run on its way.
struct Course {
    aws: Arc<Aws>,
    caller: Caller,
    job: Job,
    run: MapRun,
    revision: String,
    live: Arc<Live>,
}

/// An item with its execution, once that has ended.
pub struct Child {
    /// The execution's input.
    pub input: Value,
    /// The execution.
    pub ended: Option<Execution>,
}

/// Begins a Map Run of an execution; gives its ARN, and the future that ends with its result.
pub fn begin(account: &Account, job: Job) -> (String, Pending<'static, Result<Value, Failure>>) {
    let (aws, parent) = (Arc::clone(&account.aws), &account.execution);
    let label = job.label.clone().unwrap_or_else(|| label(&parent.revision, &job.state));
    let run = MapRun {
        machine: parent.machine.clone(),
        label,
        uuid: ids::uuid(),
        execution: parent.arn(&aws),
        definition: job.definition.to_string(),
        status: Status::Running,
        started: Timestamp::now().as_millisecond(),
        stopped: None,
        concurrency: job.concurrency,
        tolerated_count: job.tolerance.count,
        tolerated_percentage: job.tolerance.percentage,
        counts: Counts::default(),
    };
    let live = Arc::new(Live {
        stop: watch::Sender::new(false),
        ended: watch::Sender::new(false),
        changed: Notify::new(),
    });
    let (id, parent_id) = (run.id(), parent.id());
    aws.states.maps().insert(id.clone(), Arc::clone(&live));
    aws.store.transaction(|records| run.begin(records, &parent_id));
    let arn = names::map_run_arn(&aws, &id);
    let course = Course {
        aws,
        caller: account.caller(),
        job,
        run,
        revision: parent.revision.clone(),
        live: Arc::clone(&live),
    };
    let (tell, told) = oneshot::channel();
    // On its own, for it stops its executions and writes their results when nobody waits any more.
    tokio::spawn(async move {
        let _ = tell.send(course.run().await);
    });
    let waiting = Waiting(live);
    let result = Box::pin(async move {
        let result = told.await;
        drop(waiting);
        result.unwrap_or_else(|_| {
            Err(Failure::runtime("The local endpoint failed to run the distributed Map: this is its defect."))
        })
    });
    (arn, result)
}

/// The label of a state that was given none: the same one as long as its machine stays the same.
fn label(revision: &str, state: &str) -> String {
    let digest = md5::Md5::digest(format!("{revision}/{state}"));
    uuid::Builder::from_md5_bytes(digest.into()).into_uuid().to_string()
}

impl Course {
    async fn run(self) -> Result<Value, Failure> {
        let mut stop = self.live.stop.subscribe();
        let inputs = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => Err(stopped()),
            inputs = self.inputs() => inputs,
        };
        let (children, end) = match inputs {
            Ok(inputs) => {
                self.count(|counts| counts.pending = inputs.len() as u64);
                self.executions(inputs).await
            }
            Err(_) if *self.live.stop.borrow() => (Vec::new(), End::Stopped),
            Err(failure) => (Vec::new(), End::Failed(failure)),
        };
        let (status, result) = match end {
            End::Done => match self.results(&children).await {
                Ok(result) => (Status::Succeeded, Ok(result)),
                Err(failure) => (Status::Failed, Err(failure)),
            },
            // What has ended is exported all the same, and what has not begun: to go on from there.
            End::Stopped => {
                self.export(&children).await;
                (Status::Aborted, Err(stopped()))
            }
            End::Failed(failure) => {
                self.export(&children).await;
                (Status::Failed, Err(failure))
            }
        };
        self.end(status);
        result
    }

    async fn results(&self, children: &[Child]) -> Result<Value, Failure> {
        let result = results::of(&self.aws, &self.caller, &self.job, &self.run, children).await?;
        self.count(|counts| counts.results_written = counts.over());
        Ok(result)
    }

    /// Writes what is known of a run without a result, when that goes to S3; a failure has its own reason already.
    async fn export(&self, children: &[Child]) {
        let exports = self.job.export.as_ref().is_some_and(|export| export.destination.is_some());
        if exports && !children.is_empty() {
            let _ = self.results(children).await;
        }
    }

    fn count(&self, change: impl FnOnce(&mut Counts)) {
        self.aws.store.transaction(|records| record::counted(records, &self.run.id(), change));
    }

    fn end(&self, status: Status) {
        let id = self.run.id();
        self.aws.store.transaction(|records| {
            record::changed(records, &id, |run| {
                (run.status, run.stopped) = (status, Some(Timestamp::now().as_millisecond()));
            });
        });
        self.aws.states.maps().remove(&id);
        self.live.ended.send_replace(true);
    }

    /// The executions' inputs.
    async fn inputs(&self) -> Result<Vec<Value>, Failure> {
        let items = match &self.job.source {
            Source::Items(items) => items.clone(),
            Source::Object(location) => self.job.items(&self.read(location).await?)?,
        };
        self.job.inputs(items)
    }

    async fn read(&self, location: &Value) -> Result<bytes::Bytes, Failure> {
        let failed = |cause: String| Failure::new(ITEM_READER_FAILED, cause);
        let [bucket, key] = results::texts(location, ["Bucket", "Key"]).map_err(failed)?;
        let (Some(bucket), Some(key)) = (bucket, key) else {
            return Err(failed("the parameters of ItemReader need Bucket and Key".to_owned()));
        };
        let object = self.aws.s3.get_object(&self.aws, &self.caller, bucket, key).await;
        object.map(|object| object.body).map_err(|error| failed(said(&error, "Amazon S3")))
    }

    /// Runs the executions.
    async fn executions(&self, inputs: Vec<Value>) -> (Vec<Child>, End) {
        let mut stop = self.live.stop.subscribe();
        let mut children: Vec<Child> = inputs.into_iter().map(|input| Child { input, ended: None }).collect();
        let mut running: HashMap<usize, Arc<Running>> = HashMap::new();
        let mut set: JoinSet<(usize, Option<Execution>)> = JoinSet::new();
        let mut next = 0;
        let mut end: Option<End> = None;
        loop {
            let run =
                self.aws.store.get::<MapRun>(MAP_RUN, &self.run.id()).unwrap_or_else(|| self.run.clone());
            if end.is_none() && run.tolerance().exceeded(run.counts.failures(), run.counts.total()) {
                let cause = "The specified tolerated failure threshold was exceeded";
                end = Some(End::Failed(Failure::new(EXCEED_TOLERATED_FAILURE_THRESHOLD, cause)));
                ask(&running, "The Map Run failed.");
            }
            let limit = usize::try_from(run.concurrency).unwrap_or(WIDEST);
            let limit = if limit == 0 { WIDEST } else { limit.min(WIDEST) };
            while end.is_none() && set.len() < limit && next < children.len() {
                match self.start(&children[next].input) {
                    Ok((id, execution)) => {
                        let (aws, index, waited) = (Arc::clone(&self.aws), next, Arc::clone(&execution));
                        set.spawn(async move {
                            waited.ended().await;
                            (index, aws.store.get::<Execution>(EXECUTION, &id))
                        });
                        running.insert(next, execution);
                        next += 1;
                    }
                    Err(failure) => {
                        end = Some(End::Failed(failure));
                        ask(&running, "The Map Run failed.");
                    }
                }
            }
            if set.is_empty() {
                return (children, end.unwrap_or(End::Done));
            }
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop), if end.is_none() => {
                    end = Some(End::Stopped);
                    ask(&running, "The Map Run was aborted.");
                }
                Some(Ok((index, execution))) = set.join_next() => {
                    running.remove(&index);
                    children[index].ended = execution;
                }
                () = self.live.changed.notified() => {}
            }
        }
    }

    /// Starts one execution; gives its id in the store.
    fn start(&self, input: &Value) -> Result<(String, Arc<Running>), Failure> {
        let aws = &self.aws;
        let machine = names::machine_arn(aws, &self.run.machine);
        aws.iam.authorize(aws, &self.caller, "states:StartExecution", &machine).map_err(|e| denied(&e))?;
        let text = input.to_string();
        if text.len() > LARGEST {
            return Err(Failure::too_large(&self.job.state, "was given an input"));
        }
        let mut execution = Execution::new(&self.run.machine, ids::uuid(), &self.revision, text);
        execution.origin = Some(Origin { label: self.run.label.clone(), run: self.run.uuid.clone() });
        let id = execution.id();
        let flow: Arc<Flow> = Arc::clone(&self.job.processor);
        // Held over both, so that whoever finds the record finds the running execution too.
        let mut running = aws.states.running();
        aws.store.transaction(|records| execution.begin(records));
        let launched = Running::launch(aws, execution, input.clone(), Some(flow));
        running.insert(id.clone(), Arc::clone(&launched));
        Ok((id, launched))
    }
}

fn ask(running: &HashMap<usize, Arc<Running>>, cause: &str) {
    for execution in running.values() {
        execution.ask(Ending { cause: Some(cause.to_owned()), ..Ending::default() });
    }
}

fn stopped() -> Failure {
    Failure::runtime("The Map Run was aborted.")
}

/// The error of a role that may not start the executions of its own machine.
fn denied(error: &ApiError) -> Failure {
    let (message, status, id) = (&error.message, error.status, ids::uuid());
    let cause = format!(
        "Error contacting AWS Service. | Message from Service: {message} (Service: Sfn, Status Code: {status}, Request ID: {id})"
    );
    Failure::new(PERMISSIONS, cause)
}
