//! Multipart uploads: parts are put one by one and become one object together.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use md5::Digest as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::objects::now;
use super::{PARTS, Record, S3, UPLOADS, allowed, checked_key, iso, object_id};
use crate::params::Params;
use crate::store::Records;
use crate::{ApiError, Aws, Caller, Result, ids};

/// Every part but the last has at least so many bytes, 5 MiB.
const SMALLEST_PART: u64 = 5 << 20;
/// An object is answered from memory, so it is no larger than this.
const LARGEST_OBJECT: u64 = 1 << 30;
const MOST_PARTS: i64 = 10_000;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Upload {
    key: String,
    started: i64,
    content_type: String,
    headers: BTreeMap<String, String>,
    metadata: Vec<(String, String)>,
}

pub fn create(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
    let (bucket, key) = (params.text("Bucket")?, checked_key(params)?);
    allowed(aws, caller, "s3:PutObject", bucket, Some(key))?;
    let content_type = params.optional_text("ContentType")?.unwrap_or("application/octet-stream");
    let upload = Upload {
        key: key.to_owned(),
        started: now(),
        content_type: content_type.to_owned(),
        headers: params.tags("Headers")?.into_iter().collect(),
        metadata: params.tags("Metadata")?,
    };
    let id = ids::hex(40);
    aws.store.put(UPLOADS, &object_id(bucket, &id), &upload);
    Ok(json!({"Bucket": bucket, "Key": key, "UploadId": id}))
}

impl S3 {
    /// Writes a part of an upload and returns its ETag, without quotes.
    pub(super) async fn upload_part(
        &self,
        aws: &Arc<Aws>,
        caller: &Caller,
        input: Value,
        body: Bytes,
        checksum: Option<(String, String)>,
    ) -> Result<String> {
        let params = Params::new(&input, "InvalidArgument");
        let (bucket, key, id) = (params.text("Bucket")?, checked_key(params)?, params.text("UploadId")?);
        allowed(aws, caller, "s3:PutObject", bucket, Some(key))?;
        let number = params.number("PartNumber", 1..=MOST_PARTS)?.unwrap_or_default();
        let etag = hex::encode(md5::Md5::digest(&body));
        let part = Record {
            file: String::new(),
            size: body.len() as u64,
            etag: etag.clone(),
            modified: now(),
            content_type: String::new(),
            headers: BTreeMap::new(),
            metadata: Vec::new(),
            checksum,
            kms_key: None,
        };
        let part = Record { file: self.files.write(vec![body]).await?, ..part };
        let part_id = format!("{id}/{number:05}");
        let replaced = aws.store.transaction(|records| {
            open(records, bucket, key, id)?;
            let old: Option<Record> = records.get(PARTS, &part_id);
            records.put(PARTS, &part_id, &part);
            Ok(old)
        });
        let unneeded = replaced.as_ref().map_or(Some(&part), Option::as_ref);
        self.files.remove(unneeded.iter().map(|record| &record.file));
        replaced.map(|_| etag)
    }

    pub(super) async fn complete_upload(
        &self,
        aws: &Arc<Aws>,
        caller: &Caller,
        params: Params<'_>,
    ) -> Result<Value> {
        let (bucket, key, id) = (params.text("Bucket")?, checked_key(params)?, params.text("UploadId")?);
        allowed(aws, caller, "s3:PutObject", bucket, Some(key))?;
        let upload = aws.store.transaction_soon(|records| open(records, bucket, key, id))?;
        let stored: BTreeMap<i64, Record> = stored(aws, id);
        let wanted =
            params.get("MultipartUpload").and_then(|m| m["Parts"].as_array()).cloned().unwrap_or_default();
        let chosen = chosen(&wanted, &stored)?;
        let (mut contents, mut digests) = (Vec::new(), md5::Md5::new());
        for part in &chosen {
            let content = self.files.read(&part.file).await?;
            digests.update(md5::Md5::digest(&content));
            contents.push(content);
        }
        let etag = format!("{}-{}", hex::encode(digests.finalize()), chosen.len());
        let record = Record {
            file: String::new(),
            size: chosen.iter().map(|part| part.size).sum(),
            etag: etag.clone(),
            modified: now(),
            content_type: upload.content_type,
            headers: upload.headers,
            metadata: upload.metadata,
            checksum: None,
            kms_key: None,
        };
        let end = |records: &mut Records<'_>| {
            records.delete(UPLOADS, &object_id(bucket, id));
            records.delete_prefix(PARTS, &format!("{id}/"));
        };
        self.keep(aws, bucket, key, record, contents, |_| Ok(()), end).await?;
        self.files.remove(stored.values().map(|part| &part.file));
        let location = format!("{}/{bucket}/{key}", aws.settings.url);
        Ok(json!({"Location": location, "Bucket": bucket, "Key": key, "ETag": format!("\"{etag}\"")}))
    }

    pub(super) fn abort_upload(&self, aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
        let (bucket, key, id) = (params.text("Bucket")?, checked_key(params)?, params.text("UploadId")?);
        allowed(aws, caller, "s3:AbortMultipartUpload", bucket, Some(key))?;
        let parts = aws.store.transaction(|records| {
            open(records, bucket, key, id)?;
            let parts: Vec<(String, Record)> = records.range(PARTS, &format!("{id}/"), None, usize::MAX);
            records.delete(UPLOADS, &object_id(bucket, id));
            records.delete_prefix(PARTS, &format!("{id}/"));
            Ok::<_, ApiError>(parts)
        })?;
        self.files.remove(parts.iter().map(|(_, part)| &part.file));
        Ok(json!({}))
    }
}

