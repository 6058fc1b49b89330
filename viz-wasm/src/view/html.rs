//! Fragments of HTML. Everything that comes from a link passes [`escape`] here and nowhere else; names are isolated in `bdi`, so
//! that right-to-left text cannot rearrange what stands around it. No `style` attributes: the page's policy forbids them.

use super::state::{Column, LAYERS, run_word};
use super::{EXAMPLE, View};
use crate::theme::COLOURS;
use tuning::figures;
use tuning::url::{Extras, MONTH, Run};

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

/// A name among other text.
pub fn bdi(name: &str) -> String {
    format!("<bdi>{}</bdi>", escape(name))
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

/// What stands in place of a chart that cannot be drawn.
pub fn problem(reason: &str) -> String {
    format!(
        "<h2>This link has no chart to show</h2><p>{}.</p>\
         <p>A chart link carries its whole result after the <code>#</code>: sizes, durations and costs, as \
         <code>SIZES;TIMES;COSTS</code>. Copy it as a whole from the output of a tuning run.</p>\
         <p><a id=\"example\" href=\"#{EXAMPLE}\">Open an example</a></p>",
        escape(&sentence(reason))
    )
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
                _ => true,
            };
            if useful {
                let class = if single { word } else { "" };
                let key = match word {
                    "time" => "<span class=\"key\">●</span> ",
                    "cost" => "<span class=\"key\">■</span> ",
                    _ => "",
                };
                let label = format!("{key}{label}");
                html += &check(&format!("hide-{word}"), "hide", word, self.state.shows(word), class, &label);
            }
        }
        if !single {
            for index in 0..self.runs.len() {
                let (word, class) = (run_word(index), format!("c{}", index % COLOURS));
                let label = format!("<span class=\"key\">●</span> {}", bdi(&self.name(index)));
                html += &check(
                    &format!("hide-{word}"),
                    "hide",
                    &word,
                    !self.state.run_hidden(index),
                    &class,
                    &label,
                );
            }
        }
        html += &check("log-x", "x", "", self.state.log_x, "", "Log memory axis");
        html += &check("log-y", "y", "", self.state.log_y, "", "Log value axes");
        html
    }

    /// The chosen run in five or more figures.
    pub fn cards(&self) -> String {
        let index = self.chosen();
        let (run, marks) = (&self.runs[index], self.marks(index));
        let mut html = String::new();
        let month = |price: f32| {
            let (_, month) = self.others.iter().find(|(name, _)| name == MONTH)?;
            let cost = f64::from(price) * f64::from(month.parse::<u32>().ok()?);
            Some(format!("<br>{} a month", figures::money(cost, self.currency.symbol())))
        };
        let mut card = |title: &str, class: &str, point: usize| {
            let (time, price) = (run.times[point], run.costs[point]);
            html += &format!(
                "<div class=\"card {class}\"><dt>{title}</dt><dd><strong>{} MB</strong><br>{} <small>{}</small><br>{} per million <small>{}</small>{}</dd></div>",
                run.sizes[point],
                figures::duration(time.into()),
                difference(time, run.times[marks.fastest]),
                self.cost(price),
                difference(price, run.costs[marks.cheapest]),
                month(price).unwrap_or_default(),
            );
        };
        card("Cheapest", "good", marks.cheapest);
        card("Fastest", "good", marks.fastest);
        card("Balanced", "good", marks.balanced);
        card("Most expensive", "bad", marks.dearest);
        card("Slowest", "bad", marks.slowest);
        if let Some(size) = run.extras.current {
            match run.sizes.iter().position(|&s| s == size) {
                Some(point) => card("Current", "", point),
                None => {
                    html += &format!(
                        "<div class=\"card\"><dt>Current</dt><dd><strong>{size} MB</strong><br>not measured in this run</dd></div>"
                    );
                }
            }
        }
        html
    }

    /// One sentence: what choosing well is worth.
    pub fn summary(&self) -> String {
        let index = self.chosen();
        let (run, marks) = (&self.runs[index], self.marks(index));
        let subject =
            if self.runs.len() > 1 { format!("{}: ", bdi(&self.name(index))) } else { String::new() };
        if marks.cheapest == marks.fastest {
            return format!(
                "{subject}{} MB is the cheapest and the fastest size measured.",
                run.sizes[marks.cheapest]
            );
        }
        format!(
            "{subject}{} MB is the cheapest size, {} MB the fastest (duration: {}, cost: {}).",
            run.sizes[marks.cheapest],
            run.sizes[marks.fastest],
            difference(run.times[marks.fastest], run.times[marks.cheapest]),
            difference(run.costs[marks.fastest], run.costs[marks.cheapest]),
        )
    }

    /// The table's head and body.
    pub fn table(&self) -> String {
        let several = self.runs.len() > 1;
        let extras: [(&str, List); 3] =
            [("Std. dev.", |e| &e.stddev), ("p50", |e| &e.p50), ("p95", |e| &e.p95)];
        let extras: Vec<_> = extras
            .into_iter()
            .filter(|(_, list)| self.runs.iter().any(|run| !list(&run.extras).is_empty()))
            .collect();

        let mut html = String::from("<thead><tr>");
        let columns = [
            (Column::Link, "Run", several),
            (Column::Size, "Memory", true),
            (Column::Time, "Duration", true),
            (Column::Cost, "Cost per million", true),
        ];
        for (column, label, wanted) in columns {
            if wanted {
                html += &self.heading(column, label);
                match column {
                    Column::Time => html += "<th scope=\"col\">to fastest</th>",
                    Column::Cost => html += "<th scope=\"col\">to cheapest</th>",
                    _ => {}
                }
            }
        }
        for (label, _) in &extras {
            html += &format!("<th scope=\"col\">{label}</th>");
        }
        html += "<th scope=\"col\">Noted for</th></tr></thead><tbody>";

        let rows = self.rows();
        let marks: Vec<_> = (0..self.runs.len()).map(|index| self.marks(index)).collect();
        for &(index, point) in rows.iter().take(MAX_ROWS) {
            let (run, marks) = (&self.runs[index], marks[index]);
            let (time, price) = (run.times[point], run.costs[point]);
            html += "<tr>";
            if several {
                html += &format!(
                    "<td class=\"c{}\"><span class=\"key\" aria-hidden=\"true\">●</span> {}</td>",
                    index % COLOURS,
                    bdi(&self.name(index))
                );
            }
            html += &format!(
                "<th scope=\"row\"><data value=\"{0}\">{0} MB</data></th><td>{1}</td><td>{2}</td><td>{3}</td><td>{4}</td>",
                run.sizes[point],
                milliseconds(time),
                difference(time, run.times[marks.fastest]),
                data(price, &self.cost(price)),
                difference(price, run.costs[marks.cheapest]),
            );
            for (_, list) in &extras {
                html += "<td>";
                if let Some(&value) = list(&run.extras).get(point) {
                    html += &milliseconds(value);
                }
                html += "</td>";
            }
            html += "<td>";
            for word in self.words_with(marks, index, point) {
                html += &format!("<span class=\"tag\">{word}</span> ");
            }
            html += "</td></tr>";
        }
        html += "</tbody>";
        if rows.len() > MAX_ROWS {
            html += &format!(
                "<caption>The first {MAX_ROWS} of {} rows; the CSV file has all of them.</caption>",
                rows.len()
            );
        }
        html
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

    /// `(run, point)` of every row, as sorted.
    pub fn rows(&self) -> Vec<(usize, usize)> {
        let points = |(index, run): (usize, &Run)| (0..run.sizes.len()).map(move |point| (index, point));
        let mut rows: Vec<(usize, usize)> = self.shown().flat_map(points).collect();
        let point = |&(run, point): &(usize, usize)| {
            let run = &self.runs[run];
            (run.sizes[point], run.times[point], run.costs[point])
        };
        match self.state.sort {
            Column::Link if self.state.descending => rows.reverse(),
            Column::Link => {}
            column => rows.sort_unstable_by(|a, b| {
                let ((size, time, cost), other) = (point(a), point(b));
                let order = match column {
                    Column::Link | Column::Size => size.cmp(&other.0),
                    Column::Time => time.total_cmp(&other.1),
                    Column::Cost => cost.total_cmp(&other.2),
                };
                let order = if self.state.descending { order.reverse() } else { order };
                order.then_with(|| a.cmp(b))
            }),
        }
        rows
    }

    /// The list of runs, to be renamed, reordered and removed, with each one's best points against the first run's.
    pub fn list(&self) -> String {
        let several = self.runs.len() > 1;
        let first = (&self.runs[0], self.marks(0));
        let mut html = String::new();
        for (index, run) in self.runs.iter().enumerate() {
            let (name, marks) = (escape(&self.name(index)), self.marks(index));
            html += &format!(
                "<li><span class=\"key c{}\" aria-hidden=\"true\">●</span> <input id=\"rename-{index}\" dir=\"auto\" data-act=\"rename\" data-run=\"{index}\" value=\"{}\" placeholder=\"{name}\" aria-label=\"Name of run {}\"> ",
                index % COLOURS,
                escape(&run.name),
                index + 1,
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
                html += &format!(
                    "<div>cheapest {} per million at {} MB <small>{}</small> · fastest {} at {} MB <small>{}</small></div>",
                    self.cost(price),
                    run.sizes[marks.cheapest],
                    against(index, price, first.0.costs[first.1.cheapest]),
                    figures::duration(time.into()),
                    run.sizes[marks.fastest],
                    against(index, time, first.0.times[first.1.fastest]),
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
            html += &format!("<option value=\"{index}\"{selected}>{}</option>", escape(&self.name(index)));
        }
        html + "</select></label>"
    }

    /// What the balance weight means, for the slider.
    pub fn balance(&self) -> String {
        let cost = (self.state.weight * 100.0).round();
        format!("{cost} % cost, {} % speed", 100.0 - cost)
    }
}

fn against(index: usize, value: f32, first: f32) -> String {
    if index == 0 { String::new() } else { format!("{} to the first", difference(value, first)) }
}
