//! What was recorded on AWS, as cases of our own: an operation, its input, and the error or the members of the answer.
//!
//! The cases run one after another on one account with a function `f` (versions 1 and 2) and a layer `libs` (version 1 and
//! 2). In texts `{arn}` stands for a function's ARN up to its name, `{a*65}` for 65 times the letter, `{pattern:X}` for
//! one of the file's patterns.

use local_aws::lambda::Invocation;
use local_aws::{ApiError, Caller};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::{ACCOUNT_ARN, Local, ROLE, package, package_of};

#[derive(Deserialize)]
struct Recorded {
    patterns: serde_json::Map<String, Value>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    what: String,
    call: String,
    input: Value,
    error: Option<(u16, String, String)>,
    #[serde(default)]
    answer: Value,
}

/// Fills in the placeholders of every text inside a value.
fn fill(value: &Value, texts: &[(String, String)]) -> Value {
    match value {
        Value::String(text) => Value::String(filled(text, texts)),
        Value::Array(list) => list.iter().map(|v| fill(v, texts)).collect(),
        Value::Object(map) => {
            map.iter().map(|(k, v)| (k.clone(), fill(v, texts))).collect::<serde_json::Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

fn filled(text: &str, texts: &[(String, String)]) -> String {
    let text = texts.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
    [("a", 65), ("a", 100), ("a", 129), ("a", 170), ("x", 4096)].iter().fold(text, |text, (letter, times)| {
        text.replace(&format!("{{{letter}*{times}}}"), &letter.repeat(*times))
    })
}

/// What is wrong with a request comes in no certain order.
fn sorted(message: &str) -> (String, Vec<String>) {
    let (count, violations) = message.split_once(" detected: ").unwrap_or((message, ""));
    let mut violations: Vec<String> = violations.split("; ").map(str::to_owned).collect();
    violations.sort();
    (count.to_owned(), violations)
}

async fn call(local: &Local, operation: &str, mut input: Value) -> Result<Value, ApiError> {
    if operation == "CreateFunction" {
        let given = input.as_object().cloned().unwrap_or_default();
        input = json!({"Runtime": "provided.al2023", "Handler": "bootstrap", "Role": ROLE,
                       "Code": {"ZipFile": package()}});
        input.as_object_mut().unwrap().extend(given);
    }
    if operation != "Invoke" {
        return local.as_caller(&Caller::Owner, operation, input).await;
    }
    let text = |name: &str| input[name].as_str().map(str::to_owned);
    let invocation = Invocation {
        function: text("FunctionName").unwrap(),
        qualifier: text("Qualifier"),
        ..Invocation::default()
    };
    local.aws.lambda.invoke(&local.aws, &Caller::Owner, invocation).await.map(|_| json!({}))
}

/// An answer's documents as values.
fn opened(mut answer: Value) -> Value {
    for name in ["Policy", "Statement"] {
        if let Some(text) = answer[name].as_str() {
            answer[name] = serde_json::from_str(text).unwrap();
        }
    }
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn lambda_answers_as_was_recorded_on_aws() {
    let recorded: Recorded = serde_json::from_str(include_str!("recorded.json")).unwrap();
    let local = Local::new().await;
    local.function("f", json!({})).await;
    local.publish("f").await;
    local.configure("f", json!({"Description": "changed"})).await;
    local.publish("f").await;
    for content in ["1", "2"] {
        let zip = package_of(&[("lib/data", content.as_bytes(), 0o644)]);
        local.ok("PublishLayerVersion", json!({"LayerName": "libs", "Content": {"ZipFile": zip}})).await;
    }
    let bucket = json!({"Bucket": "code"});
    local.aws.call(&Caller::Owner, local_aws::Service::S3, "CreateBucket", bucket).await.unwrap();
    let hash = local.ok("GetFunctionConfiguration", json!({"FunctionName": "f"})).await["CodeSha256"].clone();
    let mut texts = vec![
        ("{arn}".to_owned(), ACCOUNT_ARN.to_owned()),
        ("{package}".to_owned(), package().to_owned()),
        ("{sha256}".to_owned(), hash.as_str().unwrap().to_owned()),
    ];
    let pattern =
        |(name, text): (&String, &Value)| (format!("{{pattern:{name}}}"), text.as_str().unwrap().to_owned());
    texts.extend(recorded.patterns.iter().map(pattern));
    let mut differences = Vec::new();
    for case in &recorded.cases {
        let answer = call(&local, &case.call, fill(&case.input, &texts)).await;
        let equal = match (&case.error, &answer) {
            (Some((status, code, message)), Err(error)) => {
                (*status, code) == (error.status, &error.code)
                    && sorted(&filled(message, &texts)) == sorted(&error.message)
            }
            (None, Ok(answer)) => {
                let (answer, expected) = (opened(answer.clone()), fill(&case.answer, &texts));
                let members = expected.as_object().unwrap();
                members.iter().all(|(name, value)| answer[name] == *value)
                    && (case.call != "CreateAlias"
                        || members.len() < 4
                        || answer.as_object().unwrap().len() == members.len() + 1)
            }
            _ => false,
        };
        if !equal {
            differences.push(format!("{}, {}: {answer:?}", case.call, case.what));
        }
        local.settled("f").await;
    }
    let (all, equal) = (recorded.cases.len(), recorded.cases.len() - differences.len());
    assert!(differences.is_empty(), "{equal} of {all} are as recorded, not:\n{}", differences.join("\n"));
}
