//! The function to tune: found by name or ARN, or on this machine created from its code.

mod convention;
mod layers;
mod package;
mod role;

use anyhow::Context as _;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    Architecture as LambdaArchitecture, Environment, FunctionCode, FunctionConfiguration, LastUpdateStatus,
    Runtime, SnapStartApplyOn, State,
};
use serde_json::{Map, Value};
use tuning::input::{Input, SMALLEST, Tune, fields};
use tuning::pricing::{self, Architecture, Extras};

use crate::aws::Aws;
use crate::call::Call;
use crate::context::Context;
use crate::definitions::Deployed;
use crate::events::Events;
use crate::failure::{Usage, hinted};

pub use package::{Code, Package};
pub use role::advice;

/// A function's time-out when none is given, in seconds. Lambda's own default of 3 s is too short for small sizes.
const TIMEOUT: u32 = 60;

/// Judges an execution input before anything is called, by the rules of the state machine itself. Fields that it would
/// ignore are warned about. Hands back what the state machine will read.
///
/// # Errors
/// [`Usage`] with every problem.
pub fn check(input: &Map<String, Value>, named: &str, context: &Context) -> Result<Input, Usage> {
    let mut whole = input.clone();
    if input.contains_key(fields::ROLE_ARN.name) {
        named_by_arn(named)?;
    }
    let arn = if named.starts_with("arn:") {
        named.to_owned()
    } else {
        // Only its form matters here: the real one is looked up afterwards.
        format!("arn:aws:lambda:us-east-1:000000000000:function:{named}")
    };
    whole.insert("lambdaARN".to_owned(), arn.into());
    let whole = Value::Object(whole);
    for unknown in tuning::input::unknown_fields(&whole) {
        context.events.warning(unknown.to_string());
    }
    // The stack has its own default sizes; any will do for judging the rest.
    let defaults = tuning::input::Defaults { power_values: vec![128] };
    let input = Input::parse(&whole, &defaults).map_err(|problems| Usage(problems.to_string()))?;
    if let Some(misspelt) = input.payload.as_ref().and_then(tuning::payload::misspelt) {
        return Err(Usage(format!("payload: {misspelt}")));
    }
    for warning in &input.warnings {
        context.events.warning(warning.to_string());
    }
    Ok(input)
}

/// A function that exists.
#[derive(Debug)]
pub struct Found {
    /// Its ARN, unqualified.
    pub arn: String,
    /// Its memory size in MB.
    pub memory: u32,
    /// Whether it has SnapStart, and Lambda bills that.
    pub snap_start: bool,
    /// Its time-out in seconds.
    pub timeout_s: u32,
    /// Its processor.
    pub architecture: Architecture,
    /// Its ephemeral storage in MB.
    pub storage_mb: u32,
}

impl Found {
    /// What a run costs besides its invocations, where the function's settings make it cost more. The sizes of the input may be the
    /// stack's, which are not known here; nobody knows those of a search.
    #[must_use]
    pub fn charges(&self, region: &str, input: &Input, sizes_are_known: bool) -> Option<String> {
        if !self.snap_start {
            return None;
        }
        let of_each = input.only_cold_starts && !input.in_bursts();
        let times = if of_each { input.invocations() as usize } else { 1 } * input.architectures.len().max(1);
        let measured = input.power_values.iter().flat_map(|&size| std::iter::repeat_n(size, times));
        // One more keeps the function as it was, which copies leave alone.
        let kept = (input.tune == Tune::InPlace).then_some(self.memory);
        let versions: Vec<u32> = measured.chain(kept).collect();
        let are_known = sizes_are_known && input.search.is_none();
        Some(pricing::snapshots_note(region, are_known.then_some(versions.as_slice())))
    }
}

impl TryFrom<&FunctionConfiguration> for Found {
    type Error = anyhow::Error;

    fn try_from(found: &FunctionConfiguration) -> anyhow::Result<Self> {
        let snap_start = found.snap_start().and_then(|snap_start| snap_start.apply_on());
        let runtime = found.runtime().map_or("", Runtime::as_str);
        Ok(Self {
            arn: arn(found)?,
            timeout_s: found.timeout().and_then(|timeout| u32::try_from(timeout).ok()).unwrap_or(3),
            architecture: found
                .architectures()
                .first()
                .and_then(|architecture| architecture.as_str().parse().ok())
                .unwrap_or_default(),
            storage_mb: found
                .ephemeral_storage()
                .and_then(|storage| u32::try_from(storage.size()).ok())
                .unwrap_or_default(),
            memory: found.memory_size().and_then(|size| u32::try_from(size).ok()).unwrap_or(SMALLEST),
            snap_start: snap_start == Some(&SnapStartApplyOn::PublishedVersions)
                && Extras::bills_snap_start(runtime),
        })
    }
}

/// Names do not lead into other accounts.
fn named_by_arn(named: &str) -> Result<(), Usage> {
    if named.starts_with("arn:") {
        return Ok(());
    }
    Err(Usage(format!("with --assume-role the function is named by its ARN, and {named} is none")))
}

/// The ARN of a function in another account, into which only the stack's Lambdas can look.
///
/// # Errors
/// A name that is no ARN; another region.
pub fn elsewhere(aws: &Aws, named: &str) -> anyhow::Result<String> {
    named_by_arn(named)?;
    crate::execution::same_region(named, aws)?;
    Ok(named.to_owned())
}

