//! What is said about one size: the text under the cross-line, for eyes and for screen readers.

use super::View;
use super::html::{bdi, data, difference, milliseconds};
use super::marks::Marks;
use crate::theme::COLOURS;
use tuning::figures::duration;

impl View {
    /// The read-out of a size as HTML: one line per run that has it.
    pub fn readout(&self, size: u32) -> String {
        let mut html = format!("<strong>{size} MB</strong>");
        for (index, point) in self.points_at(size) {
            let (run, marks) = (&self.runs[index], self.marks(index));
            let (time, price) = (run.times[point], run.costs[point]);
            html += "<div>";
            if self.runs.len() > 1 {
                html += &format!(
                    "<span class=\"key c{}\">●</span> {}: ",
                    index % COLOURS,
                    bdi(&self.name(index))
                );
            }
            html += &format!(
                "{} <small>({} to fastest)</small>, {} per million <small>({} to cheapest)</small>",
                milliseconds(time),
                difference(time, run.times[marks.fastest]),
                data(price, &self.cost(price)),
                difference(price, run.costs[marks.cheapest]),
            );
            for (label, values) in
                [("σ", &run.extras.stddev), ("p50", &run.extras.p50), ("p95", &run.extras.p95)]
            {
                if let Some(&value) = values.get(point) {
                    html += &format!(" · {label} {}", milliseconds(value));
                }
            }
            html += "</div>";
        }
        html
    }

    /// The same in words, for `aria-valuetext`.
    pub fn spoken(&self, size: u32) -> String {
        let mut text = format!("{size} megabytes");
        for (index, point) in self.points_at(size) {
            let run = &self.runs[index];
            if self.runs.len() > 1 {
                text += &format!("; {}", self.name(index));
            }
            text += &format!(
                ", {}, {} per million",
                duration(run.times[point].into()),
                self.cost(run.costs[point])
            );
            for word in self.words(index, point) {
                text += ", ";
                text += word;
            }
        }
        text
    }

    /// What a point is noted for.
    pub fn words(&self, run: usize, point: usize) -> Vec<&'static str> {
        self.words_with(self.marks(run), run, point)
    }

    /// [`Self::words`] with the marks at hand: finding them takes a walk over the whole run.
    pub(super) fn words_with(&self, marks: Marks, run: usize, point: usize) -> Vec<&'static str> {
        let current = self.runs[run].extras.current == Some(self.runs[run].sizes[point]);
        [
            (marks.cheapest == point, "cheapest"),
            (marks.fastest == point, "fastest"),
            (marks.balanced == point, "balanced"),
            (current, "current"),
        ]
        .into_iter()
        .filter_map(|(is, word)| is.then_some(word))
        .collect()
    }

    /// `(run, index)` of every visible point of a size.
    pub fn points_at(&self, size: u32) -> Vec<(usize, usize)> {
        let points = |(index, run): (usize, &tuning::url::Run)| {
            let first = run.sizes.partition_point(|&s| s < size);
            let end = run.sizes.partition_point(|&s| s <= size);
            (first..end).map(move |point| (index, point)).collect::<Vec<_>>()
        };
        self.shown().flat_map(points).collect()
    }
}
