//! Control groups of functions: made before a process starts, limited while it runs, removed when it has ended.
//!
//! A group lies below the endpoint's own where that is possible, so that whatever limits the endpoint limits its functions.
//! Its name carries the endpoint's process id and start time, by which a later endpoint knows what one that was killed
//! has left behind ([`names`]). Where groups can be made is found in [`place`]; they are removed by [`janitor`].

mod janitor;
mod names;
mod place;

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use nix::unistd::Pid;

use super::{Memory, PERIOD};
use janitor::Janitor;
use names::Names;
pub use place::enter;
use place::{Leaf, Place};

/// The least budget of a period the kernel takes, in µs.
const LEAST_QUOTA: u64 = 1000;

/// Which kind of control groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// A tree for each controller.
    V1,
    /// One tree for all.
    V2,
}

/// What a control group controls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Controller {
    /// CPU time.
    Cpu,
    /// Memory.
    Memory,
}

impl Controller {
    fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
        }
    }
}

/// Where this process makes groups. All endpoints in it share one.
pub struct Groups {
    cpu: Option<Place>,
    memory: Option<Place>,
    names: Names,
    // After everything is removed, and only then, the process may leave its leaf.
    janitor: Janitor,
    _leaf: Option<Leaf>,
    unavailable: Vec<String>,
}

/// How many groups this process has made.
static MADE: AtomicU64 = AtomicU64::new(0);

/// The one in use by now, for each list of versions it was looked for in.
static FOUND: Mutex<Vec<(Vec<Version>, Weak<Groups>)>> = Mutex::new(Vec::new());

impl Groups {
    /// Finds out where groups can be made, the first version first, by making one. Groups that dead endpoints have left
    /// are removed.
    ///
    /// # Errors
    /// Where none can be made: what stands in the way of each.
    pub fn find(versions: &[Version]) -> Result<Arc<Self>, Vec<String>> {
        let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
        found.retain(|(_, groups)| groups.strong_count() > 0);
        if let Some((_, groups)) = found.iter().find(|(of, _)| of == versions)
            && let Some(groups) = groups.upgrade()
        {
            groups.cpu.iter().chain(&groups.memory).for_each(|place| names::sweep(&place.folder));
            return Ok(groups);
        }
        let names = Names::of_this_process().map_err(|e| vec![format!("control groups: {e}")])?;
        let mut unavailable = Vec::new();
        let (mut cpu, mut memory, mut leaf) = (None, None, None);
        for version in versions {
            let wanted = [(Controller::Cpu, &cpu), (Controller::Memory, &memory)];
            let wanted: Vec<_> = wanted.into_iter().filter(|(_, p)| p.is_none()).map(|(c, _)| c).collect();
            let places = match version {
                Version::V1 => place::version_1(&wanted, &names, &mut unavailable),
                Version::V2 => {
                    let (places, own) = place::version_2(&wanted, &names, &mut unavailable);
                    leaf = own;
                    places
                }
            };
            for (controller, place) in places {
                match controller {
                    Controller::Cpu => cpu = Some(place),
                    Controller::Memory => memory = Some(place),
                }
            }
        }
        if cpu.is_none() && memory.is_none() {
            return Err(unavailable);
        }
        let janitor = Janitor::start().map_err(|e| vec![format!("control groups: {e}")])?;
        let groups = Arc::new(Self { cpu, memory, names, janitor, _leaf: leaf, unavailable });
        found.push((versions.to_vec(), Arc::downgrade(&groups)));
        Ok(groups)
    }

    /// Of which version the groups are that control this; `None` where none do.
    pub fn version(&self, controller: Controller) -> Option<Version> {
        let place = match controller {
            Controller::Cpu => &self.cpu,
            Controller::Memory => &self.memory,
        };
        place.as_ref().map(|place| place.version)
    }

    /// What stood in the way of better ones.
    pub fn unavailable(&self) -> &[String] {
        &self.unavailable
    }

    /// Makes a group of so much memory, without a limit of CPU time.
    ///
    /// # Errors
    /// What the system said. Nothing is left then.
    pub fn make(self: &Arc<Self>, memory_mb: u32) -> io::Result<Group> {
        let name = self.names.function(MADE.fetch_add(1, Ordering::Relaxed));
        let mut group = Group { cpu: None, memory: None, groups: Some(Arc::clone(self)) };
        if let Some(place) = &self.cpu {
            let folder = group.cpu.insert(Folder::make(place, &name)?);
            folder.limit_cpu(None)?;
        }
        if let Some(place) = &self.memory {
            // Version 2 has one folder for both.
            let made = group.cpu.as_ref().filter(|cpu| cpu.path == place.folder.join(&name)).cloned();
            let folder = group.memory.insert(made.map_or_else(|| Folder::make(place, &name), Ok)?);
            folder.limit_memory(u64::from(memory_mb) << 20)?;
        }
        Ok(group)
    }

    /// Waits until groups that have ended are removed.
    pub async fn cleared(&self) {
        self.janitor.idle().await;
    }
}

/// The control group of one function's processes: a folder, or one for each controller. Dropping it ends them all and
/// removes it.
pub struct Group {
    cpu: Option<Folder>,
    memory: Option<Folder>,
    groups: Option<Arc<Groups>>,
}

impl Group {
    fn folders(&self) -> impl Iterator<Item = &Folder> {
        let memory = self.memory.as_ref().filter(|m| self.cpu.as_ref().is_none_or(|c| c.path != m.path));
        self.cpu.iter().chain(memory)
    }

