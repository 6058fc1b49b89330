//! Gives functions the CPU share and the memory that Lambda gives their size: `memory / 1769` of a core and no byte more
//! than the size.
//!
//! The kernel does both best, by control groups ([`cgroup`]): every thread and every child counts, at no cost. Where
//! that is not to be had, a supervisor pauses and resumes the process ([`duty`]) and looks at its resident memory. Which of
//! them it is is found out by trying, once, and said with the measurements ([`Description`]). How long a group waited for a CPU
//! that it had a right to, since other work had it, is read from the kernel's accounts ([`Account`]).

mod account;
mod cgroup;
mod duty;

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use account::Counted;
pub use account::{Account, waited};
pub use cgroup::enter;
use cgroup::{Controller, Group, Groups, Version};
use duty::{Duty, Supervision};

/// Megabytes of memory that bring one core.
pub const MEMORY_PER_CORE: f64 = 1769.0;

/// How long a budget of CPU time lasts. Short, so that an invocation of a few milliseconds meets its share as well, and
/// long enough for the smallest size: the kernel takes no budget under 1 ms, and 128 MB has 1.45 ms of 20.
const PERIOD: Duration = Duration::from_millis(20);

/// The share of a memory size, in cores.
pub fn share_of(memory_mb: u32) -> f64 {
    f64::from(memory_mb) / MEMORY_PER_CORE
}

/// How a share is enforced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// `cpu.max` and `memory.max` of a control group, version 2.
    CgroupV2,
    /// `cpu.cfs_quota_us` and `memory.limit_in_bytes` of control groups, version 1.
    CgroupV1,
    /// Pausing and resuming the process; resident memory is watched.
    DutyCycle,
}

impl Mechanism {
    const ALL: [Self; 3] = [Self::CgroupV2, Self::CgroupV1, Self::DutyCycle];

    /// Its name in settings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CgroupV2 => "cgroup-v2",
            Self::CgroupV1 => "cgroup-v1",
            Self::DutyCycle => "duty-cycle",
        }
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CgroupV2 => "cgroup v2, 20 ms periods",
            Self::CgroupV1 => "cgroup v1, 20 ms periods",
            Self::DutyCycle => "pausing and resuming the process, 20 ms periods",
        })
    }
}

impl FromStr for Mechanism {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|m| m.name() == text);
        found.ok_or_else(|| format!("must be {}", Self::ALL.map(Self::name).join(", ")))
    }
}

/// How functions get their CPU share and their memory on this machine.
#[derive(Debug, Clone, PartialEq, schemars::JsonSchema, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Description {
    /// The processor's name.
    pub processor: String,
    /// What enforces the share, in words.
    pub mechanism: String,
    /// What enforces the memory size, in words.
    pub memory: String,
    /// The cores that shares are given from.
    pub cores: f64,
    /// The largest memory size, in MB, whose share this machine has; larger ones run with all cores, which is less than
    /// Lambda gives them.
    pub largest_memory: u32,
    /// Why it is nothing better: what was tried before and what came of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unavailable: Vec<String>,
}

/// The processor's name as Linux tells it; its architecture where it tells none, as on many Arm machines.
#[must_use]
pub fn processor() -> String {
    let told = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name =
        told.lines().filter_map(|line| line.split_once(':')).find(|(key, _)| key.trim() == "model name");
    name.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}

/// Gives shares and memory, by what this machine has.
pub struct CpuShares {
    wanted: Option<Mechanism>,
    cores: f64,
    chosen: OnceLock<Chosen>,
}

struct Chosen {
    mechanism: Mechanism,
    groups: Option<Arc<Groups>>,
    duty: Option<Duty>,
    description: Description,
}

impl CpuShares {
    /// For a machine of so many cores, by this mechanism if it is there, or else by the best.
    pub fn new(cores: f64, wanted: Option<Mechanism>) -> Self {
        Self { wanted, cores, chosen: OnceLock::new() }
    }

    /// Finds out what this machine has. The first call takes a few milliseconds.
    fn chosen(&self) -> &Chosen {
        self.chosen.get_or_init(|| {
            let versions: &[Version] = match self.wanted {
                None => &[Version::V2, Version::V1],
                Some(Mechanism::CgroupV2) => &[Version::V2],
                Some(Mechanism::CgroupV1) => &[Version::V1],
                Some(Mechanism::DutyCycle) => &[],
            };
            let (groups, unavailable) = match Groups::find(versions) {
                Ok(groups) => (Some(Arc::clone(&groups)), groups.unavailable().to_vec()),
                Err(unavailable) => (None, unavailable),
            };
            let of = |controller| groups.as_ref().and_then(|g| g.version(controller));
            let mechanism = match of(Controller::Cpu) {
                Some(Version::V2) => Mechanism::CgroupV2,
                Some(Version::V1) => Mechanism::CgroupV1,
                None => Mechanism::DutyCycle,
            };
            let memory = match of(Controller::Memory) {
                Some(Version::V2) => "limited by cgroup v2",
                Some(Version::V1) => "limited by cgroup v1",
                None => "looked at every 20 ms",
            };
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a memory size in MB"
            )]
            let largest_memory = (self.cores * MEMORY_PER_CORE) as u32;
            let description = Description {
                processor: processor(),
                mechanism: mechanism.to_string(),
                memory: memory.to_owned(),
                cores: self.cores,
                largest_memory,
                unavailable,
            };
            let duty = (mechanism == Mechanism::DutyCycle).then(Duty::start);
            Chosen { mechanism, groups, duty, description }
        })
    }

    /// What to tell people about it.
    pub fn describe(&self) -> Description {
        self.chosen().description.clone()
    }

    /// What enforces shares.
    pub fn mechanism(&self) -> Mechanism {
        self.chosen().mechanism
    }

    /// Makes room for a process that may use this much memory.
    ///
    /// # Errors
    /// A control group that cannot be made.
    pub fn room(&self, memory_mb: u32) -> io::Result<Room> {
        let group = self.chosen().groups.as_ref().map(|groups| groups.make(memory_mb)).transpose()?;
        Ok(Room { group })
    }

    /// Takes a process group that was started in a room into care. It runs, at full speed.
    pub fn limiter(&self, leader: Pid, room: Room) -> Limiter {
        let supervision = self.chosen().duty.as_ref().map(|duty| duty.supervise(leader));
        Limiter { leader, group: room.group, supervision, cores: self.cores }
    }

    /// Waits until nothing of what ended is left, and ends the supervisor, leaving every process as it is.
    pub async fn close(&self) {
        let Some(chosen) = self.chosen.get() else { return };
        if let Some(groups) = &chosen.groups {
            groups.cleared().await;
        }
        if let Some(duty) = &chosen.duty {
            duty.close();
        }
    }
}

