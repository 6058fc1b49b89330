//! S3's answers as they were recorded on AWS: members of errors, encryption and checksums, conditions, pages.

use super::client::{Call, Local, Reply};

async fn bucket() -> Local {
    let local = Local::start().await;
    local.s3("PUT", "/bucket", "").await.ok();
    local
}

fn with(call: Call, headers: &[(&str, &str)]) -> Call {
    headers.iter().fold(call, |call, (name, value)| call.header(name, value))
}

/// The members of an error but its code, message and ids, in the order of their names.
fn members(reply: &Reply) -> Vec<String> {
    let text = reply.text();
    let inside = text.split_once("<Error>").map_or("", |(_, rest)| rest);
    let mut members: Vec<String> = Vec::new();
    for part in inside.split("</").filter_map(|part| part.rsplit_once('<')) {
        let (name, value) = part.1.split_once('>').unwrap();
        if !["Code", "Message", "RequestId", "HostId"].contains(&name) {
            members.push(format!("{name}={value}"));
        }
    }
    members.sort();
    members
}

#[tokio::test]
async fn errors_have_the_members_that_aws_s_have() {
    let local = bucket().await;
    local.s3("PUT", "/bucket/k", "0123456789").await.ok();
    for (method, path, headers, status, code, expected) in [
        ("GET", "/none", &[][..], 404, "NoSuchBucket", &["BucketName=none"][..]),
        ("GET", "/bucket/none", &[], 404, "NoSuchKey", &["Key=none"]),
        (
            "GET",
            "/bucket/k",
            &[("range", "bytes=100-200")],
            416,
            "InvalidRange",
            &["ActualObjectSize=10", "RangeRequested=bytes=100-200"],
        ),
        ("GET", "/bucket/k", &[("if-match", "x")], 412, "PreconditionFailed", &["Condition=If-Match"]),
        (
            "GET",
            "/bucket/k?versionId=HPniJFCx",
            &[],
            400,
            "InvalidArgument",
            &["ArgumentName=versionId", "ArgumentValue=HPniJFCx"],
        ),
        (
            "DELETE",
            "/bucket/k?versionId=HPniJFCx",
            &[],
            400,
            "InvalidArgument",
            &["ArgumentName=versionId", "ArgumentValue=HPniJFCx"],
        ),
        (
            "PUT",
            "/bucket/k",
            &[("if-none-match", "*")],
            412,
            "PreconditionFailed",
            &["Condition=If-None-Match"],
        ),
        (
            "PUT",
            "/bucket/k",
            &[("if-match", "*")],
            501,
            "NotImplemented",
            &[
                "Header=If-Match",
                "additionalMessage=We don't accept the provided value of If-Match header for this API",
            ],
        ),
        ("PUT", "/bucket/none", &[("if-match", "x")], 404, "NoSuchKey", &["Key=none"]),
        (
            "PUT",
            "/bucket/k",
            &[("content-md5", "not base64 encoded checksum")],
            400,
            "InvalidDigest",
            &["Content-MD5=not base64 encoded checksum"],
        ),
        ("PUT", "/bucket/k", &[("x-amz-checksum-sha1", "x")], 400, "InvalidRequest", &[]),
        (
            "PUT",
            "/bucket/k",
            &[("x-amz-checksum-crc32", "AAAAAA=="), ("x-amz-checksum-crc32c", "AAAAAA==")],
            400,
            "InvalidRequest",
            &[],
        ),
        (
            "GET",
            "/bucket?encoding-type=value",
            &[],
            400,
            "InvalidArgument",
            &["ArgumentName=encoding-type", "ArgumentValue=value"],
        ),
        (
            "GET",
            "/bucket?list-type=2&continuation-token=",
            &[],
            400,
            "InvalidArgument",
            &["ArgumentName=continuation-token"],
        ),
        (
            "GET",
            "/bucket?versions&version-id-marker=x",
            &[],
            400,
            "InvalidArgument",
            &["ArgumentName=version-id-marker", "ArgumentValue=x"],
        ),
        ("GET", "/bucket/k?uploadId=fakeid", &[], 404, "NoSuchUpload", &["UploadId=fakeid"]),
        ("POST", "/bucket/k", &[], 405, "MethodNotAllowed", &["Method=POST", "ResourceType=OBJECT"]),
        ("PUT", "/Bad_Name", &[], 400, "InvalidBucketName", &["BucketName=Bad_Name"]),
    ] {
        let reply = with(local.call("s3", method, path), headers).send().await;
        assert_eq!(reply.error(), (status, code.to_owned()), "{method} {path}: {}", reply.text());
        assert_eq!(members(&reply), expected, "{method} {path}");
        assert_eq!(reply.first("RequestId"), reply.header("x-amz-request-id").unwrap());
        assert_eq!(reply.first("HostId"), reply.header("x-amz-id-2").unwrap());
    }
    let wrong = local.call("s3", "PUT", "/bucket/k").header("content-md5", "CYketZBSTjX8czcs3cXVlg==");
    let reply = wrong.body("something").send().await;
    assert_eq!(reply.error(), (400, "BadDigest".to_owned()));
    let digests =
        ["CalculatedDigest=Q3uTDbhLgHnC3YBKcZNrXw==", "ExpectedDigest=09891eb590524e35fc73372cddc5d596"];
    assert_eq!(members(&reply), digests);
}

