//! A small chart for a terminal: two bars per memory size, one for the duration and one for the cost.

use super::row::Row;
use tuning::figures;

/// Bars of the widest chart, and what stands beside the two of a line.
const WIDEST: usize = 26;
const BESIDE: usize = 33;

/// Bars of both measures, each on a scale of its own that begins at zero. `columns` is the terminal's width, if there is one.
#[must_use]
pub fn chart(rows: &[Row], currency: &str, columns: Option<usize>) -> String {
    let room = columns.map_or(WIDEST, |columns| columns.saturating_sub(BESIDE) / 2);
    let width = room.clamp(4, WIDEST);
    let longest = max(rows.iter().map(|row| row.duration_ms));
    let dearest = max(rows.iter().map(|row| row.cost));
    let mut lines =
        vec![format!("{:>9}  {:<w$}  {:<w$}", "", "duration", "cost per million", w = width + 10)];
    for row in rows {
        let duration =
            format!("{} {}", bar(row.duration_ms / longest, width), figures::duration(row.duration_ms));
        let cost = format!("{} {}", bar(row.cost / dearest, width), figures::per_million(row.cost, currency));
        let memory = format!("{} MB", row.memory_mb);
        lines.push(format!("{memory:>9}  {duration:<w$}  {cost}", w = width + 10).trim_end().to_owned());
    }
    lines.join("\n")
}

fn max(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(f64::MIN_POSITIVE, f64::max)
}

/// A bar in eighths of a character; a measured value is never invisible.
fn bar(share: f64, width: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    // Shares lie between 0 and 1, so the product is small and not negative.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let eighths = ((share.clamp(0.0, 1.0) * (width * 8) as f64).round() as usize).max(1);
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_fills_the_width_and_none_is_empty() {
        assert_eq!(bar(1.0, WIDEST), "█".repeat(WIDEST));
        assert_eq!(bar(0.5, WIDEST), "█".repeat(WIDEST / 2));
        assert_eq!(bar(0.0, WIDEST), "▏");
    }

    #[test]
    fn a_line_per_size() {
        let rows = [Row::measured(128, 1382.0, 2.9e-6), Row::measured(1024, 173.0, 2.91e-6)];
        let narrow = chart(&rows, "$", Some(60));
        assert!(narrow.lines().all(|line| line.chars().count() <= 60), "{narrow}");
        let chart = chart(&rows, "$", None);
        assert_eq!(chart.lines().count(), 3);
        assert!(chart.contains(" 128 MB  ██████████████████████████ 1.38 s"), "{chart}");
        assert!(chart.contains("$2.91"), "{chart}");
    }
}
