//! One invocation, at most once.
//!
//! An invocation is repeated only when it certainly has not run: throttled, refused because the function is not
//! ready, or never connected. Whatever else goes wrong on the way may have happened after the function started, so
//! the answer is reported as lost.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_lambda::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_lambda::operation::invoke::InvokeError;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::LogType;
use tokio::time::Instant;

use super::transient::Backoff;
use crate::deadline::Deadline;
use crate::error::{Error, Kind};

/// What the invoked function answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The function's result, or its error object.
    pub payload: Vec<u8>,
    /// Whether the result is an error object.
    pub failed: bool,
    /// The last 4 KB of the invocation's log.
    pub log_tail: String,
    /// From sending the request to having the answer.
    pub took: Duration,
}

/// What became of an invocation.
#[derive(Debug)]
pub enum Reply {
    /// The function answered.
    Answered(Answer),
    /// The function may have run, but its answer did not arrive; and why.
    Lost {
        /// Why the answer did not arrive.
        reason: String,
        /// Whether that is because the caller's time was up.
        out_of_time: bool,
    },
    /// The function cannot be started at this memory size, and why.
    TooSmall(String),
    /// The function has not run, and the time for starting it is over; and what kept it from running.
    NotStarted {
        /// The last refusal, `None` when there was no time for even one attempt.
        reason: Option<String>,
    },
}

/// Attempts that AWS refused to start, or that did not reach it, and that were made again.
#[derive(Debug, Default)]
pub struct Retries {
    count: AtomicU32,
    last: Mutex<Option<String>>,
}

impl Retries {
    fn note(&self, reason: &str) {
        self.count.fetch_add(1, Ordering::Relaxed);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
    }

    /// How many there were, and why the last one.
    pub fn told(&self) -> (u32, Option<String>) {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        (self.count.load(Ordering::Relaxed), last.clone())
    }
}

/// A function to invoke, plain or at a qualifier.
#[derive(Debug, Clone)]
pub struct Target<'a> {
    /// The client of the function's region.
    pub client: &'a aws_sdk_lambda::Client,
    /// The function's name or ARN.
    pub function: &'a str,
    /// An alias or version; `None` when the ARN says it already or `$LATEST` is meant.
    pub qualifier: Option<&'a str>,
    /// Counts the attempts that are made again.
    pub retries: &'a Retries,
    /// The function's own time-out, where that is known: no answer comes much later than that.
    pub timeout: Option<Duration>,
}

/// What an invocation may take beyond the function's time-out: an environment is found and initialized first, which Lambda
/// gives 10 s, and a large image is fetched.
const BEYOND_TIMEOUT: Duration = Duration::from_secs(30);
/// A connection that was lost after so long was most likely lost because nothing was sent on it.
const IDLE: Duration = Duration::from_secs(1);

