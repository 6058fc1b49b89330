//! Objects: put, get, head, delete and copy.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use md5::Digest as _;
use serde_json::{Value, json};

use super::{
    BUCKETS, Bucket, OBJECTS, Record, S3, allowed, checked_key, configuration, iso, key_allowed,
    missing_bucket, missing_object, object_id,
};
use crate::params::Params;
use crate::store::Records;
use crate::{ApiError, Aws, Caller, Result};

/// The most user metadata of an object, in bytes of names and values.
const MOST_METADATA: usize = 2048;

/// An object's bytes with what is known of them.
#[derive(Debug, Clone)]
pub struct Object {
    /// The content.
    pub body: Bytes,
    /// The MD5 of the content in hexadecimal, without quotes; of a multipart upload AWS's own form of it.
    pub etag: String,
    /// The media type it was put with.
    pub content_type: String,
    /// `cache-control` and the like, by lower-case name.
    pub headers: BTreeMap<String, String>,
    /// User metadata, names without `x-amz-meta-`.
    pub metadata: Vec<(String, String)>,
    /// The checksum it was put with: the algorithm's lower-case name, and the base64.
    pub checksum: Option<(String, String)>,
    /// When it was put, seconds since the epoch.
    pub last_modified: i64,
    /// The ARN of the KMS key it is encrypted with, in name only.
    pub kms_key: Option<String>,
}

/// An object to be put.
#[derive(Debug, Clone, Default)]
pub struct PutObject {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The content.
    pub body: Bytes,
    /// The media type; `application/octet-stream` when empty.
    pub content_type: String,
    /// `cache-control` and the like, by lower-case name.
    pub headers: BTreeMap<String, String>,
    /// User metadata, names without `x-amz-meta-`.
    pub metadata: Vec<(String, String)>,
    /// The checksum that came with it, verified before.
    pub checksum: Option<(String, String)>,
    /// The id or ARN of the KMS key it is to be encrypted with, in name only.
    pub kms_key: Option<String>,
    /// Only when there is none yet (`If-None-Match: *`).
    pub if_none_match: bool,
    /// Only over one with this ETag (`If-Match`).
    pub if_match: Option<String>,
}

impl S3 {
    /// Reads an object.
    ///
    /// # Errors
    /// `NoSuchBucket`, `NoSuchKey`, `AccessDenied`.
    pub async fn get_object(
        &self,
        aws: &Arc<Aws>,
        caller: &Caller,
        bucket: &str,
        key: &str,
    ) -> Result<Object> {
        // A put in between removes the file of the record just read; the next record's file is there.
        for _ in 0..10 {
            let record = readable(aws, caller, bucket, key)?;
            match self.files.read(&record.file).await {
                Ok(body) => return Ok(object(record, body)),
                Err(e) => {
                    let now: Option<Record> = aws.store.get(OBJECTS, &object_id(bucket, key));
                    if now.is_some_and(|now| now.file == record.file) {
                        return Err(e);
                    }
                }
            }
        }
        Err(ApiError::new(503, "SlowDown", "the object is being replaced again and again"))
    }

