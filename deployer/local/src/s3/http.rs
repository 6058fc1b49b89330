//! S3's own protocol: operations in method, path and query; XML where there is structure.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Method;
use http::header::HeaderName;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::answer::{KEPT, KMS_KEY, got, headed, member};
use super::configuration::KINDS;
use super::objects::{Object, PutObject};
use super::refused;
use crate::lambda::location::{self, Fetched};
use crate::protocol::xml::Xml;
use crate::protocol::xml_in::Element;
use crate::protocol::{Request, Response, body, response, set, set_named};
use crate::{ApiError, Aws, Caller, Result, Service};

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
/// Subresources that AWS has and this endpoint has not: they must not be taken for the object or bucket itself.
#[rustfmt::skip]
const ABSENT: &[&str] = &[
    "accelerate", "acl", "analytics", "attributes", "cors", "intelligent-tiering", "inventory", "legal-hold", "logging",
    "metadataTable", "metrics", "notification", "object-lock", "policyStatus", "renameObject", "replication", "requestPayment", "restore",
    "retention", "select", "session", "torrent", "website",
];

/// Where a request goes.
struct Target {
    bucket: String,
    key: String,
}

/// Answers a request.
pub async fn serve(aws: &Arc<Aws>, caller: &Caller, request: Request) -> Response {
    match answer(aws, caller, &request).await {
        Ok(mut answer) => {
            set(&mut answer, "x-amz-request-id", &request.id);
            answer
        }
        Err(e) => error(&e, &request.id, &request.method, &request.path),
    }
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
    let mut response = response(error.status, "application/xml", body, id);
    set(&mut response, "x-amz-request-id", id);
    if let Some((_, etag)) = error.details.iter().find(|(name, _)| name == "ETag") {
        set(&mut response, "etag", etag);
    }
    response
}

async fn answer(aws: &Arc<Aws>, caller: &Caller, request: &Request) -> Result<Response> {
    let target = target(request)?;
    let query: BTreeMap<String, String> = request.parameters().into_iter().collect();
    let of_buckets = ["tagging"].into_iter().filter(|_| !target.key.is_empty());
    if let Some(absent) = ABSENT.iter().copied().chain(of_buckets).find(|name| query.contains_key(*name)) {
        let message = format!("the local endpoint does not know the subresource \"{absent}\"");
        return Err(ApiError::new(501, "NotImplemented", message));
    }
    refused::headers(request)?;
    if target.bucket == location::bucket(aws) && [Method::GET, Method::HEAD].contains(&request.method) {
        return package(aws, request, &target.key, &query).await;
    }
    if target.key.is_empty() {
        bucket(aws, caller, request, &target.bucket, &query).await
    } else {
        object(aws, caller, request, &target, &query).await
    }
}

/// A package of a function or layer, as the object that its presigned URL stands for.
async fn package(
    aws: &Arc<Aws>,
    request: &Request,
    key: &str,
    query: &BTreeMap<String, String>,
) -> Result<Response> {
    let Fetched { zip, sha256, modified } = aws.lambda.presigned(key, query).await?;
    let object = Object {
        body: zip,
        etag: sha256,
        content_type: "application/zip".to_owned(),
        headers: BTreeMap::new(),
        metadata: Vec::new(),
        checksum: None,
        last_modified: modified,
        kms_key: None,
    };
    got(request, object, query)
}

/// The bucket and key of path-style and virtual-host-style requests.
fn target(request: &Request) -> Result<Target> {
    let invalid = || ApiError::new(400, "InvalidURI", "Couldn't parse the specified URI.");
    let host = request.host().unwrap_or_default();
    let path = request.path.strip_prefix('/').ok_or_else(invalid)?;
    let decode = |text: &str| Ok(percent_decode_str(text).decode_utf8().map_err(|_| invalid())?.into_owned());
    let name = host.strip_suffix(".localhost").unwrap_or_default();
    // BUCKET, BUCKET.s3 or BUCKET.s3.REGION; without a bucket, path-style.
    let labels: Vec<&str> = name.split('.').collect();
    let service = labels.iter().rposition(|label| *label == "s3");
    let bucket = service.map_or(name.to_owned(), |at| labels[..at].join("."));
    if !bucket.is_empty() {
        return Ok(Target { bucket, key: decode(path)? });
    }
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    Ok(Target { bucket: decode(bucket)?, key: decode(key)? })
}

