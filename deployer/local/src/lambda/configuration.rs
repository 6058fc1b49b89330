//! The settings that creating and updating a function share: their constraints, and how they change a configuration.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{ApiError, Aws, Caller, Result};

use super::code::Source;
use super::engine::language::RUNTIMES;
use super::errors::invalid;
use super::image::ImageConfig;
use super::input::{Constraints, number};
use super::layers::{VERSION_ARN, is_version_arn};
use super::record::{Content, FileSystem, KEPT, Logging, Vpc};

/// Runtimes whose code brings its own `bootstrap`.
const OWN_BOOTSTRAP: [&str; 2] = ["provided.al2023", "provided.al2"];
/// Runtimes for which AWS no longer takes functions, as recorded there.
const PAST: [&str; 8] =
    ["dotnetcore3.1", "go1.x", "java8", "nodejs12.x", "nodejs14.x", "provided", "python3.7", "ruby2.7"];
/// The runtimes of which the endpoint runs functions.
pub fn runtimes() -> impl Iterator<Item = &'static str> {
    RUNTIMES.into_iter().chain(OWN_BOOTSTRAP)
}

/// Variables that Lambda sets itself.
const RESERVED: [&str; 18] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
];
/// What Lambda does in EC2 with the role of a function in a VPC, according to Lambda's developer guide.
const NETWORK_CHANGES: [&str; 4] = [
    "CreateNetworkInterface",
    "DeleteNetworkInterface",
    "AssignPrivateIpAddresses",
    "UnassignPrivateIpAddresses",
];
/// The same, where EC2 knows no resources.
const NETWORK_LOOKS: [&str; 2] = ["DescribeNetworkInterfaces", "DescribeSubnets"];
const ENVIRONMENT_LIMIT: usize = 4096;

