//! ARNs of Lambda functions.

use std::fmt;

/// A function, without version or alias. Displays as its ARN.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct LambdaArn {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
    /// `eu-west-1`.
    pub region: String,
    /// Twelve digits.
    pub account: String,
    /// The function's name.
    pub name: String,
}

/// What follows a function's name in its ARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Qualifier(String);

impl Qualifier {
    /// As it is written: `$LATEST`, a version's number or an alias's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is `$LATEST`.
    pub fn is_latest(&self) -> bool {
        self.0 == "$LATEST"
    }

    /// `version` or `alias`, for messages.
    pub fn kind(&self) -> &'static str {
        if self.0.starts_with('$') || self.0.chars().all(|c| c.is_ascii_digit()) {
            "version"
        } else {
            "alias"
        }
    }
}

impl LambdaArn {
    /// Reads the ARN of a function to tune: plain or `:$LATEST`.
    ///
    /// # Errors
    /// Why it is none, to be read after the text itself; a version or alias is refused, since tuning changes `$LATEST`.
    pub fn parse(text: &str) -> Result<Self, String> {
        match Self::split(text)? {
            (arn, Some(qualifier)) if !qualifier.is_latest() => Err(format!(
                "names the {} '{}': tuning changes the memory size of $LATEST, so give the function without it, {arn}, or measure \
                 copies of it with tune: \"copy\"",
                qualifier.kind(),
                qualifier.as_str(),
            )),
            (arn, _) => Ok(arn),
        }
    }

    /// Reads a function's ARN, apart from its version or alias.
    ///
    /// # Errors
    /// Which part of the text is not that of a function's ARN, to be read after the text itself.
    pub fn split(text: &str) -> Result<(Self, Option<Qualifier>), String> {
        let fail = |reason: String| {
            Err(format!(
                "is not a function's ARN: {reason}; use the full ARN, such as \
                 arn:aws:lambda:eu-west-1:123456789012:function:my-function"
            ))
        };
        let parts: Vec<&str> = text.split(':').collect();
        let (arn, partition, service, region, account, kind, name, qualifier) = match *parts.as_slice() {
            [arn, partition, service, region, account, kind, name] => {
                (arn, partition, service, region, account, kind, name, None)
            }
            [arn, partition, service, region, account, kind, name, qualifier] => {
                (arn, partition, service, region, account, kind, name, Some(qualifier))
            }
            _ => {
                return fail(format!(
                    "an ARN of a function has 7 or 8 parts between colons, this has {}",
                    parts.len()
                ));
            }
        };
        if arn != "arn" || !partition.starts_with("aws") {
            return fail("it does not start with 'arn:aws'".to_owned());
        }
        if service != "lambda" || kind != "function" {
            return fail(format!("it names a '{service}' '{kind}', not a 'lambda' 'function'"));
        }
        if region.is_empty()
            || !region.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        {
            return fail(format!("'{region}' is not a region"));
        }
        if account.len() != 12 || !account.chars().all(|c| c.is_ascii_digit()) {
            return fail(format!("'{account}' is not an account id of 12 digits"));
        }
        let word = |text: &str, most: usize| {
            (1..=most).contains(&text.len())
                && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
        };
        if !word(name, 140) {
            return fail(format!("'{name}' is not a function's name"));
        }
        if let Some(qualifier) =
            qualifier.filter(|qualifier| *qualifier != "$LATEST" && !word(qualifier, 128))
        {
            return fail(format!("'{qualifier}' is neither a version nor an alias"));
        }
        let arn = Self {
            partition: partition.to_owned(),
            region: region.to_owned(),
            account: account.to_owned(),
            name: name.to_owned(),
        };
        Ok((arn, qualifier.map(|qualifier| Qualifier(qualifier.to_owned()))))
    }

    /// The function of an execution input that need not be a good one otherwise: for cleaning up after an input that was refused.
    pub fn of_input(input: &serde_json::Value) -> Option<Self> {
        Self::split(input.get("lambdaARN")?.as_str()?).ok().map(|(arn, _)| arn)
    }

    /// The ARN of one of its versions or aliases.
    pub fn qualified(&self, qualifier: &str) -> String {
        format!("{self}:{qualifier}")
    }
}

impl fmt::Display for LambdaArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, region, account, name } = self;
        write!(f, "arn:{partition}:lambda:{region}:{account}:function:{name}")
    }
}
