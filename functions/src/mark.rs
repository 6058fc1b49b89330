//! The names and descriptions of everything a run leaves on the tuned function while it lasts.
//!
//! Whatever we make carries a description that can be parsed in full: the mark, what it is, and the execution that
//! made it. Nothing else is ever changed or deleted. Lambda allows 256 characters; the longest execution ARN has
//! 220 (state machine and execution names of 80 each), so a mark has 36.

use std::fmt;

/// The alias whose existence is the lock and whose content is the undo record.
pub use tuning::input::LOCK_ALIAS;

/// The first word of every description.
pub const MARK: &str = LOCK_ALIAS;

/// Lambda's limit for descriptions of aliases and versions, in characters.
const DESCRIPTION_LIMIT: usize = 256;

/// The alias of one power value, or with `copy` of one invocation of it (each a cold start).
pub fn alias_name(power: u32, copy: Option<u32>) -> String {
    match copy {
        None => format!("{MARK}-{power}"),
        Some(copy) => format!("{MARK}-{power}-{copy}"),
    }
}

/// Whether a string is an ARN of a Step Functions execution.
pub fn is_execution(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(8, ':').collect();
    parts.len() == 8
        && parts[0] == "arn"
        && parts[2] == "states"
        && matches!(parts[5], "execution" | "express")
        && parts.iter().enumerate().all(|(i, part)| i == 4 || !part.is_empty())
        && !arn.contains(char::is_whitespace)
}

/// Whether a description made for this execution fits Lambda's limit; the longest is the lock's.
pub fn fits(execution: &str) -> bool {
    let longest = LockMark {
        owner: execution.to_owned(),
        stage: Stage::Stopping,
        base: 10_240,
        from: 10_240,
        to: 10_240,
    };
    longest.to_string().len() <= DESCRIPTION_LIMIT
}

/// How far the run that holds a lock is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It changes the function and measures.
    Running,
    /// It is being cleaned up: nobody may go on changing the function for it.
    Stopping,
    /// The same, but who was doing so had to give up and is no longer at it.
    Abandoned,
}

/// What the lock's description says.
///
/// `base` is the memory size the function had before the run. `from` and `to` are what `$LATEST` may be set to at
/// the moment: the run writes where it is going *before* it goes there, so that whoever finds the lock knows
/// which sizes are the run's doing and which are somebody else's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockMark {
    /// The execution that holds the lock.
    pub owner: String,
    /// Whether its run may go on.
    pub stage: Stage,
    /// The function's memory size before the run, in MB.
    pub base: u32,
    /// The size `$LATEST` had before the change under way, in MB.
    pub from: u32,
    /// The size `$LATEST` has after the change under way, in MB.
    pub to: u32,
}

impl LockMark {
    /// The lock of a run that has changed nothing yet.
    pub fn idle(owner: &str, base: u32) -> Self {
        Self { owner: owner.to_owned(), stage: Stage::Running, base, from: base, to: base }
    }

    /// The lock of a run that leaves the function at a size (MB) and has only to delete the lock. Nobody who cleans up
    /// writes the same.
    pub fn ended(owner: &str, base: u32) -> Self {
        Self { owner: owner.to_owned(), stage: Stage::Stopping, base, from: 0, to: 0 }
    }

    /// Whether nobody may go on changing the function for the run.
    pub fn is_stopping(&self) -> bool {
        self.stage != Stage::Running
    }

    /// Whether no change of `$LATEST` is under way and none has been made.
    pub fn is_idle(&self) -> bool {
        self.from == self.base && self.to == self.base
    }

    /// The same lock with a change of `$LATEST` announced.
    pub fn going_to(&self, to: u32) -> Self {
        Self { from: self.to, to, ..self.clone() }
    }

    /// Whether a memory size found on `$LATEST` is one this run set and not the original one.
    pub fn set_by_run(&self, memory: u32) -> bool {
        memory != self.base && (memory == self.from || memory == self.to)
    }

    /// Reads the description of a lock; `None` when it is not one of ours.
    pub fn parse(description: &str) -> Option<Self> {
        let mut words = description.split(' ');
        let stage = match words.next()?.strip_prefix(MARK)? {
            "" => Stage::Running,
            "!" => Stage::Stopping,
            "~" => Stage::Abandoned,
            _ => return None,
        };
        let base = words.next()?.parse().ok()?;
        let (from, to) = words.next()?.split_once('>')?;
        let (from, to) = (from.parse().ok()?, to.parse().ok()?);
        let owner = words.next().filter(|arn| is_execution(arn))?.to_owned();
        words.next().is_none().then_some(Self { owner, stage, base, from, to })
    }
}

impl fmt::Display for LockMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match self.stage {
            Stage::Running => "",
            Stage::Stopping => "!",
            Stage::Abandoned => "~",
        };
        write!(f, "{MARK}{stage} {} {}>{} {}", self.base, self.from, self.to, self.owner)
    }
}

