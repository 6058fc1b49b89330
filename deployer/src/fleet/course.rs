//! A fleet's execution: started, followed by the counts of its Map Run, stopped with all that it had begun, and what came of each function.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use aws_sdk_sfn::types::{ExecutionListItem, ExecutionStatus};
use serde::Deserialize;
use serde_json::Value;
use tuning::figures;
use tuning::input::Tune;

use super::item::{Item, Start};
use crate::app::{self, FLEET_MACHINE_OUTPUT, FLEETS_BUCKET_OUTPUT};
use crate::aws::{Aws, RetryBudget};
use crate::call::{Call, CallError};
use crate::deployment::stack::Stack;
use crate::events::{Event, Events};
use crate::execution;
use crate::failure::{Advice, hinted};

/// How long Step Functions may take to stop a tuning execution whose fleet was stopped, before we do.
const STOPPED_WITHIN: Duration = Duration::from_secs(20);

/// What the stack has for fleets.
#[derive(Debug)]
pub struct Fleets {
    /// The machine's ARN.
    pub machine: String,
    /// The machine that tunes one function.
    pub tuning: String,
    /// The bucket for plans and results.
    pub bucket: String,
}

impl Fleets {
    /// Of a stack.
    ///
    /// # Errors
    /// One without fleets, with a hint.
    pub fn of(stack: &Stack, local: bool) -> anyhow::Result<Self> {
        let output = |name: &str| stack.outputs.get(name).cloned();
        match (output(FLEET_MACHINE_OUTPUT), output(FLEETS_BUCKET_OUTPUT), output(app::STATE_MACHINE_OUTPUT))
        {
            (Some(machine), Some(bucket), Some(tuning)) => Ok(Self { machine, tuning, bucket }),
            _ => {
                let up = if local { "deployer up --local" } else { "deployer up" };
                Err(hinted(
                    anyhow::anyhow!("the stack {} tunes no fleets", stack.name),
                    format!("`{up} --fleets` adds the state machine and the bucket that this needs"),
                ))
            }
        }
    }
}

/// How an execution ended.
#[derive(Debug)]
pub struct Over {
    /// The execution.
    pub described: DescribeExecutionOutput,
    /// Its Map Run, if it came to one.
    pub map_run: Option<String>,
}

impl Over {
    /// Whether the Map went over all functions.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        *self.described.status() == ExecutionStatus::Succeeded
    }
}

/// How to follow an execution again, as a sentence's end.
#[must_use]
pub fn again(aws: &Aws, arn: &str) -> String {
    format!("to follow it again: {}", aws.command(&format!("fleet run --attach {arn}")))
}

/// Tells how many functions are done until the execution is over.
///
/// # Errors
/// Calls that failed for good; the execution goes on by itself then.
pub async fn follow(aws: &Aws, arn: &str, total: usize, events: &Events) -> anyhow::Result<Over> {
    let client = Client::new(&aws.polling());
    let mut retries = RetryBudget::new(aws.poll_interval(), events);
    let mut map_run = None;
    let mut counted = Counted { total, since: Instant::now(), last: None };
    loop {
        let looked = look(&client, arn, &mut map_run).await;
        let seen = retries.spend(looked).await.with_context(|| format!("asking how {arn} is doing"));
        let seen = seen.hint(format!("it goes on by itself; {}", again(aws, arn)))?;
        let Some((described, counts)) = seen else { continue };
        if let Some((done, running)) = counts {
            counted.tell(done, running, events);
        }
        match described.status() {
            ExecutionStatus::Running | ExecutionStatus::PendingRedrive => {
                tokio::time::sleep(aws.poll_interval()).await;
            }
            _ => return Ok(Over { described, map_run }),
        }
    }
}

