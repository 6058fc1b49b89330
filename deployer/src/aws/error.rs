//! What a failed call to AWS means to the user: the cause in a sentence, and which permission or credential is missing.

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

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
            return Some(format!("these credentials need the permission {}", self.operation));
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
                CallError { operation, code, message }
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
    let innermost = causes.last().cloned().unwrap_or_default();
    if credentials {
        CallError {
            operation,
            code: Some(NO_CREDENTIALS.to_owned()),
            message: format!("no AWS credentials: {innermost}"),
        }
    } else {
        CallError { operation, code: Some(NO_ANSWER.to_owned()), message: format!("no answer: {innermost}") }
    }
}
