//! Copies that runs have left: found by name and tag, deleted when their execution is over.
//!
//! The Cleaner deletes them, since it may ask what became of the stack's executions; who calls this may list functions.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Context as _;
use serde::Serialize;
use serde_json::json;
use tuning::copies::{EXECUTION_TAG, PREFIX, hash, parse};

use super::{cleaner, invoke};
use crate::aws::Aws;
use crate::call::Call;
use crate::context::Context;
use crate::deployment::stack::Stack;
use crate::execution;
use crate::failure::hinted;
use crate::outcome::Outcome;

/// What was deleted. As JSON: `{"copiesDeleted":n,"executions":[…],"running":[…],"others":n}`.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Deleted {
    copies_deleted: u64,
    /// The executions whose copies were deleted.
    executions: Vec<String>,
    /// Executions that still run, so that theirs were left.
    running: Vec<String>,
    /// Copies of other stacks' executions, which were left.
    others: usize,
}

impl fmt::Display for Deleted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { copies_deleted, executions, running, others } = self;
        for execution in running {
            writeln!(f, "{execution} is running: its copies were left.")?;
        }
        if *others > 0 {
            writeln!(f, "{others} functions are copies of other stacks' runs: see --stack-name.")?;
        }
        match (copies_deleted, executions.len()) {
            (0, _) => f.write_str("No run that is over has left copies."),
            (copies, runs) => write!(f, "Deleted {copies} copies, which {runs} runs had left."),
        }
    }
}

/// Deletes the copies of the stack's executions that are over.
///
/// # Errors
/// What may not be listed or read; what the Cleaner refused.
pub(super) async fn run(stack: &Stack, aws: &Aws, context: &Context) -> anyhow::Result<Outcome> {
    let machine = execution::machine(aws, &context.settings).await?.arn;
    let ours = format!("{}:", machine.replace(":stateMachine:", ":execution:"));
    context.events.started("looking for copies that runs have left");
    let mut deleted = Deleted::default();
    let cleaner = cleaner(aws, stack).await?;
    for (name, (first, last)) in found(aws).await? {
        let Some(execution) = made_for(aws, &format!("{PREFIX}{name}-{first}")).await? else { continue };
        if hash(&execution) != name || !execution.starts_with(&ours) {
            deleted.others += 1;
            continue;
        }
        let event = json!({ "cleanup": { "execution": execution, "copies": last + 1 } });
        match invoke(aws, &cleaner, &event).await? {
            Ok(answer) => {
                deleted.copies_deleted += answer["copiesDeleted"].as_u64().unwrap_or_default();
                deleted.executions.push(execution);
            }
            Err(refused) if refused.kind == "AlreadyBeingTuned" => deleted.running.push(execution),
            Err(refused) => {
                return Err(hinted(
                    anyhow::anyhow!("{}", refused.message),
                    format!("what is left are functions whose names begin with `{PREFIX}{name}`; run this again when the cause is gone"),
                ))
                .with_context(|| format!("deleting the copies of {execution}"));
            }
        }
    }
    context.events.finished("looked for copies that runs have left");
    Ok(Outcome::new(&deleted)?.folded(true))
}

/// The hashes in the names of all copies, each with the lowest and the highest number.
async fn found(aws: &Aws) -> anyhow::Result<BTreeMap<String, (u32, u32)>> {
    let mut found: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    let mut functions = aws.lambda().list_functions().into_paginator().items().send();
    while let Some(function) = functions.next().await {
        let function = function.called("lambda:ListFunctions").context("listing functions")?;
        let Some((hash, number)) = function.function_name().and_then(parse) else { continue };
        let numbers = found.entry(hash.to_owned()).or_insert((number, number));
        *numbers = (numbers.0.min(number), numbers.1.max(number));
    }
    Ok(found)
}

/// The execution that a copy says it was made for; none for another function, or one that is gone by now.
async fn made_for(aws: &Aws, name: &str) -> anyhow::Result<Option<String>> {
    match aws.lambda().get_function().function_name(name).send().await.called("lambda:GetFunction") {
        Ok(found) => Ok(found.tags().and_then(|tags| tags.get(EXECUTION_TAG)).cloned()),
        Err(error) if error.is("ResourceNotFoundException") => Ok(None),
        Err(error) => Err(error).with_context(|| format!("looking at {name}")),
    }
}
