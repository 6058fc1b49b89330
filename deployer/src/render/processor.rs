//! What a run on this machine says of a function for a processor that this machine does not have.

use tuning::output::Analysis;
use tuning::pricing::Architecture;

/// That durations are of one processor and prices of another, as a sentence.
#[must_use]
pub fn differs(function: &str, analysis: &Analysis) -> Option<String> {
    if analysis.other_processor.as_ref().is_some_and(|other| other.cannot_start.is_none()) {
        return Some(format!(
            "this machine has one processor, {}, on which both were measured: only their prices differ here; measure on AWS to compare \
             their speed",
            Architecture::host()
        ));
    }
    let (here, priced) = (Architecture::host(), analysis.prices.as_ref()?.architecture);
    (here != priced).then(|| {
        format!(
            "{function} is for {priced}, and this machine is {here}: the durations are this processor's, and the costs are these \
             durations at the price of {priced}; give the function the architecture {here} to measure and price the same"
        )
    })
}
