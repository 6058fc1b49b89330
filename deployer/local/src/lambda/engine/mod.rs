//! Running functions: which environment takes an invocation, when it may start, and what becomes of it.
//!
//! An invocation passes the concurrency limits ([`concurrency`]), waits for its turn when it is one of a series that is
//! measured ([`rounds`]) and for its share of the cores ([`admission`]), takes an idle environment or starts one
//! ([`environment`]), runs at its CPU share ([`cpu_share`]) and writes its log lines ([`journal`]), which say so when other
//! work on this machine disturbed it ([`disturbance`]).

pub mod admission;
mod api_thread;
mod bootstrap;
pub mod concurrency;
pub mod disturbance;
pub mod environment;
pub mod forced_end;
pub mod in_process;
pub mod journal;
pub mod language;
mod launch;
mod machinery;
pub mod opt;
pub mod outcome;
pub mod process;
pub mod rounds;
mod run;
pub mod runtime_api;
mod sandbox;
pub mod spawner;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::{Aws, Caller, Result};

use super::errors::service;
use super::name::LATEST;
use super::package::Packages;
use super::record::{Configuration, FUNCTION, Function, version};
use super::{Behaviour, Invoked};
use admission::Permit;
pub use bootstrap::built_for;
use concurrency::{Concurrency, Running};
use cpu_share::share_of;
pub use cpu_share::{Description, Mechanism, processor};
use environment::Environment;
use forced_end::ForcedEnd;
use in_process::Handlers;
use journal::Delivery;
use language::{Ready, Runtimes};
pub use machinery::Machine;
use opt::Opt;
use run::Run;

/// What an invocation takes of the cores, to its end. One that has a right to whole cores has another one beside them: what wakes up on its
/// core stays there until the kernel has moved it, which takes milliseconds.
fn room(share: f64) -> f64 {
    if share >= 1.0 { share + 1.0 } else { share }
}

/// For this long one that is measured with much of a core waits once it has it: what the invocation before it leaves to do, its answer's way
/// to who measures and the next call, would run on that core.
const SETTLING: Duration = Duration::from_millis(10);
/// How much of a core that is.
const MUCH: f64 = 0.5;

/// Which environments are alike: of one function and version, in one state of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// The function's name.
    pub function: String,
    /// The version.
    pub version: String,
    /// [`Configuration::incarnation`].
    pub incarnation: String,
}

/// The unpacked package of a function, what interprets it, and its layers.
pub type Runtime = (PathBuf, Option<Arc<Ready>>, Option<Opt>);

/// An invocation that may run.
pub struct Job {
    /// Its id.
    pub request_id: String,
    /// The function's name.
    pub function: String,
    /// The version that runs.
    pub configuration: Configuration,
    /// The ARN it was invoked by.
    pub invoked_arn: String,
    /// The event.
    pub payload: Bytes,
    /// The client context, JSON.
    pub client_context: Option<String>,
    /// Whether the tail of the log is wanted.
    pub log_tail: bool,
    /// Whether it runs at full speed and without waiting for free cores.
    pub exempt: bool,
    /// Whether the measuring apparatus invokes it, to measure it.
    pub measured: bool,
    /// Who invoked it.
    pub caller: Caller,
}

/// Everything that runs.
pub struct Engine {
    /// The concurrency limits.
    pub concurrency: Concurrency,
    /// Which functions run in this process.
    pub(super) handlers: Handlers,
    machine: Arc<Machine>,
    /// Whether the machine is another engine's, which will close it.
    lent: bool,
    packages: Packages,
    runtimes: Runtimes,
    state: Mutex<State>,
    closed: AtomicBool,
    deliveries: Mutex<Option<mpsc::Sender<Delivery>>>,
}

#[derive(Default)]
struct State {
    idle: HashMap<Key, Vec<Environment>>,
    /// Running invocations that hold a share of the cores, by function.
    permits: HashMap<String, u32>,
    scratch: Option<PathBuf>,
}

/// A permit, counted among those of its function.
struct FunctionPermit {
    engine: Arc<Engine>,
    function: String,
    permit: Permit,
}

impl Drop for FunctionPermit {
    fn drop(&mut self) {
        let mut state = self.engine.lock();
        if let Some(n) = state.permits.get_mut(&self.function) {
            *n -= 1;
            if *n == 0 {
                state.permits.remove(&self.function);
            }
        }
    }
}

