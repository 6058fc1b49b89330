//! A result against an earlier one: whether the function has become slower.

use schemars::JsonSchema;
use serde::Serialize;
use tuning::figures;
use tuning::output::{Analysis, Measured, Stat};
use tuning::regression::{Finding, Regression, Side};
use tuning::url::{self, Run};

use crate::kept::{Earlier, Kept};

/// The comparison of one memory size, or, where the runs have none in common, of the sizes that they chose.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Compared {
    /// The memory size of this run, in MB.
    pub power: u32,
    /// Its average duration, in milliseconds.
    pub duration: f64,
    /// The memory size of the earlier run, in MB.
    pub baseline_power: u32,
    /// Its average duration, in milliseconds.
    pub baseline_duration: f64,
    /// What that says.
    #[serde(flatten)]
    pub regression: Regression,
    /// What is not known of the earlier run, and was taken to be as in this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assumed: Option<String>,
}

/// The earlier figures of a size.
struct Before {
    side: Side,
    assumed: Option<String>,
}

impl Compared {
    /// Compares a result with an earlier one; `allowed` is a share, 0.1 for ten per cent.
    ///
    /// # Errors
    /// A result without figures, or an earlier one without those of the size it chose.
    pub fn new(analysis: &Analysis, earlier: &Earlier, allowed: f64) -> anyhow::Result<Self> {
        let now: Vec<&Measured> = analysis.stats.iter().flatten().filter_map(Stat::as_measured).collect();
        let (sizes, chosen) = match earlier {
            Earlier::File(kept) => (sizes(kept), Some(kept.analysis.power)),
            Earlier::Link(run) => (run.sizes.clone(), None),
        };
        let both = |value: u32| sizes.contains(&value) && now.iter().any(|size| size.value == value);
        // What is in production counts most.
        let present = analysis.baseline.as_ref().map(|baseline| baseline.power);
        let wanted = [present, chosen, Some(analysis.power)].into_iter().flatten();
        let common = wanted.chain(sizes.iter().copied()).find(|value| both(*value));
        let before_at = common.or(chosen).or_else(|| cheapest(earlier));
        let before_at =
            before_at.ok_or_else(|| anyhow::anyhow!("the baseline has no figures of any size"))?;
        let now_at = common.unwrap_or(analysis.power);
        let measured = now.iter().find(|size| size.value == now_at);
        let measured = measured.ok_or_else(|| anyhow::anyhow!("the result has no figures of {now_at} MB"))?;
        let side = Side {
            ms: measured.average_duration,
            standard_error_ms: measured.standard_error.unwrap_or(0.0),
            invocations: measured.invocations.unwrap_or(1),
            environments: measured.cold_starts.unwrap_or(1).max(1),
            between_environments: analysis.search.as_ref().map(|search| search.noise.environments),
        };
        let before = before(earlier, before_at, &side).ok_or_else(|| {
            anyhow::anyhow!("the baseline has no figures of {before_at} MB, the size it chose")
        })?;
        Ok(Self {
            power: now_at,
            duration: side.ms,
            baseline_power: before_at,
            baseline_duration: before.side.ms,
            regression: Regression::new(&before.side, &side, allowed),
            assumed: before.assumed,
        })
    }

    /// Whether the function has become slower than allowed, beyond doubt.
    #[must_use]
    pub fn is_exceeded(&self) -> bool {
        self.regression.finding == Finding::Exceeded
    }

