//! `AWS::S3::Bucket` and `AWS::S3::BucketPolicy`.

use serde_json::{Map, Value, json};

use super::schema::{Naming, Property, Schema, Shape, TAGS};
use super::site::tag_list;
use super::{Actual, Answer, Attributes, Failure, Handler, Site};
use crate::Service::S3;
use crate::protocol::xml_in::Element;

static BUCKET: Schema = Schema {
    kind: "AWS::S3::Bucket",
    properties: &[
        Property::new("AccessControl", Shape::Text),
        Property::new("BucketEncryption", Shape::Any),
        Property::new("BucketName", Shape::Text).replaces(),
        Property::new("LifecycleConfiguration", Shape::Any),
        Property::new("OwnershipControls", Shape::Any),
        Property::new(
            "PublicAccessBlockConfiguration",
            Shape::Object(&[
                Property::new("BlockPublicAcls", Shape::Boolean),
                Property::new("BlockPublicPolicy", Shape::Boolean),
                Property::new("IgnorePublicAcls", Shape::Boolean),
                Property::new("RestrictPublicBuckets", Shape::Boolean),
            ]),
        ),
        Property::new("Tags", TAGS),
        Property::new(
            "VersioningConfiguration",
            Shape::Object(&[Property::new("Status", Shape::Text).required()]),
        ),
    ],
    attributes: &["Arn", "DomainName", "DualStackDomainName", "RegionalDomainName"],
    named: Some("BucketName"),
    naming: Naming::StackLower(63),
    taggable: true,
};

/// A part of a bucket's configuration: its property, the calls that put it and take it away, and the request's member.
struct Part {
    property: &'static str,
    put: &'static str,
    delete: Option<&'static str>,
    member: &'static str,
    convert: fn(&Value) -> Value,
    get: &'static str,
    read: fn(&Element) -> Value,
}

const PARTS: [Part; 5] = [
    Part {
        property: "BucketEncryption",
        put: "PutBucketEncryption",
        delete: Some("DeleteBucketEncryption"),
        get: "GetBucketEncryption",
        read: |document| {
            let rules = document.children_named("Rule").map(|rule| {
                let by_default = rule.children_named("ApplyServerSideEncryptionByDefault").next();
                let by_default = by_default.map(|e| texts(e, &["KMSMasterKeyID", "SSEAlgorithm"]));
                let mut rule = texts(rule, &["BucketKeyEnabled"]);
                rule.extend(by_default.map(|d| ("ServerSideEncryptionByDefault".to_owned(), d.into())));
                Value::from(rule)
            });
            json!({"ServerSideEncryptionConfiguration": rules.collect::<Vec<_>>()})
        },
        member: "ServerSideEncryptionConfiguration",
        convert: |value| {
            let rules =
                value["ServerSideEncryptionConfiguration"].as_array().into_iter().flatten().map(|rule| {
                    let mut rule = rule.clone();
                    if let Some(by_default) = rule.get_mut("ServerSideEncryptionByDefault") {
                        let renamed = by_default["SSEAlgorithm"].clone();
                        *by_default = match by_default.get("KMSMasterKeyID") {
                            Some(key) => json!({"SSEAlgorithm": renamed, "KMSMasterKeyID": key}),
                            None => json!({"SSEAlgorithm": renamed}),
                        };
                        let defaults = by_default.clone();
                        rule["ApplyServerSideEncryptionByDefault"] = defaults;
                    }
                    if let Some(members) = rule.as_object_mut() {
                        members.remove("ServerSideEncryptionByDefault");
                    }
                    rule
                });
            json!({"Rules": rules.collect::<Vec<_>>()})
        },
    },
    Part {
        property: "LifecycleConfiguration",
        put: "PutBucketLifecycleConfiguration",
        delete: Some("DeleteBucketLifecycle"),
        get: "GetBucketLifecycleConfiguration",
        read: |document| json!({"Rules": document.children_named("Rule").map(rule_read).collect::<Vec<_>>()}),
        member: "LifecycleConfiguration",
        convert: |value| {
            let rules = value["Rules"].as_array().into_iter().flatten().map(lifecycle_rule);
            json!({"Rules": rules.collect::<Vec<_>>()})
        },
    },
    Part {
        property: "OwnershipControls",
        put: "PutBucketOwnershipControls",
        delete: Some("DeleteBucketOwnershipControls"),
        get: "GetBucketOwnershipControls",
        read: |document| {
            let rules =
                document.children_named("Rule").map(|rule| Value::from(texts(rule, &["ObjectOwnership"])));
            json!({"Rules": rules.collect::<Vec<_>>()})
        },
        member: "OwnershipControls",
        convert: Value::clone,
    },
    Part {
        property: "PublicAccessBlockConfiguration",
        put: "PutPublicAccessBlock",
        delete: Some("DeletePublicAccessBlock"),
        get: "GetPublicAccessBlock",
        read: |document| {
            let settings =
                ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"];
            texts(document, &settings).into()
        },
        member: "PublicAccessBlockConfiguration",
        convert: Value::clone,
    },
    Part {
        property: "VersioningConfiguration",
        put: "PutBucketVersioning",
        get: "GetBucketVersioning",
        read: |document| texts(document, &["Status"]).into(),
        delete: None,
        member: "VersioningConfiguration",
        convert: Value::clone,
    },
];