/// Where a process is to start.
pub struct Room {
    group: Option<Group>,
}

impl Room {
    /// Files for [`enter`], which the process calls before it becomes the function.
    ///
    /// # Errors
    /// A file that cannot be opened.
    pub fn doors(&self) -> io::Result<Vec<OwnedFd>> {
        self.group.as_ref().map_or_else(|| Ok(Vec::new()), Group::doors)
    }
}

/// What the kernel counted of a function's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// The most it used so far, in KiB, without files the kernel keeps at hand.
    pub most_kb: u64,
    /// Whether a process was ended since the size did not suffice.
    pub exceeded: bool,
}

/// One process group at its share. Dropping it ends every process in it that a control group knows of.
pub struct Limiter {
    leader: Pid,
    group: Option<Group>,
    supervision: Option<Supervision>,
    cores: f64,
}

impl Limiter {
    /// Lets the group run, with this share of a core or, with none, at full speed.
    ///
    /// # Errors
    /// A share that the kernel does not take; the group does not run then.
    pub fn run(&self, share: Option<f64>) -> io::Result<()> {
        // More than the machine has is no limit.
        let share = share.filter(|share| *share < self.cores);
        if let Some(supervision) = &self.supervision {
            supervision.run(share);
        } else if let Some(group) = &self.group {
            group.limit(share)?;
            self.signal(Signal::SIGCONT);
        }
        Ok(())
    }

    /// Stops the group until it is to run again, as Lambda freezes an environment between invocations.
    pub fn freeze(&self) {
        match &self.supervision {
            Some(supervision) => supervision.freeze(),
            None => self.signal(Signal::SIGSTOP),
        }
    }

    /// Ends all of it.
    pub fn kill(&self) {
        self.signal(Signal::SIGKILL);
    }

    fn signal(&self, signal: Signal) {
        let _ = killpg(self.leader, signal);
        // Also who has left the process group: nobody leaves a control group.
        for pid in self.group.iter().flat_map(Group::members) {
            let _ = kill(pid, signal);
        }
    }

    /// Says which processes belong to the group besides its first, where the kernel does not know.
    pub fn members(&self, pids: &[i32]) {
        if let Some(supervision) = &self.supervision {
            supervision.members(pids);
        }
    }

    /// Begins to count how long the group waits for a CPU; `others` are its processes besides its first, where no control
    /// group knows them.
    #[must_use]
    pub fn account(&self, others: &[i32]) -> Account {
        let mut account = Account::default();
        account.open(&self.counted(others));
        account
    }

    /// Counts on.
    pub fn note(&self, account: &mut Account, others: &[i32]) {
        account.note(&self.counted(others));
    }

    /// By how much other work delayed the group, at most, while it was counted and took `wall` at this share.
    #[must_use]
    pub fn delay(&self, account: &Account, wall: Duration, share: Option<f64>) -> Duration {
        account.delay(wall, share, self.cores)
    }

    /// Whether a control group knows which processes belong to the group.
    #[must_use]
    pub fn knows_its_members(&self) -> bool {
        self.group.is_some()
    }

    fn counted(&self, others: &[i32]) -> Counted {
        let mut pids: Vec<i32> =
            std::iter::once(self.leader.as_raw()).chain(others.iter().copied()).collect();
        pids.extend(self.group.iter().flat_map(Group::members).map(Pid::as_raw));
        pids.sort_unstable();
        pids.dedup();
        Counted {
            pids,
            throttled: self.group.as_ref().and_then(Group::throttled).unwrap_or_default(),
            late: self.supervision.as_ref().map(Supervision::late).unwrap_or_default(),
            stolen: account::stolen(),
        }
    }

    /// The memory in use, where the kernel limits it.
    pub fn memory(&self) -> Option<Memory> {
        self.group.as_ref()?.memory()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_follow_memory() {
        assert!((share_of(1769) - 1.0).abs() < 1e-12);
        assert!((share_of(128) - 0.072_357).abs() < 1e-6);
    }

    #[test]
    fn mechanisms_are_read_by_their_names() {
        for mechanism in Mechanism::ALL {
            assert_eq!(mechanism.name().parse(), Ok(mechanism));
        }
        let error = "cgroups".parse::<Mechanism>().unwrap_err();
        assert_eq!(error, "must be cgroup-v2, cgroup-v1, duty-cycle");
    }
}
