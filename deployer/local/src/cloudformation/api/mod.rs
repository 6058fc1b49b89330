//! The operations of the API: authorization, then the room that answers it.

mod answers;
mod change_sets;
mod describe;
mod drift;
mod input;
mod stacks;
mod templates;

pub use input::STACK_NAME;

use std::sync::Arc;

use serde_json::Value;

use super::error::VALIDATION;
use super::ledger;
use crate::params::Params;
use crate::{Aws, Caller, Result, Service};

/// Performs an operation.
///
/// # Errors
/// What AWS would answer.
pub async fn call(aws: &Arc<Aws>, caller: &Caller, operation: &str, input: Value) -> Result<Value> {
    let params = Params::new(&input, VALIDATION);
    let known = [
        "ContinueUpdateRollback",
        "CreateChangeSet",
        "CreateStack",
        "DeleteChangeSet",
        "DeleteStack",
        "DescribeChangeSet",
        "DescribeEvents",
        "DescribeStackDriftDetectionStatus",
        "DescribeStackEvents",
        "DescribeStackResource",
        "DescribeStackResourceDrifts",
        "DescribeStackResources",
        "DescribeStacks",
        "DetectStackDrift",
        "DetectStackResourceDrift",
        "ExecuteChangeSet",
        "GetTemplate",
        "GetTemplateSummary",
        "ListChangeSets",
        "ListExports",
        "ListStackResources",
        "ListStacks",
        "RollbackStack",
        "UpdateStack",
        "UpdateTerminationProtection",
        "ValidateTemplate",
    ];
    if !known.contains(&operation) {
        return Err(Service::CloudFormation.unknown(operation));
    }
    let action = format!("cloudformation:{operation}");
    aws.iam.authorize(aws, caller, &action, &subject(aws, params))?;
    match operation {
        "ContinueUpdateRollback" => stacks::continue_rollback(aws, caller, params),
        "CreateChangeSet" => change_sets::create(aws, caller, params).await,
        "CreateStack" => stacks::create(aws, caller, params).await,
        "DeleteChangeSet" => change_sets::delete(aws, params),
        "DeleteStack" => stacks::delete(aws, caller, params),
        "DescribeChangeSet" => change_sets::describe(aws, params),
        "DescribeEvents" => change_sets::events(aws, params),
        "DescribeStackDriftDetectionStatus" => drift::status(aws, params),
        "DescribeStackEvents" => describe::events(aws, params),
        "DescribeStackResource" => describe::resource(aws, params),
        "DescribeStackResourceDrifts" => drift::drifts(aws, params),
        "DescribeStackResources" => describe::resources(aws, params),
        "DescribeStacks" => describe::stacks(aws, params),
        "DetectStackDrift" => drift::detect(aws, caller, params),
        "DetectStackResourceDrift" => drift::detect_one(aws, caller, params).await,
        "ExecuteChangeSet" => change_sets::execute(aws, caller, params),
        "GetTemplate" => templates::get(aws, params),
        "GetTemplateSummary" => templates::summary(aws, caller, params).await,
        "ListChangeSets" => change_sets::list(aws, params),
        "ListExports" => Ok(describe::exports(aws, params)),
        "ListStackResources" => describe::list_resources(aws, params),
        "ListStacks" => describe::list(aws, params),
        "RollbackStack" => stacks::roll_back(aws, params),
        "UpdateStack" => stacks::update(aws, caller, params).await,
        "UpdateTerminationProtection" => stacks::protect(aws, params),
        _ => templates::validate(aws, caller, params).await,
    }
}

/// What the caller must be allowed to act on.
fn subject(aws: &Aws, params: Params<'_>) -> String {
    let named = params.optional_text("StackName").ok().flatten();
    match named {
        None => "*".to_owned(),
        Some(arn) if arn.starts_with("arn:") => arn.to_owned(),
        Some(name) => match ledger::find(&aws.store, name) {
            Some(stack) => stack.id,
            None => aws.arn("cloudformation", &format!("stack/{name}/*")),
        },
    }
}
