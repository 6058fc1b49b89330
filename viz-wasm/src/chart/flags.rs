//! Flags: the chosen run's cheapest, fastest, balanced and current sizes, named above the plot. Flags that would touch
//! go on different rows.

use super::Scene;
use tuning::url::order;

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
}

/// How wide a letter is at most, in CSS pixels at the flags' size of text.
const LETTER: f64 = 6.6;

/// The flags, by size. None when markers are switched off or the chosen run is hidden.
pub(super) fn flags(scene: &Scene) -> Vec<Flag> {
    let chosen = scene.view.chosen();
    if !scene.view.state.shows("marks") || scene.view.state.run_hidden(chosen) {
        return Vec::new();
    }
    let (run, marks) = (&scene.view.runs[chosen], scene.view.marks(chosen));
    let mut named: Vec<(u32, String)> = Vec::new();
    let noted = [
        (Some(run.sizes[marks.cheapest]), "cheapest"),
        (Some(run.sizes[marks.fastest]), "fastest"),
        (Some(run.sizes[marks.balanced]), "balanced"),
        (run.extras.current, "current"),
    ];
    for (size, word) in noted {
        let Some(size) = size else { continue };
        match named.iter_mut().find(|(other, _)| *other == size) {
            Some((_, text)) => *text += &format!(" · {word}"),
            None => named.push((size, word.to_owned())),
        }
    }
    let by_size = order(&named.iter().map(|(size, _)| *size).collect::<Vec<_>>());

    let mut ends: Vec<i32> = Vec::new();
    by_size
        .into_iter()
        .map(|index| {
            let (size, text) = std::mem::take(&mut named[index]);
            let half = scene.px(text.len() as f64 * LETTER / 2.0);
            let middle = scene.column(size).min(scene.width as i32 - half).max(half);
            let row = ends.iter().position(|end| *end < middle - half).unwrap_or(ends.len());
            let end = middle + half + scene.px(6.0);
            match ends.get_mut(row) {
                Some(last) => *last = end,
                None => ends.push(end),
            }
            Flag { size, text, row: row as i32, middle }
        })
        .collect()
}
