//! What may be tried again, and when.
//!
//! Throttling, conflicts and 5xx answers are transient: waited out with jittered back-off while there is time. Calls
//! of the control plane may be repeated even when their first answer was lost, because every caller checks what it
//! finds (revision ids, marks). Invocations may not; see [`super::invoke`].

use std::time::Duration;

use aws_sdk_lambda::config::http::HttpResponse;
use aws_sdk_lambda::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use tuning::throttling::is_throttled;

use crate::deadline::Deadline;
use crate::error::{Error, Kind};

/// A control-plane call that has not been answered by then is considered lost.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// The code of a call that could not even be sent, such as for a region that cannot be.
const NOT_SENT: &str = "NotSent";

/// A call that AWS answered with an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The operation, such as `CreateAlias`.
    pub operation: &'static str,
    /// The error code, such as `ResourceConflictException`; empty when no answer came.
    pub code: String,
    /// The HTTP status; 0 when no answer came.
    pub status: u16,
    /// AWS's own message, or what happened on the way.
    pub message: String,
    /// Whether it was transient, but outlasted the time there was.
    pub out_of_time: bool,
}

impl Refusal {
    fn of<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let status = error.raw_response().map_or(0, |response| response.status().as_u16());
        let message = match error.message() {
            Some(message) => message.to_owned(),
            None => DisplayErrorContext(error).to_string(),
        };
        let code = match error {
            // It never became a request: trying again would not change that.
            SdkError::ConstructionFailure(_) => NOT_SENT,
            _ => error.code().unwrap_or_default(),
        };
        let code = code.to_owned();
        Self { operation, code, status, message, out_of_time: false }
    }

    /// The thing does not exist.
    pub fn is_not_found(&self) -> bool {
        self.status == 404 || self.code == "ResourceNotFoundException"
    }

    /// The thing exists already, is in use, or is being changed.
    pub fn is_conflict(&self) -> bool {
        self.status == 409 || self.code == "ResourceConflictException"
    }

    /// The thing is no longer what the caller had read.
    pub fn is_outdated(&self) -> bool {
        self.status == 412 || self.code == "PreconditionFailedException"
    }

    /// The caller lacks a permission.
    pub fn is_denied(&self) -> bool {
        self.status == 403 || self.code.starts_with("AccessDenied")
    }

    /// It may succeed another time, or have succeeded without its answer having come. Anything else is refused for good.
    pub fn may_pass(&self) -> bool {
        self.is_transient() || self.is_conflict()
    }

    /// No waiting cures it. What is not found or outdated is not refused, but another thing than was thought.
    pub fn is_for_good(&self) -> bool {
        !self.may_pass() && !self.out_of_time && !self.is_not_found() && !self.is_outdated()
    }

    fn is_transient(&self) -> bool {
        is_throttled(self.status, &self.code)
            || self.status >= 500
            || (self.status == 0 && self.code != NOT_SENT)
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let Refusal { operation, code, message, .. } = &refusal;
        let code = if code.is_empty() { "no answer" } else { code };
        if refusal.out_of_time {
            return Self::late(format!(
                "{operation} did not succeed (the last answer was {code}: {message})"
            ));
        }
        // Lambda passes on what KMS refused: under a code of its own, as a denial, or, when it is about a grant, as a parameter
        // that is wrong. The message names KMS's action.
        let of_key = code.starts_with("KMSAccessDenied") || message.contains("perform: kms:");
        if refusal.is_denied() || of_key {
            let remedy = if *operation == "AssumeRole" {
                "deploy with assumableRoles that has roleARN (`deployer up --assumable-roles`), and see that the role trusts this account"
            } else if of_key {
                "deploy with kmsKeyArns that has the function's key (`deployer up --kms-key-arns`), and see that the key's policy leaves access to IAM"
            } else {
                "does the stack's lambdaResource cover the function?"
            };
            let message = format!("not allowed to call {operation}: {message}; {remedy}");
            return Self::new(Kind::AccessDenied, message);
        }
        let kind = if refusal.is_not_found() { Kind::FunctionNotFound } else { Kind::Refused };
        Self::new(kind, format!("{operation} failed with {code}: {message}"))
    }
}

/// Most changes have come into effect by then, so it is looked for them often until then.
const SOON: Duration = Duration::from_secs(3);
/// How often: rarely enough for the 15 calls a second that an account has, in which calls take a while themselves.
const OFTEN: Duration = Duration::from_millis(160);

