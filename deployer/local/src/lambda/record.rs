//! What is kept of a function, and how AWS shows it.
//!
//! A function is one record, each of its published versions and aliases is another: a function with ten thousand
//! versions must not be written anew for each. What belongs together is changed in one transaction of the store.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::store::{Records, Store};
use crate::{Aws, ids};

use super::code::Source;
use super::image::{Image, ImageConfig};
use super::name::{self, LATEST};
use super::runtime_management::RuntimeManagement;

/// The processors that a function may be built for, the default first.
pub const ARCHITECTURES: [&str; 2] = ["x86_64", "arm64"];
/// Functions, by name.
pub const FUNCTION: &str = "function";
/// Published versions, by `NAME/NUMBER`.
pub const VERSION: &str = "function-version";
/// Layers, by name: the number that the next version gets.
pub const LAYER: &str = "layer";
/// Versions of layers, by `NAME/NUMBER`.
pub const LAYER_VERSION: &str = "layer-version";
/// Aliases, by `NAME/ALIAS`.
pub const ALIAS: &str = "function-alias";
/// Which aliases route to a version, by `NAME/NUMBER/ALIAS`, so that a version's are found without reading all.
pub const ROUTE: &str = "function-route";

/// Settings of functions that run elsewhere than in Lambda's ordinary environments, or otherwise. The endpoint shows them as
/// they were set and runs the function as any other, so that a client sees what AWS would show it.
pub const KEPT: [&str; 3] = ["CapacityProviderConfig", "DurableConfig", "TenancyConfig"];

/// Milliseconds since the epoch.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A time in AWS Lambda's own spelling, `2026-11-24T09:30:00.000+0000`.
pub fn aws_time(ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    time.strftime("%Y-%m-%dT%H:%M:%S.%3f+0000").to_string()
}

/// A function, apart from its published versions and aliases.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// The version that changes.
    pub latest: Configuration,
    /// What runs while the last change of `latest` is in progress.
    pub previous: Option<Box<Configuration>>,
    /// The number the next published version gets; numbers are never used again.
    pub next_version: u64,
    /// The version published last.
    pub last_published: Option<u64>,
    /// The description of `$LATEST` at that time: the version may have got another one.
    pub last_description: Option<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Reserved concurrency.
    pub reserved_concurrency: Option<u32>,
    /// Resource policies by qualifier, the function's own under the empty one: statements in the order they were added.
    pub policies: BTreeMap<String, Vec<Value>>,
    /// The revisions of these policies, by the same qualifiers.
    #[serde(default)]
    pub policy_revisions: BTreeMap<String, String>,
}

/// The state a version is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Made, and not yet there to be invoked.
    Creating,
    /// There, with a change on its way.
    Updating,
}

/// A version's configuration and code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Configuration {
    /// `$LATEST` or a number.
    pub version: String,
    /// A new value for every change that execution environments must not outlive.
    pub incarnation: String,
    /// The revision while `phase` lasts.
    pub revision: String,
    /// The revision after it: on AWS a revision ends with the state it was given in.
    pub settled_revision: String,
    /// What is in progress until `settles_at`.
    pub phase: Phase,
    /// Milliseconds since the epoch.
    pub settles_at: i64,
    /// Milliseconds since the epoch.
    pub last_modified: i64,
    /// Whether what is in progress ends with a snapshot that could not be made.
    #[serde(default)]
    pub snapshot_fails: bool,
    /// Whether what is in progress ends as a failed update. The next update is not concerned.
    #[serde(default)]
    pub update_fails: bool,
    /// When its runtime is updated. What is published takes it along.
    #[serde(default)]
    pub runtime_management: RuntimeManagement,
    /// Everything that the user sets.
    pub content: Content,
}

