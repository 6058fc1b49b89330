//! Making copies: the code into the stack's bucket, then a function for each size, until all of them can be invoked.
//!
//! Each step can be repeated: a copy that is there already and carries this execution's tag was made by an earlier attempt. Before
//! every batch the execution is looked at, so that nothing is made for one that is over.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::operation::create_function::builders::CreateFunctionFluentBuilder;
use aws_sdk_lambda::types::{
    Environment, FunctionCode, FunctionConfiguration, LogFormat, LoggingConfig, SnapStart, SnapStartApplyOn,
    SystemLogLevel, TracingConfig, UpdateRuntimeOn, VpcConfig,
};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tuning::copies::{ARCHITECTURE_TAG, EXECUTION_TAG, SIZE_TAG, STACK_TAG};
use tuning::input::{Input, S3Object};
use tuning::pricing::Architecture;

use super::source::{Code, Source};
use super::{AT_ONCE, Copies, Pace, WAY_OUT, key, name, region};
use crate::clients::Clients;
use crate::deadline::Deadline;
use crate::error::{Error, Kind};
use crate::function_api::{Backoff, FunctionApi, LATEST, Refusal, transient};
use crate::run::{Plan, Run};
use crate::undo::execution::{self, Life};
use crate::waits::Waits;

/// A batch that is begun needs at least this long.
const SHORTEST_BATCH: Duration = Duration::from_millis(1500);

/// Makes as many copies as fit before the deadline, and says in the run how far it came.
///
/// # Errors
/// A source that was changed, an execution that is over, what AWS refuses; for lack of time when called again is what helps.
pub async fn make(
    clients: &Clients,
    run: &mut Run,
    input: &Input,
    plan: &Plan,
    deadline: Deadline,
) -> Result<(), Error> {
    let Some(mut copies) = run.copies.clone() else {
        return Err(Error::event("publisher", "`run.copies` is missing"));
    };
    let waits = clients.waits();
    let pass = deadline.or(Instant::now() + waits.pass);
    let api = FunctionApi::of_run(clients, run, deadline).await?;
    let source = Source::again(&api, run, &copies).await?;
    if !copies.stored {
        go_on(clients, &run.execution, deadline).await?;
        store(clients, &source, &api, run, &copies, deadline).await?;
        copies.stored = true;
        run.copies = Some(copies.clone());
    }
    let maker = Arc::new(Maker::new(clients, source, &api, (run, input), copies).await?);

    let mut pace = Pace::default();
    let mut longest = Duration::ZERO;
    let published = &mut run.published;
    let mut first = true;
    while published.next < plan.total() {
        // The first batch of a pass always goes, or there would be no end to passes.
        if !first && pass.remaining() < longest * 2 + SHORTEST_BATCH {
            return Ok(());
        }
        first = false;
        pace.take().await;
        let started = Instant::now();
        go_on(clients, &maker.execution, pass).await?;
        let until = pass.or(Instant::now() + waits.batch);
        let numbers: Vec<u32> = (published.next..plan.total()).take(AT_ONCE).collect();
        let created = numbers.iter().filter_map(|number| Some((*number, plan.get(*number)?)));
        let created = created.map(|(number, planned)| {
            let maker = Arc::clone(&maker);
            let architecture = maker.architecture(planned.copy);
            async move { maker.create(number, planned.power, architecture, until).await }
        });
        at_once(created).await?;
        published.next += u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        longest = longest.max(started.elapsed());
    }
    while published.ready < plan.total() {
        let numbers: Vec<u32> = (published.ready..plan.total()).take(AT_ONCE).collect();
        let ready = numbers.iter().filter_map(|number| Some((*number, plan.get(*number)?)));
        let ready = ready.map(|(number, planned)| {
            let maker = Arc::clone(&maker);
            let architecture = maker.architecture(planned.copy);
            async move {
                let ready = maker.get_ready(number, architecture, pass).await;
                ready.map_err(|error| at(planned.power, error))
            }
        });
        at_once(ready).await?;
        published.ready += u32::try_from(numbers.len()).unwrap_or(u32::MAX);
    }
    published.done = true;
    Ok(())
}

