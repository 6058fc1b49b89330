//! What requests about stacks have in common: names, templates, parameters, tags, capabilities.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::cloudformation::error::{invalid, no_stack};
use crate::cloudformation::ledger;
use crate::cloudformation::records::{Stack, Wanted};
use crate::params::Params;
use crate::{ApiError, Aws, Caller, Result, ssm};
use template::eval::Pseudo;
use template::parameters::{Declaration, Given, resolve};
use template::{Template, parse, rules};

/// AWS's limits on a template's size, in bytes: in the request, and in S3.
const INLINE: usize = 51_200;
const IN_S3: usize = 1_000_000;

/// What a stack's name is, and a change set's.
pub const STACK_NAME: &str = "^[A-Za-z][A-Za-z0-9-]{0,127}$";

/// The stack that a request names.
///
/// # Errors
/// `ValidationError` when there is none.
pub fn stack(aws: &Aws, params: Params<'_>) -> Result<Stack> {
    let name = params.text("StackName")?;
    ledger::find(&aws.store, name).ok_or_else(|| no_stack(name))
}

/// A name for a new stack or change set.
///
/// # Errors
/// `ValidationError` when it is not a name.
pub fn name(params: Params<'_>, member: &str) -> Result<String> {
    let name = params.text(member)?;
    if regex_lite::Regex::new(STACK_NAME).is_ok_and(|pattern| pattern.is_match(name)) {
        return Ok(name.to_owned());
    }
    let mut small = member.to_owned();
    if let Some(first) = small.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    Err(invalid(format!(
        "1 validation error detected: Value '{name}' at '{small}' failed to satisfy constraint: Member must satisfy \
         regular expression pattern: [a-zA-Z][-a-zA-Z0-9]* and have at most 128 characters"
    )))
}

/// What changes how a stack is made on AWS and is not carried out here.
const REFUSED: [&str; 9] = [
    "NotificationARNs",
    "ResourceTypes",
    "RetainExceptOnCreate",
    "RollbackConfiguration",
    "StackPolicyBody",
    "StackPolicyDuringUpdateBody",
    "StackPolicyDuringUpdateURL",
    "StackPolicyURL",
    "TimeoutInMinutes",
];

/// The template given in the request, if any.
///
/// # Errors
/// `ValidationError` when it is too long or cannot be read from S3.
pub async fn template(aws: &Arc<Aws>, caller: &Caller, params: Params<'_>) -> Result<Option<String>> {
    match (params.optional_text("TemplateBody")?, params.optional_text("TemplateURL")?) {
        (Some(_), Some(_)) => {
            Err(invalid("Either Template URL or Template Body must be specified, but not both."))
        }
        (None, None) => Ok(None),
        (Some(body), None) if body.len() > INLINE => Err(invalid(format!(
            "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have length \
             less than or equal to {INLINE}; it has {}",
            body.len()
        ))),
        (Some(body), None) => Ok(Some(body.to_owned())),
        (None, Some(url)) => {
            let (bucket, key) = location(url).ok_or_else(|| {
                invalid(format!(
                    "TemplateURL must reference a valid S3 object to which you have access, not '{url}'."
                ))
            })?;
            let object = aws.s3.get_object(aws, caller, &bucket, &key).await.map_err(|e| {
                invalid(format!(
                    "S3 error: {} (bucket {bucket}, key {key})\nFor more information check \
                     http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html",
                    e.message
                ))
            })?;
            if object.body.len() > IN_S3 {
                return Err(invalid(format!("Template may not exceed {IN_S3} bytes in size.")));
            }
            String::from_utf8(object.body.to_vec())
                .map(Some)
                .map_err(|_| invalid("Template format error: the template is not UTF-8."))
        }
    }
}

