//! The handlers one by one and in runs, in this process on the real endpoint: what they answer, what they make of failures, and
//! who may go on with a function. Every call failing in every way is `faults.rs`.

mod executable;
mod executor;
mod failing;
mod handover;
mod keys;
mod lock;
mod payloads;
mod reach;
mod refused;
mod runs;
mod snap_start;

use local_aws::Service;
use serde_json::{Value, json};

use crate::bench::{Bench, FUNCTION, Handled, differences};

async fn bench() -> Bench {
    let bench = Bench::in_process().await;
    bench.stage().shorten_waits();
    bench
}

/// A document with further members.
fn with(mut document: Value, more: Value) -> Value {
    document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    document
}

/// The tuned function is as it was.
async fn assert_kept(bench: &Bench, before: &Value, what: &str) {
    assert_eq!(differences(before, &bench.snapshot().await), Vec::<String>::new(), "{what}");
}

/// The version that an alias of the tuned function points at.
async fn version_of(bench: &Bench, alias: &str) -> String {
    let found = bench.lambda("GetAlias", json!({"Name": alias})).await;
    found["FunctionVersion"].as_str().unwrap().to_owned()
}

/// The memory size of the tuned function, or of a version of it.
async fn memory_of(bench: &Bench, version: &str) -> u64 {
    let found = bench.lambda("GetFunctionConfiguration", json!({"Qualifier": version})).await;
    found["MemorySize"].as_u64().unwrap()
}

/// What the Cleaner is told when an execution was stopped.
async fn clean_up_after_stop(bench: &Bench, execution: &str) -> Handled {
    let event = json!({
        "source": "aws.states", "detail-type": "Step Functions Execution Status Change",
        "detail": {"executionArn": execution, "status": "ABORTED"},
    });
    bench.handle("cleaner", event).await
}

/// An execution whose states a test goes through itself, on a machine that only waits.
struct Walk<'b> {
    bench: &'b Bench,
    execution: String,
    document: Value,
}

impl<'b> Walk<'b> {
    async fn start(bench: &'b Bench, more: Value) -> Self {
        let input = with(json!({"num": 5, "powerValues": [128, 512]}), more);
        let execution = bench.start(input.clone()).await;
        let function = json!({"lambdaARN": crate::bench::function_arn(FUNCTION)});
        Self { bench, execution, document: with(input, function) }
    }

    async fn handle(&self, handler: &str) -> Handled {
        self.bench.handle(handler, json!({"input": self.document, "execution": self.execution})).await
    }

    /// Past the Initializer.
    async fn begun(mut self) -> Self {
        self.document["run"] = self.handle("initializer").await.unwrap();
        self
    }

    /// Past the Publisher, so that measuring could begin.
    async fn published(self) -> Self {
        let mut walk = self.begun().await;
        walk.document["run"] = walk.handle("publisher").await.unwrap();
        assert_eq!(walk.document["run"]["published"]["done"], true);
        walk
    }

    async fn stop(&self) {
        self.bench.abort(&self.execution).await;
    }
}

/// A bench on which executions only wait, and nobody cleans up by himself.
async fn walked() -> Bench {
    let bench = bench().await;
    bench.idle().await;
    bench.rule(false).await;
    bench
}

/// The names of the tuned function's aliases, sorted.
async fn aliases(bench: &Bench) -> Vec<String> {
    let found = bench.ok(Service::Lambda, "ListAliases", json!({"FunctionName": FUNCTION})).await;
    let mut names: Vec<String> = found["Aliases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|alias| alias["Name"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}
