//! A function's configuration, as far as tuning needs to know it.

use std::fmt::Write as _;

use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::operation::publish_version::PublishVersionOutput;
use aws_sdk_lambda::operation::update_function_configuration::UpdateFunctionConfigurationOutput;
use aws_sdk_lambda::types::{
    FunctionConfiguration, LastUpdateStatus, SnapStartApplyOn, State, SystemLogLevel,
};
use tuning::copies::hash;
use tuning::pricing::{Extras, FREE_STORAGE};

/// Lambda's own defaults, used where an answer leaves something out.
const DEFAULT_MEMORY: u32 = 128;
const DEFAULT_TIMEOUT_S: u32 = 3;

/// The configuration of `$LATEST` or of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// Memory size in MB.
    pub memory: u32,
    /// The function's time-out in seconds.
    pub timeout_s: u32,
    /// Ephemeral storage in MB.
    pub storage: u32,
    /// Whether published versions have SnapStart, and Lambda bills that for its runtime.
    pub snap_start: bool,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// The hash of the code.
    pub code: String,
    /// Changes with every change of the function, and when a change comes into effect.
    pub revision: String,
    /// A hash of everything else somebody could have changed: see [`Configuration::has_same_settings`].
    pub fingerprint: String,
    /// Why it cannot be tuned: each setting that is in the way, with the way out.
    pub obstacles: Vec<String>,
    /// The same of the function itself: a copy can have another setting.
    pub in_place_obstacles: Vec<String>,
    state: Option<State>,
    state_reason: String,
    last_update: Option<LastUpdateStatus>,
    last_update_reason: String,
}

/// Whether a function can be changed, published or invoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It can.
    Ready,
    /// Not yet, and what it is waiting for.
    NotYet(String),
    /// It will not be by itself, and why.
    Broken(String),
}

impl Configuration {
    /// Whether the function can be used now.
    pub fn readiness(&self) -> Readiness {
        match &self.state {
            Some(State::Pending) => return Readiness::NotYet("its state is Pending".to_owned()),
            Some(State::Failed) => {
                return Readiness::Broken(format!("its state is Failed: {}", self.state_reason));
            }
            // Inactive functions are woken by invoking them; anything newer than this SDK is not ours to judge.
            _ => {}
        }
        match &self.last_update {
            Some(LastUpdateStatus::InProgress) => Readiness::NotYet("an update is in progress".to_owned()),
            Some(LastUpdateStatus::Failed) => {
                Readiness::Broken(format!("its last update failed: {}", self.last_update_reason))
            }
            _ => Readiness::Ready,
        }
    }

    /// Whether code and settings are those of another reading, whatever the memory size.
    pub fn has_same_settings(&self, code: &str, fingerprint: &str) -> bool {
        self.code == code && self.fingerprint == fingerprint
    }
}

/// A version, published or `$LATEST`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its number, `None` for `$LATEST`.
    pub number: Option<u64>,
    /// Memory size in MB.
    pub memory: u32,
    /// Its description, empty when it has none.
    pub description: String,
    /// Whether it is still being prepared and cannot be invoked yet.
    pub pending: bool,
}

// One conversion for operations that answer with the same members in types of their own.
macro_rules! from_output {
    ($output:ty) => {
        impl From<$output> for Configuration {
            fn from(output: $output) -> Self {
                let architecture = output.architectures.as_ref().and_then(|list| list.first());
                Self {
                    memory: memory(output.memory_size),
                    timeout_s: output
                        .timeout
                        .and_then(|t| u32::try_from(t).ok())
                        .unwrap_or(DEFAULT_TIMEOUT_S),
                    storage: output
                        .ephemeral_storage
                        .as_ref()
                        .and_then(|storage| u32::try_from(storage.size).ok())
                        .unwrap_or(FREE_STORAGE),
                    snap_start: output
                        .snap_start
                        .as_ref()
                        .is_some_and(|snap| snap.apply_on == Some(SnapStartApplyOn::PublishedVersions))
                        && output.runtime.as_ref().is_none_or(|r| Extras::bills_snap_start(r.as_str())),
                    architecture: architecture.map_or("x86_64", |a| a.as_str()).to_owned(),
                    fingerprint: fingerprint!(output),
                    obstacles: obstacles!(output),
                    in_place_obstacles: in_place_obstacles!(output),
                    code: output.code_sha256.unwrap_or_default(),
                    revision: output.revision_id.unwrap_or_default(),
                    state: output.state,
                    state_reason: output.state_reason.unwrap_or_default(),
                    last_update: output.last_update_status,
                    last_update_reason: output.last_update_status_reason.unwrap_or_default(),
                }
            }
        }
    };
}

macro_rules! from_version {
    ($output:ty) => {
        impl From<$output> for Version {
            fn from(output: $output) -> Self {
                Self {
                    number: output.version.and_then(|version| version.parse().ok()),
                    memory: memory(output.memory_size),
                    description: output.description.unwrap_or_default(),
                    pending: output.state == Some(State::Pending),
                }
            }
        }
    };
}