    /// Writes an object and returns its ETag, without quotes.
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`, `MetadataTooLarge`, `PreconditionFailed`.
    pub async fn put_object(&self, aws: &Arc<Aws>, caller: &Caller, put: PutObject) -> Result<String> {
        let input = json!({"Key": put.key});
        checked_key(Params::new(&input, "InvalidArgument"))?;
        let bucket = allowed(aws, caller, "s3:PutObject", &put.bucket, Some(&put.key))?;
        let key_arn = |key: String| match key.starts_with("arn:") {
            true => key,
            false => aws.arn("kms", &format!("key/{key}")),
        };
        let kms_key = put.kms_key.or_else(|| configuration::default_key(&bucket)).map(key_arn);
        key_allowed(aws, caller, "kms:GenerateDataKey", kms_key.as_deref())?;
        let metadata: usize = put.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
        if metadata > MOST_METADATA {
            let message = "Your metadata headers exceed the maximum allowed metadata size";
            return Err(ApiError::new(400, "MetadataTooLarge", message));
        }
        let etag = hex::encode(md5::Md5::digest(&put.body));
        let record = Record {
            file: String::new(),
            size: put.body.len() as u64,
            etag: etag.clone(),
            modified: now(),
            content_type: if put.content_type.is_empty() {
                "application/octet-stream".to_owned()
            } else {
                put.content_type
            },
            headers: put.headers,
            metadata: put.metadata,
            checksum: put.checksum,
            kms_key,
        };
        let (bucket, key) = (put.bucket, put.key);
        let check = |old: Option<&Record>| precondition(old, put.if_none_match, put.if_match.as_deref());
        self.keep(aws, &bucket, &key, record, vec![put.body], check, |_| {}).await?;
        Ok(etag)
    }

    /// Writes a content and makes it the object in one step with `also`, unless the one there is not as `check` wants.
    #[allow(clippy::too_many_arguments, reason = "one place for the order of file and record")]
    pub(super) async fn keep(
        &self,
        aws: &Aws,
        bucket: &str,
        key: &str,
        mut record: Record,
        contents: Vec<Bytes>,
        check: impl Fn(Option<&Record>) -> Result<()>,
        also: impl FnOnce(&mut Records<'_>),
    ) -> Result<()> {
        record.file = self.files.write(contents).await?;
        let id = object_id(bucket, key);
        let replaced = aws.store.transaction(|records| {
            records.get::<Bucket>(BUCKETS, bucket).ok_or_else(|| missing_bucket(bucket))?;
            let old: Option<Record> = records.get(OBJECTS, &id);
            check(old.as_ref())?;
            records.put(OBJECTS, &id, &record);
            also(records);
            Ok(old)
        });
        match replaced {
            Ok(old) => {
                self.files.remove(old.iter().map(|old| &old.file));
                Ok(())
            }
            Err(e) => {
                self.files.remove([&record.file]);
                Err(e)
            }
        }
    }

    pub(super) fn delete_object(&self, aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
        let (bucket, key) = (params.text("Bucket")?, checked_key(params)?);
        let versioned = params.optional_text("VersionId")?.is_some();
        let action = if versioned { "s3:DeleteObjectVersion" } else { "s3:DeleteObject" };
        allowed(aws, caller, action, bucket, Some(key))?;
        let id = object_id(bucket, key);
        let old = aws.store.transaction(|records| {
            let old: Option<Record> = records.get(OBJECTS, &id);
            records.delete(OBJECTS, &id);
            old
        });
        self.files.remove(old.iter().map(|old| &old.file));
        Ok(json!({}))
    }

    pub(super) fn delete_objects(&self, aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
        let bucket = params.text("Bucket")?;
        aws.store.get::<Bucket>(BUCKETS, bucket).ok_or_else(|| missing_bucket(bucket))?;
        let delete = params.get("Delete").cloned().unwrap_or_default();
        let quiet = delete["Quiet"] == true;
        let objects = delete["Objects"].as_array().cloned().unwrap_or_default();
        if objects.is_empty() || objects.len() > 1000 {
            return Err(ApiError::new(400, "MalformedXML", "1 to 1,000 objects can be deleted at once"));
        }
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for object in objects {
            let input = json!({"Bucket": bucket, "Key": object["Key"], "VersionId": object["VersionId"]});
            match self.delete_object(aws, caller, Params::new(&input, "InvalidArgument")) {
                Ok(_) => deleted.push(json!({"Key": object["Key"]})),
                Err(e) => errors.push(json!({"Key": object["Key"], "Code": e.code, "Message": e.message})),
            }
        }
        let deleted = if quiet { Vec::new() } else { deleted };
        Ok(json!({"Deleted": deleted, "Errors": errors}))
    }

    pub(super) async fn copy_object(
        &self,
        aws: &Arc<Aws>,
        caller: &Caller,
        params: Params<'_>,
    ) -> Result<Value> {
        let (bucket, key) = (params.text("Bucket")?, checked_key(params)?);
        let source = params.text("CopySource")?;
        let (from, from_key) = source.trim_start_matches('/').split_once('/').ok_or_else(|| {
            params.invalid("Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
        })?;
        let replace = params.optional_text("MetadataDirective")? == Some("REPLACE");
        if !replace && (from, from_key) == (bucket, key) {
            let message = "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.";
            return Err(ApiError::new(400, "InvalidRequest", message));
        }
        let object = self.get_object(aws, caller, from, from_key).await?;
        let mut put = PutObject {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            body: object.body,
            content_type: object.content_type,
            headers: object.headers,
            metadata: object.metadata,
            checksum: object.checksum,
            ..PutObject::default()
        };
        if replace {
            put.content_type = params.optional_text("ContentType")?.unwrap_or_default().to_owned();
            put.metadata = params.tags("Metadata")?;
            put.headers = params.tags("Headers")?.into_iter().collect();
        }
        let etag = self.put_object(aws, caller, put).await?;
        Ok(json!({"CopyObjectResult": {"ETag": format!("\"{etag}\""), "LastModified": iso(now())}}))
    }
}

pub fn head(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
    let record = readable(aws, caller, params.text("Bucket")?, checked_key(params)?)?;
    Ok(json!({
        "ContentLength": record.size,
        "ContentType": record.content_type,
        "ETag": format!("\"{}\"", record.etag),
        "LastModified": iso(record.modified),
        "Metadata": record.metadata.into_iter().collect::<BTreeMap<_, _>>(),
        "Headers": record.headers,
        "Checksum": record.checksum,
        "SSEKMSKeyId": record.kms_key,
    }))
}

/// The record of an object whose content the caller may read.
fn readable(aws: &Aws, caller: &Caller, bucket: &str, key: &str) -> Result<Record> {
    allowed(aws, caller, "s3:GetObject", bucket, Some(key))?;
    let record: Option<Record> = aws.store.get(OBJECTS, &object_id(bucket, key));
    let record = record.ok_or_else(|| missing_object(aws, caller, bucket, key))?;
    key_allowed(aws, caller, "kms:Decrypt", record.kms_key.as_deref())?;
    Ok(record)
}

fn object(record: Record, body: Bytes) -> Object {
    Object {
        body,
        etag: record.etag,
        content_type: record.content_type,
        headers: record.headers,
        metadata: record.metadata,
        checksum: record.checksum,
        last_modified: record.modified.div_euclid(1000),
        kms_key: record.kms_key,
    }
}

fn precondition(old: Option<&Record>, none: bool, only: Option<&str>) -> Result<()> {
    let failed = || {
        let message = "At least one of the pre-conditions you specified did not hold";
        ApiError::new(412, "PreconditionFailed", message)
    };
    match (old, only) {
        (Some(_), _) if none => Err(failed()),
        (Some(old), Some(etag)) if old.etag != etag.trim_matches('"') => Err(failed()),
        (None, Some(_)) => Err(ApiError::new(404, "NoSuchKey", "The specified key does not exist.")),
        _ => Ok(()),
    }
}

/// Milliseconds since the epoch.
pub fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
