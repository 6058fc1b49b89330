//! The table as a file for spreadsheets: every value exactly as it is in the link.

use super::View;
use super::marks::more;
use tuning::digits::{exact, fixed, scientific};

impl View {
    /// Comma-separated values with a header (RFC 4180), all runs, hidden ones too.
    pub fn csv(&self) -> String {
        let code = self.currency.code().to_ascii_lowercase();
        let mut text = format!(
            "run,memory_mb,duration_ms,cost_{code},slower_than_fastest_percent,dearer_than_cheapest_percent,stddev_ms,p50_ms,p95_ms\r\n"
        );
        for (index, run) in self.runs.iter().enumerate() {
            let (marks, name) = (self.marks(index), field(&self.name(index)));
            for point in 0..run.sizes.len() {
                let (time, cost) = (run.times[point], run.costs[point]);
                let share = |more: Option<f64>| more.map(rounded).unwrap_or_default();
                let extra =
                    |values: &Vec<f32>| values.get(point).map(|&value| exact(value)).unwrap_or_default();
                text += &format!(
                    "{name},{},{},{},{},{},{},{},{}\r\n",
                    run.sizes[point],
                    exact(time),
                    exact(cost),
                    share(more(time, run.times[marks.fastest])),
                    share(more(cost, run.costs[marks.cheapest])),
                    extra(&run.extras.stddev),
                    extra(&run.extras.p50),
                    extra(&run.extras.p95),
                );
            }
        }
        text
    }
}

/// A difference in per cent, to the thousandth.
fn rounded(percent: f64) -> String {
    if percent < 1e12 { fixed(percent, 3) } else { scientific(percent, 4) }
}

/// A text field. One that a spreadsheet would take for a formula gets an apostrophe in front, which shows it as text.
fn field(text: &str) -> String {
    let formula = text.trim_start().starts_with(['=', '+', '-', '@']);
    let mut field = String::from(if formula { "\"'" } else { "\"" });
    for c in text.chars() {
        field.push(c);
        if c == '"' {
            field.push(c);
        }
    }
    field + "\""
}
