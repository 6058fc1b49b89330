//! What every command needs to know, resolved. Plain values; `resolve` makes them.

use std::path::PathBuf;

use local_aws::lambda::{Disturbed, Mechanism};

/// What every command needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where calls go.
    pub target: Target,
    /// The stack that this is about.
    pub stack_name: String,
    /// The options that lead another command to the same place and stack, as they were given: ` --region eu-west-1`.
    pub same_place: String,
    /// Whether questions are taken as answered with yes.
    pub yes: bool,
    /// How to tell the user.
    pub output: Output,
}

/// Where calls go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// AWS, or another endpoint that speaks its protocols.
    Aws {
        /// The profile, unless the SDK is to choose.
        profile: Option<String>,
        /// The region, unless the SDK is to find it.
        region: Option<String>,
        /// The endpoint, unless it is AWS's own.
        endpoint_url: Option<String>,
    },
    /// The endpoint in this program.
    Local {
        /// Its state folder.
        state: PathBuf,
        /// The region that its ARNs name.
        region: String,
        /// What is to enforce CPU shares, unless it is the best this machine has.
        cpu_share: Option<Mechanism>,
        /// What becomes of invocations that other work on this machine disturbed.
        disturbed: Disturbed,
    },
}

impl Settings {
    /// A command for the user to run on the same stack in the same place.
    #[must_use]
    pub fn command(&self, words: &str) -> String {
        format!("deployer {words}{}", self.same_place)
    }

    /// Whether the endpoint in this program answers.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self.target, Target::Local { .. })
    }
}

/// How to tell the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Output {
    /// The result as JSON on stdout, events as JSON lines on stderr.
    pub json: bool,
    /// Colours on stderr.
    pub color: bool,
    /// How much on stderr.
    pub verbosity: Verbosity,
}

/// How much is said on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    /// Warnings and errors.
    Quiet,
    /// What happens.
    Normal,
    /// Every detail.
    Verbose,
}

/// A text as a shell takes it.
#[must_use]
pub fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,=@%+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}
