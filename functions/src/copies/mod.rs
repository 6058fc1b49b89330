//! Copies: temporary functions with code, configuration and role of the tuned one, measured instead of it.
//!
//! ```text
//! Initializer          Publisher                              Executor   Cleaner
//! [`source`]: can it → code into the stack's bucket, then   → invokes  → [`sweep`]: deletes
//! be copied?           [`make`]: a function per size          them       0…n−1 by name
//! ```
//!
//! A copy is called after the execution and numbered, so every step can be repeated and nothing has to be listed. Nothing of
//! the user's is ever written: there is no lock, no undo record, and several runs may measure one function at a time.

pub mod make;
pub mod source;
pub mod sweep;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tuning::copies::hash;
pub use tuning::copies::name;
use tuning::input::fields::{CODE_ARM64, CODE_X86};
use tuning::input::{Input, LambdaArn};
use tuning::pricing::Architecture;
use wildmatch::WildMatch;

use crate::clients::Clients;
use crate::error::{Error, Kind};
use crate::function_api::{FunctionApi, Refusal};
use crate::run::Concurrency;
use source::Source;

/// Most copies of a run. Each counts with its package against the account's code storage, and is deleted with one of its 15 calls
/// a second.
pub const MOST: u32 = 1000;

/// What is asked of Lambda at a time, and how long that has to last: a share of the 15 calls a second that an account has.
const AT_ONCE: usize = 10;
const PACE: Duration = Duration::from_secs(1);

/// What a run has to know of its copies. No setting of the function is in it: whoever makes copies reads them again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Copies {
    /// What is copied: `$LATEST`, or the number of a version.
    pub of: String,
    /// The role that they run under.
    pub role: String,
    /// Whether a version of each is published and invoked, as functions with SnapStart need it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub snapshots: bool,
    /// Whether the code is in the stack's bucket, or need not be there.
    pub stored: bool,
}

/// What the stack allows of copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowed {
    /// None.
    No,
    /// Copies, and measuring the function itself.
    Also,
    /// Nothing but copies.
    Only,
}

impl Allowed {
    /// What this stack allows.
    pub fn here(clients: &Clients) -> Self {
        match clients.variable("copies").as_deref() {
            Some("also") => Self::Also,
            Some("only") => Self::Only,
            _ => Self::No,
        }
    }
}

/// The ARN of a run's copy of this number. They are where the execution is.
///
/// # Errors
/// [`Kind::InvalidInput`] for what is no execution's ARN.
pub fn arn(execution: &str, number: u32) -> Result<String, Error> {
    let mut parts = execution.split(':').skip(1);
    let (Some(partition), Some(_), Some(region), Some(account)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        let message = format!("{execution:?} is not the ARN of an execution");
        return Err(Error::new(Kind::InvalidInput, message));
    };
    Ok(format!("arn:{partition}:lambda:{region}:{account}:function:{}", name(execution, number)))
}

/// The key of a run's code in the stack's bucket.
pub fn key(execution: &str) -> String {
    format!("{}.zip", hash(execution))
}

/// The account of an execution, in which its copies are.
pub fn account(execution: &str) -> &str {
    execution.split(':').nth(4).unwrap_or_default()
}

/// The region of an execution, where its copies are.
pub fn region(execution: &str) -> &str {
    execution.split(':').nth(3).unwrap_or_default()
}

/// The version that a copy is invoked at.
pub fn qualifier(copies: &Copies) -> Option<&'static str> {
    // The first one that is published of a new function.
    copies.snapshots.then_some("1")
}

/// The role that copies of a function with this role run under, in the account of the execution.
///
/// # Errors
/// [`Kind::AccessDenied`] with the parameter that is missing.
pub fn role(own: &str, execution: &str, clients: &Clients) -> Result<String, Error> {
    if own.split(':').nth(4) != Some(account(execution)) {
        return clients.variable("copyRole").ok_or_else(|| {
            let message = format!(
                "copies of another account's function cannot have its role {own}: deploy with a copyRole (`deployer up --copy-role`), {WAY_OUT}"
            );
            Error::new(Kind::AccessDenied, message)
        });
    }
    let copyable = clients.variable("copyableRoles").unwrap_or_default();
    let named = copyable.split(',').map(str::trim).filter(|pattern| !pattern.is_empty());
    if named.into_iter().any(|pattern| WildMatch::new(pattern).matches(own)) {
        return Ok(own.to_owned());
    }
    clients.variable("copyRole").ok_or_else(|| {
        let message = format!(
            "copies may not run under the function's role: deploy with copyableRoles that has {own} \
             (`deployer up --copyable-roles`), or with a copyRole; {WAY_OUT}"
        );
        Error::new(Kind::AccessDenied, message)
    })
}

