//! The chart page, hosted by the stack where `hostVisualization` is true: a private bucket that one CloudFront distribution
//! reads. What is in the bucket is not CloudFormation's business; [`crate::deployment::site`] fills and empties it.

use constructs::cloudfront::{Distribution, OriginAccessControl, PriceClass};
use constructs::s3::{Bucket, BucketPolicy};
use constructs::{Stack, Val, pseudo, text};

use super::parameters::Choices;
use super::{PAGE_BUCKET, PAGE_OUTPUT};

/// Adds the page's resources; the address that chart links lead to, hosted here or elsewhere.
pub(super) fn add(stack: &mut Stack, choices: &Choices) -> Val<String> {
    let hosted = &choices.host_visualization;
    let bucket = stack.add_if(hosted, PAGE_BUCKET, Bucket::default());
    let access_control = stack.add_if(
        hosted,
        "visualizationAccessControl",
        OriginAccessControl {
            // Unique in all regions of the account, and as short as it must be: the last part of the stack's id.
            name: text!["deployer-", pseudo::stack_id().split("/").select(2)],
            description: "deployer: the chart page's distribution reads its bucket".to_owned(),
        },
    );
    let distribution = stack.add_if(
        hosted,
        "visualizationDistribution",
        Distribution {
            comment: "deployer: the chart page of power tuning".to_owned(),
            origin: bucket.clone(),
            access_control,
            default_root_object: "index.html".to_owned(),
            price_class: PriceClass::Cheapest,
        },
    );
    stack.add_if(
        hosted,
        "visualizationBucketPolicy",
        BucketPolicy { bucket, distribution: distribution.arn() },
    );
    let url: Val<String> = text!["https://", distribution.domain_name(), "/"];
    stack.output_if(hosted, PAGE_OUTPUT, "The chart page", &url);
    Val::if_else(hosted, url, &choices.visualization_url)
}