#[tokio::test]
async fn what_is_put_has_encryption_type_and_a_checksum() {
    let local = bucket().await;
    let shown = |reply: &Reply| {
        [
            "x-amz-server-side-encryption",
            "x-amz-checksum-type",
            "x-amz-checksum-crc64nvme",
            "x-amz-checksum-crc32",
        ]
        .map(|name| reply.header(name).unwrap_or_default().to_owned())
    };
    let put = local.call("s3", "PUT", "/bucket/k").body("123456789").send().await.ok();
    assert_eq!(shown(&put), ["AES256", "FULL_OBJECT", "rosUhgp5mIg=", ""]);
    let get = |range: &'static str, mode: &'static str| {
        let call = local.call("s3", "GET", "/bucket/k").header("x-amz-checksum-mode", mode);
        call.header("range", range).send()
    };
    assert_eq!(shown(&get("", "ENABLED").await), ["AES256", "FULL_OBJECT", "rosUhgp5mIg=", ""]);
    assert_eq!(shown(&get("", "").await), ["AES256", "", "", ""], "only when asked for");
    assert_eq!(shown(&get("bytes=0-2", "ENABLED").await), ["AES256", "", "", ""], "not of a part");
    let all = get("bytes=0-100", "ENABLED").await;
    assert_eq!((all.status, shown(&all)[2].as_str()), (206, "rosUhgp5mIg="), "of a range that is everything");
    let head = local.s3("HEAD", "/bucket/k", "").await.ok();
    assert_eq!(head.header("content-type"), Some("binary/octet-stream"));
    assert_eq!((head.header("server"), head.header("x-amzn-requestid")), (Some("AmazonS3"), None));

    let copy = |to: &str, algorithm: &str| {
        let call = local.call("s3", "PUT", to).header("x-amz-copy-source", "/bucket/k");
        if algorithm.is_empty() { call } else { call.header("x-amz-checksum-algorithm", algorithm) }
    };
    let kept = copy("/bucket/a", "").send().await.ok();
    assert_eq!(kept.first("ChecksumCRC64NVME"), "rosUhgp5mIg=");
    assert_eq!(kept.header("x-amz-server-side-encryption"), Some("AES256"));
    let other = copy("/bucket/b", "CRC32").send().await.ok();
    assert_eq!(
        (other.first("ChecksumCRC32"), other.first("ChecksumType")),
        ("y/Q5Jg==".into(), "FULL_OBJECT".into())
    );
    assert_eq!(copy("/bucket/b", "MD4").send().await.error().1, "InvalidRequest");
}

