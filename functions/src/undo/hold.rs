//! Who cleans up, and for how long that is certain.
//!
//! Lambda deletes an alias or a version without asking for its revision, so a deletion cannot be made to fail when
//! somebody else has the function by then. Instead, one who cleans up is alone while they do: a lock that says *stopping* is
//! left to whoever wrote it last, unless they say that they give up or it has not been written for [`Waits::silence`]. They
//! write it again while they work, and delete only within [`Waits::lease`] of having written it. That needs no clocks that
//! agree, only ones that run.

use tokio::time::Instant;

use super::{Held, Lock, LockError, lost};
use crate::error::{Error, Kind};
use crate::function_api::{Backoff, FunctionApi, LATEST};
use crate::mark::{LOCK_ALIAS, LockMark, Stage};
use crate::waits::Waits;

/// For how long a lock has been seen unchanged.
#[derive(Debug, Default)]
pub struct Watch(Option<(String, Instant)>);

impl Watch {
    /// Whether nobody is cleaning up under this lock, as far as one can see by now.
    pub fn is_free(&mut self, lock: &Lock, waits: Waits) -> bool {
        if lock.mark.stage != Stage::Stopping {
            return true;
        }
        match &self.0 {
            Some((revision, since)) if *revision == lock.revision => since.elapsed() >= waits.silence,
            _ => {
                self.0 = Some((lock.revision.clone(), Instant::now()));
                false
            }
        }
    }
}

/// A lock that says *stopping*, and is ours alone to clean up under.
#[derive(Debug)]
pub struct Hold {
    lock: Lock,
    /// When the last writing of it that succeeded was begun.
    since: Instant,
}

impl Hold {
    /// Cleans up after the lock's own run. Waits for somebody else who is doing so; `None` when there is nothing left to
    /// do after that.
    ///
    /// # Errors
    /// What AWS refuses, or a lack of time.
    pub async fn claim(api: &FunctionApi, lock: Lock) -> Result<Option<Self>, Error> {
        let owner = lock.mark.owner.clone();
        let mut watch = Watch::default();
        let mut backoff = Backoff::polling();
        let mut seen = Instant::now();
        let mut found = Some(lock);
        loop {
            if let Some(lock) = &found {
                seen = Instant::now();
                if watch.is_free(lock, api.waits())
                    && let Some(hold) = Self::take_over(api, lock, &owner).await?
                {
                    return Ok(Some(hold));
                }
            } else if seen.elapsed() >= api.waits().stale_reading {
                return Ok(None);
            }
            if !backoff.wait(api.deadline()).await {
                return Err(Error::new(
                    Kind::OutOfTime,
                    "the function was being cleaned up by somebody else for all the time there was: try again later",
                ));
            }
            found = match api.alias(LOCK_ALIAS).await?.map_or(Held::Free, Held::read) {
                Held::By(lock) if lock.mark.owner == owner => Some(lock),
                _ => None,
            };
        }
    }

    /// Writes *stopping* on a lock that is free for that ([`Watch::is_free`]), with an owner: `None` when it is no longer as
    /// it was read.
    ///
    /// # Errors
    /// What AWS refuses.
    pub async fn take_over(api: &FunctionApi, lock: &Lock, owner: &str) -> Result<Option<Self>, Error> {
        let mark = LockMark { owner: owner.to_owned(), stage: Stage::Stopping, ..lock.mark.clone() };
        // There is nothing to put back: the copy of the function may go.
        let to = mark.is_idle().then_some(LATEST);
        let since = Instant::now();
        match lock.write(api, mark, to).await {
            Ok(lock) => Ok(Some(Self { lock, since })),
            Err(LockError::Moved) => Ok(None),
            Err(LockError::Refused(refusal)) => Err(refusal.into()),
        }
    }

    /// Ends what a run does under its own lock, which leaves the function at this memory size (MB).
    ///
    /// # Errors
    /// What AWS refuses; [`Kind::LockLost`] when the run is being cleaned up.
    pub async fn last(api: &FunctionApi, lock: &Lock, memory: u32) -> Result<Self, Error> {
        let since = Instant::now();
        let mark = LockMark::ended(&lock.mark.owner, memory);
        let lock = lock.update(api, |_| mark.clone(), None).await?;
        Ok(Self { lock, since })
    }

    /// What the lock says.
    pub fn mark(&self) -> &LockMark {
        &self.lock.mark
    }

    /// The function, for deleting: until the lease is over.
    ///
    /// # Errors
    /// [`Kind::LockLost`] when somebody else has taken over.
    pub async fn deleting(&mut self, api: &FunctionApi) -> Result<FunctionApi, Error> {
        self.keep(api).await?;
        Ok(api.until(self.since + api.waits().lease))
    }

    /// Writes the lock again if it is time.
    ///
    /// # Errors
    /// [`Kind::LockLost`] when somebody else has taken over.
    pub async fn keep(&mut self, api: &FunctionApi) -> Result<(), Error> {
        if self.since.elapsed() < api.waits().renew_after {
            return Ok(());
        }
        self.write(api, self.lock.mark.clone(), None).await
    }

