//! Identifiers that AWS makes up: request ids, stack ids, session keys.

/// A random (version 4) UUID.
#[must_use]
pub fn uuid() -> String {
    let mut b = [0_u8; 16];
    fill(&mut b);
    b[6] = (b[6] & 0x0f) | 0x40;
    b[8] = (b[8] & 0x3f) | 0x80;
    let n = u128::from_be_bytes(b);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        n >> 96,
        (n >> 80) & 0xffff,
        (n >> 64) & 0xffff,
        (n >> 48) & 0xffff,
        n & 0xffff_ffff_ffff
    )
}

/// `length` random characters out of `A–Z` and `2–7`, as in access key ids.
#[must_use]
pub fn upper(length: usize) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut b = vec![0_u8; length];
    fill(&mut b);
    b.iter().map(|b| char::from(ALPHABET[usize::from(b & 31)])).collect()
}

/// `length` random lower-case hexadecimal digits.
#[must_use]
pub fn hex(length: usize) -> String {
    let mut b = vec![0_u8; length];
    fill(&mut b);
    b.iter().map(|b| char::from(b"0123456789abcdef"[usize::from(b & 15)])).collect()
}

fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the system has random numbers");
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_uuid_is_of_version_4() {
        let id = super::uuid();
        let parts: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_eq!(&id[14..15], "4");
        assert_ne!(id, super::uuid());
    }
}
