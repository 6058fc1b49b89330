//! Listing a bucket's objects: by key, in pages, with keys below a delimiter folded into one prefix.

use std::collections::BTreeSet;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{OBJECTS, Record, allowed, bad_argument, checksum, iso, owner, token};
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
    let version = text("VersionIdMarker")?;
    if let Some(marker) =
        version.filter(|_| params.optional_text("KeyMarker").ok().flatten().is_none_or(str::is_empty))
    {
        let message = "A version-id marker cannot be specified without a key marker.";
        return Err(bad_argument("version-id-marker", Some(marker), message));
    }
    let token = params.optional_text("ContinuationToken")?.map(token::read).transpose()?;
    let after = match operation {
        "ListObjectsV2" => token.or(text("StartAfter")?.map(str::to_owned)),
        "ListObjects" => text("Marker")?.map(str::to_owned),
        _ => text("KeyMarker")?.map(str::to_owned),
    };
    let encode = encoding(params)?;
    // A marker inside a folded prefix is behind all of it; a key to start after is not.
    let done = match operation {
        "ListObjectsV2" => after.clone(),
        _ => after.as_deref().and_then(|after| folded(after, prefix, delimiter)),
    };
    let page = page(aws, bucket, (prefix, delimiter), (after.as_deref(), done.as_deref()), most);
    let key = |key: &str| if encode { encoded(key) } else { key.to_owned() };
    // An owner is shown to somebody, and by the newer listing when asked for.
    let owned = match operation {
        "ListObjectsV2" => params.flag("FetchOwner")?,
        "ListObjects" => *caller != Caller::Anonymous,
        _ => true,
    };
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
            if let Some(made) = &record.checksum {
                object["ChecksumAlgorithm"] = json!([made.0.to_ascii_uppercase()]);
                object["ChecksumType"] = json!(checksum::type_of(made));
            }
            if operation == "ListObjectVersions" {
                object["VersionId"] = json!("null");
                object["IsLatest"] = json!(true);
            }
            if owned {
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
            // What was asked for first counts no more once there is a token.
            let start = text("StartAfter")?.filter(|_| answer["ContinuationToken"].is_null());
            answer["StartAfter"] = json!(start.map(key));
            answer["NextContinuationToken"] = json!(last.map(token::of));
        }
        "ListObjects" => {
            answer["Contents"] = json!(objects);
            answer["Marker"] = json!(after.as_deref().map_or(String::new(), key));
            // Without a delimiter the last key says it.
            answer["NextMarker"] = json!(last.filter(|_| delimiter.is_some()).map(key));
        }
        _ => {
            answer["Versions"] = json!(objects);
            answer["KeyMarker"] = json!(after.as_deref().map_or(String::new(), key));
            answer["VersionIdMarker"] = json!(version.unwrap_or_default());
            answer["NextKeyMarker"] = json!(last.map(key));
            let is_key = last.is_some_and(|last| !page.prefixes.contains(last));
            answer["NextVersionIdMarker"] = json!(is_key.then_some("null"));
        }
    }
    Ok(answer)
}

/// The objects and prefixes after a marker. What is below `done` has been answered, when it is a folded prefix.
fn page(
    aws: &Aws,
    bucket: &str,
    (prefix, delimiter): (&str, Option<&str>),
    (after, done): (Option<&str>, Option<&str>),
    most: usize,
) -> Page {
    let below = format!("{bucket}/{prefix}");
    let mut page = Page { objects: Vec::new(), prefixes: BTreeSet::new(), last: None };
    let folded = |key: &str| folded(key, prefix, delimiter);
    let done = done.filter(|done| folded(done).as_deref() == Some(done));
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

/// The prefix into which a delimiter folds a key.
pub fn folded(key: &str, prefix: &str, delimiter: Option<&str>) -> Option<String> {
    let rest = key.strip_prefix(prefix)?;
    let end = rest.find(delimiter?)?;
    Some(format!("{prefix}{}", &rest[..end + delimiter?.len()]))
}

/// Whether keys are to be percent-encoded.
///
/// # Errors
/// `InvalidArgument` for an encoding that is not `url`, or empty.
pub fn encoding(params: Params<'_>) -> Result<bool> {
    match params.optional_text("EncodingType")? {
        None => Ok(false),
        Some("url") => Ok(true),
        other => Err(bad_argument("encoding-type", other, "Invalid Encoding Method specified in Request")),
    }
}

/// A key as `encoding-type=url` has it.
pub fn encoded(key: &str) -> String {
    utf8_percent_encode(key, PLAIN).to_string()
}