/// Delays that double, with full jitter, from `first` up to `longest`.
#[derive(Debug)]
pub struct Backoff {
    ceiling: Duration,
    longest: Duration,
    /// For so long yet, no delay is over [`OFTEN`].
    often_for: Duration,
}

impl Backoff {
    /// A back-off whose first delay is at most `first` and whose last are at most `longest`.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { ceiling: first, longest, often_for: Duration::ZERO }
    }

    /// For calls that were throttled or not answered.
    pub fn transient() -> Self {
        Self::new(Duration::from_millis(100), Duration::from_secs(5))
    }

    /// For looking whether a change has come into effect: finely at first, since each is waited for.
    pub fn polling() -> Self {
        Self { often_for: SOON, ..Self::new(Duration::from_millis(20), Duration::from_secs(1)) }
    }

    /// The next delay.
    pub fn delay(&mut self) -> Duration {
        let ceiling = self.ceiling;
        self.often_for = self.often_for.saturating_sub(ceiling);
        let longest = if self.often_for.is_zero() { self.longest } else { OFTEN };
        self.ceiling = (ceiling * 2).min(longest);
        // Never less than a quarter, or many callers would come back at once after all.
        ceiling.mul_f64(0.25 + 0.75 * fastrand::f64())
    }

    /// Waits for the next delay, unless the deadline comes first: then it returns false without waiting.
    pub async fn wait(&mut self, deadline: Deadline) -> bool {
        let delay = self.delay();
        if delay >= deadline.remaining() {
            return false;
        }
        tokio::time::sleep(delay).await;
        true
    }
}

/// Calls the control plane and waits for its answer, so long as there is time.
pub async fn once<T, E>(
    operation: &'static str,
    deadline: Deadline,
    attempt: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
) -> Result<T, Refusal>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    within(operation, CALL_TIMEOUT.min(deadline.remaining()), attempt).await
}

/// Calls once and waits so long for the answer.
///
/// # Errors
/// What AWS refuses, or that no answer came.
pub async fn within<T, E>(
    operation: &'static str,
    patience: Duration,
    attempt: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
) -> Result<T, Refusal>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let silence =
        |message, out_of_time| Refusal { operation, code: String::new(), status: 0, message, out_of_time };
    if patience.is_zero() {
        return Err(silence("there was no time left for it".to_owned(), true));
    }
    match tokio::time::timeout(patience, attempt).await {
        Ok(answer) => answer.map_err(|error| Refusal::of(operation, &error)),
        Err(_) => Err(silence(format!("no answer within {} ms", patience.as_millis()), false)),
    }
}

/// Calls the control plane until it answers or time is up. With `conflicts_pass`, a conflict is transient too.
pub async fn call<T, E, F>(
    operation: &'static str,
    deadline: Deadline,
    conflicts_pass: bool,
    mut attempt: impl FnMut() -> F,
) -> Result<T, Refusal>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
{
    let mut backoff = Backoff::transient();
    loop {
        let refusal = match once(operation, deadline, attempt()).await {
            Ok(answer) => return Ok(answer),
            Err(refusal) => refusal,
        };
        let passes = refusal.is_transient() || (conflicts_pass && refusal.is_conflict());
        if !passes {
            return Err(refusal);
        }
        if !backoff.wait(deadline).await {
            return Err(Refusal { out_of_time: true, ..refusal });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_the_longest_and_no_further() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(400));
        for ceiling in [100, 200, 400, 400] {
            let delay = backoff.delay();
            assert!(delay <= Duration::from_millis(ceiling), "{delay:?}");
            assert!(delay >= Duration::from_millis(ceiling / 4), "{delay:?}");
        }
    }

    #[test]
    fn changes_are_looked_for_often_at_first_and_then_less() {
        let mut backoff = Backoff::polling();
        let mut ceilings = Vec::new();
        for _ in 0..30 {
            ceilings.push(backoff.ceiling.as_millis());
            backoff.delay();
        }
        assert_eq!(ceilings[..5], [20, 40, 80, 160, 160]);
        let often: u128 = ceilings.iter().filter(|ms| **ms <= 160).sum();
        assert!((3000..3400).contains(&often), "{ceilings:?}");
        assert_eq!(ceilings.last(), Some(&1000));
    }

    #[test]
    fn a_denied_call_says_which() {
        let refusal = Refusal {
            operation: "CreateAlias",
            code: "AccessDeniedException".into(),
            status: 403,
            message: "User: x is not authorized".into(),
            out_of_time: false,
        };
        let error = Error::from(refusal);
        assert_eq!(error.kind, Kind::AccessDenied);
        assert!(error.message.contains("CreateAlias"), "{error}");
    }
}
