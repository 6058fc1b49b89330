//! Reserved concurrency and the account's limits.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{ApiError, Aws, Caller, Result};

use super::Lambda;
use super::errors::{invalid, no_function};
use super::input::{Constraints, Named, number, read};
use super::name::Target;
use super::record::{Configuration, FUNCTION, Function, VERSION};

/// What the account keeps for functions that have reserved nothing.
const UNRESERVED_MINIMUM: u32 = 100;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Reserve {
    function_name: Option<String>,
    #[serde(default, deserialize_with = "number")]
    reserved_concurrent_executions: Option<i64>,
}

/// Bytes of all packages, those of versions included: each counts, also where several are the same.
fn stored(aws: &Aws, functions: &[(String, Function)]) -> u64 {
    let versions: Vec<(String, Configuration)> = aws.store.list(VERSION);
    let latest = functions.iter().map(|(_, f)| f.latest.content.code_size);
    latest.chain(versions.iter().map(|(_, v)| v.content.code_size)).sum()
}

impl Lambda {
    /// Whether the account may store another package of so many bytes.
    ///
    /// # Errors
    /// `CodeStorageExceededException`.
    pub(super) fn check_code_storage(&self, aws: &Aws, bytes: u64) -> Result<()> {
        if stored(aws, &aws.store.list(FUNCTION)).saturating_add(bytes) > self.behaviour().code_storage {
            return Err(ApiError::new(400, "CodeStorageExceededException", "Code storage limit exceeded."));
        }
        Ok(())
    }

    pub(super) fn put_concurrency(&self, aws: &Aws, caller: &Caller, input: Value) -> Result<Value> {
        let input: Reserve = read(input)?;
        let mut constraints = Constraints::default();
        let member = "reservedConcurrentExecutions";
        constraints.required(member, input.reserved_concurrent_executions.as_ref());
        constraints.range(member, input.reserved_concurrent_executions, 0, i64::from(u32::MAX));
        constraints.check()?;
        let target = Target::unqualified(aws, input.function_name.as_deref())?;
        target.authorize(aws, caller, "PutFunctionConcurrency")?;
        self.function(aws, &target).map_err(|_| no_function(target.running_arn(aws)))?;
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

    pub(super) fn get_concurrency(&self, aws: &Aws, caller: &Caller, input: Value) -> Result<Value> {
        let input: Named = read(input)?;
        let target = Target::unqualified(aws, input.function_name.as_deref())?;
        target.authorize(aws, caller, "GetFunctionConcurrency")?;
        Ok(match self.function(aws, &target)?.reserved_concurrency {
            Some(reserved) => json!({"ReservedConcurrentExecutions": reserved}),
            None => json!({}),
        })
    }

    pub(super) fn delete_concurrency(&self, aws: &Aws, caller: &Caller, input: Value) -> Result<Value> {
        let input: Named = read(input)?;
        let target = Target::unqualified(aws, input.function_name.as_deref())?;
        target.authorize(aws, caller, "DeleteFunctionConcurrency")?;
        change(aws, &target, |function| function.reserved_concurrency = None)?;
        self.engine.concurrency.reserve(&target.name, None);
        Ok(json!({}))
    }

    pub(super) fn account_settings(&self, aws: &Aws, caller: &Caller) -> Result<Value> {
        aws.iam.authorize(aws, caller, "lambda:GetAccountSettings", "*")?;
        let account = self.behaviour().account_concurrency;
        let functions: Vec<(String, Function)> = aws.store.list(FUNCTION);
        let code = stored(aws, &functions);
        Ok(json!({
            "AccountLimit": {
                "TotalCodeSize": self.behaviour().code_storage,
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
}

fn change(aws: &Aws, target: &Target, change: impl FnOnce(&mut Function)) -> Result<()> {
    aws.store.transaction(|records| {
        let mut function: Function =
            records.get(FUNCTION, &target.name).ok_or_else(|| no_function(target.function_arn(aws)))?;
        change(&mut function);
        records.put(FUNCTION, &target.name, &function);
        Ok(())
    })
}
