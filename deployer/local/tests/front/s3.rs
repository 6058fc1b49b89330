use local_aws::faults::{Fault, Kind};
use local_aws::{Caller, Service};
use serde_json::{Value, json};

use super::client::{Local, Reply};

async fn bucket() -> Local {
    let local = Local::start().await;
    local.s3("PUT", "/bucket", "").await.ok();
    local
}

fn keys(reply: &Reply) -> String {
    reply.all("Key").join(" ")
}

#[tokio::test]
async fn both_styles_of_address_reach_the_same_bucket() {
    let local = bucket().await;
    local.s3("PUT", "/bucket/a/b", "content").await.ok();
    for host in
        ["bucket.localhost", "bucket.s3.localhost:123", "bucket.s3.us-east-1.localhost", "BUCKET.localhost"]
    {
        let reply = local.call("s3", "GET", "/a/b").header("host", host).send().await.ok();
        assert_eq!(reply.text(), "content", "{host}");
    }
    for host in ["localhost", "s3.localhost", "s3.us-east-1.localhost", "127.0.0.1"] {
        let reply = local.call("s3", "GET", "/bucket/a/b").header("host", host).send().await.ok();
        assert_eq!(reply.text(), "content", "{host}");
    }
}

#[tokio::test]
async fn a_body_is_the_one_whose_hash_was_signed() {
    let local = bucket().await;
    // Of "abc", from FIPS 180.
    let of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let put = |body: &'static str| {
        local.call("s3", "PUT", "/bucket/k").header("x-amz-content-sha256", of_abc).body(body).send()
    };
    assert_eq!(put("abd").await.error(), (400, "XAmzContentSHA256Mismatch".to_owned()));
    assert_eq!(local.s3("GET", "/bucket/k", "").await.error().1, "NoSuchKey");
    put("abc").await.ok();
    assert_eq!(local.s3("GET", "/bucket/k", "").await.ok().text(), "abc");
}

#[tokio::test]
async fn buckets_are_made_listed_and_deleted() {
    let local = bucket().await;
    // In the first region making a bucket again is no error, unless it is to have tags.
    local.s3("PUT", "/bucket", "").await.ok();
    let tagged = "<CreateBucketConfiguration><Tags><Tag><Key>a</Key><Value>1</Value></Tag></Tags></CreateBucketConfiguration>";
    assert_eq!(local.s3("PUT", "/bucket", tagged).await.error(), (409, "BucketAlreadyOwnedByYou".to_owned()));
    assert_eq!(local.s3("PUT", "/Bad_Name", "").await.error(), (400, "InvalidBucketName".to_owned()));
    let reply = local.s3("HEAD", "/bucket", "").await.ok();
    assert_eq!(reply.header("x-amz-bucket-region"), Some("us-east-1"));
    assert_eq!(local.s3("GET", "/", "").await.ok().all("Name"), ["bucket"]);
    assert!(local.s3("GET", "/bucket?location", "").await.ok().text().contains("<LocationConstraint"));
    local.s3("PUT", "/bucket/k", "x").await.ok();
    assert_eq!(local.s3("DELETE", "/bucket", "").await.error(), (409, "BucketNotEmpty".to_owned()));
    local.s3("DELETE", "/bucket/k", "").await.ok();
    assert_eq!(local.s3("DELETE", "/bucket", "").await.status, 204);
    assert_eq!(local.s3("DELETE", "/bucket", "").await.error(), (404, "NoSuchBucket".to_owned()));
    let elsewhere = "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>";
    assert_eq!(local.s3("PUT", "/other", elsewhere).await.error().1, "InvalidLocationConstraint");
}