/// The texts of an element's children, where they are.
fn texts(element: &Element, names: &[&str]) -> Map<String, Value> {
    let text = |name: &&str| Some(((*name).to_owned(), Value::from(element.child_text(name)?.trim())));
    names.iter().filter_map(text).collect()
}

/// A lifecycle rule in the template's words.
fn rule_read(rule: &Element) -> Value {
    let mut read = texts(rule, &["Status"]);
    let renamed = |element: &Element, from: &str, to: &str| {
        element.child_text(from).map(|text| (to.to_owned(), Value::from(text.trim())))
    };
    read.extend(renamed(rule, "ID", "Id"));
    read.extend(rule.children_named("Filter").find_map(|filter| renamed(filter, "Prefix", "Prefix")));
    for expiration in rule.children_named("Expiration") {
        read.extend(renamed(expiration, "Days", "ExpirationInDays"));
        read.extend(renamed(expiration, "Date", "ExpirationDate"));
        read.extend(renamed(expiration, "ExpiredObjectDeleteMarker", "ExpiredObjectDeleteMarker"));
    }
    for expiration in rule.children_named("NoncurrentVersionExpiration") {
        read.extend(renamed(expiration, "NoncurrentDays", "NoncurrentVersionExpirationInDays"));
        let days = texts(expiration, &["NoncurrentDays", "NewerNoncurrentVersions"]);
        read.insert("NoncurrentVersionExpiration".to_owned(), days.into());
    }
    for abort in rule.children_named("AbortIncompleteMultipartUpload") {
        let days = texts(abort, &["DaysAfterInitiation"]);
        read.insert("AbortIncompleteMultipartUpload".to_owned(), days.into());
    }
    let transitions = rule.children_named("Transition").map(|transition| {
        let mut read = texts(transition, &["StorageClass"]);
        read.extend(renamed(transition, "Days", "TransitionInDays"));
        Value::from(read)
    });
    let transitions: Vec<Value> = transitions.collect();
    if !transitions.is_empty() {
        read.insert("Transitions".to_owned(), transitions.into());
    }
    read.into()
}

/// A lifecycle rule in the API's words.
fn lifecycle_rule(rule: &Value) -> Value {
    let mut out = super::site::members(
        rule,
        &["AbortIncompleteMultipartUpload", "Id=ID", "NoncurrentVersionExpiration", "Status", "Transitions"],
    );
    out.insert("Filter".into(), json!({"Prefix": rule["Prefix"].as_str().unwrap_or_default()}));
    let expiration = super::site::members(
        rule,
        &["ExpirationInDays=Days", "ExpirationDate=Date", "ExpiredObjectDeleteMarker"],
    );
    if !expiration.is_empty() {
        out.insert("Expiration".into(), expiration.into());
    }
    if let Some(days) = rule.get("NoncurrentVersionExpirationInDays") {
        out.insert("NoncurrentVersionExpiration".into(), json!({"NoncurrentDays": days}));
    }
    out.into()
}

