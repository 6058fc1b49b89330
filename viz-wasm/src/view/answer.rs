//! The answer: which size to choose, what it saves, and how sure that is. The words are those of the terminal.

use super::View;
use super::html::{add, bdi, difference, escape};
use tuning::figures;
use tuning::search::Confidence;
use tuning::sentence::{self, Change, Named};
use tuning::strategy::{Candidate, Strategy};
use tuning::url::{Choice, LIMIT, Run};

/// Sizes that differ by no more than this share are as good as each other.
const EQUAL: f32 = 0.01;

impl View {
    /// The size of the chosen run to choose, as its place in the run's lists, and what the program chose it by: the cheapest where the link does
    /// not say.
    fn choice(&self) -> (usize, Option<&Choice>) {
        let index = self.chosen();
        let run = &self.runs[index];
        let own = run.extras.choice.as_ref();
        let found = own.and_then(|own| Some((run.sizes.binary_search(&own.power).ok()?, own)));
        found.map_or_else(|| (self.marks(index).cheapest, None), |(point, own)| (point, Some(own)))
    }

    /// The place of the size that the function had before the run, if that was measured.
    fn present(&self) -> Option<usize> {
        let run = &self.runs[self.chosen()];
        run.sizes.binary_search(&run.extras.current?).ok()
    }

    /// The recommendation: "thumbnails should have 512 MB, the cheapest". Of several runs, the best of the others against the chosen one.
    pub fn answer(&self) -> String {
        if self.runs.len() > 1 {
            return self.comparison();
        }
        let run = &self.runs[self.chosen()];
        let (point, own) = self.choice();
        let size = run.sizes[point];
        let Some(own) = own else { return format!("{size} MB is the cheapest size measured") };
        let about = run.extras.about.as_ref();
        let why = match (own.sure.as_slice(), own.by.parse()) {
            (&[kept], _) if own.by == LIMIT && kept < 500 => ", the likeliest to keep the latency limit",
            _ if own.by == LIMIT => ", the cheapest that keeps the latency limit",
            // Where sizes were searched for, how sure it is stands in a sentence of its own.
            (_, Ok(strategy)) if about.is_none_or(|about| about.num.is_some()) => sentence::why(strategy),
            _ => "",
        };
        let function = about.map_or("", |about| about.function.as_str());
        sentence::recommendation(if function.is_empty() { "The function" } else { function }, size, why)
    }

    /// What the recommendation changes: "Now 128 MB → 512 MB: 3 % cheaper, 76 % faster." Empty for several runs.
    pub fn change(&self) -> String {
        let run = &self.runs[self.chosen()];
        let (point, size) = (self.choice().0, run.extras.current);
        match (self.present(), size) {
            _ if self.runs.len() > 1 => String::new(),
            (Some(present), _) if present == point => "That is what it has already.".to_owned(),
            (Some(present), _) => {
                let change = Change::new(candidate(run, present), candidate(run, point));
                format!("Now {} MB → {} MB: {}.", run.sizes[present], run.sizes[point], change.summary())
            }
            (None, Some(size)) => format!("The {size} MB it has now was not measured."),
            (None, None) => format!(
                "{} on average and {} per million invocations.",
                figures::duration(run.times[point].into()),
                self.cost(run.costs[point])
            ),
        }
    }

    fn comparison(&self) -> String {
        let base = self.chosen();
        let best = |index: usize| self.marks(index).cheapest;
        let others = (0..self.runs.len()).filter(|index| *index != base && !self.state.run_hidden(*index));
        let price = |index: usize| self.runs[index].costs[best(index)];
        let name = sentence::short(&self.name(base));
        let Some(other) = others.min_by(|a, b| price(*a).total_cmp(&price(*b))) else {
            return format!("{name}: the cheapest size is {} MB", self.runs[base].sizes[best(base)]);
        };
        let named = |name, index: usize| Named {
            name,
            power: self.runs[index].sizes[best(index)],
            figures: candidate(&self.runs[index], best(index)),
        };
        let beside = sentence::short(&self.name(other));
        sentence::compared(named(&beside, other), named(&name, base))
    }

    /// What was measured: region, processor, day and how often, after the function where the answer does not name it.
    pub fn subject(&self) -> String {
        let about = match &self.runs[self.chosen()].extras.about {
            Some(about) if self.runs.len() == 1 => about,
            _ => return "Power tuning".to_owned(),
        };
        let function = if self.choice().1.is_some() { "" } else { about.function.as_str() };
        let num = about.num.map(|num| format!("{num} invocations of each size")).unwrap_or_default();
        let mut text = String::new();
        for field in [function, &about.region, &about.architecture, &about.date, &num] {
            if !field.is_empty() {
                if !text.is_empty() {
                    text += " · ";
                }
                text += field;
            }
        }
        text
    }

