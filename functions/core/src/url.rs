//! A run as a link to the chart page, and back. Last step of the Analyzer, first step of the page.
//!
//! ```text
//! BASE[?currency=CNY]#SIZES;TIMES;COSTS[;SIZES;TIMES;COSTS…;NAME;NAME…][;part:VALUE…]
//! ```
//!
//! Sizes are little-endian int16 (MB), times (ms) and costs (of one invocation) little-endian float32, each as standard
//! base64, sorted by size. Three parts are one unnamed run; 4·N parts are N runs, all triples first, then as many names,
//! percent-encoded. Everything is in the fragment, so no browser ever sends it anywhere.
//!
//! **Optional parts** start with a lower-case name and a colon, which occurs neither in base64 nor in an encoded name:
//! `sd:` (standard deviation of the duration), `p50:`, `p95:` (percentiles of it; all three float32 in base64, one per
//! size) and `current:` (the function's size before the run, decimal). They belong to the first run; `p95.2:` is the third
//! run's. Unknown ones are kept aside in [`Link::others`] and otherwise ignored.
//!
//! The page this one replaces counts the parts between semicolons and knows only 3 and 4·N, so a link with optional
//! parts does not open there. Hence [`encode()`] writes exactly what the runs hold: runs without [`Extras`] give the canonical
//! form every page reads, and who fills `Extras` decides that the link is for this page ([`is_old_page`] tells).
//!
//! **What a link may hold.** Decoding is strict where a number would lie (a size below 1 MB, a time or cost that is
//! negative, infinite or not a number, lists of different lengths: an error naming the part) and lenient where a mail or chat
//! program may have mangled the text (`%3B` for `;`, a space for `+`, missing `=`, unsorted sizes).

mod decode;
mod encode;

use crate::digits;
use std::collections::BinaryHeap;

pub use decode::{decode, decode_link};
pub use encode::{encode, encode_hash, encode_link};

/// Most runs in one link. Far above what a chart can show; a bound so that a hostile link costs nothing.
pub const MAX_RUNS: usize = 100;

