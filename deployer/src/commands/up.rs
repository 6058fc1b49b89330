//! `up`: build → template → assets → change set → what changes → confirmation → execution → outputs.

use anyhow::Context as _;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::outputs::Deployed;
use crate::app;
use crate::aws::Aws;
use crate::build::{self, Architecture, Asset, Flavour, Program};
use crate::context::Context;
use crate::deployment::bucket::Bucket;
use crate::deployment::change_set::{Proposal, Wanted};
use crate::deployment::drift::Drift;
use crate::deployment::page::{self, Page};
use crate::deployment::parameters::Parameters;
use crate::deployment::stack::{Condition, Stack};
use crate::deployment::{Deployment, protected};
use crate::deployment::{copies, fleets};
use crate::difference::Operation;
use crate::events::Event;
use crate::failure::{Advice, hinted};
use crate::outcome::Outcome;

/// A new stack's functions are for arm64 unless told otherwise: a fifth cheaper there.
pub const NEW_STACK: Flavour = Flavour::Lambda(Architecture::Arm64);

/// The resolved options of `up`, and of `preview` alike.
#[derive(Debug)]
pub struct Options {
    /// What the functions are built for; none for what they are on in the stack, [`NEW_STACK`] without one.
    pub flavour: Option<Flavour>,
    /// Tags; none leaves them as they are.
    pub tags: Option<Vec<(String, String)>>,
    /// The role that CloudFormation takes on.
    pub role_arn: Option<String>,
    /// The bucket for assets; none for our own.
    pub assets_bucket: Option<String>,
    /// The parameters that were given.
    pub parameters: Parameters,
    /// Whether the stack is to be protected against deletion; none leaves that as it is.
    pub protection: Option<bool>,
}

/// Deploys the stack, or brings it up to date.
///
/// # Errors
/// No terminal to confirm on; whatever stands in the way of the deployment, its first failure first.
pub async fn run(options: Options, context: &Context) -> anyhow::Result<Outcome> {
    context.can_confirm()?;
    let aws = context.aws().await?;
    let deployment = Deployment::new(aws, &context.settings.stack_name, &context.events);
    let stack = ready(&deployment, deployment.at_rest().await?, context).await?;
    let page = page::wanted(&options.parameters, stack.as_ref(), aws, &context.events).await?;
    copies::check(&options.parameters, stack.as_ref())?;
    let protection = options.protection;
    let (plan, drift) = tokio::join!(
        Plan::make(options, stack.as_ref(), context, &deployment, aws),
        drift(&deployment, stack.as_ref())
    );
    let plan = plan?;
    let drifted = drift.as_ref().is_some_and(|drift| !drift.is_none());
    if let Some(drift) = drift.as_ref().filter(|_| drifted) {
        context.events.warning(format!("changed outside CloudFormation: {}", drift.in_short()));
    }

    if let Some(stack) = stack.as_ref().filter(|_| !drifted)
        && deployment.is_up_to_date(stack, &plan.wanted).await?
    {
        if drift.is_none() {
            deployment.check_health(stack).await?;
        }
        deployment.protect(stack, protection).await?;
        publish(page.as_ref(), stack, aws, context).await?;
        return Outcome::new(&Deployed::new("unchanged", stack, aws.place()));
    }
    let plan = plan.with_assets(context, aws).await?;
    let mut stack = stack;
    let mut confirmed = false;
    if let Some(failed) = stack.take_if(|stack| stack.condition() == Condition::NeverCreated) {
        if failed.protected && protection != Some(false) {
            return Err(protected(&failed));
        }
        context.events.emit(Event::Changes(deployment.anew(&plan.wanted)?));
        if !context.confirm("Delete what is left and deploy again?").await? {
            return declined();
        }
        confirmed = true;
        deployment.protect(&failed, protection.filter(|protect| !protect)).await?;
        deployment.delete(&failed, plan.wanted.role_arn.as_deref()).await?;
    }
    context.events.started("asking CloudFormation what would change");
    let change_set = match deployment.propose(stack.as_ref(), &plan.wanted, drifted).await? {
        Proposal::Changes(change_set) => change_set,
        Proposal::Unchanged => {
            let stack = stack.context("the change set of a new stack is empty")?;
            deployment.check_health(&stack).await?;
            if drifted {
                context.events.warning("CloudFormation does not put right here what was changed outside it");
            }
            deployment.protect(&stack, protection).await?;
            publish(page.as_ref(), &stack, aws, context).await?;
            return Outcome::new(&Deployed::new("unchanged", &stack, aws.place()));
        }
    };
    if !confirmed {
        context.events.emit(Event::Changes(change_set.difference.clone()));
        for line in copies::explained(&plan.wanted.parameters, stack.as_ref()) {
            context.events.note(line);
        }
        let agreed = context.confirm("Deploy these changes?").await;
        if !matches!(agreed, Ok(true)) {
            deployment.withdraw(&change_set).await?;
            agreed?;
            return declined();
        }
    }
    let mut emptied = false;
    if let (Some(stack), None) = (&stack, &page)
        && let Some(bucket) = page::bucket(aws, stack, &context.events).await?
    {
        // CloudFormation deletes no bucket with anything in it.
        bucket.check().await?;
        emptied = bucket.empty().await?;
    }
    if let Some(stack) = stack.as_ref().filter(|stack| copies::ends(&plan.wanted.parameters, stack)) {
        copies::empty(aws, stack, &context.events).await?;
    }
    if let Some(stack) = stack.as_ref().filter(|stack| fleets::ends(&plan.wanted.parameters, stack)) {
        fleets::empty(aws, stack, &context.events).await?;
    }
    let executed = deployment.execute(&change_set).await;
    let stack = match executed {
        Err(error) if emptied => {
            Err(error).hint("the hosted page's bucket was emptied for this: `deployer up` fills it again")
        }
        executed => executed,
    }?;
    deployment.protect(&stack, protection).await?;
    publish(page.as_ref(), &stack, aws, context).await?;
    let change = if change_set.difference.operation == Operation::Update { "updated" } else { "created" };
    Outcome::new(&Deployed::new(change, &stack, aws.place()))
}

