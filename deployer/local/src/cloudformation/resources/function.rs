//! `AWS::Lambda::Function`.

use std::io::{Cursor, Write as _};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::schema::{Naming, Property, Schema, Shape, TAGS};
use super::site::{members, tag_list};
use super::{Actual, Answer, Attributes, Failure, Handler, Site};
use crate::Service::Lambda;

/// How long a function may be `Pending` or an update of it `InProgress`.
const PATIENCE: Duration = Duration::from_mins(5);
const GLANCE: Duration = Duration::from_millis(5);

static SCHEMA: Schema = Schema {
    kind: "AWS::Lambda::Function",
    properties: &[
        Property::new("Architectures", Shape::List(&Shape::Text)),
        Property::new(
            "Code",
            Shape::Object(&[
                Property::new("ImageUri", Shape::Text),
                Property::new("S3Bucket", Shape::Text),
                Property::new("S3Key", Shape::Text),
                Property::new("S3ObjectVersion", Shape::Text),
                Property::new("SourceKMSKeyArn", Shape::Text),
                Property::new("ZipFile", Shape::Text),
            ]),
        )
        .required(),
        Property::new("CodeSigningConfigArn", Shape::Text),
        Property::new("DeadLetterConfig", Shape::Object(&[Property::new("TargetArn", Shape::Text)])),
        Property::new("Description", Shape::Text),
        Property::new("Environment", Shape::Object(&[Property::new("Variables", Shape::Map)])),
        Property::new("EphemeralStorage", Shape::Object(&[Property::new("Size", Shape::Integer).required()])),
        Property::new("FileSystemConfigs", Shape::List(&Shape::Any)),
        Property::new("FunctionName", Shape::Text).replaces(),
        Property::new("Handler", Shape::Text),
        Property::new("ImageConfig", Shape::Any),
        Property::new("KmsKeyArn", Shape::Text),
        Property::new("Layers", Shape::List(&Shape::Text)),
        Property::new(
            "LoggingConfig",
            Shape::Object(&[
                Property::new("ApplicationLogLevel", Shape::Text),
                Property::new("LogFormat", Shape::Text),
                Property::new("LogGroup", Shape::Text),
                Property::new("SystemLogLevel", Shape::Text),
            ]),
        ),
        Property::new("MemorySize", Shape::Integer),
        Property::new("PackageType", Shape::Text).replaces(),
        Property::new("ReservedConcurrentExecutions", Shape::Integer),
        Property::new("Role", Shape::Text).required(),
        Property::new("Runtime", Shape::Text),
        Property::new("SnapStart", Shape::Object(&[Property::new("ApplyOn", Shape::Text).required()])),
        Property::new("Tags", TAGS),
        Property::new("Timeout", Shape::Integer),
        Property::new("TracingConfig", Shape::Object(&[Property::new("Mode", Shape::Text)])),
        Property::new(
            "VpcConfig",
            Shape::Object(&[
                Property::new("Ipv6AllowedForDualStack", Shape::Boolean),
                Property::new("SecurityGroupIds", Shape::List(&Shape::Text)),
                Property::new("SubnetIds", Shape::List(&Shape::Text)),
            ]),
        ),
    ],
    attributes: &["Arn"],
    named: Some("FunctionName"),
    naming: Naming::Stack(64),
    taggable: true,
};

/// What `GetFunctionConfiguration` answers as the template has it.
const CONFIGURATION: &[&str] = &[
    "Architectures",
    "DeadLetterConfig",
    "Description",
    "Environment",
    "EphemeralStorage",
    "FunctionName",
    "Handler",
    "LoggingConfig",
    "MemorySize",
    "PackageType",
    "Role",
    "Runtime",
    "SnapStart",
    "Timeout",
    "TracingConfig",
    "VpcConfig",
];

/// What drift is detected of: as on AWS not the code, which cannot be read as it was given.
const READABLE: &[&str] = &[
    "Architectures",
    "DeadLetterConfig",
    "Description",
    "Environment",
    "EphemeralStorage",
    "FunctionName",
    "Handler",
    "KmsKeyArn",
    "Layers",
    "LoggingConfig",
    "MemorySize",
    "PackageType",
    "ReservedConcurrentExecutions",
    "Role",
    "Runtime",
    "SnapStart",
    "Tags",
    "Timeout",
    "TracingConfig",
    "VpcConfig",
];

