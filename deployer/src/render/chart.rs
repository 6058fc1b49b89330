//! A small chart for a terminal: two bars per memory size, one for the duration and one for the cost.

use super::row::Row;
use tuning::figures;

const WIDTH: usize = 26;

/// Bars of both measures, each on a scale of its own that begins at zero.
#[must_use]
pub fn chart(rows: &[Row], currency: &str) -> String {
    let longest = max(rows.iter().map(|row| row.duration_ms));
    let dearest = max(rows.iter().map(|row| row.cost));
    let mut lines =
        vec![format!("{:>9}  {:<w$}  {:<w$}", "", "duration", "cost per million", w = WIDTH + 10)];
    for row in rows {
        let duration = format!("{} {}", bar(row.duration_ms / longest), figures::duration(row.duration_ms));
        let cost = format!("{} {}", bar(row.cost / dearest), figures::per_million(row.cost, currency));
        let memory = format!("{} MB", row.memory_mb);
        lines.push(format!("{memory:>9}  {duration:<w$}  {cost}", w = WIDTH + 10).trim_end().to_owned());
    }
    lines.join("\n")
}

fn max(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(f64::MIN_POSITIVE, f64::max)
}

/// A bar in eighths of a character; a measured value is never invisible.
fn bar(share: f64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    // Shares lie between 0 and 1, so the product is small and not negative.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let eighths = ((share.clamp(0.0, 1.0) * (WIDTH * 8) as f64).round() as usize).max(1);
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_fills_the_width_and_none_is_empty() {
        assert_eq!(bar(1.0), "█".repeat(WIDTH));
        assert_eq!(bar(0.5), "█".repeat(WIDTH / 2));
        assert_eq!(bar(0.0), "▏");
    }

    #[test]
    fn a_line_per_size() {
        let rows = [Row::measured(128, 1382.0, 2.9e-6), Row::measured(1024, 173.0, 2.91e-6)];
        let chart = chart(&rows, "$");
        assert_eq!(chart.lines().count(), 3);
        assert!(chart.contains(" 128 MB  ██████████████████████████ 1.38 s"), "{chart}");
        assert!(chart.contains("$2.91"), "{chart}");
    }
}