/// Looks up a function by name or ARN.
///
/// # Errors
/// One that does not exist, with a hint.
pub async fn find(aws: &Aws, named: &str, local: bool) -> anyhow::Result<Found> {
    if named.starts_with("arn:") {
        crate::execution::same_region(named, aws)?;
    }
    match configuration(aws, named).await? {
        Some(found) => Found::try_from(&found),
        None => {
            let hint = if local {
                "create it from its code with --code DIR, or name one that exists on this machine"
            } else {
                "check the name, the region (--region) and the account (--profile)"
            };
            Err(hinted(
                anyhow::anyhow!("the function {named} does not exist in {}", aws.place().region),
                hint,
            ))
        }
    }
}

/// What a function is called where it is defined, as far as its tags tell: those who may not read them get its name alone.
///
/// # Errors
/// A call that failed for good.
pub async fn deployed(aws: &Aws, named: &str) -> anyhow::Result<Deployed> {
    let found = aws.lambda().get_function().function_name(named).send().await;
    let found =
        found.called("lambda:GetFunction").with_context(|| format!("looking up the function {named}"))?;
    let named =
        Deployed::named(found.configuration().and_then(|found| found.function_name()).unwrap_or(named));
    Ok(named.tagged(|tag| found.tags()?.get(tag)))
}

/// A function as Lambda has it.
///
/// # Errors
/// A call that failed for good; a function that is not there is none.
pub async fn configuration(aws: &Aws, named: &str) -> anyhow::Result<Option<FunctionConfiguration>> {
    configuration_by(&aws.lambda(), named).await
}

/// The same with a client of its own, for several at a time.
///
/// # Errors
/// As [`configuration`].
pub async fn configuration_by(lambda: &Client, named: &str) -> anyhow::Result<Option<FunctionConfiguration>> {
    let found = lambda.get_function().function_name(named).send().await;
    match found.called("lambda:GetFunction") {
        Ok(found) => Ok(found.configuration().cloned()),
        Err(error) if error.is("ResourceNotFoundException") => Ok(None),
        Err(error) => Err(error).with_context(|| format!("looking up the function {named}")),
    }
}

fn arn(found: &FunctionConfiguration) -> anyhow::Result<String> {
    found.function_arn().map(str::to_owned).context("the function has no ARN")
}

/// Creates the function, or brings it up to date, and waits until it is ready.
///
/// # Errors
/// What Lambda refused.
pub async fn put(aws: &Aws, name: &str, package: &Package, events: &Events) -> anyhow::Result<String> {
    let code = &package.code;
    let (runtime, handler) = (Runtime::from(package.runtime.as_str()), package.handler.clone());
    let architecture = LambdaArchitecture::from(package.architecture.name());
    let timeout = i32::try_from(code.timeout.unwrap_or(TIMEOUT)).unwrap_or(900);
    let environment =
        Environment::builder().set_variables(Some(code.environment.iter().cloned().collect())).build();
    let zip = Blob::new(package.zip.clone());
    let layers = layers::put(aws, &package.layers, events).await?;
    let role = role::put(aws, name, &package.rights).await?;
    if configuration(aws, name).await?.is_some() {
        events.started(format!("bringing {name} up to date"));
        aws.lambda()
            .update_function_code()
            .function_name(name)
            .zip_file(zip)
            .architectures(architecture)
            .send()
            .await
            .called("lambda:UpdateFunctionCode")
            .with_context(|| format!("updating the code of {name}"))?;
        ready(aws, name).await?;
        aws.lambda()
            .update_function_configuration()
            .function_name(name)
            .runtime(runtime)
            .handler(handler)
            .timeout(timeout)
            .environment(environment)
            .set_layers(Some(layers))
            .role(role)
            .send()
            .await
            .called("lambda:UpdateFunctionConfiguration")
            .with_context(|| format!("updating the configuration of {name}"))?;
    } else {
        events.started(format!("creating {name}"));
        aws.lambda()
            .create_function()
            .function_name(name)
            .runtime(runtime)
            .handler(handler)
            .timeout(timeout)
            .environment(environment)
            .set_layers(Some(layers))
            .architectures(architecture)
            .role(role)
            .code(FunctionCode::builder().zip_file(zip).build())
            .send()
            .await
            .called("lambda:CreateFunction")
            .with_context(|| format!("creating {name}"))?;
    }
    let ready = ready(aws, name).await?;
    if let Some(endpoint) = aws.embedded() {
        let differences = endpoint.lambda.prepare(endpoint, name).await;
        for difference in
            differences.map_err(anyhow::Error::msg).with_context(|| format!("getting {name} ready"))?
        {
            events.note(difference);
        }
    } else if aws.cpu_share().await.is_some()
        && let Some(difference) = local_aws::lambda::difference(&package.runtime).await
    {
        events.note(difference);
    }
    events.finished(format!("{name} is ready"));
    arn(&ready)
}

/// Waits until a function's last change has come into effect.
///
/// # Errors
/// A change that failed, a function that was deleted.
pub async fn ready(aws: &Aws, name: &str) -> anyhow::Result<FunctionConfiguration> {
    loop {
        let found = configuration(aws, name)
            .await?
            .with_context(|| format!("the function {name} was deleted meanwhile; run it again"))?;
        match (found.state(), found.last_update_status()) {
            (Some(State::Failed), _) | (_, Some(LastUpdateStatus::Failed)) => {
                let reason =
                    found.state_reason().or(found.last_update_status_reason()).unwrap_or("no reason given");
                anyhow::bail!("{name} cannot be used: {reason}");
            }
            (Some(State::Pending), _) | (_, Some(LastUpdateStatus::InProgress)) => {
                tokio::time::sleep(aws.poll_interval()).await;
            }
            _ => return Ok(found),
        }
    }
}
