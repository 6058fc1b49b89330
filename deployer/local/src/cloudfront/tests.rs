//! Distributions over real buckets: what they answer, and what their buckets' policies let them read.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use super::{distribution_of, serve};
use crate::protocol::Request;
use crate::s3::PutObject;
use crate::testing::Local;
use crate::{Caller, Result, Service};

const PAGE: &str = "<title>page</title>";

async fn call(local: &Local, operation: &str, input: Value) -> Result<Value> {
    local.call(&Caller::Owner, Service::CloudFront, operation, input).await
}

fn control(name: &str) -> Value {
    json!({
        "Name": name, "OriginAccessControlOriginType": "s3", "SigningBehavior": "always", "SigningProtocol": "sigv4",
    })
}

fn distribution(control: &str) -> Value {
    json!({
        "Enabled": true, "DefaultRootObject": "index.html", "PriceClass": "PriceClass_100",
        "Origins": [{"Id": "bucket", "DomainName": "site.s3.us-east-1.amazonaws.com", "OriginAccessControlId": control}],
        "DefaultCacheBehavior": {
            "TargetOriginId": "bucket", "ViewerProtocolPolicy": "redirect-to-https",
            "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
            "ResponseHeadersPolicyId": "67f7725c-6f97-4210-82d7-5512b31e9d03",
        },
    })
}

/// A bucket `site` with a page, a control `C1` and a distribution `E1` that may read what the policy lets it.
async fn world(reader: &str) -> Local {
    let local = Local::new();
    let s3 = async |operation: &str, input: Value| {
        local.call(&Caller::Owner, Service::S3, operation, input).await.unwrap()
    };
    s3("CreateBucket", json!({"Bucket": "site"})).await;
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {
            "Effect": "Allow", "Principal": {"Service": "cloudfront.amazonaws.com"}, "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::site/*",
            "Condition": {"StringEquals": {"AWS:SourceArn": reader}},
        },
        {
            "Effect": "Deny", "Principal": "*", "Action": "s3:*",
            "Resource": ["arn:aws:s3:::site", "arn:aws:s3:::site/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    ]});
    s3("PutBucketPolicy", json!({"Bucket": "site", "Policy": policy.to_string()})).await;
    for (key, content_type) in [("index.html", "text/html; charset=utf-8"), ("a b/x.js", "text/javascript")] {
        let object = PutObject {
            bucket: "site".to_owned(),
            key: key.to_owned(),
            body: Bytes::from_static(PAGE.as_bytes()),
            content_type: content_type.to_owned(),
            headers: [("cache-control".to_owned(), "no-cache".to_owned())].into(),
            metadata: vec![("secret".to_owned(), "owner's".to_owned())],
            ..PutObject::default()
        };
        local.s3.put_object(&local, &Caller::Owner, object).await.unwrap();
    }
    let input = json!({"CallerReference": "C1", "OriginAccessControlConfig": control("c")});
    call(&local, "CreateOriginAccessControl", input).await.unwrap();
    let input = json!({"CallerReference": "E1", "DistributionConfig": distribution("C1")});
    call(&local, "CreateDistribution", input).await.unwrap();
    local
}

fn request(method: Method, path: &str, headers: &[(&'static str, &'static str)]) -> Request {
    Request {
        method,
        path: path.to_owned(),
        query: String::new(),
        headers: headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
            .collect(),
        body: Bytes::new(),
        id: "r".to_owned(),
    }
}

/// Status, headers and body of an answer.
async fn answer(local: &Local, request: Request) -> (u16, HeaderMap, String) {
    let answer = serve(local, "E1", &request).await;
    let (parts, body) = answer.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status.as_u16(), parts.headers, String::from_utf8(body.to_vec()).unwrap())
}

const ARN: &str = "arn:aws:cloudfront::000000000000:distribution/E1";

#[tokio::test]
async fn a_distribution_answers_with_its_bucket_s_objects() {
    let local = world(ARN).await;
    let (status, headers, body) = answer(&local, request(Method::GET, "/", &[])).await;
    assert_eq!((status, body.as_str()), (200, PAGE));
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-cache"),
        ("x-content-type-options", "nosniff"),
        ("strict-transport-security", "max-age=31536000"),
    ] {
        assert_eq!(headers[name], value, "{name}");
    }
    assert_eq!(headers.get("x-amz-meta-secret"), None);
    let (status, headers, body) = answer(&local, request(Method::HEAD, "/a%20b/x.js", &[])).await;
    assert_eq!((status, body.as_str(), headers["content-length"].as_bytes()), (200, "", &b"19"[..]));
    let etag: &'static str = headers["etag"].to_str().unwrap().to_owned().leak();
    let (status, ..) = answer(&local, request(Method::GET, "/a%20b/x.js", &[("if-none-match", etag)])).await;
    assert_eq!(status, 304);
    // Who may not list a bucket does not learn what is not in it.
    assert_eq!(answer(&local, request(Method::GET, "/none", &[])).await.0, 403);
    assert_eq!(answer(&local, request(Method::PUT, "/", &[])).await.0, 403);
}

#[tokio::test]
async fn a_distribution_reads_only_what_the_bucket_s_policy_lets_it() {
    let local = world("arn:aws:cloudfront::000000000000:distribution/E2").await;
    assert_eq!(answer(&local, request(Method::GET, "/", &[])).await.0, 403);
    // Without an access control nothing is signed.
    let local = world(ARN).await;
    let mut config = distribution("");
    config["Enabled"] = true.into();
    call(&local, "UpdateDistribution", json!({"Id": "E1", "DistributionConfig": config})).await.unwrap();
    assert_eq!(answer(&local, request(Method::GET, "/", &[])).await.0, 403);
}

