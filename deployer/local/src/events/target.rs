//! A rule's target, and what of an event it is sent.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A function to which a rule sends events.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Target {
    pub arn: String,
    /// The target as it was put.
    given: Value,
}

impl Target {
    /// Reads a target and its id.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(target: &Value) -> Result<(String, Self), String> {
        let known = ["Arn", "Id", "Input", "RetryPolicy"];
        let object = target.as_object().ok_or("a target is an object")?;
        if let Some(member) = object.keys().find(|member| !known.contains(&member.as_str())) {
            return Err(format!(
                "the local endpoint does not know {member} of a target; it knows {}",
                known.join(", ")
            ));
        }
        let text = |name: &str| target[name].as_str().filter(|text| !text.is_empty());
        let (Some(id), Some(arn)) = (text("Id"), text("Arn")) else {
            return Err("a target has an Id and an Arn".to_owned());
        };
        if !(arn.starts_with("arn:aws:lambda:") && arn.contains(":function:")) {
            return Err(format!(
                "the local endpoint sends events to Lambda functions only, not to \"{arn}\""
            ));
        }
        if let Some(input) = text("Input") {
            serde_json::from_str::<Value>(input).map_err(|e| format!("Input is not JSON: {e}"))?;
        }
        Ok((id.to_owned(), Self { arn: arn.to_owned(), given: target.clone() }))
    }

    /// The target as it was put.
    #[must_use]
    pub fn describe(&self) -> Value {
        self.given.clone()
    }

    /// How often a failed delivery is tried again, when that is said.
    #[must_use]
    pub fn retries(&self) -> Option<u32> {
        self.given["RetryPolicy"]["MaximumRetryAttempts"].as_u64().and_then(|n| u32::try_from(n).ok())
    }

    /// What the target is sent: the event, unless something fixed was given.
    #[must_use]
    pub fn payload(&self, event: &Value) -> String {
        self.given["Input"].as_str().map_or_else(|| event.to_string(), str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";

    #[test]
    fn the_payload_is_the_event_or_what_was_given() {
        let event = json!({"source": "s", "detail": {"n": 1}});
        let payload = |target: Value| Target::parse(&target).unwrap().1.payload(&event);
        assert_eq!(payload(json!({"Id": "1", "Arn": ARN})), event.to_string());
        assert_eq!(payload(json!({"Id": "1", "Arn": ARN, "Input": "[1]"})), "[1]");
    }

    #[test]
    fn what_is_no_target_is_refused() {
        for target in [
            json!({}),
            json!({"Id": "1", "Arn": "arn:aws:sqs:us-east-1:0:q"}),
            json!({"Id": "1", "Arn": ARN, "SqsParameters": {}}),
            json!({"Id": "1", "Arn": ARN, "Input": "{"}),
            json!({"Id": "1", "Arn": ARN, "InputPath": "$.detail"}),
        ] {
            assert!(Target::parse(&target).is_err(), "{target}");
        }
    }
}
