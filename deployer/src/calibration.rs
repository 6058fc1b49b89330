//! How fast a core of this machine is against one of Lambda's. Kept in the state folder; used only when it is asked for.

use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tuning::calibration::{ITERATIONS, LAMBDA_MS, compute};

use crate::failure::Usage;

const FILE: &str = "calibration.json";
/// Runs of the work, of which the median counts; about two seconds.
const RUNS: usize = 21;

/// What was measured, and what it is against.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Calibration {
    /// This machine's processor.
    pub processor: String,
    /// What one core of it takes for the work, in milliseconds.
    pub here_ms: f64,
    /// What a core of Lambda takes for it, in milliseconds.
    pub lambda_ms: f64,
    /// Whether that was measured in an account, not assumed.
    pub lambda_measured: bool,
}

impl Calibration {
    /// Measures one core of this machine. Blocks for about two seconds.
    #[must_use]
    pub fn measure(lambda_ms: Option<f64>) -> Self {
        let mut runs: Vec<f64> = (0..RUNS)
            .map(|_| {
                let began = Instant::now();
                std::hint::black_box(compute(ITERATIONS));
                began.elapsed().as_secs_f64() * 1000.0
            })
            .collect();
        runs.sort_by(f64::total_cmp);
        Self {
            processor: local_aws::lambda::processor(),
            here_ms: (runs[RUNS / 2] * 1000.0).round() / 1000.0,
            lambda_ms: lambda_ms.unwrap_or(LAMBDA_MS),
            lambda_measured: lambda_ms.is_some(),
        }
    }

    /// By how much longer a core of Lambda takes for the same work.
    #[must_use]
    pub fn factor(&self) -> f64 {
        self.lambda_ms / self.here_ms
    }

    /// Keeps it for later runs, whole or not at all.
    ///
    /// # Errors
    /// A state folder that cannot be written to.
    pub fn write(&self, state: &Path) -> anyhow::Result<()> {
        let path = state.join(FILE);
        let write = || -> std::io::Result<()> {
            std::fs::create_dir_all(state)?;
            let mut file = tempfile::NamedTempFile::new_in(state)?;
            serde_json::to_writer_pretty(&mut file, self)?;
            file.write_all(b"\n")?;
            file.persist(&path)?;
            Ok(())
        };
        write().with_context(|| format!("writing {}", path.display()))
    }

    /// The one that was measured on this machine before.
    ///
    /// # Errors
    /// [`Usage`] when there is none, or it is of another processor.
    pub fn read(state: &Path) -> anyhow::Result<Self> {
        let path = state.join(FILE);
        let wrong = |why: String| Usage(format!("--calibrated: {why}; run `deployer local calibrate` first"));
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(wrong("this machine has not been calibrated".to_owned()).into());
            }
            Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
        };
        let read: Self = serde_json::from_str(&text)
            .map_err(|error| wrong(format!("{} cannot be read ({error})", path.display())))?;
        let here = local_aws::lambda::processor();
        if read.processor != here {
            return Err(wrong(format!("it was done on {}, and this is {here}", read.processor)).into());
        }
        Ok(read)
    }

    /// What it says, as a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Self { processor, here_ms, lambda_ms, lambda_measured } = self;
        let lambda =
            if *lambda_measured { "a core of Lambda took" } else { "a core of Lambda is taken to need" };
        format!(
            "one core of {processor} takes {here_ms:.1} ms for a fixed piece of work, {lambda} {lambda_ms:.1} ms: × {:.2}",
            self.factor()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calibration() -> Calibration {
        Calibration {
            processor: local_aws::lambda::processor(),
            here_ms: 100.0,
            lambda_ms: 140.0,
            lambda_measured: false,
        }
    }

    #[test]
    fn what_was_kept_is_read_back() {
        let state = tempfile::tempdir().unwrap();
        let folder = state.path().join("new");
        let error = Calibration::read(&folder).unwrap_err().to_string();
        assert!(error.contains("run `deployer local calibrate` first"), "{error}");
        calibration().write(&folder).unwrap();
        assert_eq!(Calibration::read(&folder).unwrap(), calibration());
        assert!((calibration().factor() - 1.4).abs() < 1e-9);
    }

    #[test]
    fn one_of_another_processor_is_refused() {
        let state = tempfile::tempdir().unwrap();
        Calibration { processor: "Z80".to_owned(), ..calibration() }.write(state.path()).unwrap();
        let error = Calibration::read(state.path()).unwrap_err().to_string();
        assert!(error.contains("done on Z80"), "{error}");
        std::fs::write(state.path().join(FILE), "{").unwrap();
        let error = Calibration::read(state.path()).unwrap_err().to_string();
        assert!(error.contains("cannot be read"), "{error}");
    }
}
