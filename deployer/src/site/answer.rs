//! A request for the page, answered. Only GET and HEAD; nothing here touches the file system.

use std::net::IpAddr;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::uri::Authority;
use hyper::{Method, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;

use super::{Representation, Site};

/// What [`super::is_served`] knows us by.
pub(super) const SERVER: &str = concat!("deployer/", env!("CARGO_PKG_VERSION"));

/// Answers a request. With `loopback`, only one that is for this machine by name or address: a page elsewhere whose name was
/// made to lead here (DNS rebinding) gets nothing.
pub fn answer<B>(site: &Site, loopback: bool, request: &Request<B>) -> Response<Full<Bytes>> {
    if loopback && let Some(host) = foreign_host(request) {
        let text = format!("this page is for 127.0.0.1 and localhost, not for {host:?}\n");
        return refusal(StatusCode::FORBIDDEN, text, &[]);
    }
    let head = request.method() == Method::HEAD;
    if !head && request.method() != Method::GET {
        let text = format!("{} is not allowed here: the page can only be read\n", request.method());
        return refusal(StatusCode::METHOD_NOT_ALLOWED, text, &[(header::ALLOW, "GET, HEAD")]);
    }
    let path = percent_decode_str(request.uri().path()).decode_utf8_lossy();
    let Some(file) = site.file(&path) else {
        return refusal(StatusCode::NOT_FOUND, "there is no such file here\n".to_owned(), &[]);
    };
    let compressed = file.compressed.iter().find(|(coding, _)| takes(request.headers(), coding));
    let (representation, encoding) = match compressed {
        Some((coding, representation)) => (representation, Some(*coding)),
        None => (&file.plain, None),
    };
    let mut answer = Response::builder()
        .header(header::SERVER, SERVER)
        .header(header::ETAG, &representation.etag)
        // Names of files are the same in the next version, so ask; on this machine asking takes no time.
        .header(header::CACHE_CONTROL, "no-cache")
        .header(header::VARY, "accept-encoding");
    let body = if is_known(request.headers(), representation) {
        answer = answer.status(StatusCode::NOT_MODIFIED);
        Bytes::new()
    } else {
        answer = answer
            .header(header::CONTENT_TYPE, file.media_type)
            .header(header::CONTENT_LENGTH, representation.body.len())
            .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
            .header("cross-origin-resource-policy", "same-origin")
            .header(header::REFERRER_POLICY, "no-referrer")
            // The policy in the page itself cannot say this.
            .header(header::CONTENT_SECURITY_POLICY, "frame-ancestors 'none'");
        if let Some(encoding) = encoding {
            answer = answer.header(header::CONTENT_ENCODING, encoding);
        }
        if head { Bytes::new() } else { representation.body.clone() }
    };
    answer.body(Full::new(body)).unwrap_or_else(|_| Response::new(Full::default()))
}

fn refusal(
    status: StatusCode,
    text: String,
    headers: &[(HeaderName, &'static str)],
) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(text.into()));
    *answer.status_mut() = status;
    let common = [
        (header::SERVER, SERVER),
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in common.iter().chain(headers) {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// The host a request is for, when that is not this machine.
fn foreign_host<B>(request: &Request<B>) -> Option<String> {
    let host = match request.headers().get(header::HOST) {
        Some(host) => String::from_utf8_lossy(host.as_bytes()).into_owned(),
        None => String::new(),
    };
    let target = request.uri().authority().map(ToString::to_string);
    std::iter::once(host).chain(target).find(|authority| !is_loopback(authority))
}

fn is_loopback(authority: &str) -> bool {
    let Ok(authority) = authority.parse::<Authority>() else { return false };
    let host = authority.host().trim_end_matches('.').to_ascii_lowercase();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || host.ends_with(".localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// Whether `Accept-Encoding` allows a content coding (RFC 9110, 12.5.3): by name, else by `*`, and not with a weight of zero.
fn takes(headers: &HeaderMap, coding: &str) -> bool {
    let (mut named, mut any) = (None, false);
    for accepted in values(headers, header::ACCEPT_ENCODING) {
        let (name, parameters) = accepted.split_once(';').unwrap_or((accepted, ""));
        let weight = parameters.trim().strip_prefix("q=").map_or(Ok(1.0), str::parse::<f32>);
        let wanted = weight.is_ok_and(|weight| weight > 0.0);
        match name.trim().to_ascii_lowercase().as_str() {
            "*" => any = wanted,
            // The older name of gzip.
            name if name.trim_start_matches("x-") == coding => named = Some(wanted),
            _ => {}
        }
    }
    named.unwrap_or(any)
}

/// Whether `If-None-Match` names what would be sent (RFC 9110, 13.1.2: compared weakly).
fn is_known(headers: &HeaderMap, representation: &Representation) -> bool {
    values(headers, header::IF_NONE_MATCH)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == representation.etag)
}

/// The members of a header that is a list.
fn values(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let all = headers.get_all(name).into_iter();
    all.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',').map(str::trim))
}
