//! `AWS::CloudFront::Distribution` and `AWS::CloudFront::OriginAccessControl`.

use serde_json::{Value, json};

use super::schema::{self, Naming, Property, Schema, Shape, TAGS};
use super::site::members;
use super::{Actual, Answer, Attributes, Failure, Handler, Site};
use crate::Service::CloudFront;

static DISTRIBUTION: Schema = Schema {
    kind: "AWS::CloudFront::Distribution",
    properties: &[
        Property::new(
            "DistributionConfig",
            Shape::Object(&[
                Property::new("Comment", Shape::Text),
                Property::new("DefaultCacheBehavior", BEHAVIOR).required(),
                Property::new("DefaultRootObject", Shape::Text),
                Property::new("Enabled", Shape::Boolean).required(),
                Property::new("HttpVersion", Shape::Text),
                Property::new("IPV6Enabled", Shape::Boolean),
                Property::new("Origins", Shape::List(&ORIGIN)),
                Property::new("PriceClass", Shape::Text),
                Property::new("WebACLId", Shape::Text),
            ]),
        )
        .required(),
        Property::new("Tags", TAGS),
    ],
    attributes: &["DomainName", "Id"],
    named: None,
    naming: Naming::Logical(14),
    taggable: true,
};

const BEHAVIOR: Shape = Shape::Object(&[
    Property::new("AllowedMethods", Shape::List(&Shape::Text)),
    Property::new("CachePolicyId", Shape::Text),
    Property::new("CachedMethods", Shape::List(&Shape::Text)),
    Property::new("Compress", Shape::Boolean),
    Property::new("ResponseHeadersPolicyId", Shape::Text),
    Property::new("TargetOriginId", Shape::Text).required(),
    Property::new("ViewerProtocolPolicy", Shape::Text).required(),
]);

const ORIGIN: Shape = Shape::Object(&[
    Property::new("DomainName", Shape::Text).required(),
    Property::new("Id", Shape::Text).required(),
    Property::new("OriginAccessControlId", Shape::Text),
    Property::new("OriginPath", Shape::Text),
    Property::new("S3OriginConfig", Shape::Object(&[Property::new("OriginAccessIdentity", Shape::Text)])),
]);

/// Ids as CloudFront makes them up, but following from the stack, the resource and the operation: who takes up a creation that
/// was interrupted comes to the same.
fn id(site: &Site) -> String {
    let random = schema::random(&format!("{}/{}/{}", site.stack_id, site.logical_id, site.generation));
    format!("E{}", random.to_ascii_uppercase())
}

/// `AWS::CloudFront::Distribution`.
pub struct Distribution;

/// The configuration of properties, as the handler passes it on: of origins it knows buckets only, and it checks that they say so.
fn config(properties: &Value) -> Result<&Value, Failure> {
    let config = &properties["DistributionConfig"];
    let origins = config["Origins"].as_array().into_iter().flatten();
    if origins.into_iter().any(|origin| origin.get("S3OriginConfig").is_none()) {
        let message = "Invalid request provided: Exactly one of CustomOriginConfig and S3OriginConfig must be specified";
        return Err(Failure::invalid(message));
    }
    Ok(config)
}

