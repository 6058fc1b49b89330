//! Which payload goes with which invocation. After the input, before the invocations.

use crate::nearest::nearest;
use serde_json::Value;
use std::sync::Arc;

/// The payload text of every invocation of one power value.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Payloads with the index of the first invocation that is not theirs any more, ascending; the last one is the number of invocations.
    blocks: Vec<(Arc<str>, u32)>,
}

/// Why payloads and invocations do not fit together. No text of a payload is in it, so it may be logged.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// More payloads than invocations.
    #[error(
        "there are {payloads} payloads and only \"num\"={num} invocations: increase \"num\" or give fewer payloads (a dry run makes a \
         single invocation, so it takes one payload)"
    )]
    TooFew {
        /// How many payloads there are.
        payloads: usize,
        /// How many invocations.
        num: u32,
    },
    /// A weight that is not a positive number.
    #[error(
        "element {index} has the weight {weight}: a weight must be a number greater than 0 (to send such a list as an ordinary payload, \
         give it as a JSON string)"
    )]
    Weight {
        /// Which element, from 0.
        index: usize,
        /// What stands there.
        weight: String,
    },
    /// A weight too small to get one invocation.
    #[error(
        "element {index} has so small a weight ({weight} of {total}) that none of {num} invocations is left for it: increase \"num\" \
         to {needed} or its weight"
    )]
    NoShare {
        /// Which element, from 0.
        index: usize,
        /// Its weight.
        weight: f64,
        /// The sum of all weights.
        total: f64,
        /// How many invocations there are.
        num: u32,
        /// How many would do.
        needed: u64,
    },
}

impl Plan {
    /// The plan for `num` invocations of an execution input's `payload`.
    ///
    /// A non-empty list whose every element is an object with `payload` and `weight` is weighted: each element gets
    /// `floor(weight · num / total)` consecutive invocations, the last one what remains. Anything else is the payload of
    /// every invocation. A string that is itself JSON is sent as it is; anything else as JSON; nothing at all as `null`.
    ///
    /// # Errors
    /// [`PlanError`] when weights and `num` do not go together.
    pub fn new(payload: Option<&Value>, num: u32) -> Result<Self, PlanError> {
        match payload.and_then(weighted) {
            Some(elements) => Self::weighted(&elements, num),
            None => Ok(Self::same(text(payload.unwrap_or(&Value::Null)), num)),
        }
    }

    /// The plan for the content of the object that `payloadS3` names: the same rules, except that content which is not
    /// weighted is sent byte for byte if it is JSON, and as a JSON string if it is not.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn from_object(content: &str, num: u32) -> Result<Self, PlanError> {
        Self::of_object(content, num, |elements| Self::weighted(elements, num))
    }

    /// The same with weighted payloads as in [`Plan::in_turns`].
    ///
    /// # Errors
    /// As [`Plan::in_turns`].
    pub fn from_object_in_turns(content: &str, num: u32) -> Result<Self, PlanError> {
        Self::of_object(content, num, |elements| Self::turns(elements, num))
    }

    fn of_object(
        content: &str,
        num: u32,
        deal: impl FnOnce(&[(&Value, &Value)]) -> Result<Self, PlanError>,
    ) -> Result<Self, PlanError> {
        match serde_json::from_str::<Value>(content) {
            Ok(Value::String(string)) => Ok(Self::same(text(&Value::String(string)), num)),
            Ok(value) => match weighted(&value) {
                Some(elements) => deal(&elements),
                None => Ok(Self::same(content.to_owned(), num)),
            },
            Err(_) => Ok(Self::same(text(&Value::String(content.to_owned())), num)),
        }
    }

    /// The plan for `num` invocations of which any number may be made: weighted payloads take turns by their weights, so that every
    /// beginning of the plan has about the shares of the whole (smooth weighted round-robin, as in nginx).
    ///
    /// # Errors
    /// [`PlanError`] when a weight is no number above 0.
    pub fn in_turns(payload: Option<&Value>, num: u32) -> Result<Self, PlanError> {
        match payload.and_then(weighted) {
            Some(elements) => Self::turns(&elements, num),
            None => Ok(Self::same(text(payload.unwrap_or(&Value::Null)), num)),
        }
    }

    fn turns(elements: &[(&Value, &Value)], num: u32) -> Result<Self, PlanError> {
        let weights = weights(elements)?;
        let total: f64 = weights.iter().sum();
        let texts: Vec<Arc<str>> = elements.iter().map(|(payload, _)| text(payload).into()).collect();
        let mut credit = vec![0.0; weights.len()];
        let mut blocks = Vec::new();
        for end in 1..=num {
            credit.iter_mut().zip(&weights).for_each(|(credit, weight)| *credit += weight);
            let next =
                (0..credit.len()).rev().max_by(|a, b| credit[*a].total_cmp(&credit[*b])).unwrap_or_default();
            credit[next] -= total;
            blocks.push((Arc::clone(&texts[next]), end));
        }
        Ok(Self { blocks })
    }

    /// The payload of invocation `index`, counted from 0. An index beyond the plan gets the last payload.
    pub fn payload(&self, index: u32) -> &str {
        let block = self.blocks.partition_point(|&(_, end)| end <= index);
        let block = block.min(self.blocks.len() - 1);
        &self.blocks[block].0
    }

    /// How many invocations are planned.
    pub fn invocations(&self) -> u32 {
        self.blocks.last().map_or(0, |&(_, end)| end)
    }

    /// How many invocations each payload gets, in the order they are sent.
    pub fn shares(&self) -> Vec<u32> {
        let mut start = 0;
        self.blocks
            .iter()
            .map(|&(_, end)| {
                let share = end - start;
                start = end;
                share
            })
            .collect()
    }

    fn same(text: String, num: u32) -> Self {
        Self { blocks: vec![(text.into(), num)] }
    }

    fn weighted(elements: &[(&Value, &Value)], num: u32) -> Result<Self, PlanError> {
        if elements.len() > num as usize {
            return Err(PlanError::TooFew { payloads: elements.len(), num });
        }
        let weights = weights(elements)?;
        let total: f64 = weights.iter().sum();

        let mut blocks = Vec::with_capacity(elements.len());
        let mut end = 0;
        for (index, ((payload, _), &weight)) in elements.iter().zip(&weights).enumerate() {
            let share = (weight * f64::from(num) / total) as u32;
            if share < 1 {
                return Err(PlanError::NoShare {
                    index,
                    weight,
                    total,
                    num,
                    needed: (total / weight).ceil() as u64,
                });
            }
            // Rounding in the quotient must not hand out more than there is.
            end = (end + share).min(num);
            blocks.push((text(payload).into(), end));
        }
        if let Some(last) = blocks.last_mut() {
            last.1 = num;
        }
        Ok(Self { blocks })
    }
}

