//! AWS Lambda: functions, versions and aliases, and the execution environments that run them.
//!
//! `call` is the control plane: JSON in and out, with AWS's member names. Each operation reads its input
//! ([`input`]), finds out what it means ([`name`]), asks whether the caller may, and changes the records ([`record`]) in
//! one transaction. [`Lambda::invoke`] decides which version runs and hands it to the [`engine`].

mod aliases;
mod code;
mod concurrency;
mod configuration;
mod engine;
mod errors;
mod functions;
pub(crate) mod http;
mod image;
mod input;
mod invoke;
mod invoke_error;
mod keys;
mod layers;
pub(crate) mod location;
mod merge;
mod name;
mod pace;
mod package;
mod policy;
mod publish;
mod queue;
mod record;
mod runtime_management;
mod tags;
mod versions;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use crate::api::{Entry, Protocol};
use crate::store::Store;
use crate::{Aws, Caller, Result, Service, Settings};

pub use configuration::runtimes;
pub use engine::disturbance::Disturbed;
pub use engine::forced_end::ForcedEnd;
pub use engine::in_process;
pub(crate) use engine::journal::Report;
pub use engine::language::{difference, installed as installed_runtime};
pub use engine::{Description as CpuShare, Mechanism, built_for, processor};
pub use invoke_error::InvokeError;
pub use tags::APPARATUS;

use engine::{Engine, Machine};
use location::Presigner;
use pace::Pace;
use package::Packages;
use publish::Publishing;
use queue::Tasks;
use record::{Configuration, Content, FUNCTION, Function, VERSION};

/// What AWS leaves to itself and a local endpoint may choose.
#[derive(Debug, Clone, PartialEq)]
pub struct Behaviour {
    /// How long a new version is `Pending` and a change `InProgress`.
    pub settle: Duration,
    /// How long the snapshot of a version with SnapStart is made; on AWS, minutes.
    pub snapshot: Duration,
    /// The smallest size, in MB, whose snapshot does not fail: on AWS, that in which the initialization has room.
    pub snapshot_least_mb: u32,
    /// The largest size, in MB, that the account may have; AWS gives new accounts 3,008.
    pub memory_quota: u32,
    /// How many bytes of packages the account may store, those of versions included; AWS gives 75 GB.
    pub code_storage: u64,
    /// How many invocations may run at once in the account.
    pub account_concurrency: u32,
    /// How many control-plane calls in roles' sessions are taken in a second, all together; AWS takes 15. GetFunction is apart and has the
    /// rate of [`LOOKS`]. As many as come when there is none.
    pub control_plane_rate: Option<u32>,
    /// How long such a call takes besides: on AWS, around a tenth of a second.
    pub control_plane_latency: Duration,
    /// How long an initialization may take.
    pub init_limit: Duration,
    /// How long an environment is kept without an invocation.
    pub idle: Duration,
    /// How many environments are kept without an invocation; the oldest go first.
    pub idle_limit: usize,
    /// The pauses before a failed event is tried again; AWS waits 1 and 2 minutes.
    pub retry_pauses: [Duration; 2],
    /// How long [`Lambda::stop`] waits for what runs.
    pub stop: Duration,
    /// What becomes of measured invocations that other work on this machine disturbed.
    pub disturbed: Disturbed,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            settle: Duration::from_millis(50),
            snapshot: Duration::from_millis(100),
            snapshot_least_mb: 0,
            memory_quota: 10_240,
            code_storage: 80_530_636_800,
            account_concurrency: 1000,
            control_plane_rate: None,
            control_plane_latency: Duration::ZERO,
            init_limit: Duration::from_secs(10),
            idle: Duration::from_secs(300),
            idle_limit: 100,
            retry_pauses: [Duration::from_secs(1), Duration::from_secs(2)],
            stop: Duration::from_secs(20),
            disturbed: Disturbed::Ignore,
        }
    }
}

/// AWS takes 100 GetFunction a second where it takes 15 of the others:
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
const LOOKS: (u32, u32) = (100, 15);

tokio::task_local! {
    static SETTLE: Duration;
}

/// Does something during which new versions and changes take this long to settle.
pub(crate) async fn settling_for<R>(settle: Duration, work: impl Future<Output = R>) -> R {
    SETTLE.scope(settle, work).await
}

