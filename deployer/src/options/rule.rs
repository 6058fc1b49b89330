//! The values that an option takes: read once, from text to JSON that is known to be right. The template's constraints and the
//! documentation are written from the same rules.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::{Value, json};
use tuning::input::Form;
use tuning::pricing::Architecture;

/// The values that an option takes.
#[derive(Debug, Clone, Copy)]
pub enum Rule {
    /// Any text that is not empty.
    Any,
    /// Yes or no.
    Switch,
    /// A whole number within bounds.
    Whole(u32, u32),
    /// One of these whole numbers.
    OneOf(&'static [u32]),
    /// A number above zero.
    Above0,
    /// A share above zero, in per cent or as a number.
    Share,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A text that matches; what is right, to be read after "must be".
    Pattern(&'static str, &'static str),
    /// As [`Rule::Pattern`], or nothing at all.
    Optional(&'static str, &'static str),
    /// An IP address to listen on, or `localhost`.
    Address,
    /// A runtime of which this program's endpoint runs functions.
    Runtime,
    /// Texts separated by commas, each of which matches; an example of one.
    List(&'static str, &'static str),
    /// A processor of Lambda.
    Architecture,
    /// Processors of Lambda separated by commas, or `both`.
    Architectures,
    /// `KEY=VALUE` separated by commas.
    Tags,
    /// The values of a field of the execution input.
    Field(Form),
}

impl Rule {
    /// Reads a text.
    ///
    /// # Errors
    /// What is wrong with it, to be read after the option's name.
    pub fn read(self, text: &str) -> Result<Value, String> {
        if let Self::Field(form) = self {
            return form.from_text(text);
        }
        self.value(text).map_err(|wrong| {
            let wrong = if wrong.is_empty() { format!("must be {}", self.says()) } else { wrong };
            format!("`{text}`: {wrong}")
        })
    }

    /// An empty error stands for the rule itself.
    fn value(self, text: &str) -> Result<Value, String> {
        let or = |value: Option<Value>| value.ok_or_else(String::new);
        match self {
            Self::Field(form) => form.from_text(text),
            Self::Any if text.is_empty() => Err(String::new()),
            Self::Any => Ok(text.into()),
            Self::Switch => Form::Flag.from_text(text).map_err(|_| String::new()),
            Self::Whole(least, most) => {
                or(text.parse().ok().filter(|n| (least..=most).contains(n)).map(Value::from))
            }
            Self::OneOf(numbers) => or(text.parse().ok().filter(|n| numbers.contains(n)).map(Value::from)),
            Self::Above0 => {
                or(text.parse().ok().filter(|n: &f64| n.is_finite() && *n > 0.0).map(Value::from))
            }
            Self::Share => or(Form::Share(1.0)
                .from_text(text)
                .ok()
                .filter(|share| share.as_f64().is_some_and(|share| share.is_finite() && share > 0.0))),
            Self::Word(words) => or(words.contains(&text).then(|| text.into())),
            Self::Optional(..) if text.is_empty() => Ok(text.into()),
            Self::Pattern(pattern, _) | Self::Optional(pattern, _) => {
                or(matches(pattern, text).then(|| text.into()))
            }
            Self::Address if text == "localhost" => Ok(json!(Ipv4Addr::LOCALHOST)),
            Self::Address => or(text.parse::<IpAddr>().ok().map(|address| json!(address))),
            Self::Runtime => {
                or(local_aws::lambda::runtimes().any(|known| known == text).then(|| text.into()))
            }
            Self::List(pattern, _) => {
                let items: Vec<&str> = items(text).collect();
                match items.iter().find(|item| !matches(pattern, item)) {
                    Some(wrong) => Err(format!("`{wrong}` is not right; must be {}", self.says())),
                    None => Ok(json!(items)),
                }
            }
            Self::Architecture => text.parse::<Architecture>().map(|a| json!(a)).map_err(|_| String::new()),
            Self::Architectures if text == "both" => Ok(json!(Architecture::ALL)),
            Self::Architectures => {
                let all = items(text).map(str::parse::<Architecture>).collect::<Result<Vec<_>, _>>();
                or(all.ok().filter(|all| !all.is_empty()).map(|all| json!(all)))
            }
            Self::Tags => {
                let tags = items(text).map(tag).collect::<Result<Vec<_>, _>>()?;
                if tags.len() > 50 {
                    return Err(format!("{} tags; AWS allows 50", tags.len()));
                }
                Ok(json!(tags))
            }
        }
    }

    /// The values in words, to be read after "must be".
    #[must_use]
    pub fn says(self) -> String {
        let numbers = |all: &[u32]| all.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        match self {
            Self::Any => "a text that is not empty".to_owned(),
            Self::Switch => "true or false".to_owned(),
            Self::Whole(least, most) => format!("a whole number from {least} to {most}"),
            Self::OneOf(all) => format!("one of {}", numbers(all)),
            Self::Above0 => "a number above 0".to_owned(),
            Self::Share => "a share above 0, such as 10% or 0.1".to_owned(),
            Self::Word(words) => words.join(", "),
            Self::Pattern(_, says) => says.to_owned(),
            Self::Optional(_, says) => format!("{says}; empty for none"),
            Self::Address => "an address of this machine: 127.0.0.1, or 0.0.0.0 for all it has".to_owned(),
            Self::Runtime => {
                format!("one of {}", local_aws::lambda::runtimes().collect::<Vec<_>>().join(", "))
            }
            Self::List(_, example) => format!("such as {example}, separated by commas; empty for none"),
            Self::Architecture => "arm64 or x86_64".to_owned(),
            Self::Architectures => "arm64, x86_64 or both".to_owned(),
            Self::Tags => "KEY=VALUE separated by commas, at most 128 and 256 characters".to_owned(),
            Self::Field(form) => form.says(),
        }
    }
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// The patterns are those of the table, which a test reads.
fn matches(pattern: &str, text: &str) -> bool {
    regex_lite::Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text))
}

