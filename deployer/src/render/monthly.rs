//! What a month costs with the chosen size, and what it costs now.

use schemars::JsonSchema;
use serde::Serialize;
use tuning::figures;
use tuning::output::Analysis;
use tuning::sentence;
use tuning::url;

/// A month's money, in the currency of the region; amounts that are not known are absent.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Monthly {
    /// How many invocations a month has.
    pub invocations: u32,
    /// What they cost with the chosen size, without the request fee, as every cost of a result.
    pub cost: f64,
    /// The request fee, which is the same for every size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_cost: Option<f64>,
    /// What they cost with the size before the run, if that was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<f64>,
    /// How much less that is with the chosen size; negative when it is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saving: Option<f64>,
}

impl Monthly {
    /// The month of a result.
    #[must_use]
    pub fn new(invocations: u32, analysis: &Analysis) -> Self {
        let month = |each: f64| rounded(each * f64::from(invocations));
        let before = analysis.baseline.as_ref().and_then(|baseline| baseline.cost);
        Self {
            invocations,
            cost: month(analysis.cost),
            request_cost: analysis.prices.as_ref().and_then(|prices| prices.per_request).map(month),
            before: before.map(month),
            saving: before.map(|before| month(before - analysis.cost)),
        }
    }

    /// The chart's link with the month in it; nothing where the page could not read it, or the link is none of ours.
    pub fn link(&self, analysis: &Analysis) -> Option<String> {
        let (page, hash) = analysis.state_machine.visualization.split_once('#')?;
        if url::is_old_page(page) {
            return None;
        }
        let mut link = url::decode_link(hash).ok()?;
        link.others.push((url::MONTH.to_owned(), self.invocations.to_string()));
        Some(format!("{page}#{}", url::encode_hash(&link).ok()?))
    }

    /// As a sentence; `present` is the function's size before the run in MB.
    #[must_use]
    pub fn sentence(&self, present: Option<u32>, currency: &str) -> String {
        let requests = match self.request_cost {
            Some(fee) => {
                format!("; the requests cost another {}, whatever the size", figures::money(fee, currency))
            }
            None => String::new(),
        };
        format!(
            "At {} invocations a month: {}{requests}.",
            figures::fixed(self.invocations.into(), 0),
            sentence::month(self.cost, self.before, self.saving, present, currency),
        )
    }
}

/// To a millionth: what the multiplication leaves beyond that is noise.
fn rounded(amount: f64) -> f64 {
    (amount * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month(before: Option<f64>, saving: Option<f64>) -> Monthly {
        Monthly { invocations: 3_000_000, cost: 6.0, request_cost: Some(0.6), before, saving }
    }

    #[test]
    fn a_month_says_what_changes() {
        let start = "At 3,000,000 invocations a month: $6.00";
        let requests = "; the requests cost another $0.600, whatever the size.";
        for (month, present, middle) in [
            (month(Some(9.0), Some(3.0)), Some(128), " instead of $9.00 with 128 MB, $3.00 less"),
            (month(Some(4.0), Some(-2.0)), Some(128), " instead of $4.00 with 128 MB, $2.00 more"),
            (month(Some(6.0), Some(0.0)), Some(1024), ", as now"),
            (month(None, None), Some(128), ""),
        ] {
            assert_eq!(month.sentence(present, "$"), format!("{start}{middle}{requests}"));
        }
        let unknown = Monthly { request_cost: None, ..month(None, None) };
        assert_eq!(unknown.sentence(None, "$"), format!("{start}."));
    }
}