/// Configuration with what AWS has in its place when a property is taken away; `None` leaves the member out.
fn configuration(properties: &Value) -> Map<String, Value> {
    let mut input = members(
        properties,
        &[
            "DeadLetterConfig",
            "Description",
            "Environment",
            "EphemeralStorage",
            "FileSystemConfigs",
            "Handler",
            "ImageConfig",
            "KmsKeyArn=KMSKeyArn",
            "Layers",
            "LoggingConfig",
            "MemorySize",
            "Role",
            "Runtime",
            "SnapStart",
            "Timeout",
            "TracingConfig",
            "VpcConfig",
        ],
    );
    input.entry("MemorySize").or_insert_with(|| 128.into());
    input.entry("Timeout").or_insert_with(|| 3.into());
    input
}

/// What takes the place of a property that an update takes away.
const DEFAULTS: [(&str, &str, &str); 10] = [
    ("DeadLetterConfig", "DeadLetterConfig", r#"{"TargetArn":""}"#),
    ("Description", "Description", r#""""#),
    ("Environment", "Environment", r#"{"Variables":{}}"#),
    ("EphemeralStorage", "EphemeralStorage", r#"{"Size":512}"#),
    ("KmsKeyArn", "KMSKeyArn", r#""""#),
    ("Layers", "Layers", "[]"),
    ("LoggingConfig", "LoggingConfig", r#"{"LogFormat":"Text"}"#),
    ("SnapStart", "SnapStart", r#"{"ApplyOn":"None"}"#),
    ("TracingConfig", "TracingConfig", r#"{"Mode":"PassThrough"}"#),
    ("VpcConfig", "VpcConfig", r#"{"SubnetIds":[],"SecurityGroupIds":[]}"#),
];

/// The code as the API takes it. An inline source becomes a zip, as in CloudFormation.
fn code(properties: &Value) -> Result<Map<String, Value>, Failure> {
    let code = &properties["Code"];
    let mut input = members(code, &["ImageUri", "S3Bucket", "S3Key", "S3ObjectVersion"]);
    if let Some(source) = code["ZipFile"].as_str() {
        let runtime = properties["Runtime"].as_str().unwrap_or("");
        let name = match runtime {
            r if r.starts_with("nodejs") => "index.js",
            r if r.starts_with("python") => "index.py",
            _ => {
                return Err(Failure::invalid(
                    "ZipFile can only be used when Runtime is set to either of nodejs and python",
                ));
            }
        };
        let failed = |e: String| Failure { message: e, code: "InternalFailure" };
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default().unix_permissions(0o644);
        zip.start_file(name, options).map_err(|e| failed(e.to_string()))?;
        zip.write_all(source.as_bytes()).map_err(|e| failed(e.to_string()))?;
        let bytes = zip.finish().map_err(|e| failed(e.to_string()))?.into_inner();
        input.insert("ZipFile".into(), STANDARD.encode(bytes).into());
    }
    Ok(input)
}

/// `AWS::Lambda::Function`.
pub struct Function;

impl Function {
    /// Waits until the function is neither being made nor being changed.
    async fn settled(site: &Site, id: &str) -> Result<Value, Failure> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let state = site.call(Lambda, "GetFunctionConfiguration", json!({"FunctionName": id})).await?;
            let failed = |member: &str| Failure {
                message: format!(
                    "Function {id} did not become ready: {}",
                    state[member].as_str().unwrap_or("no reason was given")
                ),
                code: "NotStabilized",
            };
            match (state["State"].as_str(), state["LastUpdateStatus"].as_str()) {
                (Some("Failed"), _) => return Err(failed("StateReason")),
                (_, Some("Failed")) => return Err(failed("LastUpdateStatusReason")),
                (Some("Pending"), _) | (_, Some("InProgress")) if tokio::time::Instant::now() > deadline => {
                    return Err(failed("StateReason"));
                }
                (Some("Pending"), _) | (_, Some("InProgress")) => tokio::time::sleep(GLANCE).await,
                _ => return Ok(state),
            }
        }
    }

    async fn reserve(site: &Site, id: &str, before: &Value, after: &Value) -> Result<(), Failure> {
        if let Some(reserved) = after.get("ReservedConcurrentExecutions") {
            let input = json!({"FunctionName": id, "ReservedConcurrentExecutions": reserved});
            site.call(Lambda, "PutFunctionConcurrency", input).await?;
        } else if before.get("ReservedConcurrentExecutions").is_some() {
            site.call(Lambda, "DeleteFunctionConcurrency", json!({"FunctionName": id})).await?;
        }
        Ok(())
    }
}

impl Handler for Function {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn read<'a>(&'a self, site: &'a Site, id: &'a str, _: &'a Value) -> Answer<'a, Attributes> {
        Box::pin(async move {
            let found = site.find(Lambda, "GetFunctionConfiguration", json!({"FunctionName": id})).await?;
            Ok(found.map(|answer| members(&answer, &["FunctionArn=Arn"])))
        })
    }

    fn create<'a>(&'a self, site: &'a Site, id: &'a str, properties: &'a Value) -> Answer<'a, String> {
        Box::pin(async move {
            let mut input = configuration(properties);
            input.extend(members(properties, &["Architectures", "CodeSigningConfigArn", "PackageType"]));
            input.insert("FunctionName".into(), id.into());
            input.insert("Code".into(), code(properties)?.into());
            let tags = site.tags(properties).into_iter().map(|(key, value)| (key, Value::from(value)));
            input.insert("Tags".into(), Value::Object(tags.collect()));
            site.call(Lambda, "CreateFunction", input.into()).await?;
            Self::settled(site, id).await?;
            Self::reserve(site, id, &Value::Null, properties).await?;
            Ok(id.to_owned())
        })
    }

    fn update<'a>(&'a self, site: &'a Site, id: &'a str, before: &'a Value, after: &'a Value) -> Answer<'a> {
        Box::pin(async move {
            Self::settled(site, id).await?;
            let mut input = code(after)?;
            input.extend(members(after, &["Architectures"]));
            input.insert("FunctionName".into(), id.into());
            site.call(Lambda, "UpdateFunctionCode", input.into()).await?;
            Self::settled(site, id).await?;
            let mut input = configuration(after);
            for (property, member, default) in DEFAULTS {
                if before.get(property).is_some() && after.get(property).is_none() {
                    let default = serde_json::from_str(default).expect("the defaults above are JSON");
                    input.insert(member.to_owned(), default);
                }
            }
            input.insert("FunctionName".into(), id.into());
            site.call(Lambda, "UpdateFunctionConfiguration", input.into()).await?;
            let state = Self::settled(site, id).await?;
            Self::reserve(site, id, before, after).await?;
            let arn = ("Resource", &state["FunctionArn"]);
            site.retag(Lambda, arn, json!(site.tags(after)), before, after).await
        })
    }

    fn actual<'a>(&'a self, site: &'a Site, id: &'a str, stated: &'a Value) -> Answer<'a, Actual> {
        Box::pin(async move {
            let named = || json!({"FunctionName": id});
            let Some(found) = site.find(Lambda, "GetFunctionConfiguration", named()).await? else {
                return Ok(Actual::Deleted);
            };
            let mut properties = members(&found, CONFIGURATION);
            properties.extend(members(&found, &["KMSKeyArn=KmsKeyArn"]));
            if let Some(layers) = found["Layers"].as_array() {
                let arns = layers.iter().map(|layer| layer["Arn"].clone());
                properties.insert("Layers".to_owned(), arns.collect());
            }
            if stated.get("ReservedConcurrentExecutions").is_some() {
                let answer = site.call(Lambda, "GetFunctionConcurrency", named()).await?;
                properties.extend(members(&answer, &["ReservedConcurrentExecutions"]));
            }
            if stated.get("Tags").is_some() {
                let answer = site.call(Lambda, "ListTags", json!({"Resource": found["FunctionArn"]})).await?;
                properties.insert("Tags".to_owned(), tag_list(&answer["Tags"]));
            }
            Ok(Actual::Has { properties, readable: READABLE })
        })
    }

    fn delete<'a>(&'a self, site: &'a Site, id: &'a str, _: &'a Value) -> Answer<'a> {
        Box::pin(async move {
            site.find(Lambda, "DeleteFunction", json!({"FunctionName": id})).await?;
            Ok(())
        })
    }
}
