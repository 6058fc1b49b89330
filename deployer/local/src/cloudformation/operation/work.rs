//! What the steps of an operation share: whose it is, the records as they are now, and how a step is told of.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::plan::exported;
use crate::cloudformation::ledger;
use crate::cloudformation::records::{Operation, Resource, Stack, kind, now};
use crate::cloudformation::resources::{Handler, Site};
use crate::store::{Records, Store};
use crate::{Aws, Caller};
use template::eval::Lookup;

/// An operation at work.
pub struct Work {
    /// The services.
    pub aws: Arc<Aws>,
    /// The stack as it was when the phase began.
    pub stack: Stack,
    /// The operation.
    pub operation: Operation,
    /// Set when what is still being made is not wanted any more.
    pub cancelled: AtomicBool,
    resources: Mutex<BTreeMap<String, Resource>>,
    caller: Caller,
    stale_tags: Vec<String>,
}

impl Work {
    /// Opens the records for a phase of an operation.
    pub fn open(aws: &Arc<Aws>, stack: &Stack, operation: &Operation) -> Arc<Self> {
        let before = operation.before.iter().flat_map(|b| b.tags.keys());
        Arc::new(Self {
            resources: Mutex::new(ledger::resources(&aws.store, &stack.uuid)),
            stale_tags: before.filter(|key| !stack.wanted.tags.contains_key(*key)).cloned().collect(),
            aws: aws.clone(),
            stack: stack.clone(),
            operation: operation.clone(),
            cancelled: AtomicBool::new(false),
            caller: operation.acts_as(&stack.wanted),
        })
    }

    /// All resources as they are now.
    pub fn resources(&self) -> BTreeMap<String, Resource> {
        self.resources.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A resource as it is now.
    pub fn resource(&self, name: &str) -> Option<Resource> {
        self.resources.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Keeps a resource without telling of it.
    pub fn keep(&self, resource: &Resource) {
        self.aws.store.transaction(|records| self.write(records, resource, false));
    }

    /// Gives a resource a status, keeps it and tells of it.
    pub fn tell(&self, resource: &mut Resource, status: &str, reason: Option<String>) {
        set_status(resource, status, reason);
        self.aws.store.transaction(|records| self.write(records, resource, true));
    }

    /// The same for what is told before anything is done: a kill may lose it, then it is told again.
    pub fn announce(&self, resource: &mut Resource, status: &str, reason: Option<String>) {
        set_status(resource, status, reason);
        self.aws.store.transaction_soon(|records| self.write(records, resource, true));
    }

    fn write(&self, records: &mut Records<'_>, resource: &Resource, tell: bool) {
        ledger::resource(records, &self.stack.uuid, resource, self.operation.token.as_deref(), tell);
        let mut resources = self.resources.lock().unwrap_or_else(PoisonError::into_inner);
        resources.insert(resource.logical_id.clone(), resource.clone());
    }

    /// Tells of a resource as it is given, without keeping it.
    pub fn only_tell(&self, resource: &Resource) {
        let token = self.operation.token.as_deref();
        self.aws
            .store
            .transaction(|records| ledger::resource_event(records, &self.stack.uuid, resource, token));
    }

    /// Removes a resource's record.
    pub fn forget(&self, name: &str) {
        self.aws.store.delete(kind::RESOURCE, &format!("{}/{name}", self.stack.uuid));
        self.resources.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// What was known of a resource's drift holds no more once it was changed.
    pub fn forget_drift(&self, name: &str) {
        self.aws.store.delete(kind::DRIFT, &format!("{}/{name}", self.stack.uuid));
    }

    /// The handler of a type, and the place it works at.
    pub fn at(&self, resource: &Resource) -> Option<(Arc<dyn Handler>, Site)> {
        let handler = self.aws.cloudformation.types().get(&resource.kind)?.clone();
        let site = Site {
            aws: self.aws.clone(),
            caller: self.caller.clone(),
            stack_id: self.stack.id.clone(),
            stack_name: self.stack.name.clone(),
            logical_id: resource.logical_id.clone(),
            generation: self.operation.id.clone(),
            token: self.operation.id.clone(),
            tags: self.stack.wanted.tags.clone(),
            stale: self.stale_tags.clone(),
        };
        Some((handler, site))
    }

    /// Whether the operation is to end early.
    pub fn interrupted(&self) -> bool {
        let stack = self.aws.store.get::<Stack>(kind::STACK, &self.stack.uuid);
        stack.and_then(|s| s.operation).is_some_and(|o| o.interrupted)
    }

    /// Whether what is being made is not wanted any more.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

fn set_status(resource: &mut Resource, status: &str, reason: Option<String>) {
    status.clone_into(&mut resource.status);
    resource.status_reason = reason;
    resource.updated = now();
    if let Some(current) = &resource.current {
        resource.physical_id = Some(current.id.clone());
    }
}

/// The resources that exist, and other stacks' exports, for evaluation.
pub struct Live<'a> {
    store: &'a Store,
    resources: BTreeMap<String, Resource>,
    imported: RefCell<BTreeSet<String>>,
}

impl<'a> Live<'a> {
    /// Over the resources as they are now.
    #[must_use]
    pub fn new(store: &'a Store, resources: BTreeMap<String, Resource>) -> Self {
        Self { store, resources, imported: RefCell::default() }
    }

    /// The names of exports that were asked for.
    #[must_use]
    pub fn imported(self) -> BTreeSet<String> {
        self.imported.into_inner()
    }
}

impl Lookup for Live<'_> {
    fn reference(&self, resource: &str) -> Result<Value, String> {
        let current = self.resources.get(resource).and_then(|r| r.current.as_ref());
        current
            .map(|c| Value::from(c.id.clone()))
            .ok_or_else(|| format!("Template error: the resource {resource} does not exist yet"))
    }

    fn attribute(&self, resource: &str, attribute: &str) -> Result<Value, String> {
        let current = self.resources.get(resource).and_then(|r| r.current.as_ref());
        current.and_then(|c| c.attributes.get(attribute)).cloned().ok_or_else(|| {
            format!("Template error: resource {resource} does not have the attribute {attribute}")
        })
    }

    fn import(&self, name: &str) -> Result<Value, String> {
        self.imported.borrow_mut().insert(name.to_owned());
        exported(self.store)
            .remove(name)
            .map(|(_, value)| value.into())
            .ok_or_else(|| format!("No export named {name} found."))
    }
}
