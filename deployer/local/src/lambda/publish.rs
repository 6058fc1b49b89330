//! What creating, changing and publishing a function share: when it may be done, and how a version comes to be.

use crate::store::Records;
use crate::{Aws, Result};

use super::errors::{conflict, stale_revision};
use super::name::arn;
use super::record::{Configuration, FUNCTION, Function, Phase, VERSION, version_id, version_in};

/// How new versions become ready.
#[derive(Debug, Clone, Copy)]
pub struct Publishing {
    /// Milliseconds until one without SnapStart is.
    pub zip_ms: i64,
    /// Milliseconds until the snapshot of one with SnapStart is made.
    pub snapshot_ms: i64,
    /// The smallest size, in MB, whose snapshot does not fail.
    pub least_mb: u32,
}

/// Publishes `$LATEST` inside a transaction, or answers the version published last when nothing has changed since.
/// The function's record is written with it.
pub fn publish(
    records: &mut Records<'_>,
    function: &mut Function,
    description: Option<String>,
    pace: Publishing,
) -> Configuration {
    let last = function.last_published.and_then(|n| version_in(records, function, &n.to_string()));
    if let Some(last) = last {
        // The description given at publishing is the version's alone, so it is not what is compared.
        let mut content = last.content.clone();
        content.description.clone_from(&function.latest.content.description);
        let described = function.last_description.as_ref() == Some(&function.latest.content.description);
        if described && content == function.latest.content {
            records.put(FUNCTION, &function.name, function);
            return last;
        }
    }
    let number = function.next_version;
    let mut content = function.latest.content.clone();
    content.description = description.unwrap_or(content.description);
    let delay = if content.snap_start { pace.snapshot_ms } else { pace.zip_ms };
    let mut version = Configuration::new(number.to_string(), content, Phase::Creating, delay);
    version.runtime_management = function.latest.runtime_management.clone();
    version.snapshot_fails = version.content.snap_start && version.content.memory_size < pace.least_mb;
    // On AWS a publication changes `$LATEST` too, by its revision alone.
    function.latest.touch();
    function.next_version += 1;
    function.last_published = Some(number);
    function.last_description = Some(function.latest.content.description.clone());
    records.put(VERSION, &version_id(&function.name, number), &version);
    records.put(FUNCTION, &function.name, function);
    version
}

/// Whether a function may be changed now, by somebody who knows this revision of it.
///
/// # Errors
/// `ResourceConflictException` while something is in progress, `PreconditionFailedException`.
pub fn changeable(aws: &Aws, function: &Function, revision: Option<&str>) -> Result<()> {
    idle(aws, function)?;
    match revision {
        Some(revision) if revision != function.latest.revision() => Err(stale_revision()),
        _ => Ok(()),
    }
}

/// Whether nothing is in progress on a function.
///
/// # Errors
/// `ResourceConflictException`.
pub fn idle(aws: &Aws, function: &Function) -> Result<()> {
    if function.latest.pending() {
        return Err(conflict(
            "The operation cannot be performed at this time. The function is currently in the following state: Pending",
        ));
    }
    if function.latest.updating() {
        return Err(conflict(format!(
            "The operation cannot be performed at this time. An update is in progress for resource: {}",
            arn(aws, &function.name, None)
        )));
    }
    Ok(())
}
