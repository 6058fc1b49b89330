//! `history FUNCTION`: the runs of a function that Step Functions still knows, each against the one before it.
//!
//! Nothing is stored by us: executions and their outputs are AWS's, which keeps them for 90 days.

use std::fmt;

use anyhow::Context as _;
use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use aws_smithy_types::date_time::Format;
use serde::Serialize;
use serde_json::Value;
use tuning::figures;
use tuning::input::LambdaArn;
use tuning::output::Analysis;

use super::compare;
use crate::aws::Aws;
use crate::call::Call;
use crate::context::Context;
use crate::definitions::Deployed;
use crate::execution;
use crate::outcome::Outcome;
use crate::render::Form;
use crate::render::table::{self, Column, Place};

/// Executions that are looked at, at most: a stack that many functions share may have far more.
const MOST: usize = 1000;

/// The resolved options of `history`.
#[derive(Debug)]
pub struct Options {
    /// The function's name or ARN.
    pub function: String,
    /// How many of its runs, at most.
    pub last: usize,
    /// Whether to write Markdown rather than text.
    pub markdown: bool,
}

/// A function's runs, the newest first. As JSON: `{"function","runs":[…],"visualization"}`.
#[derive(Debug, Serialize)]
struct History {
    function: String,
    runs: Vec<Run>,
    /// The chart of all runs that have a result.
    #[serde(skip_serializing_if = "Option::is_none")]
    visualization: Option<String>,
    #[serde(skip)]
    form: Form,
}

/// One run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    execution_arn: String,
    /// When it was started, in RFC 3339.
    started: String,
    /// `SUCCEEDED`, `RUNNING`, `FAILED`, `ABORTED` or `TIMED_OUT`.
    status: String,
    /// Its output, where it has one; a dry run has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Analysis>,
}

impl Run {
    fn of(described: &DescribeExecutionOutput) -> Self {
        let output: Option<Option<Analysis>> =
            described.output().and_then(|text| serde_json::from_str(text).ok());
        Self {
            execution_arn: described.execution_arn().to_owned(),
            started: described.start_date().fmt(Format::DateTime).unwrap_or_default(),
            status: described.status().as_str().to_owned(),
            result: output.flatten(),
        }
    }

    fn name(&self) -> &str {
        self.execution_arn.rsplit(':').next().unwrap_or(&self.execution_arn)
    }

    /// To the minute, as one reads it.
    fn when(&self) -> String {
        let minute = self.started.get(..16).unwrap_or(&self.started);
        minute.replace('T', " ")
    }

    fn symbol(&self) -> &'static str {
        let currency =
            self.result.as_ref().and_then(|result| Some(result.prices.as_ref()?.currency.as_str()));
        if currency == Some("CNY") { "\u{a5}" } else { "$" }
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.runs.is_empty() {
            return write!(f, "Step Functions knows no run of {}.", self.function);
        }
        let runs = || self.runs.iter();
        // Of the runs before it the nearest that has a result.
        let before = |index: usize| self.runs.iter().skip(index + 1).find_map(|run| run.result.as_ref());
        let figure = |text: fn(&Run, &Analysis) -> String| {
            runs().map(move |run| run.result.as_ref().map(|result| text(run, result)).unwrap_or_default())
        };
        let against = |value: fn(&Analysis) -> f64| {
            runs().enumerate().map(move |(index, run)| match (&run.result, before(index)) {
                (Some(now), Some(before)) => figures::difference(value(now), value(before)),
                _ => String::new(),
            })
        };
        let status = |run: &Run| run.status.to_lowercase().replace('_', " ");
        let columns = vec![
            Column::words("started (UTC)", 0, runs().map(Run::when)),
            Column::words("ended", 0, runs().map(status)),
            Column::figures("chosen", 0, figure(|_, result| format!("{} MB", result.power))),
            Column::figures("duration", 0, figure(|_, result| figures::duration(result.duration))),
            Column::figures("vs before", 1, against(|result| result.duration)),
            Column::figures(
                "cost per million",
                0,
                figure(|run, result| figures::per_million(result.cost, run.symbol())),
            ),
            Column::figures("vs before", 1, against(|result| result.cost)),
            Column::words("execution", 2, runs().map(|run| run.name().to_owned())),
        ];
        let place = if self.form == Form::Markdown { Place::Markdown } else { Place::stdout() };
        write!(f, "{}", table::fitted(columns, place))?;
        match (&self.visualization, self.form) {
            (Some(link), Form::Text) => write!(f, "\n\nChart: {link}"),
            (Some(link), Form::Markdown) => write!(f, "\n\n[Chart]({link})"),
            (None, _) => Ok(()),
        }
    }
}

/// Lists a function's runs.
///
/// # Errors
/// A stack that is not there, calls that failed.
pub async fn run(options: Options, context: &Context) -> anyhow::Result<Outcome> {
    let Options { function, last, markdown } = options;
    let aws = context.aws().await?;
    let machine = execution::machine(aws, &context.settings).await?.arn;
    let name = Deployed::named(&function).name;
    context.events.started(format!("looking for the runs of {name}"));
    let (found, looked) = executions(aws, &machine, &name, last).await?;
    let runs: Vec<Run> = found.iter().map(Run::of).collect();
    context.events.finished(format!("looked at {looked} executions"));
    if looked == MOST {
        context.events.warning(format!("only the newest {MOST} executions were looked at"));
    }
    let links: Vec<String> = runs
        .iter()
        .rev()
        .filter_map(|run| Some(run.result.as_ref()?.state_machine.visualization.clone()))
        .collect();
    let names = runs.iter().rev().filter(|run| run.result.is_some()).map(Run::when).collect();
    let visualization = match links.as_slice() {
        [] => None,
        [link] => Some(link.clone()),
        // Links that do not go together, of other pages' makers for example, are no reason to show nothing.
        _ => compare::run(compare::Options { links, names, page: None, markdown: false })
            .ok()
            .and_then(|compared| compared.json()["visualization"].as_str().map(str::to_owned)),
    };
    let form = if markdown { Form::Markdown } else { Form::Text };
    Outcome::new(&History { function: name, runs, visualization, form })
}

/// The newest runs of a function, and how many executions were looked at for them.
pub(super) async fn executions(
    aws: &Aws,
    machine: &str,
    name: &str,
    last: usize,
) -> anyhow::Result<(Vec<DescribeExecutionOutput>, usize)> {
    let client = aws.states();
    let mut pages = client.list_executions().state_machine_arn(machine).into_paginator().items().send();
    let (mut found, mut looked) = (Vec::new(), 0);
    while let Some(listed) = pages.next().await {
        let listed = listed.called("states:ListExecutions").context("listing the executions")?;
        if looked == MOST || found.len() == last {
            break;
        }
        looked += 1;
        let described = client.describe_execution().execution_arn(listed.execution_arn()).send().await;
        let described = described.called("states:DescribeExecution").context("reading an execution")?;
        if is_of(described.input(), name) {
            found.push(described);
        }
    }
    Ok((found, looked))
}

/// Whether an execution's input is for a function of this name.
fn is_of(input: Option<&str>, name: &str) -> bool {
    let input: Value = input.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let arn = input["lambdaARN"].as_str().and_then(|arn| LambdaArn::split(arn).ok());
    arn.is_some_and(|(arn, _)| arn.name == name)
}
