//! Runs a command with the share of a core that a memory size brings on Lambda: `share MEMORY_MB COMMAND [ARGUMENT...]`.

#![allow(clippy::print_stderr, reason = "it tells what it does")]

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitCode};
use std::time::Instant;

use cpu_share::{CpuShares, share_of};
use nix::unistd::Pid;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let memory = arguments.next().and_then(|mb| mb.parse().ok());
    let (Some(memory_mb), Some(program)) = (memory, arguments.next()) else {
        eprintln!("usage: share MEMORY_MB COMMAND [ARGUMENT...]");
        return ExitCode::from(2);
    };
    match run(memory_mb, &program, arguments).await {
        Ok(code) => code,
        Err(e) => {
            eprintln!("cannot run {program}: {e}");
            ExitCode::FAILURE
        }
    }
}

async fn run(
    memory_mb: u32,
    program: &str,
    arguments: impl Iterator<Item = String>,
) -> std::io::Result<ExitCode> {
    let cores = std::thread::available_parallelism()?.get();
    let shares = CpuShares::new(f64::from(u16::try_from(cores).unwrap_or(u16::MAX)), None);
    let room = shares.room(memory_mb)?;
    let doors = room.doors()?;
    let mut command = Command::new(program);
    command.args(arguments).process_group(0);
    // SAFETY: between fork and exec only system calls are made; nothing is allocated and no lock is taken.
    unsafe { command.pre_exec(move || cpu_share::enter(&doors)) };
    let began = Instant::now();
    let mut child = command.spawn()?;
    let leader = i32::try_from(child.id()).map_err(std::io::Error::other)?;
    let limiter = shares.limiter(Pid::from_raw(leader), room);
    limiter.run(Some(share_of(memory_mb)))?;
    let status = tokio::task::spawn_blocking(move || child.wait()).await.map_err(std::io::Error::other)??;
    eprintln!(
        "{:.2} s with {:.3} of a core by {}",
        began.elapsed().as_secs_f64(),
        share_of(memory_mb),
        shares.mechanism()
    );
    if let Some(memory) = limiter.memory() {
        eprintln!("{} MB at most{}", memory.most_kb / 1024, if memory.exceeded { ", too much" } else { "" });
    }
    drop(limiter);
    shares.close().await;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}
