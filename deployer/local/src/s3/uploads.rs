//! Multipart uploads: parts are put one by one and become one object together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use md5::Digest as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::checksum::{self, Checksum, Stated, Wanted};
use super::conditions::{Writing, unquoted};
use super::objects::{NO_TYPE, now};
use super::{
    PARTS, Record, S3, UPLOADS, allowed, bad_argument, checked_key, iso, key_allowed, listing, object_id,
    objects, owner,
};
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
    #[serde(default)]
    checksum: Option<Wanted>,
    /// The ARN of the key it was begun with.
    #[serde(default)]
    kms_key: Option<String>,
    /// Whether the object was written or deleted since, so that no condition of the completion can hold.
    #[serde(default)]
    disturbed: bool,
}

pub fn create(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
    let (bucket, key) = (params.text("Bucket")?, checked_key(params)?);
    let record = allowed(aws, caller, "s3:PutObject", bucket, Some(key))?;
    let content_type = params.optional_text("ContentType")?.unwrap_or(NO_TYPE);
    let checksum =
        Wanted::new(params.optional_text("ChecksumAlgorithm")?, params.optional_text("ChecksumType")?)?;
    let wanted = params.optional_text("SSEKMSKeyId")?.map(str::to_owned);
    let kms_key = objects::kms_key(aws, &record, wanted);
    key_allowed(aws, caller, "kms:GenerateDataKey", kms_key.as_deref())?;
    let upload = Upload {
        key: key.to_owned(),
        started: now(),
        content_type: content_type.to_owned(),
        headers: params.tags("Headers")?.into_iter().collect(),
        metadata: params.tags("Metadata")?,
        checksum,
        kms_key,
        disturbed: false,
    };
    let id = ids::hex(40);
    aws.store.put(UPLOADS, &object_id(bucket, &id), &upload);
    Ok(json!({
        "Bucket": bucket,
        "Key": key,
        "UploadId": id,
        "ChecksumAlgorithm": upload.checksum.as_ref().map(|wanted| wanted.algorithm.to_ascii_uppercase()),
        "ChecksumType": upload.checksum.as_ref().map(|wanted| &wanted.kind),
        "SSEKMSKeyId": upload.kms_key,
    }))
}

impl S3 {
    /// Writes a part of an upload and returns its ETag, without quotes, and the upload's KMS key.
    pub(super) async fn upload_part(
        &self,
        aws: &Arc<Aws>,
        caller: &Caller,
        input: Value,
        body: Bytes,
        checksum: Option<Checksum>,
    ) -> Result<(String, Option<String>)> {
        let params = Params::new(&input, "InvalidArgument");
        let (bucket, key, id) = (params.text("Bucket")?, checked_key(params)?, params.text("UploadId")?);
        allowed(aws, caller, "s3:PutObject", bucket, Some(key))?;
        let number = params.optional_text("PartNumber")?.unwrap_or_default();
        let number = number.parse().ok().filter(|n| (1..=MOST_PARTS).contains(n)).ok_or_else(|| {
            let message = "Part number must be an integer between 1 and 10000, inclusive";
            bad_argument("partNumber", Some(number), message)
        })?;
        let upload = aws.store.transaction_soon(|records| open(records, bucket, key, id))?;
        if let Some(wanted) = &upload.checksum {
            wanted.admit(checksum.as_ref())?;
        }
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
        replaced.map(|_| (etag, upload.kms_key))
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
        let parts =
            params.get("MultipartUpload").and_then(|m| m["Parts"].as_array()).cloned().unwrap_or_default();
        let wanted = upload.checksum.as_ref();
        let (name, value) = (params.optional_text("Checksum")?, params.optional_text("ChecksumValue")?);
        let stated = Stated { kind: params.optional_text("ChecksumType")?, value: name.zip(value) };
        let writing = Writing::of(params)?;
        checksum::admit_completion(wanted, stated, &parts)?;
        let chosen = chosen(&parts, &stored, wanted, id)?;
        let (mut contents, mut digests) = (Vec::new(), md5::Md5::new());
        for part in &chosen {
            let content = self.files.read(&part.file).await?;
            digests.update(md5::Md5::digest(&content));
            contents.push(content);
        }
        let etag = format!("{}-{}", hex::encode(digests.finalize()), chosen.len());
        let size = chosen.iter().map(|part| part.size).sum();
        if let Some(given) = params.number("MpuObjectSize", 0..=i64::MAX)?
            && u64::try_from(given) != Ok(size)
        {
            let message = format!(
                "The provided 'x-amz-mp-object-size' header value {given} does not match what was computed: {size}"
            );
            return Err(ApiError::new(400, "InvalidRequest", message));
        }
        let checksum = checksum::of_parts(wanted, &chosen, &contents.concat(), stated)?;
        let record = Record {
            file: String::new(),
            size,
            etag: etag.clone(),
            modified: now(),
            content_type: upload.content_type,
            headers: upload.headers,
            metadata: upload.metadata,
            checksum: Some(checksum.clone()),
            kms_key: upload.kms_key.clone(),
        };
        let check = |records: &Records<'_>, old: Option<&Record>| {
            let upload = open(records, bucket, key, id)?;
            writing.check(key, old)?;
            match writing.name().filter(|_| upload.disturbed) {
                None => Ok(()),
                Some(condition) => {
                    let message = "The conditional request cannot succeed due to a conflicting operation against this resource.";
                    let error = ApiError::new(409, "ConditionalRequestConflict", message);
                    Err(error.with("Condition", condition).with("Key", key))
                }
            }
        };
        let end = |records: &mut Records<'_>| {
            records.delete(UPLOADS, &object_id(bucket, id));
            records.delete_prefix(PARTS, &format!("{id}/"));
        };
        self.keep(aws, bucket, key, record, contents, check, end).await?;
        self.files.remove(stored.values().map(|part| &part.file));
        let location = format!("{}/{bucket}/{}", aws.settings.url, listing::encoded(key));
        let mut answer =
            json!({"Location": location, "Bucket": bucket, "Key": key, "ETag": format!("\"{etag}\"")});
        checksum::show(&mut answer, &checksum);
        answer["SSEKMSKeyId"] = json!(upload.kms_key);
        Ok(answer)
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

