//! The winner against the size the function had before the run.

use super::Measured;
use crate::sentence::Change;
use serde::{Deserialize, Serialize};

/// What the winner changes against the function's size before the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Baseline {
    /// The function's memory size in MB before the run.
    pub power: u32,
    /// Its average cost per invocation; absent when that size was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// Its average duration in milliseconds; absent when that size was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<f64>,
    /// How much less an invocation costs with the winner, in per cent; negative when it costs more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cheaper_percent: Option<f64>,
    /// How much less time an invocation takes with the winner, in per cent; negative when it takes more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub faster_percent: Option<f64>,
    /// The same in words: "38 % cheaper, 12 % faster".
    pub summary: String,
}

impl Baseline {
    /// Compares the winner with the figures of the size before the run, if it was measured; it may have been `skipped` instead.
    pub fn new(power: u32, before: Option<&Measured>, skipped: bool, winner: &Measured) -> Self {
        let Some(before) = before else {
            return Self {
                power,
                cost: None,
                duration: None,
                cheaper_percent: None,
                faster_percent: None,
                summary: if skipped {
                    format!("the function does not work at {power} MB, the size before the run")
                } else {
                    format!(
                        "not measured at {power} MB, the size before the run: add it to powerValues to compare"
                    )
                },
            };
        };
        let change = Change::new(before.candidate(), winner.candidate());
        Self {
            power,
            cost: Some(before.average_price),
            duration: Some(before.average_duration),
            cheaper_percent: Some(change.cheaper_percent),
            faster_percent: Some(change.faster_percent),
            summary: if winner.value == power {
                format!("{power} MB is what the function has already")
            } else {
                change.summary()
            },
        }
    }
}
