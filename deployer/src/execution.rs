//! An execution of the state machine: started, followed through its history to its end, stopped on Ctrl-C.
//!
//! What happens on the way is told as events; the history is read newest first, so that a poll costs one small page
//! however long the run has been.

mod progress;

use std::time::Duration;

use anyhow::Context as _;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use aws_sdk_sfn::types::{ExecutionStatus, HistoryEvent};
use serde_json::Value;
use tuning::input::{Input, LambdaArn, Tune, fields};

use crate::app;
use crate::aws::{Aws, RetryBudget};
use crate::call::{Call, CallError};
use crate::deployment::stack::Stack;
use crate::events::Events;
use crate::failure::{Advice, hinted};
use crate::interrupt::Interrupted;
use crate::options;
use crate::settings::Settings;
use progress::Progress;

/// How long the abort rule may take to put the function back before we say that we no longer wait for it. The message says it as well.
const CLEANED_WITHIN: Duration = Duration::from_secs(120);

/// How an execution ended.
#[derive(Debug)]
pub enum Ending {
    /// With this output.
    Succeeded(Value),
    /// For this reason.
    Failed(String),
    /// By Ctrl-C; the function is as it was before.
    Interrupted,
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
    /// How long it took, if that was told.
    pub took: Option<Duration>,
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

/// A state machine, and what its stack tells of it.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Its ARN.
    pub arn: String,
    /// The power values of an input that names none.
    pub sizes: Option<Value>,
    /// What is measured: `no` copies, `also` copies, or copies `only`.
    pub copies: Option<String>,
}

/// The deployed state machine, from the stack's outputs and parameters.
///
/// # Errors
/// A stack that is not deployed, or that is not ours.
pub async fn machine(aws: &Aws, settings: &Settings) -> anyhow::Result<Machine> {
    let stack = deployed(aws, settings).await?;
    let sizes = stack.parameters.get("PowerValues");
    let sizes = sizes.and_then(|text| fields::POWER_VALUES.form.from_text(text).ok());
    let copies = options::COPIES.spec.parameter.and_then(|parameter| stack.parameters.get(parameter.name));
    let copies = copies.cloned();
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
        .map(|arn| Machine { arn, sizes, copies })
}

/// Checks that calls go to the region of what an ARN names.
///
/// # Errors
/// Another region, with a hint.
pub fn same_region(arn: &str, aws: &Aws) -> anyhow::Result<()> {
    let here = &aws.place().region;
    match arn.split(':').nth(3) {
        Some(there) if there != here => Err(hinted(
            anyhow::anyhow!("{arn} is in {there}, and calls go to {here}"),
            format!("say --region {there}, or name one in {here}"),
        )),
        _ => Ok(()),
    }
}

/// Starts an execution; gives its ARN.
///
/// # Errors
/// The call's failure: nothing runs then.
pub async fn start(
    aws: &Aws,
    machine: &str,
    function_arn: &str,
    input: &Value,
    events: &Events,
) -> anyhow::Result<String> {
    let function = &function_name(function_arn);
    events.started(format!("starting an execution for {function}"));
    start_named(aws, machine, &name(function), input).await
}

/// Starts an execution of this name, which no other one has: a start whose answer was lost can be repeated without a second run.
///
/// # Errors
/// The call's failure: nothing runs then.
pub async fn start_named(aws: &Aws, machine: &str, name: &str, input: &Value) -> anyhow::Result<String> {
    let started = aws
        .states()
        .start_execution()
        .state_machine_arn(machine)
        .name(name)
        .input(input.to_string())
        .send()
        .await
        .called("states:StartExecution");
    let started = match started {
        Err(error) if error.is("StateMachineDoesNotExist") => Err(error).hint(
            "`deployer up` says whether it was deleted outside CloudFormation; or name another with --state-machine-arn",
        ),
        other => other.map_err(anyhow::Error::from),
    };
    Ok(started.context("starting the execution")?.execution_arn().to_owned())
}