/// How many a page has at most: 1,000 unless fewer are asked for.
fn most(params: Params<'_>, member: &str) -> Result<usize> {
    let given = params.optional_text(member)?.filter(|text| !text.is_empty());
    let given = given.map(|_| params.number(member, 0..=i64::from(i32::MAX))).transpose()?.flatten();
    Ok(usize::try_from(given.unwrap_or(1000)).unwrap_or(1000).min(1000))
}

pub fn parts(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
    let (bucket, key, id) = (params.text("Bucket")?, checked_key(params)?, params.text("UploadId")?);
    allowed(aws, caller, "s3:ListMultipartUploadParts", bucket, Some(key))?;
    let upload = aws.store.transaction_soon(|records| open(records, bucket, key, id))?;
    let most = most(params, "MaxParts")?;
    let after = params.optional_text("PartNumberMarker")?.unwrap_or_default().parse().unwrap_or(0);
    let stored = stored(aws, id);
    let mut parts: Vec<(&i64, &Record)> = stored.range(after + 1..).collect();
    let more = parts.len() > most;
    parts.truncate(most);
    let describe = |(number, part): &(&i64, &Record)| {
        let mut described = json!({
            "PartNumber": number,
            "LastModified": iso(part.modified),
            "ETag": format!("\"{}\"", part.etag),
            "Size": part.size,
        });
        if let Some((algorithm, value)) = part.checksum.as_ref().filter(|_| upload.checksum.is_some()) {
            described[format!("Checksum{}", algorithm.to_ascii_uppercase())] = json!(value);
        }
        described
    };
    Ok(json!({
        "Bucket": bucket,
        "Key": key,
        "UploadId": id,
        "Initiator": initiator(),
        "Owner": owner(),
        "StorageClass": "STANDARD",
        "ChecksumAlgorithm": upload.checksum.as_ref().map(|wanted| wanted.algorithm.to_ascii_uppercase()),
        "ChecksumType": upload.checksum.as_ref().map(|wanted| &wanted.kind),
        "PartNumberMarker": after,
        "NextPartNumberMarker": parts.last().map_or(0, |(number, _)| **number),
        "MaxParts": most,
        "IsTruncated": more,
        "Parts": parts.iter().map(describe).collect::<Vec<_>>(),
    }))
}

fn initiator() -> Value {
    let mut initiator = owner();
    initiator["DisplayName"] = json!("owner");
    initiator
}

