//! Changing stacks: creation, update, deletion, and what helps out of a failed one.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::describe::{UPDATABLE, on_failure};
use super::input::{self, token};
use crate::cloudformation::diff::Drifts;
use crate::cloudformation::error::{invalid, no_stack, one_of};
use crate::cloudformation::operation::Plan;
use crate::cloudformation::records::{OnFailure, Operation, Phase, Stack, Wanted, kind, now};
use crate::cloudformation::{diff, ledger, operation};
use crate::params::Params;
use crate::store::Records;
use crate::{ApiError, Aws, Caller, Result, ids};

const INITIATED: &str = "User Initiated";

/// A stack that is nothing yet, and not in the records.
pub fn new(aws: &Aws, name: &str, wanted: Wanted) -> Stack {
    let uuid = ids::uuid();
    Stack {
        id: aws.arn("cloudformation", &format!("stack/{name}/{uuid}")),
        uuid,
        name: name.to_owned(),
        status: String::new(),
        status_reason: None,
        created: now(),
        updated: None,
        deleted: None,
        wanted,
        outputs: Vec::new(),
        imports: BTreeSet::new(),
        change_set: None,
        disable_rollback: false,
        termination_protection: false,
        operation: None,
        suspended: None,
    }
}

/// Takes the stack's name for it.
///
/// # Errors
/// `AlreadyExistsException` when the name is taken already.
pub fn claim(records: &mut Records<'_>, stack: &Stack) -> Result<()> {
    if records.get::<String>(kind::NAME, &stack.name).is_some() {
        let message = format!("Stack [{}] already exists", stack.name);
        return Err(ApiError::new(400, "AlreadyExistsException", message));
    }
    records.put(kind::NAME, &stack.name, &stack.uuid);
    Ok(())
}

/// Begins an operation: from here on the stack is busy.
pub fn begin(records: &mut Records<'_>, stack: &mut Stack, operation: Operation, status: &str) {
    stack.operation = Some(operation);
    stack.suspended = None;
    ledger::status(records, stack, status, Some(INITIATED.to_owned()));
}

/// Begins an update of a stack, when its state allows it.
///
/// # Errors
/// `ValidationError` when it does not.
pub fn begin_update(
    records: &mut Records<'_>,
    stack: &mut Stack,
    wanted: Wanted,
    mut operation: Operation,
) -> Result<()> {
    updatable(stack)?;
    operation.before = Some(std::mem::replace(&mut stack.wanted, wanted));
    stack.updated = Some(now());
    begin(records, stack, operation, "UPDATE_IN_PROGRESS");
    Ok(())
}

/// Checks that the stack's state allows an update.
///
/// # Errors
/// `ValidationError` when it does not.
pub fn updatable(stack: &Stack) -> Result<()> {
    if UPDATABLE.contains(&stack.status.as_str()) {
        return Ok(());
    }
    Err(invalid(format!("Stack:{} is in {} state and can not be updated.", stack.id, stack.status)))
}

/// `CreateStack`.
pub async fn create(aws: &Arc<Aws>, caller: &Caller, params: Params<'_>) -> Result<Value> {
    let name = input::name(params, "StackName")?;
    params.refuse(&["DeploymentMode"], "leave it out")?;
    let (wanted, _) = input::wanted(aws, caller, params, None).await?;
    let disable = params.flag("DisableRollback")?;
    let mut operation = Operation::new(Phase::Create, token(params)?, caller);
    operation.on_failure = match on_failure(params, "OnFailure")?.as_deref() {
        Some(_) if params.get("DisableRollback").is_some() => {
            return Err(invalid("You can only specify one of OnFailure and DisableRollback."));
        }
        Some("DO_NOTHING") => OnFailure::DoNothing,
        Some("DELETE") => OnFailure::Delete,
        None if disable => OnFailure::DoNothing,
        _ => OnFailure::Rollback,
    };
    let protected = params.flag("EnableTerminationProtection")?;
    let mut stack = new(aws, &name, wanted);
    stack.disable_rollback = operation.on_failure == OnFailure::DoNothing;
    stack.termination_protection = protected;
    Plan::new(aws.cloudformation.types(), &stack, &stack.wanted).map_err(invalid)?;
    aws.store.transaction(|records| {
        claim(records, &stack)?;
        begin(records, &mut stack, operation, "CREATE_IN_PROGRESS");
        records.put(kind::STACK, &stack.uuid, &stack);
        Ok::<_, ApiError>(())
    })?;
    aws.cloudformation.drive(aws, &stack.uuid);
    Ok(json!({"StackId": stack.id}))
}

