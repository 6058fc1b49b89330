//! Formatting without what nobody here asks for. `web/bundle` puts these functions in place of the standard library's, which
//! come compiled and would be a seventh of the page. Each has the name and the signature of the function it stands for.
//!
//! They know no width, fill, sign or precision, and trap where one is wanted, so that a test of the page finds it.

use std::fmt::{Formatter, Result};
use tuning::digits::fixed;

/// `<f64 as Display>::fmt`. Only plotters-canvas formats floats: opacities and sizes of text, never negative.
#[unsafe(no_mangle)]
fn plain_float(value: &f64, out: &mut Formatter<'_>) -> Result {
    check(out);
    out.write_str(&fixed(*value, 6))
}

/// `Formatter::pad`.
#[unsafe(no_mangle)]
fn plain_text(out: &mut Formatter<'_>, text: &str) -> Result {
    check(out);
    out.write_str(text)
}

/// `Formatter::pad_integral`.
#[unsafe(no_mangle)]
fn plain_integer(out: &mut Formatter<'_>, positive: bool, _: &str, digits: &str) -> Result {
    check(out);
    if !positive {
        out.write_str("-")?;
    }
    out.write_str(digits)
}

fn check(out: &Formatter<'_>) {
    assert!(out.width().is_none() && out.precision().is_none() && !out.sign_plus() && !out.alternate());
}