/// Invokes a function once. `start_by` is asked before every attempt until when one may be started.
///
/// # Errors
/// When AWS refuses the invocation for good: no permission, no such function, payload too large.
pub async fn invoke(
    target: &Target<'_>,
    payload: Option<&[u8]>,
    deadline: Deadline,
    mut start_by: impl FnMut() -> Instant,
) -> Result<Reply, Error> {
    let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
    let mut reason = None;
    loop {
        if Instant::now() >= start_by() {
            return Ok(Reply::NotStarted { reason });
        }
        let started = Instant::now();
        let request = target
            .client
            .invoke()
            .function_name(target.function)
            .set_qualifier(target.qualifier.map(str::to_owned))
            .set_payload(payload.map(Blob::new))
            .log_type(LogType::Tail)
            .send();
        let answer_by = target.timeout.map(|timeout| started + timeout + BEYOND_TIMEOUT);
        let answer_by = answer_by.map_or(deadline.instant(), |end| end.min(deadline.instant()));
        let error = match tokio::time::timeout_at(answer_by, request).await {
            Ok(Ok(output)) => {
                let log = output.log_result().unwrap_or_default();
                let log_tail = aws_smithy_types::base64::decode(log).map_err(|e| {
                    Error::new(Kind::NoReport, format!("Lambda's log tail is not base64: {e}"))
                })?;
                return Ok(Reply::Answered(Answer {
                    failed: output.function_error().is_some(),
                    payload: output.payload.map(Blob::into_inner).unwrap_or_default(),
                    log_tail: String::from_utf8_lossy(&log_tail).into_owned(),
                    took: started.elapsed(),
                }));
            }
            Ok(Err(error)) => error,
            Err(_) => {
                let mut reason = format!("no answer within {} ms", started.elapsed().as_millis());
                let out_of_time = answer_by == deadline.instant();
                if let (false, Some(timeout)) = (out_of_time, target.timeout) {
                    reason += &format!(
                        ", though the function's own time-out is {} s: {LOST_WHILE_IDLE}",
                        timeout.as_secs()
                    );
                }
                return Ok(Reply::Lost { reason, out_of_time });
            }
        };
        match judge(&error) {
            Verdict::Retry => {
                let why = describe(&error);
                target.retries.note(&why);
                reason = Some(why);
            }
            Verdict::Skip => return Ok(Reply::TooSmall(describe(&error))),
            Verdict::Lost => {
                let reason = lost(&error, started.elapsed());
                return Ok(Reply::Lost { reason, out_of_time: false });
            }
            Verdict::Fail => return Err(refused(target, &error)),
        }
        tokio::time::sleep(backoff.delay().min(deadline.remaining())).await;
    }
}

/// What an error of `Invoke` means to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// The function has not run and may run later: invoked again while there is time.
    Retry,
    /// The function cannot start at this size: the size is skipped.
    Skip,
    /// The function may have run, but its answer is lost: never invoked again for it.
    Lost,
    /// Waiting does not cure it: the run fails.
    Fail,
}

/// The errors of `Invoke` whose status does not say what they mean, by code. Waited for is what botocore's model of Lambda
/// (1.44.8) says to wait for or to try again, and what is about AWS at that moment: its load, a limit that others fill. Lambda's
/// 502s with a name happened while it prepared the environment, so the function has not run.
///
/// A mount that timed out had reached the file system, which was busy, and AWS's advice is to invoke again; one that could not
/// reach it (`…MountConnectivityException`), or was not let in (`…MountFailureException`), needs another configuration, and is
/// left to its status (AWS re:Post, "invoke a Lambda function with an Amazon EFS integration"; S3 Files has the same errors).
/// `SnapStartException` is an error that the function's own hook raised after restoring.
const VERDICTS: [(&str, Verdict); 25] = [
    ("CodeArtifactUserDeletedException", Verdict::Retry),
    ("CodeArtifactUserPendingException", Verdict::Retry),
    ("EC2AccessDeniedException", Verdict::Fail),
    ("EC2ThrottledException", Verdict::Retry),
    ("EC2UnexpectedException", Verdict::Retry),
    ("EFSMountTimeoutException", Verdict::Retry),
    ("ENILimitReachedException", Verdict::Retry),
    ("ENINotReadyException", Verdict::Retry),
    ("InvalidRuntimeException", Verdict::Fail),
    ("InvalidSecurityGroupIDException", Verdict::Fail),
    ("InvalidSubnetIDException", Verdict::Fail),
    ("InvalidZipFileException", Verdict::Fail),
    ("KMSAccessDeniedException", Verdict::Fail),
    ("KMSDisabledException", Verdict::Fail),
    ("KMSInvalidStateException", Verdict::Fail),
    ("KMSNotFoundException", Verdict::Fail),
    ("ResourceConflictException", Verdict::Retry),
    ("ResourceNotReadyException", Verdict::Retry),
    ("S3FilesMountTimeoutException", Verdict::Retry),
    ("ServiceException", Verdict::Lost),
    ("SnapStartNotReadyException", Verdict::Retry),
    ("SnapStartRegenerationFailureException", Verdict::Retry),
    // Restoring takes longer with less memory.
    ("SnapStartTimeoutException", Verdict::Skip),
    ("SubnetIPAddressLimitReachedException", Verdict::Retry),
    ("TooManyRequestsException", Verdict::Retry),
];

