//! Deletion: of a whole stack, of what a failed creation made, and of what an update left behind.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::forward::importers;
use super::plan::Plan;
use super::walk::{Step, walk};
use super::work::Work;
use super::{failed, finish};
use crate::Aws;
use crate::cloudformation::ledger;
use crate::cloudformation::records::{Incarnation, Operation, Phase, Resource, Stack, kind, now};
use template::graph::{Graph, reversed};

/// Deletes all of a stack, or all that a failed creation made.
pub async fn all(aws: &Arc<Aws>, stack: &Stack, operation: &Operation) {
    let deleting = operation.phase == Phase::Delete;
    if deleting {
        for export in stack.outputs.iter().filter_map(|o| o.export.as_ref()) {
            let users = importers(aws, export);
            if !users.is_empty() {
                let reason =
                    format!("Export {export} cannot be deleted as it is in use by {}", users.join(", "));
                ledger::edit(&aws.store, &stack.uuid, |stack, records| {
                    finish(records, stack, "DELETE_FAILED", Some(reason), false);
                });
                return;
            }
        }
    }
    let work = Work::open(aws, stack, operation);
    let order = order(&work.resources());
    let failures = walk(
        order,
        |_| false,
        |name| {
            let Some(resource) = work.resource(name) else { return Step::Done };
            if resource.status == "DELETE_COMPLETE" || resource.status == "DELETE_SKIPPED" {
                return Step::Done;
            }
            let kept = match resource.deletion_policy.as_deref() {
                Some("Retain") => true,
                Some("RetainExceptOnCreate") => deleting,
                _ => false,
            };
            Step::Task(Box::pin(remove(work.clone(), resource, kept)))
        },
    )
    .await;
    let failures: Vec<String> = failures.into_iter().collect();
    ledger::edit(&aws.store, &stack.uuid, |stack, records| {
        let reason = (!failures.is_empty()).then(|| failed("delete", &failures));
        match (deleting, failures.is_empty()) {
            (true, true) => {
                stack.deleted = Some(now());
                stack.outputs.clear();
                stack.imports.clear();
                finish(records, stack, "DELETE_COMPLETE", None, false);
                if records.get::<String>(kind::NAME, &stack.name).as_deref() == Some(&stack.uuid) {
                    records.delete(kind::NAME, &stack.name);
                }
                records.delete_prefix(kind::CHANGE_SET, &format!("{}/", stack.uuid));
            }
            (true, false) => finish(records, stack, "DELETE_FAILED", reason, false),
            (false, true) => finish(records, stack, "ROLLBACK_COMPLETE", None, false),
            (false, false) => finish(records, stack, "ROLLBACK_FAILED", reason, false),
        }
    });
}

/// Each resource after those that were made after it.
fn order(resources: &BTreeMap<String, Resource>) -> Graph {
    let graph: Graph =
        resources.iter().map(|(name, resource)| (name.clone(), resource.dependencies.clone())).collect();
    reversed(&graph)
}

async fn remove(work: Arc<Work>, mut resource: Resource, kept: bool) -> bool {
    if kept || work.operation.skip.contains(&resource.logical_id) {
        work.tell(&mut resource, "DELETE_SKIPPED", None);
        return true;
    }
    let token = work.operation.id.clone();
    let Some((handler, site)) = work.at(&resource) else { return false };
    let current = resource.current.clone();
    let leftover = resource.before.clone().filter(|b| current.as_ref().is_none_or(|c| c.id != b.id));
    if current.is_some() || leftover.is_some() {
        work.announce(&mut resource, "DELETE_IN_PROGRESS", None);
    }
    for Incarnation { id, properties, .. } in leftover.iter().chain(&current) {
        if let Err(failure) = handler.delete(&site, id, properties).await {
            work.tell(&mut resource, "DELETE_FAILED", Some(failure.reason(&token)));
            return false;
        }
    }
    resource.current = None;
    resource.before = None;
    work.tell(&mut resource, "DELETE_COMPLETE", None);
    true
}

