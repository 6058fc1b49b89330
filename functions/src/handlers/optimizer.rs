//! Last state: applies the choice when the input asks for it.
//!
//! Event `{"input", "execution"}`; result: the Analyzer's, to which it adds what it has `applied`. Without an alias
//! the function gets the winning memory size. With one, a version with that size is published, the alias points at it as
//! soon as it is Active, and the function gets its own size back. Both under the lock, which here records the function's size, so
//! that the Cleaner undoes what was cut off half-way; a lock somebody else holds is respected.
//!
//! An alias that splits its traffic is refused, before the run as well as here: whether the new version should get all
//! of it, or which share, is not ours to guess. Provisioned concurrency stays with the alias; Lambda moves it over.
//!
//! After copies were measured nothing is locked: the function gets the winning size in one step, on the condition that it is still as it
//! was read, by its revision.
//!
//! | permission | on | when |
//! |---|---|---|
//! | `lambda:ListAliases`, `GetFunction`, `CreateAlias`, `UpdateAlias`, `UpdateFunctionConfiguration`, `DeleteAlias` | the function | `autoOptimize` |
//! | `lambda:PublishVersion` | the function | `autoOptimizeAlias` |

use serde_json::Value;
use tokio::time::Instant;
use tuning::input::Input;
use tuning::output::Change;
use wildmatch::WildMatch;

use crate::clients::Clients;
use crate::deadline::Deadline;
use crate::error::{Error, Kind};
use crate::event::{self, StateEvent};
use crate::function_api::{Alias, Backoff, Configuration, FunctionApi};
use crate::mark::{LOCK_ALIAS, LockMark, Purpose, ThingMark};
use crate::run::Run;
use crate::undo::hold::Hold;
use crate::undo::{Held, Lock, LockError};

/// Answers one event.
///
/// # Errors
/// A function somebody else is tuning or has changed, an alias that splits its traffic, what AWS refuses.
pub async fn handle(event: Value, deadline: Deadline, clients: &Clients) -> Result<Value, Error> {
    let event = StateEvent::parse("optimizer", event)?;
    let mut analysis = event.input["analysis"].clone();
    if analysis.is_null() {
        return Ok(analysis);
    }
    let run = event.run("optimizer")?;
    let input = event::input(&event.input, &run.power_values)?;
    // The Analyzer has judged the gate and seen what stopped the run; its answer is what the user reads, so it is also what counts here.
    if !input.auto_optimize || analysis["applied"] == false {
        return Ok(analysis);
    }
    refuse_alias(&input, clients)?;
    let power = analysis["power"]
        .as_u64()
        .and_then(|power| u32::try_from(power).ok())
        .ok_or_else(|| Error::event("optimizer", "`analysis.power`, the Analyzer's choice, is missing"))?;
    let api = FunctionApi::of_run(clients, &run, deadline).await?.listing();
    let change = match &input.auto_optimize_alias {
        _ if run.copies.is_some() => apply_at_once(&api, &run, power).await?,
        None => apply_to_latest(&api, &run, power).await?,
        Some(alias) => apply_to_alias(&api, &run, power, alias).await?,
    };
    analysis["applied"] = super::json(&change)?;
    Ok(analysis)
}

/// Refuses an alias that the stack's `optimizableAliases` leaves out. IAM could not: Lambda asks it about the function only.
///
/// # Errors
/// [`Kind::InvalidInput`] naming the alias and the parameter.
pub fn refuse_alias(input: &Input, clients: &Clients) -> Result<(), Error> {
    let Some(alias) = input.auto_optimize_alias.as_deref().filter(|_| input.auto_optimize) else {
        return Ok(());
    };
    let patterns = clients.variable("optimizableAliases").unwrap_or_else(|| "*".to_owned());
    if patterns.split(',').any(|pattern| WildMatch::new(pattern.trim()).matches(alias)) {
        return Ok(());
    }
    let message = format!(
        "autoOptimizeAlias: the stack's optimizableAliases is {patterns:?}, which does not have the alias {alias:?}"
    );
    Err(Error::new(Kind::InvalidInput, message))
}

/// Refuses an alias whose traffic goes to more than one version.
///
/// # Errors
/// [`Kind::InvalidInput`] naming the alias.
pub fn refuse_weights(alias: &Alias) -> Result<(), Error> {
    if alias.also.is_empty() {
        return Ok(());
    }
    let message = format!(
        "autoOptimizeAlias: the alias {} splits its traffic between versions {} and {}; send all of it to one version first, or leave autoOptimizeAlias out",
        alias.name,
        alias.version,
        alias.also.join(", ")
    );
    Err(Error::new(Kind::InvalidInput, message))
}

