//! Buckets and objects.
//!
//! What there is stands in the store; contents are files of the state folder, named at random, so that no key ever
//! becomes a path (`files`). `buckets`, `configuration`, `objects`, `listing` and `uploads` hold the operations,
//! `http` S3's own protocol over them.

mod answer;
mod buckets;
mod checksum;
mod conditions;
mod configuration;
mod files;
pub(crate) mod http;
mod listing;
mod objects;
mod refused;
mod token;
mod uploads;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub(crate) use self::answer::got;
pub use self::conditions::Writing;
pub use self::objects::{Object, PutObject};
use crate::api::{Entry, Protocol};
use crate::params::Params;
use crate::store::Store;
use crate::{ApiError, Aws, Caller, Result, Service, Settings};

const BUCKETS: &str = "s3-bucket";
const OBJECTS: &str = "s3-object";
const UPLOADS: &str = "s3-upload";
const PARTS: &str = "s3-part";

/// Buckets and objects.
pub struct S3 {
    files: files::Files,
}

/// A bucket.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Bucket {
    name: String,
    /// Seconds since the epoch.
    created: i64,
    /// Configurations by their subresource's name, as documents.
    configurations: BTreeMap<String, String>,
}

/// An object, or a part of one in the making.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Record {
    file: String,
    size: u64,
    etag: String,
    /// Milliseconds since the epoch.
    modified: i64,
    content_type: String,
    /// `Cache-Control` and the like, by lower-case name.
    headers: BTreeMap<String, String>,
    metadata: Vec<(String, String)>,
    /// Of every object that was put since checksums are computed here.
    checksum: Option<checksum::Checksum>,
    /// The ARN of the KMS key it is encrypted with, in name only: who reads it needs that key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kms_key: Option<String>,
}

pub(crate) static ENTRY: Entry = Entry {
    largest_request: 512 << 20,
    ..Entry::new(Service::S3, "s3", Protocol::RestXml, |aws, caller, operation, input| {
        Box::pin(call(aws, caller, operation, input))
    })
};

/// Performs an operation that carries no content; those that do are [`S3::get_object`] and [`S3::put_object`].
async fn call(aws: &Arc<Aws>, caller: &Caller, operation: &str, input: Value) -> Result<Value> {
    let s3 = &aws.s3;
    let params = Params::new(&input, "InvalidArgument");
    match operation {
        "CreateBucket" => buckets::create(aws, caller, params),
        "DeleteBucket" => buckets::delete(aws, caller, params),
        "HeadBucket" => buckets::head(aws, caller, params),
        "GetBucketLocation" => buckets::location(aws, caller, params),
        "ListBuckets" => buckets::list(aws, caller, params),
        "ListObjects" | "ListObjectsV2" | "ListObjectVersions" => {
            listing::list(aws, caller, operation, params)
        }
        "HeadObject" => objects::head(aws, caller, params),
        "DeleteObject" => s3.delete_object(aws, caller, params),
        "DeleteObjects" => s3.delete_objects(aws, caller, params),
        "CopyObject" => s3.copy_object(aws, caller, params).await,
        "CreateMultipartUpload" => uploads::create(aws, caller, params),
        "CompleteMultipartUpload" => s3.complete_upload(aws, caller, params).await,
        "AbortMultipartUpload" => s3.abort_upload(aws, caller, params),
        "ListParts" => uploads::parts(aws, caller, params),
        "ListMultipartUploads" => uploads::list(aws, caller, params),
        _ => configuration::call(aws, caller, operation, params)
            .unwrap_or_else(|| Err(Service::S3.unknown(operation))),
    }
}

impl S3 {
    /// The service over its records. Files that no record names, left by a kill, are removed.
    #[must_use]
    pub fn open(settings: &Settings, store: &Store) -> Self {
        let files = files::Files::new(settings.state.join("s3"));
        let records: Vec<(String, Record)> = [store.list(OBJECTS), store.list(PARTS)].concat();
        files.sweep(&records.into_iter().map(|(_, record)| record.file).collect());
        Self { files }
    }
}

