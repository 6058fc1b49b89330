//! What a result must keep to, so that a pipeline can stop. Decided in the state machine, before the choice is applied.

use crate::input::fields::GATE;
use crate::input::{number, shown};
use serde::{Deserialize, Serialize};
use serde_json::Value;

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
    /// Reads the field. A name it does not know is refused: a limit that is misspelt would let everything pass.
    ///
    /// # Errors
    /// What is wrong, to be read after the field's name.
    pub(crate) fn read(whole: &Value) -> Result<Self, String> {
        let Value::Object(limits) = whole else {
            return Err(format!("is {}: use {}", shown(whole), GATE.form.says()));
        };
        let mut gate = Self::default();
        for (name, value) in limits.iter().filter(|(_, value)| !value.is_null()) {
            let limit = match name.as_str() {
                "maxDurationMs" => &mut gate.max_duration_ms,
                "maxCost" => &mut gate.max_cost,
                _ => {
                    let says = GATE.form.says();
                    return Err(format!("is {}, where {name:?} is not a limit: use {says}", shown(whole)));
                }
            };
            match number(value) {
                Some(most) if most > 0.0 => *limit = Some(most),
                _ => {
                    return Err(format!(
                        "is {}, where {name} is not a number above 0: use {}",
                        shown(whole),
                        GATE.form.says()
                    ));
                }
            }
        }
        if gate.is_open() {
            return Err(format!("is {}, which limits nothing: use {}", shown(whole), GATE.form.says()));
        }
        Ok(gate)
    }

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
