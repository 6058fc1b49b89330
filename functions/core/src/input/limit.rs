//! `limit`: what a percentile of the duration may be.

use super::fields::Form;
use super::problem::shown;
use super::read::{Read, number};
use serde_json::{Value, json};

/// The cheapest size that keeps it is chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// Which percentile, 50 to 99.9.
    pub percentile: f64,
    /// What it may be, in milliseconds.
    pub ms: f64,
}

impl Limit {
    /// `{"percentile": 95, "ms": 300}`.
    pub(super) fn read(value: &Value) -> Read<Self> {
        let wrong = || {
            format!("is {}: use {{\"percentile\": 95, \"ms\": 300}}, {}", shown(value), Form::Limit.says())
        };
        let object = value.as_object().filter(|limit| limit.len() == 2).ok_or_else(wrong)?;
        let part = |name: &str| object.get(name).and_then(number).ok_or_else(wrong);
        Self { percentile: part("percentile")?, ms: part("ms")? }.checked().ok_or_else(wrong)
    }

    /// `p95=300ms`; the unit may be left out, or be `s`.
    pub(super) fn from_text(text: &str) -> Read<Self> {
        let parsed = || {
            let (percentile, time) = text.trim().strip_prefix(['p', 'P'])?.split_once('=')?;
            let (time, factor) = match (time.strip_suffix("ms"), time.strip_suffix('s')) {
                (Some(time), _) => (time, 1.0),
                (None, Some(time)) => (time, 1000.0),
                (None, None) => (time, 1.0),
            };
            let ms = time.trim().parse::<f64>().ok()? * factor;
            Self { percentile: percentile.trim().parse().ok()?, ms }.checked()
        };
        parsed().ok_or_else(|| format!("is {text:?}: use {}", Form::Limit.says()))
    }

    fn checked(self) -> Option<Self> {
        let fine = (50.0..=99.9).contains(&self.percentile) && self.ms > 0.0 && self.ms.is_finite();
        fine.then_some(self)
    }

    /// As it stands in an input.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({ "percentile": self.percentile, "ms": self.ms })
    }
}
