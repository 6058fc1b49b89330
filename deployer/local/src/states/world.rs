//! What an execution touches outside itself: functions, time and chance. The one seam that tests replace.

use std::pin::Pin;
use std::time::Duration;

use jiff::Timestamp;

use crate::ApiError;
use crate::lambda::{Invocation, Invoked};

/// A boxed future, so that a world can be shared as a trait object.
pub type Soon<'w, T> = Pin<Box<dyn Future<Output = T> + Send + 'w>>;

/// The outside of an execution.
pub trait World: Send + Sync + 'static {
    /// Invokes a function as the machine's role. A future that is dropped does not end the invocation.
    fn invoke(&self, invocation: Invocation) -> Soon<'_, Result<Invoked, ApiError>>;

    /// Whether the role can still be assumed.
    fn permitted(&self) -> Result<(), String>;

    /// Waits.
    fn sleep(&self, time: Duration) -> Soon<'_, ()>;

    /// What time it is.
    fn now(&self) -> Timestamp;

    /// A random number from 0 up to 1, for jitter.
    fn chance(&self) -> f64;
}
