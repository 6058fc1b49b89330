//! An execution of the state machine: started, followed through its history to its end, stopped on Ctrl-C.
//!
//! What happens on the way is told as events; the history is read newest first, so that a poll costs one small page
//! however long the run has been.

use std::time::Duration;

use anyhow::Context as _;
use aws_sdk_sfn::types::{ExecutionStatus, HistoryEvent, HistoryEventType};
use serde_json::Value;

use crate::app;
use crate::aws::{Aws, Call};
use crate::deployment::stack::Stack;
use crate::events::{Event, Events};
use crate::failure::{Advice, hinted};
use crate::settings::Settings;

/// How long the abort rule may take to put the function back before we say that we no longer wait for it.
const CLEANED_WITHIN: Duration = Duration::from_secs(120);

/// How an execution ended.
#[derive(Debug)]
pub enum Ending {
    /// With this output.
    Succeeded(Value),
    /// For this reason.
    Failed(String),
    /// Because somebody stopped it or its time was up; what is known about the function then.
    Stopped(String),
}

/// An execution that is over.
#[derive(Debug)]
pub struct Ended {
    /// The execution's ARN.
    pub arn: String,
    /// How.
    pub ending: Ending,
}

/// The stack, which must be deployed.
///
/// # Errors
/// One that is not, with a hint.
pub async fn deployed(aws: &Aws, settings: &Settings) -> anyhow::Result<Stack> {
    let name = &settings.stack_name;
    let found = Stack::find(&aws.cloudformation(), name).await;
    found.with_context(|| format!("looking up the stack {name}"))?.ok_or_else(|| {
        hinted(
            anyhow::anyhow!("the stack {name} is not deployed in {}", aws.place().region),
            advice(settings),
        )
    })
}

fn advice(settings: &Settings) -> String {
    let up = if settings.is_local() { "deployer up --local" } else { "deployer up" };
    format!("deploy it with `{up}`, or name another one with --stack-name")
}

/// The ARN of the deployed state machine, from the stack's outputs.
///
/// # Errors
/// A stack that is not deployed, or that is not ours.
pub async fn machine(aws: &Aws, settings: &Settings) -> anyhow::Result<String> {
    let stack = deployed(aws, settings).await?;
    let output = stack.outputs.get(app::STATE_MACHINE_OUTPUT).cloned();
    output
        .with_context(|| {
            format!(
                "the stack {} is {} and has no output {}",
                stack.name,
                stack.status,
                app::STATE_MACHINE_OUTPUT
            )
        })
        .hint(advice(settings))
}

/// Starts an execution and follows it to its end. Ctrl-C stops it and waits until the function is put back.
///
/// # Errors
/// Calls that failed for good; the execution then goes on by itself.
pub async fn run(
    aws: &Aws,
    machine: &str,
    function_arn: &str,
    input: &Value,
    events: &Events,
) -> anyhow::Result<Ended> {
    let function = function_arn.rsplit(':').next().unwrap_or("function");
    events.started(format!("starting an execution for {function}"));
    let started = aws
        .states()
        .start_execution()
        .state_machine_arn(machine)
        // With a name of its own, a start whose answer was lost can be repeated without a second run.
        .name(name(function))
        .input(input.to_string())
        .send()
        .await
        .called("states:StartExecution")
        .context("starting the execution")?;
    let arn = started.execution_arn().to_owned();
    events.detail(format!("execution {arn}"));
    let sizes = Progress::default();
    tokio::select! {
        ending = follow(aws, &arn, sizes, events) => Ok(Ended { ending: ending?, arn }),
        () = crate::interrupt::interrupted() => {
            let ending = stop(aws, &arn, function_arn, events).await?;
            Ok(Ended { arn, ending })
        }
    }
}

/// `FUNCTION-TIME-PROCESS`, at most 80 characters of those that a name may have.
fn name(function: &str) -> String {
    let time = jiff::Timestamp::now().as_millisecond();
    let function: String = function.chars().take(50).collect();
    format!("{function}-{time}-{}", std::process::id())
}