/// The bucket, once the caller is known to be allowed the action on the resource: `key` in it, or itself.
fn allowed(aws: &Aws, caller: &Caller, action: &str, bucket: &str, key: Option<&str>) -> Result<Bucket> {
    let resource = match key {
        Some(key) => format!("arn:aws:s3:::{bucket}/{key}"),
        None => format!("arn:aws:s3:::{bucket}"),
    };
    let record: Option<Bucket> = aws.store.get(BUCKETS, bucket);
    let policy = record.as_ref().and_then(|record| configuration::effective_policy(record, caller));
    aws.iam.authorize_with(aws, caller, action, &resource, &[], policy.as_ref())?;
    record.ok_or_else(|| missing_bucket(bucket))
}

/// In place of a key: S3's own encryption.
const NO_KEY: &str = "AES256";
/// How AWS's own key of an account's S3 is called, and its id.
const OWN_KEY: (&str, &str) = ("alias/aws/s3", "00000000-0000-4000-8000-0000000000a3");

/// Whether the caller may use the KMS key of an object. Keys have no policies of their own here, but AWS's own, which lets everybody
/// of the account use it through S3.
fn key_allowed(aws: &Aws, caller: &Caller, action: &str, key: Option<&str>) -> Result<()> {
    let Some(key) = key.filter(|key| !key.ends_with(OWN_KEY.1)) else { return Ok(()) };
    let denied = |e: ApiError| ApiError::new(403, "AccessDenied", e.message);
    let service = format!("s3.{}.amazonaws.com", aws.settings.region);
    let context = [("kms:ViaService", service.as_str())];
    aws.iam.authorize_with(aws, caller, action, key, &context, None).map_err(denied)
}

fn missing_bucket(bucket: &str) -> ApiError {
    ApiError::new(404, "NoSuchBucket", "The specified bucket does not exist").with("BucketName", bucket)
}

/// The error that there is no such object: who may not list a bucket does not learn what is not in it.
fn missing_object(aws: &Aws, caller: &Caller, bucket: &str, key: &str) -> ApiError {
    match allowed(aws, caller, "s3:ListBucket", bucket, None) {
        Ok(_) => no_key(key),
        Err(denied) => denied,
    }
}

fn no_key(key: &str) -> ApiError {
    ApiError::new(404, "NoSuchKey", "The specified key does not exist.").with("Key", key)
}

/// The error of an argument, which AWS names beside its message.
fn bad_argument(name: &str, value: Option<&str>, message: &str) -> ApiError {
    let error = ApiError::new(400, "InvalidArgument", message).with("ArgumentName", name);
    match value {
        Some(value) => error.with("ArgumentValue", value),
        None => error,
    }
}

/// The error that a document is not what S3's schema says.
fn malformed_xml() -> ApiError {
    let message = "The XML you provided was not well-formed or did not validate against our published schema";
    ApiError::new(400, "MalformedXML", message)
}

/// Refuses a version id: what a bucket has here has none but `null`.
fn no_version(id: Option<&str>) -> Result<()> {
    match id {
        None | Some("null") => Ok(()),
        Some(id) => Err(bad_argument("versionId", Some(id), "Invalid version id specified")),
    }
}

fn object_id(bucket: &str, key: &str) -> String {
    format!("{bucket}/{key}")
}

fn checked_key<'a>(params: Params<'a>) -> Result<&'a str> {
    let key = params.text("Key")?;
    if key.len() > 1024 {
        return Err(ApiError::new(400, "KeyTooLongError", "Your key is too long"));
    }
    Ok(key)
}

/// A time of milliseconds since the epoch as S3 writes it.
fn iso(millis: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

fn owner() -> Value {
    json!({"ID": "0".repeat(64)})
}
