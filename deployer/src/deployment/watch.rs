//! Follows an operation of CloudFormation: every event once and in order, until the stack is at rest.

use std::collections::HashSet;
use std::fmt;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::StackEvent;

use super::stack::{Stack, is_busy};
use crate::aws::{Aws, RetryBudget};
use crate::call::{Call, CallError, missing_permission};
use crate::events::{Event, Events, ResourceEvent};
use crate::interrupt::Interrupted;

/// What is known of a stack's history, so that what comes later can be told from it.
pub struct Watch<'a> {
    client: Client,
    events: &'a Events,
    interval: std::time::Duration,
    stack_id: String,
    seen: HashSet<String>,
    history: Vec<ResourceEvent>,
}

/// How an operation ended.
#[derive(Debug)]
pub struct Ended {
    /// The stack's state, `CREATE_COMPLETE`.
    pub status: String,
    /// Everything that happened on the way.
    pub history: Vec<ResourceEvent>,
}

/// What becomes of an operation that nobody follows any more.
pub const INTERRUPTED: Interrupted = Interrupted::AtWork("CloudFormation goes on by itself");

/// Why following stopped before the operation ended.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The user pressed Ctrl-C.
    #[error(transparent)]
    Interrupted(Interrupted),
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl<'a> Watch<'a> {
    /// Takes note of the history so far. To be called before the operation begins.
    ///
    /// # Errors
    /// The call's failure.
    pub async fn begin(aws: &Aws, stack_id: &str, events: &'a Events) -> Result<Self, CallError> {
        let mut watch = Self {
            client: Client::new(&aws.polling()),
            events,
            interval: aws.poll_interval(),
            stack_id: stack_id.to_owned(),
            seen: HashSet::new(),
            history: Vec::new(),
        };
        for event in watch.unseen().await? {
            watch.seen.extend(event.event_id);
        }
        Ok(watch)
    }

    /// Tells what happens until the stack is at rest. Nothing is lost when Ctrl-C ends it: the operation goes on.
    ///
    /// # Errors
    /// [`WatchError::Interrupted`], or the failure of a call.
    pub async fn follow(mut self) -> Result<Ended, WatchError> {
        let interrupted = crate::interrupt::interrupted();
        tokio::pin!(interrupted);
        let mut retries = RetryBudget::new(self.interval, self.events);
        loop {
            // Also while an answer is awaited: it may never come.
            let look = async {
                let looked = self.look().await;
                let seen = retries.spend(looked).await?;
                if seen.as_deref().is_none_or(is_busy) {
                    tokio::time::sleep(self.interval).await;
                }
                Ok::<_, CallError>(seen)
            };
            let seen = tokio::select! {
                () = &mut interrupted => return Err(WatchError::Interrupted(INTERRUPTED)),
                seen = look => seen?,
            };
            if let Some(status) = seen.filter(|status| !is_busy(status)) {
                return Ok(Ended { status, history: self.history });
            }
        }
    }

    /// The stack's state, and everything that happened up to it.
    async fn look(&mut self) -> Result<String, CallError> {
        // The state first: events that come between the two looks belong to it.
        let status = Stack::find_also_deleted(&self.client, &self.stack_id)
            .await?
            .map_or_else(|| "DELETE_COMPLETE".to_owned(), |stack| stack.status);
        self.tell().await?;
        Ok(status)
    }

    async fn tell(&mut self) -> Result<(), CallError> {
        for event in self.unseen().await? {
            self.seen.extend(event.event_id.clone());
            let event = ResourceEvent::from(event);
            self.events.emit(Event::Resource(event.clone()));
            self.history.push(event);
        }
        Ok(())
    }

    /// Events that were not seen before, oldest first. AWS hands them out newest first, in pages.
    async fn unseen(&self) -> Result<Vec<StackEvent>, CallError> {
        let mut unseen = Vec::new();
        let mut pages =
            self.client.describe_stack_events().stack_name(&self.stack_id).into_paginator().send();
        'pages: while let Some(page) = pages.next().await {
            let page = page.called("cloudformation:DescribeStackEvents");
            let page = match page {
                // Right after a deletion some endpoints no longer know the stack.
                Err(error) if error.is("ValidationError") && error.message.contains("does not exist") => {
                    break;
                }
                other => other?,
            };
            for event in page.stack_events.unwrap_or_default() {
                if event.event_id.as_ref().is_some_and(|id| self.seen.contains(id)) {
                    break 'pages;
                }
                unseen.push(event);
            }
        }
        unseen.reverse();
        Ok(unseen)
    }
}

