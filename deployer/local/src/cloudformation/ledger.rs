//! Reading and changing the [`super::records`]. Whatever changes a status writes the event that tells of it in the same
//! transaction.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use super::records::{ChangeSet, Event, Resource, Stack, kind, written};
use crate::ids;
use crate::store::{Records, Store};

/// The type of a stack in its own events.
pub const STACK_TYPE: &str = "AWS::CloudFormation::Stack";

/// The stack with this name or ARN; by name only one that is not deleted.
pub fn find(store: &Store, name_or_id: &str) -> Option<Stack> {
    let uuid = if name_or_id.starts_with("arn:") {
        name_or_id.rsplit('/').next()?.to_owned()
    } else {
        store.get::<String>(kind::NAME, name_or_id)?
    };
    store
        .get::<Stack>(kind::STACK, &uuid)
        .filter(|stack| stack.id == name_or_id || !name_or_id.starts_with("arn:"))
}

/// All stacks, deleted ones included.
pub fn all(store: &Store) -> Vec<Stack> {
    store.list::<Stack>(kind::STACK).into_iter().map(|(_, stack)| stack).collect()
}

/// The stack's resources by logical id.
pub fn resources(store: &Store, uuid: &str) -> BTreeMap<String, Resource> {
    let records = store.list_prefix::<Resource>(kind::RESOURCE, &format!("{uuid}/"));
    records.into_iter().map(|(_, resource)| (resource.logical_id.clone(), resource)).collect()
}

/// The stack's resources by logical id, as a transaction sees them.
pub fn resources_in(records: &Records<'_>, uuid: &str) -> BTreeMap<String, Resource> {
    let all = records.range::<Resource>(kind::RESOURCE, &format!("{uuid}/"), None, usize::MAX);
    all.into_iter().map(|(_, resource)| (resource.logical_id.clone(), resource)).collect()
}

/// The stack's change sets, oldest first.
pub fn change_sets(store: &Store, uuid: &str) -> Vec<ChangeSet> {
    let records = store.list_prefix::<ChangeSet>(kind::CHANGE_SET, &format!("{uuid}/"));
    let mut all: Vec<ChangeSet> = records.into_iter().map(|(_, set)| set).collect();
    all.sort_by(|a, b| a.created.cmp(&b.created));
    all
}

/// The stack's events, newest first.
pub fn events(store: &Store, uuid: &str) -> Vec<Event> {
    let records = store.list_prefix::<Event>(kind::EVENT, &format!("{uuid}/"));
    records.into_iter().rev().map(|(_, event)| event).collect()
}

/// Changes a stack; nothing when there is none.
pub fn edit<R>(
    store: &Store,
    uuid: &str,
    change: impl FnOnce(&mut Stack, &mut Records<'_>) -> R,
) -> Option<R> {
    store.transaction(|records| {
        let mut stack = records.get::<Stack>(kind::STACK, uuid)?;
        let result = change(&mut stack, records);
        records.put(kind::STACK, uuid, &stack);
        Some(result)
    })
}

/// Gives a stack a status, and tells of it.
pub fn status(records: &mut Records<'_>, stack: &mut Stack, status: &str, reason: Option<String>) {
    status.clone_into(&mut stack.status);
    stack.status_reason.clone_from(&reason);
    let tick = tick();
    let event = Event {
        id: ids::uuid(),
        logical_id: stack.name.clone(),
        physical_id: stack.id.clone(),
        kind: STACK_TYPE.to_owned(),
        time: moment(tick),
        status: status.to_owned(),
        reason,
        properties: None,
        token: stack.operation.as_ref().and_then(|o| o.token.clone()),
    };
    add(records, &stack.uuid, tick, &event);
}

/// Keeps a resource's record, and tells of its status.
pub fn resource(records: &mut Records<'_>, uuid: &str, resource: &Resource, token: Option<&str>, tell: bool) {
    records.put(kind::RESOURCE, &format!("{uuid}/{}", resource.logical_id), resource);
    if tell {
        resource_event(records, uuid, resource, token);
    }
}

/// Tells of a resource's status.
pub fn resource_event(records: &mut Records<'_>, uuid: &str, resource: &Resource, token: Option<&str>) {
    let tick = tick();
    let time = moment(tick);
    let properties = resource.current.as_ref().map(|c| &c.properties).unwrap_or(&Value::Null);
    let event = Event {
        id: format!("{}-{}-{time}", resource.logical_id, resource.status),
        logical_id: resource.logical_id.clone(),
        physical_id: resource.physical_id.clone().unwrap_or_default(),
        kind: resource.kind.clone(),
        time,
        status: resource.status.clone(),
        reason: resource.status_reason.clone(),
        properties: properties.is_object().then(|| properties.to_string()),
        token: token.map(str::to_owned),
    };
    add(records, uuid, tick, &event);
}

fn add(records: &mut Records<'_>, uuid: &str, tick: u64, event: &Event) {
    records.put(kind::EVENT, &format!("{uuid}/{tick:020}"), event);
}

/// The time of an event in nanoseconds since the epoch, each at least a millisecond after the one before: clients sort events by
/// the milliseconds they are shown.
fn tick() -> u64 {
    const MILLISECOND: u64 = 1_000_000;
    static LAST: AtomicU64 = AtomicU64::new(0);
    let now = u64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(0);
    let next = |last: u64| now.max(last + MILLISECOND);
    let last = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)));
    next(last.unwrap_or_default())
}

fn moment(tick: u64) -> String {
    written(jiff::Timestamp::from_nanosecond(i128::from(tick)).unwrap_or_default())
}
