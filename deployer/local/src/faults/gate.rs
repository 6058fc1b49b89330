//! A call that is held back until somebody lets it go: for tests of what happens meanwhile.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::sync::Notify;

/// A place in the course of calls at which one of them waits.
#[derive(Debug)]
pub struct Gate {
    caller: String,
    operation: String,
    /// How many calls that fit may still come before the one that is held.
    before: AtomicU32,
    came: AtomicBool,
    lost: AtomicBool,
    arrival: Notify,
    opening: Notify,
}

impl Gate {
    pub(super) fn at(caller: &str, operation: &str, nth: u32) -> Self {
        Self {
            caller: caller.to_owned(),
            operation: operation.to_owned(),
            before: AtomicU32::new(nth.saturating_sub(1)),
            came: AtomicBool::new(false),
            lost: AtomicBool::new(false),
            arrival: Notify::new(),
            opening: Notify::new(),
        }
    }

    /// Waits until the call is there.
    pub async fn reached(&self) {
        self.arrival.notified().await;
    }

    /// Whether the call has been there.
    #[must_use]
    pub fn has_been_reached(&self) -> bool {
        self.came.load(Ordering::SeqCst)
    }

    /// Lets the call go on, now or as soon as it comes.
    pub fn open(&self) {
        self.opening.notify_one();
    }

    /// Ends the call's connection instead, before anything was done.
    pub fn lose(&self) {
        self.lost.store(true, Ordering::SeqCst);
        self.open();
    }

    /// Whether the call goes on.
    pub(super) async fn pass(&self, caller: &str, operation: &str) -> bool {
        if !caller.contains(&self.caller) || operation != self.operation {
            return true;
        }
        let counted = |before: u32| before.checked_sub(1);
        if self.before.fetch_update(Ordering::SeqCst, Ordering::SeqCst, counted).is_ok()
            || self.came.swap(true, Ordering::SeqCst)
        {
            return true;
        }
        self.arrival.notify_one();
        self.opening.notified().await;
        !self.lost.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::Faults;

    #[tokio::test]
    async fn a_call_waits_at_its_gate() {
        let faults = Arc::new(Faults::default());
        faults.plan(Vec::new());
        let gate = faults.hold("cleaner", "DeleteAlias", 2);
        for (caller, operation) in
            [("cleaner", "DeleteAlias"), ("publisher", "DeleteAlias"), ("cleaner", "GetAlias")]
        {
            assert!(faults.pass_gates(caller, operation).await);
        }
        assert!(!gate.has_been_reached());
        let passing = Arc::clone(&faults);
        let held = tokio::spawn(async move { passing.pass_gates("the-cleaner-1", "DeleteAlias").await });
        gate.reached().await;
        assert!(gate.has_been_reached() && !held.is_finished());
        assert!(faults.pass_gates("cleaner", "DeleteAlias").await, "only one is held");
        gate.open();
        assert!(held.await.unwrap());
        let gate = faults.hold("cleaner", "DeleteAlias", 1);
        gate.lose();
        assert!(!faults.pass_gates("cleaner", "DeleteAlias").await);
    }
}