async fn apply_to_latest(api: &FunctionApi, run: &Run, power: u32) -> Result<Change, Error> {
    let lock = take_lock(api, run, power).await?;
    set(api, run, lock.mark.base, power).await?;
    Hold::last(api, &lock, power).await?.release(api).await?;
    Ok(Change { memory_size: power, was: Some(run.baseline.memory_size), alias: None, version: None })
}

/// Sets the size of the function in one step. A run that measures the function itself at the moment is left alone: it would take the
/// change for somebody else's.
async fn apply_at_once(api: &FunctionApi, run: &Run, power: u32) -> Result<Change, Error> {
    let base = run.baseline.memory_size;
    let applied = Change { memory_size: power, was: Some(base), alias: None, version: None };
    let mut backoff = Backoff::polling();
    loop {
        if let Held::By(lock) = Held::among(&api.aliases().await?) {
            let owner = lock.mark.owner;
            let message = format!("the function is being tuned by {owner}: the choice was not applied");
            return Err(Error::new(Kind::AlreadyBeingTuned, message));
        }
        let found = current(api, run).await?;
        // It may also be this very change, whose answer was lost.
        if found.memory == power {
            return Ok(applied);
        }
        if found.memory != base {
            let message = format!(
                "somebody set the function's memory size to {} MB during the run: the choice of {power} MB was not applied",
                found.memory
            );
            return Err(Error::new(Kind::FunctionChanged, message));
        }
        match api.set_memory(power, &found.revision).await {
            Ok(_) => {
                api.ready_configuration(None).await?;
                return Ok(applied);
            }
            Err(refusal) if refusal.is_outdated() => {}
            Err(refusal) => return Err(refusal.into()),
        }
        if !backoff.wait(api.deadline()).await {
            return Err(Error::late(format!("the function could not be set to {power} MB")));
        }
    }
}

async fn apply_to_alias(api: &FunctionApi, run: &Run, power: u32, name: &str) -> Result<Change, Error> {
    let lock = take_lock(api, run, power).await?;
    let base = lock.mark.base;
    let mark = ThingMark::new(Purpose::Result, &run.execution).to_string();
    let mut backoff = Backoff::polling();
    let version = loop {
        let changed = set(api, run, base, power).await?;
        Lock::owned(api, &run.execution).await?;
        match api.publish(&mark, &run.code_sha256, &changed.revision).await {
            Ok(version) => break version,
            Err(refusal) if refusal.is_outdated() || refusal.code == "InvalidParameterValueException" => {
                if !backoff.wait(api.deadline()).await {
                    return Err(refusal.into());
                }
            }
            Err(refusal) => return Err(refusal.into()),
        }
    };
    let number = version.number.ok_or_else(Error::no_version)?.to_string();
    // With SnapStart that takes minutes, and until then the alias would answer with errors.
    if version.pending {
        api.ready_configuration(Some(&number)).await?;
    }
    let before = point(api, run, name, &number).await?;
    set(api, run, power, base).await?;
    Hold::last(api, &lock, base).await?.release(api).await?;
    let was = match before {
        // The choice is applied: a version that was deleted meanwhile is no reason to fail.
        Some(before) => api.configuration(Some(&before)).await.ok().map(|found| found.memory),
        None => None,
    };
    Ok(Change { memory_size: power, was, alias: Some(name.to_owned()), version: Some(number) })
}

/// The function as it is; somebody else's changes since the measurement make the choice worthless.
async fn current(api: &FunctionApi, run: &Run) -> Result<Configuration, Error> {
    let found = api.ready_configuration(None).await?;
    if !found.has_same_settings(&run.code_sha256, &run.settings) {
        let message =
            "somebody changed the function's code or settings during the run: the choice was not applied";
        return Err(Error::new(Kind::FunctionChanged, message));
    }
    Ok(found)
}

