//! Putting the function back as it was, and deleting what a run made.
//!
//! Used by the Cleaner, and by the Initializer for what a dead execution left. The order matters: first nobody may
//! go on (the lock says *stopping*), then `$LATEST` gets its memory size back, then the lock lets go of the
//! snapshot, then aliases and versions go. Whoever is interrupted can start again at the beginning: what is done is
//! found to be done. Only what carries a mark of ours is deleted, only sizes the run set are undone.

use std::collections::{BTreeSet, VecDeque};

use tokio::task::JoinSet;

use super::hold::Hold;
use crate::error::{Error, Kind};
use crate::function_api::{Alias, Backoff, FunctionApi, Readiness, Refusal, Version};
use crate::mark::{LOCK_ALIAS, MARK, Purpose, ThingMark};

/// Deletions under way at once: Lambda allows 15 control-plane calls a second in an account.
const AT_ONCE: usize = 4;

/// What to sweep.
#[derive(Debug)]
pub struct Job<'a> {
    /// The execution whose result versions may go; their aliases are the user's.
    pub of: &'a str,
    /// Somebody may still be working for the run: it did not come to its regular end.
    pub interrupted: bool,
    /// The number of aliases known to have been made, 0 when that is not known.
    pub expected_aliases: usize,
    /// Code and settings as they were, where known: to report that somebody changed them.
    pub settings: Option<(&'a str, &'a str)>,
}

/// What a sweep did.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Swept {
    /// What the user should know.
    pub notes: Vec<String>,
    /// The function's memory size now, in MB.
    pub memory: u32,
    /// Whether it had to be put back.
    pub restored: bool,
    /// The number of aliases deleted.
    pub aliases: usize,
    /// The number of versions deleted.
    pub versions: usize,
}

/// Puts back and deletes; the lock stays for the caller to delete or to renew.
///
/// # Errors
/// What AWS refuses, a lock that now belongs to somebody else, or a lack of time. It can be called again.
pub async fn sweep(api: &FunctionApi, mut hold: Hold, job: &Job<'_>) -> Result<(Swept, Hold), Error> {
    match put_back_and_clear(api, &mut hold, job).await {
        Ok(swept) => Ok((swept, hold)),
        Err(error) => {
            // Without time, a call may still be under way.
            if !matches!(error.kind, Kind::OutOfTime | Kind::LockLost) {
                hold.abandon(api).await;
            }
            Err(error)
        }
    }
}

async fn put_back_and_clear(api: &FunctionApi, hold: &mut Hold, job: &Job<'_>) -> Result<Swept, Error> {
    let mut swept = Swept::default();
    let interrupted = job.interrupted || !hold.mark().is_idle();
    restore(api, hold, job.settings, &mut swept).await?;
    hold.put_back(api).await?;
    clear(api, hold, job, interrupted, &mut swept).await?;
    Ok(swept)
}

/// Sets `$LATEST` back to the size it had, if the size it has is one the run set.
///
/// While the run is setting sizes, it is updated in any case, if only to the size it has: that changes its revision, so
/// that an update or publication somebody sent before the lock said *stopping* fails instead of arriving late.
async fn restore(
    api: &FunctionApi,
    hold: &mut Hold,
    settings: Option<(&str, &str)>,
    swept: &mut Swept,
) -> Result<(), Error> {
    let mark = hold.mark().clone();
    let mut fence = !mark.is_idle();
    let mut sent = false;
    let mut backoff = Backoff::polling();
    loop {
        let found = api.configuration(None).await?;
        // After the reading: what was read is the run's doing as long as nobody else has taken over.
        hold.keep(api).await?;
        let readiness = found.readiness();
        if !matches!(readiness, Readiness::NotYet(_)) {
            let ours = mark.set_by_run(found.memory);
            // The Publisher does not wait for its last change: nobody has seen yet that it failed.
            let broken = match readiness {
                Readiness::Broken(reason) => Some(reason),
                _ => None,
            };
            fence |= broken.is_some() && !sent;
            if !ours && !fence {
                if let Some(reason) = broken {
                    swept.notes.push(format!("the function cannot be used as it is: {reason}"));
                }
                if found.memory != mark.base {
                    swept.notes.push(format!(
                        "somebody set the function's memory size to {} MB during the run: that was left as it is (it was {} MB before)",
                        found.memory, mark.base
                    ));
                }
                if settings.is_some_and(|(code, fingerprint)| !found.has_same_settings(code, fingerprint)) {
                    let note = "somebody changed the function's code or settings during the run: that was left as it is";
                    swept.notes.push(note.to_owned());
                }
                swept.memory = found.memory;
                return Ok(());
            }
            let target = if ours { mark.base } else { found.memory };
            match api.set_memory(target, &found.revision).await {
                Ok(_) => {
                    fence = false;
                    sent = true;
                    swept.restored |= ours;
                }
                // Changed since it was read, or our own change whose answer was lost: look again.
                Err(refusal) if refusal.is_outdated() => {}
                // A denied KMS key or an SCP refuses the run's own updates as well, so that none can arrive late. The
                // size needs no putting back, and without this the lock would stay for ever.
                Err(refusal) if !ours && refusal.is_for_good() => {
                    fence = false;
                    sent = true;
                    swept.notes.push(format!(
                        "the function could not be updated once more, which keeps late updates of the run out; its memory size needed no putting back: {}",
                        refusal.message
                    ));
                }
                Err(refusal) => return Err(refusal.into()),
            }
        }
        if !backoff.wait(api.deadline()).await {
            return Err(Error::late("the function could not be put back"));
        }
    }
}

