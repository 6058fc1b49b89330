//! Numbers to decimal digits and back, by whole numbers. For the chart page: the formatting and parsing of floats in Rust's core
//! would be a third of what a browser has to load.

/// `value` times ten to the power of `exponent`. Powers up to 22 are exact, so there is one rounding for each 22 digits.
pub fn shifted(mut value: f64, mut exponent: i32) -> f64 {
    const MOST: i32 = 22;
    while exponent > MOST {
        value *= power(MOST);
        exponent -= MOST;
    }
    while exponent < -MOST {
        value /= power(MOST);
        exponent += MOST;
    }
    if exponent < 0 { value / power(-exponent) } else { value * power(exponent) }
}

/// Ten to the power of 0 to 22, exactly.
fn power(exponent: i32) -> f64 {
    (0..exponent).fold(1.0, |power, _| power * 10.0)
}

/// The power of ten at or below a value above zero.
pub fn exponent(value: f64) -> i32 {
    // By the natural logarithm, which the page has anyway; near a power of ten it may be off by one.
    let guess = (value.ln() * std::f64::consts::LOG10_E).floor() as i32;
    if shifted(1.0, guess + 1) <= value {
        guess + 1
    } else if shifted(1.0, guess) > value {
        guess - 1
    } else {
        guess
    }
}

/// `value`, at least 0 and below 1e15, rounded to so many decimals; zeros at the end are left out.
pub fn fixed(value: f64, decimals: i32) -> String {
    plain(shifted(value, decimals).round() as u64, decimals)
}

/// A value above zero with so many significant digits, as `3.400e38`.
pub fn scientific(value: f64, digits: i32) -> String {
    let mut exponent = exponent(value);
    let mut all = (shifted(value, digits - 1 - exponent).round() as u64).to_string();
    if all.len() as i32 > digits {
        // Rounded up to the next power of ten.
        exponent += 1;
        all.pop();
    }
    all.insert(1, '.');
    all + "e" + &exponent.to_string()
}

/// The shortest decimal number that is read back as this `f32`, which is finite and not negative.
pub fn exact(value: f32) -> String {
    let wide = f64::from(value);
    if wide == 0.0 {
        return "0".to_owned();
    }
    // Nine digits tell all floats apart; a tenth for a logarithm that was rounded up.
    let mut decimals = -exponent(wide);
    for _ in 0..9 {
        let digits = shifted(wide, decimals).round();
        if shifted(digits, -decimals) as f32 == value {
            return plain(digits as u64, decimals);
        }
        decimals += 1;
    }
    plain(shifted(wide, decimals).round() as u64, decimals)
}

/// A whole number divided by ten to the power of `decimals`.
fn plain(digits: u64, decimals: i32) -> String {
    let mut text = digits.to_string();
    for _ in decimals..0 {
        text.push('0');
    }
    if decimals > 0 {
        while text.len() as i32 <= decimals {
            text.insert(0, '0');
        }
        text.insert(text.len() - decimals as usize, '.');
        while text.ends_with('0') {
            text.pop();
        }
        if text.ends_with('.') {
            text.pop();
        }
    }
    text
}

/// A share from 0 to 1 as a decimal number (`0.25`); decimals after the ninth are cut.
pub fn share(text: &str) -> Option<f64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let (mut digits, mut count) = (0u32, 0);
    for c in decimals.chars() {
        let digit = c.to_digit(10)?;
        if count < 9 {
            digits = digits * 10 + digit;
            count += 1;
        }
    }
    let part = f64::from(digits) / power(count);
    match whole {
        "0" | "" if !text.is_empty() => Some(part),
        "1" if digits == 0 => Some(1.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_power_of_two_and_its_neighbours_are_exact() {
        for bits in (0..255u32).map(|power| power << 23) {
            for bits in [bits.saturating_sub(1), bits, bits + 1] {
                let value = f32::from_bits(bits);
                assert_eq!(exact(value).parse(), Ok(value));
            }
        }
        assert_eq!(exact(f32::MAX).parse(), Ok(f32::MAX));
    }

    #[test]
    fn shares_are_read_as_rust_reads_them() {
        for text in ["0", "1", "0.5", "0.05", "0.333333333", "1.0", ".25", "0."] {
            assert_eq!(share(text), text.parse().ok(), "{text}");
        }
        for text in ["", "1.1", "2", "-0.5", "0.x", "NaN", "inf", "1e-1", "0.5 ", "+0.5", "0.0.0"] {
            assert_eq!(share(text), None, "{text}");
        }
        assert_eq!(share("0.12345678987654321"), Some(0.123_456_789));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200_000))]

        #[test]
        fn exact_is_what_rust_writes(bits in 0..0x7f80_0000u32) {
            let value = f32::from_bits(bits);
            let text = exact(value);
            prop_assert_eq!(text.parse(), Ok(value));
            prop_assert!(text.len() <= value.to_string().len(), "{} for {}", text, value);
        }

        #[test]
        fn ordinary_figures_are_written_as_rust_writes_them(value in 1e-12f32..1e9) {
            prop_assert_eq!(exact(value), value.to_string());
        }

        #[test]
        fn rounding_is_to_the_nearest(value in 0.0..1e9f64, decimals in 0..6i32) {
            let text = fixed(value, decimals);
            let off = (text.parse::<f64>().unwrap() - value).abs();
            // Half a unit, and what the subtraction itself may be off.
            let most = 0.5 * shifted(1.0, -decimals) * (1.0 + 1e-6) + value * f64::EPSILON;
            prop_assert!(off <= most, "{} for {}", text, value);
            prop_assert!(text.split_once('.').is_none_or(|(_, rest)| rest.len() <= decimals as usize && !rest.ends_with('0')));
        }

        #[test]
        fn scientific_keeps_its_digits(value in prop::num::f64::POSITIVE | prop::num::f64::NORMAL) {
            let value = value.abs().clamp(1e-100, 1e100);
            let text = scientific(value, 4);
            prop_assert!((text.parse::<f64>().unwrap() / value - 1.0).abs() <= 0.5e-3 * (1.0 + 1e-6), "{} for {}", text, value);
            prop_assert_eq!(text.find('e'), Some(5));
        }

        #[test]
        fn a_share_comes_back(billionths in 0..=1_000_000_000u32) {
            let value = f64::from(billionths) / 1e9;
            prop_assert_eq!(share(&fixed(value, 9)), Some(value));
        }
    }
}
