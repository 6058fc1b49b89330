//! Reads the texts of settings. Every problem says what would be right.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use local_aws::lambda::Mechanism;

use crate::build::Architecture;

type Read<T> = Result<T, String>;

/// Any text that is not empty.
pub fn text(text: &str) -> Read<String> {
    if text.is_empty() { Err("must not be empty".to_owned()) } else { Ok(text.to_owned()) }
}

/// A path.
pub fn path(text: &str) -> Read<PathBuf> {
    self::text(text).map(PathBuf::from)
}

/// On or off.
pub fn switch(text: &str) -> Read<bool> {
    match text {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    }
}

/// A number above zero.
pub fn above_zero(text: &str) -> Read<f64> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "must be a number above 0".to_owned())
}

/// A port of TCP.
pub fn port(text: &str) -> Read<u16> {
    text.parse().map_err(|_| "must be a port number, 0 to 65535".to_owned())
}

/// An address of this machine to listen on.
pub fn host(text: &str) -> Read<IpAddr> {
    if text == "localhost" {
        return Ok(Ipv4Addr::LOCALHOST.into());
    }
    text.parse()
        .map_err(|_| "must be an address of this machine: 127.0.0.1, or 0.0.0.0 for all it has".to_owned())
}

/// A region's name. New ones appear, so only the form is checked.
pub fn region(text: &str) -> Read<String> {
    let form = text.split('-').count() >= 3
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && text.ends_with(|c: char| c.is_ascii_digit());
    if form { Ok(text.to_owned()) } else { Err("must be a region's name, such as eu-west-1".to_owned()) }
}

/// What enforces CPU shares.
pub fn cpu_share(text: &str) -> Read<Mechanism> {
    text.parse()
}

/// An address of HTTP.
pub fn url(text: &str) -> Read<String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.starts_with('/') && !text.contains(char::is_whitespace) => {
            Ok(text.to_owned())
        }
        _ => Err("must be an http:// or https:// address".to_owned()),
    }
}

/// A stack's name, by CloudFormation's rule.
pub fn stack_name(text: &str) -> Read<String> {
    let form = text.len() <= 128
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if form {
        Ok(text.to_owned())
    } else {
        Err("must begin with a letter and have only letters, digits and hyphens, at most 128".to_owned())
    }
}

/// The processor of a Lambda function.
pub fn architecture(text: &str) -> Read<Architecture> {
    text.parse()
}

/// One processor or several, separated by commas; `both` is both.
pub fn architectures(text: &str) -> Read<Vec<Architecture>> {
    if text == "both" { Ok(Architecture::ALL.to_vec()) } else { list(text).map(architecture).collect() }
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// Memory sizes in MB, as the template's list parameter wants them: sorted, no duplicates.
pub fn power_values(text: &str) -> Read<String> {
    let all = || (128..=3008).step_by(64).collect::<Vec<u32>>();
    let mut sizes = if text.trim() == "ALL" {
        all()
    } else {
        list(text)
            .map(|size| {
                let number: Option<u32> = size.parse().ok();
                number.filter(|mb| (128..=10_240).contains(mb)).ok_or_else(|| {
                    format!(
                        "`{size}` is no memory size; they are whole numbers from 128 to 10240 (MB), or ALL"
                    )
                })
            })
            .collect::<Read<_>>()?
    };
    sizes.sort_unstable();
    sizes.dedup();
    if sizes.is_empty() {
        return Err("names no memory size".to_owned());
    }
    Ok(sizes.iter().map(u32::to_string).collect::<Vec<_>>().join(","))
}

/// The address of a page; it may end in a query, but the part after `#` is ours.
pub fn page_url(text: &str) -> Read<String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    if text.contains('#') {
        return Err("must not have a `#`: that part of the address carries the results".to_owned());
    }
    url(text)
}

/// What the roles may touch: `*`, or a function's ARN, wildcards allowed.
pub fn lambda_resource(text: &str) -> Read<String> {
    let parts: Vec<&str> = text.splitn(7, ':').collect();
    let form = matches!(parts.as_slice(), ["arn", _, "lambda", _, _, "function", name] if !name.is_empty())
        && !text.contains(char::is_whitespace);
    if text == "*" || form {
        Ok(text.to_owned())
    } else {
        Err("must be `*` or a function's ARN, arn:aws:lambda:REGION:ACCOUNT:function:NAME".to_owned())
    }
}

