//! Buckets and objects.

pub(crate) mod http;

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use crate::store::Store;
use crate::{ApiError, Aws, Caller, Settings};

/// Buckets and objects.
pub struct S3 {}

impl S3 {
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

/// An object's bytes with what is known of them.
#[derive(Debug, Clone)]
pub struct Object {
    /// The content.
    pub body: Bytes,
    /// The MD5 of the content in hexadecimal, without quotes.
    pub etag: String,
    /// The media type it was put with.
    pub content_type: String,
    /// User metadata, names without `x-amz-meta-`.
    pub metadata: Vec<(String, String)>,
    /// When it was put, seconds since the epoch.
    pub last_modified: i64,
}

impl S3 {
    /// Reads an object.
    ///
    /// # Errors
    /// `NoSuchBucket`, `NoSuchKey`, `AccessDenied`.
    pub async fn get_object(
        &self,
        _aws: &Arc<Aws>,
        _caller: &Caller,
        bucket: &str,
        _key: &str,
    ) -> Result<Object, ApiError> {
        Err(ApiError::new(404, "NoSuchBucket", format!("The specified bucket does not exist: {bucket}")))
    }
}
