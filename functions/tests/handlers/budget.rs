//! What a cold start costs whatever the machine: instructions. The figures by the clock are `tests/lambda`'s.

use crate::instructions::instructions;
use crate::platform::{Platform, Work};

/// What was counted, in millions: of the `release` profile on x86-64, which is not what is uploaded but what there is.
const COUNTED: [(Work, f64); 2] = [(Work::Executor, 2.8), (Work::Analyzer, 1.3)];

#[test]
fn a_cold_start_takes_no_more_instructions_than_it_did() {
    let platform = Platform::start();
    // Other processors have other instructions.
    let margin = if cfg!(target_arch = "x86_64") { 1.15 } else { 2.0 };
    for (work, counted) in COUNTED {
        #[expect(clippy::cast_precision_loss, reason = "millions")]
        let found = instructions(env!("CARGO_BIN_EXE_bootstrap").as_ref(), &platform, work) as f64 / 1e6;
        assert!(
            found < counted * margin,
            "{}: {found:.2} million instructions, where there were {counted}",
            work.name()
        );
    }
}
