//! The layers of a function on this machine: published when their content is new.

use anyhow::Context as _;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::LayerVersionContentInput;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::package::LayerPackage;
use crate::aws::Aws;
use crate::call::Call;
use crate::events::Events;

/// The ARNs of the versions with these layers' content, in their order; what no version has is published.
///
/// # Errors
/// What Lambda refused.
pub(super) async fn put(aws: &Aws, layers: &[LayerPackage], events: &Events) -> anyhow::Result<Vec<String>> {
    let mut arns = Vec::new();
    for layer in layers {
        let arn = match published(aws, layer).await? {
            Some(arn) => arn,
            None => publish(aws, layer, events).await?,
        };
        arns.push(arn);
    }
    Ok(arns)
}

/// The version with the layer's content.
async fn published(aws: &Aws, layer: &LayerPackage) -> anyhow::Result<Option<String>> {
    let name = &layer.name;
    let wanted = STANDARD.encode(Sha256::digest(&layer.zip));
    let mut versions = aws.lambda().list_layer_versions().layer_name(name).into_paginator().items().send();
    while let Some(version) = versions.next().await {
        let version = version
            .called("lambda:ListLayerVersions")
            .with_context(|| format!("listing the versions of the layer {name}"))?;
        let got = aws
            .lambda()
            .get_layer_version()
            .layer_name(name)
            .version_number(version.version())
            .send()
            .await
            .called("lambda:GetLayerVersion")
            .with_context(|| format!("looking up version {} of the layer {name}", version.version()))?;
        if got.content().and_then(|content| content.code_sha256()) == Some(wanted.as_str()) {
            return Ok(got.layer_version_arn().map(str::to_owned));
        }
    }
    Ok(None)
}

async fn publish(aws: &Aws, layer: &LayerPackage, events: &Events) -> anyhow::Result<String> {
    let name = &layer.name;
    events.started(format!("publishing the layer {name}"));
    let content = LayerVersionContentInput::builder().zip_file(Blob::new(layer.zip.clone())).build();
    let published = aws
        .lambda()
        .publish_layer_version()
        .layer_name(name)
        .content(content)
        .send()
        .await
        .called("lambda:PublishLayerVersion")
        .with_context(|| format!("publishing the layer {name}"))?;
    let arn = published.layer_version_arn().context("the layer version has no ARN")?;
    events.finished(format!("the layer {name} is published as version {}", published.version()));
    Ok(arn.to_owned())
}
