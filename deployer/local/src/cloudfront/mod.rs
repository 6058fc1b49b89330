//! Distributions of buckets, and the controls by which they read them. There is no edge and nothing is kept there: the endpoint
//! answers for a distribution under `ID.cloudfront.localhost`, reading the bucket as CloudFront does, on the distribution's
//! behalf ([`serve`](mod@serve)).
//!
//! Operations are CloudFormation's to call; CloudFront's own API (REST and XML) is not there.

mod serve;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub(crate) use self::serve::{distribution_of, serve};
use crate::api::{Entry, Protocol};
use crate::params::Params;
use crate::{ApiError, Aws, Caller, Result, Service};

const DISTRIBUTIONS: &str = "cloudfront-distribution";
const CONTROLS: &str = "cloudfront-origin-access-control";

/// AWS's own policies that may be named: caching optimized, disabled, and for uncompressed objects.
const CACHE_POLICIES: [&str; 3] = [
    "658327ea-f89d-4fab-a63d-7e88639e58f6",
    "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
    "b2884449-e4de-46a7-ac36-70bc7f1ddd6d",
];

/// AWS's own policy of security headers.
const SECURITY_HEADERS: &str = "67f7725c-6f97-4210-82d7-5512b31e9d03";

/// A distribution.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Distribution {
    id: String,
    /// In CloudFormation's words.
    config: Value,
    tags: Vec<Value>,
}

impl Distribution {
    fn describe(&self, aws: &Aws) -> Value {
        json!({
            "Id": self.id, "ARN": arn(aws, &self.id), "DomainName": domain_name(&self.id), "DistributionConfig": self.config,
            "Tags": self.tags,
        })
    }
}

/// An origin access control.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Control {
    id: String,
    config: Value,
}

impl Control {
    fn describe(&self) -> Value {
        json!({"Id": self.id, "OriginAccessControlConfig": self.config})
    }
}

fn arn(aws: &Aws, id: &str) -> String {
    format!("arn:aws:cloudfront::{}:distribution/{id}", aws.settings.account)
}

/// A host name that leads to this machine and nowhere else; AWS's would be somebody else's.
fn domain_name(id: &str) -> String {
    format!("{}.cloudfront.localhost", id.to_ascii_lowercase())
}

pub(crate) static ENTRY: Entry = Entry {
    signed: false,
    ..Entry::new(Service::CloudFront, "cloudfront", Protocol::RestXml, |aws, caller, operation, input| {
        Box::pin(call(aws, caller, operation, input))
    })
};

async fn call(aws: &Arc<Aws>, caller: &Caller, operation: &str, input: Value) -> Result<Value> {
    let params = Params::new(&input, "InvalidArgument");
    match operation {
        "CreateDistribution" => create_distribution(aws, caller, params),
        "GetDistribution" => {
            let id = allowed(aws, caller, operation, params)?;
            aws.store
                .get(DISTRIBUTIONS, id)
                .map(|d: Distribution| d.describe(aws))
                .ok_or_else(no_distribution)
        }
        "UpdateDistribution" => update_distribution(aws, caller, params),
        "DeleteDistribution" => delete_distribution(aws, caller, params),
        "CreateOriginAccessControl" => create_control(aws, caller, params),
        "GetOriginAccessControl" => {
            let id = allowed(aws, caller, operation, params)?;
            aws.store.get(CONTROLS, id).map(|c: Control| c.describe()).ok_or_else(no_control)
        }
        "UpdateOriginAccessControl" => update_control(aws, caller, params),
        "DeleteOriginAccessControl" => delete_control(aws, caller, params),
        _ => Err(Service::CloudFront.unknown(operation)),
    }
}

/// The id that is asked about, once the caller is known to be allowed to.
fn allowed<'a>(aws: &Aws, caller: &Caller, operation: &str, params: Params<'a>) -> Result<&'a str> {
    let id = params.text("Id")?;
    let resource = match operation.ends_with("Distribution") {
        true => arn(aws, id),
        false => format!("arn:aws:cloudfront::{}:origin-access-control/{id}", aws.settings.account),
    };
    aws.iam.authorize(aws, caller, &format!("cloudfront:{operation}"), &resource)?;
    Ok(id)
}

