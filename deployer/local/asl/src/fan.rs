//! Map and Parallel: flows that run side by side. The first that fails ends the others.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::{JoinError, JoinSet};

use crate::definition::{Amount, Flow};
use crate::failure::{Failure, Fault, quoted};
use crate::path::Path;
use crate::template::Template;
use crate::visit::{Cursor, Scope, Visit};

/// AWS runs at most so many iterations of an inline Map at a time.
const WIDEST: usize = 40;

type Ended = (usize, Result<Value, Failure>);

/// One strand among those that run.
struct Strand {
    cursor: Arc<Cursor>,
    running: bool,
}

/// Runs the processor once per item.
///
/// # Errors
/// The failure of the first iteration that fails.
pub async fn map(
    items: &Path,
    selector: Option<&Template>,
    processor: &Arc<Flow>,
    concurrency: &Amount,
    input: Value,
    visit: &Visit<'_>,
) -> Result<Value, Failure> {
    let list = listed(items, &input, visit)?;
    let limit = visit.amount(Some(concurrency), "MaxConcurrency", &input)?.unwrap_or_default();
    let limit = usize::try_from(limit).ok().filter(|limit| (1..WIDEST).contains(limit)).unwrap_or(WIDEST);

    let name = &visit.state.name;
    let record = |cursor: &Cursor, what: &str, index: usize| {
        let member = format!("mapIteration{what}EventDetails");
        let details = Some((member.as_str(), json!({"name": name, "index": index})));
        let now = visit.engine.world.now();
        visit.engine.log.add(now, cursor.event(), &format!("MapIteration{what}"), details)
    };
    let length = json!({"length": list.len()});
    visit.record("MapStateStarted", Some(("mapStateStartedEventDetails", length)))?;
    let started = visit.scope.cursor.event();

    let mut results = vec![Value::Null; list.len()];
    let mut strands: Vec<Strand> = Vec::with_capacity(list.len());
    // An iteration that takes another one's place follows the last event of that one's states.
    let (mut after, mut last) = (started, started);
    let mut set: JoinSet<Ended> = JoinSet::new();
    let mut waiting = list.into_iter().enumerate();
    loop {
        while set.len() < limit {
            let Some((index, item)) = waiting.next() else { break };
            let cursor = Cursor::at(after);
            cursor.go(record(&cursor, "Started", index)?);
            let map = Arc::new(json!({"Item": {"Index": index, "Value": item}}));
            let mut context = visit.context.clone();
            context.map = Some(Arc::clone(&map));
            let input = match selector {
                Some(template) => visit.filled(template, &input, &context)?,
                None => item,
            };
            strands.push(Strand { cursor: Arc::clone(&cursor), running: true });
            let scope = Scope { cursor, map: Some(map), nested: true };
            let flow = Arc::clone(visit.engine).flow(Arc::clone(processor), input, scope);
            set.spawn(async move { (index, flow.await) });
        }
        let Some(ended) = set.join_next().await else { break };
        let (index, result) = ended.unwrap_or_else(resume);
        let cursor = &strands[index].cursor;
        match result {
            Ok(result) => {
                after = cursor.event();
                last = record(cursor, "Succeeded", index)?;
                results[index] = result;
                strands[index].running = false;
            }
            Err(failure) => {
                set.shutdown().await;
                // The state's chain goes on from the failed iteration's last own event.
                visit.scope.cursor.go(cursor.event());
                if !failure.terminal() {
                    record(cursor, "Failed", index)?;
                    strands[index].running = false;
                    for (index, strand) in strands.iter().enumerate().filter(|(_, strand)| strand.running) {
                        aborted(&strand.cursor, visit)?;
                        record(&strand.cursor, "Aborted", index)?;
                    }
                }
                return Err(failure);
            }
        }
    }
    succeeded("MapStateSucceeded", last, visit)?;
    Ok(Value::Array(results))
}

/// The items that `ItemsPath` leads to.
///
/// # Errors
/// That it leads to no array.
pub fn listed(items: &Path, input: &Value, visit: &Visit<'_>) -> Result<Vec<Value>, Failure> {
    match visit.found(items, input)? {
        Value::Array(list) => Ok(list),
        other => Err(visit.failure(Fault::runtime(format!(
            "The value for the field 'ItemsPath' must be an array, not {}",
            quoted(&other)
        )))),
    }
}

/// Runs all branches on the same input.
///
/// # Errors
/// The failure of the first branch that fails.
pub async fn parallel(branches: &[Arc<Flow>], input: &Value, visit: &Visit<'_>) -> Result<Value, Failure> {
    visit.record("ParallelStateStarted", None)?;
    let started = visit.scope.cursor.event();
    let mut results = vec![Value::Null; branches.len()];
    let mut set: JoinSet<Ended> = JoinSet::new();
    let mut strands = Vec::with_capacity(branches.len());
    for (index, branch) in branches.iter().enumerate() {
        let cursor = Cursor::at(started);
        strands.push(Strand { cursor: Arc::clone(&cursor), running: true });
        let scope = Scope { cursor, map: visit.scope.map.clone(), nested: true };
        let flow = Arc::clone(visit.engine).flow(Arc::clone(branch), input.clone(), scope);
        set.spawn(async move { (index, flow.await) });
    }
    while let Some(ended) = set.join_next().await {
        let (index, result) = ended.unwrap_or_else(resume);
        strands[index].running = false;
        match result {
            Ok(result) => results[index] = result,
            Err(failure) => {
                set.shutdown().await;
                visit.scope.cursor.go(strands[index].cursor.event());
                if !failure.terminal() {
                    for strand in strands.iter().filter(|strand| strand.running) {
                        aborted(&strand.cursor, visit)?;
                    }
                }
                return Err(failure);
            }
        }
    }
    let last = strands.iter().map(|strand| strand.cursor.event()).max().unwrap_or(started);
    succeeded("ParallelStateSucceeded", last, visit)?;
    Ok(Value::Array(results))
}

/// Records that all ended well. The chain passes this event by: the state's exit follows the last strand's last event.
pub fn succeeded(kind: &str, last: u64, visit: &Visit<'_>) -> Result<(), Failure> {
    visit.engine.log.add(visit.engine.world.now(), last, kind, None)?;
    visit.scope.cursor.go(last);
    Ok(())
}

/// Records that a strand was ended inside a state that takes time.
fn aborted(cursor: &Cursor, visit: &Visit<'_>) -> Result<(), Failure> {
    if let Some(kind @ ("Task" | "Wait" | "Map" | "Parallel")) = cursor.inside() {
        let kind = format!("{kind}StateAborted");
        cursor.go(visit.engine.log.add(visit.engine.world.now(), cursor.event(), &kind, None)?);
    }
    Ok(())
}

/// A strand that panicked takes the execution along: that is a defect of this program, not of the machine.
fn resume(error: JoinError) -> Ended {
    match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => (0, Err(Failure::runtime("The execution was aborted."))),
    }
}
