//! `$.run`: what the Initializer finds out and the Publisher carries on, handed from state to state.
//!
//! Step Functions allows 256 KiB for everything a state hands on, so nothing in here grows with the number of
//! versions: aliases have names that can be worked out.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tuning::input::Input;
use tuning::pricing::{Architecture, Extras, FREE_STORAGE};
use tuning::search::{Batch, Block, Decision};

use crate::copies::Copies;
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
    /// The role of its account that speaks to it, where that is another account.
    #[serde(rename = "roleARN", default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// The processors that copies of it are measured on, where the input names any: the function's own first, if it is one of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub architectures: Vec<Architecture>,
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
    /// The version that is a copy of the function as it was; with copies, what they are copies of.
    pub snapshot_version: String,
    /// The hash of the function's code.
    pub code_sha256: String,
    /// A hash of its settings other than memory size.
    pub settings: String,
    /// How far publishing has come.
    pub published: Published,
    /// What the stack's own power values say, where that is to search and the input says nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Value>,
    /// The search for the size, if it is searched for. `power_values` are those of all its rounds then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<Search>,
    /// What is to be known of copies, if those are measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copies: Option<Copies>,
    /// How many invocations may be under way at once; none where nothing limits them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Concurrency>,
    /// How many power values are measured at a time because of that; 0 for all. The state machine's Maps read it.
    #[serde(default)]
    pub sizes_at_once: u32,
    /// What the user should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// How many invocations may be under way at once, all power values together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Concurrency {
    /// So many, at least 1.
    pub most: u32,
    /// What says so, in words.
    pub why: String,
    /// Whether the user was told that it makes the run slower.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub told: bool,
}

/// Iterations of a Map at a time, whatever it says: Step Functions' own limit.
const MAP_AT_ONCE: usize = 40;

/// How far a search is, or another run that is measured in rounds.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Search {
    /// Rounds that were measured.
    pub round: u32,
    /// What the next one measures.
    pub blocks: Vec<Work>,
    /// The sizes in the order in which they are published.
    pub sizes: Vec<u32>,
    /// All invocations so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Batch>,
    /// Whether nothing more is measured.
    pub done: bool,
    /// What was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Box<Decision>>,
    /// Whether the input's `budget` ended it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub out_of_money: bool,
    /// What is still open and what is done about it, for somebody who follows along.
    pub said: String,
    /// Whether it is no search, but cold starts in bursts ([`crate::handlers::bursts`]): each round makes those again that met a warm
    /// environment. `sizes` has a size as often as there are versions, or copies, of it then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bursts: bool,
}

impl Search {
    /// Enters the blocks of the next round. Returns how many of their sizes are new.
    pub fn enter(&mut self, blocks: &[Block], budget: Option<f64>) -> u32 {
        let each = |amount: f64| amount / blocks.len().max(1) as f64;
        let work = |block: &Block| Work {
            value: block.size,
            num: block.num,
            lanes: block.lanes.max(1),
            round: Some(self.round),
            budget: budget.map(each),
            which: Vec::new(),
            spread: None,
        };
        self.blocks = blocks.iter().map(work).collect();
        // The largest first, so that one above the account's quota ends the run before anything else was done.
        let new: Vec<u32> =
            blocks.iter().rev().map(|block| block.size).filter(|size| !self.sizes.contains(size)).collect();
        let count = u32::try_from(new.len()).unwrap_or(u32::MAX);
        self.sizes.extend(new);
        count
    }
}

/// What one Executor has to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Work {
    /// The power value in MB.
    pub value: u32,
    /// Invocations to make.
    pub num: u32,
    /// How many of them at the same time.
    pub lanes: u32,
    /// The round of the search, from 0; none where the sizes were given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round: Option<u32>,
    /// What they may cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<f64>,
    /// In bursts: which of the power value's invocations these are; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub which: Vec<u32>,
    /// In bursts: the versions, or copies, that they go to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<Spread>,
}

/// The versions, or copies, that a burst goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spread {
    /// The first of them, counted from 0 among those of the power value.
    pub first: u32,
    /// How many invocations go to each.
    pub each: u32,
}

impl Run {
    /// What the function is billed for besides memory and duration.
    pub fn extras(&self) -> Extras {
        Extras { storage_mb: self.storage, snap_start: self.snap_start }
    }

    /// The processor that is measured, or the first of two.
    pub fn measured_on(&self) -> Architecture {
        self.architectures.first().copied().unwrap_or_else(|| self.architecture.parse().unwrap_or_default())
    }

    /// The most lanes of a power value.
    pub fn most_lanes(&self) -> u32 {
        self.concurrency.as_ref().map_or(u32::MAX, |concurrency| concurrency.most)
    }

    /// Decides how many power values are measured at a time, so that no more invocations are under way than may be, and says so when
    /// that makes the run slower. Lanes come first: how far a result can be trusted depends on them.
    pub fn arrange(&mut self, input: &Input) {
        self.sizes_at_once = 0;
        let (sizes, wanted) = match &self.search {
            Some(search) => {
                (search.blocks.len(), search.blocks.iter().map(|block| block.lanes).max().unwrap_or(1))
            }
            None => (self.power_values.len(), input.environments()),
        };
        let wanted = if input.in_bursts() { input.environments() } else { wanted };
        let Some(concurrency) = &mut self.concurrency else { return };
        let lanes = wanted.clamp(1, concurrency.most.max(1));
        let at_once = concurrency.most / lanes;
        let takes_turns = (at_once as usize) < sizes.min(MAP_AT_ONCE);
        if takes_turns {
            self.sizes_at_once = at_once.max(1);
        }
        if concurrency.told || !(takes_turns || lanes < wanted) {
            return;
        }
        concurrency.told = true;
        let turns = takes_turns.then(|| match at_once {
            0 | 1 => format!("the {sizes} memory sizes are measured one after the other"),
            _ => format!("only {at_once} of {sizes} memory sizes are measured at a time"),
        });
        let fewer = (lanes < wanted)
            .then(|| format!("{lanes} invocations of a size are made at once instead of {wanted}"));
        let slower: Vec<String> = turns.into_iter().chain(fewer).collect();
        let Concurrency { most, why, .. } = concurrency;
        self.notes.push(format!(
            "no more than {most} invocation{} under way at once ({why}), so {}, which takes longer",
            if *most == 1 { " is" } else { "s are" },
            slower.join(", and ")
        ));
    }
}

