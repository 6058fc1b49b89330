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
use crate::faults::Kind;
use crate::lambda::{Invocation, InvocationType};
use crate::params::Params;
use crate::store::Store;
use crate::{ACCOUNT, ApiError, Aws, Caller, Settings, ids};

const RULES: &str = "events-rule";
const PENDING: &str = "events-pending";
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// AWS tries for a day; on one machine a minute of failures is for good.
const MOST_RETRIES: u32 = 16;
/// The largest entry of `PutEvents`, and the most entries of one call.
const MOST_EVENT_BYTES: usize = 256 << 10;
const MOST_ENTRIES: usize = 10;

/// Rules and targets.
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

impl Events {
    /// The service over its records.
    #[must_use]
    pub fn open(_settings: &Settings, _store: &Store) -> Self {
        Self { deliveries: Mutex::default() }
    }

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

    /// Sends an event to the targets of the rules that match it, without waiting for them. `event` is the envelope
    /// (`source`, `detail-type`, `resources`, `detail`); what is missing of the rest (`id`, `time`, `account`, `region`,
    /// `version`) is added.
    pub fn emit(&self, aws: &Arc<Aws>, event: Value) {
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

    /// Performs an operation.
    ///
    /// # Errors
    /// What AWS would answer.
    pub async fn call(
        &self,
        aws: &Arc<Aws>,
        caller: &Caller,
        operation: &str,
        input: Value,
    ) -> Result<Value, ApiError> {
        let params = Params::new(&input, "ValidationException");
        match operation {
            "PutEvents" => self.put_events(aws, caller, params),
            _ => rules::call(aws, caller, operation, params).unwrap_or_else(|| {
                let message = format!("the local endpoint does not know EventBridge's {operation}");
                Err(ApiError::new(400, "UnknownOperationException", message))
            }),
        }
    }

    fn put_events(&self, aws: &Arc<Aws>, caller: &Caller, params: Params<'_>) -> Result<Value, ApiError> {
        aws.iam.authorize(aws, caller, "events:PutEvents", &aws.arn("events", "event-bus/default"))?;
        let entries = params.list("Entries")?;
        if entries.is_empty() || entries.len() > MOST_ENTRIES {
            return Err(params
                .invalid(format!("'Entries' must hold 1 to {MOST_ENTRIES} entries, not {}", entries.len())));
        }
        let mut answers = Vec::new();
        for entry in entries {
            match event(entry) {
                Ok(event) => {
                    let event = completed(aws, event);
                    answers.push(json!({"EventId": event["id"]}));
                    self.emit(aws, event);
                }
                Err((code, message)) => answers.push(json!({"ErrorCode": code, "ErrorMessage": message})),
            }
        }
        let failed = answers.iter().filter(|answer| answer.get("ErrorCode").is_some()).count();
        Ok(json!({"FailedEntryCount": failed, "Entries": answers}))
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

/// The event of an entry of `PutEvents`, or the code and message of what is wrong with it.
fn event(entry: &Value) -> Result<Value, (&'static str, String)> {
    let invalid = |message: String| ("InvalidArgument", message);
    let text = |name: &str| match &entry[name] {
        Value::String(text) if !text.is_empty() => Ok(text.as_str()),
        _ => Err(invalid(format!("Parameter {name} is not valid. Reason: {name} is a required argument."))),
    };
    let (source, detail_type, detail) = (text("Source")?, text("DetailType")?, text("Detail")?);
    if source.starts_with("aws.") {
        return Err(("NotAuthorizedForSourceException", "Not authorized for the source.".to_owned()));
    }
    if !rules::is_default_bus(&entry["EventBusName"]) {
        return Err(invalid(format!(
            "Event bus {} does not exist: there is the default one only.",
            entry["EventBusName"]
        )));
    }
    if entry.to_string().len() > MOST_EVENT_BYTES {
        return Err(invalid(format!("an event has at most {MOST_EVENT_BYTES} bytes")));
    }
    let detail: Value = match serde_json::from_str(detail) {
        Ok(detail @ Value::Object(_)) => detail,
        _ => return Err(("MalformedDetail", "Detail is malformed: it must be a JSON object.".to_owned())),
    };
    let mut event = json!({"source": source, "detail-type": detail_type, "detail": detail});
    if let resources @ Value::Array(_) = &entry["Resources"] {
        event["resources"] = resources.clone();
    }
    if let Some(time) = entry["Time"].as_f64() {
        #[allow(clippy::cast_possible_truncation, reason = "whole seconds are what events carry")]
        let time = jiff::Timestamp::from_second(time as i64)
            .map_err(|e| invalid(format!("Time is not valid: {e}")))?;
        event["time"] = json!(time.to_string());
    }
    Ok(event)
}

/// The envelope with what was missing of it, in AWS's order.
fn completed(aws: &Aws, mut event: Value) -> Value {
    let mut take = |name: &str, otherwise: Value| match event.get_mut(name).map(Value::take) {
        None | Some(Value::Null) => otherwise,
        Some(value) => value,
    };
    json!({
        "version": take("version", json!("0")),
        "id": take("id", json!(ids::uuid())),
        "detail-type": take("detail-type", json!("")),
        "source": take("source", json!("")),
        "account": take("account", json!(ACCOUNT)),
        "time": take("time", json!(jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string())),
        "region": take("region", json!(aws.settings.region)),
        "resources": take("resources", json!([])),
        "detail": take("detail", json!({})),
    })
}