/// Refuses to make anything for an execution that is over.
async fn go_on(clients: &Clients, execution: &str, deadline: Deadline) -> Result<(), Error> {
    match execution::look_up(clients, execution, deadline).await? {
        // One that has just begun may not be known yet.
        Life::Running | Life::Unknown => Ok(()),
        Life::Denied(message) => {
            Err(Error::new(Kind::AccessDenied, format!("not allowed to call DescribeExecution: {message}")))
        }
        Life::Over { status, .. } => {
            let message = format!("{execution} is {status}, not running; no more copies were made for it");
            Err(Error::new(Kind::LockLost, message))
        }
    }
}

/// Does several things at the same time and waits until all of them are over, whatever becomes of any: who cleans up afterwards
/// must not be overtaken by a call that is still under way.
pub(super) async fn at_once<T: Send + 'static, F>(steps: impl Iterator<Item = F>) -> Result<Vec<T>, Error>
where
    F: Future<Output = Result<T, Error>> + Send + 'static,
{
    let mut under_way = JoinSet::new();
    for step in steps {
        under_way.spawn(step);
    }
    let mut results = Vec::new();
    let mut failure: Option<Error> = None;
    while let Some(over) = under_way.join_next().await {
        match over.unwrap_or_else(|broken| Err(Error::new(Kind::Refused, broken.to_string()))) {
            Ok(result) => results.push(result),
            // What another pass cures tells less than what it does not.
            Err(error) if failure.as_ref().is_none_or(|first| first.kind == Kind::OutOfTime) => {
                failure = Some(error);
            }
            Err(_) => {}
        }
    }
    match failure {
        Some(error) => Err(error),
        None => Ok(results),
    }
}

/// Puts the function's package into the stack's bucket, piece by piece as it comes.
async fn store(
    clients: &Clients,
    source: &Source,
    api: &FunctionApi,
    run: &Run,
    copies: &Copies,
    deadline: Deadline,
) -> Result<(), Error> {
    let objects = clients.objects(region(&run.execution))?;
    let (bucket, key) = (bucket(clients)?, key(&run.execution));
    let sha256 = hexadecimal(&run.code_sha256)?;
    let mut code = source.code.clone();
    let mut backoff = Backoff::transient();
    loop {
        let Code::Zip(url) = &code else { return Ok(()) };
        let answer = transient::within("GetObject", deadline.remaining(), objects.open(url)).await;
        let answer = match answer {
            Ok(content) => {
                let put = objects.put(&bucket, &key, content, &sha256);
                transient::within("PutObject", deadline.remaining(), put).await
            }
            Err(refusal) => Err(refusal),
        };
        let refusal = match answer {
            Ok(()) => return Ok(()),
            // The URL is good for ten minutes only, so a denial may pass with the next one.
            Err(refusal)
                if refusal.may_pass() || (refusal.operation == "GetObject" && refusal.is_denied()) =>
            {
                refusal
            }
            Err(refusal) if refusal.code == "XAmzContentSHA256Mismatch" => {
                let message = format!(
                    "the package that Lambda hands out is not the one whose hash it tells (CodeSha256 {}), so it was not copied: \
                     deploy the function's code again, {WAY_OUT}",
                    run.code_sha256
                );
                return Err(Error::new(Kind::Refused, message));
            }
            Err(refusal) => {
                let Refusal { operation, code, message, .. } = &refusal;
                let message = format!(
                    "the function's code could not be put into the stack's bucket {bucket}: {operation} failed with {code}: {message}; \
                     {WAY_OUT}"
                );
                let kind = if refusal.is_denied() { Kind::AccessDenied } else { Kind::Refused };
                return Err(Error::new(kind, message));
            }
        };
        if !backoff.wait(deadline).await {
            return Err(Refusal { out_of_time: true, ..refusal }.into());
        }
        code = Source::again(api, run, copies).await?.code;
    }
}

fn bucket(clients: &Clients) -> Result<String, Error> {
    clients.variable("copyBucket").ok_or_else(|| {
        Error::new(Kind::Environment, "copyBucket is not set: deploy the stack again with `deployer up`")
    })
}

