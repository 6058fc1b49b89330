//! Distributed Maps: the operations on their Map Runs. [`course`] runs them, [`results`] makes their results, [`record`] is
//! what is kept.

pub mod course;
pub mod record;
mod results;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::{Value, json};

use super::machines::{page_after, page_size};
use super::names::{self, error};
use super::records::Status;
use super::{executions, millis};
use crate::params::Params;
use crate::{Aws, Caller, Result};
use record::{MAP_RUN, MapRun, OF_EXECUTION};

/// The Map Run of an ARN.
///
/// # Errors
/// `InvalidArn` or `ResourceNotFound`.
pub fn existing(aws: &Aws, arn: &str) -> Result<MapRun> {
    aws.store.get(MAP_RUN, names::map_run(aws, arn)?).ok_or_else(|| names::no_resource(arn))
}

/// Describes a Map Run.
pub fn describe(aws: &Arc<Aws>, caller: &Caller, input: &Value) -> Result<Value> {
    let params = Params::new(input, "ValidationException");
    names::only(input, &["mapRunArn"])?;
    let arn = params.text("mapRunArn")?;
    aws.iam.authorize(aws, caller, "states:DescribeMapRun", arn)?;
    let run = existing(aws, arn)?;
    let mut answer = json!({
        "mapRunArn": arn,
        "executionArn": run.execution,
        "status": run.status.name(),
        "startDate": millis(run.started),
        "maxConcurrency": run.concurrency,
        "toleratedFailureCount": run.tolerated_count.unwrap_or_default(),
        "toleratedFailurePercentage": run.tolerated_percentage.unwrap_or_default(),
        "itemCounts": run.counts.describe(),
        "executionCounts": run.counts.describe(),
        "redriveCount": 0,
    });
    if let Some(stopped) = run.stopped {
        answer["stopDate"] = millis(stopped);
    }
    Ok(answer)
}

/// Lists an execution's Map Runs, the latest first.
pub fn list(aws: &Arc<Aws>, caller: &Caller, input: &Value) -> Result<Value> {
    let params = Params::new(input, "ValidationException");
    names::only(input, &["executionArn", "maxResults", "nextToken"])?;
    let arn = params.text("executionArn")?;
    aws.iam.authorize(aws, caller, "states:ListMapRuns", arn)?;
    let prefix = format!("{}/", executions::found(aws, arn)?.id());
    let (count, after) = (page_size(&params)?, page_after(&params, 1024)?);
    let mut page = aws.store.range::<String>(OF_EXECUTION, &prefix, after.as_deref(), count + 1);
    let more = page.len() > count;
    page.truncate(count);
    let runs = page.iter().filter_map(|(_, id)| aws.store.get::<MapRun>(MAP_RUN, id)).map(|run| {
        let mut item = json!({
            "executionArn": run.execution,
            "mapRunArn": names::map_run_arn(aws, &run.id()),
            "stateMachineArn": names::machine_arn(aws, &format!("{}/{}", run.machine, run.label)),
            "startDate": millis(run.started),
        });
        if let Some(stopped) = run.stopped {
            item["stopDate"] = millis(stopped);
        }
        item
    });
    let mut answer = json!({"mapRuns": runs.collect::<Vec<_>>()});
    if let (true, Some((key, _))) = (more, page.last()) {
        answer["nextToken"] = json!(names::token(key));
    }
    Ok(answer)
}

/// Changes how many executions of a Map Run may run at a time and how many may fail, while it runs.
pub fn update(aws: &Arc<Aws>, caller: &Caller, input: &Value) -> Result<Value> {
    let params = Params::new(input, "ValidationException");
    let limits = ["maxConcurrency", "toleratedFailurePercentage", "toleratedFailureCount"];
    names::only(input, &[&["mapRunArn"], limits.as_slice()].concat())?;
    let arn = params.text("mapRunArn")?;
    aws.iam.authorize(aws, caller, "states:UpdateMapRun", arn)?;
    let id = existing(aws, arn)?.id();
    let number = |name| params.number(name, 0..=i64::MAX).map(|n| n.and_then(|n| u64::try_from(n).ok()));
    let (concurrency, count) = (number("maxConcurrency")?, number("toleratedFailureCount")?);
    let percentage = match params.get("toleratedFailurePercentage") {
        None => None,
        Some(value) => Some(value.as_f64().filter(|n| (0.0..=100.0).contains(n)).ok_or_else(|| {
            let message = format!("'toleratedFailurePercentage' must be a number from 0 to 100, not {value}");
            error("ValidationException", message)
        })?),
    };
    if limits.iter().all(|name| params.get(name).is_none()) {
        let message = format!("at least one of [{}] must be given", limits.join(", "));
        return Err(error("ValidationException", message));
    }
    let ended = aws.store.transaction(|records| {
        let mut ended = None;
        record::changed(records, &id, |run| {
            if run.status != Status::Running {
                ended = Some(run.status);
                return;
            }
            run.concurrency = concurrency.unwrap_or(run.concurrency);
            run.tolerated_count = count.or(run.tolerated_count);
            run.tolerated_percentage = percentage.or(run.tolerated_percentage);
        });
        ended
    });
    if let Some(status) = ended {
        let message = format!("Map Run is {} and cannot be updated: '{arn}'", status.name());
        return Err(error("ValidationException", message));
    }
    if let Some(live) = aws.states.maps().get(&id) {
        live.look_again();
    }
    Ok(json!({}))
}