/// What makes a version different from another: publishing compares it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Content {
    /// Free text.
    pub description: String,
    /// `provided.al2023` and the like.
    pub runtime: String,
    /// The role's ARN.
    pub role: String,
    /// What the code dispatches on.
    pub handler: String,
    /// Bytes of the package.
    pub code_size: u64,
    /// SHA-256 of the package, hexadecimal.
    pub code_sha256: String,
    /// Seconds.
    pub timeout: u32,
    /// Megabytes.
    pub memory_size: u32,
    /// Environment variables.
    pub environment: Option<BTreeMap<String, String>>,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// Megabytes of `/tmp`.
    pub ephemeral_storage: u32,
    /// `PassThrough` or `Active`.
    pub tracing: String,
    /// Log format, levels and group.
    pub logging: Logging,
    /// Subnets and security groups, kept as given.
    pub vpc: Option<Vpc>,
    /// Where failed events go, kept as given.
    pub dead_letter: Option<String>,
    /// The key of the environment, kept as given.
    pub kms_key: Option<String>,
    /// Whether versions are published with a snapshot (SnapStart).
    #[serde(default)]
    pub snap_start: bool,
    /// Settings the endpoint has nothing to do with, kept as given: see [`KEPT`].
    #[serde(default)]
    pub kept: Map<String, Value>,
    /// Layers, later ones over earlier ones. Records written before there were any have none.
    #[serde(default)]
    pub layers: Vec<Layer>,
    /// The image of a function that is one; it has neither runtime nor handler.
    #[serde(default)]
    pub image: Option<Image>,
    /// File systems, kept as given.
    #[serde(default)]
    pub file_systems: Vec<FileSystem>,
}

/// A file system that a function mounts, of which the local endpoint has only the names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct FileSystem {
    /// The access point's ARN.
    pub arn: String,
    /// Where it is mounted, in `/mnt`.
    pub local_mount_path: String,
}

/// A layer version as a function has it; it stays so when the layer version is deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// The layer version's ARN.
    pub arn: String,
    /// Bytes of its zip.
    pub code_size: u64,
    /// SHA-256 of its zip, hexadecimal.
    pub code_sha256: String,
}

/// How a function logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logging {
    /// Whether the platform's lines are JSON.
    pub json: bool,
    /// The lowest level of the platform's lines, with JSON only.
    pub system_level: Option<String>,
    /// The lowest level of the function's lines, with JSON only.
    pub application_level: Option<String>,
    /// The log group.
    pub group: String,
}

/// A function's network, of which the local endpoint has only the names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Vpc {
    /// Subnet ids.
    pub subnets: Vec<String>,
    /// Security group ids.
    pub security_groups: Vec<String>,
    /// Whether dual-stack subnets carry IPv6.
    pub ipv6: bool,
}

/// A name for a version, or for two with weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alias {
    /// Its name.
    pub name: String,
    /// The version, a number or `$LATEST`.
    pub version: String,
    /// A second version and its share of the invocations, 0 to 1.
    pub weights: BTreeMap<String, f64>,
    /// Free text, at most 256 characters.
    pub description: String,
    /// Changes with every change.
    pub revision: String,
}

/// The id under which a version is kept: padded, so that the order of ids is that of numbers.
pub fn version_id(name: &str, number: u64) -> String {
    format!("{name}/{number:012}")
}

/// The id under which an alias is kept.
pub fn alias_id(name: &str, alias: &str) -> String {
    format!("{name}/{alias}")
}

/// The id that says that an alias routes to a version.
pub fn route_id(name: &str, number: u64, alias: &str) -> String {
    format!("{name}/{number:012}/{alias}")
}

impl Configuration {
    /// A configuration whose state settles `delay` milliseconds from now.
    pub fn new(version: String, content: Content, phase: Phase, delay: i64) -> Self {
        let now = now_ms();
        Self {
            version,
            incarnation: ids::uuid(),
            revision: ids::uuid(),
            settled_revision: ids::uuid(),
            phase,
            settles_at: now + delay,
            last_modified: now,
            snapshot_fails: false,
            update_fails: false,
            runtime_management: RuntimeManagement::default(),
            content,
        }
    }

    /// The revision as of now.
    pub fn revision(&self) -> &str {
        if self.settled() { &self.settled_revision } else { &self.revision }
    }

    /// Gives it a new revision without a new state, as a change of its policy does.
    pub fn touch(&mut self) {
        self.revision = ids::uuid();
        self.settled_revision = if self.settled() { self.revision.clone() } else { ids::uuid() };
    }

    /// Whether nothing is in progress.
    pub fn settled(&self) -> bool {
        now_ms() >= self.settles_at
    }

    /// Whether it is still being created.
    pub fn pending(&self) -> bool {
        self.phase == Phase::Creating && !self.settled()
    }

    /// Whether its snapshot could not be made.
    pub fn failed(&self) -> bool {
        self.snapshot_fails && self.settled()
    }

    /// Whether a change is in progress.
    pub fn updating(&self) -> bool {
        self.phase == Phase::Updating && !self.settled()
    }

