//! Reading bodies: within a limit and a time, and unwrapped from `aws-chunked`, the framing in which SDKs send S3 objects
//! with a checksum at the end.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use http::Method;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use sha2::Digest as _;

use crate::api::{Entry, Protocol};
use crate::{ApiError, Result};

/// Between two pieces of a body.
const PATIENCE: Duration = Duration::from_secs(60);

/// Reads and unwraps a body.
///
/// # Errors
/// 413 when it is too large, 400 when it does not come in time, breaks off, or is framed wrongly.
pub async fn read(parts: &Parts, body: Incoming, service: &Entry) -> Result<Bytes> {
    let headers = &parts.headers;
    let (limit, of_objects) = (service.largest_request, service.protocol == Protocol::RestXml);
    let too_large = || {
        let code = if of_objects { "EntityTooLarge" } else { "RequestEntityTooLargeException" };
        ApiError::new(413, code, format!("the request's body is larger than {limit} bytes"))
    };
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let announced = text(CONTENT_LENGTH.as_str()).and_then(|v| v.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let bytes = collect(body, limit, announced.unwrap_or(0), PATIENCE).await?.ok_or_else(too_large)?;
    let is_chunked = text("x-amz-content-sha256").is_some_and(|v| v.starts_with("STREAMING-"))
        || text("content-encoding").is_some_and(|v| v.split(',').any(|e| e.trim() == "aws-chunked"));
    if !of_objects {
        return Ok(bytes);
    }
    let asks = |name: &str| parts.uri.query().is_some_and(|query| query.contains(name));
    // The completion of an upload states the checksum of its object, not of its body.
    let of_the_object = parts.method == Method::POST && asks("uploadId=");
    let headers = headers.iter().filter(|(name, _)| !of_the_object || *name == "content-md5");
    let checksums = headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    if !is_chunked {
        verify(checksums, &bytes, asks("partNumber="))?;
        verify_signed(text("x-amz-content-sha256"), &bytes)?;
        return Ok(bytes);
    }
    let (content, trailers) = unchunk(&bytes)
        .ok_or_else(|| ApiError::new(400, "InvalidRequest", "the body is not framed as aws-chunked says"))?;
    let length = text("x-amz-decoded-content-length");
    if length.is_some_and(|length| length.parse() != Ok(content.len())) {
        let message =
            "You did not provide the number of bytes specified by the x-amz-decoded-content-length header";
        return Err(ApiError::new(400, "IncompleteBody", message));
    }
    verify(
        checksums.chain(trailers.iter().map(|(n, v)| (n.as_str(), v.as_str()))),
        &content,
        asks("partNumber="),
    )?;
    Ok(content)
}

/// Whether the body is the one whose hash was signed with the request, where the header is a hash and not a word such as
/// `UNSIGNED-PAYLOAD`.
fn verify_signed(signed: Option<&str>, content: &[u8]) -> Result<()> {
    let is_hash = |text: &&str| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let Some(signed) = signed.filter(is_hash) else { return Ok(()) };
    let computed = hex::encode(sha2::Sha256::digest(content));
    if signed.eq_ignore_ascii_case(&computed) {
        return Ok(());
    }
    let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
    Err(ApiError::new(400, "XAmzContentSHA256Mismatch", message)
        .with("ClientComputedContentSHA256", signed)
        .with("S3ComputedContentSHA256", computed))
}

/// All of a body; `None` when it is larger than the limit.
async fn collect<B>(body: B, limit: usize, announced: usize, retries: Duration) -> Result<Option<Bytes>>
where
    B: Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    let broken = |message: String| ApiError::new(400, "RequestTimeout", message);
    let mut body = std::pin::pin!(body);
    let mut bytes = BytesMut::with_capacity(announced.min(1 << 20));
    loop {
        let frame = tokio::time::timeout(retries, body.frame()).await;
        match frame.map_err(|_| broken(format!("no more of the body came in {} s", retries.as_secs())))? {
            None => return Ok(Some(bytes.freeze())),
            Some(Err(e)) => return Err(broken(format!("the body broke off: {e}"))),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    if bytes.len() + data.len() > limit {
                        return Ok(None);
                    }
                    bytes.extend_from_slice(&data);
                }
            }
        }
    }
}

/// The content and the trailing headers of an `aws-chunked` body; `None` when it is not one.
fn unchunk(mut rest: &[u8]) -> Option<(Bytes, Vec<(String, String)>)> {
    let mut content = BytesMut::with_capacity(rest.len());
    loop {
        let (line, after) = line(rest)?;
        let size = usize::from_str_radix(line.split(';').next()?, 16).ok()?;
        if size == 0 {
            rest = after;
            break;
        }
        content.extend_from_slice(after.get(..size)?);
        rest = after.get(size..)?.strip_prefix(b"\r\n")?;
    }
    let mut trailers = Vec::new();
    while !rest.is_empty() {
        let (line, after) = line(rest)?;
        if let Some((name, value)) = line.split_once(':') {
            trailers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
        rest = after;
    }
    Some((content.freeze(), trailers))
}

fn line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.windows(2).take(16 << 10).position(|w| w == b"\r\n")?;
    Some((std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 2..]))
}