/// What of a stack that can be updated was changed outside CloudFormation; none where that is not known.
pub(super) async fn drift(deployment: &Deployment<'_>, stack: Option<&Stack>) -> Option<Drift> {
    let stack = stack.filter(|stack| stack.condition() == Condition::Ready)?;
    deployment.drift_if_told(stack).await
}

/// Brings the hosted page up to date, when there is to be one.
async fn publish(page: Option<&Page>, stack: &Stack, aws: &Aws, context: &Context) -> anyhow::Result<()> {
    let Some(page) = page else { return Ok(()) };
    let bucket = page::bucket(aws, stack, &context.events).await?;
    let bucket = bucket.with_context(|| format!("the stack {} has no bucket for the page", stack.name))?;
    bucket
        .publish(page)
        .await
        .hint("the stack is deployed, and chart links lead to a page that is not there yet: run it again")?;
    if aws.is_local()
        && let Some(host) = stack.outputs.get(app::PAGE_OUTPUT).and_then(|url| url.strip_prefix("https://"))
    {
        context.events.note(format!(
            "only this machine can see the page: `deployer local` answers for http://{}:4566/",
            host.trim_end_matches('/')
        ));
    }
    Ok(())
}

fn declined() -> anyhow::Result<Outcome> {
    Err(hinted(
        anyhow::anyhow!("declined; the stack is as it was"),
        "uploaded assets are kept: the next `deployer up` reuses them, and `deployer destroy` deletes them",
    ))
}

/// The stack in a state that can be worked with. What is stuck is freed, after asking, or explained.
async fn ready(
    deployment: &Deployment<'_>,
    stack: Option<Stack>,
    context: &Context,
) -> anyhow::Result<Option<Stack>> {
    let Some(stack) = stack else { return Ok(None) };
    match stack.condition() {
        Condition::DeleteStuck => Err(delete_stuck(&stack)),
        Condition::RollbackStuck => {
            let reason = stack.reason.as_deref().unwrap_or("no reason given");
            context.events.warning(format!(
                "an earlier update of {} failed, and so did its rollback ({}): {reason}",
                stack.name, stack.status
            ));
            if !context.confirm("Continue the rollback first?").await? {
                anyhow::bail!("declined; nothing was changed");
            }
            deployment.continue_rollback(&stack).await?;
            deployment.find().await
        }
        _ => Ok(Some(stack)),
    }
}

