//! The result as a table: what each memory size took and cost, against the fastest and the cheapest.

use comfy_table::presets::{ASCII_MARKDOWN, NOTHING};
use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Table};

use super::row::Row;
use tuning::figures;

/// The marks that single rows out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Marks {
    /// The recommended size, in MB.
    pub chosen: Option<u32>,
    /// The size the function has, in MB.
    pub current: Option<u32>,
}

/// A table for a terminal, or one in Markdown.
#[must_use]
pub fn table(rows: &[Row], marks: Marks, currency: &str, markdown: bool) -> String {
    let fastest = rows.iter().map(|row| row.duration_ms).fold(f64::INFINITY, f64::min);
    let cheapest = rows.iter().map(|row| row.cost).fold(f64::INFINITY, f64::min);
    let mut table = Table::new();
    table.load_style(if markdown { ASCII_MARKDOWN } else { NOTHING });
    table.set_content_arrangement(ContentArrangement::Disabled);
    let mut header = vec!["memory", "average", "p95", "vs fastest", "cost per million", "vs cheapest", ""];
    let scaled = rows.iter().any(|row| row.on_lambda_ms.is_some());
    if scaled {
        header.insert(2, "on Lambda");
    }
    table.set_header(header.iter().map(|text| Cell::new(text).add_attribute(Attribute::Dim)));
    for row in rows {
        let mut notes = Vec::new();
        if marks.chosen == Some(row.memory_mb) {
            notes.push("← chosen".to_owned());
        }
        if row.cost <= cheapest {
            notes.push("cheapest".to_owned());
        }
        if row.duration_ms <= fastest {
            notes.push("fastest".to_owned());
        }
        if marks.current == Some(row.memory_mb) {
            notes.push("current".to_owned());
        }
        if row.lost > 0 {
            notes.push(format!("{} answers lost", row.lost));
        }
        let mut cells = vec![
            format!("{} MB", row.memory_mb),
            figures::duration(row.duration_ms),
            row.p95_ms.map_or_else(String::new, figures::duration),
            figures::difference(row.duration_ms, fastest),
            figures::per_million(row.cost, currency),
            figures::difference(row.cost, cheapest),
            notes.join(", "),
        ];
        if scaled {
            cells.insert(2, row.on_lambda_ms.map_or_else(String::new, figures::duration));
        }
        table.add_row(cells);
    }
    for column in table.column_iter_mut().take(header.len() - 1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let text = table.to_string();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_say_what_they_are() {
        let rows = [Row::measured(128, 1382.0, 2.9e-6), Row::measured(1024, 173.0, 2.91e-6)];
        let text = table(&rows, Marks { chosen: Some(1024), current: Some(128) }, "$", false);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].contains("128 MB") && lines[1].contains("cheapest, current"), "{text}");
        assert!(lines[2].contains("173 ms") && lines[2].contains("← chosen, fastest"), "{text}");
        assert!(lines[1].contains("+699 %"), "{text}");
    }

    #[test]
    fn markdown_is_a_table() {
        let text = table(&[Row::measured(128, 1.0, 1e-9)], Marks::default(), "$", true);
        assert!(text.lines().nth(1).is_some_and(|line| line.starts_with("|--")), "{text}");
    }
}
