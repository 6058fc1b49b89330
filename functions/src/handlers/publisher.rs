//! Second state, a loop: makes a version and an alias for each power value (for each invocation, if all are to be
//! cold starts), then gives the function its own memory size back.
//!
//! Event `{"input", "execution"}`, result [`Run`] with `published` brought forward; `published.done` ends the
//! loop. It works until shortly before its deadline. Before each change of `$LATEST` it writes on the lock where it is
//! going, on the condition that the lock is as it left it: so it stops when the run is being cleaned up, and
//! whoever cleans up knows which sizes are the run's. The function is changed for seconds only: while sizes
//! are being published, not while they are measured.
//!
//! | permission | on | when |
//! |---|---|---|
//! | `lambda:GetAlias`, `UpdateAlias`, `CreateAlias`, `UpdateFunctionConfiguration`, `PublishVersion` | the function | every run |
//! | `lambda:GetFunctionConfiguration` | the function, its versions and aliases | every run |

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::json;
use crate::clients::Clients;
use crate::deadline::Deadline;
use crate::error::{Error, Kind};
use crate::event::{self, StateEvent};
use crate::function_api::{Backoff, Configuration, FunctionApi, Readiness, Version};
use crate::mark::{Purpose, ThingMark};
use crate::run::{Plan, Planned, Run};
use crate::undo::{CONFIGURATION_LAG, Lock};

/// For this long Lambda may refuse or prepare without any version coming into being, over all passes.
const PATIENCE: Duration = Duration::from_secs(30 * 60);

/// A step that is begun needs at least this long.
const SHORTEST_STEP: Duration = Duration::from_millis(1500);

/// Answers one event.
///
/// # Errors
/// A size AWS does not allow, a function changed by somebody else, a lock that is lost.
pub async fn handle(event: Value, deadline: Deadline, clients: &Clients) -> Result<Value, Error> {
    let event = StateEvent::parse("publisher", event)?;
    let mut run = event.run("publisher")?;
    let input = event::input(&event.input, &run.power_values)?;
    let api = FunctionApi::new(clients.lambda(&run.region)?, run.function_arn.clone(), deadline);
    let sizes = run.power_values.clone();
    let plan = Plan::new(&input, &sizes);

    run.published.passes += 1;
    let before = (run.published.next, run.published.ready, run.published.restored);
    let outcome = advance(&api, &mut run, &plan).await;
    if before == (run.published.next, run.published.ready, run.published.restored) {
        run.published.stalled_ms += u64::try_from(deadline.elapsed().as_millis()).unwrap_or(u64::MAX);
    } else {
        run.published.stalled_ms = 0;
    }
    match outcome {
        // Out of time means another pass, unless nothing has come of the passes so far.
        Err(error) if error.kind != Kind::OutOfTime || over(run.published.stalled_ms) => Err(error),
        _ => json(&run),
    }
}

fn over(stalled_ms: u64) -> bool {
    Duration::from_millis(stalled_ms) >= PATIENCE
}

/// Takes as many steps as fit before the deadline.
async fn advance(api: &FunctionApi, run: &mut Run, plan: &Plan<'_>) -> Result<(), Error> {
    let mut publisher = Publisher::enter(api, run, plan).await?;
    let mut longest = Duration::ZERO;
    let mut steps = 0_u32;
    while !run.published.done {
        // The first step of a pass always goes, or there would be no end to passes.
        if steps > 0 && api.deadline().remaining() < longest * 2 + SHORTEST_STEP {
            return Ok(());
        }
        let started = Instant::now();
        if let Some(planned) = plan.get(run.published.next) {
            publisher.publish(run, planned).await?;
            run.published.next += 1;
        } else if !run.published.restored {
            publisher.restore(run).await?;
            run.published.restored = true;
        } else if run.published.pending && run.published.ready < run.published.total {
            if let Some(planned) = plan.get(run.published.ready) {
                api.ready_configuration(Some(&planned.alias())).await?;
            }
            run.published.ready += 1;
        } else {
            run.published.done = true;
        }
        longest = longest.max(started.elapsed());
        steps += 1;
    }
    Ok(())
}

struct Publisher<'a> {
    api: &'a FunctionApi,
    lock: Lock,
    /// The revision of `$LATEST` as last read, if nothing has been done since that would change it.
    revision: Option<String>,
    /// A pass before this one was cut off: what it made may be there already.
    resuming: bool,
}

impl<'a> Publisher<'a> {
    async fn enter(api: &'a FunctionApi, run: &Run, plan: &Plan<'_>) -> Result<Self, Error> {
        let lock = Lock::owned(api, &run.execution).await?;
        let resuming = lock.mark.to != expected_memory(run, plan);
        Ok(Self { api, lock, revision: None, resuming })
    }