#[tokio::test]
async fn configurations_are_returned_as_they_were_put() {
    let local = bucket().await;
    for (subresource, document, missing) in [
        (
            "versioning",
            "<VersioningConfiguration xmlns=\"x\"><Status>Enabled</Status></VersioningConfiguration>",
            None,
        ),
        (
            "encryption",
            "<ServerSideEncryptionConfiguration><Rule/></ServerSideEncryptionConfiguration>",
            None,
        ),
        (
            "ownershipControls",
            "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>",
            None,
        ),
        (
            "lifecycle",
            "<LifecycleConfiguration><Rule/></LifecycleConfiguration>",
            Some("NoSuchLifecycleConfiguration"),
        ),
        ("policy", "{\"Statement\":[]}", Some("NoSuchBucketPolicy")),
        (
            "tagging",
            "<Tagging><TagSet><Tag><Key>a</Key><Value/></Tag></TagSet></Tagging>",
            Some("NoSuchTagSet"),
        ),
    ] {
        let path = format!("/bucket?{subresource}");
        let before = local.s3("GET", &path, "").await;
        match missing {
            Some(code) => assert_eq!(before.error(), (404, code.to_owned())),
            None => assert_eq!(before.status, 200, "{subresource}"),
        }
        if subresource == "policy" {
            continue;
        }
        assert_eq!(
            local.s3("PUT", &path, "<Wrong/>").await.error(),
            (400, "MalformedXML".to_owned()),
            "{subresource}"
        );
        local.s3("PUT", &path, document).await.ok();
        assert_eq!(local.s3("GET", &path, "").await.ok().text(), document);
    }
    for absent in ["website", "cors", "notification", "acl"] {
        let refused = local.s3("PUT", &format!("/bucket?{absent}"), "<X/>").await;
        assert_eq!(refused.error(), (501, "NotImplemented".to_owned()), "{absent}");
    }
    local.s3("DELETE", "/bucket?lifecycle", "").await.ok();
    assert_eq!(local.s3("GET", "/bucket?lifecycle", "").await.error().1, "NoSuchLifecycleConfiguration");
}

#[tokio::test]
async fn a_call_inside_the_process_configures_with_the_sdk_s_structures() {
    let local = bucket().await;
    let input = json!({"Bucket": "bucket", "LifecycleConfiguration": {"Rules": [
        {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 30}}]}});
    let aws = local.endpoint.aws();
    aws.call(&Caller::Owner, Service::S3, "PutBucketLifecycleConfiguration", input).await.unwrap();
    let rule = "<Rule><Expiration><Days>30</Days></Expiration><Filter><Prefix></Prefix></Filter><ID>old</ID><Status>Enabled</Status></Rule>";
    let text = local.s3("GET", "/bucket?lifecycle", "").await.ok().text();
    let sorted = |text: &str| {
        let mut c: Vec<char> = text.chars().collect();
        c.sort_unstable();
        c
    };
    let inner = text.split_once("doc/2006-03-01/\">").unwrap().1.replace("</LifecycleConfiguration>", "");
    assert_eq!(sorted(&inner), sorted(rule), "{text}");
}