    /// As `ListFunctions` shows it, without state: `qualifier` is what its ARN ends with.
    pub fn summary(&self, aws: &Aws, function: &str, qualifier: Option<&str>) -> Value {
        let c = &self.content;
        let mut shown = Map::new();
        let mut set = |name: &str, value: Value| {
            shown.insert(name.to_owned(), value);
        };
        set("FunctionName", json!(function));
        set("FunctionArn", json!(name::arn(aws, function, qualifier)));
        if c.image.is_none() {
            set("Runtime", json!(c.runtime));
            set("Handler", json!(c.handler));
        }
        set("Role", json!(c.role));
        set("CodeSize", json!(c.code_size));
        set("Description", json!(c.description));
        set("Timeout", json!(c.timeout));
        set("MemorySize", json!(c.memory_size));
        set("LastModified", json!(aws_time(self.last_modified)));
        set("CodeSha256", json!(c.shown_code_sha256()));
        set("Version", json!(self.version));
        if let Some(vpc) = &c.vpc {
            set(
                "VpcConfig",
                json!({"SubnetIds": vpc.subnets, "SecurityGroupIds": vpc.security_groups, "VpcId": "",
                       "Ipv6AllowedForDualStack": vpc.ipv6}),
            );
        }
        if let Some(arn) = &c.dead_letter {
            set("DeadLetterConfig", json!({"TargetArn": arn}));
        }
        if let Some(variables) = &c.environment {
            set("Environment", json!({"Variables": variables}));
        }
        if let Some(arn) = &c.kms_key {
            set("KMSKeyArn", json!(arn));
        }
        if !c.layers.is_empty() {
            let layers = c.layers.iter().map(|l| json!({"Arn": l.arn, "CodeSize": l.code_size}));
            set("Layers", layers.collect());
        }
        set("TracingConfig", json!({"Mode": c.tracing}));
        set("RevisionId", json!(self.revision()));
        set("PackageType", json!(if c.image.is_some() { "Image" } else { "Zip" }));
        if let Some(image) = c.image.as_ref().filter(|image| image.config != ImageConfig::default()) {
            set("ImageConfigResponse", json!({"ImageConfig": image.config}));
        }
        if !c.file_systems.is_empty() {
            set("FileSystemConfigs", json!(c.file_systems));
        }
        set("Architectures", json!([c.architecture]));
        set("EphemeralStorage", json!({"Size": c.ephemeral_storage}));
        let snapshot = c.snap_start && self.version != LATEST && self.settled() && !self.snapshot_fails;
        set(
            "SnapStart",
            json!({"ApplyOn": if c.snap_start { "PublishedVersions" } else { "None" },
                   "OptimizationStatus": if snapshot { "On" } else { "Off" }}),
        );
        for (name, value) in &c.kept {
            set(name, value.clone());
        }
        set("LoggingConfig", c.logging.shown());
        Value::Object(shown)
    }

    /// As `GetFunctionConfiguration` shows it.
    pub fn shown(&self, aws: &Aws, function: &str, qualifier: Option<&str>) -> Value {
        let mut shown = self.summary(aws, function, qualifier);
        if self.pending() {
            shown["State"] = json!("Pending");
            shown["StateReason"] = json!("The function is being created.");
            shown["StateReasonCode"] = json!("Creating");
            return shown;
        }
        if self.failed() {
            shown["State"] = json!("Failed");
            shown["StateReason"] =
                json!("The function's memory size does not suffice for its initialization.");
            shown["StateReasonCode"] = json!("FunctionError.InitResourceExhausted");
            return shown;
        }
        shown["State"] = json!("Active");
        if self.updating() {
            shown["LastUpdateStatus"] = json!("InProgress");
            shown["LastUpdateStatusReason"] = json!("The function is being created.");
            shown["LastUpdateStatusReasonCode"] = json!("Creating");
        } else if self.update_fails {
            shown["LastUpdateStatus"] = json!("Failed");
            shown["LastUpdateStatusReason"] = json!("An internal error occurred during the update.");
            shown["LastUpdateStatusReasonCode"] = json!("InternalError");
        } else {
            shown["LastUpdateStatus"] = json!("Successful");
        }
        shown
    }
}

impl Content {
    /// The code's hash as Lambda shows it: of a zip in base64, of an image as it is in the digest.
    pub fn shown_code_sha256(&self) -> String {
        if self.image.is_some() { self.code_sha256.clone() } else { base64_of_hex(&self.code_sha256) }
    }

    /// Replaces the code by other code of the same kind; what is set of an image stays.
    pub fn take(&mut self, source: Source) {
        match source {
            Source::Zip(package) => {
                self.code_sha256 = package.sha256;
                self.code_size = package.size;
            }
            Source::Image(image) => {
                self.code_sha256.clone_from(&image.digest);
                let config = self.image.take().map(|image| image.config).unwrap_or_default();
                self.image = Some(Image { config, ..image });
            }
        }
    }

