//! Roles, their sessions, and the decision whether a call is allowed.
//!
//! Every service asks here before it acts ([`Iam::authorize`]). `roles` and `managed` hold the operations, `records`
//! what is kept; documents are evaluated by the crate [`policy`].

mod aws_managed;
mod given;
mod managed;
mod records;
mod roles;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use policy::{Context, Documents, Kind, Policy, Principal, Request, Verdict, decide};
use serde_json::Value;

pub(crate) use self::managed::arn as policy_arn;
use self::records::Role;
use crate::api::{Entry, Protocol};
use crate::{ApiError, Aws, Caller, Result, Service, ids};

/// How the access key ids of this endpoint's sessions begin; no AWS key holds a `0`, so none of the owner's does.
const SESSION_KEY: &str = "ASIA0LOCAL0";

/// Roles, sessions and decisions.
#[derive(Default)]
pub struct Iam {
    sessions: Arc<Mutex<HashMap<String, Session>>>,
}

struct Session {
    role: String,
    name: String,
    expiration: i64,
}

/// What signs the calls of a role's session.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The access key id.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: String,
    /// The session token.
    pub session_token: String,
    /// When they end, seconds since the epoch.
    pub expiration: i64,
}

pub(crate) static ENTRY: Entry = Entry::new(
    Service::Iam,
    "iam",
    Protocol::Query("https://iam.amazonaws.com/doc/2010-05-08/"),
    |aws, caller, operation, input| Box::pin(call(aws, caller, operation, input)),
);

async fn call(aws: &Arc<Aws>, caller: &Caller, operation: &str, input: Value) -> Result<Value> {
    let resource = match (input.get("RoleName"), input.get("PolicyArn")) {
        (Some(Value::String(role)), _) => format!("arn:aws:iam::{}:role/{role}", aws.settings.account),
        (None, Some(Value::String(policy))) => policy.clone(),
        _ => "*".to_owned(),
    };
    aws.iam.authorize(aws, caller, &format!("iam:{operation}"), &resource)?;
    if let Some(answer) = roles::call(aws, operation, &input) {
        return answer;
    }
    managed::call(aws, operation, &input).unwrap_or_else(|| Err(Service::Iam.unknown(operation)))
}

impl Iam {
    /// That of another account: sessions are known everywhere, roles are not.
    pub(crate) fn beside(&self) -> Self {
        Self { sessions: Arc::clone(&self.sessions) }
    }

    /// Opens a session of a role for a service to act in, until [`Iam::end_session`]. Whether the service may is asked
    /// before, with [`Iam::assumable`].
    ///
    /// # Errors
    /// `NoSuchEntity` when there is no such role.
    pub fn session(&self, aws: &Aws, role_arn: &str, session_name: &str) -> Result<Credentials> {
        self.session_for(aws, role_arn, session_name, 10 * 365 * 24 * 3600)
    }