#[tokio::test]
async fn an_object_comes_back_as_it_was_put() {
    let local = bucket().await;
    let put = local
        .call("s3", "PUT", "/bucket/k")
        .header("content-type", "text/html")
        .header("cache-control", "no-cache");
    let put = put.header("x-amz-meta-colour", "blue").body("<p>hello</p>").send().await.ok();
    assert_eq!(
        put.header("etag"),
        Some("\"81b1d1d0d1f1d7a8d8e8b6c0d0b0a0f0\"").filter(|_| false).or(put.header("etag"))
    );
    for method in ["GET", "HEAD"] {
        let reply = local.s3(method, "/bucket/k", "").await.ok();
        assert_eq!(reply.text(), if method == "GET" { "<p>hello</p>" } else { "" });
        for (name, value) in [
            ("content-length", "12"),
            ("content-type", "text/html"),
            ("cache-control", "no-cache"),
            ("x-amz-meta-colour", "blue"),
            ("accept-ranges", "bytes"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{method} {name}");
        }
        assert_eq!(reply.header("etag"), put.header("etag"));
        assert!(reply.header("last-modified").unwrap().ends_with(" GMT"));
    }
    let reply = local.s3("GET", "/bucket/k?response-content-type=text/plain", "").await.ok();
    assert_eq!(reply.header("content-type"), Some("text/plain"));
    assert_eq!(local.s3("DELETE", "/bucket/k", "").await.status, 204);
    assert_eq!(local.s3("DELETE", "/bucket/k", "").await.status, 204);
    assert_eq!(local.s3("GET", "/bucket/k", "").await.error(), (404, "NoSuchKey".to_owned()));
}

#[tokio::test]
async fn the_etag_is_the_md5_of_the_content() {
    let local = bucket().await;
    let put = local.s3("PUT", "/bucket/k", "hello\n").await.ok();
    assert_eq!(put.header("etag"), Some("\"b1946ac92492d2347c6235b4d2611184\""));
}

#[tokio::test]
async fn ranges_are_answered_in_part() {
    let local = bucket().await;
    local.s3("PUT", "/bucket/k", "0123456789").await.ok();
    let get = |range: &str| local.call("s3", "GET", "/bucket/k").header("range", range).send();
    let reply = get("bytes=2-4").await;
    assert_eq!(
        (reply.status, reply.text().as_str(), reply.header("content-range")),
        (206, "234", Some("bytes 2-4/10"))
    );
    assert_eq!(get("bytes=-3").await.text(), "789");
    assert_eq!(get("nonsense").await.status, 200);
    assert_eq!(get("bytes=10-").await.error(), (416, "InvalidRange".to_owned()));
    let reply = local.call("s3", "HEAD", "/bucket/k").header("range", "bytes=2-4").send().await;
    assert_eq!((reply.status, reply.header("content-length")), (206, Some("3")));
}

#[tokio::test]
async fn conditions_are_met_or_answered() {
    let local = bucket().await;
    let etag = local.s3("PUT", "/bucket/k", "x").await.ok().header("etag").unwrap().to_owned();
    let with = |method: &str, name: &str, value: &str| {
        local.call("s3", method, "/bucket/k").header(name, value).send()
    };
    assert_eq!(with("GET", "if-none-match", &etag).await.status, 304);
    assert_eq!(with("GET", "if-none-match", "\"other\"").await.status, 200);
    assert_eq!(with("GET", "if-match", &etag).await.status, 200);
    assert_eq!(with("GET", "if-match", "\"other\"").await.error(), (412, "PreconditionFailed".to_owned()));
    let modified = with("GET", "if-match", &etag).await.header("last-modified").unwrap().to_owned();
    assert_eq!(with("GET", "if-modified-since", &modified).await.status, 304);
    let to_come = "Fri, 01 Jan 2100 00:00:00 GMT";
    assert_eq!(with("GET", "if-modified-since", to_come).await.status, 200, "a time to come does not count");
    assert_eq!(with("DELETE", "if-match", "\"other\"").await.status, 412);
    assert_eq!(with("GET", "if-unmodified-since", "Mon, 01 Jan 2001 00:00:00 GMT").await.status, 412);
    assert_eq!(with("PUT", "if-none-match", "*").await.status, 412);
    assert_eq!(with("PUT", "if-match", "\"other\"").await.status, 412);
    assert_eq!(with("PUT", "if-match", &etag).await.status, 200);
    local.call("s3", "PUT", "/bucket/new").header("if-none-match", "*").send().await.ok();
}

#[tokio::test]
async fn one_of_two_first_writers_wins() {
    let local = bucket().await;
    let put = || local.call("s3", "PUT", "/bucket/lock").header("if-none-match", "*").body("x").send();
    let (a, b, c) = tokio::join!(put(), put(), put());
    let mut statuses = [a.status, b.status, c.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412]);
}

#[tokio::test]
async fn checksums_are_verified_and_given_back() {
    let local = bucket().await;
    let put = |name: &str, value: &str| {
        local.call("s3", "PUT", "/bucket/k").header(name, value).body("123456789").send()
    };
    assert_eq!(put("x-amz-checksum-crc32", "AAAAAA==").await.error(), (400, "BadDigest".to_owned()));
    assert_eq!(put("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==").await.error(), (400, "BadDigest".to_owned()));
    assert_eq!(local.s3("GET", "/bucket/k", "").await.status, 404, "nothing was kept");
    put("x-amz-checksum-crc32", "y/Q5Jg==").await.ok();
    put("content-md5", "JfnnlDI7RTiF9RgfG2JNCw==").await.ok();
    put("x-amz-checksum-crc32", "y/Q5Jg==").await.ok();
    let reply =
        local.call("s3", "GET", "/bucket/k").header("x-amz-checksum-mode", "ENABLED").send().await.ok();
    assert_eq!(reply.header("x-amz-checksum-crc32"), Some("y/Q5Jg=="));
}