/// Further functions that may be processors: a function's ARN, wildcards allowed, or nothing.
pub fn processor_resource(text: &str) -> Read<String> {
    match text {
        "" => Ok(String::new()),
        "*" => Err("must be a function's ARN; the functions of lambda-resource need not be named".to_owned()),
        arn => lambda_resource(arn),
    }
}

/// KMS keys' ARNs, separated by commas; none is allowed too.
pub fn key_arns(text: &str) -> Read<String> {
    let wrong = list(text).find(|arn| {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        !matches!(parts.as_slice(), ["arn", _, "kms", _, _, key] if key.starts_with("key/"))
    });
    match wrong {
        Some(wrong) => {
            Err(format!("`{wrong}` is no key's ARN; they look like arn:aws:kms:REGION:ACCOUNT:key/ID"))
        }
        None => Ok(list(text).collect::<Vec<_>>().join(",")),
    }
}

/// Seconds of one pass.
pub fn total_execution_timeout(text: &str) -> Read<String> {
    whole(text, 10, 900).ok_or_else(|| "must be a whole number of seconds from 10 to 900".to_owned())
}

fn whole(text: &str, from: u32, to: u32) -> Option<String> {
    text.parse::<u32>().ok().filter(|number| (from..=to).contains(number)).map(|number| number.to_string())
}

/// A policy's ARN; empty for none.
pub fn policy_arn(text: &str) -> Read<String> {
    iam_arn(text, "policy/")
        .map_err(|()| "must be a policy's ARN, arn:aws:iam::ACCOUNT:policy/NAME".to_owned())
}

/// A role's ARN.
pub fn role_arn(text: &str) -> Read<String> {
    self::text(text)?;
    iam_arn(text, "role/").map_err(|()| "must be a role's ARN, arn:aws:iam::ACCOUNT:role/NAME".to_owned())
}

/// A state machine's ARN.
pub fn state_machine_arn(text: &str) -> Read<String> {
    states_arn(text, "stateMachine", 7).ok_or_else(|| {
        "must be a state machine's ARN, arn:aws:states:REGION:ACCOUNT:stateMachine:NAME".to_owned()
    })
}

/// An execution: its ARN, or its name alone.
pub fn execution(text: &str) -> Read<String> {
    let name =
        !text.is_empty() && text.len() <= 80 && !text.contains(|c: char| c.is_whitespace() || c == ':');
    if name {
        return Ok(text.to_owned());
    }
    states_arn(text, "execution", 8).ok_or_else(|| {
        "must be an execution's name or ARN, arn:aws:states:REGION:ACCOUNT:execution:STATE_MACHINE:NAME"
            .to_owned()
    })
}

fn states_arn(text: &str, kind: &str, length: usize) -> Option<String> {
    let parts: Vec<&str> = text.split(':').collect();
    let form = parts.len() == length
        && (parts[0], parts[2], parts[5]) == ("arn", "states", kind)
        && parts.iter().all(|part| !part.is_empty() && !part.contains(char::is_whitespace));
    form.then(|| text.to_owned())
}

fn iam_arn(text: &str, kind: &str) -> Result<String, ()> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", _, "iam", "", _, resource] if resource.len() > kind.len() && resource.starts_with(kind) => {
            Ok(text.to_owned())
        }
        [""] => Ok(String::new()),
        _ => Err(()),
    }
}

/// A bucket's name; empty for none.
pub fn bucket(text: &str) -> Read<String> {
    let form = (3..=63).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.')
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric());
    if text.is_empty() || form {
        Ok(text.to_owned())
    } else {
        Err("must be a bucket's name: 3 to 63 lower-case letters, digits, hyphens and dots".to_owned())
    }
}

/// A key, or a pattern for keys.
pub fn key(text: &str) -> Read<String> {
    if text.is_empty() || text.len() > 1024 || text.starts_with("s3://") {
        return Err("must be an object's key without bucket, 1 to 1024 bytes; `*` stands for any".to_owned());
    }
    Ok(text.to_owned())
}

