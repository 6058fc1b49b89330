//! A draft of a plan, with comments that say what each line is for.

use std::fmt::Write as _;

use tuning::figures;

use super::Seen;

/// What a draft is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// Where its figures are from, as a sentence.
    pub about: String,
    /// The functions, those that matter most first.
    pub functions: Vec<Drafted>,
}

/// A function of a draft.
#[derive(Debug, Clone, PartialEq)]
pub struct Drafted {
    /// Its name.
    pub name: String,
    /// Its region.
    pub region: String,
    /// What is known of it, on one line.
    pub about: String,
    /// What it did, if it was invoked.
    pub seen: Option<Seen>,
    /// Why it is skipped, if it is.
    pub skip: Option<String>,
}

const HEAD: &str = r#"# The plan of a fleet: which functions are tuned, and how. It was written as a draft; edit it as you like.
#
# Names and values are those of the options of `deployer tune` (see `deployer tune --help`). What a function says
# wins over [defaults].
#
# A run invokes real code, so each function needs a payload that it can be sent many times without harm. A function without one is
# left out. One of these, below its [[function]]:
#   payload = { id = 42 }                 the event itself; {} for an empty one
#   payload = [{ payload = { id = 1 }, weight = 3 }, { payload = { id = 2 }, weight = 1 }]
#                                         several events; here the first one three times as often
#   payload-file = "event.json"           the same from a file beside this one
#   payload-s3 = "s3://bucket/event.json" the same from S3
# And, where a function differs from the others:
#   skip = "why"                          leaves it out
#   in-place = true                       measures the function itself, not a copy of it
#   strategy, limit, num, power-values …  as below
# `seen` is what the function did lately: estimates are made from it.
"#;

const DEFAULTS: &str = r#"
[defaults]
# The memory sizes: AUTO searches for the best one, [128, 512, 1024] tries these.
power-values = "AUTO"
# The best one is the cheapest (cost), the fastest (speed), or in between (balanced).
strategy = "cost"
# The slowest that is acceptable: of the sizes that keep it the best one is chosen.
# limit = "p95=300ms"
# true measures the functions themselves; false temporary copies of them, which the stack has to allow (`deployer up --copies also`).
in-place = false
"#;

/// The text of a draft.
#[must_use]
pub fn written(draft: &Draft) -> String {
    let mut text = HEAD.to_owned();
    // Writing to a text does not fail.
    let _ = writeln!(text, "#\n# {}", plain(&draft.about));
    text += DEFAULTS;
    for function in &draft.functions {
        let _ = write!(
            text,
            "\n# {}\n[[function]]\nname = {}\nregion = {}\n",
            plain(&function.about),
            quoted(&function.name),
            quoted(&function.region)
        );
        if let Some(Seen { days, invocations, average_ms, p99_ms, memory_mb }) = function.seen {
            // Estimates need no more decimals, and people read this.
            let ms = |ms| figures::trimmed(ms, 3);
            let _ = writeln!(
                text,
                "seen = {{ days = {days}, invocations = {}, average-ms = {}, p99-ms = {}, memory-mb = {memory_mb} }}",
                figures::trimmed(invocations, 0),
                ms(average_ms),
                ms(p99_ms),
            );
        }
        text += &match &function.skip {
            Some(why) => format!("skip = {}\n", quoted(why)),
            None => "# payload = {}\n".to_owned(),
        };
    }
    text
}

/// A comment's text on one line.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A text as TOML writes it.
fn quoted(text: &str) -> String {
    let mut quoted = "\"".to_owned();
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted + "\""
}
