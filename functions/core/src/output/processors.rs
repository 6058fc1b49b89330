//! Two processors measured side by side: the output is about one of them, and has the other beside it.

use super::analyze::chart;
use super::{Analysis, AnalyzeError, Applied, Measured, Run, SkippedSize, Stat, analyze};
use crate::figures;
use crate::input::Input;
use crate::pricing::{self, Architecture};
use crate::search::Batch;
use crate::stats::Measurement;
use crate::waves::{self, Factor};
use serde::{Deserialize, Serialize};

/// What was measured on one of the processors.
#[derive(Debug, Clone, PartialEq)]
pub struct Side {
    /// The processor.
    pub architecture: Architecture,
    /// The figures of each size.
    pub stats: Vec<Stat>,
    /// The invocations one by one, waves of `lanes`.
    pub invocations: Vec<Batch>,
    /// Why the function's code does not start on it.
    pub cannot_start: Option<String>,
}

/// The other of two processors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct OtherProcessor {
    /// Which one.
    pub architecture: Architecture,
    /// Why the function's code does not start on it, or works at none of the sizes; nothing else is known then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cannot_start: Option<String>,
    /// The memory size in MB that would be chosen on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power: Option<u32>,
    /// What an invocation costs there on average.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// What one takes there on average, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<f64>,
    /// How it differs from the processor that the output is about, by size.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<ProcessorDifference>,
    /// Its figures of every size; only with `includeOutputResults`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stats: Option<Vec<Stat>>,
    /// The sizes at which the function cannot work on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<SkippedSize>,
}

/// How the other processor differs at one size, over warm invocations. Each holds with its uncertainty in 95 of 100 cases.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ProcessorDifference {
    /// Memory size in MB.
    pub value: u32,
    /// By how many per cent an invocation is cheaper on the other processor; negative where it is dearer.
    pub cheaper_percent: f64,
    /// How much more or less that may be.
    pub cheaper_uncertainty_percent: f64,
    /// By how many per cent the other processor takes less time; negative where it takes more.
    pub faster_percent: f64,
    /// How much more or less that may be.
    pub faster_uncertainty_percent: f64,
}

/// The output of a run on two processors; `None` for a dry run. It is about the first one, or the other where the code does not start on that.
/// `own` is the function's.
///
/// # Errors
/// [`AnalyzeError`], of the one that it is about.
pub fn analyze_both(
    input: &Input,
    sides: [Side; 2],
    own: Architecture,
    run: &Run<'_>,
) -> Result<Option<Analysis>, AnalyzeError> {
    let [first, second] = sides;
    let swapped = first.cannot_start.is_some() && second.cannot_start.is_none();
    let (main, other) = if swapped { (second, first) } else { (first, second) };
    let of = |side: &Side| Run {
        architecture: side.architecture,
        baseline: run.baseline.filter(|_| side.architecture == own),
        ..run.clone()
    };
    let measured: Vec<&Measured> = other.stats.iter().filter_map(Stat::as_measured).collect();
    let beside = (!measured.is_empty()).then(|| {
        let mut chart = chart(input, &of(&other), &measured);
        chart.name = other.architecture.to_string();
        chart
    });
    let of_main = Run { invocations: &main.invocations, beside: beside.as_slice(), ..of(&main) };
    let Some(mut analysis) = analyze(input, &main.stats, &of_main)? else { return Ok(None) };
    analysis.state_machine.lambda_cost += other.stats.iter().map(Stat::total_cost).sum::<f64>();
    if main.architecture != own && input.auto_optimize {
        analysis.applied = Some(Applied::NOTHING);
    }
    // What is kept to, and applied, is about the one processor.
    let alone = Input { gate: None, auto_optimize: false, ..input.clone() };
    let of_other = Run { invocations: &other.invocations, ..of(&other) };
    let found = match &other.cannot_start {
        Some(reason) => Err(reason.clone()),
        None => match analyze(&alone, &other.stats, &of_other) {
            Ok(found) => Ok(found),
            Err(reason) => Err(reason.to_string()),
        },
    };
    let (found, cannot_start) = match found {
        Ok(found) => (found, None),
        Err(reason) => (None, Some(reason)),
    };
    let differences = main.invocations.iter().filter_map(|batch| {
        let beside = other.invocations.iter().find(|other| other.size == batch.size)?;
        difference(input, [batch, beside], [main.architecture, other.architecture], run)
    });
    analysis.other_processor = Some(Box::new(OtherProcessor {
        architecture: other.architecture,
        power: found.as_ref().map(|found| found.power),
        cost: found.as_ref().map(|found| found.cost),
        duration: found.as_ref().map(|found| found.duration),
        differences: if cannot_start.is_none() { differences.collect() } else { Vec::new() },
        stats: found.as_ref().and_then(|found| found.stats.clone()),
        skipped: found.map(|found| found.skipped).unwrap_or_default(),
        cannot_start,
    }));
    Ok(Some(analysis))
}

