//! The sizes that the measurements do not tell from the chosen one, and what else speaks against a result, in words.

use tuning::input::Input;
use tuning::output::{Analysis, Measured, Stat, Undecided};

/// Sizes that differ by no more than this many per cent, whatever the measurements missed, are as good as each other.
const EQUAL: f64 = 5.0;
/// Nobody makes more invocations of a size than this to tell two sizes apart.
const MOST_NUM: u32 = 1000;

/// A sentence for those that are equal for all purposes, one for those that more invocations would tell apart, and one for the rest.
#[must_use]
pub fn doubts(analysis: &Analysis) -> Vec<String> {
    let most = |undecided: &Undecided| undecided.difference_percent.abs() + undecided.uncertainty_percent;
    let (equal, others): (Vec<&Undecided>, Vec<&Undecided>) =
        analysis.undecided.iter().partition(|undecided| most(undecided) <= EQUAL);
    let (settled, close): (Vec<&Undecided>, Vec<&Undecided>) =
        others.into_iter().partition(|undecided| undecided.num.is_some_and(|num| num <= MOST_NUM));
    let mut doubts = Vec::new();
    if let Some(within) = equal.iter().map(|undecided| most(undecided)).reduce(f64::max) {
        let sizes = equal.iter().map(|undecided| format!("{} MB", undecided.value));
        doubts.push(format!(
            "{} MB and {} are equal within {} %",
            analysis.power,
            sizes.collect::<Vec<_>>().join(", "),
            within.ceil().max(1.0)
        ));
    }
    if let Some(num) = settled.iter().filter_map(|undecided| undecided.num).max() {
        doubts.push(format!(
            "the durations vary too much to be sure of {} MB: {}; --num {num} would settle it",
            analysis.power,
            behind(&settled)
        ));
    }
    if !close.is_empty() {
        doubts.push(format!("{} MB is hardly better than some others: {}", analysis.power, behind(&close)));
    }
    doubts
}

fn behind(undecided: &[&Undecided]) -> String {
    let sizes = undecided.iter().map(|undecided| {
        let Undecided { value, difference_percent, uncertainty_percent, .. } = undecided;
        let (off, place) = match *difference_percent < 0.0 {
            true => (-difference_percent, "ahead by all that was measured"),
            false => (*difference_percent, "behind"),
        };
        format!("{value} MB is {off} % {place}, \u{b1} {uncertainty_percent} %")
    });
    sizes.collect::<Vec<_>>().join("; ")
}

/// Where the budget ended the run, and how far it was.
#[must_use]
pub fn budget(analysis: &Analysis, input: Option<&Input>) -> Option<String> {
    analysis.stopped_by.filter(|_| analysis.search.is_none())?;
    let stopped = measured(analysis).filter(|measured| measured.stopped_by.is_some()).map(|measured| {
        let made = measured.invocations.unwrap_or_default() + measured.lost;
        let of = input.map(|input| format!(" of {}", input.invocations())).unwrap_or_default();
        format!("{made}{of} invocations of {} MB", measured.value)
    });
    let how_far = stopped.collect::<Vec<_>>().join(", ");
    Some(format!("the budget ended the run after {how_far}; a larger --budget measures all of them"))
}

/// The sizes whose averages are those of cold starts although these were to be kept apart: there was nothing else.
#[must_use]
pub fn only_cold(analysis: &Analysis) -> Option<String> {
    analysis.cold_starts.as_ref()?;
    let cold = measured(analysis)
        .filter(|measured| measured.invocations.is_some() && measured.invocations == measured.cold_starts)
        .map(|measured| measured.value.to_string());
    let cold: Vec<String> = cold.collect();
    (!cold.is_empty()).then(|| {
        format!(
            "{} MB: every invocation was a cold start, so the averages there are those of cold starts; compare them with care",
            cold.join(", ")
        )
    })
}

fn measured(analysis: &Analysis) -> impl Iterator<Item = &Measured> {
    analysis.stats.iter().flatten().filter_map(Stat::as_measured)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_would_settle_it_is_said_unless_it_does_not_matter_or_nobody_would_do_it() {
        let analysis: Analysis = serde_json::from_value(json!({
            "power": 1024, "cost": 2.0e-6, "duration": 100.0,
            "stateMachine": { "executionCost": 0.00045, "lambdaCost": 0.0005, "visualization": "https://x/#a;b;c" },
            "undecided": [
                { "value": 512, "differencePercent": 2.0, "uncertaintyPercent": 6.5, "num": 212 },
                { "value": 1536, "differencePercent": 4.0, "uncertaintyPercent": 6.0, "num": 45 },
                { "value": 2048, "differencePercent": 0.1, "uncertaintyPercent": 6.0 },
                { "value": 2560, "differencePercent": -0.4, "uncertaintyPercent": 5.9, "better": 0.55, "num": 4352 },
                { "value": 3008, "differencePercent": 0.1, "uncertaintyPercent": 0.8, "num": 5271 },
            ],
        }))
        .unwrap();
        assert_eq!(
            doubts(&analysis),
            [
                "1024 MB and 3008 MB are equal within 1 %",
                "the durations vary too much to be sure of 1024 MB: 512 MB is 2 % behind, \u{b1} 6.5 %; 1536 MB is 4 % behind, \
                 \u{b1} 6 %; --num 212 would settle it",
                "1024 MB is hardly better than some others: 2048 MB is 0.1 % behind, \u{b1} 6 %; 2560 MB is 0.4 % ahead \
                 by all that was measured, \u{b1} 5.9 %",
            ]
        );
    }
}
