//! Goes through a graph in its order, doing at the same time what does not depend on each other.

use std::collections::{BTreeSet, HashMap};
use std::pin::Pin;

use tokio::task::{Id, JoinSet};

use template::graph::Graph;

/// What there is to do for a node.
pub enum Step {
    /// Nothing (more).
    Done,
    /// It has failed already.
    Failed,
    /// This, which tells whether it succeeded.
    Task(Pin<Box<dyn Future<Output = bool> + Send>>),
}

/// Starts every node after those it depends on have succeeded; gives those that failed, in order. Before each start and
/// after each failure `halted` is asked, given those that failed so far: once it says so nothing more is started, and
/// what runs is waited for.
pub async fn walk(
    mut graph: Graph,
    mut halted: impl FnMut(&BTreeSet<String>) -> bool,
    mut start: impl FnMut(&str) -> Step,
) -> BTreeSet<String> {
    let names: BTreeSet<String> = graph.keys().cloned().collect();
    for after in graph.values_mut() {
        after.retain(|name| names.contains(name));
    }
    let mut failed = BTreeSet::new();
    let mut running: JoinSet<bool> = JoinSet::new();
    let mut who: HashMap<Id, String> = HashMap::new();
    loop {
        while let Some(name) = graph.iter().find(|(_, after)| after.is_empty()).map(|(name, _)| name.clone())
        {
            if halted(&failed) {
                graph.clear();
                break;
            }
            graph.remove(&name);
            match start(&name) {
                Step::Done => release(&mut graph, &name),
                Step::Failed => {
                    failed.insert(name);
                }
                Step::Task(task) => {
                    who.insert(running.spawn(task).id(), name);
                }
            }
        }
        let Some(ended) = running.join_next_with_id().await else { return failed };
        let (id, success) = match ended {
            Ok((id, success)) => (id, success),
            // A panic in a handler fails its resource, not the endpoint.
            Err(error) => (error.id(), false),
        };
        if let Some(name) = who.remove(&id) {
            if success {
                release(&mut graph, &name);
            } else {
                failed.insert(name);
                // What runs learns of it at once, not only when something else could be started.
                if halted(&failed) {
                    graph.clear();
                }
            }
        }
    }
}

fn release(graph: &mut Graph, name: &str) {
    for after in graph.values_mut() {
        after.remove(name);
    }
}