/// `AWS::S3::Bucket`.
pub struct Bucket;

impl Bucket {
    /// A configuration as it is; nothing where there is none.
    async fn document(site: &Site, get: &'static str, id: &str) -> Result<Option<String>, Failure> {
        let answer = site.find(S3, get, json!({"Bucket": id})).await?;
        Ok(answer.and_then(|answer| answer["Document"].as_str().map(str::to_owned)))
    }

    async fn configure(site: &Site, id: &str, before: &Value, after: &Value) -> Result<(), Failure> {
        // What every bucket is, whose objects' owner is the bucket's.
        if after.get("AccessControl").is_some_and(|acl| acl != "Private") {
            let message =
                "The bucket does not allow ACLs: AccessControl can only be Private at the local endpoint";
            return Err(Failure::invalid(message));
        }
        for part in PARTS {
            if let Some(value) = after.get(part.property) {
                let input = json!({"Bucket": id, part.member: (part.convert)(value)});
                site.call(S3, part.put, input).await?;
            } else if before.get(part.property).is_some() {
                match part.delete {
                    Some(delete) => {
                        site.find(S3, delete, json!({"Bucket": id})).await?;
                    }
                    // A bucket that had versions cannot go back further than this.
                    None => {
                        let input = json!({"Bucket": id, part.member: {"Status": "Suspended"}});
                        site.call(S3, part.put, input).await?;
                    }
                }
            }
        }
        let input = json!({"Bucket": id, "Tagging": {"TagSet": site.tag_list(after)}});
        site.call(S3, "PutBucketTagging", input).await.map(|_| ())
    }
}

impl Handler for Bucket {
    fn schema(&self) -> &'static Schema {
        &BUCKET
    }

    fn read<'a>(&'a self, site: &'a Site, id: &'a str, _: &'a Value) -> Answer<'a, Attributes> {
        Box::pin(async move {
            let found = site.find(S3, "HeadBucket", json!({"Bucket": id})).await?;
            let region = &site.aws.settings.region;
            let attributes = [
                ("Arn", format!("arn:aws:s3:::{id}")),
                ("DomainName", format!("{id}.s3.amazonaws.com")),
                ("DualStackDomainName", format!("{id}.s3.dualstack.{region}.amazonaws.com")),
                ("RegionalDomainName", format!("{id}.s3.{region}.amazonaws.com")),
            ];
            Ok(found.map(|_| {
                attributes.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
            }))
        })
    }

    fn create<'a>(&'a self, site: &'a Site, id: &'a str, properties: &'a Value) -> Answer<'a, String> {
        Box::pin(async move {
            // CreateBucket itself is content with a bucket that is there.
            if site.find(S3, "HeadBucket", json!({"Bucket": id})).await?.is_some() {
                return Err(Failure { message: format!("{id} already exists"), code: "AlreadyExists" });
            }
            let region = &site.aws.settings.region;
            let input = if region == "us-east-1" {
                json!({"Bucket": id})
            } else {
                json!({"Bucket": id, "CreateBucketConfiguration": {"LocationConstraint": region}})
            };
            site.call(S3, "CreateBucket", input).await?;
            Self::configure(site, id, &Value::Null, properties).await?;
            Ok(id.to_owned())
        })
    }

    fn update<'a>(&'a self, site: &'a Site, id: &'a str, before: &'a Value, after: &'a Value) -> Answer<'a> {
        Box::pin(Self::configure(site, id, before, after))
    }

    fn actual<'a>(&'a self, site: &'a Site, id: &'a str, stated: &'a Value) -> Answer<'a, Actual> {
        Box::pin(async move {
            if site.find(S3, "HeadBucket", json!({"Bucket": id})).await?.is_none() {
                return Ok(Actual::Deleted);
            }
            let parsed = |text: String| Element::parse(&text).unwrap_or_default();
            let mut properties = Map::from_iter([("BucketName".to_owned(), Value::from(id))]);
            for part in PARTS.iter().filter(|part| stated.get(part.property).is_some()) {
                if let Some(document) = Self::document(site, part.get, id).await? {
                    properties.insert(part.property.to_owned(), (part.read)(&parsed(document)));
                }
            }
            if stated.get("Tags").is_some()
                && let Some(document) = Self::document(site, "GetBucketTagging", id).await?
            {
                let document = parsed(document);
                let tags = document.children_named("TagSet").flat_map(|set| set.children_named("Tag"));
                let tags = tags.map(|tag| Value::from(texts(tag, &["Key", "Value"])));
                properties.insert("Tags".to_owned(), tag_list(&tags.collect()));
            }
            let readable = &[
                "BucketEncryption",
                "BucketName",
                "LifecycleConfiguration",
                "OwnershipControls",
                "PublicAccessBlockConfiguration",
                "Tags",
                "VersioningConfiguration",
            ];
            Ok(Actual::Has { properties, readable })
        })
    }

    fn delete<'a>(&'a self, site: &'a Site, id: &'a str, _: &'a Value) -> Answer<'a> {
        Box::pin(async move { site.find(S3, "DeleteBucket", json!({"Bucket": id})).await.map(|_| ()) })
    }
}

