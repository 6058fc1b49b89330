//! The program, as a story: arguments → settings → command → exit status.
//!
//! Only this file ends the process, and only here are a command's result (stdout) and its failure (stderr) written.

use std::process::ExitCode;

use deployer::cli::{Arguments, Asked};
use deployer::context::Context;
use deployer::outcome::{Outcome, Status};
use deployer::{failure, outcome, settings};

fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args_os()) {
        Asked::Work(arguments) => arguments,
        Asked::Help(status) => return exit(status),
    };
    let json = arguments.json();
    let color = arguments.color();
    let status = match work(*arguments) {
        Ok(outcome) => outcome::print(&outcome, json),
        Err(error) => failure::print(&error, json, color),
    };
    exit(status)
}

/// Settings, then the command in a runtime of its own; the embedded endpoint, if one was started, is stopped at the end.
fn work(arguments: Arguments) -> anyhow::Result<Outcome> {
    let (settings, command) = settings::resolve(arguments)?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let context = Context::new(settings);
        let outcome = command.run(&context).await;
        context.close().await;
        outcome
    })
}

fn exit(status: Status) -> ExitCode {
    ExitCode::from(status.code())
}
