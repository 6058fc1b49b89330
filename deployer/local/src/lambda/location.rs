//! Where GetFunction and GetLayerVersion say that a package can be fetched: on AWS a presigned URL into a bucket of Lambda's
//! own, good for ten minutes. Here S3's front asks [`Lambda::presigned`] for what lies in that bucket.

use std::collections::BTreeMap;

use bytes::Bytes;
use form_urlencoded::Serializer;
use jiff::Timestamp;

use crate::{ACCOUNT, ApiError, Aws, Result, ids};

use super::Lambda;
use super::package::digest;

/// Seconds that a URL is good for.
const LASTS: i64 = 600;
const SIGNATURE: &str = "X-Amz-Signature";
/// What the signature is made of besides the path.
const SIGNED: [&str; 5] =
    ["X-Amz-Algorithm", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Expires", "X-Amz-Credential"];

/// The bucket of a region that Lambda keeps packages in.
pub fn bucket(aws: &Aws) -> String {
    format!("awslambda-{}-tasks", aws.settings.region)
}

/// A package that was asked for.
pub struct Fetched {
    /// The zip.
    pub zip: Bytes,
    /// Its SHA-256, hexadecimal.
    pub sha256: String,
    /// When it came, seconds since the epoch.
    pub modified: i64,
}

/// Makes URLs and knows them again; those of an earlier process are not known.
pub struct Presigner {
    secret: String,
}

impl Default for Presigner {
    fn default() -> Self {
        Self { secret: ids::hex(64) }
    }
}

impl Presigner {
    /// Not the signature of AWS's version 4: nobody has the key it would be made with.
    fn sign(&self, key: &str, query: impl Fn(&str) -> String) -> String {
        let signed = SIGNED.map(query).join("\n");
        digest(digest(format!("{}\n{key}\n{signed}", self.secret).as_bytes()).as_bytes())
    }

    /// The URL of a package, by the SHA-256 of its zip; `folder` is `snapshots` or `layers`, `name` the function's or layer's.
    pub fn url(&self, aws: &Aws, folder: &str, name: &str, sha256: &str) -> String {
        let key = format!("{folder}/{}/{name}-{sha256}", aws.settings.account);
        let now = Timestamp::now();
        let date = now.strftime("%Y%m%d").to_string();
        // The front finds another account by its key.
        let access_key_id = Some(aws.settings.account.as_str()).filter(|account| *account != ACCOUNT);
        let access_key_id = access_key_id.unwrap_or("AKIALAMBDAPACKAGES");
        let credential = format!("{access_key_id}/{date}/{}/s3/aws4_request", aws.settings.region);
        let values = [
            "AWS4-HMAC-SHA256",
            &now.strftime("%Y%m%dT%H%M%SZ").to_string(),
            "host",
            &LASTS.to_string(),
            &credential,
        ]
        .map(str::to_owned);
        let query: BTreeMap<&str, String> = SIGNED.into_iter().zip(values).collect();
        let signature = self.sign(&key, |name| query.get(name).cloned().unwrap_or_default());
        let mut text = Serializer::new(String::new());
        for name in SIGNED {
            text.append_pair(name, query.get(name).map_or("", String::as_str));
        }
        let query = text.append_pair(SIGNATURE, &signature).finish();
        format!("{}/{}/{key}?{query}", aws.settings.url, bucket(aws))
    }
}

impl Lambda {
    /// The package that a presigned URL leads to. That the URL has not ended is for the front to see.
    ///
    /// # Errors
    /// S3's `AccessDenied` or `SignatureDoesNotMatch` for what is no such URL.
    pub(crate) async fn presigned(&self, key: &str, query: &BTreeMap<String, String>) -> Result<Fetched> {
        let given =
            query.get(SIGNATURE).ok_or_else(|| ApiError::new(403, "AccessDenied", "Access Denied"))?;
        if *given != self.presigner.sign(key, |name| query.get(name).cloned().unwrap_or_default()) {
            let message = "The request signature we calculated does not match the signature you provided. Check your key \
                           and signing method.";
            return Err(ApiError::new(403, "SignatureDoesNotMatch", message));
        }
        let missing = || ApiError::new(404, "NoSuchKey", "The specified key does not exist.");
        let sha256 = key.rsplit('-').next().unwrap_or_default();
        let path = self.packages.zip(sha256);
        let body = tokio::fs::read(&path).await.map_err(|_| missing())?;
        let modified = tokio::fs::metadata(&path).await.and_then(|m| m.modified()).ok();
        let modified = modified.and_then(|time| Timestamp::try_from(time).ok());
        let modified = modified.map_or(0, Timestamp::as_second);
        Ok(Fetched { zip: body.into(), sha256: sha256.to_owned(), modified })
    }
}
