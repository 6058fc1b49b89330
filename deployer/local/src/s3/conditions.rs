//! Conditions of requests: those that read an object answer 304 or 412, those that write one 412 or 404.

use super::Record;
use crate::params::Params;
use crate::protocol::Request;
use crate::{ApiError, Result};

/// What a reader wants of an object's ETag and time, as HTTP has it. A copy has the same of its source.
#[derive(Debug, Default, Clone, Copy)]
pub struct Reading<'a> {
    pub if_match: Option<&'a str>,
    pub if_none_match: Option<&'a str>,
    pub if_modified_since: Option<&'a str>,
    pub if_unmodified_since: Option<&'a str>,
}

impl<'a> Reading<'a> {
    /// Those of a request.
    pub fn of(request: &'a Request) -> Self {
        Self {
            if_match: request.header("if-match"),
            if_none_match: request.header("if-none-match"),
            if_modified_since: request.header("if-modified-since"),
            if_unmodified_since: request.header("if-unmodified-since"),
        }
    }

    /// Those of a copy's source.
    ///
    /// # Errors
    /// `InvalidArgument` for what is no text.
    pub fn of_source(params: Params<'a>) -> Result<Self> {
        let text = |name: &str| params.optional_text(&format!("CopySourceIf{name}"));
        Ok(Self {
            if_match: text("Match")?,
            if_none_match: text("NoneMatch")?,
            if_modified_since: text("ModifiedSince")?,
            if_unmodified_since: text("UnmodifiedSince")?,
        })
    }

    /// The first that does not hold, by its name, of an object with this ETag (without quotes), put at `modified` seconds.
    /// Times count only where the ETag is not asked for, and a time to come not at all.
    pub fn failed(&self, etag: &str, modified: i64) -> Option<&'static str> {
        let seconds = |text: &str| Some(jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_second());
        let lists = |etags: &str| etags == "*" || etags.split(',').any(|e| unquoted(e) == etag);
        let now = jiff::Timestamp::now().as_second();
        let changed = match (self.if_match, self.if_unmodified_since) {
            (Some(etags), _) => (!lists(etags)).then_some("If-Match"),
            (None, Some(since)) => {
                seconds(since).filter(|since| modified > *since).map(|_| "If-Unmodified-Since")
            }
            (None, None) => None,
        };
        changed.or_else(|| match (self.if_none_match, self.if_modified_since) {
            (Some(etags), _) => lists(etags).then_some("If-None-Match"),
            (None, Some(since)) => {
                let since = seconds(since).filter(|since| modified <= *since && *since <= now);
                since.map(|_| "If-Modified-Since")
            }
            (None, None) => None,
        })
    }
}

/// What a writer wants of the object that is there.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub enum Writing {
    /// Nothing.
    #[default]
    Anyway,
    /// None is there: `If-None-Match: *`.
    IfAbsent,
    /// It has this ETag: `If-Match`.
    IfMatch(String),
}

impl Writing {
    /// Reads the members `IfMatch` and `IfNoneMatch`.
    ///
    /// # Errors
    /// `NotImplemented` for both, and for values that AWS does not take.
    pub fn of(params: Params<'_>) -> Result<Self> {
        Self::new(params.optional_text("IfMatch")?, params.optional_text("IfNoneMatch")?)
    }

    /// As two headers say it.
    ///
    /// # Errors
    /// As [`Writing::of`].
    pub fn new(if_match: Option<&str>, if_none_match: Option<&str>) -> Result<Self> {
        let refused = |header: &str, why: &str| {
            let message = "A header you provided implies functionality that is not implemented";
            let error = ApiError::new(501, "NotImplemented", message).with("Header", header);
            Err(error.with("additionalMessage", why))
        };
        match (if_match, if_none_match) {
            (None, None) => Ok(Self::Anyway),
            (Some(_), Some(_)) => refused(
                "If-Match,If-None-Match",
                "Multiple conditional request headers present in the request",
            ),
            (Some("*"), None) => {
                refused("If-Match", "We don't accept the provided value of If-Match header for this API")
            }
            (Some(etag), None) => Ok(Self::IfMatch(unquoted(etag).to_owned())),
            (None, Some("*")) => Ok(Self::IfAbsent),
            (None, Some(_)) => refused(
                "If-None-Match",
                "We don't accept the provided value of If-None-Match header for this API",
            ),
        }
    }

    /// The name of the condition, if there is one.
    pub fn name(&self) -> Option<&'static str> {
        match self {
            Self::Anyway => None,
            Self::IfAbsent => Some("If-None-Match"),
            Self::IfMatch(_) => Some("If-Match"),
        }
    }

    /// Whether it holds of what is there under the key.
    ///
    /// # Errors
    /// `PreconditionFailed`; `NoSuchKey` when something with an ETag is wanted and nothing is there.
    pub(super) fn check(&self, key: &str, old: Option<&Record>) -> Result<()> {
        match (self, old) {
            (Self::IfAbsent, Some(_)) => Err(failed("If-None-Match")),
            (Self::IfMatch(etag), Some(old)) if old.etag != *etag => Err(failed("If-Match")),
            (Self::IfMatch(_), None) => Err(super::no_key(key)),
            _ => Ok(()),
        }
    }
}

/// The error that a condition does not hold.
pub fn failed(condition: &str) -> ApiError {
    let message = "At least one of the pre-conditions you specified did not hold";
    ApiError::new(412, "PreconditionFailed", message).with("Condition", condition)
}

/// An ETag without quotes and without the mark of a weak one.
pub fn unquoted(etag: &str) -> &str {
    etag.trim().trim_start_matches("W/").trim_matches('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_etag_counts_more_than_a_time() {
        let (early, late) = ("Mon, 01 Jan 2001 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT");
        let reading = Reading::default();
        let modified = 1_700_000_000;
        for (reading, failed) in [
            (reading, None),
            (Reading { if_match: Some("\"b\", \"a\""), if_unmodified_since: Some(early), ..reading }, None),
            (Reading { if_match: Some("b"), ..reading }, Some("If-Match")),
            (Reading { if_unmodified_since: Some(early), ..reading }, Some("If-Unmodified-Since")),
            (Reading { if_none_match: Some("a"), ..reading }, Some("If-None-Match")),
            (Reading { if_none_match: Some("W/\"a\""), ..reading }, Some("If-None-Match")),
            (
                Reading {
                    if_none_match: Some("b"),
                    if_modified_since: Some("Tue, 14 Nov 2023 22:13:20 GMT"),
                    ..reading
                },
                None,
            ),
            (
                Reading { if_modified_since: Some("Tue, 14 Nov 2023 22:13:20 GMT"), ..reading },
                Some("If-Modified-Since"),
            ),
            (Reading { if_modified_since: Some(early), ..reading }, None),
            (Reading { if_modified_since: Some(late), ..reading }, None),
            (Reading { if_modified_since: Some("yesterday"), ..reading }, None),
        ] {
            assert_eq!(reading.failed("a", modified), failed, "{reading:?}");
        }
    }
}
