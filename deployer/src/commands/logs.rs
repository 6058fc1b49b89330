//! `logs`: what the tuning Lambdas have logged of one run, in order of time.
//!
//! Each Lambda has a log group of its own, and executions that run at the same time share it. Of an invocation's lines, which follow
//! one another in a stream, one names the execution ([`tuning::log`]).

use std::fmt;

use anyhow::Context as _;
use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use jiff::Timestamp;
use serde::Serialize;

use super::history;
use crate::aws::Aws;
use crate::call::Call;
use crate::context::Context;
use crate::definitions::Deployed;
use crate::deployment::Deployment;
use crate::execution;
use crate::failure::{Usage, hinted};
use crate::outcome::Outcome;

/// How long after an execution's end its Lambdas may still log, in milliseconds: after an abort the Cleaner comes then, with copies a
/// second time once the last pass must be over, which has a Lambda's 15 minutes.
const AFTERWARDS: i64 = 30 * 60 * 1000;

/// What the log groups of the Lambdas are called in the template, after the Lambda's name.
const LOG_GROUP: &str = "LogGroup";

/// That of the copies, which has the lines of the measured function.
const COPIES: &str = "copies";

/// The resolved options of `logs`.
#[derive(Debug)]
pub struct Options {
    /// The function's name or ARN, whose last run is meant.
    pub function: Option<String>,
    /// The execution's name or ARN, instead.
    pub execution: Option<String>,
}

/// The lines of a run. As JSON: `{"executionArn","status","lines":[{"time","lambda","stream","message"}]}`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Logs {
    execution_arn: String,
    /// `SUCCEEDED`, `RUNNING`, `FAILED`, `ABORTED` or `TIMED_OUT`.
    status: String,
    lines: Vec<Line>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Line {
    /// In RFC 3339, UTC, with milliseconds.
    #[serde(serialize_with = "to_the_millisecond")]
    time: Timestamp,
    /// Which of the Lambdas, `executor` for example.
    lambda: String,
    /// The log stream, which stands for one execution environment.
    stream: String,
    /// Without the line end.
    message: String,
}

fn to_the_millisecond<S: serde::Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{time:.3}"))
}

impl Line {
    /// Whether an invocation's lines begin here; an environment that starts has a line before that.
    fn begins(&self) -> bool {
        self.message.starts_with("START RequestId: ")
    }

    fn initializes(&self) -> bool {
        self.message.starts_with("INIT_START ")
    }
}

impl fmt::Display for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { execution_arn, status, lines } = self;
        write!(f, "{execution_arn} ({})", status.to_lowercase().replace('_', " "))?;
        if lines.is_empty() {
            return write!(
                f,
                "\nThere are no log lines of it; those older than the stack's log-retention-days are deleted."
            );
        }
        let width = lines.iter().map(|line| line.lambda.len()).max().unwrap_or_default();
        for Line { time, lambda, message, .. } in lines {
            let time = time.strftime("%H:%M:%S%.3f");
            write!(f, "\n{time}  {lambda:<width$}  {}", message.replace('\t', "  "))?;
        }
        Ok(())
    }
}

/// Reads the log lines of a run.
///
/// # Errors
/// A stack, execution or run that is not there; a call's failure.
pub async fn run(options: Options, context: &Context) -> anyhow::Result<Outcome> {
    let aws = context.aws().await?;
    let machine = execution::machine(aws, &context.settings).await?.arn;
    let described = match (&options.execution, &options.function) {
        (Some(execution), _) => {
            let arn = execution::named(execution, &machine);
            execution::same_region(&arn, aws)?;
            execution::described(aws, &arn).await?
        }
        (None, Some(function)) => last_run(function, &machine, aws, context).await?,
        (None, None) => {
            return Err(Usage(
                "say whose log: FUNCTION, for its last run, or --execution EXECUTION".to_owned(),
            )
            .into());
        }
    };
    let stack = execution::deployed(aws, &context.settings).await?;
    let resources =
        Deployment::new(aws, &context.settings.stack_name, &context.events).resources(&stack).await;
    let resources = resources.context("listing the stack's resources")?;
    let groups =
        resources.iter().filter(|resource| resource.kind == "AWS::Logs::LogGroup").filter_map(|resource| {
            let lambda = resource.logical_id.strip_suffix(LOG_GROUP)?;
            (lambda != COPIES).then_some((lambda, resource.physical_id.as_str()))
        });
    context.events.started("reading the log groups of the stack's Lambdas");
    let run = Span::of(&described);
    let mut lines = Vec::new();
    for (lambda, group) in groups {
        lines.extend(read(lambda, group, &run, aws, context).await?);
    }
    lines.sort_by_key(|line| line.time);
    context.events.finished(format!("read {} lines", lines.len()));
    Outcome::new(&Logs {
        execution_arn: described.execution_arn().to_owned(),
        status: described.status().as_str().to_owned(),
        lines,
    })
}

async fn last_run(
    function: &str,
    machine: &str,
    aws: &Aws,
    context: &Context,
) -> anyhow::Result<DescribeExecutionOutput> {
    let name = Deployed::named(function).name;
    context.events.started(format!("looking for the last run of {name}"));
    let (mut runs, looked) = history::executions(aws, machine, &name, 1).await?;
    context.events.finished(format!("looked at {looked} executions"));
    runs.pop().ok_or_else(|| {
        hinted(
            anyhow::anyhow!("Step Functions knows no run of {name}"),
            format!(
                "start one with `{}`, or name an execution with --execution",
                aws.command(&format!("tune {name}"))
            ),
        )
    })
}

/// An execution, and when it was under way, in milliseconds since 1970.
struct Span {
    execution: String,
    from: i64,
    to: Option<i64>,
}

