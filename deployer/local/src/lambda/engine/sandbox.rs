//! What runs a function's code in an environment: a process of its own, or a handler in this process.

use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::Pid;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use super::api_thread::ApiThread;
use super::bootstrap::bootstrap;
use super::in_process::Task;
use super::journal::Journal;
use super::language::Launch;
use super::machinery::Machinery;
use super::opt::Opt;
use super::outcome::{Failure, Sign, exited, out_of_memory};
use super::process::{self, Groups};
use super::runtime_api::{Call, RuntimeApi};
use cpu_share::{Account, Limiter};

/// The unpacked package of a function, and what starts it.
pub struct Package {
    /// The package's folder.
    pub root: PathBuf,
    /// What to start; the package's own `bootstrap`, or that of its layers, when there is none.
    pub launch: Option<Launch>,
    /// What its layers hold.
    pub opt: Option<Opt>,
    /// The function's processor, `x86_64` or `arm64`.
    pub architecture: String,
}

/// What runs the code.
pub enum Sandbox {
    /// A process of its own.
    Process(Box<Process>),
    /// A handler in this process. It has no CPU share and no memory of its own.
    InProcess(Task),
}

impl Sandbox {
    /// Lets it run, at this share of a core or at full speed.
    ///
    /// # Errors
    /// When the machine cannot give the share.
    pub fn run(&self, share: Option<f64>) -> std::io::Result<()> {
        match self {
            Self::Process(process) => process.limiter.run(share),
            Self::InProcess(_) => Ok(()),
        }
    }

    /// Stops it until it is to run again.
    pub fn freeze(&self) {
        if let Self::Process(process) = self {
            process.limiter.freeze();
        }
    }

    /// The next that it does of itself; what it wrote is in the journal then.
    pub async fn next(&mut self, journal: &mut Journal) -> Sign {
        match self {
            Self::Process(process) => process.next(journal).await,
            Self::InProcess(task) => task.next(journal).await,
        }
    }

    /// Kills it and says how that reads.
    pub async fn crash(&mut self) -> Failure {
        match self {
            Self::Process(process) => {
                let _ = killpg(process.group, Signal::SIGKILL);
                let status = process.child.wait().await;
                process.exited(status)
            }
            Self::InProcess(task) => task.crash().await,
        }
    }

    /// Puts what was written up to now into the journal.
    pub fn drain_output(&mut self, journal: &mut Journal) {
        match self {
            Self::Process(process) => process.drain_output(journal),
            Self::InProcess(task) => task.drain_output(journal),
        }
    }

    /// Measures its memory, and says whether it is more than the function's size.
    pub fn over_memory(&mut self) -> bool {
        match self {
            Self::Process(process) => process.over_memory(),
            Self::InProcess(_) => false,
        }
    }

    /// Whether its memory is over the limit by the kernel's own account, which has killed a process for it.
    pub fn limited_by_kernel(&self) -> bool {
        matches!(self, Self::Process(process) if process.limiter.memory().is_some())
    }

    /// Begins to count how long it waits for a CPU that it has a right to. One that was just started has been counted from its
    /// start on.
    pub fn watch(&mut self, just_started: bool) {
        if let Self::Process(process) = self {
            let account = match just_started {
                true => Account::default(),
                false => process.limiter.account(&process.others()),
            };
            process.account = Some((account, process.api_thread.waited()));
        }
    }

    /// By how much that has delayed what took it so long at this share of a core, at most, since it was last watched. It is no
    /// longer counted then. None for what has no CPU share of its own.
    pub fn delay(&mut self, took: Duration, share: Option<f64>) -> Duration {
        let Self::Process(process) = self else { return Duration::ZERO };
        process.count();
        let Some((account, waited)) = process.account.take() else { return Duration::ZERO };
        let answering = process.api_thread.waited().saturating_sub(waited);
        process.limiter.delay(&account, took, share) + answering
    }

    /// The most memory it has used, in MB, at most the function's size; 0 where nobody can tell.
    pub fn max_memory_mb(&self) -> u64 {
        match self {
            Self::Process(process) => process.peak_kb.div_ceil(1024).min(u64::from(process.memory_mb)),
            Self::InProcess(_) => 0,
        }
    }

    /// Whether it runs.
    pub fn alive(&mut self) -> bool {
        match self {
            Self::Process(process) => matches!(process.child.try_wait(), Ok(None)),
            Self::InProcess(task) => task.alive(),
        }
    }

    /// Begins to end it and everything it started.
    pub fn kill(&self) {
        match self {
            Self::Process(process) => process.limiter.kill(),
            Self::InProcess(task) => task.kill(),
        }
    }

    /// Waits until it is gone.
    pub async fn gone(&mut self) {
        match self {
            Self::Process(process) => {
                let _ = process.child.wait().await;
            }
            Self::InProcess(task) => task.gone().await,
        }
    }
}

/// A process with everything in its group.
pub struct Process {
    memory_mb: u32,
    peak_kb: u64,
    output: pipe::Receiver,
    output_closed: bool,
    limiter: Limiter,
    /// Since it is watched: what the kernel counts of it, and had counted of the thread that it talks to.
    account: Option<(Account, Duration)>,
    api_thread: Arc<ApiThread>,
    group: Pid,
    child: Child,
    groups: Arc<Groups>,
    _api: RuntimeApi,
}

