//! JSON in a change set as people read it: only the places that differ, and policies as sentences.

use serde_json::Value;

use super::value_change::{ValueChange, known};

/// The places at which two documents differ. Texts that are no documents are one place.
pub(super) fn places(change: &ValueChange) -> Vec<ValueChange> {
    let document = |text: &Option<String>| {
        let value: Value = serde_json::from_str(text.as_deref()?).ok()?;
        (value.is_object() || value.is_array()).then_some(value)
    };
    match (document(&change.before), document(&change.after)) {
        (Some(before), Some(after)) => {
            let mut places = Vec::new();
            compare(&change.name, Some(&before), Some(&after), &mut places);
            places.iter_mut().for_each(|place| place.replaces = change.replaces);
            places
        }
        _ => vec![change.clone()],
    }
}

fn compare(name: &str, before: Option<&Value>, after: Option<&Value>, places: &mut Vec<ValueChange>) {
    match (before, after) {
        (Some(before), Some(after)) if before == after => {}
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            let added = after.keys().filter(|key| !before.contains_key(*key));
            for key in before.keys().chain(added) {
                compare(&format!("{name}.{key}"), before.get(key), after.get(key), places);
            }
        }
        (Some(Value::Array(before)), Some(Value::Array(after))) if before.len() == after.len() => {
            for (at, (before, after)) in before.iter().zip(after).enumerate() {
                compare(&format!("{name}.{at}"), Some(before), Some(after), places);
            }
        }
        _ => places.push(ValueChange {
            name: name.to_owned(),
            before: before.map(expression),
            after: after.map(expression),
            replaces: false,
        }),
    }
}

/// What a change of policies takes away and gives, as sentences; nothing when it is none, or changes something else.
pub(super) fn permissions(change: &ValueChange) -> Option<(Vec<String>, Vec<String>)> {
    let sentences = |text: &Option<String>| {
        let value: Value = serde_json::from_str(text.as_deref().unwrap_or("null")).unwrap_or_default();
        statements(&value)
    };
    let (before, after) = (sentences(&change.before), sentences(&change.after));
    let without = |these: &[String], others: &[String]| -> Vec<String> {
        these.iter().filter(|sentence| !others.contains(sentence)).cloned().collect()
    };
    let (taken, given) = (without(&before, &after), without(&after, &before));
    (!taken.is_empty() || !given.is_empty()).then_some((taken, given))
}

/// Every policy statement inside a value, and what an `AWS::Lambda::Permission` is, as sentences.
pub(super) fn statements(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    gather(value, &mut found);
    found
}

fn gather(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) if fields.contains_key("Effect") => found.push(sentence(value)),
        Value::Object(fields) if fields.contains_key("FunctionName") && fields.contains_key("Principal") => {
            let (action, principal) = (list(&value["Action"]), list(&value["Principal"]));
            found.push(format!("allow {action} by {principal}"));
        }
        Value::Object(fields) => fields.values().for_each(|value| gather(value, found)),
        Value::Array(values) => values.iter().for_each(|value| gather(value, found)),
        _ => {}
    }
}

/// `allow ACTIONS on RESOURCES by PRINCIPAL if CONDITION`.
fn sentence(statement: &Value) -> String {
    let mut sentence = statement["Effect"].as_str().unwrap_or_default().to_lowercase();
    let parts = [
        ("Action", " "),
        ("NotAction", " all but "),
        ("Resource", " on "),
        ("NotResource", " on all but "),
        ("Principal", " by "),
        ("NotPrincipal", " by all but "),
        ("Condition", " if "),
    ];
    for (member, word) in parts {
        if let Some(value) = statement.get(member) {
            sentence.push_str(word);
            sentence.push_str(&list(value));
        }
    }
    known(&sentence)
}

