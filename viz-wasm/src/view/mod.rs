//! What is to be shown, before any pixel: the runs of a link and the reader's choices about them.

pub mod action;
pub mod answer;
pub mod axis;
pub mod csv;
pub mod figure;
pub mod fleet;
pub mod html;
pub mod marks;
pub mod paste;
pub mod readout;
pub mod state;

use crate::view::marks::Marks;
use crate::view::state::State;
use std::borrow::Cow;
use std::collections::BinaryHeap;
use tuning::Currency;
use tuning::figures::per_million;
use tuning::url::{CURVE, Run, UrlError, curve_points, decode_link, encode_parts};

/// A fragment that works, for readers who come with an empty or a broken one.
pub const EXAMPLE: &str = "gAAAAQACAAQABgAIAAwAEA==;\
                          AAAUQzMzmUKamRtCMzObQZqZiUHNzIRBAACEQQAAhEE=;\
                          GImlNAVaqzQ3Ca40r5atNN7a5jTaiBQ1r3VdNcqjkzU=;\
                          sd:pHA9QZMYxEACK0dA8KfGP8UgsD/n+6k/w/WoP8P1qD8=;\
                          p50:XI8PQ6CalEKY7hZCRIuWQdV4hUHl0IBBPQqAQT0KgEE=;\
                          p95:mpkxQwrXt0JSuDpCcT26QbgepUEpXJ9BZmaeQWZmnkE=;\
                          current:128;about:eu-west-1.arm64.2026-11-29.50.thumbnails;choice:1024.balanced.830.970.990;month:10000000";

/// A fragment with two runs.
pub const COMPARISON: &str = "gAEAAgAEAAYACA==;Go9qRqDLVUbymEpGgC0jRn/iMkY=;41bGOHAK8Th8bWQ5mvyJObyvyTk=;\
                             gAEAAgAEAAYACA==;0+hrRh7TR0YDoxBG/mQCRjclCkY=;sX2hOBZhtji8AgQ5ZIcyOV8vfDk=;\
                             JS%20x86;JS%20ARM64";

/// One link, opened.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// The runs, each sorted by size and of at least one point.
    pub runs: Vec<Run>,
    /// What the reader chose.
    pub state: State,
    /// What costs are in.
    pub currency: Currency,
    /// The curve of a search: MB, and the milliseconds below which 5, 50 and 95 % of the plausible curves are.
    curve: Vec<[f32; 4]>,
    /// Parts of the fragment that are no choice of the reader's; they stay in the link.
    others: Vec<(String, String)>,
}

impl View {
    /// Opens a fragment (with or without `#`) and the query of the page's address (with or without `?`).
    ///
    /// # Errors
    /// [`UrlError`] says which part of which run is wrong.
    pub fn open(hash: &str, query: &str) -> Result<Self, UrlError> {
        let link = decode_link(hash)?;
        let (state, others) = State::read(link.others, link.runs.len());
        let curve = others.iter().find(|(name, _)| name == CURVE);
        let curve = curve.map(|(_, value)| curve_points(value)).unwrap_or_default();
        Ok(Self { runs: link.runs, state, currency: Currency::from_query(query), curve, others })
    }

    /// The fragment that shows exactly this, without `#`.
    ///
    /// # Errors
    /// None for a view that was opened; an edit can make runs too many.
    pub fn hash(&self) -> Result<String, UrlError> {
        let mut others = self.state.parts();
        others.extend(self.others.iter().cloned());
        encode_parts(&self.runs, &others)
    }

    /// What a run is called: its name, or what the link says of its function; `Run 2` when there is neither.
    pub fn name(&self, run: usize) -> Cow<'_, str> {
        let Some(Run { name, extras, .. }) = self.runs.get(run) else { return Cow::Borrowed("") };
        match &extras.about {
            _ if !name.trim().is_empty() => Cow::Borrowed(name),
            Some(about) => Cow::Owned(format!("{} {} {}", about.function, about.architecture, about.date)),
            None => Cow::Owned(format!("Run {}", run + 1)),
        }
    }

    /// The curve of a search, which the link has for one run only.
    pub fn curve(&self) -> &[[f32; 4]] {
        if self.runs.len() == 1 { &self.curve } else { &[] }
    }

    /// The points of a run that none beats in both duration and cost, the fastest first.
    pub fn front(&self, run: usize) -> Vec<usize> {
        let Run { times, costs, .. } = &self.runs[run];
        let mut order = ordered(times.len(), |point| (rank(times[point]) << 32) | rank(costs[point]));
        let mut least = f32::INFINITY;
        order.retain(|&point| {
            let better = costs[point] < least;
            least = least.min(costs[point]);
            better
        });
        order
    }

    /// What a million invocations cost at `each`.
    pub fn cost(&self, each: f32) -> String {
        per_million(each.into(), self.currency.symbol())
    }

    /// The noted points of a run.
    pub fn marks(&self, run: usize) -> Marks {
        Marks::of(&self.runs[run], self.state.weight)
    }

    /// The run that cards and flags are about.
    pub fn chosen(&self) -> usize {
        self.state.run.min(self.runs.len() - 1)
    }

    /// The runs that are not hidden, with their numbers.
    pub fn shown(&self) -> impl Iterator<Item = (usize, &Run)> + Clone {
        self.runs.iter().enumerate().filter(|(index, _)| !self.state.run_hidden(*index))
    }

    /// Every size of the runs shown, ascending, once: where the cross-line can stand.
    pub fn stops(&self) -> Vec<u32> {
        let mut stops = Vec::new();
        for size in self.shown().flat_map(|(_, run)| &run.sizes) {
            if let Err(index) = stops.binary_search(size) {
                stops.insert(index, *size);
            }
        }
        stops
    }
}

/// The numbers below `count` by their keys; equals as they are. A heap, whose code is a tenth of what the standard library sorts with.
fn ordered(count: usize, key: impl Fn(usize) -> u64) -> Vec<usize> {
    let keys: BinaryHeap<(u64, usize)> = (0..count).map(|place| (key(place), place)).collect();
    keys.into_sorted_vec().into_iter().map(|(_, place)| place).collect()
}

/// The order of amounts, which are not negative, as whole numbers: that of their bits.
fn rank(amount: f32) -> u64 {
    // A negative zero has its sign as the highest bit.
    (amount + 0.0).to_bits().into()
}

#[cfg(test)]
pub(crate) mod tests;
