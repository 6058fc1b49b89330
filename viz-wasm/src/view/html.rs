//! Fragments of HTML. Everything that comes from a link passes [`escape`] here and nowhere else; names are isolated in `bdi`, so
//! that right-to-left text cannot rearrange what stands around it. No `style` attributes: the page's policy forbids them.

use super::figure::Figure;
use super::state::{Column, LAYERS, Shape, run_word};
use super::{COMPARISON, EXAMPLE, View, ordered, rank};
use crate::theme::{COLOURS, SHAPES};
use std::fmt::{Arguments, Write as _};
use tuning::figures;
use tuning::url::{Extras, Run, UrlError};

/// Most rows of the table; a browser takes seconds to lay out more. The CSV has all.
pub const MAX_ROWS: usize = 2_000;

/// One of a run's optional lists.
type List = fn(&Extras) -> &Vec<f32>;

/// Text as HTML text or as a quoted attribute's value.
pub fn escape(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html += "&amp;",
            '<' => html += "&lt;",
            '>' => html += "&gt;",
            '"' => html += "&quot;",
            '\'' => html += "&#39;",
            _ => html.push(c),
        }
    }
    html
}

/// Appends to a text, without a text of its own in between as `+= &format!` makes.
pub fn add(text: &mut String, what: Arguments<'_>) {
    let _ = text.write_fmt(what);
}

/// A name among other text.
pub fn bdi(name: &str) -> String {
    format!("<bdi>{}</bdi>", escape(name))
}

/// A run's colour and shape, for eyes.
pub fn key(run: usize) -> String {
    format!(
        "<span class=\"key c{}\" aria-hidden=\"true\">{}</span>",
        run % COLOURS,
        SHAPES[run % SHAPES.len()]
    )
}

/// A rounded value for people with the exact one for programs.
pub fn data(exact: f32, rounded: &str) -> String {
    format!("<data value=\"{exact}\">{}</data>", escape(rounded))
}

/// A duration, with the exact one for programs.
pub fn milliseconds(ms: f32) -> String {
    data(ms, &figures::duration(ms.into()))
}

/// How a figure compares with another of its kind.
pub fn difference(value: f32, reference: f32) -> String {
    figures::difference(value.into(), reference.into())
}

/// What stands in place of a chart that cannot be drawn; a welcome, where the address has no link at all.
pub fn problem(reason: &UrlError) -> String {
    let mut html = match reason {
        UrlError::Empty => "<h2>Which memory size should a Lambda function have?</h2><p>This page shows what a tuning run measured: how long a function takes and \
         what it costs at each memory size, and which size to choose. Open the link that a run printed, or paste it below, several to compare them. A result’s file can be dropped here, that of a whole fleet too. Or look first:</p>"
            .to_owned(),
        _ => format!(
            "<h2 class=\"wrong\">This link has no chart to show</h2><p>{}.</p>\
         <p>A chart link carries its whole result after the <code>#</code>: sizes, durations and costs, as \
         <code>SIZES;TIMES;COSTS</code>. Copy it as a whole from the output of a tuning run.</p>",
            escape(&sentence(&reason.to_string()))
        ),
    };
    add(
        &mut html,
        format_args!(
            "<p><a id=\"example\" href=\"#{EXAMPLE}\">an example of one run</a> · <a href=\"#{COMPARISON}\">of two runs compared</a></p>"
        ),
    );
    html
}

