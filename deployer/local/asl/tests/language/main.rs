//! The language at work on a made-up world: SPEC.md, section Step Functions.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod arbitrary;
mod data;
mod definitions;
mod distributed;
mod events;
mod handling;
mod recorded;
mod tasks;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use asl::{
    Answer, Engine, Export, Failure, Log, MapRun, PERMISSIONS, Pending, Resource, Source, Tolerance, World,
};
use jiff::Timestamp;
use serde_json::{Value, json};

/// What a made-up function does when it is invoked.
#[derive(Clone)]
enum Act {
    /// Returns this.
    Gives(Value),
    /// Returns what it was given.
    Echoes,
    /// Raises an error of this type.
    Raises(&'static str),
    /// Takes the task over and ends it like this later, or never.
    Takes(Option<Result<Value, Failure>>),
    /// Never returns.
    Hangs,
}

/// A world in which functions do as they are told and waiting takes no time.
#[derive(Default)]
struct Stage {
    acts: Mutex<HashMap<String, VecDeque<Act>>>,
    calls: Mutex<Vec<(String, Value)>>,
    slept: Mutex<Vec<f64>>,
    busiest: Mutex<(usize, usize)>,
    runs: Mutex<Vec<(u64, Tolerance, Option<Export>)>>,
    forbidden: bool,
}

impl Stage {
    /// Functions by name with what they do, one act per invocation; the last act goes on.
    fn new(functions: &[(&str, &[Act])]) -> Self {
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
    fn task(
        &self,
        resource: &Resource,
        input: Value,
    ) -> Result<Pending<'_, Result<Answer<'_>, Failure>>, Failure> {
        if self.forbidden {
            return Err(Failure::new(PERMISSIONS, "The role is gone."));
        }
        let function = match resource {
            Resource::Function(arn) => arn.clone(),
            Resource::Integration { service: "states", .. } => "machine".to_owned(),
            Resource::Integration { .. } => input["FunctionName"].as_str().unwrap().to_owned(),
        };
        Ok(Box::pin(async move {
            self.calls.lock().unwrap().push((function.clone(), input.clone()));
            {
                let mut busiest = self.busiest.lock().unwrap();
                busiest.0 += 1;
                busiest.1 = busiest.1.max(busiest.0);
            }
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            self.busiest.lock().unwrap().0 -= 1;
            match self.act(&function) {
                Act::Gives(value) => Ok(Answer::Done(value)),
                Act::Echoes => Ok(Answer::Done(input)),
                Act::Takes(result) => {
                    let course: Pending<'_, _> = match result {
                        Some(result) => Box::pin(async move { result }),
                        None => Box::pin(std::future::pending()),
                    };
                    Ok(Answer::Submitted(json!("taken over"), course))
                }
                Act::Raises(kind) => {
                    let cause = json!({"errorType": kind, "errorMessage": format!("{kind}!")});
                    Err(Failure::new(kind, cause.to_string()))
                }
                Act::Hangs => std::future::pending().await,
            }
        }))
    }

    /// Its executions give back what they are given; the object of items is what its key says.
    fn map_run(&self, run: MapRun) -> Result<(String, Pending<'_, Result<Value, Failure>>), Failure> {
        Ok((
            "arn:run".to_owned(),
            Box::pin(async move {
                tokio::task::yield_now().await;
                let items = match &run.source {
                    Source::Items(items) => items.clone(),
                    Source::Object(location) => run.items(location["Key"].as_str().unwrap().as_bytes())?,
                };
                self.runs.lock().unwrap().push((run.concurrency, run.tolerance, run.export.clone()));
                if items == [json!("hangs")] {
                    std::future::pending().await
                }
                run.inputs(items).map(Value::Array)
            }),
        ))
    }

    fn sleep(&self, time: Duration) -> Pending<'_, ()> {
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
struct Played {
    result: Result<Value, Failure>,
    events: Vec<Value>,
    stage: Arc<Stage>,
}

impl Played {
    /// Types of all events, in order.
    fn types(&self) -> Vec<&str> {
        self.events.iter().map(|event| event["type"].as_str().unwrap()).collect()
    }

    /// For every event the one it follows.
    fn previous(&self) -> Vec<u64> {
        self.events.iter().map(|event| event["previousEventId"].as_u64().unwrap()).collect()
    }

    /// The payloads a function was given.
    fn payloads(&self, function: &str) -> Vec<Value> {
        let calls = self.stage.calls.lock().unwrap();
        calls
            .iter()
            .filter(|(name, _)| name.ends_with(function))
            .map(|(_, payload)| payload.clone())
            .collect()
    }

    fn slept(&self) -> Vec<f64> {
        self.stage.slept.lock().unwrap().clone()
    }

    fn error(&self) -> (&str, &str) {
        let failure = self.result.as_ref().unwrap_err();
        (failure.error.as_deref().unwrap_or("-"), failure.cause.as_deref().unwrap_or("-"))
    }
}

/// Plays a definition on a stage, from its start to the event that ends it.
async fn play(definition: &Value, input: Value, stage: Stage) -> Played {
    let flow = asl::parse(&definition.to_string()).unwrap_or_else(|problems| panic!("{problems}"));
    let (stage, log) = (Arc::new(stage), Arc::new(Log::default()));
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
    let result = engine.run(Arc::new(flow), input, json!({})).await;
    let events = log.page(1, usize::MAX).iter().map(|event| Value::clone(event)).collect();
    Played { result, events, stage }
}

/// A machine of these states that starts with the one named.
fn machine(start: &str, states: Value) -> Value {
    json!({"StartAt": start, "States": states})
}

/// A Task state that calls a function and ends.
fn task(function: &str, more: Value) -> Value {
    let mut state = json!({"Type": "Task", "Resource": arn(function), "End": true});
    for (name, value) in more.as_object().unwrap() {
        state[name] = value.clone();
    }
    if state.get("Next").is_some() {
        state.as_object_mut().unwrap().remove("End");
    }
    state
}

fn arn(function: &str) -> String {
    format!("arn:aws:lambda:us-east-1:000000000000:function:{function}")
}

/// Plays a single state named `S`.
async fn single(state: Value, input: Value, stage: Stage) -> Played {
    play(&machine("S", json!({"S": state})), input, stage).await
}
