//! `local calibrate`: how fast a core of this machine is against one of Lambda's, for `tune --local --calibrated`.

use std::fmt;
use std::path::PathBuf;

use anyhow::Context as _;
use serde::Serialize;

use crate::calibration::Calibration;
use crate::context::Context;
use crate::outcome::Outcome;

/// The resolved options of `local calibrate`.
#[derive(Debug)]
pub struct Options {
    /// The state folder, which keeps the result.
    pub state: PathBuf,
    /// What the work took on Lambda, in milliseconds, when somebody has measured it.
    pub lambda_ms: Option<f64>,
}

/// What was measured. As JSON: `{"processor","hereMs","lambdaMs","lambdaMeasured","factor"}`.
#[derive(Debug, Serialize)]
struct Calibrated {
    #[serde(flatten)]
    calibration: Calibration,
    factor: f64,
}

impl fmt::Display for Calibrated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sentence = self.calibration.sentence();
        let (first, rest) = sentence.split_at(1);
        writeln!(f, "{}{rest}.", first.to_uppercase())?;
        write!(
            f,
            "`deployer tune --local --calibrated` shows durations multiplied by that beside those that were measured."
        )?;
        if !self.calibration.lambda_measured {
            write!(
                f,
                "\nAWS does not say which processors Lambda has. To go by your own account: run the sample function `cpu` there at \
                 1,769 MB, and give its duration with --lambda-ms."
            )?;
        }
        Ok(())
    }
}

/// Measures and keeps the result.
///
/// # Errors
/// A state folder that cannot be written to.
pub async fn run(options: Options, context: &Context) -> anyhow::Result<Outcome> {
    context.events.started("measuring one core, which takes two seconds");
    let lambda_ms = options.lambda_ms;
    let calibration = tokio::task::spawn_blocking(move || Calibration::measure(lambda_ms))
        .await
        .context("measuring this machine")?;
    calibration.write(&options.state)?;
    let factor = (calibration.factor() * 1000.0).round() / 1000.0;
    Ok(Outcome::new(&Calibrated { calibration, factor })?.folded(true))
}
