//! The lock and the undo record: one alias of a fixed name on the tuned function.
//!
//! Creating an alias is atomic, so its existence is the lock; its description names the owner ([`LockMark`]) and it
//! points at a copy of the function made before anything was changed. Every change of the lock carries the revision
//! id it was read with, so that of two who want to change it one fails and looks again: that is how a Publisher
//! learns that its run is being cleaned up, and how exactly one of several executions recovers a dead one's lock.
//!
//! [`sweep`] puts everything back and deletes what a run made; who does so is alone while they do ([`hold`]).

pub mod execution;
pub mod hold;
pub mod sweep;

use tokio::time::Instant;

use crate::error::{Error, Kind};
use crate::function_api::{Alias, Backoff, FunctionApi, LATEST, Refusal};
use crate::mark::{LOCK_ALIAS, LockMark};

/// The lock as it is on the function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// What its description says.
    pub mark: LockMark,
    /// The version it points at; `None` while that is `$LATEST`, when nothing has been changed yet.
    pub snapshot: Option<u64>,
    revision: String,
}

/// What is found under the lock's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// Nothing.
    Free,
    /// A lock of ours.
    By(Lock),
    /// An alias somebody else made.
    Foreign(Alias),
}

impl Held {
    /// What these aliases say.
    pub fn among(aliases: &[Alias]) -> Self {
        aliases
            .iter()
            .find(|alias| alias.name == LOCK_ALIAS)
            .map_or(Self::Free, |alias| Self::read(alias.clone()))
    }

    fn read(alias: Alias) -> Self {
        match LockMark::parse(&alias.description) {
            None => Self::Foreign(alias),
            Some(mark) => {
                let snapshot = alias.version.parse().ok();
                Self::By(Lock { mark, snapshot, revision: alias.revision })
            }
        }
    }
}

/// Why the lock could not be changed.
#[derive(Debug)]
pub enum LockError {
    /// Somebody else has changed or deleted it in the meantime: look again.
    Moved,
    /// AWS refused.
    Refused(Refusal),
}

impl From<Refusal> for LockError {
    fn from(refusal: Refusal) -> Self {
        if refusal.is_outdated() || refusal.is_not_found() { Self::Moved } else { Self::Refused(refusal) }
    }
}

impl Lock {
    /// Creates the lock on `$LATEST`; `None` when there is an alias of its name already.
    ///
    /// # Errors
    /// What AWS refuses.
    pub async fn take(api: &FunctionApi, mark: LockMark) -> Result<Option<Self>, Error> {
        match api.create_alias(LOCK_ALIAS, LATEST, &mark.to_string()).await {
            Ok(alias) => Ok(Some(Self { mark, snapshot: None, revision: alias.revision })),
            Err(refusal) if refusal.is_conflict() => Ok(None),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// Reads the lock, which must be this execution's and not be stopping.
    ///
    /// # Errors
    /// [`Kind::LockLost`] otherwise.
    pub async fn owned(api: &FunctionApi, execution: &str) -> Result<Self, Error> {
        Self::look(api, execution, false).await
    }

    async fn still_of(api: &FunctionApi, execution: &str) -> Result<Self, Error> {
        Self::look(api, execution, true).await
    }

    /// Looks until it is seen: a reading may be from before it was taken.
    async fn look(api: &FunctionApi, execution: &str, stopping_too: bool) -> Result<Self, Error> {
        let started = Instant::now();
        let mut backoff = Backoff::polling();
        loop {
            let why = match api.alias(LOCK_ALIAS).await?.map_or(Held::Free, Held::read) {
                Held::By(lock) if lock.mark.owner == execution => {
                    if stopping_too || !lock.mark.is_stopping() {
                        return Ok(lock);
                    }
                    "this run is being cleaned up".to_owned()
                }
                Held::By(lock) => format!("the function is now being tuned by {}", lock.mark.owner),
                Held::Free => format!("the alias {LOCK_ALIAS}, which locks the function, is gone"),
                Held::Foreign(_) => {
                    format!("somebody has changed the alias {LOCK_ALIAS}, which locks the function")
                }
            };
            if started.elapsed() >= api.waits().stale_reading || !backoff.wait(api.deadline()).await {
                return Err(lost(&why));
            }
        }
    }

    /// Writes another description and, where given, points the lock at another version.
    ///
    /// # Errors
    /// [`LockError::Moved`] when it is no longer as it was read.
    pub async fn write(
        &self,
        api: &FunctionApi,
        mark: LockMark,
        to: Option<&str>,
    ) -> Result<Self, LockError> {
        let snapshot = to.map_or(self.snapshot, |version| version.parse().ok());
        match api.update_alias(LOCK_ALIAS, to, Some(&mark.to_string()), &self.revision).await {
            Ok(alias) => Ok(Self { mark, snapshot, revision: alias.revision }),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// As [`Lock::write`], for the one who owns it: when the lock has moved it is read again, since that may be
    /// this very change, whose answer was lost. `mark` says what to write over what is there.
    ///
    /// # Errors
    /// [`Kind::LockLost`] when it is no longer this execution's, or somebody else has written *stopping*.
    pub async fn update(
        &self,
        api: &FunctionApi,
        mark: impl Fn(&LockMark) -> LockMark,
        to: Option<&str>,
    ) -> Result<Self, Error> {
        let mut lock = self.clone();
        let mut backoff = Backoff::polling();
        loop {
            let wanted = mark(&lock.mark);
            match lock.write(api, wanted.clone(), to).await {
                Ok(written) => return Ok(written),
                Err(LockError::Refused(refusal)) => return Err(refusal.into()),
                Err(LockError::Moved) => {
                    let found = Self::still_of(api, &wanted.owner).await?;
                    if found.mark.is_stopping() && found.mark != wanted {
                        return Err(lost("this run is being cleaned up"));
                    }
                    let version = to.map_or(lock.snapshot, |version| version.parse().ok());
                    if found.mark == wanted && found.snapshot == version {
                        return Ok(found);
                    }
                    lock = found;
                }
            }
            // Also reached when a stale reading shows the lock as it was before it moved.
            if !backoff.wait(api.deadline()).await {
                return Err(Error::late("the lock on the function could not be written"));
            }
        }
    }
}

fn lost(why: &str) -> Error {
    Error::new(Kind::LockLost, format!("{why}; nothing more was changed for this run"))
}