/// The name of a function in its ARN, be it that of a version or alias.
fn function_name(arn: &str) -> String {
    LambdaArn::split(arn).map_or_else(|_| "function".to_owned(), |(arn, _)| arn.name)
}

/// Follows an execution of our own to its end. Ctrl-C stops it and waits until the function is put back, or its copies are gone.
///
/// # Errors
/// Calls that failed for good; the execution then goes on by itself.
pub async fn follow_or_stop(
    aws: &Aws,
    arn: String,
    function_arn: &str,
    asked: &Input,
    events: &Events,
) -> anyhow::Result<Ended> {
    let then = match asked.tune {
        Tune::InPlace => "puts the function back",
        Tune::Copy => "deletes the copies",
    };
    events.note(format!("execution {arn}"));
    events.note(format!("Ctrl-C stops it and {then}"));
    tokio::select! {
        over = follow(aws, &arn, events) => {
            let (ending, took) = over?;
            Ok(Ended { arn, ending, took })
        }
        () = crate::interrupt::interrupted() => {
            let ending = match (asked.tune, &asked.role_arn) {
                (Tune::InPlace, Some(role)) => stop_elsewhere(aws, &arn, function_arn, role).await?,
                (tune, _) => stop(aws, &arn, function_arn, tune, events).await?,
            };
            Ok(Ended { arn, ending, took: None })
        }
    }
}

/// The ARN of a state machine's execution that is given by its name or its ARN.
#[must_use]
pub fn named(execution: &str, machine: &str) -> String {
    if execution.starts_with("arn:") {
        execution.to_owned()
    } else {
        format!("{}:{execution}", machine.replace(":stateMachine:", ":execution:"))
    }
}

/// Looks an execution up.
///
/// # Errors
/// One that does not exist, with a hint; the call's failure.
pub async fn described(aws: &Aws, arn: &str) -> anyhow::Result<DescribeExecutionOutput> {
    let described = aws.states().describe_execution().execution_arn(arn).send().await;
    let described = match described.called("states:DescribeExecution") {
        Err(error) if error.is("ExecutionDoesNotExist") => Err(error)
            .hint("check the name and --stack-name, --region and --profile; `aws stepfunctions list-executions` lists them"),
        other => other.map_err(anyhow::Error::from),
    };
    described.with_context(|| format!("looking up the execution {arn}"))
}

/// Follows an execution that runs by itself to its end; gives its input as well. Ctrl-C leaves it running.
///
/// # Errors
/// One that does not exist; Ctrl-C; calls that failed for good.
pub async fn attach(aws: &Aws, arn: &str, events: &Events) -> anyhow::Result<(Value, Ended)> {
    let described = described(aws, arn).await?;
    let input = serde_json::from_str(described.input().unwrap_or("null")).unwrap_or_default();
    if *described.status() == ExecutionStatus::Running {
        events.note(format!("execution {arn}; Ctrl-C leaves it running"));
    }
    let (ending, took) = tokio::select! {
        over = follow(aws, arn, events) => over?,
        () = crate::interrupt::interrupted() => {
            let how = format!(
                "{}; to stop it: aws stepfunctions stop-execution --execution-arn {arn} (the function is put back then)",
                again(aws, arn)
            );
            return Err(hinted(Interrupted::AtWork("the execution goes on by itself"), how));
        }
    };
    Ok((input, Ended { arn: arn.to_owned(), ending, took }))
}

fn again(aws: &Aws, arn: &str) -> String {
    format!("to follow it again: {}", aws.command(&format!("tune --attach {arn}")))
}

