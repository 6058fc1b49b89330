//! Chooses the best power value and says what the run cost.
//!
//! Event: the flat document with `stats` (and, in an execution of the stack, `run`). Result: [`tuning::output::Analysis`],
//! the output of the execution; `null` for a dry run. It calls no AWS API and needs no permission.

use std::time::SystemTime;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde_json::Value;
use tuning::output::{self, Bursts, Found, LinkDetail, Side, Stat};
use tuning::pricing::{self, Architecture, Extras};
use tuning::search::Batch;

use super::{bursts, json};
use crate::clients::Clients;
use crate::error::{Error, Kind};
use crate::event;
use crate::run::Run;

/// Where charts are shown when the stack does not say.
const DEFAULT_PAGE: &str = "https://lambda-power-tuning.show/";

/// Answers one event.
///
/// # Errors
/// When no power value was measured, or the input is wrong.
pub fn handle(document: &Value, clients: &Clients) -> Result<Value, Error> {
    let run = event::run(document)?;
    let searched = run.as_ref().and_then(|run| Some((run, run.search.as_ref()?)));
    let stats: Vec<Stat> = match document.get("stats") {
        _ if let Some((run, search)) = searched => {
            let input = event::input(document, &run.power_values)?;
            let region = &input.lambda_arn.region;
            let price = pricing::lambda(region, run.measured_on()).with(run.extras(), region);
            if search.bursts {
                bursts::stats(search, &input, &price)
            } else {
                Stat::of_search(&search.history, input.averages(), &price)
            }
        }
        Some(stats) => serde_json::from_value(stats.clone()).map_err(|e| {
            Error::event("analyzer", format!("`stats`, the Executors' results, are not usable: {e}"))
        })?,
        None => return Err(Error::event("analyzer", "`stats`, the Executors' results, are missing")),
    };
    let invocations = match searched {
        Some(_) => Vec::new(),
        None => invocations(&document["stats"]),
    };
    let sizes: Vec<u32> = stats.iter().map(Stat::value).collect();
    let input = event::input(document, if sizes.is_empty() { &[tuning::input::SMALLEST] } else { &sizes })?;
    let page = clients.variable("visualizationURL");
    let own: Architecture = match &run {
        Some(run) => run
            .architecture
            .parse()
            .map_err(|e| Error::event("analyzer", format!("`run.architecture`: {e}")))?,
        None => Architecture::default(),
    };
    let architecture = run.as_ref().map_or(own, Run::measured_on);
    let known = output::Run {
        architecture,
        // What it would be on another processor is no difference between sizes.
        baseline: run.as_ref().filter(|_| architecture == own).map(|run| run.baseline.memory_size),
        extras: run.as_ref().map_or(Extras { storage_mb: 0, snap_start: false }, Run::extras),
        publisher_passes: run.as_ref().map_or(1, |run| run.published.passes),
        visualization_url: page.as_deref().unwrap_or(DEFAULT_PAGE),
        link: LinkDetail::Full,
        date: today(),
        invocations: &invocations,
        code_sha256: run.as_ref().map(|run| run.code_sha256.as_str()).filter(|code| !code.is_empty()),
        environments: input.environments().min(run.as_ref().map_or(u32::MAX, Run::most_lanes)),
        bursts: searched.filter(|(_, search)| search.bursts).map(|(_, search)| Bursts {
            rounds: search.round,
            blocks: u32::try_from(search.history.len()).unwrap_or(u32::MAX),
        }),
        beside: &[],
        notes: run.as_ref().map(|run| run.notes.as_slice()).unwrap_or_default(),
        search: searched.and_then(|(_, search)| {
            Some(Found {
                decision: search.decision.as_deref()?,
                history: &search.history,
                rounds: search.round,
                out_of_money: search.out_of_money,
            })
        }),
    };
    let sides = match run.as_ref().map(|run| run.architectures.as_slice()) {
        Some([first, second]) => {
            Some(sides([*first, *second], stats.clone(), invocations.clone(), document)?)
        }
        _ => None,
    };
    let analysis = match sides {
        Some(sides) => output::analyze_both(&input, sides, own, &known),
        None => output::analyze(&input, &stats, &known),
    };
    let analysis = analysis.map_err(|problem| Error::new(Kind::NothingMeasured, problem.to_string()))?;
    json(&analysis)
}

/// What the Executors measured on each of two processors.
fn sides(
    architectures: [Architecture; 2],
    stats: Vec<Stat>,
    own: Vec<Batch>,
    document: &Value,
) -> Result<[Side; 2], Error> {
    let answers = document["stats"].as_array().map(Vec::as_slice).unwrap_or_default();
    let others: Value = answers.iter().map(|answer| answer["other"].clone()).collect();
    let of_other = serde_json::from_value(others.clone()).map_err(|e| {
        Error::event("analyzer", format!("`other` in `stats`, the Executors' results, is not usable: {e}"))
    })?;
    let why = |side: usize| {
        answers.iter().find_map(|answer| answer["cannotStart"][side].as_str()).map(str::to_owned)
    };
    let [first, second] = architectures;
    Ok([
        Side { architecture: first, stats, invocations: own, cannot_start: why(0) },
        Side {
            architecture: second,
            stats: of_other,
            invocations: invocations(&others),
            cannot_start: why(1),
        },
    ])
}

/// The invocations of a list one by one; none unless those of every size are known.
fn invocations(stats: &Value) -> Vec<Batch> {
    let batch = |stat: &Value| serde_json::from_value(stat.get("batch")?.clone()).ok();
    stats.as_array().and_then(|stats| stats.iter().map(batch).collect()).unwrap_or_default()
}

/// The day in UTC, as `2026-11-29`.
fn today() -> String {
    let now = DateTime::from(SystemTime::now()).fmt(Format::DateTime).unwrap_or_default();
    now.chars().take("2026-11-29".len()).collect()
}
