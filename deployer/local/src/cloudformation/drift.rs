//! Drift: what was changed outside CloudFormation. Each resource is read from its service and compared with the properties
//! that its template states; what the template leaves open is the service's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::ledger;
use super::records::{Incarnation, Operation, Phase, Stack, Time, kind, now};
use super::resources::schema::{Property, Shape};
use super::resources::{Actual, Handler, Site};
use crate::{Aws, Caller, ids};

/// Detections of a stack that are remembered; AWS says only that it forgets old ones.
const REMEMBERED: usize = 10;

/// The drift of one resource, as it was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// The resource's name in the template.
    pub logical_id: String,
    /// What it is compared as: its physical id.
    pub physical_id: String,
    /// Its type.
    pub kind: String,
    /// `IN_SYNC`, `MODIFIED`, `DELETED` or `UNKNOWN`.
    pub status: String,
    /// Why nobody can tell, for `UNKNOWN`.
    pub reason: Option<String>,
    /// The stated properties that can be read.
    pub expected: Value,
    /// The same as they are.
    pub actual: Value,
    /// As `PropertyDifference` of the API.
    pub differences: Vec<Value>,
    /// When it was looked at.
    pub time: Time,
}

impl Drift {
    /// Whether it is not as its template says.
    #[must_use]
    pub fn is_drifted(&self) -> bool {
        self.is_deleted() || self.status == "MODIFIED"
    }

    /// The names of the properties that differ.
    #[must_use]
    pub fn properties(&self) -> BTreeSet<String> {
        let paths = self.differences.iter().filter_map(|difference| difference["PropertyPath"].as_str());
        paths.filter_map(|path| path.split('/').nth(1)).map(str::to_owned).collect()
    }

    /// Whether it is not there.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.status == "DELETED"
    }
}

/// A detection of a stack's drift.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Detection {
    /// Its id.
    pub id: String,
    /// The stack's ARN.
    pub stack_id: String,
    /// `DETECTION_IN_PROGRESS`, `DETECTION_COMPLETE` or `DETECTION_FAILED`.
    pub status: String,
    /// Why it failed.
    pub reason: Option<String>,
    /// `DRIFTED`, `IN_SYNC` or `UNKNOWN`, once it is over.
    pub stack_status: Option<String>,
    /// Resources that have drifted, once it is complete.
    pub drifted: Option<usize>,
    /// When it began.
    pub time: Time,
}

impl Detection {
    /// A detection that begins.
    #[must_use]
    pub fn new(stack: &Stack) -> Self {
        Self {
            id: ids::uuid(),
            stack_id: stack.id.clone(),
            status: "DETECTION_IN_PROGRESS".to_owned(),
            reason: None,
            stack_status: None,
            drifted: None,
            time: now(),
        }
    }
}

/// Reads the stack's resources, those named only if any are, and says how they differ from what the stack was last brought
/// to. Types whose drift cannot be detected are left out.
pub async fn look(
    aws: &Arc<Aws>,
    caller: &Caller,
    stack: &Stack,
    only: &[String],
) -> BTreeMap<String, Drift> {
    let acts_as = Operation::new(Phase::Update, None, caller).acts_as(&stack.wanted);
    let mut found = BTreeMap::new();
    for (name, resource) in ledger::resources(&aws.store, &stack.uuid) {
        let named = only.is_empty() || only.contains(&name);
        let (Some(current), Some(handler)) =
            (&resource.current, aws.cloudformation.types().get(&resource.kind))
        else {
            continue;
        };
        if !named || !current.exists {
            continue;
        }
        let site = Site {
            aws: aws.clone(),
            caller: acts_as.clone(),
            stack_id: stack.id.clone(),
            stack_name: stack.name.clone(),
            logical_id: name.clone(),
            generation: String::new(),
            token: ids::uuid(),
            tags: current.tags.clone(),
            stale: Vec::new(),
        };
        if let Some(drift) = of(&**handler, &site, current).await {
            found.insert(name, drift);
        }
    }
    found
}

/// The drift of what a logical id stands for; none for a type whose drift cannot be detected.
pub async fn of(handler: &dyn Handler, site: &Site, current: &Incarnation) -> Option<Drift> {
    let schema = handler.schema();
    let mut drift = Drift {
        logical_id: site.logical_id.clone(),
        physical_id: current.id.clone(),
        kind: schema.kind.to_owned(),
        status: "IN_SYNC".to_owned(),
        reason: None,
        expected: Value::Null,
        actual: Value::Null,
        differences: Vec::new(),
        time: now(),
    };
    let expected = stated(&current.properties, schema.taggable, site);
    match handler.actual(site, &current.id, &expected).await {
        Ok(Actual::NotChecked) => return None,
        Ok(Actual::Deleted) => "DELETED".clone_into(&mut drift.status),
        Err(failure) => {
            "UNKNOWN".clone_into(&mut drift.status);
            drift.reason = Some(failure.message);
        }
        Ok(Actual::Has { properties, readable }) => {
            let members = |all: &Map<String, Value>| -> Map<String, Value> {
                let compared =
                    |name: &String| expected.get(name).is_some() && readable.contains(&name.as_str());
                all.iter().filter(|(name, _)| compared(name)).map(|(n, v)| (n.clone(), v.clone())).collect()
            };
            let expected = members(expected.as_object().unwrap_or(&Map::new()));
            let actual = members(&properties);
            for (name, value) in &expected {
                let shape = schema.property(name).map(|property| &property.shape);
                let path = format!("/{name}");
                compare(shape, &path, value, actual.get(name), &mut drift.differences);
            }
            if !drift.differences.is_empty() {
                "MODIFIED".clone_into(&mut drift.status);
            }
            drift.expected = expected.into();
            drift.actual = actual.into();
        }
    }
    Some(drift)
}