    /// The files that put a process here which writes `0` to them.
    ///
    /// # Errors
    /// What the system said.
    pub fn doors(&self) -> io::Result<Vec<OwnedFd>> {
        self.folders().map(|f| Ok(open(&f.path.join("cgroup.procs"))?.into())).collect()
    }

    /// Gives the group this share of a core from now on, with a fresh budget, or all there is.
    ///
    /// # Errors
    /// What the system said.
    pub fn limit(&self, share: Option<f64>) -> io::Result<()> {
        self.cpu.as_ref().map_or(Ok(()), |folder| folder.limit_cpu(share))
    }

    /// The processes in it.
    pub fn members(&self) -> Vec<Pid> {
        self.folders().next().map(|folder| members(&folder.path)).unwrap_or_default()
    }

    /// For how long its budget has kept it from running; `None` where that is not counted.
    pub fn throttled(&self) -> Option<Duration> {
        self.cpu.as_ref()?.throttled().ok()
    }

    /// What it used of its memory; `None` where that is not counted.
    pub fn memory(&self) -> Option<Memory> {
        self.memory.as_ref()?.memory().ok()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let folders = self.folders().map(|f| f.path.clone()).collect();
        if let Some(groups) = &self.groups {
            groups.janitor.remove(folders);
        }
    }
}

/// One control group in the file system.
#[derive(Debug, Clone)]
struct Folder {
    version: Version,
    path: PathBuf,
}

impl Folder {
    fn make(place: &Place, name: &str) -> io::Result<Self> {
        let path = place.folder.join(name);
        fs::create_dir(&path).map_err(|e| told(e, &path))?;
        Ok(Self { version: place.version, path })
    }

    fn write(&self, file: &str, value: &str) -> io::Result<()> {
        write(&self.path.join(file), value)
    }

    fn read(&self, file: &str) -> io::Result<String> {
        fs::read_to_string(self.path.join(file))
    }

    fn number(&self, file: &str) -> io::Result<u64> {
        let text = self.read(file)?;
        text.trim().parse().map_err(|_| io::Error::other(format!("{file} holds no number: {text}")))
    }

    /// A line `NAME NUMBER` of a file; 0 without it.
    fn entry(&self, file: &str, name: &str) -> io::Result<u64> {
        let text = self.read(file)?;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(value.and_then(|v| v.trim().parse().ok()).unwrap_or_default())
    }

    fn limit_cpu(&self, share: Option<f64>) -> io::Result<()> {
        let period = PERIOD.as_micros();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "µs of some cores")]
        let quota = share.map(|share| ((share * PERIOD.as_secs_f64() * 1e6).round() as u64).max(LEAST_QUOTA));
        match self.version {
            Version::V2 => {
                let quota = quota.map_or_else(|| "max".to_owned(), |q| q.to_string());
                self.write("cpu.max", &format!("{quota} {period}"))
            }
            Version::V1 => {
                if quota.is_none() {
                    self.write("cpu.cfs_period_us", &period.to_string())?;
                }
                self.write("cpu.cfs_quota_us", &quota.map_or_else(|| "-1".to_owned(), |q| q.to_string()))
            }
        }
    }

    fn throttled(&self) -> io::Result<Duration> {
        Ok(match self.version {
            Version::V2 => Duration::from_micros(self.entry("cpu.stat", "throttled_usec")?),
            Version::V1 => Duration::from_nanos(self.entry("cpu.stat", "throttled_time")?),
        })
    }

    fn limit_memory(&self, bytes: u64) -> io::Result<()> {
        let bytes = bytes.to_string();
        let (limit, swap, no_swap) = match self.version {
            Version::V2 => ("memory.max", "memory.swap.max", "0"),
            Version::V1 => ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", bytes.as_str()),
        };
        self.write(limit, &bytes)?;
        // Lambda has no swap. A kernel without it has no such file.
        if self.path.join(swap).exists() {
            self.write(swap, no_swap)?;
        }
        if self.version == Version::V2 && self.path.join("memory.oom.group").exists() {
            self.write("memory.oom.group", "1")?;
        }
        Ok(())
    }

    fn memory(&self) -> io::Result<Memory> {
        let (current, peak, events, files) = match self.version {
            Version::V2 => {
                ("memory.current", "memory.peak", "memory.events", ["inactive_file", "active_file"])
            }
            Version::V1 => (
                "memory.usage_in_bytes",
                "memory.max_usage_in_bytes",
                "memory.oom_control",
                ["total_inactive_file", "total_active_file"],
            ),
        };
        // Before Linux 5.19, version 2 keeps no peak.
        let most = self.number(peak).or_else(|_| self.number(current))?;
        // Files the function read or wrote stay in memory as long as nobody needs it, which is no use of it.
        let at_hand: u64 = files.iter().map(|f| self.entry("memory.stat", f)).sum::<io::Result<u64>>()?;
        let exceeded = self.entry(events, "oom_kill")? > 0;
        Ok(Memory { most_kb: most.saturating_sub(at_hand).div_ceil(1024), exceeded })
    }
}

/// The processes of a group, without those that are of another PID namespace.
fn members(folder: &Path) -> Vec<Pid> {
    let text = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    text.lines().filter_map(|l| l.parse().ok()).filter(|pid| *pid > 0).map(Pid::from_raw).collect()
}

fn open(file: &Path) -> io::Result<fs::File> {
    fs::OpenOptions::new().write(true).open(file).map_err(|e| told(e, file))
}

fn write(file: &Path, value: &str) -> io::Result<()> {
    fs::write(file, value).map_err(|e| told(e, file))
}

fn told(error: io::Error, file: &Path) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", file.display()))
}

#[cfg(test)]
mod tests;
