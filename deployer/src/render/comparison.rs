//! Several runs side by side: what each memory size took and cost, against the first run, and what each run's best sizes are.

use std::fmt;

use serde::Serialize;
use tuning::Currency;
use tuning::figures;
use tuning::sentence::{self, Named};
use tuning::strategy::{self, Candidate, Strategy};
use tuning::url::Run;

use super::Form;
use super::table::{self, Column, Place};

/// Runs that were compared. As JSON:
/// `{"visualization","currency","runs":[{"name","cheapest","fastest","balanced","sizes":[…]}]}`; each size as
/// `{"value","averageDuration","averagePrice","durationPercent","costPercent"}`, per cent being the difference to the first run,
/// absent where that has no such size and in the first run itself.
#[derive(Debug, Serialize)]
pub struct Comparison {
    visualization: String,
    currency: &'static str,
    runs: Vec<Compared>,
    #[serde(skip)]
    symbol: &'static str,
    #[serde(skip)]
    form: Form,
}

/// One run.
#[derive(Debug, Serialize)]
struct Compared {
    name: String,
    /// The sizes in MB that each strategy chooses.
    cheapest: Option<u32>,
    fastest: Option<u32>,
    balanced: Option<u32>,
    sizes: Vec<Size>,
}

/// A memory size of a run. The names are those of an execution's output.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
struct Size {
    /// In MB.
    value: u32,
    /// In ms.
    average_duration: f64,
    /// Of one invocation.
    average_price: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_percent: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_percent: Option<f64>,
}

impl Comparison {
    /// Compares runs with the first of them.
    #[must_use]
    pub fn new(runs: &[Run], currency: Currency, link: String, form: Form) -> Self {
        let first = runs.first().map(measured).unwrap_or_default();
        let compared = runs.iter().enumerate().map(|(index, run)| {
            let mut sizes = measured(run);
            if index > 0 {
                sizes.iter_mut().for_each(|size| size.compare(&first));
            }
            Compared::new(&run.name, index, sizes)
        });
        Self {
            visualization: link,
            currency: currency.code(),
            runs: compared.collect(),
            symbol: currency.symbol(),
            form,
        }
    }
}

fn measured(run: &Run) -> Vec<Size> {
    let figures = run.sizes.iter().zip(run.times.iter().zip(&run.costs));
    let size = |(&value, (&time, &cost)): (&u32, (&f32, &f32))| Size {
        value,
        average_duration: widened(time),
        average_price: widened(cost),
        duration_percent: None,
        cost_percent: None,
    };
    figures.map(size).collect()
}

/// The number that a single-precision one stands for in decimal: 0.1, not 0.10000000149011612.
fn widened(number: f32) -> f64 {
    number.to_string().parse().unwrap_or(f64::from(number))
}

impl Size {
    fn compare(&mut self, first: &[Size]) {
        if let Some(reference) = first.iter().find(|size| size.value == self.value) {
            self.duration_percent = percent(self.average_duration, reference.average_duration);
            self.cost_percent = percent(self.average_price, reference.average_price);
        }
    }
}

/// By how many per cent a value is above the reference, to a tenth.
fn percent(value: f64, reference: f64) -> Option<f64> {
    let percent = ((value / reference - 1.0) * 1000.0).round() / 10.0;
    percent.is_finite().then_some(percent + 0.0)
}

impl Compared {
    fn new(name: &str, index: usize, sizes: Vec<Size>) -> Self {
        let candidates: Vec<Candidate> = sizes
            .iter()
            .map(|size| Candidate { cost: size.average_price, duration: size.average_duration })
            .collect();
        let choose = |strategy| strategy::choose(strategy, 0.5, &candidates).map(|index| sizes[index].value);
        Self {
            name: if name.trim().is_empty() { format!("run {}", index + 1) } else { name.to_owned() },
            cheapest: choose(Strategy::Cost),
            fastest: choose(Strategy::Speed),
            balanced: choose(Strategy::Balanced),
            sizes,
        }
    }

    fn size(&self, value: Option<u32>) -> Option<&Size> {
        self.sizes.iter().find(|size| Some(size.value) == value)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let markdown = self.form == Form::Markdown;
        for sentence in self.sentences() {
            if markdown { writeln!(f, "**{sentence}**\n")? } else { writeln!(f, "{sentence}")? }
        }
        if !markdown {
            writeln!(f)?;
        }
        writeln!(f, "{}\n\n{}\n", self.sizes(), self.choices())?;
        if markdown {
            write!(f, "[Chart]({})", self.visualization)
        } else {
            write!(f, "Chart: {}", self.visualization)
        }
    }
}