static POLICY: Schema = Schema {
    kind: "AWS::S3::BucketPolicy",
    properties: &[
        Property::new("Bucket", Shape::Text).required().replaces(),
        Property::new("PolicyDocument", Shape::Document).required(),
    ],
    attributes: &[],
    named: Some("Bucket"),
    naming: Naming::Stack(63),
    taggable: false,
};

/// `AWS::S3::BucketPolicy`. Its physical id is the bucket's name.
pub struct Policy;

impl Policy {
    async fn put(site: &Site, id: &str, properties: &Value) -> Result<(), Failure> {
        let input = json!({"Bucket": id, "Policy": properties["PolicyDocument"].to_string()});
        site.call(S3, "PutBucketPolicy", input).await.map(|_| ())
    }
}

impl Handler for Policy {
    fn schema(&self) -> &'static Schema {
        &POLICY
    }

    fn read<'a>(&'a self, site: &'a Site, id: &'a str, _: &'a Value) -> Answer<'a, Attributes> {
        Box::pin(async move {
            Ok(site.find(S3, "GetBucketPolicy", json!({"Bucket": id})).await?.map(|_| Map::new()))
        })
    }

    fn create<'a>(&'a self, site: &'a Site, id: &'a str, properties: &'a Value) -> Answer<'a, String> {
        Box::pin(async move {
            Self::put(site, id, properties).await?;
            Ok(id.to_owned())
        })
    }

    fn update<'a>(&'a self, site: &'a Site, id: &'a str, _: &'a Value, after: &'a Value) -> Answer<'a> {
        Box::pin(Self::put(site, id, after))
    }

    fn actual<'a>(&'a self, site: &'a Site, id: &'a str, _: &'a Value) -> Answer<'a, Actual> {
        Box::pin(async move {
            let Some(text) = Bucket::document(site, "GetBucketPolicy", id).await? else {
                return Ok(Actual::Deleted);
            };
            let document = serde_json::from_str(&text).unwrap_or_default();
            let properties = Map::from_iter([
                ("Bucket".to_owned(), Value::from(id)),
                ("PolicyDocument".to_owned(), document),
            ]);
            Ok(Actual::Has { properties, readable: &["Bucket", "PolicyDocument"] })
        })
    }

    fn delete<'a>(&'a self, site: &'a Site, id: &'a str, _: &'a Value) -> Answer<'a> {
        Box::pin(async move { site.find(S3, "DeleteBucketPolicy", json!({"Bucket": id})).await.map(|_| ()) })
    }
}
