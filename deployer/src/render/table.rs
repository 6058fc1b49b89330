//! The result as a table: what each memory size took and cost, against the fastest and the cheapest. Where a terminal is too narrow for
//! it, the columns that matter least are left out; a line that the terminal wraps is no table any more.

use comfy_table::presets::{ASCII_MARKDOWN, NOTHING};
use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Table};

use super::row::Row;
use crate::fold;
use tuning::figures;

/// The marks that single rows out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Marks {
    /// The recommended size, in MB.
    pub chosen: Option<u32>,
    /// The size the function has, in MB.
    pub current: Option<u32>,
}

/// Where a table is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In Markdown.
    Markdown,
    /// In a terminal of so many columns, or in a file when that is not known.
    Text(Option<usize>),
}

impl Place {
    /// Standard output.
    #[must_use]
    pub fn stdout() -> Self {
        Self::Text(fold::stdout_columns())
    }
}

/// A column of a table.
#[derive(Debug, Clone)]
pub struct Column {
    /// What stands above it.
    pub header: &'static str,
    /// Its cells, one per row.
    pub cells: Vec<String>,
    /// Whether it holds words, which are read from the left, rather than figures.
    pub words: bool,
    /// When it is left out for lack of room: the highest first, zero never.
    pub expendable: u8,
}

impl Column {
    /// A column of figures.
    pub fn figures(header: &'static str, expendable: u8, cells: impl Iterator<Item = String>) -> Self {
        Self { header, cells: cells.collect(), words: false, expendable }
    }

    /// A column of words.
    pub fn words(header: &'static str, expendable: u8, cells: impl Iterator<Item = String>) -> Self {
        Self { header, cells: cells.collect(), words: true, expendable }
    }
}

/// The table of these columns, without those that the place has no room for.
#[must_use]
pub fn fitted(mut columns: Vec<Column>, place: Place) -> String {
    loop {
        let text = drawn(&columns, place, true);
        let Place::Text(Some(width)) = place else { return text };
        let fits = drawn(&columns, place, false).lines().all(|line| line.chars().count() <= width);
        let least = columns.iter().map(|column| column.expendable).max().filter(|most| *most > 0);
        let (false, Some(least)) = (fits, least) else { return text };
        columns.retain(|column| column.expendable < least);
    }
}

