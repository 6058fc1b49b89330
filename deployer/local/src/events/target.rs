//! A rule's target, and what of an event it is sent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

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
        let known = ["Arn", "Id", "Input", "InputPath", "InputTransformer", "RetryPolicy"];
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
        if ["Input", "InputPath", "InputTransformer"]
            .iter()
            .filter(|name| object.contains_key(**name))
            .count()
            > 1
        {
            return Err("only one of Input, InputPath or InputTransformer can be given".to_owned());
        }
        if let Some(input) = text("Input") {
            serde_json::from_str::<Value>(input).map_err(|e| format!("Input is not JSON: {e}"))?;
        }
        if let Some(path) = text("InputPath").filter(|path| !path.starts_with('$')) {
            return Err(format!("InputPath must start with $, not \"{path}\""));
        }
        if object.contains_key("InputTransformer")
            && target["InputTransformer"]["InputTemplate"].as_str().is_none()
        {
            return Err("InputTransformer has no InputTemplate".to_owned());
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

    /// What the target is sent of an event.
    #[must_use]
    pub fn payload(&self, event: &Value, rule: &str) -> String {
        if let Some(input) = self.given["Input"].as_str() {
            return input.to_owned();
        }
        if let Some(path) = self.given["InputPath"].as_str() {
            return at(event, path).cloned().unwrap_or(Value::Null).to_string();
        }
        match self.given["InputTransformer"]["InputTemplate"].as_str() {
            Some(template) => self.transformed(template, event, rule),
            None => event.to_string(),
        }
    }

    fn transformed(&self, template: &str, event: &Value, rule: &str) -> String {
        let rule_name = rule.rsplit('/').next().unwrap_or(rule);
        let mut values = BTreeMap::from([
            ("aws.events.rule-arn", json!(rule)),
            ("aws.events.rule-name", json!(rule_name)),
            ("aws.events.event.ingestion-time", event["time"].clone()),
            ("aws.events.event", event.clone()),
            ("aws.events.event.json", event.clone()),
        ]);
        let paths = self.given["InputTransformer"]["InputPathsMap"].as_object();
        for (name, path) in paths.into_iter().flatten() {
            let value = path.as_str().and_then(|path| at(event, path)).cloned().unwrap_or_default();
            values.insert(name, value);
        }
        let (mut out, mut quoted, mut rest) = (String::new(), false, template);
        while let Some(c) = rest.chars().next() {
            let placeholder = rest
                .strip_prefix('<')
                .and_then(|r| r.split_once('>'))
                .and_then(|(n, after)| Some((values.get(n)?, after)));
            if let Some((value, after)) = placeholder {
                // Inside a string only the text of a string is wanted, and what it holds must not end it.
                let text = match value {
                    Value::String(text) if quoted => inside(text),
                    other if quoted => inside(&other.to_string()),
                    other => other.to_string(),
                };
                out += &text;
                rest = after;
                continue;
            }
            if c == '"' && !out.ends_with('\\') {
                quoted = !quoted;
            }
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
        out
    }
}

/// A text as it stands between the quotes of a JSON string.
fn inside(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// What a path like `$.detail.list[0].name` leads to.
fn at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    let steps = path.strip_prefix('$')?.split(['.', '[']).map(|step| step.trim_end_matches(']'));
    steps.filter(|step| !step.is_empty()).try_fold(value, |value, step| match value {
        Value::Array(list) => list.get(step.parse::<usize>().ok()?),
        other => other.get(step.trim_matches(['\'', '"'])),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";

    fn payload(mut target: Value) -> Value {
        target["Id"] = json!("1");
        target["Arn"] = json!(ARN);
        let event = json!({"source": "s", "detail": {"name": "a \"b\"", "n": 1, "list": [{"x": true}]}});
        let payload = Target::parse(&target).unwrap().1.payload(&event, "arn:aws:events:us-east-1:0:rule/r");
        serde_json::from_str(&payload).unwrap_or_else(|e| panic!("{payload}: {e}"))
    }

    #[test]
    fn the_payload_is_the_event_a_part_of_it_or_something_else() {
        assert_eq!(payload(json!({}))["source"], "s");
        assert_eq!(payload(json!({"Input": "[1]"})), json!([1]));
        assert_eq!(payload(json!({"InputPath": "$.detail.list[0].x"})), json!(true));
        assert_eq!(payload(json!({"InputPath": "$.none"})), Value::Null);
    }

    #[test]
    fn a_template_is_filled_in_as_json() {
        let transformer = json!({"InputTransformer": {
            "InputPathsMap": {"name": "$.detail.name", "n": "$.detail.n", "d": "$.detail.list"},
            "InputTemplate": r#"{"text": "<name> and <n>", "name": <name>, "n": <n>, "d": <d>, "other": "<x>", "rule": "<aws.events.rule-name>"}"#,
        }});
        let expected = json!({
            "text": "a \"b\" and 1", "name": "a \"b\"", "n": 1, "d": [{"x": true}], "other": "<x>", "rule": "r"
        });
        assert_eq!(payload(transformer), expected);
    }

    #[test]
    fn what_is_no_target_is_refused() {
        for target in [
            json!({}),
            json!({"Id": "1", "Arn": "arn:aws:sqs:us-east-1:0:q"}),
            json!({"Id": "1", "Arn": ARN, "SqsParameters": {}}),
            json!({"Id": "1", "Arn": ARN, "Input": "{"}),
            json!({"Id": "1", "Arn": ARN, "Input": "1", "InputPath": "$"}),
            json!({"Id": "1", "Arn": ARN, "InputTransformer": {}}),
        ] {
            assert!(Target::parse(&target).is_err(), "{target}");
        }
    }
}
