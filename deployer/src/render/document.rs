//! A run's result as JSON.

use local_aws::lambda::CpuShare;
use schemars::JsonSchema;
use serde::Serialize;
use tuning::output::Analysis;
use tuning::pricing::Architecture;

use super::Tuned;
use super::monthly::Monthly;
use super::regression::Compared;
use crate::calibration::Calibration;
use crate::definitions::Written;

/// The version of the form. Fields may be added to one; it changes when one goes or means something else.
const SCHEMA_VERSION: u32 = 1;

/// What `tune --json` prints: the execution's output (of a dry run, which has none, nothing), with what was run.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "Run")]
#[serde(rename_all = "camelCase")]
pub struct Document {
    #[serde(flatten)]
    analysis: Option<Analysis>,
    /// The version of this form: fields may be added to it, and it changes when one goes or means something else.
    schema_version: u32,
    /// The execution that found it.
    execution_arn: String,
    /// The function's name.
    function: String,
    /// Its region.
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    /// Its account.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    /// What the winner was chosen by: cost, speed, balanced or limit. Absent when somebody else's input is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    strategy: Option<String>,
    /// Invocations of each size that were asked for; absent where sizes were searched for.
    #[serde(skip_serializing_if = "Option::is_none")]
    num: Option<u32>,
    /// The function's processor.
    #[serde(skip_serializing_if = "Option::is_none")]
    architecture: Option<Architecture>,
    /// What it was measured with, when that was this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    measured_here: Option<MeasuredHere>,
    /// What the durations would be on a core of Lambda.
    #[serde(skip_serializing_if = "Option::is_none")]
    calibrated: Option<Calibrated>,
    /// What a month costs.
    #[serde(skip_serializing_if = "Option::is_none")]
    monthly: Option<Monthly>,
    /// How long the execution took, in seconds; absent when Step Functions did not say when it began or ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    took_seconds: Option<f64>,
    /// How it stands to an earlier result (`--baseline`).
    #[serde(skip_serializing_if = "Option::is_none")]
    regression: Option<Compared>,
    /// The files that the chosen size was written to (`--write`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    written: Vec<Written>,
}

/// How functions got their CPU share and their memory on this machine.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
struct MeasuredHere {
    #[serde(flatten)]
    share: CpuShare,
    /// By how much the averages may be off, in per cent: 1.96 standard errors, of the size where that is most.
    #[serde(skip_serializing_if = "Option::is_none")]
    uncertainty_percent: Option<f64>,
}

#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
struct Calibrated {
    #[serde(flatten)]
    calibration: Calibration,
    /// What durations measured here are multiplied by.
    factor: f64,
    /// Every measured size.
    stats: Vec<CalibratedStat>,
}

#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
struct CalibratedStat {
    /// Memory size in MB.
    value: u32,
    /// Average duration on a core of Lambda, in milliseconds.
    average_duration: f64,
}

impl Document {
    pub(super) fn of(tuned: &Tuned) -> Self {
        let mut analysis = tuned.analysis.clone();
        if let Some(analysis) = &mut analysis
            && !tuned.keep_stats
        {
            analysis.stats = None;
        }
        let measured = tuned.analysis.as_ref();
        Self {
            schema_version: SCHEMA_VERSION,
            execution_arn: tuned.execution_arn.clone(),
            function: tuned.function().to_owned(),
            region: tuned.function_arn.split(':').nth(3).map(str::to_owned),
            account: tuned.function_arn.split(':').nth(4).map(str::to_owned),
            strategy: tuned.input.as_ref().map(|input| match input.limit {
                Some(_) => "limit".to_owned(),
                None => input.strategy.to_string(),
            }),
            num: tuned.input.as_ref().filter(|input| input.search.is_none()).map(|input| input.num),
            architecture: measured.and_then(|measured| Some(measured.prices.as_ref()?.architecture)),
            measured_here: tuned.measured.clone().map(|share| MeasuredHere {
                share,
                uncertainty_percent: measured.and_then(Tuned::uncertainty_percent),
            }),
            calibrated: measured.zip(tuned.calibration.clone()).map(|(measured, calibration)| {
                let factor = calibration.factor();
                let rows = Tuned::rows(measured);
                let stats = rows.iter().map(|row| CalibratedStat {
                    value: row.memory_mb,
                    average_duration: row.duration_ms * factor,
                });
                Calibrated { factor, stats: stats.collect(), calibration }
            }),
            monthly: tuned.monthly.clone(),
            took_seconds: tuned.took.map(|took| (took.as_secs_f64() * 1e3).round() / 1e3),
            regression: tuned.compared.clone(),
            written: tuned.written.clone(),
            analysis,
        }
    }
}
