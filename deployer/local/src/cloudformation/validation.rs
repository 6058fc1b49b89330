//! Early validation: what is found wrong with a change set before anything is made. AWS does it since November 2025.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::records::{Operation, Phase, Stack, Wanted, now};
use super::resources::{Handler, Site};
use crate::{Aws, Caller, ids};
use template::eval::LATER;

/// What was found, as `OperationEvents` of `DescribeEvents` has it, and which validations found it.
#[derive(Default)]
pub struct Findings {
    /// The events.
    pub events: Vec<Value>,
    hooks: BTreeSet<&'static str>,
}

impl Findings {
    /// Why the change set failed; none when nothing was found.
    pub fn reason(&self) -> Option<String> {
        let hooks: Vec<&str> = self.hooks.iter().copied().collect();
        (!hooks.is_empty()).then(|| {
            format!(
                "The following hook(s)/validation failed: [{}]. To troubleshoot Early Validation errors, use the \
                 DescribeEvents API for detailed failure information.",
                hooks.join(", ")
            )
        })
    }

    fn add(&mut self, validation: &Validation, found: &Found<'_>) {
        self.hooks.insert(validation.hook);
        let time = now();
        self.events.push(json!({
            "EventId": ids::uuid(),
            "StackId": found.stack,
            "OperationId": found.operation,
            "OperationType": "CREATE_CHANGESET",
            "EventType": "VALIDATION_ERROR",
            "LogicalResourceId": found.resource,
            "PhysicalResourceId": found.physical,
            "ResourceType": found.kind,
            "Timestamp": time,
            "ValidationFailureMode": "FAIL",
            "ValidationName": validation.name,
            "ValidationStatus": "FAILED",
            "ValidationStatusReason": found.reason,
            "ValidationPath": found.path,
        }));
    }
}

struct Validation {
    hook: &'static str,
    name: &'static str,
}

const PROPERTIES: Validation =
    Validation { hook: "AWS::EarlyValidation::PropertyValidation", name: "PROPERTY_VALIDATION" };
const EXISTENCE: Validation =
    Validation { hook: "AWS::EarlyValidation::ResourceExistenceCheck", name: "NAME_CONFLICT_VALIDATION" };

struct Found<'a> {
    stack: &'a str,
    operation: &'a str,
    resource: &'a str,
    kind: &'a str,
    physical: String,
    path: String,
    reason: String,
}

/// Validates the changes of a change set: the properties of what it makes or modifies, and whether something of another
/// owner has the name of what it makes.
pub async fn validate(
    aws: &Arc<Aws>,
    caller: &Caller,
    stack: &Stack,
    wanted: &Wanted,
    changes: &[Value],
) -> Findings {
    let operation = ids::uuid();
    let mut findings = Findings::default();
    for change in changes {
        let text = |member: &str| change[member].as_str().unwrap_or_default();
        let (resource, kind) = (text("LogicalResourceId"), text("ResourceType"));
        let Some(handler) = aws.cloudformation.types().get(kind) else { continue };
        let context: Option<Value> = serde_json::from_str(text("AfterContext")).ok();
        let Some(properties) = context.map(|mut context| context["Properties"].take()) else { continue };
        let found = |physical: &str, path: String, reason: String| Found {
            stack: &stack.id,
            operation: &operation,
            resource,
            kind,
            physical: physical.to_owned(),
            path,
            reason,
        };
        let violations = handler.schema().violations(&properties);
        for violation in &violations {
            let (path, message) = split(violation);
            let path = format!("/Resources/{resource}/Properties{path}");
            findings.add(&PROPERTIES, &found(text("PhysicalResourceId"), path, message));
        }
        if text("Action") == "Add" && violations.is_empty() {
            let site = Site {
                aws: aws.clone(),
                caller: Operation::new(Phase::Create, None, caller).acts_as(wanted),
                stack_id: stack.id.clone(),
                stack_name: stack.name.clone(),
                logical_id: resource.to_owned(),
                generation: operation.clone(),
                token: operation.clone(),
                tags: wanted.tags.clone(),
                stale: Vec::new(),
            };
            if let Some(id) = taken(&**handler, &site, &properties).await {
                let reason = format!("Resource of type '{kind}' with identifier '{id}' already exists.");
                let path = format!("/Resources/{resource}");
                findings.add(&EXISTENCE, &found(&id, path, reason));
            }
        }
    }
    findings
}

/// The name that a resource is to have, if something has it already. A caller who may not look is not told: creation
/// fails then.
async fn taken(handler: &dyn Handler, site: &Site, properties: &Value) -> Option<String> {
    let given = properties.get(handler.schema().named?)?.as_str()?;
    if given.contains(LATER) {
        return None;
    }
    let id = handler.candidate(site, properties);
    let there = handler.read(site, &id, properties).await;
    there.is_ok_and(|there| there.is_some()).then_some(id)
}

/// The path and the message of a violation. A missing property has words of its own here.
fn split(violation: &str) -> (&str, String) {
    let (path, message) = violation.split_once(": ").unwrap_or(("#", violation));
    let missing = message.strip_prefix("required key ");
    let message = missing.map_or_else(|| message.to_owned(), |rest| format!("Required property {rest}"));
    (path.trim_start_matches('#'), message)
}
