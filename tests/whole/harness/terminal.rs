//! A program in a terminal, and somebody before it who reads and types.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use super::program::{isolated, tool};

/// Runs a command in a terminal whose screen and keys are this program's standard output and input.
const TERMINAL: &str = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";

/// A program in a terminal.
pub struct Terminal {
    child: Child,
    written: Receiver<String>,
    shown: String,
}

impl Terminal {
    /// Starts it, with the variables that the command has.
    pub fn start(command: &Command) -> Self {
        let mut terminal = isolated(tool("python"));
        terminal.args(["-c", TERMINAL]).arg(command.get_program()).args(command.get_args());
        terminal.env("TERM", "xterm");
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => terminal.env(name, value),
                None => terminal.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            terminal.current_dir(folder);
        }
        let mut child = terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Python starts");
        let mut screen = child.stdout.take().expect("piped");
        let (sender, written) = channel();
        std::thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(length @ 1..) = screen.read(&mut part) {
                if sender.send(String::from_utf8_lossy(&part[..length]).into_owned()).is_err() {
                    return;
                }
            }
        });
        Self { child, written, shown: String::new() }
    }

    /// Waits until it shows a text.
    pub fn shows(&mut self, text: &str) {
        let until = Instant::now() + Duration::from_secs(120);
        while !self.shown.contains(text) {
            let left = until.saturating_duration_since(Instant::now());
            match self.written.recv_timeout(left) {
                Ok(part) => self.shown += &part,
                Err(_) => panic!("it never showed {text:?}, but:\n{}", self.shown),
            }
        }
    }

    /// What it shows after this text within a time.
    pub fn after(&mut self, text: &str, wait: Duration) -> String {
        self.shows(text);
        std::thread::sleep(wait);
        self.shown.extend(self.written.try_iter());
        self.shown.split_once(text).map(|(_, after)| after.to_owned()).unwrap_or_default()
    }

    /// Types something; `\x03` is Ctrl-C.
    pub fn types(&mut self, keys: &str) {
        let keyboard = self.child.stdin.as_mut().expect("piped");
        keyboard.write_all(keys.as_bytes()).and_then(|()| keyboard.flush()).expect("it still runs");
    }

    /// Waits for its end; gives its status and all that was shown.
    pub fn end(mut self) -> (Option<i32>, String) {
        self.shown.extend(self.written.iter());
        let status = self.child.wait().expect("it ends").code();
        (status, std::mem::take(&mut self.shown))
    }
}

/// A test that fails leaves no program behind.
impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