    /// Makes one version and its alias.
    async fn publish(&mut self, run: &mut Run, planned: Planned) -> Result<(), Error> {
        let mark = planned.mark(&run.execution);
        if self.resuming {
            match self.api.alias(&planned.alias()).await? {
                Some(alias) if alias.description == mark => return Ok(()),
                _ => self.resuming = false,
            }
        }
        let version = if planned.copy.is_none() && planned.power == run.baseline.memory_size {
            // The copy of the function as it was has this very size. It may be a version that outlives the run, so
            // that making an alias of it would succeed even after the clean-up.
            Lock::owned(self.api, &run.execution).await?;
            run.snapshot_version.clone()
        } else {
            let version = self.version(run, planned, &mark).await?;
            run.published.pending |= version.pending;
            number(&version)?
        };
        self.alias(planned, &version, &mark).await
    }

    /// A version with this size; for cold starts, one that nobody else has.
    async fn version(&mut self, run: &Run, planned: Planned, mark: &str) -> Result<Version, Error> {
        let version = self.publish_at(run, planned.power, planned.copy.is_some(), mark).await?;
        if planned.copy.is_none() || version.description == mark {
            return Ok(version);
        }
        // Lambda saw no difference from the last version, so there has to be another one in between.
        let spacer = ThingMark::new(Purpose::Spacer, &run.execution).to_string();
        let neighbour =
            if planned.power > tuning::input::SMALLEST { planned.power - 1 } else { planned.power + 1 };
        self.publish_at(run, neighbour, true, &spacer).await?;
        let version = self.publish_at(run, planned.power, true, mark).await?;
        if version.description == mark {
            return Ok(version);
        }
        let message = format!(
            "PublishVersion at {} MB answered with a version somebody else published just now: run again when nobody is deploying",
            planned.power
        );
        Err(Error::new(Kind::FunctionChanged, message))
    }

    /// Sets `$LATEST` to a size and publishes it.
    async fn publish_at(&mut self, run: &Run, power: u32, touch: bool, mark: &str) -> Result<Version, Error> {
        let mut backoff = Backoff::polling();
        let mut touch = touch;
        loop {
            let configuration = self.change(run, power, touch).await?;
            if power == run.baseline.memory_size {
                // A function that was put back in the meantime looks just like one that was set to this size.
                Lock::owned(self.api, &run.execution).await?;
            }
            self.revision = Some(configuration.revision.clone());
            match self.api.publish(mark, &run.code_sha256, &configuration.revision).await {
                Ok(version) if version.memory == power => return Ok(version),
                // A version from before the change: Lambda has not seen it yet.
                Ok(_) => {}
                Err(refusal) if refusal.is_outdated() || refusal.code == "InvalidParameterValueException" => {
                }
                Err(refusal) => return Err(at(power, refusal.into())),
            }
            self.revision = None;
            touch = false;
            if !backoff.wait(self.api.deadline()).await {
                let message =
                    format!("the function at {power} MB could not be published in the time there was");
                return Err(Error::new(Kind::OutOfTime, message));
            }
        }
    }

    /// Brings `$LATEST` to a size and waits until that has come into effect. With `touch` it is updated even when it
    /// has the size, which lets Lambda make a new version of it.
    async fn change(&mut self, run: &Run, power: u32, touch: bool) -> Result<Configuration, Error> {
        let mut touch = touch;
        let mut backoff = Backoff::polling();
        loop {
            let revision = match self.revision.take() {
                Some(revision) => revision,
                None => {
                    let found = self.settled(run, None).await?;
                    if found.memory == power && self.lock.mark.to == power && !touch {
                        return Ok(found);
                    }
                    found.revision
                }
            };
            // In this order: whoever cleans up first marks the lock, then makes every revision read before invalid.
            self.announce(run, power).await?;
            match self.api.set_memory(power, &revision).await {
                Ok(updated) if updated.readiness() == Readiness::Ready => {
                    check_unchanged(run, &updated)?;
                    return Ok(updated);
                }
                Ok(_) => return self.settled(run, Some(power)).await,
                // Somebody changed it, or this very change was made and its answer lost: look before going on.
                Err(refusal) if refusal.is_outdated() => touch = false,
                Err(refusal) => return Err(at(power, refusal.into())),
            }
            if !backoff.wait(self.api.deadline()).await {
                let message = format!("the function could not be set to {power} MB in the time there was");
                return Err(Error::new(Kind::OutOfTime, message));
            }
        }
    }