impl Engine {
    /// An engine on a machine of its own.
    pub fn new(packages: Packages, machine: Machine) -> Self {
        Self::on(packages, Arc::new(machine), false)
    }

    /// Another one on the same machine.
    pub fn beside(&self, packages: Packages) -> Self {
        Self::on(packages, Arc::clone(&self.machine), true)
    }

    fn on(packages: Packages, machine: Arc<Machine>, lent: bool) -> Self {
        Self {
            concurrency: Concurrency::default(),
            handlers: Handlers::default(),
            machine,
            lent,
            runtimes: Runtimes::new(packages.runtimes()),
            packages,
            state: Mutex::default(),
            closed: AtomicBool::new(false),
            deliveries: Mutex::default(),
        }
    }

    /// Ends what the environment of a session runs.
    pub async fn force_end(&self, access_key_id: &str, end: ForcedEnd) {
        self.machine.machinery.forced_ends.send(access_key_id, end).await;
    }

    /// How functions get their CPU share.
    pub fn describe(&self) -> Description {
        self.machine.machinery.shares.describe()
    }

    /// What enforces CPU shares.
    pub fn mechanism(&self) -> Mechanism {
        self.machine.machinery.shares.mechanism()
    }

    /// Runs an invocation to its end.
    ///
    /// # Errors
    /// `ServiceException` when the endpoint itself cannot run it.
    pub async fn run(
        self: &Arc<Self>,
        aws: &Arc<Aws>,
        mut job: Job,
        behaviour: &Behaviour,
        _running: Running,
    ) -> Result<Invoked> {
        if self.closed.load(Ordering::Acquire) {
            return Err(service("the endpoint is shutting down"));
        }
        let key = Key {
            function: job.function.clone(),
            version: job.configuration.version.clone(),
            incarnation: job.configuration.incarnation.clone(),
        };
        job.exempt |= self.handler(&job.function, &job.configuration.content).is_some();
        let share = share_of(job.configuration.content.memory_size);
        let _turn = match job.measured {
            true => Some(self.machine.rounds.turn(&job.function, &job.configuration.version).await),
            false => None,
        };
        let mut warm = self.take(&key);
        let mut permit = match job.exempt {
            true => None,
            // An initialization runs at full speed, so it takes a whole core from the others.
            false => {
                let least = if warm.is_some() { 0.0 } else { 1.0 };
                Some(self.admit(&job, room(share).max(least)).await)
            }
        };
        if permit.is_some() && job.measured && share >= MUCH {
            tokio::time::sleep(SETTLING).await;
        }
        if warm.is_none() {
            warm = self.take(&key);
        }
        if let (Some(held), true) = (&mut permit, warm.is_some()) {
            held.permit.shrink(room(share));
        }
        let mut run = Run { engine: self, aws, job: &job, behaviour, share: (!job.exempt).then_some(share) };
        let (invoked, environment) = match warm {
            Some(environment) => run.warm(environment).await,
            None => run.cold(key, permit.as_mut().map(|s| &mut s.permit)).await?,
        };
        drop(permit);
        if let Some(environment) = environment {
            self.give_back(aws, environment, behaviour);
        }
        Ok(invoked)
    }

    async fn admit(self: &Arc<Self>, job: &Job, cores: f64) -> FunctionPermit {
        // A running function that holds a share waits for what it invokes; if that had to wait for the share in turn,
        // neither would ever go on.
        let nested =
            matches!(&job.caller, Caller::Role { session, .. } if self.lock().permits.contains_key(session));
        let permit = match nested {
            true => self.machine.admission.enter_now(cores),
            false => self.machine.admission.enter(cores).await,
        };
        *self.lock().permits.entry(job.function.clone()).or_default() += 1;
        FunctionPermit { engine: Arc::clone(self), function: job.function.clone(), permit }
    }

    /// An idle environment, the one used last.
    fn take(&self, key: &Key) -> Option<Environment> {
        loop {
            let mut environment = {
                let mut state = self.lock();
                let idle = state.idle.get_mut(key)?;
                let environment = idle.pop();
                if idle.is_empty() {
                    state.idle.remove(key);
                }
                environment?
            };
            if environment.alive() && environment.expires > Instant::now() {
                return Some(environment);
            }
        }
    }

