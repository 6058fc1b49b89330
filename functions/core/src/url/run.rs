//! What a link holds.

use super::check::is_size;

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
    /// Average duration of the cold starts alone in milliseconds; 0 where there was none.
    pub cold: Vec<f32>,
    /// The function's memory size in MB before the run.
    pub current: Option<u32>,
    /// What was measured.
    pub about: Option<About>,
    /// What the run chose.
    pub choice: Option<Choice>,
}

/// What a run measured, when and how often. Empty texts are not known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct About {
    /// The function's region.
    pub region: String,
    /// The function's processor: `arm64` or `x86_64`.
    pub architecture: String,
    /// The day of the run in UTC, as `2026-11-29`.
    pub date: String,
    /// Invocations of each size that were asked for; none where sizes were searched for.
    pub num: Option<u32>,
    /// The function's name.
    pub function: String,
}

/// The size that a run chose, by what, and how sure that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The chosen size in MB.
    pub power: u32,
    /// What it was chosen by: a strategy's name, or [`LIMIT`].
    pub by: String,
    /// Probabilities in thousandths: that no size is more than 1, 3 and 5 % better, or, of a limit, that it is kept. Empty when unknown.
    pub sure: Vec<u32>,
}

/// The part with a latency limit in whole milliseconds, which may be followed by a dot and the percentile that it is about. It is the whole
/// link's. Also what a size is chosen by that is the cheapest to keep one.
pub const LIMIT: &str = "limit";

impl About {
    /// Fields between dots, the name last: it may have dots of its own.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut fields = text.splitn(5, '.').map(str::to_owned);
        let mut next = || fields.next();
        Some(Self {
            region: next()?,
            architecture: next()?,
            date: next()?,
            num: next()?.parse().ok(),
            function: next()?,
        })
    }

    pub(super) fn text(&self) -> String {
        let num = self.num.map(|num| num.to_string()).unwrap_or_default();
        format!("{}.{}.{}.{num}.{}", self.region, self.architecture, self.date, self.function)
    }
}

impl Choice {
    /// Size, criterion and probabilities, between dots. None for a text that says anything else.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut fields = text.split('.');
        let power = fields.next()?.parse().ok().filter(|size| is_size(*size))?;
        let by = fields.next()?.to_owned();
        let sure: Option<Vec<u32>> =
            fields.map(|share| share.parse().ok().filter(|share| *share <= 1000)).collect();
        Some(Self { power, by, sure: sure? })
    }

    pub(super) fn text(&self) -> String {
        let mut text = format!("{}.{}", self.power, self.by);
        for share in &self.sure {
            text += ".";
            text += &share.to_string();
        }
        text
    }
}

impl Extras {
    /// Whether there is nothing in it, so that its run encodes to the canonical form.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The lists with their part names, in the order they are written.
    pub(super) fn lists(&self) -> [(&'static str, &Vec<f32>); 4] {
        [("sd", &self.stddev), ("p50", &self.p50), ("p95", &self.p95), ("cold", &self.cold)]
    }

    /// The same, to be changed.
    pub(super) fn lists_mut(&mut self) -> [(&'static str, &mut Vec<f32>); 4] {
        let Self { stddev, p50, p95, cold, .. } = self;
        [("sd", stddev), ("p50", p50), ("p95", p95), ("cold", cold)]
    }

    pub(super) fn list_mut(&mut self, name: &str) -> Option<&mut Vec<f32>> {
        self.lists_mut().into_iter().find_map(|(part, list)| (part == name).then_some(list))
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