    /// Writes on the lock which size `$LATEST` is about to get, or makes sure that it says so still.
    async fn announce(&mut self, run: &Run, power: u32) -> Result<(), Error> {
        if self.lock.mark.to == power {
            self.lock = Lock::owned(self.api, &run.execution).await?;
        } else {
            let mark = self.lock.mark.going_to(power);
            self.lock = self.lock.update(self.api, |_| mark.clone(), None).await?;
        }
        Ok(())
    }

    /// Waits until no update is in progress and, where given, the size is this one; refuses to go on when somebody
    /// else changed the function.
    async fn settled(&self, run: &Run, power: Option<u32>) -> Result<Configuration, Error> {
        let started = Instant::now();
        let mut backoff = Backoff::polling();
        loop {
            let found = self.api.ready_configuration(None).await?;
            check_unchanged(run, &found)?;
            let mark = &self.lock.mark;
            let expected = match power {
                Some(power) => found.memory == power,
                None => [mark.base, mark.from, mark.to].contains(&found.memory),
            };
            if expected {
                return Ok(found);
            }
            // Whoever cleans up after this run sets another size too.
            Lock::owned(self.api, &run.execution).await?;
            if started.elapsed() >= CONFIGURATION_LAG {
                return Err(changed(&format!("its memory size was set to {} MB", found.memory)));
            }
            if !backoff.wait(self.api.deadline()).await {
                return Err(Error::new(
                    Kind::OutOfTime,
                    "a change of the function did not come into effect in time",
                ));
            }
        }
    }

    /// Makes an alias; one that is there already is ours from a pass whose answer was lost, or it is an error.
    async fn alias(&self, planned: Planned, version: &str, mark: &str) -> Result<(), Error> {
        let name = planned.alias();
        let mut backoff = Backoff::weather();
        loop {
            match self.api.create_alias(&name, version, mark).await {
                Ok(_) => return Ok(()),
                Err(refusal) if refusal.is_conflict() => match self.api.alias(&name).await? {
                    Some(found) if found.description != mark => {
                        let message = format!("somebody has just made an alias {name}, which this run needs");
                        return Err(Error::new(Kind::AliasClash, message));
                    }
                    Some(found) if found.version == version => return Ok(()),
                    Some(found) => {
                        match self.api.update_alias(&name, Some(version), None, &found.revision).await {
                            Ok(_) => return Ok(()),
                            Err(refusal) if refusal.is_outdated() || refusal.is_not_found() => {}
                            Err(refusal) => return Err(refusal.into()),
                        }
                    }
                    // A conflict with something else, such as an update in progress.
                    None => {}
                },
                Err(refusal) => return Err(at(planned.power, refusal.into())),
            }
            if !backoff.wait(self.api.deadline()).await {
                return Err(Error::new(
                    Kind::OutOfTime,
                    format!("the alias {name} could not be made in time"),
                ));
            }
        }
    }

    /// Gives the function its own size back and says so on the lock: a size set after that is somebody else's.
    async fn restore(&mut self, run: &Run) -> Result<(), Error> {
        let base = run.baseline.memory_size;
        let idle = crate::mark::LockMark::idle(&run.execution, base);
        if self.lock.mark != idle {
            self.change(run, base, false).await?;
            self.lock = self.lock.update(self.api, |_| idle.clone(), None).await?;
        }
        Ok(())
    }
}

/// The size `$LATEST` has if the passes before this one came to their regular end.
fn expected_memory(run: &Run, plan: &Plan<'_>) -> u32 {
    let base = run.baseline.memory_size;
    if run.published.restored {
        return base;
    }
    let made = (0..run.published.next).rev().filter_map(|index| plan.get(index));
    made.filter(|planned| planned.copy.is_some() || planned.power != base)
        .map(|planned| planned.power)
        .next()
        .unwrap_or(base)
}

fn check_unchanged(run: &Run, found: &Configuration) -> Result<(), Error> {
    if found.has_same_settings(&run.code_sha256, &run.settings) {
        return Ok(());
    }
    let what =
        if found.code == run.code_sha256 { "its settings were changed" } else { "other code was deployed" };
    Err(changed(what))
}

fn changed(what: &str) -> Error {
    let message = format!(
        "somebody changed the function while it was being tuned: {what}; that was left as it is, run again when nobody is deploying"
    );
    Error::new(Kind::FunctionChanged, message)
}

fn number(version: &Version) -> Result<String, Error> {
    let number = version
        .number
        .ok_or_else(|| Error::new(Kind::Refused, "PublishVersion answered without a number"))?;
    Ok(number.to_string())
}

fn at(power: u32, error: Error) -> Error {
    Error::new(error.kind, format!("power value {power}: {}", error.message))
}
