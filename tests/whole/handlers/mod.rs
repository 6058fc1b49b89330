//! The stack's functions one by one, in this process on the real endpoint: what they answer and what they make of failures.
//! Every call failing in every way is `faults.rs`.

mod executor;

use serde_json::Value;

use crate::bench::Bench;

/// How far the waits for what AWS shows late are shortened. The shortest is then still longer than calls take here.
const SHORTER: u32 = 8;

async fn bench() -> Bench {
    let bench = Bench::in_process().await;
    bench.stage().shorten_waits(SHORTER);
    bench
}

/// A document with further members.
fn with(mut document: Value, more: Value) -> Value {
    document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    document
}
