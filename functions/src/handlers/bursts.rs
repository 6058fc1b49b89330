//! Cold starts in bursts: all invocations of a power value at once, each of which gets an environment of its own where none is free.
//!
//! Those that met a warm environment all the same are made again in another round, on one more version or copy, whose environments are
//! all new. A round spreads its invocations over so many of them that each has no more than were cold on one the last time, so few rounds
//! do, however fast the function answers. Rounds are those of a search ([`crate::run::Search`]), and the same states make them.

use std::collections::BTreeSet;

use tuning::input::Input;
use tuning::output::{Stat, StoppedBy};
use tuning::pricing::LambdaPrice;
use tuning::search::{Batch, End};

use crate::copies;
use crate::error::{Error, Kind};
use crate::run::{Run, Search, Spread, Work};

/// Invocations of a power value that are still to be made.
struct Todo {
    power: u32,
    /// Which of the input's; empty for all.
    which: Vec<u32>,
    num: u32,
    /// Over how many versions or copies they are spread.
    over: u32,
}

/// The first round, in which no more than `most` invocations are under way at once.
pub fn begin(input: &Input, power_values: &[u32], most: u32, budget: Option<f64>) -> Search {
    let num = input.invocations();
    let todo = |power: &u32| Todo { power: *power, which: Vec::new(), num, over: num.div_ceil(most.max(1)) };
    let todo: Vec<Todo> = power_values.iter().map(todo).collect();
    let mut search = Search { bursts: true, ..Search::default() };
    enter(&mut search, &todo, most, budget);
    search
}

/// Takes in what a round's Executors measured. Warm invocations are in no figure, but they have cost something.
pub fn take_in(search: &mut Search, batches: Vec<Batch>) {
    for (mut batch, work) in batches.into_iter().zip(&search.blocks) {
        let made = u32::try_from(batch.samples.len()).unwrap_or(u32::MAX);
        search.out_of_money |= batch.skipped.is_none() && made + batch.lost < work.num;
        batch
            .samples
            .retain(|sample| sample.end == End::Answered && sample.measurement.cold_start_ms.is_some());
        batch.warm = made - u32::try_from(batch.samples.len()).unwrap_or(made);
        search.history.push(batch);
    }
}

/// Enters the next round, if there is anything to make again and money for it. Returns how many versions or copies are new.
///
/// # Errors
/// More copies than a run may have.
pub fn go_on(search: &mut Search, run: &Run, input: &Input, budget: Option<f64>) -> Result<u32, Error> {
    let most = run.most_lanes();
    let mut todo: Vec<Todo> =
        run.power_values.iter().filter_map(|power| left(search, input, *power, most)).collect();
    let again: u32 = todo.iter().map(|todo| todo.num).sum();
    search.out_of_money |= again > 0 && budget.is_some_and(|left| left <= 0.0);
    if again == 0 || search.out_of_money {
        let (cold, rounds) = (cold(search), search.round);
        let s = if rounds == 1 { "" } else { "s" };
        search.said = format!("{cold} cold starts in {rounds} round{s}");
        search.done = true;
        search.blocks = Vec::new();
        return Ok(0);
    }
    if run.copies.is_some() {
        let room = copies::MOST.saturating_sub(run.published.total);
        if room < u32::try_from(todo.len()).unwrap_or(u32::MAX) {
            let message = format!(
                "{again} invocations met a warm environment once more, and a run can have {} copies at most: use a smaller num, or \
                 leave parallelInvocation out",
                copies::MOST
            );
            return Err(Error::new(Kind::Refused, message));
        }
        let each = room / u32::try_from(todo.len()).unwrap_or(u32::MAX);
        todo.iter_mut().for_each(|todo| todo.over = todo.over.min(each));
    }
    let of: u32 = again + cold(search);
    search.said = format!("{again} of {of} invocations met a warm environment: they are made again");
    let before = search.sizes.len();
    enter(search, &todo, most, budget);
    Ok(u32::try_from(search.sizes.len() - before).unwrap_or(u32::MAX))
}

fn cold(search: &Search) -> u32 {
    search.history.iter().map(|batch| u32::try_from(batch.samples.len()).unwrap_or(u32::MAX)).sum()
}