/// What a pre-processor's answer replaces the payload with; `None` when it is empty (no bytes, `null` or `""`) and the payload stays.
pub fn replacement(answer: &[u8]) -> Option<String> {
    let answer = String::from_utf8_lossy(answer);
    match answer.trim() {
        "" | "null" | "\"\"" => None,
        _ => Some(answer.into_owned()),
    }
}

fn weights(elements: &[(&Value, &Value)]) -> Result<Vec<f64>, PlanError> {
    let weights = elements
        .iter()
        .enumerate()
        .map(|(index, (_, weight))| positive(weight).ok_or_else(|| bad_weight(index, weight)))
        .collect::<Result<Vec<f64>, _>>()?;
    if weights.iter().sum::<f64>().is_finite() { Ok(weights) } else { Err(bad_weight(0, elements[0].1)) }
}

fn weighted(payload: &Value) -> Option<Vec<(&Value, &Value)>> {
    let list = payload.as_array().filter(|list| !list.is_empty())?;
    list.iter().map(|element| Some((element.get("payload")?, element.get("weight")?))).collect()
}

/// A list that was most likely meant to be weighted, and is not: `payload` or `weight` is missing in an element.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "element {index} has no \"{missing}\"{}: a weighted list needs \"payload\" and \"weight\" in every element (to send this list \
     as an ordinary payload, give it as a JSON string)",
    .instead.as_ref().map(|instead| format!(" (did you mean it by \"{instead}\"?)")).unwrap_or_default()
)]
pub struct Misspelt {
    /// Which element, from 0.
    pub index: usize,
    /// The key that is not there.
    pub missing: &'static str,
    /// The key that probably stands for it.
    pub instead: Option<String>,
}

/// What is wrong with a list of which at least one element has a key of weighted payloads. The state machine sends such a
/// list as one ordinary payload; whoever types it should be asked first.
#[must_use]
pub fn misspelt(payload: &Value) -> Option<Misspelt> {
    const KEYS: [&str; 2] = ["payload", "weight"];
    let list = payload.as_array()?;
    if !list.iter().any(|element| KEYS.iter().any(|key| element.get(key).is_some())) {
        return None;
    }
    list.iter().enumerate().find_map(|(index, element)| {
        let missing = KEYS.into_iter().find(|key| element.get(key).is_none())?;
        let names = element.as_object().into_iter().flat_map(|object| object.keys());
        let near = nearest(missing, names.map(String::as_str).filter(|name| !KEYS.contains(name)));
        Some(Misspelt { index, missing, instead: near.map(str::to_owned) })
    })
}

fn positive(weight: &Value) -> Option<f64> {
    weight.as_f64().filter(|weight| *weight > 0.0 && weight.is_finite())
}

fn bad_weight(index: usize, weight: &Value) -> PlanError {
    PlanError::Weight { index, weight: weight.to_string().chars().take(40).collect() }
}

/// What is sent for a payload.
fn text(payload: &Value) -> String {
    match payload {
        Value::String(string) if serde_json::from_str::<serde::de::IgnoredAny>(string).is_ok() => {
            string.clone()
        }
        other => other.to_string(),
    }
}