/// What can be done where no copies can be made.
pub const WAY_OUT: &str = "or measure the function itself with tune: \"in-place\"";

/// Refuses a function that is in another region than the stack, where the bucket of the code has to be, or in another account without
/// a role that may read it there.
///
/// # Errors
/// [`Kind::InvalidInput`].
pub fn same_place(function: &LambdaArn, has_role: bool, execution: &str) -> Result<(), Error> {
    let (here, ours) = (region(execution), account(execution));
    let message = if function.region != here {
        format!(
            "lambdaARN: the function is in the region {}, and the stack is in {here}: copies are made where the stack is, so deploy it \
             there, {WAY_OUT}",
            function.region
        )
    } else if function.account != ours && !has_role {
        format!(
            "lambdaARN: the function is in the account {}, and the stack is in {ours}: name a role of that account in roleARN, by which \
             it can be read (`deployer synth role` writes its stack)",
            function.account
        )
    } else {
        return Ok(());
    };
    Err(Error::new(Kind::InvalidInput, message))
}

/// The processors that copies are measured on, where the input names any: the function's own first, if it is one of them.
///
/// # Errors
/// [`Kind::InvalidInput`] where a copy for one of them cannot be made, or the choice could not be applied.
pub fn processors(input: &Input, source: &Source, clients: &Clients) -> Result<Vec<Architecture>, Error> {
    let refused = |message: String| Err(Error::new(Kind::InvalidInput, message));
    let own: Architecture = source.configuration.architecture.parse().unwrap_or_default();
    let allowed = clients.variable("codeBucket");
    for (field, code) in [(CODE_ARM64, &input.code_arm64), (CODE_X86, &input.code_x86)] {
        if let Some(code) = code.as_ref().filter(|code| Some(&code.bucket) != allowed.as_ref()) {
            let name = field.name;
            return refused(match &allowed {
                Some(allowed) => format!(
                    "{name}: {code} is not in the bucket that the stack reads code from, {allowed}: put it there, or deploy with \
                     `deployer up --code-bucket {}` (parameter codeBucket)",
                    code.bucket
                ),
                None => format!(
                    "{name}: the stack may not read {code}: deploy with `deployer up --code-bucket {}` (parameter codeBucket)",
                    code.bucket
                ),
            });
        }
    }
    let mut architectures = input.architectures.clone();
    if architectures.is_empty() && input.code_for(own).is_some() {
        architectures.push(own);
    }
    architectures.sort_by_key(|architecture| *architecture != own);
    if let Some(other) = architectures.iter().find(|architecture| **architecture != own) {
        if source.is_image() && input.code_for(*other).is_none() {
            return refused(format!(
                "architectures: the function is an image, which is for {own} alone: measure a function with an image for {other} by itself, or \
                 name {own} only"
            ));
        }
        if input.auto_optimize && !architectures.contains(&own) {
            return refused(format!(
                "autoOptimize: the function runs on {own}, and {other} is what is measured: leave autoOptimize out, or name {own} in \
                 architectures as well"
            ));
        }
    }
    if source.is_image() && architectures.iter().any(|architecture| input.code_for(*architecture).is_some()) {
        return refused(
            "codeArm64, codeX86: the function is an image, and these are packages: leave them out".to_owned(),
        );
    }
    Ok(architectures)
}

/// How many invocations may run at once of all functions that have reserved nothing; not asked for where the input says how many copies may
/// be invoked at once.
///
/// # Errors
/// What AWS refuses.
pub async fn unreserved(api: &FunctionApi, input: &Input) -> Result<Option<u32>, Error> {
    if input.max_concurrency.is_some() {
        return Ok(None);
    }
    api.unreserved_concurrency().await.map_err(|refusal| {
        if !refusal.is_denied() {
            return Error::from(refusal);
        }
        let Refusal { operation, message, .. } = refusal;
        let message = format!(
            "not allowed to call {operation}, which tells how many copies may be invoked at once: {message}; say it with maxConcurrency"
        );
        Error::new(Kind::AccessDenied, message)
    })
}

