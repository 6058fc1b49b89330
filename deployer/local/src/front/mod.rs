//! A request's way: guarded and read, given to the service it is signed for, and answered in that service's protocol.
//!
//! Every call of a role's session passes the [`faults`](crate::faults) on its way.

mod signature;

use std::sync::Arc;

use self::signature::Signer;
use http::Method;
use http::header::{CONTENT_TYPE, HeaderMap};
use hyper::body::Incoming;

use crate::api::Protocol;
use crate::faults::inject::{self, Call};
use crate::protocol::{Answer, Request, Response, body, cbor, guard, json, query};
use crate::{ApiError, Aws, Caller, Result, Service, cloudfront, cloudwatch, ids, lambda, s3};

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
            let service = if is_json { Service::States } else { Service::Sts };
            return Ok(error(service.entry().protocol, &e, &id, &parts.method));
        }
    };
    let service = signer.service;
    let protocol = service.entry().spoken(&parts.headers);
    let aws = match &signer.access_key_id {
        Some(key) => aws.account_of_key(key).await,
        None => Ok(aws),
    };
    let aws = match aws {
        Ok(aws) => aws,
        Err(e) => return Ok(error(protocol, &e, &id, &parts.method)),
    };
    let read = async {
        let caller = caller(&aws, &signer, &parts.headers)?;
        Ok((caller, body::read(&parts, body, service.entry()).await?))
    };
    let (caller, body) = match read.await {
        Ok(read) => read,
        Err(e) => return Ok(error(protocol, &e, &id, &parts.method)),
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
            let (operation, function) = named(protocol, &request);
            let call = Call { service, operation, function, access_key_id };
            let (id, method) = (request.id.clone(), request.method.clone());
            let refuse = |e: &ApiError| error(protocol, e, &id, &method);
            let answer = serve(&aws, &caller, (service, protocol), request);
            inject::answer(&aws, &caller, &call, answer, refuse).await
        }
        _ => Ok(serve(&aws, &caller, (service, protocol), request).await),
    }
}

/// Answers a request whose caller is known.
async fn serve(
    aws: &Arc<Aws>,
    caller: &Caller,
    (service, protocol): (Service, Protocol),
    request: Request,
) -> Response {
    let call = async |operation: &str, input| aws.call(caller, service, operation, input).await;
    match protocol {
        Protocol::Query(namespace) if service == Service::CloudWatch => {
            let call =
                async |operation: &str, input| call(operation, input).await.map(cloudwatch::times_as_text);
            query::serve(namespace, &request, call).await
        }
        Protocol::Json(prefix, media_type) if service == Service::CloudWatch => {
            let mut refused = None;
            let call = async |operation: &str, input| {
                let answer = call(operation, input).await;
                answer.map_err(|error| query::newer(refused.insert(error).clone()))
            };
            let mut response = json::serve((prefix, media_type), &request, call).await;
            if let Some(error) = &refused {
                query::keep_code(&mut response, error);
            }
            response
        }
        Protocol::Cbor(prefix, times) => cbor::serve(prefix, times, &request, call).await,
        Protocol::Query(namespace) => query::serve(namespace, &request, call).await,
        Protocol::Json(prefix, media_type) => json::serve((prefix, media_type), &request, call).await,
        Protocol::RestJson => lambda::http::serve(aws, caller, &request).await,
        // Nothing is signed for CloudFront: a host name asks for what it distributes.
        Protocol::RestXml => match cloudfront::distribution_of(&request.headers) {
            Some(distribution) => cloudfront::serve(aws, &distribution, &request).await,
            None => s3::http::serve(aws, caller, request).await,
        },
    }
}

/// The operation that a request asks for, in S3 method and level, and the function it names.
fn named(protocol: Protocol, request: &Request) -> (String, Option<String>) {
    let operation = match protocol {
        Protocol::Query(_) => query::operation(request),
        Protocol::Json(prefix, _) => {
            let target = request.header("x-amz-target").unwrap_or_default();
            target.strip_prefix(prefix).unwrap_or_default().to_owned()
        }
        Protocol::Cbor(prefix, _) => request.path.strip_prefix(prefix).unwrap_or_default().to_owned(),
        Protocol::RestJson => return lambda::http::named(request),
        Protocol::RestXml => {
            let level = if request.path.trim_matches('/').contains('/') { "Object" } else { "Bucket" };
            let method = request.method.as_str();
            let (first, rest) = method.split_at(method.len().min(1));
            format!("{first}{}{level}", rest.to_lowercase())
        }
    };
    (operation, None)
}

fn caller(aws: &Aws, signer: &Signer, headers: &HeaderMap) -> Result<Caller> {
    match &signer.access_key_id {
        Some(key) => aws.iam.caller(key),
        None if signer.service.entry().protocol == Protocol::RestXml => Ok(Caller::Anonymous),
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

/// An error in a protocol.
fn error(protocol: Protocol, error: &ApiError, id: &str, method: &Method) -> Response {
    match protocol {
        Protocol::Query(namespace) => query::error(namespace, error, id),
        Protocol::Json(..) => json::error(error, id),
        Protocol::Cbor(..) => cbor::error(error, id),
        Protocol::RestJson => lambda::http::error(error, id),
        Protocol::RestXml => s3::http::error(error, id, method),
    }
}