    /// Waits for something that may take long, and keeps the lock meanwhile.
    ///
    /// # Errors
    /// [`Kind::LockLost`] when somebody else has taken over.
    pub async fn meanwhile<T>(
        &mut self,
        api: &FunctionApi,
        work: impl Future<Output = T>,
    ) -> Result<T, Error> {
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Ok(done),
                () = tokio::time::sleep_until(self.since + api.waits().renew_after) => self.keep(api).await?,
            }
        }
    }

    /// Everything is as it was before the run, so that the copy of the function may go.
    ///
    /// # Errors
    /// [`Kind::LockLost`] when somebody else has taken over.
    pub async fn put_back(&mut self, api: &FunctionApi) -> Result<(), Error> {
        let mark =
            LockMark { stage: Stage::Stopping, ..LockMark::idle(&self.lock.mark.owner, self.lock.mark.base) };
        if self.lock.mark == mark && self.lock.snapshot.is_none() {
            return Ok(());
        }
        self.write(api, mark, Some(LATEST)).await
    }

    /// Turns it into the lock of a run that begins.
    ///
    /// # Errors
    /// [`Kind::LockLost`] when somebody else has taken over.
    pub async fn renew(mut self, api: &FunctionApi, memory: u32) -> Result<Lock, Error> {
        let mark = LockMark::idle(&self.lock.mark.owner, memory);
        self.write(api, mark, None).await?;
        Ok(self.lock)
    }

    /// Leaves the rest to the next one, who then need not wait: for when AWS refuses to go on. Should this fail too, they
    /// wait.
    pub async fn abandon(self, api: &FunctionApi) {
        let mark = LockMark { stage: Stage::Abandoned, ..self.lock.mark.clone() };
        let _ = self.lock.write(&api.until(Instant::now() + api.waits().write_within), mark, None).await;
    }

    async fn write(&mut self, api: &FunctionApi, mark: LockMark, to: Option<&str>) -> Result<(), Error> {
        let snapshot = to.map_or(self.lock.snapshot, |version| version.parse().ok());
        let mut backoff = Backoff::transient();
        loop {
            let begun = Instant::now();
            match self.lock.write(&api.until(begun + api.waits().write_within), mark.clone(), to).await {
                Ok(lock) => {
                    (self.lock, self.since) = (lock, begun);
                    return Ok(());
                }
                Err(LockError::Refused(refusal)) if !refusal.out_of_time => return Err(refusal.into()),
                Err(LockError::Refused(_)) => {}
                Err(LockError::Moved) => {
                    // By this very writing, if its answer was lost. Readings are not to lag behind that.
                    tokio::time::sleep(api.waits().stale_reading.min(api.deadline().remaining())).await;
                    let lock = self.found(api).await?;
                    let written = lock.mark == mark && lock.snapshot == snapshot;
                    self.lock = lock;
                    if written {
                        self.since = begun;
                        return Ok(());
                    }
                }
            }
            if !backoff.wait(api.deadline()).await {
                return Err(Error::late("the lock on the function could not be written"));
            }
        }
    }

    /// Reads the lock. Before the silence is over nobody else can have written *stopping*.
    async fn found(&self, api: &FunctionApi) -> Result<Lock, Error> {
        let owner = &self.lock.mark.owner;
        match api.alias(LOCK_ALIAS).await?.map_or(Held::Free, Held::read) {
            Held::By(lock) if lock.mark.owner == *owner && self.since.elapsed() < api.waits().silence => {
                Ok(lock)
            }
            Held::By(lock) if lock.mark.owner == *owner => {
                Err(lost("somebody else has begun to clean up, since this took too long"))
            }
            Held::By(lock) => Err(lost(&format!("the function is now being tuned by {}", lock.mark.owner))),
            Held::Free | Held::Foreign(_) => {
                Err(lost(&format!("the alias {LOCK_ALIAS}, which locks the function, is gone")))
            }
        }
    }

    /// Deletes the lock: the last thing to do.
    ///
    /// # Errors
    /// What AWS refuses, or a lack of time.
    pub async fn release(mut self, api: &FunctionApi) -> Result<(), Error> {
        let mut backoff = Backoff::transient();
        let mut kept = self.keep(api).await;
        loop {
            match kept {
                // It is deleted, or somebody else's to delete.
                Err(error) if error.kind == Kind::LockLost => return Ok(()),
                kept => kept?,
            }
            match api.until(self.since + api.waits().lease).delete_alias_once(LOCK_ALIAS).await {
                Ok(()) => return Ok(()),
                Err(refusal) if !refusal.may_pass() => {
                    self.abandon(api).await;
                    return Err(refusal.into());
                }
                Err(_) => {}
            }
            if !backoff.wait(api.deadline()).await {
                return Err(Error::late("the lock on the function could not be deleted"));
            }
            // Without an answer it may be deleted, and a lock that is there now another run's.
            kept = self.write(api, self.lock.mark.clone(), None).await;
        }
    }
}
