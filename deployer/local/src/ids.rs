//! Identifiers that AWS makes up: request ids, stack ids, session keys.

/// A random (version 4) UUID.
#[must_use]
pub fn uuid() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// `length` random characters out of `A–Z` and `2–7`, as in access key ids.
#[must_use]
pub fn upper(length: usize) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut b = vec![0_u8; length];
    fill(&mut b);
    b.iter().map(|b| char::from(ALPHABET[usize::from(b & 31)])).collect()
}

/// `length` random lower-case hexadecimal digits, an even number of them.
#[must_use]
pub fn hex(length: usize) -> String {
    let mut b = vec![0_u8; length / 2];
    fill(&mut b);
    hex::encode(b)
}

fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the system has random numbers");
}

#[cfg(test)]
mod tests {
    #[test]
    fn identifiers_are_random_and_of_their_lengths() {
        let (upper, hex) = (super::upper(20), super::hex(40));
        assert!(
            upper.len() == 20 && upper.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()),
            "{upper}"
        );
        assert!(hex.len() == 40 && hex.bytes().all(|b| b.is_ascii_hexdigit()), "{hex}");
        assert_ne!((upper, hex), (super::upper(20), super::hex(40)));
    }
}