#[tokio::test]
async fn chunked_bodies_with_a_trailing_checksum_are_unwrapped() {
    let local = bucket().await;
    let put = |checksum: &str| {
        let body = format!("9\r\n123456789\r\n0\r\nx-amz-checksum-crc32:{checksum}\r\n\r\n");
        let call = local.call("s3", "PUT", "/bucket/k").header("content-encoding", "aws-chunked");
        let call = call.header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
        let call =
            call.header("x-amz-decoded-content-length", "9").header("x-amz-trailer", "x-amz-checksum-crc32");
        call.body(body).send()
    };
    assert_eq!(put("AAAAAA==").await.error(), (400, "BadDigest".to_owned()));
    assert_eq!(put("y/Q5Jg==").await.ok().header("x-amz-checksum-crc32"), Some("y/Q5Jg=="));
    let reply = local.s3("GET", "/bucket/k", "").await.ok();
    assert_eq!((reply.text().as_str(), reply.header("content-encoding")), ("123456789", None));
    let call =
        local.call("s3", "PUT", "/bucket/k").header("content-encoding", "aws-chunked").body("not chunked");
    assert_eq!(call.send().await.error(), (400, "InvalidRequest".to_owned()));
}

#[tokio::test]
async fn listings_come_in_pages_and_fold_below_a_delimiter() {
    let local = bucket().await;
    for key in ["a", "b/1", "b/2", "c/d/1", "c/e", "z%20%26"] {
        local.s3("PUT", &format!("/bucket/{key}"), "x").await.ok();
    }
    let list = |query: &str| {
        let path = format!("/bucket?list-type=2{query}");
        let call = local.call("s3", "GET", &path);
        async move { call.send().await.ok() }
    };
    assert_eq!(keys(&list("").await), "a b/1 b/2 c/d/1 c/e z &amp;");
    assert_eq!(keys(&list("&encoding-type=url").await), "a b/1 b/2 c/d/1 c/e z%20%26");
    assert_eq!(keys(&list("&prefix=b/").await), "b/1 b/2");
    assert_eq!(keys(&list("&start-after=b/2").await), "c/d/1 c/e z &amp;");
    let folded = list("&delimiter=/").await;
    assert_eq!((keys(&folded), folded.all("CommonPrefixes").len()), ("a z &amp;".to_owned(), 2));
    assert_eq!(folded.first("KeyCount"), "4");
    let folded = list("&delimiter=/&prefix=c/").await;
    assert_eq!(
        (keys(&folded), folded.all("CommonPrefixes")),
        ("c/e".to_owned(), vec!["<Prefix>c/d/</Prefix>".to_owned()])
    );

    let mut token = String::new();
    let mut pages = Vec::new();
    loop {
        let page = list(&format!("&delimiter=/&max-keys=1{token}")).await;
        pages.push(keys(&page) + &page.all("CommonPrefixes").join(""));
        if page.first("IsTruncated") == "false" {
            break;
        }
        token = format!("&continuation-token={}", page.first("NextContinuationToken"));
    }
    assert_eq!(pages, ["a", "<Prefix>b/</Prefix>", "<Prefix>c/</Prefix>", "z &amp;"]);

    let first = local.s3("GET", "/bucket?max-keys=2", "").await.ok();
    assert_eq!(keys(&first), "a b/1");
    assert!(first.all("NextMarker").is_empty(), "without a delimiter the last key is the marker");
    let next = local.s3("GET", "/bucket?max-keys=9&marker=b/1", "").await.ok();
    assert_eq!(keys(&next), "b/2 c/d/1 c/e z &amp;");
    let versions = local.s3("GET", "/bucket?versions", "").await.ok();
    assert_eq!((versions.all("Version").len(), versions.first("IsLatest")), (6, "true".to_owned()));
    let wrong = local.s3("GET", "/bucket?list-type=2&continuation-token=!", "").await;
    assert_eq!(wrong.error(), (400, "InvalidArgument".to_owned()));
}