async fn follow(aws: &Aws, arn: &str, mut progress: Progress, events: &Events) -> anyhow::Result<Ending> {
    loop {
        let status = describe(aws, arn).await?;
        for event in unseen(aws, arn, progress.seen).await? {
            progress.take(&event, events);
        }
        match status {
            ExecutionStatus::Running | ExecutionStatus::PendingRedrive => {
                tokio::time::sleep(aws.poll_interval()).await
            }
            _ => return ending(aws, arn).await,
        }
    }
}

async fn describe(aws: &Aws, arn: &str) -> anyhow::Result<ExecutionStatus> {
    let described = aws.states().describe_execution().execution_arn(arn).send().await;
    let described = described.called("states:DescribeExecution");
    Ok(described.with_context(|| format!("asking how {arn} is doing"))?.status().clone())
}

/// Events after the one with this id, oldest first.
async fn unseen(aws: &Aws, arn: &str, seen: i64) -> anyhow::Result<Vec<HistoryEvent>> {
    let mut pages = aws
        .states()
        .get_execution_history()
        .execution_arn(arn)
        .reverse_order(true)
        .max_results(100)
        .into_paginator()
        .send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page
            .called("states:GetExecutionHistory")
            .with_context(|| format!("reading the history of {arn}"))?;
        let before = found.len();
        found.extend(page.events().iter().filter(|event| event.id() > seen).cloned());
        if found.len() - before < page.events().len() {
            break;
        }
    }
    found.reverse();
    Ok(found)
}

async fn ending(aws: &Aws, arn: &str) -> anyhow::Result<Ending> {
    let over = aws
        .states()
        .describe_execution()
        .execution_arn(arn)
        .send()
        .await
        .called("states:DescribeExecution")
        .with_context(|| format!("reading how {arn} ended"))?;
    Ok(match over.status() {
        ExecutionStatus::Succeeded => {
            let output = over.output().unwrap_or("null");
            Ending::Succeeded(serde_json::from_str(output).context("reading the execution's output as JSON")?)
        }
        ExecutionStatus::Failed => Ending::Failed(reason(over.error(), over.cause())),
        status => {
            Ending::Stopped(format!("the execution was {}", status.as_str().to_lowercase().replace('_', " ")))
        }
    })
}

/// What a Lambda's failure says, without the JSON around it.
fn reason(error: Option<&str>, cause: Option<&str>) -> String {
    let cause = cause.unwrap_or_default();
    let message = serde_json::from_str::<Value>(cause)
        .ok()
        .and_then(|cause| cause.get("errorMessage")?.as_str().map(str::to_owned))
        .unwrap_or_else(|| cause.to_owned());
    match (message.as_str(), error) {
        ("", Some(error)) => error.to_owned(),
        ("", None) => "the execution failed and does not say why".to_owned(),
        _ => message,
    }
}

/// Stops the execution and waits until the run's lock on the function is gone, which the stack's abort rule sees to.
async fn stop(aws: &Aws, arn: &str, function_arn: &str, events: &Events) -> anyhow::Result<Ending> {
    events.started("stopping the execution and putting the function back");
    let cause = "interrupted by the user";
    let stopped =
        aws.states().stop_execution().execution_arn(arn).error("Interrupted").cause(cause).send().await;
    stopped
        .called("states:StopExecution")
        .context("stopping the execution")
        .hint(format!("it goes on by itself: {arn}"))?;
    let by_hand = format!("see to it with `deployer cleanup {function_arn}`");
    let deadline = tokio::time::Instant::now() + CLEANED_WITHIN;
    while tokio::time::Instant::now() < deadline {
        let lock =
            aws.lambda().get_alias().function_name(function_arn).name(tuning::input::LOCK_ALIAS).send().await;
        match lock.called("lambda:GetAlias") {
            Ok(_) => tokio::time::sleep(aws.poll_interval()).await,
            Err(error) if error.is("ResourceNotFoundException") => {
                events.finished("stopped; the function is as it was before");
                return Ok(Ending::Stopped("interrupted; the function is as it was before".to_owned()));
            }
            Err(error) => {
                return Err(error).context("asking whether the function was put back").hint(by_hand);
            }
        }
    }
    Err(hinted(
        anyhow::anyhow!("interrupted, and the function was not put back within {CLEANED_WITHIN:?}"),
        by_hand,
    ))
}