/// Compares the checksums that came with a content with its own.
fn verify<'a>(named: impl Iterator<Item = (&'a str, &'a str)>, content: &[u8], is_part: bool) -> Result<()> {
    let bad = |message: String| ApiError::new(400, "BadDigest", message);
    let invalid = |message: String| ApiError::new(400, "InvalidRequest", message);
    let mut sums = 0;
    for (name, given) in named {
        let bytes = STANDARD.decode(given).unwrap_or_default();
        if name == "content-md5" {
            if bytes.len() != 16 {
                let error = ApiError::new(400, "InvalidDigest", "The Content-MD5 you specified was invalid.");
                return Err(error.with("Content-MD5", given));
            }
            let own = md5::Md5::digest(content);
            if bytes != own.as_slice() {
                let error = bad("The Content-MD5 you specified did not match what we received.".to_owned());
                // Of parts AWS writes what it expected as it came.
                let expected = if is_part { given.to_owned() } else { hex::encode(&bytes) };
                return Err(error
                    .with("ExpectedDigest", expected)
                    .with("CalculatedDigest", STANDARD.encode(own)));
            }
            continue;
        }
        let Some(algorithm) = name.strip_prefix("x-amz-checksum-") else { continue };
        let Some(own) = checksum(algorithm, content) else { continue };
        sums += 1;
        if sums > 1 {
            let message =
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";
            return Err(invalid(message.to_owned()));
        }
        if STANDARD.decode(&own).map(|own| own.len()) != Ok(bytes.len()) {
            return Err(invalid(format!("Value for {name} header is invalid.")));
        }
        if own != given {
            let algorithm = algorithm.to_ascii_uppercase();
            return Err(bad(format!("The {algorithm} you specified did not match the calculated checksum.")));
        }
    }
    Ok(())
}

/// A content's checksum by the name AWS gives the algorithm, in lower case, as base64.
pub fn checksum(algorithm: &str, content: &[u8]) -> Option<String> {
    use crc_fast::{CrcAlgorithm, checksum};
    Some(match algorithm {
        "crc32" => STANDARD.encode(&checksum(CrcAlgorithm::Crc32IsoHdlc, content).to_be_bytes()[4..]),
        "crc32c" => STANDARD.encode(&checksum(CrcAlgorithm::Crc32Iscsi, content).to_be_bytes()[4..]),
        "crc64nvme" => STANDARD.encode(checksum(CrcAlgorithm::Crc64Nvme, content).to_be_bytes()),
        "sha1" => STANDARD.encode(sha1::Sha1::digest(content)),
        "sha256" => STANDARD.encode(sha2::Sha256::digest(content)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use hyper::body::Frame;
    use proptest::prelude::*;

    use super::*;

    /// Sends one piece and then nothing, without an end.
    struct Stalled(Option<Bytes>);

    impl Body for Stalled {
        type Data = Bytes;
        type Error = std::io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            self.0.take().map_or(Poll::Pending, |piece| Poll::Ready(Some(Ok(Frame::data(piece)))))
        }
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_is_given_up() {
        let retries = Duration::from_millis(5);
        let error = collect(Stalled(Some("some".into())), 10, 0, retries).await.unwrap_err();
        assert_eq!((error.status, error.code.as_str()), (400, "RequestTimeout"));
        assert_eq!(collect(Stalled(Some("too much".into())), 3, 0, retries).await, Ok(None));
    }

    #[test]
    fn chunks_and_trailers_are_taken_apart() {
        let body =
            b"5;chunk-signature=ab\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n";
        let (content, trailers) = unchunk(body).unwrap();
        assert_eq!(content, "hello world");
        assert_eq!(trailers, [("x-amz-checksum-crc32".to_owned(), "DUoRhQ==".to_owned())]);
        verify(trailers.iter().map(|(n, v)| (n.as_str(), v.as_str())), &content, false).unwrap();
        let error = verify([("x-amz-checksum-crc32", "AAAAAA==")].into_iter(), &content, false).unwrap_err();
        assert_eq!(error.code, "BadDigest");
    }

    #[test]
    fn checksums_are_those_of_their_catalogues() {
        // The catalogues' check values are those of the nine digits.
        let digits = b"123456789";
        for (algorithm, value) in [
            ("crc32", 0xcbf4_3926_u32.to_be_bytes().to_vec()),
            ("crc32c", 0xe306_9283_u32.to_be_bytes().to_vec()),
            ("crc64nvme", 0xae8b_1486_0a79_9888_u64.to_be_bytes().to_vec()),
        ] {
            assert_eq!(checksum(algorithm, digits), Some(STANDARD.encode(value)), "{algorithm}");
        }
        assert_eq!(checksum("sha1", b"").as_deref(), Some("2jmj7l5rSw0yVb/vlWAYkK/YBwk="));
        assert_eq!(checksum("md4", b""), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_framed_or_not(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = unchunk(&body);
        }

        #[test]
        fn what_is_framed_comes_back(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..50), 0..5)) {
            let mut body = Vec::new();
            for piece in &pieces {
                body.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
                body.extend_from_slice(piece);
                body.extend_from_slice(b"\r\n");
            }
            body.extend_from_slice(b"0\r\n\r\n");
            prop_assert_eq!(unchunk(&body).unwrap().0, pieces.concat());
        }
    }
}
