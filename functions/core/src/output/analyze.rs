//! From the power values' figures to the output of the execution: the whole of what the Analyzer does.

use super::alternative::alternative;
use super::disturbed;
use super::few_lanes::FewLanes;
use super::limited::{self, Limited};
use super::searched::{Found, Searched, told};
use super::undecided::undecided;
use super::{Analysis, Applied, Baseline, Measured, Prices, SkippedSize, Stat, StateMachine};
use crate::gate::Verdict;
use crate::input::Input;
use crate::pricing::{self, Architecture, Extras, LambdaPrice, Transitions};
use crate::search::{self, Batch, Confidence, Judgement, Task};
use crate::stats::ColdStarts;
use crate::strategy::{self, Candidate};
use crate::url::{self, Link, UrlError};

/// What the Analyzer knows of a run beside its input and figures.
#[derive(Debug, Clone, PartialEq)]
pub struct Run<'a> {
    /// The function's architecture.
    pub architecture: Architecture,
    /// The function's memory size in MB before the run, if known.
    pub baseline: Option<u32>,
    /// What the function is billed for besides memory and duration.
    pub extras: Extras,
    /// How often the Publisher ran.
    pub publisher_passes: u32,
    /// The page that draws the chart.
    pub visualization_url: &'a str,
    /// How much goes into the link.
    pub link: LinkDetail,
    /// The day of the run in UTC, as `2026-11-29`; empty when unknown.
    pub date: String,
    /// The search that chose, if one did.
    pub search: Option<Found<'a>>,
    /// The invocations of a list of sizes one by one, as far as they are known.
    pub invocations: &'a [Batch],
    /// The hash of the function's code, if known.
    pub code_sha256: Option<&'a str>,
    /// Execution environments of a size of a list that were invoked side by side.
    pub environments: u32,
    /// The rounds of cold starts in bursts, if they were made so.
    pub bursts: Option<Bursts>,
    /// What the user should know of the run.
    pub notes: &'a [String],
    /// Other runs that are shown in the same chart.
    pub beside: &'a [url::Run],
}

/// The rounds of cold starts in bursts: the transitions that a run costs depend on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bursts {
    /// How many there were.
    pub rounds: u32,
    /// The power values that they measured, all rounds together.
    pub blocks: u32,
}

/// How much goes into the link to the chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LinkDetail {
    /// Sizes, times and costs: what every page can read.
    Canonical,
    /// Whatever the page shows beside them too, as far as it is known, unless the page is the old one, which cannot read it.
    #[default]
    Full,
}

/// Why there is no result.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AnalyzeError {
    /// No power value was measured at all.
    #[error("there are no results to analyze: no power value was measured")]
    NoResults,
    /// The function works at none of the sizes.
    #[error("the function works at none of the power values: {0}; try larger ones or a longer time-out")]
    AllSkipped(String),
    /// The figures do not make a chart.
    #[error("the link to the chart cannot be made: {0}")]
    Link(#[from] UrlError),
}