/// The largest memory size in MB that a link can hold.
const MAX_SIZE: u32 = i16::MAX as u32;

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
    fn lists(&self) -> [(&'static str, &Vec<f32>); 3] {
        [("sd", &self.stddev), ("p50", &self.p50), ("p95", &self.p95)]
    }

    fn list_mut(&mut self, name: &str) -> Option<&mut Vec<f32>> {
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

/// Why a fragment is not a chart, or runs do not make one.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum UrlError {
    /// Nothing after the `#`.
    #[error("the link has no data after '#'")]
    Empty,
    /// Neither 3 nor a multiple of 4.
    #[error(
        "the link has {0} part(s) between semicolons: one run has 3 (sizes;times;costs), N named runs have 4·N; it may have been cut"
    )]
    PartCount(usize),
    /// More runs than [`MAX_RUNS`].
    #[error("the link has {0} runs, at most {MAX_RUNS} can be shown")]
    TooManyRuns(usize),
    /// More sizes than [`MAX_POINTS`].
    #[error("run {run} has {points} sizes, at most {MAX_POINTS} can be shown")]
    TooManyPoints {
        /// Which run, from 1.
        run: usize,
        /// How many sizes it has.
        points: usize,
    },
    /// No sizes at all.
    #[error("run {run} has no sizes")]
    NoPoints {
        /// Which run, from 1.
        run: usize,
    },
    /// Characters outside the alphabet, or a cut group.
    #[error("the {part} of run {run} are not base64: {reason}")]
    NotBase64 {
        /// Which run, from 1.
        run: usize,
        /// `sizes`, `times`, `costs`, `sd`, `p50` or `p95`.
        part: &'static str,
        /// What is wrong with the text.
        reason: String,
    },
    /// A number of bytes that is not a whole number of values.
    #[error(
        "the {part} of run {run} are {bytes} bytes long, which is not a multiple of {width}: the link may have been cut"
    )]
    NotWhole {
        /// Which run, from 1.
        run: usize,
        /// Which of its parts.
        part: &'static str,
        /// How many bytes there are.
        bytes: usize,
        /// How many bytes one value takes.
        width: usize,
    },
    /// Lists of different lengths.
    #[error("run {run} has {sizes} sizes but {values} {part}")]
    Lengths {
        /// Which run, from 1.
        run: usize,
        /// Which of its parts.
        part: &'static str,
        /// How many sizes there are.
        sizes: usize,
        /// How many values the part has.
        values: usize,
    },
    /// A size that is no memory size.
    #[error("size {position} of run {run} is {value}: sizes are from 1 to {MAX_SIZE} MB")]
    Size {
        /// Which run, from 1.
        run: usize,
        /// Which value, from 1.
        position: usize,
        /// What it is.
        value: i64,
    },
    /// A time or a cost that is no amount.
    #[error(
        "value {position} of the {part} of run {run} is {}: it must be a number, not negative", amount(*value)
    )]
    Amount {
        /// Which run, from 1.
        run: usize,
        /// Which of its parts.
        part: &'static str,
        /// Which value, from 1.
        position: usize,
        /// What it is.
        value: f32,
    },
    /// An optional part for a run that is not there, or one whose value is no size.
    #[error("the part '{part}' is wrong: {reason}")]
    Part {
        /// The part as it stands in the link, cut when long.
        part: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// Whether links to this base open in the page this one replaces, which cannot read optional parts.
pub fn is_old_page(base: &str) -> bool {
    base.contains("lambda-power-tuning.show")
}

/// The checks that hold in both directions, so that whatever encodes also decodes.
fn check(run: &Run, number: usize) -> Result<(), UrlError> {
    let points = run.sizes.len();
    if points == 0 {
        return Err(UrlError::NoPoints { run: number });
    }
    if points > MAX_POINTS {
        return Err(UrlError::TooManyPoints { run: number, points });
    }
    for (index, &size) in run.sizes.iter().enumerate() {
        if !(1..=MAX_SIZE).contains(&size) {
            return Err(UrlError::Size { run: number, position: index + 1, value: size.into() });
        }
    }
    amounts(number, "times", points, &run.times)?;
    amounts(number, "costs", points, &run.costs)?;
    for (part, values) in run.extras.lists() {
        if !values.is_empty() {
            amounts(number, part, points, values)?;
        }
    }
    match run.extras.current {
        Some(size) if !(1..=MAX_SIZE).contains(&size) => {
            Err(UrlError::Part { part: format!("current:{size}"), reason: NOT_A_SIZE })
        }
        _ => Ok(()),
    }
}

/// A wrong amount, without what formatting a float takes.
fn amount(value: f32) -> String {
    match value {
        _ if value.is_nan() => "NaN".to_owned(),
        _ if value.is_infinite() => "infinite".to_owned(),
        _ => format!("-{}", digits::exact(-value)),
    }
}

const NOT_A_SIZE: &str = "a memory size in MB is expected";

fn amounts(run: usize, part: &'static str, sizes: usize, values: &[f32]) -> Result<(), UrlError> {
    if values.len() != sizes {
        return Err(UrlError::Lengths { run, part, sizes, values: values.len() });
    }
    for (index, &value) in values.iter().enumerate() {
        if !value.is_finite() || value < 0.0 {
            return Err(UrlError::Amount { run, part, position: index + 1, value });
        }
    }
    Ok(())
}

/// The indices of keys, smallest key first; equal keys keep their order. At most 2³² keys.
///
/// By a heap, not by `sort_by_key`: the page loads this, and the standard library's sorts are made for speed, twenty times as large.
pub fn order(keys: &[u32]) -> Vec<usize> {
    let heap: BinaryHeap<u64> =
        keys.iter().zip(0u32..).map(|(&key, index)| u64::from(key) << 32 | u64::from(index)).collect();
    heap.into_sorted_vec().into_iter().map(|packed| packed as u32 as usize).collect()
}

/// Texts with a separator between them; smaller code than `join`.
pub fn joined<T: AsRef<str>>(texts: &[T], separator: &str) -> String {
    let mut out = String::new();
    for (index, text) in texts.iter().enumerate() {
        if index > 0 {
            out += separator;
        }
        out += text.as_ref();
    }
    out
}

/// Orders a run by size. Stable: equal sizes keep their order.
fn sorted(run: &Run) -> Run {
    if run.sizes.is_sorted() {
        return run.clone();
    }
    let order = order(&run.sizes);
    let pick =
        |values: &Vec<f32>| -> Vec<f32> { order.iter().filter_map(|&i| values.get(i).copied()).collect() };
    Run {
        name: run.name.clone(),
        sizes: order.iter().map(|&i| run.sizes[i]).collect(),
        times: pick(&run.times),
        costs: pick(&run.costs),
        extras: Extras {
            stddev: pick(&run.extras.stddev),
            p50: pick(&run.extras.p50),
            p95: pick(&run.extras.p95),
            current: run.extras.current,
        },
    }
}
