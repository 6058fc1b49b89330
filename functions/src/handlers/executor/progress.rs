//! What an Executor hands itself from pass to pass.

use std::sync::LazyLock;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tuning::search::{End, Sample};
use tuning::stats::{Measurement, Measurements};

use super::disturbed::Disturbed;
use crate::function_api::invoke::Retries;

/// How far a power value has come. Small: 10,000 invocations in series take at most 120 KB of the state's 256.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Progress {
    /// What was measured so far.
    pub measurements: Measurements,
    /// The same one by one, for the search.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<Sample>,
    /// What was measured on the second of two processors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other: Option<Box<Other>>,
    /// Why the function's code does not start, on the first and the second processor.
    #[serde(skip_serializing_if = "starts")]
    pub cannot_start: [Option<String>; 2],
    /// The indices of the invocations that were made, as ranges `[first, last]`, ascending.
    done: Vec<(u32, u32)>,
    /// How often the Executor was entered for this power value.
    pub passes: u32,
    /// How many of them were short, to tell how far they are.
    #[serde(skip_serializing_if = "is_zero")]
    pub reports: u32,
    /// The invocations those made.
    #[serde(skip_serializing_if = "is_zero")]
    reported: u32,
    /// The part of the pause before each lane's next invocation that is still to come, in ms; 0 where nothing is said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pauses_left_ms: Vec<u64>,
    /// The longest an invocation has taken so far, processors included, in ms.
    pub longest_ms: u64,
    /// For how long no invocation could be started, in ms.
    stalled_ms: u64,
    /// How many starts AWS refused, or did not hear of, that were tried again.
    #[serde(skip_serializing_if = "is_zero")]
    pub retries: u32,
    /// Why the last of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    retried_for: Option<String>,
    /// How many invocations crashed.
    #[serde(skip_serializing_if = "is_zero")]
    pub crashes: u32,
    /// What Lambda said of the first of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crash: Option<String>,
    /// What other work on the machine disturbed.
    #[serde(skip_serializing_if = "Disturbed::is_nothing")]
    pub disturbed: Disturbed,
    /// Why the last lost answer was lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost_reason: Option<String>,
}

/// What was measured on the second of two processors.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Other {
    /// What was measured so far.
    pub measurements: Measurements,
    /// The same one by one.
    pub samples: Vec<Sample>,
}

