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
    /// The Parameter Store of AWS Systems Manager.
    Ssm,
    /// AWS Step Functions.
    States,
    /// AWS Security Token Service.
    Sts,
}

/// How a service is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Parameters as a form, answers in XML of this namespace.
    Query(&'static str),
    /// The operation in `X-Amz-Target` behind this prefix, JSON both ways of this media type.
    Json(&'static str, &'static str),
    /// Operations as methods and paths, JSON both ways: Lambda.
    RestJson,
    /// Operations as methods, paths and subresources, XML where there is structure: S3.
    RestXml,
}

impl Service {
    /// All that requests can be signed for. CloudFront is not one: its own API is not there.
    const SIGNED: [Self; 9] = [
        Self::CloudFormation,
        Self::Events,
        Self::Iam,
        Self::Lambda,
        Self::Logs,
        Self::S3,
        Self::Ssm,
        Self::States,
        Self::Sts,
    ];

    /// Its name in credential scopes, ARNs and actions, with its protocol: the one table of both.
    const fn entry(self) -> (&'static str, Protocol) {
        const JSON_1_0: &str = "application/x-amz-json-1.0";
        const JSON_1_1: &str = "application/x-amz-json-1.1";
        match self {
            Self::CloudFormation => {
                ("cloudformation", Protocol::Query("http://cloudformation.amazonaws.com/doc/2010-05-15/"))
            }
            Self::CloudFront => ("cloudfront", Protocol::RestXml),
            Self::Events => ("events", Protocol::Json("AWSEvents.", JSON_1_1)),
            Self::Iam => ("iam", Protocol::Query("https://iam.amazonaws.com/doc/2010-05-08/")),
            Self::Lambda => ("lambda", Protocol::RestJson),
            Self::Logs => ("logs", Protocol::Json("Logs_20140328.", JSON_1_1)),
            Self::S3 => ("s3", Protocol::RestXml),
            Self::Ssm => ("ssm", Protocol::Json("AmazonSSM.", JSON_1_1)),
            Self::States => ("states", Protocol::Json("AWSStepFunctions.", JSON_1_0)),
            Self::Sts => ("sts", Protocol::Query("https://sts.amazonaws.com/doc/2011-06-15/")),
        }
    }

    /// Its name in credential scopes, ARNs and actions, such as `states`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.entry().0
    }

    pub(crate) const fn protocol(self) -> Protocol {
        self.entry().1
    }

    /// The service that a credential scope names.
    ///
    /// # Errors
    /// `UnknownOperationException`, with the services there are.
    pub(crate) fn signed_for(name: &str) -> Result<Self, ApiError> {
        Self::SIGNED.into_iter().find(|service| service.name() == name).ok_or_else(|| {
            let names = Self::SIGNED.map(Self::name).join(", ");
            let message = format!("the local endpoint has no service \"{name}\"; it has {names}");
            ApiError::new(400, "UnknownOperationException", message)
        })
    }

    /// The service that `X-Amz-Target` names.
    pub(crate) fn targeted(target: &str) -> Option<Self> {
        Self::SIGNED.into_iter().find(
            |service| matches!(service.protocol(), Protocol::Json(prefix, _) if target.starts_with(prefix)),
        )
    }
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
