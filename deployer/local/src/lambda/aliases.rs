//! Aliases: names for versions, with an optional second version that takes a share of the invocations.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::store::Records;
use crate::{Aws, Caller, Result, ids};

use super::Lambda;
use super::errors::{conflict, invalid, no_alias, no_function, not_found, stale_revision};
use super::input::{Constraints, Page, is_word, read};
use super::name::{LATEST, Target, arn, version_number};
use super::record::{ALIAS, Alias, FUNCTION, Function, ROUTE, alias_id, route_id, version_in};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AliasInput {
    function_name: Option<String>,
    name: Option<String>,
    function_version: Option<String>,
    description: Option<String>,
    routing_config: Option<Routing>,
    revision_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Routing {
    additional_version_weights: Option<BTreeMap<String, f64>>,
}

impl AliasInput {
    fn constrain(&self, version_needed: bool) -> Result<()> {
        let mut constraints = Constraints::default();
        constraints.required("name", self.name.as_ref());
        if let Some(name) = &self.name {
            constraints.length("name", Some(name), 1, 128);
            let digits_only = name.bytes().all(|b| b.is_ascii_digit());
            constraints.pattern("name", name, is_word(name) && !digits_only, "(?!^[0-9]+$)([a-zA-Z0-9-_]+)");
        }
        if version_needed {
            constraints.required("functionVersion", self.function_version.as_ref());
        }
        if let Some(version) = &self.function_version {
            constraints.length("functionVersion", Some(version), 1, 1024);
            let holds = version == LATEST || version_number(version).is_some();
            constraints.pattern("functionVersion", version, holds, "(\\$LATEST|[0-9]+)");
        }
        constraints.length("description", self.description.as_deref(), 0, 256);
        if let Some(weights) =
            self.routing_config.as_ref().and_then(|r| r.additional_version_weights.as_ref())
        {
            constraints.weights("routingConfig.additionalVersionWeights", weights);
        }
        constraints.check()
    }
}

/// Whether an alias may route so: every version is there, and a second one is allowed.
fn check_routes(
    aws: &Aws,
    records: &Records<'_>,
    function: &Function,
    version: &str,
    weights: &BTreeMap<String, f64>,
) -> Result<()> {
    if version_in(records, function, version).is_none() {
        return Err(no_function(arn(aws, &function.name, Some(version))));
    }
    if weights.is_empty() {
        return Ok(());
    }
    if weights.len() > 1 {
        return Err(invalid("Number of items in AdditionalVersionWeights cannot be greater than 1"));
    }
    if version == LATEST {
        return Err(invalid("$LATEST is not supported for an alias pointing to more than 1 version"));
    }
    for second in weights.keys() {
        if second == version {
            return Err(invalid(format!(
                "Invalid function version {second}. Function version {second} is already included in routing configuration."
            )));
        }
        if version_in(records, function, second).is_none() {
            return Err(no_function(arn(aws, &function.name, Some(second))));
        }
    }
    Ok(())
}

fn put(records: &mut Records<'_>, function: &str, alias: &Alias) {
    for number in alias.targets() {
        records.put(ROUTE, &route_id(function, number, &alias.name), &());
    }
    records.put(ALIAS, &alias_id(function, &alias.name), alias);
}

fn remove_routes(records: &mut Records<'_>, function: &str, alias: &Alias) {
    for number in alias.targets() {
        records.delete(ROUTE, &route_id(function, number, &alias.name));
    }
}

impl Lambda {
    pub(super) fn create_alias(&self, aws: &Aws, caller: &Caller, input: Value) -> Result<Value> {
        let input: AliasInput = read(input)?;
        input.constrain(true)?;
        let target = Target::whole(aws, input.function_name.as_deref())?;
        target.authorize(aws, caller, "CreateAlias")?;
        let alias = Alias {
            name: input.name.unwrap_or_default(),
            version: input.function_version.unwrap_or_default(),
            weights: input.routing_config.and_then(|r| r.additional_version_weights).unwrap_or_default(),
            description: input.description.unwrap_or_default(),
            revision: ids::uuid(),
        };
        aws.store.transaction(|records| {
            let absent = || no_function(arn(aws, &target.name, Some(&alias.version)));
            let function: Function = records.get(FUNCTION, &target.name).ok_or_else(absent)?;
            check_routes(aws, records, &function, &alias.version, &alias.weights)?;
            if records.get::<Alias>(ALIAS, &alias_id(&target.name, &alias.name)).is_some() {
                let arn = arn(aws, &target.name, Some(&alias.name));
                return Err(conflict(format!("Alias already exists: {arn}")));
            }
            put(records, &target.name, &alias);
            Ok(alias.shown(aws, &target.name))
        })
    }

    pub(super) fn get_alias(&self, aws: &Aws, caller: &Caller, input: Value) -> Result<Value> {
        let input: AliasInput = read(input)?;
        input.constrain(false)?;
        let target = Target::whole(aws, input.function_name.as_deref())?;
        target.authorize(aws, caller, "GetAlias")?;
        let name = input.name.unwrap_or_default();
        let alias: Alias = aws
            .store
            .get(ALIAS, &alias_id(&target.name, &name))
            .ok_or_else(|| no_alias(arn(aws, &target.name, Some(&name))))?;
        Ok(alias.shown(aws, &target.name))
    }

    pub(super) fn update_alias(&self, aws: &Aws, caller: &Caller, input: Value) -> Result<Value> {
        let input: AliasInput = read(input)?;
        input.constrain(false)?;
        let target = Target::whole(aws, input.function_name.as_deref())?;
        target.authorize(aws, caller, "UpdateAlias")?;
        let name = input.name.unwrap_or_default();
        aws.store.transaction(|records| {
            let function: Function =
                records.get(FUNCTION, &target.name).ok_or_else(|| no_function(target.arn(aws)))?;
            let before: Alias = records.get(ALIAS, &alias_id(&target.name, &name)).ok_or_else(|| {
                not_found(format!("Alias not found: {}", arn(aws, &target.name, Some(&name))))
            })?;
            if input.revision_id.as_ref().is_some_and(|r| *r != before.revision) {
                return Err(stale_revision());
            }
            let after = Alias {
                name: before.name.clone(),
                version: input.function_version.unwrap_or_else(|| before.version.clone()),
                weights: match input.routing_config {
                    Some(routing) => routing.additional_version_weights.unwrap_or_default(),
                    None => before.weights.clone(),
                },
                description: input.description.unwrap_or_else(|| before.description.clone()),
                revision: ids::uuid(),
            };
            check_routes(aws, records, &function, &after.version, &after.weights)?;
            remove_routes(records, &target.name, &before);
            put(records, &target.name, &after);
            Ok(after.shown(aws, &target.name))
        })
    }

    pub(super) fn delete_alias(&self, aws: &Aws, caller: &Caller, input: Value) -> Result<Value> {
        let input: AliasInput = read(input)?;
        input.constrain(false)?;
        let target = Target::whole(aws, input.function_name.as_deref())?;
        target.authorize(aws, caller, "DeleteAlias")?;
        let name = input.name.unwrap_or_default();
        aws.store.transaction(|records| {
            let mut function: Function =
                records.get(FUNCTION, &target.name).ok_or_else(|| no_function(target.arn(aws)))?;
            // Deleting an alias that is not there succeeds, on AWS too.
            let Some(alias) = records.get::<Alias>(ALIAS, &alias_id(&target.name, &name)) else {
                return Ok(json!({}));
            };
            remove_routes(records, &target.name, &alias);
            records.delete(ALIAS, &alias_id(&target.name, &name));
            if function.forget_policy(&name) {
                records.put(FUNCTION, &target.name, &function);
            }
            Ok(json!({}))
        })
    }

    pub(super) fn list_aliases(&self, aws: &Aws, caller: &Caller, input: Value) -> Result<Value> {
        let input: Page = read(input)?;
        let limit = input.limit()?;
        if let Some(version) = &input.function_version {
            let mut constraints = Constraints::default();
            let holds = version == LATEST || version_number(version).is_some();
            constraints.pattern("functionVersion", version, holds, "(\\$LATEST|[0-9]+)");
            constraints.check()?;
        }
        let target = Target::whole(aws, input.function_name.as_deref())?;
        target.authorize(aws, caller, "ListAliases")?;
        self.function(aws, &target)?;
        let mut shown = Vec::new();
        // A marker is the name of the last alias looked at.
        let mut after = input.marker.as_deref().map(|m| alias_id(&target.name, m));
        let mut more = true;
        while more && shown.len() < limit {
            let page: Vec<(String, Alias)> =
                aws.store.range(ALIAS, &format!("{}/", target.name), after.as_deref(), limit);
            more = page.len() == limit;
            for (id, alias) in page {
                if shown.len() == limit {
                    more = true;
                    break;
                }
                let routed = |v: &String| alias.version == *v || alias.weights.contains_key(v);
                if input.function_version.as_ref().is_none_or(routed) {
                    shown.push(alias.shown(aws, &target.name));
                }
                after = Some(id);
            }
        }
        let mut answer = json!({"Aliases": shown});
        let rest = after.as_deref().filter(|_| more);
        if let Some((_, last)) = rest.and_then(|id| id.split_once('/'))
            && !aws.store.range::<Alias>(ALIAS, &format!("{}/", target.name), rest, 1).is_empty()
        {
            answer["NextMarker"] = json!(last);
        }
        Ok(answer)
    }
}