/// The second processor against the first, by the warm invocations of a size.
fn difference(
    input: &Input,
    batches: [&Batch; 2],
    architectures: [Architecture; 2],
    run: &Run<'_>,
) -> Option<ProcessorDifference> {
    let [first, second] = batches;
    let lanes = first.lanes.max(1);
    let warm = |batch: &Batch, figure: fn(&Measurement) -> f64| -> Vec<(u32, f64)> {
        let samples = batch.samples.iter().filter(|sample| sample.measurement.cold_start_ms.is_none());
        samples.map(|sample| (sample.index / lanes, figure(&sample.measurement))).collect()
    };
    let compare =
        |figure: fn(&Measurement) -> f64| waves::compare(&warm(first, figure), &warm(second, figure), lanes);
    let durations = compare(|measurement| measurement.duration_ms)?;
    let billed = compare(|measurement| measurement.billed_ms as f64)?;
    let region = input.lambda_arn.region.as_str();
    let price = |architecture| {
        pricing::lambda(region, architecture).with(run.extras, region).cost(first.size, 1000.0)
    };
    let prices = price(architectures[1]) / price(architectures[0]);
    let (cheaper_percent, cheaper_uncertainty_percent) = less(billed, prices);
    let (faster_percent, faster_uncertainty_percent) = less(durations, 1.0);
    Some(ProcessorDifference {
        value: first.size,
        cheaper_percent,
        cheaper_uncertainty_percent,
        faster_percent,
        faster_uncertainty_percent,
    })
}

/// By how many per cent it is less, and the half of the interval.
fn less(factor: Factor, times: f64) -> (f64, f64) {
    let percent = |share: f64| (share * 1000.0).round() / 10.0;
    (percent(1.0 - factor.middle * times), percent((factor.high - factor.low) / 2.0 * times))
}

impl OtherProcessor {
    /// How it compares at a size, in words, or that the code does not start on it: "arm64 at 512 MB is 34 % cheaper \u{b1} 3 % and 8 %
    /// slower \u{b1} 2 %". Nothing where nobody knows.
    #[must_use]
    pub fn sentence(&self, power: u32) -> Option<String> {
        let Self { architecture, .. } = self;
        if let Some(reason) = &self.cannot_start {
            return Some(format!("On {architecture} the function does not run: {reason}"));
        }
        let at = self.differences.iter().find(|difference| difference.value == power)?;
        let cost = told(at.cheaper_percent, at.cheaper_uncertainty_percent, ["cheaper", "dearer"], "as dear");
        let time = told(at.faster_percent, at.faster_uncertainty_percent, ["faster", "slower"], "as fast");
        let there = self.power.filter(|there| *there != power);
        let there = there.map(|there| format!("; the choice there would be {there} MB")).unwrap_or_default();
        Some(format!("{architecture} at {power} MB is {cost} and {time}{there}"))
    }
}

fn told(percent: f64, uncertainty: f64, words: [&str; 2], same: &str) -> String {
    let figure = |percent: f64| {
        figures::fixed(percent.abs(), if percent.abs() < 10.0 && percent.fract() != 0.0 { 1 } else { 0 })
    };
    if percent.abs() <= uncertainty {
        return format!("{same} within \u{b1} {} %", figure(percent.abs() + uncertainty));
    }
    let word = if percent > 0.0 { words[0] } else { words[1] };
    format!("{} % {word} \u{b1} {} %", figure(percent), figure(uncertainty))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_told_with_its_uncertainty() {
        let difference = ProcessorDifference {
            value: 512,
            cheaper_percent: 34.2,
            cheaper_uncertainty_percent: 3.0,
            faster_percent: -8.0,
            faster_uncertainty_percent: 2.4,
        };
        let mut other = OtherProcessor {
            architecture: Architecture::Arm64,
            cannot_start: None,
            power: Some(512),
            cost: Some(1e-6),
            duration: Some(100.0),
            differences: vec![difference],
            stats: None,
            skipped: Vec::new(),
        };
        assert_eq!(
            other.sentence(512).unwrap(),
            "arm64 at 512 MB is 34 % cheaper \u{b1} 3 % and 8 % slower \u{b1} 2.4 %"
        );
        assert_eq!(other.sentence(1024), None);
        other.differences[0].faster_percent = 1.0;
        other.power = Some(1024);
        assert_eq!(
            other.sentence(512).unwrap(),
            "arm64 at 512 MB is 34 % cheaper \u{b1} 3 % and as fast within \u{b1} 3.4 %; the choice there would be 1024 MB"
        );
        other.cannot_start = Some("exec format error".to_owned());
        assert_eq!(other.sentence(512).unwrap(), "On arm64 the function does not run: exec format error");
    }
}
