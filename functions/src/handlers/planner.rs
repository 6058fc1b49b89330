//! Between the rounds of a search, or of cold starts in bursts: takes in what the Executors measured and says what to measure next, or that it is over.
//!
//! A second task of the Analyzer's function, since it needs neither time nor a permission either. Event `{"plan": <the document>}`, where
//! `$.run.search` is the search so far and `$.stats` the answers of the round's Executors; result [`Run`] (`$.run`) with the next round's
//! blocks, or with `search.done` and what was decided.

use serde_json::Value;
use tuning::figures;
use tuning::input::Input;
use tuning::pricing::{self, LambdaPrice, Transitions};
use tuning::search::{self, Batch, Block, Decision, Step, Stop, Task};

use super::{bursts, json};
use crate::error::{Error, Kind};
use crate::event;
use crate::run::{Run, Search};

/// Answers one event.
///
/// # Errors
/// An event that is not of this shape.
pub fn handle(document: &Value) -> Result<Value, Error> {
    let wrong = |problem: &str| Error::event("analyzer", problem);
    let mut run =
        event::run(document)?.ok_or_else(|| wrong("`run`, the Initializer's result, is missing"))?;
    let input = event::input(document, &run.power_values)?;
    if run.search.as_ref().is_some_and(|search| search.bursts) {
        return burst(run, &input, measured(document)?);
    }
    let task = input.task().ok_or_else(|| wrong("there is nothing to plan without powerValues: \"AUTO\""))?;
    let task = Task { besides_mb: price(&input, &run).besides_mb(), ..task };
    let mut search = run.search.take().ok_or_else(|| wrong("`run.search` is missing"))?;
    search.history.extend(measured(document)?);
    search.round += 1;
    match search::next(&task, &search::calls(&search.history), search.round) {
        Step::Done(decision) => search.finish(decision),
        Step::Measure { blocks, so_far } => {
            let left = input.budget.map(|budget| budget - spent(&search, &input, &run));
            go_on(&mut run, &mut search, &input, blocks, so_far, left);
        }
    }
    run.search = Some(search);
    run.arrange(&input);
    json(&run)
}

/// After a round of cold starts in bursts.
fn burst(mut run: Run, input: &Input, batches: Vec<Batch>) -> Result<Value, Error> {
    let mut search = run.search.take().unwrap_or_default();
    bursts::take_in(&mut search, batches);
    search.round += 1;
    let left = input.budget.map(|budget| budget - spent(&search, input, &run));
    let new = bursts::go_on(&mut search, &run, input, left)?;
    publish_more(&mut run, new);
    run.search = Some(search);
    run.arrange(input);
    json(&run)
}

/// Lets the Publisher make so many more.
fn publish_more(run: &mut Run, new: u32) {
    if new > 0 {
        run.published.since = run.published.next;
        run.published.total += new;
        run.published.done = false;
        run.published.restored = false;
    }
}

/// The first round of a search.
///
/// # Errors
/// [`Kind::InvalidInput`] when it has too few invocations for any.
pub fn first(task: &Task, input: &Input) -> Result<Search, Error> {
    match search::next(task, &[], 0) {
        Step::Measure { blocks, .. } => {
            let mut search = Search::default();
            search.enter(&blocks, left_of_budget(input, blocks.len()));
            Ok(search)
        }
        Step::Done(_) => {
            let message = format!(
                "maxInvocations: {} are too few to begin with: give more, or a list of memory sizes",
                task.max_invocations
            );
            Err(Error::new(Kind::InvalidInput, message))
        }
    }
}

/// What the first round, of so many sizes, may cost beside its transitions.
pub fn left_of_budget(input: &Input, sizes: usize) -> Option<f64> {
    let sizes = u32::try_from(sizes).unwrap_or(u32::MAX);
    let machine = Transitions { publisher_passes: 1, sizes, executor_passes: 0, rounds: 1 };
    input.budget.map(|budget| budget - machine.cost(&input.lambda_arn.region))
}

/// What the Executors of a round answered.
fn measured(document: &Value) -> Result<Vec<Batch>, Error> {
    let wrong = |problem: String| {
        Error::event("analyzer", format!("`stats`, the Executors' results, are not usable: {problem}"))
    };
    let stats = document["stats"].as_array().ok_or_else(|| wrong("they are missing".to_owned()))?;
    let batch =
        |stat: &Value| serde_json::from_value(stat["batch"].clone()).map_err(|e| wrong(e.to_string()));
    stats.iter().map(batch).collect()
}

/// Enters another round, or ends the search when there is no money for it.
fn go_on(
    run: &mut Run,
    search: &mut Search,
    input: &Input,
    blocks: Vec<Block>,
    so_far: Option<Box<Decision>>,
    left: Option<f64>,
) {
    let each = block_cost(&input.lambda_arn.region);
    let blocks = match left {
        Some(left) => affordable(blocks, so_far.as_deref(), &price(input, run), each, left),
        None => blocks,
    };
    if blocks.is_empty() {
        search.out_of_money = true;
        let nothing = || Box::new(Decision::none_of(input.search.map_or(0, |search| search.range.0)));
        return search.finish(so_far.unwrap_or_else(nothing));
    }
    search.said = open(&blocks);
    let new = search.enter(&blocks, left.map(|left| left - each * blocks.len() as f64));
    publish_more(run, new);
    run.power_values.clone_from(&search.sizes);
    run.power_values.sort_unstable();
}

