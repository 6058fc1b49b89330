//! `cleanup`: puts a function back that a run has left changed, by hand.
//!
//! A stopped execution is cleaned up by the stack's own rule; this is for when that could not happen. It invokes the stack's
//! Cleaner, which refuses while the execution that holds the function is still running. Without a function it is about copies
//! ([`copies`]).

mod copies;

use std::fmt;

use anyhow::Context as _;
use aws_sdk_lambda::primitives::Blob;
use serde::Serialize;
use serde_json::{Value, json};

use crate::app;
use crate::aws::Aws;
use crate::call::Call;
use crate::context::Context;
use crate::deployment::stack::Stack;
use crate::execution;
use crate::failure::hinted;
use crate::function;
use crate::outcome::Outcome;

/// What was put back. As JSON: the Cleaner's answer, with `lambdaARN`.
#[derive(Debug, Serialize)]
struct Cleaned {
    #[serde(rename = "lambdaARN")]
    lambda_arn: String,
    #[serde(flatten)]
    answer: answer::Answer,
}

mod answer {
    //! The Cleaner's answer, as far as it is shown.

    use serde::{Deserialize, Serialize};

    #[derive(Debug, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub(super) struct Answer {
        pub(super) notes: Vec<String>,
        pub(super) owner: Option<String>,
        pub(super) memory_size: Option<u32>,
        pub(super) restored: bool,
        pub(super) aliases_deleted: usize,
        pub(super) versions_deleted: usize,
    }
}

impl fmt::Display for Cleaned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answer = &self.answer;
        for note in &answer.notes {
            writeln!(f, "{note}")?;
        }
        let Some(owner) = &answer.owner else {
            return write!(f, "{} holds no traces of a run.", self.lambda_arn);
        };
        write!(
            f,
            "{}: {} temporary aliases and {} versions of {owner} deleted{}.",
            self.lambda_arn,
            answer.aliases_deleted,
            answer.versions_deleted,
            match (answer.restored, answer.memory_size) {
                (true, Some(memory)) => format!(", memory size put back to {memory} MB"),
                _ => String::new(),
            }
        )
    }
}

/// The resolved options of `cleanup`.
#[derive(Debug)]
pub struct Options {
    /// The function's name or ARN; without it, it is about copies.
    pub function: Option<String>,
    /// The role of its account, where that is another one.
    pub role: Option<String>,
}

/// Puts the function back.
///
/// # Errors
/// A stack or function that is not there; a run that is still going on.
pub async fn run(Options { function, role }: Options, context: &Context) -> anyhow::Result<Outcome> {
    let aws = context.aws().await?;
    let stack = execution::deployed(aws, &context.settings).await?;
    let Some(named) = function else { return copies::run(&stack, aws, context).await };
    let lambda_arn = match &role {
        Some(_) => function::elsewhere(aws, &named)?,
        None => function::find(aws, &named, context.settings.is_local()).await?.arn,
    };
    let cleaner = cleaner(aws, &stack).await?;
    context.events.started(format!("putting {named} back"));
    let event = json!({ "cleanup": { "lambdaARN": lambda_arn, "roleARN": role } });
    let answer = match invoke(aws, &cleaner, &event).await? {
        Ok(answer) => answer,
        Err(refused) => {
            return Err(hinted(
                anyhow::anyhow!("{}", refused.message),
                "what is left has descriptions that begin with `deployer-tuning`; run this again when the cause is gone",
            ))
            .context(format!("putting {named} back"));
        }
    };
    let answer = serde_json::from_value(answer).context("reading the Cleaner's answer")?;
    context.events.finished(format!("{named} is as it was before"));
    Ok(Outcome::new(&Cleaned { lambda_arn, answer })?.folded(true))
}

/// The name of the stack's Cleaner.
async fn cleaner(aws: &Aws, stack: &Stack) -> anyhow::Result<String> {
    let resource = aws
        .cloudformation()
        .describe_stack_resource()
        .stack_name(&stack.id)
        .logical_resource_id(app::CLEANER)
        .send()
        .await
        .called("cloudformation:DescribeStackResource")
        .context("looking up the stack's Cleaner")?;
    resource
        .stack_resource_detail()
        .and_then(|detail| detail.physical_resource_id())
        .map(str::to_owned)
        .with_context(|| format!("the stack {} has no Cleaner", stack.name))
}

/// What the Cleaner refused.
struct Refused {
    kind: String,
    message: String,
}

/// Invokes the Cleaner: its answer, or what it refused.
async fn invoke(aws: &Aws, cleaner: &str, event: &Value) -> anyhow::Result<Result<Value, Refused>> {
    let answer = aws
        .lambda()
        .invoke()
        .function_name(cleaner)
        .payload(Blob::new(event.to_string()))
        .send()
        .await
        .called("lambda:InvokeFunction")
        .context("invoking the stack's Cleaner")?;
    let failed = answer.function_error().is_some();
    let payload = answer.payload().map(Blob::as_ref).unwrap_or_default();
    let document: Value = serde_json::from_slice(payload).unwrap_or_default();
    if !failed {
        return Ok(Ok(document));
    }
    let text = |name: &str| document[name].as_str().map(str::to_owned);
    let message =
        text("errorMessage").unwrap_or_else(|| "the Cleaner failed and does not say why".to_owned());
    Ok(Err(Refused { kind: text("errorType").unwrap_or_default(), message }))
}
