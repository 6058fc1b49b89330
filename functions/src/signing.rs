//! Requests that are signed here, on the SDK's own signature: those to services of which one or two calls are wanted, so that a client of
//! the SDK would be most of what is uploaded to Lambda.

use std::collections::BTreeMap;
use std::time::SystemTime;

use aws_sdk_lambda::config::Credentials;
use aws_sdk_lambda::config::http::{HttpRequest, HttpResponse};
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::orchestrator::OrchestratorError;
use aws_smithy_types::error::ErrorMetadata;
use aws_smithy_xml::decode::{Document, ScopedDecoder, try_data};

/// The domains of AWS's partitions, by how their regions begin (botocore's `partitions.json`).
const DOMAINS: [(&str, &str); 6] = [
    ("cn-", "amazonaws.com.cn"),
    ("eusc-", "amazonaws.eu"),
    ("us-iso-", "c2s.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("us-isof-", "csp.hci.ic.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
];

pub(crate) type Problem = Box<dyn std::error::Error + Send + Sync>;

/// The domain of AWS's hosts in a region.
pub(crate) fn domain(region: &str) -> &'static str {
    let domain = DOMAINS.iter().find(|(start, _)| region.starts_with(start));
    domain.map_or("amazonaws.com", |(_, domain)| domain)
}

/// Who signs, and for which service and region.
#[derive(Debug, Clone)]
pub(crate) struct Signer {
    pub service: &'static str,
    pub region: String,
    pub credentials: Credentials,
}

impl Signer {
    /// A request without a content; `body` is what is signed as if it were there.
    pub(crate) fn sign(
        &self,
        method: &str,
        url: &str,
        body: SignableBody<'_>,
        now: SystemTime,
    ) -> Result<HttpRequest, Problem> {
        let identity = self.credentials.clone().into();
        let mut settings = SigningSettings::default();
        // S3 signs the path as it is sent; the others' paths are the root.
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.service)
            .time(now)
            .settings(settings)
            .build()?
            .into();
        let signable = SignableRequest::new(method, url, std::iter::empty(), body)?;
        let (headers, _) = sign(signable, &parameters)?.into_parts().0.into_parts();
        let mut request = HttpRequest::get(url)?;
        request.set_method(method)?;
        for header in headers {
            request.headers_mut().try_insert(header.name().to_owned(), header.value().to_owned())?;
        }
        Ok(request)
    }
}

/// The content of a good answer, or the error in the XML of another.
pub(crate) fn read(response: &HttpResponse) -> Result<Vec<u8>, OrchestratorError<ErrorMetadata>> {
    let body = response.body().bytes().unwrap_or_default();
    if response.status().is_success() {
        return Ok(body.to_vec());
    }
    Err(OrchestratorError::operation(error(&String::from_utf8_lossy(body))))
}

/// An error document. One that is something else has neither code nor message.
pub(crate) fn error(text: &str) -> ErrorMetadata {
    let mut found = texts(text);
    let mut error = ErrorMetadata::builder();
    if let Some(code) = found.remove("Code") {
        error = error.code(code);
    }
    if let Some(message) = found.remove("Message") {
        error = error.message(message);
    }
    error.build()
}

/// The texts of an XML document by the names of their elements, however deep.
pub(crate) fn texts(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut document = Document::new(text);
    if let Ok(mut root) = document.root_element() {
        gather(&mut root, &mut found);
    }
    found
}

fn gather(within: &mut ScopedDecoder<'_, '_>, found: &mut BTreeMap<String, String>) {
    while let Some(mut tag) = within.next_tag() {
        let name = tag.start_el().local().to_owned();
        // What S3 and STS put around texts.
        if matches!(name.as_str(), "Error" | "AssumeRoleResult" | "Credentials") {
            gather(&mut tag, found);
        } else if let Ok(text) = try_data(&mut tag) {
            found.insert(name, text.into_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_its_code_and_message() {
        let text = "<?xml version=\"1.0\"?>\n<Error><Code>NoSuchKey</Code><Message>not &lt;there&gt;</Message><Key>k</Key></Error>";
        let found = error(text);
        assert_eq!((found.code(), found.message()), (Some("NoSuchKey"), Some("not <there>")));
        let text = "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>AccessDenied</Code>\
                    <Message>no</Message></Error><RequestId>r</RequestId></ErrorResponse>";
        assert_eq!((error(text).code(), error(text).message()), (Some("AccessDenied"), Some("no")));
        for text in ["", "<html", "bad gateway", "<a/>"] {
            assert_eq!(error(text).code(), None, "{text}");
        }
    }

    /// The one without further headers of "Examples: Signature Calculations" in the Amazon S3 API Reference.
    #[test]
    fn a_signature_is_the_one_in_the_documentation() {
        let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", secret, None, None, "test");
        let signer = Signer { service: "s3", region: "us-east-1".to_owned(), credentials };
        let then = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_369_353_600);
        let url = "https://examplebucket.s3.amazonaws.com/?lifecycle";
        let request = signer.sign("GET", url, SignableBody::Bytes(&[]), then).unwrap();
        let authorization = request.headers().get("authorization").unwrap();
        let signature = "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543";
        assert!(authorization.ends_with(&format!("Signature={signature}")), "{authorization}");
    }
}