async fn bucket(
    aws: &Arc<Aws>,
    caller: &Caller,
    request: &Request,
    bucket: &str,
    query: &BTreeMap<String, String>,
) -> Result<Response> {
    let call = async |operation: &str, input: Value| aws.call(caller, Service::S3, operation, input).await;
    let id = &request.id;
    if bucket.is_empty() {
        if request.method != Method::GET {
            return Err(no_method(request));
        }
        let input = json!({
            "Prefix": query.get("prefix"),
            "MaxBuckets": query.get("max-buckets"),
            "ContinuationToken": query.get("continuation-token"),
        });
        return Ok(document("ListAllMyBucketsResult", &call("ListBuckets", input).await?, id));
    }
    if let Some(kind) = KINDS.iter().find(|kind| query.contains_key(kind.subresource)) {
        let operation = kind.operation_of(&request.method).ok_or_else(|| no_method(request))?;
        let input = json!({"Bucket": bucket, "Document": (request.method == Method::PUT).then(|| text(request)).transpose()?});
        let output = call(&operation, input).await?;
        return Ok(match (request.method.as_str(), kind.subresource) {
            ("GET", "policy") => response(200, "application/json", member(&output, "Document"), id),
            ("GET", _) => response(200, "application/xml", member(&output, "Document"), id),
            ("PUT", "policy") => response(204, "", "", id),
            ("PUT", _) => response(200, "", "", id),
            _ => response(204, "", "", id),
        });
    }
    match request.method.as_str() {
        "PUT" => {
            let constraint = match text(request)?.trim() {
                "" => None,
                body => parsed(body)?.child_text("LocationConstraint").map(str::to_owned),
            };
            let input =
                json!({"Bucket": bucket, "CreateBucketConfiguration": {"LocationConstraint": constraint}});
            let mut answer = response(200, "", "", id);
            set(&mut answer, "location", &member(&call("CreateBucket", input).await?, "Location"));
            Ok(answer)
        }
        "HEAD" => {
            let output = call("HeadBucket", json!({"Bucket": bucket})).await?;
            let mut answer = response(200, "application/xml", "", id);
            set(&mut answer, "x-amz-bucket-region", &member(&output, "BucketRegion"));
            Ok(answer)
        }
        "DELETE" => call("DeleteBucket", json!({"Bucket": bucket})).await.map(|_| response(204, "", "", id)),
        "GET" if query.contains_key("location") => {
            let output = call("GetBucketLocation", json!({"Bucket": bucket})).await?;
            let region = member(&output, "LocationConstraint");
            let xml = format!("<LocationConstraint xmlns=\"{NAMESPACE}\">{region}</LocationConstraint>");
            Ok(response(200, "application/xml", xml, id))
        }
        "GET" if query.contains_key("uploads") => {
            let output = call("ListMultipartUploads", json!({"Bucket": bucket})).await?;
            Ok(document("ListMultipartUploadsResult", &output, id))
        }
        "GET" => {
            let (operation, root) = match query.get("list-type").map(String::as_str) {
                _ if query.contains_key("versions") => ("ListObjectVersions", "ListVersionsResult"),
                Some("2") => ("ListObjectsV2", "ListBucketResult"),
                None => ("ListObjects", "ListBucketResult"),
                Some(other) => {
                    return Err(ApiError::new(
                        400,
                        "InvalidArgument",
                        format!("list-type must be 2, not {other}"),
                    ));
                }
            };
            let given = |name: &str| query.get(name);
            let input = json!({
                "Bucket": bucket,
                "Prefix": given("prefix"),
                "Delimiter": given("delimiter"),
                "MaxKeys": given("max-keys"),
                "EncodingType": given("encoding-type"),
                "ContinuationToken": given("continuation-token"),
                "StartAfter": given("start-after"),
                "Marker": given("marker"),
                "KeyMarker": given("key-marker"),
            });
            Ok(document(root, &call(operation, input).await?, id))
        }
        "POST" if query.contains_key("delete") => {
            let body = parsed(text(request)?)?;
            let objects: Vec<Value> = body
                .children_named("Object")
                .map(|object| {
                    json!({"Key": object.child_text("Key"), "VersionId": object.child_text("VersionId")})
                })
                .collect();
            let quiet = body.child_text("Quiet") == Some("true");
            let input = json!({"Bucket": bucket, "Delete": {"Objects": objects, "Quiet": quiet}});
            Ok(document("DeleteResult", &call("DeleteObjects", input).await?, id))
        }
        _ => Err(no_method(request)),
    }
}

