//! CloudFormation: from a template to a stack that is there, and away again.
//!
//! [`stack`] says what state a stack is in, [`change_set`] proposes a change and carries it out, a
//! [`difference`](crate::difference) is that change for people, [`watch`] follows an operation, [`bucket`] holds what the template refers to, [`parameters`] are
//! its values, [`page`] fills and empties the bucket of the hosted page, [`copies`] says what copies of functions are allowed, [`fleets`] empties the bucket of fleets, [`drift`] what was changed outside CloudFormation, [`health`] finds what was deleted there, where CloudFormation cannot be asked.
//! [`Deployment`] is what commands use.

pub mod bucket;
pub mod change_set;
pub mod copies;
pub mod drift;
pub mod fleets;
pub mod health;
pub mod page;
pub mod parameters;
mod refusal;
pub mod stack;
pub mod watch;

use anyhow::Context as _;
use aws_sdk_cloudformation::Client;
use serde_json::Value;

use crate::aws::Aws;
use crate::call::Call;
use crate::events::Events;
use crate::failure::hinted;
use stack::{Condition, Stack};
use watch::{Ended, OperationFailed, Watch, WatchError};

/// One stack, and the means to change it.
pub struct Deployment<'a> {
    aws: &'a Aws,
    client: Client,
    events: &'a Events,
    name: &'a str,
}

impl<'a> Deployment<'a> {
    /// The stack of this name, which need not be there.
    #[must_use]
    pub fn new(aws: &'a Aws, name: &'a str, events: &'a Events) -> Self {
        Self { aws, client: aws.cloudformation(), events, name }
    }

    /// The stack, if it is there.
    ///
    /// # Errors
    /// The call's failure.
    pub async fn find(&self) -> anyhow::Result<Option<Stack>> {
        Stack::find(&self.client, self.name)
            .await
            .with_context(|| format!("looking up the stack {}", self.name))
    }

    /// The stack at rest: when an operation is under way (of an `up` that was interrupted, or of somebody else), it is
    /// followed to its end first.
    ///
    /// # Errors
    /// Ctrl-C, or a call's failure. How that operation ends is not an error here.
    pub async fn at_rest(&self) -> anyhow::Result<Option<Stack>> {
        let Some(stack) = self.find().await? else { return Ok(None) };
        if stack.condition() != Condition::Busy {
            return Ok(Some(stack));
        }
        self.events
            .note(format!("{} is in {}: following that operation to its end first", self.name, stack.status));
        let watch = self.watch(&stack.id).await?;
        self.follow(watch).await?;
        self.find().await
    }

    /// The template the stack was deployed with; none when it is not JSON, as ours always are.
    ///
    /// # Errors
    /// The call's failure.
    pub async fn template(&self, stack: &Stack) -> anyhow::Result<Option<Value>> {
        let answer = self.client.get_template().stack_name(&stack.id).send().await;
        let answer = answer.called("cloudformation:GetTemplate").context("reading the deployed template")?;
        Ok(serde_json::from_str(answer.template_body().unwrap_or_default()).ok())
    }

    /// Continues the rollback of an update, where that has failed.
    ///
    /// # Errors
    /// What it is stuck on.
    pub async fn continue_rollback(&self, stack: &Stack) -> anyhow::Result<()> {
        let watch = self.watch(&stack.id).await?;
        self.events.started("continuing the rollback of the failed update");
        let request = self.client.continue_update_rollback().stack_name(&stack.id);
        request
            .send()
            .await
            .called("cloudformation:ContinueUpdateRollback")
            .context("continuing the rollback")?;
        let ended = self.follow(watch).await?;
        if ended.status == "UPDATE_ROLLBACK_COMPLETE" {
            self.events.finished("rolled the failed update back");
            return Ok(());
        }
        let failed = OperationFailed::of(ended);
        let resource = failed.first.as_ref().map_or("LOGICAL_ID", |event| event.logical_id.as_str());
        let hint = format!(
            "remove the cause and run the command again, or leave that resource out of the rollback: aws cloudformation \
             continue-update-rollback --stack-name {} --resources-to-skip {resource}",
            self.name
        );
        Err(hinted(failed, hint)).context("continuing the rollback")
    }

