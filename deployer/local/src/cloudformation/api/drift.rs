//! Drift: detecting it, following a detection, and what was found.

use std::sync::Arc;

use serde_json::{Value, json};

use super::answers::{object, page};
use super::input;
use crate::cloudformation::drift::{self, Detection, Drift};
use crate::cloudformation::error::invalid;
use crate::cloudformation::ledger;
use crate::cloudformation::records::{Stack, kind};
use crate::params::Params;
use crate::{Aws, Caller, Result};

/// The statuses in which a stack's drift can be detected.
const DETECTABLE: [&str; 4] =
    ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED"];

const STATUSES: [&str; 6] = ["IN_SYNC", "MODIFIED", "DELETED", "NOT_CHECKED", "UNKNOWN", "UNSUPPORTED"];

/// The stack that is asked about, in a state that allows it and while nobody else asks.
fn target(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Stack> {
    let stack = input::stack(aws, params)?;
    // CloudFormation asks for each resource, too.
    aws.iam.authorize(aws, caller, "cloudformation:DetectStackResourceDrift", &stack.id)?;
    if !DETECTABLE.contains(&stack.status.as_str()) {
        return Err(invalid(format!(
            "Drift detection cannot be performed on stack [{}] while it is in the state {}",
            stack.id, stack.status
        )));
    }
    if drift::detections(aws, &stack).iter().any(|detection| drift::is_under_way(aws, detection)) {
        return Err(invalid(format!("Drift detection is already in progress for stack [{}].", stack.id)));
    }
    Ok(stack)
}

/// `DetectStackDrift`.
pub fn detect(aws: &Arc<Aws>, caller: &Caller, params: Params<'_>) -> Result<Value> {
    let stack = target(aws, caller, params)?;
    let only: Vec<String> = params.texts("LogicalResourceIds")?.into_iter().map(str::to_owned).collect();
    let resources = ledger::resources(&aws.store, &stack.uuid);
    if let Some(unknown) = only.iter().find(|name| !resources.contains_key(*name)) {
        return Err(invalid(format!("Resource {unknown} does not exist for stack {}", stack.name)));
    }
    let detection = drift::begin(aws, caller, stack, only);
    Ok(json!({"StackDriftDetectionId": detection.id}))
}

/// `DescribeStackDriftDetectionStatus`.
pub fn status(aws: &Aws, params: Params<'_>) -> Result<Value> {
    let id = params.text("StackDriftDetectionId")?;
    let all = aws.store.list::<Detection>(kind::DETECTION);
    let found = all.into_iter().find(|(_, detection)| detection.id == id);
    let Some((_, mut detection)) = found else {
        return Err(invalid(format!("Drift detection with id [{id}] does not exist")));
    };
    if detection.status == "DETECTION_IN_PROGRESS" && !drift::is_under_way(aws, &detection) {
        // It may have ended between the two looks.
        let key = format!("{}/{id}", detection.stack_id.rsplit('/').next().unwrap_or_default());
        if let Some(ended) = aws.store.get::<Detection>(kind::DETECTION, &key) {
            detection = ended;
        }
        if detection.status == "DETECTION_IN_PROGRESS" {
            "DETECTION_FAILED".clone_into(&mut detection.status);
            detection.reason = Some("Internal failure".to_owned());
        }
    }
    Ok(object(json!({
        "StackId": detection.stack_id,
        "StackDriftDetectionId": detection.id,
        "StackDriftStatus": detection.stack_status,
        "DetectionStatus": detection.status,
        "DetectionStatusReason": detection.reason,
        "DriftedStackResourceCount": detection.drifted,
        "Timestamp": detection.time,
    })))
}

/// `DescribeStackResourceDrifts`.
pub fn drifts(aws: &Aws, params: Params<'_>) -> Result<Value> {
    let stack = input::stack(aws, params)?;
    let filters = params.texts("StackResourceDriftStatusFilters")?;
    if let Some(other) = filters.iter().find(|filter| !STATUSES.contains(filter)) {
        return Err(invalid(format!(
            "1 validation error detected: Value '[{other}]' at 'stackResourceDriftStatusFilters' failed to satisfy \
             constraint: Member must satisfy constraint: [Member must satisfy enum value set: [{}]]",
            STATUSES.join(", ")
        )));
    }
    let shown: Vec<Value> = drift::last(aws, &stack)
        .values()
        .filter(|drift| filters.is_empty() || filters.contains(&drift.status.as_str()))
        .map(|drift| described(&stack, drift))
        .collect();
    page(params, "StackResourceDrifts", &shown)
}

/// `DetectStackResourceDrift`.
pub async fn detect_one(aws: &Arc<Aws>, caller: &Caller, params: Params<'_>) -> Result<Value> {
    let stack = target(aws, caller, params)?;
    let name = params.text("LogicalResourceId")?.to_owned();
    let resources = ledger::resources(&aws.store, &stack.uuid);
    let Some(resource) = resources.get(&name) else {
        return Err(invalid(format!("Resource {name} does not exist for stack {}", stack.name)));
    };
    let found = drift::look(aws, caller, &stack, std::slice::from_ref(&name)).await;
    let Some(drift) = found.get(&name) else {
        return Err(invalid(format!("Drift detection is not supported for resource type {}", resource.kind)));
    };
    aws.store.put(kind::DRIFT, &format!("{}/{name}", stack.uuid), drift);
    Ok(json!({"StackResourceDrift": described(&stack, drift)}))
}

fn described(stack: &Stack, drift: &Drift) -> Value {
    let compared = ["IN_SYNC", "MODIFIED"].contains(&drift.status.as_str());
    let text = |value: &Value| compared.then(|| value.to_string());
    object(json!({
        "StackId": stack.id,
        "LogicalResourceId": drift.logical_id,
        "PhysicalResourceId": drift.physical_id,
        "ResourceType": drift.kind,
        "ExpectedProperties": text(&drift.expected),
        "ActualProperties": text(&drift.actual),
        "PropertyDifferences": drift.differences,
        "StackResourceDriftStatus": drift.status,
        "DriftStatusReason": drift.reason,
        "Timestamp": drift.time,
    }))
}

/// `DriftInformation` of a stack: what its last detection said.
pub fn of_stack(aws: &Aws, stack: &Stack) -> Value {
    let last = drift::detections(aws, stack).into_iter().find(|detection| detection.stack_status.is_some());
    match last {
        Some(last) => json!({"StackDriftStatus": last.stack_status, "LastCheckTimestamp": last.time}),
        None => json!({"StackDriftStatus": "NOT_CHECKED"}),
    }
}

/// `DriftInformation` of a resource.
pub fn of_resource(aws: &Aws, stack: &Stack, logical_id: &str) -> Value {
    match drift::last(aws, stack).get(logical_id) {
        Some(last) => json!({"StackResourceDriftStatus": last.status, "LastCheckTimestamp": last.time}),
        None => json!({"StackResourceDriftStatus": "NOT_CHECKED"}),
    }
}