/// Functions and their execution environments.
pub struct Lambda {
    packages: Packages,
    engine: Arc<Engine>,
    tasks: Arc<Tasks>,
    behaviour: RwLock<Behaviour>,
    pace: Pace,
    looks: Pace,
    presigner: Presigner,
}

pub(crate) static ENTRY: Entry = Entry {
    // A 50 MB archive in base64, as on AWS.
    largest_request: 70_167_211,
    start: |aws| Box::pin(aws.lambda.start(aws)),
    stop: |aws| Box::pin(aws.lambda.stop(aws)),
    ..Entry::new(Service::Lambda, "lambda", Protocol::RestJson, |aws, caller, operation, input| {
        Box::pin(call(aws, caller, operation, input))
    })
};

async fn call(aws: &Arc<Aws>, caller: &Caller, operation: &str, input: Value) -> Result<Value> {
    let lambda = &aws.lambda;
    if let Caller::Role { .. } = caller {
        let Behaviour { control_plane_rate, control_plane_latency, .. } = lambda.behaviour();
        // A timer takes a millisecond even for none.
        if !control_plane_latency.is_zero() {
            tokio::time::sleep(control_plane_latency).await;
        }
        match control_plane_rate {
            Some(rate) if operation == "GetFunction" => lambda.looks.take(rate * LOOKS.0 / LOOKS.1)?,
            Some(rate) => lambda.pace.take(rate)?,
            None => {}
        }
    }
    match operation {
        "CreateFunction" => lambda.create_function(aws, caller, input).await,
        "GetFunction" => lambda.get_function(aws, caller, input),
        "GetFunctionConfiguration" => lambda.get_configuration(aws, caller, input),
        "ListFunctions" => lambda.list_functions(aws, caller, input),
        "UpdateFunctionCode" => lambda.update_code(aws, caller, input).await,
        "UpdateFunctionConfiguration" => lambda.update_configuration(aws, caller, input).await,
        "DeleteFunction" => lambda.delete_function(aws, caller, input),
        "PublishVersion" => lambda.publish_version(aws, caller, input),
        "ListVersionsByFunction" => lambda.list_versions(aws, caller, input),
        "CreateAlias" => lambda.create_alias(aws, caller, input),
        "GetAlias" => lambda.get_alias(aws, caller, input),
        "UpdateAlias" => lambda.update_alias(aws, caller, input),
        "DeleteAlias" => lambda.delete_alias(aws, caller, input),
        "ListAliases" => lambda.list_aliases(aws, caller, input),
        "AddPermission" => lambda.add_permission(aws, caller, input),
        "RemovePermission" => lambda.remove_permission(aws, caller, input),
        "GetPolicy" => lambda.get_policy(aws, caller, input),
        "PutFunctionConcurrency" => lambda.put_concurrency(aws, caller, input),
        "GetFunctionConcurrency" => lambda.get_concurrency(aws, caller, input),
        "DeleteFunctionConcurrency" => lambda.delete_concurrency(aws, caller, input),
        "PublishLayerVersion" => lambda.publish_layer(aws, caller, input).await,
        "GetLayerVersion" => lambda.get_layer(aws, caller, input),
        "ListLayerVersions" => lambda.list_layer_versions(aws, caller, input),
        // One path and method serve both; the query tells them apart.
        "ListLayers" if input["find"] == "LayerVersion" => lambda.get_layer_by_arn(aws, caller, input),
        "ListLayers" => lambda.list_layers(aws, caller, input),
        "GetLayerVersionByArn" => lambda.get_layer_by_arn(aws, caller, input),
        "DeleteLayerVersion" => lambda.delete_layer(aws, caller, input),
        "GetRuntimeManagementConfig" => lambda.get_runtime_management(aws, caller, input),
        "PutRuntimeManagementConfig" => lambda.put_runtime_management(aws, caller, input),
        "GetAccountSettings" => lambda.account_settings(aws, caller),
        "TagResource" => lambda.tag_resource(aws, caller, input),
        "UntagResource" => lambda.untag_resource(aws, caller, input),
        "ListTags" => lambda.list_tags(aws, caller, input),
        _ => Err(Service::Lambda.unknown(operation)),
    }
}