async fn object(
    aws: &Arc<Aws>,
    caller: &Caller,
    request: &Request,
    target: &Target,
    query: &BTreeMap<String, String>,
) -> Result<Response> {
    let (bucket, key, id) = (target.bucket.as_str(), target.key.as_str(), &request.id);
    let mut input = json!({"Bucket": bucket, "Key": key, "UploadId": query.get("uploadId")});
    if query.get("versionId").is_some_and(|version| version != "null") {
        return Err(ApiError::new(404, "NoSuchVersion", "The specified version does not exist."));
    }
    let call = async |operation: &str, input: Value| aws.call(caller, Service::S3, operation, input).await;
    let has = |name: &str| query.contains_key(name);
    match request.method.as_str() {
        "POST" if has("uploads") => {
            no_key(request)?;
            input["ContentType"] = json!(request.header("content-type"));
            input["Headers"] = json!(kept(request));
            input["Metadata"] = json!(metadata(request).into_iter().collect::<BTreeMap<_, _>>());
            Ok(document("InitiateMultipartUploadResult", &call("CreateMultipartUpload", input).await?, id))
        }
        "POST" if has("uploadId") => {
            let body = parsed(text(request)?)?;
            let part = |part: &Element| {
                let number = part.child_text("PartNumber").and_then(|n| n.trim().parse::<i64>().ok());
                json!({"PartNumber": number, "ETag": part.child_text("ETag")})
            };
            input["MultipartUpload"] =
                json!({"Parts": body.children_named("Part").map(part).collect::<Vec<_>>()});
            Ok(document("CompleteMultipartUploadResult", &call("CompleteMultipartUpload", input).await?, id))
        }
        "GET" if has("uploadId") => Ok(document("ListPartsResult", &call("ListParts", input).await?, id)),
        "DELETE" if has("uploadId") => {
            call("AbortMultipartUpload", input).await.map(|_| response(204, "", "", id))
        }
        "PUT" if has("uploadId") => {
            if request.header("x-amz-copy-source").is_some() {
                return Err(ApiError::new(
                    501,
                    "NotImplemented",
                    "the local endpoint copies objects whole, not in parts",
                ));
            }
            input["PartNumber"] = json!(query.get("partNumber"));
            let checksum = checksum(request);
            let etag = aws.s3.upload_part(aws, caller, input, request.body.clone(), checksum.clone()).await?;
            Ok(stored(&etag, checksum.as_ref(), id))
        }
        "PUT" => match request.header("x-amz-copy-source") {
            Some(source) => {
                no_key(request)?;
                let source = source.split_once("?versionId=").map_or(source, |(source, _)| source);
                let decoded = percent_decode_str(source).decode_utf8();
                let source = decoded
                    .map_err(|_| ApiError::new(400, "InvalidArgument", "Invalid copy source encoding"))?;
                input["CopySource"] = json!(source);
                input["MetadataDirective"] = json!(request.header("x-amz-metadata-directive"));
                input["ContentType"] = json!(request.header("content-type"));
                input["Headers"] = json!(kept(request));
                input["Metadata"] = json!(metadata(request).into_iter().collect::<BTreeMap<_, _>>());
                let output = call("CopyObject", input).await?;
                Ok(document("CopyObjectResult", &output["CopyObjectResult"], id))
            }
            None => put(aws, caller, request, target).await,
        },
        "GET" | "HEAD" => {
            let object = if request.method == Method::GET {
                aws.s3.get_object(aws, caller, bucket, key).await?
            } else {
                headed(&call("HeadObject", input).await?)
            };
            got(request, object, query)
        }
        "DELETE" => call("DeleteObject", input).await.map(|_| response(204, "", "", id)),
        _ => Err(no_method(request)),
    }
}

async fn put(aws: &Arc<Aws>, caller: &Caller, request: &Request, target: &Target) -> Result<Response> {
    let if_none_match = match request.header("if-none-match") {
        None => false,
        Some("*") => true,
        Some(_) => return Err(ApiError::new(501, "NotImplemented", "If-None-Match of a PUT can only be *")),
    };
    let checksum = checksum(request);
    let put = PutObject {
        bucket: target.bucket.clone(),
        key: target.key.clone(),
        body: request.body.clone(),
        content_type: request.header("content-type").unwrap_or_default().to_owned(),
        headers: kept(request),
        metadata: metadata(request),
        checksum: checksum.clone(),
        kms_key: kms_key(request)?,
        if_none_match,
        if_match: request.header("if-match").map(str::to_owned),
    };
    let etag = aws.s3.put_object(aws, caller, put).await?;
    Ok(stored(&etag, checksum.as_ref(), &request.id))
}

