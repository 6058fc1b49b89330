//! A stack as CloudFormation describes it, and what its state allows.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::Client;

use crate::call::{Call, CallError};

/// A stack that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    /// Its ARN. Unlike the name it still finds the stack after it was deleted.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its state, `UPDATE_COMPLETE`.
    pub status: String,
    /// Why it is in that state, when CloudFormation says so.
    pub reason: Option<String>,
    /// The values of its parameters.
    pub parameters: BTreeMap<String, String>,
    /// Its outputs.
    pub outputs: BTreeMap<String, String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Whether AWS refuses to delete it.
    pub protected: bool,
}

/// What a stack's state means for who wants to deploy it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Nothing was created yet: a change set that was never executed.
    Reviewed,
    /// It can be updated.
    Ready,
    /// Something is under way.
    Busy,
    /// Its first deployment failed: it can only be deleted.
    NeverCreated,
    /// An update failed, and so did its rollback: that must be continued first.
    RollbackStuck,
    /// Deleting it failed: it must be deleted again.
    DeleteStuck,
}

impl Stack {
    /// The stack of a name or an ARN; none when there is no such stack, or a deleted one.
    ///
    /// # Errors
    /// The call's failure.
    pub async fn find(client: &Client, name: &str) -> Result<Option<Self>, CallError> {
        Ok(Self::find_also_deleted(client, name).await?.filter(|stack| stack.status != "DELETE_COMPLETE"))
    }

    /// Like [`find`](Self::find), but also gives a deleted stack, when asked for by ARN.
    ///
    /// # Errors
    /// The call's failure.
    pub async fn find_also_deleted(client: &Client, name: &str) -> Result<Option<Self>, CallError> {
        let answer =
            client.describe_stacks().stack_name(name).send().await.called("cloudformation:DescribeStacks");
        let stacks = match answer {
            Ok(answer) => answer.stacks.unwrap_or_default(),
            // The API has no error of its own for this.
            Err(error) if error.is("ValidationError") && error.message.contains("does not exist") => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        Ok(stacks.into_iter().next().map(Self::from))
    }

    /// What can be done with it.
    #[must_use]
    pub fn condition(&self) -> Condition {
        match self.status.as_str() {
            "REVIEW_IN_PROGRESS" => Condition::Reviewed,
            "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "CREATE_FAILED" => Condition::NeverCreated,
            "UPDATE_ROLLBACK_FAILED" => Condition::RollbackStuck,
            "DELETE_FAILED" => Condition::DeleteStuck,
            status if is_busy(status) => Condition::Busy,
            _ => Condition::Ready,
        }
    }
}

/// Whether an operation of CloudFormation is under way in this state.
#[must_use]
pub fn is_busy(status: &str) -> bool {
    status.ends_with("_IN_PROGRESS") && status != "REVIEW_IN_PROGRESS"
}

impl From<aws_sdk_cloudformation::types::Stack> for Stack {
    fn from(stack: aws_sdk_cloudformation::types::Stack) -> Self {
        let status = stack.stack_status().map(|status| status.as_str().to_owned()).unwrap_or_default();
        let pairs = |pairs: Vec<(Option<String>, Option<String>)>| {
            pairs.into_iter().filter_map(|(key, value)| Some((key?, value.unwrap_or_default()))).collect()
        };
        Self {
            status,
            id: stack.stack_id.unwrap_or_default(),
            name: stack.stack_name.unwrap_or_default(),
            reason: stack
                .stack_status_reason
                .map(|reason| reason.trim_end().to_owned())
                .filter(|r| !r.is_empty()),
            parameters: pairs(
                stack
                    .parameters
                    .unwrap_or_default()
                    .into_iter()
                    .map(|p| (p.parameter_key, p.parameter_value))
                    .collect(),
            ),
            outputs: pairs(
                stack
                    .outputs
                    .unwrap_or_default()
                    .into_iter()
                    .map(|o| (o.output_key, o.output_value))
                    .collect(),
            ),
            tags: pairs(stack.tags.unwrap_or_default().into_iter().map(|t| (t.key, t.value)).collect()),
            protected: stack.enable_termination_protection.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(status: &str) -> Condition {
        let stack = aws_sdk_cloudformation::types::Stack::builder().stack_status(status.into()).build();
        Stack::from(stack).condition()
    }

    #[test]
    fn every_state_means_something() {
        assert_eq!(condition("REVIEW_IN_PROGRESS"), Condition::Reviewed);
        assert_eq!(condition("ROLLBACK_COMPLETE"), Condition::NeverCreated);
        assert_eq!(condition("UPDATE_ROLLBACK_FAILED"), Condition::RollbackStuck);
        assert_eq!(condition("DELETE_FAILED"), Condition::DeleteStuck);
        for busy in
            ["CREATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS"]
        {
            assert_eq!(condition(busy), Condition::Busy);
        }
        for ready in ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_FAILED"] {
            assert_eq!(condition(ready), Condition::Ready);
        }
    }
}
