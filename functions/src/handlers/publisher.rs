//! Second state, a loop: makes copies ([`crate::copies`]), or a version and an alias for each power value (for each invocation, if all are to be
//! cold starts), then gives the function its own memory size back.
//!
//! Event `{"input", "execution"}`, result [`Run`] with `published` brought forward; `published.done` ends the
//! loop. It works until shortly before its deadline. Before each change of `$LATEST` it writes on the lock where it is
//! going, on the condition that the lock is as it left it: so it stops when the run is being cleaned up, and
//! whoever cleans up knows which sizes are the run's. A version gets its alias while the next size comes into effect. The
//! function is changed for seconds only: while sizes are being published, not while they are measured.
//!
//! | permission | on | when |
//! |---|---|---|
//! | `lambda:GetAlias`, `UpdateAlias`, `CreateAlias`, `UpdateFunctionConfiguration`, `PublishVersion` | the function | every run |
//! | `lambda:GetFunction` | the function, its versions and aliases | every run |
//! | `lambda:GetRuntimeManagementConfig` | the same | copies |
//! | `lambda:CreateFunction`, `GetFunction`, `PublishVersion`, `PutRuntimeManagementConfig`, `TagResource` | copies | copies |
//! | `lambda:GetLayerVersion` | layers | copies of a function that has them |
//! | `ec2:DescribeSecurityGroups`, `DescribeSubnets`, `DescribeVpcs` | everything | copies of a function in a VPC |
//! | `iam:PassRole` | the roles that copies may have | copies |
//! | `s3:PutObject`, `GetObject` | the stack's bucket | copies |
//! | `s3:GetObject` | `codeBucket` | copies with code for a processor |
//! | `states:DescribeExecution` | the machine's executions | copies |

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::json;
use crate::clients::Clients;
use crate::copies::make;
use crate::deadline::Deadline;
use crate::error::{Error, Kind};
use crate::event::{self, StateEvent};
use crate::function_api::{Backoff, Configuration, FunctionApi, Readiness, Ready, Version};
use crate::mark::{LockMark, Purpose, ThingMark};
use crate::run::{Plan, Planned, Run};
use crate::undo::Lock;

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
    let plan = Plan::of(&input, &run);

    run.published.passes += 1;
    let progress = |run: &Run| (run.published.next, run.published.restored, run.published.ready);
    let before = progress(&run);
    let outcome = if run.copies.is_some() {
        make::make(clients, &mut run, &input, &plan, deadline).await
    } else {
        let api = FunctionApi::of_run(clients, &run, deadline).await?;
        advance(&api, &mut run, &plan).await
    };
    if before == progress(&run) {
        run.published.stalled_ms += u64::try_from(deadline.elapsed().as_millis()).unwrap_or(u64::MAX);
    } else {
        run.published.stalled_ms = 0;
    }
    match outcome {
        // Out of time means another pass, unless nothing has come of the passes so far.
        Err(error)
            if error.kind != Kind::OutOfTime
                || Duration::from_millis(run.published.stalled_ms) >= clients.waits().patience =>
        {
            Err(error)
        }
        _ => json(&run),
    }
}

