//! Layers: zips that functions share, in numbered versions that never change.
//!
//! A function keeps what it was given: deleting a layer version takes it from nobody who has it. What layers together hold
//! is put into one folder by [`super::merge`] when a function first runs with them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::store::Store;
use crate::{ApiError, Aws, Caller, Result};

use super::Lambda;
use super::code::Code;
use super::errors::{invalid, not_found, service};
use super::input::{Constraints, is_word, number, read};
use super::package::UNPACKED_LIMIT;
use super::record::{
    ARCHITECTURES, LAYER, LAYER_VERSION, Layer, aws_time, base64_of_hex, now_ms, version_id,
};

const NAME_PATTERN: &str =
    "(arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:\\d{12}:layer:[a-zA-Z0-9-_]+)|[a-zA-Z0-9-_]+";
/// AWS's pattern of the ARN of a layer version.
pub const VERSION_ARN: &str = "(arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:\
                               \\d{12}:layer:[a-zA-Z0-9-_]+:[0-9]+)|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+)";
/// How many layers a function may have.
const LIMIT: usize = 5;

/// A version of a layer.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct LayerVersion {
    number: u64,
    description: String,
    license: Option<String>,
    runtimes: Vec<String>,
    architectures: Vec<String>,
    /// Milliseconds since the epoch.
    created: i64,
    code_size: u64,
    code_sha256: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Publish {
    layer_name: Option<String>,
    content: Option<Code>,
    description: Option<String>,
    license_info: Option<String>,
    #[serde(default)]
    compatible_runtimes: Vec<String>,
    #[serde(default)]
    compatible_architectures: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Numbered {
    layer_name: Option<String>,
    #[serde(default, deserialize_with = "number")]
    version_number: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ByArn {
    arn: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    layer_name: Option<String>,
    compatible_runtime: Option<String>,
    compatible_architecture: Option<String>,
    marker: Option<String>,
    #[serde(default, deserialize_with = "number")]
    max_items: Option<i64>,
}

impl Page {
    fn limit(&self) -> Result<usize> {
        let mut constraints = Constraints::default();
        constraints.range("maxItems", self.max_items, 1, 50);
        constraints.one_of("compatibleArchitecture", self.compatible_architecture.as_deref(), &ARCHITECTURES);
        constraints.check()?;
        Ok(self.max_items.and_then(|n| usize::try_from(n).ok()).unwrap_or(50))
    }

    /// Whether the version says that it is compatible with what is asked for.
    fn wants(&self, version: &LayerVersion) -> bool {
        let says =
            |wanted: &Option<String>, said: &[String]| wanted.as_ref().is_none_or(|w| said.contains(w));
        says(&self.compatible_runtime, &version.runtimes)
            && says(&self.compatible_architecture, &version.architectures)
    }
}

impl LayerVersion {
    fn summary(&self, aws: &Aws, name: &str) -> Value {
        let mut shown = json!({
            "LayerVersionArn": version_arn(aws, name, self.number),
            "Version": self.number,
            "Description": self.description,
            "CreatedDate": aws_time(self.created),
        });
        if let Some(license) = &self.license {
            shown["LicenseInfo"] = json!(license);
        }
        for (member, said) in
            [("CompatibleRuntimes", &self.runtimes), ("CompatibleArchitectures", &self.architectures)]
        {
            if !said.is_empty() {
                shown[member] = json!(said);
            }
        }
        shown
    }
}

impl Lambda {
    fn layer_shown(&self, aws: &Aws, name: &str, version: &LayerVersion) -> Value {
        let mut shown = version.summary(aws, name);
        shown["LayerArn"] = json!(layer_arn(aws, name));
        shown["Content"] = json!({
            "Location": self.presigner.url(aws, "layers", name, &version.code_sha256),
            "CodeSha256": base64_of_hex(&version.code_sha256),
            "CodeSize": version.code_size,
        });
        shown
    }

    pub(super) async fn publish_layer(&self, aws: &Arc<Aws>, caller: &Caller, input: Value) -> Result<Value> {
        let input: Publish = read(input)?;
        let mut constraints = Constraints::default();
        constraints.required("content", input.content.as_ref());
        constraints.length("description", input.description.as_deref(), 0, 256);
        constraints.length("licenseInfo", input.license_info.as_deref(), 0, 512);
        for architecture in &input.compatible_architectures {
            constraints.one_of("compatibleArchitectures", Some(architecture), &ARCHITECTURES);
        }
        constraints.items("compatibleRuntimes", &input.compatible_runtimes, 15);
        let name = named(aws, "PublishLayerVersion", input.layer_name.as_deref(), constraints)?;
        aws.iam.authorize(aws, caller, "lambda:PublishLayerVersion", &layer_arn(aws, &name))?;
        let Some(content) = input.content else { return Err(invalid("Content must not be null.")) };
        let package = self.fetch(aws, caller, content).await?;
        aws.store.transaction(|records| {
            // A number is never used again, also when all versions are deleted.
            let number: u64 = records.get(LAYER, &name).unwrap_or(1);
            let version = LayerVersion {
                number,
                description: input.description.unwrap_or_default(),
                license: input.license_info,
                runtimes: input.compatible_runtimes,
                architectures: input.compatible_architectures,
                created: now_ms(),
                code_size: package.size,
                code_sha256: package.sha256,
            };
            records.put(LAYER, &name, &(number + 1));
            records.put(LAYER_VERSION, &version_id(&name, number), &version);
            Ok(self.layer_shown(aws, &name, &version))
        })
    }

    pub(super) fn get_layer(&self, aws: &Aws, caller: &Caller, input: Value) -> Result<Value> {
        let (name, number) = numbered(aws, "GetLayerVersion", read(input)?)?;
        self.show_layer(aws, caller, &name, number)
    }

    pub(super) fn get_layer_by_arn(&self, aws: &Aws, caller: &Caller, input: Value) -> Result<Value> {
        let input: ByArn = read(input)?;
        let mut constraints = Constraints::default();
        constraints.required("arn", input.arn.as_ref());
        let arn = input.arn.unwrap_or_default();
        constraints.pattern("arn", &arn, is_version_arn(&arn), VERSION_ARN);
        constraints.check()?;
        let (layer, number) = arn.rsplit_once(':').unwrap_or_default();
        let name = named(aws, "GetLayerVersion", Some(layer), Constraints::default())?;
        self.show_layer(aws, caller, &name, number.parse().unwrap_or_default())
    }

    fn show_layer(&self, aws: &Aws, caller: &Caller, name: &str, number: u64) -> Result<Value> {
        aws.iam.authorize(aws, caller, "lambda:GetLayerVersion", &version_arn(aws, name, number))?;
        match aws.store.get::<LayerVersion>(LAYER_VERSION, &version_id(name, number)) {
            Some(version) => Ok(self.layer_shown(aws, name, &version)),
            None => Err(not_found("The resource you requested does not exist.")),
        }
    }

    pub(super) fn delete_layer(&self, aws: &Aws, caller: &Caller, input: Value) -> Result<Value> {
        let (name, number) = numbered(aws, "DeleteLayerVersion", read(input)?)?;
        aws.iam.authorize(aws, caller, "lambda:DeleteLayerVersion", &version_arn(aws, &name, number))?;
        // One that is not there is as good as deleted: AWS answers the same.
        aws.store.transaction(|records| records.delete(LAYER_VERSION, &version_id(&name, number)));
        Ok(json!({}))
    }

    pub(super) fn list_layer_versions(&self, aws: &Aws, caller: &Caller, input: Value) -> Result<Value> {
        let page: Page = read(input)?;
        let name = named(aws, "ListLayerVersions", page.layer_name.as_deref(), Constraints::default())?;
        let limit = page.limit()?;
        aws.iam.authorize(aws, caller, "lambda:ListLayerVersions", "*")?;
        let before: u64 = page.marker.as_deref().map_or(Ok(u64::MAX), str::parse).map_err(|_| no_marker())?;
        let all = aws.store.range::<LayerVersion>(LAYER_VERSION, &format!("{name}/"), None, usize::MAX);
        let mut versions =
            all.into_iter().rev().map(|(_, v)| v).filter(|v| v.number < before && page.wants(v));
        let shown: Vec<LayerVersion> = versions.by_ref().take(limit).collect();
        let mut answer =
            json!({"LayerVersions": shown.iter().map(|v| v.summary(aws, &name)).collect::<Vec<_>>()});
        if versions.next().is_some() {
            answer["NextMarker"] = json!(shown.last().map(|v| v.number.to_string()));
        }
        Ok(answer)
    }

    pub(super) fn list_layers(&self, aws: &Aws, caller: &Caller, input: Value) -> Result<Value> {
        let page: Page = read(input)?;
        let limit = page.limit()?;
        aws.iam.authorize(aws, caller, "lambda:ListLayers", "*")?;
        let mut latest: BTreeMap<String, LayerVersion> = BTreeMap::new();
        for (id, version) in aws.store.list::<LayerVersion>(LAYER_VERSION) {
            if let Some((name, _)) = id.rsplit_once('/').filter(|_| page.wants(&version)) {
                latest.insert(name.to_owned(), version);
            }
        }
        let after = page.marker.unwrap_or_default();
        let mut layers = latest.iter().filter(|(name, _)| **name > after);
        let shown: Vec<_> = layers.by_ref().take(limit).collect();
        let layer = |(name, version): &(&String, &LayerVersion)| {
            json!({
                "LayerName": name,
                "LayerArn": layer_arn(aws, name),
                "LatestMatchingVersion": version.summary(aws, name),
            })
        };
        let mut answer = json!({"Layers": shown.iter().map(layer).collect::<Vec<_>>()});
        if layers.next().is_some() {
            answer["NextMarker"] = json!(shown.last().map(|(name, _)| name));
        }
        Ok(answer)
    }

    /// The layers that a function is to have, in their order.
    ///
    /// # Errors
    /// `InvalidParameterValueException` for too many, for two versions of one layer, and for one that does not exist;
    /// `AccessDeniedException` for one that the caller may not get.
    pub(super) fn layers(&self, aws: &Aws, caller: &Caller, arns: &[String]) -> Result<Vec<Layer>> {
        if arns.len() > LIMIT {
            return Err(invalid(format!("Cannot reference more than {LIMIT} layers.")));
        }
        let mut seen = HashMap::new();
        let mut layers = Vec::new();
        for arn in arns {
            let Some((name, number)) = own_version(aws, arn)? else {
                return Err(invalid(format!("Layer version {arn} does not exist.")));
            };
            aws.iam.authorize(aws, caller, "lambda:GetLayerVersion", arn)?;
            let version: Option<LayerVersion> = aws.store.get(LAYER_VERSION, &version_id(&name, number));
            let version = version.ok_or_else(|| invalid(format!("Layer version {arn} does not exist.")))?;
            if let Some(other) = seen.insert(name, arn) {
                return Err(invalid(format!(
                    "Two different versions of the same layer are not allowed to be referenced in the same function. \
                     {other} and {arn} are versions of the same layer."
                )));
            }
            let LayerVersion { code_size, code_sha256, .. } = version;
            layers.push(Layer { arn: arn.clone(), code_size, code_sha256 });
        }
        Ok(layers)
    }

    /// Whether a package and layers together keep to the size that Lambda allows, unpacked.
    ///
    /// # Errors
    /// `InvalidParameterValueException`.
    pub(super) async fn fits(&self, code: &str, layers: &[Layer]) -> Result<()> {
        if layers.is_empty() {
            return Ok(());
        }
        let packages = self.packages.clone();
        let zips: Vec<String> =
            layers.iter().map(|l| &l.code_sha256).chain([&code.to_owned()]).cloned().collect();
        let sum = move || zips.iter().map(|zip| packages.unpacked(zip)).sum::<Result<u64>>();
        let size = tokio::task::spawn_blocking(sum).await.map_err(|e| service(e.to_string()))??;
        if size > UNPACKED_LIMIT {
            return Err(invalid(format!(
                "Function code combined with layers exceeds the maximum allowed size of {UNPACKED_LIMIT} bytes. The actual \
                 size is {size} bytes."
            )));
        }
        Ok(())
    }
}

/// The zips of all layer versions, SHA-256 in hexadecimal.
pub fn zips(store: &Store) -> impl Iterator<Item = String> {
    store.list::<LayerVersion>(LAYER_VERSION).into_iter().map(|(_, version)| version.code_sha256)
}

/// Whether the text has the form of a layer version's ARN.
pub fn is_version_arn(text: &str) -> bool {
    let fields: Vec<&str> = text.split(':').collect();
    let &["arn", partition, "lambda", region, account, "layer", name, number] = fields.as_slice() else {
        return matches!(fields.as_slice(), ["arn", _, "lambda", "", "", "awslayer", name] if is_word(name));
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    partition.starts_with("aws")
        && !region.is_empty()
        && account.len() == 12
        && digits(account)
        && is_word(name)
        && digits(number)
        && text.len() <= 2048
}

fn layer_arn(aws: &Aws, name: &str) -> String {
    aws.arn("lambda", &format!("layer:{name}"))
}

fn version_arn(aws: &Aws, name: &str, number: u64) -> String {
    aws.arn("lambda", &format!("layer:{name}:{number}"))
}

/// The name and number of a layer version of this account and region; `None` for one that cannot exist here.
fn own_version(aws: &Aws, arn: &str) -> Result<Option<(String, u64)>> {
    let fields: Vec<&str> = arn.split(':').collect();
    let &[_, _, _, region, account, "layer", name, number] = fields.as_slice() else { return Ok(None) };
    if account != aws.settings.account {
        return Err(foreign("GetLayerVersion", arn));
    }
    if region != aws.settings.region {
        return Err(invalid(format!(
            "Layers are not in the same region as the function. Layers are expected to be in region {}.",
            aws.settings.region
        )));
    }
    Ok(number.parse().ok().map(|number| (name.to_owned(), number)))
}

/// Nothing is known here of other accounts, so none has permitted anything.
fn foreign(action: &str, resource: &str) -> ApiError {
    ApiError::new(
        403,
        "AccessDeniedException",
        format!(
            "not authorized to perform: lambda:{action} on resource: {resource} because no resource-based policy allows \
             the lambda:{action} action"
        ),
    )
}

/// The plain name of the layer that a request names, with what else is wrong with the request.
fn named(aws: &Aws, action: &str, layer: Option<&str>, mut constraints: Constraints) -> Result<String> {
    constraints.required("layerName", layer.as_ref());
    let layer = layer.unwrap_or_default();
    let fields: Vec<&str> = layer.split(':').collect();
    let (place, name) = match fields.as_slice() {
        [name] => (None, *name),
        ["arn", _, "lambda", region, account, "layer", name] => (Some((*region, *account)), *name),
        _ => (None, ""),
    };
    constraints.length("layerName", Some(layer), 1, 140);
    constraints.pattern("layerName", layer, is_word(name), NAME_PATTERN);
    constraints.check()?;
    match place {
        Some((_, account)) if account != aws.settings.account => Err(foreign(action, layer)),
        Some((region, _)) if region != aws.settings.region => {
            Err(not_found("The resource you requested does not exist."))
        }
        _ => Ok(name.to_owned()),
    }
}

fn numbered(aws: &Aws, action: &str, input: Numbered) -> Result<(String, u64)> {
    let mut constraints = Constraints::default();
    constraints.required("versionNumber", input.version_number.as_ref());
    let name = named(aws, action, input.layer_name.as_deref(), constraints)?;
    match input.version_number.and_then(|n| u64::try_from(n).ok()) {
        None | Some(0) => Err(invalid("Layer Version Cannot be less than 1")),
        Some(number) => Ok((name, number)),
    }
}

fn no_marker() -> ApiError {
    invalid("The marker is none that an answer of this operation had.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_version_is_named_by_its_whole_arn() {
        assert!(is_version_arn("arn:aws:lambda:us-east-1:000000000000:layer:libs_1-x:12"));
        assert!(is_version_arn("arn:aws-cn:lambda:cn-north-1:123456789012:layer:l:1"));
        assert!(is_version_arn("arn:aws:lambda:::awslayer:AmazonLinux1803"));
        for text in [
            "libs",
            "libs:1",
            "arn:aws:lambda:us-east-1:000000000000:layer:libs",
            "arn:aws:lambda:us-east-1:000000000000:layer:libs:x",
            "arn:aws:lambda:us-east-1:0:layer:libs:1",
            "arn:aws:lambda:us-east-1:000000000000:function:libs:1",
            "arn:aws:lambda:us-east-1:000000000000:layer:li bs:1",
        ] {
            assert!(!is_version_arn(text), "{text}");
        }
    }
}
