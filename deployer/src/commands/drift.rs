//! `drift`: what of the stack was changed outside CloudFormation.

use std::fmt;

use serde::Serialize;

use super::outputs;
use crate::context::Context;
use crate::deployment::Deployment;
use crate::deployment::drift::Drift;
use crate::deployment::stack::Condition;
use crate::failure::hinted;
use crate::outcome::{Outcome, Status};

/// The resolved options of `drift`.
#[derive(Debug)]
pub struct Options {
    /// Whether the exit status tells drift from none.
    pub detailed_exit_code: bool,
}

/// What was found. As JSON: `{"drifted":bool,"stack","checked","resources":[…],"unknown":[…]}`.
#[derive(Debug, Serialize)]
struct Found {
    drifted: bool,
    #[serde(flatten)]
    drift: Drift,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.drift.fmt(f)?;
        if self.drifted {
            f.write_str("\n\nTo see what would put it right: `deployer preview`; to do it: `deployer up`.")?;
        }
        Ok(())
    }
}

/// Detects the stack's drift, and changes nothing.
///
/// # Errors
/// No stack, one whose state does not allow it, a call's failure.
pub async fn run(options: Options, context: &Context) -> anyhow::Result<Outcome> {
    let aws = context.aws().await?;
    let name = &context.settings.stack_name;
    let deployment = Deployment::new(aws, name, &context.events);
    let stack = outputs::deployed(&deployment, context, aws).await?;
    if stack.condition() == Condition::Busy {
        return Err(hinted(
            anyhow::anyhow!("an operation is under way: {name} is in {}", stack.status),
            "ask again when it is over",
        ));
    }
    context.events.started("comparing the stack's resources with its template");
    let drift = deployment.drift(&stack).await?;
    context.events.finished(format!("compared {} resources", drift.checked));
    let drifted = !drift.is_none();
    let status = if options.detailed_exit_code && drifted { Status::UsageOrChanges } else { Status::Done };
    Ok(Outcome::new(&Found { drifted, drift })?.with_status(status))
}