    /// What the code dispatches on.
    pub fn dispatches_on(&self) -> &str {
        let command = self.image.as_ref().and_then(|image| image.config.command.as_deref());
        command.and_then(<[String]>::first).unwrap_or(&self.handler)
    }

    /// The zips of its layers, SHA-256 in hexadecimal, in their order.
    pub fn layer_zips(&self) -> Vec<&str> {
        self.layers.iter().map(|layer| layer.code_sha256.as_str()).collect()
    }
}

impl Logging {
    /// Text lines to the function's own group.
    pub fn text(function: &str) -> Self {
        Self {
            json: false,
            system_level: None,
            application_level: None,
            group: format!("/aws/lambda/{function}"),
        }
    }

    fn shown(&self) -> Value {
        let mut shown = json!({"LogFormat": if self.json { "JSON" } else { "Text" }, "LogGroup": self.group});
        if self.json {
            shown["ApplicationLogLevel"] = json!(self.application_level.as_deref().unwrap_or("INFO"));
            shown["SystemLogLevel"] = json!(self.system_level.as_deref().unwrap_or("INFO"));
        }
        shown
    }
}

impl Alias {
    /// As `GetAlias` shows it.
    pub fn shown(&self, aws: &Aws, function: &str) -> Value {
        let mut shown = json!({
            "AliasArn": name::arn(aws, function, Some(&self.name)),
            "Name": self.name,
            "FunctionVersion": self.version,
            "Description": self.description,
            "RevisionId": self.revision,
        });
        if !self.weights.is_empty() {
            shown["RoutingConfig"] = json!({"AdditionalVersionWeights": self.weights});
        }
        shown
    }

    /// The published versions it routes to.
    pub fn targets(&self) -> impl Iterator<Item = u64> {
        std::iter::once(&self.version).chain(self.weights.keys()).filter_map(|v| name::version_number(v))
    }
}

impl Function {
    /// What `$LATEST` runs with now: the configuration before a change that is still in progress.
    pub fn running(&self) -> &Configuration {
        match &self.previous {
            Some(previous) if self.latest.updating() => previous,
            _ => &self.latest,
        }
    }

    /// Takes away the policy of a version or alias; says whether there was one.
    pub fn forget_policy(&mut self, qualifier: &str) -> bool {
        self.policy_revisions.remove(qualifier);
        self.policies.remove(qualifier).is_some()
    }

    /// Puts a changed content into `$LATEST`; the change is in progress for `delay` milliseconds.
    pub fn change(&mut self, content: Content, delay: i64) {
        let mut changed = Configuration::new(LATEST.to_owned(), content, Phase::Updating, delay);
        changed.runtime_management.clone_from(&self.latest.runtime_management);
        self.previous = Some(Box::new(std::mem::replace(&mut self.latest, changed)));
    }
}

/// Reads a version: the function's `$LATEST` or a published one.
pub fn version(store: &Store, function: &Function, version: &str) -> Option<Configuration> {
    if version == LATEST {
        return Some(function.latest.clone());
    }
    store.get(VERSION, &version_id(&function.name, name::version_number(version)?))
}

/// As [`version`], inside a transaction.
pub fn version_in(records: &Records<'_>, function: &Function, version: &str) -> Option<Configuration> {
    if version == LATEST {
        return Some(function.latest.clone());
    }
    records.get(VERSION, &version_id(&function.name, name::version_number(version)?))
}

/// A hexadecimal digest as AWS writes it, in base64.
pub fn base64_of_hex(hex: &str) -> String {
    use base64::Engine as _;
    let digits = hex.as_bytes().chunks_exact(2);
    let bytes: Vec<u8> = digits
        .map(|pair| {
            let digit = |d: u8| char::from(d).to_digit(16).unwrap_or_default();
            u8::try_from(digit(pair[0]) * 16 + digit(pair[1])).unwrap_or_default()
        })
        .collect();
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_digests_are_spelled_as_aws_does() {
        assert_eq!(aws_time(1_795_500_000_123), "2026-11-24T06:00:00.123+0000");
        assert_eq!(base64_of_hex("00ff10"), "AP8Q");
    }

    #[test]
    fn ids_sort_by_number() {
        assert!(version_id("f", 9) < version_id("f", 10));
        assert!(version_id("f", 99_999) < version_id("f", 100_000));
    }
}
