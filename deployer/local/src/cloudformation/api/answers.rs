//! Records as the API answers them. Members without a value are left out.

use serde_json::{Map, Value, json};

use super::drift;
use crate::cloudformation::error::invalid;
use crate::cloudformation::records::{Event, Resource, Stack, Wanted};
use crate::cloudformation::resources::Registry;
use crate::params::Params;
use crate::{Aws, Result};
use template::parse;

/// AWS's number of entries of a page.
const PAGE: usize = 100;

/// A page of a list: the items from the request's `NextToken` on, and the token for the next.
///
/// # Errors
/// `ValidationError` for a token that was not given by us.
pub fn page(params: Params<'_>, member: &str, items: &[Value]) -> Result<Value> {
    let start = match params.optional_text("NextToken")? {
        None => 0,
        Some(token) => match token.strip_prefix("page-").and_then(|n| n.parse::<usize>().ok()) {
            Some(start) if start <= items.len() => start,
            _ => return Err(invalid(format!("Invalid NextToken: '{token}'"))),
        },
    };
    let end = (start + PAGE).min(items.len());
    let mut answer = json!({ member: items[start..end] });
    if end < items.len() {
        answer["NextToken"] = format!("page-{end}").into();
    }
    Ok(answer)
}

/// An object without the members that are null.
pub fn object(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            Value::Object(members.into_iter().filter(|(_, v)| !v.is_null()).collect::<Map<_, _>>())
        }
        other => other,
    }
}

/// Parameters with their values, secret ones as asterisks.
pub fn parameters(wanted: &Wanted, registry: &Registry) -> Value {
    let declared = parse::parse(&wanted.template, registry).map(|t| t.parameters).unwrap_or_default();
    let parameters = wanted.parameters.iter().map(|(key, value)| {
        let secret = declared.get(key).is_some_and(|d| d.no_echo);
        let shown = |value| if secret { "****" } else { value };
        object(json!({
            "ParameterKey": key,
            "ParameterValue": shown(value),
            "ResolvedValue": wanted.stored.get(key).map(|value| shown(value)),
        }))
    });
    parameters.collect()
}

/// Tags.
pub fn tags(wanted: &Wanted) -> Value {
    wanted.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

/// A stack of `DescribeStacks`.
pub fn stack(aws: &Aws, stack: &Stack) -> Value {
    let registry = aws.cloudformation.types();
    let description = parse::parse(&stack.wanted.template, registry).ok().and_then(|t| t.description);
    let outputs: Value = stack
        .outputs
        .iter()
        .map(|o| {
            object(json!({
                "OutputKey": o.key,
                "OutputValue": o.value,
                "Description": o.description,
                "ExportName": o.export,
            }))
        })
        .collect();
    object(json!({
        "StackId": stack.id,
        "StackName": stack.name,
        "ChangeSetId": stack.change_set,
        "Description": description,
        "Parameters": parameters(&stack.wanted, registry),
        "CreationTime": stack.created,
        "LastUpdatedTime": stack.updated,
        "DeletionTime": stack.deleted,
        "StackStatus": stack.status,
        "StackStatusReason": stack.status_reason,
        "DisableRollback": stack.disable_rollback,
        "NotificationARNs": [],
        "Capabilities": stack.wanted.capabilities,
        "Outputs": outputs,
        "RoleARN": stack.wanted.role_arn,
        "Tags": tags(&stack.wanted),
        "EnableTerminationProtection": stack.termination_protection,
        "RollbackConfiguration": {},
        "DriftInformation": drift::of_stack(aws, stack),
    }))
}

/// A stack of `ListStacks`.
pub fn summary(aws: &Aws, stack: &Stack) -> Value {
    let description =
        parse::parse(&stack.wanted.template, aws.cloudformation.types()).ok().and_then(|t| t.description);
    object(json!({
        "StackId": stack.id,
        "StackName": stack.name,
        "TemplateDescription": description,
        "CreationTime": stack.created,
        "LastUpdatedTime": stack.updated,
        "DeletionTime": stack.deleted,
        "StackStatus": stack.status,
        "StackStatusReason": stack.status_reason,
        "DriftInformation": drift::of_stack(aws, stack),
    }))
}

/// An event.
pub fn event(stack: &Stack, event: &Event) -> Value {
    object(json!({
        "StackId": stack.id,
        "StackName": stack.name,
        "EventId": event.id,
        "LogicalResourceId": event.logical_id,
        "PhysicalResourceId": event.physical_id,
        "ResourceType": event.kind,
        "Timestamp": event.time,
        "ResourceStatus": event.status,
        "ResourceStatusReason": event.reason,
        "ResourceProperties": event.properties,
        "ClientRequestToken": event.token,
    }))
}

/// A resource; its time goes by another name in each of the operations.
pub fn resource(aws: &Aws, stack: &Stack, resource: &Resource, time: &str) -> Value {
    let mut answer = json!({
        "LogicalResourceId": resource.logical_id,
        "PhysicalResourceId": resource.physical_id,
        "ResourceType": resource.kind,
        "ResourceStatus": resource.status,
        "ResourceStatusReason": resource.status_reason,
        "DriftInformation": drift::of_resource(aws, stack, &resource.logical_id),
    });
    answer[time] = resource.updated.clone().into();
    object(answer)
}
