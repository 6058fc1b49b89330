//! `demo --faults SEED`: the same with things going wrong. Ten calls of the run that is shown fail in ways that pass, and the
//! run goes on; then a second run is brought to its end half-way, and the function is put back.

use std::fmt;
use std::sync::Arc;

use anyhow::Context as _;
use local_aws::faults::{Fault, Kind, Made};
use local_aws::{Caller, Service};
use serde::Serialize;
use serde_json::{Value, json};

/// How many calls fail in the run that is shown.
const PASSING: usize = 10;

/// The calls that a run of five sizes makes whatever happens: function, operation, and how many of them.
#[rustfmt::skip]
const CALLS: [(&str, &str, u32); 13] = [
    ("initializer", "CreateAlias", 1), ("initializer", "PublishVersion", 1), ("initializer", "DescribeExecution", 1),
    ("publisher", "UpdateAlias", 5), ("publisher", "UpdateFunctionConfiguration", 5), ("publisher", "PublishVersion", 4),
    ("publisher", "CreateAlias", 5), ("executor", "Invoke", 50), ("cleaner", "ListAliases", 1),
    ("cleaner", "ListVersionsByFunction", 1), ("cleaner", "UpdateAlias", 1), ("cleaner", "DeleteAlias", 6),
    ("cleaner", "DeleteFunction", 5),
];

/// Those that pass.
const WEATHER: [Kind; 6] = [
    Kind::Throttle,
    Kind::ServerError,
    Kind::Conflict,
    Kind::LostAnswer,
    Kind::LostRequest,
    Kind::StaleReads,
];

/// Those that end a run.
const ENDS: [Kind; 5] = [
    Kind::CallerTimeOut,
    Kind::CallerCrash,
    Kind::DeniedFromNowOn,
    Kind::ExecutionStopped,
    Kind::ExecutionTimedOut,
];

/// What is to go wrong, drawn by a seed.
#[derive(Debug)]
pub(super) struct Drawn {
    /// In the run that is shown.
    pub passing: Vec<Fault>,
    /// In the run that comes to nothing.
    pub ending: Fault,
}

/// Draws: the same for the same seed.
pub(super) fn draw(seed: u64) -> Drawn {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut passing: Vec<Fault> = Vec::new();
    while passing.len() < PASSING {
        let (caller, operation, calls) = CALLS[random.usize(..CALLS.len())];
        let kind = WEATHER[random.usize(..WEATHER.len())];
        let fault = Fault::at(caller, operation, random.u32(1..=calls), kind);
        let there =
            |f: &Fault| f.caller == fault.caller && f.operation == fault.operation && f.nth == fault.nth;
        if kind.fits(operation) && !passing.iter().any(there) {
            passing.push(fault);
        }
    }
    let changes: Vec<_> = CALLS.into_iter().filter(|(caller, ..)| *caller == "publisher").collect();
    let (caller, operation, calls) = changes[random.usize(..changes.len())];
    // Sooner or later in the run, but not with its last change.
    let nth = random.u32(1..calls);
    Drawn { passing, ending: Fault::at(caller, operation, nth, ENDS[random.usize(..ENDS.len())]) }
}

/// What went wrong and what came of it. As JSON: `{"seed","injected","ended","left"}`.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub seed: u64,
    /// The faults of the run that is shown.
    pub injected: Vec<Injected>,
    /// The fault that ended the other run, and what was said of it.
    pub ended: Ended,
    /// Traces of the runs on the function; there should be none.
    pub left: Vec<String>,
}

/// A fault and what came of it.
#[derive(Debug, Serialize)]
pub(super) struct Injected {
    pub function: String,
    pub operation: String,
    pub kind: Kind,
    pub then: String,
}

/// A run that came to nothing.
#[derive(Debug, Serialize)]
pub(super) struct Ended {
    #[serde(flatten)]
    pub fault: Injected,
    /// The function's memory size before and after, in MB.
    pub memory: (u64, u64),
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Faults, seed {}. In the run above, {} calls failed, and it went on:",
            self.seed,
            self.injected.len()
        )?;
        for Injected { function, operation, kind, then } in &self.injected {
            writeln!(f, "  {function:<11} {operation:<27} {:<34} {then}", words(*kind))?;
        }
        let Ended { fault: Injected { function, operation, kind, then }, memory: (before, after) } =
            &self.ended;
        writeln!(f, "\nAnother run was brought to an end half-way:")?;
        writeln!(f, "  {function:<11} {operation:<27} {:<34} {then}", words(*kind))?;
        if self.left.is_empty() && before == after {
            write!(f, "The function is as it was: {after} MB, no temporary alias or version is left.")
        } else {
            write!(f, "The function had {before} MB and has {after} MB; left on it: {}", self.left.join(", "))
        }
    }
}

