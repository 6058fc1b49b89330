//! CloudFront: a distribution of a private bucket's objects, and the control by which it reads them.

use super::s3::Bucket;
use crate::node::Node;
use crate::resource::{Handle, Properties, Resource};
use crate::value::{Arn, Val, pseudo};

/// AWS's policy for contents that say themselves how long they may be kept (`Managed-CachingOptimized`): at least one second,
/// compressed in transit.
const CACHING_OPTIMIZED: &str = "658327ea-f89d-4fab-a63d-7e88639e58f6";

/// AWS's policy that adds security headers (`Managed-SecurityHeadersPolicy`): HSTS, no sniffing of content types, frames of
/// the same origin only, a referrer of the origin only.
const SECURITY_HEADERS: &str = "67f7725c-6f97-4210-82d7-5512b31e9d03";

/// `AWS::CloudFront::OriginAccessControl`: requests to S3 are always signed.
#[derive(Debug, Clone)]
pub struct OriginAccessControl {
    /// Its name, unique in the account, at most 64 characters.
    pub name: Val<String>,
    /// What it is for; shown in the console.
    pub description: String,
}

impl Resource for OriginAccessControl {
    fn resource_type(&self) -> &str {
        "AWS::CloudFront::OriginAccessControl"
    }

    fn properties(&self) -> Properties {
        let config = Properties::new()
            .set("Name", &self.name)
            .set_node("Description", Node::text(self.description.as_str()))
            .set_node("OriginAccessControlOriginType", Node::text("s3"))
            .set_node("SigningBehavior", Node::text("always"))
            .set_node("SigningProtocol", Node::text("sigv4"));
        Properties::new().set_node("OriginAccessControlConfig", config.into_node())
    }
}

impl Handle<OriginAccessControl> {
    /// Its id.
    #[must_use]
    pub fn id_value(&self) -> Val<String> {
        self.attribute("Id")
    }
}

/// The edges that answer, which is what a distribution costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PriceClass {
    /// North America, Europe and Israel.
    Cheapest,
    /// All of them.
    All,
}

impl PriceClass {
    fn as_str(self) -> &'static str {
        match self {
            PriceClass::Cheapest => "PriceClass_100",
            PriceClass::All => "PriceClass_All",
        }
    }
}

/// `AWS::CloudFront::Distribution` of a bucket: over TLS only, under CloudFront's own host name, compressed, with AWS's security
/// headers, kept at the edges as long as the objects' `Cache-Control` says.
#[derive(Debug, Clone)]
pub struct Distribution {
    /// What it is for; shown in the console.
    pub comment: String,
    /// Where the objects are.
    pub origin: Handle<Bucket>,
    /// How it reads them.
    pub access_control: Handle<OriginAccessControl>,
    /// The object that answers for `/`.
    pub default_root_object: String,
    /// Which edges answer.
    pub price_class: PriceClass,
}

impl Resource for Distribution {
    fn resource_type(&self) -> &str {
        "AWS::CloudFront::Distribution"
    }

    fn properties(&self) -> Properties {
        const ORIGIN: &str = "bucket";
        let origin = Properties::new()
            .set_node("Id", Node::text(ORIGIN))
            .set("DomainName", &self.origin.regional_domain_name())
            .set("OriginAccessControlId", &self.access_control.id_value())
            // Required, and empty for those who come with an access control.
            .set_node("S3OriginConfig", Node::map([("OriginAccessIdentity", Node::text(""))]));
        let methods = || Node::List(vec![Node::text("GET"), Node::text("HEAD")]);
        let behavior = Properties::new()
            .set_node("TargetOriginId", Node::text(ORIGIN))
            .set_node("ViewerProtocolPolicy", Node::text("redirect-to-https"))
            .set_node("AllowedMethods", methods())
            .set_node("CachedMethods", methods())
            .set_node("Compress", Node::Bool(true))
            .set_node("CachePolicyId", Node::text(CACHING_OPTIMIZED))
            .set_node("ResponseHeadersPolicyId", Node::text(SECURITY_HEADERS));
        let config = Properties::new()
            .set_node("Comment", Node::text(self.comment.as_str()))
            .set_node("Enabled", Node::Bool(true))
            .set_node("DefaultRootObject", Node::text(self.default_root_object.as_str()))
            .set_node("HttpVersion", Node::text("http2and3"))
            .set_node("IPV6Enabled", Node::Bool(true))
            .set_node("PriceClass", Node::text(self.price_class.as_str()))
            .set_node("Origins", Node::List(vec![origin.into_node()]))
            .set_node("DefaultCacheBehavior", behavior.into_node());
        Properties::new().set_node("DistributionConfig", config.into_node())
    }

    fn problems(&self) -> Vec<String> {
        // The service's own limit, in characters.
        const LONGEST_COMMENT: usize = 128;
        let mut problems = Vec::new();
        if self.comment.chars().count() > LONGEST_COMMENT {
            problems.push(format!("the comment is longer than CloudFront's {LONGEST_COMMENT} characters"));
        }
        if self.default_root_object.starts_with('/') {
            problems.push(format!(
                "the default root object '{}' begins with a slash; CloudFront wants its key",
                self.default_root_object
            ));
        }
        problems
    }
}

impl Handle<Distribution> {
    /// Its host name.
    #[must_use]
    pub fn domain_name(&self) -> Val<String> {
        self.attribute("DomainName")
    }

    /// Its ARN, which CloudFront does not give: it has no region in it.
    #[must_use]
    pub fn arn(&self) -> Val<Arn> {
        let id: Val<String> = self.reference();
        crate::text!["arn:", pseudo::partition(), ":cloudfront::", pseudo::account_id(), ":distribution/", id]
    }
}
