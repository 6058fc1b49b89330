//! The connection: one `SdkConfig` for AWS, another endpoint, or the one embedded in this program.
//!
//! Nothing past this module knows which of them answers. With `--local` the endpoint is started here, in this process, on its
//! saved state, and the SDK is pointed at it with credentials that mean nothing; nothing of the user's AWS
//! configuration is read then.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::{Builder, tls};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::os_shim_internal::{Env, Fs};
use aws_types::service_config::ServiceConfigKey;
use local_aws::StartError;
use local_aws::lambda::{Behaviour, Disturbed, Mechanism};
use local_aws::store::StoreError;

mod here;
mod retry_budget;

pub use here::leads_here;
pub use retry_budget::RetryBudget;

use crate::call::Call;
use crate::events::Place;
use crate::failure::{Advice, hinted};
use crate::settings::{Settings, Target};

/// A connection that knows who is calling.
pub struct Aws {
    config: SdkConfig,
    place: Place,
    endpoint: Option<local_aws::Endpoint>,
    settings: Settings,
}

impl Aws {
    /// Connects to where the settings point, and asks who is calling.
    ///
    /// # Errors
    /// No region, no credentials or ones that are refused; an endpoint that does not answer; a state folder in use.
    pub async fn connect(settings: &Settings) -> anyhow::Result<Self> {
        let (config, endpoint, state) = match &settings.target {
            Target::Aws { profile, region, endpoint_url } => {
                let config =
                    configuration(profile.as_deref(), region.clone(), endpoint_url.as_deref()).await?;
                (config, None, None)
            }
            Target::Local { state, region, cpu_share, disturbed } => match local_aws::running(state) {
                Some(running) => {
                    here::same_region(&running, region)?;
                    (local_configuration(&running.url, region), None, Some(state.clone()))
                }
                None => {
                    let endpoint = start_endpoint(0, state, region, *cpu_share, *disturbed).await?;
                    (local_configuration(endpoint.url(), region), Some(endpoint), Some(state.clone()))
                }
            },
        };
        let Some(region) = config.region().map(ToString::to_string).filter(|region| !region.is_empty())
        else {
            return Err(anyhow::anyhow!("no region is set")).hint(
                "say --region eu-west-1, set AWS_REGION, or write it into the profile with `aws configure`",
            );
        };
        let mut aws = Self {
            place: Place {
                account: String::new(),
                region,
                caller: String::new(),
                endpoint: endpoint_of(&config, "CloudFormation"),
                state,
            },
            config,
            endpoint,
            settings: settings.clone(),
        };
        if let (true, Target::Local { cpu_share, .. }) = (aws.is_shared(), &settings.target) {
            aws.check_shared(*cpu_share).await?;
        }
        match aws.identity().await {
            Ok((account, caller)) => {
                aws.place.account = account;
                aws.place.caller = caller;
                Ok(aws)
            }
            Err(error) => {
                aws.close().await;
                Err(error)
            }
        }
    }

    /// The account's number and the caller's ARN.
    async fn identity(&self) -> anyhow::Result<(String, String)> {
        let answer = aws_sdk_sts::Client::new(&self.config)
            .get_caller_identity()
            .send()
            .await
            .called("sts:GetCallerIdentity")
            .context("asking whose credentials these are")?;
        Ok((answer.account.unwrap_or_default(), answer.arn.unwrap_or_default()))
    }

    /// A command for the user to run on the same stack in the same place.
    #[must_use]
    pub fn command(&self, words: &str) -> String {
        self.settings.command(words)
    }

