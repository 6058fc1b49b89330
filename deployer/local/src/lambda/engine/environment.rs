//! One execution environment: it takes one invocation after another.
//!
//! It is owned by the invocation it runs, and by the pool in between, frozen. Dropping it ends everything it started.

use std::sync::Weak;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use crate::Aws;

use super::Key;
use super::forced_end::{ForcedEnd, Watch};
use super::in_process::{Handler, Task};
use super::journal::{Journal, Stream};
use super::machinery::Machinery;
use super::outcome::{Answer, Failure, Outcome, Sign, no_share, out_of_memory, too_large};
use super::runtime_api::{Call, Event, Reply};
use super::sandbox::{Package, Process, Sandbox};

/// How often memory is looked at.
const MEMORY_LOOK: Duration = Duration::from_millis(20);

/// What an environment needs to start.
pub struct Start {
    /// Which function, version and state of it.
    pub key: Key,
    /// The code.
    pub code: Code,
    /// A folder for the environment's own files; it is removed with it.
    pub scratch: tempfile::TempDir,
    /// Its environment variables, without `AWS_LAMBDA_RUNTIME_API`.
    pub variables: Vec<(String, String)>,
    /// Memory in MB, over which it is ended.
    pub memory_mb: u32,
    /// Where its log lines go.
    pub stream: Stream,
    /// When its credentials are too old for another invocation.
    pub expires: Instant,
    /// The session its credentials belong to.
    pub session: Session,
}

/// The code of a function.
pub enum Code {
    /// Unpacked, for a process of its own.
    Package(Package),
    /// A handler in this process.
    InProcess(Handler),
}

/// A role's session, ended with the environment that acts in it.
pub struct Session {
    /// Whose session it is.
    pub aws: Weak<Aws>,
    /// Its access key.
    pub access_key_id: String,
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(aws) = self.aws.upgrade() {
            aws.iam.end_session(&self.access_key_id);
        }
    }
}

/// An execution environment.
pub struct Environment {
    /// Which function, version and state of it.
    pub key: Key,
    /// Where its log lines go.
    pub stream: Stream,
    /// When its credentials are too old for another invocation.
    pub expires: Instant,
    /// Since when it has had nothing to do.
    pub idle_since: Instant,
    /// The interpreter's version; `None` for a package that runs by itself.
    pub runtime_version: Option<String>,
    next: Option<oneshot::Sender<Event>>,
    calls: mpsc::Receiver<(Instant, Call)>,
    sandbox: Sandbox,
    ended: bool,
    look_at_memory: Instant,
    /// Whether somebody wants to know by how much other work delays it.
    watched: bool,
    /// By how much that has delayed its initialization.
    init_delay: Duration,
    /// When its process was started.
    started: Instant,
    watch: Watch,
    _session: Session,
    _scratch: tempfile::TempDir,
}

enum Happened {
    Called(Instant, Call),
    Ended(Failure),
    Wrote,
    TimeUp,
    LookAtMemory,
}

impl Environment {
    /// Starts what runs the code, at full speed; [`Environment::init`] comes next.
    ///
    /// # Errors
    /// `Runtime.InvalidEntrypoint` when there is nothing to start.
    pub async fn start(start: Start, machinery: &Machinery) -> Result<Self, Failure> {
        let (sender, calls) = mpsc::channel(8);
        let (variables, memory_mb) = (start.variables, start.memory_mb);
        let started = Instant::now();
        let (sandbox, runtime_version) = match start.code {
            Code::Package(package) => {
                let process = Process::start(package, variables, memory_mb, sender, machinery);
                let (process, version) = process.await?;
                (Sandbox::Process(Box::new(process)), version)
            }
            Code::InProcess(handler) => {
                (Sandbox::InProcess(Task::start(handler, variables, memory_mb, sender)), None)
            }
        };
        let now = Instant::now();
        Ok(Self {
            key: start.key,
            stream: start.stream,
            expires: start.expires,
            idle_since: now,
            runtime_version,
            next: None,
            calls,
            sandbox,
            ended: false,
            look_at_memory: now,
            watched: false,
            init_delay: Duration::ZERO,
            started,
            watch: machinery.forced_ends.watch(&start.session.access_key_id),
            _session: start.session,
            _scratch: start.scratch,
        })
    }