/// Whether a failed execution has put the function back, as the beginning of a sentence; nothing when nobody can tell.
pub async fn what_is_left(aws: &Aws, function_arn: &str, tune: Tune, arn: &str) -> String {
    if tune == Tune::Copy {
        return match copies_are_there(aws, arn).await {
            Ok(true) => format!("its copies are not deleted yet: `{}`; ", aws.command("cleanup")),
            Ok(false) | Err(_) => "the function was not touched; ".to_owned(),
        };
    }
    let lock =
        aws.lambda().get_alias().function_name(function_arn).name(tuning::input::LOCK_ALIAS).send().await;
    match lock.called("lambda:GetAlias") {
        Err(error) if error.is("ResourceNotFoundException") => {
            "the function is as it was before; ".to_owned()
        }
        // The lock's description names its owner, which may be another execution.
        Ok(lock) if lock.description().is_some_and(|owner| owner.ends_with(arn)) => {
            let cleanup = aws.command(&format!("cleanup {function_arn}"));
            format!("the function is not put back yet: `{cleanup}`; ")
        }
        Ok(_) => "this execution left the function alone; ".to_owned(),
        Err(_) => String::new(),
    }
}

/// `FUNCTION-TIME-PROCESS`, at most 80 characters of those that a name may have.
fn name(function: &str) -> String {
    let time = jiff::Timestamp::now().as_millisecond();
    let function: String = function.chars().take(50).collect();
    format!("{function}-{time}-{}", std::process::id())
}

/// Tells what happens until the execution is over. Answers that do not come are waited for: it runs by itself.
async fn follow(aws: &Aws, arn: &str, events: &Events) -> anyhow::Result<(Ending, Option<Duration>)> {
    let client = Client::new(&aws.polling());
    let mut progress = Progress::new(&aws.place().region);
    let mut retries = RetryBudget::new(aws.poll_interval(), events);
    loop {
        let looked = look(&client, arn, &progress).await;
        let seen = retries.spend(looked).await.with_context(|| format!("asking how {arn} is doing"));
        let Some((over, news)) = seen.hint(format!("it goes on by itself; {}", again(aws, arn)))? else {
            continue;
        };
        match news {
            Ok(news) => {
                news.iter().for_each(|event| progress.take(event, events));
                progress.tell(events);
            }
            Err(denied) => {
                progress.blind = true;
                let hint = denied.hint().unwrap_or_default();
                events.warning(format!("no progress can be shown: {hint}"));
            }
        }
        match over.status() {
            ExecutionStatus::Running | ExecutionStatus::PendingRedrive => {
                tokio::time::sleep(aws.poll_interval()).await;
            }
            _ => return Ok((ending(&over)?, took(&over))),
        }
    }
}

/// How long an execution that is over has taken.
#[must_use]
pub fn took(over: &DescribeExecutionOutput) -> Option<Duration> {
    let span = over.stop_date()?.as_secs_f64() - over.start_date().as_secs_f64();
    Duration::try_from_secs_f64(span).ok()
}

/// New events, or why nobody may see them.
type News = Result<Vec<HistoryEvent>, CallError>;

/// The execution's state, and what has happened up to it since the last look.
async fn look(
    client: &Client,
    arn: &str,
    progress: &Progress,
) -> Result<(DescribeExecutionOutput, News), CallError> {
    let described = client.describe_execution().execution_arn(arn).send().await;
    let described = described.called("states:DescribeExecution")?;
    let news = match unseen(client, arn, progress).await {
        Err(error) if !error.is_denied() => return Err(error),
        other => other,
    };
    Ok((described, news))
}

/// Events after the last one that was seen, oldest first.
async fn unseen(client: &Client, arn: &str, progress: &Progress) -> News {
    let mut found = Vec::new();
    if progress.blind {
        return Ok(found);
    }
    let history = client.get_execution_history().execution_arn(arn).reverse_order(true).max_results(100);
    let mut pages = history.into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.called("states:GetExecutionHistory")?;
        let before = found.len();
        found.extend(page.events().iter().filter(|event| event.id() > progress.seen).cloned());
        if found.len() - before < page.events().len() {
            break;
        }
    }
    found.reverse();
    Ok(found)
}

