use std::sync::Arc;

use serde_json::{Value, json};

use crate::faults::{Fault, Kind};
use crate::testing::Local;
use crate::{Aws, Caller, Result, Service};

const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";

async fn events(aws: &Arc<Aws>, operation: &str, input: Value) -> Result<Value> {
    aws.call(&Caller::Owner, Service::Events, operation, input).await
}

async fn rule(aws: &Arc<Aws>) {
    let input =
        json!({"Name": "r", "EventPattern": "{\"source\":[\"mine\"]}", "Tags": [{"Key": "a", "Value": "b"}]});
    events(aws, "PutRule", input).await.unwrap();
}

#[tokio::test]
async fn rules_come_back_as_they_were_put() {
    let aws = Local::new();
    rule(&aws).await;
    let described = events(&aws, "DescribeRule", json!({"Name": "r"})).await.unwrap();
    assert_eq!(described["Arn"], "arn:aws:events:us-east-1:000000000000:rule/r");
    assert_eq!(described["EventPattern"], "{\"source\":[\"mine\"]}");
    assert_eq!((&described["State"], &described["CreatedBy"]), (&json!("ENABLED"), &json!("000000000000")));
    events(&aws, "DisableRule", json!({"Name": "r"})).await.unwrap();
    let listed = events(&aws, "ListRules", json!({"NamePrefix": "r"})).await.unwrap();
    assert_eq!(listed["Rules"][0]["State"], "DISABLED");
    events(&aws, "EnableRule", json!({"Name": "r"})).await.unwrap();
    let tags = events(&aws, "ListTagsForResource", json!({"ResourceARN": described["Arn"]})).await.unwrap();
    assert_eq!(tags["Tags"], json!([{"Key": "a", "Value": "b"}]));
    let error = events(&aws, "DescribeRule", json!({"Name": "none"})).await.unwrap_err();
    assert_eq!(error.code, "ResourceNotFoundException");
    assert!(listed["Rules"][0].get("CreatedBy").is_none());
    let bus = "arn:aws:events:us-east-1:000000000000:event-bus/other";
    let error = events(&aws, "ListTagsForResource", json!({"ResourceARN": bus})).await.unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.message.as_str()),
        ("ResourceNotFoundException", "Event bus other does not exist.")
    );
    let error = events(&aws, "PutEvents", json!({"Entries": []})).await.unwrap_err();
    assert_eq!(error.code, "UnknownOperationException");
}

#[tokio::test]
async fn a_rule_with_targets_is_not_deleted() {
    let aws = Local::new();
    rule(&aws).await;
    let input = json!({"Rule": "r", "Targets": [{"Id": "1", "Arn": FUNCTION}, {"Id": "2", "Arn": "arn:aws:sqs:::q"}]});
    let put = events(&aws, "PutTargets", input).await.unwrap();
    assert_eq!((&put["FailedEntryCount"], &put["FailedEntries"][0]["TargetId"]), (&json!(1), &json!("2")));
    let listed = events(&aws, "ListTargetsByRule", json!({"Rule": "r"})).await.unwrap();
    assert_eq!(listed["Targets"], json!([{"Id": "1", "Arn": FUNCTION}]));
    let error = events(&aws, "DeleteRule", json!({"Name": "r"})).await.unwrap_err();
    assert_eq!(error.message, "Rule can't be deleted since it has targets.");
    let removed = events(&aws, "RemoveTargets", json!({"Rule": "r", "Ids": ["1", "3"]})).await.unwrap();
    assert_eq!(removed["FailedEntryCount"], 1);
    events(&aws, "DeleteRule", json!({"Name": "r"})).await.unwrap();
    events(&aws, "DeleteRule", json!({"Name": "r"})).await.unwrap();
    let error =
        events(&aws, "PutTargets", json!({"Rule": "r", "Targets": [{"Id": "1", "Arn": FUNCTION}]})).await;
    assert_eq!(error.unwrap_err().code, "ResourceNotFoundException");
}

#[tokio::test]
async fn what_is_no_rule_is_refused() {
    let aws = Local::new();
    let code = async |input: Value| events(&aws, "PutRule", input).await.unwrap_err().code;
    assert_eq!(
        code(json!({"Name": "r", "EventPattern": "{\"source\":\"x\"}"})).await,
        "InvalidEventPatternException"
    );
    assert_eq!(code(json!({"Name": "r", "EventPattern": "{"})).await, "InvalidEventPatternException");
    assert_eq!(code(json!({"Name": "a b", "EventPattern": "{\"a\":[1]}"})).await, "ValidationException");
    assert_eq!(code(json!({"Name": "r", "ScheduleExpression": "rate(1 day)"})).await, "ValidationException");
    let bus = json!({"Name": "r", "EventPattern": "{\"a\":[1]}", "EventBusName": "other"});
    assert_eq!(code(bus).await, "ResourceNotFoundException");
}

#[tokio::test]
async fn an_event_whose_function_is_gone_is_given_up() {
    let aws = Local::new();
    rule(&aws).await;
    let input = json!({"Rule": "r", "Targets": [{"Id": "1", "Arn": FUNCTION}]});
    events(&aws, "PutTargets", input).await.unwrap();
    aws.events.emit(&aws, &json!({"source": "mine", "detail-type": "t", "detail": {}}));
    assert_eq!(aws.store.list::<Value>(super::PENDING).len(), 1, "it is a record until it is delivered");
    aws.events.stop(&aws).await;
    assert_eq!(aws.store.list::<Value>(super::PENDING).len(), 0);
}

#[tokio::test]
async fn an_event_may_be_lost() {
    let aws = Local::new();
    rule(&aws).await;
    let input = json!({"Rule": "r", "Targets": [{"Id": "1", "Arn": FUNCTION}]});
    events(&aws, "PutTargets", input).await.unwrap();
    aws.faults.plan(vec![Fault { caller: None, operation: None, nth: 2, kind: Kind::EventLost }]);
    let mut emitted = Vec::new();
    for _ in 0..3 {
        aws.events.emit(&aws, &json!({"source": "other", "detail-type": "t", "detail": {}}));
        aws.events.emit(&aws, &json!({"source": "mine", "detail-type": "t", "detail": {}}));
        emitted.push(aws.store.list::<Value>(super::PENDING).len());
    }
    assert_eq!(emitted, [1, 1, 2], "the second event that has a target is not sent");
}