#[tokio::test]
async fn listings_have_checksums_and_owners() {
    let local = bucket().await;
    local
        .call("s3", "PUT", "/bucket/k")
        .header("x-amz-checksum-crc32", "y/Q5Jg==")
        .body("123456789")
        .send()
        .await
        .ok();
    for (query, owners) in [("", 1), ("list-type=2", 0), ("list-type=2&fetch-owner=true", 1), ("versions", 1)]
    {
        let listed = local.s3("GET", &format!("/bucket?{query}"), "").await.ok();
        assert_eq!(listed.all("Owner").len(), owners, "{query}");
        assert_eq!(
            (listed.first("ChecksumAlgorithm"), listed.first("ChecksumType")),
            ("CRC32".into(), "FULL_OBJECT".into())
        );
        assert!(!listed.text().contains("DisplayName"), "{query}");
    }
    let buckets = local.s3("GET", "/?prefix=buck&max-buckets=1", "").await.ok();
    assert_eq!(
        (buckets.first("BucketArn"), buckets.first("Prefix")),
        ("arn:aws:s3:::bucket".into(), "buck".into())
    );
    assert!(local.s3("GET", "/?bucket-region=eu-west-1", "").await.ok().all("Name").is_empty());
}

#[tokio::test]
async fn a_copy_may_have_conditions() {
    let local = bucket().await;
    let put = local.s3("PUT", "/bucket/k", "data").await.ok();
    let etag = put.header("etag").unwrap().to_owned();
    let (early, late) = ("Mon, 01 Jan 2001 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT");
    let bare = etag.trim_matches('"').to_owned();
    let source = |name: &str| format!("x-amz-copy-source-{name}");
    for (headers, failed) in [
        (vec![("if-match", etag.as_str()), ("if-unmodified-since", early)], None),
        (vec![("if-match", "\"other\"")], Some("If-Match")),
        (vec![("if-unmodified-since", early)], Some("If-Unmodified-Since")),
        (vec![("if-none-match", bare.as_str())], Some("If-None-Match")),
        (vec![("if-modified-since", late)], None),
        (vec![("if-modified-since", early)], None),
    ] {
        let call = local.call("s3", "PUT", "/bucket/copy").header("x-amz-copy-source", "bucket/k");
        let call = headers.iter().fold(call, |call, (name, value)| call.header(&source(name), value));
        let reply = call.send().await;
        match failed {
            None => assert_eq!(reply.status, 200, "{headers:?}"),
            Some(condition) => {
                assert_eq!(reply.error(), (412, "PreconditionFailed".to_owned()), "{headers:?}");
                assert_eq!(reply.first("Condition"), source(condition));
            }
        }
    }
    for (to, header, value, status) in [
        ("copy", "if-none-match", "*", 412),
        ("new", "if-none-match", "*", 200),
        ("copy", "if-match", etag.as_str(), 200),
        ("copy", "if-match", "\"other\"", 412),
        ("none", "if-match", etag.as_str(), 404),
        ("copy", "if-match", "*", 501),
    ] {
        let call = local.call("s3", "PUT", &format!("/bucket/{to}")).header("x-amz-copy-source", "bucket/k");
        assert_eq!(call.header(header, value).send().await.status, status, "{to} {header} {value}");
    }
    let wrong = local.call("s3", "PUT", "/bucket/copy").header("x-amz-copy-source", "bucket");
    assert_eq!(
        members(&wrong.send().await),
        ["ArgumentName=x-amz-copy-source", "ArgumentValue=x-amz-copy-source"]
    );
}

/// Begins an upload and puts one part.
async fn begun(local: &Local, headers: &[(&str, &str)], part: &[(&str, &str)]) -> (String, Reply) {
    let begin = with(local.call("s3", "POST", "/bucket/k?uploads"), headers).send().await.ok();
    let id = begin.first("UploadId");
    let put =
        local.call("s3", "PUT", &format!("/bucket/k?partNumber=1&uploadId={id}")).body("test content 123");
    (id, with(put, part).send().await)
}

