//! What a call is made of, whichever protocol carried it: the service, who calls, and the error it may end with.

use std::fmt;

use crate::ACCOUNT;

/// A service of the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// AWS CloudFormation.
    CloudFormation,
    /// Amazon CloudFront.
    CloudFront,
    /// Amazon EventBridge.
    Events,
    /// AWS Identity and Access Management.
    Iam,
    /// AWS Lambda.
    Lambda,
    /// Amazon CloudWatch Logs.
    Logs,
    /// Amazon S3.
    S3,
    /// AWS Step Functions.
    States,
    /// AWS Security Token Service.
    Sts,
}

/// Who makes a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// The person at the machine: allowed everything.
    Owner,
    /// Nobody in particular, a request without a signature: allowed what resource policies grant everyone.
    Anonymous,
    /// A session of a role: allowed what the role's policies say.
    Role {
        /// The role's ARN, `arn:aws:iam::ACCOUNT:role/NAME`.
        arn: String,
        /// The session's name, as in the assumed-role ARN.
        session: String,
    },
    /// A service acting for itself, such as `events.amazonaws.com`: allowed what resource policies say.
    Service {
        /// The service principal.
        principal: String,
        /// The resource on whose behalf it acts, matched against `aws:SourceArn`.
        source_arn: String,
    },
}

impl Caller {
    /// The caller's ARN as `GetCallerIdentity` and access denials give it, or the principal of a service.
    #[must_use]
    pub fn arn(&self) -> String {
        match self {
            Self::Owner => format!("arn:aws:iam::{ACCOUNT}:user/owner"),
            Self::Anonymous => "anonymous".to_owned(),
            Self::Role { arn, session } => {
                let name = arn.rsplit('/').next().unwrap_or(arn);
                format!("arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{session}")
            }
            Self::Service { principal, .. } => principal.clone(),
        }
    }
}

/// An error as AWS answers it; each protocol renders it in its own way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// The error code, such as `ResourceNotFoundException`.
    pub code: String,
    /// The message for people.
    pub message: String,
    /// Further members of the error's JSON body, such as `Reason` of Lambda's `TooManyRequestsException`.
    pub details: Vec<(String, String)>,
}

impl ApiError {
    /// An error with a status, a code and a message.
    pub fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into(), details: Vec::new() }
    }

    /// The same error with a further member in its body.
    #[must_use]
    pub fn with(mut self, member: impl Into<String>, value: impl Into<String>) -> Self {
        self.details.push((member.into(), value.into()));
        self
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}
