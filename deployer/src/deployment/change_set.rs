//! Proposes a change as a change set, and carries it out or withdraws it.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput;
use aws_sdk_cloudformation::types::{
    Capability, Change, ChangeSetStatus, ChangeSetType, DeploymentMode, EventFilter, ExecutionStatus, Tag,
};
use serde_json::Value;
use template::eval::{LATER, Pseudo};

use super::Deployment;
use super::parameters::{Parameters, declared};
use super::refusal::ChangeSetRefused;
use super::stack::{Condition, Stack};
use super::watch::{INTERRUPTED, OperationFailed};
use crate::call::{Call, CallError};
use crate::difference::value_change::ValueChange;
use crate::difference::{Difference, Operation};
use crate::failure::{Advice, hinted};

/// CloudFormation takes no longer template in the request itself, in bytes.
const INLINE: usize = 51_200;

/// What a stack is to become.
#[derive(Debug)]
pub struct Wanted {
    /// The template.
    pub template: Value,
    /// Values of its parameters.
    pub parameters: Parameters,
    /// Its tags; none leaves them as they are.
    pub tags: Option<Vec<(String, String)>>,
    /// The role that CloudFormation takes on; none leaves it as it is.
    pub role_arn: Option<String>,
    /// Where the template lies, when it is too long to be sent.
    pub template_url: Option<String>,
}

impl Wanted {
    /// The template's text if it is too long for a request: it has to be uploaded then.
    #[must_use]
    pub fn too_long(&self) -> Option<String> {
        Some(self.template.to_string()).filter(|text| text.len() > INLINE)
    }
}

/// What came of a proposal.
#[derive(Debug)]
pub enum Proposal {
    /// The stack is already as it is to be.
    Unchanged,
    /// This would change.
    Changes(Box<ChangeSet>),
}

/// A change set that can be executed.
#[derive(Debug)]
pub struct ChangeSet {
    id: String,
    stack_id: String,
    /// Whether the stack exists only for this proposal.
    only_reviewed: bool,
    /// What it would do.
    pub difference: Difference,
}

