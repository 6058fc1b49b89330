//! Running functions: which environment takes an invocation, when it may start, and what becomes of it.
//!
//! An invocation passes the concurrency limits ([`concurrency`]), waits for its turn when it is one of a series that is
//! measured ([`rounds`]) and for its share of the cores ([`admission`]), takes an idle environment or starts one
//! ([`environment`]), runs at its CPU share ([`cpu_share`]) and writes its log lines ([`journal`]).

pub mod admission;
pub mod concurrency;
pub mod cpu_share;
pub mod doom;
pub mod environment;
pub mod journal;
pub mod language;
pub mod opt;
pub mod process;
pub mod rounds;
pub mod runtime_api;
pub mod spawner;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::json;
use tokio::sync::mpsc;

use crate::{ApiError, Aws, Caller, ids};

use super::errors::service;
use super::name::LATEST;
use super::package::Packages;
use super::record::{Configuration, Content, FUNCTION, Function, now_ms, version};
use super::{Behaviour, Invoked};
use admission::{Admission, Seat};
use concurrency::{Concurrency, Running};
pub use cpu_share::{CpuShares, Description, Mechanism, processor, share_of};
use doom::{Doom, Dooms};
use environment::{Answer, Environment, Failure, Machinery, Outcome, Session, Start};
use journal::{Delivery, Journal, Report, Stream, iso_time};
use language::{Language, Ready, Runtimes};
use opt::Opt;
use process::Groups;
use rounds::Rounds;
use runtime_api::Event;
use spawner::Spawner;

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
    machinery: Machinery,
    admission: Admission,
    rounds: Rounds,
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
    seated: HashMap<String, u32>,
    /// How many environments of a key are kept ready however long they are idle.
    kept: HashMap<Key, usize>,
    /// How many environments of a key run an invocation.
    busy: HashMap<Key, usize>,
    scratch: Option<PathBuf>,
}

/// A seat, and the note that its function has one.
struct Seated {
    engine: Arc<Engine>,
    function: String,
    seat: Seat,
}

impl Drop for Seated {
    fn drop(&mut self) {
        let mut state = self.engine.lock();
        if let Some(n) = state.seated.get_mut(&self.function) {
            *n -= 1;
            if *n == 0 {
                state.seated.remove(&self.function);
            }
        }
    }
}

/// The note that an environment of a key runs an invocation.
struct Busy {
    engine: Arc<Engine>,
    key: Key,
}

impl Busy {
    fn new(engine: &Arc<Engine>, key: &Key) -> Self {
        *engine.lock().busy.entry(key.clone()).or_default() += 1;
        Self { engine: Arc::clone(engine), key: key.clone() }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut state = self.engine.lock();
        if let Some(n) = state.busy.get_mut(&self.key) {
            *n -= 1;
            if *n == 0 {
                state.busy.remove(&self.key);
            }
        }
    }
}

impl Engine {
    /// An engine on a machine of so many cores that gives shares by this mechanism, or else the best there is.
    pub fn new(packages: Packages, cores: f64, mechanism: Option<Mechanism>) -> Self {
        let machinery = Machinery {
            spawner: Arc::new(Spawner::start()),
            shares: Arc::new(CpuShares::new(cores, mechanism)),
            groups: Arc::new(Groups::default()),
            dooms: Dooms::default(),
        };
        Self {
            concurrency: Concurrency::default(),
            machinery,
            admission: Admission::new(cores),
            rounds: Rounds::default(),
            runtimes: Runtimes::new(packages.runtimes()),
            packages,
            state: Mutex::default(),
            closed: AtomicBool::new(false),
            deliveries: Mutex::default(),
        }
    }

    /// Ends what the environment of a session runs.
    pub async fn doom(&self, access_key_id: &str, doom: Doom) {
        self.machinery.dooms.send(access_key_id, doom).await;
    }

    /// How functions get their CPU share.
    pub fn describe(&self) -> Description {
        self.machinery.shares.describe()
    }

    /// What enforces CPU shares.
    pub fn mechanism(&self) -> Mechanism {
        self.machinery.shares.mechanism()
    }

