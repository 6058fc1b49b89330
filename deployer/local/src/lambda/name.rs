//! Which function, version or alias a request means: a name, a partial ARN or an ARN, with the qualifier in it or apart.

use crate::{ApiError, Aws, Caller, Result};

use super::errors::{invalid, not_found};
use super::input::{Constraints, is_word, is_word_byte};

/// The qualifier of the version that changes.
pub const LATEST: &str = "$LATEST";
/// The qualifier of the version published last, of functions with capacity providers; here none has it.
const PUBLISHED: &str = "$LATEST.PUBLISHED";

/// What most operations take as a function's name.
const NAME_PATTERN: &str = "(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?\
                            (\\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?";
/// What those take that read a function, invoke it or delete it: also names with dots, which no function has.
const NAMESPACED_PATTERN: &str = "(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?\
                                  (\\d{12}:)?(function:)?([a-zA-Z0-9-_\\.]+)(:(\\$LATEST(\\.PUBLISHED)?|[a-zA-Z0-9-_]+))?";
const QUALIFIER_PATTERN: &str = "\\$(LATEST(\\.PUBLISHED)?)|[a-zA-Z0-9-_$]+";

/// Whether dots may be in a name: AWS has two shapes of a function's name, each with a longest length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Name,
    Namespaced,
}

/// A function, or one of its versions or aliases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The function's plain name.
    pub name: String,
    /// `$LATEST`, a version's number or an alias's name, when the request gives one.
    pub qualifier: Option<String>,
}

impl Target {
    /// Reads the function that a request changes as a whole.
    ///
    /// # Errors
    /// `ValidationException` for what can be no name, `InvalidParameterValueException` when a qualifier comes with it,
    /// `ResourceNotFoundException` for another region, `AccessDeniedException` for another account.
    pub fn whole(aws: &Aws, function: Option<&str>) -> Result<Self> {
        let target = Self::parse(aws, function, None, Shape::Name)?;
        match target.qualifier.as_deref() {
            None => Ok(target),
            Some(LATEST) => Ok(Self { name: target.name, qualifier: None }),
            Some(_) => Err(functions_only()),
        }
    }

    /// As [`Target::whole`], for operations that take no qualifier, `$LATEST` included.
    ///
    /// # Errors
    /// As there.
    pub fn unqualified(aws: &Aws, function: Option<&str>) -> Result<Self> {
        let target = Self::parse(aws, function, None, Shape::Name)?;
        if target.qualifier.is_some() { Err(functions_only()) } else { Ok(target) }
    }

    /// Reads the function, version or alias that a request reads, invokes or deletes.
    ///
    /// # Errors
    /// As [`Target::whole`], and `InvalidParameterValueException` when name and qualifier contradict each other.
    pub fn read(aws: &Aws, function: Option<&str>, qualifier: Option<&str>) -> Result<Self> {
        Self::parse(aws, function, qualifier, Shape::Namespaced)
    }

