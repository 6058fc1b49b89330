//! Templates: getting them back, and looking at them before a stack exists.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{answers, change_sets, input};
use crate::cloudformation::error::{invalid, one_of};
use crate::params::Params;
use crate::{Aws, Caller, Result};
use template::{Template, parse};

/// `GetTemplate`.
pub fn get(aws: &Aws, params: Params<'_>) -> Result<Value> {
    one_of(params, "TemplateStage", &["Original", "Processed"])?;
    let body = if params.get("ChangeSetName").is_some() {
        change_sets::find(aws, params)?.1.wanted.template
    } else {
        input::stack(aws, params)?.wanted.template
    };
    Ok(json!({"TemplateBody": body, "StagesAvailable": ["Original", "Processed"]}))
}

async fn template(aws: &Arc<Aws>, caller: &Caller, params: Params<'_>) -> Result<Template> {
    let body = match input::template(aws, caller, params).await? {
        Some(body) => body,
        None if params.get("StackName").is_some() => input::stack(aws, params)?.wanted.template,
        None => return Err(invalid("Either Template URL or Template Body must be specified.")),
    };
    parse::parse(&body, aws.cloudformation.types()).map_err(invalid)
}

/// `ValidateTemplate`.
pub async fn validate(aws: &Arc<Aws>, caller: &Caller, params: Params<'_>) -> Result<Value> {
    let template = template(aws, caller, params).await?;
    let parameters: Value = template
        .parameters
        .iter()
        .map(|(key, p)| {
            answers::object(json!({
                "ParameterKey": key,
                "DefaultValue": p.default,
                "NoEcho": p.no_echo,
                "Description": p.description,
            }))
        })
        .collect();
    let mut answer = json!({
        "Parameters": parameters,
        "Description": template.description,
        "DeclaredTransforms": [],
    });
    capabilities(aws, &template, &mut answer);
    Ok(answers::object(answer))
}

/// `GetTemplateSummary`.
pub async fn summary(aws: &Arc<Aws>, caller: &Caller, params: Params<'_>) -> Result<Value> {
    let template = template(aws, caller, params).await?;
    let parameters: Value = template
        .parameters
        .iter()
        .map(|(key, p)| {
            let allowed = p.allowed_values.as_ref().map(|values| json!({"AllowedValues": values}));
            answers::object(json!({
                "ParameterKey": key,
                "ParameterType": p.kind,
                "DefaultValue": p.default,
                "NoEcho": p.no_echo,
                "Description": p.description,
                "ParameterConstraints": allowed.unwrap_or_else(|| json!({})),
            }))
        })
        .collect();
    let types: BTreeSet<&str> = template.resources.values().map(|r| r.kind.as_str()).collect();
    let mut answer = json!({
        "Parameters": parameters,
        "Description": template.description,
        "Metadata": template.metadata.as_ref().map(Value::to_string),
        "ResourceTypes": types,
        "Version": "2010-09-09",
        "DeclaredTransforms": [],
    });
    capabilities(aws, &template, &mut answer);
    Ok(answers::object(answer))
}

fn capabilities(aws: &Aws, template: &Template, answer: &mut Value) {
    let (needed, because) = template.capabilities(aws.cloudformation.types());
    answer["Capabilities"] = needed.into_iter().collect::<Vec<_>>().into();
    if needed.is_some() {
        let because: Vec<String> = because.into_iter().collect();
        let reason = format!("The following resource(s) require capabilities: [{}]", because.join(", "));
        answer["CapabilitiesReason"] = reason.into();
    }
}
