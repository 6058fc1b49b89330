//! Objects: put, get, head, delete and copy.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use md5::Digest as _;
use serde_json::{Value, json};

use super::checksum::{self, Checksum};
use super::conditions::{self, Reading, Writing};
use super::{
    BUCKETS, Bucket, NO_KEY, OBJECTS, OWN_KEY, Record, S3, allowed, bad_argument, checked_key, configuration,
    iso, key_allowed, malformed_xml, missing_bucket, missing_object, no_version, object_id, uploads,
};
use crate::params::Params;
use crate::store::Records;
use crate::{ApiError, Aws, Caller, Result};

/// The type of what is put without one.
pub const NO_TYPE: &str = "binary/octet-stream";
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
    /// Its checksum: the algorithm's lower-case name, and the base64.
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
    /// The media type; `binary/octet-stream` when empty.
    pub content_type: String,
    /// `cache-control` and the like, by lower-case name.
    pub headers: BTreeMap<String, String>,
    /// User metadata, names without `x-amz-meta-`.
    pub metadata: Vec<(String, String)>,
    /// The checksum that came with it, verified before; computed when none did.
    pub checksum: Option<(String, String)>,
    /// The id or ARN of the KMS key it is to be encrypted with, in name only; `AES256` for none, whatever the bucket says.
    pub kms_key: Option<String>,
    /// What must be there.
    pub writing: Writing,
}

/// What an object was put with.
#[derive(Debug)]
pub struct Stored {
    /// The ETag, without quotes.
    pub etag: String,
    /// The algorithm's lower-case name, and the checksum in base64.
    pub checksum: Checksum,
    /// The ARN of its KMS key.
    pub kms_key: Option<String>,
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