    /// Runs an invocation to its end.
    ///
    /// # Errors
    /// `ServiceException` when the endpoint itself cannot run it.
    pub async fn run(
        self: &Arc<Self>,
        aws: &Arc<Aws>,
        job: Job,
        behaviour: &Behaviour,
        _running: Running,
    ) -> Result<Invoked, ApiError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(service("the endpoint is shutting down"));
        }
        let key = Key {
            function: job.function.clone(),
            version: job.configuration.version.clone(),
            incarnation: job.configuration.incarnation.clone(),
        };
        let share = share_of(job.configuration.content.memory_size);
        let _turn = match job.measured {
            true => Some(self.rounds.turn(&job.function, &job.configuration.version).await),
            false => None,
        };
        let mut warm = self.take(&key);
        let mut seat = match job.exempt {
            true => None,
            // An initialization runs at full speed, so it takes a whole core from the others.
            false => Some(self.seat(&job, if warm.is_some() { share } else { share.max(1.0) }).await),
        };
        if warm.is_none() {
            warm = self.take(&key);
        }
        if let (Some(seated), true) = (&mut seat, warm.is_some()) {
            seated.seat.shrink(share);
        }
        let _busy = Busy::new(self, &key);
        let mut run = Run { engine: self, aws, job: &job, behaviour, share: (!job.exempt).then_some(share) };
        let (invoked, environment) = match warm {
            Some(environment) => run.warm(environment).await,
            None => run.cold(key, seat.as_mut().map(|s| &mut s.seat)).await?,
        };
        drop(seat);
        if let Some(environment) = environment {
            self.give_back(aws, environment, behaviour);
        }
        Ok(invoked)
    }

    async fn seat(self: &Arc<Self>, job: &Job, cores: f64) -> Seated {
        // A running function that holds a share waits for what it invokes; if that had to wait for the share in turn,
        // neither would ever go on.
        let nested =
            matches!(&job.caller, Caller::Role { session, .. } if self.lock().seated.contains_key(session));
        let seat = if nested { self.admission.enter_now(cores) } else { self.admission.enter(cores).await };
        *self.lock().seated.entry(job.function.clone()).or_default() += 1;
        Seated { engine: Arc::clone(self), function: job.function.clone(), seat }
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

    /// Drops what is reserved and provisioned for a function that is no more.
    pub fn forget(&self, function: &str) {
        self.concurrency.reserve(function, None);
        self.lock().kept.retain(|key, _| key.function != function);
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
        let mut guard = self.lock();
        let state = &mut *guard;
        for (key, environments) in &mut state.idle {
            let ready = state.kept.get(key).copied().unwrap_or_default();
            let mut spare = environments.len().saturating_sub(ready);
            let old = |e: &mut Environment| {
                let idle_too_long = now.duration_since(e.idle_since) >= idle && spare > 0;
                spare -= usize::from(idle_too_long);
                idle_too_long || e.expires <= now
            };
            recycled.push(environments.extract_if(.., old).collect());
        }
        state.idle.retain(|_, environments| !environments.is_empty());
        drop(guard);
        drop::<Vec<Vec<Environment>>>(recycled);
    }

    /// Keeps so many environments of a key ready from now on.
    pub fn keep(&self, key: &Key, ready: usize) {
        let mut state = self.lock();
        match ready {
            0 => state.kept.remove(key),
            n => state.kept.insert(key.clone(), n),
        };
    }

    /// How many environments of a key are there, idle or busy.
    pub fn ready(&self, key: &Key) -> usize {
        let state = self.lock();
        let idle = state.idle.get(key).map_or(0, Vec::len);
        idle + state.busy.get(key).copied().unwrap_or_default()
    }

    /// Starts environments until as many are there as are to be kept, or one cannot start.
    pub async fn fill(
        self: &Arc<Self>,
        aws: &Arc<Aws>,
        key: Key,
        configuration: &Configuration,
        behaviour: &Behaviour,
    ) {
        loop {
            let wanted = self.lock().kept.get(&key).copied().unwrap_or_default();
            if self.ready(&key) >= wanted || self.closed.load(Ordering::Acquire) {
                return;
            }
            let seat = self.admission.enter(1.0).await;
            let stream = stream(&key.function, configuration);
            let mut journal =
                Journal::new(configuration.content.logging.clone(), stream.clone(), self.deliveries(aws));
            let started =
                self.environment(aws, key.clone(), configuration, stream, "provisioned-concurrency").await;
            let Ok(Ok(mut environment)) = started else { return };
            let began = environment.init(behaviour.init_limit, None, &mut journal).await;
            journal.deliver().await;
            drop(seat);
            if began.is_err() {
                return;
            }
            self.give_back(aws, environment, behaviour);
        }
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
        self.machinery.shares.close().await;
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

    async fn environment(
        &self,
        aws: &Arc<Aws>,
        key: Key,
        configuration: &Configuration,
        stream: Stream,
        initialization: &str,
    ) -> Result<Result<Environment, Failure>, ApiError> {
        let content = &configuration.content;
        let credentials = aws.iam.session(aws, &content.role, &key.function)?;
        let (root, ready, opt) = match self.runtime(content).await? {
            Ok(found) => found,
            Err(why) => return Ok(Err(Failure::new("Runtime.StartError", format!("Error: {why}")))),
        };
        let scratch =
            self.scratch().map_err(|e| service(format!("cannot make a folder for a function: {e}")))?;
        let session = Session { aws: Arc::downgrade(aws), access_key_id: credentials.access_key_id.clone() };
        let lasts = u64::try_from(credentials.expiration - now_ms() / 1000).unwrap_or_default();
        let layers = opt.as_ref().map(|opt| opt.path.clone());
        let layers = layers.as_deref();
        let libraries = layers.map(|l| format!(":{}/lib", l.display())).unwrap_or_default();
        let opt_bin = layers.unwrap_or(Path::new(opt::OPT)).join("bin");
        let own = [
            ("AWS_ACCESS_KEY_ID", credentials.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key),
            ("AWS_SESSION_TOKEN", credentials.session_token),
            ("AWS_REGION", aws.settings.region.clone()),
            ("AWS_DEFAULT_REGION", aws.settings.region.clone()),
            ("AWS_ENDPOINT_URL", aws.settings.url.clone()),
            ("AWS_LAMBDA_FUNCTION_NAME", key.function.clone()),
            ("AWS_LAMBDA_FUNCTION_VERSION", key.version.clone()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", content.memory_size.to_string()),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", initialization.to_owned()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", content.logging.group.clone()),
            ("AWS_LAMBDA_LOG_STREAM_NAME", stream.name.clone()),
            ("LAMBDA_TASK_ROOT", root.display().to_string()),
            ("LAMBDA_RUNTIME_DIR", root.display().to_string()),
            ("_HANDLER", content.handler.clone()),
            ("LANG", "en_US.UTF-8".to_owned()),
            ("TZ", ":UTC".to_owned()),
            ("PATH", format!("/usr/local/bin:/usr/bin:/bin:{}", opt_bin.display())),
            ("LD_LIBRARY_PATH", format!("{0}:{0}/lib{libraries}", root.display())),
            // On AWS a function finds no profile of a user and has /tmp to itself.
            ("HOME", scratch.path().display().to_string()),
            ("TMPDIR", scratch.path().display().to_string()),
        ];
        let mut variables: Vec<(String, String)> = own.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        variables.extend(ready.iter().flat_map(|r| r.variables(&content.runtime, &root, layers)));
        if content.logging.json {
            let level = content.logging.application_level.clone();
            variables.push(("AWS_LAMBDA_LOG_FORMAT".to_owned(), "JSON".to_owned()));
            variables.push(("AWS_LAMBDA_LOG_LEVEL".to_owned(), level.unwrap_or_else(|| "INFO".to_owned())));
        }
        variables.extend(content.environment.iter().flatten().map(|(k, v)| (k.clone(), v.clone())));
        let start = Start {
            key,
            root,
            scratch,
            variables,
            launch: ready.map(|r| r.launch(content.memory_size, layers)),
            opt,
            memory_mb: content.memory_size,
            stream,
            session,
            expires: Instant::now()
                + Duration::from_secs(lasts.saturating_sub(u64::from(content.timeout) + 60)),
        };
        Ok(Environment::start(start, &self.machinery).await)
    }

    /// What runs a function: its unpacked package, the interpreter when it needs one, and its layers.
    ///
    /// # Errors
    /// `ServiceException`; inside, what is missing on this machine and how to get it.
    pub async fn runtime(&self, content: &Content) -> Result<Result<Runtime, String>, ApiError> {
        let (packages, content) = (self.packages.clone(), content.clone());
        let language = Language::of(&content.runtime);
        let unpack = move || {
            let root = packages.folder(&content.code_sha256)?;
            let layers = packages.layers(&content.layer_zips())?;
            let sdk = language.is_some_and(|l| language::needs_sdk(l, &root, layers.as_deref()));
            Ok::<_, ApiError>((root, layers, sdk))
        };
        let unpacked = tokio::task::spawn_blocking(unpack).await.map_err(|e| service(e.to_string()))?;
        let (root, layers, sdk) = unpacked?;
        let ready = match language {
            Some(language) => match self.runtimes.ready(language, sdk).await {
                Ok(ready) => Some(ready),
                Err(why) => return Ok(Err(why)),
            },
            None => None,
        };
        let runtimes = self.packages.runtimes();
        let needed: Vec<&Path> =
            [root.as_path(), &runtimes].into_iter().chain(ready.as_ref().map(|r| r.program())).collect();
        let opt = layers.map(|folder| Opt::new(folder, &needed));
        Ok(Ok((root, ready, opt)))
    }

    fn scratch(&self) -> std::io::Result<tempfile::TempDir> {
        let folder = {
            let mut state = self.lock();
            match &state.scratch {
                Some(folder) => folder.clone(),
                None => state.scratch.insert(self.packages.scratch()?).clone(),
            }
        };
        tempfile::tempdir_in(folder)
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

/// One invocation on its way through an environment.
struct Run<'a> {
    engine: &'a Arc<Engine>,
    aws: &'a Arc<Aws>,
    job: &'a Job,
    behaviour: &'a Behaviour,
    share: Option<f64>,
}

impl Run<'_> {
    async fn warm(&mut self, mut environment: Environment) -> (Invoked, Option<Environment>) {
        let mut journal = self.journal(environment.stream.clone());
        journal.start(&self.job.request_id, &self.job.configuration.version);
        let limit = self.limit();
        let outcome = environment.invoke(self.event(limit), limit, self.share, &mut journal).await;
        let invoked = self.finish(&mut journal, outcome, None, &environment).await;
        let reusable = environment.alive();
        (invoked, reusable.then_some(environment))
    }

    async fn cold(
        &mut self,
        key: Key,
        seat: Option<&mut Seat>,
    ) -> Result<(Invoked, Option<Environment>), ApiError> {
        let stream = stream(&self.job.function, &self.job.configuration);
        let mut journal = self.journal(stream.clone());
        let configuration = &self.job.configuration;
        let began = Instant::now();
        let first = match self.environment(&key, &stream).await? {
            Err(failure) => Err(failure),
            Ok(mut environment) => {
                if let Some(version) = &environment.runtime_version {
                    journal.init_start(version);
                }
                match environment.init(self.behaviour.init_limit, None, &mut journal).await {
                    Ok(took) => Ok((environment, took)),
                    Err(failure) => Err(failure),
                }
            }
        };
        if let Some(seat) = seat {
            seat.shrink(self.share.unwrap_or_default());
        }
        let failure = match first {
            Ok((mut environment, init)) => {
                journal.start(&self.job.request_id, &configuration.version);
                let limit = self.limit();
                let outcome = environment.invoke(self.event(limit), limit, self.share, &mut journal).await;
                let invoked = self.finish(&mut journal, outcome, Some(init), &environment).await;
                let reusable = environment.alive();
                return Ok((invoked, reusable.then_some(environment)));
            }
            Err(failure) => failure,
        };
        // Lambda tries an initialization that failed once more, now as part of the invocation and in its time.
        let status = |f: &Failure| if f.timed_out() { "timeout" } else { "error" };
        let kind = |f: &Failure| (!f.timed_out()).then(|| f.kind.clone());
        journal.init_report("init", millis(began.elapsed()), status(&failure), kind(&failure).as_deref());
        let began = Instant::now();
        let limit = self.limit();
        let second = self.environment(&key, &stream).await?;
        let mut environment = match second {
            Ok(environment) => environment,
            Err(failure) => {
                journal.init_report("invoke", millis(began.elapsed()), "error", Some(&failure.kind));
                journal.start(&self.job.request_id, &configuration.version);
                return Ok((self.fail(&mut journal, began.elapsed(), failure, 0).await, None));
            }
        };
        match environment.init(limit, self.share, &mut journal).await {
            Ok(took) => {
                journal.start(&self.job.request_id, &configuration.version);
                let left = limit.saturating_sub(took);
                let mut outcome = environment.invoke(self.event(left), left, self.share, &mut journal).await;
                outcome.duration += took;
                if let Err(failure) = &mut outcome.answer
                    && failure.timed_out()
                {
                    failure.message = timed_out(limit);
                }
                let invoked = self.finish(&mut journal, outcome, None, &environment).await;
                let reusable = environment.alive();
                Ok((invoked, reusable.then_some(environment)))
            }
            Err(mut failure) => {
                let memory = environment.max_memory_mb();
                let took = if failure.timed_out() { limit } else { began.elapsed() };
                journal.init_report("invoke", millis(took), status(&failure), kind(&failure).as_deref());
                if failure.timed_out() {
                    failure.message = timed_out(limit);
                }
                journal.start(&self.job.request_id, &configuration.version);
                Ok((self.fail(&mut journal, took, failure, memory).await, None))
            }
        }
    }

    async fn environment(
        &self,
        key: &Key,
        stream: &Stream,
    ) -> Result<Result<Environment, Failure>, ApiError> {
        let configuration = &self.job.configuration;
        self.engine.environment(self.aws, key.clone(), configuration, stream.clone(), "on-demand").await
    }

    fn limit(&self) -> Duration {
        Duration::from_secs(u64::from(self.job.configuration.content.timeout))
    }

    fn event(&self, limit: Duration) -> Event {
        let now = now_ms();
        let payload =
            if self.job.payload.is_empty() { Bytes::from_static(b"{}") } else { self.job.payload.clone() };
        Event {
            request_id: self.job.request_id.clone(),
            deadline_ms: now + i64::try_from(limit.as_millis()).unwrap_or(i64::MAX),
            function_arn: self.job.invoked_arn.clone(),
            trace_id: format!("Root=1-{:08x}-{};Parent={};Sampled=0", now / 1000, ids::hex(24), ids::hex(16)),
            payload,
            client_context: self.job.client_context.clone(),
        }
    }

    fn journal(&self, stream: Stream) -> Journal {
        let logging = self.job.configuration.content.logging.clone();
        Journal::new(logging, stream, self.engine.deliveries(self.aws))
    }

    async fn finish(
        &self,
        journal: &mut Journal,
        outcome: Outcome,
        init: Option<Duration>,
        environment: &Environment,
    ) -> Invoked {
        let memory = environment.max_memory_mb();
        let answer = match outcome.answer {
            Ok(answer) => answer,
            Err(failure) => {
                let report = Report { init_ms: init.map(millis), ..self.report(outcome.duration, memory) };
                return self.failed(journal, report, failure).await;
            }
        };
        let mut report = Report { init_ms: init.map(millis), ..self.report(outcome.duration, memory) };
        let (payload, function_error) = match answer {
            Answer::Response(payload) => (payload, None),
            Answer::Error(payload, kind) => {
                report.handler_error = Some(kind.unwrap_or_else(|| "Runtime.Unknown".to_owned()));
                (payload, Some("Unhandled".to_owned()))
            }
        };
        self.close(journal, &report, payload, function_error).await
    }

    async fn fail(&self, journal: &mut Journal, took: Duration, failure: Failure, memory: u64) -> Invoked {
        self.failed(journal, self.report(took, memory), failure).await
    }

    async fn failed(&self, journal: &mut Journal, mut report: Report, failure: Failure) -> Invoked {
        let id = &self.job.request_id;
        if failure.timed_out() {
            report.status = Some("timeout");
            let told = failure.message.trim_start_matches("Error: ");
            journal.note(&format!("{} {id} {told}", iso_time(now_ms())));
        } else {
            report.status = Some("error");
            report.error_type = Some(failure.kind.clone());
            if failure.kind == "Runtime.OutOfMemory" {
                report.max_memory_mb = u64::from(report.memory_mb);
            }
            if failure.document.is_none() {
                journal.note(&format!("RequestId: {id} {}", failure.message));
                journal.note(&failure.kind);
            }
        }
        let payload = failure.document.unwrap_or_else(|| {
            let message = format!("RequestId: {id} {}", failure.message);
            Bytes::from(json!({"errorType": failure.kind, "errorMessage": message}).to_string())
        });
        self.close(journal, &report, payload, Some("Unhandled".to_owned())).await
    }

    async fn close(
        &self,
        journal: &mut Journal,
        report: &Report,
        payload: Bytes,
        function_error: Option<String>,
    ) -> Invoked {
        journal.end(&self.job.request_id, report);
        let log_result = self.job.log_tail.then(|| journal.tail());
        journal.deliver().await;
        Invoked {
            status: 200,
            payload,
            function_error,
            log_result,
            executed_version: self.job.configuration.version.clone(),
        }
    }

    fn report(&self, duration: Duration, max_memory_mb: u64) -> Report {
        Report {
            duration_ms: millis(duration),
            memory_mb: self.job.configuration.content.memory_size,
            max_memory_mb,
            ..Report::default()
        }
    }
}

/// A new log stream of a version, written by its role.
fn stream(function: &str, configuration: &Configuration) -> Stream {
    let date = &iso_time(now_ms())[..10].replace('-', "/");
    Stream {
        caller: Caller::Role { arn: configuration.content.role.clone(), session: function.to_owned() },
        name: format!("{date}/[{}]{}", configuration.version, ids::hex(32)),
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn timed_out(limit: Duration) -> String {
    format!("Error: Task timed out after {:.2} seconds", limit.as_secs_f64())
}