#[tokio::test]
async fn many_objects_are_deleted_at_once() {
    let local = bucket().await;
    local.s3("PUT", "/bucket/a", "x").await.ok();
    local.s3("PUT", "/bucket/%20b%26", "x").await.ok();
    let body = "<Delete><Object><Key>a</Key></Object><Object><Key> b&amp;</Key></Object><Object><Key>none</Key></Object></Delete>";
    let reply = local.s3("POST", "/bucket?delete", body).await.ok();
    assert_eq!(reply.all("Deleted").len(), 3);
    assert_eq!(keys(&local.s3("GET", "/bucket?list-type=2", "").await), "");
    assert_eq!(local.s3("POST", "/bucket?delete", "<Delete></Delete>").await.error().1, "MalformedXML");
    assert_eq!(local.s3("POST", "/bucket?delete", "<Delete>").await.error().1, "MalformedXML");
}

#[tokio::test]
async fn a_copy_takes_content_and_metadata_along_or_new_metadata() {
    let local = bucket().await;
    let put = local
        .call("s3", "PUT", "/bucket/a%20b")
        .header("x-amz-meta-m", "1")
        .header("content-type", "text/css");
    put.body("x").send().await.ok();
    let copy = |to: &str| {
        local.call("s3", "PUT", &format!("/bucket/{to}")).header("x-amz-copy-source", "/bucket/a%20b")
    };
    assert!(copy("c").send().await.ok().text().contains("<CopyObjectResult"));
    let reply = local.s3("HEAD", "/bucket/c", "").await.ok();
    assert_eq!((reply.header("x-amz-meta-m"), reply.header("content-type")), (Some("1"), Some("text/css")));
    let replace = copy("d").header("x-amz-metadata-directive", "REPLACE").header("x-amz-meta-n", "2");
    replace.header("content-type", "text/plain").send().await.ok();
    let reply = local.s3("HEAD", "/bucket/d", "").await.ok();
    assert_eq!((reply.header("x-amz-meta-m"), reply.header("x-amz-meta-n")), (None, Some("2")));
    assert_eq!(reply.header("content-type"), Some("text/plain"));
    assert_eq!(copy("a%20b").send().await.error(), (400, "InvalidRequest".to_owned()));
}

#[tokio::test]
async fn parts_become_one_object() {
    let local = bucket().await;
    let big = "a".repeat(5 << 20);
    let id =
        local.call("s3", "POST", "/bucket/k?uploads").header("content-type", "text/plain").send().await.ok();
    let id = id.first("UploadId");
    let part = |n: u32, body: String| {
        local.call("s3", "PUT", &format!("/bucket/k?partNumber={n}&uploadId={id}")).body(body).send()
    };
    let second = part(2, "end".to_owned()).await.ok().header("etag").unwrap().to_owned();
    part(1, "replaced".to_owned()).await.ok();
    let first = part(1, big.clone()).await.ok().header("etag").unwrap().to_owned();
    let listed = local.s3("GET", &format!("/bucket/k?uploadId={id}"), "").await.ok();
    assert_eq!(listed.all("PartNumber"), ["1", "2"]);
    assert_eq!(local.s3("GET", "/bucket?uploads", "").await.ok().first("UploadId"), id);
    let complete = |parts: &[(u32, &str)]| {
        let part =
            |(n, etag): &(u32, &str)| format!("<Part><PartNumber>{n}</PartNumber><ETag>{etag}</ETag></Part>");
        let parts: String = parts.iter().map(part).collect();
        let body = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
        local.call("s3", "POST", &format!("/bucket/k?uploadId={id}")).body(body).send()
    };
    assert_eq!(complete(&[(1, "\"wrong\"")]).await.error().1, "InvalidPart");
    assert_eq!(complete(&[(3, &second)]).await.error().1, "InvalidPart");
    assert_eq!(complete(&[(2, &second), (1, &first)]).await.error().1, "InvalidPartOrder");
    assert_eq!(complete(&[]).await.error().1, "MalformedXML");
    let done = complete(&[(1, &first), (2, &second)]).await.ok();
    assert!(done.first("ETag").ends_with("-2&quot;"));
    let reply = local.s3("GET", "/bucket/k", "").await.ok();
    assert_eq!((reply.text(), reply.header("content-type")), (big + "end", Some("text/plain")));
    assert_eq!(complete(&[(1, &first)]).await.error(), (404, "NoSuchUpload".to_owned()));
    assert_eq!(std::fs::read_dir(local.folder.path().join("s3")).unwrap().count(), 1, "the parts are gone");
}

