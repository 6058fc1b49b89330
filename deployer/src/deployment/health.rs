//! What of a stack is not there any more, found without CloudFormation: where its drift detection is not allowed or not
//! there, a stack can be up to date and broken.

use anyhow::Context as _;

use super::Deployment;
use super::stack::Stack;
use crate::call::{Call, CallError};
use crate::failure::hinted;

/// What helps where CloudFormation does not bring back by itself what was deleted.
const GONE: &str = "an update does not bring them back here: `deployer destroy`, then `deployer up`, makes the stack anew; \
                    on AWS `deployer up` does it, with the permission cloudformation:DetectStackDrift";

impl Deployment<'_> {
    /// Checks that the stack's functions and its state machine are there. Who may not look is not told.
    ///
    /// # Errors
    /// What was deleted outside CloudFormation, by its names in the template.
    pub async fn check_health(&self, stack: &Stack) -> anyhow::Result<()> {
        let listed = match self.resources(stack).await {
            Err(error) if error.is_denied() => return Ok(()),
            other => other.context("listing the stack's resources")?,
        };
        let mut missing = Vec::new();
        for resource in &listed {
            if self.is_missing(&resource.kind, &resource.physical_id).await? {
                missing.push(resource.logical_id.as_str());
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        Err(hinted(
            anyhow::anyhow!(
                "resources of the stack {} were deleted outside CloudFormation: {}",
                self.name,
                missing.join(", ")
            ),
            GONE,
        ))
    }

    async fn is_missing(&self, kind: &str, id: &str) -> anyhow::Result<bool> {
        let (found, gone) = match kind {
            "AWS::Lambda::Function" => {
                let call = self.aws.lambda().get_function_configuration().function_name(id).send().await;
                (call.called("lambda:GetFunctionConfiguration").map(|_| ()), "ResourceNotFoundException")
            }
            "AWS::StepFunctions::StateMachine" => {
                let call = self.aws.states().describe_state_machine().state_machine_arn(id).send().await;
                (call.called("states:DescribeStateMachine").map(|_| ()), "StateMachineDoesNotExist")
            }
            _ => return Ok(false),
        };
        match found {
            Err(error) if error.is(gone) => Ok(true),
            Err(error) if !error.is_denied() => Err(error).with_context(|| format!("looking for {id}")),
            _ => Ok(false),
        }
    }

    /// The resources that the stack has.
    ///
    /// # Errors
    /// The call's failure.
    pub async fn resources(&self, stack: &Stack) -> Result<Vec<Resource>, CallError> {
        let mut pages = self.client.list_stack_resources().stack_name(&stack.id).into_paginator().send();
        let mut resources = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.called("cloudformation:ListStackResources")?;
            for resource in page.stack_resource_summaries.unwrap_or_default() {
                if resource.resource_status().is_none_or(|status| status.as_str() != "DELETE_COMPLETE") {
                    resources.push(Resource {
                        logical_id: resource.logical_resource_id.unwrap_or_default(),
                        physical_id: resource.physical_resource_id.unwrap_or_default(),
                        kind: resource.resource_type.unwrap_or_default(),
                    });
                }
            }
        }
        Ok(resources)
    }
}

/// A resource of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its name in the template.
    pub logical_id: String,
    /// Its own name or ARN.
    pub physical_id: String,
    /// Its type, `AWS::Lambda::Function`.
    pub kind: String,
}
