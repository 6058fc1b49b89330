//! The program, as a story: arguments → settings → command → exit status.
//!
//! Only this file ends the process, and only here are a command's result (stdout) and its failure (stderr) written.

use std::process::ExitCode;

use deployer::cli::{Arguments, Asked};
use deployer::commands::Command;
use deployer::context::Context;
use deployer::outcome::{Chart, Outcome, Status};
use deployer::settings::{Output, Settings};
use deployer::{failure, interrupt, outcome, progress, resolve, site};

fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args_os()) {
        Asked::Work(arguments) => arguments,
        Asked::Help(status) => return exit(status),
    };
    let told = (arguments.json(), arguments.color());
    let status = match resolve::resolve(&arguments) {
        Err(error) => failure::print(&error, told.0, told.1),
        Ok((settings, command)) => {
            let output = settings.output;
            match work(settings, command) {
                Ok(outcome) => {
                    let status = outcome::print(&outcome, output.json);
                    outcome.chart().map_or(status, |chart| afterwards(chart, &output, status))
                }
                Err(error) => failure::print(&error, output.json, output.color),
            }
        }
    };
    exit(status)
}

/// The command in a runtime of its own. Ctrl-C ends it, unless it has a better answer; the embedded endpoint, if one was
/// started, is stopped at the end.
fn work(settings: Settings, command: Command) -> anyhow::Result<Outcome> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let context = Context::new(settings);
        let outcome = tokio::select! {
            // First, so that there is an ear for signals before anything is done.
            biased;
            interrupted = interrupt::unclaimed() => Err(interrupted),
            outcome = command.run(&context) => outcome,
        };
        context.close().await;
        outcome
    })
}

/// A result's chart, once the result was printed; the result decides the status.
fn afterwards(chart: &Chart, output: &Output, status: Status) -> Status {
    if let Ok(runtime) = tokio::runtime::Runtime::new() {
        runtime.block_on(site::show(chart, &progress::listener(output)));
    }
    status
}

fn exit(status: Status) -> ExitCode {
    ExitCode::from(status.code())
}