    /// Whether it has not, beyond doubt.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.regression.finding == Finding::Kept
    }

    /// In words.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Self { power, baseline_power, regression, .. } = self;
        let (before, now) = (figures::duration(self.baseline_duration), figures::duration(self.duration));
        let (low, high) = regression.range_percent;
        let sizes = if power == baseline_power {
            format!("At {power} MB")
        } else {
            format!("At {power} MB, the chosen size, against {baseline_power} MB, which the baseline chose,")
        };
        let percent = |percent: f64| figures::fixed(percent, 0).replace('-', "\u{2212}");
        let change = format!(
            "{sizes} it takes {now}, and took {before}: {} % ({} to {} %)",
            percent(regression.percent),
            percent(low),
            percent(high)
        );
        let allowed = figures::significant(regression.allowed_percent);
        let allowed = if allowed.contains('.') {
            allowed.trim_end_matches('0').trim_end_matches('.')
        } else {
            &allowed
        };
        let follows = match regression.finding {
            Finding::Exceeded => format!("more than the {allowed} % allowed"),
            Finding::Kept => format!("no more than the {allowed} % allowed"),
            Finding::Undecided => {
                let how = regression.would_tell.map_or_else(
                    || "no number of invocations would tell".to_owned(),
                    |run| {
                        let both = if run.both { ", for the baseline as well," } else { "" };
                        format!("--num {} --lanes {}{both} would tell", run.num, run.lanes)
                    },
                );
                format!("which does not tell whether it is more than the {allowed} % allowed; {how}")
            }
        };
        let assumed = self.assumed.as_ref().map(|assumed| format!(" {assumed}")).unwrap_or_default();
        format!("{change}, {follows}.{assumed}")
    }
}

/// The sizes that a file has figures of.
fn sizes(kept: &Kept) -> Vec<u32> {
    match kept.stats() {
        Some(stats) => stats.iter().filter_map(Stat::as_measured).map(|size| size.value).collect(),
        None => run_of(kept).map_or_else(Vec::new, |run| run.sizes),
    }
}

/// The run in a file's chart link, which has the figures of every size when the file itself does not.
fn run_of(kept: &Kept) -> Option<Run> {
    let (_, hash) = kept.analysis.state_machine.visualization.split_once('#')?;
    url::decode(hash).ok()?.into_iter().next()
}

/// The size with which a link's run costs least.
fn cheapest(earlier: &Earlier) -> Option<u32> {
    let Earlier::Link(run) = earlier else { return None };
    let costs = run.sizes.iter().zip(&run.costs);
    costs.min_by(|a, b| a.1.total_cmp(b.1)).map(|(size, _)| *size)
}

fn before(earlier: &Earlier, size: u32, now: &Side) -> Option<Before> {
    match earlier {
        Earlier::Link(run) => of_run(run, size, None, now),
        Earlier::File(kept) => {
            let Some(stats) = kept.stats() else { return of_run(&run_of(kept)?, size, kept.num, now) };
            let measured = stats.iter().filter_map(Stat::as_measured).find(|stat| stat.value == size)?;
            let known = measured.standard_error.zip(measured.invocations);
            let (error, invocations) = known
                .unwrap_or((now.standard_error_ms / now.ms * measured.average_duration, now.invocations));
            Some(Before {
                side: Side {
                    ms: measured.average_duration,
                    standard_error_ms: error,
                    invocations,
                    environments: measured.cold_starts.unwrap_or(1).max(1),
                    between_environments: kept
                        .analysis
                        .search
                        .as_ref()
                        .map(|search| search.noise.environments),
                },
                assumed: known.is_none().then(|| {
                    "The baseline does not say how its durations vary: it is taken that they do as now."
                        .to_owned()
                }),
            })
        }
    }
}

/// The figures of a size in a link. Trimmed averages are surer than untrimmed ones, by which the error is counted here.
fn of_run(run: &Run, size: u32, num: Option<u32>, now: &Side) -> Option<Before> {
    let at = run.sizes.iter().position(|value| *value == size)?;
    let ms = f64::from(*run.times.get(at)?);
    let stddev = run.extras.stddev.get(at).map(|stddev| f64::from(*stddev));
    let invocations = num.unwrap_or(now.invocations).max(1);
    let error = stddev.map(|stddev| stddev / f64::from(invocations).sqrt());
    let assumed = match (num, stddev) {
        (Some(_), Some(_)) => None,
        (None, Some(_)) => Some(
            "The baseline does not say how many invocations it is of: it is taken that they were as many as now.",
        ),
        (_, None) => {
            Some("The baseline does not say how its durations vary: it is taken that they do as now.")
        }
    };
    Some(Before {
        side: Side {
            ms,
            standard_error_ms: error.unwrap_or(now.standard_error_ms / now.ms * ms),
            invocations,
            environments: 1,
            between_environments: None,
        },
        assumed: assumed.map(str::to_owned),
    })
}