#[tokio::test]
async fn a_control_says_whether_requests_are_signed() {
    let local = world(ARN).await;
    for (behavior, headers, status) in [
        ("always", &[("authorization", "mine")][..], 200),
        ("never", &[], 403),
        ("no-override", &[], 200),
        ("no-override", &[("authorization", "mine")], 403),
    ] {
        let mut config = control("c");
        config["SigningBehavior"] = behavior.into();
        let input = json!({"Id": "C1", "OriginAccessControlConfig": config});
        call(&local, "UpdateOriginAccessControl", input).await.unwrap();
        assert_eq!(answer(&local, request(Method::GET, "/", headers)).await.0, status, "{behavior}");
    }
}

#[tokio::test]
async fn only_a_disabled_distribution_and_an_unused_control_are_deleted() {
    let local = world(ARN).await;
    let error = call(&local, "DeleteOriginAccessControl", json!({"Id": "C1"})).await.unwrap_err();
    assert_eq!((error.status, error.code.as_str()), (409, "OriginAccessControlInUse"));
    let error = call(&local, "DeleteDistribution", json!({"Id": "E1"})).await.unwrap_err();
    assert_eq!((error.status, error.code.as_str()), (409, "DistributionNotDisabled"));
    let mut config = distribution("C1");
    config["Enabled"] = false.into();
    call(&local, "UpdateDistribution", json!({"Id": "E1", "DistributionConfig": config})).await.unwrap();
    assert_eq!(answer(&local, request(Method::GET, "/", &[])).await.0, 403, "disabled");
    call(&local, "DeleteDistribution", json!({"Id": "E1"})).await.unwrap();
    call(&local, "DeleteOriginAccessControl", json!({"Id": "C1"})).await.unwrap();
    assert_eq!(call(&local, "GetDistribution", json!({"Id": "E1"})).await.unwrap_err().status, 404);
    assert_eq!(call(&local, "GetOriginAccessControl", json!({"Id": "C1"})).await.unwrap_err().status, 404);
}

#[tokio::test]
async fn what_cannot_be_a_distribution_or_a_control_is_refused() {
    let local = world(ARN).await;
    let code = async |change: &dyn Fn(&mut Value)| {
        let mut config = distribution("C1");
        change(&mut config);
        let input = json!({"CallerReference": "E2", "DistributionConfig": config});
        call(&local, "CreateDistribution", input).await.unwrap_err().code
    };
    let behavior = |name: &'static str, value: &'static str| {
        move |config: &mut Value| config["DefaultCacheBehavior"][name] = value.into()
    };
    assert_eq!(code(&behavior("TargetOriginId", "other")).await, "NoSuchOrigin");
    assert_eq!(code(&behavior("CachePolicyId", "x")).await, "NoSuchCachePolicy");
    assert_eq!(code(&behavior("ResponseHeadersPolicyId", "x")).await, "NoSuchResponseHeadersPolicy");
    assert_eq!(code(&behavior("ViewerProtocolPolicy", "tls")).await, "InvalidArgument");
    assert_eq!(code(&|config| config["PriceClass"] = "cheap".into()).await, "InvalidArgument");
    assert_eq!(code(&|config| config["DefaultRootObject"] = "/i".into()).await, "InvalidDefaultRootObject");
    let no_policy = |config: &mut Value| config["DefaultCacheBehavior"]["CachePolicyId"] = Value::Null;
    assert_eq!(code(&no_policy).await, "InvalidArgument", "then ForwardedValues would be required");
    assert_eq!(
        code(&|config| config["Origins"][0]["DomainName"] = "example.com".into()).await,
        "InvalidDomainNameForOriginAccessControl"
    );
    assert_eq!(
        code(&|config| config["Origins"][0]["OriginAccessControlId"] = "C9".into()).await,
        "InvalidOriginAccessControl"
    );

    let input = json!({"CallerReference": "C2", "OriginAccessControlConfig": control("c")});
    let error = call(&local, "CreateOriginAccessControl", input).await.unwrap_err();
    assert_eq!((error.status, error.code.as_str()), (409, "OriginAccessControlAlreadyExists"));
    let input = json!({"CallerReference": "C3", "OriginAccessControlConfig": control("d")});
    call(&local, "CreateOriginAccessControl", input).await.unwrap();
    let input = json!({"Id": "C3", "OriginAccessControlConfig": control("c")});
    let error = call(&local, "UpdateOriginAccessControl", input).await.unwrap_err();
    assert_eq!(error.code, "OriginAccessControlAlreadyExists");
    let input = json!({"CallerReference": "C2", "OriginAccessControlConfig": control(&"c".repeat(65))});
    assert_eq!(call(&local, "CreateOriginAccessControl", input).await.unwrap_err().code, "InvalidArgument");
}

#[test]
fn a_distribution_is_known_by_its_host() {
    let host = |value: &str| {
        let headers = HeaderMap::from_iter([(http::header::HOST, HeaderValue::from_str(value).unwrap())]);
        distribution_of(&headers)
    };
    assert_eq!(host("e1abc.cloudfront.localhost:4566").as_deref(), Some("E1ABC"));
    assert_eq!(host("site.s3.localhost:4566"), None);
    assert_eq!(host("e1.cloudfront.net"), None);
}
