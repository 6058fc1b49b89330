//! Change sets: proposed, looked at, carried out or dropped.

use std::sync::Arc;

use serde_json::{Value, json};

use super::answers::{self, page};
use super::describe::on_failure;
use super::input::{self, token};
use super::stacks::{self, begin, begin_update, updatable};
use crate::cloudformation::diff::Drifts;
use crate::cloudformation::drift::Drift;
use crate::cloudformation::error::{invalid, no_stack, one_of};
use crate::cloudformation::records::{ChangeSet, OnFailure, Operation, Phase, Stack, Wanted, kind, now};
use crate::cloudformation::validation::{self, Findings};
use crate::cloudformation::{diff, drift, ledger};
use crate::params::Params;
use crate::{ApiError, Aws, Caller, Result, ids};

const REVIEWED: &str = "REVIEW_IN_PROGRESS";

const NO_CHANGES: &str =
    "The submitted information didn't contain changes. Submit different information to create a change set.";

fn missing(name: &str) -> ApiError {
    ApiError::new(404, "ChangeSetNotFound", format!("ChangeSet [{name}] does not exist"))
}

/// The change set that a request names, by its ARN or by name and stack.
///
/// # Errors
/// `ChangeSetNotFound`, or `ValidationError` when there is no such stack.
pub fn find(aws: &Aws, params: Params<'_>) -> Result<(Stack, ChangeSet)> {
    let name = params.text("ChangeSetName")?;
    if name.starts_with("arn:") {
        let all = aws.store.list::<ChangeSet>(kind::CHANGE_SET);
        let (key, set) = all.into_iter().find(|(_, set)| set.id == name).ok_or_else(|| missing(name))?;
        let uuid = key.split('/').next().unwrap_or_default();
        let stack = aws.store.get::<Stack>(kind::STACK, uuid).ok_or_else(|| missing(name))?;
        return Ok((stack, set));
    }
    if params.get("StackName").is_none() {
        return Err(invalid("StackName must be specified if ChangeSetName is not specified as an ARN."));
    }
    let stack_name = params.text("StackName")?;
    let stack = ledger::find(&aws.store, stack_name)
        .filter(|stack| stack.status != "DELETE_COMPLETE")
        .ok_or_else(|| invalid(format!("Stack [{stack_name}] does not exist")))?;
    let set = ledger::change_sets(&aws.store, &stack.uuid).into_iter().rfind(|set| set.name == name);
    Ok((stack, set.ok_or_else(|| missing(name))?))
}

