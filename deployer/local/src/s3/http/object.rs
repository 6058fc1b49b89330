//! Requests about objects and their uploads in parts.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Method;
use http::header::HeaderName;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::{Target, document, no_method, parsed, text};
use crate::protocol::xml_in::Element;
use crate::protocol::{Request, Response, body, response, set, set_named};
use crate::s3::answer::{KEPT, KMS_KEY, encrypted, got, headed, member, summed};
use crate::s3::checksum::{ALGORITHMS, Checksum};
use crate::s3::conditions::Writing;
use crate::s3::objects::PutObject;
use crate::s3::{NO_KEY, OWN_KEY, bad_argument, malformed_xml, no_version};
use crate::{ApiError, Aws, Caller, Result, Service};

pub async fn serve(
    aws: &Arc<Aws>,
    caller: &Caller,
    request: &Request,
    target: &Target,
    query: &BTreeMap<String, String>,
) -> Result<Response> {
    let (bucket, key, id) = (target.bucket.as_str(), target.key.as_str(), &request.id);
    let version = query.get("versionId");
    no_version(version.map(String::as_str))?;
    let mut input = json!({"Bucket": bucket, "Key": key, "UploadId": query.get("uploadId")});
    let call = async |operation: &str, input: Value| aws.call(caller, Service::S3, operation, input).await;
    let has = |name: &str| query.contains_key(name);
    match request.method.as_str() {
        "POST" if has("uploads") => {
            input["SSEKMSKeyId"] = json!(kms_key(request)?);
            input["ContentType"] = json!(request.header("content-type"));
            input["Headers"] = json!(kept(request));
            input["Metadata"] = json!(metadata(request).into_iter().collect::<BTreeMap<_, _>>());
            input["ChecksumAlgorithm"] = json!(request.header("x-amz-checksum-algorithm"));
            input["ChecksumType"] = json!(request.header("x-amz-checksum-type"));
            let mut output = call("CreateMultipartUpload", input).await?;
            let headers = [
                ("x-amz-checksum-algorithm", taken(&mut output, "ChecksumAlgorithm")),
                ("x-amz-checksum-type", taken(&mut output, "ChecksumType")),
            ];
            let mut answer = told("InitiateMultipartUploadResult", output, id);
            for (name, value) in headers {
                if let Some(value) = value {
                    set(&mut answer, name, &value);
                }
            }
            Ok(answer)
        }
        "POST" if has("uploadId") => {
            let body = text(request)?;
            if !body.is_empty() {
                let body = parsed(body)?;
                let parts: Vec<Value> = body.children_named("Part").map(part).collect();
                if parts.is_empty() {
                    return Err(malformed_xml());
                }
                input["MultipartUpload"] = json!({"Parts": parts});
            }
            let stated = ALGORITHMS.iter().find_map(|algorithm| {
                let value = request.header(&format!("x-amz-checksum-{}", algorithm.to_ascii_lowercase()))?;
                Some((algorithm.to_ascii_lowercase(), value))
            });
            input["Checksum"] = json!(stated.as_ref().map(|(algorithm, _)| algorithm));
            input["ChecksumValue"] = json!(stated.as_ref().map(|(_, value)| value));
            input["ChecksumType"] = json!(request.header("x-amz-checksum-type"));
            input["MpuObjectSize"] = json!(request.header("x-amz-mp-object-size"));
            conditions(request, &mut input);
            Ok(told("CompleteMultipartUploadResult", call("CompleteMultipartUpload", input).await?, id))
        }
        "GET" if has("uploadId") => {
            input["MaxParts"] = json!(query.get("max-parts"));
            input["PartNumberMarker"] = json!(query.get("part-number-marker"));
            Ok(document("ListPartsResult", &call("ListParts", input).await?, id))
        }
        "DELETE" if has("uploadId") => {
            call("AbortMultipartUpload", input).await.map(|_| response(204, "", "", id))
        }
        "PUT" if has("uploadId") => {
            if request.header("x-amz-copy-source").is_some() {
                return Err(not_here("the local endpoint copies objects whole, not in parts"));
            }
            input["PartNumber"] = json!(query.get("partNumber"));
            let checksum = checksum(request);
            let (etag, kms_key) =
                aws.s3.upload_part(aws, caller, input, request.body.clone(), checksum.clone()).await?;
            let mut answer = stored(&etag, kms_key.as_deref(), id);
            if let Some((algorithm, value)) = checksum {
                set_named(&mut answer, &format!("x-amz-checksum-{algorithm}"), &value);
            }
            Ok(answer)
        }
        "PUT" => match request.header("x-amz-copy-source") {
            Some(source) => copy(aws, caller, request, input, source).await,
            None => put(aws, caller, request, target).await,
        },
        "GET" | "HEAD" if has("partNumber") => {
            Err(not_here("the local endpoint answers objects whole or in ranges, not by their parts"))
        }
        "GET" | "HEAD" => {
            let object = if request.method == Method::GET {
                aws.s3.get_object(aws, caller, bucket, key).await?
            } else {
                headed(&call("HeadObject", input).await?)
            };
            got(request, object, query)
        }
        "DELETE" => {
            for header in ["x-amz-if-match-last-modified-time", "x-amz-if-match-size"] {
                if request.header(header).is_some() {
                    let message = "A header you provided implies functionality that is not implemented";
                    return Err(ApiError::new(501, "NotImplemented", message).with("Header", header));
                }
            }
            input["VersionId"] = json!(version);
            input["IfMatch"] = json!(request.header("if-match"));
            call("DeleteObject", input).await.map(|_| response(204, "", "", id))
        }
        _ => Err(no_method(request)),
    }
}

