//! `/opt`: what a function's layers hold, where Lambda has it.
//!
//! A process that may (root on Linux, and not in every container) gets a view of the file system of its own, in which the
//! layers' folder lies at `/opt`, to be read only; nothing of it reaches the machine. Elsewhere the folder keeps the name that
//! it has here, and only the variables that name `/opt` lead to it.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

/// Where Lambda has the layers.
pub const OPT: &str = "/opt";

/// The layers of an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opt {
    /// The folder on this machine.
    pub folder: PathBuf,
    /// Where the function sees it: `/opt`, or the folder itself.
    pub path: PathBuf,
}

impl Opt {
    /// The layers in this folder, for a process that needs these files and folders of the machine.
    pub fn new(folder: PathBuf, needed: &[&Path]) -> Self {
        let hidden = |path: &Path| {
            path.starts_with(OPT) || path.canonicalize().is_ok_and(|behind| behind.starts_with(OPT))
        };
        let mounted = !needed.iter().copied().chain([folder.as_path()]).any(hidden) && may_mount(&folder);
        let path = if mounted { PathBuf::from(OPT) } else { folder.clone() };
        Self { folder, path }
    }

    /// What is to be done between fork and exec; `None` when the folder keeps its name.
    pub fn mount(&self) -> Option<Mount> {
        (self.path != self.folder).then(|| Mount::new(&self.folder)).flatten()
    }

    /// What is not as on Lambda, as sentences.
    pub fn differences(&self) -> Vec<String> {
        let mut differences = Vec::new();
        if self.path == self.folder {
            differences.push(format!(
                "absolute paths into /opt do not lead to the layers, which takes root, and an interpreter and a state folder \
                 outside of /opt; PATH, LD_LIBRARY_PATH and the language's own path lead to them in {}",
                self.folder.display()
            ));
        }
        let entries = std::fs::read_dir(self.folder.join("extensions")).into_iter().flatten().flatten();
        let mut extensions: Vec<String> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        if !extensions.is_empty() {
            extensions.sort();
            differences.push(format!(
                "the layers' extensions are not run on this machine: {}",
                extensions.join(", ")
            ));
        }
        differences
    }
}

/// A folder to be put at `/opt` for one process.
pub struct Mount {
    folder: CString,
}

impl Mount {
    fn new(folder: &Path) -> Option<Self> {
        CString::new(folder.as_os_str().as_bytes()).ok().map(|folder| Self { folder })
    }

    /// Gives the calling process its own view. For between fork and exec: it makes system calls and nothing else.
    ///
    /// # Errors
    /// What the system refused.
    pub fn enter(&self) -> io::Result<()> {
        const NONE: Option<&str> = None;
        unshare(CloneFlags::CLONE_NEWNS)?;
        // What the machine mounts and unmounts later is seen here too; what is done here is not seen there.
        mount(NONE, "/", NONE, MsFlags::MS_SLAVE | MsFlags::MS_REC, NONE)?;
        mount(Some(self.folder.as_c_str()), OPT, NONE, MsFlags::MS_BIND, NONE)?;
        let read_only = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        mount(NONE, OPT, NONE, read_only, NONE)?;
        Ok(())
    }
}

/// Whether this program may do that, found out once by doing it.
fn may_mount(folder: &Path) -> bool {
    static MAY: OnceLock<bool> = OnceLock::new();
    *MAY.get_or_init(|| {
        let Some(mount) = Mount::new(folder) else { return false };
        let mut command = Command::new("/bin/sh");
        command.args(["-c", ":"]).env_clear();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // SAFETY: between fork and exec only system calls are made; nothing is allocated and no lock is taken.
        unsafe { command.pre_exec(move || mount.enter()) };
        command.status().is_ok_and(|status| status.success())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_function_needs_is_not_hidden() {
        let folder = tempfile::tempdir().unwrap();
        let opt = Opt::new(folder.path().to_owned(), &[Path::new("/opt/node/bin/node")]);
        assert_eq!(opt.path, folder.path());
        assert!(opt.mount().is_none());
        let link = folder.path().join("python");
        std::os::unix::fs::symlink("/opt", &link).unwrap();
        assert_eq!(Opt::new(folder.path().to_owned(), &[&link]).path, folder.path());
    }

    #[test]
    fn what_is_not_as_on_lambda_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &Path| Opt { folder: folder.path().to_owned(), path: path.to_owned() }.differences();
        assert_eq!(at(Path::new(OPT)), Vec::<String>::new());
        std::fs::create_dir(folder.path().join("extensions")).unwrap();
        std::fs::write(folder.path().join("extensions/watcher"), "").unwrap();
        assert_eq!(at(Path::new(OPT)), ["the layers' extensions are not run on this machine: watcher"]);
        let said = at(folder.path());
        assert!(said[0].starts_with("absolute paths into /opt") && said.len() == 2, "{said:?}");
    }
}
