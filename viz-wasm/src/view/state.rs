//! The reader's choices, and how they travel in the link: as optional parts, only where they differ from the default.

use tuning::figures::trimmed;
use tuning::url::{LIMIT, MONTH};

/// What can be taken off the chart besides runs.
pub const LAYERS: [(&str, &str); 6] = [
    ("time", "Duration"),
    ("cost", "Cost"),
    ("spread", "Spread"),
    ("curve", "AUTO's curve"),
    (COLD, "Cold starts"),
    ("marks", "Markers"),
];

/// The layer that is only shown when asked for: cold starts are so much slower that the rest would be flat beside them.
const COLD: &str = "cold";

/// How the figures are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shape {
    /// Duration above cost, over one memory axis.
    #[default]
    Panels,
    /// Both in one plot, with an axis on either side.
    Overlay,
    /// Cost against duration.
    Front,
}

impl Shape {
    /// Each with its word in the link and its name.
    pub const ALL: [(Self, &'static str, &'static str); 3] = [
        (Self::Panels, "panels", "Two panels"),
        (Self::Overlay, "overlay", "One plot, two axes"),
        (Self::Front, "front", "Cost against duration"),
    ];

    /// The shape of a word; the default of any other.
    pub fn of(word: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|(_, other, _)| *other == word)
            .map_or_else(Self::default, |(shape, ..)| shape)
    }
}

/// What the table is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Column {
    /// As in the link: run by run, by size.
    Link,
    /// By memory size; of one size, run by run.
    #[default]
    Size,
    /// By duration.
    Time,
    /// By cost.
    Cost,
}

impl Column {
    const ALL: [Self; 4] = [Self::Link, Self::Size, Self::Time, Self::Cost];

    /// Its word in the link.
    pub fn word(self) -> &'static str {
        match self {
            Self::Link => "run",
            Self::Size => "size",
            Self::Time => "time",
            Self::Cost => "cost",
        }
    }

    /// The column of a word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|column| column.word() == word)
    }
}

/// Choices with their defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// How the figures are drawn.
    pub shape: Shape,
    /// How many invocations a month has.
    pub month: Option<u32>,
    /// The latency limit: whole milliseconds and, after a dot, the percentile if one is named.
    pub limit: Option<(u32, String)>,
    /// Memory on a logarithmic axis.
    pub log_x: bool,
    /// Durations and costs on logarithmic axes.
    pub log_y: bool,
    /// What the balanced point leans to: 0 is speed, 1 is cost.
    pub weight: f64,
    /// Layers and runs (`r0`, `r1`…) that are hidden.
    pub hidden: Vec<String>,
    /// Whether cold starts are shown.
    pub cold: bool,
    /// What the table is sorted by.
    pub sort: Column,
    /// Largest first.
    pub descending: bool,
    /// The run that cards and flags are about.
    pub run: usize,
}

impl Default for State {
    fn default() -> Self {
        Self {
            shape: Shape::default(),
            month: None,
            limit: None,
            log_x: true,
            log_y: false,
            weight: 0.5,
            hidden: Vec::new(),
            cold: false,
            sort: Column::Size,
            descending: false,
            run: 0,
        }
    }
}

impl State {
    /// Takes its parts out of a link's others. Values that make no sense are dropped: a wrong choice is no reason not to draw.
    pub fn read(parts: Vec<(String, String)>, runs: usize) -> (Self, Vec<(String, String)>) {
        let mut state = Self::default();
        let mut others = Vec::new();
        for (name, value) in parts {
            match name.as_str() {
                "x" => state.log_x = value != "linear",
                "y" => state.log_y = value == "log",
                "weight" => state.weight = weight(&value).unwrap_or(state.weight),
                "hide" => {
                    for word in value.split(',') {
                        if word != COLD && state.shows(word) {
                            state.toggle(word, runs);
                        }
                    }
                }
                "sort" => {
                    let (word, descending) =
                        value.strip_prefix('-').map_or((value.as_str(), false), |word| (word, true));
                    if let Some(column) = Column::of(word) {
                        (state.sort, state.descending) = (column, descending);
                    }
                }
                "show" => state.cold = value == COLD,
                "view" => state.shape = Shape::of(&value),
                MONTH => state.month = whole(&value),
                LIMIT => {
                    let (ms, percentile) = value.split_once('.').unwrap_or((value.as_str(), ""));
                    state.limit = whole(ms).map(|ms| (ms, percentile.to_owned()));
                }
                "run" => state.run = value.parse().ok().filter(|run| *run < runs).unwrap_or(0),
                _ => others.push((name, value)),
            }
        }
        (state, others)
    }