/// Deletes every alias and version of ours until none is found any more.
async fn clear(
    api: &FunctionApi,
    hold: &mut Hold,
    job: &Job<'_>,
    interrupted: bool,
    swept: &mut Swept,
) -> Result<(), Error> {
    let started = tokio::time::Instant::now();
    let mut backoff = Backoff::polling();
    let mut awaited = BTreeSet::new();
    let mut quiet = false;
    loop {
        let lists = async { tokio::try_join!(api.aliases(), api.versions()) };
        let (aliases, versions) = hold.meanwhile(api, lists).await??;
        let found = Found::sort(&aliases, &versions, job.of);
        awaited.extend(found.targets);
        awaited.retain(|number| !versions.iter().any(|version| version.number == Some(*number)));

        let nothing = found.aliases.is_empty() && found.versions.is_empty();
        let delete_alias = |api: FunctionApi, name: String| async move { api.delete_alias(&name).await };
        let delete_version = |api: FunctionApi, version| async move { api.delete_version(version).await };
        let (aliases, _) = delete_all(api, hold, found.aliases, delete_alias).await?;
        let (versions, in_use) = delete_all(api, hold, found.versions, delete_version).await?;
        swept.aliases += aliases;
        swept.versions += versions;

        // Lists may lag behind: what is known to exist must have been seen before this is over.
        let lagging = swept.aliases < job.expected_aliases || !awaited.is_empty();
        if in_use == 0
            && !(lagging && started.elapsed() < api.waits().missing_aliases)
            && (!interrupted || quiet)
        {
            swept.notes.extend(found.notes);
            return Ok(());
        }
        quiet = nothing;
        // Once more, whether a Publisher that was stopped has left something after all.
        let pause = if interrupted && nothing { api.waits().stale_reading } else { backoff.delay() };
        if pause >= api.deadline().remaining() {
            return Err(Error::late("what the run had made could not all be deleted"));
        }
        tokio::time::sleep(pause).await;
    }
}

struct Found {
    aliases: Vec<String>,
    /// The published versions these aliases point at.
    targets: Vec<u64>,
    versions: Vec<u64>,
    notes: Vec<String>,
}

impl Found {
    /// What of all this is ours to delete. While the lock is held no other run is alive, so temporary things of any
    /// execution are; a result only of this one, since those of earlier ones belong to the user.
    fn sort(aliases: &[Alias], versions: &[Version], of: &str) -> Self {
        let temporary = |alias: &Alias| {
            alias.name.strip_prefix(MARK).is_some_and(|rest| rest.starts_with('-'))
                && ThingMark::parse(&alias.description)
                    .is_some_and(|m| matches!(m.purpose, Purpose::Measure { .. }))
        };
        let (ours, foreign): (Vec<&Alias>, Vec<&Alias>) =
            aliases.iter().filter(|alias| alias.name != LOCK_ALIAS).partition(|alias| temporary(alias));
        let mut found = Self {
            targets: ours.iter().filter_map(|alias| alias.version.parse().ok()).collect(),
            aliases: ours.into_iter().map(|alias| alias.name.clone()).collect(),
            versions: Vec::new(),
            notes: Vec::new(),
        };
        for version in versions {
            let (Some(number), Some(mark)) = (version.number, ThingMark::parse(&version.description)) else {
                continue;
            };
            let user = foreign.iter().find(|alias| alias.serves(&number.to_string()));
            match (mark.purpose, user) {
                (Purpose::Result, None) if mark.owner == of => found.versions.push(number),
                (Purpose::Result, _) => {}
                (_, None) => found.versions.push(number),
                (_, Some(alias)) => found.notes.push(format!(
                    "version {number} was made for the run, but the alias {} points at it: it was left",
                    alias.name
                )),
            }
        }
        found
    }
}

