//! Removes control groups. The kernel lets none go before its last process is gone, and a process that was killed takes a
//! moment to go.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};

use super::members;

const PAUSE: Duration = Duration::from_millis(2);
/// A process in the midst of a system call that does not end cannot be waited for; a later endpoint removes its group.
const PATIENCE: Duration = Duration::from_secs(5);

/// A thread that removes groups. Dropping it waits until it has.
pub struct Janitor {
    orders: Option<mpsc::Sender<PathBuf>>,
    left: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Janitor {
    /// Starts the thread.
    ///
    /// # Errors
    /// What the system said.
    pub fn start() -> io::Result<Self> {
        let (orders, received) = mpsc::channel();
        let left = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&left);
        let thread = std::thread::Builder::new().name("lambda-janitor".to_owned());
        let thread = thread.spawn(move || work(&received, &count))?;
        Ok(Self { orders: Some(orders), left, thread: Some(thread) })
    }

    /// Ends whatever is in these groups and removes them, soon.
    pub fn remove(&self, folders: Vec<PathBuf>) {
        for folder in folders {
            kill_all(&folder);
            self.left.fetch_add(1, Ordering::AcqRel);
            // The thread ends only after this.
            let _ = self.orders.as_ref().map(|orders| orders.send(folder));
        }
    }

    /// Waits until none is left to remove, for a while.
    pub async fn idle(&self) {
        let until = Instant::now() + PATIENCE;
        while self.left.load(Ordering::Acquire) > 0 && Instant::now() < until {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        self.orders.take();
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn kill_all(folder: &std::path::Path) {
    for pid in members(folder) {
        let _ = kill(pid, Signal::SIGKILL);
    }
}

fn work(orders: &mpsc::Receiver<PathBuf>, left: &AtomicUsize) {
    let mut waiting: Vec<(PathBuf, Instant)> = Vec::new();
    let mut open = true;
    while open || !waiting.is_empty() {
        let order = match (open, waiting.is_empty()) {
            (true, true) => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
            (true, false) => orders.recv_timeout(PAUSE),
            (false, _) => {
                std::thread::sleep(PAUSE);
                Err(RecvTimeoutError::Timeout)
            }
        };
        match order {
            Ok(folder) => waiting.push((folder, Instant::now() + PATIENCE)),
            Err(RecvTimeoutError::Disconnected) => open = false,
            Err(RecvTimeoutError::Timeout) => {}
        }
        waiting.retain(|(folder, until)| {
            let busy = match fs::remove_dir(folder) {
                Ok(()) => false,
                Err(e) => e.kind() == io::ErrorKind::ResourceBusy && Instant::now() < *until,
            };
            if busy {
                // One that was just being started has come in after the others were ended.
                kill_all(folder);
            } else {
                left.fetch_sub(1, Ordering::AcqRel);
            }
            busy
        });
    }
}
