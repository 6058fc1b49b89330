//! A share of a CPU for a process from its very start, by a control group of this benchmark's own.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// As the endpoint does it: short, and long enough for the least budget that the kernel takes.
const PERIOD_US: u64 = 20_000;

/// A control group, removed when dropped.
pub struct Share {
    folder: PathBuf,
    quota: [(&'static str, String); 2],
}

impl Share {
    /// Makes the group, of version 1 or 2, whichever lets it.
    pub fn new(share: f64) -> Result<Self, String> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "µs of a period")]
        let quota = (share * PERIOD_US as f64).round() as u64;
        let groups = std::fs::read_to_string("/proc/self/cgroup").map_err(|e| e.to_string())?;
        let own = |controllers: &str| {
            groups.lines().find_map(|line| {
                let mut parts = line.splitn(3, ':').skip(1);
                let of = parts.next()?;
                let path = parts.next()?.trim_start_matches('/');
                (of == controllers || of.split(',').any(|c| c == controllers)).then(|| path.to_owned())
            })
        };
        let name = format!("lambda-bench-{}", std::process::id());
        let mut problems = Vec::new();
        for (mounted, controllers, quota) in [
            (
                "/sys/fs/cgroup/cpu",
                "cpu",
                [("cpu.cfs_period_us", PERIOD_US.to_string()), ("cpu.cfs_quota_us", quota.to_string())],
            ),
            ("/sys/fs/cgroup", "", [("cpu.max", format!("{quota} {PERIOD_US}")), ("", String::new())]),
        ] {
            let Some(own) = own(controllers) else { continue };
            // A group with processes in it hands down no controllers in version 2: beside it, then.
            let above = if controllers.is_empty() { Path::new(&own).parent() } else { Some(Path::new(&own)) };
            for place in [Path::new(mounted).join(above.unwrap_or(Path::new(""))), PathBuf::from(mounted)] {
                let made = Self { folder: place.join(&name), quota: quota.clone() };
                match std::fs::create_dir(&made.folder).and_then(|()| made.renew()) {
                    Ok(()) => return Ok(made),
                    Err(e) => problems.push(format!("{}: {e}", made.folder.display())),
                }
            }
        }
        Err(format!("no control group can be made: {}", problems.join("; ")))
    }

    /// Sets the limit, which comes with a fresh budget.
    fn renew(&self) -> io::Result<()> {
        self.quota
            .iter()
            .filter(|(file, _)| !file.is_empty())
            .try_for_each(|(file, value)| std::fs::write(self.folder.join(file), value))
    }

    /// Lets the process start in the group.
    pub fn apply(&self, command: &mut Command) {
        self.renew().unwrap();
        let door = std::fs::OpenOptions::new().write(true).open(self.folder.join("cgroup.procs")).unwrap();
        // SAFETY: between fork and exec it does one system call, on a file that is open.
        unsafe {
            command.pre_exec(move || io::Write::write_all(&mut &door, b"0"));
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        // What has just been killed may still be leaving.
        for _ in 0..100 {
            if std::fs::remove_dir(&self.folder).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}
