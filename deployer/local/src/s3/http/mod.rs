//! S3's own protocol: operations in method, path and query; XML where there is structure. Those on objects are in `object`.

mod object;

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::answer::{got, member};
use super::configuration::KINDS;
use super::objects::Object;
use super::{BUCKETS, Bucket, malformed_xml, refused};
use crate::lambda::location::{self, Fetched};
use crate::protocol::xml::Xml;
use crate::protocol::xml_in::Element;
use crate::protocol::{Request, Response, response, set};
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
            identified(&mut answer, &request.id);
            answer
        }
        Err(e) => error(&e, &request.id, &request.method),
    }
}

/// An error as S3 writes it; without a body where HTTP allows none.
pub fn error(error: &ApiError, id: &str, method: &Method) -> Response {
    let xml = Xml::plain("Error", |xml| {
        xml.text("Code", &error.code);
        xml.text("Message", &error.message);
        for (name, value) in &error.details {
            xml.text(name, value);
        }
        xml.text("RequestId", id);
        xml.text("HostId", &host_id(id));
    });
    let body = if *method == Method::HEAD || error.status == 304 { String::new() } else { xml };
    let mut response = response(error.status, "application/xml", body, id);
    identified(&mut response, id);
    let etag = error.details.iter().find(|(name, _)| name == "ETag" && error.status == 304);
    if let Some((_, etag)) = etag {
        set(&mut response, "etag", etag);
    }
    response
}

/// Both ids of an answer: the request's, and S3's further one that support asks for.
fn identified(answer: &mut Response, id: &str) {
    // Other services call theirs by this name.
    answer.headers_mut().remove("x-amzn-requestid");
    set(answer, "server", "AmazonS3");
    set(answer, "x-amz-request-id", id);
    set(answer, "x-amz-id-2", &host_id(id));
}

fn host_id(id: &str) -> String {
    STANDARD.encode(id)
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
    check_owner(aws, request, &target.bucket)?;
    if target.bucket == location::bucket(aws) && [Method::GET, Method::HEAD].contains(&request.method) {
        return package(aws, request, &target.key, &query).await;
    }
    if target.key.is_empty() {
        bucket(aws, caller, request, &target.bucket, &query).await
    } else {
        object::serve(aws, caller, request, &target, &query).await
    }
}

/// Refuses a request for a bucket that its sender expects to be another account's.
fn check_owner(aws: &Aws, request: &Request, bucket: &str) -> Result<()> {
    let names = ["x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner"];
    for owner in names.into_iter().filter_map(|name| request.header(name)) {
        if owner.len() != 12 || !owner.bytes().all(|b| b.is_ascii_digit()) {
            let message = format!(
                "The value of the expected bucket owner parameter must be an AWS Account ID... [{owner}]"
            );
            return Err(ApiError::new(400, "InvalidBucketOwnerAWSAccountID", message));
        }
        // Every bucket that is here is this account's.
        if owner != aws.settings.account && aws.store.get::<Bucket>(BUCKETS, bucket).is_some() {
            return Err(ApiError::new(403, "AccessDenied", "Access Denied"));
        }
    }
    Ok(())
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
            "BucketRegion": query.get("bucket-region"),
        });
        return Ok(document("ListAllMyBucketsResult", &call("ListBuckets", input).await?, id));
    }
    if let Some(kind) = KINDS.iter().find(|kind| query.contains_key(kind.subresource)) {
        let operation = kind.operation_of(&request.method).ok_or_else(|| no_method(request))?;
        let minimum = "x-amz-transition-default-minimum-object-size";
        let input = json!({
            "Bucket": bucket,
            "Document": (request.method == Method::PUT).then(|| text(request)).transpose()?,
            "TransitionDefaultMinimumObjectSize": request.header(minimum),
        });
        let output = call(&operation, input).await?;
        let mut answer = match (request.method.as_str(), kind.subresource) {
            ("GET", "policy") => response(200, "application/json", member(&output, "Document"), id),
            ("GET", _) => response(200, "application/xml", member(&output, "Document"), id),
            ("PUT", "policy" | "tagging") => response(204, "", "", id),
            ("PUT", _) => response(200, "", "", id),
            _ => response(204, "", "", id),
        };
        if let Some(size) = output["TransitionDefaultMinimumObjectSize"].as_str() {
            set(&mut answer, minimum, size);
        }
        return Ok(answer);
    }
    match request.method.as_str() {
        "PUT" => {
            let wanted = match text(request)?.trim() {
                "" => Value::Null,
                body => wanted(&parsed(body)?)?,
            };
            let input = json!({
                "Bucket": bucket,
                "CreateBucketConfiguration": wanted,
                "ObjectOwnership": request.header("x-amz-object-ownership"),
            });
            let output = call("CreateBucket", input).await?;
            let mut answer = response(200, "", "", id);
            set(&mut answer, "location", &member(&output, "Location"));
            set(&mut answer, "x-amz-bucket-arn", &member(&output, "BucketArn"));
            Ok(answer)
        }
        "HEAD" => {
            let output = call("HeadBucket", json!({"Bucket": bucket})).await?;
            let mut answer = response(200, "application/xml", "", id);
            set(&mut answer, "x-amz-bucket-region", &member(&output, "BucketRegion"));
            set(&mut answer, "x-amz-bucket-arn", &member(&output, "BucketArn"));
            set(&mut answer, "x-amz-access-point-alias", "false");
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
            let given = |name: &str| query.get(name);
            let input = json!({
                "Bucket": bucket,
                "Prefix": given("prefix"),
                "Delimiter": given("delimiter"),
                "MaxUploads": given("max-uploads"),
                "EncodingType": given("encoding-type"),
                "KeyMarker": given("key-marker"),
                "UploadIdMarker": given("upload-id-marker"),
            });
            let output = call("ListMultipartUploads", input).await?;
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
                "VersionIdMarker": given("version-id-marker"),
                "FetchOwner": given("fetch-owner"),
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

fn no_method(request: &Request) -> ApiError {
    let kind = match target(request) {
        Ok(Target { key, .. }) if !key.is_empty() => "OBJECT",
        Ok(Target { bucket, .. }) if bucket.is_empty() => "SERVICE",
        _ => "BUCKET",
    };
    let message = "The specified method is not allowed against this resource.";
    let error = ApiError::new(405, "MethodNotAllowed", message).with("Method", request.method.as_str());
    error.with("ResourceType", kind)
}

fn text(request: &Request) -> Result<&str> {
    std::str::from_utf8(&request.body).map_err(|_| malformed_xml())
}

fn parsed(body: &str) -> Result<Element> {
    Element::parse(body).map_err(|_| malformed_xml())
}

/// What a new bucket is to be, in the SDKs' structure.
fn wanted(body: &Element) -> Result<Value> {
    let tags = body.children_named("Tags").flat_map(|tags| tags.children_named("Tag"));
    let tag = |tag: &Element| Some(json!({"Key": tag.child_text("Key")?, "Value": tag.child_text("Value")?}));
    let tags: Option<Vec<Value>> = tags.map(tag).collect();
    Ok(json!({
        "LocationConstraint": body.child_text("LocationConstraint"),
        "Tags": tags.ok_or_else(malformed_xml)?,
    }))
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
                    list.iter().for_each(|value| match value {
                        Value::Object(_) => xml.element(name, |xml| members(xml, value)),
                        other => xml.json(name, other),
                    });
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
