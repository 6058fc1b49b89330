//! Counting instructions, which depend on neither the machine's speed nor on what else it does.

use std::path::Path;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::platform::{Platform, Work};

/// The instructions from the executable's first to its first answer, in user space, as valgrind counts them.
pub fn instructions(executable: &Path, platform: &Platform, work: Work) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let counts = folder.path().join("callgrind");
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--quiet"]);
    valgrind.arg(format!("--callgrind-out-file={}", counts.display())).arg(executable);
    platform.prepare(&mut valgrind, work);
    valgrind.env("PATH", std::env::var_os("PATH").unwrap());
    let mut process = valgrind.spawn().expect("valgrind is needed: apt-get install valgrind");
    platform.answered();
    // Asked to end, it still writes down what it has counted.
    kill(Pid::from_raw(process.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    process.wait().unwrap();
    let text = std::fs::read_to_string(counts).unwrap();
    text.lines().find_map(|line| line.strip_prefix("totals: ")).unwrap().trim().parse().unwrap()
}
