//! What a handler gets from Lambda: its environment variables, and the AWS clients that they describe, built once per sandbox
//! and only those that a handler needs.
//!
//! Credentials come from the variables alone, as Lambda provides them: no look-ups elsewhere that would cost time
//! in a cold start. The SDK's own retries are off; [`crate::function_api::transient`] decides what may be repeated.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_lambda::config::{Credentials, SharedCredentialsProvider, SharedHttpClient};

use crate::deadline::Deadline;
use crate::error::{Error, Kind};
use crate::objects::Objects;
use crate::roles::{Sessions, Sts};
use crate::signing::Signer;
use crate::transport;
use crate::waits::Waits;

/// The variables and clients of one sandbox.
#[derive(Debug, Default)]
pub struct Clients {
    /// Instead of the process's, for handlers that run inside another program.
    given: Option<BTreeMap<String, String>>,
    lambda: PerRegion<aws_sdk_lambda::Client>,
    s3: PerRegion<Objects>,
    states: PerRegion<aws_sdk_sfn::Client>,
    sessions: Sessions,
    waits: Waits,
}

impl Clients {
    /// Set up from the process's environment variables, each client on first use.
    pub fn new() -> Self {
        Self::default()
    }

    /// Set up from these variables, whatever the process's are.
    pub fn with(variables: BTreeMap<String, String>) -> Self {
        Self { given: Some(variables), ..Self::default() }
    }

    /// With these waits instead of those for AWS.
    #[must_use]
    pub fn waiting(self, waits: Waits) -> Self {
        Self { waits, ..self }
    }

    /// How long to wait for what AWS shows late.
    pub fn waits(&self) -> Waits {
        self.waits
    }

    /// An environment variable that is set to something.
    pub fn variable(&self, name: &str) -> Option<String> {
        let value = match &self.given {
            Some(given) => given.get(name).cloned(),
            None => std::env::var(name).ok(),
        };
        value.filter(|value| !value.is_empty())
    }

    /// The Lambda client of a region.
    ///
    /// # Errors
    /// When the environment lacks credentials or names an unreadable CA bundle.
    pub fn lambda(&self, region: &str) -> Result<aws_sdk_lambda::Client, Error> {
        self.lambda.get(region, || {
            let config = self.config(region, "LAMBDA", self.credentials()?)?;
            Ok(aws_sdk_lambda::Client::new(&config))
        })
    }

    /// The Lambda client of a region for a role of another account, if there is one; good for a pass.
    ///
    /// # Errors
    /// As for [`Clients::lambda`]; when the role may not be assumed.
    pub async fn lambda_as(
        &self,
        role: Option<&str>,
        region: &str,
        deadline: Deadline,
    ) -> Result<aws_sdk_lambda::Client, Error> {
        let Some(role) = role else { return self.lambda(region) };
        let here = self.variable("AWS_REGION").unwrap_or_else(|| region.to_owned());
        let endpoint = self.endpoint("STS");
        let sts = Sts {
            http: self.http_client(endpoint.as_deref())?,
            endpoint,
            signer: Signer { service: "sts", region: here, credentials: self.credentials()? },
            session: self.variable("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_else(|| "deployer".to_owned()),
        };
        let credentials = self.sessions.of(role, &sts, deadline).await?;
        Ok(aws_sdk_lambda::Client::new(&self.config(region, "LAMBDA", credentials)?))
    }

    /// The objects in S3 of a region.
    ///
    /// # Errors
    /// As for [`Clients::lambda`].
    pub fn objects(&self, region: &str) -> Result<Objects, Error> {
        self.s3.get(region, || {
            let (endpoint, credentials) = (self.endpoint("S3"), self.credentials()?);
            let http = self.http_client(endpoint.as_deref())?;
            Ok(Objects { region: region.to_owned(), endpoint, credentials, http })
        })
    }

    /// The Step Functions client of a region.
    ///
    /// # Errors
    /// As for [`Clients::lambda`].
    pub fn states(&self, region: &str) -> Result<aws_sdk_sfn::Client, Error> {
        self.states
            .get(region, || Ok(aws_sdk_sfn::Client::new(&self.config(region, "SFN", self.credentials()?)?)))
    }

    /// Where functions are invoked instead of on AWS: the address of an emulator. An interface endpoint of a VPC is AWS's own.
    pub fn emulator(&self) -> Option<String> {
        self.endpoint("LAMBDA").filter(|url| ![".amazonaws.", ".api.aws"].iter().any(|aws| url.contains(aws)))
    }

    /// The endpoint that the variables name for a service, if it is not to be AWS's own.
    fn endpoint(&self, service: &str) -> Option<String> {
        self.variable(&format!("AWS_ENDPOINT_URL_{service}")).or_else(|| self.variable("AWS_ENDPOINT_URL"))
    }

    fn credentials(&self) -> Result<Credentials, Error> {
        let required = |name: &str| {
            self.variable(name).ok_or_else(|| {
                Error::new(
                    Kind::Environment,
                    format!("{name} is not set: run this inside Lambda, or set credentials"),
                )
            })
        };
        Ok(Credentials::new(
            required("AWS_ACCESS_KEY_ID")?,
            required("AWS_SECRET_ACCESS_KEY")?,
            self.variable("AWS_SESSION_TOKEN"),
            None,
            "environment",
        ))
    }

    fn config(&self, region: &str, service: &str, credentials: Credentials) -> Result<SdkConfig, Error> {
        let endpoint = self.endpoint(service);
        let mut builder = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .http_client(self.http_client(endpoint.as_deref())?);
        builder.set_endpoint_url(endpoint);
        Ok(builder.build())
    }

    fn http_client(&self, endpoint: Option<&str>) -> Result<SharedHttpClient, Error> {
        transport::client(endpoint, self.variable("AWS_CA_BUNDLE").as_deref())
    }
}

/// One client for each region asked for: a pre-processor may live elsewhere than the tuned function.
#[derive(Debug)]
struct PerRegion<T>(Mutex<BTreeMap<String, T>>);

impl<T> Default for PerRegion<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> PerRegion<T> {
    fn get(&self, region: &str, build: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(region) {
            return Ok(client.clone());
        }
        let client = build()?;
        clients.insert(region.to_owned(), client.clone());
        Ok(client)
    }
}
