//! `completions SHELL`: the script that teaches a shell our verbs and options.

use std::fmt;

use serde::Serialize;

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
/// None that happen: the script is text.
pub fn run(shell: clap_complete::Shell) -> anyhow::Result<Outcome> {
    Outcome::new(&Completions { shell: shell.to_string(), script: crate::cli::completions(shell) })
}
