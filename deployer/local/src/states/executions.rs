//! The operations on executions.

use std::sync::Arc;

use asl::{LARGEST, MOST_EVENTS, seconds};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::machines::{described, existing, one_of, page_after, page_size};
use super::maps::record::{MAP_RUN, MapRun};
use super::names::{self, error};
use super::records::{self, CHILD, EXECUTION, Execution, LATEST, MACHINE, Machine, Status};
use super::run::{Ending, Running};
use super::{maps, millis};
use crate::params::Params;
use crate::{Aws, Caller, Result, ids};

/// The execution of an ARN.
///
/// # Errors
/// `InvalidArn` or `ExecutionDoesNotExist`.
pub fn found(aws: &Aws, arn: &str) -> Result<Execution> {
    aws.store.get(EXECUTION, &names::execution(aws, arn)?).ok_or_else(|| names::no_execution(arn))
}

/// Starts an execution; the same one again while it runs is the one there is.
pub fn start(aws: &Arc<Aws>, caller: &Caller, input: &Value) -> Result<Value> {
    let params = Params::new(input, "ValidationException");
    names::only(input, &["stateMachineArn", "name", "input", "traceHeader"])?;
    let machine_arn = params.text("stateMachineArn")?;
    aws.iam.authorize(aws, caller, "states:StartExecution", machine_arn)?;
    let name = match params.optional_text("name")? {
        Some(name) => names::checked(name)?.to_owned(),
        None => ids::uuid(),
    };
    let text = params.optional_text("input")?.unwrap_or("{}");
    if text.len() > LARGEST {
        let message = format!(
            "1 validation error detected: Value at 'input' failed to satisfy constraint: Member must have length less than \
             or equal to {}",
            LARGEST
        );
        return Err(error("ValidationException", message));
    }
    let document: Value = serde_json::from_str(text).map_err(|e| {
        error("InvalidExecutionInput", format!("Invalid State Machine Execution Input: '{e}'"))
    })?;
    let machine = existing(aws, machine_arn)?;
    let arn = names::execution_arn(aws, &machine.name, &name);

    let execution = Execution::new(&machine.name, name, &machine.revision, text.to_owned());
    // Held over both, so that whoever finds the record finds the running execution too.
    let mut running = aws.states.running();
    let begun = aws.store.transaction(|records| {
        let machine: Machine =
            records.get(MACHINE, &machine.name).ok_or_else(|| names::no_machine(machine_arn))?;
        if machine.deleting {
            return Err(error(
                "StateMachineDeleting",
                format!("State Machine is being deleted: '{machine_arn}'"),
            ));
        }
        match records.get::<Execution>(EXECUTION, &execution.id()) {
            Some(there) if there.status == Status::Running && there.input == execution.input => {
                Ok(Some(there.started))
            }
            Some(_) => Err(error("ExecutionAlreadyExists", format!("Execution Already Exists: '{arn}'"))),
            None => {
                execution.begin(records);
                Ok(None)
            }
        }
    })?;
    let started = match begun {
        Some(started) => started,
        None => {
            let started = execution.started;
            running.insert(execution.id(), Running::launch(aws, execution, document, None));
            started
        }
    };
    Ok(json!({"executionArn": arn, "startDate": millis(started)}))
}

/// Stops an execution and waits until it has ended.
pub async fn stop(aws: &Arc<Aws>, caller: &Caller, input: &Value) -> Result<Value> {
    let params = Params::new(input, "ValidationException");
    names::only(input, &["executionArn", "error", "cause"])?;
    let arn = params.text("executionArn")?;
    aws.iam.authorize(aws, caller, "states:StopExecution", arn)?;
    let text = |name| params.optional_text(name).map(|text| text.map(str::to_owned));
    let ending = Ending { error: text("error")?, cause: text("cause")?, timed_out: false };
    let execution = found(aws, arn)?;
    let running = aws.states.running().get(&execution.id()).cloned();
    if let Some(running) = running {
        running.stop(ending).await;
    }
    let stopped = found(aws, arn)?.stopped.unwrap_or_default();
    Ok(json!({"stopDate": millis(stopped)}))
}

