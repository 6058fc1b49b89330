//! Endpoints on this machine: one that serves the state folder already, and what the one that answers says of its CPU shares.

use std::sync::{Arc, Mutex, PoisonError};

use aws_config::SdkConfig;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use local_aws::Running;
use local_aws::lambda::{CpuShare, Mechanism};
use serde::Deserialize;

use super::{Aws, configuration, endpoint_of, is_loopback};
use crate::failure::Usage;
use crate::settings::Target;

/// The services that functions are created and measured with.
const SERVICES: [&str; 3] = ["CloudFormation", "Lambda", "SFN"];

impl Aws {
    /// Whether an endpoint on this machine answers instead of AWS: this program's own or any other.
    #[must_use]
    pub fn is_here(&self) -> bool {
        all_here(&self.config)
    }

    /// Whether `deployer local` answers that was started on the same state folder in another process.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.settings.is_local() && self.embedded().is_none()
    }

    /// Refuses a setting that an endpoint which runs already cannot take on.
    pub(super) async fn check_shared(&self, wanted: Option<Mechanism>) -> Result<(), Usage> {
        let (Some(wanted), Some(share)) = (wanted, self.cpu_share().await) else { return Ok(()) };
        if share.mechanism == wanted.to_string() {
            return Ok(());
        }
        Err(Usage(format!(
            "--cpu-share {}: the endpoint that `deployer local` runs on this state enforces CPU shares by {}; leave the option out, \
             or stop that endpoint and start it with the option",
            wanted.name(),
            share.mechanism
        )))
    }

    /// How functions get their CPU share, when this program's endpoint answers, in this process or another one.
    pub async fn cpu_share(&self) -> Option<CpuShare> {
        if let Some(embedded) = self.embedded() {
            return Some(embedded.lambda.cpu_share());
        }
        if !self.is_here() {
            return None;
        }
        let answer = Answer::default();
        let client = aws_sdk_lambda::Client::new(&self.polling());
        client.get_account_settings().customize().interceptor(answer.clone()).send().await.ok()?;
        let bytes = answer.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(serde_json::from_slice::<AccountSettings>(&bytes).ok()?.local_cpu_share)
    }
}

/// Whether calls go to an endpoint on this machine, before any is made.
///
/// # Errors
/// Settings of the SDK that cannot be read.
pub async fn leads_here(target: &Target) -> anyhow::Result<bool> {
    match target {
        Target::Local { .. } => Ok(true),
        Target::Aws { profile, region, endpoint_url } => {
            let config = configuration(profile.as_deref(), region.clone(), endpoint_url.as_deref()).await?;
            Ok(all_here(&config))
        }
    }
}

fn all_here(config: &SdkConfig) -> bool {
    SERVICES.iter().all(|service| endpoint_of(config, service).is_some_and(|url| is_loopback(&url)))
}

/// The member that this program's endpoint adds.
#[derive(Deserialize)]
struct AccountSettings {
    #[serde(rename = "LocalCpuShare")]
    local_cpu_share: CpuShare,
}

/// The body of an answer: the SDK leaves out what AWS does not have.
#[derive(Debug, Clone, Default)]
struct Answer(Arc<Mutex<Option<Vec<u8>>>>);

#[dyn_dispatch_hint]
impl Intercept for Answer {
    fn name(&self) -> &'static str {
        "the body of an answer"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response().body().bytes().map(<[u8]>::to_vec);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = body;
        Ok(())
    }
}

/// Refuses another region than that of an endpoint which runs already.
pub(super) fn same_region(running: &Running, region: &str) -> Result<(), Usage> {
    if running.region == region {
        return Ok(());
    }
    let Running { url, region: there } = running;
    Err(Usage(format!(
        "the endpoint that `deployer local` runs on this state at {url} is for {there}, and this command for {region}: say --region \
         {there}"
    )))
}
