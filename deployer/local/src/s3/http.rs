//! S3's own protocol: operations in method, path and query; XML where there is structure.

use std::sync::Arc;

use http::Method;

use crate::protocol::xml::Xml;
use crate::protocol::{Request, Response, response};
use crate::{ApiError, Aws, Caller};

/// Answers a request.
pub async fn serve(_aws: &Arc<Aws>, _caller: &Caller, request: Request) -> Response {
    let e = ApiError::new(501, "NotImplemented", "not there yet");
    error(&e, &request.id, &request.method, &request.path)
}

/// An error as S3 writes it; without a body where HTTP allows none.
pub fn error(error: &ApiError, id: &str, method: &Method, resource: &str) -> Response {
    let xml = Xml::plain("Error", |xml| {
        xml.text("Code", &error.code);
        xml.text("Message", &error.message);
        for (name, value) in &error.details {
            xml.text(name, value);
        }
        if !resource.is_empty() {
            xml.text("Resource", resource);
        }
        xml.text("RequestId", id);
    });
    let body = if *method == Method::HEAD || error.status == 304 { String::new() } else { xml };
    response(error.status, "application/xml", body, id)
}
