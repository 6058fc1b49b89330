//! Roles, sessions and decisions.

use std::sync::Arc;

use serde_json::Value;

use crate::store::Store;
use crate::{ApiError, Aws, Caller, Settings};

/// Roles, sessions and decisions.
pub struct Iam {}

impl Iam {
    /// The service over its records.
    #[must_use]
    pub fn open(_settings: &Settings, _store: &Store) -> Self {
        Self {}
    }

    /// Performs an operation.
    ///
    /// # Errors
    /// What AWS would answer.
    pub async fn call(
        &self,
        _aws: &Arc<Aws>,
        _caller: &Caller,
        operation: &str,
        _input: Value,
    ) -> Result<Value, ApiError> {
        Err(ApiError::new(
            400,
            "UnknownOperationException",
            format!("the local endpoint does not know {operation}"),
        ))
    }
}

impl Iam {
    /// Decides whether the caller may perform the action on the resource.
    ///
    /// # Errors
    /// `AccessDeniedException` naming caller, action and resource.
    pub fn authorize(
        &self,
        _aws: &Aws,
        _caller: &Caller,
        _action: &str,
        _resource: &str,
    ) -> Result<(), ApiError> {
        Ok(())
    }
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

impl Iam {
    /// Opens a session of a role for a service to act in. Whether the service may is asked before, with
    /// [`Iam::assumable`].
    ///
    /// # Errors
    /// `NoSuchEntity` when there is no such role.
    pub fn session(&self, _aws: &Aws, role_arn: &str, _session_name: &str) -> Result<Credentials, ApiError> {
        Err(ApiError::new(404, "NoSuchEntity", format!("The role {role_arn} cannot be found.")))
    }

    /// Who an access key belongs to: a session, or the owner for every key that no session was given.
    ///
    /// # Errors
    /// `ExpiredToken` for the key of a session that has ended.
    pub fn caller(&self, _access_key_id: &str) -> Result<Caller, ApiError> {
        Ok(Caller::Owner)
    }

    /// Whether the role exists and its trust policy lets the service principal, such as `lambda.amazonaws.com`, assume
    /// it.
    #[must_use]
    pub fn assumable(&self, _aws: &Aws, _role_arn: &str, _principal: &str) -> bool {
        true
    }

    /// [`Iam::authorize`] with condition keys (`aws:SourceArn`, `iam:PassedToService`, …) and the resource's own policy,
    /// which may allow as well.
    ///
    /// # Errors
    /// As [`Iam::authorize`].
    pub fn authorize_with(
        &self,
        _aws: &Aws,
        _caller: &Caller,
        _action: &str,
        _resource: &str,
        _context: &[(&str, &str)],
        _resource_policy: Option<&Value>,
    ) -> Result<(), ApiError> {
        Ok(())
    }
}