async fn copy(
    aws: &Arc<Aws>,
    caller: &Caller,
    request: &Request,
    mut input: Value,
    source: &str,
) -> Result<Response> {
    input["SSEKMSKeyId"] = json!(kms_key(request)?);
    let (source, version) = match source.split_once("?versionId=") {
        Some((source, version)) => (source, Some(version)),
        None => (source, None),
    };
    let decoded = percent_decode_str(source).decode_utf8();
    let decoded = decoded
        .map_err(|_| bad_argument("x-amz-copy-source", Some(source), "Invalid copy source encoding"))?;
    input["CopySource"] = json!(decoded);
    input["CopySourceVersionId"] = json!(version);
    for (member, header) in [
        ("MetadataDirective", "x-amz-metadata-directive"),
        ("ContentType", "content-type"),
        ("ChecksumAlgorithm", "x-amz-checksum-algorithm"),
        ("ServerSideEncryption", "x-amz-server-side-encryption"),
        ("StorageClass", "x-amz-storage-class"),
        ("CopySourceIfMatch", "x-amz-copy-source-if-match"),
        ("CopySourceIfNoneMatch", "x-amz-copy-source-if-none-match"),
        ("CopySourceIfModifiedSince", "x-amz-copy-source-if-modified-since"),
        ("CopySourceIfUnmodifiedSince", "x-amz-copy-source-if-unmodified-since"),
    ] {
        input[member] = json!(request.header(header));
    }
    conditions(request, &mut input);
    input["Headers"] = json!(kept(request));
    input["Metadata"] = json!(metadata(request).into_iter().collect::<BTreeMap<_, _>>());
    let output = aws.call(caller, Service::S3, "CopyObject", input).await?;
    let mut answer = document("CopyObjectResult", &output["CopyObjectResult"], &request.id);
    encrypted(&mut answer, output["SSEKMSKeyId"].as_str());
    Ok(answer)
}

async fn put(aws: &Arc<Aws>, caller: &Caller, request: &Request, target: &Target) -> Result<Response> {
    let put = PutObject {
        bucket: target.bucket.clone(),
        key: target.key.clone(),
        body: request.body.clone(),
        content_type: request.header("content-type").unwrap_or_default().to_owned(),
        headers: kept(request),
        metadata: metadata(request),
        checksum: checksum(request),
        kms_key: kms_key(request)?,
        writing: Writing::new(request.header("if-match"), request.header("if-none-match"))?,
    };
    let put = aws.s3.put_object(aws, caller, put).await?;
    let mut answer = stored(&put.etag, put.kms_key.as_deref(), &request.id);
    summed(&mut answer, &put.checksum);
    Ok(answer)
}

