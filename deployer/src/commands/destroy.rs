//! `destroy`: deletes the stack and what was uploaded for it, and nothing else.

use std::collections::BTreeSet;
use std::fmt;

use anyhow::Context as _;
use serde::Serialize;

use super::up;
use crate::aws::Aws;
use crate::context::Context;
use crate::deployment::bucket::Bucket;
use crate::deployment::stack::Stack;
use crate::deployment::{Deployment, protected};
use crate::deployment::{copies, fleets, page};
use crate::difference::{Action, Difference, Operation, ResourceDifference};
use crate::events::Event;
use crate::outcome::Outcome;

/// What is gone. As JSON: `{"stack","deleted":bool,"assetsDeleted":n}`; `deleted` is false where there was no stack.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Destroyed {
    stack: String,
    deleted: bool,
    assets_deleted: usize,
}

impl fmt::Display for Destroyed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stack, deleted, assets_deleted } = self;
        if *deleted {
            write!(f, "The stack {stack} is deleted")?;
        } else {
            write!(f, "There is no stack {stack}")?;
        }
        match assets_deleted {
            0 => f.write_str("."),
            1 => f.write_str("; an uploaded asset is deleted as well."),
            n => write!(f, "; {n} uploaded assets are deleted as well."),
        }
    }
}

/// Shows what goes, asks, and deletes it.
///
/// # Errors
/// No terminal to confirm on; a stack that is protected; what could not be deleted.
pub async fn run(context: &Context) -> anyhow::Result<Outcome> {
    context.can_confirm()?;
    let aws = context.aws().await?;
    let name = &context.settings.stack_name;
    let deployment = Deployment::new(aws, name, &context.events);
    let stack = deployment.at_rest().await?;
    // Ours is always looked at: an interrupted `destroy` may have left assets in it.
    let mut buckets = BTreeSet::from([Bucket::new(aws, None, &context.events).name().to_owned()]);
    let mut deletion = None;
    if let Some(stack) = &stack {
        if stack.protected {
            return Err(protected(stack));
        }
        let resources = deployment.resources(stack).await.context("listing the stack's resources")?;
        let resources = resources.into_iter().map(|resource| ResourceDifference {
            action: Action::Remove,
            logical_id: resource.logical_id,
            resource_type: resource.kind,
            ..ResourceDifference::default()
        });
        buckets.extend(code_buckets(&deployment, stack, name).await?);
        let page = page::bucket(aws, stack, &context.events).await?;
        if let Some(page) = &page {
            page.check().await?;
        }
        context.events.emit(Event::Changes(Difference {
            stack: name.clone(),
            operation: Operation::Delete,
            resources: resources.collect(),
            ..Difference::default()
        }));
        context.confirm_by_name("Delete this stack?", name).await?;
        if let Some(page) = page {
            page.empty().await?;
        }
        copies::empty(aws, stack, &context.events).await?;
        fleets::empty(aws, stack, &context.events).await?;
        deletion = Some(deployment.start_deletion(stack, None).await?);
    }
    // While the stack goes: once it is gone, nothing says any more which bucket its assets are in.
    let cleared = clear(buckets, name, aws, context).await;
    if let Some(deletion) = deletion {
        deployment.finish_deletion(deletion).await?;
    }
    let assets_deleted = cleared?;
    Ok(Outcome::new(&Destroyed { stack: name.clone(), deleted: stack.is_some(), assets_deleted })?
        .folded(true))
}

/// Deletes the stack's assets and says how many they were.
async fn clear(buckets: BTreeSet<String>, name: &str, aws: &Aws, context: &Context) -> anyhow::Result<usize> {
    let mut deleted = 0;
    for bucket in buckets {
        let assets = Bucket::new(aws, Some(&bucket), &context.events);
        let count = assets.clear(&format!("{name}/"), |key| up::is_asset_of(name, key)).await?;
        if count > 0 {
            let s = if count == 1 { "" } else { "s" };
            context.events.finished(format!("deleted {count} uploaded asset{s} from {bucket}"));
        }
        deleted += count;
    }
    Ok(deleted)
}

/// The buckets that hold assets of ours, according to the deployed template: `up` may have been told to use another one.
async fn code_buckets(
    deployment: &Deployment<'_>,
    stack: &Stack,
    name: &str,
) -> anyhow::Result<BTreeSet<String>> {
    let template = deployment.template(stack).await?.unwrap_or_default();
    let resources = template["Resources"].as_object().into_iter().flatten();
    let codes = resources.map(|(_, resource)| &resource["Properties"]["Code"]);
    let ours = codes.filter(|code| code["S3Key"].as_str().is_some_and(|key| up::is_asset_of(name, key)));
    Ok(ours.filter_map(|code| code["S3Bucket"].as_str().map(str::to_owned)).collect())
}
