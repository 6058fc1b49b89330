//! Buckets themselves.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::{BUCKETS, Bucket, OBJECTS, UPLOADS, allowed, iso, owner};
use crate::faults::Kind;
use crate::params::Params;
use crate::{ApiError, Aws, Caller, Result};

/// When buckets were deleted, seconds since the epoch, by their names.
const DELETED: &str = "s3-deleted-bucket";
/// For how long a deleted bucket's name may not be free on AWS, in seconds.
const HELD: i64 = 3600;

pub fn create(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
    let name = checked(params.text("Bucket")?)?;
    aws.iam.authorize(aws, caller, "s3:CreateBucket", &format!("arn:aws:s3:::{name}"))?;
    let region = aws.settings.region.as_str();
    let constraint = params.get("CreateBucketConfiguration").and_then(|c| c.get("LocationConstraint"));
    match constraint.and_then(Value::as_str) {
        None => {}
        Some(place) if place == region && place != "us-east-1" => {}
        Some(place) => {
            let message = format!(
                "The specified location-constraint is not valid here: \"{place}\"; the region is {region}"
            );
            return Err(ApiError::new(400, "InvalidLocationConstraint", message));
        }
    }
    let created = jiff::Timestamp::now().as_second();
    let bucket = Bucket { name: name.to_owned(), created, configurations: BTreeMap::new() };
    aws.store.transaction(|records| {
        if records.get::<Bucket>(BUCKETS, name).is_some() {
            let message =
                "Your previous request to create the named bucket succeeded and you already own it.";
            return Err(ApiError::new(409, "BucketAlreadyOwnedByYou", message).with("BucketName", name));
        }
        let deleted: Option<i64> = records.get(DELETED, name);
        if deleted.is_some_and(|at| at + HELD > created) && aws.faults.happens(Kind::NameHeld) {
            let message = "A conflicting conditional operation is currently in progress against this resource. Please try \
                           again.";
            return Err(ApiError::new(409, "OperationAborted", message).with("BucketName", name));
        }
        records.delete(DELETED, name);
        records.put(BUCKETS, name, &bucket);
        Ok(json!({"Location": format!("/{name}")}))
    })
}

pub fn delete(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
    let name = params.text("Bucket")?;
    allowed(aws, caller, "s3:DeleteBucket", name, None)?;
    aws.store.transaction(|records| {
        let inside = format!("{name}/");
        let objects: Vec<(String, Value)> = records.range(OBJECTS, &inside, None, 1);
        let uploads: Vec<(String, Value)> = records.range(UPLOADS, &inside, None, 1);
        if !objects.is_empty() || !uploads.is_empty() {
            let message = "The bucket you tried to delete is not empty";
            return Err(ApiError::new(409, "BucketNotEmpty", message).with("BucketName", name));
        }
        records.delete(BUCKETS, name);
        records.put(DELETED, name, &jiff::Timestamp::now().as_second());
        Ok(json!({}))
    })
}

pub fn head(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
    let name = params.text("Bucket")?;
    allowed(aws, caller, "s3:ListBucket", name, None)?;
    Ok(json!({"BucketRegion": aws.settings.region, "BucketArn": format!("arn:aws:s3:::{name}")}))
}

pub fn location(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
    allowed(aws, caller, "s3:GetBucketLocation", params.text("Bucket")?, None)?;
    let region = Some(&aws.settings.region).filter(|region| *region != "us-east-1");
    Ok(json!({"LocationConstraint": region}))
}

pub fn list(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
    aws.iam.authorize(aws, caller, "s3:ListAllMyBuckets", "*")?;
    let prefix = params.optional_text("Prefix")?.unwrap_or_default();
    let most = usize::try_from(params.number("MaxBuckets", 1..=10_000)?.unwrap_or(10_000)).unwrap_or(10_000);
    let after = params.optional_text("ContinuationToken")?;
    let mut buckets: Vec<(String, Bucket)> = aws.store.range(BUCKETS, prefix, after, most + 1);
    let more = buckets.len() > most;
    buckets.truncate(most);
    let describe = |(_, bucket): &(String, Bucket)| json!({"Name": bucket.name, "CreationDate": iso(bucket.created * 1000), "BucketRegion": aws.settings.region});
    Ok(json!({
        "Owner": owner(),
        "Buckets": buckets.iter().map(describe).collect::<Vec<_>>(),
        "ContinuationToken": buckets.last().filter(|_| more).map(|(name, _)| name),
    }))
}

/// A name that AWS would take for a bucket.
fn checked(name: &str) -> Result<&str> {
    let alphanumeric = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let fits = (3..=63).contains(&name.len())
        && name.chars().all(|c| alphanumeric(Some(c)) || c == '-' || c == '.')
        && alphanumeric(name.chars().next())
        && alphanumeric(name.chars().last())
        && !name.contains("..")
        && !name.starts_with("xn--")
        && !name.ends_with("-s3alias")
        && name.parse::<Ipv4Addr>().is_err();
    if fits {
        return Ok(name);
    }
    let message = format!(
        "The specified bucket is not valid: \"{name}\" must be 3 to 63 lower-case letters, digits, dots and hyphens"
    );
    Err(ApiError::new(400, "InvalidBucketName", message))
}

#[cfg(test)]
mod tests {
    use super::checked;

    #[test]
    fn names_are_those_aws_takes() {
        for name in ["abc", "my-bucket.1", "0123", &"a".repeat(63)] {
            assert!(checked(name).is_ok(), "{name}");
        }
        for name in ["ab", "Abc", "a_b", "-ab", "ab.", "a..b", "10.0.0.1", "..", "a/b", "", &"a".repeat(64)] {
            assert!(checked(name).is_err(), "{name}");
        }
    }
}
