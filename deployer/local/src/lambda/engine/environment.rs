//! One execution environment: a process of the function's code that takes one invocation after another.
//!
//! It is owned by the invocation it runs, and by the pool in between, frozen. Dropping it ends everything it started.

use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};

use crate::Aws;

use super::bootstrap::bootstrap;
use super::cpu_share::Limiter;
use super::doom::{Doom, Doomed, Dooms};
use super::journal::{Journal, Stream};
use super::language::Launch;
use super::opt::Opt;
use super::outcome::{Answer, Failure, Outcome, exited, no_share, out_of_memory, too_large};
use super::process::{self, Groups};
use super::runtime_api::{Call, Event, Reply, RuntimeApi};
use super::spawner::Spawner;
use super::{CpuShares, Key};

/// How often memory is looked at.
const MEMORY_LOOK: Duration = Duration::from_millis(20);

/// What an environment needs to start.
pub struct Start {
    /// Which function, version and state of it.
    pub key: Key,
    /// The unpacked package.
    pub root: PathBuf,
    /// A folder for the environment's own files; it is removed with it.
    pub scratch: tempfile::TempDir,
    /// Its environment variables, without `AWS_LAMBDA_RUNTIME_API`.
    pub variables: Vec<(String, String)>,
    /// What to start; the package's own `bootstrap`, or that of its layers, when there is none.
    pub launch: Option<Launch>,
    /// What its layers hold.
    pub opt: Option<Opt>,
    /// Memory in MB, over which it is ended.
    pub memory_mb: u32,
    /// Where its log lines go.
    pub stream: Stream,
    /// When its credentials are too old for another invocation.
    pub expires: Instant,
    /// The session its credentials belong to.
    pub session: Session,
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

/// The machinery that environments share.
#[derive(Clone)]
pub struct Machinery {
    /// Starts processes.
    pub spawner: Arc<Spawner>,
    /// Gives them their CPU share.
    pub shares: Arc<CpuShares>,
    /// Knows who belongs to whom.
    pub groups: Arc<Groups>,
    /// Ends environments on purpose.
    pub dooms: Dooms,
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
    memory_mb: u32,
    peak_kb: u64,
    next: Option<oneshot::Sender<Event>>,
    calls: mpsc::Receiver<(Instant, Call)>,
    output: pipe::Receiver,
    limiter: Limiter,
    group: Pid,
    child: Child,
    groups: Arc<Groups>,
    ended: bool,
    output_closed: bool,
    look_at_memory: Instant,
    _api: RuntimeApi,
    doomed: Doomed,
    _session: Session,
    _scratch: tempfile::TempDir,
}

enum Happened {
    Called(Instant, Call),
    Exited(std::io::Result<ExitStatus>),
    Wrote,
    TimeUp,
    LookAtMemory,
}

impl Environment {
    /// Starts the process, running at full speed; [`Environment::init`] comes next.
    ///
    /// # Errors
    /// `Runtime.InvalidEntrypoint` when there is nothing to start.
    pub async fn start(start: Start, machinery: &Machinery) -> Result<Self, Failure> {
        let unable = |e: std::io::Error| Failure::new("Runtime.StartError", format!("Error: {e}"));
        let launch = match start.launch {
            Some(launch) => launch,
            None => bootstrap(&start.root, start.opt.as_ref())?,
        };
        let (sender, calls) = mpsc::channel(8);
        let api = RuntimeApi::listen(sender).await.map_err(unable)?;
        let (reader, writer) = std::io::pipe().map_err(unable)?;
        let output = pipe::Receiver::from_owned_fd(OwnedFd::from(reader)).map_err(unable)?;
        let mut command = Command::new(&launch.program);
        command
            .args(launch.arguments)
            .current_dir(&start.root)
            .env_clear()
            .envs(start.variables)
            .env("AWS_LAMBDA_RUNTIME_API", api.address())
            .stdin(Stdio::null())
            .stdout(writer.try_clone().map_err(unable)?)
            .stderr(writer)
            .kill_on_drop(true);
        let room = machinery.shares.room(start.memory_mb).map_err(unable)?;
        let doors = room.doors().map_err(unable)?;
        let mount = start.opt.as_ref().and_then(Opt::mount);
        let child = machinery.spawner.spawn(command, doors, mount).await.map_err(|e| {
            let reason = match e.kind() {
                ErrorKind::PermissionDenied => "permission denied".to_owned(),
                ErrorKind::NotFound => "no such file or directory".to_owned(),
                _ => e.to_string(),
            };
            let program = match &launch.version {
                None if launch.program.starts_with(&start.root) => "/var/task/bootstrap".to_owned(),
                None => "/opt/bootstrap".to_owned(),
                Some(_) => launch.program.display().to_string(),
            };
            Failure::new("Runtime.InvalidEntrypoint", format!("Error: fork/exec {program}: {reason}"))
        })?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
        let group = group.ok_or_else(|| Failure::new("Runtime.ExitError", "Error: Runtime exited"))?;
        let now = Instant::now();
        Ok(Self {
            key: start.key,
            stream: start.stream,
            expires: start.expires,
            idle_since: now,
            runtime_version: launch.version,
            memory_mb: start.memory_mb,
            peak_kb: 0,
            next: None,
            calls,
            output,
            limiter: machinery.shares.limiter(group, room),
            group,
            child,
            groups: Arc::clone(&machinery.groups),
            ended: false,
            output_closed: false,
            look_at_memory: now,
            _api: api,
            doomed: machinery.dooms.watch(&start.session.access_key_id),
            _session: start.session,
            _scratch: start.scratch,
        })
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
        if let Err(e) = self.limiter.run(share) {
            self.end().await;
            return Err(no_share(&e));
        }
        let result = loop {
            match self.happens(began + limit, journal).await {
                Happened::Called(at, Call::Next(next)) => {
                    self.next = Some(next);
                    break Ok(at.saturating_duration_since(began));
                }
                Happened::Called(_, Call::InitError { body, kind, reply }) => {
                    let _ = reply.send(Reply::Accepted);
                    let kind = kind.unwrap_or_else(|| "Runtime.Unknown".to_owned());
                    break Err(Failure { kind, message: String::new(), document: Some(body) });
                }
                Happened::Called(_, call) => refuse(call, Reply::WrongState),
                Happened::Exited(status) => break Err(self.exited(status)),
                Happened::TimeUp => break Err(Failure::new("Sandbox.Timedout", "")),
                Happened::LookAtMemory => {
                    if self.over_memory() {
                        break Err(out_of_memory());
                    }
                }
                Happened::Wrote => {}
            }
        };
        self.drain_output(journal);
        match &result {
            Ok(_) => self.limiter.freeze(),
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
        if let Err(e) = self.limiter.run(share) {
            self.end().await;
            return Outcome { duration: Duration::ZERO, answer: Err(no_share(&e)) };
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
                Happened::Exited(status) => break (began.elapsed(), Some(self.exited(status))),
                Happened::TimeUp => {
                    let message = format!("Error: Task timed out after {:.2} seconds", limit.as_secs_f64());
                    // Whatever the timer's delay, Lambda reports the limit.
                    break (limit, Some(Failure::new("Sandbox.Timedout", message)));
                }
                Happened::LookAtMemory => {
                    if self.over_memory() {
                        break (began.elapsed(), Some(out_of_memory()));
                    }
                }
                Happened::Wrote => {}
            }
        };
        if failure.is_none() {
            self.limiter.freeze();
        }
        self.drain_output(journal);
        let over = self.over_memory();
        let answer = match (answer, failure) {
            // What a function has to say whose child the kernel has just ended.
            (Some(Answer::Error(..)), None) if over && self.limiter.memory().is_some() => {
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
        Outcome { duration, answer }
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
        let mut buffer = [0; 16 * 1024];
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
            doom = self.doomed.next() => match doom {
                Doom::TimeUp => Happened::TimeUp,
                Doom::Crash => {
                    let _ = killpg(self.group, Signal::SIGKILL);
                    Happened::Exited(self.child.wait().await)
                }
            },
            status = self.child.wait() => Happened::Exited(status),
            read = read_some(&self.output, &mut buffer), if !self.output_closed => {
                match read {
                    Some(n) => journal.output(&buffer[..n]),
                    None => self.output_closed = true,
                }
                Happened::Wrote
            }
        }
    }

    /// Reads what has been written up to now. It asks the kernel itself, since the runtime's reactor may not have heard of
    /// the last piece yet.
    fn drain_output(&self, journal: &mut Journal) {
        let mut buffer = [0; 16 * 1024];
        while let Ok(n @ 1..) = nix::unistd::read(&self.output, &mut buffer) {
            journal.output(&buffer[..n]);
        }
    }

    fn exited(&self, status: std::io::Result<ExitStatus>) -> Failure {
        if self.limiter.memory().is_some_and(|memory| memory.exceeded) {
            return out_of_memory();
        }
        exited(status)
    }

    fn limit_kb(&self) -> u64 {
        u64::from(self.memory_mb) * 1024
    }

    /// Reads how much memory is in use, and says whether that is too much.
    fn over_memory(&mut self) -> bool {
        let leader = self.group.as_raw();
        let own = process::resident(leader);
        if let Some(memory) = self.limiter.memory() {
            // The program itself lies in files, which the kernel counts for whoever read them first.
            self.peak_kb = self.peak_kb.max(memory.most_kb).max(own.map_or(0, |own| own.peak));
            return memory.exceeded;
        }
        if let Some(own) = own {
            let others = self.groups.others(leader);
            self.limiter.members(&others);
            let theirs: u64 = others.iter().filter_map(|pid| process::resident(*pid)).map(|m| m.now).sum();
            self.peak_kb = self.peak_kb.max(own.peak).max(own.now + theirs);
        }
        self.peak_kb > self.limit_kb()
    }

    /// The most memory in use so far, in MB, at most the function's size.
    pub fn max_memory_mb(&self) -> u64 {
        self.peak_kb.div_ceil(1024).min(u64::from(self.memory_mb))
    }

    /// Whether it is there to be invoked.
    pub fn alive(&mut self) -> bool {
        !self.ended && matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends the process and everything in its group, and waits for the process to be gone.
    pub async fn end(&mut self) {
        self.kill();
        let _ = self.child.wait().await;
    }

    fn kill(&mut self) {
        self.ended = true;
        self.limiter.kill();
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        if !self.ended {
            self.kill();
        }
    }
}

/// Reads what is there, waiting for something; `None` at the end.
async fn read_some(output: &pipe::Receiver, buffer: &mut [u8]) -> Option<usize> {
    loop {
        output.readable().await.ok()?;
        match output.try_read(buffer) {
            Ok(0) => return None,
            Ok(n) => return Some(n),
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return None,
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
