//! What a failed call to AWS means to the user: the cause in a sentence, and which permission or credential is missing.

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use tuning::throttling::is_throttled;

/// A call that failed. Its text is the cause alone; [`CallError::operation`] says which call.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("{message}")]
pub struct CallError {
    /// The call, named as the permission for it: `cloudformation:CreateChangeSet`.
    pub operation: &'static str,
    /// AWS's code for the error; none when there was no answer.
    pub code: Option<String>,
    /// The cause.
    pub message: String,
    /// Whether it may pass by itself: no answer, throttling, a failure of AWS's own.
    pub transient: bool,
}

impl CallError {
    /// Whether AWS's answer had this code.
    #[must_use]
    pub fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// Whether the caller lacks the permission.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        self.code.as_deref().is_some_and(|code| {
            ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403", "Forbidden"]
                .contains(&code)
        })
    }

    /// What the user can do about it, when it is one of the usual causes.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        if self.is_denied() {
            // One call may need several permissions: to create a function, also to pass its role.
            let action = missing_permission(&self.message).unwrap_or(self.operation);
            let because = match self.message.split_once("with an explicit deny in ") {
                Some((_, policy)) => {
                    let policy = policy.trim_end_matches('.');
                    return Some(format!(
                        "{action} is denied by {policy}: no other policy can allow it, so that one must change"
                    ));
                }
                None if self.message.contains("no permissions boundary allows") => {
                    ", and their permissions boundary has to allow it"
                }
                None => "",
            };
            return Some(format!("these credentials need the permission {action}{because}"));
        }
        if self.message.contains("scoped to a valid region") {
            return Some("check the region's name: --region, AWS_REGION, or the profile's".to_owned());
        }
        match self.code.as_deref() {
            Some("ExpiredToken" | "ExpiredTokenException" | "RequestExpired") => {
                Some("the credentials have expired: get new ones, with `aws sso login` for example".to_owned())
            }
            Some("InvalidClientTokenId" | "UnrecognizedClientException" | "SignatureDoesNotMatch" | "InvalidAccessKeyId") => {
                Some("AWS does not know these credentials: check the profile, and AWS_ACCESS_KEY_ID in the environment".to_owned())
            }
            Some(NO_CREDENTIALS) => Some(
                "choose a profile with --profile or AWS_PROFILE, sign in with `aws sso login` or `aws configure`, \
                 or work without an account: --local"
                    .to_owned(),
            ),
            Some(NO_ANSWER) => Some("check the network, the region's name, and --endpoint-url if it is set".to_owned()),
            _ => None,
        }
    }
}

/// Our own codes for calls that never got an answer.
const NO_CREDENTIALS: &str = "NoCredentials";
const NO_ANSWER: &str = "NoAnswer";

/// S3's codes for a connection that was idle for too long; their status is that of a wrong request.
const TIMED_OUT: [&str; 2] = ["RequestTimeout", "RequestTimeoutException"];

/// The action that a denial names: "… is not authorized to perform: iam:CreateRole on resource …".
#[must_use]
pub fn missing_permission(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("not authorized to perform")?;
    let action = rest.trim_start_matches(':').trim_start().split([' ', ',', ';']).next()?;
    let action = action.trim_end_matches('.');
    action.contains(':').then_some(action)
}

/// Turns the outcome of a call into one with [`CallError`].
pub trait Call<T> {
    /// Names the call, as the permission it needs.
    ///
    /// # Errors
    /// The call's failure.
    fn called(self, operation: &'static str) -> Result<T, CallError>;
}

impl<T, E> Call<T> for Result<T, SdkError<E, HttpResponse>>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    fn called(self, operation: &'static str) -> Result<T, CallError> {
        self.map_err(|error| match &error {
            SdkError::ServiceError(answer) => {
                // Answers to HEAD requests have no body that could name the error.
                let status = answer.raw().status().as_u16();
                let answer = answer.err();
                let code = answer.code().map(str::to_owned).or_else(|| named(status));
                let message = match (answer.message(), &code) {
                    (Some(message), _) if !message.trim().is_empty() => message.trim().to_owned(),
                    (_, Some(code)) if code == "AccessDenied" => "access denied".to_owned(),
                    (_, Some(code)) => format!("AWS answered {code}"),
                    (_, None) => format!("AWS refused: {answer}"),
                };
                let transient = status >= 500
                    || is_throttled(status, code.as_deref().unwrap_or_default())
                    || code.as_deref().is_some_and(|code| TIMED_OUT.contains(&code));
                CallError { operation, code, message, transient }
            }
            _ => unanswered(operation, &error),
        })
    }
}

fn named(status: u16) -> Option<String> {
    match status {
        403 => Some("AccessDenied".to_owned()),
        404 => Some("NotFound".to_owned()),
        _ => None,
    }
}

/// A call that got no answer: the causes from the outermost to the innermost, without the repetitions.
fn unanswered(operation: &'static str, error: &(dyn std::error::Error + 'static)) -> CallError {
    let mut causes: Vec<String> = Vec::new();
    let mut credentials = false;
    let mut cause = Some(error);
    while let Some(error) = cause {
        credentials |= error.is::<CredentialsError>();
        let text = error.to_string();
        if !causes.iter().any(|known| known.contains(&text)) {
            causes.push(text);
        }
        cause = error.source();
    }
    let mut innermost = causes.last().cloned().unwrap_or_default();
    if credentials {
        // The last place to look is the instance's metadata: what it says is not what is wrong.
        if causes.iter().any(|cause| cause.contains("IMDS")) {
            innermost = "none in the environment, the profile, the container or the instance".to_owned();
        }
        CallError {
            operation,
            code: Some(NO_CREDENTIALS.to_owned()),
            message: format!("no AWS credentials: {innermost}"),
            transient: false,
        }
    } else {
        let message = format!("no answer: {innermost}");
        CallError { operation, code: Some(NO_ANSWER.to_owned()), message, transient: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(message: &str) -> String {
        let code = Some("AccessDenied".to_owned());
        let error = CallError {
            operation: "cloudformation:CreateChangeSet",
            code,
            message: message.into(),
            transient: false,
        };
        error.hint().unwrap()
    }

    #[test]
    fn a_denial_names_the_permission_that_is_missing_not_the_call() {
        let hint = denied(
            "User: u is not authorized to perform: iam:PassRole on resource: r because no identity-based policy allows the iam:PassRole action",
        );
        assert_eq!(hint, "these credentials need the permission iam:PassRole");
        assert_eq!(
            denied("Access Denied"),
            "these credentials need the permission cloudformation:CreateChangeSet"
        );
    }

    #[test]
    fn an_explicit_deny_is_not_answered_with_a_permission() {
        let hint = denied(
            "User: u is not authorized to perform: s3:PutObject on resource: r with an explicit deny in a service control policy",
        );
        assert_eq!(
            hint,
            "s3:PutObject is denied by a service control policy: no other policy can allow it, so that one must change"
        );
    }
}
