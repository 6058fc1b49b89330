//! Checksums of objects and of uploads in parts: which there are, how a whole one and one of parts come about, and what AWS
//! says of wrong ones.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::Record;
use crate::protocol::body::checksum;
use crate::{ApiError, Result};

/// The algorithm by which AWS computes a checksum that nobody asked for.
pub const DEFAULT: &str = "crc64nvme";
/// All of them, in AWS's spelling.
pub const ALGORITHMS: [&str; 5] = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"];
const COMPOSITE: &str = "COMPOSITE";
const FULL: &str = "FULL_OBJECT";

/// The algorithm's lower-case name, and the checksum in base64; one of parts ends with a hyphen and their number.
pub type Checksum = (String, String);

/// `FULL_OBJECT` or, of the parts' checksums, `COMPOSITE`.
pub fn type_of(checksum: &Checksum) -> &'static str {
    // Base64 has no hyphen.
    if checksum.1.contains('-') { COMPOSITE } else { FULL }
}

/// The checksum of a content.
pub fn of(algorithm: &str, content: &[u8]) -> Checksum {
    (algorithm.to_owned(), checksum(algorithm, content).unwrap_or_default())
}

/// Puts a checksum into an answer, as `ChecksumCRC32` and `ChecksumType`.
pub fn show(answer: &mut Value, checksum: &Checksum) {
    answer[format!("Checksum{}", checksum.0.to_ascii_uppercase())] = Value::from(checksum.1.as_str());
    answer["ChecksumType"] = Value::from(type_of(checksum));
}

/// What an upload in parts was begun with: an algorithm in lower case, and `COMPOSITE` or `FULL_OBJECT`.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Wanted {
    pub algorithm: String,
    pub kind: String,
}

impl Wanted {
    /// Checks what a request begins an upload with.
    ///
    /// # Errors
    /// `InvalidRequest` in AWS's words.
    pub fn new(algorithm: Option<&str>, kind: Option<&str>) -> Result<Option<Self>> {
        let Some(algorithm) = algorithm else {
            return match kind {
                None => Ok(None),
                Some(_) => Err(invalid(
                    "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
                )),
            };
        };
        if !ALGORITHMS.contains(&algorithm.to_ascii_uppercase().as_str()) {
            let valid = ALGORITHMS.join(", ");
            return Err(invalid(format!(
                "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [{valid}]"
            )));
        }
        let algorithm = algorithm.to_ascii_lowercase();
        let kind = kind.unwrap_or(if algorithm == DEFAULT { FULL } else { COMPOSITE });
        let apart = match kind {
            COMPOSITE => algorithm == DEFAULT,
            FULL => algorithm.starts_with("sha"),
            _ => true,
        };
        if apart {
            return Err(invalid(format!(
                "The {kind} checksum type cannot be used with the {algorithm} checksum algorithm."
            )));
        }
        Ok(Some(Self { algorithm, kind: kind.to_owned() }))
    }

    /// Whether a part comes with the checksum that its upload wants.
    ///
    /// # Errors
    /// `InvalidRequest` that names both algorithms.
    pub fn admit(&self, part: Option<&Checksum>) -> Result<()> {
        let actual = part.map_or("null", |(algorithm, _)| algorithm);
        if actual == self.algorithm {
            return Ok(());
        }
        Err(invalid(format!(
            "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {actual}",
            self.algorithm
        )))
    }
}

/// What a completion says of its object's checksum.
#[derive(Debug, Default, Clone, Copy)]
pub struct Stated<'a> {
    /// `x-amz-checksum-type`.
    pub kind: Option<&'a str>,
    /// `x-amz-checksum-…`: a name in lower case and a value.
    pub value: Option<(&'a str, &'a str)>,
}

/// Holds a completion to what its upload was begun with.
///
/// # Errors
/// `InvalidRequest` for another type, or for a part without its checksum.
pub fn admit_completion(wanted: Option<&Wanted>, stated: Stated<'_>, parts: &[Value]) -> Result<()> {
    let kind = wanted.map_or("null", |wanted| &wanted.kind);
    if stated.kind.is_some_and(|stated| stated != kind) {
        return Err(invalid(format!(
            "The upload was created using the {kind} checksum mode. The complete request must use the same checksum mode."
        )));
    }
    let Some(wanted) = wanted.filter(|wanted| wanted.kind == COMPOSITE) else { return Ok(()) };
    match parts.iter().find(|part| given(part).is_none()) {
        None => Ok(()),
        Some(part) => Err(invalid(format!(
            "The upload was created using a {} checksum. The complete request must include the checksum for each part. It was \
             missing for part {} in the request.",
            wanted.algorithm, part["PartNumber"]
        ))),
    }
}

/// Whether the checksum that a completion gives for a part is the part's.
///
/// # Errors
/// `BadDigest` for one of another algorithm.
pub fn matches(wanted: Option<&Wanted>, part: &Value, stored: &Record) -> Result<bool> {
    let Some((algorithm, value)) = given(part) else { return Ok(true) };
    match wanted {
        Some(wanted) if wanted.algorithm != algorithm => {
            let message = format!(
                "The {algorithm} you specified for part {} did not match what we received.",
                part["PartNumber"]
            );
            Err(ApiError::new(400, "BadDigest", message))
        }
        Some(_) => Ok(stored.checksum.as_ref().is_some_and(|(_, own)| own == value)),
        // An upload that was begun without an algorithm keeps no checksums of parts.
        None => Ok(false),
    }
}

/// The checksum that a completion's element gives for its part.
fn given(part: &Value) -> Option<(String, &str)> {
    ALGORITHMS.iter().find_map(|algorithm| {
        let value = part[format!("Checksum{algorithm}")].as_str()?;
        Some((algorithm.to_ascii_lowercase(), value))
    })
}

/// The checksum of an object made of parts.
///
/// # Errors
/// `BadDigest` when the completion stated another.
pub fn of_parts(
    wanted: Option<&Wanted>,
    parts: &[&Record],
    content: &[u8],
    stated: Stated<'_>,
) -> Result<Checksum> {
    let algorithm = wanted.map_or(DEFAULT, |wanted| &wanted.algorithm);
    let made = if wanted.is_some_and(|wanted| wanted.kind == COMPOSITE) {
        let checksums = parts.iter().filter_map(|part| STANDARD.decode(&part.checksum.as_ref()?.1).ok());
        let (algorithm, value) = of(algorithm, &checksums.collect::<Vec<_>>().concat());
        (algorithm, format!("{value}-{}", parts.len()))
    } else {
        of(algorithm, content)
    };
    if stated.value.is_some_and(|(name, value)| name != made.0 || value != made.1) {
        let message = format!("The {algorithm} you specified did not match the calculated checksum.");
        return Err(ApiError::new(400, "BadDigest", message));
    }
    // Given without its type, a right checksum of the whole is refused as well.
    if stated.value.is_some() && stated.kind.is_none() && type_of(&made) == FULL && wanted.is_some() {
        let message = format!("The {algorithm} you specified did not match the calculated checksum.");
        return Err(ApiError::new(400, "BadDigest", message));
    }
    Ok(made)
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "InvalidRequest", message)
}