/// Everything a user sets on a function except code and memory size, in an order that does not depend on AWS's.
macro_rules! fingerprint {
    ($output:expr) => {{
        let mut text = String::new();
        let variables = $output.environment.as_ref().and_then(|e| e.variables.as_ref());
        let mut variables: Vec<_> = variables.into_iter().flatten().collect();
        variables.sort();
        let mut layers: Vec<_> = $output.layers.iter().flatten().map(|layer| layer.arn.as_deref()).collect();
        layers.sort();
        let vpc = $output.vpc_config.as_ref();
        let mut subnets: Vec<_> = vpc.and_then(|v| v.subnet_ids.as_deref()).unwrap_or_default().to_vec();
        subnets.sort();
        let mut groups: Vec<_> =
            vpc.and_then(|v| v.security_group_ids.as_deref()).unwrap_or_default().to_vec();
        groups.sort();
        let files: Vec<_> = $output
            .file_system_configs
            .iter()
            .flatten()
            .map(|fs| (fs.arn.as_str(), fs.local_mount_path.as_str()))
            .collect();
        let image = $output.image_config_response.as_ref().and_then(|i| i.image_config.as_ref());
        let image = image.map(|i| (i.entry_point.as_ref(), i.command.as_ref(), i.working_directory.as_ref()));
        let snap_start = $output.snap_start.as_ref().and_then(|s| s.apply_on.as_ref()).map(|a| a.as_str());
        let settings = (
            ($output.runtime.as_ref().map(|r| r.as_str()), &$output.role, &$output.handler, $output.timeout),
            ($output.description.as_deref().unwrap_or_default(), &$output.kms_key_arn, variables, layers),
            (subnets, groups, files, image, snap_start),
            $output.dead_letter_config.as_ref().and_then(|d| d.target_arn.as_deref()),
            $output.tracing_config.as_ref().and_then(|t| t.mode.as_ref()).map(|m| m.as_str()),
            $output.ephemeral_storage.as_ref().map(|e| e.size),
            $output.logging_config.as_ref().map(|l| {
                (
                    &l.log_group,
                    l.log_format.as_ref().map(|f| f.as_str()),
                    l.system_log_level.as_ref().map(|f| f.as_str()),
                )
            }),
        );
        // Writing to a string cannot fail.
        let _ = write!(text, "{settings:?}");
        hash(&text)
    }};
}

/// The settings with which a function cannot be measured size by size.
macro_rules! obstacles {
    ($output:expr) => {{
        let mut found = Vec::new();
        if $output.capacity_provider_config.is_some() {
            found.push(
                "CapacityProviderConfig: it runs on instances that are billed like EC2's, so its memory size decides neither speed nor price; tune a function without it"
                    .to_owned(),
            );
        }
        if $output.durable_config.is_some() {
            found.push(
                "DurableConfig: an invocation is a whole durable execution, waits included; tune a function with the code of one step"
                    .to_owned(),
            );
        }
        if $output.tenancy_config.is_some() {
            found.push(
                "TenancyConfig: each invocation needs a tenant; tune a function of the same code without it".to_owned(),
            );
        }
        if let Some(error) = $output.environment.as_ref().and_then(|e| e.error.as_ref()) {
            let key = $output.kms_key_arn.as_deref().unwrap_or("its KMS key");
            found.push(format!(
                "Environment: its variables cannot be read ({}: {}); deploy with kmsKeyArns that has {key}, and see that the key's policy leaves access to IAM",
                error.error_code.as_deref().unwrap_or("no code"),
                error.message.as_deref().unwrap_or("no reason")
            ));
        }
        found
    }};
}

macro_rules! in_place_obstacles {
    ($output:expr) => {{
        let mut found = Vec::new();
        if $output.logging_config.as_ref().and_then(|l| l.system_log_level.as_ref()) == Some(&SystemLogLevel::Warn) {
            found.push(
                "LoggingConfig.SystemLogLevel WARN: reports of durations are left out of the log; set it to INFO"
                    .to_owned(),
            );
        }
        found
    }};
}

from_output!(FunctionConfiguration);
from_output!(UpdateFunctionConfigurationOutput);

impl From<GetFunctionOutput> for Configuration {
    fn from(output: GetFunctionOutput) -> Self {
        let mut configuration =
            Self::from(output.configuration.unwrap_or_else(|| FunctionConfiguration::builder().build()));
        let reserved = output.concurrency.and_then(|concurrency| concurrency.reserved_concurrent_executions);
        if reserved == Some(0) {
            configuration.obstacles.push(
                "ReservedConcurrentExecutions 0: no invocation is accepted; raise it, or remove it with `aws lambda delete-function-concurrency`"
                    .to_owned(),
            );
        }
        configuration
    }
}

from_version!(PublishVersionOutput);
from_version!(FunctionConfiguration);

fn memory(size: Option<i32>) -> u32 {
    size.and_then(|size| u32::try_from(size).ok()).unwrap_or(DEFAULT_MEMORY)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use aws_sdk_lambda::types::EnvironmentResponse;

    use super::*;

    fn output(memory: i32, timeout: i32) -> FunctionConfiguration {
        let variables: HashMap<String, String> =
            ('a'..='z').map(|c| (c.to_string(), "1".to_owned())).collect();
        FunctionConfiguration::builder()
            .memory_size(memory)
            .timeout(timeout)
            .code_sha256("code")
            .environment(EnvironmentResponse::builder().set_variables(Some(variables)).build())
            .build()
    }

    #[test]
    fn a_changed_setting_is_noticed_and_a_changed_size_is_not() {
        let before = Configuration::from(output(256, 3));
        let same = Configuration::from(output(512, 3));
        let other = Configuration::from(output(256, 4));
        assert!(same.has_same_settings(&before.code, &before.fingerprint));
        assert!(!other.has_same_settings(&before.code, &before.fingerprint));
    }

    #[test]
    fn a_failed_update_is_not_waited_for() {
        let failed = FunctionConfiguration::builder()
            .state(State::Active)
            .last_update_status(LastUpdateStatus::Failed)
            .last_update_status_reason("no such key")
            .build();
        let readiness = Configuration::from(failed).readiness();
        assert_eq!(readiness, Readiness::Broken("its last update failed: no such key".to_owned()));
        let pending = FunctionConfiguration::builder().state(State::Pending).build();
        assert!(matches!(Configuration::from(pending).readiness(), Readiness::NotYet(_)));
    }
}
