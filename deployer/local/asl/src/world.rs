//! What an execution touches outside itself: tasks, time and chance. The one seam that callers and tests fill.

use std::pin::Pin;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::failure::Failure;
use crate::map_run::MapRun;
use crate::resource::Resource;

/// A boxed future, so that a world can be shared as a trait object.
pub type Pending<'w, T> = Pin<Box<dyn Future<Output = T> + Send + 'w>>;

/// What comes of a task.
pub enum Answer<'w> {
    /// Its result.
    Done(Value),
    /// What the service said when it took the task over, and the task's further course.
    Submitted(Value, Pending<'w, Result<Value, Failure>>),
}

/// The outside of an execution.
pub trait World: Send + Sync + 'static {
    /// Prepares a task; the future that comes of it is the task's run. A future that is dropped was stopped or timed out.
    ///
    /// # Errors
    /// What keeps the task from starting, such as a role that cannot be assumed.
    fn task(
        &self,
        resource: &Resource,
        input: Value,
    ) -> Result<Pending<'_, Result<Answer<'_>, Failure>>, Failure>;

    /// Begins the run of a distributed Map: gives its ARN and the future that ends with the state's result. A future that is
    /// dropped was stopped. A world without executions has none.
    ///
    /// # Errors
    /// What keeps the run from starting.
    fn map_run(&self, run: MapRun) -> Result<(String, Pending<'_, Result<Value, Failure>>), Failure> {
        Err(Failure::runtime(format!("The state '{}' cannot start executions here.", run.state)))
    }

    /// Waits.
    fn sleep(&self, time: Duration) -> Pending<'_, ()>;

    /// What time it is.
    fn now(&self) -> Timestamp;

    /// A random number from 0 up to 1, for jitter.
    fn chance(&self) -> f64 {
        fastrand::f64()
    }
}
