//! Objects in S3: read whole, deleted, or filled from elsewhere without being held in memory.
//!
//! These few signed requests are all that is wanted of S3, and the SDK's client for it would be a quarter of what is uploaded to
//! Lambda, most of it tables for checksums of uploads. So the requests are made here, on [`crate::signing`] and the transport of
//! all other calls.

use std::time::SystemTime;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_lambda::config::http::{HttpRequest, HttpResponse};
use aws_sdk_lambda::config::{Credentials, SharedHttpClient};
use aws_sdk_lambda::error::SdkError;
use aws_sdk_lambda::primitives::SdkBody;
use aws_sigv4::http_request::SignableBody;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::interceptors::context::{Error as AnyError, Output};
use aws_smithy_runtime_api::client::orchestrator::OrchestratorError;
use aws_smithy_runtime_api::client::ser_de::DeserializeResponse;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::error::ErrorMetadata;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::signing::{Signer, domain, error, read};

/// What stays as it is in a path that S3 signs: unreserved characters, and the slash of keys.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// S3 in one region.
#[derive(Debug, Clone)]
pub struct Objects {
    pub(crate) region: String,
    /// Somebody else's S3, where buckets are parts of the path.
    pub(crate) endpoint: Option<String>,
    pub(crate) credentials: Credentials,
    pub(crate) http: SharedHttpClient,
}

impl Objects {
    /// Reads an object.
    ///
    /// # Errors
    /// What S3 answered, with its code and message; or what happened on the way.
    pub async fn get(
        &self,
        bucket: &str,
        key: &str,
    ) -> Result<Vec<u8>, SdkError<ErrorMetadata, HttpResponse>> {
        self.call("GetObject", "GET", bucket, key).await
    }

    /// Deletes an object; one that does not exist is deleted already.
    ///
    /// # Errors
    /// As for [`Objects::get`].
    pub async fn delete(&self, bucket: &str, key: &str) -> Result<(), SdkError<ErrorMetadata, HttpResponse>> {
        self.call("DeleteObject", "DELETE", bucket, key).await.map(drop)
    }

    /// A call without a content of its own.
    async fn call(
        &self,
        operation: &'static str,
        method: &'static str,
        bucket: &str,
        key: &str,
    ) -> Result<Vec<u8>, SdkError<ErrorMetadata, HttpResponse>> {
        let (origin, path) = self.place(bucket, key);
        let url = format!("{origin}{path}");
        let signer = self.signer();
        Operation::builder()
            .service_name("S3")
            .operation_name(operation)
            .http_client(self.http.clone())
            .endpoint_url(&origin)
            .timeout_config(TimeoutConfig::disabled())
            .no_retry()
            .no_auth()
            .serializer(move |()| signer.sign(method, &url, SignableBody::Bytes(&[]), SystemTime::now()))
            .deserializer(read)
            .build()
            .invoke(())
            .await
    }

    /// Begins to read what a presigned URL leads to.
    ///
    /// # Errors
    /// As for [`Objects::get`].
    pub async fn open(&self, url: &str) -> Result<Content, SdkError<ErrorMetadata, HttpResponse>> {
        let url = url.to_owned();
        Operation::builder()
            .service_name("S3")
            .operation_name("GetObject")
            .http_client(self.http.clone())
            .endpoint_url(origin(&url))
            .timeout_config(TimeoutConfig::disabled())
            .no_retry()
            .no_auth()
            .serializer(move |()| Ok(HttpRequest::get(&url)?))
            .deserializer_impl(Opened)
            .build()
            .invoke(())
            .await
    }

    /// Writes an object while its content is being read. S3 compares the content with the SHA-256 (hexadecimal), which is signed
    /// with the request: what is something else is not stored.
    ///
    /// # Errors
    /// As for [`Objects::get`]; `XAmzContentSHA256Mismatch` for another content.
    pub async fn put(
        &self,
        bucket: &str,
        key: &str,
        content: Content,
        sha256: &str,
    ) -> Result<(), SdkError<ErrorMetadata, HttpResponse>> {
        let (origin, path) = self.place(bucket, key);
        let url = format!("{origin}{path}");
        let (signer, sha256) = (self.signer(), sha256.to_owned());
        Operation::builder()
            .service_name("S3")
            .operation_name("PutObject")
            .http_client(self.http.clone())
            .endpoint_url(&origin)
            .timeout_config(TimeoutConfig::disabled())
            .no_retry()
            .no_auth()
            .serializer(move |Content { bytes, body }: Content| {
                let hash = SignableBody::Precomputed(sha256.clone());
                let mut request = signer.sign("PUT", &url, hash, SystemTime::now())?;
                request.headers_mut().try_insert("content-length", bytes.to_string())?;
                *request.body_mut() = body;
                Ok(request)
            })
            .deserializer(|response| read(response).map(drop))
            .build()
            .invoke(content)
            .await
    }

    fn signer(&self) -> Signer {
        Signer { service: "s3", region: self.region.clone(), credentials: self.credentials.clone() }
    }

    /// Scheme and host, and the path, of an object.
    fn place(&self, bucket: &str, key: &str) -> (String, String) {
        let key = utf8_percent_encode(key, PATH);
        if let Some(endpoint) = &self.endpoint {
            let endpoint = endpoint.trim_end_matches('/');
            let host = endpoint.find("://").map_or(0, |at| at + 3);
            let split = endpoint[host..].find('/').map_or(endpoint.len(), |at| host + at);
            let (origin, base) = endpoint.split_at(split);
            return (origin.to_owned(), format!("{base}/{bucket}/{key}"));
        }
        let (region, domain) = (&self.region, domain(&self.region));
        // A certificate for `*.s3…` covers no second dot, and `_` is none of a host's characters.
        if bucket.contains(['.', '_']) {
            (format!("https://s3.{region}.{domain}"), format!("/{bucket}/{key}"))
        } else {
            (format!("https://{bucket}.s3.{region}.{domain}"), format!("/{key}"))
        }
    }
}