/// Takes as many steps as fit before the deadline.
async fn advance(api: &FunctionApi, run: &mut Run, plan: &Plan) -> Result<(), Error> {
    let mut publisher = Publisher::enter(api, run, plan).await?;
    let mut longest = Duration::ZERO;
    let mut steps = 0_u32;
    while !run.published.done {
        // The first step of a pass always goes, or there would be no end to passes.
        if steps > 0 && api.deadline().remaining() < longest * 2 + SHORTEST_STEP {
            return publisher.catch_up(run).await;
        }
        let started = Instant::now();
        if let Some(planned) = plan.get(publisher.next(run)) {
            publisher.publish(run, planned).await?;
        } else if !run.published.restored {
            publisher.restore(run).await?;
            run.published.restored = true;
        } else if run.published.pending {
            // Versions are prepared in the order in which they came. Should one take longer, its invocation waits for it.
            if let Some(planned) = plan.last() {
                match api.ready_configuration(Some(&planned.alias())).await {
                    // Lambda could not prepare it at its size, as SnapStart does: the Executor skips that one.
                    Err(error) if error.kind == Kind::FunctionNotReady => {}
                    ready => drop(ready?),
                }
            }
            run.published.pending = false;
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
    /// A pass before this one was cut off: what it made may be there already.
    resuming: bool,
    /// A version whose alias is to be made while the next version is.
    waiting: Option<Unnamed>,
    /// How long after a change it is worth looking whether it is in effect.
    look_after: Duration,
}

/// A version that has no alias yet.
struct Unnamed {
    planned: Planned,
    version: String,
}

impl<'a> Publisher<'a> {
    async fn enter(api: &'a FunctionApi, run: &Run, plan: &Plan) -> Result<Self, Error> {
        let lock = Lock::owned(api, &run.execution).await?;
        let resuming = lock.mark.to != size_before(run, plan, run.published.next);
        Ok(Self { api, lock, resuming, waiting: None, look_after: Duration::ZERO })
    }

    /// The index of the next version to make.
    fn next(&self, run: &Run) -> u32 {
        run.published.next + u32::from(self.waiting.is_some())
    }

    /// Makes one version, and meanwhile the alias of the one before.
    async fn publish(&mut self, run: &mut Run, planned: Planned) -> Result<(), Error> {
        let mark = planned.mark(&run.execution);
        if self.resuming {
            match self.api.alias(&planned.alias()).await? {
                Some(alias) if alias.description == mark => {
                    run.published.next += 1;
                    return Ok(());
                }
                _ => self.resuming = false,
            }
        }
        if planned.copy.is_none() && planned.power == run.baseline.memory_size {
            self.catch_up(run).await?;
            // The copy of the function as it was has this very size. It may be a version that outlives the run, so
            // that making an alias of it would succeed even after the clean-up.
            Lock::owned(self.api, &run.execution).await?;
            self.waiting = Some(Unnamed { planned, version: run.snapshot_version.clone() });
            return self.catch_up(run).await;
        }
        let waiting = self.waiting.take();
        let (named, version) =
            tokio::join!(name(self.api, run, waiting.as_ref()), self.version(run, planned, &mark));
        named?;
        run.published.next += u32::from(waiting.is_some());
        let version = version?;
        run.published.pending |= version.pending;
        self.waiting = Some(Unnamed { planned, version: number(&version)? });
        Ok(())
    }

    /// Makes the alias that was put off.
    async fn catch_up(&mut self, run: &mut Run) -> Result<(), Error> {
        let waiting = self.waiting.take();
        name(self.api, run, waiting.as_ref()).await?;
        run.published.next += u32::from(waiting.is_some());
        Ok(())
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
            match self.api.publish(mark, &run.code_sha256, &configuration.revision).await {
                Ok(version) if version.memory == power => return Ok(version),
                // A version from before the change: Lambda has not seen it yet.
                Ok(_) => {}
                Err(refusal) if refusal.is_outdated() || refusal.code == "InvalidParameterValueException" => {
                }
                Err(refusal) => return Err(at(power, refusal.into())),
            }
            touch = false;
            if !backoff.wait(self.api.deadline()).await {
                return Err(Error::late(format!("the function at {power} MB could not be published")));
            }
        }
    }

    /// Brings `$LATEST` to a size and waits until that has come into effect. With `touch` it is updated even when it
    /// has the size, which lets Lambda make a new version of it.
    async fn change(&mut self, run: &Run, power: u32, touch: bool) -> Result<Configuration, Error> {
        let accepted = self.request(run, power, touch).await?;
        if accepted.readiness() == Readiness::Ready {
            return Ok(accepted);
        }
        let since = Instant::now();
        tokio::time::sleep(self.look_after.min(self.api.deadline().remaining())).await;
        let seen = self.settled(run, Some(power)).await?;
        // As long as the first look finds it, the next one comes earlier: each call counts, and each wait.
        let took = seen.asked.duration_since(since);
        self.look_after = if seen.at_once { took * 9 / 10 } else { took };
        Ok(seen.configuration)
    }

    /// Brings `$LATEST` to a size, which need not have come into effect yet. Its revision is read each time: publishing a
    /// version changes it.
    async fn request(&mut self, run: &Run, power: u32, touch: bool) -> Result<Configuration, Error> {
        let mut backoff = Backoff::polling();
        loop {
            let found = self.settled(run, None).await?.configuration;
            if found.memory == power && self.lock.mark.to == power && !touch {
                return Ok(found);
            }
            // In this order: whoever cleans up first marks the lock, then makes every revision read before invalid.
            self.announce(run, power).await?;
            match self.api.set_memory(power, &found.revision).await {
                Ok(updated) => {
                    check_unchanged(run, &updated)?;
                    return Ok(updated);
                }
                // Somebody changed it, or this very change was made and its answer lost: look before going on.
                Err(refusal) if refusal.is_outdated() => {}
                Err(refusal) => return Err(at(power, refusal.into())),
            }
            if !backoff.wait(self.api.deadline()).await {
                return Err(Error::late(format!("the function could not be set to {power} MB")));
            }
        }
    }

    /// Writes on the lock which size `$LATEST` is about to get, or makes sure that it says so still.
    async fn announce(&mut self, run: &Run, power: u32) -> Result<(), Error> {
        if self.lock.mark.to == power {
            // A reading that differs is from before: the one that was written is the newer one.
            let found = Lock::owned(self.api, &run.execution).await?;
            if found.mark == self.lock.mark {
                self.lock = found;
            }
        } else {
            let mark = self.lock.mark.going_to(power);
            self.lock = self.lock.update(self.api, |_| mark.clone(), None).await?;
        }
        Ok(())
    }

    /// Waits until no update is in progress and, where given, the size is this one; refuses to go on when somebody
    /// else changed the function.
    async fn settled(&self, run: &Run, power: Option<u32>) -> Result<Ready, Error> {
        let started = Instant::now();
        let mut backoff = Backoff::polling();
        loop {
            let seen = self.api.ready(None).await?;
            let found = &seen.configuration;
            check_unchanged(run, found)?;
            let mark = &self.lock.mark;
            let expected = match power {
                Some(power) => found.memory == power,
                None => [mark.base, mark.from, mark.to].contains(&found.memory),
            };
            if expected {
                return Ok(seen);
            }
            // Whoever cleans up after this run sets another size too.
            Lock::owned(self.api, &run.execution).await?;
            if started.elapsed() >= self.api.waits().stale_memory {
                return Err(changed(&format!("its memory size was set to {} MB", found.memory)));
            }
            if !backoff.wait(self.api.deadline()).await {
                return Err(Error::late("a change of the function did not come into effect"));
            }
        }
    }

    /// Gives the function its own size back and says so on the lock: a size set after that is somebody else's.
    ///
    /// Nobody waits until that has come into effect, since versions are what is measured. The Cleaner looks at it.
    async fn restore(&mut self, run: &mut Run) -> Result<(), Error> {
        let waiting = self.waiting.take();
        let (named, restored) = tokio::join!(name(self.api, run, waiting.as_ref()), self.put_back(run));
        named?;
        run.published.next += u32::from(waiting.is_some());
        restored
    }

    async fn put_back(&mut self, run: &Run) -> Result<(), Error> {
        let base = run.baseline.memory_size;
        let idle = LockMark::idle(&run.execution, base);
        if self.lock.mark != idle {
            // Whatever a reading says: one from before the first change shows this size too, and nobody looks again.
            self.request(run, base, true).await?;
            self.lock = self.lock.update(self.api, |_| idle.clone(), None).await?;
        }
        Ok(())
    }
}

/// Makes a version's alias; one that is there already is ours from a pass whose answer was lost, or it is an error.
async fn name(api: &FunctionApi, run: &Run, unnamed: Option<&Unnamed>) -> Result<(), Error> {
    let Some(Unnamed { planned, version }) = unnamed else { return Ok(()) };
    let (name, mark) = (planned.alias(), planned.mark(&run.execution));
    let mut backoff = Backoff::transient();
    loop {
        match api.create_alias(&name, version, &mark).await {
            Ok(_) => return Ok(()),
            Err(refusal) if refusal.is_conflict() => match api.alias(&name).await? {
                Some(found) if found.description != mark => {
                    let message = format!(
                        "somebody has just made an alias {name}, which this run needs: delete it, then run again"
                    );
                    return Err(Error::new(Kind::AliasClash, message));
                }
                Some(found) if found.version == *version => return Ok(()),
                Some(found) => match api.update_alias(&name, Some(version), None, &found.revision).await {
                    Ok(_) => return Ok(()),
                    Err(refusal) if refusal.is_outdated() || refusal.is_not_found() => {}
                    Err(refusal) => return Err(refusal.into()),
                },
                // A conflict with something else, such as an update in progress.
                None => {}
            },
            Err(refusal) => return Err(at(planned.power, refusal.into())),
        }
        if !backoff.wait(api.deadline()).await {
            return Err(Error::late(format!("the alias {name} could not be made")));
        }
    }
}

/// The size `$LATEST` has before the version of this index is made, if all went regularly.
fn size_before(run: &Run, plan: &Plan, index: u32) -> u32 {
    let base = run.baseline.memory_size;
    if run.published.restored {
        return base;
    }
    (run.published.since..index)
        .rev()
        .filter_map(|index| plan.get(index))
        .find(|it| sets_size(it, base))
        .map_or(base, |it| it.power)
}

/// Whether a version has to be made for it: of the function's own size there is the copy.
fn sets_size(planned: &Planned, base: u32) -> bool {
    planned.copy.is_some() || planned.power != base
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
    let number = version.number.ok_or_else(Error::no_version)?;
    Ok(number.to_string())
}

fn at(power: u32, error: Error) -> Error {
    Error::new(error.kind, format!("power value {power}: {}", error.message))
}