impl Span {
    fn of(described: &DescribeExecutionOutput) -> Self {
        let millis = |time: &aws_smithy_types::DateTime| time.to_millis().unwrap_or_default();
        Self {
            execution: described.execution_arn().to_owned(),
            from: millis(described.start_date()),
            to: described.stop_date().map(millis),
        }
    }

    /// Whether an invocation belongs to the execution. One that does not say (it was killed before it could, or the stack is older than
    /// that line) is taken for one of this run if it began while that was under way.
    fn has(&self, invocation: &[Line]) -> bool {
        let Some(first) = invocation.first() else { return false };
        match invocation.iter().find_map(|line| tuning::log::execution(&line.message)) {
            Some(execution) => execution == self.execution,
            // The rest of an earlier one has no beginning.
            None => {
                (first.begins() || first.initializes())
                    && self.to.is_none_or(|to| first.time.as_millisecond() <= to)
            }
        }
    }
}

/// The lines of a log group that belong to a run.
async fn read(
    lambda: &str,
    group: &str,
    run: &Span,
    aws: &Aws,
    context: &Context,
) -> anyhow::Result<Vec<Line>> {
    let request = aws.logs().filter_log_events().log_group_name(group).start_time(run.from);
    let request = request.set_end_time(run.to.map(|to| to + AFTERWARDS));
    let mut pages = request.into_paginator().send();
    let mut lines = Vec::new();
    while let Some(page) = pages.next().await {
        let page = match page.called("logs:FilterLogEvents") {
            Err(error) if error.is("ResourceNotFoundException") => {
                context.events.warning(format!("the log group {group} is not there"));
                break;
            }
            page => page.with_context(|| format!("reading the log group {group}"))?,
        };
        for event in page.events.unwrap_or_default() {
            lines.push(Line {
                time: Timestamp::from_millisecond(event.timestamp.unwrap_or_default())?,
                lambda: lambda.to_owned(),
                stream: event.log_stream_name.unwrap_or_default(),
                message: event.message.unwrap_or_default().trim_end().to_owned(),
            });
        }
    }
    let invocations = invocations(lines).into_iter().filter(|invocation| run.has(invocation));
    Ok(invocations.flatten().collect())
}

/// Lines in order of time, as the invocations that wrote them. An environment works on one after the other, so in its stream a new one
/// begins where the next starts.
fn invocations(mut lines: Vec<Line>) -> Vec<Vec<Line>> {
    // Stable: within a stream the order stays.
    lines.sort_by(|a, b| a.stream.cmp(&b.stream));
    let mut invocations: Vec<Vec<Line>> = Vec::new();
    for line in lines {
        let goes_on = |open: &Vec<Line>| {
            let Some(first) = open.first() else { return false };
            let awaited = first.initializes() && !open.iter().any(Line::begins);
            first.stream == line.stream && !line.initializes() && (awaited || !line.begins())
        };
        match invocations.last_mut() {
            Some(open) if goes_on(open) => {
                open.push(line);
            }
            _ => invocations.push(vec![line]),
        }
    }
    invocations
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "arn:aws:states:eu-west-1:123456789012:execution:m:ours";
    const OTHER: &str = "arn:aws:states:eu-west-1:123456789012:execution:m:other";

    fn line(time: i64, stream: &str, message: &str) -> Line {
        let time = Timestamp::from_millisecond(time).unwrap();
        Line { time, lambda: "executor".to_owned(), stream: stream.to_owned(), message: message.to_owned() }
    }

    fn kept(lines: Vec<Line>) -> Vec<i64> {
        let run = Span { execution: OURS.to_owned(), from: 10, to: Some(100) };
        let mut lines: Vec<Line> =
            invocations(lines).into_iter().filter(|one| run.has(one)).flatten().collect();
        lines.sort_by_key(|line| line.time);
        lines.iter().map(|line| line.time.as_millisecond()).collect()
    }

    #[test]
    fn of_invocations_side_by_side_those_of_the_run_are_kept() {
        let mark = |execution| tuning::log::line(execution, None);
        let lines = vec![
            line(10, "a", "REPORT RequestId: 0\tDuration: 5 ms"),
            line(11, "b", "INIT_START Runtime Version: provided:al2023"),
            line(12, "a", "START RequestId: 1 Version: $LATEST"),
            line(13, "b", "START RequestId: 2 Version: $LATEST"),
            line(14, "a", &mark(OURS)),
            line(15, "b", &mark(OTHER)),
            line(16, "b", "END RequestId: 2"),
            line(17, "a", "REPORT RequestId: 1"),
            line(18, "a", "START RequestId: 3 Version: $LATEST"),
            line(19, "a", &mark(OTHER)),
            line(20, "b", "START RequestId: 4 Version: $LATEST"),
            line(21, "b", &mark(OURS)),
            line(22, "b", "Task timed out after 3.00 seconds"),
        ];
        assert_eq!(kept(lines), [12, 14, 17, 20, 21, 22]);
    }

    #[test]
    fn one_that_was_killed_before_it_could_say_whose_it_is_counts_while_the_run_lasts() {
        let killed = |time| {
            vec![
                line(time, "a", "INIT_START Runtime Version: provided:al2023"),
                line(time + 1, "a", "START RequestId: 1 Version: $LATEST"),
                line(time + 2, "a", "REPORT RequestId: 1 Status: timeout"),
            ]
        };
        assert_eq!(kept(killed(50)), [50, 51, 52]);
        assert_eq!(kept(killed(101)), [] as [i64; 0]);
        // The Cleaner after an abort says it.
        let late = vec![
            line(150, "a", "START RequestId: 1 Version: $LATEST"),
            line(151, "a", &tuning::log::line(OURS, None)),
        ];
        assert_eq!(kept(late), [150, 151]);
    }
}