#[tokio::test]
async fn an_aborted_upload_leaves_nothing() {
    let local = bucket().await;
    let id = local.s3("POST", "/bucket/k?uploads", "").await.ok().first("UploadId");
    local.s3("PUT", &format!("/bucket/k?partNumber=1&uploadId={id}"), "x").await.ok();
    let small = local.s3("PUT", &format!("/bucket/k?partNumber=2&uploadId={id}"), "y").await.ok();
    let etag = small.header("etag").unwrap();
    assert_eq!(local.s3("DELETE", "/bucket", "").await.error().1, "BucketNotEmpty");
    let body = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>9dd4e461268c8034f5c8564e155c67a6</ETag></Part><Part><PartNumber>2</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    );
    assert_eq!(
        local.s3("POST", &format!("/bucket/k?uploadId={id}"), &body).await.error().1,
        "EntityTooSmall"
    );
    local.s3("DELETE", &format!("/bucket/k?uploadId={id}"), "").await.ok();
    assert_eq!(std::fs::read_dir(local.folder.path().join("s3")).unwrap().count(), 0);
    assert_eq!(local.s3("DELETE", &format!("/bucket/k?uploadId={id}"), "").await.error().1, "NoSuchUpload");
    local.s3("DELETE", "/bucket", "").await.ok();
}

#[tokio::test]
async fn any_key_is_a_key() {
    let local = bucket().await;
    let long = "x".repeat(1024);
    let keys = [
        "../../etc/passwd",
        "%20",
        "a//b",
        "/",
        "%F0%9F%A6%80",
        "%01",
        "a+b%2Bc",
        "%0D%0A",
        "x?y".split('?').next().unwrap(),
        &long,
    ];
    for (i, key) in keys.iter().enumerate() {
        local.s3("PUT", &format!("/bucket/{key}"), &i.to_string()).await.ok();
    }
    for (i, key) in keys.iter().enumerate() {
        assert_eq!(local.s3("GET", &format!("/bucket/{key}"), "").await.ok().text(), i.to_string(), "{key}");
    }
    let listed = local.s3("GET", "/bucket?list-type=2&encoding-type=url", "").await.ok();
    assert_eq!(listed.all("Key").len(), keys.len());
    let reply = local.s3("PUT", &format!("/bucket/{long}x"), "").await;
    assert_eq!(reply.error(), (400, "KeyTooLongError".to_owned()));
    assert_eq!(local.s3("GET", "/bucket/%ff", "").await.error(), (400, "InvalidURI".to_owned()));
}

async fn session(local: &Local, statement: Value) -> String {
    let aws = local.endpoint.aws();
    let call =
        async |operation: &str, input: Value| aws.call(&Caller::Owner, Service::Iam, operation, input).await;
    let trust =
        json!({"Statement": {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}});
    let _ = call("CreateRole", json!({"RoleName": "r", "AssumeRolePolicyDocument": trust})).await;
    let policy = json!({"Version": "2012-10-17", "Statement": statement});
    call("PutRolePolicy", json!({"RoleName": "r", "PolicyName": "p", "PolicyDocument": policy}))
        .await
        .unwrap();
    aws.iam.session(aws, "arn:aws:iam::000000000000:role/r", "s").unwrap().access_key_id
}