pub fn parts(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
    let (bucket, key, id) = (params.text("Bucket")?, checked_key(params)?, params.text("UploadId")?);
    allowed(aws, caller, "s3:ListMultipartUploadParts", bucket, Some(key))?;
    aws.store.transaction_soon(|records| open(records, bucket, key, id))?;
    let stored = stored(aws, id);
    let describe = |(number, part): (&i64, &Record)| {
        json!({
            "PartNumber": number,
            "LastModified": iso(part.modified),
            "ETag": format!("\"{}\"", part.etag),
            "Size": part.size,
        })
    };
    Ok(json!({
        "Bucket": bucket,
        "Key": key,
        "UploadId": id,
        "MaxParts": MOST_PARTS,
        "IsTruncated": false,
        "StorageClass": "STANDARD",
        "Parts": stored.iter().map(describe).collect::<Vec<_>>(),
    }))
}

pub fn list(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
    let bucket = params.text("Bucket")?;
    allowed(aws, caller, "s3:ListBucketMultipartUploads", bucket, None)?;
    let uploads: Vec<(String, Upload)> = aws.store.list_prefix(UPLOADS, &format!("{bucket}/"));
    let describe = |(id, upload): &(String, Upload)| {
        json!({
            "Key": upload.key,
            "UploadId": &id[bucket.len() + 1..],
            "Initiated": iso(upload.started),
            "StorageClass": "STANDARD",
        })
    };
    Ok(json!({
        "Bucket": bucket,
        "MaxUploads": 1000,
        "IsTruncated": false,
        "Uploads": uploads.iter().map(describe).collect::<Vec<_>>(),
    }))
}

/// The upload, when it is one of this key that is neither complete nor aborted.
fn open(records: &Records<'_>, bucket: &str, key: &str, id: &str) -> Result<Upload> {
    records.get::<Upload>(UPLOADS, &object_id(bucket, id)).filter(|upload| upload.key == key).ok_or_else(|| {
        let message = "The specified multipart upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.";
        ApiError::new(404, "NoSuchUpload", message).with("UploadId", id)
    })
}

fn stored(aws: &Aws, id: &str) -> BTreeMap<i64, Record> {
    let parts: Vec<(String, Record)> = aws.store.list_prefix(PARTS, &format!("{id}/"));
    parts
        .into_iter()
        .filter_map(|(part, record)| Some((part[id.len() + 1..].parse().ok()?, record)))
        .collect()
}

/// The parts that a completion names, when it names them rightly.
fn chosen<'a>(wanted: &[Value], stored: &'a BTreeMap<i64, Record>) -> Result<Vec<&'a Record>> {
    let mut parts: Vec<&Record> = Vec::new();
    let mut previous = 0;
    for part in wanted {
        let number = part["PartNumber"].as_i64().unwrap_or_default();
        if number <= previous {
            let message =
                "The list of parts was not in ascending order. Parts must be ordered by part number.";
            return Err(ApiError::new(400, "InvalidPartOrder", message));
        }
        previous = number;
        let invalid = || {
            let message = "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.";
            ApiError::new(400, "InvalidPart", message).with("PartNumber", number.to_string())
        };
        let etag = part["ETag"].as_str().unwrap_or_default().trim_matches('"');
        parts.push(stored.get(&number).filter(|record| record.etag == etag).ok_or_else(invalid)?);
    }
    let Some((_, all_but_last)) = parts.split_last() else {
        return Err(ApiError::new(
            400,
            "MalformedXML",
            "a multipart upload is completed with at least one part",
        ));
    };
    if all_but_last.iter().any(|part| part.size < SMALLEST_PART) {
        let message = "Your proposed upload is smaller than the minimum allowed size";
        return Err(ApiError::new(400, "EntityTooSmall", message));
    }
    if parts.iter().map(|part| part.size).sum::<u64>() > LARGEST_OBJECT {
        return Err(ApiError::new(400, "EntityTooLarge", "the local endpoint takes objects up to 1 GiB"));
    }
    Ok(parts)
}
