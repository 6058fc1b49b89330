//! Tests of the interpreter on a made-up world, and of the API on a store.

mod api;
mod arbitrary;
mod choices;
mod data;
mod definitions;
mod events;
mod handling;
mod tasks;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::engine::{Cursor, Engine, Scope};
use super::failure::Failure;
use super::history::Log;
use super::parse;
use super::world::{Soon, World};
use crate::ApiError;
use crate::lambda::{Invocation, Invoked};

/// What a made-up function does when it is invoked.
#[derive(Clone)]
pub enum Act {
    /// Returns this.
    Gives(Value),
    /// Returns what it was given.
    Echoes,
    /// Raises an error of this type.
    Raises(&'static str),
    /// Returns this text, as failed or not.
    Says(String, bool),
    /// Is not run at all.
    Refused(u16, &'static str),
    /// Never returns.
    Hangs,
}

/// A world in which functions do as they are told and waiting takes no time.
#[derive(Default)]
pub struct Stage {
    acts: Mutex<HashMap<String, VecDeque<Act>>>,
    pub calls: Mutex<Vec<(String, Value)>>,
    pub slept: Mutex<Vec<f64>>,
    pub busiest: Mutex<(usize, usize)>,
    pub forbidden: bool,
}

impl Stage {
    /// Functions by name with what they do, one act per invocation; the last act goes on.
    pub fn new(functions: &[(&str, &[Act])]) -> Self {
        let acts = functions.iter().map(|(name, acts)| ((*name).to_owned(), acts.iter().cloned().collect()));
        Self { acts: Mutex::new(acts.collect()), ..Self::default() }
    }

    fn act(&self, function: &str) -> Act {
        let mut acts = self.acts.lock().unwrap();
        let name = function.rsplit(':').next().unwrap();
        let list = acts.get_mut(name).unwrap_or_else(|| panic!("no function {name}"));
        if list.len() > 1 { list.pop_front().unwrap() } else { list[0].clone() }
    }
}

impl World for Stage {
    fn invoke(&self, invocation: Invocation) -> Soon<'_, Result<Invoked, ApiError>> {
        Box::pin(async move {
            let payload = serde_json::from_slice(&invocation.payload).unwrap_or(Value::Null);
            self.calls.lock().unwrap().push((invocation.function.clone(), payload));
            let answer = |payload: String, failed: bool| {
                Ok(Invoked {
                    status: 200,
                    payload: Bytes::from(payload),
                    function_error: failed.then(|| "Unhandled".to_owned()),
                    log_result: invocation.log_tail.then(|| "TG9n".to_owned()),
                    executed_version: "$LATEST".to_owned(),
                })
            };
            {
                let mut busiest = self.busiest.lock().unwrap();
                busiest.0 += 1;
                busiest.1 = busiest.1.max(busiest.0);
            }
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            self.busiest.lock().unwrap().0 -= 1;
            match self.act(&invocation.function) {
                Act::Gives(value) => answer(value.to_string(), false),
                Act::Echoes => answer(String::from_utf8_lossy(&invocation.payload).into_owned(), false),
                Act::Raises(kind) => {
                    answer(json!({"errorType": kind, "errorMessage": format!("{kind}!")}).to_string(), true)
                }
                Act::Says(text, failed) => answer(text, failed),
                Act::Refused(status, code) => Err(ApiError::new(status, code, "No.")),
                Act::Hangs => std::future::pending().await,
            }
        })
    }

    fn permitted(&self) -> Result<(), String> {
        if self.forbidden { Err("The role is gone.".to_owned()) } else { Ok(()) }
    }

    fn sleep(&self, time: Duration) -> Soon<'_, ()> {
        Box::pin(async move {
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            self.slept.lock().unwrap().push(time.as_secs_f64());
        })
    }

    fn now(&self) -> Timestamp {
        "2026-11-24T10:00:00.123Z".parse().unwrap()
    }

    fn chance(&self) -> f64 {
        0.5
    }
}

/// How an execution went.
pub struct Played {
    pub result: Result<Value, Failure>,
    pub events: Vec<Value>,
    pub stage: Arc<Stage>,
}

impl Played {
    /// Types of all events, in order.
    pub fn types(&self) -> Vec<&str> {
        self.events.iter().map(|event| event["type"].as_str().unwrap()).collect()
    }

    /// For every event the one it follows.
    pub fn previous(&self) -> Vec<u64> {
        self.events.iter().map(|event| event["previousEventId"].as_u64().unwrap()).collect()
    }

    /// The payloads a function was given.
    pub fn payloads(&self, function: &str) -> Vec<Value> {
        let calls = self.stage.calls.lock().unwrap();
        calls
            .iter()
            .filter(|(name, _)| name.ends_with(function))
            .map(|(_, payload)| payload.clone())
            .collect()
    }

    pub fn slept(&self) -> Vec<f64> {
        self.stage.slept.lock().unwrap().clone()
    }

    pub fn error(&self) -> (&str, &str) {
        let failure = self.result.as_ref().unwrap_err();
        (failure.error.as_deref().unwrap_or("-"), failure.cause.as_deref().unwrap_or("-"))
    }
}

/// Plays a definition on a stage, from its start to the event that ends it.
pub async fn play(definition: &Value, input: Value, stage: Stage) -> Played {
    let flow = parse::machine(&definition.to_string()).unwrap_or_else(|problems| panic!("{problems}"));
    let (stage, log) = (Arc::new(stage), Arc::new(Log::default()));
    let begun = log.add(stage.now(), 0, "ExecutionStarted", None).unwrap();
    let cursor = Cursor::at(begun);
    let run = json!({
        "Execution": {"Id": "arn:execution", "Name": "e", "Input": input, "RoleArn": "arn:role", "StartTime": "2026-11-24T10:00:00.000Z"},
        "StateMachine": {"Id": "arn:machine", "Name": "m"},
    });
    let engine = Arc::new(Engine {
        world: Arc::clone(&stage) as Arc<dyn World>,
        log: Arc::clone(&log),
        run: Arc::new(run),
        region: "us-east-1".to_owned(),
    });
    let scope = Scope { cursor: Arc::clone(&cursor), map: None, nested: false };
    let result = engine.flow(Arc::new(flow), input, scope).await;
    let end = if result.is_ok() { "ExecutionSucceeded" } else { "ExecutionFailed" };
    log.close(stage.now(), cursor.event(), end, None);
    let events = log.page(1, usize::MAX).iter().map(|event| Value::clone(event)).collect();
    Played { result, events, stage }
}

/// A machine of these states that starts with the one named.
pub fn machine(start: &str, states: Value) -> Value {
    json!({"StartAt": start, "States": states})
}

/// A Task state that calls a function and ends.
pub fn task(function: &str, more: Value) -> Value {
    let mut state = json!({"Type": "Task", "Resource": arn(function), "End": true});
    for (name, value) in more.as_object().unwrap() {
        state[name] = value.clone();
    }
    if state.get("Next").is_some() {
        state.as_object_mut().unwrap().remove("End");
    }
    state
}

pub fn arn(function: &str) -> String {
    format!("arn:aws:lambda:us-east-1:000000000000:function:{function}")
}

/// Plays a single state named `S`.
pub async fn single(state: Value, input: Value, stage: Stage) -> Played {
    play(&machine("S", json!({"S": state})), input, stage).await
}
