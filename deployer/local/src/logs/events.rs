//! Log events: read in pages, and searched.

use serde_json::{Value, json};

use super::pattern::Pattern;
use super::{
    BATCHES, Batch, DAY, GROUPS, Group, STREAMS, Stream, allowed, group_name, groups, now, stream_id, streams,
};
use crate::params::Params;
use crate::{Aws, Caller, Result};

struct Event {
    stream: String,
    time: i64,
    sequence: u64,
    ingested: i64,
    text: String,
}

impl Event {
    /// Sorts as events do: by time, then by arrival.
    fn id(&self) -> String {
        format!("{:015}{:018}", self.time.max(0), self.sequence)
    }
}

pub fn get(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
    let (group, stream) = (group_name(params)?, params.text("logStreamName")?);
    allowed(aws, caller, "GetLogEvents", group, stream)?;
    let of: Group = aws.store.get(GROUPS, group).ok_or_else(groups::missing)?;
    aws.store.get::<Stream>(STREAMS, &stream_id(group, stream)).ok_or_else(streams::missing)?;
    let mut events = read(aws, &of, &format!("{}:", stream_id(group, stream)));
    let (from, to) = span(params)?;
    // The end of the span is not part of it here, but is in FilterLogEvents: so AWS documents them.
    events.retain(|event| event.time >= from && event.time < to);
    let most = usize::try_from(params.number("limit", 1..=10_000)?.unwrap_or(10_000)).unwrap_or(10_000);
    let page = match params.optional_text("nextToken")?.map(|token| token.split_at_checked(2)) {
        None if params.flag("startFromHead")? => 0..most.min(events.len()),
        None => events.len().saturating_sub(most)..events.len(),
        Some(Some(("f/", id))) => {
            let start = events.partition_point(|event| event.id().as_str() <= id);
            start..events.len().min(start + most)
        }
        Some(Some(("b/", id))) => {
            let end = events.partition_point(|event| event.id().as_str() < id);
            end.saturating_sub(most)..end
        }
        Some(_) => return Err(params.invalid("The specified nextToken is invalid.")),
    };
    // With nothing on the page a token leads back to where it came from.
    let token = |kind: char, event: Option<&Event>| {
        let given = params.optional_text("nextToken").ok().flatten().and_then(|token| token.get(2..));
        let id = event.map(Event::id).or_else(|| given.map(str::to_owned)).unwrap_or_else(|| "0".repeat(33));
        format!("{kind}/{id}")
    };
    let page = &events[page];
    let describe = |event: &Event| json!({"timestamp": event.time, "message": event.text, "ingestionTime": event.ingested});
    Ok(json!({
        "events": page.iter().map(describe).collect::<Vec<_>>(),
        "nextForwardToken": token('f', page.last()),
        "nextBackwardToken": token('b', page.first()),
    }))
}

pub fn filter(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
    let group = group_name(params)?;
    allowed(aws, caller, "FilterLogEvents", group, "")?;
    let of: Group = aws.store.get(GROUPS, group).ok_or_else(groups::missing)?;
    let pattern = params.optional_text("filterPattern")?.unwrap_or_default();
    let pattern =
        Pattern::parse(pattern).map_err(|e| params.invalid(format!("Invalid filter pattern: {e}")))?;
    let names = params.texts("logStreamNames")?;
    let prefix = params.optional_text("logStreamNamePrefix")?.unwrap_or_default();
    if !names.is_empty() && !prefix.is_empty() {
        return Err(params.invalid("logStreamNames and logStreamNamePrefix are mutually exclusive"));
    }
    let (from, to) = span(params)?;
    let after = params.optional_text("nextToken")?.unwrap_or_default();
    let most = usize::try_from(params.number("limit", 1..=10_000)?.unwrap_or(10_000)).unwrap_or(10_000);
    let mut events = read(aws, &of, &format!("{group}:{prefix}"));
    events.retain(|event| {
        (names.is_empty() || names.contains(&event.stream.as_str()))
            && event.time >= from
            && event.time <= to
            && event.id().as_str() > after
            && pattern.matches(&event.text)
    });
    let more = events.len() > most;
    events.truncate(most);
    let describe = |event: &Event| {
        json!({
            "logStreamName": event.stream,
            "timestamp": event.time,
            "message": event.text,
            "ingestionTime": event.ingested,
            "eventId": event.id(),
        })
    };
    let mut answer =
        json!({"events": events.iter().map(describe).collect::<Vec<_>>(), "searchedLogStreams": []});
    if let Some(last) = events.last().filter(|_| more) {
        answer["nextToken"] = json!(last.id());
    }
    Ok(answer)
}

/// The events of the streams whose ids start so, in order, without those that the group no longer keeps.
fn read(aws: &Aws, group: &Group, prefix: &str) -> Vec<Event> {
    let oldest = group.retention.map_or(i64::MIN, |days| now() - days * DAY);
    let batches: Vec<(String, Batch)> = aws.store.list_prefix(BATCHES, prefix);
    let mut events: Vec<Event> = batches
        .into_iter()
        .flat_map(|(id, batch)| {
            let stream =
                id[group.name.len() + 1..].rsplit_once(':').map_or("", |(stream, _)| stream).to_owned();
            let numbered = (batch.sequence..).zip(batch.events);
            numbered.map(move |(sequence, (time, text))| Event {
                stream: stream.clone(),
                time,
                sequence,
                ingested: batch.ingested,
                text,
            })
        })
        .filter(|event| event.time >= oldest)
        .collect();
    events.sort_by_key(|event| (event.time, event.sequence));
    events
}

fn span(params: Params<'_>) -> Result<(i64, i64)> {
    let from = params.number("startTime", 0..=i64::MAX)?.unwrap_or(0);
    let to = params.number("endTime", 0..=i64::MAX)?.unwrap_or(i64::MAX);
    Ok((from, to))
}