/// The execution, and how many functions are done and running once its Map Run has begun.
async fn look(
    client: &Client,
    arn: &str,
    map_run: &mut Option<String>,
) -> Result<(DescribeExecutionOutput, Option<(usize, usize)>), CallError> {
    let described = client.describe_execution().execution_arn(arn).send().await;
    let described = described.called("states:DescribeExecution")?;
    if map_run.is_none() {
        let runs = client.list_map_runs().execution_arn(arn).send().await.called("states:ListMapRuns")?;
        *map_run = runs.map_runs().first().map(|run| run.map_run_arn().to_owned());
    }
    let Some(map_run) = map_run else { return Ok((described, None)) };
    let run = client.describe_map_run().map_run_arn(map_run.as_str()).send().await;
    let run = run.called("states:DescribeMapRun")?;
    let counts = run.item_counts().map(|counts| {
        let number = |count: i64| usize::try_from(count).unwrap_or_default();
        let over = counts.succeeded() + counts.failed() + counts.timed_out() + counts.aborted();
        (number(over), number(counts.running()))
    });
    Ok((described, counts))
}

/// What was told of the counts.
struct Counted {
    total: usize,
    since: Instant,
    last: Option<(usize, usize)>,
}

impl Counted {
    fn tell(&mut self, done: usize, running: usize, events: &Events) {
        if self.last.replace((done, running)) == Some((done, running)) {
            return;
        }
        let elapsed_seconds = self.since.elapsed().as_secs_f64();
        let waiting = self.total.saturating_sub(done + running);
        events.emit(Event::Functions { done, running, waiting, total: self.total, elapsed_seconds });
    }
}

/// Stops the execution, and waits until the functions that were being tuned are as they were before.
///
/// # Errors
/// What is left to be done, with how; calls that failed.
pub async fn stop(aws: &Aws, arn: &str, fleets: &Fleets, events: &Events) -> anyhow::Result<Over> {
    events.started("stopping the fleet and cleaning up after it");
    execution::stop_only(aws, arn, &again(aws, arn)).await?;
    let client = aws.states();
    let mut map_run = None;
    let since = Instant::now();
    let described = loop {
        let seen = look(&client, arn, &mut map_run).await.context("asking how the fleet ended")?;
        let running = seen.1.is_some_and(|(_, running)| running > 0);
        if !running || since.elapsed() > STOPPED_WITHIN {
            break seen.0;
        }
        tokio::time::sleep(aws.poll_interval()).await;
    };
    let mut stopped = 0;
    if let Some(map_run) = &map_run {
        for child in children(&client, map_run, ExecutionStatus::Aborted).await? {
            let Some((item, _)) = child_of(&client, &child).await? else { continue };
            put_back(aws, &item, fleets)
                .await
                .with_context(|| format!("stopping the run of {}", item.function))?;
            stopped += 1;
        }
    }
    let runs = if stopped == 1 { "1 run".to_owned() } else { format!("{stopped} runs") };
    events.finished(format!("stopped the fleet and {runs}; their functions are as they were before"));
    Ok(Over { described, map_run })
}

/// Waits until a tuning execution is over that its fleet no longer waits for, and until it is cleaned up.
async fn put_back(aws: &Aws, item: &Item, fleets: &Fleets) -> anyhow::Result<()> {
    let run = execution::named(&item.name, &fleets.tuning);
    let since = Instant::now();
    let mut ordered = false;
    loop {
        let described = aws.states().describe_execution().execution_arn(&run).send().await;
        match described.called("states:DescribeExecution") {
            // It was not started yet.
            Err(error) if error.is("ExecutionDoesNotExist") => return Ok(()),
            Ok(described) if *described.status() != ExecutionStatus::Running => break,
            Ok(_) if !ordered && since.elapsed() > STOPPED_WITHIN => {
                let by_hand = format!("to stop it: aws stepfunctions stop-execution --execution-arn {run}");
                execution::stop_only(aws, &run, &by_hand).await?;
                ordered = true;
            }
            Ok(_) => {}
            Err(error) if error.transient => {}
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(aws.poll_interval()).await;
    }
    let in_place = item.input.get("tune").and_then(Value::as_str) == Some(Tune::InPlace.name());
    let tune = if in_place { Tune::InPlace } else { Tune::Copy };
    execution::cleaned(aws, &run, &item.lambda_arn, tune).await
}

/// The executions of a Map Run that have this status.
async fn children(
    client: &Client,
    map_run: &str,
    status: ExecutionStatus,
) -> anyhow::Result<Vec<ExecutionListItem>> {
    let mut pages =
        client.list_executions().map_run_arn(map_run).status_filter(status).into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.called("states:ListExecutions").context("listing the executions of the fleet")?;
        found.extend(page.executions);
    }
    Ok(found)
}

