//! Figures as people read them.

/// A duration given in milliseconds, with three significant digits and the unit that suits it.
#[must_use]
pub fn duration(ms: f64) -> String {
    if ms < 1000.0 { format!("{} ms", significant(ms)) } else { format!("{} s", significant(ms / 1000.0)) }
}

/// What a million of something costs that costs `usd` each.
#[must_use]
pub fn per_million(usd: f64, currency: &str) -> String {
    format!("{currency}{}", significant(usd * 1e6))
}

/// An amount of money.
#[must_use]
pub fn money(amount: f64, currency: &str) -> String {
    if amount == 0.0 { format!("{currency}0") } else { format!("{currency}{}", significant(amount)) }
}

/// Three significant digits, never in exponential form, without digits that say nothing.
#[must_use]
pub fn significant(number: f64) -> String {
    if number == 0.0 || !number.is_finite() {
        return format!("{number}");
    }
    let magnitude = number.abs().log10().floor();
    let decimals = (2.0 - magnitude).clamp(0.0, 18.0);
    // `decimals` is a small whole number by now.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let text = format!("{number:.*}", decimals as usize);
    text
}

/// How `value` compares with `reference`: "+12 %", "−5 %", "same".
#[must_use]
pub fn difference(value: f64, reference: f64) -> String {
    let percent = (value / reference - 1.0) * 100.0;
    match percent {
        p if !p.is_finite() => "–".to_owned(),
        p if p.abs() < 0.5 => "same".to_owned(),
        p if p > 0.0 => format!("+{p:.0} %"),
        p => format!("−{:.0} %", -p),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_keep_three_digits() {
        assert_eq!(duration(2.9067), "2.91 ms");
        assert_eq!(duration(104.4), "104 ms");
        assert_eq!(duration(13_820.0), "13.8 s");
        assert_eq!(per_million(2.083e-7, "$"), "$0.208");
        assert_eq!(money(0.000_45, "$"), "$0.000450");
        assert_eq!(money(0.0, "$"), "$0");
        assert_eq!(money(12_345.0, "$"), "$12345");
    }

    #[test]
    fn differences_are_whole_percents() {
        assert_eq!(difference(112.0, 100.0), "+12 %");
        assert_eq!(difference(62.0, 100.0), "−38 %");
        assert_eq!(difference(100.1, 100.0), "same");
        assert_eq!(difference(1.0, 0.0), "–");
    }
}
