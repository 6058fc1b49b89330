//! Operations on stacks: a creation, update or deletion walks through phases until the stack is at rest. Each phase
//! reads from the records what is left to be done, so an operation found at the start of the endpoint simply goes on.

mod backward;
mod forward;
mod plan;
mod removal;
mod walk;
mod work;

use std::sync::Arc;

pub use backward::stuck;
pub use plan::{Plan, exported};
pub use work::Live;

use super::ledger;
use super::records::{ChangeSet, Operation, Phase, Stack, kind};
use crate::Aws;
use crate::store::Records;

/// Brings a stack's operation to its end.
pub async fn run(aws: Arc<Aws>, uuid: String) {
    while let Some(stack) = aws.store.get::<Stack>(kind::STACK, &uuid) {
        let Some(operation) = &stack.operation else { return };
        match operation.phase {
            Phase::Create | Phase::Update => forward::run(&aws, &stack, operation).await,
            Phase::UpdateRollback => backward::run(&aws, &stack, operation).await,
            Phase::UpdateCleanup | Phase::UpdateRollbackCleanup => {
                removal::clean_up(&aws, &stack, operation).await;
            }
            Phase::CreateRollback | Phase::Delete => removal::all(&aws, &stack, operation).await,
        }
    }
}

/// Ends a stack's operation with a status. `success` decides what becomes of the change set it came from.
fn finish(records: &mut Records<'_>, stack: &mut Stack, status: &str, reason: Option<String>, success: bool) {
    ledger::status(records, stack, status, reason);
    if let Some(operation) = stack.operation.take() {
        if let Some(key) = &operation.change_set {
            if let Some(mut set) = records.get::<ChangeSet>(kind::CHANGE_SET, key) {
                set.execution_status = if success { "EXECUTE_COMPLETE" } else { "EXECUTE_FAILED" }.to_owned();
                records.put(kind::CHANGE_SET, key, &set);
            }
            if success {
                // As on AWS: what was proposed for the stack as it was has no meaning any more.
                for (other, _) in records.range::<ChangeSet>(
                    kind::CHANGE_SET,
                    &format!("{}/", stack.uuid),
                    None,
                    usize::MAX,
                ) {
                    if other != *key {
                        records.delete(kind::CHANGE_SET, &other);
                    }
                }
            }
        }
        let resumable = matches!(status, "UPDATE_ROLLBACK_FAILED" | "UPDATE_FAILED" | "CREATE_FAILED");
        stack.suspended = resumable.then_some(operation);
    }
}

/// Takes an operation to its next phase.
fn advance(stack: &mut Stack, phase: Phase) {
    if let Some(Operation { phase: current, .. }) = &mut stack.operation {
        *current = phase;
    }
}

/// `The following resource(s) failed to …: [A, B]. `
fn failed(verb: &str, names: &[String]) -> String {
    format!("The following resource(s) failed to {verb}: [{}]. ", names.join(", "))
}
