use std::sync::Arc;

use serde_json::{Value, json};

use super::{MOST_GROUP_BYTES, MOST_STREAM_BYTES, now};
use crate::testing::Local;
use crate::{Aws, Caller, Result, Service};

async fn logs(aws: &Arc<Aws>, operation: &str, input: Value) -> Result<Value> {
    aws.call(&Caller::Owner, Service::Logs, operation, input).await
}

async fn group(aws: &Arc<Aws>) -> Value {
    let groups = logs(aws, "DescribeLogGroups", json!({"logGroupNamePrefix": "/g"})).await.unwrap();
    groups["logGroups"][0].clone()
}

async fn role(aws: &Arc<Aws>, actions: Value, resource: &str) -> Caller {
    let trust = json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}});
    let policy = json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Action": actions, "Resource": resource}});
    let input = json!({"RoleName": "r", "AssumeRolePolicyDocument": trust});
    aws.call(&Caller::Owner, Service::Iam, "CreateRole", input).await.unwrap();
    let input = json!({"RoleName": "r", "PolicyName": "p", "PolicyDocument": policy});
    aws.call(&Caller::Owner, Service::Iam, "PutRolePolicy", input).await.unwrap();
    Caller::Role { arn: "arn:aws:iam::000000000000:role/r".to_owned(), session: "f".to_owned() }
}

fn lines(texts: &[&str]) -> Vec<(i64, String)> {
    texts.iter().map(|text| (now(), (*text).to_owned())).collect()
}

#[tokio::test]
async fn groups_are_described_and_keep_aws_s_retentions_only() {
    let aws = Local::new();
    logs(&aws, "CreateLogGroup", json!({"logGroupName": "/g", "tags": {"a": "b"}})).await.unwrap();
    let again = logs(&aws, "CreateLogGroup", json!({"logGroupName": "/g"})).await.unwrap_err();
    assert_eq!(again.code, "ResourceAlreadyExistsException");
    logs(&aws, "PutRetentionPolicy", json!({"logGroupName": "/g", "retentionInDays": 7})).await.unwrap();
    let described = group(&aws).await;
    assert_eq!(described["retentionInDays"], 7);
    assert_eq!(described["arn"], "arn:aws:logs:us-east-1:000000000000:log-group:/g:*");
    assert_eq!(
        (&described["storedBytes"], &described["deletionProtectionEnabled"]),
        (&json!(0), &json!(false))
    );
    let found = logs(&aws, "DescribeLogGroups", json!({"logGroupNamePattern": "G"})).await.unwrap();
    let shown = &found["logGroups"][0];
    assert!(shown.get("storedBytes").is_none() && shown.get("deletionProtectionEnabled").is_none());
    let rest = json!({"logGroupNamePattern": "G", "nextToken": found["nextToken"]});
    let rest = logs(&aws, "DescribeLogGroups", rest).await.unwrap();
    assert_eq!(rest, json!({"logGroups": []}), "a search ends with the page after its last");
    for (operation, input, message) in [
        (
            "CreateLogGroup",
            json!({"logGroupName": "g".repeat(513)}),
            "Invalid LogGroup or LogStream, both must have length less than or equal to 512.",
        ),
        (
            "FilterLogEvents",
            json!({"logGroupName": "/g", "limit": 10_001}),
            "1 validation error detected: Value '10001' at 'limit' failed to satisfy constraint: Member must have value less \
             than or equal to 10000",
        ),
    ] {
        assert_eq!(logs(&aws, operation, input).await.unwrap_err().message, message);
    }
    let error = logs(&aws, "PutRetentionPolicy", json!({"logGroupName": "/g", "retentionInDays": 8})).await;
    assert!(error.unwrap_err().message.contains("'8'"));
    logs(&aws, "DeleteRetentionPolicy", json!({"logGroupName": "/g"})).await.unwrap();
    assert!(group(&aws).await.get("retentionInDays").is_none());
    logs(&aws, "TagResource", json!({"resourceArn": described["arn"], "tags": {"c": "d"}})).await.unwrap();
    logs(&aws, "UntagResource", json!({"resourceArn": described["logGroupArn"], "tagKeys": ["a"]}))
        .await
        .unwrap();
    let of = json!({"resourceArn": described["arn"]});
    let tags = logs(&aws, "ListTagsForResource", of).await.unwrap();
    assert_eq!(tags["tags"], json!({"c": "d"}));
    logs(&aws, "DeleteLogGroup", json!({"logGroupName": "/g"})).await.unwrap();
    let gone = logs(&aws, "DeleteLogGroup", json!({"logGroupName": "/g"})).await.unwrap_err();
    assert_eq!(gone.code, "ResourceNotFoundException");
}

