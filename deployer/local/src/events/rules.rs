//! Rules and their targets: the operations.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::pattern::Pattern;
use super::target::Target;
use super::{RULES, Rule};
use crate::params::Params;
use crate::{ApiError, Aws, Caller, Result};

/// AWS's quota of targets per rule.
const MOST_TARGETS: usize = 5;

/// Performs an operation, when it is one on rules.
pub fn call(aws: &Aws, caller: &Caller, operation: &str, params: Params<'_>) -> Option<Result<Value>> {
    Some(match operation {
        "PutRule" => put(aws, caller, params),
        "DescribeRule" => read(aws, caller, operation, params, "Name", |rule| {
            let mut described = describe(rule);
            described["CreatedBy"] = json!(aws.settings.account);
            Ok(described)
        }),
        "ListRules" => list(aws, caller, params),
        "EnableRule" | "DisableRule" => change(aws, caller, operation, params, "Name", |rule| {
            rule.enabled = operation == "EnableRule";
            Ok(json!({}))
        }),
        "DeleteRule" => delete(aws, caller, params),
        "PutTargets" => put_targets(aws, caller, params),
        "ListTargetsByRule" => read(aws, caller, operation, params, "Rule", |rule| {
            Ok(json!({"Targets": rule.targets.values().map(Target::describe).collect::<Vec<_>>()}))
        }),
        "RemoveTargets" => change(aws, caller, operation, params, "Rule", |rule| {
            let failed = |id: &str| {
                json!({
                    "TargetId": id,
                    "ErrorCode": "ResourceNotFoundException",
                    "ErrorMessage": "Target does not exist on rule.",
                })
            };
            let ids = params.texts("Ids")?;
            let entries: Vec<Value> =
                ids.into_iter().filter(|id| rule.targets.remove(*id).is_none()).map(failed).collect();
            Ok(json!({"FailedEntryCount": entries.len(), "FailedEntries": entries}))
        }),
        "TagResource" => change(aws, caller, operation, params, "ResourceARN", |rule| {
            rule.tags.extend(params.tags("Tags")?);
            Ok(json!({}))
        }),
        "UntagResource" => change(aws, caller, operation, params, "ResourceARN", |rule| {
            for key in params.texts("TagKeys")? {
                rule.tags.remove(key);
            }
            Ok(json!({}))
        }),
        "ListTagsForResource" => read(aws, caller, operation, params, "ResourceARN", |rule| {
            let tags = rule.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value}));
            Ok(json!({"Tags": tags.collect::<Vec<_>>()}))
        }),
        _ => return None,
    })
}

/// The pattern that was sent, when it is one.
fn pattern(params: Params<'_>) -> Result<Pattern> {
    let invalid = |why: String| {
        ApiError::new(
            400,
            "InvalidEventPatternException",
            format!("Event pattern is not valid. Reason: {why}"),
        )
    };
    Pattern::parse(&params.document("EventPattern").map_err(|e| invalid(e.message))?).map_err(invalid)
}

fn put(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
    let name = params.name("Name", 64, ".-_")?;
    let arn = arn(aws, name);
    aws.iam.authorize(aws, caller, "events:PutRule", &arn)?;
    default_bus(params)?;
    if params.optional_text("ScheduleExpression")?.is_some_and(|schedule| !schedule.is_empty()) {
        return Err(
            params.invalid("the local endpoint has no schedules: 'ScheduleExpression' must not be given")
        );
    }
    pattern(params)?;
    let enabled = match params.optional_text("State")? {
        None | Some("ENABLED") => true,
        Some("DISABLED") => false,
        Some(other) => {
            return Err(params.invalid(format!("'State' must be ENABLED or DISABLED, not \"{other}\"")));
        }
    };
    let pattern = params.document("EventPattern")?;
    let (description, role) = (params.optional_text("Description")?, params.optional_text("RoleArn")?);
    let tags = params.tags("Tags")?;
    aws.store.transaction(|records| {
        let old: Option<Rule> = records.get(RULES, name);
        let (old_tags, targets) = old.map(|rule| (rule.tags, rule.targets)).unwrap_or_default();
        let rule = Rule {
            name: name.to_owned(),
            arn: arn.clone(),
            pattern,
            enabled,
            description: description.map(str::to_owned),
            role: role.map(str::to_owned),
            // Tags are those of the first time; afterwards they have operations of their own.
            tags: if old_tags.is_empty() { tags.into_iter().collect() } else { old_tags },
            targets,
        };
        records.put(RULES, name, &rule);
    });
    Ok(json!({"RuleArn": arn}))
}

