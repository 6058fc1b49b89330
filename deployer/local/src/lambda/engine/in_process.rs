//! Functions that run as handlers in the endpoint's own process instead of as processes of their own.
//!
//! For tests of handlers: [`Lambda::run_in_process`](crate::lambda::Lambda::run_in_process) names the functions. Everything
//! but the process stays as it is: versions, states, concurrency, environments that are reused, time-outs, injected faults,
//! log lines, and the role's permissions for what the handler calls. There is no CPU share and no waiting for one, and the
//! log says that 0 MB of memory were used, since nobody measures it.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::pin::Pin;
use std::process::ExitStatus;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant, UNIX_EPOCH};

use bytes::Bytes;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinError, JoinHandle};

use super::journal::Journal;
use super::outcome::{Failure, Sign, exited, out_of_memory};
use super::runtime_api::{Call, Event, PAYLOAD_LIMIT};

/// Handles one invocation. The future is dropped when the invocation times out or a fault ends it.
pub type Handler = Arc<dyn Fn(Invocation) -> Handling + Send + Sync>;

/// A handler at work.
pub type Handling = Pin<Box<dyn Future<Output = Result<Value, FunctionError>> + Send>>;

/// The function that an environment is to be started for.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Its name.
    pub function: &'a str,
    /// Its handler setting, which a process finds in `_HANDLER`.
    pub handler: &'a str,
}

/// What a handler is given.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The event as it was sent.
    pub event: Bytes,
    /// The invocation's id.
    pub request_id: String,
    /// When it times out.
    pub deadline: std::time::SystemTime,
    /// The ARN it was invoked by, with its qualifier.
    pub function_arn: String,
    /// The client context, JSON.
    pub client_context: Option<String>,
    /// The function's size in MB.
    pub memory_mb: u32,
    /// What a process would find in its environment. `AWS_LAMBDA_LOG_STREAM_NAME` is another one for each execution
    /// environment, so it tells a cold start from a warm one.
    pub variables: Arc<BTreeMap<String, String>>,
    /// Takes what a process would write to standard output; lines, without their ends.
    pub log: Log,
}

/// The way to an environment's log.
#[derive(Debug, Clone)]
pub struct Log(mpsc::UnboundedSender<String>);

impl Log {
    /// Writes a line.
    pub fn line(&self, line: impl Into<String>) {
        // What is written after the environment has ended is lost, as a process's last words are.
        let _ = self.0.send(line.into());
    }
}

/// Why an invocation has no result.
#[derive(Debug, Clone, PartialEq)]
pub enum FunctionError {
    /// The handler failed and said so; the environment lives on.
    Raised {
        /// `errorType`.
        kind: String,
        /// `errorMessage`.
        message: String,
        /// Further members of the error document, such as `stackTrace`.
        further: serde_json::Map<String, Value>,
    },
    /// The process would exit with this status.
    Exits(i32),
    /// The process would be killed for its memory.
    OutOfMemory,
}

impl FunctionError {
    /// One that the handler raises, with nothing but type and message.
    pub fn raised(kind: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Raised { kind: kind.into(), message: message.into(), further: serde_json::Map::new() }
    }
}

type Choice = Box<dyn Fn(Candidate<'_>) -> Option<Handler> + Send + Sync>;

/// Which functions run in this process.
#[derive(Default)]
pub(in crate::lambda) struct Handlers(RwLock<Vec<Choice>>);

impl Handlers {
    /// Adds a choice; earlier ones come first.
    pub(in crate::lambda) fn add(&self, choice: Choice) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(choice);
    }

    /// The handler of a function, when it has one.
    pub(in crate::lambda) fn find(&self, candidate: Candidate<'_>) -> Option<Handler> {
        let choices = self.0.read().unwrap_or_else(PoisonError::into_inner);
        choices.iter().find_map(|choice| choice(candidate))
    }
}

/// An environment whose code is a handler.
pub(in crate::lambda) struct Task {
    running: JoinHandle<Failure>,
    ended: bool,
    written: mpsc::UnboundedReceiver<String>,
}

