//! Base64 (RFC 4648, the standard alphabet) in a tenth of the code that a library for every dialect has: the page is small because of it.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// With `=` at the end.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits =
            group.iter().zip([16, 8, 0]).fold(0, |bits, (byte, shift)| bits | u32::from(*byte) << shift);
        for place in 0..4 {
            let six = (bits >> (18 - 6 * place)) & 63;
            text.push(if place <= group.len() { char::from(ALPHABET[six as usize]) } else { '=' });
        }
    }
    text
}

/// With or without `=` at the end, which links lose on the way through chat programs. None for what is no base64.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=').as_bytes();
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    for group in text.chunks(4) {
        let mut bits = 0;
        for byte in group {
            let six = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            bits = bits << 6 | u32::from(six);
        }
        bits <<= 6 * (4 - group.len());
        let whole = [(bits >> 16) as u8, (bits >> 8) as u8, bits as u8];
        // One character is no byte, and bits beyond the last byte are a sign of damage.
        let (read, rest) = whole.split_at(group.len() - 1);
        if group.len() == 1 || rest.iter().any(|byte| *byte != 0) {
            return None;
        }
        bytes.extend(read);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_what_the_library_writes_and_reads(bytes in prop::collection::vec(any::<u8>(), 0..40), text in "[A-Za-z0-9+/]{0,9}=?=?|.{0,6}") {
            let written = encode(&bytes);
            prop_assert_eq!(&written, &BASE64_STANDARD.encode(&bytes));
            prop_assert_eq!(decode(written.trim_end_matches('=')), Some(bytes.clone()));
            prop_assert_eq!(decode(&written), Some(bytes));
            if let Ok(read) = BASE64_STANDARD.decode(&text) {
                prop_assert_eq!(decode(&text), Some(read));
            }
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in ["A", "AAAAA", "A A=", "AB==", "ÄÖ", "AA-_", "AA=A"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