fn ending(over: &DescribeExecutionOutput) -> anyhow::Result<Ending> {
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
#[must_use]
pub fn reason(error: Option<&str>, cause: Option<&str>) -> String {
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

/// Whether there is the first of an execution's copies, which is made first.
async fn copies_are_there(aws: &Aws, arn: &str) -> Result<bool, CallError> {
    let name = tuning::copies::name(arn, 0);
    match aws.lambda().get_function().function_name(name).send().await.called("lambda:GetFunction") {
        Ok(_) => Ok(true),
        Err(error) if error.is("ResourceNotFoundException") => Ok(false),
        Err(error) => Err(error),
    }
}

/// Stops the execution and waits until the function is put back, or its copies are deleted.
async fn stop(
    aws: &Aws,
    arn: &str,
    function_arn: &str,
    tune: Tune,
    events: &Events,
) -> anyhow::Result<Ending> {
    let (doing, done) = match tune {
        Tune::Copy => ("deleting its copies", "the function was not touched"),
        Tune::InPlace => ("putting the function back", "the function is as it was before"),
    };
    events.started(format!("stopping the execution and {doing}"));
    order_stop(aws, arn).await?;
    cleaned(aws, arn, function_arn, tune).await?;
    events.finished(format!("stopped; {done}"));
    Ok(Ending::Interrupted)
}

async fn order_stop(aws: &Aws, arn: &str) -> anyhow::Result<()> {
    stop_only(aws, arn, &again(aws, arn)).await
}

/// Stops an execution and waits for nothing; `again` says how to come back to one that cannot be stopped.
///
/// # Errors
/// The call's failure: the execution goes on.
pub async fn stop_only(aws: &Aws, arn: &str, again: &str) -> anyhow::Result<()> {
    let cause = "interrupted by the user";
    let stopped =
        aws.states().stop_execution().execution_arn(arn).error("Interrupted").cause(cause).send().await;
    stopped
        .called("states:StopExecution")
        .context("stopping the execution")
        .hint(format!("it goes on by itself; {again}"))
        .map(drop)
}

/// Waits until what a stopped execution had made or changed is gone, which the stack's abort rule sees to: two minutes at most.
///
/// # Errors
/// Something that is still there then, with what to do about it; a call that failed.
pub async fn cleaned(aws: &Aws, arn: &str, function_arn: &str, tune: Tune) -> anyhow::Result<()> {
    let (by_hand, left) = match tune {
        Tune::Copy => (aws.command("cleanup"), "the copies were not deleted within two minutes"),
        Tune::InPlace => (
            aws.command(&format!("cleanup {function_arn}")),
            "the function was not put back within two minutes",
        ),
    };
    let by_hand = format!("see to it with `{by_hand}`");
    let deadline = tokio::time::Instant::now() + CLEANED_WITHIN;
    while tokio::time::Instant::now() < deadline {
        let left = match tune {
            Tune::Copy => copies_are_there(aws, arn).await,
            Tune::InPlace => is_locked(aws, function_arn).await,
        };
        match left {
            Ok(false) => return Ok(()),
            Err(error) if !error.transient => {
                return Err(error).context("asking whether all is as it was before").hint(by_hand);
            }
            Ok(true) | Err(_) => tokio::time::sleep(aws.poll_interval()).await,
        }
    }
    Err(hinted(Interrupted::AtWork(left), by_hand))
}

/// Whether a run holds its lock on the function.
async fn is_locked(aws: &Aws, function_arn: &str) -> Result<bool, CallError> {
    let lock =
        aws.lambda().get_alias().function_name(function_arn).name(tuning::input::LOCK_ALIAS).send().await;
    match lock.called("lambda:GetAlias") {
        Ok(_) => Ok(true),
        Err(error) if error.is("ResourceNotFoundException") => Ok(false),
        Err(error) => Err(error),
    }
}

/// Stops the execution of a run in another account, into which nobody can look from here.
async fn stop_elsewhere(aws: &Aws, arn: &str, function_arn: &str, role: &str) -> anyhow::Result<Ending> {
    order_stop(aws, arn).await?;
    let cleanup = aws.command(&format!("cleanup {function_arn} --assume-role {role}"));
    Err(hinted(
        Interrupted::AtWork("the stack puts the function back"),
        format!("whether it has done so says `{cleanup}`, which does it otherwise"),
    ))
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
    fn names_keep_to_the_limit() {
        assert!(name(&"x".repeat(64)).len() <= 80);
    }
}