/// What an execution of the Map went over, and its output.
async fn child_of(
    client: &Client,
    child: &ExecutionListItem,
) -> anyhow::Result<Option<(Item, Option<Value>)>> {
    let described = client.describe_execution().execution_arn(child.execution_arn()).send().await;
    let described =
        described.called("states:DescribeExecution").context("looking at the executions of the fleet")?;
    let item = serde_json::from_str(described.input().unwrap_or_default()).ok();
    Ok(item.map(|item| (item, described.output().and_then(|text| serde_json::from_str(text).ok()))))
}

/// What came of one function.
#[derive(Debug, Clone, PartialEq)]
pub enum Came {
    /// A result.
    Tuned {
        /// The tuning execution.
        execution_arn: String,
        /// Its output.
        result: Value,
    },
    /// A failure.
    Failed {
        /// The tuning execution, if it came to one.
        execution_arn: Option<String>,
        /// AWS's name for the error, or the function's own.
        name: String,
        /// What it says.
        message: String,
    },
}

impl Came {
    /// Of the output of an execution of the Map.
    fn of(output: &Value, seconds: u64) -> Self {
        let text = |value: &Value, name: &str| value[name].as_str().map(str::to_owned);
        if let Some(execution_arn) = text(output, "executionArn") {
            return Self::Tuned { execution_arn, result: output["result"].clone() };
        }
        let name = text(output, "Error").unwrap_or_default();
        let cause = text(output, "Cause").unwrap_or_default();
        if name == "States.Timeout" {
            let message = format!("it was given up after {}", figures::span(seconds as f64));
            return Self::Failed { execution_arn: None, name, message };
        }
        // A tuning execution that did not succeed is told as DescribeExecution tells it.
        let run: Value = serde_json::from_str(&cause).unwrap_or_default();
        match (text(&run, "ExecutionArn"), run["Status"].as_str()) {
            (Some(arn), Some("FAILED")) => {
                let inner = text(&run, "Error");
                let message = execution::reason(inner.as_deref(), run["Cause"].as_str());
                Self::Failed { execution_arn: Some(arn), name: inner.unwrap_or(name), message }
            }
            (Some(arn), status) => {
                let status = status.unwrap_or("over").to_lowercase().replace('_', " ");
                Self::Failed {
                    execution_arn: Some(arn),
                    name,
                    message: format!("its execution was {status}"),
                }
            }
            (None, _) => Self::Failed {
                execution_arn: None,
                message: execution::reason(Some(&name), Some(&cause)),
                name,
            },
        }
    }
}

/// A manifest of results, as Step Functions writes it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Manifest {
    result_files: BTreeMap<String, Vec<File>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct File {
    key: String,
}

