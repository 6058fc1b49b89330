//! Starts processes from one thread that lives as long as the engine.
//!
//! The kernel ends a child with the *thread* that started it (`PR_SET_PDEATHSIG`), which is what keeps functions from
//! outliving a killed endpoint; started from a pool's thread they would die with that.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::sync::mpsc;

use nix::sys::signal::Signal;
use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::opt::Mount;

struct Job {
    command: Command,
    runtime: Handle,
    tell: oneshot::Sender<io::Result<Child>>,
}

/// The thread.
pub struct Spawner {
    jobs: mpsc::Sender<Job>,
}

impl Spawner {
    /// Starts the thread.
    pub fn start() -> Self {
        let (jobs, received) = mpsc::channel::<Job>();
        let thread = std::thread::Builder::new().name("lambda-spawner".to_owned());
        // Without a thread every spawn is answered with an error below.
        let _ = thread.spawn(move || {
            for mut job in received {
                let _context = job.runtime.enter();
                // Spawns never block for longer than fork and exec take.
                let _ = job.tell.send(job.command.spawn());
            }
        });
        Self { jobs }
    }

    /// Starts a process in a group of its own that dies with this program, behind these doors (see
    /// [`cpu_share::Room::doors`]) and with this at `/opt`.
    ///
    /// # Errors
    /// What the system said to fork or exec.
    pub async fn spawn(
        &self,
        mut command: Command,
        doors: Vec<OwnedFd>,
        opt: Option<Mount>,
    ) -> io::Result<Child> {
        let parent = std::process::id();
        command.process_group(0);
        // SAFETY: between fork and exec only system calls are made; nothing is allocated and no lock is taken.
        unsafe {
            command.as_std_mut().pre_exec(move || {
                nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
                // The parent may have died before the line above took effect.
                if nix::unistd::getppid().as_raw() as u32 != parent {
                    return Err(io::Error::from_raw_os_error(nix::libc::ESRCH));
                }
                cpu_share::enter(&doors)?;
                opt.as_ref().map_or(Ok(()), Mount::enter)
            });
        }
        let (tell, told) = oneshot::channel();
        let gone = || io::Error::other("the endpoint is shutting down");
        self.jobs.send(Job { command, runtime: Handle::current(), tell }).map_err(|_| gone())?;
        told.await.map_err(|_| gone())?
    }
}
