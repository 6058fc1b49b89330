//! The errors of `Invoke` in AWS's API model, to be injected by their codes ([`crate::faults`]). Most of them cannot come about
//! at this endpoint by themselves.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::ApiError;

/// Codes and statuses as in botocore 1.44.8, in the order of the codes.
const ERRORS: [(&str, u16); 45] = [
    ("CodeArtifactUserDeletedException", 409),
    ("CodeArtifactUserFailedException", 409),
    ("CodeArtifactUserPendingException", 409),
    ("DurableExecutionAlreadyStartedException", 409),
    ("EC2AccessDeniedException", 502),
    ("EC2ThrottledException", 502),
    ("EC2UnexpectedException", 502),
    ("EFSIOException", 410),
    ("EFSMountConnectivityException", 408),
    ("EFSMountFailureException", 403),
    ("EFSMountTimeoutException", 408),
    ("ENILimitReachedException", 502),
    ("ENINotReadyException", 502),
    ("InvalidParameterValueException", 400),
    ("InvalidRequestContentException", 400),
    ("InvalidRuntimeException", 502),
    ("InvalidSecurityGroupIDException", 502),
    ("InvalidSubnetIDException", 502),
    ("InvalidZipFileException", 502),
    ("KMSAccessDeniedException", 502),
    ("KMSDisabledException", 502),
    ("KMSInvalidStateException", 502),
    ("KMSNotFoundException", 502),
    ("ModeNotSupportedException", 400),
    ("NoPublishedVersionException", 400),
    ("RecursiveInvocationException", 400),
    ("RequestTooLargeException", 413),
    ("ResourceConflictException", 409),
    ("ResourceNotFoundException", 404),
    ("ResourceNotReadyException", 502),
    ("RuntimeAliasDeletedException", 409),
    ("RuntimeVersionDeletedException", 409),
    ("S3FilesMountConnectivityException", 408),
    ("S3FilesMountFailureException", 403),
    ("S3FilesMountTimeoutException", 408),
    ("SerializedRequestEntityTooLargeException", 413),
    ("ServiceException", 500),
    ("ServiceQuotaExceededException", 402),
    ("SnapStartException", 400),
    ("SnapStartNotReadyException", 409),
    ("SnapStartRegenerationFailureException", 409),
    ("SnapStartTimeoutException", 408),
    ("SubnetIPAddressLimitReachedException", 502),
    ("TooManyRequestsException", 429),
    ("UnsupportedMediaTypeException", 415),
];

/// One of them; in JSON, its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InvokeError {
    code: &'static str,
    status: u16,
}

impl InvokeError {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        ERRORS.into_iter().map(|(code, status)| Self { code, status })
    }

    /// Its code, such as `SnapStartTimeoutException`.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.code
    }

    /// As Lambda answers it.
    pub(crate) fn answer(self) -> ApiError {
        let at_fault = if self.status >= 500 { "Service" } else { "User" };
        ApiError::new(self.status, self.code, format!("{} was asked for.", self.code)).with("Type", at_fault)
    }
}

impl Serialize for InvokeError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code)
    }
}

impl<'de> Deserialize<'de> for InvokeError {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = String::deserialize(deserializer)?;
        let unknown = || {
            de::Error::custom(format!(
                "'{code}' is not an error of Invoke, such as SnapStartTimeoutException"
            ))
        };
        Self::all().find(|error| error.code == code).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::Kind;

    #[test]
    fn an_error_of_invoke_is_planned_by_its_code() {
        let plan =
            |code: &str| format!(r#"[{{"operation": "Invoke", "kind": {{"invoke-error": "{code}"}}}}]"#);
        for error in InvokeError::all() {
            let planned = crate::faults::read(&plan(error.code())).unwrap();
            assert_eq!(planned[0].kind, Kind::InvokeError(error));
            assert!(planned[0].kind.fits("Invoke") && !planned[0].kind.fits("GetFunction"));
        }
        let wrong = crate::faults::read(&plan("SnapStartTimeout")).unwrap_err().to_string();
        assert!(wrong.contains("'SnapStartTimeout' is not an error of Invoke"), "{wrong}");
    }
}
