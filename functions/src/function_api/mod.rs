//! The tuned function through the Lambda API: its configuration, versions and aliases.
//!
//! Between the handlers and the SDK. Every call waits out transient failures ([`transient`]) and can be repeated; the few
//! that change something carry a revision id where Lambda accepts one, so that nothing somebody else did in the
//! meantime is overwritten. Invoking is apart ([`invoke`]): that may not be repeated.

pub mod configuration;
pub mod invoke;
pub mod transient;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::operation::get_runtime_management_config::GetRuntimeManagementConfigOutput;
use tokio::time::Instant;
use tuning::input::LambdaArn;

pub use self::configuration::{Configuration, Readiness, Version};
pub use self::transient::{Backoff, Refusal};
use crate::clients::Clients;
use crate::deadline::Deadline;
use crate::error::{Error, Kind};
use crate::run::Run;
use crate::waits::Waits;

/// The unpublished version, which is what tuning changes and restores.
pub const LATEST: &str = "$LATEST";

/// One function, seen through the Lambda API.
#[derive(Debug, Clone)]
pub struct FunctionApi {
    client: Client,
    function: String,
    deadline: Deadline,
    waits: Waits,
    lists: bool,
    fresh: bool,
}

/// An alias as Lambda describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// Its name.
    pub name: String,
    /// The version it points at, or [`LATEST`].
    pub version: String,
    /// Its description, empty when it has none.
    pub description: String,
    /// Changes with every change of the alias.
    pub revision: String,
    /// Further versions that get a share of its traffic.
    pub also: Vec<String>,
}

impl Alias {
    /// Whether any of the alias's traffic goes to this version.
    pub fn serves(&self, version: &str) -> bool {
        self.version == version || self.also.iter().any(|also| also == version)
    }
}

/// A function that is ready.
#[derive(Debug, Clone)]
pub struct Ready {
    /// Its configuration.
    pub configuration: Configuration,
    /// When the reading that says so was asked for.
    pub asked: Instant,
    /// Whether it was the first.
    pub at_once: bool,
}

macro_rules! alias {
    ($output:expr) => {{
        let output = $output;
        let weights = output.routing_config.and_then(|routing| routing.additional_version_weights);
        Alias {
            name: output.name.unwrap_or_default(),
            version: output.function_version.unwrap_or_default(),
            description: output.description.unwrap_or_default(),
            revision: output.revision_id.unwrap_or_default(),
            also: weights.unwrap_or_default().into_keys().collect(),
        }
    }};
}

impl FunctionApi {
    /// A function, as a role of its account sees it if one is given, to be talked to until the deadline.
    ///
    /// # Errors
    /// When there can be no client, as [`Clients::lambda_as`] says.
    pub async fn new(
        clients: &Clients,
        function: &LambdaArn,
        role: Option<&str>,
        deadline: Deadline,
    ) -> Result<Self, Error> {
        let client = clients.lambda_as(role, &function.region, deadline).await?;
        Ok(Self::of(client, clients.waits(), function.to_string(), deadline))
    }

    /// The function that a run tunes.
    ///
    /// # Errors
    /// The same.
    pub async fn of_run(clients: &Clients, run: &Run, deadline: Deadline) -> Result<Self, Error> {
        let client = clients.lambda_as(run.role_arn.as_deref(), &run.region, deadline).await?;
        Ok(Self::of(client, clients.waits(), run.function_arn.clone(), deadline))
    }

    /// The same by a client that there is already.
    pub fn of(client: Client, waits: Waits, function: String, deadline: Deadline) -> Self {
        Self { client, function, deadline, waits, lists: false, fresh: false }
    }

    /// One that was created just now, so that a reading may not show it yet.
    #[must_use]
    pub fn fresh(self) -> Self {
        Self { fresh: true, ..self }
    }

    /// Finds an alias by listing all: for handlers that list aliases anyway, and so need no permission to get one.
    #[must_use]
    pub fn listing(self) -> Self {
        Self { lists: true, ..self }
    }

    /// The same, to be talked to until this moment at the latest.
    #[must_use]
    pub fn until(&self, moment: Instant) -> Self {
        Self { deadline: self.deadline.or(moment), ..self.clone() }
    }

    /// The function's ARN.
    pub fn function(&self) -> &str {
        &self.function
    }

    /// How long to wait for what AWS shows late.
    pub fn waits(&self) -> Waits {
        self.waits
    }

    /// When to be done.
    pub fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// The configuration of `$LATEST`, or of a version or alias.
    ///
    /// By `GetFunction`, which an account may call 100 times a second: `GetFunctionConfiguration` shares 15 calls a second
    /// with everything that changes functions.
    ///
    /// # Errors
    /// What AWS refuses, or transient failures that outlast the deadline.
    pub async fn configuration(&self, qualifier: Option<&str>) -> Result<Configuration, Refusal> {
        self.read(qualifier).await.map(Configuration::from)
    }

