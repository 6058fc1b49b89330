//! One invocation, at most once.
//!
//! An invocation is repeated only when it certainly has not run: throttled, refused because the function is not
//! ready, or never connected. Whatever else goes wrong on the way may have happened after the function started, so
//! the answer is reported as lost.

use std::time::Duration;

use aws_sdk_lambda::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_lambda::operation::invoke::InvokeError;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::LogType;
use tokio::time::Instant;

use super::weather::Backoff;
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
    /// The function has not run, and the time for starting it is over; and what kept it from running.
    NotStarted {
        /// The last refusal, `None` when there was no time for even one attempt.
        reason: Option<String>,
    },
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
}

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
        let error = match tokio::time::timeout_at(deadline.instant(), request).await {
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
                let reason = format!("no answer within {} ms", started.elapsed().as_millis());
                return Ok(Reply::Lost { reason, out_of_time: true });
            }
        };
        match judge(&error) {
            Verdict::NotRun => reason = Some(describe(&error)),
            Verdict::MayHaveRun => return Ok(Reply::Lost { reason: describe(&error), out_of_time: false }),
            Verdict::Refused => return Err(refused(target, &error)),
        }
        tokio::time::sleep(backoff.delay().min(deadline.remaining())).await;
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    NotRun,
    MayHaveRun,
    Refused,
}

fn judge(error: &SdkError<InvokeError>) -> Verdict {
    match error {
        SdkError::ConstructionFailure(_) => Verdict::Refused,
        SdkError::DispatchFailure(failure) => {
            // The only time-out we set is that of connecting.
            if failure.is_timeout() || failure.as_connector_error().is_some_and(never_connected) {
                Verdict::NotRun
            } else {
                Verdict::MayHaveRun
            }
        }
        SdkError::ServiceError(answer) => {
            judge_answer(answer.raw().status().as_u16(), answer.err().code().unwrap_or_default())
        }
        _ => Verdict::MayHaveRun,
    }
}

fn judge_answer(status: u16, code: &str) -> Verdict {
    match (status, code) {
        (429 | 409, _) => Verdict::NotRun,
        // What Lambda reports as a bad gateway by name happened while it prepared the environment.
        (
            502,
            "EC2ThrottledException"
            | "EC2UnexpectedException"
            | "ENILimitReachedException"
            | "SubnetIPAddressLimitReachedException"
            | "ResourceNotReadyException",
        ) => Verdict::NotRun,
        // And these mean that it cannot be prepared at all.
        (
            502,
            "EC2AccessDeniedException"
            | "InvalidRuntimeException"
            | "InvalidSecurityGroupIDException"
            | "InvalidSubnetIDException"
            | "InvalidZipFileException"
            | "KMSAccessDeniedException"
            | "KMSDisabledException"
            | "KMSInvalidStateException"
            | "KMSNotFoundException",
        ) => Verdict::Refused,
        (500.., _) => Verdict::MayHaveRun,
        _ => Verdict::Refused,
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
    fn only_what_certainly_did_not_run_is_repeated() {
        assert_eq!(judge_answer(429, "TooManyRequestsException"), Verdict::NotRun);
        assert_eq!(judge_answer(409, "ResourceConflictException"), Verdict::NotRun);
        assert_eq!(judge_answer(409, "SnapStartNotReadyException"), Verdict::NotRun);
        assert_eq!(judge_answer(502, "EC2ThrottledException"), Verdict::NotRun);
        assert_eq!(judge_answer(500, "ServiceException"), Verdict::MayHaveRun);
        assert_eq!(judge_answer(502, ""), Verdict::MayHaveRun);
        assert_eq!(judge_answer(503, ""), Verdict::MayHaveRun);
        assert_eq!(judge_answer(502, "KMSDisabledException"), Verdict::Refused);
        assert_eq!(judge_answer(413, "RequestTooLargeException"), Verdict::Refused);
        assert_eq!(judge_answer(403, "AccessDeniedException"), Verdict::Refused);
    }
}