    /// Where calls go, and as whom.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The configuration every client is made from.
    #[must_use]
    pub fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// Whether this program's endpoint answers on a state folder: in this process, or in one that runs already.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.settings.is_local()
    }

    /// The services of the endpoint in this program.
    #[must_use]
    pub fn embedded(&self) -> Option<&std::sync::Arc<local_aws::Aws>> {
        self.endpoint.as_ref().map(local_aws::Endpoint::aws)
    }

    /// How long to wait between two looks at something that is under way: AWS limits how often one may ask, endpoints on
    /// this machine do not. (An endpoint elsewhere may be AWS's own, inside a VPC.)
    #[must_use]
    pub fn poll_interval(&self) -> Duration {
        let near = self.place.endpoint.as_deref().is_some_and(is_loopback);
        if near { Duration::from_millis(50) } else { Duration::from_secs(2) }
    }

    /// The endpoint of S3, when it is not AWS's own.
    #[must_use]
    pub fn s3_endpoint(&self) -> Option<String> {
        endpoint_of(&self.config, "S3")
    }

    /// A client of CloudFormation.
    #[must_use]
    pub fn cloudformation(&self) -> aws_sdk_cloudformation::Client {
        aws_sdk_cloudformation::Client::new(&self.config)
    }

    /// A client of Lambda.
    #[must_use]
    pub fn lambda(&self) -> aws_sdk_lambda::Client {
        aws_sdk_lambda::Client::new(&self.config)
    }

    /// A client of Lambda in any region.
    #[must_use]
    pub fn lambda_in(&self, region: &str) -> aws_sdk_lambda::Client {
        aws_sdk_lambda::Client::new(&self.config_in(region))
    }

    /// A client of CloudWatch's metrics in any region.
    #[must_use]
    pub fn cloudwatch_in(&self, region: &str) -> aws_sdk_cloudwatch::Client {
        aws_sdk_cloudwatch::Client::new(&self.config_in(region))
    }

    fn config_in(&self, region: &str) -> SdkConfig {
        self.config.to_builder().region(Region::new(region.to_owned())).build()
    }

    /// A client of CloudWatch Logs.
    #[must_use]
    pub fn logs(&self) -> aws_sdk_cloudwatchlogs::Client {
        aws_sdk_cloudwatchlogs::Client::new(&self.config)
    }

    /// A client of Step Functions.
    #[must_use]
    pub fn states(&self) -> aws_sdk_sfn::Client {
        aws_sdk_sfn::Client::new(&self.config)
    }

    /// The configuration for polling: calls are retried by [`RetryBudget`], which says so,
    /// rather than silently by the SDK.
    #[must_use]
    pub fn polling(&self) -> SdkConfig {
        let retry =
            RetryConfig::standard().with_max_attempts(2).with_initial_backoff(Duration::from_millis(100));
        self.config.to_builder().retry_config(retry).build()
    }

    /// A client of S3. Other endpoints than AWS's own have no host name per bucket.
    #[must_use]
    pub fn s3(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.config)
            .force_path_style(self.s3_endpoint().is_some())
            .build();
        aws_sdk_s3::Client::from_conf(config)
    }

    /// Ends the embedded endpoint, if there is one: what it was asked to do asynchronously is done first.
    pub async fn close(self) {
        if let Some(endpoint) = self.endpoint {
            endpoint.stop().await;
        }
    }
}

/// Starts the embedded endpoint on a state folder.
///
/// # Errors
/// A port or a folder that is in use or cannot be used; CPU shares enforced by what this machine does not have.
pub async fn start_endpoint(
    port: u16,
    state: &Path,
    region: &str,
    cpu_share: Option<Mechanism>,
    disturbed: Disturbed,
) -> anyhow::Result<local_aws::Endpoint> {
    let options = local_aws::Options { port, state: state.to_owned(), region: region.to_owned(), cpu_share };
    let started = local_aws::Endpoint::start(options).await.map_err(|error| {
        let remedy = match &error {
            StartError::Listen { .. } => "choose another port with --port",
            StartError::Store(StoreError::NotAFolder(_) | StoreError::Io { .. }) => {
                "name another folder with --state"
            }
            // The others name their remedy.
            StartError::Store(_) | StartError::CpuShare { .. } => return error.into(),
        };
        hinted(error, remedy)
    })?;
    let lambda = &started.aws().lambda;
    lambda.behave(Behaviour { disturbed, ..lambda.behaviour() });
    Ok(started)
}

async fn configuration(
    profile: Option<&str>,
    region: Option<String>,
    endpoint_url: Option<&str>,
) -> anyhow::Result<SdkConfig> {
    let client = https_client()?;
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(client.clone())
        .retry_config(RetryConfig::standard().with_max_attempts(5))
        .timeout_config(TimeoutConfig::builder().connect_timeout(Duration::from_secs(10)).build());
    if let Ok(name) = AppName::new("deployer") {
        loader = loader.app_name(name);
    }
    if let Some(profile) = profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = region {
        loader = loader.region(Region::new(region));
    }
    if let Some(url) = endpoint_url {
        loader = loader.endpoint_url(url);
    }
    let config = loader.load().await;
    let Some(profile) = profile else { return Ok(config) };
    check_profile(profile).await?;
    let provider = profile_credentials(profile, config.region().cloned(), client);
    Ok(config.into_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build())
}