    /// Everything that is shown of `$LATEST`, or of a version or alias.
    ///
    /// # Errors
    /// What AWS refuses, or transient failures that outlast the deadline.
    pub async fn read(&self, qualifier: Option<&str>) -> Result<GetFunctionOutput, Refusal> {
        transient::call("GetFunction", self.deadline, false, || {
            let request = self.client.get_function().function_name(&self.function);
            request.set_qualifier(qualifier.map(str::to_owned)).send()
        })
        .await
    }

    /// When the runtime of `$LATEST` or of a version is updated.
    ///
    /// # Errors
    /// What AWS refuses, or transient failures that outlast the deadline.
    pub async fn runtime_management(
        &self,
        qualifier: Option<&str>,
    ) -> Result<GetRuntimeManagementConfigOutput, Refusal> {
        transient::call("GetRuntimeManagementConfig", self.deadline, false, || {
            let request = self.client.get_runtime_management_config().function_name(&self.function);
            request.set_qualifier(qualifier.map(str::to_owned)).send()
        })
        .await
    }

    /// How many invocations may run at once, in the account and the function's region, of all functions that have reserved nothing.
    ///
    /// # Errors
    /// What AWS refuses, or transient failures that outlast the deadline.
    pub async fn unreserved_concurrency(&self) -> Result<Option<u32>, Refusal> {
        let answer = transient::call("GetAccountSettings", self.deadline, false, || {
            self.client.get_account_settings().send()
        });
        answer.await.map(|answer| {
            let unreserved = answer.account_limit?.unreserved_concurrent_executions;
            unreserved.and_then(|unreserved| u32::try_from(unreserved).ok())
        })
    }

    /// Waits until the function is ready for a change or to be published.
    ///
    /// # Errors
    /// When it is in a state it does not leave by itself, does not exist, or time is up.
    pub async fn ready_configuration(&self, qualifier: Option<&str>) -> Result<Configuration, Error> {
        self.ready(qualifier).await.map(|ready| ready.configuration)
    }

    /// The same, and when that was seen.
    ///
    /// # Errors
    /// The same.
    pub async fn ready(&self, qualifier: Option<&str>) -> Result<Ready, Error> {
        let mut backoff = Backoff::polling();
        let mut at_once = true;
        // Why it was not ready when it was last seen.
        let mut waiting = None;
        let began = Instant::now();
        let what = qualifier.map_or("the function".to_owned(), |q| format!("version or alias {q}"));
        let late = |reason: String| {
            Error::late(format!("{what} of {} did not become ready ({reason})", self.function))
        };
        loop {
            let asked = Instant::now();
            let configuration = match self.configuration(qualifier).await {
                // Reads may lag behind the publication.
                Err(refusal)
                    if (self.fresh || qualifier.is_some())
                        && refusal.is_not_found()
                        && began.elapsed() < self.waits.missing_version
                        && backoff.wait(self.deadline).await =>
                {
                    continue;
                }
                Err(refusal) => {
                    let error = Error::from(refusal);
                    // Time is up during a call: what kept it from being ready says more than that the call had no time.
                    return Err(match waiting {
                        Some(reason) if error.kind == Kind::OutOfTime => late(reason),
                        _ => error,
                    });
                }
                Ok(configuration) => configuration,
            };
            match configuration.readiness() {
                Readiness::Ready => return Ok(Ready { configuration, asked, at_once }),
                Readiness::Broken(reason) => {
                    let message = format!("{what} of {} cannot be used: {reason}", self.function);
                    return Err(Error::new(Kind::FunctionNotReady, message));
                }
                Readiness::NotYet(reason) => {
                    at_once = false;
                    if !backoff.wait(self.deadline).await {
                        return Err(late(reason));
                    }
                    waiting = Some(reason);
                }
            }
        }
    }

    /// Sets the memory size of `$LATEST` (MB), provided its revision is still this one.
    ///
    /// # Errors
    /// [`Refusal::is_outdated`] when it is not, or when a first answer was lost: read the configuration again.
    pub async fn set_memory(&self, memory: u32, revision: &str) -> Result<Configuration, Refusal> {
        // Sizes are at most 10,240.
        let memory = i32::try_from(memory).unwrap_or(i32::MAX);
        transient::call("UpdateFunctionConfiguration", self.deadline, true, || {
            let request = self.client.update_function_configuration().function_name(&self.function);
            request.memory_size(memory).revision_id(revision).send()
        })
        .await
        .map(Configuration::from)
    }

    /// Publishes `$LATEST`, provided its code and revision are still these. Lambda makes no new version when nothing
    /// has changed since the last one: it answers with that one, under its own description.
    ///
    /// # Errors
    /// [`Refusal::is_outdated`] when the revision is another, `InvalidParameterValueException` when the code is.
    pub async fn publish(&self, description: &str, code: &str, revision: &str) -> Result<Version, Refusal> {
        transient::call("PublishVersion", self.deadline, true, || {
            let request = self.client.publish_version().function_name(&self.function);
            request.description(description).code_sha256(code).revision_id(revision).send()
        })
        .await
        .map(Version::from)
    }

