//! What is said about one size: the text under the cross-line, for eyes and for screen readers.

use super::View;
use super::html::{add, bdi, data, difference, key, milliseconds};
use super::marks::Marks;
use super::state::Shape;
use tuning::figures::duration;

impl View {
    /// The read-out of a size as HTML: one line per run that has it.
    pub fn readout(&self, size: u32) -> String {
        let (mut html, mut head) = (String::new(), format!("<strong>{size} MB</strong> "));
        if self.runs.len() > 1 {
            html = format!("<div>{head}<small>against {}</small></div>", bdi(&self.name(self.chosen())));
            head.clear();
        }
        for (index, point) in self.points_at(size) {
            let (run, marks) = (&self.runs[index], self.marks(index));
            let (time, price) = (run.times[point], run.costs[point]);
            html += "<div>";
            html += &std::mem::take(&mut head);
            let (mut to_time, mut to_price) = (
                format!("{} vs fastest", difference(time, run.times[marks.fastest])),
                format!("{} vs cheapest", difference(price, run.costs[marks.cheapest])),
            );
            if self.runs.len() > 1 {
                add(&mut html, format_args!("{} {}: ", key(index), bdi(&self.name(index))));
                (to_time, to_price) = self.versus(index, point);
            }
            let small = |text: String| match text.is_empty() {
                true => text,
                false => format!(" <small>({text})</small>"),
            };
            add(
                &mut html,
                format_args!(
                    "{}{}, {} per million{}",
                    milliseconds(time),
                    small(to_time),
                    data(price, &self.cost(price)),
                    small(to_price),
                ),
            );
            for (label, values) in [
                ("σ", &run.extras.stddev),
                ("p50", &run.extras.p50),
                ("p95", &run.extras.p95),
                ("cold start", &run.extras.cold),
            ] {
                if let Some(&value) = values.get(point).filter(|value| **value > 0.0) {
                    add(&mut html, format_args!(" · {label} {}", milliseconds(value)));
                }
            }
            if self.state.shape == Shape::Front && index == self.chosen() {
                add(&mut html, format_args!("<br>{}", self.step(point)));
            }
            html += "</div>";
        }
        html
    }

    /// What a point of the chosen run costs and saves against the next cheaper one that none beats, or which one beats it.
    fn step(&self, point: usize) -> String {
        let run = &self.runs[self.chosen()];
        let front = self.front(self.chosen());
        let Some(place) = front.iter().position(|other| *other == point) else {
            let beats = |other: &&usize| {
                run.times[**other] <= run.times[point] && run.costs[**other] <= run.costs[point]
            };
            let better = front.iter().find(beats).map_or(0, |other| run.sizes[*other]);
            return format!("{better} MB is not slower and not more expensive.");
        };
        let Some(&next) = front.get(place + 1) else {
            return "No size is cheaper.".to_owned();
        };
        let (saved, more) = (run.times[next] - run.times[point], run.costs[point] - run.costs[next]);
        format!(
            "{} less than with {} MB for {} more per million: {} for each millisecond.",
            duration(saved.into()),
            run.sizes[next],
            self.cost(more),
            self.cost(more / saved)
        )
    }

    /// The same in words, for `aria-valuetext`.
    pub fn spoken(&self, size: u32) -> String {
        let mut text = format!("{size} megabytes");
        for (index, point) in self.points_at(size) {
            let run = &self.runs[index];
            if self.runs.len() > 1 {
                add(&mut text, format_args!("; {}", self.name(index)));
            }
            add(
                &mut text,
                format_args!(
                    ", {}, {} per million",
                    duration(run.times[point].into()),
                    self.cost(run.costs[point])
                ),
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
    pub(crate) fn words_with(&self, marks: Marks, run: usize, point: usize) -> Vec<&'static str> {
        let current = self.runs[run].extras.current == Some(self.runs[run].sizes[point]);
        let own = self.runs[run].extras.choice.as_ref().map(|choice| choice.power);
        [
            (own == Some(self.runs[run].sizes[point]), "chosen"),
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