impl From<StackEvent> for ResourceEvent {
    fn from(event: StackEvent) -> Self {
        let status = event.resource_status().map(|status| status.as_str().to_owned()).unwrap_or_default();
        Self {
            status,
            time: event.timestamp.map(|time| time.to_string()).unwrap_or_default(),
            logical_id: event.logical_resource_id.unwrap_or_default(),
            resource_type: event.resource_type.unwrap_or_default(),
            reason: event
                .resource_status_reason
                .map(|reason| reason.trim_end().to_owned())
                .filter(|r| !r.is_empty()),
        }
    }
}

/// An operation that did not reach what it was meant to. Its text is the first failure, because those that
/// follow it are its consequences.
#[derive(Debug, thiserror::Error)]
pub struct OperationFailed {
    /// The stack's state now.
    pub status: String,
    /// The first failure.
    pub first: Option<ResourceEvent>,
}

impl OperationFailed {
    /// The failure behind an operation that ended in this way.
    #[must_use]
    pub fn of(ended: Ended) -> Self {
        let Ended { status, history } = ended;
        let own = |event: &&ResourceEvent| event.is_failure() && !event.is_stack();
        let any = |event: &&ResourceEvent| {
            event.is_failure() || (event.is_stack() && event.status.contains("ROLLBACK_IN_PROGRESS"))
        };
        let first = history.iter().find(own).or_else(|| history.iter().find(any)).cloned();
        Self { status, first }
    }

    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        let reason = self.first.as_ref().and_then(|event| event.reason.as_deref()).unwrap_or_default();
        if let Some(action) = missing_permission(reason) {
            return format!("give the user or role that deploys the permission {action}, and run it again");
        }
        let lower = reason.to_lowercase();
        let has = |parts: &[&str]| parts.iter().any(|part| lower.contains(part));
        if self.status == "UPDATE_ROLLBACK_FAILED" {
            return "the update's rollback failed as well: remove the cause, then `deployer up` continues it"
                .to_owned();
        }
        if let Some(remedy) = remedy(reason) {
            remedy
        } else if self.status.starts_with("UPDATE") && has(&["does not exist", "not found", "notfound"]) {
            "a resource of the stack was deleted outside CloudFormation: `deployer drift` names it, and `deployer up` makes it \
             again"
                .to_owned()
        } else if self.status == "DELETE_FAILED" {
            "remove what is in the way, then `deployer destroy` again".to_owned()
        } else if has(&["limit exceeded", "quota", "limitexceeded", "limit has been"]) {
            "a limit of the account is reached: free something or ask for more under Service Quotas"
                .to_owned()
        } else if has(&["throttl", "rate exceeded", "internal failure", "internal error", "try again"]) {
            "this passes: run it again".to_owned()
        } else {
            "`aws cloudformation describe-stack-events` has the whole history".to_owned()
        }
    }
}

/// What helps against a resource's failure whose reason alone says so, in whatever operation it came up.
pub fn remedy(reason: &str) -> Option<String> {
    let lower = reason.to_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| lower.contains(part));
    let remedy = if has(&["is not attachable", "boundary"]) {
        "check --permissions-boundary: the policy must exist in this account"
    } else if has(&["already exists"]) {
        "something of that name exists outside this stack: delete it, or choose another --stack-name or \
         --state-machine-name-prefix"
    } else if has(&["security group", "subnet", "securitygroup"]) {
        "check --security-group-ids and --subnet-ids: they must exist in this region and belong to one VPC"
    } else {
        return None;
    };
    Some(remedy.to_owned())
}

