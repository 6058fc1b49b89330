//! S3: a bucket that nobody but a CloudFront distribution reads.

use crate::grant::{Grant, policy_document};
use crate::node::Node;
use crate::resource::{Handle, Properties, Resource};
use crate::value::{Arn, Val};

/// `AWS::S3::Bucket`: private, encrypted, without ACLs, named by CloudFormation. There is no other kind here.
#[derive(Debug, Clone, Default)]
pub struct Bucket {
    /// After so many days objects are deleted, and what an interrupted upload has left; kept for ever when there is none.
    pub expire_after_days: Option<u32>,
}

impl Resource for Bucket {
    fn resource_type(&self) -> &str {
        "AWS::S3::Bucket"
    }

    fn properties(&self) -> Properties {
        let by_default = Node::map([("SSEAlgorithm", Node::text("AES256"))]);
        let rule = Node::map([("ServerSideEncryptionByDefault", by_default)]);
        let ownership = Node::map([("ObjectOwnership", Node::text("BucketOwnerEnforced"))]);
        let blocked =
            ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"].into_iter();
        let properties = Properties::new();
        let properties = match self.expire_after_days {
            Some(days) => properties.set_node("LifecycleConfiguration", expiration(days)),
            None => properties,
        };
        properties
            .set_node(
                "BucketEncryption",
                Node::map([("ServerSideEncryptionConfiguration", Node::List(vec![rule]))]),
            )
            .set_node("OwnershipControls", Node::map([("Rules", Node::List(vec![ownership]))]))
            .set_node(
                "PublicAccessBlockConfiguration",
                Node::map(blocked.map(|setting| (setting, Node::Bool(true)))),
            )
    }
}

fn expiration(days: u32) -> Node {
    let days = Node::Number(days.into());
    let rule = Node::map([
        ("Status", Node::text("Enabled")),
        ("ExpirationInDays", days.clone()),
        ("AbortIncompleteMultipartUpload", Node::map([("DaysAfterInitiation", days)])),
    ]);
    Node::map([("Rules", Node::List(vec![rule]))])
}

impl Handle<Bucket> {
    /// Leave to perform these actions, such as `s3:PutObject`, on its objects.
    #[must_use]
    pub fn grant_on_objects<const N: usize>(&self, actions: [&str; N]) -> Grant {
        Grant::new(actions, [crate::text![self.arn(), "/*"]])
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> Val<String> {
        self.reference()
    }

    /// Its ARN.
    #[must_use]
    pub fn arn(&self) -> Val<Arn> {
        self.attribute("Arn")
    }

    /// Its host name in its region, which CloudFront wants as an origin: the global one redirects for hours after a
    /// bucket was made.
    #[must_use]
    pub fn regional_domain_name(&self) -> Val<String> {
        self.attribute("RegionalDomainName")
    }
}

/// `AWS::S3::BucketPolicy`: one distribution may read objects, and nobody may come unencrypted.
#[derive(Debug, Clone)]
pub struct BucketPolicy {
    /// The bucket.
    pub bucket: Handle<Bucket>,
    /// The ARN of the distribution.
    pub distribution: Val<Arn>,
}

impl Resource for BucketPolicy {
    fn resource_type(&self) -> &str {
        "AWS::S3::BucketPolicy"
    }

    fn properties(&self) -> Properties {
        let test =
            |operator: &str, key: &str, value: Node| Node::map([(operator, Node::map([(key, value)]))]);
        let bucket = self.bucket.arn();
        let objects: Val<Arn> = crate::text![&bucket, "/*"];
        let read = Node::map([
            ("Effect", Node::text("Allow")),
            ("Principal", Node::map([("Service", Node::text("cloudfront.amazonaws.com"))])),
            ("Action", Node::text("s3:GetObject")),
            ("Resource", objects.node.clone()),
            ("Condition", test("StringEquals", "AWS:SourceArn", self.distribution.node.clone())),
        ]);
        let encrypted = Node::map([
            ("Effect", Node::text("Deny")),
            ("Principal", Node::text("*")),
            ("Action", Node::text("s3:*")),
            ("Resource", Node::List(vec![bucket.node, objects.node])),
            ("Condition", test("Bool", "aws:SecureTransport", Node::text("false"))),
        ]);
        Properties::new()
            .set("Bucket", &self.bucket.name())
            .set_node("PolicyDocument", policy_document(vec![read, encrypted]))
    }
}
