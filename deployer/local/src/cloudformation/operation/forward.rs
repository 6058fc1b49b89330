//! Creation and update: brings every resource of the template to what it says, then evaluates the outputs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Map, Value};

use super::plan::{Plan, exported};
use super::walk::{Step, walk};
use super::work::{Live, Work};
use super::{advance, failed, finish};
use crate::Aws;
use crate::cloudformation::drift::{self, Drift};
use crate::cloudformation::ledger;
use crate::cloudformation::records::{
    Incarnation, OnFailure, Operation, Output, Phase, Progress, Resource, Stack, now,
};
use crate::cloudformation::resources::schema::Schema;
use crate::cloudformation::resources::{Handler, Site};

/// Runs the phase.
pub async fn run(aws: &Arc<Aws>, stack: &Stack, operation: &Operation) {
    let plan = match Plan::new(aws.cloudformation.types(), stack, &stack.wanted) {
        Ok(plan) => plan,
        // It was checked when the operation was asked for.
        Err(message) => return conclude(aws, stack, &BTreeSet::new(), Err(message), BTreeSet::new()),
    };
    let work = Work::open(aws, stack, operation);
    let halted = |failures: &BTreeSet<String>| {
        let halted = !failures.is_empty() || work.interrupted();
        if halted && operation.on_failure != OnFailure::DoNothing {
            work.cancelled.store(true, Ordering::Relaxed);
        }
        halted
    };
    let failures = walk(plan.graph.clone(), halted, |name| step(&work, &plan, name)).await;
    let live = Live::new(&aws.store, work.resources());
    let outputs = if failures.is_empty() && !work.interrupted() {
        outputs(&plan, &live, aws, stack)
    } else {
        Ok(Vec::new())
    };
    // Imports are known from all properties, also those that had nothing to be done for.
    for name in plan.graph.keys() {
        let _ = plan.properties(name, &live);
    }
    conclude(aws, stack, &failures, outputs, live.imported());
}

fn outputs(plan: &Plan, live: &Live<'_>, aws: &Aws, stack: &Stack) -> Result<Vec<Output>, String> {
    let outputs = plan.outputs(live)?;
    let others = exported(&aws.store);
    let mut mine = BTreeSet::new();
    for export in outputs.iter().filter_map(|o| o.export.as_ref()) {
        if let Some((other, _)) = others.get(export).filter(|(other, _)| other.uuid != stack.uuid) {
            return Err(format!("Export with name {export} is already exported by stack {}.", other.name));
        }
        if !mine.insert(export) {
            return Err(format!("Duplicate Export names: [{export}]"));
        }
    }
    for export in stack.outputs.iter().filter_map(|o| o.export.as_ref()).filter(|e| !mine.contains(e)) {
        let users = importers(aws, export);
        if !users.is_empty() {
            return Err(format!("Export {export} cannot be deleted as it is in use by {}", users.join(", ")));
        }
    }
    Ok(outputs)
}

/// The stacks that import an export.
pub fn importers(aws: &Aws, export: &str) -> Vec<String> {
    let stacks = ledger::all(&aws.store).into_iter();
    stacks.filter(|s| s.status != "DELETE_COMPLETE" && s.imports.contains(export)).map(|s| s.name).collect()
}