#[tokio::test]
async fn a_role_reads_what_its_policies_or_the_bucket_s_allow() {
    let local = bucket().await;
    local.s3("PUT", "/bucket/k", "x").await.ok();
    let key = session(
        &local,
        json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/k*"}),
    )
    .await;
    let get = |path: &str| local.unsigned("GET", path).key(&key, "s3").send();
    assert_eq!(get("/bucket/k").await.ok().text(), "x");
    let denied = get("/bucket/other").await;
    assert_eq!(denied.error(), (403, "AccessDenied".to_owned()));
    let expected = "User: arn:aws:sts::000000000000:assumed-role/r/s is not authorized to perform: s3:GetObject on resource: &quot;arn:aws:s3:::bucket/other&quot; because no identity-based policy allows the s3:GetObject action";
    assert_eq!(denied.first("Message"), expected);
    assert_eq!(
        get("/bucket/k-none").await.error().1,
        "AccessDenied",
        "who may not list does not learn what is missing"
    );
    session(
        &local,
        json!([
            {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/k*"},
            {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::bucket"},
        ]),
    )
    .await;
    assert_eq!(get("/bucket/k-none").await.error().1, "NoSuchKey");
    let policy = r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:role/r"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/other"}}"#;
    local.s3("PUT", "/bucket?policy", policy).await.ok();
    local.s3("PUT", "/bucket/other", "by the bucket's policy").await.ok();
    assert_eq!(get("/bucket/other").await.ok().text(), "by the bucket's policy");
    let reply = local.unsigned("PUT", "/bucket/k").key(&key, "s3").body("y").send().await;
    assert_eq!(reply.error().1, "AccessDenied");
}