/// The members of `CreateFunction` and `UpdateFunctionConfiguration` that make up a configuration.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Configured {
    description: Option<String>,
    runtime: Option<String>,
    role: Option<String>,
    handler: Option<String>,
    #[serde(default, deserialize_with = "number")]
    timeout: Option<i64>,
    #[serde(default, deserialize_with = "number")]
    memory_size: Option<i64>,
    environment: Option<EnvironmentInput>,
    ephemeral_storage: Option<StorageInput>,
    tracing_config: Option<TracingInput>,
    logging_config: Option<LoggingInput>,
    vpc_config: Option<VpcInput>,
    dead_letter_config: Option<DeadLetterInput>,
    #[serde(rename = "KMSKeyArn")]
    kms_key: Option<String>,
    snap_start: Option<SnapStartInput>,
    /// ARNs of layer versions; what they hold is found by [`super::Lambda::layers`].
    pub layers: Option<Vec<String>>,
    file_system_configs: Option<Vec<FileSystem>>,
    image_config: Option<ImageConfig>,
    capacity_provider_config: Option<Value>,
    durable_config: Option<Value>,
    tenancy_config: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EnvironmentInput {
    variables: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StorageInput {
    #[serde(default, deserialize_with = "number")]
    size: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TracingInput {
    mode: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LoggingInput {
    log_format: Option<String>,
    application_log_level: Option<String>,
    system_log_level: Option<String>,
    log_group: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct VpcInput {
    subnet_ids: Option<Vec<String>>,
    security_group_ids: Option<Vec<String>>,
    #[serde(rename = "Ipv6AllowedForDualStack")]
    ipv6: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeadLetterInput {
    target_arn: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SnapStartInput {
    apply_on: Option<String>,
}

impl Configured {
    /// Adds the violations of AWS's constraints.
    pub fn constrain(&self, constraints: &mut Constraints) {
        constraints.length("description", self.description.as_deref(), 0, 256);
        if let Some(role) = &self.role {
            constraints.pattern(
                "role",
                role,
                is_role_arn(role),
                "arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+",
            );
        }
        if let Some(handler) = &self.handler {
            constraints.length("handler", Some(handler), 0, 128);
            constraints.pattern("handler", handler, !handler.contains(char::is_whitespace), "[^\\s]+");
        }
        constraints.range("timeout", self.timeout, 1, 900);
        constraints.range("memorySize", self.memory_size, 128, 10_240);
        let storage = self.ephemeral_storage.as_ref();
        constraints.range("ephemeralStorage.size", storage.and_then(|s| s.size), 512, 10_240);
        let tracing = self.tracing_config.as_ref().and_then(|t| t.mode.as_deref());
        constraints.one_of("tracingConfig.mode", tracing, &["Active", "PassThrough"]);
        if let Some(logging) = &self.logging_config {
            let format = logging.log_format.as_deref();
            constraints.one_of("loggingConfig.logFormat", format, &["JSON", "Text"]);
            constraints.one_of(
                "loggingConfig.applicationLogLevel",
                logging.application_log_level.as_deref(),
                &["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"],
            );
            constraints.one_of(
                "loggingConfig.systemLogLevel",
                logging.system_log_level.as_deref(),
                &["DEBUG", "INFO", "WARN"],
            );
            constraints.length("loggingConfig.logGroup", logging.log_group.as_deref(), 1, 512);
        }
        if let Some(layers) = &self.layers {
            constraints.arns("layers", layers, layers.iter().all(|arn| is_version_arn(arn)), VERSION_ARN);
        }
        if let Some(systems) = &self.file_system_configs {
            let paths: Vec<String> = systems.iter().map(|system| system.local_mount_path.clone()).collect();
            constraints.items("fileSystemConfigs", &paths, 1);
            for FileSystem { arn, local_mount_path } in systems {
                constraints.pattern("fileSystemConfigs.arn", arn, is_access_point(arn), ACCESS_POINT);
                let holds = local_mount_path.strip_prefix("/mnt/").is_some_and(|name| {
                    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
                });
                let member = "fileSystemConfigs.localMountPath";
                constraints.pattern(member, local_mount_path, holds, "/mnt/[a-zA-Z0-9-_.]+");
            }
        }
        let snap_start = self.snap_start.as_ref().and_then(|s| s.apply_on.as_deref());
        constraints.one_of("snapStart.applyOn", snap_start, &["PublishedVersions", "None"]);
    }

    /// The content of a new function.
    ///
    /// # Errors
    /// `InvalidParameterValueException` for what Lambda refuses or this endpoint cannot run.
    pub fn create(self, function: &str, source: Source, architecture: String) -> Result<Content> {
        let is_image = matches!(source, Source::Image(_));
        let has_layers = self.layers.as_ref().is_some_and(|layers| !layers.is_empty());
        if is_image && (self.runtime.is_some() || self.handler.is_some() || has_layers) {
            return Err(invalid(
                "Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image.",
            ));
        }
        if !is_image && (self.runtime.is_none() || self.handler.is_none()) {
            return Err(invalid(
                "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
            ));
        }
        let mut content = Content {
            description: String::new(),
            runtime: String::new(),
            role: String::new(),
            handler: String::new(),
            code_size: 0,
            code_sha256: String::new(),
            timeout: 3,
            memory_size: 128,
            environment: None,
            architecture,
            ephemeral_storage: 512,
            tracing: "PassThrough".to_owned(),
            logging: Logging::text(function),
            vpc: None,
            dead_letter: None,
            kms_key: None,
            snap_start: false,
            kept: Map::new(),
            layers: Vec::new(),
            image: None,
            file_systems: Vec::new(),
        };
        content.take(source);
        self.change(function, &mut content)?;
        Ok(content)
    }

    /// Changes what is given and leaves the rest.
    ///
    /// # Errors
    /// As [`Configured::create`].
    pub fn change(self, function: &str, content: &mut Content) -> Result<()> {
        self.refuse_what_cannot_run()?;
        match (self.image_config, &mut content.image) {
            (Some(config), Some(image)) => image.config = config,
            (Some(_), None) => {
                return Err(invalid(
                    "ImageConfig is not supported for functions created with deployment packages.",
                ));
            }
            (None, _) => {}
        }
        set(&mut content.file_systems, self.file_system_configs);
        set(&mut content.description, self.description);
        set(&mut content.runtime, self.runtime);
        set(&mut content.role, self.role);
        set(&mut content.handler, self.handler);
        set(&mut content.timeout, self.timeout.and_then(|t| u32::try_from(t).ok()));
        set(&mut content.memory_size, self.memory_size.and_then(|m| u32::try_from(m).ok()));
        set(
            &mut content.ephemeral_storage,
            self.ephemeral_storage.and_then(|s| s.size).and_then(|s| u32::try_from(s).ok()),
        );
        set(&mut content.tracing, self.tracing_config.and_then(|t| t.mode));
        if let Some(environment) = self.environment {
            content.environment = environment.variables.filter(|v| !v.is_empty());
            if let Some(variables) = &content.environment {
                check_environment(variables)?;
            }
        }
        if let Some(logging) = self.logging_config {
            logging.change(function, &mut content.logging)?;
        }
        if let Some(vpc) = self.vpc_config {
            let vpc = Vpc {
                subnets: vpc.subnet_ids.unwrap_or_default(),
                security_groups: vpc.security_group_ids.unwrap_or_default(),
                ipv6: vpc.ipv6.unwrap_or_default(),
            };
            content.vpc = (vpc != Vpc::default()).then_some(vpc);
        }
        if let Some(letter) = self.dead_letter_config {
            content.dead_letter = letter.target_arn.filter(|arn| !arn.is_empty());
        }
        if let Some(key) = self.kms_key {
            content.kms_key = Some(key).filter(|k| !k.is_empty());
        }
        set(
            &mut content.snap_start,
            self.snap_start.and_then(|s| s.apply_on).map(|on| on == "PublishedVersions"),
        );
        let own = if content.image.is_some() { "Image" } else { content.runtime.as_str() };
        if content.snap_start && (content.image.is_some() || OWN_BOOTSTRAP.contains(&own)) {
            return Err(invalid(format!("{own} is not supported for SnapStart enabled functions.")));
        }
        let kept = [self.capacity_provider_config, self.durable_config, self.tenancy_config];
        for (name, value) in KEPT.into_iter().zip(kept) {
            if let Some(value) = value.filter(|value| !value.is_null()) {
                content.kept.insert(name.to_owned(), value);
            }
        }
        Ok(())
    }

    /// Whether the caller may hand the role to Lambda, and Lambda may act in it.
    ///
    /// # Errors
    /// `AccessDeniedException`, or `InvalidParameterValueException` for a role that does not trust Lambda.
    pub fn check_role(&self, aws: &Aws, caller: &Caller) -> Result<()> {
        let Some(role) = &self.role else { return Ok(()) };
        let context = [("iam:PassedToService", "lambda.amazonaws.com")];
        aws.iam.authorize_with(aws, caller, "iam:PassRole", role, &context, None)?;
        if aws.iam.assumable(aws, role, "lambda.amazonaws.com") {
            return Ok(());
        }
        Err(invalid("The role defined for the function cannot be assumed by Lambda."))
    }

    /// Whether the size is within the account's quota, which no API tells and new accounts have lower.
    ///
    /// # Errors
    /// `InvalidParameterValueException`.
    pub fn check_quota(&self, quota_mb: u32) -> Result<()> {
        if self.memory_size.is_some_and(|size| size > i64::from(quota_mb)) {
            return Err(invalid(format!(
                "'MemorySize' value failed to satisfy constraint: Member must have value less than or equal to {quota_mb}"
            )));
        }
        Ok(())
    }

    /// Whether the caller may look at the network that a new function is attached to.
    ///
    /// # Errors
    /// `AccessDeniedException`, naming the first call that is missing.
    pub fn check_network_of_caller(aws: &Aws, caller: &Caller, content: &Content) -> Result<()> {
        let Some(vpc) = content.vpc.as_ref().filter(|vpc| !vpc.subnets.is_empty()) else { return Ok(()) };
        let first = |ids: &[String]| ids.first().cloned().unwrap_or_default();
        let looks = [
            ("DescribeSecurityGroups", first(&vpc.security_groups)),
            ("DescribeSubnets", first(&vpc.subnets)),
            ("DescribeVpcs", "the subnets' VPC".to_owned()),
        ];
        for (call, of) in looks {
            if aws.iam.authorize(aws, caller, &format!("ec2:{call}"), "*").is_err() {
                let message = format!(
                    "Your access has been denied by EC2, please make sure your request credentials have permission to {call} for \
                     {of}. EC2 Error Code: UnauthorizedOperation. EC2 Error Message: You are not authorized to perform this \
                     operation."
                );
                return Err(ApiError::new(403, "AccessDeniedException", message));
            }
        }
        Ok(())
    }

    /// Whether a function's file systems can be reached from its network, and the caller may look at them.
    ///
    /// # Errors
    /// `InvalidParameterValueException` without a network, `AccessDeniedException`.
    pub fn check_file_systems(aws: &Aws, caller: &Caller, content: &Content) -> Result<()> {
        let Some(FileSystem { arn, .. }) = content.file_systems.first() else { return Ok(()) };
        if content.vpc.as_ref().is_none_or(|vpc| vpc.subnets.is_empty()) {
            return Err(invalid(format!(
                "Function must be configured to execute in a VPC to reference access point {arn}. Please update the function \
                 configuration to include VPC subnets and security groups."
            )));
        }
        if aws.iam.authorize(aws, caller, "elasticfilesystem:DescribeMountTargets", arn).is_err() {
            // In the words of what Lambda says about EC2.
            let message = format!(
                "Your access has been denied by EFS, please make sure your request credentials have permission to \
                 DescribeMountTargets for {arn}. EFS Error Code: AccessDeniedException."
            );
            return Err(ApiError::new(403, "AccessDeniedException", message));
        }
        Ok(())
    }

    /// Whether a function's role may do what Lambda does with it to attach the function to a VPC.
    ///
    /// # Errors
    /// `InvalidParameterValueException`, naming the first call that is missing.
    pub fn check_network(aws: &Aws, content: &Content) -> Result<()> {
        if content.vpc.as_ref().is_none_or(|vpc| vpc.subnets.is_empty()) {
            return Ok(());
        }
        let role = Caller::Role { arn: content.role.clone(), session: "lambda".to_owned() };
        let interface = aws.arn("ec2", "network-interface/*");
        let calls = NETWORK_CHANGES.map(|call| (call, interface.as_str()));
        for (call, resource) in calls.into_iter().chain(NETWORK_LOOKS.map(|call| (call, "*"))) {
            if aws.iam.authorize(aws, &role, &format!("ec2:{call}"), resource).is_err() {
                return Err(invalid(format!(
                    "The provided execution role does not have permissions to call {call} on EC2"
                )));
            }
        }
        Ok(())
    }

    fn refuse_what_cannot_run(&self) -> Result<()> {
        if let Some(runtime) = self.runtime.as_deref().filter(|r| PAST.contains(r)) {
            return Err(invalid(format!(
                "The runtime parameter of {runtime} is no longer supported for creating or updating AWS Lambda functions. We \
                 recommend you use a supported runtime while creating or updating functions."
            )));
        }
        if let Some(runtime) = self.runtime.as_deref().filter(|r| !runtimes().any(|known| known == *r)) {
            return Err(invalid(format!(
                "Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [{}] or be a \
                 valid ARN",
                runtimes().collect::<Vec<_>>().join(", ")
            )));
        }
        Ok(())
    }
}

impl LoggingInput {
    fn change(self, function: &str, logging: &mut Logging) -> Result<()> {
        if let Some(format) = self.log_format {
            logging.json = format == "JSON";
            if !logging.json {
                logging.system_level = None;
                logging.application_level = None;
            }
        }
        if !logging.json && (self.system_log_level.is_some() || self.application_log_level.is_some()) {
            return Err(invalid(
                "To use ApplicationLogLevel or SystemLogLevel, you must set LogFormat to 'JSON'.",
            ));
        }
        logging.system_level = self.system_log_level.or(logging.system_level.take());
        logging.application_level = self.application_log_level.or(logging.application_level.take());
        match self.log_group {
            Some(group) => logging.group = group,
            None if logging.group.is_empty() => logging.group = Logging::text(function).group,
            None => {}
        }
        Ok(())
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

/// An access point's ARN, of EFS or S3 Files, as Lambda's API describes it.
const ACCESS_POINT: &str = "arn:aws[a-zA-Z-]*:elasticfilesystem:[a-z]{2}((-gov)|(-iso(b?)))?-[a-z]+-\\d{1}:\\d{12}:access-point/fsap-[a-f0-9]{17}$|^arn:aws[-a-z]*:s3files:[0-9a-z-:]+:file-system/fs-[0-9a-f]{17,40}/access-point/fsap-[0-9a-f]{17,40}";

fn is_access_point(arn: &str) -> bool {
    let fields: Vec<&str> = arn.splitn(6, ':').collect();
    let &["arn", partition, service, region, account, resource] = fields.as_slice() else { return false };
    let is_id = |id: &str, longest: usize| {
        (17..=longest).contains(&id.len()) && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_resource = match service {
        "elasticfilesystem" => resource.strip_prefix("access-point/fsap-").is_some_and(|id| is_id(id, 17)),
        "s3files" => resource
            .strip_prefix("file-system/fs-")
            .and_then(|rest| rest.split_once("/access-point/fsap-"))
            .is_some_and(|(system, point)| is_id(system, 40) && is_id(point, 40)),
        _ => false,
    };
    partition.starts_with("aws")
        && !region.is_empty()
        && account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && is_resource
}

fn is_role_arn(text: &str) -> bool {
    let fields: Vec<&str> = text.splitn(6, ':').collect();
    let &[arn, partition, iam, "", account, role] = fields.as_slice() else { return false };
    let name = role.strip_prefix("role").map(|r| r.strip_prefix('/').unwrap_or(r));
    arn == "arn"
        && partition.starts_with("aws")
        && iam == "iam"
        && account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && name.is_some_and(|n| {
            !n.is_empty() && n.chars().all(|c| c.is_ascii_alphanumeric() || "+=,.@-_/".contains(c))
        })
}

fn check_environment(variables: &BTreeMap<String, String>) -> Result<()> {
    let mut constraints = Constraints::default();
    for name in variables.keys() {
        let mut characters = name.chars();
        let holds = characters.next().is_some_and(|c| c.is_ascii_alphabetic())
            && name.len() > 1
            && characters.all(|c| c.is_ascii_alphanumeric() || c == '_');
        // The reserved ones start with an underscore and get their own error below.
        if !RESERVED.contains(&name.as_str()) {
            constraints.pattern("environment.variables", name, holds, "[a-zA-Z]([a-zA-Z0-9_])+");
        }
    }
    constraints.check()?;
    let reserved: Vec<&str> = variables.keys().map(String::as_str).filter(|k| RESERVED.contains(k)).collect();
    if !reserved.is_empty() {
        return Err(invalid(format!(
            "Lambda was unable to configure your environment variables because the environment variables you have \
             provided contains reserved keys that are currently not supported for modification. Reserved keys used in \
             this request: {}",
            reserved.join(", ")
        )));
    }
    if variables.values().any(|v| v.contains('\0')) {
        return Err(invalid("Environment variable values must not contain a null character."));
    }
    let text = serde_json::to_string(variables).unwrap_or_default();
    if text.len() > ENVIRONMENT_LIMIT {
        return Err(invalid(format!(
            "Lambda was unable to configure your environment variables because the environment variables you have \
             provided exceeded the 4KB limit. String measured: {text}"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::input::read;
    use super::super::package::Package;
    use super::*;

    fn created(input: Value) -> Result<Content> {
        let configured: Configured = read(input)?;
        let mut constraints = Constraints::default();
        configured.constrain(&mut constraints);
        constraints.check()?;
        let source = Source::Zip(Package { sha256: "00".to_owned(), size: 1 });
        configured.create("f", source, "x86_64".to_owned())
    }

    #[test]
    fn defaults_are_those_of_lambda() {
        let content = created(json!({"Runtime": "provided.al2023", "Handler": "bootstrap"})).unwrap();
        assert_eq!((content.memory_size, content.timeout, content.ephemeral_storage), (128, 3, 512));
        assert_eq!(content.logging, Logging::text("f"));
    }

    #[test]
    fn what_cannot_run_here_is_refused_not_ignored() {
        for (member, value, words) in [
            ("Runtime", json!("ruby3.3"), "python3.13"),
            ("Runtime", json!("python2.7"), "Member must satisfy enum value set"),
            ("SnapStart", json!({"ApplyOn": "PublishedVersions"}), "SnapStart"),
            ("ImageConfig", json!({"Command": ["app.handler"]}), "ImageConfig is not supported"),
            ("Environment", json!({"Variables": {"AWS_REGION": "x"}}), "reserved keys"),
            ("Environment", json!({"Variables": {"A_": "x".repeat(4096)}}), "4KB limit"),
            ("LoggingConfig", json!({"SystemLogLevel": "WARN"}), "LogFormat"),
        ] {
            let mut input = json!({"Runtime": "provided.al2023", "Handler": "h"});
            input[member] = value;
            let error = created(input).unwrap_err();
            assert_eq!(error.code, "InvalidParameterValueException");
            assert!(error.message.contains(words), "{error}");
        }
    }

    #[test]
    fn a_role_is_an_arn_of_a_role() {
        assert!(is_role_arn("arn:aws:iam::000000000000:role/path/name"));
        for text in [
            "role",
            "arn:aws:iam::1:role/x",
            "arn:aws:iam::000000000000:user/x",
            "arn:aws:iam::000000000000:role/",
        ] {
            assert!(!is_role_arn(text), "{text}");
        }
    }
}