fn create_distribution(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
    aws.iam.authorize(aws, caller, "cloudfront:CreateDistribution", "*")?;
    let id = params.text("CallerReference")?;
    let config = params.get("DistributionConfig").cloned().unwrap_or_default();
    check_distribution(aws, &config)?;
    let distribution = Distribution { id: id.to_owned(), config, tags: params.list("Tags")?.to_vec() };
    aws.store.put(DISTRIBUTIONS, id, &distribution);
    Ok(distribution.describe(aws))
}

fn update_distribution(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
    let id = allowed(aws, caller, "UpdateDistribution", params)?;
    let config = params.get("DistributionConfig").cloned().unwrap_or_default();
    check_distribution(aws, &config)?;
    let tags = params.list("Tags")?.to_vec();
    aws.store.transaction(|records| {
        let mut distribution: Distribution = records.get(DISTRIBUTIONS, id).ok_or_else(no_distribution)?;
        (distribution.config, distribution.tags) = (config, tags);
        records.put(DISTRIBUTIONS, id, &distribution);
        Ok(distribution.describe(aws))
    })
}

fn delete_distribution(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
    let id = allowed(aws, caller, "DeleteDistribution", params)?;
    aws.store.transaction(|records| {
        let distribution: Distribution = records.get(DISTRIBUTIONS, id).ok_or_else(no_distribution)?;
        if distribution.config["Enabled"] == true {
            let message = "The distribution you are trying to delete has not been disabled.";
            return Err(ApiError::new(409, "DistributionNotDisabled", message));
        }
        records.delete(DISTRIBUTIONS, id);
        Ok(json!({}))
    })
}

fn create_control(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
    aws.iam.authorize(aws, caller, "cloudfront:CreateOriginAccessControl", "*")?;
    let id = params.text("CallerReference")?;
    let config = params.get("OriginAccessControlConfig").cloned().unwrap_or_default();
    let name = control_name(&config)?;
    name_is_free(aws, id, name)?;
    let control = Control { id: id.to_owned(), config };
    aws.store.put(CONTROLS, id, &control);
    Ok(control.describe())
}

/// Whether no other control has the name.
fn name_is_free(aws: &Aws, id: &str, name: &str) -> Result<()> {
    let others: Vec<(String, Control)> = aws.store.list(CONTROLS);
    if others.iter().any(|(other, control)| other != id && control.config["Name"] == name) {
        let message = "An origin access control with the same name already exists.";
        return Err(ApiError::new(409, "OriginAccessControlAlreadyExists", message));
    }
    Ok(())
}

fn update_control(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
    let id = allowed(aws, caller, "UpdateOriginAccessControl", params)?;
    let config = params.get("OriginAccessControlConfig").cloned().unwrap_or_default();
    name_is_free(aws, id, control_name(&config)?)?;
    aws.store.transaction(|records| {
        let mut control: Control = records.get(CONTROLS, id).ok_or_else(no_control)?;
        control.config = config;
        records.put(CONTROLS, id, &control);
        Ok(control.describe())
    })
}

fn delete_control(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
    let id = allowed(aws, caller, "DeleteOriginAccessControl", params)?;
    let distributions: Vec<(String, Distribution)> = aws.store.list(DISTRIBUTIONS);
    let uses = |distribution: &Distribution| {
        let origins = distribution.config["Origins"].as_array().into_iter().flatten();
        origins.into_iter().any(|origin| origin["OriginAccessControlId"] == id)
    };
    if distributions.iter().any(|(_, distribution)| uses(distribution)) {
        let message = "The origin access control is still being used by one or more distributions.";
        return Err(ApiError::new(409, "OriginAccessControlInUse", message));
    }
    aws.store.transaction(|records| {
        let _: Control = records.get(CONTROLS, id).ok_or_else(no_control)?;
        records.delete(CONTROLS, id);
        Ok(json!({}))
    })
}