/// Refuses to redrive an execution: nothing here is continued.
pub fn redrive(aws: &Arc<Aws>, caller: &Caller, input: &Value) -> Result<Value> {
    let params = Params::new(input, "ValidationException");
    let arn = params.text("executionArn")?;
    aws.iam.authorize(aws, caller, "states:RedriveExecution", arn)?;
    found(aws, arn)?;
    let message = "the local endpoint does not redrive executions: start a new one with what is left to do";
    Err(error("ExecutionNotRedrivable", message))
}

/// Describes an execution.
pub fn describe(aws: &Arc<Aws>, caller: &Caller, input: &Value) -> Result<Value> {
    let params = Params::new(input, "ValidationException");
    names::only(input, &["executionArn", "includedData"])?;
    let arn = params.text("executionArn")?;
    aws.iam.authorize(aws, caller, "states:DescribeExecution", arn)?;
    let execution = found(aws, arn)?;
    let data = match params.optional_text("includedData")?.unwrap_or("ALL_DATA") {
        "ALL_DATA" => true,
        "METADATA_ONLY" => false,
        other => return Err(one_of("includedData", other, "ALL_DATA, METADATA_ONLY")),
    };
    let mut answer = summary(aws, &execution);
    if data {
        answer["input"] = json!(execution.input);
        answer["inputDetails"] = json!({"included": true});
        if let Some(output) = &execution.output {
            answer["output"] = json!(output);
            answer["outputDetails"] = json!({"included": true});
        }
        for (member, text) in [("error", &execution.error), ("cause", &execution.cause)] {
            if let Some(text) = text {
                answer[member] = json!(text);
            }
        }
    }
    if let Some(run) = execution.map_run() {
        answer["mapRunArn"] = json!(names::map_run_arn(aws, &run));
    }
    let (status, reason) = execution.redrive();
    answer["redriveStatus"] = json!(status);
    if let Some(reason) = reason {
        answer["redriveStatusReason"] = json!(reason);
    }
    Ok(answer)
}

fn summary(aws: &Aws, execution: &Execution) -> Value {
    let mut summary = json!({
        "executionArn": execution.arn(aws),
        "stateMachineArn": execution.machine_arn(aws),
        "name": execution.name,
        "status": execution.status.name(),
        "startDate": millis(execution.started),
        "redriveCount": 0,
    });
    if let Some(stopped) = execution.stopped {
        summary["stopDate"] = millis(stopped);
    }
    summary
}

/// Lists a machine's executions or a Map Run's, the latest first.
pub fn list(aws: &Arc<Aws>, caller: &Caller, input: &Value) -> Result<Value> {
    let params = Params::new(input, "ValidationException");
    names::only(input, &["stateMachineArn", "mapRunArn", "statusFilter", "maxResults", "nextToken"])?;
    let run = params.optional_text("mapRunArn")?;
    if run.is_some() && params.get("stateMachineArn").is_some() {
        let message = "only one of stateMachineArn and mapRunArn may be given";
        return Err(error("ValidationException", message));
    }
    let arn = run.map_or_else(|| params.text("stateMachineArn"), Ok)?;
    aws.iam.authorize(aws, caller, "states:ListExecutions", arn)?;
    let (kind, whose) = match run {
        Some(_) => (CHILD, maps::existing(aws, arn)?.id()),
        None => (LATEST, existing(aws, arn)?.name),
    };
    let filter = params.optional_text("statusFilter")?;
    let allowed = "SUCCEEDED, TIMED_OUT, PENDING_REDRIVE, ABORTED, FAILED, RUNNING";
    if let Some(filter) = filter.filter(|filter| !allowed.split(", ").any(|status| status == *filter)) {
        return Err(one_of("statusFilter", filter, allowed));
    }
    let count = page_size(&params)?;
    let mut after = page_after(&params, 3096)?;
    let mut executions = Vec::new();
    let mut more = false;
    'pages: loop {
        let page = aws.store.range::<String>(kind, &format!("{whose}/"), after.as_deref(), 100);
        if page.is_empty() {
            break;
        }
        for (key, id) in page {
            let execution = aws.store.get::<Execution>(EXECUTION, &id);
            let wanted = |e: &Execution| filter.is_none_or(|filter| e.status.name() == filter);
            if let Some(execution) = execution.filter(wanted) {
                if executions.len() == count {
                    more = true;
                    break 'pages;
                }
                let mut summary = summary(aws, &execution);
                if let Some(run) = run {
                    (summary["mapRunArn"], summary["itemCount"]) = (json!(run), json!(1));
                }
                executions.push(summary);
            }
            after = Some(key);
        }
    }
    let mut answer = json!({"executions": executions});
    if let (true, Some(key)) = (more, after) {
        answer["nextToken"] = json!(names::token(&key));
    }
    Ok(answer)
}