#[tokio::test]
async fn events_are_read_in_pages_both_ways() {
    let aws = Local::new();
    let start = now() - 1000;
    for batch in 0..3 {
        let event = |i: i64| (start + batch * 2 + i, format!("m{}", batch * 2 + i));
        aws.logs.append(&aws, &Caller::Owner, "/g", "s", &[event(0), event(1)]).unwrap();
    }
    let get = async |more: Value| {
        let mut input = json!({"logGroupName": "/g", "logStreamName": "s", "limit": 4});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let page = logs(&aws, "GetLogEvents", input).await.unwrap();
        let texts =
            page["events"].as_array().unwrap().iter().map(|e| e["message"].as_str().unwrap().to_owned());
        (texts.collect::<Vec<_>>().join(" "), page)
    };
    let (texts, page) = get(json!({"startFromHead": true})).await;
    assert_eq!(texts, "m0 m1 m2 m3");
    let (texts, next) = get(json!({"nextToken": page["nextForwardToken"]})).await;
    assert_eq!(texts, "m4 m5");
    let (texts, end) = get(json!({"nextToken": next["nextForwardToken"]})).await;
    assert_eq!(
        (texts.as_str(), &end["nextForwardToken"]),
        ("", &next["nextForwardToken"]),
        "the end repeats its token"
    );
    let (texts, page) = get(json!({})).await;
    assert_eq!(texts, "m2 m3 m4 m5", "the newest without a token");
    let (texts, _) = get(json!({"nextToken": page["nextBackwardToken"]})).await;
    assert_eq!(texts, "m0 m1");
    let (texts, _) = get(json!({"startTime": start + 1, "endTime": start + 3})).await;
    assert_eq!(texts, "m1 m2");
}

#[tokio::test]
async fn a_search_goes_over_streams_in_time_order() {
    let aws = Local::new();
    let time = now() - 100;
    for (stream, at, text) in
        [("b", 2, "ERROR two"), ("a", 1, "ERROR one"), ("a", 3, "fine"), ("b", 4, "ERROR three")]
    {
        aws.logs.append(&aws, &Caller::Owner, "/g", stream, &[(time + at, text.to_owned())]).unwrap();
    }
    let filter = async |more: Value| {
        let mut input = json!({"logGroupName": "/g"});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let page = logs(&aws, "FilterLogEvents", input).await.unwrap();
        let texts =
            page["events"].as_array().unwrap().iter().map(|e| e["message"].as_str().unwrap().to_owned());
        (texts.collect::<Vec<_>>().join(", "), page["nextToken"].clone())
    };
    assert_eq!(filter(json!({})).await.0, "ERROR one, ERROR two, fine, ERROR three");
    assert_eq!(filter(json!({"logStreamNames": ["a"]})).await.0, "ERROR one, fine");
    assert_eq!(filter(json!({"startTime": time + 2, "endTime": time + 3})).await.0, "ERROR two, fine");
    let (texts, token) = filter(json!({"filterPattern": "ERROR", "limit": 2})).await;
    assert_eq!(texts, "ERROR one, ERROR two");
    let rest = filter(json!({"filterPattern": "ERROR", "limit": 2, "nextToken": token})).await;
    assert_eq!(rest, ("ERROR three".to_owned(), Value::Null));
}

#[tokio::test]
async fn streams_are_ordered_by_name_or_by_their_last_event() {
    let aws = Local::new();
    let time = now();
    for (stream, at) in [("a", 3), ("b", 1), ("c", 2)] {
        aws.logs.append(&aws, &Caller::Owner, "/g", stream, &[(time + at, "x".to_owned())]).unwrap();
    }
    let names = async |more: Value| {
        let mut input = json!({"logGroupName": "/g"});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let page = logs(&aws, "DescribeLogStreams", input).await.unwrap();
        let names = page["logStreams"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| s["logStreamName"].as_str().unwrap().to_owned());
        (names.collect::<String>(), page["nextToken"].clone())
    };
    assert_eq!(names(json!({})).await.0, "abc");
    assert_eq!(names(json!({"logStreamNamePrefix": "b"})).await.0, "b");
    let (page, token) = names(json!({"orderBy": "LastEventTime", "descending": true, "limit": 2})).await;
    assert_eq!(page, "ac");
    let rest =
        names(json!({"orderBy": "LastEventTime", "descending": true, "limit": 2, "nextToken": token})).await;
    assert_eq!(rest, ("b".to_owned(), Value::Null));
}

