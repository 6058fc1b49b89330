//! Runs to text.

use super::check::{check, is_part_name, order, picked};
use super::error::UrlError;
use super::run::{Link, MAX_RUNS, Run};
use crate::Currency;
use base64ct::{Base64, Encoding as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What JavaScript's `encodeURIComponent` escapes, so that names look as they do in existing links.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// The link to the runs on the page at `base`. A query in `base` is kept, a fragment replaced; the currency is only written when
/// it is not dollars.
///
/// # Errors
/// Runs that [`super::decode()`] would refuse: none or too many, no sizes, lists of different lengths, amounts that are not amounts.
pub fn encode(base: &str, runs: &[Run], currency: Currency) -> Result<String, UrlError> {
    encode_with(base, runs, &[], currency)
}

/// [`encode`], with the parts in [`Link::others`].
///
/// # Errors
/// As [`encode`], and names in `others` that are not lower-case letters and digits.
pub fn encode_link(base: &str, link: &Link, currency: Currency) -> Result<String, UrlError> {
    encode_with(base, &link.runs, &link.others, currency)
}

fn encode_with(
    base: &str,
    runs: &[Run],
    others: &[(String, String)],
    currency: Currency,
) -> Result<String, UrlError> {
    let base = base.split_once('#').map_or(base, |(before, _)| before);
    let query = match currency {
        Currency::Usd => String::new(),
        Currency::Cny => format!("{}currency={currency}", if base.contains('?') { '&' } else { '?' }),
    };
    Ok(format!("{base}{query}#{}", encode_parts(runs, others)?))
}

/// Only what stands after the `#`.
///
/// # Errors
/// As [`encode_link`].
pub fn encode_hash(link: &Link) -> Result<String, UrlError> {
    encode_parts(&link.runs, &link.others)
}

/// [`encode_hash`] of runs and others that are not in a [`Link`].
///
/// # Errors
/// As [`encode_link`].
pub fn encode_parts(runs: &[Run], others: &[(String, String)]) -> Result<String, UrlError> {
    if runs.is_empty() {
        return Err(UrlError::Empty);
    }
    if runs.len() > MAX_RUNS {
        return Err(UrlError::TooManyRuns(runs.len()));
    }
    let mut parts = Vec::new();
    let mut extras = Vec::new();
    for (index, run) in runs.iter().enumerate() {
        check(run, index + 1)?;
        let order = order(&run.sizes);
        // check() has seen that the sizes fit.
        parts.push(base64(order.iter().flat_map(|&place| (run.sizes[place] as i16).to_le_bytes())));
        parts.push(floats(&picked(&order, &run.times)));
        parts.push(floats(&picked(&order, &run.costs)));

        let mark = |name: &str| match index {
            0 => format!("{name}:"),
            _ => format!("{name}.{index}:"),
        };
        for (name, values) in run.extras.lists() {
            if !values.is_empty() {
                extras.push(mark(name) + &floats(&picked(&order, values)));
            }
        }
        if let Some(size) = run.extras.current {
            extras.push(mark("current") + &size.to_string());
        }
        if let Some(about) = &run.extras.about {
            extras.push(mark("about") + &text(&about.text()));
        }
        if let Some(choice) = &run.extras.choice {
            extras.push(mark("choice") + &text(&choice.text()));
        }
    }
    if runs.len() > 1 || !runs[0].name.is_empty() {
        parts.extend(runs.iter().map(|run| text(&run.name)));
    }
    parts.append(&mut extras);
    for (name, value) in others {
        if !is_part_name(name) {
            return Err(UrlError::Part {
                part: name.chars().take(40).collect(),
                reason: "a part's name is lower-case letters and digits, starting with a letter",
            });
        }
        parts.push(format!("{name}:{}", text(value)));
    }
    Ok(parts.join(";"))
}

/// The value of the part [`super::CURVE`]: for each point MB and three durations in milliseconds, float32 in base64.
pub fn curve_part(points: impl IntoIterator<Item = [f32; 4]>) -> String {
    floats(&points.into_iter().flatten().collect::<Vec<f32>>())
}

fn text(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

fn floats(values: &[f32]) -> String {
    base64(values.iter().flat_map(|value| value.to_le_bytes()))
}

fn base64(bytes: impl Iterator<Item = u8>) -> String {
    Base64::encode_string(&bytes.collect::<Vec<u8>>())
}
