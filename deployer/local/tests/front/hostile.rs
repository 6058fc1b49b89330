use proptest::prelude::*;

use super::client::{Local, exchange};

#[tokio::test]
async fn other_hosts_and_origins_are_refused_before_anything_is_read() {
    let local = Local::start().await;
    for (name, value) in [
        ("host", "evil.example"),
        ("host", "127.0.0.1.evil.example:80"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let reply = local.call("s3", "PUT", "/bucket").header(name, value).send().await;
        assert_eq!(reply.status, 403, "{name}: {value}");
    }
    assert_eq!(local.s3("HEAD", "/bucket", "").await.status, 404, "none of them made the bucket");
    for host in ["localhost:1", "[::1]", "s3.localhost"] {
        let reply = local.call("s3", "GET", "/").header("host", host).send().await;
        assert_eq!(reply.status, 200, "{host}");
    }
}

#[tokio::test]
async fn no_path_leads_out_of_the_state_folder() {
    let local = Local::start().await;
    let secret = local.folder.path().join("state.redb");
    assert!(secret.exists());
    local.s3("PUT", "/bucket", "").await.ok();
    for key in [
        "../../state.redb",
        "..%2F..%2Fstate.redb",
        "/etc/passwd",
        "%2e%2e/%2e%2e/state.redb",
        "a/../../b",
        "%00",
    ] {
        let path = format!("/bucket/{key}");
        assert_eq!(local.s3("GET", &path, "").await.error().1, "NoSuchKey", "{key}");
        local.s3("PUT", &path, "mine").await.ok();
        assert_eq!(local.s3("GET", &path, "").await.ok().text(), "mine", "{key}");
        local.s3("DELETE", &path, "").await.ok();
        local.s3("PUT", "/bucket/last", "x").await.ok();
    }
    for bucket in ["..", "%2e%2e", "..%2f..", "a%00b"] {
        let reply = local.s3("PUT", &format!("/{bucket}"), "").await;
        assert_eq!(reply.error(), (400, "InvalidBucketName".to_owned()), "{bucket}");
    }
    for entry in std::fs::read_dir(local.folder.path().join("s3")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name.len() == 32 && name.bytes().all(|b| b.is_ascii_hexdigit()), "{name}");
    }
}

/// Requests that start like requests and go wrong somewhere, which reach further than random bytes.
fn requests() -> impl Strategy<Value = Vec<u8>> {
    let service = prop::sample::select(vec![
        "s3",
        "sts",
        "iam",
        "cloudformation",
        "lambda",
        "states",
        "logs",
        "events",
    ]);
    let method = prop::sample::select(vec!["GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "X", "\u{0}"]);
    let path = "/(2015-03-31/functions(/[a-z%0-9:]{0,8})?(/aliases|/versions|/code)?|[a-z.%/0-9]{0,20})(\\?[a-zA-Z=&%0-9-]{0,20})?";
    let header = prop::sample::select(vec![
        "x-amz-target: AWSStepFunctions.StartExecution",
        "x-amz-target: Logs_20140328.PutLogEvents",
        "x-amz-target: AWSEvents.PutRule",
        "content-type: application/x-www-form-urlencoded",
        "content-encoding: aws-chunked",
        "x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "range: bytes=1-",
        "transfer-encoding: chunked",
        "x-amz-copy-source: /a/b",
        "content-md5: x",
        "\u{ff}: \u{0}",
    ]);
    let body = prop_oneof![
        "[ -~\\n]{0,80}",
        "Action=[A-Za-z]{1,12}(&[A-Za-z.0-9]{0,20}=[a-z0-9%]{0,8}){0,4}",
        "\\{(\"[a-zA-Z]{1,10}\":(1|null|\"x\"|\\[\\]|\\{\\})){0,1}\\}",
        "[0-9a-f]{1,3}\\r\\n[a-z]{0,10}\\r\\n0\\r\\n\\r\\n",
    ];
    (service, method, path, prop::collection::vec(header, 0..3), body, 0_usize..100).prop_map(
        |(service, method, path, headers, body, length)| {
            let mut request = format!(
                "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\nauthorization: AWS4-HMAC-SHA256 \
                 Credential=test/20260101/us-east-1/{service}/aws4_request, Signature=0\r\n"
            );
            if !headers.contains(&"transfer-encoding: chunked") {
                let length = if length < 90 { body.len() } else { length };
                request += &format!("content-length: {length}\r\n");
            }
            for header in headers {
                request += &format!("{header}\r\n");
            }
            format!("{request}\r\n{body}").into_bytes()
        },
    )
}

#[test]
fn any_request_ends_in_an_answer_or_a_closed_connection() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let local = runtime.block_on(Local::start());
    let address = local.address();
    let any_bytes = prop::collection::vec(any::<u8>(), 0..300);
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) };
    proptest!(config, |(request in prop_oneof![4 => requests(), 1 => any_bytes])| {
        let answer = runtime.block_on(exchange(&address, &request, true));
        let text = String::from_utf8_lossy(&answer).into_owned();
        prop_assert!(answer.is_empty() || text.starts_with("HTTP/1."), "{text}");
        prop_assert!(!text.contains("InternalFailure"), "{text}");
    });
    let reply = runtime.block_on(local.query("sts", "Action=GetCallerIdentity"));
    assert_eq!(reply.status, 200, "it still answers");
}