impl fmt::Display for OperationFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = &self.first else {
            return write!(f, "the stack ended in {} and CloudFormation does not say why", self.status);
        };
        write!(f, "{} ({}): ", first.logical_id, first.resource_type)?;
        match &first.reason {
            Some(reason) => f.write_str(cause(reason)),
            None => f.write_str(&first.status),
        }
    }
}

/// The sentence inside the wrapping of CloudFormation's resource handlers: `Resource handler returned message: "SENTENCE (Service:
/// Iam, Status Code: 404, …)" (RequestToken: …, HandlerErrorCode: …)`, or the sentence and the last of these alone.
fn cause(reason: &str) -> &str {
    let outer = reason.rsplit_once(" (RequestToken: ").map_or(reason, |(outer, _)| outer);
    let inner = outer
        .strip_prefix("Resource handler returned message: \"")
        .map_or(outer, |rest| rest.strip_suffix('"').unwrap_or(rest));
    inner.rsplit_once(" (Service: ").map_or(inner, |(sentence, _)| sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str, kind: &str, status: &str, reason: Option<&str>) -> ResourceEvent {
        ResourceEvent {
            time: String::new(),
            logical_id: id.into(),
            resource_type: kind.into(),
            status: status.into(),
            reason: reason.map(Into::into),
        }
    }

    fn failed(history: Vec<ResourceEvent>) -> OperationFailed {
        OperationFailed::of(Ended { status: "ROLLBACK_COMPLETE".into(), history })
    }

    #[test]
    fn the_first_failure_is_the_headline_not_what_followed_from_it() {
        let failure = failed(vec![
            event("a", "AWS::IAM::Role", "CREATE_FAILED", Some("Resource creation cancelled")),
            event(
                "b",
                "AWS::IAM::Role",
                "CREATE_FAILED",
                Some("User: u is not authorized to perform: iam:CreateRole on resource: r"),
            ),
            event("c", "AWS::Lambda::Function", "CREATE_FAILED", Some("other")),
            event(
                "s",
                "AWS::CloudFormation::Stack",
                "ROLLBACK_IN_PROGRESS",
                Some("The following resource(s) failed to create: [b, c]."),
            ),
        ]);
        assert!(failure.to_string().starts_with("b (AWS::IAM::Role): User: u is not"), "{failure}");
        assert!(failure.hint().contains("the permission iam:CreateRole,"), "{}", failure.hint());
    }

    #[test]
    fn a_stack_that_fails_as_a_whole_says_why_itself() {
        let failure = failed(vec![
            event("s", "AWS::CloudFormation::Stack", "CREATE_IN_PROGRESS", None),
            event(
                "s",
                "AWS::CloudFormation::Stack",
                "ROLLBACK_IN_PROGRESS",
                Some("Parameter validation failed"),
            ),
        ]);
        assert!(failure.to_string().contains("Parameter validation failed"), "{failure}");
    }

    #[test]
    fn the_wrapping_of_resource_handlers_is_taken_off() {
        let wrapped = "Resource handler returned message: \"Policy \"p\" does not exist (Service: Iam, Status Code: \
                       404, Request ID: 1)\" (RequestToken: 2, HandlerErrorCode: NotFound)";
        assert_eq!(cause(wrapped), "Policy \"p\" does not exist");
        assert_eq!(cause("Plain (words)"), "Plain (words)");
        assert_eq!(cause("It exists. (RequestToken: 2, HandlerErrorCode: AlreadyExists)"), "It exists.");
    }

    #[test]
    fn a_failure_without_a_reason_is_admitted() {
        assert!(failed(Vec::new()).to_string().contains("ROLLBACK_COMPLETE"));
    }
}