impl Task {
    /// Starts taking events; what the handler answers goes to `calls`.
    pub(in crate::lambda) fn start(
        handler: Handler,
        variables: Vec<(String, String)>,
        memory_mb: u32,
        calls: mpsc::Sender<(Instant, Call)>,
    ) -> Self {
        let (log, written) = mpsc::unbounded_channel();
        let variables = Arc::new(variables.into_iter().collect());
        let running = tokio::spawn(async move {
            let invocation = move |event: Event| Invocation {
                event: event.payload,
                request_id: event.request_id,
                deadline: UNIX_EPOCH
                    + Duration::from_millis(u64::try_from(event.deadline_ms).unwrap_or_default()),
                function_arn: event.function_arn,
                client_context: event.client_context,
                memory_mb,
                variables: Arc::clone(&variables),
                log: Log(log.clone()),
            };
            serve(&handler, invocation, &calls).await
        });
        Self { running, ended: false, written }
    }

    pub(in crate::lambda) async fn next(&mut self, journal: &mut Journal) -> Sign {
        tokio::select! {
            biased;
            ended = &mut self.running, if !self.ended => {
                self.ended = true;
                Sign::Ended(ended.unwrap_or_else(|e| panicked(&e)))
            }
            Some(line) = self.written.recv() => {
                write(journal, line);
                Sign::Wrote
            }
            else => std::future::pending().await,
        }
    }

    pub(in crate::lambda) async fn crash(&mut self) -> Failure {
        self.kill();
        self.gone().await;
        exited(Ok(ExitStatus::from_raw(Signal::SIGKILL as i32)))
    }

    pub(in crate::lambda) fn drain_output(&mut self, journal: &mut Journal) {
        while let Ok(line) = self.written.try_recv() {
            write(journal, line);
        }
    }

    pub(in crate::lambda) fn alive(&self) -> bool {
        !self.running.is_finished()
    }

    pub(in crate::lambda) fn kill(&self) {
        self.running.abort();
    }

    /// Waits until the handler's future has been dropped.
    pub(in crate::lambda) async fn gone(&mut self) {
        if !self.ended {
            let _ = (&mut self.running).await;
            self.ended = true;
        }
    }
}

/// Takes one event after another until the code would end its process.
async fn serve(
    handler: &Handler,
    invocation: impl Fn(Event) -> Invocation,
    calls: &mpsc::Sender<(Instant, Call)>,
) -> Failure {
    let shut_down = || exited(Ok(ExitStatus::from_raw(0)));
    loop {
        let (ready, event) = oneshot::channel();
        if calls.send((Instant::now(), Call::Next(ready))).await.is_err() {
            return shut_down();
        }
        let Ok(event) = event.await else { return shut_down() };
        let request_id = event.request_id.clone();
        let result = handler(invocation(event)).await;
        let (reply, _accepted) = oneshot::channel();
        let call = match result {
            Ok(value) => {
                let body = Some(Bytes::from(value.to_string())).filter(|body| body.len() <= PAYLOAD_LIMIT);
                Call::Response { request_id, body, reply }
            }
            Err(FunctionError::Raised { kind, message, mut further }) => {
                further.insert("errorType".to_owned(), json!(kind));
                further.insert("errorMessage".to_owned(), json!(message));
                let body = Bytes::from(Value::Object(further).to_string());
                Call::Error { request_id, body, kind: Some(kind), reply }
            }
            Err(FunctionError::Exits(code)) => return exited(Ok(ExitStatus::from_raw((code & 0xff) << 8))),
            Err(FunctionError::OutOfMemory) => return out_of_memory(),
        };
        if calls.send((Instant::now(), call)).await.is_err() {
            return shut_down();
        }
    }
}

/// A handler that panics ends as a program does that aborts on a panic.
fn panicked(_: &JoinError) -> Failure {
    exited(Ok(ExitStatus::from_raw(Signal::SIGABRT as i32)))
}

fn write(journal: &mut Journal, line: String) {
    let mut bytes = line.into_bytes();
    bytes.push(b'\n');
    journal.output(&bytes);
}
