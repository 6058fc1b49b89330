//! One object as an answer: whole, a range of it, or what the request's conditions say.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Method;
use serde_json::Value;

use super::checksum::{self, Checksum};
use super::conditions::{self, Reading};
use super::objects::Object;
use crate::protocol::{Request, Response, response, set, set_named};
use crate::{ApiError, Result};

/// Headers that come back with an object as they were put.
pub const KEPT: [&str; 5] =
    ["cache-control", "content-disposition", "content-encoding", "content-language", "expires"];

/// The header that names an object's KMS key.
pub const KMS_KEY: &str = "x-amz-server-side-encryption-aws-kms-key-id";

/// An object as an answer: whole or a range of it, unless the conditions of the request say otherwise.
pub fn got(request: &Request, object: Object, query: &BTreeMap<String, String>) -> Result<Response> {
    let etag = format!("\"{}\"", object.etag);
    match Reading::of(request).failed(&object.etag, object.last_modified) {
        None => {}
        Some("If-None-Match" | "If-Modified-Since") => {
            return Err(ApiError::new(304, "NotModified", "Not Modified").with("ETag", etag));
        }
        Some(condition) => return Err(conditions::failed(condition)),
    }
    let is_head = request.method == Method::HEAD;
    // Of a HEAD only the length is known, not the content.
    let length = match object.headers.get("content-length") {
        Some(length) if is_head => length.parse().unwrap_or(0),
        _ => object.body.len(),
    };
    let range = match request.header("range").and_then(|range| parse_range(range, length)) {
        Some(Err(())) => {
            let error = ApiError::new(416, "InvalidRange", "The requested range is not satisfiable");
            let error = error.with("ActualObjectSize", length.to_string());
            return Err(error.with("RangeRequested", request.header("range").unwrap_or_default()));
        }
        Some(Ok(range)) => Some(range),
        None => None,
    };
    let (status, from, to) = range.map_or((200, 0, length), |(from, to)| (206, from, to));
    let body = if is_head { Bytes::new() } else { object.body.slice(from..to) };
    let mut answer = response(status, "", body, &request.id);
    let time = jiff::Timestamp::from_second(object.last_modified).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    set(&mut answer, "last-modified", &time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
    set(&mut answer, "etag", &etag);
    set(&mut answer, "accept-ranges", "bytes");
    set(&mut answer, "content-length", &(to - from).to_string());
    set(&mut answer, "content-type", &object.content_type);
    for name in KEPT {
        if let Some(value) = object.headers.get(name) {
            set(&mut answer, name, value);
        }
    }
    for name in KEPT.into_iter().chain(["content-type"]) {
        if let Some(value) = query.get(&format!("response-{name}")) {
            set(&mut answer, name, value);
        }
    }
    for (name, value) in &object.metadata {
        set_named(&mut answer, &format!("x-amz-meta-{name}"), value);
    }
    encrypted(&mut answer, object.kms_key.as_deref());
    if range.is_some() {
        set(&mut answer, "content-range", &format!("bytes {from}-{}/{length}", to - 1));
    }
    let asked =
        request.header("x-amz-checksum-mode").is_some_and(|mode| mode.eq_ignore_ascii_case("ENABLED"));
    // Of a part of the object it would say nothing.
    if let Some(checksum) = object.checksum.as_ref().filter(|_| asked && to - from == length) {
        summed(&mut answer, checksum);
    }
    Ok(answer)
}

/// Says how an object is encrypted: with a KMS key, or with S3's own.
pub fn encrypted(answer: &mut Response, kms_key: Option<&str>) {
    set(answer, "x-amz-server-side-encryption", if kms_key.is_some() { "aws:kms" } else { "AES256" });
    if let Some(key) = kms_key {
        set(answer, KMS_KEY, key);
    }
}

/// Says an object's checksum and its type.
pub fn summed(answer: &mut Response, checksum: &Checksum) {
    set_named(answer, &format!("x-amz-checksum-{}", checksum.0), &checksum.1);
    set(answer, "x-amz-checksum-type", checksum::type_of(checksum));
}

/// The half-open range that a header asks for; `None` when it asks for none that S3 knows, an error when it is outside.
fn parse_range(header: &str, length: usize) -> Option<Result<(usize, usize), ()>> {
    let (from, to) = header.strip_prefix("bytes=")?.split_once('-')?;
    let (from, to) = (from.trim(), to.trim());
    let number = |text: &str| text.parse::<usize>().ok();
    if from.is_empty() {
        let last = number(to)?;
        return Some(if last == 0 || length == 0 {
            Err(())
        } else {
            Ok((length - last.min(length), length))
        });
    }
    let from = number(from)?;
    let to = if to.is_empty() { length } else { number(to)?.saturating_add(1).min(length) };
    if from >= length {
        return Some(Err(()));
    }
    (from < to).then_some(Ok((from, to)))
}

/// What `HeadObject` answers, as an object without its content.
pub fn headed(output: &Value) -> Object {
    let read = |name: &str| serde_json::from_value(output[name].clone());
    let mut headers: BTreeMap<String, String> = read("Headers").unwrap_or_default();
    headers.insert("content-length".to_owned(), output["ContentLength"].to_string());
    let metadata: BTreeMap<String, String> =
        serde_json::from_value(output["Metadata"].clone()).unwrap_or_default();
    let modified: Option<jiff::Timestamp> = member(output, "LastModified").parse().ok();
    Object {
        body: Bytes::new(),
        etag: member(output, "ETag").trim_matches('"').to_owned(),
        content_type: member(output, "ContentType"),
        headers,
        metadata: metadata.into_iter().collect(),
        checksum: serde_json::from_value(output["Checksum"].clone()).unwrap_or_default(),
        last_modified: modified.map_or(0, jiff::Timestamp::as_second),
        kms_key: output["SSEKMSKeyId"].as_str().map(str::to_owned),
    }
}

pub fn member(output: &Value, name: &str) -> String {
    output[name].as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_http_has_them() {
        assert_eq!(parse_range("bytes=0-3", 10), Some(Ok((0, 4))));
        assert_eq!(parse_range("bytes=8-100", 10), Some(Ok((8, 10))));
        assert_eq!(parse_range("bytes=8-", 10), Some(Ok((8, 10))));
        assert_eq!(parse_range("bytes=-3", 10), Some(Ok((7, 10))));
        assert_eq!(parse_range("bytes=-30", 10), Some(Ok((0, 10))));
        assert_eq!(parse_range("bytes=10-", 10), Some(Err(())));
        assert_eq!(parse_range("bytes=-0", 10), Some(Err(())));
        assert_eq!(parse_range("bytes=0-0", 0), Some(Err(())));
        assert_eq!(parse_range("bytes=0-18446744073709551615", 10), Some(Ok((0, 10))));
        for ignored in ["bytes=5-3", "bytes=a-b", "lines=0-1", "bytes=0-1,3-4", "bytes=", "0-1"] {
            assert_eq!(parse_range(ignored, 10), None, "{ignored}");
        }
    }
}