fn judge(error: &SdkError<InvokeError>) -> Verdict {
    match error {
        SdkError::ConstructionFailure(_) => Verdict::Fail,
        SdkError::DispatchFailure(failure) => {
            // The only time-out we set is that of connecting.
            if failure.is_timeout() || failure.as_connector_error().is_some_and(never_connected) {
                Verdict::Retry
            } else {
                Verdict::Lost
            }
        }
        SdkError::ServiceError(answer) => {
            let (status, error) = (answer.raw().status().as_u16(), answer.err());
            judge_answer(status, error.code().unwrap_or_default(), error.message().unwrap_or_default())
        }
        _ => Verdict::Lost,
    }
}

fn judge_answer(status: u16, code: &str, message: &str) -> Verdict {
    match (VERDICTS.iter().find(|(known, _)| *known == code), status) {
        // A version that could not be prepared, as SnapStart does at each size, stays so.
        (Some(("ResourceConflictException", _)), _) if message.contains("state: Failed") => Verdict::Skip,
        (Some((_, verdict)), _) => *verdict,
        (None, 429) => Verdict::Retry,
        (None, 500..) => Verdict::Lost,
        (None, _) => Verdict::Fail,
    }
}

fn never_connected(error: &aws_smithy_runtime_api::client::result::ConnectorError) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if error.downcast_ref::<hyper_util::client::legacy::Error>().is_some_and(|e| e.is_connect()) {
            return true;
        }
        next = error.source();
    }
    false
}

fn describe(error: &SdkError<InvokeError>) -> String {
    match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        _ => DisplayErrorContext(error).to_string(),
    }
}

/// What is said of a connection that something on the way has given up.
const LOST_WHILE_IDLE: &str = "the connection was lost while it was idle. If the stack runs in a VPC, what stands between it and \
     Lambda (a NAT gateway, a firewall, a proxy) must keep idle connections for longer than the function takes; a VPC \
     endpoint for Lambda does";

/// Why an answer was lost, `after` the request was sent.
fn lost(error: &SdkError<InvokeError>, after: Duration) -> String {
    let is_io = matches!(error, SdkError::DispatchFailure(failure) if failure.is_io());
    let (cause, ms) = (DisplayErrorContext(error), after.as_millis());
    match is_io {
        true if after >= IDLE => format!("no answer within {ms} ms: {LOST_WHILE_IDLE} ({cause})"),
        true => format!("the connection was lost before the answer came, after {ms} ms ({cause})"),
        false => describe(error),
    }
}

fn refused(target: &Target<'_>, error: &SdkError<InvokeError>) -> Error {
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    let kind = match status {
        403 => Kind::AccessDenied,
        404 => Kind::FunctionNotFound,
        _ => Kind::Refused,
    };
    let function = target.function;
    let at = target.qualifier.map(|q| format!(":{q}")).unwrap_or_default();
    Error::new(kind, format!("cannot invoke {function}{at}: {}", describe(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_failed_is_not_waited_for() {
        let message = "The operation cannot be performed at this time. The function is currently in the following state: Failed";
        assert_eq!(judge_answer(409, "ResourceConflictException", message), Verdict::Skip);
    }

    #[test]
    fn an_answer_without_a_known_code_is_judged_by_its_status() {
        assert_eq!(judge_answer(429, "", ""), Verdict::Retry);
        assert_eq!(judge_answer(502, "", ""), Verdict::Lost);
        assert_eq!(judge_answer(503, "", ""), Verdict::Lost);
        assert_eq!(judge_answer(418, "", ""), Verdict::Fail);
    }
}