impl Deployment<'_> {
    /// Whether a stack is exactly as it is to be, as far as template, parameters and tags tell. Much faster than a change
    /// set, which CloudFormation takes seconds for.
    ///
    /// # Errors
    /// The call's failure.
    pub async fn is_up_to_date(&self, stack: &Stack, wanted: &Wanted) -> anyhow::Result<bool> {
        let tags = wanted.tags.as_ref().is_none_or(|tags| {
            tags.len() == stack.tags.len()
                && tags.iter().all(|(key, value)| stack.tags.get(key) == Some(value))
        });
        let settled = matches!(
            stack.status.as_str(),
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "UPDATE_ROLLBACK_COMPLETE"
        );
        if !settled || !tags || !wanted.parameters.change_nothing(&stack.parameters) {
            return Ok(false);
        }
        let deployed = self.template(stack).await?;
        Ok(deployed.as_ref() == Some(&wanted.template))
    }

    /// Asks CloudFormation what would change. With `revert` it compares with what there really is, so that it also puts right
    /// what was changed or deleted outside CloudFormation.
    ///
    /// # Errors
    /// A proposal that CloudFormation refuses, with its reason.
    pub async fn propose(
        &self,
        stack: Option<&Stack>,
        wanted: &Wanted,
        revert: bool,
    ) -> anyhow::Result<Proposal> {
        let existing = stack.filter(|stack| stack.condition() != Condition::Reviewed);
        let mode = (revert && existing.is_some()).then_some(DeploymentMode::RevertDrift);
        let id = match self.create_change_set(existing, wanted, mode.clone()).await {
            // It exists since November 2025, and not in every partition.
            Err(error) if mode.is_some() && error.message.contains("DeploymentMode") => {
                self.create_change_set(existing, wanted, None).await
            }
            created => created,
        };
        let id = id.context("creating the change set")?;
        let mut change_set = ChangeSet {
            stack_id: existing.map_or_else(|| self.name.to_owned(), |stack| stack.id.clone()),
            only_reviewed: existing.is_none(),
            difference: Difference::default(),
            id,
        };
        let described = match self.described(&change_set.id).await {
            Ok(described) => described,
            Err(error) => return Err(self.given_up(&change_set, error).await),
        };
        change_set.stack_id = described.stack_id.clone().unwrap_or(change_set.stack_id);
        if described.status != Some(ChangeSetStatus::CreateComplete) {
            let reason = described.status_reason.clone().unwrap_or_default();
            let unchanged = ["didn't contain changes", "No updates are to be performed", "no changes"];
            if unchanged.iter().any(|text| reason.contains(text)) {
                self.withdraw(&change_set).await?;
                return Ok(Proposal::Unchanged);
            }
            // With the change set its events go as well.
            let refused = self.refused(described.change_set_id().unwrap_or(&change_set.id), reason).await;
            return Err(self.given_up(&change_set, refused).await);
        }
        let (first, changes) = match self.changes(described).await {
            Ok(described) => described,
            Err(error) => return Err(self.given_up(&change_set, error).await),
        };
        let empty = BTreeMap::new();
        let (parameters, tags) = existing.map_or((&empty, &empty), |stack| (&stack.parameters, &stack.tags));
        let after_parameters = pairs(
            first
                .parameters()
                .iter()
                .map(|p| (p.parameter_key(), p.resolved_value().or(p.parameter_value()))),
        );
        // A change set without tags of its own keeps the stack's.
        let after_tags = match &wanted.tags {
            Some(wanted) => wanted.iter().cloned().collect(),
            None => tags.clone(),
        };
        let difference = Difference {
            stack: self.name.to_owned(),
            operation: if existing.is_none() { Operation::Create } else { Operation::Update },
            parameters: if existing.is_none() {
                Vec::new()
            } else {
                ValueChange::between(parameters, &after_parameters)
            },
            tags: ValueChange::between(tags, &after_tags),
            resources: Difference::resources(changes),
        };
        Ok(Proposal::Changes(Box::new(ChangeSet { difference, ..change_set })))
    }

    /// What a new stack in the place of one that was never deployed will have. CloudFormation cannot be asked before that one is
    /// deleted.
    ///
    /// # Errors
    /// A template that CloudFormation would refuse.
    pub fn anew(&self, wanted: &Wanted) -> anyhow::Result<Difference> {
        let place = self.aws.place();
        let pseudo = Pseudo {
            account: place.account.clone(),
            region: place.region.clone(),
            stack_id: LATER.to_owned(),
            stack_name: self.name.to_owned(),
            notification_arns: Vec::new(),
        };
        let values = wanted.parameters.of_new_stack(&wanted.template);
        let difference = Difference::anew(Operation::Replace, &wanted.template, &values, &pseudo);
        let difference = difference.map_err(anyhow::Error::msg).context("reading the template")?;
        let tags = wanted.tags.iter().flatten().cloned().collect();
        Ok(Difference { tags: ValueChange::between(&BTreeMap::new(), &tags), ..difference })
    }

    async fn create_change_set(
        &self,
        existing: Option<&Stack>,
        wanted: &Wanted,
        mode: Option<DeploymentMode>,
    ) -> Result<String, CallError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let empty = BTreeMap::new();
        let deployed = existing.map_or(&empty, |stack| &stack.parameters);
        let parameters = wanted.parameters.for_change_set(&declared(&wanted.template), deployed);
        let tags = wanted.tags.as_ref().map(|tags| {
            tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
        });
        let (body, url) = match &wanted.template_url {
            Some(url) => (None, Some(url.clone())),
            None => (Some(wanted.template.to_string()), None),
        };
        let name = format!("deployer-{now}-{}", std::process::id());
        let answer = self
            .client
            .create_change_set()
            .stack_name(self.name)
            .change_set_name(&name)
            .change_set_type(if existing.is_some() { ChangeSetType::Update } else { ChangeSetType::Create })
            .set_template_body(body)
            .set_template_url(url)
            .set_parameters(Some(parameters))
            .set_tags(tags)
            .set_role_arn(wanted.role_arn.clone())
            .set_deployment_mode(mode)
            .capabilities(Capability::CapabilityIam)
            .send()
            .await
            .called("cloudformation:CreateChangeSet");
        match answer {
            Ok(answer) => Ok(answer.id.unwrap_or(name)),
            // The answer to a first try was lost: nobody else's has this name.
            Err(error) if error.is("AlreadyExistsException") && error.message.contains(&name) => Ok(name),
            Err(error) => Err(error),
        }
    }

    /// The change set once CloudFormation has thought about it.
    async fn described(&self, id: &str) -> anyhow::Result<DescribeChangeSetOutput> {
        loop {
            let request = self.client.describe_change_set().change_set_name(id).stack_name(self.name);
            let answer = request.include_property_values(true).send().await;
            let answer =
                answer.called("cloudformation:DescribeChangeSet").context("reading the change set")?;
            match answer.status() {
                Some(ChangeSetStatus::CreatePending | ChangeSetStatus::CreateInProgress) => {
                    tokio::time::sleep(self.aws.poll_interval()).await;
                }
                _ => return Ok(answer),
            }
        }
    }

    /// The first page as it is, and the changes of all pages.
    async fn changes(
        &self,
        mut first: DescribeChangeSetOutput,
    ) -> anyhow::Result<(DescribeChangeSetOutput, Vec<Change>)> {
        let mut changes = first.changes.take().unwrap_or_default();
        let id = first.change_set_id().unwrap_or_default();
        let mut next = first.next_token().map(str::to_owned);
        while let Some(token) = next {
            let request = self.client.describe_change_set().change_set_name(id).stack_name(self.name);
            let page = request.include_property_values(true).next_token(token).send().await;
            let page = page.called("cloudformation:DescribeChangeSet").context("reading the change set")?;
            next = page.next_token().map(str::to_owned);
            changes.extend(page.changes.unwrap_or_default());
        }
        Ok((first, changes))
    }

    /// Takes a proposal back, with the empty stack that CloudFormation made for it.
    ///
    /// # Errors
    /// The call's failure.
    pub async fn withdraw(&self, change_set: &ChangeSet) -> anyhow::Result<()> {
        if change_set.only_reviewed {
            let request = self.client.delete_stack().stack_name(&change_set.stack_id);
            request
                .send()
                .await
                .called("cloudformation:DeleteStack")
                .context("withdrawing the change set")?;
            // Whoever looks next shall find nothing.
            while let Some(stack) = Stack::find(&self.client, &change_set.stack_id).await?
                && stack.condition() == Condition::Busy
            {
                tokio::time::sleep(self.aws.poll_interval()).await;
            }
        } else {
            let request =
                self.client.delete_change_set().change_set_name(&change_set.id).stack_name(self.name);
            request
                .send()
                .await
                .called("cloudformation:DeleteChangeSet")
                .context("withdrawing the change set")?;
        }
        Ok(())
    }

    /// Why a change set failed. What early validation found is told by its events only, and only to who names it by its ARN.
    async fn refused(&self, arn: &str, reason: String) -> anyhow::Error {
        let failed = EventFilter::builder().failed_events(true).build();
        let request = self.client.describe_events().change_set_name(arn).filters(failed);
        let mut pages = request.into_paginator().send();
        let mut findings = Vec::new();
        let unread = loop {
            match pages.next().await.map(|page| page.called("cloudformation:DescribeEvents")) {
                Some(Ok(page)) => findings.extend(page.operation_events.unwrap_or_default()),
                Some(Err(error)) => break Some(error),
                None => break None,
            }
        };
        let refused = ChangeSetRefused::of(findings, reason);
        let hint = refused.hint();
        let error = hinted(refused, hint);
        match unread {
            Some(unread) => {
                let remedy = unread.hint().unwrap_or_else(|| "run it again to see more".to_owned());
                hinted(error, format!("CloudFormation's details could not be read ({unread}): {remedy}"))
            }
            None => error,
        }
    }

    /// Takes a proposal back because of a failure. What cannot be taken back is said.
    async fn given_up(&self, change_set: &ChangeSet, error: anyhow::Error) -> anyhow::Error {
        match self.withdraw(change_set).await {
            Ok(()) => error,
            Err(also) => {
                let left = format!(
                    "the change set is left ({also}); it changes nothing, and the next `deployer up` replaces it"
                );
                hinted(error, left)
            }
        }
    }

    /// Carries a proposal out and follows it to its end.
    ///
    /// # Errors
    /// The first failure of a resource; Ctrl-C, which leaves CloudFormation at work.
    pub async fn execute(&self, change_set: &ChangeSet) -> anyhow::Result<Stack> {
        let (doing, goal) = match change_set.difference.operation {
            Operation::Update => ("updating", "UPDATE_COMPLETE"),
            _ => ("creating", "CREATE_COMPLETE"),
        };
        let doing = format!("{doing} the stack {}", self.name);
        let watch = match self.watch(&change_set.stack_id).await {
            Ok(watch) => watch,
            Err(error) => return Err(self.given_up(change_set, error).await),
        };
        self.events.started(doing.clone());
        let begun = tokio::select! {
            () = crate::interrupt::interrupted() => {
                return Err(hinted(INTERRUPTED, self.how_to_follow())).with_context(|| doing);
            }
            begun = self.begin(change_set) => begun,
        };
        match begun {
            Ok(()) => {}
            // Nobody knows then whether it has begun: to withdraw it might delete what is being made.
            Err(error) if error.transient => {
                return Err(error).hint(self.how_to_follow()).with_context(|| doing);
            }
            Err(error) => {
                return Err(self.given_up(change_set, anyhow::Error::from(error).context(doing)).await);
            }
        }
        let ended = self.follow(watch).await.with_context(|| doing.clone())?;
        if ended.status != goal {
            let failed = OperationFailed::of(ended);
            let hint = failed.hint();
            return Err(hinted(failed, hint)).with_context(|| doing);
        }
        let stack = self
            .find()
            .await?
            .ok_or_else(|| anyhow::anyhow!("the stack {} was deleted meanwhile", self.name))?;
        self.events.finished(format!("the stack {} is in {}", self.name, stack.status));
        Ok(stack)
    }

    /// Has CloudFormation begin. When the answer to a first try was lost, a second one is refused because it has begun.
    async fn begin(&self, change_set: &ChangeSet) -> Result<(), CallError> {
        let request = self.client.execute_change_set().change_set_name(&change_set.id).stack_name(self.name);
        let begun = request.send().await.called("cloudformation:ExecuteChangeSet");
        match begun {
            Err(error) if error.is("InvalidChangeSetStatus") => {
                let request = self.client.describe_change_set().change_set_name(&change_set.id);
                let now =
                    request.stack_name(self.name).send().await.called("cloudformation:DescribeChangeSet")?;
                let begun = [ExecutionStatus::ExecuteInProgress, ExecutionStatus::ExecuteComplete];
                if now.execution_status().is_some_and(|status| begun.contains(status)) {
                    Ok(())
                } else {
                    Err(error)
                }
            }
            other => other.map(|_| ()),
        }
    }
}

fn pairs<'a>(pairs: impl Iterator<Item = (Option<&'a str>, Option<&'a str>)>) -> BTreeMap<String, String> {
    pairs.filter_map(|(key, value)| Some((key?.to_owned(), value.unwrap_or_default().to_owned()))).collect()
}
