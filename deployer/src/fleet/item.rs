//! What is in S3 of a fleet: the list that the distributed Map goes over, and what else there is to know of the run. Whoever follows an
//! execution from another machine has it from there.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::forecast::Forecast;
use super::plan::{LeftOut, Seen};

/// A function to tune: an item of the Map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// The function's name.
    pub function: String,
    /// Its region.
    pub region: String,
    /// Its ARN.
    #[serde(rename = "lambdaARN")]
    pub lambda_arn: String,
    /// Its memory size, in MB.
    #[serde(rename = "memoryMB")]
    pub memory_mb: u32,
    /// The name of its tuning execution.
    pub name: String,
    /// How long that may take, in seconds.
    pub seconds: u64,
    /// The input of it.
    pub input: Map<String, Value>,
    /// What the function did before, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
    /// What it costs a month if it goes on like that, in the region's currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_per_month: Option<f64>,
}

/// What a fleet's execution was started with: the input of the machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Start {
    /// The key of the list of items.
    pub plan: String,
    /// The key of [`About`].
    pub about: String,
    /// Below which results are written.
    pub results: String,
    /// How many functions are tuned at a time.
    pub at_once: u32,
}

/// What there is to know of a fleet besides its items.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct About {
    /// The functions that are not tuned.
    pub left_out: Vec<LeftOut>,
    /// What was estimated beforehand.
    pub estimate: Forecast,
}
