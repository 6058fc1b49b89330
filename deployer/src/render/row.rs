//! A measured memory size, as the table and the chart show it.

/// One memory size.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Memory, in MB.
    pub memory_mb: u32,
    /// Average duration, in ms.
    pub duration_ms: f64,
    /// The 95th percentile of the duration, in ms, when it is known.
    pub p95_ms: Option<f64>,
    /// What the average would be on a core of Lambda, in ms, when that is asked for.
    pub on_lambda_ms: Option<f64>,
    /// Average duration of the cold starts, in ms, when those are not in the average.
    pub cold_ms: Option<f64>,
    /// Average cost of an invocation, in the region's currency.
    pub cost: f64,
    /// Invocations whose answer was lost.
    pub lost: u32,
}

impl Row {
    /// A size of which only the averages are known.
    #[must_use]
    pub fn measured(memory_mb: u32, duration_ms: f64, cost: f64) -> Self {
        Self { memory_mb, duration_ms, p95_ms: None, on_lambda_ms: None, cold_ms: None, cost, lost: 0 }
    }
}
