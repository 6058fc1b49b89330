//! What a result says in words: one place for the terminal, the Markdown report and the chart page. Plain numbers in, words out.

use crate::figures;
use crate::strategy::{Candidate, Strategy};

/// The beginning of what a result says: "thumbnails should have 512 MB, the cheapest". `power` is in MB; `why` is empty, or begins with a comma.
#[must_use]
pub fn recommendation(function: &str, power: u32, why: &str) -> String {
    format!("{function} should have {power} MB{why}")
}

/// Why a strategy chose a size, to be read after it.
#[must_use]
pub const fn why(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::Cost => ", the cheapest",
        Strategy::Speed => ", the fastest",
        Strategy::Balanced => ", the best balance",
    }
}

/// What another size changes, in per cent to a tenth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// How much less an invocation costs; negative when it costs more.
    pub cheaper_percent: f64,
    /// How much less time an invocation takes; negative when it takes more.
    pub faster_percent: f64,
}

impl Change {
    /// From one size's figures to another's.
    #[must_use]
    pub fn new(before: Candidate, after: Candidate) -> Self {
        Self {
            cheaper_percent: saved(before.cost, after.cost),
            faster_percent: saved(before.duration, after.duration),
        }
    }

    /// "38 % cheaper, 12 % faster".
    #[must_use]
    pub fn summary(self) -> String {
        let cost = words(self.cheaper_percent, ["cheaper", "more expensive", "same cost"]);
        cost + ", " + &words(self.faster_percent, ["faster", "slower", "same duration"])
    }
}

/// A run at one of its sizes, for a comparison.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// What the run is called.
    pub name: &'a str,
    /// The size in MB.
    pub power: u32,
    /// What an invocation costs and takes there.
    pub figures: Candidate,
}

/// How a run at its cheapest size compares with another at its own.
#[must_use]
pub fn compared(run: Named<'_>, with: Named<'_>) -> String {
    format!(
        "{} at its cheapest size, {} MB, against {} at its own, {} MB: duration {}, cost {}",
        run.name,
        run.power,
        with.name,
        with.power,
        figures::difference(run.figures.duration, with.figures.duration),
        figures::difference(run.figures.cost, with.figures.cost),
    )
}

/// Longer names are cut in sentences and in the terminal; links have them whole.
const LONGEST_NAME: usize = 40;

/// A run's name within a text. Links come from anybody: control characters would reach the terminal, and ones that turn the direction of
/// writing would reach what stands beside them.
#[must_use]
pub fn short(name: &str) -> String {
    let turns =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut plain = name.chars().map(|c| if c.is_control() || turns(c) { '\u{fffd}' } else { c });
    let mut text: String = plain.by_ref().take(LONGEST_NAME).collect();
    if plain.next().is_some() {
        text.push('…');
    }
    text
}

/// What a month costs: "$6.00 instead of $9.00 with 128 MB, $3.00 less". `before` is what it costs with the function's `present` size in MB,
/// `saving` how much less it is with the chosen one.
#[must_use]
pub fn month(
    cost: f64,
    before: Option<f64>,
    saving: Option<f64>,
    present: Option<u32>,
    currency: &str,
) -> String {
    let money = |amount| figures::money(amount, currency);
    let against = match (before, saving, present) {
        (Some(before), Some(saving), Some(present)) if saving != 0.0 => format!(
            " instead of {} with {present} MB, {} {}",
            money(before),
            money(saving.abs()),
            if saving > 0.0 { "less" } else { "more" },
        ),
        (Some(_), Some(_), _) => ", as now".to_owned(),
        _ => String::new(),
    };
    money(cost) + &against
}

/// By how many per cent `now` is below `before`, to a tenth.
fn saved(before: f64, now: f64) -> f64 {
    if before > 0.0 { ((1.0 - now / before) * 1000.0).round() / 10.0 } else { 0.0 }
}

fn words(percent: f64, [less, more, same]: [&str; 3]) -> String {
    match percent.round() {
        0.0 => same.to_owned(),
        percent if percent > 0.0 => format!("{percent:.0} % {less}"),
        percent => format!("{:.0} % {more}", -percent),
    }
}