    /// How many invocations a month has, for the field.
    pub fn month_text(&self) -> String {
        self.state.month.map(|month| figures::fixed(month.into(), 0)).unwrap_or_default()
    }

    /// As HTML: what a month costs; what a million invocations cost while it is not known how many a month has.
    pub fn monthly(&self) -> String {
        let run = &self.runs[self.chosen()];
        let (point, present) = (self.choice().0, self.present());
        let (times, about) = match self.state.month {
            Some(month) => (f64::from(month), "about "),
            None => (1e6, "each million costs "),
        };
        let cost = |point: usize| f64::from(run.costs[point]) * times;
        let before = present.map(cost);
        let saving = before.map(|before| before - cost(point));
        let size = present.map(|present| run.sizes[present]);
        let mut text =
            about.to_owned() + &sentence::month(cost(point), before, saving, size, self.currency.symbol());
        if self.runs.len() > 1 {
            add(
                &mut text,
                format_args!(" with {} at {} MB", bdi(&self.name(self.chosen())), run.sizes[point]),
            );
        }
        text
    }

    /// How sure the choice is.
    pub fn sure(&self) -> String {
        let run = &self.runs[self.chosen()];
        let share = |thousandths: u32| f64::from(thousandths) / 1000.0;
        let (point, own) = self.choice();
        let (size, by) = (run.sizes[point], own.map_or("cost", |own| own.by.as_str()));
        match own.map(|own| own.sure.as_slice()) {
            Some(&[within1, within3, within5]) => {
                let sure =
                    Confidence { within1: share(within1), within3: share(within3), within5: share(within5) };
                format!("{}.", sure.sentence(size, by.parse().unwrap_or(Strategy::Cost)))
            }
            Some(&[kept]) => {
                format!(
                    "{} % sure that it keeps the limit.",
                    figures::fixed((share(kept) * 100.0).floor(), 0)
                )
            }
            _ => {
                let list = if by == "speed" { &run.times } else { &run.costs };
                let near = list.iter().zip(&run.sizes).filter(|(value, other)| {
                    by != "balanced" && **other != size && (**value / list[point] - 1.0).abs() <= EQUAL
                });
                let near: Vec<String> = near.map(|(_, other)| format!("{other} MB")).collect();
                match near.is_empty() {
                    true => "How sure that is, the link does not say.".to_owned(),
                    false => {
                        format!("{size} MB and {} are equal within 1 %, by their averages.", near.join(", "))
                    }
                }
            }
        }
    }

    /// The latency limit, for the field.
    pub fn limit_text(&self) -> String {
        self.state.limit.as_ref().map(|(ms, _)| ms.to_string()).unwrap_or_default()
    }

    /// The sizes of the chosen run that keep the latency limit.
    pub fn kept(&self) -> String {
        let Some((ms, percentile)) = &self.state.limit else { return String::new() };
        let run = &self.runs[self.chosen()];
        let (what, list) = match percentile.as_str() {
            "50" if !run.extras.p50.is_empty() => ("p50", &run.extras.p50),
            "" | "95" if !run.extras.p95.is_empty() => ("p95", &run.extras.p95),
            "" => ("average", &run.times),
            other => return format!("The limit is on p{}, which the link does not have.", escape(other)),
        };
        let kept = run.sizes.iter().zip(list).filter(|(_, time)| f64::from(**time) <= f64::from(*ms));
        let kept: Vec<String> = kept.map(|(size, _)| size.to_string()).collect();
        let limit = figures::duration(f64::from(*ms));
        match kept.is_empty() {
            true => format!("No size has its {what} within {limit}."),
            false => format!("{what} within {limit}: {} MB.", kept.join(", ")),
        }
    }

    /// One sentence: what the ends of the range are.
    pub fn summary(&self) -> String {
        let index = self.chosen();
        let (run, marks) = (&self.runs[index], self.marks(index));
        let subject =
            if self.runs.len() > 1 { format!("{}: ", bdi(&self.name(index))) } else { String::new() };
        if marks.cheapest == marks.fastest {
            return format!(
                "{subject}{} MB is the cheapest and the fastest size measured.",
                run.sizes[marks.cheapest]
            );
        }
        format!(
            "{subject}{} MB is the cheapest size, {} MB the fastest (duration: {}, cost: {}).",
            run.sizes[marks.cheapest],
            run.sizes[marks.fastest],
            difference(run.times[marks.fastest], run.times[marks.cheapest]),
            difference(run.costs[marks.fastest], run.costs[marks.cheapest]),
        )
    }
}

fn candidate(run: &Run, point: usize) -> Candidate {
    Candidate { cost: run.costs[point].into(), duration: run.times[point].into() }
}
