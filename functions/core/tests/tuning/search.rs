//! The search as its users see it: a few functions with known curves, and rules that hold for any invocations.

use proptest::prelude::*;
use tuning::search::{Aim, Block, Call, End, Step, Stop, Task, judge, next};

const TASK: Task = Task {
    lowest: 128,
    highest: 10_240,
    aim: Aim::Cost,
    tolerance: 0.01,
    confidence: 0.95,
    max_rounds: 6,
    max_invocations: 120,
    besides_mb: 0.0,
};

/// A number between −1 and 1 for each invocation.
fn noise(size: u32, lane: u32, index: u32) -> f64 {
    let mut bits = u64::from(size) << 40 ^ u64::from(lane) << 20 ^ u64::from(index);
    for _ in 0..3 {
        bits = (bits ^ bits >> 29).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    (bits >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

/// Invokes a function that takes `ms` at a size until the search stops.
fn search(
    task: &Task,
    ms: impl Fn(u32) -> f64,
    runs: impl Fn(u32) -> bool,
) -> (Vec<Call>, tuning::search::Decision) {
    let mut calls: Vec<Call> = Vec::new();
    for round in 0..=task.max_rounds {
        let blocks = match next(task, &calls, round) {
            Step::Done(decision) => return (calls, *decision),
            Step::Measure { blocks, .. } => blocks,
        };
        for Block { size, num, lanes } in blocks {
            let before = calls.iter().filter(|call| call.size == size).count() as u32;
            for i in 0..num {
                let (lane, index) = (i % lanes, before / lanes + i / lanes);
                calls.push(Call {
                    size,
                    round,
                    lane,
                    index,
                    ms: ms(size) * (1.0 + 0.02 * noise(size, lane, index)),
                    cold: before == 0 && i < lanes,
                    end: if runs(size) { End::Answered } else { End::OutOfMemory },
                    max_memory: 60.0,
                });
            }
        }
    }
    panic!("the search does not stop");
}

/// One thread that needs 100 ms of CPU, and some waiting.
fn one_thread(size: u32) -> f64 {
    100.0 / (f64::from(size) / 1769.0).min(1.0) + 40.0
}

#[test]
fn the_fastest_size_of_one_thread_is_one_vcpu() {
    let (calls, decision) = search(&Task { aim: Aim::Speed, ..TASK }, one_thread, |_| true);
    assert!(calls.len() <= 120);
    let power = decision.power.unwrap();
    assert!((1700..=2100).contains(&power), "{decision:?}");
    assert!(decision.confidence.within5 > 0.9, "{:?}", decision.confidence);
}

#[test]
fn a_function_that_only_waits_is_cheapest_where_it_is_smallest() {
    let (_, decision) = search(&TASK, |_| 500.0, |_| true);
    assert_eq!(decision.power, Some(128));
    assert_eq!(decision.stopped_by, Some(Stop::Confidence));
    assert!(decision.confidence.within1 >= 0.95, "{:?}", decision.confidence);
    assert!(decision.curve.iter().all(|point| point.low <= point.middle && point.middle <= point.high));
}

#[test]
fn sizes_that_fail_are_below_the_floor() {
    let (_, decision) = search(&TASK, one_thread, |size| size >= 400);
    assert!(decision.power.unwrap() >= 400, "{decision:?}");
    assert!(decision.floor.power > 256, "{:?}", decision.floor);
    let (_, nothing) = search(&TASK, one_thread, |_| false);
    assert_eq!((nothing.power, nothing.stopped_by), (None, Some(Stop::NothingRan)));
}

#[test]
fn a_limit_is_kept_by_the_size_that_is_chosen() {
    let limited = |ms| Task { aim: Aim::Limit { share: 0.95, ms }, max_invocations: 240, ..TASK };
    let (_, decision) = search(&limited(400.0), one_thread, |_| true);
    assert!(one_thread(decision.power.unwrap()) < 400.0, "{decision:?}");
    assert!(decision.kept.unwrap() >= 0.9 && !decision.unmet, "{decision:?}");
    let (_, impossible) = search(&limited(50.0), one_thread, |_| true);
    assert!(impossible.unmet && impossible.kept.unwrap() < 0.5, "{impossible:?}");
}

#[test]
fn what_a_millisecond_costs_beside_memory_speaks_for_larger_sizes() {
    let half_waiting = |size: u32| 250.0 + 250.0 * (256.0 / f64::from(size));
    let (_, plain) = search(&TASK, half_waiting, |_| true);
    assert_eq!(plain.power, Some(128), "{plain:?}");
    let (_, with_storage) = search(&Task { besides_mb: 1024.0, ..TASK }, half_waiting, |_| true);
    assert!(with_storage.power.unwrap() > 256, "{with_storage:?}");
}

#[test]
fn the_choice_from_a_fixed_list_gets_a_confidence_without_measuring_more() {
    let (calls, _) = search(&TASK, |_| 500.0, |_| true);
    let judged = |power| judge(&TASK, &calls, power);
    let best = judged(128).unwrap();
    assert_eq!(best.decision.power, Some(128));
    assert!(best.decision.confidence.within5 > 0.9, "{:?}", best.decision.confidence);
    let worse = judged(256).unwrap();
    assert!(worse.decision.confidence.within5 < 0.1, "{:?}", worse.decision.confidence);
    assert!(worse.decision.expected_excess > 0.5, "{:?}", worse.decision.expected_excess);
    let others: Vec<u32> = best.others.iter().map(|rival| rival.power).collect();
    assert!(others.is_sorted() && others.contains(&256) && !others.contains(&128), "{others:?}");
    assert!(best.others.iter().all(|rival| rival.error > 0.0 && rival.error < 1.0), "{:?}", best.others);
    assert_eq!(judged(200), None, "it was not measured");
    assert_eq!(judge(&TASK, &[], 128), None);
    let limited = Task { aim: Aim::Limit { share: 0.95, ms: 400.0 }, ..TASK };
    assert_eq!(judge(&limited, &calls, 128), None);
}

fn aims() -> impl Strategy<Value = Aim> {
    prop_oneof![
        Just(Aim::Cost),
        Just(Aim::Speed),
        any::<f64>().prop_map(|weight| Aim::Balanced { weight }),
        (any::<f64>(), any::<f64>()).prop_map(|(share, ms)| Aim::Limit { share, ms }),
    ]
}

prop_compose! {
    fn tasks()(
        lowest in any::<u32>(), highest in any::<u32>(), aim in aims(), tolerance in any::<f64>(),
        confidence in any::<f64>(), max_rounds in 0u32..8, max_invocations in 0u32..400, besides_mb in any::<f64>(),
    ) -> Task {
        Task { lowest, highest, aim, tolerance, confidence, max_rounds, max_invocations, besides_mb }
    }
}

prop_compose! {
    fn made()(
        size in prop_oneof![Just(128), Just(129), Just(512), Just(1769), Just(3008), 128u32..=10_240],
        round in 0u32..6, lane in 0u32..5, index in 0u32..40,
        ms in prop_oneof![0.0..2000.0f64, any::<f64>()],
        cold in any::<bool>(),
        end in prop_oneof![8 => Just(End::Answered), 1 => Just(End::OutOfMemory), 1 => Just(End::TimedOut)],
        max_memory in prop_oneof![30.0..500.0f64, any::<f64>()],
    ) -> Call {
        Call { size, round, lane, index, ms, cold, end, max_memory }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_task_and_no_invocations_make_it_panic_or_exceed_the_budget(
        task in tasks(), calls in prop::collection::vec(made(), 0..120), round in 0u32..8,
    ) {
        match next(&task, &calls, round) {
            Step::Measure { blocks, .. } => {
                let more: u32 = blocks.iter().map(|block| block.num).sum();
                prop_assert!(more > 0);
                prop_assert!(calls.len() as u32 + more <= task.max_invocations);
                prop_assert!(blocks.iter().all(|block| (128..=10_240).contains(&block.size) && (1..=block.num).contains(&block.lanes)));
                prop_assert!(blocks.windows(2).all(|pair| pair[0].size < pair[1].size));
            }
            Step::Done(decision) => {
                let sure = decision.confidence;
                prop_assert!(sure.within1 <= sure.within3 && sure.within3 <= sure.within5);
                prop_assert!([sure.within1, sure.within5].iter().all(|p| (0.0..=1.0).contains(p)));
                prop_assert!(decision.stopped_by.is_some());
            }
        }
    }

    #[test]
    fn the_order_in_which_invocations_are_listed_does_not_matter(
        (calls, mixed) in prop::collection::vec(made(), 1..60)
            .prop_flat_map(|calls| (Just(calls.clone()), Just(calls).prop_shuffle())),
    ) {
        prop_assert_eq!(format!("{:?}", next(&TASK, &calls, 1)), format!("{:?}", next(&TASK, &mixed, 1)));
    }
}