/// An object's content that has not been read yet.
#[derive(Debug)]
pub struct Content {
    /// Its length.
    bytes: u64,
    body: SdkBody,
}

impl Content {
    /// Its length in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// Leaves the body of a good answer unread.
#[derive(Debug)]
struct Opened;

impl DeserializeResponse for Opened {
    fn deserialize_streaming_with_config(
        &self,
        response: &mut HttpResponse,
        _: &ConfigBag,
    ) -> Option<Result<Output, OrchestratorError<AnyError>>> {
        if !response.status().is_success() {
            return None;
        }
        // Without a length S3 would not take it further.
        let bytes = response.headers().get("content-length")?.parse().ok()?;
        let body = std::mem::replace(response.body_mut(), SdkBody::taken());
        Some(Ok(Output::erase(Content { bytes, body })))
    }

    fn deserialize_nonstreaming_with_config(
        &self,
        response: &HttpResponse,
        _: &ConfigBag,
    ) -> Result<Output, OrchestratorError<AnyError>> {
        let text = response.body().bytes().unwrap_or_default();
        let error = match response.status().is_success() {
            true => ErrorMetadata::builder().message("the answer has no length").build(),
            false => error(&String::from_utf8_lossy(text)),
        };
        Err(OrchestratorError::operation(AnyError::erase(error)))
    }
}

/// Scheme and host of a URL.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url[host..].find('/').map_or(url.len(), |at| host + at);
    &url[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(region: &str, token: Option<&str>) -> Signer {
        let credentials = Credentials::new("AKID", "secret", token.map(str::to_owned), None, "test");
        Signer { service: "s3", region: region.to_owned(), credentials }
    }

    fn place(region: &str, endpoint: Option<&str>, bucket: &str, key: &str) -> String {
        let objects = Objects {
            region: region.to_owned(),
            endpoint: endpoint.map(str::to_owned),
            credentials: Credentials::new("a", "b", None, None, "test"),
            http: crate::transport::client(Some("http://127.0.0.1"), None).unwrap(),
        };
        let (origin, path) = objects.place(bucket, key);
        format!("{origin} {path}")
    }

    #[test]
    fn an_object_has_a_host_of_its_bucket_where_there_can_be_one() {
        assert_eq!(place("eu-west-1", None, "b-1", "a/k"), "https://b-1.s3.eu-west-1.amazonaws.com /a/k");
        assert_eq!(place("eu-west-1", None, "b.1", "k"), "https://s3.eu-west-1.amazonaws.com /b.1/k");
        assert_eq!(place("cn-north-1", None, "b-1", "k"), "https://b-1.s3.cn-north-1.amazonaws.com.cn /k");
        assert_eq!(place("us-gov-west-1", None, "b-1", "k"), "https://b-1.s3.us-gov-west-1.amazonaws.com /k");
        assert_eq!(place("x", Some("http://127.0.0.1:1"), "b-1", "k"), "http://127.0.0.1:1 /b-1/k");
        assert_eq!(place("x", Some("http://h:1/s3/"), "b-1", "k"), "http://h:1 /s3/b-1/k");
    }

    #[test]
    fn a_key_may_hold_any_text() {
        let path = place("x", Some("http://h"), "b", "a//../ü +%?#&=.json");
        assert_eq!(path, "http://h /b/a//../%C3%BC%20%2B%25%3F%23%26%3D.json");
        let url = path.replace(' ', "");
        signer("x", None).sign("GET", &url, SignableBody::Bytes(&[]), SystemTime::now()).unwrap();
    }

    #[test]
    fn a_request_is_signed_with_everything_s3_asks_for() {
        let signer = signer("us-east-1", Some("token"));
        let url = "https://b.s3.us-east-1.amazonaws.com/k";
        let request = signer.sign("GET", url, SignableBody::Bytes(&[]), SystemTime::now()).unwrap();
        let header = |name: &str| request.headers().get(name).unwrap_or_default();
        // Of nothing.
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(header("x-amz-content-sha256"), empty);
        assert_eq!(header("x-amz-security-token"), "token");
        let authorization = header("authorization");
        assert!(authorization.contains("/us-east-1/s3/aws4_request"), "{authorization}");
        let signed = "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token";
        assert!(authorization.contains(signed), "{authorization}");
    }

    #[test]
    fn what_is_put_is_signed_by_the_hash_that_its_content_must_have() {
        let signer = signer("us-east-1", None);
        let url = "https://b.s3.us-east-1.amazonaws.com/k.zip";
        let put = |hash: &str| {
            let hash = SignableBody::Precomputed(hash.to_owned());
            let then = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_369_353_600);
            signer.sign("PUT", url, hash, then).unwrap()
        };
        let (one, other) = (put(&"0a".repeat(32)), put(&"0b".repeat(32)));
        assert_eq!(one.method(), "PUT");
        assert_eq!(one.headers().get("x-amz-content-sha256"), Some("0a".repeat(32).as_str()));
        assert_ne!(one.headers().get("authorization"), other.headers().get("authorization"));
        assert_eq!(origin(url), "https://b.s3.us-east-1.amazonaws.com");
        assert_eq!(origin("http://127.0.0.1:1/a/b?c=/d"), "http://127.0.0.1:1");
    }
}
