//! Flags: the chosen run's cheapest, fastest, balanced and current sizes, and the one that the run chose, named above the plot. Flags
//! that would touch go on different rows.

use super::frame::Frame;
use crate::view::View;

/// One flag.
#[derive(Debug, Clone, PartialEq)]
pub struct Flag {
    /// Its size in MB.
    pub size: u32,
    /// What it says.
    pub text: String,
    /// Rows above the plot, from 0.
    pub row: i32,
    /// The middle of its text.
    pub middle: i32,
    /// Half of its text's width, at most.
    pub half: i32,
}

/// How wide a letter is at most, in CSS pixels at the flags' size of text.
pub(super) const LETTER: f64 = 6.6;

/// The flags, by size; `column` says where a size is. None when markers are switched off or the chosen run is hidden.
pub(super) fn flags(view: &View, frame: Frame, column: impl Fn(u32) -> i32) -> Vec<Flag> {
    let chosen = view.chosen();
    if !view.state.shows("marks") || view.state.run_hidden(chosen) {
        return Vec::new();
    }
    let (run, marks) = (&view.runs[chosen], view.marks(chosen));
    let mut named: Vec<(u32, String)> = Vec::new();
    let noted = [
        (run.extras.choice.as_ref().map(|choice| choice.power), "chosen"),
        (Some(run.sizes[marks.cheapest]), "cheapest"),
        (Some(run.sizes[marks.fastest]), "fastest"),
        (Some(run.sizes[marks.balanced]), "balanced"),
        (run.extras.current, "current"),
    ];
    for (size, word) in noted {
        let Some(size) = size else { continue };
        // The program's own choice is among the measured sizes; what else a link says has no place on the axis.
        if word == "chosen" && run.sizes.binary_search(&size).is_err() {
            continue;
        }
        match named.binary_search_by_key(&size, |(size, _)| *size) {
            Ok(index) => named[index].1 += &format!(" · {word}"),
            Err(index) => named.insert(index, (size, format!("{size} MB {word}"))),
        }
    }

    let mut ends: Vec<i32> = Vec::new();
    named
        .into_iter()
        .map(|(size, text)| {
            let half = frame.px(text.chars().count() as f64 * LETTER / 2.0);
            let middle = column(size).min(frame.width as i32 - half).max(half);
            let row = ends.iter().position(|end| *end < middle - half).unwrap_or(ends.len());
            let end = middle + half + frame.px(6.0);
            match ends.get_mut(row) {
                Some(last) => *last = end,
                None => ends.push(end),
            }
            Flag { size, text, row: row as i32, middle, half }
        })
        .collect()
}
