//! Listing a bucket's objects: by key, in pages, with keys below a delimiter folded into one prefix.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{OBJECTS, Record, allowed, iso, owner};
use crate::params::Params;
use crate::{ApiError, Aws, Caller, Result};

/// What `encoding-type=url` leaves as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b'/');
const BATCH: usize = 1000;

struct Page {
    objects: Vec<(String, Record)>,
    prefixes: BTreeSet<String>,
    /// The last key or prefix, when there is more.
    last: Option<String>,
}

/// `ListObjects`, `ListObjectsV2` and `ListObjectVersions`, which knows the current versions only.
pub fn list(aws: &Aws, caller: &Caller, operation: &str, params: Params<'_>) -> Result<Value> {
    let bucket = params.text("Bucket")?;
    let action = if operation == "ListObjectVersions" { "s3:ListBucketVersions" } else { "s3:ListBucket" };
    allowed(aws, caller, action, bucket, None)?;
    let text = |name: &str| Ok::<_, ApiError>(params.optional_text(name)?.filter(|text| !text.is_empty()));
    let (prefix, delimiter) = (text("Prefix")?.unwrap_or_default(), text("Delimiter")?);
    let most =
        usize::try_from(params.number("MaxKeys", 0..=i64::from(i32::MAX))?.unwrap_or(1000)).unwrap_or(1000);
    let most = most.min(1000);
    let token = match text("ContinuationToken")? {
        None => None,
        Some(token) => {
            let decoded = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            Some(decoded.ok_or_else(|| params.invalid("The continuation token provided is incorrect"))?)
        }
    };
    let after = match operation {
        "ListObjectsV2" => token.or(text("StartAfter")?.map(str::to_owned)),
        "ListObjects" => text("Marker")?.map(str::to_owned),
        _ => text("KeyMarker")?.map(str::to_owned),
    };
    let encode = match text("EncodingType")? {
        None => false,
        Some("url") => true,
        Some(other) => {
            return Err(params.invalid(format!("Invalid Encoding Method specified in Request: {other}")));
        }
    };
    let page = page(aws, bucket, prefix, delimiter, after.as_deref(), most);
    let key = |key: &str| if encode { utf8_percent_encode(key, PLAIN).to_string() } else { key.to_owned() };
    let objects: Vec<Value> = page
        .objects
        .iter()
        .map(|(name, record)| {
            let mut object = json!({
                "Key": key(name),
                "LastModified": iso(record.modified),
                "ETag": format!("\"{}\"", record.etag),
                "Size": record.size,
                "StorageClass": "STANDARD",
            });
            if operation == "ListObjectVersions" {
                object["VersionId"] = json!("null");
                object["IsLatest"] = json!(true);
                object["Owner"] = owner();
            }
            object
        })
        .collect();
    let prefixes: Vec<Value> = page.prefixes.iter().map(|prefix| json!({"Prefix": key(prefix)})).collect();
    let last = page.last.as_deref();
    let mut answer = json!({
        "Name": bucket,
        "Prefix": key(prefix),
        "Delimiter": delimiter.map(key),
        "MaxKeys": most,
        "EncodingType": encode.then_some("url"),
        "IsTruncated": last.is_some(),
        "CommonPrefixes": prefixes,
    });
    match operation {
        "ListObjectsV2" => {
            answer["KeyCount"] = json!(objects.len() + page.prefixes.len());
            answer["Contents"] = json!(objects);
            answer["ContinuationToken"] = json!(text("ContinuationToken")?);
            answer["StartAfter"] = json!(text("StartAfter")?.map(key));
            answer["NextContinuationToken"] = json!(last.map(|last| URL_SAFE_NO_PAD.encode(last)));
        }
        "ListObjects" => {
            answer["Contents"] = json!(objects);
            answer["Marker"] = json!(after.as_deref().map_or(String::new(), key));
            answer["NextMarker"] = json!(last.map(key));
        }
        _ => {
            answer["Versions"] = json!(objects);
            answer["KeyMarker"] = json!(after.as_deref().map_or(String::new(), key));
            answer["NextKeyMarker"] = json!(last.map(key));
            answer["NextVersionIdMarker"] = json!(last.map(|_| "null"));
        }
    }
    Ok(answer)
}

fn page(
    aws: &Aws,
    bucket: &str,
    prefix: &str,
    delimiter: Option<&str>,
    after: Option<&str>,
    most: usize,
) -> Page {
    let below = format!("{bucket}/{prefix}");
    let mut page = Page { objects: Vec::new(), prefixes: BTreeSet::new(), last: None };
    let folded = |key: &str| {
        let rest = key.strip_prefix(prefix)?;
        let end = rest.find(delimiter?)?;
        Some(format!("{prefix}{}", &rest[..end + delimiter?.len()]))
    };
    // After a page that ended with a folded prefix, what is below that prefix has been answered.
    let done = after.filter(|after| folded(after).as_deref() == Some(after));
    let mut from = after.map(|after| format!("{bucket}/{after}"));
    let mut last = None;
    if most == 0 {
        return page;
    }
    loop {
        let batch: Vec<(String, Record)> = aws.store.range(OBJECTS, &below, from.as_deref(), BATCH);
        let Some((end, _)) = batch.last() else { return page };
        from = Some(end.clone());
        for (id, record) in batch {
            let key = &id[bucket.len() + 1..];
            let item = folded(key);
            if done.is_some_and(|done| key.starts_with(done))
                || item.as_ref().is_some_and(|i| page.prefixes.contains(i))
            {
                continue;
            }
            if page.objects.len() + page.prefixes.len() == most {
                page.last = last;
                return page;
            }
            last = Some(item.clone().unwrap_or_else(|| key.to_owned()));
            match item {
                Some(prefix) => _ = page.prefixes.insert(prefix),
                None => page.objects.push((key.to_owned(), record)),
            }
        }
    }
}