/// Lists an execution's events.
pub async fn history(aws: &Arc<Aws>, caller: &Caller, input: &Value) -> Result<Value> {
    let params = Params::new(input, "ValidationException");
    names::only(input, &["executionArn", "maxResults", "reverseOrder", "nextToken", "includeExecutionData"])?;
    let arn = params.text("executionArn")?;
    aws.iam.authorize(aws, caller, "states:GetExecutionHistory", arn)?;
    let id = found(aws, arn)?.id();
    let (count, reverse) = (page_size(&params)?, params.flag("reverseOrder")?);
    let data = params.get("includeExecutionData").is_none() || params.flag("includeExecutionData")?;
    let running = aws.states.running().get(&id).cloned();
    let total = match &running {
        Some(running) => running.log.count(),
        None => records::count(&aws.store, &id),
    };
    // The token is the id of the page's first event in the order asked for.
    let from = match page_after(&params, 1024)? {
        None if reverse => total,
        None => 1,
        Some(key) => {
            let event = key.parse().ok().filter(|event| (1..=MOST_EVENTS + 1).contains(event));
            event.ok_or_else(|| error("InvalidToken", format!("Invalid Token: '{}'", names::token(&key))))?
        }
    };
    let first = if reverse { (from + 1).saturating_sub(count).max(1) } else { from };
    let wanted = if reverse { (from + 1).saturating_sub(first) } else { count };
    let mut events: Vec<Value> = match &running {
        Some(running) => running.log.page(first, wanted).iter().map(|event| Value::clone(event)).collect(),
        None => records::events(&aws.store, &id, first, wanted),
    };
    // Whoever has seen the last event finds the execution ended, too. Asked after reading: it may have been written meanwhile.
    if let Some(ending) = running.filter(|running| running.log.closed()) {
        ending.ended().await;
    }
    let next =
        if reverse { first.checked_sub(1).filter(|next| *next > 0) } else { Some(first + events.len()) };
    if reverse {
        events.reverse();
    }
    if !data {
        events = events.iter().map(without_data).collect();
    }
    let mut answer = json!({"events": events});
    if let Some(next) = next.filter(|next| *next <= total) {
        answer["nextToken"] = json!(names::token(&next.to_string()));
    }
    Ok(answer)
}

/// An event without the data that went in and out, for `includeExecutionData: false`.
fn without_data(event: &Value) -> Value {
    let mut event = event.clone();
    for (name, details) in event.as_object_mut().into_iter().flatten() {
        if let (true, Some(details)) = (name.ends_with("Details"), details.as_object_mut()) {
            for member in ["input", "output", "parameters"] {
                details.remove(member);
            }
        }
    }
    event
}

/// Describes the machine as it was when an execution of it started.
pub fn describe_machine(aws: &Arc<Aws>, caller: &Caller, input: &Value) -> Result<Value> {
    let params = Params::new(input, "ValidationException");
    names::only(input, &["executionArn", "includedData"])?;
    let arn = params.text("executionArn")?;
    aws.iam.authorize(aws, caller, "states:DescribeStateMachineForExecution", arn)?;
    let execution = found(aws, arn)?;
    let mut definition = records::definition(&aws.store, &execution.machine, &execution.revision);
    let run = execution.map_run().and_then(|run| aws.store.get::<MapRun>(MAP_RUN, &run));
    if let Some(run) = &run {
        definition.text.clone_from(&run.definition);
    }
    let mut answer = described(aws, &execution.machine_name(), &definition, &params)?;
    if let Some(run) = run {
        answer["mapRunArn"] = json!(names::map_run_arn(aws, &run.id()));
        answer["label"] = json!(run.label);
    }
    answer["updateDate"] = seconds(Timestamp::from_millisecond(definition.since).unwrap_or_default());
    Ok(answer)
}
