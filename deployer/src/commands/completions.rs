//! `completions SHELL`: the script that teaches a shell our verbs and options.

use std::fmt;

use anyhow::Context as _;
use serde::Serialize;

use crate::cli;
use crate::outcome::Outcome;

/// A completion script. As JSON: `{"shell","script"}`.
#[derive(Debug, Serialize)]
pub struct Completions {
    shell: String,
    script: String,
}

impl fmt::Display for Completions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.script)
    }
}

/// Writes the script.
///
/// # Errors
/// A shell that is not known, which the table of options does not let pass.
pub fn run(shell: String) -> anyhow::Result<Outcome> {
    let script = cli::completions(&shell).with_context(|| format!("there is no script for {shell}"))?;
    Outcome::new(&Completions { shell, script })
}