fn completion(etag: &str, checksum: &str) -> String {
    format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag>{checksum}</Part></CompleteMultipartUpload>"
    )
}

#[tokio::test]
async fn a_completion_may_have_conditions() {
    let local = bucket().await;
    let complete = |id: &str, etag: &str, header: (&str, &str)| {
        let call = local.call("s3", "POST", &format!("/bucket/k?uploadId={id}"));
        call.header(header.0, header.1).body(completion(etag, "")).send()
    };
    let etag = |reply: &Reply| reply.header("etag").unwrap().to_owned();
    let old = etag(&local.s3("PUT", "/bucket/k", "old").await.ok());
    let (id, part) = begun(&local, &[], &[]).await;
    let part = etag(&part);
    assert_eq!(complete(&id, &part, ("if-none-match", "*")).await.status, 412);
    assert_eq!(complete(&id, &part, ("if-match", "\"other\"")).await.status, 412);
    // Whoever wrote or deleted it meanwhile may have had other conditions.
    let now = etag(&local.s3("PUT", "/bucket/k", "new").await.ok());
    assert_eq!(complete(&id, &part, ("if-match", &old)).await.status, 412);
    let conflict = complete(&id, &part, ("if-match", &now)).await;
    assert_eq!(conflict.error(), (409, "ConditionalRequestConflict".to_owned()));
    assert_eq!(members(&conflict), ["Condition=If-Match", "Key=k"]);
    local.s3("DELETE", "/bucket/k", "").await.ok();
    assert_eq!(complete(&id, &part, ("if-match", &now)).await.error().1, "NoSuchKey");
    assert_eq!(complete(&id, &part, ("if-none-match", "*")).await.status, 409);
    let wrong = complete(&id, &part, ("x-amz-mp-object-size", "5")).await;
    assert!(wrong.first("Message").ends_with("value 5 does not match what was computed: 16"));
    let (id, _) = begun(&local, &[], &[]).await;
    let done = complete(&id, &part, ("if-none-match", "*")).await.ok();
    assert_eq!((done.first("ChecksumType"), done.all("ChecksumCRC64NVME").len()), ("FULL_OBJECT".into(), 1));
}