/// Takes the lock again; one left by a lost answer of this very state is ours, and knows the function's size.
async fn take_lock(api: &FunctionApi, run: &Run, power: u32) -> Result<Lock, Error> {
    let started = Instant::now();
    let mut backoff = Backoff::polling();
    loop {
        let taken = match Held::among(&api.aliases().await?) {
            // A reading from before the Cleaner deleted this run's lock shows one as well: what can be written is there.
            Held::By(lock) if lock.mark.owner == run.execution && !lock.mark.is_stopping() => {
                match lock.write(api, lock.mark.clone(), None).await {
                    Ok(lock) => return Ok(lock),
                    Err(LockError::Moved) => None,
                    Err(LockError::Refused(refusal)) => return Err(refusal.into()),
                }
            }
            Held::By(lock) => {
                let owner = lock.mark.owner;
                let message =
                    format!("the function is now being tuned by {owner}: the choice was not applied");
                Some(Error::new(Kind::AlreadyBeingTuned, message))
            }
            Held::Foreign(_) => {
                let message = format!(
                    "somebody has made an alias {LOCK_ALIAS}, the name of the run's lock: the choice was not applied"
                );
                Some(Error::new(Kind::AliasClash, message))
            }
            Held::Free => {
                let found = current(api, run).await?.memory;
                let base = run.baseline.memory_size;
                if found != base && found != power {
                    let message = format!(
                        "somebody set the function's memory size to {found} MB during the run: the choice of {power} MB was not applied"
                    );
                    return Err(Error::new(Kind::FunctionChanged, message));
                }
                let mark = LockMark::idle(&run.execution, found).going_to(power);
                if let Some(lock) = Lock::take(api, mark).await? {
                    return Ok(lock);
                }
                None
            }
        };
        // The Cleaner has only just deleted this run's own lock, which a reading may still show.
        if let Some(taken) = taken.filter(|_| started.elapsed() >= api.waits().stale_reading) {
            return Err(taken);
        }
        if !backoff.wait(api.deadline()).await {
            return Err(Error::late(
                "the choice was not applied: the lock on the function could not be taken",
            ));
        }
    }
}

/// Sets the size of `$LATEST` from one value to another and waits until that has come into effect.
///
/// # Errors
/// [`Kind::FunctionChanged`] when it stays at a third value, which is somebody's and is left to them.
async fn set(api: &FunctionApi, run: &Run, from: u32, to: u32) -> Result<Configuration, Error> {
    let started = Instant::now();
    let mut backoff = Backoff::polling();
    loop {
        let found = current(api, run).await?;
        if found.memory == to {
            return Ok(found);
        }
        if found.memory == from {
            // In this order: whoever cleans up first marks the lock, then makes every revision read before invalid.
            Lock::owned(api, &run.execution).await?;
            match api.set_memory(to, &found.revision).await {
                Ok(_) => {}
                Err(refusal) if refusal.is_outdated() => {}
                Err(refusal) => return Err(refusal.into()),
            }
        }
        // Anything else is a reading that lags behind or somebody's change, which does not go away.
        if found.memory != from && started.elapsed() >= api.waits().stale_memory {
            let message = format!(
                "somebody set the function's memory size to {} MB during the run: it was left so, and not set to {to} MB",
                found.memory
            );
            return Err(Error::new(Kind::FunctionChanged, message));
        }
        if !backoff.wait(api.deadline()).await {
            let has = found.memory;
            return Err(Error::late(format!(
                "the function's memory size is {has} MB and could not be set to {to} MB"
            )));
        }
    }
}

/// Points the user's alias at a version, making it if there is none. Gives the version it pointed at before, if it was another.
async fn point(api: &FunctionApi, run: &Run, name: &str, version: &str) -> Result<Option<String>, Error> {
    let mut backoff = Backoff::transient();
    let mut before = None;
    loop {
        let result = match api.alias(name).await? {
            None => api.create_alias(name, version, "").await.map(drop),
            Some(alias) => {
                refuse_weights(&alias)?;
                if alias.version == version {
                    return Ok(before);
                }
                before = Some(alias.version);
                api.update_alias(name, Some(version), None, &alias.revision).await.map(drop)
            }
        };
        match result {
            Ok(()) => return Ok(before),
            Err(refusal) if refusal.is_outdated() || refusal.is_conflict() => {}
            // The alias was deleted just now, or the version, by whoever cleans up after this run.
            Err(refusal) if refusal.is_not_found() => {
                Lock::owned(api, &run.execution).await?;
            }
            Err(refusal) => return Err(refusal.into()),
        }
        if !backoff.wait(api.deadline()).await {
            return Err(Error::late(format!("the alias {name} could not be pointed at the chosen size")));
        }
    }
}