/// The properties that are stated, with the stack's tags among the tags.
fn stated(properties: &Value, taggable: bool, site: &Site) -> Value {
    let mut stated = properties.clone();
    let tags: Vec<Value> = site
        .tags(properties)
        .iter()
        .filter(|(key, _)| !key.starts_with("aws:"))
        .map(|(key, value)| json!({"Key": key, "Value": value}))
        .collect();
    if taggable && !tags.is_empty() {
        stated["Tags"] = tags.into();
    }
    stated
}

/// Adds the differences between a stated value and the actual one.
fn compare(
    shape: Option<&Shape>,
    path: &str,
    expected: &Value,
    actual: Option<&Value>,
    differences: &mut Vec<Value>,
) {
    let Some(actual) = actual else {
        // A service does not tell "nothing" from what is empty.
        if !is_empty(expected) {
            differences.push(difference(path, Some(expected), None));
        }
        return;
    };
    match (expected, actual) {
        (Value::Object(stated), Value::Object(there)) => {
            for (name, value) in stated {
                let member = shape.and_then(|shape| member(shape, name));
                compare(member, &format!("{path}/{name}"), value, there.get(name), differences);
            }
            // In a structure the others are the service's defaults, in a map or a document somebody added them.
            if matches!(shape, Some(Shape::Map | Shape::Document)) {
                for (name, value) in there.iter().filter(|(name, _)| !stated.contains_key(*name)) {
                    differences.push(difference(&format!("{path}/{name}"), None, Some(value)));
                }
            }
        }
        (Value::Array(stated), Value::Array(there)) => {
            let item = match shape {
                Some(Shape::List(item)) => Some(*item),
                other => other,
            };
            compare_lists(item, path, stated, there, differences);
        }
        _ if same_text(expected, actual) => {}
        _ => differences.push(difference(path, Some(expected), Some(actual))),
    }
}

/// Lists are compared whatever their order. Of those that are not the same, tags and statements with the same name, and then
/// those in the same order, are compared with each other.
fn compare_lists(
    shape: Option<&Shape>,
    path: &str,
    stated: &[Value],
    there: &[Value],
    differences: &mut Vec<Value>,
) {
    let same = |a: &Value, b: &Value| {
        let mut found = Vec::new();
        compare(shape, "", a, Some(b), &mut found);
        found.is_empty()
    };
    let mut others: Vec<(usize, &Value)> = there.iter().enumerate().collect();
    let mut open: Vec<(usize, &Value)> = Vec::new();
    for (index, value) in stated.iter().enumerate() {
        match others.iter().position(|(_, other)| same(value, other)) {
            Some(at) => drop(others.remove(at)),
            None => open.push((index, value)),
        }
    }
    for (index, value) in open {
        let path = format!("{path}/{index}");
        let name = |value: &Value| {
            ["Key", "Id", "Sid", "PolicyName"].iter().find_map(|name| value.get(*name).cloned())
        };
        let partner = match name(value) {
            Some(mine) => others.iter().position(|(_, other)| name(other).as_ref() == Some(&mine)),
            None => (!others.is_empty()).then_some(0),
        };
        match partner {
            Some(at) => {
                let (_, other) = others.remove(at);
                compare(shape, &path, value, Some(other), differences);
            }
            None => differences.push(difference(&path, Some(value), None)),
        }
    }
    for (index, value) in others {
        differences.push(difference(&format!("{path}/{index}"), None, Some(value)));
    }
}