pub fn list(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
    let bucket = params.text("Bucket")?;
    allowed(aws, caller, "s3:ListBucketMultipartUploads", bucket, None)?;
    let encode = listing::encoding(params)?;
    let shown = |key: &str| if encode { listing::encoded(key) } else { key.to_owned() };
    let text = |name: &str| Ok::<_, ApiError>(params.optional_text(name)?.unwrap_or_default());
    let (prefix, delimiter, after) = (text("Prefix")?, text("Delimiter")?, text("KeyMarker")?);
    // Without a key a marker of uploads has nothing to begin at.
    let after_id = text("UploadIdMarker")?;
    let after_id = if after.is_empty() { "" } else { after_id };
    let most = most(params, "MaxUploads")?;
    let below = format!("{bucket}/");
    let uploads: Vec<(String, Upload)> = aws.store.list_prefix(UPLOADS, &below);
    let named = |(id, upload): (String, Upload)| (id[below.len()..].to_owned(), upload);
    let mut uploads: Vec<(String, Upload)> = uploads.into_iter().map(named).collect();
    // Of one key in the order in which they were begun.
    uploads.sort_by(|(a_id, a), (b_id, b)| (&a.key, a.started, a_id).cmp(&(&b.key, b.started, b_id)));
    if !after_id.is_empty() {
        let at = uploads.iter().position(|(id, upload)| id == after_id && upload.key == after);
        let at =
            at.ok_or_else(|| bad_argument("upload-id-marker", Some(after_id), "Invalid uploadId marker"))?;
        uploads.drain(..=at);
    } else if !after.is_empty() {
        uploads.retain(|(_, upload)| upload.key.as_str() > after);
    }
    uploads.retain(|(_, upload)| upload.key.starts_with(prefix));
    let folded = |key: &str| listing::folded(key, prefix, Some(delimiter).filter(|d| !d.is_empty()));
    let done = folded(after);
    let mut page: Vec<(String, Upload)> = Vec::new();
    let mut prefixes: BTreeSet<String> = BTreeSet::new();
    let mut more = false;
    for (id, upload) in uploads {
        let folded = folded(&upload.key);
        // A marker inside a folded prefix is behind all of it.
        if folded.is_some() && (folded == done || folded.iter().any(|folded| prefixes.contains(folded))) {
            continue;
        }
        if page.len() + prefixes.len() == most {
            more = true;
            break;
        }
        match folded {
            Some(folded) => _ = prefixes.insert(folded),
            None => page.push((id, upload)),
        }
    }
    let describe = |(id, upload): &(String, Upload)| {
        json!({
            "Key": shown(&upload.key),
            "UploadId": id,
            "Initiator": initiator(),
            "Owner": owner(),
            "Initiated": iso(upload.started),
            "StorageClass": "STANDARD",
            "ChecksumAlgorithm": upload.checksum.as_ref().map(|wanted| wanted.algorithm.to_ascii_uppercase()),
            "ChecksumType": upload.checksum.as_ref().map(|wanted| &wanted.kind),
        })
    };
    let given = |text: &str| (!text.is_empty()).then(|| shown(text));
    Ok(json!({
        "Bucket": bucket,
        "KeyMarker": shown(after),
        "UploadIdMarker": after_id,
        "NextKeyMarker": page.last().map_or(String::new(), |(_, upload)| shown(&upload.key)),
        "NextUploadIdMarker": page.last().map_or("", |(id, _)| id),
        "Prefix": given(prefix),
        "Delimiter": given(delimiter),
        "EncodingType": encode.then_some("url"),
        "MaxUploads": most,
        "IsTruncated": more,
        "Uploads": page.iter().map(describe).collect::<Vec<_>>(),
        "CommonPrefixes": prefixes.iter().map(|prefix| json!({"Prefix": shown(prefix)})).collect::<Vec<_>>(),
    }))
}

/// Marks the uploads of a key whose object was written or deleted while they were open.
pub fn disturb(records: &mut Records<'_>, bucket: &str, key: &str) {
    let uploads: Vec<(String, Upload)> = records.range(UPLOADS, &format!("{bucket}/"), None, usize::MAX);
    for (id, upload) in uploads.into_iter().filter(|(_, upload)| upload.key == key && !upload.disturbed) {
        records.put(UPLOADS, &id, &Upload { disturbed: true, ..upload });
    }
}

/// The upload, when it is one of this key that is neither complete nor aborted.
fn open(records: &Records<'_>, bucket: &str, key: &str, id: &str) -> Result<Upload> {
    records.get::<Upload>(UPLOADS, &object_id(bucket, id)).filter(|upload| upload.key == key).ok_or_else(|| {
        let message = "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.";
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
fn chosen<'a>(
    wanted: &[Value],
    stored: &'a BTreeMap<i64, Record>,
    checksum: Option<&Wanted>,
    id: &str,
) -> Result<Vec<&'a Record>> {
    let mut parts: Vec<&Record> = Vec::new();
    let mut previous = 0;
    for part in wanted {
        let number = part["PartNumber"].as_i64().unwrap_or_default();
        if number <= previous {
            let message =
                "The list of parts was not in ascending order. Parts must be ordered by part number.";
            return Err(ApiError::new(400, "InvalidPartOrder", message).with("UploadId", id));
        }
        previous = number;
        let etag = unquoted(part["ETag"].as_str().unwrap_or_default());
        let found = stored.get(&number).filter(|record| record.etag == etag);
        match found {
            Some(record) if checksum::matches(checksum, part, record)? => parts.push(record),
            _ => {
                let message = "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.";
                let error = ApiError::new(400, "InvalidPart", message).with("ETag", etag);
                return Err(error.with("PartNumber", number.to_string()).with("UploadId", id));
            }
        }
    }
    let Some((_, all_but_last)) = parts.split_last() else {
        return Err(ApiError::new(400, "InvalidRequest", "You must specify at least one part"));
    };
    if let Some(at) = all_but_last.iter().position(|part| part.size < SMALLEST_PART) {
        let message = "Your proposed upload is smaller than the minimum allowed size";
        let error = ApiError::new(400, "EntityTooSmall", message)
            .with("ETag", &all_but_last[at].etag)
            .with("MinSizeAllowed", SMALLEST_PART.to_string())
            .with("PartNumber", wanted[at]["PartNumber"].to_string())
            .with("ProposedSize", all_but_last[at].size.to_string());
        return Err(error);
    }
    if parts.iter().map(|part| part.size).sum::<u64>() > LARGEST_OBJECT {
        return Err(ApiError::new(400, "EntityTooLarge", "the local endpoint takes objects up to 1 GiB"));
    }
    Ok(parts)
}
