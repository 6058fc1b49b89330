//! Faults on purpose: what goes wrong on AWS now and then goes wrong here at chosen calls, so that recovery can be tested
//! and seen.
//!
//! A [`Fault`] names a call and a [`Kind`]; [`Faults::plan`] is how they get in, from this process only. The protocol
//! front hands every call of a role's session to [`inject`], which looks here whether it is its turn. Without a plan,
//! that look is all there is.

mod gate;
pub(crate) mod inject;
mod plan;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

pub use gate::Gate;
pub use plan::{Fault, Kind, PlanError, read};

use crate::store::View;

/// For how long reads lag behind a change that is seen late: longer than a reader would wait by accident.
const STALE: Duration = Duration::from_millis(400);
/// How long a change takes that is not ready at once.
const PENDING: Duration = Duration::from_millis(700);

/// What is to go wrong, and what calls there were.
#[derive(Default)]
pub struct Faults(Mutex<Option<Active>>);

/// A call that was counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Made {
    /// The calling function's name.
    pub caller: String,
    /// The operation, such as `UpdateAlias`.
    pub operation: String,
    /// What was injected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Kind>,
    /// The status of the answer; none while it is under way, and when none was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

#[derive(Default)]
struct Active {
    faults: Vec<Waiting>,
    made: Vec<Made>,
    denied: HashSet<(String, String)>,
    stale: Option<(Instant, Arc<View>)>,
    gates: Vec<Arc<Gate>>,
    /// The function that was last named in a call.
    function: Option<String>,
}

struct Waiting {
    fault: Fault,
    seen: u32,
    done: bool,
}

impl Faults {
    /// Lets these happen, and begins to count and record calls. What was planned before is forgotten.
    pub fn plan(&self, faults: Vec<Fault>) {
        let waiting = |fault| Waiting { fault, seen: 0, done: false };
        *self.lock() =
            Some(Active { faults: faults.into_iter().map(waiting).collect(), ..Active::default() });
    }

    /// The calls so far, in the order they came.
    #[must_use]
    pub fn made(&self) -> Vec<Made> {
        self.lock().as_ref().map(|active| active.made.clone()).unwrap_or_default()
    }

    /// Ends the plan: nothing is injected or counted any more. Hands back the calls there were.
    pub fn end(&self) -> Vec<Made> {
        self.lock().take().map(|active| active.made).unwrap_or_default()
    }

    /// Holds back the `nth` call (from 1, counted from now) of an operation by a caller whose name contains `caller`, until
    /// the gate is opened or its caller has given up. A plan must have begun, and ends it.
    ///
    /// # Panics
    /// Without a plan.
    pub fn hold(&self, caller: &str, operation: &str, nth: u32) -> Arc<Gate> {
        let gate = Arc::new(Gate::at(caller, operation, nth));
        self.lock().as_mut().expect("a plan has begun").gates.push(Arc::clone(&gate));
        gate
    }

    /// Waits at the gates that a call comes to; whether it goes on.
    async fn pass_gates(&self, caller: &str, operation: &str) -> bool {
        let gates = self.lock().as_ref().map(|active| active.gates.clone()).unwrap_or_default();
        for gate in gates {
            if !gate.pass(caller, operation).await {
                return false;
            }
        }
        true
    }

    /// Counts a call; its number in the record, and what is to happen at it.
    fn meet(&self, caller: &str, operation: &str, function: Option<String>) -> Option<(usize, Option<Kind>)> {
        let mut active = self.lock();
        let active = active.as_mut()?;
        if function.is_some() {
            active.function = function;
        }
        let mut kind = None;
        for waiting in &mut active.faults {
            if waiting.done || waiting.fault.kind.is_apart() || !waiting.fault.concerns(caller, operation) {
                continue;
            }
            waiting.seen += 1;
            // Of two at the same call the first happens; the other waits for the next one that fits.
            if waiting.seen >= waiting.fault.nth && kind.is_none() && waiting.fault.kind.fits(operation) {
                waiting.done = true;
                kind = Some(waiting.fault.kind);
            }
        }
        let denial = (caller.to_owned(), operation.to_owned());
        if kind == Some(Kind::DeniedFromNowOn) {
            active.denied.insert(denial);
        } else if active.denied.contains(&denial) {
            kind = Some(Kind::DeniedFromNowOn);
        }
        let made =
            Made { caller: caller.to_owned(), operation: operation.to_owned(), fault: kind, status: None };
        active.made.push(made);
        Some((active.made.len() - 1, kind))
    }

