//! Buckets themselves.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::configuration::{self, OWNERSHIPS, Tagger};
use super::{BUCKETS, Bucket, OBJECTS, UPLOADS, allowed, bad_argument, iso, owner, token};
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
    let wanted = params.get("CreateBucketConfiguration").cloned().unwrap_or_default();
    let constraint = wanted["LocationConstraint"].as_str();
    check_place(region, constraint)?;
    let mut configurations = BTreeMap::new();
    let set = Params::new(&wanted, "MalformedXML");
    let tags = set.tags("Tags").map_err(|_| super::malformed_xml())?;
    if !tags.is_empty() {
        configuration::check_tags(&tags, Tagger::Maker)?;
        configurations.extend([configuration::initial("tagging", &json!({"TagSet": wanted["Tags"]}))]);
    }
    if let Some(ownership) = params.optional_text("ObjectOwnership")? {
        if !OWNERSHIPS.contains(&ownership) {
            let message = format!("Invalid x-amz-object-ownership header: {ownership}");
            return Err(bad_argument("x-amz-object-ownership", None, &message));
        }
        let rules = json!({"Rules": [{"ObjectOwnership": ownership}]});
        configurations.extend([configuration::initial("ownershipControls", &rules)]);
    }
    let created = jiff::Timestamp::now().as_second();
    // Where buckets need not say their region, making one again is no error, unless it is to have tags.
    let again = region == "us-east-1" && tags.is_empty();
    let bucket = Bucket { name: name.to_owned(), created, configurations };
    let location = match constraint {
        None => format!("/{name}"),
        Some(_) => aws.settings.url.replacen("127.0.0.1", &format!("{name}.s3.localhost"), 1) + "/",
    };
    let answer = json!({"Location": location, "BucketArn": arn(name)});
    aws.store.transaction(|records| {
        if records.get::<Bucket>(BUCKETS, name).is_some() {
            if again {
                return Ok(answer);
            }
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
        Ok(answer)
    })
}

/// Whether a bucket may be made in a place: only in the endpoint's region, which must be named unless it is the first one.
fn check_place(region: &str, constraint: Option<&str>) -> Result<()> {
    match constraint {
        None if region == "us-east-1" => Ok(()),
        Some(place) if place == region && place != "us-east-1" => Ok(()),
        Some(place) if region == "us-east-1" => {
            let message = "The specified location-constraint is not valid";
            Err(ApiError::new(400, "InvalidLocationConstraint", message).with("LocationConstraint", place))
        }
        place => {
            let message = format!(
                "The {} location constraint is incompatible for the region specific endpoint this request was sent to.",
                place.unwrap_or("unspecified")
            );
            Err(ApiError::new(400, "IllegalLocationConstraintException", message))
        }
    }
}

fn arn(name: &str) -> String {
    format!("arn:aws:s3:::{name}")
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
    Ok(json!({"BucketRegion": aws.settings.region, "BucketArn": arn(name)}))
}

pub fn location(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
    allowed(aws, caller, "s3:GetBucketLocation", params.text("Bucket")?, None)?;
    let region = Some(&aws.settings.region).filter(|region| *region != "us-east-1");
    Ok(json!({"LocationConstraint": region}))
}

pub fn list(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
    aws.iam.authorize(aws, caller, "s3:ListAllMyBuckets", "*")?;
    let prefix = params.optional_text("Prefix")?;
    let region = params.optional_text("BucketRegion")?;
    let elsewhere = region.is_some_and(|region| region != aws.settings.region);
    let most = usize::try_from(params.number("MaxBuckets", 1..=10_000)?.unwrap_or(10_000)).unwrap_or(10_000);
    let after = params.optional_text("ContinuationToken")?.map(token::read).transpose()?;
    let mut buckets: Vec<(String, Bucket)> =
        aws.store.range(BUCKETS, prefix.unwrap_or_default(), after.as_deref(), most + 1);
    buckets.retain(|_| !elsewhere);
    let more = buckets.len() > most;
    buckets.truncate(most);
    let describe = |(_, bucket): &(String, Bucket)| json!({"Name": bucket.name, "CreationDate": iso(bucket.created * 1000), "BucketRegion": aws.settings.region, "BucketArn": arn(&bucket.name)});
    Ok(json!({
        "Prefix": prefix,
        "Owner": owner(),
        "Buckets": buckets.iter().map(describe).collect::<Vec<_>>(),
        "ContinuationToken": buckets.last().filter(|_| more).map(|(name, _)| token::of(name)),
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
    let message = "The specified bucket is not valid.";
    Err(ApiError::new(400, "InvalidBucketName", message).with("BucketName", name))
}

#[cfg(test)]
mod tests {
    use super::{check_place, checked};

    #[test]
    fn a_bucket_is_made_where_the_endpoint_is() {
        let code = |region: &str, place: Option<&str>| check_place(region, place).map_err(|e| e.code);
        let illegal = || Err("IllegalLocationConstraintException".to_owned());
        assert_eq!(code("us-east-1", None), Ok(()));
        assert_eq!(code("us-east-1", Some("us-east-1")), Err("InvalidLocationConstraint".to_owned()));
        assert_eq!(code("eu-west-1", Some("eu-west-1")), Ok(()));
        assert_eq!((code("eu-west-1", None), code("eu-west-1", Some("us-east-1"))), (illegal(), illegal()));
    }

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