fn sentence(text: &str) -> String {
    let mut text = text.to_owned();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

fn check(id: &str, action: &str, value: &str, on: bool, class: &str, label: &str) -> String {
    let checked = if on { " checked" } else { "" };
    format!(
        "<label class=\"{class}\"><input type=\"checkbox\" id=\"{id}\" data-act=\"{action}\" value=\"{value}\"{checked}> {label}</label>"
    )
}

impl View {
    /// The legend and the switches: what is drawn, and on which axes.
    pub fn legend(&self) -> String {
        let mut html = String::new();
        let single = self.runs.len() == 1;
        for (word, label) in LAYERS {
            let useful = match word {
                "spread" => {
                    self.runs.iter().any(|run| !run.extras.stddev.is_empty() || !run.extras.p95.is_empty())
                }
                "curve" => !self.curve().is_empty(),
                "cold" => self.runs.iter().any(|run| !run.extras.cold.is_empty()),
                _ => true,
            };
            if useful {
                let class = if single { word } else { "" };
                let key = match word {
                    _ if !single || self.state.shape == Shape::Front => "",
                    "time" => "<span class=\"key\" aria-hidden=\"true\">●</span> ",
                    "cost" => "<span class=\"key\" aria-hidden=\"true\">■</span> ",
                    _ => "",
                };
                let label = format!("{key}{label}");
                html += &check(&format!("hide-{word}"), "hide", word, self.state.shows(word), class, &label);
            }
        }
        if !single {
            for index in 0..self.runs.len() {
                let word = run_word(index);
                let label = format!("{} {}", key(index), bdi(&self.name(index)));
                html +=
                    &check(&format!("hide-{word}"), "hide", &word, !self.state.run_hidden(index), "", &label);
            }
        }
        html += "<label>View <select id=\"view-as\" data-act=\"view\">";
        for (shape, word, name) in Shape::ALL {
            let selected = if shape == self.state.shape { " selected" } else { "" };
            add(&mut html, format_args!("<option value=\"{word}\"{selected}>{name}</option>"));
        }
        html += "</select></label>";
        if self.state.shape != Shape::Front {
            html += &check("log-x", "x", "", self.state.log_x, "", "Log memory axis");
        }
        html += &check("log-y", "y", "", self.state.log_y, "", "Log value axes");
        html
    }

    /// The chosen run in five or more figures.
    pub fn cards(&self) -> String {
        let index = self.chosen();
        let (run, marks) = (&self.runs[index], self.marks(index));
        let mut html = String::new();
        let month = |price: f32| {
            let cost = f64::from(price) * f64::from(self.state.month?);
            Some(format!("<br>{} a month", figures::money(cost, self.currency.symbol())))
        };
        let mut card = |title: &str, class: &str, point: usize| {
            let (time, price) = (run.times[point], run.costs[point]);
            add(
                &mut html,
                format_args!(
                    "<div class=\"card {class}\"><dt>{title}</dt><dd><strong>{} MB</strong><br>{} <small>{}</small><br>{} per million <small>{}</small>{}{}</dd></div>",
                    run.sizes[point],
                    figures::duration(time.into()),
                    difference(time, run.times[marks.fastest]),
                    self.cost(price),
                    difference(price, run.costs[marks.cheapest]),
                    month(price).unwrap_or_default(),
                    self.beside(run.sizes[point]),
                ),
            );
        };
        card("Cheapest", "good", marks.cheapest);
        card("Fastest", "good", marks.fastest);
        card("Balanced", "good", marks.balanced);
        if self.runs.len() == 1 {
            card("Most expensive", "bad", marks.dearest);
            card("Slowest", "bad", marks.slowest);
        }
        if let Some(size) = run.extras.current {
            match run.sizes.iter().position(|&s| s == size) {
                Some(point) => card("Current", "", point),
                None => {
                    add(
                        &mut html,
                        format_args!(
                            "<div class=\"card\"><dt>Current</dt><dd><strong>{size} MB</strong><br>not measured in this run</dd></div>"
                        ),
                    );
                }
            }
        }
        html
    }

    /// The cheapest of the other runs at a size, against the chosen one; empty where no other has that size.
    fn beside(&self, size: u32) -> String {
        let others = self.points_at(size).into_iter().filter(|(index, _)| *index != self.chosen());
        let best = others.min_by_key(|&(index, point)| rank(self.runs[index].costs[point]));
        let Some((index, point)) = best else { return String::new() };
        let (time, price) = self.versus(index, point);
        format!("<br>{} {}: <small>{time}, cost {price}</small>", key(index), bdi(&self.name(index)))
    }

    /// The table's head and body: grouped by size where there are several runs, each compared with the chosen one at that size.
    pub fn table(&self) -> String {
        let several = self.runs.len() > 1;
        let extras: [(&str, List); 4] = [
            ("Std. dev.", |e| &e.stddev),
            ("p50", |e| &e.p50),
            ("p95", |e| &e.p95),
            ("Cold start", |e| &e.cold),
        ];
        let extras: Vec<_> = extras
            .into_iter()
            .filter(|(_, list)| self.runs.iter().any(|run| !list(&run.extras).is_empty()))
            .collect();
        let (times, costs) = self.figures();
        let base = self.chosen();
        let versus = format!("<th scope=\"col\">vs {}</th>", bdi(&self.name(base)));
        let beside = |what: &str| match several {
            true => versus.clone(),
            false => format!("<th scope=\"col\">vs {what}</th>"),
        };

        let mut html = String::from("<thead><tr>") + &self.heading(Column::Size, "Memory (MB)");
        if several {
            html += &self.heading(Column::Link, "Run");
        }
        html += &self.heading(Column::Time, &format!("Duration ({})", times.unit));
        html += &beside("fastest");
        html += &self.heading(Column::Cost, &format!("Cost per million ({})", costs.unit));
        html += &beside("cheapest");
        for (label, _) in &extras {
            add(&mut html, format_args!("<th scope=\"col\">{label} ({})</th>", times.unit));
        }
        html += "<th scope=\"col\">Noted for</th></tr></thead><tbody>";

        let rows = self.rows();
        let marks: Vec<_> = (0..self.runs.len()).map(|index| self.marks(index)).collect();
        let mut before = 0;
        for &(index, point) in rows.iter().take(MAX_ROWS) {
            let (run, marks) = (&self.runs[index], marks[index]);
            let (size, time, price) = (run.sizes[point], run.times[point], run.costs[point]);
            html += if several && size != before { "<tr class=\"group\">" } else { "<tr>" };
            before = size;
            add(&mut html, format_args!("<th scope=\"row\"><data value=\"{size}\">{size}</data></th>"));
            let (mut to_time, mut to_price) =
                (difference(time, run.times[marks.fastest]), difference(price, run.costs[marks.cheapest]));
            if several {
                add(&mut html, format_args!("<td>{} {}</td>", key(index), bdi(&self.name(index))));
                (to_time, to_price) = self.versus(index, point);
            }
            add(
                &mut html,
                format_args!(
                    "<td>{}</td><td>{to_time}</td><td>{}</td><td>{to_price}</td>",
                    data(time, &times.text(time)),
                    data(price, &costs.text(price)),
                ),
            );
            for (_, list) in &extras {
                html += "<td>";
                // No cold start is no duration.
                if let Some(&value) = list(&run.extras).get(point).filter(|value| **value > 0.0) {
                    html += &data(value, &times.text(value));
                }
                html += "</td>";
            }
            html += "<td>";
            for word in self.words_with(marks, index, point) {
                add(&mut html, format_args!("<span class=\"tag\">{word}</span> "));
            }
            html += "</td></tr>";
        }
        html += "</tbody>";
        if rows.len() > MAX_ROWS {
            add(
                &mut html,
                format_args!(
                    "<caption>The first {MAX_ROWS} of {} rows; the CSV file has all of them.</caption>",
                    rows.len()
                ),
            );
        }
        html
    }

    /// How durations and costs are written in columns.
    fn figures(&self) -> (Figure, Figure) {
        let times = self.shown().flat_map(|(_, run)| run.times.iter().copied());
        let costs = self.shown().flat_map(|(_, run)| run.costs.iter().copied());
        (Figure::durations(times), Figure::costs(costs, self.currency.symbol()))
    }

    /// How duration and cost of a run's point compare with the chosen run's at that size; empty for that run itself.
    pub(super) fn versus(&self, index: usize, point: usize) -> (String, String) {
        let (run, base) = (&self.runs[index], &self.runs[self.chosen()]);
        if index == self.chosen() {
            return (String::new(), String::new());
        }
        match base.sizes.binary_search(&run.sizes[point]) {
            Ok(other) => (
                difference(run.times[point], base.times[other]),
                difference(run.costs[point], base.costs[other]),
            ),
            Err(_) => ("–".to_owned(), "–".to_owned()),
        }
    }

    fn heading(&self, column: Column, label: &str) -> String {
        let word = column.word();
        let (sort, arrow) = match (self.state.sort == column, self.state.descending) {
            (true, false) => ("ascending", " ▲"),
            (true, true) => ("descending", " ▼"),
            _ => ("none", ""),
        };
        format!(
            "<th scope=\"col\" aria-sort=\"{sort}\"><button id=\"sort-{word}\" data-act=\"sort\" value=\"{word}\">{label}<span aria-hidden=\"true\">{arrow}</span></button></th>"
        )
    }

    /// `(run, point)` of every row, as sorted; equals as in the link.
    pub fn rows(&self) -> Vec<(usize, usize)> {
        let points = |(index, run): (usize, &Run)| (0..run.sizes.len()).map(move |point| (index, point));
        let rows: Vec<(usize, usize)> = self.shown().flat_map(points).collect();
        let key = |place: usize| {
            let (run, point) = rows[place];
            let run = &self.runs[run];
            let key = match self.state.sort {
                Column::Link => place as u64,
                Column::Size => run.sizes[point].into(),
                Column::Time => rank(run.times[point]),
                Column::Cost => rank(run.costs[point]),
            };
            if self.state.descending { !key } else { key }
        };
        ordered(rows.len(), key).into_iter().map(|place| rows[place]).collect()
    }

    /// The list of runs, to be renamed, reordered and removed, with each one's best points against the first run's.
    pub fn list(&self) -> String {
        let several = self.runs.len() > 1;
        let first = (&self.runs[0], self.marks(0));
        let mut html = String::new();
        for (index, run) in self.runs.iter().enumerate() {
            let (name, marks) = (escape(&self.name(index)), self.marks(index));
            add(
                &mut html,
                format_args!(
                    "<li>{} <input id=\"rename-{index}\" dir=\"auto\" data-act=\"rename\" data-run=\"{index}\" value=\"{}\" placeholder=\"{name}\" aria-label=\"Name of run {}\"> ",
                    key(index),
                    escape(&run.name),
                    index + 1,
                ),
            );
            if several {
                let button = |action: &str, sign: &str, says: &str, off: bool| {
                    format!(
                        "<button id=\"{action}-{index}\" data-act=\"{action}\" data-run=\"{index}\" aria-label=\"{says} {name}\"{}>{sign}</button>",
                        if off { " disabled" } else { "" }
                    )
                };
                html += &button("earlier", "↑", "Move up", index == 0);
                html += &button("later", "↓", "Move down", index + 1 == self.runs.len());
                html += &button("remove", "✕", "Remove", false);
                let (time, price) = (run.times[marks.fastest], run.costs[marks.cheapest]);
                add(
                    &mut html,
                    format_args!(
                        "<div>cheapest {} per million at {} MB <small>{}</small> · fastest {} at {} MB <small>{}</small></div>",
                        self.cost(price),
                        run.sizes[marks.cheapest],
                        against(index, price, first.0.costs[first.1.cheapest]),
                        figures::duration(time.into()),
                        run.sizes[marks.fastest],
                        against(index, time, first.0.times[first.1.fastest]),
                    ),
                );
            }
            html += "</li>";
        }
        html
    }

    /// The choice of the run that cards and flags are about; empty for one run.
    pub fn chooser(&self) -> String {
        if self.runs.len() < 2 {
            return String::new();
        }
        let chosen = self.chosen();
        let mut html = String::from("<label>Figures of <select id=\"run\" data-act=\"run\">");
        for index in 0..self.runs.len() {
            let selected = if index == chosen { " selected" } else { "" };
            add(
                &mut html,
                format_args!("<option value=\"{index}\"{selected}>{}</option>", escape(&self.name(index))),
            );
        }
        html + "</select></label>"
    }

    /// What the balance weight means, for the slider.
    pub fn balance(&self) -> String {
        let cost = (self.state.weight * 100.0).round();
        format!("{cost:.0} % cost, {:.0} % speed", 100.0 - cost)
    }
}

fn against(index: usize, value: f32, first: f32) -> String {
    if index == 0 { String::new() } else { format!("{} vs the first", difference(value, first)) }
}