    /// Keeps an environment for the next invocation, unless its version has changed or gone meanwhile.
    fn give_back(&self, aws: &Aws, mut environment: Environment, behaviour: &Behaviour) {
        if self.closed.load(Ordering::Acquire) || !is_current(aws, &environment.key) {
            return;
        }
        environment.idle_since = Instant::now();
        let mut dropped = Vec::new();
        let mut state = self.lock();
        state.idle.entry(environment.key.clone()).or_default().push(environment);
        while state.idle.values().map(Vec::len).sum::<usize>() > behaviour.idle_limit {
            let oldest = state.idle.iter().min_by_key(|(_, idle)| idle.first().map(|e| e.idle_since));
            let Some(key) = oldest.map(|(key, _)| key.clone()) else { break };
            if let Some(idle) = state.idle.get_mut(&key) {
                dropped.push(idle.remove(0));
                if idle.is_empty() {
                    state.idle.remove(&key);
                }
            }
        }
        drop(state);
    }

    /// Ends idle environments of a function, all or those of one version, in whatever state.
    pub fn retire(&self, function: &str, version: Option<&str>) {
        self.retire_where(|key| key.function == function && version.is_none_or(|v| key.version == v));
    }

    /// Ends idle environments of a function that are not in the version's present state.
    pub fn retire_outdated(&self, aws: &Aws, function: &str) {
        self.retire_where(|key| key.function == function && !is_current(aws, key));
    }

    fn retire_where(&self, outdated: impl Fn(&Key) -> bool) {
        let keys: Vec<Key> = self.lock().idle.keys().filter(|k| outdated(k)).cloned().collect();
        let retired: Vec<_> = keys.iter().filter_map(|k| self.lock().idle.remove(k)).collect();
        drop(retired);
    }

    /// Ends environments that have been idle for too long.
    pub fn recycle(&self, idle: Duration) {
        let now = Instant::now();
        let mut recycled = Vec::new();
        let mut state = self.lock();
        for environments in state.idle.values_mut() {
            let old = |e: &mut Environment| now.duration_since(e.idle_since) >= idle || e.expires <= now;
            recycled.push(environments.extract_if(.., old).collect());
        }
        state.idle.retain(|_, environments| !environments.is_empty());
        drop(state);
        drop::<Vec<Vec<Environment>>>(recycled);
    }

    /// Waits until the lines written so far have reached their log groups.
    pub async fn flush(&self) {
        let sender = self.deliveries.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (done, delivered) = tokio::sync::oneshot::channel();
        if let Some(sender) = sender
            && sender.send(Delivery::Flush(done)).await.is_ok()
        {
            let _ = delivered.await;
        }
    }

    /// Ends every idle environment and lets none be kept any more.
    pub async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        let idle = std::mem::take(&mut self.lock().idle);
        for mut environment in idle.into_values().flatten() {
            environment.end().await;
        }
        self.deliveries.lock().unwrap_or_else(PoisonError::into_inner).take();
        if !self.lent {
            self.machine.machinery.shares.close().await;
        }
    }

    /// The way to the log groups; the first use starts it.
    pub fn deliveries(&self, aws: &Arc<Aws>) -> mpsc::Sender<Delivery> {
        let mut deliveries = self.deliveries.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = deliveries.get_or_insert_with(|| {
            let (sender, received) = mpsc::channel(64);
            tokio::spawn(deliver(Arc::downgrade(aws), received));
            sender
        });
        sender.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an invocation of the key's version would use an environment of this key.
fn is_current(aws: &Aws, key: &Key) -> bool {
    let Some(function) = aws.store.get::<Function>(FUNCTION, &key.function) else { return false };
    if key.version == LATEST {
        return function.running().incarnation == key.incarnation;
    }
    version(&aws.store, &function, &key.version).is_some_and(|v| v.incarnation == key.incarnation)
}

async fn deliver(aws: std::sync::Weak<Aws>, mut deliveries: mpsc::Receiver<Delivery>) {
    while let Some(delivery) = deliveries.recv().await {
        match delivery {
            Delivery::Lines { caller, group, stream, lines } => {
                let Some(aws) = aws.upgrade() else { return };
                // A role that may not write logs has none, as on AWS.
                let _ = aws.logs.append(&aws, &caller, &group, &stream, &lines);
            }
            Delivery::Flush(done) => {
                let _ = done.send(());
            }
        }
    }
}