/// The KMS key that a request wants an object encrypted with.
fn kms_key(request: &Request) -> Result<Option<String>> {
    let key = request.header(KMS_KEY);
    match (request.header("x-amz-server-side-encryption"), key) {
        (None | Some("AES256"), None) => Ok(None),
        (Some("aws:kms"), Some(key)) => Ok(Some(key.to_owned())),
        (encryption, _) => {
            let message = format!(
                "the local endpoint knows AES256, and aws:kms with a key in {KMS_KEY}; not {}",
                encryption.unwrap_or("a key without aws:kms")
            );
            Err(ApiError::new(501, "NotImplemented", message))
        }
    }
}

/// Refuses a KMS key where objects cannot be given one.
fn no_key(request: &Request) -> Result<()> {
    match kms_key(request)? {
        None => Ok(()),
        Some(_) => {
            let message = "the local endpoint takes a KMS key with PutObject only";
            Err(ApiError::new(501, "NotImplemented", message))
        }
    }
}

fn stored(etag: &str, checksum: Option<&(String, String)>, id: &str) -> Response {
    let mut answer = response(200, "", "", id);
    set(&mut answer, "etag", &format!("\"{etag}\""));
    if let Some((algorithm, value)) = checksum {
        set_named(&mut answer, &format!("x-amz-checksum-{algorithm}"), value);
    }
    answer
}

fn no_method(request: &Request) -> ApiError {
    let message = "The specified method is not allowed against this resource.";
    ApiError::new(405, "MethodNotAllowed", message).with("Method", request.method.as_str())
}

fn text(request: &Request) -> Result<&str> {
    std::str::from_utf8(&request.body)
        .map_err(|_| ApiError::new(400, "MalformedXML", "the body is not UTF-8"))
}

fn parsed(body: &str) -> Result<Element> {
    let message = |e: String| {
        format!(
            "The XML you provided was not well-formed or did not validate against our published schema: {e}"
        )
    };
    Element::parse(body).map_err(|e| ApiError::new(400, "MalformedXML", message(e)))
}

fn kept(request: &Request) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::new();
    for name in KEPT {
        let Some(value) = request.header(name) else { continue };
        // The framing of the request is not a property of the object.
        let codings =
            value.split(',').map(str::trim).filter(|c| name != "content-encoding" || *c != "aws-chunked");
        let value =
            if name == "content-encoding" { codings.collect::<Vec<_>>().join(",") } else { value.to_owned() };
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
fn checksum(request: &Request) -> Option<(String, String)> {
    let in_header = request.headers.keys().find_map(|name| name.as_str().strip_prefix("x-amz-checksum-"));
    let in_trailer = || request.header("x-amz-trailer")?.trim().strip_prefix("x-amz-checksum-");
    let algorithm = in_header.or_else(in_trailer)?.to_ascii_lowercase();
    let value = body::checksum(&algorithm, &request.body)?;
    Some((algorithm, value))
}

fn document(root: &str, output: &Value, id: &str) -> Response {
    response(200, "application/xml", Xml::document(root, NAMESPACE, |xml| members(xml, output)), id)
}

/// JSON as S3 writes it: a list is its elements one after the other, but for buckets and tags, which have one around them.
fn members(xml: &mut Xml, output: &Value) {
    for (name, value) in output.as_object().into_iter().flatten() {
        match value {
            Value::Array(list) => {
                let elements = |xml: &mut Xml, name: &str| {
                    list.iter().for_each(|value| xml.element(name, |xml| members(xml, value)));
                };
                match name.as_str() {
                    "Buckets" => xml.element("Buckets", |xml| elements(xml, "Bucket")),
                    "TagSet" => xml.element("TagSet", |xml| elements(xml, "Tag")),
                    "Versions" => elements(xml, "Version"),
                    "Parts" => elements(xml, "Part"),
                    "Uploads" => elements(xml, "Upload"),
                    "Errors" => elements(xml, "Error"),
                    name => elements(xml, name),
                }
            }
            Value::Object(_) => xml.element(name, |xml| members(xml, value)),
            other => xml.json(name, other),
        }
    }
}