/// The failure of a stack that was to be deleted and is still there.
pub(super) fn delete_stuck(stack: &Stack) -> anyhow::Error {
    let reason = stack.reason.as_deref().unwrap_or("no reason given");
    hinted(
        anyhow::anyhow!("deleting the stack {} failed earlier ({}): {reason}", stack.name, stack.status),
        "remove what is in the way, then `deployer destroy`; after that it can be deployed again",
    )
}

/// What is to be deployed, and the asset it refers to.
pub(super) struct Plan {
    /// The stack to be.
    pub(super) wanted: Wanted,
    asset: Asset,
    key: String,
    bucket: Option<String>,
}

impl Plan {
    /// Builds the functions, or finds them built, and writes the template for them. Nothing is uploaded yet.
    pub(super) async fn make(
        options: Options,
        stack: Option<&Stack>,
        context: &Context,
        deployment: &Deployment<'_>,
        aws: &Aws,
    ) -> anyhow::Result<Self> {
        let Options { flavour, tags, role_arn, assets_bucket, parameters, protection: _ } = options;
        let flavour = match flavour {
            Some(flavour) => flavour,
            None => deployed_flavour(stack, deployment).await?.unwrap_or(NEW_STACK),
        };
        let asset = build::asset(Program::Functions, flavour, &context.events).await?;
        let bucket = Bucket::new(aws, assets_bucket.as_deref(), &context.events);
        let place = constructs::Location::Bucket(bucket.name().into());
        let functions =
            constructs::Asset::zip(asset_name(&context.settings.stack_name), &asset.sha256, place);
        let key = functions.file_name();
        let stack = app::Stack { architecture: asset.architecture, functions };
        let template: Value = serde_json::from_str(&stack.synth()?.to_compact_json())?;
        let wanted = Wanted { template, parameters, tags, role_arn, template_url: None };
        Ok(Self { wanted, asset, key, bucket: assets_bucket })
    }

    /// The same with everything it refers to in its bucket.
    pub(super) async fn with_assets(mut self, context: &Context, aws: &Aws) -> anyhow::Result<Self> {
        let bucket = Bucket::new(aws, self.bucket.as_deref(), &context.events);
        bucket.ensure().await?;
        bucket.upload(&self.asset, &self.key).await?;
        if let Some(text) = self.wanted.too_long() {
            self.wanted.template_url = Some(upload_template(&bucket, &text, context, aws).await?);
        }
        Ok(self)
    }

    /// The same ready for a change set that will not be executed: nothing is uploaded but a template that is too long to be
    /// sent.
    pub(super) async fn for_preview(mut self, context: &Context, aws: &Aws) -> anyhow::Result<Self> {
        if let Some(text) = self.wanted.too_long() {
            let bucket = Bucket::new(aws, self.bucket.as_deref(), &context.events);
            bucket
                .ensure()
                .await
                .hint("the template is too long to be sent, so `preview` needs the bucket, too")?;
            self.wanted.template_url = Some(upload_template(&bucket, &text, context, aws).await?);
        }
        Ok(self)
    }
}

/// What the functions of a stack are built for, as a parameter that is not given keeps its value.
async fn deployed_flavour(
    stack: Option<&Stack>,
    deployment: &Deployment<'_>,
) -> anyhow::Result<Option<Flavour>> {
    let Some(stack) = stack.filter(|stack| stack.condition() == Condition::Ready) else { return Ok(None) };
    let template = deployment.template(stack).await?;
    Ok(template.as_ref().and_then(app::deployed_architecture).map(Flavour::Lambda))
}

