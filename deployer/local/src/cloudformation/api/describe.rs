//! Reading: stacks, their events, resources, exports.

use serde_json::{Value, json};

use super::answers::{self, page};
use super::input;
use crate::cloudformation::error::{invalid, one_of};
use crate::cloudformation::ledger;
use crate::cloudformation::operation::exported;
use crate::cloudformation::records::Resource;
use crate::params::Params;
use crate::{Aws, Result};

/// `DescribeStacks`.
pub fn stacks(aws: &Aws, params: Params<'_>) -> Result<Value> {
    if params.get("StackName").is_some() {
        let stack = input::stack(aws, params)?;
        return page(params, "Stacks", &[answers::stack(aws, &stack)]);
    }
    let mut stacks = ledger::all(&aws.store);
    stacks.retain(|stack| stack.status != "DELETE_COMPLETE");
    stacks.sort_by(|a, b| b.created.cmp(&a.created));
    let stacks: Vec<Value> = stacks.iter().map(|stack| answers::stack(aws, stack)).collect();
    page(params, "Stacks", &stacks)
}

/// `ListStacks`.
pub fn list(aws: &Aws, params: Params<'_>) -> Result<Value> {
    let wanted = params.texts("StackStatusFilter")?;
    let mut stacks = ledger::all(&aws.store);
    stacks.retain(|stack| wanted.is_empty() || wanted.contains(&stack.status.as_str()));
    stacks.sort_by(|a, b| b.created.cmp(&a.created));
    let stacks: Vec<Value> = stacks.iter().map(|stack| answers::summary(aws, stack)).collect();
    page(params, "StackSummaries", &stacks)
}

/// `DescribeStackEvents`: newest first.
pub fn events(aws: &Aws, params: Params<'_>) -> Result<Value> {
    let name = params.text("StackName")?;
    let stack =
        ledger::find(&aws.store, name).ok_or_else(|| invalid(format!("Stack [{name}] does not exist")))?;
    let events: Vec<Value> =
        ledger::events(&aws.store, &stack.uuid).iter().map(|event| answers::event(&stack, event)).collect();
    // A page begins at an event, whatever came before it since the page before was read.
    let start = match params.optional_text("NextToken")? {
        None => 0,
        Some(token) => events
            .iter()
            .position(|event| event["EventId"] == token)
            .ok_or_else(|| invalid(format!("Invalid NextToken: '{token}'")))?,
    };
    let end = (start + 100).min(events.len());
    let mut answer = json!({"StackEvents": events[start..end]});
    if let Some(next) = events.get(end) {
        answer["NextToken"] = next["EventId"].clone();
    }
    Ok(answer)
}

/// `ListStackResources`.
pub fn list_resources(aws: &Aws, params: Params<'_>) -> Result<Value> {
    let stack = input::stack(aws, params)?;
    let resources: Vec<Value> = ledger::resources(&aws.store, &stack.uuid)
        .values()
        .map(|resource| answers::resource(aws, &stack, resource, "LastUpdatedTimestamp"))
        .collect();
    page(params, "StackResourceSummaries", &resources)
}

/// `DescribeStackResources`.
pub fn resources(aws: &Aws, params: Params<'_>) -> Result<Value> {
    let logical = params.optional_text("LogicalResourceId")?;
    let physical = params.optional_text("PhysicalResourceId")?;
    let stack = match (params.optional_text("StackName")?, physical) {
        (Some(_), _) => input::stack(aws, params)?,
        (None, Some(physical)) => {
            let mut stacks = ledger::all(&aws.store);
            stacks.retain(|s| s.status != "DELETE_COMPLETE");
            let owns = |uuid: &str| {
                let resources = ledger::resources(&aws.store, uuid);
                resources.values().any(|r| r.physical_id.as_deref() == Some(physical))
            };
            stacks
                .into_iter()
                .find(|stack| owns(&stack.uuid))
                .ok_or_else(|| invalid(format!("Stack for {physical} does not exist")))?
        }
        (None, None) => {
            return Err(invalid("Either the StackName or the PhysicalResourceId parameter is required"));
        }
    };
    let fits = |resource: &Resource| {
        logical.is_none_or(|l| resource.logical_id == l)
            && (params.get("StackName").is_none()
                || physical.is_none_or(|p| resource.physical_id.as_deref() == Some(p)))
    };
    let resources = ledger::resources(&aws.store, &stack.uuid);
    let resources: Value = resources
        .values()
        .filter(|resource| fits(resource))
        .map(|resource| {
            let mut answer = answers::resource(aws, &stack, resource, "Timestamp");
            answer["StackId"] = stack.id.clone().into();
            answer["StackName"] = stack.name.clone().into();
            answer
        })
        .collect();
    Ok(json!({"StackResources": resources}))
}

/// `DescribeStackResource`.
pub fn resource(aws: &Aws, params: Params<'_>) -> Result<Value> {
    let name = params.text("StackName")?;
    let logical = params.text("LogicalResourceId")?;
    let stack =
        ledger::find(&aws.store, name).ok_or_else(|| invalid(format!("Stack '{name}' does not exist")))?;
    let resources = ledger::resources(&aws.store, &stack.uuid);
    let resource = resources
        .get(logical)
        .ok_or_else(|| invalid(format!("Resource {logical} does not exist for stack {name}")))?;
    let mut answer = answers::resource(aws, &stack, resource, "LastUpdatedTimestamp");
    answer["StackId"] = stack.id.clone().into();
    answer["StackName"] = stack.name.clone().into();
    if let Some(metadata) = &resource.metadata {
        answer["Metadata"] = metadata.to_string().into();
    }
    Ok(json!({"StackResourceDetail": answer}))
}

/// `ListExports`.
pub fn exports(aws: &Aws, _params: Params<'_>) -> Value {
    let exports: Value = exported(&aws.store)
        .into_iter()
        .map(|(name, (stack, value))| json!({"ExportingStackId": stack.id, "Name": name, "Value": value}))
        .collect();
    json!({"Exports": exports})
}

/// The statuses in which a stack can be updated.
pub const UPDATABLE: [&str; 3] = ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"];

/// What becomes of a stack whose operation fails, as the request has it.
pub fn on_failure(params: Params<'_>, member: &str) -> Result<Option<String>> {
    one_of(params, member, &["DO_NOTHING", "ROLLBACK", "DELETE"])
}
