//! What the system knows of a function's processes: their memory, and who belongs to a process group.

use std::collections::HashMap;
use std::fs;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How old the list of groups may be: reading it means reading every process of the machine.
const FRESH: Duration = Duration::from_millis(200);

/// Resident memory of a process, in KiB.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resident {
    /// Now.
    pub now: u64,
    /// The most it ever was.
    pub peak: u64,
}

/// The resident memory of a process; `None` when it has ended.
pub fn resident(pid: i32) -> Option<Resident> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| {
        let line = status.lines().find_map(|l| l.strip_prefix(name))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok()
    };
    // A zombie has a status without memory.
    Some(Resident { now: field("VmRSS:")?, peak: field("VmHWM:")? })
}

/// The members of all process groups, read at most every [`FRESH`] for everybody.
#[derive(Default)]
pub struct Groups {
    read: Mutex<Option<(Instant, Members)>>,
}

/// Processes by group.
type Members = HashMap<i32, Vec<i32>>;

impl Groups {
    /// The processes of a group besides its leader.
    pub fn others(&self, group: i32) -> Vec<i32> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if read.as_ref().is_none_or(|(at, _)| at.elapsed() > FRESH) {
            *read = Some((Instant::now(), groups()));
        }
        let members = read.as_ref().and_then(|(_, groups)| groups.get(&group));
        members.map(|m| m.iter().copied().filter(|pid| *pid != group).collect()).unwrap_or_default()
    }
}

fn groups() -> Members {
    let mut groups = Members::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse::<i32>().ok()) else { continue };
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        if let Some(group) = group_of(&stat) {
            groups.entry(group).or_default().push(pid);
        }
    }
    groups
}

/// The process group in a line of `/proc/PID/stat`; the command in parentheses may hold anything.
fn group_of(stat: &str) -> Option<i32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_found() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let memory = resident(pid).unwrap();
        assert!(memory.now > 100 && memory.peak >= memory.now);
        assert!(groups().values().any(|members| members.contains(&pid)));
        assert_eq!(resident(i32::MAX), None);
    }

    #[test]
    fn a_command_with_parentheses_does_not_confuse() {
        assert_eq!(group_of("12 (a) b (c)) S 1 34 34 0 -1"), Some(34));
    }
}
