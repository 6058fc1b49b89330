//! Rules, the events they match, and the functions these are sent to.
//!
//! A matched event is a record until its target has it, so that a kill does not lose it: what is pending is delivered
//! after the next start.

mod pattern;
mod rules;
mod target;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use self::pattern::Pattern;
use self::target::Target;
use crate::api::{Entry, JSON_1_1, Protocol};
use crate::faults::Kind;
use crate::lambda::{Invocation, InvocationType};
use crate::params::Params;
use crate::{Aws, Caller, Result, Service, ids};

const RULES: &str = "events-rule";
const PENDING: &str = "events-pending";
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// AWS tries for a day; on one machine a minute of failures is for good.
const MOST_RETRIES: u32 = 16;

/// Rules and targets.
#[derive(Default)]
pub struct Events {
    deliveries: Mutex<JoinSet<()>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Rule {
    name: String,
    arn: String,
    pattern: Value,
    enabled: bool,
    description: Option<String>,
    role: Option<String>,
    tags: BTreeMap<String, String>,
    targets: BTreeMap<String, Target>,
}

/// An event on its way to a target.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Delivery {
    rule: String,
    function: String,
    payload: String,
    retries: u32,
}

pub(crate) static ENTRY: Entry = Entry {
    start: |aws| Box::pin(aws.events.start(aws)),
    stop: |aws| Box::pin(aws.events.stop(aws)),
    ..Entry::new(
        Service::Events,
        "events",
        Protocol::Json("AWSEvents.", JSON_1_1),
        |aws, caller, operation, input| Box::pin(call(aws, caller, operation, input)),
    )
};

async fn call(aws: &Arc<Aws>, caller: &Caller, operation: &str, input: Value) -> Result<Value> {
    let params = Params::new(&input, "ValidationException");
    rules::call(aws, caller, operation, params).unwrap_or_else(|| Err(Service::Events.unknown(operation)))
}

impl Events {
    /// Delivers what an earlier process had still to deliver.
    pub async fn start(&self, aws: &Arc<Aws>) {
        let pending: Vec<(String, Delivery)> = aws.store.list(PENDING);
        self.deliver(aws, pending);
    }

    /// Waits until the targets of the events emitted so far have been invoked.
    pub async fn stop(&self, _aws: &Arc<Aws>) {
        loop {
            let mut deliveries =
                std::mem::take(&mut *self.deliveries.lock().unwrap_or_else(PoisonError::into_inner));
            if deliveries.is_empty() {
                return;
            }
            while deliveries.join_next().await.is_some() {}
        }
    }

    /// Sends an event to the targets of the rules that match it, without waiting for them. `event` is what a service says
    /// (`source`, `detail-type`, `resources`, `detail`); the rest of the envelope is added.
    pub fn emit(&self, aws: &Arc<Aws>, event: &Value) {
        let event = completed(aws, event);
        let rules: Vec<(String, Rule)> = aws.store.list(RULES);
        let matches =
            |rule: &Rule| rule.enabled && Pattern::parse(&rule.pattern).is_ok_and(|p| p.matches(&event));
        let mut pending = Vec::new();
        for (_, rule) in rules.into_iter().filter(|(_, rule)| matches(rule)) {
            for target in rule.targets.values() {
                let delivery = Delivery {
                    rule: rule.arn.clone(),
                    function: target.arn.clone(),
                    payload: target.payload(&event),
                    retries: target.retries().unwrap_or(MOST_RETRIES),
                };
                pending.push((ids::uuid(), delivery));
            }
        }
        // Step Functions' events are sent as well as can be, on AWS too: one may not come.
        if pending.is_empty() || aws.faults.happens(Kind::EventLost) {
            return;
        }
        aws.store.transaction(|records| {
            pending.iter().for_each(|(id, delivery)| records.put(PENDING, id, delivery))
        });
        self.deliver(aws, pending);
    }

    fn deliver(&self, aws: &Arc<Aws>, pending: Vec<(String, Delivery)>) {
        let mut deliveries = self.deliveries.lock().unwrap_or_else(PoisonError::into_inner);
        while deliveries.try_join_next().is_some() {}
        for (id, delivery) in pending {
            let aws = Arc::clone(aws);
            deliveries.spawn(async move {
                invoke(&aws, delivery).await;
                aws.store.delete(PENDING, &id);
            });
        }
    }
}

/// Invokes a function until it is taken, as often as is reasonable. A function that is not there or does not permit the
/// rule never will.
async fn invoke(aws: &Arc<Aws>, delivery: Delivery) {
    let caller = Caller::Service { principal: "events.amazonaws.com".to_owned(), source_arn: delivery.rule };
    let payload = Bytes::from(delivery.payload);
    let mut pause = FIRST_PAUSE;
    for attempt in 0..=delivery.retries {
        let invocation = Invocation {
            function: delivery.function.clone(),
            payload: payload.clone(),
            invocation_type: InvocationType::Event,
            ..Invocation::default()
        };
        match aws.lambda.invoke(aws, &caller, invocation).await {
            Err(e)
                if attempt < delivery.retries && (e.status == 409 || e.status == 429 || e.status >= 500) =>
            {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            _ => return,
        }
    }
}

/// The event with what is the same for all of them, in AWS's order.
fn completed(aws: &Aws, event: &Value) -> Value {
    json!({
        "version": "0",
        "id": ids::uuid(),
        "detail-type": event["detail-type"],
        "source": event["source"],
        "account": aws.settings.account,
        "time": jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "region": aws.settings.region,
        "resources": event["resources"],
        "detail": event["detail"],
    })
}