/// What is left of a power value; none when all is done, or it is too small.
fn left(search: &Search, input: &Input, power: u32, most: u32) -> Option<Todo> {
    let batches = || search.history.iter().filter(|batch| batch.size == power);
    if batches().any(|batch| batch.skipped.is_some()) {
        return None;
    }
    let cold: BTreeSet<u32> = batches().flat_map(|batch| &batch.samples).map(|sample| sample.index).collect();
    let mut which: Vec<u32> = (0..input.invocations()).filter(|index| !cold.contains(index)).collect();
    // One whose answer was lost may have run, and is not made again.
    let lost: u32 = batches().map(|batch| batch.lost).sum();
    which.truncate(which.len().saturating_sub(lost as usize));
    let num = u32::try_from(which.len()).ok().filter(|num| *num > 0)?;
    let last = batches().next_back()?;
    let of_each = search.blocks.iter().find(|work| work.value == power).map_or(1, |work| {
        let over = work.spread.map_or(1, |spread| work.num.div_ceil(spread.each.max(1)));
        u32::try_from(last.samples.len()).unwrap_or(u32::MAX) / over.max(1)
    });
    let over = num.div_ceil(of_each.clamp(1, most.max(1)));
    Some(Todo { power, which, num, over })
}

/// Enters a round: the largest size is published first, so that one above the account's quota ends the run before anything else was
/// done, and sizes take turns.
fn enter(search: &mut Search, todo: &[Todo], most: u32, budget: Option<f64>) {
    let each = |amount: f64| amount / todo.len().max(1) as f64;
    let before = |power: u32| search.sizes.iter().filter(|size| **size == power).count();
    let work = |todo: &Todo| Work {
        value: todo.power,
        num: todo.num,
        lanes: todo.num.clamp(1, most.max(1)),
        round: Some(search.round),
        budget: budget.map(each),
        which: todo.which.clone(),
        spread: Some(Spread {
            first: u32::try_from(before(todo.power)).unwrap_or(u32::MAX),
            each: todo.num.div_ceil(todo.over.max(1)),
        }),
    };
    let blocks: Vec<Work> = todo.iter().map(work).collect();
    let turns = todo.iter().map(|todo| todo.over).max().unwrap_or_default();
    for turn in 0..turns {
        search.sizes.extend(todo.iter().rev().filter(|todo| todo.over > turn).map(|todo| todo.power));
    }
    search.blocks = blocks;
}

