//! What a result must keep to, so that a pipeline can stop. Decided in the state machine, before the choice is applied.

use serde::{Deserialize, Serialize};

/// `gate`: the limits of the execution input. As JSON: `{"maxDurationMs","maxCost"}`, each of which may be left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Gate {
    /// Average duration in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_duration_ms: Option<f64>,
    /// Cost of an invocation, in the currency of the function's region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_cost: Option<f64>,
}

/// How a result stands to the limits, in the output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Verdict {
    /// Whether it keeps all of them.
    pub met: bool,
    /// Those it does not keep, as sentences about the chosen size.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exceeded: Vec<String>,
}

impl Gate {
    /// Whether it has no limit at all.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.max_duration_ms.is_none() && self.max_cost.is_none()
    }

    /// Judges an average duration in milliseconds and the cost of an invocation.
    #[must_use]
    pub fn judge(&self, duration_ms: f64, cost: f64, currency: &str) -> Verdict {
        let mut exceeded = Vec::new();
        if let Some(limit) = self.max_duration_ms.filter(|limit| duration_ms > *limit) {
            exceeded.push(format!("takes {duration_ms:.2} ms on average, more than the {limit} ms allowed"));
        }
        if let Some(limit) = self.max_cost.filter(|limit| cost > *limit) {
            exceeded.push(format!(
                "costs {cost:.12} {currency} per invocation, more than the {limit} {currency} allowed"
            ));
        }
        Verdict { met: exceeded.is_empty(), exceeded }
    }
}