#[tokio::test]
async fn an_upload_has_checksums_of_its_parts_or_of_all() {
    let local = bucket().await;
    let sum = ("x-amz-checksum-crc32c", "fwuu0Q==");
    let of_part = "<ChecksumCRC32C>fwuu0Q==</ChecksumCRC32C>";
    for (kind, whole) in [("COMPOSITE", "sZB91Q==-1"), ("FULL_OBJECT", "fwuu0Q==")] {
        let wanted = [("x-amz-checksum-algorithm", "CRC32C"), ("x-amz-checksum-type", kind)];
        let (id, part) = begun(&local, &wanted, &[sum]).await;
        assert_eq!(part.header(sum.0), Some(sum.1));
        let etag = part.header("etag").unwrap().to_owned();
        let listed = local.s3("GET", &format!("/bucket/k?uploadId={id}"), "").await.ok();
        assert_eq!(
            (listed.first("ChecksumType"), listed.first("ChecksumCRC32C")),
            (kind.into(), sum.1.into())
        );
        let complete = |headers: &'static [(&str, &str)], part: &str| {
            let call =
                local.call("s3", "POST", &format!("/bucket/k?uploadId={id}")).body(completion(&etag, part));
            with(call, headers).send()
        };
        let wrong_sum = "<ChecksumCRC32C>AAAAAA==</ChecksumCRC32C>";
        assert_eq!(complete(&[], wrong_sum).await.error().1, "InvalidPart", "{kind}");
        assert_eq!(complete(&[], "<ChecksumSHA1>x</ChecksumSHA1>").await.error().1, "BadDigest", "{kind}");
        let other: &[(&str, &str)] = match kind {
            "COMPOSITE" => &[("x-amz-checksum-type", "FULL_OBJECT")],
            _ => &[("x-amz-checksum-type", "COMPOSITE")],
        };
        let message = complete(other, of_part).await.first("Message");
        assert_eq!(
            message,
            format!(
                "The upload was created using the {kind} checksum mode. The complete request must use the same checksum mode."
            )
        );
        let without = complete(&[], "").await;
        if kind == "COMPOSITE" {
            let message = "The upload was created using a crc32c checksum. The complete request must include the checksum for each part. It was missing for part 1 in the request.";
            assert_eq!(without.first("Message"), message);
            complete(&[], of_part).await.ok();
        } else {
            without.ok();
        }
        let head =
            local.call("s3", "HEAD", "/bucket/k").header("x-amz-checksum-mode", "ENABLED").send().await.ok();
        assert_eq!((head.header(sum.0), head.header("x-amz-checksum-type")), (Some(whole), Some(kind)));
    }
    let (_, refused) = begun(&local, &[("x-amz-checksum-algorithm", "SHA256")], &[sum]).await;
    let message =
        "Checksum Type mismatch occurred, expected checksum Type: sha256, actual checksum Type: crc32c";
    assert_eq!(refused.first("Message"), message);
    for (headers, message) in [
        (
            &[("x-amz-checksum-type", "COMPOSITE")][..],
            "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
        ),
        (
            &[("x-amz-checksum-type", "COMPOSITE"), ("x-amz-checksum-algorithm", "CRC64NVME")],
            "The COMPOSITE checksum type cannot be used with the crc64nvme checksum algorithm.",
        ),
        (
            &[("x-amz-checksum-algorithm", "TEST")],
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]",
        ),
    ] {
        let refused = with(local.call("s3", "POST", "/bucket/k?uploads"), headers).send().await;
        assert_eq!(refused.first("Message"), message);
    }
}

#[tokio::test]
async fn parts_and_uploads_come_in_pages() {
    let local = bucket().await;
    let mut ids = Vec::new();
    for key in ["a/1", "a/2", "b", "b"] {
        ids.push(local.s3("POST", &format!("/bucket/{key}?uploads"), "").await.ok().first("UploadId"));
        // Uploads of one key are told apart by when they were begun.
        tokio::time::sleep(std::time::Duration::from_millis(3)).await;
    }
    let list = async |query: &str| local.s3("GET", &format!("/bucket?uploads{query}"), "").await;
    let page = list("&max-uploads=3").await.ok();
    assert_eq!(page.all("UploadId"), ids[..3]);
    assert_eq!((page.first("NextKeyMarker"), page.first("NextUploadIdMarker")), ("b".into(), ids[2].clone()));
    assert_eq!((page.first("IsTruncated"), page.first("MaxUploads")), ("true".into(), "3".into()));
    let next = list(&format!("&key-marker=b&upload-id-marker={}", ids[2])).await.ok();
    assert_eq!((next.all("UploadId"), next.first("IsTruncated")), (vec![ids[3].clone()], "false".into()));
    assert!(list("&key-marker=b").await.ok().all("UploadId").is_empty());
    let folded = list("&delimiter=/").await.ok();
    assert_eq!(
        (folded.all("UploadId"), folded.all("CommonPrefixes")),
        (ids[2..].to_vec(), vec!["<Prefix>a/</Prefix>".to_owned()])
    );
    assert_eq!(
        list("&delimiter=/&key-marker=a/1").await.ok().all("UploadId"),
        ids[2..],
        "a/ is behind the marker"
    );
    let wrong = list(&format!("&key-marker=a/1&upload-id-marker={}", ids[2])).await;
    assert_eq!(
        members(&wrong),
        ["ArgumentName=upload-id-marker".to_owned(), format!("ArgumentValue={}", ids[2])]
    );

    for number in [1, 2, 5] {
        local.s3("PUT", &format!("/bucket/b?partNumber={number}&uploadId={}", ids[2]), "x").await.ok();
    }
    let parts =
        async |query: &str| local.s3("GET", &format!("/bucket/b?uploadId={}{query}", ids[2]), "").await.ok();
    let page = parts("&max-parts=2").await;
    assert_eq!(
        (page.all("PartNumber"), page.first("NextPartNumberMarker")),
        (vec!["1".to_owned(), "2".to_owned()], "2".into())
    );
    assert_eq!((page.first("IsTruncated"), page.first("MaxParts")), ("true".into(), "2".into()));
    assert_eq!(parts("&part-number-marker=2").await.all("PartNumber"), ["5"]);
    assert_eq!(parts("&part-number-marker=9").await.first("NextPartNumberMarker"), "0");
    assert_eq!(parts("&max-parts=").await.first("MaxParts"), "1000");
    let negative = local.s3("PUT", &format!("/bucket/b?partNumber=-1&uploadId={}", ids[2]), "x").await;
    assert_eq!(members(&negative), ["ArgumentName=partNumber", "ArgumentValue=-1"]);
}