/// The figures of each size, over its cold starts.
pub fn stats(search: &Search, input: &Input, price: &LambdaPrice) -> Vec<Stat> {
    let mut stats = Stat::of_search(&search.history, input.averages(), price);
    for stat in &mut stats {
        let batches = || search.history.iter().filter(|batch| batch.size == stat.value());
        let cost = batches().map(|batch| batch.cost).sum();
        match stat {
            Stat::Measured(measured) => {
                measured.total_cost = cost;
                let made = measured.invocations.unwrap_or_default() + measured.lost;
                measured.stopped_by =
                    (search.out_of_money && made < input.invocations()).then_some(StoppedBy::Budget);
            }
            Stat::Skipped(skipped) => skipped.total_cost = cost,
        }
    }
    stats
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tuning::input::Defaults;
    use tuning::search::Sample;
    use tuning::stats::Measurement;

    use super::*;

    fn input() -> Input {
        let document = json!({
            "lambdaARN": "arn:aws:lambda:us-east-1:123456789012:function:f", "num": 10, "powerValues": [128, 512],
            "onlyColdStarts": true, "parallelInvocation": true,
        });
        Input::parse(&document, &Defaults { power_values: vec![128] }).unwrap()
    }

    fn run() -> Run {
        serde_json::from_value(json!({
            "execution": "e", "functionArn": "f", "region": "us-east-1", "architecture": "arm64", "timeout": 3,
            "powerValues": [128, 512], "baseline": { "memorySize": 128 }, "snapshotVersion": "1", "codeSha256": "c",
            "settings": "s", "published": {},
        }))
        .unwrap()
    }

    /// The answer of an Executor whose first invocations were cold.
    fn batch(work: &Work, cold: usize) -> Batch {
        let all: Vec<u32> = if work.which.is_empty() { (0..work.num).collect() } else { work.which.clone() };
        let sample = |(place, index): (usize, &u32)| {
            let cold_start_ms = (place < cold).then_some(50.0);
            let measurement = Measurement { duration_ms: 10.0, billed_ms: 10, cold_start_ms };
            Sample { index: *index, measurement, max_memory: 50, end: End::Answered }
        };
        let samples = all.iter().enumerate().map(sample).collect();
        Batch {
            size: work.value,
            round: 0,
            lanes: work.lanes,
            samples,
            passes: 1,
            cost: 1.0,
            ..Batch::default()
        }
    }

    fn measure(search: &mut Search, cold: &[usize]) -> u32 {
        let batches = search.blocks.iter().zip(cold).map(|(work, cold)| batch(work, *cold)).collect();
        take_in(search, batches);
        search.round += 1;
        go_on(search, &run(), &input(), None).unwrap()
    }

    #[test]
    fn what_met_a_warm_environment_is_made_again_on_as_many_versions_as_it_takes() {
        let mut search = begin(&input(), &[128, 512], u32::MAX, None);
        assert_eq!(search.sizes, [512, 128]);
        assert!(search.blocks.iter().all(|work| (work.num, work.lanes) == (10, 10)), "{search:?}");
        // All of 512 MB were cold, and only 4 of 128 MB: the other 6 go to two versions.
        assert_eq!(measure(&mut search, &[4, 10]), 2);
        assert_eq!(search.said, "6 of 20 invocations met a warm environment: they are made again");
        assert_eq!(search.sizes, [512, 128, 128, 128]);
        let [work] = search.blocks.as_slice() else { panic!("{search:?}") };
        assert_eq!((work.value, work.which.as_slice()), (128, &[4, 5, 6, 7, 8, 9][..]));
        assert_eq!(work.spread, Some(Spread { first: 1, each: 3 }));
        // One by one in the end.
        assert_eq!(measure(&mut search, &[2]), 4);
        assert_eq!(search.blocks[0].spread, Some(Spread { first: 3, each: 1 }));
        assert_eq!(measure(&mut search, &[4]), 0);
        assert!(search.done && !search.out_of_money, "{search:?}");
        assert_eq!(search.said, "20 cold starts in 3 rounds");
        let price = tuning::pricing::lambda("us-east-1", tuning::pricing::Architecture::Arm64);
        for stat in stats(&search, &input(), &price) {
            let measured = stat.as_measured().unwrap();
            assert_eq!((measured.invocations, measured.cold_starts), (Some(10), Some(10)));
            // The warm ones were paid for.
            let rounds = if measured.value == 128 { 3.0 } else { 1.0 };
            assert_eq!((measured.total_cost, measured.stopped_by), (rounds, None));
        }
    }

    #[test]
    fn no_more_are_under_way_at_once_than_may_be() {
        let search = begin(&input(), &[128], 4, None);
        assert_eq!(search.sizes, [128, 128, 128]);
        assert_eq!(
            (search.blocks[0].lanes, search.blocks[0].spread),
            (4, Some(Spread { first: 0, each: 4 }))
        );
    }

    #[test]
    fn a_budget_ends_them() {
        let mut search = begin(&input(), &[128, 512], u32::MAX, Some(1.0));
        let mut batches: Vec<Batch> = search.blocks.iter().map(|work| batch(work, 10)).collect();
        batches[0].samples.truncate(3);
        take_in(&mut search, batches);
        assert_eq!(go_on(&mut search, &run(), &input(), Some(0.5)), Ok(0));
        assert!(search.done && search.out_of_money, "{search:?}");
        let price = tuning::pricing::lambda("us-east-1", tuning::pricing::Architecture::Arm64);
        let stopped: Vec<_> = stats(&search, &input(), &price)
            .iter()
            .map(|stat| stat.as_measured().unwrap().stopped_by)
            .collect();
        assert_eq!(stopped, [Some(StoppedBy::Budget), None]);
    }
}
