//! The sizes that the measurements do not tell from the chosen one, in words.

use tuning::output::{Analysis, Undecided};

/// A sentence for those that more invocations would tell apart, and one for those so close that it does not matter.
#[must_use]
pub fn doubts(analysis: &Analysis) -> Vec<String> {
    let (settled, close): (Vec<&Undecided>, Vec<&Undecided>) =
        analysis.undecided.iter().partition(|undecided| undecided.num.is_some());
    let mut doubts = Vec::new();
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
        format!("{value} MB is {difference_percent} % behind, \u{b1} {uncertainty_percent} %")
    });
    sizes.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_would_settle_it_is_said() {
        let analysis: Analysis = serde_json::from_value(json!({
            "power": 1024, "cost": 2.0e-6, "duration": 100.0,
            "stateMachine": { "executionCost": 0.00045, "lambdaCost": 0.0005, "visualization": "https://x/#a;b;c" },
            "undecided": [
                { "value": 512, "differencePercent": 2.0, "uncertaintyPercent": 6.5, "num": 212 },
                { "value": 1536, "differencePercent": 4.0, "uncertaintyPercent": 6.0, "num": 45 },
                { "value": 2048, "differencePercent": 0.1, "uncertaintyPercent": 6.0 },
            ],
        }))
        .unwrap();
        assert_eq!(
            doubts(&analysis),
            [
                "the durations vary too much to be sure of 1024 MB: 512 MB is 2 % behind, \u{b1} 6.5 %; 1536 MB is 4 % behind, \
                 \u{b1} 6 %; --num 212 would settle it",
                "1024 MB is hardly better than some others: 2048 MB is 0.1 % behind, \u{b1} 6 %",
            ]
        );
    }
}
