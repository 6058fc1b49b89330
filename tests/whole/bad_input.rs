//! Events by the thousand that are nearly right, for each of the six Lambdas: an answer or an error of ours that says
//! something, never a panic, a crash or a hang.
//!
//! Events of a real run are damaged with values that made trouble somewhere before (`corpus.json`) and with what
//! is drawn by `BAD_INPUT_SEED`, which is printed. 60 events for each, with `SWEEP=full` 2,000, with `SWEEP=N` N.

use std::collections::BTreeMap;
use std::time::Duration;

use local_aws::Caller;
use local_aws::lambda::Invocation;
use serde_json::{Value, json};

use crate::bench::Bench;

/// The `errorType`s that the functions name, one for each kind of failure.
const OURS: [&str; 16] = [
    "InvalidInput",
    "FunctionNotFound",
    "FunctionNotReady",
    "AlreadyBeingTuned",
    "AliasClash",
    "LockLost",
    "FunctionChanged",
    "InvocationFailed",
    "FunctionCrashed",
    "ProcessorFailed",
    "NoReport",
    "NothingMeasured",
    "OutOfTime",
    "AccessDenied",
    "Refused",
    "Environment",
];

fn corpus() -> Vec<Value> {
    let mut corpus: Vec<Value> = serde_json::from_str(include_str!("corpus.json")).unwrap();
    corpus.push(json!("x".repeat(100_000)));
    corpus.push((0..100).fold(json!(1), |inner, _| json!([inner])));
    corpus
}

/// The values inside a document, the document itself included.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(members) => members.values().map(count).sum::<usize>(),
        _ => 0,
    }
}

/// The `index`-th of them.
fn nth(value: &mut Value, index: usize) -> Option<&mut Value> {
    fn walk<'v>(value: &'v mut Value, left: &mut usize) -> Option<&'v mut Value> {
        if *left == 0 {
            return Some(value);
        }
        *left -= 1;
        match value {
            Value::Array(items) => items.iter_mut().find_map(|item| walk(item, left)),
            Value::Object(members) => members.values_mut().find_map(|item| walk(item, left)),
            _ => None,
        }
    }
    let mut left = index;
    walk(value, &mut left)
}

/// Damages an event in one or two places.
fn damaged(event: &Value, corpus: &[Value], random: &mut fastrand::Rng) -> Value {
    let mut event = event.clone();
    for _ in 0..random.usize(1..=2) {
        let at = random.usize(..count(&event));
        let Some(place) = nth(&mut event, at) else { continue };
        match place {
            Value::Object(members) if random.bool() && !members.is_empty() => {
                let name = members.keys().nth(random.usize(..members.len())).cloned().unwrap();
                members.remove(&name);
            }
            Value::String(text) if random.u8(..) < 80 => {
                let end = text
                    .char_indices()
                    .map(|(i, _)| i)
                    .nth(random.usize(..=text.chars().count()))
                    .unwrap_or(text.len());
                text.truncate(end);
            }
            Value::Number(_) if random.u8(..) < 80 => *place = json!(random.i64(..) >> random.u32(..64)),
            _ => *place = corpus[random.usize(..corpus.len())].clone(),
        }
    }
    event
}

/// The events that each function got in a run, by the function's ARN.
async fn real_events(bench: &Bench) -> BTreeMap<String, Vec<Value>> {
    let input = json!({"num": 5, "powerValues": [128, 512], "payload": {"a": [1, "b"]}, "includeOutputResults": true});
    let over = bench.run(input).await;
    assert_eq!(over.status, "SUCCEEDED", "{over:?}");
    let mut events: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for event in bench.history(&over.arn).await {
        let scheduled = &event["taskScheduledEventDetails"]["parameters"];
        let (function, payload) = match scheduled.as_str() {
            Some(text) => {
                let parameters: Value = serde_json::from_str(text).unwrap();
                (parameters["FunctionName"].clone(), parameters["Payload"].clone())
            }
            None => {
                let details = &event["lambdaFunctionScheduledEventDetails"];
                let Some(text) = details["input"].as_str() else { continue };
                (details["resource"].clone(), serde_json::from_str(text).unwrap())
            }
        };
        events.entry(function.as_str().unwrap().to_owned()).or_default().push(payload);
    }
    events
}

#[allow(clippy::print_stdout, reason = "the seed")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_event_makes_a_lambda_panic_or_hang() {
    let each = crate::bench::amount(60, 2000);
    let seed = std::env::var("BAD_INPUT_SEED").ok().and_then(|text| text.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("BAD_INPUT_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let (bench, corpus) = (Bench::new().await, corpus());
    let functions = real_events(&bench).await;
    assert_eq!(functions.len(), 6, "{:?}", functions.keys());
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for (function, events) in &functions {
        for _ in 0..each {
            let event = damaged(&events[random.usize(..events.len())], &corpus, &mut random);
            let invocation = Invocation {
                function: function.clone(),
                payload: event.to_string().into(),
                ..Invocation::default()
            };
            let aws = bench.aws();
            let invoking = aws.lambda.invoke(aws, &Caller::Owner, invocation);
            let invoked = tokio::time::timeout(Duration::from_secs(120), invoking).await;
            let shown = || event.to_string().chars().take(2000).collect::<String>();
            let invoked = invoked.unwrap_or_else(|_| panic!("{function} hangs: {}", shown())).unwrap();
            let answer: Value = serde_json::from_slice(&invoked.payload)
                .unwrap_or_else(|e| panic!("{function} answers no JSON ({e}): {}", shown()));
            if invoked.function_error.is_none() {
                *kinds.entry("answered".to_owned()).or_default() += 1;
                continue;
            }
            let kind = answer["errorType"].as_str().unwrap_or_default().to_owned();
            let message = answer["errorMessage"].as_str().unwrap_or_default();
            // Nested too deeply to be read at all, it is refused before a handler sees it.
            let unreadable =
                kind.ends_with("DeserializeError") && message.contains("recursion limit exceeded");
            assert!(unreadable || OURS.contains(&kind.as_str()), "{function}: {answer}: {}", shown());
            assert!(message.len() > 10 && !message.contains("panicked"), "{function}: {answer}: {}", shown());
            *kinds.entry(kind).or_default() += 1;
        }
    }
    println!("{} events: {kinds:?}", each * functions.len());
}
