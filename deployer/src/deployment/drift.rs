//! What was changed outside CloudFormation, as CloudFormation itself finds it out: it reads every resource and compares it with
//! the template.

use std::fmt;
use std::time::Duration;

use anyhow::Context as _;
use aws_sdk_cloudformation::types::{
    DifferenceType, StackDriftDetectionStatus, StackResourceDrift, StackResourceDriftStatus,
};
use serde::Serialize;

use super::Deployment;
use super::stack::Stack;
use crate::call::Call;
use crate::fold;
use crate::render::table::{self, Column, Place};

/// How long `up` and `preview` wait for a detection; AWS says that it may take minutes.
const PATIENCE: Duration = Duration::from_mins(3);

/// The longest value that the table shows, in characters.
const SHOWN: usize = 40;

/// A stack's drift.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    /// The stack.
    pub stack: String,
    /// Resources that were compared with the template.
    pub checked: usize,
    /// Those that are not as it says.
    pub resources: Vec<Drifted>,
    /// Those of which CloudFormation could not tell.
    pub unknown: Vec<Unknown>,
}

/// A resource that is not as its template says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Drifted {
    /// Its name in the template.
    pub logical_id: String,
    /// Its own name or ARN.
    pub physical_id: String,
    /// Its type.
    pub resource_type: String,
    /// Whether it is gone.
    pub deleted: bool,
    /// What differs; nothing of a resource that is gone.
    pub differences: Vec<Difference>,
}

/// A value that is not as the template says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Where it stands, `/Environment/Variables/LEVEL`.
    pub path: String,
    /// What the template says; none for something that was added.
    pub expected: Option<String>,
    /// What there is; none for something that was taken away.
    pub actual: Option<String>,
}

/// A resource of which CloudFormation could not tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unknown {
    /// Its name in the template.
    pub logical_id: String,
    /// Why.
    pub reason: String,
}

impl Deployment<'_> {
    /// Has CloudFormation compare the stack's resources with its template.
    ///
    /// # Errors
    /// The stack's state, a call's failure.
    pub async fn drift(&self, stack: &Stack) -> anyhow::Result<Drift> {
        let id = self.start_detection(stack).await?;
        let failed = loop {
            let request = self.client.describe_stack_drift_detection_status().stack_drift_detection_id(&id);
            let answer = request.send().await.called("cloudformation:DescribeStackDriftDetectionStatus");
            let answer = answer.context("following the detection of drift")?;
            match answer.detection_status() {
                Some(StackDriftDetectionStatus::DetectionInProgress) => {
                    tokio::time::sleep(self.aws.poll_interval()).await;
                }
                Some(StackDriftDetectionStatus::DetectionFailed) => {
                    break Some(answer.detection_status_reason().unwrap_or("no reason given").to_owned());
                }
                _ => break None,
            }
        };
        let mut pages =
            self.client.describe_stack_resource_drifts().stack_name(&stack.id).into_paginator().send();
        let mut drift = Drift { stack: self.name.to_owned(), ..Drift::default() };
        while let Some(page) = pages.next().await {
            let page = page.called("cloudformation:DescribeStackResourceDrifts");
            for found in
                page.context("reading the drift of the resources")?.stack_resource_drifts.unwrap_or_default()
            {
                drift.add(found);
            }
        }
        match failed {
            // What it could not tell is named with the reason, else nothing is known at all.
            Some(reason) if drift.unknown.is_empty() && drift.resources.is_empty() => {
                anyhow::bail!("CloudFormation could not detect drift: {reason}")
            }
            _ => Ok(drift),
        }
    }

    /// The same for who goes on without it: what stands in the way is said, in one line.
    pub async fn drift_if_told(&self, stack: &Stack) -> Option<Drift> {
        let why = match tokio::time::timeout(PATIENCE, self.drift(stack)).await {
            Ok(Ok(drift)) => {
                for unknown in &drift.unknown {
                    self.events.note(format!(
                        "whether {} was changed outside CloudFormation is not known: {}",
                        unknown.logical_id, unknown.reason
                    ));
                }
                return Some(drift);
            }
            Ok(Err(error)) => {
                let call = error.chain().find_map(|cause| cause.downcast_ref::<crate::call::CallError>());
                call.and_then(crate::call::CallError::hint).unwrap_or_else(|| error.root_cause().to_string())
            }
            Err(_) => format!("CloudFormation takes longer than {} minutes for it", PATIENCE.as_secs() / 60),
        };
        self.events.note(format!("whether something was changed outside CloudFormation is not known: {why}"));
        None
    }

    /// Begins a detection. There is one of a stack at a time; somebody else's may have looked too early.
    async fn start_detection(&self, stack: &Stack) -> anyhow::Result<String> {
        loop {
            let begun = self.client.detect_stack_drift().stack_name(&stack.id).send().await;
            match begun.called("cloudformation:DetectStackDrift") {
                Err(error) if error.message.contains("already in progress") => {
                    tokio::time::sleep(self.aws.poll_interval()).await;
                }
                begun => {
                    return Ok(begun
                        .context("detecting drift")?
                        .stack_drift_detection_id
                        .unwrap_or_default());
                }
            }
        }
    }
}

