//! Which function, version or alias a request means: a name, a partial ARN or an ARN, with the qualifier in it or apart.

use crate::{ACCOUNT, ApiError, Aws, Caller};

use super::errors::{invalid, not_found};
use super::input::{Constraints, is_word};

/// The qualifier of the version that changes.
pub const LATEST: &str = "$LATEST";

const NAME_PATTERN: &str = "(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?(\\d{12}:)?\
                            (function:)?([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?";

/// A function, or one of its versions or aliases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The function's plain name.
    pub name: String,
    /// `$LATEST`, a version's number or an alias's name, when the request gives one.
    pub qualifier: Option<String>,
}

impl Target {
    /// Reads what a request names.
    ///
    /// # Errors
    /// `ValidationException` for what can be no name, `InvalidParameterValueException` when name and qualifier
    /// contradict each other, `ResourceNotFoundException` for another region, `AccessDeniedException` for another
    /// account.
    pub fn read(aws: &Aws, function: Option<&str>, qualifier: Option<&str>) -> Result<Self, ApiError> {
        let mut constraints = Constraints::default();
        constraints.required("functionName", function.as_ref());
        let parts = function.and_then(split);
        if let Some(function) = function {
            constraints.pattern("functionName", function, parts.is_some(), NAME_PATTERN);
        }
        if let Some(q) = qualifier {
            constraints.length("qualifier", Some(q), 1, 128);
            constraints.pattern("qualifier", q, q == LATEST || is_word(q), "(|[a-zA-Z0-9$_-]+)");
        }
        constraints.check()?;
        let Some(parts) = parts else { return Err(invalid("the function's name is missing")) };
        if parts.name.len() > 64 {
            let mut constraints = Constraints::default();
            constraints.length("functionName", Some(parts.name), 1, 64);
            constraints.check()?;
        }
        if let Some(region) = parts.region.filter(|r| *r != aws.settings.region) {
            return Err(not_found(format!(
                "Functions from '{region}' are not reachable in this region ('{}')",
                aws.settings.region
            )));
        }
        if let Some(account) = parts.account.filter(|a| *a != ACCOUNT) {
            return Err(ApiError::new(
                403,
                "AccessDeniedException",
                format!(
                    "the function {} belongs to account {account}, this is account {ACCOUNT}",
                    parts.name
                ),
            ));
        }
        if let (Some(inside), Some(apart)) = (parts.qualifier, qualifier)
            && inside != apart
        {
            return Err(invalid(
                "The derived qualifier from the function name does not match the specified qualifier.",
            ));
        }
        Ok(Self { name: parts.name.to_owned(), qualifier: parts.qualifier.or(qualifier).map(str::to_owned) })
    }

    /// The ARN of the function itself.
    pub fn function_arn(&self, aws: &Aws) -> String {
        arn(aws, &self.name, None)
    }

    /// The ARN with the qualifier, when there is one.
    pub fn arn(&self, aws: &Aws) -> String {
        arn(aws, &self.name, self.qualifier.as_deref())
    }

    /// For operations on the function as a whole.
    ///
    /// # Errors
    /// `InvalidParameterValueException` when a version or alias is named.
    pub fn unqualified(self) -> Result<Self, ApiError> {
        match self.qualifier.as_deref() {
            None | Some(LATEST) => Ok(Self { name: self.name, qualifier: None }),
            Some(q) => Err(invalid(format!(
                "This operation works on a function as a whole and cannot be performed on its version or alias '{q}'."
            ))),
        }
    }

    /// Whether the caller may perform the action on the function as a whole.
    ///
    /// # Errors
    /// As [`crate::iam::Iam::authorize`].
    pub fn authorize(&self, aws: &Aws, caller: &Caller, action: &str) -> Result<(), ApiError> {
        aws.iam.authorize(aws, caller, &format!("lambda:{action}"), &self.function_arn(aws))
    }

    /// Whether the caller may perform the action on the version or alias named, or else on the function.
    ///
    /// # Errors
    /// As [`crate::iam::Iam::authorize`].
    pub fn authorize_qualified(&self, aws: &Aws, caller: &Caller, action: &str) -> Result<(), ApiError> {
        aws.iam.authorize(aws, caller, &format!("lambda:{action}"), &self.arn(aws))
    }
}

/// The ARN of a function or of its version or alias.
pub fn arn(aws: &Aws, name: &str, qualifier: Option<&str>) -> String {
    match qualifier {
        Some(q) => aws.arn("lambda", &format!("function:{name}:{q}")),
        None => aws.arn("lambda", &format!("function:{name}")),
    }
}

/// The version a qualifier names, when it names one by number.
pub fn version_number(qualifier: &str) -> Option<u64> {
    if qualifier.bytes().all(|b| b.is_ascii_digit()) { qualifier.parse().ok() } else { None }
}

#[derive(Debug, PartialEq, Eq)]
struct Parts<'a> {
    region: Option<&'a str>,
    account: Option<&'a str>,
    name: &'a str,
    qualifier: Option<&'a str>,
}

fn split(text: &str) -> Option<Parts<'_>> {
    let fields: Vec<&str> = text.split(':').collect();
    let (region, account, rest) = match fields.as_slice() {
        ["arn", partition, "lambda", region, account, "function", rest @ ..]
            if partition.starts_with("aws") =>
        {
            (Some(*region), Some(*account), rest)
        }
        ["arn", ..] => return None,
        [region, account, "function", rest @ ..] => (Some(*region), Some(*account), rest),
        [account, "function", rest @ ..] if is_account(account) => (None, Some(*account), rest),
        ["function", rest @ ..] if !rest.is_empty() => (None, None, rest),
        rest => (None, None, rest),
    };
    if account.is_some_and(|a| !is_account(a)) {
        return None;
    }
    let (name, qualifier) = match rest {
        [name] => (*name, None),
        [name, qualifier] => (*name, Some(*qualifier)),
        _ => return None,
    };
    let qualified = qualifier.is_none_or(|q| q == LATEST || is_word(q));
    (is_word(name) && qualified).then_some(Parts { region, account, name, qualifier })
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_partial_arns_and_arns_are_the_same_function() {
        for (text, qualifier) in [
            ("f", None),
            ("f:live", Some("live")),
            ("000000000000:function:f", None),
            ("us-east-1:000000000000:function:f", None),
            ("function:f:7", Some("7")),
            ("arn:aws:lambda:us-east-1:000000000000:function:f", None),
            ("arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST", Some("$LATEST")),
        ] {
            let parts = split(text).unwrap();
            assert_eq!((parts.name, parts.qualifier), ("f", qualifier), "{text}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in
            ["", "a b", "f:", "f:a:b", "arn:aws:s3:::bucket", "arn:aws:lambda:us-east-1:1:function:f", "f:$X"]
        {
            assert_eq!(split(text), None, "{text}");
        }
    }

    #[test]
    fn only_digits_are_a_version() {
        assert_eq!(version_number("12"), Some(12));
        assert_eq!(version_number("1a"), None);
        assert_eq!(version_number("$LATEST"), None);
    }
}