    /// Whether somebody wants to know by how much other work on this machine delays it from now on.
    pub fn watch(&mut self, watched: bool) {
        self.watched = watched;
    }

    /// Runs the initialization to its end, the runtime's first request for an event. `share` is none for full speed.
    ///
    /// # Errors
    /// Why it failed; the environment is ended then.
    pub async fn init(
        &mut self,
        limit: Duration,
        share: Option<f64>,
        journal: &mut Journal,
    ) -> Result<Duration, Failure> {
        let began = Instant::now();
        if self.watched {
            self.sandbox.watch(true);
        }
        if let Err(e) = self.sandbox.run(share) {
            self.end().await;
            return Err(no_share(&e));
        }
        let result = loop {
            match self.happens(began + limit, journal).await {
                Happened::Called(at, Call::Next(next)) => {
                    self.next = Some(next);
                    // On a busy machine the code may be ready before its share is set: what it took then is what its start took.
                    let took = at.checked_duration_since(began);
                    break Ok(took.unwrap_or_else(|| at.saturating_duration_since(self.started)));
                }
                Happened::Called(_, Call::InitError { body, kind, reply }) => {
                    let _ = reply.send(Reply::Accepted);
                    let kind = kind.unwrap_or_else(|| "Runtime.Unknown".to_owned());
                    break Err(Failure { kind, message: String::new(), document: Some(body) });
                }
                Happened::Called(_, call) => refuse(call, Reply::WrongState),
                Happened::Ended(failure) => break Err(failure),
                Happened::TimeUp => break Err(Failure::new("Sandbox.Timedout", "")),
                Happened::LookAtMemory => {
                    if self.sandbox.over_memory() {
                        break Err(out_of_memory());
                    }
                }
                Happened::Wrote => {}
            }
        };
        self.init_delay = self.sandbox.delay(began.elapsed(), share);
        self.sandbox.drain_output(journal);
        match &result {
            Ok(_) => self.sandbox.freeze(),
            Err(_) => self.end().await,
        }
        result
    }