/// What came of the functions, by the names of their executions; those that are not there were not reached, or not finished.
///
/// # Errors
/// Results that cannot be read.
pub async fn results(aws: &Aws, bucket: &str, over: &Over) -> anyhow::Result<BTreeMap<String, Came>> {
    let mut came = BTreeMap::new();
    let mut take = |item: &Item, output: Option<&Value>| {
        came.extend(output.map(|output| (item.name.clone(), Came::of(output, item.seconds))));
    };
    let output: Value = serde_json::from_str(over.described.output().unwrap_or("null")).unwrap_or_default();
    match (output["ResultWriterDetails"]["Key"].as_str(), &over.map_run) {
        (Some(manifest), _) => {
            let manifest: Manifest = read(aws, bucket, manifest).await?;
            for file in manifest.result_files.values().flatten() {
                let entries: Vec<Value> = read(aws, bucket, &file.key).await?;
                for entry in entries {
                    let parsed = |name: &str| {
                        serde_json::from_str::<Value>(entry[name].as_str().unwrap_or("null")).ok()
                    };
                    let item = parsed("Input").and_then(|input| serde_json::from_value::<Item>(input).ok());
                    // What no state can catch, such as data beyond Step Functions' limit, ends the execution of the Map itself.
                    let ended =
                        ["FAILED", "TIMED_OUT"].contains(&entry["Status"].as_str().unwrap_or_default());
                    let output = if ended { Some(entry.clone()) } else { parsed("Output") };
                    if let Some(item) = item {
                        take(&item, output.filter(|output| !output.is_null()).as_ref());
                    }
                }
            }
        }
        // Of a run that was stopped there may be no files.
        (None, Some(map_run)) => {
            let client = aws.states();
            for child in children(&client, map_run, ExecutionStatus::Succeeded).await? {
                if let Some((item, output)) = child_of(&client, &child).await? {
                    take(&item, output.as_ref());
                }
            }
        }
        (None, None) => {}
    }
    Ok(came)
}

/// A JSON document in the bucket.
///
/// # Errors
/// One that is not there, or that is not what it should be.
pub async fn read<T: serde::de::DeserializeOwned>(aws: &Aws, bucket: &str, key: &str) -> anyhow::Result<T> {
    let doing = || format!("reading s3://{bucket}/{key}");
    let answer = aws.s3().get_object().bucket(bucket).key(key).send().await.called("s3:GetObject");
    let body = answer.with_context(doing)?.body.collect().await.with_context(doing)?;
    serde_json::from_slice(&body.into_bytes()).with_context(doing)
}

/// What an execution was started with, as its machine got it.
///
/// # Errors
/// An execution of another machine.
pub fn started_with(described: &DescribeExecutionOutput) -> anyhow::Result<Start> {
    let input = described.input().unwrap_or_default();
    serde_json::from_str(input)
        .with_context(|| format!("{} is not the execution of a fleet", described.execution_arn()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn failures_are_told_by_their_own_words() {
        let failed = |output: &Value| match Came::of(output, 90) {
            Came::Failed { execution_arn, name, message } => (execution_arn.is_some(), name, message),
            Came::Tuned { .. } => panic!("a success"),
        };
        let cause = json!({"errorType": "HandlerError", "errorMessage": "128 MB: boom"}).to_string();
        let run = |status: &str| {
            let run = json!({"ExecutionArn": "arn:aws:states:x", "Status": status, "Error": "HandlerError", "Cause": cause});
            json!({"Error": "States.TaskFailed", "Cause": run.to_string()})
        };
        let told = |arn: bool, name: &str, message: &str| (arn, name.to_owned(), message.to_owned());
        assert_eq!(failed(&run("FAILED")), told(true, "HandlerError", "128 MB: boom"));
        assert_eq!(failed(&run("TIMED_OUT")), told(true, "States.TaskFailed", "its execution was timed out"));
        let gone = json!({"Error": "States.Timeout", "Cause": ""});
        assert_eq!(failed(&gone), told(false, "States.Timeout", "it was given up after 1 min 30 s"));
        let denied = json!({"Error": "StepFunctions.AWSStepFunctionsException", "Cause": "not authorized"});
        assert_eq!(failed(&denied), told(false, "StepFunctions.AWSStepFunctionsException", "not authorized"));
    }

    #[test]
    fn a_result_is_one_whatever_is_in_it() {
        let output = json!({"executionArn": "arn", "result": {"power": 512}});
        let expected = Came::Tuned { execution_arn: "arn".to_owned(), result: json!({"power": 512}) };
        assert_eq!(Came::of(&output, 1), expected);
    }
}