fn free_storage() -> u32 {
    FREE_STORAGE
}

fn is_free(storage: &u32) -> bool {
    *storage <= FREE_STORAGE
}

fn is_zero(count: &u32) -> bool {
    *count == 0
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
    /// The index before which the function had its own memory size again: a search publishes in several rounds.
    #[serde(skip_serializing_if = "is_zero")]
    pub since: u32,
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
    /// Copies that are known to be ready, by index.
    #[serde(skip_serializing_if = "is_zero")]
    pub ready: u32,
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
#[derive(Debug, Clone)]
pub struct Plan {
    /// The sizes in the order in which they are published: the largest first, so that one above the account's quota ends the run before
    /// anything else was done.
    sizes: Vec<u32>,
    /// Cold starts of each power value, or processors, `None` when one alias serves all its invocations.
    copies: Option<u32>,
    /// Whether a size that comes several times has several of them.
    bursts: bool,
}

impl Plan {
    /// The plan for these power values, ascending.
    pub fn new(input: &Input, power_values: &[u32]) -> Self {
        let sizes = power_values.iter().rev().copied().collect();
        let processors = if input.compares() { u32::try_from(input.architectures.len()).ok() } else { None };
        let copies = processors.or_else(|| input.only_cold_starts.then(|| input.invocations()));
        Self { sizes, copies, bursts: false }
    }

    /// The plan of a run.
    pub fn of(input: &Input, run: &Run) -> Self {
        match &run.search {
            Some(search) => Self { sizes: search.sizes.clone(), copies: None, bursts: search.bursts },
            None => Self::new(input, &run.power_values),
        }
    }

    /// The number of aliases.
    pub fn total(&self) -> u32 {
        let sizes = u32::try_from(self.sizes.len()).unwrap_or(u32::MAX);
        sizes.saturating_mul(self.copies.unwrap_or(1))
    }

    /// The alias with this index. For cold starts the sizes take turns, since a version only comes into being when something differs
    /// from the last one.
    pub fn get(&self, index: u32) -> Option<Planned> {
        let sizes = u32::try_from(self.sizes.len()).ok().filter(|sizes| *sizes > 0)?;
        if index >= self.total() {
            return None;
        }
        let power = *self.sizes.get((index % sizes) as usize)?;
        let before = || {
            let earlier = self.sizes.iter().take(index as usize);
            u32::try_from(earlier.filter(|size| **size == power).count()).unwrap_or(u32::MAX)
        };
        let copy = if self.bursts { Some(before()) } else { self.copies.map(|_| index / sizes) };
        Some(Planned { power, copy })
    }

    /// The index of the alias, or copy, of a power value; for cold starts, of one of its invocations.
    pub fn index(&self, power: u32, copy: Option<u32>) -> Option<u32> {
        if self.bursts {
            let mut of_size = self.sizes.iter().enumerate().filter(|(_, size)| **size == power);
            let (place, _) = of_size.nth(copy.unwrap_or_default() as usize)?;
            return u32::try_from(place).ok();
        }
        let sizes = u32::try_from(self.sizes.len()).ok()?;
        let place = u32::try_from(self.sizes.iter().position(|size| *size == power)?).ok()?;
        let index = copy.unwrap_or_default().checked_mul(sizes)?.checked_add(place)?;
        (index < self.total()).then_some(index)
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
        let plan = Plan { sizes: vec![512, 128], copies: Some(2), bursts: false };
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
    fn an_index_is_found_again() {
        let plan = Plan { sizes: vec![512, 128], copies: Some(3), bursts: false };
        for (index, planned) in plan.iter().enumerate() {
            assert_eq!(plan.index(planned.power, planned.copy).map(|i| i as usize), Some(index));
        }
        assert_eq!(plan.index(512, Some(3)), None);
    }

    #[test]
    fn otherwise_each_size_has_one_alias() {
        let plan = Plan { sizes: vec![512, 128], copies: None, bursts: false };
        let aliases: Vec<String> = plan.iter().map(|planned| planned.alias()).collect();
        assert_eq!(aliases, ["deployer-tuning-512", "deployer-tuning-128"]);
        assert_eq!(plan.get(2), None);
        assert_eq!((plan.index(128, None), plan.index(256, None)), (Some(1), None));
    }

    #[test]
    fn in_bursts_a_size_has_as_many_as_it_comes_times() {
        let plan = Plan { sizes: vec![512, 128, 128], copies: None, bursts: true };
        let aliases: Vec<String> = plan.iter().map(|planned| planned.alias()).collect();
        assert_eq!(aliases, ["deployer-tuning-512-0", "deployer-tuning-128-0", "deployer-tuning-128-1"]);
        for (index, planned) in plan.iter().enumerate() {
            assert_eq!(plan.index(planned.power, planned.copy).map(|i| i as usize), Some(index));
        }
        assert_eq!((plan.index(128, Some(2)), plan.index(512, Some(1))), (None, None));
    }
}
