//! The rollback of an update: what was changed is changed back, what was replaced is taken up again. What the update made
//! is deleted afterwards, in [`super::removal`].

use std::collections::BTreeSet;
use std::sync::Arc;

use super::plan::Plan;
use super::walk::{Step, walk};
use super::work::Work;
use super::{advance, failed, finish};
use crate::Aws;
use crate::cloudformation::ledger;
use crate::cloudformation::records::{Operation, Phase, Progress, Resource, Stack};

/// Runs the phase.
pub async fn run(aws: &Arc<Aws>, stack: &Stack, operation: &Operation) {
    let Some(before) = operation.before.clone() else {
        ledger::edit(&aws.store, &stack.uuid, |stack, records| {
            finish(
                records,
                stack,
                "UPDATE_ROLLBACK_FAILED",
                Some("There is nothing to go back to.".into()),
                false,
            );
        });
        return;
    };
    // The former role and tags do the work: the stack is on its way back to them.
    let mut former = stack.clone();
    let failures = match Plan::new(aws.cloudformation.types(), stack, &before) {
        Ok(plan) => {
            let mut operation = operation.clone();
            operation.before = Some(std::mem::replace(&mut former.wanted, before.clone()));
            let work = Work::open(aws, &former, &operation);
            walk(plan.graph.clone(), |_| false, |name| step(&work, &plan, name)).await
        }
        Err(message) => {
            ledger::edit(&aws.store, &stack.uuid, |stack, records| {
                finish(records, stack, "UPDATE_ROLLBACK_FAILED", Some(message), false);
            });
            return;
        }
    };
    ledger::edit(&aws.store, &stack.uuid, |stack, records| {
        if failures.is_empty() {
            stack.wanted = before;
            ledger::status(records, stack, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", None);
            advance(stack, Phase::UpdateRollbackCleanup);
        } else {
            let names: Vec<String> = failures.into_iter().collect();
            finish(records, stack, "UPDATE_ROLLBACK_FAILED", Some(failed("update", &names)), false);
        }
    });
}

fn step(work: &Arc<Work>, plan: &Plan, name: &str) -> Step {
    let Some(mut resource) = work.resource(name) else { return Step::Done };
    let (Some(declared), Some(after)) = (plan.template.resources.get(name), plan.graph.get(name)) else {
        return Step::Done;
    };
    let touched = resource.operation == work.operation.id;
    resource.dependencies.clone_from(after);
    resource.deletion_policy.clone_from(&declared.deletion_policy);
    resource.replace_policy.clone_from(&declared.replace_policy);
    resource.metadata.clone_from(&declared.metadata);
    let Some(before) = resource.before.clone().filter(|_| touched) else {
        if touched && resource.status == "UPDATE_FAILED" {
            // It failed before anything was changed.
            work.tell(&mut resource, "UPDATE_COMPLETE", None);
        } else {
            work.keep(&resource);
        }
        return Step::Done;
    };
    let Some(current) = resource.current.clone() else { return Step::Done };
    if work.operation.skip.contains(name) {
        resource.current = Some(before);
        resource.before = None;
        work.tell(&mut resource, "UPDATE_COMPLETE", Some("Resource rollback skipped".to_owned()));
        return Step::Done;
    }
    if before.id != current.id {
        // Swapped once: the one to be deleted is now `before`, and no longer the operation's to touch again.
        resource.current = Some(before);
        resource.before = Some(current);
        resource.operation.clear();
        resource.progress = Progress::Done;
        work.tell(&mut resource, "UPDATE_COMPLETE", None);
        return Step::Done;
    }
    Step::Task(Box::pin(restore(work.clone(), resource)))
}

async fn restore(work: Arc<Work>, mut resource: Resource) -> bool {
    let (Some(before), Some(current), Some((handler, site))) =
        (resource.before.clone(), resource.current.clone(), work.at(&resource))
    else {
        return false;
    };
    work.announce(&mut resource, "UPDATE_IN_PROGRESS", None);
    if let Err(failure) = handler.update(&site, &before.id, &current.properties, &before.properties).await {
        work.tell(&mut resource, "UPDATE_FAILED", Some(failure.reason(&site.token)));
        return false;
    }
    resource.current = Some(before);
    resource.before = None;
    work.tell(&mut resource, "UPDATE_COMPLETE", None);
    true
}

/// The logical ids whose rollback failed: those that a continued rollback may skip.
pub fn stuck(resources: &std::collections::BTreeMap<String, Resource>) -> BTreeSet<String> {
    resources.values().filter(|r| r.status == "UPDATE_FAILED").map(|r| r.logical_id.clone()).collect()
}
