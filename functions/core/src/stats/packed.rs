//! Measurements as a short text, for the state between two passes: base64 of variable-length integers.
//!
//! Per invocation: the duration in µs, then `b·2 + cold` where `b` is how far the billed time is from the duration rounded up to whole
//! milliseconds (nearly always 0; zigzag, so that it may be negative), then the cold start's µs if there was one.

use super::Taken;
use base64ct::{Base64Unpadded, Encoding as _};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};
use std::borrow::Cow;

pub(super) fn serialize<S: Serializer>(taken: &[Taken], serializer: S) -> Result<S::Ok, S::Error> {
    let mut bytes = Vec::with_capacity(taken.len() * 5);
    for one in taken {
        put(&mut bytes, one.duration_us);
        let off = one.billed_ms.wrapping_sub(expected(one.duration_us)) as i64;
        let zigzag = (off.wrapping_shl(1) ^ (off >> 63)) as u64;
        put(&mut bytes, (zigzag << 1) | u64::from(one.cold_start_us.is_some()));
        if let Some(cold) = one.cold_start_us {
            put(&mut bytes, cold);
        }
    }
    serializer.serialize_str(&Base64Unpadded::encode_string(&bytes))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Taken>, D::Error> {
    let text = Cow::<str>::deserialize(deserializer)?;
    let bytes = Base64Unpadded::decode_vec(&text).map_err(D::Error::custom)?;
    let mut rest = bytes.as_slice();
    let mut taken = Vec::new();
    while !rest.is_empty() {
        taken.push(
            take_one(&mut rest).ok_or_else(|| D::Error::custom("measurements are cut off or damaged"))?,
        );
    }
    Ok(taken)
}

fn take_one(rest: &mut &[u8]) -> Option<Taken> {
    let duration_us = take(rest)?;
    let flags = take(rest)?;
    let zigzag = flags >> 1;
    let off = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
    Some(Taken {
        duration_us,
        billed_ms: expected(duration_us).wrapping_add_signed(off),
        cold_start_us: if flags & 1 == 1 { Some(take(rest)?) } else { None },
    })
}

fn expected(duration_us: u64) -> u64 {
    duration_us.div_ceil(1000)
}

/// Seven bits a byte, the lowest first; the eighth says that more follow.
fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn take(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