/// What a temporary alias or a version of ours is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The copy of the function as it was before the run.
    Snapshot,
    /// To be measured: a power value and, for cold starts, the number of the invocation.
    Measure {
        /// The power value in MB.
        power: u32,
        /// Which of its cold starts.
        copy: Option<u32>,
    },
    /// Published only so that the next version differs from its predecessor.
    Spacer,
    /// The optimised version an alias of the user's choice points at: theirs as soon as the run has succeeded.
    Result,
}

/// What the description of a temporary alias or a version says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThingMark {
    /// What it is for.
    pub purpose: Purpose,
    /// The execution that made it.
    pub owner: String,
}

impl ThingMark {
    /// The mark of a thing made by this execution.
    pub fn new(purpose: Purpose, owner: &str) -> Self {
        Self { purpose, owner: owner.to_owned() }
    }

    /// Reads the description of an alias or version; `None` when it is not one of ours.
    pub fn parse(description: &str) -> Option<Self> {
        let mut words = description.split(' ');
        if words.next()? != MARK {
            return None;
        }
        let purpose = match words.next()? {
            "snapshot" => Purpose::Snapshot,
            "spacer" => Purpose::Spacer,
            "result" => Purpose::Result,
            measure => {
                let (power, copy) = match measure.split_once('#') {
                    None => (measure, None),
                    Some((power, copy)) => (power, Some(copy.parse().ok()?)),
                };
                Purpose::Measure { power: power.parse().ok()?, copy }
            }
        };
        let owner = words.next().filter(|arn| is_execution(arn))?.to_owned();
        words.next().is_none().then_some(Self { purpose, owner })
    }
}

impl fmt::Display for ThingMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let owner = &self.owner;
        match self.purpose {
            Purpose::Snapshot => write!(f, "{MARK} snapshot {owner}"),
            Purpose::Spacer => write!(f, "{MARK} spacer {owner}"),
            Purpose::Result => write!(f, "{MARK} result {owner}"),
            Purpose::Measure { power, copy: None } => write!(f, "{MARK} {power} {owner}"),
            Purpose::Measure { power, copy: Some(copy) } => write!(f, "{MARK} {power}#{copy} {owner}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXECUTION: &str = "arn:aws:states:us-east-1:123456789012:execution:machine:run-1";

    #[test]
    fn a_lock_is_read_back_as_written() {
        let lock = LockMark::idle(EXECUTION, 256).going_to(512).going_to(3008);
        assert_eq!((lock.base, lock.from, lock.to), (256, 512, 3008));
        assert_eq!(LockMark::parse(&lock.to_string()), Some(lock.clone()));
        for stage in [Stage::Stopping, Stage::Abandoned] {
            let stopping = LockMark { stage, ..lock.clone() };
            assert!(stopping.is_stopping());
            assert_eq!(LockMark::parse(&stopping.to_string()), Some(stopping));
        }
        let ended = LockMark::ended(EXECUTION, 256);
        assert_eq!(LockMark::parse(&ended.to_string()), Some(ended.clone()));
        assert!(!ended.is_idle() && !ended.set_by_run(512), "{ended:?}");
    }

    #[test]
    fn things_are_read_back_as_written() {
        for purpose in [
            Purpose::Snapshot,
            Purpose::Spacer,
            Purpose::Result,
            Purpose::Measure { power: 128, copy: None },
            Purpose::Measure { power: 10_240, copy: Some(1999) },
        ] {
            let mark = ThingMark::new(purpose, EXECUTION);
            assert_eq!(ThingMark::parse(&mark.to_string()), Some(mark));
        }
    }

    #[test]
    fn what_a_user_writes_is_not_ours() {
        for description in [
            "",
            "deployer-tuning",
            "deployer-tuning is what I call this function",
            "deployer-tuning 512 for the tuning talk",
            "deployer-tuning 512",
            "deployer-tuning snapshot arn:aws:lambda:us-east-1:123456789012:function:f",
            "deployer-tuning 256 256>512 arn:aws:states:us-east-1:123456789012:stateMachine:m",
        ] {
            assert_eq!(ThingMark::parse(description), None, "{description}");
            assert_eq!(LockMark::parse(description), None, "{description}");
        }
    }

    #[test]
    fn the_longest_execution_arn_fits() {
        let name = "x".repeat(80);
        let execution = format!("arn:aws-us-gov:states:us-gov-west-1:123456789012:execution:{name}:{name}");
        assert!(is_execution(&execution));
        assert!(fits(&execution));
        assert!(
            ThingMark::new(Purpose::Measure { power: 10_240, copy: Some(9_999) }, &execution)
                .to_string()
                .len()
                <= 256
        );
        assert!(!fits(&format!("{execution}123")));
    }

    #[test]
    fn only_sizes_the_run_set_are_its_own() {
        let lock = LockMark::idle(EXECUTION, 256).going_to(512);
        assert!(lock.set_by_run(512));
        assert!(!lock.set_by_run(256), "the original size needs no undoing");
        assert!(!lock.set_by_run(1024), "somebody else's");
    }
}