impl Lambda {
    /// The service over its records, on a machine of its own or on the one of another account.
    #[must_use]
    pub fn open(settings: &Settings, store: &Store, beside: Option<&Self>) -> Self {
        let packages = Packages::new(&settings.state);
        let engine = Arc::new(match beside {
            Some(other) => other.engine.beside(packages.clone()),
            None => {
                let cores = std::thread::available_parallelism()
                    .map_or(1.0, |n| f64::from(u16::try_from(n.get()).unwrap_or(1)));
                Engine::new(packages.clone(), Machine::new(cores, settings.cpu_share))
            }
        });
        for (name, function) in store.list::<Function>(FUNCTION) {
            engine.concurrency.reserve(&name, function.reserved_concurrency);
        }
        Self {
            packages,
            engine,
            tasks: Arc::default(),
            behaviour: RwLock::default(),
            pace: Pace::default(),
            looks: Pace::default(),
            presigner: Presigner::default(),
        }
    }

    /// Takes up what an earlier process left unfinished: queued events, and packages that nothing uses any more.
    pub async fn start(&self, aws: &Arc<Aws>) {
        self.sweep(aws);
        let engine = Arc::clone(&self.engine);
        // Tries out what the machine has, and removes what an endpoint that was killed has left of it.
        let _ = tokio::task::spawn_blocking(move || engine.mechanism()).await;
        self.resume_queue(aws);
        let (engine, tasks) = (Arc::clone(&self.engine), Arc::downgrade(aws));
        let idle = self.behaviour().idle;
        self.tasks.background(async move {
            loop {
                tokio::time::sleep((idle / 4).max(Duration::from_millis(100))).await;
                let Some(aws) = tasks.upgrade() else { return };
                engine.recycle(aws.lambda.behaviour().idle);
            }
        });
    }

    /// Lets what runs come to its end, queued events and their retries included, and after [`Behaviour::stop`] ends what
    /// would not; such events are taken up by the next process.
    pub async fn stop(&self, aws: &Arc<Aws>) {
        self.tasks.hurry();
        let _ = tokio::time::timeout(self.behaviour().stop, self.drain()).await;
        self.shutdown().await;
        let _ = aws;
    }

    /// Waits until nothing runs and no event is queued.
    pub async fn drain(&self) {
        self.tasks.idle().await;
    }

    /// Ends every execution environment; nothing they started in their process groups survives.
    pub async fn shutdown(&self) {
        self.tasks.hurry();
        self.tasks.abort().await;
        self.engine.flush().await;
        self.engine.close().await;
    }

    /// How functions get their CPU share on this machine, to be told to whoever reads a duration.
    #[must_use]
    pub fn cpu_share(&self) -> CpuShare {
        self.engine.describe()
    }

    /// Finds what runs a function on this machine, and installs what that needs, so that no invocation waits for it. Hands
    /// back what is not as on Lambda, such as another version of the interpreter, as sentences.
    ///
    /// # Errors
    /// What is missing and how to get it.
    pub async fn prepare(&self, aws: &Aws, function: &str) -> Result<Vec<String>, String> {
        let function: Option<Function> = aws.store.get(FUNCTION, function);
        let Some(content) = function.map(|f| f.latest.content) else { return Ok(Vec::new()) };
        let (_, ready, opt) = self.engine.runtime(&content).await.map_err(|e| e.message)??;
        let layers = opt.iter().flat_map(engine::opt::Opt::differences);
        Ok(ready.and_then(|ready| ready.difference()).into_iter().chain(layers).collect())
    }

    /// What enforces CPU shares on this machine.
    #[must_use]
    pub fn mechanism(&self) -> Mechanism {
        self.engine.mechanism()
    }