#[tokio::test]
async fn a_bucket_is_made_with_tags_and_ownership() {
    let local = Local::start().await;
    let tag = |key: &str, value: &str| {
        format!(
            "<CreateBucketConfiguration><Tags><Tag><Key>{key}</Key><Value>{value}</Value></Tag></Tags></CreateBucketConfiguration>"
        )
    };
    let make = |body: String, ownership: &str| {
        local.call("s3", "PUT", "/made").header("x-amz-object-ownership", ownership).body(body).send()
    };
    for (key, value, expected) in
        [("a,b", "1", "TagKey=a,b"), ("a", "1,2", "TagKey=a,TagValue=1,2"), ("aws:a", "1", "")]
    {
        let refused = make(tag(key, value), "ObjectWriter").await;
        assert_eq!(
            (refused.error(), members(&refused).join(",")),
            ((400, "InvalidTag".to_owned()), expected.to_owned())
        );
    }
    let refused = make(String::new(), "RandomValue").await;
    assert_eq!(members(&refused), ["ArgumentName=x-amz-object-ownership"]);
    let made = make(tag("a", "1"), "BucketOwnerPreferred").await.ok();
    assert_eq!(
        (made.header("location"), made.header("x-amz-bucket-arn")),
        (Some("/made"), Some("arn:aws:s3:::made"))
    );
    assert!(local.s3("GET", "/made?tagging", "").await.ok().text().contains("<Key>a</Key><Value>1</Value>"));
    assert_eq!(
        local.s3("GET", "/made?ownershipControls", "").await.ok().first("ObjectOwnership"),
        "BucketOwnerPreferred"
    );
}