/// A part as a completion names it.
fn part(part: &Element) -> Value {
    let number = part.child_text("PartNumber").and_then(|n| n.trim().parse::<i64>().ok());
    let mut named = json!({"PartNumber": number, "ETag": part.child_text("ETag")});
    for algorithm in ALGORITHMS {
        let member = format!("Checksum{algorithm}");
        if let Some(value) = part.child_text(&member) {
            named[&member] = json!(value);
        }
    }
    named
}

/// What a writer wants of what is there.
fn conditions(request: &Request, input: &mut Value) {
    input["IfMatch"] = json!(request.header("if-match"));
    input["IfNoneMatch"] = json!(request.header("if-none-match"));
}

/// The KMS key that a request wants an object encrypted with.
fn kms_key(request: &Request) -> Result<Option<String>> {
    let key = request.header(KMS_KEY);
    match (request.header("x-amz-server-side-encryption"), key) {
        (None, None) => Ok(None),
        (Some(NO_KEY), None) => Ok(Some(NO_KEY.to_owned())),
        (Some("aws:kms"), key) => Ok(Some(key.unwrap_or(OWN_KEY.0).to_owned())),
        (encryption, _) => Err(not_here(&format!(
            "the local endpoint knows AES256, and aws:kms with or without a key in {KMS_KEY}; not {}",
            encryption.unwrap_or("a key without aws:kms")
        ))),
    }
}

fn not_here(message: &str) -> ApiError {
    ApiError::new(501, "NotImplemented", message)
}

fn stored(etag: &str, kms_key: Option<&str>, id: &str) -> Response {
    let mut answer = response(200, "", "", id);
    set(&mut answer, "etag", &format!("\"{etag}\""));
    encrypted(&mut answer, kms_key);
    answer
}

/// An answer whose KMS key is told in headers, not in its document.
fn told(root: &str, mut output: Value, id: &str) -> Response {
    let key = taken(&mut output, "SSEKMSKeyId");
    let mut answer = document(root, &output, id);
    encrypted(&mut answer, key.as_deref());
    answer
}

/// A text of an output, taken out of it.
fn taken(output: &mut Value, name: &str) -> Option<String> {
    let text = Some(member(output, name)).filter(|text| !text.is_empty());
    output[name] = Value::Null;
    text
}

fn kept(request: &Request) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::new();
    for name in KEPT {
        let Some(value) = request.headers.get(name) else { continue };
        // Other bytes than ASCII's come back as they came.
        let value = String::from_utf8_lossy(value.as_bytes());
        // The framing of the request is not a property of the object.
        let codings =
            value.split(',').map(str::trim).filter(|c| name != "content-encoding" || *c != "aws-chunked");
        let value = if name == "content-encoding" {
            codings.collect::<Vec<_>>().join(",")
        } else {
            value.into_owned()
        };
        if !value.is_empty() {
            headers.insert(name.to_owned(), value);
        }
    }
    headers
}

fn metadata(request: &Request) -> Vec<(String, String)> {
    let pair = |(name, value): (&HeaderName, &http::HeaderValue)| {
        let name = name.as_str().strip_prefix("x-amz-meta-")?;
        Some((name.to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
    };
    request.headers.iter().filter_map(pair).collect()
}

/// The checksum that the request carries in a header or a trailer, as computed: it has been compared already.
fn checksum(request: &Request) -> Option<Checksum> {
    let trailer = request.header("x-amz-trailer").map(|name| name.trim().to_ascii_lowercase());
    let algorithm = ALGORITHMS.iter().map(|name| name.to_ascii_lowercase()).find(|algorithm| {
        let header = format!("x-amz-checksum-{algorithm}");
        request.headers.contains_key(&header) || trailer.as_ref() == Some(&header)
    })?;
    let value = body::checksum(&algorithm, &request.body)?;
    Some((algorithm, value))
}
