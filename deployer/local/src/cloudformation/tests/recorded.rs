//! What was recorded on AWS: change sets of updates, the events of what they did, and the outputs, replayed on a made-up
//! type. The cases were recorded on topics and parameters; of these `Name` (a change of which replaces) and `Value`
//! are left.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Cfn;

const CASES: &str = include_str!("recorded.json");

#[tokio::test]
async fn updates_go_as_was_recorded_on_aws() {
    let cases: Vec<Value> = serde_json::from_str(CASES).unwrap();
    let cfn = Cfn::new();
    let mut wrong = Vec::new();
    for case in &cases {
        let observed = replay(&cfn, case).await;
        let equal = observed == expectation(case);
        // A case that is known to differ says in which way; when it does no more, the remark goes.
        if equal == case.get("differs").is_some() {
            wrong.push(json!({"what": case["what"], "on AWS": expectation(case), "here": observed}));
        }
    }
    let all = (wrong.len(), cases.len());
    assert!(wrong.is_empty(), "{} of {} cases differ: {:#}", all.0, all.1, Value::from(wrong));
}

/// The members of a case that tell what came of it.
fn expectation(case: &Value) -> Value {
    let mut expected = case.clone();
    expected
        .as_object_mut()
        .unwrap()
        .retain(|member, _| matches!(member.as_str(), "changes" | "events" | "outputs"));
    expected
}

async fn replay(cfn: &Cfn, case: &Value) -> Value {
    let mut observed = json!({});
    let mut outputs = Vec::new();
    let mut stack = String::new();
    for (step, kind) in [("first", "CREATE"), ("second", "UPDATE")] {
        let place = usize::from(step == "second");
        let parameters: Value = case["parameters"][place]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, value)| json!({"ParameterKey": key, "ParameterValue": value}))
            .collect();
        let input = json!({
            "StackName": "t", "ChangeSetName": step, "ChangeSetType": kind,
            "TemplateBody": typed(&case[step]).to_string(), "Parameters": parameters,
        });
        let made = match cfn.call("CreateChangeSet", input).await {
            Ok(made) => made,
            Err(error) => return json!({"refused": error.message, "step": step}),
        };
        let described = json!({"ChangeSetName": made["Id"], "IncludePropertyValues": true});
        let set = cfn.call("DescribeChangeSet", described).await.unwrap();
        if step == "second" {
            observed["changes"] = set["Changes"].as_array().unwrap().iter().map(change).collect();
        }
        if let Err(error) = cfn.call("ExecuteChangeSet", json!({"ChangeSetName": made["Id"]})).await {
            return json!({"refused": error.message, "step": step});
        }
        made["StackId"].as_str().unwrap().clone_into(&mut stack);
        cfn.settled("t").await;
        let told = cfn.stack("t").await["Outputs"].clone();
        let told = told.as_array().into_iter().flatten();
        outputs.push(
            told.map(|o| (o["OutputKey"].as_str().unwrap().to_owned(), o["OutputValue"].clone()))
                .collect::<serde_json::Map<_, _>>(),
        );
    }
    if case.get("events").is_some() {
        observed["events"] = json!(statuses(&cfn.events("t").await));
    }
    if case.get("outputs").is_some() {
        observed["outputs"] = json!(outputs);
    }
    cfn.call("DeleteStack", json!({"StackName": "t"})).await.unwrap();
    assert_eq!(cfn.settled(&stack).await, "DELETE_COMPLETE", "{}", case["what"]);
    let told = observed.to_string().replace(&stack, "{stack}").replace("arn:thing/", "");
    serde_json::from_str(&told).unwrap()
}

/// A template whose resources have got the made-up type.
fn typed(template: &Value) -> Value {
    let mut template = template.clone();
    for resource in template["Resources"].as_object_mut().unwrap().values_mut() {
        resource["Type"] = "Test::Plain::Thing".into();
    }
    template
}

/// A change as the cases write it.
fn change(change: &Value) -> Value {
    let change = &change["ResourceChange"];
    let text = |value: &Value| value.as_str().unwrap_or("None").to_owned();
    let scope: Vec<String> = change["Scope"].as_array().unwrap().iter().map(text).collect();
    let words = [
        text(&change["Action"]),
        text(&change["LogicalResourceId"]),
        text(&change["Replacement"]),
        text(&change["PolicyAction"]),
        scope.join(","),
    ];
    let words: Vec<String> = words.into_iter().filter(|word| !word.is_empty() && word != "None").collect();
    let mut written = json!({"change": words.join(" ")});
    for (member, context) in [("before", "BeforeContext"), ("after", "AfterContext")] {
        if let Some(context) = change[context].as_str() {
            written[member] = serde_json::from_str::<Value>(context).unwrap()["Properties"].clone();
        }
    }
    let mut details: Vec<String> = Vec::new();
    for detail in change["Details"].as_array().unwrap() {
        let target = &detail["Target"];
        let mut written = format!(
            "{} {} {} -> {}, recreation {}, {} {}",
            text(&target["Path"]),
            text(&target["AttributeChangeType"]),
            text(&target["BeforeValue"]),
            text(&target["AfterValue"]),
            text(&target["RequiresRecreation"]),
            text(&detail["Evaluation"]),
            text(&detail["ChangeSource"]),
        );
        if let Some(cause) = detail["CausingEntity"].as_str() {
            written = format!("{written} {cause}");
        }
        details.push(written);
    }
    if !details.is_empty() {
        details.sort();
        written["details"] = details.into();
    }
    written
}

/// The statuses that the stack and each resource went through; one told twice in a row counts once.
fn statuses(events: &[String]) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for event in events {
        let (name, rest) = event.split_once(' ').unwrap();
        let status = rest.split(':').next().unwrap();
        let told = all.entry(if name == "t" { "Stack".to_owned() } else { name.to_owned() }).or_default();
        if told.last() != Some(&status) {
            told.push(status);
        }
    }
    all.into_iter().map(|(name, told)| (name, told.join(" "))).collect()
}