/// What AWS checks of a distribution, as far as this endpoint knows what it means.
fn check_distribution(aws: &Aws, config: &Value) -> Result<()> {
    let invalid = |message: String| Err(ApiError::new(400, "InvalidArgument", message));
    if !config["Enabled"].is_boolean() {
        return invalid("The parameter Enabled is required.".to_owned());
    }
    let one_of = |name: &str, value: &Value, known: &[&str]| match value.as_str() {
        Some(text) if known.contains(&text) => Ok(()),
        None if value.is_null() => Ok(()),
        _ => invalid(format!("The parameter {name} is invalid: it must be one of {}.", known.join(", "))),
    };
    one_of("PriceClass", &config["PriceClass"], &["PriceClass_100", "PriceClass_200", "PriceClass_All"])?;
    one_of("HttpVersion", &config["HttpVersion"], &["http1.1", "http2", "http2and3", "http3"])?;
    if config["DefaultRootObject"].as_str().is_some_and(|object| object.starts_with('/')) {
        let message = "The default root object file name is too big or contains an invalid character.";
        return Err(ApiError::new(400, "InvalidDefaultRootObject", message));
    }
    let behavior = &config["DefaultCacheBehavior"];
    let policy = &behavior["ViewerProtocolPolicy"];
    one_of("ViewerProtocolPolicy", policy, &["allow-all", "https-only", "redirect-to-https"])?;
    let origins: Vec<&Value> = config["Origins"].as_array().into_iter().flatten().collect();
    if !origins.iter().any(|origin| origin["Id"] == behavior["TargetOriginId"]) {
        let message = "One or more of your origins or origin groups do not exist.";
        return Err(ApiError::new(404, "NoSuchOrigin", message));
    }
    for origin in origins {
        let Some(id) = origin["OriginAccessControlId"].as_str().filter(|id| !id.is_empty()) else { continue };
        if aws.store.get::<Control>(CONTROLS, id).is_none() {
            let message = format!("The specified origin access control does not exist: {id}.");
            return Err(ApiError::new(400, "InvalidOriginAccessControl", message));
        }
        if bucket_of(origin).is_none() {
            let message =
                "An origin access control is associated with an origin whose domain name is not supported.";
            return Err(ApiError::new(400, "InvalidDomainNameForOriginAccessControl", message));
        }
    }
    if behavior["CachePolicyId"].is_null() {
        return invalid("The parameter ForwardedValues is required.".to_owned());
    }
    let known = |id: &Value, known: &[&str]| id.as_str().is_none_or(|id| known.contains(&id));
    if !known(&behavior["CachePolicyId"], &CACHE_POLICIES) {
        return Err(ApiError::new(404, "NoSuchCachePolicy", "The cache policy does not exist."));
    }
    if !known(&behavior["ResponseHeadersPolicyId"], &[SECURITY_HEADERS]) {
        let message = "The response headers policy does not exist.";
        return Err(ApiError::new(404, "NoSuchResponseHeadersPolicy", message));
    }
    Ok(())
}

/// The bucket whose objects an origin has.
fn bucket_of(origin: &Value) -> Option<&str> {
    let (bucket, service) = origin["DomainName"].as_str()?.split_once(".s3.")?;
    service.ends_with("amazonaws.com").then_some(bucket)
}

/// The name of a control whose other members are as AWS wants them.
fn control_name(config: &Value) -> Result<&str> {
    let params = Params::new(config, "InvalidArgument");
    let name = params.name("Name", 64, "-_")?;
    for (member, known) in [
        ("OriginAccessControlOriginType", &["lambda", "mediapackagev2", "mediastore", "s3"][..]),
        ("SigningBehavior", &["always", "never", "no-override"]),
        ("SigningProtocol", &["sigv4"]),
    ] {
        if !known.contains(&params.text(member)?) {
            return Err(params.invalid(format!("{member} must be one of {}", known.join(", "))));
        }
    }
    Ok(name)
}

fn no_distribution() -> ApiError {
    ApiError::new(404, "NoSuchDistribution", "The specified distribution does not exist.")
}

fn no_control() -> ApiError {
    ApiError::new(404, "NoSuchOriginAccessControl", "The specified origin access control does not exist.")
}
