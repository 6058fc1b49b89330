#![doc = include_str!("../README.md")]

mod accounts;
pub mod api;
pub mod cloudformation;
pub mod cloudfront;
pub mod cloudwatch;
mod ecr;
pub mod endpoint;
pub mod events;
pub mod faults;
mod front;
pub mod iam;
pub mod ids;
pub mod lambda;
pub mod logs;
pub mod params;
mod protocol;
mod running;
pub mod s3;
pub mod ssm;
pub mod states;
pub mod store;
mod sts;
#[cfg(test)]
mod testing;

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

pub use api::{ApiError, Caller, Result, Service};
pub use endpoint::{Endpoint, Options, StartError};
pub use running::{Running, running};

/// The main account, to which everything belongs that no other account's key made.
pub const ACCOUNT: &str = "000000000000";

/// The services there are. They start in this order and stop in the opposite one: first those that keep others at work.
static SERVICES: [&api::Entry; 12] = [
    &iam::ENTRY,
    &sts::ENTRY,
    &s3::ENTRY,
    &ssm::ENTRY,
    &ecr::ENTRY,
    &logs::ENTRY,
    &cloudfront::ENTRY,
    &cloudwatch::ENTRY,
    &lambda::ENTRY,
    &events::ENTRY,
    &states::ENTRY,
    &cloudformation::ENTRY,
];

/// Everything a service needs to answer a call: the settings, the records and the other services.
pub struct Aws {
    /// Where it runs and under which names.
    pub settings: Settings,
    /// The records that outlive the process.
    pub store: store::Store,
    /// What is to go wrong.
    pub faults: faults::Faults,
    /// Roles, sessions and the decision whether a call is allowed.
    pub iam: iam::Iam,
    /// Buckets and objects.
    pub s3: s3::S3,
    /// Log groups and streams.
    pub logs: logs::Logs,
    /// What functions' invocations came to, minute by minute.
    pub metrics: cloudwatch::Metrics,
    /// Rules and their targets.
    pub events: events::Events,
    /// Functions, versions, aliases and their execution environments.
    pub lambda: lambda::Lambda,
    /// State machines and executions.
    pub states: states::States,
    /// Stacks and change sets.
    pub cloudformation: cloudformation::CloudFormation,
    /// The other accounts.
    accounts: accounts::Accounts,
}

/// What is fixed for the life of an endpoint.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder that holds the database, S3 objects and unpacked code.
    pub state: PathBuf,
    /// The account that ARNs name.
    pub account: String,
    /// The region that ARNs name.
    pub region: String,
    /// The endpoint's own address, `http://127.0.0.1:PORT`; functions get it as `AWS_ENDPOINT_URL`.
    pub url: String,
    /// How functions are to get their CPU share; the best that the machine has when there is none.
    pub cpu_share: Option<lambda::Mechanism>,
}

impl Aws {
    /// Opens the state folder and the services over it, without serving anything yet; [`Aws::start`] comes next.
    ///
    /// # Errors
    /// When the state folder is in use or not readable.
    pub fn open(settings: Settings) -> Result<Arc<Self>, store::StoreError> {
        Self::opened(settings, None)
    }

    /// The same for another account on the same machine.
    fn open_beside(settings: Settings, main: &Arc<Self>) -> Result<Arc<Self>, store::StoreError> {
        Self::opened(settings, Some(main))
    }

    fn opened(settings: Settings, main: Option<&Arc<Self>>) -> Result<Arc<Self>, store::StoreError> {
        let store = store::Store::open(&settings.state)?;
        Ok(Arc::new(Self {
            faults: faults::Faults::default(),
            iam: main.map_or_else(iam::Iam::default, |main| main.iam.beside()),
            s3: s3::S3::open(&settings, &store),
            logs: logs::Logs::open(),
            metrics: cloudwatch::Metrics::default(),
            events: events::Events::default(),
            lambda: lambda::Lambda::open(&settings, &store, main.map(|main| &main.lambda)),
            states: states::States::default(),
            cloudformation: cloudformation::CloudFormation::open(),
            accounts: main.map_or_else(Default::default, accounts::Accounts::of),
            settings,
            store,
        }))
    }

    /// Takes up what an earlier process left unfinished. Called once, when the endpoint already listens.
    pub async fn start(self: &Arc<Self>) {
        self.start_services().await;
        self.start_accounts().await;
    }

    async fn start_services(self: &Arc<Self>) {
        for service in SERVICES {
            (service.start)(self).await;
        }
    }

    /// Lets asynchronous work end: stack operations, executions, the events they emitted, then the functions.
    pub async fn stop(self: &Arc<Self>) {
        // First the others, since the machine is the main account's.
        self.stop_accounts().await;
        self.stop_services().await;
    }

    async fn stop_services(self: &Arc<Self>) {
        for service in SERVICES.iter().rev() {
            (service.stop)(self).await;
        }
    }

    /// Performs an operation of a service with AWS's own member names, as JSON in and out.
    ///
    /// # Errors
    /// The error AWS would answer, [`ApiError`], access denials included.
    pub async fn call(
        self: &Arc<Self>,
        caller: &Caller,
        service: Service,
        operation: &str,
        input: Value,
    ) -> Result<Value> {
        (service.entry().call)(self, caller, operation, input).await
    }

    /// The ARN of a regional resource of the account, `arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE`.
    #[must_use]
    pub fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{resource}", self.settings.region, self.settings.account)
    }
}