impl Drift {
    /// Whether nothing is known to differ.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.resources.is_empty()
    }

    /// The resources that are gone.
    pub fn deleted(&self) -> impl Iterator<Item = &str> {
        self.resources.iter().filter(|resource| resource.deleted).map(|resource| resource.logical_id.as_str())
    }

    /// What differs, in a few words: "analyzer is deleted, executor has another MemorySize".
    #[must_use]
    pub fn in_short(&self) -> String {
        let words = self.resources.iter().map(|resource| {
            let name = &resource.logical_id;
            if resource.deleted {
                return format!("{name} is deleted");
            }
            let mut properties: Vec<&str> =
                resource.differences.iter().filter_map(|d| d.path.split('/').nth(1)).collect();
            properties.dedup();
            format!("{name} has other {}", properties.join(" and "))
        });
        words.collect::<Vec<_>>().join(", ")
    }

    fn add(&mut self, found: StackResourceDrift) {
        let (logical_id, resource_type) =
            (found.logical_resource_id.unwrap_or_default(), found.resource_type.unwrap_or_default());
        let deleted = match found.stack_resource_drift_status {
            Some(StackResourceDriftStatus::Deleted) => true,
            Some(StackResourceDriftStatus::Modified) => false,
            Some(StackResourceDriftStatus::InSync) => {
                self.checked += 1;
                return;
            }
            Some(StackResourceDriftStatus::UnknownValue) => {
                let reason =
                    found.drift_status_reason.unwrap_or_else(|| "CloudFormation gives no reason".to_owned());
                self.unknown.push(Unknown { logical_id, reason });
                return;
            }
            // Its type cannot be compared.
            _ => return,
        };
        self.checked += 1;
        let value = |value: Option<String>, there: bool| value.filter(|_| there);
        let differences = found.property_differences.unwrap_or_default().into_iter().map(|difference| {
            let kind = difference.difference_type;
            Difference {
                path: difference.property_path.unwrap_or_default(),
                expected: value(difference.expected_value, kind != Some(DifferenceType::Add)),
                actual: value(difference.actual_value, kind != Some(DifferenceType::Remove)),
            }
        });
        self.resources.push(Drifted {
            differences: differences.collect(),
            logical_id,
            physical_id: found.physical_resource_id.unwrap_or_default(),
            resource_type,
            deleted,
        });
    }
}

/// A value as a cell of the table.
fn cell(value: Option<&str>) -> String {
    let text = value.unwrap_or("–");
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stack, checked, resources, unknown } = self;
        if resources.is_empty() {
            write!(f, "The stack {stack} is as its template says: {checked} resources were compared.")?;
        } else {
            let count = resources.len();
            let (were, are) = if count == 1 { ("resource", "is") } else { ("resources", "are") };
            writeln!(
                f,
                "{count} {were} of the stack {stack} {are} not as its template says, of {checked} compared:\n"
            )?;
            let rows: Vec<(&Drifted, Option<&Difference>)> = resources
                .iter()
                .flat_map(|resource| {
                    let differences: Vec<_> = resource.differences.iter().map(Some).collect();
                    let rows = if differences.is_empty() { vec![None] } else { differences };
                    rows.into_iter().map(move |row| (resource, row))
                })
                .collect();
            let all = || rows.iter();
            let of_difference = |value: fn(&Difference) -> String| {
                rows.iter().map(move |(_, row)| row.map(value).unwrap_or_default())
            };
            let state = |resource: &Drifted| if resource.deleted { "deleted" } else { "changed" };
            let columns = vec![
                Column::words("resource", 0, all().map(|(resource, _)| resource.logical_id.clone())),
                Column::words("type", 2, all().map(|(resource, _)| resource.resource_type.clone())),
                Column::words("drift", 0, all().map(|(resource, _)| state(resource).to_owned())),
                Column::words("property", 0, of_difference(|row| row.path.clone())),
                Column::words("template", 1, of_difference(|row| cell(row.expected.as_deref()))),
                Column::words("actual", 0, of_difference(|row| cell(row.actual.as_deref()))),
            ];
            write!(f, "{}", table::fitted(columns, Place::Text(fold::stdout_columns())))?;
        }
        for Unknown { logical_id, reason } in unknown {
            write!(f, "\nNot known of {logical_id}: {reason}")?;
        }
        Ok(())
    }
}
