//! Where a listing goes on, as a text that says nothing to whoever holds it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::bad_argument;
use crate::Result;

/// The token of the last name that was answered.
pub fn of(last: &str) -> String {
    URL_SAFE_NO_PAD.encode(last)
}

/// The name that a token stands for.
///
/// # Errors
/// `InvalidArgument` for what is none, an empty one included.
pub fn read(token: &str) -> Result<String> {
    let name = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    name.filter(|name| !name.is_empty()).ok_or_else(|| {
        bad_argument("continuation-token", None, "The continuation token provided is incorrect")
    })
}