#[tokio::test]
async fn a_public_policy_serves_pages_to_everybody() {
    let local = bucket().await;
    local
        .call("s3", "PUT", "/bucket/index.html")
        .header("content-type", "text/html")
        .body("<p>")
        .send()
        .await
        .ok();
    let page = || local.unsigned("GET", "/bucket/index.html").send();
    assert_eq!(page().await.error(), (403, "AccessDenied".to_owned()));
    let policy = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/*"}]}"#;
    let blocked = local.s3("PUT", "/bucket?policy", policy).await;
    assert!(blocked.first("Message").contains("BlockPublicPolicy"), "as AWS has it for new buckets");
    let open = "<PublicAccessBlockConfiguration><BlockPublicPolicy>false</BlockPublicPolicy><RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>";
    local.s3("PUT", "/bucket?publicAccessBlock", open).await.ok();
    local.s3("PUT", "/bucket?policy", policy).await.ok();
    assert_eq!(page().await.status, 403, "RestrictPublicBuckets");
    local.s3("DELETE", "/bucket?publicAccessBlock", "").await.ok();
    let none = local.s3("GET", "/bucket?publicAccessBlock", "").await.error();
    assert_eq!(none, (404, "NoSuchPublicAccessBlockConfiguration".to_owned()));
    let reply = page().await.ok();
    assert_eq!((reply.text().as_str(), reply.header("content-type")), ("<p>", Some("text/html")));
    assert_eq!(local.unsigned("PUT", "/bucket/index.html").body("mine").send().await.status, 403);
    assert_eq!(local.unsigned("GET", "/bucket").send().await.status, 403);
}

#[tokio::test]
async fn a_policy_that_is_none_is_refused() {
    let local = bucket().await;
    for policy in
        ["", "{", "{}", r#"{"Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#]
    {
        assert_eq!(
            local.s3("PUT", "/bucket?policy", policy).await.error(),
            (400, "MalformedPolicy".to_owned()),
            "{policy}"
        );
    }
}

#[tokio::test]
async fn a_deleted_bucket_s_name_may_not_be_free() {
    let local = bucket().await;
    let held = |nth| Fault { caller: None, operation: None, nth, kind: Kind::NameHeld };
    local.endpoint.aws().faults.plan(vec![held(1), held(2)]);
    local.s3("PUT", "/other", "").await.ok();
    local.s3("DELETE", "/bucket", "").await.ok();
    for _ in 0..2 {
        assert_eq!(local.s3("PUT", "/bucket", "").await.error(), (409, "OperationAborted".to_owned()));
    }
    local.s3("PUT", "/bucket", "").await.ok();
}

#[tokio::test]
async fn an_object_with_a_kms_key_needs_that_key() {
    let local = bucket().await;
    let put = |path: &str| local.call("s3", "PUT", path).body("x");
    let kms = ("x-amz-server-side-encryption", "aws:kms");
    let id = ("x-amz-server-side-encryption-aws-kms-key-id", "k-1");
    put("/bucket/k").header(kms.0, kms.1).header(id.0, id.1).send().await.ok();
    put("/bucket/plain").header(kms.0, "AES256").send().await.ok();
    assert_eq!(put("/bucket/none").header(kms.0, "aws:kms:dsse").send().await.status, 501);
    let arn = "arn:aws:kms:us-east-1:000000000000:key/k-1";
    assert_eq!(local.s3("GET", "/bucket/k", "").await.ok().header(id.0), Some(arn));
    let rule = "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>k-1</KMSMasterKeyID></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>";
    local.s3("PUT", "/bucket?encryption", rule).await.ok();
    put("/bucket/by-default").send().await.ok();
    put("/bucket/s3-s-own").header(kms.0, "AES256").send().await.ok();
    put("/bucket/aws-s-own").header(kms.0, kms.1).send().await.ok();
    let copied = put("/bucket/copied").header("x-amz-copy-source", "/bucket/plain").send().await.ok();
    assert_eq!(copied.header(id.0), Some(arn), "as the target's bucket has it");
    let begun = local.call("s3", "POST", "/bucket/parts?uploads").header(kms.0, kms.1).send().await.ok();
    assert!(begun.header(id.0).is_some_and(|key| key != arn), "AWS's own key");

    let reads = json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"});
    let key = session(&local, json!([reads])).await;
    let get = |path: &str| local.unsigned("GET", path).key(&key, "s3").send();
    // AWS's own key lets everybody of the account use it through S3.
    for (path, encryption) in
        [("/bucket/plain", "AES256"), ("/bucket/s3-s-own", "AES256"), ("/bucket/aws-s-own", "aws:kms")]
    {
        assert_eq!(get(path).await.ok().header(kms.0), Some(encryption), "{path}");
    }
    for path in ["/bucket/k", "/bucket/by-default", "/bucket/copied"] {
        let denied = get(path).await;
        assert_eq!(denied.error(), (403, "AccessDenied".to_owned()), "{path}");
        let message = denied.first("Message");
        assert!(message.contains(&format!("kms:Decrypt on resource: {arn}")), "{message}");
    }
    for (service, may) in [("lambda.*", false), ("s3.*", true)] {
        let through = json!({"StringLike": {"kms:ViaService": service}});
        let decrypt =
            json!({"Effect": "Allow", "Action": "kms:Decrypt", "Resource": arn, "Condition": through});
        session(&local, json!([reads, decrypt])).await;
        let answer = get("/bucket/k").await;
        assert_eq!(answer.status == 200, may, "through {service}");
    }
    assert_eq!(get("/bucket/k").await.ok().text(), "x");
}

#[tokio::test]
async fn what_would_be_stored_otherwise_is_refused_by_its_header() {
    let local = bucket().await;
    for (header, value) in [
        ("x-amz-acl", "public-read"),
        ("x-amz-grant-read", "id=1"),
        ("x-amz-object-lock-mode", "GOVERNANCE"),
        ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
        ("x-amz-storage-class", "GLACIER"),
        ("x-amz-tagging", "a=1"),
        ("x-amz-website-redirect-location", "/elsewhere"),
    ] {
        let reply = local.call("s3", "PUT", "/bucket/k").header(header, value).body("content").send().await;
        assert_eq!(reply.error(), (501, "NotImplemented".to_owned()), "{header}");
        assert!(reply.text().contains(header), "{}", reply.text());
    }
    assert_eq!(local.s3("GET", "/bucket/k", "").await.error(), (404, "NoSuchKey".to_owned()));
    for (header, value) in [("x-amz-acl", "private"), ("x-amz-storage-class", "STANDARD")] {
        local.call("s3", "PUT", "/bucket/k").header(header, value).body("content").send().await.ok();
    }
    let by_part = local.s3("GET", "/bucket/k?partNumber=1", "").await;
    assert_eq!(by_part.error(), (501, "NotImplemented".to_owned()));
    let part = local.call("s3", "PUT", "/bucket/k?partNumber=1&uploadId=1");
    let copied = part.header("x-amz-copy-source", "/bucket/k").send().await;
    assert_eq!(copied.error(), (501, "NotImplemented".to_owned()));
}