/// A hash that Lambda tells in base64.
fn hexadecimal(base64: &str) -> Result<String, Error> {
    let bytes = aws_smithy_types::base64::decode(base64).map_err(|problem| {
        let message = format!("the function's CodeSha256 is {base64:?}, which is not base64 ({problem})");
        Error::new(Kind::Refused, message)
    })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What every copy of a run has in common.
struct Maker {
    client: Client,
    waits: Waits,
    execution: String,
    copies: Copies,
    source: FunctionConfiguration,
    code: FunctionCode,
    /// The processors that copies are for; none for the source's own.
    architectures: Vec<Architecture>,
    /// Their code, where that is not the source's.
    codes: Vec<(Architecture, S3Object)>,
    /// The version of the runtime that the source runs on, where its owner has pinned that.
    runtime: Option<String>,
    log_group: Option<String>,
    stack: String,
}

impl Maker {
    async fn new(
        clients: &Clients,
        source: Source,
        api: &FunctionApi,
        (run, input): (&Run, &Input),
        copies: Copies,
    ) -> Result<Self, Error> {
        let code = match &source.code {
            Code::Image(uri) => FunctionCode::builder().image_uri(uri).build(),
            Code::Zip(_) | Code::Hidden => {
                FunctionCode::builder().s3_bucket(bucket(clients)?).s3_key(key(&run.execution)).build()
            }
        };
        let runtime = match &source.code {
            Code::Image(_) => None,
            Code::Zip(_) | Code::Hidden => pinned(api, &copies, &source.shown).await?,
        };
        Ok(Self {
            client: clients.lambda(region(&run.execution))?,
            waits: clients.waits(),
            execution: run.execution.clone(),
            copies,
            source: source.shown,
            code,
            architectures: run.architectures.clone(),
            codes: Architecture::ALL
                .into_iter()
                .filter_map(|architecture| Some((architecture, input.code_for(architecture)?.clone())))
                .collect(),
            runtime,
            log_group: clients.variable("copyLogGroup"),
            stack: clients.variable("copyStack").unwrap_or_default(),
        })
    }

    /// The processor of a copy; of two, each power value has a copy for one and one for the other.
    fn architecture(&self, copy: Option<u32>) -> Option<Architecture> {
        let several = self.architectures.len() > 1;
        let place = copy.filter(|_| several).unwrap_or_default();
        self.architectures.get(place as usize).copied()
    }

    /// Creates a copy, unless an earlier attempt has.
    async fn create(
        &self,
        number: u32,
        power: u32,
        architecture: Option<Architecture>,
        until: Deadline,
    ) -> Result<(), Error> {
        let name = name(&self.execution, number);
        let mut backoff = Backoff::transient();
        loop {
            let request = self.request(&name, power, architecture);
            let answer = transient::call("CreateFunction", until, false, || request.clone().send()).await;
            let refusal = match answer {
                Ok(_) => return Ok(()),
                Err(refusal) if refusal.is_conflict() => refusal,
                Err(refusal) => return Err(refused(power, refusal)),
            };
            let found = transient::call("GetFunction", until, false, || {
                self.client.get_function().function_name(&name).send()
            })
            .await;
            match found {
                Ok(found) => {
                    let is = |tag: &str, value: &str| {
                        found.tags().and_then(|tags| tags.get(tag)).is_some_and(|found| found == value)
                    };
                    if is(EXECUTION_TAG, &self.execution) && is(SIZE_TAG, &power.to_string()) {
                        return Ok(());
                    }
                    let message = format!(
                        "there is a function {name}, which this run has not made: delete it, or give it another name"
                    );
                    return Err(Error::new(Kind::AliasClash, message));
                }
                Err(missing) if missing.is_not_found() => {}
                Err(other) => return Err(refused(power, other)),
            }
            // Lambda is at it, or has not shown yet what it has made.
            if !backoff.wait(until).await {
                return Err(refused(power, Refusal { out_of_time: true, ..refusal }));
            }
        }
    }

    /// What a copy is made of: everything of the source that has to do with how it runs when it is invoked. Where failed events go is
    /// left out, since copies get none.
    fn request(
        &self,
        name: &str,
        power: u32,
        architecture: Option<Architecture>,
    ) -> CreateFunctionFluentBuilder {
        let source = &self.source;
        let architectures = match architecture {
            Some(architecture) => Some(vec![architecture.name().into()]),
            None => source.architectures.clone(),
        };
        let own = self.codes.iter().find(|(of, _)| Some(*of) == architecture);
        let code = match own {
            Some((_, S3Object { bucket, key })) => {
                FunctionCode::builder().s3_bucket(bucket).s3_key(key).build()
            }
            None => self.code.clone(),
        };
        let environment = source.environment.as_ref().and_then(|environment| environment.variables.clone());
        let tracing = source.tracing_config.as_ref().and_then(|tracing| tracing.mode.clone());
        let layers: Vec<String> =
            source.layers().iter().filter_map(|layer| layer.arn()).map(str::to_owned).collect();
        let image = source.image_config_response.as_ref().and_then(|image| image.image_config.clone());
        let snap_start = self
            .copies
            .snapshots
            .then(|| SnapStart::builder().apply_on(SnapStartApplyOn::PublishedVersions).build());
        let processor = architectures.as_deref().unwrap_or_default().first();
        let tags = [
            (EXECUTION_TAG, self.execution.clone()),
            (SIZE_TAG, power.to_string()),
            (ARCHITECTURE_TAG, processor.map_or("x86_64", |processor| processor.as_str()).to_owned()),
            (STACK_TAG, self.stack.clone()),
        ];
        let tags: HashMap<String, String> = tags.map(|(key, value)| (key.to_owned(), value)).into();
        self.client
            .create_function()
            .function_name(name)
            .description(format!(
                "deployer: temporary copy that is measured at {power} MB; it goes with its run"
            ))
            .role(&self.copies.role)
            .code(code)
            .set_package_type(source.package_type.clone())
            .set_runtime(source.runtime.clone())
            .set_handler(source.handler.clone())
            .set_architectures(architectures)
            .set_timeout(source.timeout)
            // Sizes are at most 10,240.
            .memory_size(i32::try_from(power).unwrap_or(i32::MAX))
            .set_ephemeral_storage(source.ephemeral_storage.clone())
            .set_environment(
                environment.map(|variables| Environment::builder().set_variables(Some(variables)).build()),
            )
            .set_kms_key_arn(source.kms_key_arn.clone().filter(|key| !key.is_empty()))
            .set_vpc_config(network(source))
            .set_file_system_configs(source.file_system_configs.clone())
            .set_tracing_config(tracing.map(|mode| TracingConfig::builder().mode(mode).build()))
            .set_layers((!layers.is_empty()).then_some(layers))
            .set_image_config(image)
            .set_snap_start(snap_start)
            .logging_config(self.logging())
            .set_tags(Some(tags))
    }

    /// To the stack's own log group, and with the reports of durations, however quiet the source is.
    fn logging(&self) -> LoggingConfig {
        let source = self.source.logging_config.as_ref();
        let logging = LoggingConfig::builder().set_log_group(self.log_group.clone());
        if source.and_then(|logging| logging.log_format.as_ref()) != Some(&LogFormat::Json) {
            return logging.build();
        }
        logging
            .log_format(LogFormat::Json)
            .set_application_log_level(source.and_then(|logging| logging.application_log_level.clone()))
            .system_log_level(SystemLogLevel::Info)
            .build()
    }

    /// Waits until a copy can be invoked; with snapshots, its version.
    async fn get_ready(
        &self,
        number: u32,
        architecture: Option<Architecture>,
        deadline: Deadline,
    ) -> Result<(), Error> {
        let name = name(&self.execution, number);
        let api = FunctionApi::of(self.client.clone(), self.waits, name.clone(), deadline).fresh();
        api.ready_configuration(None).await?;
        // Versions of a runtime are those of one processor.
        let own = self.source.architectures().first().map_or("x86_64", |own| own.as_str());
        let is_own = architecture.is_none_or(|architecture| architecture.name() == own);
        if let Some(runtime) = self.runtime.as_ref().filter(|_| is_own) {
            transient::call("PutRuntimeManagementConfig", deadline, true, || {
                let request = self.client.put_runtime_management_config().function_name(&name);
                request.update_runtime_on(UpdateRuntimeOn::Manual).runtime_version_arn(runtime).send()
            })
            .await?;
            api.ready_configuration(None).await?;
        }
        if self.copies.snapshots {
            // Of an unchanged function Lambda answers the version that it has published already.
            let published = transient::call("PublishVersion", deadline, true, || {
                self.client.publish_version().function_name(&name).send()
            })
            .await?;
            match api.ready_configuration(published.version()).await {
                // Lambda could not prepare it at its size: the Executor skips that one.
                Err(error) if error.kind == Kind::FunctionNotReady => {}
                ready => drop(ready?),
            }
        }
        Ok(())
    }
}

/// The runtime's version that the source is kept on.
async fn pinned(
    api: &FunctionApi,
    copies: &Copies,
    source: &FunctionConfiguration,
) -> Result<Option<String>, Error> {
    let qualifier = Some(copies.of.as_str()).filter(|of| *of != LATEST);
    let management = api.runtime_management(qualifier).await?;
    if management.update_runtime_on().is_none_or(|mode| *mode == UpdateRuntimeOn::Auto) {
        return Ok(None);
    }
    let running = source.runtime_version_config().and_then(|running| running.runtime_version_arn());
    Ok(management.runtime_version_arn().or(running).map(str::to_owned))
}

fn network(source: &FunctionConfiguration) -> Option<VpcConfig> {
    let vpc = source.vpc_config.as_ref().filter(|vpc| !vpc.subnet_ids().is_empty())?;
    Some(
        VpcConfig::builder()
            .set_subnet_ids(vpc.subnet_ids.clone())
            .set_security_group_ids(vpc.security_group_ids.clone())
            .set_ipv6_allowed_for_dual_stack(vpc.ipv6_allowed_for_dual_stack)
            .build(),
    )
}

/// Why a copy could not be made, and what helps.
fn refused(power: u32, refusal: Refusal) -> Error {
    let of_key = refusal.message.contains("perform: kms:");
    if refusal.out_of_time || of_key {
        return at(power, refusal.into());
    }
    let Refusal { operation, code, message, .. } = &refusal;
    if refusal.is_denied() {
        let remedy = if message.contains("iam:PassRole") {
            "deploy with a copyRole or copyableRoles that has this role"
        } else if message.contains("denied by S3") {
            // Without leave to list the bucket, S3 says of a missing object, too, that it may not be read.
            "see that the object of codeArm64 or codeX86 is there, and that the bucket's policy lets the stack read it"
        } else {
            "see that neither a permissions boundary nor a policy of the organization forbids it"
        };
        let message = format!("a copy may not be made: {operation}: {message}; {remedy}, {WAY_OUT}");
        return at(power, Error::new(Kind::AccessDenied, message));
    }
    let message = format!(
        "a copy could not be made: {operation} failed with {code}: {message}; see to that, {WAY_OUT}"
    );
    at(power, Error::new(Kind::Refused, message))
}

fn at(power: u32, error: Error) -> Error {
    Error::new(error.kind, format!("power value {power}: {}", error.message))
}

#[cfg(test)]
mod tests {
    use aws_sdk_lambda::config::{BehaviorVersion, Region};
    use aws_sdk_lambda::types::{
        ApplicationLogLevel, EnvironmentResponse, FileSystemConfig, Layer, Runtime, TracingConfigResponse,
        TracingMode, VpcConfigResponse,
    };

    use super::*;

    const EXECUTION: &str = "arn:aws:states:eu-west-1:123456789012:execution:machine:run";

    fn maker(source: FunctionConfiguration, snapshots: bool) -> Maker {
        let config = aws_sdk_lambda::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .http_client(crate::transport::client(Some("http://127.0.0.1"), None).unwrap())
            .build();
        let copies = Copies { of: LATEST.to_owned(), role: "arn:role".to_owned(), snapshots, stored: true };
        Maker {
            client: Client::from_conf(config),
            waits: Waits::AWS,
            execution: EXECUTION.to_owned(),
            copies,
            source,
            code: FunctionCode::builder().s3_bucket("b").s3_key("k").build(),
            architectures: Vec::new(),
            codes: Vec::new(),
            runtime: None,
            log_group: Some("/aws/lambda/stack-copies".to_owned()),
            stack: "stack".to_owned(),
        }
    }

    #[test]
    fn a_copy_has_every_setting_that_matters_when_it_is_invoked() {
        let variables = HashMap::from([("A".to_owned(), "1".to_owned())]);
        let file = FileSystemConfig::builder().arn("arn:efs").local_mount_path("/mnt/a").build().unwrap();
        let vpc =
            VpcConfigResponse::builder().subnet_ids("subnet-1").security_group_ids("sg-1").vpc_id("vpc-1");
        let source = FunctionConfiguration::builder()
            .runtime(Runtime::Python313)
            .handler("app.handler")
            .role("arn:own")
            .timeout(7)
            .memory_size(256)
            .kms_key_arn("arn:key")
            .environment(EnvironmentResponse::builder().set_variables(Some(variables.clone())).build())
            .layers(Layer::builder().arn("arn:layer:1").build())
            .file_system_configs(file.clone())
            .vpc_config(vpc.ipv6_allowed_for_dual_stack(true).build())
            .tracing_config(TracingConfigResponse::builder().mode(TracingMode::Active).build())
            .build();
        let made = maker(source, true).request("name", 512, None);
        assert_eq!((made.get_memory_size(), made.get_timeout()), (&Some(512), &Some(7)));
        assert_eq!(
            (made.get_role().as_deref(), made.get_handler().as_deref()),
            (Some("arn:role"), Some("app.handler"))
        );
        assert_eq!(made.get_runtime(), &Some(Runtime::Python313));
        assert_eq!(made.get_environment().as_ref().unwrap().variables(), Some(&variables));
        assert_eq!(made.get_kms_key_arn().as_deref(), Some("arn:key"));
        assert_eq!(made.get_layers().as_deref(), Some(&["arn:layer:1".to_owned()][..]));
        assert_eq!(made.get_file_system_configs().as_deref(), Some(&[file][..]));
        assert_eq!(made.get_tracing_config().as_ref().unwrap().mode(), Some(&TracingMode::Active));
        let vpc = made.get_vpc_config().as_ref().unwrap();
        assert_eq!(
            (vpc.subnet_ids(), vpc.ipv6_allowed_for_dual_stack()),
            (&["subnet-1".to_owned()][..], Some(true))
        );
        let snap_start = made.get_snap_start().as_ref().unwrap();
        assert_eq!(snap_start.apply_on(), Some(&SnapStartApplyOn::PublishedVersions));
        assert_eq!(made.get_tags().as_ref().unwrap()[EXECUTION_TAG], EXECUTION);
        assert_eq!(made.get_tags().as_ref().unwrap()[SIZE_TAG], "512");
    }

    #[test]
    fn a_copy_of_a_quiet_function_logs_its_reports_and_to_the_stacks_group() {
        let logging = |logging: Option<LoggingConfig>| {
            maker(FunctionConfiguration::builder().set_logging_config(logging).build(), false).logging()
        };
        let text = logging(None);
        assert_eq!(
            (text.log_group(), text.log_format(), text.system_log_level()),
            (Some("/aws/lambda/stack-copies"), None, None)
        );
        let quiet = LoggingConfig::builder()
            .log_format(LogFormat::Json)
            .system_log_level(SystemLogLevel::Warn)
            .application_log_level(ApplicationLogLevel::Error)
            .log_group("/aws/lambda/own");
        let loud = logging(Some(quiet.build()));
        assert_eq!(
            (loud.log_group(), loud.system_log_level()),
            (Some("/aws/lambda/stack-copies"), Some(&SystemLogLevel::Info))
        );
        assert_eq!(loud.application_log_level(), Some(&ApplicationLogLevel::Error));
    }

    #[test]
    fn a_refusal_says_what_helps() {
        let refusal = |code: &str, status, message: &str| {
            let (code, message) = (code.to_owned(), message.to_owned());
            refused(512, Refusal { operation: "CreateFunction", code, status, message, out_of_time: false })
        };
        let role = refusal(
            "AccessDeniedException",
            403,
            "User: x is not authorized to perform: iam:PassRole on resource: r",
        );
        assert!(role.message.contains("copyableRoles") && role.message.contains("power value 512"), "{role}");
        let full = refusal("CodeStorageExceededException", 400, "Code storage limit exceeded.");
        assert!(full.message.contains("tune: \"in-place\""), "{full}");
        assert_eq!((role.kind, full.kind), (Kind::AccessDenied, Kind::Refused));
    }

    #[test]
    fn a_hash_is_signed_as_hexadecimal() {
        assert_eq!(hexadecimal("AQL/").unwrap(), "0102ff");
        assert_eq!(hexadecimal("?").unwrap_err().kind, Kind::Refused);
    }
}
