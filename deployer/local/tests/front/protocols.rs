use local_aws::{Caller, Service};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::client::Local;

const TRUST: &str = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%7B%22AWS%22%3A%22*%22%7D%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D%5D%7D";

async fn role(local: &Local) {
    let form = format!("Action=CreateRole&Version=2010-05-08&RoleName=r&AssumeRolePolicyDocument={TRUST}");
    local.query("iam", &form).await.ok();
}

#[tokio::test]
async fn the_query_protocol_answers_in_aws_s_shapes() {
    let local = Local::start().await;
    role(&local).await;
    let form = "Action=TagRole&Version=2010-05-08&RoleName=r&Tags.member.1.Key=a&Tags.member.1.Value=%3C1%3E\
                &Tags.member.2.Key=b&Tags.member.2.Value=2";
    local.query("iam", form).await.ok();
    let reply = local.query("iam", "Action=GetRole&Version=2010-05-08&RoleName=r").await.ok();
    assert_eq!(reply.header("content-type"), Some("text/xml"));
    let text = reply.text();
    let root = "<GetRoleResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><GetRoleResult><Role>";
    assert!(text.contains(root), "{text}");
    let tag = "<Tags><member><Key>a</Key><Value>&lt;1&gt;</Value></member><member>";
    assert!(text.contains(tag), "{text}");
    assert_eq!(reply.first("RequestId"), reply.header("x-amzn-requestid").unwrap());
}