    /// The behaviour as it is.
    #[must_use]
    pub fn behaviour(&self) -> Behaviour {
        self.behaviour.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Runs functions as handlers in this process from now on, those for which `choice` has one; see [`in_process`].
    /// Environments that run already stay what they are.
    pub fn run_in_process(
        &self,
        choice: impl Fn(in_process::Candidate<'_>) -> Option<in_process::Handler> + Send + Sync + 'static,
    ) {
        self.engine.handlers.add(Box::new(choice));
    }

    /// Changes the behaviour, for what begins from now on.
    pub fn behave(&self, behaviour: Behaviour) {
        *self.behaviour.write().unwrap_or_else(PoisonError::into_inner) = behaviour;
    }

    fn sweep(&self, aws: &Aws) {
        let mut used = std::collections::HashSet::new();
        let mut needs = |content: &Content| {
            let layers = content.layer_zips();
            used.insert(merge::name(&layers));
            used.extend(layers.into_iter().chain([content.code_sha256.as_str()]).map(str::to_owned));
        };
        for (_, function) in aws.store.list::<Function>(FUNCTION) {
            for configuration in function.previous.iter().map(AsRef::as_ref).chain([&function.latest]) {
                needs(&configuration.content);
            }
        }
        for (_, version) in aws.store.list::<Configuration>(VERSION) {
            needs(&version.content);
        }
        used.extend(layers::zips(&aws.store));
        self.packages.sweep(&|sha256| used.contains(sha256));
    }

    /// Ends what a function's environment runs, known by its session's key, and waits until that is done; nothing
    /// for a session of anybody else.
    pub async fn force_end(&self, access_key_id: &str, end: ForcedEnd) {
        self.engine.force_end(access_key_id, end).await;
    }

    /// Reports a function's last update as failed, until the next one.
    pub(crate) fn fail_update(aws: &Aws, function: Option<&str>) {
        let Ok(target) = name::Target::whole(aws, function) else { return };
        aws.store.transaction(|records| {
            if let Some(mut function) = records.get::<Function>(FUNCTION, &target.name) {
                function.latest.update_fails = true;
                records.put(FUNCTION, &target.name, &function);
            }
        });
    }

    fn settle_ms(&self) -> i64 {
        let settle = SETTLE.try_with(|settle| *settle).unwrap_or_else(|_| self.behaviour().settle);
        i64::try_from(settle.as_millis()).unwrap_or(i64::MAX)
    }

    /// A zip's version is there at once, as on AWS, unless a fault wants it otherwise.
    fn publishing(&self) -> Publishing {
        let behaviour = self.behaviour();
        let late = SETTLE.try_with(|settle| *settle).ok();
        let ms = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Publishing {
            zip_ms: ms(late.unwrap_or_default()),
            snapshot_ms: ms(late.unwrap_or(behaviour.snapshot)),
            least_mb: behaviour.snapshot_least_mb,
        }
    }

    /// Ends the environments of a function's former state once the change has settled; until then they still run it.
    fn retire_soon(&self, aws: &Arc<Aws>, function: &str) {
        let (engine, aws, function) = (Arc::clone(&self.engine), Arc::downgrade(aws), function.to_owned());
        let settle = Duration::from_millis(u64::try_from(self.settle_ms()).unwrap_or_default() + 5);
        self.tasks.background(async move {
            tokio::time::sleep(settle).await;
            if let Some(aws) = aws.upgrade() {
                engine.retire_outdated(&aws, &function);
            }
        });
    }
}

/// How an invocation is to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InvocationType {
    /// With the function's result.
    #[default]
    RequestResponse,
    /// At once; the function runs later (`Event`).
    Event,
    /// With whether the caller may invoke it; nothing runs.
    DryRun,
}

/// One `Invoke` request.
#[derive(Debug, Clone, Default)]
pub struct Invocation {
    /// The function's name, partial or full ARN, as the request names it.
    pub function: String,
    /// The version or alias, when given apart from the name.
    pub qualifier: Option<String>,
    /// The event.
    pub payload: Bytes,
    /// Whether the last 4 KB of the log are wanted (`X-Amz-Log-Type: Tail`).
    pub log_tail: bool,
    /// How it is to be answered.
    pub invocation_type: InvocationType,
    /// The client context, base64 as sent.
    pub client_context: Option<String>,
}

/// The answer to an `Invoke` request.
#[derive(Debug, Clone)]
pub struct Invoked {
    /// 200, 202 for `Event`, 204 for `DryRun`.
    pub status: u16,
    /// The result or error document of the function.
    pub payload: Bytes,
    /// `Unhandled` when the function failed.
    pub function_error: Option<String>,
    /// The log tail, base64.
    pub log_result: Option<String>,
    /// The version that ran.
    pub executed_version: String,
}
