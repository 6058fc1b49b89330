//! Stacks and change sets: AWS CloudFormation over the other services of the endpoint.
//!
//! `api` reads requests and answers from the `records`; `template` is the language; `diff` tells what a change
//! set would change; `operation` carries changes out in the background, through the `resources`. Every step is in the
//! records before the next begins, so that [`CloudFormation::start`] takes up whatever a kill left unfinished.

mod api;
mod diff;
mod drift;
mod error;
mod ledger;
mod operation;
mod records;
mod resources;
#[cfg(test)]
mod tests;
mod validation;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinHandle;

use crate::api::{Entry, Protocol};
use crate::{Aws, Service};
use resources::Registry;

pub use api::STACK_NAME;

/// Stacks and change sets.
pub struct CloudFormation {
    types: Registry,
    running: Mutex<HashMap<String, JoinHandle<()>>>,
}

pub(crate) static ENTRY: Entry = Entry {
    start: |aws| Box::pin(aws.cloudformation.start(aws)),
    stop: |aws| Box::pin(aws.cloudformation.stop(aws)),
    ..Entry::new(
        Service::CloudFormation,
        "cloudformation",
        Protocol::Query("http://cloudformation.amazonaws.com/doc/2010-05-15/"),
        |aws, caller, operation, input| Box::pin(api::call(aws, caller, operation, input)),
    )
};

impl CloudFormation {
    /// The service, with nothing under way.
    #[must_use]
    pub fn open() -> Self {
        Self::with(Registry::standard())
    }

    fn with(types: Registry) -> Self {
        Self { types, running: Mutex::default() }
    }

    /// Takes up what an earlier process left unfinished.
    pub async fn start(&self, aws: &Arc<Aws>) {
        for stack in ledger::all(&aws.store).into_iter().filter(|stack| stack.operation.is_some()) {
            self.drive(aws, &stack.uuid);
        }
    }

    /// Lets what runs come to its end.
    pub async fn stop(&self, _aws: &Arc<Aws>) {
        loop {
            let running: Vec<_> = self.handles().drain().collect();
            if running.is_empty() {
                return;
            }
            for (_, handle) in running {
                // A panic was the operation's own: its stack is taken up at the next start.
                let _ = handle.await;
            }
        }
    }

    /// The resource types.
    fn types(&self) -> &Registry {
        &self.types
    }

    /// Carries on a stack's operation in the background.
    fn drive(&self, aws: &Arc<Aws>, uuid: &str) {
        let mut running = self.handles();
        running.retain(|_, handle| !handle.is_finished());
        let former = running.remove(uuid);
        let (aws, of) = (aws.clone(), uuid.to_owned());
        let task = async move {
            // The former operation has ended in the records; its task may still be on its way out.
            if let Some(former) = former {
                let _ = former.await;
            }
            operation::run(aws, of).await;
        };
        running.insert(uuid.to_owned(), tokio::spawn(task));
    }

    fn handles(&self) -> std::sync::MutexGuard<'_, HashMap<String, JoinHandle<()>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