impl Handler for Distribution {
    fn schema(&self) -> &'static Schema {
        &DISTRIBUTION
    }

    fn candidate(&self, site: &Site, _: &Value) -> String {
        id(site)
    }

    fn read<'a>(&'a self, site: &'a Site, id: &'a str, _: &'a Value) -> Answer<'a, Attributes> {
        Box::pin(async move {
            let found = site.find(CloudFront, "GetDistribution", json!({"Id": id})).await?;
            Ok(found.map(|answer| members(&answer, &["DomainName", "Id"])))
        })
    }

    fn actual<'a>(&'a self, site: &'a Site, id: &'a str, _: &'a Value) -> Answer<'a, Actual> {
        Box::pin(async move {
            Ok(match site.find(CloudFront, "GetDistribution", json!({"Id": id})).await? {
                Some(found) => Actual::Has {
                    properties: members(&found, &["DistributionConfig"]),
                    readable: &["DistributionConfig"],
                },
                None => Actual::Deleted,
            })
        })
    }

    fn create<'a>(&'a self, site: &'a Site, id: &'a str, properties: &'a Value) -> Answer<'a, String> {
        Box::pin(async move {
            let config = config(properties)?;
            let tags = site.tag_list(properties);
            let input = json!({"CallerReference": id, "DistributionConfig": config, "Tags": tags});
            site.call(CloudFront, "CreateDistribution", input).await?;
            Ok(id.to_owned())
        })
    }

    fn update<'a>(&'a self, site: &'a Site, id: &'a str, _: &'a Value, after: &'a Value) -> Answer<'a> {
        Box::pin(async move {
            let config = config(after)?;
            let input = json!({"Id": id, "DistributionConfig": config, "Tags": site.tag_list(after)});
            site.call(CloudFront, "UpdateDistribution", input).await.map(|_| ())
        })
    }

    fn delete<'a>(&'a self, site: &'a Site, id: &'a str, _: &'a Value) -> Answer<'a> {
        Box::pin(async move {
            let Some(mut found) = site.find(CloudFront, "GetDistribution", json!({"Id": id})).await? else {
                return Ok(());
            };
            // Only what answers nobody may be deleted.
            let mut config = found["DistributionConfig"].take();
            config["Enabled"] = false.into();
            let input = json!({"Id": id, "DistributionConfig": config});
            site.find(CloudFront, "UpdateDistribution", input).await?;
            site.find(CloudFront, "DeleteDistribution", json!({"Id": id})).await.map(|_| ())
        })
    }
}

static CONTROL: Schema = Schema {
    kind: "AWS::CloudFront::OriginAccessControl",
    properties: &[Property::new(
        "OriginAccessControlConfig",
        Shape::Object(&[
            Property::new("Description", Shape::Text),
            Property::new("Name", Shape::Text).required(),
            Property::new("OriginAccessControlOriginType", Shape::Text).required(),
            Property::new("SigningBehavior", Shape::Text).required(),
            Property::new("SigningProtocol", Shape::Text).required(),
        ]),
    )
    .required()],
    attributes: &["Id"],
    named: None,
    naming: Naming::Logical(14),
    taggable: false,
};

/// `AWS::CloudFront::OriginAccessControl`.
pub struct OriginAccessControl;

impl Handler for OriginAccessControl {
    fn schema(&self) -> &'static Schema {
        &CONTROL
    }

    fn candidate(&self, site: &Site, _: &Value) -> String {
        id(site)
    }

    fn read<'a>(&'a self, site: &'a Site, id: &'a str, _: &'a Value) -> Answer<'a, Attributes> {
        Box::pin(async move {
            let found = site.find(CloudFront, "GetOriginAccessControl", json!({"Id": id})).await?;
            Ok(found.map(|answer| members(&answer, &["Id"])))
        })
    }

    fn actual<'a>(&'a self, site: &'a Site, id: &'a str, _: &'a Value) -> Answer<'a, Actual> {
        Box::pin(async move {
            Ok(match site.find(CloudFront, "GetOriginAccessControl", json!({"Id": id})).await? {
                Some(found) => Actual::Has {
                    properties: members(&found, &["OriginAccessControlConfig"]),
                    readable: &["OriginAccessControlConfig"],
                },
                None => Actual::Deleted,
            })
        })
    }

    fn create<'a>(&'a self, site: &'a Site, id: &'a str, properties: &'a Value) -> Answer<'a, String> {
        Box::pin(async move {
            let config = &properties["OriginAccessControlConfig"];
            let input = json!({"CallerReference": id, "OriginAccessControlConfig": config});
            site.call(CloudFront, "CreateOriginAccessControl", input).await?;
            Ok(id.to_owned())
        })
    }

    fn update<'a>(&'a self, site: &'a Site, id: &'a str, _: &'a Value, after: &'a Value) -> Answer<'a> {
        Box::pin(async move {
            let input = json!({"Id": id, "OriginAccessControlConfig": after["OriginAccessControlConfig"]});
            site.call(CloudFront, "UpdateOriginAccessControl", input).await.map(|_| ())
        })
    }

    fn delete<'a>(&'a self, site: &'a Site, id: &'a str, _: &'a Value) -> Answer<'a> {
        Box::pin(async move {
            site.find(CloudFront, "DeleteOriginAccessControl", json!({"Id": id})).await.map(|_| ())
        })
    }
}
