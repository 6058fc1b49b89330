//! Ctrl-C and SIGTERM: whoever has something to bring to an end claims them; otherwise they end the program.
//!
//! One listener ([`unclaimed`], run by `main` beside the command) hears the signals. It tells those that wait in
//! [`interrupted`], or, when nobody does, ends, and with it the command. So a second Ctrl-C, while the first is being
//! dealt with, ends the program at once.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

static CLAIMS: AtomicUsize = AtomicUsize::new(0);
static HEARD: Notify = Notify::const_new();

/// A claim on the next signal, as long as it lives.
struct Claim;

impl Claim {
    fn new() -> Self {
        CLAIMS.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        CLAIMS.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Waits for a signal, which is the caller's to deal with. What is under way goes on meanwhile.
pub async fn interrupted() {
    let _claim = Claim::new();
    HEARD.notified().await;
}

/// Why the program ends before its work is done.
#[derive(Debug, thiserror::Error)]
pub enum Interrupted {
    /// A signal came.
    #[error("interrupted")]
    Signal,
    /// A signal came; the text says what becomes of the work that was under way.
    #[error("interrupted; {0}")]
    AtWork(&'static str),
}

/// Listens for signals and passes them on; ends with the first one that nobody claims, or when the system does not let it listen.
pub async fn unclaimed() -> anyhow::Error {
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return anyhow::Error::new(error).context("listening for Ctrl-C"),
    };
    loop {
        signals.next().await;
        if CLAIMS.load(Ordering::SeqCst) == 0 {
            return Interrupted::Signal.into();
        }
        HEARD.notify_waiters();
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(windows)]
struct Signals(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    async fn next(&mut self) {
        self.0.recv().await;
    }
}
