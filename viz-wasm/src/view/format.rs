//! Numbers as people read them. Exact values are in the CSV and in the table's `data` elements.

use tuning::Currency;
use tuning::digits::{exponent, fixed, scientific};

/// A number with four significant digits, at most twelve of them before the point.
pub fn number(value: f64) -> String {
    significant(value, 4)
}

fn significant(value: f64, digits: i32) -> String {
    let size = value.abs();
    if size == 0.0 {
        return "0".to_owned();
    }
    let text = if (1e-12..1e12).contains(&size) {
        grouped(&fixed(size, (digits - 1 - exponent(size)).max(0)))
    } else {
        scientific(size, 4)
    };
    if value < 0.0 { format!("-{text}") } else { text }
}

/// Thousands apart: 13,683.
fn grouped(text: &str) -> String {
    let whole = text.find('.').unwrap_or(text.len());
    let mut out = String::new();
    for (index, c) in text.char_indices() {
        if index > 0 && index < whole && (whole - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// Milliseconds, as seconds from one second on.
pub fn duration(ms: f32) -> String {
    let ms = f64::from(ms);
    if ms < 1000.0 { format!("{} ms", number(ms)) } else { format!("{} s", number(ms / 1000.0)) }
}

/// The cost of one invocation.
pub fn cost(amount: f32, currency: Currency) -> String {
    format!("{}{}", currency.symbol(), number(amount.into()))
}

/// `+31 %`, `−0.4 %`, `±0 %`; a dash for what cannot be said.
pub fn percent(more: Option<f64>) -> String {
    match more {
        None => "–".to_owned(),
        Some(more) => {
            let digits = if more.abs() < 10.0 { 2 } else { 3 };
            let text = significant(more.abs(), digits);
            let sign = if text == "0" {
                "±"
            } else if more < 0.0 {
                "−"
            } else {
                "+"
            };
            format!("{sign}{text} %")
        }
    }
}
