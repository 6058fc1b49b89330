//! What a call is made of, whichever protocol carried it: the service, who calls, and the error it may end with.

use std::collections::BTreeSet;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use http::header::HeaderMap;
use serde_json::Value;

use crate::accounts::account_of;
use crate::protocol::cbor;
use crate::{Aws, SERVICES};

/// A service of the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// AWS CloudFormation.
    CloudFormation,
    /// Amazon CloudFront.
    CloudFront,
    /// Amazon CloudWatch.
    CloudWatch,
    /// Amazon Elastic Container Registry.
    Ecr,
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
    /// The operation in the path behind this prefix, CBOR both ways; these members of answers hold times.
    Cbor(&'static str, &'static [&'static str]),
    /// Operations as methods and paths, JSON both ways: Lambda.
    RestJson,
    /// Operations as methods, paths and subresources, XML where there is structure: S3.
    RestXml,
}

pub(crate) const JSON_1_0: &str = "application/x-amz-json-1.0";
pub(crate) const JSON_1_1: &str = "application/x-amz-json-1.1";

impl Protocol {
    /// Status and code of an access denial.
    pub(crate) const fn denial(self) -> (u16, &'static str) {
        match self {
            Self::RestXml | Self::Query(_) | Self::Cbor(..) => (403, "AccessDenied"),
            Self::RestJson => (403, "AccessDeniedException"),
            Self::Json(..) => (400, "AccessDeniedException"),
        }
    }
}

type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
type Perform = for<'a> fn(&'a Arc<Aws>, &'a Caller, &'a str, Value) -> Pending<'a, Result<Value>>;
type Turn = for<'a> fn(&'a Arc<Aws>) -> Pending<'a, ()>;

/// What a service says of itself. It stands in the service's module and is entered in [`SERVICES`]; nobody else has to
/// know which services there are.
pub(crate) struct Entry {
    pub service: Service,
    /// Its name in credential scopes, ARNs and actions, such as `states`.
    pub name: &'static str,
    /// What its actions begin with, where that is not its name.
    pub actions: &'static str,
    pub protocol: Protocol,
    /// Further protocols that it speaks, to those who use them.
    pub others: &'static [Protocol],
    /// Whether requests can be signed for it.
    pub signed: bool,
    /// The most bytes that it takes in one request.
    pub largest_request: usize,
    /// Performs an operation.
    pub call: Perform,
    /// Takes up what an earlier process left unfinished.
    pub start: Turn,
    /// Lets asynchronous work end.
    pub stop: Turn,
}

impl Entry {
    /// A service with nothing to do at start and stop.
    pub(crate) const fn new(service: Service, name: &'static str, protocol: Protocol, call: Perform) -> Self {
        let (start, stop): (Turn, Turn) = (|_| Box::pin(async {}), |_| Box::pin(async {}));
        Self {
            service,
            name,
            actions: name,
            protocol,
            others: &[],
            signed: true,
            largest_request: 4 << 20,
            call,
            start,
            stop,
        }
    }

    /// The protocol that a request with these headers speaks.
    pub(crate) fn spoken(&self, headers: &HeaderMap) -> Protocol {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let speaks = |protocol: &&Protocol| match protocol {
            Protocol::Cbor(..) => text(cbor::HEADER.0) == cbor::HEADER.1,
            Protocol::Json(prefix, _) => text("x-amz-target").starts_with(prefix),
            Protocol::Query(_) | Protocol::RestJson | Protocol::RestXml => false,
        };
        self.others.iter().find(speaks).copied().unwrap_or(self.protocol)
    }
}

impl Service {
    /// Its entry in the table of services.
    pub(crate) fn entry(self) -> &'static Entry {
        let entry = SERVICES.iter().find(|entry| entry.service == self);
        entry.expect("every service is in the table")
    }

    /// The error that it has no such operation.
    pub(crate) fn unknown(self, operation: &str) -> ApiError {
        let entry = self.entry();
        let message = format!("the local endpoint does not know {}:{operation}", entry.name);
        match entry.protocol {
            // The namespace ends with the API's version.
            Protocol::Query(namespace) => {
                let version = namespace.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
                let message = format!("Could not find operation {operation} for version {version}");
                ApiError::new(400, "InvalidAction", message)
            }
            Protocol::Json(..) | Protocol::Cbor(..) | Protocol::RestJson => {
                ApiError::new(400, "UnknownOperationException", message)
            }
            Protocol::RestXml => ApiError::new(501, "NotImplemented", message),
        }
    }

    /// The service that a credential scope names.
    ///
    /// # Errors
    /// `UnknownOperationException`, with the services there are.
    pub(crate) fn signed_for(name: &str) -> Result<Self> {
        let mut signed = SERVICES.iter().filter(|entry| entry.signed);
        signed.clone().find(|entry| entry.name == name).map(|entry| entry.service).ok_or_else(|| {
            let names: BTreeSet<_> = signed.by_ref().map(|entry| entry.name).collect();
            let names = names.into_iter().collect::<Vec<_>>().join(", ");
            let message = format!("the local endpoint has no service \"{name}\"; it has {names}");
            ApiError::new(400, "UnknownOperationException", message)
        })
    }

    /// The service whose actions begin with this.
    pub(crate) fn acting(actions: &str) -> Option<Self> {
        SERVICES.iter().find(|entry| entry.signed && entry.actions == actions).map(|entry| entry.service)
    }

    /// The service that `X-Amz-Target` names.
    pub(crate) fn targeted(target: &str) -> Option<Self> {
        let named =
            |protocol: &Protocol| matches!(protocol, Protocol::Json(prefix, _) if target.starts_with(prefix));
        let mut entries = SERVICES.iter();
        entries
            .find(|entry| named(&entry.protocol) || entry.others.iter().any(named))
            .map(|entry| entry.service)
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
    /// The caller's ARN as `GetCallerIdentity` and access denials give it, or the principal of a service. `account` is the one whose
    /// owner calls.
    #[must_use]
    pub fn arn(&self, account: &str) -> String {
        match self {
            Self::Owner => format!("arn:aws:iam::{account}:user/owner"),
            Self::Anonymous => "anonymous".to_owned(),
            Self::Role { arn, session } => {
                let name = arn.rsplit('/').next().unwrap_or(arn);
                format!("arn:aws:sts::{}:assumed-role/{name}/{session}", account_of(arn))
            }
            Self::Service { principal, .. } => principal.clone(),
        }
    }
}

/// What a call gives, or the error that AWS would answer.
pub type Result<T, E = ApiError> = std::result::Result<T, E>;

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
