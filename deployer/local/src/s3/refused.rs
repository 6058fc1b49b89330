//! Headers of S3 that change what is stored or who may read it, and that this endpoint does not carry out: such a request is
//! refused, never answered as if they had been.

use crate::protocol::Request;
use crate::{ApiError, Result};

/// Any value of these is refused.
const HEADERS: [&str; 7] = [
    "x-amz-bucket-object-lock-enabled",
    "x-amz-object-lock-legal-hold",
    "x-amz-object-lock-mode",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-tagging",
    "x-amz-website-redirect-location",
    "x-amz-write-offset-bytes",
];
/// Access that a list of grants would give.
const GRANTS: [&str; 5] = ["full-control", "read", "read-acp", "write", "write-acp"];
/// The only values of these that change nothing.
const VALUES: [(&str, &[&str]); 2] =
    [("x-amz-acl", &["private", "bucket-owner-full-control"]), ("x-amz-storage-class", &["STANDARD"])];

/// Refuses a request that asks for more than is carried out here.
///
/// # Errors
/// `NotImplemented` (501) with the header's name.
pub fn headers(request: &Request) -> Result<()> {
    let grants = GRANTS.iter().map(|grant| format!("x-amz-grant-{grant}"));
    let always = HEADERS.iter().map(|name| (*name).to_owned()).chain(grants);
    let present = always.filter(|name| request.header(name).is_some());
    let other =
        VALUES.iter().filter(|(name, same)| request.header(name).is_some_and(|value| !same.contains(&value)));
    match present.chain(other.map(|(name, _)| (*name).to_owned())).next() {
        None => Ok(()),
        Some(name) => {
            let message = format!(
                "A header you provided implies functionality that is not implemented: the local endpoint does not carry out \
                 {name}"
            );
            Err(ApiError::new(501, "NotImplemented", message))
        }
    }
}
