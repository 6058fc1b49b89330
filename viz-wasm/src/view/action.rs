//! What a control does: the reader's step, answered with the fragment to go to. The page never changes any other way, so
//! back, forward and a copied link always show what was seen.

use super::View;
use super::paste::links;
use super::state::{Column, Shape, State, weight, written};
use tuning::Currency;

impl View {
    /// Carries out `action` on the run numbered `which` with a control's `value`, and gives the new fragment. Actions nobody defined
    /// change nothing.
    ///
    /// # Errors
    /// What the reader did wrong, in a sentence.
    pub fn act(&self, action: &str, which: usize, value: &str) -> Result<String, String> {
        // Opened again, which this page can anyway: the code for a copy of it is a hundredth of the page.
        let reopened = self.hash().and_then(|hash| Self::open(&hash, ""));
        let mut next = reopened.map_err(|error| error.to_string())?;
        next.currency = self.currency;
        let count = self.runs.len();
        let state = &mut next.state;
        match action {
            "hide" => state.toggle(value, count),
            "view" => state.shape = Shape::of(value),
            "month" => state.month = written(value, "Invocations a month", "10,000,000")?,
            "limit" => {
                state.limit = written(value, "Latency limit", "300")?.map(|ms| (ms, String::new()));
            }
            "x" => state.log_x = !state.log_x,
            "y" => state.log_y = !state.log_y,
            "weight" => {
                state.weight = weight(value).unwrap_or(state.weight);
            }
            "sort" => {
                if let Some(column) = Column::of(value) {
                    state.descending = state.sort == column && !state.descending;
                    state.sort = column;
                }
            }
            "run" => state.run = value.parse().ok().filter(|run| *run < count).unwrap_or(0),
            "rename" if which < count => next.runs[which].name = value.trim().to_owned(),
            "earlier" if (1..count).contains(&which) => next.swap(which - 1, which),
            "later" if which + 1 < count => next.swap(which, which + 1),
            "remove" if which < count && count > 1 => {
                state.renumber(count, |run| match run {
                    _ if run == which => None,
                    _ if run > which => Some(run - 1),
                    _ => Some(run),
                });
                next.runs.remove(which);
            }
            "add" => next.add(value)?,
            _ => {}
        }
        next.hash().map_err(|error| error.to_string())
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.state.renumber(self.runs.len(), |run| {
            Some(if run == a {
                b
            } else if run == b {
                a
            } else {
                run
            })
        });
        self.runs.swap(a, b);
    }

    /// The runs of every link in a pasted text. A view without runs becomes the first link, with the reader's choices and the currency it has.
    fn add(&mut self, pasted: &str) -> Result<(), String> {
        let mut found = 0;
        for link in links(pasted) {
            found += 1;
            let other = View::open(link.hash, link.query.unwrap_or(""))
                .map_err(|error| format!("Link {found}: {error}"))?;
            let currency = if link.query.is_some() { other.currency } else { self.currency };
            if self.runs.is_empty() {
                *self = Self { currency, ..other };
            } else if currency == self.currency {
                self.runs.extend(other.runs);
            } else {
                return Err(format!(
                    "Link {found} is in {currency}, this chart in {}: they cannot share an axis",
                    self.currency
                ));
            }
        }
        if found == 0 {
            return Err(
                "There is no chart link in it: what can be opened are links as the program prints them, and its results as JSON".to_owned()
            );
        }
        Ok(())
    }

    /// What a pasted text shows on the empty page, whose address has the query `query`.
    ///
    /// # Errors
    /// What the reader did wrong, in a sentence.
    pub fn pasted(pasted: &str, query: &str) -> Result<Self, String> {
        let mut view = Self {
            runs: Vec::new(),
            state: State::default(),
            currency: Currency::from_query(query),
            curve: Vec::new(),
            others: Vec::new(),
        };
        view.add(pasted)?;
        Ok(view)
    }
}