    /// Protects the stack against deletion, or ends that; `None` leaves it as it is.
    ///
    /// # Errors
    /// The call's failure.
    pub async fn protect(&self, stack: &Stack, wanted: Option<bool>) -> anyhow::Result<()> {
        let Some(wanted) = wanted.filter(|wanted| *wanted != stack.protected) else { return Ok(()) };
        let request = self.client.update_termination_protection().stack_name(&stack.id);
        let doing = if wanted { "protecting the stack" } else { "ending the stack's protection" };
        let done = request.enable_termination_protection(wanted).send().await;
        done.called("cloudformation:UpdateTerminationProtection").context(doing)?;
        let now = if wanted { "is protected against deletion now" } else { "can be deleted now" };
        self.events.finished(format!("the stack {} {now}", self.name));
        Ok(())
    }

    /// Deletes the stack and follows that to its end.
    ///
    /// # Errors
    /// What could not be deleted.
    pub async fn delete(&self, stack: &Stack, role_arn: Option<&str>) -> anyhow::Result<()> {
        let deletion = self.start_deletion(stack, role_arn).await?;
        self.finish_deletion(deletion).await
    }

    /// Asks for the stack's deletion, which then goes on by itself.
    ///
    /// # Errors
    /// What CloudFormation refuses.
    pub async fn start_deletion(
        &self,
        stack: &Stack,
        role_arn: Option<&str>,
    ) -> anyhow::Result<Deletion<'a>> {
        let watch = self.watch(&stack.id).await?;
        self.events.started(format!("deleting the stack {}", self.name));
        let request =
            self.client.delete_stack().stack_name(&stack.id).set_role_arn(role_arn.map(str::to_owned));
        request.send().await.called("cloudformation:DeleteStack").context("deleting the stack")?;
        Ok(Deletion(watch))
    }

    /// Follows a deletion to its end.
    ///
    /// # Errors
    /// What could not be deleted.
    pub async fn finish_deletion(&self, deletion: Deletion<'_>) -> anyhow::Result<()> {
        let ended = self.follow(deletion.0).await?;
        if ended.status == "DELETE_COMPLETE" {
            self.events.finished(format!("deleted the stack {}", self.name));
            return Ok(());
        }
        let failed = OperationFailed::of(ended);
        let hint = failed.hint();
        Err(hinted(failed, hint)).context("deleting the stack")
    }

    async fn watch(&self, stack_id: &str) -> anyhow::Result<Watch<'a>> {
        Watch::begin(self.aws, stack_id, self.events).await.context("reading the stack's history")
    }

    async fn follow(&self, watch: Watch<'_>) -> anyhow::Result<Ended> {
        watch.follow().await.map_err(|error| match error {
            WatchError::Interrupted(error) => hinted(error, self.how_to_follow()),
            WatchError::Call(error) => anyhow::Error::from(error).context("following the stack's history"),
        })
    }

    fn how_to_follow(&self) -> String {
        let name = self.name;
        if self.aws.is_local() {
            return "run the same command again: it takes up what was left".to_owned();
        }
        format!(
            "run the same command again to follow it to its end, or look with `aws cloudformation describe-stack-events \
             --stack-name {name}`"
        )
    }
}

/// A deletion under way.
#[must_use = "what became of it is not known yet"]
pub struct Deletion<'a>(Watch<'a>);

/// The failure of a stack that is to be deleted and must not be.
#[must_use]
pub fn protected(stack: &Stack) -> anyhow::Error {
    let name = &stack.name;
    hinted(
        anyhow::anyhow!("the stack {name} is protected against deletion"),
        "if it is to go: `deployer up --termination-protection=false`",
    )
}