impl Process {
    /// Starts it; what it says to the Runtime API goes to `calls`.
    ///
    /// # Errors
    /// `Runtime.InvalidEntrypoint` when there is nothing to start.
    pub async fn start(
        package: Package,
        variables: Vec<(String, String)>,
        memory_mb: u32,
        calls: mpsc::Sender<(Instant, Call)>,
        machinery: &Machinery,
    ) -> Result<(Self, Option<String>), Failure> {
        let unable = |e: std::io::Error| Failure::new("Runtime.StartError", format!("Error: {e}"));
        let launch = match package.launch {
            Some(launch) => launch,
            None => bootstrap(&package.root, package.opt.as_ref(), &package.architecture)?,
        };
        let thread = machinery.api_thread.handle().map_err(unable)?;
        let api = RuntimeApi::listen(thread, calls).await.map_err(unable)?;
        let (reader, writer) = std::io::pipe().map_err(unable)?;
        let output = pipe::Receiver::from_owned_fd(OwnedFd::from(reader)).map_err(unable)?;
        let mut command = Command::new(&launch.program);
        command
            .args(launch.arguments)
            .current_dir(&package.root)
            .env_clear()
            .envs(variables)
            .env("AWS_LAMBDA_RUNTIME_API", api.address())
            .stdin(Stdio::null())
            .stdout(writer.try_clone().map_err(unable)?)
            .stderr(writer)
            .kill_on_drop(true);
        let room = machinery.shares.room(memory_mb).map_err(unable)?;
        let doors = room.doors().map_err(unable)?;
        let mount = package.opt.as_ref().and_then(Opt::mount);
        let child = machinery.spawner.spawn(command, doors, mount).await.map_err(|e| {
            let reason = match e.kind() {
                ErrorKind::PermissionDenied => denied(&package.root),
                ErrorKind::NotFound => "no such file or directory".to_owned(),
                _ => e.to_string(),
            };
            let program = match &launch.version {
                None if launch.program.starts_with(&package.root) => "/var/task/bootstrap".to_owned(),
                None => "/opt/bootstrap".to_owned(),
                Some(_) => launch.program.display().to_string(),
            };
            Failure::new("Runtime.InvalidEntrypoint", format!("Error: fork/exec {program}: {reason}"))
        })?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
        let group = group.ok_or_else(|| Failure::new("Runtime.ExitError", "Error: Runtime exited"))?;
        let process = Self {
            memory_mb,
            peak_kb: 0,
            output,
            output_closed: false,
            limiter: machinery.shares.limiter(group, room),
            account: None,
            api_thread: Arc::clone(&machinery.api_thread),
            group,
            child,
            groups: Arc::clone(&machinery.groups),
            _api: api,
        };
        Ok((process, launch.version))
    }

    async fn next(&mut self, journal: &mut Journal) -> Sign {
        let mut buffer = [0; 16 * 1024];
        tokio::select! {
            // Output may be endless, so it comes last.
            biased;
            status = self.child.wait() => Sign::Ended(self.exited(status)),
            read = read_some(&self.output, &mut buffer), if !self.output_closed => {
                match read {
                    Some(n) => journal.output(&buffer[..n]),
                    None => self.output_closed = true,
                }
                Sign::Wrote
            }
        }
    }

    /// Reads what has been written up to now. It asks the kernel itself, since the runtime's reactor may not have heard of
    /// the last piece yet.
    fn drain_output(&self, journal: &mut Journal) {
        let mut buffer = [0; 16 * 1024];
        while let Ok(n @ 1..) = nix::unistd::read(&self.output, &mut buffer) {
            journal.output(&buffer[..n]);
        }
    }

    fn exited(&self, status: std::io::Result<ExitStatus>) -> Failure {
        if self.limiter.memory().is_some_and(|memory| memory.exceeded) {
            return out_of_memory();
        }
        exited(status)
    }

    /// Counts on how long it has waited for a CPU, if that is counted.
    fn count(&mut self) {
        let others = self.account.as_ref().map(|_| self.others());
        if let (Some((account, _)), Some(others)) = (&mut self.account, others) {
            self.limiter.note(account, &others);
        }
    }

    /// Its processes besides the first, where no control group knows them.
    fn others(&self) -> Vec<i32> {
        if self.limiter.knows_its_members() { Vec::new() } else { self.groups.others(self.group.as_raw()) }
    }

    /// Reads how much memory is in use, and says whether that is too much.
    fn over_memory(&mut self) -> bool {
        self.count();
        let leader = self.group.as_raw();
        let own = process::resident(leader);
        if let Some(memory) = self.limiter.memory() {
            // The program itself lies in files, which the kernel counts for whoever read them first.
            self.peak_kb = self.peak_kb.max(memory.most_kb).max(own.map_or(0, |own| own.peak));
            return memory.exceeded;
        }
        if let Some(own) = own {
            let others = self.groups.others(leader);
            self.limiter.members(&others);
            let theirs: u64 = others.iter().filter_map(|pid| process::resident(*pid)).map(|m| m.now).sum();
            self.peak_kb = self.peak_kb.max(own.peak).max(own.now + theirs);
        }
        self.peak_kb > u64::from(self.memory_mb) * 1024
    }
}

/// Reads what is there, waiting for something; `None` at the end.
async fn read_some(output: &pipe::Receiver, buffer: &mut [u8]) -> Option<usize> {
    loop {
        output.readable().await.ok()?;
        match output.try_read(buffer) {
            Ok(0) => return None,
            Ok(n) => return Some(n),
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return None,
        }
    }
}
/// Why a file below the folder may not be executed. Lambda's words, unless this machine's own set-up is the reason.
fn denied(folder: &Path) -> String {
    match statvfs(folder) {
        Ok(system) if system.flags().contains(FsFlags::ST_NOEXEC) => format!(
            "permission denied, since the file system of {} is mounted with noexec: name a folder on another one with --state",
            folder.display()
        ),
        _ => "permission denied".to_owned(),
    }
}