/// Takes the stack to what comes after all has been done, or something has failed.
fn conclude(
    aws: &Aws,
    stack: &Stack,
    failures: &BTreeSet<String>,
    outputs: Result<Vec<Output>, String>,
    imports: BTreeSet<String>,
) {
    let (created, updated): (Vec<String>, Vec<String>) = {
        let resources = ledger::resources(&aws.store, &stack.uuid);
        failures
            .iter()
            .cloned()
            .partition(|name| resources.get(name).is_none_or(|r| r.status == "CREATE_FAILED"))
    };
    let mut reason = String::new();
    for (verb, names) in [("create", created), ("update", updated)] {
        if !names.is_empty() {
            reason.push_str(&failed(verb, &names));
        }
    }
    ledger::edit(&aws.store, &stack.uuid, |stack, records| {
        let Some(operation) = stack.operation.clone() else { return };
        let creating = operation.phase == Phase::Create;
        match (outputs, operation.interrupted) {
            (Ok(outputs), false) if failures.is_empty() => {
                stack.outputs = outputs;
                stack.imports = imports;
                if creating {
                    finish(records, stack, "CREATE_COMPLETE", None, true);
                } else {
                    ledger::status(records, stack, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", None);
                    advance(stack, Phase::UpdateCleanup);
                }
                return;
            }
            (Err(message), _) => reason = message,
            _ => {}
        }
        match (operation.interrupted, creating, operation.on_failure) {
            (true, ..) => advance(stack, Phase::Delete),
            (false, true, OnFailure::DoNothing) => {
                finish(records, stack, "CREATE_FAILED", Some(reason), false)
            }
            (false, false, OnFailure::DoNothing) => {
                finish(records, stack, "UPDATE_FAILED", Some(reason), false)
            }
            (false, true, OnFailure::Delete) => {
                stack.deleted = Some(now());
                let reason = format!("{reason}Delete requested by user.");
                ledger::status(records, stack, "DELETE_IN_PROGRESS", Some(reason));
                advance(stack, Phase::Delete);
            }
            (false, true, OnFailure::Rollback) => {
                let reason = format!("{reason}Rollback requested by user.");
                ledger::status(records, stack, "ROLLBACK_IN_PROGRESS", Some(reason));
                advance(stack, Phase::CreateRollback);
            }
            (false, false, _) => {
                ledger::status(records, stack, "UPDATE_ROLLBACK_IN_PROGRESS", Some(reason));
                advance(stack, Phase::UpdateRollback);
            }
        }
    });
}

/// What there is to do for a resource: it is evaluated here, when those it depends on exist, and worked on in a task.
fn step(work: &Arc<Work>, plan: &Plan, name: &str) -> Step {
    let record = work.resource(name).filter(|r| r.status != "DELETE_COMPLETE");
    let mine = record.as_ref().is_some_and(|r| r.operation == work.operation.id);
    match record.as_ref().map(|r| r.progress) {
        Some(Progress::Done) if mine => return Step::Done,
        Some(Progress::Failed) if mine => return Step::Failed,
        _ => {}
    }
    let Some(declared) = plan.template.resources.get(name).cloned() else { return Step::Done };
    let live = Live::new(&work.aws.store, work.resources());
    let mut properties = plan.properties(name, &live);
    let metadata = match plan.metadata(name, &live) {
        Ok(metadata) => metadata,
        Err(message) => {
            properties = Err(message);
            None
        }
    };
    let facts = |resource: &mut Resource| {
        resource.dependencies = plan.graph.get(name).cloned().unwrap_or_default();
        resource.deletion_policy.clone_from(&declared.deletion_policy);
        resource.replace_policy.clone_from(&declared.replace_policy);
        resource.metadata = metadata;
    };
    let mut resource = match record {
        Some(record) => record,
        None => blank(name, &declared, &work.operation),
    };
    facts(&mut resource);
    let task = Task { work: work.clone(), resumed: mine, resource };
    Step::Task(Box::pin(task.run(properties)))
}

fn blank(name: &str, declared: &template::Resource, operation: &Operation) -> Resource {
    Resource {
        logical_id: name.to_owned(),
        kind: declared.kind.clone(),
        status: "CREATE_IN_PROGRESS".to_owned(),
        status_reason: None,
        updated: now(),
        physical_id: None,
        current: None,
        before: None,
        operation: operation.id.clone(),
        progress: Progress::Begun,
        dependencies: BTreeSet::new(),
        deletion_policy: None,
        replace_policy: None,
        metadata: None,
    }
}

/// The work on one resource.
struct Task {
    work: Arc<Work>,
    /// Whether an earlier process of the same operation has begun it.
    resumed: bool,
    resource: Resource,
}

impl Task {
    async fn run(mut self, properties: Result<Value, String>) -> bool {
        let Some((handler, site)) = self.work.at(&self.resource) else { return false };
        let creating = self.resource.current.as_ref().is_none_or(|c| !c.exists)
            && self.resource.before.is_none()
            && (self.resumed || self.resource.current.is_none());
        self.resource.operation.clone_from(&self.work.operation.id);
        self.resource.progress = Progress::Begun;
        let verb = if creating { "CREATE" } else { "UPDATE" };
        if creating && !self.resumed {
            self.work.announce(&mut self.resource, "CREATE_IN_PROGRESS", None);
        }
        let checked = properties.and_then(|p| handler.schema().check(&self.resource.logical_id, &p));
        let properties = match checked {
            Ok(properties) => properties,
            Err(message) => {
                if !creating {
                    self.work.announce(&mut self.resource, "UPDATE_IN_PROGRESS", None);
                }
                return self.fail(verb, message);
            }
        };
        if creating {
            self.create(&*handler, &site, properties, None, "CREATE").await
        } else {
            self.update(&*handler, &site, properties).await
        }
    }

    async fn update(mut self, handler: &dyn Handler, site: &Site, properties: Value) -> bool {
        // Taken up again: `before` says what was being left, and its id whether by replacement.
        let (before, after) = match (self.resource.before.clone(), self.resource.current.clone()) {
            (Some(before), Some(current)) => (before, Some(current)),
            (None, Some(current)) => (current, None),
            _ => return self.fail("UPDATE", "The resource does not exist".to_owned()),
        };
        let schema = handler.schema();
        let differing = Schema::differing(&before.properties, &properties);
        let retagged = schema.taggable && before.tags != site.tags;
        // Taken up again, what is there is the change itself, half made.
        let drift = if self.work.operation.revert && after.is_none() {
            drift::of(handler, site, &before).await
        } else {
            None
        };
        if drift.as_ref().is_some_and(Drift::is_deleted) {
            self.work.announce(&mut self.resource, "CREATE_IN_PROGRESS", None);
            return self.create(handler, site, properties, None, "CREATE").await;
        }
        let reverted = drift.as_ref().is_some_and(Drift::is_drifted);
        if differing.is_empty() && !retagged && !reverted {
            self.resource.progress = Progress::Done;
            self.work.keep(&self.resource);
            return true;
        }
        if schema.replaces(&differing) {
            if after.is_none() {
                let reason =
                    "Requested update requires the creation of a new physical resource; hence creating one.";
                self.work.announce(&mut self.resource, "UPDATE_IN_PROGRESS", Some(reason.to_owned()));
            }
            if schema.named.is_some() && handler.candidate(site, &properties) == before.id {
                let name = schema.named.and_then(|n| properties.get(n)).and_then(Value::as_str);
                return self.fail(
                    "UPDATE",
                    format!(
                        "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename \
                         {} and update the stack again.",
                        name.unwrap_or(&before.id)
                    ),
                );
            }
            return self.create(handler, site, properties, Some(before), "UPDATE").await;
        }
        if after.is_none() {
            self.work.announce(&mut self.resource, "UPDATE_IN_PROGRESS", None);
        }
        let current =
            Incarnation { properties: properties.clone(), tags: site.tags.clone(), ..before.clone() };
        let id = current.id.clone();
        self.resource.before = Some(before.clone());
        self.resource.current = Some(current);
        self.work.keep(&self.resource);
        // What somebody added is taken away only if the handler knows of it.
        let mut former = before.properties.clone();
        if let (Some(former), Some(actual)) =
            (former.as_object_mut(), drift.as_ref().and_then(|drift| drift.actual.as_object()))
        {
            former.extend(actual.clone());
        }
        if let Err(failure) = handler.update(site, &id, &former, &properties).await {
            return self.fail("UPDATE", failure.reason(&site.token));
        }
        self.complete(handler, site, &id, &properties, "UPDATE").await
    }

    /// Makes the resource, or the one that takes the place of `before`.
    async fn create(
        mut self,
        handler: &dyn Handler,
        site: &Site,
        properties: Value,
        before: Option<Incarnation>,
        verb: &str,
    ) -> bool {
        let id = handler.candidate(site, &properties);
        let begun = self.resumed && self.resource.current.as_ref().is_some_and(|c| !c.exists && c.id == id);
        match handler.read(site, &id, &properties).await {
            // What the earlier process began may be half made.
            Ok(Some(_)) if begun => {
                if let Err(failure) = handler.delete(site, &id, &properties).await {
                    return self.fail(verb, failure.reason(&site.token));
                }
            }
            Ok(Some(_)) => {
                let kind = &self.resource.kind;
                let reason = format!("Resource of type '{kind}' with identifier '{id}' already exists.");
                let reason =
                    format!("{reason} (RequestToken: {}, HandlerErrorCode: AlreadyExists)", site.token);
                return self.fail(verb, reason);
            }
            Ok(None) => {}
            // Who may create need not be allowed to look.
            Err(failure) if failure.code == "AccessDenied" => {}
            Err(failure) => return self.fail(verb, failure.reason(&site.token)),
        }
        self.resource.before.clone_from(&before);
        self.resource.current = Some(Incarnation {
            id: id.clone(),
            properties: properties.clone(),
            tags: site.tags.clone(),
            attributes: Map::new(),
            exists: false,
        });
        let status = format!("{verb}_IN_PROGRESS");
        self.work.tell(&mut self.resource, &status, Some("Resource creation Initiated".to_owned()));
        let id = match handler.create(site, &id, &properties).await {
            Ok(id) => id,
            Err(failure) => {
                if failure.code == "AlreadyExists" && !begun {
                    // It is somebody else's: nothing of ours to be deleted.
                    self.resource.current = before;
                    self.resource.before = None;
                }
                return self.fail(verb, failure.reason(&site.token));
            }
        };
        if let Some(current) = &mut self.resource.current {
            current.id.clone_from(&id);
        }
        self.complete(handler, site, &id, &properties, verb).await
    }

    /// The handler has done its part: learns the attributes and tells of the end.
    async fn complete(
        mut self,
        handler: &dyn Handler,
        site: &Site,
        id: &str,
        properties: &Value,
        verb: &str,
    ) -> bool {
        let read = handler.read(site, id, properties).await;
        let Some(current) = &mut self.resource.current else { return false };
        current.exists = true;
        match read {
            Ok(Some(attributes)) => current.attributes = attributes,
            Ok(None) => return self.fail(verb, "The resource vanished while it was being made".to_owned()),
            Err(failure) => return self.fail(verb, failure.reason(&site.token)),
        }
        if self.work.is_cancelled() {
            let what = if verb == "CREATE" { "creation" } else { "update" };
            return self.fail(verb, format!("Resource {what} cancelled"));
        }
        self.resource.progress = Progress::Done;
        self.work.forget_drift(&self.resource.logical_id);
        self.work.tell(&mut self.resource, &format!("{verb}_COMPLETE"), None);
        true
    }

    fn fail(mut self, verb: &str, reason: String) -> bool {
        self.resource.progress = Progress::Failed;
        self.work.tell(&mut self.resource, &format!("{verb}_FAILED"), Some(reason));
        false
    }
}
