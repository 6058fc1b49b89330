//! How many invocations run at once: the account's limit, and what functions have reserved of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Result;

use super::super::errors::throttled;

/// The invocations that run. Cloning shares them.
#[derive(Clone, Default)]
pub struct Concurrency {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    running: HashMap<String, u32>,
    reserved: HashMap<String, u32>,
}

impl State {
    /// What runs of functions that have reserved nothing.
    fn unreserved_running(&self) -> u32 {
        let unreserved = self.running.iter().filter(|(name, _)| !self.reserved.contains_key(*name));
        unreserved.map(|(_, n)| n).sum()
    }
}

/// A running invocation; dropping it makes room.
pub struct Running {
    concurrency: Concurrency,
    function: String,
}

impl Concurrency {
    /// Notes what a function has reserved.
    pub fn reserve(&self, function: &str, reserved: Option<u32>) {
        let mut state = self.lock();
        match reserved {
            Some(n) => state.reserved.insert(function.to_owned(), n),
            None => state.reserved.remove(function),
        };
    }

    /// What all functions but this have reserved.
    pub fn reserved_by_others(&self, function: &str) -> u32 {
        self.lock().reserved.iter().filter(|(name, _)| *name != function).map(|(_, n)| n).sum()
    }

    /// What is reserved altogether.
    pub fn reserved(&self) -> u32 {
        self.lock().reserved.values().sum()
    }

    /// Starts an invocation, with the account's limit as it is now.
    ///
    /// # Errors
    /// `TooManyRequestsException` with AWS's reason.
    pub fn enter(&self, function: &str, account_limit: u32) -> Result<Running> {
        let mut state = self.lock();
        if let Some(&reserved) = state.reserved.get(function) {
            if state.running.get(function).copied().unwrap_or_default() >= reserved {
                return Err(throttled("ReservedFunctionConcurrentInvocationLimitExceeded"));
            }
        } else {
            let free = account_limit.saturating_sub(state.reserved.values().sum());
            if state.unreserved_running() >= free {
                return Err(throttled("ConcurrentInvocationLimitExceeded"));
            }
        }
        *state.running.entry(function.to_owned()).or_default() += 1;
        Ok(Running { concurrency: self.clone(), function: function.to_owned() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut state = self.concurrency.lock();
        if let Some(n) = state.running.get_mut(&self.function) {
            *n -= 1;
            if *n == 0 {
                state.running.remove(&self.function);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ApiError;

    fn reason(error: Option<ApiError>) -> String {
        error.unwrap().details.into_iter().find(|(k, _)| k == "Reason").unwrap().1
    }

    #[test]
    fn a_reservation_limits_its_function_and_takes_from_the_others() {
        let concurrency = Concurrency::default();
        concurrency.reserve("r", Some(1));
        let running = concurrency.enter("r", 3).unwrap();
        let error = concurrency.enter("r", 3).err();
        assert_eq!(reason(error), "ReservedFunctionConcurrentInvocationLimitExceeded");
        let others = (concurrency.enter("a", 3).unwrap(), concurrency.enter("b", 3).unwrap());
        assert_eq!(reason(concurrency.enter("a", 3).err()), "ConcurrentInvocationLimitExceeded");
        drop((running, others));
        assert!(concurrency.enter("r", 3).is_ok() && concurrency.enter("a", 3).is_ok());
        concurrency.reserve("z", Some(0));
        assert!(concurrency.enter("z", 3).is_err());
    }
}