/// What CloudWatch Logs accepts as a retention, in days.
const RETENTION_DAYS: [u32; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// Days that logs are kept.
pub fn retention_days(text: &str) -> Read<String> {
    let days: Option<u32> = text.parse().ok().filter(|days| RETENTION_DAYS.contains(days));
    days.map(|days| days.to_string()).ok_or_else(|| {
        let allowed: Vec<String> = RETENTION_DAYS.iter().map(u32::to_string).collect();
        format!("must be one of the days CloudWatch Logs knows: {}", allowed.join(" "))
    })
}

/// Ids such as `sg-0123abcd`, separated by commas; empty for none.
pub fn ids(prefix: &'static str) -> impl Fn(&str) -> Read<String> {
    move |text| {
        let ids: Vec<&str> = list(text).collect();
        let wrong = ids.iter().find(|id| {
            id.strip_prefix(prefix)
                .is_none_or(|rest| rest.is_empty() || !rest.chars().all(|c| c.is_ascii_hexdigit()))
        });
        match wrong {
            Some(id) => Err(format!("`{id}` is no id; they look like {prefix}0123456789abcdef0")),
            None => Ok(ids.join(",")),
        }
    }
}

/// What the state machine's name begins with.
pub fn name_prefix(text: &str) -> Read<String> {
    let form = (1..=43).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if form {
        Ok(text.to_owned())
    } else {
        Err("must have 1 to 43 letters, digits, hyphens and underscores".to_owned())
    }
}

/// Tags, `key=value` separated by commas.
pub fn tags(text: &str) -> Read<Vec<(String, String)>> {
    let tags: Vec<(String, String)> = list(text)
        .map(|tag| match tag.split_once('=') {
            Some((key, _)) if key.to_lowercase().starts_with("aws:") => {
                Err(format!("`{key}`: keys that begin with aws: belong to AWS"))
            }
            Some((key, value)) if !key.is_empty() && key.len() <= 128 && value.len() <= 256 => {
                Ok((key.to_owned(), value.to_owned()))
            }
            _ => Err(format!("`{tag}` is no tag; tags are KEY=VALUE, at most 128 and 256 characters")),
        })
        .collect::<Read<_>>()?;
    if tags.len() > 50 {
        return Err(format!("{} tags; AWS allows 50", tags.len()));
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn power_values_are_sorted_and_unique() {
        assert_eq!(power_values("512, 128,512").unwrap(), "128,512");
        let all = power_values("ALL").unwrap();
        assert!(all.starts_with("128,192,") && all.ends_with(",3008"), "{all}");
        for wrong in ["", "127", "10241", "1.5", "128 256", "all"] {
            assert!(power_values(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn values_that_cannot_be_are_refused() {
        assert!(total_execution_timeout("9").is_err() && total_execution_timeout("901").is_err());
        assert!(retention_days("0").is_err() && retention_days("8").is_err() && retention_days("7").is_ok());
        assert!(lambda_resource("arn:aws:lambda:*:*:function:x-*").is_ok() && lambda_resource("x").is_err());
        assert!(policy_arn("arn:aws:iam::1:policy/p").is_ok() && policy_arn("").is_ok());
        assert!(policy_arn("arn:aws:iam::1:role/p").is_err() && role_arn("").is_err());
        assert!(ids("sg-")("sg-12ab, sg-3").is_ok() && ids("sg-")("subnet-1").is_err());
        assert!(name_prefix(&"x".repeat(44)).is_err() && name_prefix("a_b-c").is_ok());
        assert!(
            page_url("https://x/y?z").is_ok() && page_url("https://x/#").is_err() && page_url("x").is_err()
        );
        assert!(bucket("Bad").is_err() && bucket("good.one-1").is_ok());
        assert!(region("eu-west-1").is_ok() && region("europe").is_err());
        assert!(stack_name("a-1").is_ok() && stack_name("1a").is_err() && stack_name("a_b").is_err());
    }

    #[test]
    fn executions_and_state_machines_are_told_apart() {
        let machine = "arn:aws:states:us-east-1:1:stateMachine:m";
        let one = "arn:aws:states:us-east-1:1:execution:m:e";
        assert!(state_machine_arn(machine).is_ok() && execution(one).is_ok() && execution("name-1").is_ok());
        assert!(state_machine_arn(one).is_err() && execution(machine).is_err() && execution("").is_err());
    }

    #[test]
    fn tags_are_pairs() {
        assert_eq!(tags("a=1,b=x=y").unwrap(), [("a".into(), "1".into()), ("b".into(), "x=y".into())]);
        assert!(tags("a").is_err() && tags("=1").is_err() && tags("aws:x=1").is_err());
    }
}
