//! What S3 allows as a bucket's name, for inputs, options and the template's parameters alike.

/// A bucket's name as a regular expression. Buckets that are older than these rules may have other names; no stack can be told to
/// read from such a one.
pub const BUCKET: &str = "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$";

/// The same in words, to be read after "use" or "must be".
pub const BUCKET_SAYS: &str =
    "a bucket's name: 3 to 63 lower-case letters, digits and, inside, hyphens and dots";

/// Whether a text is what [`BUCKET`] describes.
pub(super) fn is_bucket(name: &str) -> bool {
    let is_plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    (3..=63).contains(&name.len())
        && name.bytes().all(|c| is_plain(c) || c == b'-' || c == b'.')
        && [name.bytes().next(), name.bytes().last()].into_iter().flatten().all(is_plain)
}