fn starts(cannot: &[Option<String>; 2]) -> bool {
    cannot.iter().all(Option::is_none)
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Progress {
    /// The number of invocations that were made.
    pub fn made(&self) -> u32 {
        self.done.iter().map(|(first, last)| last - first + 1).sum()
    }

    /// What was measured, on whichever processor.
    pub fn all(&self) -> impl Iterator<Item = Measurement> {
        let other = self.other.iter().flat_map(|other| other.measurements.iter());
        self.measurements.iter().chain(other)
    }

    /// What was measured on the first or the second processor.
    pub fn measurements_of(&self, side: usize) -> &Measurements {
        static NOTHING: LazyLock<Measurements> = LazyLock::new(Measurements::new);
        match side {
            0 => &self.measurements,
            _ => self.other.as_ref().map_or(&NOTHING, |other| &other.measurements),
        }
    }

    /// Where to keep what an invocation took on the first or the second processor.
    pub fn of_side(&mut self, side: usize) -> (&mut Measurements, &mut Vec<Sample>) {
        match side {
            0 => (&mut self.measurements, &mut self.samples),
            _ => {
                let other = self.other.get_or_insert_default();
                (&mut other.measurements, &mut other.samples)
            }
        }
    }

    /// The invocations still to be made, of `num`.
    pub fn remaining(&self, num: u32) -> Vec<u32> {
        let mut remaining = Vec::new();
        let mut next = 0;
        for &(first, last) in &self.done {
            remaining.extend(next..first.min(num));
            next = last.saturating_add(1);
        }
        remaining.extend(next..num);
        remaining
    }

    /// Records that an invocation was made.
    pub fn finish(&mut self, index: u32) {
        let place = self.done.partition_point(|&(first, _)| first <= index);
        let joins_next = self.done.get(place).is_some_and(|&(first, _)| first == index + 1);
        let joins_last = place.checked_sub(1).filter(|&before| self.done[before].1 + 1 == index);
        match (joins_last, joins_next) {
            (Some(before), true) => {
                self.done[before].1 = self.done[place].1;
                self.done.remove(place);
            }
            (Some(before), false) => self.done[before].1 = index,
            (None, true) => self.done[place].0 = index,
            (None, false) => self.done.insert(place, (index, index)),
        }
    }

    /// What is left of the pause before a lane's next invocation.
    pub fn pause_left(&self, lane: usize) -> Duration {
        Duration::from_millis(self.pauses_left_ms.get(lane).copied().unwrap_or_default())
    }

    /// Records what is left of the pause before a lane's next invocation.
    pub fn note_pause(&mut self, lane: usize, left: Duration) {
        if self.pause_left(lane) != left {
            let lanes = self.pauses_left_ms.len().max(lane + 1);
            self.pauses_left_ms.resize(lanes, 0);
            self.pauses_left_ms[lane] = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        }
    }

    /// Counts a pass in which nothing came of anything; a pause that went by is something.
    pub fn note_stall(&mut self, before: &Self, elapsed: Duration) {
        if self.done == before.done && self.pauses_left_ms == before.pauses_left_ms {
            self.stalled_ms += u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        } else {
            self.stalled_ms = 0;
        }
    }

    /// Takes on what a pass had to try again.
    pub fn note_retries(&mut self, of_pass: &Retries) {
        let (count, last) = of_pass.told();
        self.retries += count;
        self.retried_for = last.or_else(|| self.retried_for.take());
    }

    /// Counts a pass that ended early to tell how far it is.
    pub fn note_report(&mut self, before: &Self) {
        self.reports += 1;
        self.reported += self.made() - before.made();
        self.stalled_ms = 0;
    }

    /// Keeps an invocation that the size is too small for.
    pub fn note_too_small(&mut self, index: u32, timed_out: bool, timeout: Duration) {
        let ms = timeout.as_secs_f64() * 1e3;
        let measurement = Measurement { duration_ms: ms, billed_ms: ms as u64, cold_start_ms: None };
        let end = if timed_out { End::TimedOut } else { End::OutOfMemory };
        self.samples.push(Sample { index, measurement, max_memory: 0, end });
    }

    /// How many passes all `num` invocations take, those that were made among them, if the others get as far as those that lasted as long
    /// as they could.
    pub fn passes_for(&self, num: u32) -> u64 {
        let full = u64::from(self.passes - self.reports);
        let made = u64::from(self.made() - self.reported);
        let left = u64::from(num.saturating_sub(self.made()));
        let further = if made == 0 { 0 } else { (full * left).div_ceil(made) };
        u64::from(self.passes) + further
    }

    /// For how long no invocation could be started.
    pub fn stalled(&self) -> Duration {
        Duration::from_millis(self.stalled_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_the_order_the_rest_is_known() {
        let mut progress = Progress::default();
        for index in [0, 1, 5, 3, 4, 9] {
            progress.finish(index);
        }
        assert_eq!(progress.done, [(0, 1), (3, 5), (9, 9)]);
        assert_eq!(progress.remaining(12), [2, 6, 7, 8, 10, 11]);
        progress.finish(2);
        assert_eq!(progress.done, [(0, 5), (9, 9)]);
        for index in 6..12 {
            progress.finish(if index == 9 { 11 } else { index });
        }
        assert_eq!(progress.remaining(12), Vec::<u32>::new());
    }

    #[test]
    fn a_series_stays_one_range() {
        let mut progress = Progress::default();
        (0..10_000).for_each(|index| progress.finish(index));
        assert_eq!(progress.done, [(0, 9_999)]);
    }

    #[test]
    fn passes_are_reckoned_from_those_that_were_made() {
        let mut progress = Progress { passes: 2, ..Progress::default() };
        assert_eq!(progress.passes_for(100), 2, "nothing was made that would tell");
        (0..3).for_each(|index| progress.finish(index));
        assert_eq!(progress.passes_for(3), 2);
        assert_eq!(progress.passes_for(100), 67);
    }

    #[test]
    fn a_pass_that_was_short_to_tell_how_far_it_is_does_not_count_as_a_measure() {
        let mut progress = Progress { passes: 1, ..Progress::default() };
        let before = progress.clone();
        progress.finish(0);
        progress.note_report(&before);
        assert_eq!(progress.passes_for(1000), 1, "no pass lasted long enough to tell");
        progress.passes += 1;
        (1..11).for_each(|index| progress.finish(index));
        assert_eq!(progress.passes_for(1000), 2 + 99);
    }

    #[test]
    fn only_passes_without_any_progress_add_up() {
        let mut progress = Progress::default();
        let minute = Duration::from_secs(60);
        progress.note_stall(&progress.clone(), minute);
        progress.note_stall(&progress.clone(), minute);
        assert_eq!(progress.stalled(), minute * 2);
        let before = progress.clone();
        progress.finish(0);
        progress.note_stall(&before, minute);
        assert_eq!(progress.stalled(), Duration::ZERO);
    }
}
