//! Text to runs. The text comes from anybody: nothing here may panic or take long.

use super::check::{amounts, check, is_part_name, is_size, order, picked};
use super::error::UrlError;
use super::run::{About, Choice, Extras, Link, MAX_POINTS, MAX_RUNS, Run};
use base64ct::{Base64, Encoding as _};
use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// The runs in a fragment (with or without its `#`), each sorted by size.
///
/// # Errors
/// [`UrlError`] says which part of which run is wrong and why.
pub fn decode(hash: &str) -> Result<Vec<Run>, UrlError> {
    decode_link(hash).map(|link| link.runs)
}

/// [`decode`], with the optional parts that are not a run's.
///
/// # Errors
/// As [`decode`].
pub fn decode_link(hash: &str) -> Result<Link, UrlError> {
    let hash = hash.trim().trim_start_matches('#');
    if hash.is_empty() {
        return Err(UrlError::Empty);
    }
    let hash = if hash.bytes().any(|byte| byte == b';') {
        Cow::Borrowed(hash)
    } else {
        // Some programs escape the whole fragment.
        decoded(hash)
    };
    let (named, positional): (Vec<&str>, Vec<&str>) =
        hash.split(';').partition(|part| split_part(part).is_some());

    let mut link = Link { runs: positional_runs(&positional)?, others: Vec::new() };
    for part in named {
        if let Some((name, index, value)) = split_part(part) {
            optional(&mut link, name, index, value);
        }
    }
    for (index, run) in link.runs.iter_mut().enumerate() {
        check(run, index + 1)?;
        let order = order(&run.sizes);
        run.sizes = picked(&order, &run.sizes);
        let lists = run.extras.lists_mut().map(|(_, list)| list);
        for list in lists.into_iter().chain([&mut run.times, &mut run.costs]) {
            *list = picked(&order, list);
        }
    }
    Ok(link)
}

/// The points in the value of the part [`super::CURVE`]: MB and three durations in milliseconds. None for a value that is none.
pub fn curve_points(value: &str) -> Vec<[f32; 4]> {
    let values = floats(1, super::CURVE, value).unwrap_or_default();
    let points = values.as_chunks::<4>().0;
    let sound = |point: &[f32; 4]| point.iter().all(|value| value.is_finite() && *value >= 0.0);
    if points.len() <= MAX_POINTS && points.iter().all(sound) { points.to_vec() } else { Vec::new() }
}

/// A text without its percent signs; as it is, if what they stand for is no text.
fn decoded(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8().unwrap_or(Cow::Borrowed(text))
}

fn positional_runs(parts: &[&str]) -> Result<Vec<Run>, UrlError> {
    let count = match parts.len() {
        3 => 1,
        n if n > 0 && n % 4 == 0 => n / 4,
        n => return Err(UrlError::PartCount(n)),
    };
    if count > MAX_RUNS {
        return Err(UrlError::TooManyRuns(count));
    }
    let (triples, names) = parts.split_at(3 * count);
    triples
        .chunks_exact(3)
        .enumerate()
        .map(|(index, triple)| {
            let number = index + 1;
            let name = names.get(index).copied().unwrap_or_default();
            Ok(Run {
                name: decoded(name).into_owned(),
                sizes: sizes(number, triple[0])?,
                times: floats(number, "times", triple[1])?,
                costs: floats(number, "costs", triple[2])?,
                extras: Extras::default(),
            })
        })
        .collect()
}

/// Puts one optional part where it belongs. None for one that is damaged: it costs only itself.
fn optional(link: &mut Link, name: &str, index: usize, value: &str) -> Option<()> {
    let ours = ["current", "about", "choice"].contains(&name) || Extras::default().list_mut(name).is_some();
    let text = || decoded(value).into_owned();
    if !ours {
        link.others.push((name.to_owned(), text()));
        return Some(());
    }
    let run = link.runs.get_mut(index)?;
    match name {
        "current" => run.extras.current = value.parse().ok().filter(|size| is_size(*size)),
        "about" => run.extras.about = About::read(&text()),
        "choice" => run.extras.choice = Choice::read(&text()),
        _ => {
            let values = floats(index + 1, "amounts", value).ok()?;
            amounts(index + 1, "amounts", run.sizes.len(), &values).ok()?;
            *run.extras.list_mut(name)? = values;
        }
    }
    Some(())
}

/// `name:value` or `name.2:value`; `None` for sizes, times, costs and names of runs.
fn split_part(part: &str) -> Option<(&str, usize, &str)> {
    let (head, value) = part.split_once(':')?;
    let (name, index) = match head.split_once('.') {
        None => (head, 0),
        Some((name, index)) => (name, index.parse().ok()?),
    };
    is_part_name(name).then_some((name, index, value))
}

fn sizes(run: usize, text: &str) -> Result<Vec<u32>, UrlError> {
    let bytes = bytes(run, "sizes", 2, text)?;
    bytes
        .as_chunks::<2>()
        .0
        .iter()
        .enumerate()
        .map(|(index, &chunk)| {
            let value = i16::from_le_bytes(chunk);
            u32::try_from(value).map_err(|_| UrlError::Size { run, position: index + 1, value: value.into() })
        })
        .collect()
}

fn floats(run: usize, part: &'static str, text: &str) -> Result<Vec<f32>, UrlError> {
    let bytes = bytes(run, part, 4, text)?;
    Ok(bytes.as_chunks::<4>().0.iter().map(|&chunk| f32::from_le_bytes(chunk)).collect())
}

fn what_is_wrong(text: &str) -> String {
    match text.chars().find(|&c| !(c.is_ascii_alphanumeric() || c == '+' || c == '/' || c == '=')) {
        Some(c) => format!("'{c}' does not occur in it"),
        None => "its end is missing or damaged".to_owned(),
    }
}

/// The bytes of one part, a whole number of values of `width`.
fn bytes(run: usize, part: &'static str, width: usize, text: &str) -> Result<Vec<u8>, UrlError> {
    // Neither '%' nor a space is in the alphabet: they can only be a mangled '=', '/' or '+'.
    let text = decoded(text).replace(' ', "+");
    // Chat programs cut the '=' at an address's end off.
    let whole = text.trim_end_matches('=');
    let padded = format!("{whole:=<width$}", width = whole.len().next_multiple_of(4));
    let bytes = Base64::decode_vec(&padded).map_err(|_| UrlError::NotBase64 {
        run,
        part,
        reason: what_is_wrong(&text),
    })?;
    if bytes.len() % width != 0 {
        return Err(UrlError::NotWhole { run, part, bytes: bytes.len(), width });
    }
    Ok(bytes)
}
