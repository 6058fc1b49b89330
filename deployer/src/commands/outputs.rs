//! `outputs`: what a deployed stack says about itself. `up` ends with the same value.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::aws::Aws;
use crate::context::Context;
use crate::deployment::Deployment;
use crate::deployment::stack::{Condition, Stack};
use crate::events::Place;
use crate::failure::hinted;
use crate::outcome::Outcome;

/// A deployed stack. As JSON: `{"stack","change","status","account","region","outputs":{…},"parameters":{…}}`;
/// `change` is `created`, `updated` or `unchanged`, and `null` where nothing was tried.
#[derive(Debug, Serialize)]
pub struct Deployed {
    stack: String,
    change: Option<&'static str>,
    status: String,
    account: String,
    region: String,
    outputs: BTreeMap<String, String>,
    parameters: BTreeMap<String, String>,
}

impl Deployed {
    /// A stack after `up`.
    #[must_use]
    pub fn new(change: &'static str, stack: &Stack, place: &Place) -> Self {
        Self { change: Some(change), ..Self::found(stack, place) }
    }

    fn found(stack: &Stack, place: &Place) -> Self {
        Self {
            stack: stack.name.clone(),
            change: None,
            status: stack.status.clone(),
            account: place.account.clone(),
            region: place.region.clone(),
            outputs: stack.outputs.clone(),
            parameters: stack.parameters.clone(),
        }
    }
}

impl fmt::Display for Deployed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.change {
            Some("unchanged") => writeln!(f, "The stack {} is up to date.", self.stack)?,
            Some(change) => writeln!(f, "The stack {} was {change}.", self.stack)?,
            None => {}
        }
        let width = self.outputs.keys().map(String::len).max().unwrap_or_default();
        self.outputs.iter().try_for_each(|(name, value)| writeln!(f, "{name:<width$}  {value}"))
    }
}

/// Shows the stack's outputs.
///
/// # Errors
/// A stack that is not there.
pub async fn run(context: &Context) -> anyhow::Result<Outcome> {
    let aws = context.aws().await?;
    let deployment = Deployment::new(aws, &context.settings.stack_name, &context.events);
    Outcome::new(&Deployed::found(&deployed(&deployment, context, aws).await?, aws.place()))
}

/// The stack, which has to be there and to have been deployed once.
///
/// # Errors
/// It is not, or was not.
pub(super) async fn deployed(
    deployment: &Deployment<'_>,
    context: &Context,
    aws: &Aws,
) -> anyhow::Result<Stack> {
    let name = &context.settings.stack_name;
    match deployment.find().await? {
        Some(stack) if matches!(stack.condition(), Condition::NeverCreated | Condition::Reviewed) => {
            Err(hinted(
                anyhow::anyhow!("the stack {name} was never deployed completely: it is in {}", stack.status),
                "deploy it with `deployer up`, which replaces what is left",
            ))
        }
        Some(stack) => Ok(stack),
        None => {
            let flag = if aws.is_local() { " --local" } else { "" };
            Err(hinted(
                anyhow::anyhow!("there is no stack {name} in {}", aws.place().region),
                format!(
                    "deploy it with `deployer up{flag}`, or name another with --stack-name, --region or --profile"
                ),
            ))
        }
    }
}