    fn parse(aws: &Aws, function: Option<&str>, qualifier: Option<&str>, shape: Shape) -> Result<Self> {
        let mut constraints = Constraints::default();
        constraints.required("functionName", function.as_ref());
        if let Some(q) = qualifier {
            constraints.length("qualifier", Some(q), 1, 128);
            let holds = q == PUBLISHED || q.bytes().all(|b| is_word_byte(b) || b == b'$');
            constraints.pattern("qualifier", q, holds, QUALIFIER_PATTERN);
        }
        let parts = function.and_then(|text| split(text, shape));
        if let Some(function) = function {
            let (longest, pattern) = match shape {
                Shape::Name => (140, NAME_PATTERN),
                Shape::Namespaced => (256, NAMESPACED_PATTERN),
            };
            constraints.length("functionName", Some(function), 1, longest);
            constraints.pattern("functionName", function, parts.is_some(), pattern);
        }
        constraints.check()?;
        let Some(parts) = parts else { return Err(invalid("the function's name is missing")) };
        if let Some(region) = parts.region.filter(|r| *r != aws.settings.region) {
            return Err(not_found(format!(
                "Functions from '{region}' are not reachable in this region ('{}')",
                aws.settings.region
            )));
        }
        if let Some(account) = parts.account.filter(|a| *a != aws.settings.account) {
            return Err(ApiError::new(
                403,
                "AccessDeniedException",
                format!(
                    "the function {} belongs to account {account}, this is account {}",
                    parts.name, aws.settings.account
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

    /// Whether a new function can have this name.
    ///
    /// # Errors
    /// `InvalidParameterValueException`.
    pub fn check_new(&self) -> Result<()> {
        let mut constraints = Constraints::default();
        constraints.length("functionName", Some(&self.name), 1, 64);
        // It is no ValidationException, as other lengths are.
        constraints.check().map_err(|e| invalid(e.message))
    }

    /// The ARN of the function itself.
    pub fn function_arn(&self, aws: &Aws) -> String {
        arn(aws, &self.name, None)
    }

    /// The ARN with the qualifier, when there is one.
    pub fn arn(&self, aws: &Aws) -> String {
        arn(aws, &self.name, self.qualifier.as_deref())
    }

    /// The ARN with the qualifier, `$LATEST` when there is none: so AWS names what it would have run and did not find.
    pub fn running_arn(&self, aws: &Aws) -> String {
        arn(aws, &self.name, Some(self.qualifier.as_deref().unwrap_or(LATEST)))
    }

    /// Whether the caller may perform the action on the function as a whole.
    ///
    /// # Errors
    /// As [`crate::iam::Iam::authorize`].
    pub fn authorize(&self, aws: &Aws, caller: &Caller, action: &str) -> Result<()> {
        aws.iam.authorize(aws, caller, &format!("lambda:{action}"), &self.function_arn(aws))
    }

    /// Whether the caller may perform the action on the version or alias named, or else on the function.
    ///
    /// # Errors
    /// As [`crate::iam::Iam::authorize`].
    pub fn authorize_qualified(&self, aws: &Aws, caller: &Caller, action: &str) -> Result<()> {
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

/// Reads the optional parts that come before a name, one after another, as the patterns above do.
fn split(text: &str, shape: Shape) -> Option<Parts<'_>> {
    let fields: Vec<&str> = text.split(':').collect();
    let mut rest = fields.as_slice();
    if let ["arn", partition, "lambda", after @ ..] = rest
        && (partition.is_empty() || partition.starts_with("aws"))
    {
        rest = after;
    }
    let mut take = |is: fn(&str) -> bool| match rest {
        [first, after @ ..] if !after.is_empty() && is(first) => {
            rest = after;
            Some(*first)
        }
        _ => None,
    };
    let region = take(is_region);
    let account = take(is_account);
    take(|word| word == "function");
    let (name, qualifier) = match rest {
        [name] => (*name, None),
        [name, qualifier] => (*name, Some(*qualifier)),
        _ => return None,
    };
    let dots = shape == Shape::Namespaced;
    let named = !name.is_empty() && name.bytes().all(|b| is_word_byte(b) || (dots && b == b'.'));
    let qualified = qualifier.is_none_or(|q| q == LATEST || (dots && q == PUBLISHED) || is_word(q));
    (named && qualified).then_some(Parts { region, account, name, qualifier })
}

/// Such as `us-east-1`, `us-gov-west-1`, `us-isob-east-1` or `eusc-de-east-1`.
fn is_region(text: &str) -> bool {
    let text = text.strip_prefix("eusc-").unwrap_or(text);
    let fields: Vec<&str> = text.split('-').collect();
    let (country, inner) = match fields.as_slice() {
        [country, kind, inner @ ..] if *kind == "gov" => (country, inner),
        [country, kind, inner @ ..] if kind.starts_with("iso") && kind.len() <= 4 => (country, inner),
        [country, inner @ ..] => (country, inner),
        [] => return false,
    };
    let lower = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase());
    let &[direction, number] = inner else { return false };
    country.len() == 2
        && lower(country)
        && lower(direction)
        && number.len() == 1
        && number.bytes().all(|b| b.is_ascii_digit())
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

fn functions_only() -> ApiError {
    invalid(
        "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. \
         Please specify either a function name or an unqualified function ARN.",
    )
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
            ("us-gov-east-1:f", None),
            ("us-isob-east-1:000000000000:f", None),
            ("arn:aws:lambda:eusc-de-east-1:000000000000:f", None),
            ("arn:aws:lambda:us-east-1:000000000000:function:f", None),
            ("arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST", Some("$LATEST")),
        ] {
            let parts = split(text, Shape::Name).unwrap();
            assert_eq!((parts.name, parts.qualifier), ("f", qualifier), "{text}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in
            ["", "a b", "f:", "f:a:b", "arn:aws:s3:::bucket", "arn:aws:lambda:us-east-1:1:function:f", "f:$X"]
        {
            assert_eq!(split(text, Shape::Name), None, "{text}");
        }
    }

    #[test]
    fn only_digits_are_a_version() {
        assert_eq!(version_number("12"), Some(12));
        assert_eq!(version_number("1a"), None);
        assert_eq!(version_number("$LATEST"), None);
    }
}