#[tokio::test]
async fn errors_are_rendered_as_each_protocol_does() {
    let local = Local::start().await;
    let reply = local.query("iam", "Action=GetRole&Version=2010-05-08&RoleName=none").await;
    assert_eq!(reply.error(), (404, "NoSuchEntity".to_owned()));
    assert_eq!(reply.first("Type"), "Sender");

    let call = local.call("logs", "POST", "/").header("x-amz-target", "Logs_20140328.DeleteLogGroup");
    let reply = call.body(r#"{"logGroupName":"none"}"#).send().await;
    assert_eq!((reply.status, reply.json()["__type"].as_str().unwrap()), (400, "ResourceNotFoundException"));
    assert_eq!(reply.header("x-amzn-errortype"), Some("ResourceNotFoundException"));
    assert_eq!(reply.json()["message"], "The specified log group does not exist.");

    let reply = local.call("lambda", "GET", "/2015-03-31/functions/none").send().await;
    assert_eq!((reply.status, reply.header("x-amzn-errortype")), (404, Some("ResourceNotFoundException")));
    assert_eq!(reply.json()["Type"], "User");

    let reply = local.s3("GET", "/no-bucket/key", "").await;
    assert_eq!(reply.error(), (404, "NoSuchBucket".to_owned()));
    assert_eq!(reply.first("BucketName"), "no-bucket");
    assert_eq!(reply.first("RequestId"), reply.header("x-amz-request-id").unwrap());
    assert!(local.s3("HEAD", "/no-bucket/key", "").await.body.is_empty());
}

#[tokio::test]
async fn an_operation_that_is_not_there_is_said_in_each_protocol() {
    let local = Local::start().await;
    let reply = local.query("sts", "Action=Nothing&Version=2011-06-15").await;
    assert_eq!(reply.error(), (400, "InvalidAction".to_owned()));
    for service in ["states", "logs", "events"] {
        let prefix = match service {
            "states" => "AWSStepFunctions",
            "logs" => "Logs_20140328",
            _ => "AWSEvents",
        };
        let call = local.call(service, "POST", "/").header("x-amz-target", &format!("{prefix}.Nothing"));
        let reply = call.body("{}").send().await;
        assert_eq!(reply.json()["__type"], "UnknownOperationException", "{service}");
        let reply =
            local.call(service, "POST", "/").header("x-amz-target", "Other.Nothing").body("{}").send().await;
        assert_eq!(reply.json()["__type"], "UnknownOperationException", "{service}");
    }
    assert_eq!(local.call("lambda", "GET", "/2015-03-31/nothing").send().await.status, 404);
    assert_eq!(local.s3("GET", "/bucket?acl", "").await.error(), (501, "NotImplemented".to_owned()));
    let reply = local.call("ec2", "POST", "/").body("Action=DescribeInstances").send().await;
    assert!(reply.first("Message").contains("no service &quot;ec2&quot;"));
}

#[tokio::test]
async fn a_body_that_is_not_json_is_said() {
    let local = Local::start().await;
    for body in ["{", "[]", "\"a\"", "\u{0}"] {
        let call = local.call("logs", "POST", "/").header("x-amz-target", "Logs_20140328.DescribeLogGroups");
        assert_eq!(call.body(body).send().await.json()["__type"], "SerializationException", "{body}");
    }
    let reply = local.call("lambda", "POST", "/2015-03-31/functions").body("{").send().await;
    assert_eq!(reply.header("x-amzn-errortype"), Some("SerializationException"));
}

#[tokio::test]
async fn the_key_says_who_calls() {
    let local = Local::start().await;
    let owner = local.query("sts", "Action=GetCallerIdentity").await.ok();
    assert_eq!(owner.first("Arn"), "arn:aws:iam::000000000000:user/owner");
    role(&local).await;
    let form = "Action=AssumeRole&RoleArn=arn:aws:iam::000000000000:role/r&RoleSessionName=me";
    let key = local.query("sts", form).await.ok().first("AccessKeyId");
    let whoami = |key: &str| {
        let call = local.unsigned("POST", "/").key(key, "sts").body("Action=GetCallerIdentity");
        call.header("content-type", "application/x-www-form-urlencoded").send()
    };
    assert_eq!(whoami(&key).await.ok().first("Arn"), "arn:aws:sts::000000000000:assumed-role/r/me");
    local.endpoint.aws().iam.end_session(&key);
    assert_eq!(whoami(&key).await.error(), (403, "ExpiredToken".to_owned()));
    let reply = local.unsigned("GET", "/bucket").key(&key, "s3").send().await;
    assert_eq!(reply.error(), (403, "ExpiredToken".to_owned()));
}

#[tokio::test]
async fn a_session_s_key_ends_with_its_process() {
    let local = Local::start().await;
    role(&local).await;
    let form = "Action=AssumeRole&RoleArn=arn:aws:iam::000000000000:role/r&RoleSessionName=me";
    let key = local.query("sts", form).await.ok().first("AccessKeyId");
    let local = local.restart().await;
    let call = local.unsigned("POST", "/").key(&key, "sts").body("Action=GetCallerIdentity");
    assert_eq!(call.send().await.error(), (403, "ExpiredToken".to_owned()));
}

#[tokio::test]
async fn nobody_in_particular_is_refused() {
    let local = Local::start().await;
    let form = local.unsigned("POST", "/").header("content-type", "application/x-www-form-urlencoded");
    let reply = form.body("Action=GetCallerIdentity").send().await;
    assert_eq!(reply.error(), (403, "MissingAuthenticationToken".to_owned()));
    let reply =
        local.unsigned("POST", "/").header("x-amz-target", "AWSStepFunctions.ListStateMachines").send().await;
    assert_eq!((reply.status, reply.json()["__type"].as_str().unwrap()), (403, "MissingAuthenticationToken"));
    let reply = local.unsigned("POST", "/2015-03-31/functions/f/invocations").body("{}").send().await;
    assert_eq!((reply.status, reply.header("x-amzn-errortype")), (403, Some("MissingAuthenticationToken")));
    assert_eq!(local.unsigned("GET", "/").send().await.error(), (403, "AccessDenied".to_owned()));
    let basic = local.unsigned("POST", "/2015-03-31/functions").header("authorization", "Basic dGVzdDp0ZXN0");
    assert_eq!(basic.send().await.status, 403);
}

#[tokio::test]
async fn every_answer_has_a_request_id_of_its_own() {
    let local = Local::start().await;
    let mut ids = Vec::new();
    for reply in [
        local.query("sts", "Action=GetCallerIdentity").await,
        local.query("sts", "Action=Nothing").await,
        local.s3("GET", "/", "").await,
        local.call("lambda", "GET", "/nothing").send().await,
    ] {
        // S3 has a name of its own for it.
        let id = reply.header("x-amzn-requestid").or(reply.header("x-amz-request-id"));
        ids.push(id.unwrap().to_owned());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4);
}

#[tokio::test]
async fn a_connection_takes_several_requests_and_expects_are_met() {
    let local = Local::start().await;
    let address = local.address();
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let auth =
        "authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, Signature=0";
    let read = async |stream: &mut TcpStream| {
        let mut buffer = vec![0; 65536];
        let n = stream.read(&mut buffer).await.unwrap();
        String::from_utf8_lossy(&buffer[..n]).into_owned()
    };
    let head = format!("PUT /bucket HTTP/1.1\r\nhost: {address}\r\n{auth}\r\ncontent-length: 0\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    assert!(read(&mut stream).await.starts_with("HTTP/1.1 200"));
    let head = format!(
        "PUT /bucket/k HTTP/1.1\r\nhost: {address}\r\n{auth}\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    assert!(read(&mut stream).await.starts_with("HTTP/1.1 100"));
    stream.write_all(b"hi").await.unwrap();
    assert!(read(&mut stream).await.starts_with("HTTP/1.1 200"));
    let head = format!("GET /bucket/k HTTP/1.1\r\nhost: {address}\r\n{auth}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    assert!(read(&mut stream).await.ends_with("hi"));
}

#[tokio::test]
async fn what_is_too_large_is_refused() {
    let local = Local::start().await;
    let reply =
        local.call("sts", "POST", "/").header("content-length", "99999999").body("Action=").send().await;
    assert_eq!(reply.error(), (413, "RequestEntityTooLargeException".to_owned()));
    // Without a length it is counted as it comes.
    let form = format!("Action=GetCallerIdentity&X={}", "x".repeat(5 << 20));
    let chunked = format!("{:x}\r\n{form}\r\n0\r\n\r\n", form.len());
    let call = local.call("sts", "POST", "/").header("transfer-encoding", "chunked");
    assert_eq!(call.body(chunked).send().await.error().0, 413);
    let reply = local.call("sts", "GET", &format!("/?Action={}", "x".repeat(100_000))).send().await;
    assert!(reply.status == 414 || reply.status == 431, "{}", reply.status);
    let reply = local.call("sts", "GET", "/").header("x-long", &"x".repeat(100_000)).send().await;
    assert_eq!(reply.status, 431);
}

#[tokio::test]
async fn a_panic_in_a_service_ends_nothing_else() {
    let local = Local::start().await;
    local.endpoint.aws().store.put("iam-role", "broken", &"not a role");
    let reply = local.query("iam", "Action=GetRole&RoleName=broken").await;
    assert_eq!((reply.status, reply.json()["__type"].as_str().unwrap()), (500, "InternalFailure"));
    local.query("sts", "Action=GetCallerIdentity").await.ok();
}

#[tokio::test]
async fn a_call_inside_the_process_is_the_same_as_over_http() {
    let local = Local::start().await;
    let aws = local.endpoint.aws();
    aws.call(&Caller::Owner, Service::Logs, "CreateLogGroup", json!({"logGroupName": "/g"})).await.unwrap();
    let call = local.call("logs", "POST", "/").header("x-amz-target", "Logs_20140328.DescribeLogGroups");
    let reply = call.header("content-type", "application/x-amz-json-1.1").send().await.ok();
    assert_eq!(reply.header("content-type"), Some("application/x-amz-json-1.1"));
    assert_eq!(reply.json()["logGroups"][0]["logGroupName"], "/g");
}

#[tokio::test]
async fn metrics_are_asked_for_in_three_protocols() {
    let local = Local::start().await;
    let query = "Action=GetMetricData&Version=2010-08-01&StartTime=2026-01-01T00:00:00Z&EndTime=2026-01-02T00:00:00Z\
                 &MetricDataQueries.member.1.Id=ID&MetricDataQueries.member.1.MetricStat.Stat=Sum\
                 &MetricDataQueries.member.1.MetricStat.Period=3600\
                 &MetricDataQueries.member.1.MetricStat.Metric.Namespace=AWS/Lambda\
                 &MetricDataQueries.member.1.MetricStat.Metric.MetricName=Errors";
    let reply = local.query("monitoring", &query.replace("=ID", "=q")).await.ok();
    assert_eq!(
        (reply.first("Id"), reply.first("Label"), reply.first("StatusCode")),
        ("q".into(), "Errors".into(), "Complete".into())
    );
    let reply = local.query("monitoring", &query.replace("=ID", "=Q")).await;
    assert_eq!(reply.error(), (400, "ValidationError".to_owned()));

    let input = |id: &str| {
        json!({"StartTime": 1_767_225_600, "EndTime": 1_767_312_000, "MetricDataQueries": [{"Id": id, "MetricStat": {
            "Stat": "Sum", "Period": 3600, "Metric": {"Namespace": "AWS/Lambda", "MetricName": "Errors"}}}]})
    };
    let target = "GraniteServiceVersion20100801.GetMetricData";
    let ask = |id: &str| {
        local.call("monitoring", "POST", "/").header("x-amz-target", target).body(input(id).to_string())
    };
    assert_eq!(ask("q").send().await.json()["MetricDataResults"][0]["StatusCode"], "Complete");
    let reply = ask("Q").send().await;
    assert_eq!((reply.status, reply.json()["__type"].as_str()), (400, Some("ValidationException")));
    assert_eq!(reply.header("x-amzn-query-error"), Some("ValidationError;Sender"));
    // Unsigned it is refused in the protocol it speaks.
    let reply = local.unsigned("POST", "/").header("x-amz-target", target).body("{}").send().await;
    assert_eq!(reply.json()["__type"], "MissingAuthenticationToken");

    let path = "/service/GraniteServiceVersion20100801/operation/";
    let ask = |operation: &str, body: &[u8]| {
        let call = local.call("monitoring", "POST", &format!("{path}{operation}"));
        call.header("smithy-protocol", "rpc-v2-cbor").body(body)
    };
    let reply = ask("GetMetricData", &[0xa0]).send().await;
    assert_eq!((reply.status, reply.header("smithy-protocol")), (400, Some("rpc-v2-cbor")));
    assert_eq!(reply.header("x-amzn-query-error"), Some("MissingParameter;Sender"));
    assert!(String::from_utf8_lossy(&reply.body).contains("MissingRequiredParameterException"));
    let reply = ask("Nothing", &[0xa0]).send().await;
    assert_eq!(reply.header("x-amzn-query-error"), Some("InvalidAction;Sender"));
}
