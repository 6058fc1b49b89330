//! The thread that speaks the Runtime API with every environment.
//!
//! It is one of its own for the sake of truth: between the event and the answer the function waits for this thread too, and
//! how long other work on the machine kept it from running is in the kernel's account of it. A pool's threads have much else
//! to do, so theirs would tell nothing.

use std::io;
use std::sync::OnceLock;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// The thread; it ends when this is dropped.
pub struct ApiThread {
    running: OnceLock<io::Result<Running>>,
}

struct Running {
    handle: Handle,
    thread: i32,
    _stop: oneshot::Sender<()>,
}

impl ApiThread {
    /// A thread that starts when it is first needed.
    pub fn new() -> Self {
        Self { running: OnceLock::new() }
    }

    fn running(&self) -> Result<&Running, &io::Error> {
        self.running.get_or_init(start).as_ref()
    }

    /// Where tasks are given to the thread.
    ///
    /// # Errors
    /// A thread that cannot be started.
    pub fn handle(&self) -> io::Result<&Handle> {
        match self.running() {
            Ok(running) => Ok(&running.handle),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        }
    }

    /// For how long it was ready to run and other work had the CPU, since it started.
    pub fn waited(&self) -> Duration {
        self.running().ok().and_then(|running| cpu_share::waited(running.thread)).unwrap_or_default()
    }
}

fn start() -> io::Result<Running> {
    let (tell, told) = std::sync::mpsc::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    std::thread::Builder::new().name("lambda-api".to_owned()).spawn(move || {
        let _ = tell.send(nix::unistd::gettid().as_raw());
        // Also when the sender is dropped.
        let _ = runtime.block_on(stopped);
    })?;
    let thread = told.recv().map_err(io::Error::other)?;
    Ok(Running { handle, thread, _stop: stop })
}