#[tokio::test]
async fn documents_of_configurations_are_checked() {
    let local = bucket().await;
    let encryption = |inside: &str| {
        format!("<ServerSideEncryptionConfiguration>{inside}</ServerSideEncryptionConfiguration>")
    };
    let rule = |algorithm: &str, key: &str| {
        format!(
            "<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>{algorithm}</SSEAlgorithm>{key}</ApplyServerSideEncryptionByDefault></Rule>"
        )
    };
    let owned = |values: &[&str]| {
        let rule = |value: &&str| format!("<Rule><ObjectOwnership>{value}</ObjectOwnership></Rule>");
        format!("<OwnershipControls>{}</OwnershipControls>", values.iter().map(rule).collect::<String>())
    };
    let tags = |tags: &str| format!("<Tagging><TagSet>{tags}</TagSet></Tagging>");
    let tag = |key: &str, value: &str| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>");
    for (subresource, document, code) in [
        (
            "versioning",
            "<VersioningConfiguration><Status>enabled</Status></VersioningConfiguration>".to_owned(),
            "MalformedXML",
        ),
        ("versioning", "<VersioningConfiguration/>".to_owned(), "IllegalVersioningConfigurationException"),
        ("encryption", encryption(""), "MalformedXML"),
        ("encryption", encryption(&rule("AES256", "").repeat(2)), "MalformedXML"),
        ("encryption", encryption(&rule("DES", "")), "MalformedXML"),
        ("encryption", encryption(&rule("AES256", "<KMSMasterKeyID>k</KMSMasterKeyID>")), "InvalidArgument"),
        ("ownershipControls", owned(&["BucketOwnerPreferred", "ObjectWriter"]), "MalformedXML"),
        ("ownershipControls", owned(&["Nobody"]), "MalformedXML"),
        ("tagging", tags("<Tag><Key>a</Key></Tag>"), "MalformedXML"),
        ("tagging", tags(&tag("a", "1").repeat(2)), "InvalidTag"),
        ("tagging", tags(&tag("a,b", "1")), "InvalidTag"),
        ("tagging", tags(&tag("aws:a", "1")), "InvalidTag"),
        ("policy", "text".to_owned(), "MalformedPolicy"),
    ] {
        let refused = local.s3("PUT", &format!("/bucket?{subresource}"), &document).await;
        assert_eq!(refused.error(), (400, code.to_owned()), "{subresource} {document}");
    }
    assert_eq!(local.s3("PUT", "/none?versioning", "").await.error().1, "NoSuchBucket", "that comes first");
    assert_eq!(local.s3("PUT", "/bucket?tagging", &tags(&tag("a", "1"))).await.status, 204);
    local.s3("PUT", "/bucket?tagging", &tags("")).await.ok();
    assert_eq!(local.s3("GET", "/bucket?tagging", "").await.error().1, "NoSuchTagSet");

    local.s3("PUT", "/bucket?publicAccessBlock", "<PublicAccessBlockConfiguration><BlockPublicAcls>TRUE</BlockPublicAcls></PublicAccessBlockConfiguration>").await.ok();
    let block = local.s3("GET", "/bucket?publicAccessBlock", "").await.ok();
    assert_eq!(
        (block.first("BlockPublicAcls"), block.first("RestrictPublicBuckets")),
        ("true".into(), "false".into())
    );
    for (subresource, code) in [
        ("ownershipControls", "OwnershipControlsNotFoundError"),
        ("publicAccessBlock", "NoSuchPublicAccessBlockConfiguration"),
    ] {
        let path = format!("/bucket?{subresource}");
        local.s3("DELETE", &path, "").await.ok();
        assert_eq!(local.s3("GET", &path, "").await.error(), (404, code.to_owned()));
    }
    let lifecycle = "<LifecycleConfiguration><Rule/></LifecycleConfiguration>";
    let minimum = "x-amz-transition-default-minimum-object-size";
    let put = |value: &str| {
        local.call("s3", "PUT", "/bucket?lifecycle").header(minimum, value).body(lifecycle).send()
    };
    assert_eq!(put("value").await.error().1, "InvalidRequest");
    put("varies_by_storage_class").await.ok();
    assert_eq!(
        local.s3("GET", "/bucket?lifecycle", "").await.ok().header(minimum),
        Some("varies_by_storage_class")
    );
    let put = local.s3("PUT", "/bucket?lifecycle", lifecycle).await.ok();
    assert_eq!(put.header(minimum), Some("all_storage_classes_128K"));
}

#[tokio::test]
async fn a_bucket_s_owner_may_be_expected() {
    let local = bucket().await;
    let ask =
        |owner: &str| local.call("s3", "GET", "/bucket").header("x-amz-expected-bucket-owner", owner).send();
    ask("000000000000").await.ok();
    assert_eq!(ask("111111111111").await.error(), (403, "AccessDenied".to_owned()));
    let invalid = ask("0000").await;
    assert_eq!(invalid.error(), (400, "InvalidBucketOwnerAWSAccountID".to_owned()));
    let message = "The value of the expected bucket owner parameter must be an AWS Account ID... [0000]";
    assert_eq!(invalid.first("Message"), message);
}