/// The output of a run; `None` for a dry run, which has none.
///
/// # Errors
/// [`AnalyzeError`]: nothing was measured, or the figures are unusable.
pub fn analyze(input: &Input, stats: &[Stat], run: &Run<'_>) -> Result<Option<Analysis>, AnalyzeError> {
    if input.dry_run {
        return Ok(None);
    }
    // A size without a duration is an executor's empty answer in recorded events.
    let measured: Vec<&Measured> = stats
        .iter()
        .filter_map(Stat::as_measured)
        .filter(|measured| measured.average_duration > 0.0)
        .collect();
    let candidates: Vec<Candidate> = measured.iter().map(|measured| measured.candidate()).collect();
    let skipped: Vec<SkippedSize> = stats.iter().filter_map(skipped).collect();
    let decision = run.search.map(|search| search.decision);
    let chosen = match (decision, input.limit) {
        (Some(decision), _) => measured.iter().position(|measured| Some(measured.value) == decision.power),
        (None, Some(limit)) => limited::choose(limit, &measured, run.environments),
        (None, None) => None,
    };
    let chosen = chosen.or_else(|| strategy::choose(input.strategy, input.balanced_weight, &candidates));
    let Some(chosen) = chosen else { return Err(nothing(&skipped)) };
    let winner = measured[chosen];

    let region = input.lambda_arn.region.as_str();
    let price = pricing::lambda(region, run.architecture);
    let blocks = run.search.map_or(stats.len(), |search| search.history.len());
    let blocks = run.bursts.map_or_else(|| u32::try_from(blocks).unwrap_or(u32::MAX), |bursts| bursts.blocks);
    let transitions = Transitions {
        publisher_passes: run.publisher_passes,
        sizes: blocks,
        executor_passes: stats.iter().map(Stat::passes).sum(),
        rounds: run
            .search
            .map(|search| search.rounds)
            .or(run.bursts.map(|bursts| bursts.rounds))
            .unwrap_or_default(),
    };
    let before = run.baseline.map(|power| {
        let figures = measured.iter().find(|measured| measured.value == power);
        let skipped = skipped.iter().any(|skipped| skipped.value == power);
        Baseline::new(power, figures.copied(), skipped, winner)
    });
    let limit = input.limit.and_then(|limit| {
        let told = decision.and_then(|decision| Some((decision.kept?, decision.unmet)));
        let lanes = match &run.search {
            Some(search) => search.lanes(winner.value),
            None => run.environments,
        };
        Limited::new(limit, winner, lanes, told)
    });
    let gate = (input.gate.is_some() || limit.is_some()).then(|| {
        let gate = input.gate.unwrap_or_default();
        let mut verdict = gate.judge(winner.average_duration, winner.average_price, price.currency.code());
        verdict.exceeded.extend(limit.as_ref().and_then(Limited::exceeded));
        Verdict { met: verdict.exceeded.is_empty(), ..verdict }
    });
    // A search that ran out of money has decided all the same; a list of sizes was not measured as it was to be.
    let cut_short = measured.iter().find_map(|measured| measured.stopped_by).filter(|_| run.search.is_none());
    // What a search or a limit chooses by is more than averages.
    let by_averages = decision.is_none() && input.limit.is_none();
    let choose = |of: &[Candidate]| strategy::choose(input.strategy, input.balanced_weight, of);
    let unusable = disturbed::unusable(&measured, chosen, by_averages.then_some(choose));
    let gate_is_met = gate.as_ref().is_none_or(|verdict| verdict.met);
    let fit_to_apply = gate_is_met && cut_short.is_none() && unusable.is_empty();
    let stopped_by = run.search.map_or(cut_short, |search| search.stopped_by());
    let judgement = judge(input, &measured, winner, run);
    // A search that decided for no size knows nothing of the one that the strategy chose.
    let decided = decision.filter(|decision| decision.power == Some(winner.value));
    let few_lanes = judgement
        .as_ref()
        .filter(|_| limit.is_none())
        .and_then(|judgement| FewLanes::new(&judgement.decision, winner, run.environments));
    let sure = decided.or(judgement.as_ref().map(|judgement| &judgement.decision)).map(told);
    Ok(Some(Analysis {
        power: winner.value,
        cost: winner.average_price,
        duration: winner.average_duration,
        state_machine: StateMachine {
            execution_cost: transitions.cost(region),
            lambda_cost: stats.iter().map(Stat::total_cost).sum(),
            visualization: url::encode_link(
                run.visualization_url,
                &Link {
                    runs: charts(
                        input,
                        run,
                        &measured,
                        unusable.is_empty().then(|| choice(input, winner, sure, limit.as_ref())),
                    ),
                    others: others(input, run),
                },
                price.currency,
            )?,
        },
        stats: input
            .include_output_results
            .then(|| measured.iter().map(|&measured| Stat::Measured(Box::new(measured.clone()))).collect()),
        skipped,
        alternative: input.limit.is_none().then(|| alternative(input.strategy, &measured, winner)).flatten(),
        cold_starts: (input.cold_starts == ColdStarts::Apart).then(|| "apart".to_owned()),
        budget: input.budget,
        stopped_by,
        unusable,
        confidence: sure.map(|(confidence, _)| confidence).filter(|_| limit.is_none()),
        expected_excess: sure.map(|(_, excess)| excess),
        few_lanes,
        search: run.search.map(|search| Searched::new(&search)),
        undecided: match (&run.search, &limit) {
            (None, None) => {
                let rivals = judgement.map(|judgement| judgement.others).unwrap_or_default();
                undecided(input.strategy, input.balanced_weight, &measured, chosen, &rivals)
            }
            _ => Vec::new(),
        },
        limit,
        baseline: before,
        code_sha256: run.code_sha256.map(str::to_owned),
        prices: Some(Prices {
            incomplete: run.extras.notes(region),
            ..prices(region, run.architecture, &price)
        }),
        // What is applied is for the Optimizer to say, once it has.
        applied: (input.auto_optimize && !fit_to_apply).then_some(Applied::NOTHING),
        gate,
        other_processor: None,
        notes: run.notes.to_vec(),
    }))
}

/// What the invocations of a list say of its winner. Cold starts that count are no matter of the curves.
fn judge(input: &Input, measured: &[&Measured], winner: &Measured, run: &Run<'_>) -> Option<Judgement> {
    let sizes = || measured.iter().map(|measured| measured.value);
    let range = (sizes().min()?, sizes().max()?);
    if run.search.is_some() || input.only_cold_starts || run.invocations.is_empty() {
        return None;
    }
    let region = input.lambda_arn.region.as_str();
    let price = pricing::lambda(region, run.architecture).with(run.extras, region);
    let task = Task { besides_mb: price.besides_mb(), ..input.task_over(range) };
    search::judge(&task, &search::calls(run.invocations), winner.value)
}