/// Bucket and key of an S3 URL, AWS's or the local endpoint's, path-style or virtual-host-style.
fn location(url: &str) -> Option<(String, String)> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let (host, path) = rest.split('?').next()?.split_once('/')?;
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    let path = percent_decode_str(path).decode_utf8().ok()?;
    let path_style = host.starts_with("s3.")
        || host.starts_with("s3-")
        || host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok()
        || host.starts_with('[');
    let (bucket, key) = if path_style {
        let (bucket, key) = path.split_once('/')?;
        (bucket.to_owned(), key.to_owned())
    } else {
        let end = [".s3.", ".s3-", ".localhost"].iter().filter_map(|mark| host.find(mark)).min()?;
        (host[..end].to_owned(), path.into_owned())
    };
    (!bucket.is_empty() && !key.is_empty()).then_some((bucket, key))
}

/// What the request wants a stack to be, checked: template, parameters, capabilities, role.
///
/// # Errors
/// What AWS would answer.
pub async fn wanted(
    aws: &Arc<Aws>,
    caller: &Caller,
    params: Params<'_>,
    former: Option<&Wanted>,
) -> Result<(Wanted, Template)> {
    params.refuse(&REFUSED, "leave it out")?;
    let body = match (template(aws, caller, params).await?, params.flag("UsePreviousTemplate")?, former) {
        (Some(_), true, _) => {
            return Err(invalid(
                "You cannot specify both usePreviousTemplate and Template Body/Template URL.",
            ));
        }
        (Some(body), ..) => body,
        (None, true, Some(former)) => former.template.clone(),
        _ => return Err(invalid("Either Template URL or Template Body must be specified.")),
    };
    let template = parse::parse(&body, aws.cloudformation.types()).map_err(invalid)?;
    let none = BTreeMap::new();
    let previous = former.map_or(&none, |f| &f.parameters);
    let parameters = resolve(&template.parameters, &given(params)?, previous).map_err(invalid)?;
    let stored = stored(aws, caller, &template, &parameters)?;

    let capabilities: Vec<String> = params.texts("Capabilities")?.into_iter().map(str::to_owned).collect();
    for capability in &capabilities {
        if !["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
            .contains(&capability.as_str())
        {
            return Err(invalid(format!(
                "1 validation error detected: Value '[{capability}]' at 'capabilities' failed to satisfy constraint: \
                 Member must satisfy constraint: [Member must satisfy enum value set: [CAPABILITY_IAM, \
                 CAPABILITY_NAMED_IAM, CAPABILITY_AUTO_EXPAND]]"
            )));
        }
    }
    let (needed, _) = template.capabilities(aws.cloudformation.types());
    let has = |capability: &str| capabilities.iter().any(|c| c == capability);
    if let Some(needed) = needed.filter(|n| !has(n) && !has("CAPABILITY_NAMED_IAM")) {
        return Err(ApiError::new(
            400,
            "InsufficientCapabilitiesException",
            format!("Requires capabilities : [{needed}]"),
        ));
    }

    let role_arn = params.optional_text("RoleARN")?.filter(|r| !r.is_empty()).map(str::to_owned);
    if let Some(role) = &role_arn {
        passed(aws, caller, role)?;
    }
    let keep = |member: &str| params.get(member).is_none();
    let tags = match former {
        Some(former) if keep("Tags") => former.tags.clone(),
        _ => params.tags("Tags")?.into_iter().collect(),
    };
    if let Some(tag) = tags.keys().find(|key| key.starts_with("aws:")) {
        return Err(invalid(format!(
            "aws: prefixed tag key names are not allowed for external use, found '{tag}'."
        )));
    }
    let role_arn = role_arn.or_else(|| former.and_then(|f| f.role_arn.clone()));
    let wanted = Wanted { template: body, parameters, stored, tags, capabilities, role_arn };
    let pseudo = Pseudo {
        account: aws.settings.account.clone(),
        region: aws.settings.region.clone(),
        ..Pseudo::default()
    };
    rules::check(&template, &wanted.values(), &pseudo).map_err(invalid)?;
    Ok((wanted, template))
}

/// What the Parameter Store has for the parameters that name one of its own; it is asked anew for each operation.
fn stored(
    aws: &Arc<Aws>,
    caller: &Caller,
    template: &Template,
    parameters: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>> {
    let declared = |name: &String| template.parameters.get(name).filter(|d| d.names_stored());
    let named: Vec<(&String, &String)> =
        parameters.iter().filter(|(name, _)| declared(name).is_some()).collect();
    let names: BTreeSet<&String> = named.iter().map(|(_, stored)| *stored).collect();
    let mut found = BTreeMap::new();
    let mut missing = Vec::new();
    for names in names.into_iter().collect::<Vec<_>>().chunks(ssm::MOST_NAMES) {
        let answer = ssm::call(aws, caller, "GetParameters", &json!({"Names": names}))?;
        for parameter in answer["Parameters"].as_array().into_iter().flatten() {
            if let (Some(name), Some(value)) = (parameter["Name"].as_str(), parameter["Value"].as_str()) {
                found.insert(name.to_owned(), value.to_owned());
            }
        }
        missing.extend(
            answer["InvalidParameters"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned),
        );
    }
    if !missing.is_empty() {
        return Err(invalid(format!(
            "Unable to fetch parameters [{}] from parameter store for this account.",
            missing.join(",")
        )));
    }
    let values = named.into_iter().filter(|(name, _)| declared(name).is_some_and(Declaration::is_stored));
    Ok(values.filter_map(|(name, stored)| Some((name.clone(), found.get(stored)?.clone()))).collect())
}

/// Checks that CloudFormation may act as a role, and that the caller may have it do so.
///
/// # Errors
/// `ValidationError` when CloudFormation may not, an access denial for `iam:PassRole` when the caller may not.
pub fn passed(aws: &Aws, caller: &Caller, role: &str) -> Result<()> {
    const SERVICE: &str = "cloudformation.amazonaws.com";
    let context = [("iam:PassedToService", SERVICE)];
    aws.iam.authorize_with(aws, caller, "iam:PassRole", role, &context, None)?;
    if aws.iam.assumable(aws, role, SERVICE) {
        return Ok(());
    }
    Err(invalid(format!("Role {role} is invalid or cannot be assumed")))
}

fn given(params: Params<'_>) -> Result<BTreeMap<String, Given>> {
    let mut given = BTreeMap::new();
    for member in params.list("Parameters")? {
        let member = Params::new(member, crate::cloudformation::error::VALIDATION);
        let key = member.text("ParameterKey")?;
        let value = match (member.get("ParameterValue"), member.flag("UsePreviousValue")?) {
            (Some(_), true) => {
                return Err(invalid(format!(
                    "Invalid input for parameter key {key}. Cannot specify usePreviousValue as true and non empty value \
                     for a parameter"
                )));
            }
            (_, true) => Given::Previous,
            (value, false) => match value {
                Some(Value::String(text)) => Given::Value(text.clone()),
                Some(other @ (Value::Number(_) | Value::Bool(_))) => Given::Value(other.to_string()),
                Some(other) => {
                    return Err(invalid(format!(
                        "the value of the parameter {key} must be a string, not {other}"
                    )));
                }
                None => {
                    return Err(invalid(format!(
                        "Invalid input for parameter key {key}. Need to specify either \
                                                usePreviousValue as true or a value for a parameter"
                    )));
                }
            },
        };
        if given.insert(key.to_owned(), value).is_some() {
            return Err(invalid(format!("Parameter key {key} is given more than once")));
        }
    }
    Ok(given)
}

/// The client's token for the events of an operation.
///
/// # Errors
/// `ValidationError` when it is not a text.
pub fn token(params: Params<'_>) -> Result<Option<String>> {
    Ok(params.optional_text("ClientRequestToken")?.map(str::to_owned))
}
