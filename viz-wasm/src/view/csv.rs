//! The table as a file for spreadsheets: every value exactly as it is in the link.

use super::View;
use super::html::add;
use tuning::figures::trimmed;

impl View {
    /// Comma-separated values with a header (RFC 4180), all runs, hidden ones too.
    pub fn csv(&self) -> String {
        let code = self.currency.code().to_ascii_lowercase();
        let mut text = format!(
            "run,memory_mb,duration_ms,cost_{code},slower_than_fastest_percent,dearer_than_cheapest_percent,stddev_ms,p50_ms,p95_ms,cold_ms\r\n"
        );
        for (index, run) in self.runs.iter().enumerate() {
            let (marks, name) = (self.marks(index), field(&self.name(index)));
            for point in 0..run.sizes.len() {
                let (time, cost) = (run.times[point], run.costs[point]);
                let extra = |values: &Vec<f32>| values.get(point).map(f32::to_string).unwrap_or_default();
                add(
                    &mut text,
                    format_args!(
                        "{name},{},{},{},{},{},{},{},{},{}\r\n",
                        run.sizes[point],
                        time,
                        cost,
                        more(time, run.times[marks.fastest]),
                        more(cost, run.costs[marks.cheapest]),
                        extra(&run.extras.stddev),
                        extra(&run.extras.p50),
                        extra(&run.extras.p95),
                        extra(&run.extras.cold),
                    ),
                );
            }
        }
        text
    }
}

/// How much more `value` is than `base`, in per cent to the thousandth; empty when `base` is zero and `value` is not.
fn more(value: f32, base: f32) -> String {
    let (value, base) = (f64::from(value), f64::from(base));
    if value == base {
        return "0".to_owned();
    }
    let percent = (value / base - 1.0) * 100.0;
    if percent.is_finite() { trimmed(percent, 3) } else { String::new() }
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