/// `UpdateStack`.
pub async fn update(aws: &Arc<Aws>, caller: &Caller, params: Params<'_>) -> Result<Value> {
    let name = params.text("StackName")?;
    let stack = ledger::find(&aws.store, name)
        .filter(|stack| stack.status != "DELETE_COMPLETE")
        .ok_or_else(|| invalid(format!("Stack [{name}] does not exist")))?;
    updatable(&stack)?;
    params.refuse(&["DeploymentMode"], "leave it out")?;
    let (wanted, _) = input::wanted(aws, caller, params, Some(&stack.wanted)).await?;
    if !diff::changes(aws, &stack, &wanted, &Drifts::new())?.any {
        return Err(invalid("No updates are to be performed."));
    }
    let mut operation = Operation::new(Phase::Update, token(params)?, caller);
    if params.flag("DisableRollback")? {
        operation.on_failure = OnFailure::DoNothing;
    }
    edit(aws, &stack, |stack, records| begin_update(records, stack, wanted, operation))?;
    aws.cloudformation.drive(aws, &stack.uuid);
    Ok(json!({"StackId": stack.id}))
}

/// Changes a stack under a check of its state.
fn edit<R>(
    aws: &Aws,
    stack: &Stack,
    change: impl FnOnce(&mut Stack, &mut Records<'_>) -> Result<R>,
) -> Result<R> {
    ledger::edit(&aws.store, &stack.uuid, change).unwrap_or_else(|| Err(no_stack(&stack.name)))
}

/// `DeleteStack`. A stack that does not exist is as good as deleted.
pub fn delete(aws: &Arc<Aws>, caller: &Caller, params: Params<'_>) -> Result<Value> {
    let Some(stack) = ledger::find(&aws.store, params.text("StackName")?) else { return Ok(json!({})) };
    let role = params.optional_text("RoleARN")?.map(str::to_owned);
    if let Some(role) = &role {
        input::passed(aws, caller, role)?;
    }
    let mode = one_of(params, "DeletionMode", &["STANDARD", "FORCE_DELETE_STACK"])?;
    let force = mode.as_deref() == Some("FORCE_DELETE_STACK");
    let retained: BTreeSet<String> =
        params.texts("RetainResources")?.into_iter().map(str::to_owned).collect();
    let mut operation = Operation::new(Phase::Delete, token(params)?, caller);
    let drive = edit(aws, &stack, |stack, records| {
        if stack.termination_protection {
            return Err(invalid(format!(
                "Stack [{}] cannot be deleted while TerminationProtection is enabled",
                stack.name
            )));
        }
        if (force || !retained.is_empty()) && stack.status != "DELETE_FAILED" {
            let what = if force { "Force deleting a stack" } else { "Retaining resources" };
            return Err(invalid(format!(
                "Invalid operation on stack [{}]. {what} is only allowed in the DELETE_FAILED state, it is in {}.",
                stack.id, stack.status
            )));
        }
        let resources = ledger::resources_in(records, &stack.uuid);
        if let Some(unknown) = retained.iter().find(|name| !resources.contains_key(*name)) {
            return Err(invalid(format!(
                "The specified resources to retain must be in a valid state, {unknown} does not exist"
            )));
        }
        match stack.status.as_str() {
            "DELETE_COMPLETE" | "DELETE_IN_PROGRESS" => return Ok(false),
            "CREATE_IN_PROGRESS" => {
                if let Some(running) = &mut stack.operation {
                    running.interrupted = true;
                }
                stack.deleted = Some(now());
                ledger::status(records, stack, "DELETE_IN_PROGRESS", Some(INITIATED.to_owned()));
                return Ok(false);
            }
            busy if busy.ends_with("_IN_PROGRESS") && busy != "REVIEW_IN_PROGRESS" => {
                return Err(invalid(format!(
                    "Stack [{}] cannot be deleted while in status {busy}",
                    stack.id
                )));
            }
            _ => {}
        }
        operation.skip = retained;
        if force {
            let failed = resources.values().filter(|r| r.status == "DELETE_FAILED");
            operation.skip.extend(failed.map(|r| r.logical_id.clone()));
        }
        if role.is_some() {
            stack.wanted.role_arn = role;
        }
        stack.deleted = Some(now());
        begin(records, stack, operation, "DELETE_IN_PROGRESS");
        Ok(true)
    })?;
    if drive {
        aws.cloudformation.drive(aws, &stack.uuid);
    }
    Ok(json!({}))
}

/// `ContinueUpdateRollback`.
pub fn continue_rollback(aws: &Arc<Aws>, caller: &Caller, params: Params<'_>) -> Result<Value> {
    let stack = input::stack(aws, params)?;
    let skip: BTreeSet<String> = params.texts("ResourcesToSkip")?.into_iter().map(str::to_owned).collect();
    let role = params.optional_text("RoleARN")?.map(str::to_owned);
    if let Some(role) = &role {
        input::passed(aws, caller, role)?;
    }
    let token = token(params)?;
    edit(aws, &stack, |stack, records| {
        let Some(mut suspended) =
            stack.suspended.clone().filter(|_| stack.status == "UPDATE_ROLLBACK_FAILED")
        else {
            return Err(invalid(format!(
                "Stack:{} is in {} state and can not continue a rollback; it must be in UPDATE_ROLLBACK_FAILED.",
                stack.id, stack.status
            )));
        };
        let stuck = operation::stuck(&ledger::resources_in(records, &stack.uuid));
        if let Some(other) = skip.iter().find(|name| !stuck.contains(*name)) {
            return Err(invalid(format!(
                "ResourcesToSkip: {other} is not in the UPDATE_FAILED state; those that are: [{}]",
                stuck.into_iter().collect::<Vec<_>>().join(", ")
            )));
        }
        suspended.skip = skip;
        suspended.token = token;
        suspended.caller = Operation::new(Phase::UpdateRollback, None, caller).caller;
        if let (Some(role), Some(before)) = (role, &mut suspended.before) {
            before.role_arn = Some(role);
        }
        begin(records, stack, suspended, "UPDATE_ROLLBACK_IN_PROGRESS");
        Ok(())
    })?;
    aws.cloudformation.drive(aws, &stack.uuid);
    Ok(json!({}))
}

/// `RollbackStack`: for a stack whose failure was left as it was.
pub fn roll_back(aws: &Arc<Aws>, params: Params<'_>) -> Result<Value> {
    let stack = input::stack(aws, params)?;
    let token = token(params)?;
    edit(aws, &stack, |stack, records| {
        let (phase, status) = match stack.status.as_str() {
            "CREATE_FAILED" => (Phase::CreateRollback, "ROLLBACK_IN_PROGRESS"),
            "UPDATE_FAILED" => (Phase::UpdateRollback, "UPDATE_ROLLBACK_IN_PROGRESS"),
            other => {
                return Err(invalid(format!(
                    "Stack:{} is in {other} state and can not be rolled back.",
                    stack.id
                )));
            }
        };
        let Some(mut suspended) = stack.suspended.clone() else { return Err(no_stack(&stack.name)) };
        suspended.phase = phase;
        suspended.token = token;
        begin(records, stack, suspended, status);
        Ok(())
    })?;
    aws.cloudformation.drive(aws, &stack.uuid);
    Ok(json!({"StackId": stack.id}))
}

/// `UpdateTerminationProtection`.
pub fn protect(aws: &Arc<Aws>, params: Params<'_>) -> Result<Value> {
    let stack = input::stack(aws, params)?;
    if params.get("EnableTerminationProtection").is_none() {
        return Err(invalid("EnableTerminationProtection must be true or false"));
    }
    let protected = params.flag("EnableTerminationProtection")?;
    edit(aws, &stack, |stack, _| {
        stack.termination_protection = protected;
        Ok(json!({"StackId": stack.id}))
    })
}