fn list(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
    aws.iam.authorize(aws, caller, "events:ListRules", &arn(aws, "*"))?;
    default_bus(params)?;
    let prefix = params.optional_text("NamePrefix")?.unwrap_or_default();
    let most = usize::try_from(params.number("Limit", 1..=100)?.unwrap_or(100)).unwrap_or(100);
    let mut rules: Vec<(String, Rule)> =
        aws.store.range(RULES, prefix, params.optional_text("NextToken")?, most + 1);
    let more = rules.len() > most;
    rules.truncate(most);
    let mut answer = json!({"Rules": rules.iter().map(|(_, rule)| describe(rule)).collect::<Vec<_>>()});
    if let Some((last, _)) = rules.last().filter(|_| more) {
        answer["NextToken"] = json!(last);
    }
    Ok(answer)
}

fn delete(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
    let name = params.text("Name")?;
    aws.iam.authorize(aws, caller, "events:DeleteRule", &arn(aws, name))?;
    default_bus(params)?;
    aws.store.transaction(|records| {
        // A rule that is not there is deleted already, as on AWS.
        if records.get::<Rule>(RULES, name).is_some_and(|rule| !rule.targets.is_empty()) {
            return Err(params.invalid("Rule can't be deleted since it has targets."));
        }
        records.delete(RULES, name);
        Ok(json!({}))
    })
}

fn put_targets(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
    let targets = params.list("Targets")?;
    if targets.is_empty() {
        return Err(params.invalid("'Targets' must hold at least one target"));
    }
    change(aws, caller, "PutTargets", params, "Rule", |rule| {
        let mut failed = Vec::new();
        let mut changed: BTreeMap<String, Target> = rule.targets.clone();
        for target in targets {
            match Target::parse(target) {
                Ok((id, target)) => _ = changed.insert(id, target),
                Err(message) => failed.push(json!({
                    "TargetId": target["Id"],
                    "ErrorCode": "ValidationException",
                    "ErrorMessage": message,
                })),
            }
        }
        if changed.len() > MOST_TARGETS {
            let message = "The requested resource exceeds the maximum number allowed.";
            return Err(ApiError::new(400, "LimitExceededException", message));
        }
        rule.targets = changed;
        Ok(json!({"FailedEntryCount": failed.len(), "FailedEntries": failed}))
    })
}

fn read(
    aws: &Aws,
    caller: &Caller,
    operation: &str,
    params: Params<'_>,
    member: &str,
    answer: impl FnOnce(&Rule) -> Result<Value>,
) -> Result<Value> {
    let name = named(aws, caller, operation, params, member)?;
    answer(&aws.store.get(RULES, name).ok_or_else(|| missing(name))?)
}

fn change(
    aws: &Aws,
    caller: &Caller,
    operation: &str,
    params: Params<'_>,
    member: &str,
    change: impl FnOnce(&mut Rule) -> Result<Value>,
) -> Result<Value> {
    let name = named(aws, caller, operation, params, member)?;
    aws.store.transaction(|records| {
        let mut rule: Rule = records.get(RULES, name).ok_or_else(|| missing(name))?;
        let answer = change(&mut rule)?;
        records.put(RULES, name, &rule);
        Ok(answer)
    })
}

/// The rule that a member names, by name or ARN, once the caller is known to be allowed the operation on it.
fn named<'a>(
    aws: &Aws,
    caller: &Caller,
    operation: &str,
    params: Params<'a>,
    member: &str,
) -> Result<&'a str> {
    let name = params.text(member)?;
    // What has tags beside rules is a bus.
    match name.split_once(":event-bus/") {
        None => {}
        Some((_, "default")) => return Err(params.invalid("the local endpoint keeps no tags of event buses")),
        Some((_, bus)) => return Err(no_bus(bus)),
    }
    let name = name.split_once(":rule/").map_or(name, |(_, name)| name);
    aws.iam.authorize(aws, caller, &format!("events:{operation}"), &arn(aws, name))?;
    default_bus(params)?;
    Ok(name)
}

/// Refuses any bus but the default one, which is the only one there is.
fn default_bus(params: Params<'_>) -> Result<()> {
    match params.optional_text("EventBusName")? {
        None | Some("" | "default") => Ok(()),
        Some(arn) if arn.ends_with(":event-bus/default") => Ok(()),
        Some(name) => Err(no_bus(name)),
    }
}

fn no_bus(name: &str) -> ApiError {
    let message = format!("Event bus {name} does not exist.");
    ApiError::new(400, "ResourceNotFoundException", message)
}

fn describe(rule: &Rule) -> Value {
    let mut described = json!({
        "Name": rule.name,
        "Arn": rule.arn,
        "EventPattern": rule.pattern.to_string(),
        "State": if rule.enabled { "ENABLED" } else { "DISABLED" },
        "EventBusName": "default",
    });
    for (member, value) in [("Description", &rule.description), ("RoleArn", &rule.role)] {
        if let Some(value) = value {
            described[member] = json!(value);
        }
    }
    described
}

fn arn(aws: &Aws, name: &str) -> String {
    aws.arn("events", &format!("rule/{name}"))
}

fn missing(name: &str) -> ApiError {
    let message = format!("Rule {name} does not exist on EventBus default.");
    ApiError::new(400, "ResourceNotFoundException", message)
}