/// What the history has told so far.
#[derive(Debug, Default)]
struct Progress {
    seen: i64,
    total: usize,
    done: usize,
}

impl Progress {
    fn take(&mut self, event: &HistoryEvent, events: &Events) {
        self.seen = event.id();
        let entered = event.state_entered_event_details();
        let exited = event.state_exited_event_details();
        match event.r#type() {
            HistoryEventType::TaskStateEntered => match entered.map(|details| details.name()) {
                Some("Initializer") => events.started("checking the function and taking its lock"),
                Some("Publisher") => events.started("publishing a version per memory size"),
                Some("Cleaner") => events.started("putting the function back"),
                Some("CleanUpOnError") => events.started("something failed; putting the function back"),
                Some("Optimizer") => events.started("finishing"),
                _ => {}
            },
            HistoryEventType::MapStateStarted => {
                self.total = event
                    .map_state_started_event_details()
                    .map_or(0, |d| usize::try_from(d.length()).unwrap_or(0));
                events.started(format!("measuring {} memory sizes", self.total));
            }
            HistoryEventType::TaskStateExited
                if exited.is_some_and(|details| details.name() == "Executor") =>
            {
                let output = exited.and_then(|details| details.output()).unwrap_or("null");
                if let Some(size) = self.size(&serde_json::from_str(output).unwrap_or_default()) {
                    events.emit(size);
                }
            }
            _ => {}
        }
    }

    /// The event that a finished Executor's result makes; a pass that will be continued makes none.
    fn size(&mut self, result: &Value) -> Option<Event> {
        let memory_mb = u32::try_from(result.get("value")?.as_u64()?).ok()?;
        if let Some(reason) = result.get("skipped").and_then(Value::as_str) {
            self.done += 1;
            let (done, total) = (self.done, self.total);
            return Some(Event::Skipped { memory_mb, reason: reason.to_owned(), done, total });
        }
        let duration_ms = result.get("averageDuration")?.as_f64()?;
        let cost = result.get("averagePrice")?.as_f64()?;
        self.done += 1;
        Some(Event::Measured { memory_mb, duration_ms, cost, done: self.done, total: self.total })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_failure_is_told_by_its_message() {
        let cause = json!({ "errorType": "HandlerError", "errorMessage": "128 MB: boom" }).to_string();
        assert_eq!(reason(Some("HandlerError"), Some(&cause)), "128 MB: boom");
        assert_eq!(reason(Some("States.Timeout"), None), "States.Timeout");
        assert_eq!(reason(None, Some("plain text")), "plain text");
        assert_eq!(reason(None, None), "the execution failed and does not say why");
    }

    #[test]
    fn only_finished_sizes_count_as_progress() {
        let mut progress = Progress { total: 2, ..Progress::default() };
        assert!(progress.size(&json!({ "input": {}, "value": 128, "progress": {} })).is_none());
        let done = progress.size(&json!({ "value": 128, "averageDuration": 4.5, "averagePrice": 1e-7 }));
        assert!(matches!(done, Some(Event::Measured { memory_mb: 128, done: 1, total: 2, .. })), "{done:?}");
        let skipped = progress.size(&json!({ "value": 256, "skipped": "out of memory" }));
        assert!(matches!(skipped, Some(Event::Skipped { memory_mb: 256, done: 2, .. })), "{skipped:?}");
    }

    #[test]
    fn names_keep_to_the_limit() {
        assert!(name(&"x".repeat(64)).len() <= 80);
    }
}