    /// All versions, `$LATEST` included.
    ///
    /// # Errors
    /// What AWS refuses, or transient failures that outlast the deadline.
    pub async fn versions(&self) -> Result<Vec<Version>, Refusal> {
        let mut versions = Vec::new();
        let mut marker = None;
        loop {
            let page = transient::call("ListVersionsByFunction", self.deadline, false, || {
                let request = self.client.list_versions_by_function().function_name(&self.function);
                request.set_marker(marker.clone()).send()
            })
            .await?;
            versions.extend(page.versions.unwrap_or_default().into_iter().map(Version::from));
            marker = page.next_marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                return Ok(versions);
            }
        }
    }

    /// Deletes one published version; one that does not exist is deleted already. Takes a number, so that no
    /// mistake can delete the function itself.
    ///
    /// # Errors
    /// [`Refusal::is_conflict`] while an alias points at it.
    pub async fn delete_version(&self, version: u64) -> Result<(), Refusal> {
        let result = transient::call("DeleteFunction", self.deadline, false, || {
            let request = self.client.delete_function().function_name(&self.function);
            request.qualifier(version.to_string()).send()
        })
        .await;
        missing_is_done(result.map(drop))
    }

    /// All aliases.
    ///
    /// # Errors
    /// What AWS refuses, or transient failures that outlast the deadline.
    pub async fn aliases(&self) -> Result<Vec<Alias>, Refusal> {
        let mut aliases = Vec::new();
        let mut marker = None;
        loop {
            let page = transient::call("ListAliases", self.deadline, false, || {
                let request = self.client.list_aliases().function_name(&self.function);
                request.set_marker(marker.clone()).send()
            })
            .await?;
            aliases.extend(page.aliases.unwrap_or_default().into_iter().map(|alias| alias!(alias)));
            marker = page.next_marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                return Ok(aliases);
            }
        }
    }

    /// One alias, `None` when there is none of that name.
    ///
    /// # Errors
    /// What AWS refuses, or transient failures that outlast the deadline.
    pub async fn alias(&self, name: &str) -> Result<Option<Alias>, Refusal> {
        if self.lists {
            return Ok(self.aliases().await?.into_iter().find(|alias| alias.name == name));
        }
        let result = transient::call("GetAlias", self.deadline, false, || {
            self.client.get_alias().function_name(&self.function).name(name).send()
        })
        .await;
        match result {
            Ok(alias) => Ok(Some(alias!(alias))),
            Err(refusal) if refusal.is_not_found() => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// Creates an alias: atomic, exactly one of several callers succeeds.
    ///
    /// # Errors
    /// [`Refusal::is_conflict`] when there is one of that name, perhaps our own whose answer was lost.
    pub async fn create_alias(&self, name: &str, version: &str, description: &str) -> Result<Alias, Refusal> {
        transient::call("CreateAlias", self.deadline, false, || {
            let request = self.client.create_alias().function_name(&self.function).name(name);
            request.function_version(version).description(description).send()
        })
        .await
        .map(|alias| alias!(alias))
    }

    /// Changes an alias; what is `None` stays. With a revision, only if it is still that one.
    ///
    /// # Errors
    /// [`Refusal::is_outdated`] when it is not, or when a first answer was lost: read the alias again.
    pub async fn update_alias(
        &self,
        name: &str,
        version: Option<&str>,
        description: Option<&str>,
        revision: &str,
    ) -> Result<Alias, Refusal> {
        transient::call("UpdateAlias", self.deadline, true, || {
            let request = self.client.update_alias().function_name(&self.function).name(name);
            let request = request.set_function_version(version.map(str::to_owned));
            request.set_description(description.map(str::to_owned)).revision_id(revision).send()
        })
        .await
        .map(|alias| alias!(alias))
    }

    /// Deletes an alias; one that does not exist is deleted already.
    ///
    /// # Errors
    /// What AWS refuses, or transient failures that outlast the deadline.
    pub async fn delete_alias(&self, name: &str) -> Result<(), Refusal> {
        let result = transient::call("DeleteAlias", self.deadline, true, || {
            self.client.delete_alias().function_name(&self.function).name(name).send()
        })
        .await;
        missing_is_done(result.map(drop))
    }

    /// The same, but whether it may be tried again is for the caller to find out.
    ///
    /// # Errors
    /// What AWS refuses; [`Refusal::may_pass`] when it may be done all the same.
    pub async fn delete_alias_once(&self, name: &str) -> Result<(), Refusal> {
        let request = self.client.delete_alias().function_name(&self.function).name(name);
        missing_is_done(transient::once("DeleteAlias", self.deadline, request.send()).await.map(drop))
    }
}

fn missing_is_done(result: Result<(), Refusal>) -> Result<(), Refusal> {
    match result {
        Err(refusal) if refusal.is_not_found() => Ok(()),
        result => result,
    }
}