/// Deletes what the stack's template does not name any more, and what was replaced. A deletion that fails here does not
/// fail the update: the thing stays, outside of the stack.
pub async fn clean_up(aws: &Arc<Aws>, stack: &Stack, operation: &Operation) {
    let work = Work::open(aws, stack, operation);
    let resources = work.resources();
    // It was checked when the operation was asked for; without it nothing can be told to be superfluous.
    let wanted: Graph = match Plan::new(aws.cloudformation.types(), stack, &stack.wanted) {
        Ok(plan) => plan.graph,
        Err(_) => resources.keys().map(|name| (name.clone(), Default::default())).collect(),
    };
    let rollback = operation.phase == Phase::UpdateRollbackCleanup;
    let failures = walk(
        order(&resources),
        |_| false,
        |name| {
            let Some(resource) = work.resource(name) else { return Step::Done };
            if !wanted.contains_key(name) {
                return Step::Task(Box::pin(drop_resource(work.clone(), resource, rollback)));
            }
            match (&resource.before, &resource.current) {
                (Some(before), Some(current)) if before.id != current.id => {
                    Step::Task(Box::pin(drop_leftover(work.clone(), resource, rollback)))
                }
                (Some(_), _) => {
                    let mut resource = resource;
                    resource.before = None;
                    work.keep(&resource);
                    Step::Done
                }
                _ => Step::Done,
            }
        },
    )
    .await;
    let cleaned = work.resources().values().all(|r| r.status != "DELETE_FAILED") && failures.is_empty();
    for (name, _) in work.resources().iter().filter(|(name, _)| !wanted.contains_key(*name)) {
        work.forget(name);
    }
    let (status, success) =
        if rollback { ("UPDATE_ROLLBACK_COMPLETE", false) } else { ("UPDATE_COMPLETE", true) };
    let what = if rollback { "Update rollback" } else { "Update" };
    let reason =
        (!cleaned).then(|| format!("{what} successful. One or more resources could not be deleted."));
    ledger::edit(&aws.store, &stack.uuid, |stack, records| finish(records, stack, status, reason, success));
}

/// Deletes a resource that the template does not name. Succeeds in any case, so that the others go on.
async fn drop_resource(work: Arc<Work>, resource: Resource, rollback: bool) -> bool {
    let kept = match resource.deletion_policy.as_deref() {
        Some("Retain") => true,
        Some("RetainExceptOnCreate") => !rollback,
        _ => false,
    };
    if !matches!(resource.status.as_str(), "DELETE_COMPLETE" | "DELETE_FAILED" | "DELETE_SKIPPED") {
        remove(work, resource, kept).await;
    }
    true
}

/// Deletes what a resource was before, telling of it under the old physical id.
async fn drop_leftover(work: Arc<Work>, mut resource: Resource, rollback: bool) -> bool {
    let Some(leftover) = resource.before.take() else { return true };
    // The replacement that a rollback drops was never what the policy was meant for.
    let kept = !rollback && resource.replace_policy.as_deref() == Some("Retain");
    let mut old = Resource { current: Some(leftover.clone()), before: None, ..resource.clone() };
    let mut success = true;
    let tell = |old: &mut Resource, status: &str, reason| {
        status.clone_into(&mut old.status);
        old.status_reason = reason;
        old.updated = now();
        old.physical_id = Some(leftover.id.clone());
        work.only_tell(old);
    };
    if kept {
        tell(&mut old, "DELETE_SKIPPED", None);
    } else if let Some((handler, site)) = work.at(&resource) {
        tell(&mut old, "DELETE_IN_PROGRESS", None);
        match handler.delete(&site, &leftover.id, &leftover.properties).await {
            Ok(()) => tell(&mut old, "DELETE_COMPLETE", None),
            Err(failure) => {
                tell(&mut old, "DELETE_FAILED", Some(failure.reason(&site.token)));
                success = false;
            }
        }
    }
    work.keep(&resource);
    success
}
