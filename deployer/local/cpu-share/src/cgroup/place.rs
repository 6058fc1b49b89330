//! Where this process can make control groups: below its own where that is possible, in version 2 otherwise below the
//! nearest group above it that lets it.
//!
//! Version 2 is particular: only a group without processes of its own can hand controllers down, and moving a process
//! takes leave to write to the group that old and new place have in common. What systemd delegates to a user meets both one
//! level above the user's own scope; an endpoint alone in its group makes room by moving to a leaf below.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::names::{Names, sweep};
use super::{Controller, Folder, Group, Version, members, open, write};

/// A group that functions' groups can be made in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Of which version it is.
    pub version: Version,
    /// It.
    pub folder: PathBuf,
}

/// Where control groups are mounted and which this process is in.
#[derive(Debug, PartialEq, Eq)]
struct Own {
    /// The uppermost group to be seen.
    mounted: PathBuf,
    /// The process's own.
    folder: PathBuf,
}

fn own(version: Version, controller: Controller) -> io::Result<Option<Own>> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let groups = fs::read_to_string("/proc/self/cgroup")?;
    Ok(find(&mounts, &groups, version, controller))
}

/// Reads the two files of `/proc` (see cgroups(7) and proc(5)).
fn find(mounts: &str, groups: &str, version: Version, controller: Controller) -> Option<Own> {
    let (kind, named) = match version {
        Version::V1 => ("cgroup", Some(controller.name())),
        Version::V2 => ("cgroup2", None),
    };
    let of = |list: &str| named.is_none_or(|name| list.split(',').any(|c| c == name));
    let (root, mounted) = mounts.lines().find_map(|line| {
        let (mount, system) = line.split_once(" - ")?;
        let mut system = system.split(' ');
        let (kind_here, options) = (system.next()?, system.nth(1)?);
        let mut mount = mount.split(' ').skip(3);
        (kind_here == kind && of(options)).then_some((mount.next()?, mount.next()?))
    })?;
    let path = groups.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        (of(controllers) && (named.is_some() || controllers.is_empty())).then_some(path)
    })?;
    // In a container the mount shows a part of the tree only.
    let below = Path::new(path).strip_prefix(root).ok()?;
    let mounted = PathBuf::from(mounted);
    Some(Own { folder: if below == Path::new("") { mounted.clone() } else { mounted.join(below) }, mounted })
}

/// The places for these controllers in version 1. What stands in the way is noted.
pub fn version_1(
    wanted: &[Controller],
    names: &Names,
    unavailable: &mut Vec<String>,
) -> Vec<(Controller, Place)> {
    let mut places = Vec::new();
    for controller in wanted {
        let found = own(Version::V1, *controller).and_then(|own| {
            let own = own.ok_or_else(|| io::Error::other("the controller is not mounted"))?;
            let place = Place { version: Version::V1, folder: own.folder };
            attempt(&place, &[*controller], names).map(|()| place)
        });
        match found {
            Ok(place) => places.push((*controller, place)),
            Err(e) => unavailable.push(format!("cgroup v1, {}: {e}", controller.name())),
        }
    }
    places
}

/// The place for these controllers in version 2, and the process's stay in a leaf if that takes one.
pub fn version_2(
    wanted: &[Controller],
    names: &Names,
    unavailable: &mut Vec<String>,
) -> (Vec<(Controller, Place)>, Option<Leaf>) {
    let mut note = |controllers: &[Controller], why: &str| {
        let list: Vec<_> = controllers.iter().map(|c| c.name()).collect();
        unavailable.push(format!("cgroup v2, {}: {why}", list.join(" and ")));
    };
    let own = match own(Version::V2, Controller::Cpu) {
        Ok(Some(own)) => own,
        Ok(None) => {
            note(wanted, "not mounted");
            return (Vec::new(), None);
        }
        Err(e) => {
            note(wanted, &e.to_string());
            return (Vec::new(), None);
        }
    };
    let mut leaf = Leaf::stay();
    let start = match &leaf {
        Some(_) => own.folder.parent().unwrap_or(&own.folder),
        None => &own.folder,
    };
    let mut why = "no group here hands the controller down".to_owned();
    // All of them in one place, or else those that there is a place for.
    for controllers in [wanted, &wanted[..wanted.len().min(1)], &wanted[wanted.len().min(1)..]] {
        for folder in start.ancestors().take_while(|f| f.starts_with(&own.mounted)) {
            if controllers.is_empty() || !offers(folder, controllers) {
                continue;
            }
            let alone = folder == own.folder && leaf.is_none() && alone_in(folder);
            let place = Place { version: Version::V2, folder: folder.to_owned() };
            let attempted = if alone {
                Leaf::enter(folder, names).and_then(|own| {
                    attempt(&place, controllers, names)?;
                    leaf = Some(own);
                    Ok(())
                })
            } else {
                attempt(&place, controllers, names)
            };
            match attempted {
                Ok(()) => {
                    let rest: Vec<_> = wanted.iter().filter(|c| !controllers.contains(c)).copied().collect();
                    if !rest.is_empty() {
                        note(&rest, &why);
                    }
                    return (controllers.iter().map(|c| (*c, place.clone())).collect(), leaf);
                }
                Err(e) => why = e.to_string(),
            }
        }
    }
    note(wanted, &why);
    (Vec::new(), None)
}