    /// A session that ends after so many seconds.
    pub(crate) fn session_for(
        &self,
        aws: &Aws,
        role_arn: &str,
        session_name: &str,
        seconds: i64,
    ) -> Result<Credentials> {
        let role = Role::by_arn(&aws.store, role_arn).ok_or_else(|| records::no_role(role_arn))?;
        let now = jiff::Timestamp::now().as_second();
        let credentials = Credentials {
            access_key_id: format!("{SESSION_KEY}{}", ids::upper(20 - SESSION_KEY.len())),
            secret_access_key: ids::hex(40),
            session_token: format!("{}{}", ids::upper(160), ids::hex(160)),
            expiration: now + seconds,
        };
        let session =
            Session { role: role.arn, name: session_name.to_owned(), expiration: credentials.expiration };
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| session.expiration > now);
        sessions.insert(credentials.access_key_id.clone(), session);
        Ok(credentials)
    }

    /// The longest session of a role, in seconds.
    pub(crate) fn longest_session(&self, aws: &Aws, role_arn: &str) -> Option<i64> {
        Role::by_arn(&aws.store, role_arn).map(|role| role.max_session)
    }

    /// The id of a role in its sessions' user ids.
    pub(crate) fn role_id(&self, aws: &Aws, role_arn: &str) -> Option<String> {
        Role::by_arn(&aws.store, role_arn).map(|role| role.id)
    }

    /// Ends a session: its key is refused from now on.
    pub fn end_session(&self, access_key_id: &str) {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).remove(access_key_id);
    }

    /// Who an access key belongs to: a session, or the owner for every key that no session was given.
    ///
    /// # Errors
    /// `ExpiredToken` for the key of a session that has ended, also with the process that opened it.
    pub fn caller(&self, access_key_id: &str) -> Result<Caller> {
        if !access_key_id.starts_with(SESSION_KEY) {
            return Ok(Caller::Owner);
        }
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        match sessions.get(access_key_id) {
            Some(session) if session.expiration > jiff::Timestamp::now().as_second() => {
                Ok(Caller::Role { arn: session.role.clone(), session: session.name.clone() })
            }
            _ => Err(ApiError::new(
                403,
                "ExpiredToken",
                "The security token included in the request is expired",
            )),
        }
    }

    /// Whether the role exists and its trust policy lets the service principal, such as `lambda.amazonaws.com`, assume
    /// it.
    #[must_use]
    pub fn assumable(&self, aws: &Aws, role_arn: &str, principal: &str) -> bool {
        Role::by_arn(&aws.store, role_arn).is_some_and(|role| {
            trusts(aws, &role, Principal::Service(principal), &[("aws:SourceAccount", &aws.settings.account)])
                == Verdict::Allowed
        })
    }

    /// [`Iam::assumable`] for a service that acts for a resource and may be trusted under any of its names.
    #[must_use]
    pub fn assumable_for(&self, aws: &Aws, role_arn: &str, principals: &[&str], source_arn: &str) -> bool {
        let context = [("aws:SourceAccount", aws.settings.account.as_str()), ("aws:SourceArn", source_arn)];
        Role::by_arn(&aws.store, role_arn).is_some_and(|role| {
            let verdicts =
                principals.iter().map(|name| trusts(aws, &role, Principal::Service(name), &context));
            let verdicts: Vec<_> = verdicts.collect();
            verdicts.contains(&Verdict::Allowed) && !verdicts.contains(&Verdict::Denied)
        })
    }

    /// Decides whether the caller may perform the action on the resource by their own policies.
    ///
    /// # Errors
    /// An access denial in AWS's words, with the status and code of the action's service.
    pub fn authorize(&self, aws: &Aws, caller: &Caller, action: &str, resource: &str) -> Result<()> {
        self.authorize_with(aws, caller, action, resource, &[], None)
    }

    /// [`Iam::authorize`] with condition keys (`iam:PassedToService`, `lambda:FunctionArn`, …) and the resource's own
    /// policy, which may allow as well. A service's `aws:SourceArn` and the global keys are added.
    ///
    /// # Errors
    /// As [`Iam::authorize`]. A resource policy that is no policy allows nothing.
    pub fn authorize_with(
        &self,
        aws: &Aws,
        caller: &Caller,
        action: &str,
        resource: &str,
        context: &[(&str, &str)],
        resource_policy: Option<&Value>,
    ) -> Result<()> {
        let account = aws.settings.account.as_str();
        let role = match caller {
            Caller::Owner => return Ok(()),
            Caller::Role { arn, .. } => {
                let missing = || denied(account, caller, action, resource, "because the role does not exist");
                Some(Role::by_arn(&aws.store, arn).ok_or_else(missing)?)
            }
            Caller::Service { .. } | Caller::Anonymous => None,
        };
        let (session_arn, now) = (caller.arn(account), jiff::Timestamp::now());
        let (time, epoch) = (now.to_string(), now.as_second().to_string());
        let tags = role.iter().flat_map(|role| &role.tags);
        let tags: Vec<_> = tags.map(|(k, v)| (format!("aws:PrincipalTag/{k}"), v.as_str())).collect();
        let mut pairs = vec![
            ("aws:CurrentTime", time.as_str()),
            ("aws:EpochTime", &epoch),
            ("aws:RequestedRegion", &aws.settings.region),
            ("aws:SourceIp", "127.0.0.1"),
            // No call but AssumeRole reaches into another account.
            ("aws:ResourceAccount", account),
            // The way of a call is this machine's own: as safe as TLS, which policies may insist on.
            ("aws:SecureTransport", "true"),
        ];
        pairs.extend(tags.iter().map(|(k, v)| (k.as_str(), *v)));
        let arns = [role.as_ref().map_or("", |role| role.arn.as_str()), &session_arn];
        let principal = match caller {
            Caller::Role { arn, .. } => {
                pairs.extend([
                    ("aws:PrincipalArn", arn.as_str()),
                    ("aws:PrincipalAccount", account),
                    ("aws:PrincipalType", "AssumedRole"),
                ]);
                Principal::Iam(&arns)
            }
            Caller::Service { principal, source_arn } => {
                pairs.extend([
                    ("aws:SourceArn", source_arn.as_str()),
                    ("aws:SourceAccount", account),
                    ("aws:PrincipalIsAWSService", "true"),
                    ("aws:PrincipalServiceName", principal),
                ]);
                Principal::Service(principal)
            }
            Caller::Owner | Caller::Anonymous => Principal::Anonymous,
        };
        pairs.extend(context);
        let request = Request { action, resource, principal, context: &Context::new(&pairs) };
        let read = |document: &Value, kind| Policy::parse(document, kind).ok();
        let identity: Vec<Policy> = role
            .iter()
            .flat_map(|role| role.documents(&aws.store))
            .filter_map(|document| read(&document, Kind::Identity))
            .collect();
        let boundary: Option<Vec<Policy>> =
            role.as_ref().and_then(|role| role.boundary.as_deref()).map(|arn| {
                let document = records::document(&aws.store, arn);
                document.and_then(|document| read(&document, Kind::Identity)).into_iter().collect()
            });
        let resource_policy = resource_policy.and_then(|document| read(document, Kind::Resource));
        let documents = Documents {
            identity: &identity,
            boundary: boundary.as_deref(),
            resource: resource_policy.as_ref(),
        };
        decide(&request, &documents)
            .map_err(|refusal| denied(account, caller, action, resource, &refusal.to_string()))
    }

    /// Whether the caller may assume the role of an account: the role's trust policy names them, or trusts their account and their own
    /// policies allow it. From another account both have to allow it, however the role trusts. Both see the external id that the caller
    /// gives. `theirs` has the role's account, if there is one.
    pub(crate) fn may_assume(
        &self,
        aws: &Aws,
        theirs: Option<&Aws>,
        caller: &Caller,
        role_arn: &str,
        external_id: Option<&str>,
    ) -> Result<()> {
        let action = "sts:AssumeRole";
        let refused = || {
            let because = "because no resource-based policy allows the sts:AssumeRole action";
            denied(&aws.settings.account, caller, action, role_arn, because)
        };
        let theirs = theirs.ok_or_else(refused)?;
        let role = Role::by_arn(&theirs.store, role_arn).ok_or_else(refused)?;
        let session = caller.arn(&aws.settings.account);
        let (arns, principal_arn) = match caller {
            Caller::Owner => ([session.as_str(); 2], session.as_str()),
            Caller::Role { arn, .. } => ([arn.as_str(), &session], arn.as_str()),
            Caller::Anonymous | Caller::Service { .. } => return Err(refused()),
        };
        let given: Vec<_> = external_id.map(|id| ("sts:ExternalId", id)).into_iter().collect();
        let pairs = [&[("aws:PrincipalArn", principal_arn)], given.as_slice()].concat();
        let same = aws.settings.account == theirs.settings.account;
        match trusts(aws, &role, Principal::Iam(&arns), &pairs) {
            Verdict::Allowed if same => Ok(()),
            Verdict::Allowed | Verdict::Delegated => {
                self.authorize_with(aws, caller, action, role_arn, &given, None)
            }
            Verdict::Denied | Verdict::Silent => Err(refused()),
        }
    }
}

