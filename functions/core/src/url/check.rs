//! The rules that hold in both directions, so that whatever is written can be read.

use super::error::UrlError;
use std::collections::BinaryHeap;

use super::run::{MAX_POINTS, MAX_SIZE, Run};

/// Whether a number is a memory size that a link can hold.
pub(super) fn is_size(size: u32) -> bool {
    (1..=MAX_SIZE).contains(&size)
}

/// Whether a run makes a chart. `number` is its place in the link, from 1.
pub(super) fn check(run: &Run, number: usize) -> Result<(), UrlError> {
    let points = run.sizes.len();
    if points == 0 {
        return Err(UrlError::NoPoints { run: number });
    }
    if points > MAX_POINTS {
        return Err(UrlError::TooManyPoints { run: number, points });
    }
    for (index, &size) in run.sizes.iter().enumerate() {
        if !is_size(size) {
            return Err(UrlError::Size { run: number, position: index + 1, value: size.into() });
        }
    }
    amounts(number, "times", points, &run.times)?;
    amounts(number, "costs", points, &run.costs)?;
    for (part, values) in run.extras.lists() {
        if !values.is_empty() {
            amounts(number, part, points, values)?;
        }
    }
    match run.extras.current {
        Some(size) if !is_size(size) => {
            Err(UrlError::Part { part: format!("current:{size}"), reason: "a memory size in MB is expected" })
        }
        _ => Ok(()),
    }
}

pub(super) fn amounts(run: usize, part: &'static str, sizes: usize, values: &[f32]) -> Result<(), UrlError> {
    if values.len() != sizes {
        return Err(UrlError::Lengths { run, part, sizes, values: values.len() });
    }
    for (index, &value) in values.iter().enumerate() {
        if !value.is_finite() || value < 0.0 {
            return Err(UrlError::Amount { run, part, position: index + 1, value });
        }
    }
    Ok(())
}

/// The places of points by their sizes, ascending; equal sizes keep their order.
pub(super) fn order(sizes: &[u32]) -> Vec<usize> {
    // The page sorts with this, too, and has no other way to.
    let order: BinaryHeap<(u64, usize)> = sizes.iter().map(|&size| size.into()).zip(0..).collect();
    order.into_sorted_vec().into_iter().map(|(_, place)| place).collect()
}

/// The values at these places; none of an empty list.
pub(super) fn picked<T: Copy>(places: &[usize], values: &[T]) -> Vec<T> {
    places.iter().filter_map(|&place| values.get(place).copied()).collect()
}

/// Whether a word can name an optional part: lower-case letters and digits, a letter first.
pub(super) fn is_part_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
}