/// `CreateChangeSet`.
pub async fn create(aws: &Arc<Aws>, caller: &Caller, params: Params<'_>) -> Result<Value> {
    let name = input::name(params, "ChangeSetName")?;
    let kind_of = one_of(params, "ChangeSetType", &["CREATE", "UPDATE", "IMPORT"])?;
    let creates = match kind_of.as_deref() {
        Some("CREATE") => true,
        Some("IMPORT") => {
            return Err(invalid(
                "the local endpoint does not import resources; use ChangeSetType CREATE or UPDATE",
            ));
        }
        _ => false,
    };
    let stack_name = params.text("StackName")?;
    // A deleted stack is found by its ARN alone: it is neither made again nor updated.
    let existing = ledger::find(&aws.store, stack_name)
        .filter(|stack| stack.status != "DELETE_COMPLETE" || stack_name.starts_with("arn:"));
    match (&existing, creates) {
        (None, true) => {
            input::name(params, "StackName")?;
        }
        (None, false) => return Err(invalid(format!("Stack [{stack_name}] does not exist"))),
        (Some(stack), true) if stack.status != REVIEWED => {
            return Err(invalid(format!(
                "Stack [{stack_name}] already exists and cannot be created again with the changeSet [{name}]."
            )));
        }
        (Some(_), true) => {}
        (Some(stack), false) => updatable(stack)?,
    }
    let former = existing.as_ref().filter(|_| !creates).map(|stack| &stack.wanted);
    let (wanted, _) = input::wanted(aws, caller, params, former).await?;
    let on_failure = match on_failure(params, "OnStackFailure")?.as_deref() {
        Some("DO_NOTHING") => Some(OnFailure::DoNothing),
        Some("DELETE") if !creates => {
            return Err(invalid(
                "OnStackFailure DELETE can be specified for change sets of type CREATE only",
            ));
        }
        Some("DELETE") => Some(OnFailure::Delete),
        Some(_) => Some(OnFailure::Rollback),
        None => None,
    };
    let reverts = one_of(params, "DeploymentMode", &["REVERT_DRIFT"])?.is_some();
    if reverts && creates {
        return Err(invalid("DeploymentMode can be specified for change sets of type UPDATE only"));
    }
    let description = params.optional_text("Description")?.map(str::to_owned);

    let new = existing.is_none();
    let mut stack = existing.unwrap_or_else(|| stacks::new(aws, stack_name, Wanted::default()));
    let drifts = if reverts { drift::look(aws, caller, &stack, &[]).await } else { Drifts::new() };
    let changes = diff::changes(aws, &stack, &wanted, &drifts)?;
    let findings = if params.flag("DisableValidation")? {
        Findings::default()
    } else {
        validation::validate(aws, caller, &stack, &wanted, &changes.resources).await
    };
    let set = aws.store.transaction(|records| {
        if new {
            stacks::claim(records, &stack)?;
            ledger::status(records, &mut stack, REVIEWED, Some("User Initiated".to_owned()));
            records.put(kind::STACK, &stack.uuid, &stack);
        }
        let others =
            records.range::<ChangeSet>(kind::CHANGE_SET, &format!("{}/", stack.uuid), None, usize::MAX);
        if others.iter().any(|(_, set)| set.name == name && set.execution_status != "EXECUTE_COMPLETE") {
            return Err(ApiError::new(
                400,
                "AlreadyExistsException",
                format!("ChangeSet {name} already exists"),
            ));
        }
        let uuid = ids::uuid();
        let failure = findings.reason().or_else(|| (!changes.any).then(|| NO_CHANGES.to_owned()));
        let available = failure.is_none();
        let set = ChangeSet {
            key: format!("{}/{uuid}", stack.uuid),
            id: aws.arn("cloudformation", &format!("changeSet/{name}/{uuid}")),
            name: name.clone(),
            creates,
            status: if available { "CREATE_COMPLETE" } else { "FAILED" }.to_owned(),
            status_reason: failure,
            execution_status: if available { "AVAILABLE" } else { "UNAVAILABLE" }.to_owned(),
            created: now(),
            description,
            wanted,
            on_failure,
            changes: changes.resources,
            findings: findings.events,
            incomplete: changes.incomplete,
            reverts: reverts.then(|| {
                if drifts.values().any(Drift::is_drifted) { "DRIFTED" } else { "IN_SYNC" }.to_owned()
            }),
        };
        records.put(kind::CHANGE_SET, &set.key, &set);
        Ok(set)
    })?;
    Ok(json!({"Id": set.id, "StackId": stack.id}))
}

/// `DescribeChangeSet`.
pub fn describe(aws: &Aws, params: Params<'_>) -> Result<Value> {
    let (stack, set) = find(aws, params)?;
    let values = params.flag("IncludePropertyValues")?;
    let changes: Vec<Value> = set
        .changes
        .iter()
        .map(|change| {
            let mut change = change.clone();
            if !values {
                diff::without_values(&mut change);
            }
            json!({"Type": "Resource", "ResourceChange": change})
        })
        .collect();
    let mut answer = page(params, "Changes", &changes)?;
    let on_failure = set.on_failure.map(|on_failure| match on_failure {
        OnFailure::Rollback => "ROLLBACK",
        OnFailure::Delete => "DELETE",
        OnFailure::DoNothing => "DO_NOTHING",
    });
    let incomplete = set.incomplete.filter(|_| values).map(|why| {
        format!("[WARN] --include-property-values option can return incomplete ChangeSet data because: {why}")
    });
    let rest = answers::object(json!({
        "ChangeSetName": set.name,
        "ChangeSetId": set.id,
        "StackId": stack.id,
        "StackName": stack.name,
        "Description": set.description,
        "Parameters": answers::parameters(&set.wanted, aws.cloudformation.types()),
        "CreationTime": set.created,
        "ExecutionStatus": set.execution_status,
        "Status": set.status,
        "StatusReason": set.status_reason.or(incomplete),
        "NotificationARNs": [],
        "RollbackConfiguration": {},
        "Capabilities": set.wanted.capabilities,
        "Tags": answers::tags(&set.wanted),
        "IncludeNestedStacks": false,
        "OnStackFailure": on_failure,
        "DeploymentMode": set.reverts.as_ref().map(|_| "REVERT_DRIFT"),
        "StackDriftStatus": set.reverts,
    }));
    if let (Some(answer), Value::Object(rest)) = (answer.as_object_mut(), rest) {
        answer.extend(rest);
    }
    Ok(answer)
}

