//! Reserved and provisioned concurrency, the account's limits, and what is set for queued events.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{ApiError, Aws, Caller};

use super::Lambda;
use super::engine::Key;
use super::errors::{invalid, no_function, not_found};
use super::functions::{Named, Page};
use super::input::{Constraints, number, read};
use super::name::{LATEST, Target, arn, version_number};
use super::record::{
    ALIAS, Alias, Configuration, EventInvoke, FUNCTION, Function, Provisioned, VERSION, alias_id, aws_time,
    now_ms, version, version_id,
};

/// What the account keeps for functions that have reserved nothing.
const UNRESERVED_MINIMUM: u32 = 100;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Reserve {
    function_name: Option<String>,
    #[serde(default, deserialize_with = "number")]
    reserved_concurrent_executions: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Provision {
    function_name: Option<String>,
    qualifier: Option<String>,
    #[serde(default, deserialize_with = "number")]
    provisioned_concurrent_executions: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EventInvokeInput {
    function_name: Option<String>,
    qualifier: Option<String>,
    #[serde(default, deserialize_with = "number")]
    maximum_retry_attempts: Option<i64>,
    #[serde(default, deserialize_with = "number")]
    maximum_event_age_in_seconds: Option<i64>,
    destination_config: Option<Value>,
}

impl Lambda {
    pub(super) fn put_concurrency(
        &self,
        aws: &Aws,
        caller: &Caller,
        input: Value,
    ) -> Result<Value, ApiError> {
        let input: Reserve = read(input)?;
        let mut constraints = Constraints::default();
        let member = "reservedConcurrentExecutions";
        constraints.required(member, input.reserved_concurrent_executions.as_ref());
        constraints.range(member, input.reserved_concurrent_executions, 0, i64::from(u32::MAX));
        constraints.check()?;
        let target = Target::read(aws, input.function_name.as_deref(), None)?.unqualified()?;
        target.authorize(aws, caller, "PutFunctionConcurrency")?;
        let reserved =
            input.reserved_concurrent_executions.and_then(|n| u32::try_from(n).ok()).unwrap_or_default();
        let account = self.behaviour().account_concurrency;
        let least = UNRESERVED_MINIMUM.min(account);
        let left = account.saturating_sub(self.engine.concurrency.reserved_by_others(&target.name));
        if reserved > 0 && reserved.saturating_add(least) > left {
            return Err(invalid(format!(
                "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution \
                 below its minimum value of [{least}]."
            )));
        }
        change(aws, &target, |function| function.reserved_concurrency = Some(reserved))?;
        self.engine.concurrency.reserve(&target.name, Some(reserved));
        Ok(json!({"ReservedConcurrentExecutions": reserved}))
    }

    pub(super) fn get_concurrency(
        &self,
        aws: &Aws,
        caller: &Caller,
        input: Value,
    ) -> Result<Value, ApiError> {
        let input: Named = read(input)?;
        let target = Target::read(aws, input.function_name.as_deref(), None)?.unqualified()?;
        target.authorize(aws, caller, "GetFunctionConcurrency")?;
        Ok(match self.function(aws, &target)?.reserved_concurrency {
            Some(reserved) => json!({"ReservedConcurrentExecutions": reserved}),
            None => json!({}),
        })
    }

    pub(super) fn delete_concurrency(
        &self,
        aws: &Aws,
        caller: &Caller,
        input: Value,
    ) -> Result<Value, ApiError> {
        let input: Named = read(input)?;
        let target = Target::read(aws, input.function_name.as_deref(), None)?.unqualified()?;
        target.authorize(aws, caller, "DeleteFunctionConcurrency")?;
        change(aws, &target, |function| function.reserved_concurrency = None)?;
        self.engine.concurrency.reserve(&target.name, None);
        Ok(json!({}))
    }

    pub(super) fn account_settings(&self, aws: &Aws, caller: &Caller) -> Result<Value, ApiError> {
        aws.iam.authorize(aws, caller, "lambda:GetAccountSettings", "*")?;
        let account = self.behaviour().account_concurrency;
        let functions: Vec<(String, Function)> = aws.store.list(FUNCTION);
        let versions: Vec<(String, Configuration)> = aws.store.list(VERSION);
        let latest = functions.iter().map(|(_, f)| f.latest.content.code_size);
        let code: u64 = latest.chain(versions.iter().map(|(_, v)| v.content.code_size)).sum();
        Ok(json!({
            "AccountLimit": {
                "TotalCodeSize": 80_530_636_800_u64,
                "CodeSizeUnzipped": 262_144_000,
                "CodeSizeZipped": 52_428_800,
                "ConcurrentExecutions": account,
                "UnreservedConcurrentExecutions": account.saturating_sub(self.engine.concurrency.reserved()),
            },
            "AccountUsage": {"TotalCodeSize": code, "FunctionCount": functions.len()},
            // Not a member AWS has: what a client of this endpoint may want to tell with its measurements.
            "LocalCpuShare": self.cpu_share(),
        }))
    }

    pub(super) fn put_provisioned(
        &self,
        aws: &Arc<Aws>,
        caller: &Caller,
        input: Value,
    ) -> Result<Value, ApiError> {
        let input: Provision = read(input)?;
        let mut constraints = Constraints::default();
        let member = "provisionedConcurrentExecutions";
        constraints.required("qualifier", input.qualifier.as_ref());
        constraints.required(member, input.provisioned_concurrent_executions.as_ref());
        constraints.range(member, input.provisioned_concurrent_executions, 1, i64::from(u32::MAX));
        constraints.check()?;
        let target = Target::read(aws, input.function_name.as_deref(), input.qualifier.as_deref())?;
        target.authorize_qualified(aws, caller, "PutProvisionedConcurrencyConfig")?;
        let function = self.function(aws, &target)?;
        let requested =
            input.provisioned_concurrent_executions.and_then(|n| u32::try_from(n).ok()).unwrap_or_default();
        let Some(version) = provisioned_version(aws, &function, target.qualifier.as_deref())? else {
            return Err(invalid(
                "Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
            ));
        };
        let room = function.reserved_concurrency.unwrap_or(self.behaviour().account_concurrency);
        let others =
            function.provisioned.iter().filter(|(q, _)| Some(q.as_str()) != target.qualifier.as_deref());
        let taken: u32 = others.map(|(_, p)| p.requested).sum();
        if requested.saturating_add(taken) > room {
            return Err(invalid(format!(
                "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function or \
                 the account's limit ({room})"
            )));
        }
        let provisioned = Provisioned { requested, last_modified: now_ms() };
        let qualifier = target.qualifier.clone().unwrap_or_default();
        change(aws, &target, |function| {
            function.provisioned.insert(qualifier, provisioned.clone());
        })?;
        self.provision(aws, &target.name, &version, requested);
        let mut shown = self.shown_provisioned(&target.name, &version, &provisioned);
        // Environments start after the answer, whatever is there already.
        shown["Status"] = json!("IN_PROGRESS");
        Ok(shown)
    }

    pub(super) fn get_provisioned(
        &self,
        aws: &Aws,
        caller: &Caller,
        input: Value,
    ) -> Result<Value, ApiError> {
        let (target, function) = self.qualified(aws, caller, input, "GetProvisionedConcurrencyConfig")?;
        let qualifier = target.qualifier.as_deref().unwrap_or_default();
        let Some(provisioned) = function.provisioned.get(qualifier) else {
            return Err(ApiError::new(
                404,
                "ProvisionedConcurrencyConfigNotFoundException",
                "No Provisioned Concurrency Config found for this function",
            ));
        };
        let version = provisioned_version(aws, &function, Some(qualifier))?;
        let version = version.ok_or_else(|| no_function(target.arn(aws)))?;
        Ok(self.shown_provisioned(&target.name, &version, provisioned))
    }

    pub(super) fn list_provisioned(
        &self,
        aws: &Aws,
        caller: &Caller,
        input: Value,
    ) -> Result<Value, ApiError> {
        let input: Page = read(input)?;
        let target = Target::read(aws, input.function_name.as_deref(), None)?.unqualified()?;
        target.authorize(aws, caller, "ListProvisionedConcurrencyConfigs")?;
        let function = self.function(aws, &target)?;
        let mut shown = Vec::new();
        for (qualifier, provisioned) in &function.provisioned {
            if let Some(version) = provisioned_version(aws, &function, Some(qualifier))? {
                let mut one = self.shown_provisioned(&target.name, &version, provisioned);
                one["FunctionArn"] = json!(arn(aws, &target.name, Some(qualifier)));
                shown.push(one);
            }
        }
        Ok(json!({"ProvisionedConcurrencyConfigs": shown}))
    }

    pub(super) fn delete_provisioned(
        &self,
        aws: &Aws,
        caller: &Caller,
        input: Value,
    ) -> Result<Value, ApiError> {
        let (target, function) = self.qualified(aws, caller, input, "DeleteProvisionedConcurrencyConfig")?;
        let qualifier = target.qualifier.clone().unwrap_or_default();
        change(aws, &target, |function| {
            function.provisioned.remove(&qualifier);
        })?;
        if let Some(version) = provisioned_version(aws, &function, Some(&qualifier))? {
            self.engine.keep(&key(&target.name, &version), 0);
        }
        Ok(json!({}))
    }

    /// Starts the environments that were provisioned when the endpoint ended.
    pub(super) fn resume_provisioned(&self, aws: &Arc<Aws>) {
        for (name, function) in aws.store.list::<Function>(FUNCTION) {
            for (qualifier, provisioned) in &function.provisioned {
                if let Ok(Some(version)) = provisioned_version(aws, &function, Some(qualifier)) {
                    self.provision(aws, &name, &version, provisioned.requested);
                }
            }
        }
    }

    fn provision(&self, aws: &Arc<Aws>, name: &str, version: &Configuration, requested: u32) {
        let key = key(name, version);
        self.engine.keep(&key, requested as usize);
        let (engine, aws, version) = (Arc::clone(&self.engine), Arc::clone(aws), version.clone());
        let behaviour = self.behaviour();
        self.tasks.background(async move { engine.fill(&aws, key, &version, &behaviour).await });
    }

    fn shown_provisioned(&self, name: &str, version: &Configuration, provisioned: &Provisioned) -> Value {
        let ready = self.engine.ready(&key(name, version)).min(provisioned.requested as usize);
        let complete = ready == provisioned.requested as usize;
        json!({
            "RequestedProvisionedConcurrentExecutions": provisioned.requested,
            "AvailableProvisionedConcurrentExecutions": ready,
            "AllocatedProvisionedConcurrentExecutions": ready,
            "Status": if complete { "READY" } else { "IN_PROGRESS" },
            "LastModified": aws_time(provisioned.last_modified),
        })
    }

    pub(super) fn put_event_invoke(
        &self,
        aws: &Aws,
        caller: &Caller,
        input: Value,
        update: bool,
    ) -> Result<Value, ApiError> {
        let input: EventInvokeInput = read(input)?;
        let mut constraints = Constraints::default();
        constraints.range("maximumRetryAttempts", input.maximum_retry_attempts, 0, 2);
        constraints.range("maximumEventAgeInSeconds", input.maximum_event_age_in_seconds, 60, 21_600);
        constraints.check()?;
        let target = Target::read(aws, input.function_name.as_deref(), input.qualifier.as_deref())?;
        let action = if update { "UpdateFunctionEventInvokeConfig" } else { "PutFunctionEventInvokeConfig" };
        target.authorize_qualified(aws, caller, action)?;
        if input.maximum_retry_attempts.is_none()
            && input.maximum_event_age_in_seconds.is_none()
            && input.destination_config.is_none()
        {
            return Err(invalid("You must specify at least one of error handling or destination setting."));
        }
        let whole = |n: Option<i64>| n.and_then(|n| u32::try_from(n).ok());
        let mut settings = EventInvoke {
            last_modified: now_ms(),
            retries: whole(input.maximum_retry_attempts),
            age: whole(input.maximum_event_age_in_seconds),
            destinations: input.destination_config,
        };
        let function = self.function(aws, &target)?;
        there(aws, &target)?;
        let qualifier = target.qualifier.clone().unwrap_or_default();
        if update {
            let before =
                function.event_invoke.get(&qualifier).ok_or_else(|| no_event_invoke(aws, &target))?.clone();
            settings.retries = settings.retries.or(before.retries);
            settings.age = settings.age.or(before.age);
            settings.destinations = settings.destinations.or(before.destinations);
        }
        change(aws, &target, |function| {
            function.event_invoke.insert(qualifier, settings.clone());
        })?;
        Ok(shown_event_invoke(aws, &target.name, target.qualifier.as_deref(), &settings))
    }

    pub(super) fn get_event_invoke(
        &self,
        aws: &Aws,
        caller: &Caller,
        input: Value,
    ) -> Result<Value, ApiError> {
        let (target, function) = self.qualified(aws, caller, input, "GetFunctionEventInvokeConfig")?;
        let settings = function.event_invoke.get(target.qualifier.as_deref().unwrap_or_default());
        let settings = settings.ok_or_else(|| no_event_invoke(aws, &target))?;
        Ok(shown_event_invoke(aws, &target.name, target.qualifier.as_deref(), settings))
    }

    pub(super) fn delete_event_invoke(
        &self,
        aws: &Aws,
        caller: &Caller,
        input: Value,
    ) -> Result<Value, ApiError> {
        let (target, function) = self.qualified(aws, caller, input, "DeleteFunctionEventInvokeConfig")?;
        let qualifier = target.qualifier.clone().unwrap_or_default();
        if !function.event_invoke.contains_key(&qualifier) {
            return Err(no_event_invoke(aws, &target));
        }
        change(aws, &target, |function| {
            function.event_invoke.remove(&qualifier);
        })?;
        Ok(json!({}))
    }

    pub(super) fn list_event_invoke(
        &self,
        aws: &Aws,
        caller: &Caller,
        input: Value,
    ) -> Result<Value, ApiError> {
        let input: Page = read(input)?;
        let target = Target::read(aws, input.function_name.as_deref(), None)?.unqualified()?;
        target.authorize(aws, caller, "ListFunctionEventInvokeConfigs")?;
        let function = self.function(aws, &target)?;
        let shown: Vec<Value> = function
            .event_invoke
            .iter()
            .map(|(q, s)| {
                shown_event_invoke(aws, &target.name, Some(q.as_str()).filter(|q| !q.is_empty()), s)
            })
            .collect();
        Ok(json!({"FunctionEventInvokeConfigs": shown}))
    }

    fn qualified(
        &self,
        aws: &Aws,
        caller: &Caller,
        input: Value,
        action: &str,
    ) -> Result<(Target, Function), ApiError> {
        let input: Named = read(input)?;
        let target = Target::read(aws, input.function_name.as_deref(), input.qualifier.as_deref())?;
        target.authorize_qualified(aws, caller, action)?;
        let function = self.function(aws, &target)?;
        Ok((target, function))
    }
}

fn change(aws: &Aws, target: &Target, change: impl FnOnce(&mut Function)) -> Result<(), ApiError> {
    aws.store.transaction(|records| {
        let mut function: Function =
            records.get(FUNCTION, &target.name).ok_or_else(|| no_function(target.function_arn(aws)))?;
        change(&mut function);
        records.put(FUNCTION, &target.name, &function);
        Ok(())
    })
}

/// Whether the version or alias that is named exists.
fn there(aws: &Aws, target: &Target) -> Result<(), ApiError> {
    let exists = match target.qualifier.as_deref() {
        None | Some(LATEST) => true,
        Some(q) => match version_number(q) {
            Some(n) => aws.store.get::<Configuration>(VERSION, &version_id(&target.name, n)).is_some(),
            None => aws.store.get::<Alias>(ALIAS, &alias_id(&target.name, q)).is_some(),
        },
    };
    if exists { Ok(()) } else { Err(no_function(target.arn(aws))) }
}

/// The published version whose environments are provisioned for a qualifier; none for `$LATEST`.
fn provisioned_version(
    aws: &Aws,
    function: &Function,
    qualifier: Option<&str>,
) -> Result<Option<Configuration>, ApiError> {
    let Some(qualifier) = qualifier.filter(|q| *q != LATEST) else { return Ok(None) };
    let absent = || no_function(arn(aws, &function.name, Some(qualifier)));
    let named = match version_number(qualifier) {
        Some(_) => qualifier.to_owned(),
        None => {
            let alias: Alias =
                aws.store.get(ALIAS, &alias_id(&function.name, qualifier)).ok_or_else(absent)?;
            alias.version
        }
    };
    if named == LATEST {
        return Ok(None);
    }
    version(&aws.store, function, &named).ok_or_else(absent).map(Some)
}

fn key(name: &str, version: &Configuration) -> Key {
    Key {
        function: name.to_owned(),
        version: version.version.clone(),
        incarnation: version.incarnation.clone(),
    }
}

fn no_event_invoke(aws: &Aws, target: &Target) -> ApiError {
    not_found(format!("The function {} doesn't have an EventInvokeConfig", target.arn(aws)))
}

fn shown_event_invoke(aws: &Aws, name: &str, qualifier: Option<&str>, settings: &EventInvoke) -> Value {
    let mut shown = json!({
        "FunctionArn": arn(aws, name, Some(qualifier.unwrap_or(LATEST))),
        // Seconds since the epoch, unlike every other time of Lambda.
        "LastModified": settings.last_modified / 1000,
        "DestinationConfig": settings.destinations.clone().unwrap_or_else(|| json!({"OnSuccess": {}, "OnFailure": {}})),
    });
    if let Some(retries) = settings.retries {
        shown["MaximumRetryAttempts"] = json!(retries);
    }
    if let Some(age) = settings.age {
        shown["MaximumEventAgeInSeconds"] = json!(age);
    }
    shown
}