/// A profile that is not there would be taken for one without credentials, and others be found for it.
async fn check_profile(profile: &str) -> anyhow::Result<()> {
    let loaded = aws_config::profile::load(&Fs::real(), &Env::real(), &Default::default(), None).await;
    let profiles = loaded.context("reading the AWS configuration files")?;
    if profiles.get_profile(profile).is_some() {
        return Ok(());
    }
    let known: Vec<&str> = profiles.profiles().collect();
    let known = if known.is_empty() { "there is none".to_owned() } else { known.join(", ") };
    Err(anyhow::anyhow!("there is no profile `{profile}` in the AWS configuration files"))
        .hint(format!("`aws configure` makes one; those in ~/.aws/config and ~/.aws/credentials: {known}"))
}

/// The credentials of a profile that was asked for. The SDK would prefer keys in the environment to it, so that a profile's
/// name could end up in another account; as in the AWS CLI, what was said wins. A profile without any leaves it to
/// the container or the instance.
fn profile_credentials(
    profile: &str,
    region: Option<Region>,
    client: SharedHttpClient,
) -> CredentialsProviderChain {
    let around = ProviderConfig::without_region().with_region(region).with_http_client(client);
    let named = ProfileFileCredentialsProvider::builder().profile_name(profile).configure(&around).build();
    CredentialsProviderChain::first_try("Profile", named)
        .or_else("EcsContainer", EcsCredentialsProvider::builder().configure(&around).build())
        .or_else("Ec2InstanceMetadata", ImdsCredentialsProvider::builder().configure(&around).build())
}

/// Where a service's calls go, when not to AWS's own endpoint: as its client decides, by `--endpoint-url`, else
/// `AWS_ENDPOINT_URL_<SERVICE>`, else `AWS_ENDPOINT_URL`, each also from the profile.
fn endpoint_of(config: &SdkConfig, service: &'static str) -> Option<String> {
    let general = config.endpoint_url().map(str::to_owned);
    if config.get_origin("endpoint_url").is_client_config() {
        return general;
    }
    let key = ServiceConfigKey::builder().service_id(service).env("AWS_ENDPOINT_URL").profile("endpoint_url");
    let own = key.build().ok().and_then(|key| config.service_config()?.load_config(key));
    own.or(general)
}

/// Whether an address is this machine's.
fn is_loopback(url: &str) -> bool {
    let authority = url.split("://").nth(1).unwrap_or(url).split('/').next().unwrap_or_default();
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    host == "localhost"
        || host.ends_with(".localhost")
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// TLS by rustls and ring with the system's certificates, or those of `AWS_CA_BUNDLE` as other AWS tools do.
fn https_client() -> anyhow::Result<SharedHttpClient> {
    let builder = Builder::new().tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring));
    let Some(bundle) = std::env::var_os("AWS_CA_BUNDLE").filter(|path| !path.is_empty()) else {
        return Ok(builder.build_https());
    };
    let pem = std::fs::read(&bundle).with_context(|| {
        format!("reading the certificates that AWS_CA_BUNDLE names, {}", bundle.display())
    })?;
    let store = tls::TrustStore::empty().with_pem_certificate(pem);
    let context =
        tls::TlsContext::builder().with_trust_store(store).build().context("reading AWS_CA_BUNDLE")?;
    Ok(builder.tls_context(context).build_https())
}

/// Faults may be injected into the endpoint, so there are retries here as well; they just need not be patient.
fn local_configuration(url: &str, region: &str) -> SdkConfig {
    let credentials = Credentials::new("local", "local", None, None, "deployer --local");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(Builder::new().build_http())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .region(Region::new(region.to_owned()))
        .endpoint_url(url)
        .retry_config(
            RetryConfig::standard().with_max_attempts(5).with_initial_backoff(Duration::from_millis(50)),
        )
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_endpoints_on_this_machine_are_polled_fast() {
        for near in
            ["http://127.0.0.1:4566", "http://localhost:1/x", "http://[::1]:8", "https://s3.localhost:4566"]
        {
            assert!(is_loopback(near), "{near}");
        }
        for far in [
            "https://vpce-1.cloudformation.eu-west-1.vpce.amazonaws.com",
            "http://10.0.0.1:4566",
            "http://localhost.example",
        ] {
            assert!(!is_loopback(far), "{far}");
        }
    }
}