/// `DescribeEvents`, of change sets: what early validation found.
pub fn events(aws: &Aws, params: Params<'_>) -> Result<Value> {
    let name = params.optional_text("ChangeSetName")?.filter(|name| !name.is_empty());
    let stack = params.optional_text("StackName")?;
    match name {
        // AWS does not take a bare name without its stack for one.
        Some(name) if name.starts_with("arn:") || stack.is_some() => {}
        None if stack.is_some() || params.get("OperationId").is_some() => {
            return Err(invalid(
                "the local endpoint answers DescribeEvents with a ChangeSetName only; use DescribeStackEvents for a stack",
            ));
        }
        _ => return Err(invalid("One of ChangeSetName, OperationId or StackName must be specified")),
    }
    let (_, set) = find(aws, params)?;
    page(params, "OperationEvents", &set.findings)
}

/// `ListChangeSets`.
pub fn list(aws: &Aws, params: Params<'_>) -> Result<Value> {
    let name = params.text("StackName")?;
    let stack =
        ledger::find(&aws.store, name).ok_or_else(|| invalid(format!("Stack [{name}] does not exist")))?;
    let sets: Vec<Value> = ledger::change_sets(&aws.store, &stack.uuid)
        .iter()
        .filter(|set| set.execution_status != "EXECUTE_COMPLETE")
        .map(|set| {
            answers::object(json!({
                "StackId": stack.id,
                "StackName": stack.name,
                "ChangeSetId": set.id,
                "ChangeSetName": set.name,
                "ExecutionStatus": set.execution_status,
                "Status": set.status,
                "StatusReason": set.status_reason,
                "CreationTime": set.created,
                "Description": set.description,
                "IncludeNestedStacks": false,
            }))
        })
        .collect();
    page(params, "Summaries", &sets)
}

/// `DeleteChangeSet`. One that does not exist is as good as deleted.
pub fn delete(aws: &Aws, params: Params<'_>) -> Result<Value> {
    let set = match find(aws, params) {
        Ok((_, set)) => set,
        Err(e) if e.code == "ChangeSetNotFound" => return Ok(json!({})),
        Err(e) => return Err(e),
    };
    if set.execution_status == "EXECUTE_IN_PROGRESS" {
        return Err(ApiError::new(
            400,
            "InvalidChangeSetStatus",
            format!("ChangeSet [{}] cannot be deleted while it is executed", set.id),
        ));
    }
    aws.store.delete(kind::CHANGE_SET, &set.key);
    Ok(json!({}))
}

/// `ExecuteChangeSet`.
pub fn execute(aws: &Arc<Aws>, caller: &Caller, params: Params<'_>) -> Result<Value> {
    let (stack, set) = find(aws, params)?;
    let disable = params.flag("DisableRollback")?;
    let token = token(params)?;
    ledger::edit(&aws.store, &stack.uuid, |stack, records| {
        let mut set =
            records.get::<ChangeSet>(kind::CHANGE_SET, &set.key).ok_or_else(|| missing(&set.name))?;
        if set.status != "CREATE_COMPLETE" || set.execution_status != "AVAILABLE" {
            let status = if set.status == "CREATE_COMPLETE" { &set.execution_status } else { &set.status };
            return Err(ApiError::new(
                400,
                "InvalidChangeSetStatus",
                format!("ChangeSet [{}] cannot be executed in its current status of [{status}]", set.id),
            ));
        }
        let phase = if set.creates { Phase::Create } else { Phase::Update };
        let mut operation = Operation::new(phase, token, caller);
        operation.change_set = Some(set.key.clone());
        operation.revert = set.reverts.is_some();
        operation.on_failure = match set.on_failure {
            _ if disable => OnFailure::DoNothing,
            Some(on_failure) => on_failure,
            None => OnFailure::Rollback,
        };
        if set.creates {
            if stack.status != REVIEWED {
                return Err(invalid(format!(
                    "Stack:{} is in {} state and can not be created.",
                    stack.id, stack.status
                )));
            }
            stack.wanted = set.wanted.clone();
            stack.updated = Some(now());
            begin(records, stack, operation, "CREATE_IN_PROGRESS");
        } else {
            begin_update(records, stack, set.wanted.clone(), operation)?;
        }
        stack.disable_rollback = disable;
        stack.change_set = Some(set.id.clone());
        let others =
            records.range::<ChangeSet>(kind::CHANGE_SET, &format!("{}/", stack.uuid), None, usize::MAX);
        for (key, mut other) in others {
            if key != set.key && other.execution_status == "AVAILABLE" {
                other.execution_status = "OBSOLETE".to_owned();
                records.put(kind::CHANGE_SET, &key, &other);
            }
        }
        set.execution_status = "EXECUTE_IN_PROGRESS".to_owned();
        records.put(kind::CHANGE_SET, &set.key, &set);
        Ok(())
    })
    .unwrap_or_else(|| Err(no_stack(&stack.name)))?;
    aws.cloudformation.drive(aws, &stack.uuid);
    Ok(json!({}))
}