#[tokio::test]
async fn a_role_writes_only_what_its_policies_allow() {
    let aws = Local::new();
    let resource = "arn:aws:logs:us-east-1:000000000000:log-group:/g:*";
    let caller = role(&aws, json!(["logs:CreateLogStream", "logs:PutLogEvents"]), resource).await;
    let denied = aws.logs.append(&aws, &caller, "/g", "s", &lines(&["lost"])).unwrap_err();
    assert!(denied.message.contains("logs:CreateLogGroup"), "{denied}");
    logs(&aws, "CreateLogGroup", json!({"logGroupName": "/g"})).await.unwrap();
    aws.logs.append(&aws, &caller, "/g", "s", &lines(&["kept"])).unwrap();
    logs(&aws, "CreateLogGroup", json!({"logGroupName": "/other"})).await.unwrap();
    aws.logs.append(&aws, &caller, "/other", "s", &lines(&["lost"])).unwrap_err();
    let read =
        aws.call(&caller, Service::Logs, "FilterLogEvents", json!({"logGroupName": "/g"})).await.unwrap_err();
    assert_eq!(read.code, "AccessDeniedException");
    let events = logs(&aws, "FilterLogEvents", json!({"logGroupName": "/g"})).await.unwrap();
    assert_eq!(events["events"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_group_may_be_named_with_and_without_the_star() {
    let aws = Local::new();
    let resource = "arn:aws:logs:us-east-1:000000000000:log-group:/g";
    let caller = role(&aws, json!("logs:CreateLogGroup"), resource).await;
    aws.call(&caller, Service::Logs, "CreateLogGroup", json!({"logGroupName": "/g"})).await.unwrap();
    aws.call(&caller, Service::Logs, "CreateLogGroup", json!({"logGroupName": "/h"})).await.unwrap_err();
}

#[tokio::test]
async fn storage_is_bounded_and_the_oldest_go_first() {
    let aws = Local::new();
    let text = "x".repeat(500 << 10);
    for i in 0..20 {
        aws.logs.append(&aws, &Caller::Owner, "/g", "s", &lines(&[&format!("{i} {text}")])).unwrap();
    }
    let stored = group(&aws).await["storedBytes"].as_u64().unwrap();
    assert!(stored <= MOST_STREAM_BYTES && stored > MOST_STREAM_BYTES / 2, "{stored}");
    let input = json!({"logGroupName": "/g", "logStreamName": "s", "limit": 1});
    let newest = logs(&aws, "GetLogEvents", input).await.unwrap();
    assert!(newest["events"][0]["message"].as_str().unwrap().starts_with("19 "));
    for stream in 0..12 {
        for _ in 0..7 {
            aws.logs.append(&aws, &Caller::Owner, "/g", &format!("t{stream}"), &lines(&[&text])).unwrap();
        }
    }
    assert!(group(&aws).await["storedBytes"].as_u64().unwrap() <= MOST_GROUP_BYTES);
    let streams = logs(&aws, "DescribeLogStreams", json!({"logGroupName": "/g"})).await.unwrap();
    let names: Vec<&str> = streams["logStreams"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|s| s["logStreamName"].as_str())
        .collect();
    assert!(names.contains(&"t11") && !names.contains(&"s"), "{names:?}");
}

#[tokio::test]
async fn retention_removes_older_events() {
    let aws = Local::new();
    let old = (now() - 2 * super::DAY, "old".to_owned());
    aws.logs.append(&aws, &Caller::Owner, "/g", "s", &[old]).unwrap();
    aws.logs.append(&aws, &Caller::Owner, "/g", "s", &lines(&["new"])).unwrap();
    logs(&aws, "PutRetentionPolicy", json!({"logGroupName": "/g", "retentionInDays": 1})).await.unwrap();
    let texts = async || {
        let events = logs(&aws, "FilterLogEvents", json!({"logGroupName": "/g"})).await.unwrap();
        events["events"].as_array().unwrap().iter().map(|e| e["message"].clone()).collect::<Value>()
    };
    assert_eq!(texts().await, json!(["new"]));
    aws.logs.append(&aws, &Caller::Owner, "/g", "s", &lines(&["newer"])).unwrap();
    logs(&aws, "DeleteRetentionPolicy", json!({"logGroupName": "/g"})).await.unwrap();
    assert_eq!(texts().await, json!(["new", "newer"]), "the old one is gone for good");
}