async fn upload_template(
    bucket: &Bucket<'_>,
    text: &str,
    context: &Context,
    aws: &Aws,
) -> anyhow::Result<String> {
    let hash = hex::encode(Sha256::digest(text));
    let key = format!("{}/template-{hash}.json", context.settings.stack_name);
    bucket.upload_text(&key, text).await?;
    let place = aws.place();
    Ok(match aws.s3_endpoint() {
        Some(endpoint) => format!("{}/{}/{key}", endpoint.trim_end_matches('/'), bucket.name()),
        None if place.region.starts_with("cn-") => {
            format!("https://{}.s3.{}.amazonaws.com.cn/{key}", bucket.name(), place.region)
        }
        None => format!("https://{}.s3.{}.amazonaws.com/{key}", bucket.name(), place.region),
    })
}

/// Assets lie in a folder per stack, so that deleting a stack cannot take away another one's.
pub(super) fn asset_name(stack_name: &str) -> String {
    format!("{stack_name}/{}", Program::Functions.name())
}

/// Whether a key in the bucket is one that deploying this stack has put there.
pub(super) fn is_asset_of(stack_name: &str, key: &str) -> bool {
    let Some(file) = key.strip_prefix(stack_name).and_then(|rest| rest.strip_prefix('/')) else {
        return false;
    };
    let hash = file
        .strip_prefix("functions-")
        .and_then(|rest| rest.strip_suffix(".zip"))
        .or_else(|| file.strip_prefix("template-").and_then(|rest| rest.strip_suffix(".json")));
    hash.is_some_and(|hash| hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_template_that_is_too_long_to_be_sent_goes_through_the_bucket() {
        let folder = tempfile::tempdir().unwrap();
        let settings = crate::settings::Settings {
            target: crate::settings::Target::Local {
                state: folder.path().to_owned(),
                region: "us-east-1".to_owned(),
                cpu_share: None,
                disturbed: local_aws::lambda::Disturbed::Ignore,
            },
            stack_name: "long".to_owned(),
            same_place: String::new(),
            yes: true,
            output: crate::settings::Output {
                json: false,
                color: false,
                verbosity: crate::settings::Verbosity::Quiet,
            },
        };
        let context = Context::new(settings);
        let aws = context.aws().await.unwrap();
        let template = serde_json::json!({ "Resources": { "group": {
            "Type": "AWS::Logs::LogGroup", "Metadata": { "padding": "x".repeat(60_000) },
        }}});
        let mut wanted = Wanted {
            template,
            parameters: Parameters::default(),
            tags: None,
            role_arn: None,
            template_url: None,
        };
        let text = wanted.too_long().unwrap();
        let bucket = Bucket::new(aws, None, &context.events);
        bucket.ensure().await.unwrap();
        wanted.template_url = Some(upload_template(&bucket, &text, &context, aws).await.unwrap());
        let deployment = Deployment::new(aws, "long", &context.events);
        let Proposal::Changes(change_set) = deployment.propose(None, &wanted, false).await.unwrap() else {
            panic!("a new stack is a change")
        };
        let stack = deployment.execute(&change_set).await.unwrap();
        assert_eq!(stack.status, "CREATE_COMPLETE");
        assert!(deployment.is_up_to_date(&stack, &wanted).await.unwrap());
        assert_eq!(upload_template(&bucket, &text, &context, aws).await.ok(), wanted.template_url);
        context.close().await;
    }

    #[test]
    fn only_what_we_uploaded_for_this_stack_is_ours() {
        let hash = "a".repeat(64);
        assert!(is_asset_of("s", &format!("s/functions-{hash}.zip")));
        assert!(is_asset_of("s", &format!("s/template-{hash}.json")));
        for other in [
            format!("other/functions-{hash}.zip"),
            format!("s2/functions-{hash}.zip"),
            format!("functions-{hash}.zip"),
            "s/functions-1.zip".to_owned(),
            format!("s/mine-{hash}.zip"),
            format!("s/functions-{hash}.zip/x"),
        ] {
            assert!(!is_asset_of("s", &other), "{other}");
        }
    }
}