impl Search {
    fn finish(&mut self, decision: Box<Decision>) {
        let (rounds, made) =
            (self.round, self.history.iter().map(|batch| batch.samples.len()).sum::<usize>());
        let why = match decision.stopped_by {
            Some(Stop::Confidence) => "sure enough",
            Some(Stop::Rounds) => "no more rounds",
            Some(Stop::NothingRan) => "the function runs at no size",
            _ => "nothing left of the budget",
        };
        let s = if rounds == 1 { "" } else { "s" };
        self.said = format!("{why} after {made} invocations in {rounds} round{s}");
        self.decision = Some(decision);
        self.done = true;
        self.blocks = Vec::new();
    }
}

fn price(input: &Input, run: &Run) -> LambdaPrice {
    let region = &input.lambda_arn.region;
    pricing::lambda(region, run.measured_on()).with(run.extras(), region)
}

/// What the run has cost so far and will cost in transitions if another round is made.
fn spent(search: &Search, input: &Input, run: &Run) -> f64 {
    let made = |batch: &Batch| batch.samples.len() + (batch.lost + batch.warm) as usize;
    let made: usize = search.history.iter().map(made).sum();
    let fees = made as f64 * price(input, run).per_request.unwrap_or_default();
    let machine = Transitions {
        publisher_passes: run.published.passes + 1,
        sizes: u32::try_from(search.history.len()).unwrap_or(u32::MAX),
        executor_passes: search.history.iter().map(|batch| batch.passes).sum(),
        rounds: search.round + 1,
    };
    search.history.iter().map(|batch| batch.cost).sum::<f64>() + fees + machine.cost(&input.lambda_arn.region)
}

/// What the transitions of one more block cost.
fn block_cost(region: &str) -> f64 {
    let of =
        |sizes| Transitions { publisher_passes: 1, sizes, executor_passes: sizes, rounds: 1 }.cost(region);
    of(2) - of(1)
}

/// The blocks that there is money for, by the curve so far and what each costs besides. The dearest go first.
fn affordable(
    mut blocks: Vec<Block>,
    so_far: Option<&Decision>,
    price: &LambdaPrice,
    besides: f64,
    left: f64,
) -> Vec<Block> {
    let cost = |block: &Block| {
        let nearest = so_far.and_then(|decision| {
            decision
                .curve
                .iter()
                .min_by_key(|point| point.power.abs_diff(block.size))
                .map(|point| point.middle)
        });
        let each = price.cost(block.size, nearest.unwrap_or_default().ceil())
            + price.per_request.unwrap_or_default();
        besides + f64::from(block.num) * each
    };
    while blocks.iter().map(cost).sum::<f64>() > left {
        let dearest = (0..blocks.len()).max_by(|a, b| cost(&blocks[*a]).total_cmp(&cost(&blocks[*b])));
        let Some(dearest) = dearest else { break };
        blocks.remove(dearest);
    }
    blocks
}

/// "between 512 and 1024 MB it is not clear yet: 2 × 12 more".
fn open(blocks: &[Block]) -> String {
    let (Some(first), Some(last)) = (blocks.first(), blocks.last()) else { return String::new() };
    let place = if first.size == last.size {
        format!("at {} MB", first.size)
    } else {
        format!("between {} and {} MB", first.size, last.size)
    };
    let more = if blocks.len() > 1 && blocks.iter().all(|block| block.num == first.num) {
        format!("{} × {}", blocks.len(), first.num)
    } else {
        let each: Vec<String> = blocks.iter().map(|block| figures::fixed(block.num.into(), 0)).collect();
        each.join(" + ")
    };
    format!("{place} it is not clear yet: {more} more")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(size: u32, num: u32) -> Block {
        Block { size, num, lanes: 2 }
    }

    #[test]
    fn a_round_is_told_in_a_line() {
        assert_eq!(
            open(&[block(512, 12), block(1024, 12)]),
            "between 512 and 1024 MB it is not clear yet: 2 × 12 more"
        );
        assert_eq!(
            open(&[block(512, 24), block(1024, 12)]),
            "between 512 and 1024 MB it is not clear yet: 24 + 12 more"
        );
        assert_eq!(open(&[block(512, 48)]), "at 512 MB it is not clear yet: 48 more");
    }

    #[test]
    fn a_round_is_cut_to_the_money_that_is_left() {
        let price = pricing::lambda("us-east-1", pricing::Architecture::X86_64);
        let curve =
            [128, 1024].map(|power| search::CurvePoint { power, low: 90.0, middle: 100.0, high: 110.0 });
        let decision = Decision { curve: curve.to_vec(), ..Decision::none_of(128) };
        let of =
            |left| affordable(vec![block(128, 10), block(1024, 10)], Some(&decision), &price, 1e-4, left);
        let of_size = |gb_seconds: f64| 1e-4 + 10.0 * (gb_seconds * 1.666_67e-5 + 2e-7);
        let (small, large) = (of_size(0.0125), of_size(0.1));
        assert_eq!(of(small + large + 1e-9).len(), 2);
        assert_eq!(of(small + large - 1e-9), [block(128, 10)]);
        assert_eq!(of(small - 1e-9), []);
    }
}