/// Whether a group has these controllers to hand down.
fn offers(folder: &Path, controllers: &[Controller]) -> bool {
    let offered = fs::read_to_string(folder.join("cgroup.controllers")).unwrap_or_default();
    controllers.iter().all(|c| offered.split_whitespace().any(|o| o == c.name()))
}

fn alone_in(folder: &Path) -> bool {
    let own = i32::try_from(std::process::id()).unwrap_or_default();
    // The uppermost group may have processes and children alike, and has no type.
    folder.join("cgroup.type").exists() && members(folder).iter().all(|pid| pid.as_raw() == own)
}

/// Makes a group, limits it, lets a process into it, and removes it, to see that all of that can be done.
fn attempt(place: &Place, controllers: &[Controller], names: &Names) -> io::Result<()> {
    sweep(&place.folder);
    if place.version == Version::V1 {
        return try_and_remove(place, controllers, names);
    }
    let handed = hand_down(&place.folder, controllers)?;
    let tried = try_and_remove(place, controllers, names);
    if tried.is_err() {
        take_back(&place.folder, &handed);
    }
    tried
}

fn try_and_remove(place: &Place, controllers: &[Controller], names: &Names) -> io::Result<()> {
    let folder = Folder::make(place, &names.trial())?;
    let path = folder.path.clone();
    let tried = try_out(folder, controllers);
    for _ in 0..500 {
        match fs::remove_dir(&path) {
            Err(e) if e.kind() == io::ErrorKind::ResourceBusy => {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            removed => return tried.and(removed),
        }
    }
    tried
}

fn try_out(folder: Folder, controllers: &[Controller]) -> io::Result<()> {
    for controller in controllers {
        match controller {
            Controller::Cpu => {
                folder.limit_cpu(None)?;
                folder.limit_cpu(Some(128.0 / super::super::MEMORY_PER_CORE))?;
                folder.limit_cpu(None)?;
            }
            Controller::Memory => {
                folder.limit_memory(128 << 20)?;
                folder.memory()?;
            }
        }
    }
    let group = Group { cpu: Some(folder), memory: None, groups: None };
    let doors = group.doors()?;
    let mut child = Command::new("true");
    // SAFETY: between fork and exec only system calls are made; nothing is allocated and no lock is taken.
    unsafe {
        child.pre_exec(move || enter(&doors));
    }
    child.status().map(|_| ())
}

/// Puts the calling process behind the doors of [`Group::doors`]. To be called between fork and exec.
///
/// # Errors
/// What the system said.
pub fn enter(doors: &[std::os::fd::OwnedFd]) -> io::Result<()> {
    for door in doors {
        nix::unistd::write(door, b"0")?;
    }
    Ok(())
}

/// Hands controllers down from a group to those below it, all or none; says which it had not before.
fn hand_down(folder: &Path, controllers: &[Controller]) -> io::Result<Vec<Controller>> {
    let file = folder.join("cgroup.subtree_control");
    let before = fs::read_to_string(&file)?;
    let mut handed = Vec::new();
    for controller in controllers {
        if before.split_whitespace().any(|b| b == controller.name()) {
            continue;
        }
        // CPU time may be handed down where there are processes, memory may not.
        if let Err(e) = write(&file, &format!("+{}", controller.name())) {
            take_back(folder, &handed);
            return Err(e);
        }
        handed.push(*controller);
    }
    Ok(handed)
}

fn take_back(folder: &Path, controllers: &[Controller]) {
    for controller in controllers {
        let _ = write(&folder.join("cgroup.subtree_control"), &format!("-{}", controller.name()));
    }
}

/// This process's stay in a group below its own, left when the last holder drops it.
pub struct Leaf(());

struct Stay {
    holders: usize,
    above: PathBuf,
    leaf: PathBuf,
}

static STAY: Mutex<Option<Stay>> = Mutex::new(None);

fn stay() -> MutexGuard<'static, Option<Stay>> {
    STAY.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Leaf {
    /// Holds on to the leaf that the process is in already.
    fn stay() -> Option<Self> {
        stay().as_mut().map(|stay| {
            stay.holders += 1;
            Self(())
        })
    }

    /// Moves the process out of its group into one below it.
    fn enter(above: &Path, names: &Names) -> io::Result<Self> {
        let leaf = above.join(names.leaf());
        fs::create_dir(&leaf)?;
        if let Err(e) = move_to(&leaf) {
            let _ = fs::remove_dir(&leaf);
            return Err(e);
        }
        *stay() = Some(Stay { holders: 1, above: above.to_owned(), leaf });
        Ok(Self(()))
    }
}

impl Drop for Leaf {
    fn drop(&mut self) {
        let mut state = stay();
        let Some(stay) = state.as_mut() else { return };
        stay.holders -= 1;
        if stay.holders > 0 {
            return;
        }
        // No process may be where controllers are handed down.
        take_back(&stay.above, &[Controller::Cpu, Controller::Memory]);
        let _ = move_to(&stay.above);
        let _ = fs::remove_dir(&stay.leaf);
        *state = None;
    }
}

fn move_to(folder: &Path) -> io::Result<()> {
    use std::io::Write as _;
    open(&folder.join("cgroup.procs"))?.write_all(b"0")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
31 23 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid - cgroup cgroup rw,cpu,cpuacct
32 23 0:28 / /sys/fs/cgroup/cpuset rw,nosuid - cgroup cgroup rw,cpuset
33 23 0:29 /docker/abc /sys/fs/cgroup/memory ro,nosuid master:12 - cgroup cgroup rw,memory
34 23 0:30 / /sys/fs/cgroup/unified rw,nosuid - cgroup2 cgroup2 rw,nsdelegate
";
    const GROUPS: &str = "\
9:cpuset:/sets/one
4:memory:/docker/abc/inner
3:cpu,cpuacct:/
1:name=systemd:/user.slice
0::/user.slice/user-1000.slice/user@1000.service/app.slice/term.scope
";

    fn found(version: Version, controller: Controller) -> Option<(String, String)> {
        let own = find(HYBRID, GROUPS, version, controller)?;
        Some((own.mounted.display().to_string(), own.folder.display().to_string()))
    }

    #[test]
    fn the_own_group_is_found_in_both_versions() {
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        let cpu = "/sys/fs/cgroup/cpu,cpuacct";
        assert_eq!(found(Version::V1, Controller::Cpu), pair(cpu, cpu));
        // The mount shows the container's part of the tree.
        let memory = "/sys/fs/cgroup/memory";
        assert_eq!(found(Version::V1, Controller::Memory), pair(memory, "/sys/fs/cgroup/memory/inner"));
        let unified = "/sys/fs/cgroup/unified";
        let scope = format!("{unified}/user.slice/user-1000.slice/user@1000.service/app.slice/term.scope");
        assert_eq!(found(Version::V2, Controller::Cpu), pair(unified, &scope));
        let elsewhere = GROUPS.replace("/docker/abc/inner", "/docker/xyz");
        assert_eq!(find(HYBRID, &elsewhere, Version::V1, Controller::Memory), None);
    }

    #[test]
    fn controllers_are_handed_down_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        fs::write(file("cgroup.controllers"), "cpuset cpu io memory pids\n").unwrap();
        fs::write(file("cgroup.subtree_control"), "memory\n").unwrap();
        assert!(offers(folder.path(), &[Controller::Cpu, Controller::Memory]));
        let handed = hand_down(folder.path(), &[Controller::Cpu, Controller::Memory]).unwrap();
        assert_eq!(handed, [Controller::Cpu]);
        assert_eq!(fs::read_to_string(file("cgroup.subtree_control")).unwrap(), "+cpu");
        fs::write(file("cgroup.controllers"), "cpuset memory\n").unwrap();
        assert!(!offers(folder.path(), &[Controller::Cpu]) && offers(folder.path(), &[Controller::Memory]));
    }
}
