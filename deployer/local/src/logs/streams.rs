//! Log streams.

use serde_json::{Value, json};

use super::{GROUPS, Group, STREAMS, Stream, allowed, group_arn, group_name, groups, now};
use crate::params::Params;
use crate::{ApiError, Aws, Caller, Result};

pub fn describe(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
    let group = group_name(params)?;
    allowed(aws, caller, "DescribeLogStreams", group, "")?;
    aws.store.get::<Group>(GROUPS, group).ok_or_else(groups::missing)?;
    let prefix = params.optional_text("logStreamNamePrefix")?.unwrap_or_default();
    let by_time = match params.optional_text("orderBy")? {
        None | Some("LogStreamName") => false,
        Some("LastEventTime") if prefix.is_empty() => true,
        Some("LastEventTime") => {
            return Err(params.invalid("Cannot order by LastEventTime with a logStreamNamePrefix."));
        }
        Some(other) => {
            return Err(
                params.invalid(format!("'orderBy' must be LogStreamName or LastEventTime, not \"{other}\""))
            );
        }
    };
    let most = usize::try_from(params.number("limit", 1..=50)?.unwrap_or(50)).unwrap_or(50);
    let mut streams: Vec<(String, Stream)> = aws.store.list_prefix(STREAMS, &format!("{group}:{prefix}"));
    if by_time {
        streams.sort_by_key(|(_, stream)| stream.last);
    }
    if params.flag("descending")? {
        streams.reverse();
    }
    if let Some(token) = params.optional_text("nextToken")? {
        let at = streams.iter().position(|(_, stream)| stream.name == token);
        let at = at.ok_or_else(|| params.invalid("The specified nextToken is invalid."))?;
        streams.drain(..=at);
    }
    let more = streams.len() > most;
    streams.truncate(most);
    let describe = |(_, stream): &(String, Stream)| {
        let mut described = json!({
            "logStreamName": stream.name,
            "creationTime": stream.created,
            "arn": format!("{}:log-stream:{}", group_arn(aws, group), stream.name),
            "storedBytes": 0,
        });
        let times = [
            ("firstEventTimestamp", stream.first),
            ("lastEventTimestamp", stream.last),
            ("lastIngestionTime", stream.ingested),
        ];
        for (name, time) in times {
            if let Some(time) = time {
                described[name] = json!(time);
            }
        }
        described
    };
    let mut answer = json!({"logStreams": streams.iter().map(describe).collect::<Vec<_>>()});
    if let Some((_, last)) = streams.last().filter(|_| more) {
        answer["nextToken"] = json!(last.name);
    }
    Ok(answer)
}

/// A stream without events.
pub fn fresh(group: &str, name: &str) -> Stream {
    Stream {
        group: group.to_owned(),
        name: name.to_owned(),
        created: now(),
        first: None,
        last: None,
        ingested: None,
        bytes: 0,
    }
}

/// The error that there is no such stream.
pub fn missing() -> ApiError {
    ApiError::new(400, "ResourceNotFoundException", "The specified log stream does not exist.")
}
