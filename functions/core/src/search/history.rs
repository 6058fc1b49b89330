//! The invocations of a search as they travel in the state machine's state: about 30 bytes each, nothing derived.

use super::{Call, End};
use crate::stats::{Measurement, Measurements};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The invocations of one size in one round.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Batch {
    /// Memory size in MB.
    pub size: u32,
    /// The round, from 0.
    pub round: u32,
    /// How many were made at the same time: invocation `i` was made by lane `i % lanes`.
    pub lanes: u32,
    /// What became of them.
    pub samples: Vec<Sample>,
    /// How many ended in an exception that the user allows.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub errors: u32,
    /// Invocations whose answer was lost on the way.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost: u32,
    /// Of cold starts in bursts: how many met a warm environment. They are in no figure but the cost.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub warm: u32,
    /// How many were made again since other work on the machine disturbed them, how many such were counted, and what those lost in ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disturbed: Option<(u32, u32, f64)>,
    /// How many passes the Executor needed.
    pub passes: u32,
    /// Why the size cannot run the function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// What they cost, without the request fee.
    pub cost: f64,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// One invocation; as JSON a list of its fields.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "Fields", into = "Fields")]
pub struct Sample {
    /// Which of the batch's, from 0.
    pub index: u32,
    /// What it took.
    pub measurement: Measurement,
    /// The most memory it used, in MB; 0 when not known.
    pub max_memory: u32,
    /// How it ended.
    pub end: End,
}

/// Index, duration in µs, billed ms, cold start in µs, MB, end.
type Fields = (u32, u64, u64, Option<u64>, u32, u8);

impl From<Fields> for Sample {
    fn from((index, duration, billed_ms, cold, max_memory, end): Fields) -> Self {
        let ms = |us: u64| us as f64 / 1000.0;
        let end = match end {
            0 => End::Answered,
            1 => End::OutOfMemory,
            _ => End::TimedOut,
        };
        let measurement = Measurement { duration_ms: ms(duration), billed_ms, cold_start_ms: cold.map(ms) };
        Self { index, measurement, max_memory, end }
    }
}

impl From<Sample> for Fields {
    fn from(sample: Sample) -> Self {
        let us = |ms: f64| (ms * 1000.0).round() as u64;
        let Measurement { duration_ms, billed_ms, cold_start_ms } = sample.measurement;
        let end = match sample.end {
            End::Answered => 0,
            End::OutOfMemory => 1,
            End::TimedOut => 2,
        };
        (sample.index, us(duration_ms), billed_ms, cold_start_ms.map(us), sample.max_memory, end)
    }
}

impl Batch {
    /// What was measured, for the figures of the size; not what killed or timed out.
    pub fn measurements(&self) -> Measurements {
        let mut measurements = Measurements::new();
        let answered = self.samples.iter().filter(|sample| sample.end == End::Answered);
        answered.for_each(|sample| measurements.push(sample.measurement));
        measurements.errors = self.errors;
        measurements.lost = self.lost;
        measurements
    }
}

/// The invocations of all batches, as [`super::next`] takes them.
#[must_use]
pub fn calls(batches: &[Batch]) -> Vec<Call> {
    let mut batches: Vec<&Batch> = batches.iter().collect();
    batches.sort_by_key(|batch| (batch.round, batch.size));
    // How many invocations each lane of a size has made.
    let mut made: BTreeMap<(u32, u32), u32> = BTreeMap::new();
    let mut calls = Vec::new();
    for batch in batches {
        let lanes = batch.lanes.max(1);
        let mut samples = batch.samples.clone();
        samples.sort_by_key(|sample| sample.index);
        for sample in samples {
            let lane = sample.index % lanes;
            let index = made.entry((batch.size, lane)).or_default();
            let Measurement { duration_ms, cold_start_ms, .. } = sample.measurement;
            calls.push(Call {
                size: batch.size,
                round: batch.round,
                lane,
                index: *index,
                ms: duration_ms - cold_start_ms.unwrap_or_default(),
                cold: cold_start_ms.is_some(),
                end: sample.end,
                max_memory: sample.max_memory.into(),
            });
            *index += 1;
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(index: u32, cold: Option<f64>) -> Sample {
        let measurement = Measurement { duration_ms: 12.5, billed_ms: 13, cold_start_ms: cold };
        Sample { index, measurement, max_memory: 60, end: End::Answered }
    }

    fn batch(round: u32, lanes: u32, samples: Vec<Sample>) -> Batch {
        Batch { size: 512, round, lanes, samples, passes: 1, ..Batch::default() }
    }

    #[test]
    fn a_lane_goes_on_counting_in_the_next_round() {
        let first = batch(0, 2, vec![sample(1, Some(2.5)), sample(0, Some(2.5)), sample(2, None)]);
        let second = batch(1, 3, vec![sample(0, None), sample(2, Some(2.5))]);
        let calls = calls(&[second, first]);
        let said: Vec<_> = calls.iter().map(|call| (call.round, call.lane, call.index, call.cold)).collect();
        assert_eq!(
            said,
            [(0, 0, 0, true), (0, 1, 0, true), (0, 0, 1, false), (1, 0, 2, false), (1, 2, 0, true)]
        );
        assert_eq!((calls[0].ms, calls[2].ms), (10.0, 12.5));
    }

    #[test]
    fn samples_travel_as_short_lists() {
        let batch = batch(0, 2, vec![sample(0, Some(2.5)), sample(1, None)]);
        let text = serde_json::to_string(&batch).unwrap();
        assert!(text.contains("[[0,12500,13,2500,60,0],[1,12500,13,null,60,0]]"), "{text}");
        assert_eq!(serde_json::from_str::<Batch>(&text).unwrap(), batch);
        assert_eq!(batch.measurements().len(), 2);
    }
}