/// Deletes a few at a time; the numbers of what was deleted and of what is still in use.
async fn delete_all<T, F>(
    api: &FunctionApi,
    hold: &mut Hold,
    things: Vec<T>,
    delete: impl Fn(FunctionApi, T) -> F,
) -> Result<(usize, usize), Error>
where
    T: Clone + Send + 'static,
    F: Future<Output = Result<(), Refusal>> + Send + 'static,
{
    let mut waiting = VecDeque::from(things);
    let mut under_way = JoinSet::new();
    let (mut deleted, mut in_use) = (0, 0);
    let mut failed = None;
    loop {
        while failed.is_none()
            && under_way.len() < AT_ONCE
            && let Some(thing) = waiting.pop_front()
        {
            match hold.deleting(api).await {
                Ok(api) => {
                    let deletion = delete(api, thing.clone());
                    under_way.spawn(async { (thing, deletion.await) });
                }
                Err(error) => failed = Some(error),
            }
        }
        // After a failure too: nothing may be under way when somebody else goes on.
        match under_way.join_next().await {
            None => return failed.map_or(Ok((deleted, in_use)), Err),
            Some(Ok((_, Ok(())))) => deleted += 1,
            // The lease was over, not the time there is.
            Some(Ok((thing, Err(refusal))))
                if refusal.out_of_time && !api.deadline().remaining().is_zero() =>
            {
                waiting.push_back(thing);
            }
            Some(Ok((_, Err(refusal)))) if refusal.is_conflict() => in_use += 1,
            Some(Ok((_, Err(refusal)))) => failed = Some(refusal.into()),
            Some(Err(panic)) => {
                failed = Some(Error::new(Kind::Refused, format!("a deletion failed: {panic}")));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mark::LockMark;

    const RUN: &str = "arn:aws:states:us-east-1:123456789012:execution:machine:run-1";
    const EARLIER: &str = "arn:aws:states:us-east-1:123456789012:execution:machine:run-0";

    fn alias(name: &str, version: &str, description: &str) -> Alias {
        Alias {
            name: name.to_owned(),
            version: version.to_owned(),
            description: description.to_owned(),
            revision: String::new(),
            also: Vec::new(),
        }
    }

    fn version(number: u64, description: &str) -> Version {
        Version { number: Some(number), memory: 128, description: description.to_owned(), pending: false }
    }

    fn mark(purpose: Purpose, owner: &str) -> String {
        ThingMark::new(purpose, owner).to_string()
    }

    #[test]
    fn only_marked_things_are_ours() {
        let measure = mark(Purpose::Measure { power: 512, copy: None }, RUN);
        let aliases = [
            alias("deployer-tuning", "7", &LockMark::idle(RUN, 256).to_string()),
            alias("deployer-tuning-512", "8", &measure),
            alias("deployer-tuning-1024", "3", "my own alias"),
            alias("live", "3", &measure),
        ];
        let versions = [
            version(3, ""),
            version(7, &mark(Purpose::Snapshot, RUN)),
            version(8, &measure),
            version(9, "deployer-tuning of the engine"),
        ];
        let found = Found::sort(&aliases, &versions, RUN);
        assert_eq!(found.aliases, ["deployer-tuning-512"]);
        assert_eq!(found.versions, [7, 8]);
        assert!(found.notes.is_empty());
    }

    #[test]
    fn a_version_the_user_points_at_stays() {
        let mut live = alias("live", "3", "");
        live.also = vec!["8".to_owned()];
        let found = Found::sort(&[live], &[version(8, &mark(Purpose::Spacer, RUN))], RUN);
        assert!(found.versions.is_empty());
        assert!(found.notes[0].contains("version 8") && found.notes[0].contains("live"), "{:?}", found.notes);
    }

    #[test]
    fn results_of_earlier_runs_belong_to_the_user() {
        let versions = [
            version(8, &mark(Purpose::Result, EARLIER)),
            version(9, &mark(Purpose::Result, RUN)),
            version(10, &mark(Purpose::Measure { power: 128, copy: Some(1) }, EARLIER)),
        ];
        assert_eq!(Found::sort(&[], &versions, RUN).versions, [9, 10]);
    }
}
