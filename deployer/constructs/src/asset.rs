//! Assets: files that a stack needs, keyed by their content.

use crate::resources::lambda::Code;
use crate::value::Val;

/// Where a template says an asset is.
#[derive(Debug, Clone, PartialEq)]
pub enum Location {
    /// In a bucket, under the asset's file name.
    Bucket(Val<String>),
    /// Beside the template: `aws cloudformation package` uploads it and puts its place there.
    Local,
}

/// A file, known by the SHA-256 of its content: unchanged content is an unchanged template.
#[derive(Debug, Clone, PartialEq)]
pub struct Asset {
    name: String,
    extension: String,
    sha256: String,
    location: Location,
}

impl Asset {
    /// A zip file by its content's SHA-256 in hexadecimal, to be found as `<name>-<sha256>.zip`.
    pub fn zip(name: impl Into<String>, sha256: impl Into<String>, location: Location) -> Self {
        Asset { name: name.into(), extension: "zip".to_owned(), sha256: sha256.into(), location }
    }

    /// The content's SHA-256 in hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The name under which the asset is stored, which changes exactly when its content does.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}-{}.{}", self.name, self.sha256, self.extension)
    }

    /// Where the template says it is.
    #[must_use]
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// The asset as a function's code.
    #[must_use]
    pub fn code(&self) -> Code {
        match &self.location {
            Location::Bucket(bucket) => Code::Stored { bucket: bucket.clone(), key: self.file_name().into() },
            Location::Local => Code::Beside(format!("./{}", self.file_name())),
        }
    }

    pub(crate) fn problems(&self) -> Vec<String> {
        let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        if self.sha256.len() == 64 && self.sha256.chars().all(hex) {
            return Vec::new();
        }
        vec![format!("'{}' is no SHA-256; it takes 64 digits of 0-9 and a-f", self.sha256)]
    }
}
