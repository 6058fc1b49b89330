//! Functions that are container images: which image it is, as Lambda shows it. This endpoint has no registry and runs none.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Aws, Result};

use super::errors::invalid;

/// Settings that take the place of the image's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImageConfig {
    /// What is started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry_point: Option<Vec<String>>,
    /// Its arguments; AWS's base images take the handler from the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// Where it is started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_directory: Option<String>,
}

/// A container image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// As it was given: by tag or by digest.
    pub uri: String,
    /// The digest's SHA-256, hexadecimal, which is also what Lambda shows as the code's hash.
    pub digest: String,
    /// What was set besides.
    pub config: ImageConfig,
}

impl Image {
    /// The image that a URI names. A tag stands for the hash of its text, in place of what a registry would say.
    ///
    /// # Errors
    /// `InvalidParameterValueException` for what is no image in this region's private registry, where Lambda takes images from.
    pub fn named(aws: &Aws, uri: &str) -> Result<Self> {
        let digest = Self::digest_of(uri, &aws.settings.region).ok_or_else(|| {
            invalid(format!("Source image {uri} is not valid. Provide a valid source image."))
        })?;
        Ok(Self { uri: uri.to_owned(), digest, config: ImageConfig::default() })
    }

    fn digest_of(uri: &str, region: &str) -> Option<String> {
        let (registry, name) = uri.split_once('/')?;
        let (account, rest) = registry.split_once(".dkr.ecr.")?;
        let host = rest.strip_prefix(region)?;
        let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
        let repository = name.split(['@', ':']).next()?;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/".contains(c);
        if !is_account
            || !matches!(host, ".amazonaws.com" | ".amazonaws.com.cn")
            || repository.is_empty()
            || !repository.chars().all(plain)
        {
            return None;
        }
        match name.split_once('@') {
            Some((_, digest)) => {
                let digest = digest.strip_prefix("sha256:")?;
                let is_hash = digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit());
                is_hash.then(|| digest.to_owned())
            }
            None => Some(hex::encode(Sha256::digest(uri))),
        }
    }

    /// The image by its digest.
    pub fn resolved(&self) -> String {
        let registry = self.uri.find('/').unwrap_or_default();
        let name = self.uri.get(registry..).unwrap_or_default();
        let repository = registry + name.find(['@', ':']).unwrap_or(name.len());
        format!("{}@sha256:{}", self.uri.get(..repository).unwrap_or_default(), self.digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_named_by_tag_or_digest_in_this_regions_registry() {
        let digest = "0b".repeat(32);
        let repository = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app";
        let of = |uri: &str| Image::digest_of(uri, "us-east-1");
        assert_eq!(of(&format!("{repository}@sha256:{digest}")), Some(digest.clone()));
        let (tag, other) = (of(&format!("{repository}:live")), of(&format!("{repository}:next")));
        assert!(tag.is_some() && tag != other);
        for wrong in [
            "team/app:live",
            "docker.io/team/app:live",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:live",
            "12345.dkr.ecr.us-east-1.amazonaws.com/app:live",
            "123456789012.dkr.ecr.us-east-1.amazonaws.com/:live",
            "123456789012.dkr.ecr.us-east-1.amazonaws.com/app@sha256:0b",
        ] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
        for uri in
            [format!("{repository}:live"), format!("{repository}@sha256:{digest}"), repository.to_owned()]
        {
            let image = Image { uri, digest: digest.clone(), config: ImageConfig::default() };
            assert_eq!(image.resolved(), format!("{repository}@sha256:{digest}"));
        }
    }
}