/// The shape of a structure's member; a document's are documents, and of what is left to the service nothing is known.
fn member<'s>(shape: &'s Shape, name: &str) -> Option<&'s Shape> {
    match shape {
        Shape::Object(properties) => properties.iter().find(|p: &&Property| p.name == name).map(|p| &p.shape),
        Shape::Document => Some(shape),
        _ => None,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.values().all(is_empty),
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Null | Value::Bool(false) => true,
        _ => false,
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Whether two values are one: as text, or as the JSON that both texts are.
fn same_text(expected: &Value, actual: &Value) -> bool {
    let (expected, actual) = (text(expected), text(actual));
    let json = |text: &str| serde_json::from_str::<Value>(text).ok();
    expected == actual || json(&expected).is_some_and(|expected| json(&actual) == Some(expected))
}

fn difference(path: &str, expected: Option<&Value>, actual: Option<&Value>) -> Value {
    let kind = match (expected, actual) {
        (None, _) => "ADD",
        (_, None) => "REMOVE",
        _ => "NOT_EQUAL",
    };
    let shown = |value: Option<&Value>| value.map_or_else(|| "null".to_owned(), text);
    json!({
        "PropertyPath": path,
        "ExpectedValue": shown(expected),
        "ActualValue": shown(actual),
        "DifferenceType": kind,
    })
}

/// Begins a detection; it goes on in the background.
pub fn begin(aws: &Arc<Aws>, caller: &Caller, stack: Stack, only: Vec<String>) -> Detection {
    let detection = Detection::new(&stack);
    aws.store.put(kind::DETECTION, &key(&stack, &detection.id), &detection);
    let (aws_of_task, caller, mut begun) = (aws.clone(), caller.clone(), detection.clone());
    let task = tokio::spawn(async move {
        let aws = aws_of_task;
        let found = look(&aws, &caller, &stack, &only).await;
        finish(&aws, &stack, &mut begun, found, &only);
    });
    aws.cloudformation.handles().insert(format!("drift/{}", detection.id), task);
    detection
}

fn key(stack: &Stack, detection: &str) -> String {
    format!("{}/{detection}", stack.uuid)
}

/// Keeps what was found.
fn finish(
    aws: &Arc<Aws>,
    stack: &Stack,
    detection: &mut Detection,
    found: BTreeMap<String, Drift>,
    only: &[String],
) {
    let unknown: Vec<&str> = found
        .values()
        .filter(|drift| drift.status == "UNKNOWN")
        .map(|drift| drift.logical_id.as_str())
        .collect();
    if unknown.is_empty() {
        "DETECTION_COMPLETE".clone_into(&mut detection.status);
    } else {
        "DETECTION_FAILED".clone_into(&mut detection.status);
        detection.reason = Some(format!("Failed to detect drift on resource [{}]", unknown.join(", ")));
    }
    aws.store.transaction(|records| {
        let within = format!("{}/", stack.uuid);
        if only.is_empty() {
            records.delete_prefix(kind::DRIFT, &within);
        }
        for (name, drift) in &found {
            records.put(kind::DRIFT, &format!("{within}{name}"), drift);
        }
        let all: Vec<Drift> = records
            .range(kind::DRIFT, &within, None, usize::MAX)
            .into_iter()
            .map(|(_, drift)| drift)
            .collect();
        let drifted = all.iter().filter(|drift| drift.is_drifted()).count();
        let status = match (drifted, unknown.is_empty()) {
            (0, true) => "IN_SYNC",
            (0, false) => "UNKNOWN",
            _ => "DRIFTED",
        };
        detection.stack_status = Some(status.to_owned());
        detection.drifted = unknown.is_empty().then_some(drifted);
        records.put(kind::DETECTION, &key(stack, &detection.id), detection);
        let mut earlier: Vec<(String, Detection)> = records.range(kind::DETECTION, &within, None, usize::MAX);
        earlier.sort_by(|(_, a), (_, b)| b.time.cmp(&a.time));
        for (key, _) in earlier.into_iter().skip(REMEMBERED) {
            records.delete(kind::DETECTION, &key);
        }
    });
}

/// Whether a detection is under way in this process. One that an earlier process did not end never ends.
pub fn is_under_way(aws: &Aws, detection: &Detection) -> bool {
    let running = aws.cloudformation.handles();
    running.get(&format!("drift/{}", detection.id)).is_some_and(|task| !task.is_finished())
}

/// The last drift that was found of each of the stack's resources that are still there.
pub fn last(aws: &Aws, stack: &Stack) -> BTreeMap<String, Drift> {
    let resources = ledger::resources(&aws.store, &stack.uuid);
    let all = aws.store.list_prefix::<Drift>(kind::DRIFT, &format!("{}/", stack.uuid));
    let current = |drift: &Drift| {
        let resource = resources.get(&drift.logical_id);
        resource.and_then(|r| r.physical_id.as_ref()) == Some(&drift.physical_id)
    };
    all.into_iter().map(|(_, drift)| (drift.logical_id.clone(), drift)).filter(|(_, d)| current(d)).collect()
}

/// The stack's detections, the latest first.
pub fn detections(aws: &Aws, stack: &Stack) -> Vec<Detection> {
    let all = aws.store.list_prefix::<Detection>(kind::DETECTION, &format!("{}/", stack.uuid));
    let mut all: Vec<Detection> = all.into_iter().map(|(_, detection)| detection).collect();
    all.sort_by(|a, b| b.time.cmp(&a.time));
    all
}
