//! What is measured: the function itself, or copies of it.

use std::str::FromStr;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tune {
    /// Versions of the function, whose `$LATEST` gets every size in turn for that.
    #[default]
    InPlace,
    /// Temporary functions made after it. Nothing of the function itself is changed.
    Copy,
}

impl Tune {
    /// The word for it in the execution input.
    pub fn name(self) -> &'static str {
        match self {
            Self::InPlace => "in-place",
            Self::Copy => "copy",
        }
    }

    /// What an execution input asks for that need not be a good one otherwise: for cleaning up after an input that was refused.
    pub fn of_input(input: &serde_json::Value) -> Self {
        let word = input.get(super::fields::TUNE.name).and_then(serde_json::Value::as_str);
        word.and_then(|word| word.parse().ok()).unwrap_or_default()
    }
}

/// The word is neither of the two.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not something to tune: use copy or in-place")]
pub struct UnknownTune(pub String);

impl FromStr for Tune {
    type Err = UnknownTune;

    fn from_str(text: &str) -> Result<Self, UnknownTune> {
        let all = [Self::InPlace, Self::Copy];
        all.into_iter().find(|tune| tune.name() == text).ok_or_else(|| UnknownTune(text.to_owned()))
    }
}
