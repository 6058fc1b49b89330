//! Who signs a request, and for which service: both are in the credential scope of Signature Version 4, in the
//! `Authorization` header or, for presigned requests, in the query. Version 2, which has no scope, is S3's: boto3 still
//! presigns so. Signatures themselves are not verified: the owner may use any key, and a session's key is a secret of its
//! own. That a presigned request ends is.

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::request::Parts;

use crate::protocol::host;
use crate::{ApiError, Result, Service};

/// What the credential scope says.
#[derive(Debug, PartialEq, Eq)]
pub struct Signer {
    pub service: Service,
    /// None when nobody signed.
    pub access_key_id: Option<String>,
}

/// Reads the signer and the service of a request.
pub fn read(parts: &Parts) -> Result<Signer> {
    let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let in_header = header.and_then(|h| {
        let (scheme, fields) = h.split_once(' ')?;
        let field = |f: &str| f.trim().strip_prefix("Credential=").map(str::to_owned);
        fields.split(',').find_map(field).filter(|_| scheme.starts_with("AWS4-"))
    });
    let query: Vec<(String, String)> =
        form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let in_query = |wanted: &str| {
        query.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, v)| v.as_str())
    };
    if is_over(in_query) {
        return Err(ApiError::new(403, "AccessDenied", "Request has expired"));
    }
    if let (None, Some(key)) = (header, in_query("AWSAccessKeyId")) {
        return Ok(Signer { service: Service::S3, access_key_id: Some(key.to_owned()) });
    }
    let Some(credential) = in_header.or_else(|| in_query("x-amz-credential").map(str::to_owned)) else {
        if header.is_some_and(|h| h.starts_with("AWS4-")) {
            return Err(incomplete(header.unwrap_or_default()));
        }
        return Ok(Signer { service: unsigned(parts), access_key_id: None });
    };
    // KEY/DATE/REGION/SERVICE/aws4_request; the asymmetric variant has no region.
    let scope: Vec<&str> = credential.split('/').collect();
    let (Some(key), Some(service), Some(&"aws4_request")) =
        (scope.first(), scope.get(scope.len().wrapping_sub(2)), scope.last())
    else {
        return Err(incomplete(&credential));
    };
    Ok(Signer { service: Service::signed_for(service)?, access_key_id: Some((*key).to_owned()) })
}

/// Whether the time of a presigned request has passed.
fn is_over<'q>(query: impl Fn(&str) -> Option<&'q str>) -> bool {
    let end = match (query("x-amz-date"), query("x-amz-expires")) {
        (Some(start), Some(seconds)) => {
            let start = format!("{}+0000", start.trim_end_matches('Z'));
            let start = jiff::Timestamp::strptime("%Y%m%dT%H%M%S%z", start).ok();
            start.and_then(|start| start.as_second().checked_add(seconds.parse().ok()?))
        }
        _ => query("AWSAccessKeyId").and_then(|_| query("Expires")).and_then(|end| end.parse().ok()),
    };
    end.is_some_and(|end| end < jiff::Timestamp::now().as_second())
}

/// The service that an unsigned request is meant for, so that it is refused in that service's protocol; what is left is
/// S3, which alone may answer it.
fn unsigned(parts: &Parts) -> Service {
    let text = |name: &str| parts.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let path = parts.uri.path();
    if let Some(service) = Service::targeted(text("x-amz-target")) {
        return service;
    }
    let host = host(&parts.headers).unwrap_or_default();
    if let Some((label, "localhost")) = host.split_once('.')
        && let Ok(service) = Service::signed_for(label)
    {
        return service;
    }
    let is_form = text(CONTENT_TYPE.as_str()).starts_with("application/x-www-form-urlencoded");
    let query = parts.uri.query().unwrap_or_default();
    if path == "/" && (is_form || query.starts_with("Action=") || query.contains("&Action=")) {
        return Service::Sts;
    }
    let mut segments = path.split('/').skip(1);
    let version = segments.next().unwrap_or_default();
    let is_date = version.len() == 10 && version.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let resource = segments.next().unwrap_or_default();
    if is_date && ["functions", "tags", "layers", "account-settings"].contains(&resource) {
        return Service::Lambda;
    }
    Service::S3
}

fn incomplete(what: &str) -> ApiError {
    let message =
        format!("the credential scope must be KEY/DATE/REGION/SERVICE/aws4_request, not \"{what}\"");
    ApiError::new(400, "IncompleteSignature", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(uri: &str, headers: &[(&str, &str)]) -> Result<Signer> {
        let mut request = http::Request::builder().uri(uri).header("host", "127.0.0.1");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn the_scope_names_key_and_service() {
        let header = "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/states/aws4_request, SignedHeaders=host, \
                      Signature=abc";
        let expected = Signer { service: Service::States, access_key_id: Some("AKID".to_owned()) };
        assert_eq!(signer("/", &[("authorization", header)]), Ok(expected));
        for presigned in [
            "/b/k?X-Amz-Credential=AKID%2F20260101%2Fus-east-1%2Fs3%2Faws4_request",
            "/b/k?X-Amz-Credential=AKID/20260101/us-east-1/s3/aws4_request&X-Amz-Date=29990101T000000Z&X-Amz-Expires=9",
            "/b/k?AWSAccessKeyId=AKID&Signature=x&Expires=99999999999",
        ] {
            let expected = Signer { service: Service::S3, access_key_id: Some("AKID".to_owned()) };
            assert_eq!(signer(presigned, &[]), Ok(expected), "{presigned}");
        }
    }

    #[test]
    fn a_presigned_request_ends() {
        for presigned in [
            "/b/k?X-Amz-Credential=AKID/20260101/us-east-1/s3/aws4_request&X-Amz-Date=20200101T000000Z&X-Amz-Expires=9",
            "/b/k?AWSAccessKeyId=AKID&Signature=x&Expires=1577836800",
        ] {
            assert_eq!(signer(presigned, &[]).unwrap_err().message, "Request has expired", "{presigned}");
        }
    }

    #[test]
    fn a_scope_that_is_none_and_a_service_that_is_not_here_are_errors() {
        for header in
            ["AWS4-HMAC-SHA256 Credential=AKID", "AWS4-HMAC-SHA256 x", "AWS4-HMAC-SHA256 Credential="]
        {
            assert_eq!(
                signer("/", &[("authorization", header)]).unwrap_err().code,
                "IncompleteSignature",
                "{header}"
            );
        }
        let header = "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/ec2/aws4_request, Signature=abc";
        assert!(signer("/", &[("authorization", header)]).unwrap_err().message.contains("\"ec2\""));
    }

    #[test]
    fn unsigned_requests_are_refused_by_whom_they_are_meant_for() {
        let service = |uri, headers| signer(uri, headers).unwrap().service;
        assert_eq!(service("/", &[("x-amz-target", "AWSStepFunctions.ListStateMachines")]), Service::States);
        assert_eq!(service("/", &[("content-type", "application/x-www-form-urlencoded")]), Service::Sts);
        assert_eq!(service("/2015-03-31/functions/f/invocations", &[]), Service::Lambda);
        assert_eq!(service("/", &[("host", "lambda.localhost")]), Service::S3, "the first Host counts");
        assert_eq!(service("/bucket/index.html", &[]), Service::S3);
    }
}