    /// The parts that say what differs from the default.
    pub fn parts(&self) -> Vec<(String, String)> {
        let default = Self::default();
        let mut parts = Vec::new();
        let mut part = |name: &str, value: String| parts.push((name.to_owned(), value));
        if let Some(month) = self.month {
            part(MONTH, month.to_string());
        }
        if let Some((ms, percentile)) = &self.limit {
            let dot = if percentile.is_empty() { "" } else { "." };
            part(LIMIT, format!("{ms}{dot}{percentile}"));
        }
        if self.shape != default.shape {
            part("view", Shape::ALL[self.shape as usize].1.to_owned());
        }
        if self.log_x != default.log_x {
            part("x", "linear".to_owned());
        }
        if self.log_y != default.log_y {
            part("y", "log".to_owned());
        }
        if self.weight != default.weight {
            part("weight", self.weight_text());
        }
        if !self.hidden.is_empty() {
            part("hide", self.hidden.join(","));
        }
        if self.cold {
            part("show", COLD.to_owned());
        }
        if (self.sort, self.descending) != (default.sort, default.descending) {
            part("sort", format!("{}{}", if self.descending { "-" } else { "" }, self.sort.word()));
        }
        if self.run != 0 {
            part("run", self.run.to_string());
        }
        parts
    }

    /// The weight as a decimal number.
    pub fn weight_text(&self) -> String {
        trimmed(self.weight, 2)
    }

    /// The latency limit in milliseconds.
    pub fn limit_ms(&self) -> Option<f64> {
        self.limit.as_ref().map(|(ms, _)| f64::from(*ms))
    }

    /// Whether a layer is drawn.
    pub fn shows(&self, layer: &str) -> bool {
        if layer == COLD { self.cold } else { !self.hidden.iter().any(|word| word == layer) }
    }

    /// Whether a run is hidden.
    pub fn run_hidden(&self, run: usize) -> bool {
        !self.hidden.is_empty() && !self.shows(&run_word(run))
    }

    /// Hides what is shown and shows what is hidden.
    pub fn toggle(&mut self, word: &str, runs: usize) {
        if word == COLD {
            self.cold = !self.cold;
        } else if let Some(index) = self.hidden.iter().position(|hidden| hidden == word) {
            self.hidden.remove(index);
        } else if known(word, runs) {
            self.hidden.push(word.to_owned());
        }
    }

    /// Follows an edit of the list of runs: `moved(old)` is a run's new number, `None` when it is gone.
    pub fn renumber(&mut self, runs: usize, moved: impl Fn(usize) -> Option<usize>) {
        let hidden: Vec<usize> = (0..runs).filter(|&run| self.run_hidden(run)).collect();
        self.hidden.retain(|word| LAYERS.iter().any(|(layer, _)| layer == word));
        self.hidden.extend(hidden.into_iter().filter_map(&moved).map(run_word));
        self.run = moved(self.run).unwrap_or(0);
    }
}

/// A whole number above zero.
fn whole(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number| *number > 0)
}

/// A whole number as people write one: `10,000,000`, `10 M`, `300 ms`. An empty text is none.
///
/// # Errors
/// What is expected instead, in a sentence.
pub fn written(text: &str, what: &str, example: &str) -> Result<Option<u32>, String> {
    let plain: String = text.chars().filter(|c| !c.is_whitespace() && *c != ',' && *c != '_').collect();
    let plain = plain.strip_suffix("ms").unwrap_or(&plain);
    if plain.is_empty() {
        return Ok(None);
    }
    let (digits, times) = match plain.strip_suffix(['M', 'm']) {
        Some(millions) => (millions, 1_000_000),
        None => (plain, 1),
    };
    let number = whole(digits).and_then(|number| number.checked_mul(times));
    number
        .map(Some)
        .ok_or_else(|| format!("{what}: “{text}” is not a whole number above zero, such as {example}"))
}

/// A balance weight: 0 to 1 in hundredths; further decimals are cut. The standard library's parser of floats brings tables that are
/// an eighth of the page.
pub fn weight(text: &str) -> Option<f64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    if !decimals.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let tens: u32 = format!("{decimals:0<2}").get(..2)?.parse().ok()?;
    let hundredths = whole.parse::<u32>().ok()?.checked_mul(100)?.checked_add(tens)?;
    (hundredths <= 100).then_some(f64::from(hundredths) / 100.0)
}

/// A run's word in the list of what is hidden.
pub fn run_word(run: usize) -> String {
    format!("r{run}")
}

fn known(word: &str, runs: usize) -> bool {
    LAYERS.iter().any(|(layer, _)| *layer == word)
        || word
            .strip_prefix('r')
            .and_then(|run| run.parse::<usize>().ok())
            .is_some_and(|run| run < runs && run_word(run) == word)
}
