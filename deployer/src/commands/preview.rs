//! `preview`: the change set that `up` would execute, shown and withdrawn.

use std::fmt;

use serde::Serialize;

use super::up::{self, Plan};
use crate::aws::Aws;
use crate::context::Context;
use crate::deployment::Deployment;
use crate::deployment::change_set::Proposal;
use crate::deployment::drift::Drift;
use crate::deployment::page::{self, Page};
use crate::deployment::stack::{Condition, Stack};
use crate::difference::Difference;
use crate::failure::hinted;
use crate::outcome::{Outcome, Status};

/// The resolved options of `preview`.
#[derive(Debug)]
pub struct Options {
    /// Whether the exit status tells changes from none.
    pub detailed_exit_code: bool,
    /// What `up` would be called with.
    pub deploy: up::Options,
}

/// What `up` would change. As JSON: `{"changes":bool,"difference":{…}|null,"pageChanges":bool,"drift":{…}|null}`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    changes: bool,
    difference: Option<Difference>,
    /// Whether the hosted chart page would be uploaded.
    page_changes: bool,
    /// What was changed outside CloudFormation; none where that is not known.
    drift: Option<Drift>,
    #[serde(skip)]
    stack: String,
}

impl fmt::Display for Preview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(drift) = self.drift.as_ref().filter(|drift| !drift.is_none()) {
            write!(f, "{drift}\n\n")?;
        }
        match &self.difference {
            Some(difference) => difference.fmt(f)?,
            None => write!(f, "The stack {} is up to date.", self.stack)?,
        }
        if self.page_changes {
            f.write_str("\nThe hosted chart page would be uploaded.")?;
        }
        Ok(())
    }
}

/// Asks CloudFormation what `up` would change, and changes nothing.
///
/// # Errors
/// A state of the stack in which nobody can tell; whatever CloudFormation refuses.
pub async fn run(options: Options, context: &Context) -> anyhow::Result<Outcome> {
    let Options { detailed_exit_code, deploy } = options;
    let aws = context.aws().await?;
    let name = &context.settings.stack_name;
    let deployment = Deployment::new(aws, name, &context.events);
    let stack = deployment.find().await?;
    if let Some(stack) = &stack {
        match stack.condition() {
            Condition::DeleteStuck => return Err(up::delete_stuck(stack)),
            Condition::RollbackStuck => {
                let reason = stack.reason.as_deref().unwrap_or("no reason given");
                return Err(hinted(
                    anyhow::anyhow!(
                        "an update of {name} failed, and so did its rollback ({}): {reason}",
                        stack.status
                    ),
                    "`deployer up` continues the rollback, and then updates the stack",
                ));
            }
            Condition::Busy => {
                return Err(hinted(
                    anyhow::anyhow!("an operation is under way: {name} is in {}", stack.status),
                    "`deployer up` follows it to its end; or ask again later",
                ));
            }
            Condition::NeverCreated | Condition::Reviewed | Condition::Ready => {}
        }
    }
    let page = page::wanted(&deploy.parameters, stack.as_ref(), aws, &context.events).await?;
    let page_changes = match &page {
        Some(page) => would_upload(page, stack.as_ref(), aws, context).await?,
        None => false,
    };
    let (plan, drift) = tokio::join!(
        Plan::make(deploy, stack.as_ref(), context, &deployment, aws),
        up::drift(&deployment, stack.as_ref())
    );
    let plan = plan?;
    let drifted = drift.as_ref().is_some_and(|drift| !drift.is_none());
    let difference = match &stack {
        Some(stack) if stack.condition() == Condition::NeverCreated => Some(deployment.anew(&plan.wanted)?),
        Some(stack) if !drifted && deployment.is_up_to_date(stack, &plan.wanted).await? => None,
        _ => {
            let plan = plan.for_preview(context, aws).await?;
            context.events.started("asking CloudFormation what would change");
            match deployment.propose(stack.as_ref(), &plan.wanted, drifted).await? {
                Proposal::Unchanged => None,
                Proposal::Changes(change_set) => {
                    deployment.withdraw(&change_set).await?;
                    Some(change_set.difference)
                }
            }
        }
    };
    let changes = difference.is_some() || page_changes;
    let status = if detailed_exit_code && changes { Status::UsageOrChanges } else { Status::Done };
    let preview = Preview { changes, difference, page_changes, drift, stack: name.clone() };
    Ok(Outcome::new(&preview)?.folded(true).with_status(status))
}

async fn would_upload(
    page: &Page,
    stack: Option<&Stack>,
    aws: &Aws,
    context: &Context,
) -> anyhow::Result<bool> {
    let Some(stack) = stack else { return Ok(true) };
    match page::bucket(aws, stack, &context.events).await? {
        Some(bucket) => bucket.differs(page).await,
        None => Ok(true),
    }
}
