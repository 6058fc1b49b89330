//! What is to be shown, before any pixel: the runs of a link and the reader's choices about them.

pub mod action;
pub mod axis;
pub mod csv;
pub mod html;
pub mod marks;
pub mod paste;
pub mod readout;
pub mod state;

use crate::view::marks::Marks;
use crate::view::state::State;
use std::borrow::Cow;
use tuning::Currency;
use tuning::figures::per_million;
use tuning::url::{Link, Run, UrlError, decode_link, encode_hash};

/// A fragment that works, for readers who come with an empty or a broken one.
pub const EXAMPLE: &str = "gAAAAQACAAQABgAIAAwAEA==;\
                          AAAUQzMzmUKamRtCMzObQZqZiUHNzIRBAACEQQAAhEE=;\
                          GImlNAVaqzQ3Ca40r5atNN7a5jTaiBQ1r3VdNcqjkzU=;\
                          sd:pHA9QZMYxEACK0dA8KfGP8UgsD/n+6k/w/WoP8P1qD8=;\
                          p50:XI8PQ6CalEKY7hZCRIuWQdV4hUHl0IBBPQqAQT0KgEE=;\
                          p95:mpkxQwrXt0JSuDpCcT26QbgepUEpXJ9BZmaeQWZmnkE=;\
                          current:128";

/// One link, opened.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// The runs, each sorted by size and of at least one point.
    pub runs: Vec<Run>,
    /// What the reader chose.
    pub state: State,
    /// What costs are in.
    pub currency: Currency,
    /// Parts of the fragment that mean nothing here; they stay in the link.
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
        Ok(Self { runs: link.runs, state, currency: Currency::from_query(query), others })
    }

    /// The fragment that shows exactly this, without `#`.
    ///
    /// # Errors
    /// None for a view that was opened; an edit can make runs too many.
    pub fn hash(&self) -> Result<String, UrlError> {
        let mut others = self.state.parts();
        others.extend(self.others.iter().cloned());
        encode_hash(&Link { runs: self.runs.clone(), others })
    }

    /// What a run is called; `Run 2` when it has no name.
    pub fn name(&self, run: usize) -> Cow<'_, str> {
        match self.runs.get(run) {
            Some(run) if !run.name.trim().is_empty() => Cow::Borrowed(&run.name),
            _ => Cow::Owned(format!("Run {}", run + 1)),
        }
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
    pub fn shown(&self) -> impl Iterator<Item = (usize, &Run)> {
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

#[cfg(test)]
pub(crate) mod tests;