    /// Writes an object.
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`, `MetadataTooLarge`, `PreconditionFailed`.
    pub async fn put_object(&self, aws: &Arc<Aws>, caller: &Caller, put: PutObject) -> Result<Stored> {
        let input = json!({"Key": put.key});
        checked_key(Params::new(&input, "InvalidArgument"))?;
        let bucket = allowed(aws, caller, "s3:PutObject", &put.bucket, Some(&put.key))?;
        let kms_key = kms_key(aws, &bucket, put.kms_key);
        key_allowed(aws, caller, "kms:GenerateDataKey", kms_key.as_deref())?;
        let metadata: usize = put.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
        if metadata > MOST_METADATA {
            let message = "Your metadata headers exceed the maximum allowed metadata size";
            return Err(ApiError::new(400, "MetadataTooLarge", message));
        }
        let etag = hex::encode(md5::Md5::digest(&put.body));
        let checksum = put.checksum.unwrap_or_else(|| checksum::of(checksum::DEFAULT, &put.body));
        let record = Record {
            file: String::new(),
            size: put.body.len() as u64,
            etag: etag.clone(),
            modified: now(),
            content_type: if put.content_type.is_empty() { NO_TYPE.to_owned() } else { put.content_type },
            headers: put.headers,
            metadata: put.metadata,
            checksum: Some(checksum.clone()),
            kms_key: kms_key.clone(),
        };
        let (bucket, key) = (put.bucket, put.key);
        let check = |_: &Records<'_>, old: Option<&Record>| put.writing.check(&key, old);
        self.keep(aws, &bucket, &key, record, vec![put.body], check, |_| {}).await?;
        Ok(Stored { etag, checksum, kms_key })
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
        check: impl Fn(&Records<'_>, Option<&Record>) -> Result<()>,
        also: impl FnOnce(&mut Records<'_>),
    ) -> Result<()> {
        record.file = self.files.write(contents).await?;
        let id = object_id(bucket, key);
        let replaced = aws.store.transaction(|records| {
            records.get::<Bucket>(BUCKETS, bucket).ok_or_else(|| missing_bucket(bucket))?;
            let old: Option<Record> = records.get(OBJECTS, &id);
            check(records, old.as_ref())?;
            records.put(OBJECTS, &id, &record);
            also(records);
            uploads::disturb(records, bucket, key);
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
        let version = params.optional_text("VersionId")?;
        let action = if version.is_some() { "s3:DeleteObjectVersion" } else { "s3:DeleteObject" };
        allowed(aws, caller, action, bucket, Some(key))?;
        no_version(version)?;
        // Unlike of a writer, anything that is there may be wanted of a deletion.
        let if_match = params.optional_text("IfMatch")?.filter(|etag| *etag != "*");
        let wanted = Writing::new(if_match, None)?;
        let id = object_id(bucket, key);
        let old = aws.store.transaction(|records| {
            let old: Option<Record> = records.get(OBJECTS, &id);
            wanted.check(key, old.as_ref())?;
            records.delete(OBJECTS, &id);
            uploads::disturb(records, bucket, key);
            Ok::<_, ApiError>(old)
        })?;
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
            return Err(malformed_xml());
        }
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for object in objects {
            let (key, version) = (&object["Key"], &object["VersionId"]);
            if version.as_str().is_some_and(|version| version != "null") {
                let message = "The specified version does not exist.";
                errors.push(
                    json!({"Key": key, "VersionId": version, "Code": "NoSuchVersion", "Message": message}),
                );
                continue;
            }
            let input = json!({"Bucket": bucket, "Key": key, "VersionId": version});
            match self.delete_object(aws, caller, Params::new(&input, "InvalidArgument")) {
                Ok(_) => deleted.push(json!({"Key": key})),
                Err(e) => errors.push(json!({"Key": key, "Code": e.code, "Message": e.message})),
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
        let (from, from_key) =
            source.trim_start_matches('/').split_once('/').filter(|(_, key)| !key.is_empty()).ok_or_else(
                || {
                    let header = "x-amz-copy-source";
                    bad_argument(header, Some(header), "Invalid copy source object key")
                },
            )?;
        no_version(params.optional_text("CopySourceVersionId")?)?;
        let writing = Writing::of(params)?;
        let algorithm = params.optional_text("ChecksumAlgorithm")?.map(str::to_ascii_uppercase);
        checksum::Wanted::new(algorithm.as_deref(), None)?;
        let replace = params.optional_text("MetadataDirective")? == Some("REPLACE");
        let encrypted = params.get("ServerSideEncryption").is_some() || params.get("StorageClass").is_some();
        let by_bucket = || {
            let bucket: Option<Bucket> = aws.store.get(BUCKETS, bucket);
            bucket.is_some_and(|bucket| configuration::is_encrypted(&bucket))
        };
        if !replace && !encrypted && (from, from_key) == (bucket, key) && !by_bucket() {
            let message = "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.";
            return Err(ApiError::new(400, "InvalidRequest", message));
        }
        let object = self.get_object(aws, caller, from, from_key).await?;
        if let Some(condition) = Reading::of_source(params)?.failed(&object.etag, object.last_modified) {
            return Err(conditions::failed(&format!("x-amz-copy-source-{condition}")));
        }
        // The copy is one whole, whatever its source was made of.
        let algorithm = algorithm.map(|name| name.to_ascii_lowercase());
        let algorithm = algorithm.or_else(|| object.checksum.as_ref().map(|(name, _)| name.clone()));
        let checksum = checksum::of(algorithm.as_deref().unwrap_or(checksum::DEFAULT), &object.body);
        let mut put = PutObject {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            body: object.body,
            content_type: object.content_type,
            headers: object.headers,
            metadata: object.metadata,
            checksum: Some(checksum),
            kms_key: params.optional_text("SSEKMSKeyId")?.map(str::to_owned),
            writing,
        };
        if replace {
            put.content_type = params.optional_text("ContentType")?.unwrap_or_default().to_owned();
            put.metadata = params.tags("Metadata")?;
            put.headers = params.tags("Headers")?.into_iter().collect();
        }
        let stored = self.put_object(aws, caller, put).await?;
        let mut result = json!({"ETag": format!("\"{}\"", stored.etag), "LastModified": iso(now())});
        checksum::show(&mut result, &stored.checksum);
        Ok(json!({"CopyObjectResult": result, "SSEKMSKeyId": stored.kms_key}))
    }
}

/// The ARN of the key that an object is encrypted with: the one asked for, or the bucket's; none where S3's own encryption is asked for.
pub(super) fn kms_key(aws: &Aws, bucket: &Bucket, wanted: Option<String>) -> Option<String> {
    let arn = |key: String| match key.as_str() {
        _ if key.starts_with("arn:") => key,
        key if key == OWN_KEY.0 => aws.arn("kms", &format!("key/{}", OWN_KEY.1)),
        key => aws.arn("kms", &format!("key/{key}")),
    };
    let key = wanted.or_else(|| configuration::default_key(bucket));
    key.filter(|key| key != NO_KEY).map(arn)
}

pub fn head(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
    no_version(params.optional_text("VersionId")?)?;
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

/// Milliseconds since the epoch.
pub fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
