//! `$.run`: what the Initializer finds out and the Publisher carries on, handed from state to state.
//!
//! Step Functions allows 256 KiB for everything a state hands on, so nothing in here grows with the number of
//! versions: aliases have names that can be worked out.

use serde::{Deserialize, Serialize};
use tuning::input::Input;
use tuning::pricing::{Extras, FREE_STORAGE};

use crate::mark;

/// The state of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// The ARN of the execution.
    pub execution: String,
    /// The tuned function's ARN, unqualified.
    pub function_arn: String,
    /// Its region.
    pub region: String,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// Its time-out in seconds.
    pub timeout: u32,
    /// Its ephemeral storage in MB.
    #[serde(default = "free_storage", skip_serializing_if = "is_free")]
    pub storage: u32,
    /// Whether it has SnapStart, and Lambda bills that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub snap_start: bool,
    /// The power values to measure, in MB, ascending.
    pub power_values: Vec<u32>,
    /// The function as it was.
    pub baseline: Baseline,
    /// The version that is a copy of the function as it was.
    pub snapshot_version: String,
    /// The hash of the function's code.
    pub code_sha256: String,
    /// A hash of its settings other than memory size.
    pub settings: String,
    /// How far publishing has come.
    pub published: Published,
    /// What the user should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Run {
    /// What the function is billed for besides memory and duration.
    pub fn extras(&self) -> Extras {
        Extras { storage_mb: self.storage, snap_start: self.snap_start }
    }
}

fn free_storage() -> u32 {
    FREE_STORAGE
}

fn is_free(storage: &u32) -> bool {
    *storage <= FREE_STORAGE
}

/// The function as it was before the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Baseline {
    /// Memory size in MB.
    pub memory_size: u32,
}

/// How far publishing has come.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Published {
    /// The number of aliases made so far, and the index of the next.
    pub next: u32,
    /// The number of aliases to make.
    pub total: u32,
    /// Whether all versions can be invoked and the function has its own memory size again.
    pub done: bool,
    /// How often the Publisher was entered: what a run's transitions are counted from.
    pub passes: u32,
    /// Whether the function has its own memory size again.
    pub restored: bool,
    /// Whether Lambda may still be preparing versions.
    pub pending: bool,
    /// For how long no alias came into being, in ms.
    pub stalled_ms: u64,
}

/// One alias to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned {
    /// The power value in MB.
    pub power: u32,
    /// Which of its cold starts, `None` unless each invocation gets a version of its own.
    pub copy: Option<u32>,
}

impl Planned {
    /// The alias's name.
    pub fn alias(&self) -> String {
        mark::alias_name(self.power, self.copy)
    }

    /// The mark of the alias and of its version.
    pub fn mark(&self, execution: &str) -> String {
        let purpose = mark::Purpose::Measure { power: self.power, copy: self.copy };
        mark::ThingMark::new(purpose, execution).to_string()
    }
}

/// The aliases a run makes, by index.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    power_values: &'a [u32],
    /// Cold starts of each power value, `None` when one alias serves all its invocations.
    copies: Option<u32>,
}

impl<'a> Plan<'a> {
    /// The plan for these power values.
    pub fn new(input: &Input, power_values: &'a [u32]) -> Self {
        Self { power_values, copies: input.only_cold_starts.then(|| input.invocations()) }
    }

    /// The number of aliases.
    pub fn total(&self) -> u32 {
        let sizes = u32::try_from(self.power_values.len()).unwrap_or(u32::MAX);
        sizes.saturating_mul(self.copies.unwrap_or(1))
    }

    /// The alias with this index. The largest size comes first, so that one above the account's quota ends the run before
    /// anything else was done. For cold starts the sizes take turns, since a version only comes into being when something
    /// differs from the last one.
    pub fn get(&self, index: u32) -> Option<Planned> {
        let sizes = u32::try_from(self.power_values.len()).ok().filter(|sizes| *sizes > 0)?;
        if index >= self.total() {
            return None;
        }
        let power = *self.power_values.get((sizes - 1 - index % sizes) as usize)?;
        Some(Planned { power, copy: self.copies.map(|_| index / sizes) })
    }

    /// The last one.
    pub fn last(&self) -> Option<Planned> {
        self.get(self.total().checked_sub(1)?)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Planned> {
        (0..self.total()).filter_map(|index| self.get(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cold_starts_take_turns_between_sizes() {
        let plan = Plan { power_values: &[128, 512], copies: Some(2) };
        let aliases: Vec<String> = plan.iter().map(|planned| planned.alias()).collect();
        assert_eq!(
            aliases,
            [
                "deployer-tuning-512-0",
                "deployer-tuning-128-0",
                "deployer-tuning-512-1",
                "deployer-tuning-128-1"
            ]
        );
    }

    #[test]
    fn otherwise_each_size_has_one_alias() {
        let plan = Plan { power_values: &[128, 512], copies: None };
        let aliases: Vec<String> = plan.iter().map(|planned| planned.alias()).collect();
        assert_eq!(aliases, ["deployer-tuning-512", "deployer-tuning-128"]);
        assert_eq!(plan.get(2), None);
    }
}