/// Whether a document is a policy of a role.
///
/// # Errors
/// What is wrong with it and where.
pub fn check_policy(document: &Value) -> Result<(), String> {
    Policy::parse(document, Kind::Identity).map(|_| ())
}

/// Whether a document is a resource policy, such as a bucket's.
///
/// # Errors
/// What is wrong with it and where.
pub(crate) fn check_resource_policy(document: &Value) -> Result<(), String> {
    Policy::parse(document, Kind::Resource).map(|_| ())
}

/// What a role's trust policy says of a principal of this account.
fn trusts(aws: &Aws, role: &Role, principal: Principal<'_>, pairs: &[(&str, &str)]) -> Verdict {
    let account = ("aws:PrincipalAccount", aws.settings.account.as_str());
    let pairs: Vec<_> = pairs.iter().copied().chain([account]).collect();
    let context = Context::new(&pairs);
    let request = Request { action: "sts:AssumeRole", resource: &role.arn, principal, context: &context };
    Policy::parse(&role.trust, Kind::Trust).map_or(Verdict::Silent, |policy| policy.verdict(&request))
}

/// The denial as the action's service answers it.
fn denied(account: &str, caller: &Caller, action: &str, resource: &str, because: &str) -> ApiError {
    let service = action.split(':').next().unwrap_or_default();
    // What is not a service here, such as `kms`, speaks JSON.
    let protocol = Service::acting(service).map_or(Protocol::Json("", ""), |s| s.entry().protocol);
    let ((status, code), quote) = (protocol.denial(), if protocol == Protocol::RestXml { "\"" } else { "" });
    let user = caller.arn(account);
    let message = format!(
        "User: {user} is not authorized to perform: {action} on resource: {quote}{resource}{quote} {because}"
    );
    ApiError::new(status, code, message)
}

#[cfg(test)]
mod tests;
