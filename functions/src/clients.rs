//! The AWS clients, built once per sandbox and only those that a handler needs.
//!
//! Credentials come from the environment alone, as Lambda provides them: no look-ups elsewhere that would cost time
//! in a cold start. The SDK's own retries are off; [`crate::function_api::weather`] decides what may be repeated.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_lambda::config::{Credentials, SharedCredentialsProvider, SharedHttpClient};
use aws_smithy_http_client::tls;

use crate::error::{Error, Kind};
use crate::objects::Objects;

/// A connection that takes longer than this to come about is tried anew.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The clients of one sandbox.
#[derive(Debug, Default)]
pub struct Clients {
    given: Option<(String, Credentials)>,
    lambda: PerRegion<aws_sdk_lambda::Client>,
    s3: PerRegion<Objects>,
    states: PerRegion<aws_sdk_sfn::Client>,
}

impl Clients {
    /// Clients set up from the environment, each on first use.
    pub fn new() -> Self {
        Self::default()
    }

    /// Clients of one endpoint, whatever the environment says.
    pub fn of_endpoint(url: impl Into<String>, credentials: Credentials) -> Self {
        Self { given: Some((url.into(), credentials)), ..Self::default() }
    }

    /// The Lambda client of a region.
    ///
    /// # Errors
    /// When the environment lacks credentials or names an unreadable CA bundle.
    pub fn lambda(&self, region: &str) -> Result<aws_sdk_lambda::Client, Error> {
        self.lambda.get(region, || Ok(aws_sdk_lambda::Client::new(&self.config(region, "LAMBDA")?)))
    }

    /// The objects in S3 of a region.
    ///
    /// # Errors
    /// As for [`Clients::lambda`].
    pub fn objects(&self, region: &str) -> Result<Objects, Error> {
        self.s3.get(region, || {
            let (endpoint, credentials) = self.access("S3")?;
            let http = http_client(endpoint.as_deref())?;
            Ok(Objects { region: region.to_owned(), endpoint, credentials, timeouts: timeouts(), http })
        })
    }

    /// The Step Functions client of a region.
    ///
    /// # Errors
    /// As for [`Clients::lambda`].
    pub fn states(&self, region: &str) -> Result<aws_sdk_sfn::Client, Error> {
        self.states.get(region, || Ok(aws_sdk_sfn::Client::new(&self.config(region, "SFN")?)))
    }

    /// A service's endpoint, if it is not AWS's own, and the credentials for it.
    fn access(&self, service: &str) -> Result<(Option<String>, Credentials), Error> {
        Ok(match &self.given {
            Some((url, credentials)) => (Some(url.clone()), credentials.clone()),
            None => (endpoint(service), credentials()?),
        })
    }

    fn config(&self, region: &str, service: &str) -> Result<SdkConfig, Error> {
        let (endpoint, credentials) = self.access(service)?;
        let mut builder = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .http_client(http_client(endpoint.as_deref())?);
        builder.set_endpoint_url(endpoint);
        Ok(builder.build())
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

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).build()
}

/// The endpoint the environment names for a service, if it is not to be AWS's own.
fn endpoint(service: &str) -> Option<String> {
    variable(&format!("AWS_ENDPOINT_URL_{service}")).or_else(|| variable("AWS_ENDPOINT_URL"))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn credentials() -> Result<Credentials, Error> {
    let required = |name: &str| {
        variable(name).ok_or_else(|| {
            Error::new(
                Kind::Environment,
                format!("{name} is not set: run this inside Lambda, or set credentials"),
            )
        })
    };
    Ok(Credentials::new(
        required("AWS_ACCESS_KEY_ID")?,
        required("AWS_SECRET_ACCESS_KEY")?,
        variable("AWS_SESSION_TOKEN"),
        None,
        "environment",
    ))
}

/// The transport to an endpoint. Parsing root certificates is the largest cost of a first call, so a plain HTTP
/// endpoint (the local one) gets a client without TLS.
fn http_client(endpoint: Option<&str>) -> Result<SharedHttpClient, Error> {
    let builder = aws_smithy_http_client::Builder::new();
    if endpoint.is_some_and(|url| url.starts_with("http://")) {
        return Ok(builder.build_http());
    }
    let mut roots = tls::TrustStore::default();
    if let Some(path) = variable("AWS_CA_BUNDLE") {
        let bundle = std::fs::read(&path)
            .map_err(|e| Error::new(Kind::Environment, format!("cannot read AWS_CA_BUNDLE {path:?}: {e}")))?;
        roots = tls::TrustStore::empty().with_pem_certificate(bundle);
    }
    let context = tls::TlsContext::builder()
        .with_trust_store(roots)
        .build()
        .map_err(|e| Error::new(Kind::Environment, format!("cannot set up TLS: {e}")))?;
    Ok(builder
        .tls_provider(tls::Provider::rustls(tls::rustls_provider::CryptoMode::Ring))
        .tls_context(context)
        .build_https())
}