fn skipped(stat: &Stat) -> Option<SkippedSize> {
    match stat {
        Stat::Skipped(skipped) => Some(SkippedSize { value: skipped.value, reason: skipped.reason.clone() }),
        Stat::Measured(_) => None,
    }
}

fn nothing(skipped: &[SkippedSize]) -> AnalyzeError {
    if skipped.is_empty() {
        return AnalyzeError::NoResults;
    }
    let reasons: Vec<String> =
        skipped.iter().map(|size| format!("{} MB: {}", size.value, size.reason)).collect();
    AnalyzeError::AllSkipped(reasons.join("; "))
}

/// The winner for the link, with its probabilities.
fn choice(
    input: &Input,
    winner: &Measured,
    sure: Option<(Confidence, f64)>,
    limit: Option<&Limited>,
) -> url::Choice {
    let thousandths = |share: f64| (share * 1000.0).round() as u32;
    let (by, sure) = match (limit, sure) {
        (Some(limit), _) => (url::LIMIT, vec![limit.probability]),
        (None, Some((sure, _))) => (input.strategy.name(), vec![sure.within1, sure.within3, sure.within5]),
        (None, None) => (input.strategy.name(), Vec::new()),
    };
    let sure = sure.into_iter().map(thousandths).collect();
    url::Choice { power: winner.value, by: by.to_owned(), sure }
}

/// The runs of the chart's link. Without a `choice` where the figures cannot be used.
fn charts(
    input: &Input,
    run: &Run<'_>,
    measured: &[&Measured],
    choice: Option<url::Choice>,
) -> Vec<url::Run> {
    let mut own = chart(input, run, measured);
    if is_full(run) {
        own.extras.choice = choice;
    }
    if !run.beside.is_empty() {
        own.name = run.architecture.to_string();
    }
    std::iter::once(own).chain(run.beside.iter().cloned()).collect()
}

/// Whether the page that the link is for can read more than every page can.
fn is_full(run: &Run<'_>) -> bool {
    run.link == LinkDetail::Full && !url::is_old_page(run.visualization_url)
}

/// What a chart shows of a run, but for its choice.
pub(super) fn chart(input: &Input, run: &Run<'_>, measured: &[&Measured]) -> url::Run {
    let list =
        |figure: fn(&Measured) -> f64| measured.iter().map(|measured| figure(measured) as f32).collect();
    let mut chart = url::Run {
        name: String::new(),
        sizes: measured.iter().map(|measured| measured.value).collect(),
        times: list(|measured| measured.average_duration),
        costs: list(|measured| measured.average_price),
        extras: url::Extras::default(),
    };
    if is_full(run) {
        let spread: Option<Vec<_>> = measured.iter().map(|measured| measured.spread).collect();
        if let Some(spread) = spread {
            chart.extras.stddev = spread.iter().map(|spread| spread.stddev as f32).collect();
            chart.extras.p50 = spread.iter().map(|spread| spread.p50 as f32).collect();
            chart.extras.p95 = spread.iter().map(|spread| spread.p95 as f32).collect();
        }
        if measured.iter().any(|measured| measured.cold_duration.is_some()) {
            chart.extras.cold = list(|measured| measured.cold_duration.unwrap_or_default());
        }
        chart.extras.current = run.baseline;
        chart.extras.about = Some(url::About {
            region: input.lambda_arn.region.clone(),
            architecture: run.architecture.to_string(),
            date: run.date.clone(),
            num: run.search.is_none().then_some(input.num),
            function: input.lambda_arn.name.clone(),
        });
    }
    chart
}

/// What the chart's link says of the run as a whole.
fn others(input: &Input, run: &Run<'_>) -> Vec<(String, String)> {
    let mut others = Vec::new();
    if is_full(run) {
        if let Some(limit) = input.limit {
            let value = format!("{}.{}", limit.ms.ceil(), limit.percentile);
            others.push((url::LIMIT.to_owned(), value));
        }
        if let Some(search) = run.search {
            let points =
                search.decision.curve.iter().map(|point| {
                    [point.power as f32, point.low as f32, point.middle as f32, point.high as f32]
                });
            others.push((url::CURVE.to_owned(), url::curve_part(points)));
        }
    }
    others
}

fn prices(region: &str, architecture: Architecture, price: &LambdaPrice) -> Prices {
    let note = (!price.known).then(|| {
        format!("the price of {architecture} in {region} is not known: costs are computed with the default, so compare sizes, not amounts")
    });
    Prices {
        region: region.to_owned(),
        architecture,
        currency: price.currency.code().to_owned(),
        per_gb_second: price.per_gb_second,
        per_request: price.per_request,
        note,
        incomplete: Vec::new(),
    }
}
