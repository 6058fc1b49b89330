//! The search as a process, for simulators: one question a line on standard input, one answer a line on standard output, both JSON.
//!
//! A question has `task`, `round` and `history`, all invocations so far; an answer has `sizes`, `n` and `lanes`, or `done` with `recommend` and
//! `confidence`. Nothing is kept between questions. With `judge`, a size, a question has the invocations of a list of sizes, and the answer says how
//! good that one is, and of each of the others its memory size, by how much it is worse, the standard deviation of that, and the probability that
//! it is better (`rivals`).

use std::io::{BufRead, Write};

use serde::Deserialize;
use serde_json::{Value, json};
use tuning::search::{Aim, Call, Decision, End, Step, Task, judge, next};

#[derive(Deserialize)]
struct Question {
    task: Wanted,
    round: u32,
    #[serde(default)]
    history: Vec<Made>,
    #[serde(default)]
    judge: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    range: (u32, u32),
    strategy: String,
    #[serde(default)]
    weight: Option<f64>,
    #[serde(default)]
    limit_ms: Option<f64>,
    #[serde(default)]
    quantile: Option<f64>,
    tolerance: f64,
    confidence: f64,
    max_rounds: u32,
    max_invocations: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Made {
    size: u32,
    round: u32,
    lane: u32,
    i: u32,
    ms: f64,
    cold: bool,
    max_mem: f64,
    error: Option<String>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut answers = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let question: Question = serde_json::from_str(&line?)?;
        serde_json::to_writer(&mut answers, &answer(question)?)?;
        answers.write_all(b"\n")?;
        answers.flush()?;
    }
    Ok(())
}

fn answer(question: Question) -> Result<Value, String> {
    let wanted = question.task;
    let aim = match wanted.strategy.as_str() {
        "cost" => Aim::Cost,
        "speed" => Aim::Speed,
        "balanced" => Aim::Balanced { weight: wanted.weight.unwrap_or(0.5) },
        "limit" => Aim::Limit {
            share: wanted.quantile.unwrap_or(0.95),
            ms: wanted.limit_ms.ok_or("strategy limit needs limitMs")?,
        },
        other => return Err(format!("strategy {other:?} is not cost, speed, balanced or limit")),
    };
    let task = Task {
        lowest: wanted.range.0,
        highest: wanted.range.1,
        aim,
        tolerance: wanted.tolerance,
        confidence: wanted.confidence,
        max_rounds: wanted.max_rounds,
        max_invocations: wanted.max_invocations,
        besides_mb: 0.0,
    };
    let calls: Vec<Call> = question
        .history
        .into_iter()
        .map(|made| Call {
            size: made.size,
            round: made.round,
            lane: made.lane,
            index: made.i,
            ms: made.ms,
            cold: made.cold,
            end: match made.error.as_deref() {
                None => End::Answered,
                Some("oom") => End::OutOfMemory,
                Some(_) => End::TimedOut,
            },
            max_memory: made.max_mem,
        })
        .collect();
    if let Some(power) = question.judge {
        let judged = judge(&task, &calls, power).ok_or("judge is not a size that can be judged")?;
        let mut said = said(&judged.decision);
        said["done"] = json!(true);
        let rivals = judged.others.iter();
        said["rivals"] = rivals.map(|r| json!([r.power, r.behind, r.error, r.better])).collect();
        return Ok(said);
    }
    Ok(match next(&task, &calls, question.round) {
        Step::Measure { blocks, so_far } => json!({
            "sizes": blocks.iter().map(|block| block.size).collect::<Vec<_>>(),
            "n": blocks.iter().map(|block| block.num).collect::<Vec<_>>(),
            "lanes": blocks.iter().map(|block| block.lanes).collect::<Vec<_>>(),
            "info": so_far.as_deref().map(said),
        }),
        Step::Done(decision) => {
            let mut said = said(&decision);
            said["done"] = json!(true);
            said
        }
    })
}

fn said(decision: &Decision) -> Value {
    json!({
        "recommend": decision.power,
        "confidence": {
            "0.01": decision.confidence.within1,
            "0.03": decision.confidence.within3,
            "0.05": decision.confidence.within5,
        },
        "expectedExcess": decision.expected_excess,
        "kept": decision.kept,
        "unmet": decision.unmet,
        "stoppedBy": decision.stopped_by.map(|stop| stop.to_string()),
    })
}
