//! Numbers as people read them: the one rounding rule of the terminal, the Markdown report and the chart page.
//!
//! A figure has three significant digits, whole digits are never rounded away, and thousands are set apart by commas. Exact
//! values are in JSON, CSV and links.

/// Outside of this range a figure is written with an exponent: nobody counts that many zeros.
const PLAIN: std::ops::Range<f64> = 1e-12..1e12;

/// A number with three significant digits: `0.000450`, `2.91`, `12,345`.
#[must_use]
pub fn significant(number: f64) -> String {
    with_digits(number, 3)
}

fn with_digits(number: f64, digits: usize) -> String {
    if number == 0.0 || !number.is_finite() {
        return if number == 0.0 { "0".to_owned() } else { format!("{number:.0}") };
    }
    let least = 10f64.powi(digits as i32 - 1);
    let mut exponent = number.abs().log10().floor() as i32;
    // What is left of the digits when they are rounded: 9.996 has one digit before the point as it stands, and two as it is written.
    let rounded = |exponent: i32| (scaled(number.abs(), digits as i32 - 1 - exponent)).round();
    if rounded(exponent) >= 10.0 * least {
        exponent += 1;
    } else if rounded(exponent) < least {
        exponent -= 1;
    }
    if PLAIN.contains(&number.abs()) {
        fixed(number, (digits as i32 - 1 - exponent).max(0) as usize)
    } else {
        format!("{:.*}e{exponent}", digits - 1, scaled(number, -exponent))
    }
}

/// A number times a power of ten, in two steps: one factor alone may be out of range.
fn scaled(number: f64, power: i32) -> f64 {
    let half = power / 2;
    number * 10f64.powi(half) * 10f64.powi(power - half)
}

/// A number with so many decimals and its thousands apart.
#[must_use]
pub fn fixed(number: f64, decimals: usize) -> String {
    grouped(&format!("{number:.decimals$}"))
}

/// A number with at most so many decimals, without zeros at the end.
#[must_use]
pub fn trimmed(number: f64, decimals: usize) -> String {
    without_zeros(&format!("{number:.decimals$}")).to_owned()
}

fn without_zeros(text: &str) -> &str {
    if text.bytes().any(|byte| byte == b'.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text
    }
}

/// A label of an axis: at most four significant digits, without zeros at the end.
#[must_use]
pub fn label(number: f64) -> String {
    let text = with_digits(number, 4);
    if text.bytes().any(|byte| byte == b'e') { text } else { without_zeros(&text).to_owned() }
}

/// A duration given in milliseconds, from one second on in seconds.
#[must_use]
pub fn duration(ms: f64) -> String {
    // What rounds to 1,000 ms is a second.
    if ms < 999.5 { format!("{} ms", significant(ms)) } else { format!("{} s", significant(ms / 1000.0)) }
}

/// A span of time given in seconds, as one says it: `12 s`, `2 min 5 s`, `1 h 20 min`.
#[must_use]
pub fn span(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, 0) => format!("{minutes} min"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, 0, _) => format!("{hours} h"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// An amount of money; `currency` is its sign.
#[must_use]
pub fn money(amount: f64, currency: &str) -> String {
    let sign = if amount < 0.0 { "−" } else { "" };
    format!("{sign}{currency}{}", significant(amount.abs()))
}

/// What a million invocations cost at `each`. The cost of one has too many zeros to read.
#[must_use]
pub fn per_million(each: f64, currency: &str) -> String {
    money(each * 1e6, currency)
}

/// How `value` compares with `reference`, in whole per cents: "+12 %", "−5 %", "same"; "–" where that says nothing.
#[must_use]
pub fn difference(value: f64, reference: f64) -> String {
    if value == reference {
        return "same".to_owned();
    }
    let percent = (value / reference - 1.0) * 100.0;
    match percent {
        p if !p.is_finite() => "–".to_owned(),
        p if p.abs() < 0.5 => "same".to_owned(),
        p if p >= PLAIN.end => format!("+{} %", significant(p)),
        p if p > 0.0 => format!("+{} %", fixed(p, 0)),
        p => format!("−{} %", fixed(-p, 0)),
    }
}

fn grouped(text: &str) -> String {
    let point = text.find('.').unwrap_or(text.len());
    let mut out = String::new();
    for (index, c) in text.char_indices() {
        if index > 0 && index < point && (point - index).is_multiple_of(3) && !out.ends_with('-') {
            out.push(',');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn figures_keep_three_digits() {
        let cases = [
            (0.0, "0"),
            (-0.0, "0"),
            (2.9067, "2.91"),
            (9.996, "10.0"),
            (99.96, "100"),
            (-38.64, "-38.6"),
            (0.000_45, "0.000450"),
            (13_682.9, "13,683"),
            (1_000_000.0, "1,000,000"),
            (123.4, "123"),
            (3.4e38, "3.40e38"),
            (1e-30, "1.00e-30"),
        ];
        for (number, text) in cases {
            assert_eq!(significant(number), text);
        }
    }

    #[test]
    fn units_suit_the_figure() {
        assert_eq!(duration(2.9067), "2.91 ms");
        assert_eq!(duration(999.4), "999 ms");
        assert_eq!(duration(999.6), "1.00 s");
        assert_eq!(duration(13_820.0), "13.8 s");
        assert_eq!(per_million(2.083e-7, "$"), "$0.208");
        assert_eq!(per_million(9.457_56e-5, "¥"), "¥94.6");
        assert_eq!(money(0.0, "$"), "$0");
        assert_eq!(money(12_345.0, "$"), "$12,345");
        assert_eq!(money(-3.2, "$"), "−$3.20");
    }

    #[test]
    fn spans_are_said_in_two_units_at_most() {
        for (seconds, text) in [
            (0.4, "0 s"),
            (59.6, "1 min"),
            (125.0, "2 min 5 s"),
            (3600.0, "1 h"),
            (4800.0, "1 h 20 min"),
            (-3.0, "0 s"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn labels_have_no_zeros_at_the_end() {
        for (number, text) in
            [(0.1 * 3.0, "0.3"), (2.5, "2.5"), (25_000.0, "25,000"), (0.0, "0"), (1e15, "1.000e15")]
        {
            assert_eq!(label(number), text);
        }
    }

    #[test]
    fn differences_are_whole_percents() {
        assert_eq!(difference(112.0, 100.0), "+12 %");
        assert_eq!(difference(1_512.0, 100.0), "+1,412 %");
        assert_eq!(difference(62.0, 100.0), "−38 %");
        assert_eq!(difference(100.1, 100.0), "same");
        assert_eq!(difference(0.0, 0.0), "same");
        assert_eq!(difference(1.0, 0.0), "–");
        assert_eq!(difference(1e38, 1e-3), "+1.00e43 %");
    }

    proptest! {
        #[test]
        fn what_is_written_is_within_half_a_percent(number in prop::num::f64::POSITIVE | prop::num::f64::NORMAL) {
            let text = significant(number).replace(',', "");
            let read: f64 = text.parse().unwrap();
            prop_assert!((read / number - 1.0).abs() <= 0.005, "{text} for {number}");
        }
    }
}
