//! What a link holds.

/// Most runs in one link. Far above what a chart can show; a bound so that a hostile link costs nothing.
pub const MAX_RUNS: usize = 100;

/// The largest memory size in MB that a link can hold.
pub(super) const MAX_SIZE: u32 = i16::MAX as u32;

/// Most sizes in one run: every whole number of MB that Lambda has.
pub const MAX_POINTS: usize = 10_240;

/// One tuning run as a chart shows it. The three lists are of one length and in the same order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Run {
    /// What the user calls it; empty when unnamed.
    pub name: String,
    /// Memory sizes in MB.
    pub sizes: Vec<u32>,
    /// Average duration at each size in milliseconds.
    pub times: Vec<f32>,
    /// Average cost of one invocation at each size, in the link's currency.
    pub costs: Vec<f32>,
    /// What only links made for this page carry.
    pub extras: Extras,
}

/// Optional data of a run. Empty lists mean that the link has none; otherwise each has one value per size.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Extras {
    /// Standard deviation of the duration in milliseconds.
    pub stddev: Vec<f32>,
    /// Median duration in milliseconds.
    pub p50: Vec<f32>,
    /// 95th percentile of the duration in milliseconds.
    pub p95: Vec<f32>,
    /// The function's memory size in MB before the run.
    pub current: Option<u32>,
}

impl Extras {
    /// Whether there is nothing in it, so that its run encodes to the canonical form.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The lists with their part names, in the order they are written.
    pub(super) fn lists(&self) -> [(&'static str, &Vec<f32>); 3] {
        [("sd", &self.stddev), ("p50", &self.p50), ("p95", &self.p95)]
    }

    pub(super) fn list_mut(&mut self, name: &str) -> Option<&mut Vec<f32>> {
        match name {
            "sd" => Some(&mut self.stddev),
            "p50" => Some(&mut self.p50),
            "p95" => Some(&mut self.p95),
            _ => None,
        }
    }
}

/// A whole fragment: the runs, and parts this module gives no meaning to (the page keeps its view in such parts).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Link {
    /// The runs, in the order they are drawn.
    pub runs: Vec<Run>,
    /// `(name, value)` of the remaining optional parts. Names are lower-case letters and digits, starting with a letter; values are
    /// text, percent-encoded on the way.
    pub others: Vec<(String, String)>,
}