fn tag(text: &str) -> Result<(&str, &str), String> {
    match text.split_once('=') {
        Some((key, _)) if key.to_lowercase().starts_with("aws:") => {
            Err(format!("`{key}`: keys that begin with aws: belong to AWS"))
        }
        Some((key, value)) if !key.is_empty() && key.len() <= 128 && value.len() <= 256 => Ok((key, value)),
        _ => Err(format!("`{text}` is not a tag; must be {}", Rule::Tags.says())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{self, Spec};

    fn all(spec: &Spec, right: &[&str], wrong: &[&str]) {
        for text in right {
            assert!(spec.rule.read(text).is_ok(), "{} {text}: {:?}", spec.name, spec.rule.read(text));
        }
        for text in wrong {
            assert!(spec.rule.read(text).is_err(), "{} {text}", spec.name);
        }
    }

    #[test]
    fn every_pattern_and_every_default_of_a_parameter_is_right() {
        for spec in options::ALL {
            if let Rule::Pattern(pattern, _) | Rule::Optional(pattern, _) | Rule::List(pattern, _) = spec.rule
            {
                assert!(regex_lite::Regex::new(pattern).is_ok(), "{}", spec.name);
            }
            if let Some(parameter) = spec.parameter {
                assert!(spec.rule.read(parameter.default).is_ok(), "{}", spec.name);
            }
        }
    }

    #[test]
    fn values_that_cannot_be_are_refused() {
        let state = "arn:aws:states:us-east-1:1:stateMachine:m";
        let run = "arn:aws:states:us-east-1:1:execution:m:e";
        let long = "x".repeat(44);
        all(
            &options::POWER_VALUES.spec,
            &["512, 128,512", "ALL", "128-256:64"],
            &["", "127", "10241", "1.5", "128 256"],
        );
        all(&options::TOTAL_EXECUTION_TIMEOUT.spec, &["10", "900"], &["9", "901", "x"]);
        all(&options::LOG_RETENTION_DAYS.spec, &["7"], &["0", "8"]);
        all(
            &options::LAMBDA_RESOURCE.spec,
            &["*", "arn:aws:lambda:*:*:function:x-*"],
            &["x", "arn:aws:lambda:*:*:function:"],
        );
        all(
            &options::PERMISSIONS_BOUNDARY.spec,
            &["", "arn:aws:iam::1:policy/p"],
            &["arn:aws:iam::1:role/p"],
        );
        all(&options::ROLE_ARN.spec, &["arn:aws:iam::1:role/a/r"], &["", "arn:aws:iam::1:policy/p"]);
        all(&options::SECURITY_GROUP_IDS.spec, &["", "sg-12ab, sg-3"], &["subnet-1"]);
        all(&options::STATE_MACHINE_NAME_PREFIX.spec, &["a_b-c"], &[&long, ""]);
        all(&options::VISUALIZATION_URL.spec, &["", "https://x/y?z"], &["https://x/#", "x", "https:///"]);
        all(&options::PAYLOAD_S3_BUCKET.spec, &["", "good.one-1"], &["Bad", "ab"]);
        all(&options::PAYLOAD_S3_KEY.spec, &["a/*"], &["", "s3://b/k"]);
        all(&options::REGION.spec, &["eu-west-1", "us-gov-west-1"], &["europe", "eu-west"]);
        all(&options::STACK_NAME.spec, &["a-1"], &["1a", "a_b"]);
        all(&options::STATE_MACHINE_ARN.spec, &[state], &[run]);
        all(&options::ATTACH.spec, &[run, "name-1"], &[state, "", "a b"]);
        all(&options::TAGS.spec, &["a=1,b=x=y", ""], &["a", "=1", "aws:x=1"]);
        all(&options::ARCHITECTURE.spec, &["arm64", "x86_64", "aarch64"], &["both", "mips"]);
        all(&options::BUILD_ARCHITECTURE.spec, &["both", "arm64,x86_64"], &["", "mips"]);
        all(&options::VARIABLE.spec, &["A=", "A=b=c"], &["A", "=b"]);
        all(&options::ENV.spec, &["prod", "eu-1"], &["", "A=b"]);
        all(&options::MAX_REGRESSION.spec, &["10%", "0.1", "2.5 %"], &["0", "-5%", "x", "10%%x"]);
        all(&options::HOST.spec, &["0.0.0.0", "::1", "localhost"], &["example.com", "256.0.0.1", ""]);
        all(&options::RUNTIME.spec, &["python3.13", "provided.al2023"], &["ruby3.3", ""]);
    }

    #[test]
    fn what_is_wrong_says_what_is_right() {
        let wrong = options::TOTAL_EXECUTION_TIMEOUT.spec.rule.read("5").unwrap_err();
        assert_eq!(wrong, "`5`: must be a whole number from 10 to 900");
        let wrong = options::NUM.spec.rule.read("-5").unwrap_err();
        assert_eq!(wrong, "is -5, which is too small: use a whole number from 5 to 20000");
    }
}
