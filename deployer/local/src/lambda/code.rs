//! Where a function's or a layer's code comes from.

use std::sync::Arc;

use base64::Engine as _;
use serde::Deserialize;

use crate::{ApiError, Aws, Caller, Result};

use super::Lambda;
use super::errors::{invalid, service};
use super::image::Image;
use super::package::Package;

/// Where a zip comes from.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Code {
    zip_file: Option<String>,
    #[serde(rename = "S3Bucket")]
    s3_bucket: Option<String>,
    #[serde(rename = "S3Key")]
    s3_key: Option<String>,
    #[serde(rename = "S3ObjectVersion")]
    s3_object_version: Option<String>,
    image_uri: Option<String>,
    #[serde(rename = "SourceKMSKeyArn")]
    source_kms_key: Option<String>,
}

/// What a function is made of.
#[derive(Debug)]
pub enum Source {
    /// A zip.
    Zip(Package),
    /// A container image.
    Image(Image),
}

impl Lambda {
    /// Gets the code of a function that is an image, or is none. `asks` is what AWS asks for where the one is given for the other.
    pub(super) async fn source(
        &self,
        aws: &Arc<Aws>,
        caller: &Caller,
        code: Code,
        (is_image, asks): (bool, &str),
    ) -> Result<Source> {
        match code.image_uri {
            Some(_) if !is_image => Err(invalid(format!(
                "Please don't provide ImageUri when {asks} a function with packageType Zip."
            ))),
            Some(uri) => Image::named(aws, &uri).map(Source::Image),
            None if is_image => Err(invalid(format!(
                "Please provide ImageUri when {asks} a function with packageType Image."
            ))),
            None => self.fetch(aws, caller, code).await.map(Source::Zip),
        }
    }

    /// Gets the package that a request carries or points to.
    pub(super) async fn fetch(&self, aws: &Arc<Aws>, caller: &Caller, code: Code) -> Result<Package> {
        if code.source_kms_key.is_some() {
            return Err(invalid(
                "SourceKMSKeyArn is not supported: the local endpoint does not encrypt packages; leave it out",
            ));
        }
        let uploaded = code.zip_file.is_some();
        let bytes = match (code.zip_file, code.s3_bucket, code.s3_key) {
            (Some(text), None, None) => base64::engine::general_purpose::STANDARD
                .decode(text.as_bytes())
                .map_err(|e| {
                    ApiError::new(400, "SerializationException", format!("ZipFile is not base64: {e}"))
                })?
                .into(),
            (None, Some(bucket), Some(key)) => {
                if code.s3_object_version.is_some() {
                    return Err(invalid(
                        "S3ObjectVersion is not supported: the local endpoint keeps one version of an object",
                    ));
                }
                let object = aws.s3.get_object(aws, caller, &bucket, &key).await.map_err(|e| {
                    // The one error of S3 that Lambda does not pass on as a parameter error.
                    if e.status == 403 {
                        return ApiError::new(
                            403,
                            "AccessDeniedException",
                            format!("Your access has been denied by S3, please make sure your request credentials have \
                                     permission to GetObject for {bucket}/{key}. S3 Error Code: {}. S3 Error Message: {}",
                                    e.code, e.message),
                        );
                    }
                    invalid(format!(
                        "Error occurred while GetObject. S3 Error Code: {}. S3 Error Message: {}",
                        e.code, e.message
                    ))
                })?;
                object.body
            }
            (None, None, None) => return Err(invalid("Please provide a source for function code.")),
            (None, ..) => return Err(invalid("Please provide both S3Bucket and S3Key.")),
            (Some(_), ..) => {
                return Err(invalid(
                    "Please do not provide other FunctionCode parameters when providing a ZipFile.",
                ));
            }
        };
        // Unzipping up to 250 MB is no work for a thread that answers requests.
        let packages = self.packages.clone();
        tokio::task::spawn_blocking(
            move || if uploaded { packages.upload(&bytes) } else { packages.keep(&bytes) },
        )
        .await
        .map_err(|e| service(e.to_string()))?
    }
}