impl Comparison {
    /// Each run against the first, both at the size that costs least.
    fn sentences(&self) -> Vec<String> {
        let Some((first, others)) = self.runs.split_first() else { return Vec::new() };
        let best = |run: &Compared| run.size(run.cheapest).copied();
        let named = |run: &Compared| {
            let size = best(run)?;
            let figures = Candidate { cost: size.average_price, duration: size.average_duration };
            Some((self.name(run), size.value, figures))
        };
        let sentence = |other: &Compared| {
            let (run, with) = (named(other)?, named(first)?);
            Some(sentence::compared(said(&run), said(&with)) + ".")
        };
        others.iter().filter_map(sentence).collect()
    }

    /// A group of rows per memory size, a row per run that has it.
    fn sizes(&self) -> String {
        let mut values: Vec<u32> =
            self.runs.iter().flat_map(|run| run.sizes.iter().map(|size| size.value)).collect();
        values.sort_unstable();
        values.dedup();
        let first: &[Size] = self.runs.first().map_or(&[], |run| &run.sizes);
        let mut cells: [Vec<String>; 6] = Default::default();
        for value in values {
            let mut memory = format!("{value} MB");
            let reference = first.iter().find(|size| size.value == value);
            for (index, run) in self.runs.iter().enumerate() {
                let Some(size) = run.size(Some(value)) else { continue };
                let against = |figure: fn(&Size) -> f64| match reference {
                    _ if index == 0 => String::new(),
                    Some(reference) => figures::difference(figure(size), figure(reference)),
                    None => "–".to_owned(),
                };
                let row = [
                    // Markdown's readers sort and filter, so there every row says its size.
                    if self.form == Form::Markdown { memory.clone() } else { std::mem::take(&mut memory) },
                    self.name(run),
                    figures::duration(size.average_duration),
                    against(|size| size.average_duration),
                    figures::per_million(size.average_price, self.symbol),
                    against(|size| size.average_price),
                ];
                cells.iter_mut().zip(row).for_each(|(column, cell)| column.push(cell));
            }
        }
        let [memory, run, duration, vs_duration, cost, vs_cost] = cells.map(Vec::into_iter);
        let columns = vec![
            Column::figures("memory", 0, memory),
            Column::words("run", 0, run),
            Column::figures("duration", 0, duration),
            Column::figures("vs first", 1, vs_duration),
            Column::figures("cost per million", 0, cost),
            Column::figures("vs first", 1, vs_cost),
        ];
        table::fitted(columns, self.place())
    }

    /// What each strategy would choose.
    fn choices(&self) -> String {
        let place = self.place();
        let narrow = matches!(place, Place::Text(Some(width)) if width < 100);
        let cell = |run: &Compared, value: Option<u32>| {
            run.size(value).map_or_else(String::new, |size| match narrow {
                true => format!("{} MB", size.value),
                false => format!(
                    "{} MB, {}, {}",
                    size.value,
                    figures::duration(size.average_duration),
                    figures::per_million(size.average_price, self.symbol),
                ),
            })
        };
        let runs = || self.runs.iter();
        let columns = vec![
            Column::words("run", 0, runs().map(|run| self.name(run))),
            Column::words("cheapest", 0, runs().map(|run| cell(run, run.cheapest))),
            Column::words("fastest", 0, runs().map(|run| cell(run, run.fastest))),
            Column::words("balanced", 1, runs().map(|run| cell(run, run.balanced))),
        ];
        table::fitted(columns, place)
    }

    fn place(&self) -> Place {
        if self.form == Form::Markdown { Place::Markdown } else { Place::stdout() }
    }

    fn name(&self, run: &Compared) -> String {
        written(&run.name, self.form)
    }
}

fn said((name, power, figures): &(String, u32, Candidate)) -> Named<'_> {
    Named { name, power: *power, figures: *figures }
}

/// A name as text and nothing else: markup would reach the page that the Markdown is for.
fn written(name: &str, form: Form) -> String {
    let text = sentence::short(name);
    match form {
        Form::Text => text,
        Form::Markdown => text
            .chars()
            .flat_map(|c| c.is_ascii_punctuation().then_some('\\').into_iter().chain([c]))
            .collect(),
    }
}
