//! The rate at which the control plane takes calls: a second's worth may come at once, what is over is refused.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::errors::throttled;
use crate::Result;

/// The calls that may still come, and since when they have been filling up again.
#[derive(Default)]
pub struct Pace(Mutex<Option<(f64, Instant)>>);

impl Pace {
    /// Takes a call.
    ///
    /// # Errors
    /// `TooManyRequestsException` when more than `rate` a second have come.
    pub fn take(&self, rate: u32) -> Result<()> {
        self.take_at(rate, Instant::now())
    }

    fn take_at(&self, rate: u32, now: Instant) -> Result<()> {
        let rate = f64::from(rate);
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (left, since) = state.unwrap_or((rate, now));
        let left = (left + now.saturating_duration_since(since).as_secs_f64() * rate).min(rate);
        if left < 1.0 {
            *state = Some((left, now));
            return Err(throttled("CallerRateLimitExceeded"));
        }
        *state = Some((left - 1.0, now));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::lambda::Behaviour;
    use crate::testing::Local;
    use crate::{Caller, Service};

    #[test]
    fn control_plane_calls_over_the_rate_are_refused() {
        let (pace, start) = (Pace::default(), Instant::now());
        assert!((0..15).all(|_| pace.take_at(15, start).is_ok()));
        assert_eq!(pace.take_at(15, start).unwrap_err().code, "TooManyRequestsException");
        assert!(
            pace.take_at(15, start + Duration::from_millis(70)).is_ok(),
            "another one after a fifteenth of a second"
        );
        assert!(pace.take_at(15, start + Duration::from_millis(71)).is_err());
        let later = start + Duration::from_secs(60);
        assert_eq!(
            (0..20).filter(|_| pace.take_at(15, later).is_ok()).count(),
            15,
            "a second's worth, not a minute's"
        );
    }

    #[tokio::test]
    async fn looks_have_a_rate_of_their_own() {
        let local = Local::new();
        local.lambda.behave(Behaviour { control_plane_rate: Some(15), ..local.lambda.behaviour() });
        // Whoever may do nothing is told so, until he asks too often.
        let nobody =
            Caller::Role { arn: "arn:aws:iam::000000000000:role/none".to_owned(), session: "s".to_owned() };
        let taken = async |operation: &str| {
            let mut taken = 0;
            let input = json!({"FunctionName": "f"});
            while local.call(&nobody, Service::Lambda, operation, input.clone()).await.unwrap_err().status
                == 403
            {
                taken += 1;
            }
            taken
        };
        let (looks, others) = (taken("GetFunction").await, taken("GetFunctionConfiguration").await);
        // Some come back while it asks.
        assert!((100..140).contains(&looks) && (15..40).contains(&others), "{looks}, {others}");
    }
}