fn words(kind: Kind) -> &'static str {
    match kind {
        Kind::Throttle => "throttled",
        Kind::ServerError => "AWS's own error (500)",
        Kind::Conflict => "in conflict with another change",
        Kind::Denied | Kind::DeniedFromNowOn => "permission denied",
        Kind::LostAnswer => "done, but the answer was lost",
        Kind::LostRequest => "lost on the way",
        Kind::CallerTimeOut => "done, then the Lambda timed out",
        Kind::CallerCrash => "done, then the Lambda was killed",
        Kind::ExecutionStopped => "done, then the execution was stopped",
        Kind::ExecutionTimedOut => "done, then the execution timed out",
        Kind::StaleReads => "done, but seen late by reads",
        Kind::Pending => "done, but not ready for a while",
        Kind::UpdateFails => "done, but reported as failed",
        Kind::EditMemory | Kind::EditSettings | Kind::EditVersions => "somebody else was there first",
        Kind::InvokeError(error) => error.code(),
        Kind::NotYetKnown => "not known yet",
        Kind::EventLost => "the event was lost",
        Kind::NameHeld => "the name was not free yet",
    }
}

/// The faults among the calls of a run, each with what came of it.
pub(super) fn injected(made: &[Made]) -> Vec<Injected> {
    let faulty = made.iter().enumerate().filter_map(|(at, call)| Some((at, call, call.fault?)));
    faulty
        .map(|(at, call, kind)| Injected {
            function: handler(&call.caller),
            operation: call.operation.clone(),
            kind,
            then: outcome(call, kind, &made[at + 1..]),
        })
        .collect()
}

fn outcome(call: &Made, kind: Kind, later: &[Made]) -> String {
    let lost = matches!(kind, Kind::LostAnswer | Kind::LostRequest | Kind::ServerError);
    if call.operation == "Invoke" && lost {
        return "not repeated, as it may have run: reported as lost".to_owned();
    }
    if kind == Kind::StaleReads {
        return "looked again until it was seen".to_owned();
    }
    let again = |next: &&Made| next.caller == call.caller && next.operation == call.operation;
    match later.iter().find(again).and_then(|next| next.status) {
        Some(200..=299) => "called again, and it worked".to_owned(),
        // Its effect was there already.
        Some(404 | 409 | 412) => "called again, and found to be done".to_owned(),
        _ => "what was there was looked at".to_owned(),
    }
}

/// Which of the six functions a function of the stack is.
fn handler(caller: &str) -> String {
    let names = ["initializer", "publisher", "executor", "cleaner", "analyzer", "optimizer"];
    names.into_iter().find(|name| caller.contains(name)).unwrap_or(caller).to_owned()
}

/// A function's memory size in MB, and what runs have left on it.
pub(super) async fn traces(aws: &Arc<local_aws::Aws>, function: &str) -> anyhow::Result<(u64, Vec<String>)> {
    let call = |operation: &'static str| {
        let input = json!({ "FunctionName": function });
        async move {
            let answer = aws.call(&Caller::Owner, Service::Lambda, operation, input).await;
            answer.with_context(|| format!("looking at {function}"))
        }
    };
    let memory = call("GetFunctionConfiguration").await?["MemorySize"].as_u64().unwrap_or_default();
    let mut left = Vec::new();
    let ours = |thing: &&Value| {
        thing["Description"].as_str().is_some_and(|text| text.starts_with(tuning::input::LOCK_ALIAS))
    };
    for alias in call("ListAliases").await?["Aliases"].as_array().into_iter().flatten().filter(ours) {
        left.push(format!("alias {}", alias["Name"].as_str().unwrap_or_default()));
    }
    for version in
        call("ListVersionsByFunction").await?["Versions"].as_array().into_iter().flatten().filter(ours)
    {
        left.push(format!("version {}", version["Version"].as_str().unwrap_or_default()));
    }
    Ok((memory, left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_again_and_only_what_can_happen() {
        for seed in 0..300 {
            let (one, two) = (draw(seed), draw(seed));
            assert_eq!((&one.passing, &one.ending), (&two.passing, &two.ending));
            let all = one.passing.iter().chain([&one.ending]);
            assert!(
                all.into_iter().all(|fault| fault.kind.fits(fault.operation.as_deref().unwrap())),
                "{one:?}"
            );
        }
    }
}