    /// Whether a kind that no call decides about is to happen now; asking counts as an occasion for it.
    pub(crate) fn happens(&self, kind: Kind) -> bool {
        let mut active = self.lock();
        let Some(active) = active.as_mut() else { return false };
        let mut happens = false;
        for waiting in active.faults.iter_mut().filter(|w| !w.done && w.fault.kind == kind) {
            waiting.seen += 1;
            if waiting.seen >= waiting.fault.nth && !happens {
                (waiting.done, happens) = (true, true);
            }
        }
        happens
    }

    fn answered(&self, number: usize, status: u16) {
        if let Some(made) = self.lock().as_mut().and_then(|active| active.made.get_mut(number)) {
            made.status = Some(status);
        }
    }

    fn function(&self) -> Option<String> {
        self.lock().as_ref()?.function.clone()
    }

    fn show_late(&self, before: Arc<View>) {
        if let Some(active) = self.lock().as_mut() {
            active.stale = Some((Instant::now() + STALE, before));
        }
    }

    /// What a read sees instead of what is there.
    fn late(&self, operation: &str) -> Option<Arc<View>> {
        let mut active = self.lock();
        let stale = &mut active.as_mut()?.stale;
        if stale.as_ref().is_some_and(|(until, _)| *until <= Instant::now()) {
            *stale = None;
        }
        stale.as_ref().filter(|_| plan::reads(operation)).map(|(_, view)| Arc::clone(view))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Active>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(faults: &Faults, caller: &str, operation: &str) -> Option<Kind> {
        faults.meet(caller, operation, None).unwrap().1
    }

    #[test]
    fn a_fault_is_placed_by_caller_operation_and_number() {
        let faults = Faults::default();
        let anywhere = Fault { caller: None, operation: None, nth: 3, kind: Kind::ServerError };
        faults.plan(vec![
            Fault::at("b", "GetAlias", 2, Kind::Throttle),
            anywhere,
            Fault::at("a", "GetAlias", 1, Kind::LostAnswer),
        ]);
        assert_eq!(met(&faults, "stack-a-1", "GetAlias"), Some(Kind::LostAnswer));
        assert_eq!(met(&faults, "stack-b-1", "GetAlias"), None);
        assert_eq!(met(&faults, "stack-b-1", "ListAliases"), Some(Kind::ServerError), "the third of all");
        assert_eq!(met(&faults, "stack-b-1", "GetAlias"), Some(Kind::Throttle));
        assert_eq!(met(&faults, "stack-b-1", "GetAlias"), None, "each happens once");
        assert_eq!(faults.made().len(), 5);
    }

    #[test]
    fn a_denial_may_last() {
        let faults = Faults::default();
        faults.plan(vec![Fault::at("a", "CreateAlias", 1, Kind::DeniedFromNowOn)]);
        for _ in 0..3 {
            assert_eq!(met(&faults, "a", "CreateAlias"), Some(Kind::DeniedFromNowOn));
        }
        assert_eq!(met(&faults, "b", "CreateAlias"), None, "another caller");
        assert_eq!(met(&faults, "a", "DeleteAlias"), None, "another operation");
        faults.end();
        assert_eq!(faults.meet("a", "CreateAlias", None), None);
    }

    #[test]
    fn what_no_call_decides_about_is_placed_by_number() {
        let faults = Faults::default();
        assert!(!faults.happens(Kind::EventLost), "without a plan");
        let lost = |nth| Fault { caller: None, operation: None, nth, kind: Kind::EventLost };
        faults.plan(vec![lost(2), lost(3)]);
        assert_eq!(met(&faults, "a", "CreateAlias"), None, "calls neither meet nor count it");
        let happened: Vec<bool> = (0..4).map(|_| faults.happens(Kind::EventLost)).collect();
        assert_eq!(happened, [false, true, true, false]);
        assert!(!faults.happens(Kind::NameHeld));
    }

    #[test]
    fn a_fault_waits_for_a_call_that_it_can_happen_at() {
        let faults = Faults::default();
        faults.plan(vec![Fault { caller: None, operation: None, nth: 1, kind: Kind::Conflict }]);
        assert_eq!(met(&faults, "a", "GetAlias"), None);
        assert_eq!(met(&faults, "a", "CreateAlias"), Some(Kind::Conflict));
    }
}
