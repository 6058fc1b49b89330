//! The names of control groups: whose they are, and whether that process still runs.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};

use super::members;

const PREFIX: &str = "deployer-local-";
const SWEEP_TRIES: u32 = 50;
const SWEEP_PAUSE: Duration = Duration::from_millis(2);

/// The names of one process's groups.
#[derive(Debug, Clone)]
pub struct Names {
    prefix: String,
}

impl Names {
    /// This process's.
    ///
    /// # Errors
    /// Without `/proc`.
    pub fn of_this_process() -> io::Result<Self> {
        let pid = std::process::id();
        let started = started(pid).ok_or_else(|| io::Error::other("/proc does not know this process"))?;
        // A process id comes again, with its start time it does not.
        Ok(Self { prefix: format!("{PREFIX}{pid}-{started}-") })
    }

    /// Of a function.
    pub fn function(&self, number: u64) -> String {
        format!("{}{number}", self.prefix)
    }

    /// Of what is made to see whether it can be.
    pub fn trial(&self) -> String {
        format!("{}trial", self.prefix)
    }

    /// Of the group that the process itself moves to.
    pub fn leaf(&self) -> String {
        format!("{}own", self.prefix)
    }
}

/// When a process started, in the kernel's ticks since it booted.
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

/// Whether a group was left by a process that is no more.
fn is_left(name: &str) -> bool {
    let mut parts = name.strip_prefix(PREFIX).into_iter().flat_map(|rest| rest.splitn(3, '-'));
    let (Some(Ok(pid)), Some(Ok(start)), Some(_)) =
        (parts.next().map(str::parse), parts.next().map(str::parse), parts.next())
    else {
        return false;
    };
    started(pid) != Some(start)
}

/// Removes what dead endpoints have left in a folder, and ends what they had started in there.
pub fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if !entry.file_name().to_str().is_some_and(is_left) {
            continue;
        }
        for _ in 0..SWEEP_TRIES {
            for pid in members(&entry.path()) {
                let _ = kill(pid, Signal::SIGKILL);
            }
            match fs::remove_dir(entry.path()) {
                Err(e) if e.kind() == io::ErrorKind::ResourceBusy => std::thread::sleep(SWEEP_PAUSE),
                _ => break,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_groups_of_dead_endpoints_are_left_behind() {
        let names = Names::of_this_process().unwrap();
        assert!(!is_left(&names.function(7)) && !is_left(&names.trial()) && !is_left(&names.leaf()));
        let pid = std::process::id();
        assert!(is_left(&format!("deployer-local-{pid}-1-7")), "an earlier process of the same id");
        assert!(is_left("deployer-local-4194304999-1-own"));
        for other in ["deployer-local-", "deployer-local-x-1-7", "deployer-local-1-7", "docker-1-1-1"] {
            assert!(!is_left(other), "{other}");
        }
    }

    #[test]
    fn a_sweep_takes_what_is_left_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let names = Names::of_this_process().unwrap();
        let keep = [names.function(1), "user.slice".to_owned()];
        for name in keep.iter().map(String::as_str).chain(["deployer-local-4194304999-1-3"]) {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        sweep(folder.path());
        assert!(keep.iter().all(|name| folder.path().join(name).exists()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
