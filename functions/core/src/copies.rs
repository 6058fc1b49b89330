//! What copies of a function are called: temporary functions that are measured instead of it.
//!
//! Names are made of the execution and a number, so that every step of a run knows them and nothing has to be listed.

/// What the names of copies begin with. Whoever measures copies may create, invoke and delete functions of such names.
pub const PREFIX: &str = "deployer-tuning-";

/// The tag that names the execution a copy was made for.
pub const EXECUTION_TAG: &str = "deployer:execution";
/// The tag with a copy's memory size in MB.
pub const SIZE_TAG: &str = "deployer:size";
/// The tag with a copy's processor, `x86_64` or `arm64`.
pub const ARCHITECTURE_TAG: &str = "deployer:architecture";
/// The tag with the stack's name.
pub const STACK_TAG: &str = "deployer:stack";

/// The name of an execution's copy of this number; at most 64 characters, as Lambda has it.
pub fn name(execution: &str, number: u32) -> String {
    format!("{PREFIX}{}-{number}", hash(execution))
}

/// The hash of the execution and the number in a copy's name; none for another function's.
pub fn parse(name: &str) -> Option<(&str, u32)> {
    let (hash, number) = name.strip_prefix(PREFIX)?.split_once('-')?;
    let digits = hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit());
    if digits { Some((hash, number.parse().ok()?)) } else { None }
}

/// FNV-1a, hexadecimal: unlike the standard library's hasher it is the same in every build, so that a function deployed in the
/// middle of a run reads what its predecessor wrote.
pub fn hash(text: &str) -> String {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXECUTION: &str = "arn:aws:states:eu-west-1:123456789012:execution:machine:run";

    #[test]
    fn a_copy_is_called_after_its_execution_and_known_again() {
        let name = name(EXECUTION, u32::MAX);
        assert!(name.len() <= 64, "{name}");
        assert_eq!(parse(&name), Some((hash(EXECUTION).as_str(), u32::MAX)));
        assert_ne!(hash(&format!("{EXECUTION}2")), hash(EXECUTION));
        for other in
            ["deployer-tuning-", "deployer-tuning-shop-1", "my-function", "deployer-tuning-0123456789abcdef"]
        {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn the_hash_is_the_one_of_its_definition() {
        // From the draft of FNV (draft-eastlake-fnv).
        assert_eq!((hash("").as_str(), hash("foobar").as_str()), ("cbf29ce484222325", "85944171f73967e8"));
    }
}