fn list(value: &Value) -> String {
    match value {
        Value::Array(values) => {
            let mut values: Vec<String> = values.iter().map(expression).collect();
            values.dedup();
            values.join(", ")
        }
        // {"Service": "lambda.amazonaws.com"}
        Value::Object(fields)
            if fields.len() == 1 && fields.values().all(|v| v.is_string() || v.is_array()) =>
        {
            match fields.keys().next().map(String::as_str) {
                Some("Service" | "AWS" | "Federated") => {
                    fields.values().map(list).collect::<Vec<_>>().join(", ")
                }
                _ => expression(value),
            }
        }
        other => expression(other),
    }
}

/// A value of a template in short: `${Name}`, `${Name.Arn}`, what is joined or substituted; JSON else.
fn expression(value: &Value) -> String {
    let function =
        value.as_object().filter(|fields| fields.len() == 1).and_then(|fields| fields.iter().next());
    match (value, function) {
        (Value::String(text), _) => text.clone(),
        (_, Some((name, Value::String(of)))) if name == "Ref" => format!("${{{of}}}"),
        (_, Some((name, Value::String(text)))) if name == "Fn::Sub" => text.clone(),
        (_, Some((name, Value::Array(of)))) if name == "Fn::GetAtt" => {
            format!("${{{}}}", of.iter().map(expression).collect::<Vec<_>>().join("."))
        }
        (_, Some((name, Value::Array(of)))) if name == "Fn::Join" => match of.as_slice() {
            [Value::String(between), Value::Array(parts)] => {
                parts.iter().map(expression).collect::<Vec<_>>().join(between)
            }
            _ => value.to_string(),
        },
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn change(before: &Value, after: &Value) -> ValueChange {
        let text = |value: &Value| Some(value.to_string());
        ValueChange { name: "P".into(), before: text(before), after: text(after), replaces: false }
    }

    #[test]
    fn only_the_places_that_differ_are_shown() {
        let before = json!({"Variables": {"a": "1", "b": "2", "gone": "x"}, "l": [1, 2]});
        let after = json!({"Variables": {"a": "1", "b": "3", "new": {"y": 1}}, "l": [1]});
        let places: Vec<String> = places(&change(&before, &after)).iter().map(ToString::to_string).collect();
        assert_eq!(
            places,
            [
                "P.Variables.b: 2 → 3",
                "P.Variables.gone: x → (none)",
                "P.Variables.new: {\"y\":1}",
                "P.l: [1,2] → [1]"
            ]
        );
    }

    #[test]
    fn policies_are_sentences() {
        let policy = |resource: &str| {
            json!([{"PolicyName": "p", "PolicyDocument": {"Statement": [
                {"Effect": "Allow", "Action": ["a:B", "a:C"], "Resource": resource},
                {"Effect": "Deny", "NotAction": "a:D", "Resource": "*", "Condition": {"Bool": {"x": "true"}}},
            ]}}])
        };
        let (taken, given) = permissions(&change(&policy("*"), &policy("arn:x"))).unwrap();
        assert_eq!(
            (taken, given),
            (vec!["allow a:B, a:C on *".to_owned()], vec!["allow a:B, a:C on arn:x".to_owned()])
        );
        assert_eq!(statements(&policy("x"))[1], "deny all but a:D on * if {\"Bool\":{\"x\":\"true\"}}");
        assert_eq!(permissions(&change(&policy("x"), &policy("x"))), None);
    }

    #[test]
    fn expressions_of_a_template_are_short() {
        let statement = json!({"Effect": "Allow", "Action": "s:X", "Principal": {"Service": "lambda.amazonaws.com"},
            "Resource": [{"Ref": "A"}, {"Fn::GetAtt": ["B", "Arn"]}, {"Fn::Join": [":", ["arn", {"Ref": "C"}]]}, {"Fn::Sub": "${D}/*"}]});
        assert_eq!(
            statements(&statement),
            ["allow s:X on ${A}, ${B.Arn}, arn:${C}, ${D}/* by lambda.amazonaws.com"]
        );
    }
}
