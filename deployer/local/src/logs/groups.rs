//! Log groups.

use serde_json::{Value, json};

use super::{BATCHES, GROUPS, Group, STREAMS, allowed, group_arn, now};
use crate::params::Params;
use crate::{ApiError, Aws, Caller, Result};

/// The days that CloudWatch Logs can keep logs for.
pub const RETENTION_DAYS: [u32; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

pub fn create(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
    if params.text("logGroupName")?.len() > 512 {
        let message = "Invalid LogGroup or LogStream, both must have length less than or equal to 512.";
        return Err(params.invalid(message));
    }
    let name = params.name("logGroupName", 512, "-_/.#")?;
    allowed(aws, caller, "CreateLogGroup", name, "")?;
    let tags = params.tags("tags")?.into_iter().collect();
    let group = Group { name: name.to_owned(), created: now(), retention: None, tags, bytes: 0 };
    aws.store.transaction(|records| {
        if records.get::<Group>(GROUPS, name).is_some() {
            let message = "The specified log group already exists";
            return Err(ApiError::new(400, "ResourceAlreadyExistsException", message));
        }
        records.put(GROUPS, name, &group);
        Ok(json!({}))
    })
}

pub fn delete(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
    let name = params.text("logGroupName")?;
    allowed(aws, caller, "DeleteLogGroup", name, "")?;
    aws.store.transaction(|records| {
        records.get::<Group>(GROUPS, name).ok_or_else(missing)?;
        records.delete(GROUPS, name);
        records.delete_prefix(STREAMS, &format!("{name}:"));
        records.delete_prefix(BATCHES, &format!("{name}:"));
        Ok(json!({}))
    })
}

pub fn describe(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
    allowed(aws, caller, "DescribeLogGroups", "", "")?;
    let prefix = params.optional_text("logGroupNamePrefix")?.unwrap_or_default();
    let pattern = params.optional_text("logGroupNamePattern")?;
    if pattern.is_some() && !prefix.is_empty() {
        return Err(params
            .invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."));
    }
    let searched = pattern.is_some();
    let pattern = pattern.unwrap_or_default().to_lowercase();
    let most = usize::try_from(params.number("limit", 1..=50)?.unwrap_or(50)).unwrap_or(50);
    let mut groups: Vec<(String, Group)> =
        aws.store.range(GROUPS, prefix, params.optional_text("nextToken")?, usize::MAX);
    groups.retain(|(name, _)| name.to_lowercase().contains(&pattern));
    let more = groups.len() > most;
    groups.truncate(most);
    let describe = |(name, group): &(String, Group)| {
        let arn = group_arn(aws, name);
        let mut described = json!({
            "logGroupName": name,
            "creationTime": group.created,
            "metricFilterCount": 0,
            "arn": format!("{arn}:*"),
            "logGroupArn": arn,
            "logGroupClass": "STANDARD",
        });
        // A search by pattern goes over an index that has neither.
        if !searched {
            described["storedBytes"] = json!(group.bytes);
            described["deletionProtectionEnabled"] = json!(false);
        }
        if let Some(days) = group.retention {
            described["retentionInDays"] = json!(days);
        }
        described
    };
    let mut answer = json!({"logGroups": groups.iter().map(describe).collect::<Vec<_>>()});
    // Such a search always says where to go on, however little is left.
    if let Some((last, _)) = groups.last().filter(|_| more || searched) {
        answer["nextToken"] = json!(last);
    }
    Ok(answer)
}

pub fn retention(aws: &Aws, caller: &Caller, operation: &str, params: Params<'_>) -> Result<Value> {
    let days = match operation {
        "PutRetentionPolicy" => {
            let days = params.number("retentionInDays", 1..=3653)?;
            let days = days.ok_or_else(|| params.invalid("'retentionInDays' is missing"))?;
            if !RETENTION_DAYS.iter().any(|offered| i64::from(*offered) == days) {
                return Err(params.invalid(format!(
                    "1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: Member \
                     must satisfy enum value set: {RETENTION_DAYS:?}"
                )));
            }
            Some(days)
        }
        _ => None,
    };
    let name = params.text("logGroupName")?;
    allowed(aws, caller, operation, name, "")?;
    change(aws, name, |group| group.retention = days)
}

pub fn tag(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
    let name = tagged(params)?;
    allowed(aws, caller, "TagResource", name, "")?;
    let tags = params.tags("tags")?;
    change(aws, name, |group| group.tags.extend(tags))
}

pub fn untag(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
    let name = tagged(params)?;
    allowed(aws, caller, "UntagResource", name, "")?;
    let keys = params.texts("tagKeys")?;
    change(aws, name, |group| group.tags.retain(|key, _| !keys.contains(&key.as_str())))
}

pub fn tags(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
    let name = tagged(params)?;
    allowed(aws, caller, "ListTagsForResource", name, "")?;
    let group: Group = aws.store.get(GROUPS, name).ok_or_else(missing)?;
    Ok(json!({"tags": group.tags}))
}

/// The error that there is no such group.
pub fn missing() -> ApiError {
    ApiError::new(400, "ResourceNotFoundException", "The specified log group does not exist.")
}

fn tagged<'a>(params: Params<'a>) -> Result<&'a str> {
    let arn = params.text("resourceArn")?;
    let name = arn.split_once(":log-group:").map(|(_, name)| name.strip_suffix(":*").unwrap_or(name));
    name.ok_or_else(|| params.invalid(format!("'resourceArn' must be a log group's ARN, not \"{arn}\"")))
}

fn change(aws: &Aws, name: &str, change: impl FnOnce(&mut Group)) -> Result<Value> {
    aws.store.transaction(|records| {
        let mut group: Group = records.get(GROUPS, name).ok_or_else(missing)?;
        change(&mut group);
        records.put(GROUPS, name, &group);
        Ok(json!({}))
    })
}
