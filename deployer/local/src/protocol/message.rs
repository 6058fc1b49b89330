//! Requests and answers of HTTP, as everything that serves them sees them.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use http::uri::Authority;
use http::{Method, StatusCode};
use http_body_util::Full;

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

    /// The host that the request is for, without its port.
    pub fn host(&self) -> Option<String> {
        host(&self.headers)
    }

    /// The parameters of the query, decoded.
    pub fn parameters(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(self.query.as_bytes()).into_owned().collect()
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

/// Sets a header whose name is made of what came with an object, unless it cannot be one.
pub(crate) fn set_named(response: &mut Response, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_bytes(value.as_bytes())) {
        response.headers_mut().insert(name, value);
    }
}

/// The host that headers name, without its port.
pub(crate) fn host(headers: &HeaderMap) -> Option<String> {
    let authority: Authority = headers.get(HOST)?.to_str().ok()?.parse().ok()?;
    Some(authority.host().to_ascii_lowercase())
}