    /// Runs one invocation at a share of a core, or with none at full speed. An environment that is not reusable
    /// afterwards has been ended.
    pub async fn invoke(
        &mut self,
        event: Event,
        limit: Duration,
        share: Option<f64>,
        journal: &mut Journal,
    ) -> Outcome {
        let request_id = event.request_id.clone();
        let mut event = Some(event);
        let mut answer = None;
        if self.watched {
            self.sandbox.watch(false);
        }
        if let Err(e) = self.sandbox.run(share) {
            self.end().await;
            return Outcome { duration: Duration::ZERO, delay: Duration::ZERO, answer: Err(no_share(&e)) };
        }
        let began = Instant::now();
        self.hand_over(&mut event);
        let (duration, failure) = loop {
            match self.happens(began + limit, journal).await {
                Happened::Called(at, Call::Next(next)) => {
                    self.next = Some(next);
                    if answer.is_some() {
                        break (at.saturating_duration_since(began), None);
                    }
                    // The runtime asks again when its connection was lost before it got the event, and not otherwise.
                    self.hand_over(&mut event);
                }
                Happened::Called(_, Call::Response { request_id: id, body, reply }) => {
                    if id != request_id || answer.is_some() {
                        let _ = reply.send(Reply::UnknownRequest);
                        continue;
                    }
                    answer = Some(match body {
                        Some(body) => Answer::Response(body),
                        None => too_large(),
                    });
                    let _ = reply.send(Reply::Accepted);
                }
                Happened::Called(_, Call::Error { request_id: id, body, kind, reply }) => {
                    if id != request_id || answer.is_some() {
                        let _ = reply.send(Reply::UnknownRequest);
                        continue;
                    }
                    answer = Some(Answer::Error(body, kind));
                    let _ = reply.send(Reply::Accepted);
                }
                Happened::Called(_, call) => refuse(call, Reply::WrongState),
                Happened::Ended(failure) => break (began.elapsed(), Some(failure)),
                Happened::TimeUp => {
                    let message = format!("Error: Task timed out after {:.2} seconds", limit.as_secs_f64());
                    // Whatever the timer's delay, Lambda reports the limit.
                    break (limit, Some(Failure::new("Sandbox.Timedout", message)));
                }
                Happened::LookAtMemory => {
                    if self.sandbox.over_memory() {
                        break (began.elapsed(), Some(out_of_memory()));
                    }
                }
                Happened::Wrote => {}
            }
        };
        let delay = self.sandbox.delay(duration, share) + std::mem::take(&mut self.init_delay);
        if failure.is_none() {
            self.sandbox.freeze();
        }
        self.sandbox.drain_output(journal);
        let over = self.sandbox.over_memory();
        let answer = match (answer, failure) {
            // What a function has to say whose child the kernel has just ended.
            (Some(Answer::Error(..)), None) if over && self.sandbox.limited_by_kernel() => {
                self.end().await;
                Err(out_of_memory())
            }
            // An answer that was given counts, whatever happens to the runtime after it.
            (Some(answer), failure) => {
                if failure.is_some() || over {
                    self.end().await;
                }
                Ok(answer)
            }
            (None, Some(failure)) => {
                self.end().await;
                Err(failure)
            }
            (None, None) => Err(Failure::new("Runtime.Unknown", "Error: Runtime gave no answer")),
        };
        Outcome { duration, delay, answer }
    }

    fn hand_over(&mut self, event: &mut Option<Event>) {
        if let (Some(next), Some(handed)) = (self.next.take(), event.take())
            && let Err(lost) = next.send(handed)
        {
            *event = Some(lost);
        }
    }

    /// The next thing that happens, output already journalled.
    async fn happens(&mut self, until: Instant, journal: &mut Journal) -> Happened {
        journal.relieve().await;
        tokio::select! {
            // What the runtime said before its time was up or it exited counts, so calls come first; output may be
            // endless, so it comes last.
            biased;
            Some((at, call)) = self.calls.recv() => Happened::Called(at, call),
            () = tokio::time::sleep_until(until.into()) => Happened::TimeUp,
            () = tokio::time::sleep_until(self.look_at_memory.into()) => {
                self.look_at_memory = Instant::now() + MEMORY_LOOK;
                Happened::LookAtMemory
            }
            end = self.watch.next() => match end {
                ForcedEnd::TimeUp => Happened::TimeUp,
                ForcedEnd::Crash => Happened::Ended(self.sandbox.crash().await),
            },
            sign = self.sandbox.next(journal) => match sign {
                Sign::Ended(failure) => Happened::Ended(failure),
                Sign::Wrote => Happened::Wrote,
            },
        }
    }

    /// The most memory in use so far, in MB, at most the function's size.
    pub fn max_memory_mb(&self) -> u64 {
        self.sandbox.max_memory_mb()
    }

    /// Whether it is there to be invoked.
    pub fn alive(&mut self) -> bool {
        !self.ended && self.sandbox.alive()
    }

    /// Ends the code and everything it started, and waits for it to be gone.
    pub async fn end(&mut self) {
        self.ended = true;
        self.sandbox.kill();
        self.sandbox.gone().await;
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        if !self.ended {
            self.sandbox.kill();
        }
    }
}

fn refuse(call: Call, with: Reply) {
    match call {
        // Dropping the other end answers it.
        Call::Next(_) => {}
        Call::Response { reply, .. } | Call::Error { reply, .. } | Call::InitError { reply, .. } => {
            let _ = reply.send(with);
        }
    }
}
