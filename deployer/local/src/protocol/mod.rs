//! From an HTTP request to a service's operation and back, in AWS's protocols.
//!
//! A request passes the [`guard`], is read for who signs it and for which service ([`signature`]), its [`body`] is read
//! within that service's limit, and the service's protocol takes over: [`query`], [`json`], [`rest`], or S3's own
//! ([`crate::s3`]).

pub(crate) mod body;
pub(crate) mod guard;
mod json;
mod query;
mod rest;
pub(crate) mod signature;
pub(crate) mod xml;
pub(crate) mod xml_in;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;

use self::signature::Signer;
use crate::faults::inject::{self, Call};
use crate::{ApiError, Aws, Caller, Service, cloudfront, ids, s3};

/// An answer.
pub(crate) type Response = http::Response<Full<Bytes>>;

/// No answer at all: the connection ends.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection is dropped on purpose")]
pub(crate) struct Dropped;

/// An answer, or none on purpose.
pub(crate) type Answer = Result<Response, Dropped>;

/// A request whose body has been read.
pub(crate) struct Request {
    pub method: Method,
    /// As sent: percent-encoded, with its slash.
    pub path: String,
    /// As sent, without the question mark.
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub id: String,
}

impl Request {
    /// A header's value, when it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The parameters of the query, decoded.
    pub fn parameters(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(self.query.as_bytes()).into_owned().collect()
    }
}

/// Answers a request. The work is done in a task of its own: a client that goes away does not stop it half-way, and a
/// panic ends nothing but the request.
pub(crate) async fn answer(aws: Arc<Aws>, request: http::Request<Incoming>) -> Answer {
    let id = ids::uuid();
    let work = tokio::spawn(dispatch(aws, request, id.clone()));
    work.await.unwrap_or_else(|_| {
        let message = "the local endpoint failed; this is a bug of it, please report what was called";
        Ok(json::error(&ApiError::new(500, "InternalFailure", message), &id))
    })
}

async fn dispatch(aws: Arc<Aws>, request: http::Request<Incoming>, id: String) -> Answer {
    let (parts, body) = request.into_parts();
    let signer = match guard::check(&parts).and_then(|()| signature::read(&parts)) {
        Ok(signer) => signer,
        // No service to answer for: in the protocol that the body suggests.
        Err(e) => {
            let is_json = parts
                .headers
                .get(CONTENT_TYPE)
                .is_some_and(|v| v.as_bytes().starts_with(b"application/x-amz-json"));
            return Ok(if is_json { json::error(&e, &id) } else { query::error(Service::Sts, &e, &id) });
        }
    };
    let service = signer.service;
    let read = async {
        let caller = caller(&aws, &signer, &parts.headers)?;
        Ok((caller, body::read(&parts.headers, body, service).await?))
    };
    let (caller, body) = match read.await {
        Ok(read) => read,
        Err(e) => return Ok(error(service, &e, &id, &parts.method)),
    };
    let request = Request {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body,
        id,
    };
    match (&caller, signer.access_key_id) {
        (Caller::Role { .. }, Some(access_key_id)) => {
            let (operation, function) = named(service, &request);
            let call = Call { service, operation, function, access_key_id };
            inject::answer(&aws, &caller, call, request).await
        }
        _ => Ok(serve(&aws, &caller, service, request).await),
    }
}

/// Answers a request whose caller is known.
pub(crate) async fn serve(aws: &Arc<Aws>, caller: &Caller, service: Service, request: Request) -> Response {
    match service {
        Service::CloudFormation | Service::Iam | Service::Sts => {
            query::serve(aws, caller, service, &request).await
        }
        Service::Events | Service::Logs | Service::States => {
            json::serve(aws, caller, service, &request).await
        }
        Service::Lambda => rest::serve(aws, caller, &request).await,
        // CloudFront's own API is not there, so nothing is signed for it: a host name asks for what it distributes.
        Service::CloudFront | Service::S3 => match cloudfront::distribution_of(&request.headers) {
            Some(distribution) => cloudfront::serve(aws, &distribution, &request).await,
            None => s3::http::serve(aws, caller, request).await,
        },
    }
}

/// The operation that a request asks for, in S3 method and level, and the function it names.
fn named(service: Service, request: &Request) -> (String, Option<String>) {
    let operation = match service {
        Service::CloudFormation | Service::Iam | Service::Sts => query::operation(request),
        Service::Events | Service::Logs | Service::States => {
            let target = request.header("x-amz-target").unwrap_or_default();
            target.rsplit('.').next().unwrap_or_default().to_owned()
        }
        Service::Lambda => return rest::named(request),
        Service::CloudFront | Service::S3 => {
            let level = if request.path.trim_matches('/').contains('/') { "Object" } else { "Bucket" };
            let method = request.method.as_str();
            let (first, rest) = method.split_at(method.len().min(1));
            format!("{first}{}{level}", rest.to_lowercase())
        }
    };
    (operation, None)
}

fn caller(aws: &Aws, signer: &Signer, headers: &HeaderMap) -> Result<Caller, ApiError> {
    match &signer.access_key_id {
        Some(key) => aws.iam.caller(key),
        None if signer.service == Service::S3 => Ok(Caller::Anonymous),
        None => {
            let message = if headers.contains_key("authorization") {
                "The request's Authorization header is not one of AWS Signature Version 4"
            } else {
                "Missing Authentication Token: sign the request; any access key will do"
            };
            Err(ApiError::new(403, "MissingAuthenticationToken", message))
        }
    }
}

/// An error in a service's protocol.
pub(crate) fn error(service: Service, error: &ApiError, id: &str, method: &Method) -> Response {
    match service {
        Service::CloudFormation | Service::Iam | Service::Sts => query::error(service, error, id),
        Service::Events | Service::Logs | Service::States => json::error(error, id),
        Service::Lambda => rest::error(error, id),
        Service::CloudFront | Service::S3 => s3::http::error(error, id, method, ""),
    }
}

/// An answer of a status, a media type and a body, with its request id.
pub(crate) fn response(status: u16, media_type: &'static str, body: impl Into<Bytes>, id: &str) -> Response {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if !media_type.is_empty() {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    }
    set(&mut response, "x-amzn-requestid", id);
    response
}

/// Sets a header, unless its value cannot be one.
pub(crate) fn set(response: &mut Response, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
}
