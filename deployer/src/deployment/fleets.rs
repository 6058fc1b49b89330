//! The bucket for plans and results of fleets: emptied before CloudFormation deletes it.

use super::bucket::Bucket;
use super::page;
use super::parameters::Parameters;
use super::stack::Stack;
use crate::app::FLEETS_BUCKET;
use crate::aws::Aws;
use crate::events::Events;
use crate::options::FLEETS;

/// Below which plans are.
pub const PLANS: &str = "plans/";
/// Below which results are.
pub const RESULTS: &str = "results/";

/// Whether a deployment takes the bucket away.
#[must_use]
pub fn ends(parameters: &Parameters, deployed: &Stack) -> bool {
    let deployed = Some(&deployed.parameters);
    let there = |parameters: &Parameters| parameters.value(&FLEETS, deployed) == Some("true");
    there(&Parameters::default()) && !there(parameters)
}

/// Deletes plans and results.
///
/// # Errors
/// A permission that is missing.
pub async fn empty(aws: &Aws, stack: &Stack, events: &Events) -> anyhow::Result<()> {
    if let Some(name) = page::bucket_named(aws, stack, FLEETS_BUCKET).await? {
        let is_ours = |key: &str| key.starts_with(PLANS) || key.starts_with(RESULTS);
        Bucket::new(aws, Some(&name), events).clear("", is_ours).await?;
    }
    Ok(())
}
