//! A distribution's answers: objects of its origin, read as AWS does. What is answered over TLS there is answered in the clear
//! here, and to this machine only.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Method;
use http::header::HeaderMap;
use percent_encoding::percent_decode_str;

use super::{CONTROLS, Control, DISTRIBUTIONS, Distribution, SECURITY_HEADERS};
use crate::protocol::{Request, Response, host, set};
use crate::{ApiError, Aws, Caller, Result, s3};

/// The id of the distribution that a request's host names.
pub(crate) fn distribution_of(headers: &HeaderMap) -> Option<String> {
    let host = host(headers)?;
    Some(host.strip_suffix(".cloudfront.localhost")?.to_ascii_uppercase())
}

/// Answers a request for a distribution.
pub(crate) async fn serve(aws: &Arc<Aws>, id: &str, request: &Request) -> Response {
    match answer(aws, id, request).await {
        Ok(answer) => answer,
        Err(e) => s3::http::error(&e, &request.id, &request.method),
    }
}

async fn answer(aws: &Arc<Aws>, id: &str, request: &Request) -> Result<Response> {
    let refused = |message: &str| ApiError::new(403, "AccessDenied", message);
    let distribution: Option<Distribution> = aws.store.get(DISTRIBUTIONS, id);
    let Some(distribution) = distribution.filter(|distribution| distribution.config["Enabled"] == true)
    else {
        return Err(refused("there is no such distribution, or it is disabled"));
    };
    let config = &distribution.config;
    let behavior = &config["DefaultCacheBehavior"];
    if request.method != Method::GET && request.method != Method::HEAD {
        return Err(refused("this distribution is not configured to allow the HTTP request method"));
    }
    let origins = config["Origins"].as_array().into_iter().flatten();
    let origin = origins.into_iter().find(|origin| origin["Id"] == behavior["TargetOriginId"]);
    let origin = origin.ok_or_else(|| refused("the distribution has no origin"))?;
    let text = |name: &str| origin[name].as_str().unwrap_or_default();
    let Some(bucket) = super::bucket_of(origin) else {
        let domain = text("DomainName");
        let message = format!("the local endpoint reads from buckets only, not from {domain}");
        return Err(ApiError::new(502, "BadGateway", message));
    };
    let path = match request.path.trim_start_matches('/') {
        "" => config["DefaultRootObject"].as_str().unwrap_or_default(),
        path => path,
    };
    let path = percent_decode_str(path).decode_utf8_lossy();
    let key = format!("{}/{path}", text("OriginPath")).trim_start_matches('/').to_owned();
    let control: Option<Control> = aws.store.get(CONTROLS, text("OriginAccessControlId"));
    let signs = control.is_some_and(|control| match control.config["SigningBehavior"].as_str() {
        Some("never") => false,
        Some("no-override") => request.header("authorization").is_none(),
        _ => true,
    });
    let caller = match signs {
        false => Caller::Anonymous,
        true => Caller::Service {
            principal: "cloudfront.amazonaws.com".to_owned(),
            source_arn: super::arn(aws, &distribution.id),
        },
    };
    let mut object = aws.s3.get_object(aws, &caller, bucket, &key).await?;
    // What S3 tells of an object to its owner stays there.
    object.metadata.clear();
    if request.method == Method::HEAD {
        object.headers.insert("content-length".to_owned(), object.body.len().to_string());
    }
    let mut answer = s3::got(request, object, &BTreeMap::new())?;
    if behavior["ResponseHeadersPolicyId"] == SECURITY_HEADERS {
        for (name, value) in [
            ("referrer-policy", "strict-origin-when-cross-origin"),
            ("strict-transport-security", "max-age=31536000"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "SAMEORIGIN"),
            ("x-xss-protection", "1; mode=block"),
        ] {
            set(&mut answer, name, value);
        }
    }
    Ok(answer)
}