/// `styled` is as a terminal gets it: with escape sequences, which have no width.
fn drawn(columns: &[Column], place: Place, styled: bool) -> String {
    let mut table = Table::new();
    if !styled {
        table.force_no_tty();
    }
    table.load_style(if place == Place::Markdown { ASCII_MARKDOWN } else { NOTHING });
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(columns.iter().map(|column| Cell::new(column.header).add_attribute(Attribute::Dim)));
    let rows = columns.iter().map(|column| column.cells.len()).max().unwrap_or(0);
    for row in 0..rows {
        table.add_row(columns.iter().map(|column| column.cells.get(row).cloned().unwrap_or_default()));
    }
    for (drawn, column) in table.column_iter_mut().zip(columns) {
        if !column.words {
            drawn.set_cell_alignment(CellAlignment::Right);
        }
    }
    let text = table.to_string();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// The sizes of a run. `month` is how many invocations a month has, when that is asked for.
#[must_use]
pub fn table(rows: &[Row], marks: Marks, currency: &str, month: Option<u32>, place: Place) -> String {
    let fastest = rows.iter().map(|row| row.duration_ms).fold(f64::INFINITY, f64::min);
    let cheapest = rows.iter().map(|row| row.cost).fold(f64::INFINITY, f64::min);
    let optional = |ms: Option<f64>| ms.map_or_else(String::new, figures::duration);
    let mut columns = vec![
        Column::figures("memory", 0, rows.iter().map(|row| format!("{} MB", row.memory_mb))),
        Column::figures("average", 0, rows.iter().map(|row| figures::duration(row.duration_ms))),
    ];
    if rows.iter().any(|row| row.on_lambda_ms.is_some()) {
        columns.push(Column::figures("on Lambda", 1, rows.iter().map(|row| optional(row.on_lambda_ms))));
    }
    columns.push(Column::figures("p95", 3, rows.iter().map(|row| optional(row.p95_ms))));
    if rows.iter().any(|row| row.cold_ms.is_some()) {
        columns.push(Column::figures("cold start", 4, rows.iter().map(|row| optional(row.cold_ms))));
    }
    let difference = |value, best| figures::difference(value, best);
    columns.extend([
        Column::figures("vs fastest", 6, rows.iter().map(|row| difference(row.duration_ms, fastest))),
        Column::figures(
            "cost per million",
            0,
            rows.iter().map(|row| figures::per_million(row.cost, currency)),
        ),
    ]);
    if let Some(month) = month {
        let cost = |row: &Row| figures::money(row.cost * f64::from(month), currency);
        columns.push(Column::figures("a month", 2, rows.iter().map(cost)));
    }
    columns.push(Column::figures("vs cheapest", 6, rows.iter().map(|row| difference(row.cost, cheapest))));
    let notes = |all: bool| {
        rows.iter().map(move |row| {
            let mut notes = Vec::new();
            if marks.chosen == Some(row.memory_mb) {
                notes.push("← chosen".to_owned());
            }
            if all && row.cost <= cheapest {
                notes.push("cheapest".to_owned());
            }
            if all && row.duration_ms <= fastest {
                notes.push("fastest".to_owned());
            }
            if marks.current == Some(row.memory_mb) {
                notes.push("current".to_owned());
            }
            if row.lost > 0 {
                notes.push(format!("{} answers lost", row.lost));
            }
            notes.join(", ")
        })
    };
    // The figures themselves say which is the fastest.
    let narrow = matches!(place, Place::Text(Some(width)) if width < 80);
    columns.push(Column::words("", 0, notes(!narrow)));
    fitted(columns, place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> [Row; 2] {
        let row = |memory, duration, cost| Row {
            p95_ms: Some(duration * 1.1),
            cold_ms: Some(duration * 3.0),
            ..Row::measured(memory, duration, cost)
        };
        [row(128, 1382.0, 2.9e-6), row(10_240, 173.0, 2.91e-6)]
    }

    #[test]
    fn rows_say_what_they_are() {
        let marks = Marks { chosen: Some(10_240), current: Some(128) };
        let text = table(&rows(), marks, "$", Some(2_000_000), Place::Text(None));
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].contains("128 MB") && lines[1].contains("cheapest, current"), "{text}");
        assert!(lines[2].contains("173 ms") && lines[2].contains("← chosen, fastest"), "{text}");
        assert!(lines[1].contains("+699 %") && lines[1].contains("4.15 s"), "{text}");
        assert!(lines[2].contains("$2.91") && lines[2].contains("$5.82"), "{text}");
    }

    #[test]
    fn markdown_is_a_table() {
        let rows = [Row::measured(128, 1.0, 1e-9)];
        let text = table(&rows, Marks::default(), "$", None, Place::Markdown);
        assert!(text.lines().nth(1).is_some_and(|line| line.starts_with("|--")), "{text}");
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_what_matters_stays() {
        let marks = Marks { chosen: Some(10_240), current: Some(10_240) };
        for width in [60, 80, 100] {
            let text = table(&rows(), marks, "$", Some(2_000_000), Place::Text(Some(width)));
            assert!(text.lines().all(|line| line.chars().count() <= width), "{width}:\n{text}");
            for part in ["10240 MB", "173 ms", "$2.91", "← chosen"] {
                assert!(text.contains(part), "{part} at {width}:\n{text}");
            }
        }
        let wide = table(&rows(), marks, "$", None, Place::Text(Some(120)));
        assert!(wide.contains("vs fastest"), "{wide}");
    }
}