/// How many invocations of copies may be under way at once: the function's reserved concurrency, which does not limit them by itself,
/// and half of what the account has for functions that have reserved nothing, which they take it from; or what the input says.
///
/// # Errors
/// What AWS refuses.
pub async fn concurrency(
    api: &FunctionApi,
    input: &Input,
    source: &Source,
    unreserved: Option<u32>,
) -> Result<Concurrency, Error> {
    if let Some(given) = given_concurrency(input) {
        return Ok(given);
    }
    let reserved = match input.qualifier {
        Some(_) => source::reserved(&api.read(None).await?),
        None => source.reserved,
    };
    let half = unreserved.map_or(u32::MAX, |unreserved| (unreserved / 2).max(1));
    Ok(match reserved.filter(|reserved| *reserved > 0 && *reserved < half) {
        Some(most) => Concurrency {
            most,
            why: "the function's reserved concurrency; maxConcurrency allows more".to_owned(),
            told: false,
        },
        None => Concurrency {
            most: half,
            why: format!(
                "half of the {} that the account has unreserved; maxConcurrency allows more",
                unreserved.unwrap_or_default()
            ),
            told: false,
        },
    })
}

/// What the input says of it.
pub fn given_concurrency(input: &Input) -> Option<Concurrency> {
    input.max_concurrency.map(|most| Concurrency { most, why: "maxConcurrency".to_owned(), told: false })
}

/// So many calls at a time, and no more of them a second than an account can spare.
#[derive(Debug, Default)]
struct Pace {
    next: Option<Instant>,
}

impl Pace {
    /// Waits until another batch may begin.
    async fn take(&mut self) {
        if let Some(next) = self.next {
            tokio::time::sleep_until(next).await;
        }
        self.next = Some(Instant::now() + PACE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXECUTION: &str = "arn:aws:states:eu-west-1:123456789012:execution:machine:run";

    #[test]
    fn a_copy_is_called_after_its_execution() {
        let name = name(EXECUTION, 12);
        let expected = format!("arn:aws:lambda:eu-west-1:123456789012:function:{name}");
        assert_eq!(arn(EXECUTION, 12).unwrap(), expected);
        assert_eq!(arn("run", 0).unwrap_err().kind, Kind::InvalidInput);
    }

    #[test]
    fn a_copy_runs_under_the_functions_role_where_that_is_named_and_else_under_the_stacks() {
        let role = |copyable: &str, copy_role: &str| {
            let given = [("copyableRoles", copyable), ("copyRole", copy_role)];
            let given = given.map(|(name, value)| (name.to_owned(), value.to_owned()));
            super::role("arn:aws:iam::123456789012:role/own", EXECUTION, &Clients::with(given.into()))
        };
        let own = "arn:aws:iam::123456789012:role/own";
        assert_eq!(role(own, "").as_deref(), Ok(own));
        assert_eq!(role("arn:aws:iam::123456789012:role/o*,x", "other").as_deref(), Ok(own));
        assert_eq!(role("arn:aws:iam::123456789012:role/another", "other").as_deref(), Ok("other"));
        let refused = role("", "").unwrap_err();
        assert!(
            refused.message.contains("--copyable-roles") && refused.message.contains("in-place"),
            "{refused}"
        );
    }

    #[test]
    fn a_function_elsewhere_is_refused() {
        let at = |arn: &str| same_place(&LambdaArn::parse(arn).unwrap(), false, EXECUTION);
        at("arn:aws:lambda:eu-west-1:123456789012:function:f").unwrap();
        let region = at("arn:aws:lambda:us-east-1:123456789012:function:f").unwrap_err();
        assert!(region.message.contains("region us-east-1, and the stack is in eu-west-1"), "{region}");
        let account = at("arn:aws:lambda:eu-west-1:210987654321:function:f").unwrap_err();
        assert!(
            account.message.contains("account 210987654321") && account.message.contains("roleARN"),
            "{account}"
        );
        let theirs = LambdaArn::parse("arn:aws:lambda:eu-west-1:210987654321:function:f").unwrap();
        same_place(&theirs, true, EXECUTION).unwrap();
    }

    #[test]
    fn copies_of_another_accounts_function_have_the_stacks_role() {
        let role = |name: &str, value: &str| {
            let clients = Clients::with([(name.to_owned(), value.to_owned())].into());
            super::role("arn:aws:iam::210987654321:role/own", EXECUTION, &clients)
        };
        assert_eq!(role("copyRole", "arn:ours").as_deref(), Ok("arn:ours"));
        let refused = role("copyableRoles", "arn:aws:iam::210987654321:role/own").unwrap_err();
        assert!(refused.message.contains("--copy-role"), "{refused}");
    }
}
